/* SPDX-License-Identifier: MIT */
/*
 * What a guest does to its own memory, well behaved or not.  Each is done to
 * one copy of the memory (the model's or the core's); @d says where things
 * are, which a guest knows, and is not changed.
 */
#ifndef GUEST_H
#define GUEST_H

#include "tests/model/ops.h"

void guest_bits(uint8_t *memory, const struct model_domain *d, uint32_t port,
		uint32_t what);
/* Collect events as a guest should; @most: per queue, 0: all. */
void guest_collect(uint8_t *memory, const struct model_domain *d, uint32_t vcpu,
		   uint32_t most);
void guest_wipe(uint8_t *memory, uint32_t page, uint32_t value);

#endif /* GUEST_H */
