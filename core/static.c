/* SPDX-License-Identifier: MIT */
/*
 * Static event channels: the table is walked three times.
 *
 *   1. check: is each end good, and named once?  Locks are taken and given
 *      back end by end, nothing is kept: see the context rule in static.h.
 *   2. open: every end that is not there becomes UNBOUND, waiting for the other
 *      domain, as alloc_unbound would leave it, with its own number.
 *   3. join: two ends that wait for each other are connected.
 *
 * A port that is not the lowest free one leaves a hole below it.  Holes are
 * ordinary free ports: their buckets exist, the bitmaps of the port table have
 * their bits set, and the next allocation takes the lowest.
 */
#include <evc/static.h>

#include <evc/evc.h>

#include "channel.h"
#include "locking.h"
#include "port_table.h"
#include "send.h"

static struct evc_domain *find(struct evc_machine *m, domid_t domid)
{
	if (domid >= DOMID_FIRST_RESERVED)
		return NULL;
	return evc_host_find_domain(m, domid);
}

/* --- 1. check -------------------------------------------------------------- */

/*
 * Is @ch open as an end of this table, waiting for @other or connected to it?
 * Locks: the channel's.
 */
static bool is_there_locked(const struct evc_channel *ch,
			    const struct evc_static_end *other)
{
	if (!ch->fixed)
		return false;
	if (ch->state == EVC_ST_UNBOUND)
		return ch->u.remote_domid == other->domid;
	return ch->state == EVC_ST_INTERDOMAIN &&
	       ch->u.peer->domain->domid == other->domid &&
	       ch->u.peer->port == other->port;
}

/* Can the port be opened, or is it there?  Locks: domain.lock held. */
static int check_port(struct evc_domain *d, const struct evc_static_end *end,
		      const struct evc_static_end *other)
{
	struct evc_channel *ch;
	bool usable;
	int rc;

	if (evb_u8_load(&d->dying))
		return -XEN_EINVAL;
	if (end->port >= evc_port_limit_locked(d))
		return -XEN_ENOSPC;
	rc = evc_ports_grow_locked(d, end->port + 1, true);
	if (rc)
		return rc;
	ch = evc_port_lookup(d, end->port);
	lock_channel(ch);
	if (ch->state == EVC_ST_FREE)
		usable = !evc_deliver_of(d)->is_busy(d, ch);
	else
		usable = is_there_locked(ch, other);
	unlock_channel(ch);

	return usable ? 0 : -XEN_EBUSY;
}

static int check_end(struct evc_machine *m, const struct evc_static_end *end,
		     const struct evc_static_end *other)
{
	struct evc_domain *d = find(m, end->domid);
	int rc;

	if (!d)
		return -XEN_ESRCH;
	if (!evc_has_vcpu(d, end->vcpu))
		return -XEN_ENOENT;
	if (end->port == 0)
		return -XEN_EINVAL;
	lock_domain(d);
	rc = check_port(d, end, other);
	unlock_domain(d);

	return rc;
}

static bool is_same(const struct evc_static_end *x,
		    const struct evc_static_end *y)
{
	return x->domid == y->domid && x->port == y->port;
}

/* Does an end of row @row stand in it twice, or in a later row? */
static bool is_named_twice(const struct evc_static_channel *table, uint32_t n,
			   uint32_t row)
{
	const struct evc_static_channel *r = &table[row];
	uint32_t i;

	if (is_same(&r->a, &r->b))
		return true;
	for (i = row + 1; i < n; i++) {
		if (is_same(&r->a, &table[i].a) ||
		    is_same(&r->a, &table[i].b) ||
		    is_same(&r->b, &table[i].a) || is_same(&r->b, &table[i].b))
			return true;
	}
	return false;
}

static int check_table(struct evc_machine *m,
		       const struct evc_static_channel *table, uint32_t n)
{
	uint32_t i;
	int rc = 0;

	for (i = 0; i < n && !rc; i++) {
		rc = check_end(m, &table[i].a, &table[i].b);
		if (!rc)
			rc = check_end(m, &table[i].b, &table[i].a);
		if (!rc && is_named_twice(table, n, i))
			rc = -XEN_EINVAL;
	}
	return rc;
}

/* --- 2. open --------------------------------------------------------------- */

/* True: it was not there before. */
static bool open_end(struct evc_domain *d, const struct evc_static_end *end,
		     const struct evc_domain *other)
{
	struct evc_channel *ch = evc_port_lookup(d, end->port);
	bool opened;

	lock_domain(d);
	lock_channel(ch);
	opened = ch->state == EVC_ST_FREE && !evb_u8_load(&d->dying);
	/* One that waits does so for the bearer of the id that is there now. */
	if (opened || (ch->fixed && ch->state == EVC_ST_UNBOUND))
		evc_channel_wait_for(ch, other->domid, other);
	if (opened) {
		ch->fixed = true;
		d->ports.nr_fixed++;
		evc_channel_open_locked(ch, EVC_ST_UNBOUND, end->vcpu);
	}
	unlock_channel(ch);
	unlock_domain(d);

	return opened;
}

/* --- 3. join --------------------------------------------------------------- */

/* The other end was there before this one: something may have been sent. */
static void post_missed(struct evc_channel *ch)
{
	lock_channel(ch);
	if (ch->state == EVC_ST_INTERDOMAIN)
		evc_post_locked(ch);
	unlock_channel(ch);
}

static bool is_connected(struct evc_channel *a, const struct evc_channel *b)
{
	bool connected;

	lock_channel(a);
	connected = a->state == EVC_ST_INTERDOMAIN && a->u.peer == b;
	unlock_channel(a);

	return connected;
}

static int connect_row(struct evc_machine *m,
		       const struct evc_static_channel *row)
{
	struct evc_domain *da = find(m, row->a.domid);
	struct evc_domain *db = find(m, row->b.domid);
	struct evc_channel *a, *b;
	bool opened_a, opened_b;

	/* They were there when the table was checked. */
	if (!da || !db)
		return -XEN_ESRCH;
	a = evc_port_lookup(da, row->a.port);
	b = evc_port_lookup(db, row->b.port);
	if (!a || !b)
		return -XEN_EBUSY; /* their ids have new bearers */
	opened_a = open_end(da, &row->a, db);
	opened_b = open_end(db, &row->b, da);
	if (!evc_channel_join(a, b) && !is_connected(a, b))
		return -XEN_EBUSY; /* somebody interfered */
	if (opened_a && !opened_b)
		post_missed(a);
	if (opened_b && !opened_a)
		post_missed(b);
	return 0;
}

int evc_static_connect(struct evc_machine *m,
		       const struct evc_static_channel *table, uint32_t n)
{
	uint32_t i;
	int rc = check_table(m, table, n);

	for (i = 0; i < n && !rc; i++)
		rc = connect_row(m, &table[i]);
	return rc;
}
