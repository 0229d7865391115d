/* SPDX-License-Identifier: MIT */
/*
 * The machine Frama-C analyses the core in: two of everything, in any state the
 * invariants of the core allow, and a host that answers anything host.h allows.
 *
 * Each kind of object exists more than once and is picked by PICK(), which the
 * analyser cannot see through.  Two things follow.  Every write adds a value to
 * those an object may hold and takes none away, so that what is found holds
 * also when other CPUs run the core at the same time.  And each object has
 * bounds of its own: one past the end is an alarm, not a neighbour.
 */
#include "world.h"

volatile uint32_t anything;
volatile uint64_t anything_64;

/* --- memory ------------------------------------------------------------ */

static struct evc_machine machine_a, machine_b;

/* What a domain is lent. */
#define LEND(x)                                            \
	static struct evc_domain domain_##x;               \
	static struct evc_vcpu vcpu_##x[NR_VCPUS];         \
	static struct evc_channel *bucket_##x[NR_BUCKETS]; \
	static uint64_t map_0##x[NR_BUCKETS];              \
	static uint64_t map_1##x[1], map_2##x[1];          \
	static evb_u32 pirq_##x[NR_LINES];                 \
	static struct evc_fifo fifo_##x;                   \
	static struct evc_limit limit_##x;                 \
	static uint32_t limit_next_##x[NR_PORTS];          \
	static struct evc_fifo_vcpu fifo_vcpu_##x[NR_VCPUS]
LEND(a);
LEND(b);

static struct evc_channel channels_a[EVC_BUCKET_PORTS],
	channels_b[EVC_BUCKET_PORTS];

/* Pages of guests: any bytes, at any time. */
static unsigned char page_a[PAGE] __attribute__((aligned(PAGE)));
static unsigned char page_b[PAGE] __attribute__((aligned(PAGE)));

unsigned char *const pages[2] = {page_a, page_b};
static unsigned char *const pages_or_none[] = {page_a, page_b, NULL};
struct evc_machine *const machines[2] = {&machine_a, &machine_b};
struct evc_domain *const domains[2] = {&domain_a, &domain_b};
struct evc_domain *const domains_or_none[3] = {&domain_a, &domain_b, NULL};
static struct evc_vcpu *const vcpus[] = {vcpu_a, vcpu_b};
struct evc_channel *const buckets[2] = {channels_a, channels_b};
static struct evc_channel *const buckets_or_none[] = {channels_a, channels_b,
						      NULL};
static const struct evc_deliver *const delivers[] = {&evc_deliver_2l,
						     &evc_deliver_fifo};

struct evc_vcpu *any_vcpu(void)
{
	return PICK(vcpus) + BETWEEN(0, NR_VCPUS - 1);
}

static struct evc_channel *any_channel(void)
{
	return PICK(buckets) + BETWEEN(0, EVC_BUCKET_PORTS - 1);
}

static uint32_t any_port(void)
{
	return BETWEEN(0, NR_PORTS - 1);
}

/* --- the host ---------------------------------------------------------- */

uint32_t next_word, next_word_at;
bool word_is_next;
bool all_are_found;

int evc_host_copy_in(struct evc_vcpu *v, void *dst, uint64_t addr, size_t len)
{
	(void)v;
	(void)addr;
	Frama_C_make_unknown(dst, len);
	if (word_is_next)
		*(uint32_t *)((char *)dst + next_word_at) = next_word;
	word_is_next = false;
	return anything ? -XEN_EFAULT : 0;
}

int evc_host_copy_out(struct evc_vcpu *v, uint64_t addr, const void *src,
		      size_t len)
{
	(void)v;
	(void)addr;
	/*@ assert result_is_readable: \valid_read((char *)src + (0 .. len - 1));
	 */
	/*@ assert nothing_leaks: \initialized((char *)src + (0 .. len - 1)); */
	return anything ? -XEN_EFAULT : 0;
}

struct evc_domain *evc_host_find_domain(struct evc_machine *m, domid_t domid)
{
	(void)m;
	(void)domid;
	return all_are_found ? PICK(domains) : PICK(domains_or_none);
}

int evc_host_permit(const struct evc_domain *caller,
		    const struct evc_domain *target, enum evc_permission what)
{
	if (anything)
		return evc_default_policy(caller, target, what);
	return anything ? -XEN_EPERM : 0;
}

void evc_host_kick(struct evc_vcpu *v)
{
	v->host = NULL;
}

void evc_host_wake(struct evc_vcpu *v)
{
	v->host = NULL;
}

bool evc_host_upcall_enabled(struct evc_vcpu *v)
{
	v->host = NULL;
	return anything;
}

struct evc_channel *evc_host_bucket(struct evc_domain *d, uint32_t index)
{
	/*@ assert bucket_is_lent: index < 2; */
	d->host = NULL;
	return PICK(buckets_or_none);
}

bool evc_host_should_yield(void)
{
	return anything;
}

void evc_host_relax(void)
{
}

int evc_host_pirq_permit(struct evc_domain *d, uint32_t pirq)
{
	/*@ assert line_exists: pirq < 4; */
	d->host = NULL;
	return anything ? -XEN_EPERM : 0;
}

int evc_host_pirq_bind(struct evc_domain *d, uint32_t pirq, uint32_t flags)
{
	(void)flags;
	/*@ assert line_exists: pirq < 4; */
	d->host = NULL;
	switch (anything) {
	case 0:
		return 0;
	case 1:
		return -XEN_EINVAL;
	case 2:
		return -XEN_EBUSY;
	default:
		return -XEN_ENOMEM;
	}
}

void evc_host_pirq_unbind(struct evc_domain *d, uint32_t pirq)
{
	/*@ assert line_exists: pirq < 4; */
	d->host = NULL;
}

void evc_host_pirq_move(struct evc_domain *d, uint32_t pirq, uint32_t vcpu)
{
	/*@ assert line_exists: pirq < 4; */
	/*@ assert vcpu_exists: vcpu < 2; */
	d->host = NULL;
}

void *evc_host_map_frame(struct evc_domain *d, uint64_t gfn)
{
	d->host = NULL;
	(void)gfn;
	return PICK(pages_or_none);
}

void evc_host_unmap_frame(struct evc_domain *d, void *page)
{
	d->host = NULL;
	(void)page;
}

static void call_back(struct evc_vcpu *v, evtchn_port_t port)
{
	/*@ assert port_exists: port < 128; */
	v->host = NULL;
}

static void call_back_too(struct evc_vcpu *v, evtchn_port_t port)
{
	/*@ assert port_exists: port < 128; */
	v->host = NULL;
}

evc_consumer_fn const callbacks[2] = {call_back, call_back_too};
static evc_consumer_fn const callbacks_or_none[] = {call_back, call_back_too,
						    NULL};

/* --- any state ----------------------------------------------------------- */

static void make_machine(struct evc_machine *m, unsigned int what)
{
	uint32_t i;

	m->lock.held.v = BETWEEN(0, 1);
	m->xen_4_17 = anything;
	m->hwdom.v = PICK(domains_or_none);
	/*@ loop unroll NR_VIRQS; */
	for (i = 0; i < NR_VIRQS; i++)
		m->virq_handler[i].v = PICK(domains_or_none);
	/*@ loop unroll EVC_NR_CONSUMERS; */
	for (i = 0; i < EVC_NR_CONSUMERS; i++)
		m->consumer[i] = what & ROOM ? PICK(callbacks_or_none)
					     : PICK(callbacks);
}

static void make_channel(struct evc_channel *ch)
{
	ch->lock.held.v = BETWEEN(0, 1);
	ch->port = any_port();
	ch->state = (enum evc_state)BETWEEN(EVC_ST_FREE, EVC_ST_IPI);
	ch->care = (uint8_t)BETWEEN(0, 15);
	ch->priority.v = (uint8_t)BETWEEN(0, EVTCHN_FIFO_PRIORITY_MIN);
	ch->consumer = (uint8_t)BETWEEN(0, EVC_NR_CONSUMERS);
	ch->closing = anything;
	ch->parked.v = (uint8_t)BETWEEN(0, 1);
	ch->held = (enum evc_held)BETWEEN(EVC_HELD_NOT, EVC_HELD_EVENT);
	ch->notice = anything;
	ch->fixed = anything;
	ch->fifo_last.v = BETWEEN(0, NR_VCPUS * EVTCHN_FIFO_MAX_QUEUES - 1);
	ch->dropped = anything;
	ch->domain = PICK(domains);
	ch->vcpu.v = any_vcpu();
	ch->u.remote_domid = (domid_t)anything;
	ch->u.remote_generation = anything;
	ch->u.peer = any_channel();
	ch->u.pirq = BETWEEN(0, NR_LINES - 1);
	ch->u.pirq_flags = anything;
	ch->u.virq = BETWEEN(0, NR_VIRQS - 1);
	ch->sent = anything_64;
	ch->posted = anything_64;
}

static void make_vcpu(struct evc_vcpu *v, uint32_t id, struct evc_fifo_vcpu *fv)
{
	uint32_t i;

	v->domain = PICK(domains);
	v->fifo = fv;
	v->id = id;
	v->host = NULL;
	v->info.v = v->no_info;
	if (anything)
		v->info.v = PICK(pages) + 8 * BETWEEN(0, (PAGE - 64) / 8);
	v->info_registered = anything;
	v->poll.v = anything;
	/*@ loop unroll NR_VIRQS; */
	for (i = 0; i < NR_VIRQS; i++)
		v->virq_port[i].v = any_port();
	Frama_C_make_unknown((char *)v->no_info, sizeof(v->no_info));
}

static void make_fifo_vcpu(struct evc_fifo_vcpu *fv)
{
	uint32_t i;

	fv->control.v = NULL;
	if (anything)
		fv->control.v =
			PICK(pages) +
			8 * BETWEEN(0,
				    (PAGE -
				     sizeof(struct evtchn_fifo_control_block)) /
					    8);
	fv->control_gfn = anything_64;
	/*@ loop unroll EVTCHN_FIFO_MAX_QUEUES; */
	for (i = 0; i < EVTCHN_FIFO_MAX_QUEUES; i++) {
		fv->queue[i].lock.held.v = BETWEEN(0, 1);
		fv->queue[i].tail = any_port();
	}
}

static void make_fifo(struct evc_fifo *f, struct evc_fifo_vcpu *fv)
{
	uint32_t i;

	f->vcpu = fv;
	/*@ loop unroll EVC_FIFO_MAX_PAGES; */
	for (i = 0; i < EVC_FIFO_MAX_PAGES; i++)
		f->array[i].v = PICK(pages_or_none);
	Frama_C_make_unknown((char *)f->array_gfn, sizeof(f->array_gfn));
	f->nr_pages = BETWEEN(0, EVC_FIFO_MAX_PAGES);
	f->move.held.v = BETWEEN(0, 1);
	f->nr_dropped.v = anything;
	make_fifo_vcpu(&fv[0]);
	make_fifo_vcpu(&fv[1]);
}

static void make_limit(struct evc_limit *l, uint32_t *next)
{
	uint32_t i;

	l->lock.held.v = BETWEEN(0, 1);
	l->burst = anything;
	l->left = anything;
	l->first = any_port();
	l->last = any_port();
	l->nr_held = BETWEEN(0, NR_PORTS - 1);
	l->nr_delayed = anything_64;
	l->next = next;
	/*@ loop unroll NR_PORTS; */
	for (i = 0; i < NR_PORTS; i++)
		next[i] = any_port();
}

static void make_ports(struct evc_ports *p, struct evc_channel **bucket,
		       unsigned int what)
{
	p->bucket = bucket;
	bucket[0] = PICK(buckets);
	bucket[1] = what & FREE ? PICK(buckets_or_none) : PICK(buckets);
	p->capacity = NR_PORTS;
	p->nr_valid.v = what & FREE ? EVC_BUCKET_PORTS : NR_PORTS;
	p->nr_open = BETWEEN(0, NR_PORTS - 1);
	p->nr_consumer = BETWEEN(0, NR_PORTS - 1);
	p->nr_fixed = BETWEEN(0, NR_PORTS - 1);
	p->map[0][0] = anything_64;
	/* Of ports that exist. */
	p->map[0][1] = what & FREE ? 0 : anything_64;
	p->map[1][0] = BETWEEN(0, what & FREE ? 1 : 3);
	p->map[2][0] = BETWEEN(0, 1);
}

static void make_domain(struct evc_domain *d)
{
	d->machine = PICK(machines);
	d->deliver.v = (void *)&evc_deliver_2l;
	evc_words_init(&d->layout[EVC_WIDTH_32], PICK(pages), EVC_WIDTH_32);
	evc_words_init(&d->layout[EVC_WIDTH_64], PICK(pages), EVC_WIDTH_64);
	d->words.v = &d->layout[BETWEEN(0, 1)];
	d->nr_vcpus = NR_VCPUS;
	d->max_port = anything;
	d->generation = anything;
	d->domid = (domid_t)BETWEEN(0, DOMID_FIRST_RESERVED - 1);
	d->check_send = anything;
	d->privileged.v = (uint8_t)BETWEEN(0, 1);
	d->paused.v = (uint8_t)BETWEEN(0, 1);
	d->dying.v = (uint8_t)BETWEEN(0, 1);
	d->target.v = PICK(domains_or_none);
	d->lock.held.v = BETWEEN(0, 1);
	d->reset_next = any_port();
	d->destroy_next = any_port();
	d->nr_polling.v = anything;
	d->pirq_port[0].v = any_port();
	d->pirq_port[1].v = any_port();
	d->pirq_port[2].v = any_port();
	d->pirq_port[3].v = any_port();
	d->nr_pirqs = NR_LINES;
	d->shared_info = PICK(pages);
	d->gone_sent = anything_64;
	d->gone_posted = anything_64;
	d->gone_dropped = anything_64;
	d->host = NULL;
}

static void lend(struct evc_domain *d, struct evc_fifo *f,
		 struct evc_fifo_vcpu *fv, struct evc_limit *l, uint32_t *next)
{
	make_fifo(f, fv);
	d->fifo = f;
	d->deliver.v = (void *)PICK(delivers);
	make_limit(l, next);
	d->limit = l;
}

#define MAKE(x)                                                     \
	do {                                                        \
		domain_##x.vcpu = vcpu_##x;                         \
		domain_##x.pirq_port = pirq_##x;                    \
		domain_##x.ports.map[0] = map_0##x;                 \
		domain_##x.ports.map[1] = map_1##x;                 \
		domain_##x.ports.map[2] = map_2##x;                 \
		make_domain(&domain_##x);                           \
		make_ports(&domain_##x.ports, bucket_##x, what);    \
		if (what & LENT)                                    \
			lend(&domain_##x, &fifo_##x, fifo_vcpu_##x, \
			     &limit_##x, limit_next_##x);           \
		make_vcpu(&vcpu_##x[0], 0,                          \
			  what &LENT ? &fifo_vcpu_##x[0] : NULL);   \
		make_vcpu(&vcpu_##x[1], 1,                          \
			  what &LENT ? &fifo_vcpu_##x[1] : NULL);   \
	} while (0)

void make_world(unsigned int what)
{
	struct evc_channel any;
	uint32_t i;

	make_channel(&any);
	if (!(what & LENT))
		any.care = (uint8_t)BETWEEN(0, EVC_CARE_LIMIT - 1);

	Frama_C_make_unknown((char *)page_a, sizeof(page_a));
	Frama_C_make_unknown((char *)page_b, sizeof(page_b));
	make_machine(&machine_a, what);
	make_machine(&machine_b, what);
	MAKE(a);
	MAKE(b);
	/*@ loop unroll EVC_BUCKET_PORTS; */
	for (i = 0; i < EVC_BUCKET_PORTS; i++) {
		channels_a[i] = any;
		channels_b[i] = any;
	}
}

/* --- is it one of them still? --------------------------------------------- */

static void check_channel(const struct evc_channel *ch)
{
	const struct evc_vcpu *v = ch->vcpu.v;

	/*@ assert channel: ch->port < 128 && ch->state <= EVC_ST_IPI; */
	/*@ assert channel: ch->care <= 15 && ch->consumer <= 7; */
	/*@ assert channel: ch->priority.v <= 15 && ch->fifo_last.v < 32; */
	/*@ assert channel: ch->held <= EVC_HELD_EVENT && ch->parked.v <= 1; */
	/*@ assert channel: \valid_read(ch->domain) && v->id < 2; */
	/*@ assert channel: \valid_read(ch->u.peer); */
	/*@ assert channel: ch->u.pirq < 4 && ch->u.virq < 24; */
}

static void check_vcpu(const struct evc_vcpu *v)
{
	uint32_t virq = BETWEEN(0, NR_VIRQS - 1);

	/*@ assert vcpu: \valid((char *)v->info.v + (0 .. 63)); */
	/*@ assert vcpu: v->virq_port[virq].v < 128; */
	/*@ assert vcpu: v->id < 2 && \valid(v->domain); */
}

static void check_fifo(const struct evc_fifo *f)
{
	const struct evc_fifo_vcpu *fv = &f->vcpu[BETWEEN(0, NR_VCPUS - 1)];
	uint32_t prio = BETWEEN(0, EVTCHN_FIFO_MAX_QUEUES - 1);
	unsigned char *control = fv->control.v;
	unsigned char *page = f->array[BETWEEN(0, EVC_FIFO_MAX_PAGES - 1)].v;

	if (control) {
		/*@ assert fifo: \valid(control + (0 .. 71)); */
		;
	}
	if (page) {
		/*@ assert fifo: \valid(page + (0 .. 4095)); */
		;
	}
	/*@ assert fifo: fv->queue[prio].tail < 128; */
	/*@ assert fifo: f->nr_pages <= 128; */
}

static void check_limit(const struct evc_limit *l)
{
	uint32_t port = BETWEEN(0, NR_PORTS - 1);

	/*@ assert limit: l->first < 128 && l->last < 128; */
	/*@ assert limit: l->next[port] < 128; */
}

static void check_domain(const struct evc_domain *d)
{
	const struct evc_words *w = d->words.v;
	const struct evc_deliver *deliver = d->deliver.v;
	uint32_t pirq = BETWEEN(0, NR_LINES - 1);

	/*@ assert domain: \valid_read(w) && \valid_read(deliver); */
	/*@ assert domain: \valid_read(d->machine); */
	/*@ assert domain: d->reset_next < 128 && d->destroy_next < 128; */
	/*@ assert domain: d->pirq_port[pirq].v < 128; */
	/*@ assert ports: d->ports.nr_valid.v <= 128; */
	/*@ assert ports: d->ports.capacity == 128 && d->nr_vcpus == 2; */
	/*@ assert ports: d->ports.map[1][0] <= 3 && d->ports.map[2][0] <= 1; */
}

void check_world(unsigned int what)
{
	check_channel(any_channel());
	check_vcpu(&vcpu_a[0]);
	check_vcpu(&vcpu_a[1]);
	check_vcpu(&vcpu_b[0]);
	check_vcpu(&vcpu_b[1]);
	check_domain(PICK(domains));
	if (what & LENT) {
		check_fifo(&fifo_a);
		check_fifo(&fifo_b);
		check_limit(&limit_a);
		check_limit(&limit_b);
	}
}
