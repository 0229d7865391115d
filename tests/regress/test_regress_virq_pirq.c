/* SPDX-License-Identifier: MIT */
/*
 * Old bugs around interrupt sources: VIRQs and their handlers, physical lines.
 * docs/regressions.md has the list.  Failing allocations of bind_pirq are in
 * test_regress_memory.c, races in test_regress_threads.c.
 */
#include "tests/lib/fake_host.h"

#include <string.h>

static struct evc_domain *d0, *d1, *d2;

static void start(void)
{
	fake_start(false);
	d0 = fake_domain(0);
	d1 = fake_domain(1);
	d2 = fake_domain(2);
	evc_machine_set_hwdom(&fake.machine, d0);
	fake.pirq_permitted = UINT32_MAX;
}

/* --- lines ----------------------------------------------------------------------- */

/* XSA-46 (CVE-2013-1919): a failed mapping left its permission behind. */
static void line_the_host_refuses_leaves_nothing_bound(void **unused)
{
	evtchn_port_t port = 99;

	(void)unused;
	start();
	fake.pirq_bind_rc = -XEN_EBUSY;
	assert_int_equal(evc_bind_pirq(d1, 3, 0, &port), -XEN_EBUSY);
	assert_int_equal(port, 99);
	assert_int_equal(evb_u32_load(&d1->pirq_port[3]), 0);
	assert_int_equal(d1->ports.nr_open, 0);
	evc_pirq_raise(d1, 3);
	assert_false(fake_pending(d1, 1));
	assert_int_equal(evc_domain_destroy(d1), 0);
	assert_int_equal(evb_u32_load(&fake.pirq_unbinds), 0);
	fake_end();
}

/* XSA-46: a line in use could be replaced. */
static void line_bound_twice_keeps_the_first_binding(void **unused)
{
	evtchn_port_t first, second = 99;

	(void)unused;
	start();
	assert_int_equal(evc_bind_pirq(d1, 3, 0, &first), 0);
	assert_int_equal(evc_bind_pirq(d1, 3, BIND_PIRQ__WILL_SHARE, &second),
			 -XEN_EEXIST);
	assert_int_equal(second, 99);
	assert_int_equal(evb_u32_load(&fake.pirq_binds), 1);
	evc_pirq_raise(d1, 3);
	assert_true(fake_pending(d1, first));
	assert_false(fake_pending(d1, first + 1));
	fake_end();
}

/* XSA-96: an interrupt for a line nobody ever mapped met a NULL pointer. */
static void line_never_bound_that_fires_is_dropped(void **unused)
{
	uint8_t before[4096];
	evtchn_port_t port;
	uint32_t pirq;

	(void)unused;
	start();
	assert_int_equal(evc_bind_pirq(d1, 0, 0, &port), 0);
	assert_int_equal(evc_close(d1, port), 0);
	memcpy(before, d1->shared_info, 4096);
	for (pirq = 0; pirq < 4 * FAKE_PIRQS; pirq++)
		evc_pirq_raise(d1, pirq);
	evc_pirq_raise(d1, UINT32_MAX);
	assert_memory_equal(d1->shared_info, before, 4096);
	assert_int_equal(fake_kicks(), 0);
	fake_end();
}

/*
 * XSA-360 (CVE-2021-3308): lines bound by a domain that shut down were never
 * unmapped, until the machine had no vectors left.
 */
static void lines_of_a_domain_all_come_back(void **unused)
{
	evtchn_port_t port;
	uint32_t pirq, round;

	(void)unused;
	for (round = 0; round < 3; round++) {
		start();
		for (pirq = 0; pirq < FAKE_PIRQS; pirq++)
			assert_int_equal(evc_bind_pirq(d1, pirq, 0, &port), 0);
		evc_domain_set_paused(d1, true); /* it shut down */
		if (round == 0) {
			assert_int_equal(evc_domain_destroy(d1), 0);
		} else if (round == 1) {
			assert_int_equal(evc_reset(d0, 1, false), 0);
		} else {
			for (port = 1; port <= FAKE_PIRQS; port++)
				assert_int_equal(evc_close(d1, port), 0);
		}
		assert_int_equal(evb_u32_load(&fake.pirq_binds), FAKE_PIRQS);
		assert_int_equal(evb_u32_load(&fake.pirq_unbinds), FAKE_PIRQS);
		for (pirq = 0; pirq < FAKE_PIRQS; pirq++)
			assert_int_equal(evb_u32_load(&d1->pirq_port[pirq]), 0);
		fake_end();
	}
}

/*
 * Commit e301a706eb (4.15): a PIRQ's port was taken from its vCPU's list only
 * when the line's structure was still there; the list was corrupt after.
 */
static void line_taken_away_by_the_host_still_closes(void **unused)
{
	evtchn_port_t port[3], again;
	uint32_t i;

	(void)unused;
	start();
	for (i = 0; i < 3; i++)
		assert_int_equal(evc_bind_pirq(d1, i, 0, &port[i]), 0);
	assert_int_equal(evc_bind_vcpu(d1, port[1], 1), 0);
	fake.pirq_permitted = 0;
	assert_int_equal(evc_close(d1, port[1]), 0);
	assert_int_equal(evb_u32_load(&d1->pirq_port[1]), 0);
	evc_pirq_raise(d1, 1);
	assert_false(fake_pending(d1, port[1]));
	/* Its neighbours are what they were. */
	evc_pirq_raise(d1, 0);
	evc_pirq_raise(d1, 2);
	assert_true(fake_pending(d1, port[0]) && fake_pending(d1, port[2]));
	assert_int_equal(evc_bind_pirq(d1, 1, 0, &again), -XEN_EPERM);
	fake_end();
}

/* --- VIRQs ----------------------------------------------------------------------- */

/*
 * XSA-496 (CVE-2026-42492): a guest that had used up its ports and then bound
 * a VIRQ of its own took the bitmap of the domain that listens for VIRQ_DOM_EXC
 * away.
 */
static void virq_without_a_port_left_disturbs_no_other(void **unused)
{
	evtchn_port_t listens, port;
	struct evc_domain *poor;

	(void)unused;
	start();
	poor = fake_add(&(struct fake_options){
		.domid = 3, .width = EVC_WIDTH_64, .max_port = 2});
	assert_int_equal(evc_bind_virq(d0, VIRQ_DOM_EXC, 0, &listens), 0);
	assert_int_equal(evc_bind_ipi(poor, 0, &port), 0);
	assert_int_equal(evc_bind_ipi(poor, 0, &port), 0);
	assert_int_equal(evc_bind_virq(poor, VIRQ_DEBUG, 0, &port),
			 -XEN_ENOSPC);
	assert_int_equal(evc_bind_virq(poor, VIRQ_DOM_EXC, 0, &port),
			 -XEN_EBUSY);
	evc_virq_raise(&poor->vcpu[0], VIRQ_DEBUG);
	evc_virq_raise_global(&fake.machine, VIRQ_DOM_EXC);
	assert_true(fake_pending(d0, listens));
	assert_false(fake_pending(poor, 1) || fake_pending(poor, 2));
	/* With a port again, the binding works. */
	assert_int_equal(evc_close(poor, 1), 0);
	assert_int_equal(evc_bind_virq(poor, VIRQ_DEBUG, 0, &port), 0);
	fake_end();
}

/* Commit 4d8acc9c1c (4.20): a dying domain was named, and never let go of. */
static void handler_that_is_dying_is_not_named(void **unused)
{
	evtchn_port_t port, own;

	(void)unused;
	start();
	assert_int_equal(evc_bind_ipi(d1, 0, &own), 0);
	fake.yield = true; /* dying, not dead */
	for (port = 0; port < 100; port++)
		assert_int_equal(evc_bind_ipi(d2, 0, &own), 0);
	assert_int_equal(evc_domain_destroy(d2), -XEN_ERESTART);
	assert_int_equal(evc_virq_set_handler(d2, VIRQ_CONSOLE), -XEN_EINVAL);
	assert_null(evb_ptr_load(&fake.machine.virq_handler[VIRQ_CONSOLE]));
	fake.yield = false;
	assert_int_equal(evc_domain_destroy(d2), 0);
	assert_int_equal(evc_virq_set_handler(d2, VIRQ_CONSOLE), -XEN_EINVAL);
	assert_int_equal(evc_bind_virq(d0, VIRQ_CONSOLE, 0, &port), 0);
	evc_virq_raise_global(&fake.machine, VIRQ_CONSOLE);
	assert_true(fake_pending(d0, port));
	fake_end();
}

/* Commit eba922abdb (4.21): a domain bound a VIRQ it would never be sent. */
static void global_virq_of_another_handler_is_busy(void **unused)
{
	evtchn_port_t port = 99;

	(void)unused;
	start();
	assert_int_equal(evc_bind_virq(d1, VIRQ_TBUF, 0, &port), -XEN_EBUSY);
	assert_int_equal(port, 99);
	assert_int_equal(evc_virq_set_handler(d1, VIRQ_TBUF), 0);
	assert_int_equal(evc_bind_virq(d1, VIRQ_TBUF, 0, &port), 0);
	assert_int_equal(evc_bind_virq(d0, VIRQ_TBUF, 0, &port), -XEN_EBUSY);
	fake_end();
}

/* Commit 980822c5ed (4.21): naming another handler stole a bound VIRQ. */
static void handler_with_the_virq_bound_is_not_robbed(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start();
	assert_int_equal(evc_bind_virq(d0, VIRQ_CON_RING, 0, &port), 0);
	assert_int_equal(evc_virq_set_handler(d1, VIRQ_CON_RING), -XEN_EBUSY);
	evc_virq_raise_global(&fake.machine, VIRQ_CON_RING);
	assert_true(fake_pending(d0, port));
	assert_int_equal(evc_close(d0, port), 0);
	assert_int_equal(evc_virq_set_handler(d1, VIRQ_CON_RING), 0);
	fake_end();
}

/* Commit bb1accab69 (4.21): VIRQ_ARGO was taken for a global one. */
static void argo_binds_in_every_domain_and_goes_to_its_own(void **unused)
{
	evtchn_port_t p1, p2;

	(void)unused;
	start();
	assert_int_equal(evc_bind_virq(d1, VIRQ_ARGO, 0, &p1), 0);
	assert_int_equal(evc_bind_virq(d2, VIRQ_ARGO, 0, &p2), 0);
	assert_int_equal(evc_virq_set_handler(d1, VIRQ_ARGO), -XEN_EINVAL);
	evc_virq_raise_domain(d2, VIRQ_ARGO);
	assert_true(fake_pending(d2, p2));
	assert_false(fake_pending(d1, p1));
	fake_end();
}

/* Commit fe5757f25d (4.21): no hardware domain, and a NULL pointer. */
static void system_without_a_hwdom_drops_global_virqs(void **unused)
{
	evtchn_port_t port;
	uint32_t virq;

	(void)unused;
	start();
	evc_machine_set_hwdom(&fake.machine, NULL);
	for (virq = 0; virq < 2 * NR_VIRQS; virq++)
		evc_virq_raise_global(&fake.machine, virq);
	assert_int_equal(fake_kicks(), 0);
	assert_int_equal(evc_bind_virq(d1, VIRQ_CONSOLE, 0, &port), -XEN_EBUSY);
	assert_int_equal(evc_virq_set_handler(d1, VIRQ_CONSOLE), 0);
	assert_int_equal(evc_bind_virq(d1, VIRQ_CONSOLE, 0, &port), 0);
	assert_int_equal(evc_domain_destroy(d1), 0);
	evc_virq_raise_global(&fake.machine, VIRQ_CONSOLE);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_the_host_refuses_leaves_nothing_bound),
		cmocka_unit_test(line_bound_twice_keeps_the_first_binding),
		cmocka_unit_test(line_never_bound_that_fires_is_dropped),
		cmocka_unit_test(lines_of_a_domain_all_come_back),
		cmocka_unit_test(line_taken_away_by_the_host_still_closes),
		cmocka_unit_test(virq_without_a_port_left_disturbs_no_other),
		cmocka_unit_test(handler_that_is_dying_is_not_named),
		cmocka_unit_test(global_virq_of_another_handler_is_busy),
		cmocka_unit_test(handler_with_the_virq_bound_is_not_robbed),
		cmocka_unit_test(
			argo_binds_in_every_domain_and_goes_to_its_own),
		cmocka_unit_test(system_without_a_hwdom_drops_global_virqs),
	};

	return cmocka_run_group_tests_name("regress virq pirq", tests, NULL,
					   NULL);
}
