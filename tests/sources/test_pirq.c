/* SPDX-License-Identifier: MIT */
/*
 * Physical interrupt lines: who may make and bind them, level and end of
 * interrupt, and descriptors that nobody should be made to watch.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "tests/process/lines.h"

static int bind_line(struct evp_guest *g, uint32_t line, evtchn_port_t *port)
{
	return evg_bind_pirq(evp_evg(g), line, 0, port);
}

static evtchn_port_t bind_counted(struct evp_guest *g, uint32_t line,
				  uint64_t *count)
{
	evtchn_port_t port = 0;

	CHECK(bind_line(g, line, &port) == 0);
	CHECK(evg_bind_handler(evp_evg(g), port, EVG_VCPU_KEEP, count_event,
			       count) == 0);
	return port;
}

static int status_flags(struct evp_guest *g, uint32_t line, uint32_t *flags)
{
	struct physdev_irq_status_query op = {.irq = line};
	int rc = evg_plat_hypercall(evp_evg(g), __HYPERVISOR_physdev_op,
				    PHYSDEVOP_irq_status_query, &op);

	*flags = op.flags;
	return rc;
}

static void assert_line(int event)
{
	uint64_t one = 1;

	CHECK(write(event, &one, sizeof(one)) == sizeof(one));
}

/* What a driver does to its device. */
static void clear_line(int event)
{
	uint64_t n;

	CHECK(read(event, &n, sizeof(n)) == sizeof(n));
}

/*
 * The broker has looked at what was ready.  Events of one turn have no order, and
 * one turn takes up to 16 questions of one peer: more than that see another turn.
 */
static void let_broker_look(struct evp_guest *g)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = 1};
	int i;

	for (i = 0; i < 18; i++)
		(void)evg_status(evp_evg(g), &st);
	(void)evp_poll(g);
}

/* --- level and end of interrupt --------------------------------------------- */

static void asserted_line_comes_once_until_its_end(void **state)
{
	struct evp_guest *g = attach(0);
	int event = eventfd(0, EFD_NONBLOCK);
	uint64_t count = 0;
	uint32_t flags;

	(void)state;
	assert_int_equal(evp_pirq_add(g, 5, event, 0), 0);
	(void)bind_counted(g, 5, &count);
	let_broker_look(g);
	assert_int_equal(count, 0);
	assert_line(event);
	wait_count(g, &count, 1);
	/* In flight: whatever the device does is not heard of. */
	assert_line(event);
	clear_line(event);
	assert_line(event);
	let_broker_look(g);
	assert_int_equal(count, 1);
	assert_int_equal(status_flags(g, 5, &flags), 0);
	assert_int_equal(flags, XENIRQSTAT_needs_eoi);
	/* Ended while still asserted: at once again. */
	assert_int_equal(eoi(g, 5), 0);
	wait_count(g, &count, 2);
	clear_line(event);
	assert_int_equal(eoi(g, 5), 0);
	let_broker_look(g);
	assert_int_equal(count, 2);
	/* An end without a beginning changes nothing. */
	assert_int_equal(eoi(g, 5), 0);
	assert_line(event);
	wait_count(g, &count, 3);
	(void)close(event);
	evp_detach(g);
}

/* What a line was doing when its port was closed is no business of the next. */
static void unbound_line_is_not_watched_and_bound_again_is(void **state)
{
	struct evp_guest *g = attach(0);
	int event = eventfd(0, EFD_NONBLOCK);
	uint64_t count = 0;
	evtchn_port_t port;

	(void)state;
	assert_line(event);
	assert_int_equal(evp_pirq_add(g, 5, event, 0), 0);
	let_broker_look(g);
	assert_int_equal(eoi(g, 5), -XEN_EINVAL);
	port = bind_counted(g, 5, &count);
	wait_count(g, &count, 1);
	assert_int_equal(bind_line(g, 5, &port), -XEN_EEXIST);
	assert_int_equal(evg_close(evp_evg(g), port), 0);
	let_broker_look(g);
	assert_int_equal(eoi(g, 5), -XEN_EINVAL);
	(void)bind_counted(g, 5, &count);
	wait_count(g, &count, 2);
	(void)close(event);
	evp_detach(g);
}

static void every_kind_of_descriptor_asserts(void **state)
{
	struct itimerspec soon = {.it_value = {.tv_nsec = 1}};
	struct evp_guest *g = attach(0);
	uint64_t count[4] = {0};
	int i, fd[4], ends[2], master;
	char path[128];

	(void)state;
	CHECK(!pipe2(ends, O_CLOEXEC));
	master = posix_openpt(O_RDWR | O_NOCTTY);
	CHECK(master >= 0 && !grantpt(master) && !unlockpt(master));
	fd[0] = ends[0];
	fd[1] = timerfd_create(CLOCK_MONOTONIC, 0);
	fd[2] = inotify_init1(0);
	fd[3] = open(ptsname(master), O_RDONLY | O_NOCTTY);
	CHECK(inotify_add_watch(fd[2], broker.dir, IN_CREATE) >= 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(evp_pirq_add(g, 10u + (uint32_t)i, fd[i], 0),
				 0);
		(void)bind_counted(g, 10u + (uint32_t)i, &count[i]);
	}
	let_broker_look(g);
	for (i = 0; i < 4; i++)
		assert_int_equal(count[i], 0);
	CHECK(write(ends[1], "x", 1) == 1);
	CHECK(!timerfd_settime(fd[1], 0, &soon, NULL));
	(void)snprintf(path, sizeof(path), "%s/new", broker.dir);
	CHECK(!symlink("x", path));
	CHECK(write(master, "x\n", 2) == 2);
	for (i = 0; i < 4; i++) {
		wait_count(g, &count[i], 1);
		(void)close(fd[i]);
	}
	(void)close(ends[1]);
	(void)close(master);
	evp_detach(g);
}

/* --- permission -------------------------------------------------------------- */

static void only_who_was_permitted_binds(void **state)
{
	struct evp_guest *g[3] = {attach(0), attach(1), attach(2)};
	int event = eventfd(1, EFD_NONBLOCK);
	uint64_t count = 0;
	evtchn_port_t port = 0;
	int i;

	(void)state;
	assert_int_equal(bind_line(g[1], 7, &port), -XEN_EPERM);
	assert_int_equal(bind_line(g[0], 7, &port), -XEN_EINVAL);
	assert_int_equal(bind_line(g[0], EVP_NR_LINES, &port), -XEN_EINVAL);
	assert_int_equal(permit_line(7, 2, false), -ENOENT);
	assert_int_equal(add_line(7, event, 1), 0);
	assert_int_equal(bind_line(g[2], 7, &port), -XEN_EPERM);
	port = bind_counted(g[1], 7, &count);
	wait_count(g[1], &count, 1);
	/* One at a time; also domain 0, which is permitted all lines. */
	assert_int_equal(bind_line(g[0], 7, &port), -XEN_EBUSY);
	assert_int_equal(permit_line(7, 2, false), 0);
	assert_int_equal(bind_line(g[2], 7, &port), -XEN_EBUSY);
	assert_int_equal(eoi(g[2], 7), -XEN_EINVAL);
	assert_int_equal(evg_close(evp_evg(g[1]), port), 0);
	(void)bind_counted(g[2], 7, &count);
	wait_count(g[2], &count, 2);
	assert_int_equal(eoi(g[1], 7), -XEN_EINVAL);
	(void)close(event);
	for (i = 0; i < 3; i++)
		evp_detach(g[i]);
}

static void only_those_in_control_make_lines(void **state)
{
	struct evp_guest *g = attach(1), *dom0 = attach(0);
	int event = eventfd(0, EFD_NONBLOCK);
	uint32_t domid;
	int session, adopted;

	(void)state;
	assert_int_equal(evp_pirq_add(g, 3, event, 1), -EPERM);
	assert_int_equal(evp_pirq_permit(g, 3, 1), -EPERM);
	session = open_session(4, &domid);
	assert_int_equal(evp_control_line(session, 3, event, 4), -EPERM);
	assert_int_equal(evp_control_adopt(session, &adopted), 0);
	assert_int_equal(evp_control_line(adopted, 3, event, 4), -EPERM);
	assert_int_equal(evp_control_permit(adopted, 3, 4, false), -EPERM);
	assert_int_equal(add_line(3, event, 9), -ESRCH);
	assert_int_equal(add_line(EVP_NR_LINES, event, 1), -EINVAL);
	assert_int_equal(add_line(UINT32_MAX, event, 1), -EINVAL);
	assert_int_equal(evp_pirq_add(dom0, 3, event, 1), 0);
	assert_int_equal(add_line(3, event, 1), -EEXIST);
	assert_int_equal(evp_pirq_permit(dom0, 3, 4), 0);
	assert_int_equal(evp_pirq_add(dom0, 4, -1, 1), -EBADF);
	(void)close(event);
	assert_int_equal(evp_pirq_add(dom0, 4, event, 1), -EBADF);
	assert_true(evp_broker_is_there(dom0));
	(void)close(session);
	(void)close(adopted);
	evp_detach(g);
	evp_detach(dom0);
}

/* Of a domain's attachments only the port's owner ends its interrupts. */
static void end_of_interrupt_is_the_owners(void **state)
{
	struct evp_guest *g = attach(0), *other = attach(0);
	int event = eventfd(1, EFD_NONBLOCK);
	uint64_t count = 0;
	uint32_t flags;

	(void)state;
	assert_int_equal(evp_pirq_add(g, 5, event, 0), 0);
	(void)bind_counted(g, 5, &count);
	wait_count(g, &count, 1);
	assert_int_equal(eoi(other, 5), -XEN_ENOTCONN);
	assert_int_equal(status_flags(other, 5, &flags), -XEN_ENOTCONN);
	let_broker_look(g);
	assert_int_equal(count, 1);
	assert_int_equal(eoi(g, 5), 0);
	wait_count(g, &count, 2);
	assert_int_equal(eoi(g, 6), -XEN_EINVAL);
	assert_int_equal(eoi(g, UINT32_MAX), -XEN_EINVAL);
	assert_int_equal(evg_plat_hypercall(evp_evg(g), __HYPERVISOR_physdev_op,
					    PHYSDEVOP_eoi, NULL),
			 -XEN_EFAULT);
	assert_int_equal(evg_plat_hypercall(evp_evg(g), __HYPERVISOR_physdev_op,
					    PHYSDEVOP_map_pirq, &flags),
			 -XEN_ENOSYS);
	(void)close(event);
	evp_detach(g);
	evp_detach(other);
}

/* --- lives ------------------------------------------------------------------- */

static void line_ends_with_the_domain_it_was_made_for(void **state)
{
	struct evp_guest *g = attach(1), *dom0 = attach(0), *other = attach(3);
	int old = eventfd(0, EFD_NONBLOCK), new = eventfd(0, EFD_NONBLOCK);
	uint64_t count = 0, fresh = 0;
	evtchn_port_t port, stale;
	int fds = nr_fds(), rc;

	(void)state;
	assert_int_equal(add_line(9, old, 1), 0);
	await_nr_fds(fds + 1);
	assert_int_equal(permit_line(9, 3, false), 0);
	stale = bind_counted(dom0, 9, &count);
	evp_detach(g);
	g = attach(2);
	while ((rc = add_line(9, new, 2)) == -EEXIST)
		;
	assert_int_equal(rc, 0);
	await_nr_fds(fds + 1);
	/* Domain 0 still has a port for what is gone, and it stays silent. */
	(void)bind_counted(g, 9, &fresh);
	assert_int_equal(bind_line(other, 9, &port), -XEN_EPERM);
	assert_line(old);
	assert_line(new);
	wait_count(g, &fresh, 1);
	let_broker_look(dom0);
	assert_int_equal(count, 0);
	assert_int_equal(eoi(dom0, 9), 0);
	let_broker_look(g);
	assert_int_equal(fresh, 1);
	/* Closing it does not take the new one's away. */
	assert_int_equal(evg_close(evp_evg(dom0), stale), 0);
	assert_int_equal(eoi(g, 9), 0);
	wait_count(g, &fresh, 2);
	assert_int_equal(bind_line(dom0, 9, &port), -XEN_EBUSY);
	(void)close(old);
	(void)close(new);
	evp_detach(g);
	evp_detach(dom0);
	evp_detach(other);
}

static void bind_and_wait(int from, int to, void *arg)
{
	struct evp_guest *g = attach(0);
	uint64_t count = 0;

	(void)arg;
	(void)bind_counted(g, 5, &count);
	wait_count(g, &count, 1);
	say(to, 1);
	(void)hear(from);
}

/* Killed with its interrupt in flight: the next driver gets it. */
static void killed_driver_leaves_the_line_to_the_next(void **state)
{
	struct evp_guest *g = attach(0);
	int event = eventfd(1, EFD_NONBLOCK);
	evtchn_port_t port = 0;
	struct child c;
	uint64_t count = 0;
	int rc;

	(void)state;
	assert_int_equal(evp_pirq_add(g, 5, event, 0), 0);
	c = start_child(bind_and_wait, NULL);
	(void)hear(c.from);
	(void)kill(c.pid, SIGKILL);
	assert_int_equal(end_child(&c), 128 + SIGKILL);
	while ((rc = bind_line(g, 5, &port)) == -XEN_EEXIST)
		;
	assert_int_equal(rc, 0);
	CHECK(evg_bind_handler(evp_evg(g), port, EVG_VCPU_KEEP, count_event,
			       &count) == 0);
	wait_count(g, &count, 1);
	(void)close(event);
	evp_detach(g);
}

/* --- hostile ------------------------------------------------------------------ */

static void untrustworthy_descriptors_are_refused(void **state)
{
	struct evp_guest *g = attach(0);
	int before = nr_fds(), pair[2], i, rc;
	sigset_t set;
	struct {
		int fd, rc;
	} bad[8];

	(void)state;
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	(void)sigemptyset(&set);
	bad[0].fd = open("/dev/null", O_RDONLY); /* no poll function */
	bad[0].rc = -EPERM;
	bad[1].fd = memfd_create("x", 0);
	bad[2].fd = epoll_create1(0);
	bad[3].fd = signalfd(-1, &set, 0);
	bad[4].fd = pair[0];
	bad[5].fd = open(broker.dir, O_RDONLY);
	bad[6].fd = open("/proc/self/status", O_RDONLY);
	bad[7].fd = open("/dev/zero", O_PATH);
	for (i = 1; i < 8; i++)
		bad[i].rc = -EINVAL;
	bad[7].rc = -EBADF;
	for (i = 0; i < 8; i++) {
		CHECK(bad[i].fd >= 0);
		rc = evp_pirq_add(g, 5, bad[i].fd, 0);
		assert_int_equal(rc, bad[i].rc);
		(void)close(bad[i].fd);
	}
	(void)close(pair[1]);
	await_nr_fds(before);
	assert_int_equal(eoi(g, 5), -XEN_EINVAL);
	evp_detach(g);
}

static void lines_are_bounded(void **state)
{
	struct evp_guest *g = attach(0), *more = attach(1), *last = attach(2);
	int event = eventfd(0, EFD_NONBLOCK);
	uint32_t i;

	(void)state;
	for (i = 0; i < 32; i++) {
		assert_int_equal(evp_pirq_add(g, i, event, 0), 0);
		assert_int_equal(evp_pirq_add(g, 100 + i, event, 1), 0);
	}
	assert_int_equal(evp_pirq_add(g, 99, event, 0), -ENOSPC);
	assert_int_equal(evp_pirq_add(g, 99, event, 2), -ENOSPC);
	evp_detach(more);
	while (evp_pirq_add(g, 99, event, 2) == -ENOSPC)
		;
	assert_int_equal(evp_pirq_add(g, 98, event, 0), -ENOSPC);
	(void)close(event);
	evp_detach(g);
	evp_detach(last);
}

/* Always readable, ended at once, for ever: the others are served as well. */
static void storm_of_one_line_does_not_starve_others(void **state)
{
	struct evp_guest *g = attach(0), *other = attach(1);
	int event = eventfd(1, EFD_NONBLOCK);
	uint64_t count = 0;
	evtchn_port_t port;
	int i;

	(void)state;
	assert_int_equal(evp_pirq_add(g, 5, event, 0), 0);
	(void)bind_counted(g, 5, &count);
	for (i = 1; i <= 1000; i++) {
		wait_count(g, &count, (uint64_t)i);
		assert_int_equal(eoi(g, 5), 0);
		assert_int_equal(
			evg_alloc_unbound(evp_evg(other), DOMID_SELF, 0, &port),
			0);
		assert_int_equal(evg_close(evp_evg(other), port), 0);
	}
	(void)close(event);
	evp_detach(g);
	evp_detach(other);
}

static void send_line(int fd, enum evp_type type, size_t len, unsigned int nr)
{
	struct evp_line m[2] = {{.line = 3, .domid = 0}};
	int fds[2] = {STDIN_FILENO, STDIN_FILENO};

	evp_hdr_init(&m[0].hdr, type, len, 1);
	CHECK(evp_send_packet(fd, m, len, fds, nr, 0) == 0);
	expect_end(fd);
}

static void malformed_ends_the_connection_only(void **state)
{
	struct evp_guest *g = attach(0);
	size_t len = sizeof(struct evp_line);
	int before = nr_fds();

	(void)state;
	send_line(raw_greeted(), EVP_LINE, len, 0);
	send_line(raw_greeted(), EVP_LINE, len, 2);
	send_line(raw_greeted(), EVP_LINE, len + 4, 1);
	send_line(raw_greeted(), EVP_LINE, len - 4, 1);
	send_line(raw_greeted(), EVP_PERMIT, len, 1);
	send_line(raw_greeted(), EVP_PERMIT, len + 4, 0);
	send_line(raw(), EVP_LINE, len, 1);
	send_line(raw(), EVP_PERMIT, len, 0);
	send_line(raw_attached(1), EVP_PERMIT, len + 1, 0);
	(void)evp_poll(g);
	await_nr_fds(before);
	assert_int_equal(eoi(g, 3), -XEN_EINVAL);
	evp_detach(g);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(asserted_line_comes_once_until_its_end),
		TEST(unbound_line_is_not_watched_and_bound_again_is),
		TEST(every_kind_of_descriptor_asserts),
		TEST(only_who_was_permitted_binds),
		TEST(only_those_in_control_make_lines),
		TEST(end_of_interrupt_is_the_owners),
		TEST(line_ends_with_the_domain_it_was_made_for),
		TEST(killed_driver_leaves_the_line_to_the_next),
		TEST(untrustworthy_descriptors_are_refused),
		TEST(lines_are_bounded),
		TEST(storm_of_one_line_does_not_starve_others),
		TEST(malformed_ends_the_connection_only),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
