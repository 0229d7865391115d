/* SPDX-License-Identifier: MIT */
/*
 * The event channels of a hypervisor: what a host calls.
 *
 * A host is whatever runs guests: a hypervisor, a separation kernel, a VMM, a
 * process that plays hypervisor for other processes, a test.  It
 *
 *   1. lends memory and creates a machine and its domains (evc_machine_init,
 *      evc_domain_init),
 *   2. hands every event-channel hypercall of a guest to evc_hypercall(),
 *   3. reports its own events: evc_virq_raise(), evc_pirq_raise(), ...
 *   4. provides the hooks of host.h, above all evc_host_kick().
 *
 * The functions named like Xen's operations (evc_send for EVTCHNOP_send, ...)
 * are what evc_hypercall() calls; a host may call them directly.
 *
 * Common to all of them, unless said otherwise:
 *
 *   Returns   0 or -XEN_E... ; an out-parameter is written only with 0.  A
 *             call that returns an error has changed nothing a guest can see,
 *             except that the port table may have grown by 64 closed ports.
 *   Context   any CPU, any number at once; never from an evc_host_*() hook;
 *             calls do not nest on one CPU (host.h).
 *   Locks     the caller holds none of the core's.
 *   Bound     O(1): a fixed number of steps, whatever the number of ports;
 *             but taking a port in a FIFO domain whose guest keeps closed
 *             ports LINKED looks at each of those first.
 *   @d        the domain on whose behalf the call is made: for a hypercall,
 *             the domain of the calling vCPU.
 *   @port     any value; one that does not exist gives -XEN_EINVAL.
 *   @domid    any value; DOMID_SELF means @d.
 *
 * "SPEC n" in the descriptions is the section of docs/spec.md.
 */
#ifndef EVC_EVC_H
#define EVC_EVC_H

#include <stdbool.h>
#include <stdint.h>

#include <abi/errno.h>
#include <abi/event_channel.h>
#include <abi/xen.h>
#include <evc/deliver.h>
#include <evc/host.h>
#include <evc/storage.h>

/* --- machine and domains ------------------------------------------------ */

/*
 * evc_machine_init - prepare what all domains of a hypervisor share.
 *
 * @xen_4_17  answer as Xen 4.17 did where we or today's Xen differ: status of
 *            a hypervisor-owned port gives -XEN_EACCES, any domain may bind a
 *            global VIRQ, its handler may be changed while it is bound, a
 *            second vcpu_info registration gives -XEN_EINVAL, and a FIFO event
 *            that waited for its page is found again by later pages, even if
 *            the port is closed.  SPEC 10, SPEC 11 L1 and L2
 * Context: once, before anything else, by one CPU.
 */
void evc_machine_init(struct evc_machine *m, bool xen_4_17, void *host);

/*
 * Name the domain that handles global VIRQs nobody else was named for.
 * NULL: none; such VIRQs are then dropped.
 */
void evc_machine_set_hwdom(struct evc_machine *m, struct evc_domain *d);

/*
 * evc_domain_init - make a domain from lent memory (storage.h).
 *
 * Port 0 is reserved, all others are free.  The shared page must be zero:
 * nothing pending, nothing masked.
 *   -XEN_EINVAL  a number in @c is outside its range, a pointer is missing or
 *                misaligned
 *   -XEN_ENOMEM  the first bucket was not lent and evc_host_bucket() had none
 * Context: before evc_host_find_domain() can return @d.
 * Bound:   O(vcpus + buckets + pirqs)
 */
int evc_domain_init(struct evc_domain *d, const struct evc_domain_config *c);

/*
 * evc_domain_destroy - close every port and let go of every global VIRQ.
 *
 * The domain gets no new ports from the first call on.  Peers become unbound
 * for the dead domain's id, as if each port had been closed.
 *   -XEN_ERESTART  not finished, evc_host_should_yield() asked for a break:
 *                  call again
 * After 0, see the lifetime rule in storage.h.  SPEC 2, Destruction
 * Bound: O(64) between two looks at evc_host_should_yield(); the last step of
 *        a FIFO domain gives its pages back at once, O(vcpus + pages).
 */
int evc_domain_destroy(struct evc_domain *d);

/* A controller paused, or resumed, the domain (a reset by others needs it). */
void evc_domain_set_paused(struct evc_domain *d, bool paused);

/*
 * @d may act for @target (a device model for its domain); NULL: for none.
 * Take it back before the target's memory goes away.
 */
void evc_domain_set_target(struct evc_domain *d, struct evc_domain *target);

/*
 * evc_domain_set_width - latch the width of the guest's shared_info.
 *
 * An HVM guest may turn out to be a 32-bit one after its creation.  Moves no
 * bits: an event that is pending, or posted meanwhile, may have its selector bit
 * in the layout that is left, so it is for a moment when the guest has no event
 * in use yet, as Xen does it.  vCPUs whose vcpu_info was registered keep its
 * place.
 */
void evc_domain_set_width(struct evc_domain *d, enum evc_width width);

/*
 * evc_vcpu_register_info - VCPUOP_register_vcpu_info.
 *
 * @info  64 bytes of guest memory, mapped for the domain's life, aligned to 8
 * The contents move to the new place; then every selector bit and the upcall
 * flag are set, so that nothing posted meanwhile is lost: the guest sees one
 * spurious upcall.
 *   -XEN_EINVAL  @info is NULL or misaligned
 *   -XEN_EBUSY   registered before (Xen 4.17: -XEN_EINVAL)
 * SPEC 3.1
 */
int evc_vcpu_register_info(struct evc_vcpu *v, void *info);

/*
 * The policy of a Xen without FLASK: a domain may act for itself; a
 * privileged domain for all; a device model for its target; binding and
 * sending are open to all.  0 or -XEN_EPERM.  SPEC 1.1
 */
int evc_default_policy(const struct evc_domain *caller,
		       const struct evc_domain *target,
		       enum evc_permission what);

/* --- hypercalls ---------------------------------------------------------- */

/*
 * evc_hypercall - HYPERVISOR_event_channel_op (number 32).
 *
 * @v    the calling vCPU
 * @cmd  EVTCHNOP_*, any value
 * @arg  guest address of the operation's structure, any value
 *   -XEN_ENOSYS    no such operation; @arg is not looked at
 *   -XEN_EFAULT    the structure cannot be read; or the result cannot be
 *                  written back: the operation has then taken effect, as in
 *                  Xen (SPEC 1)
 *   -XEN_ERESTART  a reset wants a break: make the same call again with @cmd
 *                  EVTCHNOP_reset_cont, before or after letting others run
 *   others         as the operation
 */
int evc_hypercall(struct evc_vcpu *v, uint32_t cmd, uint64_t arg);

/*
 * evc_hypercall_compat - HYPERVISOR_event_channel_op_compat (number 16).
 *
 * One structure carries number and argument; operations above unmask do not
 * exist (-XEN_ENOSYS).
 */
int evc_hypercall_compat(struct evc_vcpu *v, uint64_t arg);

/* --- operations -------------------------------------------------------- */

/*
 * evc_alloc_unbound - a port in @dom that @remote_dom may bind to.
 *
 * @remote_dom is stored as it is; DOMID_SELF means @d (not @dom).
 *   -XEN_ESRCH   no such domain @dom
 *   -XEN_EPERM   @d may not act for @dom (Xen 4.17: after the next three)
 *   -XEN_EINVAL  @dom is being destroyed
 *   -XEN_ENOSPC  @dom has no free port
 *   -XEN_ENOMEM  evc_host_bucket() had no memory
 * SPEC 1.2; SPEC 11, L7
 */
int evc_alloc_unbound(struct evc_domain *d, domid_t dom, domid_t remote_dom,
		      evtchn_port_t *port);

/*
 * evc_bind_interdomain - connect to an unbound port of @remote_dom.
 *
 * The new local port is pending from the start, in case something was sent
 * before the connection; the remote one gets nothing.
 *   -XEN_ESRCH   no such domain @remote_dom
 *   -XEN_EPERM   evc_host_permit() refused (Xen 4.17: last of all)
 *   -XEN_EINVAL  @d is being destroyed; or the remote port does not exist, is
 *                not unbound, or waits for another domain, or for an earlier
 *                bearer of @d's id (storage.h, @generation)
 *   -XEN_ENOSPC, -XEN_ENOMEM  no local port (checked before the remote one)
 * SPEC 1.2
 */
int evc_bind_interdomain(struct evc_domain *d, domid_t remote_dom,
			 evtchn_port_t remote_port, evtchn_port_t *local_port);

/*
 * evc_bind_virq - a port for a virtual interrupt source, on @vcpu.
 *
 *   -XEN_EINVAL  @virq >= 24; or not a per-vCPU one and @vcpu is not 0; or @d
 *                is being destroyed
 *   -XEN_ENOENT  no such vCPU
 *   -XEN_EBUSY   a global VIRQ whose handler is another domain (not in 4.17)
 *   -XEN_EEXIST  bound already
 *   -XEN_ENOSPC, -XEN_ENOMEM  no port
 * SPEC 1.2, 4.1
 */
int evc_bind_virq(struct evc_domain *d, uint32_t virq, uint32_t vcpu,
		  evtchn_port_t *port);

/*
 * evc_bind_pirq - a port for a physical interrupt line.
 *
 *   -XEN_EINVAL  @pirq is beyond the domain's lines, or not mapped
 *   -XEN_EPERM   evc_host_pirq_permit() refused
 *   -XEN_EEXIST  bound already
 *   -XEN_EBUSY   evc_host_pirq_bind(): in use, or not shareable
 *   -XEN_ENOSPC, -XEN_ENOMEM  no port; no memory for the line
 * SPEC 1.2, 4.2
 */
int evc_bind_pirq(struct evc_domain *d, uint32_t pirq, uint32_t flags,
		  evtchn_port_t *port);

/*
 * evc_bind_ipi - a port by which the domain's vCPUs signal @vcpu.
 *
 *   -XEN_ENOENT  no such vCPU
 *   -XEN_EINVAL, -XEN_ENOSPC, -XEN_ENOMEM  no port
 */
int evc_bind_ipi(struct evc_domain *d, uint32_t vcpu, evtchn_port_t *port);

/*
 * evc_close - give a port back.  A connected peer becomes unbound for @d; it
 * is told only if evc_watch_peer() was called for it.  The port's pending event is forgotten, its mask bit is kept.
 *
 *   -XEN_EINVAL  no such port, free, reserved, static, or owned by the
 *                hypervisor
 */
int evc_close(struct evc_domain *d, evtchn_port_t port);

/*
 * evc_send - post an event through a bound port.
 *
 * Returns 0 also when nobody is bound to the port: the event is then dropped,
 * as the ABI says.
 *   -XEN_EINVAL  no such port, or one that cannot send (free, reserved, VIRQ,
 *                PIRQ, owned by the hypervisor)
 *   -XEN_EPERM   evc_host_permit() refused (domains with check_send)
 * Order: what the caller wrote before is visible to a handler that clears
 *        pending first (MO-PENDING).
 * Bound: O(1), plus O(vcpus of the receiver) while one of them polls.
 * SPEC 1.2, 3.1
 */
int evc_send(struct evc_domain *d, evtchn_port_t port);

/*
 * evc_status - what is bound to @s->port of @s->dom.  Fills @s->status,
 * @s->vcpu and, by status, @s->u.
 *
 *   -XEN_ESRCH   no such domain
 *   -XEN_EPERM   @d may not act for that domain (Xen 4.17: last)
 *   -XEN_EINVAL  no such port
 *   -XEN_EACCES  owned by the hypervisor (only as Xen 4.17)
 */
int evc_status(struct evc_domain *d, struct evtchn_status *s);

/*
 * evc_bind_vcpu - deliver future events of @port to @vcpu.  What is already
 * pending stays where it is.
 *
 *   -XEN_ENOENT  no such vCPU (checked before the port)
 *   -XEN_EINVAL  no such port, or one that cannot move (free, reserved, IPI,
 *                per-vCPU VIRQ, owned by the hypervisor)
 */
int evc_bind_vcpu(struct evc_domain *d, evtchn_port_t port, uint32_t vcpu);

/*
 * evc_unmask - clear the port's mask bit and deliver what waited behind it.
 * Does nothing, successfully, for a port that is not bound.
 *
 *   -XEN_EINVAL  no such port
 */
int evc_unmask(struct evc_domain *d, evtchn_port_t port);

/*
 * evc_reset - close all ports of @domid, and leave the FIFO ABI.  Ports owned
 * by the hypervisor stay, and static ones (static.h).
 *
 * @cont  go on with a reset that returned -XEN_ERESTART
 *   -XEN_ESRCH     no such domain
 *   -XEN_EPERM     @d may not act for it
 *   -XEN_EINVAL    it is not @d, and no controller paused it
 *   -XEN_EBUSY     a reset is in progress; or @cont, and none is
 *   -XEN_EAGAIN    ports were opened meanwhile: start again
 *   -XEN_ERESTART  not finished, evc_host_should_yield() asked for a break
 * Bound: O(64) between two looks at evc_host_should_yield(); the last step of
 *        a FIFO domain gives its pages back at once, O(vcpus + pages), and
 *        looks at every port if static channels (static.h) stay open.
 */
int evc_reset(struct evc_domain *d, domid_t domid, bool cont);

/*
 * evc_init_control - give a vCPU its FIFO control block.  The domain's first
 * one switches it over: what is pending in the 2-level bitmap waits for the
 * array page of its port, masks are not carried over.
 *
 * @c->control_gfn, @c->offset  where the block is: any values
 * @c->link_bits                out: 17
 *   -XEN_EOPNOTSUPP  the domain was lent no memory for FIFO, or the core is
 *                    linked without it (fifo_none.c)
 *   -XEN_ENOENT      no vCPU @c->vcpu
 *   -XEN_EINVAL      the block would not lie inside one page, at a multiple of
 *                    8; evc_host_map_frame() refused the frame; the vCPU has a
 *                    block; or @d is being destroyed
 * Locks: @d's; for the first one also those of all its channels and their
 *        peers, one pair at a time.
 * Order: MO-PARK.
 * Bound: O(1); the first one O(existing ports).
 * SPEC 1.2, 3.2
 */
int evc_init_control(struct evc_domain *d, struct evtchn_init_control *c);

/*
 * evc_expand_array - add a page of 1024 event words, and post what waited for
 * it.
 *
 * @array_gfn  any value
 *   -XEN_EOPNOTSUPP  @d does not use FIFO event channels
 *   -XEN_ENOSPC      it has all 128 pages
 *   -XEN_EINVAL      evc_host_map_frame() refused the frame, or @d is being
 *                    destroyed
 * Locks: @d's, and those of the page's channels, one at a time.
 * Order: MO-PARK.
 * Bound: 1024 channels.
 * SPEC 1.2, 3.2
 */
int evc_expand_array(struct evc_domain *d, uint64_t array_gfn);

/*
 * evc_set_priority - from the next time the port is queued on.
 *
 *   -XEN_EINVAL  no such port; priority > 15
 *   -XEN_ENOSYS  the domain uses the 2-level ABI
 *   -XEN_EACCES  the port is free, reserved or owned by the hypervisor
 */
int evc_set_priority(struct evc_domain *d, evtchn_port_t port,
		     uint32_t priority);

/* --- polling ----------------------------------------------------------- */

#define EVC_POLL_MAX_PORTS 128
#define EVC_POLL_NONE	   0u
#define EVC_POLL_ANY	   UINT32_MAX

/* Result of evc_poll(): deschedule the vCPU. */
#define EVC_BLOCK 1

/*
 * evc_poll - SCHEDOP_poll: wait for events by port.  evc_poll_32 is the same
 * for a caller that runs 32-bit code.
 *
 * @arg      guest address of a struct sched_poll, or struct sched_poll_32
 * @timeout  out, with EVC_BLOCK: absolute system time in ns, 0 = none
 *   0            an upcall can be taken, or one of the ports is pending
 *   EVC_BLOCK    nothing yet: block the vCPU until evc_host_wake(),
 *                evc_host_kick() or the timeout, then call evc_poll_end().
 *                Before blocking, look whether evc_poll_is_over().
 *   -XEN_EFAULT  the structure or a port number cannot be read
 *   -XEN_EINVAL  more than 128 ports; or a port that does not exist, is free,
 *                reserved, or owned by the hypervisor
 * Order: MO-POLL: the vCPU is in the poll set before the ports are looked at.
 * Bound: O(ports), at most 128.
 * SPEC 3.4
 */
int evc_poll(struct evc_vcpu *v, uint64_t arg, uint64_t *timeout);
int evc_poll_32(struct evc_vcpu *v, uint64_t arg, uint64_t *timeout);

/* Has a sender already taken @v out of the poll set? */
bool evc_poll_is_over(const struct evc_vcpu *v);

/* Take @v out of the poll set, for whatever reason it woke.  Idempotent. */
void evc_poll_end(struct evc_vcpu *v);

/* --- event sources ----------------------------------------------------- */

/*
 * Raise a per-vCPU VIRQ on @v.  Dropped when nothing is bound to it.
 * @virq 0..23.
 */
void evc_virq_raise(struct evc_vcpu *v, uint32_t virq);

/* Raise a VIRQ that exists once per domain (class domain). */
void evc_virq_raise_domain(struct evc_domain *d, uint32_t virq);

/* Raise a global VIRQ: it goes to its handler domain, or is dropped. */
void evc_virq_raise_global(struct evc_machine *m, uint32_t virq);

/*
 * Name the domain that handles a global VIRQ.
 *   -XEN_EINVAL  @virq >= 24 or not global, or @d is being destroyed
 *   -XEN_EBUSY   the present handler has it bound (not in 4.17)
 */
int evc_virq_set_handler(struct evc_domain *d, uint32_t virq);

/* The line fired.  Dropped when @d has no port for it. */
void evc_pirq_raise(struct evc_domain *d, uint32_t pirq);

/* --- hypervisor-owned ends --------------------------------------------- */

/*
 * evc_consumer_alloc - an unbound port of @d whose events go to @fn instead of
 * the guest.
 *
 * @remote_dom is stored as it is; for a loopback give @d's own id, not
 * DOMID_SELF.
 * The guest sees the port (status) but cannot send on, close, move, unmask or
 * poll it, and reset spares it.  A callback keeps its place among the seven for
 * good, also when the call fails after this: a sender may be about to call it.
 *   -XEN_ENOENT  no such vCPU
 *   -XEN_EINVAL  @fn is NULL, or @d is being destroyed
 *   -XEN_ENOSPC, -XEN_ENOMEM  no port
 *   -XEN_ENOBUFS seven other callbacks are in use already
 * SPEC 4.4
 */
int evc_consumer_alloc(struct evc_domain *d, uint32_t vcpu, domid_t remote_dom,
		       evc_consumer_fn fn, evtchn_port_t *port);

/* Close such a port.  -XEN_EINVAL: not one. */
int evc_consumer_free(struct evc_domain *d, evtchn_port_t port);

/* Send from such a port to its peer.  Nothing happens when there is none. */
void evc_consumer_notify(struct evc_domain *d, evtchn_port_t port);

/* --- what Xen does not have: each is off unless the host asks for it ------- */

/*
 * evc_watch_peer - make the peer's close, or its domain's death, an event on
 * @port: the guest finds it pending and its status unbound.
 *
 * Holds until the port is closed, for one peer after the other.
 *   -XEN_EINVAL  no such port, or not one that has or waits for a peer, or owned
 *                by the hypervisor
 */
int evc_watch_peer(struct evc_domain *d, evtchn_port_t port, bool on);

/* What one end, or all ends, of a domain sent since they were opened. */
struct evc_counters {
	uint64_t sent; /* sends; for a VIRQ or PIRQ, how often it was raised */
	uint64_t posted;    /* those that made the receiver's port pending */
	uint64_t coalesced; /* the others: it was pending already, or
			      * could not be written (FIFO: no page, lost) */
	uint64_t dropped;   /* those that found nobody bound; after 2^32 - 1 on
			     * one channel the rest counts as coalesced */
};

struct evc_domain_counters {
	struct evc_counters all; /* closed channels included */
	uint32_t nr_open;	 /* ports in use, without port 0 */
	uint32_t lost;		 /* FIFO: events to it, lost by its own fault */
	uint32_t held;		 /* ports in line for the next period */
	uint64_t delayed;	 /* sends that had to wait, ever */
};

/*
 * Read the counters of one end, or of a domain.  The first gives -XEN_EINVAL
 * when there is no such port.
 * Bound: O(1); O(ports that exist) with the domain's lock held, so binding in
 *        that domain waits meanwhile, and sending does not.
 */
int evc_channel_counters(struct evc_domain *d, evtchn_port_t port,
			 struct evc_counters *c);
void evc_domain_counters(struct evc_domain *d, struct evc_domain_counters *c);

/*
 * evc_limit_set - let the domain send at most @burst events to others in a
 * period; 0: as many as it likes.
 *
 * What exceeds it is not lost: it goes out in a later period, at most one event
 * for each port.  Events that come from the hypervisor, and IPIs, do not count.
 *   -XEN_EOPNOTSUPP  no evc_limit was lent with the domain
 */
int evc_limit_set(struct evc_domain *d, uint32_t burst);

/*
 * evc_limit_refill - a period begins: send what was held back, first come first
 * served, within the new period's burst.
 *
 * Returns how many ports still wait.  Context: a timer of the host's.
 * Bound: O(burst), or 64 events when there is no limit any more.
 */
uint32_t evc_limit_refill(struct evc_domain *d);

#endif /* EVC_EVC_H */
