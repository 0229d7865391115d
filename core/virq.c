/* SPDX-License-Identifier: MIT */
/*
 * Virtual interrupt sources.
 *
 * A VIRQ is bound in a slot of a vCPU (per-vCPU class) or of vCPU 0 (the other
 * classes, also after bind_vcpu moved the port).  Raising one reads the slot
 * without a lock and then checks, under the channel's lock, that the port is
 * still bound to that VIRQ; a close in between makes the event vanish, as it
 * does when nothing is bound.  Events are not latched for a later binding.
 *
 * Global VIRQs go to one domain of the whole machine: the one named with
 * evc_virq_set_handler(), else the hardware domain.
 */
#include <evc/evc.h>

#include "channel.h"
#include "locking.h"
#include "port_table.h"
#include "send.h"
#include "sources.h"

enum evc_virq_class evc_virq_class(uint32_t virq)
{
	switch (virq) {
	case VIRQ_TIMER:
	case VIRQ_DEBUG:
	case VIRQ_XENOPROF:
	case VIRQ_XENPMU:
		return EVC_VIRQ_VCPU;
	case VIRQ_ARGO:
		return EVC_VIRQ_DOMAIN;
	default: /* a number, not a state */
		return EVC_VIRQ_GLOBAL;
	}
}

static struct evc_domain *handler_of(struct evc_machine *m, uint32_t virq)
{
	struct evc_domain *d = evb_ptr_load_acquire(&m->virq_handler[virq]);

	return d ? d : evb_ptr_load_acquire(&m->hwdom);
}

static int check_bind(const struct evc_domain *d, uint32_t virq, uint32_t vcpu)
{
	if (virq >= NR_VIRQS)
		return -XEN_EINVAL;
	if (evc_virq_class(virq) != EVC_VIRQ_VCPU && vcpu != 0)
		return -XEN_EINVAL;
	return evc_has_vcpu(d, vcpu) ? 0 : -XEN_ENOENT;
}

/* Locks: domain.lock held, so that a new handler sees the slot or we see it. */
static int check_slot(const struct evc_domain *d, uint32_t virq,
		      const evb_u32 *slot)
{
	if (evc_virq_class(virq) == EVC_VIRQ_GLOBAL && !d->machine->xen_4_17 &&
	    handler_of(d->machine, virq) != d)
		return -XEN_EBUSY;
	return evb_u32_load_relaxed(slot) ? -XEN_EEXIST : 0;
}

int evc_virq_check_locked(const struct evc_domain *d, uint32_t virq,
			  uint32_t slot_vcpu)
{
	int rc = check_bind(d, virq, slot_vcpu);

	if (rc)
		return rc;
	return check_slot(d, virq, &d->vcpu[slot_vcpu].virq_port[virq]);
}

int evc_bind_virq(struct evc_domain *d, uint32_t virq, uint32_t vcpu,
		  evtchn_port_t *port)
{
	struct evc_channel *ch;
	evb_u32 *slot;
	int rc = check_bind(d, virq, vcpu);

	if (rc)
		return rc;

	virq = evb_clamp_index(virq, NR_VIRQS);
	slot = &evc_vcpu_of(d, vcpu)->virq_port[virq];
	lock_domain(d);
	rc = check_slot(d, virq, slot);
	if (!rc)
		rc = evc_port_find_free_locked(d, &ch);
	if (!rc) {
		lock_channel(ch);
		ch->u.virq = virq;
		evc_channel_open_locked(ch, EVC_ST_VIRQ, vcpu);
		evb_u32_store_relaxed(slot, ch->port);
		unlock_channel(ch);
		*port = ch->port;
	}
	unlock_domain(d);

	return rc;
}

void evc_virq_unbind_locked(struct evc_channel *ch)
{
	struct evc_vcpu *v = &ch->domain->vcpu[0];

	/* A per-vCPU one never moves, so its slot is where it is notified. */
	if (evc_virq_class(ch->u.virq) == EVC_VIRQ_VCPU)
		v = evc_notified(ch);
	evb_u32_store_relaxed(&v->virq_port[ch->u.virq], 0);
}

/*
 * The slot may be stale by the time the channel is locked; what the channel
 * says under its lock decides.
 */
static void raise_slot(struct evc_vcpu *v, uint32_t virq)
{
	evtchn_port_t port = evb_u32_load_relaxed(&v->virq_port[virq]);
	struct evc_channel *ch = evc_port_lookup(v->domain, port);

	if (!port || !ch)
		return;
	lock_channel(ch);
	if (ch->state == EVC_ST_VIRQ && ch->u.virq == virq)
		evc_post_from_locked(ch, ch);
	unlock_channel(ch);
}

void evc_virq_raise(struct evc_vcpu *v, uint32_t virq)
{
	if (virq < NR_VIRQS && evc_virq_class(virq) == EVC_VIRQ_VCPU)
		raise_slot(v, virq);
}

void evc_virq_raise_domain(struct evc_domain *d, uint32_t virq)
{
	if (virq < NR_VIRQS && evc_virq_class(virq) == EVC_VIRQ_DOMAIN)
		raise_slot(&d->vcpu[0], virq);
}

void evc_virq_raise_global(struct evc_machine *m, uint32_t virq)
{
	struct evc_domain *d;

	if (virq >= NR_VIRQS || evc_virq_class(virq) != EVC_VIRQ_GLOBAL)
		return;
	d = handler_of(m, virq);
	if (d)
		raise_slot(&d->vcpu[0], virq);
}

/* --- handlers of global VIRQs ---------------------------------------------- */

/* @old may be NULL.  Locks: machine.lock held, and @old's. */
static int replace_handler(struct evc_domain *old, struct evc_domain *d,
			   uint32_t virq)
{
	if (old && old != d && !d->machine->xen_4_17 &&
	    evb_u32_load_relaxed(&old->vcpu[0].virq_port[virq]))
		return -XEN_EBUSY;
	evb_ptr_store_release(&d->machine->virq_handler[virq], d);
	return 0;
}

/* Locks: machine.lock held. */
static int set_handler(struct evc_domain *d, uint32_t virq)
{
	struct evc_domain *old = handler_of(d->machine, virq);
	int rc;

	if (old != d && evb_u8_load(&d->dying))
		return -XEN_EINVAL;
	if (old)
		lock_domain(old);
	rc = replace_handler(old, d, virq);
	if (old)
		unlock_domain(old);

	return rc;
}

int evc_virq_set_handler(struct evc_domain *d, uint32_t virq)
{
	struct evc_machine *m = d->machine;
	int rc;

	if (virq >= NR_VIRQS || evc_virq_class(virq) != EVC_VIRQ_GLOBAL)
		return -XEN_EINVAL;

	lock_machine(m);
	rc = set_handler(d, virq);
	unlock_machine(m);

	return rc;
}

void evc_virq_forget_handler(struct evc_domain *d)
{
	struct evc_machine *m = d->machine;
	uint32_t virq;

	lock_machine(m);
	for (virq = 0; virq < NR_VIRQS; virq++) {
		if (evb_ptr_load_acquire(&m->virq_handler[virq]) == d)
			evb_ptr_store_release(&m->virq_handler[virq], NULL);
	}
	if (evb_ptr_load_acquire(&m->hwdom) == d)
		evb_ptr_store_release(&m->hwdom, NULL);
	unlock_machine(m);
}

void evc_machine_set_hwdom(struct evc_machine *m, struct evc_domain *d)
{
	lock_machine(m);
	evb_ptr_store_release(&m->hwdom, d);
	unlock_machine(m);
}
