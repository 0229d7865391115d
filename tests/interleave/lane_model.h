/* SPDX-License-Identifier: MIT */
/*
 * What the models of both kinds of lanes share: senders, and a receiver that
 * goes to sleep, as hosts/process/wait.c has it.  Who includes this says which
 * lane it is, LANE, how one sends on it and how all is taken from it.
 */
#ifndef TESTS_INTERLEAVE_LANE_MODEL_H
#define TESTS_INTERLEAVE_LANE_MODEL_H

#include "tests/interleave/models.h"
#include "tests/interleave/world.h"

/* Slots, or ports. */
#define NR_A 1
#define NR_B 2	/* in the same word */
#define NR_C 70 /* in another one */

static void send_one(uint32_t nr);
static void take_all(void);

static bool both_a; /* the payloads of both senders belong to A */

static void start(void)
{
	both_a = false;
}

static void start_same(void)
{
	both_a = true;
}

static void send_with(uint32_t nr, unsigned int payload)
{
	evb_u32_store_relaxed(&world.payload[payload], 1);
	send_one(nr);
}

static void send_a(void)
{
	send_with(NR_A, 0);
}

static void send_a_too(void)
{
	send_with(NR_A, 1);
}

static void send_b(void)
{
	send_with(NR_B, 1);
}

static void send_c(void)
{
	send_with(NR_C, 1);
}

static void saw(unsigned int payload)
{
	R->seen[0][payload] = evb_u32_load_relaxed(&world.payload[payload]);
}

static void receive(void)
{
	take_all();
	/* MO-ARM: armed, then look */
	evp_lane_arm(&LANE);
	if (evp_lane_is_empty(&LANE)) {
		evb_u32_store_relaxed(&R->asleep[0], 1);
		return;
	}
	evp_lane_disarm(&LANE);
	take_all();
}

static void check(void)
{
	bool asleep = evb_u32_load(&R->asleep[0]) && !evb_u32_load(&world.rung);

	x_check(!asleep || evp_lane_is_empty(&LANE));
	if (!asleep)
		take_all();
	x_check(R->seen[0][0] == evb_u32_load(&world.payload[0]));
	x_check(R->seen[0][1] == evb_u32_load(&world.payload[1]));
}

#define MODEL(name, start, a, b, c)                 \
	{                                           \
		name, start, {a, b, c}, check, 0, 0 \
	}

#endif /* TESTS_INTERLEAVE_LANE_MODEL_H */
