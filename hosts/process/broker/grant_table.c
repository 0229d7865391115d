/* SPDX-License-Identifier: MIT */
/*
 * The entries of grant tables: which references are free.
 *
 * A table grows by doubling, and the free ones above the reserved are in a list with
 * links in both directions, since whoever comes back takes one out of the middle.
 * An entry is free when it is neither shared nor mapped; it is not freed with its
 * domain if somebody still has a page of it.
 *
 * Reading order: the list, tables, entries.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "grants.h"

#define FIRST_ENTRIES 64

static void push_free(struct evd_table *t, uint32_t ref)
{
	struct evd_grant *g = &t->grant[ref];

	g->next = t->free;
	g->prev = EVP_GRANT_ANY;
	if (t->free != EVP_GRANT_ANY)
		t->grant[t->free].prev = ref;
	t->free = ref;
}

static void remove_free(struct evd_table *t, uint32_t ref)
{
	const struct evd_grant *g = &t->grant[ref];

	if (g->prev == EVP_GRANT_ANY)
		t->free = g->next;
	else
		t->grant[g->prev].next = g->next;
	if (g->next != EVP_GRANT_ANY)
		t->grant[g->next].prev = g->prev;
}

/* Put the entries from @from on into the free list, the lowest first. */
static void add_free(struct evd_table *t, uint32_t from)
{
	uint32_t i = t->nr;

	while (i-- > from)
		push_free(t, i);
}

static bool grow(struct evd_table *t)
{
	uint32_t old = t->nr, nr = old ? 2 * old : FIRST_ENTRIES;
	struct evd_grant *g;

	if (nr > EVP_GRANTS_MAX)
		return false;
	g = realloc(t->grant, nr * sizeof(*g));
	if (!g)
		return false;
	memset(g + old, 0, (nr - old) * sizeof(*g));
	t->grant = g;
	t->nr = nr;
	add_free(t, old ? old : EVP_GRANT_RESERVED);
	return true;
}

struct evd_table *evd_table_of(struct evd_dom *d)
{
	struct evd_table *t = d->grants;

	if (t)
		return t;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->refs = 1;
	t->free = EVP_GRANT_ANY;
	if (!grow(t)) {
		free(t);
		return NULL;
	}
	d->grants = t;
	return t;
}

void evd_table_put(struct evd_table *t)
{
	if (!t || --t->refs)
		return;
	free(t->grant);
	free(t);
}

struct evd_grant *evd_grant(struct evd_table *t, uint32_t ref)
{
	return t && ref < t->nr && t->grant[ref].region ? &t->grant[ref] : NULL;
}

void evd_grant_release(struct evd_table *t, uint32_t ref)
{
	struct evd_grant *g = &t->grant[ref];

	if (g->conn || g->nr_maps)
		return;
	*g = (struct evd_grant){.region = NULL};
	if (ref < EVP_GRANT_RESERVED)
		return;
	push_free(t, ref);
}

void evd_grant_put(struct evd_table *t, uint32_t ref)
{
	t->grant[ref].nr_maps--;
	evd_grant_release(t, ref);
}

uint32_t evd_grant_take(struct evd_table *t)
{
	uint32_t ref;

	if (t->free == EVP_GRANT_ANY && !grow(t))
		return EVP_GRANT_ANY;
	ref = t->free;
	remove_free(t, ref);
	return ref;
}

int evd_grant_take_this(struct evd_table *t, uint32_t ref)
{
	while (ref >= t->nr) {
		if (!grow(t))
			return -ENOSPC;
	}
	if (t->grant[ref].region)
		return -EBUSY;
	if (ref >= EVP_GRANT_RESERVED)
		remove_free(t, ref);
	return 0;
}
