/* SPDX-License-Identifier: MIT */
/*
 * Events under the FIFO ABI.  The reading end is fifo_reader.c.
 *
 * Domain R uses FIFO; r0, r1 are connected to s0, s1 of S, both in the queue
 * of vCPU 0, priority 7, unless a model says otherwise.
 */
#include "tests/interleave/models.h"
#include "tests/interleave/world.h"

static evtchn_port_t r0, s0, r1, s1;

static void start_2l(void)
{
	world_start();
	x_check(!evc_alloc_unbound(&R->d, DOMID_SELF, 2, &r0));
	x_check(!evc_bind_interdomain(&S->d, 1, r0, &s0));
	x_check(!evc_alloc_unbound(&R->d, DOMID_SELF, 2, &r1));
	x_check(!evc_bind_interdomain(&S->d, 1, r1, &s1));
	world_place(0, S, 0);
	world_place(1, R, 0);
	world_place(2, R, 1);
}

static void start(void)
{
	start_2l();
	world_use_fifo(R, true);
}

static void start_without_array(void)
{
	start_2l();
	world_use_fifo(R, false);
}

/* Both ports were in the queue; it is empty, and r0 is still its tail. */
static void start_old_tail(void)
{
	start();
	world_send(S, s1, 3);
	world_send(S, s0, 2);
	world_collect(R, 0);
	R->runs[r0] = R->runs[r1] = 0;
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
	x_check(!evc_set_priority(&R->d, r1, 3));
	world_send(S, s1, 1);
}

static void start_linked_masked(void)
{
	start_linked();
	(void)evb_u32_or(fifo_word(R, r1), 1u << EVTCHN_FIFO_MASKED);
}

static void start_masked(void)
{
	start();
	(void)evb_u32_or(fifo_word(R, r0), 1u << EVTCHN_FIFO_MASKED);
}

/* r0 goes from vCPU 0 to 1 with its next event, r1 the other way. */
static void start_crosswise(void)
{
	start();
	x_check(!evc_bind_vcpu(&R->d, r1, 1));
	world_send(S, s0, 2);
	world_send(S, s1, 3);
	world_collect(R, 0);
	world_collect(R, 1);
	x_check(!evc_bind_vcpu(&R->d, r0, 1));
	x_check(!evc_bind_vcpu(&R->d, r1, 0));
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

static void send_1_again(void)
{
	world_send(S, s1, 2);
}

static void send_0_1(void)
{
	send_0();
	send_1();
}

static void collect(void)
{
	world_collect(R, 0);
}

static void raise_priority(void)
{
	x_check(!evc_set_priority(&R->d, r0, 1));
}

static void move(void)
{
	x_check(!evc_bind_vcpu(&R->d, r0, 1));
}

static void unmask_0(void)
{
	fifo_unmask(R, r0);
}

static void unmask_1(void)
{
	fifo_unmask(R, r1);
}

static void hyper_unmask(void)
{
	x_check(!evc_unmask(&R->d, r0));
}

static void close_0(void)
{
	x_check(!evc_close(&R->d, r0));
}

static void close_and_alloc(void)
{
	close_0();
	x_check(!evc_alloc_unbound(&R->d, DOMID_SELF, 2, &world.got[2]));
}

static void poll_0(void)
{
	(void)world_poll(R, 1, &r0, 1);
}

static void expand(void)
{
	x_check(!evc_expand_array(&R->d, 1));
}

static void expand_collect(void)
{
	expand();
	collect();
}

static void switch_over(void)
{
	world_use_fifo(R, true);
}

static void init_vcpu(uint32_t vcpu)
{
	struct evtchn_init_control c = {.vcpu = vcpu, .offset = vcpu * 128};

	world.rc[1 + vcpu] = evc_init_control(&R->d, &c);
}

static void init_0_expand(void)
{
	init_vcpu(0);
	expand();
}

static void init_1(void)
{
	init_vcpu(1);
}

static void register_info(void)
{
	x_check(!evc_vcpu_register_info(&R->vcpu[0], &R->info));
	collect();
}

static void reset(void)
{
	world.rc[1] = evc_reset(&R->d, DOMID_SELF, false);
}

static void destroy(void)
{
	world.rc[1] = evc_domain_destroy(&R->d);
}

static void send_any(void)
{
	world.rc[0] = evc_send(&S->d, s0);
}

/* --- what must be true --------------------------------------------------------- */

static void check_0(void)
{
	world_check();
	world_check_seen(R, r0, 1);
}

static void check_0_twice(void)
{
	world_check();
	world_check_seen(R, r0, 2);
}

static void check_0_1(void)
{
	world_check();
	x_check(R->seen[r0][0] == 1 && R->seen[r1][1] == 1);
}

static void check_0_1_once(void)
{
	check_0_1();
	x_check(R->runs[r0] == 1 && R->runs[r1] == 1);
}

static void check_1(void)
{
	world_check();
	x_check(R->seen[r1][1] == 1);
}

static void check_1_again(void)
{
	check_1();
	x_check(R->seen[r1][2] == 1);
}

static void check_0_once(void)
{
	check_0();
	x_check(R->runs[r0] == 1);
}

/* A port that is still in a queue is not given out again. */
static void check_reuse(void)
{
	uint32_t word = evb_u32_load(fifo_word(R, world.got[2]));

	x_check(!(word & 1u << EVTCHN_FIFO_LINKED));
	world_check();
	x_check(!R->runs[world.got[2]] || world.got[2] == r0);
}

static void check_poll(void)
{
	world_check();
	x_check(R->wakes[1] <= 1 && !evb_u32_load(&R->asleep[1]));
}

static void check_left(void)
{
	x_check(!fifo_is_used(R) && !R->mapped && !R->d.ports.nr_open);
	x_check(!world.rc[1]);
	world_check();
}

static void check_gone(void)
{
	x_check(!R->mapped && !R->d.ports.nr_open && !world.rc[1]);
	world_check();
}

/* A static port, which a reset leaves open: see core/static.c. */
static struct evc_channel *static_port(void)
{
	return &R->d.ports.bucket[0][r0];
}

static void start_static(void)
{
	start();
	static_port()->fixed = true;
	R->d.ports.nr_fixed = 1;
}

/* What is sent while FIFO is left is in the bitmap that counts now. */
static void check_static(void)
{
	x_check(!fifo_is_used(R) && !R->mapped && R->d.ports.nr_open == 1);
	x_check(!world.rc[0] && !world.rc[1]);
	x_check(evc_deliver_2l.is_pending(&R->d, static_port()));
	world_check();
}

#define MODEL(name, setup, a, b, c, check)          \
	{                                           \
		name, setup, {a, b, c}, check, 0, 0 \
	}
/* All channels of a page are locked: too many addresses for PSO. */
#define WIDE_MODEL(name, setup, a, b, c, check)          \
	{                                                \
		name, setup, {a, b, c}, check, IN_PSO, 0 \
	}
#define LONG_MODEL(name, setup, a, b, c, check)          \
	{                                                \
		name, setup, {a, b, c}, check, 0, IN_ALL \
	}

const struct x_model models_fifo[] = {
	MODEL("fifo-send-collect", start, send_0, collect, NULL, check_0),
	MODEL("fifo-send-send", start, send_0, NULL, send_1, check_0_1_once),
	MODEL("fifo-send-send-same", start, send_0, NULL, send_0_again,
	      check_0_twice),
	MODEL("fifo-send-0-1-collect", start, send_0_1, collect, NULL,
	      check_0_1_once),
	MODEL("fifo-linked-send-collect", start_linked, send_0, collect, NULL,
	      check_0_1_once),
	MODEL("fifo-linked-send-again-collect", start_linked, NULL, collect,
	      send_1_again, check_1_again),
	WIDE_MODEL("fifo-expand-send-collect", start_without_array, send_0,
		   NULL, expand_collect, check_0_once),
	MODEL("fifo-two-queues-send-collect", start_two_queues, send_0, collect,
	      NULL, check_0_1_once),
	MODEL("fifo-old-tail-send-collect", start_old_tail, send_0, collect,
	      send_1, check_0_1_once),
	MODEL("fifo-send-send-collect", start, send_0, collect, send_1,
	      check_0_1_once),
	MODEL("fifo-send-send-same-collect", start, send_0, collect,
	      send_0_again, check_0_twice),
	MODEL("fifo-priority-send", start_old_tail, send_0, NULL,
	      raise_priority, check_0),
	MODEL("fifo-priority-send-send", start_old_tail, send_0, raise_priority,
	      send_1, check_0_1_once),
	MODEL("fifo-priority-send-collect", start_old_tail, send_0, collect,
	      raise_priority, check_0),
	MODEL("fifo-move-send-send", start_old_tail, send_0, move, send_1,
	      check_0_1_once),
	MODEL("fifo-move-crosswise", start_crosswise, send_0, NULL, send_1,
	      check_0_1),
	MODEL("fifo-unmask-send", start_masked, send_0, unmask_0, NULL,
	      check_0),
	MODEL("fifo-hyper-unmask-send", start_masked, send_0, hyper_unmask,
	      NULL, check_0),
	MODEL("fifo-unmask-send-collect", start_masked, send_0, collect,
	      hyper_unmask, check_0),
	MODEL("fifo-unmask-tail-send", start_linked_masked, send_0, unmask_1,
	      NULL, check_0_1),
	LONG_MODEL("fifo-unmask-tail-send-collect", start_linked_masked, send_0,
		   collect, unmask_1, check_0_1),
	MODEL("fifo-close-send", start, send_any, NULL, close_0, check_poll),
	MODEL("fifo-close-send-collect", start_linked, send_any, collect,
	      close_0, check_1),
	MODEL("fifo-close-reuse-collect", start_old_tail, send_any, collect,
	      close_and_alloc, check_reuse),
	MODEL("fifo-poll-send", start_masked, send_0, NULL, poll_0, check_poll),
	WIDE_MODEL("fifo-expand-send", start_without_array, send_0, NULL,
		   expand, check_0),
	WIDE_MODEL("fifo-expand-send-send", start_without_array, send_0, send_1,
		   expand, check_0_1_once),
	WIDE_MODEL("fifo-switch-send", start_2l, send_0, NULL, switch_over,
		   check_0),
	WIDE_MODEL("fifo-init-init-send", start_2l, send_0, init_0_expand,
		   init_1, check_0),
	WIDE_MODEL("fifo-init-destroy", start_2l, NULL, destroy, init_1,
		   check_gone),
	WIDE_MODEL("fifo-init-destroy-send", start_2l, send_any, destroy,
		   init_1, check_gone),
	MODEL("fifo-register-info-send", start, send_0, NULL, register_info,
	      check_0),
	MODEL("fifo-reset-send", start, send_any, reset, NULL, check_left),
	WIDE_MODEL("fifo-leave-static-send", start_static, send_any, reset,
		   NULL, check_static),
	MODEL("fifo-destroy-send", start, send_any, destroy, NULL, check_left),
	{.name = NULL},
};
