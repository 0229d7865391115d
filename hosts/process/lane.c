/* SPDX-License-Identifier: MIT */
/*
 * Both sides of a lane; lane.h has the picture.  A process and the broker use
 * the same functions.
 *
 * Reading order: sending, collecting, sleeping, then making and mapping.
 */
#include "lane.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the sender ------------------------------------------------------------ */

enum evp_sent evp_lane_send(struct evp_lane_page *p, int rope, uint32_t slot)
{
	uint32_t word = slot / 64 % EVP_LANE_WORDS;
	uint64_t bit = 1ull << slot % 64;

	/* MO-LANE: the payload before the bit; pairs with take_word() */
	if (evb_u64_or(&p->pending[word], bit) & bit)
		return EVP_MERGED;
	/* MO-LANE: pending before selector; pairs with take_selector() */
	if (evb_u64_or(&p->selector, 1ull << word))
		return EVP_SET; /* who set the first bit of it rings */
	/* MO-ARM: the selector is set; pairs with evp_lane_arm() */
	if (!evb_u32_load(&p->armed) || !evb_u32_xchg(&p->armed, 0))
		return EVP_SET;
	evb_u32_store_relaxed(&p->rung_from, (uint32_t)sched_getcpu() + 1);
	evp_kick(rope);
	return EVP_RANG;
}

void evp_lane_call(struct evp_lane_page *p, int rope)
{
	/* MO-ARM: as evp_lane_send() */
	if (!evb_u64_or(&p->selector, 1) && evb_u32_load(&p->armed) &&
	    evb_u32_xchg(&p->armed, 0))
		evp_kick(rope);
}

/* --- the receiver, awake --------------------------------------------------- */

bool evp_lane_is_empty(const struct evp_lane_page *p)
{
	return !evb_u64_load(&p->selector);
}

uint64_t evp_lane_take_selector(struct evp_lane_page *p)
{
	/* Relaxed: a bit missed now is found at the next look, or by arming. */
	if (!evb_u64_load_relaxed(&p->selector))
		return 0;
	/* MO-LANE: clear the selector, then read pending */
	return evb_u64_xchg(&p->selector, 0);
}

uint64_t evp_lane_take_word(struct evp_lane_page *p, uint32_t word)
{
	/* MO-LANE: clear pending, then read the payload */
	return evb_u64_xchg(&p->pending[word % EVP_LANE_WORDS], 0);
}

bool evp_lane_take_slot(struct evp_lane_page *p, uint32_t slot)
{
	uint64_t bit = 1ull << slot % 64;
	evb_u64 *word = &p->pending[slot / 64 % EVP_LANE_WORDS];

	/* MO-LANE: as take_word() */
	return evb_u64_and(word, ~bit) & bit;
}

/* --- the receiver, going to sleep ------------------------------------------ */

void evp_lane_arm(struct evp_lane_page *p)
{
	/* MO-ARM: armed is set, then the caller looks at the selector */
	evb_u32_store(&p->armed, 1);
	evb_fence();
}

void evp_lane_disarm(struct evp_lane_page *p)
{
	/* Relaxed: who still sees it armed rings once for nothing. */
	evb_u32_store_relaxed(&p->armed, 0);
}

/* --- memory ---------------------------------------------------------------- */

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int map(int memfd, size_t size, void **m)
{
	void *p =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*m = p;
	return 0;
}

int evp_pages_create(int *memfd, size_t size, void **m)
{
	int fd = memfd_create("evtchn-lane", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int rc;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) || fcntl(fd, F_ADD_SEALS, SEALS))
		rc = -errno;
	else
		rc = m ? map(fd, size, m) : 0;
	if (rc)
		(void)close(fd);
	else
		*memfd = fd;
	return rc;
}

int evp_pages_map(int memfd, size_t size, void **m)
{
	struct stat st;

	if (fstat(memfd, &st) || st.st_size != (off_t)size ||
	    (fcntl(memfd, F_GET_SEALS) & SEALS) != SEALS)
		return -EPROTO;
	return map(memfd, size, m);
}

void evp_pages_unmap(void *m, size_t size)
{
	if (m)
		(void)munmap(m, size);
}

int evp_lane_create(int *memfd, struct evp_lane_page **p)
{
	void *m;
	int rc = evp_pages_create(memfd, EVP_PAGE_SIZE, p ? &m : NULL);

	if (!rc && p)
		*p = m;
	return rc;
}

int evp_lane_map(int memfd, struct evp_lane_page **p)
{
	void *m;
	int rc = evp_pages_map(memfd, EVP_PAGE_SIZE, &m);

	if (!rc)
		*p = m;
	return rc;
}

void evp_lane_unmap(struct evp_lane_page *p)
{
	evp_pages_unmap(p, EVP_PAGE_SIZE);
}
