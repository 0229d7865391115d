/* SPDX-License-Identifier: MIT */
/*
 * Which port number an allocation gets: the port table against a model that
 * is one byte per port and a search from the bottom.
 *
 * Reading order: the model, limits, growth, no memory, busy ports, failed
 * operations.  SPEC 2 (Allocation, Storage, Limits)
 */
#include "tests/lib/fake_host.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PORTS (EVTCHN_FIFO_NR_CHANNELS + 0u)

/* --- the model --------------------------------------------------------------- */

struct model {
	struct evc_domain *d;
	uint32_t limit; /* ports below it may be handed out */
	uint32_t nr_open;
	uint32_t low; /* ports below it are taken: nobody need look there */
	uint8_t taken[MAX_PORTS];
};

static uint64_t seed;

static uint32_t random_below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % n;
}

static struct model *model_start(uint32_t nr_buckets, uint32_t limit,
				 const struct evc_deliver *deliver)
{
	struct model *m = test_calloc(1, sizeof(*m));

	fake_start(false);
	seed = 88172645463325252u;
	m->d = fake_add(&(struct fake_options){.domid = 1,
					       .width = EVC_WIDTH_64,
					       .nr_buckets = nr_buckets,
					       .deliver = deliver});
	m->limit = limit;
	m->taken[0] = 1;
	return m;
}

static void model_end(struct model *m)
{
	assert_int_equal(m->d->ports.nr_open, m->nr_open);
	test_free(m);
	fake_end();
}

/* The lowest free port, or 0. */
static uint32_t model_lowest(const struct model *m)
{
	const uint8_t *p;

	if (m->low >= m->limit)
		return 0;
	p = memchr(m->taken + m->low, 0, m->limit - m->low);
	return p ? (uint32_t)(p - m->taken) : 0;
}

static void alloc_one(struct model *m)
{
	uint32_t want = model_lowest(m);
	evtchn_port_t port = 12345;
	int rc = evc_bind_ipi(m->d, 0, &port);

	if (!want) {
		assert_int_equal(rc, -XEN_ENOSPC);
		assert_int_equal(port, 12345);
		return;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(port, want);
	m->taken[port] = 1;
	m->low = port;
	m->nr_open++;
}

static void close_one(struct model *m, uint32_t port)
{
	int rc = evc_close(m->d, port);

	assert_int_equal(rc, port && m->taken[port] ? 0 : -XEN_EINVAL);
	if (rc)
		return;
	m->taken[port] = 0;
	if (port < m->low)
		m->low = port;
	m->nr_open--;
}

static void fill(struct model *m)
{
	while (model_lowest(m))
		alloc_one(m);
	alloc_one(m);
}

/* Every port's status says what the model says. */
static void compare_all(struct model *m)
{
	uint32_t port, valid = fake_nr_valid(m->d);

	for (port = 1; port < m->limit; port++) {
		if (port >= valid)
			assert_false(m->taken[port]);
		else
			fake_assert_status(m->d, port,
					   m->taken[port] ? EVTCHNSTAT_ipi
							  : EVTCHNSTAT_closed);
	}
}

/* Mostly allocating, then mostly closing, and so on. */
static void churn(struct model *m, uint32_t steps, uint32_t span)
{
	uint32_t i;

	for (i = 0; i < steps; i++) {
		uint32_t bias = i / 1000 % 2 ? 3 : 7;

		if (random_below(10) < bias)
			alloc_one(m);
		else
			close_one(m, random_below(span));
	}
}

static void churn_with_64_buckets_hands_out_the_lowest(void **unused)
{
	struct model *m = model_start(64, 4096, NULL);

	(void)unused;
	churn(m, 20000, 1000);
	compare_all(m);
	fill(m);
	churn(m, 20000, 4096);
	compare_all(m);
	model_end(m);
}

static void churn_with_2048_buckets_hands_out_the_lowest(void **unused)
{
	struct model *m = model_start(2048, MAX_PORTS, &fake_wide);
	uint32_t i;

	(void)unused;
	for (i = 1; i < MAX_PORTS; i++) {
		evtchn_port_t port = 0;

		assert_int_equal(evc_bind_ipi(m->d, 0, &port), 0);
		assert_int_equal(port, i);
		m->taken[i] = 1;
	}
	m->nr_open = MAX_PORTS - 1;
	alloc_one(m);
	churn(m, 20000, MAX_PORTS);
	compare_all(m);
	fill(m);
	model_end(m);
}

/* One hole at a time, at every place a level of the bitmaps has an edge. */
static void hole_at_every_edge_is_found(void **unused)
{
	static const uint32_t holes[] = {
		1,     62,     63,     64,     65,     127,    128,   4031,
		4032,  4095,   4096,   4097,   8191,   8192,   65535, 65536,
		65537, 126975, 126976, 131007, 131008, 131070, 131071};
	struct model *m = model_start(2048, MAX_PORTS, &fake_wide);
	uint32_t i;

	(void)unused;
	fill(m);
	for (i = 0; i < sizeof(holes) / sizeof(holes[0]); i++) {
		close_one(m, holes[i]);
		alloc_one(m);
		alloc_one(m); /* full again */
	}
	for (i = sizeof(holes) / sizeof(holes[0]); i > 0; i--)
		close_one(m, holes[i - 1]);
	fill(m);
	model_end(m);
}

/* --- limits ------------------------------------------------------------------ */

static uint32_t count_ports(struct evc_domain *d)
{
	evtchn_port_t port = 0;
	uint32_t n = 0;
	int rc;

	while (!(rc = evc_bind_ipi(d, 0, &port))) {
		n++;
		assert_int_equal(port, n);
	}
	assert_int_equal(rc, -XEN_ENOSPC);
	assert_int_equal(port, n);
	return n;
}

static void check_limit(uint32_t max_port, uint32_t nr_buckets,
			enum evc_width width, uint32_t want)
{
	struct evc_domain_config c;
	struct evc_domain *d;
	evtchn_port_t port;

	fake_start(false);
	c = fake_config(&(struct fake_options){
		.domid = 1, .width = width, .nr_buckets = nr_buckets});
	c.max_port = max_port;
	d = fake_add_config(&c);
	assert_int_equal(count_ports(d), want);
	/* Growth stops at the bucket of the last port. */
	assert_int_equal(fake_nr_valid(d), (want / 64 + 1) * 64);
	if (want) {
		assert_int_equal(evc_close(d, want), 0);
		assert_int_equal(evc_bind_ipi(d, 0, &port), 0);
		assert_int_equal(port, want);
	}
	assert_int_equal(evc_bind_ipi(d, 0, &port), -XEN_ENOSPC);
	fake_end();
}

static void max_port_any_value_is_the_last_one_handed_out(void **unused)
{
	static const uint32_t limits[] = {0,	1,    5,    62,	 63,
					  64,	65,   127,  128, 1022,
					  1023, 1024, 4094, 4095};
	uint32_t i;

	(void)unused;
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		check_limit(limits[i], 64, EVC_WIDTH_64, limits[i]);
	check_limit(4096, 64, EVC_WIDTH_64, 4095);
	check_limit(INT32_MAX, 64, EVC_WIDTH_64, 4095);
	check_limit(EVC_NO_LIMIT - 1, 64, EVC_WIDTH_64, 4095);
	check_limit(EVC_NO_LIMIT, 64, EVC_WIDTH_64, 4095);
}

static void max_port_32_bit_is_capped_by_the_abi(void **unused)
{
	(void)unused;
	check_limit(1022, 64, EVC_WIDTH_32, 1022);
	check_limit(1023, 64, EVC_WIDTH_32, 1023);
	check_limit(1024, 64, EVC_WIDTH_32, 1023);
	check_limit(EVC_NO_LIMIT, 64, EVC_WIDTH_32, 1023);
}

static void capacity_below_the_abi_is_the_limit(void **unused)
{
	(void)unused;
	check_limit(EVC_NO_LIMIT, 1, EVC_WIDTH_64, 63);
	check_limit(EVC_NO_LIMIT, 2, EVC_WIDTH_64, 127);
	check_limit(EVC_NO_LIMIT, 63, EVC_WIDTH_64, 4031);
	check_limit(EVC_NO_LIMIT, 65, EVC_WIDTH_64, 4095);
	check_limit(64, 1, EVC_WIDTH_64, 63);
	check_limit(5, 1, EVC_WIDTH_64, 5);
}

static void width_latched_later_moves_the_limit(void **unused)
{
	struct model *m = model_start(64, 4096, NULL);
	uint32_t i;

	(void)unused;
	for (i = 0; i < 1500; i++)
		alloc_one(m);
	evc_domain_set_width(m->d, EVC_WIDTH_32);
	m->limit = 1024;
	alloc_one(m); /* none below 1024 */
	close_one(m, 1200);
	alloc_one(m); /* 1200 is free, and too high now */
	close_one(m, 1023);
	alloc_one(m);
	evc_domain_set_width(m->d, EVC_WIDTH_64);
	m->limit = 4096;
	alloc_one(m); /* 1200 */
	alloc_one(m);
	model_end(m);
}

/* --- growth ------------------------------------------------------------------ */

static void growth_is_one_bucket_when_one_is_full(void **unused)
{
	struct model *m = model_start(64, 4096, NULL);
	uint32_t i;

	(void)unused;
	assert_int_equal(fake_nr_valid(m->d), 64);
	for (i = 1; i < 4096; i++) {
		alloc_one(m);
		if (i % 64 == 0 || i % 64 == 63)
			assert_int_equal(fake_nr_valid(m->d),
					 (i / 64 + 1) * 64);
	}
	for (i = 1; i < 4096; i++)
		close_one(m, i);
	assert_int_equal(fake_nr_valid(m->d), 4096); /* only grows */
	model_end(m);
}

static void growth_uses_lent_buckets_first(void **unused)
{
	struct evc_domain_config c;
	struct evc_domain *d;
	evtchn_port_t port;
	uint32_t i;

	(void)unused;
	fake_start(false);
	c = fake_config(&(struct fake_options){.domid = 1, .nr_buckets = 3});
	for (i = 0; i < 2; i++) {
		c.bucket[i] = aligned_alloc(
			64, EVC_BUCKET_PORTS * sizeof(struct evc_channel));
		memset(c.bucket[i], 0,
		       EVC_BUCKET_PORTS * sizeof(struct evc_channel));
	}
	fake.no_memory = true;
	d = fake_add_config(&c);
	for (i = 1; i < 128; i++)
		assert_int_equal(evc_bind_ipi(d, 0, &port), 0);
	assert_int_equal(evc_bind_ipi(d, 0, &port), -XEN_ENOMEM);
	fake.no_memory = false;
	assert_int_equal(evc_bind_ipi(d, 0, &port), 0);
	assert_int_equal(port, 128);
	fake_end();
}

/* --- no memory --------------------------------------------------------------- */

/* All a failed operation may not touch: the domain and its map of ports. */
struct picture {
	struct evc_domain d;
	uint64_t map[EVC_MAP_WORDS(64)];
	uint8_t page[4096];
	uint32_t kicks;
};

static void take_picture(struct picture *p, const struct evc_domain *d)
{
	memcpy(&p->d, d, sizeof(p->d));
	memcpy(p->map, d->ports.map[0], sizeof(p->map));
	memcpy(p->page, d->shared_info, sizeof(p->page));
	p->kicks = fake_kicks();
}

static void assert_same_picture(const struct picture *p,
				const struct evc_domain *d)
{
	assert_memory_equal(&p->d, d, sizeof(p->d));
	assert_memory_equal(p->map, d->ports.map[0], sizeof(p->map));
	assert_memory_equal(p->page, d->shared_info, sizeof(p->page));
	assert_int_equal(p->kicks, fake_kicks());
}

static void consume(struct evc_vcpu *v, evtchn_port_t port)
{
	(void)v;
	(void)port;
}

/* Every operation that takes a port; @k picks one. */
static int take_port(struct evc_domain *d, uint32_t k, evtchn_port_t remote,
		     evtchn_port_t *port)
{
	switch (k % 6) {
	case 0:
		return evc_bind_ipi(d, 1, port);
	case 1:
		return evc_alloc_unbound(d, DOMID_SELF, 2, port);
	case 2:
		return evc_bind_interdomain(d, 2, remote, port);
	case 3:
		return evc_bind_virq(d, VIRQ_DEBUG, k / 6 % 2, port);
	case 4:
		return evc_bind_pirq(d, 3, 0, port);
	default:
		return evc_consumer_alloc(d, 0, 2, consume, port);
	}
}

static void no_memory_at_every_growth_changes_nothing(void **unused)
{
	struct model *m = model_start(64, 4096, NULL);
	struct evc_domain *d2 = fake_domain(2);
	evtchn_port_t port = 77, remote = fake_unbound(d2, m->d);
	struct picture before;
	uint32_t i, k;

	(void)unused;
	fake.pirq_permitted = UINT32_MAX;
	for (i = 64; i < 4096; i += 64) {
		while (m->nr_open < i - 1)
			alloc_one(m);
		fake.no_memory = true;
		take_picture(&before, m->d);
		for (k = 0; k < 6; k++) {
			assert_int_equal(take_port(m->d, k, remote, &port),
					 -XEN_ENOMEM);
			assert_int_equal(port, 77);
			assert_same_picture(&before, m->d);
		}
		assert_int_equal(fake_nr_valid(m->d), i);
		fake_assert_status(d2, remote, EVTCHNSTAT_unbound);
		assert_int_equal(evb_u32_load(&fake.pirq_binds), 0);
		fake.no_memory = false;
		alloc_one(m);
		assert_int_equal(fake_nr_valid(m->d), i + 64);
	}
	model_end(m);
}

/* --- every operation takes the lowest --------------------------------------- */

static void lowest_first_holds_for_every_operation(void **unused)
{
	struct model *m = model_start(64, 4096, NULL);
	struct evc_domain *d2 = fake_domain(2);
	evtchn_port_t port;
	uint32_t k;

	(void)unused;
	fake.pirq_permitted = UINT32_MAX;
	for (k = 0; k < 80; k++)
		alloc_one(m);
	for (k = 0; k < 6; k++) {
		evtchn_port_t remote = fake_unbound(d2, m->d);
		uint32_t low = 1 + random_below(70);

		close_one(m, low + 5);
		close_one(m, low);
		assert_int_equal(take_port(m->d, k, remote, &port), 0);
		assert_int_equal(port, low);
		m->taken[low] = 1;
		m->nr_open++;
		alloc_one(m);
	}
	model_end(m);
}

/* --- busy ports -------------------------------------------------------------- */

static uint32_t busy_from, busy_to;

static bool is_busy(evtchn_port_t port)
{
	return port >= busy_from && port < busy_to;
}

static void check_busy(struct model *m, uint32_t from, uint32_t to)
{
	uint32_t port;

	fake.busy = is_busy;
	busy_from = from;
	busy_to = to;
	for (port = from; port < to; port++)
		close_one(m, port);
	close_one(m, to);
	memset(m->taken + from, 1, to - from); /* the model: not to be had */
	alloc_one(m);			       /* @to */
	alloc_one(m);			       /* ENOSPC */
	memset(m->taken + from, 0, to - from);
	m->low = from;
	fake.busy = NULL;
	fill(m);
}

static void busy_ports_are_skipped_until_they_are_not(void **unused)
{
	struct model *m = model_start(256, 16384, &fake_wide);

	(void)unused;
	fill(m);
	check_busy(m, 1, 2);
	check_busy(m, 62, 64);
	check_busy(m, 63, 64);
	check_busy(m, 1, 64);
	check_busy(m, 4000, 4095);
	check_busy(m, 4000, 4096);
	check_busy(m, 4095, 4097);
	check_busy(m, 64, 8192);
	check_busy(m, 1, 16383);
	model_end(m);
}

static void busy_ports_everywhere_give_enospc(void **unused)
{
	struct model *m = model_start(4, 256, &fake_wide);
	evtchn_port_t port = 5;

	(void)unused;
	fill(m);
	fake.busy = is_busy;
	busy_from = 0;
	busy_to = UINT32_MAX;
	close_one(m, 3);
	close_one(m, 255);
	assert_int_equal(evc_bind_ipi(m->d, 0, &port), -XEN_ENOSPC);
	assert_int_equal(port, 5);
	fake.busy = NULL;
	fill(m);
	model_end(m);
}

/* --- what remains of a failed operation ------------------------------------- */

static void failed_bind_interdomain_grows_by_one_bucket_only(void **unused)
{
	struct model *m = model_start(64, 4096, NULL);
	struct evc_domain *d2 = fake_domain(2);
	evtchn_port_t port = 9, wrong = fake_unbound(d2, d2);
	uint32_t i;

	(void)unused;
	for (i = 1; i < 64; i++)
		alloc_one(m);
	assert_int_equal(fake_nr_valid(m->d), 64);
	for (i = 0; i < 200; i++)
		assert_int_equal(evc_bind_interdomain(m->d, 2, wrong, &port),
				 -XEN_EINVAL);
	assert_int_equal(port, 9);
	assert_int_equal(fake_nr_valid(m->d), 128);
	compare_all(m);
	/* The port it looked at itself exists now, but is not unbound. */
	assert_int_equal(evc_bind_interdomain(m->d, DOMID_SELF, 64, &port),
			 -XEN_EINVAL);
	fake_assert_status(m->d, 64, EVTCHNSTAT_closed);
	alloc_one(m);
	model_end(m);
}

static void refused_alloc_unbound_does_not_touch_the_table(void **unused)
{
	struct model *m = model_start(64, 4096, NULL);
	struct evc_domain *d2 = fake_domain(2);
	evtchn_port_t port = 9;
	uint32_t i;

	(void)unused;
	for (i = 1; i < 64; i++)
		alloc_one(m);
	for (i = 0; i < 200; i++)
		assert_int_equal(evc_alloc_unbound(d2, 1, 2, &port),
				 -XEN_EPERM);
	assert_int_equal(fake_nr_valid(m->d), 64);
	/* As Xen 4.17: it looks for a port first, and so makes room for one. */
	fake.machine.xen_4_17 = true;
	for (i = 0; i < 200; i++)
		assert_int_equal(evc_alloc_unbound(d2, 1, 2, &port),
				 -XEN_EPERM);
	fake.machine.xen_4_17 = false;
	assert_int_equal(fake_nr_valid(m->d), 128);
	compare_all(m);
	alloc_one(m);
	model_end(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(churn_with_64_buckets_hands_out_the_lowest),
		cmocka_unit_test(churn_with_2048_buckets_hands_out_the_lowest),
		cmocka_unit_test(hole_at_every_edge_is_found),
		cmocka_unit_test(max_port_any_value_is_the_last_one_handed_out),
		cmocka_unit_test(max_port_32_bit_is_capped_by_the_abi),
		cmocka_unit_test(capacity_below_the_abi_is_the_limit),
		cmocka_unit_test(width_latched_later_moves_the_limit),
		cmocka_unit_test(growth_is_one_bucket_when_one_is_full),
		cmocka_unit_test(growth_uses_lent_buckets_first),
		cmocka_unit_test(no_memory_at_every_growth_changes_nothing),
		cmocka_unit_test(lowest_first_holds_for_every_operation),
		cmocka_unit_test(busy_ports_are_skipped_until_they_are_not),
		cmocka_unit_test(busy_ports_everywhere_give_enospc),
		cmocka_unit_test(
			failed_bind_interdomain_grows_by_one_bucket_only),
		cmocka_unit_test(
			refused_alloc_unbound_does_not_touch_the_table),
	};

	return cmocka_run_group_tests_name("core_ports", tests, NULL, NULL);
}
