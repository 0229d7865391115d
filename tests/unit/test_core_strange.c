/* SPDX-License-Identifier: MIT */
/*
 * What a correct host never shows the core: states, numbers and slots that do
 * not exist, as after a memory error.  The core does the least it can do, and
 * grants nothing.
 */
#include "tests/lib/fake_host.h"

#include <string.h>

#include "core/channel.h"
#include "core/locking.h"
#include "core/port_table.h"

#define STRANGE 77

static struct evc_domain *d1, *d2;
static evtchn_port_t port;
static struct evc_channel *ch;

static void start(void)
{
	fake_start(false);
	d1 = fake_domain(1);
	d2 = fake_domain(2);
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	ch = evc_port_lookup(d1, port);
}

static void strange_state_sends_nothing_and_stays_where_it_is(void **unused)
{
	struct evtchn_status s = {
		.dom = DOMID_SELF, .port = port, .status = 1234};

	(void)unused;
	start();
	s.port = port;
	ch->state = STRANGE;
	assert_int_equal(evc_send(d1, port), 0);
	assert_false(fake_pending(d1, port));
	assert_int_equal(evc_bind_vcpu(d1, port, 1), -XEN_EINVAL);
	assert_int_equal(evc_status(d1, &s), 0);
	assert_int_equal(s.status, 1234);
	assert_int_equal(s.vcpu, 0);
	assert_int_equal(fake_kicks(), 0);
	fake_end();
}

static void strange_state_can_be_closed(void **unused)
{
	evtchn_port_t again;

	(void)unused;
	start();
	ch->state = STRANGE;
	assert_int_equal(evc_close(d1, port), 0);
	assert_int_equal(d1->ports.nr_open, 0);
	assert_int_equal(evc_bind_ipi(d1, 0, &again), 0);
	assert_int_equal(again, port);
	fake_end();
}

static void strange_closer_may_close_nothing(void **unused)
{
	(void)unused;
	start();
	lock_domain(d1);
	assert_int_equal(evc_channel_close_locked(d1, port, STRANGE),
			 -XEN_EINVAL);
	unlock_domain(d1);
	fake_assert_status(d1, port, EVTCHNSTAT_ipi);
	fake_end();
}

static void strange_permission_is_for_the_privileged(void **unused)
{
	(void)unused;
	start();
	assert_int_equal(evc_default_policy(d1, d2, STRANGE), -XEN_EPERM);
	assert_int_equal(evc_default_policy(d1, d1, STRANGE), 0);
	fake_end();
}

/* A slot that names a port which does not exist, or which is something else. */
static void strange_virq_slot_raises_nothing(void **unused)
{
	evb_u32 *slot;

	(void)unused;
	start();
	slot = &d1->vcpu[0].virq_port[VIRQ_TIMER];
	evb_u32_store(slot, 64); /* the first that does not exist */
	evc_virq_raise(&d1->vcpu[0], VIRQ_TIMER);
	evb_u32_store(slot, port); /* an IPI */
	evc_virq_raise(&d1->vcpu[0], VIRQ_TIMER);
	assert_int_equal(fake_kicks(), 0);
	assert_false(fake_pending(d1, port));
	fake_end();
}

static void strange_pirq_slot_raises_nothing(void **unused)
{
	(void)unused;
	start();
	evb_u32_store(&d1->pirq_port[3], 64);
	evc_pirq_raise(d1, 3);
	evb_u32_store(&d1->pirq_port[3], port);
	evc_pirq_raise(d1, 3);
	assert_int_equal(fake_kicks(), 0);
	assert_false(fake_pending(d1, port));
	fake_end();
}

/* --- the same slots in a race that does happen ------------------------------- */

static void close_and_bind_an_ipi(struct fake *f)
{
	evtchn_port_t again;

	f->relax = NULL;
	unlock_channel(ch);
	assert_int_equal(evc_close(d1, port), 0);
	assert_int_equal(evc_bind_ipi(d1, 0, &again), 0);
	assert_int_equal(again, port);
}

static void virq_closed_while_it_is_raised_is_dropped(void **unused)
{
	(void)unused;
	start();
	assert_int_equal(evc_bind_virq(d1, VIRQ_TIMER, 0, &port), 0);
	ch = evc_port_lookup(d1, port);
	lock_channel(ch);
	fake.relax = close_and_bind_an_ipi;
	evc_virq_raise(&d1->vcpu[0], VIRQ_TIMER);
	assert_null(fake.relax);
	assert_false(fake_pending(d1, port));
	assert_int_equal(fake_kicks(), 0);
	fake_end();
}

static void pirq_closed_while_it_is_raised_is_dropped(void **unused)
{
	(void)unused;
	start();
	fake.pirq_permitted = ~0u;
	assert_int_equal(evc_bind_pirq(d1, 3, 0, &port), 0);
	ch = evc_port_lookup(d1, port);
	lock_channel(ch);
	fake.relax = close_and_bind_an_ipi;
	evc_pirq_raise(d1, 3);
	assert_null(fake.relax);
	assert_false(fake_pending(d1, port));
	assert_int_equal(fake_kicks(), 0);
	fake_end();
}

/* --- configurations ---------------------------------------------------------- */

static void consumer_without_a_callback_is_refused(void **unused)
{
	(void)unused;
	start();
	assert_int_equal(evc_consumer_alloc(d1, 0, 2, NULL, &port),
			 -XEN_EINVAL);
	assert_int_equal(d1->ports.nr_open, 1);
	fake_end();
}

static void bucket_that_is_misaligned_is_refused(void **unused)
{
	static _Alignas(64) struct evc_channel bucket[EVC_BUCKET_PORTS + 1];
	struct evc_domain_config c;
	struct evc_domain d;

	(void)unused;
	start();
	c = fake_config(&(struct fake_options){.domid = 3});
	memset(&d, 0xaa, sizeof(d));
	c.bucket[1] = (void *)((char *)bucket + 8);
	assert_int_equal(evc_domain_init(&d, &c), -XEN_EINVAL);
	assert_int_equal(d.nr_vcpus, 0xaaaaaaaa); /* untouched */
	c.bucket[1] = NULL;
	fake_free_config(&c);
	fake_end();
}

/* Half of the memory for FIFO is none. */
static void fifo_memory_by_halves_is_refused(void **unused)
{
	static struct evc_fifo fifo;
	static struct evc_fifo_vcpu fifo_vcpu[2];
	struct evc_domain_config c;
	struct evc_domain d;

	(void)unused;
	start();
	c = fake_config(&(struct fake_options){.domid = 3});
	c.fifo = &fifo;
	assert_int_equal(evc_domain_init(&d, &c), -XEN_EINVAL);
	c.fifo = NULL;
	c.fifo_vcpu = fifo_vcpu;
	assert_int_equal(evc_domain_init(&d, &c), -XEN_EINVAL);
	c.fifo_vcpu = NULL;
	fake_free_config(&c);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			strange_state_sends_nothing_and_stays_where_it_is),
		cmocka_unit_test(strange_state_can_be_closed),
		cmocka_unit_test(strange_closer_may_close_nothing),
		cmocka_unit_test(strange_permission_is_for_the_privileged),
		cmocka_unit_test(strange_virq_slot_raises_nothing),
		cmocka_unit_test(strange_pirq_slot_raises_nothing),
		cmocka_unit_test(virq_closed_while_it_is_raised_is_dropped),
		cmocka_unit_test(pirq_closed_while_it_is_raised_is_dropped),
		cmocka_unit_test(consumer_without_a_callback_is_refused),
		cmocka_unit_test(bucket_that_is_misaligned_is_refused),
		cmocka_unit_test(fifo_memory_by_halves_is_refused),
	};

	return cmocka_run_group_tests_name("core strange", tests, NULL, NULL);
}
