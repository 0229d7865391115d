/* SPDX-License-Identifier: MIT */
/*
 * "Tell me when the peer is gone", port by port.
 *
 * The core does it (evc_watch_peer): when the other end is closed, for whatever
 * reason, it posts an event on the port that asked.  Here is only who may ask:
 * the port's owner.  The event goes through the broker's lane, so it does not
 * need the lane of the two, which may be gone together with the dead peer.
 */
#include "broker.h"

static int watch(const struct evd_att *a, const struct evp_watch *m)
{
	int rc;

	if (!evd_may_use(a, m->port))
		return -XEN_ENOTCONN;
	rc = evc_watch_peer(&a->dom->core, m->port, m->on);
	if (!rc)
		evd_port(a->dom, m->port)->watched = m->on;
	return rc;
}

void evd_watch_peer(struct evd_conn *c, const struct evp_watch *m)
{
	const size_t len = offsetof(struct evp_result, arg);
	struct evp_result r = {.arg_len = 0};

	if (m->on > 1) {
		evd_doom(c, "bad WATCH");
		return;
	}
	r.rc = watch(c->att, m);
	evp_hdr_init(&r.hdr, EVP_RESULT, len, m->hdr.seq);
	evd_send(c, &r, len, NULL, 0);
}
