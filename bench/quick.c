/* SPDX-License-Identifier: MIT */
/*
 * evtchn-bench: event channels beside eventfd, in a few seconds; `evtchn bench`
 * runs it with a broker of its own.  notify.c has more to compare with, and
 * takes longer.
 *
 * Both of a pair of runs follow each other, so that what disturbs one disturbs
 * the other.  A row ends after RUNS pairs, or when its time is over.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/transports.h"

#define RUNS	 9
#define MIN_RUNS 3
#define ROW_NS	 0.8e9

struct row {
	const char *what;
	const char *key;
	const struct transport *other;
	bool oneway;
	unsigned int n;
	int64_t spin_ns;
	bool parallel; /* says nothing with one processor */
	/* Measured: */
	unsigned int runs; /* 0: it was not */
	double ours, theirs, ratio;
};

static struct row rows[] = {
	{.what = "notify, the receiver awake",
	 .key = "notify",
	 .other = &bench_eventfd,
	 .oneway = true,
	 .n = 20000,
	 .spin_ns = 1000000000},
	{.what = "round trip, both looking",
	 .key = "looking",
	 .other = &bench_eventfd_looking,
	 .n = 500,
	 .spin_ns = 1000000000,
	 .parallel = true},
	{.what = "round trip, both sleeping",
	 .key = "sleeping",
	 .other = &bench_eventfd,
	 .n = 2000},
};

#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

static int nr_cpus(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : CPU_COUNT(&cpus);
}

/* --- measuring ---------------------------------------------------------------------- */

static void show_progress(const struct row *r, unsigned int run)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%s: %u of %u\033[K", r->what, run + 1, RUNS);
}

static void hide_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

static void measure_row(struct row *r)
{
	double ours[RUNS], theirs[RUNS], ratio[RUNS], start = bench_now();
	unsigned int i;

	bench_spin_ns = r->spin_ns;
	for (i = 0; i < RUNS; i++) {
		if (i >= MIN_RUNS && bench_now() - start > ROW_NS)
			break;
		show_progress(r, i);
		ours[i] = bench_measure(&bench_evtchn, r->oneway, r->n);
		theirs[i] = bench_measure(r->other, r->oneway, r->n);
		ratio[i] = theirs[i] / ours[i];
	}
	hide_progress();
	r->runs = i;
	r->ours = bench_median(ours, i);
	r->theirs = bench_median(theirs, i);
	r->ratio = bench_median(ratio, i);
}

/* --- printing ----------------------------------------------------------------------- */

static void print_table(void)
{
	unsigned int i;

	printf("%-28s %10s %10s  %s\n", "ns, medians of paired runs", "evtchn",
	       "eventfd", "eventfd / evtchn");
	for (i = 0; i < NR_ROWS; i++) {
		const struct row *r = &rows[i];

		if (r->runs)
			printf("%-28s %10.0f %10.0f  %.2f\n", r->what, r->ours,
			       r->theirs, r->ratio);
		else
			printf("%-28s needs two processors\n", r->what);
	}
}

static void print_json(void)
{
	const char *comma = "";
	unsigned int i;

	printf("{\"processors\": %d, \"rows\": [", nr_cpus());
	for (i = 0; i < NR_ROWS; i++) {
		const struct row *r = &rows[i];

		if (!r->runs)
			continue;
		printf("%s{\"what\": \"%s\", \"runs\": %u, \"evtchn_ns\": "
		       "%.1f, "
		       "\"eventfd_ns\": %.1f, \"ratio\": %.3f}",
		       comma, r->key, r->runs, r->ours, r->theirs, r->ratio);
		comma = ", ";
	}
	puts("]}");
}

int main(int argc, char **argv)
{
	bool json = argc == 2 && !strcmp(argv[1], "--json");
	unsigned int i;

	if ((argc > 1 && !json) || !getenv("EVTCHN_SOCKET")) {
		fprintf(stderr, "evtchn-bench: say 'evtchn bench [--json]'\n");
		return 2;
	}
	bench_share();
	for (i = 0; i < NR_ROWS; i++) {
		if (!rows[i].parallel || nr_cpus() > 1)
			measure_row(&rows[i]);
	}
	if (json)
		print_json();
	else
		print_table();
	return fflush(stdout) || ferror(stdout);
}
