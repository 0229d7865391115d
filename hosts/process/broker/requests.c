/* SPDX-License-Identifier: MIT */
/*
 * Messages from peers: which are allowed when, how long they must be, and what
 * happens.  Everything here is hostile until checked: one table row per
 * message checks what is common, the handler the rest.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../proto_grant.h"
#include "broker.h"
#include "grants.h"
#include "width.h"
#include "kept.h"

union request {
	struct evp_hdr hdr;
	struct evp_hello hello;
	struct evp_reserve reserve;
	struct evp_attach_req attach;
	struct evp_adopt adopt;
	struct evp_hypercall hypercall;
	struct evp_domains domains;
	struct evp_list list;
	struct evp_dominfo dominfo;
	struct evp_link_msg link;
	struct evp_grant_region region;
	struct evp_grant_share share;
	struct evp_grant_unshare unshare;
	struct evp_grant_reshare reshare;
	struct evp_grant_map map;
	struct evp_grant_unmap unmap;
	struct evp_take_over take_over;
	struct evp_restrict restrict_to;
	struct evp_watch watch;
	struct evp_reattach reattach;
	struct evp_claims claims;
	struct evp_virq virq;
	struct evp_line line;
	struct evp_port_req port;
	struct evp_wait_req wait;
	struct evp_ask_counts ask_counts;
};

static void on_hello(struct evd_conn *c, const union request *r,
		     struct evp_packet *p)
{
	struct evp_welcome m = {.pid = (uint32_t)getpid()};

	(void)p;
	c->state = EVD_QUERY;
	evp_hdr_init(&m.hdr, EVP_WELCOME, sizeof(m), r->hdr.seq);
	evd_send(c, &m, sizeof(m), NULL, 0);
}

/* --- domains ---------------------------------------------------------------- */

static void refuse_domain(struct evd_conn *c, uint32_t seq, uint32_t domid,
			  int rc)
{
	char text[EVP_TEXT_MAX];

	if (rc == -EINVAL)
		(void)snprintf(text, sizeof(text),
			       "%u is no domain id: choose 0 to %u", domid,
			       DOMID_FIRST_RESERVED - 1);
	else if (rc == -ENOSPC)
		(void)snprintf(text, sizeof(text),
			       "this broker has its %u domains",
			       EVD_MAX_DOMAINS);
	else if (rc == -EACCES)
		(void)snprintf(text, sizeof(text),
			       "uid %lu may not be domain %u: the broker's "
			       "policy has to allow it",
			       (unsigned long)c->uid, domid);
	else if (rc == -EDQUOT)
		(void)snprintf(text, sizeof(text),
			       "uid %lu has its %lu domains: end one, or have "
			       "the policy's limit raised",
			       (unsigned long)c->account->uid,
			       (unsigned long)evd_limit(c->broker,
							c->account->uid,
							EVD_DOMAINS));
	else if (rc == -EBUSY)
		(void)snprintf(text, sizeof(text),
			       "domain %u has its %u attachments", domid,
			       EVD_MAX_ATTS);
	else
		(void)snprintf(text, sizeof(text), "no room for domain %u",
			       domid);
	evd_refuse(c, seq, rc, text);
}

/* Who came through a session can be its domain only, and need not name it. */
static bool may_be(struct evd_conn *c, uint32_t seq, uint32_t *domid)
{
	if (c->only_domid == EVP_DOMID_ANY)
		return true;
	if (*domid != EVP_DOMID_ANY && *domid != c->only_domid) {
		evd_refuse(c, seq, -EACCES,
			   "this session is for another domain");
		return false;
	}
	*domid = c->only_domid;
	return true;
}

static void on_reserve(struct evd_conn *c, const union request *m,
		       struct evp_packet *p)
{
	const struct evp_reserve *r = &m->reserve;
	struct evp_reserved a = {.broker = c->broker->id};
	uint32_t want = r->domid;
	struct evd_dom *d;
	int rc;

	(void)p;
	if (!evp_is_name(r->name)) {
		evd_doom(c, "bad RESERVE");
		return;
	}
	if (!may_be(c, m->hdr.seq, &want))
		return;
	rc = evd_dom_get(c, want, r->name, &d);
	if (rc) {
		refuse_domain(c, m->hdr.seq, want, rc);
		return;
	}
	evd_dom_hold(d, c);
	c->state = EVD_SESSION;
	a.domid = d->core.domid;
	evp_hdr_init(&a.hdr, EVP_RESERVED, sizeof(a), m->hdr.seq);
	evd_send(c, &a, sizeof(a), NULL, 0);
}

static void attach(struct evd_conn *c, const struct evp_attach_req *m,
		   bool back)
{
	uint32_t want = m->domid;
	struct evd_dom *d = NULL;
	int rc = may_be(c, m->hdr.seq, &want)
			 ? evd_dom_get(c, want, m->name, &d)
			 : 0;

	if (d)
		rc = d->nr_atts < EVD_MAX_ATTS ? evd_attach(c, d, m, back)
					       : -EBUSY;
	if (rc)
		refuse_domain(c, m->hdr.seq, want, rc);
	if (rc && d)
		evd_dom_unheld(d); /* made for somebody who did not come */
}

static bool is_good(const struct evp_attach_req *m)
{
	return evp_is_name(m->name) && m->nr_vcpus &&
	       m->nr_vcpus <= EVP_VCPUS_MAX;
}

static void on_attach(struct evd_conn *c, const union request *m,
		      struct evp_packet *p)
{
	(void)p;
	if (is_good(&m->attach))
		attach(c, &m->attach, false);
	else
		evd_doom(c, "bad ATTACH");
}

static void on_reattach(struct evd_conn *c, const union request *m,
			struct evp_packet *p)
{
	const struct evp_reattach *r = &m->reattach;

	(void)p;
	if (!is_good(&r->who) || r->who.domid >= DOMID_FIRST_RESERVED ||
	    r->fifo > 1) {
		evd_doom(c, "bad REATTACH");
	} else if (r->former == c->broker->id) {
		evd_refuse(c, m->hdr.seq, -EPERM,
			   "this broker ended that connection itself");
	} else {
		attach(c, &r->who, true);
	}
	if (c->att && r->fifo)
		evd_be_fifo(c->att);
	if (c->att)
		c->att->limit = r->limit; /* after the last claim */
	else
		evd_doom(c, NULL); /* its claims are under way */
}

static void on_claim(struct evd_conn *c, const union request *m,
		     struct evp_packet *p)
{
	evd_claims(c, &m->claims, p->len);
}

/* --- connections ------------------------------------------------------------ */

static void on_adopt(struct evd_conn *c, const union request *m,
		     struct evp_packet *p)
{
	if (p->nr_fds != 1 || !evp_is_seqpacket(p->fd[0]))
		evd_doom(c, "bad ADOPT");
	else if (evd_adopt(c, p->fd[0], m->hdr.seq))
		p->nr_fds = 0;
}

/* --- the rest --------------------------------------------------------------- */

static void on_hypercall(struct evd_conn *c, const union request *m,
			 struct evp_packet *p)
{
	const struct evp_hypercall *h = &m->hypercall;

	if (h->arg_len > EVP_ARG_MAX ||
	    p->len != offsetof(struct evp_hypercall, arg) + h->arg_len ||
	    h->vcpu != 0)
		evd_doom(c, "bad HYPERCALL");
	else
		evd_hypercall(c, h);
}

static void on_domains(struct evd_conn *c, const union request *m,
		       struct evp_packet *p)
{
	(void)p;
	evd_list_domains(c, &m->domains);
}

static void on_list(struct evd_conn *c, const union request *m,
		    struct evp_packet *p)
{
	(void)p;
	evd_list_ports(c, &m->list);
}

static void on_dominfo(struct evd_conn *c, const union request *m,
		       struct evp_packet *p)
{
	(void)p;
	if (c->dom->core.domid == 0)
		evd_list_dominfo(c, &m->dominfo);
	else
		evd_refuse(c, m->hdr.seq, -EPERM,
			   "only domain 0 may ask about all domains");
}

static void on_virq(struct evd_conn *c, const union request *m,
		    struct evp_packet *p)
{
	(void)p;
	evd_virq(c, &m->virq);
}

static void on_line(struct evd_conn *c, const union request *m,
		    struct evp_packet *p)
{
	/* Its descriptor is not taken over: evd_line() makes its own. */
	evd_line(c, &m->line, p->fd[0]);
}

static void on_permit(struct evd_conn *c, const union request *m,
		      struct evp_packet *p)
{
	(void)p;
	evd_permit(c, &m->line);
}

static void on_port(struct evd_conn *c, const union request *m,
		    struct evp_packet *p)
{
	(void)p;
	if (evp_is_name(m->port.name))
		evd_on_port(c, &m->port);
	else
		evd_doom(c, "bad PORT");
}

static void on_wait(struct evd_conn *c, const union request *m,
		    struct evp_packet *p)
{
	(void)p;
	evd_on_wait(c, &m->wait);
}

static void on_counts(struct evd_conn *c, const union request *m,
		      struct evp_packet *p)
{
	(void)m;
	p->nr_fds = 0;
	evd_on_counts(c, p->fd[0]);
}

static void on_ask_counts(struct evd_conn *c, const union request *m,
			  struct evp_packet *p)
{
	(void)p;
	evd_on_ask_counts(c, &m->ask_counts);
}

static void on_answer(struct evd_conn *c, const union request *m,
		      struct evp_packet *p)
{
	(void)p;
	if (!evd_link_answer(c->att, &m->link))
		evd_doom(c, "an answer to nothing");
}

static void on_take_over(struct evd_conn *c, const union request *m,
			 struct evp_packet *p)
{
	(void)p;
	evd_take_over(c, m->hdr.seq);
}

static void on_restrict(struct evd_conn *c, const union request *m,
			struct evp_packet *p)
{
	struct evp_result r = {
		.rc = evd_restrict(c->att, m->restrict_to.domid)};
	size_t len = offsetof(struct evp_result, arg);

	(void)p;
	evp_hdr_init(&r.hdr, EVP_RESULT, len, m->hdr.seq);
	evd_send(c, &r, len, NULL, 0);
}

/* --- grants ------------------------------------------------------------------ */

static void on_region(struct evd_conn *c, const union request *m,
		      struct evp_packet *p)
{
	evd_grant_region(c, &m->region, p);
}

static void on_share(struct evd_conn *c, const union request *m,
		     struct evp_packet *p)
{
	(void)p;
	evd_grant_share(c, &m->share);
}

static void on_reshare(struct evd_conn *c, const union request *m,
		       struct evp_packet *p)
{
	evd_grant_reshare(c, &m->reshare, p->len);
}

static void on_unshare(struct evd_conn *c, const union request *m,
		       struct evp_packet *p)
{
	evd_grant_unshare(c, &m->unshare, p->len);
}

static void on_map(struct evd_conn *c, const union request *m,
		   struct evp_packet *p)
{
	evd_grant_map(c, &m->map, p->len);
}

static void on_unmap(struct evd_conn *c, const union request *m,
		     struct evp_packet *p)
{
	(void)p;
	evd_grant_unmap(c, &m->unmap);
}

static void on_watch(struct evd_conn *c, const union request *m,
		     struct evp_packet *p)
{
	(void)p;
	evd_watch_peer(c, &m->watch);
}

/* --- dispatch --------------------------------------------------------------- */

#define IN(state) (1u << EVD_##state)

struct row {
	void (*handle)(struct evd_conn *c, const union request *m,
		       struct evp_packet *p);
	size_t len; /* the exact size, or the smallest if open */
	bool open;
	unsigned int states;
	unsigned int nr_fds;
};

static const struct row rows[] = {
	[EVP_HELLO] = {on_hello, sizeof(struct evp_hello), false, IN(NEW), 0},
	[EVP_RESERVE] = {on_reserve, sizeof(struct evp_reserve), false,
			 IN(QUERY), 0},
	[EVP_ATTACH] = {on_attach, sizeof(struct evp_attach_req), false,
			IN(QUERY), 0},
	[EVP_ADOPT] = {on_adopt, sizeof(struct evp_adopt), false, IN(SESSION),
		       1},
	[EVP_HYPERCALL] = {on_hypercall, offsetof(struct evp_hypercall, arg),
			   true, IN(SESSION) | IN(ATTACHED), 0},
	[EVP_DOMAINS] = {on_domains, sizeof(struct evp_domains), false,
			 IN(QUERY) | IN(SESSION), 0},
	[EVP_LIST] = {on_list, sizeof(struct evp_list), false,
		      IN(QUERY) | IN(SESSION), 0},
	[EVP_DOMINFO] = {on_dominfo, sizeof(struct evp_dominfo), false,
			 IN(SESSION), 0},
	[EVP_ACK] = {on_answer, sizeof(struct evp_link_msg), false,
		     IN(ATTACHED), 0},
	[EVP_CLEAN] = {on_answer, sizeof(struct evp_link_msg), false,
		       IN(ATTACHED), 0},
	[EVP_GRANT_REGION] = {on_region, sizeof(struct evp_grant_region), false,
			      IN(SESSION), 1},
	[EVP_GRANT_SHARE] = {on_share, sizeof(struct evp_grant_share), false,
			     IN(SESSION), 0},
	[EVP_GRANT_RESHARE] = {on_reshare,
			       offsetof(struct evp_grant_reshare, ref), true,
			       IN(SESSION), 0},
	[EVP_GRANT_UNSHARE] = {on_unshare,
			       offsetof(struct evp_grant_unshare, ref), true,
			       IN(SESSION), 0},
	[EVP_GRANT_MAP] = {on_map, offsetof(struct evp_grant_map, ref), true,
			   IN(SESSION), 0},
	[EVP_GRANT_UNMAP] = {on_unmap, sizeof(struct evp_grant_unmap), false,
			     IN(SESSION), 0},
	[EVP_TAKE_OVER] = {on_take_over, sizeof(struct evp_take_over), false,
			   IN(ATTACHED), 0},
	[EVP_RESTRICT] = {on_restrict, sizeof(struct evp_restrict), false,
			  IN(ATTACHED), 0},
	[EVP_WATCH] = {on_watch, sizeof(struct evp_watch), false, IN(ATTACHED),
		       0},
	[EVP_REATTACH] = {on_reattach, sizeof(struct evp_reattach), false,
			  IN(QUERY), 0},
	[EVP_CLAIM] = {on_claim, offsetof(struct evp_claims, claim), true,
		       IN(ATTACHED), 0},
	[EVP_VIRQ] = {on_virq, sizeof(struct evp_virq), false,
		      IN(QUERY) | IN(SESSION), 0},
	[EVP_LINE] = {on_line, sizeof(struct evp_line), false,
		      IN(QUERY) | IN(SESSION) | IN(ATTACHED), 1},
	[EVP_PERMIT] = {on_permit, sizeof(struct evp_line), false,
			IN(QUERY) | IN(SESSION) | IN(ATTACHED), 0},
	[EVP_PORT] = {on_port, sizeof(struct evp_port_req), false, IN(SESSION),
		      0},
	[EVP_COUNTS] = {on_counts, sizeof(struct evp_counts_msg), false,
			IN(ATTACHED), 1},
	[EVP_ASK_COUNTS] = {on_ask_counts, sizeof(struct evp_ask_counts), false,
			    IN(QUERY) | IN(SESSION), 0},
	[EVP_WAIT] = {on_wait, sizeof(struct evp_wait_req), false, IN(SESSION),
		      0},
};

#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

/* Who gave up its rights keeps what its open ports need. */
static bool is_for_limited(uint16_t type)
{
	return type == EVP_HYPERCALL || type == EVP_ACK || type == EVP_CLEAN ||
	       type == EVP_TAKE_OVER || type == EVP_RESTRICT ||
	       type == EVP_WATCH || type == EVP_COUNTS;
}

/* Who has more to claim has news already, which it answers. */
static bool is_for_claimer(const struct row *row)
{
	return row->handle == on_claim || row->handle == on_answer ||
	       row->handle == on_counts;
}

static const char *check(const struct evd_conn *c, const struct row *row,
			 const struct evp_packet *p)
{
	if (row->open ? p->len < row->len : p->len != row->len)
		return "a message of the wrong size";
	if (!(row->states & 1u << c->state) ||
	    (c->att && c->att->nr_claim_pages && !is_for_claimer(row)))
		return "a message at the wrong moment";
	if (c->att && c->att->is_limited && !is_for_limited(p->u.hdr.type))
		return "a message of one who gave that right up";
	if (p->nr_fds != row->nr_fds)
		return "a descriptor nobody asked for";
	return NULL;
}

/* It may have crossed the answer. */
static bool is_cancel(const union request *m)
{
	return m->hdr.type == EVP_PORT && m->port.op == EVP_PORT_CANCEL;
}

void evd_request(struct evd_conn *c, struct evp_packet *p)
{
	const union request *m = (const void *)p->u.bytes;
	const struct row *row = NULL;
	const char *why;

	if (m->hdr.version != EVP_VERSION) {
		evd_refuse(c, m->hdr.seq, -EPROTO,
			   "evtchnd and this program are of different "
			   "versions");
		evd_doom(c, "another version of the protocol");
		return;
	}
	if (m->hdr.type < NR_ROWS)
		row = &rows[m->hdr.type];
	if (!row || !row->handle) {
		evd_doom(c, "a message of unknown type");
		return;
	}
	why = check(c, row, p);
	if (!why && c->is_given && !is_cancel(m))
		evd_kept_took(c);
	if (why)
		evd_doom(c, why);
	else
		row->handle(c, m, p);
}
