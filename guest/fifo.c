/* SPDX-License-Identifier: MIT */
/*
 * FIFO event channels, the control plane, as core/fifo.c is on the other side:
 * switching the guest over, handing pages over, and back at a reset.
 * collect_fifo.c collects.
 *
 * 2-level to FIFO, in this order:
 *
 *   1. Every vCPU gets its control block.  With the first the hypervisor
 *      switches: it notes what is pending in the bitmaps, and leaves them.
 *      There is no page yet, so whatever is sent now is noted as well.  Were a
 *      page there first, an event for a vCPU that has no control block yet
 *      would be lost.
 *   2. Ports that are not masked get their page, if they have none.  In a new
 *      page everything is masked; the hypervisor sets PENDING in the words of
 *      those it has notes of.
 *   3. These ports are unmasked, and the hypervisor is asked to queue those
 *      that are pending.  The bit in the 2-level mask is set then: what is
 *      still clear there is what another evg_fifo_start() has to do.
 *   4. The bitmaps, which were cleared after the first step, are looked at
 *      once more.
 *
 * A page is filled with MASKED and published for collect_fifo.c *before* the
 * hypervisor is given it: another vCPU may meet a port of it at once.
 */
#include <evg/fifo.h>

#include "bind.h"
#include "collect.h"

#define PAGE_SIZE 4096
#define MASKED	  ((uint32_t)1 << EVTCHN_FIFO_MASKED)

bool evg_is_fifo(const struct evg_guest *g)
{
	return g->collect->has_priorities;
}

/* --- the event array ----------------------------------------------------- */

static void fill(evb_u32 *page)
{
	uint32_t i;

	for (i = 0; i < EVG_FIFO_PAGE_PORTS; i++)
		evb_u32_store_relaxed(&page[i], MASKED);
}

/* Locks: fifo. */
static int give_page(struct evg_guest *g)
{
	struct evg_fifo *f = g->fifo;
	uint32_t n = evb_u32_load_relaxed(&f->nr_given);
	const struct evg_lent *lent;
	int rc;

	if (n >= f->nr_pages)
		return -XEN_ENOSPC;
	lent = &f->page[n];
	if (!lent->mem || (uintptr_t)lent->mem % PAGE_SIZE)
		return -XEN_EINVAL;

	fill(lent->mem);
	/* MO-ARRAY: the page is filled; pairs with collect_fifo.c word_of() */
	evb_ptr_store_release(&f->array[n], lent->mem);
	rc = evg_call_expand_array(g, lent->frame);
	if (rc)
		evb_ptr_store_release(&f->array[n], NULL);
	else
		evb_u32_store_release(&f->nr_given, n + 1);

	return rc;
}

static bool is_reached(const struct evg_fifo *f, evtchn_port_t port)
{
	return port / EVG_FIFO_PAGE_PORTS < evb_u32_load_acquire(&f->nr_given);
}

int evg_fifo_reach(struct evg_guest *g, evtchn_port_t port)
{
	struct evg_fifo *f = g->fifo;
	unsigned long saved;
	int rc = 0;

	if (is_reached(f, port))
		return 0;

	saved = evg_plat_upcalls_save(g);
	evb_lock(&f->lock, evg_plat_relax);
	while (!rc && !is_reached(f, port))
		rc = give_page(g);
	evb_unlock(&f->lock);
	evg_plat_upcalls_restore(g, saved);

	return rc;
}

/* --- start --------------------------------------------------------------- */

static bool is_control_good(const struct evg_lent *control)
{
	uintptr_t offset = (uintptr_t)control->mem % PAGE_SIZE;

	return offset % 8 == 0 &&
	       offset <= PAGE_SIZE - sizeof(struct evtchn_fifo_control_block);
}

static int check_lent(const struct evg_guest *g)
{
	const struct evg_fifo *f = g->fifo;
	const struct evg_port *e;
	uint32_t i;

	if (!f || !f->control || !f->control[0].mem)
		return -XEN_EINVAL;
	if (!f->page || f->nr_pages > EVG_FIFO_MAX_PAGES ||
	    f->nr_pages * EVG_FIFO_PAGE_PORTS < g->nr_lent)
		return -XEN_EINVAL;
	for (i = 0; i < g->nr_vcpus; i++) {
		if (!is_control_good(&f->control[i]))
			return -XEN_EINVAL;
	}
	/* Events for a vCPU without control block would be lost. */
	for (i = 1; i < g->nr_ports_2l; i++) {
		e = &g->port[i];
		if (evb_u32_load(&e->bound) &&
		    !f->control[evb_u32_load(&e->vcpu)].mem)
			return -XEN_EINVAL;
	}
	return 0;
}

/* The hypervisor has switched. */
static void follow(struct evg_guest *g)
{
	if (evg_is_fifo(g))
		return;
	evg_2l_forget_pending(g);
	g->collect = &evg_collect_fifo;
	g->nr_ports = g->nr_lent;
}

static int give_control(struct evg_vcpu *v)
{
	const struct evg_lent *lent = &v->guest->fifo->control[v->id];
	evb_u32 *control = lent->mem;
	uint32_t i;
	int rc;

	if (!control || evb_ptr_load_acquire(&v->queues.control))
		return 0;

	for (i = 0; i < sizeof(struct evtchn_fifo_control_block) / 4; i++)
		evb_u32_store_relaxed(&control[i], 0);
	/* Known here before events can come there. */
	evb_ptr_store_release(&v->queues.control, control);
	rc = evg_call_init_control(v->guest, v->id, lent->frame,
				   (uintptr_t)control % PAGE_SIZE);
	if (rc)
		evb_ptr_store_release(&v->queues.control, NULL);
	else
		follow(v->guest);

	return rc;
}

/* Bring over what is not masked.  The first error; the rest is done. */
static int carry_over(struct evg_guest *g)
{
	evtchn_port_t port;
	int rc = 0, first = 0;

	for (port = 1; port < g->nr_ports_2l; port++) {
		if (evg_collect_2l.is_masked(g, port))
			continue;
		rc = evg_unmask(g, port);
		if (!rc)
			(void)evg_collect_2l.mask(g, port);
		else if (!first)
			first = rc;
	}
	return first;
}

/*
 * A hypervisor may let a sender finish with the bitmaps after it has switched
 * (Xen does).  What such a one left there is fired here.
 */
static void take_late(struct evg_guest *g)
{
	evtchn_port_t port;

	for (port = 1; port < g->nr_ports_2l; port++) {
		if (evg_collect_2l.clear(g, port))
			(void)evg_set_pending(g, port);
	}
}

/* The timer is handled first.  That it was not open is no error. */
static void prefer_timers(struct evg_guest *g)
{
	uint32_t i, port;

	for (i = 0; i < g->nr_vcpus; i++) {
		port = evb_u32_load_relaxed(&g->vcpu[i].timer_port);
		if (port)
			(void)evg_set_priority(g, port,
					       EVTCHN_FIFO_PRIORITY_MAX);
	}
}

int evg_fifo_start(struct evg_guest *g)
{
	int rc = check_lent(g);
	unsigned long saved;
	uint32_t i;

	if (rc)
		return rc;

	saved = evg_plat_upcalls_save(g);
	for (i = 0; !rc && i < g->nr_vcpus; i++)
		rc = give_control(&g->vcpu[i]);
	if (!rc) {
		prefer_timers(g);
		rc = carry_over(g);
		take_late(g);
	}
	evg_plat_upcalls_restore(g, saved);

	return rc;
}

/* --- at the beginning, and after a reset --------------------------------- */

void evg_fifo_mask_all(struct evg_guest *g)
{
	evtchn_port_t port;

	for (port = 0; is_reached(g->fifo, port); port++)
		(void)evg_collect_fifo.mask(g, port);
}

static void forget_queues(struct evg_vcpu *v)
{
	uint32_t q;

	evb_ptr_store_release(&v->queues.control, NULL);
	v->queues.ready = 0;
	for (q = 0; q < EVTCHN_FIFO_MAX_QUEUES; q++)
		v->queues.head[q] = 0;
}

void evg_fifo_init(struct evg_guest *g)
{
	struct evg_fifo *f = g->fifo;
	uint32_t i;

	evb_u32_store(&f->lock.held, 0);
	evb_u32_store(&f->nr_given, 0);
	for (i = 0; i < EVG_FIFO_MAX_PAGES; i++)
		evb_ptr_store_release(&f->array[i], NULL);
}

void evg_fifo_leave(struct evg_guest *g)
{
	uint32_t i;

	g->collect = &evg_collect_2l;
	g->nr_ports = g->nr_ports_2l;
	for (i = 0; i < g->nr_vcpus; i++)
		forget_queues(&g->vcpu[i]);
	evg_fifo_init(g);
}
