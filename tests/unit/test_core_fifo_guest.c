/* SPDX-License-Identifier: MIT */
/*
 * FIFO, a guest that does things at odd times: polls without pages, writes to
 * its old bitmap before the switch, asks for pages while it dies.
 */
#include "tests/lib/fake_host.h"

#include <evc/snapshot.h>

#define PAGE_PENDING (1u << EVTCHN_FIFO_PENDING)

static struct evc_domain *d1;

static void start(void)
{
	fake_start(false);
	d1 = fake_add(&(struct fake_options){
		.domid = 1, .width = EVC_WIDTH_64, .fifo = true});
}

static void init_control(void)
{
	struct evtchn_init_control c = {0};

	assert_int_equal(evc_init_control(d1, &c), 0);
}

static uint32_t *word(evtchn_port_t port)
{
	return (uint32_t *)(void *)fake.frame[1] + port;
}

static int poll_one(evtchn_port_t port)
{
	const struct sched_poll p = {.ports = (uintptr_t)&port, .nr_ports = 1};
	uint64_t timeout;
	int rc = evc_poll(&d1->vcpu[0], (uintptr_t)&p, &timeout);

	evc_poll_end(&d1->vcpu[0]);
	return rc;
}

static void poll_looks_at_the_event_word(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start();
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	init_control();
	assert_int_equal(poll_one(port), EVC_BLOCK); /* no page yet */
	assert_int_equal(evc_expand_array(d1, 1), 0);
	assert_int_equal(poll_one(port), EVC_BLOCK);
	*word(port) = ~PAGE_PENDING;
	assert_int_equal(poll_one(port), EVC_BLOCK);
	*word(port) = PAGE_PENDING;
	assert_int_equal(poll_one(port), 0);
	fake_end();
}

/* Nobody sent anything: the port is free. */
static void pending_bit_of_a_free_port_is_not_carried_over(void **unused)
{
	struct shared_info *s;

	(void)unused;
	start();
	s = d1->shared_info;
	s->evtchn_pending[0] = 1u << 5;
	init_control();
	assert_int_equal(evc_expand_array(d1, 1), 0);
	assert_int_equal(*word(5), 0);
	assert_int_equal(fake_kicks(), 0);
	fake_end();
}

/* A destruction that stopped half way: nobody would unmap the page. */
static void dying_domain_gets_no_page(void **unused)
{
	evtchn_port_t port;
	unsigned int i;

	(void)unused;
	start();
	for (i = 0; i < 200; i++)
		assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	init_control();
	fake.yield = true;
	assert_int_equal(evc_domain_destroy(d1), -XEN_ERESTART);
	assert_int_equal(evc_expand_array(d1, 1), -XEN_EINVAL);
	assert_int_equal(fake.mapped, 1);
	fake.yield = false;
	assert_int_equal(evc_domain_destroy(d1), 0);
	assert_int_equal(fake.mapped, 0);
	fake_end();
}

static void frame_that_cannot_be_mapped_is_no_page(void **unused)
{
	(void)unused;
	start();
	init_control();
	assert_int_equal(evc_expand_array(d1, FAKE_FRAMES), -XEN_EINVAL);
	assert_int_equal(d1->fifo->nr_pages, 0);
	fake_end();
}

static void events_lost_by_its_own_fault_are_counted(void **unused)
{
	struct evc_domain_counters c;
	evtchn_port_t port;

	(void)unused;
	start();
	init_control();
	assert_int_equal(evc_expand_array(d1, 1), 0);
	assert_int_equal(evc_bind_ipi(d1, 1, &port), 0);
	evc_domain_counters(d1, &c);
	assert_int_equal(c.lost, 0);
	assert_int_equal(evc_send(d1, port), 0); /* vCPU 1 has no block */
	evc_domain_counters(d1, &c);
	assert_int_equal(c.lost, 1);
	fake_end();
}

/* A saved queue whose last word names a port of a page that is not there. */
static void link_to_a_missing_page_ends_a_restored_queue(void **unused)
{
	static uint8_t image[65536];
	evtchn_port_t port;
	unsigned int i;
	size_t len;

	(void)unused;
	start();
	for (i = 0; i < 1100; i++)
		assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	init_control();
	assert_int_equal(evc_expand_array(d1, 1), 0);
	assert_int_equal(evc_send(d1, 1), 0);
	*word(1) |= 1090;
	evc_domain_set_paused(d1, true);
	assert_int_equal(evc_save(d1, image, sizeof(image), &len), 0);
	fake_remove(d1);
	d1 = fake_add(&(struct fake_options){
		.domid = 1, .width = EVC_WIDTH_64, .fifo = true});
	evc_domain_set_paused(d1, true);
	assert_int_equal(evc_restore(d1, image, len), 0);
	/* The tail is port 1, so the next one is linked behind it. */
	assert_int_equal(evc_send(d1, 2), 0);
	assert_int_equal(*word(1) & EVTCHN_FIFO_LINK_MASK, 2);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(poll_looks_at_the_event_word),
		cmocka_unit_test(
			pending_bit_of_a_free_port_is_not_carried_over),
		cmocka_unit_test(dying_domain_gets_no_page),
		cmocka_unit_test(frame_that_cannot_be_mapped_is_no_page),
		cmocka_unit_test(events_lost_by_its_own_fault_are_counted),
		cmocka_unit_test(link_to_a_missing_page_ends_a_restored_queue),
	};

	return cmocka_run_group_tests_name("core fifo guest", tests, NULL,
					   NULL);
}
