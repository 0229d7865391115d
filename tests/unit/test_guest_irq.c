/* SPDX-License-Identifier: MIT */
/*
 * evg/irq.h, called as a Linux driver would: the return values, the reference
 * counts, and the order of what happens at the end.
 */
#include "test_guest_platform.h"

static int handler_result;

static irqreturn_t on_irq(int irq, void *dev_id)
{
	if (seen.n < MAX_LOG) {
		seen.port[seen.n] = (evtchn_port_t)irq;
		seen.ctx[seen.n] = dev_id;
	}
	seen.n++;
	return handler_result;
}

static int dev, other_dev;

static int setup_irq(void **state)
{
	handler_result = IRQ_HANDLED;
	return setup_seen(state);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup(name, setup_irq)

/* An irq with a handler for a new port. */
static int bound_irq(void)
{
	evtchn_port_t port;
	int irq;

	assert_int_equal(evg_alloc_unbound(&guest, DOMID_SELF, 7, &port), 0);
	irq = bind_evtchn_to_irqhandler(port, on_irq, 0, "test", &dev);
	assert_true(irq >= 0);
	return irq;
}

static void fire(int irq)
{
	post(evtchn_from_irq((unsigned int)irq));
}

/* --- numbers --------------------------------------------------------------- */

static void bind_evtchn_new_port_gets_an_irq(void **state)
{
	(void)state;
	open_ports(2);
	assert_int_equal(irq_from_evtchn(1), -1);
	assert_int_equal(bind_evtchn_to_irq(1), 0);
	assert_int_equal(bind_evtchn_to_irq(2), 1);
	assert_int_equal(irq_from_evtchn(2), 1);
	assert_int_equal(evtchn_from_irq(1), 2);
	assert_true(evg_is_masked(&guest, 1));
}

static void bind_evtchn_known_port_gets_the_same_irq(void **state)
{
	(void)state;
	open_ports(1);
	assert_int_equal(bind_evtchn_to_irq(1), 0);
	assert_int_equal(bind_evtchn_to_irq(1), 0);
	unbind_from_irqhandler(0, NULL);
	assert_int_equal(irq_from_evtchn(1), 0);
	assert_int_equal(calls(EVTCHNOP_close, 1), 0);
	unbind_from_irqhandler(0, NULL);
	assert_int_equal(irq_from_evtchn(1), -1);
	assert_int_equal(calls(EVTCHNOP_close, 1), 1);
	unbind_from_irqhandler(0, NULL); /* once too often: nothing */
	assert_int_equal(calls(EVTCHNOP_close, 1), 1);
}

static void bind_evtchn_without_room_gives_enomem(void **state)
{
	evtchn_port_t port;

	(void)state;
	open_ports(NR_IRQS + 1);
	assert_int_equal(bind_evtchn_to_irq(0), -XEN_ENOMEM);
	assert_int_equal(bind_evtchn_to_irq(EVTCHN_2L_NR_CHANNELS_64),
			 -XEN_ENOMEM);
	for (port = 1; port <= NR_IRQS; port++)
		assert_int_equal(bind_evtchn_to_irq(port), port - 1);
	assert_int_equal(bind_evtchn_to_irq(port), -XEN_ENOMEM);
	assert_int_equal(bind_evtchn_to_irqhandler(port, on_irq, 0, "", &dev),
			 -XEN_ENOMEM);
	assert_int_equal(calls(EVTCHNOP_close, port), 0);
}

static void irq_base_is_the_first_irq(void **state)
{
	int irq;

	(void)state;
	config.irq_base = 100;
	start_guest();
	irq = bound_irq();
	assert_int_equal(irq, 100);
	assert_int_equal(irq_from_evtchn(1), 100);
	fire(irq);
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN(100);
	assert_int_equal(evtchn_from_irq(99), 0);
	assert_int_equal(evtchn_from_irq(100 + NR_IRQS), 0);
	assert_int_equal(request_irq(99, on_irq, 0, "", &dev), -XEN_EINVAL);
}

static void from_calls_on_nothing_give_nothing(void **state)
{
	(void)state;
	assert_int_equal(irq_from_evtchn(0), -1);
	assert_int_equal(irq_from_evtchn(UINT32_MAX), -1);
	assert_int_equal(evtchn_from_irq(3), 0);
	assert_int_equal(evtchn_from_irq(UINT32_MAX), 0);
	assert_int_equal(evg_irq_count(3), 0);
	assert_int_equal(evg_irq_spurious(3), 0);
}

/* --- request and free ------------------------------------------------------ */

static void request_irq_enables_and_calls_with_irq_and_dev(void **state)
{
	int irq;

	(void)state;
	open_ports(1);
	post(1);
	irq = bind_evtchn_to_irq(1);
	assert_int_equal(
		request_irq((unsigned int)irq, on_irq, 5, "name", &dev), 0);
	assert_false(evg_is_masked(&guest, 1));
	assert_int_equal(upcall(0), 1);
	ASSERT_SEEN((evtchn_port_t)irq);
	assert_ptr_equal(seen.ctx[0], &dev);
	assert_string_equal(irqs[irq].name, "name");
	assert_int_equal(irqs[irq].flags, 5);
}

static void request_irq_errors(void **state)
{
	int irq;

	(void)state;
	assert_int_equal(request_irq(0, on_irq, 0, "", &dev), -XEN_EINVAL);
	assert_int_equal(request_irq(NR_IRQS, on_irq, 0, "", &dev),
			 -XEN_EINVAL);
	irq = bound_irq();
	assert_int_equal(request_irq((unsigned int)irq, NULL, 0, "", &dev),
			 -XEN_EINVAL);
	assert_int_equal(request_irq((unsigned int)irq, on_irq, 0, "", &dev),
			 -XEN_EBUSY);
}

static void request_irq_on_a_port_with_a_handler_gives_ebusy(void **state)
{
	int irq;

	(void)state;
	open_ports(1);
	bind_recorder(1);
	irq = bind_evtchn_to_irq(1);
	assert_int_equal(request_irq((unsigned int)irq, on_irq, 0, "", &dev),
			 -XEN_EBUSY);
	assert_int_equal(evg_unbind_handler(&guest, 1), 0);
	assert_int_equal(request_irq((unsigned int)irq, on_irq, 0, "", &dev),
			 0);
}

static void free_irq_masks_and_allows_another_request(void **state)
{
	int irq = bound_irq();

	(void)state;
	assert_int_equal(evg_irq_free(irq, &other_dev), -XEN_ENOENT);
	assert_int_equal(evg_irq_free(irq + 1, &dev), -XEN_EINVAL);
	assert_false(evg_is_masked(&guest, 1));
	free_irq((unsigned int)irq, &dev);
	assert_true(evg_is_masked(&guest, 1));
	assert_int_equal(evg_irq_free(irq, &dev), -XEN_ENOENT);
	fire(irq);
	assert_int_equal(upcall(0), 0);
	assert_int_equal(
		request_irq((unsigned int)irq, on_irq, 0, "", &other_dev), 0);
	assert_int_equal(upcall(0), 1);
	assert_ptr_equal(seen.ctx[0], &other_dev);
}

static void bind_irqhandler_failed_request_closes_the_port(void **state)
{
	(void)state;
	open_ports(1);
	assert_int_equal(bind_evtchn_to_irqhandler(1, NULL, 0, "", &dev),
			 -XEN_EINVAL);
	assert_int_equal(irq_from_evtchn(1), -1);
	assert_int_equal(xen.port[1].status, EVTCHNSTAT_closed);
}

static void bind_irqhandler_failed_on_a_shared_port_leaves_it(void **state)
{
	int irq = bound_irq();

	(void)state;
	assert_int_equal(
		bind_evtchn_to_irqhandler(1, on_irq, 0, "", &other_dev),
		-XEN_EBUSY);
	assert_int_equal(irq_from_evtchn(1), irq);
	assert_int_equal(calls(EVTCHNOP_close, 1), 0);
	fire(irq);
	assert_int_equal(upcall(0), 1);
	assert_ptr_equal(seen.ctx[0], &dev);
}

static void check_unmapped(unsigned int nr, unsigned int cmd)
{
	(void)nr;
	if (cmd != EVTCHNOP_close)
		return;
	assert_int_equal(irq_from_evtchn(1), -1);
	assert_int_equal(evtchn_from_irq(0), 0);
	assert_true(evg_is_masked(&guest, 1));
	assert_int_equal(evb_u32_load(&ports[1].bound), 0);
	/* The number may go to somebody else right now. */
	assert_int_equal(bind_evtchn_to_irq(2), 0);
}

static void unbind_removes_the_mapping_before_the_close(void **state)
{
	int irq = bound_irq();

	(void)state;
	xen.during_hypercall = check_unmapped;
	unbind_from_irqhandler((unsigned int)irq, &dev);
	assert_int_equal(calls(EVTCHNOP_close, 1), 1);
	assert_int_equal(irq_from_evtchn(2), 0);
}

static irqreturn_t unbind_self(int irq, void *dev_id)
{
	seen.n++;
	unbind_from_irqhandler((unsigned int)irq, dev_id);
	/* The next one gets the same entry, and not our spurious interrupt. */
	assert_int_equal(bind_evtchn_to_irq(2), irq);
	return IRQ_NONE;
}

static void handler_unbinds_its_own_irq(void **state)
{
	int irq;

	(void)state;
	open_ports(2);
	irq = bind_evtchn_to_irqhandler(1, unbind_self, 0, "", &dev);
	assert_true(irq >= 0);
	post(1);
	assert_int_equal(upcall(0), 1);
	assert_int_equal(xen.port[1].status, EVTCHNSTAT_closed);
	assert_int_equal(irq_from_evtchn(2), irq);
	assert_int_equal(evg_irq_spurious(irq), 0);
}

/* --- disable, count, notify ------------------------------------------------ */

static void disable_irq_nests(void **state)
{
	int irq = bound_irq();
	unsigned int n = (unsigned int)irq;

	(void)state;
	disable_irq(n);
	disable_irq_nosync(n);
	fire(irq);
	assert_int_equal(upcall(0), 0);
	enable_irq(n);
	assert_int_equal(upcall(0), 0);
	enable_irq(n);
	assert_int_equal(upcall(0), 1);
	assert_int_equal(evg_irq_enable(irq), -XEN_EINVAL);
	assert_int_equal(evg_irq_enable(irq + 1), -XEN_EINVAL);
	assert_int_equal(evg_irq_disable(irq + 1, false), -XEN_EINVAL);
}

static void disable_irq_before_the_request_holds_afterwards(void **state)
{
	(void)state;
	open_ports(1);
	assert_int_equal(bind_evtchn_to_irq(1), 0);
	disable_irq(0);
	assert_int_equal(request_irq(0, on_irq, 0, "", &dev), 0);
	assert_true(evg_is_masked(&guest, 1));
	enable_irq(0);
	assert_false(evg_is_masked(&guest, 1));
}

static void enable_irq_without_handler_stays_masked(void **state)
{
	(void)state;
	open_ports(1);
	assert_int_equal(bind_evtchn_to_irq(1), 0);
	disable_irq(0);
	enable_irq(0);
	assert_true(evg_is_masked(&guest, 1));
	assert_int_equal(request_irq(0, on_irq, 0, "", &dev), 0);
	assert_false(evg_is_masked(&guest, 1));
}

static void free_irq_ends_a_disable(void **state)
{
	int irq = bound_irq();

	(void)state;
	disable_irq((unsigned int)irq);
	free_irq((unsigned int)irq, &dev);
	assert_int_equal(request_irq((unsigned int)irq, on_irq, 0, "", &dev),
			 0);
	assert_false(evg_is_masked(&guest, 1));
	assert_int_equal(evg_irq_enable(irq), -XEN_EINVAL);
}

static void counts_tell_handled_from_spurious(void **state)
{
	int irq = bound_irq();

	(void)state;
	fire(irq);
	(void)upcall(0);
	handler_result = IRQ_NONE;
	fire(irq);
	(void)upcall(0);
	assert_int_equal(evg_irq_count(irq), 2);
	assert_int_equal(evg_irq_spurious(irq), 1);
}

static void notify_via_irq_sends_through_its_port(void **state)
{
	int irq;

	(void)state;
	open_ports(4);
	irq = bound_irq();
	notify_remote_via_irq(irq);
	assert_int_equal(calls(EVTCHNOP_send, 5), 1);
	notify_remote_via_evtchn(3);
	assert_int_equal(calls(EVTCHNOP_send, 3), 1);
}

static void notify_via_unbound_irq_does_nothing(void **state)
{
	(void)state;
	notify_remote_via_irq(2);
	notify_remote_via_irq(-1);
	notify_remote_via_irq(NR_IRQS);
	assert_int_equal(xen.nr_calls, 0);
}

/* --- binding what has no port yet ------------------------------------------ */

static void bind_interdomain_connects_and_delivers(void **state)
{
	int irq = bind_interdomain_evtchn_to_irqhandler(7, 33, on_irq, 0, "",
							&dev);

	(void)state;
	assert_true(irq >= 0);
	assert_int_equal(xen.log[0].cmd, EVTCHNOP_bind_interdomain);
	assert_int_equal(xen.log[0].arg.interdomain.remote_dom, 7);
	assert_int_equal(xen.log[0].arg.interdomain.remote_port, 33);
	assert_int_equal(upcall(0), 1); /* pending from the start */
}

static void bind_interdomain_errors_leave_nothing_open(void **state)
{
	evtchn_port_t port;

	(void)state;
	fail_next(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain,
		  -XEN_EINVAL);
	assert_int_equal(bind_interdomain_evtchn_to_irqhandler(7, 1, on_irq, 0,
							       "", &dev),
			 -XEN_EINVAL);
	assert_int_equal(
		bind_interdomain_evtchn_to_irqhandler(7, 1, NULL, 0, "", &dev),
		-XEN_EINVAL);
	assert_int_equal(calls(EVTCHNOP_close, 1), 1);
	open_ports(NR_IRQS);
	for (port = 1; port <= NR_IRQS; port++)
		assert_true(bind_evtchn_to_irq(port) >= 0);
	assert_int_equal(bind_interdomain_evtchn_to_irqhandler(7, 1, on_irq, 0,
							       "", &dev),
			 -XEN_ENOMEM);
	assert_int_equal(calls(EVTCHNOP_close, port), 1);
	assert_int_equal(xen.port[port].status, EVTCHNSTAT_closed);
}

static void bind_ipi_goes_to_its_vcpu(void **state)
{
	int irq = bind_ipi_to_irqhandler(4, 2, on_irq, 0, "", &dev);

	(void)state;
	assert_true(irq >= 0);
	fire(irq);
	assert_int_equal(upcall(2), 1);
	assert_int_equal(
		bind_ipi_to_irqhandler(4, NR_VCPUS, on_irq, 0, "", &dev),
		-XEN_ENOENT);
}

static void bind_virq_goes_to_its_vcpu(void **state)
{
	int irq = bind_virq_to_irqhandler(VIRQ_TIMER, 3, on_irq, 0, "", &dev);

	(void)state;
	assert_true(irq >= 0);
	assert_int_equal(xen.log[0].arg.virq.virq, VIRQ_TIMER);
	assert_int_equal(xen.log[0].arg.virq.vcpu, 3);
	fire(irq);
	assert_int_equal(upcall(3), 1);
}

static void bind_virq_error_is_passed_on(void **state)
{
	(void)state;
	fail_next(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq,
		  -XEN_EBUSY);
	assert_int_equal(
		bind_virq_to_irqhandler(VIRQ_CONSOLE, 0, on_irq, 0, "", &dev),
		-XEN_EBUSY);
	assert_int_equal(xen.nr_calls, 1);
}

/* Somebody before us (a boot loader) left the VIRQ bound at port 9. */
static void leave_virq(uint32_t virq, uint32_t id)
{
	xen.port[9].status = EVTCHNSTAT_virq;
	xen.port[9].virq = virq;
	xen.port[9].vcpu = id;
}

static void bind_virq_bound_here_is_adopted(void **state)
{
	int irq;

	(void)state;
	leave_virq(VIRQ_TIMER, 1);
	irq = bind_virq_to_irqhandler(VIRQ_TIMER, 1, on_irq, 0, "", &dev);
	assert_true(irq >= 0);
	assert_int_equal(evtchn_from_irq((unsigned int)irq), 9);
	assert_int_equal(vcpu[1].timer_port.v, 9);
	fire(irq);
	assert_int_equal(upcall(1), 1);
}

static void bind_virq_bound_by_us_gives_ebusy_and_keeps_it(void **state)
{
	int irq = bind_virq_to_irqhandler(VIRQ_TIMER, 1, on_irq, 0, "", &dev);

	(void)state;
	assert_true(irq >= 0);
	assert_int_equal(bind_virq_to_irqhandler(VIRQ_TIMER, 1, on_irq, 0, "",
						 &other_dev),
			 -XEN_EBUSY);
	fire(irq);
	assert_int_equal(upcall(1), 1);
}

static void bind_virq_global_bound_elsewhere_gives_eexist(void **state)
{
	(void)state;
	leave_virq(VIRQ_CONSOLE, 2);
	assert_int_equal(
		bind_virq_to_irqhandler(VIRQ_CONSOLE, 0, on_irq, 0, "", &dev),
		-XEN_EEXIST);
}

static void bind_virq_of_another_vcpu_is_not_adopted(void **state)
{
	(void)state;
	leave_virq(VIRQ_TIMER, 2);
	fail_next(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq,
		  -XEN_EEXIST);
	assert_int_equal(
		bind_virq_to_irqhandler(VIRQ_TIMER, 1, on_irq, 0, "", &dev),
		-XEN_ENOENT);
}

static void bind_virq_search_ends_with_the_port_table(void **state)
{
	(void)state;
	xen.valid = 64;
	fail_next(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq,
		  -XEN_EEXIST);
	assert_int_equal(
		bind_virq_to_irqhandler(VIRQ_TIMER, 1, on_irq, 0, "", &dev),
		-XEN_ENOENT);
	assert_int_equal(xen.nr_calls, 1 + 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bind_evtchn_new_port_gets_an_irq),
		TEST(bind_evtchn_known_port_gets_the_same_irq),
		TEST(bind_evtchn_without_room_gives_enomem),
		TEST(irq_base_is_the_first_irq),
		TEST(from_calls_on_nothing_give_nothing),
		TEST(request_irq_enables_and_calls_with_irq_and_dev),
		TEST(request_irq_errors),
		TEST(request_irq_on_a_port_with_a_handler_gives_ebusy),
		TEST(free_irq_masks_and_allows_another_request),
		TEST(bind_irqhandler_failed_request_closes_the_port),
		TEST(bind_irqhandler_failed_on_a_shared_port_leaves_it),
		TEST(unbind_removes_the_mapping_before_the_close),
		TEST(handler_unbinds_its_own_irq),
		TEST(disable_irq_nests),
		TEST(disable_irq_before_the_request_holds_afterwards),
		TEST(enable_irq_without_handler_stays_masked),
		TEST(free_irq_ends_a_disable),
		TEST(counts_tell_handled_from_spurious),
		TEST(notify_via_irq_sends_through_its_port),
		TEST(notify_via_unbound_irq_does_nothing),
		TEST(bind_interdomain_connects_and_delivers),
		TEST(bind_interdomain_errors_leave_nothing_open),
		TEST(bind_ipi_goes_to_its_vcpu),
		TEST(bind_virq_goes_to_its_vcpu),
		TEST(bind_virq_error_is_passed_on),
		TEST(bind_virq_bound_here_is_adopted),
		TEST(bind_virq_bound_by_us_gives_ebusy_and_keeps_it),
		TEST(bind_virq_global_bound_elsewhere_gives_eexist),
		TEST(bind_virq_of_another_vcpu_is_not_adopted),
		TEST(bind_virq_search_ends_with_the_port_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
