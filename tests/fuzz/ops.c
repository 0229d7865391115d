/* SPDX-License-Identifier: MIT */
/*
 * One step of an input: a byte says what, a byte says which vCPU of which
 * domain, the rest are arguments.  Most steps are hypercalls, whose structures
 * lie anywhere in the guest's memory, at the edge of it, or outside.
 */
#include "ops.h"

#include <abi/sched.h>

#include "check.h"

struct caller {
	struct world_domain *w;
	struct evc_domain *d;
	struct evc_vcpu *v;
};

static struct caller take_caller(struct tape *t)
{
	uint8_t b = tape_u8(t);
	struct world_domain *w = &world.d[b % WORLD_DOMAINS];

	return (struct caller){w, &w->evc,
			       &w->vcpu[b / WORLD_DOMAINS % w->evc.nr_vcpus]};
}

static struct world_domain *take_domain(struct tape *t)
{
	return &world.d[tape_u8(t) % WORLD_DOMAINS];
}

/* --- guest addresses ----------------------------------------------------- */

/* Where a structure of @len bytes is, and a place to write it beforehand. */
static uint64_t take_address(struct tape *t, uint32_t len)
{
	uint8_t b = tape_u8(t);

	if (b < 192)
		return WORLD_RAM_AT + b;
	if (b < 208)
		return WORLD_RAM_READ + b;
	if (b < 240) /* some bytes of it, or all, are beyond the end */
		return WORLD_RAM_AT + WORLD_RAM - len + (b - 208) % (len + 2);
	return b < 248 ? b - 240u : tape_u64(t);
}

static void put(struct world_domain *w, uint64_t addr, const void *bytes,
		size_t len)
{
	uint64_t at = addr & ~(uint64_t)(WORLD_RAM_AT | WORLD_RAM_READ);

	if (at < WORLD_RAM && addr < WORLD_RAM_READ + WORLD_RAM)
		memcpy(w->ram + at, bytes,
		       len < WORLD_RAM - at ? len : WORLD_RAM - at);
}

/* --- hypercalls ---------------------------------------------------------- */

/* What the core may write to from now on.  @arg is as the guest gave it. */
static void note_pages(struct world_domain *w, uint32_t cmd, const void *arg,
		       int rc)
{
	const struct evtchn_init_control *c = arg;
	const struct evtchn_expand_array *a = arg;

	if (rc && rc != -XEN_EFAULT)
		return;
	if (cmd == EVTCHNOP_init_control && c->control_gfn < WORLD_FRAMES &&
	    c->offset <= 4096 - sizeof(struct evtchn_fifo_control_block))
		world_allow(&w->page[c->control_gfn], c->offset,
			    sizeof(struct evtchn_fifo_control_block));
	if (cmd == EVTCHNOP_expand_array && a->array_gfn < WORLD_FRAMES)
		world_allow(&w->page[a->array_gfn], 0, 4096);
}

static enum op_kind kind_of(uint32_t cmd)
{
	switch (cmd) {
	case EVTCHNOP_reset:
	case EVTCHNOP_reset_cont:
	case EVTCHNOP_init_control:
	case EVTCHNOP_expand_array:
		return OP_LINEAR;
	case EVTCHNOP_alloc_unbound:
	case EVTCHNOP_bind_interdomain:
	case EVTCHNOP_bind_virq:
	case EVTCHNOP_bind_pirq:
	case EVTCHNOP_bind_ipi:
		return OP_SCAN;
	default: /* a number, not a state */
		return OP_SHORT;
	}
}

static void judge(struct op_done *done, uint32_t cmd, int rc)
{
	FUZZ_CHECK(rc <= 0 && rc > -4096);
	if (cmd == EVTCHNOP_reset || cmd == EVTCHNOP_reset_cont)
		done->is_clean_failure = rc == -XEN_EPERM || rc == -XEN_EBUSY;
	else
		done->is_clean_failure = rc && rc != -XEN_EFAULT;
}

/* A result is written with success only. */
static int hypercall_checked(struct caller c, uint32_t cmd, uint64_t addr)
{
	uint8_t ram[WORLD_RAM];
	int rc;

	memcpy(ram, c.w->ram, sizeof(ram));
	rc = evc_hypercall(c.v, cmd, addr);
	if (rc && !world.is_hostile)
		FUZZ_CHECK(!memcmp(ram, c.w->ram, sizeof(ram)));
	return rc;
}

static void hypercall_raw(struct tape *t, struct caller c, struct op_done *done)
{
	uint32_t cmd = tape_u8(t) % (FUZZ_NR_OPS + 2), i;
	uint64_t addr = take_address(t, 16);
	_Alignas(8) uint8_t arg[24];
	int rc;

	for (i = 0; i < sizeof(arg); i++)
		arg[i] = tape_u8(t);
	put(c.w, addr, arg, sizeof(arg));
	if (cmd == FUZZ_NR_OPS + 1)
		cmd = tape_u32(t);
	done->kind = kind_of(cmd);
	rc = hypercall_checked(c, cmd, addr);
	note_pages(c.w, cmd, arg, rc);
	judge(done, cmd, rc);
}

static int call(struct tape *t, struct caller c, uint32_t cmd, bool compat)
{
	const char *fields = fuzz_op_fields(cmd);
	_Alignas(8) uint8_t arg[32];
	uint64_t addr = take_address(t, 16);
	int rc;

	memset(arg, 0xee, sizeof(arg));
	tape_fields(t, fields, arg);
	if (compat) {
		put(c.w, addr, &cmd, sizeof(cmd));
		put(c.w, addr + sizeof(cmd), arg, sizeof(arg));
		return evc_hypercall_compat(c.v, addr);
	}
	put(c.w, addr, arg, sizeof(arg));
	rc = hypercall_checked(c, cmd, addr);
	note_pages(c.w, cmd, arg, rc);
	return rc;
}

static void hypercall(struct tape *t, struct caller c, struct op_done *done)
{
	uint32_t cmd = tape_u8(t) % FUZZ_NR_OPS;

	done->kind = kind_of(cmd);
	judge(done, cmd, call(t, c, cmd, false));
}

static void hypercall_compat(struct tape *t, struct caller c,
			     struct op_done *done)
{
	uint32_t cmd = tape_u8(t) % FUZZ_NR_OPS;

	done->kind = kind_of(cmd);
	judge(done, cmd, call(t, c, cmd, true));
}

/* Many ports, or array pages, at once: the limits would not be met otherwise. */
static void open_many(struct tape *t, struct caller c, struct op_done *done)
{
	uint32_t n = tape_u8(t) * 8u, i;
	evtchn_port_t port;

	done->kind = OP_SCAN;
	for (i = 0; i < n; i++) {
		if (evc_alloc_unbound(c.d, DOMID_SELF, 1, &port))
			break;
	}
	done->repeated = i + 1;
}

static void expand_many(struct tape *t, struct caller c, struct op_done *done)
{
	uint32_t n = tape_u8(t), i;

	done->kind = OP_LINEAR;
	done->repeated = n + 1;
	for (i = 0; i < n; i++) {
		struct evtchn_expand_array a = {.array_gfn = i % WORLD_FRAMES};

		if (evc_expand_array(c.d, a.array_gfn))
			break;
		note_pages(c.w, EVTCHNOP_expand_array, &a, 0);
	}
}

/* Two domains that know each other, or one and itself. */
static void connect(struct tape *t, struct caller c, struct op_done *done)
{
	struct world_domain *other = take_domain(t);
	evtchn_port_t local, remote;

	done->kind = OP_SCAN;
	done->repeated = 2;
	if (!evc_alloc_unbound(&other->evc, DOMID_SELF, c.d->domid, &remote))
		(void)evc_bind_interdomain(c.d, other->evc.domid, remote,
					   &local);
}

/* A control block for the vCPU, at the start of a page, and an array page. */
static void use_fifo(struct tape *t, struct caller c, struct op_done *done)
{
	uint8_t b = tape_u8(t);
	struct evtchn_init_control ic = {
		.control_gfn = b % WORLD_FRAMES,
		.offset = b / WORLD_FRAMES * 96u,
		.vcpu = c.v->id,
	};
	struct evtchn_expand_array a = {.array_gfn = tape_u8(t) % WORLD_FRAMES};

	done->kind = OP_LINEAR;
	done->repeated = 2;
	if (!evc_init_control(c.d, &ic))
		note_pages(c.w, EVTCHNOP_init_control, &ic, 0);
	if (!c.d->fifo->nr_pages && !evc_expand_array(c.d, a.array_gfn))
		note_pages(c.w, EVTCHNOP_expand_array, &a, 0);
}

/* --- poll ---------------------------------------------------------------- */

static void poll_ports(struct tape *t, struct caller c, struct op_done *done)
{
	struct sched_poll p = {.ports = take_address(t, 8),
			       .nr_ports = tape_number(t)};
	uint64_t addr = take_address(t, sizeof(p)), timeout;
	evtchn_port_t port[4];
	uint32_t i;
	int rc;

	for (i = 0; i < 4; i++)
		port[i] = tape_number(t);
	put(c.w, addr, &p, sizeof(p));
	put(c.w, p.ports, port, sizeof(port));
	rc = evc_poll(c.v, addr, &timeout);
	FUZZ_CHECK(rc <= EVC_BLOCK && rc > -4096);
	done->is_clean_failure = rc < 0;
	done->repeated = EVC_POLL_MAX_PORTS;
}

static void poll_ports_32(struct tape *t, struct caller c, struct op_done *done)
{
	struct sched_poll_32 p = {.ports = (uint32_t)take_address(t, 8),
				  .nr_ports = tape_number(t)};
	uint64_t addr = take_address(t, sizeof(p)), timeout;
	evtchn_port_t port = tape_number(t);
	int rc;

	put(c.w, addr, &p, sizeof(p));
	put(c.w, p.ports, &port, sizeof(port));
	rc = evc_poll_32(c.v, addr, &timeout);
	FUZZ_CHECK(rc <= EVC_BLOCK && rc > -4096);
	done->is_clean_failure = rc < 0;
	done->repeated = EVC_POLL_MAX_PORTS;
}

static void poll_end(struct tape *t, struct caller c, struct op_done *done)
{
	(void)t;
	(void)done;
	evc_poll_end(c.v);
	FUZZ_CHECK(evc_poll_is_over(c.v));
}

/* --- the hypervisor's own events ----------------------------------------- */

static void raise(struct tape *t, struct caller c, struct op_done *done)
{
	uint8_t which = tape_u8(t) % 4;
	uint32_t n = tape_number(t);

	(void)done;
	if (which == 0)
		evc_virq_raise(c.v, n);
	else if (which == 1)
		evc_virq_raise_domain(c.d, n);
	else if (which == 2)
		evc_virq_raise_global(&world.machine, n);
	else
		evc_pirq_raise(c.d, n);
}

static void set_handler(struct tape *t, struct caller c, struct op_done *done)
{
	uint32_t virq = tape_number(t);

	(void)done;
	if (virq == 255)
		evc_machine_set_hwdom(&world.machine, c.d);
	else
		(void)evc_virq_set_handler(c.d, virq);
}

/* More callbacks than the machine has room for; all do the same. */
static void consume_1(struct evc_vcpu *v, evtchn_port_t port)
{
	world_consume(v, port);
}

static void consume_2(struct evc_vcpu *v, evtchn_port_t port)
{
	world_consume(v, port);
}

static void consumer(struct tape *t, struct caller c, struct op_done *done)
{
	static const evc_consumer_fn fn[] = {world_consume, consume_1,
					     consume_2, NULL};
	uint8_t which = tape_u8(t);
	evtchn_port_t port = tape_number(t);
	domid_t domid;

	if (which % 4 == 0) {
		evc_consumer_notify(c.d, port);
	} else if (which % 4 == 1) {
		(void)evc_consumer_free(c.d, port);
	} else {
		domid = tape_domid(t);
		done->kind = OP_SCAN;
		(void)evc_consumer_alloc(c.d, tape_number(t), domid,
					 fn[which / 4 % 4], &port);
	}
}

/* --- what Xen does not have ---------------------------------------------- */

static void extras(struct tape *t, struct caller c, struct op_done *done)
{
	uint8_t which = tape_u8(t);
	uint32_t n = tape_number(t);
	struct evc_domain_counters all;
	struct evc_counters one;

	done->kind = OP_LINEAR;
	if (which % 5 == 0) {
		(void)evc_watch_peer(c.d, n, which & 8);
	} else if (which % 5 == 1) {
		FUZZ_CHECK(!evc_limit_set(c.d, n % 8));
	} else if (which % 5 == 2) {
		(void)evc_limit_refill(c.d);
	} else if (which % 5 == 3) {
		if (!evc_channel_counters(c.d, n, &one))
			FUZZ_CHECK(one.posted <= one.sent);
	} else {
		evc_domain_counters(c.d, &all);
		FUZZ_CHECK(all.nr_open == c.d->ports.nr_open);
	}
}

/* --- the host's doings --------------------------------------------------- */

static void register_info(struct tape *t, struct caller c, struct op_done *done)
{
	struct world_page *p = &c.w->page[WORLD_INFO];
	uint32_t offset = tape_u8(t) * 16u % (4096 - 64);

	(void)done;
	if (tape_u8(t) == 255)
		offset += 4; /* misaligned */
	if (!evc_vcpu_register_info(c.v, p->mem + offset)) {
		FUZZ_CHECK(offset % 8 == 0);
		world_allow(p, offset, 64);
	}
}

static void control(struct tape *t, struct caller c, struct op_done *done)
{
	uint8_t which = tape_u8(t);
	struct world_domain *other = take_domain(t);

	(void)done;
	if (which % 4 == 0)
		evc_domain_set_paused(c.d, which & 4);
	else if (which % 4 == 1)
		evc_domain_set_target(c.d, which & 4 ? &other->evc : NULL);
	else if (which % 4 == 2 && !c.d->ports.nr_open && !check_is_fifo(c.d))
		/* only while the guest uses no event */
		evc_domain_set_width(c.d, EVC_WIDTH_32);
}

static void destroy(struct tape *t, struct caller c, struct op_done *done)
{
	(void)t;
	done->kind = OP_LINEAR;
	(void)world_destroy(c.w);
}

static void answers(struct tape *t, struct caller c, struct op_done *done)
{
	static const int rc[] = {0,	     0,		  0,	       0,
				 -XEN_EBUSY, -XEN_ENOMEM, -XEN_EINVAL, 0};
	uint8_t b = tape_u8(t);

	(void)c;
	(void)done;
	world.say = (struct world_answers){
		.no_memory = b & 1,
		.refuse = b & 2,
		.yield = b & 4,
		.upcall_enabled = b & 8,
		.talkative = b & 16,
		.pirq_bind_rc = rc[b >> 5],
		.pirq_refused = tape_u8(t),
	};
}

/* --- one step ------------------------------------------------------------ */

struct op_done ops_next(struct tape *t)
{
	static void (*const ops[])(struct tape *, struct caller,
				   struct op_done *) = {
		/* 0 */ hypercall,    hypercall,     hypercall,
		/* 3 */ hypercall,    hypercall,     hypercall,
		/* 6 */ hypercall,    hypercall,     hypercall,
		/* 9 */ hypercall,    hypercall,     hypercall,
		/* 12 */ hypercall,   hypercall_raw, hypercall_compat,
		/* 15 */ poll_ports,  poll_ports_32, poll_end,
		/* 18 */ raise,	      raise,	     connect,
		/* 21 */ consumer,    use_fifo,	     register_info,
		/* 24 */ control,     destroy,	     answers,
		/* 27 */ set_handler, open_many,     expand_many,
		/* 30 */ extras,      extras,
	};
	uint8_t which = tape_u8(t) % (sizeof(ops) / sizeof(ops[0]));
	struct caller c = take_caller(t);
	struct op_done done = {.w = c.w, .repeated = 1};

	ops[which](t, c, &done);
	return done;
}
