/* SPDX-License-Identifier: MIT */
/*
 * What was shared and mapped is so again with the next broker, when one was killed.
 *
 * The memory never went away, for us and for who has it mapped; what is lost is
 * the broker's table, in which those are looked up who want to map it now.  So
 * the regions are handed in once more, and the same pages by the same numbers
 * (GRANT_RESHARE).  What we have mapped of others is said after them
 * (grant_remap.c).
 *
 * A program that shares or maps may never call us again, so a thread of ours, the
 * keeper, waits for the broker to hang up.  It tries until there is another one,
 * and again for a while if something was refused: a notification needs its port,
 * a mapping its grant, and these come back by other handles.
 *
 * Reading order: saying it, the keeper.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "grant.h"
#include "thread.h"

#define FIRST_MS 10
#define LAST_MS	 320
#define TRIES	 40  /* of what is refused: some 10 s */
#define REFUSALS 256 /* in one try */

/* What is written to the keeper: to end; or that there is something to try. */
#define END  1u
#define RING (UINT64_C(1) << 32)

/* --- saying it -------------------------------------------------------------- */

static int reshare(struct evp_grants *h, const struct evp_area *a,
		   uint64_t region, uint32_t page, uint32_t from)
{
	struct evp_grant_reshare m = {
		.region = region, .page = page, .count = a->count - from};
	size_t len = offsetof(struct evp_grant_reshare, ref);
	struct evp_packet p;

	if (m.count > EVP_GRANTS_PER_MSG)
		m.count = EVP_GRANTS_PER_MSG;
	memcpy(m.ref, a->id + from, m.count * sizeof(m.ref[0]));
	evp_fill_notify(&m.notify, a->has_notify ? &a->notify : NULL);
	len += m.count * sizeof(m.ref[0]);
	evp_hdr_init(&m.hdr, EVP_GRANT_RESHARE, len, EVP_GRANT_SEQ);
	return evp_ask(h->s.fd, &m, len, &p, EVP_GRANT_DONE,
		       sizeof(struct evp_grant_done));
}

static int say_single(struct evp_grants *h, struct evp_area *a)
{
	struct evp_slab *s = a->slab;
	const struct evp_share what = {.domid = s->domid,
				       .writable = s->writable};
	size_t offset = (size_t)((uint8_t *)a->addr - s->base);
	int rc = 0;

	if (!s->region)
		rc = evp_region_say(h, &what, EVP_SLAB_PAGES, s->memfd,
				    &s->region);
	if (!rc)
		rc = reshare(h, a, s->region,
			     (uint32_t)(offset / EVP_PAGE_SIZE), 0);
	/* With nothing shared of it the broker forgets a region. */
	if (rc)
		s->region = 0;
	return rc;
}

static int say_region(struct evp_grants *h, struct evp_area *a)
{
	const struct evp_share what = {.domid = a->domid,
				       .writable = a->writable,
				       .notify = a->has_notify ? &a->notify
							       : NULL};
	uint64_t region = 0;
	uint32_t done;
	int rc = evp_region_say(h, &what, a->count, a->memfd, &region);

	for (done = 0; done < a->count && !rc; done += EVP_GRANTS_PER_MSG)
		rc = reshare(h, a, region, done, done);
	return rc;
}

static bool share_again(struct evp_grants *h, struct evp_area *a)
{
	if (a->slab ? say_single(h, a) : say_region(h, a))
		return false;
	a->nr = a->count;
	return true;
}

bool evp_area_say(struct evp_grants *h, struct evp_area *a)
{
	if (a->is_shared ? !share_again(h, a) : !evp_area_remap(h, a))
		return false;
	a->is_unsaid = false;
	return true;
}

/*
 * What is left to be said, one bucket after the other, until too much of it was
 * refused: the next time begins where this one ended.  True: nothing is left.
 */
static bool say_all(struct evp_grants *h)
{
	uint32_t i, nr_refused = 0;
	struct evp_area *a;

	for (i = 0; i < EVP_AREA_BUCKETS && nr_refused < REFUSALS; i++) {
		h->next = (h->next + 1) % EVP_AREA_BUCKETS;
		for (a = h->area[h->next]; a; a = a->next)
			nr_refused += a->is_unsaid && !evp_area_say(h, a);
	}
	return evp_gone_say(h) && !nr_refused;
}

static void try(struct evp_grants *h)
{
	if (h->tries && (say_all(h) || !--h->tries)) {
		h->tries = 0;
		evp_gone_drop(h);
	}
}

/* The new broker knows nothing, so nothing can be taken back from it. */
void evp_grants_again(void *ctx)
{
	struct evp_grants *h = ctx;
	struct evp_slab *s;
	struct evp_area *a;
	uint32_t i;

	for (s = h->slabs; s; s = s->next)
		s->region = 0;
	for (i = 0; i < EVP_AREA_BUCKETS; i++) {
		for (a = h->area[i]; a; a = a->next) {
			a->nr = 0;
			a->is_unsaid = a->is_old = true;
		}
	}
	h->tries = TRIES;
	try(h);
	/* The keeper may just be about to wait for this broker's hanging up. */
	if (h->tries && h->stop >= 0)
		(void)eventfd_write(h->stop, RING);
}

/* --- the keeper ------------------------------------------------------------- */

void evp_grants_enter(struct evp_grants *h)
{
	(void)pthread_mutex_lock(&h->lock);
	evp_session_resume(&h->s);
}

void evp_grants_leave(struct evp_grants *h)
{
	(void)pthread_mutex_unlock(&h->lock);
}

/* How long to sleep until the next attempt; -1: until it hangs up. */
static int attempt(struct evp_grants *h, int ms)
{
	bool is_over;

	evp_grants_enter(h);
	try(h);
	is_over = !h->s.path[0];
	ms = h->tries || evp_is_hung_up(h->s.fd) ? ms : -1;
	evp_grants_leave(h);
	return is_over ? -2 : ms;
}

static bool is_to_end(struct evp_grants *h)
{
	eventfd_t value;

	return eventfd_read(h->stop, &value) || value & UINT32_MAX;
}

static void *keep(void *arg)
{
	struct evp_grants *h = arg;
	struct pollfd p[2] = {{.fd = h->stop, .events = POLLIN}};
	int ms = -1, backoff = FIRST_MS;

	for (;;) {
		/* While there is something to try, its hanging up is no news. */
		p[1] = (struct pollfd){.fd = ms < 0 ? h->s.fd : -1};
		if (poll(p, 2, ms) < 0 && errno != EINTR)
			return NULL;
		if (p[0].revents && is_to_end(h))
			return NULL;
		ms = attempt(h, backoff);
		if (ms == -2)
			return NULL;
		if (ms < 0)
			backoff = FIRST_MS;
		else if (backoff < LAST_MS)
			backoff *= 2;
	}
}

/* Without one it is said at the next call. */
void evp_keeper_start(struct evp_grants *h)
{
	if (h->stop >= 0)
		return;
	h->stop = eventfd(0, EFD_CLOEXEC);
	if (h->stop < 0)
		return;
	h->pid = getpid();
	if (!evp_thread_start(&h->keeper, keep, h))
		return;
	(void)close(h->stop);
	h->stop = -1;
}

/* In a child after fork() there is none. */
void evp_keeper_stop(struct evp_grants *h)
{
	if (h->stop < 0)
		return;
	if (h->pid == getpid()) {
		(void)eventfd_write(h->stop, END);
		(void)pthread_join(h->keeper, NULL);
		evp_session_resume(&h->s);
		try(h);
	}
	(void)close(h->stop);
}
