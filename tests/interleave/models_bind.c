/* SPDX-License-Identifier: MIT */
/*
 * The life of a channel: opening, binding, closing, moving, reset, destroy,
 * and the sources inside the hypervisor, against each other and against
 * senders.  Core only: what the guest library adds is in models_guest.c.
 */
#include "tests/interleave/models.h"
#include "tests/interleave/world.h"

static evtchn_port_t r0, s0, r1, s1;

static void start(void)
{
	world_start();
	world_place(0, S, 0);
	world_place(1, R, 0);
	world_place(2, R, 1);
}

/* Connected, and unmasked without a handler: the check looks at the bits. */
static void start_pair(void)
{
	start();
	x_check(!evc_alloc_unbound(&R->d, DOMID_SELF, 2, &r0));
	x_check(!evc_bind_interdomain(&S->d, 1, r0, &s0));
	world_place(X_ACTORS, S, 0);
	(void)evg_upcall(&S->gv[0]);
	x_check(!evc_unmask(&R->d, r0));
	x_check(!evc_unmask(&S->d, s0));
	x_check(!evg_clear_pending(&S->g, s0));
}

static void start_two_pairs(void)
{
	start_pair();
	x_check(!evc_alloc_unbound(&R->d, DOMID_SELF, 2, &r1));
	x_check(!evc_bind_interdomain(&S->d, 1, r1, &s1));
}

static void start_unbound(void)
{
	start();
	x_check(!evc_alloc_unbound(&R->d, DOMID_SELF, 2, &r0));
	x_check(!evc_unmask(&R->d, r0));
}

static struct evc_channel *channel(struct side *s, evtchn_port_t port)
{
	return &s->channels[port / EVC_BUCKET_PORTS][port % EVC_BUCKET_PORTS];
}

/* --- actors ------------------------------------------------------------------ */

static void send_0(void)
{
	world.rc[0] = evc_send(&S->d, s0);
}

static void send_back(void)
{
	world.rc[1] = evc_send(&R->d, r0);
}

static void close_r0(void)
{
	world.rc[1] = evc_close(&R->d, r0);
}

static void close_r0_too(void)
{
	world.rc[2] = evc_close(&R->d, r0);
}

static void close_s0(void)
{
	world.rc[0] = evc_close(&S->d, s0);
}

static void bind_s(void)
{
	world.rc[0] = evc_bind_interdomain(&S->d, 1, r0, &world.got[0]);
}

static void bind_s_too(void)
{
	world.rc[2] = evc_bind_interdomain(&S->d, 1, r0, &world.got[2]);
}

static void bind_and_send(void)
{
	bind_s_too();
	if (!world.rc[2])
		(void)evc_send(&S->d, world.got[2]);
}

/* S has a free port below s0: a new binding does not get s0's number. */
static void start_gap(void)
{
	evtchn_port_t gap;

	start();
	x_check(!evc_bind_ipi(&S->d, 0, &gap));
	x_check(!evc_alloc_unbound(&R->d, DOMID_SELF, 2, &r0));
	x_check(!evc_bind_interdomain(&S->d, 1, r0, &s0));
	x_check(!evc_close(&S->d, gap));
	x_check(!evg_clear_pending(&S->g, s0));
}

/* R binds a port of S, S one of R: the two locks of each, crosswise. */
static void start_crosswise(void)
{
	start_unbound();
	x_check(!evc_alloc_unbound(&S->d, DOMID_SELF, 1, &s0));
}

static void bind_r_to_s0(void)
{
	world.rc[1] = evc_bind_interdomain(&R->d, 2, s0, &world.got[1]);
}

static void alloc_r(void)
{
	world.rc[2] = evc_alloc_unbound(&R->d, DOMID_SELF, 2, &world.got[2]);
}

static void alloc_r_too(void)
{
	world.rc[1] = evc_alloc_unbound(&R->d, DOMID_SELF, 2, &world.got[1]);
}

static void alloc_for_r(void)
{
	world.rc[0] = evc_alloc_unbound(&S->d, 1, 2, &world.got[0]);
}

static void close_and_alloc(void)
{
	close_r0();
	alloc_r();
}

static void move_r0(void)
{
	world.rc[2] = evc_bind_vcpu(&R->d, r0, 1);
}

static void status_r0(void)
{
	struct evtchn_status st = {.dom = 1, .port = r0};

	world.rc[2] = evc_status(&R->d, &st);
	if (st.status == EVTCHNSTAT_interdomain)
		x_check(st.u.interdomain.dom == 2 &&
			st.u.interdomain.port == s0);
}

static void reset_r(void)
{
	world.rc[1] = evc_reset(&R->d, DOMID_SELF, false);
}

static void reset_r_too(void)
{
	world.rc[2] = evc_reset(&R->d, DOMID_SELF, false);
}

static void destroy_r(void)
{
	world.rc[1] = evc_domain_destroy(&R->d);
}

static void destroy_s(void)
{
	world.rc[0] = evc_domain_destroy(&S->d);
}

static void register_info(void)
{
	world.rc[1] = evc_vcpu_register_info(&R->vcpu[0], &R->info);
}

static void register_info_too(void)
{
	world.rc[2] = evc_vcpu_register_info(&R->vcpu[0], &R->info);
}

/* --- what must be true --------------------------------------------------------- */

static void check_send_close(void)
{
	world_check();
	x_check(!world.rc[0] && !world.rc[1]);
	x_check(channel(R, r0)->state == EVC_ST_FREE);
	x_check(channel(S, s0)->state == EVC_ST_UNBOUND);
	x_check(!evg_is_pending(&R->g, r0));
}

static void check_both_send_close(void)
{
	world_check();
	x_check(channel(S, s0)->state == EVC_ST_FREE);
	x_check(channel(R, r0)->state == EVC_ST_UNBOUND);
}

static void check_close_close(void)
{
	world_check();
	x_check(!world.rc[0] && !world.rc[1]);
	x_check(channel(R, r0)->state == EVC_ST_FREE);
	x_check(channel(S, s0)->state == EVC_ST_FREE);
}

/* Whoever bound to r0 in between has lost it again, and may have port s0. */
static void check_close_bind(void)
{
	world_check();
	x_check(!world.rc[0] && !world.rc[1]);
	x_check(channel(R, r0)->state == EVC_ST_FREE);
	if (!world.rc[2])
		x_check(channel(S, world.got[2])->state == EVC_ST_UNBOUND);
}

static void check_one_close(void)
{
	world_check();
	x_check(!world.rc[1] != !world.rc[2]);
	x_check(channel(R, r0)->state == EVC_ST_FREE);
}

/* The new port is another channel: no event of the old one is on it. */
static void check_reuse(void)
{
	world_check();
	x_check(!world.rc[1] && !world.rc[2] && world.got[2] == r0);
	x_check(channel(R, r0)->state == EVC_ST_UNBOUND);
	x_check(!evg_is_pending(&R->g, r0));
}

static void check_one_bind(void)
{
	world_check();
	x_check(!world.rc[0] != !world.rc[2]);
	x_check(channel(R, r0)->state == EVC_ST_INTERDOMAIN);
}

static void check_crosswise(void)
{
	world_check();
	x_check(!world.rc[0] && !world.rc[1]);
	x_check(world.got[0] != s0 && world.got[1] != r0);
	x_check(channel(R, r0)->u.peer == channel(S, world.got[0]));
}

static void check_bind_close(void)
{
	bool closed_first = world.rc[0] != 0;

	world_check();
	x_check(!world.rc[1]);
	x_check(channel(R, r0)->state == EVC_ST_FREE);
	if (!closed_first)
		x_check(channel(S, world.got[0])->state == EVC_ST_UNBOUND);
}

/* An event sent before the connection is not lost: the binder is pending. */
static void check_send_bind(void)
{
	world_check();
	x_check(!world.rc[0] && !world.rc[1]);
	x_check(evg_is_pending(&S->g, world.got[0]));
}

static void check_alloc(void)
{
	world_check();
	x_check(!world.rc[0] && !world.rc[1] && !world.rc[2]);
	x_check(world.got[1] != world.got[2] && world.got[0] != world.got[1] &&
		world.got[0] != world.got[2]);
	x_check(world.got[0] + world.got[1] + world.got[2] == 1 + 2 + 3);
}

static void check_move(void)
{
	world_check();
	x_check(!world.rc[0] && !world.rc[2]);
	x_check(evg_is_pending(&R->g, r0));
}

static void check_any(void)
{
	world_check();
}

static void check_reset(void)
{
	world_check();
	x_check(!world.rc[1]);
	x_check(!R->d.ports.nr_open);
	x_check(!evg_is_pending(&R->g, r0));
}

static void check_one_reset(void)
{
	world_check();
	x_check(!world.rc[1] || !world.rc[2]);
	x_check(!R->d.ports.nr_open && !R->d.reset_next);
}

static void check_one_info(void)
{
	world_check();
	x_check(!world.rc[1] != !world.rc[2]);
}

static void check_destroy(void)
{
	world_check();
	x_check(!world.rc[1]);
	x_check(!R->d.ports.nr_open);
}

/* --- the port table grows --------------------------------------------------------- */

static evtchn_port_t port_64;

static void start_full(void)
{
	uint32_t i;

	start();
	for (i = 1; i < EVC_BUCKET_PORTS; i++)
		x_check(!evc_bind_ipi(&R->d, 0, &port_64));
	world_place(X_ACTORS, R, 0);
}

static void grow(void)
{
	world.rc[1] = evc_bind_ipi(&R->d, 1, &world.got[1]);
}

static void send_64(void)
{
	world.rc[2] = evc_send(&R->d, EVC_BUCKET_PORTS);
}

static void check_grow(void)
{
	x_check(!world.rc[1] && world.got[1] == EVC_BUCKET_PORTS);
	x_check(!world.rc[2] == evb_test_bit(R->g.pending, EVC_BUCKET_PORTS));
	x_check(!world.rc[2] || world.rc[2] == -XEN_EINVAL);
	world_check();
}

/* --- sources inside the hypervisor ------------------------------------------------- */

static void start_virq(void)
{
	start();
	x_check(!evc_bind_virq(&R->d, VIRQ_TIMER, 0, &r0));
	x_check(!evc_unmask(&R->d, r0));
}

static void raise_timer(void)
{
	evc_virq_raise(&R->vcpu[0], VIRQ_TIMER);
}

static void rebind_virq(void)
{
	close_r0();
	world.rc[2] = evc_bind_ipi(&R->d, 1, &world.got[2]);
	x_check(!evc_bind_virq(&R->d, VIRQ_TIMER, 0, &world.got[1]));
}

/* The event is the VIRQ's or nobody's, never the IPI's that has its port. */
static void check_rebind(void)
{
	world_check();
	x_check(world.got[2] == r0 && !evg_is_pending(&R->g, r0));
}

static void check_closed(void)
{
	world_check();
	x_check(!evg_is_pending(&R->g, r0));
}

static void start_pirq(void)
{
	start();
	x_check(!evc_bind_pirq(&R->d, 1, 0, &r0));
	x_check(!evc_unmask(&R->d, r0));
}

static void raise_pirq(void)
{
	evc_pirq_raise(&R->d, 1);
}

static void rebind_pirq(void)
{
	close_r0();
	x_check(!evc_bind_pirq(&R->d, 1, 0, &world.got[1]));
}

static void check_pirq(void)
{
	world_check();
	x_check(R->pirq_bound[1]);
}

static void start_handler(void)
{
	start();
	evc_machine_set_hwdom(&world.machine, &R->d);
}

static void name_s(void)
{
	world.rc[0] = evc_virq_set_handler(&S->d, VIRQ_CONSOLE);
}

static void bind_console(void)
{
	world.rc[1] = evc_bind_virq(&R->d, VIRQ_CONSOLE, 0, &world.got[1]);
}

static void raise_console(void)
{
	evc_virq_raise_global(&world.machine, VIRQ_CONSOLE);
}

/* Either S is the handler now, or R has it bound. */
static void check_handler(void)
{
	world_check();
	x_check(!world.rc[0] != !world.rc[1]);
}

/* --- ends the hypervisor owns ------------------------------------------------------- */

static void consume(struct evc_vcpu *v, evtchn_port_t port)
{
	(void)v;
	x_check(port == r0);
	world.consumed++;
}

static void start_consumer(void)
{
	start();
	x_check(!evc_consumer_alloc(&R->d, 0, 2, consume, &r0));
	x_check(!evc_bind_interdomain(&S->d, 1, r0, &s0));
	x_check(!evc_unmask(&S->d, s0));
	x_check(!evg_clear_pending(&S->g, s0));
}

static void free_consumer(void)
{
	world.rc[1] = evc_consumer_free(&R->d, r0);
}

static void notify_consumer(void)
{
	evc_consumer_notify(&R->d, r0);
}

static void check_consumer(void)
{
	world_check();
	x_check(!world.rc[0] && world.consumed <= 1);
}

#define MODEL(name, setup, a, b, c, check)          \
	{                                           \
		name, setup, {a, b, c}, check, 0, 0 \
	}

const struct x_model models_bind[] = {
	MODEL("send-close", start_pair, send_0, close_r0, NULL,
	      check_send_close),
	MODEL("send-close-own", start_pair, close_s0, send_back, NULL,
	      check_both_send_close),
	MODEL("close-close-ends", start_pair, close_s0, close_r0, NULL,
	      check_close_close),
	MODEL("close-close-same", start_pair, NULL, close_r0, close_r0_too,
	      check_one_close),
	MODEL("close-ends-send-back", start_pair, close_s0, send_back,
	      close_r0_too, check_any),
	MODEL("send-close-reuse", start_pair, send_0, close_and_alloc, NULL,
	      check_reuse),
	MODEL("close-ends-bind", start_pair, close_s0, close_r0, bind_s_too,
	      check_close_bind),
	MODEL("close-ends-bind-send", start_gap, close_s0, close_r0,
	      bind_and_send, check_close_bind),
	MODEL("bind-bind", start_unbound, bind_s, NULL, bind_s_too,
	      check_one_bind),
	MODEL("bind-crosswise", start_crosswise, bind_s, bind_r_to_s0, NULL,
	      check_crosswise),
	MODEL("bind-close", start_unbound, bind_s, close_r0, NULL,
	      check_bind_close),
	MODEL("bind-send", start_unbound, bind_s, send_back, NULL,
	      check_send_bind),
	MODEL("bind-send-close", start_unbound, bind_s, send_back, close_r0_too,
	      check_any),
	MODEL("alloc-alloc-alloc", start, alloc_for_r, alloc_r_too, alloc_r,
	      check_alloc),
	MODEL("alloc-close", start_pair, NULL, close_r0, alloc_r, check_any),
	/* A new bucket is more addresses than the explorer's PSO has room for. */
	{"grow-send", start_full, {NULL, grow, send_64}, check_grow, IN_PSO, 0},
	MODEL("send-bind-vcpu", start_pair, send_0, NULL, move_r0, check_move),
	MODEL("bind-vcpu-close", start_pair, send_0, close_r0, move_r0,
	      check_any),
	MODEL("status-close-ends", start_pair, close_s0, close_r0, status_r0,
	      check_close_close),
	MODEL("send-reset", start_pair, send_0, reset_r, NULL, check_reset),
	MODEL("send-reset-two", start_two_pairs, send_0, reset_r, NULL,
	      check_reset),
	MODEL("reset-reset", start_pair, send_0, reset_r, reset_r_too,
	      check_one_reset),
	MODEL("reset-alloc", start_pair, NULL, reset_r, alloc_r, check_any),
	MODEL("bind-reset", start_unbound, bind_s, reset_r, NULL, check_reset),
	MODEL("register-register", start_pair, send_0, register_info,
	      register_info_too, check_one_info),
	MODEL("send-destroy", start_pair, send_0, destroy_r, NULL,
	      check_destroy),
	MODEL("bind-destroy", start_unbound, bind_s, destroy_r, NULL,
	      check_destroy),
	MODEL("destroy-destroy-ends", start_pair, destroy_s, destroy_r, NULL,
	      check_destroy),
	MODEL("destroy-alloc", start_pair, alloc_for_r, destroy_r, alloc_r,
	      check_destroy),
	MODEL("virq-close", start_virq, raise_timer, close_r0, NULL,
	      check_closed),
	MODEL("virq-rebind", start_virq, raise_timer, rebind_virq, NULL,
	      check_rebind),
	MODEL("virq-destroy", start_virq, raise_timer, destroy_r, NULL,
	      check_destroy),
	MODEL("pirq-rebind", start_pirq, raise_pirq, rebind_pirq, NULL,
	      check_pirq),
	MODEL("pirq-rebind-move", start_pirq, raise_pirq, rebind_pirq, move_r0,
	      check_pirq),
	MODEL("handler-bind", start_handler, name_s, bind_console, NULL,
	      check_handler),
	MODEL("handler-bind-raise", start_handler, name_s, bind_console,
	      raise_console, check_handler),
	MODEL("consumer-send-free", start_consumer, send_0, free_consumer, NULL,
	      check_consumer),
	MODEL("consumer-notify-free", start_consumer, close_s0, free_consumer,
	      notify_consumer, check_any),
	{.name = NULL},
};
