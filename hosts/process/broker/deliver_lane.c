/* SPDX-License-Identifier: MIT */
/*
 * Delivery as the core's ops table: into the broker's lane of the port's owner
 * (port_lane.h).
 *
 * This is the slow path: what the broker raises by itself (the event a new
 * connection starts with, VIRQs) and sends of a domain that has not heard yet
 * which lane its port uses.  Masks, selectors and upcalls are the receiver's
 * business, in its own memory, so post() never asks for anything.
 *
 * clear() is called by the core for every port it closes, whatever the reason;
 * that is how the broker knows.
 */
#include "broker.h"
#include "width.h"
#include "kept.h"

static void park(struct evd_port *p)
{
	struct evp_port_counts *n = p->kept ? evd_counts_of(p) : NULL;

	if (n && !p->parked)
		evp_count(&n->events);
	p->parked = true;
	if (p->kept)
		evd_kept_post(p);
}

void evd_post(struct evd_dom *d, evtchn_port_t port)
{
	struct evd_port *p = evd_port(d, port);

	if (p && p->att)
		(void)evp_port_send(p->att->lane, p->att->rope, port);
	else if (p)
		park(p);
}

static struct evc_posted post_lane(struct evc_domain *d, struct evc_channel *ch)
{
	evd_post(d->host, ch->port);
	return (struct evc_posted){EVC_NOTHING, NULL};
}

static struct evc_posted unmask_lane(struct evc_domain *d,
				     struct evc_channel *ch)
{
	(void)d;
	(void)ch;
	/* The receiver has the mask bits. */
	return (struct evc_posted){EVC_NOTHING, NULL};
}

static void clear_lane(struct evc_domain *d, struct evc_channel *ch)
{
	struct evd_dom *dom = d->host;
	struct evd_port *p = evd_port(dom, ch->port);

	if (!p || p->closed)
		return;
	if (p->att)
		(void)evp_port_take(p->att->lane, ch->port);
	p->parked = false;
	p->closed = true;
	p->next_closed = dom->broker->closed;
	dom->broker->closed = p;
}

/* Only asked by evc_poll(), which the broker does not use. */
static bool is_pending_lane(struct evc_domain *d, struct evc_channel *ch)
{
	const struct evd_port *p = evd_port(d->host, ch->port);

	return p && p->parked;
}

static bool is_busy_lane(struct evc_domain *d, struct evc_channel *ch)
{
	(void)d;
	(void)ch;
	return false;
}

static uint32_t nr_ports_lane(const struct evc_domain *d)
{
	return evd_room_for_ports(d->host);
}

const struct evc_deliver evd_deliver = {
	.post = post_lane,
	.unmask = unmask_lane,
	.clear = clear_lane,
	.is_pending = is_pending_lane,
	.is_busy = is_busy_lane,
	.nr_ports = nr_ports_lane,
	.has_priorities = false,
};
