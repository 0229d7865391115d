/* SPDX-License-Identifier: MIT */
/*
 * The port table: which ports exist, which are free.
 *
 * Existence.  Channels live in buckets of 64 that the host lends when a port
 * in them is first looked at by an allocation; below nr_valid every port
 * exists, and nr_valid only grows.  Guests can see the boundary (status
 * -XEN_EINVAL beyond it), so the bucket size is part of the behaviour.
 *
 * Freedom.  Guests rely on the lowest free number being handed out.  Three
 * levels of bitmaps find it without a scan:
 *
 *   map[0]  a bit per port, 1 = free
 *   map[1]  a bit per word of map[0], 1 = that word is not zero
 *   map[2]  one word, a bit per word of map[1]
 *
 * Ports that do not exist are free, too, and above all that do: the maps are
 * about those that exist, so of a large table only the part in use is ever
 * written.  With 131,072 ports the levels have 2,048, 32 and 1 words, so taking,
 * giving back and finding are a handful of instructions whatever the number of
 * ports.
 *
 * Finding and taking are separate: an operation finds a port, checks
 * everything else, and takes it when nothing can fail any more.  Only a grown
 * table remains of an operation that fails in between.
 */
#include "port_table.h"

#include <abi/errno.h>
#include <evc/host.h>

static void set_free(struct evc_ports *p, uint32_t port)
{
	p->map[0][port / 64] |= 1ull << port % 64;
	p->map[1][port / 4096] |= 1ull << port / 64 % 64;
	p->map[2][0] |= 1ull << port / 4096;
}

static void set_taken(struct evc_ports *p, uint32_t port)
{
	p->map[0][port / 64] &= ~(1ull << port % 64);
	if (p->map[0][port / 64])
		return;
	p->map[1][port / 4096] &= ~(1ull << port / 64 % 64);
	if (p->map[1][port / 4096])
		return;
	p->map[2][0] &= ~(1ull << port / 4096);
}

/* The lowest free port, or UINT32_MAX. */
static uint32_t lowest_free(const struct evc_ports *p)
{
	uint32_t i;

	if (!p->map[2][0])
		return UINT32_MAX;
	i = evb_lowest_bit(p->map[2][0]);
	i = i * 64 + evb_lowest_bit(p->map[1][i]);
	return i * 64 + evb_lowest_bit(p->map[0][i]);
}

/* The lowest free port above @port, or UINT32_MAX: for skipping busy ones. */
static uint32_t next_free(const struct evc_ports *p, uint32_t port)
{
	uint64_t above;

	above = p->map[0][port / 64] & ~1ull << port % 64;
	if (above)
		return port / 64 * 64 + evb_lowest_bit(above);
	port /= 64;
	above = p->map[1][port / 64] & ~1ull << port % 64;
	if (!above) {
		port /= 64;
		above = p->map[2][0] & ~1ull << port;
		if (!above)
			return UINT32_MAX;
		port = evb_lowest_bit(above) * 64;
		above = p->map[1][port / 64];
	}
	port = port / 64 * 64 + evb_lowest_bit(above);
	return port * 64 + evb_lowest_bit(p->map[0][port]);
}

/* Let ports nr_valid .. nr_valid + 63 exist. */
static int grow(struct evc_domain *d)
{
	uint32_t first = evb_u32_load_relaxed(&d->ports.nr_valid);
	uint32_t index = first / EVC_BUCKET_PORTS;
	struct evc_channel *ch = d->ports.bucket[index];
	uint32_t i;

	if (!ch)
		ch = evc_host_bucket(d, index);
	if (!ch)
		return -XEN_ENOMEM;
	for (i = 0; i < EVC_BUCKET_PORTS; i++) {
		ch[i].port = first + i;
		ch[i].domain = d;
		evb_ptr_store_release(&ch[i].vcpu, &d->vcpu[0]);
		set_free(&d->ports, first + i);
	}
	d->ports.bucket[index] = ch;
	/* MO-PORTS: pairs with evc_port_lookup() */
	evb_u32_store_release(&d->ports.nr_valid, first + EVC_BUCKET_PORTS);

	return 0;
}

int evc_ports_init(struct evc_domain *d, const struct evc_domain_config *c)
{
	struct evc_ports *p = &d->ports;
	int rc;

	p->bucket = c->bucket;
	p->capacity = c->nr_buckets * EVC_BUCKET_PORTS;
	p->map[0] = c->map;
	p->map[1] = p->map[0] + c->nr_buckets;
	p->map[2] = p->map[1] + (c->nr_buckets + 63) / 64;
	rc = grow(d);
	if (rc)
		return rc;
	p->bucket[0][0].state = EVC_ST_RESERVED;
	set_taken(p, 0);

	return 0;
}

int evc_ports_grow_locked(struct evc_domain *d, uint32_t nr, bool lent_only)
{
	uint32_t i =
		evb_u32_load_relaxed(&d->ports.nr_valid) / EVC_BUCKET_PORTS;
	uint32_t end = (nr + EVC_BUCKET_PORTS - 1) / EVC_BUCKET_PORTS;
	uint32_t first = i;
	int rc = 0;

	for (; lent_only && i < end; i++) {
		if (!d->ports.bucket[i])
			return -XEN_ENOMEM;
	}
	for (i = first; i < end && !rc; i++)
		rc = grow(d);
	return rc;
}

uint32_t evc_port_limit_locked(const struct evc_domain *d)
{
	uint32_t limit = evc_deliver_of(d)->nr_ports(d);

	if (limit > d->ports.capacity)
		limit = d->ports.capacity;
	if (d->max_port < limit)
		limit = d->max_port + 1;
	return limit;
}

int evc_port_find_free_locked(struct evc_domain *d, struct evc_channel **ch)
{
	uint32_t limit = evc_port_limit_locked(d);
	uint32_t port = lowest_free(&d->ports);
	int rc;

	if (evb_u8_load_relaxed(&d->dying)) /* changes under domain.lock only */
		return -XEN_EINVAL;
	for (; port < limit; port = next_free(&d->ports, port)) {
		*ch = evc_port_lookup(d, port);
		if (!evc_deliver_of(d)->is_busy(d, *ch))
			return 0;
	}
	port = evb_u32_load_relaxed(&d->ports.nr_valid);
	if (port >= limit)
		return -XEN_ENOSPC;
	/* A port that did not exist has not been in a queue: never busy. */
	rc = grow(d);
	if (!rc)
		*ch = evc_port_lookup(d, port);
	return rc;
}

void evc_port_take_locked(struct evc_domain *d, evtchn_port_t port)
{
	set_taken(&d->ports, port);
	d->ports.nr_open++;
}

void evc_port_put_locked(struct evc_domain *d, evtchn_port_t port)
{
	set_free(&d->ports, port);
	d->ports.nr_open--;
}

void evc_deliver_set(struct evc_domain *d, const struct evc_deliver *deliver)
{
	/* The table is constant; only the place that names it is not. */
	evb_ptr_store_release(&d->deliver, (void *)(uintptr_t)deliver);
}
