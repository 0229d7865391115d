/* SPDX-License-Identifier: MIT */
/*
 * Counters: what a channel sent, and what became of it.
 *
 * They are kept at the end that sends, under the lock a send takes anyway, so
 * counting costs a send one instruction and no atomic operation.  Only three
 * things are counted; the rest follows:
 *
 *   sent = posted + coalesced + dropped
 *
 * A domain's numbers are those of its open channels and of the ones closed
 * before, which leave theirs behind.
 */
#include "stats.h"

#include <evc/evc.h>

#include "limit.h"
#include "locking.h"
#include "port_table.h"

void evc_stats_close_locked(struct evc_channel *ch)
{
	struct evc_domain *d = ch->domain;

	d->gone_sent += ch->sent;
	d->gone_posted += ch->posted;
	d->gone_dropped += ch->dropped;
	ch->sent = 0;
	ch->posted = 0;
	ch->dropped = 0;
}

static void add(struct evc_counters *c, uint64_t sent, uint64_t posted,
		uint64_t dropped)
{
	c->sent += sent;
	c->posted += posted;
	c->dropped += dropped;
	c->coalesced += sent - posted - dropped;
}

static void add_channel(struct evc_counters *c, struct evc_channel *ch)
{
	lock_channel(ch);
	add(c, ch->sent, ch->posted, ch->dropped);
	unlock_channel(ch);
}

int evc_channel_counters(struct evc_domain *d, evtchn_port_t port,
			 struct evc_counters *c)
{
	struct evc_channel *ch = evc_port_lookup(d, port);

	if (!ch)
		return -XEN_EINVAL;
	*c = (struct evc_counters){0};
	add_channel(c, ch);
	return 0;
}

void evc_domain_counters(struct evc_domain *d, struct evc_domain_counters *c)
{
	uint32_t port, nr_valid;

	*c = (struct evc_domain_counters){0};
	lock_domain(d);
	add(&c->all, d->gone_sent, d->gone_posted, d->gone_dropped);
	c->nr_open = d->ports.nr_open;
	nr_valid = evb_u32_load_relaxed(&d->ports.nr_valid);
	for (port = 1; port < nr_valid; port++)
		add_channel(&c->all, evc_port_lookup(d, port));
	unlock_domain(d);
	if (d->fifo)
		c->lost = evb_u32_load_relaxed(&d->fifo->nr_dropped);
	evc_limit_counters(d, c);
}
