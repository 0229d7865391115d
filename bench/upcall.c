/* SPDX-License-Identifier: MIT */
/*
 * What upcalls by signal and several vCPUs cost: round trips of one event at a
 * time, medians of RUNS.
 *
 *   wait       the receiver sleeps in evp_wait(); upcalls at safe points
 *   signal     the receiver computes; its upcalls come by signal
 *   ipi        vCPU 0 and vCPU 1 of one attachment, asleep between
 *   ipi spin   the same, both looking all the time
 *
 * and what a send costs whoever makes it:
 *
 *   ring       to a receiver that computes and has handled the one before
 *   ipi send   to a vCPU that is awake
 *
 * Needs a broker: run it under `evtchn run`, as bench/run.sh does.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <evg/evg.h>
#include <evp/evp.h>

#define RUNS   11
#define ROUNDS 2000

static void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s (%s)\n", what, strerror(errno),
		evp_error());
	exit(1);
}

static struct page {
	_Alignas(64) evb_u32 port;
	_Alignas(64) evb_u32 stop;
	_Alignas(64) evb_u32 ready;
} * shared;

static uint64_t now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void print_median(const char *name, uint64_t *ns)
{
	qsort(ns, RUNS, sizeof(*ns), compare);
	printf("%-10s %8llu ns\n", name, (unsigned long long)ns[RUNS / 2]);
}

static struct evp_guest *attach(int domain, int signal, uint32_t nr_vcpus,
				int64_t spin_ns)
{
	struct evp_options o = {.domain = domain,
				.spin_ns = spin_ns,
				.upcall_signal = signal,
				.nr_vcpus = nr_vcpus};
	struct evp_guest *g = NULL;

	if (evp_attach(&g, &o))
		die("attach");
	return g;
}

/* --- two processes ------------------------------------------------------------- */

static void answer(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)ctx;
	(void)evg_notify(v->guest, port);
}

static void count(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)v;
	(void)port;
	++*(volatile uint32_t *)ctx;
}

static void serve(int signal)
{
	struct evp_guest *g = attach(101, signal, 1, 0);
	evtchn_port_t port;

	if (evg_alloc_unbound(evp_evg(g), DOMID_SELF, 100, &port) ||
	    evg_bind_handler(evp_evg(g), port, EVG_VCPU_KEEP, answer, NULL))
		die("open");
	evb_u32_store(&shared->port, port);
	evb_u32_store(&shared->ready, 1);
	while (!evb_u32_load(&shared->stop)) {
		if (!signal)
			(void)evp_wait(g, 10000000);
	}
	evp_detach(g);
	_exit(0);
}

static void round_trips(const char *name, const char *send_name, int signal)
{
	uint64_t trip[RUNS], send[RUNS], start, t;
	volatile uint32_t seen = 0;
	struct evp_guest *g;
	evtchn_port_t port;
	uint32_t run, i;
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	pid = fork();
	if (pid == 0)
		serve(signal);
	while (!evb_u32_load(&shared->ready))
		(void)usleep(1000);
	g = attach(100, 0, 1, 0);
	if (evg_bind_interdomain(evp_evg(g), 101, evb_u32_load(&shared->port),
				 &port) ||
	    evg_bind_handler(evp_evg(g), port, EVG_VCPU_KEEP, count,
			     (void *)(uintptr_t)&seen))
		die("bind");
	(void)evp_poll(g);
	for (run = 0; run < RUNS; run++) {
		start = now();
		send[run] = 0;
		for (i = 0; i < ROUNDS; i++) {
			uint32_t before = seen;

			t = now();
			(void)evg_notify(evp_evg(g), port);
			send[run] += now() - t;
			while (seen == before)
				(void)evp_wait(g, EVP_FOREVER);
		}
		trip[run] = (now() - start) / ROUNDS;
		send[run] /= ROUNDS;
	}
	print_median(name, trip);
	print_median(send_name, send);
	evb_u32_store(&shared->stop, 1);
	(void)waitpid(pid, NULL, 0);
	evp_detach(g);
}

/* --- two vCPUs ------------------------------------------------------------------ */

struct two {
	struct evp_guest *g;
	evtchn_port_t port[2]; /* to vCPU 0, to vCPU 1 */
	evb_u32 seen, over;
};

static void answer_ipi(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	const struct two *t = ctx;

	(void)port;
	(void)evg_notify(v->guest, t->port[0]);
}

static void count_ipi(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct two *t = ctx;

	(void)v;
	(void)port;
	(void)evb_u32_add(&t->seen, 1);
}

static void *be_vcpu_one(void *arg)
{
	struct two *t = arg;

	if (evp_vcpu_enter(t->g, 1))
		die("enter");
	while (!evb_u32_load(&t->over))
		(void)evp_wait(t->g, EVP_FOREVER);
	evp_vcpu_leave(t->g);
	return NULL;
}

static void ipis(const char *name, const char *send_name, int64_t spin_ns)
{
	uint64_t trip[RUNS], send[RUNS], start, s;
	struct two t = {.g = attach(102, 0, 2, spin_ns)};
	pthread_t thread;
	uint32_t run, i;

	evb_u32_store(&t.seen, 0);
	evb_u32_store(&t.over, 0);
	for (i = 0; i < 2; i++) {
		if (evg_bind_ipi(evp_evg(t.g), i, &t.port[i]) ||
		    evg_bind_handler(evp_evg(t.g), t.port[i], EVG_VCPU_KEEP,
				     i ? answer_ipi : count_ipi, &t))
			die("ipi");
	}
	if (pthread_create(&thread, NULL, be_vcpu_one, &t))
		die("thread");
	for (run = 0; run < RUNS; run++) {
		start = now();
		send[run] = 0;
		for (i = 0; i < ROUNDS; i++) {
			uint32_t before = evb_u32_load(&t.seen);

			s = now();
			(void)evg_notify(evp_evg(t.g), t.port[1]);
			send[run] += now() - s;
			while (evb_u32_load(&t.seen) == before)
				(void)evp_wait(t.g, EVP_FOREVER);
		}
		trip[run] = (now() - start) / ROUNDS;
		send[run] /= ROUNDS;
	}
	print_median(name, trip);
	print_median(send_name, send);
	evb_u32_store(&t.over, 1);
	(void)evg_notify(evp_evg(t.g), t.port[1]);
	(void)pthread_join(thread, NULL);
	evp_detach(t.g);
}

int main(void)
{
	(void)unsetenv("EVTCHN_FD"); /* several domains */
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	round_trips("wait", " its send", 0);
	round_trips("signal", " its send", SIGUSR1);
	ipis("ipi", " its send", 0);
	ipis("ipi spin", " its send", 1000000);
	return 0;
}
