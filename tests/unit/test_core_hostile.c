/* SPDX-License-Identifier: MIT */
/*
 * Values a guest should not pass: numbers of operations, pointers, domain ids,
 * ports, VIRQs, vCPUs, lines; each through evc_hypercall() and, where it can,
 * through the old hypercall with one structure.
 *
 * Which of two errors comes first is in test_core_errors.c.  SPEC 0, 1
 */
#include "tests/lib/fake_host.h"

#include <string.h>

#define POISON 0xee

static struct evc_domain *d0, *d1, *d2;
/* The guest's memory: a structure goes in the middle, at any alignment. */
static _Alignas(8) uint8_t ram[64];

static void start(bool xen_4_17)
{
	fake_start(xen_4_17);
	d0 = fake_domain(0);
	d1 = fake_domain(1);
	d2 = fake_domain(2);
	evc_machine_set_hwdom(&fake.machine, d1);
	fake.pirq_permitted = UINT32_MAX;
	memset(ram, POISON, sizeof(ram));
}

static void consume(struct evc_vcpu *v, evtchn_port_t port)
{
	(void)v;
	(void)port;
}

static int call_at(uint32_t op, const void *arg, size_t len, size_t offset)
{
	memset(ram, POISON, sizeof(ram));
	memcpy(ram + offset, arg, len);
	return evc_hypercall(&d1->vcpu[0], op, (uintptr_t)(ram + offset));
}

/* An operation whose structure is only numbers. */
static int call(uint32_t op, uint32_t w0, uint32_t w1)
{
	const uint32_t arg[3] = {w0, w1, 0x55555555};

	return call_at(op, arg, sizeof(arg), 16);
}

/* alloc_unbound, bind_interdomain, status, reset: with @dom. */
static int call_dom(uint32_t op, domid_t dom, evtchn_port_t port)
{
	struct evtchn_alloc_unbound a = {.dom = dom, .remote_dom = 2};
	struct evtchn_bind_interdomain b = {.remote_dom = dom,
					    .remote_port = port};
	struct evtchn_status s = {.dom = dom, .port = port};

	if (op == EVTCHNOP_alloc_unbound)
		return call_at(op, &a, sizeof(a), 16);
	if (op == EVTCHNOP_bind_interdomain)
		return call_at(op, &b, sizeof(b), 16);
	return call_at(op, &s, sizeof(s), 16);
}

/* --- operation numbers ------------------------------------------------------- */

static void op_unknown_is_enosys_and_ignores_the_pointer(void **unused)
{
	static const uint32_t more[] = {255,	    256,	0x7fffffff,
					0x80000000, 0x80000004, 0xfffffff0,
					0xffffffff};
	uint32_t op;

	(void)unused;
	start(false);
	for (op = 15; op < 4096; op++)
		assert_int_equal(evc_hypercall(&d1->vcpu[0], op, 0),
				 -XEN_ENOSYS);
	for (op = 0; op < sizeof(more) / sizeof(more[0]); op++)
		assert_int_equal(evc_hypercall(&d1->vcpu[0], more[op], 0),
				 -XEN_ENOSYS);
	fake_end();
}

/* --- pointers ---------------------------------------------------------------- */

static void pointer_bad_is_efault_for_every_operation(void **unused)
{
	static const uint64_t bad[] = {
		0,	   1, 4, 4095, 1ull << 47, 1ull << 63, UINT64_MAX - 3,
		UINT64_MAX};
	uint32_t op, i;

	(void)unused;
	start(false);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (op = 0; op < 15; op++)
			assert_int_equal(
				evc_hypercall(&d1->vcpu[0], op, bad[i]),
				-XEN_EFAULT);
		assert_int_equal(evc_hypercall_compat(&d1->vcpu[0], bad[i]),
				 -XEN_EFAULT);
	}
	assert_int_equal(d1->ports.nr_open, 0);
	fake_end();
}

static void pointer_unaligned_works(void **unused)
{
	const struct evtchn_bind_ipi ipi = {.vcpu = 1};
	evtchn_port_t port;
	size_t shift;

	(void)unused;
	start(false);
	for (shift = 0; shift < 8; shift++) {
		assert_int_equal(call_at(EVTCHNOP_bind_ipi, &ipi, sizeof(ipi),
					 16 + shift),
				 0);
		memcpy(&port, ram + 16 + shift + 4, sizeof(port));
		assert_int_equal(port, shift + 1);
	}
	fake_end();
}

/* Only the OUT bytes, and not the padding or what lies around. */
static void check_written(size_t at, size_t from, size_t to, uint8_t *was)
{
	size_t i;

	for (i = 0; i < sizeof(ram); i++) {
		if (i < at + from || i >= at + to)
			assert_int_equal(ram[i], was[i]);
	}
}

static void results_go_to_their_bytes_and_no_others(void **unused)
{
	/* operation, the bytes of its structure that are OUT */
	static const struct {
		uint32_t op;
		size_t len, from, to;
	} ops[] = {
		{EVTCHNOP_alloc_unbound, 8, 4, 8},
		{EVTCHNOP_bind_interdomain, 12, 8, 12},
		{EVTCHNOP_bind_virq, 12, 8, 12},
		{EVTCHNOP_bind_pirq, 12, 8, 12},
		{EVTCHNOP_bind_ipi, 8, 4, 8},
		{EVTCHNOP_close, 4, 0, 0},
		{EVTCHNOP_bind_vcpu, 8, 0, 0},
	};
	uint8_t was[sizeof(ram)];
	uint32_t i;

	(void)unused;
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		start(false);
		memset(ram + 16, 0, ops[i].from);
		ram[16] = 1; /* dom 1, port 1, vCPU 1, VIRQ_DEBUG, line 1 */
		if (ops[i].op == EVTCHNOP_bind_interdomain) {
			ram[16] = 2;
			ram[18] = ram[19] = POISON; /* padding */
			ram[20] = 1;
			(void)fake_unbound(d2, d1);
		} else if (!ops[i].from) {
			memset(ram + 16, 0, ops[i].len);
			ram[16] = 1;
			(void)fake_unbound(d1, d2);
		}
		memcpy(was, ram, sizeof(ram));
		assert_int_equal(evc_hypercall(&d1->vcpu[0], ops[i].op,
					       (uintptr_t)(ram + 16)),
				 0);
		check_written(16, ops[i].from, ops[i].to, was);
		if (ops[i].to)
			assert_int_equal(ram[16 + ops[i].from], 1); /* port */
		fake_end();
	}
}

static void status_leaves_the_union_as_it_was(void **unused)
{
	struct evtchn_status s;
	evtchn_port_t ipi, unbound;

	(void)unused;
	start(false);
	assert_int_equal(evc_bind_ipi(d1, 1, &ipi), 0);
	unbound = fake_unbound(d1, d2);
	memset(&s, POISON, sizeof(s));
	s.dom = DOMID_SELF;
	s.port = ipi;
	assert_int_equal(evc_status(d1, &s), 0);
	assert_int_equal(s.status, EVTCHNSTAT_ipi);
	assert_int_equal(s.vcpu, 1);
	assert_int_equal(s.u.interdomain.dom, 0xeeee);
	assert_int_equal(s.u.interdomain.port, 0xeeeeeeee);
	s.port = 9; /* closed */
	assert_int_equal(evc_status(d1, &s), 0);
	assert_int_equal(s.status, EVTCHNSTAT_closed);
	assert_int_equal(s.vcpu, 0);
	assert_int_equal(s.u.virq, 0xeeeeeeee);
	s.port = unbound;
	assert_int_equal(evc_status(d1, &s), 0);
	assert_int_equal(s.u.virq, 0xeeee0002); /* two bytes of four */
	assert_int_equal(s.u.interdomain.port, 0xeeeeeeee);
	fake_end();
}

static void status_refused_writes_nothing(void **unused)
{
	static const int rcs[] = {-XEN_EPERM, -XEN_ESRCH, -XEN_EINVAL,
				  -XEN_EACCES};
	static const struct evtchn_status asked[] = {
		{.dom = 2, .port = 1},
		{.dom = 3, .port = 1},
		{.dom = DOMID_SELF, .port = 64},
		{.dom = 1, .port = 1}};
	struct evtchn_status s;
	evtchn_port_t port;
	uint32_t i;

	(void)unused;
	start(true);
	(void)fake_unbound(d2, d1);
	assert_int_equal(evc_consumer_alloc(d1, 1, 2, consume, &port), 0);
	for (i = 0; i < 4; i++) {
		s = asked[i];
		assert_int_equal(evc_status(d1, &s), rcs[i]);
		assert_memory_equal(&s, &asked[i], sizeof(s));
	}
	fake_end();
}

/* The guest does not learn the port, but it is taken.  SPEC 1 */
static void pointer_readonly_is_efault_after_the_effect(void **unused)
{
	static const uint32_t ops[] = {
		EVTCHNOP_alloc_unbound, EVTCHNOP_bind_ipi, EVTCHNOP_bind_virq,
		EVTCHNOP_bind_pirq, EVTCHNOP_bind_interdomain};
	static const uint32_t status[] = {EVTCHNSTAT_unbound, EVTCHNSTAT_ipi,
					  EVTCHNSTAT_virq, EVTCHNSTAT_pirq,
					  EVTCHNSTAT_interdomain};
	uint32_t arg[3] = {0};
	uint32_t i;

	(void)unused;
	start(false);
	fake.readonly = (uintptr_t)(ram + 16);
	assert_int_equal(fake_unbound(d2, d1), 1);
	for (i = 0; i < 5; i++) {
		arg[0] = i == 4 ? 2 : 1;
		arg[1] = i == 4 ? 1 : 0;
		assert_int_equal(call_at(ops[i], arg, sizeof(arg), 16),
				 -XEN_EFAULT);
		assert_memory_equal(ram + 16, arg, sizeof(arg));
		fake_assert_status(d1, i + 1, status[i]);
	}
	assert_true(fake_pending(d1, 5)); /* of bind_interdomain */
	assert_int_equal(call(EVTCHNOP_status, 1, 1), -XEN_EFAULT);
	/* Nothing is written for an error, nor for operations without result. */
	assert_int_equal(call(EVTCHNOP_bind_ipi, 9, 0), -XEN_ENOENT);
	assert_int_equal(call(EVTCHNOP_status, 1, 64), -XEN_EINVAL);
	assert_int_equal(call(EVTCHNOP_send, 5, 0), 0);
	assert_int_equal(call(EVTCHNOP_close, 5, 0), 0);
	fake_end();
}

/* --- domain ids -------------------------------------------------------------- */

static void domid_that_names_nobody_is_esrch(void **unused)
{
	static const uint32_t ops[] = {
		EVTCHNOP_alloc_unbound, EVTCHNOP_bind_interdomain,
		EVTCHNOP_status, EVTCHNOP_reset, EVTCHNOP_reset_cont};
	uint32_t i, dom;

	(void)unused;
	start(false);
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		for (dom = 3; dom <= UINT16_MAX; dom++) {
			if (dom == DOMID_SELF)
				continue;
			assert_int_equal(call_dom(ops[i], (domid_t)dom, 1),
					 -XEN_ESRCH);
		}
	}
	assert_int_equal(d1->ports.nr_open, 0);
	fake_end();
}

static void domid_self_and_own_id_are_the_caller(void **unused)
{
	evtchn_port_t port;
	domid_t dom;
	int i;

	(void)unused;
	start(false);
	for (i = 0; i < 2; i++) {
		dom = i ? 1 : DOMID_SELF;
		assert_int_equal(call_dom(EVTCHNOP_alloc_unbound, dom, 0), 0);
		assert_int_equal(call_dom(EVTCHNOP_status, dom, 1), 0);
		assert_int_equal(evc_alloc_unbound(d1, dom, dom, &port), 0);
		assert_int_equal(fake_status(d1, port).u.unbound.dom, 1);
		assert_int_equal(call_dom(EVTCHNOP_bind_interdomain, dom, port),
				 0);
		assert_int_equal(call_dom(EVTCHNOP_reset, dom, 0), 0);
		assert_int_equal(d1->ports.nr_open, 0);
	}
	/* SELF as the remote is the caller, also in another's port space. */
	assert_int_equal(evc_alloc_unbound(d0, 2, DOMID_SELF, &port), 0);
	assert_int_equal(fake_status(d2, port).u.unbound.dom, 0);
	fake_end();
}

static void remote_dom_is_stored_whatever_it_is(void **unused)
{
	evtchn_port_t port;
	uint32_t dom;

	(void)unused;
	start(false);
	for (dom = 0; dom <= UINT16_MAX; dom++) {
		assert_int_equal(
			evc_alloc_unbound(d1, DOMID_SELF, (domid_t)dom, &port),
			0);
		assert_int_equal(fake_status(d1, port).u.unbound.dom,
				 dom == DOMID_SELF ? 1 : dom);
		assert_int_equal(evc_close(d1, port), 0);
	}
	fake_end();
}

static void foreign_domain_needs_privilege_or_target(void **unused)
{
	static const uint32_t ops[] = {EVTCHNOP_alloc_unbound, EVTCHNOP_status,
				       EVTCHNOP_reset};
	uint32_t i;

	(void)unused;
	for (i = 0; i < 3; i++) {
		start(false);
		evc_domain_set_paused(d2, true);
		(void)fake_unbound(d2, d1);
		assert_int_equal(call_dom(ops[i], 2, 1), -XEN_EPERM);
		evc_domain_set_target(d1, d0);
		assert_int_equal(call_dom(ops[i], 2, 1), -XEN_EPERM);
		evc_domain_set_target(d1, d2);
		assert_int_equal(call_dom(ops[i], 2, 1), 0);
		d1 = d0; /* privileged, no target */
		assert_int_equal(call_dom(ops[i], 2, 1), 0);
		fake_end();
	}
}

/* --- ports ------------------------------------------------------------------- */

static const evtchn_port_t no_ports[] = {
	128,	129,	    4095,	4096,	    4097,	131071,
	131072, 0x7fffffff, 0x80000000, 0x80000001, 0xffffff80, 0xffffffff};

static void port_that_does_not_exist_is_einval(void **unused)
{
	evtchn_port_t port;
	uint32_t i;

	(void)unused;
	start(false);
	for (i = 1; i <= 64; i++)
		assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	assert_int_equal(fake_nr_valid(d1), 128);
	for (i = 0; i < sizeof(no_ports) / sizeof(no_ports[0]); i++) {
		port = no_ports[i];
		assert_int_equal(call(EVTCHNOP_close, port, 0), -XEN_EINVAL);
		assert_int_equal(call(EVTCHNOP_send, port, 0), -XEN_EINVAL);
		assert_int_equal(call(EVTCHNOP_unmask, port, 0), -XEN_EINVAL);
		assert_int_equal(call(EVTCHNOP_bind_vcpu, port, 0),
				 -XEN_EINVAL);
		assert_int_equal(call(EVTCHNOP_set_priority, port, 0),
				 -XEN_EINVAL);
		assert_int_equal(call_dom(EVTCHNOP_status, 1, port),
				 -XEN_EINVAL);
		assert_int_equal(call_dom(EVTCHNOP_bind_interdomain, 1, port),
				 -XEN_EINVAL);
		assert_int_equal(evc_consumer_free(d1, port), -XEN_EINVAL);
		evc_consumer_notify(d1, port);
	}
	fake_end();
}

/* 0 and 127: they exist, reserved and free. */
static void port_reserved_or_free_at_the_edge(void **unused)
{
	evtchn_port_t port;
	uint32_t i;

	(void)unused;
	start(false);
	for (i = 1; i <= 64; i++)
		assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	for (port = 0; port <= 127; port += 127) {
		assert_int_equal(call(EVTCHNOP_close, port, 0), -XEN_EINVAL);
		assert_int_equal(call(EVTCHNOP_send, port, 0), -XEN_EINVAL);
		assert_int_equal(call(EVTCHNOP_unmask, port, 0), 0);
		assert_int_equal(call(EVTCHNOP_bind_vcpu, port, 0),
				 -XEN_EINVAL);
		assert_int_equal(call(EVTCHNOP_set_priority, port, 0),
				 -XEN_ENOSYS);
		assert_int_equal(call_dom(EVTCHNOP_bind_interdomain, 1, port),
				 -XEN_EINVAL);
		fake_assert_status(d1, port, EVTCHNSTAT_closed);
		fake_set_mask(d1, port, true);
		fake_clear_pending(d1, port);
		assert_int_equal(call(EVTCHNOP_unmask, port, 0), 0);
		assert_true(fake_masked(d1, port)); /* not touched */
	}
	fake_end();
}

/* --- VIRQs, vCPUs, lines ----------------------------------------------------- */

static void numbers_beyond_their_range_are_refused(void **unused)
{
	static const uint32_t big[] = {24,	   25,	       63,
				       255,	   65536,      0x7fffffff,
				       0x80000000, 0xfffffff0, 0xffffffff};
	evtchn_port_t port = 0;
	uint32_t i;

	(void)unused;
	start(false);
	for (i = 0; i < sizeof(big) / sizeof(big[0]); i++) {
		assert_int_equal(call(EVTCHNOP_bind_virq, big[i], 0),
				 -XEN_EINVAL);
		assert_int_equal(call(EVTCHNOP_bind_virq, VIRQ_TIMER, big[i]),
				 -XEN_ENOENT);
		assert_int_equal(call(EVTCHNOP_bind_virq, 23, big[i]),
				 -XEN_EINVAL);
		assert_int_equal(call(EVTCHNOP_bind_ipi, big[i], 0),
				 -XEN_ENOENT);
		assert_int_equal(call(EVTCHNOP_bind_pirq, big[i], 0),
				 -XEN_EINVAL);
		assert_int_equal(call(EVTCHNOP_bind_vcpu, 0, big[i]),
				 -XEN_ENOENT);
		assert_int_equal(
			evc_consumer_alloc(d1, big[i], 2, consume, &port),
			-XEN_ENOENT);
		assert_int_equal(evc_virq_set_handler(d2, big[i]), -XEN_EINVAL);
		evc_virq_raise(&d1->vcpu[0], big[i]);
		evc_virq_raise_domain(d1, big[i]);
		evc_virq_raise_global(&fake.machine, big[i]);
		evc_pirq_raise(d1, big[i]);
	}
	assert_int_equal(call(EVTCHNOP_bind_ipi, 2, 0), -XEN_ENOENT);
	assert_int_equal(call(EVTCHNOP_bind_pirq, FAKE_PIRQS, 0), -XEN_EINVAL);
	assert_int_equal(d1->ports.nr_open, 0);
	assert_int_equal(call(EVTCHNOP_bind_virq, 23, 0), 0);
	assert_int_equal(call(EVTCHNOP_bind_ipi, 1, 0), 0);
	assert_int_equal(call(EVTCHNOP_bind_pirq, FAKE_PIRQS - 1, 0), 0);
	fake_end();
}

/* --- the old hypercall ------------------------------------------------------- */

static int call_compat(struct evtchn_op *op, uint32_t cmd)
{
	op->cmd = cmd;
	return evc_hypercall_compat(&d1->vcpu[0], (uintptr_t)op);
}

static void compat_does_operations_up_to_unmask(void **unused)
{
	struct evtchn_op op = {0};

	(void)unused;
	start(false);
	op.u.bind_ipi.vcpu = 1;
	assert_int_equal(call_compat(&op, EVTCHNOP_bind_ipi), 0);
	assert_int_equal(op.u.bind_ipi.port, 1);
	op.u.alloc_unbound = (struct evtchn_alloc_unbound){1, 1, 0};
	assert_int_equal(call_compat(&op, EVTCHNOP_alloc_unbound), 0);
	assert_int_equal(op.u.alloc_unbound.port, 2);
	op.u.bind_interdomain = (struct evtchn_bind_interdomain){1, 2, 0};
	assert_int_equal(call_compat(&op, EVTCHNOP_bind_interdomain), 0);
	assert_int_equal(op.u.bind_interdomain.local_port, 3);
	op.u.bind_virq = (struct evtchn_bind_virq){VIRQ_DEBUG, 1, 0};
	assert_int_equal(call_compat(&op, EVTCHNOP_bind_virq), 0);
	assert_int_equal(op.u.bind_virq.port, 4);
	op.u.bind_pirq = (struct evtchn_bind_pirq){5, 0, 0};
	assert_int_equal(call_compat(&op, EVTCHNOP_bind_pirq), 0);
	assert_int_equal(op.u.bind_pirq.port, 5);
	op.u.send.port = 3;
	assert_int_equal(call_compat(&op, EVTCHNOP_send), 0);
	assert_true(fake_pending(d1, 2));
	op.u.bind_vcpu = (struct evtchn_bind_vcpu){2, 1};
	assert_int_equal(call_compat(&op, EVTCHNOP_bind_vcpu), 0);
	op.u.status = (struct evtchn_status){.dom = DOMID_SELF, .port = 2};
	assert_int_equal(call_compat(&op, EVTCHNOP_status), 0);
	assert_int_equal(op.u.status.status, EVTCHNSTAT_interdomain);
	assert_int_equal(op.u.status.vcpu, 1);
	assert_int_equal(op.u.status.u.interdomain.port, 3);
	fake_set_mask(d1, 2, true);
	op.u.unmask.port = 2;
	assert_int_equal(call_compat(&op, EVTCHNOP_unmask), 0);
	assert_false(fake_masked(d1, 2));
	op.u.close.port = 2;
	assert_int_equal(call_compat(&op, EVTCHNOP_close), 0);
	fake_assert_status(d1, 3, EVTCHNSTAT_unbound);
	assert_int_equal(call_compat(&op, EVTCHNOP_close), -XEN_EINVAL);
	assert_int_equal(op.cmd, EVTCHNOP_close);
	fake_end();
}

static void compat_knows_no_later_operations(void **unused)
{
	struct evtchn_op op = {0};
	uint32_t cmd;

	(void)unused;
	start(false);
	(void)fake_unbound(d1, d2);
	op.u.alloc_unbound.dom = DOMID_SELF;
	for (cmd = EVTCHNOP_reset; cmd < 300; cmd++)
		assert_int_equal(call_compat(&op, cmd), -XEN_ENOSYS);
	assert_int_equal(call_compat(&op, 0xffffffff), -XEN_ENOSYS);
	assert_int_equal(call_compat(&op, 0x80000006), -XEN_ENOSYS);
	assert_int_equal(d1->ports.nr_open, 1);
	fake.readonly = (uintptr_t)&op.u;
	assert_int_equal(call_compat(&op, EVTCHNOP_alloc_unbound), -XEN_EFAULT);
	assert_int_equal(d1->ports.nr_open, 2);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(op_unknown_is_enosys_and_ignores_the_pointer),
		cmocka_unit_test(pointer_bad_is_efault_for_every_operation),
		cmocka_unit_test(pointer_unaligned_works),
		cmocka_unit_test(results_go_to_their_bytes_and_no_others),
		cmocka_unit_test(status_leaves_the_union_as_it_was),
		cmocka_unit_test(status_refused_writes_nothing),
		cmocka_unit_test(pointer_readonly_is_efault_after_the_effect),
		cmocka_unit_test(domid_that_names_nobody_is_esrch),
		cmocka_unit_test(domid_self_and_own_id_are_the_caller),
		cmocka_unit_test(remote_dom_is_stored_whatever_it_is),
		cmocka_unit_test(foreign_domain_needs_privilege_or_target),
		cmocka_unit_test(port_that_does_not_exist_is_einval),
		cmocka_unit_test(port_reserved_or_free_at_the_edge),
		cmocka_unit_test(numbers_beyond_their_range_are_refused),
		cmocka_unit_test(compat_does_operations_up_to_unmask),
		cmocka_unit_test(compat_knows_no_later_operations),
	};

	return cmocka_run_group_tests_name("core_hostile", tests, NULL, NULL);
}
