/* SPDX-License-Identifier: MIT */
/*
 * The broker's lane to an attachment: by port instead of by slot.
 *
 * A lane has too few slots for all ports a domain can have.  So there is one
 * more level: a bit for each port, in words of 64, and a slot stands for such a
 * word.  Slot 0 says that there is news, slot 1 + n that there is something in
 * word n.
 *
 * The bits follow the lane's own at once: while ports have low numbers, all of
 * it is in the one page that a lane has anyway.  The rest is not there, for
 * either side, before a port in it has an event.
 *
 * MO-LANE  sender: set the port's bit, then raise the word's slot.
 *          receiver: take the slot's bit, then the word.
 */
#ifndef EVP_PORT_LANE_H
#define EVP_PORT_LANE_H

#include <abi/event_channel.h>

#include "lane.h"

#define EVP_PORT_WORDS (EVTCHN_FIFO_NR_CHANNELS / 64)

/* Slot 0: read the news. */
#define EVP_SLOT_NEWS 0
/* Slots from here on: words of ports. */
#define EVP_SLOT_PORTS 1

_Static_assert(EVP_SLOT_PORTS + EVP_PORT_WORDS <= EVP_LANE_SLOTS,
	       "a slot for each word");

struct evp_port_lane {
	struct evp_lane_page lane; /* first: it is one, with something behind */
	evb_u64 port[EVP_PORT_WORDS];
};

static inline struct evp_port_lane *evp_port_lane_of(struct evp_lane_page *p)
{
	return (struct evp_port_lane *)p;
}

/* As evp_lane_send(), for @port, which is below EVTCHN_FIFO_NR_CHANNELS. */
enum evp_sent evp_port_send(struct evp_port_lane *l, int bell,
			    evtchn_port_t port);

/* The ports of a word that have an event; they are the caller's now. */
uint64_t evp_port_take_word(struct evp_port_lane *l, uint32_t word);

/* Take one port's event.  Returns whether it had one. */
bool evp_port_take(struct evp_port_lane *l, evtchn_port_t port);

/* As evp_lane_create(), evp_lane_map() and evp_lane_unmap(). */
int evp_port_lane_create(int *memfd, struct evp_port_lane **l);
int evp_port_lane_map(int memfd, struct evp_port_lane **l);
void evp_port_lane_unmap(struct evp_port_lane *l);

#endif /* EVP_PORT_LANE_H */
