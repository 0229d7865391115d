/* SPDX-License-Identifier: MIT */
/*
 * What a killed broker wrote down comes back: when a domain is made, the ports
 * of its own that it had are opened again, as the claims of attachments are
 * (reattach.c), and the VIRQs that were delegated to it are again.
 *
 * Records are input: a file may be damaged, or made by somebody.  They are
 * checked all, and together, before the first of them is believed.
 *
 * It is for the domains of that time, which come back soon.  So it is for a
 * while only, and for the same user.  In the first seconds a domain whose ports
 * were recalled does not end when nobody holds it: a command that was faster than
 * whoever holds it for good would take all away with it.
 *
 * Reading order: checking, recalling, the end of waiting.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kept.h"
#include "state.h"

#define PATIENCE_MS 10000 /* for domains */
#define SPARING_MS  3000  /* for their holders */

struct entry {
	struct evd_record r;
	uint32_t slot; /* 0: recalled, or thrown away */
};

struct evd_recalls {
	struct entry *e; /* by type, domain and port */
	uint32_t nr, nr_left;
	int64_t spared_until, until; /* ms */
	bool is_sparing;
};

/* --- checking --------------------------------------------------------------- */

static bool is_port(const struct evd_record *r)
{
	if (!r->port || r->port >= EVD_NR_PORTS || !evp_is_name(r->name))
		return false;
	switch (r->kind) {
	case EVTCHNSTAT_unbound:
		return r->peer_domid < DOMID_FIRST_RESERVED;
	case EVTCHNSTAT_interdomain:
		return r->peer_domid < DOMID_FIRST_RESERVED && r->number &&
		       r->number < EVD_NR_PORTS;
	case EVTCHNSTAT_virq:
		return r->number < NR_VIRQS;
	case EVTCHNSTAT_ipi:
		return true;
	default: /* a number, not a state */
		return false;
	}
}

static bool is_good(const struct evd_record *r)
{
	if (r->domid >= DOMID_FIRST_RESERVED || r->parked > 1 || r->pad ||
	    r->pid > INT32_MAX)
		return false;
	if (r->type == EVD_RECORD_VIRQ)
		return r->port < NR_VIRQS;
	return r->type == EVD_RECORD_PORT && is_port(r);
}

static int compare(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

static int in_order(const void *x, const void *y)
{
	const struct evd_record *a = &((const struct entry *)x)->r;
	const struct evd_record *b = &((const struct entry *)y)->r;
	int rc = compare(a->type, b->type);

	/* One domain handles a VIRQ. */
	if (!rc && a->type == EVD_RECORD_PORT)
		rc = compare(a->domid, b->domid);
	return rc ? rc : compare(a->port, b->port);
}

static bool has_twins(const struct evd_recalls *l)
{
	uint32_t i;

	for (i = 1; i < l->nr; i++) {
		if (!in_order(&l->e[i - 1], &l->e[i]))
			return true;
	}
	return false;
}

/* Those in use, sorted.  False: one is bad, or two are the same. */
static bool fill(struct evd_recalls *l, const struct evd_record *r, uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++) {
		if (r[i].type == EVD_RECORD_FREE)
			continue;
		if (!is_good(&r[i]))
			return false;
		l->e[l->nr++] = (struct entry){r[i], i + 1};
	}
	qsort(l->e, l->nr, sizeof(l->e[0]), in_order);
	l->nr_left = l->nr;
	return !has_twins(l);
}

int evd_recall_begin(struct evd_broker *b, const struct evd_record *r,
		     uint32_t nr)
{
	struct evd_recalls *l = calloc(1, sizeof(*l));

	int rc = -EINVAL;

	if (l)
		l->e = calloc(nr + 1u, sizeof(l->e[0]));
	if (l && l->e && fill(l, r, nr))
		rc = 0;
	if (!rc && l->nr) {
		l->until = evd_now_ms() + PATIENCE_MS;
		l->spared_until = evd_now_ms() + SPARING_MS;
		l->is_sparing = true;
		b->recalls = l;
		return 0;
	}
	free(l ? l->e : NULL);
	free(l);
	return rc;
}

/* Who nobody holds now ends now. */
static void stop_sparing(struct evd_broker *b)
{
	struct evd_dom *d;

	b->recalls->is_sparing = false;
	for (d = b->doms; d; d = d->next) {
		if (!d->nr_holders)
			evd_dom_begin(d, EVD_DESTROY);
	}
}

void evd_recall_end(struct evd_broker *b)
{
	struct evd_recalls *l = b->recalls;

	if (!l)
		return;
	if (l->is_sparing)
		stop_sparing(b);
	b->recalls = NULL;
	free(l->e);
	free(l);
}

/* --- recalling -------------------------------------------------------------- */

static void settle(struct evd_recalls *l, struct entry *e)
{
	e->slot = 0;
	l->nr_left--;
}

static void throw_away(struct evd_broker *b, struct entry *e, const char *why)
{
	evd_log(NULL, "domain %u, %s %u: %s", e->r.domid,
		e->r.type == EVD_RECORD_PORT ? "a port of its own," : "VIRQ",
		e->r.port, why);
	evd_state_drop(b, e->slot);
	settle(b->recalls, e);
}

static void recall_virq(struct evd_dom *d, struct entry *e)
{
	if (evc_virq_set_handler(&d->core, e->r.port)) {
		throw_away(d->broker, e, "cannot be delegated again");
		return;
	}
	evd_state_virq_is(d, e->r.port, e->slot);
	settle(d->broker->recalls, e);
}

static void recall_port(struct evd_dom *d, struct entry *e)
{
	const struct evp_claim m = {.port = e->r.port,
				    .domid = e->r.peer_domid,
				    .kind = e->r.kind,
				    .number = e->r.number,
				    .pid = e->r.pid};
	struct evd_port *p = evd_reclaim(d, &m);

	if (!p || !evd_kept_again(p, e->r.name, e->slot)) {
		throw_away(d->broker, e, "cannot be opened again");
		return;
	}
	evd_reclaimed(p, &m, e->r.parked);
	d->recalled = true;
	settle(d->broker->recalls, e);
}

void evd_recall(struct evd_dom *d)
{
	struct evd_recalls *l = d->broker->recalls;
	uint32_t i;

	for (i = 0; l && i < l->nr; i++) {
		struct entry *e = &l->e[i];

		if (!e->slot || e->r.domid != d->core.domid)
			continue;
		if (e->r.uid != d->account->uid)
			throw_away(d->broker, e, "was another user's");
		else if (e->r.type == EVD_RECORD_VIRQ)
			recall_virq(d, e);
		else
			recall_port(d, e);
	}
	evd_reclaim_over(d);
}

/* --- the end of waiting ----------------------------------------------------- */

bool evd_recall_spares(const struct evd_dom *d)
{
	return d->recalled && d->broker->recalls &&
	       d->broker->recalls->is_sparing;
}

static void give_up(struct evd_broker *b)
{
	struct evd_recalls *l = b->recalls;
	uint32_t i;

	for (i = 0; i < l->nr; i++) {
		if (l->e[i].slot)
			throw_away(b, &l->e[i],
				   "forgotten: the domain did not come back");
	}
	evd_recall_end(b);
}

int evd_recall_look(struct evd_broker *b)
{
	struct evd_recalls *l = b->recalls;
	int64_t now;

	if (!l)
		return -1;
	now = evd_now_ms();
	if (l->is_sparing && now >= l->spared_until) {
		stop_sparing(b);
		return 0;
	}
	if (now < l->until && l->nr_left)
		return (int)((l->is_sparing ? l->spared_until : l->until) -
			     now);
	if (l->is_sparing)
		return (int)(l->spared_until - now);
	give_up(b);
	return 0;
}
