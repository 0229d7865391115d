/* SPDX-License-Identifier: MIT */
/*
 * What the broker tells: which lanes there are, which slot a port uses, what
 * was closed.  proto.h has the life of a link; this is the peers' half of it.
 *
 * News is read when it is asked for: before the answer to a hypercall, when
 * the broker's lane has its bit 0 set, when the socket woke us.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest.h"

void evp_lose_broker(struct evp_guest *g)
{
	if (g->control < 0)
		return;
	/* Hung up, it would be readable for ever. */
	(void)epoll_ctl(g->epoll, EPOLL_CTL_DEL, g->control, NULL);
	(void)close(g->control);
	g->control = -1;
	evp_mourn(g);
}

static void answer(struct evp_guest *g, enum evp_type type, uint64_t link,
		   bool unheard)
{
	struct evp_link_msg m = {.link = link, .unheard = unheard};

	int rc;

	evp_hdr_init(&m.hdr, type, sizeof(m), 0);
	if (g->control < 0)
		return;
	rc = g->claim_from
		     ? evp_claims_answer(g, &m)
		     : evp_send_packet(g->control, &m, sizeof(m), NULL, 0, 0);
	if (rc)
		g->news = true; /* to the end of what it said */
}

/* The broker only tells of ports that exist. */
static struct evp_chan *chan_of(struct evp_guest *g, uint32_t port)
{
	if (port >= EVP_NR_PORTS)
		return NULL;
	evp_hear_of(g, port);
	return &g->chan[port];
}

/* --- lanes ------------------------------------------------------------------ */

static int map_pair(struct evp_lane *l, struct evp_packet *p)
{
	int rc = evp_lane_map(p->fd[0], &l->in);

	if (!rc)
		rc = evp_lane_map(p->fd[1], &l->out);
	if (!rc) {
		l->rope = p->fd[2];
		l->bell = p->fd[3];
		p->nr_fds = 2; /* the mappings are enough of the others */
	}
	return rc;
}

/* Without its lanes a guest would miss events: better no broker than that. */
static void on_lane(struct evp_guest *g, struct evp_packet *p)
{
	const struct evp_lane_msg *m = (const void *)p->u.bytes;
	struct evp_lane *l = evp_lane_new();
	int rc = l && p->nr_fds == 4 ? 0 : -ENOMEM;

	if (!rc)
		rc = map_pair(l, p);
	if (!rc)
		rc = evp_lane_add(g, l);
	if (rc) {
		if (l)
			evp_lane_free(l);
		evp_lose_broker(g);
		return;
	}
	l->in_id = m->in;
	l->peer_domid = m->peer_domid;
	l->peer_pid = m->peer_pid;
	evb_u32_store_release(&l->out->use, EVP_USED);
}

/* What the peer has not collected it never will: DISCONNECT takes it on. */
static void leave_lane(struct evp_guest *g, struct evp_chan *ch)
{
	ch->unheard = evp_lane_take_slot(ch->lane->out, ch->slot_out);
	evp_lane_unuse(g, ch->lane);
	ch->lane = NULL;
	ch->way = EVP_BY_BROKER;
}

/* Those it is known by, then, if there are more, all others that use it. */
static void leave_altogether(struct evp_guest *g, const struct evp_lane *l)
{
	uint32_t slot, port;

	for (slot = evp_lane_next_slot(l, 0); slot < EVP_LANE_SLOTS;
	     slot = evp_lane_next_slot(l, slot + 1)) {
		port = l->slot_port[slot];
		if (port != EVP_SLOT_DEAD && g->chan[port].lane == l)
			leave_lane(g, &g->chan[port]);
	}
	for (port = 0; l->users && port < evp_end_port(g); port++) {
		if (g->chan[port].lane == l)
			leave_lane(g, &g->chan[port]);
	}
}

static void on_lane_gone(struct evp_guest *g, const struct evp_packet *p)
{
	const struct evp_lane_gone *m = (const void *)p->u.bytes;
	struct evp_lane *l = evp_lane_find(g, m->in);

	if (!l || !l->out)
		return;
	evp_lane_drain(g, l);
	leave_altogether(g, l);
	evp_lane_remove(g, l);
	evp_lane_free(l);
}

/* --- ports ------------------------------------------------------------------ */

/*
 * Did something come in a slot when it stood for no port?  It was kept, or is
 * in the page still: a word without a port is not looked at.
 */
static bool take_early(struct evp_lane *l, uint32_t slot)
{
	uint64_t bit = 1ull << slot % 64;
	bool came = l->early[slot / 64] & bit;

	l->early[slot / 64] &= ~bit;
	return evp_lane_take_slot(l->in, slot) || came;
}

/* A port is connected.  Whether whoever opened it knows of it, we shall see. */
static void note_peer(struct evp_chan *ch, uint32_t domid, uint32_t port)
{
	if (!ch->kind)
		ch->unreturned = true;
	ch->open = true;
	ch->kind = EVTCHNSTAT_interdomain;
	ch->domid = (uint16_t)domid;
	ch->number = port;
}

/*
 * Its channel goes on in another lane: see rejoin.c.  What the peer has not
 * collected from this one it may never see.  True: there was something.
 */
static bool move_from(struct evp_guest *g, struct evp_lane *old,
		      const struct evp_chan *ch)
{
	bool sent = evp_lane_take_slot(old->out, ch->slot_out);

	evp_lane_unuse(g, old);
	old->moved = true;
	return sent;
}

static void enter_lane(struct evp_guest *g, struct evp_lane *l,
		       const struct evp_connect *m)
{
	struct evp_chan *ch = &g->chan[m->port];
	struct evp_lane *old = ch->lane;
	bool again = old && move_from(g, old, ch);

	ch->lane = l;
	evp_lane_use(g, l);
	ch->link = m->link;
	ch->slot_in = (uint16_t)m->slot_in;
	ch->slot_out = (uint16_t)m->slot_out;
	ch->way = EVP_BY_LANE;
	ch->unheard = false;
	evp_lane_name_slot(l, m->slot_in, m->port);
	if (take_early(l, m->slot_in))
		evp_arrive(g, EVP_TRACE_TAKE, m->port);
	if (again)
		(void)evp_lane_send(l->out, l->rope, ch->slot_out);
	if (old)
		evp_leave_old(old);
}

static void on_connect(struct evp_guest *g, const struct evp_packet *p)
{
	const struct evp_connect *m = (const void *)p->u.bytes;
	struct evp_chan *ch = chan_of(g, m->port);
	struct evp_lane *l = evp_lane_find(g, m->lane_in);

	if (!ch || m->slot_in >= EVP_LANE_SLOTS ||
	    m->slot_out >= EVP_LANE_SLOTS)
		return;
	note_peer(ch, l ? l->peer_domid : DOMID_INVALID, m->peer);
	if (l && l->out)
		enter_lane(g, l, m);
}

static void on_local(struct evp_guest *g, const struct evp_packet *p)
{
	const struct evp_local *m = (const void *)p->u.bytes;
	struct evp_chan *ch = chan_of(g, m->port);

	if (!ch || m->peer >= EVP_NR_PORTS)
		return;
	note_peer(ch, g->domid, m->peer);
	if (m->peer == m->port)
		ch->kind = EVTCHNSTAT_ipi;
	ch->way = EVP_HERE;
	ch->peer = m->peer;
}

/* The peer closed: what it sent before that is still delivered. */
static void on_disconnect(struct evp_guest *g, const struct evp_packet *p)
{
	const struct evp_port_msg *m = (const void *)p->u.bytes;
	struct evp_chan *ch = chan_of(g, m->port);
	bool ours = ch && ch->link == m->link;

	if (ours && ch->lane) {
		if (evp_lane_take_slot(ch->lane->in, ch->slot_in))
			evp_arrive(g, EVP_TRACE_TAKE, m->port);
		evp_lane_name_slot(ch->lane, ch->slot_in, EVP_SLOT_UNKNOWN);
		leave_lane(g, ch);
	}
	if (ch && ch->way == EVP_HERE && !m->link)
		ch->way = EVP_BY_BROKER;
	if (ch && ch->kind == EVTCHNSTAT_interdomain)
		ch->kind = EVTCHNSTAT_unbound;
	if (evp_forget_old(g, m->port))
		evp_post(g, m->port);
	if (m->link)
		answer(g, EVP_ACK, m->link, ours && ch->unheard);
}

/*
 * Our own port was closed: forget it, and its pending event.  Unless we closed
 * it, that event may have been sent, and collected, after the closing.
 */
void evp_forget_port(struct evp_guest *g, evtchn_port_t port, bool unasked)
{
	struct evp_chan *ch = &g->chan[port];
	bool pending = evp_forget_event(g, port);

	if (ch->lane) {
		evp_lane_name_slot(ch->lane, ch->slot_in, EVP_SLOT_DEAD);
		if (pending && unasked)
			evp_lane_keep(ch->lane, ch->slot_in);
		if (ch->lane->old)
			evp_part(ch->lane, ch->slot_out);
		evp_lane_unuse(g, ch->lane);
		evp_leave_old(ch->lane);
	}
	(void)evp_forget_old(g, port);
	*ch = (struct evp_chan){.way = EVP_BY_BROKER};
	evp_timers_closed(g, port);
	evp_counts_close(g->counts, port);
}

static void on_closed(struct evp_guest *g, const struct evp_packet *p)
{
	const struct evp_port_msg *m = (const void *)p->u.bytes;

	if (chan_of(g, m->port))
		evp_forget_port(g, m->port, m->unasked);
}

/* The peer sends no more in this slot: what it sent was not for us. */
static void on_retire(struct evp_guest *g, const struct evp_packet *p)
{
	const struct evp_retire *m = (const void *)p->u.bytes;
	struct evp_lane *l = evp_lane_find(g, m->lane_in);
	bool unheard = false;

	if (l && l->out && m->slot_in < EVP_LANE_SLOTS) {
		unheard = take_early(l, m->slot_in);
		evp_lane_name_slot(l, m->slot_in, EVP_SLOT_UNKNOWN);
	}
	answer(g, EVP_CLEAN, m->link, unheard);
}

/* --- ports that others opened, or lost ------------------------------------- */

static void on_given(struct evp_guest *g, const struct evp_packet *p)
{
	const struct evp_given *given = (const void *)p->u.bytes;
	const struct evp_claim *m = &given->what;
	struct evp_chan *ch = chan_of(g, m->port);

	if (!ch || ch->kind)
		return;
	ch->open = true;
	ch->kind = m->kind;
	ch->domid = m->domid;
	ch->number = m->number;
	ch->watched = m->watched;
	if (m->vcpu < g->nr_vcpus)
		evb_u32_store(&ch->vcpu, m->vcpu);
}

/* The peer of before the broker ended is gone with it. */
static void on_peer_lost(struct evp_guest *g, const struct evp_packet *p)
{
	const struct evp_given *m = (const void *)p->u.bytes;
	struct evp_chan *ch = chan_of(g, m->what.port);
	struct evp_lane *l = ch ? ch->lane : NULL;

	if (!ch)
		return;
	if (evp_forget_old(g, m->what.port))
		evp_post(g, m->what.port);
	if (ch->kind == EVTCHNSTAT_interdomain)
		ch->kind = EVTCHNSTAT_unbound;
	if (ch->way == EVP_HERE)
		ch->way = EVP_BY_BROKER;
	if (!l || !l->old)
		return;
	ch->lane = NULL;
	ch->way = EVP_BY_BROKER;
	evp_lane_unuse(g, l);
	l->lost = true;
	evp_leave_old(l);
}

/* It does not take us back, at least not now. */
static void on_refused(struct evp_guest *g, const struct evp_packet *p)
{
	const struct evp_refused *m = (const void *)p->u.bytes;

	if (m->rc == -EPERM)
		g->path[0] = 0;
	evp_lose_broker(g);
}

static void on_place(struct evp_guest *g, const struct evp_packet *p)
{
	const struct evp_place *m = (const void *)p->u.bytes;

	g->broker_id = m->broker;
	g->limit = m->limit;
	memcpy(g->path, m->path, sizeof(g->path));
	g->path[sizeof(g->path) - 1] = 0;
	memcpy(g->name, m->name, sizeof(g->name));
}

/* --- reading ---------------------------------------------------------------- */

struct kind {
	enum evp_type type;
	size_t len;
	void (*handle)(struct evp_guest *g, const struct evp_packet *p);
};

static const struct kind kinds[] = {
	{EVP_CONNECT, sizeof(struct evp_connect), on_connect},
	{EVP_LOCAL, sizeof(struct evp_local), on_local},
	{EVP_DISCONNECT, sizeof(struct evp_port_msg), on_disconnect},
	{EVP_CLOSED, sizeof(struct evp_port_msg), on_closed},
	{EVP_RETIRE, sizeof(struct evp_retire), on_retire},
	{EVP_LANE_GONE, sizeof(struct evp_lane_gone), on_lane_gone},
	{EVP_GIVEN, sizeof(struct evp_given), on_given},
	{EVP_PEER_LOST, sizeof(struct evp_given), on_peer_lost},
	{EVP_PLACE, sizeof(struct evp_place), on_place},
};

void evp_on_news(struct evp_guest *g, struct evp_packet *p)
{
	size_t i;

	evp_chans_lock(g);
	if (p->u.hdr.type == EVP_LANE && p->len == sizeof(struct evp_lane_msg))
		on_lane(g, p);
	if (p->u.hdr.type == EVP_REATTACHED &&
	    p->len == sizeof(struct evp_attached))
		evp_on_reattached(g, p);
	if (p->u.hdr.type == EVP_REFUSED &&
	    p->len == sizeof(struct evp_refused))
		on_refused(g, p);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (p->u.hdr.type == kinds[i].type && p->len == kinds[i].len)
			kinds[i].handle(g, p);
	}
	evp_chans_unlock(g);
	evp_packet_close_fds(p);
}

/* What a dead broker said before it died still counts. */
void evp_read_news(struct evp_guest *g)
{
	struct evp_packet p;
	int rc = 0;

	g->news = false;
	while (!rc && g->control >= 0 && !g->owes) {
		rc = evp_recv_packet(g->control, &p, MSG_DONTWAIT);
		if (!rc)
			evp_on_news(g, &p);
	}
	if (rc && rc != -EAGAIN)
		evp_lose_broker(g);
}
