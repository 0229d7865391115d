/* SPDX-License-Identifier: MIT */
/*
 * What collecting costs a guest: evg_upcall() with so many events waiting, on
 * hooks that do nothing, with a handler that counts.  The words are written as
 * the hypervisor would write them; that is not measured.
 *
 * bench/collect CASE N runs one case N times and nothing else that matters, so
 * that an instruction counter can be put around evg_upcall(); without arguments
 * it prints, for every case, its name, the events of one upcall, and
 * nanoseconds per event, the median of 21 runs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <evg/fifo.h>

#define NR_PORTS EVTCHN_FIFO_NR_CHANNELS
#define NR_PAGES EVG_FIFO_MAX_PAGES
#define PRIORITY EVTCHN_FIFO_PRIORITY_DEFAULT
#define RUNS	 21
#define EVENTS	 1000000u /* about so many in each run */

static struct evg_guest guest;
static struct evg_vcpu vcpu[1];
static struct evg_port ports[NR_PORTS];
static struct evg_fifo fifo;
static struct evg_lent lent_control, lent_page[NR_PAGES];
static _Alignas(4096) struct shared_info shared;
static _Alignas(4096) uint32_t words[NR_PORTS];
static _Alignas(64) struct evtchn_fifo_control_block control;
static uint64_t nr_handled;

static void die(const char *what)
{
	fprintf(stderr, "bench: %s failed\n", what);
	exit(1);
}

/* --- platform ------------------------------------------------------------ */

int evg_plat_hypercall(struct evg_guest *g, unsigned int nr, unsigned int cmd,
		       void *arg)
{
	(void)g, (void)nr, (void)cmd, (void)arg;
	return 0;
}

struct evg_vcpu *evg_plat_this_vcpu(struct evg_guest *g)
{
	return &g->vcpu[0];
}

struct evg_guest *evg_plat_this_guest(void)
{
	return &guest;
}

unsigned long evg_plat_upcalls_save(struct evg_guest *g)
{
	(void)g;
	return 0;
}

void evg_plat_upcalls_restore(struct evg_guest *g, unsigned long saved)
{
	(void)g, (void)saved;
}

void evg_plat_relax(void)
{
}

/* --- the guest ----------------------------------------------------------- */

static void handle(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)v, (void)port, (void)ctx;
	nr_handled++;
}

static void lend(void)
{
	uint32_t i;

	lent_control.mem = &control;
	for (i = 0; i < NR_PAGES; i++)
		lent_page[i].mem = &words[i * EVG_FIFO_PAGE_PORTS];
	fifo.control = &lent_control;
	fifo.page = lent_page;
	fifo.nr_pages = NR_PAGES;
}

static void start(bool use_fifo)
{
	struct evg_config c = {
		.shared_info = &shared,
		.port = ports,
		.nr_ports = NR_PORTS,
		.vcpu = vcpu,
		.nr_vcpus = 1,
		.fifo = &fifo,
	};
	evtchn_port_t port;

	lend();
	if (evg_init(&guest, &c) || (use_fifo && evg_fifo_start(&guest)))
		die("starting");
	for (port = 1; port < guest.nr_ports; port++) {
		if (evg_bind_handler(&guest, port, EVG_VCPU_KEEP, handle, NULL))
			die("binding");
	}
}

/* --- the hypervisor ------------------------------------------------------ */

/* Ports 1 to @n. */
static void post_2l(uint32_t n)
{
	uint32_t word, last = n / 64;

	for (word = 0; word <= last; word++) {
		shared.evtchn_pending[word] = UINT64_MAX;
		shared.vcpu_info[0].evtchn_pending_sel |= UINT64_C(1) << word;
	}
	shared.evtchn_pending[0] &= ~UINT64_C(1);
	if (n % 64 != 63)
		shared.evtchn_pending[last] &=
			(UINT64_C(1) << (n % 64 + 1)) - 1;
	shared.vcpu_info[0].evtchn_upcall_pending = 1;
}

static void post_fifo(uint32_t n)
{
	const uint32_t linked = UINT32_C(1) << EVTCHN_FIFO_PENDING |
				UINT32_C(1) << EVTCHN_FIFO_LINKED;
	uint32_t port;

	for (port = 1; port < n; port++)
		words[port] = linked | (port + 1);
	words[n] = linked;
	control.head[PRIORITY] = 1;
	control.ready = UINT32_C(1) << PRIORITY;
	shared.vcpu_info[0].evtchn_upcall_pending = 1;
}

static const struct bench_case {
	const char *name;
	bool fifo;
	uint32_t events;
} cases[] = {
	{"2l-1", false, 1},
	{"2l-64", false, 64},
	{"2l-4095", false, EVTCHN_2L_NR_CHANNELS_64 - 1},
	{"fifo-1", true, 1},
	{"fifo-64", true, 64},
	{"fifo-4096", true, 4096},
	{"fifo-131071", true, NR_PORTS - 1},
};

#define NR_CASES (sizeof(cases) / sizeof(cases[0]))

/* --- measuring ----------------------------------------------------------- */

static void run(const struct bench_case *c, uint32_t rounds, bool collect)
{
	uint64_t before = nr_handled;
	uint32_t i;

	for (i = 0; i < rounds; i++) {
		if (c->fifo)
			post_fifo(c->events);
		else
			post_2l(c->events);
		if (collect)
			(void)evg_upcall(&vcpu[0]);
	}
	if (collect && nr_handled - before != (uint64_t)rounds * c->events)
		die("collecting");
}

static double timed(const struct bench_case *c, uint32_t rounds, bool collect)
{
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	run(c, rounds, collect);
	clock_gettime(CLOCK_MONOTONIC, &to);
	return (double)(to.tv_sec - from.tv_sec) * 1e9 +
	       (double)(to.tv_nsec - from.tv_nsec);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The writing of the words is timed alone in the same run and taken off. */
static double median_ns(const struct bench_case *c)
{
	uint32_t rounds = EVENTS / c->events, i;
	double ns[RUNS];

	for (i = 0; i < RUNS; i++) {
		ns[i] = timed(c, rounds, true) - timed(c, rounds, false);
		ns[i] /= (double)rounds * c->events;
		run(c, 1, true); /* nothing of what was only written is left */
	}
	qsort(ns, RUNS, sizeof(ns[0]), compare);
	return ns[RUNS / 2];
}

int main(int argc, char **argv)
{
	bool known = argc == 1;
	unsigned int i;

	for (i = 0; i < NR_CASES; i++) {
		if (argc == 3 && !strcmp(argv[1], cases[i].name)) {
			start(cases[i].fifo);
			run(&cases[i], (uint32_t)strtoul(argv[2], NULL, 10),
			    true);
			known = true;
		} else if (argc == 1) {
			start(cases[i].fifo);
			printf("%s %u %.1f\n", cases[i].name, cases[i].events,
			       median_ns(&cases[i]));
		}
	}
	if (!known) {
		fprintf(stderr, "usage: collect [CASE N]\n");
		return 2;
	}
	return 0;
}
