/* SPDX-License-Identifier: MIT */
/*
 * Grants, in a process: handles, and what was shared and mapped with one.
 *
 * Both are kept as areas, found by their address.  What the broker answers is
 * believed, and the pages of others are only mapped, never interpreted.  They
 * are in memfds that were sealed against shrinking, so looking at them cannot
 * fault.
 *
 * Reading order: this, grant_share.c, grant_map.c, grant_copy.c; grant_again.c
 * for what happens when the broker was killed.
 */
#include "grant.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "session.h"

/* --- areas ------------------------------------------------------------------- */

static struct evp_area **bucket(struct evp_grants *h, const void *addr)
{
	return &h->area[(uintptr_t)addr / EVP_PAGE_SIZE % EVP_AREA_BUCKETS];
}

struct evp_area **evp_area_find(struct evp_grants *h, const void *addr)
{
	struct evp_area **at = bucket(h, addr);

	while (*at && (*at)->addr != addr)
		at = &(*at)->next;
	return at;
}

struct evp_area *evp_area_new(uint32_t count, bool is_shared)
{
	struct evp_area *a;

	if (count > EVP_GRANTS_MAX)
		return NULL;
	a = calloc(1, sizeof(*a) + count * sizeof(a->id[0]));
	if (!a)
		return NULL;
	a->count = count;
	a->is_shared = is_shared;
	a->memfd = -1;
	if (is_shared)
		return a;
	a->seen = calloc(count, sizeof(a->seen[0]));
	if (a->seen)
		return a;
	free(a);
	return NULL;
}

void evp_area_free(struct evp_area *a)
{
	if (a->memfd >= 0)
		(void)close(a->memfd);
	free(a->seen);
	free(a);
}

void evp_area_insert(struct evp_grants *h, struct evp_area *a, void *addr)
{
	struct evp_area **at = bucket(h, addr);

	a->addr = addr;
	a->next = *at;
	*at = a;
	if (!a->is_shared)
		h->nr_mapped += a->count;
}

/* --- handles ----------------------------------------------------------------- */

int evp_grants_open(struct evp_grants **out, const struct evp_options *o)
{
	static const struct evp_options defaults = {.domain = EVP_DOMAIN_ENV};
	struct evp_grants *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return evp_fail(-ENOMEM, "no memory");
	h->limit = EVP_GRANTS_MAX;
	h->stop = -1;
	rc = -pthread_mutex_init(&h->lock, NULL);
	if (!rc)
		rc = evp_session_open(&h->s, o ? o : &defaults);
	if (rc) {
		free(h);
		return rc;
	}
	h->s.tell = evp_grants_again;
	h->s.ctx = h;
	*out = h;
	return 0;
}

void evp_grants_close(struct evp_grants *h)
{
	struct evp_area *a;
	uint32_t i;

	if (!h)
		return;
	evp_keeper_stop(h);
	for (i = 0; i < EVP_AREA_BUCKETS; i++) {
		while ((a = h->area[i])) {
			h->area[i] = a->next;
			evp_area_free(a);
		}
	}
	evp_gone_drop(h);
	evp_slabs_free(h);
	/* That says it all; in a child after fork(), nothing. */
	(void)close(h->s.fd);
	free(h);
}

int evp_grants_fd(const struct evp_grants *h)
{
	return h->s.fd;
}

domid_t evp_grants_domid(const struct evp_grants *h)
{
	return h->s.domid;
}

int evp_grants_limit(struct evp_grants *h, uint32_t count)
{
	if (count > EVP_GRANTS_MAX || count < h->nr_mapped)
		return evp_fail(-EINVAL, "the limit cannot be %u pages", count);
	h->limit = count;
	return 0;
}
