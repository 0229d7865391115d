/* SPDX-License-Identifier: MIT */
/*
 * Included before every file of the core when Frama-C analyses it: what the
 * analyser does not know about the compiler, in terms it knows.
 *
 * The atomic builtins of base/atomic.h become plain accesses, so that a wrong
 * pointer is an alarm.  Nothing is lost of what other CPUs and guests do: the
 * program reaches all shared memory through pointers that may be one of several
 * objects (world.c), so a write never replaces what was there, it only adds a
 * possible value.  A load then gives any value the start allows or anybody
 * stored, in any order; and from a guest's page any value at all.
 */
#ifndef FRAMA_C_MODEL_H
#define FRAMA_C_MODEL_H

#define __atomic_load_n(p, order)	  (*(p))
#define __atomic_store_n(p, value, order) (*(p) = (value))
#define __atomic_thread_fence(order)	  ((void)0)

#define fetch_and(p, expression)                      \
	({                                            \
		__typeof__(*(p)) was = *(p);          \
		*(p) = (__typeof__(was))(expression); \
		was;                                  \
	})
#define __atomic_exchange_n(p, value, order) fetch_and(p, value)
#define __atomic_fetch_add(p, value, order)  fetch_and(p, was + (value))
#define __atomic_fetch_sub(p, value, order)  fetch_and(p, was - (value))
#define __atomic_fetch_or(p, value, order)   fetch_and(p, was | (value))
#define __atomic_fetch_and(p, value, order)  fetch_and(p, was &(value))
#define __atomic_compare_exchange_n(p, expected, value, weak, yes, no) \
	({                                                             \
		__typeof__(*(p)) was = *(p);                           \
		_Bool same = was == *(expected);                       \
		if (same)                                              \
			*(p) = (value);                                \
		else                                                   \
			*(expected) = was;                             \
		same;                                                  \
	})

#define _Alignof __alignof__

#include <stddef.h>
#include <stdint.h>

/* Known to the analyser by name. */
/*@
  requires min <= max;
  assigns \result \from min, max;
  ensures min <= \result <= max;
*/
unsigned int Frama_C_unsigned_int_interval(unsigned int min, unsigned int max);
/*@
  requires \valid(p + (0 .. size - 1));
  assigns p[0 .. size - 1] \from \nothing;
  ensures \initialized(p + (0 .. size - 1));
*/
void Frama_C_make_unknown(char *p, size_t size);

#include <base/atomic.h>
#include <base/bits.h>

/*
 * evc_channel.u gets a place for each member.  The analyser keeps no relation
 * between a state and what is in the union, so that the member read is the one
 * that was written has to be seen by other means (README.md).
 */
#include <abi/event_channel.h>
#include <abi/xen.h>
#include <base/lock.h>
#define union struct
#define _Static_assert(test, text) extern int the_compiler_checks_it
#include <evc/storage.h>
#undef _Static_assert
#undef union

/*
 * The clamp is for a CPU that guesses; in the program itself it stands behind a
 * check and changes nothing.  So it is taken away, and what it promises to be
 * given is demanded: a check that is missing raises an alarm here.
 */
static inline uint32_t model_clamp(uint32_t index, uint32_t size)
{
	/*@ assert index_is_checked: index < size; */
	return index;
}
#define evb_clamp_index(index, size) model_clamp(index, size)

/* Any bit up to the highest one set. */
static inline unsigned int model_lowest_bit(uint64_t w)
{
	unsigned int highest = 0;

	/*@ assert not_zero: w != 0; */
	/*@ loop unroll 64; */
	while (highest < 63 && w >> (highest + 1))
		highest++;
	return Frama_C_unsigned_int_interval(0, highest);
}
#define evb_lowest_bit(w) model_lowest_bit(w)

#endif /* FRAMA_C_MODEL_H */
