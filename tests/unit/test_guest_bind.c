/* SPDX-License-Identifier: MIT */
/*
 * Masks and handlers of the guest library, and handlers that change what they
 * are called for: guest/bind.c.
 */
#include "test_guest_platform.h"

/* --- masking -------------------------------------------------------------- */

static void port_out_of_range_gives_einval(void **state)
{
	static const evtchn_port_t bad[] = {0, EVTCHN_2L_NR_CHANNELS_64,
					    UINT32_MAX};
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_int_equal(evg_mask(&guest, bad[i]), -XEN_EINVAL);
		assert_int_equal(evg_unmask(&guest, bad[i]), -XEN_EINVAL);
		assert_int_equal(evg_clear_pending(&guest, bad[i]),
				 -XEN_EINVAL);
		assert_int_equal(evg_set_pending(&guest, bad[i]), -XEN_EINVAL);
		assert_int_equal(evg_bind_vcpu(&guest, bad[i], 0), -XEN_EINVAL);
		assert_int_equal(
			evg_bind_handler(&guest, bad[i], 0, record, NULL),
			-XEN_EINVAL);
		assert_int_equal(evg_unbind_handler(&guest, bad[i]),
				 -XEN_EINVAL);
		assert_int_equal(evg_wait_handler(&guest, bad[i]), -XEN_EINVAL);
		assert_false(evg_is_pending(&guest, bad[i]));
		assert_true(evg_is_masked(&guest, bad[i]));
		assert_int_equal(evg_port_count(&guest, bad[i]), 0);
		assert_int_equal(evg_port_missed(&guest, bad[i]), 0);
	}
	assert_int_equal(xen.nr_calls, 0);
}

static void mask_holds_back_and_unmask_delivers(void **state)
{
	(void)state;
	live_ports(1);
	assert_int_equal(evg_mask(&guest, 1), 0);
	assert_true(evg_is_masked(&guest, 1));
	post(1);
	assert_true(evg_is_pending(&guest, 1));
	assert_int_equal(upcall(0), 0);
	assert_int_equal(evg_unmask(&guest, 1), 0);
	assert_false(evg_is_masked(&guest, 1));
	assert_int_equal(upcall(0), 1);
	assert_false(evg_is_pending(&guest, 1));
}

static void unmask_without_pending_makes_no_hypercall(void **state)
{
	(void)state;
	live_ports(1);
	(void)evg_mask(&guest, 1);
	xen.nr_calls = 0;
	assert_int_equal(evg_unmask(&guest, 1), 0);
	assert_int_equal(flag(0), 0);
	current = 1;
	(void)evg_mask(&guest, 1);
	assert_int_equal(evg_unmask(&guest, 1), 0);
	assert_int_equal(xen.nr_calls, 0);
}

static void unmask_here_sets_selector_and_flag_by_hand(void **state)
{
	(void)state;
	live_ports(1);
	(void)evg_mask(&guest, 1);
	post(1);
	xen.nr_calls = 0;
	assert_int_equal(evg_unmask(&guest, 1), 0);
	assert_int_equal(xen.nr_calls, 0);
	assert_int_equal(flag(0), 1);
	assert_true(evb_test_bit(selector(0), 0));
	assert_false(evg_is_masked(&guest, 1));
}

static void unmask_here_with_upcalls_on_takes_the_upcall(void **state)
{
	(void)state;
	live_ports(1);
	(void)evg_mask(&guest, 1);
	post(1);
	upcalls_on();
	assert_int_equal(seen.n, 0);
	assert_int_equal(evg_unmask(&guest, 1), 0);
	ASSERT_SEEN(1);
}

static void unmask_for_another_vcpu_asks_the_hypervisor(void **state)
{
	(void)state;
	live_ports(1);
	(void)evg_mask(&guest, 1);
	post(1);
	xen.nr_calls = 0;
	current = 1;
	assert_int_equal(evg_unmask(&guest, 1), 0);
	assert_int_equal(calls(EVTCHNOP_unmask, 1), 1);
	assert_int_equal(flag(0), 1);
	assert_int_equal(flag(1), 0);
	assert_false(evg_is_masked(&guest, 1));
	assert_int_equal(upcall(0), 1);
}

static void unmask_in_an_hvm_guest_asks_the_hypervisor(void **state)
{
	(void)state;
	config.hvm = true;
	start_guest();
	live_ports(1);
	(void)evg_mask(&guest, 1);
	post(1);
	xen.nr_calls = 0;
	assert_int_equal(evg_unmask(&guest, 1), 0);
	assert_int_equal(calls(EVTCHNOP_unmask, 1), 1);
	assert_int_equal(upcall(0), 1);
}

static void unmask_refused_by_the_hypervisor_stays_masked(void **state)
{
	(void)state;
	live_ports(1);
	(void)evg_mask(&guest, 1);
	post(1);
	fail_next(__HYPERVISOR_event_channel_op, EVTCHNOP_unmask, -XEN_EINVAL);
	current = 1;
	assert_int_equal(evg_unmask(&guest, 1), -XEN_EINVAL);
	assert_true(evg_is_masked(&guest, 1));
	assert_true(evg_is_pending(&guest, 1));
}

static void clear_pending_forgets_the_event(void **state)
{
	(void)state;
	live_ports(1);
	post(1);
	assert_int_equal(evg_clear_pending(&guest, 1), 0);
	assert_int_equal(upcall(0), 0);
}

static void set_pending_fires_an_unmasked_port(void **state)
{
	(void)state;
	live_ports(2);
	assert_int_equal(evg_set_pending(&guest, 1), 0);
	(void)evg_mask(&guest, 2);
	assert_int_equal(evg_set_pending(&guest, 2), 0);
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(1);
	assert_true(evg_is_masked(&guest, 2));
	assert_int_equal(evg_unmask(&guest, 2), 0);
	assert_int_equal(upcall(0), 1);
}

/* --- handlers ------------------------------------------------------------- */

static void bind_handler_passes_vcpu_port_and_ctx(void **state)
{
	int ctx;

	(void)state;
	open_ports(1);
	assert_int_equal(evg_bind_handler(&guest, 1, 3, record, &ctx), 0);
	assert_int_equal(xen.port[1].vcpu, 3);
	post(1);
	assert_int_equal(upcall(3), 1);
	assert_int_equal(seen.vcpu[0], 3);
	assert_ptr_equal(seen.ctx[0], &ctx);
	assert_int_equal(evg_port_count(&guest, 1), 1);
}

static void bind_handler_errors_change_nothing(void **state)
{
	evtchn_port_t port;

	(void)state;
	open_ports(1);
	assert_int_equal(evg_bind_handler(&guest, 1, 0, NULL, NULL),
			 -XEN_EINVAL);
	assert_int_equal(evg_bind_handler(&guest, 1, NR_VCPUS, record, NULL),
			 -XEN_ENOENT);
	assert_int_equal(evg_bind_ipi(&guest, 1, &port), 0);
	assert_int_equal(evg_bind_handler(&guest, port, 2, record, NULL),
			 -XEN_EINVAL);
	assert_true(evg_is_masked(&guest, 1));
	assert_true(evg_is_masked(&guest, port));
	bind_recorder(1);
	assert_int_equal(evg_bind_handler(&guest, 1, 2, record, NULL),
			 -XEN_EBUSY);
	assert_int_equal(xen.port[1].vcpu, 0);
}

static void bind_handler_on_a_masked_port_leaves_it_masked(void **state)
{
	(void)state;
	open_ports(1);
	(void)evg_mask(&guest, 1);
	bind_recorder(1);
	assert_true(evg_is_masked(&guest, 1));
	post(1);
	assert_int_equal(upcall(0), 0);
	(void)evg_unmask(&guest, 1);
	assert_int_equal(upcall(0), 1);
}

static void event_before_the_handler_is_delivered_with_it(void **state)
{
	(void)state;
	open_ports(1);
	post(1); /* masked */
	assert_int_equal(upcall(0), 0);
	bind_recorder(1);
	assert_int_equal(upcall(0), 1);
}

static void event_without_handler_masks_and_stays_pending(void **state)
{
	(void)state;
	open_ports(1);
	assert_int_equal(evg_unmask(&guest, 1), 0);
	post(1);
	assert_int_equal(upcall(0), 0);
	assert_true(evg_is_masked(&guest, 1));
	assert_true(evg_is_pending(&guest, 1));
	assert_int_equal(evg_port_missed(&guest, 1), 1);
	assert_int_equal(evg_port_count(&guest, 1), 0);
	bind_recorder(1);
	assert_int_equal(upcall(0), 1);
	assert_int_equal(evg_port_count(&guest, 1), 1);
}

static void unbind_handler_masks_and_keeps_the_event(void **state)
{
	(void)state;
	live_ports(1);
	post(1);
	assert_int_equal(evg_unbind_handler(&guest, 1), 0);
	assert_int_equal(evg_unbind_handler(&guest, 1), -XEN_ENOENT);
	assert_int_equal(upcall(0), 0);
	assert_true(evg_is_masked(&guest, 1));
	bind_recorder(1);
	assert_int_equal(upcall(0), 1);
}

static void unbind_handler_ends_an_evg_mask(void **state)
{
	(void)state;
	live_ports(1);
	(void)evg_mask(&guest, 1);
	assert_int_equal(evg_unbind_handler(&guest, 1), 0);
	bind_recorder(1);
	assert_false(evg_is_masked(&guest, 1));
}

static void counts_start_anew_when_a_port_is_opened(void **state)
{
	(void)state;
	live_ports(1);
	post(1);
	assert_int_equal(upcall(0), 1);
	assert_int_equal(evg_close(&guest, 1), 0);
	open_ports(1);
	assert_int_equal(evg_port_count(&guest, 1), 0);
}

/* --- handlers that do things ---------------------------------------------- */

static void close_self(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	record(v, port, ctx);
	assert_int_equal(evg_close(&guest, port), 0);
}

static void handler_closes_its_own_port(void **state)
{
	(void)state;
	open_ports(1);
	assert_int_equal(evg_bind_handler(&guest, 1, 0, close_self, NULL), 0);
	post(1);
	assert_int_equal(upcall(0), 1);
	assert_int_equal(xen.port[1].status, EVTCHNSTAT_closed);
	assert_int_equal(evb_u32_load(&ports[1].running), 0);
	open_ports(1);
	bind_recorder(1);
	post(1);
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(1, 1);
}

static void rebind_self(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)v, (void)ctx;
	assert_int_equal(evg_unbind_handler(&guest, port), 0);
	bind_recorder(port);
	post(port);
}

static void handler_replaces_itself(void **state)
{
	(void)state;
	open_ports(1);
	assert_int_equal(evg_bind_handler(&guest, 1, 0, rebind_self, NULL), 0);
	post(1);
	assert_int_equal(upcall(0), 2);
	ASSERT_SEEN(1);
}

static void close_next(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	record(v, port, ctx);
	assert_int_equal(evg_close(&guest, port + 1), 0);
}

static void handler_closes_a_port_that_waits(void **state)
{
	(void)state;
	open_ports(1);
	assert_int_equal(evg_bind_handler(&guest, 1, 0, close_next, NULL), 0);
	open_ports(1);
	bind_recorder(2);
	post(1);
	post(2);
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(1);
}

static void open_another(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	record(v, port, ctx);
	open_ports(1);
	bind_recorder(2);
	post(2);
}

static void handler_opens_a_port_that_fires(void **state)
{
	(void)state;
	open_ports(1);
	assert_int_equal(evg_bind_handler(&guest, 1, 0, open_another, NULL), 0);
	post(1);
	assert_int_equal(upcall(0), 2);
	ASSERT_SEEN(1, 2);
}

static void send_again(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	record(v, port, ctx);
	if (seen.n == 1)
		post(port);
}

/* The edge: pending is clear when the handler starts. */
static void event_during_the_handler_runs_it_again(void **state)
{
	(void)state;
	open_ports(1);
	assert_int_equal(evg_bind_handler(&guest, 1, 0, send_again, NULL), 0);
	post(1);
	assert_int_equal(upcall(0), 2);
	ASSERT_SEEN(1, 1);
}

static void upcall_inside(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	static int depth;

	depth++;
	assert_int_equal(depth, 1);
	record(v, port, ctx);
	post(2);
	assert_int_equal(evg_upcall(v), 0);
	assert_int_equal(seen.n, 1);
	depth--;
}

static void upcall_inside_of_a_handler_is_left_to_the_outer_one(void **state)
{
	(void)state;
	live_ports(2);
	assert_int_equal(evg_unbind_handler(&guest, 1), 0);
	assert_int_equal(evg_bind_handler(&guest, 1, 0, upcall_inside, NULL),
			 0);
	post(1);
	assert_int_equal(upcall(0), 2);
	ASSERT_SEEN(1, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(port_out_of_range_gives_einval),
		TEST(mask_holds_back_and_unmask_delivers),
		TEST(unmask_without_pending_makes_no_hypercall),
		TEST(unmask_here_sets_selector_and_flag_by_hand),
		TEST(unmask_here_with_upcalls_on_takes_the_upcall),
		TEST(unmask_for_another_vcpu_asks_the_hypervisor),
		TEST(unmask_in_an_hvm_guest_asks_the_hypervisor),
		TEST(unmask_refused_by_the_hypervisor_stays_masked),
		TEST(clear_pending_forgets_the_event),
		TEST(set_pending_fires_an_unmasked_port),
		TEST(bind_handler_passes_vcpu_port_and_ctx),
		TEST(bind_handler_errors_change_nothing),
		TEST(bind_handler_on_a_masked_port_leaves_it_masked),
		TEST(event_before_the_handler_is_delivered_with_it),
		TEST(event_without_handler_masks_and_stays_pending),
		TEST(unbind_handler_masks_and_keeps_the_event),
		TEST(unbind_handler_ends_an_evg_mask),
		TEST(counts_start_anew_when_a_port_is_opened),
		TEST(handler_closes_its_own_port),
		TEST(handler_replaces_itself),
		TEST(handler_closes_a_port_that_waits),
		TEST(handler_opens_a_port_that_fires),
		TEST(event_during_the_handler_runs_it_again),
		TEST(upcall_inside_of_a_handler_is_left_to_the_outer_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
