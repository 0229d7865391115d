/* SPDX-License-Identifier: MIT */
/*
 * Every kind of operation: how it is done to the model and to the core, and
 * which results it must have had before a long random run counts as one
 * (the codes are those that evc.h names).
 */
#include "tests/model/ops.h"

#include <stddef.h>
#include <string.h>

#include "tests/model/guest.h"
#include "tests/model/world.h"

#define ALL_LINES MODEL_PIRQS

#ifdef EVC_TEST_NO_FIFO
#define FIFO false
#else
#define FIFO true
#endif

/* Domains of all kinds; domain n begins as shapes[n]. */
static const struct model_shape shapes[OP_SHAPES] = {
	/* is_64, fifo, privileged, check_send, limit, vcpus, buckets, lent,
	   max, lines */
	{true, false, true, false, false, 2, 80, 1, MODEL_NOBODY, ALL_LINES},
	{true, FIFO, false, true, true, 3, 80, 0, MODEL_NOBODY, ALL_LINES},
	{false, FIFO, false, false, true, 2, 20, 3, MODEL_NOBODY, 4},
	{true, FIFO, false, false, false, 34, 3, 0, 130, ALL_LINES},
	{false, false, false, false, false, 1, 1, 0, 5, 0},
	{true, FIFO, false, false, true, 1, 18, 0, 1023, ALL_LINES},
	{true, false, false, true, false, 4, 1, 1, MODEL_NOBODY, 1},
	{false, FIFO, true, false, true, 2, 80, 0, 1100, ALL_LINES},
};

/* --- helpers ----------------------------------------------------------------- */

static struct model_domain *model_of(struct model *m, const struct op *o)
{
	return &m->domain[o->arg[A_DOM]];
}

static struct evc_domain *core_of(const struct op *o)
{
	return &world.domain[o->arg[A_DOM]]->d;
}

static struct evc_vcpu *vcpu_of(const struct op *o)
{
	return &core_of(o)->vcpu[o->arg[A_VCPU]];
}

/* Guest addresses beyond memory: some below it, some at the end of all. */
static uint64_t address(const struct op *o)
{
	return (uint64_t)(int64_t)(int32_t)o->arg[A_AT];
}

/* The guest writes to its memory, as far as there is any. */
static void write_guest(struct model *m, bool real, const struct op *o,
			const void *from, uint32_t size)
{
	uint64_t offset = address(o) - MODEL_BASE;

	if (offset >= MODEL_MEMORY)
		return;
	if (size > MODEL_MEMORY - offset)
		size = (uint32_t)(MODEL_MEMORY - offset);
	memcpy(model_of(m, o)->memory + offset, from, size);
	if (real)
		memcpy(world.domain[o->arg[A_DOM]]->memory + offset, from,
		       size);
}

/* --- hypercalls --------------------------------------------------------------- */

#define JUNK 0xa5

/* The structure of operation @cmd; what is not an input is junk. */
static uint32_t encode(uint32_t cmd, const uint32_t *arg, void *to)
{
	const uint32_t a = arg[A_1], b = arg[A_2], c = arg[A_3];
	struct evtchn_op *op = to;

	memset(to, JUNK, sizeof(*op));
	to = &op->u;
	switch (cmd) {
	case EVTCHNOP_alloc_unbound:
		op->u.alloc_unbound.dom = (domid_t)a;
		op->u.alloc_unbound.remote_dom = (domid_t)b;
		return sizeof(op->u.alloc_unbound);
	case EVTCHNOP_bind_interdomain:
		op->u.bind_interdomain.remote_dom = (domid_t)a;
		op->u.bind_interdomain.remote_port = b;
		return sizeof(op->u.bind_interdomain);
	case EVTCHNOP_status:
		op->u.status.dom = (domid_t)a;
		op->u.status.port = b;
		return sizeof(op->u.status);
	case EVTCHNOP_reset:
	case EVTCHNOP_reset_cont:
		memcpy(to, &(struct evtchn_reset){(domid_t)a}, 2);
		return sizeof(struct evtchn_reset);
	case EVTCHNOP_init_control:
		memcpy(to,
		       &(struct evtchn_init_control){
			       (uint64_t)(int64_t)(int32_t)a, b, c, 0, {0}},
		       sizeof(struct evtchn_init_control));
		return sizeof(struct evtchn_init_control);
	case EVTCHNOP_expand_array:
		memcpy(to,
		       &(struct evtchn_expand_array){
			       (uint64_t)(int64_t)(int32_t)a},
		       sizeof(struct evtchn_expand_array));
		return sizeof(struct evtchn_expand_array);
	default:
		/* The others begin with one or two numbers. */
		memcpy(to, &arg[A_1], 8);
		return 12;
	}
}

static void perform_hypercall(struct model *m, bool real, const struct op *o,
			      struct op_result *r)
{
	struct evtchn_op op;
	uint32_t size = encode(o->kind, o->arg, &op);

	write_guest(m, real, o, &op.u, size);
	r->rc[0] = model_hypercall(m, o->arg[A_DOM], o->kind, address(o));
	if (real)
		r->rc[1] = evc_hypercall(vcpu_of(o), o->kind, address(o));
}

/* Any number, and no structure: the operation finds what is there. */
static void perform_raw(struct model *m, bool real, const struct op *o,
			struct op_result *r)
{
	r->rc[0] = model_hypercall(m, o->arg[A_DOM], o->arg[A_1], address(o));
	if (real)
		r->rc[1] = evc_hypercall(vcpu_of(o), o->arg[A_1], address(o));
}

/* arg[A_3] is the number; the two before it are the first two arguments. */
static void perform_compat(struct model *m, bool real, const struct op *o,
			   struct op_result *r)
{
	struct evtchn_op op;

	(void)encode(o->arg[A_3], o->arg, &op);
	op.cmd = o->arg[A_3];
	write_guest(m, real, o, &op, sizeof(op));
	r->rc[0] = model_compat(m, o->arg[A_DOM], address(o));
	if (real)
		r->rc[1] = evc_hypercall_compat(vcpu_of(o), address(o));
}

/* --- polling ------------------------------------------------------------------- */

#define POLL_PORTS   (MODEL_BASE + 4096 + 2048)
#define POLL_BEYOND  0x10000u /* flag in the number: the array is cut off */
#define POLL_TIMEOUT 0x123456789abcdefull

static void write_ports(struct model *m, bool real, const struct op *o,
			uint32_t at)
{
	uint32_t ports[130], i;
	struct op write = *o;

	for (i = 0; i < 130; i++)
		ports[i] = o->arg[i == 0 ? A_1 : A_2];
	write.arg[A_AT] = at;
	write_guest(m, real, &write, ports, sizeof(ports));
}

static void perform_poll(struct model *m, bool real, const struct op *o,
			 struct op_result *r)
{
	const bool narrow = o->kind == OP_POLL_32;
	const uint32_t nr = o->arg[A_3] & 0xffff;
	const uint32_t ports = o->arg[A_3] & POLL_BEYOND
				       ? MODEL_BASE + MODEL_MEMORY - 4
				       : POLL_PORTS;
	const uint64_t until = POLL_TIMEOUT;
	uint8_t p[24] = {0};

	memcpy(p, &ports, 4);
	memcpy(p + (narrow ? 4 : 8), &nr, 4);
	memcpy(p + (narrow ? 8 : 16), &until, 8);
	write_ports(m, real, o, ports);
	write_guest(m, real, o, p, narrow ? 16 : 24);
	r->rc[0] = model_poll(m, o->arg[A_DOM], o->arg[A_VCPU], address(o),
			      narrow, &r->out[0]);
	if (real)
		r->rc[1] =
			narrow ? evc_poll_32(vcpu_of(o), address(o), &r->out[1])
			       : evc_poll(vcpu_of(o), address(o), &r->out[1]);
}

static void perform_poll_end(struct model *m, bool real, const struct op *o,
			     struct op_result *r)
{
	(void)r;
	model_of(m, o)->poll[o->arg[A_VCPU]] = 0;
	if (real)
		evc_poll_end(vcpu_of(o));
}

/* --- sources --------------------------------------------------------------------- */

static void perform_virq(struct model *m, bool real, const struct op *o,
			 struct op_result *r)
{
	const uint32_t virq = o->arg[A_1];

	(void)r;
	if (o->kind == OP_VIRQ)
		model_virq(m, o->arg[A_DOM], o->arg[A_VCPU], virq);
	else if (o->kind == OP_VIRQ_DOMAIN)
		model_virq_domain(m, o->arg[A_DOM], virq);
	else
		model_virq_global(m, virq);
	if (!real)
		return;
	if (o->kind == OP_VIRQ)
		evc_virq_raise(vcpu_of(o), virq);
	else if (o->kind == OP_VIRQ_DOMAIN)
		evc_virq_raise_domain(core_of(o), virq);
	else
		evc_virq_raise_global(&world.machine, virq);
}

static void perform_set_handler(struct model *m, bool real, const struct op *o,
				struct op_result *r)
{
	r->rc[0] = model_set_handler(m, o->arg[A_DOM], o->arg[A_1]);
	if (real)
		r->rc[1] = evc_virq_set_handler(core_of(o), o->arg[A_1]);
}

/* Not while the domain is destroyed: the machine would keep a dead one. */
static void perform_hwdom(struct model *m, bool real, const struct op *o,
			  struct op_result *r)
{
	if (model_of(m, o)->dying) {
		r->rc[0] = r->rc[1] = OP_SKIPPED;
		return;
	}
	m->hwdom = o->arg[A_1] ? o->arg[A_DOM] : MODEL_NOBODY;
	if (real)
		evc_machine_set_hwdom(&world.machine,
				      o->arg[A_1] ? core_of(o) : NULL);
}

static void perform_pirq(struct model *m, bool real, const struct op *o,
			 struct op_result *r)
{
	(void)r;
	model_pirq(m, o->arg[A_DOM], o->arg[A_1]);
	if (real)
		evc_pirq_raise(core_of(o), o->arg[A_1]);
}

/* --- ends the hypervisor owns -------------------------------------------------------- */

/* arg[A_3]: which callback; one too many is none. */
static void perform_consumer_alloc(struct model *m, bool real,
				   const struct op *o, struct op_result *r)
{
	const uint32_t fn = o->arg[A_3] % (WORLD_CALLBACKS + 1);
	const bool none = fn == WORLD_CALLBACKS;
	uint32_t port[2] = {0, 0};

	r->rc[0] = model_consumer_alloc(m, o->arg[A_DOM], o->arg[A_1],
					o->arg[A_2] & 0xffff,
					none ? MODEL_NOBODY : fn, &port[0]);
	if (real)
		r->rc[1] = evc_consumer_alloc(
			core_of(o), o->arg[A_1], (domid_t)o->arg[A_2],
			none ? NULL : world_callback[fn], &port[1]);
	r->out[0] = port[0];
	r->out[1] = port[1];
}

static void perform_consumer_free(struct model *m, bool real,
				  const struct op *o, struct op_result *r)
{
	r->rc[0] = model_consumer_free(m, o->arg[A_DOM], o->arg[A_1]);
	if (real)
		r->rc[1] = evc_consumer_free(core_of(o), o->arg[A_1]);
}

static void perform_consumer_notify(struct model *m, bool real,
				    const struct op *o, struct op_result *r)
{
	(void)r;
	model_consumer_notify(m, o->arg[A_DOM], o->arg[A_1]);
	if (real)
		evc_consumer_notify(core_of(o), o->arg[A_1]);
}

/* --- domains --------------------------------------------------------------------- */

/*
 * arg[A_1]: 0 to 63 a place in page 8, 64 to 95 one in shared_info, 96 a
 * misaligned one, else none.
 */
static void perform_info(struct model *m, bool real, const struct op *o,
			 struct op_result *r)
{
	const uint32_t place = o->arg[A_1];
	uint32_t at = place * 64 + 8 * 4096;

	if (place >= 64)
		at = (place - 64) * 64;
	if (place == 96)
		at = 8 * 4096 + 4;
	if (place > 96)
		at = MODEL_NOBODY;
	r->rc[0] = model_register_info(m, o->arg[A_DOM], o->arg[A_VCPU], at);
	if (real)
		r->rc[1] = evc_vcpu_register_info(
			vcpu_of(o),
			at == MODEL_NOBODY
				? NULL
				: world.domain[o->arg[A_DOM]]->memory + at);
}

static void perform_width(struct model *m, bool real, const struct op *o,
			  struct op_result *r)
{
	(void)r;
	model_of(m, o)->is_64 = o->arg[A_1];
	if (real)
		evc_domain_set_width(core_of(o),
				     o->arg[A_1] ? EVC_WIDTH_64 : EVC_WIDTH_32);
}

static void perform_pause(struct model *m, bool real, const struct op *o,
			  struct op_result *r)
{
	(void)r;
	model_of(m, o)->paused = o->arg[A_1];
	if (real)
		evc_domain_set_paused(core_of(o), o->arg[A_1]);
}

static void perform_target(struct model *m, bool real, const struct op *o,
			   struct op_result *r)
{
	const uint32_t t = o->arg[A_1];
	const bool none = t >= MODEL_DOMAINS || !m->domain[t].exists;

	(void)r;
	model_of(m, o)->target = none ? MODEL_NOBODY : t;
	if (real)
		evc_domain_set_target(core_of(o),
				      none ? NULL : &world.domain[t]->d);
}

static void perform_create(struct model *m, bool real, const struct op *o,
			   struct op_result *r)
{
	const struct model_shape *s = &shapes[o->arg[A_1] % OP_SHAPES];

	r->rc[0] = model_create(m, o->arg[A_DOM], s, o->arg[A_2]);
	if (real)
		r->rc[1] = world_create(o->arg[A_DOM], s, o->arg[A_2]);
}

static void perform_destroy(struct model *m, bool real, const struct op *o,
			    struct op_result *r)
{
	r->rc[0] = model_destroy(m, o->arg[A_DOM]);
	if (real)
		r->rc[1] = evc_domain_destroy(core_of(o));
}

static void perform_remove(struct model *m, bool real, const struct op *o,
			   struct op_result *r)
{
	if (!model_of(m, o)->gone) {
		r->rc[0] = r->rc[1] = OP_SKIPPED;
		return;
	}
	model_remove(m, o->arg[A_DOM]);
	if (real)
		world_remove(o->arg[A_DOM]);
}

static void perform_watch(struct model *m, bool real, const struct op *o,
			  struct op_result *r)
{
	r->rc[0] = model_watch_peer(m, o->arg[A_DOM], o->arg[A_1], o->arg[A_2]);
	if (real)
		r->rc[1] = evc_watch_peer(core_of(o), o->arg[A_1], o->arg[A_2]);
}

static void perform_limit(struct model *m, bool real, const struct op *o,
			  struct op_result *r)
{
	r->rc[0] = model_limit_set(m, o->arg[A_DOM], o->arg[A_1]);
	if (real)
		r->rc[1] = evc_limit_set(core_of(o), o->arg[A_1]);
}

static void perform_refill(struct model *m, bool real, const struct op *o,
			   struct op_result *r)
{
	r->out[0] = model_limit_refill(m, o->arg[A_DOM]);
	if (real)
		r->out[1] = evc_limit_refill(core_of(o));
}

/* --- the guest --------------------------------------------------------------------- */

static void do_guest(uint8_t *memory, const struct model_domain *d,
		     const struct op *o)
{
	if (o->kind == OP_BITS)
		guest_bits(memory, d, o->arg[A_1] % 131072,
			   o->arg[A_2] % BITS_KINDS);
	else if (o->kind == OP_COLLECT)
		guest_collect(memory, d, o->arg[A_VCPU], o->arg[A_1]);
	else
		guest_wipe(memory, o->arg[A_1] % MODEL_PAGES, o->arg[A_2]);
}

static void perform_guest(struct model *m, bool real, const struct op *o,
			  struct op_result *r)
{
	struct model_domain *d = model_of(m, o);

	(void)r;
	do_guest(d->memory, d, o);
	if (real)
		do_guest(world.domain[d->id]->memory, d, o);
}

static void perform_poke(struct model *m, bool real, const struct op *o,
			 struct op_result *r)
{
	(void)r;
	write_guest(m, real, o, &o->arg[A_1], 4);
}

/* --- many at once ------------------------------------------------------------------- */

/* Open IPIs until one fails. */
static void perform_fill(struct model *m, bool real, const struct op *o,
			 struct op_result *r)
{
	uint32_t port[2] = {0, 0}, i;

	for (i = 0; i < o->arg[A_1] && !r->rc[0] && r->rc[0] == r->rc[1] &&
		    port[0] == port[1];
	     i++) {
		r->rc[0] = model_bind_ipi(m, model_of(m, o), o->arg[A_VCPU],
					  &port[0]);
		r->rc[1] = r->rc[0];
		port[1] = port[0];
		if (real)
			r->rc[1] = evc_bind_ipi(core_of(o), o->arg[A_VCPU],
						&port[1]);
	}
	r->out[0] = port[0];
	r->out[1] = port[1];
}

static void perform_empty(struct model *m, bool real, const struct op *o,
			  struct op_result *r)
{
	uint32_t i;

	for (i = 0; i < o->arg[A_2] % MODEL_PORTS && r->rc[0] == r->rc[1];
	     i++) {
		r->rc[0] = model_close(m, model_of(m, o), o->arg[A_1] + i);
		r->rc[1] = r->rc[0];
		if (real)
			r->rc[1] = evc_close(core_of(o), o->arg[A_1] + i);
	}
}

/* Add array pages, all the same frame. */
static void perform_expand(struct model *m, bool real, const struct op *o,
			   struct op_result *r)
{
	struct op once = *o;
	uint32_t i;

	once.kind = EVTCHNOP_expand_array;
	for (i = 0; i < o->arg[A_2] % 200 && !r->rc[0] && r->rc[0] == r->rc[1];
	     i++) {
		perform_hypercall(m, real, &once, r);
		if (!real)
			r->rc[1] = r->rc[0];
	}
}

/* --- the table ---------------------------------------------------------------------- */

#define HYPERCALL(name, a, b, c, codes)                      \
	[EVTCHNOP_##name] = {#name,                          \
			     {"dom", "vcpu", a, b, c, "at"}, \
			     perform_hypercall,              \
			     codes}

const struct op_kind_info op_kinds[OP_KINDS] = {
	HYPERCALL(bind_interdomain, "remote_dom", "remote_port", NULL,
		  "0 ESRCH EINVAL ENOSPC ENOMEM EPERM EFAULT"),
	HYPERCALL(bind_virq, "virq", "to", NULL,
		  "0 EINVAL ENOENT EBUSY EEXIST ENOSPC ENOMEM EFAULT"),
	HYPERCALL(bind_pirq, "pirq", "flags", NULL,
		  "0 EINVAL EPERM EEXIST EBUSY ENOSPC ENOMEM EFAULT"),
	HYPERCALL(close, "port", NULL, NULL, "0 EINVAL EFAULT"),
	HYPERCALL(send, "port", NULL, NULL, "0 EINVAL EPERM EFAULT"),
	HYPERCALL(status, "of", "port", NULL,
		  "0 ESRCH EINVAL EACCES EPERM EFAULT"),
	HYPERCALL(alloc_unbound, "in", "remote_dom", NULL,
		  "0 ESRCH EINVAL ENOSPC ENOMEM EPERM EFAULT"),
	HYPERCALL(bind_ipi, "to", NULL, NULL,
		  "0 ENOENT EINVAL ENOSPC ENOMEM EFAULT"),
	HYPERCALL(bind_vcpu, "port", "to", NULL, "0 ENOENT EINVAL EFAULT"),
	HYPERCALL(unmask, "port", NULL, NULL, "0 EINVAL EFAULT"),
	HYPERCALL(reset, "of", NULL, NULL,
		  "0 ESRCH EPERM EINVAL EBUSY ERESTART EFAULT"),
	HYPERCALL(init_control, "gfn", "offset", "to",
		  "0 EOPNOTSUPP ENOENT EINVAL EFAULT"),
	HYPERCALL(expand_array, "gfn", NULL, NULL,
		  "0 EOPNOTSUPP ENOSPC EINVAL EFAULT"),
	HYPERCALL(set_priority, "port", "priority", NULL,
		  "0 EINVAL ENOSYS EACCES EFAULT"),
	HYPERCALL(reset_cont, "of", NULL, NULL,
		  "0 ESRCH EPERM EINVAL EBUSY EAGAIN ERESTART EFAULT"),
	[OP_RAW] = {"raw",
		    {"dom", "vcpu", "cmd", NULL, NULL, "at"},
		    perform_raw,
		    "0 ENOSYS EFAULT"},
	[OP_COMPAT] = {"compat",
		       {"dom", "vcpu", "a", "b", "cmd", "at"},
		       perform_compat,
		       "0 ENOSYS EFAULT EINVAL ENOENT ESRCH"},
	[OP_POLL] = {"poll",
		     {"dom", "vcpu", "first", "others", "nr", "at"},
		     perform_poll,
		     "0 BLOCK EFAULT EINVAL"},
	[OP_POLL_32] = {"poll_32",
			{"dom", "vcpu", "first", "others", "nr", "at"},
			perform_poll,
			"0 BLOCK EFAULT EINVAL"},
	[OP_POLL_END] = {"poll_end", {"dom", "vcpu"}, perform_poll_end, "0"},
	[OP_VIRQ] = {"virq", {"dom", "vcpu", "virq"}, perform_virq, "0"},
	[OP_VIRQ_DOMAIN] = {"virq_domain",
			    {"dom", NULL, "virq"},
			    perform_virq,
			    "0"},
	[OP_VIRQ_GLOBAL] = {"virq_global",
			    {"dom", NULL, "virq"},
			    perform_virq,
			    "0"},
	[OP_SET_HANDLER] = {"set_handler",
			    {"dom", NULL, "virq"},
			    perform_set_handler,
			    "0 EINVAL EBUSY"},
	[OP_HWDOM] = {"hwdom", {"dom", NULL, "on"}, perform_hwdom, "0"},
	[OP_PIRQ] = {"pirq", {"dom", NULL, "pirq"}, perform_pirq, "0"},
	[OP_CONSUMER_ALLOC] = {"consumer_alloc",
			       {"dom", NULL, "to", "remote_dom", "fn"},
			       perform_consumer_alloc,
			       "0 ENOENT EINVAL ENOSPC ENOMEM ENOBUFS"},
	[OP_CONSUMER_FREE] = {"consumer_free",
			      {"dom", NULL, "port"},
			      perform_consumer_free,
			      "0 EINVAL"},
	[OP_CONSUMER_NOTIFY] = {"consumer_notify",
				{"dom", NULL, "port"},
				perform_consumer_notify,
				"0"},
	[OP_INFO] = {"register_info",
		     {"dom", "vcpu", "place"},
		     perform_info,
		     "0 EINVAL EBUSY"},
	[OP_WIDTH] = {"width", {"dom", NULL, "is_64"}, perform_width, "0"},
	[OP_PAUSE] = {"pause", {"dom", NULL, "on"}, perform_pause, "0"},
	[OP_TARGET] = {"target", {"dom", NULL, "target"}, perform_target, "0"},
	[OP_CREATE] = {"create",
		       {"dom", NULL, "shape", "generation"},
		       perform_create,
		       "0 ENOMEM"},
	[OP_DESTROY] = {"destroy", {"dom"}, perform_destroy, "0 ERESTART"},
	[OP_REMOVE] = {"remove", {"dom"}, perform_remove, "0"},
	[OP_WATCH] = {"watch_peer",
		      {"dom", NULL, "port", "on"},
		      perform_watch,
		      "0 EINVAL"},
	[OP_LIMIT] = {"limit_set",
		      {"dom", NULL, "burst"},
		      perform_limit,
		      "0 EOPNOTSUPP"},
	[OP_REFILL] = {"limit_refill", {"dom"}, perform_refill, "0"},
	[OP_BITS] = {"guest_bits",
		     {"dom", NULL, "port", "what"},
		     perform_guest,
		     "0"},
	[OP_COLLECT] = {"guest_collect",
			{"dom", "vcpu", "most"},
			perform_guest,
			"0"},
	[OP_POKE] = {"guest_poke",
		     {"dom", NULL, "value", NULL, NULL, "at"},
		     perform_poke,
		     "0"},
	[OP_WIPE] = {"guest_wipe",
		     {"dom", NULL, "page", "value"},
		     perform_guest,
		     "0"},
	[OP_FILL] = {"fill", {"dom", "vcpu", "nr"}, perform_fill, "0 ENOSPC"},
	[OP_EMPTY] = {"empty",
		      {"dom", NULL, "from", "nr"},
		      perform_empty,
		      "0 EINVAL"},
	[OP_EXPAND] = {"expand_many",
		       {"dom", "vcpu", "gfn", "nr", NULL, "at"},
		       perform_expand,
		       "0 EOPNOTSUPP ENOSPC"},
};

/* --- performing ---------------------------------------------------------------------- */

static bool can_be_done(const struct model *m, const struct op *o)
{
	const struct model_domain *d;

	if (o->arg[A_DOM] >= MODEL_DOMAINS)
		return false;
	d = &m->domain[o->arg[A_DOM]];
	if (o->kind == OP_CREATE)
		return !d->exists;
	return d->exists && o->arg[A_VCPU] < d->shape.nr_vcpus;
}

static struct model_host host_of(uint32_t env)
{
	struct model_host h = {
		.no_memory = env & ENV_NO_MEMORY,
		.refuse = env & ENV_REFUSE,
		.yield = env & ENV_YIELD,
		.upcall = env & ENV_UPCALL,
	};

	if (env & ENV_LINE_EINVAL)
		h.pirq_rc = -XEN_EINVAL;
	if (env & ENV_LINE_EBUSY)
		h.pirq_rc = -XEN_EBUSY;
	if (env & ENV_LINE_ENOMEM)
		h.pirq_rc = -XEN_ENOMEM;
	return h;
}

struct op_result op_perform(struct model *m, bool real, const struct op *o)
{
	struct op_result r = {{0, 0}, {0, 0}};

	m->host = world.host = host_of(o->env);
	m->events.nr = world.events.nr = 0;
	if (can_be_done(m, o))
		op_kinds[o->kind].perform(m, real, o, &r);
	else
		r.rc[0] = r.rc[1] = OP_SKIPPED;
	m->host = world.host = (struct model_host){0};
	return r;
}
