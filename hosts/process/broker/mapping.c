/* SPDX-License-Identifier: MIT */
/*
 * Using grants: a connection asks for references of another domain, and gets
 * the descriptor of the region they are in if each of them may be mapped.
 *
 * What was mapped is counted at the grant, so that its number is not given to
 * another page while somebody looks at this one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <abi/grant_table.h>

#include "grants.h"

#define FIRST_NUMBERS 8

/* --- numbers of mappings ------------------------------------------------------ */

static bool more_numbers(struct evd_grants *cg)
{
	uint32_t i, old = cg->nr_map, nr = old ? 2 * old : FIRST_NUMBERS;
	struct evd_number *map = realloc(cg->map, nr * sizeof(*map));

	if (!map)
		return false;
	for (i = old; i < nr; i++)
		map[i] = (struct evd_number){NULL, i + 1 < nr ? i + 1 : 0};
	cg->map = map;
	cg->nr_map = nr;
	cg->free_map = old ? old : 1; /* 0 is no number */
	return true;
}

/* A free number; 0: no memory. */
static uint32_t take_number(struct evd_grants *cg, struct evd_mapping *map)
{
	uint32_t number;

	if (!cg->free_map && !more_numbers(cg))
		return 0;
	number = cg->free_map;
	cg->free_map = cg->map[number].next_free;
	cg->map[number].map = map;
	return number;
}

static void put_number(struct evd_grants *cg, uint32_t number)
{
	cg->map[number] = (struct evd_number){NULL, cg->free_map};
	cg->free_map = number;
}

/* --- asking ------------------------------------------------------------------- */

/* May @c map grant @ref of @d as @m says? */
static int check(const struct evd_conn *c, const struct evp_grant_map *m,
		 struct evd_dom *d, uint32_t ref)
{
	const struct evd_grant *g = evd_grant(d->grants, ref);

	if (!g || !g->conn)
		return GNTST_bad_gntref;
	if (m->flags & EVP_GRANT_WRITABLE && !g->region->writable)
		return GNTST_permission_denied;
	if (m->flags & EVP_GRANT_FOREIGN
		    ? !evb_u8_load_relaxed(&c->dom->core.privileged)
		    : g->region->domid != c->dom->core.domid)
		return GNTST_permission_denied;
	/* Last: to who may not have it, nothing is said of its memory. */
	if (m->file && (g->region->file != m->file || g->page != m->page))
		return GNTST_bad_gntref;
	return GNTST_okay;
}

static uint32_t ref_of(const struct evp_grant_map *m, uint32_t i)
{
	/* A frame below the first one is none of ours: too large a number. */
	return m->flags & EVP_GRANT_FOREIGN ? m->ref[i] - EVP_GRANT_GFN
					    : m->ref[i];
}

/* How many of the references, from the first on, are in its region? */
static int find_run(struct evd_conn *c, const struct evp_grant_map *m,
		    struct evd_dom *d, struct evp_grant_mapped *a)
{
	const struct evd_region *r = NULL;
	const struct evd_grant *g;
	uint32_t i;
	int status;

	for (i = 0; i < m->count; i++) {
		status = check(c, m, d, ref_of(m, i));
		if (status && !i)
			return status;
		if (status)
			break; /* the next message will be told */
		g = evd_grant(d->grants, ref_of(m, i));
		if (r && g->region != r)
			break;
		r = g->region;
		a->page[i] = g->page;
	}
	a->count = i;
	return GNTST_okay;
}

/* --- mapping ------------------------------------------------------------------ */

static int hold(struct evd_conn *c, const struct evp_grant_map *m,
		struct evd_mapping *map, uint32_t page)
{
	if (!m->notify.what)
		return 0;
	/* Who may not write has no byte to clear. */
	if (m->notify.what & EVP_NOTIFY_BYTE &&
	    !(m->flags & EVP_GRANT_WRITABLE))
		return -EINVAL;
	if (m->notify.what & EVP_NOTIFY_BYTE) {
		map->byte = evd_region_map(map->region, page, c->account);
		if (!map->byte)
			return -ENOMEM;
	}
	return evd_hold_take(c, &m->notify, map->byte, &map->hold);
}

static void count(struct evd_conn *c, struct evd_mapping *map, bool more)
{
	uint32_t i;

	for (i = 0; i < map->count; i++) {
		if (more)
			map->table->grant[map->ref[i]].nr_maps++;
		else
			evd_grant_put(map->table, map->ref[i]);
	}
	if (more) {
		map->table->refs++;
		map->region->refs += map->count;
		c->grants->nr_pages += map->count;
		c->account->nr_mapped += map->count;
	} else {
		c->grants->nr_pages -= map->count;
		c->account->nr_mapped -= map->count;
		evd_region_put(map->region, map->count);
		evd_table_put(map->table);
	}
}

static int record(struct evd_conn *c, const struct evp_grant_map *m,
		  struct evd_dom *d, struct evp_grant_mapped *a)
{
	struct evd_grants *cg = evd_grants_of(c);
	struct evd_mapping *map;
	uint32_t i;
	int rc;

	if (!cg)
		return -ENOMEM;
	if (a->count > EVP_GRANTS_MAX - cg->nr_pages)
		return -ENOSPC;
	if (!evd_may_have(c->broker, c->account->uid, EVD_MAPPINGS, a->count))
		return -EDQUOT;
	map = calloc(1, sizeof(*map) + a->count * sizeof(map->ref[0]));
	if (!map)
		return -ENOMEM;
	map->table = d->grants;
	map->region = evd_grant(d->grants, ref_of(m, 0))->region;
	map->count = a->count;
	for (i = 0; i < a->count; i++)
		map->ref[i] = ref_of(m, i);
	rc = hold(c, m, map, a->page[0]);
	if (!rc) {
		a->map = take_number(cg, map);
		rc = a->map ? 0 : -ENOMEM;
	}
	if (rc) {
		evd_hold_end(&map->hold, false);
		evd_region_unmap(map->region, map->byte, c->account);
		free(map);
		return rc;
	}
	count(c, map, true);
	return 0;
}

static void unmap(struct evd_conn *c, uint32_t number)
{
	struct evd_mapping *map = c->grants->map[number].map;

	put_number(c->grants, number);
	evd_hold_end(&map->hold, true);
	evd_region_unmap(map->region, map->byte, c->account);
	count(c, map, false);
	free(map);
}

static void refuse(struct evd_conn *c, uint32_t seq, int rc)
{
	uid_t uid = c->account->uid;
	const char *text = "no room for another mapping";
	char quota[EVP_TEXT_MAX];

	(void)snprintf(quota, sizeof(quota),
		       "uid %lu has its %lu mappings: unmap some, or have the "
		       "policy's limit raised",
		       (unsigned long)uid,
		       (unsigned long)evd_limit(c->broker, uid, EVD_MAPPINGS));
	if (rc == -EDQUOT)
		text = quota;
	else if (rc == -ENOSPC)
		text = "this handle has all the pages mapped that it can have";
	else if (rc == -EINVAL)
		text = "no such notification is possible";
	evd_refuse(c, seq, rc, text);
}

static struct evd_dom *granter(struct evd_conn *c, domid_t domid)
{
	return domid == DOMID_SELF ? c->dom : evd_dom_find(c->broker, domid);
}

/* @fd: of the region, or none. */
static void answer(struct evd_conn *c, const struct evp_grant_map *m,
		   struct evp_grant_mapped *a, int fd)
{
	size_t len = offsetof(struct evp_grant_mapped, page) +
		     a->count * sizeof(a->page[0]);

	evp_hdr_init(&a->hdr, EVP_GRANT_MAPPED, len, m->hdr.seq);
	evd_send(c, a, len, &fd, fd >= 0);
}

static void map_run(struct evd_conn *c, const struct evp_grant_map *m,
		    struct evd_dom *d, struct evp_grant_mapped *a)
{
	const struct evd_grant *g = evd_grant(d->grants, ref_of(m, 0));
	int rc = 0, fd = fcntl(g->region->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		rc = -errno;
	else if (!(m->flags & EVP_GRANT_COPY))
		rc = record(c, m, d, a);
	if (!rc) {
		answer(c, m, a, fd);
		return;
	}
	if (fd >= 0)
		(void)close(fd);
	refuse(c, m->hdr.seq, rc);
}

static bool is_fine(const struct evp_grant_map *m, size_t len)
{
	const uint32_t flags = EVP_GRANT_WRITABLE | EVP_GRANT_COPY |
			       EVP_GRANT_FOREIGN;

	return m->count && m->count <= EVP_GRANTS_PER_MSG &&
	       len == offsetof(struct evp_grant_map, ref) +
			       m->count * sizeof(m->ref[0]) &&
	       !(m->flags & ~flags) && (!m->file || m->count == 1) &&
	       (!m->notify.what ||
		(m->count == 1 && !(m->flags & EVP_GRANT_COPY)));
}

void evd_grant_map(struct evd_conn *c, const struct evp_grant_map *m,
		   size_t len)
{
	struct evp_grant_mapped a = {.status = GNTST_bad_domain};
	struct evd_dom *d;

	if (!is_fine(m, len)) {
		evd_doom(c, "bad GRANT_MAP");
		return;
	}
	if (!evd_has_read(c)) {
		evd_doom(c, "maps before it has read what it got");
		return;
	}
	d = granter(c, m->domid);
	if (d)
		a.status = find_run(c, m, d, &a);
	if (a.status)
		answer(c, m, &a, -1);
	else
		map_run(c, m, d, &a);
}

/* --- unmapping ---------------------------------------------------------------- */

void evd_grant_unmap(struct evd_conn *c, const struct evp_grant_unmap *m)
{
	const struct evd_grants *cg = c->grants;
	struct evp_grant_done a = {.nr_busy = 0};

	if (!cg || m->map >= cg->nr_map || !cg->map[m->map].map) {
		evd_doom(c, "unmaps what it has not mapped");
		return;
	}
	unmap(c, m->map);
	evp_hdr_init(&a.hdr, EVP_GRANT_DONE, sizeof(a), m->hdr.seq);
	evd_send(c, &a, sizeof(a), NULL, 0);
}

void evd_unmap_all(struct evd_conn *c)
{
	struct evd_grants *cg = c->grants;
	uint32_t i;

	for (i = 1; i < cg->nr_map; i++) {
		if (cg->map[i].map)
			unmap(c, i);
	}
	free(cg->map);
}
