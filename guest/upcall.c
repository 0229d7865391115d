/* SPDX-License-Identifier: MIT */
/*
 * Upcalls: the spine of the receiving side.
 *
 * evg_upcall() takes the flag, has collect_2l.c take the selector (or
 * collect_fifo.c the READY bits) and name one port after the other, and has
 * bind.c call the handlers.  Then it looks at
 * the flag again: what was sent meanwhile has set it.
 *
 * The work of one call is bounded.  A sender that is as fast as its handler
 * would otherwise keep the vCPU here for good.
 *
 * evg_drain() is the same for a vCPU that has gone, without calling handlers.
 */
#include <evg/evg.h>

#include "bind.h"
#include "collect.h"

/* evtchn_upcall_pending is the first byte of vcpu_info, in all layouts. */
static evb_u8 *flag_of(const struct evg_vcpu *v)
{
	return evb_ptr_load_acquire(&v->info);
}

bool evg_upcall_is_pending(const struct evg_vcpu *v)
{
	evb_u8 *flag = flag_of(v);

	return flag && evb_u8_load(flag);
}

bool evg_upcall_take(struct evg_vcpu *v)
{
	/* The look saves the last round of each upcall a locked access. */
	if (!evg_upcall_is_pending(v))
		return false;
	/*
	 * MO-UPCALL: the flag is clear, then the selector is taken; pairs with
	 * core/upcall.c evc_upcall_raise().
	 */
	return evb_u8_xchg(flag_of(v), 0);
}

void evg_upcall_raise(struct evg_vcpu *v)
{
	/* MO-UPCALL: a selector bit is set; as in core/upcall.c, without kick */
	(void)evb_u8_xchg(flag_of(v), 1);
}

/* Counters have one writer, this vCPU; readers want an untorn value. */
static void add(evb_u32 *counter, uint32_t n)
{
	evb_u32_store_relaxed(counter, evb_u32_load_relaxed(counter) + n);
}

/* Only the vCPU itself comes here, or evg_drain(), so a plain test does. */
static bool enter(struct evg_vcpu *v)
{
	if (evb_u32_load_relaxed(&v->inside))
		return false;
	evb_u32_store_relaxed(&v->inside, 1);
	v->spare = v->guest->budget;
	return true;
}

/* Not all was seen: what leads to it is there again. */
static void leave_for_later(struct evg_vcpu *v)
{
	v->guest->collect->put_back(v);
	evg_upcall_raise(v);
}

/* SEND 8/9 - from the host's kick; next bind.c evg_deliver() */
unsigned int evg_upcall(struct evg_vcpu *v)
{
	const struct evg_collect *collect = v->guest->collect;
	uint32_t ports = v->guest->budget, rounds = ports, handled = 0;
	evtchn_port_t port;

	if (!enter(v))
		return 0;
	add(evg_upcall_is_pending(v) ? &v->nr_upcalls : &v->nr_spurious, 1);

	while (ports && v->spare && rounds-- && evg_upcall_take(v)) {
		collect->begin(v);
		while (ports && collect->next(v, &port)) {
			ports--;
			handled += evg_deliver(v, port);
		}
		if (!ports || !v->spare) {
			leave_for_later(v);
			add(&v->nr_exhausted, 1);
		}
	}
	add(&v->nr_handled, handled);
	evb_u32_store_relaxed(&v->inside, 0);

	return handled;
}

int evg_drain(struct evg_vcpu *v)
{
	const struct evg_collect *collect = v->guest->collect;
	/* 2-level: each port once, and those of the first word twice */
	uint32_t ports = 2 * v->guest->nr_lent;
	evtchn_port_t port;
	bool done;

	if (!enter(v))
		return -XEN_EBUSY;

	v->spare = ports;
	collect->begin(v);
	while (ports && collect->next(v, &port)) {
		ports--;
		evg_pass_on(v, port);
	}
	done = ports && v->spare;
	collect->put_back(v);
	evg_announce_own(v);
	evb_u32_store_relaxed(&v->inside, 0);

	return done ? 0 : -XEN_EAGAIN;
}
