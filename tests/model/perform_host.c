/* SPDX-License-Identifier: MIT */
/* Performing what hosts do: sources, owned ends, domains. */
#include <evc/static.h>

#include "tests/model/perform.h"

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

/* --- sources --------------------------------------------------------------------- */

void perform_virq(struct model *m, bool real, const struct op *o,
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

void perform_set_handler(struct model *m, bool real, const struct op *o,
			 struct op_result *r)
{
	r->rc[0] = model_set_handler(m, o->arg[A_DOM], o->arg[A_1]);
	if (real)
		r->rc[1] = evc_virq_set_handler(core_of(o), o->arg[A_1]);
}

/* Not while the domain is destroyed: the machine would keep a dead one. */
void perform_hwdom(struct model *m, bool real, const struct op *o,
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

void perform_pirq(struct model *m, bool real, const struct op *o,
		  struct op_result *r)
{
	(void)r;
	model_pirq(m, o->arg[A_DOM], o->arg[A_1]);
	if (real)
		evc_pirq_raise(core_of(o), o->arg[A_1]);
}

/* --- ends the hypervisor owns -------------------------------------------------------- */

/* arg[A_3]: which callback; one too many is none. */
void perform_consumer_alloc(struct model *m, bool real, const struct op *o,
			    struct op_result *r)
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

void perform_consumer_free(struct model *m, bool real, const struct op *o,
			   struct op_result *r)
{
	r->rc[0] = model_consumer_free(m, o->arg[A_DOM], o->arg[A_1]);
	if (real)
		r->rc[1] = evc_consumer_free(core_of(o), o->arg[A_1]);
}

void perform_consumer_notify(struct model *m, bool real, const struct op *o,
			     struct op_result *r)
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
void perform_info(struct model *m, bool real, const struct op *o,
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

void perform_width(struct model *m, bool real, const struct op *o,
		   struct op_result *r)
{
	(void)r;
	model_of(m, o)->is_64 = o->arg[A_1];
	if (real)
		evc_domain_set_width(core_of(o),
				     o->arg[A_1] ? EVC_WIDTH_64 : EVC_WIDTH_32);
}

void perform_pause(struct model *m, bool real, const struct op *o,
		   struct op_result *r)
{
	(void)r;
	model_of(m, o)->paused = o->arg[A_1];
	if (real)
		evc_domain_set_paused(core_of(o), o->arg[A_1]);
}

void perform_target(struct model *m, bool real, const struct op *o,
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

void perform_create(struct model *m, bool real, const struct op *o,
		    struct op_result *r)
{
	const struct model_shape *s = &shapes[o->arg[A_1] % OP_SHAPES];

	r->rc[0] = model_create(m, o->arg[A_DOM], s, o->arg[A_2]);
	if (real)
		r->rc[1] = world_create(o->arg[A_DOM], s, o->arg[A_2]);
}

void perform_destroy(struct model *m, bool real, const struct op *o,
		     struct op_result *r)
{
	r->rc[0] = model_destroy(m, o->arg[A_DOM]);
	if (real)
		r->rc[1] = evc_domain_destroy(core_of(o));
}

void perform_remove(struct model *m, bool real, const struct op *o,
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

void perform_watch(struct model *m, bool real, const struct op *o,
		   struct op_result *r)
{
	r->rc[0] = model_watch_peer(m, o->arg[A_DOM], o->arg[A_1], o->arg[A_2]);
	if (real)
		r->rc[1] = evc_watch_peer(core_of(o), o->arg[A_1], o->arg[A_2]);
}

void perform_limit(struct model *m, bool real, const struct op *o,
		   struct op_result *r)
{
	r->rc[0] = model_limit_set(m, o->arg[A_DOM], o->arg[A_1]);
	if (real)
		r->rc[1] = evc_limit_set(core_of(o), o->arg[A_1]);
}

void perform_refill(struct model *m, bool real, const struct op *o,
		    struct op_result *r)
{
	r->out[0] = model_limit_refill(m, o->arg[A_DOM]);
	if (real)
		r->out[1] = evc_limit_refill(core_of(o));
}

/* A table of one row. */
void perform_static(struct model *m, bool real, const struct op *o,
		    struct op_result *r)
{
	const struct model_end a = {o->arg[A_DOM], o->arg[A_1], o->arg[A_VCPU]};
	const struct model_end b = {o->arg[A_2] & 0xffff, o->arg[A_3],
				    o->arg[A_AT]};
	const struct evc_static_channel row = {
		{(domid_t)a.dom, a.port, a.vcpu},
		{(domid_t)b.dom, b.port, b.vcpu},
	};

	r->rc[0] = model_static(m, &a, &b);
	if (real)
		r->rc[1] = evc_static_connect(&world.machine, &row, 1);
}
