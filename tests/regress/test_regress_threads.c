/* SPDX-License-Identifier: MIT */
/*
 * Old races, with real threads, in a domain with the 2-level ABI.  Built once
 * with the usual sanitizers and once with ThreadSanitizer.
 * docs/regressions.md has the list.
 */
#include "tests/lib/fake_host.h"

#include <string.h>

#include "threads.h"

static struct evc_domain *d0, *d1, *d2;
static uint32_t nr_rounds;

static void start(void)
{
	fake_start(false);
	d0 = fake_domain(0);
	d1 = fake_domain(1);
	d2 = fake_domain(2);
	evc_machine_set_hwdom(&fake.machine, d0);
	fake.pirq_permitted = UINT32_MAX;
}

static void run(const thread_fn *fn, unsigned int n)
{
	fake.threads = true;
	run_threads(fn, n);
	fake.threads = false;
}

/* --- a table that grows -------------------------------------------------------- */

static evb_u32 newest; /* the port opened last */

static void open_all(void)
{
	evtchn_port_t port = 0;

	while (port < 4095) {
		expect(!evc_bind_ipi(d1, 1, &port));
		evb_u32_store_relaxed(&newest, port);
	}
	stop();
}

/* Around the end of the table, where a bucket has just appeared, or will. */
static evtchn_port_t near_the_end(uint32_t i)
{
	return evb_u32_load_relaxed(&newest) + i % 67;
}

static void send_near_the_end(void)
{
	struct evtchn_status s = {.dom = DOMID_SELF};
	uint32_t i;
	int rc;

	for (i = 0; !is_stopped(); i++) {
		rc = evc_send(d1, near_the_end(i));
		expect(rc == 0 || rc == -XEN_EINVAL);
		s.port = near_the_end(i);
		rc = evc_status(d1, &s);
		expect(rc == -XEN_EINVAL ||
		       (rc == 0 && s.status == EVTCHNSTAT_closed) ||
		       (rc == 0 && s.status == EVTCHNSTAT_ipi && s.vcpu == 1));
	}
}

static void poll_near_the_end(void)
{
	struct sched_poll p = {.nr_ports = 1};
	evtchn_port_t port;
	uint64_t timeout;
	uint32_t i;
	int rc;

	p.ports = (uintptr_t)&port;
	for (i = 0; !is_stopped(); i++) {
		port = near_the_end(i);
		rc = evc_poll(&d1->vcpu[0], (uintptr_t)&p, &timeout);
		expect(rc == 0 || rc == EVC_BLOCK || rc == -XEN_EINVAL);
		if (rc == EVC_BLOCK)
			evc_poll_end(&d1->vcpu[0]);
	}
}

/*
 * XSA-340 (CVE-2020-25603): nothing ordered the new bucket before the larger
 * count, so a sender could find a port without memory.
 */
static void port_is_whole_as_soon_as_it_exists(void **unused)
{
	const thread_fn fn[] = {open_all, send_near_the_end, send_near_the_end};
	uint32_t i;

	(void)unused;
	for (i = 0; i < rounds(4); i++) {
		start();
		evb_u32_store(&newest, 0);
		run(fn, 3);
		fake_end();
	}
}

/* XSA-221 (CVE-2017-10917), with the table growing under the poller. */
static void poll_while_the_table_grows_finds_whole_ports(void **unused)
{
	const thread_fn fn[] = {open_all, poll_near_the_end};
	uint32_t i;

	(void)unused;
	for (i = 0; i < rounds(4); i++) {
		start();
		evb_u32_store(&newest, 0);
		run(fn, 2);
		assert_int_equal(evb_u32_load(&d1->nr_polling), 0);
		fake_end();
	}
}

/* --- resets at once ------------------------------------------------------------ */

static void open_and_reset(void)
{
	evtchn_port_t port;
	uint32_t i, k;
	int rc;

	for (i = 0; i < nr_rounds; i++) {
		for (k = 0; k < 100; k++) {
			rc = evc_bind_ipi(d1, 0, &port);
			expect(!rc);
		}
		rc = evc_reset(d1, DOMID_SELF, false);
		for (k = 0; rc == -XEN_ERESTART && k < 100000; k++)
			rc = evc_reset(d1, DOMID_SELF, true);
		/* EBUSY: another's, or another finished ours. */
		expect(rc == 0 || rc == -XEN_EBUSY || rc == -XEN_EAGAIN);
	}
}

/* XSA-344 (CVE-2020-25601): a second reset of a domain while one goes on. */
static void resets_at_once_leave_one_of_them_in_charge(void **unused)
{
	const thread_fn fn[] = {open_and_reset, open_and_reset, open_and_reset};

	(void)unused;
	start();
	nr_rounds = rounds(40);
	fake.yield = true;
	run(fn, 3);
	fake.yield = false;
	assert_int_equal(evc_reset(d1, DOMID_SELF, true), -XEN_EBUSY);
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), 0);
	assert_int_equal(d1->ports.nr_open, 0);
	fake_end();
}

/* --- lines and their permission ------------------------------------------------ */

static void change_permission(void)
{
	uint32_t i;

	for (i = 0; !is_stopped(); i++)
		evb_u32_store((evb_u32 *)&fake.pirq_permitted, i % 2 ? 0 : 255);
}

static void bind_lines(void)
{
	evtchn_port_t port;
	uint32_t i;
	int rc;

	for (i = 0; i < nr_rounds; i++) {
		rc = evc_bind_pirq(d1, i % FAKE_PIRQS, 0, &port);
		expect(rc == 0 || rc == -XEN_EPERM);
		if (!rc)
			expect(!evc_close(d1, port));
		if (!rc && fake_pending(d1, port))
			expect(false);
	}
	stop();
}

static void raise_lines(void)
{
	uint32_t i;

	for (i = 0; !is_stopped(); i++)
		evc_pirq_raise(d1, i % FAKE_PIRQS);
}

/* XSA-492 (2026): permissions changed under a bind that looked at them. */
static void
permission_that_changes_during_bind_pirq_counts_or_not(void **unused)
{
	const thread_fn fn[] = {bind_lines, change_permission, raise_lines};

	(void)unused;
	start();
	nr_rounds = rounds(20000);
	run(fn, 3);
	assert_int_equal(evb_u32_load(&fake.pirq_binds),
			 evb_u32_load(&fake.pirq_unbinds));
	assert_true(evb_u32_load(&fake.pirq_binds) > 0);
	assert_int_equal(d1->ports.nr_open, 0);
	fake_end();
}

/* --- VIRQs and closing --------------------------------------------------------- */

static void bind_and_close(void)
{
	evtchn_port_t timer, argo;
	uint32_t i;

	for (i = 0; i < nr_rounds; i++) {
		/* The numbers swap, so that a stale slot names the other. */
		if (i % 2) {
			expect(!evc_bind_virq(d1, VIRQ_TIMER, 1, &timer));
			expect(!evc_bind_virq(d1, VIRQ_ARGO, 0, &argo));
		} else {
			expect(!evc_bind_virq(d1, VIRQ_ARGO, 0, &argo));
			expect(!evc_bind_virq(d1, VIRQ_TIMER, 1, &timer));
		}
		expect(!evc_close(d1, timer));
		expect(!fake_pending(d1, timer));
		expect(!evc_close(d1, argo));
		expect(!fake_pending(d1, argo));
	}
	stop();
}

static void raise_timer(void)
{
	while (!is_stopped())
		evc_virq_raise(&d1->vcpu[1], VIRQ_TIMER);
}

static void raise_argo(void)
{
	while (!is_stopped())
		evc_virq_raise_domain(d1, VIRQ_ARGO);
}

/*
 * Commit 5f2df45ead (4.15): an interrupt raised a VIRQ while its port was being
 * closed; what was pending then belonged to nobody.
 */
static void virq_raised_while_its_port_closes_leaves_no_event(void **unused)
{
	const thread_fn fn[] = {bind_and_close, raise_timer, raise_argo};

	(void)unused;
	start();
	nr_rounds = rounds(20000);
	run(fn, 3);
	assert_int_equal(d1->ports.nr_open, 0);
	fake_end();
}

/* --- callbacks ----------------------------------------------------------------- */

static evb_u32 called[3];

static void callback_0(struct evc_vcpu *v, evtchn_port_t port)
{
	(void)port;
	expect(v->domain == d0);
	(void)evb_u32_add(&called[0], 1);
}

static void callback_1(struct evc_vcpu *v, evtchn_port_t port)
{
	(void)port;
	expect(v->domain == d1);
	(void)evb_u32_add(&called[1], 1);
}

static void callback_2(struct evc_vcpu *v, evtchn_port_t port)
{
	(void)port;
	expect(v->domain == d2);
	(void)evb_u32_add(&called[2], 1);
}

static const evc_consumer_fn callbacks[] = {callback_0, callback_1, callback_2};

static void enter_callback(uint32_t n)
{
	struct evc_domain *d = fake.domain[n];
	evtchn_port_t owned, far;
	uint32_t i;

	for (i = 1; i <= nr_rounds; i++) {
		if (n == 0) /* nobody uses the table now */
			memset(fake.machine.consumer, 0,
			       sizeof(fake.machine.consumer));
		if (!meet(2 * i - 1, 3))
			return;
		stagger(i, n);
		expect(!evc_consumer_alloc(d, 0, d->domid, callbacks[n],
					   &owned));
		expect(!evc_bind_interdomain(d, d->domid, owned, &far));
		expect(!evc_send(d, far));
		expect(evb_u32_load(&called[n]) == i);
		expect(!evc_consumer_free(d, owned) && !evc_close(d, far));
		if (!meet(2 * i, 3))
			return;
	}
}

static void enter_0(void)
{
	enter_callback(0);
}

static void enter_1(void)
{
	enter_callback(1);
}

static void enter_2(void)
{
	enter_callback(2);
}

/* Commit dcbd1d8ae5 (4.15): two callbacks at once got the same slot. */
static void callbacks_entered_at_once_get_a_slot_each(void **unused)
{
	const thread_fn fn[] = {enter_0, enter_1, enter_2};

	(void)unused;
	start();
	memset(called, 0, sizeof(called));
	nr_rounds = rounds(3000);
	run(fn, 3);
	assert_non_null(fake.machine.consumer[2]);
	assert_null(fake.machine.consumer[3]);
	fake_end();
}

/* --- a guest that hammers its words -------------------------------------------- */

/* Every word of the ABI, without pause, as no guest should. */
static void hammer(void)
{
	evb_u32 *page = d1->shared_info;
	uint32_t i, w;

	for (i = 0; !is_stopped(); i++) {
		w = i * 2654435761u;
		(void)evb_u32_xchg(&page[512], w);     /* pending */
		(void)evb_u32_or(&page[640], w >> 3);  /* mask */
		(void)evb_u32_and(&page[640], w << 5); /* and off again */
		(void)evb_u32_xchg(&page[2], w);       /* selector, vCPU 0 */
		evb_u8_store_relaxed((evb_u8 *)page, (uint8_t)(w >> 9));
	}
}

static void send_and_unmask(void)
{
	uint32_t i;

	for (i = 0; i < nr_rounds; i++) {
		expect(!evc_send(d2, 1 + i % 8));
		expect(!evc_unmask(d1, 1 + i % 7));
	}
	stop();
}

/*
 * XSA-295: on Arm a guest could keep an atomic operation of Xen from ever
 * completing.  A fixed number of sends and unmasks ends, and writes nowhere
 * else.
 */
static void send_ends_while_a_guest_hammers_its_words(void **unused)
{
	const thread_fn fn[] = {send_and_unmask, hammer};
	evtchn_port_t p1, p2;
	uint8_t before[4096];
	unsigned int i;

	(void)unused;
	start();
	for (i = 0; i < 8; i++)
		fake_connect(d1, d2, &p1, &p2);
	memset((uint8_t *)d1->shared_info + 3072, 0x5a, 1024);
	memcpy(before, d1->shared_info, 4096);
	nr_rounds = rounds(100000);
	run(fn, 2);
	/* Words 1 and up of the bitmaps, and all that follows. */
	assert_memory_equal((uint8_t *)d1->shared_info + 2052, before + 2052,
			    508);
	assert_memory_equal((uint8_t *)d1->shared_info + 2564, before + 2564,
			    4096 - 2564);
	fake_end();
}

/* --- polling ------------------------------------------------------------------- */

static void sender(uint32_t side)
{
	uint32_t i;

	for (i = 1; i <= nr_rounds; i++) {
		if (!meet(2 * i - 1, 3))
			return;
		stagger(i, side);
		expect(!evc_send(d1, 1));
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

static void wait_until_over(struct evc_vcpu *v)
{
	uint32_t i;

	for (i = 0; i < NR_SPINS && !evc_poll_is_over(v); i++) {
		if (i % 64 == 63)
			(void)sched_yield();
	}
	expect(evc_poll_is_over(v));
}

static void poller(void)
{
	const evtchn_port_t port = 1;
	const struct sched_poll p = {.ports = (uintptr_t)&port, .nr_ports = 1};
	uint64_t timeout;
	uint32_t i;
	int rc;

	for (i = 1; i <= nr_rounds; i++) {
		if (!meet(2 * i - 1, 3))
			return;
		stagger(i, 0);
		rc = evc_poll(&d1->vcpu[0], (uintptr_t)&p, &timeout);
		expect(rc == 0 || rc == EVC_BLOCK);
		if (rc == EVC_BLOCK)
			wait_until_over(&d1->vcpu[0]);
		/* Whoever woke us has the event there. */
		expect(fake_pending(d1, port));
		evc_poll_end(&d1->vcpu[0]);
		if (!meet(2 * i, 3))
			return;
		fake_clear_pending(d1, port);
	}
}

/*
 * Commit 71ac522909 (4.15): with two senders, the one that found the event
 * pending woke the poller before the other had made it visible, and it slept
 * for ever.  Here in 2-level; test_regress_fifo_threads.c has the original.
 */
static void poller_is_woken_whichever_of_two_senders_is_first(void **unused)
{
	const thread_fn fn[] = {poller, sender_1, sender_2};
	evtchn_port_t port;

	(void)unused;
	start();
	assert_int_equal(evc_bind_ipi(d1, 1, &port), 0);
	assert_int_equal(port, 1);
	nr_rounds = rounds(8000);
	run(fn, 3);
	assert_int_equal(evb_u32_load(&d1->nr_polling), 0);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(port_is_whole_as_soon_as_it_exists),
		cmocka_unit_test(poll_while_the_table_grows_finds_whole_ports),
		cmocka_unit_test(resets_at_once_leave_one_of_them_in_charge),
		cmocka_unit_test(
			permission_that_changes_during_bind_pirq_counts_or_not),
		cmocka_unit_test(
			virq_raised_while_its_port_closes_leaves_no_event),
		cmocka_unit_test(callbacks_entered_at_once_get_a_slot_each),
		cmocka_unit_test(send_ends_while_a_guest_hammers_its_words),
		cmocka_unit_test(
			poller_is_woken_whichever_of_two_senders_is_first),
	};

	return cmocka_run_group_tests_name("regress threads", tests, NULL,
					   NULL);
}
