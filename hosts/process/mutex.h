/* SPDX-License-Identifier: MIT */
/*
 * A lock for threads of one process whose holder may sleep, or be descheduled:
 * one compare-and-swap to take it, one exchange to give it back, the kernel
 * only where two want it at once.
 *
 * A signal handler may take it, which the C library's own do not promise,
 * provided that it did not interrupt the holder: vcpu.c sees to that.
 */
#ifndef EVP_MUTEX_H
#define EVP_MUTEX_H

#include <base/atomic.h>

#define EVP_MUTEX_FREE	 0
#define EVP_MUTEX_HELD	 1
#define EVP_MUTEX_WANTED 2 /* held, and somebody may sleep for it */

struct evp_mutex {
	evb_u32 state;
};

/* The slow halves; vcpu.c. */
void evp_mutex_wait(struct evp_mutex *m);
void evp_mutex_wake(struct evp_mutex *m);

static inline bool evp_mutex_try(struct evp_mutex *m)
{
	uint32_t free = EVP_MUTEX_FREE;

	return evb_u32_cas(&m->state, &free, EVP_MUTEX_HELD);
}

static inline void evp_mutex_lock(struct evp_mutex *m)
{
	if (!evp_mutex_try(m))
		evp_mutex_wait(m);
}

static inline void evp_mutex_unlock(struct evp_mutex *m)
{
	if (evb_u32_xchg(&m->state, EVP_MUTEX_FREE) == EVP_MUTEX_WANTED)
		evp_mutex_wake(m);
}

#endif /* EVP_MUTEX_H */
