/* SPDX-License-Identifier: MIT */
/*
 * See replay.h.  Compared after every operation: the result and what came with
 * it, what the host was asked, every byte of every guest's memory, who polls,
 * the status of the ports that took part.  The status of all ports: now and
 * then, and at the end.
 */
#include "tests/model/replay.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/model/world.h"

/* Status of all ports after this many operations. */
#define ALL_PORTS_EVERY 200
/* A replay that takes longer is stuck, also on a machine that is busy. */
#define LONGEST_SECONDS(nr) (60 + (nr) / 500)

static struct model model;

/* Says what differs and is false. */
static bool differs(FILE *f, const char *format, ...)
{
	va_list args;

	if (!f)
		return false;
	va_start(args, format);
	vfprintf(f, format, args);
	va_end(args);
	fputc('\n', f);
	return false;
}

/* --- comparing ------------------------------------------------------------- */

static const char *name_of(int rc, char buffer[16])
{
	const char *name = op_code_name(rc);

	if (name)
		return name;
	snprintf(buffer, 16, "%d", rc);
	return buffer;
}

static bool same_result(const struct op_result *r, FILE *f)
{
	char a[16], b[16];

	if (r->rc[0] != r->rc[1])
		return differs(f, "result: model %s, core %s",
			       name_of(r->rc[0], a), name_of(r->rc[1], b));
	if (r->out[0] != r->out[1])
		return differs(f, "out: model %#llx, core %#llx",
			       (unsigned long long)r->out[0],
			       (unsigned long long)r->out[1]);
	return true;
}

static int by_value(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct model_event));
}

static void say_event(FILE *f, const char *who, const struct model_event *e)
{
	static const char *const names[] = {
		"kick",	       "wake",	    "call", "pirq_bind",
		"pirq_unbind", "pirq_move", "map",  "unmap"};

	if (f)
		fprintf(f, "  %s: %s domain %u, %#x %#x\n", who, names[e->what],
			e->dom, e->a, e->b);
}

/* The order in which the host is asked is not compared. */
static bool same_events(struct model_events *a, struct model_events *b, FILE *f)
{
	uint32_t i;

	if (a->nr > 1)
		qsort(a->event, a->nr, sizeof(a->event[0]), by_value);
	if (b->nr > 1)
		qsort(b->event, b->nr, sizeof(b->event[0]), by_value);
	if (a->nr == b->nr &&
	    !memcmp(a->event, b->event, a->nr * sizeof(a->event[0])))
		return true;
	for (i = 0; i < a->nr && i < 20; i++)
		say_event(f, "model", &a->event[i]);
	for (i = 0; i < b->nr && i < 20; i++)
		say_event(f, "core", &b->event[i]);
	return differs(f, "what the host was asked");
}

static bool same_memory(const struct model_domain *d,
			const struct world_domain *w, FILE *f)
{
	uint32_t i = 0, core;

	if (!memcmp(d->memory, w->memory, MODEL_MEMORY))
		return true;
	while (!memcmp(d->memory + i, w->memory + i, 4))
		i += 4;
	memcpy(&core, w->memory + i, 4);
	return differs(f,
		       "memory of domain %u, page %u, offset %u: "
		       "model %08x, core %08x",
		       d->id, i / 4096, i % 4096, model_get32(d, i), core);
}

static bool same_pollers(const struct model_domain *d,
			 const struct world_domain *w, FILE *f)
{
	uint32_t v;

	for (v = 0; v < d->shape.nr_vcpus; v++) {
		if (!d->poll[v] != evc_poll_is_over(&w->vcpu[v]))
			return differs(f,
				       "domain %u, vCPU %u: model %s, "
				       "core %s",
				       d->id, v, d->poll[v] ? "polls" : "no",
				       d->poll[v] ? "no" : "polls");
	}
	return true;
}

static bool same_counters(const struct model_domain *d, uint32_t port, FILE *f)
{
	const struct model_port *p;
	struct evc_counters c = {0};

	if (port >= d->nr_valid)
		return true;
	p = &d->port[port];
	(void)evc_channel_counters(&world.domain[d->id]->d, port, &c);
	if (c.sent == p->sent && c.posted == p->posted &&
	    c.dropped == p->dropped &&
	    c.coalesced == p->sent - p->posted - p->dropped)
		return true;
	return differs(f,
		       "counters of port %u of domain %u: model %llu sent, "
		       "%llu posted, %llu dropped, core %llu, %llu, %llu",
		       port, d->id, (unsigned long long)p->sent,
		       (unsigned long long)p->posted,
		       (unsigned long long)p->dropped,
		       (unsigned long long)c.sent, (unsigned long long)c.posted,
		       (unsigned long long)c.dropped);
}

/* What status says about one port, asked by its own domain. */
static bool same_port(struct model *m, uint32_t id, uint32_t port, FILE *f)
{
	struct evtchn_status want = {.dom = DOMID_SELF, .port = port};
	struct evtchn_status is = want;
	int rc = model_status(m, id, &want);
	int core = evc_status(&world.domain[id]->d, &is);

	if (rc == core && !memcmp(&want, &is, sizeof(is)))
		return same_counters(&m->domain[id], port, f);
	return differs(f,
		       "status of port %u of domain %u: model %d, state %u, "
		       "vCPU %u, %u.%u; core %d, state %u, vCPU %u, %u.%u",
		       port, id, rc, want.status, want.vcpu,
		       want.u.interdomain.dom, want.u.interdomain.port, core,
		       is.status, is.vcpu, is.u.interdomain.dom,
		       is.u.interdomain.port);
}

static bool same_totals(const struct model_domain *d, FILE *f)
{
	uint64_t sent = d->gone_sent, posted = d->gone_posted;
	uint64_t dropped = d->gone_dropped;
	struct evc_domain_counters c;
	uint32_t i;

	for (i = 0; i < d->nr_valid; i++) {
		sent += d->port[i].sent;
		posted += d->port[i].posted;
		dropped += d->port[i].dropped;
	}
	evc_domain_counters(&world.domain[d->id]->d, &c);
	if (c.all.sent == sent && c.all.posted == posted &&
	    c.all.dropped == dropped && c.nr_open == d->nr_open &&
	    c.lost == d->lost && c.held == d->nr_held &&
	    c.delayed == d->delayed)
		return true;
	return differs(f, "counters of domain %u", d->id);
}

static bool same_ports(struct model *m, uint32_t id, FILE *f)
{
	uint32_t port;

	for (port = 0; port <= m->domain[id].nr_valid; port++) {
		if (!same_port(m, id, port, f))
			return false;
	}
	return same_totals(&m->domain[id], f);
}

static bool same_port_and_peer(struct model *m, uint32_t id, uint32_t port,
			       FILE *f)
{
	const struct model_domain *d = &m->domain[id];
	const struct model_port *p;

	if (!same_port(m, id, port, f))
		return false;
	if (port >= d->nr_valid || d->port[port].state != INTERDOMAIN)
		return true;
	p = &d->port[port];
	return same_port(m, p->dom, p->port, f);
}

/* The ports an operation may have named or opened, and their peers. */
static bool same_named_ports(struct model *m, const struct op *o, FILE *f)
{
	uint32_t i;

	for (i = 0; i < MODEL_DOMAINS; i++) {
		if (m->domain[i].exists &&
		    !same_port_and_peer(m, i, m->domain[i].last_opened, f))
			return false;
	}
	i = o->arg[A_DOM];
	if (i >= MODEL_DOMAINS || !m->domain[i].exists)
		return true;
	return same_port_and_peer(m, i, o->arg[A_1], f) &&
	       same_port_and_peer(m, i, o->arg[A_2], f) &&
	       same_port(m, i, m->domain[i].nr_valid - 1, f) &&
	       same_port(m, i, m->domain[i].nr_valid, f);
}

static bool is_same(struct model *m, const struct op *o,
		    const struct op_result *r, bool all, FILE *f)
{
	uint32_t i;

	if (!same_result(r, f) || !same_events(&m->events, &world.events, f))
		return false;
	if (!same_named_ports(m, o, f))
		return false;
	for (i = 0; i < MODEL_DOMAINS; i++) {
		if (!m->domain[i].exists)
			continue;
		if (!same_memory(&m->domain[i], world.domain[i], f) ||
		    !same_pollers(&m->domain[i], world.domain[i], f) ||
		    (all && !same_ports(m, i, f)))
			return false;
	}
	return true;
}

/* --- replaying --------------------------------------------------------------- */

static bool run(const struct sequence *s, uint32_t *at, FILE *f)
{
	struct op_result r;
	bool all;

	model_start(&model, s->xen_4_17);
	world_start(s->xen_4_17);
	for (*at = 0; *at < s->nr; ++*at) {
		all = *at % ALL_PORTS_EVERY == 0 || *at + 1 == s->nr;
		r = op_perform(&model, true, &s->op[*at]);
		if (is_same(&model, &s->op[*at], &r, all, f))
			continue;
		if (f) {
			fprintf(f, "after operation %u: ", *at);
			op_print(f, &s->op[*at]);
		}
		return false;
	}
	world_end();
	return true;
}

/* Never returns: the process ends with the verdict. */
static void run_and_exit(const struct sequence *s, uint32_t *at, FILE *f)
{
	bool same;

	(void)alarm(LONGEST_SECONDS(s->nr));
	if (!f && !freopen("/dev/null", "w", stderr))
		_exit(CRASHED);
	same = run(s, at, f);
	if (f)
		fflush(f);
	_exit(same ? SAME : DIFFERENT);
}

enum verdict replay(const struct sequence *s, uint32_t *at, FILE *f)
{
	static uint32_t *shared; /* how far the process came */
	int status;
	pid_t pid;

	if (!shared)
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		abort();
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		run_and_exit(s, shared, f);
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("fork");
		exit(2);
	}
	if (at)
		*at = *shared;
	if (WIFEXITED(status) && WEXITSTATUS(status) == SAME)
		return SAME;
	if (WIFEXITED(status) && WEXITSTATUS(status) == DIFFERENT)
		return DIFFERENT;
	return CRASHED;
}
