/* SPDX-License-Identifier: MIT */
/*
 * Looking at a world: do host and core agree, what did the core write, has
 * anything changed.  This and check.c are built without sanitizers: they read
 * much, after every call, and also pages nobody else may touch now.
 */
#include "check.h"
#include "world.h"

/* --- host and core --------------------------------------------------------- */

static void check_agrees(const struct world_domain *w)
{
	uint32_t i, mapped = w->evc.fifo->nr_pages;

	for (i = 0; i < w->evc.nr_vcpus; i++)
		mapped += evb_ptr_load(&w->fifo_vcpu[i].control) != NULL;
	FUZZ_CHECK(w->mapped == mapped);
	for (i = 0; i < WORLD_PIRQS; i++)
		FUZZ_CHECK(w->pirq_bound[i] ==
			   (evb_u32_load(&w->pirq_port[i]) != 0));
}

void world_check(void)
{
	uint32_t i;

	check_machine(&world.machine);
	for (i = 0; i < WORLD_DOMAINS; i++) {
		check_domain(&world.d[i].evc);
		check_agrees(&world.d[i]);
	}
}

/* --- what a guest can see ------------------------------------------------ */

static uint64_t mix(uint64_t h, uint64_t with)
{
	h = (h ^ with) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

static uint64_t digest_channel(uint64_t h, const struct evc_channel *ch)
{
	h = mix(h, ch->state);
	h = mix(h, ch->consumer);
	h = mix(h, evb_u8_load(&ch->priority));
	h = mix(h, (uintptr_t)evb_ptr_load(&ch->vcpu));
	switch (ch->state) {
	case EVC_ST_UNBOUND:
		return mix(h, ch->u.remote_domid);
	case EVC_ST_INTERDOMAIN:
		return mix(h, (uintptr_t)ch->u.peer);
	case EVC_ST_PIRQ:
		return mix(h, ch->u.pirq);
	case EVC_ST_VIRQ:
		return mix(h, ch->u.virq);
	case EVC_ST_FREE:
	case EVC_ST_RESERVED:
	case EVC_ST_IPI:
		break;
	}
	return h;
}

static uint64_t digest_page(uint64_t h, const struct world_page *p)
{
	const uint64_t *at = (const void *)p->mem;
	uint32_t i;

	for (i = 0; i < 4096 / 8; i++)
		h = mix(h, at[i]);
	return h;
}

/* Free channels are left out: a table that grew looks as it did before. */
uint64_t world_digest(void)
{
	uint64_t h = 1;
	uint32_t i, k;

	for (i = 0; i < WORLD_DOMAINS; i++) {
		const struct world_domain *w = &world.d[i];
		uint32_t nr_valid = evb_u32_load(&w->evc.ports.nr_valid);

		for (k = 0; k < nr_valid; k++) {
			const struct evc_channel *ch =
				&w->bucket[k / EVC_BUCKET_PORTS]
					  [k % EVC_BUCKET_PORTS];

			if (ch->state != EVC_ST_FREE)
				h = mix(digest_channel(h, ch), k);
		}
		for (k = 0; k < WORLD_PAGES; k++) {
			if (k >= WORLD_INFO || w->page[k].mapped)
				h = digest_page(h, &w->page[k]);
		}
		h = mix(h, w->mapped);
	}
	return h;
}

/* --- what the core wrote -------------------------------------------------- */

static void check_page(const struct world_page *p, uint8_t byte)
{
	const uint64_t *at = (const void *)p->mem;
	uint64_t pattern = byte * 0x0101010101010101ull;
	uint32_t i;

	for (i = 0; i < 4096 / 8; i++)
		FUZZ_CHECK(p->may[i] || at[i] == pattern);
}

void world_check_pages(void)
{
	uint32_t i, k;

	for (i = 0; i < WORLD_DOMAINS; i++) {
		for (k = 0; k < WORLD_PAGES; k++)
			check_page(&world.d[i].page[k],
				   k < WORLD_INFO ? 0 : WORLD_PATTERN);
	}
}
