/* SPDX-License-Identifier: MIT */
/*
 * Descriptors whose close() waits for who sent them: he makes others' wait for
 * nothing, and is not heard with more of them.
 *
 * Such a descriptor is in an epoll instance that is locked, by a thread that
 * waits for memory that does not come (userfaultfd).  bury.c is included, so
 * that more than one user can be played; the broker itself is asked, too.
 *
 * Where somebody might wait for ever, the test's alarm finds it.
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "harness.h"

#include "hosts/process/broker/bury.c"

#define NR_HANGING (MAX_WORKERS + 16)

/* What bury.c needs of the other files.  0 and our user are as the others here. */
bool evd_is_privileged(uid_t uid)
{
	return uid == 0;
}

int64_t evd_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000) + ts.tv_nsec / 1000000;
}

/* --- the trap ------------------------------------------------------------------ */

struct trap {
	int uffd, epoll;
	void *page;
	pthread_t thread;
	int fd[NR_HANGING];
};

static bool make_page(struct trap *t)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register r = {.mode = UFFDIO_REGISTER_MODE_MISSING};

	t->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (t->uffd < 0)
		return false;
	t->page = mmap(NULL, EVP_PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r.range.start = (uintptr_t)t->page;
	r.range.len = EVP_PAGE_SIZE;
	CHECK(t->page != MAP_FAILED && !ioctl(t->uffd, UFFDIO_API, &api) &&
	      !ioctl(t->uffd, UFFDIO_REGISTER, &r));
	return true;
}

static void *lock_epoll(void *arg)
{
	const struct trap *t = arg;

	(void)epoll_wait(t->epoll, t->page, 1, -1);
	return NULL;
}

/* False: cannot be had here. */
static bool set_trap(struct trap *t)
{
	struct epoll_event e = {.events = EPOLLIN};
	struct pollfd p = {.events = POLLIN};
	int i, awake;

	if (!make_page(t))
		return false;
	t->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (i = 0; i < NR_HANGING; i++) {
		t->fd[i] = eventfd(0, EFD_CLOEXEC);
		CHECK(!epoll_ctl(t->epoll, EPOLL_CTL_ADD, t->fd[i], &e));
	}
	awake = eventfd(1, EFD_CLOEXEC);
	CHECK(!epoll_ctl(t->epoll, EPOLL_CTL_ADD, awake, &e));
	CHECK(pthread_create(&t->thread, NULL, lock_epoll, t) == 0);
	p.fd = t->uffd;
	CHECK(poll(&p, 1, -1) == 1); /* the fault: the lock is held */
	return true;
}

static void release(struct trap *t)
{
	struct uffdio_zeropage z = {
		.range = {.start = (uintptr_t)t->page, .len = EVP_PAGE_SIZE}};

	CHECK(!ioctl(t->uffd, UFFDIO_ZEROPAGE, &z));
	CHECK(pthread_join(t->thread, NULL) == 0);
}

static bool skip_without(bool there)
{
	const char *ci = getenv("CI");

	if (there)
		return false;
	printf("# no userfaultfd for faults of the kernel here\n");
	assert_false(ci && !strcmp(ci, "true"));
	return true;
}

/* --- whose waits for whom -------------------------------------------------------- */

/* Returns when what @uid buried is closed. */
static void bury_and_wait(uid_t uid)
{
	struct pollfd p = {.events = POLLIN};
	int end[2];

	CHECK(pipe2(end, O_CLOEXEC) == 0);
	evd_bury(end[1], uid);
	p.fd = end[0];
	CHECK(poll(&p, 1, -1) == 1 && p.revents & POLLHUP);
	(void)close(end[0]);
}

static void play_users(int from, int to, void *arg)
{
	static struct trap t;
	uid_t uid;
	int i;

	(void)from;
	(void)arg;
	if (!set_trap(&t)) {
		say(to, 0);
		return;
	}
	CHECK(!evd_bury_stuck(1));
	for (i = 0; i < NR_HANGING; i++)
		evd_bury(t.fd[i], i < MAX_OF_USER + 1 ? 1 : (uid_t)(2 + i % 3));
	while (!evd_bury_stuck(1))
		(void)sched_yield();
	CHECK(evd_bury_stuck(1) == MAX_OF_USER + 1);
	/* Three have all that is not reserved, and the others wait. */
	bury_and_wait(0);
	CHECK(!evd_bury_stuck(0));
	say(to, 1);
	release(&t);
	for (uid = 1; uid < 5; uid++)
		bury_and_wait(uid);
	for (uid = 1; uid < 5; uid++) {
		while (evd_bury_stuck(uid))
			(void)sched_yield();
	}
}

static void one_user(int from, int to, void *arg)
{
	static struct trap t;
	int i;

	(void)from;
	(void)arg;
	if (!set_trap(&t)) {
		say(to, 0);
		return;
	}
	for (i = 0; i < NR_HANGING; i++)
		evd_bury(t.fd[i], 0);
	bury_and_wait(2);
	while (!evd_bury_stuck(0))
		(void)sched_yield();
	CHECK(!evd_bury_stuck(2));
	say(to, 1);
	release(&t);
	bury_and_wait(0);
}

static void check_play(child_fn fn)
{
	struct child c = start_child(fn, NULL);

	if (skip_without(hear(c.from) == 1)) {
		(void)end_child(&c);
		skip();
	}
	assert_int_equal(end_child(&c), 0);
}

static void one_user_makes_no_other_wait(void **state)
{
	(void)state;
	check_play(one_user);
}

static void many_leave_the_brokers_user_his(void **state)
{
	(void)state;
	check_play(play_users);
}

/* --- the broker ------------------------------------------------------------------ */

/* It asks for none, so it closes it; after us, as the last one hangs. */
static void send_hanging(int fd)
{
	struct evp_hello m;
	int sock;

	CHECK(evp_control_connect(broker.path, &sock) == 0);
	evp_hdr_init(&m.hdr, EVP_HELLO, sizeof(m), 1);
	CHECK(kill(broker.pid, SIGSTOP) == 0);
	CHECK(evp_send_packet(sock, &m, sizeof(m), &fd, 1, 0) == 0);
	(void)close(fd);
	CHECK(kill(broker.pid, SIGCONT) == 0);
	expect_end(sock);
}

static void send_them(int from, int to, void *arg)
{
	static struct trap t;
	int i;

	(void)arg;
	if (!set_trap(&t)) {
		say(to, 0);
		return;
	}
	for (i = 0; i < MAX_OF_USER + 4; i++)
		send_hanging(t.fd[i]);
	say(to, 1);
	(void)hear(from);
	release(&t);
}

/* Is a message with a descriptor heard? */
static bool is_heard(void)
{
	struct evp_adopt m;
	struct pollfd p[2];
	uint32_t domid;
	int pair[2], fd = open_session(EVP_DOMID_ANY, &domid);
	bool heard;

	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	evp_hdr_init(&m.hdr, EVP_ADOPT, sizeof(m), 1);
	CHECK(evp_send_packet(fd, &m, sizeof(m), &pair[1], 1, 0) == 0);
	p[0] = (struct pollfd){.fd = pair[0], .events = POLLIN};
	p[1] = (struct pollfd){.fd = fd, .events = POLLIN};
	CHECK(poll(p, 2, -1) > 0);
	heard = p[0].revents & POLLIN;
	if (!heard)
		expect_end(fd);
	(void)close(pair[0]);
	(void)close(pair[1]);
	(void)close(fd);
	return heard;
}

static void who_sent_too_many_is_heard_without(void **state)
{
	struct child c = start_child(send_them, NULL);
	uint32_t domid;

	(void)state;
	if (skip_without(hear(c.from) == 1)) {
		(void)end_child(&c);
		skip();
	}
	while (is_heard())
		(void)sched_yield();
	/* All else goes on. */
	(void)close(open_session(EVP_DOMID_ANY, &domid));
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	while (!is_heard())
		(void)sched_yield();
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(one_user_makes_no_other_wait),
		TEST(many_leave_the_brokers_user_his),
		TEST(who_sent_too_many_is_heard_without),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("bury", tests, NULL, NULL);
}
