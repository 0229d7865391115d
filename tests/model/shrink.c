/* SPDX-License-Identifier: MIT */
/*
 * Making a sequence that fails small: leave out half of it, quarters, and so
 * on down to single operations; then make the numbers simple.  Every attempt
 * starts from nothing, so what remains fails by itself.
 */
#include <string.h>

#include "tests/model/replay.h"

/* Enough for thousands of operations; a bound, not a plan. */
#define MOST_REPLAYS 4000

static bool still_fails(const struct sequence *s, uint32_t *replays)
{
	return ++*replays < MOST_REPLAYS && replay(s, NULL, NULL) != SAME;
}

/* Try without @count operations from @from on. */
static bool leave_out(struct sequence *s, uint32_t from, uint32_t count,
		      struct op *space, uint32_t *replays)
{
	struct sequence without = {s->xen_4_17, s->nr - count, space};

	memcpy(space, s->op, from * sizeof(*space));
	memcpy(space + from, s->op + from + count,
	       (s->nr - from - count) * sizeof(*space));
	if (!still_fails(&without, replays))
		return false;
	memcpy(s->op, space, without.nr * sizeof(*space));
	s->nr = without.nr;
	return true;
}

static void leave_out_all(struct sequence *s, struct op *space,
			  uint32_t *replays)
{
	uint32_t count = s->nr / 2, from, before;

	while (count) {
		before = s->nr;
		for (from = 0; from + count <= s->nr;) {
			if (!leave_out(s, from, count, space, replays))
				from += count;
		}
		/* Single ones again, as long as that helps. */
		if (count > 1 || before == s->nr)
			count /= 2;
	}
}

/* Replace a number by simpler ones, the simplest first. */
static void simplify(struct sequence *s, uint32_t *number, uint32_t usual,
		     uint32_t *replays)
{
	const uint32_t old = *number;
	const uint32_t simpler[] = {usual, 0, 1, old / 2, old - 1};
	uint32_t i;

	for (i = 0; i < sizeof(simpler) / sizeof(simpler[0]); i++) {
		if (simpler[i] == old)
			break;
		*number = simpler[i];
		if (still_fails(s, replays))
			return;
	}
	*number = old;
}

static void simplify_all(struct sequence *s, uint32_t *replays)
{
	uint32_t i, a;

	for (i = 0; i < s->nr; i++) {
		simplify(s, &s->op[i].env, 0, replays);
		for (a = 0; a < OP_ARGS; a++) {
			if (op_kinds[s->op[i].kind].arg[a])
				simplify(s, &s->op[i].arg[a],
					 a == A_AT ? MODEL_BASE + 4096 : 0,
					 replays);
		}
	}
}

void shrink(struct sequence *s, FILE *f)
{
	static struct op space[1 << 20];
	uint32_t replays = 0, before = s->nr;

	if (s->nr > sizeof(space) / sizeof(space[0]))
		return;
	leave_out_all(s, space, &replays);
	simplify_all(s, &replays);
	leave_out_all(s, space, &replays);
	fprintf(f, "made %u operations of %u, in %u replays\n", s->nr, before,
		replays);
}
