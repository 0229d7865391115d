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
}

static void answer(struct evp_guest *g, enum evp_type type, uint64_t link,
		   bool unheard)
{
	struct evp_link_msg m = {.link = link, .unheard = unheard};

	evp_hdr_init(&m.hdr, type, sizeof(m), 0);
	if (g->control >= 0 &&
	    evp_send_packet(g->control, &m, sizeof(m), NULL, 0, 0))
		evp_lose_broker(g);
}

static struct evp_chan *chan_of(struct evp_guest *g, uint32_t port)
{
	return port < EVP_NR_PORTS ? &g->chan[port] : NULL;
}

/* --- lanes ------------------------------------------------------------------ */

static int map_pair(struct evp_lane *l, struct evp_packet *p)
{
	int rc = evp_lane_map(p->fd[0], &l->in);

	if (!rc)
		rc = evp_lane_map(p->fd[1], &l->out);
	if (!rc) {
		l->bell = p->fd[2];
		p->nr_fds = 2; /* the mappings are enough of the others */
	}
	return rc;
}

/* Without its lanes a guest would miss events: better no broker than that. */
static void on_lane(struct evp_guest *g, struct evp_packet *p)
{
	const struct evp_lane_msg *m = (const void *)p->u.bytes;
	struct evp_lane *l = evp_lane_new();
	int rc = l && p->nr_fds == 3 ? 0 : -ENOMEM;

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
}

/* What the peer has not collected it never will: DISCONNECT takes it on. */
static void leave_lane(struct evp_chan *ch)
{
	ch->unheard = evp_lane_take_slot(ch->lane->out, ch->slot_out);
	ch->lane = NULL;
	ch->way = EVP_BY_BROKER;
}

static void on_lane_gone(struct evp_guest *g, const struct evp_packet *p)
{
	const struct evp_lane_gone *m = (const void *)p->u.bytes;
	struct evp_lane *l = evp_lane_find(g, m->in);
	uint32_t port;

	if (!l || !l->out)
		return;
	evp_lane_drain(g, l);
	for (port = 0; port < EVP_NR_PORTS; port++) {
		if (g->chan[port].lane == l)
			leave_lane(&g->chan[port]);
	}
	evp_lane_remove(g, l);
	evp_lane_free(l);
}

/* --- ports ------------------------------------------------------------------ */

/* Did something come in a slot when it stood for no port? */
static bool take_early(struct evp_lane *l, uint32_t slot)
{
	uint64_t bit = 1ull << slot % 64;
	bool came = l->early[slot / 64] & bit;

	l->early[slot / 64] &= ~bit;
	return came;
}

static void on_connect(struct evp_guest *g, const struct evp_packet *p)
{
	const struct evp_connect *m = (const void *)p->u.bytes;
	struct evp_chan *ch = chan_of(g, m->port);
	struct evp_lane *l = evp_lane_find(g, m->lane_in);

	if (!ch || m->slot_in >= EVP_LANE_SLOTS ||
	    m->slot_out >= EVP_LANE_SLOTS)
		return;
	ch->open = true;
	if (!l || !l->out)
		return;
	ch->lane = l;
	ch->link = m->link;
	ch->slot_in = (uint16_t)m->slot_in;
	ch->slot_out = (uint16_t)m->slot_out;
	ch->way = EVP_BY_LANE;
	ch->unheard = false;
	l->slot_port[m->slot_in] = (uint16_t)m->port;
	if (take_early(l, m->slot_in))
		evp_post(g, m->port);
}

static void on_local(struct evp_guest *g, const struct evp_packet *p)
{
	const struct evp_local *m = (const void *)p->u.bytes;
	struct evp_chan *ch = chan_of(g, m->port);

	if (!ch || m->peer >= EVP_NR_PORTS)
		return;
	ch->open = true;
	ch->way = EVP_HERE;
	ch->peer = (uint16_t)m->peer;
}

/* The peer closed: what it sent before that is still delivered. */
static void on_disconnect(struct evp_guest *g, const struct evp_packet *p)
{
	const struct evp_port_msg *m = (const void *)p->u.bytes;
	struct evp_chan *ch = chan_of(g, m->port);
	bool ours = ch && ch->link == m->link;

	if (ours && ch->lane) {
		if (evp_lane_take_slot(ch->lane->in, ch->slot_in))
			evp_post(g, m->port);
		ch->lane->slot_port[ch->slot_in] = EVP_SLOT_UNKNOWN;
		leave_lane(ch);
	}
	if (ch && ch->way == EVP_HERE && !m->link)
		ch->way = EVP_BY_BROKER;
	if (m->link)
		answer(g, EVP_ACK, m->link, ours && ch->unheard);
}

/*
 * Our own port was closed: forget it, and its pending event.  Unless we closed
 * it, that event may have been sent, and collected, after the closing.
 */
static void on_closed(struct evp_guest *g, const struct evp_packet *p)
{
	const struct evp_port_msg *m = (const void *)p->u.bytes;
	struct evp_chan *ch = chan_of(g, m->port);
	bool pending;

	if (!ch)
		return;
	pending = evb_test_and_clear_bit(g->words.pending, m->port);
	if (ch->lane) {
		ch->lane->slot_port[ch->slot_in] = EVP_SLOT_DEAD;
		if (pending && m->unasked)
			evp_lane_keep(ch->lane, ch->slot_in);
	}
	*ch = (struct evp_chan){.way = EVP_BY_BROKER};
}

/* The peer sends no more in this slot: what it sent was not for us. */
static void on_retire(struct evp_guest *g, const struct evp_packet *p)
{
	const struct evp_retire *m = (const void *)p->u.bytes;
	struct evp_lane *l = evp_lane_find(g, m->lane_in);
	bool unheard = false;

	if (l && l->out && m->slot_in < EVP_LANE_SLOTS) {
		unheard = take_early(l, m->slot_in);
		(void)evp_lane_take_slot(l->in, m->slot_in);
		l->slot_port[m->slot_in] = EVP_SLOT_UNKNOWN;
	}
	answer(g, EVP_CLEAN, m->link, unheard);
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
};

void evp_on_news(struct evp_guest *g, struct evp_packet *p)
{
	size_t i;

	evp_chans_lock(g);
	if (p->u.hdr.type == EVP_LANE && p->len == sizeof(struct evp_lane_msg))
		on_lane(g, p);
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
	while (!rc && g->control >= 0) {
		rc = evp_recv_packet(g->control, &p, MSG_DONTWAIT);
		if (!rc)
			evp_on_news(g, &p);
	}
	if (rc && rc != -EAGAIN)
		evp_lose_broker(g);
}
