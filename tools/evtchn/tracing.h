/* SPDX-License-Identifier: MIT */
/*
 * Traces of attachments (hosts/process/trace.h), all of a directory: reading
 * them, finding which send an event is of, and printing.
 *
 *   tracing.c        the command
 *   tracing_read.c   files, of which nothing is believed
 *   tracing_pair.c   from the send to the upcall
 *   tracing_print.c  JSON
 */
#ifndef EVTCHN_TRACING_H
#define EVTCHN_TRACING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hosts/process/trace.h"

#define TRACING_MAX_FILES 1024
#define TRACING_VCPUS	  256 /* what fits into a record, NO_VCPU included */
#define TRACING_NONE	  SIZE_MAX

struct traced_file {
	uint32_t domid, pid, nr_vcpus;
	char program[EVP_TRACE_NAME_MAX];
	uint64_t lost;	  /* records that were overwritten */
	uint64_t damaged; /* half written, or of no kind */
	uint64_t whole;	  /* ns: from here on nothing was overwritten */
};

struct traced_event {
	uint64_t ns, ns_long;
	uint64_t link;
	size_t from; /* of an event taken: its send, or TRACING_NONE */
	size_t to;   /* and what handles it; perhaps itself */
	uint32_t file;
	uint32_t port;
	uint8_t kind;
	uint8_t vcpu;
};

struct tracing {
	struct traced_file *file;
	struct traced_event *event; /* by time */
	size_t nr_files, nr_events;
};

/* False, with a message printed: @dir has no traces, or a bad one. */
bool tracing_read(const char *command, const char *dir, struct tracing *t);
void tracing_free(struct tracing *t);

/* Fill in @from and @to.  False: no memory, and that is said. */
bool tracing_pair(const char *command, struct tracing *t);

/* On stdout. */
void tracing_print(const struct tracing *t);

static inline bool tracing_is_send(const struct traced_event *e)
{
	return e->kind >= EVP_TRACE_SEND && e->kind <= EVP_TRACE_SEND_BROKER;
}

#endif /* EVTCHN_TRACING_H */
