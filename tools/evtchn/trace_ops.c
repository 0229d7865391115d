/* SPDX-License-Identifier: MIT */
/*
 * An operation: from its text to its structure, and from what the core wrote
 * into that structure back to text.
 *
 * One table row per operation says where each argument lies.  The structure
 * is filled with a pattern first, as the recorder did, so that an output that
 * is written when it should not be, or an input that is changed, shows.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <abi/sched.h>

#include "trace.h"

#define PATTERN 0xA5

enum kind {
	NONE,
	NUMBER,
	DOMID,
	FRAME,
};

struct arg {
	const char *key;
	enum kind kind;
	uint8_t offset;
	uint8_t size;
};

struct op_spec {
	const char *name;
	uint32_t cmd;
	uint32_t size;
	struct arg in[3];
	struct arg out;
};

#define ARG(type, member, kind, key)                                \
	{                                                           \
		key, kind, offsetof(struct evtchn_##type, member),  \
			sizeof(((struct evtchn_##type *)0)->member) \
	}
#define OP(name, type) #name, EVTCHNOP_##name, sizeof(struct evtchn_##type)

static const struct op_spec specs[] = {
	{OP(bind_interdomain, bind_interdomain),
	 {ARG(bind_interdomain, remote_dom, DOMID, "rdom"),
	  ARG(bind_interdomain, remote_port, NUMBER, "rport")},
	 ARG(bind_interdomain, local_port, NUMBER, "port")},
	{OP(bind_virq, bind_virq),
	 {ARG(bind_virq, virq, NUMBER, "virq"),
	  ARG(bind_virq, vcpu, NUMBER, "vcpu")},
	 ARG(bind_virq, port, NUMBER, "port")},
	{OP(bind_pirq, bind_pirq),
	 {ARG(bind_pirq, pirq, NUMBER, "pirq"),
	  ARG(bind_pirq, flags, NUMBER, "flags")},
	 ARG(bind_pirq, port, NUMBER, "port")},
	{OP(close, close), {ARG(close, port, NUMBER, "port")}, {0}},
	{OP(send, send), {ARG(send, port, NUMBER, "port")}, {0}},
	{OP(status, status),
	 {ARG(status, dom, DOMID, "dom"), ARG(status, port, NUMBER, "port")},
	 {0}},
	{OP(alloc_unbound, alloc_unbound),
	 {ARG(alloc_unbound, dom, DOMID, "dom"),
	  ARG(alloc_unbound, remote_dom, DOMID, "remote")},
	 ARG(alloc_unbound, port, NUMBER, "port")},
	{OP(bind_ipi, bind_ipi),
	 {ARG(bind_ipi, vcpu, NUMBER, "vcpu")},
	 ARG(bind_ipi, port, NUMBER, "port")},
	{OP(bind_vcpu, bind_vcpu),
	 {ARG(bind_vcpu, port, NUMBER, "port"),
	  ARG(bind_vcpu, vcpu, NUMBER, "vcpu")},
	 {0}},
	{OP(unmask, unmask), {ARG(unmask, port, NUMBER, "port")}, {0}},
	{OP(reset, reset), {ARG(reset, dom, DOMID, "dom")}, {0}},
	{OP(reset_cont, reset), {ARG(reset, dom, DOMID, "dom")}, {0}},
	{OP(init_control, init_control),
	 {ARG(init_control, control_gfn, FRAME, "page"),
	  ARG(init_control, offset, NUMBER, "offset"),
	  ARG(init_control, vcpu, NUMBER, "vcpu")},
	 ARG(init_control, link_bits, NUMBER, "link_bits")},
	{OP(expand_array, expand_array),
	 {ARG(expand_array, array_gfn, FRAME, "page")},
	 {0}},
	{OP(set_priority, set_priority),
	 {ARG(set_priority, port, NUMBER, "port"),
	  ARG(set_priority, priority, NUMBER, "priority")},
	 {0}},
};

#define NR_SPECS (sizeof(specs) / sizeof(specs[0]))

static const struct op_spec *find_spec(struct field name)
{
	size_t i;

	for (i = 0; i < NR_SPECS; i++) {
		if (field_is(name, specs[i].name))
			return &specs[i];
	}
	return NULL;
}

/* --- arguments ------------------------------------------------------------- */

static int read_value(struct replay *r, enum kind kind, struct field f,
		      uint64_t *value)
{
	domid_t domid;

	switch (kind) {
	case FRAME:
		return world_frame(r, f, value);
	case DOMID:
		if (world_domid(r, f, &domid))
			return -EINVAL;
		*value = domid;
		return 0;
	case NUMBER:
	case NONE:
		break;
	}
	if (!field_number(f, UINT32_MAX, value))
		return replay_fail(r, "'%.*s' is not a 32-bit number",
				   (int)f.len, f.s);
	return 0;
}

static const struct arg *find_arg(const struct op_spec *s, struct field key)
{
	unsigned int i;

	for (i = 0; i < 3 && s->in[i].kind != NONE; i++) {
		if (field_is(key, s->in[i].key))
			return &s->in[i];
	}
	return NULL;
}

/* Say which argument is missing.  @seen: bytes that were filled. */
static int check_complete(struct replay *r, const struct op_spec *s,
			  uint64_t seen)
{
	unsigned int i;

	for (i = 0; i < 3 && s->in[i].kind != NONE; i++) {
		if (!(seen >> s->in[i].offset & 1))
			return replay_fail(r, "%s needs %s=", s->name,
					   s->in[i].key);
	}
	return 0;
}

static int read_args(struct replay *r, const struct op_spec *s,
		     struct field rest, const char *separators, struct call *c)
{
	const struct arg *a;
	struct field f, key;
	uint64_t value, seen = 0;

	while (field_split(&rest, &f, separators)) {
		struct field whole = f;

		field_split(&f, &key, "=");
		a = find_arg(s, key);
		if (!a || !field_skip(&f, "="))
			return replay_fail(r, "%s has no argument '%.*s'",
					   s->name, (int)whole.len, whole.s);
		if (read_value(r, a->kind, f, &value))
			return -EINVAL;
		memcpy(c->before + a->offset, &value, a->size);
		seen |= 1ull << a->offset;
	}
	return check_complete(r, s, seen);
}

static int prepare_spec(struct replay *r, const struct op_spec *s,
			struct field rest, const char *separators,
			struct call *c)
{
	c->spec = s;
	c->cmd = s->cmd;
	c->size = s->size;
	memset(c->before, PATTERN, sizeof(c->before));
	return read_args(r, s, rest, separators, c);
}

/* --- the special ones ------------------------------------------------------ */

/* "key=" must be the next field.  Its value goes to @value. */
static int take_value(struct replay *r, struct field *rest, const char *key,
		      struct field *value)
{
	if (field_next(rest, value) && field_skip(value, key))
		return 0;
	return replay_fail(r, "'%s' is missing", key);
}

static int take_cmd(struct replay *r, struct field *rest, struct call *c)
{
	struct field f;
	uint64_t n;

	if (take_value(r, rest, "cmd=", &f))
		return -EINVAL;
	if (!field_number(f, UINT32_MAX, &n))
		return replay_fail(r, "cmd= is not a 32-bit number");
	c->cmd = (uint32_t)n;
	return 0;
}

static int prepare_raw(struct replay *r, struct field rest, struct call *c)
{
	struct field arg;

	if (take_cmd(r, &rest, c) || take_value(r, &rest, "arg=", &arg))
		return -EINVAL;
	if (!field_is(arg, "zero64"))
		return replay_fail(r, "arg= must be zero64");
	c->size = 64;
	return 0;
}

static const struct {
	const char *name;
	uint64_t addr;
} pointers[] = {
	{"null", 0},
	{"unmapped", WORLD_UNMAPPED},
	{"xen", 0xffff830000000000},
	{"noncanonical", 0x8000000000000000},
	{"readonly", WORLD_READONLY},
};

static int read_pointer(struct replay *r, struct field f, struct call *c)
{
	size_t i;

	for (i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++) {
		if (field_is(f, pointers[i].name)) {
			c->addr = pointers[i].addr;
			return 0;
		}
	}
	return replay_fail(r, "'%.*s' is not a kind of pointer", (int)f.len,
			   f.s);
}

/* "cmd=6 name=alloc_unbound(dom=SELF,remote=d2) ptr=readonly" */
static int prepare_badptr(struct replay *r, struct field rest, struct call *c)
{
	const struct op_spec *s;
	struct field value, name, ptr;
	uint32_t cmd;

	if (take_cmd(r, &rest, c) || take_value(r, &rest, "name=", &value) ||
	    take_value(r, &rest, "ptr=", &ptr) || read_pointer(r, ptr, c))
		return -EINVAL;
	cmd = c->cmd;
	if (!field_split(&value, &name, "(") || !value.len)
		return 0;
	s = find_spec(name);
	if (!s || s->cmd != cmd)
		return replay_fail(r, "'%.*s' is not operation %u",
				   (int)name.len, name.s, cmd);
	if (prepare_spec(r, s, value, "(),", c))
		return -EINVAL;
	c->spec = NULL;
	return 0;
}

/* The number of a compat operation: a name, or cmdN. */
static int compat_cmd(struct replay *r, struct field name, struct call *c)
{
	const struct op_spec *s = find_spec(name);
	struct field number = name;
	uint64_t n;

	if (s) {
		c->cmd = s->cmd;
		return 0;
	}
	if (!field_skip(&number, "cmd") || !field_number(number, 65535, &n))
		return replay_fail(r, "unknown operation '%.*s'", (int)name.len,
				   name.s);
	c->cmd = (uint32_t)n;
	return 0;
}

/* "bind_virq(1,0)": the arguments are the words behind the number. */
static int prepare_compat(struct replay *r, struct field rest, struct call *c)
{
	struct field name, f;
	uint64_t value;
	domid_t domid;
	uint32_t words[16] = {0};
	unsigned int i;

	field_split(&rest, &name, "(");
	if (compat_cmd(r, name, c))
		return -EINVAL;
	words[0] = c->cmd;
	for (i = 1; i < 16 && field_split(&rest, &f, "(),"); i++) {
		if (!field_number(f, UINT32_MAX, &value)) {
			if (world_domid(r, f, &domid))
				return -EINVAL;
			value = domid;
		}
		words[i] = (uint32_t)value;
	}
	c->nr = __HYPERVISOR_event_channel_op_compat;
	c->size = sizeof(words);
	c->counted = false;
	memcpy(c->before, words, sizeof(words));
	return 0;
}

/* The port numbers lie behind the structure. */
static int prepare_poll(struct replay *r, struct replay_domain *d,
			struct field rest, struct call *c)
{
	struct sched_poll p = {.ports = WORLD_ARG + 1024};
	uint32_t *ports = sim_at(d->sim, p.ports, 3072, true);
	struct field list, f;
	uint64_t n;

	if (take_value(r, &rest, "ports=", &list))
		return -EINVAL;
	while (field_split(&list, &f, ",")) {
		if (p.nr_ports >= 3072 / sizeof(*ports) ||
		    !field_number(f, UINT32_MAX, &n))
			return replay_fail(r,
					   "'%.*s' is not a port, or there "
					   "are too many",
					   (int)f.len, f.s);
		ports[p.nr_ports++] = (uint32_t)n;
	}
	c->nr = __HYPERVISOR_sched_op;
	c->cmd = SCHEDOP_poll;
	c->size = sizeof(p);
	c->counted = false;
	memcpy(c->before, &p, sizeof(p));
	return 0;
}

static int prepare(struct replay *r, struct replay_domain *d, struct field rest,
		   struct call *c)
{
	const struct op_spec *s;
	struct field name;

	field_next(&rest, &name);
	if (field_is(name, "raw"))
		return prepare_raw(r, rest, c);
	if (field_is(name, "badptr"))
		return prepare_badptr(r, rest, c);
	if (field_is(name, "compat"))
		return field_next(&rest, &name)
			       ? prepare_compat(r, name, c)
			       : replay_fail(r, "compat needs an operation");
	if (field_is(name, "poll"))
		return prepare_poll(r, d, rest, c);
	s = find_spec(name);
	if (!s)
		return replay_fail(r, "unknown operation '%.*s'", (int)name.len,
				   name.s);
	return prepare_spec(r, s, rest, " ", c);
}

int ops_prepare(struct replay *r, struct replay_domain *d, struct field rest,
		struct call *c)
{
	*c = (struct call){
		.nr = __HYPERVISOR_event_channel_op,
		.addr = WORLD_ARG,
		.counted = true,
	};
	if (prepare(r, d, rest, c))
		return -EINVAL;
	/* For "readonly" the content is there, too. */
	memcpy(sim_at(d->sim, WORLD_READONLY, 64, false), c->before, 64);
	memcpy(sim_at(d->sim, WORLD_ARG, 64, true), c->before, 64);
	return 0;
}

/* --- results --------------------------------------------------------------- */

static const char *const status_names[] = {
	"closed", "unbound", "interdomain", "pirq", "virq", "ipi",
};

/*
 * Appends what status says, and puts into @want what may have been written.
 */
static void status_text(const struct replay *r, const unsigned char *after,
			unsigned char *want, char *text, size_t size)
{
	struct evtchn_status s, w;
	char name[16], more[64] = "";

	memcpy(&s, after, sizeof(s));
	memcpy(&w, want, sizeof(w));
	w.status = s.status;
	w.vcpu = s.vcpu;
	switch (s.status) {
	case EVTCHNSTAT_unbound:
		w.u.unbound.dom = s.u.unbound.dom;
		snprintf(more, sizeof(more), " rdom=%s",
			 world_domid_name(r, s.u.unbound.dom, name,
					  sizeof(name)));
		break;
	case EVTCHNSTAT_interdomain:
		w.u.interdomain.dom = s.u.interdomain.dom;
		w.u.interdomain.port = s.u.interdomain.port;
		snprintf(more, sizeof(more), " rdom=%s rport=%u",
			 world_domid_name(r, s.u.interdomain.dom, name,
					  sizeof(name)),
			 s.u.interdomain.port);
		break;
	case EVTCHNSTAT_pirq:
		w.u.pirq = s.u.pirq;
		snprintf(more, sizeof(more), " pirq=%u", s.u.pirq);
		break;
	case EVTCHNSTAT_virq:
		w.u.virq = s.u.virq;
		snprintf(more, sizeof(more), " virq=%u", s.u.virq);
		break;
	default:
		break;
	}
	memcpy(want, &w, sizeof(w));
	snprintf(text, size, " status=%s vcpu=%u%s",
		 s.status < 6 ? status_names[s.status] : "?", s.vcpu, more);
}

/* Appends the outputs; what they are goes to @want, too. */
static void outputs_text(const struct replay *r, const struct op_spec *s,
			 const unsigned char *after, unsigned char *want,
			 char *text, size_t size)
{
	uint64_t value = 0;

	if (s->cmd == EVTCHNOP_status) {
		status_text(r, after, want, text, size);
		return;
	}
	if (s->out.kind == NONE)
		return;
	memcpy(&value, after + s->out.offset, s->out.size);
	memcpy(want + s->out.offset, after + s->out.offset, s->out.size);
	snprintf(text, size, " %s=%u", s->out.key, (uint32_t)value);
}

static void words_text(const unsigned char *after, char *text, size_t size)
{
	uint32_t w[4];

	memcpy(w, after, sizeof(w));
	snprintf(text, size, " words=%u,%u,%u,%u", w[0], w[1], w[2], w[3]);
}

/* Whatever follows "rc=N". */
static void result_text(const struct replay *r, const struct call *c, int rc,
			const unsigned char *after, char *text, size_t size)
{
	unsigned char want[64];
	size_t len;

	memcpy(want, c->before, sizeof(want));
	text[0] = '\0';
	if (c->nr == __HYPERVISOR_event_channel_op_compat) {
		words_text(after, text, size);
		return;
	}
	if (!rc && c->spec)
		outputs_text(r, c->spec, after, want, text, size);
	len = strlen(text);
	if (memcmp(after, want, sizeof(want)))
		snprintf(text + len, size - len, " %s",
			 rc || !c->spec ? "!out-changed" : "!in-changed");
}

/* --- FIFO ------------------------------------------------------------------ */

/* The pool page that init_control or expand_array names, or -1. */
static int fifo_page(const struct call *c)
{
	uint64_t frame;

	if (!c->spec || (c->cmd != EVTCHNOP_init_control &&
			 c->cmd != EVTCHNOP_expand_array))
		return -1;
	memcpy(&frame, c->before, sizeof(frame));
	return world_pool_page(frame);
}

/* It succeeded: remember what the domain uses the page for. */
static void note_fifo(struct replay_domain *d, const struct call *c, int page)
{
	struct evtchn_init_control i;

	memcpy(&i, c->before, sizeof(i));
	if (c->cmd == EVTCHNOP_expand_array && d->nr_array < MAX_ARRAY)
		d->array[d->nr_array++] = (unsigned int)page;
	if (c->cmd == EVTCHNOP_init_control && i.vcpu < MAX_VCPUS)
		d->control[i.vcpu] =
			(struct control){true, (unsigned int)page, i.offset};
	d->fifo = true;
}

/* --- making it ------------------------------------------------------------- */

void ops_make(struct replay *r, struct replay_domain *d, const struct call *c,
	      char *text, size_t size)
{
	struct sim_vcpu *v = &d->sim->vcpu[0];
	unsigned char after[64];
	char number[16], more[128];
	int page = fifo_page(c);
	int rc;

	/* A page may be the guest's own until now; from now on it is watched. */
	if (page >= 0)
		memcpy(d->page[PAGE_POOL + page].shadow,
		       d->page[PAGE_POOL + page].mem, 4096);
	rc = sim_hypercall(v, c->nr, c->cmd, c->addr);
	memcpy(after, sim_at(d->sim, WORLD_ARG, 64, false), 64);
	if (v->state == SIM_POLLING) {
		d->polling = true;
		snprintf(text, size, "blocked");
		return;
	}
	result_text(r, c, rc, after, more, sizeof(more));
	snprintf(text, size, "rc=%s%s", errno_name(rc, number, sizeof(number)),
		 more);
	if (!rc && page >= 0)
		note_fifo(d, c, page);
}
