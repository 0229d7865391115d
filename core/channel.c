/* SPDX-License-Identifier: MIT */
/*
 * The state machine: every transition of a channel is in this file.
 *
 *   FREE --alloc_unbound--> UNBOUND --peer binds--> INTERDOMAIN
 *   FREE --bind_interdomain--> INTERDOMAIN --peer closes--> UNBOUND
 *   FREE --bind_virq/pirq/ipi--> VIRQ/PIRQ/IPI
 *   any but RESERVED --close, reset, destroy--> FREE
 *
 * Invariants
 *
 *   I1  A port is taken in the port table exactly when its channel is neither
 *       FREE nor (port 0) RESERVED.
 *   I2  INTERDOMAIN is mutual: ch->u.peer->u.peer == ch.  Both ends change
 *       under both channel locks.
 *   I3  Into and out of FREE only under the owner's domain lock.
 *   I4  An operation checks everything first and then commits; nothing has to
 *       be undone.
 *
 * No operation takes two domain locks: binding to a remote port needs the
 * remote *channel's* lock only, because no port is taken or given back there.
 *
 * Reading order: open, the binds, close, then the smaller operations.
 * VIRQs, PIRQs and hypervisor-owned ends have files of their own.
 */
#include "channel.h"

#include <evc/evc.h>

#include "fifo.h"
#include "limit.h"
#include "locking.h"
#include "port_table.h"
#include "send.h"
#include "sources.h"
#include "stats.h"

struct evc_domain *evc_resolve(struct evc_domain *d, domid_t domid)
{
	if (domid == DOMID_SELF || domid == d->domid)
		return d;
	if (domid >= DOMID_FIRST_RESERVED)
		return NULL;
	return evc_host_find_domain(d->machine, domid);
}

void evc_channel_open_locked(struct evc_channel *ch, enum evc_state state,
			     uint32_t vcpu)
{
	/* A sender of the peer may read it; any of the two values will do. */
	evb_ptr_store_release(&ch->vcpu, evc_vcpu_of(ch->domain, vcpu));
	evb_u8_store_relaxed(&ch->priority, EVTCHN_FIFO_PRIORITY_DEFAULT);
	ch->state = state;
	evc_port_take_locked(ch->domain, ch->port);
}

/* --- binding ------------------------------------------------------------- */

int evc_alloc_unbound(struct evc_domain *d, domid_t dom, domid_t remote_dom,
		      evtchn_port_t *port)
{
	struct evc_domain *owner = evc_resolve(d, dom);
	struct evc_domain *remote = evc_resolve(d, remote_dom);
	struct evc_channel *ch;
	int rc, permit;

	if (!owner)
		return -XEN_ESRCH;
	permit = evc_host_permit(d, owner, EVC_PERM_ALLOC_UNBOUND);
	/* 4.17 looks for a port first, and tells a stranger if there is none. */
	if (permit && !d->machine->xen_4_17)
		return permit;

	lock_domain(owner);
	rc = evc_port_find_free_locked(owner, &ch);
	if (!rc)
		rc = permit;
	if (!rc) {
		lock_channel(ch);
		evc_channel_wait_for(
			ch, remote_dom == DOMID_SELF ? d->domid : remote_dom,
			remote);
		evc_channel_open_locked(ch, EVC_ST_UNBOUND, 0);
		unlock_channel(ch);
		*port = ch->port;
	}
	unlock_domain(owner);

	return rc;
}

/* Does @remote wait for @d?  Locks: remote's. */
static bool waits_for(const struct evc_channel *remote,
		      const struct evc_domain *d)
{
	uint32_t generation = remote->u.remote_generation;

	return remote->state == EVC_ST_UNBOUND && !remote->closing &&
	       remote->u.remote_domid == d->domid &&
	       (!generation || generation == d->generation);
}

/* What a send from @ch, connected to @peer, has to mind. */
static uint8_t care_of(const struct evc_channel *ch,
		       const struct evc_channel *peer)
{
	return (ch->domain->check_send ? EVC_CARE_PERMIT : 0) |
	       (ch->domain->limit && !ch->consumer ? EVC_CARE_LIMIT : 0) |
	       (peer->consumer ? EVC_CARE_CONSUMER : 0) |
	       (ch->consumer ? EVC_CARE_OWNED : 0);
}

/* Both change together (I2).  Locks: both channels'. */
static void connect_ends(struct evc_channel *a, struct evc_channel *b)
{
	a->u.peer = b;
	a->care = care_of(a, b);
	a->state = EVC_ST_INTERDOMAIN;
	b->u.peer = a;
	b->care = care_of(b, a);
	b->state = EVC_ST_INTERDOMAIN;
}

/*
 * @rc is 0, or the error that comes next if the remote port is right.  Locks:
 * the domain's of @local.
 */
static int connect_locked(struct evc_channel *local, struct evc_channel *remote,
			  int rc)
{
	lock_two(local, remote);
	if (!waits_for(remote, local->domain))
		rc = -XEN_EINVAL;
	if (!rc) {
		evc_channel_open_locked(local, EVC_ST_INTERDOMAIN, 0);
		connect_ends(local, remote);
		/* Something may have been sent before anybody was here. */
		evc_post_locked(local);
	}
	unlock_two(local, remote);

	return rc;
}

int evc_bind_interdomain(struct evc_domain *d, domid_t remote_dom,
			 evtchn_port_t remote_port, evtchn_port_t *local_port)
{
	struct evc_domain *rd = evc_resolve(d, remote_dom);
	struct evc_channel *local, *remote;
	int rc, permit;

	if (!rd)
		return -XEN_ESRCH;
	permit = evc_host_permit(d, rd, EVC_PERM_BIND_INTERDOMAIN);
	if (permit && !d->machine->xen_4_17)
		return permit;

	lock_domain(d);
	rc = evc_port_find_free_locked(d, &local);
	if (rc)
		goto unlock;
	remote = evc_port_lookup(rd, remote_port);
	if (!remote || remote == local)
		rc = -XEN_EINVAL;
	else
		rc = connect_locked(local, remote, permit);
	if (!rc)
		*local_port = local->port;
unlock:
	unlock_domain(d);

	return rc;
}

bool evc_channel_join(struct evc_channel *a, struct evc_channel *b)
{
	bool joined;

	lock_two(a, b);
	joined = waits_for(a, b->domain) && waits_for(b, a->domain);
	if (joined)
		connect_ends(a, b);
	unlock_two(a, b);

	return joined;
}

int evc_bind_ipi(struct evc_domain *d, uint32_t vcpu, evtchn_port_t *port)
{
	struct evc_channel *ch;
	int rc;

	if (!evc_has_vcpu(d, vcpu))
		return -XEN_ENOENT;

	lock_domain(d);
	rc = evc_port_find_free_locked(d, &ch);
	if (!rc) {
		lock_channel(ch);
		evc_channel_open_locked(ch, EVC_ST_IPI, vcpu);
		unlock_channel(ch);
		*port = ch->port;
	}
	unlock_domain(d);

	return rc;
}

/* --- closing ----------------------------------------------------------- */

/* The peer waits for us again; he is told if he asked for it. */
static void leave_peer(const struct evc_channel *ch, struct evc_channel *peer)
{
	evc_limit_forget_locked(peer);
	evc_channel_wait_for(peer, ch->domain->domid, ch->domain);
	peer->state = EVC_ST_UNBOUND;
	if (peer->notice)
		evc_post_locked(peer);
}

/*
 * Undo what binding did outside the channel itself.  Locks: the domain's, the
 * channel's and, if there is one, the peer's.
 */
static void detach(struct evc_channel *ch)
{
	switch (ch->state) {
	case EVC_ST_INTERDOMAIN:
		leave_peer(ch, ch->u.peer);
		break;
	case EVC_ST_VIRQ:
		evc_virq_unbind_locked(ch);
		break;
	case EVC_ST_PIRQ:
		evc_pirq_unbind_locked(ch);
		break;
	case EVC_ST_FREE:
	case EVC_ST_RESERVED:
	case EVC_ST_UNBOUND:
	case EVC_ST_IPI:
		break;
	}
}

/* Locks: as detach(). */
static void make_free(struct evc_channel *ch)
{
	struct evc_domain *d = ch->domain;

	detach(ch);
	evc_limit_forget_locked(ch);
	evc_stats_close_locked(ch);
	ch->state = EVC_ST_FREE;
	ch->closing = false;
	ch->notice = false;
	if (ch->consumer)
		d->ports.nr_consumer--;
	ch->consumer = 0;
	if (ch->fixed)
		d->ports.nr_fixed--;
	ch->fixed = false;
	evb_ptr_store_release(&ch->vcpu, &d->vcpu[0]);
	evc_deliver_of(d)->clear(d, ch);
	evc_port_put_locked(d, ch->port);
}

/* Locks: the channel's. */
static bool may_close(const struct evc_channel *ch, enum evc_closer who)
{
	if (ch->state <= EVC_ST_RESERVED)
		return false;
	switch (who) {
	case EVC_CLOSER_GUEST:
		return !ch->consumer && !ch->fixed;
	case EVC_CLOSER_HYPERVISOR:
		return ch->consumer;
	case EVC_CLOSER_DESTROY:
		return true;
	}
	return false;
}

/*
 * Channel locks are taken by address, so the lock of a connected channel must
 * be dropped before its peer's can be taken.  "closing" keeps new peers away
 * meanwhile; the present one may close, which leaves us UNBOUND.  That is the
 * only thing that can happen in between, so once is enough.
 */
int evc_channel_close_locked(struct evc_domain *d, evtchn_port_t port,
			     enum evc_closer who)
{
	struct evc_channel *ch = evc_port_lookup(d, port);
	struct evc_channel *peer = NULL;

	if (!ch)
		return -XEN_EINVAL;

	lock_channel(ch);
	if (!may_close(ch, who)) {
		unlock_channel(ch);
		return -XEN_EINVAL;
	}
	ch->closing = true;
	if (ch->state == EVC_ST_INTERDOMAIN)
		peer = ch->u.peer;
	unlock_channel(ch);

	lock_two(ch, peer);
	make_free(ch);
	unlock_two(ch, peer);

	return 0;
}

/* Open ports a reset leaves alone.  Locks: domain.lock held. */
static uint32_t nr_spared(const struct evc_domain *d)
{
	return d->ports.nr_consumer + d->ports.nr_fixed;
}

uint32_t evc_channel_close_some_locked(struct evc_domain *d, uint32_t from,
				       enum evc_closer who)
{
	uint32_t end = from + EVC_BUCKET_PORTS;
	uint32_t nr_valid = evb_u32_load_relaxed(&d->ports.nr_valid);
	uint32_t spared = who == EVC_CLOSER_GUEST ? nr_spared(d) : 0;
	uint32_t port;

	if (end > nr_valid)
		end = nr_valid;
	for (port = from; port < end; port++) {
		if (d->ports.nr_open == spared)
			return 0;
		(void)evc_channel_close_locked(d, port, who);
	}
	return end < nr_valid ? end : 0;
}

int evc_close(struct evc_domain *d, evtchn_port_t port)
{
	int rc;

	lock_domain(d);
	rc = evc_channel_close_locked(d, port, EVC_CLOSER_GUEST);
	unlock_domain(d);

	return rc;
}

/* --- the smaller operations -------------------------------------------- */

/* Locks: the channel's. */
static void fill_status(const struct evc_channel *ch, struct evtchn_status *s)
{
	switch (ch->state) {
	case EVC_ST_FREE:
	case EVC_ST_RESERVED:
		s->status = EVTCHNSTAT_closed;
		break;
	case EVC_ST_UNBOUND:
		s->status = EVTCHNSTAT_unbound;
		s->u.unbound.dom = ch->u.remote_domid;
		break;
	case EVC_ST_INTERDOMAIN:
		s->status = EVTCHNSTAT_interdomain;
		s->u.interdomain.dom = ch->u.peer->domain->domid;
		s->u.interdomain.port = ch->u.peer->port;
		break;
	case EVC_ST_PIRQ:
		s->status = EVTCHNSTAT_pirq;
		s->u.pirq = ch->u.pirq;
		break;
	case EVC_ST_VIRQ:
		s->status = EVTCHNSTAT_virq;
		s->u.virq = ch->u.virq;
		break;
	case EVC_ST_IPI:
		s->status = EVTCHNSTAT_ipi;
		break;
	}
	s->vcpu = evc_notified(ch)->id;
}

int evc_status(struct evc_domain *d, struct evtchn_status *s)
{
	struct evc_domain *owner = evc_resolve(d, s->dom);
	struct evc_channel *ch;
	int rc = 0, permit;

	if (!owner)
		return -XEN_ESRCH;
	permit = evc_host_permit(d, owner, EVC_PERM_STATUS);
	if (permit && !d->machine->xen_4_17)
		return permit;
	ch = evc_port_lookup(owner, s->port);
	if (!ch)
		return -XEN_EINVAL;

	lock_channel(ch);
	if (ch->consumer && d->machine->xen_4_17)
		rc = -XEN_EACCES;
	if (!rc)
		rc = permit;
	if (!rc)
		fill_status(ch, s);
	unlock_channel(ch);

	return rc;
}

/* May events of this channel be moved to another vCPU?  Locks: the channel's.
 */
static bool is_movable(const struct evc_channel *ch)
{
	if (ch->consumer)
		return false;
	switch (ch->state) {
	case EVC_ST_UNBOUND:
	case EVC_ST_INTERDOMAIN:
	case EVC_ST_PIRQ:
		return true;
	case EVC_ST_VIRQ:
		return evc_virq_class(ch->u.virq) != EVC_VIRQ_VCPU;
	case EVC_ST_FREE:
	case EVC_ST_RESERVED:
	case EVC_ST_IPI:
		return false;
	}
	return false;
}

int evc_bind_vcpu(struct evc_domain *d, evtchn_port_t port, uint32_t vcpu)
{
	struct evc_channel *ch = evc_port_lookup(d, port);
	int rc = -XEN_EINVAL;

	if (!evc_has_vcpu(d, vcpu))
		return -XEN_ENOENT;
	if (!ch)
		return -XEN_EINVAL;

	lock_channel(ch);
	if (is_movable(ch)) {
		evb_ptr_store_release(&ch->vcpu, evc_vcpu_of(d, vcpu));
		if (ch->state == EVC_ST_PIRQ)
			evc_host_pirq_move(d, ch->u.pirq, vcpu);
		rc = 0;
	}
	unlock_channel(ch);

	return rc;
}

int evc_watch_peer(struct evc_domain *d, evtchn_port_t port, bool on)
{
	struct evc_channel *ch = evc_port_lookup(d, port);
	int rc = -XEN_EINVAL;

	if (!ch)
		return -XEN_EINVAL;

	lock_channel(ch);
	if (!ch->consumer &&
	    (ch->state == EVC_ST_UNBOUND || ch->state == EVC_ST_INTERDOMAIN)) {
		ch->notice = on;
		rc = 0;
	}
	unlock_channel(ch);

	return rc;
}

int evc_set_priority(struct evc_domain *d, evtchn_port_t port,
		     uint32_t priority)
{
	struct evc_channel *ch = evc_port_lookup(d, port);
	int rc = 0;

	if (!ch)
		return -XEN_EINVAL;

	lock_channel(ch);
	if (!evc_deliver_of(d)->has_priorities)
		rc = -XEN_ENOSYS;
	else if (!evc_channel_is_usable(ch))
		rc = -XEN_EACCES;
	else if (priority > EVTCHN_FIFO_PRIORITY_MIN)
		rc = -XEN_EINVAL;
	else
		evb_u8_store_relaxed(&ch->priority, (uint8_t)priority);
	unlock_channel(ch);

	return rc;
}

/* --- reset ------------------------------------------------------------- */

/* Start a reset, or check that there is one to go on with. */
static int begin_reset(struct evc_domain *d, bool cont)
{
	int rc = 0;

	lock_domain(d);
	if (cont != (d->reset_next != 0))
		rc = -XEN_EBUSY;
	else if (!cont)
		d->reset_next = 1;
	unlock_domain(d);

	return rc;
}

/* One step.  True: there is more to do. */
static bool step_reset(struct evc_domain *d, int *rc)
{
	bool more;

	lock_domain(d);
	if (d->reset_next) /* else another vCPU went on with it, to the end */
		d->reset_next = evc_channel_close_some_locked(d, d->reset_next,
							      EVC_CLOSER_GUEST);
	more = d->reset_next != 0;
	if (!more && d->ports.nr_open != nr_spared(d))
		*rc = -XEN_EAGAIN;
	if (!more && !*rc)
		evc_fifo_leave_locked(d);
	unlock_domain(d);

	return more;
}

int evc_reset(struct evc_domain *d, domid_t domid, bool cont)
{
	struct evc_domain *t = evc_resolve(d, domid);
	int rc;

	if (!t)
		return -XEN_ESRCH;
	rc = evc_host_permit(d, t, EVC_PERM_RESET);
	if (rc)
		return rc;
	if (t != d && !evb_u8_load(&t->paused))
		return -XEN_EINVAL;
	rc = begin_reset(t, cont);
	if (rc)
		return rc;

	/* At most nr_valid / 64 rounds, and a way out of every one. */
	while (step_reset(t, &rc)) {
		if (evc_host_should_yield())
			return -XEN_ERESTART;
	}
	return rc;
}
