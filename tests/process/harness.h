/* SPDX-License-Identifier: MIT */
/*
 * What the process tests share: a broker of their own, children that play
 * domains, and checks that work in a child.
 *
 * No test sleeps.  Parent and children agree by pipes (say, hear); what the
 * broker does by itself is waited for by asking it until it is so, and an
 * alarm ends a test that waits for ever.
 */
#ifndef TESTS_PROCESS_HARNESS_H
#define TESTS_PROCESS_HARNESS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <evg/evg.h>
#include <evp/evp.h>

#include "hosts/process/control.h"

#define TIME_LIMIT 240 /* seconds for one test, on one busy CPU, sanitized */

/* In a child cmocka cannot report: say it and end. */
#define CHECK(what)                                                       \
	do {                                                              \
		if (!(what)) {                                            \
			fprintf(stderr, "# %s:%d: pid %d: %s (%s)\n",     \
				__FILE__, __LINE__, (int)getpid(), #what, \
				evp_error());                             \
			_exit(99);                                        \
		}                                                         \
	} while (0)

/* --- the broker -------------------------------------------------------------- */

struct broker {
	char dir[64];
	char path[96];
	pid_t pid;
};

static char evtchnd_path[4096];
static struct broker broker;
static void (*prepare_broker)(void); /* in its process, before it is run */
static const char *broker_args[3];   /* more of them */

static inline void find_evtchnd(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');
	const char *env = getenv("EVTCHND");
	int n = slash ? (int)(slash - argv0) : 1;

	if (env)
		(void)snprintf(evtchnd_path, sizeof(evtchnd_path), "%s", env);
	else
		(void)snprintf(evtchnd_path, sizeof(evtchnd_path),
			       "%.*s/../../san/bin/evtchnd", n,
			       slash ? argv0 : ".");
}

/*
 * Returns when the broker accepts connections.  It dies with the test: one that
 * is ended by its alarm, or from outside, has no time to end it.
 */
static inline void start_broker(struct broker *b)
{
	char byte, fd[16];
	int ready[2];

	if (pipe2(ready, O_CLOEXEC))
		abort();
	(void)snprintf(fd, sizeof(fd), "%d", ready[1]);
	b->pid = fork();
	if (b->pid == 0) {
		(void)fcntl(ready[1], F_SETFD, 0);
		(void)alarm(0);
		if (prepare_broker)
			prepare_broker();
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(evtchnd_path, "evtchnd", "--socket", b->path,
		      "--ready-fd", fd, broker_args[0], broker_args[1],
		      broker_args[2], (char *)NULL);
		fprintf(stderr, "# cannot run %s\n", evtchnd_path);
		_exit(127);
	}
	(void)close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		fprintf(stderr, "# the broker did not start\n");
	(void)close(ready[0]);
}

/* Where its socket will be; the test starts it by itself. */
static inline int make_dir(void **state)
{
	(void)state;
	(void)snprintf(broker.dir, sizeof(broker.dir), "/tmp/evp-test-XXXXXX");
	if (!mkdtemp(broker.dir))
		return -1;
	(void)snprintf(broker.path, sizeof(broker.path), "%s/sock", broker.dir);
	(void)unsetenv("EVTCHN_FD");
	(void)unsetenv("EVTCHN_DOMAIN");
	(void)setenv("EVTCHN_SOCKET", broker.path, 1);
	(void)alarm(TIME_LIMIT);
	return 0;
}

static inline int set_up(void **state)
{
	if (make_dir(state))
		return -1;
	start_broker(&broker);
	return 0;
}

/* A broker that did not survive, or leaked, fails the test. */
static inline int tear_down(void **state)
{
	char name[128];
	int status = 0;

	(void)state;
	(void)alarm(0);
	if (broker.pid > 0) {
		(void)kill(broker.pid, SIGTERM);
		(void)waitpid(broker.pid, &status, 0);
	}
	(void)snprintf(name, sizeof(name), "rm -rf %s", broker.dir);
	(void)!system(name);
	if (status)
		fprintf(stderr, "# the broker ended with status %x\n",
			(unsigned int)status);
	return status ? -1 : 0;
}

/* Of all threads of the broker. */
struct sleepers {
	unsigned int nr;
	unsigned long switches; /* how often they were put aside */
	bool all;		/* of them sleep */
};

static inline void look_at_thread(const char *tid, struct sleepers *s)
{
	char name[96], line[128], state;
	unsigned long n;
	FILE *f;

	(void)snprintf(name, sizeof(name), "/proc/%d/task/%.16s/status",
		       (int)broker.pid, tid);
	f = fopen(name, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "State: %c", &state) == 1)
			s->all &= state == 'S';
		if (sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1 ||
		    sscanf(line, "nonvoluntary_ctxt_switches: %lu", &n) == 1)
			s->switches += n;
	}
	if (f)
		(void)fclose(f);
	s->nr++;
}

static inline struct sleepers look_at_threads(void)
{
	struct sleepers s = {.all = true};
	char name[64];
	struct dirent *e;
	DIR *d;

	(void)snprintf(name, sizeof(name), "/proc/%d/task", (int)broker.pid);
	d = opendir(name);
	CHECK(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] != '.')
			look_at_thread(e->d_name, &s);
	}
	(void)closedir(d);
	return s;
}

/*
 * The broker has done all it was asked, and its threads have closed what they
 * were given: all of them sleep, and none ran between two looks.
 */
static inline void await_quiet(void)
{
	struct sleepers before, now = {.nr = 0};

	do {
		(void)sched_yield();
		before = now;
		now = look_at_threads();
	} while (!now.all || now.nr != before.nr ||
		 now.switches != before.switches);
}

/* Its descriptors, without those that are just being closed. */
static inline int nr_fds(void)
{
	char name[64];
	struct dirent *e;
	int n = 0;
	DIR *d;

	await_quiet();
	(void)snprintf(name, sizeof(name), "/proc/%d/fd", (int)broker.pid);
	d = opendir(name);
	CHECK(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

/* They are @n when its threads have closed what it wants to be closed. */
static inline void await_nr_fds(int n)
{
	while (nr_fds() != n)
		(void)sched_yield();
}

static inline void kill_broker(void)
{
	(void)kill(broker.pid, SIGKILL);
	(void)waitpid(broker.pid, NULL, 0);
	broker.pid = 0;
}

static inline void restart_broker(void)
{
	kill_broker();
	start_broker(&broker);
}

/* --- children ----------------------------------------------------------------- */

/* Two pipes: what the parent hears, what the child hears. */
struct child {
	pid_t pid;
	int to, from;
};

static inline void say(int fd, uint64_t what)
{
	CHECK(write(fd, &what, sizeof(what)) == sizeof(what));
}

static inline uint64_t hear(int fd)
{
	uint64_t what;

	CHECK(read(fd, &what, sizeof(what)) == sizeof(what));
	return what;
}

typedef void (*child_fn)(int from, int to, void *arg);

static inline struct child start_child(child_fn fn, void *arg)
{
	struct child c;
	int down[2], up[2];

	if (pipe2(down, O_CLOEXEC) || pipe2(up, O_CLOEXEC))
		abort();
	c.pid = fork();
	if (c.pid == 0) {
		(void)close(down[1]);
		(void)close(up[0]);
		(void)alarm(TIME_LIMIT);
		fn(down[0], up[1], arg);
		_exit(0);
	}
	(void)close(down[0]);
	(void)close(up[1]);
	c.to = down[1];
	c.from = up[0];
	return c;
}

/* The child's exit status, or 128 + the signal. */
static inline int end_child(struct child *c)
{
	int status;

	(void)close(c->to);
	(void)close(c->from);
	if (waitpid(c->pid, &status, 0) != c->pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- domains ------------------------------------------------------------------ */

static inline struct evp_guest *attach_spin(int domain, int64_t spin_ns)
{
	struct evp_options o = {.domain = domain, .spin_ns = spin_ns};
	struct evp_guest *g = NULL;

	CHECK(evp_attach(&g, &o) == 0);
	return g;
}

static inline struct evp_guest *attach(int domain)
{
	return attach_spin(domain, EVP_SPIN_DEFAULT);
}

/* A handler that counts. */
static inline void count_event(struct evg_vcpu *v, evtchn_port_t port,
			       void *ctx)
{
	(void)v;
	(void)port;
	++*(uint64_t *)ctx;
}

static inline evtchn_port_t open_unbound(struct evp_guest *g, domid_t remote,
					 evg_handler fn, void *ctx)
{
	evtchn_port_t port = 0;

	CHECK(evg_alloc_unbound(evp_evg(g), DOMID_SELF, remote, &port) == 0);
	CHECK(evg_bind_handler(evp_evg(g), port, EVG_VCPU_KEEP, fn, ctx) == 0);
	return port;
}

static inline evtchn_port_t open_bound(struct evp_guest *g, domid_t remote,
				       evtchn_port_t remote_port,
				       evg_handler fn, void *ctx)
{
	evtchn_port_t port = 0;

	CHECK(evg_bind_interdomain(evp_evg(g), remote, remote_port, &port) ==
	      0);
	CHECK(evg_bind_handler(evp_evg(g), port, EVG_VCPU_KEEP, fn, ctx) == 0);
	return port;
}

/* Wait until a counter is at least @want. */
static inline void wait_count(struct evp_guest *g, const uint64_t *count,
			      uint64_t want)
{
	while (*count < want)
		CHECK(evp_wait(g, EVP_FOREVER) >= 0);
}

static inline uint32_t status_of(struct evp_guest *g, evtchn_port_t port)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = port};

	CHECK(evg_status(evp_evg(g), &st) == 0);
	return st.status;
}

/* The broker learns of a death when it gets round to it. */
static inline void await_status(struct evp_guest *g, evtchn_port_t port,
				uint32_t status)
{
	while (status_of(g, port) != status)
		CHECK(evp_poll(g) >= 0);
}

static inline void *share(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static inline evtchn_port_t alloc(struct evp_guest *g, domid_t dom,
				  domid_t remote)
{
	evtchn_port_t port = 0;

	CHECK(evg_alloc_unbound(evp_evg(g), dom, remote, &port) == 0);
	return port;
}

static inline void send_event(struct evp_guest *g, evtchn_port_t port)
{
	CHECK(evg_notify(evp_evg(g), port) == 0);
}

/* Two guests read what there is until nobody has anything more to say. */
static inline void settle(struct evp_guest *x, struct evp_guest *y)
{
	int i;

	for (i = 0; i < 4; i++) {
		(void)evp_poll(x);
		(void)status_of(x, 1);
		(void)evp_poll(y);
		(void)status_of(y, 1);
	}
}

/* Sent by lane, without the broker? */
static inline bool goes_direct(struct evp_guest *g, evtchn_port_t port)
{
	struct evp_stats before, after;

	evp_get_stats(g, &before);
	CHECK(evg_notify(evp_evg(g), port) == 0);
	evp_get_stats(g, &after);
	return after.sent_broker == before.sent_broker;
}

/* --- bare connections ---------------------------------------------------------- */

static inline int raw(void)
{
	int fd;

	CHECK(evp_control_connect(broker.path, &fd) == 0);
	return fd;
}

/* It has said hello, and may ask. */
static inline int raw_greeted(void)
{
	int fd = raw();

	CHECK(evp_control_hello(fd, NULL) == 0);
	return fd;
}

static inline int open_session(uint32_t want, uint32_t *domid)
{
	int fd = raw_greeted();

	CHECK(evp_control_reserve(fd, want, "session", domid) == 0);
	return fd;
}

/* Part of a domain, without a client library; its descriptors are closed. */
static inline int raw_with(uint16_t domid, uint32_t nr_vcpus)
{
	struct evp_attach_req m = {.domid = domid, .nr_vcpus = nr_vcpus};
	struct evp_packet p;
	int fd = raw_greeted();

	evp_hdr_init(&m.hdr, EVP_ATTACH, sizeof(m), 1);
	CHECK(evp_ask(fd, &m, sizeof(m), &p, EVP_ATTACHED, 1) == 0);
	evp_packet_close_fds(&p);
	return fd;
}

static inline int raw_attached(uint16_t domid)
{
	return raw_with(domid, 1);
}

/* A hypercall as a message: past the library, which looks at what is asked. */
static inline void raw_ask(int fd, uint32_t cmd, const void *arg, size_t len)
{
	struct evp_hypercall m = {.nr = __HYPERVISOR_event_channel_op,
				  .cmd = cmd,
				  .arg_len = (uint32_t)len};
	size_t size = offsetof(struct evp_hypercall, arg) + len;

	memcpy(m.arg, arg, len);
	evp_hdr_init(&m.hdr, EVP_HYPERCALL, size, 1);
	CHECK(evp_send_packet(fd, &m, size, NULL, 0, 0) == 0);
}

/* The next answer, without news; @arg: what it gives, or NULL. */
static inline int raw_result(int fd, void *arg, size_t len)
{
	struct evp_packet p;
	const struct evp_result *r = (const void *)p.u.bytes;

	do {
		CHECK(evp_recv_packet(fd, &p, 0) == 0);
		evp_packet_close_fds(&p);
	} while (p.u.hdr.type != EVP_RESULT);
	if (arg)
		memcpy(arg, r->arg, len);
	return r->rc;
}

static inline int raw_op(int fd, uint32_t cmd, const void *arg, size_t len)
{
	raw_ask(fd, cmd, arg, len);
	return raw_result(fd, NULL, 0);
}

/* As evg_alloc_unbound(). */
static inline void raw_ask_port(int fd, domid_t remote)
{
	struct evtchn_alloc_unbound op = {.dom = DOMID_SELF,
					  .remote_dom = remote};

	raw_ask(fd, EVTCHNOP_alloc_unbound, &op, sizeof(op));
}

static inline struct evp_domain_entry ask_domain(int fd, uint32_t domid)
{
	static struct evp_domain_entry e[EVP_DOMAINS_PER_PAGE];
	uint32_t cursor = domid;

	CHECK(evp_control_domains(fd, &cursor, e, EVP_DOMAINS_PER_PAGE) > 0);
	CHECK(e[0].domid == domid);
	return e[0];
}

static inline uint32_t nr_ports_of(uint32_t domid)
{
	int fd = raw_greeted();
	uint32_t n = ask_domain(fd, domid).nr_ports;

	(void)close(fd);
	return n;
}

/* The broker has to end the connection, perhaps after a refusal. */
static inline void expect_end(int fd)
{
	struct evp_packet p;
	int rc;

	do {
		rc = evp_recv_packet(fd, &p, 0);
		if (!rc)
			evp_packet_close_fds(&p);
	} while (!rc);
	CHECK(rc == -ECONNRESET);
	(void)close(fd);
}

/* --- a peer that answers ------------------------------------------------------- */

struct rally {
	int64_t spin_ns;
	uint64_t rounds;
	int domid; /* of who answers; 0: 2 */
};

static inline void answer(int from, int to, void *arg)
{
	const struct rally *r = arg;
	struct evp_guest *g = attach_spin(r->domid ? r->domid : 2, r->spin_ns);
	uint64_t i, count = 0;
	evtchn_port_t port = open_bound(g, 1, (evtchn_port_t)hear(from),
					count_event, &count);

	wait_count(g, &count, 1); /* the bind's own */
	say(to, 0);
	for (i = 1; i <= r->rounds; i++) {
		wait_count(g, &count, 1 + i);
		CHECK(evg_notify(evp_evg(g), port) == 0);
	}
	(void)hear(from);
	CHECK(count == 1 + r->rounds);
	evp_detach(g);
}

#endif /* TESTS_PROCESS_HARNESS_H */
