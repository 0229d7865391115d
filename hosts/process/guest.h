/* SPDX-License-Identifier: MIT */
/*
 * Inside an attached process: a guest, its ports and its lanes.
 *
 *   attach.c      becoming a domain, and leaving
 *   takeover.c    going on after exec(); giving rights up
 *   guest_trap.c  hypercalls: what is done here, what the broker does
 *   ask.c         what the broker is asked, and its answers
 *   sched.c       the hypercalls that wait
 *   news.c        what the broker tells: lanes, connections, closings
 *   notice.c      being told of a peer's end
 *   rejoin.c      the broker ended: back to its successor
 *   claims.c      ... and telling it what there is
 *   lane_set.c    which lanes there are, which are looked at
 *   wait.c        collecting from lanes, sleeping
 *   storm.c       a peer that rings for nothing
 *   deliver.c     posting: an event becomes a pending port
 *   fifo.c        FIFO event channels: switching over, and back
 *   lent.c        memory for the guest library's tables
 *   upcall.c      upcalls: at safe points, or by a signal
 *   vcpu.c        which thread is which vCPU, and waking one of them
 *   guarded.c     collecting and sleeping when there is more than one thread
 *   trace.c       what happens, written down for `evtchn trace`
 *   lane.c kick.c port_lane.c  the lanes themselves, shared with the broker
 *
 * A guest is plain or guarded.  A plain one has one vCPU and takes upcalls at
 * safe points only: one thread at a time, no locks, nothing of what follows.
 * A guarded one has several vCPUs, or upcalls by signal, or both.  Then a
 * thread of its own, the listener, sleeps on the bells and collects for vCPUs
 * that sleep or compute, and three things keep everybody apart:
 *
 *   guest.lock     lanes, news, the socket, and who collects
 *   vcpu.chans     channels and what they point to: whoever sends holds his
 *                  own vCPU's, whoever changes them holds guest.lock and all
 *   "inside"       a thread that is in here takes no upcall: it would find
 *                  its own locks taken.  It is taken on the way out.
 *
 * Order: guest.lock, then vcpu.chans by rising vCPU.  Neither is held while a
 * handler runs.
 */
#ifndef EVP_GUEST_H
#define EVP_GUEST_H

#include <time.h>

#include <abi/errno.h>
#include <abi/event_channel.h>
#include <evc/deliver.h>
#include <evg/evg.h>
#include <evp/evp.h>

#include <pthread.h>

#include "clock.h"
#include "control.h"
#include "counts.h"
#include "doze.h"
#include "port_lane.h"
#include "mutex.h"
#include "trace.h"

#define EVP_NR_PORTS EVTCHN_FIFO_NR_CHANNELS
#define EVP_NR_IRQS  1024

/* What a hypercall returns that the broker should do, when it is gone. */
#define EVP_RC_NO_BROKER (-XEN_ENOTCONN)

/* slot_port: what a slot stands for, other than a port. */
#define EVP_SLOT_UNKNOWN 0	    /* nothing heard: keep the bit */
#define EVP_SLOT_DEAD	 UINT32_MAX /* its port was closed here: drop the bit */

/* The pair of lanes to one other attachment, or the one from the broker. */
struct evp_lane {
	struct evp_lane_page *in;  /* of the broker's: a struct evp_port_lane */
	struct evp_lane_page *out; /* NULL: the broker's */
	uint64_t in_id;
	int rope;	/* of @out's bell, -1 */
	int bell;	/* of @in, -1 */
	uint32_t index; /* in guest.lane[] */
	uint32_t peer_domid, peer_pid;
	bool old;	/* of a broker that ended: being replaced */
	bool moved;	/* some channel went from it to its successor */
	bool lost;	/* some channel's peer will not come back */
	bool kept;	/* may be in use without our knowing */
	bool by_port;	/* the broker's */
	uint32_t users; /* ports that send in it */
	/* storm.c */
	bool stormy;	    /* shut, for a moment, or not heard */
	uint32_t in_vain;   /* looks that found nothing new */
	int64_t vain_since; /* the first of them */
	/* Slots that stand for something, and the words with such. */
	uint64_t known[EVP_LANE_WORDS];
	uint64_t words;
	uint64_t early[EVP_LANE_WORDS]; /* came before CONNECT, after CLOSED */
	uint32_t slot_port[EVP_LANE_SLOTS];
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
	bool watched; /* the peer's end is an event */
	uint16_t slot_in, slot_out;
	evtchn_port_t peer; /* EVP_HERE */
	evb_u32 vcpu;	    /* who is notified */
	/* For a claim (proto.h).  @kind 0: nobody here opened it. */
	uint8_t kind;	 /* EVTCHNSTAT_* */
	bool parted;	 /* closed without a broker: the next one is told */
	bool unreturned; /* the hypercall that opens it is not over */
	uint16_t domid;
	uint32_t number;
};

/* Two of the hypercalls, two of evp_timer_set(). */
enum evp_timer_id {
	EVP_TIMER_SINGLESHOT,
	EVP_TIMER_PERIODIC,
	EVP_TIMER_WALL,
	EVP_TIMER_VIRTUAL,
};

#define EVP_NR_TIMERS 4

struct evp_timer {
	int64_t next;	    /* by its own clock; EVP_NO_DEADLINE: not set */
	int64_t period;	    /* 0: once */
	int64_t not_before; /* wall clock: not worth asking earlier */
};

/* One vCPU.  Written by its thread, unless said otherwise. */
struct evp_vcpu {
	struct evp_guest *guest;
	struct evg_vcpu *evg;
	evb_ptr info; /* its vcpu_info.  Written: guest.lock and all chans */
	bool info_registered;
	evb_u32 posted;	   /* ports that became pending for it, by anybody */
	uint32_t reported; /* of these, returned by evp_poll() or evp_wait() */
	uint32_t in_vain;  /* looks in a row that found nothing */
	/* timer.c; written: guest.lock. */
	struct evp_timer timer[EVP_NR_TIMERS];
	evtchn_port_t timer_port; /* VIRQ_TIMER; 0: not bound here */
	clockid_t cpu_clock;	  /* of the thread the virtual time is of */
	/* The rest is used by guarded guests only. */
	struct evp_mutex chans;
	evb_u32 tid;	 /* the thread that is this vCPU, 0: none.  vcpu.c */
	evb_u32 asleep;	 /* enum evp_asleep (MO-BLOCK) */
	evb_u32 polling; /* ... for ports of other vCPUs, too (MO-POLL) */
	evb_u32 interrupted; /* upcall signals that came */
	bool armed;	     /* by evp_arm(), since the last evp_poll() */
	int bell;	     /* an eventfd, -1 before there is one */
	struct evp_vcpu *next_mine; /* the next one its thread is */
};

struct evp_guest {
	struct evg_guest evg;
	struct evp_vcpu *vcpu;
	struct evg_vcpu *evg_vcpu;
	uint32_t nr_vcpus;
	struct evp_lent *lent; /* lent.c */
	struct evg_irq *evg_irq;
	struct shared_info *shared;
	struct evc_words words;
	/* deliver.c: ports below it are in @words; 4096, or 0: a FIFO guest. */
	uint32_t nr_2l;
	evb_ptr fifo; /* struct evp_fifo, NULL: 2-level */
	/* Ports with an event that waits for their array page. */
	evb_u32 parked[EVTCHN_FIFO_NR_CHANNELS / 32];
	void (*callback)(void);
	domid_t domid;
	int control; /* -1: the broker is gone */
	int epoll;
	/* rejoin.c */
	char name[EVP_NAME_MAX];
	char path[EVP_PATH_MAX]; /* where a broker may be; "": nowhere */
	uint64_t broker_id;
	uint16_t limit; /* evp_restrict(), or EVP_DOMID_ANY */
	bool inherited; /* @control is to survive exec() */
	bool joining;	/* REATTACH is under way */
	bool tend;	/* evp_tend() has something to do */
	/* claims.c */
	uint32_t claim_from; /* the first port not claimed yet; 0: all are */
	int64_t look_at;     /* what the socket has, unless it wakes us */
	bool owes;	     /* ... an answer for which there was no room */
	struct evp_link_msg owed;
	int timer;	  /* -1, or when to try again, as a descriptor */
	int64_t retry_at; /* and as a time */
	int64_t backoff;
	uint32_t seq;
	int64_t spin_ns;   /* how long to look before sleeping */
	bool news;	   /* the control socket wants to be read */
	evb_u32 rung_from; /* the CPU of who rang last, plus 1; 0: nobody */
	bool armed;	   /* somebody may have rung since */
	/*
	 * The first @nr_hot are not armed: looked at while awake.  From @nr_open
	 * on they are shut: neither looked at nor listened to.
	 */
	struct evp_lane **lane;
	struct evp_lane *broker; /* one of them */
	uint32_t nr_lanes, nr_open, nr_hot, max_lanes;
	/*
	 * EVP_NR_PORTS of them, of which only those of ports we have heard of
	 * cost memory: these are below @end_port, written under @lock.
	 */
	struct evp_chan *chan;
	evb_u32 end_port;
	uint32_t nr_timers; /* of all vCPUs, that are set; and @reopen_at */
	int64_t reopen_at;  /* stormy lanes; EVP_NO_DEADLINE: there are none */
	int timerfd;	    /* -1: not needed yet */
	int64_t timerfd_at; /* when it becomes readable */
	struct evp_counts *counts;
	struct evp_trace_head *trace; /* NULL: nothing is written down */
	int counts_fd; /* for reading only; -1: nobody else can */
	/* Guarded guests only. */
	bool guarded;
	int signal; /* that brings upcalls; 0: none */
	struct evp_mutex lock;
	evb_u32 nr_asleep;  /* vCPUs: lanes stay armed for them */
	evb_u32 nr_polling; /* of these, in SCHEDOP_poll */
	bool listening;	    /* there is a listener */
	evb_u32 stopping;   /* and it is to end */
	pthread_t listener;
	pid_t pid; /* whose listener: not a child's */
	int nudge; /* rings the listener; -1 */
};

/* Between what a thread does and what its own signal handler does. */
#define evp_barrier() __asm__ volatile("" : : : "memory")

/* All ports we have heard of are below it.  Relaxed: who has to see, has locks. */
static inline uint32_t evp_end_port(const struct evp_guest *g)
{
	return evb_u32_load_relaxed(&g->end_port);
}

/* We hear of @port. */
static inline void evp_hear_of(struct evp_guest *g, evtchn_port_t port)
{
	if (port >= evp_end_port(g))
		evb_u32_store_relaxed(&g->end_port, port + 1);
}

/* Something happened once more. */
static inline void evp_note(const struct evp_guest *g, evb_u64 *count)
{
	evp_count_in(g->guarded, count);
}

/* Give the broker our counts, to be shown (attach.c). */
void evp_lend_counts(struct evp_guest *g);

/* --- trace.c ---------------------------------------------------------------- */

/* If EVTCHN_TRACE says so.  0, or -errno with a message. */
int evp_trace_open(struct evp_guest *g, uint32_t domid);
void evp_trace_close(struct evp_guest *g);

/*
 * Where g->trace is not NULL: something begins, and it ends; the two for a
 * send; an event, which is @port's.
 */
uint64_t evp_trace_start(struct evp_guest *g, enum evp_trace_kind kind,
			 uint32_t port, uint64_t link);
void evp_trace_stop(struct evp_guest *g, uint64_t at, enum evp_trace_kind kind);
uint64_t evp_trace_send(struct evp_guest *g, evtchn_port_t port);
void evp_trace_sent(struct evp_guest *g, uint64_t at, enum evp_sent sent);
void evp_trace_event(struct evp_guest *g, enum evp_trace_kind kind,
		     evtchn_port_t port);

/* The same for what has no time to lose only when it is recorded. */
static inline uint64_t evp_trace_begin(struct evp_guest *g,
				       enum evp_trace_kind kind, uint32_t port,
				       uint64_t link)
{
	return g->trace ? evp_trace_start(g, kind, port, link) : 0;
}

static inline void evp_trace_end(struct evp_guest *g, uint64_t at,
				 enum evp_trace_kind kind)
{
	if (g->trace)
		evp_trace_stop(g, at, kind);
}

#include "deliver.h" /* posting, FIFO event channels, upcalls */

/* --- vcpu.c ----------------------------------------------------------------- */

/* The vCPU of @g this thread is, NULL: none. */
struct evp_vcpu *evp_find_mine(const struct evp_guest *g);

static inline struct evp_vcpu *evp_this(const struct evp_guest *g)
{
	return g->guarded ? evp_find_mine(g) : &g->vcpu[0];
}

/* The first one this thread is, of all guests; the others follow. */
struct evp_vcpu *evp_mine(void);

/* Something was posted to @v; @raised: its upcall flag was clear. */
void evp_notice(struct evp_vcpu *v, bool raised);

/* Wake @v, if it sleeps.  True: it does, and looks at its flag now. */
bool evp_ring(struct evp_vcpu *v);

/* Something became pending: wake whoever is in SCHEDOP_poll. */
void evp_notice_pollers(struct evp_guest *g);

/* Keep every vCPU from using channels, to change them. */
void evp_chans_lock(struct evp_guest *g);
void evp_chans_unlock(struct evp_guest *g);

/* No thread is any vCPU of @g any more; of this one at least. */
void evp_vcpus_forget(struct evp_guest *g);

static inline void evp_guest_lock(struct evp_guest *g)
{
	if (g->guarded)
		evp_mutex_lock(&g->lock);
}

static inline void evp_guest_unlock(struct evp_guest *g)
{
	if (g->guarded)
		evp_mutex_unlock(&g->lock);
}

/* --- guarded.c -------------------------------------------------------------- */

int evp_listener_start(struct evp_guest *g);
void evp_listener_stop(struct evp_guest *g);

typedef bool evp_over_fn(const struct evp_vcpu *v, const void *ctx);

/*
 * Wait until @over says so, or @deadline.  1: it does; otherwise as evp_wait().
 * It is asked again whenever something was posted to @v, or to anybody if @v is
 * polling.
 */
int evp_guarded_await(struct evp_vcpu *v, evp_over_fn *over, const void *ctx,
		      int64_t deadline);

/* Take what is there for anybody. */
void evp_guarded_collect(struct evp_guest *g);

/* The public functions, for a guarded guest. */
int evp_guarded_poll(struct evp_guest *g);
int evp_guarded_wait(struct evp_guest *g, int64_t deadline);
bool evp_guarded_arm(struct evp_guest *g);

/* Undo evp_arm(). */
void evp_guarded_disarm(struct evp_vcpu *v);

/* --- attach.c --------------------------------------------------------------- */

/*
 * The parts of evp_attach(): a guest that is not connected, NULL without memory;
 * its spin time from the environment, which is also checked; memory, what came
 * with ATTACHED or TAKEN_OVER, and the guest library.
 */
struct evp_guest *evp_guest_new(void);
int evp_guest_spin(struct evp_guest *g, const struct evp_options *o);
int evp_guest_settle(struct evp_guest *g, struct evp_packet *p, uint32_t domid,
		     uint64_t lane);

/* --- lane_set.c ------------------------------------------------------------- */

/* Memory, all zero, that costs nothing until it is used; NULL: no more. */
void *evp_new_pages(size_t size);

/* A lane, all zero; NULL: no memory.  And its end. */
struct evp_lane *evp_lane_new(void);
void evp_lane_free(struct evp_lane *l);

/* Add a lane, shut; -ENOMEM.  And take it out again (not freed). */
int evp_lane_add(struct evp_guest *g, struct evp_lane *l);
void evp_lane_remove(struct evp_guest *g, struct evp_lane *l);
void evp_lanes_free(struct evp_guest *g);
/* It rang: it is looked at while awake.  Not a shut one. */
void evp_lane_heat(struct evp_guest *g, struct evp_lane *l);

/*
 * Look at it from now on, and be woken by its bell.  Not open yet: it is hot.
 * -ENOMEM, -ENOSPC: its bell cannot be heard, it stays shut (storm.h).
 */
int evp_lane_open(struct evp_guest *g, struct evp_lane *l);
void evp_lane_shut(struct evp_guest *g, struct evp_lane *l);
/* A channel uses it, which opens it; and one less: the last one shuts it. */
void evp_lane_use(struct evp_guest *g, struct evp_lane *l);
void evp_lane_unuse(struct evp_guest *g, struct evp_lane *l);
struct evp_lane *evp_lane_find(struct evp_guest *g, uint64_t in_id);

/* What @slot stands for from now on: a port, or EVP_SLOT_... */
void evp_lane_name_slot(struct evp_lane *l, uint32_t slot, uint32_t what);

/* The first one from @slot on that stands for something; EVP_LANE_SLOTS: none. */
uint32_t evp_lane_next_slot(const struct evp_lane *l, uint32_t slot);

/* Something came in a slot that stands for no port (now). */
static inline void evp_lane_keep(struct evp_lane *l, uint32_t slot)
{
	l->early[slot / 64] |= 1ull << slot % 64;
}

/* --- wait.c ----------------------------------------------------------------- */

/* Take what is in a lane, selected or not. */
void evp_lane_drain(struct evp_guest *g, struct evp_lane *l);

/* Take what is in all lanes, and the news; no upcalls. */
void evp_collect(struct evp_guest *g);

/* Take what the broker posted by itself, nothing else. */
void evp_collect_broker(struct evp_guest *g);

/* The lane @id rang; 0: the socket. */
void evp_on_ring(struct evp_guest *g, uint64_t id);

/* Is there something in a lane? */
bool evp_is_something_there(const struct evp_guest *g);

/*
 * Arm all lanes.  True: there is something in one of them already, or nothing
 * would wake us for what is due.
 */
bool evp_arm_all(struct evp_guest *g);

/* Is there still anybody who could send, besides this very thread? */
bool evp_is_alone(const struct evp_guest *g);

#define EVP_NO_DEADLINE INT64_MAX

/* Data of the timerfd in the epoll instance; no lane has that number. */
#define EVP_RING_TIMER (UINT64_MAX - 2)

#define EVP_SPINS_PER_LOOK 16 /* turns between two looks at the clock */

/* @ts: what is left until @deadline; NULL is returned when there is none. */
struct timespec *evp_left_until(int64_t deadline, struct timespec *ts);

/*
 * Wait until something more than @seen was posted, or @deadline; no upcalls.
 * 1: it was; otherwise as evp_wait().  A plain guest.
 */
int evp_wait_until(struct evp_guest *g, uint32_t seen, int64_t deadline);

/* How many ports became pending since this was asked last. */
int evp_report(struct evp_vcpu *v);

/* --- ask.c ------------------------------------------------------------------ */

/* Have the broker do a hypercall; @arg is IN and OUT. */
int evp_ask_broker(struct evp_guest *g, uint32_t cmd, void *arg, size_t len);

/* The same for any question, with seq ++g->seq, that RESULT answers. */
int evp_ask_result(struct evp_guest *g, const struct evp_hdr *m, void *arg,
		   size_t len);
/* Another hypercall than event_channel_op. */
int evp_ask_hypercall(struct evp_guest *g, uint32_t nr, uint32_t cmd, void *arg,
		      size_t len);

/*
 * Say a question, after all claims, with descriptor *@fd unless @fd is NULL; to the
 * next broker if this one is dead.  False: there is none.
 */
bool evp_say_question(struct evp_guest *g, const struct evp_hdr *m,
		      const int *fd);

/* Is @port open, and ours? */
bool evp_is_open(struct evp_guest *g, evtchn_port_t port, int *rc);

/* --- guest_trap.c ----------------------------------------------------------- */

/* Copy from and to an address somebody passed.  0 or -XEN_EFAULT. */
int evp_copy_in(void *dst, const void *src, size_t len);
int evp_copy_out(void *dst, const void *src, size_t len);

/* The guest in an upcall, else the thread's first, else the process's. */
struct evp_guest *evp_current(void);
/* @v takes upcalls.  Returns who did before, to be entered again afterwards. */
struct evp_vcpu *evp_enter(struct evp_vcpu *v);
struct evp_vcpu *evp_in_upcall(void);
void evp_adopt_current(struct evp_guest *g);
void evp_forget_current(const struct evp_guest *g);
/* The same for this thread only. */
void evp_thread_forget(const struct evp_guest *g);

/* --- timer.c ---------------------------------------------------------------- */

void evp_timers_init(struct evp_vcpu *v);

/* Post VIRQ_TIMER where a timer has expired.  Locks: guest. */
void evp_timers_run(struct evp_guest *g);

/* When the first wall-clock timer of all will, or EVP_NO_DEADLINE. */
int64_t evp_timers_next(const struct evp_guest *g);

/* @v slept, and its virtual time stood still. */
void evp_timers_woke(struct evp_vcpu *v);

/* A VIRQ was bound, as @arg says; a port was closed.  Locks: guest. */
void evp_timers_bound(struct evp_guest *g, const unsigned char *arg);
void evp_timers_closed(struct evp_guest *g, evtchn_port_t port);

/*
 * Wake at @at for evp_storms_end(); nobody sleeps until then if there is nothing
 * to wake him.  Locks: guest.
 */
void evp_timers_reopen_at(struct evp_guest *g, int64_t at);

/* VCPUOP_*_timer. */
int evp_timer_op(struct evp_vcpu *v, unsigned int cmd, const void *arg);

/* --- pirq.c ----------------------------------------------------------------- */

int evp_physdev_op(struct evp_guest *g, unsigned int cmd, void *arg);

/* --- sched.c ---------------------------------------------------------------- */

int evp_sched_op(struct evp_vcpu *v, unsigned int cmd, void *arg);

#include "rejoin.h"

#endif /* EVP_GUEST_H */
