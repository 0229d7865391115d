/* SPDX-License-Identifier: MIT */
/*
 * The model, lower half: what an event writes into the guest's memory.
 * SPEC 3.1 (2-level) and 3.2 (FIFO), one step of the text per statement.
 */
#include "tests/model/model.h"

#include <string.h>

#define WORD_PENDING 0x80000000u
#define WORD_MASKED  0x40000000u
#define WORD_LINKED  0x20000000u
#define WORD_BUSY    0x10000000u
#define WORD_LINK    0x0001ffffu

void model_note(struct model *m, enum model_what what, uint32_t dom, uint32_t a,
		uint32_t b)
{
	if (m->events.nr < MODEL_EVENTS)
		m->events.event[m->events.nr++] =
			(struct model_event){what, dom, a, b};
}

/* --- memory ---------------------------------------------------------------- */

uint32_t model_get32(const struct model_domain *d, uint32_t offset)
{
	uint32_t value;

	memcpy(&value, d->memory + offset, 4);
	return value;
}

void model_put32(struct model_domain *d, uint32_t offset, uint32_t value)
{
	memcpy(d->memory + offset, &value, 4);
}

static bool get_bit(const struct model_domain *d, uint32_t at, uint32_t bit)
{
	return d->memory[at + bit / 8] >> bit % 8 & 1;
}

/* Returns what the bit was. */
static bool change_bit(struct model_domain *d, uint32_t at, uint32_t bit,
		       bool on)
{
	bool was = get_bit(d, at, bit);

	d->memory[at + bit / 8] &= (uint8_t) ~(1u << bit % 8);
	d->memory[at + bit / 8] |= (uint8_t)((uint32_t)on << bit % 8);
	return was;
}

static bool is_memory(uint64_t addr, uint32_t size)
{
	return addr >= MODEL_BASE && addr < MODEL_BASE + MODEL_MEMORY &&
	       addr + size <= MODEL_BASE + MODEL_MEMORY;
}

bool model_in(const struct model_domain *d, void *to, uint64_t addr,
	      uint32_t size)
{
	if (!is_memory(addr, size))
		return false;
	memcpy(to, d->memory + addr - MODEL_BASE, size);
	return true;
}

bool model_out(struct model_domain *d, uint64_t addr, const void *from,
	       uint32_t size)
{
	if (!is_memory(addr, size) ||
	    (addr - MODEL_BASE) / 4096 == MODEL_PAGE_READONLY ||
	    (addr - MODEL_BASE + size - 1) / 4096 == MODEL_PAGE_READONLY)
		return false;
	memcpy(d->memory + addr - MODEL_BASE, from, size);
	return true;
}

bool model_may_map(uint64_t gfn)
{
	return gfn < MODEL_PAGES && gfn != MODEL_PAGE_READONLY;
}

/* --- where things are -------------------------------------------------------- */

uint32_t model_abi_limit(const struct model_domain *d)
{
	if (d->is_fifo)
		return 131072;
	return d->is_64 ? 4096 : 1024;
}

uint32_t model_mask_at(const struct model_domain *d)
{
	return d->is_64 ? 2560 : 2176;
}

uint32_t model_sel_at(const struct model_domain *d)
{
	return d->is_64 ? 8 : 4;
}

uint32_t model_word_at(const struct model_domain *d, uint32_t port)
{
	if (port / 1024 >= d->nr_pages)
		return MODEL_NOBODY;
	return d->array[port / 1024] + port % 1024 * 4;
}

/* --- upcalls and pollers ------------------------------------------------------ */

void model_raise(struct model *m, struct model_domain *d, uint32_t vcpu)
{
	uint8_t was = d->memory[d->info[vcpu]];

	d->memory[d->info[vcpu]] = 1;
	if (!was)
		model_note(m, MODEL_KICK, d->id, vcpu, 0);
}

static void wake_pollers(struct model *m, struct model_domain *d, uint32_t port)
{
	uint32_t vcpu;

	for (vcpu = 0; vcpu < d->shape.nr_vcpus; vcpu++) {
		if (d->poll[vcpu] != port && d->poll[vcpu] != MODEL_NOBODY)
			continue;
		d->poll[vcpu] = 0;
		model_note(m, MODEL_WAKE, d->id, vcpu, 0);
	}
}

/* --- 2-level -------------------------------------------------------------- */

static void select_2l(struct model *m, struct model_domain *d, uint32_t port)
{
	uint32_t vcpu = d->port[port].vcpu;
	uint32_t at = d->info[vcpu] + model_sel_at(d);

	if (!change_bit(d, at, port / (d->is_64 ? 64 : 32), true))
		model_raise(m, d, vcpu);
}

static bool post_2l(struct model *m, struct model_domain *d, uint32_t port)
{
	if (port >= model_abi_limit(d))
		return false;
	if (change_bit(d, MODEL_PENDING_AT, port, true))
		return false;
	if (!get_bit(d, model_mask_at(d), port))
		select_2l(m, d, port);
	wake_pollers(m, d, port);
	return true;
}

static void unmask_2l(struct model *m, struct model_domain *d, uint32_t port)
{
	if (port >= model_abi_limit(d))
		return;
	if (change_bit(d, model_mask_at(d), port, false) &&
	    get_bit(d, MODEL_PENDING_AT, port))
		select_2l(m, d, port);
}

bool model_is_pending_2l(const struct model_domain *d, uint32_t port)
{
	return port < (d->is_64 ? 4096u : 1024u) &&
	       get_bit(d, MODEL_PENDING_AT, port);
}

/* --- FIFO ------------------------------------------------------------------- */

/* Let @port follow the tail; false: the guest took the tail out. */
static bool link_behind(struct model_domain *d, uint32_t tail, uint32_t port)
{
	uint32_t at = model_word_at(d, tail);
	uint32_t word = model_get32(d, at);

	if (!(word & WORD_LINKED))
		return false;
	model_put32(d, at, (word & ~(WORD_BUSY | WORD_LINK)) | port);
	return true;
}

static void queue_fifo(struct model *m, struct model_domain *d, uint32_t port)
{
	struct model_port *p = &d->port[port];
	uint32_t at = model_word_at(d, port);
	uint32_t word = model_get32(d, at);
	uint32_t control = d->control[p->vcpu];
	uint32_t queue = p->vcpu * 16 + p->priority;
	bool linked;

	if (word & (WORD_MASKED | WORD_LINKED))
		return;
	model_put32(d, at, word | WORD_LINKED);
	if (d->tail[p->last] == port)
		d->tail[p->last] = 0;
	p->last = queue;
	linked = d->tail[queue] && link_behind(d, d->tail[queue], port);
	d->tail[queue] = port;
	if (linked)
		return;
	model_put32(d, control + 8 + p->priority * 4, port);
	if (!change_bit(d, control, p->priority, true))
		model_raise(m, d, p->vcpu);
}

static bool post_fifo(struct model *m, struct model_domain *d, uint32_t port)
{
	uint32_t at = model_word_at(d, port);
	uint32_t word;

	if (at == MODEL_NOBODY) {
		d->port[port].parked = true;
		return false;
	}
	if (d->control[d->port[port].vcpu] == MODEL_NOBODY) {
		d->lost++; /* the ABI has no place for it */
		return false;
	}
	word = model_get32(d, at);
	model_put32(d, at, word | WORD_PENDING);
	queue_fifo(m, d, port);
	if (word & WORD_PENDING)
		return false;
	wake_pollers(m, d, port);
	return true;
}

static void unmask_fifo(struct model *m, struct model_domain *d, uint32_t port)
{
	uint32_t at = model_word_at(d, port);
	uint32_t word;

	if (at == MODEL_NOBODY)
		return;
	word = model_get32(d, at);
	model_put32(d, at, word & ~WORD_MASKED);
	if (word & WORD_PENDING)
		post_fifo(m, d, port);
}

/* --- either ------------------------------------------------------------------ */

bool model_post(struct model *m, struct model_domain *d, uint32_t port)
{
	return d->is_fifo ? post_fifo(m, d, port) : post_2l(m, d, port);
}

void model_unmask(struct model *m, struct model_domain *d, uint32_t port)
{
	if (d->is_fifo)
		unmask_fifo(m, d, port);
	else
		unmask_2l(m, d, port);
}

/* A port is closed: its event is forgotten. */
void model_clear(struct model *m, struct model_domain *d, uint32_t port)
{
	uint32_t at = model_word_at(d, port);

	if (!d->is_fifo) {
		if (port < model_abi_limit(d))
			change_bit(d, MODEL_PENDING_AT, port, false);
		return;
	}
	if (!m->xen_4_17)
		d->port[port].parked = false;
	if (at != MODEL_NOBODY)
		model_put32(d, at, model_get32(d, at) & ~WORD_PENDING);
}

bool model_is_pending(const struct model_domain *d, uint32_t port)
{
	uint32_t at = model_word_at(d, port);

	if (!d->is_fifo)
		return model_is_pending_2l(d, port);
	return at != MODEL_NOBODY && model_get32(d, at) & WORD_PENDING;
}

/* FIFO: a free port whose number the guest still has in a queue. */
bool model_is_busy(const struct model_domain *d, uint32_t port)
{
	uint32_t at = model_word_at(d, port);

	return at != MODEL_NOBODY && model_get32(d, at) & WORD_LINKED;
}

void model_carry_back(struct model *m, struct model_domain *d, uint32_t port)
{
	uint32_t at = model_word_at(d, port);
	bool pending = d->port[port].parked || model_is_pending_2l(d, port);

	if (at != MODEL_NOBODY && model_get32(d, at) & WORD_PENDING)
		pending = true;
	d->port[port].parked = false;
	model_clear(m, d, port); /* of the bitmap */
	if (pending)
		(void)post_2l(m, d, port);
}
