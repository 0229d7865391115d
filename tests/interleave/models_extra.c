/* SPDX-License-Identifier: MIT */
/*
 * What Xen does not have: storm limits, the notice of a peer's close, and the
 * counters, against senders and closes.
 */
#include "tests/interleave/models.h"
#include "tests/interleave/world.h"

static evtchn_port_t r0, s0, r1, s1;

static void connect_both(void)
{
	world_connect(R, &r0, S, &s0, 0);
	world_connect(R, &r1, S, &s1, 0);
	world_place(0, S, 0);
	world_place(1, R, 0);
	world_place(2, S, 1);
}

/* S has sent what it may in this period. */
static void start_exhausted(void)
{
	world.lend_limit = true;
	world_start();
	connect_both();
	x_check(!evc_limit_set(&S->d, 1));
	world_send(S, s1, 3);
	world_collect(R, 0);
}

/* ... and an event of s0 waits. */
static void start_held(void)
{
	start_exhausted();
	world_send(S, s0, 0);
}

static void start_watched(void)
{
	world_start();
	connect_both();
	x_check(!evc_watch_peer(&R->d, r0, true));
}

/* --- actors ------------------------------------------------------------------ */

static void send_0(void)
{
	world_send(S, s0, 0);
}

static void send_0_again(void)
{
	world_send(S, s0, 1);
}

static void send_1(void)
{
	world_send(S, s1, 1);
}

static void send_any(void)
{
	world.rc[0] = evc_send(&S->d, s0);
}

static void refill(void)
{
	(void)evc_limit_refill(&S->d);
}

static void close_s0(void)
{
	x_check(!evc_close(&S->d, s0));
}

static void close_s0_and_reuse(void)
{
	close_s0();
	x_check(!evc_bind_interdomain(&S->d, 1, r0, &world.got[2]));
	x_check(world.got[2] == s0);
	x_check(!evc_send(&S->d, s0));
}

static void close_r0(void)
{
	x_check(!evc_close(&R->d, r0));
}

static void unwatch(void)
{
	world.rc[2] = evc_watch_peer(&R->d, r0, false);
}

static void count(void)
{
	struct evc_domain_counters c;

	evc_domain_counters(&S->d, &c);
	x_check(c.all.sent == c.all.posted + c.all.coalesced + c.all.dropped);
}

/* --- what must be true --------------------------------------------------------- */

/* The list has each channel that holds, once, and ends where it says. */
static void check_limit(void)
{
	const struct evc_limit *l = &S->limit;
	uint32_t port, last = 0, n = 0, nr_holding = 0;

	for (port = l->first; port && n <= l->nr_held; port = l->next[port]) {
		x_check(S->channels[0][port].held != EVC_HELD_NOT);
		last = port;
		n++;
	}
	for (port = 1; port < EVC_BUCKET_PORTS; port++)
		nr_holding += S->channels[0][port].held != EVC_HELD_NOT;
	x_check(n == l->nr_held && n == nr_holding && last == l->last);
	x_check(!evb_u32_load(&l->lock.held));
}

static void refill_all(void)
{
	check_limit();
	world_check();
	while (evc_limit_refill(&S->d))
		;
	world_check();
	check_limit();
}

static void check_0(void)
{
	refill_all();
	world_check_seen(R, r0, 1);
}

static void check_0_twice(void)
{
	refill_all();
	world_check_seen(R, r0, 2);
}

static void check_0_1(void)
{
	check_0();
	x_check(R->seen[r1][1] == 1);
}

static void check_closed(void)
{
	refill_all();
	x_check(S->channels[0][s0].state == EVC_ST_FREE);
}

static void check_reused(void)
{
	refill_all();
	x_check(R->runs[r0] >= 1 || evg_is_pending(&R->g, r0));
}

/* R is told that S has closed. */
static void check_watched(void)
{
	world_check();
	x_check(R->runs[r0] >= 1);
}

static void check_unwatched(void)
{
	world_check();
	x_check(!world.rc[2]);
}

static void check_ends(void)
{
	world_check();
	x_check(R->channels[0][r0].state == EVC_ST_FREE);
	x_check(!evg_is_pending(&R->g, r0));
}

#define MODEL(name, setup, a, b, c, check)          \
	{                                           \
		name, setup, {a, b, c}, check, 0, 0 \
	}

const struct x_model models_extra[] = {
	MODEL("limit-send-refill", start_exhausted, send_0, NULL, refill,
	      check_0),
	MODEL("limit-send-refill-send", start_exhausted, send_0, refill,
	      send_0_again, check_0_twice),
	MODEL("limit-held-send-refill-refill", start_held, send_0_again, refill,
	      refill, check_0_twice),
	MODEL("limit-send-refill-send-other", start_exhausted, send_0, refill,
	      send_1, check_0_1),
	MODEL("limit-held-close-refill", start_held, NULL, refill, close_s0,
	      check_closed),
	MODEL("limit-held-reuse-refill", start_held, NULL, refill,
	      close_s0_and_reuse, check_reused),
	MODEL("limit-held-close-peer-refill", start_held, send_any, refill,
	      close_r0, check_ends),
	MODEL("watch-close-ends", start_watched, close_s0, close_r0, NULL,
	      check_ends),
	MODEL("watch-close-send", start_watched, close_s0, send_1, NULL,
	      check_watched),
	MODEL("watch-close-unwatch", start_watched, close_s0, NULL, unwatch,
	      check_unwatched),
	/* Counting locks every channel: too many addresses for PSO. */
	{"count-send-close",
	 start_watched,
	 {send_any, close_r0, count},
	 check_ends,
	 IN_PSO,
	 0},
	{.name = NULL},
};
