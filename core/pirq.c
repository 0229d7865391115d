/* SPDX-License-Identifier: MIT */
/*
 * Physical interrupt lines, as far as event channels go: which port a line of
 * a domain is bound to.  Routing, masking and end-of-interrupt belong to the
 * host, which tells us with evc_pirq_raise() that a line fired.
 *
 * As with VIRQs, raising reads the slot without a lock and lets the channel,
 * under its lock, decide.
 */
#include <evc/evc.h>

#include "channel.h"
#include "locking.h"
#include "port_table.h"
#include "send.h"
#include "sources.h"

int evc_pirq_check_locked(struct evc_domain *d, uint32_t pirq)
{
	int rc;

	if (pirq >= d->nr_pirqs)
		return -XEN_EINVAL;
	pirq = evb_clamp_index(pirq, d->nr_pirqs);
	rc = evc_host_pirq_permit(d, pirq);
	if (rc)
		return rc;
	return evb_u32_load_relaxed(&d->pirq_port[pirq]) ? -XEN_EEXIST : 0;
}

int evc_bind_pirq(struct evc_domain *d, uint32_t pirq, uint32_t flags,
		  evtchn_port_t *port)
{
	struct evc_channel *ch;
	int rc;

	lock_domain(d);
	rc = evc_pirq_check_locked(d, pirq);
	if (!rc)
		rc = evc_port_find_free_locked(d, &ch);
	if (!rc)
		rc = evc_host_pirq_bind(d, pirq, flags);
	if (!rc) {
		lock_channel(ch);
		ch->u.pirq = pirq;
		ch->u.pirq_flags = flags;
		evc_channel_open_locked(ch, EVC_ST_PIRQ, 0);
		evb_u32_store_relaxed(&d->pirq_port[pirq], ch->port);
		unlock_channel(ch);
		*port = ch->port;
	}
	unlock_domain(d);

	return rc;
}

void evc_pirq_unbind_locked(struct evc_channel *ch)
{
	struct evc_domain *d = ch->domain;

	evb_u32_store_relaxed(&d->pirq_port[ch->u.pirq], 0);
	evc_host_pirq_unbind(d, ch->u.pirq);
}

void evc_pirq_raise(struct evc_domain *d, uint32_t pirq)
{
	struct evc_channel *ch;
	evtchn_port_t port;

	if (pirq >= d->nr_pirqs)
		return;
	port = evb_u32_load_relaxed(&d->pirq_port[pirq]);
	ch = evc_port_lookup(d, port);
	if (!port || !ch)
		return;
	lock_channel(ch);
	if (ch->state == EVC_ST_PIRQ && ch->u.pirq == pirq)
		evc_post_from_locked(ch, ch);
	unlock_channel(ch);
}
