/* SPDX-License-Identifier: MIT */
/*
 * The hooks of evc/host.h for fuzz targets.  Each checks what host.h promises
 * it: which locks are held, and that arguments are in range.
 */
#include "asan.h"
#include "check.h"
#include "world.h"

static struct world_domain *of(const struct evc_domain *d)
{
	return d->host;
}

static void check_nothing_locked(void)
{
	uint32_t i;

	FUZZ_CHECK(!evb_u32_load(&world.machine.lock.held));
	for (i = 0; i < WORLD_DOMAINS; i++)
		FUZZ_CHECK(!evb_u32_load(&world.d[i].evc.lock.held));
}

/* --- guest memory -------------------------------------------------------- */

static uint8_t *ram_at(struct evc_vcpu *v, uint64_t addr, size_t len,
		       uint64_t base)
{
	if (addr < base || addr - base > WORLD_RAM ||
	    len > WORLD_RAM - (addr - base))
		return NULL;
	return of(v->domain)->ram + (addr - base);
}

int evc_host_copy_in(struct evc_vcpu *v, void *dst, uint64_t addr, size_t len)
{
	uint8_t *src = ram_at(v, addr, len, WORLD_RAM_AT);

	check_nothing_locked();
	if (!src)
		src = ram_at(v, addr, len, WORLD_RAM_READ);
	if (!src)
		return -XEN_EFAULT;
	memcpy(dst, src, len);
	return 0;
}

int evc_host_copy_out(struct evc_vcpu *v, uint64_t addr, const void *src,
		      size_t len)
{
	uint8_t *dst = ram_at(v, addr, len, WORLD_RAM_AT);

	check_nothing_locked();
	if (!dst)
		return -XEN_EFAULT;
	memcpy(dst, src, len);
	return 0;
}

/* --- domains and vCPUs --------------------------------------------------- */

struct evc_domain *evc_host_find_domain(struct evc_machine *m, domid_t domid)
{
	check_nothing_locked();
	FUZZ_CHECK(m == &world.machine && domid < DOMID_FIRST_RESERVED);
	return domid < WORLD_DOMAINS ? &world.d[domid].evc : NULL;
}

int evc_host_permit(const struct evc_domain *caller,
		    const struct evc_domain *target, enum evc_permission what)
{
	FUZZ_CHECK(caller && target && what <= EVC_PERM_RESET);
	if (world.say.refuse)
		return -XEN_EPERM;
	return evc_default_policy(caller, target, what);
}

static void check_vcpu(const struct evc_vcpu *v)
{
	FUZZ_CHECK(v == &v->domain->vcpu[v->id]);
}

void evc_host_kick(struct evc_vcpu *v)
{
	check_vcpu(v);
	world.nr_kicks++;
}

void evc_host_wake(struct evc_vcpu *v)
{
	check_vcpu(v);
	FUZZ_CHECK(evc_poll_is_over(v));
}

bool evc_host_upcall_enabled(struct evc_vcpu *v)
{
	check_vcpu(v);
	return world.say.upcall_enabled;
}

bool evc_host_should_yield(void)
{
	check_nothing_locked();
	return world.say.yield;
}

/* Nobody else is here who could give a lock back. */
void evc_host_relax(void)
{
	static const bool lock_is_free = false;

	FUZZ_CHECK(lock_is_free);
}

/* --- lines --------------------------------------------------------------- */

int evc_host_pirq_permit(struct evc_domain *d, uint32_t pirq)
{
	FUZZ_CHECK(evb_u32_load(&d->lock.held) && pirq < WORLD_PIRQS);
	return world.say.pirq_refused >> pirq & 1 ? -XEN_EPERM : 0;
}

int evc_host_pirq_bind(struct evc_domain *d, uint32_t pirq, uint32_t flags)
{
	(void)flags;
	FUZZ_CHECK(evb_u32_load(&d->lock.held) && pirq < WORLD_PIRQS);
	FUZZ_CHECK(!of(d)->pirq_bound[pirq]);
	if (!world.say.pirq_bind_rc)
		of(d)->pirq_bound[pirq] = true;
	return world.say.pirq_bind_rc;
}

void evc_host_pirq_unbind(struct evc_domain *d, uint32_t pirq)
{
	FUZZ_CHECK(evb_u32_load(&d->lock.held) && pirq < WORLD_PIRQS);
	FUZZ_CHECK(of(d)->pirq_bound[pirq]);
	of(d)->pirq_bound[pirq] = false;
}

void evc_host_pirq_move(struct evc_domain *d, uint32_t pirq, uint32_t vcpu)
{
	FUZZ_CHECK(pirq < WORLD_PIRQS && of(d)->pirq_bound[pirq]);
	FUZZ_CHECK(vcpu < d->nr_vcpus);
}

/* --- frames -------------------------------------------------------------- */

/*
 * The core may touch a frame from here to the last unmapping.  Which 8-byte
 * words of it belong to it the caller of the operation says (world_allow()).
 */
void *evc_host_map_frame(struct evc_domain *d, uint64_t gfn)
{
	struct world_domain *w = of(d);

	FUZZ_CHECK(evb_u32_load(&d->lock.held));
	if (gfn >= WORLD_FRAMES)
		return NULL;
	w->mapped++;
	if (w->page[gfn].mapped++ == 0)
		ASAN_UNPOISON_MEMORY_REGION(w->page[gfn].mem, 4096);
	return w->page[gfn].mem;
}

void evc_host_unmap_frame(struct evc_domain *d, void *page)
{
	struct world_domain *w = of(d);
	uint32_t i;

	FUZZ_CHECK(evb_u32_load(&d->lock.held));
	for (i = 0; i < WORLD_FRAMES && w->page[i].mem != page; i++)
		;
	FUZZ_CHECK(i < WORLD_FRAMES && w->page[i].mapped);
	w->mapped--;
	if (--w->page[i].mapped == 0)
		ASAN_POISON_MEMORY_REGION(w->page[i].mem, 4096);
}

/* --- a hypervisor-owned end ---------------------------------------------- */

void world_consume(struct evc_vcpu *v, evtchn_port_t port)
{
	check_nothing_locked();
	check_vcpu(v);
	world.nr_consumed++;
	if (world.say.talkative)
		evc_consumer_notify(v->domain, port);
}
