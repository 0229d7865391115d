/* SPDX-License-Identifier: MIT */
/*
 * Where events come from besides guests: VIRQs and who handles the global
 * ones, PIRQs, and ends the hypervisor owns.  SPEC 4
 */
#include "tests/lib/fake_host.h"

#include <string.h>

static struct evc_domain *d0, *d1, *d2;

static void start(bool xen_4_17)
{
	fake_start(xen_4_17);
	d0 = fake_domain(0);
	d1 = fake_domain(1);
	d2 = fake_domain(2);
	evc_machine_set_hwdom(&fake.machine, d0);
	fake.pirq_permitted = UINT32_MAX;
}

/* --- VIRQs ------------------------------------------------------------------- */

/* V: per vCPU, D: per domain, G: global.  SPEC 4.1, by number */
static const char class_of[NR_VIRQS + 1] = "VVGGGGGVGGGDGVGGGGGGGGGG";

static evtchn_port_t bind(struct evc_domain *d, uint32_t virq, uint32_t vcpu)
{
	evtchn_port_t port = 0;

	assert_int_equal(evc_bind_virq(d, virq, vcpu, &port), 0);
	assert_int_equal(fake_status(d, port).u.virq, virq);
	assert_int_equal(fake_status(d, port).vcpu, vcpu);
	assert_false(fake_pending(d, port));
	return port;
}

static void raise_all_ways(struct evc_domain *d, uint32_t virq, uint32_t vcpu)
{
	evc_virq_raise(&d->vcpu[vcpu], virq);
	evc_virq_raise_domain(d, virq);
	evc_virq_raise_global(&fake.machine, virq);
}

static void virq_of_every_number_has_the_class_of_the_spec(void **unused)
{
	evtchn_port_t port;
	uint32_t virq;

	(void)unused;
	for (virq = 0; virq < NR_VIRQS; virq++) {
		start(false);
		assert_int_equal(evc_bind_virq(d1, virq, 1, &port),
				 class_of[virq] == 'V' ? 0 : -XEN_EINVAL);
		assert_int_equal(evc_bind_virq(d1, virq, 0, &port),
				 class_of[virq] == 'G' ? -XEN_EBUSY : 0);
		assert_int_equal(evc_virq_set_handler(d1, virq),
				 class_of[virq] == 'G' ? 0 : -XEN_EINVAL);
		if (class_of[virq] == 'G')
			port = bind(d1, virq, 0);
		assert_int_equal(evc_bind_virq(d1, virq, 0, &port),
				 -XEN_EEXIST);
		assert_int_equal(evc_bind_vcpu(d1, port, 1),
				 class_of[virq] == 'V' ? -XEN_EINVAL : 0);
		fake_end();
	}
}

static void virq_is_raised_by_its_own_function_only(void **unused)
{
	evtchn_port_t port;
	uint32_t virq;

	(void)unused;
	for (virq = 0; virq < NR_VIRQS; virq++) {
		start(false);
		port = bind(d0, virq, 0);
		if (class_of[virq] != 'V')
			evc_virq_raise(&d0->vcpu[0], virq);
		if (class_of[virq] != 'D')
			evc_virq_raise_domain(d0, virq);
		if (class_of[virq] != 'G')
			evc_virq_raise_global(&fake.machine, virq);
		assert_false(fake_pending(d0, port));
		raise_all_ways(d0, virq, 0);
		assert_true(fake_pending(d0, port));
		assert_int_equal(fake_kicks(), 1);
		fake_end();
	}
}

static void virq_per_vcpu_goes_to_its_vcpu(void **unused)
{
	evtchn_port_t p0, p1;

	(void)unused;
	start(false);
	p0 = bind(d1, VIRQ_TIMER, 0);
	p1 = bind(d1, VIRQ_TIMER, 1);
	evc_virq_raise(&d1->vcpu[1], VIRQ_TIMER);
	assert_true(fake_pending(d1, p1));
	assert_false(fake_pending(d1, p0));
	assert_ptr_equal(fake_last_kick(), &d1->vcpu[1]);
	evc_virq_raise(&d1->vcpu[0], VIRQ_TIMER);
	assert_true(fake_pending(d1, p0));
	/* A slot each: closing one leaves the other. */
	assert_int_equal(evc_close(d1, p1), 0);
	fake_clear_pending(d1, p0);
	evc_virq_raise(&d1->vcpu[0], VIRQ_TIMER);
	assert_true(fake_pending(d1, p0));
	assert_int_equal(bind(d1, VIRQ_TIMER, 1), p1);
	fake_end();
}

/* Its slot stays with vCPU 0, wherever the port goes. */
static void virq_global_moved_is_delivered_there(void **unused)
{
	static const uint32_t virqs[] = {VIRQ_CONSOLE, VIRQ_ARGO, 23};
	evtchn_port_t port, again;
	uint32_t i;

	(void)unused;
	for (i = 0; i < 3; i++) {
		start(false);
		port = bind(d0, virqs[i], 0);
		assert_int_equal(evc_bind_vcpu(d0, port, 1), 0);
		raise_all_ways(d0, virqs[i], 0);
		assert_true(fake_pending(d0, port));
		assert_ptr_equal(fake_last_kick(), &d0->vcpu[1]);
		assert_int_equal(evc_bind_virq(d0, virqs[i], 0, &again),
				 -XEN_EEXIST);
		assert_int_equal(evc_close(d0, port), 0);
		fake_forget();
		raise_all_ways(d0, virqs[i], 0);
		raise_all_ways(d0, virqs[i], 1);
		assert_int_equal(fake_kicks(), 0);
		assert_int_equal(bind(d0, virqs[i], 0), port);
		fake_end();
	}
}

static void virq_raised_unbound_is_forgotten(void **unused)
{
	evtchn_port_t port;
	uint32_t virq, round;

	(void)unused;
	for (virq = 0; virq < NR_VIRQS; virq++) {
		start(false);
		for (round = 0; round < 2; round++) {
			raise_all_ways(d0, virq, 0);
			port = bind(d0, virq, 0); /* not pending */
			assert_int_equal(fake_kicks(), 0);
			assert_int_equal(evc_close(d0, port), 0);
			raise_all_ways(d0, virq, 0);
			assert_false(fake_pending(d0, port));
		}
		/* The port belongs to another source now. */
		assert_int_equal(fake_unbound(d0, d1), port);
		raise_all_ways(d0, virq, 0);
		assert_false(fake_pending(d0, port));
		fake_end();
	}
}

/* --- handlers of global VIRQs ------------------------------------------------ */

static void handler_alone_may_bind_and_gets_the_event(void **unused)
{
	evtchn_port_t port, p1;

	(void)unused;
	start(false);
	assert_int_equal(evc_bind_virq(d1, VIRQ_CONSOLE, 0, &port), -XEN_EBUSY);
	assert_int_equal(evc_virq_set_handler(d1, VIRQ_CONSOLE), 0);
	assert_int_equal(evc_virq_set_handler(d1, VIRQ_CONSOLE), 0);
	assert_int_equal(evc_bind_virq(d0, VIRQ_CONSOLE, 0, &port), -XEN_EBUSY);
	p1 = bind(d1, VIRQ_CONSOLE, 0);
	port = bind(d0, VIRQ_DOM_EXC, 0); /* the others stay with the hwdom */
	evc_virq_raise_global(&fake.machine, VIRQ_CONSOLE);
	assert_true(fake_pending(d1, p1));
	assert_false(fake_pending(d0, port));
	evc_virq_raise_global(&fake.machine, VIRQ_DOM_EXC);
	assert_true(fake_pending(d0, port));
	fake_end();
}

static void handler_that_has_it_bound_is_not_replaced(void **unused)
{
	evtchn_port_t p0, p1;

	(void)unused;
	start(false);
	p0 = bind(d0, VIRQ_CONSOLE, 0);
	assert_int_equal(evc_bind_vcpu(d0, p0, 1), 0);
	assert_int_equal(evc_virq_set_handler(d1, VIRQ_CONSOLE), -XEN_EBUSY);
	assert_int_equal(evc_virq_set_handler(d0, VIRQ_CONSOLE), 0);
	evc_virq_raise_global(&fake.machine, VIRQ_CONSOLE);
	assert_true(fake_pending(d0, p0));
	assert_int_equal(evc_close(d0, p0), 0);
	assert_int_equal(evc_virq_set_handler(d1, VIRQ_CONSOLE), 0);
	p1 = bind(d1, VIRQ_CONSOLE, 0);
	assert_int_equal(evc_virq_set_handler(d0, VIRQ_CONSOLE), -XEN_EBUSY);
	assert_int_equal(evc_close(d1, p1), 0);
	assert_int_equal(evc_virq_set_handler(d0, VIRQ_CONSOLE), 0);
	fake_end();
}

static void handler_in_4_17_is_replaced_and_anybody_binds(void **unused)
{
	evtchn_port_t p0, p1;

	(void)unused;
	start(true);
	p1 = bind(d1, VIRQ_CONSOLE, 0); /* succeeds, and gets nothing */
	p0 = bind(d0, VIRQ_CONSOLE, 0);
	evc_virq_raise_global(&fake.machine, VIRQ_CONSOLE);
	assert_true(fake_pending(d0, p0));
	assert_false(fake_pending(d1, p1));
	assert_int_equal(evc_virq_set_handler(d1, VIRQ_CONSOLE), 0);
	fake_clear_pending(d0, p0);
	evc_virq_raise_global(&fake.machine, VIRQ_CONSOLE);
	assert_true(fake_pending(d1, p1));
	assert_false(fake_pending(d0, p0));
	fake_end();
}

static void handler_dying_is_refused(void **unused)
{
	evtchn_port_t port;
	uint32_t i;

	(void)unused;
	start(false);
	for (i = 0; i < 100; i++)
		assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	fake.yield = true;
	assert_int_equal(evc_domain_destroy(d1), -XEN_ERESTART);
	assert_int_equal(evc_virq_set_handler(d1, VIRQ_CONSOLE), -XEN_EINVAL);
	assert_int_equal(evc_domain_destroy(d1), 0);
	assert_int_equal(evc_virq_set_handler(d1, VIRQ_CONSOLE), -XEN_EINVAL);
	(void)bind(d0, VIRQ_CONSOLE, 0);
	fake_end();
}

static void handler_destroyed_gives_way_to_the_hwdom(void **unused)
{
	evtchn_port_t p0;

	(void)unused;
	start(false);
	assert_int_equal(evc_virq_set_handler(d1, VIRQ_CONSOLE), 0);
	assert_int_equal(evc_virq_set_handler(d1, 23), 0);
	(void)bind(d1, VIRQ_CONSOLE, 0);
	assert_int_equal(evc_domain_destroy(d1), 0);
	fake_remove(d1); /* a use of it from here on is found by ASan */
	p0 = bind(d0, VIRQ_CONSOLE, 0);
	(void)bind(d0, 23, 0);
	evc_virq_raise_global(&fake.machine, VIRQ_CONSOLE);
	assert_true(fake_pending(d0, p0));
	/* And then the hwdom goes. */
	assert_int_equal(evc_domain_destroy(d0), 0);
	fake_remove(d0);
	evc_virq_raise_global(&fake.machine, VIRQ_CONSOLE);
	assert_int_equal(evc_bind_virq(d2, VIRQ_CONSOLE, 0, &p0), -XEN_EBUSY);
	fake_end();
}

static void handler_without_a_hwdom_can_be_named(void **unused)
{
	evtchn_port_t port = 0;

	(void)unused;
	start(false);
	evc_machine_set_hwdom(&fake.machine, NULL);
	evc_virq_raise_global(&fake.machine, VIRQ_CONSOLE);
	assert_int_equal(evc_bind_virq(d0, VIRQ_CONSOLE, 0, &port), -XEN_EBUSY);
	assert_int_equal(evc_virq_set_handler(d1, VIRQ_CONSOLE), 0);
	port = bind(d1, VIRQ_CONSOLE, 0);
	evc_virq_raise_global(&fake.machine, VIRQ_CONSOLE);
	assert_true(fake_pending(d1, port));
	fake_end();
}

/* Who was named stays named, whatever becomes of the default. */
static void handler_named_survives_another_hwdom(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start(false);
	assert_int_equal(evc_virq_set_handler(d0, VIRQ_CONSOLE), 0);
	evc_machine_set_hwdom(&fake.machine, d2);
	(void)bind(d0, VIRQ_CONSOLE, 0);
	assert_int_equal(evc_bind_virq(d2, VIRQ_CONSOLE, 0, &port), -XEN_EBUSY);
	(void)bind(d2, VIRQ_TBUF, 0);
	fake_end();
}

/* --- PIRQs ------------------------------------------------------------------- */

static void pirq_bound_is_delivered_until_closed(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start(false);
	evc_pirq_raise(d1, 3);
	assert_int_equal(evc_bind_pirq(d1, 3, 0, &port), 0);
	assert_false(fake_pending(d1, port));
	assert_int_equal(fake_status(d1, port).u.pirq, 3);
	assert_int_equal(evb_u32_load(&fake.pirq_binds), 1);
	evc_pirq_raise(d1, 2);
	evc_pirq_raise(d2, 3);
	assert_int_equal(fake_kicks(), 0);
	assert_int_equal(evc_bind_vcpu(d1, port, 1), 0);
	assert_int_equal(evb_u32_load(&fake.pirq_moves), 1);
	evc_pirq_raise(d1, 3);
	assert_true(fake_pending(d1, port));
	assert_ptr_equal(fake_last_kick(), &d1->vcpu[1]);
	assert_int_equal(evc_close(d1, port), 0);
	assert_int_equal(evb_u32_load(&fake.pirq_unbinds), 1);
	evc_pirq_raise(d1, 3);
	assert_false(fake_pending(d1, port));
	assert_int_equal(evc_bind_pirq(d1, 3, 0, &port), 0);
	fake_end();
}

/* Whatever the hook answers is the answer, and no port is taken. */
static void pirq_refused_by_the_host_leaves_no_port(void **unused)
{
	static const int rcs[] = {-XEN_EINVAL, -XEN_EBUSY, -XEN_ENOMEM};
	evtchn_port_t port = 99;
	uint32_t i;

	(void)unused;
	start(false);
	for (i = 0; i < 3; i++) {
		fake.pirq_bind_rc = rcs[i];
		assert_int_equal(evc_bind_pirq(d1, 3, 1, &port), rcs[i]);
		assert_int_equal(port, 99);
		fake_assert_status(d1, 1, EVTCHNSTAT_closed);
		evc_pirq_raise(d1, 3);
		assert_false(fake_pending(d1, 1));
	}
	assert_int_equal(evb_u32_load(&fake.pirq_unbinds), 0);
	fake.pirq_bind_rc = 0;
	assert_int_equal(evc_bind_pirq(d1, 3, 1, &port), 0);
	assert_int_equal(port, 1);
	fake_end();
}

static void pirq_moves_tell_the_host_only_for_pirqs(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start(false);
	port = fake_unbound(d1, d2);
	assert_int_equal(evc_bind_vcpu(d1, port, 1), 0);
	port = bind(d0, VIRQ_CONSOLE, 0);
	assert_int_equal(evc_bind_vcpu(d0, port, 1), 0);
	assert_int_equal(evb_u32_load(&fake.pirq_moves), 0);
	assert_int_equal(evc_bind_pirq(d1, 3, 0, &port), 0);
	assert_int_equal(evc_bind_vcpu(d1, port, 2), -XEN_ENOENT);
	assert_int_equal(evb_u32_load(&fake.pirq_moves), 0);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			virq_of_every_number_has_the_class_of_the_spec),
		cmocka_unit_test(virq_is_raised_by_its_own_function_only),
		cmocka_unit_test(virq_per_vcpu_goes_to_its_vcpu),
		cmocka_unit_test(virq_global_moved_is_delivered_there),
		cmocka_unit_test(virq_raised_unbound_is_forgotten),
		cmocka_unit_test(handler_alone_may_bind_and_gets_the_event),
		cmocka_unit_test(handler_that_has_it_bound_is_not_replaced),
		cmocka_unit_test(handler_in_4_17_is_replaced_and_anybody_binds),
		cmocka_unit_test(handler_dying_is_refused),
		cmocka_unit_test(handler_destroyed_gives_way_to_the_hwdom),
		cmocka_unit_test(handler_without_a_hwdom_can_be_named),
		cmocka_unit_test(handler_named_survives_another_hwdom),
		cmocka_unit_test(pirq_bound_is_delivered_until_closed),
		cmocka_unit_test(pirq_refused_by_the_host_leaves_no_port),
		cmocka_unit_test(pirq_moves_tell_the_host_only_for_pirqs),
	};

	return cmocka_run_group_tests_name("core_sources", tests, NULL, NULL);
}
