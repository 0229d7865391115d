/* SPDX-License-Identifier: MIT */
/*
 * Upcalls: the spine of the receiving side.
 *
 * evg_upcall() takes the flag, has collect_2l.c take the selector and name one
 * port after the other, and has bind.c call the handlers.  Then it looks at
 * the flag again: what was sent meanwhile has set it.
 *
 * The work of one call is bounded.  A sender that is as fast as its handler
 * would otherwise keep the vCPU here for good.
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

/* SEND 8/9 - from the host's kick; next bind.c evg_deliver() */
unsigned int evg_upcall(struct evg_vcpu *v)
{
	const struct evg_collect *collect = v->guest->collect;
	uint32_t ports = v->guest->budget, rounds = ports, handled = 0;
	evtchn_port_t port;

	/* Only this vCPU comes here, so a plain test is enough. */
	if (evb_u32_load_relaxed(&v->inside))
		return 0;
	evb_u32_store_relaxed(&v->inside, 1);
	add(evg_upcall_is_pending(v) ? &v->nr_upcalls : &v->nr_spurious, 1);

	while (ports && rounds-- && evg_upcall_take(v)) {
		collect->begin(v);
		while (ports && collect->next(v, &port)) {
			ports--;
			handled += evg_deliver(v, port);
		}
		if (!ports) { /* perhaps not all were seen */
			collect->put_back(v);
			evg_upcall_raise(v);
			add(&v->nr_exhausted, 1);
		}
	}
	add(&v->nr_handled, handled);
	evb_u32_store_relaxed(&v->inside, 0);

	return handled;
}
