/* SPDX-License-Identifier: MIT */
/*
 * What must hold of the broker's grants between two turns: every count is what
 * it counts, every list is whole.
 */
#ifndef FUZZ_CHECK_GRANTS_H
#define FUZZ_CHECK_GRANTS_H

#include "hosts/process/broker/grants.h"

#include "fuzz.h"

/* What @c shares is counted where it is; its list is whole. */
static void check_sharing(const struct evd_conn *c)
{
	const struct evd_grant *g;
	const struct evd_region *r;
	uint32_t ref, prev = EVP_GRANT_ANY, n = 0, sum = 0;

	for (ref = c->grants->shared; ref != EVP_GRANT_ANY; ref = g->next) {
		g = evd_grant(c->dom->grants, ref);
		FUZZ_CHECK(g && g->conn == c && g->prev == prev);
		prev = ref;
		n++;
	}
	for (r = c->grants->regions; r; r = r->next) {
		FUZZ_CHECK(*r->at == r && r->refs > r->nr_shared);
		sum += r->nr_shared;
	}
	FUZZ_CHECK(n == sum);
}

static uint32_t count_maps(const struct evd_broker *b,
			   const struct evd_table *t, uint32_t ref)
{
	const struct evd_conn *c;
	uint32_t i, k, n = 0;

	for (c = b->conns; c; c = c->next) {
		for (i = 0; c->grants && i < c->grants->nr_map; i++) {
			const struct evd_mapping *m = c->grants->map[i].map;

			for (k = 0; m && m->table == t && k < m->count; k++)
				n += m->ref[k] == ref;
		}
	}
	return n;
}

static void check_table(const struct evd_broker *b, const struct evd_table *t)
{
	uint32_t i, free = 0, unused = 0;

	for (i = t->free; i != EVP_GRANT_ANY; i = t->grant[i].next) {
		FUZZ_CHECK(!t->grant[i].region && free < t->nr);
		free++;
	}
	for (i = 0; i < t->nr; i++) {
		unused += i >= EVP_GRANT_RESERVED && !t->grant[i].region;
		FUZZ_CHECK(t->grant[i].nr_maps == count_maps(b, t, i));
		FUZZ_CHECK(!t->grant[i].region ==
			   !(t->grant[i].conn || t->grant[i].nr_maps));
	}
	FUZZ_CHECK(free == unused);
}

static void check_grants(const struct evd_broker *b)
{
	const struct evd_conn *c;
	const struct evd_dom *d;

	for (c = b->conns; c; c = c->next) {
		if (c->grants)
			check_sharing(c);
	}
	for (d = b->doms; d; d = d->next) {
		if (d->grants)
			check_table(b, d->grants);
	}
}

#endif /* FUZZ_CHECK_GRANTS_H */
