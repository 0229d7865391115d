/* SPDX-License-Identifier: MIT */
/*
 * The simulator: its memory, its schedule, its hooks, and two guests written
 * with the guest library that talk to each other in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <abi/callback.h>
#include <abi/sched.h>
#include <abi/vcpu.h>
#include <errno.h>
#include <evg/evg.h>
#include <sim/sim.h>

/* --- two plain domains ------------------------------------------------------ */

#define ARG 0x10000u

struct world {
	struct sim_machine m;
	struct sim_domain *d0, *d1;
	unsigned int steps;
	unsigned int upcalls;
};

static struct world w;

static void count_step(struct sim_vcpu *v)
{
	(void)v;
	w.steps++;
}

static struct sim_domain *add(domid_t domid, uint32_t nr_vcpus,
			      void (*step)(struct sim_vcpu *v), bool flat)
{
	struct sim_domain_config c = {
		.domid = domid,
		.nr_vcpus = nr_vcpus,
		.width = EVC_WIDTH_64,
		.max_port = EVC_NO_LIMIT,
		.nr_pirqs = 8,
		.privileged = domid == 0,
		.flat = flat,
		.step = step,
	};
	struct sim_domain *d = NULL;

	assert_int_equal(sim_domain_create(&w.m, &c, &d), 0);
	if (!flat)
		assert_int_equal(sim_map(d, ARG, NULL, 4096, false), 0);
	return d;
}

static int setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	sim_machine_init(&w.m, false);
	w.d0 = add(0, 2, count_step, false);
	w.d1 = add(1, 2, count_step, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sim_yield_every(0);
	sim_machine_fini(&w.m);
	return 0;
}

static int call(struct sim_vcpu *v, uint32_t cmd, void *op, size_t size)
{
	void *arg = sim_at(v->domain, ARG, size, true);
	int rc;

	memcpy(arg, op, size);
	rc = sim_hypercall(v, __HYPERVISOR_event_channel_op, cmd, ARG);
	memcpy(op, arg, size);
	return rc;
}

static evtchn_port_t ipi(struct sim_domain *d, uint32_t vcpu)
{
	struct evtchn_bind_ipi op = {.vcpu = vcpu};

	assert_int_equal(call(&d->vcpu[0], EVTCHNOP_bind_ipi, &op, sizeof(op)),
			 0);
	return op.port;
}

static void send(struct sim_domain *d, evtchn_port_t port)
{
	struct evtchn_send op = {.port = port};

	assert_int_equal(call(&d->vcpu[0], EVTCHNOP_send, &op, sizeof(op)), 0);
}

static struct vcpu_info *info_of(struct sim_vcpu *v)
{
	return evb_ptr_load_acquire(&v->evc->info);
}

/* --- creation ---------------------------------------------------------------- */

static void domain_with_a_domid_in_use_is_refused(void **state)
{
	struct sim_domain_config c = {.domid = 1, .nr_vcpus = 1};
	struct sim_domain *d = NULL;

	(void)state;
	assert_int_equal(sim_domain_create(&w.m, &c, &d), -EEXIST);
	assert_null(d);
}

static void domain_with_bad_numbers_is_refused(void **state)
{
	struct sim_domain_config bad[] = {
		{.domid = 5, .nr_vcpus = 0},
		{.domid = 5, .nr_vcpus = 8193},
		{.domid = 5, .nr_vcpus = 1, .nr_buckets = 2049},
		{.domid = DOMID_SELF, .nr_vcpus = 1},
	};
	struct sim_domain *d = NULL;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(sim_domain_create(&w.m, &bad[i], &d), -EINVAL);
	assert_null(d);
}

static void destroyed_domain_is_not_found_and_its_vcpus_are_down(void **state)
{
	(void)state;
	sim_domain_destroy(w.d1, false);
	assert_null(sim_domain_find(&w.m, 1));
	assert_int_equal(w.d1->vcpu[0].state, SIM_DOWN);
	assert_false(sim_run_vcpu(&w.d1->vcpu[0]));
	sim_vcpu_up(&w.d1->vcpu[0]);
	assert_int_equal(w.d1->vcpu[0].state, SIM_DOWN);
	/* The number is free again. */
	assert_ptr_not_equal(add(1, 1, NULL, false), w.d1);
}

static void zombie_is_found(void **state)
{
	(void)state;
	sim_domain_destroy(w.d1, true);
	assert_ptr_equal(sim_domain_find(&w.m, 1), w.d1);
}

/* --- memory ------------------------------------------------------------------ */

static void memory_outside_of_a_range_is_not_reached(void **state)
{
	static const struct {
		uint64_t addr;
		size_t len;
	} bad[] = {
		{ARG - 1, 1},
		{ARG - 1, 2},
		{ARG + 4096, 1},
		{ARG + 4095, 2},
		{ARG, 4097},
		{ARG, SIZE_MAX},
		{ARG + 1, SIZE_MAX},
		{UINT64_MAX, 1},
		{UINT64_MAX, SIZE_MAX},
		{0, 1},
		{0, SIZE_MAX},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(sim_at(w.d0, bad[i].addr, bad[i].len, false));
	assert_non_null(sim_at(w.d0, ARG, 4096, true));
	assert_non_null(sim_at(w.d0, ARG + 4095, 1, true));
}

static void memory_that_is_readonly_can_be_read_only(void **state)
{
	unsigned char lent[16] = {42};

	(void)state;
	assert_int_equal(sim_map(w.d0, UINT64_MAX - 15, lent, 16, true), 0);
	assert_ptr_equal(sim_at(w.d0, UINT64_MAX - 15, 16, false), lent);
	assert_null(sim_at(w.d0, UINT64_MAX - 15, 16, true));
	assert_null(sim_at(w.d0, UINT64_MAX - 14, 16, false));
}

static void memory_range_beyond_the_last_address_is_refused(void **state)
{
	unsigned char lent[16];

	(void)state;
	assert_int_equal(sim_map(w.d0, UINT64_MAX - 14, lent, 16, false),
			 -EINVAL);
	assert_int_equal(sim_map(w.d0, 0, lent, 0, false), -EINVAL);
	assert_int_equal(sim_map(w.d0, 0, NULL, SIZE_MAX, false), -ENOMEM);
}

static void memory_of_a_flat_domain_is_all_but_null(void **state)
{
	struct sim_domain *d = add(2, 1, NULL, true);
	int here;

	(void)state;
	assert_ptr_equal(sim_at(d, (uintptr_t)&here, sizeof(here), true),
			 &here);
	assert_null(sim_at(d, 0, 1, false));
	assert_null(sim_at(d, UINT64_MAX, 2, false));
}

static void bucket_failure_gives_enomem_once(void **state)
{
	struct evtchn_bind_ipi op = {.vcpu = 0};
	struct sim_vcpu *v = &w.d0->vcpu[0];
	int i;

	(void)state;
	for (i = 1; i < 64; i++)
		ipi(w.d0, 0);
	sim_fail_buckets(w.d0, 1);
	assert_int_equal(call(v, EVTCHNOP_bind_ipi, &op, sizeof(op)),
			 -XEN_ENOMEM);
	assert_int_equal(ipi(w.d0, 0), 64);
}

/* --- schedule ---------------------------------------------------------------- */

static void step_takes_turns(void **state)
{
	static const unsigned int expected[] = {0, 1, 2, 3, 0, 1};
	size_t i;

	(void)state;
	for (i = 0; i < 6; i++) {
		struct sim_domain *d = expected[i] < 2 ? w.d0 : w.d1;

		assert_int_equal(w.m.turn, expected[i]);
		assert_true(sim_step(&w.m));
		assert_int_equal(d->vcpu[expected[i] % 2].state, SIM_RUNNABLE);
	}
	assert_int_equal(w.steps, 6);
}

static void step_passes_over_vcpus_that_cannot_run(void **state)
{
	(void)state;
	sim_vcpu_down(&w.d0->vcpu[0]);
	sim_vcpu_down(&w.d0->vcpu[1]);
	sim_vcpu_down(&w.d1->vcpu[0]);
	assert_true(sim_step(&w.m));
	assert_int_equal(w.m.turn, 0);
	sim_vcpu_down(&w.d1->vcpu[1]);
	assert_false(sim_step(&w.m));
	assert_int_equal(w.steps, 1);
	sim_vcpu_up(&w.d1->vcpu[1]);
	assert_true(sim_step(&w.m));
}

static void step_without_domains_does_nothing(void **state)
{
	struct sim_machine empty;

	(void)state;
	sim_machine_init(&empty, false);
	assert_false(sim_step(&empty));
	sim_advance(&empty, 1000);
	sim_machine_fini(&empty);
}

static void block(struct sim_vcpu *v)
{
	assert_int_equal(
		sim_hypercall(v, __HYPERVISOR_sched_op, SCHEDOP_block, 0), 0);
}

static void blocked_vcpu_is_made_runnable_by_an_event(void **state)
{
	evtchn_port_t port = ipi(w.d0, 1);
	struct sim_vcpu *v = &w.d0->vcpu[1];

	(void)state;
	info_of(v)->evtchn_upcall_mask = 1;
	block(v);
	assert_int_equal(v->state, SIM_BLOCKED);
	assert_int_equal(info_of(v)->evtchn_upcall_mask, 0);
	assert_false(sim_run_vcpu(v));
	send(w.d0, port);
	assert_int_equal(v->state, SIM_RUNNABLE);
	assert_int_equal(v->nr_kicks, 1);
}

static void block_with_an_event_pending_does_not_block(void **state)
{
	struct sim_vcpu *v = &w.d0->vcpu[1];

	(void)state;
	info_of(v)->evtchn_upcall_mask = 1;
	send(w.d0, ipi(w.d0, 1));
	block(v);
	assert_int_equal(v->state, SIM_RUNNING);
}

/* --- poll and time ------------------------------------------------------------ */

static int poll(struct sim_vcpu *v, evtchn_port_t port, uint64_t timeout)
{
	struct sched_poll op = {
		.ports = ARG + 64,
		.nr_ports = 1,
		.timeout = timeout,
	};

	memcpy(sim_at(v->domain, ARG, sizeof(op), true), &op, sizeof(op));
	memcpy(sim_at(v->domain, ARG + 64, 4, true), &port, 4);
	return sim_hypercall(v, __HYPERVISOR_sched_op, SCHEDOP_poll, ARG);
}

static void poll_ends_with_the_event_and_not_before(void **state)
{
	evtchn_port_t port = ipi(w.d0, 0), other = ipi(w.d0, 0);
	struct shared_info *s = w.d0->evc.shared_info;
	struct sim_vcpu *v = &w.d0->vcpu[1];

	(void)state;
	s->evtchn_mask[0] = ~0ull;
	assert_int_equal(poll(v, port, 0), 0);
	assert_int_equal(v->state, SIM_POLLING);
	send(w.d0, other);
	sim_advance(&w.m, 1000000000);
	assert_int_equal(v->state, SIM_POLLING);
	send(w.d0, port);
	assert_int_equal(v->state, SIM_RUNNABLE);
	/* It is pending now: no wait. */
	assert_true(sim_run_vcpu(v));
	assert_int_equal(poll(v, port, 0), 0);
	assert_int_equal(v->state, SIM_RUNNABLE);
}

static void poll_times_out_at_its_time(void **state)
{
	evtchn_port_t port = ipi(w.d0, 0);
	struct sim_vcpu *v = &w.d0->vcpu[1];

	(void)state;
	assert_int_equal(poll(v, port, 500), 0);
	sim_advance(&w.m, 499);
	assert_int_equal(v->state, SIM_POLLING);
	sim_advance(&w.m, 1);
	assert_int_equal(v->state, SIM_RUNNABLE);
	assert_true(sim_run_vcpu(v));
	assert_true(evc_poll_is_over(v->evc));
	/* A time that is past is no wait. */
	assert_int_equal(poll(v, port, 500), 0);
	assert_int_equal(v->state, SIM_RUNNABLE);
	assert_true(evc_poll_is_over(v->evc));
}

static bool is_pending(struct sim_domain *d, evtchn_port_t port)
{
	const struct shared_info *s = d->evc.shared_info;

	return s->evtchn_pending[port / 64] >> port % 64 & 1;
}

static void timer_raises_virq_timer_once(void **state)
{
	struct evtchn_bind_virq op = {.virq = VIRQ_TIMER, .vcpu = 1};
	struct sim_vcpu *v = &w.d0->vcpu[1];

	(void)state;
	assert_int_equal(call(v, EVTCHNOP_bind_virq, &op, sizeof(op)), 0);
	assert_int_equal(sim_hypercall(v, __HYPERVISOR_set_timer_op, 0, 100),
			 0);
	sim_advance(&w.m, 99);
	assert_false(is_pending(w.d0, op.port));
	sim_advance(&w.m, 1);
	assert_true(is_pending(w.d0, op.port));
	assert_int_equal(w.m.now, 100);
	assert_int_equal(v->timer, 0);
}

static void timer_in_the_past_is_due_at_once(void **state)
{
	struct evtchn_bind_virq op = {.virq = VIRQ_TIMER, .vcpu = 1};
	struct vcpu_set_singleshot_timer t = {.timeout_abs_ns = 0};
	struct sim_vcpu *v = &w.d0->vcpu[1];

	(void)state;
	sim_advance(&w.m, 50);
	assert_int_equal(call(v, EVTCHNOP_bind_virq, &op, sizeof(op)), 0);
	memcpy(sim_at(w.d0, ARG, sizeof(t), true), &t, sizeof(t));
	assert_int_equal(sim_hypercall(v, __HYPERVISOR_vcpu_op,
				       VCPUOP_set_singleshot_timer, ARG),
			 0);
	assert_true(is_pending(w.d0, op.port));
}

/* --- other hypercalls ----------------------------------------------------------- */

static void hypercall_that_does_not_exist_gives_enosys(void **state)
{
	struct sim_vcpu *v = &w.d0->vcpu[0];

	(void)state;
	assert_int_equal(sim_hypercall(v, 63, 0, 0), -XEN_ENOSYS);
	assert_int_equal(sim_hypercall(v, __HYPERVISOR_sched_op, 99, 0),
			 -XEN_ENOSYS);
	assert_int_equal(sim_hypercall(v, __HYPERVISOR_vcpu_op, 99, 0),
			 -XEN_ENOSYS);
	assert_int_equal(sim_hypercall(v, __HYPERVISOR_callback_op, 99, 0),
			 -XEN_ENOSYS);
	assert_int_equal(sim_hypercall(v, __HYPERVISOR_event_channel_op, 99, 0),
			 -XEN_ENOSYS);
}

static void register_vcpu_info_takes_a_frame_of_the_guest_only(void **state)
{
	struct sim_vcpu *v = &w.d0->vcpu[0];
	struct vcpu_register_vcpu_info op[] = {
		{.mfn = 0, .offset = 0},
		{.mfn = UINT64_MAX, .offset = 0},
		{.mfn = ARG / 4096, .offset = 4096 - 56},
		{.mfn = ARG / 4096, .offset = UINT32_MAX},
		{.mfn = ARG / 4096, .offset = 4096 - 64},
	};
	size_t i;

	(void)state;
	for (i = 0; i < 5; i++) {
		memcpy(sim_at(w.d0, ARG, sizeof(op[i]), true), &op[i],
		       sizeof(op[i]));
		assert_int_equal(sim_hypercall(v, __HYPERVISOR_vcpu_op,
					       VCPUOP_register_vcpu_info, ARG),
				 i < 4 ? -XEN_EINVAL : 0);
	}
	assert_ptr_equal(info_of(v), sim_at(w.d0, ARG + 4096 - 64, 64, true));
}

static void callback_of_a_domain_that_is_not_flat_is_refused(void **state)
{
	struct callback_register op = {.type = CALLBACKTYPE_event};

	(void)state;
	memcpy(sim_at(w.d0, ARG, sizeof(op), true), &op, sizeof(op));
	assert_int_equal(sim_hypercall(&w.d0->vcpu[0], __HYPERVISOR_callback_op,
				       CALLBACKOP_register, ARG),
			 -XEN_ENOSYS);
	assert_null(w.d0->event);
}

static void count_preemption(struct sim_machine *m)
{
	(void)m;
	w.upcalls++;
}

static void reset_that_is_preempted_goes_on_to_the_end(void **state)
{
	struct evtchn_reset op = {.dom = DOMID_SELF};
	int i;

	(void)state;
	for (i = 0; i < 200; i++)
		ipi(w.d0, 0);
	w.m.preempted = count_preemption;
	sim_yield_every(1);
	assert_int_equal(call(&w.d0->vcpu[0], EVTCHNOP_reset, &op, sizeof(op)),
			 0);
	assert_int_equal(w.upcalls, 3);
	assert_int_equal(ipi(w.d0, 0), 1);
}

/* --- lines ------------------------------------------------------------------------ */

static int bind_pirq(struct sim_domain *d, uint32_t flags, evtchn_port_t *port)
{
	struct evtchn_bind_pirq op = {.pirq = 3, .flags = flags};
	int rc = call(&d->vcpu[0], EVTCHNOP_bind_pirq, &op, sizeof(op));

	*port = op.port;
	return rc;
}

static void line_needs_permission_and_consent_to_share(void **state)
{
	evtchn_port_t p0, p1;

	(void)state;
	assert_int_equal(bind_pirq(w.d0, 0, &p0), -XEN_EPERM);
	assert_int_equal(sim_map_pirq(w.d0, 8), -EINVAL);
	assert_int_equal(sim_map_pirq(w.d0, 3), 0);
	assert_int_equal(sim_map_pirq(w.d1, 3), 0);
	assert_int_equal(bind_pirq(w.d0, 0, &p0), 0);
	assert_int_equal(bind_pirq(w.d1, BIND_PIRQ__WILL_SHARE, &p1),
			 -XEN_EBUSY);
	assert_int_equal(evc_close(&w.d0->evc, p0), 0);
	assert_int_equal(bind_pirq(w.d0, BIND_PIRQ__WILL_SHARE, &p0), 0);
	assert_int_equal(bind_pirq(w.d1, 0, &p1), -XEN_EBUSY);
	assert_int_equal(bind_pirq(w.d1, BIND_PIRQ__WILL_SHARE, &p1), 0);
	sim_raise_line(&w.m, 3);
	assert_true(is_pending(w.d0, p0));
	assert_true(is_pending(w.d1, p1));
}

/* --- upcalls ---------------------------------------------------------------------- */

static void take_one(void)
{
	struct vcpu_info *info = info_of(sim_current());

	w.upcalls++;
	assert_int_equal(info->evtchn_upcall_mask, 1);
	info->evtchn_upcall_pending = 0;
	info->evtchn_pending_sel = 0;
}

static void ignore(void)
{
	w.upcalls++;
}

static void upcall_is_taken_on_the_way_into_the_guest(void **state)
{
	struct sim_vcpu *v = &w.d0->vcpu[1];

	(void)state;
	w.d0->event = take_one;
	send(w.d0, ipi(w.d0, 1));
	assert_int_equal(w.upcalls, 0);
	assert_true(sim_run_vcpu(v));
	assert_int_equal(w.upcalls, 1);
	assert_int_equal(info_of(v)->evtchn_upcall_mask, 0);
	assert_true(sim_run_vcpu(v));
	assert_int_equal(w.upcalls, 1);
}

static void upcall_waits_for_the_mask(void **state)
{
	struct sim_vcpu *v = &w.d0->vcpu[1];

	(void)state;
	w.d0->event = take_one;
	info_of(v)->evtchn_upcall_mask = 1;
	send(w.d0, ipi(w.d0, 1));
	assert_true(sim_run_vcpu(v));
	assert_int_equal(w.upcalls, 0);
	info_of(v)->evtchn_upcall_mask = 0;
	assert_true(sim_run_vcpu(v));
	assert_int_equal(w.upcalls, 1);
}

static void upcall_that_is_never_cleared_does_not_hang(void **state)
{
	(void)state;
	w.d0->event = ignore;
	send(w.d0, ipi(w.d0, 1));
	assert_true(sim_run_vcpu(&w.d0->vcpu[1]));
	assert_int_equal(w.upcalls, 64);
	assert_int_equal(w.steps, 1);
}

/* --- two guests with the guest library --------------------------------------------- */

#define NR_PORTS 64

struct guest {
	struct evg_guest evg;
	struct evg_vcpu vcpu[2];
	struct evg_port port[NR_PORTS];
	struct sim_domain *sim;
	evtchn_port_t channel;
	unsigned int handled;
	unsigned int to_send;
};

static struct guest alice, bob;

static void enter_guest(void)
{
	(void)evg_upcall(evg_plat_this_vcpu(evg_plat_this_guest()));
}

static void answer(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct guest *g = ctx;

	assert_ptr_equal(v->guest, &g->evg);
	assert_int_equal(port, g->channel);
	g->handled++;
	if (g->to_send) {
		g->to_send--;
		assert_int_equal(evg_notify(&g->evg, port), 0);
	}
}

static void sleep_step(struct sim_vcpu *v)
{
	struct guest *g = v->domain->guest_data;

	assert_int_equal(evg_block(&g->evg), 0);
}

static void boot(void *arg)
{
	struct guest *g = arg;
	struct evg_config c = {
		.shared_info = g->sim->evc.shared_info,
		.layout = EVG_LAYOUT_X86_64,
		.port = g->port,
		.nr_ports = NR_PORTS,
		.vcpu = g->vcpu,
		.nr_vcpus = 2,
	};

	assert_int_equal(evg_init(&g->evg, &c), 0);
	assert_int_equal(evg_set_callbacks(&g->evg, (uintptr_t)enter_guest, 0),
			 0);
}

static void start(struct guest *g, domid_t domid)
{
	memset(g, 0, sizeof(*g));
	g->sim = add(domid, 2, sleep_step, true);
	g->sim->guest_data = g;
	sim_set_guest(g->sim, &g->evg);
	sim_set_guest_vcpu(&g->sim->vcpu[0], &g->vcpu[0]);
	sim_set_guest_vcpu(&g->sim->vcpu[1], &g->vcpu[1]);
	sim_call(&g->sim->vcpu[0], boot, g);
}

static void offer(void *arg)
{
	struct guest *g = arg;

	assert_int_equal(
		evg_alloc_unbound(&g->evg, DOMID_SELF, 11, &g->channel), 0);
	assert_int_equal(evg_bind_handler(&g->evg, g->channel, 1, answer, g),
			 0);
}

static void accept_offer(void *arg)
{
	struct guest *g = arg;

	assert_int_equal(
		evg_bind_interdomain(&g->evg, 10, alice.channel, &g->channel),
		0);
	assert_int_equal(
		evg_bind_handler(&g->evg, g->channel, EVG_VCPU_KEEP, answer, g),
		0);
}

/* Both sleep, connected; bob has had the event of binding. */
static void meet(void)
{
	sim_vcpu_down(&w.d0->vcpu[0]);
	sim_vcpu_down(&w.d0->vcpu[1]);
	sim_vcpu_down(&w.d1->vcpu[0]);
	sim_vcpu_down(&w.d1->vcpu[1]);
	start(&alice, 10);
	start(&bob, 11);
	sim_call(&alice.sim->vcpu[0], offer, &alice);
	sim_call(&bob.sim->vcpu[0], accept_offer, &bob);
	assert_true(sim_settle(&w.m, 100));
	assert_int_equal(bob.handled, 1);
	assert_int_equal(alice.handled, 0);
	bob.handled = 0;
}

static void notify(void *arg)
{
	struct guest *g = arg;

	assert_int_equal(evg_notify(&g->evg, g->channel), 0);
}

static void guests_play_ping_pong(void **state)
{
	(void)state;
	meet();
	alice.to_send = 1000;
	bob.to_send = 1000;
	sim_call(&bob.sim->vcpu[0], notify, &bob);
	assert_true(sim_settle(&w.m, 10000));
	assert_int_equal(alice.handled, 1001);
	assert_int_equal(bob.handled, 1000);
	/* On the vCPU that was asked for. */
	assert_int_equal(evb_u32_load(&alice.vcpu[1].nr_handled), 1001);
	assert_int_equal(evb_u32_load(&alice.vcpu[0].nr_handled), 0);
}

static void event_for_a_guest_that_does_not_run_waits(void **state)
{
	(void)state;
	meet();
	sim_vcpu_down(&alice.sim->vcpu[1]);
	sim_call(&bob.sim->vcpu[0], notify, &bob);
	sim_call(&bob.sim->vcpu[0], notify, &bob);
	assert_true(sim_settle(&w.m, 100));
	assert_int_equal(alice.handled, 0);
	sim_vcpu_up(&alice.sim->vcpu[1]);
	assert_true(sim_settle(&w.m, 100));
	assert_int_equal(alice.handled, 1);
}

static void count_one(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)v;
	(void)port;
	*(unsigned int *)ctx += 1;
}

/* Events for the vCPU that sends them. */
static void hold_off(void *arg)
{
	struct guest *g = arg;
	unsigned long saved;
	unsigned int count = 0;
	evtchn_port_t port;

	assert_int_equal(evg_bind_ipi(&g->evg, 0, &port), 0);
	assert_int_equal(evg_bind_handler(&g->evg, port, EVG_VCPU_KEEP,
					  count_one, &count),
			 0);
	saved = evg_plat_upcalls_save(&g->evg);
	assert_int_equal(evg_notify(&g->evg, port), 0);
	assert_int_equal(count, 0);
	evg_plat_upcalls_restore(&g->evg, saved);
	assert_int_equal(count, 1);
	/* With upcalls on it is taken before the hypercall has returned. */
	assert_int_equal(evg_notify(&g->evg, port), 0);
	assert_int_equal(count, 2);
	assert_int_equal(evg_close(&g->evg, port), 0);
}

static void upcall_held_off_by_the_guest_is_taken_when_it_lets_go(void **state)
{
	(void)state;
	meet();
	sim_call(&alice.sim->vcpu[0], hold_off, &alice);
}

static void same_schedule_gives_the_same_history(void **state)
{
	unsigned int turns[2], upcalls[2];
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		meet();
		alice.to_send = bob.to_send = 17;
		sim_call(&bob.sim->vcpu[0], notify, &bob);
		assert_true(sim_settle(&w.m, 1000));
		turns[i] = w.m.turn;
		upcalls[i] = alice.sim->vcpu[1].nr_upcalls;
		teardown(state);
		setup(state);
	}
	assert_int_equal(turns[0], turns[1]);
	assert_int_equal(upcalls[0], upcalls[1]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(domain_with_a_domid_in_use_is_refused),
		TEST(domain_with_bad_numbers_is_refused),
		TEST(destroyed_domain_is_not_found_and_its_vcpus_are_down),
		TEST(zombie_is_found),
		TEST(memory_outside_of_a_range_is_not_reached),
		TEST(memory_that_is_readonly_can_be_read_only),
		TEST(memory_range_beyond_the_last_address_is_refused),
		TEST(memory_of_a_flat_domain_is_all_but_null),
		TEST(bucket_failure_gives_enomem_once),
		TEST(step_takes_turns),
		TEST(step_passes_over_vcpus_that_cannot_run),
		TEST(step_without_domains_does_nothing),
		TEST(blocked_vcpu_is_made_runnable_by_an_event),
		TEST(block_with_an_event_pending_does_not_block),
		TEST(poll_ends_with_the_event_and_not_before),
		TEST(poll_times_out_at_its_time),
		TEST(timer_raises_virq_timer_once),
		TEST(timer_in_the_past_is_due_at_once),
		TEST(hypercall_that_does_not_exist_gives_enosys),
		TEST(register_vcpu_info_takes_a_frame_of_the_guest_only),
		TEST(callback_of_a_domain_that_is_not_flat_is_refused),
		TEST(reset_that_is_preempted_goes_on_to_the_end),
		TEST(line_needs_permission_and_consent_to_share),
		TEST(upcall_is_taken_on_the_way_into_the_guest),
		TEST(upcall_waits_for_the_mask),
		TEST(upcall_that_is_never_cleared_does_not_hang),
		TEST(guests_play_ping_pong),
		TEST(event_for_a_guest_that_does_not_run_waits),
		TEST(upcall_held_off_by_the_guest_is_taken_when_it_lets_go),
		TEST(same_schedule_gives_the_same_history),
	};

	return cmocka_run_group_tests_name("sim", tests, NULL, NULL);
}
