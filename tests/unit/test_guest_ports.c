/* SPDX-License-Identifier: MIT */
/*
 * The guest library's start, its hypercalls, and ports that are opened and
 * closed: guest/init.c and hypercalls.c.
 */
#include "test_guest_platform.h"

#include <sys/mman.h>

/* --- start ---------------------------------------------------------------- */

static void init_masks_every_port(void **state)
{
	int i;

	(void)state;
	config.nr_ports = 10;
	memset(&page, 0, sizeof(page));
	start_guest();
	for (i = 0; i < 64; i++)
		assert_true(page.s.evtchn_mask[i] == UINT64_MAX);
	assert_int_equal(page.s.wc_version, 0);
}

static void init_keeps_what_is_pending(void **state)
{
	(void)state;
	page.s.evtchn_pending[1] = 2;
	start_guest();
	assert_true(evg_is_pending(&guest, 65));
	open_port(65);
	bind_recorder(65);
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(65);
}

static void init_gives_each_vcpu_its_info(void **state)
{
	(void)state;
	assert_ptr_equal(info_of(3), &page.s.vcpu_info[3]);
}

/* It is the same guest then, and the table is not so much as looked at. */
static void init_leaves_a_table_of_zeros_alone(void **state)
{
	size_t size = EVTCHN_2L_NR_CHANNELS_64 * sizeof(struct evg_port);
	static struct evg_vcpu before[NR_VCPUS];
	uint32_t i;

	(void)state;
	memcpy(before, vcpu, sizeof(before));
	memset(vcpu, 0xa5, sizeof(vcpu));
	page.s.evtchn_pending[1] = 2;
	config.ports_are_zero = true;
	config.port =
		mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	start_guest();
	assert_int_equal(mprotect(config.port, size, PROT_READ | PROT_WRITE),
			 0);
	for (i = 0; i < NR_VCPUS; i++) {
		assert_memory_equal(before[i].own, vcpu[i].own,
				    sizeof(before[i].own));
		assert_memory_equal(before[i].left, vcpu[i].left,
				    sizeof(before[i].left));
	}
	open_port(65);
	bind_recorder(65);
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(65);
	assert_int_equal(munmap(config.port, size), 0);
}

#define BAD(field, value)                                            \
	do {                                                         \
		struct evg_config c = config;                        \
		c.field = value;                                     \
		assert_int_equal(evg_init(&guest, &c), -XEN_EINVAL); \
	} while (0)

static void init_bad_config_gives_einval(void **state)
{
	(void)state;
	BAD(shared_info, NULL);
	BAD(shared_info, page.bytes + 4);
	BAD(port, NULL);
	BAD(nr_ports, 0);
	BAD(nr_ports, EVTCHN_2L_NR_CHANNELS_64 + 1);
	BAD(vcpu, NULL);
	BAD(nr_vcpus, 0);
	BAD(irq, NULL);
	BAD(irq_base, -1);
	BAD(irq_base, INT32_MAX - NR_IRQS + 1);
	BAD(layout, (enum evg_layout)3);
	BAD(layout, EVG_LAYOUT_X86_32); /* 4096 ports are too many for it */
}

static void set_callbacks_registers_failsafe_then_event(void **state)
{
	(void)state;
	assert_int_equal(evg_set_callbacks(&guest, 0x1000, 0x2000), 0);
	assert_int_equal(xen.nr_calls, 2);
	assert_int_equal(xen.log[0].nr, __HYPERVISOR_callback_op);
	assert_int_equal(xen.log[0].cmd, CALLBACKOP_register);
	assert_int_equal(xen.log[0].arg.callback.type, CALLBACKTYPE_failsafe);
	assert_int_equal(xen.log[0].arg.callback.address, 0x2000);
	assert_int_equal(xen.log[1].arg.callback.type, CALLBACKTYPE_event);
	assert_int_equal(xen.log[1].arg.callback.address, 0x1000);
}

static void set_callbacks_without_failsafe_registers_event_only(void **state)
{
	(void)state;
	assert_int_equal(evg_set_callbacks(&guest, 0x1000, 0), 0);
	assert_int_equal(xen.nr_calls, 1);
	assert_int_equal(xen.log[0].arg.callback.type, CALLBACKTYPE_event);
}

static void set_callbacks_error_stops(void **state)
{
	(void)state;
	fail_next(__HYPERVISOR_callback_op, CALLBACKOP_register, -XEN_ENOSYS);
	assert_int_equal(evg_set_callbacks(&guest, 0x1000, 0x2000),
			 -XEN_ENOSYS);
	assert_int_equal(xen.nr_calls, 1);
}

static void hvm_entry_calls_have_their_arguments(void **state)
{
	uint64_t value = 0;

	(void)state;
	assert_int_equal(evg_set_upcall_vector(&vcpu[2], 0xf3), 0);
	assert_int_equal(last_call()->cmd, HVMOP_set_evtchn_upcall_vector);
	assert_int_equal(last_call()->arg.vector.vcpu, 2);
	assert_int_equal(last_call()->arg.vector.vector, 0xf3);

	assert_int_equal(
		evg_set_callback_via(&guest, ABI_CALLBACK_VIA_VECTOR(0xf3)), 0);
	assert_int_equal(last_call()->cmd, HVMOP_set_param);
	assert_int_equal(last_call()->arg.param.domid, DOMID_SELF);
	assert_int_equal(last_call()->arg.param.index, HVM_PARAM_CALLBACK_IRQ);
	assert_true(last_call()->arg.param.value ==
		    UINT64_C(0x2000000000000f3));

	assert_int_equal(evg_get_param(&guest, HVM_PARAM_STORE_EVTCHN, &value),
			 0);
	assert_int_equal(value, 77);
	fail_next(__HYPERVISOR_hvm_op, HVMOP_get_param, -XEN_EINVAL);
	value = 1;
	assert_int_equal(evg_get_param(&guest, HVM_PARAM_STORE_EVTCHN, &value),
			 -XEN_EINVAL);
	assert_int_equal(value, 1);
}

static void register_vcpu_info_moves_flag_and_selector(void **state)
{
	static union {
		struct vcpu_info info[2];
		uint64_t align[64];
	} other __attribute__((aligned(4096)));

	(void)state;
	other.info[1].evtchn_upcall_mask = 1;
	assert_int_equal(evg_register_vcpu_info(&vcpu[0], &other.info[1], 99),
			 0);
	assert_int_equal(last_call()->nr, __HYPERVISOR_vcpu_op);
	assert_int_equal(last_call()->cmd, VCPUOP_register_vcpu_info);
	assert_int_equal(last_call()->arg.info.mfn, 99);
	assert_int_equal(last_call()->arg.info.offset, 64);
	live_ports(1);
	post(1);
	assert_int_equal(other.info[1].evtchn_upcall_pending, 1);
	assert_int_equal(page.s.vcpu_info[0].evtchn_upcall_pending, 0);
	assert_int_equal(upcall(0), 1);
}

static void register_vcpu_info_error_keeps_the_old_place(void **state)
{
	static struct vcpu_info other;

	(void)state;
	assert_int_equal(evg_register_vcpu_info(&vcpu[0], NULL, 0),
			 -XEN_EINVAL);
	assert_int_equal(
		evg_register_vcpu_info(&vcpu[0], (uint8_t *)&other + 4, 0),
		-XEN_EINVAL);
	assert_int_equal(xen.nr_calls, 0);
	fail_next(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, -XEN_EBUSY);
	assert_int_equal(evg_register_vcpu_info(&vcpu[0], &other, 0),
			 -XEN_EBUSY);
	assert_ptr_equal(info_of(0), &page.s.vcpu_info[0]);
}

/* --- opening and closing -------------------------------------------------- */

static void open_error_leaves_the_result_alone(void **state)
{
	evtchn_port_t port = 123;

	(void)state;
	fail_next(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound,
		  -XEN_EPERM);
	assert_int_equal(evg_alloc_unbound(&guest, DOMID_SELF, 7, &port),
			 -XEN_EPERM);
	fail_next(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain,
		  -XEN_ESRCH);
	assert_int_equal(evg_bind_interdomain(&guest, 7, 1, &port), -XEN_ESRCH);
	fail_next(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq,
		  -XEN_EBUSY);
	assert_int_equal(evg_bind_virq(&guest, VIRQ_CONSOLE, 0, &port),
			 -XEN_EBUSY);
	fail_next(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_pirq,
		  -XEN_EOPNOTSUPP);
	assert_int_equal(evg_bind_pirq(&guest, 4, 0, &port), -XEN_EOPNOTSUPP);
	fail_next(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi,
		  -XEN_ENOENT);
	assert_int_equal(evg_bind_ipi(&guest, 1, &port), -XEN_ENOENT);
	assert_int_equal(port, 123);
}

static void open_on_a_vcpu_that_was_not_lent_gives_enoent(void **state)
{
	evtchn_port_t port;

	(void)state;
	assert_int_equal(evg_bind_ipi(&guest, NR_VCPUS, &port), -XEN_ENOENT);
	assert_int_equal(evg_bind_virq(&guest, VIRQ_TIMER, NR_VCPUS, &port),
			 -XEN_ENOENT);
	assert_int_equal(xen.nr_calls, 0);
}

static void open_beyond_the_table_closes_again(void **state)
{
	evtchn_port_t port = 123;

	(void)state;
	config.nr_ports = 3;
	start_guest();
	open_ports(2);
	assert_int_equal(evg_alloc_unbound(&guest, DOMID_SELF, 7, &port),
			 -XEN_ENOSPC);
	assert_int_equal(calls(EVTCHNOP_close, 3), 1);
	assert_int_equal(xen.port[3].status, EVTCHNSTAT_closed);
	assert_int_equal(port, 123);
}

static void open_for_another_domain_is_not_tracked(void **state)
{
	evtchn_port_t port;

	(void)state;
	config.nr_ports = 3;
	start_guest();
	open_ports(2);
	assert_int_equal(evg_alloc_unbound(&guest, 9, 7, &port), 0);
	assert_int_equal(port, 3);
	assert_int_equal(calls(EVTCHNOP_close, 3), 0);
}

static void bind_interdomain_event_waits_for_the_handler(void **state)
{
	evtchn_port_t port;

	(void)state;
	assert_int_equal(evg_bind_interdomain(&guest, 7, 33, &port), 0);
	assert_int_equal(last_call()->arg.interdomain.remote_dom, 7);
	assert_int_equal(last_call()->arg.interdomain.remote_port, 33);
	assert_int_equal(upcall(0), 0);
	bind_recorder(port);
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(port);
}

static void bind_ipi_is_handled_on_its_vcpu(void **state)
{
	evtchn_port_t port;

	(void)state;
	assert_int_equal(evg_bind_ipi(&guest, 2, &port), 0);
	bind_recorder(port);
	post(port);
	select_word(0, 0); /* others look at the word, too, and pass by */
	assert_int_equal(upcall(0), 0);
	assert_int_equal(vcpu[0].nr_passed.v, 0);
	assert_int_equal(upcall(2), 1);
	assert_int_equal(seen.vcpu[0], 2);
}

static void check_forgotten(unsigned int nr, unsigned int cmd)
{
	(void)nr;
	if (cmd != EVTCHNOP_close)
		return;
	assert_true(evb_test_bit(guest.mask, 1));
	assert_int_equal(evb_u32_load(&ports[1].bound), 0);
	assert_int_equal(evb_u32_load(&ports[1].vcpu), 0);
	assert_true(evb_test_bit(vcpu[0].own, 1));
	assert_false(evb_test_bit(vcpu[2].own, 1));
	assert_false(evb_test_bit(vcpu[0].left, 1));
	assert_int_equal(vcpu[2].timer_port.v, 0);
}

static void close_masks_and_forgets_before_the_hypercall(void **state)
{
	evtchn_port_t port;

	(void)state;
	assert_int_equal(evg_bind_virq(&guest, VIRQ_TIMER, 2, &port), 0);
	assert_int_equal(vcpu[2].timer_port.v, 1);
	bind_recorder(port);
	xen.during_hypercall = check_forgotten;
	assert_int_equal(evg_close(&guest, port), 0);
	assert_int_equal(calls(EVTCHNOP_close, port), 1);
	xen.during_hypercall = NULL;
	/* The same number, for something else. */
	assert_int_equal(evg_bind_ipi(&guest, 1, &port), 0);
	assert_int_equal(port, 1);
	bind_recorder(port);
	post(port);
	assert_int_equal(upcall(1), 1);
}

static void close_of_an_unmasked_port_without_handler_masks_it(void **state)
{
	(void)state;
	open_ports(1);
	assert_int_equal(evg_unmask(&guest, 1), 0);
	assert_int_equal(evg_close(&guest, 1), 0);
	assert_true(evg_is_masked(&guest, 1));
}

static void close_of_a_moved_port_ends_the_watch_for_it(void **state)
{
	(void)state;
	open_ports(1);
	assert_int_equal(evg_bind_vcpu(&guest, 1, 2), 0);
	assert_int_equal(evg_bind_vcpu(&guest, 1, 3), 0);
	assert_true(evb_test_bit(vcpu[2].left, 1));
	assert_int_equal(evg_close(&guest, 1), 0);
	assert_false(evb_test_bit(vcpu[2].left, 1));
	assert_false(evb_test_bit(vcpu[0].left, 1));
}

static void close_errors(void **state)
{
	(void)state;
	assert_int_equal(evg_close(&guest, 0), -XEN_EINVAL);
	assert_int_equal(evg_close(&guest, EVTCHN_2L_NR_CHANNELS_64),
			 -XEN_EINVAL);
	assert_int_equal(xen.nr_calls, 0);
	assert_int_equal(evg_close(&guest, 5), -XEN_EINVAL); /* not open */
	open_ports(1);
	assert_true(evg_irq_bind_port(1) >= 0);
	assert_int_equal(evg_close(&guest, 1), -XEN_EBUSY);
}

static void reset_forgets_everything(void **state)
{
	(void)state;
	live_ports(2);
	assert_int_equal(evg_bind_vcpu(&guest, 2, 3), 0);
	assert_true(evg_irq_bind_port(1) >= 0);
	assert_int_equal(evg_reset(&guest), 0);
	assert_true(evg_is_masked(&guest, 1));
	assert_int_equal(evg_irq_of_port(1), -1);
	assert_true(evb_test_bit(vcpu[0].own, 2));
	assert_false(evb_test_bit(vcpu[3].own, 2));
	open_port(1);
	bind_recorder(1);
}

static void reset_error_leaves_handlers_and_masks(void **state)
{
	(void)state;
	live_ports(1);
	fail_next(__HYPERVISOR_event_channel_op, EVTCHNOP_reset, -XEN_EAGAIN);
	assert_int_equal(evg_reset(&guest), -XEN_EAGAIN);
	assert_true(evg_is_masked(&guest, 1));
	assert_int_equal(evb_u32_load(&ports[1].bound), 1);
}

static void simple_calls_have_their_arguments(void **state)
{
	evtchn_port_t set[] = {3, 4};
	struct evtchn_status st = {.dom = DOMID_SELF, .port = 1};

	(void)state;
	open_ports(1);
	assert_int_equal(evg_notify(&guest, 9), 0);
	assert_int_equal(calls(EVTCHNOP_send, 9), 1);
	fail_next(__HYPERVISOR_event_channel_op, EVTCHNOP_send, -XEN_EINVAL);
	assert_int_equal(evg_notify(&guest, 9), -XEN_EINVAL);
	assert_int_equal(evg_status(&guest, &st), 0);
	assert_int_equal(st.status, EVTCHNSTAT_unbound);

	assert_int_equal(evg_poll(&guest, set, 2, 500), 0);
	assert_int_equal(last_call()->nr, __HYPERVISOR_sched_op);
	assert_int_equal(last_call()->cmd, SCHEDOP_poll);
	assert_true(last_call()->arg.poll.ports == (uintptr_t)set);
	assert_int_equal(last_call()->arg.poll.nr_ports, 2);
	assert_int_equal(last_call()->arg.poll.timeout, 500);
	fail_next(__HYPERVISOR_sched_op, SCHEDOP_poll, -XEN_EINVAL);
	assert_int_equal(evg_poll(&guest, set, 129, 0), -XEN_EINVAL);

	assert_int_equal(evg_block(&guest), 0);
	assert_int_equal(last_call()->cmd, SCHEDOP_block);
	assert_int_equal(evg_yield(&guest), 0);
	assert_int_equal(last_call()->cmd, SCHEDOP_yield);
	assert_int_equal(evg_set_timer(&guest, 1234), 0);
	assert_int_equal(last_call()->cmd, VCPUOP_set_singleshot_timer);
	assert_int_equal(last_call()->arg.timer.timeout_abs_ns, 1234);
	assert_int_equal(evg_stop_timer(&guest), 0);
	assert_int_equal(last_call()->cmd, VCPUOP_stop_singleshot_timer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(init_masks_every_port),
		TEST(init_keeps_what_is_pending),
		TEST(init_gives_each_vcpu_its_info),
		TEST(init_leaves_a_table_of_zeros_alone),
		TEST(init_bad_config_gives_einval),
		TEST(set_callbacks_registers_failsafe_then_event),
		TEST(set_callbacks_without_failsafe_registers_event_only),
		TEST(set_callbacks_error_stops),
		TEST(hvm_entry_calls_have_their_arguments),
		TEST(register_vcpu_info_moves_flag_and_selector),
		TEST(register_vcpu_info_error_keeps_the_old_place),
		TEST(open_error_leaves_the_result_alone),
		TEST(open_on_a_vcpu_that_was_not_lent_gives_enoent),
		TEST(open_beyond_the_table_closes_again),
		TEST(open_for_another_domain_is_not_tracked),
		TEST(bind_interdomain_event_waits_for_the_handler),
		TEST(bind_ipi_is_handled_on_its_vcpu),
		TEST(close_masks_and_forgets_before_the_hypercall),
		TEST(close_of_an_unmasked_port_without_handler_masks_it),
		TEST(close_of_a_moved_port_ends_the_watch_for_it),
		TEST(close_errors),
		TEST(reset_forgets_everything),
		TEST(reset_error_leaves_handlers_and_masks),
		TEST(simple_calls_have_their_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
