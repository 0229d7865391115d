/* SPDX-License-Identifier: MIT */
/*
 * Storm limits and ends the hypervisor owns.  Their callbacks run in the middle
 * of a refill, without locks, and may do what another CPU could do then: send,
 * or refill once more.
 */
#include "tests/lib/fake_host.h"

#define BURST 2
#define PAIRS 4

static struct evc_domain *storm, *device;
static evtchn_port_t from[PAIRS];
static unsigned int calls;
static void (*meanwhile)(void);

static void called(struct evc_vcpu *v, evtchn_port_t port)
{
	void (*act)(void) = meanwhile;

	(void)v;
	(void)port;
	calls++;
	meanwhile = NULL;
	if (act)
		act();
}

static int start(void **state)
{
	evtchn_port_t owned;
	uint32_t i;

	(void)state;
	fake_start(false);
	device = fake_domain(1);
	storm = fake_add(&(struct fake_options){
		.domid = 2, .width = EVC_WIDTH_64, .limit = true});
	for (i = 0; i < PAIRS; i++) {
		assert_int_equal(
			evc_consumer_alloc(device, 0, 2, called, &owned), 0);
		assert_int_equal(
			evc_bind_interdomain(storm, 1, owned, &from[i]), 0);
	}
	assert_int_equal(evc_limit_set(storm, BURST), 0);
	calls = 0;
	meanwhile = NULL;
	return 0;
}

static int end(void **state)
{
	(void)state;
	fake_end();
	return 0;
}

/* The first two go out, the others wait. */
static void send_all(void)
{
	uint32_t i;

	for (i = 0; i < PAIRS; i++)
		assert_int_equal(evc_send(storm, from[i]), 0);
	assert_int_equal(calls, BURST);
	calls = 0;
}

static void send_one(void)
{
	assert_int_equal(evc_send(storm, from[0]), 0);
}

/* A send during the refill waits behind those that waited before. */
static void send_during_a_refill_gets_in_line(void **state)
{
	(void)state;
	send_all();
	meanwhile = send_one;
	assert_int_equal(evc_limit_refill(storm), 1);
	assert_int_equal(calls, BURST); /* from[2], from[3] */
	assert_int_equal(evc_limit_refill(storm), 0);
	assert_int_equal(calls, BURST + 1);
}

static void send_two(void)
{
	assert_int_equal(evc_send(storm, from[0]), 0);
	assert_int_equal(evc_send(storm, from[1]), 0);
}

/* Nobody waits: one takes the rest of the period, the refill ends there. */
static void send_during_a_refill_may_use_up_the_period(void **state)
{
	(void)state;
	assert_int_equal(evc_send(storm, from[0]), 0);
	assert_int_equal(evc_send(storm, from[1]), 0);
	assert_int_equal(evc_send(storm, from[2]), 0);
	assert_int_equal(calls, BURST);
	calls = 0;
	meanwhile = send_two;
	assert_int_equal(evc_limit_refill(storm), 1);
	assert_int_equal(calls, BURST); /* from[2], from[0] */
	assert_int_equal(evc_limit_refill(storm), 0);
	assert_int_equal(calls, BURST + 1);
}

static void refill_again(void)
{
	assert_int_equal(evc_limit_refill(storm), 0);
}

/* Two refills share the list: each event goes out once, neither gets stuck. */
static void refill_during_a_refill_sends_nothing_twice(void **state)
{
	(void)state;
	send_all();
	meanwhile = refill_again;
	assert_int_equal(evc_limit_refill(storm), 0);
	assert_int_equal(calls, PAIRS - BURST);
	assert_int_equal(evc_limit_refill(storm), 0);
	assert_int_equal(calls, PAIRS - BURST);
}

/* The limit is the guest's, not that of the hypervisor's end in its domain. */
static void owned_end_of_a_limited_domain_is_not_limited(void **state)
{
	evtchn_port_t owned, far;
	uint32_t i;

	(void)state;
	assert_int_equal(evc_consumer_alloc(storm, 0, 1, called, &owned), 0);
	assert_int_equal(evc_bind_interdomain(device, 2, owned, &far), 0);
	send_all();
	for (i = 0; i < 3 * BURST; i++) {
		fake_clear_pending(device, far);
		evc_consumer_notify(storm, owned);
		assert_true(fake_pending(device, far));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			send_during_a_refill_gets_in_line, start, end),
		cmocka_unit_test_setup_teardown(
			send_during_a_refill_may_use_up_the_period, start, end),
		cmocka_unit_test_setup_teardown(
			refill_during_a_refill_sends_nothing_twice, start, end),
		cmocka_unit_test_setup_teardown(
			owned_end_of_a_limited_domain_is_not_limited, start,
			end),
	};

	return cmocka_run_group_tests_name("core limit refill", tests, NULL,
					   NULL);
}
