/* SPDX-License-Identifier: MIT */
/*
 * The model: what Xen does not have (evc.h, last section): counters, notice of
 * a peer's close, storm limits, static channels (static.h).
 */
#include <string.h>

#include "tests/model/model_private.h"

/* --- counters ------------------------------------------------------------------ */

void model_post_from(struct model *m, struct model_domain *own, uint32_t from,
		     struct model_domain *d, uint32_t to)
{
	own->port[from].sent++;
	if (model_post(m, d, to))
		own->port[from].posted++;
}

void model_drop(struct model_port *p)
{
	p->sent++;
	p->dropped++;
}

/* --- notice ------------------------------------------------------------------ */

int model_watch_peer(struct model *m, uint32_t id, uint32_t port, bool on)
{
	struct model_port *p = model_lookup(&m->domain[id], port);

	if (!p || !model_is_usable(p) ||
	    (p->state != UNBOUND && p->state != INTERDOMAIN))
		return -XEN_EINVAL;
	p->notice = on;
	return 0;
}

/* --- sending, and the storm limit ------------------------------------------------ */

void model_send_to_peer(struct model *m, struct model_domain *d, uint32_t port)
{
	struct model_port *p = &d->port[port];
	const struct model_port *peer = &m->domain[p->dom].port[p->port];

	if (!peer->consumer) {
		model_post_from(m, d, port, &m->domain[p->dom], p->port);
		return;
	}
	p->sent++;
	p->posted++;
	model_note(m, MODEL_CALL, p->dom,
		   (peer->consumer - 1) << 16 | peer->vcpu, p->port);
	if (peer->consumer == 1)
		model_consumer_notify(m, p->dom, p->port);
}

bool model_limit_holds(struct model_domain *d, uint32_t port)
{
	struct model_port *p = &d->port[port];

	if (!d->shape.has_limit)
		return false;
	/* The event that waited and this one are one. */
	if (p->is_held)
		p->sent++;
	p->is_held = d->burst && (!d->left || d->nr_held);
	if (!p->is_held && d->left)
		d->left--;
	if (!p->is_held)
		return false;
	d->delayed++;
	if (!p->is_listed)
		d->held[d->nr_held++] = port;
	p->is_listed = true;
	return true;
}

void model_limit_forget(struct model_port *p)
{
	if (p->is_held)
		model_drop(p);
	p->is_held = false;
}

int model_limit_set(struct model *m, uint32_t id, uint32_t burst)
{
	struct model_domain *d = &m->domain[id];

	if (!d->shape.has_limit)
		return -XEN_EOPNOTSUPP;
	d->burst = d->left = burst;
	return 0;
}

uint32_t model_limit_refill(struct model *m, uint32_t id)
{
	struct model_domain *d = &m->domain[id];
	uint32_t n = d->burst ? d->burst : 64;
	struct model_port *p;
	uint32_t port;

	d->left = d->burst;
	for (; n && d->nr_held && (d->left || !d->burst); n--) {
		port = d->held[0];
		p = &d->port[port];
		memmove(d->held, d->held + 1, --d->nr_held * sizeof(port));
		if (d->left)
			d->left--;
		p->is_listed = false;
		if (p->is_held) {
			p->is_held = false;
			model_send_to_peer(m, d, port);
		}
	}
	return d->nr_held;
}

/* --- static channels --------------------------------------------------------------- */

/* Buckets up to @port exist, or are lent and come now. */
static bool grow_lent(struct model_domain *d, uint32_t port)
{
	if (port < d->nr_valid)
		return true;
	if (port / 64 >= d->shape.nr_lent)
		return false;
	d->nr_valid = (port / 64 + 1) * 64;
	return true;
}

static bool is_end_of(const struct model_port *p, const struct model_end *other)
{
	return p->is_static && p->dom == other->dom &&
	       (p->state == UNBOUND ||
		(p->state == INTERDOMAIN && p->port == other->port));
}

static int check_end(struct model *m, const struct model_end *end,
		     const struct model_end *other)
{
	struct model_domain *d;
	const struct model_port *p;

	if (end->dom >= MODEL_DOMAINS || !m->domain[end->dom].exists)
		return -XEN_ESRCH;
	d = &m->domain[end->dom];
	if (end->vcpu >= d->shape.nr_vcpus)
		return -XEN_ENOENT;
	if (end->port == 0 || d->dying)
		return -XEN_EINVAL;
	if (end->port >= model_port_limit(d))
		return -XEN_ENOSPC;
	if (!grow_lent(d, end->port))
		return -XEN_ENOMEM;
	p = &d->port[end->port];
	if (p->state == FREE ? model_is_busy(d, end->port)
			     : !is_end_of(p, other))
		return -XEN_EBUSY;
	return 0;
}

/* Returns whether it was not there before. */
static bool open_end(struct model *m, const struct model_end *end,
		     const struct model_end *other)
{
	struct model_domain *d = &m->domain[end->dom];
	struct model_port *p = &d->port[end->port];
	const bool opened = p->state == FREE;

	if (opened) {
		model_open(d, end->port, UNBOUND, end->vcpu)->is_static = true;
		d->nr_static++;
	}
	if (p->state == UNBOUND)
		model_reserve(p, other->dom, m->domain[other->dom].generation);
	return opened;
}

static void connect_end(struct model *m, const struct model_end *end,
			const struct model_end *other)
{
	struct model_port *p = &m->domain[end->dom].port[end->port];

	p->state = INTERDOMAIN;
	p->dom = other->dom;
	p->port = other->port;
}

int model_static(struct model *m, const struct model_end *a,
		 const struct model_end *b)
{
	int rc = check_end(m, a, b);
	bool new_a, new_b;

	if (!rc)
		rc = check_end(m, b, a);
	if (!rc && a->dom == b->dom && a->port == b->port)
		rc = -XEN_EINVAL;
	if (rc)
		return rc;
	new_a = open_end(m, a, b);
	new_b = open_end(m, b, a);
	connect_end(m, a, b);
	connect_end(m, b, a);
	if (new_a && !new_b)
		(void)model_post(m, &m->domain[a->dom], a->port);
	if (new_b && !new_a)
		(void)model_post(m, &m->domain[b->dom], b->port);
	return 0;
}
