/* SPDX-License-Identifier: MIT */
/*
 * The broker's descriptors: nobody can make it keep what it did not ask for,
 * it does not run hot when it has none left, and it does not mind which of the
 * standard ones it is started with.
 */
#include <netinet/in.h>
#include <sys/resource.h>
#include <time.h>

#include "harness.h"

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76 /* Linux 6.5 */
#endif

#define MANY 8

/* --- looking at the broker ---------------------------------------------------- */

/* The number its next descriptor would have. */
static int lowest_free_fd(void)
{
	char name[64], target[8];
	int fd = -1;

	do {
		(void)snprintf(name, sizeof(name), "/proc/%d/fd/%d",
			       (int)broker.pid, ++fd);
	} while (readlink(name, target, sizeof(target)) >= 0);
	return fd;
}

/* R, S, ...: proc(5). */
static char state_of_broker(void)
{
	char text[512] = "", name[64];
	const char *at;
	FILE *f;

	(void)snprintf(name, sizeof(name), "/proc/%d/stat", (int)broker.pid);
	f = fopen(name, "r");
	CHECK(f && fgets(text, sizeof(text), f));
	(void)fclose(f);
	at = strrchr(text, ')');
	CHECK(at && at[1] == ' ');
	return at[2];
}

/* One who spins never does. */
static bool broker_sleeps_soon(void)
{
	time_t end = time(NULL) + 10;

	while (state_of_broker() != 'S') {
		if (time(NULL) > end)
			return false;
	}
	return true;
}

static void ask_something(int fd)
{
	static struct evp_domain_entry e[EVP_DOMAINS_PER_PAGE];
	uint32_t cursor = 0;

	CHECK(evp_control_domains(fd, &cursor, e, EVP_DOMAINS_PER_PAGE) >= 0);
}

/* --- descriptors nobody asked for --------------------------------------------- */

static void send_with_fds(int sock, enum evp_type type, size_t len, int what,
			  unsigned int n)
{
	union {
		char bytes[CMSG_SPACE(MANY * sizeof(int))];
		struct cmsghdr hdr;
	} control = {.bytes = {0}};
	struct evp_domains m = {.domid = 0};
	struct iovec iov = {.iov_base = &m, .iov_len = len};
	struct msghdr h = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = CMSG_SPACE(n * sizeof(int))};
	unsigned int i;

	evp_hdr_init(&m.hdr, type, len, 1);
	control.hdr.cmsg_level = SOL_SOCKET;
	control.hdr.cmsg_type = SCM_RIGHTS;
	control.hdr.cmsg_len = CMSG_LEN(n * sizeof(int));
	for (i = 0; i < n; i++)
		memcpy(CMSG_DATA(&control.hdr) + i * sizeof(int), &what,
		       sizeof(int));
	CHECK(sendmsg(sock, &h, MSG_NOSIGNAL) == (ssize_t)len);
}

/*
 * A peer sees its connection end a moment before the broker has closed all of
 * it.  What is asked after that is answered after that.
 */
static void await_nr_fds_after(int keep, int n)
{
	ask_something(keep);
	await_nr_fds(n);
}

static void descriptors_unasked_one_to_eight_all_closed(void **state)
{
	int keep = raw_greeted();
	int before = nr_fds(), fd;
	uint32_t domid;
	unsigned int n;

	(void)state;
	for (n = 1; n <= MANY; n++) {
		fd = raw();
		send_with_fds(fd, EVP_HELLO, sizeof(struct evp_hello), fd, n);
		expect_end(fd);
		await_nr_fds_after(keep, before);
		fd = raw_greeted();
		send_with_fds(fd, EVP_DOMAINS, sizeof(struct evp_domains), fd,
			      n);
		expect_end(fd);
		await_nr_fds_after(keep, before);
		fd = open_session(EVP_DOMID_ANY, &domid);
		send_with_fds(fd, EVP_ADOPT, sizeof(struct evp_adopt),
			      STDERR_FILENO, n);
		expect_end(fd);
		await_nr_fds_after(keep, before);
	}
	(void)close(keep);
}

/*
 * A connection by ADOPT, through a socket that both ends of are open here, and
 * that has an option set.
 */
static int adopted(int session, int *through, int option)
{
	struct evp_packet p;
	int pair[2], one = 1;

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	*through = pair[1];
	if (option &&
	    setsockopt(pair[1], SOL_SOCKET, option, &one, sizeof(one)))
		CHECK(errno == ENOPROTOOPT);
	send_with_fds(session, EVP_ADOPT, sizeof(struct evp_adopt), pair[1], 1);
	CHECK(evp_recv_packet(pair[0], &p, 0) == 0);
	CHECK(p.u.hdr.type == EVP_WELCOME && p.nr_fds == 1);
	(void)close(pair[0]);
	return p.fd[0];
}

static void adopting_keeps_nothing_of_the_socket_that_was_sent(void **state)
{
	const int option[] = {0, SO_PASSPIDFD, SO_PASSCRED};
	uint32_t domid;
	int session = open_session(EVP_DOMID_ANY, &domid);
	int before = nr_fds(), fd, through, i, k;

	(void)state;
	for (i = 0; i < 3; i++) {
		fd = adopted(session, &through, option[i]);
		/* Nobody listens there any more. */
		CHECK(fcntl(through, F_SETFL, O_NONBLOCK) == 0);
		for (k = 0; k < 20; k++)
			(void)send(through, "garbage", 7, MSG_NOSIGNAL);
		await_nr_fds_after(session, before + 1);
		ask_something(fd);
		(void)close(fd);
		await_nr_fds_after(session, before);
		(void)close(through);
	}
	(void)close(session);
}

/* --- closing that takes long -------------------------------------------------- */

/* A connection that its last close() waits for, as long as nobody reads. */
static int slow_to_close(int *unread)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct linger linger = {.l_onoff = 1, .l_linger = TIME_LIMIT * 10};
	socklen_t len = sizeof(in);
	static const char junk[65536];
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(bind(listener, (struct sockaddr *)&in, len) == 0);
	CHECK(listen(listener, 1) == 0);
	CHECK(getsockname(listener, (struct sockaddr *)&in, &len) == 0);
	CHECK(connect(fd, (struct sockaddr *)&in, len) == 0);
	*unread = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(*unread >= 0);
	(void)close(listener);
	while (send(fd, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		;
	CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) ==
	      0);
	return fd;
}

/* The broker's is the last one: it looks when ours is closed. */
static int send_slow(int sock, enum evp_type type, size_t len)
{
	int unread, slow = slow_to_close(&unread);

	CHECK(kill(broker.pid, SIGSTOP) == 0);
	send_with_fds(sock, type, len, slow, 1);
	(void)close(slow);
	CHECK(kill(broker.pid, SIGCONT) == 0);
	return unread;
}

static void descriptor_slow_to_close_does_not_stop_the_broker(void **state)
{
	int keep = raw_greeted(), unread[3], fd, before = nr_fds();
	uint32_t domid;

	(void)state;
	/* Unasked. */
	fd = raw();
	unread[0] = send_slow(fd, EVP_HELLO, sizeof(struct evp_hello));
	expect_end(fd);
	ask_something(keep);
	/* Instead of a socket to answer to. */
	fd = open_session(EVP_DOMID_ANY, &domid);
	unread[1] = send_slow(fd, EVP_ADOPT, sizeof(struct evp_adopt));
	expect_end(fd);
	ask_something(keep);
	/* Unread: the message before it ends the connection. */
	fd = raw();
	CHECK(kill(broker.pid, SIGSTOP) == 0);
	CHECK(send(fd, "garbage", 7, MSG_NOSIGNAL) == 7);
	unread[2] = send_slow(fd, EVP_HELLO, sizeof(struct evp_hello));
	expect_end(fd);
	ask_something(keep);
	/* Somebody reads at last, or goes. */
	(void)close(unread[0]);
	(void)close(unread[1]);
	(void)close(unread[2]);
	await_nr_fds_after(keep, before);
	(void)close(keep);
}

/* --- none left ------------------------------------------------------------------ */

static void limit_fds(rlim_t n)
{
	struct rlimit r;

	CHECK(prlimit(broker.pid, RLIMIT_NOFILE, NULL, &r) == 0);
	r.rlim_cur = n ? n : r.rlim_max;
	CHECK(prlimit(broker.pid, RLIMIT_NOFILE, &r, NULL) == 0);
}

static void
no_descriptor_left_broker_sleeps_and_serves_when_one_leaves(void **state)
{
	int first = raw_greeted(), second = raw_greeted(), third, i;

	(void)state;
	/* None is free below it, and the second's is below it. */
	limit_fds((rlim_t)lowest_free_fd());
	third = raw(); /* the kernel lets us in, the broker cannot */
	for (i = 0; i < 20; i++) {
		ask_something(first);
		assert_true(broker_sleeps_soon());
	}
	(void)close(second);
	assert_int_equal(evp_control_hello(third, NULL), 0);
	ask_something(third);
	ask_something(first);
	/* Full again; this time it is the limit that goes. */
	second = raw();
	ask_something(first);
	limit_fds(0);
	assert_int_equal(evp_control_hello(second, NULL), 0);
	(void)close(first);
	(void)close(second);
	(void)close(third);
}

/* --- standard streams ------------------------------------------------------------- */

static void restart_prepared(void (*prepare)(void))
{
	prepare_broker = prepare;
	restart_broker();
	prepare_broker = NULL;
}

/* It writes a line about it, and goes on. */
static void provoke(void)
{
	int i, fd;

	for (i = 0; i < 3; i++) {
		fd = raw();
		CHECK(send(fd, "garbage", 7, MSG_NOSIGNAL) == 7);
		expect_end(fd);
	}
	(void)close(raw_greeted());
}

static void close_streams(void)
{
	(void)close(STDIN_FILENO);
	(void)close(STDOUT_FILENO);
	(void)close(STDERR_FILENO);
}

static void started_without_streams_opens_nothing_in_their_place(void **state)
{
	char name[64], target[64];
	ssize_t n;
	int fd;

	(void)state;
	restart_prepared(close_streams);
	provoke();
	for (fd = 0; fd <= STDERR_FILENO; fd++) {
		(void)snprintf(name, sizeof(name), "/proc/%d/fd/%d",
			       (int)broker.pid, fd);
		n = readlink(name, target, sizeof(target) - 1);
		assert_true(n > 0);
		target[n] = '\0';
		assert_string_equal(target, "/dev/null");
	}
}

static void break_stderr(void)
{
	int p[2];

	CHECK(pipe(p) == 0 && dup2(p[1], STDERR_FILENO) == STDERR_FILENO);
	(void)close(p[0]);
	(void)close(p[1]);
}

static void started_with_a_broken_pipe_survives_its_messages(void **state)
{
	(void)state;
	restart_prepared(break_stderr);
	provoke();
}

/* Nobody reads it; one who inherits the other end keeps it whole. */
static void clog_stderr(void)
{
	static const char junk[4096];
	int p[2];

	CHECK(pipe2(p, O_NONBLOCK) == 0);
	while (write(p[1], junk, sizeof(junk)) > 0)
		;
	CHECK(fcntl(p[1], F_SETFL, 0) == 0);
	CHECK(dup2(p[1], STDERR_FILENO) == STDERR_FILENO);
}

static void started_with_a_full_pipe_does_not_wait_for_its_reader(void **state)
{
	(void)state;
	restart_prepared(clog_stderr);
	provoke();
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(descriptors_unasked_one_to_eight_all_closed),
		TEST(adopting_keeps_nothing_of_the_socket_that_was_sent),
		TEST(descriptor_slow_to_close_does_not_stop_the_broker),
		TEST(no_descriptor_left_broker_sleeps_and_serves_when_one_leaves),
		TEST(started_without_streams_opens_nothing_in_their_place),
		TEST(started_with_a_broken_pipe_survives_its_messages),
		TEST(started_with_a_full_pipe_does_not_wait_for_its_reader),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("descriptors", tests, NULL, NULL);
}
