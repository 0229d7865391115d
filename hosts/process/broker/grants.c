/* SPDX-License-Identifier: MIT */
/*
 * Grant tables: which pages a domain shares, and with whom.
 *
 * The broker has one descriptor for each region, never one for each grant; it
 * maps a page of it only if it has a byte to clear there.  A region comes from a
 * hostile process, so it must be a memfd of the size that was said and sealed
 * against shrinking: nobody who maps it can be made to fault.  The owner seals the
 * rest when the broker has it, and nothing of it can be shared before.
 *
 * Reading order: grant_table.c, regions, sharing, unsharing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "grants.h"

struct evd_grants *evd_grants_of(struct evd_conn *c)
{
	if (!c->grants) {
		c->grants = calloc(1, sizeof(*c->grants));
		if (c->grants)
			c->grants->shared = EVP_GRANT_ANY;
	}
	return c->grants;
}

/* --- regions ----------------------------------------------------------------- */

/*
 * Other processes have this file, too, and can keep it locked, so nothing is
 * done here that would wait for that: it is neither written nor sealed, only
 * asked for its seals first, which nothing but memory has, and mapped.
 */
static bool is_region(int fd, const struct evp_grant_region *m, uint64_t *file)
{
	const int want = F_SEAL_SHRINK | F_SEAL_GROW;
	int seals = fcntl(fd, F_GET_SEALS);
	struct statfs fs;
	struct stat st;

	/* Huge pages have seals, too, but another file system. */
	if (seals < 0 || (seals & want) != want || fstatfs(fd, &fs) ||
	    fs.f_type != TMPFS_MAGIC || fstat(fd, &st))
		return false;
	*file = st.st_ino;
	return st.st_size == (off_t)m->nr_pages * EVP_PAGE_SIZE;
}

/* The owner has sealed it for good, now that everybody has mapped it who may. */
bool evd_region_is_sealed(const struct evd_region *r)
{
	const int want = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL |
			 (r->writable ? 0 : F_SEAL_FUTURE_WRITE);
	int seals = fcntl(r->fd, F_GET_SEALS);

	return seals >= 0 && (seals & want) == want;
}

uint8_t *evd_region_map(struct evd_region *r, uint32_t page,
			struct evd_account *a)
{
	void *p;

	if (r->broker->nr_bytes >= EVD_MAX_BYTES ||
	    (!evd_is_privileged(a->uid) &&
	     a->nr_bytes >= EVD_MAX_BYTES / EVD_BYTE_SHARE))
		return NULL;
	p = mmap(NULL, EVP_PAGE_SIZE, PROT_WRITE, MAP_SHARED, r->fd,
		 (off_t)page * EVP_PAGE_SIZE);
	if (p == MAP_FAILED)
		return NULL;
	r->broker->nr_bytes++;
	a->nr_bytes++;
	return p;
}

void evd_region_unmap(struct evd_region *r, uint8_t *page,
		      struct evd_account *a)
{
	if (!page)
		return;
	(void)munmap(page, EVP_PAGE_SIZE);
	r->broker->nr_bytes--;
	a->nr_bytes--;
}

static void free_region(struct evd_region *r)
{
	evd_region_unmap(r, r->byte, r->account);
	if (r->fd >= 0)
		evd_bury(r->fd, r->account->uid);
	evd_account_remove_region(r->broker, r->account);
	r->broker->nr_regions--;
	r->table->nr_regions--;
	evd_table_put(r->table);
	free(r);
}

void evd_region_put(struct evd_region *r, uint32_t refs)
{
	r->refs -= refs;
	if (!r->refs)
		free_region(r);
}

/* Its connection shares nothing of it any more. */
static void forget_region(struct evd_region *r)
{
	*r->at = r->next;
	if (r->next)
		r->next->at = r->at;
	evd_region_put(r, 1);
}

static struct evd_region *new_region(struct evd_conn *c,
				     const struct evp_grant_region *m)
{
	struct evd_grants *cg = c->grants;
	struct evd_region *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->id = ++c->broker->last_id;
	r->broker = c->broker;
	r->table = c->dom->grants;
	r->account = c->account;
	evd_account_add_region(r->account);
	r->fd = -1;
	r->nr_pages = m->nr_pages;
	r->refs = 1; /* the connection's */
	r->domid = m->domid == DOMID_SELF ? c->dom->core.domid : m->domid;
	r->writable = m->flags & EVP_GRANT_WRITABLE;
	r->next = cg->regions;
	r->at = &cg->regions;
	if (r->next)
		r->next->at = &r->next;
	cg->regions = r;
	r->broker->nr_regions++;
	r->table->nr_regions++;
	r->table->refs++;
	return r;
}

/* Others cannot take the last ones from our user and root. */
static uint32_t nr_regions_for(const struct evd_conn *c)
{
	uint32_t n = c->broker->max_regions;

	return evd_is_privileged(c->account->uid) ? n : n - n / EVD_RESERVE;
}

static bool has_room(struct evd_conn *c, uint32_t seq)
{
	const struct evd_broker *b = c->broker;
	uint32_t share =
		(b->max_regions + EVD_REGION_SHARE - 1) / EVD_REGION_SHARE;
	uid_t uid = c->account->uid;
	char text[EVP_TEXT_MAX];

	if (!evd_grants_of(c) || !evd_table_of(c->dom)) {
		evd_refuse(c, seq, -ENOMEM, "no memory for a grant table");
		return false;
	}
	if (!evd_may_have(b, uid, EVD_DESCRIPTORS, 1))
		(void)snprintf(
			text, sizeof(text),
			"uid %lu has its %lu descriptors: share more "
			"pages at once, or have the policy's limit "
			"raised",
			(unsigned long)uid,
			(unsigned long)evd_limit(b, uid, EVD_DESCRIPTORS));
	else if (b->nr_regions >= nr_regions_for(c) ||
		 c->dom->grants->nr_regions >= share)
		(void)snprintf(text, sizeof(text),
			       "no descriptor left for grants (%u, %u of one "
			       "domain): share more pages at once, or raise "
			       "evtchnd's `ulimit -n`",
			       nr_regions_for(c), share);
	else
		return true;
	evd_refuse(c, seq, -EMFILE, text);
	return false;
}

void evd_grant_region(struct evd_conn *c, const struct evp_grant_region *m,
		      struct evp_packet *p)
{
	struct evp_grant_region_is a = {.region = 0};
	struct evd_region *r;
	uint64_t file;

	if (!m->nr_pages || m->nr_pages > EVP_REGION_PAGES ||
	    m->flags & ~(EVP_GRANT_WRITABLE | EVP_GRANT_NOTIFIES) ||
	    !is_region(p->fd[0], m, &file)) {
		evd_doom(c, "bad GRANT_REGION");
		return;
	}
	if (!has_room(c, m->hdr.seq))
		return;
	r = new_region(c, m);
	if (!r) {
		evd_refuse(c, m->hdr.seq, -ENOMEM, "no memory for a region");
		return;
	}
	r->fd = p->fd[0];
	r->file = file;
	p->nr_fds = 0;
	if (m->flags & EVP_GRANT_NOTIFIES) {
		r->byte = evd_region_map(r, 0, r->account);
		if (!r->byte) {
			forget_region(r);
			evd_refuse(c, m->hdr.seq, -ENOMEM,
				   "no room for another notification");
			return;
		}
	}
	a.region = r->id;
	evp_hdr_init(&a.hdr, EVP_GRANT_REGION_IS, sizeof(a), m->hdr.seq);
	evd_send(c, &a, sizeof(a), NULL, 0);
}

/* --- sharing ----------------------------------------------------------------- */

struct evd_region *evd_region_find(const struct evd_conn *c, uint64_t id)
{
	struct evd_region *r = c->grants ? c->grants->regions : NULL;

	while (r && r->id != id)
		r = r->next;
	return r;
}

static bool is_fine(const struct evd_region *r, const struct evp_grant_share *m)
{
	return r && evd_region_is_sealed(r) && m->count &&
	       m->count <= EVP_GRANTS_PER_MSG && m->page < r->nr_pages &&
	       m->count <= r->nr_pages - m->page &&
	       (m->count == 1 || (m->at == EVP_GRANT_ANY && !m->notify.what)) &&
	       (m->at == EVP_GRANT_ANY || m->at < EVP_GRANT_RESERVED) &&
	       ((r->byte && !m->page) || !(m->notify.what & EVP_NOTIFY_BYTE));
}

static void enter(struct evd_conn *c, uint32_t ref, struct evd_region *r,
		  uint32_t page)
{
	struct evd_grants *cg = c->grants;
	struct evd_grant *g = &r->table->grant[ref];

	*g = (struct evd_grant){.region = r,
				.conn = c,
				.page = page,
				.next = cg->shared,
				.prev = EVP_GRANT_ANY};
	if (g->next != EVP_GRANT_ANY)
		r->table->grant[g->next].prev = ref;
	cg->shared = ref;
	r->refs++;
	r->nr_shared++;
}

static void leave(struct evd_conn *c, uint32_t ref)
{
	struct evd_table *t = c->dom->grants;
	struct evd_grant *g = &t->grant[ref];

	if (g->prev == EVP_GRANT_ANY)
		c->grants->shared = g->next;
	else
		t->grant[g->prev].next = g->next;
	if (g->next != EVP_GRANT_ANY)
		t->grant[g->next].prev = g->prev;
}

/* Returns whether somebody has it mapped. */
static bool unshare(struct evd_conn *c, uint32_t ref)
{
	struct evd_table *t = c->dom->grants;
	struct evd_grant *g = &t->grant[ref];
	struct evd_region *r = g->region;
	bool busy = g->nr_maps;

	if (g->hold) {
		evd_hold_end(g->hold, true);
		free(g->hold);
		g->hold = NULL;
	}
	leave(c, ref);
	g->conn = NULL;
	evd_grant_release(t, ref);
	if (!--r->nr_shared)
		forget_region(r);
	evd_region_put(r, 1); /* mappings have their own */
	return busy;
}

static int share_one(struct evd_conn *c, const struct evp_grant_share *m,
		     struct evd_region *r, uint32_t ref)
{
	struct evd_hold *h = NULL;
	int rc;

	if (m->notify.what) {
		h = calloc(1, sizeof(*h));
		if (!h)
			return -ENOMEM;
		rc = evd_hold_take(c, &m->notify, r->byte, h);
		if (rc) {
			free(h);
			return rc;
		}
	}
	enter(c, ref, r, m->page);
	r->table->grant[ref].hold = h;
	return 0;
}

int evd_grant_enter(struct evd_conn *c, struct evd_region *r, uint32_t page,
		    uint32_t ref, const struct evp_grant_notify *notify)
{
	const struct evp_grant_share m = {.page = page, .notify = *notify};
	int rc = evd_grant_take_this(r->table, ref);

	if (rc)
		return rc;
	rc = share_one(c, &m, r, ref);
	if (rc)
		evd_grant_release(r->table, ref);
	return rc;
}

void evd_grant_undo(struct evd_conn *c, uint32_t ref)
{
	(void)unshare(c, ref);
}

void evd_region_drop_unshared(struct evd_region *r)
{
	if (!r->nr_shared)
		forget_region(r);
}

/* One page, at a place of its own or with a notification. */
static int share_special(struct evd_conn *c, const struct evp_grant_share *m,
			 struct evd_region *r, uint32_t *ref)
{
	struct evd_table *t = r->table;
	int rc;

	*ref = m->at == EVP_GRANT_ANY ? evd_grant_take(t) : m->at;
	if (*ref == EVP_GRANT_ANY)
		return -ENOSPC;
	if (t->grant[*ref].region)
		return -EBUSY;
	rc = share_one(c, m, r, *ref);
	if (rc)
		evd_grant_release(t, *ref);
	return rc;
}

static int share_plain(struct evd_conn *c, const struct evp_grant_share *m,
		       struct evd_region *r, uint32_t *ref)
{
	uint32_t i;

	for (i = 0; i < m->count; i++) {
		ref[i] = evd_grant_take(r->table);
		if (ref[i] == EVP_GRANT_ANY)
			break;
		enter(c, ref[i], r, m->page + i);
	}
	if (i == m->count)
		return 0;
	r->nr_shared++; /* or the region would go with the last one */
	while (i--)
		(void)unshare(c, ref[i]);
	r->nr_shared--;
	return -ENOSPC;
}

static void refuse_share(struct evd_conn *c, const struct evp_grant_share *m,
			 int rc)
{
	char text[EVP_TEXT_MAX];

	if (rc == -ENOSPC)
		(void)snprintf(text, sizeof(text),
			       "domain %u has no grant left of its %u",
			       c->dom->core.domid, EVP_GRANTS_MAX);
	else if (rc == -EBUSY)
		(void)snprintf(text, sizeof(text),
			       "grant %u of domain %u is in use", m->at,
			       c->dom->core.domid);
	else
		(void)snprintf(text, sizeof(text),
			       "domain %u cannot notify on port %u",
			       c->dom->core.domid, m->notify.port);
	evd_refuse(c, m->hdr.seq, rc, text);
}

void evd_grant_share(struct evd_conn *c, const struct evp_grant_share *m)
{
	struct evd_region *r = evd_region_find(c, m->region);
	struct evp_grant_shared a = {.count = m->count};
	size_t len;
	int rc;

	if (!is_fine(r, m)) {
		evd_doom(c, "bad GRANT_SHARE");
		return;
	}
	if (m->at != EVP_GRANT_ANY || m->notify.what)
		rc = share_special(c, m, r, a.ref);
	else
		rc = share_plain(c, m, r, a.ref);
	if (rc) {
		refuse_share(c, m, rc);
		if (!r->nr_shared)
			forget_region(r);
		return;
	}
	len = offsetof(struct evp_grant_shared, ref) +
	      m->count * sizeof(a.ref[0]);
	evp_hdr_init(&a.hdr, EVP_GRANT_SHARED, len, m->hdr.seq);
	evd_send(c, &a, len, NULL, 0);
}

/* --- unsharing --------------------------------------------------------------- */

void evd_grant_unshare(struct evd_conn *c, const struct evp_grant_unshare *m,
		       size_t len)
{
	struct evp_grant_done a = {.nr_busy = 0};
	struct evd_grant *g;
	uint32_t i;

	if (!m->count || m->count > EVP_GRANTS_PER_MSG ||
	    len != offsetof(struct evp_grant_unshare, ref) +
			    m->count * sizeof(m->ref[0])) {
		evd_doom(c, "bad GRANT_UNSHARE");
		return;
	}
	for (i = 0; i < m->count; i++) {
		g = evd_grant(c->dom->grants, m->ref[i]);
		if (!g || g->conn != c) {
			evd_doom(c, "unshares what it does not share");
			return;
		}
		a.nr_busy += unshare(c, m->ref[i]);
	}
	evp_hdr_init(&a.hdr, EVP_GRANT_DONE, sizeof(a), m->hdr.seq);
	evd_send(c, &a, sizeof(a), NULL, 0);
}

void evd_grants_end(struct evd_conn *c)
{
	struct evd_grants *cg = c->grants;

	if (!cg)
		return;
	evd_unmap_all(c);
	while (cg->shared != EVP_GRANT_ANY)
		(void)unshare(c, cg->shared);
	while (cg->regions)
		forget_region(cg->regions);
	free(cg);
	c->grants = NULL;
}
