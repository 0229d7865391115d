/* SPDX-License-Identifier: MIT */
/*
 * Delivery: an event becomes a pending port of this guest, in the words of the
 * ABI it uses, and its vCPU hears of it.
 *
 * What the hypervisor does: pending bit, selector bit (or, FIFO, a queue), upcall
 * flag; whoever set the flag tells the vCPU (vcpu.c).  What the vCPU does about
 * it is in upcall.c.
 *
 * A port below guest.nr_2l is one of the 2-level bitmaps.  That is 4,096 for a
 * 2-level guest and 0 for a FIFO one, so one comparison finds both what is not
 * 2-level and what a 2-level guest has no bit for.  The latter come after an
 * exec(): the program before this one was a FIFO guest, and this one is going
 * to be.  They are parked, as is every port whose array page is missing, until
 * it comes (fifo.c); so the core's FIFO functions are only called with the page
 * there.
 *
 * Locks: guest, or the chans of the calling vCPU, unless said otherwise; in a
 * plain guest there are none.
 *
 * Reading order: telling, posting, unmasking, the rest.
 */
#include <sched.h>

#include <evc/host.h>

#include "fifo.h"

/* --- locks of the guest library and of the core's queues --------------------- */

/* Their holder may be descheduled, and need the CPU this runs on. */
void evg_plat_relax(void)
{
	static _Thread_local unsigned int turns;

	if (evp_mine() && ++turns % 128 == 0)
		(void)sched_yield();
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

void evc_host_relax(void)
{
	evg_plat_relax();
}

/* --- telling ---------------------------------------------------------------- */

/* Of a guarded guest, so that the plain one's post stays short. */
static void tell(struct evp_vcpu *v, unsigned int due)
{
	bool raised = false;

	/* MO-UPCALL: selector is set; pairs with upcall.c evg_upcall_take() */
	if (due & EVC_RAISE)
		raised = !evb_u8_xchg(evp_upcall_flag(v), 1);
	if (due & EVC_NEW)
		(void)evb_u32_add(&v->posted, 1);
	/* MO-BLOCK: flag and count are set; then, is the vCPU asleep? */
	if (due)
		evp_notice(v, raised);
	/* MO-POLL: pending is set; then, does anybody poll? */
	if (due & EVC_NEW && evb_u32_load(&v->guest->nr_polling))
		evp_notice_pollers(v->guest);
}

/* --- posting ---------------------------------------------------------------- */

/* Of a FIFO guest, ready to be used; NULL: there is no page for it. */
static struct evc_channel *channel_of(const struct evp_guest *g,
				      evtchn_port_t port)
{
	struct evp_fifo *f = evp_fifo_of(g);
	uint32_t vcpu = evb_u32_load_relaxed(&g->chan[port].vcpu);

	if (!f || !evp_fifo_has_page(f, port))
		return NULL;
	/* Two may come here and write two: any it ever was will do. */
	evb_ptr_store_release(&f->chan[port].vcpu, &f->vcpu[vcpu]);
	return &f->chan[port];
}

/* Was it new? */
static bool finish(struct evp_guest *g, evtchn_port_t port, struct evc_posted p)
{
	if (p.due & EVC_NEW)
		evp_note(g, &g->counts->port[port].events);
	if (p.due)
		tell(&g->vcpu[p.v->id], p.due);
	return p.due & EVC_NEW;
}

__attribute__((noinline)) static bool post_fifo(struct evp_guest *g,
						evtchn_port_t port)
{
	struct evc_channel *ch = channel_of(g, port);

	if (ch)
		return finish(g, port, evc_deliver_fifo.post(ch->domain, ch));
	return !evb_test_and_set_bit(g->parked, port);
}

bool evp_post(struct evp_guest *g, evtchn_port_t port)
{
	struct evp_vcpu *v;
	unsigned int due;

	if (port >= g->nr_2l)
		return post_fifo(g, port);
	v = &g->vcpu[evb_u32_load_relaxed(&g->chan[port].vcpu)];
	due = evc_2l_post(&g->words, evb_ptr_load_acquire(&v->info), port);
	if (due & EVC_NEW)
		evp_note(g, &g->counts->port[port].events);
	if (g->guarded) {
		tell(v, due);
		return due & EVC_NEW;
	}
	/* MO-UPCALL: selector is set; pairs with upcall.c evg_upcall_take() */
	if (due & EVC_RAISE)
		(void)evb_u8_xchg(evp_upcall_flag(v), 1);
	if (due & EVC_NEW)
		evb_u32_store_relaxed(&v->posted,
				      evb_u32_load_relaxed(&v->posted) + 1);
	return due & EVC_NEW;
}

/* --- unmasking -------------------------------------------------------------- */

static void unmask_fifo(struct evp_guest *g, evtchn_port_t port)
{
	struct evc_channel *ch = channel_of(g, port);

	if (ch)
		(void)finish(g, port, evc_deliver_fifo.unmask(ch->domain, ch));
}

void evp_unmask(struct evp_guest *g, evtchn_port_t port)
{
	struct evp_vcpu *v;

	if (port >= g->nr_2l) {
		unmask_fifo(g, port);
		return;
	}
	v = &g->vcpu[evb_u32_load_relaxed(&g->chan[port].vcpu)];
	tell(v, evc_2l_unmask(&g->words, evb_ptr_load_acquire(&v->info), port));
}

/* --- the rest --------------------------------------------------------------- */

/* Its place in a queue stays: the guest takes it out, and finds nothing. */
static bool forget_fifo(struct evp_guest *g, evtchn_port_t port)
{
	bool pending = evb_test_and_clear_bit(g->parked, port);
	struct evc_channel *ch = channel_of(g, port);
	struct evp_fifo *f = evp_fifo_of(g);

	if (f)
		evb_u8_store_relaxed(&f->chan[port].priority,
				     EVTCHN_FIFO_PRIORITY_DEFAULT);
	if (!ch)
		return pending;
	pending = evc_deliver_fifo.is_pending(ch->domain, ch);
	evc_deliver_fifo.clear(ch->domain, ch);
	return pending;
}

bool evp_forget_event(struct evp_guest *g, evtchn_port_t port)
{
	if (port >= g->nr_2l)
		return forget_fifo(g, port);
	return evb_test_and_clear_bit(g->words.pending, port);
}

static bool is_pending_fifo(struct evp_guest *g, evtchn_port_t port)
{
	struct evc_channel *ch = channel_of(g, port);

	return ch && evc_deliver_fifo.is_pending(ch->domain, ch);
}

bool evp_is_pending(const struct evp_vcpu *v, evtchn_port_t port)
{
	struct evp_guest *g = v->guest;
	struct evp_mutex *chans = &g->vcpu[v->evg->id].chans;
	bool pending;

	if (!evp_fifo_of(g))
		return port < g->words.nr_ports &&
		       evb_test_bit(g->words.pending, port);
	if (!g->guarded)
		return is_pending_fifo(g, port);
	evp_mutex_lock(chans); /* its page may be about to go */
	pending = is_pending_fifo(g, port);
	evp_mutex_unlock(chans);
	return pending;
}
