/* SPDX-License-Identifier: MIT */
/*
 * Guests that write whatever they like into the memory they share with the
 * core, between two calls and in the middle of one: the core is built with
 * step.h here, so that each of its atomic operations first comes by
 * fuzz_step(), where a guest's other vCPU may store something.
 *
 * What must hold all the same: the core's own memory is sound (check.c), it
 * writes to no memory that it was not given, and a call has a bounded number of
 * steps, whatever it reads.
 */
#include "check.h"
#include "ops.h"

#define MAX_OPS	    64
#define MAX_HOSTILE 4

/* A store by a guest: @delay steps from now, then every @every steps. */
struct hostile {
	struct world_page *page;
	uint32_t offset, value, delay, every;
	uint8_t how;
};

static struct hostile hostile[MAX_HOSTILE];
static unsigned int nr_hostile;
static uint64_t steps;

static void act(const struct hostile *h)
{
	uint32_t old = world_peek(h->page, h->offset), value = h->value;

	if (h->how == 1)
		value |= old;
	else if (h->how == 2)
		value = old & ~value;
	else if (h->how == 3)
		value ^= old;
	world_poke(h->page, h->offset, value);
}

void fuzz_step(void)
{
	unsigned int i;

	steps++;
	for (i = 0; i < nr_hostile; i++) {
		struct hostile *h = &hostile[i];

		if (h->delay > 1) {
			h->delay--;
		} else if (h->delay == 1) {
			act(h);
			h->delay = h->every;
		}
	}
}

/* --- what the guests do -------------------------------------------------- */

/* Words that matter: where the core reads and writes. */
static uint32_t take_offset(struct tape *t, const struct world_domain *w,
			    unsigned int page)
{
	bool narrow = evb_ptr_load(&w->evc.words) ==
		      &w->evc.layout[EVC_WIDTH_32];
	uint32_t bits = narrow ? 4 : 8;
	uint8_t b = tape_u8(t);

	if (page == WORLD_ARGS)
		return b * 4u % WORLD_RAM;
	if (page != WORLD_SHARED)
		return b < 128 ? b * 4u : tape_u16(t);
	if (b < 64) /* the first words of a vcpu_info */
		return b / 4 % 4 * 4u + b % 4 * 64u;
	if (b < 128) /* pending bits */
		return 2048 + b % 16 * 4u;
	if (b < 192) /* mask bits */
		return 2048 + 64 * bits + b % 16 * 4;
	return tape_u16(t);
}

static void take_hostile(struct tape *t, struct hostile *h)
{
	static const uint32_t values[] = {
		0,	  UINT32_MAX, 1u << 31,	  1u << 30,
		1u << 29, 1u << 28,   0xe0000000, 0xffff,
	};
	uint8_t b = tape_u8(t), when;
	struct world_domain *w = &world.d[b % WORLD_DOMAINS];
	unsigned int page = b / WORLD_DOMAINS % (WORLD_ARGS + 1);

	h->page = &w->page[page];
	h->offset = take_offset(t, w, page);
	b = tape_u8(t);
	h->how = b & 3;
	if (b < 64)
		h->value = values[b / 4 % 8];
	else
		h->value = b < 192 ? 1u << (b / 4 & 31) : tape_number(t);
	when = tape_u8(t);
	h->delay = when & 31;
	h->every = when >> 5;
	if (h->delay == 0)
		act(h);
}

static void take_all_hostile(struct tape *t)
{
	unsigned int i, n = tape_u8(t) % (MAX_HOSTILE + 1);

	nr_hostile = 0;
	for (i = 0; i < n; i++)
		take_hostile(t, &hostile[i]);
	nr_hostile = n;
}

/* --- how long a call may take -------------------------------------------- */

/*
 * Steps are atomic operations.  A post to a FIFO queue is the longest piece:
 * three locks, five tries to link, the upcall, and a look at every vCPU's poll.
 */
#define STEPS_POST (80 + 3 * WORLD_VCPUS)

static uint64_t bound(const struct op_done *done, uint32_t nr_valid)
{
	switch (done->kind) {
	case OP_SHORT:
		return STEPS_POST + (uint64_t)done->repeated * 16;
	case OP_SCAN: /* three for each busy port that is skipped */
		return (STEPS_POST + 4ull * nr_valid) * done->repeated;
	case OP_LINEAR:
		break;
	}
	/* ports, and the pages and queues of all vCPUs */
	return ((uint64_t)nr_valid * STEPS_POST + 32 * WORLD_VCPUS + 1024) *
	       done->repeated;
}

static uint32_t most_ports(void)
{
	uint32_t i, n, most = 0;

	for (i = 0; i < WORLD_DOMAINS; i++) {
		n = evb_u32_load(&world.d[i].evc.ports.nr_valid);
		most = n > most ? n : most;
	}
	return most;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tape t = {data, size};
	struct op_done done;
	uint32_t ports;
	unsigned int i;

	nr_hostile = 0;
	world.is_hostile = true;
	world_start(tape_u8(&t));
	for (i = 0; i < MAX_OPS && t.left; i++) {
		take_all_hostile(&t);
		ports = most_ports();
		steps = 0;
		done = ops_next(&t);
		ports = most_ports() > ports ? most_ports() : ports;
		FUZZ_CHECK(steps <= bound(&done, ports));
		world_check();
	}
	nr_hostile = 0;
	world_check_pages();
	world_end();
	return 0;
}
