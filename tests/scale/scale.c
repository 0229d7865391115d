/* SPDX-License-Identifier: MIT */
/*
 * As many domains and channels as one machine should carry; each domain is a
 * process.
 *
 *   scale DOMAINS CHANNELS     CHANNELS of each domain to others, DOMAINS times
 *
 * Domain i opens CHANNELS ports, in turn for the NEIGHBOURS domains after it,
 * which bind to them.  When all are connected each sends once on every port it
 * bound; every port opened must then have had exactly one event, the bound ones
 * the bind's own and no other.  Then the broker is killed, and another one
 * started: each end has an event when it is connected again.  The parent takes
 * all of them from one phase to the next, so that what is counted is complete, and
 * says what it took.
 */
#include <time.h>

#include "tests/process/harness.h"

#define NEIGHBOURS 4
#define PATIENCE   560 /* seconds */

static uint32_t nr_domains, nr_channels;

/* --- a domain --------------------------------------------------------------- */

struct domain {
	struct evp_guest *g;
	uint32_t number; /* from 1 */
	uint32_t nr_events;
	uint16_t count[4096]; /* by port */
};

static void count_port(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct domain *d = ctx;

	(void)v;
	d->count[port]++;
	d->nr_events++;
}

/* Who is @n places after domain @number, in a ring? */
static domid_t after(uint32_t number, uint32_t n)
{
	return (domid_t)((number - 1 + n) % nr_domains + 1);
}

/* Ports 1 to nr_channels, since they are the first. */
static void open_all(struct domain *d)
{
	uint32_t i;

	for (i = 0; i < nr_channels; i++)
		CHECK(open_unbound(d->g, after(d->number, 1 + i % NEIGHBOURS),
				   count_port, d) == i + 1);
}

static void bind_all(struct domain *d)
{
	uint32_t i, n;

	for (i = 0; i < nr_channels; i++) {
		n = nr_domains - 1 - i % NEIGHBOURS;
		CHECK(open_bound(d->g, after(d->number, n), i + 1, count_port,
				 d) == nr_channels + i + 1);
	}
	while (d->nr_events < nr_channels) /* the binds' own */
		CHECK(evp_wait(d->g, EVP_FOREVER) >= 0);
}

static void send_all(struct domain *d)
{
	uint32_t i;

	for (i = 1; i <= nr_channels; i++)
		CHECK(evg_notify(evp_evg(d->g), nr_channels + i) == 0);
}

static void take_all(struct domain *d)
{
	uint32_t i;

	while (d->nr_events < 2 * nr_channels)
		CHECK(evp_wait(d->g, EVP_FOREVER) >= 0);
	for (i = 1; i <= 2 * nr_channels; i++)
		CHECK(d->count[i] == 1);
}

/* Who is connected first gets an event, and who comes second. */
static void return_all(struct domain *d)
{
	uint32_t i;

	for (i = 1; i <= 2 * nr_channels; i++) {
		while (d->count[i] < 2)
			CHECK(evp_wait(d->g, EVP_FOREVER) >= 0);
	}
}

static void (*const phases[])(struct domain *d) = {open_all, bind_all, send_all,
						   take_all, return_all};
#define NR_PHASES (sizeof(phases) / sizeof(phases[0]))

static void be_domain(int from, int to, void *arg)
{
	static struct domain d;
	size_t i;

	(void)alarm(PATIENCE);
	d.number = *(const uint32_t *)arg;
	d.g = attach((int)d.number);
	for (i = 0; i < NR_PHASES; i++) {
		say(to, i);
		(void)hear(from);
		phases[i](&d);
	}
	say(to, i);
	(void)hear(from);
	evp_detach(d.g);
}

/* --- the parent ------------------------------------------------------------- */

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* kB, from a line of /proc/PID/status */
static long memory_of(pid_t pid, const char *what)
{
	char name[64], line[128];
	long kb = -1;
	FILE *f;

	(void)snprintf(name, sizeof(name), "/proc/%d/status", (int)pid);
	f = fopen(name, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, what, strlen(what)))
			kb = strtol(line + strlen(what), NULL, 10);
	}
	if (f)
		(void)fclose(f);
	return kb;
}

static void report(const char *what, double since)
{
	printf("# %-28s %6.2f s\n", what, now() - since);
	(void)fflush(stdout);
}

static void await_all(struct child *c)
{
	uint32_t i;

	for (i = 0; i < nr_domains; i++)
		(void)hear(c[i].from);
}

static void go_on(const struct child *c)
{
	uint32_t i;

	for (i = 0; i < nr_domains; i++)
		say(c[i].to, 0);
}

static const char *const names[NR_PHASES + 1] = {"attach", "open", "bind",
						 "send",   "take", "return"};

static void report_memory(pid_t domain)
{
	printf("# broker: %ld kB; a domain: %ld kB of its own\n",
	       memory_of(broker.pid, "VmRSS:"), memory_of(domain, "RssAnon:"));
}

static int run(struct child *c)
{
	double start = now();
	uint32_t i;
	size_t n;
	int bad = 0;

	for (i = 0; i < nr_domains; i++) {
		uint32_t number = i + 1;

		c[i] = start_child(be_domain, &number);
	}
	for (n = 0; n <= NR_PHASES; n++) {
		await_all(c);
		report(names[n], start);
		start = now();
		if (n == NR_PHASES - 1) {
			report_memory(c[0].pid);
			restart_broker();
		}
		go_on(c);
	}
	for (i = 0; i < nr_domains; i++)
		bad |= end_child(&c[i]);
	report("leave", start);
	return bad;
}

int main(int argc, char **argv)
{
	struct child *c;
	int bad;

	if (argc != 3)
		return 2;
	nr_domains = (uint32_t)strtoul(argv[1], NULL, 10);
	nr_channels = (uint32_t)strtoul(argv[2], NULL, 10);
	c = calloc(nr_domains, sizeof(*c));
	if (!c || nr_domains <= NEIGHBOURS || !nr_channels)
		return 2;
	find_evtchnd(argv[0]);
	if (set_up(NULL))
		return 1;
	(void)alarm(PATIENCE);
	bad = run(c);
	bad |= tear_down(NULL);
	free(c);
	return bad ? 1 : 0;
}
