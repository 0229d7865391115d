/* SPDX-License-Identifier: MIT */
/*
 * A lane: how events go from one attachment to one other, or from the broker
 * to one attachment, without anybody in between.
 *
 * It is one page of a sealed memfd that only these two map, the 2-level idea
 * for a pair: pending bits, and a selector with one bit per word of them.
 * Bits are indexed by slot.  The receiver alone knows which of its ports a
 * slot stands for, so the worst a hostile sender can do is to raise events on
 * channels it is connected to; and the worst a hostile receiver can do is to
 * lose its own events, or to have itself rung for nothing.
 *
 * The ladder:  payload -> pending -> selector -> armed -> bell
 *
 * MO-LANE  sender: set the pending bit, then the selector bit.
 *          receiver: take the selector, then the pending words.
 * MO-ARM   sender: set the selector, then look at armed.
 *          receiver: set armed, then look at the selector.  One of them sees
 *          the other, so nobody falls asleep on an event.  Whoever moves the
 *          selector away from 0 rings: the senders after him rely on it.
 *
 * The fields of one lane with few channels share a cache line on purpose: one
 * transfer carries the whole ladder from core to core.
 */
#ifndef EVP_LANE_H
#define EVP_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/atomic.h>

#define EVP_LANE_SLOTS 4096
#define EVP_LANE_WORDS (EVP_LANE_SLOTS / 64)
#define EVP_PAGE_SIZE  4096

/*
 * Whether the sender may still send.  Without a broker to say so, it is how
 * either end learns that it can let go of a lane (rejoin.c).
 *
 * MO-LEFT  sender: the last event, then EVP_LEFT.  receiver: sees that, then
 *          takes what is there, and that is all there will ever be.
 */
enum evp_use {
	EVP_UNUSED, /* the sender has not mapped it (yet) */
	EVP_USED,
	EVP_LEFT,
	EVP_GONE, /* and has no successor: the sender has detached */
};

struct evp_lane_page {
	evb_u64 selector;
	evb_u32 armed; /* the receiver sleeps or is about to */
	evb_u32 use;   /* enum evp_use: of the sender */
	evb_u64 pending[EVP_LANE_WORDS];
	evb_u32 rung_from; /* a hint: the CPU the last ring came from, plus 1 */
	/* Without a broker: slots whose channel the sender closed (MO-PART). */
	evb_u64 parted_words;
	evb_u64 parted[EVP_LANE_WORDS];
};

_Static_assert(sizeof(struct evp_lane_page) <= EVP_PAGE_SIZE, "one page");

enum evp_sent {
	EVP_MERGED, /* was pending already */
	EVP_SET,
	EVP_RANG, /* and the receiver had to be woken */
};

/*
 * evp_lane_send - raise an event in a lane.
 *
 * @rope  of its bell, rung if the receiver sleeps (kick.c)
 * @slot  below EVP_LANE_SLOTS
 * Context: any thread that owns the sending side.
 * Order:   the caller's earlier writes are visible to whoever takes the bit.
 * Bound:   O(1): one atomic read-modify-write when the event merges with one
 *          that waits, two when the receiver is awake, three and a system
 *          call when it sleeps.
 */
enum evp_sent evp_lane_send(struct evp_lane_page *p, int rope, uint32_t slot);

/*
 * The receiver shall look at something else in the page, which was written before:
 * it takes the selector, and finds no event.
 */
void evp_lane_call(struct evp_lane_page *p, int rope);

/* Which words have pending bits; they are the caller's now. */
uint64_t evp_lane_take_selector(struct evp_lane_page *p);

/* The pending bits of a word; they are the caller's now. */
uint64_t evp_lane_take_word(struct evp_lane_page *p, uint32_t word);

/* Take one slot's bit.  Returns whether it was set. */
bool evp_lane_take_slot(struct evp_lane_page *p, uint32_t slot);

bool evp_lane_is_empty(const struct evp_lane_page *p);

/* Ask to be rung; look at evp_lane_is_empty() afterwards.  And the undoing. */
void evp_lane_arm(struct evp_lane_page *p);
void evp_lane_disarm(struct evp_lane_page *p);

/*
 * A new page: memfd, and its mapping.  Sealed: nobody can shrink it, which
 * would kill the other side with SIGBUS.  0 or -errno.
 */
int evp_lane_create(int *memfd, struct evp_lane_page **p);

/* Map a page that was received.  -EPROTO: it is not such a page. */
int evp_lane_map(int memfd, struct evp_lane_page **p);

/* NULL is fine. */
void evp_lane_unmap(struct evp_lane_page *p);

/* The same for lanes of another size, whole pages; @m: NULL to map nothing. */
int evp_pages_create(int *memfd, size_t size, void **m);
int evp_pages_map(int memfd, size_t size, void **m);
void evp_pages_unmap(void *m, size_t size);

/* --- kick.c ------------------------------------------------------------------ */

/* Two descriptors: the sender's, to ring with, and the receiver's. */
struct evp_bell {
	int rope;
	int bell;
};

/* Ring the bell of a sleeping receiver.  Never waits. */
void evp_kick(int rope);

/* A new one, both ends close-on-exec: 0 or -errno.  And the end of both. */
int evp_bell_make(struct evp_bell *b);
void evp_bell_close(struct evp_bell *b);

/*
 * Each ring is an event of @epoll from now on, with @lane as its data; the first
 * comes at once, since nobody knows who rang before.  0 or -errno.  And no more.
 */
int evp_bell_hear(int epoll, int bell, uint64_t lane);
void evp_bell_ignore(int epoll, int bell);

/* Do bells ring here?  -ENOSYS: not with this kernel; other -errno. */
int evp_bell_check(void);

#endif /* EVP_LANE_H */
