/* SPDX-License-Identifier: MIT */
/*
 * Plain accesses: are they ordered by the atomic ones around them?
 *
 * The explorer steps at atomic accesses only.  That is enough if no two plain
 * accesses to one byte, one of them a write, can come together; and that is
 * what C11 asks for anyway.  The compiler is told to report every plain access
 * (-fsanitize=thread); instead of the sanitizer's library it finds the
 * functions below.  They keep C11's happens-before, actor by actor, from what
 * the code *says*: a relaxed store orders nothing here, whatever the machine
 * would do.  So this is also how release/acquire rules are tested that hold by
 * themselves on x86 (MO-PORTS).
 *
 * Clocks: clock[a][b] is how much of actor b's past actor a knows.  A release
 * attaches the actor's clock to the word; an acquire that reads the word joins
 * it.  A byte remembers who wrote it last and who read it since, and when.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/interleave/explore.h"

#define ARENA_MAX (256 * 1024)

static x_clock clock_of[X_ACTORS];

/* Per byte of the arena; the second is used at the first byte of a word. */
static struct byte {
	uint16_t wrote_at, read_at[X_ACTORS];
	uint8_t wrote;
	bool used;
} bytes[ARENA_MAX];
static x_clock words[ARENA_MAX];

/* Which of them have to be zeroed for the next schedule. */
static uint32_t used[ARENA_MAX];
static unsigned int nr_used;

static size_t offset_of(uintptr_t addr)
{
	return addr - (uintptr_t)x_arena;
}

static void use(size_t at)
{
	if (!bytes[at].used)
		used[nr_used++] = (uint32_t)at;
	bytes[at].used = true;
}

void races_start(void)
{
	unsigned int i;

	if (x_arena_size > ARENA_MAX)
		abort();
	while (nr_used) {
		i = used[--nr_used];
		memset(&bytes[i], 0, sizeof(bytes[i]));
		memset(words[i], 0, sizeof(words[i]));
	}
	memset(clock_of, 0, sizeof(clock_of));
	for (i = 0; i < X_ACTORS; i++)
		clock_of[i][i] = 1;
}

/* --- what the atomic accesses order ---------------------------------------- */

static void join(uint16_t *clock, const uint16_t *other)
{
	unsigned int i;

	for (i = 0; i < X_ACTORS; i++) {
		if (clock[i] < other[i])
			clock[i] = other[i];
	}
}

void races_read(const struct x_op *op)
{
	if (x_self >= 0 && op->order != X_RELAXED && op->order != X_RELEASE)
		join(clock_of[x_self], words[offset_of(op->addr)]);
}

void races_release(const struct x_op *op, x_clock sync)
{
	memset(sync, 0, sizeof(x_clock));
	if (x_self < 0 || op->order == X_RELAXED || op->order == X_ACQUIRE)
		return;
	memcpy(sync, clock_of[x_self], sizeof(x_clock));
	clock_of[x_self][x_self]++;
}

/* A read-modify-write goes on with what is attached, a store replaces it. */
void races_write(const struct x_op *op, bool is_rmw, const x_clock sync)
{
	size_t at = offset_of(op->addr);

	if (at >= x_arena_size)
		return; /* the check uses words of its own */
	use(at);
	if (!is_rmw)
		memset(words[at], 0, sizeof(words[at]));
	join(words[at], sync);
}

/* --- plain accesses -------------------------------------------------------- */

static void check_byte(struct byte *b, size_t at, bool is_write)
{
	const uint16_t *mine = clock_of[x_self];
	unsigned int i;

	if (b->wrote_at > mine[b->wrote])
		x_fail("a race: plain access to byte @%05zx by actor %d,"
		       " written by actor %u",
		       at, x_self, b->wrote);
	for (i = 0; i < X_ACTORS && is_write; i++) {
		if (b->read_at[i] > mine[i])
			x_fail("a race: plain write to byte @%05zx by actor %d,"
			       " read by actor %u",
			       at, x_self, i);
	}
}

static void touch(const volatile void *p, size_t size, bool is_write)
{
	size_t at = offset_of((uintptr_t)p), end = at + size;

	if (x_self < 0 || at >= x_arena_size)
		return;
	for (; at < end; at++) {
		struct byte *b = &bytes[at];

		check_byte(b, at, is_write);
		use(at);
		if (is_write) {
			b->wrote = (uint8_t)x_self;
			b->wrote_at = clock_of[x_self][x_self];
		} else {
			b->read_at[x_self] = clock_of[x_self][x_self];
		}
	}
}

/* --- what the compiler calls; the names are its own ------------------------- */

#define X_HOOKS(size)                               \
	void __tsan_read##size(void *p);            \
	void __tsan_write##size(void *p);           \
	void __tsan_unaligned_read##size(void *p);  \
	void __tsan_unaligned_write##size(void *p); \
	void __tsan_read##size(void *p)             \
	{                                           \
		touch(p, size, false);              \
	}                                           \
	void __tsan_write##size(void *p)            \
	{                                           \
		touch(p, size, true);               \
	}                                           \
	void __tsan_unaligned_read##size(void *p)   \
	{                                           \
		touch(p, size, false);              \
	}                                           \
	void __tsan_unaligned_write##size(void *p)  \
	{                                           \
		touch(p, size, true);               \
	}

X_HOOKS(1)
X_HOOKS(2)
X_HOOKS(4)
X_HOOKS(8)
X_HOOKS(16)

void __tsan_read_range(void *p, size_t size);
void __tsan_write_range(void *p, size_t size);
void __tsan_init(void);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);
void *__tsan_memcpy(void *dst, const void *src, size_t size);
void *__tsan_memset(void *dst, int c, size_t size);

void __tsan_read_range(void *p, size_t size)
{
	touch(p, size, false);
}

void __tsan_write_range(void *p, size_t size)
{
	touch(p, size, true);
}

void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller)
{
	(void)caller;
}

void __tsan_func_exit(void)
{
}

void *__tsan_memcpy(void *dst, const void *src, size_t size)
{
	touch(src, size, false);
	touch(dst, size, true);
	return memcpy(dst, src, size);
}

void *__tsan_memset(void *dst, int c, size_t size)
{
	touch(dst, size, true);
	return memset(dst, c, size);
}
