/* SPDX-License-Identifier: MIT */
/* See guest.h. */
#include "tests/model/guest.h"

#include <string.h>

#define WORD_PENDING 0x80000000u
#define WORD_MASKED  0x40000000u
#define WORD_LINKED  0x20000000u
#define WORD_LINK    0x0001ffffu

/* A guest that finds a circle in its queue gives up. */
#define LONGEST_QUEUE 6000

static uint32_t get(const uint8_t *memory, uint32_t at)
{
	uint32_t value;

	memcpy(&value, memory + at, 4);
	return value;
}

static void put(uint8_t *memory, uint32_t at, uint32_t value)
{
	memcpy(memory + at, &value, 4);
}

static void bits_fifo(uint8_t *memory, uint32_t at, uint32_t what)
{
	uint32_t word = get(memory, at);

	switch ((enum op_bits)what) {
	case BITS_UNMASK:
		word &= ~WORD_MASKED;
		break;
	case BITS_MASK:
		word |= WORD_MASKED;
		break;
	case BITS_CLEAR:
		word &= ~WORD_PENDING;
		break;
	case BITS_FORGE:
		word |= WORD_PENDING;
		break;
	case BITS_UNLINK:
		word &= ~(WORD_LINKED | WORD_LINK);
		break;
	case BITS_LINK:
		word |= WORD_LINKED;
		break;
	case BITS_KINDS:
		break;
	}
	put(memory, at, word);
}

static void bits_2l(uint8_t *memory, const struct model_domain *d,
		    uint32_t port, uint32_t what)
{
	uint32_t mask = model_mask_at(d) + port / 8;
	uint32_t pending = MODEL_PENDING_AT + port / 8;
	uint8_t bit = (uint8_t)(1u << port % 8);

	if (what == BITS_UNMASK)
		memory[mask] &= (uint8_t)~bit;
	if (what == BITS_MASK)
		memory[mask] |= bit;
	if (what == BITS_CLEAR)
		memory[pending] &= (uint8_t)~bit;
	if (what == BITS_FORGE)
		memory[pending] |= bit;
}

void guest_bits(uint8_t *memory, const struct model_domain *d, uint32_t port,
		uint32_t what)
{
	if (!d->is_fifo && port < model_abi_limit(d))
		bits_2l(memory, d, port, what);
	if (d->is_fifo && model_word_at(d, port) != MODEL_NOBODY)
		bits_fifo(memory, model_word_at(d, port), what);
}

void guest_wipe(uint8_t *memory, uint32_t page, uint32_t value)
{
	uint32_t i;

	for (i = 0; i < 1024; i++)
		put(memory, page * 4096 + i * 4, value);
}

/* --- collecting --------------------------------------------------------------- */

static void collect_2l(uint8_t *memory, const struct model_domain *d,
		       uint32_t info)
{
	uint32_t bytes = d->is_64 ? 8 : 4, i, word, at;
	uint64_t selector = 0;

	memcpy(&selector, memory + info + model_sel_at(d), bytes);
	memset(memory + info + model_sel_at(d), 0, bytes);
	for (word = 0; word < bytes * 8; word++) {
		if (!(selector >> word & 1))
			continue;
		for (i = 0; i < bytes; i++) {
			at = word * bytes + i;
			memory[MODEL_PENDING_AT + at] &=
				memory[model_mask_at(d) + at];
		}
	}
}

static void collect_queue(uint8_t *memory, const struct model_domain *d,
			  uint32_t port, uint32_t most)
{
	uint32_t i, at, word;

	for (i = 0; i < most; i++) {
		at = model_word_at(d, port);
		if (at == MODEL_NOBODY)
			return;
		word = get(memory, at);
		port = word & WORD_LINK;
		word &= ~(WORD_LINKED | WORD_LINK);
		if (!(word & WORD_MASKED))
			word &= ~WORD_PENDING;
		put(memory, at, word);
		if (!port)
			return;
	}
}

static void collect_fifo(uint8_t *memory, const struct model_domain *d,
			 uint32_t control, uint32_t most)
{
	uint32_t ready = get(memory, control), i;

	put(memory, control, 0);
	for (i = 0; i < EVTCHN_FIFO_MAX_QUEUES; i++) {
		if (ready >> i & 1)
			collect_queue(memory, d,
				      get(memory, control + 8 + i * 4), most);
	}
}

void guest_collect(uint8_t *memory, const struct model_domain *d, uint32_t vcpu,
		   uint32_t most)
{
	/* A dummy is not the guest's. */
	if (d->info[vcpu] >= MODEL_MEMORY)
		return;
	memory[d->info[vcpu]] = 0;
	if (!d->is_fifo)
		collect_2l(memory, d, d->info[vcpu]);
	else if (d->control[vcpu] != MODEL_NOBODY)
		collect_fifo(memory, d, d->control[vcpu],
			     most ? most : LONGEST_QUEUE);
}
