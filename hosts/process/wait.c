/* SPDX-License-Identifier: MIT */
/*
 * The receiving side: from bits in lanes to pending ports, upcalls, and sleep.
 *
 * Lanes are hot or cold.  A hot one is not armed: its senders make no system
 * call, and we look at its selector each time.  A cold one is armed: its first
 * sender rings, which makes it hot again.  While awake, hot lanes stay hot.
 * A lane in which no channel is (any more) is shut: its peer can write and ring
 * as it likes, nobody looks or listens.
 *
 * To sleep, arm them all, look once more (MO-ARM), and wait on the epoll
 * instance the bells ring.  Between the two lies a bounded moment of looking
 * again and again, because an event that comes soon is then taken without a
 * system call on either side.
 *
 * A guarded guest (guest.h) does the collecting as it is here, under its lock;
 * guarded.c has what it does instead of the sleeping and the public face.
 *
 * Nothing here uses malloc(): with upcalls by signal a handler may come here
 * while the program it interrupted is in the middle of one.
 *
 * Reading order: collecting, sleeping; lane_set.c has the lanes.
 */
#include <errno.h>
#include <sched.h>
#include <linux/time_types.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <base/bits.h>

#include "storm.h"

#define NR_EVENTS 16
#define PATIENCE  128
#define PROBE	  16

/* --- collecting ------------------------------------------------------------- */

/*
 * A slot of the broker's lane.  A port may have been closed and opened again
 * since we heard of it, by others than us: news of that was sent before, and
 * would take the event away if it was read after it.  So when the bits are
 * ours, we look once more whether there is news.
 */
static void take_ports(struct evp_guest *g, struct evp_lane *l, uint32_t slot)
{
	uint32_t word = slot - EVP_SLOT_PORTS;
	uint64_t bits;

	if (slot == EVP_SLOT_NEWS || word >= EVP_PORT_WORDS) {
		g->news |= slot == EVP_SLOT_NEWS;
		return;
	}
	bits = evp_port_take_word(evp_port_lane_of(l->in), word);
	if (evp_lane_take_slot(l->in, EVP_SLOT_NEWS) || g->news)
		evp_read_news(g);
	for (; bits; bits = evb_without_lowest_bit(bits))
		evp_arrive(g, EVP_TRACE_TAKE_BROKER,
			   word * 64 + evb_lowest_bit(bits));
}

/* Its CONNECT or RETIRE is on the way: news.c goes on from here. */
static void keep_bit(struct evp_guest *g, struct evp_lane *l, uint32_t slot)
{
	if (l->slot_port[slot] == EVP_SLOT_DEAD)
		evp_note(g, &g->counts->discarded);
	evp_lane_keep(l, slot);
}

/* Something new? */
static bool take_bit(struct evp_guest *g, struct evp_lane *l, uint32_t slot)
{
	uint32_t port = l->slot_port[slot];

	if (l->by_port)
		take_ports(g, l, slot);
	else if (port != EVP_SLOT_DEAD && port != EVP_SLOT_UNKNOWN)
		return evp_arrive(g, EVP_TRACE_TAKE, port);
	else
		keep_bit(g, l, slot);
	return false;
}

static bool take_word(struct evp_guest *g, struct evp_lane *l, uint32_t word)
{
	uint64_t bits = evp_lane_take_word(l->in, word);
	bool new = false;

	l->early[word] |= bits & ~l->known[word];
	for (bits &= l->known[word]; bits; bits = evb_without_lowest_bit(bits))
		new |= take_bit(g, l, word * 64 + evb_lowest_bit(bits));
	return new;
}

static void take_lane(struct evp_guest *g, struct evp_lane *l)
{
	/* Whatever the peer wrote: our work is bounded by what it may send. */
	uint64_t words = evp_lane_take_selector(l->in);
	bool new = false;

	if (!words)
		return;
	for (words &= l->words; words; words = evb_without_lowest_bit(words))
		new |= take_word(g, l, evb_lowest_bit(words));
	evp_looked(g, l, new);
}

void evp_lane_drain(struct evp_guest *g, struct evp_lane *l)
{
	uint32_t word;

	for (word = 0; word < EVP_LANE_WORDS; word++)
		(void)take_word(g, l, word);
}

void evp_on_ring(struct evp_guest *g, uint64_t lane)
{
	struct evp_lane *l = lane ? evp_lane_find(g, lane) : NULL;

	if (lane == EVP_RING_TIMER)
		return; /* evp_collect() looks at the clock */
	if (l && l->out)
		evb_u32_store_relaxed(&g->rung_from,
				      evb_u32_load_relaxed(&l->in->rung_from));
	if (l) {
		evp_lane_heat(g, l);
		evp_looked(g, l, false); /* what is in it makes up for it */
	} else if (lane != EVP_RETRY_TAG) {
		g->news = true; /* the socket, or a lane it will tell of */
	}
	if (!lane)
		g->look_at = 0;
}

/* Who rang?  Waits until @ts, relative; NULL: for ever. */
static int take_rings(struct evp_guest *g, const struct __kernel_timespec *ts)
{
	struct epoll_event ev[NR_EVENTS];
	int i, n;

	n = (int)syscall(SYS_epoll_pwait2, g->epoll, ev, NR_EVENTS, ts, NULL,
			 0);
	if (n < 0 && errno == ENOSYS) { /* Linux before 5.11: milliseconds */
		int ms = ts ? (int)(ts->tv_sec * 1000 +
				    (ts->tv_nsec + 999999) / 1000000)
			    : -1;

		n = epoll_wait(g->epoll, ev, NR_EVENTS, ms);
	}
	for (i = 0; i < n; i++)
		evp_on_ring(g, ev[i].data.u64);
	return n < 0 ? -errno : n;
}

/* Cold lanes: few are looked at, of many the bells tell. */
static uint32_t nr_scanned(const struct evp_guest *g)
{
	uint32_t few = g->nr_open < EVP_SCAN_LANES ? g->nr_open
						   : EVP_SCAN_LANES;

	return g->nr_hot > few ? g->nr_hot : few;
}

/* All that rang until now: each lane is told of once. */
static void take_all_rings(struct evp_guest *g)
{
	static const struct __kernel_timespec now;
	uint32_t i;

	for (i = 0; i <= g->nr_open; i += NR_EVENTS) {
		if (take_rings(g, &now) < NR_EVENTS)
			break;
	}
}

static void find_warm(struct evp_guest *g)
{
	uint32_t i;

	if (g->armed || g->nr_open > EVP_SCAN_LANES) {
		g->armed = false;
		take_all_rings(g);
	}
	for (i = g->nr_hot; i < nr_scanned(g); i++) {
		if (!evp_lane_is_empty(g->lane[i]->in))
			evp_lane_heat(g, g->lane[i]);
	}
}

/* Downwards: when one is shut, one from behind it takes its place. */
static void take_hot(struct evp_guest *g)
{
	uint32_t i;

	for (i = g->nr_hot; i-- > 0;) {
		if (i < g->nr_hot)
			take_lane(g, g->lane[i]);
	}
}

void evp_collect_broker(struct evp_guest *g)
{
	take_lane(g, g->broker);
}

void evp_collect(struct evp_guest *g)
{
	if (g->nr_timers)
		evp_timers_run(g);
	if (g->nr_hot < g->nr_open)
		find_warm(g);
	take_hot(g);
	/* Hot or not: the socket, which wakes us as well, is no bell. */
	evp_collect_broker(g);
	if (g->news) {
		evp_read_news(g);
		take_hot(g);
	}
	if (g->tend)
		evp_tend(g);
}

/* --- sleeping --------------------------------------------------------------- */

/* Lanes that are shut for a moment, and no descriptor or memory for its end. */
static bool is_without_timer(const struct evp_guest *g)
{
	return g->reopen_at != EVP_NO_DEADLINE && g->timerfd < 0;
}

bool evp_arm_all(struct evp_guest *g)
{
	uint32_t i, nr_hot = g->nr_hot;

	for (i = 0; i < nr_hot; i++)
		evp_lane_arm(g->lane[i]->in);
	g->nr_hot = 0;
	/* MO-ARM: armed is set, then the selector is read. */
	for (i = 0; i < nr_hot; i++) {
		if (!evp_lane_is_empty(g->lane[i]->in))
			evp_lane_heat(g, g->lane[i]);
	}
	return g->nr_hot || is_without_timer(g);
}

bool evp_is_something_there(const struct evp_guest *g)
{
	uint32_t i;

	for (i = 0; i < nr_scanned(g); i++) {
		if (!evp_lane_is_empty(g->lane[i]->in))
			return true;
	}
	return false;
}

/* Look again and again, for a bounded moment.  True: something is there. */
static bool spin(struct evp_guest *g, int64_t until)
{
	uint32_t turn;

	do {
		for (turn = 0; turn < EVP_SPINS_PER_LOOK; turn++) {
			if (evp_is_something_there(g))
				return true;
			evg_plat_relax();
		}
	} while (evp_now() < until);
	return false;
}

struct timespec *evp_left_until(int64_t deadline, struct timespec *ts)
{
	int64_t left;

	if (deadline == EVP_NO_DEADLINE)
		return NULL;
	left = deadline - evp_now();
	if (left < 0)
		left = 0;
	ts->tv_sec = left / 1000000000;
	ts->tv_nsec = left % 1000000000;
	return ts;
}

static int sleep_on_bells(struct evp_guest *g, int64_t deadline)
{
	struct __kernel_timespec kts;
	struct timespec ts;

	if (!evp_left_until(deadline, &ts))
		return take_rings(g, NULL);
	kts.tv_sec = ts.tv_sec;
	kts.tv_nsec = ts.tv_nsec;
	return take_rings(g, &kts);
}

static int sleep_until(struct evp_guest *g, int64_t deadline)
{
	uint64_t mark = evp_trace_begin(g, EVP_TRACE_SLEEP, 0, 0);
	int rc;

	evp_note(g, &g->counts->sleeps);
	rc = sleep_on_bells(g, deadline);
	evp_trace_end(g, mark, EVP_TRACE_SLEEP);
	return rc;
}

/* Nor is there anything to be taken back for, by another broker. */
bool evp_is_alone(const struct evp_guest *g)
{
	uint32_t port;

	if (g->control >= 0 || g->nr_lanes > 1 || g->nr_vcpus > 1 ||
	    evp_timers_next(g) != EVP_NO_DEADLINE)
		return false;
	for (port = 1; port < evp_end_port(g) && g->path[0]; port++) {
		if (g->chan[port].kind)
			return false;
	}
	return true;
}

/*
 * Looking is worth while if events come soon, and harmful if the sender needs
 * this very CPU, as it does if it rang from here: it is woken here, too.  Where
 * looks are in vain for another reason, PATIENCE of them are not too many; after
 * that only every PROBEth wait looks, until one finds something.
 */
static bool is_sender_here(const struct evp_guest *g)
{
	return evb_u32_load_relaxed(&g->rung_from) ==
	       (uint32_t)sched_getcpu() + 1;
}

int64_t evp_look_ns(struct evp_guest *g)
{
	struct evp_vcpu *v = evp_this(g);

	if (!v || is_sender_here(g) ||
	    (v->in_vain >= PATIENCE && v->in_vain++ % PROBE))
		return 0;
	return g->spin_ns;
}

void evp_look_done(struct evp_guest *g, bool found)
{
	struct evp_vcpu *v = evp_this(g);

	if (v)
		v->in_vain = found ? 0 : v->in_vain + 1;
}

static bool look(struct evp_guest *g, int64_t now, int64_t deadline)
{
	int64_t ns = evp_look_ns(g), timer = evp_timers_next(g);
	bool found;

	if (!ns)
		return false;
	if (timer < deadline)
		deadline = timer;
	found = spin(g, deadline - now > ns ? now + ns : deadline);
	evp_look_done(g, found);
	return found;
}

/* One turn of waiting. */
static int doze(struct evp_guest *g, int64_t now, int64_t deadline)
{
	int rc = 0;

	if (!look(g, now, deadline) && !evp_arm_all(g))
		rc = sleep_until(g, deadline);
	if (rc >= 0)
		evp_collect(g);
	return rc;
}

int evp_wait_until(struct evp_guest *g, uint32_t seen, int64_t deadline)
{
	const evb_u32 *posted = &g->vcpu[0].posted;
	int64_t now;
	int rc;

	evp_collect(g);
	while (evb_u32_load_relaxed(posted) == seen) {
		now = evp_now();
		if (now >= deadline)
			return 0;
		if (evp_is_alone(g) && deadline == EVP_NO_DEADLINE)
			return evp_fail(-ECONNRESET, "the broker is gone and "
						     "nothing is connected");
		rc = doze(g, now, deadline);
		if (rc < 0)
			return rc;
	}
	return 1;
}

/* --- the public face -------------------------------------------------------- */

int evp_report(struct evp_vcpu *v)
{
	uint32_t posted = evb_u32_load_relaxed(&v->posted);
	uint32_t n = posted - v->reported;

	v->reported = posted;
	if (!n)
		n = evp_is_deliverable(v);
	return n > INT32_MAX ? INT32_MAX : (int)n;
}

/* At a safe point.  Returns what evp_poll() and evp_wait() return. */
static int report(struct evp_vcpu *v)
{
	int n = evp_report(v);

	evp_take_upcalls(v);
	return n;
}

int evp_poll(struct evp_guest *g)
{
	if (g->guarded)
		return evp_guarded_poll(g);
	evp_collect(g);
	return report(&g->vcpu[0]);
}

static int64_t deadline_of(int64_t timeout_ns)
{
	int64_t now = evp_now();

	if (timeout_ns < 0 || timeout_ns > EVP_NO_DEADLINE - now)
		return EVP_NO_DEADLINE;
	return now + timeout_ns;
}

int evp_wait(struct evp_guest *g, int64_t timeout_ns)
{
	struct evp_vcpu *v = &g->vcpu[0];
	int rc;

	if (timeout_ns == 0)
		return evp_poll(g);
	if (g->guarded)
		return evp_guarded_wait(g, deadline_of(timeout_ns));
	/* Unmasking may have made something deliverable since. */
	if (evp_is_deliverable(v))
		return evp_poll(g);
	rc = evp_wait_until(g, v->reported, deadline_of(timeout_ns));
	return rc < 0 ? rc : report(v);
}

static bool is_due(const struct evp_vcpu *v)
{
	return evb_u32_load_relaxed(&v->posted) != v->reported ||
	       evp_is_deliverable(v);
}

bool evp_arm(struct evp_guest *g)
{
	if (g->guarded)
		return evp_guarded_arm(g);
	if (g->news || is_due(&g->vcpu[0]) || evp_arm_all(g))
		return true;
	g->armed = true;
	return false;
}

int evp_fd(const struct evp_guest *g)
{
	const struct evp_vcpu *v;

	if (!g->guarded)
		return g->epoll;
	v = evp_this(g);
	return v ? v->bell : -EPERM;
}
