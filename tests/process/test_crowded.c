/* SPDX-License-Identifier: MIT */
/*
 * The kernel lets a user have only so many descriptors on their way, in all
 * sockets together.  A broker that meets this limit, because of what somebody
 * else sent, makes those wait who are sent one, and throws nobody out.
 *
 * Root has no such limit: the broker, and who fills it, are another user.
 */
#include <grp.h>
#include <poll.h>
#include <sys/resource.h>
#include <time.h>

#include "harness.h"

#define NOBODY	 60001
#define FDS	 600 /* the broker may have */
#define PER_MSG	 250
#define MESSAGES 4 /* of the one who does not read: more than FDS in all */

static void become_nobody(void)
{
	CHECK(setgroups(0, NULL) == 0);
	CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

static void prepare(void)
{
	struct rlimit r = {FDS, FDS};

	CHECK(setrlimit(RLIMIT_NOFILE, &r) == 0);
	become_nobody();
}

/* Who is not root may not be able to reach the original. */
static bool copy_evtchnd(void)
{
	char command[2 * sizeof(evtchnd_path)];

	(void)snprintf(command, sizeof(command), "cp '%s' '%s/evtchnd'",
		       evtchnd_path, broker.dir);
	(void)snprintf(evtchnd_path, sizeof(evtchnd_path), "%s/evtchnd",
		       broker.dir);
	return system(command) == 0;
}

static int set_up_crowded(void **state)
{
	if (make_dir(state) || !copy_evtchnd() ||
	    chown(broker.dir, NOBODY, NOBODY))
		return -1;
	prepare_broker = prepare;
	start_broker(&broker);
	return 0;
}

/* Sends to itself, until it is told to end. */
static void crowd(int from, int to, void *arg)
{
	union {
		char bytes[CMSG_SPACE(PER_MSG * sizeof(int))];
		struct cmsghdr align;
	} space;
	struct iovec iov = {.iov_base = &space, .iov_len = 1};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &space,
			   .msg_controllen = sizeof(space.bytes)};
	int i, fd[PER_MSG], pair[2];

	(void)arg;
	become_nobody();
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	for (i = 0; i < PER_MSG; i++)
		fd[i] = pair[0];
	memset(&space, 0, sizeof(space));
	space.align.cmsg_level = SOL_SOCKET;
	space.align.cmsg_type = SCM_RIGHTS;
	space.align.cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(&space.align), fd, sizeof(fd));
	for (i = 0; i < MESSAGES; i++)
		CHECK(sendmsg(pair[0], &m, 0) == 1);
	say(to, 0);
	(void)hear(from);
	/* Read: then none is on its way any more. */
	for (i = 0; i < MESSAGES; i++)
		CHECK(recv(pair[1], fd, 1, 0) == 1);
}

static double cpu_ms(void)
{
	struct timespec t;
	clockid_t clock;

	CHECK(clock_getcpuclockid(broker.pid, &clock) == 0);
	CHECK(clock_gettime(clock, &t) == 0);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static bool is_attached(int fd, uint32_t domid)
{
	static struct evp_domain_entry e[EVP_DOMAINS_PER_PAGE];
	uint32_t cursor = domid;
	int n = evp_control_domains(fd, &cursor, e, EVP_DOMAINS_PER_PAGE);

	CHECK(n >= 0);
	return n && e[0].domid == domid && e[0].nr_attached;
}

static void innocents_wait_and_stay(void **state)
{
	struct evp_attach_req m = {.domid = 1, .nr_vcpus = 1};
	struct child c = start_child(crowd, NULL);
	struct pollfd p = {.fd = raw(), .events = POLLIN};
	int other = raw();
	double before;
	struct evp_packet a;

	(void)state;
	assert_int_equal(evp_control_hello(p.fd, NULL), 0);
	assert_int_equal(evp_control_hello(other, NULL), 0);
	(void)hear(c.from);
	evp_hdr_init(&m.hdr, EVP_ATTACH, sizeof(m), 1);
	assert_int_equal(evp_send_packet(p.fd, &m, sizeof(m), NULL, 0, 0), 0);
	/* It is attached; only the answer waits.  Others are served. */
	while (!is_attached(other, 1))
		(void)sched_yield();
	before = cpu_ms();
	assert_int_equal(poll(&p, 1, 300), 0);
	/* Tried again now and then, not all the time. */
	assert_true(cpu_ms() - before < 100);
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	assert_int_equal(evp_recv_packet(p.fd, &a, 0), 0);
	assert_int_equal(a.u.hdr.type, EVP_ATTACHED);
	assert_int_equal(a.nr_fds, 2);
	evp_packet_close_fds(&a);
	assert_int_equal(evp_recv_packet(p.fd, &a, 0), 0);
	assert_int_equal(a.u.hdr.type, EVP_PLACE);
	(void)close(p.fd);
	(void)close(other);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(innocents_wait_and_stay,
						set_up_crowded, tear_down),
	};
	const char *ci = getenv("CI");

	(void)argc;
	find_evtchnd(argv[0]);
	if (geteuid() != 0) {
		printf("1..1\n%s 1 - crowded%s needs root\n",
		       ci && !strcmp(ci, "true") ? "not ok" : "ok",
		       ci && !strcmp(ci, "true") ? ":" : " # SKIP");
		return 0;
	}
	return cmocka_run_group_tests_name("crowded", tests, NULL, NULL);
}
