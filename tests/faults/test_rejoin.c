/* SPDX-License-Identifier: MIT */
/*
 * The broker is killed and another one started in its place: everybody comes
 * back, with the ports he had.
 */
#include "tests/process/harness.h"

#include "hosts/process/guest.h"

static void restart_broker(void)
{
	kill_broker();
	start_broker(&broker);
}

/* Any hypercall will do to be taken back. */
static void await_broker(struct evp_guest *g)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = 1};

	CHECK(evg_status(evp_evg(g), &st) == 0);
	CHECK(evp_broker_is_there(g));
}

static struct evtchn_status full_status(struct evp_guest *g, evtchn_port_t port)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = port};

	CHECK(evg_status(evp_evg(g), &st) == 0);
	return st;
}

/* --- two domains in this process ------------------------------------------- */

struct pair {
	struct evp_guest *front, *back;
	evtchn_port_t port, back_port;
	uint64_t events, back_events;
};

static void connect_pair(struct pair *p)
{
	*p = (struct pair){.front = attach(1), .back = attach(2)};
	p->port = open_unbound(p->front, 2, count_event, &p->events);
	p->back_port =
		open_bound(p->back, 1, p->port, count_event, &p->back_events);
	wait_count(p->back, &p->back_events, 1);
}

static void disconnect_pair(struct pair *p)
{
	evp_detach(p->front);
	evp_detach(p->back);
}

/* Both ways, and by the lane: no broker is asked. */
static void expect_connected(struct pair *p)
{
	uint64_t here, there;

	/* Whatever came with the reconnection. */
	(void)evp_poll(p->front);
	(void)evp_poll(p->back);
	here = p->events;
	there = p->back_events;
	assert_true(goes_direct(p->back, p->back_port));
	wait_count(p->front, &p->events, here + 1);
	assert_true(goes_direct(p->front, p->port));
	wait_count(p->back, &p->back_events, there + 1);
}

static void expect_linked(struct pair *p)
{
	struct evtchn_status st = full_status(p->front, p->port);

	assert_int_equal(st.status, EVTCHNSTAT_interdomain);
	assert_int_equal(st.u.interdomain.dom, evp_domid(p->back));
	assert_int_equal(st.u.interdomain.port, p->back_port);
	st = full_status(p->back, p->back_port);
	assert_int_equal(st.status, EVTCHNSTAT_interdomain);
	assert_int_equal(st.u.interdomain.dom, evp_domid(p->front));
	assert_int_equal(st.u.interdomain.port, p->port);
	/* The old lanes are gone: one from the broker, one from the other. */
	(void)evp_poll(p->front);
	(void)evp_poll(p->back);
	(void)evp_poll(p->front);
	assert_int_equal(p->front->nr_lanes, 2);
	assert_int_equal(p->back->nr_lanes, 2);
	assert_false(p->front->tend);
	expect_connected(p);
}

static void rejoin_pair(struct pair *p)
{
	await_broker(p->front);
	await_broker(p->back);
	expect_linked(p);
}

static void connected_ports_come_back(void **state)
{
	struct pair p;

	(void)state;
	connect_pair(&p);
	restart_broker();
	expect_connected(&p); /* nobody has noticed yet */
	rejoin_pair(&p);
	disconnect_pair(&p);
}

static void and_again_and_again(void **state)
{
	struct pair p;
	int i;

	(void)state;
	connect_pair(&p);
	for (i = 0; i < 5; i++) {
		restart_broker();
		rejoin_pair(&p);
	}
	disconnect_pair(&p);
}

static void two_restarts_at_once(void **state)
{
	struct pair p;

	(void)state;
	connect_pair(&p);
	restart_broker();
	await_broker(p.front);
	restart_broker();
	expect_connected(&p);
	rejoin_pair(&p);
	disconnect_pair(&p);
}

static void closing_works_afterwards(void **state)
{
	struct pair p;

	(void)state;
	connect_pair(&p);
	restart_broker();
	rejoin_pair(&p);
	assert_int_equal(evg_close(evp_evg(p.back), p.back_port), 0);
	await_status(p.front, p.port, EVTCHNSTAT_unbound);
	/* And the same ports once more. */
	p.back_port =
		open_bound(p.back, 1, p.port, count_event, &p.back_events);
	expect_linked(&p);
	disconnect_pair(&p);
}

/* What is sent while there is no broker, and on the way to the next one. */
static void no_event_is_lost_on_the_way(void **state)
{
	uint64_t before;
	struct pair p;

	(void)state;
	connect_pair(&p);
	kill_broker();
	assert_int_equal(evg_notify(evp_evg(p.back), p.back_port), 0);
	start_broker(&broker);
	await_broker(p.back);
	wait_count(p.front, &p.events, 1);
	await_broker(p.front);
	(void)evp_poll(p.front);
	before = p.events;
	/* The back end has not read its CONNECT yet. */
	assert_int_equal(evg_notify(evp_evg(p.back), p.back_port), 0);
	wait_count(p.front, &p.events, before + 1);
	(void)evp_poll(p.back);
	assert_int_equal(evg_notify(evp_evg(p.back), p.back_port), 0);
	wait_count(p.front, &p.events, before + 2);
	expect_linked(&p);
	disconnect_pair(&p);
}

/* A hypercall finds the broker, and all is as it was. */
static void hypercall_finds_the_next_broker(void **state)
{
	evtchn_port_t other = 0;
	struct pair p;

	(void)state;
	connect_pair(&p);
	kill_broker();
	assert_int_equal(
		evg_alloc_unbound(evp_evg(p.front), DOMID_SELF, 2, &other),
		-XEN_ENOTCONN);
	assert_false(evp_broker_is_there(p.front));
	start_broker(&broker);
	assert_int_equal(
		evg_alloc_unbound(evp_evg(p.front), DOMID_SELF, 2, &other), 0);
	assert_int_equal(other, p.port + 1);
	rejoin_pair(&p);
	disconnect_pair(&p);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(connected_ports_come_back),
		TEST(and_again_and_again),
		TEST(two_restarts_at_once),
		TEST(closing_works_afterwards),
		TEST(no_event_is_lost_on_the_way),
		TEST(hypercall_finds_the_next_broker),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("rejoin", tests, NULL, NULL);
}
