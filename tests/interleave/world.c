/* SPDX-License-Identifier: MIT */
/*
 * See world.h.  Compiled without reports of plain accesses: what is noted here
 * (runs, wakes, ...) is the test's own and every order of it is as good.
 *
 * Reading order: setup, actors, the hooks of the core, those of the guest, the
 * checks.
 */
#include "tests/interleave/world.h"

#include <string.h>

#include <abi/sched.h>
#include <abi/vcpu.h>

struct world world __attribute__((aligned(4096)));

/* --- setup ------------------------------------------------------------------- */

static void start_guest(struct side *s, enum evc_width width)
{
	const struct evg_config c = {
		.shared_info = s->page,
		.layout = width == EVC_WIDTH_64 ? EVG_LAYOUT_X86_64
						: EVG_LAYOUT_X86_32,
		.port = s->port,
		.nr_ports = PORTS,
		.vcpu = s->gv,
		.nr_vcpus = VCPUS,
		.fifo = world.lend_guest_fifo && s == R ? &s->gfifo : NULL,
	};
	uint32_t i;

	for (i = 0; i < VCPUS; i++)
		s->lent_control[i].mem = s->control + 128 * i;
	s->lent_page = (struct evg_lent){s->array, 1};
	s->gfifo.control = s->lent_control;
	s->gfifo.page = &s->lent_page;
	s->gfifo.nr_pages = 1;
	x_check(!evg_init(&s->g, &c));
	s->g.host = s;
}

static void start_side(struct side *s, domid_t domid, enum evc_width width)
{
	bool has_limit = world.lend_limit && s == S;
	const struct evc_domain_config c = {
		.machine = &world.machine,
		.domid = domid,
		.width = width,
		.shared_info = s->page,
		.vcpu = s->vcpu,
		.nr_vcpus = VCPUS,
		.bucket = s->bucket,
		.nr_buckets = 2,
		.map = s->map,
		.pirq_port = s->pirq_port,
		.nr_pirqs = PIRQS,
		.max_port = EVC_NO_LIMIT,
		.privileged = true,
		.limit = has_limit ? &s->limit : NULL,
		.limit_next = has_limit ? s->limit_next : NULL,
		.fifo = &s->fifo,
		.fifo_vcpu = s->fifo_vcpu,
		.host = s,
	};

	x_check(!evc_domain_init(&s->d, &c));
	start_guest(s, width);
}

static void start(enum evc_width width)
{
	evc_machine_init(&world.machine, false, NULL);
	start_side(R, 1, width);
	start_side(S, 2, width);
	world_place(X_ACTORS, R, 0);
}

void world_start(void)
{
	start(EVC_WIDTH_64);
}

void world_start_32(void)
{
	start(EVC_WIDTH_32);
}

void world_place(unsigned int i, struct side *s, uint32_t vcpu)
{
	world.on[i] = &s->gv[vcpu];
}

/* Calls of the guest library in setup and check run on this vCPU. */
static void run_on(struct side *s, uint32_t vcpu)
{
	world_place(X_ACTORS, s, vcpu);
}

void world_handler(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct side *s = v->guest->host;
	unsigned int i;

	(void)ctx;
	x_check(!s->inside[port]);
	s->inside[port] = 1;
	s->runs[port]++;
	x_check(!evb_u32_load_relaxed(&world.gone));
	for (i = 0; i < PAYLOADS; i++)
		s->seen[port][i] = evb_u32_load_relaxed(&world.payload[i]);
	x_check(!evb_u32_load_relaxed(&world.gone));
	s->inside[port] = 0;
}

void world_handle(struct side *s, evtchn_port_t port, uint32_t vcpu)
{
	run_on(s, vcpu);
	x_check(!evg_bind_handler(&s->g, port, vcpu, world_handler, NULL));
	(void)evg_upcall(&s->gv[vcpu]);
	s->runs[port] = 0;
}

void world_connect(struct side *a, evtchn_port_t *pa, struct side *b,
		   evtchn_port_t *pb, uint32_t vcpu)
{
	run_on(a, 0);
	x_check(!evg_alloc_unbound(&a->g, DOMID_SELF, b->d.domid, pa));
	run_on(b, 0);
	x_check(!evg_bind_interdomain(&b->g, a->d.domid, *pa, pb));
	world_handle(a, *pa, vcpu);
	world_handle(b, *pb, vcpu);
	a->runs[*pa] = b->runs[*pb] = 0;
}

void world_connect_far(struct side *a, evtchn_port_t *pa, struct side *b,
		       evtchn_port_t *pb)
{
	evtchn_port_t first = 0, port;

	do {
		x_check(!evc_bind_ipi(&a->d, 0, &port));
		first = first ? first : port;
	} while (port % 32 != 31);
	world_connect(a, pa, b, pb, 0);
	for (; first <= port; first++)
		x_check(!evc_close(&a->d, first));
}

void world_use_fifo(struct side *s, bool with_array)
{
	struct evtchn_init_control c = {.control_gfn = 0};

	for (c.vcpu = 0; c.vcpu < VCPUS; c.vcpu++) {
		c.offset = c.vcpu * 128;
		x_check(!evc_init_control(&s->d, &c));
	}
	if (with_array)
		x_check(!evc_expand_array(&s->d, 1));
}

/* --- actors ------------------------------------------------------------------ */

void world_send(struct side *from, evtchn_port_t port, unsigned int n)
{
	evb_u32_store_relaxed(&world.payload[n], 1);
	x_check(!evc_send(&from->d, port));
}

void world_collect(struct side *s, uint32_t vcpu)
{
	if (fifo_is_used(s) && !evg_is_fifo(&s->g))
		fifo_collect(s, vcpu);
	else
		(void)evg_upcall(&s->gv[vcpu]);
}

void world_run_vcpu(struct side *s, uint32_t vcpu)
{
	world_collect(s, vcpu);
	/* MO-BLOCK: asleep, then look at the flag once more */
	evb_u32_store(&s->asleep[vcpu], 1);
	if (evg_upcall_is_pending(&s->gv[vcpu]))
		evb_u32_store(&s->asleep[vcpu], 0);
}

int world_poll(struct side *s, uint32_t vcpu, const evtchn_port_t *port,
	       uint32_t nr)
{
	const struct sched_poll p = {.ports = (uintptr_t)port, .nr_ports = nr};
	struct evc_vcpu *v = &s->vcpu[vcpu];
	uint64_t timeout;
	int rc = evc_poll(v, (uintptr_t)&p, &timeout);

	if (rc == EVC_BLOCK) {
		evb_u32_store(&s->asleep[vcpu], 1);
		if (evc_poll_is_over(v))
			evb_u32_store(&s->asleep[vcpu], 0);
	}
	return rc;
}

/* --- hooks of the core ------------------------------------------------------- */

int evc_host_copy_in(struct evc_vcpu *v, void *dst, uint64_t addr, size_t len)
{
	(void)v;
	memcpy(dst, (const void *)(uintptr_t)addr, len);
	return 0;
}

int evc_host_copy_out(struct evc_vcpu *v, uint64_t addr, const void *src,
		      size_t len)
{
	(void)v;
	memcpy((void *)(uintptr_t)addr, src, len);
	return 0;
}

struct evc_domain *evc_host_find_domain(struct evc_machine *m, domid_t domid)
{
	(void)m;
	return domid == 1 ? &R->d : domid == 2 ? &S->d : NULL;
}

int evc_host_permit(const struct evc_domain *caller,
		    const struct evc_domain *target, enum evc_permission what)
{
	return evc_default_policy(caller, target, what);
}

static struct side *side_of(const struct evc_domain *d)
{
	return d->host;
}

void evc_host_kick(struct evc_vcpu *v)
{
	struct side *s = side_of(v->domain);

	/* MO-BLOCK: the flag is set, then is it asleep? */
	if (world.hosts_sleep && evb_u32_load(&s->asleep[v->id]))
		evb_u32_store(&s->asleep[v->id], 0);
}

void evc_host_wake(struct evc_vcpu *v)
{
	struct side *s = side_of(v->domain);

	s->wakes[v->id]++;
	if (evb_u32_load(&s->asleep[v->id]))
		evb_u32_store(&s->asleep[v->id], 0);
}

bool evc_host_upcall_enabled(struct evc_vcpu *v)
{
	(void)v;
	return false;
}

struct evc_channel *evc_host_bucket(struct evc_domain *d, uint32_t index)
{
	return side_of(d)->channels[index];
}

bool evc_host_should_yield(void)
{
	return false;
}

void evc_host_relax(void)
{
	x_relax();
}

int evc_host_pirq_permit(struct evc_domain *d, uint32_t pirq)
{
	(void)d;
	(void)pirq;
	return 0;
}

int evc_host_pirq_bind(struct evc_domain *d, uint32_t pirq, uint32_t flags)
{
	(void)flags;
	x_check(!side_of(d)->pirq_bound[pirq]);
	side_of(d)->pirq_bound[pirq] = true;
	return 0;
}

void evc_host_pirq_unbind(struct evc_domain *d, uint32_t pirq)
{
	x_check(side_of(d)->pirq_bound[pirq]);
	side_of(d)->pirq_bound[pirq] = false;
}

void evc_host_pirq_move(struct evc_domain *d, uint32_t pirq, uint32_t vcpu)
{
	(void)vcpu;
	x_check(side_of(d)->pirq_bound[pirq]);
}

void *evc_host_map_frame(struct evc_domain *d, uint64_t gfn)
{
	struct side *s = side_of(d);

	if (gfn > 1)
		return NULL;
	s->mapped++;
	s->was_fifo = true;
	return gfn ? s->array : s->control;
}

void evc_host_unmap_frame(struct evc_domain *d, void *page)
{
	(void)page;
	side_of(d)->mapped--;
}

/* --- hooks of the guest ------------------------------------------------------ */

static unsigned int who(void)
{
	return x_self < 0 ? X_ACTORS : (unsigned int)x_self;
}

struct evg_vcpu *evg_plat_this_vcpu(struct evg_guest *g)
{
	x_check(world.on[who()] && world.on[who()]->guest == g);
	return world.on[who()];
}

struct evg_guest *evg_plat_this_guest(void)
{
	return world.on[who()]->guest;
}

static int vcpu_op(struct side *s, struct evc_vcpu *v, unsigned int cmd)
{
	if (cmd != VCPUOP_register_vcpu_info)
		return -XEN_ENOSYS;
	return evc_vcpu_register_info(v, &s->info);
}

int evg_plat_hypercall(struct evg_guest *g, unsigned int nr, unsigned int cmd,
		       void *arg)
{
	struct side *s = g->host;
	struct evc_vcpu *v = &s->vcpu[evg_plat_this_vcpu(g)->id];

	if (nr == __HYPERVISOR_vcpu_op)
		return vcpu_op(s, v, cmd);
	if (nr != __HYPERVISOR_event_channel_op)
		return -XEN_ENOSYS;
	return evc_hypercall(v, cmd, (uintptr_t)arg);
}

unsigned long evg_plat_upcalls_save(struct evg_guest *g)
{
	(void)g;
	return world.upcalls_off[who()]++;
}

/* An upcall that comes in between is taken later, at the latest by the check. */
void evg_plat_upcalls_restore(struct evg_guest *g, unsigned long saved)
{
	(void)g;
	world.upcalls_off[who()] = (unsigned int)saved;
}

void evg_plat_relax(void)
{
	x_relax();
}

/* --- what must be true in the end -------------------------------------------- */

static const struct evc_channel *channel_of(const struct side *s,
					    evtchn_port_t port)
{
	return &s->channels[port / EVC_BUCKET_PORTS][port % EVC_BUCKET_PORTS];
}

static evb_u32 *info_of(const struct evc_vcpu *v)
{
	return evb_ptr_load(&v->info);
}

static bool is_announced(struct side *s, evtchn_port_t port)
{
	const struct evc_words *w = evb_ptr_load(&s->d.words);
	uint32_t i;

	for (i = 0; i < VCPUS; i++) {
		evb_u32 *info = info_of(&s->vcpu[i]);

		if (evb_test_bit(info + w->sel_word, port >> w->port_shift) &&
		    evb_u8_load((evb_u8 *)(void *)info))
			return true;
	}
	return false;
}

static bool is_pending(struct side *s, evtchn_port_t port)
{
	const struct evc_deliver *ops = evb_ptr_load(&s->d.deliver);

	return ops->is_pending(
		&s->d,
		&s->channels[port / EVC_BUCKET_PORTS][port % EVC_BUCKET_PORTS]);
}

static void check_2l(struct side *s, const struct evc_channel *ch)
{
	const struct evc_words *w = evb_ptr_load(&s->d.words);

	if (fifo_is_used(s))
		return;
	if (ch->state == EVC_ST_FREE)
		x_check(s->was_fifo || !evb_test_bit(w->pending, ch->port));
	else if (evb_test_bit(w->pending, ch->port) &&
		 !evb_test_bit(w->mask, ch->port))
		x_check(is_announced(s, ch->port));
}

/* I1, I2 and what is said of a state in storage.h. */
static void check_channel(struct side *s, const struct evc_channel *ch)
{
	bool is_free = s->map[ch->port / 64] >> ch->port % 64 & 1;

	x_check(!evb_u32_load(&ch->lock.held));
	x_check(!ch->closing);
	x_check(is_free == (ch->state == EVC_ST_FREE));
	switch (ch->state) {
	case EVC_ST_FREE:
		x_check(!ch->consumer);
		x_check(!evb_u8_load(&ch->parked));
		break;
	case EVC_ST_INTERDOMAIN:
		x_check(ch->u.peer->state == EVC_ST_INTERDOMAIN &&
			ch->u.peer->u.peer == ch);
		break;
	case EVC_ST_VIRQ:
		x_check(evb_u32_load(&s->vcpu[0].virq_port[ch->u.virq]) ==
				ch->port ||
			evb_u32_load(&s->vcpu[1].virq_port[ch->u.virq]) ==
				ch->port);
		break;
	case EVC_ST_PIRQ:
		x_check(evb_u32_load(&s->pirq_port[ch->u.pirq]) == ch->port);
		x_check(s->pirq_bound[ch->u.pirq]);
		break;
	case EVC_ST_RESERVED:
	case EVC_ST_UNBOUND:
	case EVC_ST_IPI:
		break;
	}
	check_2l(s, ch);
}

static void check_channels(struct side *s)
{
	uint32_t i, nr_open = 0, nr_consumer = 0;

	for (i = 1; i < evb_u32_load(&s->d.ports.nr_valid); i++) {
		const struct evc_channel *ch = channel_of(s, i);

		check_channel(s, ch);
		nr_open += ch->state != EVC_ST_FREE;
		nr_consumer += ch->consumer != 0;
	}
	x_check(s->d.ports.nr_open == nr_open);
	x_check(s->d.ports.nr_consumer == nr_consumer);
}

/* A slot names a port that is bound to it. */
static void check_slots(struct side *s, const struct evc_vcpu *v)
{
	uint32_t virq, port;

	for (virq = 0; virq < NR_VIRQS; virq++) {
		port = evb_u32_load(&v->virq_port[virq]);
		x_check(!port || (channel_of(s, port)->state == EVC_ST_VIRQ &&
				  channel_of(s, port)->u.virq == virq));
	}
}

static void check_vcpus(struct side *s)
{
	uint32_t i, nr_polling = 0;

	for (i = 0; i < VCPUS; i++) {
		struct evc_vcpu *v = &s->vcpu[i];
		evb_u8 *flag = (evb_u8 *)(void *)info_of(v);
		uint32_t poll = evb_u32_load(&v->poll);

		check_slots(s, v);
		nr_polling += poll != EVC_POLL_NONE;
		if (poll != EVC_POLL_NONE && poll != EVC_POLL_ANY)
			x_check(!is_pending(s, poll));
		/* Nobody sleeps on what he waits for. */
		if (!evb_u32_load(&s->asleep[i]))
			continue;
		x_check(!world.hosts_sleep || !evb_u8_load(flag));
		x_check(world.hosts_sleep || poll != EVC_POLL_NONE);
	}
	x_check(evb_u32_load(&s->d.nr_polling) == nr_polling);
}

static void collect_the_rest(struct side *s)
{
	uint32_t i;

	for (i = 0; i < VCPUS; i++) {
		if (evb_u32_load(&s->asleep[i]))
			continue;
		run_on(s, i);
		world_collect(s, i);
	}
}

void world_check(void)
{
	unsigned int i;

	x_check(!evb_u32_load(&world.machine.lock.held));
	for (i = 0; i < SIDES; i++) {
		struct side *s = &world.side[i];

		x_check(!evb_u32_load(&s->d.lock.held));
		check_channels(s);
		check_vcpus(s);
		if (fifo_is_used(s))
			fifo_check(s);
		collect_the_rest(s);
	}
}

void world_check_seen(struct side *s, evtchn_port_t port, unsigned int n)
{
	while (n--)
		x_check(s->seen[port][n] == evb_u32_load(&world.payload[n]));
}
