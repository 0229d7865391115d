/* SPDX-License-Identifier: MIT */
/*
 * Sharing pages.
 *
 * The memory is made here, in regions (proto_grant.h).  Pages that are shared one
 * by one, as many programs do, do not get a region each, since the broker has
 * to keep a descriptor for each region: they come from a *slab*, a region of 64
 * pages for one domain and one kind of access.  A page of a slab is used again
 * when nobody has it mapped any more; with its last page the slab goes.
 *
 * Reading order: regions, grants, slabs, sharing, unsharing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "grant.h"

/* --- regions ----------------------------------------------------------------- */

void evp_fill_notify(struct evp_grant_notify *to, const struct evp_notify *n)
{
	if (!n)
		return;
	if (n->offset != EVP_NO_NOTIFY) {
		to->what |= EVP_NOTIFY_BYTE;
		to->offset = n->offset;
	}
	if (n->port != EVP_NO_NOTIFY) {
		to->what |= EVP_NOTIFY_EVENT;
		to->port = n->port;
	}
}

/* New zero pages, mapped, in a memfd that can neither shrink nor grow. */
static int make_memory(uint32_t count, int *memfd, void **addr)
{
	int rc = 0, fd;

	fd = memfd_create("evtchn-grant", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return evp_fail(-errno, "cannot make memory to share");
	*addr = MAP_FAILED;
	if (!ftruncate(fd, (off_t)evp_pages(count)) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		*addr = mmap(NULL, evp_pages(count), PROT_READ | PROT_WRITE,
			     MAP_SHARED, fd, 0);
	if (*addr == MAP_FAILED) {
		rc = evp_fail(-errno, "cannot make %u pages to share", count);
		(void)close(fd);
	}
	*memfd = fd;
	return rc;
}

int evp_region_say(struct evp_grants *h, const struct evp_share *s,
		   uint32_t nr_pages, int memfd, uint64_t *region)
{
	struct evp_grant_region m = {.nr_pages = nr_pages,
				     .domid = (uint16_t)s->domid};
	struct evp_packet p;
	const struct evp_grant_region_is *a = (const void *)p.u.bytes;
	int rc;

	if (s->writable)
		m.flags |= EVP_GRANT_WRITABLE;
	/* For which the broker maps it; once it is sealed it may not. */
	if (s->notify && s->notify->offset != EVP_NO_NOTIFY)
		m.flags |= EVP_GRANT_NOTIFIES;
	evp_hdr_init(&m.hdr, EVP_GRANT_REGION, sizeof(m), EVP_GRANT_SEQ);
	rc = evp_ask_with(h->s.fd, &m, sizeof(m), memfd, &p,
			  EVP_GRANT_REGION_IS, sizeof(*a));
	if (!rc)
		*region = a->region;
	return rc;
}

static int make_region(struct evp_grants *h, const struct evp_share *s,
		       uint32_t nr_pages, uint64_t *region, int *kept,
		       void **addr)
{
	int memfd = -1, rc = make_memory(nr_pages, &memfd, addr);

	if (rc)
		return rc;
	rc = evp_region_say(h, s, nr_pages, memfd, region);
	if (!rc && fcntl(memfd, F_ADD_SEALS,
			 s->writable ? F_SEAL_SEAL
				     : F_SEAL_SEAL | F_SEAL_FUTURE_WRITE))
		rc = evp_fail(-errno, "cannot seal memory to share");
	if (!rc) {
		*kept = memfd;
		return 0;
	}
	(void)close(memfd);
	(void)munmap(*addr, evp_pages(nr_pages));
	return rc;
}

/* --- grants ------------------------------------------------------------------ */

/* The next pages of @area, @page on, become grants. */
static int ask_share(struct evp_grants *h, const struct evp_share *s,
		     uint64_t region, uint32_t page, struct evp_area *area)
{
	struct evp_grant_share m = {.region = region,
				    .page = page,
				    .count = area->count - area->nr,
				    .at = s->at};
	struct evp_packet p;
	const struct evp_grant_shared *a = (const void *)p.u.bytes;
	size_t len = offsetof(struct evp_grant_shared, ref);
	int rc;

	if (m.count > EVP_GRANTS_PER_MSG)
		m.count = EVP_GRANTS_PER_MSG;
	evp_fill_notify(&m.notify, s->notify);
	len += m.count * sizeof(a->ref[0]);
	evp_hdr_init(&m.hdr, EVP_GRANT_SHARE, sizeof(m), EVP_GRANT_SEQ);
	rc = evp_ask(h->s.fd, &m, sizeof(m), &p, EVP_GRANT_SHARED, len);
	if (rc)
		return rc;
	memcpy(area->id + area->nr, a->ref, m.count * sizeof(a->ref[0]));
	area->nr += m.count;
	return 0;
}

/* Returns how many of them are still mapped, or -errno. */
static int ask_unshare(struct evp_grants *h, const uint32_t *ref,
		       uint32_t count)
{
	struct evp_grant_unshare m;
	struct evp_packet p;
	const struct evp_grant_done *a = (const void *)p.u.bytes;
	size_t len = offsetof(struct evp_grant_unshare, ref);
	int rc;

	m.count = count;
	memcpy(m.ref, ref, count * sizeof(*ref));
	len += count * sizeof(*ref);
	evp_hdr_init(&m.hdr, EVP_GRANT_UNSHARE, len, EVP_GRANT_SEQ);
	rc = evp_ask(h->s.fd, &m, len, &p, EVP_GRANT_DONE, sizeof(*a));
	return rc ? rc : (int)a->nr_busy;
}

int evp_unshare_numbers(struct evp_grants *h, struct evp_area *a)
{
	uint32_t n, done;
	int rc = 0;

	for (done = 0; done < a->nr && rc >= 0; done += n) {
		n = a->nr - done;
		if (n > EVP_GRANTS_PER_MSG)
			n = EVP_GRANTS_PER_MSG;
		rc = ask_unshare(h, a->id + done, n);
	}
	a->nr = 0;
	return rc < 0 ? rc : 0;
}

/* --- slabs ------------------------------------------------------------------- */

static uint64_t bit_of(const struct evp_slab *s, const void *addr)
{
	return 1ull << ((size_t)((const uint8_t *)addr - s->base) /
			EVP_PAGE_SIZE);
}

static uint64_t taken(const struct evp_slab *s)
{
	return s->used | s->spent | s->lost;
}

/* One with a free page for @s, or NULL. */
static struct evp_slab *find_slab(struct evp_grants *h,
				  const struct evp_share *s)
{
	struct evp_slab *slab = h->slabs;

	while (slab && (!slab->region || slab->domid != s->domid ||
			slab->writable != (s->writable != 0) || !~taken(slab)))
		slab = slab->next;
	return slab;
}

static int new_slab(struct evp_grants *h, const struct evp_share *s,
		    struct evp_slab **out)
{
	struct evp_slab *slab = calloc(1, sizeof(*slab));
	void *base;
	int rc;

	if (!slab)
		return evp_fail(-ENOMEM, "no memory for a page");
	rc = make_region(h, s, EVP_SLAB_PAGES, &slab->region, &slab->memfd,
			 &base);
	if (rc) {
		free(slab);
		return rc;
	}
	slab->base = base;
	slab->domid = s->domid;
	slab->writable = s->writable != 0;
	slab->next = h->slabs;
	h->slabs = slab;
	*out = slab;
	return 0;
}

/* What the program has unmapped may be something else by now. */
static void unmap_slab(const struct evp_slab *slab)
{
	uint32_t i;

	for (i = 0; i < EVP_SLAB_PAGES; i++) {
		if (!(slab->lost & 1ull << i))
			(void)munmap(slab->base + evp_pages(i), EVP_PAGE_SIZE);
	}
}

static void free_slab(struct evp_slab *slab)
{
	(void)close(slab->memfd);
	free(slab);
}

/* With its last grant the broker has forgotten it. */
static void drop_slab_if_unused(struct evp_grants *h, struct evp_slab *slab)
{
	struct evp_slab **at = &h->slabs;

	if (slab->used)
		return;
	while (*at != slab)
		at = &(*at)->next;
	*at = slab->next;
	unmap_slab(slab);
	free_slab(slab);
}

void evp_slabs_free(struct evp_grants *h)
{
	struct evp_slab *slab;

	while ((slab = h->slabs)) {
		h->slabs = slab->next;
		free_slab(slab);
	}
}

static int share_from_slab(struct evp_grants *h, const struct evp_share *s,
			   struct evp_area *a, void **addr)
{
	struct evp_slab *slab = find_slab(h, s);
	uint32_t page;
	int rc = slab ? 0 : new_slab(h, s, &slab);

	if (rc)
		return rc;
	page = (uint32_t)__builtin_ctzll(~taken(slab));
	*addr = slab->base + evp_pages(page);
	memset(*addr, 0, EVP_PAGE_SIZE); /* it may have been used before */
	rc = ask_share(h, s, slab->region, page, a);
	if (!rc) {
		slab->used |= 1ull << page;
		a->slab = slab;
	}
	drop_slab_if_unused(h, slab);
	return rc;
}

static int unshare_from_slab(struct evp_grants *h, struct evp_area *a,
			     bool is_lost)
{
	struct evp_slab *slab = a->slab;
	int rc = a->nr ? ask_unshare(h, a->id, 1) : 0;

	slab->used &= ~bit_of(slab, a->addr);
	/* After a broker's death not all are known who have it mapped. */
	if (rc || a->is_old)
		slab->spent |= bit_of(slab, a->addr);
	if (is_lost)
		slab->lost |= bit_of(slab, a->addr);
	drop_slab_if_unused(h, slab);
	return rc < 0 ? rc : 0;
}

/* --- sharing ----------------------------------------------------------------- */

static int share_region(struct evp_grants *h, const struct evp_share *s,
			struct evp_area *a, void **addr)
{
	uint64_t region = 0;
	int rc = make_region(h, s, s->count, &region, &a->memfd, addr);

	if (rc)
		return rc;
	while (!rc && a->nr < a->count)
		rc = ask_share(h, s, region, a->nr, a);
	if (rc) {
		(void)evp_unshare_numbers(h, a);
		(void)munmap(*addr, evp_pages(s->count));
		return rc;
	}
	a->domid = s->domid;
	a->writable = s->writable != 0;
	a->has_notify = s->notify != NULL;
	if (s->notify)
		a->notify = *s->notify;
	return 0;
}

static bool is_fine(const struct evp_share *s)
{
	bool one = s->notify || s->at != EVP_GRANT_ANYWHERE;

	return s->count && s->count <= EVP_GRANTS_MAX &&
	       (!one || s->count == 1) && s->domid <= DOMID_SELF &&
	       (s->at == EVP_GRANT_ANYWHERE || s->at < EVP_GRANT_RESERVED);
}

static int share(struct evp_grants *h, const struct evp_share *s, uint32_t *ref,
		 void **addr)
{
	struct evp_area *a;
	void *at;
	int rc;

	if (!is_fine(s))
		return evp_fail(-EINVAL, "cannot share %u pages like this",
				s->count);
	a = evp_area_new(s->count, true);
	if (!a)
		return evp_fail(-ENOMEM, "cannot share %u pages", s->count);
	/* A page with a notification has a region that the broker may map. */
	rc = s->count == 1 && !s->notify ? share_from_slab(h, s, a, &at)
					 : share_region(h, s, a, &at);
	if (rc) {
		evp_area_free(a);
		return rc;
	}
	memcpy(ref, a->id, s->count * sizeof(*ref));
	evp_area_insert(h, a, at);
	*addr = at;
	evp_keeper_start(h);
	return 0;
}

int evp_grant_share(struct evp_grants *h, const struct evp_share *s,
		    uint32_t *ref, void **addr)
{
	int rc;

	evp_grants_enter(h);
	rc = share(h, s, ref, addr);
	evp_grants_leave(h);
	return rc;
}

/* --- unsharing --------------------------------------------------------------- */

int evp_area_unshare(struct evp_grants *h, struct evp_area *a, void *addr)
{
	int rc;

	if (a->slab) {
		rc = unshare_from_slab(h, a, !addr);
	} else {
		if (addr)
			evp_area_part(h, a, addr);
		rc = evp_unshare_numbers(h, a);
		if (addr)
			(void)munmap(addr, evp_pages(a->count));
	}
	evp_area_end(h, a, rc);
	return rc;
}

static int end_sharing(struct evp_grants *h, void *addr, uint32_t count)
{
	struct evp_area **at = evp_area_find(h, addr), *a = *at;

	if (!a || !a->is_shared || a->count != count)
		return evp_fail(-EINVAL, "nothing like this was shared");
	*at = a->next;
	return evp_area_unshare(h, a, addr);
}

int evp_grant_unshare(struct evp_grants *h, void *addr, uint32_t count)
{
	int rc;

	evp_grants_enter(h);
	rc = end_sharing(h, addr, count);
	evp_grants_leave(h);
	return rc;
}
