/* SPDX-License-Identifier: MIT */
/*
 * The 2-level ABI: a pending and a mask bitmap per domain, and per vCPU a
 * selector word with a bit for each word of pending bits.
 *
 * guest/collect_2l.c collects what is posted here.  The ladder, bottom up:
 *
 *   payload -> pending bit -> selector bit -> upcall flag
 *
 * The sender sets a rung and goes on to the next only if the rung was clear:
 * if it was set, somebody else is already responsible for what lies above.
 * The receiver clears the rung above and then reads the one below.  Each step
 * is a full barrier on both sides; docs/memory-order.md has the pairs.
 *
 * The bitmaps are addressed as 32-bit words for both widths of guests: on a
 * little-endian machine bit n is the same bit either way, and only offsets
 * differ.  The guest owns this memory and may write anything at any time; all
 * that follows from a word is whether one bit in it is set.
 */
#include <evc/deliver.h>

#include <abi/xen.h>
#include <evc/storage.h>

#include "channel.h"

/* Where things are, by width of the guest: offsets in bytes. */
static const struct layout {
	uint16_t pending, mask;
	uint16_t nr_ports;
	uint8_t port_shift;
	uint8_t sel;
} layouts[] = {
	[EVC_WIDTH_32] = {offsetof(struct shared_info_32, evtchn_pending),
			  offsetof(struct shared_info_32, evtchn_mask),
			  EVTCHN_2L_NR_CHANNELS_32, 5,
			  offsetof(struct vcpu_info_32, evtchn_pending_sel)},
	[EVC_WIDTH_64] = {offsetof(struct shared_info, evtchn_pending),
			  offsetof(struct shared_info, evtchn_mask),
			  EVTCHN_2L_NR_CHANNELS_64, 6,
			  offsetof(struct vcpu_info, evtchn_pending_sel)},
};

void evc_words_init(struct evc_words *w, void *shared_info,
		    enum evc_width width)
{
	const struct layout *l = &layouts[width];
	evb_u32 *page = shared_info;

	w->pending = page + l->pending / sizeof(*page);
	w->mask = page + l->mask / sizeof(*page);
	w->nr_ports = l->nr_ports;
	w->port_shift = l->port_shift;
	w->sel_word = l->sel / sizeof(*page);
}

/*
 * The lower rung.  EVC_RAISE: go on to the selector, with select_port().  In
 * between the caller learns where the vCPU's vcpu_info is, in this order: who
 * moves a vcpu_info sets every selector bit in the new place, which finds all
 * pending bits that were set before (upcall.c).
 */
static inline unsigned int mark_pending(const struct evc_words *w,
					evtchn_port_t port)
{
	if (port >= w->nr_ports)
		return EVC_NOTHING;
	/* MO-PENDING: pairs with the handler's clear in guest/bind.c */
	if (evb_test_and_set_bit(w->pending, port))
		return EVC_NOTHING;
	/* MO-MASK: pending is set, then mask is read; unmask the other way */
	return evb_test_bit(w->mask, port) ? EVC_NEW : EVC_NEW | EVC_RAISE;
}

/* EVC_RAISE: the mask is gone and an event was behind it; as above. */
static inline unsigned int clear_mask(const struct evc_words *w,
				      evtchn_port_t port)
{
	if (port >= w->nr_ports || !evb_test_and_clear_bit(w->mask, port))
		return EVC_NOTHING;
	/* MO-MASK: mask is clear, then pending is read; post the other way */
	return evb_test_bit(w->pending, port) ? EVC_RAISE : EVC_NOTHING;
}

/* The upper rung.  Takes EVC_RAISE out of @due if the bit was set already. */
static inline unsigned int select_port(const struct evc_words *w, evb_u32 *info,
				       evtchn_port_t port, unsigned int due)
{
	/* MO-SEL: pending is set; pairs with collect_2l.c take_selector() */
	if (evb_test_and_set_bit(info + w->sel_word, port >> w->port_shift))
		return due & ~(unsigned int)EVC_RAISE;
	return due;
}

unsigned int evc_2l_post(const struct evc_words *w, evb_u32 *info,
			 evtchn_port_t port)
{
	unsigned int due = mark_pending(w, port);

	return due & EVC_RAISE ? select_port(w, info, port, due) : due;
}

unsigned int evc_2l_unmask(const struct evc_words *w, evb_u32 *info,
			   evtchn_port_t port)
{
	unsigned int due = clear_mask(w, port);

	return due & EVC_RAISE ? select_port(w, info, port, due) : due;
}

/* --- the same, for the state machine ----------------------------------- */

static const struct evc_words *words_of(const struct evc_domain *d)
{
	return evb_ptr_load_acquire(&d->words);
}

/* On the vCPU @ch notifies, if EVC_RAISE is due. */
static inline struct evc_posted
select_on(const struct evc_words *w, struct evc_channel *ch, unsigned int due)
{
	struct evc_vcpu *v = evc_notified(ch);

	/* MO-SEL: pending is set, then the place is read */
	if (due & EVC_RAISE)
		due = select_port(w, evb_ptr_load(&v->info), ch->port, due);
	return (struct evc_posted){due, v};
}

/* SEND 5/9 - from send.c evc_send(); next upcall.c evc_upcall_raise() */
static struct evc_posted post_2l(struct evc_domain *d, struct evc_channel *ch)
{
	const struct evc_words *w = words_of(d);

	return select_on(w, ch, mark_pending(w, ch->port));
}

static struct evc_posted unmask_2l(struct evc_domain *d, struct evc_channel *ch)
{
	const struct evc_words *w = words_of(d);

	return select_on(w, ch, clear_mask(w, ch->port));
}

static void clear_2l(struct evc_domain *d, struct evc_channel *ch)
{
	const struct evc_words *w = words_of(d);

	if (ch->port < w->nr_ports)
		(void)evb_test_and_clear_bit(w->pending, ch->port);
}

static bool is_pending_2l(struct evc_domain *d, struct evc_channel *ch)
{
	const struct evc_words *w = words_of(d);

	return ch->port < w->nr_ports && evb_test_bit(w->pending, ch->port);
}

static bool is_busy_2l(struct evc_domain *d, struct evc_channel *ch)
{
	(void)d;
	(void)ch;
	return false;
}

static uint32_t nr_ports_2l(const struct evc_domain *d)
{
	return words_of(d)->nr_ports;
}

const struct evc_deliver evc_deliver_2l = {
	.post = post_2l,
	.unmask = unmask_2l,
	.clear = clear_2l,
	.is_pending = is_pending_2l,
	.is_busy = is_busy_2l,
	.nr_ports = nr_ports_2l,
	.has_priorities = false,
};
