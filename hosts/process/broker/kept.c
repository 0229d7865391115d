/* SPDX-License-Identifier: MIT */
/*
 * Ports of the domain itself: what a shell script works with.
 *
 * A port that an attachment opened is closed when it ends, which for a command
 * in a script is at once.  So a session may have ports that belong to no
 * attachment: they live as long as the domain, are numbered like all others,
 * and may have a name.  Nobody else in the domain may use them, nobody's lane
 * leads to them: an event on one is `parked' in the broker, one bit as ever,
 * and is given to the first that asks for it with WAIT.  It is his when he has
 * said that he read the answer; if he dies before, the next one has it.  So
 * between two WAITs, and when a waiter dies or gives up, none is lost.  And all
 * of this is written down (state.c), for the next broker.
 *
 * Invariant: a kept port has no owner; it is open; one struct evd_kept and it
 * point at each other.
 *
 * Reading order: keeping, waiting, the operations.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "kept.h"
#include "state.h"
#include "evc_host.h"

struct evd_kept {
	struct evd_kept *next, **at; /* of the domain; @at: what points here */
	struct evd_port *port;
	struct evd_conn *waiters; /* the longest-waiting first */
	struct evd_port *peer;	  /* whose end changes ours */
	uint32_t slot;		  /* where it is written down; 0: nowhere */
	bool is_written;	  /* and that an event waits */
	char name[EVP_NAME_MAX];
};

const char *evd_kept_name(const struct evd_kept *k)
{
	return k->name;
}

/* --- refusing --------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static void
refuse(struct evd_conn *c, uint32_t seq, int rc, const char *format, ...)
{
	char text[EVP_TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	evd_refuse(c, seq, rc, text);
}

/* --- keeping ---------------------------------------------------------------- */

static struct evd_kept *find_name(const struct evd_dom *d, const char *name)
{
	struct evd_kept *k = d->kept;

	if (!*name)
		return NULL;
	while (k && strcmp(k->name, name) != 0)
		k = k->next;
	return k;
}

/* An event that waits, or was given to somebody who may not have read it. */
static bool has_event(const struct evd_port *p)
{
	const struct evd_conn *c = p->kept->waiters;

	while (c && !c->is_given)
		c = c->next_waiter;
	return p->parked || c;
}

/* The other end of @p; NULL: none. */
static struct evd_port *peer_of(const struct evd_port *p,
				const struct evtchn_status *st)
{
	struct evd_dom *d;

	if (st->status != EVTCHNSTAT_interdomain)
		return NULL;
	d = evd_dom_find(p->dom->broker, st->u.interdomain.dom);
	return d ? evd_port(d, st->u.interdomain.port) : NULL;
}

static void describe(struct evd_record *r, const struct evtchn_status *st)
{
	r->kind = (uint8_t)st->status;
	if (st->status == EVTCHNSTAT_unbound) {
		r->peer_domid = st->u.unbound.dom;
	} else if (st->status == EVTCHNSTAT_interdomain) {
		r->peer_domid = st->u.interdomain.dom;
		r->number = st->u.interdomain.port;
	} else if (st->status == EVTCHNSTAT_virq) {
		r->number = st->u.virq;
	}
}

static void set_peer(struct evd_port *p, struct evd_port *peer)
{
	struct evd_kept *k = p->kept;

	if (k->peer && k->peer->bound_by == p)
		k->peer->bound_by = NULL;
	k->peer = peer;
	if (peer)
		peer->bound_by = p;
}

void evd_kept_note(struct evd_port *p)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = p->port};
	struct evd_kept *k = p->kept;
	struct evd_record r = {.type = EVD_RECORD_PORT,
			       .domid = p->dom->core.domid,
			       .port = p->port,
			       .uid = p->dom->account->uid};
	struct evd_port *peer;

	if (!k || evc_status(&p->dom->core, &st))
		return;
	peer = peer_of(p, &st);
	set_peer(p, peer);
	/* An interrupt line does not come back by itself. */
	if (st.status == EVTCHNSTAT_pirq || st.status == EVTCHNSTAT_closed)
		return;
	describe(&r, &st);
	r.parked = k->is_written = has_event(p);
	if (peer && peer->att)
		r.pid = (uint32_t)peer->att->conn->pid;
	memcpy(r.name, k->name, sizeof(r.name));
	k->slot = evd_state_save(p->dom->broker, k->slot, &r);
}

/* Only the event, which comes and goes more often than all else. */
static void note_event(struct evd_port *p)
{
	if (p->kept->is_written != has_event(p))
		evd_kept_note(p);
}

/* @p is open and nobody's.  -ENOMEM */
static struct evd_kept *attend(struct evd_port *p, const char *name)
{
	struct evd_kept *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	evp_copy_name(k->name, name);
	k->port = p;
	k->next = p->dom->kept;
	k->at = &p->dom->kept;
	if (k->next)
		k->next->at = &k->next;
	p->dom->kept = k;
	p->kept = k;
	return k;
}

static int keep(struct evd_port *p, const char *name)
{
	if (!attend(p, name))
		return -ENOMEM;
	evd_kept_note(p);
	return 0;
}

bool evd_kept_again(struct evd_port *p, const char *name, uint32_t slot)
{
	struct evd_kept *k = attend(p, name);

	if (!k)
		return false;
	p->att = NULL;
	k->slot = slot;
	k->is_written = true;
	return true;
}

/* May @c know of port @e of @d?  One for its own domain it was told of. */
static bool may_know(const struct evd_conn *c, const struct evd_dom *d,
		     const struct evp_port_entry *e)
{
	struct evd_view view;

	if (d == c->dom || ((e->status == EVTCHNSTAT_unbound ||
			     e->status == EVTCHNSTAT_interdomain) &&
			    e->peer_domid == c->dom->core.domid))
		return true;
	evd_policy_look(c, &view);
	return evd_policy_sees(&view, d);
}

/* An open port, by its number or else its name; or NULL, and it was refused. */
static struct evd_port *find_port(struct evd_conn *c, struct evd_dom *d,
				  const struct evp_port_req *m,
				  struct evp_port_entry *e)
{
	const struct evd_kept *k = m->port ? NULL : find_name(d, m->name);
	evtchn_port_t port = k ? k->port->port : m->port;

	if (evd_list_port(d, port, e) && may_know(c, d, e))
		return evd_port(d, port);
	if (m->port)
		refuse(c, m->hdr.seq, -ENOENT, "domain %u has no port %u",
		       d->core.domid, m->port);
	else
		refuse(c, m->hdr.seq, -ENOENT,
		       "domain %u has no port with the name '%s'",
		       d->core.domid, m->name);
	return NULL;
}

/* May sessions use it?  If not, it was refused. */
static bool is_common(struct evd_conn *c, const struct evd_port *p,
		      const struct evp_port_entry *e, uint32_t seq)
{
	if (!p->att && !p->orphan)
		return true;
	refuse(c, seq, -EBUSY,
	       "port %u of domain %u belongs to process %u, '%s'", e->port,
	       e->domid, e->pid, e->name);
	return false;
}

/* A port this session may use, kept from now on; or NULL, and it was refused. */
static struct evd_port *get_port(struct evd_conn *c,
				 const struct evp_port_req *m,
				 struct evp_port_entry *e)
{
	struct evd_port *p = find_port(c, c->dom, m, e);

	if (!p || !is_common(c, p, e, m->hdr.seq))
		return NULL;
	if (!p->kept && keep(p, "")) {
		refuse(c, m->hdr.seq, -ENOMEM, "no memory in the broker");
		return NULL;
	}
	return p;
}

/* --- waiting ---------------------------------------------------------------- */

/* It waits for @c->awaits no more, and had its answer or gets none. */
static void stop_waiting(struct evd_conn *c)
{
	struct evd_conn **at = &c->awaits->waiters;

	while (*at != c)
		at = &(*at)->next_waiter;
	*at = c->next_waiter;
	c->awaits = NULL;
	c->is_given = false;
}

static void tell(struct evd_conn *c, int rc)
{
	struct evp_waited m = {.rc = rc};

	evp_hdr_init(&m.hdr, EVP_WAITED, sizeof(m), c->wait_seq);
	evd_send(c, &m, sizeof(m), NULL, 0);
}

static void end_wait(struct evd_conn *c, int rc)
{
	bool is_told = c->is_given;

	stop_waiting(c);
	if (!is_told)
		tell(c, rc);
}

static struct evd_conn *first_waiter(const struct evd_kept *k)
{
	struct evd_conn *c = k->waiters;

	while (c && (c->is_given || c->doomed))
		c = c->next_waiter;
	return c;
}

/* He stays in the queue until he has read it. */
void evd_kept_post(struct evd_port *p)
{
	struct evd_conn *c = p->parked ? first_waiter(p->kept) : NULL;

	if (c) {
		p->parked = false;
		c->is_given = true;
		tell(c, 0);
	}
	note_event(p);
}

void evd_kept_took(struct evd_conn *c)
{
	struct evd_port *p = c->awaits->port;

	stop_waiting(c);
	note_event(p);
}

void evd_kept_closed(struct evd_port *p)
{
	struct evd_kept *k = p->kept;
	struct evd_port *other = p->bound_by;

	evd_counts_closed(p);
	if (other) {
		p->bound_by = other->kept->peer = NULL;
		evd_kept_note(other);
	}
	if (!k)
		return;
	set_peer(p, NULL);
	evd_state_drop(p->dom->broker, k->slot);
	while (k->waiters)
		end_wait(k->waiters, -EIDRM);
	*k->at = k->next;
	if (k->next)
		k->next->at = k->at;
	p->kept = NULL;
	free(k);
}

void evd_kept_forget(struct evd_conn *c)
{
	struct evd_port *p = c->awaits ? c->awaits->port : NULL;
	bool had_event = c->is_given;

	if (!p)
		return;
	stop_waiting(c);
	/* He may not have read it: the next one has it. */
	if (!had_event)
		return;
	p->parked = true;
	evd_kept_post(p);
}

void evd_on_wait(struct evd_conn *c, const struct evp_wait_req *m)
{
	struct evp_port_req which = {.hdr = m->hdr, .port = m->port};
	struct evp_port_entry e;
	struct evd_conn **at;
	struct evd_port *p;

	if (c->awaits) {
		evd_doom(c, "a second WAIT");
		return;
	}
	p = get_port(c, &which, &e);
	if (!p)
		return;
	c->awaits = p->kept;
	c->wait_seq = m->hdr.seq;
	c->next_waiter = NULL;
	for (at = &p->kept->waiters; *at;)
		at = &(*at)->next_waiter;
	*at = c;
	evd_kept_post(p);
}

/* --- operations ------------------------------------------------------------- */

/* A port of another domain; or NULL, and it was refused. */
static struct evd_port *find_remote(struct evd_conn *c,
				    const struct evp_port_req *m,
				    struct evp_port_entry *e)
{
	struct evd_dom *d = evd_dom_find(c->broker, m->domid);

	if (d)
		return find_port(c, d, m, e);
	refuse(c, m->hdr.seq, -ENOENT, "there is no domain %u", m->domid);
	return NULL;
}

static void answer(struct evd_conn *c, const struct evp_port_entry *e,
		   uint32_t seq)
{
	struct evp_port_is m = {.entry = *e};

	evp_hdr_init(&m.hdr, EVP_PORT_IS, sizeof(m), seq);
	evd_send(c, &m, sizeof(m), NULL, 0);
}

static bool is_name_free(struct evd_conn *c, const struct evp_port_req *m)
{
	const struct evd_kept *k = find_name(c->dom, m->name);

	if (k)
		refuse(c, m->hdr.seq, -EEXIST,
		       "port %u of domain %u has the name '%s' already",
		       k->port->port, c->dom->core.domid, m->name);
	return !k;
}

/* Keep what was just opened, and say so. */
static void finish_open(struct evd_conn *c, const struct evp_port_req *m,
			evtchn_port_t port)
{
	struct evp_port_entry e;
	struct evd_port *p = evd_port(c->dom, port);

	p->att = NULL;
	if (keep(p, m->name)) {
		(void)evc_close(&c->dom->core, port);
		evd_links_sync(c->broker);
		refuse(c, m->hdr.seq, -ENOMEM, "no memory in the broker");
		return;
	}
	(void)evd_list_port(c->dom, port, &e);
	answer(c, &e, m->hdr.seq);
}

static void do_alloc(struct evd_conn *c, const struct evp_port_req *m)
{
	struct evtchn_alloc_unbound op = {.dom = DOMID_SELF,
					  .remote_dom = m->domid};
	int rc;

	if (!is_name_free(c, m))
		return;
	rc = evd_call(c, EVTCHNOP_alloc_unbound, &op, sizeof(op));
	if (rc == -ENOSPC)
		refuse(c, m->hdr.seq, rc, "domain %u has no port left",
		       c->dom->core.domid);
	else if (rc)
		refuse(c, m->hdr.seq, rc,
		       "domain %u cannot have a port for domain %u",
		       c->dom->core.domid, m->domid);
	else
		finish_open(c, m, op.port);
}

/* Why a port of another domain, @e, cannot be bound. */
static void refuse_bind(struct evd_conn *c, const struct evp_port_req *m,
			const struct evp_port_entry *e, int rc)
{
	if (e->status == EVTCHNSTAT_interdomain)
		refuse(c, m->hdr.seq, -EBUSY,
		       "port %u of domain %u is connected to port %u of domain "
		       "%u",
		       e->port, e->domid, e->peer, e->peer_domid);
	else if (rc == -ENOSPC)
		refuse(c, m->hdr.seq, rc, "domain %u has no port left",
		       c->dom->core.domid);
	else
		refuse(c, m->hdr.seq, rc,
		       "port %u of domain %u is not for domain %u to bind",
		       e->port, e->domid, c->dom->core.domid);
}

static void do_bind(struct evd_conn *c, const struct evp_port_req *m)
{
	struct evtchn_bind_interdomain op = {.remote_dom = m->domid,
					     .remote_port = m->port};
	struct evp_port_req which = {
		.hdr = m->hdr, .domid = m->domid, .port = m->port};
	struct evp_port_entry e;
	int rc;

	if (!is_name_free(c, m) || !find_remote(c, &which, &e))
		return;
	rc = evd_call(c, EVTCHNOP_bind_interdomain, &op, sizeof(op));
	if (rc)
		refuse_bind(c, m, &e, rc);
	else
		finish_open(c, m, op.local_port);
}

/* Whether it merged with another is the receiver's knowledge. */
static void count_sent(struct evd_port *p)
{
	struct evp_port_counts *n = evd_counts_of(p);

	if (n)
		evp_count(&n->sent[EVP_SET]);
}

/* SEND and CLOSE: of a port of one's own. */
static void do_own(struct evd_conn *c, const struct evp_port_req *m)
{
	bool closes = m->op == EVP_PORT_CLOSE;
	struct evp_port_entry e;
	struct evd_port *p = get_port(c, m, &e);
	struct evtchn_send op;
	int rc;

	_Static_assert(sizeof(struct evtchn_close) == sizeof(op), "alike");
	if (!p)
		return;
	op.port = e.port;
	rc = evd_call(c, closes ? EVTCHNOP_close : EVTCHNOP_send, &op,
		      sizeof(op));
	if (!rc && !closes)
		count_sent(p);
	if (rc)
		refuse(c, m->hdr.seq, rc, "port %u of domain %u cannot be %s",
		       e.port, e.domid, closes ? "closed" : "notified");
	else
		answer(c, &e, m->hdr.seq);
}

static void do_find(struct evd_conn *c, const struct evp_port_req *m)
{
	struct evp_port_entry e;

	if (find_remote(c, m, &e))
		answer(c, &e, m->hdr.seq);
}

/*
 * The local end of a connected port, or one made for the moment.  0: refused.
 */
static evtchn_port_t get_end(struct evd_conn *c, const struct evp_port_req *m,
			     const struct evp_port_entry *remote)
{
	struct evtchn_bind_interdomain op = {.remote_dom = m->domid,
					     .remote_port = remote->port};
	struct evp_port_entry e;
	int rc;

	if (remote->status == EVTCHNSTAT_interdomain &&
	    remote->peer_domid == c->dom->core.domid &&
	    evd_list_port(c->dom, remote->peer, &e))
		return is_common(c, evd_port(c->dom, e.port), &e, m->hdr.seq)
			       ? e.port
			       : 0;
	rc = evd_call(c, EVTCHNOP_bind_interdomain, &op, sizeof(op));
	if (!rc)
		return op.local_port;
	refuse_bind(c, m, remote, rc);
	return 0;
}

/* One step for all others, so commands of one domain do not get in each other's way. */
static void do_notify(struct evd_conn *c, const struct evp_port_req *m)
{
	struct evp_port_entry e;
	struct evtchn_send op;

	if (!find_remote(c, m, &e))
		return;
	op.port = get_end(c, m, &e);
	if (!op.port)
		return;
	(void)evd_call(c, EVTCHNOP_send, &op, sizeof(op));
	count_sent(evd_port(c->dom, op.port));
	if (e.status == EVTCHNSTAT_unbound)
		(void)evd_call(c, EVTCHNOP_close, &op, sizeof(op));
	answer(c, &e, m->hdr.seq);
}

void evd_on_port(struct evd_conn *c, const struct evp_port_req *m)
{
	switch ((enum evp_port_op)m->op) {
	case EVP_PORT_ALLOC:
		do_alloc(c, m);
		return;
	case EVP_PORT_BIND:
		do_bind(c, m);
		return;
	case EVP_PORT_SEND:
	case EVP_PORT_CLOSE:
		do_own(c, m);
		return;
	case EVP_PORT_FIND:
		do_find(c, m);
		return;
	case EVP_PORT_NOTIFY:
		do_notify(c, m);
		return;
	case EVP_PORT_CANCEL:
		if (c->awaits && !c->is_given)
			end_wait(c, -ECANCELED);
		return;
	case EVP_PORT_TOOK: /* evd_kept_took() was called */
		return;
	}
	evd_doom(c, "bad PORT");
}
