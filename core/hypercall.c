/* SPDX-License-Identifier: MIT */
/*
 * Decoding: from a number and a guest address to a call of evc_*().
 *
 * One table row per operation: how large its structure is, whether a result
 * goes back, and the function that unpacks it.  All copying is in one place:
 * in before anything else, out only after success.  A result that cannot be
 * written back leaves the operation done and gives -XEN_EFAULT, as in Xen.
 *
 * To find an operation, grep its name: EVTCHNOP_send -> op_send -> evc_send.
 */
#include <base/bits.h>
#include <evc/evc.h>

union op_arg {
	struct evtchn_alloc_unbound alloc_unbound;
	struct evtchn_bind_interdomain bind_interdomain;
	struct evtchn_bind_virq bind_virq;
	struct evtchn_bind_pirq bind_pirq;
	struct evtchn_bind_ipi bind_ipi;
	struct evtchn_close close;
	struct evtchn_send send;
	struct evtchn_status status;
	struct evtchn_bind_vcpu bind_vcpu;
	struct evtchn_unmask unmask;
	struct evtchn_reset reset;
	struct evtchn_init_control init_control;
	struct evtchn_expand_array expand_array;
	struct evtchn_set_priority set_priority;
};

static int op_bind_interdomain(struct evc_domain *d, union op_arg *a)
{
	return evc_bind_interdomain(d, a->bind_interdomain.remote_dom,
				    a->bind_interdomain.remote_port,
				    &a->bind_interdomain.local_port);
}

static int op_bind_virq(struct evc_domain *d, union op_arg *a)
{
	return evc_bind_virq(d, a->bind_virq.virq, a->bind_virq.vcpu,
			     &a->bind_virq.port);
}

static int op_bind_pirq(struct evc_domain *d, union op_arg *a)
{
	return evc_bind_pirq(d, a->bind_pirq.pirq, a->bind_pirq.flags,
			     &a->bind_pirq.port);
}

static int op_close(struct evc_domain *d, union op_arg *a)
{
	return evc_close(d, a->close.port);
}

static int op_send(struct evc_domain *d, union op_arg *a)
{
	return evc_send(d, a->send.port);
}

static int op_status(struct evc_domain *d, union op_arg *a)
{
	return evc_status(d, &a->status);
}

static int op_alloc_unbound(struct evc_domain *d, union op_arg *a)
{
	return evc_alloc_unbound(d, a->alloc_unbound.dom,
				 a->alloc_unbound.remote_dom,
				 &a->alloc_unbound.port);
}

static int op_bind_ipi(struct evc_domain *d, union op_arg *a)
{
	return evc_bind_ipi(d, a->bind_ipi.vcpu, &a->bind_ipi.port);
}

static int op_bind_vcpu(struct evc_domain *d, union op_arg *a)
{
	return evc_bind_vcpu(d, a->bind_vcpu.port, a->bind_vcpu.vcpu);
}

static int op_unmask(struct evc_domain *d, union op_arg *a)
{
	return evc_unmask(d, a->unmask.port);
}

static int op_reset(struct evc_domain *d, union op_arg *a)
{
	return evc_reset(d, a->reset.dom, false);
}

static int op_init_control(struct evc_domain *d, union op_arg *a)
{
	return evc_init_control(d, &a->init_control);
}

static int op_expand_array(struct evc_domain *d, union op_arg *a)
{
	return evc_expand_array(d, a->expand_array.array_gfn);
}

static int op_set_priority(struct evc_domain *d, union op_arg *a)
{
	return evc_set_priority(d, a->set_priority.port,
				a->set_priority.priority);
}

static int op_reset_cont(struct evc_domain *d, union op_arg *a)
{
	return evc_reset(d, a->reset.dom, true);
}

struct op {
	int (*handle)(struct evc_domain *d, union op_arg *a);
	uint8_t size;
	bool copy_back;
};

#define IN(name, arg)                                         \
	{                                                     \
		op_##name, sizeof(struct evtchn_##arg), false \
	}
#define OUT(name, arg)                                       \
	{                                                    \
		op_##name, sizeof(struct evtchn_##arg), true \
	}

static const struct op ops[] = {
	[EVTCHNOP_bind_interdomain] = OUT(bind_interdomain, bind_interdomain),
	[EVTCHNOP_bind_virq] = OUT(bind_virq, bind_virq),
	[EVTCHNOP_bind_pirq] = OUT(bind_pirq, bind_pirq),
	[EVTCHNOP_close] = IN(close, close),
	[EVTCHNOP_send] = IN(send, send),
	[EVTCHNOP_status] = OUT(status, status),
	[EVTCHNOP_alloc_unbound] = OUT(alloc_unbound, alloc_unbound),
	[EVTCHNOP_bind_ipi] = OUT(bind_ipi, bind_ipi),
	[EVTCHNOP_bind_vcpu] = IN(bind_vcpu, bind_vcpu),
	[EVTCHNOP_unmask] = IN(unmask, unmask),
	[EVTCHNOP_reset] = IN(reset, reset),
	[EVTCHNOP_init_control] = OUT(init_control, init_control),
	[EVTCHNOP_expand_array] = IN(expand_array, expand_array),
	[EVTCHNOP_set_priority] = IN(set_priority, set_priority),
	[EVTCHNOP_reset_cont] = IN(reset_cont, reset),
};

#define NR_OPS (sizeof(ops) / sizeof(ops[0]))

_Static_assert(NR_OPS == EVTCHNOP_reset_cont + 1, "a row per operation");

/* SEND 3/9 - from the host's trap; next send.c evc_send() */
int evc_hypercall(struct evc_vcpu *v, uint32_t cmd, uint64_t arg)
{
	const struct op *op;
	union op_arg a;
	int rc;

	if (cmd >= NR_OPS)
		return -XEN_ENOSYS;
	op = &ops[evb_clamp_index(cmd, NR_OPS)];
	if (evc_host_copy_in(v, &a, arg, op->size))
		return -XEN_EFAULT;
	rc = op->handle(v->domain, &a);
	if (!rc && op->copy_back && evc_host_copy_out(v, arg, &a, op->size))
		rc = -XEN_EFAULT;

	return rc;
}

int evc_hypercall_compat(struct evc_vcpu *v, uint64_t arg)
{
	uint32_t cmd;

	if (evc_host_copy_in(v, &cmd, arg, sizeof(cmd)))
		return -XEN_EFAULT;
	if (cmd > EVTCHNOP_unmask)
		return -XEN_ENOSYS;
	return evc_hypercall(v, cmd, arg + offsetof(struct evtchn_op, u));
}
