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

static void collect(struct evp_guest *g)
{
	if (g->guarded)
		evp_guarded_collect(g);
	else
		evp_collect(g);
}

static int yield(struct evp_vcpu *v)
{
	(void)sched_yield();
	collect(v->guest);
	evp_take_upcalls(v);
	return 0;
}

/* Until @over, whatever the guest is; rc as evp_wait_until(). */
static int await(struct evp_vcpu *v, evp_over_fn *over, const void *ctx,
		 int64_t deadline)
{
	uint32_t seen;
	int rc = 1;

	if (v->guest->guarded)
		return evp_guarded_await(v, over, ctx, deadline);
	evp_collect(v->guest);
	while (rc > 0 && !over(v, ctx)) {
		seen = evb_u32_load_relaxed(&v->posted);
		rc = evp_wait_until(v->guest, seen, deadline);
	}
	return rc;
}

static bool is_awake(const struct evp_vcpu *v, const void *ctx)
{
	(void)ctx;
	return evp_is_deliverable(v);
}

static int block(struct evp_vcpu *v)
{
	int rc;

	evb_u8_store_relaxed(evp_upcall_mask(v), 0);
	rc = await(v, is_awake, NULL, EVP_NO_DEADLINE);
	evp_take_upcalls(v);
	/* A signal counts as a spurious wake-up. */
	return rc == -ECONNRESET ? EVP_RC_NO_BROKER : 0;
}

/* --- poll ------------------------------------------------------------------- */

struct poll {
	evtchn_port_t port[MAX_PORTS];
	uint32_t nr;
	uint32_t seen; /* what was posted when it began */
};

static int check_ports(struct evp_guest *g, const struct poll *p)
{
	uint32_t i;
	int rc;

	for (i = 0; i < p->nr; i++) {
		if (!evp_is_open(g, p->port[i], &rc))
			return rc ? rc : -XEN_EINVAL;
	}
	return 0;
}

static int read_ports(struct evp_guest *g, const struct sched_poll *p,
		      struct poll *out)
{
	int rc;

	if (evp_copy_in(out->port, (const void *)(uintptr_t)p->ports,
			p->nr_ports * sizeof(out->port[0])))
		return -XEN_EFAULT;
	out->nr = p->nr_ports;
	evp_guest_lock(g);
	rc = check_ports(g, out);
	evp_guest_unlock(g);
	return rc;
}

/* Several ports, or none: any event ends it. */
static bool is_over(const struct evp_vcpu *v, const void *ctx)
{
	const struct poll *p = ctx;
	uint32_t i;

	if (evp_is_deliverable(v))
		return true;
	if (p->nr != 1 && evb_u32_load(&v->posted) != p->seen)
		return true;
	for (i = 0; i < p->nr; i++) {
		if (evp_is_pending(v, p->port[i]))
			return true;
	}
	return false;
}

static int poll_ports(struct evp_vcpu *v, const void *arg)
{
	struct sched_poll p;
	struct poll ports;
	int rc;

	if (evp_copy_in(&p, arg, sizeof(p)))
		return -XEN_EFAULT;
	if (p.nr_ports > MAX_PORTS)
		return -XEN_EINVAL;
	rc = read_ports(v->guest, &p, &ports);
	if (rc)
		return rc;
	collect(v->guest);
	ports.seen = evb_u32_load_relaxed(&v->posted);
	/* MO-POLL: it counts as polling, then the pending bits are read */
	evb_u32_store(&v->polling, 1);
	(void)evb_u32_add(&v->guest->nr_polling, 1);
	(void)await(v, is_over, &ports,
		    p.timeout && p.timeout < EVP_NO_DEADLINE
			    ? (int64_t)p.timeout
			    : EVP_NO_DEADLINE);
	(void)evb_u32_add(&v->guest->nr_polling, UINT32_MAX);
	evb_u32_store(&v->polling, 0);
	evp_take_upcalls(v);
	return 0;
}

static int shut_down(struct evp_guest *g, const void *arg)
{
	struct sched_shutdown op;

	if (evp_copy_in(&op, arg, sizeof(op)))
		return -XEN_EFAULT;
	/* Other threads may still be in it. */
	if (!g->guarded)
		evp_detach(g);
	exit(op.reason == SHUTDOWN_poweroff ? EXIT_SUCCESS : (int)op.reason);
}

int evp_sched_op(struct evp_vcpu *v, unsigned int cmd, void *arg)
{
	switch (cmd) {
	case SCHEDOP_yield:
		return yield(v);
	case SCHEDOP_block:
		return block(v);
	case SCHEDOP_poll:
		return poll_ports(v, arg);
	case SCHEDOP_shutdown:
		return shut_down(v->guest, arg);
	default: /* a number, not a state */
		return -XEN_ENOSYS;
	}
}
