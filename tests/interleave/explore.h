/* SPDX-License-Identifier: MIT */
/*
 * The schedule explorer: run a few actors in every order that matters.
 *
 * A model is some memory (the arena) and up to three actors, each a function
 * that calls the real code.  The code is compiled with our base/atomic.h, so
 * every atomic access is a step, and one step happens at a time.  Which actor
 * takes the next step is the only thing left to chance; explore.c enumerates
 * that, machine.c carries the steps out, races.c watches the plain accesses
 * in between.
 *
 * Reading order: access.h, this file, machine.c, explore.c, races.c; then
 * litmus.c, which shows that the explorer sees what it should, and world.h
 * with the models of the real code.
 */
#ifndef INTERLEAVE_EXPLORE_H
#define INTERLEAVE_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/interleave/access.h"

#define X_ACTORS 3
#define X_SLOTS	 20 /* PSO: addresses one actor may store to, lazily */
/* The actors, and what empties their store buffers. */
#define X_PROCS (X_ACTORS * (1 + X_SLOTS))

enum x_memory {
	X_SC,  /* steps take effect at once, in program order */
	X_TSO, /* x86: a store buffer per actor, first in, first out */
	X_PSO, /* stores to different addresses overtake each other, too */
};

struct x_op {
	enum x_kind kind;
	enum x_order order;
	unsigned int size;
	uintptr_t addr;
	uint64_t value, expected;
	const char *func;
	int line;
	unsigned int put; /* X_FLUSH: the step that put it in the buffer */
};

struct x_model {
	const char *name;
	void (*setup)(void); /* fill the zeroed arena; not explored */
	void (*actor[X_ACTORS])(void);
	void (*check)(void); /* after each schedule; not explored */
	/* Bit per memory model: not at all; only with EVC_LONG=1. */
	unsigned int never, lengthy;
};

struct x_result {
	bool failed;
	bool cut; /* there are more schedules than the limit */
	unsigned long schedules, redundant;
	unsigned int longest;
	unsigned long states; /* different final memories, if asked for */
};

/* How to search; the second is for tests of the explorer itself. */
enum x_reduction {
	X_REDUCED,
	X_BRUTE, /* every order of all steps */
};

struct x_result x_explore(const struct x_model *m, enum x_memory memory,
			  enum x_reduction how, unsigned long limit,
			  bool count_states);

/* Print every schedule to stderr, not only one that fails. */
extern bool x_show;

/* The memory of the models: restored before each schedule. */
extern unsigned char *x_arena;
extern size_t x_arena_size;

/* The actor that runs, or -1 (setup and check). */
extern int x_self;

/* A property is violated: print the schedule and remember. */
__attribute__((format(printf, 1, 2))) void x_fail(const char *format, ...);

#define x_check(cond)     \
	((cond) ? (void)0 \
		: x_fail("%s:%d: %s is false", __FILE__, __LINE__, #cond))

/* --- machine.c --------------------------------------------------------------- */

void machine_start(const struct x_model *m, enum x_memory memory);
unsigned int machine_procs(void);
/* What @proc does next, or NULL; and whether it can do it now. */
const struct x_op *machine_next(unsigned int proc);
bool machine_can(unsigned int proc);
bool machine_is_over(void);
/* @step is the caller's number for this step.  Returns the value found. */
uint64_t machine_do(unsigned int proc, unsigned int step);
/* The actor behind @proc. */
unsigned int machine_actor(unsigned int proc);

/* --- races.c ----------------------------------------------------------------- */

typedef uint16_t x_clock[X_ACTORS];

void races_start(void);
void races_read(const struct x_op *op);
void races_write(const struct x_op *op, bool is_rmw, const x_clock sync);
/* What a store that @op makes later will carry. */
void races_release(const struct x_op *op, x_clock sync);

#endif /* INTERLEAVE_EXPLORE_H */
