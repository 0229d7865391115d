/* SPDX-License-Identifier: MIT */
/*
 * A guest with several vCPUs, or with upcalls by signal: who collects, and how
 * a vCPU sleeps.
 *
 * Somebody has to take events out of the lanes while their vCPU computes, or
 * sleeps: the listener, a thread that waits on the epoll instance the peers'
 * bells ring.  For that the lanes are armed, so senders ring (each time they
 * find a lane empty: a system call more for the first event of a batch).  Where
 * nobody would miss it, because no vCPU sleeps and none wants signals, the lanes
 * are left hot, and whoever polls takes the events of all.
 *
 * A vCPU sleeps on a bell of its own, which whoever posts for it rings: the
 * listener, or another vCPU that sends it an IPI.
 *
 * Reading order: collecting, the listener, sleeping, the public face.
 */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "guest.h"
#include "thread.h"

#define NR_EVENTS  16
#define MAX_ROUNDS 16
#define RING_NUDGE UINT64_MAX /* no lane has that number */

/* --- collecting ------------------------------------------------------------- */

static void nudge(const struct evp_guest *g)
{
	const uint64_t one = 1;
	ssize_t n = write(g->nudge, &one, sizeof(one));

	(void)n; /* every write is an edge, and the counter never gets full */
}

static bool is_awaited(const struct evp_guest *g)
{
	return g->signal || evb_u32_load(&g->nr_asleep);
}

/*
 * Take what is there, and leave the lanes armed if somebody relies on them.
 * Locks: guest.  What is sent faster than it can be taken is the listener's.
 */
static void collect_locked(struct evp_guest *g)
{
	int i;

	for (i = 0; i < MAX_ROUNDS; i++) {
		evp_collect(g);
		if (!is_awaited(g) || !evp_arm_all(g))
			return;
	}
	nudge(g);
}

void evp_guarded_collect(struct evp_guest *g)
{
	evp_mutex_lock(&g->lock);
	collect_locked(g);
	evp_mutex_unlock(&g->lock);
}

/* --- the listener ----------------------------------------------------------- */

static void *listen_to_bells(void *arg)
{
	struct epoll_event ev[NR_EVENTS];
	struct evp_guest *g = arg;
	int i, n;

	while (!evb_u32_load(&g->stopping)) {
		n = epoll_wait(g->epoll, ev, NR_EVENTS, -1);
		evp_mutex_lock(&g->lock);
		for (i = 0; i < n; i++) {
			if (ev[i].data.u64 != RING_NUDGE)
				evp_on_ring(g, ev[i].data.u64);
		}
		collect_locked(g);
		/* Who waits for ever has to hear that it would be in vain. */
		if (evp_is_alone(g))
			(void)evp_ring(&g->vcpu[0]);
		evp_mutex_unlock(&g->lock);
	}
	return NULL;
}

int evp_listener_start(struct evp_guest *g)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET,
				 .data.u64 = RING_NUDGE};
	int rc;

	g->nudge = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (g->nudge < 0 || epoll_ctl(g->epoll, EPOLL_CTL_ADD, g->nudge, &ev))
		return -errno;
	/* Upcalls by signal: armed from the start. */
	evp_guarded_collect(g);
	g->pid = getpid();
	rc = evp_thread_start(&g->listener, listen_to_bells, g);
	g->listening = !rc;
	return rc;
}

void evp_listener_stop(struct evp_guest *g)
{
	if (!g->listening || g->pid != getpid())
		return;
	evb_u32_store(&g->stopping, 1);
	nudge(g);
	(void)pthread_join(g->listener, NULL);
	g->listening = false;
}

/* --- sleeping --------------------------------------------------------------- */

static void drain_bell(const struct evp_vcpu *v)
{
	uint64_t rings;
	ssize_t n = read(v->bell, &rings, sizeof(rings));

	(void)n; /* -EAGAIN: nobody rang */
}

/* Until the bell, or @deadline.  An upcall signal is no reason to return. */
static int sleep_on_bell(struct evp_vcpu *v, int64_t deadline)
{
	uint32_t before = evb_u32_load_relaxed(&v->interrupted);
	struct pollfd p = {.fd = v->bell, .events = POLLIN};
	struct timespec ts;

	if (ppoll(&p, 1, evp_left_until(deadline, &ts), NULL) >= 0)
		return 0;
	if (errno == EINTR && evb_u32_load_relaxed(&v->interrupted) != before)
		return 0;
	return -errno;
}

static int sleep_until(struct evp_vcpu *v, int64_t deadline)
{
	uint64_t mark = evp_trace_begin(v->guest, EVP_TRACE_SLEEP, 0, 0);
	int rc;

	evp_note(v->guest, &v->guest->counts->sleeps);
	rc = sleep_on_bell(v, deadline);
	evp_trace_end(v->guest, mark, EVP_TRACE_SLEEP);
	return rc;
}

/*
 * Arm the lanes for one that sleeps.  @nr_asleep first: whoever collects after
 * us leaves them armed.  True: nothing more can ever come.
 */
static bool arm_lanes(struct evp_guest *g)
{
	bool alone;

	evp_mutex_lock(&g->lock);
	(void)evb_u32_add(&g->nr_asleep, 1);
	if (evp_arm_all(g))
		collect_locked(g);
	alone = evp_is_alone(g);
	evp_mutex_unlock(&g->lock);
	return alone;
}

static void get_up(struct evp_vcpu *v)
{
	evp_get_up(&v->asleep);
	drain_bell(v);
	(void)evb_u32_add(&v->guest->nr_asleep, UINT32_MAX);
	evp_timers_woke(v);
}

static int doze(struct evp_vcpu *v, evp_over_fn *over, const void *ctx,
		int64_t deadline)
{
	bool alone;
	int rc = 0;

	evp_lie_down(&v->asleep, EVP_DOZING);
	/* Alone from now on: the listener finds it asleep, and rings. */
	alone = arm_lanes(v->guest) && deadline == EVP_NO_DEADLINE;
	/* MO-BLOCK: it counts as asleep, then has something been posted? */
	if (!alone && !over(v, ctx))
		rc = sleep_until(v, deadline);
	get_up(v);
	return rc;
}

/* Something in the lanes?  If somebody has the lock, he collects. */
static bool peek(struct evp_guest *g)
{
	bool found;

	if (!evp_mutex_try(&g->lock))
		return false;
	found = evp_is_something_there(g);
	evp_mutex_unlock(&g->lock);
	return found;
}

/* Look again and again, for a bounded moment. */
static bool spin(struct evp_vcpu *v, evp_over_fn *over, const void *ctx,
		 int64_t until)
{
	uint32_t turn;

	do {
		for (turn = 0; turn < EVP_SPINS_PER_LOOK; turn++) {
			if (over(v, ctx))
				return true;
			evg_plat_relax();
		}
		if (peek(v->guest))
			return true;
	} while (evp_now() < until);
	return false;
}

static bool look(struct evp_vcpu *v, evp_over_fn *over, const void *ctx,
		 int64_t now, int64_t deadline)
{
	int64_t ns = evp_look_ns(v->guest);
	bool found;

	if (!ns)
		return false;
	found = spin(v, over, ctx, deadline - now > ns ? now + ns : deadline);
	evp_look_done(v->guest, found);
	return found;
}

/* As evp_guarded_collect().  True: nothing more can ever come. */
static bool collect_last(struct evp_guest *g)
{
	bool alone;

	evp_mutex_lock(&g->lock);
	collect_locked(g);
	alone = evp_is_alone(g);
	evp_mutex_unlock(&g->lock);
	return alone;
}

int evp_guarded_await(struct evp_vcpu *v, evp_over_fn *over, const void *ctx,
		      int64_t deadline)
{
	bool alone = collect_last(v->guest);
	int64_t now;
	int rc;

	while (!over(v, ctx)) {
		now = evp_now();
		if (now >= deadline)
			return 0;
		if (alone && deadline == EVP_NO_DEADLINE)
			return evp_fail(-ECONNRESET, "the broker is gone and "
						     "nothing is connected");
		rc = look(v, over, ctx, now, deadline)
			     ? 0
			     : doze(v, over, ctx, deadline);
		if (rc < 0)
			return rc;
		alone = collect_last(v->guest);
	}
	return 1;
}

/* --- the public face -------------------------------------------------------- */

static struct evp_vcpu *come_in(struct evp_guest *g)
{
	struct evp_vcpu *v = evp_this(g);

	if (v)
		evp_begin();
	else
		(void)evp_fail(-EPERM, "this thread is no vCPU of the guest: "
				       "evp_vcpu_enter()");
	return v;
}

void evp_guarded_disarm(struct evp_vcpu *v)
{
	if (v->armed)
		get_up(v);
	v->armed = false;
}

/* Leave at a safe point. */
static int report(struct evp_vcpu *v, int rc)
{
	int n = rc < 0 ? rc : evp_report(v);

	evp_end();
	if (rc >= 0)
		evp_take_upcalls(v);
	return n;
}

int evp_guarded_poll(struct evp_guest *g)
{
	struct evp_vcpu *v = come_in(g);

	if (!v)
		return -EPERM;
	evp_guarded_disarm(v);
	evp_guarded_collect(g);
	return report(v, 0);
}

static bool is_due(const struct evp_vcpu *v, const void *ctx)
{
	(void)ctx;
	return evb_u32_load(&v->posted) != v->reported || evp_is_deliverable(v);
}

int evp_guarded_wait(struct evp_guest *g, int64_t deadline)
{
	struct evp_vcpu *v = come_in(g);

	if (!v)
		return -EPERM;
	evp_guarded_disarm(v);
	return report(v, evp_guarded_await(v, is_due, NULL, deadline));
}

bool evp_guarded_arm(struct evp_guest *g)
{
	struct evp_vcpu *v = come_in(g);
	bool due;

	if (!v)
		return true;
	if (!v->armed) {
		(void)arm_lanes(g);
		v->armed = true;
	}
	evp_lie_down(&v->asleep, EVP_ARMED);
	/* MO-BLOCK: as in doze() */
	due = is_due(v, NULL);
	evp_end();
	return due;
}
