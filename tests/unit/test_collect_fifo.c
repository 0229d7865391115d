/* SPDX-License-Identifier: MIT */
/*
 * guest/collect_fifo.c: which ports come out of the queues, in which order,
 * what a mask does, and what a hypervisor that is odd or hostile can do with
 * the words.
 *
 * collect_fifo.c is in this file a second time, with a hook before each
 * compare-and-exchange, so that the other side can be there first.
 */
#include <base/atomic.h>

/* --- the second one, with hooks ------------------------------------------ */

static void (*before_cas)(evb_u32 *word);

static bool hooked_cas(evb_u32 *p, uint32_t *expected, uint32_t v)
{
	if (before_cas)
		before_cas(p);
	return evb_u32_cas(p, expected, v);
}

#define evb_u32_cas	 hooked_cas
#define evg_collect_fifo hooked_fifo
#define word_of		 hooked_word_of
#include "guest/collect_fifo.c"
#undef evb_u32_cas
#undef evg_collect_fifo
#undef word_of

extern const struct evg_collect evg_collect_fifo;

#include "test_fifo_platform.h"

/* --- order --------------------------------------------------------------- */

static void queue_is_handled_in_the_order_of_the_events(void **state)
{
	(void)state;
	live_ports(9);
	send(7);
	send(2);
	send(9);
	send(2); /* merges */
	assert_int_equal(upcall(0), 3);
	ASSERT_SEEN(7, 2, 9);
	assert_word(7, 0);
	assert_word(2, 0);
	assert_word(9, 0);
	assert_int_equal(flag(0), 0);
	assert_int_equal(controls[0].block.ready, 0);
	assert_int_equal(vcpu[0].nr_bad_links.v, 0);
}

static void queue_that_was_empty_begins_anew(void **state)
{
	(void)state;
	live_ports(3);
	send(1);
	assert_int_equal(upcall(0), 1);
	send(1);
	send(3);
	assert_int_equal(upcall(0), 2);
	ASSERT_SEEN(1, 1, 3);
}

static void priorities_are_served_highest_first(void **state)
{
	uint32_t prio;

	(void)state;
	live_ports(16);
	for (prio = 0; prio < 16; prio++)
		set_priority(16 - prio, prio);
	for (prio = 16; prio-- > 0;)
		send(16 - prio);
	assert_int_equal(upcall(0), 16);
	for (prio = 0; prio < 16; prio++)
		assert_int_equal(seen.port[prio], 16 - prio);
}

static void send_urgent(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	record(v, port, ctx);
	if (port == 1)
		send(4);
}

/* It came while port 1 was handled, and does not wait for 2 and 3. */
static void urgent_event_overtakes_a_queue_that_has_begun(void **state)
{
	evtchn_port_t p;

	(void)state;
	open_ports(4);
	for (p = 1; p <= 4; p++)
		assert_int_equal(
			evg_bind_handler(&guest, p, 0, send_urgent, NULL), 0);
	set_priority(4, 0);
	send(1);
	send(2);
	send(3);
	assert_int_equal(upcall(0), 4);
	ASSERT_SEEN(1, 4, 2, 3);
}

/* The head is read again only after the queue was empty. */
static void head_is_not_read_in_the_middle_of_a_queue(void **state)
{
	evtchn_port_t port;

	(void)state;
	live_ports(5);
	send(1);
	send(2);
	vcpu[0].spare = 100;
	guest.collect->begin(&vcpu[0]);
	assert_true(guest.collect->next(&vcpu[0], &port));
	controls[0].block.head[7] = 5;
	assert_true(guest.collect->next(&vcpu[0], &port));
	assert_int_equal(port, 2);
	assert_false(guest.collect->next(&vcpu[0], &port));
}

static void timer_gets_the_highest_priority(void **state)
{
	evtchn_port_t port;

	(void)state;
	live_ports(2);
	assert_int_equal(evg_bind_virq(&guest, VIRQ_TIMER, 0, &port), 0);
	bind_recorder(port);
	assert_int_equal(hv.priority[port], EVTCHN_FIFO_PRIORITY_MAX);
	send(1);
	send(2);
	send(port);
	assert_int_equal(upcall(0), 3);
	ASSERT_SEEN(port, 1, 2);
}

/* --- mask and pending ---------------------------------------------------- */

static void masked_in_a_queue_is_taken_out_and_not_handled(void **state)
{
	(void)state;
	live_ports(3);
	send(1);
	send(2);
	send(3);
	assert_int_equal(evg_mask(&guest, 2), 0);
	assert_int_equal(upcall(0), 2);
	ASSERT_SEEN(1, 3);
	assert_word(2, PENDING | MASKED);
	xen.nr_calls = 0;
	assert_int_equal(evg_unmask(&guest, 2), 0);
	assert_int_equal(calls(EVTCHNOP_unmask, 2), 1);
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(1, 3, 2);
	assert_word(2, 0);
}

static void unmask_of_a_port_still_queued_needs_no_hypercall(void **state)
{
	(void)state;
	live_ports(2);
	send(1);
	send(2);
	assert_int_equal(evg_mask(&guest, 2), 0);
	xen.nr_calls = 0;
	assert_int_equal(evg_unmask(&guest, 2), 0);
	assert_int_equal(xen.nr_calls, 0);
	assert_word(2, PENDING | LINKED);
	assert_int_equal(upcall(0), 2);
	ASSERT_SEEN(1, 2);
}

static void
unmask_of_a_port_that_is_not_pending_needs_no_hypercall(void **state)
{
	(void)state;
	live_ports(1);
	assert_int_equal(evg_mask(&guest, 1), 0);
	assert_true(evg_is_masked(&guest, 1));
	xen.nr_calls = 0;
	assert_int_equal(evg_unmask(&guest, 1), 0);
	assert_false(evg_is_masked(&guest, 1));
	assert_int_equal(xen.nr_calls, 0);
	assert_word(1, 0);
}

static void event_while_masked_is_replayed_by_the_unmask(void **state)
{
	(void)state;
	live_ports(1);
	assert_int_equal(evg_mask(&guest, 1), 0);
	send(1);
	assert_int_equal(flag(0), 0);
	assert_true(evg_is_pending(&guest, 1));
	assert_int_equal(upcall(0), 0);
	assert_int_equal(evg_unmask(&guest, 1), 0);
	assert_int_equal(upcall(0), 1);
}

static void event_cleared_while_queued_is_not_handled(void **state)
{
	(void)state;
	live_ports(2);
	send(1);
	send(2);
	assert_int_equal(evg_clear_pending(&guest, 1), 0);
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(2);
	assert_word(1, 0);
	assert_int_equal(calls(EVTCHNOP_unmask, 1), 0);
	send(1);
	assert_int_equal(upcall(0), 1);
}

/* It is not even offered: not passed on, not counted as missed. */
static void event_cleared_while_queued_is_not_returned(void **state)
{
	evtchn_port_t port;

	(void)state;
	live_ports(1);
	send(1);
	assert_int_equal(evg_clear_pending(&guest, 1), 0);
	vcpu[0].spare = 100;
	guest.collect->begin(&vcpu[0]);
	assert_false(guest.collect->next(&vcpu[0], &port));
	assert_int_equal(vcpu[0].spare, 99);
}

static void set_pending_fires_through_the_hypervisor(void **state)
{
	(void)state;
	live_ports(1);
	assert_int_equal(evg_set_pending(&guest, 1), 0);
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(1);
}

static unsigned int relaxed;

static void stop_being_busy(void)
{
	relaxed++;
	assert_true(evb_u32_load(word(1)) & MASKED);
	if (relaxed == 3)
		(void)evb_u32_and(word(1), ~BUSY);
}

static void unmask_waits_while_the_word_is_busy(void **state)
{
	(void)state;
	live_ports(1);
	assert_int_equal(evg_mask(&guest, 1), 0);
	(void)evb_u32_or(word(1), BUSY);
	relaxed = 0;
	xen.nr_calls = 0;
	xen.during_relax = stop_being_busy;
	assert_int_equal(evg_unmask(&guest, 1), 0);
	assert_int_equal(relaxed, 3);
	assert_int_equal(xen.nr_calls, 0);
	assert_word(1, 0);
}

static void check_left_masked(unsigned int nr, unsigned int cmd)
{
	(void)nr;
	if (cmd == EVTCHNOP_unmask)
		assert_word(1, MASKED | BUSY);
}

static void unmask_of_a_word_busy_for_ever_is_the_hypervisors(void **state)
{
	(void)state;
	live_ports(1);
	assert_int_equal(evg_mask(&guest, 1), 0);
	(void)evb_u32_or(word(1), BUSY);
	xen.during_hypercall = check_left_masked;
	assert_int_equal(evg_unmask(&guest, 1), 0);
	assert_int_equal(calls(EVTCHNOP_unmask, 1), 1);
	assert_word(1, BUSY);
	/* BUSY does not keep it in its queue. */
	send(1);
	assert_int_equal(upcall(0), 1);
	assert_word(1, BUSY);
}

/* --- the other side is there first --------------------------------------- */

static void send_2(evb_u32 *w)
{
	before_cas = NULL;
	assert_ptr_equal(w, word(1));
	send(2);
}

/* MO-LINK: it is appended between the look and the exchange. */
static void event_linked_behind_the_word_in_hand_follows_it(void **state)
{
	(void)state;
	live_ports(2);
	guest.collect = &hooked_fifo;
	send(1);
	before_cas = send_2;
	assert_int_equal(upcall(0), 2);
	ASSERT_SEEN(1, 2);
	assert_word(1, 0);
}

static void mask_1(evb_u32 *w)
{
	(void)w;
	before_cas = NULL;
	assert_int_equal(evg_mask(&guest, 1), 0);
}

static void mask_before_the_word_is_taken_out_counts(void **state)
{
	(void)state;
	live_ports(1);
	guest.collect = &hooked_fifo;
	send(1);
	before_cas = mask_1;
	assert_int_equal(upcall(0), 0);
	assert_word(1, PENDING | MASKED);
	assert_int_equal(evg_unmask(&guest, 1), 0);
	assert_int_equal(upcall(0), 1);
}

static void send_1(evb_u32 *w)
{
	(void)w;
	before_cas = NULL;
	send(1);
}

/* MO-MASK */
static void event_between_look_and_unmask_is_announced(void **state)
{
	(void)state;
	live_ports(1);
	guest.collect = &hooked_fifo;
	assert_int_equal(evg_mask(&guest, 1), 0);
	before_cas = send_1;
	assert_int_equal(evg_unmask(&guest, 1), 0);
	assert_int_equal(calls(EVTCHNOP_unmask, 1), 1);
	assert_int_equal(upcall(0), 1);
}

static void collect_1(evb_u32 *w)
{
	(void)w;
	before_cas = NULL;
	assert_int_equal(upcall(0), 0);
	assert_word(1, PENDING | MASKED);
}

/* It was in a queue when looked at, and was taken out before the exchange. */
static void port_collected_between_look_and_unmask_is_announced(void **state)
{
	(void)state;
	live_ports(1);
	guest.collect = &hooked_fifo;
	send(1);
	assert_int_equal(evg_mask(&guest, 1), 0);
	before_cas = collect_1;
	assert_int_equal(evg_unmask(&guest, 1), 0);
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(1);
}

static unsigned int nr_changes;

static void change(evb_u32 *w)
{
	nr_changes++;
	(void)evb_u32_add(w, 1u << 18); /* a bit that means nothing */
}

static void word_that_keeps_changing_waits_for_the_next_upcall(void **state)
{
	(void)state;
	live_ports(2);
	guest.collect = &hooked_fifo;
	send(1);
	send(2);
	before_cas = change;
	nr_changes = 0;
	assert_int_equal(upcall(0), 0);
	assert_true(nr_changes > 10 && nr_changes < 1000);
	assert_true(evg_upcall_is_pending(&vcpu[0]));
	assert_int_equal(vcpu[0].nr_exhausted.v, 1);
	before_cas = NULL;
	assert_int_equal(upcall(0), 2);
	ASSERT_SEEN(1, 2);
}

static void unmask_of_a_word_that_keeps_changing_is_bounded(void **state)
{
	(void)state;
	live_ports(1);
	guest.collect = &hooked_fifo;
	assert_int_equal(evg_mask(&guest, 1), 0);
	before_cas = change;
	nr_changes = 0;
	assert_int_equal(evg_unmask(&guest, 1), 0);
	assert_true(nr_changes < 1000);
	assert_int_equal(calls(EVTCHNOP_unmask, 1), 1);
	assert_false(evg_is_masked(&guest, 1));
}

/* --- words no hypervisor should make ------------------------------------- */

static void ready(uint32_t queues)
{
	(void)evb_u32_or((evb_u32 *)&controls[0].block.ready, queues);
	set_flag(0, 1);
}

static void ready_without_a_head_is_tolerated(void **state)
{
	(void)state;
	live_ports(1);
	ready(UINT32_MAX);
	assert_int_equal(upcall(0), 0);
	send(1);
	assert_int_equal(upcall(0), 1);
}

static void ready_with_an_old_head_handles_nothing_twice(void **state)
{
	(void)state;
	live_ports(1);
	send(1);
	assert_int_equal(upcall(0), 1);
	(void)evb_u32_or(word(1), PENDING); /* but in no queue */
	ready(BIT(7));
	assert_int_equal(upcall(0), 0);
	assert_int_equal(vcpu[0].nr_bad_links.v, 1);
	assert_word(1, PENDING);
}

static void link_to_itself_ends(void **state)
{
	(void)state;
	live_ports(1);
	send(1);
	(void)evb_u32_or(word(1), 1);
	assert_int_equal(upcall(0), 1);
	assert_int_equal(vcpu[0].nr_bad_links.v, 1);
	assert_word(1, 0);
}

static void ring_of_links_ends(void **state)
{
	(void)state;
	live_ports(3);
	send(1);
	send(2);
	send(3);
	(void)evb_u32_or(word(3), 1);
	assert_int_equal(upcall(0), 3);
	ASSERT_SEEN(1, 2, 3);
	assert_int_equal(vcpu[0].nr_bad_links.v, 1);
	hv.tail[0][7] = 0;
	send(2);
	assert_int_equal(upcall(0), 1);
}

static void link_to_a_port_without_page_ends(void **state)
{
	(void)state;
	live_ports(1);
	send(1);
	(void)evb_u32_or(word(1), EVTCHN_FIFO_NR_CHANNELS - 1);
	assert_int_equal(upcall(0), 1);
	assert_int_equal(vcpu[0].nr_bad_links.v, 1);
	send(1);
	assert_int_equal(upcall(0), 1);
}

static void head_beyond_every_port_ends(void **state)
{
	(void)state;
	live_ports(1);
	controls[0].block.head[3] = UINT32_MAX;
	controls[0].block.head[4] = EVTCHN_FIFO_NR_CHANNELS;
	ready(BIT(3) | BIT(4));
	send(1);
	assert_int_equal(upcall(0), 1);
	assert_int_equal(vcpu[0].nr_bad_links.v, 2);
}

static void port_without_entry_is_taken_out_and_nobodys(void **state)
{
	(void)state;
	live_ports(1);
	assert_int_equal(evg_unmask(&guest, NR_PORTS - 1), 0);
	assert_int_equal(hv.nr_pages, NR_PAGES);
	(void)evb_u32_and(word(NR_PORTS), ~MASKED);
	send(NR_PORTS);
	send(1);
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(1);
	assert_word(NR_PORTS, PENDING);
}

static uint64_t seed;

static uint32_t draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16);
}

/* Mostly what could be a word, or a head. */
static uint32_t draw_word(void)
{
	uint32_t w = draw();

	return w % 8 ? w & (0xf0000000 | 255) : w;
}

static void scribble(void)
{
	uint32_t i;

	for (i = 0; i < 40; i++) {
		evb_u32_store(word(draw() % 256), draw_word());
		evb_u32_store((evb_u32 *)&controls[0] + draw() % 18,
			      draw_word() & 0x0fffffff);
	}
	set_flag(0, 1);
}

static void count_and_scribble(struct evg_vcpu *v, evtchn_port_t port,
			       void *ctx)
{
	(void)v, (void)port, (void)ctx;
	seen.n++;
	scribble();
}

/* Every upcall ends, handles at most its budget, and touches nothing else. */
static void random_words_are_bounded_and_harmless(void **state)
{
	evtchn_port_t p;
	uint32_t i;

	(void)state;
	xen.valid = EVTCHN_2L_NR_CHANNELS_64;
	open_ports(200);
	for (p = 1; p <= 200; p++)
		assert_int_equal(evg_bind_handler(&guest, p, 0,
						  count_and_scribble, NULL),
				 0);
	assert_int_equal(evg_unmask(&guest, NR_PORTS - 1), 0);
	guest.budget = 4;
	seed = 0x9e3779b97f4a7c15u;
	/* From here on nothing the hypervisor does is of use. */
	memset(hv.tail, 0, sizeof(hv.tail));
	for (i = 0; i < 5000; i++) {
		seen.n = 0;
		scribble();
		(void)upcall(0);
		assert_true(seen.n <= 4);
	}
	assert_true(vcpu[0].nr_handled.v > 1000);
	assert_true(vcpu[0].nr_bad_links.v > 1000);
	assert_true(vcpu[0].nr_exhausted.v > 0);
}

/* --- budgets ------------------------------------------------------------- */

static void budget_used_up_goes_on_where_it_was(void **state)
{
	(void)state;
	guest.budget = 2;
	live_ports(5);
	send(5);
	send(4);
	send(3);
	send(2);
	assert_int_equal(upcall(0), 2);
	assert_true(evg_upcall_is_pending(&vcpu[0]));
	assert_int_equal(vcpu[0].nr_exhausted.v, 1);
	send(1);
	assert_int_equal(upcall(0), 2);
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(5, 4, 3, 2, 1);
}

static void storm(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	record(v, port, ctx);
	send(port);
}

static void storm_is_bounded_and_spares_the_others(void **state)
{
	evtchn_port_t p;

	(void)state;
	guest.budget = 10;
	open_ports(4);
	for (p = 1; p <= 3; p++)
		assert_int_equal(evg_bind_handler(&guest, p, 0, storm, NULL),
				 0);
	bind_recorder(4);
	for (p = 1; p <= 4; p++)
		send(p);
	assert_int_equal(upcall(0), 10);
	ASSERT_SEEN(1, 2, 3, 4, 1, 2, 3, 1, 2, 3);
	assert_true(evg_upcall_is_pending(&vcpu[0]));
}

/* A thousand words that lead to nothing, then one that does. */
static void words_for_nothing_are_bounded(void **state)
{
	evtchn_port_t p;
	uint32_t i;

	(void)state;
	guest.budget = 100;
	live_ports(1000);
	for (p = 1; p <= 1000; p++)
		send(p);
	for (p = 1; p < 1000; p++)
		assert_int_equal(evg_mask(&guest, p), 0);
	for (i = 0; i < 9; i++) {
		assert_int_equal(upcall(0), 0);
		assert_true(evg_upcall_is_pending(&vcpu[0]));
		assert_word((i + 1) * 100, PENDING | MASKED);
		assert_true(evb_u32_load(word((i + 1) * 100 + 1)) & LINKED);
	}
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(1000);
	assert_int_equal(flag(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_FIFO(queue_is_handled_in_the_order_of_the_events),
		TEST_FIFO(queue_that_was_empty_begins_anew),
		TEST_FIFO(priorities_are_served_highest_first),
		TEST_FIFO(urgent_event_overtakes_a_queue_that_has_begun),
		TEST_FIFO(head_is_not_read_in_the_middle_of_a_queue),
		TEST_FIFO(timer_gets_the_highest_priority),
		TEST_FIFO(masked_in_a_queue_is_taken_out_and_not_handled),
		TEST_FIFO(unmask_of_a_port_still_queued_needs_no_hypercall),
		TEST_FIFO(
			unmask_of_a_port_that_is_not_pending_needs_no_hypercall),
		TEST_FIFO(event_while_masked_is_replayed_by_the_unmask),
		TEST_FIFO(event_cleared_while_queued_is_not_handled),
		TEST_FIFO(event_cleared_while_queued_is_not_returned),
		TEST_FIFO(set_pending_fires_through_the_hypervisor),
		TEST_FIFO(unmask_waits_while_the_word_is_busy),
		TEST_FIFO(unmask_of_a_word_busy_for_ever_is_the_hypervisors),
		TEST_FIFO(event_linked_behind_the_word_in_hand_follows_it),
		TEST_FIFO(mask_before_the_word_is_taken_out_counts),
		TEST_FIFO(event_between_look_and_unmask_is_announced),
		TEST_FIFO(port_collected_between_look_and_unmask_is_announced),
		TEST_FIFO(word_that_keeps_changing_waits_for_the_next_upcall),
		TEST_FIFO(unmask_of_a_word_that_keeps_changing_is_bounded),
		TEST_FIFO(ready_without_a_head_is_tolerated),
		TEST_FIFO(ready_with_an_old_head_handles_nothing_twice),
		TEST_FIFO(link_to_itself_ends),
		TEST_FIFO(ring_of_links_ends),
		TEST_FIFO(link_to_a_port_without_page_ends),
		TEST_FIFO(head_beyond_every_port_ends),
		TEST_FIFO(port_without_entry_is_taken_out_and_nobodys),
		TEST_FIFO(random_words_are_bounded_and_harmless),
		TEST_FIFO(budget_used_up_goes_on_where_it_was),
		TEST_FIFO(storm_is_bounded_and_spares_the_others),
		TEST_FIFO(words_for_nothing_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
