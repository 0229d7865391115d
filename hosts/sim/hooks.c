/* SPDX-License-Identifier: MIT */
/*
 * What the core asks of the simulator: each function of evc/host.h.
 *
 * There is one thread, so a vCPU that is kicked is never running somewhere
 * else, and a spin lock that is found taken will never be given back.
 */
#include <sim/sim.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sim_domain *domain_of(const struct evc_vcpu *v)
{
	return v->domain->host;
}

/* --- memory and domains ---------------------------------------------------- */

int evc_host_copy_in(struct evc_vcpu *v, void *dst, uint64_t addr, size_t len)
{
	const void *src = sim_at(domain_of(v), addr, len, false);

	if (!src)
		return -XEN_EFAULT;
	memcpy(dst, src, len);
	return 0;
}

int evc_host_copy_out(struct evc_vcpu *v, uint64_t addr, const void *src,
		      size_t len)
{
	void *dst = sim_at(domain_of(v), addr, len, true);

	if (!dst)
		return -XEN_EFAULT;
	memcpy(dst, src, len);
	return 0;
}

struct evc_domain *evc_host_find_domain(struct evc_machine *m, domid_t domid)
{
	struct sim_domain *d = sim_domain_find(m->host, domid);

	return d ? &d->evc : NULL;
}

int evc_host_permit(const struct evc_domain *caller,
		    const struct evc_domain *target, enum evc_permission what)
{
	return evc_default_policy(caller, target, what);
}

struct evc_channel *evc_host_bucket(struct evc_domain *d, uint32_t index)
{
	struct sim_domain *s = d->host;
	struct evc_channel *ch;

	(void)index;
	if (s->bucket_failures) {
		s->bucket_failures--;
		return NULL;
	}
	ch = aligned_alloc(64, EVC_BUCKET_PORTS * sizeof(*ch));
	if (ch)
		memset(ch, 0, EVC_BUCKET_PORTS * sizeof(*ch));
	return ch;
}

void sim_fail_buckets(struct sim_domain *d, unsigned int n)
{
	d->bucket_failures = n;
}

/* --- vCPUs ----------------------------------------------------------------- */

/* SEND 7/9 - from core/upcall.c evc_upcall_raise(); next guest/upcall.c evg_upcall() */
void evc_host_kick(struct evc_vcpu *v)
{
	struct sim_vcpu *s = v->host;

	s->nr_kicks++;
	/* MO-BLOCK: trivial here; a running vCPU looks before it goes on. */
	if (s->state == SIM_BLOCKED || s->state == SIM_POLLING)
		s->state = SIM_RUNNABLE;
}

void evc_host_wake(struct evc_vcpu *v)
{
	struct sim_vcpu *s = v->host;

	if (s->state == SIM_POLLING)
		s->state = SIM_RUNNABLE;
}

bool evc_host_upcall_enabled(struct evc_vcpu *v)
{
	/* evtchn_upcall_pending and evtchn_upcall_mask: bytes 0 and 1 */
	const evb_u8 *info = evb_ptr_load_acquire(&v->info);

	return evb_u8_load(&info[0]) && !evb_u8_load(&info[1]);
}

/* --- time ------------------------------------------------------------------ */

static unsigned int yield_every;
static unsigned int yield_count;

void sim_yield_every(unsigned int n)
{
	yield_every = n;
	yield_count = 0;
}

bool evc_host_should_yield(void)
{
	if (!yield_every || ++yield_count < yield_every)
		return false;
	yield_count = 0;
	return true;
}

void evc_host_relax(void)
{
	fputs("sim: a lock is taken twice in the only thread\n", stderr);
	abort();
}

/* --- lines ----------------------------------------------------------------- */

int evc_host_pirq_permit(struct evc_domain *d, uint32_t pirq)
{
	const struct sim_domain *s = d->host;

	return s->pirq[pirq].mapped ? 0 : -XEN_EPERM;
}

/* Is the line bound in another domain that does not share it? */
static bool is_line_busy(const struct sim_domain *own, uint32_t pirq,
			 bool shareable)
{
	const struct sim_domain *d;

	for (d = own->machine->domains; d; d = d->next) {
		if (d != own && pirq < d->evc.nr_pirqs && d->pirq[pirq].bound &&
		    !(d->pirq[pirq].shareable && shareable))
			return true;
	}
	return false;
}

int evc_host_pirq_bind(struct evc_domain *d, uint32_t pirq, uint32_t flags)
{
	struct sim_domain *s = d->host;
	bool shareable = flags & BIND_PIRQ__WILL_SHARE;

	if (is_line_busy(s, pirq, shareable))
		return -XEN_EBUSY;
	s->pirq[pirq].bound = true;
	s->pirq[pirq].shareable = shareable;
	return 0;
}

void evc_host_pirq_unbind(struct evc_domain *d, uint32_t pirq)
{
	struct sim_domain *s = d->host;

	s->pirq[pirq].bound = false;
}

void evc_host_pirq_move(struct evc_domain *d, uint32_t pirq, uint32_t vcpu)
{
	(void)d;
	(void)pirq;
	(void)vcpu;
}

/* --- frames ---------------------------------------------------------------- */

void *evc_host_map_frame(struct evc_domain *d, uint64_t gfn)
{
	if (gfn >> 52)
		return NULL;
	return sim_at(d->host, gfn << 12, 4096, true);
}

void evc_host_unmap_frame(struct evc_domain *d, void *page)
{
	(void)d;
	(void)page;
}
