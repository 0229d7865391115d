/* SPDX-License-Identifier: MIT */
/*
 * The FIFO ABI: an event word per port, and per vCPU sixteen queues of linked
 * words, one for each priority.
 *
 * A word says PENDING, MASKED, LINKED (it is in a queue) and LINK, the port
 * that follows it there.  The guest knows the heads; we know the tails.  To
 * queue a port is to write its number into the LINK of the tail, or, when the
 * queue is empty, into the head in the control block, and to set the queue's
 * READY bit.  A tail the guest has consumed is no longer LINKED: the queue is
 * empty.
 *
 * The ladder:  payload -> PENDING -> LINKED and the queue -> READY -> upcall
 *
 * Locks.  A queue's lock guards its tail and the LINK written behind it.  A
 * channel remembers the queue it was linked on last (fifo_last), because it
 * may still be that queue's tail: before it is linked elsewhere the old tail
 * must be forgotten, under the old queue's lock, or others would be appended
 * to a word that is now in another queue.  fifo_last changes only under the
 * domain's move lock and both queue locks, so
 *   - with the lock of queue Q held, "fifo_last is Q" cannot become false;
 *   - with the move lock held, fifo_last does not change.
 * The common case takes one queue lock; a move takes all three and never has
 * to try twice.  Order: move, then queues by address.
 *
 * The guest owns the words and may rewrite them at any time; nothing of ours
 * depends on what they say.  A tail word may change while we link behind it, and
 * not only by the guest's hand: senders set PENDING without the queue's lock.
 * Xen compares and exchanges, a fixed number of times, with BUSY set to keep the
 * guest away.  Here the number is added to a LINK that is 0, in one instruction
 * that also tells whether the word was LINKED: there is nothing to try again
 * and nothing to give up.
 */
#include <evc/evc.h>

#include "channel.h"
#include "locking.h"

#define BIT(n)	((uint32_t)1 << (n))
#define PENDING BIT(EVTCHN_FIFO_PENDING)
#define MASKED	BIT(EVTCHN_FIFO_MASKED)
#define LINKED	BIT(EVTCHN_FIFO_LINKED)
#define BUSY	BIT(EVTCHN_FIFO_BUSY)

static evb_u32 *word_of(const struct evc_domain *d, evtchn_port_t port)
{
	evb_u32 *page =
		evb_ptr_load(&d->fifo->array[port / EVC_FIFO_PAGE_PORTS]);

	return page ? page + port % EVC_FIFO_PAGE_PORTS : NULL;
}

static void count_drop(struct evc_domain *d)
{
	(void)evb_u32_add(&d->fifo->nr_dropped, 1);
}

/*
 * No page for the port yet: remember the event for expand_array.  Returns the
 * word if the page came meanwhile and the event is ours to post.
 */
static evb_u32 *park(struct evc_domain *d, struct evc_channel *ch)
{
	evb_u32 *word;

	(void)evb_u8_xchg(&ch->parked, 1);
	/* MO-PARK: parked is set, then look for the page once more */
	word = word_of(d, ch->port);
	return word && evb_u8_xchg(&ch->parked, 0) ? word : NULL;
}

/* --- linking ----------------------------------------------------------- */

/*
 * Let @port follow @last, the tail of a queue.  False: the tail is not LINKED,
 * so the queue is empty.  Locks: the queue's, so nobody links @last itself.
 *
 * A word that is not LINKED any more has the number in its LINK for a moment;
 * nobody follows the LINK of such a word.
 */
static bool set_link(struct evc_domain *d, evtchn_port_t last,
		     evtchn_port_t port)
{
	evb_u32 *tail = word_of(d, last);
	uint32_t w = evb_u32_load(tail);

	if (!(w & LINKED))
		return false;
	/* Only a guest that scribbles leaves something there. */
	if (w & (BUSY | EVTCHN_FIFO_LINK_MASK))
		(void)evb_u32_and(tail, ~(BUSY | EVTCHN_FIFO_LINK_MASK));
	w = evb_u32_add(tail, port);
	if (w & LINKED) {
		if (w & EVTCHN_FIFO_LINK_MASK)
			count_drop(d); /* or scribbles just then */
		return true;
	}
	(void)evb_u32_add(tail, 0 - port);
	return false;
}

static struct evc_fifo_queue *queue_of(struct evc_domain *d, uint32_t id)
{
	return &d->fifo->vcpu[id / EVTCHN_FIFO_MAX_QUEUES]
			.queue[id % EVTCHN_FIFO_MAX_QUEUES];
}

/*
 * Put @ch at the end of queue @id, which is one of @fv's; @last is the queue
 * ch->fifo_last names.  Locks: both queues'.
 */
static unsigned int link_locked(struct evc_channel *ch,
				struct evc_fifo_vcpu *fv, uint32_t id,
				struct evc_fifo_queue *last, evb_u32 *word)
{
	uint32_t prio = id % EVTCHN_FIFO_MAX_QUEUES;
	struct evc_fifo_queue *q = &fv->queue[prio];
	struct evtchn_fifo_control_block *control =
		evb_ptr_load_acquire(&fv->control);
	uint32_t tail;

	if (evb_test_and_set_bit(word, EVTCHN_FIFO_LINKED))
		return EVC_NOTHING;
	/* An old tail of an emptied queue must not be appended to. */
	if (last->tail == ch->port)
		last->tail = 0;
	evb_u32_store_relaxed(&ch->fifo_last, id);
	tail = q->tail;
	q->tail = ch->port;
	if (tail && set_link(ch->domain, tail, ch->port))
		return EVC_NOTHING;
	/* MO-LINK: head before READY; pairs with collect_fifo.c take_ready() */
	evb_u32_store_release((evb_u32 *)(void *)&control->head[prio],
			      ch->port);
	if (evb_test_and_set_bit((evb_u32 *)(void *)&control->ready, prio))
		return EVC_NOTHING;
	return EVC_RAISE;
}

static void lock_queue(struct evc_fifo_queue *q)
{
	evb_lock(&q->lock, evc_host_relax);
}

/* The port was last linked on another queue: take both. */
__attribute__((noinline)) static unsigned int
move_and_link(struct evc_channel *ch, struct evc_fifo_vcpu *fv, uint32_t id,
	      evb_u32 *word)
{
	struct evc_domain *d = ch->domain;
	struct evc_fifo_queue *q = queue_of(d, id), *last;
	unsigned int due;

	evb_lock(&d->fifo->move, evc_host_relax);
	last = queue_of(d, evb_u32_load_relaxed(&ch->fifo_last));
	if (is_below(last, q))
		lock_queue(last);
	lock_queue(q);
	if (is_below(q, last))
		lock_queue(last);
	due = link_locked(ch, fv, id, last, word);
	if (last != q)
		evb_unlock(&last->lock);
	evb_unlock(&q->lock);
	evb_unlock(&d->fifo->move);

	return due;
}

/* Queue a port that is PENDING and was neither MASKED nor LINKED. */
static unsigned int queue(struct evc_channel *ch, const struct evc_vcpu *v,
			  evb_u32 *word)
{
	uint32_t prio = evb_u8_load_relaxed(&ch->priority);
	uint32_t id = v->id * EVTCHN_FIFO_MAX_QUEUES + prio;
	struct evc_fifo_queue *q = &v->fifo->queue[prio];
	unsigned int due;

	lock_queue(q);
	if (evb_u32_load_relaxed(&ch->fifo_last) == id) {
		due = link_locked(ch, v->fifo, id, q, word);
		evb_unlock(&q->lock);
		return due;
	}
	evb_unlock(&q->lock);
	return move_and_link(ch, v->fifo, id, word);
}

/* --- the ops table ----------------------------------------------------- */

static struct evc_posted post_fifo(struct evc_domain *d, struct evc_channel *ch)
{
	evb_u32 *word = word_of(d, ch->port);
	struct evc_posted p = {EVC_NOTHING, evc_notified(ch)};

	if (!word)
		word = park(d, ch);
	if (!word)
		return p;
	if (!evb_ptr_load_acquire(&p.v->fifo->control)) {
		count_drop(d); /* the ABI has no place for it */
		return p;
	}
	if (!evb_test_and_set_bit(word, EVTCHN_FIFO_PENDING))
		p.due = EVC_NEW;
	/*
	 * MO-MASK, MO-LINK: PENDING is set, then these are read; pairs with
	 * guest/collect_fifo.c unmask_fifo() and take_out().
	 */
	if (!(evb_u32_load(word) & (MASKED | LINKED)))
		p.due |= queue(ch, p.v, word);
	return p;
}

static struct evc_posted unmask_fifo(struct evc_domain *d,
				     struct evc_channel *ch)
{
	evb_u32 *word = word_of(d, ch->port);

	/* MO-MASK: MASKED is clear, then PENDING is read */
	if (!word || !(evb_u32_and(word, ~MASKED) & PENDING))
		return (struct evc_posted){EVC_NOTHING, NULL};
	return post_fifo(d, ch);
}

static void clear_fifo(struct evc_domain *d, struct evc_channel *ch)
{
	evb_u32 *word = word_of(d, ch->port);

	if (!d->machine->xen_4_17) /* see fifo.c take_parked() */
		evb_u8_store(&ch->parked, 0);
	if (word)
		(void)evb_u32_and(word, ~PENDING);
}

static bool is_pending_fifo(struct evc_domain *d, struct evc_channel *ch)
{
	evb_u32 *word = word_of(d, ch->port);

	return word && evb_u32_load(word) & PENDING;
}

static bool is_busy_fifo(struct evc_domain *d, struct evc_channel *ch)
{
	evb_u32 *word = word_of(d, ch->port);

	return word && evb_u32_load(word) & LINKED;
}

static uint32_t nr_ports_fifo(const struct evc_domain *d)
{
	(void)d;
	return EVTCHN_FIFO_NR_CHANNELS;
}

const struct evc_deliver evc_deliver_fifo = {
	.post = post_fifo,
	.unmask = unmask_fifo,
	.clear = clear_fifo,
	.is_pending = is_pending_fifo,
	.is_busy = is_busy_fifo,
	.nr_ports = nr_ports_fifo,
	.has_priorities = true,
};
