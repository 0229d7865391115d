/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls with any arguments, by any vCPU, in any order, and between them
 * what a hypervisor does by itself.  After each of them the core's invariants
 * hold (check.c); a call that failed has changed nothing a guest can see; at
 * the end the core has written to no memory that it was not given.
 *
 * The guests write nothing themselves here: fuzz_shared.c is about that.
 */
#include "ops.h"

#define MAX_OPS 96

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tape t = {data, size};
	uint64_t before, after;
	unsigned int i;

	world_start(tape_u8(&t));
	after = world_digest();
	for (i = 0; i < MAX_OPS && t.left; i++) {
		struct op_done done = ops_next(&t);

		before = after;
		after = world_digest();
		world_check();
		if (done.is_clean_failure)
			FUZZ_CHECK(before == after);
	}
	world_check_pages();
	world_end();
	return 0;
}
