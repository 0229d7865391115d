/* SPDX-License-Identifier: MIT */
/*
 * What `evtchn ls` shows: domains and their ports, a page at a time, in the
 * order of their numbers.  Nothing is kept between pages, so a listing is not
 * a snapshot: what changes meanwhile may show in part.
 *
 * All others wait while a page is made, so the work for one is bounded, and a
 * page may be short, even empty, without being the last: the cursor tells.
 */
#include <string.h>

#include "broker.h"
#include "kept.h"

/* The domain with the lowest id from @domid up, of those @v may see. */
static struct evd_dom *dom_from(const struct evd_view *v, uint32_t domid)
{
	struct evd_dom *d = evd_dom_from(v->conn->broker, domid);

	while (d && !evd_policy_sees(v, d))
		d = evd_dom_from(v->conn->broker, d->core.domid + 1u);
	return d;
}

static bool status_of(struct evd_dom *d, evtchn_port_t port,
		      struct evtchn_status *st)
{
	*st = (struct evtchn_status){.dom = DOMID_SELF, .port = port};
	return !evc_status(&d->core, st);
}

static void fill_domain(struct evd_dom *d, struct evp_domain_entry *e)
{
	e->domid = d->core.domid;
	e->privileged = d->core.domid == 0;
	e->nr_attached = d->nr_atts;
	e->pid = (uint32_t)(d->atts ? d->atts->conn->pid : d->pid);
	/* The lock that guards it is for other threads; there are none. */
	e->nr_ports = d->core.ports.nr_open;
	memcpy(e->name, d->name, sizeof(e->name));
}

void evd_list_domains(struct evd_conn *c, const struct evp_domains *m)
{
	struct evp_domain_page r;
	struct evd_view view;
	uint32_t domid = m->domid;
	struct evd_dom *d;
	size_t len;

	evd_policy_look(c, &view);
	memset(&r, 0, sizeof(r));
	r.next = UINT32_MAX;
	while ((d = dom_from(&view, domid))) {
		if (r.count == EVP_DOMAINS_PER_PAGE) {
			r.next = d->core.domid;
			break;
		}
		fill_domain(d, &r.entry[r.count++]);
		domid = d->core.domid + 1u;
	}
	len = offsetof(struct evp_domain_page, entry) +
	      r.count * sizeof(r.entry[0]);
	evp_hdr_init(&r.hdr, EVP_DOMAIN_PAGE, len, m->hdr.seq);
	evd_send(c, &r, len, NULL, 0);
}

/* --- ports ------------------------------------------------------------------ */

#define WORK_PER_PAGE	2048 /* ports looked at */
#define WORK_PER_DOMAIN 16

static void fill_port(struct evd_dom *d, const struct evtchn_status *st,
		      struct evp_port_entry *e)
{
	const struct evd_port *p = evd_port(d, st->port);

	e->domid = d->core.domid;
	e->port = st->port;
	e->status = st->status;
	e->vcpu = st->vcpu;
	e->linked = p->link != NULL;
	e->kept = p->kept != NULL;
	if (p->kept)
		memcpy(e->name, evd_kept_name(p->kept), sizeof(e->name));
	if (p->att) {
		e->pid = (uint32_t)p->att->conn->pid;
		memcpy(e->name, p->att->name, sizeof(e->name));
	}
	switch (st->status) {
	case EVTCHNSTAT_unbound:
		e->peer_domid = st->u.unbound.dom;
		break;
	case EVTCHNSTAT_interdomain:
		e->peer_domid = st->u.interdomain.dom;
		e->peer = st->u.interdomain.port;
		break;
	case EVTCHNSTAT_pirq:
		e->peer = st->u.pirq;
		break;
	case EVTCHNSTAT_virq:
		e->peer = st->u.virq;
		break;
	default: /* a number, not a state: an IPI has no more to show */
		break;
	}
}

bool evd_list_port(struct evd_dom *d, evtchn_port_t port,
		   struct evp_port_entry *e)
{
	struct evtchn_status st;

	memset(e, 0, sizeof(*e));
	if (!status_of(d, port, &st) || st.status == EVTCHNSTAT_closed)
		return false;
	fill_port(d, &st, e);
	return true;
}

/*
 * Fill @r with ports of @d from @port up, for at most *@work looks.  Returns
 * where to go on, or 0.
 */
static uint32_t fill_page(struct evd_dom *d, uint32_t port,
			  struct evp_list_page *r, uint32_t *work)
{
	struct evtchn_status st;

	for (; status_of(d, port, &st); port++) {
		if (!*work || r->count == EVP_PORTS_PER_PAGE)
			return port;
		--*work;
		if (st.status != EVTCHNSTAT_closed)
			fill_port(d, &st, &r->entry[r->count++]);
	}
	return 0;
}

/* One of many domains; to find the next one costs as much as some ports. */
static uint32_t fill_from(struct evd_dom *d, uint32_t port,
			  struct evp_list_page *r, uint32_t *work)
{
	if (!*work)
		return port ? port : 1;
	*work -= *work < WORK_PER_DOMAIN ? *work : WORK_PER_DOMAIN;
	if (!d->core.ports.nr_open)
		return 0;
	return fill_page(d, port ? port : 1, r, work);
}

void evd_list_ports(struct evd_conn *c, const struct evp_list *m)
{
	struct evp_list_page r;
	struct evd_view view;
	struct evd_dom *d;
	uint32_t port, work = WORK_PER_PAGE;
	size_t len;

	evd_policy_look(c, &view);
	d = dom_from(&view, m->domid);
	port = d && d->core.domid == m->domid ? m->port : 0;
	memset(&r, 0, sizeof(r));
	r.next_domid = UINT32_MAX;
	while (d) {
		port = fill_from(d, port, &r, &work);
		if (port) {
			r.next_domid = d->core.domid;
			r.next_port = port;
			break;
		}
		d = dom_from(&view, d->core.domid + 1u);
	}
	len = offsetof(struct evp_list_page, entry) +
	      r.count * sizeof(r.entry[0]);
	evp_hdr_init(&r.hdr, EVP_LIST_PAGE, len, m->hdr.seq);
	evd_send(c, &r, len, NULL, 0);
}
