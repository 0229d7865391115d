/* SPDX-License-Identifier: MIT */
/*
 * Inside an attached process: a guest, its ports and its lanes.
 *
 *   attach.c      becoming a domain, and leaving
 *   guest_trap.c  hypercalls: what is done here, what the broker does
 *   sched.c       the hypercalls that wait
 *   news.c        what the broker tells: lanes, connections, closings
 *   wait.c        collecting from lanes, upcalls, sleeping
 *   lane.c kick.c the lanes themselves, shared with the broker
 */
#ifndef EVP_GUEST_H
#define EVP_GUEST_H

#include <abi/errno.h>
#include <abi/event_channel.h>
#include <evc/deliver.h>
#include <evg/evg.h>
#include <evp/evp.h>

#include "control.h"
#include "lane.h"

#define EVP_NR_PORTS EVTCHN_2L_NR_CHANNELS_64
#define EVP_NR_IRQS  1024

/* What a hypercall returns that the broker should do, when it is gone. */
#define EVP_RC_NO_BROKER (-XEN_ENOTCONN)

/* slot_port: what a slot stands for, other than a port. */
#define EVP_SLOT_UNKNOWN 0	/* nothing heard: keep the bit */
#define EVP_SLOT_DEAD	 0xffff /* its port was closed here: drop the bit */

/* The pair of lanes to one other attachment, or the one from the broker. */
struct evp_lane {
	struct evp_lane_page *in;
	struct evp_lane_page *out; /* NULL: the broker's */
	uint64_t in_id;
	int bell;
	uint32_t index; /* in guest.lane[] */
	uint32_t peer_domid;
	uint64_t early[EVP_LANE_WORDS]; /* came before CONNECT, after CLOSED */
	uint16_t slot_port[EVP_LANE_SLOTS];
};

enum evp_way {
	EVP_BY_BROKER,
	EVP_BY_LANE,
	EVP_HERE, /* IPI, loopback */
};

struct evp_chan {
	struct evp_lane *lane;
	uint64_t link;
	enum evp_way way;
	bool open;    /* known to exist */
	bool unheard; /* the lane went, with an event in it */
	uint16_t slot_in, slot_out;
	uint16_t peer; /* EVP_HERE */
};

struct evp_guest {
	struct evg_guest evg;
	struct evg_vcpu vcpu;
	struct evg_port *evg_port;
	struct evg_irq *evg_irq;
	struct shared_info *shared;
	struct evc_words words;
	evb_u32 *info; /* vcpu_info of vCPU 0 */
	bool info_registered;
	void (*callback)(void);
	domid_t domid;
	int control; /* -1: the broker is gone */
	int epoll;
	uint32_t seq;
	int64_t spin_ns;   /* how long to look before sleeping */
	uint32_t in_vain;  /* looks in a row that found nothing */
	bool news;	   /* the control socket wants to be read */
	bool armed;	   /* somebody may have rung since */
	uint32_t posted;   /* ports that became pending, ever */
	uint32_t reported; /* of these, returned by evp_poll() or evp_wait() */
	/* The first @nr_hot are not armed: looked at while awake. */
	struct evp_lane **lane;
	struct evp_lane *broker; /* one of them */
	uint32_t nr_lanes, nr_hot;
	struct evp_chan chan[EVP_NR_PORTS];
	struct evp_stats stats;
};

/* --- wait.c ----------------------------------------------------------------- */

/* Add a lane, hot; -ENOMEM.  And take it out again (not freed). */
int evp_lane_add(struct evp_guest *g, struct evp_lane *l);
void evp_lane_remove(struct evp_guest *g, struct evp_lane *l);
void evp_lane_free(struct evp_lane *l);
struct evp_lane *evp_lane_find(struct evp_guest *g, uint64_t in_id);

/* Something came in a slot that stands for no port (now). */
static inline void evp_lane_keep(struct evp_lane *l, uint32_t slot)
{
	l->early[slot / 64] |= 1ull << slot % 64;
}

/* Make @port pending, as the hypervisor does. */
void evp_post(struct evp_guest *g, evtchn_port_t port);

/* Take what is in a lane, selected or not. */
void evp_lane_drain(struct evp_guest *g, struct evp_lane *l);

/* Take what is in all lanes, and the news; no upcalls. */
void evp_collect(struct evp_guest *g);

/* Take what the broker posted by itself, nothing else. */
void evp_collect_broker(struct evp_guest *g);

/* Would an upcall be taken now?  And take them. */
bool evp_is_deliverable(const struct evp_guest *g);
void evp_take_upcalls(struct evp_guest *g);

#define EVP_NO_DEADLINE INT64_MAX

int64_t evp_now(void); /* CLOCK_MONOTONIC, ns */

/*
 * Wait until g->posted is not @seen any more, or @deadline; no upcalls.
 * 1: it is not; otherwise as evp_wait().
 */
int evp_wait_until(struct evp_guest *g, uint32_t seen, int64_t deadline);

/* --- news.c ----------------------------------------------------------------- */

/* Read what the broker has to say, without waiting. */
void evp_read_news(struct evp_guest *g);

/* One message that is no answer.  Takes its descriptors. */
void evp_on_news(struct evp_guest *g, struct evp_packet *p);

/* No more broker; the lanes stay. */
void evp_lose_broker(struct evp_guest *g);

/* --- guest_trap.c ----------------------------------------------------------- */

/* Have the broker do a hypercall; @arg is IN and OUT. */
int evp_ask_broker(struct evp_guest *g, uint32_t cmd, void *arg, size_t len);

/* Is @port open, and ours? */
bool evp_is_open(struct evp_guest *g, evtchn_port_t port, int *rc);

/* Copy from and to an address somebody passed.  0 or -XEN_EFAULT. */
int evp_copy_in(void *dst, const void *src, size_t len);
int evp_copy_out(void *dst, const void *src, size_t len);

/* The guest in an upcall, else the thread's first, else the process's. */
struct evp_guest *evp_current(void);
/* @g takes upcalls.  Returns who did before, to be entered again afterwards. */
struct evp_guest *evp_enter(struct evp_guest *g);
void evp_adopt_current(struct evp_guest *g);
void evp_forget_current(const struct evp_guest *g);

/* --- sched.c ---------------------------------------------------------------- */

int evp_sched_op(struct evp_guest *g, unsigned int cmd, void *arg);

#endif /* EVP_GUEST_H */
