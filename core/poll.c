/* SPDX-License-Identifier: MIT */
/*
 * SCHEDOP_poll: a vCPU sleeps until one of some ports becomes pending, masked
 * or not, wherever the port is bound.
 *
 * A polling vCPU waits for one port, or for any (two or more ports, or none
 * named): v->poll says which.  nr_polling counts the vCPUs of a domain whose
 * v->poll is not EVC_POLL_NONE, so that a send can see with one load that
 * nobody polls.
 *
 * MO-POLL, the side rung: the poller enters the poll set, then tests the
 * pending bits; the sender sets a pending bit, then tests the poll set.  One
 * of them sees the other.
 */
#include <evc/evc.h>

#include <abi/sched.h>

#include "channel.h"
#include "locking.h"
#include "port_table.h"
#include "send.h"

static void uncount(struct evc_vcpu *v)
{
	(void)evb_u32_add(&v->domain->nr_polling, UINT32_MAX);
}

/*
 * Counted before it is in the set, and until after it has left it: nr_polling
 * may be too high for a moment, never too low, or a sender would not look.
 */
static void join(struct evc_vcpu *v, uint32_t what)
{
	(void)evb_u32_add(&v->domain->nr_polling, 1);
	if (evb_u32_xchg(&v->poll, what) != EVC_POLL_NONE)
		uncount(v);
}

/* True: @v was in the poll set and the caller is the one who took it out. */
static bool leave(struct evc_vcpu *v, uint32_t what)
{
	if (!evb_u32_cas(&v->poll, &what, EVC_POLL_NONE))
		return false;
	uncount(v);
	return true;
}

void evc_poll_wake(struct evc_domain *d, evtchn_port_t port)
{
	uint32_t i, what;

	for (i = 0; i < d->nr_vcpus; i++) {
		what = evb_u32_load(&d->vcpu[i].poll);
		if ((what == port || what == EVC_POLL_ANY) &&
		    leave(&d->vcpu[i], what))
			evc_host_wake(&d->vcpu[i]);
	}
}

bool evc_poll_is_over(const struct evc_vcpu *v)
{
	return evb_u32_load(&v->poll) == EVC_POLL_NONE;
}

void evc_poll_end(struct evc_vcpu *v)
{
	if (evb_u32_xchg(&v->poll, EVC_POLL_NONE) != EVC_POLL_NONE)
		uncount(v);
}

/* Returns 0 (pending), EVC_BLOCK (not pending) or an error. */
static int look_at(struct evc_domain *d, evtchn_port_t port)
{
	struct evc_channel *ch = evc_port_lookup(d, port);
	int rc = -XEN_EINVAL;

	if (!ch)
		return -XEN_EINVAL;
	lock_channel(ch);
	if (evc_channel_is_usable(ch))
		rc = evc_deliver_of(d)->is_pending(d, ch) ? 0 : EVC_BLOCK;
	unlock_channel(ch);

	return rc;
}

static int look_at_all(struct evc_vcpu *v, const struct sched_poll *p)
{
	evtchn_port_t port;
	uint32_t i;
	int rc;

	for (i = 0; i < p->nr_ports; i++) {
		if (evc_host_copy_in(v, &port, p->ports + i * sizeof(port),
				     sizeof(port)))
			return -XEN_EFAULT;
		rc = look_at(v->domain, port);
		if (rc != EVC_BLOCK)
			return rc;
	}
	return EVC_BLOCK;
}

/*
 * What ends the wait: the one port, or anything.  It is settled before the
 * poller joins and stays the same until the wait is over: whoever finds it and
 * then fails to take it out knows that somebody else just did.
 */
static uint32_t end_of_wait(struct evc_vcpu *v, const struct sched_poll *p)
{
	evtchn_port_t port;

	if (p->nr_ports != 1 ||
	    evc_host_copy_in(v, &port, p->ports, sizeof(port)) ||
	    port == EVC_POLL_NONE)
		return EVC_POLL_ANY;
	return port;
}

static int poll_for(struct evc_vcpu *v, const struct sched_poll *p,
		    uint64_t *timeout)
{
	int rc;

	if (p->nr_ports > EVC_POLL_MAX_PORTS)
		return -XEN_EINVAL;

	join(v, end_of_wait(v, p)); /* MO-POLL: in the set before looking */
	rc = evc_host_upcall_enabled(v) ? 0 : look_at_all(v, p);
	if (rc != EVC_BLOCK)
		evc_poll_end(v);
	else
		*timeout = p->timeout;

	return rc;
}

int evc_poll(struct evc_vcpu *v, uint64_t arg, uint64_t *timeout)
{
	struct sched_poll p;

	if (evc_host_copy_in(v, &p, arg, sizeof(p)))
		return -XEN_EFAULT;
	return poll_for(v, &p, timeout);
}

int evc_poll_32(struct evc_vcpu *v, uint64_t arg, uint64_t *timeout)
{
	struct sched_poll_32 narrow;
	struct sched_poll p;

	if (evc_host_copy_in(v, &narrow, arg, sizeof(narrow)))
		return -XEN_EFAULT;
	p = (struct sched_poll){
		.ports = narrow.ports,
		.nr_ports = narrow.nr_ports,
		.timeout = narrow.timeout,
	};
	return poll_for(v, &p, timeout);
}
