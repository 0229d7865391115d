/* SPDX-License-Identifier: MIT */
/*
 * A spinlock that costs one atomic read-modify-write: a test-and-set takes it, a
 * plain release store gives it back.  It is meant for sections of some tens of
 * instructions that never sleep.  It is not fair and does not nest.
 *
 * While somebody else holds it, evb_lock() calls @relax, which a host fills
 * with a pause instruction, or with a yield where the holder may be
 * descheduled (threads of a process).
 *
 * Order: what the holder wrote before evb_unlock() is visible after the
 * evb_lock() that follows (acquire by the test-and-set, release by the store).
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <base/atomic.h>

struct evb_lock {
	evb_u32 held;
};

/* Kept out of line: it would cost registers in every caller. */
__attribute__((noinline, cold, unused)) static void
evb_lock_wait(struct evb_lock *l, void (*relax)(void))
{
	do {
		/* Read-only spinning keeps the line shared until it is free. */
		while (evb_u32_load_relaxed(&l->held))
			relax();
	} while (evb_test_and_set_bit(&l->held, 0));
}

static inline void evb_lock(struct evb_lock *l, void (*relax)(void))
{
	if (evb_test_and_set_bit(&l->held, 0))
		evb_lock_wait(l, relax);
}

static inline void evb_unlock(struct evb_lock *l)
{
	evb_u32_store_release(&l->held, 0);
}

#endif /* BASE_LOCK_H */
