/* SPDX-License-Identifier: MIT */
/*
 * What the broker tells, and what is done when it is gone: a part of guest.h,
 * which includes it.
 */
#ifndef EVP_REJOIN_H
#define EVP_REJOIN_H

/* --- news.c ----------------------------------------------------------------- */

/* Read what the broker has to say, without waiting. */
void evp_read_news(struct evp_guest *g);

/* One message that is no answer.  Takes its descriptors. */
void evp_on_news(struct evp_guest *g, struct evp_packet *p);

/* @port is closed; @unasked: by another attachment.  Locks: chans. */
void evp_forget_port(struct evp_guest *g, evtchn_port_t port, bool unasked);

/* No more broker; the lanes stay. */
void evp_lose_broker(struct evp_guest *g);

/* --- rejoin.c --------------------------------------------------------------- */

/* In epoll: when to look for a broker. */
#define EVP_RETRY_TAG (UINT64_MAX - 1)

/* The broker is gone: the lanes are old ones, look for another from now on. */
void evp_mourn(struct evp_guest *g);

/* Look for a broker, at once.  False: there is none. */
bool evp_rejoin(struct evp_guest *g);

/* If g->tend: look for a broker when it is time, let go of old lanes. */
void evp_tend(struct evp_guest *g);

/* --- part.c ----------------------------------------------------------------- */

/*
 * EVTCHNOP_close without a broker; @arg: of the hypercall.  0, or EVP_RC_NO_BROKER:
 * no port that is known here.
 */
int evp_close_alone(struct evp_guest *g, const void *arg);

/* The channel of @slot in @l is closed here: tell the peer. */
void evp_part(struct evp_lane *l, uint32_t slot);

/* Has the peer closed some of those in the old lane @l? */
void evp_look_for_parted(struct evp_guest *g, struct evp_lane *l);

/* A broker has heard what was closed. */
void evp_parted_are_known(struct evp_guest *g);

/* The broker's answer; takes its descriptors. */
void evp_on_reattached(struct evp_guest *g, struct evp_packet *p);

/* @port has gone: nothing comes for it in old lanes.  True: something had. */
bool evp_forget_old(struct evp_guest *g, evtchn_port_t port);

/* Its last channel may have left @l: tell the receiver. */
void evp_leave_old(struct evp_lane *l);

/* Leaving for good without a broker: tell the peers by their lanes. */
void evp_leave_all(struct evp_guest *g);

/* --- claims.c --------------------------------------------------------------- */

/*
 * Claim all ports, as far as there is room, and go on when there is more; the
 * rest at once, waiting: 0 or -errno; never.
 */
void evp_claims_begin(struct evp_guest *g);
void evp_claims_go_on(struct evp_guest *g);
int evp_claims_finish(struct evp_guest *g);
void evp_claims_drop(struct evp_guest *g);

/* While there are claims left: answer now, or when there is room. */
int evp_claims_answer(struct evp_guest *g, const struct evp_link_msg *m);

#endif /* EVP_REJOIN_H */
