/* SPDX-License-Identifier: MIT */
/*
 * SCHEDOP_poll: what it answers at once, who wakes it, and that the poll set
 * is empty afterwards.  SPEC 3.4; two CPUs at once are in test_core_race.c.
 */
#include "tests/lib/fake_host.h"

#include <string.h>

#define NR_VCPUS 4
#define FOREVER	 0xdeadbeefdeadbeefu /* "not written" */

static struct evc_domain *d1, *d2;
static evtchn_port_t port[8], peer[8]; /* of d1, of d2: connected */

/* The guest's memory. */
static evtchn_port_t list[EVC_POLL_MAX_PORTS + 1];
static uint64_t timeout;

static void start(void)
{
	uint32_t i;

	fake_start(false);
	d1 = fake_add(&(struct fake_options){
		.domid = 1, .width = EVC_WIDTH_64, .nr_vcpus = NR_VCPUS});
	d2 = fake_domain(2);
	fake.pirq_permitted = UINT32_MAX;
	for (i = 0; i < 8; i++)
		fake_connect(d1, d2, &port[i], &peer[i]);
	timeout = FOREVER;
	fake_forget();
}

static int poll_list(uint32_t vcpu, uint32_t nr, uint64_t until)
{
	const struct sched_poll p = {
		.ports = (uintptr_t)list, .nr_ports = nr, .timeout = until};

	return evc_poll(&d1->vcpu[vcpu], (uintptr_t)&p, &timeout);
}

static int poll_one(uint32_t vcpu, evtchn_port_t p)
{
	list[0] = p;
	return poll_list(vcpu, 1, 0);
}

static bool is_over(uint32_t vcpu)
{
	return evc_poll_is_over(&d1->vcpu[vcpu]);
}

static void assert_nobody_polls(void)
{
	uint32_t i;

	assert_int_equal(evb_u32_load(&d1->nr_polling), 0);
	for (i = 0; i < NR_VCPUS; i++)
		assert_true(is_over(i));
}

/* An answer at once leaves the poll set and the timeout alone. */
static void assert_at_once(int rc, int want)
{
	assert_int_equal(rc, want);
	assert_nobody_polls();
	assert_true(timeout == FOREVER);
	assert_int_equal(fake_wakes(), 0);
}

/* --- answers at once --------------------------------------------------------- */

static void pending_port_returns_at_once(void **unused)
{
	uint32_t i;

	(void)unused;
	start();
	assert_int_equal(evc_send(d2, peer[2]), 0);
	assert_at_once(poll_one(0, port[2]), 0);
	assert_true(fake_pending(d1, port[2])); /* not consumed */
	assert_at_once(poll_one(1, port[2]), 0);
	for (i = 0; i < 8; i++)
		list[i] = port[i];
	assert_at_once(poll_list(0, 8, 5), 0);
	/* Masked ones count, too. */
	fake_clear_pending(d1, port[2]);
	fake_set_mask(d1, port[2], true);
	assert_int_equal(evc_send(d2, peer[2]), 0);
	assert_at_once(poll_one(0, port[2]), 0);
	fake_end();
}

static void upcall_enabled_returns_at_once(void **unused)
{
	(void)unused;
	start();
	fake.upcall_enabled = true;
	assert_at_once(poll_one(0, port[0]), 0);
	assert_at_once(poll_list(0, 0, 7), 0);
	/* Before the ports are looked at. */
	assert_at_once(poll_one(0, 0), 0);
	fake_end();
}

static void port_that_cannot_wake_is_einval(void **unused)
{
	static const evtchn_port_t none[] = {
		0,	63,	    64,		4095,	   4096,
		131072, 0x80000000, 0xfffffffe, 0xffffffff};
	uint32_t i;

	(void)unused;
	start();
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_at_once(poll_one(0, none[i]), -XEN_EINVAL);
		list[0] = port[0];
		list[1] = none[i];
		assert_at_once(poll_list(0, 2, 0), -XEN_EINVAL);
	}
	/* In order: what comes first decides. */
	assert_int_equal(evc_send(d2, peer[0]), 0);
	assert_at_once(poll_list(0, 2, 0), 0);
	list[0] = 0;
	list[1] = port[0];
	assert_at_once(poll_list(0, 2, 0), -XEN_EINVAL);
	fake_end();
}

static void consume(struct evc_vcpu *v, evtchn_port_t p)
{
	(void)v;
	(void)p;
}

static void port_of_every_bound_kind_can_be_polled(void **unused)
{
	evtchn_port_t p;

	(void)unused;
	start();
	p = fake_unbound(d1, d2);
	assert_int_equal(poll_one(0, p), EVC_BLOCK);
	assert_int_equal(evc_bind_ipi(d1, 1, &p), 0);
	assert_int_equal(poll_one(0, p), EVC_BLOCK);
	assert_int_equal(evc_bind_virq(d1, VIRQ_TIMER, 0, &p), 0);
	assert_int_equal(poll_one(0, p), EVC_BLOCK);
	assert_int_equal(evc_bind_pirq(d1, 1, 0, &p), 0);
	assert_int_equal(poll_one(0, p), EVC_BLOCK);
	evc_poll_end(&d1->vcpu[0]);
	assert_int_equal(evc_consumer_alloc(d1, 0, 2, consume, &p), 0);
	timeout = FOREVER;
	assert_at_once(poll_one(0, p), -XEN_EINVAL);
	assert_int_equal(evc_close(d1, port[0]), 0);
	assert_at_once(poll_one(0, port[0]), -XEN_EINVAL);
	fake_end();
}

static void ports_up_to_128_are_looked_at(void **unused)
{
	uint32_t i;

	(void)unused;
	start();
	for (i = 0; i < EVC_POLL_MAX_PORTS; i++)
		list[i] = port[i % 7];
	list[128] = 0;
	assert_at_once(poll_list(0, 129, 0), -XEN_EINVAL);
	assert_at_once(poll_list(0, UINT32_MAX, 0), -XEN_EINVAL);
	assert_int_equal(poll_list(0, 128, 0), EVC_BLOCK);
	evc_poll_end(&d1->vcpu[0]);
	timeout = FOREVER;
	list[127] = port[7];
	assert_int_equal(evc_send(d2, peer[7]), 0);
	assert_at_once(poll_list(0, 128, 0), 0);
	list[127] = 0;
	assert_at_once(poll_list(0, 128, 0), -XEN_EINVAL);
	fake_end();
}

static void pointers_that_cannot_be_read_are_efault(void **unused)
{
	struct sched_poll p = {.ports = 8, .nr_ports = 1};

	(void)unused;
	start();
	assert_at_once(evc_poll(&d1->vcpu[0], 0, &timeout), -XEN_EFAULT);
	assert_at_once(evc_poll(&d1->vcpu[0], UINT64_MAX - 3, &timeout),
		       -XEN_EFAULT);
	assert_at_once(evc_poll(&d1->vcpu[0], (uintptr_t)&p, &timeout),
		       -XEN_EFAULT);
	p.ports = UINT64_MAX - 2;
	p.nr_ports = 128;
	assert_at_once(evc_poll(&d1->vcpu[0], (uintptr_t)&p, &timeout),
		       -XEN_EFAULT);
	p.nr_ports = 129; /* before the ports are read */
	assert_at_once(evc_poll(&d1->vcpu[0], (uintptr_t)&p, &timeout),
		       -XEN_EINVAL);
	fake.upcall_enabled = true;
	p.nr_ports = 2;
	assert_at_once(evc_poll(&d1->vcpu[0], (uintptr_t)&p, &timeout), 0);
	fake_end();
}

/* The 32-bit form: other offsets, else the same. */
static void poll_32_is_the_same_with_other_offsets(void **unused)
{
	const struct sched_poll_32 p = {
		.ports = 0x10, .nr_ports = 1, .timeout = 0x1122334455667788u};
	const struct sched_poll_32 none = {.ports = 0xfffffff0u,
					   .nr_ports = 0,
					   .timeout = 0x1122334455667788u};

	(void)unused;
	start();
	assert_at_once(evc_poll_32(&d1->vcpu[0], 0, &timeout), -XEN_EFAULT);
	assert_at_once(evc_poll_32(&d1->vcpu[0], (uintptr_t)&p, &timeout),
		       -XEN_EFAULT);
	assert_int_equal(evc_poll_32(&d1->vcpu[0], (uintptr_t)&none, &timeout),
			 EVC_BLOCK);
	assert_true(timeout == 0x1122334455667788u);
	evc_poll_end(&d1->vcpu[0]);
	assert_nobody_polls();
	fake_end();
}

/* --- waiting ----------------------------------------------------------------- */

static void single_port_is_woken_by_that_port_alone(void **unused)
{
	uint32_t i;

	(void)unused;
	start();
	assert_int_equal(poll_one(1, port[3]), EVC_BLOCK);
	assert_true(timeout == 0);
	assert_false(is_over(1));
	for (i = 0; i < 8; i++) {
		if (i != 3)
			assert_int_equal(evc_send(d2, peer[i]), 0);
	}
	assert_false(is_over(1));
	assert_int_equal(fake_wakes(), 0);
	assert_int_equal(evc_send(d2, peer[3]), 0);
	assert_int_equal(fake_wakes(), 1);
	assert_ptr_equal(fake_last_wake(), &d1->vcpu[1]);
	assert_nobody_polls();
	assert_int_equal(evc_send(d2, peer[3]), 0);
	assert_int_equal(fake_wakes(), 1);
	assert_true(fake_pending(d1, port[3]));
	fake_end();
}

/* Two ports, or none: any event of the domain, also of ports not named. */
static void other_numbers_of_ports_are_woken_by_any(void **unused)
{
	static const uint32_t counts[] = {0, 2, 8};
	uint32_t i;

	(void)unused;
	for (i = 0; i < 3; i++) {
		start();
		memcpy(list, port, sizeof(port));
		list[0] = list[1] = port[0];
		assert_int_equal(poll_list(0, counts[i], 99), EVC_BLOCK);
		assert_true(timeout == 99);
		assert_int_equal(evc_send(d2, peer[5]), 0);
		assert_int_equal(fake_wakes(), 1);
		assert_nobody_polls();
		fake_end();
	}
}

static void masked_port_wakes_without_an_upcall(void **unused)
{
	(void)unused;
	start();
	fake_set_mask(d1, port[4], true);
	assert_int_equal(poll_one(0, port[4]), EVC_BLOCK);
	assert_int_equal(evc_send(d2, peer[4]), 0);
	assert_int_equal(fake_wakes(), 1);
	assert_int_equal(fake_kicks(), 0);
	assert_nobody_polls();
	fake_end();
}

static void port_bound_to_another_vcpu_wakes(void **unused)
{
	(void)unused;
	start();
	assert_int_equal(evc_bind_vcpu(d1, port[2], 3), 0);
	assert_int_equal(poll_one(0, port[2]), EVC_BLOCK);
	assert_int_equal(evc_send(d2, peer[2]), 0);
	assert_ptr_equal(fake_last_wake(), &d1->vcpu[0]);
	assert_ptr_equal(fake_last_kick(), &d1->vcpu[3]);
	fake_end();
}

static void wakes_only_on_the_edge_and_not_on_unmask(void **unused)
{
	(void)unused;
	start();
	fake_set_mask(d1, port[1], true);
	assert_int_equal(evc_send(d2, peer[1]), 0);
	assert_int_equal(poll_one(0, port[6]), EVC_BLOCK);
	assert_int_equal(poll_list(1, 0, 0), EVC_BLOCK);
	assert_int_equal(evc_send(d2, peer[1]), 0); /* pending already */
	assert_int_equal(evc_unmask(d1, port[1]), 0);
	assert_int_equal(fake_wakes(), 0);
	assert_int_equal(evb_u32_load(&d1->nr_polling), 2);
	evc_poll_end(&d1->vcpu[0]);
	evc_poll_end(&d1->vcpu[1]);
	assert_nobody_polls();
	fake_end();
}

static void every_source_wakes(void **unused)
{
	evtchn_port_t p, unbound;

	(void)unused;
	start();
	assert_int_equal(evc_bind_ipi(d1, 1, &p), 0);
	assert_int_equal(poll_one(0, p), EVC_BLOCK);
	assert_int_equal(evc_send(d1, p), 0);
	assert_int_equal(fake_wakes(), 1);
	assert_int_equal(evc_bind_virq(d1, VIRQ_TIMER, 2, &p), 0);
	assert_int_equal(poll_one(0, p), EVC_BLOCK);
	evc_virq_raise(&d1->vcpu[2], VIRQ_TIMER);
	assert_int_equal(fake_wakes(), 2);
	assert_int_equal(evc_bind_pirq(d1, 1, 0, &p), 0);
	assert_int_equal(poll_one(0, p), EVC_BLOCK);
	evc_pirq_raise(d1, 1);
	assert_int_equal(fake_wakes(), 3);
	/* Binding, which posts locally. */
	unbound = fake_unbound(d2, d1);
	assert_int_equal(poll_list(0, 0, 0), EVC_BLOCK);
	assert_int_equal(evc_bind_interdomain(d1, 2, unbound, &p), 0);
	assert_int_equal(fake_wakes(), 4);
	/* A consumer of another domain. */
	assert_int_equal(evc_consumer_alloc(d2, 0, 1, consume, &unbound), 0);
	assert_int_equal(evc_bind_interdomain(d1, 2, unbound, &p), 0);
	fake_clear_pending(d1, p);
	assert_int_equal(poll_one(0, p), EVC_BLOCK);
	evc_consumer_notify(d2, unbound);
	assert_int_equal(fake_wakes(), 5);
	assert_nobody_polls();
	fake_end();
}

/* --- several vCPUs, and ends ------------------------------------------------- */

static void pollers_of_one_port_are_all_woken(void **unused)
{
	(void)unused;
	start();
	assert_int_equal(poll_one(0, port[0]), EVC_BLOCK);
	assert_int_equal(poll_one(1, port[1]), EVC_BLOCK);
	assert_int_equal(poll_one(2, port[0]), EVC_BLOCK);
	assert_int_equal(poll_list(3, 0, 0), EVC_BLOCK);
	assert_int_equal(evb_u32_load(&d1->nr_polling), 4);
	assert_int_equal(evc_send(d2, peer[0]), 0);
	assert_int_equal(fake_wakes(), 3);
	assert_true(is_over(0) && is_over(2) && is_over(3));
	assert_false(is_over(1));
	assert_int_equal(evb_u32_load(&d1->nr_polling), 1);
	assert_int_equal(evc_send(d2, peer[1]), 0);
	assert_int_equal(fake_wakes(), 4);
	assert_nobody_polls();
	fake_end();
}

static void pollers_of_another_domain_are_not_woken(void **unused)
{
	(void)unused;
	start();
	assert_int_equal(port[0], peer[0]); /* the same number */
	assert_int_equal(poll_one(0, port[0]), EVC_BLOCK);
	assert_int_equal(evc_send(d1, port[0]), 0); /* posts to d2 */
	assert_int_equal(fake_wakes(), 0);
	evc_poll_end(&d1->vcpu[0]);
	assert_nobody_polls();
	fake_end();
}

static void end_is_idempotent(void **unused)
{
	(void)unused;
	start();
	evc_poll_end(&d1->vcpu[0]);
	assert_nobody_polls();
	assert_int_equal(poll_one(0, port[0]), EVC_BLOCK);
	assert_int_equal(poll_one(1, port[0]), EVC_BLOCK);
	evc_poll_end(&d1->vcpu[0]);
	evc_poll_end(&d1->vcpu[0]);
	assert_int_equal(evb_u32_load(&d1->nr_polling), 1);
	assert_int_equal(evc_send(d2, peer[0]), 0);
	evc_poll_end(&d1->vcpu[1]); /* already over */
	assert_nobody_polls();
	assert_int_equal(fake_wakes(), 1);
	fake_end();
}

/* A host that forgets evc_poll_end() does not unbalance the count. */
static void poll_again_without_end_counts_once(void **unused)
{
	(void)unused;
	start();
	assert_int_equal(poll_one(0, port[0]), EVC_BLOCK);
	assert_int_equal(poll_one(0, port[1]), EVC_BLOCK);
	assert_int_equal(poll_list(0, 0, 0), EVC_BLOCK);
	assert_int_equal(poll_one(0, port[2]), EVC_BLOCK);
	assert_int_equal(evb_u32_load(&d1->nr_polling), 1);
	assert_int_equal(evc_send(d2, peer[0]), 0);
	assert_int_equal(fake_wakes(), 0); /* it waits for port[2] now */
	assert_int_equal(evc_send(d2, peer[2]), 0);
	assert_int_equal(fake_wakes(), 1);
	assert_nobody_polls();
	fake_end();
}

static void timeout_is_passed_through(void **unused)
{
	static const uint64_t times[] = {0, 1, 1ull << 63, UINT64_MAX};
	uint32_t i;

	(void)unused;
	start();
	list[0] = port[0];
	for (i = 0; i < 4; i++) {
		assert_int_equal(poll_list(0, 1, times[i]), EVC_BLOCK);
		assert_true(timeout == times[i]);
	}
	evc_poll_end(&d1->vcpu[0]);
	assert_nobody_polls();
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pending_port_returns_at_once),
		cmocka_unit_test(upcall_enabled_returns_at_once),
		cmocka_unit_test(port_that_cannot_wake_is_einval),
		cmocka_unit_test(port_of_every_bound_kind_can_be_polled),
		cmocka_unit_test(ports_up_to_128_are_looked_at),
		cmocka_unit_test(pointers_that_cannot_be_read_are_efault),
		cmocka_unit_test(poll_32_is_the_same_with_other_offsets),
		cmocka_unit_test(single_port_is_woken_by_that_port_alone),
		cmocka_unit_test(other_numbers_of_ports_are_woken_by_any),
		cmocka_unit_test(masked_port_wakes_without_an_upcall),
		cmocka_unit_test(port_bound_to_another_vcpu_wakes),
		cmocka_unit_test(wakes_only_on_the_edge_and_not_on_unmask),
		cmocka_unit_test(every_source_wakes),
		cmocka_unit_test(pollers_of_one_port_are_all_woken),
		cmocka_unit_test(pollers_of_another_domain_are_not_woken),
		cmocka_unit_test(end_is_idempotent),
		cmocka_unit_test(poll_again_without_end_counts_once),
		cmocka_unit_test(timeout_is_passed_through),
	};

	return cmocka_run_group_tests_name("core_poll", tests, NULL, NULL);
}
