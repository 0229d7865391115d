/* SPDX-License-Identifier: MIT */
/*
 * Included before everything else when the code under test is compiled for the
 * programs with threads (rules.mk): every atomic operation, and with them every
 * lock, may first let another thread run.  Windows of some nanoseconds, in
 * which the old bugs were, are then met within a few thousand rounds, also on a
 * machine with one CPU.
 */
#ifndef REGRESS_SHAKE_H
#define REGRESS_SHAKE_H

#include <base/atomic.h>

void regress_shake(void);

#define evb_u8_load(p)		(regress_shake(), evb_u8_load(p))
#define evb_u8_store(p, v)	(regress_shake(), evb_u8_store(p, v))
#define evb_u8_xchg(p, v)	(regress_shake(), evb_u8_xchg(p, v))
#define evb_u32_load(p)		(regress_shake(), evb_u32_load(p))
#define evb_u32_load_acquire(p) (regress_shake(), evb_u32_load_acquire(p))
#define evb_u32_load_relaxed(p) (regress_shake(), evb_u32_load_relaxed(p))
#define evb_u32_store(p, v)	(regress_shake(), evb_u32_store(p, v))
#define evb_u32_store_release(p, v) \
	(evb_u32_store_release(p, v), regress_shake())
#define evb_u32_xchg(p, v)	(regress_shake(), evb_u32_xchg(p, v))
#define evb_u32_add(p, v)	(regress_shake(), evb_u32_add(p, v))
#define evb_u32_or(p, v)	(regress_shake(), evb_u32_or(p, v))
#define evb_u32_and(p, v)	(regress_shake(), evb_u32_and(p, v))
#define evb_u32_cas(p, e, v)	(regress_shake(), evb_u32_cas(p, e, v))
#define evb_ptr_load(p)		(regress_shake(), evb_ptr_load(p))
#define evb_ptr_load_acquire(p) (regress_shake(), evb_ptr_load_acquire(p))
#define evb_ptr_store(p, v)	(evb_ptr_store(p, v), regress_shake())
#define evb_ptr_store_release(p, v) \
	(evb_ptr_store_release(p, v), regress_shake())
#define evb_test_and_set_bit(m, n) (regress_shake(), evb_test_and_set_bit(m, n))
#define evb_test_and_clear_bit(m, n) \
	(regress_shake(), evb_test_and_clear_bit(m, n))
#define evb_test_bit(m, n) (regress_shake(), evb_test_bit(m, n))

#endif /* REGRESS_SHAKE_H */
