/* SPDX-License-Identifier: MIT */
/*
 * Grants that a process shared under a broker that ended: the same pages, by the
 * same numbers, as far as these are free.
 *
 * Nobody's word is taken: a region is looked at as a new one is (grants.c), and
 * the numbers are the domain's own.  Who asks for high ones pays with his domain's
 * table, which has an end.
 */
#include <errno.h>
#include <stdlib.h>

#include "grants.h"

static bool is_fine(const struct evd_region *r,
		    const struct evp_grant_reshare *m, size_t len)
{
	uint32_t i;

	if (!r || !evd_region_is_sealed(r) || !m->count ||
	    m->count > EVP_GRANTS_PER_MSG ||
	    len != offsetof(struct evp_grant_reshare, ref) +
			    m->count * sizeof(m->ref[0]) ||
	    m->page >= r->nr_pages || m->count > r->nr_pages - m->page ||
	    (m->notify.what && m->count > 1) ||
	    ((!r->byte || m->page) && m->notify.what & EVP_NOTIFY_BYTE))
		return false;

	for (i = 0; i < m->count; i++) {
		if (m->ref[i] >= EVP_GRANTS_MAX)
			return false;
	}
	return true;
}

static int share_all(struct evd_conn *c, const struct evp_grant_reshare *m,
		     struct evd_region *r)
{
	uint32_t i;
	int rc = 0;

	r->nr_shared++; /* or the region would go with the last one undone */
	for (i = 0; i < m->count && !rc; i++)
		rc = evd_grant_enter(c, r, m->page + i, m->ref[i], &m->notify);
	if (rc)
		i--;
	while (rc && i--)
		evd_grant_undo(c, m->ref[i]);
	r->nr_shared--;
	return rc;
}

void evd_grant_reshare(struct evd_conn *c, const struct evp_grant_reshare *m,
		       size_t len)
{
	struct evd_region *r = NULL;
	struct evp_grant_done a = {.nr_busy = 0};
	int rc;

	if (len >= offsetof(struct evp_grant_reshare, ref))
		r = evd_region_find(c, m->region);
	if (!is_fine(r, m, len)) {
		evd_doom(c, "bad GRANT_RESHARE");
		return;
	}
	rc = share_all(c, m, r);
	if (rc) {
		evd_refuse(c, m->hdr.seq, rc,
			   "a number or a port of these grants is not to be "
			   "had");
		evd_region_drop_unshared(r);
		return;
	}
	evp_hdr_init(&a.hdr, EVP_GRANT_DONE, sizeof(a), m->hdr.seq);
	evd_send(c, &a, sizeof(a), NULL, 0);
}
