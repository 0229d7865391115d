/* SPDX-License-Identifier: MIT */
/*
 * Old bugs around ports: limits, validity, reuse, numbers.
 *
 * Each test puts the world into the state in which Xen once went wrong and
 * says which advisory or commit that was; docs/regressions.md has the list.
 */
#include "tests/lib/fake_host.h"

#include <string.h>

#include <base/bits.h>

static struct evc_domain *d1, *d2;

static void start(enum evc_width width)
{
	fake_start(false);
	d1 = fake_add(&(struct fake_options){.domid = 1, .width = width});
	d2 = fake_domain(2);
}

static evtchn_port_t open_until(evtchn_port_t last)
{
	evtchn_port_t port = 0;

	while (port < last)
		assert_int_equal(evc_bind_ipi(d1, 1, &port), 0);
	return port;
}

/* --- limits -------------------------------------------------------------------- */

/*
 * XSA-342 (CVE-2020-25600): a 32-bit guest got ports beyond 1023, whose bits
 * are not in its bitmaps but in what follows them.
 */
static void
width_32_port_1023_is_the_last_and_writes_stay_in_its_bitmaps(void **unused)
{
	uint8_t before[4096], *page;
	evtchn_port_t port;

	(void)unused;
	start(EVC_WIDTH_32);
	page = d1->shared_info;
	memset(page + 2304, 0x5a, 4096 - 2304); /* what follows the mask */
	assert_int_equal(open_until(1023), 1023);
	assert_int_equal(evc_bind_ipi(d1, 0, &port), -XEN_ENOSPC);
	fake_set_mask(d1, 1023, true);
	memcpy(before, page, 4096);
	assert_int_equal(evc_send(d1, 1023), 0);
	assert_int_equal(page[2048 + 127], 0x80);
	assert_int_equal(evc_unmask(d1, 1023), 0);
	assert_int_equal(page[2176 + 127], 0);
	assert_int_equal(evc_close(d1, 1023), 0);
	assert_int_equal(page[2048 + 127], 0);
	/* The vCPUs' infos aside, only the mask bit is not what it was. */
	before[2176 + 127] = 0;
	assert_memory_equal(page + 2048, before + 2048, 2048);
	fake_end();
}

/* XSA-342: an HVM guest turns out to be a 32-bit one after it opened ports. */
static void width_latched_later_leaves_higher_ports_without_words(void **unused)
{
	const evtchn_port_t high[] = {1024, 2000, 3000};
	uint8_t before[4096];
	evtchn_port_t port;
	unsigned int i;

	(void)unused;
	start(EVC_WIDTH_64);
	assert_int_equal(open_until(3000), 3000);
	evc_domain_set_width(d1, EVC_WIDTH_32);
	memset((uint8_t *)d1->shared_info + 2304, 0x5a, 4096 - 2304);
	memcpy(before, d1->shared_info, 4096);
	for (i = 0; i < 3; i++) {
		fake_assert_status(d1, high[i], EVTCHNSTAT_ipi);
		assert_int_equal(evc_send(d1, high[i]), 0);
		assert_int_equal(evc_unmask(d1, high[i]), 0);
		assert_int_equal(evc_close(d1, high[i]), 0);
	}
	assert_memory_equal(d1->shared_info, before, 4096);
	assert_int_equal(evc_bind_ipi(d1, 0, &port), -XEN_ENOSPC);
	fake_end();
}

static void ignore(struct evc_vcpu *v, evtchn_port_t port)
{
	(void)v;
	(void)port;
}

/*
 * XSA-338 (CVE-2020-25597): whether a port exists was asked of the ABI's limit,
 * which can shrink; closing what lay beyond ended in a BUG.
 */
static void port_above_a_limit_that_shrank_still_closes(void **unused)
{
	evtchn_port_t port, far, owned;

	(void)unused;
	start(EVC_WIDTH_64);
	(void)open_until(1999);
	fake_connect(d1, d2, &port, &far);
	assert_int_equal(port, 2000);
	assert_int_equal(evc_consumer_alloc(d1, 0, 2, ignore, &owned), 0);
	evc_domain_set_width(d1, EVC_WIDTH_32);
	assert_int_equal(evc_close(d2, far), 0);
	fake_assert_status(d1, port, EVTCHNSTAT_unbound);
	assert_int_equal(evc_close(d1, port), 0);
	assert_int_equal(evc_consumer_free(d1, owned), 0);
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), 0);
	assert_int_equal(d1->ports.nr_open, 0);
	fake_end();
}

/* --- reuse --------------------------------------------------------------------- */

/* Commit 120785c177 (2008): a pending bit outlived the port it belonged to. */
static void
port_closed_while_pending_starts_its_next_life_without(void **unused)
{
	evtchn_port_t port, again, far;

	(void)unused;
	start(EVC_WIDTH_64);
	fake_connect(d1, d2, &port, &far);
	assert_int_equal(evc_send(d2, far), 0);
	assert_true(fake_pending(d1, port));
	assert_int_equal(evc_close(d1, port), 0);
	fake_clear_upcall(&d1->vcpu[0]);
	fake_forget();
	assert_int_equal(evc_bind_virq(d1, VIRQ_DEBUG, 0, &again), 0);
	assert_int_equal(again, port);
	assert_false(fake_pending(d1, again));
	assert_int_equal(fake_kicks(), 0);
	/* Its first event is a new one, and is announced. */
	evc_virq_raise(&d1->vcpu[0], VIRQ_DEBUG);
	assert_true(fake_pending(d1, again));
	assert_int_equal(fake_selector(&d1->vcpu[0]), 1);
	assert_int_equal(fake_kicks(), 1);
	fake_end();
}

static bool is_third(evtchn_port_t port)
{
	return port == 3;
}

/*
 * Commit 78e24c269b (4.7), for a delivery of the test's own: a closed number
 * that the guest still has in a queue is not handed out.  The FIFO ABI itself
 * is in test_regress_fifo.c.
 */
static void busy_number_is_passed_over_until_it_is_free(void **unused)
{
	struct evc_domain *d;
	evtchn_port_t port = 0;
	unsigned int i;

	(void)unused;
	fake_start(false);
	d = fake_add(&(struct fake_options){.domid = 1, .deliver = &fake_wide});
	for (i = 0; i < 4; i++)
		assert_int_equal(evc_bind_ipi(d, 0, &port), 0);
	assert_int_equal(evc_close(d, 3), 0);
	fake.busy = is_third;
	assert_int_equal(evc_bind_ipi(d, 0, &port), 0);
	assert_int_equal(port, 5);
	fake.busy = NULL;
	assert_int_equal(evc_bind_ipi(d, 0, &port), 0);
	assert_int_equal(port, 3);
	fake_end();
}

/* --- buckets ------------------------------------------------------------------- */

/*
 * Commit 5d1cfe844e (4.17): a port with a fixed, high number left holes below
 * it, and a scan fell in.  Fixed numbers do not exist here; a bucket that is
 * lent ahead of the others is the nearest thing.
 */
static void bucket_lent_ahead_of_its_turn_is_not_seen_before(void **unused)
{
	struct evc_domain_config c;
	evtchn_port_t port = 0;

	(void)unused;
	fake_start(false);
	c = fake_config(&(struct fake_options){.domid = 1});
	c.bucket[15] = evc_host_bucket(&(struct evc_domain){0}, 15);
	d1 = fake_add_config(&c);
	assert_int_equal(fake_nr_valid(d1), 64);
	assert_int_equal(evc_send(d1, 1000), -XEN_EINVAL);
	assert_int_equal(evc_unmask(d1, 1000), -XEN_EINVAL);
	assert_int_equal(evc_close(d1, 1000), -XEN_EINVAL);
	while (port < 1000)
		assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	for (port = 1; port <= 1000; port++)
		fake_assert_status(d1, port, EVTCHNSTAT_ipi);
	assert_int_equal(fake_nr_valid(d1), 1024);
	fake_end();
}

/*
 * Commit 3a6cb6aae4 (2026): the clamp against speculation used the size of
 * another array, and sent good indexes to 0.
 */
static void clamped_index_is_itself_below_the_size_and_0_above(void **unused)
{
	uint32_t size, i;

	(void)unused;
	for (size = 64; size <= EVTCHN_FIFO_NR_CHANNELS; size += 64) {
		assert_int_equal(evb_clamp_index(0, size), 0);
		assert_int_equal(evb_clamp_index(size - 1, size), size - 1);
		assert_int_equal(evb_clamp_index(size, size), 0);
		assert_int_equal(evb_clamp_index(UINT32_MAX, size), 0);
	}
	for (i = 0; i < EVTCHN_FIFO_NR_CHANNELS; i++)
		assert_int_equal(evb_clamp_index(i, EVTCHN_FIFO_NR_CHANNELS),
				 i);
}

/* The same, where it is used: each port is found under its own number. */
static void every_port_of_a_full_table_answers_for_itself(void **unused)
{
	const uint32_t nr = EVTCHN_FIFO_NR_CHANNELS;
	evtchn_port_t port = 0;

	(void)unused;
	fake_start(false);
	d1 = fake_add(&(struct fake_options){.domid = 1,
					     .nr_buckets = nr / 64,
					     .nr_vcpus = 7,
					     .deliver = &fake_wide});
	while (port < nr - 1)
		assert_int_equal(evc_bind_ipi(d1, (port + 1) % 7, &port), 0);
	for (port = 1; port < nr; port++) {
		struct evtchn_status s = fake_status(d1, port);

		assert_int_equal(s.status, EVTCHNSTAT_ipi);
		assert_int_equal(s.vcpu, port % 7);
	}
	assert_int_equal(fake_nr_valid(d1), nr);
	fake_end();
}

/* --- who may --------------------------------------------------------------------- */

/*
 * XSA-237: an HVM guest's mapping of lines asked for more privilege when it
 * named itself by number.  Mapping is the host's; what the core asks the policy
 * must not depend on how the caller names itself.
 */
static void own_number_and_self_ask_the_policy_the_same(void **unused)
{
	const domid_t names[] = {DOMID_SELF, 1};
	struct evtchn_status s;
	evtchn_port_t port;
	unsigned int i;

	(void)unused;
	start(EVC_WIDTH_64);
	for (i = 0; i < 2; i++) {
		assert_int_equal(evc_alloc_unbound(d1, names[i], 2, &port), 0);
		s = (struct evtchn_status){.dom = names[i], .port = port};
		assert_int_equal(evc_status(d1, &s), 0);
		assert_int_equal(s.status, EVTCHNSTAT_unbound);
		assert_int_equal(evc_reset(d1, names[i], false), 0);
		assert_int_equal(evc_alloc_unbound(d2, 1, 2, &port),
				 -XEN_EPERM);
		fake.refuse = true;
		assert_int_equal(evc_alloc_unbound(d1, names[i], 2, &port),
				 -XEN_EPERM);
		assert_int_equal(evc_reset(d1, names[i], false), -XEN_EPERM);
		fake.refuse = false;
	}
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			width_32_port_1023_is_the_last_and_writes_stay_in_its_bitmaps),
		cmocka_unit_test(
			width_latched_later_leaves_higher_ports_without_words),
		cmocka_unit_test(port_above_a_limit_that_shrank_still_closes),
		cmocka_unit_test(
			port_closed_while_pending_starts_its_next_life_without),
		cmocka_unit_test(busy_number_is_passed_over_until_it_is_free),
		cmocka_unit_test(
			bucket_lent_ahead_of_its_turn_is_not_seen_before),
		cmocka_unit_test(
			clamped_index_is_itself_below_the_size_and_0_above),
		cmocka_unit_test(every_port_of_a_full_table_answers_for_itself),
		cmocka_unit_test(own_number_and_self_ask_the_policy_the_same),
	};

	return cmocka_run_group_tests_name("regress ports", tests, NULL, NULL);
}
