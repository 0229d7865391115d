/* SPDX-License-Identifier: MIT */
/*
 * Included before everything else when the core or the guest library is built
 * for a target that plays "another CPU": every atomic operation is counted
 * and, before it is done, the target may change shared memory.  A macro's own
 * name inside it is not expanded again, so the real functions are called.
 */
#ifndef FUZZ_STEP_H
#define FUZZ_STEP_H

#include <base/atomic.h>

void fuzz_step(void);

#define evb_u8_load(p)		   (fuzz_step(), evb_u8_load(p))
#define evb_u8_store(p, v)	   (fuzz_step(), evb_u8_store(p, v))
#define evb_u8_load_relaxed(p)	   (fuzz_step(), evb_u8_load_relaxed(p))
#define evb_u8_store_relaxed(p, v) (fuzz_step(), evb_u8_store_relaxed(p, v))
#define evb_u8_xchg(p, v)	   (fuzz_step(), evb_u8_xchg(p, v))

#define evb_u32_load(p)		    (fuzz_step(), evb_u32_load(p))
#define evb_u32_load_acquire(p)	    (fuzz_step(), evb_u32_load_acquire(p))
#define evb_u32_load_relaxed(p)	    (fuzz_step(), evb_u32_load_relaxed(p))
#define evb_u32_store(p, v)	    (fuzz_step(), evb_u32_store(p, v))
#define evb_u32_store_release(p, v) (fuzz_step(), evb_u32_store_release(p, v))
#define evb_u32_store_relaxed(p, v) (fuzz_step(), evb_u32_store_relaxed(p, v))
#define evb_u32_xchg(p, v)	    (fuzz_step(), evb_u32_xchg(p, v))
#define evb_u32_add(p, v)	    (fuzz_step(), evb_u32_add(p, v))
#define evb_u32_or(p, v)	    (fuzz_step(), evb_u32_or(p, v))
#define evb_u32_and(p, v)	    (fuzz_step(), evb_u32_and(p, v))
#define evb_u32_cas(p, e, v)	    (fuzz_step(), evb_u32_cas(p, e, v))

#define evb_ptr_load(p)		    (fuzz_step(), evb_ptr_load(p))
#define evb_ptr_store(p, v)	    (fuzz_step(), evb_ptr_store(p, v))
#define evb_ptr_load_acquire(p)	    (fuzz_step(), evb_ptr_load_acquire(p))
#define evb_ptr_store_release(p, v) (fuzz_step(), evb_ptr_store_release(p, v))

#define evb_test_and_set_bit(m, n)   (fuzz_step(), evb_test_and_set_bit(m, n))
#define evb_test_and_clear_bit(m, n) (fuzz_step(), evb_test_and_clear_bit(m, n))
#define evb_test_bit(m, n)	     (fuzz_step(), evb_test_bit(m, n))

#endif /* FUZZ_STEP_H */
