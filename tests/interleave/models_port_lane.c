/* SPDX-License-Identifier: MIT */
/*
 * The broker's lane to an attachment (hosts/process/port_lane.c), which has a
 * level more than others: two events, or a third, and the receiver as
 * hosts/process/wait.c has it, which then sleeps.
 */
#include "tests/interleave/models.h"
#include "tests/interleave/world.h"

#define PORT_A 1
#define PORT_B 2  /* in the same word */
#define PORT_C 70 /* in another one */

static bool both_a;

static void start(void)
{
	both_a = false;
}

static void start_same(void)
{
	both_a = true;
}

static void send_port(evtchn_port_t port, unsigned int payload)
{
	evb_u32_store_relaxed(&world.payload[payload], 1);
	(void)evp_port_send(&world.ports, 0, port);
}

static void send_a(void)
{
	send_port(PORT_A, 0);
}

static void send_a_too(void)
{
	send_port(PORT_A, 1);
}

static void send_b(void)
{
	send_port(PORT_B, 1);
}

static void send_c(void)
{
	send_port(PORT_C, 1);
}

static void look(uint32_t word, uint64_t bits)
{
	if (word == 0 && bits & 1ull << PORT_A)
		R->seen[0][0] = evb_u32_load_relaxed(&world.payload[0]);
	if (bits & (both_a ? 1ull << PORT_A : 1ull << PORT_B | 1ull << 6))
		R->seen[0][1] = evb_u32_load_relaxed(&world.payload[1]);
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
	if (evp_lane_take_selector(&world.ports.lane))
		take_slots(evp_lane_take_word(&world.ports.lane, 0));
}

static void receive(void)
{
	take_all();
	/* MO-ARM: armed, then look */
	evp_lane_arm(&world.ports.lane);
	if (evp_lane_is_empty(&world.ports.lane)) {
		evb_u32_store_relaxed(&R->asleep[0], 1);
		return;
	}
	evp_lane_disarm(&world.ports.lane);
	take_all();
}

static void check(void)
{
	bool asleep = evb_u32_load(&R->asleep[0]) && !evb_u32_load(&world.rung);

	x_check(!asleep || evp_lane_is_empty(&world.ports.lane));
	if (!asleep)
		take_all();
	x_check(R->seen[0][0] == evb_u32_load(&world.payload[0]));
	x_check(R->seen[0][1] == evb_u32_load(&world.payload[1]));
}

#define MODEL(name, start, a, b, c)                 \
	{                                           \
		name, start, {a, b, c}, check, 0, 0 \
	}

const struct x_model models_port_lane[] = {
	MODEL("port-lane-send-receive", start, send_a, receive, NULL),
	MODEL("port-lane-send-send-same", start_same, send_a, receive,
	      send_a_too),
	MODEL("port-lane-send-send-word", start, send_a, receive, send_b),
	MODEL("port-lane-send-send-words", start, send_a, receive, send_c),
	{.name = NULL},
};
