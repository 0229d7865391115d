/* SPDX-License-Identifier: MIT */
/*
 * Operations: one call of the core, or one thing a guest or a host does.  An
 * operation is a kind and a few numbers, so a sequence can be written down,
 * read back and made smaller.  What an operation does depends on nothing but
 * its numbers and on what came before it.
 */
#ifndef OPS_H
#define OPS_H

#include <stdio.h>

#include "tests/model/model.h"

/* The first fifteen are the hypercalls, by number. */
enum op_kind {
	OP_RAW = EVTCHNOP_reset_cont + 1,
	OP_COMPAT,
	OP_POLL,
	OP_POLL_32,
	OP_POLL_END,
	OP_VIRQ,
	OP_VIRQ_DOMAIN,
	OP_VIRQ_GLOBAL,
	OP_SET_HANDLER,
	OP_HWDOM,
	OP_PIRQ,
	OP_CONSUMER_ALLOC,
	OP_CONSUMER_FREE,
	OP_CONSUMER_NOTIFY,
	OP_INFO,
	OP_WIDTH,
	OP_PAUSE,
	OP_TARGET,
	OP_CREATE,
	OP_DESTROY,
	OP_REMOVE,
	OP_WATCH,
	OP_LIMIT,
	OP_REFILL,
	OP_STATIC,
	OP_BITS,
	OP_COLLECT,
	OP_POKE,
	OP_WIPE,
	OP_FILL,
	OP_EMPTY,
	OP_EXPAND,
	OP_KINDS,
};

enum op_bits {
	BITS_UNMASK,
	BITS_MASK,
	BITS_CLEAR,  /* pending */
	BITS_FORGE,  /* set pending */
	BITS_UNLINK, /* FIFO: clear LINKED and LINK */
	BITS_LINK,   /* FIFO: set LINKED */
	BITS_KINDS,
};

/* op.env: what the host answers during this operation. */
#define ENV_NO_MEMORY	1u
#define ENV_REFUSE	2u
#define ENV_YIELD	4u
#define ENV_UPCALL	8u
#define ENV_LINE_EINVAL 16u
#define ENV_LINE_EBUSY	32u
#define ENV_LINE_ENOMEM 64u

#define OP_ARGS 6

struct op {
	uint32_t kind;
	uint32_t arg[OP_ARGS]; /* their meaning: ops.c, kinds[] */
	uint32_t env;
};

/* arg[] of every kind that has them. */
enum {
	A_DOM,
	A_VCPU,
	A_1,
	A_2,
	A_3,
	A_AT
};

#define OP_SHAPES 8

/* Result of an operation that cannot be done now, e.g. on no domain. */
#define OP_SKIPPED 1000

/* What came out of an operation, [0] of the model, [1] of the core. */
struct op_result {
	int rc[2];
	uint64_t out[2];
};

struct op_kind_info {
	const char *name;
	const char *arg[OP_ARGS]; /* NULL: unused */
	void (*perform)(struct model *m, bool real, const struct op *o,
			struct op_result *r);
	const char *codes; /* results it should have, by name */
};

extern const struct op_kind_info op_kinds[OP_KINDS];

/* Perform @o on the model and, if @real, on the core. */
struct op_result op_perform(struct model *m, bool real, const struct op *o);

void op_print(FILE *f, const struct op *o);
/* False: not an operation. */
bool op_parse(const char *line, struct op *o);

/* Name of a result: "0", "EINVAL"; NULL: it has none. */
const char *op_code_name(int rc);

#endif /* OPS_H */
