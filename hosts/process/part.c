/* SPDX-License-Identifier: MIT */
/*
 * Closing a port while there is no broker.
 *
 * The owner may close what is his: nobody else's consent is needed.  So it is
 * closed here at once, and everybody who has to know is told:
 *
 *   the peer         by the lane it shares with us: a mark for the slot that
 *                    stands for its port (MO-PART).  It takes what was sent
 *                    before, then its port is unbound, and an event if it is
 *                    watched; as if a broker had said DISCONNECT
 *   the next broker  by a claim of the kind "closed" instead of one for the port,
 *                    since the peer may have claimed its end already
 *
 * A peer that is not connected by a lane (its connection was young, or it is a
 * port of a domain's own) hears of it from the next broker, by nobody claiming the
 * other end.
 *
 * MO-PART  closer: the last event in the lane, then the mark, then its summary.
 *          peer: the summary, then the marks, then what is in the slots.
 *
 * The page is the peers' only, so who lies in it closes its own channel.
 */
#include <string.h>

#include <base/bits.h>

#include "guest.h"

/* --- saying it -------------------------------------------------------------- */

void evp_part(struct evp_lane *l, uint32_t slot)
{
	/* MO-PART: pairs with evp_look_for_parted() */
	(void)evb_u64_or(&l->out->parted[slot / 64], 1ull << slot % 64);
	(void)evb_u64_or(&l->out->parted_words, 1ull << slot / 64);
	evp_lane_call(l->out, l->rope);
}

/* The other end of a channel within this attachment. */
static void part_here(struct evp_guest *g, evtchn_port_t port)
{
	struct evp_chan *ch = &g->chan[port];

	if (ch->way != EVP_HERE || ch->kind != EVTCHNSTAT_interdomain)
		return;
	ch->way = EVP_BY_BROKER;
	ch->kind = EVTCHNSTAT_unbound;
	if (ch->watched)
		evp_post(g, port);
}

int evp_close_alone(struct evp_guest *g, const void *arg)
{
	struct evtchn_close op;
	struct evp_chan was;

	memcpy(&op, arg, sizeof(op));
	if (op.port >= evp_end_port(g) || !g->chan[op.port].kind)
		return EVP_RC_NO_BROKER;
	evp_chans_lock(g);
	was = g->chan[op.port];
	evp_forget_port(g, op.port, false);
	if (was.way == EVP_HERE && was.peer != op.port)
		part_here(g, was.peer);
	if (was.kind == EVTCHNSTAT_interdomain) {
		g->chan[op.port].parted = true;
		g->chan[op.port].domid = was.domid;
		g->chan[op.port].number = was.number;
	}
	evp_chans_unlock(g);
	return 0;
}

void evp_parted_are_known(struct evp_guest *g)
{
	uint32_t port;

	for (port = 1; port < evp_end_port(g); port++)
		g->chan[port].parted = false;
}

/* --- hearing it ------------------------------------------------------------- */

static void lose_peer(struct evp_guest *g, struct evp_lane *l, uint32_t slot)
{
	uint32_t port = l->slot_port[slot];
	struct evp_chan *ch;

	if (port == EVP_SLOT_UNKNOWN || port == EVP_SLOT_DEAD)
		return;
	ch = &g->chan[port];
	if (evp_lane_take_slot(l->in, slot))
		evp_arrive(g, EVP_TRACE_TAKE, port);
	evp_lane_name_slot(l, slot, EVP_SLOT_UNKNOWN);
	if (ch->lane != l) /* it has a new lane: the broker will say it */
		return;
	ch->lane = NULL;
	ch->way = EVP_BY_BROKER;
	if (ch->kind == EVTCHNSTAT_interdomain)
		ch->kind = EVTCHNSTAT_unbound;
	if (ch->watched)
		evp_post(g, port);
	evp_lane_unuse(g, l);
	l->lost = true; /* it may die before it can say that it left */
	evp_leave_old(l);
}

void evp_look_for_parted(struct evp_guest *g, struct evp_lane *l)
{
	uint64_t words, bits;
	uint32_t word;

	if (!evb_u64_load(&l->in->parted_words))
		return;
	evp_chans_lock(g);
	/* MO-PART: pairs with evp_part() */
	words = evb_u64_xchg(&l->in->parted_words, 0);
	for (; words; words = evb_without_lowest_bit(words)) {
		word = evb_lowest_bit(words);
		bits = evb_u64_xchg(&l->in->parted[word], 0);
		for (; bits; bits = evb_without_lowest_bit(bits))
			lose_peer(g, l, word * 64 + evb_lowest_bit(bits));
	}
	evp_chans_unlock(g);
}
