/* SPDX-License-Identifier: MIT */
/*
 * A vCPU of the process host that goes to sleep (hosts/process/doze.h), as
 * hosts/process/guarded.c doze() has it, and two that post for it, as upcall.c
 * tell() does.
 */
#include "hosts/process/doze.h"

#include "tests/interleave/models.h"
#include "tests/interleave/world.h"

#define MARK   (&R->asleep[0])
#define SLEEPS (&R->asleep[1]) /* in the kernel, until the bell is rung */

static void start(void)
{
	evb_u32_store(MARK, EVP_AWAKE);
	evb_u32_store(SLEEPS, 0);
}

static void post(unsigned int which)
{
	(void)evb_u32_add(&world.payload[which], 1);
	/* MO-BLOCK: posted, then the mark */
	if (evp_take_mark(MARK) != EVP_AWAKE)
		(void)evb_u32_add(&world.rung, 1);
}

static void post_first(void)
{
	post(0);
}

static void post_second(void)
{
	post(1);
}

static void doze(void)
{
	evp_lie_down(MARK, EVP_DOZING);
	/* MO-BLOCK: the mark, then look */
	if (evb_u32_load(&world.payload[0]) || evb_u32_load(&world.payload[1]))
		evp_get_up(MARK);
	else
		evb_u32_store_relaxed(SLEEPS, 1);
}

/* Asleep with something posted: then it was rung, once. */
static void check(void)
{
	bool posted = evb_u32_load(&world.payload[0]) ||
		      evb_u32_load(&world.payload[1]);

	if (evb_u32_load(SLEEPS) && posted)
		x_check(evb_u32_load(&world.rung) == 1);
	x_check(evb_u32_load(&world.rung) <= 1);
}

const struct x_model models_doze[] = {
	{"doze-post", start, {post_first, doze, NULL}, check, 0, 0},
	{"doze-post-post", start, {post_first, doze, post_second}, check, 0, 0},
	{.name = NULL},
};
