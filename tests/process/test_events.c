/* SPDX-License-Identifier: MIT */
/*
 * Events between processes: none lost, none to the wrong port, sleepers woken,
 * and what remains when somebody dies.
 *
 * Called with "busy" it is the program tests/process/syscalls.sh traces.
 */
#include "harness.h"

#define MANY	    100000
#define NR_CHANNELS 8

/* --- counting ----------------------------------------------------------------- */

/* What the sender wrote before it sent, and what the receiver saw of it. */
struct payload {
	evb_u64 written[NR_CHANNELS];
	uint64_t seen[NR_CHANNELS];
	uint64_t calls;
};

struct channel {
	struct payload *p;
	unsigned int nr;
};

static void read_payload(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct channel *ch = ctx;
	uint64_t now = evb_u64_load(&ch->p->written[ch->nr]);

	(void)v;
	(void)port;
	CHECK(now >= ch->p->seen[ch->nr]);
	ch->p->seen[ch->nr] = now;
	ch->p->calls++;
}

static void send_many(int from, int to, void *arg)
{
	struct payload *p = arg;
	struct evp_guest *g = attach(2);
	evtchn_port_t port[NR_CHANNELS];
	uint64_t i, ignored = 0;
	unsigned int n;

	for (n = 0; n < NR_CHANNELS; n++)
		port[n] = open_bound(g, 1, (evtchn_port_t)hear(from),
				     count_event, &ignored);
	for (i = 0; i < MANY; i++) {
		n = i % NR_CHANNELS;
		(void)evb_u64_xchg(&p->written[n], i + 1);
		CHECK(evg_notify(evp_evg(g), port[n]) == 0);
	}
	say(to, 0);
	(void)hear(from); /* stay: leaving would close the ports */
	evp_detach(g);
}

static bool has_all(const struct payload *p)
{
	unsigned int n;

	for (n = 0; n < NR_CHANNELS; n++) {
		if (p->seen[n] != MANY - NR_CHANNELS + n + 1)
			return false;
	}
	return true;
}

static void events_100k_on_8_channels_last_ones_seen(void **state)
{
	struct payload *p = share(sizeof(*p));
	struct channel ch[NR_CHANNELS];
	struct evp_guest *g = attach(1);
	struct child c = start_child(send_many, p);
	unsigned int n;

	(void)state;
	for (n = 0; n < NR_CHANNELS; n++) {
		ch[n] = (struct channel){.p = p, .nr = n};
		say(c.to, open_unbound(g, 2, read_payload, &ch[n]));
	}
	while (!has_all(p))
		assert_true(evp_wait(g, EVP_FOREVER) >= 0);
	(void)hear(c.from);
	/* An event may be left whose payload was read with the one before. */
	assert_in_range(evp_poll(g), 0, NR_CHANNELS);
	assert_int_equal(evp_poll(g), 0);
	assert_true(has_all(p));
	assert_in_range(p->calls, NR_CHANNELS, MANY);
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	evp_detach(g);
}

/* --- back and forth ------------------------------------------------------------ */

struct rally {
	int64_t spin_ns;
	uint64_t rounds;
};

static void answer(int from, int to, void *arg)
{
	const struct rally *r = arg;
	struct evp_guest *g = attach_spin(2, r->spin_ns);
	uint64_t i, count = 0;
	evtchn_port_t port = open_bound(g, 1, (evtchn_port_t)hear(from),
					count_event, &count);

	wait_count(g, &count, 1); /* the bind's own */
	say(to, 0);
	for (i = 1; i <= r->rounds; i++) {
		wait_count(g, &count, 1 + i);
		CHECK(evg_notify(evp_evg(g), port) == 0);
	}
	(void)hear(from);
	CHECK(count == 1 + r->rounds);
	evp_detach(g);
}

static void play(const struct rally *r)
{
	struct evp_guest *g = attach_spin(1, r->spin_ns);
	struct rally copy = *r;
	struct child c = start_child(answer, &copy);
	uint64_t i, count = 0;
	evtchn_port_t port = open_unbound(g, 2, count_event, &count);

	say(c.to, port);
	(void)hear(c.from);
	for (i = 1; i <= r->rounds; i++) {
		assert_int_equal(evg_notify(evp_evg(g), port), 0);
		wait_count(g, &count, i);
	}
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	assert_int_equal(count, r->rounds);
	evp_detach(g);
}

static void sleeping_receivers_20k_round_trips_always_woken(void **state)
{
	(void)state;
	play(&(struct rally){.spin_ns = 0, .rounds = 20000});
}

static void spinning_receivers_20k_round_trips_all_arrive(void **state)
{
	(void)state;
	play(&(struct rally){.spin_ns = 50000, .rounds = 20000});
}

/* A spin as long as a round trip: arming and sending collide all the time. */
static void arming_receivers_20k_round_trips_always_woken(void **state)
{
	(void)state;
	play(&(struct rally){.spin_ns = 3000, .rounds = 20000});
}

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
	struct evp_stats st;
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
	evp_get_stats(g, &st);
	(void)evb_u32_xchg(stop, 1);
	assert_int_equal(end_child(&c), 0);
	evp_detach(g);
	/* Otherwise this test had nothing to test. */
	assert_true(st.discarded > 0);
	assert_true(heard > REBINDS);
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

/* --- inside one process -------------------------------------------------------- */

static void loopback_and_ipi_delivered_without_a_broker_message(void **state)
{
	struct evp_guest *g = attach(1);
	uint64_t a = 0, b = 0, i = 0;
	evtchn_port_t pa = open_unbound(g, 1, count_event, &a);
	evtchn_port_t pb = open_bound(g, DOMID_SELF, pa, count_event, &b), pi;
	struct evp_stats before, after;

	(void)state;
	wait_count(g, &b, 1);
	assert_int_equal(evg_bind_ipi(evp_evg(g), 0, &pi), 0);
	assert_int_equal(evg_bind_handler(evp_evg(g), pi, 0, count_event, &i),
			 0);
	(void)evp_poll(g);
	evp_get_stats(g, &before);
	assert_int_equal(evg_notify(evp_evg(g), pa), 0);
	assert_int_equal(evg_notify(evp_evg(g), pb), 0);
	assert_int_equal(evg_notify(evp_evg(g), pi), 0);
	assert_int_equal(evp_wait(g, EVP_FOREVER), 3);
	evp_get_stats(g, &after);
	assert_int_equal(a, 1);
	assert_int_equal(b, 2);
	assert_int_equal(i, 1);
	assert_int_equal(after.hypercalls, before.hypercalls);
	/* One end closed: the other drops what it sends. */
	assert_int_equal(evg_close(evp_evg(g), pa), 0);
	assert_int_equal(status_of(g, pb), EVTCHNSTAT_unbound);
	assert_int_equal(evg_notify(evp_evg(g), pb), 0);
	assert_int_equal(evp_poll(g), 0);
	evp_detach(g);
}

static void leave(int from, int to, void *arg)
{
	(void)from;
	(void)to;
	(void)arg;
	evp_detach(attach(7));
}

static void global_virq_when_a_domain_ends_reaches_domain_0(void **state)
{
	struct evp_guest *g = attach_spin(0, 0);
	struct child c;
	uint64_t count = 0;
	evtchn_port_t port;

	(void)state;
	assert_int_equal(evg_bind_virq(evp_evg(g), VIRQ_DOM_EXC, 0, &port), 0);
	assert_int_equal(
		evg_bind_handler(evp_evg(g), port, 0, count_event, &count), 0);
	c = start_child(leave, NULL);
	assert_int_equal(end_child(&c), 0);
	wait_count(g, &count, 1);
	evp_detach(g);
}

/* --- for syscalls.sh ------------------------------------------------------------ */

#define BUSY 100000

struct busy {
	evb_u32 done;
	evb_u64 handled;
};

static void count_shared(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct busy *b = ctx;

	(void)v;
	(void)port;
	(void)evb_u64_xchg(&b->handled, evb_u64_load(&b->handled) + 1);
}

/* Stays awake until the sender has finished. */
static void stay_awake(int from, int to, void *arg)
{
	struct evp_guest *g = attach(2);
	struct busy *b = arg;

	(void)open_bound(g, 1, (evtchn_port_t)hear(from), count_shared, b);
	say(to, 0);
	while (!evb_u32_load(&b->done))
		CHECK(evp_poll(g) >= 0);
}

/* getppid() marks the beginning and the end of the sending in a trace. */
static int busy(void)
{
	struct busy *b = share(sizeof(*b));
	struct evp_guest *g = attach(1);
	struct child c = start_child(stay_awake, b);
	uint64_t i, count = 0;
	evtchn_port_t port = open_unbound(g, 2, count_event, &count);

	say(c.to, port);
	(void)hear(c.from);
	CHECK(evp_poll(g) >= 0); /* its CONNECT has come before */
	CHECK(evg_notify(evp_evg(g), port) == 0);
	while (evb_u64_load(&b->handled) < 2)
		; /* the bind's own, and this one: it is awake */
	(void)getppid();
	for (i = 0; i < BUSY; i++)
		CHECK(evg_notify(evp_evg(g), port) == 0);
	(void)getppid();
	printf("%d sent, %llu handled\n", BUSY,
	       (unsigned long long)evb_u64_load(&b->handled));
	(void)evb_u32_xchg(&b->done, 1);
	evp_detach(g);
	return end_child(&c);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(events_100k_on_8_channels_last_ones_seen),
		TEST(sleeping_receivers_20k_round_trips_always_woken),
		TEST(spinning_receivers_20k_round_trips_all_arrive),
		TEST(arming_receivers_20k_round_trips_always_woken),
		TEST(send_right_before_close_2000_times_delivered),
		TEST(send_right_before_death_50_times_delivered),
		TEST(rebind_with_concurrent_sender_never_wrong_port),
		TEST(peer_killed_port_unbound_and_sends_succeed),
		TEST(broker_killed_established_channel_works_both_ways),
		TEST(broker_killed_and_nothing_connected_wait_ends),
		TEST(loopback_and_ipi_delivered_without_a_broker_message),
		TEST(global_virq_when_a_domain_ends_reaches_domain_0),
	};

	if (argc > 1 && !strcmp(argv[1], "busy"))
		return busy();
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
