/* SPDX-License-Identifier: MIT */
/*
 * A sequence of operations, on a fresh model and a fresh core, compared after
 * every one.
 */
#ifndef REPLAY_H
#define REPLAY_H

#include "tests/model/ops.h"

struct sequence {
	bool xen_4_17;
	uint32_t nr;
	struct op *op;
};

enum verdict {
	SAME,
	DIFFERENT,
	CRASHED, /* or did not end */
};

/*
 * In a process of its own, so that a crash is a verdict, too.
 * @at: the operation that was the last, or NULL.
 * @f: where to say what differs, or NULL.
 */
enum verdict replay(const struct sequence *s, uint32_t *at, FILE *f);

/* Make a sequence that is not SAME as small as it gets; says so on @f. */
void shrink(struct sequence *s, FILE *f);

#endif /* REPLAY_H */
