/* SPDX-License-Identifier: MIT */
/*
 * Static channels while others interfere: a domain that dies between check and
 * open, another table that is faster, a peer that goes before the missed event
 * is posted.  static.c is included once more, with a join after which another
 * CPU acts.
 */
#include "tests/lib/fake_host.h"

#include <evc/static.h>

#include "core/channel.h"
#include "core/locking.h"
#include "core/port_table.h"

static void (*other_cpu)(void);

static bool step_join(struct evc_channel *a, struct evc_channel *b)
{
	void (*act)(void) = other_cpu;
	bool joined = evc_channel_join(a, b);

	other_cpu = NULL;
	if (act)
		act();
	return joined;
}

/* The domains are looked up once more between check and open. */
static void (*after_the_check)(void);
static unsigned int lookups;

static struct evc_domain *step_find(struct evc_machine *m, domid_t domid)
{
	if (++lookups == 3 && after_the_check)
		after_the_check();
	return evc_host_find_domain(m, domid);
}

#define evc_channel_join     step_join
#define evc_host_find_domain step_find
#define evc_static_connect   step_static_connect
int step_static_connect(struct evc_machine *m,
			const struct evc_static_channel *table, uint32_t n);
#include "core/static.c"
#undef evc_channel_join
#undef evc_host_find_domain
#undef evc_static_connect

static struct evc_domain *d1, *d2, *d3;

static void start(void)
{
	fake_start(false);
	d1 = fake_domain(1);
	d2 = fake_domain(2);
	d3 = fake_domain(3);
	other_cpu = NULL;
	after_the_check = NULL;
}

/* Port 10 of @x, on its vCPU 0, and port @port of @y. */
static int connect(domid_t x, domid_t y, evtchn_port_t port)
{
	const struct evc_static_channel row = {{x, 10, 0}, {y, port, 0}};

	lookups = 0;
	return step_static_connect(&fake.machine, &row, 1);
}

/* --- a port is there, and it is not this channel ------------------------------ */

static void other_peer_or_port_is_ebusy(void **unused)
{
	(void)unused;
	start();
	assert_int_equal(connect(1, 2, 10), 0);
	assert_int_equal(connect(1, 2, 10), 0);
	assert_int_equal(connect(1, 3, 10), -XEN_EBUSY);
	assert_int_equal(connect(1, 2, 11), -XEN_EBUSY);
	fake_assert_status(d3, 10, EVTCHNSTAT_closed);
	fake_assert_status(d2, 11, EVTCHNSTAT_closed);
	fake_end();
}

static void strange_state_is_ebusy(void **unused)
{
	(void)unused;
	start();
	assert_int_equal(connect(1, 2, 10), 0);
	evc_port_lookup(d1, 10)->state = 77;
	assert_int_equal(connect(1, 2, 10), -XEN_EBUSY);
	fake_end();
}

/* --- between check and open --------------------------------------------------- */

/* The check of d1:10 is done, that of d2:10 waits for its channel. */
static void d1_dies(struct fake *f)
{
	f->relax = NULL;
	unlock_channel(evc_port_lookup(d2, 10));
	assert_int_equal(evc_domain_destroy(d1), 0);
}

static void domain_that_dies_after_the_check_gets_no_port(void **unused)
{
	(void)unused;
	start();
	lock_channel(evc_port_lookup(d2, 10));
	fake.relax = d1_dies;
	assert_int_equal(connect(1, 2, 10), -XEN_EBUSY);
	assert_null(fake.relax);
	fake_assert_status(d1, 10, EVTCHNSTAT_closed);
	assert_int_equal(d1->ports.nr_open, 0);
	fake_end();
}

static void another_table_is_faster(struct fake *f)
{
	f->relax = NULL;
	unlock_channel(evc_port_lookup(d2, 10));
	assert_int_equal(connect(1, 3, 10), 0);
}

static void port_taken_after_the_check_stays_with_the_other(void **unused)
{
	(void)unused;
	start();
	lock_channel(evc_port_lookup(d2, 10));
	fake.relax = another_table_is_faster;
	assert_int_equal(connect(1, 2, 10), -XEN_EBUSY);
	assert_null(fake.relax);
	assert_int_equal(fake_status(d1, 10).u.interdomain.dom, 3);
	fake_end();
}

/* --- after the join ----------------------------------------------------------- */

static void d2_dies(void)
{
	assert_int_equal(evc_domain_destroy(d2), 0);
}

/* d2 was replaced; d1's end was there.  d2 goes before its event is posted. */
static void peer_that_goes_at_once_leaves_nothing_pending(void **unused)
{
	(void)unused;
	start();
	assert_int_equal(connect(1, 2, 10), 0);
	assert_int_equal(evc_domain_destroy(d1), 0);
	fake_remove(d1);
	d1 = fake_domain(1);
	other_cpu = d2_dies;
	fake_forget();
	assert_int_equal(connect(1, 2, 10), 0);
	assert_null(other_cpu);
	fake_assert_status(d1, 10, EVTCHNSTAT_unbound);
	assert_false(fake_pending(d1, 10));
	assert_int_equal(fake_kicks(), 0);
	fake_end();
}

static void remove_d2(void)
{
	assert_int_equal(evc_domain_destroy(d2), 0);
	fake_remove(d2);
}

/* Once as the first end of the row, once as the second. */
static void domain_gone_after_the_check_is_an_error(void **unused)
{
	(void)unused;
	start();
	after_the_check = remove_d2;
	assert_int_equal(connect(1, 2, 10), -XEN_ESRCH);
	fake_assert_status(d1, 10, EVTCHNSTAT_closed);
	d2 = fake_domain(2);
	assert_int_equal(connect(2, 1, 10), -XEN_ESRCH);
	fake_assert_status(d1, 10, EVTCHNSTAT_closed);
	fake_end();
}

static void replace_d2(void)
{
	remove_d2();
	d2 = fake_domain(2);
}

static void second_bucket_of_d2(void)
{
	evtchn_port_t port = 0;

	while (port < 70)
		assert_int_equal(evc_bind_ipi(d2, 0, &port), 0);
	assert_int_equal(evc_close(d2, port), 0);
}

/* Port 70 was in the second bucket of the domain that was checked. */
static void smaller_bearer_of_the_id_is_an_error(void **unused)
{
	static const struct evc_static_channel row[] = {
		{{1, 10, 0}, {2, 70, 0}},
		{{2, 70, 0}, {1, 10, 0}},
	};
	uint32_t i;

	(void)unused;
	start();
	after_the_check = replace_d2;
	for (i = 0; i < 2; i++) {
		second_bucket_of_d2();
		lookups = 0;
		assert_int_equal(step_static_connect(&fake.machine, &row[i], 1),
				 -XEN_EBUSY);
		fake_assert_status(d1, 10, EVTCHNSTAT_closed);
	}
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_peer_or_port_is_ebusy),
		cmocka_unit_test(strange_state_is_ebusy),
		cmocka_unit_test(domain_that_dies_after_the_check_gets_no_port),
		cmocka_unit_test(
			port_taken_after_the_check_stays_with_the_other),
		cmocka_unit_test(peer_that_goes_at_once_leaves_nothing_pending),
		cmocka_unit_test(domain_gone_after_the_check_is_an_error),
		cmocka_unit_test(smaller_bearer_of_the_id_is_an_error),
	};

	return cmocka_run_group_tests_name("core static steps", tests, NULL,
					   NULL);
}
