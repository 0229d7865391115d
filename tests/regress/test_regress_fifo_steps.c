/* SPDX-License-Identifier: MIT */
/*
 * Old bugs of the FIFO queues that need another CPU between two accesses of
 * one function.  core/deliver_fifo.c is compiled once more, with a compare-
 * and-exchange that lets the guest act first.
 */
#include "fifo_guest.h"

/* What the guest does to @word before each try. */
static void (*guest_acts)(evb_u32 *word);
static unsigned int nr_tries;

static bool step_cas(evb_u32 *p, uint32_t *expected, uint32_t v)
{
	nr_tries++;
	if (guest_acts)
		guest_acts(p);
	return evb_u32_cas(p, expected, v);
}

#undef PENDING
#undef MASKED
#undef LINKED
#undef BUSY
#undef BIT
#define evb_u32_cas	 step_cas
#define evc_deliver_fifo step_deliver_fifo
#include "core/deliver_fifo.c"
#undef evb_u32_cas
#undef evc_deliver_fifo

static evtchn_port_t a, b, c, got[8];

/* A domain with FIFO in use, by the copy above from now on; a is queued. */
static void begin(void)
{
	start_fifo();
	forget_views();
	evb_ptr_store(&d1->deliver, (void *)(uintptr_t)&step_deliver_fifo);
	guest_acts = NULL;
	nr_tries = 0;
	a = ipi(0);
	b = ipi(0);
	c = ipi(0);
	assert_int_equal(evc_send(d1, a), 0);
}

/* Reset asks for the true table. */
static void end(void)
{
	guest_acts = NULL;
	fake_end();
}

/* --- a guest that never stops --------------------------------------------------- */

static void rewrite(evb_u32 *p)
{
	evb_u32_store(p, evb_u32_load(p) ^ MASKED);
}

/*
 * Commit dae2a1c5f9 (4.4): a guest that rewrote the tail for ever kept Xen in
 * its loop.  The number of tries is bounded, BUSY is on after the first and
 * gone at the end, and the loss is counted.
 */
static void tail_rewritten_for_ever_is_given_up_and_counted(void **unused)
{
	(void)unused;
	begin();
	guest_acts = rewrite;
	assert_int_equal(evc_send(d1, b), 0);
	assert_in_range(nr_tries, 1, 8);
	assert_int_equal(word_now(a) & BUSY, 0);
	assert_int_equal(evb_u32_load(&d1->fifo->nr_dropped), 1);
	/* Others are not hurt: what comes next is queued behind b. */
	guest_acts = NULL;
	nr_tries = 0;
	assert_int_equal(evc_send(d1, c), 0);
	assert_int_equal(nr_tries, 1);
	assert_int_equal(word_now(b) & LINK, c);
	end();
}

/* --- a guest that keeps to the ABI --------------------------------------------- */

/* All a guest may do, the last one takes the tail out of the queue. */
static void mask(evb_u32 *p)
{
	(void)evb_u32_or(p, MASKED);
}

static void clear_pending(evb_u32 *p)
{
	(void)evb_u32_and(p, ~PENDING);
}

static void unmask(evb_u32 *p)
{
	assert_false(evb_u32_load(p) & BUSY); /* else it had to wait */
	(void)evb_u32_and(p, ~MASKED);
}

static void consume(evb_u32 *p)
{
	(void)p;
	(void)fifo_drain(0, got, 8);
}

static void (*const legal[])(evb_u32 *p) = {unmask, mask, clear_pending,
					    consume};

static void do_legal(evb_u32 *p)
{
	if (nr_tries <= 4)
		legal[nr_tries - 1](p);
}

/*
 * The same commit, its other half: whatever a guest does within the ABI, an
 * event is not given up.
 */
static void tail_changed_within_the_abi_loses_no_event(void **unused)
{
	(void)unused;
	begin();
	mask(word(a)); /* too late: it is queued */
	guest_acts = do_legal;
	assert_int_equal(evc_send(d1, b), 0);
	assert_int_equal(evb_u32_load(&d1->fifo->nr_dropped), 0);
	guest_acts = NULL;
	assert_int_equal(word_now(a) & (BUSY | LINKED), 0);
	assert_int_equal(head_of(0, 7), b);
	assert_int_equal(fifo_drain(0, got, 8), 1);
	assert_int_equal(got[0], b);
	end();
}

/*
 * Commit 70ccddb14a (4.4): the guest takes the tail out while the event is
 * being linked behind it.  The event is then a new head, and READY says so.
 */
static void tail_consumed_while_linking_makes_a_new_head(void **unused)
{
	(void)unused;
	begin();
	guest_acts = consume;
	fake_clear_upcall(&d1->vcpu[0]);
	assert_int_equal(evc_send(d1, b), 0);
	guest_acts = NULL;
	assert_int_equal(got[0], a);
	assert_int_equal(word_now(a), 0);
	assert_int_equal(head_of(0, 7), b);
	assert_int_equal(evb_u32_load(ready_word(0)), 1u << 7);
	assert_true(fake_upcall(&d1->vcpu[0]));
	assert_int_equal(fifo_drain(0, got, 8), 1);
	assert_int_equal(got[0], b);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			tail_rewritten_for_ever_is_given_up_and_counted),
		cmocka_unit_test(tail_changed_within_the_abi_loses_no_event),
		cmocka_unit_test(tail_consumed_while_linking_makes_a_new_head),
	};

	return cmocka_run_group_tests_name("regress fifo steps", tests, NULL,
					   NULL);
}
