/* SPDX-License-Identifier: MIT */
/*
 * Events between processes that live: none lost, sleepers woken.
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

#define NR_PEERS (EVP_SCAN_LANES + 30)

/* More lanes than are looked at: their bells have to tell. */
static void lanes_beyond_the_scan_limit_all_heard(void **state)
{
	static struct evp_guest *peer[NR_PEERS];
	static evtchn_port_t port[NR_PEERS];
	static uint64_t count[NR_PEERS];
	struct evp_guest *g = attach_spin(1, 0);
	uint64_t ignored = 0;
	unsigned int i, k, round;

	(void)state;
	for (i = 0; i < NR_PEERS; i++) {
		peer[i] = attach((int)i + 2);
		port[i] = open_bound(peer[i], 1,
				     open_unbound(g, (domid_t)(i + 2),
						  count_event, &count[i]),
				     count_event, &ignored);
	}
	for (round = 1; round <= 20; round++) {
		/* Asleep, one at a time; then awake, all of them at once. */
		for (i = 0; i < NR_PEERS; i++) {
			k = i * 37 % NR_PEERS;
			assert_int_equal(evg_notify(evp_evg(peer[k]), port[k]),
					 0);
			wait_count(g, &count[k], 2 * round - 1);
			(void)evp_arm(g);
		}
		for (i = 0; i < NR_PEERS; i++)
			assert_int_equal(evg_notify(evp_evg(peer[i]), port[i]),
					 0);
		for (i = 0; i < NR_PEERS; i++)
			wait_count(g, &count[i], 2 * round);
	}
	for (i = 0; i < NR_PEERS; i++) {
		assert_int_equal(count[i], 40);
		evp_detach(peer[i]);
	}
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
		TEST(loopback_and_ipi_delivered_without_a_broker_message),
		TEST(lanes_beyond_the_scan_limit_all_heard),
		TEST(global_virq_when_a_domain_ends_reaches_domain_0),
	};

	if (argc > 1 && !strcmp(argv[1], "busy"))
		return busy();
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
