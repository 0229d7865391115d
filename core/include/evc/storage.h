/* SPDX-License-Identifier: MIT */
/*
 * The memory a host lends to the core.
 *
 * The core has no allocator.  A host provides every structure below and the
 * arrays they point to, zeroed, and keeps them until the object is gone; only
 * the sizes are a host's business, the members are the core's.  Members that
 * say nothing else are written once, by the init function.
 *
 * Lifetime: the memory of a domain may be taken back when
 * evc_domain_destroy() has returned 0 *and* every CPU that was inside the
 * core at that moment has left it (a grace period).  Within the core this
 * means that a pointer to a domain, once found, stays good until the call
 * returns, without reference counts on the path of a send.
 *
 * Locks, in the order they are taken (see core/locking.h):
 *
 *   machine.lock      the tables of global VIRQ handlers and of consumers
 *     domain.lock     which ports, VIRQs and PIRQs of the domain are taken
 *       channel.lock  state and peer of one channel; two by address
 *         fifo.move       the queue a port of the domain was linked on last
 *           queue.lock    tail of one FIFO queue; two by address
 *         limit.lock      a domain's storm limit
 *
 * Never two domain locks at once.
 */
#ifndef EVC_STORAGE_H
#define EVC_STORAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <abi/event_channel.h>
#include <abi/xen.h>
#include <base/lock.h>
#include <evc/deliver.h>

#define EVC_BUCKET_PORTS 64 /* channels in one lent bucket (4 KiB) */
#define EVC_NR_CONSUMERS 7  /* distinct callbacks for hypervisor-owned ends */

/* Not the numbers of EVTCHNSTAT_*: evc_status() converts. */
enum __attribute__((packed)) evc_state {
	EVC_ST_FREE,
	EVC_ST_RESERVED, /* port 0 */
	EVC_ST_UNBOUND,
	EVC_ST_INTERDOMAIN,
	EVC_ST_PIRQ,
	EVC_ST_VIRQ,
	EVC_ST_IPI,
};

/* Why a send from this end is more than posting to the peer; a set of bits. */
enum evc_care {
	EVC_CARE_PERMIT = 1,   /* the domain has check_send */
	EVC_CARE_CONSUMER = 2, /* the peer is an end the hypervisor owns */
	EVC_CARE_OWNED = 4,    /* so is this one: the guest may not send */
	EVC_CARE_LIMIT = 8,    /* the domain has a storm limit */
};

/* An event that waits for its domain's next period, see limit.c. */
enum __attribute__((packed)) evc_held {
	EVC_HELD_NOT,
	EVC_HELD_LISTED, /* in the list, but its event is gone */
	EVC_HELD_EVENT,	 /* in the list with an event */
};

/*
 * One end.  A cache line of its own, so that two vCPUs sending on different
 * channels share no line here.
 *
 * Guarded by its lock, except: @port and @domain never change; @vcpu and
 * @priority are also read by the peer's sender, who holds only the lock
 * of his own end, and @parked is written by him; @fifo_last belongs to the
 * FIFO queues (deliver_fifo.c).  A state leaves or enters FREE under domain.lock *and* the
 * channel's lock, so holding either one is enough to read "is it free".  The
 * two ends of a connection change together, under both channel locks: a
 * sender that holds the lock of his own end may rely on the other.
 */
struct evc_channel {
	struct evb_lock lock;
	evtchn_port_t port;
	enum evc_state state;
	uint8_t care; /* a set of enum evc_care; INTERDOMAIN only */
	evb_u8 priority;
	uint8_t consumer; /* 0, or 1 + index into machine.consumer */
	bool closing;	  /* nobody may bind to it any more */
	evb_u8 parked;	  /* FIFO: an event waits for the port's array page */
	enum evc_held held;
	bool notice : 1;   /* the peer's close is an event (evc_watch_peer) */
	bool fixed : 1;	   /* static.h: the guest does not close it */
	evb_u32 fifo_last; /* FIFO: the queue it was linked on last */
	uint32_t dropped;  /* counted up to UINT32_MAX */
	struct evc_domain *domain;
	evb_ptr vcpu; /* struct evc_vcpu of @domain that is notified */
	union {
		struct {
			domid_t remote_domid;	    /* UNBOUND: who may bind */
			uint32_t remote_generation; /* 0: any of that domid */
		};
		struct evc_channel *peer; /* INTERDOMAIN */
		struct {
			uint32_t pirq;	     /* PIRQ */
			uint32_t pirq_flags; /* as it was bound, for saving */
		};
		uint32_t virq; /* VIRQ */
	} u;
	uint64_t sent;	 /* events sent from here, or raised here */
	uint64_t posted; /* those of them that made a port pending */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct evc_channel) == 64, "one cache line");

/* A hypervisor-owned end's callback; no core lock is held during the call. */
typedef void (*evc_consumer_fn)(struct evc_vcpu *v, evtchn_port_t port);

struct evc_vcpu {
	struct evc_domain *domain;
	struct evc_fifo_vcpu *fifo; /* NULL: none lent */
	uint32_t id;
	void *host; /* the host's own, untouched by the core */
	/*
   * This vCPU's vcpu_info as 32-bit words: in shared_info, where the guest
   * registered it, or @no_info for a vCPU that has neither.
   */
	evb_ptr info;
	bool info_registered;	     /* domain.lock */
	evb_u32 poll;		     /* EVC_POLL_NONE, _ANY, or a port */
	evb_u32 virq_port[NR_VIRQS]; /* 0: not bound.  Written: domain.lock */
	uint64_t no_info[8];
};

/*
 * The ports of one domain.  @map says which are free, as three levels of
 * bitmaps, so the lowest free port is found in three steps, not by a scan.
 * All of it is written under domain.lock.
 */
struct evc_ports {
	struct evc_channel **bucket;
	evb_u32 nr_valid;  /* ports below this exist (MO-PORTS); only grows */
	uint32_t capacity; /* nr_buckets * EVC_BUCKET_PORTS */
	uint8_t apart[64]; /* sends read what is above, binds write below */
	uint32_t nr_open;  /* not free, without port 0 */
	uint32_t nr_consumer; /* of them, owned by the hypervisor */
	uint32_t nr_fixed;    /* of them, static (static.h) */
	uint64_t *map[3];
};

/*
 * Storm limit of one domain: how many events it may send in a period of the
 * host's choice.  Lent, see limit.c.  All of it: lock.
 */
struct evc_limit {
	struct evb_lock lock; /* innermost */
	uint32_t burst;	      /* events in a period, 0: no limit */
	uint32_t left;	      /* of them, in this period */
	uint32_t first, last; /* list of ports with events held back, 0: end */
	uint32_t nr_held;     /* ports in that list */
	uint64_t nr_delayed;  /* sends that were held back, ever */
	uint32_t *next;
};

struct evc_domain {
	struct evc_machine *machine;
	evb_ptr deliver;       /* const struct evc_deliver: the ABI in use */
	struct evc_fifo *fifo; /* NULL: none lent, 2-level only */
	struct evc_words layout[2]; /* by enum evc_width */
	evb_ptr words;		    /* the one in use */
	evb_u32 nr_polling;	    /* vCPUs in SCHEDOP_poll, see poll.c */
	struct evc_ports ports;
	struct evc_vcpu *vcpu;
	uint32_t nr_vcpus;
	uint32_t max_port;
	uint32_t generation;
	domid_t domid;
	bool check_send;
	evb_u8 privileged;
	evb_u8 paused;
	evb_u8 dying;	/* written under lock, once */
	evb_ptr target; /* a domain this one may act for, or NULL */
	struct evb_lock lock;
	uint32_t reset_next;   /* 0, or the port a reset goes on with: lock */
	uint32_t destroy_next; /* the same for evc_domain_destroy(): lock */
	evb_u32 *pirq_port;    /* per PIRQ: 0, or its port.  Written: lock */
	uint32_t nr_pirqs;
	void *shared_info;
	struct evc_limit *limit; /* NULL: none lent */
	uint64_t gone_sent;	 /* counters of closed channels: lock */
	uint64_t gone_posted;
	uint64_t gone_dropped;
	void *host; /* the host's own */
};

/*
 * FIFO, what the hypervisor keeps of one queue: the port linked last, which the
 * guest may have taken out since.
 */
struct evc_fifo_queue {
	struct evb_lock lock;
	uint32_t tail; /* 0: none.  lock */
};

/* FIFO, per vCPU. */
struct evc_fifo_vcpu {
	evb_ptr control; /* the guest's control block, NULL: not given yet */
	uint64_t control_gfn; /* the frame it is in: domain.lock */
	struct evc_fifo_queue queue[EVTCHN_FIFO_MAX_QUEUES];
};

#define EVC_FIFO_PAGE_PORTS 1024
#define EVC_FIFO_MAX_PAGES  (EVTCHN_FIFO_NR_CHANNELS / EVC_FIFO_PAGE_PORTS)

/* FIFO, per domain. */
struct evc_fifo {
	struct evc_fifo_vcpu *vcpu; /* as many as the domain has */
	evb_ptr array
		[EVC_FIFO_MAX_PAGES]; /* the guest's; NULL: not given yet */
	uint64_t array_gfn[EVC_FIFO_MAX_PAGES]; /* their frames: domain.lock */
	uint32_t nr_pages;			/* domain.lock */
	struct evb_lock move;			/* a port changes its queue */
	evb_u32 nr_dropped; /* events lost by the guest's own fault */
};

struct evc_machine {
	struct evb_lock lock;
	bool xen_4_17;
	evb_ptr hwdom;
	evb_ptr virq_handler[NR_VIRQS]; /* NULL: hwdom.  Written: lock */
	evc_consumer_fn consumer[EVC_NR_CONSUMERS]; /* only grows: lock */
	void *host;
};

/* 64-bit words of @map for a domain with @buckets buckets (1..2048). */
#define EVC_MAP_WORDS(buckets) ((buckets) + ((buckets) + 63) / 64 + 1)

/*
 * What evc_domain_init() needs to know.
 *
 * @domid        0 .. 0x7FEF
 * @width        layout of shared_info at the start
 * @shared_info  one page, mapped for the domain's life
 * @vcpu         @nr_vcpus (1..8192) structures
 * @bucket       @nr_buckets (1..2048) pointers; those that are not NULL point
 *               to 64 zeroed channels lent in advance, the others are asked
 *               for with evc_host_bucket() when a port needs them
 * @map          EVC_MAP_WORDS(@nr_buckets) words, zeroed
 * @pirq_port    @nr_pirqs words, NULL when 0
 * @max_port     highest port number the domain may have (EVC_NO_LIMIT: as
 *               many as its ABI and the lent buckets allow)
 * @privileged   a control domain: may act for every other one
 * @check_send   ask evc_host_permit() also on every send
 * @deliver      NULL: the 2-level ABI.  A host may bring its own.
 * @generation   which bearer of this domid it is, if the host uses one again: a
 *               port that waits for an earlier bearer cannot be bound by this
 *               one.  0: they are not told apart, as in Xen.  SPEC 11, L8
 * @limit, @limit_next  zeroed, and a word per port (@nr_buckets * 64): the
 *               domain's sends can be limited (evc_limit_set); NULL: they
 *               cannot
 * @fifo, @fifo_vcpu  zeroed, and one per vCPU: the domain may switch to FIFO
 *               event channels; NULL: it may not
 */
#define EVC_NO_LIMIT UINT32_MAX

struct evc_domain_config {
	struct evc_machine *machine;
	domid_t domid;
	enum evc_width width;
	void *shared_info;
	struct evc_vcpu *vcpu;
	uint32_t nr_vcpus;
	struct evc_channel **bucket;
	uint32_t nr_buckets;
	uint64_t *map;
	evb_u32 *pirq_port;
	uint32_t nr_pirqs;
	uint32_t max_port;
	bool privileged;
	bool check_send;
	uint32_t generation;
	const struct evc_deliver *deliver;
	struct evc_limit *limit;
	uint32_t *limit_next;
	struct evc_fifo *fifo;
	struct evc_fifo_vcpu *fifo_vcpu;
	void *host;
};

#endif /* EVC_STORAGE_H */
