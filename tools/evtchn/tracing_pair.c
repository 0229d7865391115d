/* SPDX-License-Identifier: MIT */
/*
 * Which send is an event of, and which upcall handles it?
 *
 * In a lane a connection has one bit in each direction.  A send that sets it is
 * followed by one taking, then by the next send that sets it: so the first is
 * taken first, the second second, whatever the clocks of two processors say in
 * between.  A send that found the bit set has no taking of its own.  Of a ring
 * that has lost its oldest records, and of its connections' other ends, only
 * what came later is paired; a taking whose send was lost is then earlier than
 * any that is left, and stays alone.
 *
 * What was taken is handled by the upcall its vCPU is in, or by the next one.
 * What no upcall comes for (a masked port, a program that polls) is handled
 * where it is taken.
 */
#include <stdlib.h>

#include "cli.h"
#include "tracing.h"

static bool is_local(const struct traced_event *e)
{
	return e->kind == EVP_TRACE_SEND_LOCAL ||
	       e->kind == EVP_TRACE_TAKE_LOCAL;
}

/* Is there another one that belongs to it? */
static bool is_sent(const struct traced_event *e)
{
	return e->kind == EVP_TRACE_SEND_SET ||
	       e->kind == EVP_TRACE_SEND_RANG ||
	       e->kind == EVP_TRACE_SEND_LOCAL;
}

static bool is_taken(const struct traced_event *e)
{
	return e->kind == EVP_TRACE_TAKE || e->kind == EVP_TRACE_TAKE_LOCAL;
}

/* --- By connection -------------------------------------------------------- */

/* One that is sent or taken, by connection and then by time. */
struct end {
	uint64_t link;
	size_t event;
	uint32_t local; /* 0, or the file with both ends, from 1 */
};

static int compare(const void *a, const void *b)
{
	const struct end *x = a, *y = b;

	if (x->local != y->local)
		return x->local < y->local ? -1 : 1;
	if (x->link != y->link)
		return x->link < y->link ? -1 : 1;

	return (x->event > y->event) - (x->event < y->event);
}

static bool is_same(const struct end *a, const struct end *b)
{
	return a->local == b->local && a->link == b->link;
}

/* Which end of the connection: of local ones, all is sent by one and taken by
 * the other. */
static unsigned int side_of(const struct tracing *t, const struct end *all,
			    const struct end *e)
{
	const struct traced_event *x = &t->event[e->event];

	if (e->local)
		return is_taken(x);

	return x->file != t->event[all->event].file;
}

static uint64_t whole_from(const struct tracing *t, const struct end *e,
			   size_t nr)
{
	uint64_t from = 0;

	for (; nr; nr--, e++) {
		const struct traced_file *f = &t->file[t->event[e->event].file];

		if (f->whole > from)
			from = f->whole;
	}

	return from;
}

/* The next one that @side sent, at or after @at and before @end. */
static size_t next_sent(const struct tracing *t, const struct end *e, size_t at,
			size_t end, unsigned int side, uint64_t from)
{
	while (at < end && (!is_sent(&t->event[e[at].event]) ||
			    t->event[e[at].event].ns < from ||
			    side_of(t, e, &e[at]) != side))
		at++;

	return at;
}

static void pair_connection(struct tracing *t, const struct end *e, size_t nr)
{
	uint64_t from = whole_from(t, e, nr);
	size_t next[2] = {0, 0}; /* sent by each side, not taken yet */

	for (size_t i = 0; i < nr; i++) {
		struct traced_event *x = &t->event[e[i].event];
		unsigned int sender;

		if (!is_taken(x) || x->ns < from)
			continue;
		sender = !side_of(t, e, &e[i]);
		next[sender] = next_sent(t, e, next[sender], i, sender, from);
		if (next[sender] < i)
			x->from = e[next[sender]++].event;
	}
}

static size_t collect_ends(const struct tracing *t, struct end *e)
{
	size_t nr = 0;

	for (size_t i = 0; i < t->nr_events; i++) {
		const struct traced_event *x = &t->event[i];

		if (is_sent(x) || is_taken(x))
			e[nr++] = (struct end){
				.link = x->link,
				.event = i,
				.local = is_local(x) ? x->file + 1 : 0};
	}

	return nr;
}

static void pair_all(struct tracing *t, struct end *e)
{
	size_t nr = collect_ends(t, e), first = 0;

	if (nr)
		qsort(e, nr, sizeof(*e), compare);
	for (size_t i = 1; i <= nr; i++) {
		if (i < nr && is_same(&e[first], &e[i]))
			continue;
		pair_connection(t, &e[first], i - first);
		first = i;
	}
}

/* --- Upcalls -------------------------------------------------------------- */

static size_t *track_of(const struct traced_event *e, size_t *tracks)
{
	return &tracks[(size_t)e->file * TRACING_VCPUS + e->vcpu];
}

/* @now: the upcall each vCPU was in last. */
static void find_running(struct tracing *t, size_t *now)
{
	for (size_t i = 0; i < t->nr_events; i++) {
		struct traced_event *e = &t->event[i];
		size_t at = *track_of(e, now);

		if (e->kind == EVP_TRACE_UPCALL)
			*track_of(e, now) = i;
		else if (is_taken(e) && at != TRACING_NONE &&
			 e->ns - t->event[at].ns <= t->event[at].ns_long)
			e->to = at;
	}
}

/* @next: the one each vCPU takes next. */
static void find_next(struct tracing *t, size_t *next)
{
	for (size_t i = t->nr_events; i--;) {
		struct traced_event *e = &t->event[i];
		size_t at = *track_of(e, next);

		if (e->kind == EVP_TRACE_UPCALL)
			*track_of(e, next) = i;
		else if (is_taken(e) && e->to == TRACING_NONE)
			e->to = at != TRACING_NONE ? at : i;
	}
}

static void clear(size_t *tracks, size_t nr)
{
	while (nr--)
		tracks[nr] = TRACING_NONE;
}

bool tracing_pair(const char *command, struct tracing *t)
{
	size_t nr = t->nr_files * TRACING_VCPUS;
	struct end *ends = calloc(t->nr_events + 1, sizeof(*ends));
	size_t *tracks = calloc(nr, sizeof(*tracks));
	bool ok = ends && tracks;

	if (ok) {
		pair_all(t, ends);
		clear(tracks, nr);
		find_running(t, tracks);
		clear(tracks, nr);
		find_next(t, tracks);
	} else {
		cli_error(command, "no memory for so many records");
	}
	free(ends);
	free(tracks);

	return ok;
}
