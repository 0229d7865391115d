/* SPDX-License-Identifier: MIT */
/*
 * Old bugs of operations that take long: reset and destruction.
 * docs/regressions.md has the list; resets that race are in
 * test_regress_threads.c and test_regress_fifo_threads.c.
 */
#include "tests/lib/fake_host.h"

#include <string.h>

#define LAST (EVTCHN_FIFO_NR_CHANNELS - 1) /* 131071 */

static struct evc_domain *d0, *d1, *d2;

static struct evc_domain *wide_domain(domid_t domid)
{
	return fake_add(&(struct fake_options){
		.domid = domid,
		.width = EVC_WIDTH_64,
		.nr_buckets = EVTCHN_FIFO_NR_CHANNELS / EVC_BUCKET_PORTS,
		.deliver = &fake_wide});
}

/* As many connections between two domains as there can be. */
static void start_full(void)
{
	evtchn_port_t p1 = 0, p2;

	fake_start(false);
	d0 = fake_domain(0);
	d1 = wide_domain(1);
	d2 = wide_domain(2);
	while (p1 < LAST)
		fake_connect(d1, d2, &p1, &p2);
	assert_int_equal(d1->ports.nr_open, LAST);
	assert_int_equal(d2->ports.nr_open, LAST);
}

/* --- 131,071 ports ---------------------------------------------------------------- */

/* Between two breaks: what the core may do without looking up. */
static uint32_t open_before;

static void check_step(struct fake *f)
{
	(void)f;
	assert_true(open_before - d1->ports.nr_open <= EVC_BUCKET_PORTS);
	open_before = d1->ports.nr_open;
}

/*
 * XSA-344 (CVE-2020-25601): a reset of very many ports could not be
 * interrupted.
 */
static void reset_of_131071_connections_can_be_interrupted(void **unused)
{
	uint32_t nr_breaks = 0;
	evtchn_port_t port;
	int rc;

	(void)unused;
	start_full();
	open_before = LAST;
	fake.yield = true;
	fake.meanwhile = check_step;
	assert_int_equal(evc_reset(d1, DOMID_SELF, true), -XEN_EBUSY);
	rc = evc_reset(d1, DOMID_SELF, false);
	while (rc == -XEN_ERESTART) {
		nr_breaks++;
		/* A second one meanwhile, by itself or by a controller. */
		assert_int_equal(evc_reset(d1, DOMID_SELF, false), -XEN_EBUSY);
		rc = evc_reset(d1, DOMID_SELF, true);
	}
	assert_int_equal(rc, 0);
	assert_true(nr_breaks >= LAST / EVC_BUCKET_PORTS);
	assert_int_equal(evc_reset(d1, DOMID_SELF, true), -XEN_EBUSY);
	assert_int_equal(d1->ports.nr_open, 0);
	for (port = 1; port <= LAST; port++)
		fake_assert_status(d2, port, EVTCHNSTAT_unbound);
	fake_end();
}

/* XSA-344, the other half: the domain is destroyed. */
static void destroy_of_131071_connections_can_be_interrupted(void **unused)
{
	uint32_t nr_breaks = 0;
	evtchn_port_t port;
	int rc;

	(void)unused;
	start_full();
	open_before = LAST;
	fake.yield = true;
	fake.meanwhile = check_step;
	while ((rc = evc_domain_destroy(d1)) == -XEN_ERESTART) {
		nr_breaks++;
		assert_int_equal(evc_bind_ipi(d1, 0, &port), -XEN_EINVAL);
	}
	assert_int_equal(rc, 0);
	assert_true(nr_breaks >= LAST / EVC_BUCKET_PORTS);
	assert_int_equal(d1->ports.nr_open, 0);
	for (port = 1; port <= LAST; port++)
		fake_assert_status(d2, port, EVTCHNSTAT_unbound);
	/* The other one, whose peers are gone. */
	fake.meanwhile = NULL;
	fake.yield = false;
	assert_int_equal(evc_domain_destroy(d2), 0);
	assert_int_equal(d2->ports.nr_open, 0);
	fake_end();
}

/* --- results ---------------------------------------------------------------------- */

/*
 * XSA-395 (CVE-2022-23035): an iteration over lines that wanted a break had
 * its -ERESTART overwritten, and the rest was never cleaned up.
 */
static void break_among_lines_is_reported_and_the_rest_is_done(void **unused)
{
	struct evtchn_reset op = {.dom = DOMID_SELF};
	evtchn_port_t port = 0;
	uint32_t i;

	(void)unused;
	fake_start(false);
	d1 = fake_domain(1);
	fake.pirq_permitted = UINT32_MAX;
	for (i = 0; i < 60; i++)
		assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	for (i = 0; i < FAKE_PIRQS; i++) /* ports 61 to 68, of two buckets */
		assert_int_equal(evc_bind_pirq(d1, i, 0, &port), 0);
	fake.yield = true;
	assert_int_equal(
		evc_hypercall(&d1->vcpu[0], EVTCHNOP_reset, (uintptr_t)&op),
		-XEN_ERESTART);
	assert_true(d1->ports.nr_open > 0);
	assert_int_equal(evb_u32_load(&fake.pirq_unbinds), 4);
	assert_int_equal(evc_hypercall(&d1->vcpu[0], EVTCHNOP_reset_cont,
				       (uintptr_t)&op),
			 0);
	assert_int_equal(evb_u32_load(&fake.pirq_unbinds), FAKE_PIRQS);
	assert_int_equal(d1->ports.nr_open, 0);
	fake_end();
}

static void open_again(struct fake *f)
{
	evtchn_port_t port;

	f->meanwhile = NULL;
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	assert_int_equal(port, 1);
}

/* XSA-395: what went wrong half-way is not hidden by what went well after. */
static void port_opened_during_the_reset_is_reported_at_its_end(void **unused)
{
	evtchn_port_t port = 0;

	(void)unused;
	fake_start(false);
	d1 = fake_domain(1);
	while (port < 200)
		assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	fake.meanwhile = open_again;
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), -XEN_EAGAIN);
	assert_int_equal(d1->ports.nr_open, 1);
	assert_int_equal(evc_reset(d1, DOMID_SELF, true), -XEN_EBUSY);
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), 0);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			reset_of_131071_connections_can_be_interrupted),
		cmocka_unit_test(
			destroy_of_131071_connections_can_be_interrupted),
		cmocka_unit_test(
			break_among_lines_is_reported_and_the_rest_is_done),
		cmocka_unit_test(
			port_opened_during_the_reset_is_reported_at_its_end),
	};

	return cmocka_run_group_tests_name("regress reset", tests, NULL, NULL);
}
