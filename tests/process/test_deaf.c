/* SPDX-License-Identifier: MIT */
/*
 * A lane whose bell cannot be heard, since epoll(7) has no watch for it: its
 * events come all the same, and after it all is as it was.
 *
 * All domains are in this process; who cannot hear is this program's to say.
 */
#include <poll.h>
#include <sys/timerfd.h>

#include "harness.h"

#include "hosts/process/guest.h"

#define MINUTE_MS 60000

static int deaf_epoll = -1; /* here nothing is heard any more */
static bool no_timers;

int __real_evp_bell_hear(int epoll, int bell, uint64_t lane);
int __wrap_evp_bell_hear(int epoll, int bell, uint64_t lane);
int __real_timerfd_create(int clock, int flags);
int __wrap_timerfd_create(int clock, int flags);

int __wrap_evp_bell_hear(int epoll, int bell, uint64_t lane)
{
	return epoll == deaf_epoll ? -ENOSPC
				   : __real_evp_bell_hear(epoll, bell, lane);
}

int __wrap_timerfd_create(int clock, int flags)
{
	if (!no_timers)
		return __real_timerfd_create(clock, flags);
	errno = EMFILE;
	return -1;
}

/* Domain 1 does not hear its peer, 2. */
struct stage {
	struct evp_guest *g, *peer;
	evtchn_port_t port, its;
	uint64_t count, ignored;
	struct evp_lane *lane;
};

static void set_the_stage(struct stage *s, uint32_t nr_vcpus, bool timers)
{
	struct evp_options o = {.domain = 1, .nr_vcpus = nr_vcpus};

	memset(s, 0, sizeof(*s));
	assert_int_equal(evp_attach(&s->g, &o), 0);
	s->peer = attach_spin(2, 0);
	deaf_epoll = s->g->epoll;
	no_timers = !timers;
	s->port = open_unbound(s->g, 2, count_event, &s->count);
	s->its = open_bound(s->peer, 1, s->port, count_event, &s->ignored);
	while (!s->g->chan[s->port].lane) {
		assert_true(evp_poll(s->peer) >= 0);
		assert_int_equal(evg_notify(evp_evg(s->peer), s->its), 0);
		assert_true(evp_poll(s->g) >= 0);
	}
	s->lane = s->g->chan[s->port].lane;
	assert_true(evp_poll(s->peer) >= 0);
}

static void leave_the_stage(struct stage *s)
{
	deaf_epoll = -1;
	no_timers = false;
	evp_detach(s->peer);
	evp_detach(s->g);
}

/* Until there is nothing; then it may sleep, or it may not. */
static bool lie_down(struct stage *s)
{
	int i;

	for (i = 0; i < 100; i++) {
		assert_true(evp_poll(s->g) >= 0);
		if (!evp_arm(s->g))
			return true;
	}
	return false;
}

/* Sent while it lies down; asleep or not, it comes. */
static void expect_one(struct stage *s)
{
	struct pollfd p = {.fd = evp_fd(s->g), .events = POLLIN};
	bool asleep = lie_down(s);
	uint64_t before = s->count;

	assert_true(goes_direct(s->peer, s->its));
	while (s->count == before) {
		if (asleep)
			assert_int_equal(poll(&p, 1, MINUTE_MS), 1);
		assert_true(evp_poll(s->g) >= 0);
		asleep = !evp_arm(s->g);
	}
	assert_int_equal(s->count, before + 1);
}

static bool is_heard(const struct stage *s)
{
	bool heard;

	evp_guest_lock(s->g);
	heard = s->lane->index < s->g->nr_open;
	evp_guest_unlock(s->g);
	return heard;
}

static void go_through(uint32_t nr_vcpus, bool timers)
{
	struct stage s;
	int i;

	set_the_stage(&s, nr_vcpus, timers);
	for (i = 0; i < 3; i++) {
		expect_one(&s);
		assert_false(is_heard(&s));
	}
	deaf_epoll = -1;
	no_timers = false;
	while (!is_heard(&s))
		assert_true(evp_poll(s.g) >= 0);
	expect_one(&s);
	assert_int_equal(s.g->reopen_at, EVP_NO_DEADLINE);
	leave_the_stage(&s);
}

static void who_cannot_hear_looks(void **state)
{
	(void)state;
	go_through(1, true);
}

static void without_a_timer_nobody_sleeps(void **state)
{
	struct stage s;

	(void)state;
	go_through(1, false);
	set_the_stage(&s, 1, false);
	assert_false(lie_down(&s));
	leave_the_stage(&s);
}

static void nor_does_a_listener(void **state)
{
	(void)state;
	go_through(2, true);
	go_through(2, false);
}

/* What is shut for want of a watch is of no more interest when it is closed. */
static void a_closed_channel_is_not_looked_at(void **state)
{
	struct stage s;

	(void)state;
	set_the_stage(&s, 1, true);
	expect_one(&s);
	assert_int_equal(evg_close(evp_evg(s.g), s.port), 0);
	while (s.g->reopen_at != EVP_NO_DEADLINE)
		assert_true(evp_poll(s.g) >= 0);
	assert_true(lie_down(&s));
	leave_the_stage(&s);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(who_cannot_hear_looks),
		TEST(without_a_timer_nobody_sleeps),
		TEST(nor_does_a_listener),
		TEST(a_closed_channel_is_not_looked_at),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("deaf", tests, NULL, NULL);
}
