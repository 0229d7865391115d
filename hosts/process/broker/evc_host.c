/* SPDX-License-Identifier: MIT */
/*
 * The core's hooks (evc/host.h).
 *
 * "Guest memory" is the argument bytes of the message being handled, which the
 * core sees at address EVD_ARG_ADDR.  There is one thread and no nesting, so
 * nothing ever contends for a lock, and there are no vCPUs to kick: delivery
 * went into a lane.  The hooks for PIRQs are in pirq.c.
 */
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "evc_host.h"

static uint8_t *arg_at(struct evc_vcpu *v, uint64_t addr, size_t len)
{
	struct evd_broker *b = v->domain->machine->host;
	uint64_t offset = addr - EVD_ARG_ADDR;

	if (!b->arg || addr < EVD_ARG_ADDR || offset > b->arg_len ||
	    len > b->arg_len - offset)
		return NULL;
	return b->arg + offset;
}

int evc_host_copy_in(struct evc_vcpu *v, void *dst, uint64_t addr, size_t len)
{
	const uint8_t *src = arg_at(v, addr, len);

	if (!src)
		return -XEN_EFAULT;
	memcpy(dst, src, len);
	return 0;
}

int evc_host_copy_out(struct evc_vcpu *v, uint64_t addr, const void *src,
		      size_t len)
{
	uint8_t *dst = arg_at(v, addr, len);

	if (!dst)
		return -XEN_EFAULT;
	memcpy(dst, src, len);
	return 0;
}

struct evc_domain *evc_host_find_domain(struct evc_machine *m, domid_t domid)
{
	struct evd_dom *d = evd_dom_find(m->host, domid);

	return d ? &d->core : NULL;
}

int evc_host_permit(const struct evc_domain *caller,
		    const struct evc_domain *target, enum evc_permission what)
{
	return evc_default_policy(caller, target, what);
}

void evc_host_kick(struct evc_vcpu *v)
{
	(void)v;
}

void evc_host_wake(struct evc_vcpu *v)
{
	(void)v;
}

bool evc_host_upcall_enabled(struct evc_vcpu *v)
{
	(void)v;
	return false;
}

/* The broker's records come with the channels they belong to, behind them. */
#define SIZE                \
	(EVC_BUCKET_PORTS * \
	 (sizeof(struct evc_channel) + sizeof(struct evd_port)))

_Static_assert(SIZE % 64 == 0, "as aligned_alloc() wants it");
_Static_assert(sizeof(struct evc_channel) % _Alignof(struct evd_port) == 0,
	       "aligned");

struct evc_channel *evc_host_bucket(struct evc_domain *d, uint32_t index)
{
	struct evd_dom *dom = d->host;
	struct evc_channel *ch;
	struct evd_port *p;
	uint32_t i;

	if (index >= EVD_NR_BUCKETS)
		return NULL;
	ch = aligned_alloc(64, SIZE);
	if (!ch)
		return NULL;
	memset(ch, 0, SIZE);
	p = (struct evd_port *)(ch + EVC_BUCKET_PORTS);
	for (i = 0; i < EVC_BUCKET_PORTS; i++) {
		p[i].dom = dom;
		p[i].port = index * EVC_BUCKET_PORTS + i;
	}
	return ch;
}

/* Always: a long operation goes on after the others had their turn. */
bool evc_host_should_yield(void)
{
	return true;
}

void evc_host_relax(void)
{
}

/* No domain was lent memory for FIFO, so these are not reached. */
void *evc_host_map_frame(struct evc_domain *d, uint64_t gfn)
{
	(void)d;
	(void)gfn;
	return NULL;
}

void evc_host_unmap_frame(struct evc_domain *d, void *page)
{
	(void)d;
	(void)page;
}
