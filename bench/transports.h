/* SPDX-License-Identifier: MIT */
/* Ways for one process to wake another, and what they cost.  See transports.c. */
#ifndef BENCH_TRANSPORTS_H
#define BENCH_TRANSPORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Side 0 measures, side 1 serves. */
struct transport {
	const char *name;
	void (*open)(void);	  /* before the fork */
	void (*join)(int side);	  /* after it, in each process */
	void (*signal)(int side); /* wake the other side */
	void (*wait)(int side);	  /* until the other side signalled */
	void (*drain)(int side);  /* take what is there, do not wait */
	void (*leave)(int side);
};

/* Event channels look for so long before they sleep. */
extern int64_t bench_spin_ns;

/* Who takes one-way notifications computes for so long between two looks. */
extern int64_t bench_work_ns;

extern const struct transport bench_evtchn, bench_eventfd, bench_pipe,
	bench_dgram, bench_mq, bench_words, bench_futex;
/* Reading again and again, instead of sleeping. */
extern const struct transport bench_eventfd_looking;

/* errno, too; ends the process. */
void bench_fail(const char *what);

/* Zeroed memory, shared with children. */
void *bench_pages(size_t size);

/* Once, before anything is measured. */
void bench_share(void);

/* ns per notification, or per round trip; the other side is a child. */
double bench_measure(const struct transport *t, bool oneway, unsigned int n);

double bench_now(void); /* ns */

/* Sorts them. */
double bench_median(double *v, unsigned int nr);

#endif /* BENCH_TRANSPORTS_H */
