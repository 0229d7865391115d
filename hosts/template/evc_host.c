/* SPDX-License-Identifier: MIT */
/*
 * A hypervisor's half of a port: copy this file and fill in the bodies.
 *
 * The contract of each hook stands in evc/host.h; the comments here only say
 * what a typical hypervisor does.  Order of work that has proved itself:
 *
 *   1. copy_in/copy_out, find_domain, permit, bucket; the rest as it is here.
 *      Hypercalls work now, and events set bits in the shared pages.
 *   2. kick: the receiver takes upcalls.
 *   3. upcall_enabled, wake: SCHEDOP_poll.
 *   4. should_yield, the PIRQ hooks.
 *
 * The guest's upcall itself is the host's: before it returns to a guest it
 * looks at evtchn_upcall_pending (and, for PV, evtchn_upcall_mask) and, if an
 * upcall is due, enters the guest's callback instead.  Before it blocks a vCPU
 * it marks it blocked and then looks at the flag once more (MO-BLOCK).
 */
#include <evc/evc.h>

int evc_host_copy_in(struct evc_vcpu *v, void *dst, uint64_t addr, size_t len)
{
	/* Walk the guest's page tables; never trust addr + len not to wrap. */
	(void)v, (void)dst, (void)addr, (void)len;
	return -XEN_EFAULT;
}

int evc_host_copy_out(struct evc_vcpu *v, uint64_t addr, const void *src,
		      size_t len)
{
	/* As copy_in, and the pages must be writable for the guest. */
	(void)v, (void)addr, (void)src, (void)len;
	return -XEN_EFAULT;
}

struct evc_domain *evc_host_find_domain(struct evc_machine *m, domid_t domid)
{
	/* An array, a hash: whatever holds your domains. */
	(void)m, (void)domid;
	return NULL;
}

int evc_host_permit(const struct evc_domain *caller,
		    const struct evc_domain *target, enum evc_permission what)
{
	/* Or your own policy: a static table of who may talk to whom. */
	return evc_default_policy(caller, target, what);
}

void evc_host_kick(struct evc_vcpu *v)
{
	/* Make it runnable; if it runs on another CPU, send that one an IPI. */
	(void)v;
}

void evc_host_wake(struct evc_vcpu *v)
{
	/* As kick, but only the poll ends: there may be no upcall to take. */
	(void)v;
}

bool evc_host_upcall_enabled(struct evc_vcpu *v)
{
	/* PV: flag set and mask clear.  HVM: flag set and interrupts on. */
	(void)v;
	return false;
}

struct evc_channel *evc_host_bucket(struct evc_domain *d, uint32_t index)
{
	/* A zeroed page; or NULL always, when all buckets were lent at init. */
	(void)d, (void)index;
	return NULL;
}

bool evc_host_should_yield(void)
{
	/* Is an interrupt pending on this CPU? */
	return false;
}

void evc_host_relax(void)
{
	/* The pause or yield instruction of the machine. */
}

int evc_host_pirq_permit(struct evc_domain *d, uint32_t pirq)
{
	(void)d, (void)pirq;
	return -XEN_EPERM;
}

int evc_host_pirq_bind(struct evc_domain *d, uint32_t pirq, uint32_t flags)
{
	/* Route the line, unmask it at the interrupt controller. */
	(void)d, (void)pirq, (void)flags;
	return -XEN_EINVAL;
}

void evc_host_pirq_unbind(struct evc_domain *d, uint32_t pirq)
{
	(void)d, (void)pirq;
}

void evc_host_pirq_move(struct evc_domain *d, uint32_t pirq, uint32_t vcpu)
{
	/* Steer the line to the CPU that vCPU runs on; or nothing. */
	(void)d, (void)pirq, (void)vcpu;
}

void *evc_host_map_frame(struct evc_domain *d, uint64_t gfn)
{
	/* The guest's own writable RAM only; take a reference on the frame. */
	(void)d, (void)gfn;
	return NULL;
}

void evc_host_unmap_frame(struct evc_domain *d, void *page)
{
	(void)d, (void)page;
}
