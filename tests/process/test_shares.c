/* SPDX-License-Identifier: MIT */
/*
 * Whoever floods the broker does not keep it from others.
 *
 * All ask for ports of one domain, and ports are given out in order: the number
 * that somebody gets says how many requests came before his.  The broker is
 * stopped while they ask, so all of them are there when it looks.
 */
#include "harness.h"

#include "hosts/process/broker/broker.h"
#include "hosts/process/broker/share.c"

#define NR_CONNS  40 /* of one process */
#define NR_OTHERS 10 /* processes */
#define NR_ASKED  20 /* on each connection: what its socket has room for */

static evtchn_port_t read_port(int fd)
{
	struct evtchn_alloc_unbound op;

	CHECK(raw_result(fd, &op, sizeof(op)) == 0);
	return op.port;
}

/* Fill @nr connections, when told to; end when told to. */
static void flood(int from, int to, unsigned int nr)
{
	int fd[NR_CONNS];
	unsigned int i, k;

	for (i = 0; i < nr; i++)
		fd[i] = raw_attached(66);
	say(to, 0);
	(void)hear(from);
	for (i = 0; i < nr; i++) {
		for (k = 0; k < NR_ASKED; k++)
			raw_ask_port(fd[i], 1);
	}
	say(to, 0);
	(void)hear(from);
}

static void flood_by_many(int from, int to, void *arg)
{
	(void)arg;
	flood(from, to, NR_CONNS);
}

static void flood_by_one(int from, int to, void *arg)
{
	(void)arg;
	flood(from, to, 1);
}

/* Not in the middle of a turn: it would be a part of the next one. */
static void stop_broker(void)
{
	await_quiet();
	CHECK(kill(broker.pid, SIGSTOP) == 0);
	CHECK(waitpid(broker.pid, NULL, WUNTRACED) == broker.pid);
}

/* Which port somebody gets who asks when all these have. */
static evtchn_port_t port_behind(struct child *c, unsigned int nr)
{
	int fd = raw_attached(66);
	evtchn_port_t port;
	unsigned int i;

	for (i = 0; i < nr; i++)
		(void)hear(c[i].from);
	stop_broker();
	for (i = 0; i < nr; i++) {
		say(c[i].to, 0);
		(void)hear(c[i].from);
	}
	raw_ask_port(fd, 1);
	CHECK(kill(broker.pid, SIGCONT) == 0);
	port = read_port(fd);
	for (i = 0; i < nr; i++) {
		say(c[i].to, 0);
		assert_int_equal(end_child(&c[i]), 0);
	}
	(void)close(fd);
	return port;
}

static void one_connection_gets_its_share(void **state)
{
	struct child c = start_child(flood_by_one, NULL);

	(void)state;
	assert_in_range(port_behind(&c, 1), 1, EVD_MSGS_OF_PROCESS + 1);
}

static void many_of_one_process_get_the_same(void **state)
{
	struct child c = start_child(flood_by_many, NULL);

	(void)state;
	assert_in_range(port_behind(&c, 1), 1, EVD_MSGS_OF_PROCESS + 1);
}

static void many_processes_get_their_users(void **state)
{
	struct child c[NR_OTHERS];
	unsigned int i;

	(void)state;
	for (i = 0; i < NR_OTHERS; i++)
		c[i] = start_child(flood_by_one, NULL);
	assert_in_range(port_behind(c, NR_OTHERS), 1,
			EVD_MSGS_OF_USER + NR_OTHERS);
}

/* --- the rule itself --------------------------------------------------------- */

static uint32_t take_all(struct evd_shares *s, const struct evd_conn *c)
{
	uint32_t n = 0;

	while (evd_share_take(s, c))
		n++;
	return n;
}

static void a_user_has_what_his_processes_have_together(void **state)
{
	struct evd_account a = {.uid = 1}, b = {.uid = 2};
	struct evd_conn c = {.account = &a, .uid = 1}, other = {.account = &b};
	struct evd_shares s = {.nr_users = 0};
	uint32_t n = 0;

	(void)state;
	for (c.pid = 1; n < EVD_MSGS_OF_USER; c.pid++)
		n += take_all(&s, &c);
	assert_int_equal(n, EVD_MSGS_OF_USER);
	/* Nobody gets nothing, and another user does not care. */
	assert_int_equal(take_all(&s, &c), 1);
	assert_int_equal(take_all(&s, &c), 0);
	assert_int_equal(take_all(&s, &other), EVD_MSGS_OF_PROCESS);
	/* Whoever came through another's session is charged to that one. */
	other.account = &a;
	other.pid = 1000;
	assert_int_equal(take_all(&s, &other), 1);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(one_connection_gets_its_share),
		TEST(many_of_one_process_get_the_same),
		TEST(many_processes_get_their_users),
		cmocka_unit_test(a_user_has_what_his_processes_have_together),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("shares", tests, NULL, NULL);
}
