/* SPDX-License-Identifier: MIT */
/*
 * A peer that rings, or sends, for nothing (storm.c): it is shut out for a
 * moment, its events come when that is over, and nobody else's wait.
 *
 * All domains are in this process, so nothing here depends on who runs when; and
 * so much in so short a time is a storm that a slow machine would have none: the
 * clock that storms are judged by stands still while they are raised.
 */
#include <poll.h>
#include <time.h>

#include "harness.h"

#include "hosts/process/clock.h"
#include "hosts/process/guest.h"

#define TEN_SECONDS  INT64_C(10000000000)
#define MINUTE_MS    60000
#define ENOUGH	     1000 /* rings */
#define NSEC_PER_SEC 1000000000u

static evb_u64 stands_at; /* the clock; 0: it goes on */

static void start_clock(void)
{
	(void)evb_u64_xchg(&stands_at, 0);
}

int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	uint64_t at = evb_u64_load(&stands_at);

	if (!at || clock != CLOCK_MONOTONIC)
		return __real_clock_gettime(clock, ts);
	ts->tv_sec = (time_t)(at / NSEC_PER_SEC);
	ts->tv_nsec = (long)(at % NSEC_PER_SEC);
	return 0;
}

static void stop_clock(void)
{
	start_clock();
	(void)evb_u64_xchg(&stands_at, (uint64_t)evp_now());
}

static int set_up_storm(void **state)
{
	start_clock(); /* wherever the test before has ended */
	return set_up(state);
}

/* Domain 1 is connected to a peer, 2, and to another one, 3. */
struct stage {
	struct evp_guest *g, *peer, *other;
	evtchn_port_t port, its, others;
	evtchn_port_t from_other; /* ours */
	uint64_t count, count_other, ignored;
	struct evp_lane *lane; /* from the peer */
};

static void connect_two(struct evp_guest *g, evtchn_port_t *port,
			uint64_t *count, struct evp_guest *peer, domid_t domid,
			evtchn_port_t *its, uint64_t *ignored)
{
	*port = open_unbound(g, domid, count_event, count);
	*its = open_bound(peer, 1, *port, count_event, ignored);
	CHECK(evp_poll(g) >= 0);
	CHECK(evp_poll(peer) >= 0);
	CHECK(goes_direct(peer, *its));
	CHECK(evp_poll(g) >= 0);
	CHECK(*count == 1);
}

static void set_the_stage(struct stage *s, uint32_t nr_vcpus)
{
	struct evp_options o = {.domain = 1, .nr_vcpus = nr_vcpus};

	memset(s, 0, sizeof(*s));
	assert_int_equal(evp_attach(&s->g, &o), 0);
	s->peer = attach_spin(2, 0);
	s->other = attach_spin(3, 0);
	connect_two(s->g, &s->port, &s->count, s->peer, 2, &s->its,
		    &s->ignored);
	connect_two(s->g, &s->from_other, &s->count_other, s->other, 3,
		    &s->others, &s->ignored);
	s->lane = s->g->chan[s->port].lane;
}

static void leave_the_stage(struct stage *s)
{
	evp_detach(s->other);
	evp_detach(s->peer);
	evp_detach(s->g);
}

static uint64_t storms(const struct stage *s)
{
	struct evp_stats st;

	evp_get_stats(s->g, &st);
	return st.storms;
}

static void ring(struct stage *s)
{
	evp_kick(s->peer->chan[s->its].lane->rope);
}

static void send_one(struct stage *s)
{
	assert_int_equal(evg_notify(evp_evg(s->peer), s->its), 0);
}

/* Asleep, and woken by what is there. */
static void wake(struct stage *s)
{
	(void)evp_arm(s->g);
	assert_true(evp_poll(s->g) >= 0);
}

/* What @vain does brings nothing new.  It is not over until the clock goes on. */
static void raise_a_storm(struct stage *s, void (*vain)(struct stage *))
{
	uint64_t before = storms(s);
	int i;

	stop_clock();
	for (i = 0; storms(s) == before; i++) {
		assert_true(i < ENOUGH);
		vain(s);
		wake(s);
	}
	assert_true(s->lane->stormy);
}

static void expect_one(struct stage *s, uint64_t before)
{
	while (s->count == before)
		assert_true(evp_wait(s->g, 6 * TEN_SECONDS) > 0);
	assert_int_equal(s->count, before + 1);
}

static void what_it_sends_meanwhile_comes_when_it_is_over(void **state)
{
	struct stage s;
	uint64_t before;

	(void)state;
	set_the_stage(&s, 1);
	before = s.count;
	raise_a_storm(&s, ring);
	send_one(&s);
	assert_int_equal(evp_poll(s.g), 0);
	start_clock();
	expect_one(&s, before);
	assert_false(s.lane->stormy);
	/* And after it all is as it was. */
	send_one(&s);
	expect_one(&s, before + 1);
	leave_the_stage(&s);
}

static void who_waits_with_poll_is_woken_when_it_is_over(void **state)
{
	struct stage s;
	struct pollfd p = {.events = POLLIN};
	uint64_t before;

	(void)state;
	set_the_stage(&s, 1);
	p.fd = evp_fd(s.g);
	before = s.count;
	raise_a_storm(&s, ring);
	send_one(&s);
	start_clock();
	while (s.count == before) {
		if (!evp_arm(s.g))
			assert_int_equal(poll(&p, 1, MINUTE_MS), 1);
		assert_true(evp_poll(s.g) >= 0);
	}
	assert_int_equal(s.count, before + 1);
	leave_the_stage(&s);
}

static void events_on_a_masked_port_are_for_nothing_too(void **state)
{
	struct stage s;
	uint64_t before;

	(void)state;
	set_the_stage(&s, 1);
	before = s.count;
	evg_mask(evp_evg(s.g), s.port);
	raise_a_storm(&s, send_one);
	assert_int_equal(s.count, before);
	start_clock();
	evg_unmask(evp_evg(s.g), s.port);
	expect_one(&s, before);
	leave_the_stage(&s);
}

static void nobody_else_waits(void **state)
{
	struct stage s;
	uint64_t before;

	(void)state;
	set_the_stage(&s, 1);
	raise_a_storm(&s, ring);
	before = s.count_other;
	assert_int_equal(evg_notify(evp_evg(s.other), s.others), 0);
	send_one(&s);
	assert_true(evp_poll(s.g) >= 0);
	assert_int_equal(s.count_other, before + 1);
	assert_true(s.lane->stormy);
	assert_true(s.lane->index >= s.g->nr_open);
	leave_the_stage(&s);
}

/* Whichever place in the list of lanes the other one's has. */
static void nobody_is_passed_over_when_it_breaks(void **state)
{
	struct stage s;
	uint64_t before;
	int i, storm;

	(void)state;
	set_the_stage(&s, 1);
	evg_mask(evp_evg(s.g), s.port);
	for (storm = 1; storm <= 3; storm++) {
		stop_clock();
		for (i = 0; storms(&s) < (uint64_t)storm; i++) {
			assert_true(i < ENOUGH);
			before = s.count_other;
			send_one(&s);
			assert_int_equal(evg_notify(evp_evg(s.other), s.others),
					 0);
			assert_true(evp_poll(s.g) > 0);
			assert_int_equal(s.count_other, before + 1);
		}
		start_clock();
		while (s.lane->stormy)
			assert_true(evp_poll(s.g) >= 0);
	}
	leave_the_stage(&s);
}

/* For each ring that brings something, one that brings nothing. */
static void an_honest_peer_does_not_get_there(void **state)
{
	struct stage s;
	uint64_t before;
	int i;

	(void)state;
	set_the_stage(&s, 1);
	before = s.count;
	for (i = 1; i <= 1000; i++) {
		send_one(&s);
		wake(&s);
		assert_int_equal(s.count, before + (uint64_t)i);
		ring(&s);
		wake(&s);
	}
	assert_int_equal(storms(&s), 0);
	leave_the_stage(&s);
}

/* 64 of them take two milliseconds. */
static void ringing_now_and_then_is_no_storm(void **state)
{
	const uint64_t moment_ns = 31250;
	struct stage s;
	int i;

	(void)state;
	set_the_stage(&s, 1);
	stop_clock();
	for (i = 0; i < 200; i++) {
		(void)evb_u64_add(&stands_at, moment_ns);
		ring(&s);
		wake(&s);
	}
	assert_int_equal(storms(&s), 0);
	leave_the_stage(&s);
}

static void a_storm_does_not_outlive_its_channel(void **state)
{
	struct stage s;
	uint64_t before;

	(void)state;
	set_the_stage(&s, 1);
	raise_a_storm(&s, ring);
	assert_int_equal(evg_close(evp_evg(s.g), s.port), 0);
	assert_int_equal(evg_close(evp_evg(s.peer), s.its), 0);
	s.count = 0;
	connect_two(s.g, &s.port, &s.count, s.peer, 2, &s.its, &s.ignored);
	before = s.count;
	send_one(&s);
	expect_one(&s, before);
	leave_the_stage(&s);
}

static void one_with_a_listener_has_it_the_same_way(void **state)
{
	struct stage s;
	uint64_t before;

	(void)state;
	set_the_stage(&s, 2);
	before = s.count;
	stop_clock();
	while (!storms(&s)) {
		ring(&s);
		(void)sched_yield(); /* the listener is to look as often */
	}
	send_one(&s);
	start_clock();
	expect_one(&s, before);
	leave_the_stage(&s);
}

int main(int argc, char **argv)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up_storm, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_it_sends_meanwhile_comes_when_it_is_over),
		TEST(who_waits_with_poll_is_woken_when_it_is_over),
		TEST(events_on_a_masked_port_are_for_nothing_too),
		TEST(nobody_else_waits),
		TEST(nobody_is_passed_over_when_it_breaks),
		TEST(an_honest_peer_does_not_get_there),
		TEST(ringing_now_and_then_is_no_storm),
		TEST(a_storm_does_not_outlive_its_channel),
		TEST(one_with_a_listener_has_it_the_same_way),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("storm", tests, NULL, NULL);
}
