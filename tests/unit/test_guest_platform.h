/* SPDX-License-Identifier: MIT */
/*
 * A hypervisor and a platform for the tests of the guest library: just enough
 * of both to see what the library asks for and what it does to shared memory.
 *
 * The hypervisor half knows which ports are open and where they are bound, and
 * posts as SPEC 3.1 says.  It records every call.  The test decides which vCPU
 * "runs" (current); two vCPUs at once are played by switching it inside of a
 * handler, or by threads, since it is per thread.
 *
 * Upcalls are off when a test starts, so that evg_upcall() is called by the
 * test and by nobody else.
 */
#ifndef TEST_GUEST_PLATFORM_H
#define TEST_GUEST_PLATFORM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <abi/callback.h>
#include <abi/hvm.h>
#include <abi/sched.h>
#include <abi/vcpu.h>
#include <evg/evg.h>
#include <evg/irq.h>

#define NR_VCPUS 4
#define NR_IRQS	 6
#define MAX_LOG	 64

struct call {
	unsigned int nr, cmd;
	union {
		evtchn_port_t port;
		struct evtchn_status status;
		struct evtchn_bind_virq virq;
		struct evtchn_bind_vcpu bind_vcpu;
		struct evtchn_bind_interdomain interdomain;
		struct sched_poll poll;
		struct callback_register callback;
		struct xen_hvm_param param;
		struct xen_hvm_evtchn_upcall_vector vector;
		struct vcpu_register_vcpu_info info;
		struct vcpu_set_singleshot_timer timer;
		struct evtchn_init_control control;
		struct evtchn_expand_array array;
		struct evtchn_set_priority priority;
		uint8_t bytes[32];
	} arg;
};

static struct {
	struct {
		uint32_t status, vcpu, virq;
	} port[EVTCHN_2L_NR_CHANNELS_64];
	evtchn_port_t valid; /* ports the hypervisor's table has */
	struct call log[MAX_LOG];
	unsigned int nr_calls;
	/* The next call with this number and command fails so. */
	unsigned int fail_nr, fail_cmd;
	int fail_rc;
	/* Event channel operations of another ABI; NULL: 2-level. */
	int (*op)(unsigned int cmd, void *arg);
	/* Called in the middle of every hypercall, of every relax. */
	void (*during_hypercall)(unsigned int nr, unsigned int cmd);
	void (*during_relax)(void);
} xen;

static struct evg_guest guest;
static struct evg_vcpu vcpu[NR_VCPUS];
static struct evg_port ports[EVTCHN_2L_NR_CHANNELS_64];
static struct evg_irq irqs[NR_IRQS];
static union {
	struct shared_info s;
	struct shared_info_32 s32;
	struct shared_info_arm arm;
	uint8_t bytes[4096];
	uint64_t align;
} page;
static _Thread_local uint32_t current;

/* --- shared memory, as the hypervisor sees it ------------------------------ */

static inline uint8_t *info_of(uint32_t id)
{
	return evb_ptr_load_acquire(&vcpu[id].info);
}

static inline uint8_t flag(uint32_t id)
{
	return evb_u8_load((evb_u8 *)info_of(id));
}

static inline void set_flag(uint32_t id, uint8_t value)
{
	evb_u8_store((evb_u8 *)info_of(id), value);
}

static inline evb_u32 *selector(uint32_t id)
{
	return (evb_u32 *)info_of(id) + guest.sel_word;
}

static inline uint32_t word_of(evtchn_port_t port)
{
	return port >> guest.port_shift;
}

static inline void select_word(uint32_t id, uint32_t word)
{
	if (!evb_test_and_set_bit(selector(id), word))
		set_flag(id, 1);
}

static inline void post_to(uint32_t id, evtchn_port_t port)
{
	if (evb_test_and_set_bit(guest.pending, port))
		return;
	if (!evb_test_bit(guest.mask, port))
		select_word(id, word_of(port));
}

static inline void post(evtchn_port_t port)
{
	post_to(xen.port[port].vcpu, port);
}

/* --- hypercalls ------------------------------------------------------------ */

static inline int do_open(evtchn_port_t *port, uint32_t status, uint32_t id,
			  uint32_t virq)
{
	evtchn_port_t p = 1;

	while (p < xen.valid && xen.port[p].status)
		p++;
	if (p == xen.valid)
		return -XEN_ENOSPC;
	xen.port[p].status = status;
	xen.port[p].vcpu = id;
	xen.port[p].virq = virq;
	*port = p;
	return 0;
}

static inline int do_bind_virq(struct evtchn_bind_virq *op)
{
	uint32_t p;

	for (p = 1; p < xen.valid; p++)
		if (xen.port[p].status == EVTCHNSTAT_virq &&
		    xen.port[p].virq == op->virq &&
		    (op->virq != VIRQ_TIMER || xen.port[p].vcpu == op->vcpu))
			return -XEN_EEXIST;
	return do_open(&op->port, EVTCHNSTAT_virq, op->vcpu, op->virq);
}

static inline int do_bind_interdomain(struct evtchn_bind_interdomain *op)
{
	int rc = do_open(&op->local_port, EVTCHNSTAT_interdomain, 0, 0);

	if (!rc)
		post(op->local_port);
	return rc;
}

static inline int do_close(evtchn_port_t port)
{
	if (port >= xen.valid || !xen.port[port].status)
		return -XEN_EINVAL;
	memset(&xen.port[port], 0, sizeof(xen.port[port]));
	(void)evb_test_and_clear_bit(guest.pending, port);
	return 0;
}

static inline int do_status(struct evtchn_status *op)
{
	if (op->port >= xen.valid)
		return -XEN_EINVAL;
	op->status = xen.port[op->port].status;
	op->vcpu = xen.port[op->port].vcpu;
	if (op->status == EVTCHNSTAT_virq)
		op->u.virq = xen.port[op->port].virq;
	return 0;
}

static inline int do_bind_vcpu(const struct evtchn_bind_vcpu *op)
{
	uint32_t status = xen.port[op->port].status;

	if (!status || status == EVTCHNSTAT_ipi)
		return -XEN_EINVAL;
	xen.port[op->port].vcpu = op->vcpu;
	return 0;
}

static inline int do_unmask(evtchn_port_t port)
{
	if (port >= xen.valid)
		return -XEN_EINVAL;
	if (evb_test_and_clear_bit(guest.mask, port) &&
	    evb_test_bit(guest.pending, port))
		select_word(xen.port[port].vcpu, word_of(port));
	return 0;
}

static inline int event_channel_op(unsigned int cmd, void *arg)
{
	struct evtchn_alloc_unbound *alloc = arg;
	struct evtchn_bind_ipi *ipi = arg;
	struct evtchn_bind_pirq *pirq = arg;
	evtchn_port_t *port = arg;

	if (xen.op)
		return xen.op(cmd, arg);
	switch (cmd) {
	case EVTCHNOP_alloc_unbound:
		return do_open(&alloc->port, EVTCHNSTAT_unbound, 0, 0);
	case EVTCHNOP_bind_interdomain:
		return do_bind_interdomain(arg);
	case EVTCHNOP_bind_virq:
		return do_bind_virq(arg);
	case EVTCHNOP_bind_pirq:
		return do_open(&pirq->port, EVTCHNSTAT_pirq, 0, 0);
	case EVTCHNOP_bind_ipi:
		return do_open(&ipi->port, EVTCHNSTAT_ipi, ipi->vcpu, 0);
	case EVTCHNOP_close:
		return do_close(*port);
	case EVTCHNOP_status:
		return do_status(arg);
	case EVTCHNOP_bind_vcpu:
		return do_bind_vcpu(arg);
	case EVTCHNOP_unmask:
		return do_unmask(*port);
	case EVTCHNOP_send:
	case EVTCHNOP_reset:
		return 0;
	default:
		return -XEN_ENOSYS;
	}
}

/* Bytes of the structure that are safe to record. */
static inline size_t size_of(unsigned int nr, unsigned int cmd)
{
	static const size_t size[] = {12, 12, 12, 4, 4,	 24, 8,
				      8,  8,  4,  2, 24, 8,  8};

	switch (nr) {
	case __HYPERVISOR_event_channel_op:
		return size[cmd];
	case __HYPERVISOR_sched_op:
		return cmd == SCHEDOP_poll ? sizeof(struct sched_poll) : 0;
	case __HYPERVISOR_callback_op:
		return sizeof(struct callback_register);
	case __HYPERVISOR_hvm_op:
		return cmd == HVMOP_set_evtchn_upcall_vector
			       ? sizeof(struct xen_hvm_evtchn_upcall_vector)
			       : sizeof(struct xen_hvm_param);
	case __HYPERVISOR_vcpu_op:
		return cmd == VCPUOP_stop_singleshot_timer ? 0 : 16;
	default:
		return 0;
	}
}

static inline struct call *last_call(void)
{
	assert_true(xen.nr_calls > 0);
	return &xen.log[(xen.nr_calls - 1) % MAX_LOG];
}

/* Times the command was called with this port as its first word. */
static inline unsigned int calls(unsigned int cmd, evtchn_port_t port)
{
	unsigned int i, n = 0;

	for (i = 0; i < xen.nr_calls && i < MAX_LOG; i++)
		n += xen.log[i].nr == __HYPERVISOR_event_channel_op &&
		     xen.log[i].cmd == cmd && xen.log[i].arg.port == port;
	return n;
}

static inline void fail_next(unsigned int nr, unsigned int cmd, int rc)
{
	xen.fail_nr = nr;
	xen.fail_cmd = cmd;
	xen.fail_rc = rc;
}

int evg_plat_hypercall(struct evg_guest *g, unsigned int nr, unsigned int cmd,
		       void *arg)
{
	struct call *c = &xen.log[xen.nr_calls++ % MAX_LOG];

	assert_ptr_equal(g, &guest);
	memset(c, 0, sizeof(*c));
	c->nr = nr;
	c->cmd = cmd;
	memcpy(&c->arg, arg ? arg : &page, size_of(nr, cmd));
	if (xen.during_hypercall)
		xen.during_hypercall(nr, cmd);
	if (xen.fail_rc && xen.fail_nr == nr && xen.fail_cmd == cmd) {
		int rc = xen.fail_rc;

		xen.fail_rc = 0;
		return rc;
	}
	if (nr == __HYPERVISOR_event_channel_op)
		return event_channel_op(cmd, arg);
	if (nr == __HYPERVISOR_hvm_op && cmd == HVMOP_get_param)
		((struct xen_hvm_param *)arg)->value = 77;
	return 0;
}

/* --- platform -------------------------------------------------------------- */

struct evg_vcpu *evg_plat_this_vcpu(struct evg_guest *g)
{
	return &g->vcpu[current];
}

struct evg_guest *evg_plat_this_guest(void)
{
	return &guest;
}

unsigned long evg_plat_upcalls_save(struct evg_guest *g)
{
	evb_u8 *info = evb_ptr_load_acquire(&g->vcpu[current].info);

	return evb_u8_xchg(&info[1], 1);
}

void evg_plat_upcalls_restore(struct evg_guest *g, unsigned long saved)
{
	struct evg_vcpu *v = &g->vcpu[current];
	evb_u8 *info = evb_ptr_load_acquire(&v->info);

	evb_u8_store(&info[1], (uint8_t)saved);
	while (!saved && evg_upcall_is_pending(v)) {
		evb_u8_store(&info[1], 1);
		(void)evg_upcall(v);
		evb_u8_store(&info[1], 0);
	}
}

void evg_plat_relax(void)
{
	if (xen.during_relax)
		xen.during_relax();
}

static inline void upcalls_on(void)
{
	evg_plat_upcalls_restore(&guest, 0);
}

static inline unsigned int upcall(uint32_t id)
{
	uint32_t was = current;
	unsigned int n;

	current = id;
	n = evg_upcall(&vcpu[id]);
	current = was;
	return n;
}

/* --- setup ----------------------------------------------------------------- */

static struct evg_config config;

static inline void start_guest(void)
{
	uint32_t i;

	assert_int_equal(evg_init(&guest, &config), 0);
	for (i = 0; i < NR_VCPUS; i++)
		if (info_of(i))
			info_of(i)[1] = 1; /* upcalls off */
}

static inline int setup(void **state)
{
	(void)state;
	memset(&xen, 0, sizeof(xen));
	memset(&page, 0, sizeof(page));
	memset(ports, 0xa5, sizeof(ports)); /* lent memory is not zero */
	memset(vcpu, 0xa5, sizeof(vcpu));
	memset(irqs, 0xa5, sizeof(irqs));
	memset(&guest, 0xa5, sizeof(guest));
	current = 0;
	xen.valid = EVTCHN_2L_NR_CHANNELS_64;
	config = (struct evg_config){
		.shared_info = &page,
		.layout = EVG_LAYOUT_X86_64,
		.port = ports,
		.nr_ports = EVTCHN_2L_NR_CHANNELS_64,
		.vcpu = vcpu,
		.nr_vcpus = NR_VCPUS,
		.irq = irqs,
		.nr_irqs = NR_IRQS,
	};
	start_guest();
	return 0;
}

/* Ports 1 to @n are open and bound to vCPU 0. */
static inline void open_ports(uint32_t n)
{
	evtchn_port_t port;

	while (n--)
		assert_int_equal(
			evg_alloc_unbound(&guest, DOMID_SELF, 7, &port), 0);
}

/* As open_ports(), for a port of a test's choice. */
static inline void open_port(evtchn_port_t port)
{
	xen.port[port].status = EVTCHNSTAT_unbound;
}

/* --- a handler that writes down who was called ----------------------------- */

static struct {
	evtchn_port_t port[MAX_LOG];
	uint32_t vcpu[MAX_LOG];
	void *ctx[MAX_LOG];
	unsigned int n;
} seen;

static inline void record(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	if (seen.n < MAX_LOG) {
		seen.port[seen.n] = port;
		seen.vcpu[seen.n] = v->id;
		seen.ctx[seen.n] = ctx;
	}
	seen.n++;
}

static inline int setup_seen(void **state)
{
	memset(&seen, 0, sizeof(seen));
	return setup(state);
}

static inline void bind_recorder(evtchn_port_t port)
{
	assert_int_equal(
		evg_bind_handler(&guest, port, EVG_VCPU_KEEP, record, NULL), 0);
}

/* Ports 1 to @n open, with the recorder as their handler. */
static inline void live_ports(uint32_t n)
{
	evtchn_port_t p;

	open_ports(n);
	for (p = 1; p <= n; p++)
		bind_recorder(p);
}

static inline void assert_seen(const evtchn_port_t *expected, unsigned int n)
{
	unsigned int i;

	assert_int_equal(seen.n, n);
	for (i = 0; i < n; i++)
		assert_int_equal(seen.port[i], expected[i]);
}

#define ASSERT_SEEN(...)                                           \
	assert_seen((const evtchn_port_t[]){__VA_ARGS__},          \
		    sizeof((const evtchn_port_t[]){__VA_ARGS__}) / \
			    sizeof(evtchn_port_t))

#define TEST(name) cmocka_unit_test_setup(name, setup_seen)

#endif /* TEST_GUEST_PLATFORM_H */
