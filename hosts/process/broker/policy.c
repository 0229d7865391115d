/* SPDX-License-Identifier: MIT */
/*
 * What the policy says about a peer: whether it is served, which domains it may
 * be, what it may see.
 *
 * A domain is its maker's while it lives.  Another user joins it only by a rule
 * that names its number by itself, as one does for domain 0; a range or "any"
 * is about domains that are free or one's own.
 *
 * Who came through a session (ADOPT) was let in by who opened it: its user does
 * not matter, it may be the session's domain and nothing else.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker.h"

void evd_policy_init(struct evd_policy *p)
{
	memset(p, 0, sizeof(*p));
	p->limit[EVD_CONNECTIONS] = 128;
	p->limit[EVD_DOMAINS] = 16;
	p->limit[EVD_PORTS] = 4096;
	p->limit[EVD_QUEUE] = 4u << 20;
	p->limit[EVD_DESCRIPTORS] = 512;
	p->limit[EVD_MAPPINGS] = 65536;
}

bool evd_is_privileged(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

uint64_t evd_limit(const struct evd_broker *b, uid_t uid,
		   enum evd_resource what)
{
	const struct evd_policy *p = b->policy;
	uint64_t limit;
	size_t i;

	if (!p || evd_is_privileged(uid))
		return UINT64_MAX;
	limit = p->limit[what];
	for (i = 0; i < p->nr_exceptions; i++) {
		if (p->exception[i].uid == uid && p->exception[i].what == what)
			limit = p->exception[i].limit;
	}
	return limit;
}

/* --- who is it -------------------------------------------------------------- */

/* As the peer was when it connected.  Valid until the next call. */
static bool identify(int fd, struct evd_peer *p)
{
	static gid_t groups[NGROUPS_MAX];
	socklen_t len = sizeof(groups);
	struct ucred cred;
	socklen_t cred_len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len))
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len))
		len = 0;
	*p = (struct evd_peer){.uid = cred.uid,
			       .gid = cred.gid,
			       .groups = groups,
			       .nr_groups = len / sizeof(*groups)};
	return true;
}

static bool is_in_group(const struct evd_peer *p, gid_t gid)
{
	size_t i;

	for (i = 0; i < p->nr_groups; i++) {
		if (p->groups[i] == gid)
			return true;
	}
	return p->gid == gid;
}

static bool is_about(const struct evd_rule *r, const struct evd_peer *p)
{
	switch (r->who) {
	case EVD_USER:
		return r->id == p->uid;
	case EVD_GROUP:
		return is_in_group(p, r->id);
	case EVD_EVERYBODY:
		break;
	}
	return true;
}

static bool is_anywhere(const struct evd_policy *policy,
			const struct evd_peer *p)
{
	size_t i;

	for (i = 0; policy && i < policy->nr_rules; i++) {
		if (is_about(&policy->rule[i], p))
			return true;
	}
	return false;
}

bool evd_policy_admits(const struct evd_broker *b, int fd)
{
	struct evd_peer p;

	return identify(fd, &p) &&
	       (evd_is_privileged(p.uid) || is_anywhere(b->policy, &p));
}

/* --- which domains ---------------------------------------------------------- */

enum allowed {
	NO,
	IF_FREE,
	BY_NUMBER
};

static enum allowed allowed(const struct evd_policy *policy,
			    const struct evd_peer *p, uint32_t domid)
{
	enum allowed best = NO;
	size_t i;

	for (i = 0; policy && i < policy->nr_rules; i++) {
		const struct evd_rule *r = &policy->rule[i];

		if (r->list || domid < r->first || domid > r->last ||
		    !is_about(r, p))
			continue;
		if (r->first == r->last)
			return BY_NUMBER;
		best = IF_FREE;
	}
	return best;
}

static bool may_be(const struct evd_broker *b, const struct evd_peer *p,
		   uint32_t domid)
{
	const struct evd_dom *d = evd_dom_find(b, domid);

	switch (allowed(b->policy, p, domid)) {
	case NO:
		return false;
	case IF_FREE:
		return !d || d->account->uid == p->uid;
	case BY_NUMBER:
		break;
	}
	return true;
}

/* Everything is this peer's own business: let in by a session, or privileged. */
static bool is_settled(const struct evd_conn *c, uint32_t domid, bool *may)
{
	bool adopted = c->only_domid != EVP_DOMID_ANY;

	*may = !adopted || domid == c->only_domid;
	return adopted || evd_is_privileged(c->uid);
}

bool evd_policy_domain(const struct evd_conn *c, uint32_t domid)
{
	struct evd_peer p;
	bool may;

	if (is_settled(c, domid, &may))
		return may;
	return identify(c->fd, &p) && may_be(c->broker, &p, domid);
}

/* The lowest from @domid up, or DOMID_FIRST_RESERVED. */
static uint32_t next_allowed(const struct evd_policy *policy,
			     const struct evd_peer *p, uint32_t domid)
{
	uint32_t from, next = DOMID_FIRST_RESERVED;
	size_t i;

	for (i = 0; policy && i < policy->nr_rules; i++) {
		const struct evd_rule *r = &policy->rule[i];

		from = r->first > domid ? r->first : domid;
		if (!r->list && from <= r->last && from < next &&
		    is_about(r, p))
			next = from;
	}
	return next;
}

uint32_t evd_policy_free_domid(const struct evd_conn *c)
{
	bool may, all = is_settled(c, 1, &may);
	uint32_t domid;
	struct evd_peer p;

	if (!all && !identify(c->fd, &p))
		return EVP_DOMID_ANY;
	/* At most EVD_MAX_DOMAINS are taken, and EVD_MAX_RULES gaps skipped. */
	for (domid = 1; domid < DOMID_FIRST_RESERVED; domid++) {
		if (!all)
			domid = next_allowed(c->broker->policy, &p, domid);
		if (!evd_dom_find(c->broker, domid))
			break;
	}
	return domid < DOMID_FIRST_RESERVED ? domid : EVP_DOMID_ANY;
}

/* --- what is seen ----------------------------------------------------------- */

static bool sees_all(const struct evd_policy *policy, const struct evd_peer *p)
{
	size_t i;

	for (i = 0; policy && i < policy->nr_rules; i++) {
		if (policy->rule[i].list && is_about(&policy->rule[i], p))
			return true;
	}
	return false;
}

static bool sees_everything(const struct evd_conn *c, const struct evd_peer *p)
{
	if (evd_is_privileged(c->uid))
		return evd_is_privileged(c->account->uid);
	return c->only_domid == EVP_DOMID_ANY && sees_all(c->broker->policy, p);
}

void evd_policy_look(const struct evd_conn *c, struct evd_view *v)
{
	memset(v, 0, sizeof(*v));
	v->conn = c;
	v->all = identify(c->fd, &v->peer) && sees_everything(c, &v->peer);
}

bool evd_policy_sees(const struct evd_view *v, const struct evd_dom *d)
{
	const struct evd_conn *c = v->conn;

	if (v->all)
		return true;
	if (c->only_domid != EVP_DOMID_ANY)
		return d->core.domid == c->only_domid;
	return d->account == c->account ||
	       allowed(c->broker->policy, &v->peer, d->core.domid) == BY_NUMBER;
}

/* --- another policy --------------------------------------------------------- */

/* Who came by a session goes with it. */
static bool is_still_allowed(const struct evd_conn *c)
{
	if (c->only_domid != EVP_DOMID_ANY)
		return true;
	if (!evd_policy_admits(c->broker, c->fd))
		return false;
	return !c->dom || evd_policy_domain(c, c->dom->core.domid);
}

static void end_session(const struct evd_conn *session)
{
	struct evd_conn *c;

	for (c = session->broker->conns; c; c = c->next) {
		if (c->session == session->id)
			evd_doom(c, "its session is not allowed any more");
	}
}

static void apply(struct evd_broker *b)
{
	struct evd_conn *c;

	for (c = b->conns; c; c = c->next) {
		if (c->doomed || is_still_allowed(c))
			continue;
		end_session(c);
		evd_doom(c, "the new policy does not allow it");
	}
}

void evd_policy_reload(struct evd_broker *b)
{
	struct evd_policy *new = malloc(sizeof(*new));
	char error[512] = "no memory";

	if (!new ||
	    !evd_policy_read(new, b->policy_path, error, sizeof(error))) {
		free(new);
		evd_log(NULL, "%s; the old policy stays", error);
		return;
	}
	free(b->policy);
	b->policy = new;
	evd_log(NULL, "%s: read again", b->policy_path);
	apply(b);
}
