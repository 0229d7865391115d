/* SPDX-License-Identifier: MIT */
/*
 * The real core on a host of its own: memory lent, hooks that write down what
 * they were asked and answer what world.host says.  Everything a model knows
 * about a host is the same here; only the core is real.
 */
#ifndef WORLD_H
#define WORLD_H

#include <evc/evc.h>

#include "tests/model/model.h"

struct world_domain {
	struct evc_domain d;
	struct evc_vcpu *vcpu;
	struct evc_channel **bucket;
	uint32_t nr_buckets;
	uint64_t *map;
	evb_u32 *pirq_port;
	struct evc_fifo *fifo;
	struct evc_fifo_vcpu *fifo_vcpu;
	struct evc_limit *limit;
	uint32_t *limit_next;
	uint8_t *memory; /* MODEL_MEMORY bytes, page 0 is shared_info */
};

struct world {
	struct evc_machine machine;
	struct world_domain *domain[MODEL_DOMAINS];
	struct model_host host;
	struct model_events events;
};

extern struct world world;

/* Distinct callbacks for ends the hypervisor owns. */
#define WORLD_CALLBACKS 9
extern const evc_consumer_fn world_callback[WORLD_CALLBACKS];

void world_start(bool xen_4_17);
void world_end(void);
int world_create(uint32_t id, const struct model_shape *shape,
		 uint32_t generation);
void world_remove(uint32_t id);

#endif /* WORLD_H */
