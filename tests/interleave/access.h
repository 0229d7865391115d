/* SPDX-License-Identifier: MIT */
/* What code under exploration asks of the explorer: one atomic access. */
#ifndef INTERLEAVE_ACCESS_H
#define INTERLEAVE_ACCESS_H

#include <stdint.h>

enum x_kind {
	X_LOAD,
	X_STORE,
	X_XCHG,
	X_ADD,
	X_OR,
	X_AND,
	X_CAS,
	X_LOCK,	 /* waits until the word is 0, makes it 1 */
	X_AWAIT, /* waits until the word is not what the last load gave */
	X_FENCE,
	X_PUT,	 /* a store that went into the store buffer ... */
	X_FLUSH, /* ... and comes out of it */
	X_NR_KINDS,
};

enum x_order {
	X_RELAXED,
	X_ACQUIRE,
	X_RELEASE,
	X_SEQ_CST,
};

/* Returns the value found before the access. */
uint64_t x_access(enum x_kind kind, enum x_order order, unsigned int size,
		  uintptr_t addr, uint64_t value, uint64_t expected,
		  const char *func, int line);

/* A turn of a spin loop: wait until the word that was read last changes. */
void x_relax(void);

#endif /* INTERLEAVE_ACCESS_H */
