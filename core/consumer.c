/* SPDX-License-Identifier: MIT */
/*
 * Ends the hypervisor owns: a port in a guest's port space whose events go to
 * a callback (device emulation, monitoring, a console).  To the peer it is a
 * channel like any other; to the guest it is there, and untouchable.
 *
 * A channel has room for a small index only, so distinct callbacks are kept in
 * a table of the machine.  Entries are never given back: a callback that was
 * once used may be called by a sender that is just now on its way.
 */
#include <evc/evc.h>
#include <evc/snapshot.h>

#include "channel.h"
#include "locking.h"
#include "port_table.h"
#include "send.h"

/* The table index of @fn, entered when new, plus one; 0: the table is full. */
static uint8_t consumer_of(struct evc_machine *m, evc_consumer_fn fn)
{
	uint8_t i;

	lock_machine(m);
	for (i = 0; i < EVC_NR_CONSUMERS; i++) {
		if (!m->consumer[i])
			m->consumer[i] = fn;
		if (m->consumer[i] == fn)
			break;
	}
	unlock_machine(m);

	return i < EVC_NR_CONSUMERS ? i + 1 : 0;
}

uint32_t evc_consumer_count(struct evc_machine *m)
{
	uint32_t i, nr = 0;

	lock_machine(m);
	for (i = 0; i < EVC_NR_CONSUMERS; i++)
		nr += m->consumer[i] != NULL; /* there are no gaps */
	unlock_machine(m);

	return nr;
}

int evc_consumer_register(struct evc_machine *m, evc_consumer_fn fn)
{
	if (!fn)
		return -XEN_EINVAL;
	return consumer_of(m, fn) ? 0 : -XEN_ENOBUFS;
}

int evc_consumer_alloc(struct evc_domain *d, uint32_t vcpu, domid_t remote_dom,
		       evc_consumer_fn fn, evtchn_port_t *port)
{
	struct evc_domain *remote = evc_resolve(d, remote_dom);
	struct evc_channel *ch;
	uint8_t consumer;
	int rc;

	if (!fn)
		return -XEN_EINVAL;
	if (!evc_has_vcpu(d, vcpu))
		return -XEN_ENOENT;
	consumer = consumer_of(d->machine, fn);
	if (!consumer)
		return -XEN_ENOBUFS;

	lock_domain(d);
	rc = evc_port_find_free_locked(d, &ch);
	if (!rc) {
		lock_channel(ch);
		evc_channel_wait_for(ch, remote_dom, remote);
		ch->consumer = consumer;
		evc_channel_open_locked(ch, EVC_ST_UNBOUND, vcpu);
		d->ports.nr_consumer++;
		unlock_channel(ch);
		*port = ch->port;
	}
	unlock_domain(d);

	return rc;
}

int evc_consumer_free(struct evc_domain *d, evtchn_port_t port)
{
	int rc;

	lock_domain(d);
	rc = evc_channel_close_locked(d, port, EVC_CLOSER_HYPERVISOR);
	unlock_domain(d);

	return rc;
}

void evc_consumer_notify(struct evc_domain *d, evtchn_port_t port)
{
	struct evc_channel *ch = evc_port_lookup(d, port);

	if (!ch)
		return;
	lock_channel(ch);
	if (ch->consumer && ch->state == EVC_ST_INTERDOMAIN &&
	    !ch->u.peer->consumer)
		evc_post_from_locked(ch, ch->u.peer);
	unlock_channel(ch);
}
