/* SPDX-License-Identifier: MIT */
/*
 * A malicious domain beside two honest ones.  It is attached, connected to both,
 * knows the protocol and its own memory, and uses all of it: it writes all over
 * the pages it was given and rings the bells it holds, also that of a channel
 * the other end has closed, sends without end, and reads nothing, while a second
 * process does to the broker whatever comes to mind.
 *
 * The honest ones go on with round trips on a channel of their own.  What they
 * pay for one is measured in blocks, in turn with and without the attack; in
 * the blocks without, the attackers are as busy, but harmless.  What counts is
 * CPU time, not the clock, so other load does not matter.  The medians of the
 * clock are printed.
 */
#include <time.h>

#include "harness.h"

#include "hosts/process/guest.h"

#define NR_BLOCKS    15	 /* of each kind */
#define ROUNDS	     200 /* round trips in a block */
#define CONTROLS     20	 /* ports opened, and closed, in a block */
#define NR_ATTACKERS 2

enum mode {
	HARMLESS,
	ATTACK,
	STOP
};

/* What all processes see. */
struct stage {
	evb_u32 mode, seen[NR_ATTACKERS];
	evb_u32 attacks[NR_ATTACKERS];
	evb_u64 sleeps; /* of the honest one that answers */
};

static struct stage *stage;

static void burn(void)
{
	volatile unsigned int i;

	for (i = 0; i < 1000; i++)
		;
}

/* --- what it was handed --------------------------------------------------------- */

#define MAX_PAGES 64

/* The pages of lanes that process @pid has mapped, by inode. */
static unsigned int lane_pages(pid_t pid, unsigned long *inode)
{
	char name[64], line[512];
	unsigned int n = 0;
	FILE *f;

	(void)snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);
	f = fopen(name, "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (!strstr(line, "memfd:evtchn-lane"))
			continue;
		CHECK(n < MAX_PAGES);
		CHECK(sscanf(line, "%*s %*s %*s %*s %lu", &inode[n++]) == 1);
	}
	(void)fclose(f);
	return n;
}

/* How many pages three processes, or two, have in common. */
static unsigned int common_pages(pid_t a, pid_t b, pid_t c)
{
	unsigned long x[MAX_PAGES], y[MAX_PAGES], z[MAX_PAGES];
	unsigned int nx = lane_pages(a, x), ny = lane_pages(b, y);
	unsigned int nz = lane_pages(c, z), i, k, m, n = 0;

	for (i = 0; i < nx; i++) {
		for (k = 0; k < ny; k++) {
			for (m = 0; m < nz; m++)
				n += x[i] == y[k] && y[k] == z[m];
		}
	}
	return n;
}

/* --- the one with lanes ---------------------------------------------------------- */

/* Everything it can write in its pages, and every bell it has. */
static void scribble(struct evp_guest *g, uint32_t n)
{
	struct evp_lane *l;
	uint32_t i, k;

	for (k = 0; k < g->nr_lanes; k++) {
		l = g->lane[k];
		if (!l->out)
			continue;
		for (i = 0; i < EVP_LANE_WORDS; i++) {
			(void)evb_u64_xchg(&l->out->pending[i], UINT64_MAX);
			(void)evb_u64_xchg(&l->in->pending[i], n);
		}
		(void)evb_u64_xchg(&l->out->selector, UINT64_MAX);
		evb_u32_store(&l->out->armed, n % 3);
		evb_u32_store(&l->in->armed, n);
		evp_kick(l->rope);
	}
}

/* Send on ports that are not connected to anything of it, and ask for more. */
static void ask_for_too_much(struct evp_guest *g, uint32_t n)
{
	struct evtchn_status st = {.dom = (domid_t)(1 + n % 2), .port = 1};
	evtchn_port_t port = 0;

	CHECK(evg_notify(evp_evg(g), 3 + n % 4000) != 0);
	CHECK(evg_status(evp_evg(g), &st) == -XEN_EPERM);
	CHECK(evg_alloc_unbound(evp_evg(g), 1, 66, &port) == -XEN_EPERM);
	/* The channel of the two others: not for domain 66 to bind. */
	CHECK(evg_bind_interdomain(evp_evg(g), 1, 1, &port) != 0);
}

/* What costs the other end most: a channel that is open, and its bell. */
static void flood(struct evp_guest *g, evtchn_port_t port)
{
	const struct evp_lane *l = g->chan[port].lane;
	uint32_t i;

	for (i = 0; i < 100; i++) {
		(void)evg_notify(evp_evg(g), port);
		if (l)
			evp_kick(l->rope);
	}
}

static void follow_mode(unsigned int who, uint32_t *mode)
{
	*mode = evb_u32_load(&stage->mode);
	evb_u32_store(&stage->seen[who], *mode);
	evb_u32_store(&stage->attacks[who],
		      evb_u32_load(&stage->attacks[who]) + (*mode == ATTACK));
}

static void attack_lanes(int from, int to, void *arg)
{
	struct evp_guest *g = attach(66);
	uint64_t ignored = 0;
	evtchn_port_t port = open_bound(g, 1, (evtchn_port_t)hear(from),
					count_event, &ignored);
	uint32_t mode, n = 0;

	(void)arg;
	(void)open_bound(g, 2, (evtchn_port_t)hear(from), count_event,
			 &ignored);
	(void)evp_poll(g);
	CHECK(g->nr_lanes == 3);
	say(to, 0);
	for (follow_mode(0, &mode); mode != STOP; follow_mode(0, &mode)) {
		n++;
		if (mode == HARMLESS)
			burn();
		else if (n % 8)
			flood(g, port);
		else
			scribble(g, n);
		if (mode == ATTACK && n % 64 == 0)
			ask_for_too_much(g, n);
	}
	evp_detach(g);
}

/* --- the one with the broker ------------------------------------------------------- */

static void send_junk(void)
{
	static const char junk[EVP_MSG_MAX + 100];
	static uint32_t n;
	struct evp_hdr h;
	int fd = raw();

	/* Nothing, too much, cut off, and at the wrong moment. */
	evp_hdr_init(&h, (enum evp_type)(n % 80), 16 + n % 7, 0);
	(void)send(fd, junk, n % sizeof(junk), MSG_NOSIGNAL);
	(void)close(fd);
	fd = raw();
	(void)send(fd, &h, sizeof(h) - n % 3, MSG_NOSIGNAL);
	(void)close(fd);
	n++;
}

static void churn(void)
{
	uint32_t domid;

	(void)close(raw_attached(67));
	(void)close(open_session(EVP_DOMID_ANY, &domid));
	(void)close(raw());
}

/* All ports of a domain; more domains than there should be; one connection. */
static void exhaust(int fd)
{
	struct evp_hypercall h = {.nr = __HYPERVISOR_event_channel_op,
				  .cmd = EVTCHNOP_alloc_unbound,
				  .arg_len =
					  sizeof(struct evtchn_alloc_unbound)};
	struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = 1};
	size_t len = offsetof(struct evp_hypercall, arg) + h.arg_len;
	int i;

	memcpy(h.arg, &op, sizeof(op));
	evp_hdr_init(&h.hdr, EVP_HYPERCALL, len, 1);
	/* Nobody reads the answers: it ends when the queue is full. */
	for (i = 0; i < 64; i++)
		(void)send(fd, &h, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void attack_broker(int from, int to, void *arg)
{
	static int held[100];
	unsigned int n = 0, i;
	uint32_t mode, domid;
	int greedy = raw_attached(68);
	char byte;

	(void)from;
	(void)arg;
	say(to, 0);
	for (follow_mode(1, &mode); mode != STOP; follow_mode(1, &mode)) {
		if (mode == HARMLESS) {
			burn();
			continue;
		}
		send_junk();
		churn();
		exhaust(greedy);
		i = n++ % 100;
		if (held[i])
			(void)close(held[i]);
		held[i] = open_session(1000 + i, &domid);
		if (recv(greedy, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
			(void)close(greedy);
			greedy = raw_attached(68);
		}
	}
}

/* --- the honest ones ---------------------------------------------------------------- */

static void answer_honestly(int from, int to, void *arg)
{
	struct evp_guest *g = attach_spin(2, 0);
	uint64_t count = 0, ignored = 0, seen;
	evtchn_port_t port = open_bound(g, 1, (evtchn_port_t)hear(from),
					count_event, &count);
	evtchn_port_t offered = open_unbound(g, 66, count_event, &ignored);
	struct evp_stats st;

	(void)arg;
	wait_count(g, &count, 1);
	say(to, offered);
	/* The attacker is connected: close it again.  It has the bell still. */
	(void)hear(from);
	CHECK(evg_close(evp_evg(g), offered) == 0);
	say(to, 0);
	while (evb_u32_load(&stage->mode) != STOP) {
		seen = count;
		wait_count(g, &count, seen + 1);
		CHECK(count == seen + 1);
		evp_get_stats(g, &st);
		(void)evb_u64_xchg(&stage->sleeps, st.sleeps);
		CHECK(evg_notify(evp_evg(g), port) == 0);
	}
	evp_detach(g);
}

/* What a block cost, for one round trip. */
struct cost {
	double cpu, clock, control, sleeps;
};

struct honest {
	struct evp_guest *g;
	evtchn_port_t port, bad;
	uint64_t count, from_attacker;
	clockid_t other; /* CPU time of the one that answers */
};

static double now(clockid_t clock)
{
	struct timespec ts;

	CHECK(clock_gettime(clock, &ts) == 0);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static double cpu_time(const struct honest *h)
{
	return now(CLOCK_PROCESS_CPUTIME_ID) + now(h->other);
}

static void set_mode(uint32_t mode)
{
	unsigned int i;

	evb_u32_store(&stage->mode, mode);
	for (i = 0; i < NR_ATTACKERS; i++) {
		while (evb_u32_load(&stage->seen[i]) != mode)
			(void)sched_yield();
	}
}

/* Each attacker has been through all of it once. */
static void let_them_attack(void)
{
	uint32_t before, i;

	set_mode(ATTACK);
	for (i = 0; i < NR_ATTACKERS; i++) {
		before = evb_u32_load(&stage->attacks[i]);
		while (evb_u32_load(&stage->attacks[i]) - before < 2)
			(void)sched_yield();
	}
}

/* The events that come are those that were sent, no more and no fewer. */
static struct cost play_block(struct honest *h)
{
	struct cost c = {.cpu = cpu_time(h), .clock = now(CLOCK_MONOTONIC)};
	uint64_t before = evb_u64_load(&stage->sleeps);
	evtchn_port_t port;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		CHECK(evg_notify(evp_evg(h->g), h->port) == 0);
		wait_count(h->g, &h->count, h->count + 1);
	}
	c.cpu = (cpu_time(h) - c.cpu) / ROUNDS;
	c.clock = (now(CLOCK_MONOTONIC) - c.clock) / ROUNDS;
	c.sleeps = (double)(evb_u64_load(&stage->sleeps) - before) / ROUNDS;
	c.control = now(CLOCK_MONOTONIC);
	for (i = 0; i < CONTROLS; i++) {
		port = alloc(h->g, DOMID_SELF, 2);
		CHECK(evg_close(evp_evg(h->g), port) == 0);
	}
	c.control = (now(CLOCK_MONOTONIC) - c.control) / CONTROLS;
	return c;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(const struct cost *c, size_t field)
{
	double v[NR_BLOCKS];
	unsigned int i;

	for (i = 0; i < NR_BLOCKS; i++)
		memcpy(&v[i], (const char *)&c[i] + field, sizeof(v[i]));
	qsort(v, NR_BLOCKS, sizeof(v[0]), compare);
	return v[NR_BLOCKS / 2];
}

static double report(const char *what, struct cost cost[2][NR_BLOCKS],
		     size_t field)
{
	double harmless = median(cost[HARMLESS], field);
	double attack = median(cost[ATTACK], field);

	printf("# %-40s %9.0f harmless, %9.0f attacked: %.2f times\n", what,
	       harmless, attack, attack / harmless);
	return attack / harmless;
}

/* The attacker's channel is masked when it becomes a nuisance, as on Xen. */
static void on_attacker(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	uint64_t *count = ctx;

	(void)v;
	if (++*count == 1000)
		(void)evg_mask(evp_evg(evp_current()), port);
}

/*
 * What a round trip of two that sleep costs is several times as much on two CPUs
 * as on one: they are to stay where they are, attacked or not.
 */
static void share_a_cpu(pid_t other)
{
	cpu_set_t here;
	int cpu = sched_getcpu();

	CHECK(cpu >= 0);
	CPU_ZERO(&here);
	CPU_SET((unsigned int)cpu, &here);
	CHECK(sched_setaffinity(0, sizeof(here), &here) == 0);
	CHECK(sched_setaffinity(other, sizeof(here), &here) == 0);
}

static struct child set_the_stage(struct honest *h, struct child *attacker)
{
	struct child peer;

	stage = share(sizeof(*stage));
	/* Before there is anything to inherit. */
	peer = start_child(answer_honestly, NULL);
	attacker[0] = start_child(attack_lanes, NULL);
	attacker[1] = start_child(attack_broker, NULL);
	share_a_cpu(peer.pid);
	h->g = attach_spin(1, 0);
	h->port = open_unbound(h->g, 2, count_event, &h->count);
	h->bad = open_unbound(h->g, 66, on_attacker, &h->from_attacker);
	say(peer.to, h->port);
	say(attacker[0].to, h->bad);
	say(attacker[0].to, hear(peer.from));
	(void)hear(attacker[0].from);
	(void)hear(attacker[1].from);
	say(peer.to, 0);
	(void)hear(peer.from);
	CHECK(evp_poll(h->g) >= 0);
	CHECK(clock_getcpuclockid(peer.pid, &h->other) == 0);
	return peer;
}

/* In turn, so that what else happens on the machine happens to both. */
static void measure(struct honest *h, struct cost cost[2][NR_BLOCKS])
{
	uint64_t before = h->count;
	unsigned int i;

	for (i = 0; i < NR_BLOCKS; i++) {
		set_mode(HARMLESS);
		cost[HARMLESS][i] = play_block(h);
		let_them_attack();
		cost[ATTACK][i] = play_block(h);
	}
	set_mode(HARMLESS);
	assert_int_equal(h->count - before, 2ull * NR_BLOCKS * ROUNDS);
}

static double report_all(struct cost cost[2][NR_BLOCKS])
{
	double cpu = report("CPU time of a round trip, ns", cost,
			    offsetof(struct cost, cpu));

	(void)report("round trip by the clock, ns", cost,
		     offsetof(struct cost, clock));
	(void)report("a port opened and closed, ns", cost,
		     offsetof(struct cost, control));
	return cpu;
}

static void look_at_its_pages(const struct child *attacker,
			      const struct child *peer)
{
	pid_t us = getpid(), other = peer->pid, bad = attacker[0].pid;

	/* A pair with each of them, and none of theirs. */
	assert_int_equal(common_pages(us, other, other), 2);
	assert_int_equal(common_pages(us, bad, bad), 2);
	assert_int_equal(common_pages(other, bad, bad), 2);
	assert_int_equal(common_pages(us, other, bad), 0);
}

static void its_own_channels_and_a_factor_of_two_is_all_it_gets(void **state)
{
	static struct cost cost[2][NR_BLOCKS];
	struct child attacker[NR_ATTACKERS], peer;
	struct honest h = {.count = 0};
	unsigned int i;

	(void)state;
	peer = set_the_stage(&h, attacker);
	look_at_its_pages(attacker, &peer);
	printf("# while a channel with the attacker is open:\n");
	measure(&h, cost);
	assert_true(report_all(cost) < 2);
	/* Who has had enough of a peer closes: that must be the end of it. */
	assert_int_equal(evg_close(evp_evg(h.g), h.bad), 0);
	printf("# when it is closed:\n");
	measure(&h, cost);
	assert_true(report_all(cost) < 2);
	/* Whose channel is closed rings nothing: one sleep a round, at most. */
	assert_true(median(cost[ATTACK], offsetof(struct cost, sleeps)) < 1.05);
	evb_u32_store(&stage->mode, STOP);
	assert_int_equal(evg_notify(evp_evg(h.g), h.port), 0);
	assert_int_equal(end_child(&peer), 0);
	for (i = 0; i < NR_ATTACKERS; i++)
		assert_int_equal(end_child(&attacker[i]), 0);
	evp_detach(h.g);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(its_own_channels_and_a_factor_of_two_is_all_it_gets),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("malicious", tests, NULL, NULL);
}
