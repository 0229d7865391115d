/* SPDX-License-Identifier: MIT */
/*
 * Both sides of the broker's lane to an attachment; port_lane.h has the picture.
 */
#include "port_lane.h"

#define PAGES_OF(size) ((size) + EVP_PAGE_SIZE - 1) / EVP_PAGE_SIZE
#define SIZE	       (PAGES_OF(sizeof(struct evp_port_lane)) * EVP_PAGE_SIZE)

enum evp_sent evp_port_send(struct evp_port_lane *l, int bell,
			    evtchn_port_t port)
{
	uint32_t word = port / 64 % EVP_PORT_WORDS;
	uint64_t bit = 1ull << port % 64;

	/* MO-LANE: the port's bit before its slot; pairs with take_word() */
	if (evb_u64_or(&l->port[word], bit) & bit)
		return EVP_MERGED; /* who set it raises the slot */
	return evp_lane_send(&l->lane, bell, EVP_SLOT_PORTS + word);
}

uint64_t evp_port_take_word(struct evp_port_lane *l, uint32_t word)
{
	/* MO-LANE: the slot was taken, then the word */
	return evb_u64_xchg(&l->port[word % EVP_PORT_WORDS], 0);
}

bool evp_port_take(struct evp_port_lane *l, evtchn_port_t port)
{
	uint64_t bit = 1ull << port % 64;

	/* MO-LANE: as take_word(); the slot stays, and leads to nothing */
	return evb_u64_and(&l->port[port / 64 % EVP_PORT_WORDS], ~bit) & bit;
}

int evp_port_lane_create(int *memfd, struct evp_port_lane **l)
{
	void *m;
	int rc = evp_pages_create(memfd, SIZE, &m);

	if (!rc)
		*l = m;
	return rc;
}

int evp_port_lane_map(int memfd, struct evp_port_lane **l)
{
	void *m;
	int rc = evp_pages_map(memfd, SIZE, &m);

	if (!rc)
		*l = m;
	return rc;
}

void evp_port_lane_unmap(struct evp_port_lane *l)
{
	evp_pages_unmap(l, SIZE);
}
