/* SPDX-License-Identifier: MIT */
/*
 * The FIFO ABI, the reading end of core/deliver_fifo.c:
 *
 *   upcall flag -> READY bit -> queue and LINKED -> PENDING -> handler
 *
 * Each port has an event word; a vCPU has sixteen queues of linked words, one
 * for each priority.  READY says which queues got a new head; the hypervisor
 * appends behind a word only as long as that is LINKED.  So this side takes
 * READY, follows each queue from its head, and takes one word after the other
 * out: it clears LINKED and LINK in one step and learns in the same step what
 * follows, and whether the port is pending and not masked.  Whatever the
 * hypervisor does to the word afterwards begins a new queue, with a new READY
 * bit and flag.
 *
 * A masked port that comes out of a queue is not handled, and is in no queue
 * any more: the unmask finds it pending, leaves it masked, and has the
 * hypervisor unmask it, which queues it again.  A port that is masked, pending
 * and still in a queue needs no hypercall: whoever takes it out finds the mask
 * gone.  Both sides change the one word, so one comes first.
 *
 * Where a vCPU stands (evg_queues) outlives a round: an upcall that ends early
 * loses nothing, if the flag is set again.
 *
 * Bounds.  Nothing here believes the words.  A link to a port without a word,
 * or to a word that is not LINKED, ends its queue; since each step clears a
 * LINKED, a ring of links ends, too.  Words that lead to no handler are
 * counted against evg_vcpu.spare, and a compare-and-exchange that keeps
 * failing is put off to the next upcall, or left to the hypervisor.
 *
 * fifo.c switches to this ABI and hands over the pages.
 */
#include "collect.h"

#include <base/bits.h>
#include <evg/fifo.h>

#define BIT(n)	  ((uint32_t)1 << (n))
#define PENDING	  BIT(EVTCHN_FIFO_PENDING)
#define MASKED	  BIT(EVTCHN_FIFO_MASKED)
#define LINKED	  BIT(EVTCHN_FIFO_LINKED)
#define BUSY	  BIT(EVTCHN_FIFO_BUSY)
#define LINK_MASK ((uint32_t)EVTCHN_FIFO_LINK_MASK)

#define ALL_QUEUES (BIT(EVTCHN_FIFO_MAX_QUEUES) - 1)

/* The control block as 32-bit words. */
enum {
	READY = offsetof(struct evtchn_fifo_control_block, ready) / 4,
	HEAD = offsetof(struct evtchn_fifo_control_block, head) / 4,
};

/*
 * How often a word may change under a compare-and-exchange, or be BUSY.  The
 * hypervisor changes a word at most ten times while it links behind it.
 */
#define TRIES 64

/* NULL: the hypervisor has no page for the port.  @port: any value. */
static evb_u32 *word_of(const struct evg_guest *g, evtchn_port_t port)
{
	evb_u32 *page;

	if (port >= EVTCHN_FIFO_NR_CHANNELS)
		return NULL;
	/* MO-ARRAY: pairs with fifo.c give_page() */
	page = evb_ptr_load_acquire(
		&g->fifo->array[port / EVG_FIFO_PAGE_PORTS]);
	return page ? page + port % EVG_FIFO_PAGE_PORTS : NULL;
}

/* --- the queues ------------------------------------------------------------ */

static void take_ready(struct evg_vcpu *v)
{
	evb_u32 *control = evb_ptr_load_acquire(&v->queues.control);

	/* The look saves a locked access for each event. */
	if (!control || !evb_u32_load(&control[READY]))
		return;
	/*
	 * MO-LINK: READY is clear, then the heads are read; pairs with
	 * core/deliver_fifo.c link_locked().
	 */
	v->queues.ready |= evb_u32_xchg(&control[READY], 0) & ALL_QUEUES;
}

static void begin_fifo(struct evg_vcpu *v)
{
	take_ready(v);
}

/* What has been taken stays in evg_queues, where the next round finds it. */
static void put_back_fifo(struct evg_vcpu *v)
{
	(void)v;
}

/*
 * Take a word out of its queue; *@w is what it was.  False: somebody keeps
 * changing it.  BUSY is not ours, and no reason to wait: while it is set the
 * hypervisor expects LINKED to go.
 */
static bool take_out(evb_u32 *word, uint32_t *w)
{
	unsigned int i;

	*w = evb_u32_load(word);
	for (i = 0; i < TRIES && *w & LINKED; i++) {
		/*
		 * MO-LINK: LINKED is clear, and what PENDING was then counts;
		 * pairs with core/deliver_fifo.c post_fifo().
		 */
		if (evb_u32_cas(word, w, *w & ~(LINKED | LINK_MASK)))
			return true;
	}
	return !(*w & LINKED);
}

/* The queue is empty, or not to be believed. */
static void end_queue(struct evg_queues *s, uint32_t q)
{
	s->head[q] = 0;
	s->ready &= ~BIT(q);
}

static void give_up_queue(struct evg_vcpu *v, uint32_t q)
{
	end_queue(&v->queues, q);
	evb_u32_store_relaxed(&v->nr_bad_links,
			      evb_u32_load_relaxed(&v->nr_bad_links) + 1);
}

/* The first port of queue @q, which has been announced; 0: none. */
static evtchn_port_t head_of(const struct evg_vcpu *v, uint32_t q)
{
	const evb_u32 *control = evb_ptr_load_acquire(&v->queues.control);

	/* Read anew only after the queue was empty: SPEC 3.2 */
	return v->queues.head[q] ? v->queues.head[q]
				 : evb_u32_load(&control[HEAD + q]);
}

/* Take the first port out of queue @q.  True: it is to be handled. */
static bool take_first(struct evg_vcpu *v, uint32_t q, evtchn_port_t *port)
{
	struct evg_queues *s = &v->queues;
	evb_u32 *word;
	uint32_t w;

	*port = head_of(v, q);
	word = *port ? word_of(v->guest, *port) : NULL;
	if (!word) {
		give_up_queue(v, q);
		return false;
	}
	s->head[q] = *port;
	if (!take_out(word, &w)) {
		v->spare = 1; /* it is still first: try in the next upcall */
		return false;
	}
	if (!(w & LINKED)) {
		give_up_queue(v, q);
		return false;
	}
	s->head[q] = w & LINK_MASK;
	if (!s->head[q])
		end_queue(s, q);

	/* A port the guest has no entry for is nobody's. */
	return (w & (PENDING | MASKED)) == PENDING &&
	       *port < v->guest->nr_ports;
}

static bool next_fifo(struct evg_vcpu *v, evtchn_port_t *port)
{
	while (v->spare) {
		take_ready(v); /* also what has come since: it may be urgent */
		if (!v->queues.ready)
			return false;
		if (take_first(v, evb_lowest_bit(v->queues.ready), port))
			return true;
		v->spare--;
	}
	return false;
}

/* --- one port -------------------------------------------------------------- */

static bool mask_fifo(struct evg_guest *g, evtchn_port_t port)
{
	evb_u32 *word = word_of(g, port);

	return !word || evb_u32_or(word, MASKED) & MASKED;
}

static bool unmask_fifo(struct evg_guest *g, evtchn_port_t port)
{
	evb_u32 *word = word_of(g, port);
	unsigned int i;
	uint32_t w;

	if (!word)
		return false;
	w = evb_u32_load(word);
	for (i = 0; i < TRIES; i++) {
		if ((w & (PENDING | LINKED)) == PENDING)
			return true;
		if (!(w & MASKED))
			return false;
		/*
		 * MO-MASK: the mask is clear, and what PENDING was then counts;
		 * pairs with core/deliver_fifo.c post_fifo().
		 */
		if (!(w & BUSY) && evb_u32_cas(word, &w, w & ~MASKED))
			return false;
		if (w & BUSY) {
			evg_plat_relax();
			w = evb_u32_load(word);
		}
	}
	return true; /* the hypervisor may clear it at any time */
}

static bool clear_fifo(struct evg_guest *g, evtchn_port_t port)
{
	evb_u32 *word = word_of(g, port);

	/* MO-PENDING: as in collect_2l.c; pairs with post_fifo() */
	return word && evb_u32_and(word, ~PENDING) & PENDING;
}

static void set_fifo(struct evg_guest *g, evtchn_port_t port)
{
	evb_u32 *word = word_of(g, port);

	if (word)
		(void)evb_u32_or(word, PENDING);
}

static bool is_pending_fifo(const struct evg_guest *g, evtchn_port_t port)
{
	const evb_u32 *word = word_of(g, port);

	return word && evb_u32_load(word) & PENDING;
}

static bool is_masked_fifo(const struct evg_guest *g, evtchn_port_t port)
{
	const evb_u32 *word = word_of(g, port);

	return !word || evb_u32_load(word) & MASKED;
}

static bool serves_fifo(const struct evg_vcpu *v)
{
	return evb_ptr_load_acquire(&v->queues.control);
}

const struct evg_collect evg_collect_fifo = {
	.begin = begin_fifo,
	.next = next_fifo,
	.put_back = put_back_fifo,
	.mask = mask_fifo,
	.unmask = unmask_fifo,
	.clear = clear_fifo,
	.set = set_fifo,
	.is_pending = is_pending_fifo,
	.is_masked = is_masked_fifo,
	.reach = evg_fifo_reach,
	.serves = serves_fifo,
	.has_priorities = true,
};
