/* SPDX-License-Identifier: MIT */
/*
 * Random sequences.  An operation is drawn with a look at the model, so that
 * most of them hit something: ports that are open, pages that are mapped, and
 * the borders of everything.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include "tests/model/ops.h"

struct random {
	uint64_t state;
};

/* Operations that make the domains every sequence begins with. */
#define RANDOM_PROLOGUE (MODEL_DOMAINS + 2)

struct random random_start(uint64_t seed);

/* Operation number @i of a sequence. */
struct op random_op(struct random *r, const struct model *m, uint32_t i);

#endif /* RANDOM_H */
