/* SPDX-License-Identifier: MIT */
/*
 * Events under the 2-level ABI: sending, masking, collecting, sleeping,
 * polling, and the vcpu_info that moves.  The receiver is domain R with the
 * real guest library, the sender domain S.
 */
#include "tests/interleave/models.h"
#include "tests/interleave/world.h"

/* Two connected pairs: r0 - s0 on vCPU 0 of R, r1 - s1 on vCPU 1 or 0. */
static evtchn_port_t r0, s0, r1, s1;

static void start_pair(void)
{
	world_start();
	world_connect(R, &r0, S, &s0, 0);
	world_place(0, S, 0);
	world_place(1, R, 0);
	world_place(2, R, 1);
}

static void start_two_pairs(void)
{
	start_pair();
	world_connect(R, &r1, S, &s1, 0);
	world_place(2, S, 1);
}

/* The two ports have different selector bits. */
static void start_two_words(void)
{
	world_start_32();
	world_connect(R, &r0, S, &s0, 0);
	world_connect_far(R, &r1, S, &s1);
	world_place(0, S, 0);
	world_place(1, R, 0);
	world_place(2, S, 1);
}

static void start_two_pairs_pending(void)
{
	start_two_pairs();
	world_send(S, s0, 2);
}

static void start_masked(void)
{
	start_pair();
	world_place(X_ACTORS, R, 0);
	x_check(!evg_mask(&R->g, r0));
}

static void start_asleep(void)
{
	start_pair();
	world.hosts_sleep = true;
}

static void start_masked_pending(void)
{
	start_masked();
	world_send(S, s0, 0);
}

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

static void send_three_times(void)
{
	world_send(S, s0, 0);
	world_send(S, s1, 1);
	world_send(S, s0, 2);
}

static void send_1_twice(void)
{
	world_send(S, s1, 1);
	world_send(S, s1, 2);
}

static void send_twice(void)
{
	world_send(S, s0, 0);
	world_send(S, s0, 1);
}

static void collect(void)
{
	world_collect(R, 0);
}

static void run_vcpu(void)
{
	world_run_vcpu(R, 0);
}

static void check_one(void)
{
	world_check();
	world_check_seen(R, r0, 1);
	x_check(!R->runs[0] && !S->runs[s0]);
}

static void check_both(void)
{
	check_one();
	world_check_seen(R, r0, 2);
}

static void check_two_ports(void)
{
	check_one();
	x_check(R->seen[r1][1] == 1);
	x_check(R->runs[r0] == 1 && R->runs[r1] == 1);
}

static void check_three(void)
{
	check_one();
	x_check(R->seen[r1][1] == 1);
	x_check(R->seen[r0][2] == 1 || R->seen[r1][2] == 1);
}

/* --- the payload is not even atomic -------------------------------------------- */

static void plain_handler(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)ctx;
	(void)v;
	R->seen[port][0] = world.plain;
}

static void start_plain(void)
{
	start_pair();
	world_place(X_ACTORS, R, 0);
	x_check(!evg_unbind_handler(&R->g, r0));
	x_check(!evg_bind_handler(&R->g, r0, 0, plain_handler, NULL));
}

static void send_plain(void)
{
	world.plain = 1;
	x_check(!evc_send(&S->d, s0));
}

static void check_plain(void)
{
	world_check();
	x_check(R->seen[r0][0] == 1);
}

/* --- masks --------------------------------------------------------------------- */

static void unmask(void)
{
	x_check(!evg_unmask(&R->g, r0));
}

static void hyper_unmask(void)
{
	x_check(!evc_unmask(&R->d, r0));
}

static void mask(void)
{
	x_check(!evg_mask(&R->g, r0));
}

static void unmask_twice(void)
{
	unmask();
	mask();
	unmask();
}

static void check_masked(void)
{
	world_check();
	world_place(X_ACTORS, R, 0);
	x_check(!evg_unmask(&R->g, r0));
	world_check();
	world_check_seen(R, r0, 1);
}

/* --- polling ------------------------------------------------------------------- */

static void poll_0(void)
{
	(void)world_poll(R, 0, &r0, 1);
}

static void poll_0_on_vcpu_1(void)
{
	(void)world_poll(R, 1, &r0, 1);
}

static void poll_any(void)
{
	const evtchn_port_t ports[2] = {r0, r1};

	(void)world_poll(R, 1, ports, 2);
}

static void poll_and_end(void)
{
	if (world_poll(R, 0, &r0, 1) != EVC_BLOCK)
		return;
	evc_poll_end(&R->vcpu[0]); /* a timeout, say */
	evb_u32_store(&R->asleep[0], 0);
}

/* R polls with its ports masked: nothing is handed out by the checks. */
static void start_poll(void)
{
	start_two_pairs();
	world_place(X_ACTORS, R, 0);
	x_check(!evg_mask(&R->g, r0));
	x_check(!evg_mask(&R->g, r1));
}

/* vCPU 1 sleeps until r1 is pending. */
static void start_poller_asleep(void)
{
	start_poll();
	(void)world_poll(R, 1, &r1, 1);
}

static void check_poll(void)
{
	uint32_t i;

	for (i = 0; i < VCPUS; i++) {
		x_check(R->wakes[i] <= 1);
		x_check(!(evb_u32_load(&R->asleep[i]) &&
			  evg_is_pending(&R->g, r0)));
	}
	world_check();
}

/* --- vcpu_info moves ------------------------------------------------------------- */

static void register_info(void)
{
	x_check(!evg_register_vcpu_info(&R->gv[0], &R->info, 0));
	world_collect(R, 0);
}

const struct x_model models_2l[] = {
	{"2l-send-collect", start_pair, {send_0, collect}, check_one, 0, 0},
	{"2l-send-collect-plain-payload",
	 start_plain,
	 {send_plain, collect},
	 check_plain,
	 0,
	 0},
	{"2l-send-twice-collect",
	 start_pair,
	 {send_twice, collect},
	 check_both,
	 0,
	 0},
	{"2l-send-send-collect",
	 start_pair,
	 {send_0, collect, send_0_again},
	 check_both,
	 0,
	 0},
	{"2l-two-ports-collect",
	 start_two_pairs,
	 {send_0, collect, send_1},
	 check_two_ports,
	 0,
	 0},
	{"2l-send-three-times-collect",
	 start_two_pairs,
	 {send_three_times, collect},
	 check_three,
	 0,
	 0},
	{"2l-two-words-collect",
	 start_two_words,
	 {send_0, collect, send_1},
	 check_two_ports,
	 0,
	 0},
	{"2l-two-words-three-events",
	 start_two_words,
	 {send_0, collect, send_1_twice},
	 check_three,
	 0,
	 0},
	{"2l-pending-two-ports-collect",
	 start_two_pairs_pending,
	 {send_0, collect, send_1},
	 check_three,
	 0,
	 0},
	{"2l-send-block", start_asleep, {send_0, run_vcpu}, check_one, 0, 0},
	{"2l-send-send-block",
	 start_asleep,
	 {send_0, run_vcpu, send_0_again},
	 check_both,
	 0,
	 0},
	{"2l-send-unmask", start_masked, {send_0, unmask}, check_one, 0, 0},
	{"2l-send-hyper-unmask",
	 start_masked,
	 {send_0, hyper_unmask},
	 check_one,
	 0,
	 0},
	{"2l-send-mask", start_pair, {send_0, mask}, check_masked, 0, 0},
	{"2l-send-unmask-mask-unmask",
	 start_masked,
	 {send_0, unmask_twice},
	 check_one,
	 0,
	 0},
	{"2l-unmask-collect",
	 start_masked_pending,
	 {NULL, collect, hyper_unmask},
	 check_one,
	 0,
	 0},
	{"2l-send-unmask-collect",
	 start_masked,
	 {send_0, collect, hyper_unmask},
	 check_one,
	 0,
	 0},
	{"2l-send-poll", start_poll, {send_0, poll_0}, check_poll, 0, 0},
	{"2l-send-poll-end",
	 start_poll,
	 {send_0, poll_and_end},
	 check_poll,
	 0,
	 0},
	{"2l-send-poll-poll",
	 start_poll,
	 {send_0, poll_0, poll_0_on_vcpu_1},
	 check_poll,
	 0,
	 0},
	{"2l-asleep-send-poll-send",
	 start_poller_asleep,
	 {send_0, poll_0, send_1},
	 check_poll,
	 0,
	 0},
	{"2l-send-poll-any",
	 start_poll,
	 {send_0, poll_any, send_1},
	 check_poll,
	 0,
	 0},
	{"2l-send-register-info",
	 start_pair,
	 {send_0, register_info},
	 check_one,
	 0,
	 0},
	{"2l-unmask-register-info",
	 start_masked_pending,
	 {NULL, register_info, hyper_unmask},
	 check_one,
	 0,
	 0},
	{.name = NULL},
};
