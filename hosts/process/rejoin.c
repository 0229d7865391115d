/* SPDX-License-Identifier: MIT */
/*
 * The broker ended: go on without it, and come back to the next one.
 *
 * Going on needs nothing: lanes and bells are ours and the peers'.  Coming
 * back must never make an event wait, so nothing here waits for an answer: when
 * a socket is there, everything the broker has to know is said at once (HELLO,
 * REATTACH, CLAIMs: claims.c), and what it answers is news like any other.
 *
 * The new broker knows neither the lanes nor the slots in use, and takes
 * nobody's word for them.  It connects the ports that both ends claim anew, over
 * new lanes.  So each attachment has, for a while, an old lane and a new one to
 * a peer:
 *
 *   - until CONNECT is read it sends in the old one, afterwards in the new one;
 *   - it collects from both: a slot of an old lane stands for its port until the
 *     sender has left that lane (MO-LEFT), or the port is closed;
 *   - the last port that leaves a lane says so in the lane's page.
 *
 * Events are bits, so their order in two lanes does not matter, and one that
 * comes twice is one too many, which the ABI allows.
 *
 * Reading order: looking for a broker, what is said to it, its answer, old
 * lanes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <base/bits.h>

#include "fifo.h"
#include "storm.h"

#define FIRST_RETRY_NS 10000000	 /* 10 ms after it ended; doubled up to */
#define LAST_RETRY_NS  320000000 /* this */
#define LOOK_NS	       1000000	 /* what polling costs meanwhile */

/* --- when to look ----------------------------------------------------------- */

/* Without descriptor or memory for a timer, at hypercalls only. */
static void open_timer(struct evp_guest *g)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = EVP_RETRY_TAG};

	g->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (g->timer >= 0 &&
	    epoll_ctl(g->epoll, EPOLL_CTL_ADD, g->timer, &ev)) {
		(void)close(g->timer);
		g->timer = -1;
	}
}

static void close_timer(struct evp_guest *g)
{
	if (g->timer < 0)
		return;
	(void)epoll_ctl(g->epoll, EPOLL_CTL_DEL, g->timer, NULL);
	(void)close(g->timer);
	g->timer = -1;
}

/* Setting it also takes its being readable away. */
static void try_later(struct evp_guest *g)
{
	struct itimerspec t = {.it_value = {0}};

	if (!g->backoff)
		g->backoff = FIRST_RETRY_NS;
	g->retry_at = evp_now() + g->backoff;
	if (g->backoff < LAST_RETRY_NS)
		g->backoff *= 2;
	if (g->timer < 0)
		open_timer(g);
	t.it_value.tv_sec = g->retry_at / 1000000000;
	t.it_value.tv_nsec = g->retry_at % 1000000000;
	if (g->timer >= 0)
		(void)timerfd_settime(g->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

/* What the dead one posted last, whether or not it could say so. */
static void take_last_words(struct evp_guest *g)
{
	struct evp_port_lane *l = evp_port_lane_of(g->broker->in);
	uint64_t bits;
	uint32_t word;

	for (word = 0; word * 64 < evp_end_port(g); word++) {
		bits = evp_port_take_word(l, word);
		for (; bits; bits = evb_without_lowest_bit(bits))
			evp_post(g, word * 64 + evb_lowest_bit(bits));
	}
}

void evp_mourn(struct evp_guest *g)
{
	uint32_t i;

	take_last_words(g);
	for (i = 0; i < g->nr_lanes; i++) {
		g->lane[i]->old = g->lane[i]->out != NULL;
		evp_lane_hear(g, g->lane[i]);
	}
	g->joining = false;
	evp_claims_drop(g);
	g->tend = true;
	if (g->path[0])
		try_later(g);
	else
		close_timer(g);
}

/* --- what is said ----------------------------------------------------------- */

static bool say(int fd, void *msg, enum evp_type type, size_t len,
		const int *with)
{
	evp_hdr_init(msg, type, len, 0);
	return !evp_send_packet(fd, msg, len, with, with != NULL, MSG_DONTWAIT);
}

static bool introduce(const struct evp_guest *g, int fd)
{
	struct evp_hello hello = {.hdr = {0}};
	struct evp_counts_msg counts = {.hdr = {0}};
	struct evp_reattach m = {
		.who = {.domid = g->domid, .nr_vcpus = g->nr_vcpus},
		.former = g->broker_id,
		.limit = g->limit,
		.fifo = evp_fifo_of(g) != NULL,
	};

	memcpy(m.who.name, g->name, sizeof(m.who.name));
	return say(fd, &hello, EVP_HELLO, sizeof(hello), NULL) &&
	       say(fd, &m, EVP_REATTACH, sizeof(m), NULL) &&
	       (g->counts_fd < 0 ||
		say(fd, &counts, EVP_COUNTS, sizeof(counts), &g->counts_fd));
}

/*
 * Whoever opened it was told that this failed, so it is nobody's.
 */
static void drop_unreturned(struct evp_guest *g)
{
	uint32_t port;

	evp_chans_lock(g);
	for (port = 1; port < evp_end_port(g); port++) {
		struct evp_chan *ch = &g->chan[port];

		if (!ch->kind || !ch->unreturned)
			continue;
		(void)evp_forget_old(g, port);
		if (ch->lane)
			evp_lane_unuse(g, ch->lane);
		*ch = (struct evp_chan){.way = EVP_BY_BROKER};
	}
	evp_chans_unlock(g);
}

static bool is_dead(uint32_t pid)
{
	return pid && kill((pid_t)pid, 0) && errno == ESRCH;
}

/*
 * A peer may have heard of a connection of which we have not: then it sends in
 * a slot that stands for nothing here, and the port it means still waits for
 * it.  Such a lane is kept until the peer has left it.
 */
static void mark_kept(struct evp_guest *g)
{
	uint32_t i, port;

	for (i = 0; i < g->nr_lanes; i++) {
		struct evp_lane *l = g->lane[i];

		l->kept = false;
		if (!l->old || is_dead(l->peer_pid))
			continue;
		for (port = 1; port < evp_end_port(g) && !l->kept; port++)
			l->kept = g->chan[port].kind == EVTCHNSTAT_unbound &&
				  g->chan[port].domid == l->peer_domid;
	}
}

/* What the peers have closed is not to be claimed. */
static void look_for_parted(struct evp_guest *g)
{
	uint32_t i;

	for (i = 0; i < g->nr_lanes; i++) {
		if (g->lane[i]->old)
			evp_look_for_parted(g, g->lane[i]);
	}
}

static bool say_all(struct evp_guest *g, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 0};

	if (g->inherited)
		(void)fcntl(fd, F_SETFD, 0);
	drop_unreturned(g);
	look_for_parted(g);
	mark_kept(g);
	return introduce(g, fd) && !epoll_ctl(g->epoll, EPOLL_CTL_ADD, fd, &ev);
}

bool evp_rejoin(struct evp_guest *g)
{
	int fd;

	if (!g->path[0])
		return false;
	if (!evp_control_connect(g->path, &fd)) {
		if (say_all(g, fd)) {
			g->control = fd;
			g->joining = true;
			close_timer(g); /* or it would wake us until then */
			evp_claims_begin(g);
			return true;
		}
		(void)close(fd);
	}
	try_later(g);
	return false;
}

/* --- the answer ------------------------------------------------------------- */

void evp_on_reattached(struct evp_guest *g, struct evp_packet *p)
{
	const struct evp_attached *m = (const void *)p->u.bytes;
	struct evp_lane *l = g->broker;
	struct evp_port_lane *page;

	if (!g->joining || p->nr_fds != 2 ||
	    evp_port_lane_map(p->fd[0], &page)) {
		evp_lose_broker(g);
		return;
	}
	evp_lane_shut(g, l);
	evp_port_lane_unmap(evp_port_lane_of(l->in));
	(void)close(l->bell);
	l->in = &page->lane;
	l->in_id = m->lane;
	l->bell = p->fd[1];
	p->nr_fds = 1;
	if (evp_lane_open(g, l)) { /* hot: the new page is not armed */
		evp_lose_broker(g);
		return;
	}
	g->joining = false;
	g->backoff = 0;
	if (!g->claim_from)
		evp_parted_are_known(g);
	close_timer(g);
}

/* --- old lanes -------------------------------------------------------------- */

/* It may be one of many lanes: only slots that stand for something are looked at. */
static bool forget_in(struct evp_lane *l, evtchn_port_t port)
{
	bool came = false;
	uint32_t slot;

	for (slot = evp_lane_next_slot(l, 0); slot < EVP_LANE_SLOTS;
	     slot = evp_lane_next_slot(l, slot + 1)) {
		if (l->slot_port[slot] != port)
			continue;
		came |= evp_lane_take_slot(l->in, slot);
		evp_lane_name_slot(l, slot, EVP_SLOT_UNKNOWN);
	}
	return came;
}

bool evp_forget_old(struct evp_guest *g, evtchn_port_t port)
{
	bool came = false;
	uint32_t i;

	for (i = 0; g->tend && i < g->nr_lanes; i++) {
		if (g->lane[i]->old)
			came |= forget_in(g->lane[i], port);
	}
	return came;
}

static void say_use(struct evp_lane *l, enum evp_use use)
{
	/* MO-LEFT: after the last event; pairs with is_over() */
	(void)evb_u32_xchg(&l->out->use, use);
	evp_lane_call(l->out, l->rope);
}

void evp_leave_old(struct evp_lane *l)
{
	if (l->old && !l->users)
		say_use(l, EVP_LEFT);
}

void evp_leave_all(struct evp_guest *g)
{
	uint32_t i;

	for (i = 0; g->control < 0 && i < g->nr_lanes; i++) {
		if (g->lane[i]->out)
			say_use(g->lane[i], EVP_GONE);
	}
}

static bool stands_for_something(const struct evp_lane *l)
{
	uint32_t slot = evp_lane_next_slot(l, 0);

	while (slot < EVP_LANE_SLOTS && l->slot_port[slot] == EVP_SLOT_DEAD)
		slot = evp_lane_next_slot(l, slot + 1);
	return slot < EVP_LANE_SLOTS;
}

/* Is nothing sent in @l any more, from here and from there? */
static bool is_over(const struct evp_lane *l)
{
	/* MO-LEFT: then what is in it is all; pairs with say_use() */
	uint32_t use = evb_u32_load_acquire(&l->in->use);

	if (use == EVP_GONE)
		return true;
	if (l->users)
		return false;
	if (use == EVP_LEFT || (use == EVP_UNUSED && l->moved))
		return true;
	return (l->lost || !l->kept) && !stands_for_something(l);
}

/* The peer has left for good while there was no broker. */
static void lose_users(struct evp_guest *g, const struct evp_lane *l)
{
	uint32_t port;

	evp_chans_lock(g);
	for (port = 1; port < evp_end_port(g); port++) {
		struct evp_chan *ch = &g->chan[port];

		if (ch->lane != l)
			continue;
		ch->lane = NULL;
		ch->way = EVP_BY_BROKER;
		ch->kind = EVTCHNSTAT_unbound;
		if (ch->watched)
			evp_post(g, port);
	}
	evp_chans_unlock(g);
}

static bool has_strays(const struct evp_lane *l)
{
	uint64_t any = 0;
	uint32_t word;

	for (word = 0; word < EVP_LANE_WORDS; word++)
		any |= l->early[word];
	return any;
}

/* Events in slots we never heard of: for a port connected to that domain. */
static void deliver_strays(struct evp_guest *g, const struct evp_lane *l)
{
	uint32_t port;

	for (port = 1; port < evp_end_port(g); port++) {
		if (g->chan[port].kind == EVTCHNSTAT_interdomain &&
		    g->chan[port].domid == l->peer_domid)
			evp_post(g, port);
	}
}

static void let_go(struct evp_guest *g, struct evp_lane *l)
{
	evp_lane_drain(g, l);
	if (has_strays(l))
		deliver_strays(g, l);
	if (l->users)
		lose_users(g, l);
	evp_lane_remove(g, l);
	evp_lane_free(l);
}

/* A peer may die after its lane was kept for it. */
static void unkeep_of_dead(struct evp_guest *g)
{
	uint32_t i;

	for (i = 0; i < g->nr_lanes; i++) {
		if (g->lane[i]->kept && is_dead(g->lane[i]->peer_pid))
			g->lane[i]->kept = false;
	}
}

/*
 * Between the first word to a broker and its first in a lane of its own, who does
 * not sleep would not hear of its socket.  Afterwards there are old lanes, and who
 * had the other end may die without a word.
 */
static void go_on(struct evp_guest *g)
{
	int64_t now = evp_now();

	if (now < g->look_at)
		return;
	g->look_at = now + LOOK_NS;
	if (g->claim_from)
		evp_claims_go_on(g);
	if (g->joining || g->claim_from)
		evp_read_news(g);
	unkeep_of_dead(g);
}

void evp_tend(struct evp_guest *g)
{
	uint32_t i = 0, nr_old = 0;

	if (g->control < 0 && g->path[0] && evp_now() >= g->retry_at)
		(void)evp_rejoin(g);
	else if (g->control >= 0)
		go_on(g);
	while (i < g->nr_lanes) {
		struct evp_lane *l = g->lane[i];

		if (l->old)
			evp_look_for_parted(g, l);
		if (l->old && is_over(l)) {
			let_go(g, l);
			i = nr_old = 0; /* others took its place */
			continue;
		}
		nr_old += l->old;
		i++;
	}
	g->tend = g->control < 0 || g->joining || g->claim_from || nr_old;
}
