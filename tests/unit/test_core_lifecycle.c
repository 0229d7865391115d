/* SPDX-License-Identifier: MIT */
/*
 * Ends: close, reset, destroy, and what is left for others and for the next
 * user of a port or a domain id.  SPEC 1.2, 2
 *
 * Two operations at once are in test_core_race.c and test_core_threads.c.
 */
#include "tests/lib/fake_host.h"

#include <string.h>

static struct evc_domain *d1, *d2;

static void start(void)
{
	fake_start(false);
	d1 = fake_domain(1);
	d2 = fake_domain(2);
	fake.pirq_permitted = UINT32_MAX;
}

static void consume(struct evc_vcpu *v, evtchn_port_t port)
{
	(void)v;
	(void)port;
}

static void open_ipis(struct evc_domain *d, uint32_t nr)
{
	evtchn_port_t port;

	while (nr--)
		assert_int_equal(evc_bind_ipi(d, 0, &port), 0);
}

/* @port of @d waits for domain @domid. */
static void assert_unbound(struct evc_domain *d, evtchn_port_t port,
			   domid_t domid)
{
	struct evtchn_status s = fake_status(d, port);

	assert_int_equal(s.status, EVTCHNSTAT_unbound);
	assert_int_equal(s.u.unbound.dom, domid);
}

/* --- close ------------------------------------------------------------------- */

static void close_leaves_the_peer_unbound_for_the_closer(void **unused)
{
	evtchn_port_t p1, p2, again;
	int side;

	(void)unused;
	for (side = 0; side < 2; side++) {
		start();
		open_ipis(d1, 3);
		fake_connect(d1, d2, &p1, &p2);
		fake_clear_pending(d2, p2);
		fake_set_mask(d1, p1, true);
		assert_int_equal(evc_send(d2, p2), 0);
		assert_int_equal(evc_bind_vcpu(d1, p1, 1), 0);
		fake_forget();
		assert_int_equal(evc_close(side ? d1 : d2, side ? p1 : p2), 0);
		assert_int_equal(fake_kicks() + fake_wakes(), 0);
		if (side) {
			assert_unbound(d2, p2, 1);
			assert_int_equal(
				evc_bind_interdomain(d1, 2, p2, &again), 0);
		} else {
			assert_unbound(d1, p1, 2);
			assert_int_equal(fake_status(d1, p1).vcpu, 1);
			assert_true(fake_pending(d1, p1));
			assert_true(fake_masked(d1, p1));
			assert_int_equal(evc_send(d1, p1), 0); /* dropped */
			assert_int_equal(
				evc_bind_interdomain(d2, 1, p1, &again), 0);
		}
		assert_int_equal(fake_status(d1, p1).u.interdomain.port, p2);
		assert_int_equal(fake_status(d2, p2).u.interdomain.port, p1);
		fake_end();
	}
}

static void close_of_one_end_of_a_loopback_frees_only_it(void **unused)
{
	evtchn_port_t a, b;

	(void)unused;
	start();
	fake_connect(d1, d1, &a, &b);
	assert_int_equal(fake_status(d1, a).u.interdomain.port, b);
	assert_int_equal(fake_status(d1, b).u.interdomain.dom, 1);
	assert_int_equal(evc_send(d1, b), 0);
	assert_true(fake_pending(d1, a));
	assert_int_equal(evc_close(d1, a), 0);
	assert_unbound(d1, b, 1);
	assert_int_equal(evc_close(d1, b), 0);
	assert_int_equal(evc_close(d1, b), -XEN_EINVAL);
	assert_int_equal(d1->ports.nr_open, 0);
	fake_end();
}

/* A port does not bind to itself, free or unbound. */
static void bind_to_itself_is_einval(void **unused)
{
	evtchn_port_t port = 0;

	(void)unused;
	start();
	assert_int_equal(evc_bind_interdomain(d1, DOMID_SELF, 1, &port),
			 -XEN_EINVAL);
	fake_assert_status(d1, 1, EVTCHNSTAT_closed);
	assert_int_equal(d1->ports.nr_open, 0);
	open_ipis(d1, 1);
	fake_end();
}

/* Nothing of the last user is left.  SPEC 8.2, 2008 */
static void close_resets_the_port_for_its_next_user(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start();
	assert_int_equal(evc_bind_pirq(d1, 2, 0, &port), 0);
	assert_int_equal(evc_bind_vcpu(d1, port, 1), 0);
	fake_set_mask(d1, port, true);
	evc_pirq_raise(d1, 2);
	assert_true(fake_pending(d1, port));
	assert_int_equal(evc_close(d1, port), 0);
	assert_int_equal(evb_u32_load(&fake.pirq_unbinds), 1);
	assert_false(fake_pending(d1, port));
	assert_true(fake_masked(d1, port));
	assert_int_equal(fake_status(d1, port).vcpu, 0);
	assert_int_equal(fake_unbound(d1, d2), port);
	assert_int_equal(fake_status(d1, port).vcpu, 0);
	assert_false(fake_pending(d1, port));
	assert_int_equal(evc_close(d1, port), 0);
	assert_int_equal(evb_u32_load(&fake.pirq_unbinds), 1);
	fake_end();
}

static void close_resets_the_priority(void **unused)
{
	struct evc_domain *d;
	evtchn_port_t port;

	(void)unused;
	start();
	d = fake_add(&(struct fake_options){.domid = 3, .deliver = &fake_wide});
	assert_int_equal(evc_bind_ipi(d, 0, &port), 0);
	assert_int_equal(evb_u8_load(&d->ports.bucket[0][port].priority), 7);
	assert_int_equal(evc_set_priority(d, port, 2), 0);
	assert_int_equal(evb_u8_load(&d->ports.bucket[0][port].priority), 2);
	assert_int_equal(evc_close(d, port), 0);
	assert_int_equal(evc_bind_ipi(d, 0, &port), 0);
	assert_int_equal(evb_u8_load(&d->ports.bucket[0][port].priority), 7);
	fake_end();
}

/* --- reset ------------------------------------------------------------------- */

static void reset_closes_all_but_the_hypervisors_ports(void **unused)
{
	evtchn_port_t p1, p2, owned, far, port;

	(void)unused;
	start();
	fake_connect(d1, d2, &p1, &p2);
	assert_int_equal(evc_bind_virq(d1, VIRQ_TIMER, 1, &port), 0);
	assert_int_equal(evc_bind_pirq(d1, 2, 0, &port), 0);
	assert_int_equal(evc_consumer_alloc(d1, 1, 2, consume, &owned), 0);
	assert_int_equal(evc_bind_interdomain(d2, 1, owned, &far), 0);
	open_ipis(d1, 200);
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), 0);
	assert_int_equal(d1->ports.nr_open, 1);
	assert_unbound(d2, p2, 1);
	assert_int_equal(fake_status(d1, owned).u.interdomain.port, far);
	assert_int_equal(fake_status(d1, owned).vcpu, 1);
	assert_int_equal(evb_u32_load(&fake.pirq_unbinds), 1);
	assert_int_equal(evc_bind_virq(d1, VIRQ_TIMER, 1, &port), 0);
	assert_int_equal(port, 1);
	assert_int_equal(fake_nr_valid(d1), 256);
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), 0);
	assert_int_equal(evc_consumer_free(d1, owned), 0);
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), 0);
	assert_int_equal(d1->ports.nr_open, 0);
	fake_end();
}

static void reset_takes_breaks_and_goes_on(void **unused)
{
	uint32_t breaks = 0, before;
	int rc;

	(void)unused;
	start();
	open_ipis(d1, 1000);
	fake.yield = true;
	assert_int_equal(evc_reset(d1, DOMID_SELF, true), -XEN_EBUSY);
	rc = evc_reset(d1, DOMID_SELF, false);
	while (rc == -XEN_ERESTART) {
		breaks++;
		before = d1->ports.nr_open;
		assert_int_equal(evc_reset(d1, DOMID_SELF, false), -XEN_EBUSY);
		assert_int_equal(d1->ports.nr_open, before);
		rc = evc_reset(d1, 1, true);
		assert_true(before - d1->ports.nr_open <= 64);
	}
	assert_int_equal(rc, 0);
	assert_int_equal(breaks, 15); /* 1000 / 64 */
	assert_int_equal(d1->ports.nr_open, 0);
	assert_int_equal(evc_reset(d1, DOMID_SELF, true), -XEN_EBUSY);
	fake_end();
}

static void open_one_behind(struct fake *f)
{
	evtchn_port_t port;

	f->meanwhile = NULL;
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	assert_true(port <= 64);
}

static void reset_with_ports_opened_meanwhile_is_eagain(void **unused)
{
	(void)unused;
	start();
	open_ipis(d1, 200);
	fake.meanwhile = open_one_behind;
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), -XEN_EAGAIN);
	assert_int_equal(d1->ports.nr_open, 1);
	assert_int_equal(evc_reset(d1, DOMID_SELF, true), -XEN_EBUSY);
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), 0);
	assert_int_equal(d1->ports.nr_open, 0);
	fake_end();
}

/* Another vCPU finishes the reset, and opens a port after it. */
static void finish_reset(struct fake *f)
{
	f->meanwhile = NULL;
	assert_int_equal(evc_reset(d1, DOMID_SELF, true), 0);
	open_ipis(d1, 1);
}

static void reset_finished_by_another_closes_nothing_more(void **unused)
{
	(void)unused;
	start();
	open_ipis(d1, 200);
	fake.meanwhile = finish_reset;
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), -XEN_EAGAIN);
	fake_assert_status(d1, 1, EVTCHNSTAT_ipi);
	assert_int_equal(d1->ports.nr_open, 1);
	assert_int_equal(evc_reset(d1, DOMID_SELF, true), -XEN_EBUSY);
	fake_end();
}

static void reset_of_131071_ports_takes_breaks(void **unused)
{
	struct evc_domain *d;
	uint32_t calls = 1;
	int rc;

	(void)unused;
	start();
	d = fake_add(&(struct fake_options){
		.domid = 3, .nr_buckets = 2048, .deliver = &fake_wide});
	open_ipis(d, 131071);
	fake.yield = true;
	rc = evc_reset(d, DOMID_SELF, false);
	for (; rc == -XEN_ERESTART; calls++)
		rc = evc_reset(d, DOMID_SELF, true);
	assert_int_equal(rc, 0);
	assert_int_equal(calls, 2048);
	open_ipis(d, 131071);
	rc = evc_domain_destroy(d);
	for (calls = 1; rc == -XEN_ERESTART; calls++)
		rc = evc_domain_destroy(d);
	assert_int_equal(rc, 0);
	assert_int_equal(calls, 2048);
	assert_int_equal(d->ports.nr_open, 0);
	fake_end();
}

/* --- destroy ----------------------------------------------------------------- */

static void assert_no_new_ports(struct evc_domain *d)
{
	evtchn_port_t port = 99, for_it = fake_unbound(d2, d);

	assert_int_equal(evc_bind_ipi(d, 0, &port), -XEN_EINVAL);
	assert_int_equal(evc_alloc_unbound(d, DOMID_SELF, 2, &port),
			 -XEN_EINVAL);
	assert_int_equal(evc_bind_virq(d, VIRQ_DEBUG, 0, &port), -XEN_EINVAL);
	assert_int_equal(evc_bind_pirq(d, 3, 0, &port), -XEN_EINVAL);
	assert_int_equal(evc_bind_interdomain(d, 2, for_it, &port),
			 -XEN_EINVAL);
	assert_int_equal(evc_consumer_alloc(d, 0, 2, consume, &port),
			 -XEN_EINVAL);
	assert_int_equal(port, 99);
	assert_unbound(d2, for_it, d->domid);
}

static void destroy_refuses_new_ports_from_the_first_call(void **unused)
{
	(void)unused;
	start();
	open_ipis(d1, 200);
	fake.yield = true;
	assert_int_equal(evc_domain_destroy(d1), -XEN_ERESTART);
	assert_true(d1->ports.nr_open < 200);
	assert_no_new_ports(d1);
	while (evc_domain_destroy(d1) == -XEN_ERESTART)
		assert_no_new_ports(d1);
	assert_int_equal(d1->ports.nr_open, 0);
	assert_no_new_ports(d1);
	assert_int_equal(evc_domain_destroy(d1), 0); /* again does no harm */
	fake_end();
}

static void destroy_unbinds_peers_without_telling_them(void **unused)
{
	evtchn_port_t p1, p2, owned, far, again;

	(void)unused;
	start();
	fake_connect(d1, d2, &p1, &p2);
	assert_int_equal(evc_consumer_alloc(d1, 0, 2, consume, &owned), 0);
	assert_int_equal(evc_bind_interdomain(d2, 1, owned, &far), 0);
	fake_clear_pending(d2, p2);
	fake_forget();
	assert_int_equal(evc_domain_destroy(d1), 0);
	assert_unbound(d2, p2, 1);
	assert_unbound(d2, far, 1);
	assert_int_equal(d1->ports.nr_open, 0);
	assert_int_equal(d1->ports.nr_consumer, 0);
	assert_false(fake_pending(d2, p2));
	assert_int_equal(fake_kicks(), 0);
	assert_int_equal(evc_send(d2, p2), 0);
	evc_consumer_notify(d1, owned);
	/* The host still finds the zombie: all its ports are closed. */
	assert_int_equal(evc_bind_interdomain(d2, 1, p1, &again), -XEN_EINVAL);
	fake_assert_status(d1, p1, EVTCHNSTAT_closed);
	assert_int_equal(evc_send(d1, p1), -XEN_EINVAL);
	assert_int_equal(evc_unmask(d1, p1), 0);
	assert_int_equal(evc_close(d1, p1), -XEN_EINVAL);
	fake_end();
}

/* Its own ports stay bindable until their turn comes, and go then. */
static void destroy_closes_what_is_bound_meanwhile(void **unused)
{
	evtchn_port_t last, local;

	(void)unused;
	start();
	open_ipis(d1, 150);
	last = fake_unbound(d1, d2);
	fake.yield = true;
	assert_int_equal(evc_domain_destroy(d1), -XEN_ERESTART);
	assert_int_equal(evc_bind_interdomain(d2, 1, last, &local), 0);
	fake.yield = false;
	assert_int_equal(evc_domain_destroy(d1), 0);
	assert_unbound(d2, local, 1);
	fake_end();
}

static void domid_reused_is_a_new_domain(void **unused)
{
	evtchn_port_t p1, p2, local;

	(void)unused;
	start();
	fake_connect(d1, d2, &p1, &p2);
	assert_int_equal(evc_domain_destroy(d1), 0);
	fake_remove(d1);
	assert_int_equal(evc_alloc_unbound(d2, 1, 2, &local), -XEN_ESRCH);
	assert_int_equal(evc_bind_interdomain(d2, 1, p1, &local), -XEN_ESRCH);
	assert_int_equal(evc_reset(d2, 1, false), -XEN_ESRCH);
	d1 = fake_domain(1);
	fake_assert_status(d1, p1, EVTCHNSTAT_closed);
	/* SPEC 11 L8: the port waits for the id, not for the domain. */
	assert_int_equal(evc_bind_interdomain(d1, 2, p2, &local), 0);
	assert_int_equal(local, 1);
	fake_end();
}

/* --- init -------------------------------------------------------------------- */

static void spoil(struct evc_domain_config *c, uint32_t how)
{
	switch (how) {
	case 0:
		c->machine = NULL;
		break;
	case 1:
		c->domid = DOMID_FIRST_RESERVED;
		break;
	case 2:
		c->domid = UINT16_MAX;
		break;
	case 3:
		c->width = (enum evc_width)(EVC_WIDTH_64 + 1);
		break;
	case 4:
		c->width = (enum evc_width)UINT32_MAX;
		break;
	case 5:
		c->shared_info = NULL;
		break;
	case 6:
		c->shared_info = (uint8_t *)c->shared_info + 4;
		break;
	case 7:
		c->vcpu = NULL;
		break;
	case 8:
		c->nr_vcpus = 0;
		break;
	case 9:
		c->nr_vcpus = 8193;
		break;
	case 10:
		c->nr_vcpus = UINT32_MAX;
		break;
	case 11:
		c->bucket = NULL;
		break;
	case 12:
		c->nr_buckets = 0;
		break;
	case 13:
		c->nr_buckets = 2049;
		break;
	case 14:
		c->nr_buckets = UINT32_MAX;
		break;
	case 15:
		c->map = NULL;
		break;
	case 16:
		c->pirq_port = NULL;
		break;
	}
}

static void init_with_a_bad_field_is_einval(void **unused)
{
	struct evc_domain_config good, c;
	struct evc_domain d;
	uint32_t how;

	(void)unused;
	fake_start(false);
	good = fake_config(&(struct fake_options){.domid = 1});
	for (how = 0; how <= 16; how++) {
		c = good;
		spoil(&c, how);
		if (evc_domain_init(&d, &c) != -XEN_EINVAL)
			fail_msg("spoilt field %u was accepted", how);
	}
	c = good;
	c.domid = DOMID_FIRST_RESERVED - 1;
	c.nr_pirqs = 0;
	c.pirq_port = NULL;
	assert_int_equal(evc_domain_init(&d, &c), 0);
	fake_free_config(&good);
}

static void init_without_a_first_bucket_is_enomem(void **unused)
{
	struct evc_domain_config c;
	evtchn_port_t port;

	(void)unused;
	fake_start(false);
	c = fake_config(&(struct fake_options){.domid = 1});
	d1 = test_calloc(1, sizeof(*d1));
	fake.no_memory = true;
	assert_int_equal(evc_domain_init(d1, &c), -XEN_ENOMEM);
	fake.no_memory = false;
	assert_int_equal(evc_domain_init(d1, &c), 0);
	fake.domain[1] = d1;
	assert_int_equal(fake_nr_valid(d1), 64);
	fake_assert_status(d1, 0, EVTCHNSTAT_closed);
	assert_int_equal(evc_close(d1, 0), -XEN_EINVAL);
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	assert_int_equal(port, 1);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close_leaves_the_peer_unbound_for_the_closer),
		cmocka_unit_test(close_of_one_end_of_a_loopback_frees_only_it),
		cmocka_unit_test(bind_to_itself_is_einval),
		cmocka_unit_test(close_resets_the_port_for_its_next_user),
		cmocka_unit_test(close_resets_the_priority),
		cmocka_unit_test(reset_closes_all_but_the_hypervisors_ports),
		cmocka_unit_test(reset_takes_breaks_and_goes_on),
		cmocka_unit_test(reset_with_ports_opened_meanwhile_is_eagain),
		cmocka_unit_test(reset_finished_by_another_closes_nothing_more),
		cmocka_unit_test(reset_of_131071_ports_takes_breaks),
		cmocka_unit_test(destroy_refuses_new_ports_from_the_first_call),
		cmocka_unit_test(destroy_unbinds_peers_without_telling_them),
		cmocka_unit_test(destroy_closes_what_is_bound_meanwhile),
		cmocka_unit_test(domid_reused_is_a_new_domain),
		cmocka_unit_test(init_with_a_bad_field_is_einval),
		cmocka_unit_test(init_without_a_first_bucket_is_enomem),
	};

	return cmocka_run_group_tests_name("core_lifecycle", tests, NULL, NULL);
}
