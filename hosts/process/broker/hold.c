/* SPDX-License-Identifier: MIT */
/*
 * What is to happen when a page is unmapped or unshared, or its user dies: a
 * byte is cleared, then an event is sent.
 *
 * The event goes out on a port of the same domain.  The program may close that
 * port first; and when it is killed, the kernel closes its connections in an
 * order of its own, so that the broker may hear of the port's end before it
 * hears of the page's.  Therefore a port on which an event is still to be sent
 * is *held*: for its owner it is closed at once, in the core it stays connected,
 * and nobody gets its number, until the last hold has ended.  That is what
 * Linux does with its count of a port's users.  A reset, which closes ports
 * whoever uses them, ends a hold's port as well: nr_closings tells.
 *
 * A broker that was asked to end takes everything away, but nobody unmaps anything:
 * who has a page tells the next broker what is still to happen.
 */
#include <errno.h>

#include "grants.h"

int evd_hold_take(struct evd_conn *c, const struct evp_grant_notify *n,
		  uint8_t *page, struct evd_hold *h)
{
	*h = (struct evd_hold){.dom = c->dom, .port = n->port, .page = page};

	if (n->what & EVP_NOTIFY_BYTE) {
		if (n->offset >= EVP_PAGE_SIZE)
			return -EINVAL;
		h->offset = n->offset;
	}
	if (n->what & EVP_NOTIFY_EVENT) {
		if (!evd_port_hold(c->dom, n->port))
			return -EINVAL;
		h->nr_closings = evd_port(c->dom, n->port)->nr_closings;
	}
	h->what = n->what;
	return 0;
}

void evd_hold_end(struct evd_hold *h, bool notify)
{
	if (!h->what)
		return;
	notify = notify && !h->dom->broker->is_ending;
	if (notify && h->what & EVP_NOTIFY_BYTE)
		((volatile uint8_t *)h->page)[h->offset] = 0;
	if (h->what & EVP_NOTIFY_EVENT)
		evd_port_release(h->dom, h->port, h->nr_closings, notify);
	h->what = 0;
}
