/* SPDX-License-Identifier: MIT */
/*
 * VIRQ_TIMER: a vCPU's clocks, kept in its own process.  No message, no broker:
 * an expiry makes the port that is bound to VIRQ_TIMER pending, at the next safe
 * point.  What is not bound loses it, as in Xen.
 *
 * Wall-clock timers wake a sleeper: the earliest of them is in a timerfd that is
 * part of the epoll instance.  An awake vCPU compares with the clock, which the
 * kernel lets it read without a call.
 *
 * The virtual timer counts the CPU time of one thread.  That clock cannot be
 * read without a call, but it is never faster than the wall clock: what is left
 * of it tells before which moment asking is in vain.  It stands still while the
 * thread sleeps, so it need not wake anybody.  Only where upcalls come by signal
 * the listener has to ask, for a thread that computes and does not: then that
 * moment is in the timerfd, too, as long as the vCPU is not asleep.
 *
 * A tick that comes late is one tick, and the next follows a period after it:
 * there is never a backlog.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <abi/vcpu.h>

#include "storm.h"

#define NSEC_PER_SEC  INT64_C(1000000000)
#define MIN_PERIOD    UINT64_C(1000000) /* of the hypercall */
#define MAX_PERIOD    UINT64_C(0x1fffffffffffffff)
#define LISTENER_STEP INT64_C(200000) /* it asks no more often than that */

static int64_t later(int64_t now, int64_t ns)
{
	return ns < EVP_NO_DEADLINE - now ? now + ns : EVP_NO_DEADLINE;
}

static bool is_virtual(const struct evp_vcpu *v, const struct evp_timer *t)
{
	return t == &v->timer[EVP_TIMER_VIRTUAL];
}

static bool is_set(const struct evp_timer *t)
{
	return t->next != EVP_NO_DEADLINE;
}

/* --- the timerfd ------------------------------------------------------------ */

static int64_t next_of(const struct evp_vcpu *v)
{
	int64_t next = EVP_NO_DEADLINE;
	unsigned int i;

	for (i = 0; i < EVP_TIMER_VIRTUAL; i++) {
		if (v->timer[i].next < next)
			next = v->timer[i].next;
	}
	return next;
}

int64_t evp_timers_next(const struct evp_guest *g)
{
	int64_t of_vcpu, next = g->reopen_at;
	uint32_t i;

	for (i = 0; g->nr_timers && i < g->nr_vcpus; i++) {
		of_vcpu = next_of(&g->vcpu[i]);
		if (of_vcpu < next)
			next = of_vcpu;
	}
	return next;
}

/* When the listener should ask for the virtual time of vCPUs that compute. */
static int64_t next_question(const struct evp_guest *g)
{
	int64_t next = EVP_NO_DEADLINE;
	const struct evp_timer *t;
	uint32_t i;

	for (i = 0; g->signal && i < g->nr_vcpus; i++) {
		t = &g->vcpu[i].timer[EVP_TIMER_VIRTUAL];
		if (is_set(t) && !evb_u32_load(&g->vcpu[i].asleep) &&
		    t->not_before < next)
			next = t->not_before;
	}
	return next;
}

/* Also takes back that it is readable. */
static void program(struct evp_guest *g)
{
	int64_t next = evp_timers_next(g), question = next_question(g);
	struct itimerspec ts = {.it_value = {0}};

	if (question < next)
		next = question;
	if (next != EVP_NO_DEADLINE) {
		/* A time of 0 would switch it off. */
		ts.it_value.tv_sec = next / NSEC_PER_SEC;
		ts.it_value.tv_nsec = next > 0 ? next % NSEC_PER_SEC : 1;
	}
	g->timerfd_at = next;
	if (g->timerfd >= 0)
		(void)timerfd_settime(g->timerfd, TFD_TIMER_ABSTIME, &ts, NULL);
}

static int open_timerfd(struct evp_guest *g)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = EVP_RING_TIMER};
	int rc, fd;

	if (g->timerfd >= 0)
		return 0;
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (epoll_ctl(g->epoll, EPOLL_CTL_ADD, fd, &ev)) {
		rc = -errno;
		(void)close(fd);
		return rc;
	}
	g->timerfd = fd;
	return 0;
}

void evp_timers_woke(struct evp_vcpu *v)
{
	struct evp_guest *g = v->guest;

	if (!g->signal || !is_set(&v->timer[EVP_TIMER_VIRTUAL]))
		return;
	evp_guest_lock(g);
	program(g);
	evp_guest_unlock(g);
}

/* --- the clocks ------------------------------------------------------------- */

static int64_t cpu_time(const struct evp_vcpu *v)
{
	struct timespec ts;

	if (clock_gettime(v->cpu_clock, &ts))
		return 0; /* the thread has ended: it receives no more */
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* @now: the wall clock.  True: it fired. */
static bool run_wall(struct evp_timer *t, int64_t now)
{
	if (now < t->next)
		return false;
	t->next = t->period ? later(now, t->period) : EVP_NO_DEADLINE;
	return true;
}

static bool run_virtual(struct evp_vcpu *v, int64_t now)
{
	struct evp_timer *t = &v->timer[EVP_TIMER_VIRTUAL];
	int64_t received, left;
	bool fired;

	if (!is_set(t) || now < t->not_before)
		return false;
	received = cpu_time(v);
	fired = received >= t->next;
	if (fired)
		t->next = t->period ? later(received, t->period)
				    : EVP_NO_DEADLINE;
	left = t->next - received;
	if (v->guest->signal && left < LISTENER_STEP)
		left = LISTENER_STEP;
	t->not_before = later(now, left);
	return fired;
}

static bool run_vcpu(struct evp_vcpu *v, int64_t now)
{
	struct evp_guest *g = v->guest;
	bool fired = run_virtual(v, now);
	unsigned int i;

	for (i = 0; i < EVP_TIMER_VIRTUAL; i++)
		fired |= is_set(&v->timer[i]) && run_wall(&v->timer[i], now);
	if (!fired)
		return false;
	evp_note(g, &g->counts->timer);
	if (v->timer_port && g->chan[v->timer_port].open)
		evp_arrive(g, EVP_TRACE_TAKE_LOCAL, v->timer_port);
	return true;
}

/* The others cost nothing when there are none. */
static void count_set(struct evp_guest *g)
{
	uint32_t i, id;

	g->nr_timers = g->reopen_at != EVP_NO_DEADLINE;
	for (i = 0; i < g->nr_vcpus; i++) {
		for (id = 0; id < EVP_NR_TIMERS; id++)
			g->nr_timers += is_set(&g->vcpu[i].timer[id]);
	}
}

void evp_timers_run(struct evp_guest *g)
{
	int64_t now = evp_now();
	/* Once it is readable it has to be programmed anew, whatever for. */
	bool again = now >= g->timerfd_at;
	uint32_t i;

	if (now >= g->reopen_at)
		evp_storms_end(g);
	for (i = 0; i < g->nr_vcpus; i++)
		again |= run_vcpu(&g->vcpu[i], now);
	if (!again)
		return;
	count_set(g);
	program(g);
}

void evp_timers_reopen_at(struct evp_guest *g, int64_t at)
{
	(void)open_timerfd(g); /* evp_arm_all() */
	g->reopen_at = at;
	count_set(g);
	program(g);
}

/* --- setting ---------------------------------------------------------------- */

void evp_timers_init(struct evp_vcpu *v)
{
	unsigned int i;

	for (i = 0; i < EVP_NR_TIMERS; i++)
		v->timer[i].next = EVP_NO_DEADLINE;
}

void evp_timers_bound(struct evp_guest *g, const unsigned char *arg)
{
	struct evtchn_bind_virq op;

	memcpy(&op, arg, sizeof(op));
	if (op.virq == VIRQ_TIMER && op.port < EVP_NR_PORTS &&
	    op.vcpu < g->nr_vcpus)
		g->vcpu[op.vcpu].timer_port = op.port;
}

void evp_timers_closed(struct evp_guest *g, evtchn_port_t port)
{
	uint32_t i;

	for (i = 0; i < g->nr_vcpus; i++) {
		if (g->vcpu[i].timer_port == port)
			g->vcpu[i].timer_port = 0;
	}
}

/* @next: by the timer's own clock.  Locks: guest. */
static int set_locked(struct evp_vcpu *v, enum evp_timer_id id, int64_t next,
		      int64_t period)
{
	struct evp_timer *t = &v->timer[id];
	bool wakes = !is_virtual(v, t) || v->guest->signal;
	int rc = wakes && next != EVP_NO_DEADLINE ? open_timerfd(v->guest) : 0;

	if (rc)
		return rc;
	t->next = next;
	t->period = period;
	t->not_before = 0;
	count_set(v->guest);
	program(v->guest);
	return 0;
}

static int set(struct evp_vcpu *v, enum evp_timer_id id, int64_t next,
	       int64_t period)
{
	int rc;

	evp_guest_lock(v->guest);
	rc = set_locked(v, id, next, period);
	evp_guest_unlock(v->guest);
	return rc;
}

/* --- the public face -------------------------------------------------------- */

static int set_virtual(struct evp_vcpu *v, int64_t first, int64_t period)
{
	clockid_t clock;
	int rc = -pthread_getcpuclockid(pthread_self(), &clock);

	if (rc)
		return rc;
	evp_guest_lock(v->guest);
	v->cpu_clock = clock;
	rc = set_locked(v, EVP_TIMER_VIRTUAL, later(cpu_time(v), first),
			period);
	evp_guest_unlock(v->guest);
	return rc;
}

static int set_either(struct evp_vcpu *v, enum evp_clock clock, int64_t first,
		      int64_t period)
{
	switch (clock) {
	case EVP_CLOCK_WALL:
		return set(v, EVP_TIMER_WALL, later(evp_now(), first), period);
	case EVP_CLOCK_VIRTUAL:
		return set_virtual(v, first, period);
	}
	return -EINVAL;
}

int evp_timer_set(struct evp_guest *g, enum evp_clock clock, int64_t first_ns,
		  int64_t period_ns)
{
	struct evp_vcpu *v = evp_this(g);
	int rc;

	if (!v)
		return evp_fail(-EPERM, "this thread is no vCPU of the guest");
	if (first_ns <= 0 || period_ns < 0)
		return evp_fail(-EINVAL, "a timer wants a time ahead");
	evp_begin();
	rc = set_either(v, clock, first_ns, period_ns);
	evp_end();
	return rc ? evp_fail(rc, "cannot set the timer") : 0;
}

void evp_timer_stop(struct evp_guest *g, enum evp_clock clock)
{
	struct evp_vcpu *v = evp_this(g);

	if (!v)
		return;
	evp_begin();
	(void)set(v,
		  clock == EVP_CLOCK_VIRTUAL ? EVP_TIMER_VIRTUAL
					     : EVP_TIMER_WALL,
		  EVP_NO_DEADLINE, 0);
	evp_end();
}

/* --- the hypercalls --------------------------------------------------------- */

static int from_set(int rc)
{
	return rc ? -XEN_ENOMEM : 0;
}

static int set_periodic(struct evp_vcpu *v, const void *arg)
{
	struct vcpu_set_periodic_timer op;
	int64_t period;

	if (evp_copy_in(&op, arg, sizeof(op)))
		return -XEN_EFAULT;
	if (op.period_ns < MIN_PERIOD || op.period_ns > MAX_PERIOD)
		return -XEN_EINVAL;
	period = (int64_t)op.period_ns;
	return from_set(
		set(v, EVP_TIMER_PERIODIC, later(evp_now(), period), period));
}

/* An absolute time.  One that is past fires at once. */
static int set_singleshot(struct evp_vcpu *v, const void *arg)
{
	struct vcpu_set_singleshot_timer op;
	int64_t at = EVP_NO_DEADLINE;

	if (evp_copy_in(&op, arg, sizeof(op)))
		return -XEN_EFAULT;
	if (op.timeout_abs_ns < EVP_NO_DEADLINE)
		at = (int64_t)op.timeout_abs_ns;
	return from_set(set(v, EVP_TIMER_SINGLESHOT, at, 0));
}

int evp_timer_op(struct evp_vcpu *v, unsigned int cmd, const void *arg)
{
	switch (cmd) {
	case VCPUOP_set_periodic_timer:
		return set_periodic(v, arg);
	case VCPUOP_stop_periodic_timer:
		return from_set(set(v, EVP_TIMER_PERIODIC, EVP_NO_DEADLINE, 0));
	case VCPUOP_set_singleshot_timer:
		return set_singleshot(v, arg);
	case VCPUOP_stop_singleshot_timer:
		return from_set(
			set(v, EVP_TIMER_SINGLESHOT, EVP_NO_DEADLINE, 0));
	default: /* a number, not a state */
		return -XEN_ENOSYS;
	}
}
