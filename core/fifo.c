/* SPDX-License-Identifier: MIT */
/*
 * FIFO event channels, the control plane: switching a domain over, giving it
 * array pages, and back to 2-level at reset.  deliver_fifo.c posts.
 *
 * 2-level to FIFO.  What is pending in the 2-level bitmap is parked in the
 * channels and posted when the array page of the port arrives.  A sender may
 * have looked up the old ABI just before the switch; it posts under the lock
 * of its own end, so once that lock and ours have been taken and given back
 * after the switch, whoever used the old ABI on this channel is done, and the
 * bitmap has his event.  Mask bits are not carried over: the words of the
 * array page say what is masked.
 *
 * FIFO to 2-level.  Happens when every port of the guest is closed, under the
 * domain's lock: nobody can be posting, so the pages can be unmapped at once.
 * Static ports stay open; who posts to them is waited for in the same way.
 */
#include "fifo.h"

#include <evc/evc.h>

#include "channel.h"
#include "locking.h"
#include "port_table.h"
#include "send.h"

#define PAGE_SIZE 4096

static bool is_fifo(const struct evc_domain *d)
{
	return evc_deliver_of(d) == &evc_deliver_fifo;
}

/* --- init_control ------------------------------------------------------ */

static int check_control(const struct evc_domain *d,
			 const struct evtchn_init_control *c)
{
	if (!d->fifo)
		return -XEN_EOPNOTSUPP;
	if (!evc_has_vcpu(d, c->vcpu))
		return -XEN_ENOENT;
	if (c->offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) ||
	    c->offset & 7)
		return -XEN_EINVAL;
	return 0;
}

/*
 * Carry the pending bit of one channel over.  Whoever posts to it holds its
 * lock or its peer's.  Locks: domain.lock held.
 */
static void carry_over(struct evc_domain *d, struct evc_channel *ch)
{
	struct evc_channel *peer;

	lock_channel(ch);
	peer = ch->state == EVC_ST_INTERDOMAIN ? ch->u.peer : NULL;
	unlock_channel(ch);
	/* If it is closed in between, its sender is done even so. */
	lock_two(ch, peer);
	/* What a guest wrote at a free port is nobody's event. */
	if ((evc_channel_is_usable(ch) || d->machine->xen_4_17) &&
	    evc_deliver_2l.is_pending(d, ch))
		evb_u8_store(&ch->parked, 1);
	evb_u8_store_relaxed(&ch->priority, EVTCHN_FIFO_PRIORITY_DEFAULT);
	unlock_two(ch, peer);
}

static void switch_to_fifo(struct evc_domain *d)
{
	uint32_t nr_valid = evb_u32_load_relaxed(&d->ports.nr_valid);
	uint32_t port;

	evc_deliver_set(d, &evc_deliver_fifo);
	for (port = 1; port < nr_valid; port++)
		carry_over(d, evc_port_lookup(d, port));
}

int evc_init_control(struct evc_domain *d, struct evtchn_init_control *c)
{
	struct evc_fifo_vcpu *fv;
	unsigned char *page;
	int rc = check_control(d, c);

	if (rc)
		return rc;

	fv = evc_vcpu_of(d, c->vcpu)->fifo;
	lock_domain(d);
	rc = -XEN_EINVAL;
	/* Nobody would unmap the pages of a domain that is destroyed. */
	if (evb_u8_load(&d->dying) || evb_ptr_load_acquire(&fv->control))
		goto unlock;
	page = evc_host_map_frame(d, c->control_gfn);
	if (!page)
		goto unlock;
	fv->control_gfn = c->control_gfn;
	/* The queues were empty before; whoever sees the block sees that. */
	evb_ptr_store_release(&fv->control, page + c->offset);
	if (!is_fifo(d))
		switch_to_fifo(d);
	c->link_bits = EVTCHN_FIFO_LINK_BITS;
	rc = 0;
unlock:
	unlock_domain(d);

	return rc;
}

/* --- expand_array ------------------------------------------------------ */

/*
 * Xen forgets to forget: there a port stays parked after its event was posted,
 * and after it was closed, so that later pages find events nobody sent (SPEC
 * 11, L1 and L2).  As 4.17 we do the same.  Locks: the channel's.
 */
static bool take_parked(struct evc_channel *ch)
{
	if (ch->domain->machine->xen_4_17)
		return evb_u8_load(&ch->parked);
	return evb_u8_xchg(&ch->parked, 0); /* a close takes the note back */
}

/* Post what waited for the page.  Locks: domain.lock held. */
static void post_parked(struct evc_domain *d, uint32_t from, uint32_t end)
{
	uint32_t nr_valid = evb_u32_load_relaxed(&d->ports.nr_valid);
	struct evc_channel *ch;

	if (end > nr_valid)
		end = nr_valid;
	for (; from < end; from++) {
		ch = evc_port_lookup(d, from);
		lock_channel(ch);
		/* MO-PARK: the page is there, then look who is parked */
		if (take_parked(ch))
			evc_post_locked(ch);
		unlock_channel(ch);
	}
}

int evc_expand_array(struct evc_domain *d, uint64_t array_gfn)
{
	struct evc_fifo *f = d->fifo;
	void *page;
	int rc = 0;

	lock_domain(d);
	if (!is_fifo(d)) {
		rc = -XEN_EOPNOTSUPP;
		goto unlock;
	}
	if (f->nr_pages == EVC_FIFO_MAX_PAGES) {
		rc = -XEN_ENOSPC;
		goto unlock;
	}
	page = evb_u8_load(&d->dying) ? NULL : evc_host_map_frame(d, array_gfn);
	if (!page) {
		rc = -XEN_EINVAL;
		goto unlock;
	}
	f->array_gfn[f->nr_pages] = array_gfn;
	/* MO-PARK: publish the page, then look */
	evb_ptr_store(&f->array[f->nr_pages], page);
	post_parked(d, f->nr_pages * EVC_FIFO_PAGE_PORTS,
		    (f->nr_pages + 1) * EVC_FIFO_PAGE_PORTS);
	f->nr_pages++;
unlock:
	unlock_domain(d);

	return rc;
}

/* --- leaving ----------------------------------------------------------- */

static void unmap(struct evc_domain *d, evb_ptr *where)
{
	unsigned char *p = evb_ptr_load_acquire(where);

	evb_ptr_store_release(where, NULL);
	if (p)
		evc_host_unmap_frame(d, p - (uintptr_t)p % PAGE_SIZE);
}

/* Was it pending anywhere?  It is not any more in the bitmap. */
static bool take_pending(struct evc_domain *d, struct evc_channel *ch)
{
	bool pending = evc_deliver_2l.is_pending(d, ch);

	evc_deliver_2l.clear(d, ch);
	if (evb_u8_xchg(&ch->parked, 0))
		pending = true;
	return pending || evc_deliver_fifo.is_pending(d, ch);
}

/*
 * A static port is open even after a reset, and its peer may be posting to
 * it: as carry_over(), the other way.  Locks: domain.lock held.
 */
static void carry_back(struct evc_domain *d, struct evc_channel *ch)
{
	struct evc_channel *peer;
	bool fixed;

	lock_channel(ch);
	fixed = ch->fixed;
	peer = ch->state == EVC_ST_INTERDOMAIN ? ch->u.peer : NULL;
	unlock_channel(ch);
	if (!fixed)
		return;
	lock_two(ch, peer);
	/* A bit of before would swallow the post; who set it just now is heard. */
	if (take_pending(d, ch))
		evc_post_locked(ch);
	unlock_two(ch, peer);
}

static void carry_fixed_back(struct evc_domain *d)
{
	uint32_t nr_valid = evb_u32_load_relaxed(&d->ports.nr_valid);
	uint32_t port;

	for (port = 1; port < nr_valid && d->ports.nr_fixed; port++)
		carry_back(d, evc_port_lookup(d, port));
}

void evc_fifo_unmap_locked(struct evc_domain *d)
{
	struct evc_fifo *f = d->fifo;
	uint32_t i, prio;

	for (i = 0; i < d->nr_vcpus; i++) {
		unmap(d, &f->vcpu[i].control);
		for (prio = 0; prio < EVTCHN_FIFO_MAX_QUEUES; prio++)
			f->vcpu[i].queue[prio].tail = 0;
	}
	for (i = 0; i < f->nr_pages; i++)
		unmap(d, &f->array[i]);
	f->nr_pages = 0;
}

void evc_fifo_leave_locked(struct evc_domain *d)
{
	if (!is_fifo(d))
		return;
	evc_deliver_set(d, &evc_deliver_2l);
	carry_fixed_back(d);
	evc_fifo_unmap_locked(d);
}
