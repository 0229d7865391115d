/* SPDX-License-Identifier: MIT */
/*
 * A page with a notification is unmapped, or unshared, and no broker is there to
 * give it; or one that does not know of it yet.
 *
 * The byte we clear ourselves, before the page goes.  For the event the area is
 * kept, without its memory, and said to the next broker as if it were still there,
 * and then ended: that is the event.  What cannot be said in the time that other
 * things have for it (grant_again.c) is forgotten.
 */
#include "grant.h"

static bool is_unknown(const struct evp_grants *h, const struct evp_area *a)
{
	return a->is_unsaid || evp_is_hung_up(h->s.fd);
}

void evp_area_part(struct evp_grants *h, struct evp_area *a, void *addr)
{
	struct evp_notify *n = &a->notify;

	if (!a->has_notify || !is_unknown(h, a))
		return;
	if (n->offset != EVP_NO_NOTIFY)
		((volatile uint8_t *)addr)[n->offset] = 0;
	n->offset = EVP_NO_NOTIFY;
	a->has_notify = n->port != EVP_NO_NOTIFY;
}

static bool say_and_end(struct evp_grants *h, struct evp_area *a)
{
	if (!evp_area_say(h, a))
		return false;
	a->is_unsaid = a->is_shared ? evp_unshare_numbers(h, a)
				    : evp_unmap_numbers(h, a);
	return !a->is_unsaid;
}

void evp_area_end(struct evp_grants *h, struct evp_area *a, int rc)
{
	bool is_told = !a->has_notify || (!a->is_unsaid && !rc);

	a->is_unsaid = true;
	/* With nothing being tried any more this is the last attempt. */
	if (is_told || say_and_end(h, a) ||
	    (!h->tries && !evp_is_hung_up(h->s.fd))) {
		evp_area_free(a);
		return;
	}
	a->next = h->gone;
	h->gone = a;
}

bool evp_gone_say(struct evp_grants *h)
{
	struct evp_area **at = &h->gone, *a;

	while ((a = *at)) {
		if (!say_and_end(h, a)) {
			at = &a->next;
			continue;
		}
		*at = a->next;
		evp_area_free(a);
	}
	return !h->gone;
}

void evp_gone_drop(struct evp_grants *h)
{
	struct evp_area *a;

	while ((a = h->gone)) {
		h->gone = a->next;
		evp_area_free(a);
	}
}
