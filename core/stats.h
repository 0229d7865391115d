/* SPDX-License-Identifier: MIT */
/* Counters, as the state machine sees them.  See stats.c. */
#ifndef CORE_STATS_H
#define CORE_STATS_H

#include <evc/storage.h>

/*
 * The channel is being closed: what it counted goes to its domain.  Locks: the
 * domain's and the channel's.
 */
void evc_stats_close_locked(struct evc_channel *ch);

#endif /* CORE_STATS_H */
