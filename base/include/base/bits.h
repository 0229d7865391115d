/* SPDX-License-Identifier: MIT */
/* Bit operations on private words.  No C library, no libgcc. */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include <stdint.h>

/* Index of the lowest set bit.  @w must not be 0. */
static inline unsigned int evb_lowest_bit(uint64_t w)
{
	return (unsigned int)__builtin_ctzll(w);
}

/* @w without its lowest set bit. */
static inline uint64_t evb_without_lowest_bit(uint64_t w)
{
	return w & (w - 1);
}

/*
 * @index when it is below @size, else 0, computed without a branch.  Used
 * behind a bounds check on a number a guest supplied: on a mispredicted check
 * the CPU then still cannot load beyond the array.  @size is not 0.
 */
static inline uint32_t evb_clamp_index(uint32_t index, uint32_t size)
{
	/* Hide from the optimiser that the check was made already. */
	__asm__("" : "+r"(index));
	return index & (0 - (uint32_t)(index < size));
}

#endif /* BASE_BITS_H */
