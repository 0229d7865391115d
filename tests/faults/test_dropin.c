/* SPDX-License-Identifier: MIT */
/* libxenevtchn and the end of a peer: told with EVTCHN_NOTICE=1, else not. */
#include <xenevtchn.h>

#include "tests/process/harness.h"

struct handles {
	xenevtchn_handle *here, *there;
	evtchn_port_t port, peer;
};

/* Two handles of one domain, connected, their first events taken. */
static struct handles open_two(const char *notice)
{
	struct handles h;
	int port;

	CHECK(!setenv("EVTCHN_DEVICE", "", 1));
	CHECK(!setenv("EVTCHN_DOMAIN", "3", 1));
	if (notice)
		CHECK(!setenv("EVTCHN_NOTICE", notice, 1));
	else
		CHECK(!unsetenv("EVTCHN_NOTICE"));
	h.here = xenevtchn_open(NULL, 0);
	h.there = xenevtchn_open(NULL, 0);
	CHECK(h.here && h.there);
	port = xenevtchn_bind_unbound_port(h.here, 3);
	CHECK(port > 0);
	h.port = (evtchn_port_t)port;
	port = xenevtchn_bind_interdomain(h.there, 3, h.port);
	CHECK(port > 0);
	h.peer = (evtchn_port_t)port;
	return h;
}

static void close_two(struct handles *h)
{
	CHECK(xenevtchn_close(h->here) == 0);
	CHECK(h->there == NULL || xenevtchn_close(h->there) == 0);
}

static void take_event(struct handles *h)
{
	assert_int_equal(xenevtchn_pending(h->here), h->port);
	assert_int_equal(xenevtchn_unmask(h->here, h->port), 0);
}

static void peer_that_closes_is_an_event_if_asked_for(void **state)
{
	struct handles h = open_two("1");

	(void)state;
	assert_int_equal(xenevtchn_unbind(h.there, h.peer), 0);
	take_event(&h);
	/* It can be bound again, and is told again. */
	assert_true(xenevtchn_bind_interdomain(h.there, 3, h.port) > 0);
	assert_int_equal(xenevtchn_close(h.there), 0);
	h.there = NULL;
	take_event(&h);
	close_two(&h);
}

/* Whoever binds may be left, too. */
static void binder_is_told_as_well(void **state)
{
	struct handles h = open_two("1");

	(void)state;
	assert_int_equal(xenevtchn_pending(h.there), h.peer); /* the bind's */
	assert_int_equal(xenevtchn_unmask(h.there, h.peer), 0);
	assert_int_equal(xenevtchn_unbind(h.here, h.port), 0);
	assert_int_equal(xenevtchn_pending(h.there), h.peer);
	close_two(&h);
}

/* An event sent afterwards is the first one seen: nothing came before. */
static void expect_silence(const char *notice)
{
	struct handles h = open_two(notice);
	int fd = xenevtchn_fd(h.here);
	int second = xenevtchn_bind_unbound_port(h.here, 3);
	int peer;

	assert_true(fd >= 0 && second > 0);
	assert_int_equal(xenevtchn_unbind(h.there, h.peer), 0);
	peer = xenevtchn_bind_interdomain(h.there, 3, (evtchn_port_t)second);
	assert_true(peer > 0);
	assert_int_equal(xenevtchn_notify(h.there, (evtchn_port_t)peer), 0);
	assert_int_equal(xenevtchn_pending(h.here), second);
	close_two(&h);
}

static void nobody_is_told_who_did_not_ask(void **state)
{
	(void)state;
	expect_silence(NULL);
	expect_silence("");
	expect_silence("0");
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(peer_that_closes_is_an_event_if_asked_for),
		TEST(binder_is_told_as_well),
		TEST(nobody_is_told_who_did_not_ask),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("dropin", tests, NULL, NULL);
}
