/* SPDX-License-Identifier: MIT */
/*
 * Atomics: the only file of the project that names a memory order.
 *
 * Everything shared between a sender and a receiver, or between two CPUs, is
 * reached through these few functions.  The vocabulary is small on purpose:
 *
 *   evb_*_load, evb_*_store, and every read-modify-write
 *           sequentially consistent.  The pairs that make event channels
 *           lossless are all "store mine, then load yours" on both sides
 *           (Dekker); acquire/release is not enough for them, on any machine
 *           that has a store buffer.
 *   evb_*_load_acquire / evb_*_store_release
 *           publish and observe: what was written before the store is visible
 *           after a load that returns its value.
 *   evb_*_load_relaxed / evb_*_store_relaxed
 *           a single untorn access, no ordering.  Each use says why that is
 *           enough.
 *
 * The types are one-member structs, so a plain access to a shared word does
 * not compile by accident.  They have the size and alignment of the plain
 * type: an ABI structure in shared memory may be viewed through them.
 *
 * A test that wants to step between two of them replaces the functions by
 * macros around the file it includes (tests/unit/test_core_steps.c).
 */
#ifndef BASE_ATOMIC_H
#define BASE_ATOMIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
	uint8_t v;
} evb_u8;

typedef struct {
	uint32_t v;
} evb_u32;

typedef struct {
	uint64_t v;
} evb_u64;

typedef struct {
	void *v;
} evb_ptr;

/* --- 8 bit ------------------------------------------------------------- */

static inline uint8_t evb_u8_load(const evb_u8 *p)
{
	return __atomic_load_n(&p->v, __ATOMIC_SEQ_CST);
}

static inline void evb_u8_store(evb_u8 *p, uint8_t v)
{
	__atomic_store_n(&p->v, v, __ATOMIC_SEQ_CST);
}

static inline uint8_t evb_u8_load_relaxed(const evb_u8 *p)
{
	return __atomic_load_n(&p->v, __ATOMIC_RELAXED);
}

static inline void evb_u8_store_relaxed(evb_u8 *p, uint8_t v)
{
	__atomic_store_n(&p->v, v, __ATOMIC_RELAXED);
}

static inline uint8_t evb_u8_xchg(evb_u8 *p, uint8_t v)
{
	return __atomic_exchange_n(&p->v, v, __ATOMIC_SEQ_CST);
}

/* --- 32 bit ------------------------------------------------------------ */

static inline uint32_t evb_u32_load(const evb_u32 *p)
{
	return __atomic_load_n(&p->v, __ATOMIC_SEQ_CST);
}

static inline uint32_t evb_u32_load_acquire(const evb_u32 *p)
{
	return __atomic_load_n(&p->v, __ATOMIC_ACQUIRE);
}

static inline uint32_t evb_u32_load_relaxed(const evb_u32 *p)
{
	return __atomic_load_n(&p->v, __ATOMIC_RELAXED);
}

static inline void evb_u32_store(evb_u32 *p, uint32_t v)
{
	__atomic_store_n(&p->v, v, __ATOMIC_SEQ_CST);
}

static inline void evb_u32_store_release(evb_u32 *p, uint32_t v)
{
	__atomic_store_n(&p->v, v, __ATOMIC_RELEASE);
}

static inline void evb_u32_store_relaxed(evb_u32 *p, uint32_t v)
{
	__atomic_store_n(&p->v, v, __ATOMIC_RELAXED);
}

static inline uint32_t evb_u32_xchg(evb_u32 *p, uint32_t v)
{
	return __atomic_exchange_n(&p->v, v, __ATOMIC_SEQ_CST);
}

static inline uint32_t evb_u32_add(evb_u32 *p, uint32_t v)
{
	return __atomic_fetch_add(&p->v, v, __ATOMIC_SEQ_CST);
}

static inline uint32_t evb_u32_or(evb_u32 *p, uint32_t v)
{
	return __atomic_fetch_or(&p->v, v, __ATOMIC_SEQ_CST);
}

static inline uint32_t evb_u32_and(evb_u32 *p, uint32_t v)
{
	return __atomic_fetch_and(&p->v, v, __ATOMIC_SEQ_CST);
}

/* On failure *@expected holds what was found. */
static inline bool evb_u32_cas(evb_u32 *p, uint32_t *expected, uint32_t v)
{
	return __atomic_compare_exchange_n(&p->v, expected, v, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* --- 64 bit ------------------------------------------------------------ */

static inline uint64_t evb_u64_load(const evb_u64 *p)
{
	return __atomic_load_n(&p->v, __ATOMIC_SEQ_CST);
}

static inline uint64_t evb_u64_load_relaxed(const evb_u64 *p)
{
	return __atomic_load_n(&p->v, __ATOMIC_RELAXED);
}

static inline void evb_u64_store_relaxed(evb_u64 *p, uint64_t v)
{
	__atomic_store_n(&p->v, v, __ATOMIC_RELAXED);
}

static inline uint64_t evb_u64_xchg(evb_u64 *p, uint64_t v)
{
	return __atomic_exchange_n(&p->v, v, __ATOMIC_SEQ_CST);
}

static inline uint64_t evb_u64_add(evb_u64 *p, uint64_t v)
{
	return __atomic_fetch_add(&p->v, v, __ATOMIC_SEQ_CST);
}

static inline uint64_t evb_u64_or(evb_u64 *p, uint64_t v)
{
	return __atomic_fetch_or(&p->v, v, __ATOMIC_SEQ_CST);
}

static inline uint64_t evb_u64_and(evb_u64 *p, uint64_t v)
{
	return __atomic_fetch_and(&p->v, v, __ATOMIC_SEQ_CST);
}

/* --- pointers ---------------------------------------------------------- */

static inline void *evb_ptr_load(const evb_ptr *p)
{
	return __atomic_load_n(&p->v, __ATOMIC_SEQ_CST);
}

static inline void evb_ptr_store(evb_ptr *p, void *v)
{
	__atomic_store_n(&p->v, v, __ATOMIC_SEQ_CST);
}

static inline void *evb_ptr_load_acquire(const evb_ptr *p)
{
	return __atomic_load_n(&p->v, __ATOMIC_ACQUIRE);
}

static inline void evb_ptr_store_release(evb_ptr *p, void *v)
{
	__atomic_store_n(&p->v, v, __ATOMIC_RELEASE);
}

/* --- bits of a bitmap of 32-bit words ---------------------------------- */

/*
 * Bit @nr of a little-endian bitmap is the same memory bit whether the bitmap
 * is declared as 32-bit or as 64-bit words; 32-bit words serve both layouts
 * of shared_info.  The first two are full barriers, the third is a sequentially
 * consistent load.
 */
static inline bool evb_test_and_set_bit(evb_u32 *map, uint32_t nr)
{
	uint32_t bit = (uint32_t)1 << (nr & 31);

	return evb_u32_or(&map[nr >> 5], bit) & bit;
}

static inline bool evb_test_and_clear_bit(evb_u32 *map, uint32_t nr)
{
	uint32_t bit = (uint32_t)1 << (nr & 31);

	return evb_u32_and(&map[nr >> 5], ~bit) & bit;
}

static inline bool evb_test_bit(const evb_u32 *map, uint32_t nr)
{
	return evb_u32_load(&map[nr >> 5]) >> (nr & 31) & 1;
}

/* --- fence ------------------------------------------------------------- */

/* Orders every earlier access before every later one, loads included. */
static inline void evb_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif /* BASE_ATOMIC_H */
