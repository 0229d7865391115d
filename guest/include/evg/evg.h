/* SPDX-License-Identifier: MIT */
/*
 * The event channels of a guest OS: what the guest calls.
 *
 * A guest
 *
 *   1. lends memory, fills struct evg_config and calls evg_init(): every port
 *      is then masked, no channel is live;
 *   2. tells the hypervisor where to enter it: evg_set_callbacks() (PV) or
 *      evg_set_upcall_vector() / evg_set_callback_via() (HVM);
 *   3. calls evg_upcall() from that entry;
 *   4. opens ports (evg_alloc_unbound() and friends) and gives them handlers
 *      (evg_bind_handler()), or uses the interrupt numbers of irq.h;
 *   5. provides the hooks of platform.h.
 *
 * What an event means here: a port is *pending* from the moment the other side
 * sent until the library clears it, just before it calls the handler.  Events
 * sent in between are one event.  A *masked* port becomes pending and stays
 * so.  Nothing that is pending is ever forgotten: not by masking, not by
 * moving a port to another vCPU, not for lack of a handler.  Only closing the
 * port drops it.
 *
 * Common to all functions, unless said otherwise:
 *
 *   Returns   0 or -XEN_E... ; an out-parameter is written only with 0.
 *             "others" are those of the hypercall, passed through: SPEC 1.2.
 *   Context   any vCPU, any number at once, also from a handler; not from an
 *             evg_plat_*() hook.  Upcalls may be on or off.
 *   Locks     none of the caller's matter; the lock of a port is held for some
 *             tens of instructions and at most one hypercall, upcalls off.
 *   Bound     O(1) and at most one hypercall.
 *   @port     any value; one the port table has no entry for gives
 *             -XEN_EINVAL, as does 0.
 *   @domid    DOMID_SELF means the calling domain.
 *
 * "SPEC n" in the descriptions is the section of docs/spec.md.
 */
#ifndef EVG_EVG_H
#define EVG_EVG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/errno.h>
#include <abi/event_channel.h>
#include <abi/xen.h>
#include <base/atomic.h>
#include <base/lock.h>
#include <evg/platform.h>

struct evg_collect;
struct evg_fifo;

/*
 * What runs when a port fires, on the vCPU the port is bound to, upcalls off.
 * The pending bit is clear: what the sender wrote before it sent is visible
 * (MO-PENDING), and an event sent from now on makes the handler run again.
 * It may call anything of this header, also for its own port.
 */
typedef void (*evg_handler)(struct evg_vcpu *v, evtchn_port_t port, void *ctx);

/* The same for irq.h; returns IRQ_NONE (0) or IRQ_HANDLED (1). */
typedef int (*evg_irq_handler)(int irq, void *dev_id);

/* --- memory the guest lends; its contents are the library's --------------- */

/* One port. */
struct evg_port {
	evb_u32 bound;	      /* 1: fn and ctx are valid */
	evb_u32 running;      /* its handler runs on vCPU running - 1 */
	evb_u32 again;	      /* it fired elsewhere while that ran */
	evb_u32 vcpu;	      /* where it is handled */
	evb_u32 count;	      /* times a handler was called since it opened */
	evb_u32 missed;	      /* times it fired without a handler, likewise */
	struct evb_lock lock; /* of its mask bit and the following */
	bool masked;	      /* by evg_mask(), and not by the library */
	evg_handler fn;
	void *ctx;
	evb_u32 irq; /* irq.h: index of its irq + 1; guest lock */
};

/* One interrupt number of irq.h.  Everything under the guest's lock. */
struct evg_irq {
	evb_u32 port;	     /* 0: this number is free */
	uint32_t references; /* bind_evtchn_to_irq() calls */
	uint32_t depth;	     /* disable_irq() calls */
	evg_irq_handler handler;
	void *dev_id;
	const char *name; /* for the guest's own use, as are the flags */
	unsigned long flags;
	evb_u32 count;	  /* handler called */
	evb_u32 spurious; /* handler said IRQ_NONE */
};

#define EVG_NR_WORDS (EVTCHN_2L_NR_CHANNELS_64 / 32)

/* Where a vCPU stands in its bitmaps; collect_2l.c. */
struct evg_scan {
	uint64_t due;	/* words to look at; bit n is word @first + n */
	uint64_t taken; /* the selector as it was taken */
	uint8_t start;	/* the word the next round begins with ... */
	uint8_t bit;	/* ... and the bit: one past the port handled last */
	uint8_t first;	/* the word this round began with */
	uint8_t word;	/* being looked at, ... */
	uint8_t next;	/* ... from this bit on */
	bool again;	/* @first is to be looked at once more */
	bool timer_done;
};

/* Where a vCPU stands in its FIFO queues; collect_fifo.c. */
struct evg_queues {
	evb_ptr control; /* its control block as 32-bit words, or NULL */
	uint32_t ready;	 /* queues that are not empty */
	uint32_t head[EVTCHN_FIFO_MAX_QUEUES]; /* 0: see the control block */
};

/* One vCPU. */
struct evg_vcpu {
	struct evg_guest *guest;
	uint32_t id;
	evb_ptr info;		    /* its vcpu_info, NULL before it has one */
	evb_u32 own[EVG_NR_WORDS];  /* ports it handles */
	evb_u32 left[EVG_NR_WORDS]; /* ports that moved away: see bind.c */
	struct evg_scan scan;
	struct evg_queues queues;
	uint32_t spare;	    /* looks for nothing this upcall may still make */
	evb_u32 timer_port; /* VIRQ_TIMER, 0: none; looked at first */
	evb_u32 inside;	    /* evg_upcall() is running */
	/* Counters, written by this vCPU only. */
	evb_u32 nr_upcalls;   /* evg_upcall() calls that found the flag set */
	evb_u32 nr_spurious;  /* ... and that did not */
	evb_u32 nr_handled;   /* handlers called */
	evb_u32 nr_passed;    /* ports passed on to the vCPU they moved to */
	evb_u32 nr_exhausted; /* calls that ended with the budget used up */
	evb_u32 nr_bad_links; /* FIFO queues given up: broken, or empty */
	void *host; /* for the platform; the library does not touch it */
};

/* Where things are in shared_info and vcpu_info. */
enum evg_layout {
	EVG_LAYOUT_X86_64, /* 4096 ports */
	EVG_LAYOUT_X86_32, /* 1024 ports */
	EVG_LAYOUT_ARM,	   /* 4096 ports, Arm of either width */
};

/* One guest; exactly one in a kernel, any number in a test. */
struct evg_guest {
	const struct evg_collect *collect;
	evb_u32 *pending, *mask; /* the shared bitmaps, as 32-bit words */
	uint8_t *shared_info;
	enum evg_layout layout;
	uint8_t port_shift; /* 5 or 6: port >> port_shift = selector bit */
	uint8_t sel_word;   /* evtchn_pending_sel, as a word of vcpu_info */
	bool hvm;
	struct evg_port *port;
	struct evg_irq *irq;
	struct evg_vcpu *vcpu;
	struct evg_fifo *fifo;
	uint32_t nr_ports; /* that can be used with this ABI */
	uint32_t nr_ports_2l, nr_lent;
	uint32_t nr_irqs, nr_vcpus;
	uint32_t budget;
	int irq_base;
	struct evb_lock lock; /* of the irq table */
	void *host; /* for the platform; the library does not touch it */
};

struct evg_config {
	/* The page the hypervisor shares, mapped for the guest's life. */
	void *shared_info;
	enum evg_layout layout;
	/*
	 * Upcalls are interrupts (HVM, Arm): only the hypervisor can raise one.
	 * False (PV): an upcall is taken wherever the guest finds the flag set
	 * with upcalls on, as evg_plat_upcalls_restore() does.
	 */
	bool hvm;
	/*
	 * nr_ports entries, for ports 0 to nr_ports - 1; at most as many as the
	 * layout has, or 131,072 with @fifo.  A guest that uses few ports lends
	 * few: the hypervisor gives out the lowest free one.
	 */
	struct evg_port *port;
	uint32_t nr_ports;
	/*
	 * @port is all zero: evg_init() does not touch it, so that a large table
	 * may be memory that is there only once it is written to.
	 */
	bool ports_are_zero;
	/* One or more.  Those that are not up yet cost their memory only. */
	struct evg_vcpu *vcpu;
	uint32_t nr_vcpus;
	/* For irq.h; NULL and 0 without. */
	struct evg_irq *irq;
	uint32_t nr_irqs;
	/* The number of irq[0]: 0, or the end of the guest's other irqs. */
	int irq_base;
	/* For fifo.h: what evg_fifo_start() may use; NULL: 2-level only. */
	struct evg_fifo *fifo;
	/* Handler calls in one evg_upcall(), see there; 0: nr_ports. */
	uint32_t budget;
	void *host;
};

/* --- start ----------------------------------------------------------------- */

/*
 * evg_init - prepare a guest from lent memory; masks every port.
 *
 * Every port is bound to vCPU 0, as it is in the hypervisor.  What is pending
 * stays so and is delivered once the port has a handler: a port the toolstack
 * opened before the guest booted (xenstore, console) loses nothing.  vCPU n
 * uses vcpu_info[n] of the shared page, if there is one (32 on x86, 1 on Arm).
 *   -XEN_EINVAL  a pointer is missing, shared_info is not aligned to 8, a
 *                number is 0 (not nr_irqs, irq_base, budget) or too large, or
 *                irq_base is negative or irq_base + nr_irqs no int
 * Context: once, before any other call, by one vCPU, upcalls off.
 * Bound:   O(ports * vcpus + irqs), no hypercall
 */
int evg_init(struct evg_guest *g, const struct evg_config *c);

/*
 * evg_set_callbacks - where a PV guest is entered (CALLBACKOP_register).
 *
 * @event     the upcall entry.  A 32-bit x86 guest passes its code segment in
 *            bits 63:32.
 * @failsafe  entered when a segment cannot be loaded on the way back to the
 *            guest; 0: leave that callback alone.  It is registered first.
 *   -XEN_ENOSYS  not a PV guest
 *   others
 * Bound: two hypercalls
 */
int evg_set_callbacks(struct evg_guest *g, uint64_t event, uint64_t failsafe);

/*
 * evg_set_upcall_vector - how an x86 HVM guest is entered, per vCPU.
 *
 * @vector  0x10 to 0xff of the vCPU's local APIC; an edge
 *   -XEN_EINVAL  not HVM, or the vector is below 0x10
 *   -XEN_ENOENT  no such vCPU
 *   others
 */
int evg_set_upcall_vector(struct evg_vcpu *v, uint8_t vector);

/*
 * evg_set_callback_via - how an HVM guest is entered, the same for all vCPUs.
 *
 * @via  ABI_CALLBACK_VIA_...() of abi/hvm.h.  GSI and INTx serve vCPU 0 only:
 *       leave every port there.
 */
int evg_set_callback_via(struct evg_guest *g, uint64_t via);

/*
 * Read a parameter of this HVM domain: HVM_PARAM_STORE_EVTCHN, ...
 *   -XEN_EINVAL  no such parameter, or not HVM
 */
int evg_get_param(struct evg_guest *g, uint32_t index, uint64_t *value);

/*
 * evg_register_vcpu_info - move a vCPU's vcpu_info out of the shared page.
 *
 * @info    64 bytes inside one page, aligned to 8, mapped for the guest's life
 * @frame   number of that page (PV: machine frame; else guest frame)
 * Needed for vCPUs beyond 31 on x86 and beyond 0 on Arm, which take no upcall
 * before.  Nothing is lost by it; there is one spurious upcall.
 *   -XEN_EINVAL  @info is NULL or misaligned, or the frame is bad
 *   -XEN_EBUSY   done before (-XEN_EINVAL up to Xen 4.17)
 *   others
 * Context: on @v itself.
 */
int evg_register_vcpu_info(struct evg_vcpu *v, void *info, uint64_t frame);

/* --- upcalls --------------------------------------------------------------- */

/*
 * evg_upcall - collect what is pending for a vCPU and call the handlers.
 *
 * Returns the number of handlers called; 0 for a spurious upcall.
 * Order within: VIRQ_TIMER first, then round-robin over the ports, beginning
 * one past the port handled last, also across calls: a busy port cannot keep
 * another one waiting for more than one call of each.  With FIFO event channels
 * by priority, then in the order of the events, with the same effect among the
 * ports of one priority.
 *
 * A storm: after config.budget ports the call returns with the upcall flag and
 * the selector set again, so that nothing is lost.  The hypervisor does not
 * raise an upcall for a flag that is set already: the caller looks at
 * evg_upcall_is_pending(v) and decides when to call again: at once, or after
 * a turn of what it interrupted.  (A PV guest that returns with upcalls on is
 * entered again at once.)
 *
 * Context: on @v, upcalls off, from the entry of the hypervisor or wherever
 *          the guest wants.  A call inside of a handler does nothing and
 *          returns 0: the outer one sees the flag.
 * Locks:   none while a handler runs.
 * Order:   flag before selector (MO-UPCALL), selector before pending bits
 *          (MO-SEL), pending bit before the handler (MO-PENDING).
 * Bound:   budget ports and budget looks at the flag; each look costs at most
 *          65 words.  FIFO: budget ports, and budget words that lead to none.
 *          A hypercall only for ports that changed vCPU (bind.c).
 * SPEC 6.1, 6.3
 */
unsigned int evg_upcall(struct evg_vcpu *v);

/*
 * evg_drain - empty what a vCPU that went offline did not come to collect.
 *
 * Move its ports elsewhere first, or close them.  Events of ports that moved
 * are announced on the vCPU they moved to; those of ports still bound to @v
 * wait until it is up again.
 *   -XEN_EAGAIN  more came than there are ports: call again
 *   -XEN_EBUSY   an evg_upcall() or evg_drain() of @v is running
 * Context: on any other vCPU, while @v takes no upcall; one at a time.
 * Bound:   O(ports), with a hypercall for each that is pending
 */
int evg_drain(struct evg_vcpu *v);

/* True: evg_upcall(v) has something to do.  Any vCPU may ask. */
bool evg_upcall_is_pending(const struct evg_vcpu *v);

/* --- ports ----------------------------------------------------------------- */

/*
 * evg_alloc_unbound - open a port that @remote_dom may connect to.
 *
 * @dom  whose port; another than DOMID_SELF takes privilege, and the port is
 *       then none of this library's business
 *   -XEN_ENOSPC  no free port, or the lowest is beyond nr_ports
 *   -XEN_EPERM, -XEN_ESRCH  @dom is not ours to act for, does not exist
 *   others
 * A new port is masked, has no handler, and is bound to vCPU 0.
 * Bound: two hypercalls
 */
int evg_alloc_unbound(struct evg_guest *g, domid_t dom, domid_t remote_dom,
		      evtchn_port_t *port);

/*
 * evg_bind_interdomain - open a port and connect it to one of @remote_dom.
 *
 *   -XEN_EINVAL  the remote port is not waiting for this domain
 *   -XEN_ESRCH   no such domain
 *   -XEN_ENOSPC  as evg_alloc_unbound()
 *   others
 * The new port is pending at once (the peer may have sent before): its handler
 * runs once without an event.  Otherwise as evg_alloc_unbound().
 */
int evg_bind_interdomain(struct evg_guest *g, domid_t remote_dom,
			 evtchn_port_t remote_port, evtchn_port_t *port);

/*
 * evg_bind_virq - open a port for a virtual interrupt.
 *
 * @vcpu  whose; 0 for the VIRQs that are not per vCPU.  The port is bound to
 *        it, and VIRQ_TIMER is handled before all others there.
 *   -XEN_EINVAL  no such VIRQ, or @vcpu is not 0 for a global one
 *   -XEN_ENOENT  no such vCPU
 *   -XEN_EEXIST  bound already
 *   -XEN_EBUSY   another domain handles it
 *   -XEN_ENOSPC  as evg_alloc_unbound()
 *   others
 */
int evg_bind_virq(struct evg_guest *g, uint32_t virq, uint32_t vcpu,
		  evtchn_port_t *port);

/*
 * evg_bind_pirq - open a port for a physical interrupt.
 *
 * @flags  BIND_PIRQ__WILL_SHARE or 0
 *   -XEN_EOPNOTSUPP  the hypervisor has none (Arm)
 *   -XEN_EPERM       not ours
 *   -XEN_EEXIST      bound already (-XEN_EBUSY on some)
 *   -XEN_ENOSPC      as evg_alloc_unbound()
 *   others
 */
int evg_bind_pirq(struct evg_guest *g, uint32_t pirq, uint32_t flags,
		  evtchn_port_t *port);

/*
 * evg_bind_ipi - open a port from any vCPU of this domain to @vcpu, for good.
 *
 *   -XEN_ENOENT  no such vCPU
 *   -XEN_ENOSPC  as evg_alloc_unbound()
 *   others
 */
int evg_bind_ipi(struct evg_guest *g, uint32_t vcpu, evtchn_port_t *port);

/*
 * evg_close - mask, take the handler away, and give the port back.
 *
 * Everything the library knew of the port is forgotten before the hypervisor
 * is asked: it may give the number to somebody else at once.
 *   -XEN_EINVAL  not open; or not the guest's to close
 *   -XEN_EBUSY   it has an irq: evg_irq_unbind() closes it
 * Context: as evg_unbind_handler(), which it waits like.
 * Bound:   O(vcpus), and that waiting
 */
int evg_close(struct evg_guest *g, evtchn_port_t port);

/*
 * evg_reset - close every port and forget everything about them.
 *
 * A FIFO guest is 2-level afterwards; it may call evg_fifo_start() again.
 *   -XEN_EBUSY, -XEN_EAGAIN  call again; every port is masked by now
 * Context: while no other vCPU uses ports; the irqs of irq.h are gone, too.
 * Bound:   O(ports * vcpus), one hypercall
 */
int evg_reset(struct evg_guest *g);

/*
 * evg_notify - send an event to the other end of a port.
 *
 * Returns 0, also when nobody has connected yet: the event is then dropped.
 *   -XEN_EINVAL  no such port, or one that cannot send (virq, pirq, closed)
 * Order: what the caller wrote before is visible to a handler (MO-PENDING).
 */
int evg_notify(struct evg_guest *g, evtchn_port_t port);

/*
 * evg_status - what is a port?
 *
 * @st  dom and port are IN, the rest OUT; see abi/event_channel.h
 *   -XEN_ESRCH, -XEN_EPERM  no such domain, not ours to ask about
 *   -XEN_EINVAL             the port table of that domain ends below
 */
int evg_status(struct evg_guest *g, struct evtchn_status *st);

/*
 * evg_bind_vcpu - handle a port on another vCPU from now on.
 *
 * An event that is pending, or that is being sent right now, is handled on the
 * new one; a handler that is running on the old one is not run a second time
 * until it has returned.
 *   -XEN_ENOENT  no such vCPU
 *   -XEN_EINVAL  not open, an IPI, or a per-vCPU VIRQ
 * Bound: two hypercalls
 */
int evg_bind_vcpu(struct evg_guest *g, evtchn_port_t port, uint32_t vcpu);

/* --- pending and masked ---------------------------------------------------- */

/*
 * evg_mask - hold the events of a port back.
 *
 * A handler that has been chosen to run on another vCPU may still run once;
 * evg_wait_handler() waits for it.
 */
int evg_mask(struct evg_guest *g, evtchn_port_t port);

/*
 * evg_unmask - let the events of a port through, also one that is pending.
 *
 * If nothing is pending this is one atomic operation.  If something is, and
 * the port is bound to this vCPU of a PV guest, selector and flag are set by
 * hand, and the upcall is taken when the call turns upcalls on again, or by
 * the evg_upcall() that is running.  Otherwise the hypervisor does it.
 * Order: mask before pending (MO-MASK).
 */
int evg_unmask(struct evg_guest *g, evtchn_port_t port);

/* Forget a pending event. */
int evg_clear_pending(struct evg_guest *g, evtchn_port_t port);

/* Make a port pending as if the other end had sent. */
int evg_set_pending(struct evg_guest *g, evtchn_port_t port);

/* False also for a port that does not exist. */
bool evg_is_pending(const struct evg_guest *g, evtchn_port_t port);

/* True also for a port that does not exist. */
bool evg_is_masked(const struct evg_guest *g, evtchn_port_t port);

/* --- handlers -------------------------------------------------------------- */

/* evg_bind_handler(): leave the port where it is. */
#define EVG_VCPU_KEEP UINT32_MAX

/*
 * evg_bind_handler - say what runs when a port fires, and unmask it.
 *
 * @vcpu  where; EVG_VCPU_KEEP: where it is
 * An event from before is delivered now.  A port that was masked with
 * evg_mask() since it was opened or lost its last handler stays masked.
 *   -XEN_EINVAL  @fn is NULL, or as evg_bind_vcpu()
 *   -XEN_ENOENT  as evg_bind_vcpu()
 *   -XEN_EBUSY   it has a handler
 * Bound: three hypercalls
 */
int evg_bind_handler(struct evg_guest *g, evtchn_port_t port, uint32_t vcpu,
		     evg_handler fn, void *ctx);

/*
 * evg_unbind_handler - mask a port and take its handler away.
 *
 * After it the handler does not run and will not: @ctx may be freed.  If it
 * runs on another vCPU the call waits for it to return.  Called by the handler
 * itself, it returns at once, and @ctx is the handler's until it returns.
 *   -XEN_ENOENT  it has none
 * Context: not with a lock that the handler takes; not from the handler of
 *          another port that this one's handler may be waiting for.
 * Bound:   the handler's running time
 */
int evg_unbind_handler(struct evg_guest *g, evtchn_port_t port);

/*
 * Wait until the handler of a port does not run on another vCPU.
 * Context and bound: as evg_unbind_handler().
 */
int evg_wait_handler(struct evg_guest *g, evtchn_port_t port);

/* Times a handler was called since the port was opened; 0: no such port. */
uint32_t evg_port_count(const struct evg_guest *g, evtchn_port_t port);

/*
 * Times the port fired without a handler.  Each time it was masked and left
 * pending: evg_bind_handler() delivers it.
 */
uint32_t evg_port_missed(const struct evg_guest *g, evtchn_port_t port);

/* --- waiting and time ------------------------------------------------------ */

/*
 * evg_poll - sleep until one of some ports is pending, masked or not.
 *
 * @nr       at most 128
 * @timeout  absolute system time in ns; 0: none
 * Returns 0 for an event, the timeout and any other wake-up alike; nothing is
 * consumed.
 *   -XEN_EINVAL  too many ports, or one that is not open
 *   -XEN_EFAULT  @ports is not readable
 * Context: not from a handler.  SPEC 3.4
 */
int evg_poll(struct evg_guest *g, const evtchn_port_t *ports, uint32_t nr,
	     uint64_t timeout);

/* Turn upcalls on and sleep until there is one.  Not from a handler. */
int evg_block(struct evg_guest *g);

/* Give up the processor for a moment. */
int evg_yield(struct evg_guest *g);

/*
 * VIRQ_TIMER on the calling vCPU at an absolute system time in ns; a time that
 * is past is now.  One at a time; evg_stop_timer() takes it back.
 */
int evg_set_timer(struct evg_guest *g, uint64_t when);
int evg_stop_timer(struct evg_guest *g);

#endif /* EVG_EVG_H */
