/* SPDX-License-Identifier: MIT */
/*
 * base/atomic.h for the schedule explorer: the same functions, each of them a
 * point where the explorer may let another actor go first (explore.h).
 *
 * The core, the guest library and the lanes are compiled with this file found
 * before the real one.  Every function says what it is to do and where it
 * stands; explore.c decides when it happens, memory.c what it does under a
 * memory model.  They are macros for the sake of __func__ and __LINE__, which
 * make a schedule readable.
 */
#ifndef BASE_ATOMIC_H
#define BASE_ATOMIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/interleave/access.h"

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

#define X_HERE __func__, __LINE__

/* One access of the width of @p->v.  The casts keep the types of the real. */
#define X_DO(type, kind, order, p, v)                              \
	((type)x_access(kind, order, sizeof(type), (uintptr_t)(p), \
			(uint64_t)(v), 0, X_HERE))

/* These refuse a pointer of another type, as the real functions do. */
static inline uintptr_t x_u8(const evb_u8 *p)
{
	return (uintptr_t)p;
}

static inline uintptr_t x_u32(const evb_u32 *p)
{
	return (uintptr_t)p;
}

static inline uintptr_t x_u64(const evb_u64 *p)
{
	return (uintptr_t)p;
}

static inline uintptr_t x_ptr(const evb_ptr *p)
{
	return (uintptr_t)p;
}

#define X_DO8(kind, order, p, v)  X_DO(uint8_t, kind, order, x_u8(p), v)
#define X_DO32(kind, order, p, v) X_DO(uint32_t, kind, order, x_u32(p), v)
#define X_DO64(kind, order, p, v) X_DO(uint64_t, kind, order, x_u64(p), v)
#define X_DOP(kind, order, p, v) \
	((void *)X_DO(uintptr_t, kind, order, x_ptr(p), (uintptr_t)(v)))

/* --- 8 bit --------------------------------------------------------------- */

#define evb_u8_load(p)		   X_DO8(X_LOAD, X_SEQ_CST, p, 0)
#define evb_u8_load_relaxed(p)	   X_DO8(X_LOAD, X_RELAXED, p, 0)
#define evb_u8_store(p, v)	   ((void)X_DO8(X_STORE, X_SEQ_CST, p, v))
#define evb_u8_store_relaxed(p, v) ((void)X_DO8(X_STORE, X_RELAXED, p, v))
#define evb_u8_xchg(p, v)	   X_DO8(X_XCHG, X_SEQ_CST, p, v)

/* --- 32 bit -------------------------------------------------------------- */

#define evb_u32_load(p)		    X_DO32(X_LOAD, X_SEQ_CST, p, 0)
#define evb_u32_load_acquire(p)	    X_DO32(X_LOAD, X_ACQUIRE, p, 0)
#define evb_u32_load_relaxed(p)	    X_DO32(X_LOAD, X_RELAXED, p, 0)
#define evb_u32_store(p, v)	    ((void)X_DO32(X_STORE, X_SEQ_CST, p, v))
#define evb_u32_store_release(p, v) ((void)X_DO32(X_STORE, X_RELEASE, p, v))
#define evb_u32_store_relaxed(p, v) ((void)X_DO32(X_STORE, X_RELAXED, p, v))
#define evb_u32_xchg(p, v)	    X_DO32(X_XCHG, X_SEQ_CST, p, v)
#define evb_u32_add(p, v)	    X_DO32(X_ADD, X_SEQ_CST, p, v)
#define evb_u32_or(p, v)	    X_DO32(X_OR, X_SEQ_CST, p, v)
#define evb_u32_and(p, v)	    X_DO32(X_AND, X_SEQ_CST, p, v)
#define evb_u32_cas(p, expected, v) x_u32_cas(p, expected, v, X_HERE)

static inline bool x_u32_cas(evb_u32 *p, uint32_t *expected, uint32_t v,
			     const char *func, int line)
{
	uint32_t old = (uint32_t)x_access(X_CAS, X_SEQ_CST, sizeof(*p),
					  (uintptr_t)p, v, *expected, func,
					  line);
	bool done = old == *expected;

	*expected = old;
	return done;
}

/* --- 64 bit -------------------------------------------------------------- */

#define evb_u64_load(p)		    X_DO64(X_LOAD, X_SEQ_CST, p, 0)
#define evb_u64_load_relaxed(p)	    X_DO64(X_LOAD, X_RELAXED, p, 0)
#define evb_u64_store_relaxed(p, v) ((void)X_DO64(X_STORE, X_RELAXED, p, v))
#define evb_u64_xchg(p, v)	    X_DO64(X_XCHG, X_SEQ_CST, p, v)
#define evb_u64_or(p, v)	    X_DO64(X_OR, X_SEQ_CST, p, v)
#define evb_u64_and(p, v)	    X_DO64(X_AND, X_SEQ_CST, p, v)

/* --- pointers ------------------------------------------------------------ */

#define evb_ptr_load(p)		    X_DOP(X_LOAD, X_SEQ_CST, p, 0)
#define evb_ptr_load_acquire(p)	    X_DOP(X_LOAD, X_ACQUIRE, p, 0)
#define evb_ptr_store(p, v)	    ((void)X_DOP(X_STORE, X_SEQ_CST, p, v))
#define evb_ptr_store_release(p, v) ((void)X_DOP(X_STORE, X_RELEASE, p, v))

/* --- bits, fence --------------------------------------------------------- */

#define x_bit(nr)    ((uint32_t)1 << ((nr)&31))
#define x_has(w, nr) (((w)&x_bit(nr)) != 0)

#define evb_test_and_set_bit(map, nr) \
	x_has(evb_u32_or(&(map)[(nr) >> 5], x_bit(nr)), nr)
#define evb_test_and_clear_bit(map, nr) \
	x_has(evb_u32_and(&(map)[(nr) >> 5], ~x_bit(nr)), nr)
#define evb_test_bit(map, nr) x_has(evb_u32_load(&(map)[(nr) >> 5]), nr)

#define evb_fence() ((void)x_access(X_FENCE, X_SEQ_CST, 0, 0, 0, 0, X_HERE))

#endif /* BASE_ATOMIC_H */
