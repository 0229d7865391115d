/* SPDX-License-Identifier: MIT */
/*
 * The model: the operations guests ask for.  Every one is its table in SPEC
 * 1.2: the checks in that order, then what becomes of the port.
 */
#include <string.h>

#include "tests/model/model_private.h"

/* --- who may ---------------------------------------------------------------- */

/* The domain a guest of @d means, NULL: there is none. */
static struct model_domain *resolve(struct model *m, struct model_domain *d,
				    uint32_t id)
{
	if (id == DOMID_SELF)
		return d;
	return id < MODEL_DOMAINS && m->domain[id].exists ? &m->domain[id]
							  : NULL;
}

/* SPEC 11, L7: 4.17 asks for permission last, we ask first. */

/* alloc_unbound, status and reset: for oneself, by dom0, by a device model. */
static int permit_for(struct model *m, struct model_domain *d,
		      struct model_domain *about)
{
	if (m->host.refuse)
		return -XEN_EPERM;
	if (d == about || d->shape.privileged || d->target == about->id)
		return 0;
	return -XEN_EPERM;
}

/* bind_interdomain and send: open to all. */
static int permit(struct model *m)
{
	return m->host.refuse ? -XEN_EPERM : 0;
}

static bool may_bind(const struct model_port *p, const struct model_domain *d)
{
	return p->state == UNBOUND && p->dom == d->id &&
	       (!p->generation || p->generation == d->generation);
}

/* --- operations: opening ----------------------------------------------------------- */

static int alloc_unbound(struct model *m, struct model_domain *d,
			 struct evtchn_alloc_unbound *a)
{
	struct model_domain *owner = resolve(m, d, a->dom);
	uint32_t port;
	int rc;

	if (!owner)
		return -XEN_ESRCH;
	if (!m->xen_4_17 && permit_for(m, d, owner))
		return -XEN_EPERM;
	rc = model_find_free(m, owner, &port);
	if (!rc)
		rc = permit_for(m, d, owner);
	if (rc)
		return rc;
	model_reserve(model_open(owner, port, UNBOUND, 0),
		      a->remote_dom == DOMID_SELF ? d->id : a->remote_dom,
		      model_generation_of(m, d, a->remote_dom));
	a->port = port;
	return 0;
}

static int bind_interdomain(struct model *m, struct model_domain *d,
			    struct evtchn_bind_interdomain *a)
{
	struct model_domain *remote = resolve(m, d, a->remote_dom);
	struct model_port *p, *peer;
	uint32_t port;
	int rc;

	if (!remote)
		return -XEN_ESRCH;
	if (!m->xen_4_17 && permit(m))
		return -XEN_EPERM;
	rc = model_find_free(m, d, &port);
	if (rc)
		return rc;
	peer = model_lookup(remote, a->remote_port);
	if (!peer || !may_bind(peer, d))
		return -XEN_EINVAL;
	if (permit(m))
		return -XEN_EPERM;
	p = model_open(d, port, INTERDOMAIN, 0);
	p->dom = remote->id;
	p->port = a->remote_port;
	peer->state = INTERDOMAIN;
	peer->dom = d->id;
	peer->port = port;
	model_post(m, d, port);
	a->local_port = port;
	return 0;
}

static int bind_virq(struct model *m, struct model_domain *d,
		     struct evtchn_bind_virq *a)
{
	uint32_t port;
	int rc;

	if (a->virq >= NR_VIRQS ||
	    (!model_is_per_vcpu(a->virq) && a->vcpu != 0))
		return -XEN_EINVAL;
	if (a->vcpu >= d->shape.nr_vcpus)
		return -XEN_ENOENT;
	if (model_is_global(a->virq) && !m->xen_4_17 &&
	    model_handler_of(m, a->virq) != d->id)
		return -XEN_EBUSY;
	if (d->virq_port[a->vcpu][a->virq])
		return -XEN_EEXIST;
	rc = model_find_free(m, d, &port);
	if (rc)
		return rc;
	model_open(d, port, VIRQ, a->vcpu)->source = a->virq;
	d->virq_port[a->vcpu][a->virq] = port;
	a->port = port;
	return 0;
}

static int bind_pirq(struct model *m, struct model_domain *d,
		     struct evtchn_bind_pirq *a)
{
	uint32_t port;
	int rc;

	if (a->pirq >= d->shape.nr_pirqs)
		return -XEN_EINVAL;
	if (a->pirq >= MODEL_PIRQ_PERMITTED)
		return -XEN_EPERM;
	if (d->pirq_port[a->pirq])
		return -XEN_EEXIST;
	rc = model_find_free(m, d, &port);
	if (rc)
		return rc;
	model_note(m, MODEL_PIRQ_BIND, d->id, a->pirq, a->flags);
	if (m->host.pirq_rc)
		return m->host.pirq_rc;
	model_open(d, port, PIRQ, 0)->source = a->pirq;
	d->pirq_port[a->pirq] = port;
	a->port = port;
	return 0;
}

int model_bind_ipi(struct model *m, struct model_domain *d, uint32_t vcpu,
		   uint32_t *port)
{
	uint32_t free_port;
	int rc;

	if (vcpu >= d->shape.nr_vcpus)
		return -XEN_ENOENT;
	rc = model_find_free(m, d, &free_port);
	if (rc)
		return rc;
	model_open(d, free_port, IPI, vcpu);
	*port = free_port;
	return 0;
}

/* --- operations: use ---------------------------------------------------------------- */

static int op_send(struct model *m, struct model_domain *d, uint32_t port)
{
	struct model_port *p = model_lookup(d, port);

	if (!p || !model_is_usable(p) || p->state == PIRQ || p->state == VIRQ)
		return -XEN_EINVAL;
	if (p->state == UNBOUND)
		model_drop(p);
	if (p->state == IPI)
		model_post_from(m, d, port, d, port);
	if (p->state != INTERDOMAIN)
		return 0;
	if (d->shape.check_send && permit(m))
		return -XEN_EPERM;
	if (!model_limit_holds(d, port))
		model_send_to_peer(m, d, port);
	return 0;
}

static int op_status(struct model *m, struct model_domain *d,
		     struct evtchn_status *s)
{
	struct model_domain *owner = resolve(m, d, s->dom);
	const struct model_port *p;

	if (!owner)
		return -XEN_ESRCH;
	if (!m->xen_4_17 && permit_for(m, d, owner))
		return -XEN_EPERM;
	p = model_lookup(owner, s->port);
	if (!p)
		return -XEN_EINVAL;
	if (p->consumer && m->xen_4_17)
		return -XEN_EACCES;
	if (permit_for(m, d, owner))
		return -XEN_EPERM;
	s->status = p->state > RESERVED ? p->state - 1u : EVTCHNSTAT_closed;
	s->vcpu = p->vcpu;
	if (p->state == UNBOUND)
		s->u.unbound.dom = (domid_t)p->dom;
	if (p->state == INTERDOMAIN) {
		s->u.interdomain.dom = (domid_t)p->dom;
		s->u.interdomain.port = p->port;
	}
	if (p->state == PIRQ)
		s->u.pirq = p->source;
	if (p->state == VIRQ)
		s->u.virq = p->source;
	return 0;
}

static int bind_vcpu(struct model *m, struct model_domain *d,
		     const struct evtchn_bind_vcpu *a)
{
	struct model_port *p = model_lookup(d, a->port);

	if (a->vcpu >= d->shape.nr_vcpus)
		return -XEN_ENOENT;
	if (!p || !model_is_usable(p) || p->state == IPI ||
	    (p->state == VIRQ && model_is_per_vcpu(p->source)))
		return -XEN_EINVAL;
	p->vcpu = a->vcpu;
	if (p->state == PIRQ)
		model_note(m, MODEL_PIRQ_MOVE, d->id, p->source, a->vcpu);
	return 0;
}

static int op_unmask(struct model *m, struct model_domain *d, uint32_t port)
{
	const struct model_port *p = model_lookup(d, port);

	if (!p)
		return -XEN_EINVAL;
	if (model_is_usable(p))
		model_unmask(m, d, port);
	return 0;
}

static int set_priority(struct model_domain *d,
			const struct evtchn_set_priority *a)
{
	struct model_port *p = model_lookup(d, a->port);

	if (!p)
		return -XEN_EINVAL;
	if (!d->is_fifo)
		return -XEN_ENOSYS;
	if (!model_is_usable(p))
		return -XEN_EACCES;
	if (a->priority > EVTCHN_FIFO_PRIORITY_MIN)
		return -XEN_EINVAL;
	p->priority = a->priority;
	return 0;
}

static int op_reset(struct model *m, struct model_domain *d, uint32_t id,
		    bool cont)
{
	struct model_domain *t = resolve(m, d, id);

	if (!t)
		return -XEN_ESRCH;
	if (permit_for(m, d, t))
		return -XEN_EPERM;
	if (t != d && !t->paused)
		return -XEN_EINVAL;
	if (cont != (t->reset_next != 0))
		return -XEN_EBUSY;
	if (!cont)
		t->reset_next = 1;
	while (t->reset_next) {
		t->reset_next = model_close_some(m, t, t->reset_next, false);
		if (t->reset_next && m->host.yield)
			return -XEN_ERESTART;
	}
	if (model_has_open(t, false))
		return -XEN_EAGAIN;
	if (t->is_fifo)
		model_leave_fifo(m, t);
	return 0;
}

/* --- operations: FIFO --------------------------------------------------------------- */

static int init_control(struct model *m, struct model_domain *d,
			struct evtchn_init_control *a)
{
	uint32_t port;

	if (!d->shape.has_fifo)
		return -XEN_EOPNOTSUPP;
	if (a->vcpu >= d->shape.nr_vcpus)
		return -XEN_ENOENT;
	if (a->offset > 4096 - 72 || a->offset % 8)
		return -XEN_EINVAL;
	if (d->dying || d->control[a->vcpu] != MODEL_NOBODY ||
	    !model_may_map(a->control_gfn))
		return -XEN_EINVAL;
	d->control[a->vcpu] = (uint32_t)a->control_gfn * 4096 + a->offset;
	model_note(m, MODEL_MAP, d->id, (uint32_t)a->control_gfn, 0);
	for (port = 1; !d->is_fifo && port < d->nr_valid; port++) {
		if (model_is_pending_2l(d, port) &&
		    (m->xen_4_17 || model_is_usable(&d->port[port])))
			d->port[port].parked = true;
		d->port[port].priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
	}
	d->is_fifo = true;
	a->link_bits = EVTCHN_FIFO_LINK_BITS;
	return 0;
}

/* SPEC 11, L1 and L2: Xen 4.17 forgets nothing, and posts to closed ports. */
static void post_parked(struct model *m, struct model_domain *d, uint32_t port)
{
	struct model_port *p = &d->port[port];
	bool parked = p->parked;

	if (!m->xen_4_17) {
		p->parked = false;
		parked = parked && model_is_usable(p);
	}
	if (parked)
		model_post(m, d, port);
}

static int expand_array(struct model *m, struct model_domain *d,
			const struct evtchn_expand_array *a)
{
	uint32_t port;

	if (!d->is_fifo)
		return -XEN_EOPNOTSUPP;
	if (d->nr_pages == 128)
		return -XEN_ENOSPC;
	if (d->dying || !model_may_map(a->array_gfn))
		return -XEN_EINVAL;
	model_note(m, MODEL_MAP, d->id, (uint32_t)a->array_gfn, 0);
	d->array[d->nr_pages++] = (uint32_t)a->array_gfn * 4096;
	for (port = (d->nr_pages - 1) * 1024;
	     port < d->nr_pages * 1024 && port < d->nr_valid; port++)
		post_parked(m, d, port);
	return 0;
}

/* --- hypercalls --------------------------------------------------------------- */

union arg {
	struct evtchn_alloc_unbound alloc_unbound;
	struct evtchn_bind_interdomain bind_interdomain;
	struct evtchn_bind_virq bind_virq;
	struct evtchn_bind_pirq bind_pirq;
	struct evtchn_bind_ipi bind_ipi;
	struct evtchn_close close;
	struct evtchn_send send;
	struct evtchn_status status;
	struct evtchn_bind_vcpu bind_vcpu;
	struct evtchn_unmask unmask;
	struct evtchn_reset reset;
	struct evtchn_init_control init_control;
	struct evtchn_expand_array expand_array;
	struct evtchn_set_priority set_priority;
};

static int perform(struct model *m, struct model_domain *d, uint32_t cmd,
		   union arg *a)
{
	switch (cmd) {
	case EVTCHNOP_bind_interdomain:
		return bind_interdomain(m, d, &a->bind_interdomain);
	case EVTCHNOP_bind_virq:
		return bind_virq(m, d, &a->bind_virq);
	case EVTCHNOP_bind_pirq:
		return bind_pirq(m, d, &a->bind_pirq);
	case EVTCHNOP_close:
		return model_close(m, d, a->close.port);
	case EVTCHNOP_send:
		return op_send(m, d, a->send.port);
	case EVTCHNOP_status:
		return op_status(m, d, &a->status);
	case EVTCHNOP_alloc_unbound:
		return alloc_unbound(m, d, &a->alloc_unbound);
	case EVTCHNOP_bind_ipi:
		return model_bind_ipi(m, d, a->bind_ipi.vcpu,
				      &a->bind_ipi.port);
	case EVTCHNOP_bind_vcpu:
		return bind_vcpu(m, d, &a->bind_vcpu);
	case EVTCHNOP_unmask:
		return op_unmask(m, d, a->unmask.port);
	case EVTCHNOP_reset:
		return op_reset(m, d, a->reset.dom, false);
	case EVTCHNOP_init_control:
		return init_control(m, d, &a->init_control);
	case EVTCHNOP_expand_array:
		return expand_array(m, d, &a->expand_array);
	case EVTCHNOP_set_priority:
		return set_priority(d, &a->set_priority);
	default:
		return op_reset(m, d, a->reset.dom, true);
	}
}

int model_hypercall(struct model *m, uint32_t id, uint32_t cmd, uint64_t addr)
{
	static const uint8_t size[] = {12, 12, 12, 4,  4, 24, 8, 8,
				       8,  4,  2,  24, 8, 8,  2};
	static const bool has_result[] = {1, 1, 1, 0, 0, 1, 1, 1,
					  0, 0, 0, 1, 0, 0, 0};
	struct model_domain *d = &m->domain[id];
	union arg a;
	int rc;

	if (cmd > EVTCHNOP_reset_cont)
		return -XEN_ENOSYS;
	if (!model_in(d, &a, addr, size[cmd]))
		return -XEN_EFAULT;
	rc = perform(m, d, cmd, &a);
	if (!rc && has_result[cmd] && !model_out(d, addr, &a, size[cmd]))
		rc = -XEN_EFAULT;
	return rc;
}

int model_compat(struct model *m, uint32_t id, uint64_t addr)
{
	uint32_t cmd;

	if (!model_in(&m->domain[id], &cmd, addr, 4))
		return -XEN_EFAULT;
	if (cmd > EVTCHNOP_unmask)
		return -XEN_ENOSYS;
	return model_hypercall(m, id, cmd, addr + 4);
}

int model_status(struct model *m, uint32_t id, struct evtchn_status *s)
{
	return op_status(m, &m->domain[id], s);
}
