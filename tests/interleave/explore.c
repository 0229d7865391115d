/* SPDX-License-Identifier: MIT */
/*
 * The search: depth first over all schedules, each run from the start.
 *
 * Most schedules differ only in the order of steps that do not touch the same
 * memory; one of each such class is enough, since the others end in the same
 * state and fail the same checks.  The search is dynamic partial order
 * reduction with source sets and sleep sets (Abdulla, Aronis, Jonsson,
 * Sagonas: Source Sets, JACM 2017):
 *
 *   - Each executed step is compared with the earlier ones.  Where two steps
 *     of different processes touch the same memory, one of them writing, and
 *     nothing else orders them, there is a race: the schedule where the later
 *     comes first has to be run, too.  add_alternative() notes, at the earlier
 *     step, a process to begin that with.
 *   - A process whose next step was tried at a point "sleeps" below it until
 *     something happens that its step depends on: what would come of it has
 *     been seen.
 *
 * "Happens before" is kept as vector clocks, one per step, counted in steps of
 * each process.
 *
 * Two steps are dependent (is_dependent()) if they belong to one process; if
 * their bytes overlap and one writes; or if one can let the other happen: the
 * flush of a buffer and what waits for an empty buffer.  To say dependent too
 * often costs time only.  A step may be impossible where it is to come first
 * (a lock that is held); then every possible process is noted, which is always
 * right.  The plain accesses between two steps belong to the first of them;
 * that they cannot matter is races.c's to show.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/interleave/explore.h"

#define LONGEST 4096
#define BIT(n)	(1ull << (n))

/* A step of the schedule being run, and the state it was taken from. */
static struct node {
	uint64_t possible;  /* processes that could take the next step */
	uint64_t backtrack; /* ... those that have to be tried */
	uint64_t done;	    /* ... those that were, and the present one */
	uint64_t sleep;	    /* ... those that need not */
	unsigned int proc;  /* which did */
	struct x_op op;
	uint64_t found;
	uint16_t seq;		 /* the how manieth of its process */
	uint16_t clock[X_PROCS]; /* what happened before it, itself included */
} nodes[LONGEST];

static unsigned int depth; /* steps taken in this run */
static unsigned int procs;
static unsigned int last_of[X_PROCS]; /* 1 + last step of a process */
static struct x_result result;
static const struct x_model *model;
bool x_show;

/* --- dependence ---------------------------------------------------------- */

static bool writes(const struct x_op *op)
{
	return op->kind != X_LOAD && op->kind != X_AWAIT &&
	       op->kind != X_FENCE && op->kind != X_PUT;
}

static bool needs_empty_buffer(const struct x_op *op)
{
	return (writes(op) || op->kind == X_FENCE) && op->kind != X_FLUSH;
}

static bool touch(const struct x_op *a, const struct x_op *b)
{
	return a->addr < b->addr + b->size && b->addr < a->addr + a->size &&
	       a->kind != X_PUT && b->kind != X_PUT;
}

/* One of them is the flush that the other one waits for. */
static bool waits_for_flush(const struct x_op *flush, const struct x_op *op)
{
	return flush->kind == X_FLUSH &&
	       (needs_empty_buffer(op) ||
		(op->kind == X_FLUSH &&
		 (flush->order == X_RELEASE || op->order == X_RELEASE)));
}

static bool is_dependent(unsigned int p, const struct x_op *a, unsigned int q,
			 const struct x_op *b)
{
	if (p == q || (touch(a, b) && (writes(a) || writes(b))))
		return true;
	return machine_actor(p) == machine_actor(q) &&
	       (waits_for_flush(a, b) || waits_for_flush(b, a));
}

/*
 * Dependent steps that can never be possible at the same time have an order
 * already; there is nothing to turn around.
 */
static bool can_race(unsigned int p, const struct x_op *a, unsigned int q,
		     const struct x_op *b)
{
	if (machine_actor(p) == machine_actor(q) &&
	    ((a->kind == X_FLUSH && needs_empty_buffer(b)) ||
	     (b->kind == X_FLUSH && needs_empty_buffer(a))))
		return false;
	/* A lock is given back by who has it, and taken when nobody has. */
	return b->kind != X_LOCK || a->kind == X_LOCK;
}

/* --- happens before ------------------------------------------------------ */

static bool is_before(const struct node *n, const uint16_t *clock)
{
	return clock[n->proc] >= n->seq;
}

static void join(uint16_t *clock, const uint16_t *other)
{
	unsigned int i;

	for (i = 0; i < procs; i++) {
		if (clock[i] < other[i])
			clock[i] = other[i];
	}
}

/* --- races --------------------------------------------------------------- */

/*
 * Step @last races with the earlier @first.  Between them, let v be the steps
 * that @first does not happen before, and @last.  Beginning with any process
 * whose first step in v has nothing before it in v leads to the reversal.
 */
static void add_alternative(unsigned int first, unsigned int last,
			    const uint16_t *clock)
{
	uint64_t seen = 0, initials = 0;
	struct node *n = &nodes[first];
	unsigned int i, j;

	for (i = first + 1; i <= last; i++) {
		const uint16_t *c = i == last ? clock : nodes[i].clock;
		unsigned int p = nodes[i].proc;
		bool is_initial = !(seen & BIT(p));

		if (i != last && is_before(n, c))
			continue;
		for (j = first + 1; j < i && is_initial; j++) {
			if (!is_before(n, nodes[j].clock) &&
			    is_before(&nodes[j], c))
				is_initial = false;
		}
		seen |= BIT(p);
		if (is_initial)
			initials |= BIT(p);
	}
	if (initials & n->backtrack)
		return;
	if (initials & n->possible)
		n->backtrack |= initials & n->possible &
				-(initials & n->possible);
	else
		n->backtrack |= n->possible;
}

/* What happens before step @d by the program alone. */
static void start_clock(unsigned int d, uint16_t *clock)
{
	const struct node *n = &nodes[d];
	unsigned int last = last_of[n->proc], i;

	memset(clock, 0, sizeof(n->clock));
	if (last)
		join(clock, nodes[last - 1].clock);
	if (n->op.kind == X_FLUSH)
		join(clock, nodes[n->op.put].clock);
	if (!needs_empty_buffer(&n->op))
		return;
	for (i = X_ACTORS; i < procs; i++) {
		if (last_of[i] && machine_actor(i) == n->proc)
			join(clock, nodes[last_of[i] - 1].clock);
	}
}

/* Find the races of step @d, and what happens before it. */
static void analyse(unsigned int d, bool look_for_races)
{
	struct node *n = &nodes[d];
	uint16_t clock[X_PROCS];
	unsigned int i;

	start_clock(d, clock);
	for (i = d; i-- > 0 && look_for_races;) {
		const struct node *e = &nodes[i];

		if (is_before(e, clock) ||
		    !is_dependent(e->proc, &e->op, n->proc, &n->op))
			continue;
		if (!can_race(e->proc, &e->op, n->proc, &n->op))
			continue;
		add_alternative(i, d, clock);
		join(clock, e->clock);
	}
	/* Once more, now also with the steps that cannot race. */
	start_clock(d, clock);
	for (i = d; i-- > 0;) {
		const struct node *e = &nodes[i];

		if (!is_before(e, clock) &&
		    is_dependent(e->proc, &e->op, n->proc, &n->op))
			join(clock, e->clock);
	}
	n->seq = last_of[n->proc]
			 ? (uint16_t)(nodes[last_of[n->proc] - 1].seq + 1)
			 : 1;
	clock[n->proc] = n->seq;
	memcpy(n->clock, clock, sizeof(clock));
}

/* --- one schedule -------------------------------------------------------- */

static void print_schedule(void)
{
	static const char *const names[X_NR_KINDS] = {
		[X_LOAD] = "load",   [X_STORE] = "store", [X_XCHG] = "xchg",
		[X_ADD] = "add",     [X_OR] = "or",	  [X_AND] = "and",
		[X_CAS] = "cas",     [X_LOCK] = "lock",	  [X_AWAIT] = "await",
		[X_FENCE] = "fence", [X_PUT] = "put",	  [X_FLUSH] = "flush",
	};
	unsigned int i;

	fprintf(stderr, "# schedule:\n");
	for (i = 0; i < depth; i++) {
		const struct node *n = &nodes[i];

		fprintf(stderr,
			"#   %3u  actor %u %*s%-5s @%05llx %#llx (was %#llx)"
			"  %s:%d\n",
			i, machine_actor(n->proc),
			(int)machine_actor(n->proc) * 4, "", names[n->op.kind],
			(unsigned long long)(n->op.addr - (uintptr_t)x_arena),
			(unsigned long long)n->op.value,
			(unsigned long long)n->found, n->op.func, n->op.line);
	}
}

void x_fail(const char *format, ...)
{
	va_list args;

	if (result.failed)
		return;
	result.failed = true;
	fprintf(stderr, "# %s: ", model->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	print_schedule();
}

static void on_crash(int sig)
{
	x_fail("signal %d in an actor", sig);
	_exit(1);
}

static void catch_crashes(void)
{
	static unsigned char stack[64 * 1024];
	const stack_t alt = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction sa = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK};

	(void)sigaltstack(&alt, NULL);
	(void)sigaction(SIGSEGV, &sa, NULL);
	(void)sigaction(SIGBUS, &sa, NULL);
}

static uint64_t possible_now(void)
{
	uint64_t set = 0;
	unsigned int p;

	for (p = 0; p < procs; p++) {
		if (machine_can(p))
			set |= BIT(p);
	}
	return set;
}

/* Who was tried above and has met nothing that its step depends on. */
static uint64_t asleep_below(const struct node *n)
{
	uint64_t set = 0, from = n->sleep | (n->done & ~BIT(n->proc));
	unsigned int p;

	for (p = 0; p < procs; p++) {
		if (from & BIT(p) && p != n->proc &&
		    !is_dependent(p, machine_next(p), n->proc, &n->op))
			set |= BIT(p);
	}
	return set;
}

/* Stay with the process that ran: schedules are read by people. */
static unsigned int first_choice(uint64_t set)
{
	if (depth && set & BIT(nodes[depth - 1].proc))
		return nodes[depth - 1].proc;
	return (unsigned int)__builtin_ctzll(set);
}

/* A state not seen before.  False: the schedule ends here. */
static bool make_node(enum x_reduction how, uint64_t sleep)
{
	struct node *n = &nodes[depth];

	n->possible = possible_now();
	n->sleep = how == X_BRUTE ? 0 : sleep;
	n->done = n->backtrack = 0;
	if (!n->possible) {
		if (!machine_is_over())
			x_fail("deadlock");
		return false;
	}
	if (!(n->possible & ~n->sleep)) {
		result.redundant++;
		return false;
	}
	n->proc = first_choice(n->possible & ~n->sleep);
	n->backtrack = how == X_BRUTE ? n->possible : BIT(n->proc);
	n->done = BIT(n->proc);
	return true;
}

/* Take the step nodes[depth] says.  @again: it was analysed before. */
static uint64_t take_step(enum x_reduction how, bool again)
{
	struct node *n = &nodes[depth];
	uint64_t sleep = 0;

	n->op = *machine_next(n->proc);
	if (!again) {
		if (how == X_REDUCED)
			sleep = asleep_below(n);
		analyse(depth, how == X_REDUCED);
	}
	last_of[n->proc] = depth + 1;
	depth++;
	n->found = machine_do(n->proc, depth - 1);
	procs = machine_procs();
	return sleep;
}

/* Run one schedule: the first @given nodes are chosen.  True: to its end. */
static bool run(enum x_memory memory, enum x_reduction how, unsigned int given)
{
	uint64_t sleep = 0;

	depth = 0;
	memset(last_of, 0, sizeof(last_of));
	machine_start(model, memory);
	procs = machine_procs();
	while (!result.failed) {
		if (depth >= given && !make_node(how, sleep))
			break;
		sleep = take_step(how, depth + 1 < given);
		if (depth == LONGEST)
			x_fail("no end after %u steps", depth);
	}
	if (depth > result.longest)
		result.longest = depth;
	return machine_is_over() && !result.failed;
}

/* The next schedule: how many of its nodes are given; 0: there is none. */
static unsigned int next_schedule(void)
{
	unsigned int d = depth;

	while (d-- > 0) {
		struct node *n = &nodes[d];
		uint64_t left = n->backtrack & ~n->done & ~n->sleep;

		if (left) {
			n->proc = (unsigned int)__builtin_ctzll(left);
			n->done |= BIT(n->proc);
			return d + 1;
		}
	}
	return 0;
}

/* --- final states, to compare two searches --------------------------------- */

#define STATES 65536

static void count_state(void)
{
	static uint64_t seen[STATES];
	uint64_t h = 14695981039346656037ull, word;
	size_t i;

	if (!result.states)
		memset(seen, 0, sizeof(seen));
	for (i = 0; i + sizeof(word) <= x_arena_size; i += sizeof(word)) {
		memcpy(&word, x_arena + i, sizeof(word));
		h = (h ^ word) * 1099511628211ull;
		h ^= h >> 32;
	}
	for (i = h % STATES; seen[i] && seen[i] != h; i = (i + 1) % STATES)
		;
	if (!seen[i])
		result.states++;
	seen[i] = h;
}

struct x_result x_explore(const struct x_model *m, enum x_memory memory,
			  enum x_reduction how, unsigned long limit,
			  bool count_states)
{
	unsigned char *start = malloc(x_arena_size);
	unsigned int given = 0;

	if (!start)
		exit(2);
	result = (struct x_result){.failed = false};
	model = m;
	depth = 0;
	catch_crashes();
	memset(x_arena, 0, x_arena_size);
	m->setup();
	memcpy(start, x_arena, x_arena_size);
	do {
		if (limit && result.schedules == limit) {
			result.cut = true;
			break;
		}
		memcpy(x_arena, start, x_arena_size);
		if (run(memory, how, given)) {
			result.schedules++;
			if (x_show)
				print_schedule();
			if (count_states)
				count_state();
			m->check();
		}
		given = result.failed ? 0 : next_schedule();
	} while (given);
	free(start);

	return result;
}
