/* SPDX-License-Identifier: MIT */
/*
 * Waiting for events, in one of two ways.
 *
 * Direct: until somebody asks for the descriptor, pending() itself looks at
 * the lanes, for a bounded moment and then asleep on their bells.  That is the
 * fast way: while it looks, its peers make no system call.
 *
 * Collected: who polls the descriptor trusts that pending() does not block
 * once it is readable.  A bell says less: it rings for an event of a masked
 * port, too, for news from the broker, and whenever a peer likes.  So a thread,
 * the collector, sleeps on the bells, and an eventfd of our own is readable
 * exactly while the queue is not empty.  From then on only the collector takes
 * events from lanes.  It costs a second wake-up for each event.
 *
 * The descriptor belongs to the program, which may set O_NONBLOCK: pending()
 * reads it in order to block, so the kernel decides what that means.
 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <evg/platform.h>
#include <evp/evp.h>

#include "../hosts/process/clock.h"
#include "../hosts/process/thread.h"

/* --- the descriptor --------------------------------------------------------- */

static void ring(int fd)
{
	const uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof(one));

	(void)n; /* fails only when it is readable anyway */
}

/* Without blocking, whatever the program did to the descriptor. */
static void silence(int fd)
{
	uint64_t count;
	struct iovec iov = {.iov_base = &count, .iov_len = sizeof(count)};
	ssize_t n = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);

	if (n < 0 && errno == EOPNOTSUPP) /* an older Linux */
		n = read(fd, &count, sizeof(count));
	(void)n;
}

static void show(struct evu_process *p)
{
	bool wanted = p->collected && !evu_queue_is_empty(p);

	if (wanted == p->shown)
		return;
	if (wanted)
		ring(p->fd);
	else
		silence(p->fd);
	p->shown = wanted;
}

void evu_enter(struct evu_process *p)
{
	(void)pthread_mutex_lock(&p->lock);
}

/* Wake who sleeps on the bells.  Lock held, as for the next. */
static void kick(struct evu_process *p)
{
	if (!p->kicked)
		ring(p->kick);
	p->kicked = true;
}

static void calm(struct evu_process *p)
{
	if (p->kicked)
		silence(p->kick);
	p->kicked = false;
}

/*
 * What was done may have brought news, with it a lane that is not armed, and
 * events: nobody may go on sleeping on that.
 */
void evu_leave(struct evu_process *p)
{
	bool sleeper = p->asleep && !evu_queue_is_empty(p);

	if (sleeper || ((p->collected || p->asleep) && evp_arm(p->g)))
		kick(p);
	show(p);
	evu_record_renew(p);
	(void)pthread_mutex_unlock(&p->lock);
}

/* --- the collector ---------------------------------------------------------- */

/* Sleep until a bell rings, a kick, @fd is readable, or a signal. */
static int sleep_on_bells(struct evu_process *p, int fd)
{
	struct pollfd fds[] = {{.fd = evp_fd(p->g), .events = POLLIN},
			       {.fd = p->kick, .events = POLLIN},
			       {.fd = fd, .events = POLLIN}};

	return poll(fds, 3, -1) < 0 ? -errno : 0;
}

static void *collect(void *arg)
{
	struct evu_process *p = arg;
	bool stop, more;

	do {
		evu_enter(p);
		calm(p);
		(void)evp_poll(p->g);
		more = evp_arm(p->g);
		show(p);
		evu_record_renew(p);
		stop = p->stop;
		(void)pthread_mutex_unlock(&p->lock);
		if (!stop && !more)
			(void)sleep_on_bells(p, -1);
	} while (!stop);
	return NULL;
}

/* Lock held. */
static int start_collector(struct evu_process *p)
{
	int rc = evp_thread_start(&p->collector, collect, p);

	p->collected = !rc;
	return rc;
}

int evu_process_fd(struct xenevtchn_handle *h)
{
	struct evu_process *p = evu_process_of(h);
	int rc = 0;

	evu_enter(p);
	if (!p->collected)
		rc = start_collector(p);
	evu_leave(p);
	return rc ? rc : p->fd;
}

/* --- pending ---------------------------------------------------------------- */

/* Take what is there.  True: @port, or there is a collector now.  Lock held. */
static bool look_locked(struct evu_process *p, int *port)
{
	bool done;

	if (!p->collected)
		(void)evp_poll(p->g);
	done = !evu_queue_is_empty(p);
	if (done)
		*port = evu_take_port(p);
	return done || p->collected;
}

static bool look(struct evu_process *p, int *port)
{
	bool done;

	evu_enter(p);
	done = look_locked(p, port);
	evu_leave(p);
	return done;
}

/*
 * Look again and again, for a bounded moment: an event that comes soon then
 * costs nobody a system call.  Not when that was in vain lately.
 */
static bool look_long(struct evu_process *p, int *port)
{
	int64_t ns, end;
	bool done;

	evu_enter(p);
	ns = evp_look_ns(p->g);
	done = look_locked(p, port);
	if (ns && done)
		evp_look_done(p->g, true);
	evu_leave(p);
	if (!ns || done)
		return done;
	end = evp_now() + ns;
	do {
		evg_plat_relax();
		done = look(p, port);
	} while (!done && evp_now() < end);
	evu_enter(p);
	evp_look_done(p->g, done);
	evu_leave(p);
	return done;
}

/*
 * Arm the lanes, and sleep if nothing was in them.  A collector may come
 * meanwhile: then the descriptor tells of the next event.
 */
static int doze(struct evu_process *p)
{
	bool idle;
	int rc = 0;

	evu_enter(p);
	/* Another thread may have queued something since we looked. */
	idle = !p->collected && evu_queue_is_empty(p) && !evp_arm(p->g);
	p->asleep = idle;
	(void)pthread_mutex_unlock(&p->lock);
	if (idle)
		rc = sleep_on_bells(p, p->fd);
	evu_enter(p);
	p->asleep = false;
	if (!p->collected)
		calm(p);
	(void)pthread_mutex_unlock(&p->lock);
	return rc;
}

/* 0: there is a collector, and no event yet. */
static int pending_direct(struct evu_process *p)
{
	int rc, port = 0;

	while (!look_long(p, &port)) {
		rc = doze(p);
		if (rc)
			return rc;
	}
	return port;
}

/* The kernel waits, or does not, as the program told it to.  0: try again. */
static int pending_collected(struct evu_process *p)
{
	uint64_t count;
	int port = 0;

	if (read(p->fd, &count, sizeof(count)) < 0)
		return -errno;
	evu_enter(p);
	/* Rung again since, or not: start from a known state. */
	silence(p->fd);
	p->shown = false;
	if (!evu_queue_is_empty(p))
		port = evu_take_port(p);
	evu_leave(p);
	return port;
}

int evu_process_pending(struct xenevtchn_handle *h)
{
	struct evu_process *p = evu_process_of(h);
	int rc = pending_direct(p);

	while (!rc)
		rc = pending_collected(p);
	return rc;
}

/* --- beginning and end ------------------------------------------------------ */

int evu_wait_init(struct evu_process *p, bool keep)
{
	p->fd = eventfd(0, keep ? 0 : EFD_CLOEXEC);
	p->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return p->fd < 0 || p->kick < 0 ? -EMFILE : 0;
}

int evu_wait_inherit(struct evu_process *p)
{
	p->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->kick < 0)
		return -errno;
	silence(p->fd);
	return 0;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

void evu_wait_abandon(struct evu_process *p)
{
	close_if_open(p->fd);
	close_if_open(p->kick);
	close_if_open(p->record);
}

void evu_wait_end(struct evu_process *p)
{
	if (p->collected) {
		evu_enter(p);
		p->stop = true;
		ring(p->kick);
		(void)pthread_mutex_unlock(&p->lock);
		(void)pthread_join(p->collector, NULL);
	}
	evu_wait_abandon(p);
}
