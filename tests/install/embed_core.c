/* SPDX-License-Identifier: MIT */
/*
 * The smallest hypervisor there is: one domain with one vCPU and one channel,
 * from the domain to itself.  docs/manual.md explains it piece by piece; the
 * install test builds it from the installed headers and libevc.a alone.
 *
 * The guest is C code in this process, so its addresses are ours.
 */
#include <evc/evc.h>

#include <base/bits.h>
#include <stdio.h>
#include <string.h>

/* --- lent memory ----------------------------------------------------------- */

static struct evc_machine machine;
static struct evc_domain domain;
static struct evc_vcpu vcpu;
static struct evc_channel ports[EVC_BUCKET_PORTS];
static struct evc_channel *bucket[] = {ports};
static uint64_t map[EVC_MAP_WORDS(1)];
static union {
	struct shared_info info;
	uint8_t bytes[4096];
} page __attribute__((aligned(4096)));

/* --- hooks that do something ----------------------------------------------- */

int evc_host_copy_in(struct evc_vcpu *v, void *dst, uint64_t addr, size_t len)
{
	(void)v; /* a real one checks that @v's guest may read this */
	memcpy(dst, (const void *)(uintptr_t)addr, len);
	return 0;
}

int evc_host_copy_out(struct evc_vcpu *v, uint64_t addr, const void *src,
		      size_t len)
{
	(void)v; /* ... and write it */
	memcpy((void *)(uintptr_t)addr, src, len);
	return 0;
}

struct evc_domain *evc_host_find_domain(struct evc_machine *m, domid_t domid)
{
	(void)m;
	return domid == domain.domid ? &domain : NULL;
}

int evc_host_permit(const struct evc_domain *caller,
		    const struct evc_domain *target, enum evc_permission what)
{
	return evc_default_policy(caller, target, what);
}

void evc_host_kick(struct evc_vcpu *v)
{
	printf("host:  kick vCPU %u\n", v->id);
}

/* --- hooks nobody needs here ----------------------------------------------- */

void evc_host_wake(struct evc_vcpu *v)
{
	(void)v; /* nobody polls */
}

bool evc_host_upcall_enabled(struct evc_vcpu *v)
{
	(void)v;
	return false;
}

struct evc_channel *evc_host_bucket(struct evc_domain *d, uint32_t index)
{
	(void)d, (void)index;
	return NULL; /* 64 ports were lent, there are no more */
}

bool evc_host_should_yield(void)
{
	return false;
}

void evc_host_relax(void)
{
}

int evc_host_pirq_permit(struct evc_domain *d, uint32_t pirq)
{
	(void)d, (void)pirq;
	return -XEN_EPERM;
}

int evc_host_pirq_bind(struct evc_domain *d, uint32_t pirq, uint32_t flags)
{
	(void)d, (void)pirq, (void)flags;
	return -XEN_EINVAL;
}

void evc_host_pirq_unbind(struct evc_domain *d, uint32_t pirq)
{
	(void)d, (void)pirq;
}

void evc_host_pirq_move(struct evc_domain *d, uint32_t pirq, uint32_t nr)
{
	(void)d, (void)pirq, (void)nr;
}

/* Only for domains that were lent memory for FIFO event channels. */
void *evc_host_map_frame(struct evc_domain *d, uint64_t gfn)
{
	(void)d, (void)gfn;
	return NULL;
}

void evc_host_unmap_frame(struct evc_domain *d, void *frame)
{
	(void)d, (void)frame;
}

/* --- the guest ------------------------------------------------------------- */

/* Its upcall: clear the flag, take the selector, look at the pending bits. */
static void upcall(void)
{
	struct vcpu_info *info = &page.info.vcpu_info[0];
	evb_u32 *pending = (evb_u32 *)page.info.evtchn_pending;
	evb_u32 *mask = (evb_u32 *)page.info.evtchn_mask;
	uint64_t words;
	uint32_t port, end;

	evb_u8_store((evb_u8 *)&info->evtchn_upcall_pending, 0);
	words = evb_u64_xchg((evb_u64 *)&info->evtchn_pending_sel, 0);
	for (; words; words = evb_without_lowest_bit(words)) {
		port = evb_lowest_bit(words) * 64;
		for (end = port + 64; port < end; port++) {
			if (!evb_test_bit(mask, port) &&
			    evb_test_and_clear_bit(pending, port))
				printf("guest: event on port %u\n", port);
		}
	}
}

/* The trap into the hypervisor, and the way back. */
static int hypercall(uint32_t cmd, void *arg)
{
	const evb_u8 *flag = evb_ptr_load_acquire(&vcpu.info);
	int rc = evc_hypercall(&vcpu, cmd, (uintptr_t)arg);

	if (evb_u8_load(flag))
		upcall();
	return rc;
}

static int guest(void)
{
	struct evtchn_alloc_unbound a = {DOMID_SELF, DOMID_SELF, 0};
	struct evtchn_bind_interdomain b = {.remote_dom = DOMID_SELF};
	struct evtchn_send s;

	if (hypercall(EVTCHNOP_alloc_unbound, &a))
		return 1;
	printf("guest: port %u waits for a peer\n", a.port);

	b.remote_port = a.port;
	if (hypercall(EVTCHNOP_bind_interdomain, &b))
		return 1;
	printf("guest: port %u is connected to it\n", b.local_port);

	s.port = b.local_port;
	return hypercall(EVTCHNOP_send, &s);
}

/* --- the hypervisor -------------------------------------------------------- */

int main(void)
{
	const struct evc_domain_config config = {
		.machine = &machine,
		.domid = 1,
		.width = EVC_WIDTH_64,
		.shared_info = &page,
		.vcpu = &vcpu,
		.nr_vcpus = 1,
		.bucket = bucket,
		.nr_buckets = 1,
		.map = map,
		.max_port = EVC_NO_LIMIT,
	};

	evc_machine_init(&machine, false, NULL);
	if (evc_domain_init(&domain, &config))
		return 1;
	if (guest())
		return 1;
	while (evc_domain_destroy(&domain) == -XEN_ERESTART)
		;
	printf("host:  the domain is gone\n");
	return 0;
}
