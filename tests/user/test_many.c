/* SPDX-License-Identifier: MIT */
/*
 * A libxenevtchn handle with more ports than the 2-level ABI has: 10,000, all of
 * which have events, are masked and unmasked, closed, and go on after an exec().
 *
 * After exec() this program is run as `test_many FD`.
 */
#include <xenevtchn.h>

#include "tests/process/harness.h"

#define MANY 5000 /* channels; each has two ports */

static char self[4096];
static int in[MANY], out[MANY]; /* what is sent on out arrives at in */

static xenevtchn_handle *open_as(const char *domain, unsigned int flags)
{
	xenevtchn_handle *h;

	CHECK(setenv("EVTCHN_DOMAIN", domain, 1) == 0);
	CHECK(setenv("EVTCHN_DEVICE", "", 1) == 0);
	h = xenevtchn_open(NULL, flags);
	CHECK(h);
	return h;
}

static void expect(xenevtchn_handle *h, int port)
{
	int got = xenevtchn_pending(h);

	CHECK(got == port);
	CHECK(xenevtchn_unmask(h, (evtchn_port_t)port) == 0);
}

static void open_channels(xenevtchn_handle *h, int from, int to)
{
	int i;

	for (i = from; i < to; i++) {
		in[i] = xenevtchn_bind_unbound_port(h, DOMID_SELF);
		CHECK(in[i] > 0);
		out[i] = xenevtchn_bind_interdomain(h, DOMID_SELF,
						    (evtchn_port_t)in[i]);
		CHECK(out[i] > 0);
		expect(h, out[i]); /* that of the connection */
	}
}

static void notify(xenevtchn_handle *h, int port)
{
	CHECK(xenevtchn_notify(h, (evtchn_port_t)port) == 0);
}

/* One event each, first the odd ones; they come in the order they were sent. */
static void send_to_all(xenevtchn_handle *h, int n)
{
	int i, first;

	for (first = 1; first >= 0; first--) {
		for (i = first; i < n; i += 2)
			notify(h, out[i]);
	}
	for (first = 1; first >= 0; first--) {
		for (i = first; i < n; i += 2)
			expect(h, in[i]);
	}
}

static void handle_with_10000_ports(void **state)
{
	xenevtchn_handle *h = open_as("1", 0), *other;
	int i, port;

	(void)state;
	open_channels(h, 0, MANY);
	assert_true(out[MANY - 1] >= 2 * MANY);
	send_to_all(h, MANY);
	/* Another handle of the domain starts where this one is. */
	other = open_as("1", 0);
	port = xenevtchn_bind_unbound_port(other, 2);
	assert_true(port > out[MANY - 1]);
	assert_int_equal(xenevtchn_close(other), 0);
	/* Masked: what comes then waits, as one event. */
	notify(h, out[MANY - 1]);
	assert_int_equal(xenevtchn_pending(h), in[MANY - 1]);
	notify(h, out[MANY - 1]);
	notify(h, out[MANY - 1]);
	notify(h, out[0]);
	expect(h, in[0]);
	assert_int_equal(xenevtchn_unmask(h, (evtchn_port_t)in[MANY - 1]), 0);
	expect(h, in[MANY - 1]);
	/* A port that is closed takes its event with it. */
	for (i = MANY - 10; i < MANY; i++)
		notify(h, out[i]);
	for (i = MANY - 10; i < MANY - 5; i++)
		assert_int_equal(xenevtchn_unbind(h, (evtchn_port_t)in[i]), 0);
	for (; i < MANY; i++)
		expect(h, in[i]);
	assert_int_equal(xenevtchn_close(h), 0);
}

/* The events of before, and in which state a port was, do not matter. */
static void switch_leaves_every_port_as_it_was(void **state)
{
	const int few = EVTCHN_2L_NR_CHANNELS_64 / 2 - 1; /* 4,094 ports */
	xenevtchn_handle *h = open_as("1", 0);

	(void)state;
	open_channels(h, 0, few);
	notify(h, out[0]);
	notify(h, out[1]);
	assert_int_equal(xenevtchn_pending(h), in[0]);
	notify(h, out[0]); /* while it is masked */
	notify(h, out[2]);
	/* As libxenevtchn's own: the number is more than there can be. */
	assert_int_equal(xenevtchn_unbind(h, EVTCHN_2L_NR_CHANNELS_64), -1);
	assert_int_equal(errno, EINVAL);
	in[few] = xenevtchn_bind_unbound_port(h, DOMID_SELF);
	assert_int_equal(in[few], EVTCHN_2L_NR_CHANNELS_64 - 1);
	out[few] = xenevtchn_bind_interdomain(h, DOMID_SELF,
					      (evtchn_port_t)in[few]);
	assert_int_equal(out[few], EVTCHN_2L_NR_CHANNELS_64);
	assert_int_equal(xenevtchn_unbind(h, EVTCHN_2L_NR_CHANNELS_64 + 1), -1);
	assert_int_equal(errno, ENOTCONN);
	expect(h, in[1]);
	expect(h, in[2]);
	expect(h, out[few]);
	assert_int_equal(xenevtchn_unmask(h, (evtchn_port_t)in[0]), 0);
	expect(h, in[0]);
	send_to_all(h, few + 1);
	assert_int_equal(xenevtchn_close(h), 0);
}

/* --- after exec() ------------------------------------------------------------------- */

static void be_replaced(int from, int to, void *arg)
{
	xenevtchn_handle *h = open_as("1", XENEVTCHN_NO_CLOEXEC);
	char text[16];
	char *argv[] = {self, text, NULL};

	(void)from;
	(void)to;
	(void)arg;
	open_channels(h, 0, MANY);
	(void)snprintf(text, sizeof(text), "%d", xenevtchn_fd(h));
	CHECK(execv(self, argv) == 0);
}

/* Every port had an event, as every one has after exec(); and they work. */
static int go_on(int fd)
{
	static bool came[2 * MANY + 1];
	xenevtchn_handle *h = xenevtchn_fdopen(NULL, fd, 0);
	int i, port;

	CHECK(h);
	for (i = 0; i < 2 * MANY; i++) {
		port = xenevtchn_pending(h);
		CHECK(port > 0 && port <= 2 * MANY && !came[port]);
		came[port] = true;
		CHECK(xenevtchn_unmask(h, (evtchn_port_t)port) == 0);
	}
	for (i = 0; i < MANY; i++) {
		in[i] = 2 * i + 1;
		out[i] = 2 * i + 2;
	}
	send_to_all(h, MANY);
	return xenevtchn_close(h);
}

static void ports_10000_go_on_after_exec(void **state)
{
	struct child c = start_child(be_replaced, NULL);

	(void)state;
	assert_int_equal(end_child(&c), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(handle_with_10000_ports),
		TEST(switch_leaves_every_port_as_it_was),
		TEST(ports_10000_go_on_after_exec),
	};

	if (!realpath("/proc/self/exe", self))
		return 1;
	if (argc > 1)
		return go_on(atoi(argv[1]));
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
