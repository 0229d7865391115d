/* SPDX-License-Identifier: MIT */
/*
 * Claims: telling a new broker which ports there are (rejoin.c).
 *
 * They are said without being asked for, and without waiting: what the socket
 * has no room for is said when it has, and events come and go meanwhile.  What
 * to say is looked up when it is said, so a port that changed is claimed as it
 * is then.  It changes by the peer's leaving its lane, and by the broker's news;
 * by nothing this process asks for, because a question comes after all claims.
 *
 * The broker's news may want an answer.  If there is no room for that, it is
 * owed, and no more news is read until it was said: answers have an order.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "guest.h"

static struct evp_claim claim_of(const struct evp_chan *ch, uint32_t port)
{
	return (struct evp_claim){
		.port = port,
		.domid = ch->domid,
		.kind = ch->kind,
		.watched = ch->watched,
		.number = ch->number,
		.vcpu = evb_u32_load_relaxed(&ch->vcpu),
		.pid = ch->lane ? ch->lane->peer_pid : 0,
	};
}

/* Fill a page with ports from @port up.  Returns where to go on; 0: no more. */
static uint32_t fill(const struct evp_guest *g, uint32_t port,
		     struct evp_claims *m)
{
	m->count = 0;
	for (; port < evp_end_port(g); port++) {
		if (!g->chan[port].kind && !g->chan[port].parted)
			continue;
		if (m->count == EVP_CLAIMS_PER_PAGE)
			return port;
		m->claim[m->count++] = claim_of(&g->chan[port], port);
	}
	return 0;
}

static int say_page(struct evp_guest *g, int flags)
{
	struct evp_claims m;
	uint32_t next = fill(g, g->claim_from, &m);
	size_t len = offsetof(struct evp_claims, claim) +
		     m.count * sizeof(m.claim[0]);
	int rc;

	m.last = !next;
	evp_hdr_init(&m.hdr, EVP_CLAIM, len, 0);
	rc = evp_send_packet(g->control, &m, len, NULL, 0, flags);
	if (rc)
		return rc;
	g->claim_from = next;
	if (!next && !g->joining)
		evp_parted_are_known(g);
	return 0;
}

static int say_owed(struct evp_guest *g, int flags)
{
	int rc = evp_send_packet(g->control, &g->owed, sizeof(g->owed), NULL, 0,
				 flags);

	if (!rc) {
		g->owes = false;
		g->news = true; /* what was not read meanwhile */
	}
	return rc;
}

/* 0: all is said; -EAGAIN: there is no room now. */
static int say(struct evp_guest *g, int flags)
{
	int rc = 0;

	while (!rc && (g->owes || g->claim_from))
		rc = g->owes ? say_owed(g, flags) : say_page(g, flags);
	return rc;
}

/* The socket wakes us when it has something to read, or room. */
static void watch(const struct evp_guest *g)
{
	struct epoll_event ev = {.data.u64 = 0};

	ev.events = (g->owes ? 0 : EPOLLIN) |
		    (g->owes || g->claim_from ? EPOLLOUT : 0);
	(void)epoll_ctl(g->epoll, EPOLL_CTL_MOD, g->control, &ev);
}

void evp_claims_go_on(struct evp_guest *g)
{
	int rc;

	if (g->control < 0)
		return;
	rc = say(g, MSG_DONTWAIT);
	if (rc && rc != -EAGAIN)
		g->news = true; /* to the end of what it said */
	watch(g);
}

void evp_claims_begin(struct evp_guest *g)
{
	g->claim_from = 1;
	evp_claims_go_on(g);
}

int evp_claims_finish(struct evp_guest *g)
{
	int rc = say(g, 0);

	watch(g);
	return rc;
}

void evp_claims_drop(struct evp_guest *g)
{
	g->claim_from = 0;
	g->owes = false;
}

int evp_claims_answer(struct evp_guest *g, const struct evp_link_msg *m)
{
	int rc = evp_send_packet(g->control, m, sizeof(*m), NULL, 0,
				 MSG_DONTWAIT);

	if (rc != -EAGAIN)
		return rc;
	g->owed = *m;
	g->owes = true;
	watch(g);
	return 0;
}
