/* SPDX-License-Identifier: MIT */
/*
 * The process host's lanes (hosts/process/lane.c): two senders and a receiver
 * that goes to sleep, as hosts/process/wait.c has it.
 */
#include "tests/interleave/models.h"
#include "tests/interleave/world.h"

#define SLOT_A 1
#define SLOT_B 2
#define SLOT_C 70 /* in another word */

void evp_kick(int bell)
{
	(void)bell;
	(void)evb_u32_add(&world.rung, 1);
}

static bool both_a; /* the payloads of both senders belong to slot A */

static void start(void)
{
	both_a = false;
}

static void start_same(void)
{
	both_a = true;
}

static void send_slot(uint32_t slot, unsigned int payload)
{
	evb_u32_store_relaxed(&world.payload[payload], 1);
	(void)evp_lane_send(&world.lane, 0, slot);
}

static void send_a(void)
{
	send_slot(SLOT_A, 0);
}

static void send_a_too(void)
{
	send_slot(SLOT_A, 1);
}

static void send_b(void)
{
	send_slot(SLOT_B, 1);
}

static void send_c(void)
{
	send_slot(SLOT_C, 1);
}

static void look(uint32_t word, uint64_t bits)
{
	if (word == 0 && bits & 1ull << SLOT_A)
		R->seen[0][0] = evb_u32_load_relaxed(&world.payload[0]);
	if (word == 1 || bits & ~(1ull << SLOT_A) || both_a)
		R->seen[0][1] = evb_u32_load_relaxed(&world.payload[1]);
}

static void take_all(void)
{
	uint64_t words = evp_lane_take_selector(&world.lane);
	uint32_t word;

	for (word = 0; word < EVP_LANE_WORDS; word++) {
		if (words >> word & 1)
			look(word, evp_lane_take_word(&world.lane, word));
	}
}

static void receive(void)
{
	take_all();
	/* MO-ARM: armed, then look */
	evp_lane_arm(&world.lane);
	if (evp_lane_is_empty(&world.lane)) {
		evb_u32_store_relaxed(&R->asleep[0], 1);
		return;
	}
	evp_lane_disarm(&world.lane);
	take_all();
}

static void check(void)
{
	bool asleep = evb_u32_load(&R->asleep[0]) && !evb_u32_load(&world.rung);

	x_check(!asleep || evp_lane_is_empty(&world.lane));
	if (!asleep)
		take_all();
	x_check(R->seen[0][0] == evb_u32_load(&world.payload[0]));
	x_check(R->seen[0][1] == evb_u32_load(&world.payload[1]));
}

#define MODEL(name, start, a, b, c)                 \
	{                                           \
		name, start, {a, b, c}, check, 0, 0 \
	}

const struct x_model models_lane[] = {
	MODEL("lane-send-receive", start, send_a, receive, NULL),
	MODEL("lane-send-send-same", start_same, send_a, receive, send_a_too),
	MODEL("lane-send-send-word", start, send_a, receive, send_b),
	MODEL("lane-send-send-words", start, send_a, receive, send_c),
	{.name = NULL},
};
