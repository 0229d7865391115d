/* SPDX-License-Identifier: MIT */
/*
 * A program replaced by another one, by exec(), whose attachment goes on.
 *
 * The connection stays open, and the ports stay what they are.  Gone is the
 * memory of the old program: its lanes, which of its ports had an event, what it
 * had heard from here and not answered.  So the new one gets a lane and a bell
 * as if it had just attached, every link is broken as if its end were
 * closed, and made again, and what may be lost is made up for with events that
 * may be spurious: on every port one, and on the other end's wherever a link was
 * just being made or broken.
 *
 * A peer is told of each broken link and has to answer, as when a port is
 * closed: that bounds what can be put into its queue by taking over again and
 * again (EVD_MAX_AWAITED).  What it sent into the old lane and nobody took, it
 * says with that answer.
 */
#include "broker.h"
#include "width.h"

/* From now on nothing is awaited of the old program, and nothing reaches it. */
static void forget_old(struct evd_att *a)
{
	struct evd_port *p;
	evtchn_port_t port;

	evd_links_resend(a);
	/* Ports exist from 0 up. */
	for (port = 1; (p = evd_port(a->dom, port)); port++) {
		if (p->att == a)
			evd_link_restart(p);
	}
	evd_links_forget(a);
	evd_pairs_drop(a);
	evd_att_strip(a);
}

static void answer(struct evd_conn *c, uint32_t seq, uint64_t lane,
		   const int *fd)
{
	struct evp_taken_over m = {.domid = c->dom->core.domid, .lane = lane};
	const struct evd_port *p;
	evtchn_port_t port;

	for (port = 1; (p = evd_port(c->dom, port)); port++) {
		if (p->att == c->att)
			m.nr_ports++;
	}
	evp_hdr_init(&m.hdr, EVP_TAKEN_OVER, sizeof(m), seq);
	evd_send(c, &m, sizeof(m), fd, 2);
}

static void tell_if_ipi(struct evd_conn *c, evtchn_port_t port)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = port};
	struct evp_local m = {.port = port, .peer = port};

	if (evc_status(&c->dom->core, &st) || st.status != EVTCHNSTAT_ipi)
		return;
	evp_hdr_init(&m.hdr, EVP_LOCAL, sizeof(m), 0);
	evd_send(c, &m, sizeof(m), NULL, 0);
}

static void begin_anew(struct evd_conn *c)
{
	const struct evd_port *p;
	evtchn_port_t port;

	for (port = 1; (p = evd_port(c->dom, port)); port++) {
		if (p->att != c->att)
			continue;
		evd_link_try(c->dom, port);
		tell_if_ipi(c, port);
		evd_post(c->dom, port);
	}
}

/* Before anything else is said of them. */
static void give_again(struct evd_att *a)
{
	const struct evd_port *p;
	evtchn_port_t port;

	for (port = 1; (p = evd_port(a->dom, port)); port++) {
		if (p->att == a)
			evd_tell_given(a, port);
	}
}

void evd_take_over(struct evd_conn *c, uint32_t seq)
{
	struct evd_att *a = c->att;
	struct evd_att fresh = {.rope = -1};
	uint64_t lane = ++c->broker->last_id;
	int rc, fd[2] = {-1, -1};

	if (!evd_may_get(c, 2)) {
		evd_doom(c, "takes over again and reads no answer");
		return;
	}
	rc = evd_att_equip(&fresh, fd);
	if (rc) {
		evd_refuse(c, seq, rc, "no room to take over");
		return;
	}
	forget_old(a);
	a->rope = fresh.rope;
	a->lane = fresh.lane;
	evd_be_2l(a); /* until the new program switches */
	answer(c, seq, lane, fd);
	evd_tell_place(a);
	give_again(a);
	begin_anew(c);
}
