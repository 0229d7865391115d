/* SPDX-License-Identifier: MIT */
/*
 * Old bugs of the FIFO queues that need another CPU between two accesses of
 * one function.  core/deliver_fifo.c is compiled once more, with an addition,
 * which is how a port is linked, that lets the guest act first.
 */
#include "fifo_guest.h"

/* What the guest does to @word before each addition. */
static void (*guest_acts)(evb_u32 *word);
static unsigned int nr_tries;

static uint32_t step_add(evb_u32 *p, uint32_t v)
{
	if (p != &d1->fifo->nr_dropped) {
		nr_tries++;
		if (guest_acts)
			guest_acts(p);
	}
	return evb_u32_add(p, v);
}

#undef PENDING
#undef MASKED
#undef LINKED
#undef BUSY
#undef BIT
#define evb_u32_add	 step_add
#define evc_deliver_fifo step_deliver_fifo
#include "core/deliver_fifo.c"
#undef evb_u32_add
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
	evb_u32_store(p, evb_u32_load(p) ^ (MASKED | PENDING));
}

/*
 * Commit dae2a1c5f9 (4.4): a guest that rewrote the tail for ever kept Xen in
 * its loop.  There is no loop: the event is linked in one step, whatever the
 * guest, or a sender to the tail's port, makes of the word meanwhile.
 */
static void tail_rewritten_for_ever_is_linked_in_one_step(void **unused)
{
	(void)unused;
	begin();
	guest_acts = rewrite;
	assert_int_equal(evc_send(d1, b), 0);
	assert_int_equal(nr_tries, 1);
	assert_int_equal(word_now(a) & (LINKED | LINK), LINKED | b);
	assert_int_equal(evb_u32_load(&d1->fifo->nr_dropped), 0);
	assert_int_equal(evc_send(d1, c), 0);
	assert_int_equal(word_now(b) & LINK, c);
	end();
}

static void scribble_link(evb_u32 *p)
{
	(void)evb_u32_or(p, 1000);
}

/* A link the guest wrote itself leads where it likes, and that is counted. */
static void link_scribbled_by_the_guest_is_counted(void **unused)
{
	(void)unused;
	begin();
	guest_acts = scribble_link;
	assert_int_equal(evc_send(d1, b), 0);
	assert_int_equal(evb_u32_load(&d1->fifo->nr_dropped), 1);
	guest_acts = NULL;
	assert_int_equal(evc_send(d1, c), 0);
	assert_int_equal(word_now(b) & LINK, c);
	end();
}

/* What was scribbled before is cleared, BUSY as well. */
static void old_scribble_in_the_tail_is_replaced(void **unused)
{
	(void)unused;
	begin();
	(void)evb_u32_or(word(a), 1000);
	assert_int_equal(evc_send(d1, b), 0);
	assert_int_equal(word_now(a) & (LINKED | BUSY | LINK), LINKED | b);
	(void)evb_u32_or(word(b), BUSY);
	assert_int_equal(evc_send(d1, c), 0);
	assert_int_equal(word_now(b) & (LINKED | BUSY | LINK), LINKED | c);
	assert_int_equal(evb_u32_load(&d1->fifo->nr_dropped), 0);
	end();
}

/* --- a guest that keeps to the ABI --------------------------------------------- */

static void consume(evb_u32 *p)
{
	(void)p;
	(void)fifo_drain(0, got, 8);
}

/* The tail is taken out; then its word changes while the link is undone. */
static void consume_then_mask(evb_u32 *p)
{
	if (nr_tries == 1)
		consume(p);
	else
		(void)evb_u32_or(p, MASKED | PENDING);
}

/*
 * The same commit, its other half: whatever a guest does within the ABI, an
 * event is not given up, and the tail's word keeps what was done to it.
 */
static void tail_changed_within_the_abi_loses_no_event(void **unused)
{
	(void)unused;
	begin();
	guest_acts = consume_then_mask;
	assert_int_equal(evc_send(d1, b), 0);
	assert_int_equal(evb_u32_load(&d1->fifo->nr_dropped), 0);
	guest_acts = NULL;
	assert_int_equal(word_now(a), MASKED | PENDING);
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
		cmocka_unit_test(tail_rewritten_for_ever_is_linked_in_one_step),
		cmocka_unit_test(link_scribbled_by_the_guest_is_counted),
		cmocka_unit_test(old_scribble_in_the_tail_is_replaced),
		cmocka_unit_test(tail_changed_within_the_abi_loses_no_event),
		cmocka_unit_test(tail_consumed_while_linking_makes_a_new_head),
	};

	return cmocka_run_group_tests_name("regress fifo steps", tests, NULL,
					   NULL);
}
