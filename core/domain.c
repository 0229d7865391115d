/* SPDX-License-Identifier: MIT */
/*
 * Lifetime of a machine, a domain and its vCPUs, and the default policy.
 *
 * All memory is lent (storage.h); init only fills it in, and refuses numbers
 * that the rest of the core relies on being in range.
 */
#include <evc/evc.h>

#include "channel.h"
#include "fifo.h"
#include "locking.h"
#include "port_table.h"
#include "sources.h"

#define MAX_VCPUS   8192
#define MAX_BUCKETS (EVTCHN_FIFO_NR_CHANNELS / EVC_BUCKET_PORTS)

void evc_machine_init(struct evc_machine *m, bool xen_4_17, void *host)
{
	*m = (struct evc_machine){.xen_4_17 = xen_4_17, .host = host};
}

static bool is_misaligned(const void *p, uintptr_t to)
{
	return !p || (uintptr_t)p % to;
}

/* Lent in advance: as evc_host_bucket() would. */
static bool has_bad_bucket(const struct evc_domain_config *c)
{
	uint32_t i;

	for (i = 0; i < c->nr_buckets; i++) {
		if ((uintptr_t)c->bucket[i] % _Alignof(struct evc_channel))
			return true;
	}
	return false;
}

static int check_config(const struct evc_domain_config *c)
{
	if (!c->machine || c->domid >= DOMID_FIRST_RESERVED ||
	    c->width > EVC_WIDTH_64 || c->nr_vcpus == 0 ||
	    c->nr_vcpus > MAX_VCPUS || !c->vcpu || c->nr_buckets == 0 ||
	    c->nr_buckets > MAX_BUCKETS || !c->bucket ||
	    is_misaligned(c->shared_info, 8) || !c->map ||
	    (c->nr_pirqs && !c->pirq_port) || !c->fifo != !c->fifo_vcpu ||
	    !c->limit != !c->limit_next)
		return -XEN_EINVAL;
	return has_bad_bucket(c) ? -XEN_EINVAL : 0;
}

/* The vcpu_info a vCPU has before it registers one. */
static void *first_info(struct evc_domain *d, struct evc_vcpu *v)
{
	struct shared_info *s = d->shared_info;

	if (v->id < XEN_LEGACY_MAX_VCPUS)
		return &s->vcpu_info[v->id];
	return v->no_info;
}

static void init_vcpus(struct evc_domain *d)
{
	uint32_t i;

	for (i = 0; i < d->nr_vcpus; i++) {
		struct evc_vcpu *v = &d->vcpu[i];

		v->domain = d;
		v->id = i;
		v->fifo = d->fifo ? &d->fifo->vcpu[i] : NULL;
		evb_ptr_store_release(&v->info, first_info(d, v));
	}
}

int evc_domain_init(struct evc_domain *d, const struct evc_domain_config *c)
{
	int rc = check_config(c);

	if (rc)
		return rc;

	*d = (struct evc_domain){
		.machine = c->machine,
		.fifo = c->fifo,
		.vcpu = c->vcpu,
		.nr_vcpus = c->nr_vcpus,
		.max_port = c->max_port,
		.generation = c->generation,
		.domid = c->domid,
		.check_send = c->check_send,
		.privileged = {c->privileged},
		.pirq_port = c->pirq_port,
		.nr_pirqs = c->nr_pirqs,
		.shared_info = c->shared_info,
		.limit = c->limit,
		.host = c->host,
	};
	evc_words_init(&d->layout[EVC_WIDTH_32], c->shared_info, EVC_WIDTH_32);
	evc_words_init(&d->layout[EVC_WIDTH_64], c->shared_info, EVC_WIDTH_64);
	evc_domain_set_width(d, c->width);
	evc_deliver_set(d, c->deliver ? c->deliver : &evc_deliver_2l);
	if (d->fifo)
		d->fifo->vcpu = c->fifo_vcpu;
	if (d->limit)
		d->limit->next = c->limit_next;
	init_vcpus(d);

	return evc_ports_init(d, c);
}

/* One step.  True: there is more to do. */
static bool step_destroy(struct evc_domain *d)
{
	bool more;

	lock_domain(d);
	if (!evb_u8_load(&d->dying)) {
		evb_u8_store(&d->dying, true);
		d->destroy_next = 1;
	}
	if (d->destroy_next)
		d->destroy_next = evc_channel_close_some_locked(
			d, d->destroy_next, EVC_CLOSER_DESTROY);
	more = d->destroy_next != 0;
	unlock_domain(d);

	return more;
}

int evc_domain_destroy(struct evc_domain *d)
{
	/* At most nr_valid / 64 rounds: a dying domain's table stays as it is. */
	while (step_destroy(d)) {
		if (evc_host_should_yield())
			return -XEN_ERESTART;
	}
	lock_domain(d);
	evc_fifo_leave_locked(d);
	unlock_domain(d);
	evc_virq_forget_handler(d);

	return 0;
}

void evc_domain_set_paused(struct evc_domain *d, bool paused)
{
	evb_u8_store(&d->paused, paused);
}

void evc_domain_set_target(struct evc_domain *d, struct evc_domain *target)
{
	evb_ptr_store_release(&d->target, target);
}

void evc_domain_set_width(struct evc_domain *d, enum evc_width width)
{
	/* Senders may still use the other one: both stay what they are. */
	evb_ptr_store_release(&d->words, &d->layout[width]);
}

int evc_default_policy(const struct evc_domain *caller,
		       const struct evc_domain *target,
		       enum evc_permission what)
{
	switch (what) {
	case EVC_PERM_BIND_INTERDOMAIN:
	case EVC_PERM_SEND:
		return 0;
	case EVC_PERM_ALLOC_UNBOUND:
	case EVC_PERM_STATUS:
	case EVC_PERM_RESET:
		break;
	}
	if (caller == target || evb_u8_load_relaxed(&caller->privileged) ||
	    evb_ptr_load_acquire(&caller->target) == target)
		return 0;
	return -XEN_EPERM;
}
