/* SPDX-License-Identifier: MIT */
/*
 * FIFO event channels of the core, where the recordings cannot look: today's
 * behaviour instead of 4.17's, resources, counters, and a guest that rewrites
 * its words.  What real Xen does word for word is in tests/replay.
 *
 * Frame 0 of the fake guest holds control blocks, the others array pages.
 */
#include "tests/lib/fake_host.h"

#include <string.h>

#define BIT(n)	(1u << (n))
#define PENDING BIT(EVTCHN_FIFO_PENDING)
#define MASKED	BIT(EVTCHN_FIFO_MASKED)
#define LINKED	BIT(EVTCHN_FIFO_LINKED)

static struct evc_domain *d1, *d2;

static struct evtchn_fifo_control_block *control(uint32_t vcpu)
{
	return (void *)(fake.frame[0] + vcpu * 128);
}

static uint32_t *word(evtchn_port_t port)
{
	return (uint32_t *)(void *)fake.frame[1 + port / 1024] + port % 1024;
}

static int init_control(uint64_t gfn, uint32_t offset, uint32_t vcpu)
{
	struct evtchn_init_control c = {
		.control_gfn = gfn, .offset = offset, .vcpu = vcpu};
	int rc = evc_init_control(d1, &c);

	assert_int_equal(c.link_bits, rc ? 0 : 17);
	return rc;
}

static void start(bool xen_4_17)
{
	fake_start(xen_4_17);
	d1 = fake_add(&(struct fake_options){.domid = 1,
					     .width = EVC_WIDTH_64,
					     .nr_vcpus = 3,
					     .nr_buckets = 2048,
					     .fifo = true});
	d2 = fake_domain(2);
}

/* vCPUs 0 and 1 have control blocks, ports 0..1023 a page. */
static void start_fifo(void)
{
	start(false);
	assert_int_equal(init_control(0, 0, 0), 0);
	assert_int_equal(init_control(0, 128, 1), 0);
	assert_int_equal(evc_expand_array(d1, 1), 0);
}

/* Take everything out of a queue as the ABI tells guests to. */
static unsigned int consume(uint32_t vcpu, uint32_t prio, evtchn_port_t *ports)
{
	uint32_t port = control(vcpu)->head[prio];
	unsigned int n = 0;

	if (!(control(vcpu)->ready & BIT(prio)))
		return 0;
	control(vcpu)->ready &= ~BIT(prio);
	while (port) {
		uint32_t w = *word(port);

		*word(port) = w & ~(LINKED | EVTCHN_FIFO_LINK_MASK);
		if (w & PENDING && !(w & MASKED)) {
			*word(port) &= ~PENDING;
			ports[n++] = port;
		}
		port = w & EVTCHN_FIFO_LINK_MASK;
	}
	return n;
}

/* --- init_control and expand_array ----------------------------------------- */

static void init_control_errors_leave_two_level(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start(false);
	assert_int_equal(init_control(0, 0, 3), -XEN_ENOENT);
	assert_int_equal(init_control(0, 4096 - 64, 0), -XEN_EINVAL);
	assert_int_equal(init_control(0, 4, 0), -XEN_EINVAL);
	assert_int_equal(init_control(FAKE_FRAMES, 0, 0), -XEN_EINVAL);
	assert_int_equal(evc_expand_array(d1, 1), -XEN_EOPNOTSUPP);
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	assert_int_equal(evc_send(d1, port), 0);
	assert_true(fake_pending(d1, port));
	assert_int_equal(fake.mapped, 0);
	fake_end();
}

static void init_control_twice_is_refused(void **unused)
{
	(void)unused;
	start_fifo();
	assert_int_equal(init_control(0, 256, 0), -XEN_EINVAL);
	assert_int_equal(fake.mapped, 3);
	fake_end();
}

static void domain_without_lent_fifo_memory_stays_two_level(void **unused)
{
	struct evtchn_init_control c = {0};

	(void)unused;
	start(false);
	assert_int_equal(evc_init_control(d2, &c), -XEN_EOPNOTSUPP);
	assert_int_equal(evc_expand_array(d2, 1), -XEN_EOPNOTSUPP);
	fake_end();
}

static void expand_array_ends_at_128_pages(void **unused)
{
	uint32_t i;

	(void)unused;
	start_fifo();
	for (i = 1; i < 128; i++)
		assert_int_equal(evc_expand_array(d1, 1), 0);
	assert_int_equal(evc_expand_array(d1, 1), -XEN_ENOSPC);
	assert_int_equal(evc_expand_array(d1, FAKE_FRAMES), -XEN_ENOSPC);
	fake_end();
}

static void reset_and_destroy_unmap_every_frame(void **unused)
{
	(void)unused;
	start_fifo();
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), 0);
	assert_int_equal(fake.mapped, 0);
	assert_int_equal(evc_expand_array(d1, 1), -XEN_EOPNOTSUPP);
	assert_int_equal(init_control(0, 0, 0), 0);
	assert_int_equal(evc_expand_array(d1, 1), 0);
	assert_int_equal(evc_domain_destroy(d1), 0);
	assert_int_equal(fake.mapped, 0);
	fake_end();
}

/* Nobody would ever unmap them. */
static void destroyed_domain_gets_no_frames(void **unused)
{
	struct evtchn_init_control c = {.vcpu = 2, .offset = 256};

	(void)unused;
	start_fifo();
	assert_int_equal(evc_domain_destroy(d1), 0);
	assert_int_equal(evc_init_control(d1, &c), -XEN_EINVAL);
	assert_int_equal(evc_expand_array(d1, 1), -XEN_EOPNOTSUPP);
	assert_int_equal(fake.mapped, 0);
	fake_end();
}

/* --- parked events (SPEC 11, L1 and L2) ------------------------------------ */

static void parked_event_is_posted_once(void **unused)
{
	evtchn_port_t port, ports[4];

	(void)unused;
	start(false);
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	assert_int_equal(init_control(0, 0, 0), 0);
	assert_int_equal(evc_send(d1, port), 0);
	assert_int_equal(evc_send(d1, port), 0);
	assert_int_equal(fake_kicks(), 0);
	assert_int_equal(evc_expand_array(d1, 1), 0);
	assert_int_equal(fake_kicks(), 1);
	assert_int_equal(consume(0, 7, ports), 1);
	assert_int_equal(ports[0], port);

	/* Leaving and coming back finds nothing left over. */
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), 0);
	memset(fake.frame, 0, 8192);
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	assert_int_equal(init_control(0, 0, 0), 0);
	assert_int_equal(evc_expand_array(d1, 1), 0);
	assert_int_equal(*word(port), 0);
	fake_end();
}

static void parked_event_of_a_closed_port_is_forgotten(void **unused)
{
	evtchn_port_t port, again;

	(void)unused;
	start(false);
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	assert_int_equal(init_control(0, 0, 0), 0);
	assert_int_equal(evc_send(d1, port), 0);
	assert_int_equal(evc_close(d1, port), 0);
	assert_int_equal(evc_expand_array(d1, 1), 0);
	assert_int_equal(*word(port), 0);
	assert_int_equal(evc_bind_ipi(d1, 0, &again), 0);
	assert_int_equal(again, port);
	fake_end();
}

static void pending_bits_of_two_level_are_carried_over(void **unused)
{
	evtchn_port_t port, ports[4];

	(void)unused;
	start(false);
	assert_int_equal(evc_bind_ipi(d1, 1, &port), 0);
	assert_int_equal(evc_send(d1, port), 0);
	assert_int_equal(init_control(0, 128, 1), 0);
	assert_int_equal(evc_expand_array(d1, 1), 0);
	assert_int_equal(consume(1, 7, ports), 1);
	assert_int_equal(ports[0], port);
	fake_end();
}

/* --- queues ---------------------------------------------------------------- */

static void queue_keeps_the_order_of_arrival(void **unused)
{
	evtchn_port_t port[10], got[10];
	unsigned int i;

	(void)unused;
	start_fifo();
	for (i = 0; i < 10; i++)
		assert_int_equal(evc_bind_ipi(d1, 0, &port[i]), 0);
	for (i = 0; i < 10; i++)
		assert_int_equal(evc_send(d1, port[9 - i]), 0);
	assert_int_equal(fake_kicks(), 1);
	assert_int_equal(consume(0, 7, got), 10);
	for (i = 0; i < 10; i++)
		assert_int_equal(got[i], port[9 - i]);
	fake_end();
}

/*
 * The last port of an emptied queue moves to another queue: the old queue must
 * not append to it (Linux and Xen both met this in 2013).
 */
static void old_tail_that_moved_is_not_appended_to(void **unused)
{
	evtchn_port_t a, b, got[4];

	(void)unused;
	start_fifo();
	a = fake_unbound(d1, d1);
	b = fake_unbound(d1, d1);
	assert_int_equal(evc_close(d1, b), 0);
	assert_int_equal(evc_bind_ipi(d1, 0, &b), 0);
	assert_int_equal(evc_close(d1, a), 0);
	assert_int_equal(evc_bind_ipi(d1, 0, &a), 0);
	assert_int_equal(evc_send(d1, a), 0);
	assert_int_equal(consume(0, 7, got), 1);
	assert_int_equal(evc_set_priority(d1, a, 3), 0);
	assert_int_equal(evc_send(d1, a), 0);
	assert_int_equal(evc_send(d1, b), 0);
	assert_int_equal(*word(a) & EVTCHN_FIFO_LINK_MASK, 0);
	assert_int_equal(consume(0, 3, got), 1);
	assert_int_equal(got[0], a);
	assert_int_equal(consume(0, 7, got), 1);
	assert_int_equal(got[0], b);
	fake_end();
}

static void event_without_control_block_is_counted(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start_fifo();
	assert_int_equal(evc_bind_ipi(d1, 2, &port), 0);
	assert_int_equal(evc_send(d1, port), 0);
	assert_int_equal(*word(port), 0);
	assert_int_equal(evb_u32_load(&d1->fifo->nr_dropped), 1);
	fake_end();
}

static void closed_port_that_is_still_linked_is_not_handed_out(void **unused)
{
	evtchn_port_t port, other, got[4];

	(void)unused;
	start_fifo();
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	assert_int_equal(evc_send(d1, port), 0);
	assert_int_equal(evc_close(d1, port), 0);
	assert_int_equal(evc_bind_ipi(d1, 0, &other), 0);
	assert_int_not_equal(other, port);
	assert_int_equal(consume(0, 7, got), 0);
	assert_int_equal(evc_bind_ipi(d1, 0, &other), 0);
	assert_int_equal(other, port);
	fake_end();
}

static void ports_beyond_two_level_work(void **unused)
{
	evtchn_port_t port = 0, got[4];
	uint32_t i;

	(void)unused;
	start_fifo();
	for (i = 1; i < 5000; i++)
		assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	assert_int_equal(port, 4999);
	for (i = 2; i <= 5; i++)
		assert_int_equal(evc_expand_array(d1, i), 0);
	assert_int_equal(evc_send(d1, port), 0);
	assert_int_equal(consume(0, 7, got), 1);
	assert_int_equal(got[0], 4999);
	fake_end();
}

/* Words full of nonsense: links to anywhere, BUSY, LINKED without a queue. */
static void nonsense_in_the_words_touches_nothing_else(void **unused)
{
	evtchn_port_t port[8];
	unsigned int i, k;

	(void)unused;
	start_fifo();
	for (i = 0; i < 8; i++)
		assert_int_equal(evc_bind_ipi(d1, i % 2, &port[i]), 0);
	for (k = 0; k < 20000; k++) {
		for (i = 0; i < 8; i++)
			*word(port[i]) = k * 2654435761u ^ i * 40503u << k % 17;
		control(0)->head[7] = k * 77777u;
		control(0)->ready = k;
		assert_int_equal(evc_send(d1, port[k % 8]), 0);
		assert_int_equal(evc_set_priority(d1, port[k % 7], k % 16), 0);
		assert_int_equal(evc_unmask(d1, port[k % 5]), 0);
	}
	/* Frames nobody gave away are as they were. */
	for (i = 0; i < 4096; i++)
		assert_int_equal(fake.frame[2][i], 0);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_control_errors_leave_two_level),
		cmocka_unit_test(init_control_twice_is_refused),
		cmocka_unit_test(
			domain_without_lent_fifo_memory_stays_two_level),
		cmocka_unit_test(expand_array_ends_at_128_pages),
		cmocka_unit_test(reset_and_destroy_unmap_every_frame),
		cmocka_unit_test(destroyed_domain_gets_no_frames),
		cmocka_unit_test(parked_event_is_posted_once),
		cmocka_unit_test(parked_event_of_a_closed_port_is_forgotten),
		cmocka_unit_test(pending_bits_of_two_level_are_carried_over),
		cmocka_unit_test(queue_keeps_the_order_of_arrival),
		cmocka_unit_test(old_tail_that_moved_is_not_appended_to),
		cmocka_unit_test(event_without_control_block_is_counted),
		cmocka_unit_test(
			closed_port_that_is_still_linked_is_not_handed_out),
		cmocka_unit_test(ports_beyond_two_level_work),
		cmocka_unit_test(nonsense_in_the_words_touches_nothing_else),
	};

	return cmocka_run_group_tests_name("core fifo", tests, NULL, NULL);
}
