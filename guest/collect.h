/* SPDX-License-Identifier: MIT */
/*
 * Collecting: how events are read out of the memory a hypervisor writes.
 *
 * One ops table per port ABI, each the other half of a file in core/:
 * collect_2l.c of deliver_2l.c, collect_fifo.c of deliver_fifo.c.  The
 * functions behind it work on shared words and on where the vCPU stands in
 * them; they know no handlers, take no locks (but reach(), which is no part of
 * collecting) and never call upward: next() *returns* the next port and the
 * spine in upcall.c calls the handler.
 *
 * @port has been checked by the caller, in all of them.
 */
#ifndef EVG_COLLECT_H
#define EVG_COLLECT_H

#include <evg/evg.h>

struct evg_collect {
	/* Start a round: take the selector.  The flag has been taken. */
	void (*begin)(struct evg_vcpu *v);
	/*
	 * The next port that is pending, unmasked and of this vCPU's concern.
	 * False: the round is over; or, with v->spare at 0, ended early.
	 */
	bool (*next)(struct evg_vcpu *v, evtchn_port_t *port);
	/* End a round early: what begin() took is there again. */
	void (*put_back)(struct evg_vcpu *v);

	/* Mask; true: it was masked. */
	bool (*mask)(struct evg_guest *g, evtchn_port_t port);
	/*
	 * Clear the mask, then look: true, it is pending and has to be
	 * announced (MO-MASK).  It may be masked all the same then.
	 */
	bool (*unmask)(struct evg_guest *g, evtchn_port_t port);
	/* Clear the pending bit; true: it was set (MO-PENDING). */
	bool (*clear)(struct evg_guest *g, evtchn_port_t port);
	/* Set the pending bit and nothing else. */
	void (*set)(struct evg_guest *g, evtchn_port_t port);
	/*
	 * Lead the vCPU this runs on to a pending port; true: its upcall flag
	 * is to be set.  NULL: only the hypervisor can.
	 */
	bool (*select)(struct evg_vcpu *v, evtchn_port_t port);
	/* The vCPU has yet to take what leads to the port; NULL: who knows. */
	bool (*is_selected)(const struct evg_vcpu *v, evtchn_port_t port);
	bool (*is_pending)(const struct evg_guest *g, evtchn_port_t port);
	bool (*is_masked)(const struct evg_guest *g, evtchn_port_t port);

	/* Before a port is used: its words are there.  NULL: they always are. */
	int (*reach)(struct evg_guest *g, evtchn_port_t port);
	/* Ports may be bound to this vCPU.  NULL: to every one. */
	bool (*serves)(const struct evg_vcpu *v);
	bool has_priorities;
};

extern const struct evg_collect evg_collect_2l;
extern const struct evg_collect evg_collect_fifo;

/* --- collect_2l.c ---------------------------------------------------------- */

/* Set up @g for the 2-level ABI.  Returns the ports its layout has. */
uint32_t evg_2l_init(struct evg_guest *g, void *shared_info,
		     enum evg_layout layout);

/* Mask all ports of the layout, also those the guest has no entry for. */
void evg_2l_mask_all(struct evg_guest *g);

/* Nothing is pending, nothing selected. */
void evg_2l_forget_pending(struct evg_guest *g);

/* The vcpu_info of vCPU @vcpu inside the shared page, or NULL. */
void *evg_2l_info(const struct evg_guest *g, uint32_t vcpu);

/* --- fifo.c ---------------------------------------------------------------- */

/* As evg_collect.reach.  Bound: a hypercall per page.  Errors: expand_array */
int evg_fifo_reach(struct evg_guest *g, evtchn_port_t port);

/* Nothing is the hypervisor's yet. */
void evg_fifo_init(struct evg_guest *g);

void evg_fifo_mask_all(struct evg_guest *g);

/* The hypervisor went back to 2-level: do the same.  No port is open. */
void evg_fifo_leave(struct evg_guest *g);

#endif /* EVG_COLLECT_H */
