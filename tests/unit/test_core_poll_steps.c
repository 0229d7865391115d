/* SPDX-License-Identifier: MIT */
/*
 * Two senders wake one poller: poll.c is included once more with a
 * compare-and-swap before which the other sender acts.
 */
#include "tests/lib/fake_host.h"

#include "core/send.h"

static void (*other_cpu)(void);

static bool step_cas(evb_u32 *p, uint32_t *expected, uint32_t v)
{
	void (*act)(void) = other_cpu;

	other_cpu = NULL;
	if (act)
		act();
	return evb_u32_cas(p, expected, v);
}

#define evb_u32_cas step_cas
#include "tests/lib/step_poll.h"
#undef evb_u32_cas

static struct evc_domain *d1;
static evtchn_port_t port;

static void start_polling(void)
{
	const struct sched_poll p = {.ports = (uintptr_t)&port, .nr_ports = 1};
	uint64_t timeout;

	fake_start(false);
	d1 = fake_domain(1);
	assert_int_equal(evc_bind_ipi(d1, 1, &port), 0);
	assert_int_equal(evc_poll(&d1->vcpu[0], (uintptr_t)&p, &timeout),
			 EVC_BLOCK);
	fake_forget();
}

static void send(void)
{
	assert_int_equal(evc_send(d1, port), 0);
}

static void timeout(void)
{
	evc_poll_end(&d1->vcpu[0]);
}

static void two_senders_wake_a_poller_once(void **unused)
{
	(void)unused;
	start_polling();
	other_cpu = send;
	step_poll_wake(d1, port);
	assert_null(other_cpu);
	assert_int_equal(fake_wakes(), 1);
	assert_true(evc_poll_is_over(&d1->vcpu[0]));
	assert_int_equal(evb_u32_load(&d1->nr_polling), 0);
	fake_end();
}

/* The timeout was first: no wake for a wait that is over. */
static void poller_that_just_left_is_not_woken(void **unused)
{
	(void)unused;
	start_polling();
	other_cpu = timeout;
	step_poll_wake(d1, port);
	assert_null(other_cpu);
	assert_int_equal(fake_wakes(), 0);
	assert_int_equal(evb_u32_load(&d1->nr_polling), 0);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_senders_wake_a_poller_once),
		cmocka_unit_test(poller_that_just_left_is_not_woken),
	};

	return cmocka_run_group_tests_name("core poll steps", tests, NULL,
					   NULL);
}
