/* SPDX-License-Identifier: MIT */
/*
 * Two honest domains beside a malicious one that is connected to one of them:
 * what does a round trip between the two take while it attacks, and what does
 * it take beside a process that is as busy but harms nobody?
 *
 * Both kinds of block follow each other, in one run and with the same three
 * processes in the same places: what a busy neighbour takes by itself, which is
 * CPU time, is not the attack's.  The honest two share the first CPU and sleep
 * between; the third is on the last one.  The ratios are of times by the clock,
 * and of the CPU time of the honest two.
 *
 *   open     its channel is open, and not masked: each event is handled
 *   masked   open, but the receiver has masked it
 *   closed   the receiver has closed it; the other end has the bell still
 *
 * Reading order: the malicious one, the honest ones, measuring.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <evg/evg.h>
#include <evp/evp.h>

#include "bench/transports.h"
#include "hosts/process/guest.h"

#define RUNS   11
#define ROUNDS 2000

/* Where in a page, in words of 32 bits. */
#define USE (offsetof(struct evp_lane_page, use) / sizeof(evb_u32))

enum attack {
	BUSY, /* harmless */
	EVENTS,
	RINGS,
	PAGES,
	BROKER,
	STOP,
};

static const char *const attack_name[] = {
	"busy",
	"sends without end",
	"rings without end",
	"scribbles in its pages and rings",
	"floods the broker",
};

/* Each word in a cache line of its own. */
static struct page {
	_Alignas(64) evb_u32 attack;
	_Alignas(64) evb_u32 seen; /* what the malicious one is at */
	_Alignas(64) evb_u32 port, bad_port, joined;
	_Alignas(64) evb_u64 cpu; /* of the one that answers */
} * page;

static void check(int rc, const char *what)
{
	if (rc) {
		fprintf(stderr, "bench: %s: %d %s\n", what, rc, evp_error());
		exit(1);
	}
}

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		bench_fail("sched_setaffinity");
}

static struct evp_guest *join(int domain)
{
	struct evp_options o = {.socket = getenv("EVTCHN_SOCKET"),
				.domain = domain,
				.name = "bench"};
	struct evp_guest *g;

	check(evp_attach(&g, &o), "evp_attach");
	return g;
}

static uint32_t wait_for(evb_u32 *word)
{
	while (!evb_u32_load(word))
		(void)sched_yield();
	return evb_u32_load(word);
}

static pid_t start(void (*role)(void))
{
	pid_t pid = fork();

	if (pid < 0)
		bench_fail("fork");
	if (pid)
		return pid;
	/* One is busy for ever: not when nobody looks any more. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	role();
	_exit(0);
}

/* --- the malicious one ------------------------------------------------------------ */

static evtchn_port_t connect_to(struct evp_guest *g, evtchn_port_t remote,
				evg_handler fn, void *ctx)
{
	evtchn_port_t port;

	check(evg_bind_interdomain(evp_evg(g), 101, remote, &port), "bind");
	check(evg_bind_handler(evp_evg(g), port, 0, fn, ctx), "handler");
	return port;
}

static void ignore(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)v;
	(void)port;
	(void)ctx;
}

static void burn(void)
{
	volatile unsigned int i;

	for (i = 0; i < 100; i++)
		;
}

/* All of the page it sends by, but the word that says it has left. */
static void scribble(const struct evp_lane *l, uint32_t n)
{
	evb_u32 *words = (evb_u32 *)l->out;
	size_t i;

	for (i = 0; i < EVP_PAGE_SIZE / sizeof(*words); i++)
		evb_u32_store_relaxed(&words[i], i == USE ? EVP_USED : ~n);
	evp_kick(l->rope);
}

/* Connect, say nonsense, and go. */
static void annoy_broker(void)
{
	static const char junk[100];
	int fd;

	if (evp_control_connect(getenv("EVTCHN_SOCKET"), &fd))
		return;
	(void)send(fd, junk, sizeof(junk), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)close(fd);
}

static void attack(struct evp_guest *g, evtchn_port_t port)
{
	const struct evp_lane *l = g->chan[port].lane;
	uint32_t what, n = 0;

	while ((what = evb_u32_load(&page->attack)) != STOP) {
		if (evb_u32_load_relaxed(&page->seen) != what)
			evb_u32_store(&page->seen, what);
		if (what == EVENTS)
			(void)evg_notify(evp_evg(g), port);
		else if (what == RINGS)
			evp_kick(l->rope);
		else if (what == PAGES)
			scribble(l, n++);
		else if (what == BROKER)
			annoy_broker();
		else
			burn();
	}
}

static void be_malicious(void)
{
	struct evp_guest *g;
	evtchn_port_t port;

	stay_on((int)sysconf(_SC_NPROCESSORS_ONLN) - 1);
	g = join(103);
	port = connect_to(g, wait_for(&page->bad_port), ignore, NULL);
	(void)evp_poll(g);
	evb_u32_store(&page->joined, 1);
	attack(g, port);
	evp_detach(g);
}

/* --- the honest ones --------------------------------------------------------------- */

static uint64_t handled, from_bad;

static void count_event(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	uint64_t *count = ctx;

	(void)v;
	(void)port;
	++*count;
}

static void await(struct evp_guest *g)
{
	uint64_t before = handled;

	while (handled == before) {
		if (evp_wait(g, EVP_FOREVER) < 0)
			bench_fail(evp_error());
	}
}

static double cpu_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void answer(void)
{
	struct evp_guest *g = join(102);
	evtchn_port_t port =
		connect_to(g, wait_for(&page->port), count_event, &handled);

	while (!handled)
		(void)evp_poll(g);
	while (evb_u32_load(&page->attack) != STOP) {
		await(g);
		(void)evb_u64_xchg(&page->cpu, (uint64_t)cpu_ns());
		(void)evg_notify(evp_evg(g), port);
	}
	evp_detach(g);
}

struct cost {
	double clock, cpu;
};

static struct cost play(struct evp_guest *g, evtchn_port_t port)
{
	struct cost c;
	double other = (double)evb_u64_load(&page->cpu);
	unsigned int i;

	c.clock = bench_now();
	c.cpu = cpu_ns();
	for (i = 0; i < ROUNDS; i++) {
		(void)evg_notify(evp_evg(g), port);
		await(g);
	}
	c.cpu = (cpu_ns() - c.cpu + (double)evb_u64_load(&page->cpu) - other) /
		ROUNDS;
	c.clock = (bench_now() - c.clock) / ROUNDS;
	return c;
}

/* --- measuring ----------------------------------------------------------------------- */

static void have_it(enum attack what)
{
	evb_u32_store(&page->attack, what);
	while (evb_u32_load(&page->seen) != (uint32_t)what)
		(void)sched_yield();
}

static void row(struct evp_guest *g, evtchn_port_t port, const char *channel,
		enum attack what)
{
	double beside[RUNS], under[RUNS], clock[RUNS], cpu[RUNS];
	struct cost b, u;
	int i;

	for (i = 0; i < RUNS; i++) {
		have_it(BUSY);
		b = play(g, port);
		have_it(what);
		u = play(g, port);
		beside[i] = b.clock;
		under[i] = u.clock;
		clock[i] = u.clock / b.clock;
		cpu[i] = u.cpu / b.cpu;
	}
	have_it(BUSY);
	printf("%-7s %-33s %8.0f ns   busy %8.0f ns   attack / busy = %.2f "
	       "(CPU time %.2f)\n",
	       channel, attack_name[what], bench_median(under, RUNS),
	       bench_median(beside, RUNS), bench_median(clock, RUNS),
	       bench_median(cpu, RUNS));
	fflush(stdout);
}

static void rows(struct evp_guest *g, evtchn_port_t port, const char *channel)
{
	int what;

	for (what = EVENTS; what < STOP; what++)
		row(g, port, channel, (enum attack)what);
}

static evtchn_port_t offer(struct evp_guest *g, domid_t to, evb_u32 *where,
			   uint64_t *count)
{
	evtchn_port_t port;

	check(evg_alloc_unbound(evp_evg(g), DOMID_SELF, to, &port),
	      "alloc_unbound");
	check(evg_bind_handler(evp_evg(g), port, 0, count_event, count),
	      "bind_handler");
	evb_u32_store(where, port);
	return port;
}

int main(void)
{
	evtchn_port_t port, bad;
	struct evp_guest *g;

	if (!getenv("EVTCHN_SOCKET")) {
		fprintf(stderr, "bench: no broker: use make bench\n");
		return 2;
	}
	page = bench_pages(sizeof(*page));
	(void)start(be_malicious);
	stay_on(0);
	(void)start(answer);
	g = join(101);
	port = offer(g, 102, &page->port, &handled);
	bad = offer(g, 103, &page->bad_port, &from_bad);
	(void)wait_for(&page->joined);

	rows(g, port, "open");
	(void)evg_mask(evp_evg(g), bad);
	rows(g, port, "masked");
	check(evg_close(evp_evg(g), bad), "close");
	rows(g, port, "closed");

	evb_u32_store(&page->attack, STOP);
	(void)evg_notify(evp_evg(g), port);
	while (wait(NULL) > 0)
		;
	evp_detach(g);
	return 0;
}
