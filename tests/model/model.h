/* SPDX-License-Identifier: MIT */
/*
 * A reference model of event channels: what docs/spec.md says in sections 1 to
 * 4, in the plainest way.  Arrays, loops and indexes; no locks, no bitmaps of
 * our own, nothing lent, nothing shared with core/.
 *
 * The guest's memory is part of the model: bytes at offsets, page 0 being
 * shared_info.  An operation of the model changes its copy as the hypervisor
 * would change the guest's, so comparing both sides is comparing bytes.
 *
 * What the hypervisor asks of its host is written down as a list of events.
 * What the host answers is m->host, set before the call.
 *
 * Reading order: this, model.c (states and operations), model_memory.c
 * (delivery: what is written where).
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include <abi/errno.h>
#include <abi/event_channel.h>
#include <abi/xen.h>

#define MODEL_DOMAINS 5
#define MODEL_VCPUS   36
#define MODEL_PORTS   5120
#define MODEL_PIRQS   8
#define MODEL_PAGES   10
#define MODEL_MEMORY  (MODEL_PAGES * 4096u)
#define MODEL_EVENTS  16384
#define MODEL_NOBODY  UINT32_MAX
#define MODEL_BLOCK   1 /* result of model_poll(): deschedule */

/* The guest sees its memory from this address on. */
#define MODEL_BASE 0x10000u
/* Pages the hypervisor treats in a special way. */
#define MODEL_PAGE_READONLY 2
/* Lines below this one may be used by the domain. */
#define MODEL_PIRQ_PERMITTED 6

enum model_state {
	FREE,
	RESERVED,
	UNBOUND,
	INTERDOMAIN,
	PIRQ,
	VIRQ,
	IPI,
};

struct model_port {
	enum model_state state;
	uint32_t vcpu;
	uint32_t priority;
	uint32_t consumer; /* 0, or 1 + number of the callback */
	uint32_t dom;	   /* UNBOUND: who may bind; INTERDOMAIN: the peer */
	uint32_t port;	   /* INTERDOMAIN: the peer */
	uint32_t source;   /* PIRQ and VIRQ: the number */
	bool parked;	   /* FIFO: an event came before the page */
	uint32_t last;	   /* FIFO: vCPU * 16 + priority it was linked on */
	/* What Xen does not have, see model_extra.c. */
	uint32_t generation; /* UNBOUND: of the domain that may bind, 0: any */
	bool is_static;	     /* only its domain's end closes it */
	bool notice;	     /* the peer's close is an event */
	bool is_listed;	     /* in the list of those held back */
	bool is_held;	     /* and with an event */
	uint64_t sent, posted, dropped;
};

/* How a domain is made. */
struct model_shape {
	bool is_64;
	bool has_fifo;
	bool privileged;
	bool check_send;
	bool has_limit;
	uint32_t nr_vcpus;
	uint32_t nr_buckets;
	uint32_t nr_lent; /* buckets lent in advance */
	uint32_t max_port;
	uint32_t nr_pirqs;
};

struct model_domain {
	struct model_shape shape;
	bool exists; /* the host finds it */
	bool dying;
	bool gone; /* all its ports are closed for good */
	bool paused;
	bool is_64;
	uint32_t id;
	uint32_t target;    /* MODEL_NOBODY: none */
	uint32_t nr_valid;  /* ports below exist */
	uint32_t nr_open;   /* not FREE, without port 0 */
	uint32_t nr_owned;  /* of these, by the hypervisor */
	uint32_t nr_static; /* of these, static ones */
	uint32_t last_opened;
	uint32_t reset_next; /* 0, or where a reset goes on */
	uint32_t destroy_next;
	struct model_port port[MODEL_PORTS];
	uint32_t virq_port[MODEL_VCPUS][NR_VIRQS];
	uint32_t pirq_port[MODEL_PIRQS];
	uint32_t poll[MODEL_VCPUS]; /* 0: not; a port; MODEL_NOBODY: any */
	/* Where the vCPU's vcpu_info is: an offset into memory. */
	uint32_t info[MODEL_VCPUS];
	bool info_registered[MODEL_VCPUS];
	bool is_fifo;
	uint32_t control[MODEL_VCPUS]; /* MODEL_NOBODY: none */
	uint32_t tail[MODEL_VCPUS * EVTCHN_FIFO_MAX_QUEUES];
	uint32_t nr_pages;
	uint32_t array[128]; /* offset of the page */
	uint32_t generation;
	uint32_t burst, left; /* events in a period, and left in this one */
	uint32_t nr_held;
	uint32_t held[MODEL_PORTS]; /* ports, first come first served */
	uint64_t delayed;
	uint64_t gone_sent, gone_posted, gone_dropped; /* by closed ports */
	uint32_t lost;				       /* FIFO */
	/* Behind the guest's pages: a dummy vcpu_info for each vCPU. */
	uint8_t memory[MODEL_MEMORY + MODEL_VCPUS * 64];
};

enum model_what {
	MODEL_KICK,	   /* vCPU */
	MODEL_WAKE,	   /* vCPU */
	MODEL_CALL,	   /* callback << 16 | vCPU, port */
	MODEL_PIRQ_BIND,   /* line, flags */
	MODEL_PIRQ_UNBIND, /* line */
	MODEL_PIRQ_MOVE,   /* line, vCPU */
	MODEL_MAP,	   /* page */
	MODEL_UNMAP,	   /* page */
};

struct model_event {
	uint32_t what, dom, a, b;
};

struct model_events {
	uint32_t nr;
	struct model_event event[MODEL_EVENTS];
};

/* What the host's hooks answer. */
struct model_host {
	bool no_memory; /* no bucket */
	bool refuse;	/* no permission, for anybody */
	bool yield;	/* long operations shall stop */
	bool upcall;	/* an upcall could be taken now */
	int pirq_rc;	/* connecting a line */
};

struct model {
	bool xen_4_17;
	uint32_t hwdom;
	uint32_t handler[NR_VIRQS]; /* MODEL_NOBODY: hwdom */
	uint32_t callbacks;	    /* those in use, as bits */
	struct model_host host;
	struct model_events events;
	struct model_domain domain[MODEL_DOMAINS];
};

/* Dummy vcpu_info of a vCPU. */
#define MODEL_DUMMY(vcpu) (MODEL_MEMORY + (vcpu)*64)

/* --- model.c ------------------------------------------------------------- */

void model_start(struct model *m, bool xen_4_17);
int model_create(struct model *m, uint32_t id, const struct model_shape *shape,
		 uint32_t generation);
int model_destroy(struct model *m, uint32_t id);
/* The host forgets a domain that was destroyed. */
void model_remove(struct model *m, uint32_t id);

int model_hypercall(struct model *m, uint32_t id, uint32_t cmd, uint64_t arg);
int model_compat(struct model *m, uint32_t id, uint64_t arg);
int model_status(struct model *m, uint32_t id, struct evtchn_status *s);
int model_poll(struct model *m, uint32_t id, uint32_t vcpu, uint64_t arg,
	       bool narrow, uint64_t *timeout);

int model_bind_ipi(struct model *m, struct model_domain *d, uint32_t vcpu,
		   uint32_t *port);
int model_close(struct model *m, struct model_domain *d, uint32_t port);

void model_virq(struct model *m, uint32_t id, uint32_t vcpu, uint32_t virq);
void model_virq_domain(struct model *m, uint32_t id, uint32_t virq);
void model_virq_global(struct model *m, uint32_t virq);
int model_set_handler(struct model *m, uint32_t id, uint32_t virq);
void model_pirq(struct model *m, uint32_t id, uint32_t pirq);

/* Callback number @fn, MODEL_NOBODY: none.  Number 0 answers: it notifies. */
int model_consumer_alloc(struct model *m, uint32_t id, uint32_t vcpu,
			 uint32_t remote, uint32_t fn, uint32_t *port);
int model_consumer_free(struct model *m, uint32_t id, uint32_t port);
void model_consumer_notify(struct model *m, uint32_t id, uint32_t port);

/* @offset into the guest's memory; MODEL_NOBODY: NULL. */
int model_register_info(struct model *m, uint32_t id, uint32_t vcpu,
			uint32_t offset);

/* --- model_extra.c ------------------------------------------------------- */

int model_watch_peer(struct model *m, uint32_t id, uint32_t port, bool on);
int model_limit_set(struct model *m, uint32_t id, uint32_t burst);
/* Returns how many ports still wait. */
uint32_t model_limit_refill(struct model *m, uint32_t id);

/* One row of a table of static channels. */
struct model_end {
	uint32_t dom, port, vcpu;
};

int model_static(struct model *m, const struct model_end *a,
		 const struct model_end *b);

/* --- model_memory.c ------------------------------------------------------ */

void model_note(struct model *m, enum model_what what, uint32_t dom, uint32_t a,
		uint32_t b);
uint32_t model_get32(const struct model_domain *d, uint32_t offset);
void model_put32(struct model_domain *d, uint32_t offset, uint32_t value);
/* Copy from, to the guest.  False: it cannot be accessed. */
bool model_in(const struct model_domain *d, void *to, uint64_t addr,
	      uint32_t size);
bool model_out(struct model_domain *d, uint64_t addr, const void *from,
	       uint32_t size);
/* May the guest let page @gfn be mapped? */
bool model_may_map(uint64_t gfn);

/* Ports the ABI has, now. */
uint32_t model_abi_limit(const struct model_domain *d);
/* Offsets of the bitmaps in shared_info, of the selector in vcpu_info. */
uint32_t model_mask_at(const struct model_domain *d);
uint32_t model_sel_at(const struct model_domain *d);
#define MODEL_PENDING_AT 2048u
/* Offset of a port's event word, MODEL_NOBODY: none. */
uint32_t model_word_at(const struct model_domain *d, uint32_t port);

void model_raise(struct model *m, struct model_domain *d, uint32_t vcpu);
/* Did the port become pending that was not? */
bool model_post(struct model *m, struct model_domain *d, uint32_t port);
void model_unmask(struct model *m, struct model_domain *d, uint32_t port);
void model_clear(struct model *m, struct model_domain *d, uint32_t port);
bool model_is_pending(const struct model_domain *d, uint32_t port);
/* FIFO is left: what is pending there becomes pending in the bitmap. */
void model_carry_back(struct model *m, struct model_domain *d, uint32_t port);
bool model_is_pending_2l(const struct model_domain *d, uint32_t port);
bool model_is_busy(const struct model_domain *d, uint32_t port);

#endif /* MODEL_H */
