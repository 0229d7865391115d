/* SPDX-License-Identifier: MIT */
/*
 * Old bugs on the way of an event into a guest with the 2-level ABI, and of
 * SCHEDOP_poll.  docs/regressions.md has the list; races are in
 * test_regress_threads.c.
 */
#include "tests/lib/fake_host.h"

#include <string.h>

static struct evc_domain *d1, *d2;

static void start(enum evc_width width, uint32_t nr_vcpus)
{
	fake_start(false);
	d1 = fake_add(&(struct fake_options){
		.domid = 1, .width = width, .nr_vcpus = nr_vcpus});
	d2 = fake_domain(2);
}

static evtchn_port_t ipi(uint32_t vcpu)
{
	evtchn_port_t port = 0;

	assert_int_equal(evc_bind_ipi(d1, vcpu, &port), 0);
	return port;
}

/* --- which vCPU ------------------------------------------------------------------ */

/* Commit 3e61615263 (2005): unmask used the selector of the vCPU that asked. */
static void unmask_tells_the_vcpu_the_port_is_bound_to(void **unused)
{
	struct evtchn_unmask op;

	(void)unused;
	start(EVC_WIDTH_64, 2);
	op.port = ipi(1);
	fake_set_mask(d1, op.port, true);
	assert_int_equal(evc_send(d1, op.port), 0);
	assert_int_equal(fake_kicks(), 0);
	assert_int_equal(
		evc_hypercall(&d1->vcpu[0], EVTCHNOP_unmask, (uintptr_t)&op),
		0);
	assert_int_equal(fake_selector(&d1->vcpu[0]), 0);
	assert_false(fake_upcall(&d1->vcpu[0]));
	assert_int_equal(fake_selector(&d1->vcpu[1]), 1);
	assert_true(fake_upcall(&d1->vcpu[1]));
	assert_ptr_equal(fake_last_kick(), &d1->vcpu[1]);
	fake_end();
}

/* --- width ----------------------------------------------------------------------- */

/*
 * Commit b47276c18f (2009): a 32-bit HVM guest was given the events of the
 * 64-bit layout.
 */
static void hvm_guest_that_turns_out_32_bit_gets_its_layout(void **unused)
{
	evtchn_port_t port = 0;
	uint8_t *page;

	(void)unused;
	start(EVC_WIDTH_64, 2);
	evc_domain_set_width(d1, EVC_WIDTH_32);
	page = d1->shared_info;
	while (port < 70)
		port = ipi(1);
	assert_int_equal(evc_send(d1, 70), 0);
	assert_int_equal(page[2048 + 70 / 8], 1 << 70 % 8);
	assert_int_equal(page[64], 1);	   /* vCPU 1: upcall flag */
	assert_int_equal(page[64 + 4], 4); /* selector at 4: word 70 / 32 */
	assert_int_equal(page[64 + 8], 0);
	page[2176 + 69 / 8] = 1 << 69 % 8; /* the mask follows 128 bytes on */
	assert_int_equal(evc_send(d1, 69), 0);
	assert_int_equal(page[2048 + 69 / 8], 1 << 70 % 8 | 1 << 69 % 8);
	assert_int_equal(fake_kicks(), 1);
	fake_end();
}

/* --- orders ---------------------------------------------------------------------- */

static _Alignas(64) uint64_t info[8];
static evtchn_port_t port_of_order;
static uint32_t vcpu_of_order;

static void do_send(void)
{
	assert_int_equal(evc_send(d1, port_of_order), 0);
}

static void do_register(void)
{
	assert_int_equal(evc_vcpu_register_info(&d1->vcpu[vcpu_of_order], info),
			 0);
}

static void do_mask(void)
{
	fake_set_mask(d1, port_of_order, true);
}

static void do_unmask(void)
{
	assert_int_equal(evc_unmask(d1, port_of_order), 0);
}

static void (*const steps[])(void) = {do_send, do_register, do_mask, do_unmask};

/* @order: two bits per step, each step once. */
static bool is_permutation(uint32_t order)
{
	uint32_t i, seen = 0;

	for (i = 0; i < 4; i++)
		seen |= 1u << (order >> 2 * i & 3);
	return seen == 15;
}

static void run_order(uint32_t order, uint32_t vcpu)
{
	uint32_t i;

	start(EVC_WIDTH_64, 40);
	memset(info, 0, sizeof(info));
	vcpu_of_order = vcpu;
	port_of_order = ipi(vcpu);
	for (i = 0; i < 4; i++)
		steps[order >> 2 * i & 3]();
	do_unmask(); /* whatever the order was, it is not masked now */
	assert_true(fake_pending(d1, port_of_order));
	if (!(fake_selector(&d1->vcpu[vcpu]) & 1) ||
	    !fake_upcall(&d1->vcpu[vcpu]) ||
	    fake_last_kick() != &d1->vcpu[vcpu])
		fail_msg("vCPU %u, order %x: the event is not announced", vcpu,
			 order);
	fake_end();
}

/*
 * Commits f5d0279839 (4.18) and 7b5b8ca7df (4.11): an upcall was lost, or came
 * too early, by the order in which a guest enabled its local APIC, set the
 * vector and was sent an event.  APIC and vector are the host's; the orders of
 * what is ours: register vcpu_info, mask, unmask, send; also on a vCPU that has
 * no vcpu_info before.
 */
static void
upcall_is_raised_whatever_the_order_of_register_and_event(void **unused)
{
	uint32_t order, n = 0;

	(void)unused;
	for (order = 0; order < 256; order++) {
		if (!is_permutation(order))
			continue;
		run_order(order, 0);
		run_order(order, 39);
		n++;
	}
	assert_int_equal(n, 24);
}

/* --- poll ------------------------------------------------------------------------ */

static int poll_one(uint32_t vcpu, evtchn_port_t port)
{
	struct sched_poll p = {.ports = (uintptr_t)&port, .nr_ports = 1};
	uint64_t timeout;

	return evc_poll(&d1->vcpu[vcpu], (uintptr_t)&p, &timeout);
}

/* Commit 6553807e77 (2006): a poller woke for its own vCPU's events only. */
static void poller_of_a_port_bound_elsewhere_is_woken(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start(EVC_WIDTH_64, 2);
	port = ipi(1);
	assert_int_equal(poll_one(0, port), EVC_BLOCK);
	assert_int_equal(evc_send(d1, port), 0);
	assert_ptr_equal(fake_last_wake(), &d1->vcpu[0]);
	assert_int_equal(fake_wakes(), 1);
	assert_true(evc_poll_is_over(&d1->vcpu[0]));
	assert_int_equal(poll_one(0, port), 0);
	fake_end();
}

static void ignore(struct evc_vcpu *v, evtchn_port_t port)
{
	(void)v;
	(void)port;
}

/* Commit d4bfa0c78f (4.15): a vCPU could wait for what would never wake it. */
static void poll_of_a_port_that_cannot_wake_is_refused(void **unused)
{
	evtchn_port_t bad[5] = {0, 2, 0, 4096, UINT32_MAX}, good;
	struct sched_poll p;
	uint64_t timeout;
	unsigned int i;

	(void)unused;
	start(EVC_WIDTH_64, 2);
	good = ipi(0);
	assert_int_equal(ipi(0), 2);
	assert_int_equal(evc_close(d1, 2), 0);
	assert_int_equal(ipi(0), 2);
	assert_int_equal(evc_consumer_alloc(d1, 0, 2, ignore, &bad[2]), 0);
	assert_int_equal(evc_close(d1, 2), 0);
	for (i = 0; i < 5; i++) {
		evtchn_port_t list[2] = {good, bad[i]};

		assert_int_equal(poll_one(0, bad[i]), -XEN_EINVAL);
		p = (struct sched_poll){.ports = (uintptr_t)list,
					.nr_ports = 2};
		assert_int_equal(
			evc_poll(&d1->vcpu[0], (uintptr_t)&p, &timeout),
			-XEN_EINVAL);
		assert_int_equal(evb_u32_load(&d1->nr_polling), 0);
	}
	fake_end();
}

/*
 * XSA-221 (CVE-2017-10917): a poll on a port whose bucket did not exist yet met
 * a NULL pointer.  At every edge of a bucket, and of what would be a page of
 * FIFO words, while the table grows by and by.
 */
static void poll_at_every_edge_of_a_growing_table_answers(void **unused)
{
	evtchn_port_t last, edge;
	uint32_t near;

	(void)unused;
	start(EVC_WIDTH_64, 2);
	for (last = 0; last < 4095;) {
		last = ipi(1);
		for (near = 0; near < 4 && last % 64 == 0; near++) {
			edge = last - 2 + near;
			assert_int_equal(poll_one(0, edge),
					 edge <= last ? EVC_BLOCK
						      : -XEN_EINVAL);
			evc_poll_end(&d1->vcpu[0]);
			assert_int_equal(poll_one(0, edge + 64), -XEN_EINVAL);
		}
	}
	for (edge = 4095; edge < 70000; edge++)
		assert_int_equal(poll_one(0, edge),
				 edge == 4095 ? EVC_BLOCK : -XEN_EINVAL);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unmask_tells_the_vcpu_the_port_is_bound_to),
		cmocka_unit_test(
			hvm_guest_that_turns_out_32_bit_gets_its_layout),
		cmocka_unit_test(
			upcall_is_raised_whatever_the_order_of_register_and_event),
		cmocka_unit_test(poller_of_a_port_bound_elsewhere_is_woken),
		cmocka_unit_test(poll_of_a_port_that_cannot_wake_is_refused),
		cmocka_unit_test(poll_at_every_edge_of_a_growing_table_answers),
	};

	return cmocka_run_group_tests_name("regress delivery", tests, NULL,
					   NULL);
}
