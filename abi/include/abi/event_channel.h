/* SPDX-License-Identifier: MIT */
/*
 * The event-channel hypercall and the two port ABIs.
 *
 * event_channel_op takes (command, pointer to the command's structure).  All
 * fields are IN unless marked OUT; OUT fields are written only when the call
 * returns 0.  Every structure has one layout for all guests.
 *
 * A port is an index private to its domain.  Port 0 is never a channel.
 */
#ifndef ABI_EVENT_CHANNEL_H
#define ABI_EVENT_CHANNEL_H

#include <stdint.h>
#include <abi/types.h>
#include <abi/xen.h>

typedef uint32_t evtchn_port_t;

/* --- Commands ----------------------------------------------------------- */

#define EVTCHNOP_bind_interdomain 0
#define EVTCHNOP_bind_virq	  1
#define EVTCHNOP_bind_pirq	  2
#define EVTCHNOP_close		  3
#define EVTCHNOP_send		  4
#define EVTCHNOP_status		  5
#define EVTCHNOP_alloc_unbound	  6
#define EVTCHNOP_bind_ipi	  7
#define EVTCHNOP_bind_vcpu	  8
#define EVTCHNOP_unmask		  9
#define EVTCHNOP_reset		  10
#define EVTCHNOP_init_control	  11
#define EVTCHNOP_expand_array	  12
#define EVTCHNOP_set_priority	  13
/* Continuation of a preempted reset.  Not meant for guests, but reachable. */
#define EVTCHNOP_reset_cont 14

/* --- Allocation and binding --------------------------------------------- */

/* Open a port of @dom that @remote_dom may connect to. */
struct evtchn_alloc_unbound {
	domid_t dom;	    /* DOMID_SELF for the caller */
	domid_t remote_dom; /* DOMID_SELF for the caller */
	evtchn_port_t port; /* OUT: port of @dom */
};

/* Connect to a port some domain opened for us; ours starts pending. */
struct evtchn_bind_interdomain {
	domid_t remote_dom;	   /* DOMID_SELF for a loopback */
	evtchn_port_t remote_port; /* port of @remote_dom */
	evtchn_port_t local_port;  /* OUT */
};

/* Receive a virtual interrupt. */
struct evtchn_bind_virq {
	uint32_t virq;	    /* VIRQ_* */
	uint32_t vcpu;	    /* must be 0 unless the VIRQ is per vCPU */
	evtchn_port_t port; /* OUT */
};

/* evtchn_bind_pirq.flags: other domains may bind the same line. */
#define BIND_PIRQ__WILL_SHARE 1

/* Receive a physical interrupt. */
struct evtchn_bind_pirq {
	uint32_t pirq;
	uint32_t flags;	    /* BIND_PIRQ__* */
	evtchn_port_t port; /* OUT */
};

/* A channel from any vCPU of this domain to @vcpu, for good. */
struct evtchn_bind_ipi {
	uint32_t vcpu;
	evtchn_port_t port; /* OUT */
};

/* Give the port back.  A connected peer becomes unbound, without notice. */
struct evtchn_close {
	evtchn_port_t port;
};

/* --- Use ---------------------------------------------------------------- */

/* Post an event to the other end. */
struct evtchn_send {
	evtchn_port_t port; /* interdomain, ipi or unbound (dropped) */
};

/* evtchn_status.status */
#define EVTCHNSTAT_closed      0
#define EVTCHNSTAT_unbound     1
#define EVTCHNSTAT_interdomain 2
#define EVTCHNSTAT_pirq	       3
#define EVTCHNSTAT_virq	       4
#define EVTCHNSTAT_ipi	       5

/* What is this port?  @u is left alone for closed and ipi ports. */
struct evtchn_status {
	domid_t dom; /* DOMID_SELF for the caller */
	evtchn_port_t port;
	uint32_t status; /* OUT: EVTCHNSTAT_* */
	uint32_t vcpu;	 /* OUT: where events are delivered */
	union {
		struct {
			domid_t dom; /* OUT: who may connect */
		} unbound;
		struct {
			domid_t dom;	    /* OUT: peer */
			evtchn_port_t port; /* OUT: the peer's port */
		} interdomain;
		uint32_t pirq; /* OUT */
		uint32_t virq; /* OUT */
	} u;
};

/* Deliver future events of @port to @vcpu. */
struct evtchn_bind_vcpu {
	evtchn_port_t port;
	uint32_t vcpu;
};

/* Clear the mask; deliver again if the port is pending. */
struct evtchn_unmask {
	evtchn_port_t port;
};

/* Close every port and return to the two-level ABI. */
struct evtchn_reset {
	domid_t dom; /* DOMID_SELF for the caller */
};

/* Argument of event_channel_op_compat. */
struct evtchn_op {
	uint32_t cmd; /* EVTCHNOP_*, at most EVTCHNOP_unmask */
	union {
		struct evtchn_alloc_unbound alloc_unbound;
		struct evtchn_bind_interdomain bind_interdomain;
		struct evtchn_bind_virq bind_virq;
		struct evtchn_bind_pirq bind_pirq;
		struct evtchn_bind_ipi bind_ipi;
		struct evtchn_close close;
		struct evtchn_send send;
		struct evtchn_status status;
		struct evtchn_bind_vcpu bind_vcpu;
		struct evtchn_unmask unmask;
	} u;
};

/* --- Two-level ABI ------------------------------------------------------ */

/*
 * Ports are bits of shared_info.evtchn_pending and .evtchn_mask, found through
 * vcpu_info.evtchn_pending_sel.  The limit is the square of the width of the
 * guest's words: 64 bits for 64-bit x86 and for every Arm guest, 32 for
 * 32-bit x86.
 */
#define EVTCHN_2L_NR_CHANNELS_64 4096
#define EVTCHN_2L_NR_CHANNELS_32 1024

/* --- FIFO ABI ----------------------------------------------------------- */

/*
 * Each port owns one event word in the pages of the event array.  Events wait
 * in one linked list per (vCPU, priority): the control block holds the number
 * of the first port, the LINK field of each word the next one (0 ends it).
 */
typedef uint32_t event_word_t;

/* Bit numbers in an event word.  Bits 27 to 17 are 0. */
#define EVTCHN_FIFO_PENDING   31 /* Xen sets, guest clears */
#define EVTCHN_FIFO_MASKED    30 /* guest; EVTCHNOP_unmask clears */
#define EVTCHN_FIFO_LINKED    29 /* Xen sets, guest clears with LINK */
#define EVTCHN_FIFO_BUSY      28 /* Xen: guest must not clear MASKED now */
#define EVTCHN_FIFO_LINK_BITS 17
#define EVTCHN_FIFO_LINK_MASK ((1 << EVTCHN_FIFO_LINK_BITS) - 1)

#define EVTCHN_FIFO_NR_CHANNELS (1 << EVTCHN_FIFO_LINK_BITS)

/* The smaller number is served first. */
#define EVTCHN_FIFO_PRIORITY_MAX     0
#define EVTCHN_FIFO_PRIORITY_DEFAULT 7
#define EVTCHN_FIFO_PRIORITY_MIN     15

#define EVTCHN_FIFO_MAX_QUEUES (EVTCHN_FIFO_PRIORITY_MIN + 1)

/* Queues of one vCPU, in guest memory: 72 bytes inside one page. */
struct evtchn_fifo_control_block {
	/* Bit p: queue p got a new head.  Xen sets, guest exchanges with 0. */
	uint32_t ready;
	uint32_t _rsvd;
	/* First port of each queue.  Xen writes, guest reads. */
	uint32_t head[EVTCHN_FIFO_MAX_QUEUES];
};

/* Give Xen the control block of @vcpu; the first call switches to FIFO. */
struct evtchn_init_control {
	abi_u64 control_gfn; /* guest frame number of its page */
	uint32_t offset;     /* bytes into the page, multiple of 8 */
	uint32_t vcpu;
	uint8_t link_bits; /* OUT: EVTCHN_FIFO_LINK_BITS */
	uint8_t _pad[7];
};

/* Append one page, 1024 event words, to the event array. */
struct evtchn_expand_array {
	abi_u64 array_gfn; /* guest frame number */
};

/* Choose the queue for future events of @port. */
struct evtchn_set_priority {
	evtchn_port_t port;
	uint32_t priority; /* EVTCHN_FIFO_PRIORITY_MAX.._MIN */
};

#endif /* ABI_EVENT_CHANNEL_H */
