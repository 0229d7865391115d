/* SPDX-License-Identifier: MIT */
/*
 * Where the selector and the upcall flag of a vCPU are: in shared_info, in a
 * place the guest registered, or nowhere; and which vCPU a port notifies.
 * SPEC 3.1, 8.2
 */
#include "tests/lib/page_model.h"

/* --- vcpu_info --------------------------------------------------------------- */

static void vcpu_without_info_writes_pending_only(void **unused)
{
	static const uint32_t vcpus[] = {32, 33, 39};
	evtchn_port_t port;
	uint32_t i;

	(void)unused;
	for (i = 0; i < 6; i++) {
		width = i & 1 ? EVC_WIDTH_64 : EVC_WIDTH_32;
		start(40);
		open_connected(&port);
		assert_int_equal(evc_bind_vcpu(d1, port, vcpus[i / 2]), 0);
		set_page(port, 31, 0);
		assert_int_equal(evc_send(d2, peer), 0);
		put(pending_at(), port, true);
		kicks = 1; /* so that the host may look, or not */
		check_page("no vcpu_info", port, 0);
		assert_ptr_equal(fake_last_kick(), &d1->vcpu[vcpus[i / 2]]);
		fake_end();
	}
}

static void vcpu_31_is_the_last_in_shared_info(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	for (width = EVC_WIDTH_32; width <= EVC_WIDTH_64; width++) {
		start(32);
		fill_below(100);
		open_connected(&port);
		assert_int_equal(evc_bind_vcpu(d1, port, 31), 0);
		set_page(port, 31, 0);
		assert_int_equal(evc_send(d2, peer), 0);
		model_post(port, 31);
		check_page("vCPU 31", port, 0);
		fake_end();
	}
}

struct info {
	_Alignas(8) uint8_t before[64];
	uint8_t info[64];
	uint8_t after[64];
};

/* @in: the registered place as it was; @want_sel: bytes of the selector. */
static void check_info(const struct info *in, const uint8_t *old)
{
	uint32_t sel = width == EVC_WIDTH_64 ? 8 : 4, i;
	uint32_t sel_end = width == EVC_WIDTH_64 ? 16 : 8;

	for (i = 0; i < 64; i++) {
		assert_int_equal(in->before[i], 0x77);
		assert_int_equal(in->after[i], 0x77);
		if (i == 0)
			assert_int_equal(in->info[i], 1);
		else if (i >= sel && i < sel_end)
			assert_int_equal(in->info[i], 0xff);
		else
			assert_int_equal(in->info[i], old[i]);
	}
}

static void register_info_moves_contents_and_sets_all(void **unused)
{
	uint8_t old[64];
	struct info in;
	uint32_t upcall, i;

	(void)unused;
	for (i = 0; i < 4; i++) {
		width = i & 1 ? EVC_WIDTH_64 : EVC_WIDTH_32;
		upcall = i / 2;
		start(2);
		set_page(1, 1, upcall ? UPCALL : 0);
		memcpy(old, page + 64, 64);
		memset(&in, 0x77, sizeof(in));
		assert_int_equal(evc_vcpu_register_info(&d1->vcpu[1], in.info),
				 0);
		check_info(&in, old);
		kicks = upcall ? 0 : 1; /* it was kicked already */
		check_page("register", 1, 0);
		fake_end();
	}
}

static void register_info_new_place_gets_the_events(void **unused)
{
	evtchn_port_t port;
	struct info in;

	(void)unused;
	for (width = EVC_WIDTH_32; width <= EVC_WIDTH_64; width++) {
		start(40);
		fill_below(70);
		open_connected(&port);
		assert_int_equal(evc_bind_vcpu(d1, port, 35), 0);
		memset(&in, 0, sizeof(in));
		assert_int_equal(evc_vcpu_register_info(&d1->vcpu[35], in.info),
				 0);
		fake_clear_upcall(&d1->vcpu[35]);
		set_page(port, 0, 0);
		assert_int_equal(evc_send(d2, peer), 0);
		put(pending_at(), port, true);
		kicks = 1;
		check_page("registered", port, 0);
		assert_int_equal(in.info[0], 1);
		assert_true(fake_selector(&d1->vcpu[35]) ==
			    1ull << sel_bit(port));
		assert_int_equal(in.info[sel_at(0) + sel_bit(port) / 8],
				 1 << sel_bit(port) % 8);
		fake_end();
	}
}

/* What was posted to a vCPU without vcpu_info is found in the new one. */
static void register_info_late_loses_nothing(void **unused)
{
	evtchn_port_t port;
	struct info in;

	(void)unused;
	width = EVC_WIDTH_64;
	start(40);
	fill_below(4000);
	open_connected(&port);
	assert_int_equal(evc_bind_vcpu(d1, port, 39), 0);
	assert_int_equal(evc_send(d2, peer), 0);
	memset(&in, 0, sizeof(in));
	assert_int_equal(evc_vcpu_register_info(&d1->vcpu[39], in.info), 0);
	assert_true(fake_upcall(&d1->vcpu[39]));
	assert_true(fake_selector(&d1->vcpu[39]) == UINT64_MAX);
	assert_true(fake_pending(d1, port));
	assert_int_equal(in.info[0], 1);
	fake_end();
}

static void register_info_wrong_is_refused(void **unused)
{
	struct info in, other;
	uint32_t shift;
	int mode;

	(void)unused;
	width = EVC_WIDTH_64;
	for (mode = 0; mode < 2; mode++) {
		start(2);
		fake.machine.xen_4_17 = mode;
		memset(&in, 0x77, sizeof(in));
		other = in;
		set_page(1, 0, 0);
		assert_int_equal(evc_vcpu_register_info(&d1->vcpu[0], NULL),
				 -XEN_EINVAL);
		for (shift = 1; shift < 8; shift++)
			assert_int_equal(evc_vcpu_register_info(
						 &d1->vcpu[0], in.info + shift),
					 -XEN_EINVAL);
		check_page("misaligned", 1, 0);
		assert_memory_equal(&in, &other, sizeof(in));
		assert_int_equal(evc_vcpu_register_info(&d1->vcpu[0], in.info),
				 0);
		fake_forget();
		assert_int_equal(
			evc_vcpu_register_info(&d1->vcpu[0], other.info),
			mode ? -XEN_EINVAL : -XEN_EBUSY);
		assert_int_equal(other.info[0], 0x77);
		assert_int_equal(fake_kicks(), 0);
		fake_end();
	}
}

/* --- bind_vcpu --------------------------------------------------------------- */

static void bind_vcpu_moves_future_events_only(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	for (width = EVC_WIDTH_32; width <= EVC_WIDTH_64; width++) {
		start(3);
		fill_below(65);
		open_connected(&port);
		set_page(port, 0, 0);
		memset(page, 0, 2048); /* all vcpu_info */
		memcpy(d1->shared_info, page, sizeof(page));
		assert_int_equal(evc_send(d2, peer), 0);
		model_post(port, 0);
		assert_int_equal(evc_bind_vcpu(d1, port, 2), 0);
		check_page("moved while pending", port, 0);
		assert_int_equal(evc_send(d2, peer), 0);
		check_page("still pending", port, 0);
		fake_clear_pending(d1, port);
		put(pending_at(), port, false);
		assert_int_equal(evc_send(d2, peer), 0);
		model_post(port, 2);
		check_page("next event", port, 0);
		assert_ptr_equal(fake_last_kick(), &d1->vcpu[2]);
		assert_int_equal(fake_status(d1, port).vcpu, 2);
		fake_end();
	}
}

/* The unmask of vCPU 0 selects on the vCPU of the port.  SPEC 8.2, 2005 */
static void unmask_selects_on_the_vcpu_of_the_port(void **unused)
{
	const struct evtchn_unmask arg = {.port = 1};
	evtchn_port_t port;

	(void)unused;
	width = EVC_WIDTH_64;
	start(2);
	open_connected(&port);
	assert_int_equal(evc_bind_vcpu(d1, port, 1), 0);
	set_page(port, 1, MASKED | PENDING);
	assert_int_equal(
		evc_hypercall(&d1->vcpu[0], EVTCHNOP_unmask, (uintptr_t)&arg),
		0);
	model_unmask(port, 1);
	check_page("unmask", port, 0);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vcpu_without_info_writes_pending_only),
		cmocka_unit_test(vcpu_31_is_the_last_in_shared_info),
		cmocka_unit_test(register_info_moves_contents_and_sets_all),
		cmocka_unit_test(register_info_new_place_gets_the_events),
		cmocka_unit_test(register_info_late_loses_nothing),
		cmocka_unit_test(register_info_wrong_is_refused),
		cmocka_unit_test(bind_vcpu_moves_future_events_only),
		cmocka_unit_test(unmask_selects_on_the_vcpu_of_the_port),
	};

	return cmocka_run_group_tests_name("core_vcpu", tests, NULL, NULL);
}
