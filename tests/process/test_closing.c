/* SPDX-License-Identifier: MIT */
/*
 * Closing and dying: what was sent before still arrives, nothing arrives at a
 * port that took the place of another, and the others go on.
 */
#include "harness.h"
#include "hosts/process/guest.h"

/* --- closing ------------------------------------------------------------------- */

#define CLOSINGS 2000

static void send_and_close(int from, int to, void *arg)
{
	struct evp_guest *g = attach(2);
	evtchn_port_t remote = (evtchn_port_t)hear(from), port;
	uint64_t ignored = 0;
	int i;

	(void)arg;
	for (i = 0; i < CLOSINGS; i++) {
		port = open_bound(g, 1, remote, count_event, &ignored);
		CHECK(evg_notify(evp_evg(g), port) == 0);
		CHECK(evg_close(evp_evg(g), port) == 0);
		say(to, 0);
		(void)hear(from);
	}
	evp_detach(g);
}

static void send_right_before_close_2000_times_delivered(void **state)
{
	struct evp_guest *g = attach(1);
	struct child c = start_child(send_and_close, NULL);
	uint64_t i, count = 0;
	evtchn_port_t port = open_unbound(g, 2, count_event, &count);

	(void)state;
	say(c.to, port);
	for (i = 1; i <= CLOSINGS; i++) {
		/* In turn: the event is collected first, the closing heard first. */
		if (i % 2)
			wait_count(g, &count, i);
		(void)hear(c.from);
		assert_int_equal(status_of(g, port), EVTCHNSTAT_unbound);
		wait_count(g, &count, i);
		assert_int_equal(evp_poll(g), 0);
		assert_int_equal(count, i); /* once, not twice */
		say(c.to, 0);
	}
	assert_int_equal(end_child(&c), 0);
	evp_detach(g);
}

/* As above, but the sender is killed: its last event must still come. */
static void send_and_be_killed(int from, int to, void *arg)
{
	struct evp_guest *g = attach(2);
	uint64_t ignored = 0;
	evtchn_port_t port = open_bound(g, 1, (evtchn_port_t)hear(from),
					count_event, &ignored);

	(void)to;
	(void)arg;
	CHECK(evg_notify(evp_evg(g), port) == 0);
	(void)raise(SIGKILL);
}

static void send_right_before_death_50_times_delivered(void **state)
{
	struct evp_guest *g = attach(1);
	uint64_t i, count = 0;
	evtchn_port_t port = open_unbound(g, 2, count_event, &count);

	(void)state;
	for (i = 1; i <= 50; i++) {
		struct child c = start_child(send_and_be_killed, NULL);

		say(c.to, port);
		assert_int_equal(end_child(&c), 128 + SIGKILL);
		wait_count(g, &count, i);
		await_status(g, port, EVTCHNSTAT_unbound);
		assert_int_equal(count, i);
		/* Nobody is there: sending is no error. */
		assert_int_equal(evg_notify(evp_evg(g), port), 0);
	}
	evp_detach(g);
}

/* --- slots --------------------------------------------------------------------- */

#define REBINDS 3000

/* Sends on its first port for ever; on the second never; the third answers. */
struct noise {
	struct evp_guest *g;
	evtchn_port_t tick;
	evb_u32 stop;
	uint64_t ticks, ignored;
};

static void answer_tick(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct noise *n = ctx;

	(void)v;
	n->ticks++;
	CHECK(evg_notify(evp_evg(n->g), port) == 0);
}

static void make_noise(int from, int to, void *arg)
{
	struct noise n = {.g = attach(2)};
	evtchn_port_t loud, quiet;
	evb_u32 *stop = arg;

	(void)from;
	loud = open_unbound(n.g, 1, count_event, &n.ignored);
	quiet = open_unbound(n.g, 1, count_event, &n.ignored);
	n.tick = open_unbound(n.g, 1, answer_tick, &n);
	say(to, loud);
	say(to, quiet);
	say(to, n.tick);
	while (!evb_u32_load(stop)) {
		CHECK(evg_notify(evp_evg(n.g), loud) == 0);
		CHECK(evp_poll(n.g) >= 0);
	}
	evp_detach(n.g);
}

/* After this every bit the other side set before has been collected. */
static void barrier(struct evp_guest *g, evtchn_port_t tick, uint64_t *ticks)
{
	uint64_t before = *ticks;

	CHECK(evg_notify(evp_evg(g), tick) == 0);
	wait_count(g, ticks, before + 1);
}

static void rebind_with_concurrent_sender_never_wrong_port(void **state)
{
	evb_u32 *stop = share(sizeof(*stop));
	struct child c = start_child(make_noise, stop);
	evtchn_port_t loud = (evtchn_port_t)hear(c.from);
	evtchn_port_t quiet = (evtchn_port_t)hear(c.from);
	evtchn_port_t tick = (evtchn_port_t)hear(c.from);
	struct evp_guest *g = attach(1);
	uint64_t ticks = 0, loudly = 0, heard = 0, quietly;
	evtchn_port_t port, first;
	int i;

	(void)state;
	tick = open_bound(g, 2, tick, count_event, &ticks);
	wait_count(g, &ticks, 1);
	for (i = 0; i < REBINDS; i++) {
		loudly = 0;
		first = open_bound(g, 2, loud, count_event, &loudly);
		/* Sometimes the sender knows its lane, sometimes not yet. */
		wait_count(g, &loudly, (uint64_t)(i % 3) + 1);
		heard += loudly;
		assert_int_equal(evg_close(evp_evg(g), first), 0);
		quietly = 0;
		port = open_bound(g, 2, quiet, count_event, &quietly);
		assert_int_equal(port, first);
		barrier(g, tick, &ticks);
		assert_int_equal(quietly, 1); /* the bind's own */
		assert_int_equal(evg_close(evp_evg(g), port), 0);
	}
	(void)evb_u32_xchg(stop, 1);
	assert_int_equal(end_child(&c), 0);
	evp_detach(g);
	assert_true(heard > REBINDS);
}

/* Sends on its first port when it is told to, and not otherwise. */
static void send_when_told(int from, int to, void *arg)
{
	struct noise n = {.g = attach(2)};
	uint64_t called = 0;
	evtchn_port_t loud, quiet;

	(void)arg;
	loud = open_unbound(n.g, 1, count_event, &called);
	quiet = open_unbound(n.g, 1, count_event, &n.ignored);
	n.tick = open_unbound(n.g, 1, answer_tick, &n);
	say(to, loud);
	say(to, quiet);
	say(to, n.tick);
	wait_count(n.g, &called, 1); /* now its lane is known */
	(void)hear(from);
	CHECK(evg_notify(evp_evg(n.g), loud) == 0);
	say(to, 0);
	(void)hear(from); /* no news is read before that */
	wait_count(n.g, &n.ticks, 1);
	evp_detach(n.g);
}

/* The race of the test above, once, and each time it runs. */
static void sent_before_close_not_seen_on_next_port(void **state)
{
	struct child c = start_child(send_when_told, NULL);
	evtchn_port_t loud = (evtchn_port_t)hear(c.from);
	evtchn_port_t quiet = (evtchn_port_t)hear(c.from);
	evtchn_port_t tick = (evtchn_port_t)hear(c.from);
	struct evp_guest *g = attach(1);
	uint64_t ticks = 0, loudly = 0, quietly = 0;
	evtchn_port_t first;
	struct evp_stats st;

	(void)state;
	tick = open_bound(g, 2, tick, count_event, &ticks);
	first = open_bound(g, 2, loud, count_event, &loudly);
	wait_count(g, &ticks, 1);
	wait_count(g, &loudly, 1);
	assert_int_equal(evg_notify(evp_evg(g), first), 0);
	say(c.to, 0);
	(void)hear(c.from);
	assert_int_equal(evg_close(evp_evg(g), first), 0);
	(void)evp_poll(g);
	evp_get_stats(g, &st);
	assert_int_equal(st.discarded, 1);
	assert_int_equal(open_bound(g, 2, quiet, count_event, &quietly), first);
	say(c.to, 0);
	barrier(g, tick, &ticks);
	assert_int_equal(loudly, 1);
	assert_int_equal(quietly, 1); /* the bind's own */
	assert_int_equal(end_child(&c), 0);
	evp_detach(g);
}

/* --- death --------------------------------------------------------------------- */

static void serve_until_killed(int from, int to, void *arg)
{
	struct evp_guest *g = attach(2);
	uint64_t count = 0, i;
	evtchn_port_t port = open_bound(g, 1, (evtchn_port_t)hear(from),
					count_event, &count);

	(void)arg;
	wait_count(g, &count, 1);
	say(to, 0);
	for (i = 2;; i++) {
		wait_count(g, &count, i);
		CHECK(evg_notify(evp_evg(g), port) == 0);
	}
}

static void peer_killed_port_unbound_and_sends_succeed(void **state)
{
	struct evp_guest *g = attach(1);
	struct child c = start_child(serve_until_killed, NULL);
	uint64_t count = 0;
	evtchn_port_t port = open_unbound(g, 2, count_event, &count);
	int i;

	(void)state;
	say(c.to, port);
	(void)hear(c.from);
	assert_int_equal(evg_notify(evp_evg(g), port), 0);
	wait_count(g, &count, 1);
	assert_int_equal(kill(c.pid, SIGKILL), 0);
	assert_int_equal(end_child(&c), 128 + SIGKILL);
	await_status(g, port, EVTCHNSTAT_unbound);
	for (i = 0; i < 10; i++)
		assert_int_equal(evg_notify(evp_evg(g), port), 0);
	assert_int_equal(count, 1);
	/* Somebody else may take its place. */
	c = start_child(serve_until_killed, NULL);
	say(c.to, port);
	(void)hear(c.from);
	assert_int_equal(evg_notify(evp_evg(g), port), 0);
	wait_count(g, &count, 2);
	(void)kill(c.pid, SIGKILL);
	assert_int_equal(end_child(&c), 128 + SIGKILL);
	evp_detach(g);
}

static void broker_killed_established_channel_works_both_ways(void **state)
{
	struct evp_guest *g = attach_spin(1, 0); /* so that bells ring, too */
	struct child c = start_child(serve_until_killed, NULL);
	uint64_t i, count = 0;
	evtchn_port_t port = open_unbound(g, 2, count_event, &count), other;

	(void)state;
	say(c.to, port);
	(void)hear(c.from);
	kill_broker();
	for (i = 1; i <= 5000; i++) {
		assert_int_equal(evg_notify(evp_evg(g), port), 0);
		wait_count(g, &count, i);
	}
	assert_int_equal(evg_alloc_unbound(evp_evg(g), DOMID_SELF, 2, &other),
			 -XEN_ENOTCONN);
	assert_false(evp_broker_is_there(g));
	(void)kill(c.pid, SIGKILL);
	assert_int_equal(end_child(&c), 128 + SIGKILL);
	evp_detach(g);
}

static void broker_killed_and_nothing_connected_wait_ends(void **state)
{
	struct evp_guest *g = attach(1);

	(void)state;
	kill_broker();
	assert_int_equal(evp_wait(g, EVP_FOREVER), -ECONNRESET);
	assert_int_equal(evp_wait(g, 1000000), 0);
	evp_detach(g);
}

/* --- a hostile peer ------------------------------------------------------------ */

/* Connects one channel, then writes everything it can reach. */
static void scribble(int from, int to, void *arg)
{
	struct evp_guest *g = attach(2);
	uint64_t ignored = 0;
	evb_u32 *stop = arg;
	struct evp_lane *l;
	uint32_t i, n = 0;

	(void)open_bound(g, 1, (evtchn_port_t)hear(from), count_event,
			 &ignored);
	(void)open_bound(g, 1, (evtchn_port_t)hear(from), count_event,
			 &ignored);
	l = g->chan[1].lane;
	CHECK(l);
	say(to, 0);
	while (!evb_u32_load(stop)) {
		for (i = 0; i < EVP_LANE_WORDS; i++) {
			(void)evb_u64_xchg(&l->out->pending[i], UINT64_MAX);
			(void)evb_u64_xchg(&l->in->pending[i], n);
		}
		(void)evb_u64_xchg(&l->out->selector, UINT64_MAX);
		evb_u32_store(&l->out->armed, n % 3);
		evb_u32_store(&l->in->armed, ++n);
		evp_kick(l->rope);
	}
}

static void scribbling_peer_reaches_its_own_channels_only(void **state)
{
	evb_u32 *stop = share(sizeof(*stop));
	struct rally rally = {.spin_ns = 0, .rounds = 2000};
	struct evp_guest *g = attach_spin(1, 0);
	uint64_t i, own = 0, other = 0, honest = 0;
	struct child enemy = start_child(scribble, stop), c;
	evtchn_port_t port;

	(void)state;
	say(enemy.to, open_unbound(g, 2, count_event, &own));
	for (i = 0; i < 200; i++)
		(void)open_unbound(g, 9, count_event, &other);
	say(enemy.to, open_unbound(g, 2, count_event, &own));
	(void)hear(enemy.from);
	port = open_unbound(g, 3, count_event, &honest);
	rally.domid = 3;
	c = start_child(answer, &rally);
	say(c.to, port);
	(void)hear(c.from);
	for (i = 1; i <= rally.rounds; i++) {
		assert_int_equal(evg_notify(evp_evg(g), port), 0);
		wait_count(g, &honest, i);
	}
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	assert_int_equal(other, 0);
	assert_int_equal(honest, rally.rounds);
	assert_true(own > 0);
	(void)evb_u32_xchg(stop, 1);
	assert_int_equal(end_child(&enemy), 0);
	await_status(g, 1, EVTCHNSTAT_unbound);
	(void)evp_poll(g);
	assert_int_equal(other, 0);
	evp_detach(g);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(send_right_before_close_2000_times_delivered),
		TEST(send_right_before_death_50_times_delivered),
		TEST(sent_before_close_not_seen_on_next_port),
		TEST(rebind_with_concurrent_sender_never_wrong_port),
		TEST(peer_killed_port_unbound_and_sends_succeed),
		TEST(broker_killed_established_channel_works_both_ways),
		TEST(broker_killed_and_nothing_connected_wait_ends),
		TEST(scribbling_peer_reaches_its_own_channels_only),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("closing", tests, NULL, NULL);
}
