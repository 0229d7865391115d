/* SPDX-License-Identifier: MIT */
/*
 * The table of docs/states.md, executed: every state of a port x every
 * operation number 0..14, through evc_hypercall(), checked for the return
 * value, the resulting state of the port and, where there is one, of its
 * peer.  Each cell starts from a fresh world; the whole table is walked twice,
 * with domain 1 in the 2-level and in the FIFO ABI.
 *
 * The subject is port P of domain 1.  Domain 2 is the other end of unbound and
 * connected ports.  For operations that do not name a port of their own
 * (alloc_unbound, binds) P must come out as it went in.
 */
#include "tests/lib/fake_host.h"

#include <stdio.h>
#include <string.h>

enum {
	ST_CLOSED = EVTCHNSTAT_closed,
	ST_UNBOUND = EVTCHNSTAT_unbound,
	ST_CONNECTED = EVTCHNSTAT_interdomain,
	ST_PIRQ = EVTCHNSTAT_pirq,
	ST_VIRQ = EVTCHNSTAT_virq,
	ST_IPI = EVTCHNSTAT_ipi,
	KEEP = 100, /* the port stays what it is */
};

#define NR_STATES 7
#define NR_OPS	  15

/* Per state: return value, state of P afterwards, state of the peer. */
struct cell {
	int rc;
	int self, peer;
};

static const char *const state_name[NR_STATES] = {
	[EVC_ST_FREE] = "FREE",	      [EVC_ST_RESERVED] = "RESERVED",
	[EVC_ST_UNBOUND] = "UNBOUND", [EVC_ST_INTERDOMAIN] = "INTERDOMAIN",
	[EVC_ST_PIRQ] = "PIRQ",	      [EVC_ST_VIRQ] = "VIRQ",
	[EVC_ST_IPI] = "IPI",
};

#define E(err)                         \
	{                              \
		-XEN_##err, KEEP, KEEP \
	}
#define OK                    \
	{                     \
		0, KEEP, KEEP \
	}
#define ALL(c)                      \
	{                           \
		c, c, c, c, c, c, c \
	}

/* Columns: FREE RESERVED UNBOUND INTERDOMAIN PIRQ VIRQ IPI */
static const struct cell table[NR_OPS][NR_STATES] = {
	/* by domain 2, with P as the remote port */
	[EVTCHNOP_bind_interdomain] = {E(EINVAL),
				       E(EINVAL),
				       {0, ST_CONNECTED, KEEP},
				       E(EINVAL),
				       E(EINVAL),
				       E(EINVAL),
				       E(EINVAL)},
	[EVTCHNOP_bind_virq] = ALL(OK),
	[EVTCHNOP_bind_pirq] = ALL(OK),
	[EVTCHNOP_close] = {E(EINVAL),
			    E(EINVAL),
			    {0, ST_CLOSED, KEEP},
			    {0, ST_CLOSED, ST_UNBOUND},
			    {0, ST_CLOSED, KEEP},
			    {0, ST_CLOSED, KEEP},
			    {0, ST_CLOSED, KEEP}},
	[EVTCHNOP_send] = {E(EINVAL), E(EINVAL), OK, OK, E(EINVAL), E(EINVAL),
			   OK},
	[EVTCHNOP_status] = ALL(OK),
	[EVTCHNOP_alloc_unbound] = ALL(OK),
	[EVTCHNOP_bind_ipi] = ALL(OK),
	/* the VIRQ here is a global one, which may move */
	[EVTCHNOP_bind_vcpu] = {E(EINVAL), E(EINVAL), OK, OK, OK, OK,
				E(EINVAL)},
	[EVTCHNOP_unmask] = ALL(OK),
	[EVTCHNOP_reset] = {OK,
			    OK,
			    {0, ST_CLOSED, KEEP},
			    {0, ST_CLOSED, ST_UNBOUND},
			    {0, ST_CLOSED, KEEP},
			    {0, ST_CLOSED, KEEP},
			    {0, ST_CLOSED, KEEP}},
	[EVTCHNOP_init_control] = ALL(E(EOPNOTSUPP)),
	[EVTCHNOP_expand_array] = ALL(E(EOPNOTSUPP)),
	[EVTCHNOP_set_priority] = ALL(E(ENOSYS)),
	[EVTCHNOP_reset_cont] = ALL(E(EBUSY)),
};

/* The rows that differ when domain 1 uses FIFO event channels. */
static const struct cell fifo_init_control[NR_STATES] = ALL(OK);
static const struct cell fifo_expand_array[NR_STATES] = ALL(OK);
static const struct cell fifo_set_priority[NR_STATES] = {
	E(EACCES), E(EACCES), OK, OK, OK, OK, OK};

static const struct cell *row_of(uint32_t op, bool fifo)
{
	if (fifo && op == EVTCHNOP_init_control)
		return fifo_init_control;
	if (fifo && op == EVTCHNOP_expand_array)
		return fifo_expand_array;
	if (fifo && op == EVTCHNOP_set_priority)
		return fifo_set_priority;
	return table[op];
}

struct subject {
	struct evc_domain *d1, *d2;
	evtchn_port_t port, peer; /* peer: of d2, 0 = none */
};

/* Domain 1 switches over; vCPU 1 has no control block yet. */
static void enter_fifo(struct evc_domain *d)
{
	struct evtchn_init_control c = {.control_gfn = 0};

	assert_int_equal(evc_init_control(d, &c), 0);
	assert_int_equal(evc_expand_array(d, 1), 0);
}

static void make_subject(struct subject *s, enum evc_state state, bool fifo)
{
	fake_start(false);
	s->d1 = fake_add(&(struct fake_options){
		.domid = 1, .width = EVC_WIDTH_64, .fifo = fifo});
	if (fifo)
		enter_fifo(s->d1);
	s->d2 = fake_domain(2);
	s->port = 5;
	s->peer = 0;
	evc_machine_set_hwdom(&fake.machine, s->d1);
	fake.pirq_permitted = UINT32_MAX;
	switch (state) {
	case EVC_ST_FREE:
		break;
	case EVC_ST_RESERVED:
		s->port = 0;
		break;
	case EVC_ST_UNBOUND:
		s->port = fake_unbound(s->d1, s->d2);
		break;
	case EVC_ST_INTERDOMAIN:
		fake_connect(s->d1, s->d2, &s->port, &s->peer);
		break;
	case EVC_ST_PIRQ:
		assert_int_equal(evc_bind_pirq(s->d1, 3, 0, &s->port), 0);
		break;
	case EVC_ST_VIRQ:
		assert_int_equal(
			evc_bind_virq(s->d1, VIRQ_CONSOLE, 0, &s->port), 0);
		break;
	case EVC_ST_IPI:
		assert_int_equal(evc_bind_ipi(s->d1, 1, &s->port), 0);
		break;
	}
}

union arg {
	struct evtchn_alloc_unbound alloc_unbound;
	struct evtchn_bind_interdomain bind_interdomain;
	struct evtchn_bind_virq bind_virq;
	struct evtchn_bind_pirq bind_pirq;
	struct evtchn_bind_ipi bind_ipi;
	struct evtchn_status status;
	struct evtchn_bind_vcpu bind_vcpu;
	struct evtchn_reset reset;
	struct evtchn_init_control init_control;
	struct evtchn_set_priority set_priority;
	evtchn_port_t port; /* close, send, unmask */
};

static void fill_arg(union arg *a, uint32_t op, const struct subject *s)
{
	memset(a, 0, sizeof(*a));
	switch (op) {
	case EVTCHNOP_bind_interdomain:
		a->bind_interdomain.remote_dom = 1;
		a->bind_interdomain.remote_port = s->port;
		break;
	case EVTCHNOP_bind_virq:
		a->bind_virq.virq = VIRQ_DEBUG;
		break;
	case EVTCHNOP_bind_pirq:
		a->bind_pirq.pirq = 4;
		break;
	case EVTCHNOP_status:
		a->status.dom = DOMID_SELF;
		a->status.port = s->port;
		break;
	case EVTCHNOP_alloc_unbound:
		a->alloc_unbound.dom = DOMID_SELF;
		a->alloc_unbound.remote_dom = 2;
		break;
	case EVTCHNOP_bind_vcpu:
		a->bind_vcpu.port = s->port;
		a->bind_vcpu.vcpu = 1;
		break;
	case EVTCHNOP_init_control:
		a->init_control.vcpu = 1;
		a->init_control.offset = 128;
		break;
	case EVTCHNOP_reset:
	case EVTCHNOP_reset_cont:
		a->reset.dom = DOMID_SELF;
		break;
	case EVTCHNOP_set_priority:
		a->set_priority.port = s->port;
		a->set_priority.priority = 3;
		break;
	default: /* close, send, unmask; bind_ipi and expand_array take 0s */
		if (op != EVTCHNOP_bind_ipi && op != EVTCHNOP_expand_array)
			a->port = s->port;
		break;
	}
}

/* "RESERVED x send: ..." in front of every failure. */
static void check(const char *what, enum evc_state state, uint32_t op, long got,
		  long want)
{
	if (got != want)
		fail_msg("%s x op %u: %s is %ld, should be %ld",
			 state_name[state], op, what, got, want);
}

static void check_cell(enum evc_state state, uint32_t op, bool fifo)
{
	const struct cell *want = &row_of(op, fifo)[state];
	uint32_t before, peer_before = 0;
	struct subject s;
	union arg a;
	int rc;

	make_subject(&s, state, fifo);
	before = fake_status(s.d1, s.port).status;
	if (s.peer)
		peer_before = fake_status(s.d2, s.peer).status;
	fill_arg(&a, op, &s);
	rc = evc_hypercall(op == EVTCHNOP_bind_interdomain ? &s.d2->vcpu[0]
							   : &s.d1->vcpu[0],
			   op, (uintptr_t)&a);

	check("rc", state, op, rc, want->rc);
	check("the port's status", state, op, fake_status(s.d1, s.port).status,
	      want->self == KEEP ? before : (uint32_t)want->self);
	if (s.peer)
		check("the peer's status", state, op,
		      fake_status(s.d2, s.peer).status,
		      want->peer == KEEP ? peer_before : (uint32_t)want->peer);
	fake_end();
}

#ifdef EVC_TEST_NO_FIFO
#define FIFO_TOO 0
#else
#define FIFO_TOO 1
#endif

#define ROW(op)                                                     \
	static void every_state_##op(void **unused)                 \
	{                                                           \
		uint32_t state;                                     \
		int fifo;                                           \
                                                                    \
		(void)unused;                                       \
		for (fifo = 0; fifo <= FIFO_TOO; fifo++) {          \
			for (state = 0; state < NR_STATES; state++) \
				check_cell((enum evc_state)state,   \
					   EVTCHNOP_##op, fifo);    \
		}                                                   \
	}

ROW(bind_interdomain)
ROW(bind_virq)
ROW(bind_pirq)
ROW(close)
ROW(send)
ROW(status)
ROW(alloc_unbound)
ROW(bind_ipi)
ROW(bind_vcpu)
ROW(unmask)
ROW(reset)
ROW(init_control)
ROW(expand_array)
ROW(set_priority)
ROW(reset_cont)

/* What the table cannot say: where the event of a send goes. */
static void send_posts_to_the_other_end_only(void **unused)
{
	struct subject s;

	(void)unused;
	make_subject(&s, EVC_ST_INTERDOMAIN, false);
	assert_int_equal(evc_send(s.d1, s.port), 0);
	assert_true(fake_pending(s.d2, s.peer));
	assert_false(fake_pending(s.d1, s.port));
	fake_end();

	make_subject(&s, EVC_ST_IPI, false);
	assert_int_equal(evc_send(s.d1, s.port), 0);
	assert_true(fake_pending(s.d1, s.port));
	assert_int_equal(fake_last_kick()->id, 1);
	fake_end();
}

/* --- the same table, for docs/states.md (scripts/check-states) --------------- */

static const char *const op_name[NR_OPS] = {
	[EVTCHNOP_bind_interdomain] = "bind_interdomain",
	[EVTCHNOP_bind_virq] = "bind_virq",
	[EVTCHNOP_bind_pirq] = "bind_pirq",
	[EVTCHNOP_close] = "close",
	[EVTCHNOP_send] = "send",
	[EVTCHNOP_status] = "status",
	[EVTCHNOP_alloc_unbound] = "alloc_unbound",
	[EVTCHNOP_bind_ipi] = "bind_ipi",
	[EVTCHNOP_bind_vcpu] = "bind_vcpu",
	[EVTCHNOP_unmask] = "unmask",
	[EVTCHNOP_reset] = "reset",
	[EVTCHNOP_init_control] = "init_control",
	[EVTCHNOP_expand_array] = "expand_array",
	[EVTCHNOP_set_priority] = "set_priority",
	[EVTCHNOP_reset_cont] = "reset_cont",
};

static const char *result(int rc)
{
	switch (rc) {
	case 0:
		return "0";
	case -XEN_EINVAL:
		return "EINVAL";
	case -XEN_EBUSY:
		return "EBUSY";
	case -XEN_EACCES:
		return "EACCES";
	case -XEN_ENOSYS:
		return "ENOSYS";
	case -XEN_EOPNOTSUPP:
		return "EOPNOTSUPP";
	default:
		return "?";
	}
}

static const char *status_name(int status)
{
	static const char *const name[] = {
		[ST_CLOSED] = "FREE",
		[ST_UNBOUND] = "UNBOUND",
		[ST_CONNECTED] = "INTERDOMAIN",
		[ST_PIRQ] = "PIRQ",
		[ST_VIRQ] = "VIRQ",
		[ST_IPI] = "IPI",
	};

	return name[status];
}

static void print_row(uint32_t op, bool fifo)
{
	const struct cell *c = row_of(op, fifo);
	uint32_t i;

	printf("| %s%s |", op_name[op],
	       c != row_of(op, false)  ? ", FIFO"
	       : c != row_of(op, true) ? ", 2-level"
				       : "");
	for (i = 0; i < NR_STATES; i++) {
		printf(" %s", result(c[i].rc));
		if (c[i].self != KEEP)
			printf(" -> %s", status_name(c[i].self));
		if (c[i].peer != KEEP)
			printf(", peer -> %s", status_name(c[i].peer));
		printf(" |");
	}
	printf("\n");
}

static int print_table(void)
{
	uint32_t op;

	for (op = 0; op < NR_OPS; op++) {
		print_row(op, false);
		if (row_of(op, true) != row_of(op, false))
			print_row(op, true);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_bind_interdomain),
		cmocka_unit_test(every_state_bind_virq),
		cmocka_unit_test(every_state_bind_pirq),
		cmocka_unit_test(every_state_close),
		cmocka_unit_test(every_state_send),
		cmocka_unit_test(every_state_status),
		cmocka_unit_test(every_state_alloc_unbound),
		cmocka_unit_test(every_state_bind_ipi),
		cmocka_unit_test(every_state_bind_vcpu),
		cmocka_unit_test(every_state_unmask),
		cmocka_unit_test(every_state_reset),
		cmocka_unit_test(every_state_init_control),
		cmocka_unit_test(every_state_expand_array),
		cmocka_unit_test(every_state_set_priority),
		cmocka_unit_test(every_state_reset_cont),
		cmocka_unit_test(send_posts_to_the_other_end_only),
	};

	if (argc == 2 && !strcmp(argv[1], "--table"))
		return print_table();
	return cmocka_run_group_tests_name("states", tests, NULL, NULL);
}
