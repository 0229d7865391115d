/* SPDX-License-Identifier: MIT */
/* From bytes to one call of the core: ops.c. */
#ifndef FUZZ_OPS_H
#define FUZZ_OPS_H

#include "world.h"

enum op_kind {
	OP_SHORT,  /* O(1), or O(vcpus) */
	OP_SCAN,   /* looks for a free port, which may skip busy ones */
	OP_LINEAR, /* O(ports) */
};

struct op_done {
	enum op_kind kind;
	uint32_t repeated; /* so many calls of that kind */
	/* An error that must have changed nothing a guest can see. */
	bool is_clean_failure;
	struct world_domain *w; /* who made it */
};

/* Make the next call that the tape says. */
struct op_done ops_next(struct tape *t);

#endif /* FUZZ_OPS_H */
