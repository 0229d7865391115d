/* SPDX-License-Identifier: MIT */
/* See fake_host.h.  Guest addresses are addresses of this process. */
#include "tests/lib/fake_host.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

struct fake fake;
static _Alignas(4096) unsigned char frames[FAKE_FRAMES][4096];

/* --- the lock rules of host.h, as far as one thread can check them ----------- */

static void assert_nothing_locked(void)
{
	uint32_t i;

	if (fake.threads || fake.in_relax)
		return;
	assert_int_equal(evb_u32_load(&fake.machine.lock.held), 0);
	for (i = 0; i < FAKE_DOMAINS; i++) {
		if (fake.domain[i])
			assert_int_equal(
				evb_u32_load(&fake.domain[i]->lock.held), 0);
	}
}

static void assert_locked(const struct evc_domain *d)
{
	if (!fake.threads)
		assert_int_equal(evb_u32_load(&d->lock.held), 1);
}

/* --- hooks ------------------------------------------------------------------- */

/* The first page and everything above user space cannot be accessed. */
static bool is_wild(uint64_t addr)
{
	return addr < 4096 || addr >= 1ull << 47;
}

int evc_host_copy_in(struct evc_vcpu *v, void *dst, uint64_t addr, size_t len)
{
	(void)v;
	assert_nothing_locked();
	if (is_wild(addr))
		return -XEN_EFAULT;
	memcpy(dst, (const void *)(uintptr_t)addr, len);
	return 0;
}

int evc_host_copy_out(struct evc_vcpu *v, uint64_t addr, const void *src,
		      size_t len)
{
	(void)v;
	assert_nothing_locked();
	if (is_wild(addr) || addr == fake.readonly)
		return -XEN_EFAULT;
	memcpy((void *)(uintptr_t)addr, src, len);
	return 0;
}

struct evc_domain *evc_host_find_domain(struct evc_machine *m, domid_t domid)
{
	assert_nothing_locked();
	assert_ptr_equal(m, &fake.machine);
	assert_true(domid < DOMID_FIRST_RESERVED); /* names no domain */
	return domid < FAKE_DOMAINS ? fake.domain[domid] : NULL;
}

int evc_host_permit(const struct evc_domain *caller,
		    const struct evc_domain *target, enum evc_permission what)
{
	return fake.refuse ? -XEN_EPERM
			   : evc_default_policy(caller, target, what);
}

void evc_host_kick(struct evc_vcpu *v)
{
	/* Without the flag the vCPU would look and find nothing to do. */
	if (!fake.threads)
		assert_true(fake_upcall(v));
	(void)evb_u32_add(&fake.kicks, 1);
	evb_ptr_store_release(&fake.last_kick, v);
}

void evc_host_wake(struct evc_vcpu *v)
{
	(void)evb_u32_add(&fake.wakes, 1);
	evb_ptr_store_release(&fake.last_wake, v);
}

bool evc_host_upcall_enabled(struct evc_vcpu *v)
{
	(void)v;
	return fake.upcall_enabled;
}

struct evc_channel *evc_host_bucket(struct evc_domain *d, uint32_t index)
{
	void *p = NULL;

	assert_true(index < d->ports.capacity / EVC_BUCKET_PORTS ||
		    !d->ports.capacity);
	if (fake.no_memory ||
	    posix_memalign(&p, 64,
			   EVC_BUCKET_PORTS * sizeof(struct evc_channel)))
		return NULL;
	return memset(p, 0, EVC_BUCKET_PORTS * sizeof(struct evc_channel));
}

bool evc_host_should_yield(void)
{
	assert_nothing_locked();
	if (fake.meanwhile)
		fake.meanwhile(&fake);
	return fake.yield;
}

void evc_host_relax(void)
{
	if (fake.threads) {
		(void)sched_yield();
	} else if (fake.relax && !fake.in_relax) {
		fake.in_relax = true;
		fake.relax(&fake);
		fake.in_relax = false;
	} else {
		fail_msg("a lock is held that nobody will give back");
	}
}

int evc_host_pirq_permit(struct evc_domain *d, uint32_t pirq)
{
	assert_locked(d);
	assert_true(pirq < FAKE_PIRQS);
	/* A test may change it at any time. */
	return evb_test_bit((const evb_u32 *)&fake.pirq_permitted, pirq)
		       ? 0
		       : -XEN_EPERM;
}

int evc_host_pirq_bind(struct evc_domain *d, uint32_t pirq, uint32_t flags)
{
	assert_locked(d);
	(void)pirq;
	(void)flags;
	(void)evb_u32_add(&fake.pirq_binds, 1);
	return fake.pirq_bind_rc;
}

void evc_host_pirq_unbind(struct evc_domain *d, uint32_t pirq)
{
	assert_locked(d);
	(void)pirq;
	(void)evb_u32_add(&fake.pirq_unbinds, 1);
}

void evc_host_pirq_move(struct evc_domain *d, uint32_t pirq, uint32_t vcpu)
{
	(void)d;
	(void)pirq;
	(void)vcpu;
	(void)evb_u32_add(&fake.pirq_moves, 1);
}

/* --- a delivery without words ------------------------------------------------ */

static struct evc_posted post_wide(struct evc_domain *d, struct evc_channel *ch)
{
	(void)d;
	(void)ch;
	return (struct evc_posted){EVC_NOTHING, NULL};
}

static void clear_wide(struct evc_domain *d, struct evc_channel *ch)
{
	(void)d;
	(void)ch;
}

static bool is_pending_wide(struct evc_domain *d, struct evc_channel *ch)
{
	(void)d;
	(void)ch;
	return false;
}

static bool is_busy_wide(struct evc_domain *d, struct evc_channel *ch)
{
	(void)d;
	return fake.busy && fake.busy(ch->port);
}

static uint32_t nr_ports_wide(const struct evc_domain *d)
{
	(void)d;
	return fake.wide_ports ? fake.wide_ports : EVTCHN_FIFO_NR_CHANNELS;
}

const struct evc_deliver fake_wide = {
	.post = post_wide,
	.unmask = post_wide,
	.clear = clear_wide,
	.is_pending = is_pending_wide,
	.is_busy = is_busy_wide,
	.nr_ports = nr_ports_wide,
	.has_priorities = true,
};

/* --- lending memory ---------------------------------------------------------- */

void fake_start(bool xen_4_17)
{
	memset(&fake, 0, sizeof(fake));
	memset(frames, 0, sizeof(frames));
	fake.frame = frames;
	evc_machine_init(&fake.machine, xen_4_17, NULL);
}

struct evc_domain_config fake_config(const struct fake_options *o)
{
	uint32_t nr_buckets = o->nr_buckets ? o->nr_buckets : 64;
	uint32_t nr_vcpus = o->nr_vcpus ? o->nr_vcpus : 2;
	struct evc_domain_config c = {
		.machine = &fake.machine,
		.domid = o->domid,
		.width = o->width,
		.shared_info = aligned_alloc(4096, 4096),
		.vcpu = test_calloc(nr_vcpus, sizeof(struct evc_vcpu)),
		.nr_vcpus = nr_vcpus,
		.bucket = test_calloc(nr_buckets, sizeof(void *)),
		.nr_buckets = nr_buckets,
		.map = test_calloc(EVC_MAP_WORDS(nr_buckets), 8),
		.pirq_port = test_calloc(FAKE_PIRQS, sizeof(evb_u32)),
		.nr_pirqs = FAKE_PIRQS,
		.max_port = o->max_port ? o->max_port : EVC_NO_LIMIT,
		.privileged = o->domid == 0,
		.check_send = o->check_send,
		.generation = o->generation,
		.deliver = o->deliver,
	};

	if (o->fifo) {
		c.fifo = test_calloc(1, sizeof(*c.fifo));
		c.fifo_vcpu = test_calloc(nr_vcpus, sizeof(*c.fifo_vcpu));
	}
	if (o->limit) {
		c.limit = test_calloc(1, sizeof(*c.limit));
		c.limit_next = test_calloc(nr_buckets * EVC_BUCKET_PORTS, 4);
	}
	memset(c.shared_info, 0, 4096);
	return c;
}

void fake_free_config(const struct evc_domain_config *c)
{
	uint32_t i;

	for (i = 0; i < c->nr_buckets; i++)
		free(c->bucket[i]);
	test_free(c->bucket);
	test_free(c->map);
	test_free(c->pirq_port);
	test_free(c->vcpu);
	test_free(c->fifo);
	test_free(c->fifo_vcpu);
	test_free(c->limit);
	test_free(c->limit_next);
	free(c->shared_info);
}

struct evc_domain *fake_add_config(const struct evc_domain_config *c)
{
	struct evc_domain *d = test_calloc(1, sizeof(*d));

	assert_int_equal(evc_domain_init(d, c), 0);
	fake.domain[c->domid] = d;
	return d;
}

struct evc_domain *fake_add(const struct fake_options *o)
{
	struct evc_domain_config c = fake_config(o);

	return fake_add_config(&c);
}

struct evc_domain *fake_domain(domid_t domid)
{
	return fake_add(&(struct fake_options){
		.domid = domid,
		.width = EVC_WIDTH_64,
	});
}

void fake_remove(struct evc_domain *d)
{
	const struct evc_domain_config c = {
		.bucket = d->ports.bucket,
		.nr_buckets = d->ports.capacity / EVC_BUCKET_PORTS,
		.map = d->ports.map[0],
		.pirq_port = d->pirq_port,
		.vcpu = d->vcpu,
		.shared_info = d->shared_info,
		.fifo = d->fifo,
		.fifo_vcpu = d->fifo ? d->fifo->vcpu : NULL,
		.limit = d->limit,
		.limit_next = d->limit ? d->limit->next : NULL,
	};

	if (fake.domain[d->domid] == d)
		fake.domain[d->domid] = NULL;
	fake_free_config(&c);
	test_free(d);
}

void fake_end(void)
{
	uint32_t i;

	for (i = 0; i < FAKE_DOMAINS; i++) {
		if (fake.domain[i])
			fake_remove(fake.domain[i]);
	}
}

void fake_forget(void)
{
	evb_u32_store(&fake.kicks, 0);
	evb_u32_store(&fake.wakes, 0);
	evb_ptr_store_release(&fake.last_kick, NULL);
	evb_ptr_store_release(&fake.last_wake, NULL);
	evb_u32_store(&fake.pirq_binds, 0);
	evb_u32_store(&fake.pirq_unbinds, 0);
	evb_u32_store(&fake.pirq_moves, 0);
}

/* --- the guest's view -------------------------------------------------------- */

static const struct evc_words *words_of(struct evc_domain *d)
{
	return evb_ptr_load_acquire(&d->words);
}

bool fake_pending(struct evc_domain *d, evtchn_port_t port)
{
	return evb_test_bit(words_of(d)->pending, port);
}

bool fake_masked(struct evc_domain *d, evtchn_port_t port)
{
	return evb_test_bit(words_of(d)->mask, port);
}

void fake_set_mask(struct evc_domain *d, evtchn_port_t port, bool on)
{
	if (on)
		(void)evb_test_and_set_bit(words_of(d)->mask, port);
	else
		(void)evb_test_and_clear_bit(words_of(d)->mask, port);
}

void fake_clear_pending(struct evc_domain *d, evtchn_port_t port)
{
	(void)evb_test_and_clear_bit(words_of(d)->pending, port);
}

uint64_t fake_selector(struct evc_vcpu *v)
{
	evb_u32 *info = evb_ptr_load_acquire(&v->info);
	const struct evc_words *w = words_of(v->domain);
	uint64_t sel = evb_u32_load(&info[w->sel_word]);

	if (w->port_shift == 6)
		sel |= (uint64_t)evb_u32_load(&info[w->sel_word + 1]) << 32;
	return sel;
}

bool fake_upcall(struct evc_vcpu *v)
{
	return evb_u8_load(evb_ptr_load_acquire(&v->info));
}

void fake_clear_upcall(struct evc_vcpu *v)
{
	evb_u32 *info = evb_ptr_load_acquire(&v->info);
	const struct evc_words *w = words_of(v->domain);

	evb_u8_store_relaxed(evb_ptr_load_acquire(&v->info), 0);
	evb_u32_store(&info[w->sel_word], 0);
	if (w->port_shift == 6)
		evb_u32_store(&info[w->sel_word + 1], 0);
}

struct evtchn_status fake_status(struct evc_domain *d, evtchn_port_t port)
{
	struct evtchn_status s = {.dom = DOMID_SELF, .port = port};
	bool refuse = fake.refuse;

	fake.refuse = false;
	assert_int_equal(evc_status(d, &s), 0);
	fake.refuse = refuse;
	return s;
}

void fake_assert_status(struct evc_domain *d, evtchn_port_t port,
			uint32_t status)
{
	assert_int_equal(fake_status(d, port).status, status);
}

uint32_t fake_nr_valid(struct evc_domain *d)
{
	struct evtchn_status s = {.dom = DOMID_SELF};

	while (!evc_status(d, &s))
		s.port += EVC_BUCKET_PORTS;
	return s.port;
}

evtchn_port_t fake_unbound(struct evc_domain *d, struct evc_domain *remote)
{
	evtchn_port_t port = 0;

	assert_int_equal(evc_alloc_unbound(d, DOMID_SELF, remote->domid, &port),
			 0);
	return port;
}

void fake_connect(struct evc_domain *a, struct evc_domain *b,
		  evtchn_port_t *port_a, evtchn_port_t *port_b)
{
	*port_a = fake_unbound(a, b);
	assert_int_equal(evc_bind_interdomain(b, a->domid, *port_a, port_b), 0);
}

/* --- frames: the domain's own pool of pages, by number ------------------------ */

void *evc_host_map_frame(struct evc_domain *d, uint64_t gfn)
{
	(void)d;
	if (gfn >= FAKE_FRAMES)
		return NULL;
	fake.mapped++;
	return fake.frame[gfn];
}

void evc_host_unmap_frame(struct evc_domain *d, void *page)
{
	(void)d;
	(void)page;
	fake.mapped--;
}
