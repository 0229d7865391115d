/* SPDX-License-Identifier: MIT */
/*
 * guest/fifo.c: the switch to FIFO event channels and back, pages, vCPUs that
 * ports move between or that go away, and priorities.
 */
#include "test_fifo_platform.h"

/* --- start --------------------------------------------------------------- */

static void start_gives_every_vcpu_its_control_block(void **state)
{
	uint32_t i;

	(void)state;
	lent_control[2].frame = 99;
	assert_int_equal(evg_fifo_start(&guest), 0);
	assert_int_equal(xen.nr_calls, NR_VCPUS);
	for (i = 0; i < NR_VCPUS; i++) {
		assert_int_equal(xen.log[i].cmd, EVTCHNOP_init_control);
		assert_int_equal(xen.log[i].arg.control.vcpu, i);
		assert_int_equal(xen.log[i].arg.control.offset, i * 128);
		assert_int_equal(xen.log[i].arg.control.control_gfn,
				 i == 2 ? 99 : 7);
		assert_int_equal(controls[i].block.ready, 0);
		assert_int_equal(controls[i].block.head[15], 0);
	}
	assert_int_equal(hv.nr_pages, 0);
	/* Once more: there is nothing to do. */
	assert_int_equal(evg_fifo_start(&guest), 0);
	assert_int_equal(xen.nr_calls, NR_VCPUS);
}

static void check_still_2_level(int rc)
{
	evtchn_port_t port;

	fail_next(__HYPERVISOR_event_channel_op, EVTCHNOP_init_control, rc);
	assert_int_equal(evg_fifo_start(&guest), rc);
	assert_int_equal(xen.nr_calls, 1);
	assert_false(evg_is_fifo(&guest));
	assert_int_equal(evg_alloc_unbound(&guest, DOMID_SELF, 7, &port), 0);
	bind_recorder(port);
	send(port);
	assert_int_equal(upcall(0), 1);
	assert_int_equal(evg_set_priority(&guest, port, 3), -XEN_ENOSYS);
	assert_int_equal(evg_bind_vcpu(&guest, port, 3), 0);
	assert_int_equal(evg_close(&guest, port), 0);
	xen.nr_calls = 0;
}

static void start_without_fifo_in_the_hypervisor_stays_2_level(void **state)
{
	(void)state;
	check_still_2_level(-XEN_ENOSYS);
	check_still_2_level(-XEN_EOPNOTSUPP);
	check_still_2_level(-XEN_ENOMEM);
	assert_int_equal(evg_fifo_start(&guest), 0);
	assert_int_equal(xen.nr_calls, NR_VCPUS);
}

static void start_of_a_large_table_stays_within_2_level(void **state)
{
	(void)state;
	config.layout = EVG_LAYOUT_X86_32;
	start_guest();
	fail_next(__HYPERVISOR_event_channel_op, EVTCHNOP_init_control,
		  -XEN_ENOSYS);
	assert_int_equal(evg_fifo_start(&guest), -XEN_ENOSYS);
	assert_int_equal(evg_mask(&guest, EVTCHN_2L_NR_CHANNELS_32),
			 -XEN_EINVAL);
	assert_int_equal(evg_mask(&guest, EVTCHN_2L_NR_CHANNELS_32 - 1), 0);
	assert_int_equal(page.s32.wc_version, 0);
	assert_int_equal(evg_fifo_start(&guest), 0);
	assert_int_equal(evg_mask(&guest, EVTCHN_2L_NR_CHANNELS_32), 0);
	assert_int_equal(evg_reset(&guest), 0);
	assert_int_equal(evg_mask(&guest, EVTCHN_2L_NR_CHANNELS_32),
			 -XEN_EINVAL);
}

static void assert_start_gives_einval(void)
{
	xen.nr_calls = 0;
	assert_int_equal(evg_fifo_start(&guest), -XEN_EINVAL);
	assert_int_equal(xen.nr_calls, 0);
	assert_false(evg_is_fifo(&guest));
	lend();
}

static void start_with_bad_memory_gives_einval(void **state)
{
	(void)state;
	guest.fifo = NULL;
	assert_start_gives_einval();
	guest.fifo = &fifo;
	fifo.control = NULL;
	assert_start_gives_einval();
	lent_control[0].mem = NULL;
	assert_start_gives_einval();
	lent_control[3].mem = (uint8_t *)&controls[3] + 4;
	assert_start_gives_einval();
	lent_control[0].mem = (void *)((uintptr_t)controls + 4096 - 64);
	assert_start_gives_einval();
	fifo.page = NULL;
	assert_start_gives_einval();
	fifo.nr_pages = NR_PAGES - 1;
	assert_start_gives_einval();
	fifo.nr_pages = EVG_FIFO_MAX_PAGES + 1;
	assert_start_gives_einval();
	live_ports(1);
	assert_int_equal(evg_bind_vcpu(&guest, 1, 3), 0);
	lent_control[3].mem = NULL;
	assert_start_gives_einval();
}

static void init_with_too_many_ports_gives_einval(void **state)
{
	(void)state;
	config.nr_ports = EVTCHN_FIFO_NR_CHANNELS + 1;
	assert_int_equal(evg_init(&guest, &config), -XEN_EINVAL);
}

/* What is open: 1 masked by the guest, 2 without handler, 3 live, all fired. */
static void open_three_and_send(void)
{
	live_ports(3);
	assert_int_equal(evg_mask(&guest, 1), 0);
	assert_int_equal(evg_unbind_handler(&guest, 2), 0);
	send(1);
	send(2);
	send(3);
}

static void assert_three_are_carried_over(void)
{
	assert_int_equal(upcall(0), 1);
	assert_true(evg_is_masked(&guest, 1));
	assert_int_equal(evg_unmask(&guest, 1), 0);
	bind_recorder(2);
	assert_int_equal(upcall(0), 2);
	ASSERT_SEEN(3, 1, 2);
	send(3);
	assert_int_equal(upcall(0), 1);
}

static void start_carries_masks_and_events_over(void **state)
{
	evtchn_port_t timer;
	unsigned int i;

	(void)state;
	open_three_and_send();
	assert_int_equal(evg_bind_virq(&guest, VIRQ_TIMER, 1, &timer), 0);
	assert_int_equal(evg_fifo_start(&guest), 0);
	assert_int_equal(hv.nr_pages, 1);
	assert_int_equal(hv.priority[timer], EVTCHN_FIFO_PRIORITY_MAX);
	assert_three_are_carried_over();
	/* Nothing is left in the bitmaps that would be found after a reset. */
	for (i = 0; i < 64; i++) {
		assert_true(page.s.evtchn_pending[i] == 0);
		assert_true(page.s.evtchn_mask[i] == UINT64_MAX);
	}
	assert_true(page.s.vcpu_info[0].evtchn_pending_sel == 0);
}

/* A sender that had looked up the old ABI writes to the bitmaps after 1. */
static void send_late(unsigned int nr, unsigned int cmd)
{
	(void)nr;
	if (cmd == EVTCHNOP_expand_array)
		(void)evb_test_and_set_bit(guest.pending, 2);
}

static void start_takes_what_was_sent_the_old_way_meanwhile(void **state)
{
	(void)state;
	live_ports(2);
	xen.during_hypercall = send_late;
	assert_int_equal(evg_fifo_start(&guest), 0);
	xen.during_hypercall = NULL;
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(2);
	assert_true(page.s.evtchn_pending[0] == 0);
}

/* The first vCPU has switched the guest, and then it fails. */
static void start_that_failed_half_way_can_be_repeated(void **state)
{
	(void)state;
	open_three_and_send();
	hv.has_control[2] = true; /* so that it is refused */
	assert_int_equal(evg_fifo_start(&guest), -XEN_EINVAL);
	assert_true(evg_is_fifo(&guest));
	assert_int_equal(upcall(0), 0);
	hv.has_control[2] = false;
	fail_next(__HYPERVISOR_event_channel_op, EVTCHNOP_expand_array,
		  -XEN_ENOMEM);
	assert_int_equal(evg_fifo_start(&guest), -XEN_ENOMEM);
	assert_int_equal(upcall(0), 0);
	assert_int_equal(evg_fifo_start(&guest), 0);
	assert_three_are_carried_over();
}

static void vcpu_without_control_block_gets_no_ports(void **state)
{
	evtchn_port_t port;

	(void)state;
	lent_control[3].mem = NULL;
	assert_int_equal(evg_fifo_start(&guest), 0);
	live_ports(1);
	xen.nr_calls = 0;
	assert_int_equal(evg_bind_vcpu(&guest, 1, 3), -XEN_ENOENT);
	assert_int_equal(evg_bind_ipi(&guest, 3, &port), -XEN_ENOENT);
	assert_int_equal(evg_bind_virq(&guest, VIRQ_TIMER, 3, &port),
			 -XEN_ENOENT);
	assert_int_equal(xen.nr_calls, 0);
	assert_int_equal(upcall(3), 0);
	lent_control[3].mem = &controls[3];
	assert_int_equal(evg_fifo_start(&guest), 0);
	assert_int_equal(evg_bind_vcpu(&guest, 1, 3), 0);
	send(1);
	assert_int_equal(upcall(3), 1);
}

/* --- pages --------------------------------------------------------------- */

static void first_use_of_a_port_brings_its_page(void **state)
{
	(void)state;
	open_ports(1);
	assert_int_equal(hv.nr_pages, 1);
	open_ports(1);
	assert_int_equal(hv.nr_pages, 1);
	/* The toolstack opened it; the guest only gives it a handler. */
	open_port(2050);
	send(2050);
	bind_recorder(2050);
	assert_int_equal(hv.nr_pages, 3);
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(2050);
	assert_word(2047, MASKED);
	assert_int_equal(calls(EVTCHNOP_expand_array, FRAME), 1);
	assert_int_equal(calls(EVTCHNOP_expand_array, FRAME + 2), 1);
}

static void port_without_page_is_masked_and_not_pending(void **state)
{
	(void)state;
	xen.nr_calls = 0;
	assert_true(evg_is_masked(&guest, 2000));
	assert_false(evg_is_pending(&guest, 2000));
	assert_int_equal(evg_mask(&guest, 2000), 0);
	assert_int_equal(evg_clear_pending(&guest, 2000), 0);
	assert_int_equal(xen.nr_calls, 0);
	assert_int_equal(evg_set_pending(&guest, 2000), 0);
	assert_true(evg_is_pending(&guest, 2000));
	assert_int_equal(hv.nr_pages, 2);
}

static void open_without_a_page_to_be_had_closes_again(void **state)
{
	evtchn_port_t port = 123;

	(void)state;
	fail_next(__HYPERVISOR_event_channel_op, EVTCHNOP_expand_array,
		  -XEN_ENOMEM);
	assert_int_equal(evg_alloc_unbound(&guest, DOMID_SELF, 7, &port),
			 -XEN_ENOMEM);
	assert_int_equal(port, 123);
	assert_int_equal(xen.port[1].status, EVTCHNSTAT_closed);
	assert_null(evb_ptr_load(&fifo.array[0]));
	lent_page[0].mem = (uint8_t *)array + 8;
	assert_int_equal(evg_alloc_unbound(&guest, DOMID_SELF, 7, &port),
			 -XEN_EINVAL);
	lent_page[0].mem = array;
	assert_int_equal(evg_alloc_unbound(&guest, DOMID_SELF, 7, &port), 0);
	assert_int_equal(port, 1);
	assert_int_equal(evg_unmask(&guest, NR_PORTS), -XEN_EINVAL);
}

static void bind_interdomain_event_waits_for_page_and_handler(void **state)
{
	evtchn_port_t port;

	(void)state;
	assert_int_equal(evg_bind_interdomain(&guest, 7, 33, &port), 0);
	assert_int_equal(upcall(0), 0);
	assert_word(port, PENDING | MASKED);
	bind_recorder(port);
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(port);
}

/* --- closing and reset --------------------------------------------------- */

static void port_closed_in_a_queue_is_taken_out(void **state)
{
	(void)state;
	live_ports(3);
	send(1);
	send(2);
	send(3);
	assert_int_equal(evg_close(&guest, 2), 0);
	assert_word(2, MASKED | LINKED | 3);
	assert_int_equal(upcall(0), 2);
	ASSERT_SEEN(1, 3);
	assert_word(2, MASKED);
}

static void reset_goes_back_to_2_level(void **state)
{
	(void)state;
	live_ports(3);
	assert_int_equal(evg_bind_vcpu(&guest, 2, 3), 0);
	send(1);
	send(3);
	send(2);
	guest.budget = 1;
	assert_int_equal(upcall(0), 1); /* in the middle of a queue */
	guest.budget = 100;
	assert_int_equal(evg_reset(&guest), 0);
	assert_false(evg_is_fifo(&guest));
	assert_int_equal(vcpu[0].queues.ready, 0);
	(void)upcall(0);
	memset(&seen, 0, sizeof(seen));
	memset(array, 0xa5, sizeof(array)); /* the guest's own again */
	live_ports(2);
	assert_int_equal(evg_bind_vcpu(&guest, 2, 3), 0);
	send(1);
	send(2);
	assert_int_equal(upcall(0), 1);
	assert_int_equal(upcall(3), 1);
	assert_int_equal(evg_set_priority(&guest, 1, 3), -XEN_ENOSYS);
	/* And to FIFO again. */
	send(1);
	assert_int_equal(evg_fifo_start(&guest), 0);
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(1, 2, 1);
	/* Of the queue that was cut nothing was left. */
	assert_int_equal(vcpu[0].nr_bad_links.v, 0);
	assert_int_equal(vcpu[0].nr_spurious.v, 0);
}

static void reset_error_leaves_fifo_and_masks(void **state)
{
	(void)state;
	live_ports(1);
	fail_next(__HYPERVISOR_event_channel_op, EVTCHNOP_reset, -XEN_EAGAIN);
	assert_int_equal(evg_reset(&guest), -XEN_EAGAIN);
	assert_true(evg_is_fifo(&guest));
	assert_word(1, MASKED);
}

/* --- several vCPUs ------------------------------------------------------- */

static void port_moved_while_queued_is_passed_on(void **state)
{
	(void)state;
	live_ports(2);
	send(1);
	send(2);
	assert_int_equal(evg_bind_vcpu(&guest, 1, 2), 0);
	assert_int_equal(upcall(2), 0); /* it waits in the old queue */
	assert_int_equal(upcall(0), 1);
	assert_int_equal(vcpu[0].nr_passed.v, 1);
	assert_int_equal(upcall(2), 1);
	ASSERT_SEEN(2, 1);
	assert_int_equal(seen.vcpu[1], 2);
	send(1);
	assert_int_equal(upcall(2), 1);
	assert_int_equal(vcpu[2].nr_passed.v, 0);
}

static void drain_announces_what_moved_away(void **state)
{
	(void)state;
	live_ports(4);
	send(1);
	send(2);
	send(3);
	assert_int_equal(evg_mask(&guest, 2), 0);
	assert_int_equal(evg_bind_vcpu(&guest, 1, 1), 0);
	assert_int_equal(evg_bind_vcpu(&guest, 2, 1), 0);
	assert_int_equal(evg_close(&guest, 3), 0);
	current = 1;
	assert_int_equal(evg_drain(&vcpu[0]), 0);
	assert_int_equal(seen.n, 0);
	assert_int_equal(evb_u32_load(word(3)) & LINKED, 0);
	assert_int_equal(upcall(1), 1);
	assert_int_equal(evg_unmask(&guest, 2), 0);
	assert_int_equal(upcall(1), 1);
	ASSERT_SEEN(1, 2);
}

static void drain_keeps_the_vcpus_own_events(void **state)
{
	(void)state;
	live_ports(2);
	send(1);
	send(2);
	current = 1;
	assert_int_equal(evg_drain(&vcpu[0]), 0);
	assert_int_equal(upcall(1), 0);
	assert_int_equal(seen.n, 0);
	current = 0;
	assert_int_equal(upcall(0), 2);
}

/* The same promise with the 2-level ABI. */
static void drain_2_level_announces_and_keeps(void **state)
{
	(void)state;
	live_ports(70);
	assert_int_equal(evg_bind_vcpu(&guest, 70, 1), 0);
	post_to(0, 70); /* a sender that had looked up the old vCPU */
	send(2);
	assert_int_equal(flag(1), 0);
	current = 1;
	assert_int_equal(evg_drain(&vcpu[0]), 0);
	assert_int_equal(seen.n, 0);
	assert_int_equal(upcall(1), 1);
	current = 0;
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(70, 2);
}

static void drain_inside(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	record(v, port, ctx);
	assert_int_equal(evg_drain(v), -XEN_EBUSY);
}

static void drain_of_a_vcpu_in_its_upcall_is_refused(void **state)
{
	(void)state;
	open_ports(1);
	assert_int_equal(evg_bind_handler(&guest, 1, 0, drain_inside, NULL), 0);
	send(1);
	assert_int_equal(upcall(0), 1);
}

/* While vCPU 0 is in the handler: move the port to vCPU 2, send, run that. */
static void move_and_send(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	record(v, port, ctx);
	if (seen.n > 1)
		return;
	assert_int_equal(evg_bind_vcpu(&guest, port, 2), 0);
	send(port);
	assert_int_equal(upcall(2), 0); /* not at the same time */
	assert_int_equal(seen.n, 1);
}

static void handler_never_runs_on_two_vcpus_and_no_event_is_lost(void **state)
{
	(void)state;
	open_ports(1);
	assert_int_equal(evg_bind_handler(&guest, 1, 0, move_and_send, NULL),
			 0);
	send(1);
	assert_int_equal(upcall(0), 1);
	assert_int_equal(upcall(2), 1);
	assert_int_equal(seen.vcpu[1], 2);
}

/* --- priorities ---------------------------------------------------------- */

static int count_irq(int irq, void *dev_id)
{
	(void)irq, (void)dev_id;
	return IRQ_HANDLED;
}

static void set_priority_passes_errors_on(void **state)
{
	int irq;

	(void)state;
	open_ports(1);
	irq = bind_evtchn_to_irqhandler(1, count_irq, 0, "", NULL);
	assert_true(irq >= 0);
	assert_int_equal(xen_set_irq_priority((unsigned int)irq, 12), 0);
	assert_int_equal(hv.priority[1], 12);
	assert_int_equal(xen_set_irq_priority((unsigned int)irq + 1, 12),
			 -XEN_EINVAL);
	assert_int_equal(evg_set_priority(&guest, 1, 16), -XEN_EINVAL);
	assert_int_equal(evg_set_priority(&guest, 2, 3), -XEN_EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_2L(start_gives_every_vcpu_its_control_block),
		TEST_2L(start_without_fifo_in_the_hypervisor_stays_2_level),
		TEST_2L(start_of_a_large_table_stays_within_2_level),
		TEST_2L(start_with_bad_memory_gives_einval),
		TEST_2L(init_with_too_many_ports_gives_einval),
		TEST_2L(start_carries_masks_and_events_over),
		TEST_2L(start_takes_what_was_sent_the_old_way_meanwhile),
		TEST_2L(start_that_failed_half_way_can_be_repeated),
		TEST_2L(vcpu_without_control_block_gets_no_ports),
		TEST_FIFO(first_use_of_a_port_brings_its_page),
		TEST_FIFO(port_without_page_is_masked_and_not_pending),
		TEST_FIFO(open_without_a_page_to_be_had_closes_again),
		TEST_FIFO(bind_interdomain_event_waits_for_page_and_handler),
		TEST_FIFO(port_closed_in_a_queue_is_taken_out),
		TEST_FIFO(reset_goes_back_to_2_level),
		TEST_FIFO(reset_error_leaves_fifo_and_masks),
		TEST_FIFO(port_moved_while_queued_is_passed_on),
		TEST_FIFO(drain_announces_what_moved_away),
		TEST_FIFO(drain_keeps_the_vcpus_own_events),
		TEST_2L(drain_2_level_announces_and_keeps),
		TEST_FIFO(drain_of_a_vcpu_in_its_upcall_is_refused),
		TEST_FIFO(handler_never_runs_on_two_vcpus_and_no_event_is_lost),
		TEST_FIFO(set_priority_passes_errors_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
