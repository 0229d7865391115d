/* SPDX-License-Identifier: MIT */
/*
 * The memory of the models: two small domains, each with the guest library in
 * it, the hooks both want, and what must be true when all actors are done.
 *
 * Domain ids are 1 (side 0) and 2 (side 1); each has two vCPUs.  Events carry
 * a payload: world_send() writes it before the send, the handler reads it.
 * An event is lost if, in the end, a handler has not seen the payload.
 */
#ifndef INTERLEAVE_WORLD_H
#define INTERLEAVE_WORLD_H

#include <evc/evc.h>
#include <evg/evg.h>
#include <evg/fifo.h>

#include "hosts/process/port_lane.h"
#include "tests/interleave/explore.h"

#define SIDES	 2
#define VCPUS	 2
#define PORTS	 40 /* with an entry in the guest's table */
#define PAYLOADS 4
#define PIRQS	 2

/* A FIFO consumer: what it remembers of one vCPU's queues. */
struct fifo_reader {
	uint32_t head[EVTCHN_FIFO_MAX_QUEUES];
};

struct side {
	unsigned char page[4096] __attribute__((aligned(4096)));
	unsigned char control[4096];
	unsigned char array[4096];
	struct evc_channel channels[2][EVC_BUCKET_PORTS];
	struct evc_domain d;
	struct evc_vcpu vcpu[VCPUS];
	struct evc_channel *bucket[2];
	uint64_t map[EVC_MAP_WORDS(2)];
	evb_u32 pirq_port[PIRQS];
	bool pirq_bound[PIRQS];
	struct evc_fifo fifo;
	struct evc_fifo_vcpu fifo_vcpu[VCPUS];
	struct evc_limit limit;
	uint32_t limit_next[2 * EVC_BUCKET_PORTS];
	struct fifo_reader reader[VCPUS];
	struct vcpu_info info; /* to register */
	struct evg_lent lent_control[VCPUS], lent_page;
	struct evg_fifo gfifo;
	struct evg_guest g;
	struct evg_port port[PORTS];
	struct evg_vcpu gv[VCPUS];
	evb_u32 asleep[VCPUS]; /* the host does not run it */
	uint32_t wakes[VCPUS];
	uint32_t mapped; /* frames */
	bool was_fifo;	 /* the 2-level bitmaps stay as they were: SPEC 2 */
	/* Payloads as handlers of a port saw them last, and their runs. */
	uint32_t seen[PORTS][PAYLOADS];
	uint32_t runs[PORTS];
	uint32_t inside[PORTS]; /* handlers running right now */
};

struct world {
	struct side side[SIDES];
	struct evc_machine machine;
	evb_u32 payload[PAYLOADS];
	uint32_t plain;	      /* the same, not atomic: one sender, one event */
	bool hosts_sleep;     /* kicks matter */
	bool lend_limit;      /* to S; set before world_start() */
	bool lend_guest_fifo; /* to R's guest library, likewise */
	struct evg_vcpu *on[X_ACTORS + 1]; /* where an actor runs */
	unsigned int upcalls_off[X_ACTORS + 1];
	int rc[X_ACTORS];
	evtchn_port_t got[X_ACTORS];
	uint32_t consumed;
	evb_u32 gone; /* the handler must not run any more */
	struct evp_lane_page lane;
	struct evp_port_lane ports;
	evb_u32 rung; /* times the lane's bell was */
};

extern struct world world;

#define R (&world.side[0]) /* mostly receives */
#define S (&world.side[1]) /* mostly sends */

/* --- setup ------------------------------------------------------------------- */

void world_start(void);
/* With the 32-bit layout: a selector bit per 32 ports. */
void world_start_32(void);
/* Connect, with a port of @a that has another selector bit (32-bit layout). */
void world_connect_far(struct side *a, evtchn_port_t *pa, struct side *b,
		       evtchn_port_t *pb);
/* Connect a new port of @a with one of @b; handlers on @vcpu of both. */
void world_connect(struct side *a, evtchn_port_t *pa, struct side *b,
		   evtchn_port_t *pb, uint32_t vcpu);
void world_handle(struct side *s, evtchn_port_t port, uint32_t vcpu);
void world_handler(struct evg_vcpu *v, evtchn_port_t port, void *ctx);
/* Actor @i runs on this vCPU. */
void world_place(unsigned int i, struct side *s, uint32_t vcpu);
/* FIFO for @s: control blocks of both vCPUs, and the array page if asked. */
void world_use_fifo(struct side *s, bool with_array);

/* --- what actors do ---------------------------------------------------------- */

/* Write payload @n, then send. */
void world_send(struct side *from, evtchn_port_t port, unsigned int n);
void world_collect(struct side *s, uint32_t vcpu);
/* Collect, then sleep as a host does it (MO-BLOCK). */
void world_run_vcpu(struct side *s, uint32_t vcpu);
/* Poll one port and sleep: the vCPU is woken by evc_host_wake(). */
int world_poll(struct side *s, uint32_t vcpu, const evtchn_port_t *port,
	       uint32_t nr);

/* --- FIFO, the reading end (fifo_reader.c) ------------------------------------ */

evb_u32 *fifo_word(struct side *s, evtchn_port_t port);
void fifo_collect(struct side *s, uint32_t vcpu);
void fifo_unmask(struct side *s, evtchn_port_t port);
void fifo_check(struct side *s);
bool fifo_is_used(const struct side *s);

/* --- the end ------------------------------------------------------------------- */

/* Everything that holds when nobody is inside; then collect what waits. */
void world_check(void);
/* Payloads 0 .. @n - 1 were sent to @port, and were seen. */
void world_check_seen(struct side *s, evtchn_port_t port, unsigned int n);

#endif /* INTERLEAVE_WORLD_H */
