/* SPDX-License-Identifier: MIT */
/*
 * The explorer looks at itself: small programs whose outcomes are known from
 * the books, under each memory model; the real lock; and a search without
 * reduction that must reach the same final states.
 *
 * A litmus test names one outcome.  It is reached, or not; tests.c says which
 * is right.
 */
#include "tests/interleave/litmus.h"

#include <string.h>

#include <base/atomic.h>

struct litmus litmus __attribute__((aligned(64)));

#define X (&litmus.x)
#define Y (&litmus.y)

static bool reached;

bool litmus_reached(void)
{
	return reached;
}

static void setup(void)
{
	reached = false;
}

static void seen(bool outcome)
{
	reached = reached || outcome;
}

/* --- store buffering: each writes one and reads the other ------------------ */

static void sb_0(void)
{
	evb_u32_store_release(X, 1);
	litmus.r[0] = evb_u32_load(Y);
}

static void sb_1(void)
{
	evb_u32_store_release(Y, 1);
	litmus.r[1] = evb_u32_load(X);
}

static void sb_check(void)
{
	seen(!litmus.r[0] && !litmus.r[1]);
}

static void sb_fenced_0(void)
{
	evb_u32_store_relaxed(X, 1);
	evb_fence();
	litmus.r[0] = evb_u32_load(Y);
}

static void sb_fenced_1(void)
{
	evb_u32_store(Y, 1);
	litmus.r[1] = evb_u32_load(X);
}

/* --- message passing ------------------------------------------------------- */

static void mp_0(void)
{
	evb_u32_store_relaxed(X, 1);
	evb_u32_store_relaxed(Y, 1);
}

static void mp_release_0(void)
{
	evb_u32_store_relaxed(X, 1);
	evb_u32_store_release(Y, 1);
}

static void mp_1(void)
{
	litmus.r[0] = evb_u32_load(Y);
	litmus.r[1] = evb_u32_load(X);
}

static void mp_check(void)
{
	seen(litmus.r[0] && !litmus.r[1]);
}

/* --- an actor sees its own store before others do (forwarding) -------------- */

static void fwd_0(void)
{
	evb_u32_store_relaxed(X, 1);
	litmus.r[0] = evb_u32_load(X);
	litmus.r[1] = evb_u32_load(Y);
}

static void fwd_1(void)
{
	evb_u32_store_relaxed(Y, 1);
	litmus.r[2] = evb_u32_load(Y);
	litmus.r[3] = evb_u32_load(X);
}

static void fwd_check(void)
{
	seen(litmus.r[0] && !litmus.r[1] && litmus.r[2] && !litmus.r[3]);
}

/* --- independent reads of independent writes (three actors) ----------------- */

static void iriw_0(void)
{
	evb_u32_store_relaxed(X, 1);
	evb_u32_store_relaxed(Y, 1);
}

static void iriw_1(void)
{
	litmus.r[0] = evb_u32_load(X);
	litmus.r[1] = evb_u32_load(Y);
}

static void iriw_2(void)
{
	litmus.r[2] = evb_u32_load(Y);
	litmus.r[3] = evb_u32_load(X);
}

/* Whatever overtakes what, all see one order: memory is one for all. */
static void iriw_check(void)
{
	seen(litmus.r[0] && !litmus.r[1] && litmus.r[2] && !litmus.r[3]);
}

/* --- read-modify-writes do not get lost; load and store do ------------------ */

static void add(void)
{
	(void)evb_u32_add(X, 1);
}

static void add_badly(void)
{
	evb_u32_store(X, evb_u32_load(X) + 1);
}

static void add_check(void)
{
	seen(litmus.x.v != 3);
}

/* --- plain data behind a flag ---------------------------------------------- */

static void plain_0(void)
{
	litmus.plain = 1;
	evb_u32_store_release(Y, 1);
}

static void plain_1(void)
{
	if (evb_u32_load_acquire(Y))
		litmus.r[0] = litmus.plain;
}

static void plain_bad_1(void)
{
	if (evb_u32_load_relaxed(Y))
		litmus.r[0] = litmus.plain;
}

/* --- the real lock ----------------------------------------------------------- */

static void locked_add(void)
{
	litmus_lock();
	litmus.plain++;
	litmus_unlock();
}

static void locked_check(void)
{
	seen(litmus.plain != 3);
}

/* It waits, as it should, and then takes what it does not have. */
static void broken_add(void)
{
	if (evb_u32_load(X))
		x_relax();
	evb_u32_store(X, 1);
	evb_u32_store(Y, evb_u32_load(Y) + 1);
	evb_u32_store_release(X, 0);
}

static void broken_check(void)
{
	seen(litmus.y.v != 3);
}

static void nothing(void)
{
}

#define TWO(a, b)          \
	{                  \
		a, b, NULL \
	}
#define THREE(a, b, c)  \
	{               \
		a, b, c \
	}

const struct x_model litmus_models[] = {
	{"store-buffering", setup, TWO(sb_0, sb_1), sb_check, 0, 0},
	{"store-buffering-fenced", setup, TWO(sb_fenced_0, sb_fenced_1),
	 sb_check, 0, 0},
	{"message-passing", setup, TWO(mp_0, mp_1), mp_check, 0, 0},
	{"message-passing-release", setup, TWO(mp_release_0, mp_1), mp_check, 0,
	 0},
	{"forwarding", setup, TWO(fwd_0, fwd_1), fwd_check, 0, 0},
	{"readers-disagree", setup, THREE(iriw_0, iriw_1, iriw_2), iriw_check,
	 0, 0},
	{"add", setup, THREE(add, add, add), add_check, 0, 0},
	{"add-badly", setup, THREE(add_badly, add_badly, add_badly), add_check,
	 0, 0},
	{"plain-behind-flag", setup, TWO(plain_0, plain_1), nothing, 0, 0},
	{"plain-race", setup, TWO(plain_0, plain_bad_1), nothing, 0, 0},
	{"lock", setup, THREE(locked_add, locked_add, locked_add), locked_check,
	 0, 0},
	{"lock-broken", setup, THREE(broken_add, broken_add, broken_add),
	 broken_check, 0, 0},
	{.name = NULL},
};
