/* SPDX-License-Identifier: MIT */
/*
 * Who runs, and when upcalls are taken.
 *
 * An upcall is taken as a PV guest of Xen takes it: on the way into the guest,
 * when evtchn_upcall_pending is set and evtchn_upcall_mask is clear, the
 * hypervisor sets the mask and enters the guest at its event callback.  The
 * guest's return from it clears the mask, and looks again.
 */
#include <sim/sim.h>

/* A guest that never clears its flag gets no more upcalls at a time. */
#define MAX_UPCALLS 64

static struct sim_vcpu *current;

struct sim_vcpu *sim_current(void)
{
	return current;
}

static evb_u8 *upcall_mask(struct sim_vcpu *v)
{
	return (evb_u8 *)evb_ptr_load_acquire(&v->evc->info) + 1;
}

void sim_take_upcalls(struct sim_vcpu *v)
{
	unsigned int i;

	for (i = 0; i < MAX_UPCALLS; i++) {
		/* Without a callback events just wait. */
		if (!v->domain->event || !evc_host_upcall_enabled(v->evc))
			return;
		v->nr_upcalls++;
		evb_u8_store(upcall_mask(v), 1);
		v->domain->event();
		evb_u8_store(upcall_mask(v), 0);
	}
}

void sim_end_wait(struct sim_vcpu *v)
{
	evc_poll_end(v->evc);
	v->poll_until = 0;
}

/* Let @v be the current one, take upcalls, call one of the two. */
static void run(struct sim_vcpu *v, void (*step)(struct sim_vcpu *v),
		void (*fn)(void *arg), void *arg)
{
	struct sim_vcpu *previous = current;

	sim_end_wait(v);
	v->state = SIM_RUNNING;
	current = v;
	sim_take_upcalls(v);
	if (step)
		step(v);
	if (fn)
		fn(arg);
	current = previous;
}

bool sim_run_vcpu(struct sim_vcpu *v)
{
	if (v->state != SIM_RUNNABLE)
		return false;
	run(v, v->domain->step, NULL, NULL);
	if (v->state == SIM_RUNNING)
		v->state = SIM_RUNNABLE;
	return true;
}

void sim_call(struct sim_vcpu *v, void (*fn)(void *arg), void *arg)
{
	enum sim_state before = v->state;

	run(v, NULL, fn, arg);
	if (v->state != SIM_RUNNING)
		return;
	/* If it waited, it has been woken. */
	if (before == SIM_DOWN || before == SIM_RUNNING)
		v->state = before;
	else
		v->state = SIM_RUNNABLE;
}

/* The vCPU with that index over all domains, or NULL. */
static struct sim_vcpu *vcpu_at(struct sim_machine *m, uint32_t index)
{
	struct sim_domain *d;

	for (d = m->domains; d; d = d->next) {
		if (index < d->evc.nr_vcpus)
			return &d->vcpu[index];
		index -= d->evc.nr_vcpus;
	}
	return NULL;
}

static uint32_t count_vcpus(const struct sim_machine *m)
{
	const struct sim_domain *d;
	uint32_t nr = 0;

	for (d = m->domains; d; d = d->next)
		nr += d->evc.nr_vcpus;
	return nr;
}

bool sim_step(struct sim_machine *m)
{
	uint32_t nr = count_vcpus(m);
	uint32_t i;

	for (i = 0; i < nr; i++) {
		struct sim_vcpu *v = vcpu_at(m, (m->turn + i) % nr);

		if (v->state != SIM_RUNNABLE)
			continue;
		m->turn = (m->turn + i + 1) % nr;
		return sim_run_vcpu(v);
	}
	return false;
}

bool sim_settle(struct sim_machine *m, unsigned int max)
{
	for (; max; max--) {
		if (!sim_step(m))
			return true;
	}
	return false;
}

void sim_vcpu_up(struct sim_vcpu *v)
{
	if (v->state == SIM_DOWN && !v->domain->gone)
		v->state = SIM_RUNNABLE;
}

void sim_vcpu_down(struct sim_vcpu *v)
{
	sim_end_wait(v);
	v->timer = 0;
	v->state = SIM_DOWN;
}

/* --- time ------------------------------------------------------------------ */

/* When the next thing happens to @v; UINT64_MAX: never. */
static uint64_t due(const struct sim_vcpu *v)
{
	uint64_t t = UINT64_MAX;

	if (v->timer)
		t = v->timer;
	if (v->state == SIM_POLLING && v->poll_until && v->poll_until < t)
		t = v->poll_until;
	return t;
}

static struct sim_vcpu *first_due(struct sim_machine *m)
{
	struct sim_vcpu *v, *first = NULL;
	uint32_t i;

	for (i = 0; (v = vcpu_at(m, i)); i++) {
		if (!first || due(v) < due(first))
			first = v;
	}
	return first;
}

static void expire(struct sim_vcpu *v, uint64_t now)
{
	if (v->state == SIM_POLLING && v->poll_until && v->poll_until <= now)
		v->state = SIM_RUNNABLE;
	if (v->timer && v->timer <= now) {
		v->timer = 0;
		evc_virq_raise(v->evc, VIRQ_TIMER);
	}
}

void sim_advance(struct sim_machine *m, uint64_t ns)
{
	uint64_t end = m->now + ns;
	struct sim_vcpu *v;

	/* Each round makes one vCPU's deadline vanish, or ends it. */
	for (;;) {
		v = first_due(m);
		if (!v || due(v) == UINT64_MAX || due(v) > end)
			break;
		if (due(v) > m->now)
			m->now = due(v);
		expire(v, m->now);
	}
	m->now = end;
}
