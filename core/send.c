/* SPDX-License-Identifier: MIT */
/*
 * The data plane: send, and unmask, which delivers what a mask held back.
 *
 * evc_send() is the spine of the sending side: find the channel, look at its
 * state, post, raise.  The leaves it calls know nothing of each other:
 * delivery (deliver_2l.c) writes shared words and says what is to be done;
 * upcall.c sets the flag and kicks; poll.c wakes pollers.
 *
 * One lock is taken, that of the sender's own end, and it is a single atomic
 * read-modify-write.  It keeps the connection, and with it the peer's vCPU and
 * shared pages, in place until the kick is done (locking.h).
 *
 * MO-PENDING starts here: the sender's payload was written before this call,
 * and the read-modify-write that sets the pending bit orders it.
 */
#include "send.h"

#include <evc/evc.h>

#include "channel.h"
#include "locking.h"
#include "port_table.h"

/* Locks: as evc_post_locked(), which is the same for other files. */
static inline void post(struct evc_channel *ch)
{
	struct evc_domain *d = ch->domain;
	struct evc_vcpu *v = evc_notified(ch);
	unsigned int due = evc_deliver_of(d)->post(d, v, ch);

	if (due & EVC_RAISE)
		evc_upcall_raise(v);
	/* MO-POLL: the pending bit is set; now look who waits for it. */
	if (due & EVC_NEW && evb_u32_load(&d->nr_polling))
		evc_poll_wake(d, ch->port);
}

void evc_post_locked(struct evc_channel *ch)
{
	post(ch);
}

/*
 * The peer is an end the hypervisor owns.  Its callback may take other locks
 * and send in turn, so ours is dropped first; the lifetime rule of storage.h
 * keeps the vCPU.
 */
static void call_consumer(struct evc_channel *peer, struct evc_channel *own)
{
	struct evc_machine *m = peer->domain->machine;
	evc_consumer_fn fn = m->consumer[peer->consumer - 1];
	struct evc_vcpu *v = evc_notified(peer);
	evtchn_port_t port = peer->port;

	unlock_channel(own);
	fn(v, port);
}

/* SEND 4/9 - from hypercall.c op_send(); next deliver_2l.c post_2l() */
int evc_send(struct evc_domain *d, evtchn_port_t port)
{
	struct evc_channel *ch = evc_port_lookup(d, port);
	struct evc_channel *to = NULL;
	int rc = 0;

	if (!ch)
		return -XEN_EINVAL;

	lock_channel(ch);
	switch (ch->consumer ? EVC_ST_RESERVED : ch->state) {
	case EVC_ST_INTERDOMAIN:
		to = ch->u.peer;
		if (d->check_send)
			rc = evc_host_permit(d, to->domain, EVC_PERM_SEND);
		break;
	case EVC_ST_IPI:
		to = ch;
		break;
	case EVC_ST_UNBOUND:
		break; /* the event is dropped and the call succeeds */
	case EVC_ST_FREE:
	case EVC_ST_RESERVED:
	case EVC_ST_PIRQ:
	case EVC_ST_VIRQ:
		rc = -XEN_EINVAL;
		break;
	}
	if (to && !rc) {
		if (to->consumer) {
			call_consumer(to, ch);
			return 0;
		}
		post(to);
	}
	unlock_channel(ch);

	return rc;
}

int evc_unmask(struct evc_domain *d, evtchn_port_t port)
{
	struct evc_channel *ch = evc_port_lookup(d, port);
	struct evc_vcpu *v;

	if (!ch)
		return -XEN_EINVAL;

	lock_channel(ch);
	if (evc_channel_is_usable(ch)) {
		v = evc_notified(ch);
		if (evc_deliver_of(d)->unmask(d, v, ch) & EVC_RAISE)
			evc_upcall_raise(v);
	}
	unlock_channel(ch);

	return 0;
}
