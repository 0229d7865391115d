/* SPDX-License-Identifier: MIT */
/*
 * Restoring into domains that are not what they should be: another domain,
 * another ABI, half way through a reset, slots that are not zero; and images
 * and states no saved domain has.
 */
#include "tests/lib/fake_host.h"

#include <string.h>

#include <evc/snapshot.h>

#include "core/image.h"
#include "core/port_table.h"
#include "core/sources.h"

static struct evc_domain *d1, *d2;
static uint8_t image[65536];
static size_t len;

static struct evc_domain *add(domid_t domid, const struct evc_deliver *deliver)
{
	struct evc_domain *d = fake_add(&(struct fake_options){
		.domid = domid, .width = EVC_WIDTH_64, .deliver = deliver});

	evc_domain_set_paused(d, true);
	return d;
}

static void start(void)
{
	fake_start(false);
	fake.pirq_permitted = 0xff;
	d1 = add(1, NULL);
	d2 = add(2, NULL);
}

static void save(void)
{
	assert_int_equal(evc_save(d1, image, sizeof(image), &len), 0);
}

static void assert_nothing_open(const struct evc_domain *d)
{
	assert_int_equal(d->ports.nr_open, 0);
}

static void replace_d1(const struct evc_deliver *deliver)
{
	fake_remove(d1);
	d1 = add(1, deliver);
}

static void image_of_another_domain_is_refused(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start();
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	save();
	assert_int_equal(evc_restore(d2, image, len), -XEN_EINVAL);
	assert_nothing_open(d2);
	fake_end();
}

static void two_level_image_fits_a_host_with_an_abi_of_its_own(void **unused)
{
	evtchn_port_t port;
	uint32_t i;

	(void)unused;
	start();
	for (i = 0; i < 100; i++)
		assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	save();
	replace_d1(&fake_wide);
	fake.wide_ports = 100;
	assert_int_equal(evc_restore(d1, image, len), -XEN_ENOSPC);
	assert_nothing_open(d1);
	fake.wide_ports = 101;
	assert_int_equal(evc_restore(d1, image, len), 0);
	fake_assert_status(d1, 100, EVTCHNSTAT_ipi);
	fake_end();
}

/* All its ports are closed, but the reset has not looked at the others yet. */
static void domain_half_way_through_a_reset_is_busy(void **unused)
{
	evtchn_port_t port;
	uint32_t i;

	(void)unused;
	start();
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	save();
	for (i = 2; i < 70; i++)
		assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	for (i = 65; i < 70; i++)
		assert_int_equal(evc_close(d1, i), 0);
	fake.yield = true;
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), -XEN_ERESTART);
	assert_nothing_open(d1);
	assert_int_equal(evc_restore(d1, image, len), -XEN_EBUSY);
	fake.yield = false;
	assert_int_equal(evc_reset(d1, DOMID_SELF, true), 0);
	assert_int_equal(evc_restore(d1, image, len), 0);
	fake_assert_status(d1, 1, EVTCHNSTAT_ipi);
	fake_end();
}

/* Lent memory that was not zero: the line seems to have a port. */
static void pirq_slot_that_is_taken_is_refused(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start();
	assert_int_equal(evc_bind_pirq(d1, 3, 0, &port), 0);
	save();
	replace_d1(NULL);
	evb_u32_store(&d1->pirq_port[3], 9);
	assert_int_equal(evc_restore(d1, image, len), -XEN_EINVAL);
	assert_nothing_open(d1);
	fake_end();
}

static void memory_that_ends_half_way_leaves_nothing(void **unused)
{
	evtchn_port_t port;
	uint32_t i;

	(void)unused;
	start();
	for (i = 0; i < 200; i++)
		assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	save();
	replace_d1(NULL);
	fake.no_memory = true; /* there is the first bucket, and no other */
	assert_int_equal(evc_restore(d1, image, len), -XEN_ENOMEM);
	assert_nothing_open(d1);
	fake.no_memory = false;
	assert_int_equal(evc_restore(d1, image, len), 0);
	fake_assert_status(d1, 200, EVTCHNSTAT_ipi);
	fake_end();
}

/* --- what no saved domain has ------------------------------------------------ */

static void length_beyond_the_format_is_refused(void **unused)
{
	(void)unused;
	start();
	save();
	/* The image is not looked at, so it need not be that long. */
	assert_int_equal(evc_restore(d1, image, (size_t)UINT32_MAX + 9),
			 -XEN_EINVAL);
	fake_end();
}

/* A loop within the domain whose other end is between two ports. */
static void loop_to_a_port_that_is_not_there_is_refused(void **unused)
{
	evtchn_port_t a, b, ipi;
	uint32_t record;

	(void)unused;
	start();
	a = fake_unbound(d1, d1);
	assert_int_equal(evc_bind_ipi(d1, 0, &ipi), 0);
	assert_int_equal(evc_close(d1, ipi), 0);
	assert_int_equal(evc_bind_ipi(d1, 0, &ipi), 0);
	assert_int_equal(evc_bind_interdomain(d1, 1, a, &b), 0);
	assert_int_equal(b, ipi + 1);
	assert_int_equal(evc_close(d1, ipi), 0);
	save();
	/* Four bytes with the peer's number: the only ones that are b's. */
	for (record = 0; record < len - 4; record += 4) {
		if (image_get32(image + record) == a &&
		    image_get32(image + record + 4) == b)
			break;
	}
	assert_true(record < len - 4);
	image_put32(image + record + 4, ipi);
	image_put32(image + len - 4, evc_image_crc(image, (uint32_t)len - 4));
	replace_d1(NULL);
	assert_int_equal(evc_restore(d1, image, len), -XEN_EINVAL);
	assert_nothing_open(d1);
	fake_end();
}

/* After a memory error: the image says nothing of the port, and is refused. */
static void strange_state_makes_no_image_that_fits(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start();
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	evc_port_lookup(d1, port)->state = 77;
	save();
	replace_d1(NULL);
	assert_int_equal(evc_restore(d1, image, len), -XEN_EINVAL);
	assert_nothing_open(d1);
	fake_end();
}

static void virq_that_does_not_exist_cannot_be_reserved(void **unused)
{
	(void)unused;
	start();
	assert_int_equal(evc_virq_check_locked(d1, NR_VIRQS, 0), -XEN_EINVAL);
	assert_int_equal(evc_virq_check_locked(d1, VIRQ_TIMER, 2), -XEN_ENOENT);
	assert_int_equal(evc_virq_check_locked(d1, VIRQ_TIMER, 1), 0);
	fake_end();
}

/* --- callbacks ----------------------------------------------------------------- */

static unsigned int seen;

/* Different functions, so that nobody makes them one. */
#define CALLBACK(n)                                                   \
	static void callback_##n(struct evc_vcpu *v, evtchn_port_t p) \
	{                                                             \
		(void)v;                                              \
		(void)p;                                              \
		seen = n;                                             \
	}

CALLBACK(1)
CALLBACK(2)
CALLBACK(3)
CALLBACK(4)
CALLBACK(5)
CALLBACK(6)
CALLBACK(7)
CALLBACK(8)

static void eighth_callback_cannot_be_registered(void **unused)
{
	static const evc_consumer_fn fn[] = {callback_1, callback_2, callback_3,
					     callback_4, callback_5, callback_6,
					     callback_7, callback_8};
	uint32_t i;

	(void)unused;
	start();
	for (i = 0; i < 7; i++)
		assert_int_equal(evc_consumer_register(&fake.machine, fn[i]),
				 0);
	assert_int_equal(evc_consumer_register(&fake.machine, fn[7]),
			 -XEN_ENOBUFS);
	assert_int_equal(evc_consumer_register(&fake.machine, fn[6]), 0);
	assert_int_equal(seen, 0); /* registering calls nobody */
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(image_of_another_domain_is_refused),
		cmocka_unit_test(
			two_level_image_fits_a_host_with_an_abi_of_its_own),
		cmocka_unit_test(domain_half_way_through_a_reset_is_busy),
		cmocka_unit_test(pirq_slot_that_is_taken_is_refused),
		cmocka_unit_test(memory_that_ends_half_way_leaves_nothing),
		cmocka_unit_test(length_beyond_the_format_is_refused),
		cmocka_unit_test(loop_to_a_port_that_is_not_there_is_refused),
		cmocka_unit_test(strange_state_makes_no_image_that_fits),
		cmocka_unit_test(virq_that_does_not_exist_cannot_be_reserved),
		cmocka_unit_test(eighth_callback_cannot_be_registered),
	};

	return cmocka_run_group_tests_name("core restore", tests, NULL, NULL);
}
