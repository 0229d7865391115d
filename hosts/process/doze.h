/* SPDX-License-Identifier: MIT */
/*
 * The mark of a vCPU that sleeps, MO-BLOCK of a guarded guest: the vCPU lies
 * down and then looks whether something was posted; whoever posts takes the mark
 * afterwards, and rings if it was there.  One of them sees the other.
 */
#ifndef EVP_DOZE_H
#define EVP_DOZE_H

#include <base/atomic.h>

enum evp_asleep {
	EVP_AWAKE,
	EVP_DOZING, /* in here: looks at its flag when it is woken */
	EVP_ARMED,  /* by evp_arm(): the program may compute all the same */
};

/* Then look, then sleep. */
static inline void evp_lie_down(evb_u32 *mark, enum evp_asleep how)
{
	/* MO-BLOCK: the mark is set, then the caller looks what was posted */
	(void)evb_u32_xchg(mark, how);
}

static inline void evp_get_up(evb_u32 *mark)
{
	evb_u32_store(mark, EVP_AWAKE);
}

/* Something was posted: was it asleep?  Who is told so has to ring, once. */
static inline enum evp_asleep evp_take_mark(evb_u32 *mark)
{
	/* MO-BLOCK: posted, then the mark is read */
	if (evb_u32_load(mark) == EVP_AWAKE)
		return EVP_AWAKE;
	return (enum evp_asleep)evb_u32_xchg(mark, EVP_AWAKE);
}

#endif /* EVP_DOZE_H */
