/* SPDX-License-Identifier: MIT */
/*
 * VIRQ_TIMER by the wall clock and by virtual time.
 *
 * The requirement is a time, but only its lower side is asserted by the wall
 * clock: a loaded machine makes everything late.  That a virtual timer is not
 * late either is asserted by the thread's CPU clock, which no load moves.
 */
#include <poll.h>
#include <pthread.h>
#include <time.h>

#include <abi/vcpu.h>

#include "tests/process/harness.h"

#define MS INT64_C(1000000)
/* The two clocks may differ in speed while the kernel adjusts one of them. */
#define CLOCK_SKEW MS

static int64_t read_clock(clockid_t clock)
{
	struct timespec ts;

	CHECK(!clock_gettime(clock, &ts));
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static int64_t wall(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static int64_t cpu(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

static void pass_time(int64_t ns)
{
	struct timespec ts = {.tv_nsec = ns};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}

static evtchn_port_t bind_timer(struct evp_guest *g, uint64_t *count)
{
	evtchn_port_t port = 0;

	CHECK(evg_bind_virq(evp_evg(g), VIRQ_TIMER, 0, &port) == 0);
	CHECK(evg_bind_handler(evp_evg(g), port, EVG_VCPU_KEEP, count_event,
			       count) == 0);
	return port;
}

static uint64_t nr_hypercalls(const struct evp_guest *g)
{
	struct evp_stats s;

	evp_get_stats(g, &s);
	return s.hypercalls;
}

static uint64_t nr_expired(const struct evp_guest *g)
{
	struct evp_stats s;

	evp_get_stats(g, &s);
	return s.timer;
}

/* --- the wall clock --------------------------------------------------------- */

static void wall_clock_wakes_once_and_not_early(void **state)
{
	struct evp_guest *g = attach(1);
	uint64_t count = 0, calls;
	int64_t start;

	(void)state;
	(void)bind_timer(g, &count);
	calls = nr_hypercalls(g);
	start = wall();
	assert_int_equal(evp_timer_set(g, EVP_CLOCK_WALL, 5 * MS, 0), 0);
	assert_int_equal(evp_wait(g, EVP_FOREVER), 1);
	assert_true(wall() - start >= 5 * MS);
	assert_int_equal(count, 1);
	assert_int_equal(evp_wait(g, 20 * MS), 0);
	assert_int_equal(count, 1);
	assert_int_equal(nr_expired(g), 1);
	/* No message to the broker in all this. */
	assert_int_equal(nr_hypercalls(g), calls);
	evp_detach(g);
}

static void periodic_ticks_without_a_backlog(void **state)
{
	struct evp_guest *g = attach(1);
	uint64_t count = 0;
	int64_t start = wall();

	(void)state;
	(void)bind_timer(g, &count);
	assert_int_equal(evp_timer_set(g, EVP_CLOCK_WALL, MS, 2 * MS), 0);
	wait_count(g, &count, 10);
	assert_true(wall() - start >= MS + 9 * 2 * MS);
	/* Ten periods later: one tick. */
	pass_time(20 * MS);
	count = 0;
	start = wall();
	assert_int_equal(evp_poll(g), 1);
	assert_int_equal(count, 1);
	wait_count(g, &count, 2);
	assert_true(wall() - start >= 2 * MS);
	evp_timer_stop(g, EVP_CLOCK_WALL);
	assert_int_equal(evp_wait(g, 10 * MS), 0);
	evp_detach(g);
}

/*
 * A program with a loop of its own sleeps in poll(2).  It may be woken for
 * nothing: by the broker's ring for an answer that was read long ago.
 */
static int sleep_in_poll(struct evp_guest *g, int timeout_ms)
{
	struct pollfd p = {.fd = evp_fd(g), .events = POLLIN};
	int rc = 0;

	do {
		if (evp_arm(g))
			continue;
		if (poll(&p, 1, timeout_ms) == 0)
			return 0;
		assert_int_equal(p.revents, POLLIN);
	} while (!(rc = evp_poll(g)));
	return rc;
}

static void descriptor_is_readable_when_it_expires(void **state)
{
	struct evp_guest *g = attach(1);
	uint64_t count = 0;
	int64_t start = wall();

	(void)state;
	(void)bind_timer(g, &count);
	assert_int_equal(evp_timer_set(g, EVP_CLOCK_WALL, 3 * MS, 0), 0);
	assert_int_equal(sleep_in_poll(g, -1), 1);
	assert_true(wall() - start >= 3 * MS);
	assert_int_equal(count, 1);
	/* And not any more: the program sleeps again. */
	assert_int_equal(sleep_in_poll(g, 0), 0);
	evp_detach(g);
}

static void goes_on_without_the_broker(void **state)
{
	struct evp_guest *g = attach(1);
	uint64_t count = 0;

	(void)state;
	(void)bind_timer(g, &count);
	kill_broker();
	assert_int_equal(evp_timer_set(g, EVP_CLOCK_WALL, MS, MS), 0);
	wait_count(g, &count, 5);
	/* One whose timer always expires before it sleeps need not hear of it. */
	evp_timer_stop(g, EVP_CLOCK_WALL);
	while (evp_broker_is_there(g))
		(void)evp_wait(g, MS);
	assert_int_equal(evp_wait(g, 5 * MS), 0);
	evp_detach(g);
}

/* Nothing can come but what a timer brings: wait for that, and no longer. */
static void wait_for_ever_ends_with_the_last_timer(void **state)
{
	struct evp_guest *g = attach(1);
	int64_t start = wall();

	(void)state;
	kill_broker();
	assert_int_equal(evp_timer_set(g, EVP_CLOCK_WALL, 5 * MS, 0), 0);
	assert_int_equal(evp_wait(g, EVP_FOREVER), -ECONNRESET);
	assert_true(wall() - start >= 5 * MS);
	evp_detach(g);
}

/* --- virtual time ----------------------------------------------------------- */

/* Compute, polling, until the timer has fired; never early, never late. */
static void check_virtual(struct evp_guest *g, const uint64_t *count,
			  int64_t target)
{
	uint64_t seen = *count;
	int64_t before;

	do {
		before = cpu();
		(void)evp_poll(g);
		if (*count == seen)
			CHECK(before < target + CLOCK_SKEW);
	} while (*count == seen);
	CHECK(cpu() >= target);
	CHECK(*count == seen + 1);
}

static void virtual_clock_counts_received_time(void **state)
{
	struct evp_guest *g = attach(1);
	uint64_t count = 0, calls;
	int64_t start, slept;

	(void)state;
	(void)bind_timer(g, &count);
	calls = nr_hypercalls(g);
	start = cpu();
	assert_int_equal(evp_timer_set(g, EVP_CLOCK_VIRTUAL, 20 * MS, 0), 0);
	/* Sleeping receives nothing, so a long sleep does not bring it. */
	slept = wall();
	assert_int_equal(evp_wait(g, 60 * MS), 0);
	assert_true(wall() - slept >= 60 * MS);
	assert_true(cpu() - start < 20 * MS);
	assert_int_equal(count, 0);
	check_virtual(g, &count, start + 20 * MS);
	assert_int_equal(evp_wait(g, 5 * MS), 0);
	/* Again and again. */
	start = cpu();
	assert_int_equal(evp_timer_set(g, EVP_CLOCK_VIRTUAL, 2 * MS, 3 * MS),
			 0);
	check_virtual(g, &count, start + 2 * MS);
	start = cpu();
	check_virtual(g, &count, start + 2 * MS);
	evp_timer_stop(g, EVP_CLOCK_VIRTUAL);
	assert_int_equal(nr_hypercalls(g), calls);
	evp_detach(g);
}

/* Both clocks at once: which it was, the clocks themselves tell. */
static void run_two_clocks(int from, int to, void *arg)
{
	struct evp_guest *g = attach(1);
	uint64_t count = 0;
	int64_t start;

	(void)arg;
	(void)bind_timer(g, &count);
	start = cpu();
	CHECK(!evp_timer_set(g, EVP_CLOCK_VIRTUAL, 30 * MS, 0));
	CHECK(!evp_timer_set(g, EVP_CLOCK_WALL, 10 * MS, 0));
	say(to, 1);
	(void)hear(from); /* stopped and continued meanwhile */
	CHECK(cpu() < start + 30 * MS);
	CHECK(evp_poll(g) == 1);
	CHECK(count == 1 && nr_expired(g) == 1); /* the wall clock's */
	check_virtual(g, &count, start + 30 * MS);
	evp_detach(g);
}

static void stopped_domain_has_wall_time_but_no_virtual_time(void **state)
{
	struct child c = start_child(run_two_clocks, NULL);
	int status;

	(void)state;
	(void)hear(c.from);
	assert_int_equal(kill(c.pid, SIGSTOP), 0);
	assert_int_equal(waitpid(c.pid, &status, WUNTRACED), c.pid);
	assert_true(WIFSTOPPED(status));
	pass_time(60 * MS);
	assert_int_equal(kill(c.pid, SIGCONT), 0);
	say(c.to, 1);
	assert_int_equal(end_child(&c), 0);
}

/* --- upcalls by signal -------------------------------------------------------- */

static volatile int64_t fired_at;

static void note_time(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)v;
	(void)port;
	(void)ctx;
	fired_at = cpu();
}

static struct evp_guest *attach_with_signal(void)
{
	struct evp_options o = {.domain = 1, .upcall_signal = SIGUSR1};
	struct evp_guest *g = NULL;
	evtchn_port_t port = 0;

	CHECK(!evp_attach(&g, &o));
	CHECK(!evg_bind_virq(evp_evg(g), VIRQ_TIMER, 0, &port));
	CHECK(!evg_bind_handler(evp_evg(g), port, EVG_VCPU_KEEP, note_time,
				NULL));
	return g;
}

/* It calls nothing that could be a safe point. */
static int64_t compute_until_it_fires(void)
{
	while (!fired_at)
		;
	return fired_at;
}

static void either_clock_interrupts_a_vcpu_that_computes(void **state)
{
	struct evp_guest *g = attach_with_signal();
	int64_t start;
	int i;

	(void)state;
	for (i = 0; i < 5; i++) {
		fired_at = 0;
		start = cpu();
		CHECK(!evp_timer_set(g, EVP_CLOCK_VIRTUAL, 5 * MS, 0));
		assert_true(compute_until_it_fires() - start >= 5 * MS);
		fired_at = 0;
		start = wall();
		CHECK(!evp_timer_set(g, EVP_CLOCK_WALL, 2 * MS, 0));
		(void)compute_until_it_fires();
		assert_true(wall() - start >= 2 * MS);
	}
	evp_detach(g);
}

/* And nobody asks for it meanwhile: the listener sleeps as well. */
static void virtual_clock_wakes_nobody_and_goes_on_after_sleep(void **state)
{
	struct evp_guest *g = attach_with_signal();
	struct timespec before, after;
	clockid_t process = CLOCK_PROCESS_CPUTIME_ID;
	int64_t start = cpu();

	(void)state;
	fired_at = 0;
	CHECK(!evp_timer_set(g, EVP_CLOCK_VIRTUAL, 20 * MS, 0));
	CHECK(!clock_gettime(process, &before));
	assert_int_equal(evp_wait(g, 500 * MS), 0);
	CHECK(!clock_gettime(process, &after));
	assert_int_equal(fired_at, 0);
	/* 2,500 questions in vain would take more. */
	assert_true((after.tv_sec - before.tv_sec) * 1000000000 +
			    after.tv_nsec - before.tv_nsec <
		    15 * MS);
	assert_true(compute_until_it_fires() - start >= 20 * MS);
	evp_detach(g);
}

static void sleeping_vcpu_is_woken_by_the_wall_clock(void **state)
{
	struct evp_guest *g = attach_with_signal();
	int64_t start = wall();

	(void)state;
	fired_at = 0;
	CHECK(!evp_timer_set(g, EVP_CLOCK_WALL, 3 * MS, 0));
	assert_true(evp_wait(g, EVP_FOREVER) >= 0);
	while (!fired_at)
		assert_true(evp_wait(g, EVP_FOREVER) >= 0);
	assert_true(wall() - start >= 3 * MS);
	evp_detach(g);
}

/* Two vCPUs, each with its own VIRQ_TIMER and its own time. */
struct second {
	struct evp_guest *g;
	uint64_t count;
};

static void *be_second(void *arg)
{
	struct second *s = arg;
	evtchn_port_t port = 0;
	int64_t start;

	CHECK(!evp_vcpu_enter(s->g, 1));
	CHECK(!evg_bind_virq(evp_evg(s->g), VIRQ_TIMER, 1, &port));
	CHECK(!evg_bind_handler(evp_evg(s->g), port, EVG_VCPU_KEEP, count_event,
				&s->count));
	start = cpu();
	CHECK(!evp_timer_set(s->g, EVP_CLOCK_VIRTUAL, 5 * MS, 0));
	while (!s->count)
		(void)evp_poll(s->g);
	CHECK(cpu() - start >= 5 * MS);
	evp_vcpu_leave(s->g);
	return NULL;
}

static void vcpus_have_timers_of_their_own(void **state)
{
	struct evp_options o = {.domain = 1, .nr_vcpus = 2};
	struct second s = {NULL, 0};
	uint64_t count = 0;
	pthread_t thread;

	(void)state;
	CHECK(!evp_attach(&s.g, &o));
	(void)bind_timer(s.g, &count);
	CHECK(!pthread_create(&thread, NULL, be_second, &s));
	CHECK(!pthread_join(thread, NULL));
	assert_int_equal(evp_poll(s.g), 0);
	assert_int_equal(count, 0);
	CHECK(!evp_timer_set(s.g, EVP_CLOCK_WALL, MS, 0));
	wait_count(s.g, &count, 1);
	assert_int_equal(s.count, 1);
	evp_detach(s.g);
}

/* --- ports ------------------------------------------------------------------ */

static void unbound_is_lost_and_hits_no_other_port(void **state)
{
	struct evp_guest *g = attach(1);
	uint64_t count = 0, other = 0;
	evtchn_port_t port, next;

	(void)state;
	assert_int_equal(evp_timer_set(g, EVP_CLOCK_WALL, MS, MS), 0);
	while (nr_expired(g) < 2)
		assert_int_equal(evp_poll(g), 0);
	port = bind_timer(g, &count);
	wait_count(g, &count, 1);
	assert_int_equal(evg_close(evp_evg(g), port), 0);
	/* The number is somebody else's now. */
	next = open_unbound(g, 2, count_event, &other);
	assert_int_equal(next, port);
	count = nr_expired(g);
	while (nr_expired(g) < count + 3)
		(void)evp_wait(g, 2 * MS);
	assert_int_equal(other, 0);
	evp_detach(g);
}

/* --- the hypercalls --------------------------------------------------------- */

static int vcpu_op(struct evp_guest *g, unsigned int cmd, void *arg)
{
	return evg_plat_hypercall(evp_evg(g), __HYPERVISOR_vcpu_op, cmd, arg);
}

static int periodic(struct evp_guest *g, uint64_t period_ns)
{
	struct vcpu_set_periodic_timer op = {.period_ns = period_ns};

	return vcpu_op(g, VCPUOP_set_periodic_timer, &op);
}

static int singleshot(struct evp_guest *g, uint64_t abs_ns, uint32_t flags)
{
	struct vcpu_set_singleshot_timer op = {.timeout_abs_ns = abs_ns,
					       .flags = flags};

	return vcpu_op(g, VCPUOP_set_singleshot_timer, &op);
}

static void hypercall_singleshot_is_absolute_and_past_is_now(void **state)
{
	struct evp_guest *g = attach(1);
	uint64_t count = 0;
	int64_t at;

	(void)state;
	(void)bind_timer(g, &count);
	at = wall() + 5 * MS;
	assert_int_equal(singleshot(g, (uint64_t)at, 0), 0);
	wait_count(g, &count, 1);
	assert_true(wall() >= at);
	assert_int_equal(singleshot(g, 0, VCPU_SSHOTTMR_future), 0);
	assert_int_equal(evp_poll(g), 1);
	assert_int_equal(singleshot(g, 1, 0), 0);
	assert_int_equal(evp_wait(g, EVP_FOREVER), 1);
	assert_int_equal(count, 3);
	/* One that was taken back, and one in 292 years. */
	assert_int_equal(singleshot(g, (uint64_t)(wall() + 2 * MS), 0), 0);
	assert_int_equal(vcpu_op(g, VCPUOP_stop_singleshot_timer, NULL), 0);
	assert_int_equal(evp_wait(g, 10 * MS), 0);
	assert_int_equal(singleshot(g, UINT64_MAX, 0), 0);
	assert_int_equal(evp_wait(g, MS), 0);
	assert_int_equal(vcpu_op(g, VCPUOP_set_singleshot_timer, (void *)8),
			 -XEN_EFAULT);
	evp_detach(g);
}

static void hypercall_periodic_takes_periods_it_can_keep(void **state)
{
	static const uint64_t bad[] = {
		0, 1, 999999, INT64_MAX - 1, INT64_MAX, 1ull << 63, UINT64_MAX};
	struct evp_guest *g = attach(1);
	uint64_t count = 0;
	size_t i;

	(void)state;
	(void)bind_timer(g, &count);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(periodic(g, bad[i]), -XEN_EINVAL);
	assert_int_equal(vcpu_op(g, VCPUOP_set_periodic_timer, NULL),
			 -XEN_EFAULT);
	assert_int_equal(evp_wait(g, 2 * MS), 0);
	assert_int_equal(periodic(g, 1000000), 0);
	wait_count(g, &count, 5);
	/* Both at the same time; they are two. */
	assert_int_equal(periodic(g, 3600000000000), 0);
	assert_int_equal(singleshot(g, 1, 0), 0);
	assert_int_equal(evp_poll(g), 1);
	assert_int_equal(vcpu_op(g, VCPUOP_stop_periodic_timer, NULL), 0);
	assert_int_equal(evp_wait(g, 2 * MS), 0);
	assert_int_equal(count, 6);
	evp_detach(g);
}

static void times_that_make_no_sense_are_refused_or_never_come(void **state)
{
	static const enum evp_clock clock[] = {EVP_CLOCK_WALL,
					       EVP_CLOCK_VIRTUAL};
	struct evp_guest *g = attach(1);
	uint64_t count = 0;
	int i;

	(void)state;
	(void)bind_timer(g, &count);
	for (i = 0; i < 2; i++) {
		assert_int_equal(evp_timer_set(g, clock[i], 0, 0), -EINVAL);
		assert_int_equal(evp_timer_set(g, clock[i], -1, 0), -EINVAL);
		assert_int_equal(evp_timer_set(g, clock[i], 1, -1), -EINVAL);
		assert_int_equal(
			evp_timer_set(g, clock[i], INT64_MAX, INT64_MAX), 0);
	}
	assert_int_equal(evp_wait(g, 2 * MS), 0);
	/* The shortest, with no end: each call ends, and each has a tick. */
	assert_int_equal(evp_timer_set(g, EVP_CLOCK_WALL, 1, 1), 0);
	for (i = 0; i < 1000; i++)
		assert_int_equal(evp_wait(g, EVP_FOREVER), 1);
	assert_int_equal(count, 1000);
	evp_timer_stop(g, EVP_CLOCK_WALL);
	/* The first expires and its period never ends. */
	assert_int_equal(evp_timer_set(g, EVP_CLOCK_WALL, 1, INT64_MAX), 0);
	assert_int_equal(evp_wait(g, EVP_FOREVER), 1);
	assert_int_equal(evp_wait(g, 2 * MS), 0);
	evp_detach(g);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(wall_clock_wakes_once_and_not_early),
		TEST(periodic_ticks_without_a_backlog),
		TEST(descriptor_is_readable_when_it_expires),
		TEST(goes_on_without_the_broker),
		TEST(wait_for_ever_ends_with_the_last_timer),
		TEST(virtual_clock_counts_received_time),
		TEST(stopped_domain_has_wall_time_but_no_virtual_time),
		TEST(either_clock_interrupts_a_vcpu_that_computes),
		TEST(virtual_clock_wakes_nobody_and_goes_on_after_sleep),
		TEST(sleeping_vcpu_is_woken_by_the_wall_clock),
		TEST(vcpus_have_timers_of_their_own),
		TEST(unbound_is_lost_and_hits_no_other_port),
		TEST(hypercall_singleshot_is_absolute_and_past_is_now),
		TEST(hypercall_periodic_takes_periods_it_can_keep),
		TEST(times_that_make_no_sense_are_refused_or_never_come),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
