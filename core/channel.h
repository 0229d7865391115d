/* SPDX-License-Identifier: MIT */
/* Shared by the files that change a channel's state.  See channel.c. */
#ifndef CORE_CHANNEL_H
#define CORE_CHANNEL_H

#include <base/bits.h>
#include <evc/storage.h>

/*
 * Does delivery act on this channel at all?  Not on free ones, nor on ends the
 * hypervisor owns.  Locks: the channel's.
 */
static inline bool evc_channel_is_usable(const struct evc_channel *ch)
{
	return !ch->consumer && ch->state > EVC_ST_RESERVED;
}

/* The vCPU @ch notifies.  bind_vcpu may change it: any it ever was will do. */
static inline struct evc_vcpu *evc_notified(const struct evc_channel *ch)
{
	return evb_ptr_load_acquire(&ch->vcpu);
}

/* The domain @domid names for @d (DOMID_SELF: @d itself), or NULL. */
struct evc_domain *evc_resolve(struct evc_domain *d, domid_t domid);

/* Does vCPU @vcpu exist? */
static inline bool evc_has_vcpu(const struct evc_domain *d, uint32_t vcpu)
{
	return vcpu < d->nr_vcpus;
}

/* vCPU @vcpu, which exists; also on a path the CPU only guesses. */
static inline struct evc_vcpu *evc_vcpu_of(const struct evc_domain *d,
					   uint32_t vcpu)
{
	return &d->vcpu[evb_clamp_index(vcpu, d->nr_vcpus)];
}

/*
 * Put a port that evc_port_find_free_locked() found into use.  The caller has
 * set ch->u for the state.  Locks: domain.lock and the channel's held.
 */
void evc_channel_open_locked(struct evc_channel *ch, enum evc_state state,
			     uint32_t vcpu);

/*
 * @ch is, or will be, UNBOUND for @domid; @bearer is the domain that has this
 * id now, NULL: none has, and any that will may bind.  Locks: the channel's.
 */
static inline void evc_channel_wait_for(struct evc_channel *ch, domid_t domid,
					const struct evc_domain *bearer)
{
	ch->u.remote_domid = domid;
	ch->u.remote_generation = bearer ? bearer->generation : 0;
}

/*
 * Connect two ends that wait for each other; no event is posted.  False: they
 * do not, nothing was done.  They are not the same.  Locks: neither of theirs;
 * domain locks do not matter.
 */
bool evc_channel_join(struct evc_channel *a, struct evc_channel *b);

/* Whose ports a close may touch. */
enum evc_closer {
	EVC_CLOSER_GUEST,      /* all but static and hypervisor-owned ones */
	EVC_CLOSER_HYPERVISOR, /* only those */
	EVC_CLOSER_DESTROY,    /* all */
};

/*
 * Close @port.   -XEN_EINVAL: no such port, or not one @who may close.
 * Locks: domain.lock held.
 */
int evc_channel_close_locked(struct evc_domain *d, evtchn_port_t port,
			     enum evc_closer who);

/*
 * Close the ports @from .. @from + 63.  Returns the port to go on with, or 0
 * when nothing is left to close.  Locks: domain.lock held.
 */
uint32_t evc_channel_close_some_locked(struct evc_domain *d, uint32_t from,
				       enum evc_closer who);

/* How many callbacks are in use: indices 1 .. so many.  Locks: none held. */
uint32_t evc_consumer_count(struct evc_machine *m);

#endif /* CORE_CHANNEL_H */
