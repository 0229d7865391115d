/* SPDX-License-Identifier: MIT */
/* See random.h.  The numbers come from splitmix64. */
#include "tests/model/random.h"

#define PAGE_ARGS  (MODEL_BASE + 4096)
#define FRAME_LAST 7 /* pages 3 to 7 are for event words and control blocks */

static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Far from that of the next seed: the state itself only counts up. */
struct random random_start(uint64_t seed)
{
	return (struct random){mix(mix(seed + 1))};
}

static uint32_t draw(struct random *r, uint32_t below)
{
	r->state += 0x9e3779b97f4a7c15ull;
	return (uint32_t)(mix(r->state) >> 32) % below;
}

static bool chance(struct random *r, uint32_t percent)
{
	return draw(r, 100) < percent;
}

/* --- numbers ------------------------------------------------------------------- */

static uint32_t a_border(struct random *r, const struct model_domain *d)
{
	const uint32_t borders[] = {
		0,	1,	63,	64,	   d->nr_valid - 1, d->nr_valid,
		1023,	1024,	4095,	4096,	   d->nr_valid + 1, 131071,
		131072, 131073, 0x7fff, INT32_MAX, 0x80000000u,	    UINT32_MAX,
	};

	return borders[draw(r, sizeof(borders) / sizeof(borders[0]))];
}

/* A port in some state, FREE: any but that; else where the search began. */
static uint32_t a_port_in(struct random *r, const struct model_domain *d,
			  enum model_state state)
{
	uint32_t from = draw(r, d->nr_valid), i, port;

	for (i = 0; i < d->nr_valid; i++) {
		port = (from + i) % d->nr_valid;
		if (state == FREE ? d->port[port].state > RESERVED
				  : d->port[port].state == state)
			return port;
	}
	return from;
}

static uint32_t a_port(struct random *r, const struct model_domain *d)
{
	uint32_t how = draw(r, 20);

	if (how < 11)
		return a_port_in(r, d, FREE);
	if (how < 14)
		return a_port_in(r, d, (enum model_state)(2 + draw(r, 5)));
	if (how < 16)
		return draw(r, 9);
	return how < 18 ? draw(r, d->nr_valid) : a_border(r, d);
}

static uint32_t a_vcpu(struct random *r, const struct model_domain *d)
{
	if (chance(r, 94))
		return draw(r, d->shape.nr_vcpus);
	return chance(r, 50) ? d->shape.nr_vcpus : a_border(r, d);
}

static uint32_t a_domid(struct random *r, uint32_t self)
{
	const uint32_t odd[] = {
		5,	   DOMID_SELF, DOMID_IO, DOMID_XEN, DOMID_INVALID,
		DOMID_ANY, DOMID_IDLE, 0x7fef,	 0xffff,    DOMID_SELF - 1};
	uint32_t how = draw(r, 20);

	if (how < 12)
		return draw(r, MODEL_DOMAINS);
	if (how < 16)
		return DOMID_SELF;
	return how < 18 ? self : odd[draw(r, sizeof(odd) / sizeof(odd[0]))];
}

/* Mostly a good place for an argument. */
static uint32_t an_address(struct random *r)
{
	switch (draw(r, 60)) {
	case 0: /* the result cannot be written */
		return MODEL_BASE + MODEL_PAGE_READONLY * 4096 +
		       draw(r, 512) * 8;
	case 1:
		return PAGE_ARGS + 4096 - 2 * draw(r, 16);
	case 2:
		return MODEL_BASE + MODEL_MEMORY - 2 * draw(r, 16);
	case 3:
		return 0u - 2 * draw(r, 16);
	case 4:
		return MODEL_BASE - 2 * draw(r, 16);
	case 5: /* on top of what the operation itself writes */
		return MODEL_BASE + draw(r, 3072);
	case 6:
		return MODEL_BASE + (3 + draw(r, 6)) * 4096 + draw(r, 4000);
	default:
		return PAGE_ARGS + draw(r, 250) * 4;
	}
}

static uint32_t a_frame(struct random *r, uint32_t good)
{
	if (chance(r, 88))
		return good;
	return chance(r, 50) ? draw(r, MODEL_PAGES + 3) : 0u - draw(r, 3);
}

static uint32_t a_virq(struct random *r)
{
	static const uint32_t classes[] = {VIRQ_TIMER,	 VIRQ_DEBUG,
					   VIRQ_CONSOLE, VIRQ_DOM_EXC,
					   VIRQ_ARGO,	 VIRQ_XENPMU};

	if (chance(r, 70))
		return classes[draw(r, 6)];
	return chance(r, 90) ? draw(r, NR_VIRQS + 2) : 0u - draw(r, 3);
}

/* --- the numbers of each kind ------------------------------------------------------- */

/* Somebody's port that waits for @d. */
static void draw_bind(struct random *r, const struct model *m,
		      const struct model_domain *d, struct op *o)
{
	uint32_t id = draw(r, MODEL_DOMAINS), i, port;
	const struct model_domain *remote = &m->domain[id];

	if (!remote->exists || chance(r, 20)) {
		o->arg[A_1] = a_domid(r, d->id);
		o->arg[A_2] = a_port(r, d);
		return;
	}
	o->arg[A_1] = id == d->id && chance(r, 50) ? DOMID_SELF : id;
	o->arg[A_2] = a_port(r, remote);
	port = draw(r, remote->nr_valid);
	for (i = 0; i < remote->nr_valid; i++) {
		port = (port + 1) % remote->nr_valid;
		if (remote->port[port].state == UNBOUND &&
		    remote->port[port].dom == d->id) {
			o->arg[A_2] = port;
			return;
		}
	}
}

static void draw_fifo(struct random *r, const struct model_domain *d,
		      struct op *o)
{
	if (o->kind != EVTCHNOP_init_control) {
		o->arg[A_1] = a_frame(r, d->nr_pages < 4 ? 3 + d->nr_pages : 6);
		o->arg[A_2] = chance(r, 50) ? 127 : draw(r, 200);
		return;
	}
	o->arg[A_1] = a_frame(r, FRAME_LAST);
	o->arg[A_3] = a_vcpu(r, d);
	o->arg[A_2] = o->arg[A_3] % 40 * 72;
	if (chance(r, 10))
		o->arg[A_2] = chance(r, 50) ? 4024 + draw(r, 3) * 4
					    : draw(r, 5000);
}

static void draw_poll(struct random *r, const struct model_domain *d,
		      struct op *o)
{
	static const uint32_t some[] = {0, 1, 1, 1, 2, 2, 3, 128, 129, 0xffff};

	o->arg[A_1] = chance(r, 80) ? a_port_in(r, d, FREE) : a_port(r, d);
	o->arg[A_2] = chance(r, 80) ? a_port_in(r, d, FREE) : a_port(r, d);
	o->arg[A_3] = some[draw(r, 10)];
	if (chance(r, 3))
		o->arg[A_3] |= 0x10000;
	if (chance(r, 10))
		o->env |= ENV_UPCALL;
}

static uint32_t a_page_value(struct random *r)
{
	static const uint32_t values[] = {0, 0, 0x40000000, 0xffffffff};

	return values[draw(r, 4)];
}

/* How many ports at once: a few, a bucket, more than an ABI has. */
static uint32_t a_number(struct random *r)
{
	static const uint32_t numbers[] = {1,  2,  3,  5,   20,	  60,	64,
					   66, 70, 90, 130, 1100, 1100, 4200};

	return numbers[draw(r, chance(r, 30) ? 14 : 11)];
}

static void draw_consumer(struct random *r, const struct model_domain *d,
			  struct op *o)
{
	uint32_t port = draw(r, d->nr_valid), i;

	o->arg[A_1] = a_port(r, d);
	for (i = 0; i < d->nr_valid && chance(r, 95); i++) {
		port = (port + 1) % d->nr_valid;
		if (d->port[port].consumer) {
			o->arg[A_1] = port;
			return;
		}
	}
}

/* A new row, or an old one again. */
static void draw_static(struct random *r, const struct model *m,
			const struct model_domain *d, struct op *o)
{
	uint32_t port = draw(r, d->nr_valid), i, id;

	o->arg[A_1] = chance(r, 80) ? draw(r, d->nr_valid) : a_border(r, d);
	o->arg[A_2] = chance(r, 95) ? draw(r, MODEL_DOMAINS)
				    : a_domid(r, d->id);
	for (i = 0; i < d->nr_valid && chance(r, 99); i++) {
		port = (port + 1) % d->nr_valid;
		if (!d->port[port].is_static)
			continue;
		o->arg[A_1] = port;
		o->arg[A_2] = d->port[port].dom;
		break;
	}
	id = o->arg[A_2];
	if (id >= MODEL_DOMAINS || !m->domain[id].exists)
		return;
	o->arg[A_3] = chance(r, 90) ? draw(r, m->domain[id].nr_valid)
				    : a_border(r, &m->domain[id]);
	if (d->port[port].is_static && d->port[port].state == INTERDOMAIN &&
	    chance(r, 70))
		o->arg[A_3] = d->port[port].port;
	o->arg[A_AT] = a_vcpu(r, &m->domain[id]);
}

/* Kinds with numbers of their own. */
static void draw_special(struct random *r, const struct model *m,
			 const struct model_domain *d, struct op *o)
{
	switch (o->kind) {
	case EVTCHNOP_bind_interdomain:
		draw_bind(r, m, d, o);
		break;
	case EVTCHNOP_alloc_unbound:
		o->arg[A_1] = chance(r, 60) ? DOMID_SELF : a_domid(r, d->id);
		o->arg[A_2] = a_domid(r, d->id);
		break;
	case EVTCHNOP_bind_virq:
		o->arg[A_1] = a_virq(r);
		o->arg[A_2] = chance(r, 60) ? 0 : a_vcpu(r, d);
		break;
	case EVTCHNOP_bind_pirq:
		o->arg[A_1] = draw(r, MODEL_PIRQS + 2);
		o->arg[A_2] = draw(r, 3);
		if (chance(r, 20))
			o->env |= ENV_LINE_EINVAL << draw(r, 3);
		break;
	case EVTCHNOP_status:
		o->arg[A_1] = a_domid(r, d->id);
		o->arg[A_2] = a_port(r, d);
		break;
	case EVTCHNOP_reset:
	case EVTCHNOP_reset_cont:
		o->arg[A_1] = a_domid(r, d->id);
		if (d->reset_next)
			o->arg[A_1] = DOMID_SELF;
		break;
	case EVTCHNOP_init_control:
	case EVTCHNOP_expand_array:
	case OP_EXPAND:
		draw_fifo(r, d, o);
		break;
	case OP_POLL:
	case OP_POLL_32:
		draw_poll(r, d, o);
		break;
	case OP_CONSUMER_ALLOC:
		o->arg[A_1] = a_vcpu(r, d);
		o->arg[A_2] = a_domid(r, d->id);
		o->arg[A_3] = draw(r, chance(r, 10) ? 10 : 4);
		break;
	case OP_STATIC:
		draw_static(r, m, d, o);
		break;
	case OP_CONSUMER_FREE:
	case OP_CONSUMER_NOTIFY:
		draw_consumer(r, d, o);
		break;
	default:
		break;
	}
}

/* Kinds whose numbers are simple. */
static void draw_simple(struct random *r, const struct model_domain *d,
			struct op *o)
{
	switch (o->kind) {
	case EVTCHNOP_bind_ipi:
		o->arg[A_1] = a_vcpu(r, d);
		break;
	case EVTCHNOP_set_priority:
		o->arg[A_1] = a_port(r, d);
		o->arg[A_2] = draw(r, chance(r, 90) ? 16 : 18);
		break;
	case EVTCHNOP_bind_vcpu:
		o->arg[A_1] = a_port(r, d);
		o->arg[A_2] = a_vcpu(r, d);
		break;
	case OP_RAW:
		o->arg[A_1] = draw(r, 20);
		break;
	case OP_COMPAT:
		o->arg[A_3] = draw(r, 12);
		o->arg[A_1] = a_port(r, d);
		o->arg[A_2] = a_vcpu(r, d);
		break;
	case OP_VIRQ:
	case OP_VIRQ_DOMAIN:
	case OP_VIRQ_GLOBAL:
	case OP_SET_HANDLER:
		o->arg[A_1] = a_virq(r);
		break;
	case OP_PIRQ:
		o->arg[A_1] = draw(r, MODEL_PIRQS + 2);
		break;
	case OP_INFO:
		o->arg[A_1] = draw(r, 100);
		break;
	case OP_WIDTH:
	case OP_PAUSE:
		o->arg[A_1] = draw(r, 2);
		break;
	case OP_HWDOM:
	case OP_TARGET:
	case OP_CREATE:
		o->arg[A_1] = draw(r, OP_SHAPES);
		break;
	case OP_BITS:
		o->arg[A_1] = a_port(r, d);
		o->arg[A_2] = draw(r, chance(r, 85) ? BITS_FORGE : BITS_KINDS);
		break;
	case OP_COLLECT:
		o->arg[A_1] = chance(r, 80) ? 0 : draw(r, 4);
		break;
	case OP_POKE:
		o->arg[A_1] = draw(r, UINT32_MAX);
		o->arg[A_AT] = MODEL_BASE + draw(r, MODEL_MEMORY / 4) * 4;
		break;
	case OP_WIPE:
		o->arg[A_1] = 3 + draw(r, 5);
		o->arg[A_2] = a_page_value(r);
		break;
	case OP_WATCH:
		o->arg[A_1] = chance(r, 70) ? a_port_in(r, d, INTERDOMAIN)
					    : a_port(r, d);
		o->arg[A_2] = chance(r, 80);
		break;
	case OP_LIMIT:
		o->arg[A_1] = draw(r, 5);
		break;
	case OP_FILL:
		o->arg[A_1] = a_number(r);
		if (chance(r, 50)) /* as many as exist */
			o->arg[A_1] = d->nr_valid - 1 - d->nr_open;
		break;
	case OP_EMPTY:
		o->arg[A_1] = a_port(r, d);
		o->arg[A_2] = a_number(r);
		break;
	default: /* a port */
		o->arg[A_1] = a_port(r, d);
		break;
	}
}

/* --- which kind ------------------------------------------------------------------------ */

/* How often, relative to the others. */
static const uint16_t weight[OP_KINDS] = {
	[EVTCHNOP_bind_interdomain] = 60,
	[EVTCHNOP_bind_virq] = 35,
	[EVTCHNOP_bind_pirq] = 20,
	[EVTCHNOP_close] = 50,
	[EVTCHNOP_send] = 120,
	[EVTCHNOP_status] = 40,
	[EVTCHNOP_alloc_unbound] = 70,
	[EVTCHNOP_bind_ipi] = 25,
	[EVTCHNOP_bind_vcpu] = 30,
	[EVTCHNOP_unmask] = 40,
	[EVTCHNOP_reset] = 5,
	[EVTCHNOP_init_control] = 15,
	[EVTCHNOP_expand_array] = 12,
	[EVTCHNOP_set_priority] = 30,
	[EVTCHNOP_reset_cont] = 8,
	[OP_RAW] = 8,
	[OP_COMPAT] = 15,
	[OP_POLL] = 25,
	[OP_POLL_32] = 15,
	[OP_POLL_END] = 5,
	[OP_VIRQ] = 20,
	[OP_VIRQ_DOMAIN] = 6,
	[OP_VIRQ_GLOBAL] = 12,
	[OP_SET_HANDLER] = 8,
	[OP_HWDOM] = 1,
	[OP_PIRQ] = 15,
	[OP_CONSUMER_ALLOC] = 10,
	[OP_CONSUMER_FREE] = 4,
	[OP_CONSUMER_NOTIFY] = 15,
	[OP_INFO] = 3,
	[OP_WIDTH] = 1,
	[OP_PAUSE] = 5,
	[OP_TARGET] = 2,
	[OP_CREATE] = 12,
	[OP_DESTROY] = 2,
	[OP_REMOVE] = 6,
	[OP_WATCH] = 15,
	[OP_LIMIT] = 4,
	[OP_REFILL] = 20,
	[OP_STATIC] = 12,
	[OP_BITS] = 60,
	[OP_COLLECT] = 60,
	[OP_POKE] = 6,
	[OP_WIPE] = 3,
	[OP_FILL] = 3,
	[OP_EMPTY] = 3,
	[OP_EXPAND] = 1,
};

static uint32_t a_kind(struct random *r)
{
	uint32_t sum = 0, kind, at;

	for (kind = 0; kind < OP_KINDS; kind++)
		sum += weight[kind];
	at = draw(r, sum);
	for (kind = 0; at >= weight[kind]; kind++)
		at -= weight[kind];
	return kind;
}

/* The domains everybody begins with; domain 4 is a device model for 1. */
static struct op prologue(uint32_t i)
{
	struct op o = {.kind = OP_CREATE, .arg = {i, 0, i, 1}};

	if (i == MODEL_DOMAINS)
		o = (struct op){.kind = OP_HWDOM, .arg = {0, 0, 1}};
	if (i > MODEL_DOMAINS)
		o = (struct op){.kind = OP_TARGET, .arg = {4, 0, 1}};
	return o;
}

static bool takes_long(uint32_t kind)
{
	return kind == EVTCHNOP_reset || kind == EVTCHNOP_reset_cont ||
	       kind == OP_DESTROY;
}

/* The next port to be opened is one that does not exist yet. */
static bool needs_bucket(const struct model_domain *d)
{
	return d->exists && d->nr_open + 1 == d->nr_valid;
}

/* Some kinds are drawn more often in some states. */
static void steer(struct random *r, const struct model_domain *d, struct op *o)
{
	static const uint8_t opening[] = {
		EVTCHNOP_alloc_unbound, EVTCHNOP_bind_interdomain,
		EVTCHNOP_bind_virq,	EVTCHNOP_bind_pirq,
		EVTCHNOP_bind_ipi,	OP_CONSUMER_ALLOC,
	};

	/* What does not exist comes back soon; what dies goes on dying. */
	if (!d->exists)
		o->kind = OP_CREATE;
	else if (d->dying && chance(r, 30))
		o->kind = d->gone ? OP_REMOVE : OP_DESTROY;
	else if (d->reset_next && chance(r, 30))
		o->kind = chance(r, 80) ? EVTCHNOP_reset_cont : EVTCHNOP_reset;
	else if (needs_bucket(d) && chance(r, 40))
		o->kind = opening[draw(r, sizeof(opening))];
	else if (d->nr_open > 1024 && chance(r, 3))
		o->kind = OP_WIDTH;
}

struct op random_op(struct random *r, const struct model *m, uint32_t i)
{
	struct op o = {.kind = a_kind(r)};
	const struct model_domain *d;

	if (i < RANDOM_PROLOGUE)
		return prologue(i);
	o.arg[A_DOM] = draw(r, MODEL_DOMAINS);
	d = &m->domain[o.arg[A_DOM]];
	steer(r, d, &o);
	if (chance(r, needs_bucket(d) ? 50 : 4))
		o.env |= ENV_NO_MEMORY;
	if (chance(r, 4))
		o.env |= ENV_REFUSE;
	if (takes_long(o.kind) && chance(r, 70))
		o.env |= ENV_YIELD;
	if (o.kind == OP_CREATE) {
		o.arg[A_1] = draw(r, OP_SHAPES);
		o.arg[A_2] = draw(r, 4);
		return o;
	}
	if (op_kinds[o.kind].arg[A_VCPU])
		o.arg[A_VCPU] = draw(r, d->shape.nr_vcpus);
	if (op_kinds[o.kind].arg[A_AT])
		o.arg[A_AT] = an_address(r);
	draw_simple(r, d, &o);
	draw_special(r, m, d, &o);
	return o;
}
