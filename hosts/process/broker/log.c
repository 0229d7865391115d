/* SPDX-License-Identifier: MIT */
/*
 * What the broker says on stderr: one line per incident, naming the peer.
 *
 * A hostile peer can provoke lines as fast as it can connect, so at most
 * LINES are written per PERIOD; the rest is counted and the count is told
 * with the next line.
 */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "broker.h"

#define LINES  20
#define PERIOD 10 /* seconds */

static unsigned int written, dropped;
static time_t period_start;

/* Nobody is served while we wait for the reader of a full pipe. */
static bool has_room(void)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&p, 1, 0) == 1 && p.revents & POLLOUT;
}

static bool may_write(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	if (!period_start || now.tv_sec - period_start >= PERIOD) {
		period_start = now.tv_sec;
		written = 0;
	}
	if (written >= LINES || !has_room()) {
		dropped++;
		return false;
	}
	written++;
	return true;
}

static void name_peer(const struct evd_conn *c)
{
	if (!c)
		return;
	fprintf(stderr, "pid %ld uid %lu ", (long)c->pid,
		(unsigned long)c->uid);
	if (c->dom)
		fprintf(stderr, "domain %u ", c->dom->core.domid);
}

void evd_log(const struct evd_conn *c, const char *fmt, ...)
{
	va_list ap;

	if (!may_write())
		return;
	fprintf(stderr, "evtchnd: ");
	name_peer(c);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	if (dropped)
		fprintf(stderr, " (%u lines before this one left out)",
			dropped);
	dropped = 0;
	fputc('\n', stderr);
}
