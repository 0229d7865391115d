/* SPDX-License-Identifier: MIT */
/*
 * What the core's operations cost, called directly.
 *
 *   core CASE N   runs one case and prints nanoseconds per operation: N
 *                 rounds of it, or, for fill and reset, once for N ports.
 *
 * An instruction counter is put around the function that bench/run.sh names
 * (valgrind --tool=callgrind --toggle-collect=...), and divided by N.  What a
 * guest does between two events is done before each round and not counted.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/machine.h"

#define MAX_THREADS 2
/* Ports this far apart share no cache line of pending bits. */
#define APART 512

static evtchn_port_t from, to;

static void connect_to_self(evtchn_port_t *a, evtchn_port_t *b)
{
	if (evc_alloc_unbound(&bench_domain, DOMID_SELF, DOMID_SELF, b) ||
	    evc_bind_interdomain(&bench_domain, DOMID_SELF, *b, a))
		bench_die("connecting");
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- one operation, again and again ------------------------------------------ */

static void before_pending(void)
{
}

static void before_masked(void)
{
	bench_forget(to);
	bench_set_mask(to, true);
}

static void before_fresh(void)
{
	bench_forget(to);
}

static void do_send(void)
{
	(void)evc_send(&bench_domain, from);
}

__attribute__((noinline)) static void do_bind_close(void)
{
	evtchn_port_t port = 0;

	(void)evc_bind_ipi(&bench_domain, 0, &port);
	(void)evc_close(&bench_domain, port);
}

static void do_nothing(void)
{
}

static double timed(void (*before)(void), void (*op)(void), unsigned long n)
{
	uint64_t start = now();
	unsigned long i;

	for (i = 0; i < n; i++) {
		before();
		op();
	}
	return (double)(now() - start);
}

/* The preparation is timed alone and taken off. */
static double rounds(void (*before)(void), void (*op)(void), unsigned long n)
{
	connect_to_self(&from, &to);
	do_send();
	return (timed(before, op, n) - timed(before, do_nothing, n)) /
	       (double)n;
}

static double run_pending(unsigned long n)
{
	return rounds(before_pending, do_send, n);
}

static double run_masked(unsigned long n)
{
	return rounds(before_masked, do_send, n);
}

static double run_fresh(unsigned long n)
{
	return rounds(before_fresh, do_send, n);
}

static double run_bind_close(unsigned long n)
{
	return rounds(before_pending, do_bind_close, n);
}

/* --- many ports ---------------------------------------------------------------- */

__attribute__((noinline)) static void do_fill(unsigned long n)
{
	evtchn_port_t port;
	unsigned long i;

	for (i = 0; i < n; i++) {
		if (evc_alloc_unbound(&bench_domain, DOMID_SELF, 0, &port))
			bench_die("filling");
	}
}

static double run_fill(unsigned long n)
{
	uint64_t start = now();

	do_fill(n);
	return (double)(now() - start) / (double)n;
}

static double run_reset(unsigned long n)
{
	uint64_t start;

	do_fill(n);
	start = now();
	if (evc_reset(&bench_domain, DOMID_SELF, false))
		bench_die("reset");
	return (double)(now() - start) / (double)n;
}

/* --- threads: each on a channel of its own ----------------------------------- */

struct sender {
	pthread_t thread;
	evtchn_port_t port, peer;
	unsigned long n;
	bool fresh; /* the guest takes each event before the next is sent */
};

static void *send_many(void *arg)
{
	const struct sender *s = arg;
	unsigned long i;

	for (i = 0; i < s->n; i++) {
		(void)evc_send(&bench_domain, s->port);
		if (s->fresh)
			bench_take(s->peer);
	}
	return NULL;
}

/* Thread i notifies vCPU i, or all notify vCPU 0. */
static double run_threads(unsigned int nr, unsigned long n, bool fresh,
			  unsigned int nr_targets)
{
	struct sender s[MAX_THREADS];
	uint64_t start;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		s[i].n = n;
		s[i].fresh = fresh;
		connect_to_self(&s[i].port, &s[i].peer);
		if (evc_bind_vcpu(&bench_domain, s[i].peer, i % nr_targets))
			bench_die("bind_vcpu");
		do_fill(APART);
	}
	start = now();
	for (i = 0; i < nr; i++) {
		if (pthread_create(&s[i].thread, NULL, send_many, &s[i]))
			bench_die("pthread_create");
	}
	for (i = 0; i < nr; i++)
		pthread_join(s[i].thread, NULL);
	return (double)(now() - start) / (double)n / nr;
}

static double run_1_pending(unsigned long n)
{
	return run_threads(1, n, false, 1);
}

static double run_2_pending(unsigned long n)
{
	return run_threads(2, n, false, 2);
}

static double run_1_fresh(unsigned long n)
{
	return run_threads(1, n, true, 1);
}

static double run_2_fresh(unsigned long n)
{
	return run_threads(2, n, true, 2);
}

static double run_2_same(unsigned long n)
{
	return run_threads(2, n, true, 1);
}

/* --- which ------------------------------------------------------------------- */

static const struct bench_case {
	const char *name;
	double (*run)(unsigned long n);
} cases[] = {
	{"pending", run_pending},     {"masked", run_masked},
	{"fresh", run_fresh},	      {"bind-close", run_bind_close},
	{"fill", run_fill},	      {"reset", run_reset},
	{"1-pending", run_1_pending}, {"2-pending", run_2_pending},
	{"1-fresh", run_1_fresh},     {"2-fresh", run_2_fresh},
	{"1-same", run_1_fresh},      {"2-same", run_2_same},
};

#define NR_CASES (sizeof(cases) / sizeof(cases[0]))

int main(int argc, char **argv)
{
	bool fifo = argc == 4 && !strcmp(argv[1], "fifo");
	unsigned int i;

	for (i = 0; argc == 4 && i < NR_CASES; i++) {
		if (strcmp(argv[2], cases[i].name))
			continue;
		bench_start(fifo);
		printf("%.2f\n", cases[i].run(strtoul(argv[3], NULL, 10)));
		return 0;
	}
	fprintf(stderr, "usage: core 2l|fifo CASE N, CASE one of:");
	for (i = 0; i < NR_CASES; i++)
		fprintf(stderr, " %s", cases[i].name);
	fprintf(stderr, "\n");
	return 2;
}
