/* SPDX-License-Identifier: MIT */
/*
 * The core and the guest library on real threads: senders of one domain, and
 * the vCPUs of another one that collect, mask, move and prioritise at the same
 * time, with FIFO event channels and with 2-level ones.
 *
 * A sender writes a new number, then sends; a handler notes the number it
 * finds.  Time is cut into rounds.  At the end of each the senders stop, what
 * is announced is collected, and nothing is sent or unmasked in between: a port
 * whose handler has not seen the last number has lost its event.  In each
 * round the last event of every port is thus a test of its own.
 *
 * The third storm switches from 2-level to FIFO in the middle of every round,
 * under the senders' hands, and back at its end.
 *
 * Build it with -fsanitize=thread, too.  There are no sleeps.  cmocka's
 * assertions are used by the main thread only.
 */
#include "tests/lib/fake_host.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <evg/fifo.h>

#define NR_VCPUS   3
#define NR_SENDERS 2
#define NR_PORTS   24u
#define NR_THREADS (NR_VCPUS + NR_SENDERS)
#define NR_ACTIONS 200 /* of one thread in one round */
#define MAX_ROUNDS 2000

struct thread {
	pthread_t id;
	uint32_t number; /* the first are vCPUs */
	uint64_t seed;
};

static struct thread threads[NR_THREADS];
static pthread_barrier_t barrier;
static uint32_t nr_rounds;
static enum {
	TWO_LEVEL,
	FIFO,
	SWITCHING
} storm;

static struct evc_domain *d1, *d2; /* d2 sends to d1 */
static struct evg_guest guest;
static struct evg_vcpu vcpu[NR_VCPUS];
static struct evg_port ports[64];
static struct evg_fifo fifo;
static struct evg_lent lent_control[NR_VCPUS], lent_page[1];

/* By number of the channel. */
static struct {
	evtchn_port_t from, to;
	evb_u32 sent;	 /* the number of the last event */
	evb_u32 seen;	 /* what the handler found */
	evb_u32 running; /* the handler is */
} channel[NR_PORTS];

static evb_u32 nr_lost, nr_at_once, nr_failed, nr_handled;
static evb_u32 nr_senders_left, switched;
static uint32_t nr_switches; /* thread 0 */
static _Thread_local uint32_t current;

/* --- platform ------------------------------------------------------------ */

int evg_plat_hypercall(struct evg_guest *g, unsigned int nr, unsigned int cmd,
		       void *arg)
{
	(void)g;
	if (nr != __HYPERVISOR_event_channel_op)
		return -XEN_ENOSYS;
	return evc_hypercall(&d1->vcpu[current], cmd, (uintptr_t)arg);
}

struct evg_vcpu *evg_plat_this_vcpu(struct evg_guest *g)
{
	return &g->vcpu[current];
}

struct evg_guest *evg_plat_this_guest(void)
{
	return &guest;
}

/* Upcalls are taken in between only, by collect(). */
unsigned long evg_plat_upcalls_save(struct evg_guest *g)
{
	(void)g;
	return 0;
}

void evg_plat_upcalls_restore(struct evg_guest *g, unsigned long saved)
{
	(void)g;
	(void)saved;
}

void evg_plat_relax(void)
{
	(void)sched_yield();
}

/* --- what the threads do ------------------------------------------------- */

static uint32_t pick(struct thread *t, uint32_t below)
{
	t->seed ^= t->seed << 13;
	t->seed ^= t->seed >> 7;
	t->seed ^= t->seed << 17;
	return (uint32_t)(t->seed >> 33) % below;
}

static void handle(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	uint32_t i = (uint32_t)(uintptr_t)ctx;

	(void)v;
	(void)port;
	if (evb_u32_xchg(&channel[i].running, 1))
		(void)evb_u32_add(&nr_at_once, 1);
	/* Ordered by the event itself (MO-PENDING), as a payload would be. */
	evb_u32_store_relaxed(&channel[i].seen,
			      evb_u32_load_relaxed(&channel[i].sent));
	(void)evb_u32_add(&nr_handled, 1);
	evb_u32_store(&channel[i].running, 0);
}

static void must(int rc)
{
	if (rc)
		(void)evb_u32_add(&nr_failed, 1);
}

static void send_some(struct thread *t)
{
	uint32_t k, i;

	/* The switch has to meet senders. */
	for (k = 0; k < NR_ACTIONS || !evb_u32_load(&switched); k++) {
		i = pick(t, NR_PORTS);
		if (i % NR_SENDERS != t->number % NR_SENDERS)
			i ^= 1; /* one writer for each number */
		evb_u32_store_relaxed(&channel[i].sent,
				      evb_u32_load_relaxed(&channel[i].sent) +
					      1);
		must(evc_send(d2, channel[i].from));
		if (k >= NR_ACTIONS)
			(void)sched_yield();
	}
	(void)evb_u32_add(&nr_senders_left, UINT32_MAX);
}

static void collect(void)
{
	if (evg_upcall_is_pending(&vcpu[current]))
		(void)evg_upcall(&vcpu[current]);
}

/* While a guest switches, no other vCPU uses ports. */
static uint32_t nr_active(void)
{
	return storm == SWITCHING ? 1 : NR_VCPUS;
}

static void act(struct thread *t)
{
	evtchn_port_t port = channel[pick(t, NR_PORTS)].to;

	switch (pick(t, 8)) {
	case 0:
		must(evg_mask(&guest, port));
		break;
	case 1:
	case 2:
		must(evg_unmask(&guest, port));
		break;
	case 3:
		must(evg_bind_vcpu(&guest, port, pick(t, nr_active())));
		break;
	case 4:
		if (evg_is_fifo(&guest))
			must(evg_set_priority(&guest, port, pick(t, 3)));
		break;
	default:
		collect();
		break;
	}
}

static void be_a_vcpu(struct thread *t)
{
	uint32_t k, when = pick(t, 20);

	if (t->number >= nr_active())
		return;
	for (k = 0; evb_u32_load(&nr_senders_left); k++) {
		if (storm == SWITCHING && k == when) {
			must(evg_fifo_start(&guest));
			evb_u32_store(&switched, 1);
		}
		act(t);
		collect();
	}
}

/* What is masked would not be announced, and that would be no loss. */
static void unmask_all(void)
{
	uint32_t i;

	for (i = 0; i < NR_PORTS; i++) {
		if (evg_is_masked(&guest, channel[i].to))
			must(evg_unmask(&guest, channel[i].to));
	}
}

static bool is_somebody_due(void)
{
	uint32_t i;

	for (i = 0; i < NR_VCPUS; i++) {
		if (evg_upcall_is_pending(&vcpu[i]))
			return true;
	}
	return false;
}

/* Alone: all vCPUs collect what is announced, and then nothing is missing. */
static void settle(void)
{
	uint32_t was = current, i, k;

	unmask_all();
	for (k = 0; k < 100 && is_somebody_due(); k++) {
		for (current = 0; current < NR_VCPUS; current++)
			collect();
	}
	current = was;
	if (k == 100)
		(void)evb_u32_add(&nr_failed, 1);
	for (i = 0; i < NR_PORTS; i++) {
		if (evb_u32_load(&channel[i].seen) !=
		    evb_u32_load(&channel[i].sent))
			(void)evb_u32_add(&nr_lost, 1);
	}
	evb_u32_store(&nr_senders_left, NR_SENDERS);
}

static void open_channels(void)
{
	uint32_t i;

	memset(channel, 0, sizeof(channel));
	for (i = 0; i < NR_PORTS; i++) {
		must(evg_alloc_unbound(&guest, DOMID_SELF, 2, &channel[i].to));
		must(evc_bind_interdomain(d2, 1, channel[i].to,
					  &channel[i].from));
		must(evg_bind_handler(&guest, channel[i].to, i % nr_active(),
				      handle, (void *)(uintptr_t)i));
	}
}

/* Alone: back to 2-level, with new channels. */
static void start_over(void)
{
	uint32_t i;

	nr_switches += evg_is_fifo(&guest);
	must(evg_reset(&guest));
	for (i = 0; i < NR_PORTS; i++)
		must(evc_close(d2, channel[i].from));
	evb_u32_store(&switched, 0);
	open_channels();
}

static void *run(void *arg)
{
	struct thread *t = arg;
	uint32_t round;

	current = t->number;
	for (round = 0; round < nr_rounds; round++) {
		(void)pthread_barrier_wait(&barrier);
		if (t->number < NR_VCPUS)
			be_a_vcpu(t);
		else
			send_some(t);
		(void)pthread_barrier_wait(&barrier);
		if (t->number == 0)
			settle();
		if (t->number == 0 && storm == SWITCHING)
			start_over();
	}
	return NULL;
}

/* --- the world ----------------------------------------------------------- */

static void start_guest(void)
{
	struct evg_config c = {
		.shared_info = d1->shared_info,
		.port = ports,
		.nr_ports = 64,
		.vcpu = vcpu,
		.nr_vcpus = NR_VCPUS,
		.fifo = &fifo,
		.budget = 20,
	};
	uint32_t i;

	for (i = 0; i < NR_VCPUS; i++)
		lent_control[i] = (struct evg_lent){fake.frame[0] + i * 128, 0};
	lent_page[0] = (struct evg_lent){fake.frame[1], 1};
	fifo.control = lent_control;
	fifo.page = lent_page;
	fifo.nr_pages = 1;
	assert_int_equal(evg_init(&guest, &c), 0);
	if (storm == FIFO)
		assert_int_equal(evg_fifo_start(&guest), 0);
}

static void start_world(void)
{
	current = 0;
	nr_rounds = storm == SWITCHING ? MAX_ROUNDS / 4 : MAX_ROUNDS;
	if (getenv("EVC_LONG"))
		nr_rounds *= 20;
	fake_start(false);
	d1 = fake_add(&(struct fake_options){.domid = 1,
					     .width = EVC_WIDTH_64,
					     .nr_vcpus = NR_VCPUS,
					     .fifo = true});
	d2 = fake_domain(2);
	fake.threads = true;
	start_guest();
	evb_u32_store(&nr_senders_left, NR_SENDERS);
	evb_u32_store(&switched, storm != SWITCHING);
	evb_u32_store(&nr_handled, 0);
	nr_switches = 0;
	open_channels();
}

static void run_threads(void)
{
	uint32_t i;

	assert_int_equal(pthread_barrier_init(&barrier, NULL, NR_THREADS), 0);
	for (i = 0; i < NR_THREADS; i++) {
		threads[i].number = i;
		threads[i].seed = 0x9e3779b97f4a7c15u * (i + 1);
		assert_int_equal(
			pthread_create(&threads[i].id, NULL, run, &threads[i]),
			0);
	}
	for (i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_join(threads[i].id, NULL), 0);
	(void)pthread_barrier_destroy(&barrier);
}

static void run_storm(void)
{
	uint32_t i, moved = 0;

	start_world();
	run_threads();
	fake.threads = false;
	assert_int_equal(evb_u32_load(&nr_lost), 0);
	assert_int_equal(evb_u32_load(&nr_at_once), 0);
	assert_int_equal(evb_u32_load(&nr_failed), 0);
	assert_true(evb_u32_load(&nr_handled) > nr_rounds * NR_PORTS / 2);
	for (i = 0; i < NR_VCPUS; i++) {
		assert_int_equal(evb_u32_load(&vcpu[i].nr_bad_links), 0);
		moved += evb_u32_load(&vcpu[i].nr_passed);
	}
	if (storm == FIFO)
		assert_true(moved > 0); /* the moves did meet events */
	if (storm == SWITCHING)
		assert_true(nr_switches == nr_rounds);
	fake_end();
}

static void fifo_loses_no_event(void **unused)
{
	(void)unused;
	storm = FIFO;
	run_storm();
}

static void two_level_loses_no_event(void **unused)
{
	(void)unused;
	storm = TWO_LEVEL;
	run_storm();
}

static void switching_loses_no_event(void **unused)
{
	(void)unused;
	storm = SWITCHING;
	run_storm();
}

/* --- a hypervisor that scribbles ----------------------------------------- */

static evb_u32 scribbling;

static uint32_t some_word(struct thread *t)
{
	uint32_t w = pick(t, 1u << 31) << 1 | pick(t, 2);

	return w % 4 ? w & (0xf0000000 | 31) : w;
}

static void *scribble(void *arg)
{
	struct thread *t = arg;
	evb_u32 *control = (void *)fake.frame[0];
	evb_u32 *words = (void *)fake.frame[1];

	for (evb_u32_store(&scribbling, 2); evb_u32_load(&scribbling);) {
		evb_u32_store(&words[pick(t, 32)], some_word(t));
		evb_u32_store(&control[pick(t, 18)], pick(t, 40));
		evb_u8_store(evb_ptr_load_acquire(&vcpu[0].info), 1);
	}
	return NULL;
}

/* The bound of evg_upcall(): no more handlers than its budget, and an end. */
static void hostile_words_end_every_upcall(void **unused)
{
	struct thread t = {.seed = 0x9e3779b97f4a7c15u};
	uint32_t i;

	(void)unused;
	storm = FIFO;
	start_world();
	evb_u32_store(&scribbling, 1);
	assert_int_equal(pthread_create(&t.id, NULL, scribble, &t), 0);
	while (evb_u32_load(&scribbling) != 2) /* it has begun */
		(void)sched_yield();
	/* On a busy CPU the scribbler may not be running for a long time. */
	for (i = 0; i < 20000 || !evb_u32_load(&vcpu[0].nr_bad_links); i++) {
		assert_true(evg_upcall(&vcpu[0]) <= guest.budget);
		(void)evg_unmask(&guest, channel[i % NR_PORTS].to);
	}
	evb_u32_store(&scribbling, 0);
	assert_int_equal(pthread_join(t.id, NULL), 0);
	assert_true(evb_u32_load(&nr_handled) > 0);
	fake.threads = false;
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fifo_loses_no_event),
		cmocka_unit_test(two_level_loses_no_event),
		cmocka_unit_test(switching_loses_no_event),
		cmocka_unit_test(hostile_words_end_every_upcall),
	};

	return cmocka_run_group_tests_name("fifo threads", tests, NULL, NULL);
}
