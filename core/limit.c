/* SPDX-License-Identifier: MIT */
/*
 * Storm limits: a domain may send so many events in a period; what exceeds that
 * waits for the next one.
 *
 * The limit lies on the sender, so a storm costs nobody but him: his peers get
 * at most a burst of events from him in a period, and what others send them
 * goes out at once.  A domain without a limit pays nothing for it, its
 * channels do not carry EVC_CARE_LIMIT.
 *
 * Nothing is lost.  An event is one bit, so an event held back is a note at the
 * sending channel (ch->held) and sends that follow coalesce with it, as they
 * would with the pending bit.  Channels with a note are in a list, first come
 * first served; evc_limit_refill(), which the host calls once in a period,
 * sends for them.
 *
 * Invariant: a channel is in the list, or in the hands of a refill that took it
 * out and has not had its lock yet, exactly when ch->held is not
 * EVC_HELD_NOT.  So a close need not search the list: it only takes the event
 * away (EVC_HELD_LISTED), also when the port is opened again at once.  An event
 * is held only where there is a connection it can go out on.
 */
#include "limit.h"

#include <evc/evc.h>

#include "locking.h"
#include "port_table.h"
#include "send.h"

/* How much a refill sends for a domain that has no limit any more. */
#define UNLIMITED_STEP 64

static void lock_limit(struct evc_limit *l)
{
	evb_lock(&l->lock, evc_host_relax);
}

static void unlock_limit(struct evc_limit *l)
{
	evb_unlock(&l->lock);
}

/* Locks: limit's. */
static void append(struct evc_limit *l, uint32_t port)
{
	l->next[port] = 0;
	if (l->last)
		l->next[l->last] = port;
	else
		l->first = port;
	l->last = port;
	l->nr_held++;
}

bool evc_limit_holds_locked(struct evc_channel *ch)
{
	struct evc_limit *l = ch->domain->limit;
	bool holds;

	lock_limit(l);
	/* Who comes while others wait does not overtake them. */
	holds = l->burst && (!l->left || l->first);
	if (!holds && l->left)
		l->left--;
	l->nr_delayed += holds;
	if (holds && ch->held == EVC_HELD_NOT)
		append(l, ch->port);
	unlock_limit(l);

	ch->sent += ch->held == EVC_HELD_EVENT; /* they are one event now */
	if (holds)
		ch->held = EVC_HELD_EVENT;
	else if (ch->held == EVC_HELD_EVENT)
		ch->held = EVC_HELD_LISTED;
	return holds;
}

void evc_limit_forget_locked(struct evc_channel *ch)
{
	if (ch->held == EVC_HELD_EVENT) {
		ch->held = EVC_HELD_LISTED;
		evc_count_drop_locked(ch);
	}
}

/* The first port of the list, taken out with a share of this period; or 0. */
static uint32_t take_first(struct evc_limit *l)
{
	uint32_t port;

	lock_limit(l);
	port = l->burst && !l->left ? 0 : l->first;
	if (port) {
		l->first = l->next[port];
		if (!l->first)
			l->last = 0;
		l->nr_held--;
		if (l->left)
			l->left--;
	}
	unlock_limit(l);

	return port;
}

static void send_held(struct evc_domain *d, evtchn_port_t port)
{
	struct evc_channel *ch = evc_port_lookup(d, port);
	bool has_event;

	lock_channel(ch);
	has_event = ch->held == EVC_HELD_EVENT;
	ch->held = EVC_HELD_NOT;
	if (has_event) /* then it is connected still, see evc_limit_forget */
		(void)evc_send_with_care(ch, ch->care & EVC_CARE_CONSUMER);
	else
		unlock_channel(ch);
}

int evc_limit_set(struct evc_domain *d, uint32_t burst)
{
	struct evc_limit *l = d->limit;

	if (!l)
		return -XEN_EOPNOTSUPP;
	lock_limit(l);
	l->burst = burst;
	l->left = burst;
	unlock_limit(l);

	return 0;
}

uint32_t evc_limit_refill(struct evc_domain *d)
{
	struct evc_limit *l = d->limit;
	uint32_t i, n, port;

	if (!l)
		return 0;
	lock_limit(l);
	l->left = l->burst;
	n = l->burst ? l->burst : UNLIMITED_STEP;
	unlock_limit(l);

	for (i = 0; i < n; i++) {
		port = take_first(l);
		if (!port)
			break;
		send_held(d, port);
	}
	lock_limit(l);
	n = l->nr_held;
	unlock_limit(l);

	return n;
}

void evc_limit_counters(struct evc_domain *d, struct evc_domain_counters *c)
{
	struct evc_limit *l = d->limit;

	if (!l)
		return;
	lock_limit(l);
	c->held = l->nr_held;
	c->delayed = l->nr_delayed;
	unlock_limit(l);
}
