/* SPDX-License-Identifier: MIT */
/*
 * Links: which slots two connected ports use, from connecting to the moment
 * when nobody can use these slots any more.  proto.h has the exchange.
 *
 * A link is optional: without one a send goes through the broker and arrives
 * all the same.  So whatever is short (descriptors, slots, patience with a
 * peer that leaves too much unanswered), the answer is to do without, and to
 * try again at the next send that comes through here.  That bound on what is
 * unanswered keeps a domain from filling another one's queue by binding and
 * closing.
 *
 * Answers come in the order of the questions, so the question answered is the
 * first one awaited; anything else ends the connection.
 */
#include <stdlib.h>

#include "broker.h"
#include "kept.h"

/* --- telling the ends ------------------------------------------------------- */

void evd_tell_local(struct evd_att *a, evtchn_port_t port, evtchn_port_t peer)
{
	struct evp_local m = {.port = port, .peer = peer};

	evp_hdr_init(&m.hdr, EVP_LOCAL, sizeof(m), 0);
	evd_send(a->conn, &m, sizeof(m), NULL, 0);
}

static void tell_connected(const struct evd_link *l, unsigned int i)
{
	const struct evd_pair *p = l->pair;
	struct evp_connect m = {.link = l->id,
				.lane_in = p->id[l->side[i]],
				.lane_out = p->id[l->side[!i]],
				.slot_in = l->slot[i],
				.slot_out = l->slot[!i],
				.port = l->port[i],
				.peer = l->port[!i]};

	evp_hdr_init(&m.hdr, EVP_CONNECT, sizeof(m), 0);
	evd_send(l->att[i]->conn, &m, sizeof(m), NULL, 0);
}

static void tell_disconnected(struct evd_att *a, uint64_t link,
			      evtchn_port_t port)
{
	struct evp_port_msg m = {.link = link, .port = port};

	evp_hdr_init(&m.hdr, EVP_DISCONNECT, sizeof(m), 0);
	evd_send(a->conn, &m, sizeof(m), NULL, 0);
}

void evd_tell_closed(struct evd_att *a, evtchn_port_t port, bool unasked)
{
	struct evp_port_msg m = {.port = port, .unasked = unasked};

	evp_hdr_init(&m.hdr, EVP_CLOSED, sizeof(m), 0);
	evd_send(a->conn, &m, sizeof(m), NULL, 0);
}

static void tell_retire(const struct evd_link *l, unsigned int i)
{
	struct evp_retire m = {.link = l->id,
			       .lane_in = l->pair->id[l->side[i]],
			       .slot_in = l->slot[i]};

	evp_hdr_init(&m.hdr, EVP_RETIRE, sizeof(m), 0);
	evd_send(l->att[i]->conn, &m, sizeof(m), NULL, 0);
}

/* --- making ----------------------------------------------------------------- */

static void enter(struct evd_link *l)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		evd_port(l->dom[i], l->port[i])->link = l;
}

/* Slots in both directions. */
static void take_slots(struct evd_link *l)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		l->side[i] = evd_pair_side(l->pair, l->att[i]);
		l->slot[i] = evd_slot_take(l->pair, l->side[i]);
	}
}

static bool is_patient(const struct evd_att *a)
{
	return !a->conn->doomed && a->nr_awaited < EVD_MAX_AWAITED;
}

static bool equip(struct evd_broker *b, struct evd_link *l)
{
	if (l->att[0] == l->att[1])
		return true;
	if (!is_patient(l->att[0]) || !is_patient(l->att[1]))
		return false;
	l->pair = evd_pair_get(b, l->att[0], l->att[1]);
	if (l->pair)
		take_slots(l);
	return l->pair != NULL;
}

static void tell_both(const struct evd_link *l)
{
	if (l->pair) {
		tell_connected(l, 0);
		tell_connected(l, 1);
		return;
	}
	evd_tell_local(l->att[0], l->port[0], l->port[1]);
	evd_tell_local(l->att[0], l->port[1], l->port[0]);
}

/* Is @port connected, and to what? */
static bool find_peer(struct evd_dom *d, evtchn_port_t port,
		      struct evtchn_status *st)
{
	*st = (struct evtchn_status){.dom = DOMID_SELF, .port = port};
	return !evc_status(&d->core, st) &&
	       st->status == EVTCHNSTAT_interdomain;
}

void evd_link_try(struct evd_dom *d, evtchn_port_t port)
{
	struct evd_port *p = evd_port(d, port), *rp;
	struct evtchn_status st;
	struct evd_dom *rd;
	struct evd_link *l;

	if (!p || p->link || !p->att || !find_peer(d, port, &st))
		return;
	rd = evd_dom_find(d->broker, st.u.interdomain.dom);
	rp = rd ? evd_port(rd, st.u.interdomain.port) : NULL;
	if (!rp || !rp->att)
		return;
	l = calloc(1, sizeof(*l));
	if (!l)
		return;
	*l = (struct evd_link){.id = ++d->broker->last_id,
			       .att = {p->att, rp->att},
			       .dom = {d, rd},
			       .port = {port, st.u.interdomain.port}};
	if (!equip(d->broker, l)) {
		free(l);
		return;
	}
	enter(l);
	tell_both(l);
}

/* --- breaking --------------------------------------------------------------- */

static void await(struct evd_att *a, struct evd_link *l, enum evd_phase phase)
{
	l->phase = phase;
	l->next_awaited = NULL;
	*a->awaited_tail = l;
	a->awaited_tail = &l->next_awaited;
	a->nr_awaited++;
}

static void break_link(struct evd_link *l, unsigned int closer, bool unasked)
{
	struct evd_att *other = l->att[!closer];
	unsigned int i;

	for (i = 0; i < 2; i++)
		evd_port(l->dom[i], l->port[i])->link = NULL;
	l->closer = closer;
	l->nr_closings =
		evd_port(l->dom[!closer], l->port[!closer])->nr_closings;
	l->unasked = unasked;
	if (other && !l->pair && l->att[closer] == other) {
		tell_disconnected(other, 0, l->port[!closer]);
		free(l);
	} else if (other) {
		tell_disconnected(other, l->id, l->port[!closer]);
		await(other, l, EVD_WAIT_ACK);
	} else {
		free(l);
	}
}

/* Which end of its link is @p? */
static unsigned int end_of(const struct evd_port *p)
{
	const struct evd_link *l = p->link;

	return l->dom[1] == p->dom && l->port[1] == p->port;
}

/* @p is free again. */
static void on_closed(struct evd_port *p, const struct evd_att *caller)
{
	struct evd_att *owner = p->att;
	struct evd_link *l = p->link;
	bool unasked = owner && owner != caller;

	p->closed = p->orphan = p->claimed = p->watched = false;
	p->nr_holds = 0;
	evd_half_drop(p);
	evd_line_unwant(p);
	p->nr_closings++;
	p->att = NULL;
	evd_kept_closed(p);
	if (owner)
		evd_tell_closed(owner, p->port, unasked);
	if (l)
		break_link(l, end_of(p), unasked);
}

void evd_link_shut(struct evd_port *p)
{
	struct evd_att *owner = p->att;
	struct evd_link *l = p->link;

	p->att = NULL;
	p->parked = false;
	if (owner) {
		(void)evp_port_take(owner->lane, p->port);
		evd_tell_closed(owner, p->port, false);
	}
	if (l)
		break_link(l, l->dom[1] == p->dom && l->port[1] == p->port,
			   false);
}

void evd_links_sync(struct evd_broker *b)
{
	struct evd_port *p;

	while ((p = b->closed)) {
		b->closed = p->next_closed;
		on_closed(p, b->caller);
	}
}

static void retire(struct evd_link *l, unsigned int i)
{
	l->cleaner = i;
	tell_retire(l, i);
	await(l->att[i], l, EVD_WAIT_CLEAN);
}

static void put_slot(struct evd_link *l, unsigned int i)
{
	evd_slot_put(l->pair, l->side[i], l->slot[i]);
}

/*
 * A closer that did not close by itself may not know yet, and still send: its
 * CLEAN says that it does not any more, and only then the other end's slot can
 * be cleared for good.
 */
static void end_ack(struct evd_link *l)
{
	if (!l->pair) {
		free(l);
		return;
	}
	if (!l->unasked)
		put_slot(l, !l->closer);
	retire(l, l->closer);
}

static void end_clean(struct evd_link *l)
{
	if (l->pair)
		put_slot(l, l->cleaner);
	if (l->pair && l->unasked && l->cleaner == l->closer)
		retire(l, !l->closer);
	else
		free(l);
}

static struct evd_link *pop(struct evd_att *a)
{
	struct evd_link *l = a->awaited;

	a->awaited = l->next_awaited;
	if (!a->awaited)
		a->awaited_tail = &a->awaited;
	a->nr_awaited--;
	return l;
}

/*
 * Events that were sent to the closer when it did not listen any more: somebody
 * else may be connected by now.  If not, they are dropped, as the ABI says.
 */
static void send_again(const struct evd_link *l)
{
	unsigned int i = !l->closer;
	struct evd_dom *d = l->att[i] ? l->att[i]->dom : NULL;

	if (d && evd_port(d, l->port[i])->nr_closings == l->nr_closings)
		(void)evc_send(&d->core, l->port[i]);
}

bool evd_link_answer(struct evd_att *a, const struct evp_link_msg *m)
{
	struct evd_link *l = a->awaited;
	bool is_ack = m->hdr.type == EVP_ACK;

	if (!l || l->id != m->link || is_ack != (l->phase == EVD_WAIT_ACK))
		return false;
	(void)pop(a);
	if (m->unheard && (is_ack || l->cleaner == l->closer))
		send_again(l);
	if (is_ack)
		end_ack(l);
	else
		end_clean(l);
	return true;
}

/* --- death ------------------------------------------------------------------ */

void evd_link_forget(struct evd_port *p)
{
	struct evd_link *l = p->link;
	unsigned int i;

	for (i = 0; l && i < 2; i++) {
		if (l->att[i] == p->att)
			l->att[i] = NULL;
	}
	if (l)
		l->pair = NULL;
}

void evd_link_restart(struct evd_port *p)
{
	struct evd_link *l = p->link;

	if (!l)
		return;
	evd_link_forget(p);
	break_link(l, end_of(p), false);
}

void evd_links_resend(struct evd_att *a)
{
	const struct evd_pair *p;
	const struct evd_link *l;
	unsigned int side;

	for (l = a->awaited; l; l = l->next_awaited)
		send_again(l);
	for (p = a->pairs; p; p = p->next[side]) {
		side = evd_pair_side(p, a);
		for (l = p->att[!side]->awaited; l; l = l->next_awaited) {
			if (l->pair == p)
				send_again(l);
		}
	}
}

void evd_links_forget(struct evd_att *a)
{
	/* What it still had to answer concerns its own slots: gone with it. */
	while (a->awaited)
		free(pop(a));
}

void evd_links_forget_pair(struct evd_att *a, const struct evd_pair *p)
{
	struct evd_link *l;

	for (l = a->awaited; l; l = l->next_awaited) {
		if (l->pair != p)
			continue;
		/* The answer is still counted, and then ends the link. */
		l->att[l->att[0] == a] = NULL;
		l->pair = NULL;
	}
}
