/* SPDX-License-Identifier: MIT */
/* What all ports have counted, at one moment: for stat and top. */
#ifndef EVTCHN_SAMPLE_H
#define EVTCHN_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "listing.h"

struct sums {
	uint64_t sent;	 /* all sends */
	uint64_t merged; /* of these, with one that was not taken yet */
	uint64_t rang;	 /* of these, that woke the receiver */
	uint64_t events; /* times a port became pending */
	/* Not of a port: */
	uint64_t hypercalls, upcalls, sleeps, storms;
};

struct sample {
	struct listing l;
	struct sums *domain; /* of l.domain[i] */
	struct sums *port;   /* of l.port[i] */
	int64_t ns;	     /* when, CLOCK_MONOTONIC */
	/* What these are: totals, or what happened since an earlier sample. */
	int64_t interval_ns; /* 0: totals */
};

/*
 * Ask the broker on @socket.  False, with a message printed: it failed.
 * sample_free() in any case.
 */
bool sample_take(const char *command, const char *socket, struct sample *s);
void sample_free(struct sample *s);

/*
 * What happened since @last, which is replaced by a new sample; what is new
 * began with 0.  Shares the listing of *@last: free only what
 * sample_free_sums() frees.  False, with a message printed: it failed, there is
 * nothing to free but *@last.
 */
bool sample_step(const char *command, const char *socket, struct sample *last,
		 struct sample *difference);
void sample_free_sums(struct sample *difference);

/* A table of at most @max lines, the busiest ports (@sorted) or all. */
void sample_print_table(const struct sample *s, bool colour, bool sorted,
			size_t max);
void sample_print_json(const struct sample *s);

#endif /* EVTCHN_SAMPLE_H */
