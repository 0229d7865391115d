/* SPDX-License-Identifier: MIT */
/* Switching to FIFO event channels and back.  See fifo.c. */
#ifndef CORE_FIFO_H
#define CORE_FIFO_H

#include <evc/storage.h>

/* Back to 2-level.  No port of the guest is open.  Locks: domain.lock held. */
void evc_fifo_leave_locked(struct evc_domain *d);

/*
 * Give back all frames and forget the queues.  Nobody posts by FIFO.
 * Locks: domain.lock held.
 */
void evc_fifo_unmap_locked(struct evc_domain *d);

#endif /* CORE_FIFO_H */
