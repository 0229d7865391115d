/* SPDX-License-Identifier: MIT */
/*
 * Old bugs of FIFO event channels, one thread at a time.
 * docs/regressions.md has the list; the races are in
 * test_regress_fifo_threads.c, a guest that disturbs between two accesses in
 * test_regress_fifo_steps.c.
 */
#include "fifo_guest.h"

static evtchn_port_t got[16];

static void begin(void)
{
	forget_views();
	start_fifo();
}

/* --- control blocks ------------------------------------------------------------ */

/*
 * XSA-107 (CVE-2014-6268): only vCPUs with a control block had queues; an event
 * for another one, or whose last queue was another one's, met a NULL pointer.
 * Since commit 8aa0e9d2d1 (4.17) such an event leaves no PENDING bit either.
 */
static void
vcpu_without_control_block_drops_events_and_nothing_else(void **unused)
{
	evtchn_port_t p0, p1, p2, moved, far;

	(void)unused;
	forget_views();
	start_2l();
	assert_int_equal(init_control(1), 0);
	assert_int_equal(evc_expand_array(d1, 1), 0);
	p0 = ipi(0);
	p1 = ipi(1);
	p2 = ipi(2);
	moved = from_d2(&far); /* bound to vCPU 0 */
	fake_forget();
	assert_int_equal(evc_send(d2, far), 0);
	assert_int_equal(evc_send(d1, p0), 0);
	assert_int_equal(evc_send(d1, p2), 0);
	assert_int_equal(evc_unmask(d1, p2), 0);
	assert_int_equal(evc_set_priority(d1, p2, 3), 0);
	assert_int_equal(evc_send(d1, p2), 0);
	assert_int_equal(word_now(p0) | word_now(p2) | word_now(moved), 0);
	assert_int_equal(fake_kicks(), 0);
	assert_int_equal(evc_send(d1, p1), 0);
	/* From nowhere to vCPU 1, to vCPU 2, and back. */
	assert_int_equal(evc_bind_vcpu(d1, moved, 1), 0);
	assert_int_equal(evc_send(d2, far), 0);
	assert_int_equal(fifo_drain(1, got, 16), 2);
	assert_int_equal(evc_bind_vcpu(d1, moved, 2), 0);
	assert_int_equal(evc_send(d2, far), 0);
	assert_int_equal(word_now(moved), 0);
	assert_int_equal(evc_bind_vcpu(d1, moved, 1), 0);
	assert_int_equal(evc_send(d2, far), 0);
	assert_int_equal(fifo_drain(1, got, 16), 1);
	assert_int_equal(got[0], moved);
	fake_end();
}

/* Commit 8aa0e9d2d1 (4.17), by itself: a masked event is no exception. */
static void dropped_event_leaves_no_pending_bit(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	forget_views();
	start_2l();
	assert_int_equal(init_control(1), 0);
	assert_int_equal(evc_expand_array(d1, 1), 0);
	port = ipi(0);
	evb_u32_store(word(port), MASKED);
	assert_int_equal(evc_send(d1, port), 0);
	assert_int_equal(word_now(port), MASKED);
	assert_int_equal(evb_u32_load(&d1->fifo->nr_dropped), 1);
	/* With a block it is there to be sent to. */
	assert_int_equal(init_control(0), 0);
	assert_int_equal(evc_send(d1, port), 0);
	assert_int_equal(word_now(port), MASKED | PENDING);
	fake_end();
}

/*
 * XSA-188 (CVE-2016-7154): a first init_control with a bad frame freed what it
 * had allocated, and left pointers to it.
 */
static void first_control_block_refused_leaves_a_clean_start(void **unused)
{
	struct evtchn_init_control bad[] = {
		{.control_gfn = FAKE_FRAMES},
		{.control_gfn = UINT64_MAX, .vcpu = 2},
		{.control_gfn = 0, .offset = 4096 - 64},
		{.control_gfn = 0, .offset = UINT32_MAX - 7},
		{.control_gfn = 0, .offset = 12},
		{.control_gfn = 0, .vcpu = FIFO_VCPUS},
	};
	evtchn_port_t port;
	unsigned int i, k;

	(void)unused;
	forget_views();
	start_2l();
	port = ipi(0);
	for (k = 0; k < 3; k++) {
		for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			assert_true(evc_init_control(d1, &bad[i]) < 0);
		/* Still 2-level, in every respect. */
		assert_int_equal(evc_expand_array(d1, 1), -XEN_EOPNOTSUPP);
		assert_int_equal(evc_set_priority(d1, port, 1), -XEN_ENOSYS);
		assert_int_equal(evc_send(d1, port), 0);
		assert_true(fake_pending(d1, port));
		fake_clear_pending(d1, port);
	}
	assert_int_equal(fake.mapped, 0);
	assert_int_equal(init_control(0), 0);
	assert_int_equal(evc_expand_array(d1, 1), 0);
	assert_true(evc_init_control(d1, &bad[1]) < 0);
	assert_int_equal(evc_send(d1, port), 0);
	assert_int_equal(fifo_drain(0, got, 16), 1);
	assert_int_equal(evc_domain_destroy(d1), 0);
	assert_int_equal(fake.mapped, 0);
	fake_end();
}

/* --- ports beyond 2-level ------------------------------------------------------ */

static void ignore(struct evc_vcpu *v, evtchn_port_t port)
{
	(void)v;
	(void)port;
}

/*
 * XSA-338 (CVE-2020-25597): after a reset to 2-level, ports beyond 4095 were
 * taken for invalid, also the hypervisor's, which a reset spares.
 */
static void
owned_port_beyond_two_level_survives_a_reset_and_closes(void **unused)
{
	evtchn_port_t owned, far, port = 0;

	(void)unused;
	begin();
	while (port < 5000)
		port = ipi(0);
	assert_int_equal(evc_consumer_alloc(d1, 0, 2, ignore, &owned), 0);
	assert_int_equal(owned, 5001);
	assert_int_equal(evc_bind_interdomain(d2, 1, owned, &far), 0);
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), 0);
	fake_assert_status(d1, owned, EVTCHNSTAT_interdomain);
	fake_assert_status(d1, 5000, EVTCHNSTAT_closed);
	assert_int_equal(evc_send(d2, far), 0);
	assert_int_equal(evc_unmask(d1, owned), 0);
	assert_int_equal(evc_close(d1, 5000), -XEN_EINVAL);
	assert_int_equal(evc_close(d2, far), 0);
	fake_assert_status(d1, owned, EVTCHNSTAT_unbound);
	assert_int_equal(evc_consumer_free(d1, owned), 0);
	assert_int_equal(d1->ports.nr_open, 0);
	assert_int_equal(evc_domain_destroy(d1), 0);
	fake_end();
}

/* --- pages --------------------------------------------------------------------- */

/* Commit 917c123029 (4.4): an event before its page was lost. */
static void event_before_its_page_is_delivered_once_with_it(void **unused)
{
	evtchn_port_t low, high = 0;

	(void)unused;
	begin();
	low = ipi(1);
	while (high < 1500)
		high = ipi(1);
	assert_int_equal(evc_send(d1, high), 0);
	assert_int_equal(evc_send(d1, high), 0);
	assert_int_equal(evc_send(d1, low), 0);
	assert_int_equal(fifo_drain(1, got, 16), 1);
	fake_forget();
	fake_clear_upcall(&d1->vcpu[1]);
	assert_int_equal(evc_expand_array(d1, 2), 0);
	assert_int_equal(fake_kicks(), 1);
	assert_int_equal(fifo_drain(1, got, 16), 1);
	assert_int_equal(got[0], high);
	assert_int_equal(evc_expand_array(d1, 3), 0);
	assert_int_equal(fifo_drain(1, got, 16), 0);
	fake_end();
}

/*
 * XSA-505 (CVE-2026-62432): expand_array asked whether FIFO is in use before
 * it had the lock; a reset in between had freed what it then used.
 */
static void (*in_the_way)(void);

static void let_the_other_one_reset(struct fake *f)
{
	f->relax = NULL;
	evb_unlock(&d1->lock);
	in_the_way();
}

static void reset_now(void)
{
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), 0);
}

static void expand_array_overtaken_by_a_reset_is_refused(void **unused)
{
	(void)unused;
	begin();
	in_the_way = reset_now;
	fake.relax = let_the_other_one_reset;
	evb_lock(&d1->lock, evc_host_relax);
	assert_int_equal(evc_expand_array(d1, 2), -XEN_EOPNOTSUPP);
	assert_int_equal(d1->fifo->nr_pages, 0);
	assert_int_equal(fake.mapped, 0);
	fake_end();
}

/* Commit 3a6cb6aae4 (2026), as it was: the words of all but one page went to 0. */
static void first_and_last_word_of_every_page_are_reached(void **unused)
{
	evtchn_port_t port = 0, page;

	(void)unused;
	begin();
	for (page = 1; page < EVC_FIFO_MAX_PAGES; page++)
		assert_int_equal(evc_expand_array(d1, 1 + page % 7), 0);
	while (port < EVTCHN_FIFO_NR_CHANNELS - 1) {
		evb_u32 *w;

		port = ipi(0);
		if (port % 1024 != 0 && port % 1024 != 1023)
			continue;
		w = (evb_u32 *)(void *)fake.frame[1 + port / 1024 % 7];
		w += port % 1024;
		evb_u32_store(w, MASKED);
		assert_int_equal(evc_send(d1, port), 0);
		assert_int_equal(evb_u32_load(w), MASKED | PENDING);
		evb_u32_store(w, 0);
	}
	fake_end();
}

/* --- queues -------------------------------------------------------------------- */

/*
 * Commit 70ccddb14a (4.4): READY was set for every event; the guest then read a
 * head that it had consumed, and the queue fell apart.
 */
static void event_behind_a_live_tail_sets_no_ready(void **unused)
{
	evtchn_port_t a, b, c;

	(void)unused;
	begin();
	a = ipi(0);
	b = ipi(0);
	c = ipi(0);
	assert_int_equal(evc_send(d1, a), 0);
	assert_int_equal(fifo_ready(0), BIT(7));
	/* The guest has seen READY and not yet taken anything. */
	assert_int_equal(evc_send(d1, b), 0);
	assert_int_equal(evb_u32_load(ready_word(0)), 0);
	assert_int_equal(head_of(0, 7), a);
	assert_int_equal(fifo_take(0), a);
	assert_int_equal(evc_send(d1, a), 0); /* behind b, which is next */
	assert_int_equal(evb_u32_load(ready_word(0)), 0);
	assert_int_equal(fifo_take(0), b);
	assert_int_equal(fifo_take(0), a);
	/* Empty: now it is a new head. */
	assert_int_equal(evc_send(d1, c), 0);
	assert_int_equal(evb_u32_load(ready_word(0)), BIT(7));
	assert_int_equal(head_of(0, 7), c);
	assert_int_equal(fifo_drain(0, got, 16), 1);
	fake_end();
}

/*
 * Commit e33d4257fc (4.4): the tail of an emptied queue was linked elsewhere,
 * and what came next to the old queue was appended to it there.
 */
static void
tail_of_an_emptied_queue_that_moved_takes_nothing_along(void **unused)
{
	evtchn_port_t a, b, far;
	unsigned int i, n;

	(void)unused;
	begin();
	a = from_d2(&far);
	b = ipi(0);
	assert_int_equal(evc_send(d2, far), 0);
	assert_int_equal(fifo_drain(0, got, 16), 1); /* a: tail of vCPU 0's 7 */
	for (i = 0; i < 4; i++) {
		/* Another vCPU, another priority, both, and back. */
		uint32_t vcpu = i % 2, prio = i == 1 || i == 2 ? 3 : 9;

		assert_int_equal(evc_bind_vcpu(d1, a, vcpu), 0);
		assert_int_equal(evc_set_priority(d1, a, prio), 0);
		assert_int_equal(evc_send(d2, far), 0);
		assert_int_equal(evc_send(d1, b), 0);
		assert_int_equal(word_now(a) & LINK, 0);
		assert_int_equal(head_of(vcpu, prio), a);
		assert_int_equal(head_of(0, 7), b);
		n = fifo_drain(0, got, 16);
		n += fifo_drain(1, got + n, 16);
		assert_int_equal(n, 2);
		assert_int_equal(word_now(a) | word_now(b), 0);
		/* And the other way: a comes back to b's queue. */
		assert_int_equal(evc_bind_vcpu(d1, a, 0), 0);
		assert_int_equal(evc_set_priority(d1, a, 7), 0);
		assert_int_equal(evc_send(d2, far), 0);
		assert_int_equal(evc_send(d1, b), 0);
		assert_int_equal(fifo_drain(0, got, 16), 2);
		assert_int_equal(got[0], a);
	}
	fake_end();
}

/* Commit 78e24c269b (4.7): a LINKED number was reused, on the wrong queue. */
static void number_that_is_still_linked_is_not_used_again(void **unused)
{
	evtchn_port_t a, b, other;

	(void)unused;
	begin();
	a = ipi(0);
	b = ipi(0);
	assert_int_equal(evc_send(d1, a), 0);
	assert_int_equal(evc_send(d1, b), 0);
	assert_int_equal(evc_close(d1, a), 0);
	assert_int_equal(word_now(a) & (PENDING | LINKED), LINKED);
	other = ipi(1);
	assert_int_not_equal(other, a);
	assert_int_equal(evc_send(d1, other), 0);
	assert_int_equal(fifo_drain(0, got, 16), 1);
	assert_int_equal(got[0], b);
	assert_int_equal(fifo_drain(1, got, 16), 1);
	/* It has left the queue: the lowest number again. */
	assert_int_equal(ipi(2), a);
	assert_int_equal(evc_send(d1, a), 0);
	assert_int_equal(fifo_drain(2, got, 16), 1);
	fake_end();
}

/* --- numbers ------------------------------------------------------------------- */

/* Commit 470a160402 (4.4): a reused port kept the priority of its last life. */
static void reused_port_has_the_default_priority(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	begin();
	port = ipi(0);
	assert_int_equal(evc_set_priority(d1, port, 0), 0);
	assert_int_equal(evc_send(d1, port), 0);
	assert_int_equal(evb_u32_load(ready_word(0)), BIT(0));
	assert_int_equal(fifo_drain(0, got, 16), 1);
	assert_int_equal(evc_close(d1, port), 0);
	assert_int_equal(ipi(0), port);
	assert_int_equal(evc_send(d1, port), 0);
	assert_int_equal(evb_u32_load(ready_word(0)), BIT(7));
	fake_end();
}

/*
 * Commit 8f7f6ab879 (4.4): numbers of ports went through 16 bits.  From the
 * guest's 65537 to its queue and back, and as somebody's peer.
 */
static void port_beyond_16_bits_keeps_its_number(void **unused)
{
	struct evtchn_status s;
	evtchn_port_t port = 0, far, page;

	(void)unused;
	begin();
	for (page = 1; page <= 64; page++)
		assert_int_equal(evc_expand_array(d1, page == 64 ? 7 : 2), 0);
	while (port < 65536)
		port = ipi(0);
	port = from_d2(&far);
	assert_int_equal(port, 65537);
	s = fake_status(d2, far);
	assert_int_equal(s.u.interdomain.port, 65537);
	assert_int_equal(evc_send(d2, far), 0);
	assert_int_equal(head_of(0, 7), 65537);
	assert_int_equal(evb_u32_load((evb_u32 *)(void *)fake.frame[7] + 1),
			 PENDING | LINKED);
	/* Linked behind, its number goes through the LINK field. */
	evb_u32_store((evb_u32 *)(void *)fake.frame[7] + 1, 0);
	assert_int_equal(evc_send(d1, 65536), 0);
	assert_int_equal(head_of(0, 7), 65536);
	assert_int_equal(evc_send(d2, far), 0);
	assert_int_equal(evb_u32_load((evb_u32 *)(void *)fake.frame[7]),
			 PENDING | LINKED | 65537);
	assert_int_equal(evc_close(d2, far), 0);
	assert_int_equal(evc_close(d1, 65537), 0);
	fake_end();
}

/*
 * Commit cb84b989ee (4.4): the frame an HVM guest named was taken for a machine
 * frame.  The core passes the number to the host as it is, and unmaps what the
 * host gave.
 */
static void frame_number_reaches_the_host_as_the_guest_gave_it(void **unused)
{
	struct evtchn_init_control c = {
		.control_gfn = 5, .offset = 4096 - 72, .vcpu = 2};
	evtchn_port_t port;

	(void)unused;
	forget_views();
	start_2l();
	assert_int_equal(evc_init_control(d1, &c), 0);
	assert_int_equal(evc_expand_array(d1, 6), 0);
	port = ipi(2);
	assert_int_equal(evc_send(d1, port), 0);
	assert_int_equal(
		evb_u32_load((evb_u32 *)(void *)(fake.frame[5] + 4096 - 72)),
		BIT(7));
	assert_int_equal(evb_u32_load((evb_u32 *)(void *)fake.frame[6] + port),
			 PENDING | LINKED);
	c.control_gfn = 5 | 1ull << 32; /* not frame 5 */
	c.vcpu = 1;
	assert_int_equal(evc_init_control(d1, &c), -XEN_EINVAL);
	assert_int_equal(evc_expand_array(d1, 6 | 1ull << 32), -XEN_EINVAL);
	assert_int_equal(fake.mapped, 2);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			vcpu_without_control_block_drops_events_and_nothing_else),
		cmocka_unit_test(dropped_event_leaves_no_pending_bit),
		cmocka_unit_test(
			first_control_block_refused_leaves_a_clean_start),
		cmocka_unit_test(
			owned_port_beyond_two_level_survives_a_reset_and_closes),
		cmocka_unit_test(
			event_before_its_page_is_delivered_once_with_it),
		cmocka_unit_test(expand_array_overtaken_by_a_reset_is_refused),
		cmocka_unit_test(first_and_last_word_of_every_page_are_reached),
		cmocka_unit_test(event_behind_a_live_tail_sets_no_ready),
		cmocka_unit_test(
			tail_of_an_emptied_queue_that_moved_takes_nothing_along),
		cmocka_unit_test(number_that_is_still_linked_is_not_used_again),
		cmocka_unit_test(reused_port_has_the_default_priority),
		cmocka_unit_test(port_beyond_16_bits_keeps_its_number),
		cmocka_unit_test(
			frame_number_reaches_the_host_as_the_guest_gave_it),
	};

	return cmocka_run_group_tests_name("regress fifo", tests, NULL, NULL);
}
