/* SPDX-License-Identifier: MIT */
/*
 * Closing what a peer may have prepared.
 *
 * close() can wait: for the other end of a TCP connection with SO_LINGER, for
 * the daemon of a file system, for whoever keeps an epoll instance locked in which
 * it is.  A descriptor that came in a message, or went in one, and a socket in
 * which such a message waits unread are therefore closed by threads that have
 * nothing else to do.  This is the only file with threads; they touch nothing of
 * the broker but the list below.
 *
 * Whoever prepared so much that it waits for ever makes threads wait, but only
 * MAX_OF_USER of all: what others sent is closed by the rest, of which the last
 * are for our user and root.  And once nothing of his has been closed for a while
 * (evd_bury_stuck()), the loop closes connections of his that send descriptors:
 * what he still can have is a grave for each connection he makes, which is in
 * his account as if it were open.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker.h"

#define MAX_WORKERS  64
#define MAX_RESERVED 16 /* of these, for our user and root */
#define MAX_OF_USER  16
#define STUCK_MS     1000
#define STACK_SIZE   (64 * 1024)

struct grave {
	struct grave *next;
	int fd;
};

/* Somebody with graves: those that wait, and those whose close() does. */
struct mourner {
	struct mourner *next;
	uid_t uid;
	struct grave *first, **last;
	uint32_t nr_waiting, nr_busy;
	int64_t since; /* the last of his was closed, or the first buried */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static struct mourner *mourners, **last_mourner = &mourners;
static uint32_t nr_workers, nr_idle, nr_busy;

/* --- mourners; the lock is held ------------------------------------------------ */

static struct mourner *find(uid_t uid)
{
	struct mourner *m = mourners;

	while (m && m->uid != uid)
		m = m->next;
	return m;
}

static void enter(struct mourner *m)
{
	m->next = NULL;
	*last_mourner = m;
	last_mourner = &m->next;
}

static void leave(struct mourner *m)
{
	struct mourner **at = &mourners;

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	if (!m->next)
		last_mourner = at;
}

static struct mourner *get(uid_t uid)
{
	struct mourner *m = find(uid);

	if (m)
		return m;
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->uid = uid;
	m->last = &m->first;
	m->since = evd_now_ms();
	enter(m);
	return m;
}

/* May another worker wait for him? */
static bool is_next(const struct mourner *m)
{
	return m->first && m->nr_busy < MAX_OF_USER &&
	       (evd_is_privileged(m->uid) ||
		nr_busy < MAX_WORKERS - MAX_RESERVED);
}

/* --- workers ------------------------------------------------------------------- */

/* The next grave, of each in turn.  NULL: there is none, or not for now. */
static struct grave *take(struct mourner **whose)
{
	struct mourner *m = mourners;
	struct grave *g;

	while (m && !is_next(m))
		m = m->next;
	if (!m)
		return NULL;
	leave(m);
	enter(m);
	g = m->first;
	m->first = g->next;
	if (!m->first)
		m->last = &m->first;
	m->nr_waiting--;
	m->nr_busy++;
	nr_busy++;
	*whose = m;
	return g;
}

static void put(struct mourner *m)
{
	nr_busy--;
	m->nr_busy--;
	m->since = evd_now_ms();
	if (m->first || m->nr_busy)
		return;
	leave(m);
	free(m);
}

static void *work(void *unused)
{
	struct mourner *m;
	struct grave *g;

	(void)pthread_mutex_lock(&lock);
	for (;;) {
		nr_idle++;
		while (!(g = take(&m)))
			(void)pthread_cond_wait(&filled, &lock);
		nr_idle--;
		(void)pthread_mutex_unlock(&lock);
		(void)close(g->fd);
		free(g);
		(void)pthread_mutex_lock(&lock);
		put(m);
	}
	return unused;
}

/* How many graves could be closed now. */
static uint32_t nr_wanted(void)
{
	const struct mourner *m;
	uint32_t room, n = 0;

	for (m = mourners; m; m = m->next) {
		room = MAX_OF_USER - m->nr_busy;
		if (is_next(m))
			n += m->nr_waiting < room ? m->nr_waiting : room;
	}
	return n;
}

/* The lock is held.  Who has enough workers waits for these. */
static void hire(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	if (nr_workers == MAX_WORKERS || nr_idle >= nr_wanted() ||
	    pthread_attr_init(&attr))
		return;
	(void)pthread_attr_setstacksize(&attr, STACK_SIZE);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (!pthread_create(&thread, &attr, work, NULL))
		nr_workers++;
	(void)pthread_attr_destroy(&attr);
}

/* --- graves -------------------------------------------------------------------- */

static bool bury(struct grave *g, uid_t uid)
{
	struct mourner *m;

	(void)pthread_mutex_lock(&lock);
	m = get(uid);
	if (m) {
		*m->last = g;
		m->last = &g->next;
		m->nr_waiting++;
		hire();
		(void)pthread_cond_signal(&filled);
	}
	(void)pthread_mutex_unlock(&lock);
	return m;
}

void evd_bury(int fd, uid_t uid)
{
	struct grave *g = malloc(sizeof(*g));

	if (g) {
		g->fd = fd;
		g->next = NULL;
	}
	if (!g || !bury(g, uid)) {
		free(g);
		(void)close(fd); /* rather than to lose it */
	}
}

uint32_t evd_bury_stuck(uid_t uid)
{
	const struct mourner *m;
	uint32_t n = 0;

	(void)pthread_mutex_lock(&lock);
	m = find(uid);
	if (m && m->nr_busy && m->nr_waiting + m->nr_busy > MAX_OF_USER &&
	    evd_now_ms() - m->since >= STUCK_MS)
		n = m->nr_waiting + m->nr_busy;
	(void)pthread_mutex_unlock(&lock);
	return n;
}

void evd_bury_socket(int fd, uid_t uid)
{
	char byte;

	/* Nothing can be sent to it any more: is there something in it? */
	(void)shutdown(fd, SHUT_RDWR);
	if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		evd_bury(fd, uid);
	else
		(void)close(fd);
}
