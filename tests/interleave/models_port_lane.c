/* SPDX-License-Identifier: MIT */
/*
 * The broker's lane to an attachment (hosts/process/port_lane.c), which has a
 * level more than others: two events, or a third, and the receiver, which then
 * sleeps.
 */
#define LANE world.ports.lane
#include "tests/interleave/lane_model.h"

static void send_one(uint32_t nr)
{
	(void)evp_port_send(&world.ports, 0, nr);
}

static void look(uint32_t word, uint64_t bits)
{
	if (word == 0 && bits & 1ull << NR_A)
		saw(0);
	if (bits & (both_a ? 1ull << NR_A : 1ull << NR_B | 1ull << NR_C % 64))
		saw(1);
}

static void take_slots(uint64_t slots)
{
	uint32_t word;

	for (word = 0; word < 2; word++) {
		if (slots >> (EVP_SLOT_PORTS + word) & 1)
			look(word, evp_port_take_word(&world.ports, word));
	}
}

static void take_all(void)
{
	if (evp_lane_take_selector(&LANE))
		take_slots(evp_lane_take_word(&LANE, 0));
}

const struct x_model models_port_lane[] = {
	MODEL("port-lane-send-receive", start, send_a, receive, NULL),
	MODEL("port-lane-send-send-same", start_same, send_a, receive,
	      send_a_too),
	MODEL("port-lane-send-send-word", start, send_a, receive, send_b),
	MODEL("port-lane-send-send-words", start, send_a, receive, send_c),
	{.name = NULL},
};
