/* SPDX-License-Identifier: MIT */
/*
 * The machine the core is measured on: one domain with memory for 131,072
 * ports, and the template's hooks, which do nothing, so that only the core is
 * measured.
 */
#include "bench/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES EVC_FIFO_MAX_PAGES

struct evc_domain bench_domain;

static struct evc_machine machine;
static struct evc_vcpu vcpu[2];
static struct evc_channel channels[BENCH_BUCKETS][EVC_BUCKET_PORTS];
static struct evc_channel *bucket[BENCH_BUCKETS];
static uint64_t map[EVC_MAP_WORDS(BENCH_BUCKETS)];
static struct evc_fifo fifo;
static struct evc_fifo_vcpu fifo_vcpu[2];
static _Alignas(4096) struct shared_info shared;
/* Guest frames: the array pages, then the control block. */
static _Alignas(4096) uint32_t frame[PAGES + 1][EVC_FIFO_PAGE_PORTS];

void bench_die(const char *what)
{
	fprintf(stderr, "bench: %s failed\n", what);
	exit(1);
}

static void go_fifo(void)
{
	struct evtchn_init_control c = {.control_gfn = PAGES};
	uint32_t i;

	for (c.vcpu = 0; c.vcpu < 2; c.vcpu++, c.offset = 2048) {
		if (evc_init_control(&bench_domain, &c))
			bench_die("init_control");
	}
	for (i = 0; i < PAGES; i++) {
		if (evc_expand_array(&bench_domain, i))
			bench_die("expand_array");
	}
}

void bench_start(bool with_fifo)
{
	struct evc_domain_config c = {
		.machine = &machine,
		.domid = 1,
		.width = EVC_WIDTH_64,
		.shared_info = &shared,
		.vcpu = vcpu,
		.nr_vcpus = 2,
		.bucket = bucket,
		.nr_buckets = BENCH_BUCKETS,
		.map = map,
		.max_port = EVC_NO_LIMIT,
		.fifo = &fifo,
		.fifo_vcpu = fifo_vcpu,
	};
	uint32_t i;

	for (i = 0; i < BENCH_BUCKETS; i++)
		bucket[i] = channels[i];
	evc_machine_init(&machine, false, NULL);
	if (evc_domain_init(&bench_domain, &c))
		bench_die("setting up");
	if (with_fifo)
		go_fifo();
}

/* --- the guest's half -------------------------------------------------------- */

static bool is_fifo(void)
{
	return fifo.nr_pages != 0;
}

void bench_forget(evtchn_port_t port)
{
	struct evtchn_fifo_control_block *control = (void *)frame[PAGES];

	if (is_fifo()) {
		frame[0][port] = 0;
		control->ready = 0;
	} else {
		shared.evtchn_pending[0] = 0;
		shared.vcpu_info[0].evtchn_pending_sel = 0;
	}
	shared.vcpu_info[0].evtchn_upcall_pending = 0;
}

void bench_take(evtchn_port_t port)
{
	uint64_t *word = &shared.evtchn_pending[port / 64];

	if (is_fifo())
		__atomic_store_n(&frame[port / EVC_FIFO_PAGE_PORTS]
				       [port % EVC_FIFO_PAGE_PORTS],
				 0, __ATOMIC_RELAXED);
	else
		__atomic_store_n(word, 0, __ATOMIC_RELAXED);
}

void bench_set_mask(evtchn_port_t port, bool on)
{
	uint32_t bit = 1u << EVTCHN_FIFO_MASKED;

	if (!is_fifo())
		shared.evtchn_mask[0] = on ? ~0ull : 0;
	else if (on)
		frame[0][port] |= bit;
	else
		frame[0][port] &= ~bit;
}

/* --- hooks: those of hosts/template, but for the pages of FIFO --------------- */

void *__wrap_evc_host_map_frame(struct evc_domain *d, uint64_t gfn);

void *__wrap_evc_host_map_frame(struct evc_domain *d, uint64_t gfn)
{
	(void)d;
	return gfn <= PAGES ? frame[gfn] : NULL;
}
