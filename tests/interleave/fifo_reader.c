/* SPDX-License-Identifier: MIT */
/*
 * The guest's end of FIFO event channels, a page long, as SPEC 6.2 has it; and
 * what a set of queues looks like when nobody is inside.
 */
#include "tests/interleave/world.h"

#define BIT(n)	((uint32_t)1 << (n))
#define PENDING BIT(EVTCHN_FIFO_PENDING)
#define MASKED	BIT(EVTCHN_FIFO_MASKED)
#define LINKED	BIT(EVTCHN_FIFO_LINKED)
#define BUSY	BIT(EVTCHN_FIFO_BUSY)
#define LINK	EVTCHN_FIFO_LINK_MASK

/* The control block of a vCPU as words: ready, reserved, heads. */
static evb_u32 *control_of(struct side *s, uint32_t vcpu)
{
	return evb_ptr_load_acquire(&s->fifo_vcpu[vcpu].control);
}

static evb_u32 *ready_of(struct side *s, uint32_t vcpu)
{
	return control_of(s, vcpu);
}

static evb_u32 *head_of(struct side *s, uint32_t vcpu, uint32_t prio)
{
	return control_of(s, vcpu) + 2 + prio;
}

evb_u32 *fifo_word(struct side *s, evtchn_port_t port)
{
	return (evb_u32 *)(void *)s->array + port;
}

bool fifo_is_used(const struct side *s)
{
	return evb_ptr_load_acquire(&s->d.deliver) == &evc_deliver_fifo;
}

/* --- collecting ------------------------------------------------------------ */

/* Take the word out of its queue; returns the port that follows. */
static uint32_t unlink(evb_u32 *word)
{
	/* MO-LINK: LINKED is clear, then PENDING is read */
	return evb_u32_and(word, ~(LINKED | LINK)) & LINK;
}

static void handle(struct side *s, uint32_t vcpu, evtchn_port_t port)
{
	evb_u32 *word = fifo_word(s, port);

	if ((evb_u32_load(word) & (PENDING | MASKED)) != PENDING)
		return;
	/* MO-PENDING: PENDING is clear, then the payload is read */
	(void)evb_u32_and(word, ~PENDING);
	world_handler(&s->gv[vcpu], port, NULL);
}

/* Returns false when the queue was at its end. */
static bool take_one(struct side *s, uint32_t vcpu, uint32_t prio)
{
	uint32_t *local = &s->reader[vcpu].head[prio];
	evtchn_port_t port = *local;

	if (!port)
		port = evb_u32_load(head_of(s, vcpu, prio));
	*local = unlink(fifo_word(s, port));
	handle(s, vcpu, port);
	return *local != 0;
}

static void drain(struct side *s, uint32_t vcpu)
{
	uint32_t ready = evb_u32_xchg(ready_of(s, vcpu), 0), prio;

	while (ready) {
		prio = (uint32_t)__builtin_ctz(ready);
		if (!take_one(s, vcpu, prio))
			ready &= ~BIT(prio);
		if (evb_u32_load(ready_of(s, vcpu)))
			ready |= evb_u32_xchg(ready_of(s, vcpu), 0);
	}
}

void fifo_collect(struct side *s, uint32_t vcpu)
{
	evb_u8 *flag = evb_ptr_load_acquire(&s->vcpu[vcpu].info);

	/* MO-UPCALL: the flag is clear, then READY is taken */
	while (evb_u8_load(flag)) {
		(void)evb_u8_xchg(flag, 0);
		drain(s, vcpu);
	}
}

void fifo_unmask(struct side *s, evtchn_port_t port)
{
	evb_u32 *word = fifo_word(s, port);
	uint32_t w = evb_u32_load(word);

	while (w & BUSY || !evb_u32_cas(word, &w, w & ~MASKED)) {
		if (!(w & BUSY))
			continue;
		x_relax();
		w = evb_u32_load(word);
	}
	/* MO-MASK: MASKED is clear; was it PENDING? */
	if (w & PENDING) {
		(void)evb_u32_or(word, MASKED);
		x_check(!evc_unmask(&s->d, port));
	}
}

/* --- what must be true ------------------------------------------------------- */

/* Follow a queue from its head; returns how many ports it has. */
static uint32_t walk(struct side *s, uint32_t vcpu, uint32_t prio,
		     bool *in_queue)
{
	uint32_t tail = s->fifo_vcpu[vcpu].queue[prio].tail, n = 0;
	evtchn_port_t port;
	uint32_t w;

	if (!tail || !(evb_u32_load(fifo_word(s, tail)) & LINKED))
		return 0;
	x_check(evb_u32_load(ready_of(s, vcpu)) & BIT(prio));
	port = evb_u32_load(head_of(s, vcpu, prio));
	do {
		w = evb_u32_load(fifo_word(s, port));
		x_check(w & LINKED);
		x_check(!(w & BUSY));
		x_check(port < EVC_BUCKET_PORTS && !in_queue[port]);
		if (port >= EVC_BUCKET_PORTS || in_queue[port])
			return n;
		in_queue[port] = true;
		n++;
		x_check((w & LINK) || port == tail);
		port = w & LINK;
	} while (port);

	return n;
}

static void check_words(struct side *s, uint32_t nr_queued)
{
	uint32_t nr_linked = 0, w;
	evtchn_port_t port;

	for (port = 0; port < EVC_BUCKET_PORTS; port++) {
		const struct evc_channel *ch = &s->channels[0][port];

		w = evb_u32_load(fifo_word(s, port));
		nr_linked += (w & LINKED) != 0;
		if (ch->state == EVC_ST_FREE)
			x_check(!(w & PENDING));
		else if ((w & (PENDING | MASKED)) == PENDING)
			x_check(w & LINKED);
		/* With a page there is nothing to wait for. */
		if (s->fifo.nr_pages)
			x_check(!evb_u8_load(&ch->parked));
	}
	x_check(nr_linked == nr_queued);
	x_check(!evb_u32_load(&s->fifo.nr_dropped));
}

void fifo_check(struct side *s)
{
	bool in_queue[EVC_BUCKET_PORTS] = {false};
	uint32_t vcpu, prio, nr_queued = 0;

	x_check(!evb_u32_load(&s->fifo.move.held));
	for (vcpu = 0; vcpu < VCPUS; vcpu++) {
		evb_u8 *flag = evb_ptr_load(&s->vcpu[vcpu].info);

		if (!control_of(s, vcpu))
			continue;
		for (prio = 0; prio < EVTCHN_FIFO_MAX_QUEUES; prio++) {
			x_check(!evb_u32_load(
				&s->fifo_vcpu[vcpu].queue[prio].lock.held));
			nr_queued += walk(s, vcpu, prio, in_queue);
		}
		if (evb_u32_load(ready_of(s, vcpu)))
			x_check(evb_u8_load(flag));
	}
	check_words(s, nr_queued);
}
