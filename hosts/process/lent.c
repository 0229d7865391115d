/* SPDX-License-Identifier: MIT */
/*
 * Memory that is lent to the guest library: its table of ports, and what it needs
 * for FIFO event channels, should it want them.
 *
 * For all ports there can be, at once: these are addresses, and memory only where
 * a port is used (1,024 ports to an array page, 64 or so to one of the table).
 * So whoever attaches may call evg_fifo_start() without having said so before,
 * and one that has few ports is no larger for it.
 */
#include <errno.h>
#include <sys/mman.h>

#include <evg/fifo.h>

#include "guest.h"

#define CONTROL_SIZE 128 /* of the 72 bytes, so that all are in one page */

struct evp_lent {
	struct evg_fifo fifo;
	struct evg_lent control[EVP_MAX_VCPUS];
	struct evg_lent page[EVG_FIFO_MAX_PAGES];
	unsigned char block[EVP_MAX_VCPUS][CONTROL_SIZE]
		__attribute__((aligned(EVP_PAGE_SIZE)));
	unsigned char words[EVG_FIFO_MAX_PAGES][EVP_PAGE_SIZE]
		__attribute__((aligned(EVP_PAGE_SIZE)));
	struct evg_port port[EVTCHN_FIFO_NR_CHANNELS];
};

_Static_assert(sizeof(struct evtchn_fifo_control_block) <= CONTROL_SIZE,
	       "a control block fits");

static struct evg_lent lend(void *mem)
{
	return (struct evg_lent){.mem = mem, .frame = (uintptr_t)mem >> 12};
}

int evp_lend(struct evp_guest *g, struct evg_config *c)
{
	struct evp_lent *l = mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				  -1, 0);
	uint32_t i;

	if (l == MAP_FAILED)
		return -ENOMEM;
	g->lent = l;
	for (i = 0; i < g->nr_vcpus; i++)
		l->control[i] = lend(l->block[i]);
	for (i = 0; i < EVG_FIFO_MAX_PAGES; i++)
		l->page[i] = lend(l->words[i]);
	l->fifo.control = l->control;
	l->fifo.page = l->page;
	l->fifo.nr_pages = EVG_FIFO_MAX_PAGES;
	c->fifo = &l->fifo;
	c->port = l->port;
	c->nr_ports = EVTCHN_FIFO_NR_CHANNELS;
	c->ports_are_zero = true;
	return 0;
}

void evp_lent_free(struct evp_guest *g)
{
	if (g->lent)
		(void)munmap(g->lent, sizeof(*g->lent));
	g->lent = NULL;
}
