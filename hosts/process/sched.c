/* SPDX-License-Identifier: MIT */
/*
 * The hypercalls that wait, and the one that ends.
 *
 * SCHEDOP_poll looks at pending bits whether masked or not, consumes nothing,
 * and returns 0 for an event, the timeout and a signal alike.  System time is
 * CLOCK_MONOTONIC.  Both waiting calls take upcalls on their way back to the
 * caller, as every return to a PV guest does.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include <abi/sched.h>

#include "guest.h"

#define MAX_PORTS 128

static evb_u8 *upcall_mask(const struct evp_guest *g)
{
	return (evb_u8 *)g->info + 1;
}

static int yield(struct evp_guest *g)
{
	(void)sched_yield();
	evp_collect(g);
	evp_take_upcalls(g);
	return 0;
}

static int block(struct evp_guest *g)
{
	uint32_t seen;
	int rc = 0;

	evb_u8_store_relaxed(upcall_mask(g), 0);
	while (rc >= 0 && !evp_is_deliverable(g)) {
		seen = g->posted;
		rc = evp_wait_until(g, seen, EVP_NO_DEADLINE);
	}
	evp_take_upcalls(g);
	/* A signal counts as a spurious wake-up. */
	return rc == -ECONNRESET ? EVP_RC_NO_BROKER : 0;
}

/* --- poll ------------------------------------------------------------------- */

struct poll {
	evtchn_port_t port[MAX_PORTS];
	uint32_t nr;
};

static int read_ports(struct evp_guest *g, const struct sched_poll *p,
		      struct poll *out)
{
	uint32_t i;
	int rc;

	if (evp_copy_in(out->port, (const void *)(uintptr_t)p->ports,
			p->nr_ports * sizeof(out->port[0])))
		return -XEN_EFAULT;
	out->nr = p->nr_ports;
	for (i = 0; i < out->nr; i++) {
		if (!evp_is_open(g, out->port[i], &rc))
			return rc ? rc : -XEN_EINVAL;
	}
	return 0;
}

static bool is_over(struct evp_guest *g, const struct poll *p)
{
	uint32_t i;

	if (evp_is_deliverable(g))
		return true;
	for (i = 0; i < p->nr; i++) {
		if (evb_test_bit(g->words.pending, p->port[i]))
			return true;
	}
	return false;
}

/* Several ports, or none: any event ends it. */
static void wait_for(struct evp_guest *g, const struct poll *p,
		     int64_t deadline)
{
	uint32_t seen;

	evp_collect(g);
	while (!is_over(g, p)) {
		seen = g->posted;
		if (evp_wait_until(g, seen, deadline) <= 0 || p->nr != 1)
			return;
	}
}

static int poll_ports(struct evp_guest *g, const void *arg)
{
	struct sched_poll p;
	struct poll ports;
	int rc;

	if (evp_copy_in(&p, arg, sizeof(p)))
		return -XEN_EFAULT;
	if (p.nr_ports > MAX_PORTS)
		return -XEN_EINVAL;
	rc = read_ports(g, &p, &ports);
	if (rc)
		return rc;
	wait_for(g, &ports,
		 p.timeout && p.timeout < EVP_NO_DEADLINE ? (int64_t)p.timeout
							  : EVP_NO_DEADLINE);
	evp_take_upcalls(g);
	return 0;
}

static int shut_down(struct evp_guest *g, const void *arg)
{
	struct sched_shutdown op;

	if (evp_copy_in(&op, arg, sizeof(op)))
		return -XEN_EFAULT;
	evp_detach(g);
	exit(op.reason == SHUTDOWN_poweroff ? EXIT_SUCCESS : (int)op.reason);
}

int evp_sched_op(struct evp_guest *g, unsigned int cmd, void *arg)
{
	switch (cmd) {
	case SCHEDOP_yield:
		return yield(g);
	case SCHEDOP_block:
		return block(g);
	case SCHEDOP_poll:
		return poll_ports(g, arg);
	case SCHEDOP_shutdown:
		return shut_down(g, arg);
	default: /* a number, not a state */
		return -XEN_ENOSYS;
	}
}
