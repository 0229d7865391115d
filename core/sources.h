/* SPDX-License-Identifier: MIT */
/* VIRQs and PIRQs, as the state machine sees them.  See virq.c and pirq.c. */
#ifndef CORE_SOURCES_H
#define CORE_SOURCES_H

#include <evc/storage.h>

enum evc_virq_class {
	EVC_VIRQ_VCPU,	 /* one binding per vCPU, never moves */
	EVC_VIRQ_DOMAIN, /* one per domain, bound on vCPU 0, may be moved */
	EVC_VIRQ_GLOBAL, /* as domain, and only for the handler domain */
};

enum evc_virq_class evc_virq_class(uint32_t virq);

/*
 * May the VIRQ, in the slot of that vCPU, or the line be bound now?  0, or as
 * evc_bind_virq() and evc_bind_pirq().  Locks: domain.lock held.
 */
int evc_virq_check_locked(const struct evc_domain *d, uint32_t virq,
			  uint32_t slot_vcpu);
int evc_pirq_check_locked(struct evc_domain *d, uint32_t pirq);

/* The port of a VIRQ, or PIRQ, is being closed.  Locks: domain and channel. */
void evc_virq_unbind_locked(struct evc_channel *ch);
void evc_pirq_unbind_locked(struct evc_channel *ch);

/* The domain is being destroyed: global VIRQs revert to the hwdom. */
void evc_virq_forget_handler(struct evc_domain *d);

#endif /* CORE_SOURCES_H */
