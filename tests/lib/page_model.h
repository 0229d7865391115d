/* SPDX-License-Identifier: MIT */
/*
 * What SPEC 3.1 says about the shared page of domain 1, in a few lines and
 * with offsets of its own.  A test sets the page up, lets the core do
 * something, does the same to the model and compares every byte.  What is not
 * event state holds a pattern, so a write anywhere else shows.
 *
 * Each program that includes this has its own copy.
 */
#ifndef PAGE_MODEL_H
#define PAGE_MODEL_H

#include "tests/lib/fake_host.h"

#include <string.h>

static struct evc_domain *d1, *d2;
static enum evc_width width;

static uint8_t page[4096]; /* what the page should be */
static uint32_t kicks;	   /* and how often somebody was kicked */

#define MASKED	 1u
#define PENDING	 2u
#define SELECTED 4u
#define UPCALL	 8u

static inline uint32_t pending_at(void)
{
	return 2048;
}

static inline uint32_t mask_at(void)
{
	return width == EVC_WIDTH_64 ? 2560 : 2176;
}

static inline uint32_t sel_at(uint32_t vcpu)
{
	return vcpu * 64 + (width == EVC_WIDTH_64 ? 8 : 4);
}

static inline uint32_t sel_bit(evtchn_port_t port)
{
	return port / (width == EVC_WIDTH_64 ? 64 : 32);
}

static inline bool get(uint32_t at, uint32_t bit)
{
	return page[at + bit / 8] >> bit % 8 & 1;
}

static inline void put(uint32_t at, uint32_t bit, bool on)
{
	page[at + bit / 8] &= (uint8_t) ~(1u << bit % 8);
	page[at + bit / 8] |= (uint8_t)((uint32_t)on << bit % 8);
}

static inline void model_raise(uint32_t vcpu)
{
	if (!page[vcpu * 64])
		kicks++;
	page[vcpu * 64] = 1;
}

static inline void model_select(evtchn_port_t port, uint32_t vcpu)
{
	if (get(sel_at(vcpu), sel_bit(port)))
		return;
	put(sel_at(vcpu), sel_bit(port), true);
	model_raise(vcpu);
}

static inline void model_post(evtchn_port_t port, uint32_t vcpu)
{
	if (get(pending_at(), port))
		return;
	put(pending_at(), port, true);
	if (!get(mask_at(), port))
		model_select(port, vcpu);
}

static inline void model_unmask(evtchn_port_t port, uint32_t vcpu)
{
	if (!get(mask_at(), port))
		return;
	put(mask_at(), port, false);
	if (get(pending_at(), port))
		model_select(port, vcpu);
}

static inline void start(uint32_t nr_vcpus)
{
	fake_start(false);
	d1 = fake_add(&(struct fake_options){
		.domid = 1, .width = width, .nr_vcpus = nr_vcpus});
	d2 = fake_domain(2);
	fake.pirq_permitted = UINT32_MAX;
}

/* The page: a pattern, and around @port on @vcpu the bits of @how. */
static inline void set_page(evtchn_port_t port, uint32_t vcpu, uint32_t how)
{
	memset(page, 0xa5, sizeof(page));
	put(mask_at(), port, how & MASKED);
	put(pending_at(), port, how & PENDING);
	put(sel_at(vcpu), sel_bit(port), how & SELECTED);
	page[vcpu * 64] = how & UPCALL ? 1 : 0;
	memcpy(d1->shared_info, page, sizeof(page));
	kicks = 0;
	fake_forget();
}

static inline void check_page(const char *what, evtchn_port_t port,
			      uint32_t how)
{
	const uint8_t *real = d1->shared_info;
	uint32_t i;

	for (i = 0; i < sizeof(page); i++) {
		if (real[i] != page[i])
			fail_msg("%s, width %d, port %u, before %x: byte %u "
				 "is %02x, should be %02x",
				 what, (int)width, port, how, i, real[i],
				 page[i]);
	}
	if (fake_kicks() != kicks)
		fail_msg("%s, width %d, port %u, before %x: %u kicks", what,
			 (int)width, port, how, fake_kicks());
}

/* Take the ports of d1 below @port. */
static inline void fill_below(evtchn_port_t port)
{
	evtchn_port_t p = 0;

	while (d1->ports.nr_open + 1 < port)
		assert_int_equal(evc_bind_ipi(d1, 0, &p), 0);
}

/* A channel from @peer of d2 to a port of d1. */
static evtchn_port_t peer;

static inline void open_connected(evtchn_port_t *port)
{
	fake_connect(d1, d2, port, &peer);
}

#endif /* PAGE_MODEL_H */
