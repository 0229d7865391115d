/* SPDX-License-Identifier: MIT */
/*
 * Questions to the broker: what a hypercall becomes that it has to do.  What
 * comes before the answer is news.
 */
#include <errno.h>
#include <string.h>

#include "guest.h"

/* Read until the answer comes; what comes before it is news. */
static int await(struct evp_guest *g, struct evp_packet *p, size_t len)
{
	const struct evp_result *r = (const void *)p->u.bytes;
	int rc;

	for (;;) {
		rc = evp_recv_packet(g->control, p, 0);
		if (rc)
			return rc;
		if (p->u.hdr.type != EVP_RESULT) {
			evp_on_news(g, p);
			if (g->control < 0)
				return -ECONNRESET;
			continue;
		}
		evp_packet_close_fds(p);
		if (p->len != offsetof(struct evp_result, arg) + len ||
		    r->arg_len != len || r->hdr.seq != g->seq)
			return -EPROTO;
		return 0;
	}
}

/* It died, said its last, and a question is left without an answer. */
static void lose(struct evp_guest *g)
{
	evp_read_news(g);
	evp_lose_broker(g);
}

/* After all claims: who asks waits for the broker anyway. */
static bool say(struct evp_guest *g, const struct evp_hdr *m, const int *fd)
{
	if (g->claim_from && evp_claims_finish(g))
		return false;
	return !evp_send_packet(g->control, m, m->len, fd, fd != NULL, 0);
}

/*
 * A broker that was dead before has not heard the question: the next one may.
 * One that dies later may have done it or not, so it is not asked again.
 */
bool evp_say_question(struct evp_guest *g, const struct evp_hdr *m,
		      const int *fd)
{
	if (g->control >= 0) {
		if (say(g, m, fd))
			return true;
		lose(g);
	}
	if (!evp_rejoin(g))
		return false;
	if (say(g, m, fd))
		return true;
	lose(g);
	return false;
}

static int ask_result(struct evp_guest *g, const struct evp_hdr *m, void *arg,
		      size_t len)
{
	struct evp_packet p;
	const struct evp_result *r = (const void *)p.u.bytes;

	evp_note(g, &g->counts->hypercalls);
	if (!evp_say_question(g, m, NULL))
		return EVP_RC_NO_BROKER;
	if (await(g, &p, len)) {
		lose(g);
		return EVP_RC_NO_BROKER;
	}
	if (len)
		memcpy(arg, r->arg, len);
	/* A connection's first event is pending when binding returns. */
	evp_collect_broker(g);
	return r->rc;
}

static uint64_t name_question(const struct evp_hdr *m)
{
	const struct evp_hypercall *h = (const void *)m;

	return m->type == EVP_HYPERCALL ? (uint64_t)h->nr << 32 | h->cmd : 0;
}

int evp_ask_result(struct evp_guest *g, const struct evp_hdr *m, void *arg,
		   size_t len)
{
	uint64_t mark;
	int rc;

	if (!g->trace)
		return ask_result(g, m, arg, len);
	mark = evp_trace_start(g, EVP_TRACE_ASK, m->type, name_question(m));
	rc = ask_result(g, m, arg, len);
	evp_trace_stop(g, mark, EVP_TRACE_ASK);
	return rc;
}

int evp_ask_broker(struct evp_guest *g, uint32_t cmd, void *arg, size_t len)
{
	return evp_ask_hypercall(g, __HYPERVISOR_event_channel_op, cmd, arg,
				 len);
}

int evp_ask_hypercall(struct evp_guest *g, uint32_t nr, uint32_t cmd, void *arg,
		      size_t len)
{
	struct evp_hypercall m = {
		.nr = nr, .cmd = cmd, .arg_len = (uint32_t)len};

	if (len)
		memcpy(m.arg, arg, len);
	evp_hdr_init(&m.hdr, EVP_HYPERCALL,
		     offsetof(struct evp_hypercall, arg) + len, ++g->seq);
	return evp_ask_result(g, &m.hdr, arg, len);
}

bool evp_is_open(struct evp_guest *g, evtchn_port_t port, int *rc)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = port};

	*rc = 0;
	if (port < EVP_NR_PORTS && g->chan[port].open)
		return true;
	*rc = evp_ask_broker(g, EVTCHNOP_status, &st, sizeof(st));
	if (*rc || st.status == EVTCHNSTAT_closed || port >= EVP_NR_PORTS)
		return false;
	/* It is the domain's; the broker says whether it is ours. */
	*rc = evp_ask_broker(g, EVTCHNOP_unmask, &port, sizeof(port));
	if (*rc)
		return false;
	evp_chans_lock(g);
	evp_hear_of(g, port);
	g->chan[port].open = true;
	evp_chans_unlock(g);
	return true;
}
