/* SPDX-License-Identifier: MIT */
/*
 * Which error an operation gives when several apply.
 *
 * For each operation: a call that succeeds, and the obstacles to it in the
 * order SPEC 1.2 checks them.  Every obstacle alone and every pair is put in
 * the way of a fresh call; the earlier one must decide, the caller's structure
 * must come back byte for byte, and nothing may have changed.
 *
 * Single hostile values are in test_core_hostile.c.
 */
#include "tests/lib/fake_host.h"

#include <string.h>

union arg {
	struct evtchn_alloc_unbound alloc_unbound;
	struct evtchn_bind_interdomain bind_interdomain;
	struct evtchn_bind_virq bind_virq;
	struct evtchn_bind_pirq bind_pirq;
	struct evtchn_bind_ipi bind_ipi;
	struct evtchn_status status;
	struct evtchn_bind_vcpu bind_vcpu;
	struct evtchn_reset reset;
	struct evtchn_set_priority set_priority;
	evtchn_port_t port; /* close, send, unmask */
	uint8_t byte[32];
};

/* Domain 1 calls; domain 2 is what it calls about, where that matters. */
struct world {
	struct evc_domain *hw, *d1, *d2;
	struct evc_domain *allocates; /* whose port is to be allocated */
	evtchn_port_t port;	      /* an unbound one of d1, for d2 */
	evtchn_port_t owned;	      /* the hypervisor's, of d1 */
	evtchn_port_t remote;	      /* an unbound one of d2, for d1 */
	union arg a;
	uint64_t addr;
};

struct obstacle {
	int rc;
	void (*set)(struct world *w);
	bool early; /* takes a port, or needs one: before the table is full */
};

#define MAX_OBSTACLES 9

struct call {
	const char *title;
	uint32_t op;
	void (*good)(struct world *w);
	struct obstacle way[MAX_OBSTACLES];
	bool xen_4_17;
	bool wide;
	bool two_level; /* here even the good call fails */
};

/* An obstacle that is one wrong value. */
#define SET(name, wrong)                        \
	static void set_##name(struct world *w) \
	{                                       \
		w->wrong;                       \
	}

/* --- obstacles shared by many operations ------------------------------------- */

SET(bad_pointer, addr = 8)

/* As in the middle of evc_domain_destroy(). */
static void set_dying(struct world *w)
{
	evb_u8_store(&w->allocates->dying, 1);
}

SET(full, allocates->max_port = 63)

static void set_no_memory(struct world *w)
{
	(void)w;
	fake.no_memory = true;
}

static void set_refuse(struct world *w)
{
	(void)w;
	fake.refuse = true;
}

#define NO(err, name)                         \
	{                                     \
		-XEN_##err, set_##name, false \
	}
#define NO_EARLY(err, name)                  \
	{                                    \
		-XEN_##err, set_##name, true \
	}
#define EFAULT_FIRST NO(EFAULT, bad_pointer)
#define NO_PORT	     NO(EINVAL, dying), NO(ENOSPC, full), NO(ENOMEM, no_memory)

/* --- each operation's own ---------------------------------------------------- */

static void good_alloc_unbound(struct world *w)
{
	evc_domain_set_target(w->d1, w->d2);
	w->allocates = w->d2;
	w->a.alloc_unbound.dom = 2;
	w->a.alloc_unbound.remote_dom = 1;
}

SET(alloc_no_domain, a.alloc_unbound.dom = 3)

static void set_no_target(struct world *w)
{
	evc_domain_set_target(w->d1, NULL);
}

static void good_bind_interdomain(struct world *w)
{
	w->a.bind_interdomain.remote_dom = 2;
	w->a.bind_interdomain.remote_port = w->remote;
}

SET(bind_no_domain, a.bind_interdomain.remote_dom = 3)
SET(bind_no_port, a.bind_interdomain.remote_port = 64)

static void set_bind_closed_port(struct world *w)
{
	assert_int_equal(evc_close(w->d2, w->remote), 0);
}

static void set_bind_not_for_us(struct world *w)
{
	assert_int_equal(evc_close(w->d2, w->remote), 0);
	assert_int_equal(evc_alloc_unbound(w->d2, DOMID_SELF, 0, &w->remote),
			 0);
	w->a.bind_interdomain.remote_port = w->remote;
}

static void good_bind_virq(struct world *w)
{
	evc_machine_set_hwdom(&fake.machine, w->d1);
	w->a.bind_virq.virq = VIRQ_CONSOLE;
	w->a.bind_virq.vcpu = 0;
}

static void good_bind_virq_vcpu(struct world *w)
{
	w->a.bind_virq.virq = VIRQ_TIMER;
	w->a.bind_virq.vcpu = 1;
}

static void good_bind_virq_domain(struct world *w)
{
	w->a.bind_virq.virq = VIRQ_ARGO;
	w->a.bind_virq.vcpu = 0;
}

SET(virq_24, a.bind_virq.virq = NR_VIRQS)

/* Exists (vCPU 1), and does not: EINVAL either way, for a class not V. */
SET(virq_on_1, a.bind_virq.vcpu = 1)
SET(virq_on_99, a.bind_virq.vcpu = 99)

static void set_virq_handler_other(struct world *w)
{
	evc_machine_set_hwdom(&fake.machine, w->hw);
}

static void set_virq_bound(struct world *w)
{
	evtchn_port_t port;

	assert_int_equal(evc_bind_virq(w->d1, w->a.bind_virq.virq,
				       w->a.bind_virq.vcpu, &port),
			 0);
}

static void good_bind_pirq(struct world *w)
{
	fake.pirq_permitted = 0xff;
	w->a.bind_pirq.pirq = 3;
	w->a.bind_pirq.flags = BIND_PIRQ__WILL_SHARE;
}

SET(pirq_8, a.bind_pirq.pirq = FAKE_PIRQS)

static void set_pirq_forbidden(struct world *w)
{
	(void)w;
	fake.pirq_permitted = 0;
}

static void set_pirq_bound(struct world *w)
{
	evtchn_port_t port;

	assert_int_equal(evc_bind_pirq(w->d1, 3, 0, &port), 0);
}

static void set_pirq_in_use(struct world *w)
{
	(void)w;
	fake.pirq_bind_rc = -XEN_EBUSY;
}

static void good_bind_ipi(struct world *w)
{
	w->a.bind_ipi.vcpu = 1;
}

SET(ipi_vcpu_2, a.bind_ipi.vcpu = 2)

static void good_port(struct world *w)
{
	w->a.port = w->port;
}

SET(port_64, a.port = 64)
SET(port_owned, a.port = w->owned)
SET(port_0, a.port = 0)

static void good_status(struct world *w)
{
	evc_domain_set_target(w->d1, w->d2);
	w->a.status.dom = 2;
	w->a.status.port = w->remote;
}

SET(status_no_domain, a.status.dom = 3)
SET(status_port_64, a.status.port = 64)

static void good_status_own(struct world *w)
{
	w->a.status.dom = DOMID_SELF;
	w->a.status.port = w->port;
}

SET(status_owned, a.status.port = w->owned)

static void good_bind_vcpu(struct world *w)
{
	w->a.bind_vcpu.port = w->port;
	w->a.bind_vcpu.vcpu = 1;
}

SET(bind_vcpu_2, a.bind_vcpu.vcpu = 2)
SET(bind_vcpu_port_64, a.bind_vcpu.port = 64)
SET(bind_vcpu_owned, a.bind_vcpu.port = w->owned)

static void good_reset(struct world *w)
{
	evc_domain_set_target(w->d1, w->d2);
	evc_domain_set_paused(w->d2, true);
	w->a.reset.dom = 2;
}

SET(reset_no_domain, a.reset.dom = 3)

static void set_reset_not_paused(struct world *w)
{
	evc_domain_set_paused(w->d2, false);
}

/* Somebody's reset of domain 2 took a break; 70 open ports make it need one. */
static void set_reset_started(struct world *w)
{
	evtchn_port_t port;

	while (w->d2->ports.nr_open < 70)
		assert_int_equal(evc_bind_ipi(w->d2, 0, &port), 0);
	fake.yield = true;
	assert_int_equal(evc_reset(w->d2, DOMID_SELF, false), -XEN_ERESTART);
	fake.yield = false;
}

static void good_reset_cont(struct world *w)
{
	good_reset(w);
	set_reset_started(w);
}

static void set_reset_finished(struct world *w)
{
	assert_int_equal(evc_reset(w->d2, DOMID_SELF, true), 0);
}

static void good_set_priority(struct world *w)
{
	w->a.set_priority.port = w->port;
	w->a.set_priority.priority = 15;
}

SET(priority_port_64, a.set_priority.port = 64)
SET(priority_owned, a.set_priority.port = w->owned)
SET(priority_16, a.set_priority.priority = 16)
#define CALL(cmd, name) \
	.title = #name, .op = EVTCHNOP_##cmd, .good = good_##name

static const struct call calls[] = {
	{CALL(alloc_unbound, alloc_unbound),
	 .way = {EFAULT_FIRST, NO(ESRCH, alloc_no_domain), NO(EPERM, no_target),
		 NO_PORT}},
	{CALL(alloc_unbound, alloc_unbound), .xen_4_17 = true,
	 .way = {EFAULT_FIRST, NO(ESRCH, alloc_no_domain), NO_PORT,
		 NO(EPERM, no_target)}},
	{CALL(bind_interdomain, bind_interdomain),
	 .way = {EFAULT_FIRST, NO(ESRCH, bind_no_domain), NO(EPERM, refuse),
		 NO_PORT, NO(EINVAL, bind_no_port)}},
	{CALL(bind_interdomain, bind_interdomain), .xen_4_17 = true,
	 .way = {EFAULT_FIRST, NO(ESRCH, bind_no_domain), NO_PORT,
		 NO(EINVAL, bind_no_port), NO(EPERM, refuse)}},
	{CALL(bind_interdomain, bind_interdomain),
	 .way = {NO(EPERM, refuse), NO_PORT,
		 NO_EARLY(EINVAL, bind_closed_port)}},
	{CALL(bind_interdomain, bind_interdomain),
	 .way = {NO(EPERM, refuse), NO_PORT,
		 NO_EARLY(EINVAL, bind_not_for_us)}},
	{CALL(bind_virq, bind_virq),
	 .way = {EFAULT_FIRST, NO(EINVAL, virq_24), NO(EINVAL, virq_on_99),
		 NO(EBUSY, virq_handler_other), NO_EARLY(EEXIST, virq_bound),
		 NO_PORT}},
	{CALL(bind_virq, bind_virq),
	 .way = {NO(EINVAL, virq_on_1), NO(EBUSY, virq_handler_other),
		 NO_EARLY(EEXIST, virq_bound), NO_PORT}},
	{CALL(bind_virq, bind_virq_vcpu),
	 .way = {EFAULT_FIRST, NO(EINVAL, virq_24), NO(ENOENT, virq_on_99),
		 NO_EARLY(EEXIST, virq_bound), NO_PORT}},
	{CALL(bind_virq, bind_virq_domain),
	 .way = {EFAULT_FIRST, NO(EINVAL, virq_on_1),
		 NO_EARLY(EEXIST, virq_bound), NO_PORT}},
	{CALL(bind_virq, bind_virq), .xen_4_17 = true,
	 .way = {EFAULT_FIRST,
		 NO(EINVAL, virq_on_1),
		 {0, set_virq_handler_other, false},
		 NO_EARLY(EEXIST, virq_bound),
		 NO_PORT}},
	{CALL(bind_pirq, bind_pirq),
	 .way = {EFAULT_FIRST, NO(EINVAL, pirq_8), NO(EPERM, pirq_forbidden),
		 NO_EARLY(EEXIST, pirq_bound), NO_PORT,
		 NO(EBUSY, pirq_in_use)}},
	{CALL(bind_ipi, bind_ipi),
	 .way = {EFAULT_FIRST, NO(ENOENT, ipi_vcpu_2), NO_PORT}},
	{CALL(close, port),
	 .way = {EFAULT_FIRST, NO(EINVAL, port_64), NO(EINVAL, port_owned),
		 NO(EINVAL, port_0)}},
	{CALL(send, port), .way = {EFAULT_FIRST, NO(EINVAL, port_64),
				   NO(EINVAL, port_owned), NO(EINVAL, port_0)}},
	{CALL(unmask, port), .way = {EFAULT_FIRST, NO(EINVAL, port_64)}},
	{CALL(status, status),
	 .way = {EFAULT_FIRST, NO(ESRCH, status_no_domain),
		 NO(EPERM, no_target), NO(EINVAL, status_port_64)}},
	{CALL(status, status), .xen_4_17 = true,
	 .way = {EFAULT_FIRST, NO(ESRCH, status_no_domain),
		 NO(EINVAL, status_port_64), NO(EPERM, no_target)}},
	{CALL(status, status_own), .way = {EFAULT_FIRST,
					   {0, set_status_owned, false},
					   NO(EPERM, refuse)}},
	{CALL(status, status_own), .xen_4_17 = true,
	 .way = {EFAULT_FIRST, NO(EACCES, status_owned), NO(EPERM, refuse)}},
	{CALL(bind_vcpu, bind_vcpu),
	 .way = {EFAULT_FIRST, NO(ENOENT, bind_vcpu_2),
		 NO(EINVAL, bind_vcpu_port_64), NO(EINVAL, bind_vcpu_owned)}},
	{CALL(reset, reset),
	 .way = {EFAULT_FIRST, NO(ESRCH, reset_no_domain), NO(EPERM, no_target),
		 NO(EINVAL, reset_not_paused), NO_EARLY(EBUSY, reset_started)}},
	{CALL(reset_cont, reset_cont),
	 .way = {EFAULT_FIRST, NO(ESRCH, reset_no_domain), NO(EPERM, no_target),
		 NO(EINVAL, reset_not_paused),
		 NO_EARLY(EBUSY, reset_finished)}},
	{CALL(set_priority, set_priority), .two_level = true,
	 .way = {EFAULT_FIRST, NO(EINVAL, priority_port_64),
		 NO(ENOSYS, priority_16)}},
	{CALL(set_priority, set_priority), .two_level = true,
	 .way = {NO(ENOSYS, priority_owned), NO(ENOSYS, priority_16)}},
	{CALL(set_priority, set_priority), .wide = true,
	 .way = {EFAULT_FIRST, NO(EINVAL, priority_port_64),
		 NO(EINVAL, priority_16)}},
	{CALL(set_priority, set_priority), .wide = true,
	 .way = {EFAULT_FIRST, NO(EACCES, priority_owned),
		 NO(EINVAL, priority_16)}},
};

/* --- running ----------------------------------------------------------------- */

static void consume(struct evc_vcpu *v, evtchn_port_t port)
{
	(void)v;
	(void)port;
}

static void make_world(struct world *w, const struct call *c)
{
	struct fake_options o = {.width = EVC_WIDTH_64,
				 .deliver = c->wide ? &fake_wide : NULL};

	fake_start(c->xen_4_17);
	memset(w, 0, sizeof(*w));
	w->hw = fake_domain(0);
	o.domid = 1;
	w->allocates = w->d1 = fake_add(&o);
	o.domid = 2;
	w->d2 = fake_add(&o);
	memset(w->a.byte, 0xee, sizeof(w->a.byte));
	w->addr = (uintptr_t)w->a.byte;
	w->port = fake_unbound(w->d1, w->d2);
	w->remote = fake_unbound(w->d2, w->d1);
	assert_int_equal(evc_consumer_alloc(w->d1, 0, 2, consume, &w->owned),
			 0);
	c->good(w);
}

/* The next allocation needs a new bucket. */
static void fill_bucket(struct evc_domain *d)
{
	evtchn_port_t port;

	while (d->ports.nr_open < 63)
		assert_int_equal(evc_bind_ipi(d, 0, &port), 0);
}

struct counts {
	uint32_t open[3], consumers[3], kicks;
	uint8_t page[3][4096];
};

static void count(struct counts *n)
{
	uint32_t i;

	memset(n, 0, sizeof(*n));
	n->kicks = fake_kicks();
	for (i = 0; i < 3; i++) {
		n->open[i] = fake.domain[i]->ports.nr_open;
		n->consumers[i] = fake.domain[i]->ports.nr_consumer;
		memcpy(n->page[i], fake.domain[i]->shared_info, 4096);
	}
}

/* @second may be @first, for one obstacle alone; or NULL, for none at all. */
static void try_call(const struct call *c, const struct obstacle *first,
		     const struct obstacle *second, int want)
{
	struct counts before, after;
	struct world w;
	union arg was;
	int early, rc;

	make_world(&w, c);
	for (early = 1; early >= 0; early--) {
		if (first && first->early == early)
			first->set(&w);
		if (second && second != first && second->early == early)
			second->set(&w);
		if (early)
			fill_bucket(w.allocates);
	}
	was = w.a;
	count(&before);
	rc = evc_hypercall(&w.d1->vcpu[0], c->op, w.addr);
	if (rc != want)
		fail_msg("%s (row %d), obstacles %d and %d: %d, should be %d",
			 c->title, (int)(c - calls),
			 first ? (int)(first - c->way) : -1,
			 second ? (int)(second - c->way) : -1, rc, want);
	if (rc) {
		count(&after);
		assert_memory_equal(&was, &w.a, sizeof(was));
		assert_memory_equal(&before, &after, sizeof(before));
	}
	fake_end();
}

static int first_error(const struct obstacle *a, const struct obstacle *b)
{
	return a->rc ? a->rc : b->rc;
}

static void try_all(const struct call *c)
{
	uint32_t i, k;

	try_call(c, NULL, NULL, c->two_level ? -XEN_ENOSYS : 0);
	for (i = 0; i < MAX_OBSTACLES && c->way[i].set; i++) {
		try_call(c, &c->way[i], &c->way[i], c->way[i].rc);
		for (k = i + 1; k < MAX_OBSTACLES && c->way[k].set; k++)
			try_call(c, &c->way[i], &c->way[k],
				 first_error(&c->way[i], &c->way[k]));
	}
}

static void errors_in_pairs_come_in_the_order_of_the_spec(void **unused)
{
	uint32_t i;

	(void)unused;
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		try_all(&calls[i]);
}

/* A domain that was lent no memory for FIFO: whatever the argument. */
static void fifo_operations_without_fifo_are_not_supported(void **unused)
{
	struct world w;
	uint32_t fill;

	(void)unused;
	make_world(&w, &calls[0]);
	for (fill = 0; fill < 256; fill += 255) {
		memset(w.a.byte, (int)fill, sizeof(w.a.byte));
		assert_int_equal(evc_hypercall(&w.d1->vcpu[0],
					       EVTCHNOP_init_control, w.addr),
				 -XEN_EOPNOTSUPP);
		assert_int_equal(evc_hypercall(&w.d1->vcpu[0],
					       EVTCHNOP_expand_array, w.addr),
				 -XEN_EOPNOTSUPP);
		assert_int_equal(w.a.byte[16], fill);
	}
	assert_int_equal(
		evc_hypercall(&w.d1->vcpu[0], EVTCHNOP_init_control, 0),
		-XEN_EFAULT);
	assert_int_equal(
		evc_hypercall(&w.d1->vcpu[0], EVTCHNOP_expand_array, 0),
		-XEN_EFAULT);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_in_pairs_come_in_the_order_of_the_spec),
		cmocka_unit_test(
			fifo_operations_without_fifo_are_not_supported),
	};

	return cmocka_run_group_tests_name("core_errors", tests, NULL, NULL);
}
