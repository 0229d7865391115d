/* SPDX-License-Identifier: MIT */
/*
 * Real threads: every operation at once on three domains, then silence, then
 * the invariants that must hold whatever the order was.
 *
 *   - A pending port that is not masked has its selector bit set on some vCPU
 *     whose upcall flag is set: no event is lost.
 *   - A closed port is not pending.
 *   - Two connected ends name each other.
 *   - The counts, the VIRQ and PIRQ slots and the map of free ports agree with
 *     the channels.
 *   - Nobody is left in the poll set.
 *
 * Build it with -fsanitize=thread, too.  Work is bounded by iterations; there
 * are no sleeps.  cmocka's assertions are used by the main thread only.  Two
 * threads that meet again and again are in test_core_rounds.c.
 */
#include "tests/lib/fake_host.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define NR_DOMAINS 3
#define NR_THREADS 4
#define NR_STEPS   400000u
#define MAX_PORT   70

struct thread {
	pthread_t id;
	uint32_t number; /* also the vCPU it plays, in every domain */
	uint64_t seed;
	uint32_t done; /* operations that returned 0 */
	_Alignas(8) uint64_t info[NR_DOMAINS][8];
};

static struct thread threads[NR_THREADS];
static evb_u32 nr_bad; /* results no operation should give */
static evb_u32 nr_called_back;

static uint32_t pick(struct thread *t, uint32_t below)
{
	t->seed ^= t->seed << 13;
	t->seed ^= t->seed >> 7;
	t->seed ^= t->seed << 17;
	return (uint32_t)(t->seed >> 33) % below;
}

static struct evc_domain *pick_domain(struct thread *t)
{
	return fake.domain[pick(t, NR_DOMAINS)];
}

static evtchn_port_t pick_port(struct thread *t)
{
	return pick(t, MAX_PORT + 1);
}

static struct evc_vcpu *pick_vcpu(struct thread *t)
{
	return &pick_domain(t)->vcpu[pick(t, NR_THREADS)];
}

/* --- operations -------------------------------------------------------------- */

static int do_send(struct thread *t)
{
	return evc_send(pick_domain(t), pick_port(t));
}

static int do_unmask(struct thread *t)
{
	return evc_unmask(pick_domain(t), pick_port(t));
}

static int do_close(struct thread *t)
{
	return evc_close(pick_domain(t), pick_port(t));
}

static int do_bind_vcpu(struct thread *t)
{
	return evc_bind_vcpu(pick_domain(t), pick_port(t), pick(t, NR_THREADS));
}

static int do_status(struct thread *t)
{
	struct evtchn_status s = {.dom = DOMID_SELF, .port = pick_port(t)};
	int rc = evc_status(pick_domain(t), &s);

	if (!rc &&
	    (s.status > EVTCHNSTAT_ipi || s.vcpu >= NR_THREADS ||
	     (s.status == EVTCHNSTAT_interdomain &&
	      (s.u.interdomain.dom >= NR_DOMAINS ||
	       s.u.interdomain.port > MAX_PORT || !s.u.interdomain.port))))
		(void)evb_u32_add(&nr_bad, 1);
	return rc;
}

static int do_alloc_unbound(struct thread *t)
{
	evtchn_port_t port;

	return evc_alloc_unbound(pick_domain(t), DOMID_SELF,
				 (domid_t)pick(t, NR_DOMAINS), &port);
}

static int do_bind_interdomain(struct thread *t)
{
	evtchn_port_t port;

	return evc_bind_interdomain(pick_domain(t),
				    (domid_t)pick(t, NR_DOMAINS), pick_port(t),
				    &port);
}

/* A pair at once, so that there is something to send through. */
static int do_connect(struct thread *t)
{
	domid_t a = (domid_t)pick(t, NR_DOMAINS);
	domid_t b = (domid_t)pick(t, NR_DOMAINS);
	evtchn_port_t pa, pb;
	int rc = evc_alloc_unbound(fake.domain[a], DOMID_SELF, b, &pa);

	return rc ? rc : evc_bind_interdomain(fake.domain[b], a, pa, &pb);
}

static int do_bind_ipi(struct thread *t)
{
	evtchn_port_t port;

	return evc_bind_ipi(pick_domain(t), pick(t, NR_THREADS), &port);
}

static int do_bind_virq(struct thread *t)
{
	static const uint32_t virqs[] = {VIRQ_TIMER, VIRQ_DEBUG, VIRQ_ARGO,
					 VIRQ_CONSOLE};
	uint32_t k = pick(t, 4);
	evtchn_port_t port;

	return evc_bind_virq(pick_domain(t), virqs[k],
			     k < 2 ? pick(t, NR_THREADS) : 0, &port);
}

static int do_bind_pirq(struct thread *t)
{
	evtchn_port_t port;

	return evc_bind_pirq(pick_domain(t), pick(t, FAKE_PIRQS), 0, &port);
}

static int do_raise(struct thread *t)
{
	switch (pick(t, 5)) {
	case 0:
		evc_virq_raise(pick_vcpu(t), VIRQ_TIMER);
		break;
	case 1:
		evc_virq_raise(pick_vcpu(t), VIRQ_DEBUG);
		break;
	case 2:
		evc_virq_raise_domain(pick_domain(t), VIRQ_ARGO);
		break;
	case 3:
		evc_virq_raise_global(&fake.machine, VIRQ_CONSOLE);
		break;
	default:
		evc_pirq_raise(pick_domain(t), pick(t, FAKE_PIRQS));
		break;
	}
	return 0;
}

static int do_set_handler(struct thread *t)
{
	return evc_virq_set_handler(pick_domain(t), VIRQ_CONSOLE);
}

static void called_back(struct evc_vcpu *v, evtchn_port_t port)
{
	(void)evb_u32_add(&nr_called_back, 1);
	evc_consumer_notify(v->domain, port);
}

static int do_consumer_alloc(struct thread *t)
{
	domid_t remote = (domid_t)pick(t, NR_DOMAINS);
	evtchn_port_t port, far;
	struct evc_domain *d = pick_domain(t);
	int rc = evc_consumer_alloc(d, pick(t, NR_THREADS), remote, called_back,
				    &port);

	return rc ? rc
		  : evc_bind_interdomain(fake.domain[remote], d->domid, port,
					 &far);
}

static int do_consumer_free(struct thread *t)
{
	return evc_consumer_free(pick_domain(t), pick_port(t));
}

static int do_consumer_notify(struct thread *t)
{
	evc_consumer_notify(pick_domain(t), pick_port(t));
	return 0;
}

static int do_poll(struct thread *t)
{
	evtchn_port_t list[2] = {pick_port(t), pick_port(t)};
	struct sched_poll p = {.ports = (uintptr_t)list,
			       .nr_ports = 1 + pick(t, 2)};
	struct evc_vcpu *v = &pick_domain(t)->vcpu[t->number];
	uint64_t timeout;
	int rc = evc_poll(v, (uintptr_t)&p, &timeout);

	if (rc == EVC_BLOCK) {
		(void)evc_poll_is_over(v);
		(void)sched_yield();
		evc_poll_end(v);
		rc = 0;
	}
	return rc;
}

static int do_reset(struct thread *t)
{
	return pick(t, 32) ? 0 : evc_reset(pick_domain(t), DOMID_SELF, false);
}

static int do_register(struct thread *t)
{
	uint32_t domid = pick(t, NR_DOMAINS);

	if (pick(t, 256))
		return 0;
	return evc_vcpu_register_info(&fake.domain[domid]->vcpu[t->number],
				      t->info[domid]);
}

static int do_mask(struct thread *t)
{
	fake_set_mask(pick_domain(t), pick_port(t), true);
	return 0;
}

/* The guest: flag, selector, pending bits, in this order. */
static int do_collect(struct thread *t)
{
	struct evc_domain *d = pick_domain(t);
	struct evc_vcpu *v = &d->vcpu[t->number];
	evb_u32 *sel = (evb_u32 *)evb_ptr_load_acquire(&v->info) + 2;
	evtchn_port_t port;
	uint32_t words;

	(void)evb_u8_xchg(evb_ptr_load_acquire(&v->info), 0);
	words = evb_u32_xchg(sel, 0);
	for (port = 1; port <= MAX_PORT; port++) {
		if (words >> port / 64 & 1 && fake_pending(d, port) &&
		    !fake_masked(d, port))
			fake_clear_pending(d, port);
	}
	return 0;
}

static int (*const operations[])(struct thread *t) = {
	do_send,
	do_send,
	do_send,
	do_send,
	do_send,
	do_send,
	do_send,
	do_send,
	do_unmask,
	do_unmask,
	do_mask,
	do_close,
	do_close,
	do_close,
	do_bind_vcpu,
	do_status,
	do_alloc_unbound,
	do_connect,
	do_connect,
	do_connect,
	do_bind_ipi,
	do_bind_virq,
	do_bind_pirq,
	do_raise,
	do_raise,
	do_set_handler,
	do_consumer_free,
	do_consumer_alloc,
	do_consumer_notify,
	do_poll,
	do_reset,
	do_register,
	do_collect,
	do_collect,
	do_bind_interdomain,
};

#define NR_OPERATIONS (sizeof(operations) / sizeof(operations[0]))

/* --- the storm --------------------------------------------------------------- */

static bool is_expected(int rc)
{
	switch (-rc) {
	case 0:
	case XEN_EINVAL: /* no such port, or not in a fitting state */
	case XEN_ENOSPC:
	case XEN_EEXIST:
	case XEN_EBUSY:
	case XEN_EAGAIN:
		return true;
	default:
		return false;
	}
}

static void *run(void *arg)
{
	struct thread *t = arg;
	uint32_t i;
	int rc;

	for (i = 0; i < NR_STEPS; i++) {
		rc = operations[pick(t, NR_OPERATIONS)](t);
		if (!is_expected(rc))
			(void)evb_u32_add(&nr_bad, 1);
		t->done += !rc;
		/* Domain 2 dies before the end, under everybody's hands. */
		if (t->number == 0 && i == NR_STEPS / 4 * 3 &&
		    evc_domain_destroy(fake.domain[2]))
			(void)evb_u32_add(&nr_bad, 1);
	}
	return NULL;
}

static void start(void)
{
	uint32_t i;

	fake.threads = true;
	for (i = 0; i < NR_THREADS; i++) {
		threads[i].number = i;
		threads[i].seed = 0x9e3779b97f4a7c15u * (i + 1);
		assert_int_equal(
			pthread_create(&threads[i].id, NULL, run, &threads[i]),
			0);
	}
}

static void join_all(void)
{
	uint32_t i;

	for (i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_join(threads[i].id, NULL), 0);
	fake.threads = false;
}

/* --- silence ----------------------------------------------------------------- */

static struct evc_channel *channel(struct evc_domain *d, evtchn_port_t port)
{
	return &d->ports.bucket[port / 64][port % 64];
}

/* Some vCPU was told to look at the word of @port. */
static bool is_announced(struct evc_domain *d, evtchn_port_t port)
{
	uint32_t i;

	for (i = 0; i < d->nr_vcpus; i++) {
		if (fake_selector(&d->vcpu[i]) >> port / 64 & 1 &&
		    fake_upcall(&d->vcpu[i]))
			return true;
	}
	return false;
}

static void check_slots(struct evc_domain *d)
{
	evtchn_port_t port;
	uint32_t i, virq;

	for (i = 0; i < d->nr_vcpus; i++) {
		for (virq = 0; virq < NR_VIRQS; virq++) {
			port = evb_u32_load(&d->vcpu[i].virq_port[virq]);
			if (!port)
				continue;
			fake_assert_status(d, port, EVTCHNSTAT_virq);
			assert_int_equal(fake_status(d, port).u.virq, virq);
		}
	}
	for (i = 0; i < FAKE_PIRQS; i++) {
		port = evb_u32_load(&d->pirq_port[i]);
		if (port)
			assert_int_equal(fake_status(d, port).u.pirq, i);
	}
}

static void check_connection(struct evc_domain *d, evtchn_port_t port)
{
	struct evtchn_status s = fake_status(d, port);
	struct evtchn_status far;

	if (s.status != EVTCHNSTAT_interdomain)
		return;
	far = fake_status(fake.domain[s.u.interdomain.dom],
			  s.u.interdomain.port);
	assert_int_equal(far.status, EVTCHNSTAT_interdomain);
	assert_int_equal(far.u.interdomain.dom, d->domid);
	assert_int_equal(far.u.interdomain.port, port);
}

static void check_domain(struct evc_domain *d)
{
	uint32_t nr_open = 0, nr_consumer = 0, valid = fake_nr_valid(d);
	evtchn_port_t port;

	for (port = 1; port < valid; port++) {
		bool closed = fake_status(d, port).status == EVTCHNSTAT_closed;
		bool owned = channel(d, port)->consumer;

		nr_open += !closed;
		nr_consumer += owned;
		assert_false(channel(d, port)->closing);
		check_connection(d, port);
		if (closed || owned)
			assert_false(fake_pending(d, port));
		else if (fake_pending(d, port) && !fake_masked(d, port) &&
			 !is_announced(d, port))
			fail_msg("domain %u port %u: lost", d->domid, port);
	}
	assert_int_equal(nr_open, d->ports.nr_open);
	assert_int_equal(nr_consumer, d->ports.nr_consumer);
	assert_int_equal(evb_u32_load(&d->nr_polling), 0);
	check_slots(d);
}

/* What is closed is handed out, lowest first, and nothing else. */
static void check_free_ports(struct evc_domain *d)
{
	evtchn_port_t port, got;

	for (port = 1; port <= MAX_PORT; port++) {
		if (port < fake_nr_valid(d) &&
		    fake_status(d, port).status != EVTCHNSTAT_closed)
			continue;
		assert_int_equal(evc_bind_ipi(d, 0, &got), 0);
		assert_int_equal(got, port);
	}
	assert_int_equal(evc_bind_ipi(d, 0, &got), -XEN_ENOSPC);
}

static void everything_at_once_leaves_a_sound_world(void **unused)
{
	uint32_t i, done = 0;

	(void)unused;
	fake_start(false);
	memset(threads, 0, sizeof(threads));
	fake.pirq_permitted = UINT32_MAX;
	for (i = 0; i < NR_DOMAINS; i++)
		(void)fake_add(&(struct fake_options){.domid = (domid_t)i,
						      .width = EVC_WIDTH_64,
						      .nr_vcpus = NR_THREADS,
						      .max_port = MAX_PORT});
	evc_machine_set_hwdom(&fake.machine, fake.domain[0]);
	start();
	join_all();
	assert_int_equal(evb_u32_load(&nr_bad), 0);
	for (i = 0; i < NR_THREADS; i++)
		done += threads[i].done;
	assert_true(done > NR_STEPS); /* it was not all refusals */
	assert_true(evb_u32_load(&nr_called_back) > 0);
	for (i = 0; i < NR_DOMAINS; i++)
		check_domain(fake.domain[i]);
	assert_int_equal(fake.domain[2]->ports.nr_open, 0);
	check_free_ports(fake.domain[0]);
	check_free_ports(fake.domain[1]);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_at_once_leaves_a_sound_world),
	};

	return cmocka_run_group_tests_name("core_threads", tests, NULL, NULL);
}
