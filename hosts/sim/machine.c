/* SPDX-License-Identifier: MIT */
/*
 * The simulator's machine, its domains and their memory.
 *
 * Everything the core is lent comes from calloc.  A destroyed domain's memory
 * stays until the machine is freed, so that its remains can be looked at;
 * with one thread there is no other need for a grace period.
 *
 * Reading order: this file, hooks.c (what the core asks for), schedule.c (who
 * runs), guest_trap.c (how a guest comes in).
 */
#include <sim/sim.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SIZE   4096u
#define MAX_BUCKETS (EVTCHN_FIFO_NR_CHANNELS / EVC_BUCKET_PORTS)

void sim_machine_init(struct sim_machine *m, bool xen_4_17)
{
	memset(m, 0, sizeof(*m));
	evc_machine_init(&m->evc, xen_4_17, m);
}

/* --- domains --------------------------------------------------------------- */

static void free_ranges(struct sim_domain *d)
{
	struct sim_range *r = d->ranges;

	while (r) {
		struct sim_range *next = r->next;

		if (r->owned)
			free(r->mem);
		free(r);
		r = next;
	}
}

static void free_buckets(struct evc_channel **bucket, uint32_t nr)
{
	uint32_t i;

	for (i = 0; bucket && i < nr; i++)
		free(bucket[i]);
	free(bucket);
}

/* @c: what the core was lent, as far as it was allocated. */
static void free_domain(struct sim_domain *d, const struct evc_domain_config *c)
{
	free_ranges(d);
	free_buckets(c->bucket, c->nr_buckets);
	free(c->shared_info);
	free(c->vcpu);
	free(c->map);
	free(c->pirq_port);
	free(c->fifo);
	free(c->fifo_vcpu);
	free(d->vcpu);
	free(d->pirq);
	free(d);
}

/* The loans as the core remembers them. */
static struct evc_domain_config loans_of(const struct evc_domain *d)
{
	return (struct evc_domain_config){
		.shared_info = d->shared_info,
		.vcpu = d->vcpu,
		.bucket = d->ports.bucket,
		.nr_buckets = d->ports.capacity / EVC_BUCKET_PORTS,
		.map = d->ports.map[0],
		.pirq_port = d->pirq_port,
		.fifo = d->fifo,
		.fifo_vcpu = d->fifo ? d->fifo->vcpu : NULL,
	};
}

void sim_machine_fini(struct sim_machine *m)
{
	while (m->domains) {
		struct sim_domain *d = m->domains;
		struct evc_domain_config loans = loans_of(&d->evc);

		m->domains = d->next;
		free_domain(d, &loans);
	}
}

static void *zeroed_page(void)
{
	void *page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);

	if (page)
		memset(page, 0, PAGE_SIZE);
	return page;
}

/* Allocate what the core is to be lent.  False: not all of it. */
static bool make_loans(struct evc_domain_config *c)
{
	c->shared_info = zeroed_page();
	c->vcpu = calloc(c->nr_vcpus, sizeof(*c->vcpu));
	c->bucket = calloc(c->nr_buckets, sizeof(struct evc_channel *));
	c->map = calloc(EVC_MAP_WORDS(c->nr_buckets), sizeof(*c->map));
	/* One too many, so that none is not a special case. */
	c->pirq_port = calloc((size_t)c->nr_pirqs + 1, sizeof(*c->pirq_port));
	c->fifo = calloc(1, sizeof(*c->fifo));
	c->fifo_vcpu = calloc(c->nr_vcpus, sizeof(*c->fifo_vcpu));
	return c->shared_info && c->vcpu && c->bucket && c->map &&
	       c->pirq_port && c->fifo && c->fifo_vcpu;
}

/* Our own part of it. */
static bool make_own(struct sim_domain *d, const struct sim_domain_config *c,
		     const struct evc_domain_config *loans)
{
	uint32_t i;

	d->vcpu = calloc(c->nr_vcpus, sizeof(*d->vcpu));
	d->pirq = calloc((size_t)c->nr_pirqs + 1, sizeof(*d->pirq));
	if (!d->vcpu || !d->pirq)
		return false;
	d->flat = c->flat;
	d->step = c->step;
	d->guest_data = c->guest_data;
	for (i = 0; i < c->nr_vcpus; i++) {
		d->vcpu[i].evc = &loans->vcpu[i];
		d->vcpu[i].domain = d;
		d->vcpu[i].state = c->step ? SIM_RUNNABLE : SIM_DOWN;
		loans->vcpu[i].host = &d->vcpu[i];
	}
	return true;
}

/* The ranges evc_domain_init() checks: calloc comes first here. */
static int check_config(struct sim_machine *m,
			const struct sim_domain_config *c)
{
	if (c->nr_vcpus == 0 || c->nr_vcpus > 8192 ||
	    c->nr_buckets > MAX_BUCKETS || c->nr_pirqs > 65536)
		return -EINVAL;
	return sim_domain_find(m, c->domid) ? -EEXIST : 0;
}

static void append_domain(struct sim_machine *m, struct sim_domain *d)
{
	struct sim_domain **last = &m->domains;

	while (*last)
		last = &(*last)->next;
	*last = d;
}

int sim_domain_create(struct sim_machine *m, const struct sim_domain_config *c,
		      struct sim_domain **out)
{
	struct evc_domain_config loans = {
		.machine = &m->evc,
		.domid = c->domid,
		.width = c->width,
		.nr_vcpus = c->nr_vcpus,
		.nr_buckets = c->nr_buckets ? c->nr_buckets : MAX_BUCKETS,
		.nr_pirqs = c->nr_pirqs,
		.max_port = c->max_port,
		.privileged = c->privileged,
		.check_send = c->check_send,
	};
	struct sim_domain *d;
	int rc = check_config(m, c);

	if (rc)
		return rc;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	loans.host = d;
	d->machine = m;
	if (!make_loans(&loans) || !make_own(d, c, &loans)) {
		free_domain(d, &loans);
		return -ENOMEM;
	}
	rc = evc_domain_init(&d->evc, &loans);
	if (rc) {
		free_domain(d, &loans);
		return rc == -XEN_ENOMEM ? -ENOMEM : -EINVAL;
	}
	d->found = true;
	append_domain(m, d);
	*out = d;

	return 0;
}

void sim_domain_destroy(struct sim_domain *d, bool zombie)
{
	uint32_t i;

	while (evc_domain_destroy(&d->evc) == -XEN_ERESTART)
		;
	for (i = 0; i < d->evc.nr_vcpus; i++)
		sim_vcpu_down(&d->vcpu[i]);
	d->found = zombie;
	d->gone = true;
}

struct sim_domain *sim_domain_find(struct sim_machine *m, domid_t domid)
{
	struct sim_domain *d;

	for (d = m->domains; d; d = d->next) {
		if (d->found && d->evc.domid == domid)
			return d;
	}
	return NULL;
}

/* --- memory ---------------------------------------------------------------- */

static size_t whole_pages(size_t len)
{
	return (len + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
}

/* Memory for @r, when the caller lends none. */
static bool own_memory(struct sim_range *r)
{
	size_t size = whole_pages(r->len);

	r->mem = size ? aligned_alloc(PAGE_SIZE, size) : NULL;
	if (!r->mem)
		return false;
	memset(r->mem, 0, size);
	r->owned = true;
	return true;
}

int sim_map(struct sim_domain *d, uint64_t addr, void *mem, size_t len,
	    bool readonly)
{
	struct sim_range *r;

	if (!len || addr + (len - 1) < addr)
		return -EINVAL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->addr = addr;
	r->len = len;
	r->mem = mem;
	r->readonly = readonly;
	if (!mem && !own_memory(r)) {
		free(r);
		return -ENOMEM;
	}
	r->next = d->ranges;
	d->ranges = r;

	return 0;
}

/* Does all of @addr, @len lie inside the range?  No sum can overflow here. */
static bool is_inside(const struct sim_range *r, uint64_t addr, size_t len)
{
	uint64_t offset = addr - r->addr;

	return addr >= r->addr && offset < r->len && len <= r->len - offset;
}

void *sim_at(struct sim_domain *d, uint64_t addr, size_t len, bool write)
{
	struct sim_range *r;

	if (d->flat) {
		if (!addr || addr + len < addr)
			return NULL;
		return (void *)(uintptr_t)addr;
	}
	for (r = d->ranges; r; r = r->next) {
		if (is_inside(r, addr, len))
			return r->readonly && write ? NULL
						    : r->mem + (addr - r->addr);
	}
	return NULL;
}

/* --- lines ----------------------------------------------------------------- */

int sim_map_pirq(struct sim_domain *d, uint32_t pirq)
{
	if (pirq >= d->evc.nr_pirqs)
		return -EINVAL;
	d->pirq[pirq].mapped = true;
	return 0;
}

void sim_raise_line(struct sim_machine *m, uint32_t pirq)
{
	struct sim_domain *d;

	for (d = m->domains; d; d = d->next)
		evc_pirq_raise(&d->evc, pirq);
}
