/* SPDX-License-Identifier: MIT */
/*
 * What the guest library adds: handlers that come and go, ports that move
 * between vCPUs while events arrive, and handlers that never run twice at a
 * time.  Each actor is a vCPU of R, or a sender.
 */
#include "guest/bind.h"
#include "tests/interleave/models.h"
#include "tests/interleave/world.h"

static evtchn_port_t r0, s0;

static void start(void)
{
	world_start();
	world_connect(R, &r0, S, &s0, 0);
	world_place(0, S, 0);
	world_place(1, R, 0);
	world_place(2, R, 1);
}

static void start_pending(void)
{
	start();
	world_send(S, s0, 0);
}

/* vCPU 0 takes flag and selector, and goes no further. */
static void take_announcement(void)
{
	evb_u32 *info = (evb_u32 *)(void *)R->page;

	world_send(S, s0, 0);
	evb_u32_store(&info[0], 0);
	evb_u32_store(&info[R->g.sel_word], 0);
}

static void start_delivering(void)
{
	start();
	take_announcement();
}

/* The same for a port in a word that a scan does not begin with. */
static void start_delivering_far(void)
{
	world_start_32();
	world_connect_far(R, &r0, S, &s0);
	world_place(1, R, 0);
	world_place(2, R, 1);
	take_announcement();
}

static void start_hvm(void)
{
	start();
	R->g.hvm = true;
	world_place(X_ACTORS, R, 0);
	x_check(!evg_mask(&R->g, r0));
}

static void start_without_handler(void)
{
	start();
	world_place(X_ACTORS, R, 0);
	x_check(!evg_unbind_handler(&R->g, r0));
}

static void start_moved(void)
{
	start_pending();
	world_place(X_ACTORS, R, 0);
	x_check(!evg_bind_vcpu(&R->g, r0, 1));
}

/* --- actors ------------------------------------------------------------------ */

static void send(void)
{
	world_send(S, s0, 0);
}

static void send_more(void)
{
	world_send(S, s0, 1);
}

static void collect_0(void)
{
	world_collect(R, 0);
}

static void collect_1(void)
{
	world_collect(R, 1);
}

static void move(void)
{
	x_check(!evg_bind_vcpu(&R->g, r0, 1));
}

static void move_and_collect(void)
{
	move();
	collect_1();
}

static void collect_both_ways(void)
{
	collect_0();
	collect_0();
}

static void unmask(void)
{
	x_check(!evg_unmask(&R->g, r0));
}

static void bind_handler(void)
{
	x_check(!evg_bind_handler(&R->g, r0, EVG_VCPU_KEEP, world_handler,
				  NULL));
}

static void unbind_handler(void)
{
	x_check(!evg_unbind_handler(&R->g, r0));
	evb_u32_store_relaxed(&world.gone, 1);
}

static void close_port(void)
{
	x_check(!evg_close(&R->g, r0));
	evb_u32_store_relaxed(&world.gone, 1);
}

static void set_pending(void)
{
	evb_u32_store_relaxed(&world.payload[1], 1);
	x_check(!evg_set_pending(&R->g, r0));
}

/* Only the delivery of one port: the upcall has come as far as that. */
static void deliver_0(void)
{
	(void)evg_deliver(&R->gv[0], r0);
}

static void move_send_collect_1(void)
{
	move();
	send_more();
	collect_1();
}

/* --- what must be true --------------------------------------------------------- */

/* Twice: what a vCPU passes on is for one that was looked at before it. */
static void check_seen(void)
{
	world_check();
	world_check();
	world_check_seen(R, r0, 2);
}

/* Unbound: a handler that comes later finds what is pending. */
static void check_unbound(void)
{
	world_check();
	x_check(evb_u32_load(&world.gone));
	evb_u32_store(&world.gone, 0);
	world_place(X_ACTORS, R, 0);
	bind_handler();
	world_check();
	world_check_seen(R, r0, 2);
}

static void check_closed(void)
{
	world_check();
	x_check(!evg_is_pending(&R->g, r0));
}

#define MODEL(name, setup, a, b, c, check)          \
	{                                           \
		name, setup, {a, b, c}, check, 0, 0 \
	}
#define LONG_MODEL(name, setup, a, b, c, check)          \
	{                                                \
		name, setup, {a, b, c}, check, 0, IN_ALL \
	}

const struct x_model models_guest[] = {
	MODEL("guest-move-send", start, send, NULL, move_and_collect,
	      check_seen),
	MODEL("guest-move-send-collect", start, send, collect_0, move,
	      check_seen),
	LONG_MODEL("guest-move-collect-send-collect", start, send, collect_0,
		   move_and_collect, check_seen),
	{"guest-moved-collect-collect",
	 start_moved,
	 {NULL, collect_0, collect_1},
	 check_seen,
	 0,
	 IN_PSO},
	LONG_MODEL("guest-move-while-handled", start_pending, NULL, collect_0,
		   move_and_collect, check_seen),
	MODEL("guest-deliver-move-send-collect", start_delivering, NULL,
	      deliver_0, move_send_collect_1, check_seen),
	/* A scan looks twice at the word it begins with, at others once. */
	MODEL("guest-far-deliver-move-send-collect", start_delivering_far, NULL,
	      deliver_0, move_send_collect_1, check_seen),
	LONG_MODEL("guest-move-while-handled-send", start_pending, send_more,
		   collect_both_ways, move_and_collect, check_seen),
	MODEL("guest-hvm-unmask-send", start_hvm, send, unmask, NULL,
	      check_seen),
	MODEL("guest-hvm-unmask-send-collect", start_hvm, send, collect_0,
	      unmask, check_seen),
	MODEL("guest-bind-handler-send", start_without_handler, send, collect_0,
	      bind_handler, check_seen),
	MODEL("guest-unbind-while-handled", start_pending, NULL, collect_0,
	      unbind_handler, check_unbound),
	MODEL("guest-unbind-send-collect", start, send, collect_0,
	      unbind_handler, check_unbound),
	MODEL("guest-close-send-collect", start, send, collect_0, close_port,
	      check_closed),
	MODEL("guest-set-pending-send-collect", start, send, collect_0,
	      set_pending, check_seen),
	{.name = NULL},
};
