/* SPDX-License-Identifier: MIT */
/*
 * Several vCPUs in one attachment: each a thread, with IPIs between them, ports
 * that move, and peers that come and go meanwhile.
 *
 * The vCPUs of a test are a crew: threads that all run one function, thread k as
 * vCPU k, the test's own as vCPU 0.  Built a second time with ThreadSanitizer
 * (tsan.sh).
 */
#include <pthread.h>
#include <sched.h>

#include "harness.h"

#include "hosts/process/guest.h"

#define NR 4

/* --- the crew --------------------------------------------------------------------- */

struct crew {
	struct evp_guest *g;
	void (*run)(struct crew *crew, uint32_t vcpu);
	void *arg;
	evb_u32 over;
	pthread_t thread[NR];
	evtchn_port_t ipi[NR]; /* to vCPU k */
};

struct member {
	struct crew *crew;
	uint32_t vcpu;
};

static struct evp_guest *attach_vcpus(int domain, uint32_t n, int signal)
{
	struct evp_options o = {.domain = domain,
				.spin_ns = EVP_SPIN_DEFAULT,
				.upcall_signal = signal,
				.nr_vcpus = n};
	struct evp_guest *g = NULL;

	CHECK(evp_attach(&g, &o) == 0);
	return g;
}

static void *be_member(void *arg)
{
	const struct member *m = arg;

	CHECK(evp_vcpu_enter(m->crew->g, m->vcpu) == 0);
	m->crew->run(m->crew, m->vcpu);
	evp_vcpu_leave(m->crew->g);
	return NULL;
}

static void run_crew(struct crew *crew)
{
	struct member m[NR];
	uint32_t i;

	for (i = 0; i < NR; i++)
		m[i] = (struct member){crew, i};
	for (i = 1; i < NR; i++)
		CHECK(!pthread_create(&crew->thread[i], NULL, be_member,
				      &m[i]));
	crew->run(crew, 0);
	for (i = 1; i < NR; i++)
		CHECK(!pthread_join(crew->thread[i], NULL));
}

static void open_ipis(struct crew *crew, evg_handler fn, void *ctx)
{
	struct evg_guest *evg = evp_evg(crew->g);
	uint32_t i;

	for (i = 0; i < NR; i++) {
		CHECK(evg_bind_ipi(evg, i, &crew->ipi[i]) == 0);
		CHECK(evg_bind_handler(evg, crew->ipi[i], EVG_VCPU_KEEP, fn,
				       ctx) == 0);
	}
}

/* Everybody is to look at @over, asleep or not. */
static void end_shift(struct crew *crew)
{
	uint32_t i;

	evb_u32_store(&crew->over, 1);
	for (i = 0; i < NR; i++)
		CHECK(evg_notify(evp_evg(crew->g), crew->ipi[i]) == 0);
}

static void wait_for_the_end(struct crew *crew, uint32_t vcpu)
{
	(void)vcpu;
	while (!evb_u32_load(&crew->over))
		CHECK(evp_wait(crew->g, EVP_FOREVER) >= 0);
}

/* --- IPIs ------------------------------------------------------------------------- */

struct ring {
	struct crew crew;
	evb_u32 left;	   /* hops */
	evb_u32 hops[NR];  /* taken by each */
	evb_u32 elsewhere; /* taken by somebody else than it was for */
	bool polls;	   /* instead of evp_wait() */
};

static void pass_on(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct ring *r = ctx;
	uint32_t me = v->id;

	if (port != r->crew.ipi[me] || evg_plat_this_vcpu(v->guest) != v)
		(void)evb_u32_add(&r->elsewhere, 1);
	if (evb_u32_load(&r->crew.over))
		return;
	(void)evb_u32_add(&r->hops[me], 1);
	if (evb_u32_add(&r->left, UINT32_MAX) == 1)
		end_shift(&r->crew);
	else
		CHECK(evg_notify(v->guest, r->crew.ipi[(me + 1) % NR]) == 0);
}

static void run_ring(struct crew *crew, uint32_t vcpu)
{
	struct ring *r = crew->arg;

	if (vcpu == 0)
		CHECK(evg_notify(evp_evg(crew->g), crew->ipi[0]) == 0);
	while (r->polls && !evb_u32_load(&crew->over)) {
		CHECK(evp_poll(crew->g) >= 0);
		(void)sched_yield();
	}
	wait_for_the_end(crew, vcpu);
}

static void send_round(bool polls, uint32_t laps)
{
	struct ring r = {.crew = {.g = attach_vcpus(1, NR, 0), .run = run_ring},
			 .polls = polls};
	struct evp_stats before, after;
	uint32_t i;

	r.crew.arg = &r;
	evb_u32_store(&r.left, laps * NR);
	open_ipis(&r.crew, pass_on, &r);
	evp_get_stats(r.crew.g, &before);
	run_crew(&r.crew);
	evp_get_stats(r.crew.g, &after);
	for (i = 0; i < NR; i++)
		assert_int_equal(evb_u32_load(&r.hops[i]), laps);
	assert_int_equal(evb_u32_load(&r.elsewhere), 0);
	assert_int_equal(after.hypercalls, before.hypercalls);
	assert_int_equal(after.sent_local - before.sent_local,
			 (uint64_t)laps * NR + NR);
	evp_detach(r.crew.g);
}

static void ipi_goes_round_four_sleeping_vcpus(void **state)
{
	(void)state;
	send_round(false, 5000);
}

static void ipi_goes_round_four_polling_vcpus(void **state)
{
	(void)state;
	send_round(true, 2000);
}

/* All to all at once; each answer is awaited, so each event counts. */
struct mesh {
	struct crew crew;
	uint32_t rounds;
	evb_u32 finished;
	struct pair {
		evtchn_port_t port; /* notifies @to */
		struct mesh *mesh;
		uint32_t from, to;
		evb_u32 sent, taken;
	} pair[NR][NR];
};

static void take_mesh(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct pair *p = ctx;

	CHECK(v->id == p->to && port == p->port);
	(void)evb_u32_add(&p->taken, 1);
	/* The sender may sleep. */
	CHECK(evg_notify(v->guest, p->mesh->crew.ipi[p->from]) == 0);
}

static bool send_mesh(struct mesh *m, uint32_t vcpu)
{
	bool done = true;
	uint32_t to;

	for (to = 0; to < NR; to++) {
		struct pair *p = &m->pair[vcpu][to];
		uint32_t taken = evb_u32_load(&p->taken);

		if (taken == m->rounds)
			continue;
		done = false;
		if (taken != evb_u32_load(&p->sent))
			continue;
		evb_u32_store(&p->sent, taken + 1);
		CHECK(evg_notify(evp_evg(m->crew.g), p->port) == 0);
	}
	return done;
}

static void run_mesh(struct crew *crew, uint32_t vcpu)
{
	struct mesh *m = crew->arg;

	while (!send_mesh(m, vcpu))
		CHECK(evp_wait(crew->g, EVP_FOREVER) >= 0);
	/* The last one says that all are done. */
	if (evb_u32_add(&m->finished, 1) == NR - 1)
		end_shift(crew);
	wait_for_the_end(crew, vcpu);
}

static void ignore(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)v;
	(void)port;
	(void)ctx;
}

static void ipis_between_all_pairs_none_lost(void **state)
{
	static struct mesh m;
	uint32_t i, j;

	(void)state;
	m = (struct mesh){
		.crew = {.g = attach_vcpus(1, NR, 0), .run = run_mesh},
		.rounds = 2000};
	m.crew.arg = &m;
	open_ipis(&m.crew, ignore, NULL);
	for (i = 0; i < NR; i++) {
		for (j = 0; j < NR; j++) {
			struct pair *p = &m.pair[i][j];

			p->mesh = &m;
			p->from = i;
			p->to = j;
			CHECK(evg_bind_ipi(evp_evg(m.crew.g), j, &p->port) ==
			      0);
			CHECK(evg_bind_handler(evp_evg(m.crew.g), p->port,
					       EVG_VCPU_KEEP, take_mesh,
					       p) == 0);
		}
	}
	run_crew(&m.crew);
	for (i = 0; i < NR; i++) {
		for (j = 0; j < NR; j++)
			assert_int_equal(evb_u32_load(&m.pair[i][j].taken),
					 m.rounds);
	}
	evp_detach(m.crew.g);
}

/* --- ports that move ----------------------------------------------------------------- */

#define NR_PORTS 6

/* Shared with the sender: a port's next event is sent when this one is handled. */
struct score {
	evb_u32 port[NR_PORTS];
	evb_u32 handled[NR_PORTS];
	evb_u32 ready; /* ports are open */
};

struct mover {
	struct crew crew;
	struct score *score;
	uint32_t each;
	evb_u32 inside[NR_PORTS]; /* handlers of this port that run */
	evb_u32 doubled;
	evb_u32 by[NR]; /* handled by each vCPU */
	struct end {
		struct mover *mover;
		uint32_t i;
	} end[NR_PORTS];
};

static void flood(int from, int to, void *arg)
{
	const struct mover *m = arg;
	struct evp_guest *g = attach(2);
	uint32_t i, sent[NR_PORTS] = {0}, first[NR_PORTS];
	uint64_t total = 0, answers = 0;
	evtchn_port_t port[NR_PORTS];

	(void)hear(from);
	for (i = 0; i < NR_PORTS; i++) {
		port[i] = open_bound(g, 1, evb_u32_load(&m->score->port[i]),
				     count_event, &answers);
		first[i] = evb_u32_load(&m->score->handled[i]);
	}
	say(to, 0);
	while (total < (uint64_t)m->each * NR_PORTS) {
		bool idle = true;

		for (i = 0; i < NR_PORTS; i++) {
			if (sent[i] == m->each ||
			    evb_u32_load(&m->score->handled[i]) !=
				    first[i] + sent[i])
				continue;
			sent[i]++;
			total++;
			idle = false;
			CHECK(evg_notify(evp_evg(g), port[i]) == 0);
		}
		if (idle)
			CHECK(evp_wait(g, EVP_FOREVER) >= 0);
	}
	(void)hear(from);
	evp_detach(g);
}

static void handle_moving(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	const struct end *e = ctx;
	struct mover *m = e->mover;
	uint32_t handled;

	if (evb_u32_add(&m->inside[e->i], 1))
		(void)evb_u32_add(&m->doubled, 1);
	(void)evb_u32_add(&m->by[v->id], 1);
	(void)evb_u32_add(&m->inside[e->i], UINT32_MAX);
	handled = evb_u32_add(&m->score->handled[e->i], 1) + 1;
	CHECK(evg_notify(v->guest, port) == 0);
	if (handled == m->each)
		CHECK(evg_notify(v->guest, m->crew.ipi[0]) == 0);
}

static bool is_moved_out(const struct mover *m)
{
	uint32_t i;

	for (i = 0; i < NR_PORTS; i++) {
		if (evb_u32_load(&m->score->handled[i]) < m->each)
			return false;
	}
	return true;
}

/*
 * Of the ports that nobody has moved yet.  Later it may be that a vCPU never runs
 * while one is its own.
 */
static void let_each_have_one(struct crew *crew)
{
	const struct mover *m = crew->arg;
	uint32_t i;

	for (i = 0; i < NR; i++) {
		while (!evb_u32_load(&m->by[i])) {
			CHECK(evp_poll(crew->g) >= 0);
			(void)sched_yield();
		}
	}
}

/* vCPU 0 moves them around, and works as well; the others work and sleep. */
static void run_movers(struct crew *crew, uint32_t vcpu)
{
	struct mover *m = crew->arg;
	uint32_t seed = 1, i;

	if (vcpu == 0)
		let_each_have_one(crew);
	while (vcpu == 0 && !is_moved_out(m)) {
		seed = seed * 1664525u + 1013904223u;
		i = (seed >> 16) % NR_PORTS;
		CHECK(evg_bind_vcpu(evp_evg(crew->g),
				    evb_u32_load(&m->score->port[i]),
				    (seed >> 24) % NR) == 0);
		CHECK(evp_poll(crew->g) >= 0);
	}
	if (vcpu == 0)
		end_shift(crew);
	wait_for_the_end(crew, vcpu);
}

static void move_under_load(int signal)
{
	struct score *score = share(sizeof(*score));
	struct mover *m = share(sizeof(*m));
	struct child c;
	uint32_t i;

	m->score = score;
	m->each = 4000;
	c = start_child(flood, m);
	m->crew.g = attach_vcpus(1, NR, signal);
	m->crew.run = run_movers;
	m->crew.arg = m;
	open_ipis(&m->crew, ignore, NULL);
	for (i = 0; i < NR_PORTS; i++) {
		m->end[i] = (struct end){m, i};
		evb_u32_store(
			&score->port[i],
			open_unbound(m->crew.g, 2, handle_moving, &m->end[i]));
		assert_int_equal(evg_bind_vcpu(evp_evg(m->crew.g),
					       evb_u32_load(&score->port[i]),
					       i % NR),
				 0);
	}
	say(c.to, 0);
	(void)hear(c.from);
	run_crew(&m->crew);
	for (i = 0; i < NR_PORTS; i++)
		assert_int_equal(evb_u32_load(&score->handled[i]), m->each);
	assert_int_equal(evb_u32_load(&m->doubled), 0);
	for (i = 0; i < NR; i++)
		assert_true(evb_u32_load(&m->by[i]) > 0);
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	evp_detach(m->crew.g);
	(void)munmap(m, sizeof(*m));
	(void)munmap(score, sizeof(*score));
}

static void ports_move_under_load_nothing_lost_or_doubled(void **state)
{
	(void)state;
	move_under_load(0);
}

/* --- each its own ---------------------------------------------------------------------- */

struct post_office {
	struct crew crew;
	evb_u32 done[NR];
	evtchn_port_t port[NR];
};

/* SCHEDOP_poll on a masked port of one's own, sent by the one before. */
static void run_pollers(struct crew *crew, uint32_t vcpu)
{
	struct post_office *o = crew->arg;
	struct evg_guest *evg = evp_evg(crew->g);
	uint32_t i, next = (vcpu + 1) % NR;

	for (i = 0; i < 500; i++) {
		if (vcpu == 0)
			CHECK(evg_notify(evg, o->port[next]) == 0);
		while (!evg_is_pending(evg, o->port[vcpu]))
			CHECK(evg_poll(evg, &o->port[vcpu], 1, 0) == 0);
		CHECK(evg_clear_pending(evg, o->port[vcpu]) == 0);
		evb_u32_store(&o->done[vcpu], i + 1);
		if (vcpu != 0)
			CHECK(evg_notify(evg, o->port[next]) == 0);
	}
}

/* @owner(k): which vCPU the port that vCPU k polls is bound to. */
static void poll_in_a_row(uint32_t shift)
{
	struct post_office o = {
		.crew = {.g = attach_vcpus(1, NR, 0), .run = run_pollers}};
	uint32_t i;

	o.crew.arg = &o;
	for (i = 0; i < NR; i++)
		CHECK(evg_bind_ipi(evp_evg(o.crew.g), (i + shift) % NR,
				   &o.port[i]) == 0);
	run_crew(&o.crew);
	for (i = 0; i < NR; i++)
		assert_int_equal(evb_u32_load(&o.done[i]), 500);
	evp_detach(o.crew.g);
}

static void poll_wakes_the_vcpu_that_polls(void **state)
{
	(void)state;
	poll_in_a_row(0);
}

static void poll_wakes_for_ports_bound_to_other_vcpus(void **state)
{
	(void)state;
	poll_in_a_row(1);
}

/*
 * vCPU 1 sleeps; vCPU 0 takes an event of its own from the same peer, which
 * needs no bell any more then, and computes.
 */
struct nap {
	struct crew crew;
	evtchn_port_t port[2]; /* of vCPU 0 and 1, both to the same peer */
	evb_u32 seen[2];
	evb_u32 go;
	int to, from;
};

static void note_nap(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct nap *n = ctx;

	CHECK(port == n->port[v->id]);
	(void)evb_u32_add(&n->seen[v->id], 1);
}

static void two_senders(int from, int to, void *arg)
{
	struct evp_guest *g = attach(2);
	evtchn_port_t port[2];
	uint64_t i, what;

	(void)arg;
	for (i = 0; i < 2; i++)
		port[i] = open_bound(g, 1, (evtchn_port_t)hear(from), ignore,
				     NULL);
	say(to, 0);
	while ((what = hear(from)) < 2) {
		CHECK(evg_notify(evp_evg(g), port[what]) == 0);
		say(to, 0);
	}
	evp_detach(g);
}

static void send_nap(struct nap *n, uint64_t which)
{
	say(n->to, which);
	(void)hear(n->from);
}

static void await_nap(const struct crew *crew)
{
	while (!evb_u32_load(&crew->g->vcpu[1].asleep))
		(void)sched_yield();
}

/* Every other time it lies down only after vCPU 0 took its event. */
static void take_naps(struct crew *crew)
{
	struct nap *n = crew->arg;
	uint32_t i;

	for (i = 1; i <= 100; i++) {
		while (i % 2 && evb_u32_load(&n->go) < i)
			(void)sched_yield();
		while (evb_u32_load(&n->seen[1]) < i)
			CHECK(evp_wait(crew->g, EVP_FOREVER) >= 0);
	}
}

static void disturb_naps(struct crew *crew)
{
	struct nap *n = crew->arg;
	uint32_t i;

	for (i = 1; i <= 100; i++) {
		if (i % 2 == 0)
			await_nap(crew);
		send_nap(n, 0);
		while (evb_u32_load(&n->seen[0]) < i)
			CHECK(evp_poll(crew->g) >= 0);
		evb_u32_store(&n->go, i);
		await_nap(crew);
		send_nap(n, 1);
		while (evb_u32_load(&n->seen[1]) < i)
			(void)sched_yield(); /* calls nothing of the library */
	}
	end_shift(crew);
}

static void run_nap(struct crew *crew, uint32_t vcpu)
{
	if (vcpu == 0)
		disturb_naps(crew);
	else if (vcpu == 1)
		take_naps(crew);
	if (vcpu < 2)
		wait_for_the_end(crew, vcpu);
}

static void sleeping_vcpu_served_while_another_computes(void **state)
{
	static struct nap n;
	struct child c = start_child(two_senders, NULL);
	uint32_t i;

	(void)state;
	n = (struct nap){.crew = {.g = attach_vcpus(1, NR, 0), .run = run_nap},
			 .to = c.to,
			 .from = c.from};
	n.crew.arg = &n;
	open_ipis(&n.crew, ignore, NULL);
	for (i = 0; i < 2; i++) {
		n.port[i] = open_unbound(n.crew.g, 2, note_nap, &n);
		CHECK(evg_bind_vcpu(evp_evg(n.crew.g), n.port[i], i) == 0);
		say(c.to, n.port[i]);
	}
	(void)hear(c.from);
	run_crew(&n.crew);
	assert_int_equal(evb_u32_load(&n.seen[0]), 100);
	assert_int_equal(evb_u32_load(&n.seen[1]), 100);
	say(c.to, 2);
	assert_int_equal(end_child(&c), 0);
	evp_detach(n.crew.g);
}

/* A vCPU nobody is: what comes waits for the thread that will be it. */
static void *be_vcpu_two(void *arg)
{
	struct crew *crew = arg;

	CHECK(evp_vcpu_enter(crew->g, 2) == 0);
	CHECK(evp_wait(crew->g, EVP_FOREVER) > 0);
	evp_vcpu_leave(crew->g);
	return NULL;
}

static void note_vcpu(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)port;
	evb_u32_store(ctx, v->id + 1);
}

static void events_wait_for_a_vcpu_that_has_no_thread(void **state)
{
	struct crew crew = {.g = attach_vcpus(1, NR, 0)};
	evb_u32 by;
	uint32_t i;

	(void)state;
	open_ipis(&crew, note_vcpu, &by);
	for (i = 0; i < 3; i++) {
		evb_u32_store(&by, 0);
		assert_int_equal(evg_notify(evp_evg(crew.g), crew.ipi[2]), 0);
		assert_int_equal(evp_poll(crew.g), 0);
		assert_int_equal(evb_u32_load(&by), 0);
		assert_int_equal(pthread_create(&crew.thread[2], NULL,
						be_vcpu_two, &crew),
				 0);
		assert_int_equal(pthread_join(crew.thread[2], NULL), 0);
		assert_int_equal(evb_u32_load(&by), 3);
	}
	evp_detach(crew.g);
}

static int move(struct evp_guest *g, evtchn_port_t port, uint32_t vcpu)
{
	struct evtchn_bind_vcpu op = {.port = port, .vcpu = vcpu};

	return evg_plat_hypercall(evp_evg(g), __HYPERVISOR_event_channel_op,
				  EVTCHNOP_bind_vcpu, &op);
}

static void vcpus_are_the_attachments_own(void **state)
{
	struct evp_guest *four = attach_vcpus(1, 4, 0), *one = attach(1);
	evtchn_port_t port, other, ipi;
	struct evp_options o = {.domain = 1, .nr_vcpus = 33};
	struct evp_guest *none;
	struct evtchn_bind_ipi op = {.vcpu = 4};

	(void)state;
	port = alloc(four, DOMID_SELF, 2);
	other = alloc(one, DOMID_SELF, 2);
	assert_int_equal(move(four, port, 3), 0);
	assert_int_equal(move(four, port, 4), -XEN_ENOENT);
	assert_int_equal(move(one, other, 1), -XEN_ENOENT);
	assert_int_equal(move(one, other, 0), 0);
	assert_int_equal(evg_bind_ipi(evp_evg(four), 4, &ipi), -XEN_ENOENT);
	assert_int_equal(evg_plat_hypercall(evp_evg(four),
					    __HYPERVISOR_event_channel_op,
					    EVTCHNOP_bind_ipi, &op),
			 -XEN_ENOENT);
	assert_int_equal(evg_bind_ipi(evp_evg(four), 3, &ipi), 0);
	assert_int_equal(move(four, ipi, 1), -XEN_EINVAL);
	assert_int_equal(evp_attach(&none, &o), -EINVAL);
	assert_non_null(strstr(evp_error(), "nr_vcpus is 33"));
	evp_detach(four);
	evp_detach(attach_vcpus(1, 32, 0));
	evp_detach(one);
}

/* What no client library asks for. */
static void broker_ends_who_asks_for_no_or_too_many_vcpus(void **state)
{
	static const uint32_t bad[] = {0, 33, UINT32_MAX};
	struct evp_attach_req m = {.domid = 1};
	struct evp_guest *g = attach_vcpus(1, NR, 0);
	size_t i;
	int fd;

	(void)state;
	evp_hdr_init(&m.hdr, EVP_ATTACH, sizeof(m), 1);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		m.nr_vcpus = bad[i];
		fd = raw_greeted();
		CHECK(!evp_send_packet(fd, &m, sizeof(m), NULL, 0, 0));
		expect_end(fd);
	}
	assert_int_equal(alloc(g, DOMID_SELF, 2), 1);
	evp_detach(g);
}

/* --- coming and going ------------------------------------------------------------------- */

/* Ports open and close on every vCPU while the others send to them. */
static void run_closers(struct crew *crew, uint32_t vcpu)
{
	struct evg_guest *evg = evp_evg(crew->g);
	struct post_office *o = crew->arg;
	evtchn_port_t port;
	uint32_t i, j;

	for (i = 0; i < 150; i++) {
		CHECK(evg_bind_ipi(evg, (vcpu + i) % NR, &port) == 0);
		CHECK(evg_bind_handler(evg, port, EVG_VCPU_KEEP, ignore,
				       NULL) == 0);
		evb_u32_store(&o->done[vcpu], port);
		for (j = 0; j < NR; j++) {
			evtchn_port_t target = evb_u32_load(&o->done[j]);
			int rc = target ? evg_notify(evg, target) : 0;

			/* It may be closed by now. */
			CHECK(rc == 0 || rc == -XEN_EINVAL);
		}
		CHECK(evp_poll(crew->g) >= 0);
		evb_u32_store(&o->done[vcpu], 0);
		while (evg_close(evg, port))
			CHECK(evp_poll(crew->g) >= 0);
	}
}

static void ports_closed_while_others_send_to_them(void **state)
{
	struct post_office o = {
		.crew = {.g = attach_vcpus(1, NR, 0), .run = run_closers}};
	struct evtchn_status st = {.dom = DOMID_SELF};

	(void)state;
	o.crew.arg = &o;
	run_crew(&o.crew);
	for (st.port = 1; !evg_status(evp_evg(o.crew.g), &st); st.port++)
		assert_int_equal(st.status, EVTCHNSTAT_closed);
	evp_detach(o.crew.g);
}

#define NR_VISITS 60

/* A peer that connects, sends, waits for an answer, and dies with its lane. */
static void visit(int from, int to, void *arg)
{
	evtchn_port_t remote = (evtchn_port_t)hear(from);
	const evb_u32 *visits = arg;
	uint32_t i;

	for (i = 0; i < NR_VISITS; i++) {
		struct evp_guest *g = attach(2);
		uint64_t count = 0;
		evtchn_port_t port =
			open_bound(g, 1, remote, count_event, &count);

		CHECK(evg_notify(evp_evg(g), port) == 0);
		while (evb_u32_load(visits) <= i)
			CHECK(evp_wait(g, EVP_FOREVER) >= 0);
		evp_detach(g);
	}
	say(to, 0);
}

struct host {
	struct crew crew;
	evtchn_port_t door;
	evb_u32 *visits; /* shared with the peer */
};

static void open_door(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct host *h = ctx;
	uint32_t before = evb_u32_add(h->visits, 1);

	CHECK(evg_notify(v->guest, port) == 0);
	if (before == NR_VISITS - 1)
		end_shift(&h->crew);
}

/* All but the one that is visited send to whoever is there, or is gone. */
static void run_hosts(struct crew *crew, uint32_t vcpu)
{
	struct host *h = crew->arg;

	while (vcpu != 1 && !evb_u32_load(&crew->over)) {
		CHECK(evg_notify(evp_evg(crew->g), h->door) == 0);
		CHECK(evp_poll(crew->g) >= 0);
		(void)sched_yield();
	}
	wait_for_the_end(crew, vcpu);
}

static void peers_die_while_others_send_to_them(void **state)
{
	static struct host h;
	evb_u32 *visits = share(sizeof(*visits));
	struct child c = start_child(visit, visits);

	(void)state;
	h = (struct host){
		.visits = visits,
		.crew = {.g = attach_vcpus(1, NR, 0), .run = run_hosts}};
	h.crew.arg = &h;
	open_ipis(&h.crew, ignore, NULL);
	h.door = open_unbound(h.crew.g, 2, open_door, &h);
	CHECK(evg_bind_vcpu(evp_evg(h.crew.g), h.door, 1) == 0);
	say(c.to, h.door);
	run_crew(&h.crew);
	assert_int_equal(evb_u32_load(visits), NR_VISITS);
	(void)hear(c.from);
	assert_int_equal(end_child(&c), 0);
	(void)munmap(visits, sizeof(*visits));
	evp_detach(h.crew.g);
}

/* --- and upcalls by signal ----------------------------------------------------------------- */

/* It computes: calls nothing until somebody else's handler says so. */
static void run_computers(struct crew *crew, uint32_t vcpu)
{
	const struct ring *r = crew->arg;

	(void)r;
	if (vcpu == 0)
		CHECK(evg_notify(evp_evg(crew->g), crew->ipi[0]) == 0);
	while (!evb_u32_load(&crew->over))
		;
}

static void ipi_goes_round_four_computing_vcpus(void **state)
{
	struct ring r = {.crew = {.g = attach_vcpus(1, NR, SIGUSR1),
				  .run = run_computers}};
	uint32_t i;

	(void)state;
	r.crew.arg = &r;
	evb_u32_store(&r.left, 60 * NR);
	open_ipis(&r.crew, pass_on, &r);
	run_crew(&r.crew);
	for (i = 0; i < NR; i++)
		assert_int_equal(evb_u32_load(&r.hops[i]), 60);
	assert_int_equal(evb_u32_load(&r.elsewhere), 0);
	evp_detach(r.crew.g);
}

static void ports_move_under_load_of_signals(void **state)
{
	(void)state;
	move_under_load(SIGUSR1);
}

/* --- for syscalls_ipi.sh --------------------------------------------------------------------- */

#define NR_BUSY 100000

/* The sender, when all others have begun; these end when it says so. */
static void send_busily(struct crew *crew, const struct post_office *o)
{
	uint32_t i;

	for (i = 1; i < NR; i++) {
		while (!evb_u32_load(&o->done[i]))
			(void)sched_yield();
	}
	(void)getppid();
	for (i = 0; i < NR_BUSY; i++)
		CHECK(evg_notify(evp_evg(crew->g), crew->ipi[1]) == 0);
	(void)getppid();
	end_shift(crew);
}

/*
 * vCPU 1 polls and takes what comes; vCPU 0 sends between two marks.  The rest
 * computes: a thread that begins or ends meanwhile would be counted.
 */
static void run_busy(struct crew *crew, uint32_t vcpu)
{
	struct post_office *o = crew->arg;

	if (vcpu == 0)
		send_busily(crew, o);
	while (!evb_u32_load(&crew->over)) {
		if (vcpu == 1)
			CHECK(evp_poll(crew->g) >= 0);
		evb_u32_store(&o->done[vcpu], 1);
	}
}

static void count_atomically(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)v;
	(void)port;
	(void)evb_u32_add(ctx, 1);
}

static int be_busy(void)
{
	struct post_office o = {
		.crew = {.g = attach_vcpus(1, NR, 0), .run = run_busy}};
	evb_u32 handled;

	evb_u32_store(&handled, 0);
	o.crew.arg = &o;
	open_ipis(&o.crew, count_atomically, &handled);
	run_crew(&o.crew);
	printf("%d sent, %u handled\n", NR_BUSY, evb_u32_load(&handled));
	evp_detach(o.crew.g);
	return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(ipi_goes_round_four_sleeping_vcpus),
		TEST(ipi_goes_round_four_polling_vcpus),
		TEST(ipis_between_all_pairs_none_lost),
		TEST(ports_move_under_load_nothing_lost_or_doubled),
		TEST(poll_wakes_the_vcpu_that_polls),
		TEST(poll_wakes_for_ports_bound_to_other_vcpus),
		TEST(sleeping_vcpu_served_while_another_computes),
		TEST(events_wait_for_a_vcpu_that_has_no_thread),
		TEST(vcpus_are_the_attachments_own),
		TEST(broker_ends_who_asks_for_no_or_too_many_vcpus),
		TEST(ports_closed_while_others_send_to_them),
		TEST(peers_die_while_others_send_to_them),
		TEST(ipi_goes_round_four_computing_vcpus),
		TEST(ports_move_under_load_of_signals),
	};

	if (argc > 1 && !strcmp(argv[1], "busy"))
		return be_busy();
	/* ThreadSanitizer holds signals back until a thread calls something. */
	if (argc > 1 && !strcmp(argv[1], "tsan"))
		cmocka_set_skip_filter("ipi_goes_round_four_computing_vcpus");
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("vcpus", tests, NULL, NULL);
}
