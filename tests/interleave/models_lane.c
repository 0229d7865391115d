/* SPDX-License-Identifier: MIT */
/*
 * The process host's lanes (hosts/process/lane.c): two senders and a receiver
 * that goes to sleep.
 */
#define LANE world.lane
#include "tests/interleave/lane_model.h"

void evp_kick(int bell)
{
	(void)bell;
	(void)evb_u32_add(&world.rung, 1);
}

static void send_one(uint32_t nr)
{
	(void)evp_lane_send(&LANE, 0, nr);
}

static void look(uint32_t word, uint64_t bits)
{
	if (word == 0 && bits & 1ull << NR_A)
		saw(0);
	if (word == 1 || bits & ~(1ull << NR_A) || both_a)
		saw(1);
}

static void take_all(void)
{
	uint64_t words = evp_lane_take_selector(&LANE);
	uint32_t word;

	for (word = 0; word < EVP_LANE_WORDS; word++) {
		if (words >> word & 1)
			look(word, evp_lane_take_word(&LANE, word));
	}
}

const struct x_model models_lane[] = {
	MODEL("lane-send-receive", start, send_a, receive, NULL),
	MODEL("lane-send-send-same", start_same, send_a, receive, send_a_too),
	MODEL("lane-send-send-word", start, send_a, receive, send_b),
	MODEL("lane-send-send-words", start, send_a, receive, send_c),
	{.name = NULL},
};
