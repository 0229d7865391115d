/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls: the bytes of a message are the memory the core decodes from and
 * answers into.  The core sees what the peer sent, hostile or not.
 *
 * A reset that wants a break is continued by loop.c after the others had their
 * turn; its connection is not read meanwhile.
 */
#include <string.h>

#include "broker.h"
#include "evc_host.h"

static int execute(struct evd_conn *c, uint32_t cmd, struct evp_result *r)
{
	struct evd_broker *b = c->broker;
	int rc;

	b->arg = r->arg;
	b->arg_len = r->arg_len;
	rc = evc_hypercall(&c->dom->vcpu[0], cmd, EVD_ARG_ADDR);
	b->arg = NULL;
	evd_links_sync(b);

	return rc;
}

/* What was connected by this?  Its news goes out before the result. */
static void follow_up(struct evd_conn *c, uint32_t cmd, struct evp_result *r)
{
	union {
		struct evtchn_bind_interdomain bind;
		struct evtchn_bind_ipi ipi;
		struct evtchn_send send;
	} a;
	struct evp_local m = {.port = 0};

	memcpy(&a, r->arg, sizeof(a));
	switch (cmd) {
	case EVTCHNOP_bind_interdomain:
		evd_link_try(c->dom, a.bind.local_port);
		break;
	case EVTCHNOP_send:
		/* It came here because it has no link, or no longer. */
		evd_link_try(c->dom, a.send.port);
		break;
	case EVTCHNOP_bind_ipi:
		m.port = m.peer = a.ipi.port;
		evp_hdr_init(&m.hdr, EVP_LOCAL, sizeof(m), 0);
		evd_send(c, &m, sizeof(m), NULL, 0);
		break;
	default: /* a number, not a state: connects nothing */
		break;
	}
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
		r->rc = execute(c, m->cmd, r);
	if (r->rc == -XEN_ERESTART) {
		c->resetting = true;
		c->reset_seq = m->hdr.seq;
		return;
	}
	if (r->rc == 0)
		follow_up(c, m->cmd, r);
	answer(c, r, m->hdr.seq);
}

void evd_hypercall_continue(struct evd_conn *c)
{
	c->reset.rc = execute(c, EVTCHNOP_reset_cont, &c->reset);
	if (c->reset.rc == -XEN_ERESTART)
		return;
	c->resetting = false;
	answer(c, &c->reset, c->reset_seq);
}
