/* SPDX-License-Identifier: MIT */
/*
 * Mapping the pages of others.
 *
 * The references of one call may be of several domains and in several regions.
 * The broker answers for as many as are in one, so mapping is a loop, into
 * addresses that were reserved before; when it fails half-way, all is undone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <abi/grant_table.h>

#include "grant.h"

/* --- mapping ----------------------------------------------------------------- */

static int check_answer(const struct evp_packet *p, uint32_t count)
{
	const struct evp_grant_mapped *a = (const void *)p->u.bytes;
	uint32_t n = p->len >= offsetof(struct evp_grant_mapped, page)
			     ? a->count
			     : UINT32_MAX;

	if (n > count ||
	    p->len != offsetof(struct evp_grant_mapped, page) +
			      n * sizeof(a->page[0]) ||
	    (a->status == GNTST_okay) != (n > 0))
		return evp_fail(-EPROTO, "bad answer from the broker");
	if (n && p->nr_fds != 1)
		return evp_fail(-EMFILE, "no descriptor came from the broker");
	return 0;
}

int evp_grant_ask(struct evp_grants *h, const struct evp_grant_ref *r,
		  uint32_t count, const struct evp_how *how,
		  struct evp_grant_mapped *a, int *fd)
{
	struct evp_grant_map m = {.domid = (uint16_t)r->domid,
				  .flags = (uint16_t)how->flags,
				  .file = how->only ? how->only->file : 0,
				  .page = how->only ? how->only->page : 0};
	struct evp_packet p = {.nr_fds = 0};
	size_t len = offsetof(struct evp_grant_map, ref);
	int rc;

	if (r->domid > UINT16_MAX) {
		a->status = GNTST_bad_domain;
		a->count = 0;
		return 0;
	}
	while (m.count < count && m.count < EVP_GRANTS_PER_MSG &&
	       r[m.count].domid == r->domid) {
		m.ref[m.count] = r[m.count].ref;
		m.count++;
	}
	evp_fill_notify(&m.notify, how->notify);
	len += m.count * sizeof(m.ref[0]);
	evp_hdr_init(&m.hdr, EVP_GRANT_MAP, len, EVP_GRANT_SEQ);
	rc = evp_ask(h->s.fd, &m, len, &p, EVP_GRANT_MAPPED,
		     offsetof(struct evp_grant_mapped, page));
	if (!rc)
		rc = check_answer(&p, m.count);
	if (rc) {
		evp_packet_close_fds(&p);
		return rc;
	}
	memcpy(a, p.u.bytes, p.len);
	*fd = p.nr_fds ? p.fd[0] : -1;
	return 0;
}

static int explain(const struct evp_grant_ref *r, int status)
{
	switch (status) {
	case GNTST_bad_domain:
		return evp_fail(-ESRCH, "there is no domain %u", r->domid);
	case GNTST_bad_gntref:
		return evp_fail(-ENOENT, "domain %u has no grant %u", r->domid,
				r->ref);
	case GNTST_permission_denied:
		return evp_fail(-EACCES,
				"grant %u of domain %u is not for this domain, "
				"or read-only",
				r->ref, r->domid);
	default: /* a number, not a state */
		return evp_fail(-EINVAL, "grant %u of domain %u: status %d",
				r->ref, r->domid, status);
	}
}

/* Pages of one region to consecutive addresses: neighbours in one go. */
static int place(uint8_t *addr, int prot, int fd,
		 const struct evp_grant_mapped *a)
{
	uint32_t i, n;

	for (i = 0; i < a->count; i += n) {
		n = 1;
		while (i + n < a->count && a->page[i + n] == a->page[i] + n)
			n++;
		if (mmap(addr + evp_pages(i), evp_pages(n), prot,
			 MAP_SHARED | MAP_FIXED, fd,
			 (off_t)evp_pages(a->page[i])) == MAP_FAILED)
			return evp_fail(-errno, "cannot map a grant");
	}
	return 0;
}

static int ask_unmap(struct evp_grants *h, uint32_t number)
{
	struct evp_grant_unmap m = {.map = number};
	struct evp_packet p;

	evp_hdr_init(&m.hdr, EVP_GRANT_UNMAP, sizeof(m), EVP_GRANT_SEQ);
	return evp_ask(h->s.fd, &m, sizeof(m), &p, EVP_GRANT_DONE,
		       sizeof(struct evp_grant_done));
}

int evp_unmap_numbers(struct evp_grants *h, struct evp_area *a)
{
	uint32_t i;
	int one, rc = 0;

	for (i = 0; i < a->nr; i++) {
		one = ask_unmap(h, a->id[i]);
		rc = rc ? rc : one;
	}
	a->nr = 0;
	return rc;
}

struct request {
	const struct evp_grant_ref *ref;
	struct evp_how how;
	int prot;
};

/* As many as go at once, beginning with the one at *@done. */
static int map_some(struct evp_grants *h, const struct request *q,
		    struct evp_area *area, uint8_t *addr, uint32_t *done)
{
	const struct evp_grant_ref *r = q->ref + *done;
	struct evp_grant_mapped a;
	int fd = -1;
	int rc = evp_grant_ask(h, r, area->count - *done, &q->how, &a, &fd);

	if (rc)
		return rc;
	if (a.status)
		return explain(r, a.status);
	area->id[area->nr++] = a.map;
	rc = evp_area_see(area, *done, r, &a, fd);
	if (!rc)
		rc = place(addr + evp_pages(*done), q->prot, fd, &a);
	(void)close(fd);
	*done += a.count;
	return rc;
}

static int map(struct evp_grants *h, const struct request *q,
	       struct evp_area *area, void **addr)
{
	size_t size = evp_pages(area->count);
	uint32_t done = 0;
	int rc = 0;

	*addr = mmap(NULL, size, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (*addr == MAP_FAILED)
		return evp_fail(-errno, "no room for %u pages", area->count);
	while (!rc && done < area->count)
		rc = map_some(h, q, area, *addr, &done);
	if (!rc)
		return 0;
	(void)munmap(*addr, size);
	(void)evp_unmap_numbers(h, area);
	return rc;
}

/*
 * The program has unmapped, by itself, what was at this address: else nothing
 * new could be there.
 */
static void forget(struct evp_grants *h, const void *addr)
{
	struct evp_area **at = evp_area_find(h, addr), *a = *at;

	if (!a)
		return;
	*at = a->next;
	if (a->is_shared) {
		evp_area_unshare(h, a, NULL);
	} else {
		h->nr_mapped -= a->count;
		evp_area_end(h, a, evp_unmap_numbers(h, a));
	}
}

static int map_locked(struct evp_grants *h, const struct request *q,
		      uint32_t count, void **addr)
{
	struct evp_area *a;
	void *at;
	int rc;

	if (!count || (q->how.notify && count != 1))
		return evp_fail(-EINVAL, "cannot map %u pages like this",
				count);
	if (count > h->limit - h->nr_mapped)
		return evp_fail(-ENOSPC, "this handle may map %u pages",
				h->limit);
	a = evp_area_new(count, false);
	if (!a)
		return evp_fail(-ENOMEM, "cannot map %u pages", count);
	a->flags = q->how.flags;
	a->has_notify = q->how.notify != NULL;
	if (q->how.notify)
		a->notify = *q->how.notify;
	rc = map(h, q, a, &at);
	if (rc) {
		evp_area_free(a);
		return rc;
	}
	forget(h, at);
	evp_area_insert(h, a, at);
	*addr = at;
	evp_keeper_start(h);
	return 0;
}

static int map_request(struct evp_grants *h, const struct request *q,
		       uint32_t count, void **addr)
{
	int rc;

	evp_grants_enter(h);
	rc = map_locked(h, q, count, addr);
	evp_grants_leave(h);
	return rc;
}

int evp_grant_map(struct evp_grants *h, const struct evp_grant_ref *r,
		  uint32_t count, int prot, const struct evp_notify *notify,
		  void **addr)
{
	struct request q = {.ref = r, .prot = prot, .how.notify = notify};

	if (prot & PROT_WRITE)
		q.how.flags |= EVP_GRANT_WRITABLE;
	return map_request(h, &q, count, addr);
}

int evp_frame_map(struct evp_grants *h, uint32_t domid, const uint64_t *frame,
		  uint32_t count, int prot, void **addr)
{
	struct evp_grant_ref *r = calloc(count ? count : 1, sizeof(*r));
	struct request q = {
		.ref = r, .prot = prot, .how.flags = EVP_GRANT_FOREIGN};
	uint32_t i;
	int rc;

	if (!r)
		return evp_fail(-ENOMEM, "cannot map %u frames", count);
	for (i = 0; i < count; i++) {
		r[i].domid = domid;
		/* What no message can name is no frame, either. */
		r[i].ref = frame[i] < UINT32_MAX ? (uint32_t)frame[i] : 0;
	}
	if (prot & PROT_WRITE)
		q.how.flags |= EVP_GRANT_WRITABLE;
	rc = map_request(h, &q, count, addr);
	free(r);
	return rc;
}

uint64_t evp_grant_frame(uint32_t ref)
{
	return EVP_GRANT_GFN + (uint64_t)ref;
}

static int unmap(struct evp_grants *h, void *addr, uint32_t count)
{
	struct evp_area **at = evp_area_find(h, addr), *a = *at;
	int rc;

	if (!a || a->is_shared || a->count != count)
		return evp_fail(-EINVAL, "nothing like this was mapped");
	*at = a->next;
	h->nr_mapped -= count;
	evp_area_part(h, a, addr);
	(void)munmap(addr, evp_pages(count));
	rc = evp_unmap_numbers(h, a);
	evp_area_end(h, a, rc);
	return rc;
}

int evp_grant_unmap(struct evp_grants *h, void *addr, uint32_t count)
{
	int rc;

	evp_grants_enter(h);
	rc = unmap(h, addr, count);
	evp_grants_leave(h);
	return rc;
}
