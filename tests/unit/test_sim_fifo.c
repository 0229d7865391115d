/* SPDX-License-Identifier: MIT */
/*
 * FIFO event channels from end to end: the guest library against the core, in
 * the simulator.  One guest with three vCPUs sends to itself, through IPIs and
 * through channels that have both ends in it, so that a test decides when who
 * runs; the last tests let chance decide and keep a model of what is owed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <evg/fifo.h>
#include <sim/sim.h>

#define NR_VCPUS 3
#define NR_PORTS EVTCHN_FIFO_NR_CHANNELS
#define NR_PAGES EVG_FIFO_MAX_PAGES
#define MAX_LOG	 64

static struct sim_machine machine;
static struct sim_domain *domain;
static struct evg_guest guest;
static struct evg_vcpu vcpu[NR_VCPUS];
static struct evg_port ports[NR_PORTS];
static struct evg_fifo fifo;
static struct evg_lent lent_control[NR_VCPUS], lent_page[NR_PAGES];
static _Alignas(4096) uint8_t array[NR_PAGES][4096];
static _Alignas(4096) uint8_t controls[NR_VCPUS][128];

/* --- what the handlers saw ----------------------------------------------- */

static struct {
	evtchn_port_t port[MAX_LOG];
	uint32_t vcpu[MAX_LOG];
	unsigned int n;
} seen;

static void record(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)ctx;
	assert_ptr_equal(v, evg_plat_this_vcpu(&guest));
	if (seen.n < MAX_LOG) {
		seen.port[seen.n] = port;
		seen.vcpu[seen.n] = v->id;
	}
	seen.n++;
}

static void assert_seen(const evtchn_port_t *expected, unsigned int n)
{
	unsigned int i;

	assert_int_equal(seen.n, n);
	for (i = 0; i < n; i++)
		assert_int_equal(seen.port[i], expected[i]);
	seen.n = 0;
}

#define ASSERT_SEEN(...)                                           \
	assert_seen((const evtchn_port_t[]){__VA_ARGS__},          \
		    sizeof((const evtchn_port_t[]){__VA_ARGS__}) / \
			    sizeof(evtchn_port_t))

/* --- the world ----------------------------------------------------------- */

static void enter_guest(void)
{
	(void)evg_upcall(evg_plat_this_vcpu(&guest));
}

static void idle(struct sim_vcpu *v)
{
	(void)v;
	assert_int_equal(evg_block(&guest), 0);
}

static void boot(void *arg)
{
	const struct evg_config *c = arg;

	assert_int_equal(evg_init(&guest, c), 0);
	assert_int_equal(evg_set_callbacks(&guest, (uintptr_t)enter_guest, 0),
			 0);
}

static void start_guest(uint32_t nr_ports, uint32_t budget)
{
	const struct evg_config c = {
		.shared_info = domain->evc.shared_info,
		.port = ports,
		.nr_ports = nr_ports,
		.vcpu = vcpu,
		.nr_vcpus = NR_VCPUS,
		.fifo = &fifo,
		.budget = budget,
	};

	sim_call(&domain->vcpu[0], boot, (void *)(uintptr_t)&c);
}

static void lend(void)
{
	uint32_t i;

	for (i = 0; i < NR_VCPUS; i++)
		lent_control[i] = (struct evg_lent){controls[i],
						    (uintptr_t)controls / 4096};
	for (i = 0; i < NR_PAGES; i++)
		lent_page[i] =
			(struct evg_lent){array[i], (uintptr_t)array[i] / 4096};
	fifo.control = lent_control;
	fifo.page = lent_page;
	fifo.nr_pages = NR_PAGES;
}

static int setup(void **state)
{
	const struct sim_domain_config c = {
		.domid = 1,
		.nr_vcpus = NR_VCPUS,
		.width = EVC_WIDTH_64,
		.max_port = EVC_NO_LIMIT,
		.flat = true,
		.step = idle,
	};
	uint32_t i;

	(void)state;
	memset(&seen, 0, sizeof(seen));
	sim_machine_init(&machine, false);
	assert_int_equal(sim_domain_create(&machine, &c, &domain), 0);
	sim_set_guest(domain, &guest);
	for (i = 0; i < NR_VCPUS; i++)
		sim_set_guest_vcpu(&domain->vcpu[i], &vcpu[i]);
	lend();
	start_guest(8192, 0);
	assert_true(sim_settle(&machine, 100));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sim_machine_fini(&machine);
	return 0;
}

static void call_start(void *arg)
{
	*(int *)arg = evg_fifo_start(&guest);
}

static int start_fifo(void)
{
	int rc = -1;

	sim_call(&domain->vcpu[0], call_start, &rc);
	return rc;
}

static int setup_fifo(void **state)
{
	(void)setup(state);
	assert_int_equal(start_fifo(), 0);
	return 0;
}

/* --- the guest's doings, each as a call on vCPU 0 ------------------------ */

static void call_ipi(void *arg)
{
	uint32_t *vcpu_then_port = arg;
	evtchn_port_t port;

	assert_int_equal(evg_bind_ipi(&guest, *vcpu_then_port, &port), 0);
	assert_int_equal(
		evg_bind_handler(&guest, port, EVG_VCPU_KEEP, record, NULL), 0);
	*vcpu_then_port = port;
}

static evtchn_port_t ipi(uint32_t to)
{
	sim_call(&domain->vcpu[0], call_ipi, &to);
	return to;
}

struct pair {
	evtchn_port_t rx, tx;
};

/* A channel to ourselves.  The sending end has no handler and is masked. */
static void call_connect(void *arg)
{
	struct pair *p = arg;

	assert_int_equal(
		evg_alloc_unbound(&guest, DOMID_SELF, DOMID_SELF, &p->rx), 0);
	assert_int_equal(
		evg_bind_interdomain(&guest, DOMID_SELF, p->rx, &p->tx), 0);
	assert_int_equal(
		evg_bind_handler(&guest, p->rx, EVG_VCPU_KEEP, record, NULL),
		0);
}

static struct pair connect_pair(void)
{
	struct pair p = {0};

	sim_call(&domain->vcpu[0], call_connect, &p);
	return p;
}

/* Sent with upcalls off: nobody handles anything until a vCPU runs. */
static void send(evtchn_port_t port)
{
	struct evtchn_send op = {.port = port};

	assert_int_equal(sim_hypercall(&domain->vcpu[0],
				       __HYPERVISOR_event_channel_op,
				       EVTCHNOP_send, (uintptr_t)&op),
			 0);
}

static struct {
	int (*fn)(struct evg_guest *g, evtchn_port_t port);
	evtchn_port_t port;
	uint32_t arg;
	int rc;
} doing;

static void call_doing(void *arg)
{
	(void)arg;
	doing.rc = doing.fn(&guest, doing.port);
}

/* With upcalls off, so that it alone happens. */
static void call_doing_quietly(void *arg)
{
	evb_u8 *info = evb_ptr_load_acquire(&sim_current()->evc->info);

	call_doing(arg);
	evb_u8_store(&info[1], 0);
}

static void do_on(uint32_t id, int (*fn)(struct evg_guest *, evtchn_port_t),
		  evtchn_port_t port)
{
	evb_u8 *info = evb_ptr_load_acquire(&domain->vcpu[id].evc->info);

	doing.fn = fn;
	doing.port = port;
	evb_u8_store(&info[1], 1);
	sim_call(&domain->vcpu[id], call_doing_quietly, NULL);
	assert_int_equal(doing.rc, 0);
}

static int move(struct evg_guest *g, evtchn_port_t port)
{
	return evg_bind_vcpu(g, port, doing.arg);
}

static int prioritise(struct evg_guest *g, evtchn_port_t port)
{
	return evg_set_priority(g, port, doing.arg);
}

static void move_to(evtchn_port_t port, uint32_t to)
{
	doing.arg = to;
	do_on(0, move, port);
}

static void set_priority(evtchn_port_t port, uint32_t priority)
{
	doing.arg = priority;
	do_on(0, prioritise, port);
}

static void run_all(void)
{
	assert_true(sim_settle(&machine, 1000));
}

/* --- the switch ---------------------------------------------------------- */

static void switch_keeps_what_is_pending(void **state)
{
	struct pair live = connect_pair(), masked = connect_pair();
	struct pair mute = connect_pair();
	evtchn_port_t far = ipi(2);
	uint32_t i;

	(void)state;
	run_all();
	do_on(0, evg_mask, masked.rx);
	do_on(0, evg_unbind_handler, mute.rx);
	send(live.tx);
	send(masked.tx);
	send(mute.tx);
	send(far);
	for (i = 0; i < NR_VCPUS; i++)
		sim_vcpu_down(&domain->vcpu[i]);
	assert_int_equal(start_fifo(), 0);
	assert_true(evg_is_fifo(&guest));
	for (i = 0; i < NR_VCPUS; i++)
		sim_vcpu_up(&domain->vcpu[i]);
	run_all();
	assert_int_equal(seen.n, 2); /* live and far, in some order */
	assert_int_equal(seen.port[0] + seen.port[1], live.rx + far);
	seen.n = 0;
	do_on(0, evg_unmask, masked.rx);
	run_all();
	ASSERT_SEEN(masked.rx);
	send(live.tx);
	run_all();
	ASSERT_SEEN(live.rx);
}

static void domain_without_fifo_stays_2_level(void **state)
{
	struct evc_fifo *had = domain->evc.fifo;
	struct pair p;

	(void)state;
	domain->evc.fifo = NULL;
	assert_int_equal(start_fifo(), -XEN_EOPNOTSUPP);
	domain->evc.fifo = had;
	assert_false(evg_is_fifo(&guest));
	p = connect_pair();
	send(p.tx);
	run_all();
	ASSERT_SEEN(p.rx);
}

static void call_reset(void *arg)
{
	(void)arg;
	assert_int_equal(evg_reset(&guest), 0);
}

static void reset_goes_back_and_forth(void **state)
{
	struct pair p;
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		p = connect_pair();
		move_to(p.rx, 1);
		send(p.tx);
		run_all();
		ASSERT_SEEN(p.rx);
		assert_int_equal(seen.vcpu[0], 1);
		send(p.tx); /* and it waits in a queue during the reset */
		sim_call(&domain->vcpu[0], call_reset, NULL);
		assert_false(evg_is_fifo(&guest));
		run_all();
		assert_int_equal(seen.n, 0);
		p = connect_pair();
		send(p.tx);
		run_all();
		ASSERT_SEEN(p.rx);
		assert_int_equal(start_fifo(), 0);
		send(p.tx);
		run_all();
		ASSERT_SEEN(p.rx);
		assert_int_equal(vcpu[1].nr_bad_links.v, 0);
	}
}

/* --- order and vCPUs ----------------------------------------------------- */

static void priorities_decide_then_the_order_of_events(void **state)
{
	evtchn_port_t low = ipi(0), a = ipi(0), b = ipi(0), high = ipi(0);

	(void)state;
	set_priority(low, EVTCHN_FIFO_PRIORITY_MIN);
	set_priority(high, EVTCHN_FIFO_PRIORITY_MAX);
	send(low);
	send(b);
	send(a);
	send(high);
	run_all();
	ASSERT_SEEN(high, b, a, low);
}

static void two_vcpus_have_queues_of_their_own(void **state)
{
	evtchn_port_t to_1 = ipi(1), to_2 = ipi(2), also_1 = ipi(1);

	(void)state;
	send(to_1);
	send(to_2);
	send(also_1);
	assert_true(sim_run_vcpu(&domain->vcpu[2]));
	ASSERT_SEEN(to_2);
	assert_int_equal(seen.vcpu[0], 2);
	assert_true(sim_run_vcpu(&domain->vcpu[1]));
	ASSERT_SEEN(to_1, also_1);
	assert_int_equal(vcpu[0].nr_handled.v, 0);
}

static void port_that_moves_with_its_event_queued_loses_nothing(void **state)
{
	struct pair p = connect_pair();
	evtchn_port_t other = ipi(0);

	(void)state;
	run_all();
	send(p.tx);
	send(other);
	move_to(p.rx, 1);
	run_all();
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.vcpu[seen.port[0] == p.rx ? 0 : 1], 1);
	seen.n = 0;
	send(p.tx);
	run_all();
	ASSERT_SEEN(p.rx);
	assert_int_equal(seen.vcpu[0], 1);
}

/* An old tail that moves while others are sent behind it. */
static void tail_that_moves_breaks_no_queue(void **state)
{
	struct pair a = connect_pair(), b = connect_pair(), c = connect_pair();

	(void)state;
	run_all();
	send(a.tx);
	send(b.tx);
	run_all();
	ASSERT_SEEN(a.rx, b.rx);
	move_to(b.rx, 1);
	send(b.tx);
	send(a.tx);
	send(c.tx);
	run_all();
	assert_int_equal(seen.n, 3);
	assert_int_equal(vcpu[0].nr_bad_links.v + vcpu[1].nr_bad_links.v, 0);
}

static int drain(struct evg_guest *g, evtchn_port_t id)
{
	return evg_drain(&g->vcpu[id]);
}

static void vcpu_that_goes_offline_is_drained(void **state)
{
	struct pair p = connect_pair(), q = connect_pair();
	evtchn_port_t own = ipi(1);

	(void)state;
	move_to(p.rx, 1);
	move_to(q.rx, 1);
	run_all();
	send(p.tx);
	send(own);
	send(q.tx);
	sim_vcpu_down(&domain->vcpu[1]);
	move_to(p.rx, 2);
	do_on(0, evg_close, q.rx);
	run_all();
	assert_int_equal(seen.n, 0); /* they are in its queue */
	do_on(0, drain, 1);
	run_all();
	ASSERT_SEEN(p.rx);
	assert_int_equal(seen.vcpu[0], 2);
	/* The number of the closed port can be used again. */
	assert_int_equal(ipi(0), q.rx);
	sim_vcpu_up(&domain->vcpu[1]);
	run_all();
	ASSERT_SEEN(own);
}

static void port_closed_in_a_queue_is_not_reused_before(void **state)
{
	evtchn_port_t first = ipi(1), second;

	(void)state;
	send(first);
	do_on(0, evg_close, first);
	second = ipi(0);
	assert_int_not_equal(second, first);
	run_all();
	assert_int_equal(seen.n, 0);
	assert_int_equal(ipi(0), first);
}

/* --- many ports ---------------------------------------------------------- */

static uint8_t times[NR_PORTS];

static void count(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)ctx;
	assert_int_equal(v->id, port % NR_VCPUS);
	times[port]++;
	seen.n++;
}

static void open_all(void *arg)
{
	evtchn_port_t port, got = 0;

	(void)arg;
	for (port = 1; port < NR_PORTS; port++) {
		if (evg_bind_ipi(&guest, port % NR_VCPUS, &got) || got != port)
			break;
		if (evg_bind_handler(&guest, port, EVG_VCPU_KEEP, count, NULL))
			break;
	}
	assert_int_equal(port, NR_PORTS);
	assert_int_equal(evg_bind_ipi(&guest, 0, &got), -XEN_ENOSPC);
}

static void all_131071_ports_fire_once_each(void **state)
{
	evtchn_port_t port;

	(void)state;
	start_guest(NR_PORTS, 0);
	assert_int_equal(start_fifo(), 0);
	memset(times, 0, sizeof(times));
	sim_call(&domain->vcpu[0], open_all, NULL);
	assert_int_equal(evb_u32_load(&fifo.nr_given), NR_PAGES);
	for (port = 1; port < NR_PORTS; port++)
		send(port);
	run_all();
	assert_int_equal(seen.n, NR_PORTS - 1);
	for (port = 1; port < NR_PORTS; port++)
		assert_int_equal(times[port], 1);
}

/* --- storms -------------------------------------------------------------- */

static void send_again(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	record(v, port, ctx);
	assert_int_equal(evg_notify(&guest, port), 0);
}

static void call_storm(void *arg)
{
	evtchn_port_t *port = arg;
	uint32_t i;

	for (i = 0; i < 3; i++) {
		assert_int_equal(evg_bind_ipi(&guest, 0, &port[i]), 0);
		assert_int_equal(evg_bind_handler(&guest, port[i], 0,
						  i ? send_again : record,
						  NULL),
				 0);
	}
}

static int one_upcall(struct evg_guest *g, evtchn_port_t port)
{
	(void)port;
	(void)evg_upcall(&g->vcpu[0]);
	return 0;
}

/* Two ports that never stop, and one event that came after theirs. */
static void storm_is_bounded_and_others_have_their_turn(void **state)
{
	evtchn_port_t port[3] = {0};

	(void)state;
	start_guest(8192, 5);
	assert_int_equal(start_fifo(), 0);
	sim_call(&domain->vcpu[0], call_storm, port);
	send(port[1]);
	send(port[2]);
	send(port[0]);
	do_on(0, one_upcall, 0);
	ASSERT_SEEN(port[1], port[2], port[0], port[1], port[2]);
	assert_true(evg_upcall_is_pending(&vcpu[0]));
	assert_int_equal(vcpu[0].nr_exhausted.v, 1);
	send(port[0]);
	do_on(0, one_upcall, 0);
	ASSERT_SEEN(port[1], port[2], port[0], port[1], port[2]);
	do_on(0, evg_close, port[1]);
	do_on(0, evg_close, port[2]);
	run_all();
	assert_false(evg_upcall_is_pending(&vcpu[0]));
}

/* --- by chance, against a model ------------------------------------------ */

#define NR_PAIRS 10

/* What the guest is owed: an event for each pair that was sent through. */
static struct {
	struct pair pair[NR_PAIRS];
	uint32_t where[NR_PAIRS];
	bool owed[NR_PAIRS], bound[NR_PAIRS];
	unsigned int handled, switches;
	uint64_t seed;
} model;

static uint32_t pick(uint32_t below)
{
	model.seed ^= model.seed << 13;
	model.seed ^= model.seed >> 7;
	model.seed ^= model.seed << 17;
	return (uint32_t)(model.seed >> 33) % below;
}

static void settle_debt(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	uint32_t i = (uint32_t)(uintptr_t)ctx;

	assert_int_equal(port, model.pair[i].rx);
	assert_int_equal(v->id, model.where[i]);
	assert_ptr_equal(v, evg_plat_this_vcpu(&guest));
	if (!model.owed[i])
		fail_msg("port %u fired for nothing", port);
	model.owed[i] = false;
	model.handled++;
}

static int bind_model(struct evg_guest *g, evtchn_port_t i)
{
	int rc = evg_bind_handler(g, model.pair[i].rx, EVG_VCPU_KEEP,
				  settle_debt, (void *)(uintptr_t)i);

	model.bound[i] = true;
	return rc;
}

static int open_model(struct evg_guest *g, evtchn_port_t i)
{
	struct pair *p = &model.pair[i];
	int rc = evg_alloc_unbound(g, DOMID_SELF, DOMID_SELF, &p->rx);

	if (!rc)
		rc = evg_bind_interdomain(g, DOMID_SELF, p->rx, &p->tx);
	model.where[i] = 0;
	model.owed[i] = false;
	return rc ? rc : bind_model(g, i);
}

static int close_model(struct evg_guest *g, evtchn_port_t i)
{
	int rc = evg_close(g, model.pair[i].rx);

	return rc ? rc : evg_close(g, model.pair[i].tx);
}

static int unbind_model(struct evg_guest *g, evtchn_port_t i)
{
	model.bound[i] = false;
	return evg_unbind_handler(g, model.pair[i].rx);
}

static void switch_model(uint32_t by)
{
	uint32_t i;

	model.switches++;
	if (!evg_is_fifo(&guest)) {
		assert_int_equal(start_fifo(), 0);
		return;
	}
	sim_call(&domain->vcpu[0], call_reset, NULL);
	for (i = 0; i < NR_PAIRS; i++)
		do_on(by, open_model, i);
}

/* Everything is unmasked, everybody runs: nothing may be owed. */
static void settle_model(void)
{
	uint32_t i;

	for (i = 0; i < NR_PAIRS; i++) {
		if (!model.bound[i])
			do_on(0, bind_model, i);
		do_on(0, evg_unmask, model.pair[i].rx);
	}
	run_all();
	for (i = 0; i < NR_PAIRS; i++) {
		if (model.owed[i])
			fail_msg("port %u: lost", model.pair[i].rx);
	}
	for (i = 0; i < NR_VCPUS; i++)
		assert_int_equal(vcpu[i].nr_bad_links.v, 0);
}

/* vCPU @id goes offline and comes back: its ports are vCPU 0's. */
static void unplug_model(uint32_t id)
{
	uint32_t i;

	sim_vcpu_down(&domain->vcpu[id]);
	for (i = 0; i < NR_PAIRS; i++) {
		if (model.where[i] != id)
			continue;
		model.where[i] = 0;
		move_to(model.pair[i].rx, 0);
	}
	do_on(0, drain, id);
	assert_int_equal(vcpu[id].queues.ready, 0);
	/* Nothing of theirs is left there: what is owed comes without it. */
	if (pick(2))
		settle_model();
	sim_vcpu_up(&domain->vcpu[id]);
}

static void act(uint32_t what, uint32_t i, uint32_t by)
{
	evtchn_port_t rx = model.pair[i].rx;

	switch (what) {
	case 0:
		do_on(by, evg_mask, rx);
		break;
	case 1:
		do_on(by, evg_unmask, rx);
		break;
	case 2:
		doing.arg = model.where[i] = pick(NR_VCPUS);
		do_on(by, move, rx);
		break;
	case 3:
		doing.arg = pick(16);
		if (evg_is_fifo(&guest))
			do_on(by, prioritise, rx);
		break;
	case 4:
		do_on(by, evg_clear_pending, rx);
		model.owed[i] = false;
		break;
	case 5:
		do_on(by, evg_set_pending, rx);
		model.owed[i] = true;
		break;
	case 6:
		do_on(by, close_model, i);
		do_on(by, open_model, i);
		break;
	case 7:
		do_on(by, model.bound[i] ? unbind_model : bind_model, i);
		break;
	case 8:
		if (!pick(20))
			switch_model(by);
		break;
	case 9:
		if (by)
			unplug_model(by);
		break;
	default:
		(void)sim_run_vcpu(&domain->vcpu[by]);
		break;
	}
}

static void random_doings_lose_nothing_and_invent_nothing(void **state)
{
	unsigned int rounds = getenv("EVC_LONG") ? 400000 : 5000, n, k;
	uint32_t i;

	(void)state;
	memset(&model, 0, sizeof(model));
	model.seed = 0x9e3779b97f4a7c15u;
	start_guest(64, 7);
	for (i = 0; i < NR_PAIRS; i++)
		do_on(0, open_model, i);
	for (n = 0; n < rounds; n++) {
		for (k = 0; k < 40; k++) {
			i = pick(NR_PAIRS);
			if (pick(2)) {
				send(model.pair[i].tx);
				model.owed[i] = true;
			} else {
				act(pick(12), i, pick(NR_VCPUS));
			}
		}
		settle_model();
	}
	assert_true(model.handled > rounds * 5);
	assert_true(model.switches > rounds / 20);
}

#define TEST(name, from) cmocka_unit_test_setup_teardown(name, from, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(switch_keeps_what_is_pending, setup),
		TEST(domain_without_fifo_stays_2_level, setup),
		TEST(reset_goes_back_and_forth, setup_fifo),
		TEST(priorities_decide_then_the_order_of_events, setup_fifo),
		TEST(two_vcpus_have_queues_of_their_own, setup_fifo),
		TEST(port_that_moves_with_its_event_queued_loses_nothing,
		     setup_fifo),
		TEST(tail_that_moves_breaks_no_queue, setup_fifo),
		TEST(vcpu_that_goes_offline_is_drained, setup_fifo),
		TEST(port_closed_in_a_queue_is_not_reused_before, setup_fifo),
		TEST(all_131071_ports_fire_once_each, setup),
		TEST(storm_is_bounded_and_others_have_their_turn, setup),
		TEST(random_doings_lose_nothing_and_invent_nothing, setup),
	};

	return cmocka_run_group_tests_name("sim fifo", tests, NULL, NULL);
}
