/* SPDX-License-Identifier: MIT */
/*
 * timer - VIRQ_TIMER, by the wall clock and by virtual time.
 *
 * A virtual machine has two kinds of time.  The wall clock goes on whatever
 * happens.  Virtual time goes on only while the domain runs: it is what the
 * scheduler gave it.  On a machine it has for itself both are the same; starve
 * it, and they part.  A guest's scheduler wants the second: a time slice is over
 * when the process has *received* it, not when somebody else has used it up.
 *
 * This program has n ms of each, twice.  First it just computes.  Then it starves
 * itself: a child computes on the same CPU, and halfway it is stopped for a
 * moment, as a hypervisor does not schedule a domain.  Both expire
 * as one and the same event, VIRQ_TIMER, so the handler looks which it was.
 *
 * VIRQ_TIMER is the one interrupt that is bound to a vCPU and never moves.  It
 * carries no number: the handler asks the clocks.
 *
 * Read main() first.
 */
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <evg/evg.h>
#include <evg/irq.h>
#include <evp/evp.h>

#include "alice.h"

#define MS	   INT64_C(1000000)
#define STOPPED_MS 30

struct clocks {
	int64_t wall, virtual_time;
};

struct timer {
	struct evp_guest *g;
	int64_t slice; /* of either clock, ns */
	struct clocks start, wall_fired, virtual_fired;
	bool has_wall_fired, has_virtual_fired;
	unsigned long ticks; /* the handler was called */
};

static int64_t read_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);

	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static struct clocks read_clocks(void)
{
	return (struct clocks){.wall = read_clock(CLOCK_MONOTONIC),
			       .virtual_time =
				       read_clock(CLOCK_THREAD_CPUTIME_ID)};
}

/* --- The interrupt -------------------------------------------------------- */

/* Which of the two was it?  An event is one bit: it may be both. */
static int take_tick(int irq, void *dev_id)
{
	struct timer *t = dev_id;
	struct clocks now = read_clocks();

	(void)irq;
	t->ticks++;
	if (!t->has_wall_fired && now.wall - t->start.wall >= t->slice) {
		t->has_wall_fired = true;
		t->wall_fired = now;
	}
	if (!t->has_virtual_fired &&
	    now.virtual_time - t->start.virtual_time >= t->slice) {
		t->has_virtual_fired = true;
		t->virtual_fired = now;
	}

	return IRQ_HANDLED;
}

static int bind_timer(struct timer *t)
{
	int irq = bind_virq_to_irqhandler(VIRQ_TIMER, 0, take_tick, 0, "timer",
					  t);

	if (irq < 0)
		fprintf(stderr, "timer: VIRQ_TIMER: error %d of abi/errno.h\n",
			-irq);

	return irq;
}

/* --- Starving ------------------------------------------------------------- */

/* Whoever dies, nothing of this goes on computing. */
static void end_with_parent(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
}

/* A domain that wants the same CPU. */
static pid_t start_competitor(void)
{
	pid_t parent = getpid(), pid = fork();
	volatile unsigned long n = 0;

	if (pid)
		return pid;
	end_with_parent(parent);
	for (;;)
		n++;
}

static void sleep_ms(long ms)
{
	struct timespec t = {.tv_nsec = ms * 1000000};

	while (nanosleep(&t, &t))
		;
}

/* proc(5): the state follows the name, which ends with the last ')'. */
static bool is_stopped(pid_t pid)
{
	char path[32], line[256] = "";
	const char *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (!f || !fgets(line, sizeof(line), f))
		_exit(1);
	fclose(f);
	end = strrchr(line, ')');

	return end && end[1] && end[2] == 'T';
}

/* Once we have stopped, it lets us run again after a while. */
static pid_t start_scheduler(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	end_with_parent(parent);
	while (!is_stopped(parent))
		sleep_ms(1);
	sleep_ms(STOPPED_MS);
	kill(parent, SIGCONT);
	_exit(0);
}

/* We and the competitor, on one CPU. */
static void share_cpu(void)
{
	int cpu = sched_getcpu();
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu < 0 ? 0 : (unsigned int)cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

/* --- The demonstration ---------------------------------------------------- */

static int set_both(struct timer *t)
{
	int rc;

	t->has_wall_fired = t->has_virtual_fired = false;
	t->start = read_clocks();
	rc = evp_timer_set(t->g, EVP_CLOCK_WALL, t->slice, 0);
	if (!rc)
		rc = evp_timer_set(t->g, EVP_CLOCK_VIRTUAL, t->slice, 0);
	if (rc)
		fprintf(stderr, "timer: %s\n", evp_error());

	return rc;
}

/*
 * What a domain does: it computes, and events come at safe points.  (With an
 * upcall_signal they would interrupt it anywhere.)
 */
static void compute(struct timer *t)
{
	while (!t->has_wall_fired || !t->has_virtual_fired)
		evp_poll(t->g);
}

static void compute_half(struct timer *t)
{
	int64_t half = t->start.virtual_time + t->slice / 2;

	while (read_clock(CLOCK_THREAD_CPUTIME_ID) < half)
		evp_poll(t->g);
}

static void report(const struct timer *t, const char *what)
{
	const struct clocks *s = &t->start, *w = &t->wall_fired,
			    *v = &t->virtual_fired;

	printf("[timer] %s: the wall clock's %.1f ms were over with %.1f ms "
	       "received;\n"
	       "[timer] %*s  virtual time's %.1f ms with %.1f ms on the wall "
	       "clock\n",
	       what, (double)(w->wall - s->wall) / 1e6,
	       (double)(w->virtual_time - s->virtual_time) / 1e6,
	       (int)strlen(what), "",
	       (double)(v->virtual_time - s->virtual_time) / 1e6,
	       (double)(v->wall - s->wall) / 1e6);
}

static int run_alone(struct timer *t)
{
	if (set_both(t))
		return 1;
	compute(t);
	report(t, "alone");

	return 0;
}

static int run_starved(struct timer *t)
{
	pid_t competitor, scheduler;

	share_cpu();
	competitor = start_competitor();
	scheduler = competitor > 0 ? start_scheduler() : -1;
	if (scheduler < 0 || set_both(t))
		return 1;
	compute_half(t);
	raise(SIGSTOP); /* not scheduled for STOPPED_MS */
	compute(t);
	report(t, "starved");
	kill(competitor, SIGKILL);
	waitpid(competitor, NULL, 0);
	waitpid(scheduler, NULL, 0);

	return 0;
}

/* Neither was early, and virtual time stood still while we were stopped. */
static int check(const struct timer *t)
{
	int64_t wall = t->virtual_fired.wall - t->start.wall;

	if (wall - t->slice >= STOPPED_MS * MS - MS)
		return 0;
	fprintf(stderr, "timer: virtual time did not stand still\n");

	return 1;
}

static const char help[] =
	"Usage: timer [-n MS]\n"
	"\n"
	"Have VIRQ_TIMER raised after MS (50) milliseconds of wall clock and\n"
	"of received CPU time: alone, then starved.\n"
	"\n"
	"Exit status: 0 fine, 1 something failed, 2 wrong arguments.\n"
	"\n"
	"Example:\n"
	"  evtchn run -- timer";

int main(int argc, char **argv)
{
	struct arguments a = {"timer", help, .rounds = 50};
	struct timer t = {.g = NULL};
	int irq, status;

	parse_arguments(&a, argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	t.slice = (int64_t)a.rounds * MS;
	if (evp_attach(&t.g, NULL)) {
		fprintf(stderr, "timer: %s\n", evp_error());
		return 1;
	}
	irq = bind_timer(&t);
	status = irq < 0 || run_alone(&t) || run_starved(&t) || check(&t);
	printf("[timer] VIRQ_TIMER came %lu times\n", t.ticks);
	evp_detach(t.g);

	return status;
}
