/* SPDX-License-Identifier: MIT */
/*
 * Old bugs of a hypervisor around event channels, in the simulator: here, the
 * timer behind VIRQ_TIMER.  docs/regressions.md has the list.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <abi/vcpu.h>
#include <sim/sim.h>

#define ARG 0x1000

static struct sim_machine machine;
static struct sim_domain *d;
static evtchn_port_t port;

/* One domain, one vCPU, VIRQ_TIMER bound. */
static void start(void)
{
	const struct sim_domain_config c = {
		.nr_vcpus = 1, .width = EVC_WIDTH_64, .max_port = EVC_NO_LIMIT};
	struct evtchn_bind_virq op = {.virq = VIRQ_TIMER};
	void *arg;

	sim_machine_init(&machine, false);
	assert_int_equal(sim_domain_create(&machine, &c, &d), 0);
	assert_int_equal(sim_map(d, ARG, NULL, 4096, false), 0);
	arg = sim_at(d, ARG, sizeof(op), true);
	memcpy(arg, &op, sizeof(op));
	assert_int_equal(sim_hypercall(&d->vcpu[0],
				       __HYPERVISOR_event_channel_op,
				       EVTCHNOP_bind_virq, ARG),
			 0);
	memcpy(&op, arg, sizeof(op));
	port = op.port;
}

/* Take the event, if there is one. */
static bool fired(void)
{
	struct shared_info *s = d->evc.shared_info;
	uint64_t bit = 1ull << port;
	bool was = s->evtchn_pending[0] & bit;

	s->evtchn_pending[0] &= ~bit;
	return was;
}

/*
 * XSA-20 (CVE-2012-4535): deadline arithmetic overflowed and the timer's
 * handler never came to an end.  The simulator has the one-shot timer only.
 */
static void timer_with_any_deadline_fires_once_and_ends(void **unused)
{
	const uint64_t deadline[] = {1,
				     2,
				     1000000000,
				     UINT32_MAX,
				     (1ull << 63) - 1,
				     1ull << 63,
				     (1ull << 63) + 1,
				     UINT64_MAX - 5000};
	unsigned int i;

	(void)unused;
	for (i = 0; i < 8; i++) {
		start();
		assert_int_equal(sim_hypercall(&d->vcpu[0],
					       __HYPERVISOR_set_timer_op, 0,
					       deadline[i]),
				 0);
		sim_advance(&machine, deadline[i] - 1);
		assert_false(fired());
		sim_advance(&machine, 1);
		assert_true(fired());
		sim_advance(&machine, 4000);
		assert_false(fired());
		/* A deadline that is past is now, and once. */
		assert_int_equal(sim_hypercall(&d->vcpu[0],
					       __HYPERVISOR_set_timer_op, 0,
					       deadline[i]),
				 0);
		assert_true(fired());
		sim_advance(&machine, 500);
		assert_false(fired());
		sim_machine_fini(&machine);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timer_with_any_deadline_fires_once_and_ends),
	};

	return cmocka_run_group_tests_name("regress sim", tests, NULL, NULL);
}
