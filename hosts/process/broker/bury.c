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
 * Whoever makes all of them wait makes the broker keep descriptors open, which
 * is what he could have by keeping connections open.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker.h"

#define MAX_WORKERS 64
#define STACK_SIZE  (64 * 1024)

struct grave {
	struct grave *next;
	int fd;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static struct grave *first, **last = &first;
static unsigned int nr_waiting, nr_workers, nr_idle;

static struct grave *take(void)
{
	struct grave *g;

	(void)pthread_mutex_lock(&lock);
	nr_idle++;
	while (!first)
		(void)pthread_cond_wait(&filled, &lock);
	nr_idle--;
	nr_waiting--;
	g = first;
	first = g->next;
	if (!first)
		last = &first;
	(void)pthread_mutex_unlock(&lock);
	return g;
}

static void *work(void *unused)
{
	struct grave *g;

	while ((g = take())) {
		(void)close(g->fd);
		free(g);
	}
	return unused;
}

/* The lock is held. */
static void hire(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	if (nr_idle >= nr_waiting || nr_workers == MAX_WORKERS ||
	    pthread_attr_init(&attr))
		return;
	(void)pthread_attr_setstacksize(&attr, STACK_SIZE);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (!pthread_create(&thread, &attr, work, NULL))
		nr_workers++;
	(void)pthread_attr_destroy(&attr);
}

void evd_bury(int fd)
{
	struct grave *g = malloc(sizeof(*g));

	if (!g) {
		(void)close(fd); /* rather than to lose it */
		return;
	}
	g->fd = fd;
	g->next = NULL;
	(void)pthread_mutex_lock(&lock);
	*last = g;
	last = &g->next;
	nr_waiting++;
	hire();
	(void)pthread_cond_signal(&filled);
	(void)pthread_mutex_unlock(&lock);
}

void evd_bury_socket(int fd)
{
	char byte;

	/* Nothing can be sent to it any more: is there something in it? */
	(void)shutdown(fd, SHUT_RDWR);
	if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		evd_bury(fd);
	else
		(void)close(fd);
}
