/* SPDX-License-Identifier: MIT */
/*
 * FIFO event channels for a guest: 131,072 ports instead of 4096, sixteen
 * priorities, and per vCPU and priority a queue in which events are handled
 * in the order in which they came.
 *
 * A guest that wants them lends memory for them in its evg_config and calls
 * evg_fifo_start(), at boot or later.  Everything else of evg.h works as
 * before; where the hypervisor has no FIFO event channels the guest keeps the
 * 2-level ones, and ports up to the limit of its layout.
 *
 * What differs:
 *
 *   - Order.  The queue of the highest priority that has something comes first,
 *     always: a busy port starves those of lower priority (and no other).
 *   - A port that moves to another vCPU while its event waits in the old
 *     vCPU's queue is handled when the old one takes its upcall.  For a vCPU
 *     that takes none any more: evg_drain().
 *   - The number of a port that is closed with its event still in a queue is
 *     given out again only after that vCPU has taken its upcall.
 *
 * SPEC 3.2, 6.2
 */
#ifndef EVG_FIFO_H
#define EVG_FIFO_H

#include <evg/evg.h>

#define EVG_FIFO_PAGE_PORTS 1024
#define EVG_FIFO_MAX_PAGES  (EVTCHN_FIFO_NR_CHANNELS / EVG_FIFO_PAGE_PORTS)

/* A piece of guest memory, and where the hypervisor finds it. */
struct evg_lent {
	void *mem;	/* NULL: not lent */
	uint64_t frame; /* number of its page (PV: machine frame) */
};

/*
 * The memory, the guest's for as long as the hypervisor may write to it: from
 * evg_fifo_start() to evg_reset().  Its contents are the library's.
 *
 * @control   one per vCPU: 72 bytes inside one page, aligned to 8.  A vCPU
 *            without one can have no ports; it may be lent later, before
 *            another evg_fifo_start().
 * @page      @nr_pages whole pages, 1024 ports each, enough for all
 *            config.nr_ports.  They are handed over one after the other, as
 *            ports need them.
 */
struct evg_fifo {
	struct evg_lent *control;
	struct evg_lent *page;
	uint32_t nr_pages;
	/* The library's own. */
	evb_ptr array[EVG_FIFO_MAX_PAGES]; /* as 32-bit words; NULL: not yet */
	evb_u32 nr_given; /* pages the hypervisor has.  Written: lock */
	struct evb_lock lock;
};

/*
 * evg_fifo_start - switch to FIFO event channels; give vCPUs their queues.
 *
 * What is open stays open: handlers, masks and events are carried over.  From
 * now on all config.nr_ports can be used.  Ports of VIRQ_TIMER get the highest
 * priority, others the default.
 * May be called again: for vCPUs that have been lent a control block since,
 * or after an error.
 *   -XEN_ENOSYS, -XEN_EOPNOTSUPP  the hypervisor has none
 *   -XEN_EINVAL  config.fifo is NULL, what it lends is misaligned or too
 *                little, a vCPU with a handler has no control block, or a bad
 *                frame
 *   -XEN_ENOENT  a control block for a vCPU that does not exist
 *   others
 * After an error of the first hypercall (that for vCPU 0) nothing has changed
 * and the guest is 2-level.  After a later one it is a FIFO guest, nothing is
 * lost, but events wait until another call of this one succeeds.
 * Context: not from a handler, while no other vCPU uses ports.  Once it has
 *          returned 0: at any time, if it is for vCPUs without ports.
 * Bound:   O(2-level ports), a hypercall per vCPU, per page and per port that
 *          is pending
 */
int evg_fifo_start(struct evg_guest *g);

/* True: the guest uses FIFO event channels. */
bool evg_is_fifo(const struct evg_guest *g);

/*
 * evg_set_priority - choose the queue for future events of a port.
 *
 * @priority  EVTCHN_FIFO_PRIORITY_MAX (0, first) to _MIN (15)
 *   -XEN_ENOSYS  not a FIFO guest
 *   -XEN_EACCES  not open
 *   -XEN_EINVAL  no such port, or no such priority
 * An event that is in a queue already stays where it is.
 */
int evg_set_priority(struct evg_guest *g, evtchn_port_t port,
		     uint32_t priority);

#endif /* EVG_FIFO_H */
