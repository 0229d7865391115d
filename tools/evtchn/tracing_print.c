/* SPDX-License-Identifier: MIT */
/*
 * The "Trace Event Format" of Chrome, which Perfetto reads: a process is a
 * domain, a thread a vCPU of an attachment.  Times are microseconds from the
 * first event on.
 */
#include <inttypes.h>
#include <stdio.h>

#include <abi/event_channel.h>
#include <abi/xen.h>

#include "hosts/process/proto.h"
#include "json.h"
#include "tracing.h"

static const char *const names[EVP_TRACE_KINDS] = {
	[EVP_TRACE_SEND] = "send",
	[EVP_TRACE_SEND_MERGED] = "send, merged",
	[EVP_TRACE_SEND_SET] = "send",
	[EVP_TRACE_SEND_RANG] = "send and ring",
	[EVP_TRACE_SEND_LOCAL] = "send to itself",
	[EVP_TRACE_SEND_BROKER] = "send by broker",
	[EVP_TRACE_TAKE] = "event",
	[EVP_TRACE_TAKE_LOCAL] = "event",
	[EVP_TRACE_TAKE_BROKER] = "event from broker",
	[EVP_TRACE_UPCALL] = "upcall",
	[EVP_TRACE_SLEEP] = "sleep",
	[EVP_TRACE_ASK] = "hypercall",
};

static const char *const ops[] = {
	[EVTCHNOP_bind_interdomain] = "bind_interdomain",
	[EVTCHNOP_bind_virq] = "bind_virq",
	[EVTCHNOP_bind_pirq] = "bind_pirq",
	[EVTCHNOP_close] = "close",
	[EVTCHNOP_send] = "send",
	[EVTCHNOP_status] = "status",
	[EVTCHNOP_alloc_unbound] = "alloc_unbound",
	[EVTCHNOP_bind_ipi] = "bind_ipi",
	[EVTCHNOP_bind_vcpu] = "bind_vcpu",
	[EVTCHNOP_unmask] = "unmask",
	[EVTCHNOP_reset] = "reset",
};

/* --- Parts of a line ------------------------------------------------------ */

static void begin_line(void)
{
	static bool comma;

	puts(comma ? "," : "");
	comma = true;
}

static void print_us(const char *key, uint64_t ns)
{
	printf(", \"%s\": %" PRIu64 ".%03u", key, ns / 1000,
	       (unsigned int)(ns % 1000));
}

/* A number for each vCPU of each attachment. */
static void print_track(const struct tracing *t, uint32_t file, uint8_t vcpu)
{
	printf(", \"pid\": %u, \"tid\": %u", t->file[file].domid,
	       file * TRACING_VCPUS + vcpu + 1);
}

/* --- Tracks --------------------------------------------------------------- */

static void print_process(const struct tracing *t, uint32_t file)
{
	const struct traced_file *f = &t->file[file];

	begin_line();
	printf("{\"ph\": \"M\", \"name\": \"process_name\", \"pid\": %u, "
	       "\"args\": {\"name\": \"domain %u\"}}",
	       f->domid, f->domid);
}

static void print_thread(const struct tracing *t, uint32_t file, uint8_t vcpu)
{
	const struct traced_file *f = &t->file[file];
	char name[EVP_TRACE_NAME_MAX + 48];

	if (vcpu == EVP_TRACE_NO_VCPU)
		snprintf(name, sizeof(name), "%s (%u) other threads",
			 f->program, f->pid);
	else
		snprintf(name, sizeof(name), "%s (%u) vCPU %u", f->program,
			 f->pid, vcpu);
	begin_line();
	printf("{\"ph\": \"M\", \"name\": \"thread_name\"");
	print_track(t, file, vcpu);
	printf(", \"args\": {\"name\": ");
	json_string(name, sizeof(name));
	printf("}}");
}

static void print_tracks(const struct tracing *t)
{
	for (uint32_t file = 0; file < t->nr_files; file++) {
		print_process(t, file);
		for (uint32_t v = 0; v < t->file[file].nr_vcpus; v++)
			print_thread(t, file, (uint8_t)v);
		print_thread(t, file, EVP_TRACE_NO_VCPU);
	}
}

/* --- Events --------------------------------------------------------------- */

static void print_question(const struct traced_event *e)
{
	uint32_t nr = (uint32_t)(e->link >> 32), cmd = (uint32_t)e->link;

	if (e->port != EVP_HYPERCALL) {
		printf("\"question\": %u", e->port);
		return;
	}
	printf("\"nr\": %u, \"cmd\": %u", nr, cmd);
	if (nr == __HYPERVISOR_event_channel_op &&
	    cmd < sizeof(ops) / sizeof(ops[0]) && ops[cmd])
		printf(", \"op\": \"%s\"", ops[cmd]);
}

static void print_args(const struct traced_event *e)
{
	bool unfinished = e->ns_long == EVP_TRACE_UNFINISHED;

	printf(", \"args\": {");
	if (e->kind == EVP_TRACE_UPCALL || e->kind == EVP_TRACE_SLEEP) {
		printf("%s", unfinished ? "\"unfinished\": true}" : "}");
		return;
	}
	if (e->kind == EVP_TRACE_ASK)
		print_question(e);
	else
		printf("\"port\": %u", e->port);
	printf("%s}", unfinished ? ", \"unfinished\": true" : "");
}

/* What never ended lasts until the end of the trace. */
static uint64_t length_of(const struct traced_event *e, uint64_t last)
{
	return e->ns_long == EVP_TRACE_UNFINISHED ? last - e->ns : e->ns_long;
}

static void print_slice(const struct tracing *t, const struct traced_event *e,
			uint64_t zero, uint64_t last)
{
	begin_line();
	printf("{\"ph\": \"X\", \"cat\": \"evtchn\", \"name\": \"%s\"",
	       names[e->kind]);
	print_us("ts", e->ns - zero);
	print_us("dur", length_of(e, last));
	print_track(t, e->file, e->vcpu);
	print_args(e);
	printf("}");
}

static void print_flow_end(const struct tracing *t, const char *phase,
			   size_t id, const struct traced_event *where,
			   uint64_t ts)
{
	begin_line();
	printf("{\"ph\": %s, \"cat\": \"evtchn\", \"name\": \"event\", \"id\": "
	       "%zu",
	       phase, id);
	print_us("ts", ts);
	print_track(t, where->file, where->vcpu);
	printf("}");
}

/* An arrow is drawn from slice to slice: those that enclose its ends. */
static void print_flow(const struct tracing *t, size_t i, uint64_t zero)
{
	const struct traced_event *e = &t->event[i];
	const struct traced_event *from, *to;

	if (e->from == TRACING_NONE)
		return;
	from = &t->event[e->from];
	to = &t->event[e->to];
	print_flow_end(t, "\"s\"", i, from, from->ns - zero);
	print_flow_end(t, "\"f\", \"bp\": \"e\"", i, to,
		       (to->ns > e->ns ? to->ns : e->ns) - zero);
}

static uint64_t last_of(const struct tracing *t)
{
	uint64_t last = 0;

	for (size_t i = 0; i < t->nr_events; i++) {
		const struct traced_event *e = &t->event[i];
		uint64_t end = e->ns + length_of(e, e->ns);

		if (end > last)
			last = end;
	}

	return last;
}

static void print_sum(const struct tracing *t)
{
	uint64_t lost = 0, damaged = 0;

	for (size_t i = 0; i < t->nr_files; i++) {
		lost += t->file[i].lost;
		damaged += t->file[i].damaged;
	}
	printf("\n], \"displayTimeUnit\": \"ns\", \"otherData\": {\"lost\": "
	       "%" PRIu64 ", \"damaged\": %" PRIu64 "}}\n",
	       lost, damaged);
}

void tracing_print(const struct tracing *t)
{
	uint64_t zero = t->nr_events ? t->event[0].ns : 0, last = last_of(t);

	printf("{\"traceEvents\": [");
	print_tracks(t);
	for (size_t i = 0; i < t->nr_events; i++) {
		print_slice(t, &t->event[i], zero, last);
		print_flow(t, i, zero);
	}
	print_sum(t);
}
