/* SPDX-License-Identifier: MIT */
/*
 * The broker is killed and another one started in its place: ports that are the
 * domains' own, the events in them, and delegated VIRQs are there again.
 */
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <abi/xen.h>

#include "tests/process/harness.h"

static const char *state_file(void)
{
	static char name[128];

	(void)snprintf(name, sizeof(name), "%s.state", broker.path);
	return name;
}

static int hold(uint32_t domid)
{
	return open_session(domid, &domid);
}

static struct evp_port_entry make(int fd, uint32_t remote, const char *name)
{
	struct evp_port_entry e;

	CHECK(!evp_control_port(fd, EVP_PORT_ALLOC, remote, 0, name, &e));
	return e;
}

static struct evp_port_entry bind_to(int fd, const struct evp_port_entry *to,
				     const char *name)
{
	struct evp_port_entry e;

	CHECK(!evp_control_port(fd, EVP_PORT_BIND, to->domid, to->port, name,
				&e));
	return e;
}

static int find(int fd, uint32_t domid, const char *name,
		struct evp_port_entry *e)
{
	return evp_control_port(fd, EVP_PORT_FIND, domid, 0, name, e);
}

static void send_on(int fd, uint32_t port)
{
	CHECK(!evp_control_port(fd, EVP_PORT_SEND, 0, port, NULL, NULL));
}

/* The broker has handled what came before: it answers in order. */
static void sync_with(int fd)
{
	struct evp_port_entry e;

	CHECK(find(fd, 1, "nothing", &e) == -ENOENT);
}

/* Is there an event now?  The broker knows that it was read. */
static bool take(int fd, uint32_t port)
{
	int rc = evp_control_wait(fd, port, 0);

	CHECK(rc >= 0);
	sync_with(fd);
	return rc;
}

static void expect_nothing(int fd, const char *name)
{
	struct evp_port_entry e;

	assert_int_equal(find(fd, 1, name, &e), -ENOENT);
}

/* One that has nothing to wait for. */
static void fresh_broker(void)
{
	kill_broker();
	CHECK(!unlink(state_file()));
	start_broker(&broker);
}

/* Nobody has come back yet when it starts. */
static int next_broker(int fd)
{
	restart_broker();
	(void)close(fd);
	return hold(1);
}

static void next_broker_for_both(int *one, int *two)
{
	restart_broker();
	(void)close(*one);
	(void)close(*two);
	*one = hold(1);
	*two = hold(2);
}

/* --- they are there ------------------------------------------------------------ */

static void port_comes_back_with_its_name(void **state)
{
	struct evp_port_entry before, after;
	int fd = hold(1), i;

	(void)state;
	for (i = 0; i < 5; i++)
		(void)make(fd, 3, NULL);
	before = make(fd, 2, "door");
	CHECK(!evp_control_port(fd, EVP_PORT_CLOSE, 1, 2, NULL, NULL));
	fd = next_broker(fd);
	assert_int_equal(find(fd, 1, "door", &after), 0);
	assert_memory_equal(&before, &after, sizeof(before));
	/* The one that was closed is not there, and the next to be had. */
	assert_int_equal(make(fd, 3, NULL).port, 2);
	assert_false(take(fd, before.port));
	(void)close(fd);
}

static void event_waits_for_the_next_broker(void **state)
{
	int one = hold(1), two = hold(2);
	struct evp_port_entry a = make(one, 2, "door"), b;

	(void)state;
	b = bind_to(two, &a, "bell");
	assert_true(take(two, b.port)); /* the bind's */
	send_on(two, b.port);
	next_broker_for_both(&one, &two);
	assert_true(take(one, a.port));
	assert_false(take(one, a.port));
	assert_false(take(two, b.port));
	(void)close(one);
	(void)close(two);
}

/* Whichever of the domains is there first. */
static void expect_connected(uint32_t first, uint32_t second)
{
	int one = hold(1), two = hold(2), fd[3];
	struct evp_port_entry a = make(one, 2, "door"), b, e;

	b = bind_to(two, &a, "bell");
	assert_true(take(two, b.port));
	restart_broker();
	(void)close(one);
	(void)close(two);
	fd[first] = hold(first);
	fd[second] = hold(second);
	assert_int_equal(find(fd[1], 1, "door", &e), 0);
	assert_int_equal(e.status, EVTCHNSTAT_interdomain);
	assert_int_equal(e.peer, b.port);
	assert_int_equal(find(fd[2], 2, "bell", &e), 0);
	assert_int_equal(e.peer, a.port);
	assert_false(take(fd[1], a.port));
	assert_false(take(fd[2], b.port));
	send_on(fd[2], b.port);
	assert_true(take(fd[1], a.port));
	send_on(fd[1], a.port);
	assert_true(take(fd[2], b.port));
	(void)close(fd[1]);
	(void)close(fd[2]);
}

static void two_of_them_are_connected_again(void **state)
{
	(void)state;
	expect_connected(1, 2);
	fresh_broker();
	expect_connected(2, 1);
}

static void within_one_domain_too(void **state)
{
	int fd = hold(1);
	struct evp_port_entry a = make(fd, 1, "door"), b;

	(void)state;
	b = bind_to(fd, &a, "bell");
	assert_true(take(fd, b.port));
	send_on(fd, b.port);
	fd = next_broker(fd);
	assert_true(take(fd, a.port));
	assert_false(take(fd, b.port));
	send_on(fd, a.port);
	assert_true(take(fd, b.port));
	(void)close(fd);
}

/* Killed again before anybody came. */
static void and_with_the_one_after_that(void **state)
{
	int fd = hold(1), i;
	struct evp_port_entry a = make(fd, 1, "door"), e;

	(void)state;
	for (i = 0; i < 3; i++)
		restart_broker();
	(void)close(fd);
	fd = hold(1);
	assert_int_equal(find(fd, 1, "door", &e), 0);
	assert_int_equal(e.port, a.port);
	fd = next_broker(fd);
	assert_int_equal(find(fd, 1, "door", &e), 0);
	(void)close(fd);
}

static void what_was_undone_stays_undone(void **state)
{
	int one = hold(1), two = hold(2);
	struct evp_port_entry a = make(one, 2, "door"), b, e;

	(void)state;
	b = bind_to(two, &a, "bell");
	CHECK(!evp_control_port(one, EVP_PORT_CLOSE, 1, a.port, NULL, NULL));
	/* The same number, for the same domain, but nobody's peer. */
	assert_int_equal(make(one, 2, "new").port, a.port);
	next_broker_for_both(&one, &two);
	assert_int_equal(find(one, 1, "new", &e), 0);
	assert_int_equal(e.status, EVTCHNSTAT_unbound);
	assert_int_equal(find(two, 2, "bell", &e), 0);
	assert_int_equal(e.port, b.port);
	assert_int_equal(e.status, EVTCHNSTAT_unbound);
	expect_nothing(one, "door");
	(void)close(one);
	(void)close(two);
}

/* A command that is faster than whoever holds the domain for good. */
static void short_visit_takes_nothing_away(void **state)
{
	int fd = hold(1);
	struct evp_port_entry e;

	(void)state;
	(void)make(fd, 2, "door");
	fd = next_broker(fd);
	assert_int_equal(find(fd, 1, "door", &e), 0);
	(void)close(fd);
	fd = hold(1);
	assert_int_equal(find(fd, 1, "door", &e), 0);
	(void)close(fd);
}

/* As it is in the file: a record that is not in use is all 0. */
static bool is_written(off_t slot)
{
	unsigned char type = 0;
	int fd = open(state_file(), O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0 && pread(fd, &type, 1, 64 * slot + 8) >= 0);
	(void)close(fd);
	return type;
}

/* That takes ten seconds, so it is not always tried. */
static void domain_that_does_not_come_is_forgotten(void **state)
{
	int fd = hold(1);

	(void)state;
	if (!getenv("EVC_LONG"))
		skip();
	(void)make(fd, 2, "door");
	restart_broker();
	(void)close(fd);
	fd = hold(2);
	assert_true(is_written(1));
	while (is_written(1))
		(void)usleep(100000);
	(void)close(fd);
	fd = hold(1);
	expect_nothing(fd, "door");
	(void)close(fd);
}

/* --- and what attachments are connected to -------------------------------------- */

static void await_broker(struct evp_guest *g)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = 1};

	CHECK(evg_status(evp_evg(g), &st) == 0);
	CHECK(evp_broker_is_there(g));
}

/* By a program; whoever bound, and whoever is first. */
static void expect_mixed(bool program_binds, bool program_first)
{
	struct evp_guest *g = attach(5);
	struct evp_port_entry k = {0}, e;
	evtchn_port_t port;
	uint64_t count = 0;
	int fd = hold(1);

	if (program_binds) {
		k = make(fd, 5, "door");
		port = open_bound(g, 1, k.port, count_event, &count);
	} else {
		struct evp_port_entry to = {.domid = 5};

		port = open_unbound(g, 1, count_event, &count);
		to.port = port;
		k = bind_to(fd, &to, "door");
	}
	restart_broker();
	(void)close(fd);
	if (program_first)
		await_broker(g);
	fd = hold(1);
	if (!program_first)
		await_broker(g);
	assert_int_equal(status_of(g, port), EVTCHNSTAT_interdomain);
	assert_int_equal(find(fd, 1, "door", &e), 0);
	assert_int_equal(e.port, k.port);
	assert_int_equal(e.peer, port);
	/* Both may have missed something. */
	wait_count(g, &count, 1);
	assert_true(take(fd, k.port));
	count = 0;
	send_on(fd, k.port);
	wait_count(g, &count, 1);
	assert_int_equal(evg_notify(evp_evg(g), port), 0);
	assert_true(take(fd, k.port));
	(void)close(fd);
	evp_detach(g);
}

static void programs_are_connected_to_them_again(void **state)
{
	(void)state;
	expect_mixed(true, true);
	fresh_broker();
	expect_mixed(true, false);
	fresh_broker();
	expect_mixed(false, true);
	fresh_broker();
	expect_mixed(false, false);
}

static void delegated_virq_is_still_delegated(void **state)
{
	struct evp_guest *zero = attach(0), *g = attach(5);
	evtchn_port_t port;
	int fd = raw_greeted();

	(void)state;
	CHECK(evp_control_delegate(fd, VIRQ_DOM_EXC, 5) == 0);
	CHECK(evp_control_delegate(fd, VIRQ_CON_RING, 5) == 0);
	CHECK(evp_control_delegate(fd, VIRQ_CON_RING, 0) == 0);
	CHECK(!evg_bind_virq(evp_evg(g), VIRQ_DOM_EXC, 0, &port));
	(void)close(fd);
	restart_broker();
	await_broker(zero);
	await_broker(g);
	assert_int_equal(status_of(g, port), EVTCHNSTAT_virq);
	assert_int_equal(evg_bind_virq(evp_evg(g), VIRQ_CON_RING, 0, &port),
			 -XEN_EBUSY);
	assert_int_equal(evg_bind_virq(evp_evg(zero), VIRQ_DOM_EXC, 0, &port),
			 -XEN_EBUSY);
	evp_detach(g);
	/* With the domain it ends, and with it the record. */
	while (evg_bind_virq(evp_evg(zero), VIRQ_DOM_EXC, 0, &port))
		(void)sched_yield();
	restart_broker();
	g = attach(5);
	await_broker(zero);
	assert_int_equal(status_of(zero, port), EVTCHNSTAT_virq);
	evp_detach(g);
	evp_detach(zero);
}

/* --- waiting -------------------------------------------------------------------- */

/* Has it been read, it is handled before anything else is. */
static void ask_to_wait(int fd, uint32_t port)
{
	struct evp_wait_req m = {.port = port};
	int left = 1;

	evp_hdr_init(&m.hdr, EVP_WAIT, sizeof(m), 6);
	CHECK(!evp_send_packet(fd, &m, sizeof(m), NULL, 0, 0));
	while (left)
		CHECK(!sched_yield() && !ioctl(fd, SIOCOUTQ, &left));
}

static int hear_waited(int fd)
{
	struct evp_packet p;
	const struct evp_waited *r = (const void *)p.u.bytes;

	CHECK(!evp_recv_packet(fd, &p, 0) && p.u.hdr.type == EVP_WAITED);
	return r->rc;
}

static void waiter_that_dies_with_the_event_gives_it_back(void **state)
{
	int one = hold(1), two = hold(1), three = hold(1);
	struct evp_port_entry a = make(one, 1, "door"), b;

	(void)state;
	b = bind_to(one, &a, "bell");
	ask_to_wait(two, a.port);
	ask_to_wait(three, a.port);
	sync_with(one);
	send_on(one, b.port);
	(void)close(two); /* it lies in its socket */
	assert_int_equal(hear_waited(three), 0);
	/* This one has read it, but does not say so. */
	(void)close(three);
	assert_int_equal(evp_control_wait(one, a.port, INT64_MAX), 1);
	assert_false(take(one, a.port));
	(void)close(one);
}

static void event_that_was_not_read_waits_for_the_next_broker(void **state)
{
	int one = hold(1), two = hold(1);
	struct evp_port_entry a = make(one, 1, "door"), b;

	(void)state;
	b = bind_to(one, &a, "bell");
	ask_to_wait(two, a.port);
	sync_with(one);
	send_on(one, b.port);
	restart_broker();
	(void)close(one);
	(void)close(two);
	one = hold(1);
	assert_true(take(one, a.port));
	(void)close(one);
}

static void event_that_was_read_does_not(void **state)
{
	int one = hold(1);
	struct evp_port_entry a = make(one, 1, "door"), b;

	(void)state;
	b = bind_to(one, &a, "bell");
	send_on(one, b.port);
	assert_true(take(one, a.port));
	sync_with(one);
	one = next_broker(one);
	assert_false(take(one, a.port));
	(void)close(one);
}

/* CANCEL crosses the answer: it says nothing about having read it. */
static void giving_up_is_not_having_read(void **state)
{
	struct evp_port_req m = {.op = EVP_PORT_CANCEL};
	int one = hold(1), two = hold(1);
	struct evp_port_entry a = make(one, 1, "door"), b;

	(void)state;
	b = bind_to(one, &a, "bell");
	ask_to_wait(two, a.port);
	sync_with(one);
	send_on(one, b.port);
	evp_hdr_init(&m.hdr, EVP_PORT, sizeof(m), 5);
	CHECK(!evp_send_packet(two, &m, sizeof(m), NULL, 0, 0));
	(void)close(two);
	assert_int_equal(evp_control_wait(one, a.port, INT64_MAX), 1);
	(void)close(one);
}

static void closed_port_ends_all_waits(void **state)
{
	int one = hold(1), two = hold(1), three = hold(1);
	struct evp_port_entry a = make(one, 1, "door"), b;

	(void)state;
	b = bind_to(one, &a, "bell");
	ask_to_wait(two, a.port);
	ask_to_wait(three, a.port);
	sync_with(one);
	send_on(one, b.port);
	CHECK(!evp_control_port(one, EVP_PORT_CLOSE, 1, a.port, NULL, NULL));
	assert_int_equal(hear_waited(two), 0);
	assert_int_equal(hear_waited(three), -EIDRM);
	assert_int_equal(evp_control_wait(two, b.port, 0), 1); /* the bind's */
	(void)close(one);
	(void)close(two);
	(void)close(three);
}

/* --- the file ------------------------------------------------------------------- */

static void orderly_end_leaves_nothing(void **state)
{
	int fd = hold(1), status;
	struct stat st;

	(void)state;
	(void)make(fd, 2, "door");
	assert_int_equal(stat(state_file(), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	CHECK(!kill(broker.pid, SIGTERM));
	CHECK(waitpid(broker.pid, &status, 0) == broker.pid && !status);
	assert_int_equal(stat(state_file(), &st), -1);
	(void)close(fd);
	start_broker(&broker);
	fd = hold(1);
	expect_nothing(fd, "door");
	(void)close(fd);
}

/* A broker with one port to be recalled is dead: what of the file's @size? */
static off_t leave_one(void)
{
	struct stat st;
	int fd = hold(1);

	(void)make(fd, 2, "door");
	kill_broker();
	(void)close(fd);
	CHECK(!stat(state_file(), &st));
	return st.st_size;
}

/* It starts, and knows nothing. */
static void expect_distrusted(void)
{
	int fd;

	start_broker(&broker);
	fd = hold(1);
	expect_nothing(fd, "door");
	(void)close(fd);
}

static void any_damaged_byte_is_found(void **state)
{
	const off_t step = getenv("EVC_LONG") ? 1 : 31;
	off_t size = leave_one(), at;
	unsigned char before, byte;
	int fd;

	(void)state;
	CHECK(size == 128);
	for (at = 0; at < size; at += step) {
		fd = open(state_file(), O_RDWR | O_CLOEXEC);
		CHECK(fd >= 0 && pread(fd, &before, 1, at) == 1);
		byte = before ^ 0x41;
		CHECK(pwrite(fd, &byte, 1, at) == 1);
		(void)close(fd);
		expect_distrusted();
		CHECK(leave_one() == size);
	}
	start_broker(&broker);
}

static void what_is_written_afterwards_is_good(void **state)
{
	off_t size = leave_one();
	struct evp_port_entry e;
	int fd;

	(void)state;
	CHECK(!truncate(state_file(), size - 1));
	expect_distrusted();
	fd = hold(1);
	(void)make(fd, 2, "gate");
	fd = next_broker(fd);
	assert_int_equal(find(fd, 1, "gate", &e), 0);
	(void)close(fd);
}

static void truncated_file_is_found(void **state)
{
	off_t size = leave_one();

	(void)state;
	CHECK(!truncate(state_file(), size - 1));
	expect_distrusted();
	kill_broker();
	CHECK(!truncate(state_file(), 10));
	expect_distrusted();
	/* An empty one is as none. */
	kill_broker();
	CHECK(!truncate(state_file(), 0));
	expect_distrusted();
}

/* Well-formed, but not what a broker writes: each with a good sum. */
static uint64_t sum_of(const unsigned char *r)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	size_t i;

	for (i = 8; i < 64; i++)
		h = (h ^ r[i]) * UINT64_C(0x100000001b3);
	return h;
}

static void forge(off_t slot, size_t at, const void *what, size_t len)
{
	unsigned char r[64];
	uint64_t sum;
	int fd = open(state_file(), O_RDWR | O_CLOEXEC);

	/* Of the good one, with the changed field. */
	CHECK(fd >= 0 && pread(fd, r, 64, 64) == 64);
	memcpy(r + at, what, len);
	sum = sum_of(r);
	memcpy(r, &sum, sizeof(sum));
	CHECK(pwrite(fd, r, 64, 64 * slot) == 64);
	(void)close(fd);
}

static void impossible_records_are_found(void **state)
{
	static const struct {
		size_t at, len;
		uint32_t value;
	} bad[] = {
		{8, 1, 3},	     /* type */
		{9, 1, 0},	     /* kind */
		{9, 1, 3},	     /* ... of an interrupt line */
		{9, 1, 9},	     /* ... */
		{9, 1, 2},	     /* connected, to port 0 */
		{10, 1, 2},	     /* parked */
		{11, 1, 1},	     /* pad */
		{12, 2, 0x7ff0},     /* domain */
		{14, 2, 0xffff},     /* its peer */
		{16, 4, 0},	     /* port */
		{16, 4, 0x7fffff},   /* ... */
		{28, 4, 0xffffffff}, /* pid */
		{32, 1, 7},	     /* a name of other letters */
	};
	char name[32];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]);
	     i += getenv("EVC_LONG") ? 1 : 3) {
		(void)leave_one();
		forge(1, bad[i].at, &bad[i].value, bad[i].len);
		expect_distrusted();
	}
	(void)leave_one();
	memset(name, 'a', sizeof(name));
	forge(1, 32, name, sizeof(name));
	expect_distrusted();
	/* Twice the same port. */
	(void)leave_one();
	forge(3, 0, name, 0);
	expect_distrusted();
}

static void other_users_domain_is_not_recalled(void **state)
{
	const uint32_t uid = 4711;
	int fd;

	(void)state;
	(void)leave_one();
	forge(1, 24, &uid, sizeof(uid));
	start_broker(&broker);
	fd = hold(1);
	expect_nothing(fd, "door");
	(void)close(fd);
}

static void what_is_no_file_of_ours_is_not_used(void **state)
{
	char other[128];
	struct stat st;
	int fd;

	(void)state;
	(void)snprintf(other, sizeof(other), "%s/other", broker.dir);
	kill_broker();
	(void)unlink(state_file());
	CHECK(!symlink(other, state_file()));
	start_broker(&broker);
	fd = hold(1);
	(void)make(fd, 2, "door");
	(void)close(fd);
	assert_int_equal(stat(other, &st), -1);
	kill_broker();
	CHECK(!unlink(state_file()) && !mkfifo(state_file(), 0600));
	start_broker(&broker);
	kill_broker();
	CHECK(!unlink(state_file()));
	fd = open(state_file(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && !fchmod(fd, 0666) && write(fd, "hello", 5) == 5);
	start_broker(&broker);
	CHECK(!fstat(fd, &st) && st.st_size == 5);
	(void)close(fd);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(port_comes_back_with_its_name),
		TEST(event_waits_for_the_next_broker),
		TEST(two_of_them_are_connected_again),
		TEST(within_one_domain_too),
		TEST(and_with_the_one_after_that),
		TEST(what_was_undone_stays_undone),
		TEST(short_visit_takes_nothing_away),
		TEST(domain_that_does_not_come_is_forgotten),
		TEST(programs_are_connected_to_them_again),
		TEST(delegated_virq_is_still_delegated),
		TEST(waiter_that_dies_with_the_event_gives_it_back),
		TEST(event_that_was_not_read_waits_for_the_next_broker),
		TEST(event_that_was_read_does_not),
		TEST(giving_up_is_not_having_read),
		TEST(closed_port_ends_all_waits),
		TEST(orderly_end_leaves_nothing),
		TEST(any_damaged_byte_is_found),
		TEST(what_is_written_afterwards_is_good),
		TEST(truncated_file_is_found),
		TEST(impossible_records_are_found),
		TEST(other_users_domain_is_not_recalled),
		TEST(what_is_no_file_of_ours_is_not_used),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("kept", tests, NULL, NULL);
}
