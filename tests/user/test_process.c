/* SPDX-License-Identifier: MIT */
/*
 * libxenevtchn on the process host: what a program sees of it.
 *
 * "Nothing more comes" is shown with a second channel: an event is sent on it
 * afterwards, and when that has arrived everything before it has been
 * collected, too.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include <xenevtchn.h>

#include "tests/process/harness.h"

#define VIRQ_OF_DEATHS 3
#define ROUNDS	       200

/* --- one process, channels to itself ------------------------------------------ */

struct pair {
	int in, out; /* what is sent on out arrives at in */
};

static xenevtchn_handle *open_as(const char *domain)
{
	xenevtchn_handle *h;

	CHECK(setenv("EVTCHN_DOMAIN", domain, 1) == 0);
	CHECK(setenv("EVTCHN_DEVICE", "", 1) == 0);
	h = xenevtchn_open(NULL, 0);
	CHECK(h);
	return h;
}

static void set_nonblocking(xenevtchn_handle *h, bool on)
{
	assert_int_equal(fcntl(xenevtchn_fd(h), F_SETFL, on ? O_NONBLOCK : 0),
			 0);
}

/* All there is to see, POLLOUT left aside. */
static int readiness(xenevtchn_handle *h, int timeout)
{
	struct pollfd p = {.fd = xenevtchn_fd(h),
			   .events = POLLIN | POLLPRI | POLLRDHUP};

	CHECK(p.fd >= 0);
	while (poll(&p, 1, timeout) < 0)
		CHECK(errno == EINTR);
	return p.revents;
}

static void expect_port(xenevtchn_handle *h, int port)
{
	assert_int_equal(readiness(h, -1), POLLIN);
	assert_int_equal(xenevtchn_pending(h), port);
}

/* A channel from this process to itself, without the event of its bind. */
static struct pair open_pair(xenevtchn_handle *h)
{
	struct pair p;

	p.in = xenevtchn_bind_unbound_port(h, DOMID_SELF);
	assert_true(p.in > 0);
	p.out = xenevtchn_bind_interdomain(h, DOMID_SELF, (evtchn_port_t)p.in);
	assert_true(p.out > 0);
	expect_port(h, p.out);
	assert_int_equal(xenevtchn_unmask(h, (evtchn_port_t)p.out), 0);
	return p;
}

/* Nothing is in the queue, nor on its way. */
static void expect_nothing(xenevtchn_handle *h, const struct pair *mark)
{
	assert_int_equal(xenevtchn_notify(h, (evtchn_port_t)mark->out), 0);
	expect_port(h, mark->in);
	assert_int_equal(readiness(h, 0), 0);
	set_nonblocking(h, true);
	errno = 0;
	assert_int_equal(xenevtchn_pending(h), -1);
	assert_int_equal(errno, EAGAIN);
	set_nonblocking(h, false);
	assert_int_equal(xenevtchn_unmask(h, (evtchn_port_t)mark->in), 0);
}

/* --- masking, as a table -------------------------------------------------------- */

/*
 * n  notify         r  readable           p  pending() gives the port
 * u  unmask         x  unbind             -  nothing more comes
 */
static const char *const rows[] = {
	"-",	       /* nothing sent, nothing there */
	"np-",	       /* reported once */
	"nnnp-",       /* sent thrice, one event */
	"npn-",	       /* masked by having been reported ... */
	"npnup-",      /* ... and kept until it is unmasked */
	"npnnnup-",    /* as one event */
	"npu-",	       /* unmasking makes no event */
	"npunp-",      /* nor does it use one up */
	"npuunup-",    /* twice is once */
	"u-np-",       /* an open port: nothing to do */
	"nru-",	       /* queued, unmasked too early: still one event */
	"nrup-np-",    /* ... and the next one comes */
	"nrunpp-",     /* ... also if it comes before the first is taken */
	"nr-",	       /* what is in the queue stays there: see check_row() */
	"nrx-",	       /* a closed port's event is forgotten */
	"npx-",	       /* closed while masked */
	"npnx-",       /* also the one behind the mask */
	"npnupnupnup-" /* over and over */
};

/* The two rows in which an event is left in the queue. */
static void take_left(xenevtchn_handle *h, const struct pair *p,
		      const char *row)
{
	if (!strcmp(row, "nru-") || !strcmp(row, "nr-"))
		expect_port(h, p->in);
}

static void do_step(xenevtchn_handle *h, const struct pair *p, char step)
{
	switch (step) {
	case 'n':
		assert_int_equal(xenevtchn_notify(h, (evtchn_port_t)p->out), 0);
		break;
	case 'r':
		assert_int_equal(readiness(h, -1), POLLIN);
		break;
	case 'p':
		expect_port(h, p->in);
		break;
	case 'u':
		assert_int_equal(xenevtchn_unmask(h, (evtchn_port_t)p->in), 0);
		break;
	case 'x':
		assert_int_equal(xenevtchn_unbind(h, (evtchn_port_t)p->in), 0);
		break;
	default:
		fail_msg("step %c", step);
	}
}

static void check_row(const char *row)
{
	xenevtchn_handle *h = open_as("1");
	struct pair p = open_pair(h), mark = open_pair(h);
	const char *step;

	print_message("# %s\n", row);
	for (step = row; *step; step++) {
		if (*step != '-') {
			do_step(h, &p, *step);
			continue;
		}
		take_left(h, &p, row);
		expect_nothing(h, &mark);
	}
	assert_int_equal(xenevtchn_close(h), 0);
}

static void masking_every_row_holds(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(rows[i]);
}

static void events_of_three_ports_all_reported_once(void **state)
{
	xenevtchn_handle *h = open_as("1");
	struct pair p[3], mark;
	unsigned int i, seen = 0;
	int port;

	(void)state;
	for (i = 0; i < 3; i++)
		p[i] = open_pair(h);
	mark = open_pair(h);
	for (i = 0; i < 3; i++)
		(void)xenevtchn_notify(h, (evtchn_port_t)p[i].out);
	while (seen != 7) {
		assert_int_equal(readiness(h, -1), POLLIN);
		port = xenevtchn_pending(h);
		for (i = 0; i < 3 && p[i].in != port; i++)
			continue;
		assert_true(i < 3);
		assert_false(seen & 1u << i);
		seen |= 1u << i;
	}
	expect_nothing(h, &mark);
	assert_int_equal(xenevtchn_close(h), 0);
}

/* --- errors --------------------------------------------------------------------- */

#define EXPECT_ERROR(call, number)               \
	do {                                     \
		errno = 0;                       \
		assert_int_equal((call), -1);    \
		assert_int_equal(errno, number); \
	} while (0)

static void ports_that_are_not_ours_are_refused(void **state)
{
	xenevtchn_handle *h = open_as("1");
	struct pair p = open_pair(h);

	(void)state;
	EXPECT_ERROR(xenevtchn_notify(h, 0), ENOTCONN);
	EXPECT_ERROR(xenevtchn_notify(h, 99), ENOTCONN);
	EXPECT_ERROR(xenevtchn_notify(h, 4096), ENOTCONN);
	EXPECT_ERROR(xenevtchn_notify(h, UINT32_MAX), ENOTCONN);
	EXPECT_ERROR(xenevtchn_unbind(h, 99), ENOTCONN);
	EXPECT_ERROR(xenevtchn_unbind(h, 131072), EINVAL);
	EXPECT_ERROR(xenevtchn_unbind(h, UINT32_MAX), EINVAL);
	assert_int_equal(xenevtchn_unmask(h, 99), 0);
	assert_int_equal(xenevtchn_unmask(h, UINT32_MAX), 0);
	assert_int_equal(xenevtchn_unbind(h, (evtchn_port_t)p.in), 0);
	EXPECT_ERROR(xenevtchn_unbind(h, (evtchn_port_t)p.in), ENOTCONN);
	EXPECT_ERROR(xenevtchn_notify(h, (evtchn_port_t)p.in), ENOTCONN);
	/* Its peer waits again, and an event for nobody is no error. */
	assert_int_equal(xenevtchn_notify(h, (evtchn_port_t)p.out), 0);
	assert_int_equal(xenevtchn_close(h), 0);
}

static void binds_that_cannot_be_have_xens_errors(void **state)
{
	xenevtchn_handle *h = open_as("1");
	int port = xenevtchn_bind_unbound_port(h, 7);

	(void)state;
	assert_true(port > 0);
	EXPECT_ERROR(xenevtchn_bind_interdomain(h, 7, 1), ESRCH);
	EXPECT_ERROR(xenevtchn_bind_interdomain(h, 0x10001, 1), ESRCH);
	EXPECT_ERROR(xenevtchn_bind_unbound_port(h, 0x10001), ESRCH);
	EXPECT_ERROR(xenevtchn_bind_interdomain(h, 1, (evtchn_port_t)port),
		     EINVAL);
	EXPECT_ERROR(xenevtchn_bind_interdomain(h, 1, 4095), EINVAL);
	EXPECT_ERROR(xenevtchn_bind_virq(h, 24), EINVAL);
	EXPECT_ERROR(xenevtchn_bind_virq(h, UINT32_MAX), EINVAL);
	assert_int_equal(xenevtchn_close(h), 0);
}

static void handles_wrong_flags_and_descriptors_refused(void **state)
{
	xenevtchn_handle *h = open_as("1");
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	errno = 0;
	assert_null(xenevtchn_open(NULL, 2));
	assert_int_equal(errno, EINVAL);
	assert_null(xenevtchn_fdopen(NULL, fds[0], XENEVTCHN_NO_CLOEXEC));
	assert_int_equal(errno, EINVAL);
	assert_null(xenevtchn_fdopen(NULL, -1, 0));
	assert_int_equal(errno, EBADF);
	assert_null(xenevtchn_fdopen(NULL, fds[0], 0));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(fcntl(xenevtchn_fd(h), F_GETFD), FD_CLOEXEC);
	assert_int_equal(xenevtchn_close(h), 0);
	assert_int_equal(xenevtchn_close(NULL), 0);
	h = xenevtchn_open(NULL, XENEVTCHN_NO_CLOEXEC);
	assert_non_null(h);
	assert_int_equal(fcntl(xenevtchn_fd(h), F_GETFD), 0);
	assert_int_equal(xenevtchn_close(h), 0);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

/* Two handles: ports are the domain's, but each is one handle's. */
static void check_two_handles(xenevtchn_handle *a, xenevtchn_handle *b)
{
	int in, out;

	assert_non_null(a);
	assert_non_null(b);
	in = xenevtchn_bind_unbound_port(a, DOMID_SELF);
	assert_true(in > 0);
	out = xenevtchn_bind_interdomain(b, DOMID_SELF, (evtchn_port_t)in);
	assert_true(out > 0 && out != in); /* so it is the same domain */
	expect_port(b, out);
	EXPECT_ERROR(xenevtchn_notify(b, (evtchn_port_t)in), ENOTCONN);
	EXPECT_ERROR(xenevtchn_unbind(a, (evtchn_port_t)out), ENOTCONN);
	assert_int_equal(xenevtchn_notify(b, (evtchn_port_t)out), 0);
	expect_port(a, in);
	assert_int_equal(readiness(b, 0), 0);
	assert_int_equal(xenevtchn_close(a), 0);
	/* Its ports are gone, the other's are not. */
	EXPECT_ERROR(
		xenevtchn_bind_interdomain(b, DOMID_SELF, (evtchn_port_t)in),
		EINVAL);
	assert_int_equal(xenevtchn_notify(b, (evtchn_port_t)out), 0);
	assert_int_equal(xenevtchn_close(b), 0);
}

static void handles_of_one_process_each_with_its_ports(void **state)
{
	xenevtchn_handle *a = open_as("1");

	(void)state;
	check_two_handles(a, xenevtchn_open(NULL, 0));
	/* Nobody says which domain: still the same one for both. */
	assert_int_equal(unsetenv("EVTCHN_DOMAIN"), 0);
	a = xenevtchn_open(NULL, 0);
	check_two_handles(a, xenevtchn_open(NULL, 0));
}

static void restrict_other_domains_are_out_of_reach(void **state)
{
	xenevtchn_handle *h = open_as("1");
	struct pair p = open_pair(h);

	(void)state;
	EXPECT_ERROR(xenevtchn_restrict(h, 0), EINVAL);
	EXPECT_ERROR(xenevtchn_restrict(h, DOMID_FIRST_RESERVED), EINVAL);
	assert_int_equal(xenevtchn_restrict(h, 2), 0);
	EXPECT_ERROR(xenevtchn_restrict(h, 2), EACCES);
	EXPECT_ERROR(xenevtchn_restrict(h, 3), EACCES);
	EXPECT_ERROR(xenevtchn_bind_virq(h, 1), EACCES);
	EXPECT_ERROR(xenevtchn_bind_unbound_port(h, 2), EACCES);
	EXPECT_ERROR(xenevtchn_bind_interdomain(h, 3, 1), EACCES);
	EXPECT_ERROR(xenevtchn_bind_interdomain(h, 2, 1), ESRCH);
	/* What was there before works on. */
	assert_int_equal(xenevtchn_notify(h, (evtchn_port_t)p.out), 0);
	expect_port(h, p.in);
	assert_int_equal(xenevtchn_unbind(h, (evtchn_port_t)p.in), 0);
	assert_int_equal(xenevtchn_close(h), 0);
}

/* --- two processes --------------------------------------------------------------- */

/* Bind to a port, close it, bind again, send twice, on command. */
static void visit(int from, int to, void *arg)
{
	xenevtchn_handle *h = open_as("2");
	evtchn_port_t remote = (evtchn_port_t)hear(from);
	int port = xenevtchn_bind_interdomain(h, 1, remote);

	(void)arg;
	CHECK(port > 0);
	CHECK(xenevtchn_unbind(h, (evtchn_port_t)port) == 0);
	CHECK(xenevtchn_notify(h, (evtchn_port_t)port) == -1);
	say(to, 0);
	(void)hear(from);
	port = xenevtchn_bind_interdomain(h, 1, remote);
	CHECK(port > 0);
	CHECK(xenevtchn_notify(h, (evtchn_port_t)port) == 0);
	say(to, 0);
	(void)hear(from);
	CHECK(xenevtchn_notify(h, (evtchn_port_t)port) == 0);
	say(to, 0);
	(void)hear(from);
	CHECK(xenevtchn_close(h) == 0);
	say(to, 0);
}

static void readiness_follows_events_and_nothing_else(void **state)
{
	xenevtchn_handle *h = open_as("1");
	struct pair mark = open_pair(h);
	struct child c = start_child(visit, NULL);
	int port = xenevtchn_bind_unbound_port(h, 2);

	(void)state;
	assert_true(port > 0);
	assert_int_equal(readiness(h, 0), 0);
	say(c.to, (uint64_t)port);
	(void)hear(c.from); /* somebody came and went: no event */
	assert_int_equal(readiness(h, 0), 0);
	expect_nothing(h, &mark);
	say(c.to, 0);
	(void)hear(c.from); /* one event */
	expect_port(h, port);
	assert_int_equal(readiness(h, 0), 0);
	say(c.to, 0);
	(void)hear(c.from); /* one more, the port is masked */
	assert_int_equal(readiness(h, 0), 0);
	expect_nothing(h, &mark);
	assert_int_equal(xenevtchn_unmask(h, (evtchn_port_t)port), 0);
	expect_port(h, port);
	say(c.to, 0);
	(void)hear(c.from); /* the peer is gone: no event */
	assert_int_equal(readiness(h, 0), 0);
	expect_nothing(h, &mark);
	assert_int_equal(xenevtchn_notify(h, (evtchn_port_t)port), 0);
	assert_int_equal(end_child(&c), 0);
	assert_int_equal(xenevtchn_close(h), 0);
}

static void broker_killed_descriptor_stays_quiet(void **state)
{
	xenevtchn_handle *h = open_as("1");
	struct pair p = open_pair(h);

	(void)state;
	assert_int_equal(readiness(h, 0), 0);
	kill_broker();
	/* A channel to oneself does not need it. */
	assert_int_equal(xenevtchn_notify(h, (evtchn_port_t)p.out), 0);
	expect_port(h, p.in);
	assert_int_equal(readiness(h, 0), 0);
	EXPECT_ERROR(xenevtchn_bind_unbound_port(h, 2), ENOTCONN);
	assert_int_equal(readiness(h, 0), 0);
	assert_int_equal(xenevtchn_close(h), 0);
}

/* Bind and send, again and again. */
static void send_on_each(int from, int to, void *arg)
{
	xenevtchn_handle *h = open_as("2");
	uint64_t i;
	int port;

	(void)to;
	(void)arg;
	for (i = 0; i < ROUNDS; i++) {
		port = xenevtchn_bind_interdomain(h, 1,
						  (evtchn_port_t)hear(from));
		CHECK(port > 0);
		CHECK(xenevtchn_notify(h, (evtchn_port_t)port) == 0);
		say(to, 0);
		(void)hear(from);
		CHECK(xenevtchn_unbind(h, (evtchn_port_t)port) == 0);
		say(to, 0);
	}
	CHECK(xenevtchn_close(h) == 0);
}

static void *await_event(void *arg)
{
	return (void *)(intptr_t)xenevtchn_pending(arg);
}

/* The one who sleeps was not told of the lane that comes by the bind. */
static void pending_asleep_hears_of_ports_bound_later(void **state)
{
	struct child c = start_child(send_on_each, NULL);
	xenevtchn_handle *h = open_as("1");
	pthread_t thread;
	void *got;
	int i, port;

	(void)state;
	for (i = 0; i < ROUNDS; i++) {
		assert_int_equal(pthread_create(&thread, NULL, await_event, h),
				 0);
		port = xenevtchn_bind_unbound_port(h, 2);
		assert_true(port > 0);
		say(c.to, (uint64_t)port);
		(void)hear(c.from);
		assert_int_equal(pthread_join(thread, &got), 0);
		assert_int_equal((intptr_t)got, port);
		assert_int_equal(xenevtchn_unbind(h, (evtchn_port_t)port), 0);
		say(c.to, 0);
		(void)hear(c.from);
	}
	assert_int_equal(end_child(&c), 0);
	assert_int_equal(xenevtchn_close(h), 0);
}

/* What waited behind the mask comes by another thread's unmask. */
static void pending_asleep_hears_of_an_unmask(void **state)
{
	xenevtchn_handle *h;
	pthread_t thread;
	int i, in, out;
	void *got;

	(void)state;
	assert_int_equal(setenv("EVTCHN_SPIN_US", "0", 1), 0);
	h = open_as("1");
	in = xenevtchn_bind_unbound_port(h, DOMID_SELF);
	out = xenevtchn_bind_interdomain(h, DOMID_SELF, (evtchn_port_t)in);
	assert_int_equal(xenevtchn_pending(h), out);
	assert_int_equal(xenevtchn_notify(h, (evtchn_port_t)out), 0);
	assert_int_equal(xenevtchn_pending(h), in);
	for (i = 0; i < ROUNDS; i++) {
		assert_int_equal(xenevtchn_notify(h, (evtchn_port_t)out), 0);
		assert_int_equal(pthread_create(&thread, NULL, await_event, h),
				 0);
		(void)sched_yield(); /* likely, not surely, asleep then */
		assert_int_equal(xenevtchn_unmask(h, (evtchn_port_t)in), 0);
		assert_int_equal(pthread_join(thread, &got), 0);
		assert_int_equal((intptr_t)got, in);
	}
	assert_int_equal(xenevtchn_close(h), 0);
	assert_int_equal(unsetenv("EVTCHN_SPIN_US"), 0);
}

/* Another thread asks for the descriptor while one waits. */
static void pending_asleep_survives_the_first_fd(void **state)
{
	xenevtchn_handle *h;
	pthread_t thread;
	struct pair p;
	void *got;
	int i;

	(void)state;
	for (i = 0; i < ROUNDS; i++) {
		h = open_as("1");
		p.in = xenevtchn_bind_unbound_port(h, DOMID_SELF);
		p.out = xenevtchn_bind_interdomain(h, DOMID_SELF,
						   (evtchn_port_t)p.in);
		assert_int_equal(xenevtchn_pending(h), p.out);
		assert_int_equal(pthread_create(&thread, NULL, await_event, h),
				 0);
		assert_true(xenevtchn_fd(h) >= 0);
		assert_int_equal(xenevtchn_notify(h, (evtchn_port_t)p.out), 0);
		assert_int_equal(pthread_join(thread, &got), 0);
		assert_int_equal((intptr_t)got, p.in);
		assert_int_equal(xenevtchn_close(h), 0);
	}
}

/* --- signals, fork, VIRQ ---------------------------------------------------------- */

static void on_signal(int signal)
{
	(void)signal;
}

static evb_u32 interrupted;

static void *await_signal(void *arg)
{
	errno = 0;
	CHECK(xenevtchn_pending(arg) == -1);
	CHECK(errno == EINTR);
	evb_u32_store(&interrupted, 1);
	return NULL;
}

static void pending_interrupted_says_so(void **state)
{
	const struct sigaction sa = {.sa_handler = on_signal};
	xenevtchn_handle *h = open_as("1");
	pthread_t thread;
	int way;

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &sa, NULL), 0);
	for (way = 0; way < 2; way++) {
		if (way) /* with a collector */
			assert_true(xenevtchn_fd(h) >= 0);
		evb_u32_store(&interrupted, 0);
		assert_int_equal(pthread_create(&thread, NULL, await_signal, h),
				 0);
		while (!evb_u32_load(&interrupted))
			(void)pthread_kill(thread, SIGUSR1);
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
	assert_int_equal(xenevtchn_close(h), 0);
}

static void fork_child_closes_parent_works_on(void **state)
{
	xenevtchn_handle *h = open_as("1");
	struct pair p = open_pair(h);
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(xenevtchn_close(h) ? 1 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(xenevtchn_notify(h, (evtchn_port_t)p.out), 0);
	expect_port(h, p.in);
	assert_true(xenevtchn_bind_unbound_port(h, 5) > 0);
	assert_int_equal(xenevtchn_close(h), 0);
}

static void come_and_go(int from, int to, void *arg)
{
	xenevtchn_handle *h = open_as("2");

	(void)from;
	(void)to;
	(void)arg;
	CHECK(xenevtchn_close(h) == 0);
}

static void virq_of_a_domains_death_is_an_event(void **state)
{
	xenevtchn_handle *h = open_as("0");
	int port = xenevtchn_bind_virq(h, VIRQ_OF_DEATHS);
	struct child c;

	(void)state;
	assert_true(port > 0);
	EXPECT_ERROR(xenevtchn_bind_virq(h, VIRQ_OF_DEATHS), EEXIST);
	assert_int_equal(xenevtchn_notify(h, (evtchn_port_t)port), 0);
	c = start_child(come_and_go, NULL);
	assert_int_equal(end_child(&c), 0);
	expect_port(h, port);
	assert_int_equal(xenevtchn_close(h), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(masking_every_row_holds),
		TEST(events_of_three_ports_all_reported_once),
		TEST(ports_that_are_not_ours_are_refused),
		TEST(binds_that_cannot_be_have_xens_errors),
		TEST(handles_wrong_flags_and_descriptors_refused),
		TEST(handles_of_one_process_each_with_its_ports),
		TEST(restrict_other_domains_are_out_of_reach),
		TEST(readiness_follows_events_and_nothing_else),
		TEST(broker_killed_descriptor_stays_quiet),
		TEST(pending_asleep_hears_of_ports_bound_later),
		TEST(pending_asleep_hears_of_an_unmask),
		TEST(pending_asleep_survives_the_first_fd),
		TEST(pending_interrupted_says_so),
		TEST(fork_child_closes_parent_works_on),
		TEST(virq_of_a_domains_death_is_an_event),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
