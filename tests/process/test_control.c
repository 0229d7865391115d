/* SPDX-License-Identifier: MIT */
/*
 * The control plane: who may attach, sessions, what hypercalls answer, waiting,
 * listings.
 */
#include <poll.h>
#include <sys/stat.h>
#include <time.h>

#include <abi/callback.h>
#include <abi/sched.h>

#include "harness.h"

/* --- attaching ---------------------------------------------------------------- */

/* More of it: test_attachments.c. */
static void second_attach_to_a_domain_joins_and_outlives_the_first(void **state)
{
	struct evp_guest *g = attach(3), *other = attach(3);
	evtchn_port_t port;

	(void)state;
	assert_int_equal(evp_domid(other), 3);
	evp_detach(g);
	assert_int_equal(
		evg_alloc_unbound(evp_evg(other), DOMID_SELF, 9, &port), 0);
	assert_int_equal(status_of(other, port), EVTCHNSTAT_unbound);
	evp_detach(other);
}

static void attach_without_a_number_gets_the_lowest_free(void **state)
{
	struct evp_guest *a, *b;

	(void)state;
	assert_int_equal(evp_attach(&a, NULL), 0);
	assert_int_equal(evp_attach(&b, NULL), 0);
	assert_int_equal(evp_domid(a), 1);
	assert_int_equal(evp_domid(b), 2);
	evp_detach(a);
	evp_detach(b);
}

static void attach_with_bad_settings_says_what_is_wrong(void **state)
{
	struct evp_options o = {.domain = 40000, .spin_ns = EVP_SPIN_DEFAULT};
	struct evp_guest *g;

	(void)state;
	assert_int_equal(evp_attach(&g, &o), -EINVAL);
	assert_non_null(strstr(evp_error(), "40000"));
	(void)setenv("EVTCHN_DOMAIN", "seven", 1);
	assert_int_equal(evp_attach(&g, NULL), -EINVAL);
	assert_non_null(strstr(evp_error(), "EVTCHN_DOMAIN=seven"));
	(void)unsetenv("EVTCHN_DOMAIN");
	(void)setenv("EVTCHN_FD", "1", 1);
	assert_int_equal(evp_attach(&g, NULL), -EINVAL);
	assert_non_null(strstr(evp_error(), "EVTCHN_FD"));
	(void)unsetenv("EVTCHN_FD");
	(void)setenv("EVTCHN_SOCKET", "/nonexistent/sock", 1);
	assert_int_equal(evp_attach(&g, NULL), -ENOENT);
	assert_non_null(strstr(evp_error(), "/nonexistent/sock"));
}

static void attach_as_nobody(int from, int to, void *arg)
{
	struct evp_guest *g;

	(void)from;
	(void)to;
	(void)arg;
	CHECK(setgid(65534) == 0 && setuid(65534) == 0);
	CHECK(evp_attach(&g, NULL) == -EACCES);
	CHECK(strstr(evp_error(), "may not connect"));
}

static void attach_as_another_user_refused_with_a_reason(void **state)
{
	struct child c;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(broker.dir, 0755), 0);
	c = start_child(attach_as_nobody, NULL);
	assert_int_equal(end_child(&c), 0);
}

/* --- sessions ------------------------------------------------------------------ */

static void session_children_attach_through_it_to_its_domain_only(void **state)
{
	struct evp_guest *g, *other;
	uint32_t domid;
	char number[16];
	int fd = open_session(5, &domid), second;
	evtchn_port_t port;

	(void)state;
	assert_int_equal(domid, 5);
	(void)snprintf(number, sizeof(number), "%d", fd);
	(void)setenv("EVTCHN_FD", number, 1);
	assert_int_equal(evp_attach(&g, NULL), 0);
	assert_int_equal(evp_domid(g), 5);
	assert_int_equal(evp_attach(&other, NULL), 0);
	assert_int_equal(evp_domid(other), 5);
	evp_detach(g);
	evp_detach(other);
	(void)setenv("EVTCHN_DOMAIN", "6", 1);
	assert_int_equal(evp_attach(&g, NULL), -EACCES);
	(void)unsetenv("EVTCHN_DOMAIN");
	(void)unsetenv("EVTCHN_FD");
	/* A second session holds it as well: the first may go. */
	second = open_session(5, &domid);
	assert_int_equal(domid, 5);
	(void)close(fd);
	g = attach(5);
	assert_int_equal(evg_bind_ipi(evp_evg(g), 0, &port), 0);
	evp_detach(g);
	(void)close(second);
}

/* What was sent before anybody attached is handed over. */
static void event_sent_before_attach_delivered_after(void **state)
{
	struct evp_guest *dom0 = attach(0), *dom2 = attach(2), *dom5;
	struct evtchn_alloc_unbound op = {.dom = 5, .remote_dom = 2};
	uint64_t count = 0, ignored = 0;
	evtchn_port_t port;
	uint32_t domid;
	int fd = open_session(5, &domid);
	struct evp_options o = {.domain = 5, .spin_ns = EVP_SPIN_DEFAULT};
	char number[16];

	(void)state;
	(void)snprintf(number, sizeof(number), "%d", fd);
	(void)setenv("EVTCHN_FD", number, 1);
	assert_int_equal(evg_plat_hypercall(evp_evg(dom0),
					    __HYPERVISOR_event_channel_op,
					    EVTCHNOP_alloc_unbound, &op),
			 0);
	port = open_bound(dom2, 5, op.port, count_event, &ignored);
	assert_int_equal(evg_notify(evp_evg(dom2), port), 0);
	assert_int_equal(evp_attach(&dom5, &o), 0);
	assert_int_equal(evg_bind_handler(evp_evg(dom5), op.port, 0,
					  count_event, &count),
			 0);
	wait_count(dom5, &count, 1);
	/* Now they are linked, both ways. */
	(void)evp_poll(dom2);
	assert_int_equal(evg_notify(evp_evg(dom2), port), 0);
	wait_count(dom5, &count, 2);
	ignored = 0;
	assert_int_equal(evg_notify(evp_evg(dom5), op.port), 0);
	wait_count(dom2, &ignored, 1);
	evp_detach(dom0);
	evp_detach(dom2);
	evp_detach(dom5);
	(void)unsetenv("EVTCHN_FD");
	(void)close(fd);
}

/* --- hypercalls ---------------------------------------------------------------- */

static int op(struct evp_guest *g, unsigned int cmd, void *arg)
{
	return evg_plat_hypercall(evp_evg(g), __HYPERVISOR_event_channel_op,
				  cmd, arg);
}

static void hypercalls_foreign_numbers_and_pointers_spec_errnos(void **state)
{
	struct evp_guest *g = attach(1);
	struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF,
					     .remote_dom = 9};
	struct evtchn_close port = {.port = 4000};
	struct evtchn_reset reset = {.dom = 77};
	struct evtchn_bind_interdomain bind = {.remote_dom = 77};
	struct evtchn_bind_virq virq = {.virq = 24};
	struct evtchn_init_control fifo = {.vcpu = 0};
	struct evtchn_status st = {.dom = 1, .port = 64};
	void *bad[] = {NULL, (void *)8, (void *)(uintptr_t)-4096,
		       (void *)0x500000000000};
	unsigned int cmd, i;

	(void)state;
	for (cmd = 15; cmd < 40; cmd++)
		assert_int_equal(op(g, cmd, NULL), -XEN_ENOSYS);
	assert_int_equal(op(g, UINT32_MAX, &alloc), -XEN_ENOSYS);
	for (cmd = 0; cmd <= EVTCHNOP_reset_cont; cmd++) {
		for (i = 0; i < (cmd == EVTCHNOP_send ? 2 : 4); i++)
			assert_int_equal(op(g, cmd, bad[i]), -XEN_EFAULT);
	}
	assert_int_equal(evg_plat_hypercall(evp_evg(g), 99, 0, NULL),
			 -XEN_ENOSYS);
	assert_int_equal(op(g, EVTCHNOP_close, &port), -XEN_EINVAL);
	assert_int_equal(op(g, EVTCHNOP_send, &port), -XEN_EINVAL);
	assert_int_equal(op(g, EVTCHNOP_unmask, &port), -XEN_EINVAL);
	port.port = UINT32_MAX;
	assert_int_equal(op(g, EVTCHNOP_send, &port), -XEN_EINVAL);
	assert_int_equal(op(g, EVTCHNOP_unmask, &port), -XEN_EINVAL);
	port.port = 5; /* exists, free */
	assert_int_equal(op(g, EVTCHNOP_send, &port), -XEN_EINVAL);
	assert_int_equal(op(g, EVTCHNOP_unmask, &port), 0);
	assert_int_equal(op(g, EVTCHNOP_reset, &reset), -XEN_ESRCH);
	assert_int_equal(op(g, EVTCHNOP_reset_cont, &reset), -XEN_ESRCH);
	reset.dom = DOMID_SELF;
	assert_int_equal(op(g, EVTCHNOP_reset_cont, &reset), -XEN_EBUSY);
	assert_int_equal(op(g, EVTCHNOP_bind_interdomain, &bind), -XEN_ESRCH);
	assert_int_equal(op(g, EVTCHNOP_bind_virq, &virq), -XEN_EINVAL);
	assert_int_equal(op(g, EVTCHNOP_init_control, &fifo), -XEN_EINVAL);
	assert_int_equal(op(g, EVTCHNOP_status, &st), -XEN_EINVAL);
	evp_detach(g);
}

/* As in Xen: the port is there all the same. */
static void hypercall_result_unwritable_efault_and_done(void **state)
{
	struct evp_guest *g = attach(1);
	struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF,
					     .remote_dom = 9};
	struct evtchn_alloc_unbound *page =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	*page = alloc;
	assert_int_equal(mprotect(page, 4096, PROT_READ), 0);
	assert_int_equal(op(g, EVTCHNOP_alloc_unbound, page), -XEN_EFAULT);
	assert_int_equal(page->port, 0);
	assert_int_equal(status_of(g, 1), EVTCHNSTAT_unbound);
	assert_int_equal(op(g, EVTCHNOP_alloc_unbound, &alloc), 0);
	assert_int_equal(alloc.port, 2);
	(void)munmap(page, 4096);
	evp_detach(g);
}

static void hypercall_compat_form_same_answers(void **state)
{
	struct evp_guest *g = attach(1);
	struct evtchn_op c = {.cmd = EVTCHNOP_alloc_unbound};
	const unsigned int nr = __HYPERVISOR_event_channel_op_compat;

	(void)state;
	c.u.alloc_unbound.dom = DOMID_SELF;
	assert_int_equal(evg_plat_hypercall(evp_evg(g), nr, 0, &c), 0);
	assert_int_equal(c.u.alloc_unbound.port, 1);
	c.cmd = EVTCHNOP_reset;
	assert_int_equal(evg_plat_hypercall(evp_evg(g), nr, 0, &c),
			 -XEN_ENOSYS);
	assert_int_equal(evg_plat_hypercall(evp_evg(g), nr, 0, NULL),
			 -XEN_EFAULT);
	evp_detach(g);
}

static void ports_4095_then_no_space_and_reset_frees_them_all(void **state)
{
	struct evp_guest *g = attach(1);
	struct evtchn_alloc_unbound a = {.dom = DOMID_SELF, .remote_dom = 1};
	evtchn_port_t port;
	unsigned int i;
	int rc = 0;

	(void)state;
	for (i = 0; !rc; i++)
		rc = op(g, EVTCHNOP_alloc_unbound, &a);
	assert_int_equal(rc, -XEN_ENOSPC);
	assert_int_equal(i - 1, 4095);
	assert_int_equal(evg_reset(evp_evg(g)), 0);
	assert_int_equal(evg_alloc_unbound(evp_evg(g), DOMID_SELF, 1, &port),
			 0);
	assert_int_equal(port, 1);
	evp_detach(g);
}

/* 1000 links end at once, the peer hears of each, and all of it again. */
static void reset_with_1000_connections_peers_unbound(void **state)
{
	struct evp_guest *a = attach(1), *b = attach(2);
	static evtchn_port_t remote[1000];
	uint64_t count = 0, ignored = 0;
	unsigned int i, round;

	(void)state;
	for (i = 0; i < 1000; i++)
		remote[i] = open_unbound(a, 2, count_event, &count);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 1000; i++)
			(void)open_bound(b, 1, remote[i], count_event,
					 &ignored);
		count = 0;
		for (i = 1; i <= 1000; i++)
			assert_int_equal(evg_notify(evp_evg(b), i), 0);
		wait_count(a, &count, 1000);
		assert_int_equal(evg_reset(evp_evg(b)), 0);
		assert_int_equal(status_of(a, remote[999]), EVTCHNSTAT_unbound);
		assert_int_equal(evg_notify(evp_evg(a), remote[0]), 0);
		(void)evp_poll(a);
		assert_int_equal(count, 1000);
	}
	evp_detach(b);
	await_status(a, remote[0], EVTCHNSTAT_unbound);
	evp_detach(a);
}

/* --- waiting -------------------------------------------------------------------- */

static int poll_ports(struct evp_guest *g, evtchn_port_t *port, uint32_t nr,
		      int64_t ns)
{
	return evg_poll(evp_evg(g), port, nr, (uint64_t)(ns));
}

static int64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static void sched_poll_masked_port_wakes_timeout_and_errors(void **state)
{
	struct evp_guest *g = attach(1);
	evtchn_port_t port[200] = {0}, other;
	int64_t before;

	(void)state;
	assert_int_equal(evg_bind_ipi(evp_evg(g), 0, &port[0]), 0);
	assert_int_equal(evg_bind_ipi(evp_evg(g), 0, &other), 0);
	before = now_ns();
	assert_int_equal(poll_ports(g, port, 1, before + 2000000), 0);
	assert_true(now_ns() - before >= 2000000);
	assert_false(evg_is_pending(evp_evg(g), port[0]));
	/* Masked, as every port without a handler: it wakes all the same. */
	assert_int_equal(evg_notify(evp_evg(g), port[0]), 0);
	assert_int_equal(poll_ports(g, port, 1, 0), 0);
	assert_true(evg_is_pending(evp_evg(g), port[0]));
	assert_int_equal(poll_ports(g, port, 129, 0), -XEN_EINVAL);
	assert_int_equal(poll_ports(g, (void *)64, 1, 0), -XEN_EFAULT);
	port[1] = 63;
	assert_int_equal(poll_ports(g, &port[1], 1, 0), -XEN_EINVAL);
	evp_detach(g);
}

static void notify_once(int from, int to, void *arg)
{
	struct evp_guest *g = attach(2);
	uint64_t count = 0;
	evtchn_port_t port = open_bound(g, 1, (evtchn_port_t)hear(from),
					count_event, &count);

	(void)arg;
	wait_count(g, &count, 1);
	say(to, 0);
	while (hear(from))
		CHECK(evg_notify(evp_evg(g), port) == 0);
	evp_detach(g);
}

static void descriptor_of_a_guest_poll_shows_pollin_only(void **state)
{
	struct evp_guest *g = attach(1);
	struct child c = start_child(notify_once, NULL);
	uint64_t count = 0;
	struct pollfd p = {.fd = evp_fd(g), .events = ~0};
	int i;

	(void)state;
	say(c.to, open_unbound(g, 2, count_event, &count));
	(void)hear(c.from);
	for (i = 0; i < 1000; i++) {
		say(c.to, 1);
		while (count == (uint64_t)i) {
			if (!evp_arm(g)) {
				p.revents = 0;
				assert_int_equal(poll(&p, 1, -1), 1);
				assert_int_equal(p.revents & ~POLLRDNORM,
						 POLLIN);
			}
			(void)evp_poll(g);
		}
	}
	while (!evp_arm(g))
		if (poll(&p, 1, 0) == 0)
			break;
	assert_int_equal(poll(&p, 1, 0), 0);
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	evp_detach(g);
}

/* --- listing --------------------------------------------------------------------- */

static void listing_shows_domains_and_ports_in_pages(void **state)
{
	struct evp_guest *g = attach(1), *h = attach(2);
	static struct evp_port_entry e[EVP_PORTS_PER_PAGE];
	struct evp_domain_entry d[EVP_DOMAINS_PER_PAGE];
	uint64_t count = 0;
	uint32_t domid = 0, port = 0, cursor = 0, seen = 0, linked = 0;
	evtchn_port_t p;
	int i, n, fd = raw();

	(void)state;
	for (i = 0; i < 300; i++)
		p = open_unbound(g, 2, count_event, &count);
	(void)open_bound(h, 1, p, count_event, &count);
	assert_int_equal(evp_control_hello(fd, NULL), 0);
	n = evp_control_domains(fd, &cursor, d, EVP_DOMAINS_PER_PAGE);
	assert_int_equal(n, 2);
	assert_int_equal(cursor, UINT32_MAX);
	assert_int_equal(d[0].domid, 1);
	assert_int_equal(d[0].nr_ports, 300);
	assert_int_equal(d[0].pid, getpid());
	assert_int_equal(d[1].nr_ports, 1);
	while (domid != UINT32_MAX) {
		n = evp_control_list(fd, &domid, &port, e, EVP_PORTS_PER_PAGE);
		assert_true(n >= 0);
		seen += (uint32_t)n;
		for (i = 0; i < n; i++)
			linked += e[i].linked;
	}
	assert_int_equal(seen, 301);
	assert_int_equal(linked, 2);
	assert_int_equal(e[n - 1].status, EVTCHNSTAT_interdomain);
	assert_int_equal(e[n - 1].peer_domid, 1);
	assert_int_equal(e[n - 1].peer, p);
	(void)close(fd);
	evp_detach(g);
	evp_detach(h);
}

/* One high port among closed ones: many looks, which no message does at once. */
static void listing_of_a_sparse_domain_short_pages_nothing_missing(void **state)
{
	struct evp_guest *g = attach(1), *h = attach(2);
	static struct evp_port_entry e[EVP_PORTS_PER_PAGE];
	struct evp_domain_entry d[EVP_DOMAINS_PER_PAGE];
	uint32_t domid = 0, port = 0, cursor = 0, seen = 0, pages = 0;
	evtchn_port_t p, last = 0;
	int n, fd = raw();

	(void)state;
	while (!evg_alloc_unbound(evp_evg(g), DOMID_SELF, 2, &p))
		last = p;
	for (p = 1; p < last; p++)
		assert_int_equal(evg_close(evp_evg(g), p), 0);
	assert_int_equal(evg_alloc_unbound(evp_evg(h), DOMID_SELF, 1, &p), 0);
	assert_int_equal(evp_control_hello(fd, NULL), 0);
	n = evp_control_domains(fd, &cursor, d, EVP_DOMAINS_PER_PAGE);
	assert_int_equal(n, 2);
	assert_int_equal(d[0].nr_ports, 1);
	for (; domid != UINT32_MAX; pages++) {
		n = evp_control_list(fd, &domid, &port, e, EVP_PORTS_PER_PAGE);
		assert_true(n >= 0);
		seen += (uint32_t)n;
	}
	assert_int_equal(seen, 2);
	assert_true(pages > 1);
	assert_int_equal(e[n - 1].domid, 2);
	(void)close(fd);
	evp_detach(g);
	evp_detach(h);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(second_attach_to_a_domain_joins_and_outlives_the_first),
		TEST(attach_without_a_number_gets_the_lowest_free),
		TEST(attach_with_bad_settings_says_what_is_wrong),
		TEST(attach_as_another_user_refused_with_a_reason),
		TEST(session_children_attach_through_it_to_its_domain_only),
		TEST(event_sent_before_attach_delivered_after),
		TEST(hypercalls_foreign_numbers_and_pointers_spec_errnos),
		TEST(hypercall_result_unwritable_efault_and_done),
		TEST(hypercall_compat_form_same_answers),
		TEST(ports_4095_then_no_space_and_reset_frees_them_all),
		TEST(reset_with_1000_connections_peers_unbound),
		TEST(sched_poll_masked_port_wakes_timeout_and_errors),
		TEST(descriptor_of_a_guest_poll_shows_pollin_only),
		TEST(listing_shows_domains_and_ports_in_pages),
		TEST(listing_of_a_sparse_domain_short_pages_nothing_missing),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
