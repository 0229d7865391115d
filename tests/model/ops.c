/* SPDX-License-Identifier: MIT */
/*
 * Every kind of operation: how it is done to the model and to the core, and
 * which results it must have had before a long random run counts as one
 * (the codes are those that evc.h names).
 */
#include "tests/model/perform.h"

#ifdef EVC_TEST_NO_FIFO
#define FIFO_CODES(with, without) without
#else
#define FIFO_CODES(with, without) with
#endif

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
		  FIFO_CODES("0 EOPNOTSUPP ENOENT EINVAL EFAULT",
			     "EOPNOTSUPP EFAULT")),
	HYPERCALL(expand_array, "gfn", NULL, NULL,
		  FIFO_CODES("0 EOPNOTSUPP ENOSPC EINVAL EFAULT",
			     "EOPNOTSUPP EFAULT")),
	HYPERCALL(set_priority, "port", "priority", NULL,
		  FIFO_CODES("0 EINVAL ENOSYS EACCES EFAULT",
			     "EINVAL ENOSYS EFAULT")),
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
	[OP_STATIC] = {"static",
		       {"dom", "vcpu", "port", "peer_dom", "peer_port",
			"peer_vcpu"},
		       perform_static,
		       "0 ESRCH EINVAL ENOENT ENOSPC ENOMEM EBUSY"},
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
		       FIFO_CODES("0 EOPNOTSUPP ENOSPC", "EOPNOTSUPP")},
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
