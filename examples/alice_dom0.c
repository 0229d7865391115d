/* SPDX-License-Identifier: MIT */
/*
 * alice_dom0 - the demonstration of every Xen tutorial, the side that calls.
 *
 * Read alice_domU.c first.  This program connects a port of domain 0 to the
 * one that alice_domU opened, sends an event and gets one back; then it does
 * so many times and says how long that takes.
 *
 * The classic surprise: a port that was just connected is pending.  The other
 * side may have sent before anybody was there to hear it, so the hypervisor
 * lets the newcomer look: its handler runs once without an event.  It runs
 * even inside the call that binds, before that has returned the irq; a handler
 * takes the irq it is given.  Whoever counts events has to count this one.
 *
 * Read main() first.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <evg/evg.h>
#include <evg/irq.h>
#include <evp/evp.h>

#include "alice.h"

struct alice {
	struct evp_guest *g;
	unsigned int remote_domid;
	evtchn_port_t remote_port;
	int irq;
	unsigned long calls; /* of the handler: the bind's and the answers */
	unsigned long sent;
};

/* The interrupt handler: an answer has come. */
static int take_answer(int irq, void *dev_id)
{
	struct alice *alice = dev_id;

	(void)irq;
	alice->calls++;

	return IRQ_HANDLED;
}

/* Sleep until the handler has run @expected times; it runs in evp_wait(). */
static int wait_for_calls(struct alice *alice, unsigned long expected)
{
	while (alice->calls < expected) {
		int rc = evp_wait(alice->g, PATIENCE_NS);

		if (rc > 0 || rc == -EINTR)
			continue;
		fprintf(stderr, "[dom0] LOST: event %lu was not answered%s%s\n",
			alice->sent, rc ? ": " : "", rc ? evp_error() : "");
		return 1;
	}

	return 0;
}

/* One call does it all: connect a port, give it an irq, and that a handler. */
static int connect_port(struct alice *alice)
{
	int rc = bind_interdomain_evtchn_to_irqhandler(
		alice->remote_domid, alice->remote_port, take_answer, 0,
		"alice", alice);

	if (rc < 0) {
		fprintf(stderr, "[dom0] cannot bind to port %u of domain %u: ",
			alice->remote_port, alice->remote_domid);
		if (rc == -XEN_ESRCH)
			fprintf(stderr, "there is no such domain\n");
		else if (rc == -XEN_EINVAL)
			fprintf(stderr, "no such port, or not for us\n");
		else
			fprintf(stderr, "error %d of abi/errno.h\n", -rc);
		return 1;
	}
	alice->irq = rc;
	printf("[dom0] port %u is connected to port %u of domain %u; "
	       "bound to irq %d\n",
	       evtchn_from_irq((unsigned int)rc), alice->remote_port,
	       alice->remote_domid, rc);

	return wait_for_calls(alice, 1); /* the bind's own event */
}

static int round_trip(struct alice *alice)
{
	notify_remote_via_irq(alice->irq);
	alice->sent++;

	return wait_for_calls(alice, alice->sent + 1);
}

static int demonstrate(struct alice *alice)
{
	int rc;

	printf("[dom0] handler called once by the bind itself; now notify\n");
	rc = round_trip(alice);
	if (!rc)
		printf("[dom0] domain %u answered\n", alice->remote_domid);

	return rc;
}

/* --- Measuring ----------------------------------------------------------- */

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);

	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare_times(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int measure(struct alice *alice, unsigned long rounds)
{
	double *us = calloc(rounds, sizeof(*us));
	int rc = !us;

	for (unsigned long i = 0; i < rounds && !rc; i++) {
		double start = now_us();

		rc = round_trip(alice);
		us[i] = now_us() - start;
	}
	if (!rc) {
		qsort(us, rounds, sizeof(*us), compare_times);
		printf("%lu round trips: median %.1f us, p99 %.1f us, "
		       "max %.1f us (min %.1f)\n",
		       rounds, us[rounds / 2], us[rounds - 1 - rounds / 100],
		       us[rounds - 1], us[0]);
	}
	free(us);

	return rc;
}

/* All answers, the bind's own event, and nothing else. */
static int check_counts(struct alice *alice)
{
	evp_poll(alice->g);
	printf("[dom0] port %u, irq %d: handler called %lu times "
	       "(1 by the bind), %lu events sent\n",
	       evtchn_from_irq((unsigned int)alice->irq), alice->irq,
	       alice->calls, alice->sent);

	return alice->calls != alice->sent + 1;
}

/* --- The command line ---------------------------------------------------- */

static const char help[] =
	"Usage: alice_dom0 [-n ROUNDS] DOMAIN PORT\n"
	"\n"
	"Connect to PORT of DOMAIN, where alice_domU waits; send it an event,\n"
	"then ROUNDS (10000) more, each after the answer to the one before.\n"
	"\n"
	"Exit status: 0 all answered, 1 something failed, 2 wrong arguments.\n"
	"\n"
	"Example:\n"
	"  evtchn run --domain 0 -- alice_dom0 1 1";

int main(int argc, char **argv)
{
	struct arguments a = {"alice_dom0", help, .rounds = 10000,
			      .nr_rest = 2};
	struct alice alice = {0};
	int status;

	parse_arguments(&a, argc, argv);
	alice.remote_domid =
		(unsigned int)parse_number(&a, a.rest[0], MAX_DOMID);
	alice.remote_port =
		(evtchn_port_t)parse_number(&a, a.rest[1], MAX_PORT);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (evp_attach(&alice.g, NULL)) {
		fprintf(stderr, "alice_dom0: %s\n", evp_error());
		return 1;
	}
	status = connect_port(&alice) || demonstrate(&alice) ||
		 measure(&alice, a.rounds) || check_counts(&alice);
	evp_detach(alice.g); /* closes the port, too */

	return status;
}
