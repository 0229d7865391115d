/* SPDX-License-Identifier: MIT */
/*
 * Grants, in a process: the memory, and the questions to the broker.
 *
 * What the broker answers is believed, and the pages of others are only mapped,
 * never interpreted.  They are in memfds that were sealed against shrinking, so
 * looking at them cannot fault.
 *
 * Reading order: areas, sharing, unsharing, mapping, unmapping, handles.
 */
#include "grant.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <abi/grant_table.h>

#include "lane.h"
#include "session.h"

#define SEQ 5

/* --- areas ------------------------------------------------------------------- */

static struct evp_area **bucket(struct evp_grants *h, const void *addr)
{
	return &h->area[(uintptr_t)addr / EVP_PAGE_SIZE % EVP_AREA_BUCKETS];
}

static struct evp_area **find(struct evp_grants *h, const void *addr)
{
	struct evp_area **at = bucket(h, addr);

	while (*at && (*at)->addr != addr)
		at = &(*at)->next;
	return at;
}

static struct evp_area *new_area(uint32_t count, bool is_shared)
{
	struct evp_area *a;

	if (count > EVP_GRANTS_MAX)
		return NULL;
	a = calloc(1, sizeof(*a) + count * sizeof(a->id[0]));
	if (!a)
		return NULL;
	a->count = count;
	a->is_shared = is_shared;
	return a;
}

static void insert(struct evp_grants *h, struct evp_area *a, void *addr)
{
	struct evp_area **at = bucket(h, addr);

	a->addr = addr;
	a->next = *at;
	*at = a;
	if (!a->is_shared)
		h->nr_mapped += a->count;
}

static size_t size_of(uint32_t count)
{
	return (size_t)count * EVP_PAGE_SIZE;
}

/* --- sharing ----------------------------------------------------------------- */

static void fill_notify(struct evp_grant_notify *to, const struct evp_notify *n)
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
	if (!ftruncate(fd, (off_t)size_of(count)) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		*addr = mmap(NULL, size_of(count), PROT_READ | PROT_WRITE,
			     MAP_SHARED, fd, 0);
	if (*addr == MAP_FAILED) {
		rc = evp_fail(-errno, "cannot make %u pages to share", count);
		(void)close(fd);
	}
	*memfd = fd;
	return rc;
}

static int ask_region(struct evp_grants *h, const struct evp_share *s,
		      int memfd, uint64_t *region)
{
	struct evp_grant_region m = {.nr_pages = s->count,
				     .domid = (uint16_t)s->domid};
	struct evp_packet p;
	const struct evp_grant_region_is *a = (const void *)p.u.bytes;
	int rc;

	if (s->writable)
		m.flags |= EVP_GRANT_WRITABLE;
	if (s->notify)
		m.flags |= EVP_GRANT_NOTIFIES;
	evp_hdr_init(&m.hdr, EVP_GRANT_REGION, sizeof(m), SEQ);
	rc = evp_ask_with(h->fd, &m, sizeof(m), memfd, &p, EVP_GRANT_REGION_IS,
			  sizeof(*a));
	if (!rc)
		*region = a->region;
	return rc;
}

/* Some pages of @s, beginning with the one after those that are done. */
static int ask_share(struct evp_grants *h, const struct evp_share *s,
		     uint64_t region, struct evp_area *area)
{
	struct evp_grant_share m = {.region = region,
				    .page = area->nr,
				    .count = s->count - area->nr,
				    .at = s->at};
	struct evp_packet p;
	const struct evp_grant_shared *a = (const void *)p.u.bytes;
	size_t len = offsetof(struct evp_grant_shared, ref);
	int rc;

	if (m.count > EVP_GRANTS_PER_MSG)
		m.count = EVP_GRANTS_PER_MSG;
	fill_notify(&m.notify, s->notify);
	len += m.count * sizeof(a->ref[0]);
	evp_hdr_init(&m.hdr, EVP_GRANT_SHARE, sizeof(m), SEQ);
	rc = evp_ask(h->fd, &m, sizeof(m), &p, EVP_GRANT_SHARED, len);
	if (rc)
		return rc;
	memcpy(area->id + area->nr, a->ref, m.count * sizeof(a->ref[0]));
	area->nr += m.count;
	return 0;
}

static int ask_unshare(struct evp_grants *h, const uint32_t *ref,
		       uint32_t count)
{
	struct evp_grant_unshare m;
	struct evp_packet p;
	size_t len = offsetof(struct evp_grant_unshare, ref);

	m.count = count;
	memcpy(m.ref, ref, count * sizeof(*ref));
	len += count * sizeof(*ref);
	evp_hdr_init(&m.hdr, EVP_GRANT_UNSHARE, len, SEQ);
	return evp_ask(h->fd, &m, len, &p, EVP_GRANT_DONE,
		       sizeof(struct evp_grant_done));
}

static int unshare_all(struct evp_grants *h, const struct evp_area *a)
{
	uint32_t n, done;
	int rc = 0;

	for (done = 0; done < a->nr && !rc; done += n) {
		n = a->nr - done;
		if (n > EVP_GRANTS_PER_MSG)
			n = EVP_GRANTS_PER_MSG;
		rc = ask_unshare(h, a->id + done, n);
	}
	return rc;
}

static int share(struct evp_grants *h, const struct evp_share *s,
		 struct evp_area *a, void **addr)
{
	uint64_t region = 0;
	int memfd = -1, rc = make_memory(s->count, &memfd, addr);

	if (rc)
		return rc;
	rc = ask_region(h, s, memfd, &region);
	(void)close(memfd);
	while (!rc && a->nr < s->count)
		rc = ask_share(h, s, region, a);
	if (rc) {
		(void)unshare_all(h, a);
		(void)munmap(*addr, size_of(s->count));
	}
	return rc;
}

static bool is_fine(const struct evp_share *s)
{
	bool one = s->notify || s->at != EVP_GRANT_ANYWHERE;

	return s->count && s->count <= EVP_GRANTS_MAX &&
	       (!one || s->count == 1) && s->domid <= DOMID_SELF &&
	       (s->at == EVP_GRANT_ANYWHERE || s->at < EVP_GRANT_RESERVED);
}

int evp_grant_share(struct evp_grants *h, const struct evp_share *s,
		    uint32_t *ref, void **addr)
{
	struct evp_area *a;
	int rc;

	if (!is_fine(s))
		return evp_fail(-EINVAL, "cannot share %u pages like this",
				s->count);
	a = new_area(s->count, true);
	if (!a)
		return evp_fail(-ENOMEM, "cannot share %u pages", s->count);
	rc = share(h, s, a, addr);
	if (rc) {
		free(a);
		return rc;
	}
	memcpy(ref, a->id, s->count * sizeof(*ref));
	insert(h, a, *addr);
	return 0;
}

int evp_grant_unshare(struct evp_grants *h, void *addr, uint32_t count)
{
	struct evp_area **at = find(h, addr), *a = *at;
	int rc;

	if (!a || !a->is_shared || a->count != count)
		return evp_fail(-EINVAL, "nothing like this was shared");
	*at = a->next;
	rc = unshare_all(h, a);
	(void)munmap(addr, size_of(count));
	free(a);
	return rc;
}

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
		  uint32_t count, uint32_t flags,
		  const struct evp_notify *notify, struct evp_grant_mapped *a,
		  int *fd)
{
	struct evp_grant_map m = {.domid = (uint16_t)r->domid,
				  .flags = (uint16_t)flags};
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
	fill_notify(&m.notify, notify);
	len += m.count * sizeof(m.ref[0]);
	evp_hdr_init(&m.hdr, EVP_GRANT_MAP, len, SEQ);
	rc = evp_ask(h->fd, &m, len, &p, EVP_GRANT_MAPPED,
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
		if (mmap(addr + size_of(i), size_of(n), prot,
			 MAP_SHARED | MAP_FIXED, fd,
			 (off_t)size_of(a->page[i])) == MAP_FAILED)
			return evp_fail(-errno, "cannot map a grant");
	}
	return 0;
}

static int ask_unmap(struct evp_grants *h, uint32_t number)
{
	struct evp_grant_unmap m = {.map = number};
	struct evp_packet p;

	evp_hdr_init(&m.hdr, EVP_GRANT_UNMAP, sizeof(m), SEQ);
	return evp_ask(h->fd, &m, sizeof(m), &p, EVP_GRANT_DONE,
		       sizeof(struct evp_grant_done));
}

static int unmap_all(struct evp_grants *h, const struct evp_area *a)
{
	uint32_t i;
	int one, rc = 0;

	for (i = 0; i < a->nr; i++) {
		one = ask_unmap(h, a->id[i]);
		rc = rc ? rc : one;
	}
	return rc;
}

struct request {
	const struct evp_grant_ref *ref;
	uint32_t flags;
	int prot;
	const struct evp_notify *notify;
};

/* As many as go at once, beginning with the one at *@done. */
static int map_some(struct evp_grants *h, const struct request *q,
		    struct evp_area *area, uint8_t *addr, uint32_t *done)
{
	const struct evp_grant_ref *r = q->ref + *done;
	struct evp_grant_mapped a;
	int fd = -1;
	int rc = evp_grant_ask(h, r, area->count - *done, q->flags, q->notify,
			       &a, &fd);

	if (rc)
		return rc;
	if (a.status)
		return explain(r, a.status);
	area->id[area->nr++] = a.map;
	rc = place(addr + size_of(*done), q->prot, fd, &a);
	(void)close(fd);
	*done += a.count;
	return rc;
}

static int map(struct evp_grants *h, const struct request *q,
	       struct evp_area *area, void **addr)
{
	size_t size = size_of(area->count);
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
	(void)unmap_all(h, area);
	return rc;
}

/*
 * The program has unmapped, by itself, what was at this address: else nothing
 * new could be there.
 */
static void forget(struct evp_grants *h, const void *addr)
{
	struct evp_area **at = find(h, addr), *a = *at;

	if (!a)
		return;
	*at = a->next;
	if (a->is_shared) {
		(void)unshare_all(h, a);
	} else {
		h->nr_mapped -= a->count;
		(void)unmap_all(h, a);
	}
	free(a);
}

static int map_request(struct evp_grants *h, const struct request *q,
		       uint32_t count, void **addr)
{
	struct evp_area *a;
	int rc;

	if (!count || (q->notify && count != 1))
		return evp_fail(-EINVAL, "cannot map %u pages like this",
				count);
	if (count > h->limit - h->nr_mapped)
		return evp_fail(-ENOSPC, "this handle may map %u pages",
				h->limit);
	a = new_area(count, false);
	if (!a)
		return evp_fail(-ENOMEM, "cannot map %u pages", count);
	rc = map(h, q, a, addr);
	if (rc) {
		free(a);
		return rc;
	}
	forget(h, *addr);
	insert(h, a, *addr);
	return 0;
}

int evp_grant_map(struct evp_grants *h, const struct evp_grant_ref *r,
		  uint32_t count, int prot, const struct evp_notify *notify,
		  void **addr)
{
	struct request q = {.ref = r, .prot = prot, .notify = notify};

	if (prot & PROT_WRITE)
		q.flags |= EVP_GRANT_WRITABLE;
	return map_request(h, &q, count, addr);
}

int evp_frame_map(struct evp_grants *h, uint32_t domid, const uint64_t *frame,
		  uint32_t count, int prot, void **addr)
{
	struct evp_grant_ref *r = calloc(count ? count : 1, sizeof(*r));
	struct request q = {.ref = r, .prot = prot, .flags = EVP_GRANT_FOREIGN};
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
		q.flags |= EVP_GRANT_WRITABLE;
	rc = map_request(h, &q, count, addr);
	free(r);
	return rc;
}

uint64_t evp_grant_frame(uint32_t ref)
{
	return EVP_GRANT_GFN + (uint64_t)ref;
}

int evp_grant_unmap(struct evp_grants *h, void *addr, uint32_t count)
{
	struct evp_area **at = find(h, addr), *a = *at;
	int rc;

	if (!a || a->is_shared || a->count != count)
		return evp_fail(-EINVAL, "nothing like this was mapped");
	*at = a->next;
	h->nr_mapped -= count;
	(void)munmap(addr, size_of(count));
	rc = unmap_all(h, a);
	free(a);
	return rc;
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
	rc = evp_session(o ? o : &defaults, &h->fd, &h->domid);
	if (rc) {
		free(h);
		return rc;
	}
	*out = h;
	return 0;
}

void evp_grants_close(struct evp_grants *h)
{
	struct evp_area *a;
	uint32_t i;

	if (!h)
		return;
	for (i = 0; i < EVP_AREA_BUCKETS; i++) {
		while ((a = h->area[i])) {
			h->area[i] = a->next;
			free(a);
		}
	}
	/* That says it all; in a child after fork(), nothing. */
	(void)close(h->fd);
	free(h);
}

int evp_grants_fd(const struct evp_grants *h)
{
	return h->fd;
}

domid_t evp_grants_domid(const struct evp_grants *h)
{
	return h->domid;
}

int evp_grants_limit(struct evp_grants *h, uint32_t count)
{
	if (count > EVP_GRANTS_MAX || count < h->nr_mapped)
		return evp_fail(-EINVAL, "the limit cannot be %u pages", count);
	h->limit = count;
	return 0;
}
