/* SPDX-License-Identifier: MIT */
/*
 * The host the core is fuzzed on: three domains, their memory, the hooks.
 *
 *   d0  control domain, 2 vCPUs, 64-bit, 256 ports
 *   d1  3 vCPUs, 64-bit, 1280 ports: more than one FIFO page
 *   d2  33 vCPUs, 32-bit: the last one has no vcpu_info in shared_info
 *
 * Everything is static and of one size; pages lie between pages that nobody
 * may touch, and a guest's frame may be touched by the core only while it is
 * mapped (AddressSanitizer is told).  What the core may write inside a page is
 * noted when it is handed over; world_check_pages() looks for more.
 */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include <evc/evc.h>

#include "fuzz.h"

#define WORLD_DOMAINS 3
#define WORLD_VCPUS   33
#define WORLD_BUCKETS 20
#define WORLD_PIRQS   8
#define WORLD_FRAMES  6
#define WORLD_INFO    WORLD_FRAMES /* the page of registered vcpu_infos */
#define WORLD_SHARED  (WORLD_FRAMES + 1)
#define WORLD_PAGES   (WORLD_FRAMES + 2)
#define WORLD_ARGS    WORLD_PAGES /* not a page: the memory of arguments */

/* Guest memory for arguments, twice: writable, and not. */
#define WORLD_RAM      512u
#define WORLD_RAM_AT   0x10000u
#define WORLD_RAM_READ 0x20000u

/* What the hypervisor's part of the pages is filled with. */
#define WORLD_PATTERN 0xb5

struct world_page {
	uint8_t *mem;
	uint8_t may[4096 / 8]; /* the core may write these 8 bytes */
	unsigned int mapped;
};

struct world_domain {
	struct evc_domain evc;
	struct evc_vcpu vcpu[WORLD_VCPUS];
	struct evc_channel *bucket[WORLD_BUCKETS];
	uint64_t map[EVC_MAP_WORDS(WORLD_BUCKETS)];
	evb_u32 pirq_port[WORLD_PIRQS];
	struct evc_fifo fifo;
	struct evc_fifo_vcpu fifo_vcpu[WORLD_VCPUS];
	struct evc_limit limit;
	uint32_t limit_next[WORLD_BUCKETS * EVC_BUCKET_PORTS];
	struct world_page page[WORLD_PAGES + 1];
	bool pirq_bound[WORLD_PIRQS];
	unsigned int mapped;
	_Alignas(8) uint8_t ram[WORLD_RAM];
};

/* How the hooks answer; the input sets it. */
struct world_answers {
	bool no_memory, refuse, yield, upcall_enabled, talkative;
	uint8_t pirq_refused; /* a bit per line */
	int pirq_bind_rc;
};

struct world {
	struct evc_machine machine;
	struct world_domain d[WORLD_DOMAINS];
	struct world_answers say;
	bool is_hostile; /* guests change their memory during calls */
	unsigned int nr_kicks, nr_consumed;
};

extern struct world world;

/* A new machine, three domains; @flags are the input's. */
void world_start(uint8_t flags);

/* Destroy all domains; nothing may be left of them. */
void world_end(void);

/* Destroy one, perhaps only a part of it; if all, make it anew. */
int world_destroy(struct world_domain *w);

/* Everything of check.h, and that hosts and core agree. */
void world_check(void);

/* The core wrote where it may, and nowhere else. */
void world_check_pages(void);

/* The core may write 8-byte words of a page: from @offset, @len bytes. */
void world_allow(struct world_page *p, uint32_t offset, uint32_t len);

/* Guest stores: they do not care what the core may access. */
void world_poke(struct world_page *p, uint32_t offset, uint32_t value);
uint32_t world_peek(const struct world_page *p, uint32_t offset);

/* A number that changes when anything a guest can see does. */
uint64_t world_digest(void);

void world_consume(struct evc_vcpu *v, evtchn_port_t port);

#endif /* FUZZ_WORLD_H */
