/* SPDX-License-Identifier: MIT */
/*
 * Memory that is not there, at every place where an operation may ask for it.
 *
 * The linker puts this file between the core and the host's three hooks that
 * can fail for want of memory (rules.mk: --wrap).  An operation runs with the
 * first call of a hook failing, then with the second, ... until it succeeds.
 * After each failure the whole world, guest memory included, is compared with
 * what it was: only the one growth evc.h speaks of is allowed.
 */
#include "tests/lib/fake_host.h"

#include <stdlib.h>
#include <string.h>

static struct evc_domain *d1, *d2;

/* --- hooks that fail ----------------------------------------------------------- */

static unsigned int nr_asked; /* hooks called since the count was set to 0 */
static unsigned int fail_at;  /* the call that fails, from 1; 0: none */

struct evc_channel *__real_evc_host_bucket(struct evc_domain *d,
					   uint32_t index);
struct evc_channel *__wrap_evc_host_bucket(struct evc_domain *d,
					   uint32_t index);
void *__real_evc_host_map_frame(struct evc_domain *d, uint64_t gfn);
void *__wrap_evc_host_map_frame(struct evc_domain *d, uint64_t gfn);
int __real_evc_host_pirq_bind(struct evc_domain *d, uint32_t pirq,
			      uint32_t flags);
int __wrap_evc_host_pirq_bind(struct evc_domain *d, uint32_t pirq,
			      uint32_t flags);

struct evc_channel *__wrap_evc_host_bucket(struct evc_domain *d, uint32_t index)
{
	return ++nr_asked == fail_at ? NULL : __real_evc_host_bucket(d, index);
}

void *__wrap_evc_host_map_frame(struct evc_domain *d, uint64_t gfn)
{
	return ++nr_asked == fail_at ? NULL : __real_evc_host_map_frame(d, gfn);
}

int __wrap_evc_host_pirq_bind(struct evc_domain *d, uint32_t pirq,
			      uint32_t flags)
{
	return ++nr_asked == fail_at
		       ? -XEN_ENOMEM
		       : __real_evc_host_pirq_bind(d, pirq, flags);
}

/* --- the whole world ----------------------------------------------------------- */

struct copy {
	uint8_t *bytes;
	size_t len;
};

static void add(struct copy *c, const void *p, size_t len)
{
	c->bytes = realloc(c->bytes, c->len + len);
	assert_non_null(c->bytes);
	if (len)
		memcpy(c->bytes + c->len, p, len);
	c->len += len;
}

/* One level of the maps of free ports says of the one below it which are not 0. */
static void assert_level(const uint64_t *upper, const uint64_t *lower,
			 uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		assert_int_equal(upper[i / 64] >> i % 64 & 1, lower[i] != 0);
}

/* What follows from the words of the buckets, which are compared. */
static void assert_maps(const struct evc_ports *p, uint32_t nr_used)
{
	uint32_t nr = p->capacity / EVC_BUCKET_PORTS, i;

	for (i = nr_used; i < nr; i++)
		assert_int_equal(p->map[0][i], 0);
	assert_level(p->map[1], p->map[0], nr);
	assert_level(p->map[2], p->map[1], (nr + 63) / 64);
}

static void add_domain(struct copy *c, const struct evc_domain *d)
{
	uint32_t nr_used = evb_u32_load(&d->ports.nr_valid) / EVC_BUCKET_PORTS;
	struct evc_domain flat = *d;
	uint32_t i;

	/* The growth is looked at by itself. */
	evb_u32_store(&flat.ports.nr_valid, 0);
	add(c, &flat, sizeof(flat));
	add(c, d->vcpu, d->nr_vcpus * sizeof(*d->vcpu));
	add(c, d->pirq_port, d->nr_pirqs * sizeof(*d->pirq_port));
	add(c, d->shared_info, 4096);
	if (d->fifo) {
		add(c, d->fifo, sizeof(*d->fifo));
		add(c, d->fifo->vcpu, d->nr_vcpus * sizeof(*d->fifo->vcpu));
	}
	assert_maps(&d->ports, nr_used);
	for (i = 0; i < nr_used; i++) {
		add(c, d->ports.bucket[i], 64 * sizeof(struct evc_channel));
		add(c, &d->ports.map[0][i], sizeof(uint64_t));
	}
}

/*
 * d1 comes last: a bucket it gets lengthens the copy at its end, and the rest
 * can be compared.
 */
static struct copy copy_world(void)
{
	struct copy c = {0};

	add(&c, &fake.machine, sizeof(fake.machine));
	add(&c, fake.frame, FAKE_FRAMES * 4096);
	add(&c, &fake.mapped, sizeof(fake.mapped));
	add_domain(&c, d2);
	add_domain(&c, d1);
	return c;
}

static void assert_same(const struct copy *was, const struct copy *is,
			uint32_t grown)
{
	uint32_t last = evb_u32_load(&d1->ports.nr_valid) / 64 - 1, i;
	const struct evc_channel *new = d1->ports.bucket[last];

	assert_int_equal(is->len,
			 was->len + grown * (64 * sizeof(struct evc_channel) +
					     sizeof(uint64_t)));
	assert_memory_equal(is->bytes, was->bytes, was->len);
	if (grown)
		assert_int_equal(d1->ports.map[0][last], UINT64_MAX);
	for (i = 0; grown && i < 64; i++) {
		assert_int_equal(new[i].state, EVC_ST_FREE);
		assert_int_equal(evb_u32_load(&new[i].lock.held), 0);
	}
}

/* --- operations ---------------------------------------------------------------- */

static evtchn_port_t result;

static int op_alloc_unbound(void)
{
	return evc_alloc_unbound(d1, DOMID_SELF, 2, &result);
}

/* Port 1 of d2 waits for d1. */
static int op_bind_interdomain(void)
{
	return evc_bind_interdomain(d1, 2, 1, &result);
}

static int op_bind_virq(void)
{
	return evc_bind_virq(d1, VIRQ_TIMER, 1, &result);
}

static int op_bind_global_virq(void)
{
	return evc_bind_virq(d1, VIRQ_DOM_EXC, 0, &result);
}

static int op_bind_pirq(void)
{
	return evc_bind_pirq(d1, 5, 0, &result);
}

static int op_bind_ipi(void)
{
	return evc_bind_ipi(d1, 1, &result);
}

static void ignore(struct evc_vcpu *v, evtchn_port_t port)
{
	(void)v;
	(void)port;
}

static int op_consumer_alloc(void)
{
	return evc_consumer_alloc(d1, 1, 2, ignore, &result);
}

#ifndef EVC_TEST_NO_FIFO
static int op_init_control(void)
{
	struct evtchn_init_control c = {.control_gfn = 0};

	return evc_init_control(d1, &c);
}

static int init_control_of_another(void)
{
	struct evtchn_init_control c = {.control_gfn = 3, .vcpu = 1};

	return evc_init_control(d1, &c);
}

static int op_expand_array(void)
{
	return evc_expand_array(d1, 1);
}
#endif

/*
 * @errors  of the first hook's failure, the second's, ...; 0 ends the list
 * @before  what has to succeed first
 */
static const struct operation {
	const char *name;
	int (*before)(void);
	int (*run)(void);
	int errors[3];
} operations[] = {
	{"alloc_unbound", NULL, op_alloc_unbound, {-XEN_ENOMEM}},
	{"bind_interdomain", NULL, op_bind_interdomain, {-XEN_ENOMEM}},
	{"bind_virq", NULL, op_bind_virq, {-XEN_ENOMEM}},
	{"bind_virq, global", NULL, op_bind_global_virq, {-XEN_ENOMEM}},
	{"bind_pirq", NULL, op_bind_pirq, {-XEN_ENOMEM, -XEN_ENOMEM}},
	{"bind_ipi", NULL, op_bind_ipi, {-XEN_ENOMEM}},
	{"consumer_alloc", NULL, op_consumer_alloc, {-XEN_ENOMEM}},
#ifndef EVC_TEST_NO_FIFO
	{"init_control", NULL, op_init_control, {-XEN_EINVAL}},
	{"init_control, again",
	 init_control_of_another,
	 op_init_control,
	 {-XEN_EINVAL}},
	{"expand_array",
	 init_control_of_another,
	 op_expand_array,
	 {-XEN_EINVAL}},
#endif
};

#define NR_OPERATIONS (sizeof(operations) / sizeof(operations[0]))

/* d1's first bucket is full; in d2 a port waits for d1. */
static void start(void)
{
	evtchn_port_t port = 0;

	fake_start(false);
	nr_asked = fail_at = 0;
	d1 = fake_add(&(struct fake_options){
		.domid = 1, .width = EVC_WIDTH_64, .fifo = true});
	d2 = fake_domain(2);
	fake.pirq_permitted = UINT32_MAX;
	evc_machine_set_hwdom(&fake.machine, d1);
	/* The callback table is not memory: its entry may be there before. */
	assert_int_equal(evc_consumer_alloc(d2, 0, 1, ignore, &port), 0);
	assert_int_equal(evc_consumer_free(d2, port), 0);
	assert_int_equal(fake_unbound(d2, d1), 1);
	while (port < 63)
		assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
}

static void fail_one(const struct operation *op, unsigned int k)
{
	uint32_t valid = evb_u32_load(&d1->ports.nr_valid), grown;
	struct copy was = copy_world(), is;
	int rc;

	nr_asked = 0;
	fail_at = k;
	result = 4711;
	rc = op->run();
	fail_at = 0;
	if (rc != op->errors[k - 1])
		fail_msg("%s, hook %u fails: %d", op->name, k, rc);
	assert_int_equal(nr_asked, k);
	assert_int_equal(result, 4711);
	/* The first hook lends the bucket: without it nothing grows. */
	grown = evb_u32_load(&d1->ports.nr_valid) - valid;
	assert_int_equal(grown, k == 1 ? 0 : EVC_BUCKET_PORTS);
	is = copy_world();
	assert_same(&was, &is, grown / EVC_BUCKET_PORTS);
	free(was.bytes);
	free(is.bytes);
}

/* When nothing fails it asks for no more than the table of errors says. */
static void succeed(const struct operation *op)
{
	unsigned int nr_points = 0;

	while (op->errors[nr_points])
		nr_points++;
	nr_asked = 0;
	assert_int_equal(op->run(), 0);
	if (nr_asked != nr_points)
		fail_msg("%s asks %u times", op->name, nr_asked);
}

/*
 * XSA-47 (CVE-2013-1920): a bucket was entered in the port table before all of
 * its memory was there.  XSA-83 (CVE-2014-1642): bind_pirq used what it had
 * freed when the line's memory was missing.
 */
static void
no_memory_at_any_point_of_any_operation_changes_nothing(void **unused)
{
	const struct operation *op;
	unsigned int k;

	(void)unused;
	for (op = operations; op < operations + NR_OPERATIONS; op++) {
		start();
		for (k = 1; op->errors[k - 1]; k++) {
			if (op->before)
				assert_int_equal(op->before(), 0);
			fail_one(op, k);
			fake_end();
			start();
		}
		if (op->before)
			assert_int_equal(op->before(), 0);
		succeed(op);
		fake_end();
	}
}

/* XSA-83, its loop: failed over and over, then it works, and is freed. */
static void line_without_memory_again_and_again_binds_in_the_end(void **unused)
{
	const struct operation op = {
		"bind_pirq", NULL, op_bind_pirq, {-XEN_ENOMEM, -XEN_ENOMEM}};
	unsigned int i;

	(void)unused;
	start();
	for (i = 0; i < 100; i++)
		fail_one(&op, 1); /* the bucket */
	fail_one(&op, 2);
	nr_asked = 0;
	fail_at = 1; /* the bucket is there: the line is what is asked for */
	assert_int_equal(op_bind_pirq(), -XEN_ENOMEM);
	fail_at = 0;
	assert_int_equal(op_bind_pirq(), 0);
	assert_int_equal(result, 64);
	evc_pirq_raise(d1, 5);
	assert_true(fake_pending(d1, 64));
	assert_int_equal(evc_close(d1, 64), 0);
	assert_int_equal(evb_u32_load(&fake.pirq_unbinds), 1);
	fake_end();
}

/*
 * XSA-458 (CVE-2024-31143): mapping several MSIs, an error at one of them left
 * through a path that unlocked twice.  A guest that binds eight lines, with the
 * n-th one failing, and gives back what it has.
 */
static void
lines_bound_in_a_row_with_one_failing_can_be_given_back(void **unused)
{
	evtchn_port_t port[FAKE_PIRQS];
	uint32_t failing, i;

	(void)unused;
	for (failing = 0; failing < FAKE_PIRQS; failing++) {
		start();
		assert_int_equal(evc_bind_ipi(d1, 0, &port[0]), 0);
		nr_asked = 0;
		fail_at = failing + 1;
		for (i = 0; i < FAKE_PIRQS; i++) {
			if (evc_bind_pirq(d1, i, 0, &port[i]))
				break;
		}
		assert_int_equal(i, failing);
		while (i--)
			assert_int_equal(evc_close(d1, port[i]), 0);
		assert_int_equal(d1->ports.nr_open, 64);
		assert_int_equal(evb_u32_load(&d1->lock.held), 0);
		for (i = 0; i < FAKE_PIRQS; i++)
			assert_int_equal(evb_u32_load(&d1->pirq_port[i]), 0);
		assert_int_equal(evb_u32_load(&fake.pirq_unbinds), failing);
		fake_end();
	}
}

/* XSA-47, from the first bucket on: a domain that cannot be made. */
static void domain_without_its_first_bucket_can_be_made_later(void **unused)
{
	struct evc_domain_config c;
	struct evc_domain *d;

	(void)unused;
	fake_start(false);
	c = fake_config(&(struct fake_options){.domid = 1});
	d = test_calloc(1, sizeof(*d));
	nr_asked = 0;
	fail_at = 1;
	assert_int_equal(evc_domain_init(d, &c), -XEN_ENOMEM);
	fail_at = 0;
	assert_null(c.bucket[0]);
	memset(c.map, 0, EVC_MAP_WORDS(c.nr_buckets) * 8);
	test_free(d);
	d1 = fake_add_config(&c);
	assert_int_equal(evc_bind_ipi(d1, 0, &result), 0);
	assert_int_equal(result, 1);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			no_memory_at_any_point_of_any_operation_changes_nothing),
		cmocka_unit_test(
			line_without_memory_again_and_again_binds_in_the_end),
		cmocka_unit_test(
			lines_bound_in_a_row_with_one_failing_can_be_given_back),
		cmocka_unit_test(
			domain_without_its_first_bucket_can_be_made_later),
	};

	return cmocka_run_group_tests_name("regress memory", tests, NULL, NULL);
}
