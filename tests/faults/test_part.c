/* SPDX-License-Identifier: MIT */
/* Ports are closed while there is no broker. */
#include <xenevtchn.h>

#include "pair.h"

#include "hosts/process/guest.h"

/* Nothing is left to be read; @watched: the back end hears of the front's end. */
static void quiet_pair(struct pair *p, bool watched)
{
	join_pair(p);
	if (watched)
		CHECK(evp_watch_peer(p->back, p->back_port, true) == 0);
	(void)evp_poll(p->front);
	(void)evp_poll(p->back);
	p->back_events = 0;
}

/* Asking is what it takes to be taken back. */
static uint32_t status_after(struct evp_guest *g, evtchn_port_t port)
{
	uint32_t status = status_of(g, port);

	CHECK(evp_broker_is_there(g));
	return status;
}

/* It is told by its socket, when it looks there. */
static void notice_death(struct evp_guest *g)
{
	while (evp_broker_is_there(g))
		CHECK(evp_wait(g, 1000000) >= 0);
	(void)evp_poll(g);
}

static void closed_port_is_not_claimed(void **state)
{
	evtchn_port_t again = 0;
	struct pair p;

	(void)state;
	quiet_pair(&p, false);
	kill_broker();
	assert_int_equal(evg_close(evp_evg(p.front), p.port), 0);
	start_broker(&broker);
	assert_int_equal(status_after(p.front, p.port), EVTCHNSTAT_closed);
	assert_int_equal(status_after(p.back, p.back_port), EVTCHNSTAT_unbound);
	/* Its number is free, and is another one's now. */
	again = open_unbound(p.front, 2, count_event, &p.events);
	assert_int_equal(again, p.port);
	assert_int_equal(status_of(p.back, p.back_port), EVTCHNSTAT_unbound);
	disconnect_pair(&p);
}

static void peer_hears_of_it_without_a_broker(void **state)
{
	struct pair p;

	(void)state;
	quiet_pair(&p, true);
	kill_broker();
	assert_int_equal(evg_notify(evp_evg(p.front), p.port), 0);
	assert_int_equal(evg_close(evp_evg(p.front), p.port), 0);
	/* What was sent, and the end: one event or two. */
	wait_count(p.back, &p.back_events, 1);
	notice_death(p.back);
	assert_int_equal(p.back->chan[p.back_port].kind, EVTCHNSTAT_unbound);
	assert_null(p.back->chan[p.back_port].lane);
	p.back_events = 0;
	/* Nobody is there to hear it. */
	(void)evg_notify(evp_evg(p.back), p.back_port);
	start_broker(&broker);
	assert_int_equal(status_after(p.back, p.back_port), EVTCHNSTAT_unbound);
	assert_int_equal(status_after(p.front, p.port), EVTCHNSTAT_closed);
	(void)evp_poll(p.back);
	assert_int_equal(p.back_events, 0);
	assert_int_equal(p.back->nr_lanes, 1);
	disconnect_pair(&p);
}

/* There is no broker, and the back end's lane is hot: nobody rings. */
static void tire_pair(struct pair *p)
{
	quiet_pair(p, true);
	kill_broker();
	notice_death(p->front);
	notice_death(p->back);
	assert_int_equal(evg_notify(evp_evg(p->front), p->port), 0);
	wait_count(p->back, &p->back_events, 1);
}

static void expect_heard(struct pair *p)
{
	assert_true(evp_arm(p->back));
	(void)evp_poll(p->back);
	assert_int_equal(p->back->chan[p->back_port].kind, EVTCHNSTAT_unbound);
	assert_int_equal(p->back_events, 2);
}

/* It looked, and is about to sleep: the mark is nothing it would look at then. */
static void who_is_about_to_sleep_hears_of_it(void **state)
{
	struct pair p;

	(void)state;
	tire_pair(&p);
	assert_int_equal(evg_close(evp_evg(p.front), p.port), 0);
	expect_heard(&p);
	disconnect_pair(&p);
}

/* The same for one that leaves. */
static void who_is_about_to_sleep_hears_of_leaving(void **state)
{
	struct pair p;

	(void)state;
	tire_pair(&p);
	evp_detach(p.front);
	expect_heard(&p);
	evp_detach(p.back);
}

static void wait_for_the_end(int from, int to, void *arg)
{
	struct evp_guest *g = attach(2);
	uint64_t count = 0;
	evtchn_port_t port = open_bound(g, 1, (evtchn_port_t)hear(from),
					count_event, &count);

	(void)arg;
	wait_count(g, &count, 1);
	CHECK(evp_watch_peer(g, port, true) == 0);
	say(to, 0);
	wait_count(g, &count, 2);
	say(to, count);
	(void)hear(from);
}

static void sleeping_peer_is_woken(void **state)
{
	struct child c = start_child(wait_for_the_end, NULL);
	struct evp_guest *g = attach(1);
	uint64_t count = 0;
	evtchn_port_t port = open_unbound(g, 2, count_event, &count);

	(void)state;
	say(c.to, port);
	(void)hear(c.from);
	(void)evp_poll(g);
	kill_broker();
	assert_int_equal(evg_close(evp_evg(g), port), 0);
	assert_int_equal(hear(c.from), 2);
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	evp_detach(g);
	start_broker(&broker);
}

static void event_before_the_close_is_delivered(void **state)
{
	struct pair p;

	(void)state;
	quiet_pair(&p, false);
	kill_broker();
	assert_int_equal(evg_notify(evp_evg(p.front), p.port), 0);
	assert_int_equal(evg_close(evp_evg(p.front), p.port), 0);
	notice_death(p.back);
	wait_count(p.back, &p.back_events, 1);
	assert_int_equal(p.back_events, 1);
	assert_int_equal(p.back->chan[p.back_port].kind, EVTCHNSTAT_unbound);
	start_broker(&broker);
	disconnect_pair(&p);
}

static void others_of_the_lane_go_on(void **state)
{
	evtchn_port_t port, back_port;
	uint64_t here = 0, there = 0;
	struct pair p;

	(void)state;
	quiet_pair(&p, true);
	port = open_unbound(p.front, 2, count_event, &here);
	back_port = open_bound(p.back, 1, port, count_event, &there);
	wait_count(p.back, &there, 1);
	(void)evp_poll(p.front);
	kill_broker();
	assert_int_equal(evg_close(evp_evg(p.front), p.port), 0);
	wait_count(p.back, &p.back_events, 1);
	assert_true(goes_direct(p.front, port));
	wait_count(p.back, &there, 2);
	assert_true(goes_direct(p.back, back_port));
	wait_count(p.front, &here, 1);
	start_broker(&broker);
	assert_int_equal(status_after(p.front, port), EVTCHNSTAT_unbound);
	assert_int_equal(status_after(p.back, back_port),
			 EVTCHNSTAT_interdomain);
	assert_int_equal(status_of(p.front, port), EVTCHNSTAT_interdomain);
	assert_int_equal(status_of(p.back, p.back_port), EVTCHNSTAT_unbound);
	disconnect_pair(&p);
}

static void local_channel_is_closed_as_well(void **state)
{
	struct evp_guest *g = attach(1);
	uint64_t in = 0, out = 0;
	evtchn_port_t port = open_unbound(g, 1, count_event, &in);
	evtchn_port_t other = open_bound(g, 1, port, count_event, &out);

	(void)state;
	wait_count(g, &out, 1);
	assert_int_equal(evp_watch_peer(g, port, true), 0);
	kill_broker();
	assert_int_equal(evg_close(evp_evg(g), other), 0);
	wait_count(g, &in, 1);
	start_broker(&broker);
	assert_int_equal(status_after(g, port), EVTCHNSTAT_unbound);
	assert_int_equal(status_of(g, other), EVTCHNSTAT_closed);
	evp_detach(g);
}

/* Only by what the broker is told: this closer has no lane. */
static void say_closed(struct pair *p, uint64_t former)
{
	struct evp_reattach r = {.who = {.domid = 1, .nr_vcpus = 1},
				 .former = former,
				 .limit = EVP_DOMID_ANY};
	struct evp_claims m = {.count = 1, .last = 1};
	size_t len = offsetof(struct evp_claims, claim) + sizeof(m.claim[0]);
	int fd = raw();

	m.claim[0].port = (uint16_t)p->port;
	m.claim[0].kind = EVTCHNSTAT_closed;
	m.claim[0].domid = 2;
	m.claim[0].number = p->back_port;
	CHECK(evp_control_hello(fd, NULL) == 0);
	evp_hdr_init(&r.who.hdr, EVP_REATTACH, sizeof(r), 0);
	evp_hdr_init(&m.hdr, EVP_CLAIM, len, 0);
	CHECK(!evp_send_packet(fd, &r, sizeof(r), NULL, 0, 0));
	CHECK(!evp_send_packet(fd, &m, len, NULL, 0, 0));
	wait_count(p->back, &p->back_events, 1);
	(void)close(fd);
}

static void end_that_came_first_hears_of_it_from_the_broker(void **state)
{
	struct pair p;

	(void)state;
	quiet_pair(&p, true);
	restart_broker();
	assert_int_equal(status_after(p.back, p.back_port), EVTCHNSTAT_unbound);
	(void)evp_poll(p.back);
	assert_int_equal(p.back_events, 0);
	say_closed(&p, p.front->broker_id);
	assert_int_equal(p.back->chan[p.back_port].kind, EVTCHNSTAT_unbound);
	disconnect_pair(&p);
}

static void libxenevtchn_closes_too(void **state)
{
	xenevtchn_handle *one, *two;
	int port, peer;

	(void)state;
	CHECK(!setenv("EVTCHN_DEVICE", "", 1));
	CHECK(!setenv("EVTCHN_DOMAIN", "3", 1));
	CHECK(!setenv("EVTCHN_NOTICE", "1", 1));
	one = xenevtchn_open(NULL, 0);
	two = xenevtchn_open(NULL, 0);
	CHECK(one && two);
	port = xenevtchn_bind_unbound_port(one, 3);
	peer = xenevtchn_bind_interdomain(two, 3, (evtchn_port_t)port);
	assert_true(port > 0 && peer > 0);
	assert_int_equal(xenevtchn_pending(two), peer); /* the bind's */
	assert_int_equal(xenevtchn_unmask(two, (evtchn_port_t)peer), 0);
	kill_broker();
	assert_int_equal(xenevtchn_unbind(one, (evtchn_port_t)port), 0);
	assert_int_equal(xenevtchn_unbind(one, (evtchn_port_t)port), -1);
	assert_int_equal(errno, ENOTCONN);
	assert_int_equal(xenevtchn_pending(two), peer);
	start_broker(&broker);
	assert_int_equal(xenevtchn_bind_unbound_port(one, 3), port);
	assert_int_equal(xenevtchn_close(one), 0);
	assert_int_equal(xenevtchn_close(two), 0);
	CHECK(!unsetenv("EVTCHN_NOTICE"));
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(closed_port_is_not_claimed),
		TEST(who_is_about_to_sleep_hears_of_it),
		TEST(who_is_about_to_sleep_hears_of_leaving),
		TEST(peer_hears_of_it_without_a_broker),
		TEST(sleeping_peer_is_woken),
		TEST(event_before_the_close_is_delivered),
		TEST(others_of_the_lane_go_on),
		TEST(local_channel_is_closed_as_well),
		TEST(end_that_came_first_hears_of_it_from_the_broker),
		TEST(libxenevtchn_closes_too),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("part", tests, NULL, NULL);
}
