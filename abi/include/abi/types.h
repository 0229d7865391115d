/* SPDX-License-Identifier: MIT */
/*
 * Integer types with a fixed alignment.
 *
 * i386 aligns a 64-bit integer to 4 bytes, everything else we meet aligns it
 * to 8.  A structure that must look the same in every build says which of the
 * two it means, so the layouts below do not depend on who compiles them: a
 * 64-bit hypervisor reads a 32-bit guest's structures and the reverse.
 */
#ifndef ABI_TYPES_H
#define ABI_TYPES_H

#include <stdint.h>

/* 8-byte aligned even on i386: a 64-bit field of the common or 64-bit ABI. */
typedef uint64_t abi_u64 __attribute__((aligned(8)));

/* 4-byte aligned even on x86-64: a 64-bit field of the i386 ABI. */
typedef uint64_t abi_u64_a4 __attribute__((aligned(4)));

#endif /* ABI_TYPES_H */
