/* SPDX-License-Identifier: MIT */
/*
 * The invariants, read off the core's structures between two calls.
 *
 *   I1  the port table and the states agree          (core/channel.c)
 *   I2  a connection is mutual                        (core/channel.c)
 *       the counts count what they say                (evc/storage.h)
 *       a VIRQ's and a line's slot name its port, and nothing else's
 *       no lock is held, nobody is closing
 *       nr_polling counts the vCPUs in the poll set   (core/poll.c)
 *       a queue's tail is a port that was linked there last, on FIFO only
 *       (core/deliver_fifo.c)
 *       the list of ports with an event held back is their list (core/limit.c)
 *
 * Nothing here depends on what a guest wrote.
 */
#include "check.h"

#include "fuzz.h"

extern const struct evc_deliver evc_deliver_fifo;

static const struct evc_channel *channel(const struct evc_domain *d,
					 uint32_t port)
{
	return &d->ports.bucket[port / EVC_BUCKET_PORTS]
			       [port % EVC_BUCKET_PORTS];
}

static uint32_t nr_valid(const struct evc_domain *d)
{
	return evb_u32_load(&d->ports.nr_valid);
}

static bool is_free(const struct evc_domain *d, uint32_t port)
{
	return d->ports.map[0][port / 64] >> port % 64 & 1;
}

bool check_is_fifo(const struct evc_domain *d)
{
	return evb_ptr_load(&d->deliver) == (const void *)&evc_deliver_fifo;
}

/* --- I1 ------------------------------------------------------------------ */

static void check_map(const struct evc_domain *d)
{
	const struct evc_ports *p = &d->ports;
	uint32_t words = p->capacity / 64, i;

	for (i = 0; i < words; i++) {
		FUZZ_CHECK((p->map[0][i] != 0) ==
			   (p->map[1][i / 64] >> i % 64 & 1));
		if (i * 64 >= nr_valid(d))
			FUZZ_CHECK(!p->map[0][i]); /* there are none yet */
	}
	for (i = 0; i < (words + 63) / 64; i++)
		FUZZ_CHECK((p->map[1][i] != 0) == (p->map[2][0] >> i & 1));
	FUZZ_CHECK(nr_valid(d) % EVC_BUCKET_PORTS == 0);
	FUZZ_CHECK(nr_valid(d) && nr_valid(d) <= p->capacity);
}

/* --- I2 ------------------------------------------------------------------ */

static uint32_t virq_slot(const struct evc_domain *d, uint32_t virq,
			  const struct evc_vcpu *v)
{
	bool per_vcpu = virq == VIRQ_TIMER || virq == VIRQ_DEBUG ||
			virq == VIRQ_XENOPROF || virq == VIRQ_XENPMU;

	return evb_u32_load(&(per_vcpu ? v : &d->vcpu[0])->virq_port[virq]);
}

static void check_union(const struct evc_channel *ch)
{
	const struct evc_domain *d = ch->domain;

	switch (ch->state) {
	case EVC_ST_INTERDOMAIN:
		FUZZ_CHECK(ch->u.peer != ch);
		FUZZ_CHECK(ch->u.peer->state == EVC_ST_INTERDOMAIN);
		FUZZ_CHECK(ch->u.peer->u.peer == ch);
		FUZZ_CHECK(channel(ch->u.peer->domain, ch->u.peer->port) ==
			   ch->u.peer);
		break;
	case EVC_ST_VIRQ:
		FUZZ_CHECK(ch->u.virq < NR_VIRQS);
		FUZZ_CHECK(virq_slot(d, ch->u.virq, evb_ptr_load(&ch->vcpu)) ==
			   ch->port);
		break;
	case EVC_ST_PIRQ:
		FUZZ_CHECK(ch->u.pirq < d->nr_pirqs);
		FUZZ_CHECK(evb_u32_load(&d->pirq_port[ch->u.pirq]) == ch->port);
		break;
	case EVC_ST_FREE:
	case EVC_ST_RESERVED:
		FUZZ_CHECK(!ch->consumer);
		FUZZ_CHECK(evb_ptr_load(&ch->vcpu) == d->vcpu);
		break;
	case EVC_ST_UNBOUND:
	case EVC_ST_IPI:
		break;
	}
}

static void check_channel(const struct evc_domain *d, uint32_t port)
{
	const struct evc_channel *ch = channel(d, port);
	const struct evc_vcpu *v = evb_ptr_load(&ch->vcpu);

	FUZZ_CHECK(ch->state <= EVC_ST_IPI);
	FUZZ_CHECK(ch->port == port && ch->domain == d);
	FUZZ_CHECK(is_free(d, port) == (ch->state == EVC_ST_FREE));
	FUZZ_CHECK((ch->state == EVC_ST_RESERVED) == (port == 0));
	FUZZ_CHECK(!evb_u32_load(&ch->lock.held) && !ch->closing);
	FUZZ_CHECK(v >= d->vcpu && v < d->vcpu + d->nr_vcpus);
	FUZZ_CHECK(evb_u8_load(&ch->priority) <= EVTCHN_FIFO_PRIORITY_MIN);
	FUZZ_CHECK(ch->consumer <= EVC_NR_CONSUMERS);
	if (ch->consumer)
		FUZZ_CHECK(ch->state == EVC_ST_UNBOUND ||
			   ch->state == EVC_ST_INTERDOMAIN);
	check_union(ch);
}

/* --- counts -------------------------------------------------------------- */

static void check_counts(const struct evc_domain *d)
{
	uint32_t open = 0, consumers = 0, virqs = 0, pirqs = 0, i, k;

	for (i = 0; i < nr_valid(d); i++) {
		const struct evc_channel *ch = channel(d, i);

		check_channel(d, i);
		open += ch->state > EVC_ST_RESERVED;
		consumers += ch->consumer != 0;
		virqs += ch->state == EVC_ST_VIRQ;
		pirqs += ch->state == EVC_ST_PIRQ;
	}
	for (i = 0; i < d->nr_vcpus; i++) {
		for (k = 0; k < NR_VIRQS; k++)
			virqs -= evb_u32_load(&d->vcpu[i].virq_port[k]) != 0;
	}
	for (i = 0; i < d->nr_pirqs; i++)
		pirqs -= evb_u32_load(&d->pirq_port[i]) != 0;
	FUZZ_CHECK(d->ports.nr_open == open);
	FUZZ_CHECK(d->ports.nr_consumer == consumers);
	FUZZ_CHECK(virqs == 0); /* every slot in use is a channel's */
	FUZZ_CHECK(pirqs == 0);
}

static void check_vcpus(const struct evc_domain *d)
{
	uint32_t polling = 0, i;

	for (i = 0; i < d->nr_vcpus; i++) {
		FUZZ_CHECK(d->vcpu[i].domain == d && d->vcpu[i].id == i);
		FUZZ_CHECK(evb_ptr_load(&d->vcpu[i].info));
		polling += evb_u32_load(&d->vcpu[i].poll) != EVC_POLL_NONE;
	}
	FUZZ_CHECK(evb_u32_load(&d->nr_polling) == polling);
}

/* --- FIFO ---------------------------------------------------------------- */

static void check_queue(const struct evc_domain *d, uint32_t id)
{
	const struct evc_fifo_queue *q =
		&d->fifo->vcpu[id / EVTCHN_FIFO_MAX_QUEUES]
			 .queue[id % EVTCHN_FIFO_MAX_QUEUES];

	FUZZ_CHECK(!evb_u32_load(&q->lock.held));
	if (!q->tail)
		return;
	FUZZ_CHECK(check_is_fifo(d) && q->tail < nr_valid(d));
	FUZZ_CHECK(evb_u32_load(&channel(d, q->tail)->fifo_last) == id);
}

static void check_fifo(const struct evc_domain *d)
{
	const struct evc_fifo *f = d->fifo;
	uint32_t queues = d->nr_vcpus * EVTCHN_FIFO_MAX_QUEUES, i;

	FUZZ_CHECK(!evb_u32_load(&f->move.held));
	FUZZ_CHECK(f->nr_pages <= EVC_FIFO_MAX_PAGES);
	for (i = 0; i < EVC_FIFO_MAX_PAGES; i++)
		FUZZ_CHECK((evb_ptr_load(&f->array[i]) != NULL) ==
			   (i < f->nr_pages));
	for (i = 0; i < queues; i++)
		check_queue(d, i);
	for (i = 0; i < nr_valid(d); i++)
		FUZZ_CHECK(evb_u32_load(&channel(d, i)->fifo_last) < queues);
	if (check_is_fifo(d))
		return;
	FUZZ_CHECK(!f->nr_pages);
	for (i = 0; i < d->nr_vcpus; i++)
		FUZZ_CHECK(!evb_ptr_load(&f->vcpu[i].control));
}

/* --- storm limits -------------------------------------------------------- */

static void check_limit(const struct evc_domain *d)
{
	const struct evc_limit *l = d->limit;
	uint32_t listed = 0, held = 0, port;

	FUZZ_CHECK(!evb_u32_load(&l->lock.held));
	FUZZ_CHECK((l->first == 0) == (l->nr_held == 0));
	for (port = l->first; port; port = l->next[port]) {
		FUZZ_CHECK(port < nr_valid(d) && listed < l->nr_held);
		FUZZ_CHECK(channel(d, port)->held != EVC_HELD_NOT);
		FUZZ_CHECK(l->next[port] || l->last == port);
		listed++;
	}
	for (port = 0; port < nr_valid(d); port++) {
		const struct evc_channel *ch = channel(d, port);

		held += ch->held != EVC_HELD_NOT;
		if (ch->held == EVC_HELD_EVENT)
			FUZZ_CHECK(ch->state == EVC_ST_INTERDOMAIN);
	}
	FUZZ_CHECK(listed == l->nr_held && held == listed);
}

/* --- all of it ----------------------------------------------------------- */

void check_machine(const struct evc_machine *m)
{
	FUZZ_CHECK(!evb_u32_load(&m->lock.held));
}

void check_domain(const struct evc_domain *d)
{
	FUZZ_CHECK(!evb_u32_load(&d->lock.held));
	FUZZ_CHECK(d->reset_next < nr_valid(d));
	FUZZ_CHECK(d->destroy_next < nr_valid(d));
	check_map(d);
	check_counts(d);
	check_vcpus(d);
	if (d->fifo)
		check_fifo(d);
	if (d->limit)
		check_limit(d);
}

void check_destroyed(const struct evc_domain *d)
{
	check_domain(d);
	FUZZ_CHECK(!d->ports.nr_open);
	if (d->fifo)
		FUZZ_CHECK(!check_is_fifo(d));
}
