/* SPDX-License-Identifier: MIT */
/*
 * guest/collect_2l.c: which ports a round returns, in which order, and what it
 * leaves behind in the shared words.
 */
#include "test_guest_platform.h"

#include "guest/collect.h"

/* Unmask without asking for anything, so that only post() moves bits. */
static void live(evtchn_port_t port)
{
	(void)evb_test_and_clear_bit(guest.mask, port);
}

static void fire(evtchn_port_t port)
{
	live(port);
	post(port);
}

/* One round of vCPU @id as evg_upcall() makes it; at most @max ports. */
static void collect_round(uint32_t id, unsigned int max)
{
	const struct evg_collect *c = guest.collect;
	evtchn_port_t port;

	memset(&seen, 0, sizeof(seen));
	set_flag(id, 0);
	c->begin(&vcpu[id]);
	while (seen.n < max && c->next(&vcpu[id], &port)) {
		(void)c->clear(&guest, port);
		record(&vcpu[id], port, NULL);
	}
}

static void round_without_selector_returns_nothing(void **state)
{
	(void)state;
	live(5);
	(void)evb_test_and_set_bit(guest.pending, 5);
	collect_round(0, MAX_LOG);
	assert_int_equal(seen.n, 0);
}

static void round_selector_without_pending_returns_nothing(void **state)
{
	(void)state;
	live(5);
	select_word(0, 0);
	collect_round(0, MAX_LOG);
	assert_int_equal(seen.n, 0);
}

static void round_clears_the_selector(void **state)
{
	(void)state;
	fire(5);
	fire(4000);
	collect_round(0, MAX_LOG);
	assert_int_equal(evb_u32_load(&selector(0)[0]), 0);
	assert_int_equal(evb_u32_load(&selector(0)[1]), 0);
}

/* pending x masked x owned: only pending, unmasked and owned is returned. */
static void round_returns_pending_and_not_masked_and_owned(void **state)
{
	int pending, masked, owned;

	for (pending = 0; pending < 2; pending++) {
		for (masked = 0; masked < 2; masked++) {
			for (owned = 0; owned < 2; owned++) {
				setup(state);
				if (pending)
					(void)evb_test_and_set_bit(
						guest.pending, 70);
				if (!masked)
					live(70);
				select_word(!owned, word_of(70));
				collect_round(!owned, MAX_LOG);
				assert_int_equal(seen.n,
						 pending && !masked && owned);
			}
		}
	}
}

static void round_first_goes_upwards(void **state)
{
	(void)state;
	fire(300);
	fire(3);
	fire(65);
	fire(64);
	collect_round(0, MAX_LOG);
	ASSERT_SEEN(3, 64, 65, 300);
}

static void round_starts_one_past_the_last_port(void **state)
{
	(void)state;
	fire(2);
	fire(3);
	fire(4);
	collect_round(0, 2);
	ASSERT_SEEN(2, 3);
	fire(2);
	fire(3);
	select_word(0, 0);
	collect_round(0, MAX_LOG);
	ASSERT_SEEN(4, 2, 3);
}

static void round_looks_at_the_start_word_twice(void **state)
{
	(void)state;
	fire(5);
	collect_round(0, MAX_LOG);
	fire(3); /* below the start, which is bit 6 of word 0 */
	fire(7);
	fire(70);
	collect_round(0, MAX_LOG);
	ASSERT_SEEN(7, 70, 3);
}

static void round_after_the_last_bit_starts_in_the_next_word(void **state)
{
	(void)state;
	fire(63);
	collect_round(0, MAX_LOG);
	fire(1);
	fire(64);
	collect_round(0, MAX_LOG);
	ASSERT_SEEN(64, 1);
}

static void round_after_the_last_port_starts_at_the_first(void **state)
{
	(void)state;
	fire(4095);
	collect_round(0, MAX_LOG);
	ASSERT_SEEN(4095);
	fire(4095);
	fire(1);
	collect_round(0, MAX_LOG);
	ASSERT_SEEN(1, 4095);
}

static void round_words_wrap_around(void **state)
{
	(void)state;
	fire(40 * 64);
	collect_round(0, MAX_LOG);
	fire(1);
	fire(39 * 64);
	fire(40 * 64);
	fire(40 * 64 + 9);
	fire(41 * 64);
	fire(63 * 64);
	collect_round(0, MAX_LOG);
	ASSERT_SEEN(40 * 64 + 9, 41 * 64, 63 * 64, 1, 39 * 64, 40 * 64);
}

static void round_unselected_start_word_is_not_looked_at(void **state)
{
	(void)state;
	fire(5);
	collect_round(0, MAX_LOG);
	live(7);
	(void)evb_test_and_set_bit(guest.pending, 7);
	fire(70);
	collect_round(0, MAX_LOG);
	ASSERT_SEEN(70);
}

/* A word that has been passed waits for the next round, whatever comes. */
static void look_at_words_70_and_140_once(void)
{
	evtchn_port_t port;

	fire(70);
	fire(140);
	guest.collect->begin(&vcpu[0]);
	assert_true(guest.collect->next(&vcpu[0], &port));
	assert_int_equal(port, 70);
	(void)guest.collect->clear(&guest, port);
	assert_true(guest.collect->next(&vcpu[0], &port));
	assert_int_equal(port, 140);
	(void)guest.collect->clear(&guest, port);
	fire(70);
	assert_false(guest.collect->next(&vcpu[0], &port));
	assert_true(evb_test_bit(selector(0), word_of(70)));
}

static void round_looks_at_other_words_once(void **state)
{
	(void)state;
	look_at_words_70_and_140_once();
}

static void round_sees_a_mask_that_was_set_during_it(void **state)
{
	evtchn_port_t port;

	(void)state;
	fire(2);
	fire(3);
	guest.collect->begin(&vcpu[0]);
	assert_true(guest.collect->next(&vcpu[0], &port));
	(void)guest.collect->mask(&guest, 3);
	(void)guest.collect->clear(&guest, port);
	assert_false(guest.collect->next(&vcpu[0], &port));
}

/* Two busy ports and one that fires once: it waits for one call of each. */
static void rounds_of_one_port_are_round_robin(void **state)
{
	static const evtchn_port_t order[] = {2, 3, 900, 2, 3, 900, 2};
	unsigned int i;

	(void)state;
	for (i = 0; i < 7; i++) {
		fire(2);
		fire(3);
		fire(900);
		select_word(0, 0);
		select_word(0, word_of(900));
		collect_round(0, 1);
		ASSERT_SEEN(order[i]);
	}
}

static void timer_comes_first(void **state)
{
	evtchn_port_t port;

	(void)state;
	open_ports(9);
	assert_int_equal(evg_bind_virq(&guest, VIRQ_TIMER, 0, &port), 0);
	assert_int_equal(port, 10);
	fire(3);
	fire(port);
	fire(12);
	collect_round(0, MAX_LOG);
	ASSERT_SEEN(10, 3, 12);
	/* ... and does not move the start, which is past 12 */
	fire(port);
	fire(14);
	fire(3);
	collect_round(0, 2);
	ASSERT_SEEN(10, 14);
}

static void timer_masked_is_not_returned(void **state)
{
	evtchn_port_t port;

	(void)state;
	assert_int_equal(evg_bind_virq(&guest, VIRQ_TIMER, 0, &port), 0);
	(void)evb_test_and_set_bit(guest.pending, port);
	collect_round(0, MAX_LOG);
	assert_int_equal(seen.n, 0);
}

static void timer_of_another_vcpu_is_not_returned(void **state)
{
	evtchn_port_t port;

	(void)state;
	assert_int_equal(evg_bind_virq(&guest, VIRQ_TIMER, 2, &port), 0);
	fire(port);
	select_word(0, 0);
	collect_round(0, MAX_LOG);
	assert_int_equal(seen.n, 0);
	collect_round(2, MAX_LOG);
	ASSERT_SEEN(port);
}

static void put_back_restores_both_halves(void **state)
{
	(void)state;
	fire(5);
	fire(4000);
	guest.collect->begin(&vcpu[0]);
	guest.collect->put_back(&vcpu[0]);
	assert_true(evb_test_bit(selector(0), 0));
	assert_true(evb_test_bit(selector(0), word_of(4000)));
	collect_round(0, MAX_LOG);
	ASSERT_SEEN(5, 4000);
}

static void put_back_keeps_what_came_meanwhile(void **state)
{
	(void)state;
	fire(5);
	guest.collect->begin(&vcpu[0]);
	fire(100);
	guest.collect->put_back(&vcpu[0]);
	collect_round(0, MAX_LOG);
	ASSERT_SEEN(5, 100);
}

static void restart_with(enum evg_layout layout, uint32_t nr_ports)
{
	config.layout = layout;
	config.nr_ports = nr_ports;
	memset(&page, 0, sizeof(page));
	start_guest();
}

static void layout_32_uses_its_offsets(void **state)
{
	(void)state;
	restart_with(EVG_LAYOUT_X86_32, EVTCHN_2L_NR_CHANNELS_32);
	assert_int_equal(page.s32.evtchn_mask[0], UINT32_MAX);
	assert_int_equal(page.s32.evtchn_mask[31], UINT32_MAX);
	assert_int_equal(page.s32.wc_version, 0);
	page.s32.evtchn_mask[31] = 0x7fffffff;
	page.s32.evtchn_pending[31] = 0x80000000;
	page.s32.vcpu_info[0].evtchn_pending_sel = 0x80000000;
	collect_round(0, MAX_LOG);
	ASSERT_SEEN(1023);
	assert_int_equal(page.s32.evtchn_pending[31], 0);
	assert_int_equal(page.s32.vcpu_info[0].evtchn_pending_sel, 0);
}

static void layout_32_scan_wraps_at_its_width(void **state)
{
	(void)state;
	restart_with(EVG_LAYOUT_X86_32, EVTCHN_2L_NR_CHANNELS_32);
	fire(33);
	collect_round(0, MAX_LOG);
	fire(1023);
	fire(1);
	fire(40);
	fire(32);
	collect_round(0, MAX_LOG);
	ASSERT_SEEN(40, 1023, 1, 32);
	fire(1023);
	collect_round(0, MAX_LOG);
	ASSERT_SEEN(1023);
	fire(1);
	fire(1023);
	collect_round(0, MAX_LOG);
	ASSERT_SEEN(1, 1023);
}

static void layout_32_round_looks_at_other_words_once(void **state)
{
	(void)state;
	restart_with(EVG_LAYOUT_X86_32, EVTCHN_2L_NR_CHANNELS_32);
	fire(33); /* so that the next round starts in word 1 */
	collect_round(0, MAX_LOG);
	look_at_words_70_and_140_once();
}

static void layout_arm_uses_its_offsets(void **state)
{
	(void)state;
	restart_with(EVG_LAYOUT_ARM, EVTCHN_2L_NR_CHANNELS_64);
	assert_true(page.arm.evtchn_mask[63] == UINT64_MAX);
	assert_null(info_of(1));
	page.arm.evtchn_mask[63] = ~((uint64_t)1 << 63);
	page.arm.evtchn_pending[63] = (uint64_t)1 << 63;
	page.arm.vcpu_info[0].evtchn_pending_sel = (uint64_t)1 << 63;
	collect_round(0, MAX_LOG);
	ASSERT_SEEN(4095);
}

/* Ports the guest has no entry for are nobody's. */
static void round_port_beyond_the_table_is_not_returned(void **state)
{
	(void)state;
	restart_with(EVG_LAYOUT_X86_64, 70);
	fire(69);
	fire(70);
	collect_round(0, MAX_LOG);
	ASSERT_SEEN(69);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(round_without_selector_returns_nothing),
		TEST(round_selector_without_pending_returns_nothing),
		TEST(round_clears_the_selector),
		TEST(round_returns_pending_and_not_masked_and_owned),
		TEST(round_first_goes_upwards),
		TEST(round_starts_one_past_the_last_port),
		TEST(round_looks_at_the_start_word_twice),
		TEST(round_after_the_last_bit_starts_in_the_next_word),
		TEST(round_after_the_last_port_starts_at_the_first),
		TEST(round_words_wrap_around),
		TEST(round_unselected_start_word_is_not_looked_at),
		TEST(round_looks_at_other_words_once),
		TEST(round_sees_a_mask_that_was_set_during_it),
		TEST(rounds_of_one_port_are_round_robin),
		TEST(timer_comes_first),
		TEST(timer_masked_is_not_returned),
		TEST(timer_of_another_vcpu_is_not_returned),
		TEST(put_back_restores_both_halves),
		TEST(put_back_keeps_what_came_meanwhile),
		TEST(layout_32_uses_its_offsets),
		TEST(layout_32_scan_wraps_at_its_width),
		TEST(layout_32_round_looks_at_other_words_once),
		TEST(layout_arm_uses_its_offsets),
		TEST(round_port_beyond_the_table_is_not_returned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
