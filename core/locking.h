/* SPDX-License-Identifier: MIT */
/*
 * Lock order, outermost first:
 *
 *   machine.lock
 *     domain.lock          one at a time
 *       channel.lock       one, or two by address (lock_two)
 *         fifo.move        a port changes its FIFO queue
 *           queue.lock     one, or two by address (deliver_fifo.c)
 *         limit.lock       a domain's storm limit (limit.c)
 *
 * What each guards is said in evc/storage.h.  The hypervisor's rule that makes
 * a send cheap: the states of two connected channels change only with both
 * channel locks held, so a sender takes the lock of his own end only.
 *
 * Upcalls are raised, and hosts kicked, with the channel lock held: a vCPU
 * and its shared page then cannot go away between post and raise.
 */
#ifndef CORE_LOCKING_H
#define CORE_LOCKING_H

#include <evc/host.h>

static inline void lock_machine(struct evc_machine *m)
{
	evb_lock(&m->lock, evc_host_relax);
}

static inline void unlock_machine(struct evc_machine *m)
{
	evb_unlock(&m->lock);
}

static inline void lock_domain(struct evc_domain *d)
{
	evb_lock(&d->lock, evc_host_relax);
}

static inline void unlock_domain(struct evc_domain *d)
{
	evb_unlock(&d->lock);
}

static inline void lock_channel(struct evc_channel *ch)
{
	evb_lock(&ch->lock, evc_host_relax);
}

static inline void unlock_channel(struct evc_channel *ch)
{
	evb_unlock(&ch->lock);
}

/* C compares pointers into one array only; two locks may be in different ones. */
static inline bool is_below(const void *a, const void *b)
{
	return (uintptr_t)a < (uintptr_t)b;
}

/* @b may be NULL: then only @a. */
static inline void lock_two(struct evc_channel *a, struct evc_channel *b)
{
	if (b && is_below(b, a))
		lock_channel(b);
	lock_channel(a);
	if (b && is_below(a, b))
		lock_channel(b);
}

static inline void unlock_two(struct evc_channel *a, struct evc_channel *b)
{
	unlock_channel(a);
	if (b)
		unlock_channel(b);
}

#endif /* CORE_LOCKING_H */
