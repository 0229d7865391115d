/* SPDX-License-Identifier: MIT */
/*
 * The 2-level ABI, the reading end of core/deliver_2l.c:
 *
 *   upcall flag -> selector bit -> pending bit -> handler -> payload
 *
 * The sender climbs this ladder bottom up; the receiver comes down: it clears
 * a rung and then reads the one below, so that whatever the sender adds after
 * the reading makes it set the cleared rung again.  The flag is upcall.c's,
 * the pending bit bind.c's; the selector is taken here.
 *
 * One round looks at the words of pending bits that the selector named, in
 * this order (SPEC 6.1): the port of VIRQ_TIMER; the word where the last round
 * stopped, from one past the port it handled last; the other words, wrapping
 * around; the word of the start once more, now the whole.  Each port that is
 * handled moves the start.  So every port that waits is reached before any
 * other one is handled twice in a row.
 *
 * A vCPU looks at the ports it *owns* and at those that *left* it.  It owns
 * what is bound to it.  A port that was moved away may still have its event
 * announced here, by a sender that looked up the vCPU just before the move;
 * bind.c passes such an event on.
 *
 * The bitmaps are addressed as 32-bit words in all layouts: on a little-endian
 * machine bit n is the same bit either way, and only offsets differ.
 */
#include "collect.h"

#include <base/bits.h>

/* Where things are: offsets in bytes. */
static const struct layout {
	uint16_t pending, mask;
	uint16_t nr_ports;
	uint8_t port_shift;
	uint8_t sel;
	uint8_t info_size, nr_infos; /* the array at the start of the page */
} layouts[] = {
	[EVG_LAYOUT_X86_64] = {offsetof(struct shared_info, evtchn_pending),
			       offsetof(struct shared_info, evtchn_mask),
			       EVTCHN_2L_NR_CHANNELS_64, 6,
			       offsetof(struct vcpu_info, evtchn_pending_sel),
			       sizeof(struct vcpu_info), XEN_LEGACY_MAX_VCPUS},
	[EVG_LAYOUT_X86_32] = {offsetof(struct shared_info_32, evtchn_pending),
			       offsetof(struct shared_info_32, evtchn_mask),
			       EVTCHN_2L_NR_CHANNELS_32, 5,
			       offsetof(struct vcpu_info_32,
					evtchn_pending_sel),
			       sizeof(struct vcpu_info_32),
			       XEN_LEGACY_MAX_VCPUS},
	[EVG_LAYOUT_ARM] = {offsetof(struct shared_info_arm, evtchn_pending),
			    offsetof(struct shared_info_arm, evtchn_mask),
			    EVTCHN_2L_NR_CHANNELS_64, 6,
			    offsetof(struct vcpu_info_arm, evtchn_pending_sel),
			    sizeof(struct vcpu_info_arm),
			    ABI_ARM_LEGACY_MAX_VCPUS},
};

uint32_t evg_2l_init(struct evg_guest *g, void *shared_info,
		     enum evg_layout layout)
{
	const struct layout *l = &layouts[layout];
	evb_u32 *page = shared_info;

	g->collect = &evg_collect_2l;
	g->shared_info = shared_info;
	g->layout = layout;
	g->pending = page + l->pending / sizeof(*page);
	g->mask = page + l->mask / sizeof(*page);
	g->port_shift = l->port_shift;
	g->sel_word = l->sel / sizeof(*page);

	return l->nr_ports;
}

void evg_2l_mask_all(struct evg_guest *g)
{
	uint32_t i;

	for (i = 0; i < layouts[g->layout].nr_ports / 32U; i++)
		evb_u32_store(&g->mask[i], UINT32_MAX);
}

void *evg_2l_info(const struct evg_guest *g, uint32_t vcpu)
{
	const struct layout *l = &layouts[g->layout];

	if (vcpu >= l->nr_infos)
		return NULL;
	return g->shared_info + vcpu * l->info_size;
}

/* --- the selector ---------------------------------------------------------- */

static evb_u32 *selector_of(const struct evg_vcpu *v)
{
	evb_u32 *info = evb_ptr_load_acquire(&v->info);

	return info + v->guest->sel_word;
}

/* A half that is 0 is not written: what comes later sets the flag again. */
static uint64_t take_half(evb_u32 *half)
{
	return evb_u32_load(half) ? evb_u32_xchg(half, 0) : 0;
}

static uint64_t take_selector(const struct evg_vcpu *v)
{
	evb_u32 *sel = selector_of(v);
	uint64_t words;

	/*
	 * MO-SEL: the selector is clear, then pending bits are read; pairs with
	 * core/deliver_2l.c select_port().
	 */
	words = take_half(&sel[0]);
	if (v->guest->port_shift == 6)
		words |= take_half(&sel[1]) << 32;

	return words;
}

void evg_2l_forget_pending(struct evg_guest *g)
{
	uint32_t i;

	for (i = 0; i < layouts[g->layout].nr_ports / 32U; i++)
		evb_u32_store(&g->pending[i], 0);
	for (i = 0; i < g->nr_vcpus; i++) {
		if (evb_ptr_load_acquire(&g->vcpu[i].info))
			(void)take_selector(&g->vcpu[i]);
	}
}

static void put_back_2l(struct evg_vcpu *v)
{
	evb_u32 *sel = selector_of(v);

	/* All of it: a word without events costs a look, a lost one an event */
	(void)evb_u32_or(&sel[0], (uint32_t)v->scan.taken);
	if (v->guest->port_shift == 6)
		(void)evb_u32_or(&sel[1], (uint32_t)(v->scan.taken >> 32));
}

/* --- a round --------------------------------------------------------------- */

static uint32_t word_bits(const struct evg_guest *g)
{
	return (uint32_t)1 << g->port_shift;
}

/* @words turned so that word @by is bit 0. */
static uint64_t rotate(const struct evg_guest *g, uint64_t words, uint32_t by)
{
	uint32_t size = word_bits(g);

	if (!by)
		return words;
	return (words >> by | words << (size - by)) & UINT64_MAX >> (64 - size);
}

static void begin_2l(struct evg_vcpu *v)
{
	struct evg_scan *s = &v->scan;

	s->taken = take_selector(v);
	s->due = rotate(v->guest, s->taken, s->start);
	s->first = s->start;
	s->word = s->start;
	s->next = 64; /* past the end, unless the first word was selected */
	if (s->due & 1)
		s->next = s->bit;
	s->again = s->due & 1;
	s->due &= ~(uint64_t)1;
	s->timer_done = false;
}

/* Word @i of 32 ports: what this vCPU has to do with now. */
static uint32_t active_half(const struct evg_vcpu *v, uint32_t i)
{
	const struct evg_guest *g = v->guest;
	uint32_t concern = evb_u32_load(&v->own[i]) | evb_u32_load(&v->left[i]);

	if (!concern)
		return 0;
	/* MO-MASK: a port masked from now on is handled once more at most */
	return concern & evb_u32_load(&g->pending[i]) &
	       ~evb_u32_load(&g->mask[i]);
}

/* The same for word @word of the guest's width. */
static uint64_t active(const struct evg_vcpu *v, uint32_t word)
{
	if (v->guest->port_shift == 5)
		return active_half(v, word);
	return active_half(v, 2 * word) | (uint64_t)active_half(v, 2 * word + 1)
						  << 32;
}

static bool take_timer(struct evg_vcpu *v, evtchn_port_t *port)
{
	*port = evb_u32_load_relaxed(&v->timer_port);

	return active_half(v, *port >> 5) >> (*port & 31) & 1;
}

/*
 * The next active bit of the current word.  Read anew each time: the handlers
 * that ran since may have masked, moved and closed ports.
 */
static bool take_bit(struct evg_vcpu *v, evtchn_port_t *port)
{
	struct evg_scan *s = &v->scan;
	uint32_t size = word_bits(v->guest), bit;
	uint64_t bits;

	if (s->next >= size)
		return false;
	bits = active(v, s->word) & UINT64_MAX << s->next;
	if (!bits)
		return false;
	bit = evb_lowest_bit(bits);
	*port = (uint32_t)s->word << v->guest->port_shift | bit;

	s->next = (uint8_t)(bit + 1);
	s->bit = s->next & (uint8_t)(size - 1);
	s->start = s->word;
	if (!s->bit)
		s->start = (uint8_t)((s->word + 1U) & (size - 1));

	return true;
}

static bool take_word(const struct evg_guest *g, struct evg_scan *s)
{
	uint32_t turned;

	if (s->due) {
		turned = evb_lowest_bit(s->due);
		s->due = evb_without_lowest_bit(s->due);
		s->word = (uint8_t)((s->first + turned) & (word_bits(g) - 1));
	} else if (s->again) {
		s->again = false;
		s->word = s->first;
	} else {
		return false;
	}
	s->next = 0;

	return true;
}

/* SEND 8/9 - from upcall.c evg_upcall(); returns the next port to it */
static bool next_2l(struct evg_vcpu *v, evtchn_port_t *port)
{
	struct evg_scan *s = &v->scan;

	if (!s->timer_done) {
		s->timer_done = true;
		if (take_timer(v, port))
			return true;
	}
	do {
		if (take_bit(v, port))
			return true;
	} while (take_word(v->guest, s));

	return false;
}

/* --- one port -------------------------------------------------------------- */

static bool mask_2l(struct evg_guest *g, evtchn_port_t port)
{
	return evb_test_and_set_bit(g->mask, port);
}

static bool unmask_2l(struct evg_guest *g, evtchn_port_t port)
{
	(void)evb_test_and_clear_bit(g->mask, port);
	/*
	 * MO-MASK: the mask is clear, then pending is read; pairs with
	 * core/deliver_2l.c evc_2l_post().
	 */
	return evb_test_bit(g->pending, port);
}

static bool clear_2l(struct evg_guest *g, evtchn_port_t port)
{
	return evb_test_and_clear_bit(g->pending, port);
}

static void set_2l(struct evg_guest *g, evtchn_port_t port)
{
	(void)evb_test_and_set_bit(g->pending, port);
}

static bool select_2l(struct evg_vcpu *v, evtchn_port_t port)
{
	return !evb_test_and_set_bit(selector_of(v),
				     port >> v->guest->port_shift);
}

static bool is_selected_2l(const struct evg_vcpu *v, evtchn_port_t port)
{
	if (!evb_ptr_load_acquire(&v->info))
		return false;
	return evb_test_bit(selector_of(v), port >> v->guest->port_shift);
}

static bool is_pending_2l(const struct evg_guest *g, evtchn_port_t port)
{
	return evb_test_bit(g->pending, port);
}

static bool is_masked_2l(const struct evg_guest *g, evtchn_port_t port)
{
	return evb_test_bit(g->mask, port);
}

const struct evg_collect evg_collect_2l = {
	.begin = begin_2l,
	.next = next_2l,
	.put_back = put_back_2l,
	.mask = mask_2l,
	.unmask = unmask_2l,
	.clear = clear_2l,
	.set = set_2l,
	.select = select_2l,
	.is_selected = is_selected_2l,
	.is_pending = is_pending_2l,
	.is_masked = is_masked_2l,
};
