/* SPDX-License-Identifier: MIT */
/*
 * A program like those the library is for: compiled with Debian's header and
 * linked with Debian's library, it is run with ours in its place.
 *
 *   client wait DOMAIN COUNT        print a port; answer COUNT events
 *   client poll DOMAIN COUNT        the same, with a loop around poll()
 *   client call DOMAIN PORT COUNT   send COUNT events, await each answer
 *   client burst DOMAIN PORT COUNT  send COUNT events between two getppid()
 *   client take DOMAIN              take events until the port is unbound
 *
 * Each event is answered before the next is sent, so one that gets lost is
 * seen: nobody goes on.  alarm() then ends the program.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenevtchn.h>

#define PATIENCE 100 /* seconds */

static void fail(const char *what)
{
	fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int must(int rc, const char *what)
{
	if (rc < 0)
		fail(what);
	return rc;
}

/* Never anything but POLLIN, whatever is asked for. */
static void wait_readable(xenevtchn_handle *h)
{
	struct pollfd p = {.fd = must(xenevtchn_fd(h), "fd"),
			   .events = POLLIN | POLLPRI};

	must(poll(&p, 1, -1), "poll");
	if (p.revents != POLLIN) {
		fprintf(stderr, "client: revents %x\n", (unsigned)p.revents);
		exit(1);
	}
}

static void take(xenevtchn_handle *h, int port, int polls)
{
	int got;

	if (polls)
		wait_readable(h);
	got = must(xenevtchn_pending(h), "pending");
	if (got != port) {
		fprintf(stderr, "client: port %d, not %d\n", got, port);
		exit(1);
	}
	must(xenevtchn_unmask(h, (evtchn_port_t)got), "unmask");
}

static void serve(xenevtchn_handle *h, unsigned domain, long count, int polls)
{
	int port = must(xenevtchn_bind_unbound_port(h, domain), "unbound");
	long i;

	printf("%d\n", port);
	fflush(stdout);
	for (i = 0; i < count; i++) {
		take(h, port, polls);
		must(xenevtchn_notify(h, (evtchn_port_t)port), "notify");
	}
	take(h, port, polls); /* goodbye: the answers were seen */
	printf("answered %ld\n", i);
}

static void call(xenevtchn_handle *h, unsigned domain, unsigned remote,
		 long count)
{
	int port = must(xenevtchn_bind_interdomain(h, domain, remote), "bind");
	long i;

	take(h, port, 1); /* the bind's own */
	for (i = 0; i < count; i++) {
		must(xenevtchn_notify(h, (evtchn_port_t)port), "notify");
		take(h, port, i % 2);
	}
	must(xenevtchn_notify(h, (evtchn_port_t)port), "notify");
	printf("called %ld\n", i);
	/* The goodbye is on its way: stay until the other end is gone. */
	must(xenevtchn_unbind(h, (evtchn_port_t)port), "unbind");
}

/* Ports have no order: of two that are pending, the later may come first. */
static void take_until(xenevtchn_handle *h, int last)
{
	int got;

	do {
		got = must(xenevtchn_pending(h), "pending");
		must(xenevtchn_unmask(h, (evtchn_port_t)got), "unmask");
	} while (got != last);
}

/* Two ports: one for the burst, the next one says that it is over. */
static void take_burst(xenevtchn_handle *h, unsigned domain)
{
	int port = must(xenevtchn_bind_unbound_port(h, domain), "unbound");
	int over = must(xenevtchn_bind_unbound_port(h, domain), "unbound");

	printf("%d\n", port);
	fflush(stdout);
	if (over != port + 1)
		exit(1);
	take_until(h, over);
	must(xenevtchn_notify(h, (evtchn_port_t)over), "notify");
	take_until(h, over); /* goodbye */
}

static void burst(xenevtchn_handle *h, unsigned domain, unsigned remote,
		  long count)
{
	int port = must(xenevtchn_bind_interdomain(h, domain, remote), "bind");
	int over =
		must(xenevtchn_bind_interdomain(h, domain, remote + 1), "bind");
	long i;

	(void)must(xenevtchn_pending(h), "pending"); /* the binds' own */
	(void)must(xenevtchn_pending(h), "pending");
	must(xenevtchn_unmask(h, (evtchn_port_t)over), "unmask");
	must(xenevtchn_notify(h, (evtchn_port_t)port), "notify");
	(void)getppid();
	for (i = 0; i < count; i++)
		must(xenevtchn_notify(h, (evtchn_port_t)port), "notify");
	(void)getppid();
	must(xenevtchn_notify(h, (evtchn_port_t)over), "notify");
	take(h, over, 0);
	must(xenevtchn_notify(h, (evtchn_port_t)over), "notify");
}

int main(int argc, char **argv)
{
	xenevtchn_handle *h = xenevtchn_open(NULL, 0);
	unsigned domain;

	(void)alarm(PATIENCE);
	if (!h)
		fail("open");
	if (argc < 3)
		return 2;
	domain = (unsigned)atoi(argv[2]);
	if (!strcmp(argv[1], "take") && argc == 3)
		take_burst(h, domain);
	else if (!strcmp(argv[1], "burst") && argc == 5)
		burst(h, domain, (unsigned)atoi(argv[3]), atol(argv[4]));
	else if (argc < 4)
		return 2;
	else if (!strcmp(argv[1], "wait") || !strcmp(argv[1], "poll"))
		serve(h, domain, atol(argv[3]), argv[1][0] == 'p');
	else if (!strcmp(argv[1], "call") && argc == 5)
		call(h, domain, (unsigned)atoi(argv[3]), atol(argv[4]));
	else
		return 2;
	return must(xenevtchn_close(h), "close");
}
