/* SPDX-License-Identifier: MIT */
/*
 * Ports and their handlers: masking, moving, and the call itself.
 *
 * What has to hold, whatever other vCPUs do at the same time:
 *
 *   1. An event that is pending and not masked has somebody who will look:
 *      a selector bit, or a vCPU on its way to the handler.
 *   2. The handlers of one port never run at the same time.
 *   3. After evg_unbind_handler() the handler does not run.
 *
 * Rule 1.  The hypervisor announces an event once, when pending goes 0 -> 1
 * with the mask clear.  Every place below that looks at such an event and does
 * not handle it therefore ends in unmask_locked(), which announces it anew,
 * or leaves the port masked for a later one.  There are four:
 *
 *   - The port has no handler: it is masked, evg_bind_handler() unmasks.
 *   - The port moved (evg_bind_vcpu()): the move itself is done masked, and a
 *     sender that reads the mask afterwards leaves the announcing to the
 *     unmask, which goes to the new vCPU.  A sender that had looked up the old
 *     vCPU before the move may announce it there, after the unmask found
 *     nothing: so the old vCPU keeps looking at the ports that left it, and
 *     passes on what it finds (pass_on()).  The hypervisor waits for such
 *     senders when it closes the port, so evg_close() ends this.
 *   - Its handler still runs on the vCPU it moved from: MO-AGAIN below.
 *   - The budget of an upcall is used up: selector and flag are put back.
 *
 * With FIFO event channels that is the same: an announcement is a place in a
 * queue, and a vCPU is concerned with every port it finds in one of its own.
 *
 * Words of pending bits are shared by vCPUs.  A vCPU that meets a pending bit
 * of a port it neither owns nor left does nothing: the announcement for that
 * one is in another vCPU's selector.
 *
 * Rule 2.  evg_port.running is taken by compare-and-swap before the handler.
 * Who finds it taken says so in evg_port.again and goes on; whoever gives it
 * back looks there (MO-AGAIN: each side writes its own word and then reads the
 * other's, so one of them sees it).
 *
 * Rule 3.  Unbinding clears evg_port.bound and then reads running; delivery
 * takes running and then reads bound (MO-HANDLER, the same shape).
 *
 * Locks: the lock of a port covers its mask bit, against two vCPUs that mask
 * and unmask for different reasons, its vCPU, and its handler's fields; upcalls
 * are off under it, since a handler may want it.  The order is: guest lock
 * (irq.c), then that of the event array (fifo.c) or one port lock.  What is
 * loaded relaxed here is written under the lock that the reader holds, or by
 * the reader alone, or is a counter.
 */
#include <evg/fifo.h>

#include "bind.h"
#include "collect.h"

static struct evg_port *entry_of(const struct evg_guest *g, evtchn_port_t port)
{
	return port && port < g->nr_ports ? &g->port[port] : NULL;
}

/*
 * Its words are there.  Where that may take a hypercall it is done before the
 * port's lock is taken.
 */
static int reach(struct evg_guest *g, evtchn_port_t port)
{
	return g->collect->reach ? g->collect->reach(g, port) : 0;
}

static unsigned long lock_port(struct evg_guest *g, struct evg_port *e)
{
	unsigned long saved = evg_plat_upcalls_save(g);

	evb_lock(&e->lock, evg_plat_relax);
	return saved;
}

static void unlock_port(struct evg_guest *g, struct evg_port *e,
			unsigned long saved)
{
	evb_unlock(&e->lock);
	evg_plat_upcalls_restore(g, saved);
}

/* --- pending and masked ---------------------------------------------------- */

/*
 * Clear the mask; if the port is pending, announce it on its vCPU.  By hand
 * that is possible here and only if a set flag is all it takes.  Otherwise the
 * hypervisor does it, but for masked ports only: mask it for him.
 */
static int unmask_locked(struct evg_guest *g, evtchn_port_t port,
			 struct evg_port *e)
{
	const struct evg_collect *collect = g->collect;
	struct evg_vcpu *me;

	if (!collect->unmask(g, port))
		return 0;
	me = evg_plat_this_vcpu(g);
	if (!g->hvm && collect->select && evb_ptr_load_acquire(&me->info) &&
	    me->id == evb_u32_load_relaxed(&e->vcpu)) {
		if (collect->select(me, port))
			evg_upcall_raise(me);
		return 0;
	}
	(void)collect->mask(g, port);
	return evg_call_unmask(g, port);
}

/* Announce a pending port anew, unless it is masked. */
static void announce(struct evg_guest *g, evtchn_port_t port,
		     struct evg_port *e)
{
	unsigned long saved = lock_port(g, e);

	if (!g->collect->mask(g, port))
		(void)unmask_locked(g, port, e);
	unlock_port(g, e, saved);
}

int evg_mask(struct evg_guest *g, evtchn_port_t port)
{
	struct evg_port *e = entry_of(g, port);
	unsigned long saved;

	if (!e)
		return -XEN_EINVAL;

	saved = lock_port(g, e);
	e->masked = true;
	(void)g->collect->mask(g, port);
	unlock_port(g, e, saved);

	return 0;
}

int evg_unmask(struct evg_guest *g, evtchn_port_t port)
{
	struct evg_port *e = entry_of(g, port);
	int rc = e ? reach(g, port) : -XEN_EINVAL;
	unsigned long saved;

	if (rc)
		return rc;

	saved = lock_port(g, e);
	e->masked = false;
	rc = unmask_locked(g, port, e);
	unlock_port(g, e, saved);

	return rc;
}

int evg_allow(struct evg_guest *g, evtchn_port_t port)
{
	struct evg_port *e = &g->port[port];
	unsigned long saved = lock_port(g, e);
	int rc = 0;

	e->masked = false;
	if (evb_u32_load(&e->bound))
		rc = unmask_locked(g, port, e);
	unlock_port(g, e, saved);

	return rc;
}

int evg_clear_pending(struct evg_guest *g, evtchn_port_t port)
{
	if (!entry_of(g, port))
		return -XEN_EINVAL;
	(void)g->collect->clear(g, port);
	return 0;
}

int evg_set_pending(struct evg_guest *g, evtchn_port_t port)
{
	struct evg_port *e = entry_of(g, port);
	int rc = e ? reach(g, port) : -XEN_EINVAL;

	if (rc)
		return rc;
	g->collect->set(g, port);
	announce(g, port, e);
	return 0;
}

bool evg_is_pending(const struct evg_guest *g, evtchn_port_t port)
{
	return entry_of(g, port) && g->collect->is_pending(g, port);
}

bool evg_is_masked(const struct evg_guest *g, evtchn_port_t port)
{
	return !entry_of(g, port) || g->collect->is_masked(g, port);
}

/* --- which vCPU ------------------------------------------------------------ */

bool evg_has_vcpu(const struct evg_guest *g, uint32_t vcpu)
{
	if (vcpu >= g->nr_vcpus)
		return false;
	return !g->collect->serves || g->collect->serves(&g->vcpu[vcpu]);
}

/* Whose port it is, as bitmaps: only the 2-level ABI has, and needs, them. */
static bool is_in_bitmaps(evtchn_port_t port)
{
	return port < EVTCHN_2L_NR_CHANNELS_64;
}

/* The port is masked, so no scan cares which bit comes first. */
static void set_owner(struct evg_guest *g, evtchn_port_t port,
		      struct evg_port *e, uint32_t vcpu)
{
	struct evg_vcpu *from = &g->vcpu[evb_u32_load_relaxed(&e->vcpu)];
	struct evg_vcpu *to = &g->vcpu[vcpu];

	if (is_in_bitmaps(port)) {
		(void)evb_test_and_clear_bit(from->own, port);
		(void)evb_test_and_set_bit(to->own, port);
		(void)evb_test_and_clear_bit(to->left, port);
	}
	evb_u32_store(&e->vcpu, vcpu);
}

static int move_locked(struct evg_guest *g, evtchn_port_t port,
		       struct evg_port *e, uint32_t vcpu)
{
	struct evg_vcpu *from = &g->vcpu[evb_u32_load_relaxed(&e->vcpu)];
	bool masked;
	int rc;

	if (!evg_has_vcpu(g, vcpu))
		return -XEN_ENOENT;
	masked = g->collect->mask(g, port);
	rc = evg_call_bind_vcpu(g, port, vcpu);
	if (!rc && from->id != vcpu) {
		if (is_in_bitmaps(port))
			(void)evb_test_and_set_bit(from->left, port);
		set_owner(g, port, e, vcpu);
	}
	/* The hypervisor does not announce again what is pending: SPEC 1.2 */
	if (!masked)
		(void)unmask_locked(g, port, e);

	return rc;
}

int evg_bind_vcpu(struct evg_guest *g, evtchn_port_t port, uint32_t vcpu)
{
	struct evg_port *e = entry_of(g, port);
	unsigned long saved;
	int rc;

	if (!e)
		return -XEN_EINVAL;

	saved = lock_port(g, e);
	rc = move_locked(g, port, e, vcpu);
	unlock_port(g, e, saved);

	return rc;
}

/* --- opening and closing --------------------------------------------------- */

static void forget_timer(struct evg_guest *g, evtchn_port_t port,
			 const struct evg_port *e)
{
	struct evg_vcpu *v = &g->vcpu[evb_u32_load_relaxed(&e->vcpu)];

	if (evb_u32_load_relaxed(&v->timer_port) == port)
		evb_u32_store_relaxed(&v->timer_port, 0);
}

void evg_port_reset(struct evg_guest *g, evtchn_port_t port)
{
	struct evg_port *e = &g->port[port];
	uint32_t i;

	forget_timer(g, port, e);
	e->masked = false;
	evb_u32_store(&e->bound, 0);
	evb_u32_store_relaxed(&e->irq, 0);
	evb_u32_store(&e->vcpu, 0);
	if (!is_in_bitmaps(port))
		return;
	for (i = 0; i < g->nr_vcpus; i++) {
		(void)evb_test_and_clear_bit(g->vcpu[i].own, port);
		(void)evb_test_and_clear_bit(g->vcpu[i].left, port);
	}
	if (port)
		(void)evb_test_and_set_bit(g->vcpu[0].own, port);
}

void evg_port_adopt(struct evg_guest *g, evtchn_port_t port, uint32_t virq,
		    uint32_t vcpu)
{
	struct evg_port *e = &g->port[port];
	unsigned long saved = lock_port(g, e);

	set_owner(g, port, e, vcpu);
	if (virq == VIRQ_TIMER) {
		evb_u32_store_relaxed(&g->vcpu[vcpu].timer_port, port);
		if (g->collect->has_priorities)
			(void)evg_set_priority(g, port,
					       EVTCHN_FIFO_PRIORITY_MAX);
	}
	unlock_port(g, e, saved);
}

int evg_port_opened(struct evg_guest *g, evtchn_port_t port, uint32_t virq,
		    uint32_t vcpu)
{
	struct evg_port *e = entry_of(g, port);
	int rc = e ? reach(g, port) : -XEN_ENOSPC;

	if (rc) {
		(void)evg_call_close(g, port);
		return rc;
	}
	evb_u32_store_relaxed(&e->count, 0);
	evb_u32_store_relaxed(&e->missed, 0);
	evg_port_adopt(g, port, virq, vcpu);
	return 0;
}

int evg_port_forget(struct evg_guest *g, evtchn_port_t port)
{
	struct evg_port *e = entry_of(g, port);
	unsigned long saved;

	if (!e)
		return -XEN_EINVAL;
	if (evb_u32_load_relaxed(&e->irq))
		return -XEN_EBUSY;

	if (evg_unbind_handler(g, port))
		(void)evg_mask(g, port); /* it had none */
	saved = lock_port(g, e);
	evg_port_reset(g, port);
	unlock_port(g, e, saved);

	return 0;
}

/* --- handlers -------------------------------------------------------------- */

int evg_bind_handler(struct evg_guest *g, evtchn_port_t port, uint32_t vcpu,
		     evg_handler fn, void *ctx)
{
	struct evg_port *e = entry_of(g, port);
	int rc = e && fn ? reach(g, port) : -XEN_EINVAL;
	unsigned long saved;

	if (rc)
		return rc;

	saved = lock_port(g, e);
	if (evb_u32_load(&e->bound))
		rc = -XEN_EBUSY;
	else if (vcpu != EVG_VCPU_KEEP &&
		 vcpu != evb_u32_load_relaxed(&e->vcpu))
		rc = move_locked(g, port, e, vcpu);
	if (!rc) {
		e->fn = fn;
		e->ctx = ctx;
		evb_u32_store(&e->bound, 1);
		/* Also what fired before: it has been pending since. */
		if (!e->masked)
			(void)unmask_locked(g, port, e);
	}
	unlock_port(g, e, saved);

	return rc;
}

/* True: the handler runs on this vCPU, so it must be the caller's caller. */
static bool runs_here(struct evg_guest *g, const struct evg_port *e)
{
	return evb_u32_load(&e->running) == evg_plat_this_vcpu(g)->id + 1;
}

static void wait_for(const struct evg_port *e)
{
	while (evb_u32_load(&e->running))
		evg_plat_relax();
}

int evg_unbind_handler(struct evg_guest *g, evtchn_port_t port)
{
	struct evg_port *e = entry_of(g, port);
	unsigned long saved;
	bool bound, self;

	if (!e)
		return -XEN_EINVAL;

	saved = lock_port(g, e);
	bound = evb_u32_load(&e->bound);
	if (bound) {
		(void)g->collect->mask(g, port);
		e->masked = false;
		/* MO-HANDLER: no handler, then is it running? */
		evb_u32_store(&e->bound, 0);
	}
	self = runs_here(g, e);
	unlock_port(g, e, saved);
	if (!self)
		wait_for(e);

	return bound ? 0 : -XEN_ENOENT;
}

int evg_wait_handler(struct evg_guest *g, evtchn_port_t port)
{
	struct evg_port *e = entry_of(g, port);
	unsigned long saved;
	bool self;

	if (!e)
		return -XEN_EINVAL;

	saved = evg_plat_upcalls_save(g);
	self = runs_here(g, e);
	evg_plat_upcalls_restore(g, saved);
	if (!self)
		wait_for(e);

	return 0;
}

uint32_t evg_port_count(const struct evg_guest *g, evtchn_port_t port)
{
	const struct evg_port *e = entry_of(g, port);

	return e ? evb_u32_load_relaxed(&e->count) : 0;
}

uint32_t evg_port_missed(const struct evg_guest *g, evtchn_port_t port)
{
	const struct evg_port *e = entry_of(g, port);

	return e ? evb_u32_load_relaxed(&e->missed) : 0;
}

/* --- delivery -------------------------------------------------------------- */

/* Counters of a port are written by who runs it, so one at a time. */
static void count(evb_u32 *counter)
{
	evb_u32_store_relaxed(counter, evb_u32_load_relaxed(counter) + 1);
}

static bool try_run(struct evg_port *e, const struct evg_vcpu *v)
{
	uint32_t nobody = 0;

	return evb_u32_cas(&e->running, &nobody, v->id + 1);
}

/* False: another vCPU runs it and will announce it again. */
static bool start_running(struct evg_port *e, const struct evg_vcpu *v)
{
	if (try_run(e, v))
		return true;
	/* MO-AGAIN: leave word, then see whether it has stopped meanwhile */
	evb_u32_store(&e->again, 1);
	return try_run(e, v);
}

static void stop_running(struct evg_guest *g, evtchn_port_t port,
			 struct evg_port *e)
{
	/* MO-AGAIN: stop, then see whether somebody left word */
	evb_u32_store(&e->running, 0);
	if (evb_u32_load(&e->again) && evb_u32_xchg(&e->again, 0))
		announce(g, port, e);
}

/* No handler: mask the port and leave it pending.  False: there is one now. */
static bool keep_for_later(struct evg_guest *g, evtchn_port_t port,
			   struct evg_port *e)
{
	unsigned long saved = lock_port(g, e);
	bool bound = evb_u32_load(&e->bound);

	if (!bound) {
		(void)g->collect->mask(g, port);
		count(&e->missed);
	}
	unlock_port(g, e, saved);

	return !bound;
}

static bool call_handler(struct evg_vcpu *v, evtchn_port_t port,
			 struct evg_port *e)
{
	evg_handler fn = e->fn;
	void *ctx = e->ctx;

	/*
	 * MO-PENDING: pending is clear, then the handler reads the payload;
	 * pairs with core/deliver_2l.c evc_2l_post().  If it was clear already,
	 * the port was closed, or handled elsewhere, since it was seen.
	 */
	if (!v->guest->collect->clear(v->guest, port))
		return false;
	count(&e->count);
	fn(v, port, ctx);

	return true;
}

/*
 * The port left this vCPU and is pending.  Mostly that is the other vCPU's
 * business and it is about to see it: it has yet to take its selector, and
 * reads the pending bit after that.  Otherwise it may not have been told.
 */
static void pass_on(struct evg_vcpu *v, evtchn_port_t port, struct evg_port *e)
{
	struct evg_guest *g = v->guest;
	const struct evg_vcpu *to = &g->vcpu[evb_u32_load(&e->vcpu)];

	if (g->collect->is_selected && g->collect->is_selected(to, port))
		return;
	count(&v->nr_passed);
	announce(g, port, e);
}

void evg_pass_on(struct evg_vcpu *v, evtchn_port_t port)
{
	struct evg_port *e = &v->guest->port[port];

	if (evb_u32_load(&e->vcpu) != v->id)
		pass_on(v, port, e);
}

void evg_announce_own(struct evg_vcpu *v)
{
	struct evg_guest *g = v->guest;
	evtchn_port_t port;

	for (port = 1; port < g->nr_ports; port++) {
		if (evb_u32_load(&g->port[port].vcpu) == v->id &&
		    g->collect->is_pending(g, port))
			announce(g, port, &g->port[port]);
	}
}

/* SEND 9/9 - from upcall.c evg_upcall(); calls the handler */
bool evg_deliver(struct evg_vcpu *v, evtchn_port_t port)
{
	struct evg_guest *g = v->guest;
	struct evg_port *e = &g->port[port];
	bool called = false;

	if (evb_u32_load(&e->vcpu) != v->id) {
		pass_on(v, port, e);
		return false;
	}
	if (!start_running(e, v))
		return false;
	/* MO-HANDLER: it counts as running, then is there a handler? */
	if (evb_u32_load(&e->bound) || !keep_for_later(g, port, e))
		called = call_handler(v, port, e);
	stop_running(g, port, e);

	return called;
}
