/* SPDX-License-Identifier: MIT */
/*
 * FIFO event channels of an attached process: what is kept of them.
 *
 *   fifo.c     the hypercalls: switching over, pages, priorities, and back
 *   deliver.c  posting
 *   lent.c     memory for them, as the guest library wants it
 *
 * It is what the core keeps of a domain, without what only its state machine
 * needs: evc/deliver.h says what is read.  Guarded guests: it comes, changes and
 * goes with guest.lock and all vcpu.chans held, so whoever posts (with one of
 * them) sees it stand still.
 */
#ifndef EVP_FIFO_H
#define EVP_FIFO_H

#include <evc/storage.h>

#include "guest.h"

/* Some 8 MiB of addresses, of which what is used is touched. */
struct evp_fifo {
	struct evc_machine machine;
	struct evc_domain domain;
	struct evc_fifo fifo;
	struct evc_vcpu vcpu[EVP_MAX_VCPUS];
	struct evc_fifo_vcpu queues[EVP_MAX_VCPUS];
	/* Those of a page are set up together; before that, domain is NULL. */
	struct evc_channel chan[EVTCHN_FIFO_NR_CHANNELS];
};

/* NULL: a 2-level guest. */
static inline struct evp_fifo *evp_fifo_of(const struct evp_guest *g)
{
	return evb_ptr_load_acquire(&g->fifo);
}

/* Has @port's page been given? */
static inline bool evp_fifo_has_page(const struct evp_fifo *f,
				     evtchn_port_t port)
{
	return evb_ptr_load_acquire(&f->fifo.array[port / EVC_FIFO_PAGE_PORTS]);
}

#endif /* EVP_FIFO_H */
