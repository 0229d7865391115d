/* SPDX-License-Identifier: MIT */
/* Performing what guests do: hypercalls, polling, and what they write. */
#include <stddef.h>
#include <string.h>

#include "tests/model/guest.h"
#include "tests/model/perform.h"

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

void perform_hypercall(struct model *m, bool real, const struct op *o,
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
void perform_raw(struct model *m, bool real, const struct op *o,
		 struct op_result *r)
{
	r->rc[0] = model_hypercall(m, o->arg[A_DOM], o->arg[A_1], address(o));
	if (real)
		r->rc[1] = evc_hypercall(vcpu_of(o), o->arg[A_1], address(o));
}

/* arg[A_3] is the number; the two before it are the first two arguments. */
void perform_compat(struct model *m, bool real, const struct op *o,
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

void perform_poll(struct model *m, bool real, const struct op *o,
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

void perform_poll_end(struct model *m, bool real, const struct op *o,
		      struct op_result *r)
{
	(void)r;
	model_of(m, o)->poll[o->arg[A_VCPU]] = 0;
	if (real)
		evc_poll_end(vcpu_of(o));
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

void perform_guest(struct model *m, bool real, const struct op *o,
		   struct op_result *r)
{
	struct model_domain *d = model_of(m, o);

	(void)r;
	do_guest(d->memory, d, o);
	if (real)
		do_guest(world.domain[d->id]->memory, d, o);
}

void perform_poke(struct model *m, bool real, const struct op *o,
		  struct op_result *r)
{
	(void)r;
	write_guest(m, real, o, &o->arg[A_1], 4);
}

/* --- many at once ------------------------------------------------------------------- */

/* Open IPIs until one fails. */
void perform_fill(struct model *m, bool real, const struct op *o,
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

void perform_empty(struct model *m, bool real, const struct op *o,
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
void perform_expand(struct model *m, bool real, const struct op *o,
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
