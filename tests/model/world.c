/* SPDX-License-Identifier: MIT */
/* See world.h.  A domain that was destroyed is freed at once: no reader runs. */
#include "tests/model/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world world;

static void note(enum model_what what, const struct evc_domain *d, uint32_t a,
		 uint32_t b)
{
	struct model_events *e = &world.events;

	if (e->nr < MODEL_EVENTS)
		e->event[e->nr++] = (struct model_event){what, d->domid, a, b};
}

static void *lend(size_t nr, size_t size)
{
	void *p = aligned_alloc(64, (nr * size + 63) / 64 * 64 + 64);

	if (!p)
		abort();
	return memset(p, 0, nr * size);
}

/* --- domains ---------------------------------------------------------------- */

void world_start(bool xen_4_17)
{
	world_end();
	memset(&world, 0, sizeof(world));
	evc_machine_init(&world.machine, xen_4_17, NULL);
}

static struct world_domain *lend_all(const struct model_shape *s)
{
	struct world_domain *w = lend(1, sizeof(*w));
	uint32_t i;

	w->nr_buckets = s->nr_buckets;
	w->vcpu = lend(s->nr_vcpus, sizeof(*w->vcpu));
	w->bucket = lend(s->nr_buckets, sizeof(*w->bucket));
	w->map = lend(EVC_MAP_WORDS(s->nr_buckets), 8);
	w->pirq_port = lend(s->nr_pirqs, sizeof(*w->pirq_port));
	w->memory = aligned_alloc(4096, MODEL_MEMORY);
	if (!w->memory)
		abort();
	memset(w->memory, 0, MODEL_MEMORY);
	for (i = 0; i < s->nr_lent; i++)
		w->bucket[i] =
			lend(EVC_BUCKET_PORTS, sizeof(struct evc_channel));
	if (s->has_fifo) {
		w->fifo = lend(1, sizeof(*w->fifo));
		w->fifo_vcpu = lend(s->nr_vcpus, sizeof(*w->fifo_vcpu));
	}
	if (s->has_limit) {
		w->limit = lend(1, sizeof(*w->limit));
		w->limit_next = lend(s->nr_buckets * EVC_BUCKET_PORTS, 4);
	}
	return w;
}

static void take_back(struct world_domain *w)
{
	uint32_t i;

	for (i = 0; i < w->nr_buckets; i++)
		free(w->bucket[i]);
	free(w->bucket);
	free(w->vcpu);
	free(w->map);
	free(w->pirq_port);
	free(w->fifo);
	free(w->fifo_vcpu);
	free(w->limit);
	free(w->limit_next);
	free(w->memory);
	free(w);
}

int world_create(uint32_t id, const struct model_shape *s, uint32_t generation)
{
	struct world_domain *w = lend_all(s);
	const struct evc_domain_config c = {
		.machine = &world.machine,
		.domid = (domid_t)id,
		.width = s->is_64 ? EVC_WIDTH_64 : EVC_WIDTH_32,
		.shared_info = w->memory,
		.vcpu = w->vcpu,
		.nr_vcpus = s->nr_vcpus,
		.bucket = w->bucket,
		.nr_buckets = s->nr_buckets,
		.map = w->map,
		.pirq_port = w->pirq_port,
		.nr_pirqs = s->nr_pirqs,
		.max_port = s->max_port,
		.privileged = s->privileged,
		.check_send = s->check_send,
		.generation = generation,
		.limit = w->limit,
		.limit_next = w->limit_next,
		.fifo = w->fifo,
		.fifo_vcpu = w->fifo_vcpu,
	};
	int rc = evc_domain_init(&w->d, &c);

	if (rc)
		take_back(w);
	else
		world.domain[id] = w;
	return rc;
}

void world_remove(uint32_t id)
{
	struct world_domain *w = world.domain[id];
	uint32_t i;

	world.domain[id] = NULL;
	for (i = 0; i < MODEL_DOMAINS; i++) {
		if (world.domain[i] &&
		    evb_ptr_load(&world.domain[i]->d.target) == &w->d)
			evc_domain_set_target(&world.domain[i]->d, NULL);
	}
	take_back(w);
}

void world_end(void)
{
	uint32_t i;

	for (i = 0; i < MODEL_DOMAINS; i++) {
		if (world.domain[i])
			take_back(world.domain[i]);
		world.domain[i] = NULL;
	}
}

/* --- callbacks -------------------------------------------------------------- */

static void called(uint32_t fn, struct evc_vcpu *v, evtchn_port_t port)
{
	note(MODEL_CALL, v->domain, fn << 16 | v->id, port);
	if (fn == 0)
		evc_consumer_notify(v->domain, port);
}

#define CALLBACK(n)                                                      \
	static void callback_##n(struct evc_vcpu *v, evtchn_port_t port) \
	{                                                                \
		called(n, v, port);                                      \
	}

CALLBACK(0)
CALLBACK(1)
CALLBACK(2)
CALLBACK(3)
CALLBACK(4)
CALLBACK(5)
CALLBACK(6)
CALLBACK(7)
CALLBACK(8)

const evc_consumer_fn world_callback[WORLD_CALLBACKS] = {
	callback_0, callback_1, callback_2, callback_3, callback_4,
	callback_5, callback_6, callback_7, callback_8,
};

/* --- hooks ------------------------------------------------------------------- */

static uint8_t *guest_memory(struct evc_domain *d, uint64_t addr, size_t len)
{
	uint64_t offset = addr - MODEL_BASE;

	if (offset >= MODEL_MEMORY || len > MODEL_MEMORY - offset)
		return NULL;
	return (uint8_t *)d->shared_info + offset;
}

int evc_host_copy_in(struct evc_vcpu *v, void *dst, uint64_t addr, size_t len)
{
	const uint8_t *from = guest_memory(v->domain, addr, len);

	if (!from)
		return -XEN_EFAULT;
	memcpy(dst, from, len);
	return 0;
}

int evc_host_copy_out(struct evc_vcpu *v, uint64_t addr, const void *src,
		      size_t len)
{
	uint8_t *to = guest_memory(v->domain, addr, len);
	uint64_t page = (addr - MODEL_BASE) / 4096;
	uint64_t last = (addr - MODEL_BASE + len - 1) / 4096;

	if (!to || page == MODEL_PAGE_READONLY || last == MODEL_PAGE_READONLY)
		return -XEN_EFAULT;
	memcpy(to, src, len);
	return 0;
}

struct evc_domain *evc_host_find_domain(struct evc_machine *m, domid_t domid)
{
	(void)m;
	if (domid >= MODEL_DOMAINS || !world.domain[domid])
		return NULL;
	return &world.domain[domid]->d;
}

int evc_host_permit(const struct evc_domain *caller,
		    const struct evc_domain *target, enum evc_permission what)
{
	if (world.host.refuse)
		return -XEN_EPERM;
	return evc_default_policy(caller, target, what);
}

void evc_host_kick(struct evc_vcpu *v)
{
	note(MODEL_KICK, v->domain, v->id, 0);
}

void evc_host_wake(struct evc_vcpu *v)
{
	note(MODEL_WAKE, v->domain, v->id, 0);
}

bool evc_host_upcall_enabled(struct evc_vcpu *v)
{
	(void)v;
	return world.host.upcall;
}

struct evc_channel *evc_host_bucket(struct evc_domain *d, uint32_t index)
{
	(void)d;
	(void)index;
	if (world.host.no_memory)
		return NULL;
	return lend(EVC_BUCKET_PORTS, sizeof(struct evc_channel));
}

bool evc_host_should_yield(void)
{
	return world.host.yield;
}

void evc_host_relax(void)
{
	/* One thread: whoever holds the lock will not give it back. */
	fprintf(stderr, "the core waits for a lock it holds\n");
	abort();
}

int evc_host_pirq_permit(struct evc_domain *d, uint32_t pirq)
{
	(void)d;
	return pirq < MODEL_PIRQ_PERMITTED ? 0 : -XEN_EPERM;
}

int evc_host_pirq_bind(struct evc_domain *d, uint32_t pirq, uint32_t flags)
{
	note(MODEL_PIRQ_BIND, d, pirq, flags);
	return world.host.pirq_rc;
}

void evc_host_pirq_unbind(struct evc_domain *d, uint32_t pirq)
{
	note(MODEL_PIRQ_UNBIND, d, pirq, 0);
}

void evc_host_pirq_move(struct evc_domain *d, uint32_t pirq, uint32_t vcpu)
{
	note(MODEL_PIRQ_MOVE, d, pirq, vcpu);
}

void *evc_host_map_frame(struct evc_domain *d, uint64_t gfn)
{
	if (gfn >= MODEL_PAGES || gfn == MODEL_PAGE_READONLY)
		return NULL;
	note(MODEL_MAP, d, (uint32_t)gfn, 0);
	return (uint8_t *)d->shared_info + gfn * 4096;
}

void evc_host_unmap_frame(struct evc_domain *d, void *page)
{
	note(MODEL_UNMAP, d,
	     (uint32_t)(((uint8_t *)page - (uint8_t *)d->shared_info) / 4096),
	     0);
}
