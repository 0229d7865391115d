/* SPDX-License-Identifier: MIT */
/* A peer that rings for nothing: see storm.c.  Locks: guest. */
#ifndef EVP_STORM_H
#define EVP_STORM_H

#include "guest.h"

/* We looked into a lane, or were told to by its bell. */
void evp_looked(struct evp_guest *g, struct evp_lane *l, bool something_new);

/*
 * Open @l.  While its bell cannot be heard, it is looked at each millisecond, and
 * opening is tried again.
 */
void evp_lane_hear(struct evp_guest *g, struct evp_lane *l);

/* guest.reopen_at is there: open the lanes that were shut for it. */
void evp_storms_end(struct evp_guest *g);

#endif /* EVP_STORM_H */
