/* SPDX-License-Identifier: MIT */
/*
 * Domains and their memory for fuzz targets of the core; world_hooks.c has the
 * hooks, world_look.c what is compared.  One machine in static memory: an input starts from the same bytes
 * as any other.
 */
#include "world.h"

#include <stdalign.h>

#include "asan.h"
#include "check.h"

struct world world;

/* Each page with one before and one after it that nobody may touch. */
static alignas(4096) uint8_t arena[WORLD_DOMAINS][2 * WORLD_PAGES + 1][4096];
static struct evc_channel buckets[WORLD_DOMAINS][WORLD_BUCKETS]
				 [EVC_BUCKET_PORTS];

static unsigned int index_of(const struct world_domain *w)
{
	return (unsigned int)(w - world.d);
}

/* --- pages --------------------------------------------------------------- */

void world_allow(struct world_page *p, uint32_t offset, uint32_t len)
{
	memset(p->may + offset / 8, 1, (len + offset % 8 + 7) / 8);
}

NO_ASAN void world_poke(struct world_page *p, uint32_t offset, uint32_t value)
{
	*(volatile uint32_t *)(void *)(p->mem + (offset & 0xffc)) = value;
	p->may[(offset & 0xffc) / 8] = 1;
}

NO_ASAN uint32_t world_peek(const struct world_page *p, uint32_t offset)
{
	return *(volatile uint32_t *)(void *)(p->mem + (offset & 0xffc));
}

/* What of shared_info a 2-level core writes. */
static void allow_shared(struct world_page *p, enum evc_width width)
{
	uint32_t pending = offsetof(struct shared_info, evtchn_pending), i;
	uint32_t size = 512;

	if (width == EVC_WIDTH_32) {
		pending = offsetof(struct shared_info_32, evtchn_pending);
		size = 128;
	}
	world_allow(p, pending, 2 * size); /* the mask follows */
	for (i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
		world_allow(p, i * 64, width == EVC_WIDTH_32 ? 8 : 16);
}

static void start_pages(struct world_domain *w, enum evc_width width)
{
	uint8_t(*a)[4096] = arena[index_of(w)];
	uint32_t i;

	ASAN_UNPOISON_MEMORY_REGION(a, sizeof(arena[0]));
	for (i = 0; i < WORLD_PAGES; i++) {
		w->page[i] = (struct world_page){.mem = a[2 * i + 1]};
		memset(w->page[i].mem, i < WORLD_INFO ? 0 : WORLD_PATTERN,
		       4096);
	}
	w->page[WORLD_ARGS] = (struct world_page){.mem = w->ram};
	allow_shared(&w->page[WORLD_SHARED], width);
	for (i = 0; i < 4096; i++) {
		if (w->page[WORLD_SHARED].may[i / 8])
			w->page[WORLD_SHARED].mem[i] = 0;
	}
	ASAN_POISON_MEMORY_REGION(a, sizeof(arena[0]));
	ASAN_UNPOISON_MEMORY_REGION(w->page[WORLD_SHARED].mem, 4096);
	ASAN_UNPOISON_MEMORY_REGION(w->page[WORLD_INFO].mem, 4096);
}

/* --- domains ------------------------------------------------------------- */

static void start_domain(struct world_domain *w, bool check_send)
{
	static const uint32_t nr_vcpus[WORLD_DOMAINS] = {2, 3, WORLD_VCPUS};
	static const uint32_t nr_buckets[WORLD_DOMAINS] = {4, WORLD_BUCKETS, 4};
	unsigned int i = index_of(w);
	struct evc_domain_config c = {
		.machine = &world.machine,
		.domid = (domid_t)i,
		.width = i == 2 ? EVC_WIDTH_32 : EVC_WIDTH_64,
		.vcpu = w->vcpu,
		.nr_vcpus = nr_vcpus[i],
		.bucket = w->bucket,
		.nr_buckets = nr_buckets[i],
		.map = w->map,
		.pirq_port = w->pirq_port,
		.nr_pirqs = WORLD_PIRQS,
		.max_port = EVC_NO_LIMIT,
		.privileged = i == 0,
		.check_send = check_send,
		.fifo = &w->fifo,
		.fifo_vcpu = w->fifo_vcpu,
		.limit = &w->limit,
		.limit_next = w->limit_next,
		.host = w,
	};

	memset(w, 0, sizeof(*w));
	memset(buckets[i], 0, sizeof(buckets[i][0]));
	w->bucket[0] = buckets[i][0]; /* lent in advance; the rest when asked */
	start_pages(w, c.width);
	c.shared_info = w->page[WORLD_SHARED].mem;
	FUZZ_CHECK(evc_domain_init(&w->evc, &c) == 0);
}

void world_start(uint8_t flags)
{
	uint32_t i;

	memset(&world.say, 0, sizeof(world.say));
	world.nr_kicks = world.nr_consumed = 0;
	evc_machine_init(&world.machine, flags & 1, &world);
	for (i = 0; i < WORLD_DOMAINS; i++)
		start_domain(&world.d[i], flags & 2);
	if (flags & 4)
		evc_machine_set_hwdom(&world.machine, &world.d[1].evc);
}

/* Whoever may act for a domain must not once its memory is somebody else's. */
static void forget_target(const struct world_domain *w)
{
	uint32_t i;

	for (i = 0; i < WORLD_DOMAINS; i++) {
		if (evb_ptr_load(&world.d[i].evc.target) == &w->evc)
			evc_domain_set_target(&world.d[i].evc, NULL);
	}
}

static int destroy(struct world_domain *w)
{
	int rc;

	forget_target(w);
	rc = evc_domain_destroy(&w->evc);
	if (rc)
		return rc;
	check_destroyed(&w->evc);
	FUZZ_CHECK(!w->mapped);
	return 0;
}

int world_destroy(struct world_domain *w)
{
	int rc = destroy(w);

	if (!rc)
		start_domain(w, w->evc.check_send);
	return rc;
}

void world_end(void)
{
	uint32_t i;

	world.say.yield = false;
	for (i = 0; i < WORLD_DOMAINS; i++)
		FUZZ_CHECK(destroy(&world.d[i]) == 0);
}

struct evc_channel *evc_host_bucket(struct evc_domain *d, uint32_t index)
{
	struct evc_channel *ch;

	FUZZ_CHECK(evb_u32_load(&d->lock.held));
	FUZZ_CHECK(index < WORLD_BUCKETS);
	if (world.say.no_memory)
		return NULL;
	ch = buckets[d->domid][index];
	memset(ch, 0, sizeof(buckets[0][0]));
	return ch;
}
