/* SPDX-License-Identifier: MIT */
/*
 * Collecting: how events are read out of the memory a hypervisor writes.
 *
 * One ops table per port ABI; the 2-level one is collect_2l.c, the other half
 * of core/deliver_2l.c.  The functions behind it work on shared words and on
 * the vCPU's scan; they know no handlers, take no locks and never call upward:
 * next() *returns* the next port and the spine in upcall.c calls the handler.
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
	 * False: the round is over.
	 */
	bool (*next)(struct evg_vcpu *v, evtchn_port_t *port);
	/* End a round early: what begin() took is there again. */
	void (*put_back)(struct evg_vcpu *v);

	/* Mask; true: it was masked. */
	bool (*mask)(struct evg_guest *g, evtchn_port_t port);
	/* Clear the mask, then look: true, it is pending (MO-MASK). */
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
};

extern const struct evg_collect evg_collect_2l;

/* Set up @g for the 2-level ABI.  Returns the ports its layout has. */
uint32_t evg_2l_init(struct evg_guest *g, void *shared_info,
		     enum evg_layout layout);

/* Mask all ports of the layout, also those the guest has no entry for. */
void evg_2l_mask_all(struct evg_guest *g);

/* The vcpu_info of vCPU @vcpu inside the shared page, or NULL. */
void *evg_2l_info(const struct evg_guest *g, uint32_t vcpu);

#endif /* EVG_COLLECT_H */
