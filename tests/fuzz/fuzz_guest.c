/* SPDX-License-Identifier: MIT */
/*
 * The guest library under a hypervisor that cannot be trusted: hypercalls
 * return any number and fill their results with anything, and the shared words
 * change between two operations and, since the library is built with step.h
 * here, in the middle of one.
 *
 * A hypervisor can always keep events back or make them up, so what is
 * delivered is not looked at.  What must hold: no access beyond the lent
 * memory (each piece has exactly its size), handlers are called for ports that
 * have one, with its context, and at most as many as the budget says; an
 * upcall has a bounded number of steps; the library's own tables agree.
 */
#include <abi/sched.h>
#include <abi/vcpu.h>
#include <evg/evg.h>
#include <evg/irq.h>

#include "fuzz.h"

#define NR_VCPUS  3
#define NR_IRQS	  5
#define MAX_OPS	  64
#define MAX_DEPTH 3 /* calls out of handlers */

static struct {
	struct tape *t;
	struct evg_guest g;
	struct evg_vcpu *vcpu;
	struct evg_port *port;
	struct evg_irq *irq;
	uint8_t *shared, *infos;
	uint32_t current, upcalls_off, depth, called;
	uint64_t steps;
	/* A store into shared memory, so many steps from now, and again. */
	uint32_t *word;
	uint32_t value;
	unsigned int delay, every;
} w;

/* --- the hypervisor ------------------------------------------------------ */

void fuzz_step(void)
{
	w.steps++;
	if (!w.delay || --w.delay)
		return;
	*(volatile uint32_t *)w.word ^= w.value;
	w.delay = w.every;
}

static uint32_t *take_word(void)
{
	uint8_t b = tape_u8(w.t);
	uint32_t offset = tape_u16(w.t);

	if (b < 64) /* the first words of a vcpu_info */
		offset = b / 4 % 4 * 4u + b % 4 * 64u;
	else if (b < 128)
		offset = 2048 + b % 16 * 4u;
	else if (b < 192)
		offset = 2048 + 512 + b % 16 * 4u;
	return (uint32_t *)(void *)((b & 1 && b >= 192 ? w.infos : w.shared) +
				    (offset & 4092));
}

static void take_store(void)
{
	uint8_t b = tape_u8(w.t);

	w.word = take_word();
	w.value = b < 64 ? UINT32_MAX : 1u << (b & 31);
	b = tape_u8(w.t);
	w.every = b >> 5;
	w.delay = b & 31;
	if (!w.delay)
		*w.word |= w.value;
}

/* An event as it should be: pending, unmasked, announced on some vCPU. */
static void post(void)
{
	evtchn_port_t port = tape_u8(w.t) % w.g.nr_ports;
	uint32_t *info = evb_ptr_load(&w.vcpu[tape_u8(w.t) % NR_VCPUS].info);

	(void)evb_test_and_set_bit(w.g.pending, port);
	(void)evb_test_and_clear_bit(w.g.mask, port);
	if (!info)
		return;
	info[w.g.sel_word] |= 1u << (port >> w.g.port_shift);
	info[0] |= 1;
}

static int take_result(void)
{
	static const int results[] = {
		-XEN_EPERM,  -XEN_ENOENT, -XEN_ESRCH,  -XEN_EAGAIN,
		-XEN_ENOMEM, -XEN_EFAULT, -XEN_EBUSY,  -XEN_EEXIST,
		-XEN_EINVAL, -XEN_ENOSPC, -XEN_ENOSYS, -XEN_ERESTART,
		INT32_MIN,   -1,	  1,	       INT32_MAX,
	};
	uint8_t b = tape_u8(w.t);

	return b < 192 ? 0 : results[b % 16];
}

/* Anything at all in place of a result, in the fields that are results. */
static void fill_results(unsigned int cmd, void *arg)
{
	struct evtchn_status *s = arg;

	switch (cmd) {
	case EVTCHNOP_alloc_unbound:
		((struct evtchn_alloc_unbound *)arg)->port = tape_number(w.t);
		break;
	case EVTCHNOP_bind_interdomain:
		((struct evtchn_bind_interdomain *)arg)->local_port =
			tape_number(w.t);
		break;
	case EVTCHNOP_bind_virq:
		((struct evtchn_bind_virq *)arg)->port = tape_number(w.t);
		break;
	case EVTCHNOP_bind_pirq:
		((struct evtchn_bind_pirq *)arg)->port = tape_number(w.t);
		break;
	case EVTCHNOP_bind_ipi:
		((struct evtchn_bind_ipi *)arg)->port = tape_number(w.t);
		break;
	case EVTCHNOP_status:
		s->status = tape_u8(w.t) % 8;
		s->vcpu = tape_number(w.t);
		s->u.virq = tape_number(w.t);
		break;
	default: /* a number, not a state: no results */
		break;
	}
}

int evg_plat_hypercall(struct evg_guest *g, unsigned int nr, unsigned int cmd,
		       void *arg)
{
	FUZZ_CHECK(g == &w.g);
	if (nr == __HYPERVISOR_event_channel_op)
		fill_results(cmd, arg);
	if (nr == __HYPERVISOR_hvm_op)
		memset(arg, tape_u8(w.t), 8);
	return take_result();
}

/* --- the platform -------------------------------------------------------- */

struct evg_vcpu *evg_plat_this_vcpu(struct evg_guest *g)
{
	FUZZ_CHECK(g == &w.g);
	return &w.vcpu[w.current];
}

struct evg_guest *evg_plat_this_guest(void)
{
	return &w.g;
}

unsigned long evg_plat_upcalls_save(struct evg_guest *g)
{
	FUZZ_CHECK(g == &w.g);
	return w.upcalls_off++;
}

static void upcall(void);

/* As a PV guest does: what is pending is taken when upcalls are on again. */
void evg_plat_upcalls_restore(struct evg_guest *g, unsigned long saved)
{
	FUZZ_CHECK(w.upcalls_off == saved + 1);
	w.upcalls_off--;
	if (!w.upcalls_off && !g->hvm && !w.depth &&
	    evg_upcall_is_pending(&w.vcpu[w.current]))
		upcall();
}

/* Nobody else runs: a lock that is held, or a handler, would be for ever. */
void evg_plat_relax(void)
{
	static const bool somebody_else_runs = false;

	FUZZ_CHECK(somebody_else_runs);
}

/* --- the guest ----------------------------------------------------------- */

static void take_op(void);

static bool is_own_port(evtchn_port_t port)
{
	return port && port < w.g.nr_ports;
}

static void nested(void)
{
	w.called++;
	if (w.depth > MAX_DEPTH || tape_u8(w.t) < 128)
		return;
	take_op();
}

static void on_event(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	FUZZ_CHECK(v == &w.vcpu[w.current] && is_own_port(port));
	FUZZ_CHECK(ctx == &w.port[port]);
	nested();
}

static int on_irq(int irq, void *dev_id)
{
	FUZZ_CHECK(irq >= w.g.irq_base && irq < w.g.irq_base + NR_IRQS);
	FUZZ_CHECK(dev_id == &w);
	nested();
	return (int)(w.called & 1);
}

/*
 * For each of budget looks at the flag: the selector, and 65 words of 2 halves,
 * 4 loads each.  For each port: the handler's bookkeeping, and passing it on.
 */
static uint64_t bound(void)
{
	return 64 + (uint64_t)w.g.budget * (16 + 65 * 2 * 4 + 64);
}

static void upcall(void)
{
	uint32_t outer = w.called;
	uint64_t steps = w.steps;
	unsigned int n;

	w.depth++;
	w.upcalls_off++;
	w.called = 0;
	n = evg_upcall(&w.vcpu[w.current]);
	FUZZ_CHECK(n <= w.g.budget && w.called >= n);
	if (w.depth == 1 && w.called == n && n == 0)
		FUZZ_CHECK(w.steps - steps <= bound());
	w.upcalls_off--;
	w.depth--;
	w.called = outer;
}

static void open_port(void)
{
	struct evg_guest *g = &w.g;
	evtchn_port_t port = 0;
	uint8_t b = tape_u8(w.t);
	int rc;

	if (b % 5 == 0)
		rc = evg_alloc_unbound(g, DOMID_SELF, 1, &port);
	else if (b % 5 == 1)
		rc = evg_bind_interdomain(g, 1, 1, &port);
	else if (b % 5 == 2)
		rc = evg_bind_virq(g, b / 5 % 3, tape_u8(w.t) % 4, &port);
	else if (b % 5 == 3)
		rc = evg_bind_pirq(g, 1, 0, &port);
	else
		rc = evg_bind_ipi(g, tape_u8(w.t) % 4, &port);
	if (!rc && is_own_port(port))
		(void)evg_bind_handler(g, port,
				       b < 128 ? EVG_VCPU_KEEP : b % 4u,
				       on_event, &w.port[port]);
}

static void use_port(evtchn_port_t port)
{
	struct evg_guest *g = &w.g;

	switch (tape_u8(w.t) % 10) {
	case 0:
		(void)evg_mask(g, port);
		break;
	case 1:
		(void)evg_unmask(g, port);
		break;
	case 2:
		(void)evg_close(g, port);
		break;
	case 3:
		(void)evg_notify(g, port);
		break;
	case 4:
		(void)evg_bind_vcpu(g, port, tape_u8(w.t) % 4);
		break;
	case 5:
		(void)evg_unbind_handler(g, port);
		break;
	case 6:
		(void)evg_set_pending(g, port);
		break;
	case 7:
		if (!evg_is_masked(g, port) || evg_is_pending(g, port))
			(void)evg_clear_pending(g, port);
		break;
	case 8:
		(void)evg_wait_handler(g, port);
		break;
	default: /* a number, not a state */
		if (is_own_port(port))
			(void)evg_bind_handler(g, port, EVG_VCPU_KEEP, on_event,
					       &w.port[port]);
		break;
	}
}

static void use_irq(void)
{
	uint8_t b = tape_u8(w.t);
	int irq = w.g.irq_base + b % (NR_IRQS + 2) - 1;

	switch (b / (NR_IRQS + 2) % 9) {
	case 0:
		(void)evg_irq_bind_handler(tape_number(w.t), on_irq, 0, "a",
					   &w);
		break;
	case 1:
		(void)evg_irq_bind_virq(b & 3, tape_u8(w.t) % 4, on_irq, 0, "b",
					&w);
		break;
	case 2:
		(void)evg_irq_bind_interdomain(1, 1, on_irq, 0, "c", &w);
		break;
	case 3:
		(void)evg_irq_bind_ipi(tape_u8(w.t) % 4, on_irq, 0, "d", &w);
		break;
	case 4:
		evg_irq_unbind(irq, &w);
		break;
	case 5:
		(void)evg_irq_disable(irq, b & 1);
		break;
	case 6:
		(void)evg_irq_enable(irq);
		break;
	case 7:
		(void)evg_irq_bind_port(tape_number(w.t));
		break;
	default: /* a number, not a state */
		(void)evg_irq_free(irq, &w);
		break;
	}
}

static void use_vcpu(void)
{
	uint8_t b = tape_u8(w.t);
	uint32_t offset = b % 4 * 64u + (b == 255);

	/* Who runs changes between two calls only. */
	if (b < 128 && !w.depth)
		w.current = b % NR_VCPUS;
	else if (b < 240)
		(void)evg_register_vcpu_info(&w.vcpu[w.current],
					     w.infos + offset, 1);
	else if (!w.depth)
		(void)evg_reset(&w.g);
}

static void take_op(void)
{
	uint8_t b = tape_u8(w.t);

	if (b < 96)
		upcall();
	else if (b < 112)
		take_store();
	else if (b < 128)
		post();
	else if (b < 160)
		open_port();
	else if (b < 208)
		use_port(tape_number(w.t));
	else if (b < 240)
		use_irq();
	else
		use_vcpu();
}

/* --- what must hold ------------------------------------------------------ */

static void check_port(evtchn_port_t port)
{
	const struct evg_port *e = &w.port[port];
	uint32_t vcpu = evb_u32_load(&e->vcpu), owners = 0, i;
	uint32_t irq = evb_u32_load(&e->irq);

	FUZZ_CHECK(!evb_u32_load(&e->lock.held));
	FUZZ_CHECK(!evb_u32_load(&e->running));
	FUZZ_CHECK(vcpu < NR_VCPUS && irq <= NR_IRQS);
	for (i = 0; i < NR_VCPUS; i++)
		owners += evb_test_bit(w.vcpu[i].own, port);
	FUZZ_CHECK(owners == (port != 0));
	if (port)
		FUZZ_CHECK(evb_test_bit(w.vcpu[vcpu].own, port));
	FUZZ_CHECK(!evb_test_bit(w.vcpu[vcpu].left, port));
	if (irq)
		FUZZ_CHECK(evb_u32_load(&w.irq[irq - 1].port) == port &&
			   w.irq[irq - 1].references);
}

static void check_guest(void)
{
	uint32_t i;

	for (i = 0; i < w.g.nr_ports; i++)
		check_port(i);
	for (i = 0; i < NR_VCPUS; i++) {
		FUZZ_CHECK(!evb_u32_load(&w.vcpu[i].inside));
		FUZZ_CHECK(evb_u32_load(&w.vcpu[i].timer_port) < w.g.nr_ports);
	}
	FUZZ_CHECK(!evb_u32_load(&w.g.lock.held));
	FUZZ_CHECK(!w.upcalls_off && !w.depth);
}

/* --- one input ----------------------------------------------------------- */

static void *lend(size_t size)
{
	void *p = aligned_alloc(64, (size + 63) / 64 * 64);

	FUZZ_CHECK(p);
	return memset(p, 0, (size + 63) / 64 * 64);
}

static void start(struct tape *t)
{
	static const uint32_t nr_ports[] = {64, 40, 1, 65, 33, 2, 96, 1024};
	uint8_t b = tape_u8(t);
	struct evg_config c = {
		.shared_info = lend(4096),
		.layout = b % 3,
		.hvm = b / 3 & 1,
		.nr_ports = nr_ports[tape_u8(t) % 8],
		.vcpu = lend(NR_VCPUS * sizeof(struct evg_vcpu)),
		.nr_vcpus = NR_VCPUS,
		.irq = malloc(NR_IRQS * sizeof(struct evg_irq)),
		.nr_irqs = NR_IRQS,
		.irq_base = b & 64 ? 16 : 0,
		.budget = b >> 3 & 7,
	};

	memset(&w, 0, sizeof(w));
	w.t = t;
	/* Ports of exactly this number: the next one is not there. */
	c.port = malloc(c.nr_ports * sizeof(*c.port));
	w.port = c.port;
	w.vcpu = c.vcpu;
	w.irq = c.irq;
	w.shared = c.shared_info;
	w.infos = lend(4096);
	FUZZ_CHECK(c.port && c.irq && evg_init(&w.g, &c) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tape t = {data, size};
	unsigned int i;

	start(&t);
	for (i = 0; i < MAX_OPS && t.left; i++) {
		take_op();
		check_guest();
	}
	free(w.port);
	free(w.vcpu);
	free(w.irq);
	free(w.shared);
	free(w.infos);
	return 0;
}
