/* SPDX-License-Identifier: MIT */
/* What the files of the guest library want of each other; see bind.c. */
#ifndef EVG_BIND_H
#define EVG_BIND_H

#include <evg/evg.h>

/* --- bind.c ---------------------------------------------------------------- */

/* Handle one port that next() returned; true: a handler was called. */
bool evg_deliver(struct evg_vcpu *v, evtchn_port_t port);

/* The same for a vCPU that has gone: announce it where the port is now. */
void evg_pass_on(struct evg_vcpu *v, evtchn_port_t port);

/* Announce anew what is pending for the vCPU's own ports.  Bound: O(ports) */
void evg_announce_own(struct evg_vcpu *v);

/* Ports may be bound to vCPU @vcpu.  @vcpu: any value */
bool evg_has_vcpu(const struct evg_guest *g, uint32_t vcpu);

/* As after evg_init(): masked, no handler, bound to vCPU 0. */
void evg_port_reset(struct evg_guest *g, evtchn_port_t port);

#define EVG_NO_VIRQ UINT32_MAX

/* The hypervisor delivers a port to @vcpu: do the same.  It is masked. */
void evg_port_adopt(struct evg_guest *g, evtchn_port_t port, uint32_t virq,
		    uint32_t vcpu);

/*
 * The hypervisor opened a port for us, bound to @vcpu.  If the table has no
 * entry for it the port is closed again: -XEN_ENOSPC.
 */
int evg_port_opened(struct evg_guest *g, evtchn_port_t port, uint32_t virq,
		    uint32_t vcpu);

/* Undo evg_mask(): unmask if there is a handler, or as soon as there is. */
int evg_allow(struct evg_guest *g, evtchn_port_t port);

/* Forget a port that is about to be closed.  Errors as evg_close(). */
int evg_port_forget(struct evg_guest *g, evtchn_port_t port);

/* --- upcall.c -------------------------------------------------------------- */

/* Clear the upcall flag; true: it was set.  Then begin() a round. */
bool evg_upcall_take(struct evg_vcpu *v);

/* Set the flag of the vCPU this runs on, after a selector bit. */
void evg_upcall_raise(struct evg_vcpu *v);

/* --- hypercalls.c ---------------------------------------------------------- */

/* The hypercall, and nothing else. */
int evg_call_close(struct evg_guest *g, evtchn_port_t port);
int evg_call_unmask(struct evg_guest *g, evtchn_port_t port);
int evg_call_bind_vcpu(struct evg_guest *g, evtchn_port_t port, uint32_t vcpu);
int evg_call_init_control(struct evg_guest *g, uint32_t vcpu, uint64_t frame,
			  uint32_t offset);
int evg_call_expand_array(struct evg_guest *g, uint64_t frame);

#endif /* EVG_BIND_H */
