/* SPDX-License-Identifier: MIT */
/*
 * Static channels: the numbers of a table, all of it or nothing, no memory
 * asked for, ports the guest cannot close, and the same table again after one
 * domain was replaced.
 */
#include "tests/lib/fake_host.h"

#include <stdlib.h>
#include <string.h>

#include <evc/snapshot.h>
#include <evc/static.h>

static struct evc_domain *d1, *d2;

/* Buckets for ports 0..1087, all lent in advance but @missing. */
static struct evc_domain *add(domid_t domid, uint32_t generation, bool fifo,
			      uint32_t missing)
{
	struct evc_domain_config c = fake_config(&(struct fake_options){
		.domid = domid,
		.width = EVC_WIDTH_64,
		.nr_buckets = 17,
		.max_port = 1050,
		.generation = generation,
		.fifo = fifo,
	});
	uint32_t i;

	for (i = 0; i < c.nr_buckets; i++) {
		if (i == missing)
			continue;
		c.bucket[i] = aligned_alloc(
			64, EVC_BUCKET_PORTS * sizeof(struct evc_channel));
		assert_non_null(c.bucket[i]);
		memset(c.bucket[i], 0,
		       EVC_BUCKET_PORTS * sizeof(struct evc_channel));
	}
	return fake_add_config(&c);
}

#define NONE_MISSING UINT32_MAX

static void start(void)
{
	fake_start(false);
	d1 = add(1, 7, true, NONE_MISSING);
	d2 = add(2, 8, false, NONE_MISSING);
	fake.no_memory = true; /* asking for a bucket would fail the test */
}

static const struct evc_static_channel table[] = {
	{{1, 1000, 1}, {2, 3, 0}},
	{{2, 5, 1}, {1, 2, 0}},
	{{1, 70, 0}, {1, 4, 1}}, /* within one domain */
};

#define ROWS 3

static int connect(void)
{
	return evc_static_connect(&fake.machine, table, ROWS);
}

static void assert_connected(struct evc_domain *d, evtchn_port_t port,
			     uint32_t vcpu, domid_t peer, evtchn_port_t at)
{
	struct evtchn_status s = fake_status(d, port);

	assert_int_equal(s.status, EVTCHNSTAT_interdomain);
	assert_int_equal(s.vcpu, vcpu);
	assert_int_equal(s.u.interdomain.dom, peer);
	assert_int_equal(s.u.interdomain.port, at);
}

static void assert_table(void)
{
	assert_connected(d1, 1000, 1, 2, 3);
	assert_connected(d2, 3, 0, 1, 1000);
	assert_connected(d2, 5, 1, 1, 2);
	assert_connected(d1, 2, 0, 2, 5);
	assert_connected(d1, 70, 0, 1, 4);
	assert_connected(d1, 4, 1, 1, 70);
	assert_int_equal(d1->ports.nr_open, 4 + 0);
	assert_int_equal(d1->ports.nr_fixed, 4);
	assert_int_equal(d2->ports.nr_fixed, 2);
}

static void ports_have_the_numbers_of_the_table(void **unused)
{
	(void)unused;
	start();
	assert_int_equal(connect(), 0);
	assert_table();
	/* Nothing is pending, nobody was kicked: the guests see a quiet start. */
	assert_false(fake_pending(d1, 1000));
	assert_false(fake_pending(d2, 3));
	assert_int_equal(fake_kicks(), 0);
	assert_int_equal(evc_send(d1, 1000), 0);
	assert_true(fake_pending(d2, 3));
	assert_ptr_equal(fake_last_kick(), &d2->vcpu[0]);
	assert_int_equal(evc_send(d2, 3), 0);
	assert_true(fake_pending(d1, 1000));
	assert_ptr_equal(fake_last_kick(), &d1->vcpu[1]);
	assert_int_equal(evc_send(d1, 4), 0);
	assert_true(fake_pending(d1, 70));
	fake_end();
}

/* Fixed port 1000 first, then everything below: no number is lost or doubled. */
static void other_ports_fill_the_holes(void **unused)
{
	evtchn_port_t port, expected;

	(void)unused;
	start();
	assert_int_equal(connect(), 0);
	assert_int_equal(fake_nr_valid(d1), 1024); /* holes exist */
	fake_assert_status(d1, 999, EVTCHNSTAT_closed);
	for (expected = 1; expected <= 1050; expected++) {
		if (expected == 2 || expected == 4 || expected == 70 ||
		    expected == 1000)
			continue;
		assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
		assert_int_equal(port, expected);
	}
	assert_int_equal(evc_bind_ipi(d1, 0, &port), -XEN_ENOSPC);
	assert_int_equal(evc_close(d1, 500), 0);
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	assert_int_equal(port, 500);
	fake_end();
}

/* --- a table that is wrong changes nothing ---------------------------------- */

static void expect(struct evc_static_channel bad, int rc)
{
	struct evc_static_channel rows[ROWS + 1];

	memcpy(rows, table, sizeof(table));
	rows[ROWS] = bad;
	assert_int_equal(evc_static_connect(&fake.machine, rows, ROWS + 1), rc);
	assert_int_equal(d1->ports.nr_open + d1->ports.nr_fixed, 0);
	assert_int_equal(d2->ports.nr_open + d2->ports.nr_fixed, 0);
	/* And wherever the bad row stands. */
	memmove(rows + 1, rows, sizeof(table));
	rows[0] = bad;
	assert_int_equal(evc_static_connect(&fake.machine, rows, ROWS + 1), rc);
	assert_int_equal(d1->ports.nr_open + d2->ports.nr_open, 0);
	/* Either way round. */
	rows[0] = (struct evc_static_channel){bad.b, bad.a};
	assert_int_equal(evc_static_connect(&fake.machine, rows, ROWS + 1), rc);
	assert_int_equal(d1->ports.nr_open + d2->ports.nr_open, 0);
}

#define EXPECT(rc, ...) expect((struct evc_static_channel)__VA_ARGS__, rc)

static void wrong_tables_change_nothing(void **unused)
{
	(void)unused;
	start();
	EXPECT(-XEN_ESRCH, {{3, 9, 0}, {1, 9, 0}});
	EXPECT(-XEN_ESRCH, {{DOMID_SELF, 9, 0}, {1, 9, 0}});
	EXPECT(-XEN_EINVAL, {{1, 0, 0}, {2, 9, 0}});
	EXPECT(-XEN_EINVAL, {{1, 9, 0}, {1, 9, 0}});
	EXPECT(-XEN_EINVAL, {{1, 9, 0}, {2, 3, 0}});
	EXPECT(-XEN_EINVAL, {{1, 1000, 0}, {2, 9, 0}});
	EXPECT(-XEN_EINVAL, {{1, 9, 0}, {1, 70, 0}});
	EXPECT(-XEN_EINVAL, {{1, 1000, 1}, {2, 3, 0}}); /* the same row */
	EXPECT(-XEN_ENOENT, {{1, 9, 2}, {2, 9, 0}});
	EXPECT(-XEN_ENOSPC, {{1, 1051, 0}, {2, 9, 0}}); /* max_port */
	EXPECT(-XEN_ENOSPC, {{1, UINT32_MAX, 0}, {2, 9, 0}});
	assert_int_equal(connect(), 0);
	assert_table();
	assert_int_equal(evc_static_connect(&fake.machine, NULL, 0), 0);
	fake_end();
}

static bool port_9(evtchn_port_t port)
{
	return port == 9;
}

static void ports_in_use_are_refused(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start();
	while (evc_bind_ipi(d1, 0, &port) == 0 && port < 2)
		;
	assert_int_equal(connect(), -XEN_EBUSY);
	assert_int_equal(d2->ports.nr_open, 0);
	assert_int_equal(evc_close(d1, 2), 0);
	/* An ordinary port that waits for the same domain is not an end. */
	assert_int_equal(fake_unbound(d1, d2), 2);
	assert_int_equal(connect(), -XEN_EBUSY);
	assert_int_equal(evc_close(d1, 2), 0);
	assert_int_equal(connect(), 0);
	fake_end();
	/* A number the guest still has in a queue. */
	fake_start(false);
	d1 = fake_add(
		&(struct fake_options){.domid = 1, .deliver = &fake_wide});
	d2 = add(2, 0, false, NONE_MISSING);
	fake.busy = port_9;
	assert_int_equal(
		evc_static_connect(
			&fake.machine,
			&(struct evc_static_channel){{1, 9, 0}, {2, 9, 0}}, 1),
		-XEN_EBUSY);
	fake_end();
}

static void only_lent_buckets_are_used(void **unused)
{
	(void)unused;
	fake_start(false);
	d1 = add(1, 0, false, 4);
	d2 = add(2, 0, false, NONE_MISSING);
	/* evc_host_bucket() would have one. */
	assert_int_equal(connect(), -XEN_ENOMEM);
	assert_int_equal(d1->ports.nr_open + d2->ports.nr_open, 0);
	assert_int_equal(fake_nr_valid(d1), 64);
	fake_end();
}

static void dying_domain_is_refused(void **unused)
{
	(void)unused;
	start();
	assert_int_equal(evc_domain_destroy(d2), 0);
	assert_int_equal(connect(), -XEN_EINVAL);
	assert_int_equal(d1->ports.nr_open, 0);
	fake_end();
}

/* --- what guests can and cannot do ------------------------------------------- */

static void guest_cannot_close_it(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start();
	assert_int_equal(connect(), 0);
	assert_int_equal(evc_close(d1, 1000), -XEN_EINVAL);
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), 0);
	fake_assert_status(d1, port, EVTCHNSTAT_closed);
	assert_table();
	/* All else works. */
	assert_int_equal(evc_bind_vcpu(d1, 1000, 0), 0);
	fake_set_mask(d1, 1000, true);
	assert_int_equal(evc_send(d2, 3), 0);
	assert_int_equal(fake_kicks(), 0);
	assert_int_equal(evc_unmask(d1, 1000), 0);
	assert_ptr_equal(fake_last_kick(), &d1->vcpu[0]);
	fake_end();
}

static uint32_t *word(evtchn_port_t port)
{
	return (uint32_t *)(void *)fake.frame[1] + port;
}

/* A reset leaves FIFO though static ports stay open: events come along. */
static void reset_leaves_fifo_and_carries_events(void **unused)
{
	struct evtchn_init_control c = {.control_gfn = 0};

	(void)unused;
#ifdef EVC_TEST_NO_FIFO
	skip();
#endif
	start();
	assert_int_equal(connect(), 0);
	assert_int_equal(evc_init_control(d1, &c), 0);
	assert_int_equal(evc_expand_array(d1, 1), 0);
	assert_int_equal(evc_send(d2, 5), 0);
	assert_true(*word(2) >> EVTCHN_FIFO_PENDING & 1);
	assert_false(fake_pending(d1, 2));
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), 0);
	assert_int_equal(fake.mapped, 0);
	assert_true(fake_pending(d1, 2));
	assert_false(fake_pending(d1, 70));
	assert_table();
	assert_int_equal(evc_send(d1, 4), 0);
	assert_true(fake_pending(d1, 70));

	/* The same for one that waits for its page. */
	assert_int_equal(evc_init_control(d1, &c), 0);
	fake_clear_pending(d1, 2);
	fake_clear_pending(d1, 70);
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), 0);
	assert_true(fake_pending(d1, 2)); /* was pending at init_control */
	fake_end();
}

/* --- a domain that is replaced ----------------------------------------------- */

static void same_table_connects_a_new_domain(void **unused)
{
	int how;

	(void)unused;
	for (how = 0; how < 2; how++) {
		start();
		assert_int_equal(connect(), 0);
		assert_int_equal(evc_domain_destroy(d1), 0);
		assert_int_equal(d1->ports.nr_fixed, 0);
		fake_assert_status(d2, 3, EVTCHNSTAT_unbound);
		assert_int_equal(evc_close(d2, 3), -XEN_EINVAL);
		fake_remove(d1);
		/* It waits for domain 1 and nobody else. */
		assert_int_equal(
			evc_static_connect(&fake.machine,
					   &(struct evc_static_channel){
						   {2, 3, 0}, {2, 9, 0}},
					   1),
			-XEN_EBUSY);
		if (how)
			assert_int_equal(evc_send(d2, 3), 0); /* to nobody */
		d1 = add(1, 9, false, NONE_MISSING); /* the next bearer */
		assert_int_equal(connect(), 0);
		assert_table();
		/* What came too early is not lost; nobody waited in between. */
		assert_true(fake_pending(d1, 1000));
		assert_false(fake_pending(d2, 3));
		assert_false(fake_pending(d1, 70));
		/* Once more changes nothing. */
		fake_forget();
		assert_int_equal(connect(), 0);
		assert_table();
		assert_int_equal(fake_kicks(), 0);
		fake_end();
	}
}

static void destroy_closes_them(void **unused)
{
	(void)unused;
	start();
	assert_int_equal(connect(), 0);
	assert_int_equal(evc_domain_destroy(d1), 0);
	assert_int_equal(evc_domain_destroy(d2), 0);
	assert_int_equal(d1->ports.nr_open + d1->ports.nr_fixed, 0);
	assert_int_equal(d2->ports.nr_open + d2->ports.nr_fixed, 0);
	fake_end();
}

/* Saved and restored they are still static. */
static void they_are_saved(void **unused)
{
	static uint8_t image[2][4096];
	size_t len[2];

	(void)unused;
	start();
	assert_int_equal(connect(), 0);
	evc_domain_set_paused(d1, true);
	evc_domain_set_paused(d2, true);
	assert_int_equal(evc_save(d1, image[0], 4096, &len[0]), 0);
	assert_int_equal(evc_save(d2, image[1], 4096, &len[1]), 0);
	fake_remove(d1);
	fake_remove(d2);
	d1 = add(1, 7, true, NONE_MISSING);
	d2 = add(2, 8, false, NONE_MISSING);
	evc_domain_set_paused(d1, true);
	evc_domain_set_paused(d2, true);
	assert_int_equal(evc_restore(d1, image[0], len[0]), 0);
	assert_int_equal(evc_restore(d2, image[1], len[1]), 0);
	assert_table();
	assert_int_equal(evc_close(d1, 1000), -XEN_EINVAL);
	assert_int_equal(connect(), 0);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_have_the_numbers_of_the_table),
		cmocka_unit_test(other_ports_fill_the_holes),
		cmocka_unit_test(wrong_tables_change_nothing),
		cmocka_unit_test(ports_in_use_are_refused),
		cmocka_unit_test(only_lent_buckets_are_used),
		cmocka_unit_test(dying_domain_is_refused),
		cmocka_unit_test(guest_cannot_close_it),
		cmocka_unit_test(reset_leaves_fifo_and_carries_events),
		cmocka_unit_test(same_table_connects_a_new_domain),
		cmocka_unit_test(destroy_closes_them),
		cmocka_unit_test(they_are_saved),
	};

	return cmocka_run_group_tests_name("core_static", tests, NULL, NULL);
}
