/* SPDX-License-Identifier: MIT */
/*
 * alice_domU - the demonstration of every Xen tutorial, the side that waits.
 *
 * An event channel connects two domains.  One opens a port and says which
 * domain may connect to it: this program, in a domain called domU.  The other
 * connects a port of its own: alice_dom0.c, in domain 0.  From then on either
 * side can send an event to the other.
 *
 * An event carries no data.  It sets one bit, "something happened on your port
 * 3", and makes the receiver's handler run.  Two events sent before the
 * handler ran are one: the bit was set already.  So to count events, as these
 * two programs do, each side waits for the answer before it sends again.
 *
 * This is guest code in the style of a Linux driver: a port becomes an irq,
 * the irq gets a handler.  Only main() shows that the guest is a process here:
 * evp_attach() makes it a domain, evp_wait() is its idle loop.
 *
 * Read main() first.
 */
#include <errno.h>
#include <stdio.h>

#include <evg/evg.h>
#include <evg/irq.h>
#include <evp/evp.h>

#include "alice.h"

/* What a driver would call its device. */
struct alice {
	unsigned int domid;
	evtchn_port_t port;
	int irq;
	unsigned long calls; /* of the handler: the events received */
	unsigned long sent;
};

/*
 * The interrupt handler.  dev_id is what was given to request_irq().  Upcalls
 * are off while it runs; the pending bit of the port is clear already, so an
 * event that arrives from now on makes it run again: none is lost.
 */
static int answer(int irq, void *dev_id)
{
	struct alice *alice = dev_id;

	alice->calls++;
	notify_remote_via_irq(irq);
	alice->sent++;

	return IRQ_HANDLED;
}

static int fail(const struct alice *alice, const char *what, int rc)
{
	fprintf(stderr, "[domU %u] %s: error %d of abi/errno.h\n", alice->domid,
		what, -rc);

	return 1;
}

/*
 * Open a port for domain 0.  Three steps, as in a driver: the port from the
 * hypervisor, an irq for it, a handler for that.  The last one unmasks the
 * port; an event that came before would be delivered then.
 */
static int open_port(struct alice *alice, struct evg_guest *g)
{
	int rc = evg_alloc_unbound(g, DOMID_SELF, 0, &alice->port);

	if (rc)
		return fail(alice, "cannot open a port", rc);
	alice->irq = bind_evtchn_to_irq(alice->port);
	if (alice->irq < 0)
		return fail(alice, "no irq for the port", alice->irq);
	rc = request_irq((unsigned int)alice->irq, answer, 0, "alice", alice);
	if (rc)
		return fail(alice, "no handler for the irq", rc);
	/* The first line: alice.sh looks for "port N" in it. */
	printf("[domU %u] port %u waits for dom0; bound to irq %d\n",
	       alice->domid, alice->port, alice->irq);
	printf("[domU %u] now say in dom0: alice_dom0 %u %u\n", alice->domid,
	       alice->domid, alice->port);

	return 0;
}

/*
 * Sleep until the handler has run @expected times; it runs inside evp_wait().
 * For the first event we wait for ever, since somebody has to type a command
 * meanwhile.  After that, silence means that an event was lost.
 */
static int serve(struct alice *alice, struct evp_guest *g,
		 unsigned long expected)
{
	while (alice->calls < expected) {
		int rc = evp_wait(g, alice->calls ? PATIENCE_NS : EVP_FOREVER);

		if (rc == 0)
			break;
		if (rc < 0 && rc != -EINTR) {
			fprintf(stderr, "[domU %u] %s\n", alice->domid,
				evp_error());
			break;
		}
	}
	printf("[domU %u] port %u, irq %d: handler called %lu times, "
	       "%lu events sent\n",
	       alice->domid, alice->port, alice->irq, alice->calls,
	       alice->sent);
	if (alice->calls == expected && alice->sent == expected)
		return 0;
	fprintf(stderr,
		"[domU %u] LOST: %lu events expected, %lu arrived "
		"(the same -n on both sides?)\n",
		alice->domid, expected, alice->calls);

	return 1;
}

/* --- The command line ---------------------------------------------------- */

static const char help[] =
	"Usage: alice_domU [-n ROUNDS]\n"
	"\n"
	"Open a port for domain 0, and answer each event that arrives: one\n"
	"for the demonstration, then ROUNDS (10000) for the measurement.\n"
	"\n"
	"Exit status: 0 all arrived, 1 something failed, 2 wrong arguments.\n"
	"\n"
	"Example:\n"
	"  evtchn run --domain 1 -- alice_domU";

int main(int argc, char **argv)
{
	struct arguments a = {"alice_domU", help, .rounds = 10000};
	struct alice alice = {0};
	struct evp_guest *g;
	int status;

	parse_arguments(&a, argc, argv);
	/* A line at a time, also into a pipe: somebody waits for the port. */
	setvbuf(stdout, NULL, _IOLBF, 0);

	if (evp_attach(&g, NULL)) {
		fprintf(stderr, "alice_domU: %s\n", evp_error());
		return 1;
	}
	alice.domid = evp_domid(g);
	status = open_port(&alice, evp_evg(g));
	/* One event for the demonstration, and one a round. */
	if (!status)
		status = serve(&alice, g, 1 + a.rounds);
	unbind_from_irqhandler((unsigned int)alice.irq, &alice);
	evp_detach(g);

	return status;
}
