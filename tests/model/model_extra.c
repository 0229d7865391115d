/* SPDX-License-Identifier: MIT */
/*
 * The model: what Xen does not have (evc.h, last section): counters, notice of
 * a peer's close, storm limits.
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
	p->is_held = d->burst && !d->left;
	if (d->left)
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
	for (n = n < d->nr_held ? n : d->nr_held; n; n--) {
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
