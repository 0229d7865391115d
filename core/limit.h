/* SPDX-License-Identifier: MIT */
/* Storm limits, as the data plane sees them.  See limit.c. */
#ifndef CORE_LIMIT_H
#define CORE_LIMIT_H

#include <evc/evc.h>

/*
 * Must an event sent from @ch wait for its domain's next period?  Locks: the
 * channel's.
 */
bool evc_limit_holds_locked(struct evc_channel *ch);

/* The connection ends: an event held back on it is dropped.  Locks: as above. */
void evc_limit_forget_locked(struct evc_channel *ch);

/* Fill in what the limit counts.  Locks: none. */
void evc_limit_counters(struct evc_domain *d, struct evc_domain_counters *c);

#endif /* CORE_LIMIT_H */
