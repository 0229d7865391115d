/* SPDX-License-Identifier: MIT */
/*
 * Old races of FIFO event channels, with real threads.  Built once with the
 * usual sanitizers and once with ThreadSanitizer.  docs/regressions.md has
 * the list.
 */
#include "fifo_guest.h"

#include "threads.h"

static uint32_t nr_rounds;

static void run(const thread_fn *fn, unsigned int n)
{
	fake.threads = true;
	run_threads(fn, n);
	fake.threads = false;
}

static bool is_one_of(int rc, int a, int b, int c)
{
	return rc == 0 || rc == a || rc == b || rc == c;
}

/* --- the ABI changes under everybody's hands ------------------------------------ */

static evtchn_port_t hot; /* ports around here come and go */

static void fill_frames(uint8_t with)
{
	evb_u32 *w = (evb_u32 *)(void *)fake.frame[0];
	uint32_t i;

	for (i = 0; i < 2 * 1024; i++)
		evb_u32_store(&w[i], with * 0x01010101u);
}

static bool frames_are(uint8_t with)
{
	const evb_u32 *w = (const evb_u32 *)(const void *)fake.frame[0];
	uint32_t i;

	for (i = 0; i < 2 * 1024; i++) {
		if (evb_u32_load(&w[i]) != with * 0x01010101u)
			return false;
	}
	return true;
}

/* In and out.  What was unmapped belongs to the guest: nobody writes there. */
static void switch_to_and_fro(void)
{
	uint32_t i, k;

	for (i = 0; i < nr_rounds; i++) {
		fill_frames(0);
		expect(!init_control(0));
		expect(!init_control(1));
		expect(!evc_expand_array(d1, 1));
		(void)sched_yield();
		expect(!evc_reset(d1, DOMID_SELF, false));
		fill_frames(0xee);
		for (k = 0; k < 10; k++)
			(void)sched_yield();
		expect(frames_are(0xee));
	}
	stop();
}

static void bind_send_and_close(void)
{
	evtchn_port_t port, far;
	uint32_t i;
	int rc;

	for (i = 0; !is_stopped(); i++) {
		rc = evc_bind_interdomain(d1, 2, 1, &port);
		expect(is_one_of(rc, -XEN_EINVAL, -XEN_ENOSPC, 0));
		rc = evc_alloc_unbound(d1, DOMID_SELF, 2, &port);
		expect(is_one_of(rc, -XEN_ENOSPC, 0, 0));
		if (!rc && !evc_bind_interdomain(d2, 1, port, &far)) {
			(void)evc_send(d2, far);
			(void)evc_send(d2, far);
			(void)evc_close(d2, far);
		}
		rc = evc_bind_virq(d1, VIRQ_DEBUG, i % 3, &port);
		expect(is_one_of(rc, -XEN_EEXIST, -XEN_ENOSPC, 0));
		evc_virq_raise(&d1->vcpu[i % 3], VIRQ_DEBUG);
		(void)evc_close(d1, port);
	}
}

static void use_every_other_call(void)
{
	struct sched_poll p = {.ports = (uintptr_t)&hot, .nr_ports = 1};
	evtchn_port_t port;
	uint64_t timeout;
	uint32_t i;
	int rc;

	for (i = 0; !is_stopped(); i++) {
		port = 1 + i % 5;
		expect(is_one_of(evc_unmask(d1, port), -XEN_EINVAL, 0, 0));
		rc = evc_set_priority(d1, port, i % 16);
		expect(is_one_of(rc, -XEN_ENOSYS, -XEN_EACCES, 0));
		rc = evc_bind_vcpu(d1, port, i % 3);
		expect(is_one_of(rc, -XEN_EINVAL, 0, 0));
		rc = evc_poll(&d1->vcpu[2], (uintptr_t)&p, &timeout);
		expect(is_one_of(rc, EVC_BLOCK, -XEN_EINVAL, 0));
		if (rc == EVC_BLOCK)
			evc_poll_end(&d1->vcpu[2]);
	}
}

/*
 * XSA-343 (CVE-2020-25599): senders, pollers and VIRQs used the ABI's functions
 * and limits without a lock while a reset replaced them.
 */
static void every_call_while_the_abi_changes_stays_in_its_pages(void **unused)
{
	const thread_fn fn[] = {switch_to_and_fro, bind_send_and_close,
				use_every_other_call};

	(void)unused;
	start_2l();
	d1->max_port = 60; /* closed in one step: no EAGAIN */
	assert_int_equal(evc_alloc_unbound(d2, DOMID_SELF, 1, &hot), 0);
	nr_rounds = rounds(200);
	run(fn, 3);
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), 0);
	assert_int_equal(d1->ports.nr_open, 0);
	assert_int_equal(fake.mapped, 0);
	assert_int_equal(evb_u32_load(&d1->nr_polling), 0);
	fake_end();
}

/* --- switching over while somebody sends ---------------------------------------- */

static evtchn_port_t near_end, far_end;

/* In FIFO after the round, with the one event queued, wherever it was sent. */
static bool event_is_there(void)
{
	return (word_now(near_end) & (PENDING | LINKED)) ==
		       (PENDING | LINKED) &&
	       head_of(0, 7) == near_end &&
	       evb_u32_load(ready_word(0)) == BIT(7) &&
	       fake_upcall(&d1->vcpu[0]);
}

static void guest_switches(void)
{
	uint32_t i;

	for (i = 1; i <= nr_rounds; i++) {
		fill_frames(0);
		fake_clear_upcall(&d1->vcpu[0]);
		memset(d1->shared_info, 0, 4096);
		near_end = far_end = 0;
		expect(!evc_alloc_unbound(d1, DOMID_SELF, 2, &near_end));
		expect(!evc_bind_interdomain(d2, 1, near_end, &far_end));
		if (!meet(2 * i - 1, 2))
			return;
		stagger(i, 0);
		expect(!init_control(0));
		expect(!evc_expand_array(d1, 1));
		if (!meet(2 * i, 2))
			return;
		expect(event_is_there());
		expect(!evc_reset(d1, DOMID_SELF, false));
		expect(!evc_close(d2, far_end));
	}
}

static void peer_sends(void)
{
	uint32_t i;

	for (i = 1; i <= nr_rounds; i++) {
		if (!meet(2 * i - 1, 2))
			return;
		stagger(i, 1);
		expect(!evc_send(d2, far_end));
		if (!meet(2 * i, 2))
			return;
	}
}

/*
 * XSA-358 (CVE-2020-29570): the control block was visible before its queues
 * were.  XSA-359 (CVE-2020-29571): the new ABI was visible before its data was.
 */
static void event_sent_during_the_first_control_block_is_queued(void **unused)
{
	const thread_fn fn[] = {guest_switches, peer_sends};

	(void)unused;
	start_2l();
	nr_rounds = rounds(2000);
	run(fn, 2);
	assert_int_equal(evb_u32_load(&d1->fifo->nr_dropped), 0);
	fake_end();
}

/* --- pages that come while somebody sends --------------------------------------- */

static void expand(void)
{
	int rc;

	while (!is_stopped()) {
		rc = evc_expand_array(d1, 1 + nr_rounds % 7);
		expect(is_one_of(rc, -XEN_EOPNOTSUPP, -XEN_ENOSPC, 0));
	}
}

static void enable_and_reset(void)
{
	uint32_t i;

	for (i = 0; i < nr_rounds; i++) {
		expect(!init_control(i % 3));
		stagger(i, 0);
		expect(!evc_reset(d1, DOMID_SELF, false));
	}
	stop();
}

/*
 * XSA-505 (CVE-2026-62432): expand_array asked whether FIFO is in use without
 * the lock, and a reset took away what it then used.
 */
static void expand_array_during_resets_is_refused_or_undone(void **unused)
{
	const thread_fn fn[] = {enable_and_reset, expand, expand};

	(void)unused;
	start_2l();
	nr_rounds = rounds(2000);
	run(fn, 3);
	assert_int_equal(fake.mapped, 0);
	assert_int_equal(d1->fifo->nr_pages, 0);
	fake_end();
}

/* One page after the other, each for the port at its beginning. */
static void guest_expands(void)
{
	uint32_t i;

	for (i = 1; i <= 6; i++) {
		if (!meet(2 * i - 1, 3))
			return;
		stagger(nr_rounds + i, 0);
		expect(!evc_expand_array(d1, 1 + i));
		if (!meet(2 * i, 3))
			return;
		expect((word_now(i * 1024) & (PENDING | LINKED)) ==
		       (PENDING | LINKED));
	}
}

static void peer_sends_to_each_page(void)
{
	uint32_t i;

	for (i = 1; i <= 6; i++) {
		if (!meet(2 * i - 1, 3))
			return;
		stagger(nr_rounds + i, 1);
		expect(!evc_send(d1, i * 1024));
		if (!meet(2 * i, 3))
			return;
	}
}

static void other_polls_each_page(void)
{
	struct sched_poll p = {.nr_ports = 1};
	evtchn_port_t port;
	uint64_t timeout;
	uint32_t i;
	int rc;

	p.ports = (uintptr_t)&port;
	for (i = 1; i <= 6; i++) {
		if (!meet(2 * i - 1, 3))
			return;
		stagger(nr_rounds + i, 2);
		port = i * 1024;
		rc = evc_poll(&d1->vcpu[1], (uintptr_t)&p, &timeout);
		expect(rc == 0 || rc == EVC_BLOCK);
		if (!meet(2 * i, 3))
			return;
		/* The event came meanwhile: seen, or woken for. */
		expect(rc == 0 || evc_poll_is_over(&d1->vcpu[1]));
		evc_poll_end(&d1->vcpu[1]);
	}
}

/*
 * XSA-221 (CVE-2017-10917): the number of words was visible before the page
 * they are in.  An event is in the page's word, or waits for the page.
 */
static void event_sent_while_its_page_comes_is_queued(void **unused)
{
	const thread_fn fn[] = {guest_expands, peer_sends_to_each_page,
				other_polls_each_page};
	evtchn_port_t port;
	uint32_t i, n = rounds(32);

	(void)unused;
	start_2l();
	for (i = 0; i < n; i++) {
		memset(fake.frame, 0, FAKE_FRAMES * 4096);
		assert_int_equal(init_control(0), 0);
		assert_int_equal(evc_expand_array(d1, 1), 0);
		for (port = 0; port < 6 * 1024;)
			port = ipi(0);
		nr_rounds = i;
		run(fn, 3);
		assert_int_equal(evc_reset(d1, DOMID_SELF, false), 0);
	}
	fake_end();
}

/* --- a poller and two senders ---------------------------------------------------- */

static void sender(uint32_t side)
{
	uint32_t i;

	for (i = 1; i <= nr_rounds; i++) {
		if (!meet(2 * i - 1, 3))
			return;
		stagger(i, side);
		expect(!evc_send(d2, far_end));
		if (!meet(2 * i, 3))
			return;
	}
}

static void sender_1(void)
{
	sender(1);
}

static void sender_2(void)
{
	sender(2);
}

/* As a sender, but it is the unmask that may find the event. */
static void unmasker(void)
{
	uint32_t i;

	for (i = 1; i <= nr_rounds; i++) {
		if (!meet(2 * i - 1, 3))
			return;
		stagger(i, 2);
		expect(!evc_unmask(d1, near_end));
		if (!meet(2 * i, 3))
			return;
	}
}

static void wait_until_over(struct evc_vcpu *v)
{
	uint32_t i;

	for (i = 0; i < NR_SPINS && !evc_poll_is_over(v); i++) {
		if (i % 64 == 63)
			(void)sched_yield();
	}
	expect(evc_poll_is_over(v));
}

static bool masks; /* the unmasker lets the event through */

static void poller(void)
{
	struct sched_poll p = {.ports = (uintptr_t)&near_end, .nr_ports = 1};
	evtchn_port_t port;
	uint64_t timeout;
	uint32_t i;
	int rc;

	for (i = 1; i <= nr_rounds; i++) {
		if (!meet(2 * i - 1, 3))
			return;
		stagger(i, 0);
		rc = evc_poll(&d1->vcpu[1], (uintptr_t)&p, &timeout);
		expect(rc == 0 || rc == EVC_BLOCK);
		if (rc == EVC_BLOCK)
			wait_until_over(&d1->vcpu[1]);
		expect(word_now(near_end) & PENDING);
		evc_poll_end(&d1->vcpu[1]);
		if (!meet(2 * i, 3))
			return;
		/* One event, in the queue, for the two that were sent. */
		expect(fifo_drain(0, &port, 1) == 1 && port == near_end);
		evb_u32_store(word(near_end), masks ? MASKED : 0);
	}
}

/*
 * Commit 71ac522909 (4.15): PENDING was tested outside of the queue's lock; a
 * second sender, or an unmask, could return, or wake a poller, before the event
 * was anywhere to be seen.
 */
static void poller_is_woken_and_the_event_is_in_the_queue(void **unused)
{
	const thread_fn two_senders[] = {poller, sender_1, sender_2};
	const thread_fn sender_unmasker[] = {poller, sender_1, unmasker};

	(void)unused;
	start_fifo();
	forget_views();
	near_end = from_d2(&far_end);
	nr_rounds = rounds(2000);
	masks = false;
	run(two_senders, 3);
	masks = true;
	evb_u32_store(word(near_end), MASKED);
	run(sender_unmasker, 3);
	assert_int_equal(evb_u32_load(&d1->nr_polling), 0);
	assert_int_equal(evb_u32_load(&d1->fifo->nr_dropped), 0);
	fake_end();
}

/* --- ports that move ------------------------------------------------------------- */

#define NR_MOVING 8

static evtchn_port_t moving[NR_MOVING + 1], far_of[NR_MOVING + 1];
static evb_u32 sent[NR_MOVING + 1];		 /* by number of port */
static uint32_t seen[FIFO_VCPUS][NR_MOVING + 1]; /* @sent, when handled */
static evb_u32 nr_senders;

static void handle_one(uint32_t vcpu)
{
	evtchn_port_t port = fifo_take(vcpu);

	if (port > NR_MOVING)
		expect(false);
	else if (port)
		seen[vcpu][port] = evb_u32_load(&sent[port]);
}

static void consume(uint32_t vcpu)
{
	while (!is_stopped()) {
		if (fifo_ready(vcpu))
			handle_one(vcpu);
	}
}

static void consumer_0(void)
{
	consume(0);
}

static void consumer_1(void)
{
	consume(1);
}

static void send_numbered(evtchn_port_t port)
{
	(void)evb_u32_add(&sent[port], 1);
	expect(!evc_send(d2, far_of[port]));
}

/* Whoever is the last to end sends the others home. */
static void end_sending(void)
{
	if (evb_u32_add(&nr_senders, UINT32_MAX) == 1)
		stop();
}

static void send_to_all(void)
{
	uint32_t i;

	for (i = 0; i < nr_rounds; i++)
		send_numbered(1 + i % NR_MOVING);
	end_sending();
}

/* The port it sends to has just been moved: often the tail it left. */
static void move_by_vcpu_and_send(void)
{
	evtchn_port_t port;
	uint32_t i;

	for (i = 0; i < nr_rounds; i++) {
		port = 1 + i * 3 % NR_MOVING;
		expect(!evc_bind_vcpu(d1, port, i / NR_MOVING % 2));
		send_numbered(port);
	}
	end_sending();
}

static void move_in_both_ways_and_send(void)
{
	evtchn_port_t port;
	uint32_t i;

	for (i = 0; i < nr_rounds; i++) {
		port = 1 + i * 5 % NR_MOVING;
		expect(!evc_set_priority(d1, port, i / 3 % 16));
		expect(!evc_bind_vcpu(d1, port, i % 2));
		send_numbered(port);
	}
	end_sending();
}

/* What is left in the queues, then: has every port seen its last event? */
static void check_that_all_arrived(void)
{
	evtchn_port_t port;
	uint32_t vcpu;

	for (vcpu = 0; vcpu < 2; vcpu++) {
		while (fifo_ready(vcpu))
			handle_one(vcpu);
	}
	for (port = 1; port <= NR_MOVING; port++) {
		uint32_t last = seen[0][port] > seen[1][port] ? seen[0][port]
							      : seen[1][port];

		assert_int_equal(last, evb_u32_load(&sent[port]));
		assert_int_equal(word_now(port), 0);
	}
	assert_int_equal(evb_u32_load(&d1->fifo->nr_dropped), 0);
}

static void run_moving(const thread_fn *fn, uint32_t senders)
{
	uint32_t i;

	start_fifo();
	forget_views();
	memset(sent, 0, sizeof(sent));
	memset(seen, 0, sizeof(seen));
	for (i = 1; i <= NR_MOVING; i++) {
		moving[i] = from_d2(&far_of[i]);
		assert_int_equal(moving[i], i);
	}
	evb_u32_store(&nr_senders, senders);
	run(fn, 4);
	check_that_all_arrived();
	fake_end();
}

/* Commit e33d4257fc (4.4): the tail of an emptied queue moves to another. */
static void tail_that_moves_while_others_send_loses_nothing(void **unused)
{
	const thread_fn fn[] = {consumer_0, consumer_1, send_to_all,
				move_by_vcpu_and_send};

	(void)unused;
	nr_rounds = rounds(8000);
	run_moving(fn, 2);
}

/*
 * Commits 1277cb9dc5 and 6f6f07b64c (4.15): vCPU and priority of the last queue
 * were read one after the other while both changed.
 */
static void port_that_changes_vcpu_and_priority_is_in_one_queue(void **unused)
{
	const thread_fn fn[] = {consumer_0, consumer_1,
				move_in_both_ways_and_send,
				move_in_both_ways_and_send};

	(void)unused;
	nr_rounds = rounds(8000);
	run_moving(fn, 2);
}

/* --- a guest that rewrites its words --------------------------------------------- */

static void rewrite_words(void)
{
	uint32_t i, w;

	for (i = 0; !is_stopped(); i++) {
		w = i * 2654435761u;
		(void)evb_u32_xchg(word(1 + i % 4), w | LINKED);
		(void)evb_u32_xchg(word(1 + i % 3), w & ~LINKED);
		(void)evb_u32_xchg(ready_word(0), w >> 7);
		(void)evb_u32_xchg(control(0) + 2 + 7, w >> 3);
	}
}

static void send_behind_them(void)
{
	uint32_t i;

	for (i = 0; i < nr_rounds; i++) {
		expect(!evc_send(d1, 1 + i % 4));
		expect(!evc_unmask(d1, 1 + i % 3));
	}
	stop();
}

/*
 * Commit dae2a1c5f9 (4.4): a guest kept Xen in the loop that links a port.
 * And XSA-295 for the words of this ABI.
 */
static void send_ends_while_a_guest_rewrites_the_tail(void **unused)
{
	const thread_fn fn[] = {send_behind_them, rewrite_words};
	uint32_t i;

	(void)unused;
	start_fifo();
	for (i = 0; i < 4; i++)
		(void)ipi(0);
	nr_rounds = rounds(15000);
	run(fn, 2);
	/* No other word of the guest's was touched. */
	for (i = 5; i < 1024; i++)
		assert_int_equal(word_now(i), 0);
	for (i = 0; i < 4096; i++)
		assert_int_equal(fake.frame[2][i], 0);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_call_while_the_abi_changes_stays_in_its_pages),
		cmocka_unit_test(
			event_sent_during_the_first_control_block_is_queued),
		cmocka_unit_test(
			expand_array_during_resets_is_refused_or_undone),
		cmocka_unit_test(event_sent_while_its_page_comes_is_queued),
		cmocka_unit_test(poller_is_woken_and_the_event_is_in_the_queue),
		cmocka_unit_test(
			tail_that_moves_while_others_send_loses_nothing),
		cmocka_unit_test(
			port_that_changes_vcpu_and_priority_is_in_one_queue),
		cmocka_unit_test(send_ends_while_a_guest_rewrites_the_tail),
	};

	return cmocka_run_group_tests_name("regress fifo threads", tests, NULL,
					   NULL);
}
