/* SPDX-License-Identifier: MIT */
/*
 * A peer that rings for nothing.
 *
 * Whoever we are connected to can ring our bell as often as it likes, and can
 * send again and again on a port that is masked or pending: each time we wake,
 * or do not get to sleep, and find nothing new.  What is new is the program's to
 * judge: it can mask the port, and close it.  What is not is judged here: a lane
 * in which too many looks were in vain, in too short a time, is shut for a
 * moment, neither looked at nor listened to.  Its peer's events wait that long;
 * nobody else's do.  So what a storm can take is a small part of our time,
 * however fast the peer is.
 *
 * An honest peer does not get there: of its rings and looks most bring something
 * new, and each of those makes up for FORGIVEN in vain.
 *
 * Nothing is lost: events stay in the page, and opening looks at it.  When that
 * is due is one more timer of the guest (timer.c), so it wakes a sleeper.
 *
 * A lane whose bell cannot be heard, because the user's watches are used up
 * (epoll(7), max_user_watches) or memory is, is shut the same way: each time it
 * cannot be opened, what is in it is taken, so its events are late, but come.
 *
 * Locks: guest.
 */
#include "storm.h"

#define NR_IN_VAIN 64
#define FORGIVEN   2
#define WINDOW_NS  INT64_C(1000000)
#define SHUT_NS	   INT64_C(1000000)

/* It is shut until then. */
static void open_soon(struct evp_guest *g, struct evp_lane *l, int64_t now)
{
	l->stormy = true;
	if (g->reopen_at == EVP_NO_DEADLINE)
		evp_timers_reopen_at(g, now + SHUT_NS);
}

static void shut_for_a_moment(struct evp_guest *g, struct evp_lane *l,
			      int64_t now)
{
	evp_lane_shut(g, l);
	open_soon(g, l, now);
	evp_note(g, &g->counts->storms);
}

static void note_in_vain(struct evp_guest *g, struct evp_lane *l)
{
	int64_t now;

	if (l->in_vain++ && l->in_vain < NR_IN_VAIN)
		return;
	now = evp_now();
	if (l->in_vain == 1) {
		l->vain_since = now;
		return;
	}
	l->in_vain = 0;
	if (now - l->vain_since < WINDOW_NS)
		shut_for_a_moment(g, l, now);
}

void evp_looked(struct evp_guest *g, struct evp_lane *l, bool something_new)
{
	if (!l->out)
		return; /* the broker is trusted */
	if (!something_new)
		note_in_vain(g, l);
	else
		l->in_vain -= l->in_vain < FORGIVEN ? l->in_vain : FORGIVEN;
}

void evp_lane_hear(struct evp_guest *g, struct evp_lane *l)
{
	if (!evp_lane_open(g, l))
		return;
	evp_lane_drain(g, l);
	open_soon(g, l, evp_now());
}

/* Those that are over: all of them, since one timer is enough. */
void evp_storms_end(struct evp_guest *g)
{
	uint32_t i;

	g->reopen_at = EVP_NO_DEADLINE;
	/* Who is opened goes down, and who was there has had his turn. */
	for (i = g->nr_open; i < g->nr_lanes; i++) {
		struct evp_lane *l = g->lane[i];

		if (!l->stormy)
			continue;
		l->stormy = false;
		if (l->users || l->old)
			evp_lane_hear(g, l);
	}
}
