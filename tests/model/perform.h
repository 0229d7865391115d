/* SPDX-License-Identifier: MIT */
/* How each kind of operation is performed: perform_calls.c, perform_host.c. */
#ifndef PERFORM_H
#define PERFORM_H

#include "tests/model/ops.h"
#include "tests/model/world.h"

typedef void perform_fn(struct model *m, bool real, const struct op *o,
			struct op_result *r);

perform_fn perform_hypercall;
perform_fn perform_raw;
perform_fn perform_compat;
perform_fn perform_poll;
perform_fn perform_poll_end;
perform_fn perform_virq;
perform_fn perform_set_handler;
perform_fn perform_hwdom;
perform_fn perform_pirq;
perform_fn perform_consumer_alloc;
perform_fn perform_consumer_free;
perform_fn perform_consumer_notify;
perform_fn perform_info;
perform_fn perform_width;
perform_fn perform_pause;
perform_fn perform_target;
perform_fn perform_create;
perform_fn perform_destroy;
perform_fn perform_remove;
perform_fn perform_watch;
perform_fn perform_limit;
perform_fn perform_refill;
perform_fn perform_static;
perform_fn perform_guest;
perform_fn perform_poke;
perform_fn perform_fill;
perform_fn perform_empty;
perform_fn perform_expand;

static inline struct model_domain *model_of(struct model *m, const struct op *o)
{
	return &m->domain[o->arg[A_DOM]];
}

static inline struct evc_domain *core_of(const struct op *o)
{
	return &world.domain[o->arg[A_DOM]]->d;
}

static inline struct evc_vcpu *vcpu_of(const struct op *o)
{
	return &core_of(o)->vcpu[o->arg[A_VCPU]];
}

#endif /* PERFORM_H */
