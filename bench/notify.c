/* SPDX-License-Identifier: MIT */
/*
 * One process notifies another: event channels of the process host beside what
 * one would use instead, in one run.
 *
 *   notify   cost of one notification at the sender while the receiver is
 *            awake and takes whatever comes
 *   spin     round trip, both sides looking all the time
 *   sleep    round trip, both sides asleep in the kernel between
 *
 * Every row is measured RUNS times, alternating with its reference row, so
 * that what disturbs one disturbs the other; printed are the medians, and the
 * median of the ratios pair by pair.
 *
 * Needs a broker: run it under `evtchn run`, as bench/run.sh does.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <sched.h>
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

#define RUNS 11

static void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* What both processes share; each word in a cache line of its own. */
static struct page {
	_Alignas(64) evb_u32 word[2]; /* bare words, futexes: one per side */
	_Alignas(64) evb_u32 port;    /* evtchn: the unbound port */
	_Alignas(64) evb_u32 stop;
	_Alignas(64) evb_u32 ready;
} * shared;

/* --- transports ---------------------------------------------------------------- */

/* Side 0 measures, side 1 serves. */
struct transport {
	const char *name;
	void (*open)(void);	  /* before the fork */
	void (*join)(int side);	  /* after it, in each process */
	void (*signal)(int side); /* wake the other side */
	void (*wait)(int side);	  /* until the other side signalled */
	void (*drain)(int side);  /* take what is there, do not wait */
	void (*leave)(int side);
};

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
			die("eventfd");
		fds[1 - i][1] = fds[i][0];
	}
}

static void open_pipe(void)
{
	int i, p[2];

	for (i = 0; i < 2; i++) {
		if (pipe(p))
			die("pipe");
		fds[i][0] = p[0];
		fds[1 - i][1] = p[1];
	}
}

static void open_dgram(void)
{
	int s[2], i;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, s))
		die("socketpair");
	for (i = 0; i < 2; i++)
		fds[i][0] = fds[i][1] = s[i];
}

static void write_fd(int side)
{
	uint64_t one = 1;

	if (write(fds[side][1], &one, sizeof(one)) != sizeof(one))
		die("write");
}

static void read_fd(int side)
{
	uint64_t got;

	if (read(fds[side][0], &got, sizeof(got)) != sizeof(got))
		die("read");
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
			die("mq_open");
	}
}

static void send_mq(int side)
{
	uint64_t one = 1;

	if (mq_send(queue[1 - side], (const char *)&one, sizeof(one), 0))
		die("mq_send");
}

static void receive_mq(int side)
{
	uint64_t got;

	if (mq_receive(queue[side], (char *)&got, sizeof(got), NULL) < 0)
		die("mq_receive");
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
	evb_u32_store(&shared->word[0], 0);
	evb_u32_store(&shared->word[1], 0);
}

static void signal_word(int side)
{
	evb_u32_store(&shared->word[1 - side], 1);
}

static void spin_word(int side)
{
	while (!evb_u32_load(&shared->word[side]))
		;
	evb_u32_store(&shared->word[side], 0);
}

static void signal_futex(int side)
{
	signal_word(side);
	(void)futex(&shared->word[1 - side], FUTEX_WAKE, 1);
}

static void wait_futex(int side)
{
	while (!evb_u32_xchg(&shared->word[side], 0))
		(void)futex(&shared->word[side], FUTEX_WAIT, 0);
}

/* --- event channels -------------------------------------------------------------- */

static struct evp_guest *guest;
static evtchn_port_t my_port;
static unsigned int seen, handled;
static int64_t spin_ns;

static void count_event(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)v;
	(void)port;
	(void)ctx;
	handled++;
}

static void open_evtchn(void)
{
	evb_u32_store(&shared->port, 0);
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
		.spin_ns = spin_ns,
	};

	check(evp_attach(&guest, &o), "evp_attach");
	if (side == 0) {
		check(evg_alloc_unbound(evp_evg(guest), DOMID_SELF, 102,
					&my_port),
		      "alloc_unbound");
		evb_u32_store(&shared->port, my_port);
	} else {
		while (!evb_u32_load(&shared->port))
			sched_yield();
		check(evg_bind_interdomain(evp_evg(guest), 101,
					   evb_u32_load(&shared->port),
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
			die(evp_error());
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

static const struct transport evtchn = {
	"evtchn",    open_evtchn,  join_evtchn,	 signal_evtchn,
	wait_evtchn, drain_evtchn, leave_evtchn,
};
static const struct transport by_eventfd = {
	"eventfd", open_eventfd, nothing, write_fd, read_fd, read_fd, close_fds,
};
static const struct transport by_pipe = {
	"pipe", open_pipe, nothing, write_fd, read_fd, read_fd, close_fds,
};
static const struct transport by_dgram = {
	"Unix datagram", open_dgram, nothing,	write_fd,
	read_fd,	 read_fd,    close_fds,
};
static const struct transport by_mq = {
	"POSIX mq", open_mq, nothing, send_mq, receive_mq, receive_mq, close_mq,
};
static const struct transport by_words = {
	"shared word", open_words, nothing, signal_word,
	spin_word,     nothing,	   nothing,
};
static const struct transport by_futex = {
	"futex",    open_words, nothing, signal_futex,
	wait_futex, wait_futex, nothing,
};

/* --- measuring ---------------------------------------------------------------------- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void serve(const struct transport *t, bool oneway, unsigned int n)
{
	unsigned int i;

	t->join(1);
	evb_u32_store(&shared->ready, 1);
	if (oneway) {
		while (!evb_u32_load(&shared->stop))
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

/* ns per notification, or per round trip */
static double measure(const struct transport *t, bool oneway, unsigned int n)
{
	double start, ns;
	unsigned int i;
	int status;
	pid_t pid;

	evb_u32_store(&shared->stop, 0);
	evb_u32_store(&shared->ready, 0);
	t->open();
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		serve(t, oneway, n);
	t->join(0);
	while (!evb_u32_load(&shared->ready))
		sched_yield();
	start = now();
	for (i = 0; i < n; i++) {
		t->signal(0);
		if (!oneway)
			t->wait(0);
	}
	ns = (now() - start) / n;
	evb_u32_store(&shared->stop, 1);
	if (oneway)
		t->signal(0); /* a drain that blocks gets its last one */
	if (waitpid(pid, &status, 0) != pid || status)
		die("the other side failed");
	t->leave(0);
	return ns;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v)
{
	qsort(v, RUNS, sizeof(*v), compare);
	return v[RUNS / 2];
}

/* One line: @t beside @ours, and how many times ours fits into it. */
static void row(const char *what, const struct transport *t, bool oneway,
		unsigned int n)
{
	double theirs[RUNS], ours[RUNS], ratio[RUNS];
	int i;

	for (i = 0; i < RUNS; i++) {
		ours[i] = measure(&evtchn, oneway, n);
		theirs[i] = measure(t, oneway, n);
		ratio[i] = theirs[i] / ours[i];
	}
	printf("%-8s %-14s %10.0f ns   evtchn %8.0f ns   %s / evtchn = %.2f\n",
	       what, t->name, median(theirs), median(ours), t->name,
	       median(ratio));
	fflush(stdout);
}

#define NR_OTHERS (sizeof(others) / sizeof(others[0]))

int main(void)
{
	static const struct transport *const others[] = {
		&by_eventfd, &by_futex, &by_pipe, &by_dgram, &by_mq};
	unsigned int i;

	if (!getenv("EVTCHN_SOCKET")) {
		fprintf(stderr, "bench: no broker: use make bench\n");
		return 2;
	}
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");

	spin_ns = 1000000000;
	for (i = 0; i < NR_OTHERS; i++)
		row("notify", others[i], true, 20000);
	row("spin", &by_words, false, 20000);
	spin_ns = 0;
	for (i = 0; i < NR_OTHERS; i++)
		row("sleep", others[i], false, 5000);
	return 0;
}
