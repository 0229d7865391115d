/* SPDX-License-Identifier: MIT */
/*
 * 2-level delivery without the state machine, as a host uses it on a
 * shared_info page of its own: both widths, every step of the ladder.
 */
#include "tests/lib/fake_host.h"

#include <string.h>

static _Alignas(4096) evb_u32 page[1024];
static _Alignas(64) evb_u32 info[16];
static struct evc_words w;

static void start(enum evc_width width)
{
	memset(page, 0, sizeof(page));
	memset(info, 0, sizeof(info));
	evc_words_init(&w, page, width);
}

static bool selected(evtchn_port_t port)
{
	return evb_test_bit(info + w.sel_word, port >> w.port_shift);
}

static void check_post(enum evc_width width, evtchn_port_t last)
{
	start(width);
	assert_int_equal(evc_2l_post(&w, info, last), EVC_NEW | EVC_RAISE);
	assert_true(evb_test_bit(w.pending, last));
	assert_true(selected(last));
	/* Pending already: whoever set it is responsible. */
	assert_int_equal(evc_2l_post(&w, info, last), EVC_NOTHING);
	/* The same word of the selector: nobody has to be told again. */
	assert_int_equal(evc_2l_post(&w, info, last - 1), EVC_NEW);
	/* Masked: the pollers may still want it. */
	(void)evb_test_and_set_bit(w.mask, 1);
	assert_int_equal(evc_2l_post(&w, info, 1), EVC_NEW);
	assert_true(evb_test_bit(w.pending, 1));
	assert_false(selected(1));
}

static void check_unmask(enum evc_width width, evtchn_port_t last)
{
	start(width);
	assert_int_equal(evc_2l_unmask(&w, info, last), EVC_NOTHING);
	(void)evb_test_and_set_bit(w.mask, last);
	assert_int_equal(evc_2l_unmask(&w, info, last), EVC_NOTHING);
	assert_false(evb_test_bit(w.mask, last));
	(void)evb_test_and_set_bit(w.mask, last);
	assert_int_equal(evc_2l_post(&w, info, last), EVC_NEW);
	assert_int_equal(evc_2l_unmask(&w, info, last), EVC_RAISE);
	assert_true(selected(last));
	/* Nothing to tell when the selector bit is set already. */
	(void)evb_test_and_set_bit(w.mask, last);
	assert_int_equal(evc_2l_unmask(&w, info, last), EVC_NOTHING);
}

static void post_64_bit(void **unused)
{
	(void)unused;
	check_post(EVC_WIDTH_64, 4095);
}

static void post_32_bit(void **unused)
{
	(void)unused;
	check_post(EVC_WIDTH_32, 1023);
}

static void unmask_64_bit(void **unused)
{
	(void)unused;
	check_unmask(EVC_WIDTH_64, 4095);
}

static void unmask_32_bit(void **unused)
{
	(void)unused;
	check_unmask(EVC_WIDTH_32, 1023);
}

static void port_without_a_bit_touches_nothing(void **unused)
{
	static const evtchn_port_t beyond[] = {4096, 4097, 131071, UINT32_MAX};
	static const evb_u32 zero[1024];
	unsigned int i;

	(void)unused;
	start(EVC_WIDTH_64);
	for (i = 0; i < 4; i++) {
		assert_int_equal(evc_2l_post(&w, info, beyond[i]), EVC_NOTHING);
		assert_int_equal(evc_2l_unmask(&w, info, beyond[i]),
				 EVC_NOTHING);
	}
	assert_memory_equal(page, zero, sizeof(page));
	assert_memory_equal(info, zero, sizeof(info));
}

/* The width changes, a port is left without a bit: it is never pending. */
static void port_beyond_a_latched_width_is_never_pending(void **unused)
{
	evtchn_port_t port = 0;
	struct sched_poll p = {.ports = (uintptr_t)&port, .nr_ports = 1};
	uint64_t timeout;
	struct evc_domain *d;
	unsigned int i;

	(void)unused;
	fake_start(false);
	d = fake_domain(1);
	for (i = 1; i <= 1024; i++)
		assert_int_equal(evc_bind_ipi(d, 0, &port), 0);
	assert_int_equal(port, 1024);
	evc_domain_set_width(d, EVC_WIDTH_32);
	memset(d->shared_info, 0xff, 4096);
	assert_int_equal(evc_poll(&d->vcpu[0], (uintptr_t)&p, &timeout),
			 EVC_BLOCK);
	evc_poll_end(&d->vcpu[0]);
	port = 1023;
	assert_int_equal(evc_poll(&d->vcpu[0], (uintptr_t)&p, &timeout), 0);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(post_64_bit),
		cmocka_unit_test(post_32_bit),
		cmocka_unit_test(unmask_64_bit),
		cmocka_unit_test(unmask_32_bit),
		cmocka_unit_test(port_without_a_bit_touches_nothing),
		cmocka_unit_test(port_beyond_a_latched_width_is_never_pending),
	};

	return cmocka_run_group_tests_name("core bare 2l", tests, NULL, NULL);
}
