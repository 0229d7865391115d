/* SPDX-License-Identifier: MIT */
/*
 * The machine the actors run on: coroutines, store buffers, and what each
 * kind of access does.
 *
 * An actor runs until it wants to make an access; it announces the access and
 * waits.  When explore.c picks it, the access is made and the actor goes on
 * to its next one, together with whatever it does to plain memory in between.
 *
 * Memory models.  Under TSO a store that is not sequentially consistent goes
 * into a buffer of the actor; the buffer is a process of its own, whose steps
 * move one store to memory.  Loads look into their own buffer first.
 * Read-modify-writes, sequentially consistent stores and fences wait until
 * the own buffer is empty: that is what lock xchg and mfence do.  Under PSO
 * there is a buffer per actor and aligned 8 bytes; a release store waits for
 * all that was stored before it, others overtake each other.
 *
 * Process numbers: the actors, then one for slot 0 of each actor, then slot 1
 * and so on.  SC has no slots, TSO one, PSO as many as are needed.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "tests/interleave/explore.h"

#define STACK  (128 * 1024)
#define STORES 160

struct store {
	struct x_op op;
	x_clock sync;
	unsigned int slot;
};

static struct actor {
	void (*fn)(void);
	ucontext_t start;
	jmp_buf at;
	bool started, over;
	struct x_op next;
	struct x_op last_load;
	uint64_t last_value;
	uint64_t result;
	struct store buffer[STORES];
	unsigned int fill;
	uintptr_t slot_addr[X_SLOTS];
} actors[X_ACTORS];

static unsigned char stacks[X_ACTORS][STACK] __attribute__((aligned(64)));
static jmp_buf scheduler;
static unsigned int nr_slots; /* in use: under PSO it grows */
static bool buffered, pso;

unsigned char *x_arena;
size_t x_arena_size;
int x_self = -1;

__attribute__((noreturn)) static void give_up(const char *why)
{
	fprintf(stderr, "interleave: %s\n", why);
	exit(2);
}

/* --- memory -------------------------------------------------------------- */

static uint64_t peek(const struct x_op *op)
{
	uint64_t v = 0;

	memcpy(&v, (const void *)op->addr, op->size);
	return v;
}

static void poke(const struct x_op *op, uint64_t v)
{
	memcpy((void *)op->addr, &v, op->size);
}

static bool overlap(const struct x_op *a, const struct x_op *b)
{
	return a->addr < b->addr + b->size && b->addr < a->addr + a->size;
}

/* The youngest store of @a that a load sees before memory, or NULL. */
static const struct store *forwarded(const struct actor *a,
				     const struct x_op *op)
{
	unsigned int i;

	for (i = a->fill; i-- > 0;) {
		if (overlap(&a->buffer[i].op, op))
			return &a->buffer[i];
	}
	return NULL;
}

static bool same_place(const struct x_op *a, const struct x_op *b)
{
	return a->addr == b->addr && a->size == b->size;
}

static uint64_t see(const struct actor *a, const struct x_op *op)
{
	const struct store *s = forwarded(a, op);

	return s ? s->op.value : peek(op);
}

static unsigned int slot_of(struct actor *a, uintptr_t addr)
{
	unsigned int i;

	if (!pso)
		return 0;
	addr /= 8;
	for (i = 0; i < X_SLOTS; i++) {
		if (!a->slot_addr[i])
			a->slot_addr[i] = addr;
		if (i == nr_slots)
			nr_slots++;
		if (a->slot_addr[i] == addr)
			return i;
	}
	give_up("an actor stores to too many places for PSO");
}

static void put(struct actor *a, const struct x_op *op, unsigned int step)
{
	struct store *s = &a->buffer[a->fill++];

	if (a->fill > STORES)
		give_up("a store buffer is full");
	s->op = *op;
	s->op.kind = X_FLUSH;
	s->op.put = step;
	s->slot = slot_of(a, op->addr);
	races_release(op, s->sync);
}

/* The value a read-modify-write leaves behind. */
static uint64_t changed(const struct x_op *op, uint64_t old)
{
	switch (op->kind) {
	case X_STORE:
	case X_XCHG:
	case X_LOCK:
		return op->value;
	case X_ADD:
		return old + op->value;
	case X_OR:
		return old | op->value;
	case X_AND:
		return old & op->value;
	case X_CAS:
		return old == op->expected ? op->value : old;
	case X_LOAD:
	case X_AWAIT:
	case X_FENCE:
	case X_PUT:
	case X_FLUSH:
	case X_NR_KINDS:
		break;
	}
	give_up("no such access");
}

/* For a spin loop that follows: what it has to wait for a change of. */
static void remember(struct actor *a, const struct x_op *op, uint64_t v)
{
	a->last_load = *op;
	a->last_value = v;
}

static uint64_t access_memory(struct actor *a, const struct x_op *op)
{
	uint64_t old = peek(op);
	bool is_rmw = op->kind != X_STORE;
	x_clock sync;

	if (is_rmw) {
		races_read(op);
		remember(a, op, old);
	}
	poke(op, changed(op, old));
	races_release(op, sync);
	races_write(op, is_rmw, sync);

	return old;
}

static uint64_t load(struct actor *a, const struct x_op *op)
{
	uint64_t v = see(a, op);

	if (!forwarded(a, op))
		races_read(op);
	remember(a, op, v);
	return v;
}

static uint64_t make_access(struct actor *a, const struct x_op *op,
			    unsigned int step)
{
	switch (op->kind) {
	case X_LOAD:
	case X_AWAIT:
		return load(a, op);
	case X_PUT:
		put(a, op, step);
		return 0;
	case X_FENCE:
		return 0;
	case X_STORE:
	case X_XCHG:
	case X_ADD:
	case X_OR:
	case X_AND:
	case X_CAS:
	case X_LOCK:
	case X_FLUSH:
	case X_NR_KINDS:
		break;
	}
	return access_memory(a, op);
}

/* --- what can be done ---------------------------------------------------- */

static bool actor_can(const struct actor *a)
{
	const struct x_op *op = &a->next;
	const struct store *s;

	switch (op->kind) {
	case X_PUT:
		return true;
	case X_LOAD:
	case X_AWAIT:
		/* A load that covers a store in part waits for it. */
		s = forwarded(a, op);
		if (s && !same_place(&s->op, op))
			return false;
		return op->kind == X_LOAD || see(a, op) != op->expected;
	case X_LOCK:
		return !a->fill && !peek(op);
	case X_STORE:
	case X_XCHG:
	case X_ADD:
	case X_OR:
	case X_AND:
	case X_CAS:
	case X_FENCE:
	case X_FLUSH:
	case X_NR_KINDS:
		break;
	}
	return !a->fill;
}

/* Index of the store that buffer @slot of @a writes next, or STORES. */
static unsigned int oldest(const struct actor *a, unsigned int slot)
{
	unsigned int i;

	for (i = 0; i < a->fill; i++) {
		if (a->buffer[i].slot == slot)
			return i;
	}
	return STORES;
}

unsigned int machine_procs(void)
{
	return X_ACTORS + X_ACTORS * nr_slots;
}

unsigned int machine_actor(unsigned int proc)
{
	return proc % X_ACTORS;
}

const struct x_op *machine_next(unsigned int proc)
{
	const struct actor *a = &actors[machine_actor(proc)];
	unsigned int i;

	if (proc < X_ACTORS)
		return a->fn && !a->over ? &a->next : NULL;
	i = oldest(a, proc / X_ACTORS - 1);
	return i < STORES ? &a->buffer[i].op : NULL;
}

bool machine_can(unsigned int proc)
{
	const struct actor *a = &actors[machine_actor(proc)];
	const struct x_op *op = machine_next(proc);

	if (!op)
		return false;
	if (proc < X_ACTORS)
		return actor_can(a);
	return op == &a->buffer[0].op || op->order != X_RELEASE;
}

bool machine_is_over(void)
{
	unsigned int i;

	for (i = 0; i < X_ACTORS; i++) {
		if (actors[i].fill || (actors[i].fn && !actors[i].over))
			return false;
	}
	return true;
}

/* --- coroutines ---------------------------------------------------------- */

static void body(void)
{
	struct actor *a = &actors[x_self];

	a->fn();
	a->over = true;
	_longjmp(scheduler, 1);
}

/* Let actor @i run to its next access. */
static void go_on(unsigned int i)
{
	struct actor *a = &actors[i];

	x_self = (int)i;
	if (!_setjmp(scheduler)) {
		if (a->started)
			_longjmp(a->at, 1);
		a->started = true;
		(void)setcontext(&a->start);
	}
	x_self = -1;
}

static void prepare(unsigned int i, void (*fn)(void))
{
	struct actor *a = &actors[i];

	a->fn = fn;
	a->started = a->over = false;
	a->fill = 0;
	memset(a->slot_addr, 0, sizeof(a->slot_addr));
	if (!fn)
		return;
	(void)getcontext(&a->start);
	a->start.uc_stack.ss_sp = stacks[i];
	a->start.uc_stack.ss_size = STACK;
	a->start.uc_link = NULL;
	makecontext(&a->start, body, 0);
	go_on(i);
}

void machine_start(const struct x_model *m, enum x_memory memory)
{
	unsigned int i;

	pso = memory == X_PSO;
	buffered = memory != X_SC;
	nr_slots = buffered;
	races_start();
	for (i = 0; i < X_ACTORS; i++)
		prepare(i, m->actor[i]);
}

uint64_t machine_do(unsigned int proc, unsigned int step)
{
	struct actor *a = &actors[machine_actor(proc)];
	unsigned int i;
	struct store s;

	if (proc < X_ACTORS) {
		x_self = (int)proc;
		a->result = make_access(a, &a->next, step);
		go_on(proc);
		return a->result;
	}
	i = oldest(a, proc / X_ACTORS - 1);
	s = a->buffer[i];
	memmove(&a->buffer[i], &a->buffer[i + 1],
		(--a->fill - i) * sizeof(*a->buffer));
	poke(&s.op, s.op.value);
	races_write(&s.op, false, s.sync);
	return s.op.value;
}

static void announce(const struct x_op *op)
{
	struct actor *a = &actors[x_self];

	if (op->addr - (uintptr_t)x_arena >= x_arena_size &&
	    op->kind != X_FENCE)
		give_up("an atomic access outside of the arena");
	a->next = *op;
	if (op->kind == X_STORE && op->order != X_SEQ_CST && buffered)
		a->next.kind = X_PUT;
	if (!_setjmp(a->at))
		_longjmp(scheduler, 1);
}

uint64_t x_access(enum x_kind kind, enum x_order order, unsigned int size,
		  uintptr_t addr, uint64_t value, uint64_t expected,
		  const char *func, int line)
{
	const struct x_op op = {
		.kind = kind,
		.order = order,
		.size = size,
		.addr = addr,
		.value = value,
		.expected = expected,
		.func = func,
		.line = line,
	};
	static struct actor nobody;

	if (x_self < 0)
		return make_access(&nobody, &op, 0);
	announce(&op);
	return actors[x_self].result;
}

void x_relax(void)
{
	const struct actor *a = &actors[x_self < 0 ? 0 : x_self];
	const struct x_op *l = &a->last_load;

	if (x_self < 0)
		give_up("a lock is held that nobody gives back");
	(void)x_access(X_AWAIT, l->order, l->size, l->addr, 0, a->last_value,
		       l->func, l->line);
}
