/* SPDX-License-Identifier: MIT */
/*
 * The guest library under the FIFO ABI: guest/collect_fifo.c and guest/fifo.c
 * against the core.  models_fifo.c has the core against a reader that does no
 * more than the ABI asks for.
 */
#include <evg/fifo.h>

#include "tests/interleave/models.h"
#include "tests/interleave/world.h"

static evtchn_port_t r0, s0, r1, s1;

static void start_2l(void)
{
	world.lend_guest_fifo = true;
	world_start();
	world_connect(R, &r0, S, &s0, 0);
	world_connect(R, &r1, S, &s1, 0);
	world_place(0, S, 0);
	world_place(1, R, 0);
	world_place(2, R, 1);
	world_place(X_ACTORS, R, 0);
}

static void start(void)
{
	start_2l();
	x_check(!evg_fifo_start(&R->g));
}

static void start_linked(void)
{
	start();
	world_send(S, s1, 1);
}

/* r1 waits in a queue of higher priority. */
static void start_two_queues(void)
{
	start();
	x_check(!evg_set_priority(&R->g, r1, 3));
	world_send(S, s1, 1);
}

static void start_masked(void)
{
	start();
	x_check(!evg_mask(&R->g, r0));
}

/* FIFO, but nothing was unmasked: the first page is still to be given. */
static void start_without_page(void)
{
	start_2l();
	x_check(!evg_unbind_handler(&R->g, r0));
	x_check(!evg_unbind_handler(&R->g, r1));
	x_check(!evg_bind_vcpu(&R->g, r1, 1));
	x_check(!evg_fifo_start(&R->g));
	x_check(!R->fifo.nr_pages);
}

/* --- actors ------------------------------------------------------------------ */

static void send_0(void)
{
	world_send(S, s0, 0);
}

static void send_1(void)
{
	world_send(S, s1, 1);
}

static void collect_0(void)
{
	world_collect(R, 0);
}

static void collect_1(void)
{
	world_collect(R, 1);
}

static void unmask_0(void)
{
	x_check(!evg_unmask(&R->g, r0));
}

static void mask_unmask_1(void)
{
	x_check(!evg_mask(&R->g, r1));
	x_check(!evg_unmask(&R->g, r1));
}

static void move_0(void)
{
	x_check(!evg_bind_vcpu(&R->g, r0, 1));
}

static void move_and_collect(void)
{
	move_0();
	collect_1();
}

static void unbind_0(void)
{
	x_check(!evg_unbind_handler(&R->g, r0));
	evb_u32_store_relaxed(&world.gone, 1);
}

static void close_0(void)
{
	x_check(!evg_close(&R->g, r0));
	evb_u32_store_relaxed(&world.gone, 1);
}

static void switch_over(void)
{
	x_check(!evg_fifo_start(&R->g));
}

static void bind_0(void)
{
	x_check(!evg_bind_handler(&R->g, r0, EVG_VCPU_KEEP, world_handler,
				  NULL));
}

/* What another vCPU's own hypercalls may do meanwhile. */
static void unmask_1_and_collect(void)
{
	x_check(!evc_unmask(&R->d, r1));
	collect_1();
}

/* --- what must be true --------------------------------------------------------- */

static void check_0(void)
{
	world_check();
	world_check();
	world_check_seen(R, r0, 1);
	x_check(!evb_u32_load(&R->gv[0].nr_bad_links));
	x_check(!evb_u32_load(&R->gv[1].nr_bad_links));
}

static void check_0_1(void)
{
	check_0();
	x_check(R->seen[r1][1] == 1);
}

static void check_unbound(void)
{
	world_check();
	evb_u32_store(&world.gone, 0);
	world_place(X_ACTORS, R, 0);
	bind_0();
	check_0();
}

static void check_closed(void)
{
	world_check();
	x_check(evb_u32_load(&world.gone));
}

/* r1 has no handler: it stays pending, masked by whoever met it. */
static void check_page(void)
{
	check_0();
	x_check(evg_is_pending(&R->g, r1));
}

#define IN_TSO (1u << X_TSO)

#define MODEL(name, setup, a, b, c, check)          \
	{                                           \
		name, setup, {a, b, c}, check, 0, 0 \
	}
/* A page is filled, word by word: too much for a store buffer. */
#define PAGE_MODEL(name, setup, a, b, c, check)                   \
	{                                                         \
		name, setup, {a, b, c}, check, IN_TSO | IN_PSO, 0 \
	}

const struct x_model models_guest_fifo[] = {
	MODEL("gfifo-send-collect", start, send_0, collect_0, NULL, check_0),
	MODEL("gfifo-linked-send-collect", start_linked, send_0, collect_0,
	      NULL, check_0_1),
	MODEL("gfifo-two-queues-collect", start_two_queues, send_0, collect_0,
	      NULL, check_0_1),
	MODEL("gfifo-send-unmask", start_masked, send_0, NULL, unmask_0,
	      check_0),
	MODEL("gfifo-send-unmask-collect", start_masked, send_0, collect_0,
	      unmask_0, check_0),
	MODEL("gfifo-linked-mask-unmask-collect", start_linked, NULL, collect_0,
	      mask_unmask_1, check_0_1),
	MODEL("gfifo-linked-send-mask-unmask", start_linked, send_0, NULL,
	      mask_unmask_1, check_0_1),
	MODEL("gfifo-move-send", start, send_0, NULL, move_and_collect,
	      check_0),
	MODEL("gfifo-move-send-collect", start, send_0, collect_0, move_0,
	      check_0),
	MODEL("gfifo-unbind-send-collect", start, send_0, collect_0, unbind_0,
	      check_unbound),
	MODEL("gfifo-close-send-collect", start, send_0, collect_0, close_0,
	      check_closed),
	PAGE_MODEL("gfifo-switch-send", start_2l, send_0, switch_over, NULL,
		   check_0),
	PAGE_MODEL("gfifo-page-send", start_without_page, send_0, bind_0, NULL,
		   check_0),
	PAGE_MODEL("gfifo-page-send-other", start_without_page, send_1, bind_0,
		   unmask_1_and_collect, check_page),
	{.name = NULL},
};
