/* SPDX-License-Identifier: MIT */
/*
 * storm EVTCHND SOCKET SECONDS SEED: processes killed and stopped at random,
 * under load, and the broker with them.
 *
 *   survivors  pairs of domains that rally: a sequence number goes through shared
 *              memory, and an event says that it is there.  They are stopped and
 *              continued, never killed.
 *   victims    bind to a port of a survivor, send, open and close, and are
 *              killed and started anew.
 *   broker     killed and started anew, and stopped.
 *
 * What must hold:
 *
 *   - No event is lost: whoever waits and finds his partner's number there, and
 *     sent, without an event, for SILENCE_MS, reports it.
 *   - Rallies go on while there is no broker.
 *   - When the storm is over, everybody is back: the ports, the descriptors of
 *     broker and survivors, and the pages they map are what they were before.
 *
 * All that is waited for is waited for by looking, up to a bound of PATIENCE_MS.
 * Exit status: 0, 1 with lines on stdout that say what is wrong.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <evg/evg.h>
#include <evp/evp.h>

#include "hosts/process/control.h"

#define PAIRS	     2
#define SURVIVORS    (2 * PAIRS)
#define VICTIMS	     3
#define IDLE_PORTS   20 /* of each pair, besides the one of the rally */
#define DOOR_PORTS   2	/* of each survivor, for victims */
#define SILENCE_MS   3000
#define PATIENCE_MS  60000
#define MAX_LISTED   1024
#define VICTIM_DOMID 40

/* --- shared by all ----------------------------------------------------------- */

struct side {
	_Atomic uint64_t number; /* of the rally, about to be sent */
	_Atomic uint64_t sent;	 /* the same, when its event was */
	_Atomic uint32_t ports;	 /* ready: how many were opened */
	_Atomic uint32_t port[IDLE_PORTS + 1];
	_Atomic uint32_t door[DOOR_PORTS];
	_Atomic uint64_t knocks; /* events at the doors */
	_Atomic uint32_t back;	 /* it has a broker */
	_Atomic uint64_t lost;	 /* events */
};

struct shared {
	struct side side[SURVIVORS];
	_Atomic uint64_t binds, sends; /* of victims */
	_Atomic bool stop;
};

static struct shared *sh;
static const char *evtchnd, *path;
static uint64_t seed;
static int failures;

#define CHECK(what)                                                      \
	do {                                                             \
		if (!(what)) {                                           \
			printf("# line %d, pid %d: %s (%s)\n", __LINE__, \
			       (int)getpid(), #what, evp_error());       \
			fflush(stdout);                                  \
			_exit(1);                                        \
		}                                                        \
	} while (0)

static void complain(const char *what, long a, long b)
{
	printf("# seed %llu: %s: %ld, before %ld\n", (unsigned long long)seed,
	       what, a, b);
	failures++;
}

static uint32_t random_below(uint32_t n)
{
	static uint64_t state;

	if (!state)
		state = seed * 2 + 1;
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % n;
}

static int64_t now_ms(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return ts.tv_sec * INT64_C(1000) + ts.tv_nsec / 1000000;
}

static void sleep_ms(uint32_t ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

/* --- what survivors and victims have in common -------------------------------- */

static void count_event(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)v;
	(void)port;
	++*(uint64_t *)ctx;
}

static struct evp_guest *attach(int domain)
{
	struct evp_options o = {
		.socket = path, .domain = domain, .spin_ns = EVP_SPIN_DEFAULT};
	struct evp_guest *g = NULL;

	/* Without a broker there is nothing to do but to try again. */
	while (evp_attach(&g, &o))
		sleep_ms(1);
	return g;
}

static void become_child(void)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* --- survivors ----------------------------------------------------------------- */

struct survivor {
	struct evp_guest *g;
	struct side *me, *partner;
	uint64_t events, knocks;
	evtchn_port_t port; /* of the rally */
	uint32_t index;
};

static int domid_of(uint32_t survivor)
{
	return 10 + (int)survivor;
}

static void open_ports(struct survivor *s)
{
	struct evg_guest *e = evp_evg(s->g);
	domid_t other = (domid_t)domid_of(s->index ^ 1);
	evtchn_port_t port;
	uint32_t i;

	for (i = 0; i <= IDLE_PORTS; i++) {
		if (s->index % 2)
			CHECK(!evg_bind_interdomain(
				e, other, s->partner->port[i], &port));
		else
			CHECK(!evg_alloc_unbound(e, DOMID_SELF, other, &port));
		CHECK(!evg_bind_handler(e, port, EVG_VCPU_KEEP, count_event,
					i ? &s->knocks : &s->events));
		s->me->port[i] = port;
		s->port = i ? s->port : port;
	}
	for (i = 0; i < DOOR_PORTS; i++) {
		CHECK(!evg_alloc_unbound(e, DOMID_SELF, VICTIM_DOMID, &port));
		CHECK(!evg_bind_handler(e, port, EVG_VCPU_KEEP, count_event,
					&s->knocks));
		s->me->door[i] = port;
	}
	s->me->ports = IDLE_PORTS + 1;
}

/* Who is stopped while he sleeps is interrupted, as by a signal. */
static void wait_a_moment(struct survivor *s)
{
	int rc = evp_wait(s->g, 10000000);

	CHECK(rc >= 0 || rc == -EINTR);
}

/*
 * Number @n is there; the event must come, too.  The partner may be stopped, or
 * have no CPU, before it is sent: that time does not count.
 */
static void await_event(struct survivor *s, uint64_t n, uint64_t before)
{
	int64_t end;

	while (s->partner->sent < n && s->events == before && !sh->stop)
		wait_a_moment(s);
	end = now_ms(CLOCK_MONOTONIC) + SILENCE_MS;
	while (s->events == before && now_ms(CLOCK_MONOTONIC) < end)
		wait_a_moment(s);
	if (s->events == before) {
		printf("# LOST side %u number %lu/%lu stop %d chan way %d\n",
		       s->index, (unsigned long)s->me->number,
		       (unsigned long)s->partner->number, (int)sh->stop, 0);
		fflush(stdout);
		s->me->lost++;
	}
}

/* Wait for the partner's number @n, by events. */
static void await_number(struct survivor *s, uint64_t n)
{
	uint64_t before = s->events;

	while (s->partner->number < n && !sh->stop) {
		(void)evp_wait(s->g, 20000000);
		s->me->back = evp_broker_is_there(s->g);
		s->me->knocks = s->knocks;
		/* Not there yet: whatever came was about something else. */
		if (s->partner->number < n)
			before = s->events;
	}
	if (!sh->stop)
		await_event(s, n, before);
}

static void survive(uint32_t index)
{
	struct survivor s = {.index = index,
			     .me = &sh->side[index],
			     .partner = &sh->side[index ^ 1]};
	uint64_t n;

	s.g = attach(domid_of(index));
	while (index % 2 && s.partner->ports == 0)
		sleep_ms(1);
	open_ports(&s);
	/* What is sent to nobody is dropped. */
	while (s.partner->ports == 0)
		sleep_ms(1);
	for (n = 1; !sh->stop; n++) {
		if (index % 2)
			await_number(&s, n);
		s.me->number = n;
		CHECK(!evg_notify(evp_evg(s.g), s.port));
		s.me->sent = n;
		if (index % 2 == 0)
			await_number(&s, n);
	}
	_exit(0);
}

/* --- victims -------------------------------------------------------------------- */

/* One visit: some bound ports, some of its own, all closed by its end. */
static void visit(struct evp_guest *g, struct side *s, uint32_t turn)
{
	evtchn_port_t port = 0, own = 0;
	struct evg_guest *e = evp_evg(g);
	uint32_t i;

	(void)evg_alloc_unbound(e, DOMID_SELF, 0, &own);
	if (evg_bind_interdomain(e, (domid_t)domid_of((uint32_t)(s - sh->side)),
				 s->door[turn % DOOR_PORTS], &port)) {
		(void)evp_wait(g, 1000000);
	} else {
		sh->binds++;
		for (i = 0; i < 50; i++) {
			sh->sends += !evg_notify(e, port);
			(void)evp_poll(g);
		}
		if (turn % 3)
			(void)evg_close(e, port);
	}
	if (own && turn % 2)
		(void)evg_close(e, own);
}

static void be_victim(uint32_t index)
{
	struct evp_guest *g = attach(VICTIM_DOMID);
	uint32_t turn;

	for (turn = index;; turn++) {
		visit(g, &sh->side[turn % SURVIVORS], turn);
		if (turn % 50 == 49) { /* what it left open goes */
			evp_detach(g);
			g = attach(VICTIM_DOMID);
		}
	}
}

/* --- processes ------------------------------------------------------------------- */

static pid_t broker, survivor[SURVIVORS], victim[VICTIMS];

static pid_t start(void (*fn)(uint32_t), uint32_t index)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		become_child();
		fn(index);
		_exit(0);
	}
	return pid;
}

static void start_broker(void)
{
	int ready[2];
	char fd[16], byte;

	CHECK(!pipe(ready));
	(void)snprintf(fd, sizeof(fd), "%d", ready[1]);
	broker = fork();
	CHECK(broker >= 0);
	if (!broker) {
		become_child();
		(void)close(ready[0]);
		(void)execl(evtchnd, "evtchnd", "--socket", path, "--ready-fd",
			    fd, (char *)NULL);
		_exit(127);
	}
	(void)close(ready[1]);
	CHECK(read(ready[0], &byte, 1) == 1);
	(void)close(ready[0]);
}

static void slay(pid_t *pid)
{
	int status;

	(void)kill(*pid, SIGKILL);
	CHECK(waitpid(*pid, &status, 0) == *pid);
	/* Anything else is a failure of its own, and was reported. */
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		complain("a process ended by itself", status, SIGKILL);
	*pid = 0;
}

/* --- counting --------------------------------------------------------------------- */

struct census {
	long broker_fds, fds[SURVIVORS], pages[SURVIVORS];
	long ports, linked, domains;
};

static long count_fds(pid_t pid)
{
	char name[64];
	struct dirent *e;
	long n = 0;
	DIR *d;

	(void)snprintf(name, sizeof(name), "/proc/%d/fd", (int)pid);
	d = opendir(name);
	CHECK(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

static long count_pages(pid_t pid)
{
	char line[512];
	long n = 0;
	FILE *f;

	(void)snprintf(line, sizeof(line), "/proc/%d/maps", (int)pid);
	f = fopen(line, "re");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, "evtchn-lane") != NULL;
	(void)fclose(f);
	return n;
}

/* False: the broker does not answer (now). */
static bool list(struct census *c)
{
	static struct evp_port_entry e[EVP_PORTS_PER_PAGE];
	uint32_t domid = 0, port = 0, last = UINT32_MAX;
	int i, n = 0, fd;

	if (evp_control_connect(path, &fd))
		return false;
	if (evp_control_hello(fd, NULL))
		n = -1;
	while (n >= 0 && domid != UINT32_MAX) {
		n = evp_control_list(fd, &domid, &port, e, EVP_PORTS_PER_PAGE);
		for (i = 0; i < n; i++) {
			c->ports++;
			c->linked += e[i].linked;
			c->domains += e[i].domid != last;
			last = e[i].domid;
		}
	}
	(void)close(fd);
	return n >= 0;
}

static bool take_census(struct census *c)
{
	int i;

	*c = (struct census){.ports = 0};
	for (i = 0; i < SURVIVORS; i++) {
		c->fds[i] = count_fds(survivor[i]);
		c->pages[i] = count_pages(survivor[i]);
	}
	if (!list(c))
		return false;
	c->broker_fds = count_fds(broker);
	return true;
}

/* The connection that asked may still be closing. */
static bool is_same(const struct census *x, const struct census *y)
{
	return !memcmp(x, y, sizeof(*x));
}

static void compare(const struct census *now, const struct census *before)
{
	int i;

	if (now->broker_fds != before->broker_fds)
		complain("descriptors of the broker", now->broker_fds,
			 before->broker_fds);
	if (now->ports != before->ports)
		complain("ports", now->ports, before->ports);
	if (now->linked != before->linked)
		complain("linked ports", now->linked, before->linked);
	if (now->domains != before->domains)
		complain("domains with ports", now->domains, before->domains);
	for (i = 0; i < SURVIVORS; i++) {
		if (now->fds[i] != before->fds[i])
			complain("descriptors of a survivor", now->fds[i],
				 before->fds[i]);
		if (now->pages[i] != before->pages[i])
			complain("lanes of a survivor", now->pages[i],
				 before->pages[i]);
	}
}

static uint64_t rounds(uint32_t pair)
{
	return sh->side[2 * pair + 1].number;
}

/* Every rally makes @more rounds. */
static void await_rounds(uint64_t more, const char *when)
{
	int64_t end = now_ms(CLOCK_MONOTONIC) + PATIENCE_MS;
	uint64_t target[PAIRS];
	uint32_t i;

	for (i = 0; i < PAIRS; i++)
		target[i] = rounds(i) + more;
	for (i = 0; i < PAIRS; i++) {
		while (rounds(i) < target[i] && now_ms(CLOCK_MONOTONIC) < end)
			sleep_ms(1);
		if (rounds(i) < target[i])
			complain(when, (long)rounds(i), (long)target[i]);
	}
}

/* --- the storm --------------------------------------------------------------------- */

static pid_t anybody(void)
{
	uint32_t n = random_below(SURVIVORS + VICTIMS + 1);

	if (n < SURVIVORS)
		return survivor[n];
	return n < SURVIVORS + VICTIMS ? victim[n - SURVIVORS] : broker;
}

static void stop_somebody(void)
{
	pid_t pid = anybody();

	if (!pid)
		return;
	(void)kill(pid, SIGSTOP);
	sleep_ms(random_below(40));
	(void)kill(pid, SIGCONT);
}

static void kill_victim(void)
{
	uint32_t i = random_below(VICTIMS);

	slay(&victim[i]);
	if (random_below(2))
		sleep_ms(random_below(10));
	victim[i] = start(be_victim, i);
}

/* One time in four for so long that rallies must do without. */
static void kill_broker(void)
{
	slay(&broker);
	if (!random_below(4))
		await_rounds(20, "rounds without a broker");
	else
		sleep_ms(random_below(60));
	start_broker();
}

static void rage(int64_t seconds, uint32_t *kills)
{
	int64_t now = now_ms(CLOCK_MONOTONIC), end = now + seconds * 1000;
	int64_t next_broker = now + 500;

	while (now < end && !failures) {
		sleep_ms(random_below(15));
		if (random_below(2))
			stop_somebody();
		else
			kill_victim();
		kills[0]++;
		now = now_ms(CLOCK_MONOTONIC);
		if (now < next_broker)
			continue;
		kill_broker();
		kills[1]++;
		/* Time enough, now and then, to notice what was lost. */
		next_broker = now + random_below(5000);
	}
}

static bool all_back(void)
{
	uint32_t i;

	for (i = 0; i < SURVIVORS; i++) {
		if (!sh->side[i].back)
			return false;
	}
	return true;
}

/* Until it is what it was before. */
static void settle(const struct census *before)
{
	int64_t end = now_ms(CLOCK_MONOTONIC) + PATIENCE_MS;
	struct census now;
	bool same;

	do {
		sleep_ms(5);
		same = take_census(&now) && is_same(&now, before) && all_back();
	} while (!same && now_ms(CLOCK_MONOTONIC) < end);
	compare(&now, before);
	if (!all_back())
		complain("not everybody has found the broker", 0, 1);
}

static void found(struct census *base)
{
	struct census again;
	uint32_t i;

	start_broker();
	for (i = 0; i < SURVIVORS; i++)
		survivor[i] = start(survive, i);
	await_rounds(100, "rounds at the start");
	/* The census' own connection comes and goes. */
	do {
		sleep_ms(5);
		CHECK(take_census(base) && take_census(&again));
	} while (!is_same(base, &again));
}

static void end_all(void)
{
	uint64_t lost = 0;
	uint32_t i;
	int status;

	sh->stop = true;
	for (i = 0; i < SURVIVORS; i++) {
		CHECK(waitpid(survivor[i], &status, 0) == survivor[i]);
		if (status)
			complain("a survivor failed", status, 0);
		lost += sh->side[i].lost;
	}
	if (lost)
		complain("events lost", (long)lost, 0);
	(void)kill(broker, SIGTERM);
	CHECK(waitpid(broker, &status, 0) == broker);
	if (status)
		complain("the broker's end", status, 0);
}

int main(int argc, char **argv)
{
	uint32_t i, kills[2] = {0};
	struct census base;

	if (argc != 5) {
		fprintf(stderr, "usage: storm EVTCHND SOCKET SECONDS SEED\n");
		return 2;
	}
	evtchnd = argv[1];
	path = argv[2];
	seed = strtoull(argv[4], NULL, 0);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(sh != MAP_FAILED);
	found(&base);
	for (i = 0; i < VICTIMS; i++)
		victim[i] = start(be_victim, i);
	rage(strtol(argv[3], NULL, 0), kills);
	for (i = 0; i < VICTIMS; i++)
		slay(&victim[i]);
	await_rounds(100, "rounds at the end");
	settle(&base);
	end_all();
	printf("# seed %llu: %u processes killed or stopped, %u times the "
	       "broker; %llu and %llu rounds, %llu binds, %llu sends of "
	       "victims\n",
	       (unsigned long long)seed, kills[0], kills[1],
	       (unsigned long long)rounds(0), (unsigned long long)rounds(1),
	       (unsigned long long)sh->binds, (unsigned long long)sh->sends);
	return failures != 0;
}
