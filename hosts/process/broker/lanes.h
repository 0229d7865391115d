/* SPDX-License-Identifier: MIT */
/*
 * Attachments, the lanes between them, and the descriptors that are sent for
 * these.  A part of broker.h.
 */
#ifndef EVTCHND_LANES_H
#define EVTCHND_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evd_att;
struct evd_broker;
struct evd_conn;
struct evd_dom;
struct evd_pair;
struct evp_attach_req;

/* --- lanes.c ---------------------------------------------------------------- */

/*
 * Make @c an attachment of @d, as @m asks, and answer.  @back: it was one of a
 * former broker.  -ENOMEM, -EMFILE
 */
int evd_attach(struct evd_conn *c, struct evd_dom *d,
	       const struct evp_attach_req *m, bool back);
void evd_detach(struct evd_conn *c);

/*
 * Fill in what @a is woken and told by; @fd: the page of its lane and its bell,
 * to be sent.  And empty it; a second time is fine.
 */
int evd_att_equip(struct evd_att *a, int *fd);
void evd_att_strip(struct evd_att *a);

/* Tell the other ends of all pairs that their lanes lead nowhere. */
void evd_pairs_drop(struct evd_att *a);

/* Take back those that only one side was told of; they have no links. */
void evd_pairs_drop_useless(struct evd_att *a);

/*
 * A pair between two attachments with a free slot in each lane, made if need
 * be.  NULL: not now.
 */
struct evd_pair *evd_pair_get(struct evd_broker *b, struct evd_att *x,
			      struct evd_att *y);

/* Which side of the pair is @a? */
unsigned int evd_pair_side(const struct evd_pair *p, const struct evd_att *a);

/* A free slot in the lane into att[side]: there is one.  And its return. */
uint32_t evd_slot_take(struct evd_pair *p, unsigned int side);
void evd_slot_put(struct evd_pair *p, unsigned int side, uint32_t slot);

/* --- conn.c ----------------------------------------------------------------- */

/*
 * Send a message that can be done without: as evd_send() (broker.h), but nothing of
 * it waits here for room.  -EAGAIN, or another -errno: it was not sent.
 */
int evd_offer(struct evd_conn *c, const void *msg, size_t len, const int *fd,
	      unsigned int nr_fds);

/*
 * May it be sent so many descriptors more?  What it has not read the kernel
 * counts against what our user may have in flight (unix(7), ETOOMANYREFS), and
 * what waits here is open here.  The second is for what can wait.
 */
bool evd_may_get(struct evd_conn *c, unsigned int nr_fds);
bool evd_may_offer(struct evd_conn *c, unsigned int nr_fds);

/* --- relink.c --------------------------------------------------------------- */

/* Try @a's links again when it has read what it was sent.  Or do not. */
void evd_relink_later(struct evd_att *a);
void evd_relink_never(struct evd_att *a, struct evd_broker *b);

/* Now and then.  Returns ms until the next look, or -1. */
int evd_relink_look(struct evd_broker *b);

#endif /* EVTCHND_LANES_H */
