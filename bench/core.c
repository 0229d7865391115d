/* SPDX-License-Identifier: MIT */
/*
 * What the core's operations cost, called directly, on the hooks of
 * hosts/template (a kick that does nothing): one domain connected to itself.
 *
 * bench/core CASE N runs one case N times and nothing else that matters, so
 * that an instruction counter can be put around it; without arguments it
 * prints nanoseconds per operation for every case, the median of 21 runs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <evc/evc.h>

#define NR_BUCKETS 64
#define RUNS	   21

static struct evc_machine machine;
static struct evc_domain domain;
static struct evc_vcpu vcpu[1];
static struct evc_channel channels[NR_BUCKETS][EVC_BUCKET_PORTS];
static struct evc_channel *bucket[NR_BUCKETS];
static uint64_t map[EVC_MAP_WORDS(NR_BUCKETS)];
static _Alignas(4096) struct shared_info shared;
static evtchn_port_t from, to;

static void die(const char *what)
{
	fprintf(stderr, "bench: %s failed\n", what);
	exit(1);
}

static void start(void)
{
	struct evc_domain_config c = {
		.machine = &machine,
		.domid = 1,
		.width = EVC_WIDTH_64,
		.shared_info = &shared,
		.vcpu = vcpu,
		.nr_vcpus = 1,
		.bucket = bucket,
		.nr_buckets = NR_BUCKETS,
		.map = map,
		.max_port = EVC_NO_LIMIT,
	};
	uint32_t i;

	for (i = 0; i < NR_BUCKETS; i++)
		bucket[i] = channels[i];
	evc_machine_init(&machine, false, NULL);
	if (evc_domain_init(&domain, &c) ||
	    evc_alloc_unbound(&domain, DOMID_SELF, DOMID_SELF, &to) ||
	    evc_bind_interdomain(&domain, DOMID_SELF, to, &from))
		die("setting up");
}

/* --- cases ------------------------------------------------------------------ */

static void forget(void)
{
	shared.evtchn_pending[0] = 0;
	shared.vcpu_info[0].evtchn_pending_sel = 0;
	shared.vcpu_info[0].evtchn_upcall_pending = 0;
}

static void set_masked(void)
{
	forget();
	shared.evtchn_mask[0] = ~0ull;
}

static void set_pending(void)
{
	shared.evtchn_mask[0] = 0;
	shared.evtchn_pending[0] = ~0ull;
}

static void set_fresh(void)
{
	forget();
	shared.evtchn_mask[0] = 0;
}

static void do_send(void)
{
	evc_send(&domain, from);
}

static void do_bind_close(void)
{
	evtchn_port_t port = 0;

	evc_bind_ipi(&domain, 0, &port);
	evc_close(&domain, port);
}

static const struct bench_case {
	const char *name;
	void (*before)(void); /* before each operation, not counted */
	void (*op)(void);
} cases[] = {
	{"send-pending", set_pending, do_send},
	{"send-masked", set_masked, do_send},
	{"send-fresh", set_fresh, do_send},
	{"bind-close", set_fresh, do_bind_close},
};

#define NR_CASES (sizeof(cases) / sizeof(cases[0]))

/* --- measuring ---------------------------------------------------------------- */

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void nothing(void)
{
}

/* Nanoseconds for @n rounds of before and op. */
static double timed(void (*before)(void), void (*op)(void), unsigned int n)
{
	uint64_t start_ns = now();
	unsigned int i;

	for (i = 0; i < n; i++) {
		before();
		op();
	}
	return (double)(now() - start_ns);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The preparation is timed alone in the same run and taken off. */
static double median_ns(const struct bench_case *c)
{
	const unsigned int n = 200000;
	double run[RUNS];
	int i;

	for (i = 0; i < RUNS; i++)
		run[i] = (timed(c->before, c->op, n) -
			  timed(c->before, nothing, n)) /
			 n;
	qsort(run, RUNS, sizeof(run[0]), compare);
	return run[RUNS / 2];
}

int main(int argc, char **argv)
{
	unsigned int i, k;

	start();
	for (i = 0; i < NR_CASES; i++) {
		if (argc == 3 && !strcmp(argv[1], cases[i].name)) {
			for (k = 0; k < strtoul(argv[2], NULL, 10); k++) {
				cases[i].before();
				cases[i].op();
			}
			return 0;
		}
		if (argc == 1)
			printf("%s %.1f\n", cases[i].name,
			       median_ns(&cases[i]));
	}
	if (argc != 1) {
		fprintf(stderr, "usage: core [CASE N]\n");
		return 2;
	}
	return 0;
}
