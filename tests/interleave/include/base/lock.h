/* SPDX-License-Identifier: MIT */
/*
 * base/lock.h for the schedule explorer: taking a lock is one step, possible
 * when the lock is free.  Turns of a spin loop that find it held change
 * nothing, so leaving them out loses no behaviour.  Giving it back is the
 * release store it is.  The real lock.h is explored by itself (litmus.c).
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <base/atomic.h>

struct evb_lock {
	evb_u32 held;
};

#define evb_lock(l, relax)                                   \
	((void)(relax), (void)x_access(X_LOCK, X_SEQ_CST, 4, \
				       x_u32(&(l)->held), 1, 0, X_HERE))
#define evb_unlock(l) evb_u32_store_release(&(l)->held, 0)

#endif /* BASE_LOCK_H */
