/* SPDX-License-Identifier: MIT */
/*
 * The way from a guest into the hypervisor: hypercalls, by number, and the
 * hooks of the guest library, so that any number of guests written with it
 * run in one process.
 *
 * evg_plat_hypercall() acts for the vCPU that is running, sim_hypercall() for
 * the one it is told; a test may use either.
 */
#include <sim/sim.h>

#include <abi/callback.h>
#include <abi/sched.h>
#include <abi/vcpu.h>
#include <evg/platform.h>

/* --- hypercalls ------------------------------------------------------------ */

/* A preempted reset is made again, as the guest's trap instruction would be. */
static int event_channel_op(struct sim_vcpu *v, uint32_t cmd, uint64_t arg)
{
	struct sim_machine *m = v->domain->machine;
	int rc = evc_hypercall(v->evc, cmd, arg);

	while (rc == -XEN_ERESTART) {
		if (m->preempted)
			m->preempted(m);
		rc = evc_hypercall(v->evc, EVTCHNOP_reset_cont, arg);
	}
	return rc;
}

static int block(struct sim_vcpu *v)
{
	evb_u8 *info = evb_ptr_load_acquire(&v->evc->info);

	evb_u8_store(&info[1], 0);
	/* MO-BLOCK: say that it is blocked, then look once more */
	v->state = SIM_BLOCKED;
	if (evc_host_upcall_enabled(v->evc))
		v->state = SIM_RUNNING;
	return 0;
}

static int poll(struct sim_vcpu *v, uint64_t arg)
{
	uint64_t timeout;
	int rc = evc_poll(v->evc, arg, &timeout);

	if (rc != EVC_BLOCK)
		return rc;
	if (timeout && timeout <= v->domain->machine->now) {
		evc_poll_end(v->evc);
		return 0;
	}
	v->poll_until = timeout;
	v->state = SIM_POLLING;
	/* With threads a sender may have been here first: see evc_poll(). */
	if (evc_poll_is_over(v->evc))
		v->state = SIM_RUNNING;
	return 0;
}

static int sched_op(struct sim_vcpu *v, uint32_t cmd, uint64_t arg)
{
	switch (cmd) {
	case SCHEDOP_yield:
		return 0;
	case SCHEDOP_block:
		return block(v);
	case SCHEDOP_poll:
		return poll(v, arg);
	default:
		return -XEN_ENOSYS;
	}
}

/* Where the guest's entry of that type is kept, or NULL. */
static sim_entry *entry_of(struct sim_domain *d, uint16_t type)
{
	if (type == CALLBACKTYPE_event)
		return &d->event;
	if (type == CALLBACKTYPE_failsafe)
		return &d->failsafe;
	return NULL;
}

static int callback_op(struct sim_vcpu *v, uint32_t cmd, uint64_t arg)
{
	struct callback_register r = {0};
	sim_entry *entry;
	size_t size;

	if (cmd != CALLBACKOP_register && cmd != CALLBACKOP_unregister)
		return -XEN_ENOSYS;
	size = cmd == CALLBACKOP_register ? sizeof(r)
					  : sizeof(struct callback_unregister);
	if (evc_host_copy_in(v->evc, &r, arg, size))
		return -XEN_EFAULT;
	entry = entry_of(v->domain, r.type);
	/* Only what is code of this process can be entered. */
	if (!entry || !v->domain->flat)
		return -XEN_ENOSYS;
	*entry = cmd == CALLBACKOP_register ? (sim_entry)(uintptr_t)r.address
					    : NULL;
	return 0;
}

int sim_register_vcpu_info(struct sim_vcpu *v, uint64_t addr)
{
	return evc_vcpu_register_info(
		v->evc,
		sim_at(v->domain, addr, sizeof(struct vcpu_info), true));
}

static int register_vcpu_info(struct sim_vcpu *v, uint64_t arg)
{
	struct vcpu_register_vcpu_info r;

	if (evc_host_copy_in(v->evc, &r, arg, sizeof(r)))
		return -XEN_EFAULT;
	if (r.offset > 4096 - sizeof(struct vcpu_info) || r.mfn >> 52)
		return -XEN_EINVAL;
	return sim_register_vcpu_info(v, r.mfn << 12 | r.offset);
}

/* @when: absolute; 0 switches it off.  A time that is past is due now. */
static int set_timer(struct sim_vcpu *v, uint64_t when)
{
	v->timer = when;
	if (when && when <= v->domain->machine->now) {
		v->timer = 0;
		evc_virq_raise(v->evc, VIRQ_TIMER);
	}
	return 0;
}

static int vcpu_op(struct sim_vcpu *v, uint32_t cmd, uint64_t arg)
{
	struct vcpu_set_singleshot_timer t;

	switch (cmd) {
	case VCPUOP_register_vcpu_info:
		return register_vcpu_info(v, arg);
	case VCPUOP_set_singleshot_timer:
		if (evc_host_copy_in(v->evc, &t, arg, sizeof(t)))
			return -XEN_EFAULT;
		/* 0 is long past, and not "off" here. */
		return set_timer(v, t.timeout_abs_ns ? t.timeout_abs_ns : 1);
	case VCPUOP_stop_singleshot_timer:
		return set_timer(v, 0);
	default:
		return -XEN_ENOSYS;
	}
}

int sim_hypercall(struct sim_vcpu *v, unsigned int nr, unsigned int cmd,
		  uint64_t arg)
{
	switch (nr) {
	case __HYPERVISOR_event_channel_op:
		return event_channel_op(v, cmd, arg);
	case __HYPERVISOR_event_channel_op_compat:
		return evc_hypercall_compat(v->evc, arg);
	case __HYPERVISOR_sched_op:
		return sched_op(v, cmd, arg);
	case __HYPERVISOR_callback_op:
		return callback_op(v, cmd, arg);
	case __HYPERVISOR_set_timer_op:
		return set_timer(v, arg);
	case __HYPERVISOR_vcpu_op:
		return vcpu_op(v, cmd, arg);
	default:
		return -XEN_ENOSYS;
	}
}

/* --- the guest library's hooks --------------------------------------------- */

void sim_set_guest(struct sim_domain *d, struct evg_guest *guest)
{
	d->guest = guest;
}

void sim_set_guest_vcpu(struct sim_vcpu *v, struct evg_vcpu *guest)
{
	v->guest = guest;
}

/* Back in the guest: its upcalls come first, unless it no longer runs. */
static void return_to_guest(struct sim_vcpu *v)
{
	if (v->state == SIM_RUNNING)
		sim_take_upcalls(v);
}

/* SEND 2/9 - from guest/hypercalls.c evg_notify(); next core/hypercall.c evc_hypercall() */
int evg_plat_hypercall(struct evg_guest *g, unsigned int nr, unsigned int cmd,
		       void *arg)
{
	struct sim_vcpu *v = sim_current();
	int rc;

	(void)g;
	/* It was to wait, and runs all the same: woken for no reason. */
	if (v->state != SIM_RUNNING) {
		sim_end_wait(v);
		v->state = SIM_RUNNING;
	}
	rc = sim_hypercall(v, nr, cmd, (uintptr_t)arg);
	return_to_guest(v);

	return rc;
}

struct evg_vcpu *evg_plat_this_vcpu(struct evg_guest *g)
{
	(void)g;
	return sim_current()->guest;
}

struct evg_guest *evg_plat_this_guest(void)
{
	return sim_current()->domain->guest;
}

unsigned long evg_plat_upcalls_save(struct evg_guest *g)
{
	evb_u8 *info = evb_ptr_load_acquire(&sim_current()->evc->info);

	(void)g;
	return evb_u8_xchg(&info[1], 1);
}

void evg_plat_upcalls_restore(struct evg_guest *g, unsigned long saved)
{
	struct sim_vcpu *v = sim_current();
	evb_u8 *info = evb_ptr_load_acquire(&v->evc->info);

	(void)g;
	evb_u8_store(&info[1], saved != 0);
	return_to_guest(v);
}

void evg_plat_relax(void)
{
}
