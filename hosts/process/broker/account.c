/* SPDX-License-Identifier: MIT */
/*
 * What each user has of the broker, so that one cannot take what the others
 * need.  A connection, and what is queued for it, is charged to the user of its
 * peer, or to who opened the session it came through; a domain and its ports to
 * who made the domain; a region of grants to who shares it, though others may
 * have it mapped and keep it; pages mapped to who maps them.
 *
 * An account lives as long as a connection, a domain or a region of it.  Ports are counted
 * when asked for, which costs as much as the user has domains.
 */
#include <stdlib.h>

#include "broker.h"

struct evd_account *evd_account_get(struct evd_broker *b, uid_t uid)
{
	struct evd_account *a;

	for (a = b->accounts; a; a = a->next) {
		if (a->uid == uid)
			break;
	}
	if (!a) {
		a = calloc(1, sizeof(*a));
		if (!a)
			return NULL;
		a->uid = uid;
		a->next = b->accounts;
		b->accounts = a;
	}
	a->nr_conns++;
	return a;
}

static void free_unused(struct evd_broker *b, struct evd_account *a)
{
	struct evd_account **at = &b->accounts;

	if (a->nr_conns || a->nr_doms || a->nr_regions)
		return;
	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	free(a);
}

void evd_account_put(struct evd_broker *b, struct evd_account *a)
{
	a->nr_conns--;
	free_unused(b, a);
}

void evd_account_add_region(struct evd_account *a)
{
	a->nr_regions++;
	a->nr_fds++;
}

void evd_account_remove_region(struct evd_broker *b, struct evd_account *a)
{
	a->nr_regions--;
	a->nr_fds--;
	free_unused(b, a);
}

void evd_account_add(struct evd_account *a, struct evd_dom *d)
{
	d->account = a;
	d->next_owned = a->doms;
	a->doms = d;
	a->nr_doms++;
}

void evd_account_remove(struct evd_dom *d)
{
	struct evd_account *a = d->account;
	struct evd_dom **at = &a->doms;

	while (*at != d)
		at = &(*at)->next_owned;
	*at = d->next_owned;
	a->nr_doms--;
	free_unused(d->broker, a);
}

static uint64_t nr_ports(const struct evd_account *a)
{
	const struct evd_dom *d;
	uint64_t n = 0;

	for (d = a->doms; d; d = d->next_owned)
		n += d->core.ports.nr_open;
	return n;
}

static uint64_t has(const struct evd_account *a, enum evd_resource what)
{
	switch (what) {
	case EVD_CONNECTIONS:
		return a->nr_conns;
	case EVD_DOMAINS:
		return a->nr_doms;
	case EVD_PORTS:
		return nr_ports(a);
	case EVD_QUEUE:
		return a->queued;
	case EVD_DESCRIPTORS:
		return a->nr_fds + evd_bury_stuck(a->uid);
	case EVD_MAPPINGS:
		return a->nr_mapped;
	case EVD_NR_RESOURCES:
		break;
	}
	return 0;
}

bool evd_may_have(const struct evd_broker *b, uid_t uid, enum evd_resource what,
		  uint64_t more)
{
	const struct evd_account *a = b->accounts;
	uint64_t limit = evd_limit(b, uid, what);

	if (limit == UINT64_MAX)
		return true;
	while (a && a->uid != uid)
		a = a->next;
	return (a ? has(a, what) : 0) + more <= limit;
}
