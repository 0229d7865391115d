/* SPDX-License-Identifier: MIT */
/*
 * What an attachment counts, where others can read it.
 *
 * Sends bypass the broker, so who sends counts; in memory that it shares with
 * whoever has the descriptor, read-only.  One writer, unless the guest is guarded
 * (guest.h); readers want an untorn value and no order.  A send costs one addition, an arriving event one.
 *
 * Hostile writers exist: a reader believes nothing but that these are numbers.
 */
#ifndef EVP_COUNTS_H
#define EVP_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include <abi/event_channel.h>
#include <base/atomic.h>

/*
 * Only those counted are really there: so nobody goes through all of them.
 */
#define EVP_COUNTS_PORTS EVTCHN_FIFO_NR_CHANNELS

/* Of a port, since it was opened. */
struct evp_port_counts {
	evb_u64 sent[3]; /* sends, by what became of them: enum evp_sent */
	evb_u64 events;	 /* times it became pending */
};

struct evp_counts {
	evb_u64 upcalls;
	evb_u64 sleeps;
	evb_u64 hypercalls;
	evb_u64 sent_local;  /* of the sends: IPI, loopback */
	evb_u64 sent_broker; /* of the sends: through the broker */
	evb_u64 discarded;
	evb_u64 timer;		       /* events of timers */
	evb_u64 storms;		       /* times a lane was shut for one */
	struct evp_port_counts closed; /* all ports that are closed */
	evb_u64 unused[4096 / 8 - 12];
	struct evp_port_counts port[EVP_COUNTS_PORTS];
};

_Static_assert(sizeof(struct evp_counts) ==
		       4096 + EVP_COUNTS_PORTS * sizeof(struct evp_port_counts),
	       "a page, and the ports");

/* Relaxed: one writer, and readers that want no order. */
static inline void evp_count(evb_u64 *c)
{
	evb_u64_store_relaxed(c, evb_u64_load_relaxed(c) + 1);
}

/* The same with several writers, if @shared. */
static inline void evp_count_in(bool shared, evb_u64 *c)
{
	if (shared)
		(void)evb_u64_add(c, 1);
	else
		evp_count(c);
}

/*
 * Zeroed counters, and a descriptor to hand out; -1 if they can only be
 * private.  NULL: no memory.
 */
struct evp_counts *evp_counts_new(int *fd);
void evp_counts_free(struct evp_counts *c);

/* Read somebody else's.  NULL: @fd is no such memory, or cannot be mapped. */
const struct evp_counts *evp_counts_map(int fd);
void evp_counts_unmap(const struct evp_counts *c);

/* Is @fd such memory, which its maker cannot shrink any more? */
int evp_counts_check(int fd);

/* @port was closed: it counts from 0 again. */
void evp_counts_close(struct evp_counts *c, uint32_t port);

#endif /* EVP_COUNTS_H */
