/* SPDX-License-Identifier: MIT */
/*
 * The model: domains, their ports and what belongs to the host: polling,
 * sources, ends the hypervisor owns.
 */
#include <string.h>

#include "tests/model/model_private.h"

/* --- domains ---------------------------------------------------------------- */

void model_start(struct model *m, bool xen_4_17)
{
	uint32_t i;

	memset(m, 0, sizeof(*m));
	m->xen_4_17 = xen_4_17;
	m->hwdom = MODEL_NOBODY;
	for (i = 0; i < NR_VIRQS; i++)
		m->handler[i] = MODEL_NOBODY;
}

int model_create(struct model *m, uint32_t id, const struct model_shape *shape,
		 uint32_t generation)
{
	struct model_domain *d = &m->domain[id];
	uint32_t v;

	if (m->host.no_memory && !shape->nr_lent)
		return -XEN_ENOMEM;
	memset(d, 0, sizeof(*d));
	d->shape = *shape;
	d->id = id;
	d->is_64 = shape->is_64;
	d->exists = true;
	d->generation = generation;
	d->target = MODEL_NOBODY;
	d->nr_valid = 64;
	d->port[0].state = RESERVED;
	for (v = 0; v < MODEL_VCPUS; v++) {
		d->info[v] = v < XEN_LEGACY_MAX_VCPUS ? v * 64 : MODEL_DUMMY(v);
		d->control[v] = MODEL_NOBODY;
	}
	return 0;
}

/* --- ports -------------------------------------------------------------------- */

bool model_is_usable(const struct model_port *p)
{
	return p->state > RESERVED && !p->consumer;
}

struct model_port *model_lookup(struct model_domain *d, uint32_t port)
{
	return port < d->nr_valid ? &d->port[port] : NULL;
}

uint32_t model_port_limit(const struct model_domain *d)
{
	uint32_t limit = model_abi_limit(d);

	if (limit > d->shape.nr_buckets * 64)
		limit = d->shape.nr_buckets * 64;
	if (d->shape.max_port < limit)
		limit = d->shape.max_port + 1;
	return limit;
}

/* The lowest free port.  A new bucket is looked at no further: none is busy. */
int model_find_free(struct model *m, struct model_domain *d, uint32_t *port)
{
	if (d->dying)
		return -XEN_EINVAL;
	for (*port = 1; *port < model_port_limit(d); ++*port) {
		if (*port == d->nr_valid) {
			if (m->host.no_memory && *port / 64 >= d->shape.nr_lent)
				return -XEN_ENOMEM;
			d->nr_valid += 64;
			return 0;
		}
		if (d->port[*port].state == FREE && !model_is_busy(d, *port))
			return 0;
	}
	return -XEN_ENOSPC;
}

struct model_port *model_open(struct model_domain *d, uint32_t port,
			      enum model_state state, uint32_t vcpu)
{
	struct model_port *p = &d->port[port];

	p->state = state;
	p->vcpu = vcpu;
	p->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
	d->nr_open++;
	d->last_opened = port;
	return p;
}

void model_reserve(struct model_port *p, uint32_t d, uint32_t generation)
{
	p->state = UNBOUND;
	p->dom = d;
	p->generation = generation;
}

uint32_t model_generation_of(struct model *m, const struct model_domain *d,
			     uint32_t id)
{
	if (id == DOMID_SELF)
		return d->generation;
	return id < MODEL_DOMAINS && m->domain[id].exists
		       ? m->domain[id].generation
		       : 0;
}

/* --- VIRQ classes ---------------------------------------------------------- */

bool model_is_per_vcpu(uint32_t virq)
{
	return virq == VIRQ_TIMER || virq == VIRQ_DEBUG ||
	       virq == VIRQ_XENOPROF || virq == VIRQ_XENPMU;
}

bool model_is_global(uint32_t virq)
{
	return virq < NR_VIRQS && !model_is_per_vcpu(virq) && virq != VIRQ_ARGO;
}

uint32_t model_handler_of(const struct model *m, uint32_t virq)
{
	return m->handler[virq] == MODEL_NOBODY ? m->hwdom : m->handler[virq];
}

/* --- closing -------------------------------------------------------------------- */

static void disconnect(struct model *m, struct model_domain *d,
		       struct model_port *p)
{
	struct model_port *peer;

	switch (p->state) {
	case INTERDOMAIN:
		peer = &m->domain[p->dom].port[p->port];
		model_limit_forget(peer);
		model_reserve(peer, d->id, d->generation);
		if (peer->notice)
			(void)model_post(m, &m->domain[p->dom], p->port);
		break;
	case VIRQ:
		d->virq_port[model_is_per_vcpu(p->source) ? p->vcpu : 0]
			    [p->source] = 0;
		break;
	case PIRQ:
		d->pirq_port[p->source] = 0;
		model_note(m, MODEL_PIRQ_UNBIND, d->id, p->source, 0);
		break;
	case FREE:
	case RESERVED:
	case UNBOUND:
	case IPI:
		break;
	}
}

static void close_port(struct model *m, struct model_domain *d, uint32_t port)
{
	struct model_port *p = &d->port[port];

	disconnect(m, d, p);
	model_limit_forget(p);
	d->gone_sent += p->sent;
	d->gone_posted += p->posted;
	d->gone_dropped += p->dropped;
	p->sent = p->posted = p->dropped = 0;
	p->notice = false;
	d->nr_open--;
	if (p->consumer)
		d->nr_owned--;
	if (p->is_static)
		d->nr_static--;
	p->is_static = false;
	p->state = FREE;
	p->consumer = 0;
	p->vcpu = 0;
	model_clear(m, d, port);
}

int model_close(struct model *m, struct model_domain *d, uint32_t port)
{
	const struct model_port *p = model_lookup(d, port);

	if (!p || !model_is_usable(p) || p->is_static)
		return -XEN_EINVAL;
	close_port(m, d, port);
	return 0;
}

bool model_has_open(const struct model_domain *d, bool owned_too)
{
	return d->nr_open > (owned_too ? 0 : d->nr_owned + d->nr_static);
}

/*
 * Close what is open in 64 ports from @from on.  Returns where to go on, 0: it
 * is done, which is noticed in front of a port only.
 */
uint32_t model_close_some(struct model *m, struct model_domain *d,
			  uint32_t from, bool owned_too)
{
	uint32_t port;

	for (port = from; port < from + 64 && port < d->nr_valid; port++) {
		if (!model_has_open(d, owned_too))
			return 0;
		if (d->port[port].state != FREE &&
		    (owned_too ||
		     !(d->port[port].consumer || d->port[port].is_static)))
			close_port(m, d, port);
	}
	return port < d->nr_valid ? port : 0;
}

void model_leave_fifo(struct model *m, struct model_domain *d)
{
	uint32_t i;

	d->is_fifo = false;
	for (i = 1; i < d->nr_valid; i++) {
		if (d->port[i].is_static)
			model_carry_back(m, d, i);
	}
	for (i = 0; i < d->shape.nr_vcpus; i++) {
		if (d->control[i] != MODEL_NOBODY)
			model_note(m, MODEL_UNMAP, d->id, d->control[i] / 4096,
				   0);
		d->control[i] = MODEL_NOBODY;
	}
	for (i = 0; i < d->nr_pages; i++)
		model_note(m, MODEL_UNMAP, d->id, d->array[i] / 4096, 0);
	memset(d->tail, 0, sizeof(d->tail));
	d->nr_pages = 0;
}

int model_destroy(struct model *m, uint32_t id)
{
	struct model_domain *d = &m->domain[id];
	uint32_t i;

	if (!d->dying)
		d->destroy_next = 1;
	d->dying = true;
	while (d->destroy_next) {
		d->destroy_next = model_close_some(m, d, d->destroy_next, true);
		if (d->destroy_next && m->host.yield)
			return -XEN_ERESTART;
	}
	model_leave_fifo(m, d);
	for (i = 0; i < NR_VIRQS; i++) {
		if (m->handler[i] == id)
			m->handler[i] = MODEL_NOBODY;
	}
	if (m->hwdom == id)
		m->hwdom = MODEL_NOBODY;
	d->gone = true;
	return 0;
}

void model_remove(struct model *m, uint32_t id)
{
	uint32_t i;

	m->domain[id].exists = false;
	for (i = 0; i < MODEL_DOMAINS; i++) {
		if (m->domain[i].target == id)
			m->domain[i].target = MODEL_NOBODY;
	}
}

/* --- polling ------------------------------------------------------------------- */

static int poll_ports(struct model *m, struct model_domain *d, uint64_t ports,
		      uint32_t nr, uint32_t *last)
{
	const struct model_port *p;
	uint32_t i;

	if (m->host.upcall)
		return 0;
	for (i = 0; i < nr; i++) {
		if (!model_in(d, last, ports + i * 4, 4))
			return -XEN_EFAULT;
		p = model_lookup(d, *last);
		if (!p || !model_is_usable(p))
			return -XEN_EINVAL;
		if (model_is_pending(d, *last))
			return 0;
	}
	return MODEL_BLOCK;
}

int model_poll(struct model *m, uint32_t id, uint32_t vcpu, uint64_t addr,
	       bool narrow, uint64_t *timeout)
{
	struct model_domain *d = &m->domain[id];
	uint8_t a[24] = {0};
	uint64_t ports = 0, until;
	uint32_t nr, port = 0;
	int rc;

	if (!model_in(d, a, addr, narrow ? 16 : 24))
		return -XEN_EFAULT;
	memcpy(&ports, a, narrow ? 4 : 8);
	memcpy(&nr, a + (narrow ? 4 : 8), 4);
	memcpy(&until, a + (narrow ? 8 : 16), 8);
	if (nr > 128)
		return -XEN_EINVAL;
	rc = poll_ports(m, d, ports, nr, &port);
	d->poll[vcpu] = 0;
	if (rc == MODEL_BLOCK) {
		d->poll[vcpu] = nr == 1 ? port : MODEL_NOBODY;
		*timeout = until;
	}
	return rc;
}

/* --- sources ------------------------------------------------------------------- */

static void raise_virq(struct model *m, struct model_domain *d, uint32_t vcpu,
		       uint32_t virq)
{
	uint32_t port = d->virq_port[vcpu][virq];

	if (port)
		model_post_from(m, d, port, d, port);
}

void model_virq(struct model *m, uint32_t id, uint32_t vcpu, uint32_t virq)
{
	if (model_is_per_vcpu(virq))
		raise_virq(m, &m->domain[id], vcpu, virq);
}

void model_virq_domain(struct model *m, uint32_t id, uint32_t virq)
{
	if (virq == VIRQ_ARGO)
		raise_virq(m, &m->domain[id], 0, virq);
}

void model_virq_global(struct model *m, uint32_t virq)
{
	if (model_is_global(virq) && model_handler_of(m, virq) != MODEL_NOBODY)
		raise_virq(m, &m->domain[model_handler_of(m, virq)], 0, virq);
}

int model_set_handler(struct model *m, uint32_t id, uint32_t virq)
{
	uint32_t old;

	if (!model_is_global(virq))
		return -XEN_EINVAL;
	old = model_handler_of(m, virq);
	if (old != id && m->domain[id].dying)
		return -XEN_EINVAL;
	if (old != id && old != MODEL_NOBODY && !m->xen_4_17 &&
	    m->domain[old].virq_port[0][virq])
		return -XEN_EBUSY;
	m->handler[virq] = id;
	return 0;
}

void model_pirq(struct model *m, uint32_t id, uint32_t pirq)
{
	struct model_domain *d = &m->domain[id];

	if (pirq < d->shape.nr_pirqs && d->pirq_port[pirq])
		model_post_from(m, d, d->pirq_port[pirq], d,
				d->pirq_port[pirq]);
}

/* --- ends the hypervisor owns ---------------------------------------------------- */

static bool has_place(struct model *m, uint32_t fn)
{
	if (m->callbacks >> fn & 1)
		return true;
	if (__builtin_popcount(m->callbacks) == 7)
		return false;
	m->callbacks |= 1u << fn;
	return true;
}

int model_consumer_alloc(struct model *m, uint32_t id, uint32_t vcpu,
			 uint32_t remote, uint32_t fn, uint32_t *port)
{
	struct model_domain *d = &m->domain[id];
	uint32_t free_port;
	int rc;

	if (fn == MODEL_NOBODY)
		return -XEN_EINVAL;
	if (vcpu >= d->shape.nr_vcpus)
		return -XEN_ENOENT;
	if (!has_place(m, fn))
		return -XEN_ENOBUFS;
	rc = model_find_free(m, d, &free_port);
	if (rc)
		return rc;
	model_reserve(model_open(d, free_port, UNBOUND, vcpu), remote,
		      model_generation_of(m, d, remote));
	d->port[free_port].consumer = fn + 1;
	d->nr_owned++;
	*port = free_port;
	return 0;
}

int model_consumer_free(struct model *m, uint32_t id, uint32_t port)
{
	struct model_domain *d = &m->domain[id];
	const struct model_port *p = model_lookup(d, port);

	if (!p || !p->consumer)
		return -XEN_EINVAL;
	close_port(m, d, port);
	return 0;
}

void model_consumer_notify(struct model *m, uint32_t id, uint32_t port)
{
	const struct model_port *p = model_lookup(&m->domain[id], port);

	if (p && p->consumer && p->state == INTERDOMAIN)
		model_post_from(m, &m->domain[id], port, &m->domain[p->dom],
				p->port);
}

/* --- vcpu_info ------------------------------------------------------------------- */

int model_register_info(struct model *m, uint32_t id, uint32_t vcpu,
			uint32_t offset)
{
	struct model_domain *d = &m->domain[id];

	if (offset == MODEL_NOBODY || offset % 8)
		return -XEN_EINVAL;
	if (d->info_registered[vcpu])
		return m->xen_4_17 ? -XEN_EINVAL : -XEN_EBUSY;
	memmove(d->memory + offset, d->memory + d->info[vcpu], 64);
	d->info_registered[vcpu] = true;
	d->info[vcpu] = offset;
	memset(d->memory + offset + model_sel_at(d), 0xff, d->is_64 ? 8 : 4);
	model_raise(m, d, vcpu);
	return 0;
}
