/* SPDX-License-Identifier: MIT */
/*
 * One process wakes another: event channels of the process host, and what one
 * would use instead, all with the same face.
 *
 * Reading order: descriptors, queues, words, event channels, then measuring.
 */
#include "bench/transports.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <evg/evg.h>
#include <evp/evp.h>

#include <base/atomic.h>

/* What both processes share; each word in a cache line of its own. */
static struct page {
	_Alignas(64) evb_u32 word[2]; /* bare words, futexes: one per side */
	_Alignas(64) evb_u32 port;    /* evtchn: the unbound port */
	_Alignas(64) evb_u32 ready;
} * bench_shared;

void bench_fail(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

void *bench_pages(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		bench_fail("mmap");
	return p;
}

void bench_share(void)
{
	bench_shared = bench_pages(sizeof(*bench_shared));
}

/* --- descriptors, queues, words ------------------------------------------------ */

static int fds[2][2]; /* [side]: what that side reads, and writes */

static void nothing(int side)
{
	(void)side;
}

static void close_fds(int side)
{
	int i;

	(void)side;
	for (i = 0; i < 2; i++) {
		close(fds[i][0]);
		if (fds[i][1] != fds[1 - i][0] && fds[i][1] != fds[i][0])
			close(fds[i][1]);
	}
}

static void open_eventfd(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		fds[i][0] = eventfd(0, 0);
		if (fds[i][0] < 0)
			bench_fail("eventfd");
		fds[1 - i][1] = fds[i][0];
	}
}

static void open_eventfd_looking(void)
{
	int i;

	open_eventfd();
	for (i = 0; i < 2; i++) {
		if (fcntl(fds[i][0], F_SETFL, O_NONBLOCK))
			bench_fail("fcntl");
	}
}

static void look_at_fd(int side)
{
	uint64_t got;

	while (read(fds[side][0], &got, sizeof(got)) != sizeof(got)) {
		if (errno != EAGAIN)
			bench_fail("read");
	}
}

static void open_pipe(void)
{
	int i, p[2];

	for (i = 0; i < 2; i++) {
		if (pipe(p))
			bench_fail("pipe");
		fds[i][0] = p[0];
		fds[1 - i][1] = p[1];
	}
}

static void open_dgram(void)
{
	int s[2], i;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, s))
		bench_fail("socketpair");
	for (i = 0; i < 2; i++)
		fds[i][0] = fds[i][1] = s[i];
}

static void write_fd(int side)
{
	uint64_t one = 1;

	if (write(fds[side][1], &one, sizeof(one)) != sizeof(one))
		bench_fail("write");
}

static void read_fd(int side)
{
	uint64_t got;

	if (read(fds[side][0], &got, sizeof(got)) != sizeof(got))
		bench_fail("read");
}

/* A queue in each direction; the name is needed only to make it. */
static mqd_t queue[2]; /* [side]: what that side reads */

static void open_mq(void)
{
	struct mq_attr a = {.mq_maxmsg = 10, .mq_msgsize = sizeof(uint64_t)};
	char name[32];
	int i;

	for (i = 0; i < 2; i++) {
		(void)snprintf(name, sizeof(name), "/evtchn-bench-%d-%d",
			       (int)getpid(), i);
		queue[i] = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &a);
		if (queue[i] < 0 || mq_unlink(name))
			bench_fail("mq_open");
	}
}

static void send_mq(int side)
{
	uint64_t one = 1;

	if (mq_send(queue[1 - side], (const char *)&one, sizeof(one), 0))
		bench_fail("mq_send");
}

static void receive_mq(int side)
{
	uint64_t got;

	if (mq_receive(queue[side], (char *)&got, sizeof(got), NULL) < 0)
		bench_fail("mq_receive");
}

static void close_mq(int side)
{
	(void)side;
	(void)mq_close(queue[0]);
	(void)mq_close(queue[1]);
}

static long futex(evb_u32 *word, int op, uint32_t value)
{
	return syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

static void open_words(void)
{
	evb_u32_store(&bench_shared->word[0], 0);
	evb_u32_store(&bench_shared->word[1], 0);
}

static void signal_word(int side)
{
	evb_u32_store(&bench_shared->word[1 - side], 1);
}

static void spin_word(int side)
{
	while (!evb_u32_load(&bench_shared->word[side]))
		;
	evb_u32_store(&bench_shared->word[side], 0);
}

static void signal_futex(int side)
{
	signal_word(side);
	(void)futex(&bench_shared->word[1 - side], FUTEX_WAKE, 1);
}

static void wait_futex(int side)
{
	while (!evb_u32_xchg(&bench_shared->word[side], 0))
		(void)futex(&bench_shared->word[side], FUTEX_WAIT, 0);
}

/* --- event channels -------------------------------------------------------------- */

static struct evp_guest *guest;
static evtchn_port_t my_port;
static unsigned int seen, handled;
int64_t bench_spin_ns, bench_work_ns;

static void count_event(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)v;
	(void)port;
	(void)ctx;
	handled++;
}

static void open_evtchn(void)
{
	evb_u32_store(&bench_shared->port, 0);
}

static void check(int rc, const char *what)
{
	if (rc) {
		fprintf(stderr, "bench: %s: %d %s\n", what, rc, evp_error());
		exit(1);
	}
}

static void join_evtchn(int side)
{
	struct evp_options o = {
		.socket = getenv("EVTCHN_SOCKET"),
		.domain = 101 + side,
		.name = "bench",
		.spin_ns = bench_spin_ns,
	};

	check(evp_attach(&guest, &o), "evp_attach");
	if (side == 0) {
		check(evg_alloc_unbound(evp_evg(guest), DOMID_SELF, 102,
					&my_port),
		      "alloc_unbound");
		evb_u32_store(&bench_shared->port, my_port);
	} else {
		while (!evb_u32_load(&bench_shared->port))
			sched_yield();
		check(evg_bind_interdomain(evp_evg(guest), 101,
					   evb_u32_load(&bench_shared->port),
					   &my_port),
		      "bind_interdomain");
	}
	seen = handled = 0;
	check(evg_bind_handler(evp_evg(guest), my_port, 0, count_event, NULL),
	      "bind_handler");
	/* The binder's port is pending from the start: that one is not counted. */
	while (side == 1 && !handled)
		(void)evp_poll(guest);
	seen = handled;
}

static void signal_evtchn(int side)
{
	(void)side;
	(void)evg_notify(evp_evg(guest), my_port);
}

static void wait_evtchn(int side)
{
	(void)side;
	while (handled == seen) {
		if (evp_wait(guest, EVP_FOREVER) < 0)
			bench_fail(evp_error());
	}
	seen = handled;
}

static void drain_evtchn(int side)
{
	(void)side;
	(void)evp_poll(guest);
}

static void leave_evtchn(int side)
{
	(void)side;
	evp_detach(guest);
}

const struct transport bench_evtchn = {
	"evtchn",    open_evtchn,  join_evtchn,	 signal_evtchn,
	wait_evtchn, drain_evtchn, leave_evtchn,
};
const struct transport bench_eventfd = {
	"eventfd", open_eventfd, nothing, write_fd, read_fd, read_fd, close_fds,
};
const struct transport bench_eventfd_looking = {
	"eventfd",  open_eventfd_looking, nothing,   write_fd,
	look_at_fd, look_at_fd,		  close_fds,
};
const struct transport bench_pipe = {
	"pipe", open_pipe, nothing, write_fd, read_fd, read_fd, close_fds,
};
const struct transport bench_dgram = {
	"Unix datagram", open_dgram, nothing,	write_fd,
	read_fd,	 read_fd,    close_fds,
};
const struct transport bench_mq = {
	"POSIX mq", open_mq, nothing, send_mq, receive_mq, receive_mq, close_mq,
};
const struct transport bench_words = {
	"shared word", open_words, nothing, signal_word,
	spin_word,     nothing,	   nothing,
};
const struct transport bench_futex = {
	"futex",    open_words, nothing, signal_futex,
	wait_futex, wait_futex, nothing,
};

/* --- measuring ---------------------------------------------------------------------- */

double bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void compute(void)
{
	double end = bench_now() + (double)bench_work_ns;

	while (bench_work_ns && bench_now() < end)
		;
}

static void serve(const struct transport *t, bool oneway, unsigned int n)
{
	unsigned int i;

	t->join(1);
	evb_u32_store(&bench_shared->ready, 1);
	if (oneway) {
		for (;; compute()) /* until it is killed */
			t->drain(1);
	} else {
		for (i = 0; i < n; i++) {
			t->wait(1);
			t->signal(1);
		}
	}
	t->leave(1);
	_exit(0);
}

/*
 * One that takes whatever comes.  Asked to end, it would leave a full queue, and
 * who asks by that queue would wait for ever.
 */
static void end_server(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, WNOHANG))
		bench_fail("the other side failed");
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
}

/* ns per notification, or per round trip */
double bench_measure(const struct transport *t, bool oneway, unsigned int n)
{
	double start, ns;
	unsigned int i;
	int status;
	pid_t pid;

	evb_u32_store(&bench_shared->ready, 0);
	t->open();
	pid = fork();
	if (pid < 0)
		bench_fail("fork");
	if (pid == 0)
		serve(t, oneway, n);
	t->join(0);
	while (!evb_u32_load(&bench_shared->ready))
		sched_yield();
	start = bench_now();
	for (i = 0; i < n; i++) {
		t->signal(0);
		if (!oneway)
			t->wait(0);
	}
	ns = (bench_now() - start) / n;
	if (oneway) {
		end_server(pid);
	} else if (waitpid(pid, &status, 0) != pid || status) {
		bench_fail("the other side failed");
	}
	t->leave(0);
	return ns;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *v, unsigned int nr)
{
	qsort(v, nr, sizeof(*v), compare);
	return v[nr / 2];
}
