/* SPDX-License-Identifier: MIT */
/*
 * Sessions that ask: what the broker lets them do, and how a domain ends in the
 * eyes of a control domain.
 */
#include <time.h>

#include "hosts/process/session.h"
#include "tests/process/harness.h"

#define VIRQ_OF_DEATHS 3
#define MANY	       4000 /* ports: closing them takes many turns */
#define NR_QUESTIONS   100  /* six turns of one peer's messages */

/* --- asking ------------------------------------------------------------------- */

static int op(int fd, uint32_t cmd, void *arg, size_t len)
{
	int rc = 0;

	CHECK(evp_session_hypercall(fd, __HYPERVISOR_event_channel_op, cmd, arg,
				    len, &rc) == 0);
	return rc;
}

static evtchn_port_t session_alloc(int fd, domid_t dom, domid_t remote)
{
	struct evtchn_alloc_unbound a = {.dom = dom, .remote_dom = remote};

	CHECK(op(fd, EVTCHNOP_alloc_unbound, &a, sizeof(a)) == 0);
	return a.port;
}

static uint32_t session_status(int fd, domid_t dom, evtchn_port_t port)
{
	struct evtchn_status st = {.dom = dom, .port = port};

	CHECK(op(fd, EVTCHNOP_status, &st, sizeof(st)) == 0);
	return st.status;
}

static int session_close(int fd, evtchn_port_t port)
{
	struct evtchn_close c = {.port = port};

	return op(fd, EVTCHNOP_close, &c, sizeof(c));
}

/* The first domain from @domid up. */
static bool ask_info(int fd, uint32_t domid, struct evp_dominfo_entry *e)
{
	int n = evp_session_dominfo(fd, &domid, e, 1);

	CHECK(n >= 0);
	return n > 0;
}

/* Whose port is it?  0: nobody's. */
static uint32_t owner(int fd, uint32_t domid, uint32_t port)
{
	static struct evp_port_entry e[EVP_PORTS_PER_PAGE];

	CHECK(evp_control_list(fd, &domid, &port, e, EVP_PORTS_PER_PAGE) > 0);
	return e[0].pid;
}

/* --- who may what -------------------------------------------------------------- */

static void adopted_holds_its_domain_only(void **state)
{
	uint32_t domid, again;
	int session = open_session(5, &domid);
	int fd, other;

	(void)state;
	assert_int_equal(evp_control_adopt(session, &other), 0);
	assert_int_equal(evp_control_reserve(other, 6, "x", &again), -EACCES);
	assert_int_equal(evp_control_reserve(other, 5, "x", &again), 0);
	assert_int_equal(evp_control_adopt(session, &fd), 0);
	assert_int_equal(evp_control_reserve(fd, EVP_DOMID_ANY, "x", &again),
			 0);
	assert_int_equal(again, 5);
	/* It holds it: the first one is not needed any more. */
	(void)close(session);
	(void)close(other);
	assert_int_equal(session_alloc(fd, DOMID_SELF, 7), 1);
	(void)close(fd);
}

static void domains_shown_to_domain_0_only(void **state)
{
	struct evp_dominfo m = {.domid = 0, .max = 1};
	struct evp_dominfo_entry e;
	uint32_t domid, cursor = 0;
	int zero = open_session(0, &domid), one = open_session(1, &domid);
	int fd[2] = {raw(), raw_attached(0)};
	size_t i;

	(void)state;
	assert_int_equal(evp_session_dominfo(one, &cursor, &e, 1), -EPERM);
	assert_true(ask_info(zero, 1, &e));
	assert_int_equal(e.domid, 1);
	assert_false(ask_info(zero, 2, &e));
	assert_false(ask_info(zero, UINT32_MAX, &e));
	/* Refused, not thrown out. */
	assert_int_equal(session_alloc(one, DOMID_SELF, 7), 1);
	/* At no other moment: before RESERVE, and as an attachment. */
	assert_int_equal(evp_control_hello(fd[0], NULL), 0);
	evp_hdr_init(&m.hdr, EVP_DOMINFO, sizeof(m), 9);
	for (i = 0; i < 2; i++) {
		assert_int_equal(
			evp_send_packet(fd[i], &m, sizeof(m), NULL, 0, 0), 0);
		expect_end(fd[i]);
	}
	(void)close(zero);
	(void)close(one);
}

/* A page is as long as was asked for: a tool that wants one pays for one. */
static void page_is_as_long_as_wanted(void **state)
{
	struct evp_dominfo_entry page[EVP_DOMINFOS_PER_PAGE];
	struct evp_dominfo m = {.domid = 0};
	const uint32_t bad[] = {0, EVP_DOMINFOS_PER_PAGE + 1, UINT32_MAX};
	int i, fd, session[4];
	uint32_t domid, cursor = 0;

	(void)state;
	for (i = 0; i < 4; i++)
		session[i] = open_session((uint32_t)i, &domid);
	assert_int_equal(evp_session_dominfo(session[0], &cursor, page, 3), 3);
	assert_int_equal(cursor, 3);
	assert_int_equal(page[2].domid, 2);
	assert_int_equal(evp_session_dominfo(session[0], &cursor, page, 1), 1);
	assert_int_equal(page[0].domid, 3);
	assert_int_equal(cursor, UINT32_MAX);
	for (i = 0; i < 3; i++) {
		fd = open_session(0, &domid);
		m.max = bad[i];
		evp_hdr_init(&m.hdr, EVP_DOMINFO, sizeof(m), 9);
		assert_int_equal(evp_send_packet(fd, &m, sizeof(m), NULL, 0, 0),
				 0);
		expect_end(fd);
	}
	for (i = 0; i < 4; i++)
		(void)close(session[i]);
}

static void handles_tell_domains_apart(void **state)
{
	static const uint8_t none[16];
	struct evp_dominfo_entry first, again, next, zero;
	uint32_t domid;
	int fd = open_session(0, &domid), one = open_session(1, &domid);

	(void)state;
	assert_true(ask_info(fd, 0, &zero) && ask_info(fd, 1, &first));
	assert_true(ask_info(fd, 1, &again));
	assert_memory_equal(zero.handle, none, 16);
	assert_memory_not_equal(first.handle, none, 16);
	assert_memory_equal(first.handle, again.handle, 16);
	assert_int_equal(first.nr_vcpus, 1);
	(void)close(one);
	while (ask_info(fd, 1, &next))
		continue;
	one = open_session(1, &domid);
	assert_true(ask_info(fd, 1, &next));
	assert_memory_not_equal(first.handle, next.handle, 16);
	(void)close(one);
	(void)close(fd);
}

/* As many as its largest attachment has. */
static void vcpus_of_the_largest_attachment(void **state)
{
	struct evp_attach_req m = {.domid = 1, .nr_vcpus = 3};
	struct evp_dominfo_entry e;
	struct evp_packet p;
	uint32_t domid;
	int zero = open_session(0, &domid), session = open_session(1, &domid);
	int small, large = raw();

	(void)state;
	assert_true(ask_info(zero, 1, &e));
	assert_int_equal(e.nr_vcpus, 1);
	assert_int_equal(evp_control_hello(large, NULL), 0);
	evp_hdr_init(&m.hdr, EVP_ATTACH, sizeof(m), 1);
	assert_int_equal(evp_ask(large, &m, sizeof(m), &p, EVP_ATTACHED, 1), 0);
	evp_packet_close_fds(&p);
	small = raw_attached(1);
	assert_true(ask_info(zero, 1, &e));
	assert_int_equal(e.nr_vcpus, 3);
	(void)close(small);
	(void)close(large);
	(void)close(session);
	(void)close(zero);
}

/* --- whose ports ---------------------------------------------------------------- */

static void ports_of_a_session_wait_for_the_first_attached(void **state)
{
	struct evtchn_bind_ipi ipi = {.vcpu = 0};
	uint64_t count = 0, ignored = 0;
	struct evp_guest *peer = attach(2), *g;
	evtchn_port_t port, remote;
	uint32_t domid;
	int fd = open_session(1, &domid);

	(void)state;
	port = session_alloc(fd, DOMID_SELF, 2);
	assert_int_equal(op(fd, EVTCHNOP_bind_ipi, &ipi, sizeof(ipi)), 0);
	remote = open_bound(peer, 1, port, count_event, &ignored);
	assert_int_equal(owner(fd, 1, port), 0);
	assert_int_equal(evg_notify(evp_evg(peer), remote), 0);
	/* Who comes first gets the ports, and what was sent. */
	g = attach(1);
	assert_int_equal(owner(fd, 1, port), getpid());
	assert_int_equal(owner(fd, 1, ipi.port), getpid());
	assert_int_equal(evg_bind_handler(evp_evg(g), port, EVG_VCPU_KEEP,
					  count_event, &count),
			 0);
	wait_count(g, &count, 1);
	/* With somebody there they are his at once. */
	assert_int_equal(op(fd, EVTCHNOP_bind_ipi, &ipi, sizeof(ipi)), 0);
	assert_int_equal(owner(fd, 1, ipi.port), getpid());
	evp_detach(g);
	evp_detach(peer);
	(void)close(fd);
}

/* As Xen has it: a session speaks for the whole domain. */
static void session_sends_on_and_closes_any_port_of_its_domain(void **state)
{
	struct evtchn_send send = {.port = 0};
	uint64_t count = 0, ignored = 0;
	struct evp_guest *a = attach(1), *b = attach(2);
	evtchn_port_t in = open_unbound(a, 2, count_event, &count);
	evtchn_port_t out = open_bound(b, 1, in, count_event, &ignored);
	uint32_t domid;
	int one = open_session(1, &domid), two = open_session(2, &domid);

	(void)state;
	send.port = out;
	assert_int_equal(op(two, EVTCHNOP_send, &send, sizeof(send)), 0);
	wait_count(a, &count, 1);
	/* Another domain's it does not reach. */
	assert_int_equal(op(two, EVTCHNOP_status,
			    &(struct evtchn_status){.dom = 1, .port = in},
			    sizeof(struct evtchn_status)),
			 -XEN_EPERM);
	assert_int_equal(session_close(two, out), 0);
	assert_int_equal(session_close(two, out), -XEN_EINVAL);
	assert_int_equal(session_status(one, DOMID_SELF, in),
			 EVTCHNSTAT_unbound);
	/* Both go on: they read what they were told, and connect again. */
	assert_int_equal(status_of(a, in), EVTCHNSTAT_unbound);
	assert_int_equal(status_of(b, out), EVTCHNSTAT_closed);
	assert_int_equal(evg_unbind_handler(evp_evg(b), out), 0);
	out = open_bound(b, 1, in, count_event, &ignored);
	count = 0;
	assert_int_equal(evg_notify(evp_evg(b), out), 0);
	wait_count(a, &count, 1);
	evp_detach(a);
	evp_detach(b);
	(void)close(one);
	(void)close(two);
}

/* --- long ends ------------------------------------------------------------------- */

static void stop_broker(void)
{
	int status;

	CHECK(kill(broker.pid, SIGSTOP) == 0);
	CHECK(waitpid(broker.pid, &status, WUNTRACED) == broker.pid);
	CHECK(WIFSTOPPED(status));
}

/* The session dies in the middle of a reset: it is finished all the same. */
static void reset_of_a_dead_session_goes_on(void **state)
{
	struct evtchn_reset reset = {.dom = DOMID_SELF};
	uint32_t domid;
	int i, fd = open_session(1, &domid), other = open_session(1, &domid);

	(void)state;
	for (i = 0; i < MANY; i++)
		(void)session_alloc(fd, DOMID_SELF, 7);
	/* It reads the question and the end of the connection in one turn. */
	stop_broker();
	raw_ask(fd, EVTCHNOP_reset, &reset, sizeof(reset));
	(void)close(fd);
	assert_int_equal(kill(broker.pid, SIGCONT), 0);
	while (ask_domain(other, 1).nr_ports)
		continue;
	assert_int_equal(session_alloc(other, DOMID_SELF, 7), 1);
	(void)close(other);
}

/* Every question gets its answer; once dying, always dying. */
static void read_answers(int fd)
{
	const struct evp_dominfo_page *r;
	struct evp_packet p;
	uint8_t dying = 0;
	int i;

	for (i = 0; i < NR_QUESTIONS; i++) {
		assert_int_equal(evp_recv_packet(fd, &p, 0), 0);
		r = (const void *)p.u.bytes;
		assert_int_equal(p.u.hdr.type, EVP_DOMINFO_PAGE);
		assert_int_equal(r->count, 1);
		assert_int_equal(r->entry[0].domid, 1);
		assert_true(r->entry[0].dying >= dying);
		dying = r->entry[0].dying;
	}
	assert_int_equal(dying, 1);
}

/*
 * The questions wait when the domain ends.  The broker reads some, then sees the
 * end, then closes some ports between some more questions.
 */
static void dying_while_it_ends_then_gone_then_told(void **state)
{
	struct evp_dominfo m = {.domid = 1, .max = 64};
	struct evp_dominfo_entry e;
	uint64_t deaths = 0;
	struct evp_guest *g = attach(0);
	evtchn_port_t port;
	uint32_t domid;
	int i, fd = open_session(0, &domid), one = open_session(1, &domid);

	(void)state;
	assert_int_equal(evg_bind_virq(evp_evg(g), VIRQ_OF_DEATHS, 0, &port),
			 0);
	assert_int_equal(evg_bind_handler(evp_evg(g), port, EVG_VCPU_KEEP,
					  count_event, &deaths),
			 0);
	for (i = 0; i < MANY; i++)
		(void)session_alloc(one, DOMID_SELF, 7);
	assert_true(ask_info(fd, 1, &e));
	assert_int_equal(e.dying, 0);
	evp_hdr_init(&m.hdr, EVP_DOMINFO, sizeof(m), 1);
	stop_broker();
	for (i = 0; i < NR_QUESTIONS; i++)
		assert_int_equal(evp_send_packet(fd, &m, sizeof(m), NULL, 0,
						 MSG_DONTWAIT),
				 0);
	(void)close(one);
	assert_int_equal(kill(broker.pid, SIGCONT), 0);
	read_answers(fd);
	wait_count(g, &deaths, 1);
	/* Whoever is told looks, and finds it gone. */
	assert_false(ask_info(fd, 1, &e));
	evp_detach(g);
	(void)close(fd);
}

/* --- CPU time --------------------------------------------------------------------- */

static uint64_t cpu_now(void)
{
	struct timespec t;

	CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Two attachments, one process, and some time used. */
static void burn(int from, int to, void *arg)
{
	struct evp_guest *a = attach(1), *b = attach(1);
	uint64_t until = cpu_now() + 50000000, now;

	(void)arg;
	do
		now = cpu_now();
	while (now < until);
	say(to, now);
	(void)hear(from);
	say(to, cpu_now());
	(void)hear(from);
	evp_detach(a);
	evp_detach(b);
}

static void cpu_time_of_a_process_counted_once(void **state)
{
	struct child c = start_child(burn, NULL);
	struct evp_dominfo_entry e;
	uint64_t before, after;
	uint32_t domid;
	int fd = open_session(0, &domid);

	(void)state;
	before = hear(c.from);
	assert_true(ask_info(fd, 1, &e));
	say(c.to, 0);
	after = hear(c.from);
	assert_true(e.cpu_ns >= before);
	assert_true(e.cpu_ns <= after);
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	(void)close(fd);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(adopted_holds_its_domain_only),
		TEST(domains_shown_to_domain_0_only),
		TEST(page_is_as_long_as_wanted),
		TEST(handles_tell_domains_apart),
		TEST(vcpus_of_the_largest_attachment),
		TEST(ports_of_a_session_wait_for_the_first_attached),
		TEST(session_sends_on_and_closes_any_port_of_its_domain),
		TEST(reset_of_a_dead_session_goes_on),
		TEST(dying_while_it_ends_then_gone_then_told),
		TEST(cpu_time_of_a_process_counted_once),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
