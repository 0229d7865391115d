/* SPDX-License-Identifier: MIT */
/* Programs with known outcomes; see litmus.c. */
#ifndef INTERLEAVE_LITMUS_H
#define INTERLEAVE_LITMUS_H

#include <base/atomic.h>

#include "tests/interleave/explore.h"

struct litmus {
	evb_u32 x __attribute__((aligned(8))), y __attribute__((aligned(8)));
	uint32_t plain;
	uint32_t r[4];
};

extern struct litmus litmus;

/* Ends with a row without a name. */
extern const struct x_model litmus_models[];

/* litmus_lock.c: the real base/lock.h, on litmus.x. */
void litmus_lock(void);
void litmus_unlock(void);

/* Did any schedule since setup end in the outcome that is asked about? */
bool litmus_reached(void);

#endif /* INTERLEAVE_LITMUS_H */
