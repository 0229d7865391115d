/* SPDX-License-Identifier: MIT */
/*
 * Real threads for regression tests: a bounded number of rounds, no sleeps,
 * cmocka's assertions in the main thread only.  A thread that finds something
 * wrong says so with expect(), and run_threads() fails.
 */
#ifndef REGRESS_THREADS_H
#define REGRESS_THREADS_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <base/atomic.h>

#define MAX_THREADS 4
#define NR_SPINS    50000000u

typedef void (*thread_fn)(void);

static evb_u32 nr_bad;	/* what should not have been */
static evb_u32 arrived; /* at meet() */
static evb_u32 stopped; /* for a thread that works as long as another does */

static evb_u32 shaking; /* while there are threads */

/* Called by the code under test before its atomic operations: shake.h. */
void regress_shake(void);
void regress_shake(void)
{
	static _Thread_local uint32_t seed;

	if (!evb_u32_load_relaxed(&shaking))
		return;
	if (!seed)
		seed = (uint32_t)(uintptr_t)&seed | 1;
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	if (seed % 16 == 0)
		(void)sched_yield();
}

static inline void expect(bool good)
{
	if (!good)
		(void)evb_u32_add(&nr_bad, 1);
}

/* Compiled in by rules.mk: under ThreadSanitizer everything takes longer. */
#ifndef REGRESS_SLOW
#define REGRESS_SLOW 1
#endif

/* Some, or with `make check-long` many more. */
static inline uint32_t rounds(uint32_t n)
{
	return getenv("EVC_LONG") ? n * 20 : n / REGRESS_SLOW;
}

static inline bool is_stopped(void)
{
	return evb_u32_load(&stopped) || evb_u32_load(&nr_bad);
}

static inline void stop(void)
{
	evb_u32_store(&stopped, 1);
}

/*
 * The @n-th meeting, from 1, of @of threads.  False, for all of them, when
 * something went wrong, also when one does not come within reason.
 */
static inline bool meet(uint32_t n, uint32_t of)
{
	uint32_t i;

	(void)evb_u32_add(&arrived, 1);
	for (i = 0; i < NR_SPINS && !evb_u32_load(&nr_bad); i++) {
		if (evb_u32_load(&arrived) >= of * n)
			return true;
		if (i % 64 == 63)
			(void)sched_yield();
	}
	expect(i < NR_SPINS);
	return false;
}

/* Not quite at the same time, a little differently every time. */
static inline void stagger(uint32_t i, uint32_t side)
{
	volatile uint32_t n = i * (7 + 6 * side) % 64;

	while (n)
		n--;
}

static inline void *call_thread(void *fn)
{
	(*(const thread_fn *)fn)();
	return NULL;
}

/* The caller says fake.threads = true before, false after. */
static inline void run_threads(const thread_fn *fn, unsigned int n)
{
	pthread_t t[MAX_THREADS];
	unsigned int i;

	assert_true(n <= MAX_THREADS);
	evb_u32_store(&nr_bad, 0);
	evb_u32_store(&arrived, 0);
	evb_u32_store(&stopped, 0);
	evb_u32_store(&shaking, 1);
	for (i = 0; i < n; i++)
		assert_int_equal(pthread_create(&t[i], NULL, call_thread,
						(void *)(uintptr_t)&fn[i]),
				 0);
	for (i = 0; i < n; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	evb_u32_store(&shaking, 0);
	assert_int_equal(evb_u32_load(&nr_bad), 0);
}

#endif /* REGRESS_THREADS_H */
