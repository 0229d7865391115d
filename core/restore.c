/* SPDX-License-Identifier: MIT */
/*
 * Restoring a domain from the image snapshot.c wrote.
 *
 * Four steps, so that an error leaves nothing half done:
 *
 *   1. evc_image_open: all that the image says must be consistent in itself;
 *      check_domain: and fit the domain.  Nothing has changed.
 *   2. reserve: all that can fail.  The table grows; every VIRQ and PIRQ
 *      takes its slot, lines are bound, frames mapped.  None of it can be seen
 *      by others as long as the ports are free: who raises a VIRQ finds a slot
 *      whose channel is not bound, which drops the event as before.  What was
 *      reserved when something fails is let go again.
 *   3. open: the channels, under the domain's lock.  Cannot fail.  All ends of
 *      connections are UNBOUND at first, waiting for the peer's domain.
 *   4. reconnect, without the domain's lock, because finding a domain is a
 *      hook.  Each pair takes both channel locks, so whichever of two domains
 *      comes second connects them, also when both come at once.
 *
 * While the image was on its way, 2-level senders may have been between two
 * rungs when the guest's memory was copied: every vCPU looks at all its ports
 * once.
 */
#include <evc/snapshot.h>

#include <evc/evc.h>

#include "channel.h"
#include "image.h"
#include "locking.h"
#include "port_table.h"
#include "send.h"
#include "sources.h"

/* --- does it fit? ---------------------------------------------------------- */

/* Without a slot in shared memory an event would never be seen. */
static bool has_bad_info(const struct evc_domain *d, const struct evc_image *im)
{
	uint32_t i;

	for (i = 0; i < im->nr_vcpus; i++) {
		if (d->vcpu[i].info_registered !=
		    (image_get32(image_vcpu(im, i)) == IMAGE_INFO_REGISTERED))
			return true;
	}
	return false;
}

/* One more than the highest port the image may have open. */
static uint32_t port_limit(const struct evc_domain *d,
			   const struct evc_image *im)
{
	const struct evc_deliver *deliver = evc_deliver_of(d);
	uint32_t limit = EVTCHN_FIFO_NR_CHANNELS;

	if (!im->fifo && deliver == &evc_deliver_2l)
		limit = d->layout[im->width].nr_ports;
	else if (!im->fifo)
		limit = deliver->nr_ports(d);
	return d->max_port < limit ? d->max_port + 1 : limit;
}

/* Locks: domain.lock held. */
static int check_domain(struct evc_domain *d, const struct evc_image *im)
{
	if (!evb_u8_load(&d->paused) || evb_u8_load(&d->dying) ||
	    im->domid != d->domid || im->generation != d->generation ||
	    im->nr_vcpus > d->nr_vcpus || has_bad_info(d, im))
		return -XEN_EINVAL;
	if (d->ports.nr_open || d->reset_next || evc_fifo_is_used(d))
		return -XEN_EBUSY;
	if (im->nr_valid > d->ports.capacity ||
	    (im->nr_ports && image_get32(image_port(im, im->nr_ports - 1)) >=
				     port_limit(d, im)))
		return -XEN_ENOSPC;
	return 0;
}

/* --- what can fail --------------------------------------------------------- */

/* Where the VIRQ is entered: see virq.c. */
static uint32_t slot_vcpu(const struct evc_image_port *r)
{
	return evc_virq_class(r->number) == EVC_VIRQ_VCPU ? r->vcpu : 0;
}

static int reserve_virq(struct evc_domain *d, const struct evc_image_port *r)
{
	struct evc_vcpu *v = evc_vcpu_of(d, slot_vcpu(r));
	int rc = evc_virq_check_locked(d, r->number, v->id);

	if (!rc)
		evb_u32_store_relaxed(&v->virq_port[r->number], r->port);
	/* The domain has no port: the first one is in the image. */
	return rc == -XEN_EEXIST ? -XEN_EINVAL : rc;
}

static int reserve_pirq(struct evc_domain *d, const struct evc_image_port *r)
{
	int rc = evc_pirq_check_locked(d, r->number);

	if (!rc)
		rc = evc_host_pirq_bind(d, r->number, r->detail);
	if (!rc)
		evb_u32_store_relaxed(&d->pirq_port[r->number], r->port);
	return rc == -XEN_EEXIST ? -XEN_EINVAL : rc;
}

static int reserve_port(struct evc_domain *d, const struct evc_image_port *r)
{
	switch (r->state) {
	case EVTCHNSTAT_virq:
		return reserve_virq(d, r);
	case EVTCHNSTAT_pirq:
		return reserve_pirq(d, r);
	default: /* a number, not a state: the others need nothing */
		return 0;
	}
}

static void release_port(struct evc_domain *d, const struct evc_image_port *r)
{
	struct evc_channel *ch = evc_port_lookup(d, r->port);

	if (r->state == EVTCHNSTAT_virq)
		evb_u32_store_relaxed(
			&evc_vcpu_of(d, slot_vcpu(r))->virq_port[r->number], 0);
	if (r->state != EVTCHNSTAT_pirq)
		return;
	evb_u32_store_relaxed(&d->pirq_port[r->number], 0);
	lock_channel(ch); /* as the hook expects it */
	evc_host_pirq_unbind(d, r->number);
	unlock_channel(ch);
}

/* Locks: domain.lock held. */
static int reserve(struct evc_domain *d, const struct evc_image *im)
{
	struct evc_image_port r;
	uint32_t i;
	int rc = evc_ports_grow_locked(d, im->nr_valid, false);

	for (i = 0; i < im->nr_ports && !rc; i++) {
		r = evc_image_read_port(im, i);
		rc = reserve_port(d, &r);
		if (rc)
			break;
	}
	if (!rc)
		rc = evc_fifo_prepare_locked(d, im);
	while (rc && i) {
		r = evc_image_read_port(im, --i);
		release_port(d, &r);
	}
	return rc;
}

/* --- what cannot ----------------------------------------------------------- */

/* Locks: the channel's. */
static enum evc_state set_details(struct evc_channel *ch,
				  const struct evc_image_port *r)
{
	switch (r->state) {
	case EVTCHNSTAT_virq:
		ch->u.virq = r->number;
		return EVC_ST_VIRQ;
	case EVTCHNSTAT_pirq:
		ch->u.pirq = r->number;
		ch->u.pirq_flags = r->detail;
		if (r->vcpu)
			evc_host_pirq_move(ch->domain, r->number, r->vcpu);
		return EVC_ST_PIRQ;
	case EVTCHNSTAT_ipi:
		return EVC_ST_IPI;
	default: /* a number, not a state: unbound, and not connected yet */
		ch->u.remote_domid = r->domid;
		ch->u.remote_generation = r->detail;
		return EVC_ST_UNBOUND;
	}
}

/* Locks: domain.lock held. */
static void open_port(struct evc_domain *d, const struct evc_image_port *r)
{
	struct evc_channel *ch = evc_port_lookup(d, r->port);

	lock_channel(ch);
	evc_channel_open_locked(ch, set_details(ch, r), r->vcpu);
	evb_u8_store_relaxed(&ch->priority, r->priority);
	evb_u8_store(&ch->parked, r->flags & IMAGE_PARKED ? 1 : 0);
	ch->consumer = r->consumer;
	ch->fixed = r->flags & IMAGE_FIXED;
	ch->notice = r->flags & IMAGE_NOTICE;
	d->ports.nr_consumer += r->consumer ? 1 : 0;
	d->ports.nr_fixed += ch->fixed ? 1 : 0;
	unlock_channel(ch);
}

/* Locks: domain.lock held. */
static void open_ports(struct evc_domain *d, const struct evc_image *im)
{
	struct evc_image_port r;
	uint32_t i;

	evc_domain_set_width(d, im->width);
	evc_fifo_enter_locked(d, im);
	for (i = 0; i < im->nr_ports; i++) {
		r = evc_image_read_port(im, i);
		open_port(d, &r);
	}
	for (i = 0; i < im->nr_vcpus; i++)
		evc_upcall_rescan(&d->vcpu[i]);
}

/* --- reconnecting ---------------------------------------------------------- */

/*
 * Connected again: something may have been sent while nobody was here.  Or not
 * connected, and the guest wants to know when its peer goes.
 */
static void post_missed(struct evc_channel *ch)
{
	evc_consumer_fn fn = NULL;
	struct evc_vcpu *v;

	lock_channel(ch);
	v = evc_notified(ch);
	if (ch->state == EVC_ST_INTERDOMAIN && ch->consumer)
		fn = ch->domain->machine->consumer[ch->consumer - 1];
	else if (ch->state == EVC_ST_INTERDOMAIN || ch->notice)
		evc_post_locked(ch);
	unlock_channel(ch);
	if (fn)
		fn(v, ch->port);
}

static bool may_bind(struct evc_domain *d, struct evc_domain *to)
{
	return !evc_host_permit(d, to, EVC_PERM_BIND_INTERDOMAIN);
}

static void reconnect_port(struct evc_domain *d, const struct evc_image_port *r)
{
	struct evc_domain *other = evc_resolve(d, r->domid);
	struct evc_channel *ch = evc_port_lookup(d, r->port);
	struct evc_channel *peer = other ? evc_port_lookup(other, r->number)
					 : NULL;

	/* The other end may have been restored when this one was not there yet. */
	if (peer && may_bind(d, other) && evc_channel_join(ch, peer) &&
	    other != d)
		post_missed(peer);
	if (other != d)
		post_missed(ch);
	/* It waited for the next period of the domain's limit. */
	if (r->flags & IMAGE_HELD)
		(void)evc_send(d, r->port);
}

static void reconnect(struct evc_domain *d, const struct evc_image *im)
{
	struct evc_image_port r;
	uint32_t i;

	for (i = 0; i < im->nr_ports; i++) {
		r = evc_image_read_port(im, i);
		if (r.state == EVTCHNSTAT_interdomain)
			reconnect_port(d, &r);
	}
}

/* An end of the hypervisor's whose callback this machine does not know. */
static bool has_unknown_consumer(struct evc_machine *m,
				 const struct evc_image *im)
{
	uint32_t nr = evc_consumer_count(m), i;

	for (i = 0; i < im->nr_ports; i++) {
		if (evc_image_read_port(im, i).consumer > nr)
			return true;
	}
	return false;
}

int evc_restore(struct evc_domain *d, const void *buf, size_t len)
{
	struct evc_image im;
	int rc = evc_image_open(&im, buf, len);

	if (rc)
		return rc;
	if (has_unknown_consumer(d->machine, &im))
		return -XEN_EINVAL;

	lock_domain(d);
	rc = check_domain(d, &im);
	if (!rc)
		rc = reserve(d, &im);
	if (!rc)
		open_ports(d, &im);
	unlock_domain(d);
	if (!rc)
		reconnect(d, &im);

	return rc;
}
