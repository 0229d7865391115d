/* SPDX-License-Identifier: MIT */
/*
 * Interrupt lines and the end of a broker.
 *
 * Whoever made a line (`evtchn run`) makes it again, whoever had bound it claims
 * its port, and who comes first is a matter of chance.  So a claim whose line is
 * not there, or not permitted yet, waits for it: the port is opened for a domain
 * that cannot be, so that it keeps its number and nobody binds it.  When the line
 * comes the port is closed, behind its owner's back, and claimed once more.  If it
 * does not come in time, the port is closed for good.
 *
 * The line that comes is watched from then on, whether the former broker had
 * raised it or not: who has still to end that interrupt may get it once more.
 * Its end, when there is no line yet, changes nothing and is no mistake.
 *
 * A PERMIT waits in the same way, in the domain's own map: in the first seconds of
 * a broker it may be said before the line is there.
 */
#include <stdlib.h>

#include "broker.h"

#define PATIENCE_MS 10000

struct evd_wanted {
	struct evd_wanted *next;
	struct evd_port *p;
	int64_t until; /* ms */
};

/* --- who waits -------------------------------------------------------------- */

/* Of a line's, those of @d: one, at most.  By the end if there is none. */
static struct evd_wanted **find(struct evd_broker *b, const struct evd_dom *d,
				uint32_t line)
{
	struct evd_wanted **at = &b->wanted[line];

	while (*at && (*at)->p->dom != d)
		at = &(*at)->next;
	return at;
}

evtchn_port_t evd_line_wanted(const struct evd_dom *d, uint32_t irq)
{
	const struct evd_wanted *w = *find(d->broker, d, irq);

	return w ? w->p->port : 0;
}

void evd_line_unwant(struct evd_port *p)
{
	struct evd_broker *b = p->dom->broker;
	struct evd_wanted **at, *w = NULL;
	uint32_t line;

	for (line = 0; p->wants_line && line < EVP_NR_LINES; line++) {
		at = find(b, p->dom, line);
		w = *at;
		if (!w || w->p != p)
			continue;
		*at = w->next;
		p->wants_line = false;
		b->nr_wanted--;
		free(w);
	}
}

void evd_line_describe(struct evd_dom *d, struct evp_claim *what)
{
	const struct evd_port *p = evd_port(d, what->port);
	uint32_t line;

	for (line = 0; p->wants_line && line < EVP_NR_LINES; line++) {
		if (evd_line_wanted(d, line) != p->port)
			continue;
		what->kind = EVTCHNSTAT_pirq;
		what->domid = 0;
		what->number = line;
	}
}

/* --- a claim ---------------------------------------------------------------- */

/* In order of time, so the first is the first to give up. */
static int wait_for(struct evd_dom *d, uint32_t line, evtchn_port_t *port)
{
	struct evd_wanted **at = find(d->broker, d, line), *w;
	int rc;

	if (*at)
		return -XEN_EEXIST;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -XEN_ENOMEM;
	rc = evc_alloc_unbound(&d->core, DOMID_SELF, DOMID_INVALID, port);
	if (rc) {
		free(w);
		return rc;
	}
	w->p = evd_port(d, *port);
	w->p->wants_line = true;
	w->until = evd_now_ms() + PATIENCE_MS;
	*at = w;
	d->broker->nr_wanted++;
	return 0;
}

int evd_line_claim(struct evd_dom *d, const struct evp_claim *m,
		   evtchn_port_t *port)
{
	int rc;

	if (m->number >= EVP_NR_LINES)
		return -XEN_EINVAL;
	rc = evc_bind_pirq(&d->core, m->number, 0, port);
	if (rc == -XEN_EINVAL || rc == -XEN_EPERM)
		return wait_for(d, m->number, port);
	return rc;
}

/* --- the line --------------------------------------------------------------- */

static void take(struct evd_port *p, uint32_t line)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = p->port};
	struct evp_claim m = {
		.port = p->port, .kind = EVTCHNSTAT_pirq, .number = line};

	/* It may have been moved meanwhile. */
	if (!evc_status(&p->dom->core, &st))
		m.vcpu = st.vcpu;
	evd_claim_again(p, &m);
}

void evd_line_came(struct evd_broker *b, uint32_t line)
{
	const struct evd_line *l = &b->line[line];
	struct evd_wanted *w, *next;

	for (w = b->wanted[line]; w && l->owner && !l->guest; w = next) {
		next = w->next;
		/* Without an owner it is about to be closed. */
		if (w->p->att && !evc_host_pirq_permit(&w->p->dom->core, line))
			take(w->p, line);
	}
}

/* --- the end of waiting ----------------------------------------------------- */

/* The number of a broker is when it began. */
static int64_t permits_until(const struct evd_broker *b)
{
	return (int64_t)(b->id / 1000000) + PATIENCE_MS;
}

bool evd_line_may_come(struct evd_broker *b)
{
	if (evd_now_ms() >= permits_until(b))
		return false;
	b->permits_early = true;
	return true;
}

/* They were for lines that were to come back, not for any of that number. */
static void forget_permits(struct evd_broker *b)
{
	struct evd_dom *d;
	uint32_t i;

	b->permits_early = false;
	for (d = b->doms; d; d = d->next) {
		for (i = 0; i < EVP_NR_LINES; i++) {
			if (!b->line[i].owner)
				d->may_bind[i / 64] &= ~(1ull << i % 64);
		}
	}
}

static void give_up(struct evd_port *p, uint32_t line)
{
	evd_log(NULL, "domain %u, port %u: line %u did not come back",
		p->dom->core.domid, p->port, line);
	(void)evc_close(&p->dom->core, p->port);
	evd_links_sync(p->dom->broker);
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int evd_lines_look(struct evd_broker *b)
{
	int64_t now, until = INT64_MAX;
	struct evd_wanted *w;
	uint32_t i;

	if (!b->nr_wanted && !b->permits_early)
		return -1;
	now = evd_now_ms();
	if (b->permits_early && now >= permits_until(b))
		forget_permits(b);
	if (b->permits_early)
		until = permits_until(b);
	for (i = 0; b->nr_wanted && i < EVP_NR_LINES; i++) {
		while ((w = b->wanted[i]) && now >= w->until)
			give_up(w->p, i);
		if (w)
			until = sooner(until, w->until);
	}
	return until == INT64_MAX ? -1 : (int)(until - now);
}
