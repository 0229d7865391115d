/* SPDX-License-Identifier: MIT */
/*
 * Counts locked operations.  Included in front of every file of the core that
 * tests/locked is linked with (-include): each read-modify-write, and each
 * sequentially consistent store, which is one on x86, adds to a counter.
 */
#ifndef COUNT_LOCKED_H
#define COUNT_LOCKED_H

#include <base/atomic.h>

extern unsigned int nr_locked;

/* A macro's own name inside it is the function again. */
#define evb_u8_store(p, v)	     (nr_locked++, evb_u8_store(p, v))
#define evb_u8_xchg(p, v)	     (nr_locked++, evb_u8_xchg(p, v))
#define evb_u32_store(p, v)	     (nr_locked++, evb_u32_store(p, v))
#define evb_u32_xchg(p, v)	     (nr_locked++, evb_u32_xchg(p, v))
#define evb_u32_add(p, v)	     (nr_locked++, evb_u32_add(p, v))
#define evb_u32_or(p, v)	     (nr_locked++, evb_u32_or(p, v))
#define evb_u32_and(p, v)	     (nr_locked++, evb_u32_and(p, v))
#define evb_u32_cas(p, e, v)	     (nr_locked++, evb_u32_cas(p, e, v))
#define evb_ptr_store(p, v)	     (nr_locked++, evb_ptr_store(p, v))
#define evb_test_and_set_bit(m, n)   (nr_locked++, evb_test_and_set_bit(m, n))
#define evb_test_and_clear_bit(m, n) (nr_locked++, evb_test_and_clear_bit(m, n))
#define evb_fence()		     (nr_locked++, evb_fence())

#endif /* COUNT_LOCKED_H */
