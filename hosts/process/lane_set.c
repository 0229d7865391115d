/* SPDX-License-Identifier: MIT */
/*
 * The lanes of a guest: which are looked at, and whose bells wake it.
 *
 *   hot   [0, nr_hot)         not armed, looked at while awake
 *   cold  [nr_hot, nr_open)   armed: the first sender rings
 *   shut  [nr_open, nr_lanes) no channel uses it (any more): its peer may write
 *                             and ring as it likes, nobody looks or listens
 *
 * No malloc() here, as in wait.c.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <base/bits.h>

#include "storm.h"

static void swap(struct evp_guest *g, uint32_t i, uint32_t j)
{
	struct evp_lane *l = g->lane[i];

	g->lane[i] = g->lane[j];
	g->lane[j] = l;
	g->lane[i]->index = i;
	g->lane[j]->index = j;
}

void evp_lane_heat(struct evp_guest *g, struct evp_lane *l)
{
	if (l->index < g->nr_hot || l->index >= g->nr_open)
		return;
	evp_lane_disarm(l->in);
	swap(g, l->index, g->nr_hot++);
}

void *evp_new_pages(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Twice as many as before. */
static int grow(struct evp_guest *g)
{
	size_t size = g->max_lanes * sizeof(struct evp_lane *);
	void *p = size ? mremap(g->lane, size, 2 * size, MREMAP_MAYMOVE)
		       : evp_new_pages(EVP_PAGE_SIZE);

	if (!p || p == MAP_FAILED)
		return -ENOMEM;
	g->lane = p;
	g->max_lanes = (uint32_t)((size ? 2 * size : EVP_PAGE_SIZE) /
				  sizeof(struct evp_lane *));
	return 0;
}

int evp_lane_add(struct evp_guest *g, struct evp_lane *l)
{
	if (g->nr_lanes == g->max_lanes && grow(g))
		return -ENOMEM;
	l->index = g->nr_lanes++;
	g->lane[l->index] = l;
	return 0;
}

int evp_lane_open(struct evp_guest *g, struct evp_lane *l)
{
	int rc;

	if (l->index < g->nr_open)
		return 0;
	rc = evp_bell_hear(g->epoll, l->bell, l->in_id);
	if (rc)
		return rc;
	l->stormy = false;
	swap(g, l->index, g->nr_open++);
	evp_lane_heat(g, l);
	return 0;
}

void evp_lane_shut(struct evp_guest *g, struct evp_lane *l)
{
	if (l->index >= g->nr_open)
		return;
	evp_bell_ignore(g->epoll, l->bell);
	evp_lane_disarm(l->in);
	if (l->index < g->nr_hot)
		swap(g, l->index, --g->nr_hot);
	swap(g, l->index, --g->nr_open);
}

void evp_lane_use(struct evp_guest *g, struct evp_lane *l)
{
	l->users++;
	evp_lane_hear(g, l);
}

/* An old one has to be heard until its sender has left it: rejoin.c. */
void evp_lane_unuse(struct evp_guest *g, struct evp_lane *l)
{
	if (!--l->users && !l->old)
		evp_lane_shut(g, l);
}

void evp_lane_remove(struct evp_guest *g, struct evp_lane *l)
{
	evp_lane_shut(g, l);
	swap(g, l->index, --g->nr_lanes);
}

struct evp_lane *evp_lane_new(void)
{
	struct evp_lane *l = evp_new_pages(sizeof(*l));

	if (l)
		l->rope = l->bell = -1;
	return l;
}

void evp_lane_name_slot(struct evp_lane *l, uint32_t slot, uint32_t what)
{
	uint64_t bit = 1ull << slot % 64, word = 1ull << slot / 64;
	uint64_t *known = &l->known[slot / 64];

	l->slot_port[slot] = what;
	*known = what == EVP_SLOT_UNKNOWN ? *known & ~bit : *known | bit;
	l->words = *known ? l->words | word : l->words & ~word;
}

uint32_t evp_lane_next_slot(const struct evp_lane *l, uint32_t slot)
{
	uint32_t word = slot / 64;
	uint64_t bits, words;

	if (slot >= EVP_LANE_SLOTS)
		return EVP_LANE_SLOTS;
	bits = l->known[word] & UINT64_MAX << slot % 64;
	words = l->words & ~(UINT64_MAX >> (63 - word)); /* after this one */
	if (!bits && !words)
		return EVP_LANE_SLOTS;
	if (!bits) {
		word = evb_lowest_bit(words);
		bits = l->known[word];
	}
	return word * 64 + evb_lowest_bit(bits);
}

void evp_lane_free(struct evp_lane *l)
{
	if (l->by_port)
		evp_port_lane_unmap(evp_port_lane_of(l->in));
	else
		evp_lane_unmap(l->in);
	evp_lane_unmap(l->out);
	if (l->rope >= 0)
		(void)close(l->rope);
	if (l->bell >= 0)
		(void)close(l->bell);
	(void)munmap(l, sizeof(*l));
}

void evp_lanes_free(struct evp_guest *g)
{
	uint32_t i;

	for (i = 0; i < g->nr_lanes; i++)
		evp_lane_free(g->lane[i]);
	if (g->lane)
		(void)munmap(g->lane, g->max_lanes * sizeof(g->lane[0]));
}

struct evp_lane *evp_lane_find(struct evp_guest *g, uint64_t in_id)
{
	uint32_t i;

	for (i = 0; i < g->nr_lanes; i++) {
		if (g->lane[i]->in_id == in_id)
			return g->lane[i];
	}
	return NULL;
}
