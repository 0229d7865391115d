/* SPDX-License-Identifier: MIT */
/*
 * How long after kill -9 of a peer does the event come?
 *
 * latency SOCKET: kills peers that were connected and idle, and measures from
 * before kill() until the watcher's handler has run.  Beside each goes a
 * process that has nothing but a socket, and a second one that sleeps until that
 * hangs up and then tells this one.  As many processes have to be scheduled for
 * that: it is what a death costs on this machine, just now, without us; it is
 * printed and allowed for, twice, so a busy machine does not fail the test.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <evg/evg.h>
#include <evp/evp.h>

#define KILLS	 20
#define LIMIT_NS 10000000 /* 10 ms */

#define CHECK(what)                                                       \
	do {                                                              \
		if (!(what)) {                                            \
			fprintf(stderr, "# line %d: %s (%s)\n", __LINE__, \
				#what, evp_error());                      \
			_exit(1);                                         \
		}                                                         \
	} while (0)

static int64_t now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static struct evp_guest *attach(const char *socket, int domain)
{
	struct evp_options o = {.socket = socket, .domain = domain};
	struct evp_guest *g = NULL;

	CHECK(!evp_attach(&g, &o));
	return g;
}

static void count_event(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)v;
	(void)port;
	++*(int *)ctx;
}

/* The watcher outlives this process and its like, so nothing leads back here. */
static void be_peer(const char *socket, evtchn_port_t remote, int fd)
{
	struct evp_guest *g = attach(socket, 2);
	evtchn_port_t port;

	CHECK(!evg_bind_interdomain(evp_evg(g), 1, remote, &port));
	CHECK(write(fd, "", 1) == 1);
	(void)pause();
}

static void be_nobody(int fd)
{
	CHECK(write(fd, "", 1) == 1);
	(void)pause();
}

/* A child, ready for its end; *@fd hangs up with it. */
static pid_t start(struct evp_guest *g, const char *socket,
		   evtchn_port_t remote, int *fd)
{
	int pair[2];
	char byte;
	pid_t pid;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		(void)close(pair[0]);
		evp_abandon(g);
		if (socket)
			be_peer(socket, remote, pair[1]);
		else
			be_nobody(pair[1]);
		_exit(0);
	}
	(void)close(pair[1]);
	CHECK(read(pair[0], &byte, 1) == 1);
	*fd = pair[0];
	return pid;
}

static void bury(pid_t pid, int fd)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	(void)close(fd);
}

static int64_t time_notice(struct evp_guest *g, const char *socket,
			   evtchn_port_t port, const int *events)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = port};
	int fd, before;
	pid_t pid = start(g, socket, port, &fd);
	int64_t t;

	(void)evp_poll(g);
	before = *events;
	t = now();
	CHECK(!kill(pid, SIGKILL));
	while (*events == before)
		CHECK(evp_wait(g, EVP_FOREVER) >= 0);
	t = now() - t;
	CHECK(!evg_status(evp_evg(g), &st));
	CHECK(st.status == EVTCHNSTAT_unbound);
	bury(pid, fd);
	return t;
}

/* Says that it is there, and says that @watched has hung up. */
static void be_relay(int watched, int fd)
{
	struct pollfd p = {.fd = watched, .events = POLLIN};

	CHECK(write(fd, "", 1) == 1);
	CHECK(poll(&p, 1, -1) == 1);
	CHECK(write(fd, "", 1) == 1);
	_exit(0);
}

static pid_t start_relay(struct evp_guest *g, int watched, int *fd)
{
	int pair[2];
	char byte;
	pid_t pid;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		evp_abandon(g);
		be_relay(watched, pair[1]);
	}
	(void)close(pair[1]);
	CHECK(read(pair[0], &byte, 1) == 1);
	*fd = pair[0];
	return pid;
}

static int64_t time_death(struct evp_guest *g)
{
	int fd, told, status;
	pid_t pid = start(g, NULL, 0, &fd);
	pid_t relay = start_relay(g, fd, &told);
	char byte;
	int64_t t;

	t = now();
	CHECK(!kill(pid, SIGKILL));
	CHECK(read(told, &byte, 1) == 1);
	t = now() - t;
	bury(pid, fd);
	CHECK(waitpid(relay, &status, 0) == relay && !status);
	(void)close(told);
	return t;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t median(int64_t *t)
{
	qsort(t, KILLS, sizeof(*t), compare);
	return t[KILLS / 2];
}

int main(int argc, char **argv)
{
	int64_t notice[KILLS], death[KILLS], n, d;
	int i, events = 0;
	struct evp_guest *g;
	evtchn_port_t port;

	if (argc != 2) {
		fprintf(stderr, "usage: latency SOCKET\n");
		return 2;
	}
	g = attach(argv[1], 1);
	CHECK(!evg_alloc_unbound(evp_evg(g), DOMID_SELF, 2, &port));
	CHECK(!evg_bind_handler(evp_evg(g), port, EVG_VCPU_KEEP, count_event,
				&events));
	CHECK(!evp_watch_peer(g, port, true));
	for (i = 0; i < KILLS; i++) {
		notice[i] = time_notice(g, argv[1], port, &events);
		death[i] = time_death(g);
	}
	CHECK(events == KILLS);
	evp_detach(g);
	n = median(notice);
	d = median(death);
	printf("# peer killed to event: median %.2f ms, worst %.2f ms; a bare "
	       "process to a word of it: median %.2f ms, worst %.2f ms\n",
	       (double)n / 1e6, (double)notice[KILLS - 1] / 1e6,
	       (double)d / 1e6, (double)death[KILLS - 1] / 1e6);
	return n > LIMIT_NS + 2 * d;
}
