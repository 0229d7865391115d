/* SPDX-License-Identifier: MIT */
/*
 * Delivery: how an event is written into the memory a guest reads.
 *
 * One ops table per ABI, one indirect call per send.  The functions behind it
 * work on shared words; they know no channel states, take no channel locks
 * and never call upward: they *return* what is to be done (EVC_NEW,
 * EVC_RAISE), and on which vCPU, and the spine in send.c does it.
 *
 * The 2-level functions are also offered bare (evc_2l_post and friends), for
 * a host that keeps a shared_info page of its own and wants delivery without
 * the state machine.  The process host does so in every attached process; and
 * with evc_deliver_fifo, whose needs are said below.
 */
#ifndef EVC_DELIVER_H
#define EVC_DELIVER_H

#include <stdbool.h>
#include <stdint.h>

#include <abi/event_channel.h>
#include <base/atomic.h>

struct evc_channel;
struct evc_domain;
struct evc_vcpu;

/* What a delivery function asks its caller to do; a set of bits. */
enum evc_due {
	EVC_NOTHING = 0,
	EVC_NEW = 1,   /* pending went 0 -> 1: look at the pollers */
	EVC_RAISE = 2, /* the vCPU has a new selector bit: raise its upcall */
};

/* Width of a guest's words: picks the layout of shared_info. */
enum evc_width {
	EVC_WIDTH_32,
	EVC_WIDTH_64,
};

/*
 * The 2-level bitmaps of one domain.  The memory belongs to the guest, which
 * may write anything into it at any time.
 */
struct evc_words {
	evb_u32 *pending;
	evb_u32 *mask;
	uint32_t nr_ports;  /* 1024 or 4096: bits in each bitmap */
	uint8_t port_shift; /* 5 or 6: port >> port_shift = selector bit */
	uint8_t sel_word;   /* 1 or 2: evtchn_pending_sel in vcpu_info */
};

/*
 * What delivery did, in two registers.  @v is the vCPU it was done on, where
 * EVC_RAISE is to be done too: a bind_vcpu meanwhile must not part the two.
 */
struct evc_posted {
	unsigned int due; /* a set of enum evc_due */
	struct evc_vcpu *v;
};

struct evc_deliver {
	/*
   * Mark @ch pending on the vCPU it notifies.  EVC_NOTHING when it already
   * was, or when the domain has no word for the port.
   */
	struct evc_posted (*post)(struct evc_domain *d, struct evc_channel *ch);
	/* Clear the mask; if that uncovers a pending event, say EVC_RAISE. */
	struct evc_posted (*unmask)(struct evc_domain *d,
				    struct evc_channel *ch);
	/* The channel is being closed: forget a pending event. */
	void (*clear)(struct evc_domain *d, struct evc_channel *ch);
	bool (*is_pending)(struct evc_domain *d, struct evc_channel *ch);
	/* A free port whose number the guest still has in a queue. */
	bool (*is_busy)(struct evc_domain *d, struct evc_channel *ch);
	/* Ports the ABI has room for, now. */
	uint32_t (*nr_ports)(const struct evc_domain *d);
	bool has_priorities;
};

extern const struct evc_deliver evc_deliver_2l;

/*
 * The FIFO ABI, posted by deliver_fifo.c.  A host may use it without the rest of
 * the core (it then needs the hook evc_host_relax() only), on objects of its
 * own, zeroed but for what is read here:
 *
 *   domain   fifo; machine, with xen_4_17 false
 *   fifo     vcpu; array[]: the pages that were given, NULL for the others
 *   vcpu     id, its index in fifo->vcpu; fifo, the entry there
 *   fifo's   control: the guest's block, NULL before it was given; queue[] is
 *   vcpu     not touched by the host
 *   channel  domain, port; vcpu and priority, which may change at any time
 *
 * Posts, unmasks and clears may come from any number of CPUs at once.  What the
 * host does to array[] or control, or to take a page away, it does while there
 * are none; then it empties the queues: tail 0, fifo_last 0.
 * An event for a port without page is parked in the channel: the host posts
 * again when the page is there.
 */
extern const struct evc_deliver evc_deliver_fifo;

/*
 * Describe the 2-level words of a shared_info page of the given width.
 * @shared_info: one page, aligned to 8 bytes or more, mapped as long as @w is
 * in use.  Source: SPEC 0.
 */
void evc_words_init(struct evc_words *w, void *shared_info,
		    enum evc_width width);

/*
 * evc_2l_post - set a port pending, and its selector bit unless it is masked.
 *
 * @info  the vCPU's vcpu_info, seen as 32-bit words
 * Returns a set of enum evc_due.
 * Context: any; no locks.
 * Order:   a full barrier between pending and mask (MO-MASK), and between
 *          pending and selector (MO-SEL).  The caller's earlier writes are
 *          visible to a handler that clears pending first (MO-PENDING).
 * Bound:   O(1), at most two atomic read-modify-writes.
 * Source:  SPEC 3.1
 */
unsigned int evc_2l_post(const struct evc_words *w, evb_u32 *info,
			 evtchn_port_t port);

/*
 * evc_2l_unmask - clear a port's mask bit; if that uncovers a pending event,
 * set the selector bit.  Does nothing when the mask bit was clear already.
 *
 * Otherwise as evc_2l_post().
 */
unsigned int evc_2l_unmask(const struct evc_words *w, evb_u32 *info,
			   evtchn_port_t port);

#endif /* EVC_DELIVER_H */
