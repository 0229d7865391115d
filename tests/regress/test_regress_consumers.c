/* SPDX-License-Identifier: MIT */
/*
 * Old bugs around ends the hypervisor owns.  docs/regressions.md has the list;
 * two CPUs that enter callbacks at once are in test_regress_threads.c.
 */
#include "tests/lib/fake_host.h"

#include <string.h>

static struct evc_domain *d1, *d2;
static evtchn_port_t owned, far; /* of d1, and its peer in d2 */
static unsigned int nr_calls;

static void count(struct evc_vcpu *v, evtchn_port_t port)
{
	assert_ptr_equal(v->domain, d1);
	assert_int_equal(port, owned);
	nr_calls++;
}

static void start(evc_consumer_fn fn)
{
	fake_start(false);
	d1 = fake_domain(1);
	d2 = fake_domain(2);
	nr_calls = 0;
	assert_int_equal(evc_consumer_alloc(d1, 1, 2, fn, &owned), 0);
	assert_int_equal(evc_bind_interdomain(d2, 1, owned, &far), 0);
	fake_clear_pending(d2, far);
	fake_clear_upcall(&d2->vcpu[0]);
	fake_forget();
}

/* --- dying domains --------------------------------------------------------------- */

/* Fixes of 2010 and 2015: notify and free used a channel that was gone. */
static void
owned_end_of_a_dying_domain_is_notified_and_freed_in_peace(void **unused)
{
	evtchn_port_t port, late;
	unsigned int i;

	(void)unused;
	start(count);
	for (i = 0; i < 100; i++)
		assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	assert_int_equal(evc_consumer_alloc(d1, 0, 2, count, &late), 0);
	fake.yield = true;
	assert_int_equal(evc_domain_destroy(d1), -XEN_ERESTART);
	/* @owned is closed by now, @late is not. */
	for (i = 0; i < 2; i++) {
		evc_consumer_notify(d1, owned);
		evc_consumer_notify(d1, late);
		evc_consumer_notify(d1, 4000);
		assert_false(fake_pending(d2, far));
		assert_int_equal(evc_consumer_free(d1, owned), -XEN_EINVAL);
		assert_int_equal(evc_consumer_free(d1, late),
				 i ? -XEN_EINVAL : 0);
	}
	assert_int_equal(evc_send(d2, far), 0);
	assert_int_equal(nr_calls, 0);
	fake.yield = false;
	assert_int_equal(evc_domain_destroy(d1), 0);
	evc_consumer_notify(d1, owned);
	assert_int_equal(evc_consumer_free(d1, owned), -XEN_EINVAL);
	assert_int_equal(d1->ports.nr_open, 0);
	assert_int_equal(d1->ports.nr_consumer, 0);
	assert_int_equal(evc_consumer_alloc(d1, 0, 2, count, &port),
			 -XEN_EINVAL);
	fake_end();
}

/* --- locks ----------------------------------------------------------------------- */

static evtchn_port_t opened[2];

static void do_a_lot(struct evc_vcpu *v, evtchn_port_t port)
{
	struct evtchn_status s = {.dom = DOMID_SELF, .port = port};
	unsigned int nth = nr_calls++;

	assert_int_equal(evc_status(v->domain, &s), 0);
	evc_consumer_notify(v->domain, port);
	assert_int_equal(
		evc_bind_virq(v->domain, VIRQ_DEBUG, nth, &opened[nth]), 0);
	evc_virq_raise(&v->domain->vcpu[nth], VIRQ_DEBUG);
	if (nth == 0)
		assert_int_equal(evc_send(d2, far), 0); /* calls us again */
	else
		assert_int_equal(evc_consumer_free(v->domain, port), 0);
}

/*
 * Commits 5f2df45ead and 1376ef90d3 (4.15): the callback ran with the channel
 * locked and interrupts off, so it could not send, and could deadlock.
 */
static void callback_may_send_bind_and_free_its_own_end(void **unused)
{
	(void)unused;
	start(do_a_lot);
	assert_int_equal(evc_send(d2, far), 0);
	assert_int_equal(nr_calls, 2);
	assert_true(fake_pending(d2, far));
	assert_true(fake_pending(d1, opened[0]));
	assert_true(fake_pending(d1, opened[1]));
	fake_assert_status(d1, owned, EVTCHNSTAT_closed);
	fake_assert_status(d2, far, EVTCHNSTAT_unbound);
	fake_end();
}

/* --- state ----------------------------------------------------------------------- */

/*
 * Commit b399386bcd (4.6): the mark of an owned end was cleared apart from the
 * state, so a half-closed one was taken for the guest's, or the other way.
 */
static void freed_end_is_an_ordinary_port_to_its_next_user(void **unused)
{
	evtchn_port_t again, peer;

	(void)unused;
	start(count);
	assert_int_equal(evc_consumer_free(d1, owned), 0);
	again = fake_unbound(d1, d2);
	assert_int_equal(again, owned);
	assert_int_equal(evc_bind_interdomain(d2, 1, again, &peer), 0);
	assert_int_equal(evc_send(d2, peer), 0);
	assert_int_equal(nr_calls, 0);
	assert_true(fake_pending(d1, again));
	assert_int_equal(evc_send(d1, again), 0);
	assert_int_equal(evc_bind_vcpu(d1, again, 1), 0);
	assert_int_equal(evc_consumer_free(d1, again), -XEN_EINVAL);
	assert_int_equal(evc_close(d1, again), 0);
	fake_end();
}

/*
 * XSA-262 (CVE-2018-10981): waiting for an emulator, Xen read the shared state
 * twice in a turn of its loop, and the emulator could keep it there.  The
 * emulator's page is the host's; what the core owes it is one call for one
 * send, whatever the peer does, and no loop.
 */
static void callback_is_called_once_for_every_send(void **unused)
{
	unsigned int i;

	(void)unused;
	start(count);
	for (i = 1; i <= 1000; i++) {
		fake_set_mask(d2, far, i % 2);
		assert_int_equal(evc_send(d2, far), 0);
		assert_int_equal(nr_calls, i);
	}
	assert_false(fake_pending(d1, owned));
	fake_end();
}

/* Commit 2d8d7481ca (4.19): status of such a port failed, and lsevtchn with it. */
static void status_of_an_owned_end_says_what_it_is(void **unused)
{
	struct evtchn_status s;

	(void)unused;
	start(count);
	s = fake_status(d1, owned);
	assert_int_equal(s.status, EVTCHNSTAT_interdomain);
	assert_int_equal(s.vcpu, 1);
	assert_int_equal(s.u.interdomain.dom, 2);
	assert_int_equal(s.u.interdomain.port, far);
	assert_int_equal(evc_close(d2, far), 0);
	fake_assert_status(d1, owned, EVTCHNSTAT_unbound);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			owned_end_of_a_dying_domain_is_notified_and_freed_in_peace),
		cmocka_unit_test(callback_may_send_bind_and_free_its_own_end),
		cmocka_unit_test(
			freed_end_is_an_ordinary_port_to_its_next_user),
		cmocka_unit_test(callback_is_called_once_for_every_send),
		cmocka_unit_test(status_of_an_owned_end_says_what_it_is),
	};

	return cmocka_run_group_tests_name("regress consumers", tests, NULL,
					   NULL);
}
