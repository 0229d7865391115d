/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls: the bytes of a message are the memory the core decodes from and
 * answers into.  The core sees what the peer sent, hostile or not.
 *
 * A session asks as well: a tool that looks at its domain from outside, as one
 * with a privileged command device does on Xen.  It owns no ports: what it opens
 * belongs to the longest-attached, and it may close or send on any of the domain.
 *
 * A reset that wants a break is continued by loop.c after the others had their
 * turn; its connection is not read meanwhile.
 */
#include <string.h>

#include "broker.h"
#include "width.h"
#include "evc_host.h"

static int execute(struct evd_conn *c, uint32_t cmd, struct evp_result *r)
{
	struct evd_broker *b = c->broker;
	int rc;

	b->caller = c->att;
	b->arg = r->arg;
	b->arg_len = r->arg_len;
	rc = evc_hypercall(&c->dom->vcpu[0], cmd, EVD_ARG_ADDR);
	b->arg = NULL;
	evd_links_sync(b);
	b->caller = NULL;

	return rc;
}

union argument {
	struct evtchn_alloc_unbound alloc;
	struct evtchn_bind_interdomain bind;
	struct evtchn_bind_ipi ipi;
	struct evtchn_bind_pirq pirq;
	struct evtchn_bind_vcpu vcpu;
	struct evtchn_bind_virq virq;
	struct evtchn_reset reset;
	struct evtchn_send send;
	evtchn_port_t port; /* of those that are about one */
};

static void get_argument(union argument *a, const struct evp_result *r)
{
	_Static_assert(sizeof(*a) <= sizeof(r->arg), "copied whole");
	memcpy(a, r->arg, sizeof(*a));
}

/* The core knows domains, not attachments: is the port the caller's? */
static bool is_foreign(const struct evd_conn *c, uint32_t cmd,
		       const struct evp_result *r)
{
	union argument a;

	if (!c->att || r->arg_len < sizeof(a.port))
		return false;
	get_argument(&a, r);
	switch (cmd) {
	case EVTCHNOP_close:
	case EVTCHNOP_send:
	case EVTCHNOP_bind_vcpu:
	case EVTCHNOP_unmask:
	case EVTCHNOP_set_priority:
		return !evd_may_use(c->att, a.port);
	default: /* a number, not a state: is not about a port one owns */
		return false;
	}
}

/*
 * The core counts the vCPUs of a domain, and there it has as many as there can
 * be; here they are an attachment's, as its shared_info is, and a session's one.
 * Others than these do not exist for the caller.  Where the core finds another
 * mistake first, it is left to it.
 */
static bool is_without_vcpu(const struct evd_conn *c, uint32_t cmd,
			    const struct evp_result *r)
{
	uint32_t nr = c->att ? c->att->nr_vcpus : 1;
	union argument a;

	get_argument(&a, r);
	switch (cmd) {
	case EVTCHNOP_bind_ipi:
		return r->arg_len >= sizeof(a.ipi) && a.ipi.vcpu >= nr;
	case EVTCHNOP_bind_vcpu:
		return r->arg_len >= sizeof(a.vcpu) && a.vcpu.vcpu >= nr;
	case EVTCHNOP_bind_virq:
		return r->arg_len >= sizeof(a.virq) && a.virq.vcpu >= nr &&
		       evd_virq_is_of_vcpu(a.virq.virq);
	default: /* a number, not a state: names no vCPU */
		return false;
	}
}

/* A reset in another domain, or a port made there: which? */
static struct evd_dom *named(const struct evd_conn *c, domid_t domid)
{
	return domid == DOMID_SELF ? c->dom : evd_dom_find(c->broker, domid);
}

/* Whose is what @c opens in its own domain?  NULL: nobody's yet. */
static struct evd_att *opener(const struct evd_conn *c)
{
	return c->att ? c->att : evd_first_att(c->dom);
}

/* A control domain does not own what it makes for others. */
static void own_allocated(struct evd_conn *c,
			  const struct evtchn_alloc_unbound *op)
{
	struct evd_dom *d = named(c, op->dom);

	struct evd_att *a;

	if (!d)
		return;
	a = d == c->dom ? opener(c) : evd_first_att(d);
	evd_own(d, op->port, a);
	if (a && a != c->att)
		evd_tell_given(a, op->port);
}

static void own(struct evd_conn *c, evtchn_port_t port)
{
	struct evd_att *a = opener(c);

	evd_own(c->dom, port, a);
	if (a && a != c->att)
		evd_tell_given(a, port);
}

/* Whoever had it with a former broker lost it. */
static void take_from_half(struct evd_conn *c,
			   const struct evtchn_bind_interdomain *op)
{
	struct evd_dom *d = named(c, op->remote_dom);
	struct evd_port *p = d ? evd_port(d, op->remote_port) : NULL;

	if (p)
		evd_half_lose(p);
}

static void own_ipi(struct evd_conn *c, evtchn_port_t port)
{
	struct evp_local m = {.port = port, .peer = port};
	struct evd_att *a = opener(c);

	own(c, port);
	if (!a)
		return;
	evp_hdr_init(&m.hdr, EVP_LOCAL, sizeof(m), 0);
	evd_send(a->conn, &m, sizeof(m), NULL, 0);
}

/* Its own domain: all its ports are closed, and so it is as new. */
static void end_reset(struct evd_conn *c, const struct evp_result *r)
{
	union argument a;

	get_argument(&a, r);
	if (c->att && !r->rc && named(c, a.reset.dom) == c->dom)
		evd_be_2l(c->att);
}

/* What was opened or connected by this?  Its news precedes the result. */
static void follow_up(struct evd_conn *c, uint32_t cmd,
		      const struct evp_result *r)
{
	union argument a;

	get_argument(&a, r);
	switch (cmd) {
	case EVTCHNOP_alloc_unbound:
		own_allocated(c, &a.alloc);
		break;
	case EVTCHNOP_bind_interdomain:
		own(c, a.bind.local_port);
		take_from_half(c, &a.bind);
		evd_link_try(c->dom, a.bind.local_port);
		break;
	case EVTCHNOP_bind_virq:
		own(c, a.virq.port);
		break;
	case EVTCHNOP_bind_pirq:
		own(c, a.pirq.port);
		break;
	case EVTCHNOP_bind_ipi:
		own_ipi(c, a.ipi.port);
		break;
	case EVTCHNOP_reset:
		end_reset(c, r);
		break;
	case EVTCHNOP_send:
		/* It came here because it has no link, or no longer. */
		evd_link_try(c->dom, a.send.port);
		break;
	default: /* a number, not a state: opens and connects nothing */
		break;
	}
}

/* Closed for its owner, while somebody has still to send on it? */
static bool is_shut(struct evd_conn *c, uint32_t cmd,
		    const struct evp_result *r)
{
	union argument a;

	if (cmd != EVTCHNOP_close || r->arg_len < sizeof(a.port))
		return false;
	get_argument(&a, r);
	return evd_port_shut(c->dom, a.port);
}

/* A port more, of those the domain's user may have? */
static bool is_too_much(const struct evd_conn *c, uint32_t cmd)
{
	switch (cmd) {
	case EVTCHNOP_alloc_unbound:
	case EVTCHNOP_bind_interdomain:
	case EVTCHNOP_bind_ipi:
	case EVTCHNOP_bind_pirq:
	case EVTCHNOP_bind_virq:
		return !evd_may_have(c->broker, c->dom->account->uid, EVD_PORTS,
				     1);
	default: /* a number, not a state: opens no port */
		return false;
	}
}

static int perform(struct evd_conn *c, uint32_t cmd, struct evp_result *r)
{
	if (cmd == EVTCHNOP_init_control && c->att)
		return evd_init_control(c->att, r);
	if (evd_is_off_limits(c->att, cmd, r))
		return -XEN_EACCES;
	if (is_foreign(c, cmd, r))
		return -XEN_ENOTCONN;
	if (is_without_vcpu(c, cmd, r))
		return -XEN_ENOENT;
	if (is_too_much(c, cmd))
		return -XEN_ENOSPC;
	return is_shut(c, cmd, r) ? 0 : execute(c, cmd, r);
}

int evd_call(struct evd_conn *c, uint32_t cmd, void *op, size_t len)
{
	struct evp_result r = {.arg_len = (uint32_t)len};
	union argument a;
	int rc;

	memcpy(r.arg, op, len);
	c->broker->any_number = true;
	rc = perform(c, cmd, &r);
	c->broker->any_number = false;
	memcpy(op, r.arg, len);
	get_argument(&a, &r);
	if (!rc && cmd == EVTCHNOP_bind_interdomain)
		take_from_half(c, &a.bind);
	return rc;
}

static void answer(struct evd_conn *c, struct evp_result *r, uint32_t seq)
{
	size_t len = offsetof(struct evp_result, arg) + r->arg_len;

	evp_hdr_init(&r->hdr, EVP_RESULT, len, seq);
	evd_send(c, r, len, NULL, 0);
}

void evd_hypercall(struct evd_conn *c, const struct evp_hypercall *m)
{
	struct evp_result *r = &c->reset;

	memset(r, 0, sizeof(*r));
	r->arg_len = m->arg_len;
	memcpy(r->arg, m->arg, m->arg_len);
	r->rc = -XEN_ENOSYS;
	if (m->nr == __HYPERVISOR_event_channel_op)
		r->rc = perform(c, m->cmd, r);
	else if (m->nr == __HYPERVISOR_physdev_op)
		r->rc = evd_physdev(c, m->cmd, r);
	if (r->rc == -XEN_ERESTART) {
		c->resetting = true;
		c->broker->nr_resetting++;
		c->reset_seq = m->hdr.seq;
		return;
	}
	if (r->rc == 0 && m->nr == __HYPERVISOR_event_channel_op)
		follow_up(c, m->cmd, r);
	answer(c, r, m->hdr.seq);
}

void evd_hypercall_continue(struct evd_conn *c)
{
	c->reset.rc = execute(c, EVTCHNOP_reset_cont, &c->reset);
	if (c->reset.rc == -XEN_ERESTART)
		return;
	c->resetting = false;
	c->broker->nr_resetting--;
	end_reset(c, &c->reset);
	answer(c, &c->reset, c->reset_seq);
}

void evd_hypercall_abandon(struct evd_conn *c)
{
	union argument a;
	struct evd_dom *d;

	if (!c->resetting)
		return;
	get_argument(&a, &c->reset);
	c->broker->nr_resetting--;
	d = named(c, a.reset.dom);
	if (!d || d->work == EVD_DESTROY)
		return;
	evd_dom_begin(d, EVD_CLEAR);
	d->reset_left = true;
}
