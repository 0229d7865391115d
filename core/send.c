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
#include "limit.h"
#include "locking.h"
#include "port_table.h"

/* Somebody polls, which is rare: kept out of the way of the others. */
__attribute__((noinline)) static void wake_and_raise(struct evc_channel *ch,
						     struct evc_posted p)
{
	evc_poll_wake(ch->domain, ch->port);
	if (p.due & EVC_RAISE)
		evc_upcall_raise(p.v);
}

/* The rungs above what delivery wrote.  Locks: those it was posted under. */
static inline void raise_and_wake(struct evc_channel *ch, struct evc_posted p)
{
	/* MO-POLL: the pending bit is set; now look who waits for it. */
	if (p.due & EVC_NEW && evb_u32_load(&ch->domain->nr_polling))
		wake_and_raise(ch, p);
	else if (p.due & EVC_RAISE)
		evc_upcall_raise(p.v);
}

/*
 * The same, counted for @own.  Out of line, so that a send that finds the
 * event pending saves no registers for it.
 */
__attribute__((noinline)) static void
go_up(struct evc_channel *own, struct evc_channel *to, struct evc_posted p)
{
	own->posted += p.due & EVC_NEW;
	raise_and_wake(to, p);
}

/* The lower rungs.  Locks: as evc_post_locked(). */
static inline struct evc_posted post(struct evc_channel *ch)
{
	struct evc_domain *d = ch->domain;

	return evc_deliver_of(d)->post(d, ch);
}

void evc_post_locked(struct evc_channel *ch)
{
	struct evc_posted p = post(ch);

	if (p.due)
		raise_and_wake(ch, p);
}

void evc_post_from_locked(struct evc_channel *own, struct evc_channel *to)
{
	struct evc_posted p = post(to);

	own->sent++;
	if (p.due)
		go_up(own, to, p);
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

	own->sent++;
	own->posted++;
	unlock_channel(own);
	fn(v, port);
}

int evc_send_with_care(struct evc_channel *ch, unsigned int care)
{
	struct evc_channel *peer = ch->u.peer;
	int rc = 0;

	if (care & EVC_CARE_OWNED)
		rc = -XEN_EINVAL;
	else if (care & EVC_CARE_PERMIT)
		rc = evc_host_permit(ch->domain, peer->domain, EVC_PERM_SEND);
	if (rc || (care & EVC_CARE_LIMIT && evc_limit_holds_locked(ch))) {
		unlock_channel(ch);
		return rc;
	}
	if (care & EVC_CARE_CONSUMER) {
		call_consumer(peer, ch);
		return 0;
	}
	evc_post_from_locked(ch, peer);
	unlock_channel(ch);

	return 0;
}

/* Nobody is bound: the event is dropped and the call succeeds. */
static int drop(struct evc_channel *ch)
{
	if (ch->consumer)
		return -XEN_EINVAL;
	evc_count_drop_locked(ch);
	return 0;
}

/* Not the plain case of evc_send().  Gives the lock back. */
__attribute__((noinline)) static int send_otherwise(struct evc_channel *ch)
{
	int rc = 0;

	switch (ch->state) {
	case EVC_ST_INTERDOMAIN:
		return evc_send_with_care(ch, ch->care);
	case EVC_ST_IPI:
		evc_post_from_locked(ch, ch);
		break;
	case EVC_ST_UNBOUND:
		rc = drop(ch);
		break;
	case EVC_ST_FREE:
	case EVC_ST_RESERVED:
	case EVC_ST_PIRQ:
	case EVC_ST_VIRQ:
		rc = -XEN_EINVAL;
		break;
	}
	unlock_channel(ch);

	return rc;
}

/* SEND 4/9 - from hypercall.c op_send(); next deliver_2l.c post_2l() */
int evc_send(struct evc_domain *d, evtchn_port_t port)
{
	struct evc_channel *ch = evc_port_lookup(d, port);
	struct evc_posted p;

	if (!ch)
		return -XEN_EINVAL;

	lock_channel(ch);
	if (ch->state != EVC_ST_INTERDOMAIN || ch->care)
		return send_otherwise(ch);
	ch->sent++;
	p = post(ch->u.peer);
	if (p.due)
		go_up(ch, ch->u.peer, p);
	unlock_channel(ch);

	return 0;
}

int evc_unmask(struct evc_domain *d, evtchn_port_t port)
{
	struct evc_channel *ch = evc_port_lookup(d, port);
	struct evc_posted p;

	if (!ch)
		return -XEN_EINVAL;

	lock_channel(ch);
	if (evc_channel_is_usable(ch)) {
		p = evc_deliver_of(d)->unmask(d, ch);
		if (p.due & EVC_RAISE)
			evc_upcall_raise(p.v);
	}
	unlock_channel(ch);

	return 0;
}
