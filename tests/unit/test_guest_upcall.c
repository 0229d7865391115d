/* SPDX-License-Identifier: MIT */
/*
 * Upcalls and several vCPUs: the budget, ports that move, handlers that run
 * while others want them gone: guest/upcall.c and bind.c.
 */
#include "test_guest_platform.h"

#include <pthread.h>

#include "guest/collect.h"

/* --- upcalls -------------------------------------------------------------- */

static void upcall_without_flag_is_spurious(void **state)
{
	(void)state;
	live_ports(1);
	(void)evb_test_and_set_bit(guest.pending, 1);
	(void)evb_test_and_set_bit(selector(0), 0);
	assert_int_equal(upcall(0), 0);
	assert_int_equal(vcpu[0].nr_spurious.v, 1);
	assert_int_equal(vcpu[0].nr_upcalls.v, 0);
}

static void upcall_counts(void **state)
{
	(void)state;
	live_ports(2);
	post(1);
	post(2);
	assert_true(evg_upcall_is_pending(&vcpu[0]));
	assert_int_equal(upcall(0), 2);
	assert_false(evg_upcall_is_pending(&vcpu[0]));
	assert_int_equal(vcpu[0].nr_upcalls.v, 1);
	assert_int_equal(vcpu[0].nr_handled.v, 2);
	assert_int_equal(vcpu[0].nr_exhausted.v, 0);
}

static void upcall_of_a_vcpu_without_info_does_nothing(void **state)
{
	(void)state;
	config.layout = EVG_LAYOUT_ARM;
	start_guest();
	assert_false(evg_upcall_is_pending(&vcpu[1]));
	assert_int_equal(evg_upcall(&vcpu[1]), 0);
}

/* An ops table that sends from between two steps of evg_upcall(). */
static struct evg_collect between;
static evtchn_port_t late;

static void begin_then_post(struct evg_vcpu *v)
{
	evg_plat_relax();
	evg_collect_2l.begin(v);
	if (late)
		post(late);
	late = 0;
}

/* MO-UPCALL: what comes after the selector was taken sets the flag again. */
static void event_after_the_selector_was_taken_is_not_lost(void **state)
{
	(void)state;
	live_ports(200);
	between = evg_collect_2l;
	between.begin = begin_then_post;
	guest.collect = &between;
	late = 199;
	post(1);
	assert_int_equal(upcall(0), 2);
	ASSERT_SEEN(1, 199);
	assert_int_equal(flag(0), 0);
}

static void budget_used_up_leaves_flag_and_selector_set(void **state)
{
	(void)state;
	config.budget = 2;
	start_guest();
	live_ports(130);
	post(1);
	post(2);
	post(130);
	assert_int_equal(upcall(0), 2);
	ASSERT_SEEN(1, 2);
	assert_true(evg_upcall_is_pending(&vcpu[0]));
	assert_true(evb_test_bit(selector(0), word_of(130)));
	assert_int_equal(vcpu[0].nr_exhausted.v, 1);
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(1, 2, 130);
}

static void storm(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	record(v, port, ctx);
	post(port);
}

static void storm_is_bounded_and_spares_the_others(void **state)
{
	evtchn_port_t p;

	(void)state;
	config.budget = 10;
	start_guest();
	open_ports(4);
	for (p = 1; p <= 3; p++)
		assert_int_equal(evg_bind_handler(&guest, p, 0, storm, NULL),
				 0);
	bind_recorder(4);
	for (p = 1; p <= 4; p++)
		post(p);
	assert_int_equal(upcall(0), 10);
	ASSERT_SEEN(1, 2, 3, 4, 1, 2, 3, 1, 2, 3);
	assert_true(evg_upcall_is_pending(&vcpu[0]));
}

/* A flag that is set over and over with nothing behind it. */
static void raise_for_nothing(struct evg_vcpu *v)
{
	seen.n++;
	evg_collect_2l.begin(v);
	set_flag(v->id, 1);
}

static void rounds_for_nothing_are_bounded(void **state)
{
	(void)state;
	config.budget = 5;
	start_guest();
	between = evg_collect_2l;
	between.begin = raise_for_nothing;
	guest.collect = &between;
	set_flag(0, 1);
	assert_int_equal(upcall(0), 0);
	assert_int_equal(seen.n, 5);
	assert_int_equal(flag(0), 1);
}

static void upcalls_of_one_port_are_round_robin(void **state)
{
	static const evtchn_port_t order[] = {1, 2, 130, 1, 2, 130, 1};
	unsigned int i;

	(void)state;
	config.budget = 1;
	start_guest();
	live_ports(130);
	for (i = 0; i < 7; i++) {
		post(1);
		post(2);
		post(130);
		assert_int_equal(upcall(0), 1);
		assert_int_equal(seen.port[i], order[i]);
	}
}

/* --- moving --------------------------------------------------------------- */

static void bind_vcpu_moves_future_events(void **state)
{
	(void)state;
	live_ports(1);
	assert_int_equal(evg_bind_vcpu(&guest, 1, 2), 0);
	assert_int_equal(last_call()->arg.bind_vcpu.vcpu, 2);
	post(1);
	assert_int_equal(upcall(0), 0);
	assert_int_equal(upcall(2), 1);
	assert_int_equal(seen.vcpu[0], 2);
}

static void check_masked(unsigned int nr, unsigned int cmd)
{
	(void)nr;
	if (cmd == EVTCHNOP_bind_vcpu)
		assert_true(evb_test_bit(guest.mask, 1));
}

static void bind_vcpu_is_done_masked(void **state)
{
	(void)state;
	live_ports(1);
	xen.during_hypercall = check_masked;
	assert_int_equal(evg_bind_vcpu(&guest, 1, 2), 0);
	assert_int_equal(calls(EVTCHNOP_bind_vcpu, 1), 1);
	assert_false(evg_is_masked(&guest, 1));
}

static void bind_vcpu_raises_a_pending_event_again(void **state)
{
	(void)state;
	live_ports(1);
	post(1);
	assert_int_equal(evg_bind_vcpu(&guest, 1, 2), 0);
	assert_int_equal(flag(2), 1);
	assert_int_equal(upcall(2), 1);
	assert_int_equal(upcall(0), 0); /* its selector was for nothing */
}

static void bind_vcpu_of_a_masked_port_leaves_it_masked(void **state)
{
	(void)state;
	live_ports(1);
	(void)evg_mask(&guest, 1);
	post(1);
	assert_int_equal(evg_bind_vcpu(&guest, 1, 2), 0);
	assert_true(evg_is_masked(&guest, 1));
	assert_int_equal(upcall(2), 0);
	assert_int_equal(evg_unmask(&guest, 1), 0);
	assert_int_equal(upcall(2), 1);
}

static void bind_vcpu_errors_change_nothing(void **state)
{
	evtchn_port_t port;

	(void)state;
	assert_int_equal(evg_bind_ipi(&guest, 1, &port), 0);
	bind_recorder(port);
	assert_int_equal(evg_bind_vcpu(&guest, port, NR_VCPUS), -XEN_ENOENT);
	post(port);
	assert_int_equal(evg_bind_vcpu(&guest, port, 2), -XEN_EINVAL);
	assert_false(evg_is_masked(&guest, port));
	assert_int_equal(upcall(2), 0);
	assert_int_equal(upcall(1), 1);
}

/* A sender that looked up vCPU 0 before the move and posts after it. */
static void event_announced_on_the_old_vcpu_is_passed_on(void **state)
{
	(void)state;
	live_ports(1);
	assert_int_equal(evg_bind_vcpu(&guest, 1, 2), 0);
	post_to(0, 1);
	assert_int_equal(flag(2), 0);
	assert_int_equal(upcall(0), 0);
	assert_int_equal(vcpu[0].nr_passed.v, 1);
	assert_int_equal(flag(2), 1);
	assert_int_equal(upcall(2), 1);
	ASSERT_SEEN(1);
	assert_false(evg_is_masked(&guest, 1));
}

static void event_on_the_old_vcpu_of_a_masked_port_stays_masked(void **state)
{
	(void)state;
	live_ports(1);
	assert_int_equal(evg_bind_vcpu(&guest, 1, 2), 0);
	post_to(0, 1);
	(void)evg_mask(&guest, 1);
	assert_int_equal(upcall(0), 0);
	assert_true(evg_is_masked(&guest, 1));
	assert_int_equal(flag(2), 0);
}

/* Both are told, vCPU 0 because of port 2; it comes first and keeps off. */
static void event_the_new_vcpu_will_see_is_left_to_it(void **state)
{
	(void)state;
	live_ports(2);
	assert_int_equal(evg_bind_vcpu(&guest, 1, 2), 0);
	post(1);
	post(2);
	xen.nr_calls = 0;
	assert_int_equal(upcall(0), 1);
	assert_int_equal(xen.nr_calls, 0);
	assert_int_equal(upcall(2), 1);
	ASSERT_SEEN(2, 1);
}

static void bind_vcpu_back_makes_the_port_ours_again(void **state)
{
	(void)state;
	live_ports(1);
	assert_int_equal(evg_bind_vcpu(&guest, 1, 2), 0);
	assert_int_equal(evg_bind_vcpu(&guest, 1, 0), 0);
	post(1);
	assert_int_equal(upcall(0), 1);
	assert_int_equal(vcpu[0].nr_passed.v, 0);
}

/* Ports of several vCPUs in one word: nobody touches the others'. */
static void ports_of_other_vcpus_are_left_to_them(void **state)
{
	evtchn_port_t port[NR_VCPUS];
	uint32_t i;

	(void)state;
	for (i = 0; i < NR_VCPUS; i++) {
		assert_int_equal(evg_bind_virq(&guest, VIRQ_TIMER, i, &port[i]),
				 0);
		bind_recorder(port[i]);
	}
	for (i = 0; i < NR_VCPUS; i++)
		post(port[i]);
	xen.nr_calls = 0;
	for (i = NR_VCPUS; i-- > 0;) {
		assert_int_equal(upcall(i), 1);
		assert_int_equal(seen.vcpu[seen.n - 1], i);
	}
	assert_int_equal(xen.nr_calls, 0);
}

/* While vCPU 0 is in the handler: move the port to vCPU 2, send, run that. */
static void move_and_send(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	record(v, port, ctx);
	if (seen.n > 1)
		return;
	assert_int_equal(evg_bind_vcpu(&guest, port, 2), 0);
	post(port);
	assert_int_equal(upcall(2), 0); /* not at the same time */
	assert_int_equal(seen.n, 1);
	assert_int_equal(flag(2), 0);
}

/* Port 70 is in a word that vCPU 0 looks at once: it does not see it again. */
static void handler_never_runs_on_two_vcpus_and_no_event_is_lost(void **state)
{
	(void)state;
	open_ports(70);
	assert_int_equal(evg_bind_handler(&guest, 70, 0, move_and_send, NULL),
			 0);
	post(70);
	assert_int_equal(upcall(0), 1);
	assert_int_equal(flag(2), 1); /* announced when vCPU 0 was done */
	assert_int_equal(upcall(2), 1);
	assert_int_equal(seen.vcpu[1], 2);
}

/* Between two bits of vCPU 0's round, vCPU 1 closes and reopens the second. */
static void reopen(struct evg_vcpu *v)
{
	evg_collect_2l.begin(v);
	current = 1;
	assert_int_equal(evg_close(&guest, 2), 0);
	open_ports(1);
	assert_int_equal(evg_bind_handler(&guest, 2, 1, record, NULL), 0);
	current = 0;
}

static void event_of_a_closed_port_does_not_reach_its_successor(void **state)
{
	(void)state;
	live_ports(2);
	post(1);
	post(2);
	between = evg_collect_2l;
	between.begin = reopen;
	guest.collect = &between;
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(1);
}

/* next() chose the port; before the handler is called somebody clears it. */
static bool next_then_clear(struct evg_vcpu *v, evtchn_port_t *port)
{
	bool more = evg_collect_2l.next(v, port);

	if (more)
		(void)evg_clear_pending(&guest, *port);
	return more;
}

static void event_cleared_after_it_was_seen_is_not_delivered(void **state)
{
	(void)state;
	live_ports(1);
	post(1);
	between = evg_collect_2l;
	between.next = next_then_clear;
	guest.collect = &between;
	assert_int_equal(upcall(0), 0);
	assert_int_equal(evg_port_count(&guest, 1), 0);
}

/* next() chose the port; before it is delivered it moves to vCPU 2. */
static bool next_then_move(struct evg_vcpu *v, evtchn_port_t *port)
{
	bool more = evg_collect_2l.next(v, port);

	if (more)
		assert_int_equal(evg_bind_vcpu(&guest, *port, 2), 0);
	return more;
}

static void port_moved_after_it_was_seen_runs_on_the_new_vcpu(void **state)
{
	(void)state;
	live_ports(1);
	post(1);
	between = evg_collect_2l;
	between.next = next_then_move;
	guest.collect = &between;
	assert_int_equal(upcall(0), 0);
	guest.collect = &evg_collect_2l;
	assert_int_equal(upcall(2), 1);
	assert_int_equal(seen.vcpu[0], 2);
}

/* --- two at once ---------------------------------------------------------- */

static evb_u32 go, started, finished;

static void wait_for_go(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)v, (void)port, (void)ctx;
	evb_u32_store(&started, 1);
	while (!evb_u32_load(&go))
		;
	evb_u32_store(&finished, 1);
}

static void *vcpu_0(void *arg)
{
	(void)arg;
	current = 0;
	(void)evg_upcall(&vcpu[0]);
	return NULL;
}

static void let_it_go(void)
{
	evb_u32_store(&go, 1);
}

static void run_while_in_handler(int (*wait)(struct evg_guest *, evtchn_port_t))
{
	pthread_t thread;

	evb_u32_store(&go, 0);
	evb_u32_store(&started, 0);
	evb_u32_store(&finished, 0);
	open_ports(1);
	assert_int_equal(evg_bind_handler(&guest, 1, 0, wait_for_go, NULL), 0);
	post(1);
	assert_int_equal(pthread_create(&thread, NULL, vcpu_0, NULL), 0);
	while (!evb_u32_load(&started))
		;
	current = 1;
	xen.during_relax = let_it_go; /* only somebody who waits lets it go */
	assert_int_equal(wait(&guest, 1), 0);
	assert_int_equal(evb_u32_load(&finished), 1);
	let_it_go();
	pthread_join(thread, NULL);
}

static void unbind_handler_waits_for_the_running_handler(void **state)
{
	(void)state;
	run_while_in_handler(evg_unbind_handler);
}

static void close_waits_for_the_running_handler(void **state)
{
	(void)state;
	run_while_in_handler(evg_close);
}

static void wait_handler_waits_for_the_running_handler(void **state)
{
	(void)state;
	run_while_in_handler(evg_wait_handler);
}

static void wait_self(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	record(v, port, ctx);
	assert_int_equal(evg_wait_handler(&guest, port), 0);
}

static void wait_handler_does_not_wait_for_its_caller(void **state)
{
	(void)state;
	open_ports(1);
	assert_int_equal(evg_bind_handler(&guest, 1, 0, wait_self, NULL), 0);
	post(1);
	assert_int_equal(upcall(0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(upcall_without_flag_is_spurious),
		TEST(upcall_counts),
		TEST(upcall_of_a_vcpu_without_info_does_nothing),
		TEST(event_after_the_selector_was_taken_is_not_lost),
		TEST(budget_used_up_leaves_flag_and_selector_set),
		TEST(storm_is_bounded_and_spares_the_others),
		TEST(rounds_for_nothing_are_bounded),
		TEST(upcalls_of_one_port_are_round_robin),
		TEST(bind_vcpu_moves_future_events),
		TEST(bind_vcpu_is_done_masked),
		TEST(bind_vcpu_raises_a_pending_event_again),
		TEST(bind_vcpu_of_a_masked_port_leaves_it_masked),
		TEST(bind_vcpu_errors_change_nothing),
		TEST(event_announced_on_the_old_vcpu_is_passed_on),
		TEST(event_on_the_old_vcpu_of_a_masked_port_stays_masked),
		TEST(event_the_new_vcpu_will_see_is_left_to_it),
		TEST(bind_vcpu_back_makes_the_port_ours_again),
		TEST(ports_of_other_vcpus_are_left_to_them),
		TEST(handler_never_runs_on_two_vcpus_and_no_event_is_lost),
		TEST(event_of_a_closed_port_does_not_reach_its_successor),
		TEST(event_cleared_after_it_was_seen_is_not_delivered),
		TEST(port_moved_after_it_was_seen_runs_on_the_new_vcpu),
		TEST(unbind_handler_waits_for_the_running_handler),
		TEST(close_waits_for_the_running_handler),
		TEST(wait_handler_waits_for_the_running_handler),
		TEST(wait_handler_does_not_wait_for_its_caller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
