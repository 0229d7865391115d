/* SPDX-License-Identifier: MIT */
/*
 * Which attachment a port belongs to.
 *
 * The core knows domains; within a domain a port is the attachment's that
 * opened it, as with Linux's /dev/xen/evtchn it is the open file's.  Its events
 * go there and to nobody else, nobody else can send on it or close it, and with
 * its owner it goes.  A port that another domain made in this one
 * (alloc_unbound by a control domain) is the longest-attached's, or waits, with
 * the events sent to it, for the first to come.
 */
#include "broker.h"
#include "kept.h"

bool evd_may_use(const struct evd_att *a, evtchn_port_t port)
{
	const struct evd_port *p = evd_port(a->dom, port);

	return !p || p->att == a || (!p->att && !p->orphan && !p->kept);
}

struct evd_att *evd_first_att(const struct evd_dom *d)
{
	struct evd_att *a = d->atts;

	while (a && a->nr_claim_pages)
		a = a->next;
	return a;
}

void evd_own(struct evd_dom *d, evtchn_port_t port, struct evd_att *a)
{
	struct evd_port *p = evd_port(d, port);

	if (!p)
		return;
	p->att = a;
	if (a && p->parked) {
		p->parked = false;
		evd_post(d, port);
	}
}

void evd_tell_given(struct evd_att *a, evtchn_port_t port)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = port};
	struct evp_given m = {.what = {.port = port}};

	if (evc_status(&a->dom->core, &st))
		return;
	m.what.kind = (uint8_t)st.status;
	m.what.watched = evd_port(a->dom, port)->watched;
	m.what.vcpu = st.vcpu;
	if (st.status == EVTCHNSTAT_unbound) {
		m.what.domid = st.u.unbound.dom;
	} else if (st.status == EVTCHNSTAT_interdomain) {
		m.what.domid = st.u.interdomain.dom;
		m.what.number = st.u.interdomain.port;
	} else if (st.status == EVTCHNSTAT_virq) {
		m.what.number = st.u.virq;
	} else if (st.status == EVTCHNSTAT_pirq) {
		m.what.number = st.u.pirq;
	}
	evd_line_describe(a->dom, &m.what);
	evp_hdr_init(&m.hdr, EVP_GIVEN, sizeof(m), 0);
	evd_send(a->conn, &m, sizeof(m), NULL, 0);
}

static bool is_open(struct evd_dom *d, evtchn_port_t port)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = port};

	return !evc_status(&d->core, &st) && st.status != EVTCHNSTAT_closed;
}

void evd_own_all(struct evd_att *a)
{
	evtchn_port_t port;
	struct evd_port *p;

	/* Ports exist from 0 up. */
	for (port = 1; (p = evd_port(a->dom, port)); port++) {
		if (p->att || p->orphan || p->kept || !is_open(a->dom, port))
			continue;
		evd_own(a->dom, port, a);
		evd_tell_given(a, port);
		evd_link_try(a->dom, port);
	}
}

void evd_disown(struct evd_att *a)
{
	evtchn_port_t port;
	struct evd_port *p;

	for (port = 1; (p = evd_port(a->dom, port)); port++) {
		if (p->att != a)
			continue;
		evd_link_forget(p);
		p->att = NULL;
		p->orphan = true;
	}
	a->dom->next_orphan = 1;
}

/* --- ports that are kept (hold.c) ------------------------------------------- */

bool evd_port_hold(struct evd_dom *d, evtchn_port_t port)
{
	struct evd_port *p = evd_port(d, port);

	if (!p || p->orphan || !is_open(d, port))
		return false;
	p->nr_holds++;
	return true;
}

bool evd_port_shut(struct evd_dom *d, evtchn_port_t port)
{
	struct evd_port *p = evd_port(d, port);

	if (!p || !p->nr_holds)
		return false;
	p->orphan = true;
	evd_kept_closed(p);
	evd_link_shut(p);
	return true;
}

void evd_port_release(struct evd_dom *d, evtchn_port_t port,
		      uint32_t nr_closings, bool notify)
{
	struct evd_port *p = evd_port(d, port);

	if (p->nr_closings != nr_closings)
		return; /* by a reset: it may be another one by now */
	if (notify)
		(void)evc_send(&d->core, port);
	if (--p->nr_holds || !p->orphan)
		return;
	d->next_orphan = 1;
	evd_dom_begin(d, EVD_CLEAR);
}

/* --- closing what the dead left ---------------------------------------------- */

bool evd_close_orphans(struct evd_dom *d)
{
	unsigned int left = EVC_BUCKET_PORTS;
	struct evd_port *p;

	for (; left && (p = evd_port(d, d->next_orphan)); d->next_orphan++) {
		if (!p->orphan || p->nr_holds)
			continue;
		(void)evc_close(&d->core, p->port);
		left--;
	}
	return !left;
}
