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

/* Set the upcall flag; if it was clear, kick.  See upcall.c. */
void evc_upcall_raise(struct evc_vcpu *v);

/* A port became pending: wake the vCPUs that poll for it.  See poll.c. */
void evc_poll_wake(struct evc_domain *d, evtchn_port_t port);

#endif /* CORE_SEND_H */
