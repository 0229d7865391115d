/* SPDX-License-Identifier: MIT */
/* Asking the broker to make the peer's death an event: see evp/evp.h. */
#include "guest.h"

static int watch_peer(struct evp_guest *g, evtchn_port_t port, bool on)
{
	struct evp_watch m = {.port = port, .on = on};
	int rc;

	evp_hdr_init(&m.hdr, EVP_WATCH, sizeof(m), ++g->seq);
	rc = evp_ask_result(g, &m.hdr, NULL, 0);
	if (!rc && port < EVP_NR_PORTS)
		g->chan[port].watched = on;
	return rc;
}

int evp_watch_peer(struct evp_guest *g, evtchn_port_t port, bool on)
{
	int rc;

	if (g->guarded && !evp_this(g))
		return -XEN_EPERM;
	if (g->guarded)
		evp_begin();
	evp_guest_lock(g);
	rc = watch_peer(g, port, on);
	evp_guest_unlock(g);
	if (g->guarded)
		evp_end();
	return rc;
}
