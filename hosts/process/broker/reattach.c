/* SPDX-License-Identifier: MIT */
/*
 * Attachments of a broker that ended come back to this one.
 *
 * Nothing was saved; each says what it had.  It is believed what it could have
 * opened itself, and nothing more: its own domain's ports, if they are free.
 * So every claim is met by the ordinary operation of the core, made to give the
 * number that is claimed:
 *
 *   unbound            alloc_unbound, for the same domain
 *   VIRQ, IPI          bind_virq, bind_ipi
 *   PIRQ               bind_pirq, when its line is there (pirq_again.c)
 *   connected          the first end that comes back: alloc_unbound, for the
 *                      peer's domain; the second: bind_interdomain.  So a
 *                      connection takes the claims of both ends.
 *
 * The core gives the lowest free port, so what is below is filled for a moment.
 *
 * An end that came back and whose peer has not is a "half".  For the core it is
 * unbound: the peer's domain may bind it, as after the peer's death.  The two
 * processes go on over their old lane.  When the peer cannot come any more, the
 * owner is told (PEER_LOST, and an event if it watches): its process is dead, it
 * came back and claims something else, or the port was bound by another.
 *
 * What was sent while an end had not come back may be lost to the broker, so an
 * end that is connected again is pending, as after any bind.
 *
 * Reading order: halves, mates, claims, who we are.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../clock.h"
#include "broker.h"
#include "kept.h"
#include "state.h"

#define FIRST_LOOK_MS 20
#define LAST_LOOK_MS  1000
#define LOOKS_IN_TURN 4096
#define NAMELESS_MS   4000 /* how long we wait for a peer without a pid */
#define PIDS_IN_TURN  64   /* that the kernel is asked about */
#define NR_CHAINS     65536

struct evd_half {
	struct evd_half *next, **at;	   /* @at: what points here */
	struct evd_half *chained, **chain; /* the same for find_half() */
	struct evd_port *p;
	domid_t domid; /* whom it was connected to */
	evtchn_port_t port;
	pid_t pid; /* 0: not known */
	int64_t since;
};

/* --- halves ----------------------------------------------------------------- */

/*
 * There may be one for each port of all domains, so nothing is searched: they are
 * chained by the two ends, with a multiplier that nobody can know, so that nobody
 * makes a chain long by what he claims.  Those with the same ends are many only
 * if their domain lies; then any of them will do.
 */
static struct evd_half *chains[NR_CHAINS];
static uint64_t multiplier;

static struct evd_half **chain_of(uint32_t domid, uint32_t peer,
				  evtchn_port_t port)
{
	uint64_t key = (uint64_t)domid << 48 | (uint64_t)peer << 32 | port;

	return &chains[key * multiplier / (UINT64_MAX / NR_CHAINS + 1)];
}

static void chain(struct evd_half *h)
{
	struct evd_half **at =
		chain_of(h->p->dom->core.domid, h->domid, h->port);

	h->chain = at;
	h->chained = *at;
	if (h->chained)
		h->chained->chain = &h->chained;
	*at = h;
}

static void unchain(struct evd_half *h)
{
	*h->chain = h->chained;
	if (h->chained)
		h->chained->chain = h->chain;
}

static void enter(struct evd_broker *b, struct evd_half *h)
{
	if (!b->halves)
		b->halves_tail = &b->halves;
	h->next = NULL;
	h->at = b->halves_tail;
	*b->halves_tail = h;
	b->halves_tail = &h->next;
}

static void leave(struct evd_broker *b, struct evd_half *h)
{
	*h->at = h->next;
	if (h->next)
		h->next->at = h->at;
	else
		b->halves_tail = h->at;
}

void evd_half_drop(struct evd_port *p)
{
	struct evd_half *h = p->half;

	if (!h)
		return;
	leave(p->dom->broker, h);
	unchain(h);
	p->half = NULL;
	free(h);
}

static void tell_lost(const struct evd_port *p)
{
	struct evp_given m = {.what = {.port = p->port}};

	evp_hdr_init(&m.hdr, EVP_PEER_LOST, sizeof(m), 0);
	if (p->att)
		evd_send(p->att->conn, &m, sizeof(m), NULL, 0);
	if (p->watched)
		evd_post(p->dom, p->port);
}

void evd_half_lose(struct evd_port *p)
{
	if (!p->half)
		return;
	evd_half_drop(p);
	tell_lost(p);
}

int64_t evd_now_ms(void)
{
	return evp_now() / 1000000;
}

static void expect(struct evd_port *p, const struct evp_claim *m)
{
	struct evd_broker *b = p->dom->broker;
	struct evd_half *h = calloc(1, sizeof(*h));

	if (!h) {
		tell_lost(p);
		return;
	}
	*h = (struct evd_half){.p = p,
			       .domid = m->domid,
			       .port = m->number,
			       .pid = (pid_t)m->pid,
			       .since = evd_now_ms()};
	enter(b, h);
	chain(h);
	p->half = h;
	b->look_ms = FIRST_LOOK_MS;
	b->look_at = h->since + b->look_ms;
}

/* A process that is gone, or only waits to be buried. */
static bool is_dead(pid_t pid)
{
	struct pollfd p = {.events = POLLIN};

	p.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (p.fd < 0)
		return errno == ESRCH;
	(void)poll(&p, 1, 0);
	(void)close(p.fd);
	return p.revents;
}

/* What the kernel said in this turn. */
struct answers {
	pid_t pid[PIDS_IN_TURN];
	bool is_dead[PIDS_IN_TURN];
	unsigned int nr_asked;
};

static bool is_hopeless(const struct evd_half *h, int64_t now,
			struct answers *a)
{
	uint32_t i = (uint32_t)h->pid % PIDS_IN_TURN;

	if (!h->pid)
		return now - h->since > NAMELESS_MS;
	if (a->pid[i] != h->pid) {
		a->pid[i] = h->pid;
		a->is_dead[i] = is_dead(h->pid);
		a->nr_asked++;
	}
	return a->is_dead[i];
}

/* True: that was all of them, and not as many as one turn allows. */
static bool look(struct evd_broker *b, int64_t now)
{
	unsigned int left = LOOKS_IN_TURN;
	struct evd_half *h, *first = NULL;
	struct answers a = {.nr_asked = 0};

	while ((h = b->halves) && h != first) {
		if (!left-- || a.nr_asked == PIDS_IN_TURN)
			return false;
		if (is_hopeless(h, now, &a)) {
			evd_half_lose(h->p);
			continue;
		}
		if (!first)
			first = h;
		leave(b, h); /* the next one looked at is the one after it */
		enter(b, h);
	}
	return true;
}

int evd_halves_look(struct evd_broker *b)
{
	int64_t now;

	if (!b->halves)
		return -1;
	now = evd_now_ms();
	if (now >= b->look_at) {
		if (!look(b, now))
			b->look_ms = FIRST_LOOK_MS;
		else if (b->look_ms < LAST_LOOK_MS)
			b->look_ms *= 2;
		b->look_at = now + b->look_ms;
	}
	return (int)(b->look_at - now);
}

/* --- mates ------------------------------------------------------------------ */

/* Does @p, which came back, wait for a port of @domid? */
static bool waits_for(struct evd_port *p, domid_t domid)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = p->port};

	return (p->att || p->kept) && !evc_status(&p->dom->core, &st) &&
	       st.status == EVTCHNSTAT_unbound && st.u.unbound.dom == domid;
}

/* The other end of a claimed connection, if it came back and agrees. */
static struct evd_port *find_claimed(struct evd_dom *d,
				     const struct evp_claim *m)
{
	struct evd_dom *other = evd_dom_find(d->broker, m->domid);
	struct evd_port *p = other ? evd_port(other, m->number) : NULL;

	if (!p || !p->claimed || !waits_for(p, d->core.domid))
		return NULL;
	if (p->half &&
	    (p->half->domid != d->core.domid || p->half->port != m->port))
		return NULL;
	return p;
}

/* An end that came back and was connected to the claimed, waiting, port. */
static struct evd_port *find_half(struct evd_dom *d, const struct evp_claim *m)
{
	struct evd_half *h = *chain_of(m->domid, d->core.domid, m->port);

	for (; h; h = h->chained) {
		if (h->domid == d->core.domid && h->port == m->port &&
		    h->p->dom->core.domid == m->domid &&
		    waits_for(h->p, d->core.domid))
			return h->p;
	}
	return NULL;
}

/* It is there, and is not the claimed one: nobody else will come. */
static bool is_refuted(struct evd_dom *d, const struct evp_claim *m)
{
	struct evd_dom *other = evd_dom_find(d->broker, m->domid);
	struct evd_port *p = other ? evd_port(other, m->number) : NULL;

	return p && p->att;
}

/* --- claims ----------------------------------------------------------------- */

/* Ports taken so that the core gives the one above them. */
struct fill {
	uint64_t taken[EVD_NR_PORTS / 64];
	uint64_t nr;
	evtchn_port_t end; /* one more than the highest */
};

/* Make @port the lowest free one.  False: it is not free. */
static bool reach(struct evd_dom *d, evtchn_port_t port, struct fill *f)
{
	evtchn_port_t got = 0;

	while (got < port) {
		if (evc_alloc_unbound(&d->core, DOMID_SELF, DOMID_SELF, &got))
			return false;
		if (got >= port)
			break;
		f->taken[got / 64] |= 1ull << got % 64;
		f->nr++;
		f->end = got + 1;
	}
	(void)evc_close(&d->core, got);
	evd_links_sync(d->broker);
	return got == port;
}

static void unfill(struct evd_dom *d, const struct fill *f)
{
	evtchn_port_t port;

	uint64_t left;
	uint32_t i;

	for (i = 0; i * 64 < f->end; i++) {
		for (left = f->taken[i]; left; left &= left - 1) {
			port = i * 64 + (uint32_t)__builtin_ctzll(left);
			(void)evc_close(&d->core, port);
		}
	}
	evd_links_sync(d->broker);
}

/* 0, or why not.  @m->port is the next one the core gives. */
static int connect_again(struct evd_dom *d, bool is_kept, struct evd_port *mate,
			 evtchn_port_t *port)
{
	int rc = evc_bind_interdomain(&d->core, mate->dom->core.domid,
				      mate->port, port);

	if (rc)
		return rc;
	evd_half_drop(mate);
	/* Between ports of domains' own nothing goes but through a broker. */
	if (!is_kept || !mate->kept)
		evd_post(mate->dom, mate->port);
	return 0;
}

static int open_end(struct evd_dom *d, bool is_kept, const struct evp_claim *m,
		    evtchn_port_t *port)
{
	bool connected = m->kind == EVTCHNSTAT_interdomain;
	struct evd_port *mate = connected ? find_claimed(d, m)
					  : find_half(d, m);

	if (mate && !connect_again(d, is_kept, mate, port))
		return 0;
	return evc_alloc_unbound(&d->core, DOMID_SELF, m->domid, port);
}

/* @is_kept: for the domain itself, no attachment. */
static int open_claimed(struct evd_dom *dom, bool is_kept,
			const struct evp_claim *m)
{
	struct evc_domain *d = &dom->core;
	evtchn_port_t port;

	switch (m->kind) {
	case EVTCHNSTAT_unbound:
	case EVTCHNSTAT_interdomain:
		return open_end(dom, is_kept, m, &port);
	case EVTCHNSTAT_virq:
		/* Only those of a vCPU are bound where they are notified. */
		if (!evc_bind_virq(d, m->number, m->vcpu, &port))
			return 0;
		return evc_bind_virq(d, m->number, 0, &port);
	case EVTCHNSTAT_ipi:
		return evc_bind_ipi(d, m->vcpu, &port);
	case EVTCHNSTAT_pirq:
		return evd_line_claim(dom, m, &port);
	default: /* a number, not a state */
		return -XEN_EOPNOTSUPP;
	}
}

/* The port is there: whose it is, what it waits for, what it may have missed. */
static void settle(struct evd_att *a, const struct evp_claim *m)
{
	struct evd_dom *d = a->dom;
	struct evd_port *p = evd_port(d, m->port);

	evd_own(d, m->port, a);
	p->claimed = true;
	(void)evc_bind_vcpu(&d->core, m->port, m->vcpu);
	p->watched = m->watched && !evc_watch_peer(&d->core, m->port, true);
	if (m->kind == EVTCHNSTAT_virq)
		evd_post(d, m->port);
	if (m->kind == EVTCHNSTAT_ipi)
		evd_tell_local(a, m->port, m->port);
	evd_link_try(d, m->port);
	if (m->kind != EVTCHNSTAT_interdomain || !waits_for(p, m->domid))
		return;
	if (is_refuted(d, m))
		tell_lost(p);
	else
		expect(p, m);
}

/*
 * One more, of those the domain's user may have?  What fills does not count.  The
 * lowest free number is given out, so with a limit none above it ever was: and what
 * is filled, whose memory stays, is no more than he may have anyway.
 */
static bool has_room(const struct evd_dom *d, evtchn_port_t port,
		     const struct fill *f)
{
	const struct evd_broker *b = d->broker;
	uid_t uid = d->account->uid;

	return port <= evd_limit(b, uid, EVD_PORTS) &&
	       evd_may_have(b, uid, EVD_PORTS, 1 - f->nr);
}

/* It was closed without us, and its peer may not have heard of it. */
static void note_parted(struct evd_dom *d, const struct evp_claim *m)
{
	struct evd_port *mate = find_half(d, m);

	if (mate)
		evd_half_lose(mate);
}

static void claim(struct evd_att *a, const struct evp_claim *m, struct fill *f)
{
	if (m->kind == EVTCHNSTAT_closed) {
		note_parted(a->dom, m);
		return;
	}
	if (has_room(a->dom, m->port, f) && reach(a->dom, m->port, f) &&
	    !open_claimed(a->dom, false, m)) {
		settle(a, m);
		return;
	}
	evd_log(a->conn, "port %u is not free or cannot be had again", m->port);
	evd_tell_closed(a, m->port, true);
}

static void claim_all(struct evd_att *a, const struct evp_claim *m,
		      uint32_t count)
{
	struct evd_broker *b = a->conn->broker;
	struct fill f = {.taken = {0}};

	b->caller = a;
	/* After an exec() it may have ports that it has no use for yet. */
	b->any_number = true;
	while (count--)
		claim(a, m++, &f);
	unfill(a->dom, &f);
	b->any_number = false;
	b->caller = NULL;
}

void evd_claim_again(struct evd_port *p, const struct evp_claim *m)
{
	struct evd_att *a = p->att;

	p->att = NULL; /* who does not hear of this */
	(void)evc_close(&p->dom->core, p->port);
	evd_links_sync(p->dom->broker);
	claim_all(a, m, 1);
}

/* Ports ascend, so that what was filled for one is below the next. */
static bool is_good(const struct evp_claims *m, size_t len)
{
	uint32_t i, above = 0;

	if (m->count > EVP_CLAIMS_PER_PAGE || m->last > 1 ||
	    len != offsetof(struct evp_claims, claim) +
			    m->count * sizeof(m->claim[0]))
		return false;

	for (i = 0; i < m->count; i++) {
		const struct evp_claim *c = &m->claim[i];

		if (c->port <= above || c->port >= EVD_NR_PORTS ||
		    c->kind > EVTCHNSTAT_ipi || c->watched > 1)
			return false;
		above = c->port;
	}
	return true;
}

void evd_claims(struct evd_conn *c, const struct evp_claims *m, size_t len)
{
	struct evd_att *a = c->att;

	if (!a->nr_claim_pages || !is_good(m, len)) {
		evd_doom(c, "bad CLAIM");
		return;
	}
	a->nr_claim_pages = m->last ? 0 : a->nr_claim_pages - 1;
	claim_all(a, m->claim, m->count);
	if (!m->last)
		return;
	evd_own_all(a);
	if (a->limit == EVP_DOMID_ANY)
		return;
	(void)evd_restrict(a, a->limit);
	evd_tell_place(a);
}

/* --- the domain's own (recall.c) --------------------------------------------- */

/* What was filled for those of one domain. */
static struct fill kept_fill;

struct evd_port *evd_reclaim(struct evd_dom *d, const struct evp_claim *m)
{
	if (!has_room(d, m->port, &kept_fill) ||
	    !reach(d, m->port, &kept_fill) || open_claimed(d, true, m))
		return NULL;
	return evd_port(d, m->port);
}

void evd_reclaim_over(struct evd_dom *d)
{
	unfill(d, &kept_fill);
	kept_fill = (struct fill){.taken = {0}};
}

void evd_reclaimed(struct evd_port *p, const struct evp_claim *m, bool parked)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = p->port};
	struct evd_port *peer = NULL;

	p->claimed = true;
	if (!evc_status(&p->dom->core, &st) &&
	    st.status == EVTCHNSTAT_interdomain)
		peer = evd_port(
			evd_dom_find(p->dom->broker, st.u.interdomain.dom),
			st.u.interdomain.port);
	/* What there was without us we cannot know; the core's event is none. */
	p->parked = parked || m->kind == EVTCHNSTAT_virq ||
		    (peer && !peer->kept);
	if (m->kind == EVTCHNSTAT_interdomain && waits_for(p, m->domid))
		expect(p, m);
	evd_kept_note(p);
}

/* --- who we are ------------------------------------------------------------- */

/* No two brokers of one machine have, or use, the same numbers. */
void evd_number_broker(struct evd_broker *b)
{
	b->id = (uint64_t)evp_now();
	b->last_id = b->id;
	/* Odd.  Without random numbers (an early boot) it is only unlikely. */
	if (getrandom(&multiplier, sizeof(multiplier), GRND_NONBLOCK) < 0)
		multiplier = b->id * UINT64_C(0x9e3779b97f4a7c15);
	multiplier |= 1;
}
