/* SPDX-License-Identifier: MIT */
/*
 * One process notifies another: event channels of the process host beside what
 * one would use instead, in one run.
 *
 *   notify   cost of one notification at the sender while the receiver is
 *            awake and does nothing but take whatever comes
 *   busy     the same while it computes for WORK_NS between two looks.  Only
 *            beside what holds any number of notifications: a queue would be
 *            full, and its sender wait for the receiver
 *   spin     round trip, both sides looking all the time
 *   sleep    round trip, both sides asleep in the kernel between
 *
 * Every row is measured RUNS times, alternating with its reference row, so
 * that what disturbs one disturbs the other; printed are the medians, and the
 * median of the ratios pair by pair.
 *
 * Needs a broker: run it under `evtchn run`, as bench/run.sh does.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/transports.h"

#define RUNS	11
#define WORK_NS 20000

/* One line: @t beside @ours, and how many times ours fits into it. */
static void row(const char *what, const struct transport *t, bool oneway,
		unsigned int n)
{
	double theirs[RUNS], ours[RUNS], ratio[RUNS];
	int i;

	for (i = 0; i < RUNS; i++) {
		ours[i] = bench_measure(&bench_evtchn, oneway, n);
		theirs[i] = bench_measure(t, oneway, n);
		ratio[i] = theirs[i] / ours[i];
	}
	printf("%-8s %-14s %10.0f ns   evtchn %8.0f ns   %s / evtchn = %.2f\n",
	       what, t->name, bench_median(theirs, RUNS),
	       bench_median(ours, RUNS), t->name, bench_median(ratio, RUNS));
	fflush(stdout);
}

#define NR_OTHERS (sizeof(others) / sizeof(others[0]))

int main(void)
{
	static const struct transport *const others[] = {
		&bench_eventfd, &bench_futex, &bench_pipe, &bench_dgram,
		&bench_mq};
	unsigned int i;

	if (!getenv("EVTCHN_SOCKET")) {
		fprintf(stderr, "bench: no broker: use make bench\n");
		return 2;
	}
	bench_share();

	bench_spin_ns = 1000000000;
	for (i = 0; i < NR_OTHERS; i++)
		row("notify", others[i], true, 20000);
	bench_work_ns = WORK_NS;
	row("busy", &bench_eventfd, true, 20000);
	row("busy", &bench_futex, true, 20000);
	bench_work_ns = 0;
	row("spin", &bench_words, false, 20000);
	bench_spin_ns = 0;
	for (i = 0; i < NR_OTHERS; i++)
		row("sleep", others[i], false, 5000);
	return 0;
}
