/* SPDX-License-Identifier: MIT */
/* The ports of a domain: lookup, and which are free.  See port_table.c. */
#ifndef CORE_PORT_TABLE_H
#define CORE_PORT_TABLE_H

#include <base/bits.h>
#include <evc/deliver.h>
#include <evc/storage.h>

/*
 * The ABI the domain uses now.  It changes at init_control and reset only; a
 * sender may see the old one as long as it holds the lock it posts under
 * (fifo.c says why that is enough).
 */
static inline const struct evc_deliver *
evc_deliver_of(const struct evc_domain *d)
{
	return evb_ptr_load_acquire(&d->deliver);
}

void evc_deliver_set(struct evc_domain *d, const struct evc_deliver *deliver);

/*
 * The channel of @port, or NULL.  No locks: a port that exists never goes
 * away while its domain is there.
 *
 * MO-PORTS: the acquire pairs with the release in grow(); whoever sees the
 * larger count sees the bucket and its initialised channels.
 */
static inline struct evc_channel *evc_port_lookup(const struct evc_domain *d,
						  evtchn_port_t port)
{
	uint32_t nr_valid = evb_u32_load_acquire(&d->ports.nr_valid);

	if (port >= nr_valid)
		return NULL;
	port = evb_clamp_index(port, nr_valid);
	return &d->ports.bucket[port / EVC_BUCKET_PORTS]
			       [port % EVC_BUCKET_PORTS];
}

int evc_ports_init(struct evc_domain *d, const struct evc_domain_config *c);

/*
 * The lowest free port, with its bucket in place, not yet taken.
 *   -XEN_EINVAL  the domain is being destroyed
 *   -XEN_ENOSPC  none within max_port, the ABI's and the lent capacity
 *   -XEN_ENOMEM  evc_host_bucket() had no memory
 * Locks: domain.lock held.
 */
int evc_port_find_free_locked(struct evc_domain *d, struct evc_channel **ch);

/* One more than the highest port @d may have now.  Locks: domain.lock held. */
uint32_t evc_port_limit_locked(const struct evc_domain *d);

/*
 * Let ports below @nr exist; @nr is within the lent capacity.
 *   -XEN_ENOMEM  @lent_only, and a bucket was not lent in advance: nothing
 *                was done; or evc_host_bucket() had no memory
 * Locks: domain.lock held.
 */
int evc_ports_grow_locked(struct evc_domain *d, uint32_t nr, bool lent_only);

/* Take a port found free; give one back.  Locks: domain.lock held. */
void evc_port_take_locked(struct evc_domain *d, evtchn_port_t port);
void evc_port_put_locked(struct evc_domain *d, evtchn_port_t port);

#endif /* CORE_PORT_TABLE_H */
