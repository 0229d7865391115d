/* SPDX-License-Identifier: MIT */
/*
 * What Xen does not have: notice of a peer's close, counters, and ports that
 * wait for one bearer of a domain id.
 */
#include "tests/lib/fake_host.h"

static struct evc_domain *a, *b;
static evtchn_port_t pa, pb;

static int start(void **state)
{
	(void)state;
	fake_start(false);
	a = fake_domain(1);
	b = fake_domain(2);
	fake_connect(a, b, &pa, &pb);
	fake_clear_pending(a, pa);
	fake_clear_pending(b, pb);
	fake_clear_upcall(&a->vcpu[0]);
	fake_clear_upcall(&b->vcpu[0]);
	fake_forget();
	return 0;
}

static int end(void **state)
{
	(void)state;
	fake_end();
	return 0;
}

/* --- notice ------------------------------------------------------------------ */

static void close_of_a_watched_peer_is_an_event(void **state)
{
	(void)state;
	assert_int_equal(evc_watch_peer(a, pa, true), 0);
	assert_int_equal(evc_close(b, pb), 0);
	assert_true(fake_pending(a, pa));
	assert_int_equal(fake_kicks(), 1);
	assert_ptr_equal(fake_last_kick(), &a->vcpu[0]);
	fake_assert_status(a, pa, EVTCHNSTAT_unbound);
}

static void close_without_watch_tells_nobody(void **state)
{
	(void)state;
	assert_int_equal(evc_watch_peer(a, pa, true), 0);
	assert_int_equal(evc_watch_peer(a, pa, false), 0);
	assert_int_equal(evc_close(b, pb), 0);
	assert_false(fake_pending(a, pa));
	assert_int_equal(fake_kicks(), 0);
}

static void death_and_reset_of_a_watched_peer_are_events(void **state)
{
	(void)state;
	assert_int_equal(evc_watch_peer(a, pa, true), 0);
	assert_int_equal(evc_reset(b, DOMID_SELF, false), 0);
	assert_true(fake_pending(a, pa));
	/* The watch goes on: the next peer, and his death. */
	fake_clear_pending(a, pa);
	fake_clear_upcall(&a->vcpu[0]);
	assert_int_equal(evc_bind_interdomain(b, 1, pa, &pb), 0);
	assert_false(fake_pending(a, pa));
	assert_int_equal(evc_domain_destroy(b), 0);
	assert_true(fake_pending(a, pa));
}

static void watch_ends_with_the_port(void **state)
{
	evtchn_port_t port;

	(void)state;
	assert_int_equal(evc_watch_peer(a, pa, true), 0);
	assert_int_equal(evc_close(a, pa), 0);
	assert_int_equal(evc_close(b, pb), 0);
	fake_connect(a, b, &port, &pb);
	assert_int_equal(port, pa);
	fake_clear_pending(a, pa);
	assert_int_equal(evc_close(b, pb), 0);
	assert_false(fake_pending(a, pa));
}

static void consume(struct evc_vcpu *v, evtchn_port_t port)
{
	(void)v;
	(void)port;
}

static void only_ends_with_a_peer_can_be_watched(void **state)
{
	evtchn_port_t ipi, owned, unbound = fake_unbound(a, b);

	(void)state;
	assert_int_equal(evc_bind_ipi(a, 0, &ipi), 0);
	assert_int_equal(evc_consumer_alloc(a, 0, 2, consume, &owned), 0);
	assert_int_equal(evc_watch_peer(a, unbound, true), 0);
	assert_int_equal(evc_watch_peer(a, ipi, true), -XEN_EINVAL);
	assert_int_equal(evc_watch_peer(a, owned, true), -XEN_EINVAL);
	assert_int_equal(evc_watch_peer(a, 0, true), -XEN_EINVAL);
	assert_int_equal(evc_watch_peer(a, 63, true), -XEN_EINVAL);
	assert_int_equal(evc_watch_peer(a, 64, true), -XEN_EINVAL);
}

static void loopback_close_tells_the_other_end(void **state)
{
	evtchn_port_t x, y;

	(void)state;
	fake_connect(a, a, &x, &y);
	fake_clear_pending(a, x);
	fake_clear_pending(a, y);
	assert_int_equal(evc_watch_peer(a, x, true), 0);
	assert_int_equal(evc_close(a, y), 0);
	assert_true(fake_pending(a, x));
	assert_false(fake_pending(a, y));
}

/* --- counters ---------------------------------------------------------------- */

static void assert_counters(struct evc_domain *d, evtchn_port_t port,
			    uint64_t sent, uint64_t posted, uint64_t dropped)
{
	struct evc_counters c;

	assert_int_equal(evc_channel_counters(d, port, &c), 0);
	assert_int_equal(c.sent, sent);
	assert_int_equal(c.posted, posted);
	assert_int_equal(c.dropped, dropped);
	assert_int_equal(c.coalesced, sent - posted - dropped);
}

static void counters_tell_posted_coalesced_and_dropped(void **state)
{
	(void)state;
	assert_counters(a, pa, 0, 0, 0);
	assert_int_equal(evc_send(a, pa), 0);
	assert_int_equal(evc_send(a, pa), 0);
	assert_counters(a, pa, 2, 1, 0);
	fake_clear_pending(b, pb);
	fake_set_mask(b, pb, true);
	assert_int_equal(evc_send(a, pa), 0);
	assert_counters(a, pa, 3, 2, 0);
	assert_int_equal(evc_close(b, pb), 0);
	assert_int_equal(evc_send(a, pa), 0);
	assert_counters(a, pa, 4, 2, 1);
	assert_counters(b, pb, 0, 0, 0);
}

static void sources_count_at_their_own_port(void **state)
{
	evtchn_port_t ipi, virq, pirq;

	(void)state;
	fake.pirq_permitted = 1;
	assert_int_equal(evc_bind_ipi(a, 0, &ipi), 0);
	assert_int_equal(evc_bind_virq(a, VIRQ_TIMER, 0, &virq), 0);
	assert_int_equal(evc_bind_pirq(a, 0, 0, &pirq), 0);
	assert_int_equal(evc_send(a, ipi), 0);
	evc_virq_raise(&a->vcpu[0], VIRQ_TIMER);
	evc_virq_raise(&a->vcpu[0], VIRQ_TIMER);
	evc_pirq_raise(a, 0);
	assert_counters(a, ipi, 1, 1, 0);
	assert_counters(a, virq, 2, 1, 0);
	assert_counters(a, pirq, 1, 1, 0);
}

static void both_directions_of_a_hypervisors_end_count(void **state)
{
	evtchn_port_t owned, port;

	(void)state;
	assert_int_equal(evc_consumer_alloc(a, 0, 2, consume, &owned), 0);
	assert_int_equal(evc_bind_interdomain(b, 1, owned, &port), 0);
	fake_clear_pending(b, port);
	assert_int_equal(evc_send(b, port), 0);
	evc_consumer_notify(a, owned);
	evc_consumer_notify(a, owned);
	assert_counters(b, port, 1, 1, 0);
	assert_counters(a, owned, 2, 1, 0);
}

static void domain_counters_keep_what_closed_channels_did(void **state)
{
	struct evc_domain_counters c;

	(void)state;
	assert_int_equal(evc_send(a, pa), 0);
	assert_int_equal(evc_send(a, pa), 0);
	assert_int_equal(evc_close(a, pa), 0);
	assert_counters(a, pa, 0, 0, 0);
	fake_connect(a, b, &pa, &pb);
	fake_clear_pending(b, pb);
	assert_int_equal(evc_send(a, pa), 0);
	evc_domain_counters(a, &c);
	assert_int_equal(c.all.sent, 3);
	assert_int_equal(c.all.posted, 2);
	assert_int_equal(c.all.coalesced, 1);
	assert_int_equal(c.nr_open, 1);
	assert_int_equal(c.lost, 0);
	assert_int_equal(c.held, 0);
}

static void counters_of_a_port_that_does_not_exist_are_an_error(void **state)
{
	struct evc_counters c;

	(void)state;
	assert_int_equal(evc_channel_counters(a, 64, &c), -XEN_EINVAL);
}

/* --- generations ------------------------------------------------------------- */

static struct evc_domain *born(domid_t domid, uint32_t generation)
{
	return fake_add(&(struct fake_options){.domid = domid,
					       .width = EVC_WIDTH_64,
					       .generation = generation});
}

static void die(struct evc_domain *d)
{
	assert_int_equal(evc_domain_destroy(d), 0);
	fake_remove(d);
}

static void port_waits_for_the_bearer_of_the_id_not_for_the_id(void **state)
{
	struct evc_domain *first = born(3, 7), *second;
	evtchn_port_t port, waiting = fake_unbound(a, first);

	(void)state;
	die(first);
	second = born(3, 8);
	assert_int_equal(evc_bind_interdomain(second, 1, waiting, &port),
			 -XEN_EINVAL);
	/* The same one again, as after a save and restore. */
	die(second);
	first = born(3, 7);
	assert_int_equal(evc_bind_interdomain(first, 1, waiting, &port), 0);
	die(first);
}

static void port_left_by_a_dead_peer_waits_for_him(void **state)
{
	struct evc_domain *first = born(3, 7), *second;
	evtchn_port_t port, waiting = fake_unbound(a, first);

	(void)state;
	assert_int_equal(evc_bind_interdomain(first, 1, waiting, &port), 0);
	die(first);
	fake_assert_status(a, waiting, EVTCHNSTAT_unbound);
	second = born(3, 8);
	assert_int_equal(evc_bind_interdomain(second, 1, waiting, &port),
			 -XEN_EINVAL);
	die(second);
}

static void port_made_before_the_domain_takes_any_bearer(void **state)
{
	evtchn_port_t port, waiting;
	struct evc_domain *d;

	(void)state;
	assert_int_equal(evc_alloc_unbound(a, DOMID_SELF, 3, &waiting), 0);
	d = born(3, 9);
	assert_int_equal(evc_bind_interdomain(d, 1, waiting, &port), 0);
	die(d);
}

static void domains_without_generations_are_told_apart_by_id(void **state)
{
	struct evc_domain *first = born(3, 0), *second;
	evtchn_port_t port, waiting = fake_unbound(a, first);

	(void)state;
	die(first);
	second = born(3, 0);
	assert_int_equal(evc_bind_interdomain(second, 1, waiting, &port), 0);
	die(second);
}

static void hypervisors_end_waits_for_one_bearer_too(void **state)
{
	struct evc_domain *first = born(3, 7), *second;
	evtchn_port_t port, owned;

	(void)state;
	assert_int_equal(evc_consumer_alloc(a, 0, 3, consume, &owned), 0);
	die(first);
	second = born(3, 8);
	assert_int_equal(evc_bind_interdomain(second, 1, owned, &port),
			 -XEN_EINVAL);
	die(second);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(close_of_a_watched_peer_is_an_event),
		CASE(close_without_watch_tells_nobody),
		CASE(death_and_reset_of_a_watched_peer_are_events),
		CASE(watch_ends_with_the_port),
		CASE(only_ends_with_a_peer_can_be_watched),
		CASE(loopback_close_tells_the_other_end),
		CASE(counters_tell_posted_coalesced_and_dropped),
		CASE(sources_count_at_their_own_port),
		CASE(both_directions_of_a_hypervisors_end_count),
		CASE(domain_counters_keep_what_closed_channels_did),
		CASE(counters_of_a_port_that_does_not_exist_are_an_error),
		CASE(port_waits_for_the_bearer_of_the_id_not_for_the_id),
		CASE(port_left_by_a_dead_peer_waits_for_him),
		CASE(port_made_before_the_domain_takes_any_bearer),
		CASE(domains_without_generations_are_told_apart_by_id),
		CASE(hypervisors_end_waits_for_one_bearer_too),
	};

	return cmocka_run_group_tests_name("core_extras", tests, NULL, NULL);
}
