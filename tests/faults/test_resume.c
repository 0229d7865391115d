/* SPDX-License-Identifier: MIT */
/*
 * The broker is killed and another one started in its place: sessions go on
 * with it.
 */
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include <xencall.h>

#include <abi/xen.h>

#include "tests/process/harness.h"

#include "hosts/process/resume.h"
#include "hosts/process/session.h"

static xencall_handle *open_calls(const char *domain)
{
	xencall_handle *h;

	CHECK(!setenv("EVTCHN_DOMAIN", domain, 1));
	h = xencall_open(NULL, 0);
	CHECK(h);
	return h;
}

static int ask_status(xencall_handle *h, evtchn_port_t port, uint32_t *status)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = port};
	int rc = xencall2(h, __HYPERVISOR_event_channel_op, EVTCHNOP_status,
			  (uintptr_t)&st);

	*status = st.status;
	return rc;
}

static int alloc_port(xencall_handle *h, evtchn_port_t *port)
{
	struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = 1};
	int rc = xencall2(h, __HYPERVISOR_event_channel_op,
			  EVTCHNOP_alloc_unbound, (uintptr_t)&op);

	*port = op.port;
	return rc;
}

static void calls_go_on_with_the_next_broker(void **state)
{
	xencall_handle *h = open_calls("3");
	int fd = xencall_fd(h);
	evtchn_port_t port;
	uint32_t status;

	(void)state;
	assert_int_equal(alloc_port(h, &port), 0);
	kill_broker();
	assert_int_equal(ask_status(h, port, &status), -1);
	assert_int_equal(errno, ENOTCONN);
	start_broker(&broker);
	/* The domain is there again, and empty: nobody was attached to it. */
	assert_int_equal(ask_status(h, port, &status), 0);
	assert_int_equal(status, EVTCHNSTAT_closed);
	assert_int_equal(alloc_port(h, &port), 0);
	assert_int_equal(port, 1);
	assert_int_equal(nr_ports_of(3), 1);
	assert_int_equal(xencall_fd(h), fd);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(xencall_close(h), 0);
}

static void and_with_the_one_after_that(void **state)
{
	xencall_handle *h = open_calls("3");
	evtchn_port_t port;
	int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		restart_broker();
		assert_int_equal(alloc_port(h, &port), 0);
		assert_int_equal(port, 1);
	}
	assert_int_equal(xencall_close(h), 0);
}

/* By the session it was started in: as what `evtchn run` starts. */
static void inherited_session_finds_it_by_its_path(void **state)
{
	uint32_t domid = 0;
	int session = open_session(4, &domid);
	xencall_handle *h;
	evtchn_port_t port;
	char fd[16];

	(void)state;
	(void)snprintf(fd, sizeof(fd), "%d", session);
	CHECK(!setenv("EVTCHN_FD", fd, 1));
	h = open_calls("4");
	restart_broker();
	assert_int_equal(alloc_port(h, &port), 0);
	assert_int_equal(nr_ports_of(4), 1);
	assert_int_equal(xencall_close(h), 0);
	CHECK(!unsetenv("EVTCHN_FD"));
	(void)close(session);
}

struct asker {
	xencall_handle *h;
	int rc, error;
};

static void *ask(void *arg)
{
	struct asker *a = arg;
	evtchn_port_t port;

	a->rc = alloc_port(a->h, &port);
	a->error = errno;
	return NULL;
}

static size_t nr_waiting(int fd)
{
	int n = 0;

	CHECK(ioctl(fd, SIOCOUTQ, &n) == 0);
	return (size_t)n;
}

/* Nobody knows whether the dead one did it. */
static void question_under_way_is_not_asked_again(void **state)
{
	struct asker a = {.h = open_calls("3")};
	evtchn_port_t port;
	pthread_t thread;

	(void)state;
	CHECK(kill(broker.pid, SIGSTOP) == 0);
	CHECK(!pthread_create(&thread, NULL, ask, &a));
	while (!nr_waiting(xencall_fd(a.h)))
		(void)sched_yield();
	restart_broker();
	CHECK(!pthread_join(thread, NULL));
	assert_int_equal(a.rc, -1);
	assert_int_equal(a.error, ENOTCONN);
	assert_int_equal(alloc_port(a.h, &port), 0);
	assert_int_equal(nr_ports_of(3), 1);
	assert_int_equal(xencall_close(a.h), 0);
}

static void who_was_thrown_out_stays_out(void **state)
{
	const struct evp_options o = {.domain = 3};
	struct evtchn_status st = {.dom = DOMID_SELF, .port = 1};
	struct evp_session s;
	struct pollfd p;
	int rc;

	(void)state;
	assert_int_equal(evp_session_open(&s, &o), 0);
	CHECK(write(s.fd, "nonsense", 8) == 8);
	p = (struct pollfd){.fd = s.fd};
	CHECK(poll(&p, 1, -1) == 1 && p.revents & POLLHUP);
	evp_session_resume(&s);
	assert_int_equal(
		evp_session_hypercall(s.fd, __HYPERVISOR_event_channel_op,
				      EVTCHNOP_status, &st, sizeof(st), &rc),
		-ECONNRESET);
	(void)close(s.fd);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(calls_go_on_with_the_next_broker),
		TEST(and_with_the_one_after_that),
		TEST(inherited_session_finds_it_by_its_path),
		TEST(question_under_way_is_not_asked_again),
		TEST(who_was_thrown_out_stays_out),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("resume", tests, NULL, NULL);
}
