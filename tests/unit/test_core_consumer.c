/* SPDX-License-Identifier: MIT */
/*
 * Ends the hypervisor owns: seven callbacks, called without locks; a channel
 * like any other to the peer, out of reach for the guest.  SPEC 4.4
 */
#include "tests/lib/fake_host.h"

static struct evc_domain *d1, *d2;

static void start(bool xen_4_17)
{
	fake_start(xen_4_17);
	d1 = fake_domain(1);
	d2 = fake_domain(2);
}

static struct {
	uint32_t calls;
	struct evc_vcpu *vcpu;
	evtchn_port_t port;
	evtchn_port_t local, far; /* of the sender, for answer() */
} seen;

static void record(struct evc_vcpu *v, evtchn_port_t port)
{
	seen.calls++;
	seen.vcpu = v;
	seen.port = port;
}

/* @owned of d1, connected to @far of d2; @far is not pending. */
static void connect(evc_consumer_fn fn, evtchn_port_t *owned,
		    evtchn_port_t *far)
{
	seen.calls = 0;
	assert_int_equal(evc_consumer_alloc(d1, 1, 2, fn, owned), 0);
	assert_int_equal(evc_bind_interdomain(d2, 1, *owned, far), 0);
	fake_clear_pending(d2, *far);
	fake_clear_upcall(&d2->vcpu[0]);
	fake_forget();
}

static void send_to_it_calls_back_and_posts_nothing(void **unused)
{
	evtchn_port_t owned, far;

	(void)unused;
	start(false);
	connect(record, &owned, &far);
	assert_int_equal(evc_send(d2, far), 0);
	assert_int_equal(evc_send(d2, far), 0); /* not merged */
	assert_int_equal(seen.calls, 2);
	assert_ptr_equal(seen.vcpu, &d1->vcpu[1]);
	assert_int_equal(seen.port, owned);
	assert_false(fake_pending(d1, owned));
	assert_int_equal(fake_kicks(), 0);
	fake_end();
}

static void notify_posts_to_the_peer(void **unused)
{
	evtchn_port_t owned, far, mine;

	(void)unused;
	start(false);
	connect(record, &owned, &far);
	evc_consumer_notify(d1, owned);
	assert_true(fake_pending(d2, far));
	assert_int_equal(fake_kicks(), 1);
	assert_int_equal(seen.calls, 0);
	/* Not from a port that is the guest's, nor when nobody is there. */
	fake_connect(d1, d2, &mine, &far);
	fake_clear_pending(d2, far);
	fake_forget();
	evc_consumer_notify(d1, mine);
	evc_consumer_notify(d1, 0);
	evc_consumer_notify(d1, 60);
	assert_int_equal(
		evc_close(d2, fake_status(d1, owned).u.interdomain.port), 0);
	evc_consumer_notify(d1, owned);
	assert_false(fake_pending(d2, far));
	assert_int_equal(fake_kicks(), 0);
	fake_end();
}

/* The callback sends in turn, both ways; the inner one closes its own end. */
static void answer(struct evc_vcpu *v, evtchn_port_t port)
{
	uint32_t depth = ++seen.calls;

	evc_consumer_notify(v->domain, port);
	assert_int_equal(evc_send(d2, seen.local), 0);
	if (depth == 1)
		assert_int_equal(evc_send(d2, seen.far), 0);
	else
		assert_int_equal(evc_consumer_free(v->domain, port), 0);
}

static void callback_holds_no_lock(void **unused)
{
	evtchn_port_t owned, far, p1;

	(void)unused;
	start(false);
	fake_connect(d1, d2, &p1, &seen.local);
	connect(answer, &owned, &far);
	seen.far = far;
	assert_int_equal(evc_send(d2, far), 0);
	assert_int_equal(seen.calls, 2);
	assert_true(fake_pending(d2, far));
	assert_true(fake_pending(d1, p1));
	fake_assert_status(d2, far, EVTCHNSTAT_unbound);
	fake_assert_status(d1, owned, EVTCHNSTAT_closed);
	fake_end();
}

static void guest_cannot_touch_it(void **unused)
{
	evtchn_port_t owned, far;
	int connected;

	(void)unused;
	for (connected = 0; connected < 2; connected++) {
		start(false);
		if (connected)
			connect(record, &owned, &far);
		else
			assert_int_equal(
				evc_consumer_alloc(d1, 1, 2, record, &owned),
				0);
		fake_set_mask(d1, owned, true);
		assert_int_equal(evc_send(d1, owned), -XEN_EINVAL);
		assert_int_equal(evc_close(d1, owned), -XEN_EINVAL);
		assert_int_equal(evc_bind_vcpu(d1, owned, 0), -XEN_EINVAL);
		assert_int_equal(evc_unmask(d1, owned), 0);
		assert_true(fake_masked(d1, owned));
		assert_int_equal(evc_reset(d1, DOMID_SELF, false), 0);
		assert_int_equal(fake_status(d1, owned).status,
				 connected ? EVTCHNSTAT_interdomain
					   : EVTCHNSTAT_unbound);
		assert_int_equal(fake_status(d1, owned).vcpu, 1);
		fake_end();
	}
}

static void status_is_refused_in_4_17_only(void **unused)
{
	struct evtchn_status s = {.dom = DOMID_SELF};
	evtchn_port_t far;
	int mode;

	(void)unused;
	for (mode = 0; mode < 2; mode++) {
		start(mode);
		connect(record, &s.port, &far);
		assert_int_equal(evc_status(d1, &s), mode ? -XEN_EACCES : 0);
		/* The peer's end is a channel like any other. */
		assert_int_equal(fake_status(d2, far).u.interdomain.port,
				 s.port);
		assert_int_equal(evc_consumer_free(d1, s.port), 0);
		assert_int_equal(evc_status(d1, &s), 0);
		fake_end();
	}
}

static void priority_of_it_cannot_be_set(void **unused)
{
	struct evc_domain *d;
	evtchn_port_t owned;

	(void)unused;
	start(false);
	d = fake_add(&(struct fake_options){.domid = 3, .deliver = &fake_wide});
	assert_int_equal(evc_consumer_alloc(d, 0, 2, record, &owned), 0);
	assert_int_equal(evc_set_priority(d, owned, 3), -XEN_EACCES);
	assert_int_equal(evc_set_priority(d, 0, 3), -XEN_EACCES);
	assert_int_equal(evc_set_priority(d, 9, 3), -XEN_EACCES);
	fake_end();
}

static void remote_dom_is_stored_as_it_is(void **unused)
{
	evtchn_port_t owned;

	(void)unused;
	start(false);
	assert_int_equal(evc_consumer_alloc(d1, 0, DOMID_SELF, record, &owned),
			 0);
	assert_int_equal(fake_status(d1, owned).u.unbound.dom, DOMID_SELF);
	fake_end();
}

static void peer_that_closes_can_come_back(void **unused)
{
	evtchn_port_t owned, far;

	(void)unused;
	start(false);
	connect(record, &owned, &far);
	assert_int_equal(evc_close(d2, far), 0);
	fake_assert_status(d1, owned, EVTCHNSTAT_unbound);
	assert_int_equal(evc_close(d1, owned), -XEN_EINVAL);
	assert_int_equal(evc_bind_interdomain(d2, 1, owned, &far), 0);
	assert_int_equal(evc_send(d2, far), 0);
	assert_int_equal(seen.calls, 1);
	fake_end();
}

static void free_is_for_owned_ends_only(void **unused)
{
	evtchn_port_t owned, far, mine;

	(void)unused;
	start(false);
	connect(record, &owned, &far);
	mine = fake_unbound(d1, d2);
	assert_int_equal(evc_consumer_free(d1, mine), -XEN_EINVAL);
	assert_int_equal(evc_consumer_free(d1, 0), -XEN_EINVAL);
	assert_int_equal(evc_consumer_free(d1, 50), -XEN_EINVAL);
	assert_int_equal(evc_consumer_free(d2, far), -XEN_EINVAL);
	assert_int_equal(evc_consumer_free(d1, owned), 0);
	assert_int_equal(evc_consumer_free(d1, owned), -XEN_EINVAL);
	assert_int_equal(d1->ports.nr_consumer, 0);
	fake_assert_status(d2, far, EVTCHNSTAT_unbound);
	/* The number is the guest's now, and nothing calls back. */
	assert_int_equal(fake_unbound(d1, d2), owned);
	assert_int_equal(evc_bind_interdomain(d2, 1, owned, &far), 0);
	assert_int_equal(evc_send(d2, far), 0);
	assert_true(fake_pending(d1, owned));
	assert_int_equal(seen.calls, 0);
	assert_int_equal(evc_close(d1, owned), 0);
	fake_end();
}

#define CALLBACK(n)                                                   \
	static void callback_##n(struct evc_vcpu *v, evtchn_port_t p) \
	{                                                             \
		(void)v;                                              \
		(void)p;                                              \
		seen.calls = n;                                       \
	}

CALLBACK(1)
CALLBACK(2)
CALLBACK(3)
CALLBACK(4)
CALLBACK(5)
CALLBACK(6)
CALLBACK(7)
CALLBACK(8)

static const evc_consumer_fn callbacks[] = {callback_1, callback_2, callback_3,
					    callback_4, callback_5, callback_6,
					    callback_7, callback_8};

static void callbacks_are_seven_per_machine(void **unused)
{
	evtchn_port_t port[8], far;
	uint32_t i, round;

	(void)unused;
	start(false);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 7; i++)
			assert_int_equal(evc_consumer_alloc(round & 1 ? d2 : d1,
							    0, 2, callbacks[i],
							    &port[i]),
					 0);
		port[7] = 99;
		assert_int_equal(
			evc_consumer_alloc(d1, 0, 2, callbacks[7], &port[7]),
			-XEN_ENOBUFS);
		assert_int_equal(port[7], 99);
	}
	for (i = 0; i < 7; i++) {
		assert_int_equal(evc_bind_interdomain(d2, 1, port[i], &far), 0);
		assert_int_equal(evc_send(d2, far), 0);
		assert_int_equal(seen.calls, i + 1);
	}
	assert_int_equal(d1->ports.nr_consumer, 14);
	assert_int_equal(d1->ports.nr_open, 14);
	fake_end();
}

/* Its generation is not known: the id alone decides. */
static void peer_may_be_born_later(void **unused)
{
	evtchn_port_t owned, far;
	struct evc_domain *d3;

	(void)unused;
	start(false);
	assert_int_equal(evc_consumer_alloc(d1, 0, 3, record, &owned), 0);
	d3 = fake_add(&(struct fake_options){
		.domid = 3, .width = EVC_WIDTH_64, .generation = 42});
	assert_int_equal(evc_bind_interdomain(d2, 1, owned, &far), -XEN_EINVAL);
	assert_int_equal(evc_bind_interdomain(d3, 1, owned, &far), 0);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(send_to_it_calls_back_and_posts_nothing),
		cmocka_unit_test(notify_posts_to_the_peer),
		cmocka_unit_test(callback_holds_no_lock),
		cmocka_unit_test(guest_cannot_touch_it),
		cmocka_unit_test(status_is_refused_in_4_17_only),
		cmocka_unit_test(priority_of_it_cannot_be_set),
		cmocka_unit_test(remote_dom_is_stored_as_it_is),
		cmocka_unit_test(peer_that_closes_can_come_back),
		cmocka_unit_test(free_is_for_owned_ends_only),
		cmocka_unit_test(callbacks_are_seven_per_machine),
		cmocka_unit_test(peer_may_be_born_later),
	};

	return cmocka_run_group_tests_name("core_consumer", tests, NULL, NULL);
}
