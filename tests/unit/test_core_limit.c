/* SPDX-License-Identifier: MIT */
/*
 * Storm limits: what a domain sends beyond its burst waits, is not lost, and is
 * in nobody's way.  Domain 2 is limited to 3 events in a period.
 */
#include "tests/lib/fake_host.h"

#define BURST 3
#define PAIRS 8

static struct evc_domain *victim, *storm, *good;
static evtchn_port_t from[PAIRS], to[PAIRS];
static unsigned int calls;

static int start(void **state)
{
	uint32_t i;

	(void)state;
	fake_start(false);
	victim = fake_domain(1);
	storm = fake_add(&(struct fake_options){
		.domid = 2, .width = EVC_WIDTH_64, .limit = true});
	good = fake_domain(3);
	for (i = 0; i < PAIRS; i++) {
		fake_connect(storm, victim, &from[i], &to[i]);
		fake_clear_pending(victim, to[i]);
		fake_clear_pending(storm, from[i]);
	}
	fake_clear_upcall(&victim->vcpu[0]);
	assert_int_equal(evc_limit_set(storm, BURST), 0);
	calls = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	fake_end();
	return 0;
}

/* Which of the victim's ports are pending, as bits; they are cleared. */
static uint32_t take_pending(void)
{
	uint32_t i, bits = 0;

	for (i = 0; i < PAIRS; i++) {
		if (fake_pending(victim, to[i]))
			bits |= 1u << i;
		fake_clear_pending(victim, to[i]);
	}
	return bits;
}

static void send_all(void)
{
	uint32_t i;

	for (i = 0; i < PAIRS; i++)
		assert_int_equal(evc_send(storm, from[i]), 0);
}

static void burst_goes_out_the_rest_waits_for_later_periods(void **state)
{
	(void)state;
	send_all();
	assert_int_equal(take_pending(), 0x07);
	assert_int_equal(evc_limit_refill(storm), 2);
	assert_int_equal(take_pending(), 0x38);
	assert_int_equal(evc_limit_refill(storm), 0);
	assert_int_equal(take_pending(), 0xc0);
	/* One event of this period is left. */
	assert_int_equal(evc_send(storm, from[0]), 0);
	assert_int_equal(evc_send(storm, from[1]), 0);
	assert_int_equal(take_pending(), 0x01);
	assert_int_equal(evc_limit_refill(storm), 0);
	assert_int_equal(take_pending(), 0x02);
}

static void storm_on_one_port_is_a_burst_and_one_held_event(void **state)
{
	struct evc_domain_counters c;
	uint32_t i, events = 0;

	(void)state;
	for (i = 0; i < 10000; i++) {
		assert_int_equal(evc_send(storm, from[0]), 0);
		events += take_pending() != 0;
	}
	assert_int_equal(events, BURST);
	evc_domain_counters(storm, &c);
	assert_int_equal(c.held, 1);
	assert_int_equal(c.delayed, 10000 - BURST);
	assert_int_equal(evc_limit_refill(storm), 0);
	assert_int_equal(take_pending(), 0x01);
	evc_domain_counters(storm, &c);
	assert_int_equal(c.held, 0);
	assert_int_equal(c.all.sent, 10000);
	assert_int_equal(c.all.posted, BURST + 1);
	assert_int_equal(c.all.coalesced, 10000 - BURST - 1);
}

static void storm_does_not_delay_what_others_send(void **state)
{
	evtchn_port_t g, v;
	uint32_t i;

	(void)state;
	fake_connect(good, victim, &g, &v);
	for (i = 0; i < 100; i++) {
		send_all();
		fake_clear_pending(victim, v);
		assert_int_equal(evc_send(good, g), 0);
		assert_true(fake_pending(victim, v));
	}
	/* The victim was interrupted by the storm BURST times, not 800. */
	assert_int_equal(take_pending(), 0x07);
}

static void close_drops_the_held_event_and_reuse_starts_clean(void **state)
{
	struct evc_domain_counters c;
	evtchn_port_t f, t;

	(void)state;
	send_all();
	(void)take_pending();
	assert_int_equal(evc_close(storm, from[7]), 0);
	assert_int_equal(evc_close(victim, to[7]), 0);
	fake_connect(storm, victim, &f, &t);
	assert_int_equal(f, from[7]);
	assert_int_equal(t, to[7]);
	fake_clear_pending(victim, t);
	assert_int_equal(evc_limit_refill(storm), 2);
	assert_int_equal(take_pending(), 0x38);
	assert_int_equal(evc_limit_refill(storm), 0);
	assert_int_equal(take_pending(), 0x40);
	evc_domain_counters(storm, &c);
	assert_int_equal(c.all.dropped, 1);
	assert_int_equal(c.all.sent, PAIRS);
}

static void peers_close_drops_the_held_event(void **state)
{
	struct evc_counters c;

	(void)state;
	send_all();
	(void)take_pending();
	assert_int_equal(evc_close(victim, to[3]), 0);
	assert_int_equal(evc_limit_refill(storm), 2);
	assert_int_equal(take_pending(), 0x30);
	assert_int_equal(evc_channel_counters(storm, from[3], &c), 0);
	assert_int_equal(c.sent, 1);
	assert_int_equal(c.dropped, 1);
	assert_int_equal(c.posted, 0);
}

static void held_event_goes_out_with_a_send_that_may(void **state)
{
	struct evc_domain_counters c;

	(void)state;
	send_all();
	(void)take_pending();
	assert_int_equal(evc_limit_set(storm, 0), 0);
	assert_int_equal(evc_send(storm, from[7]), 0);
	assert_int_equal(take_pending(), 0x80);
	assert_int_equal(evc_limit_refill(storm), 0);
	assert_int_equal(take_pending(), 0x78);
	evc_domain_counters(storm, &c);
	assert_int_equal(c.all.sent, PAIRS + 1);
	assert_int_equal(c.all.posted, PAIRS);
}

/* The list stays sound when a port is sent for, and held again, out of turn. */
static void port_held_again_while_still_listed_is_listed_once(void **state)
{
	struct evc_domain_counters c;

	(void)state;
	send_all();
	(void)take_pending();
	assert_int_equal(evc_limit_set(storm, 0), 0);
	assert_int_equal(evc_send(storm, from[4]), 0);
	assert_int_equal(take_pending(), 0x10);
	assert_int_equal(evc_limit_set(storm, 1), 0);
	assert_int_equal(evc_send(storm, from[4]), 0);
	assert_int_equal(evc_send(storm, from[0]), 0);
	evc_domain_counters(storm, &c);
	assert_int_equal(c.held, PAIRS - BURST + 1);
	while (evc_limit_refill(storm))
		;
	assert_int_equal(take_pending(), 0xf9);
}

static void new_event_does_not_overtake_what_waits(void **state)
{
	(void)state;
	send_all();
	(void)take_pending();
	assert_int_equal(evc_limit_set(storm, 2), 0);
	assert_int_equal(evc_send(storm, from[0]), 0);
	assert_int_equal(take_pending(), 0);
	assert_int_equal(evc_limit_refill(storm), 4);
	assert_int_equal(take_pending(), 0x18);
	assert_int_equal(evc_limit_refill(storm), 2);
	assert_int_equal(evc_limit_refill(storm), 0);
	assert_int_equal(take_pending(), 0xe1);
}

static void refill_without_a_limit_sends_64_at_most(void **state)
{
	evtchn_port_t f, t;
	uint32_t i;

	(void)state;
	for (i = 0; i < 100; i++) {
		fake_connect(storm, victim, &f, &t);
		(void)evc_send(storm, f);
	}
	assert_int_equal(evc_limit_set(storm, 0), 0);
	assert_int_equal(evc_limit_refill(storm), 100 - BURST - 64);
	assert_int_equal(evc_limit_refill(storm), 0);
}

static void no_limit_lets_everything_out(void **state)
{
	(void)state;
	send_all();
	(void)take_pending();
	assert_int_equal(evc_limit_set(storm, 0), 0);
	send_all();
	assert_int_equal(take_pending(), 0xff);
	assert_int_equal(evc_limit_refill(storm), 0);
	assert_int_equal(take_pending(), 0);
}

static void held_events_leave_after_the_limit_is_lifted(void **state)
{
	(void)state;
	send_all();
	(void)take_pending();
	assert_int_equal(evc_limit_set(storm, 0), 0);
	assert_int_equal(evc_limit_refill(storm), 0);
	assert_int_equal(take_pending(), 0xf8);
}

static void ipi_and_virq_are_not_limited(void **state)
{
	evtchn_port_t ipi, virq;
	uint32_t i;

	(void)state;
	assert_int_equal(evc_bind_ipi(storm, 0, &ipi), 0);
	assert_int_equal(evc_bind_virq(storm, VIRQ_TIMER, 0, &virq), 0);
	send_all();
	for (i = 0; i < 10; i++) {
		fake_clear_pending(storm, ipi);
		fake_clear_pending(storm, virq);
		assert_int_equal(evc_send(storm, ipi), 0);
		evc_virq_raise(&storm->vcpu[0], VIRQ_TIMER);
		assert_true(fake_pending(storm, ipi));
		assert_true(fake_pending(storm, virq));
	}
}

static void consume(struct evc_vcpu *v, evtchn_port_t port)
{
	(void)v;
	(void)port;
	calls++;
}

static void hypervisors_end_gets_at_most_a_burst(void **state)
{
	evtchn_port_t owned, port;
	uint32_t i;

	(void)state;
	assert_int_equal(evc_consumer_alloc(victim, 0, 2, consume, &owned), 0);
	assert_int_equal(evc_bind_interdomain(storm, 1, owned, &port), 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(evc_send(storm, port), 0);
	assert_int_equal(calls, BURST);
	assert_int_equal(evc_limit_refill(storm), 0);
	assert_int_equal(calls, BURST + 1);
}

static void domain_without_a_limit_cannot_have_one_set(void **state)
{
	(void)state;
	assert_int_equal(evc_limit_set(victim, 1), -XEN_EOPNOTSUPP);
	assert_int_equal(evc_limit_refill(victim), 0);
}

static void limit_needs_both_its_memories(void **state)
{
	struct fake_options o = {
		.domid = 0, .width = EVC_WIDTH_64, .limit = true};
	struct evc_domain_config c = fake_config(&o), half = c;
	struct evc_domain d;

	(void)state;
	half.limit_next = NULL;
	assert_int_equal(evc_domain_init(&d, &half), -XEN_EINVAL);
	half = c;
	half.limit = NULL;
	assert_int_equal(evc_domain_init(&d, &half), -XEN_EINVAL);
	fake_free_config(&c);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(burst_goes_out_the_rest_waits_for_later_periods),
		CASE(storm_on_one_port_is_a_burst_and_one_held_event),
		CASE(storm_does_not_delay_what_others_send),
		CASE(close_drops_the_held_event_and_reuse_starts_clean),
		CASE(peers_close_drops_the_held_event),
		CASE(held_event_goes_out_with_a_send_that_may),
		CASE(port_held_again_while_still_listed_is_listed_once),
		CASE(new_event_does_not_overtake_what_waits),
		CASE(refill_without_a_limit_sends_64_at_most),
		CASE(no_limit_lets_everything_out),
		CASE(held_events_leave_after_the_limit_is_lifted),
		CASE(ipi_and_virq_are_not_limited),
		CASE(hypervisors_end_gets_at_most_a_burst),
		CASE(domain_without_a_limit_cannot_have_one_set),
		CASE(limit_needs_both_its_memories),
	};

	return cmocka_run_group_tests_name("core_limit", tests, NULL, NULL);
}
