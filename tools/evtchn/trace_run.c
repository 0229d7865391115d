/* SPDX-License-Identifier: MIT */
/*
 * One recording, line by line.
 *
 * An op or ctl line opens a step: it is carried out and its result compared.
 * "~" lines that follow say what it changed in shared memory.  The next line
 * of any other kind closes the step: memory is compared, and a poll that ended
 * must be one the recording says has ended.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

#define SHOWN 100 /* characters of a result that differs */

/* --- what is found --------------------------------------------------------- */

int replay_fail(struct replay *r, const char *format, ...)
{
	va_list args;

	if (r->error_line)
		return -EINVAL;
	va_start(args, format);
	vsnprintf(r->error, sizeof(r->error), format, args);
	va_end(args);
	r->error_line = r->line;
	return -EINVAL;
}

void replay_differs(struct replay *r, size_t line, const char *expected,
		    const char *got)
{
	struct difference *d;

	if (r->nr_diffs == r->max_diffs)
		return;
	d = &r->diff[r->nr_diffs++];
	d->line = line;
	snprintf(d->expected, sizeof(d->expected), "%s", expected);
	snprintf(d->got, sizeof(d->got), "%s", got);
}

/* Long lists are shown from the first field that differs. */
void replay_check(struct replay *r, struct field expected, const char *got)
{
	struct field e = expected, g = {got, strlen(got)}, fe, fg, re, rg;
	char text[2][SHOWN + 1];

	if (field_is(expected, got))
		return;
	do {
		re = e;
		rg = g;
		field_next(&e, &fe);
		field_next(&g, &fg);
	} while (fe.len && fe.len == fg.len && !memcmp(fe.s, fg.s, fe.len));
	if (expected.len <= SHOWN && strlen(got) <= SHOWN) {
		re = expected;
		rg = (struct field){got, strlen(got)};
	}
	snprintf(text[0], sizeof(text[0]), "%.*s", (int)re.len, re.s);
	snprintf(text[1], sizeof(text[1]), "%.*s", (int)rg.len, rg.s);
	replay_differs(r, r->line, re.len ? text[0] : "(nothing)",
		       rg.len ? text[1] : "(nothing)");
}

/* --- steps ----------------------------------------------------------------- */

/* Is its poll over, as far as the machine is concerned? */
static bool has_woken(const struct replay_domain *d)
{
	return d->sim->vcpu[0].state != SIM_POLLING;
}

static void leave_fifo(struct replay_domain *d)
{
	d->fifo = false;
	d->nr_array = 0;
	memset(d->control, 0, sizeof(d->control));
}

static void close_step(struct replay *r)
{
	if (r->step_line)
		memory_compare(r);
	if (r->was_reset)
		leave_fifo(r->was_reset);
	r->was_reset = NULL;
	r->step_line = 0;
}

/* A poll that ended, and no "woken" line followed. */
static void check_sleepers(struct replay *r, size_t line)
{
	unsigned int i;

	for (i = 0; i < MAX_DOMAINS; i++) {
		struct replay_domain *d = &r->domain[i];

		if (!d->polling || !has_woken(d))
			continue;
		replay_differs(r, line, "the poll goes on", "it ended");
		d->polling = false;
	}
}

/* --- op -------------------------------------------------------------------- */

/*
 * A reset that succeeded ends FIFO mode, but not yet: the "~" line that may
 * follow still names the old pages.
 */
static void note_reset(struct replay *r, struct replay_domain *actor,
		       const struct call *c)
{
	struct evtchn_reset reset;

	memcpy(&reset, c->before, sizeof(reset));
	if (reset.dom == DOMID_SELF)
		r->was_reset = actor;
	else if (reset.dom < MAX_DOMAINS)
		r->was_reset = &r->domain[reset.dom];
}

static bool is_reset(const struct call *c)
{
	return c->spec &&
	       (c->cmd == EVTCHNOP_reset || c->cmd == EVTCHNOP_reset_cont);
}

static int op_line(struct replay *r, struct field rest)
{
	struct field left, expected, name;
	struct replay_domain *d;
	char text[MAX_TEXT];
	struct call c;

	if (!field_arrow(rest, &left, &expected))
		return replay_fail(r, "an op line needs ' -> ' and a result");
	if (!field_next(&left, &name) || world_alive(r, name, &d) ||
	    ops_prepare(r, d, left, &c))
		return replay_fail(r, "an op line needs a domain");
	if (d->polling)
		return replay_fail(r, "%.*s has not returned from its poll",
				   (int)name.len, name.s);
	ops_make(r, d, &c, text, sizeof(text));
	r->nr_ops += c.counted;
	replay_check(r, expected, text);
	if (is_reset(&c) && field_is(expected, "rc=0"))
		note_reset(r, d, &c);
	return 0;
}

/* --- sweep ----------------------------------------------------------------- */

static int query(struct replay *r, domid_t domid, uint32_t port,
		 struct evtchn_status *s)
{
	struct sim_domain *d0 = r->domain[0].sim;
	void *arg = sim_at(d0, WORLD_ARG, sizeof(*s), true);
	int rc;

	*s = (struct evtchn_status){.dom = domid, .port = port};
	memcpy(arg, s, sizeof(*s));
	rc = sim_hypercall(&d0->vcpu[0], __HYPERVISOR_event_channel_op,
			   EVTCHNOP_status, WORLD_ARG);
	memcpy(s, arg, sizeof(*s));
	return rc;
}

/* " 4=U:d2/v0" */
static void print_port(const struct replay *r, FILE *f,
		       const struct evtchn_status *s)
{
	char name[16];

	fprintf(f, " %u=", s->port);
	switch (s->status) {
	case EVTCHNSTAT_unbound:
		fprintf(f, "U:%s",
			world_domid_name(r, s->u.unbound.dom, name,
					 sizeof(name)));
		break;
	case EVTCHNSTAT_interdomain:
		fprintf(f, "I:%s.%u",
			world_domid_name(r, s->u.interdomain.dom, name,
					 sizeof(name)),
			s->u.interdomain.port);
		break;
	case EVTCHNSTAT_pirq:
		fprintf(f, "P:%u", s->u.pirq);
		break;
	case EVTCHNSTAT_virq:
		fprintf(f, "V:%u", s->u.virq);
		break;
	case EVTCHNSTAT_ipi:
		fputs("E", f);
		break;
	default:
		fputs("C", f);
		break;
	}
	fprintf(f, "/v%u", s->vcpu);
}

/*
 * Print the ports below @limit that are not closed.  @limit ends at the first
 * port that cannot be asked for; returns why, or 0.
 */
static int print_ports(struct replay *r, struct replay_domain *d, FILE *f,
		       uint32_t *limit)
{
	domid_t domid = d->sim->evc.domid;
	struct evtchn_status s;
	uint32_t port;
	char number[16];

	for (port = 0; port < *limit; port++) {
		int rc = query(r, domid, port, &s);

		if (rc == -XEN_EACCES) {
			fprintf(f, " %u=%s", port,
				errno_name(rc, number, sizeof(number)) + 1);
		} else if (rc) {
			*limit = port;
			return rc;
		} else if (!world_is_reserved(d, port) &&
			   (s.status != EVTCHNSTAT_closed || s.vcpu)) {
			print_port(r, f, &s);
		}
	}
	return 0;
}

/* The sweep as the recorder would have written it, or NULL. */
static char *make_sweep(struct replay *r, struct replay_domain *d,
			uint32_t limit)
{
	char *ports = NULL, *text = NULL, number[16];
	uint32_t valid = limit;
	size_t size;
	FILE *f = open_memstream(&ports, &size);
	int rc;

	if (!f)
		return NULL;
	rc = print_ports(r, d, f, &valid);
	if (fclose(f))
		rc = -ENOMEM;
	if (ports && !rc)
		rc = asprintf(&text, "valid=>%u%s", limit - 1, ports);
	else if (ports)
		rc = asprintf(&text, "valid=%u next=%s%s", valid,
			      errno_name(rc, number, sizeof(number)), ports);
	free(ports);
	return rc < 0 ? NULL : text;
}

static int sweep_line(struct replay *r, struct field rest)
{
	struct field name, valid, expected;
	struct replay_domain *d;
	uint64_t last = EVTCHN_FIFO_NR_CHANNELS;
	char *text;

	if (!field_next(&rest, &name))
		return replay_fail(r, "a sweep line needs a domain");
	if (world_domain(r, name, &d))
		return -EINVAL;
	if (!r->domain[0].sim)
		return replay_fail(r,
				   "a sweep is made by d0, and there is none");
	field_skip(&rest, " ");
	expected = rest;
	field_next(&rest, &valid);
	if (field_skip(&valid, "valid=>") && !field_number(valid, last, &last))
		return replay_fail(r, "'valid=>' needs a port");
	text = make_sweep(r, d, (uint32_t)last + 1);
	if (!text)
		return replay_fail(r, "out of memory");
	replay_check(r, expected, text);
	free(text);
	return 0;
}

/* --- the other lines ------------------------------------------------------- */

/* "woken d1 rc=0" or "still-blocked d1": whichever is the case. */
static int poll_line(struct replay *r, struct field rest)
{
	struct replay_domain *d;
	struct field name;
	char text[32];

	if (!field_next(&rest, &name))
		return replay_fail(r, "a domain is missing");
	if (world_alive(r, name, &d))
		return -EINVAL;
	if (!d->polling)
		return replay_fail(r, "%.*s is not in a poll", (int)name.len,
				   name.s);
	snprintf(text, sizeof(text),
		 has_woken(d) ? "woken d%d rc=0" : "still-blocked d%d",
		 (int)(d - r->domain));
	if (has_woken(d)) {
		sim_end_wait(&d->sim->vcpu[0]);
		d->polling = false;
	}
	replay_check(r, r->trace->line[r->line - 1], text);
	return 0;
}

static int end_line(struct replay *r, struct field rest)
{
	char text[32];

	if (r->line != r->trace->nr_lines)
		return replay_fail(r, "something follows the end");
	snprintf(text, sizeof(text), "ops=%u", r->nr_ops);
	replay_check(r, rest, text);
	return 0;
}

enum flags {
	OPENS = 1,  /* is a step */
	CLOSES = 2, /* ends the step before it */
	AWAKE = 4,  /* no poll may have ended that nobody mentioned */
};

static const struct {
	const char *word;
	int (*handle)(struct replay *r, struct field rest);
	unsigned int flags;
} kinds[] = {
	{"op ", op_line, OPENS | CLOSES | AWAKE},
	{"ctl ", ctl_line, OPENS | CLOSES | AWAKE},
	{"~ ", memory_expect, 0},
	{"mem ", memory_mem, CLOSES},
	{"sweep ", sweep_line, CLOSES},
	{"woken ", poll_line, CLOSES},
	{"still-blocked ", poll_line, CLOSES},
	{"dom ", world_dom, CLOSES},
	{"end ", end_line, CLOSES | AWAKE},
};

static int replay_line(struct replay *r, struct field line, size_t *last_step)
{
	size_t i;

	if (!line.len || *line.s == '#')
		return 0;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct field rest = line;

		if (!field_skip(&rest, kinds[i].word))
			continue;
		if (kinds[i].flags & CLOSES)
			close_step(r);
		if (kinds[i].flags & AWAKE)
			check_sleepers(r, *last_step);
		if (kinds[i].flags & OPENS)
			*last_step = r->step_line = r->line;
		return kinds[i].handle(r, rest);
	}
	return replay_fail(r, "unknown kind of line '%.*s'",
			   (int)(line.len < 20 ? line.len : 20), line.s);
}

int replay_run(struct replay *r, size_t stop)
{
	size_t last_step = 0;
	size_t end = stop ? stop - 1 : r->trace->nr_lines;

	for (r->line = 1; r->line <= end; r->line++) {
		if (replay_line(r, r->trace->line[r->line - 1], &last_step))
			return -EINVAL;
		if (r->nr_diffs == r->max_diffs)
			return 0;
	}
	close_step(r);
	return 0;
}
