/* SPDX-License-Identifier: MIT */
/*
 * Inside an attached process, from guest.h: what becomes of an event.
 *
 *   deliver.c  posting: a port becomes pending
 *   fifo.c     FIFO event channels: switching over, and back
 *   lent.c     memory for the guest library's tables
 *   upcall.c   upcalls: at safe points, or by a signal
 */
#ifndef EVP_DELIVER_H
#define EVP_DELIVER_H

#ifndef EVP_GUEST_H
#error "include guest.h"
#endif

/* --- deliver.c -------------------------------------------------------------- */

static inline evb_u8 *evp_upcall_flag(const struct evp_vcpu *v)
{
	return evb_ptr_load_acquire(&v->info);
}

static inline evb_u8 *evp_upcall_mask(const struct evp_vcpu *v)
{
	return evp_upcall_flag(v) + 1;
}

/* Make @port pending, as the hypervisor does.  False: it was already. */
bool evp_post(struct evp_guest *g, evtchn_port_t port);

/* The same for an event out of a lane. */
static inline bool evp_arrive(struct evp_guest *g, enum evp_trace_kind how,
			      evtchn_port_t port)
{
	if (g->trace)
		evp_trace_event(g, how, port);
	return evp_post(g, port);
}

/* The same for one that the guest unmasks. */
void evp_unmask(struct evp_guest *g, evtchn_port_t port);

/* @port was closed.  True: an event was pending. */
bool evp_forget_event(struct evp_guest *g, evtchn_port_t port);

/* For @v, the calling thread's.  Locks: not its chans. */
bool evp_is_pending(const struct evp_vcpu *v, evtchn_port_t port);

/* --- fifo.c ----------------------------------------------------------------- */

/* The hypercalls of these names. */
int evp_init_control(struct evp_guest *g, void *arg);
int evp_expand_array(struct evp_guest *g, const void *arg);
int evp_set_priority(struct evp_guest *g, const void *arg);

/* EVTCHNOP_reset, as @arg says, was done: back to 2-level.  Locks: guest. */
void evp_note_reset(struct evp_guest *g, const void *arg);

/* The guest is no more. */
void evp_fifo_free(struct evp_guest *g);

/* --- lent.c ----------------------------------------------------------------- */

/* Fill in what the guest library is lent for ports.  0 or -ENOMEM. */
int evp_lend(struct evp_guest *g, struct evg_config *c);
void evp_lent_free(struct evp_guest *g);

/* --- upcall.c --------------------------------------------------------------- */

/* Would an upcall be taken now?  And take them. */
static inline bool evp_is_deliverable(const struct evp_vcpu *v)
{
	return v->guest->callback && evb_u8_load_relaxed(evp_upcall_flag(v)) &&
	       !evb_u8_load_relaxed(evp_upcall_mask(v));
}

void evp_take_upcalls(struct evp_vcpu *v);

/*
 * A guarded guest's thread comes in, and leaves.  Leaving takes upcalls, if
 * they come by signal.
 */
void evp_begin(void);
void evp_end(void);

/*
 * From now on @signal brings upcalls.
 *   -EINVAL  not one of the few that can    -EBUSY  the program handles it
 */
int evp_signal_prepare(int signal);

#endif /* EVP_DELIVER_H */
