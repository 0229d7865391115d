/* SPDX-License-Identifier: MIT */
/* The data plane, for the rest of the core.  See send.c. */
#ifndef CORE_SEND_H
#define CORE_SEND_H

#include <evc/storage.h>

/*
 * Post an event to @ch, on the vCPU it notifies: pending, selector, upcall,
 * pollers.  Locks: @ch's, or that of the channel connected to it.
 */
void evc_post_locked(struct evc_channel *ch);

/* The same, counted as sent by @own, whose lock is held: @to or its peer. */
void evc_post_from_locked(struct evc_channel *own, struct evc_channel *to);

/* An event of @ch went nowhere.  Locks: @ch's. */
static inline void evc_count_drop_locked(struct evc_channel *ch)
{
	ch->sent++;
	ch->dropped += ch->dropped != UINT32_MAX;
}

/* Send from @ch, connected, with what is to be minded.  Gives its lock back. */
int evc_send_with_care(struct evc_channel *ch, unsigned int care);

/* Set the upcall flag; if it was clear, kick.  See upcall.c. */
void evc_upcall_raise(struct evc_vcpu *v);

/*
 * Set every 2-level selector bit and raise: the vCPU looks at all its ports,
 * wherever a rung of the ladder was missed.
 */
void evc_upcall_rescan(struct evc_vcpu *v);

/* A port became pending: wake the vCPUs that poll for it.  See poll.c. */
void evc_poll_wake(struct evc_domain *d, evtchn_port_t port);

#endif /* CORE_SEND_H */
