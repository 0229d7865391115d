/* SPDX-License-Identifier: MIT */
/*
 * How much of the broker a user may have, in whatever way he takes it.
 */
#include "policy.h"

static void eat_connections(void)
{
	int i, fd, rc;

	for (i = 0; i < 100; i++) {
		rc = evp_control_connect(broker.path, &fd);
		CHECK(rc == 0);
		rc = evp_control_hello(fd, NULL);
		if (rc)
			break;
	}
	CHECK(i == 10 && rc == -EMFILE);
	CHECK(strstr(evp_error(), "has its 10 connections"));
}

static void eat_domains(void)
{
	uint32_t domid, i;

	for (i = 1; i <= 3; i++)
		CHECK(try_domain(EVP_DOMID_ANY, &domid) == 0 && domid == i);
	CHECK(try_domain(EVP_DOMID_ANY, &domid) == -EDQUOT);
	CHECK(strstr(evp_error(), "has its 3 domains"));
	/* One more connection to a domain of hers is none more. */
	CHECK(try_domain(2, &domid) == 0);
}

static void eat_ports(void)
{
	struct evp_guest *g = attach(1), *h = attach(2);
	evtchn_port_t port;
	int i;

	for (i = 0; i < 20; i++)
		(void)alloc(i % 2 ? g : h, DOMID_SELF, 3);
	CHECK(evg_alloc_unbound(evp_evg(g), DOMID_SELF, 3, &port) ==
	      -XEN_ENOSPC);
	CHECK(evg_alloc_unbound(evp_evg(h), DOMID_SELF, 3, &port) ==
	      -XEN_ENOSPC);
	CHECK(evg_close(evp_evg(h), 1) == 0);
	CHECK(alloc(g, DOMID_SELF, 3) == 11);
}

/* The first it is told: another one was not to be had either. */
static bool says_closed(int fd, uint32_t port)
{
	const struct evp_port_msg *m;
	struct evp_packet p;

	for (;;) {
		CHECK(evp_recv_packet(fd, &p, 0) == 0);
		evp_packet_close_fds(&p);
		m = (const void *)p.u.bytes;
		if (p.u.hdr.type == EVP_CLOSED)
			return m->port == port;
	}
}

/* Two ports of a former broker; the second one is not to be had. */
static int claim_two(uint32_t domid, uint32_t first, uint32_t second)
{
	struct evp_reattach r = {
		.who = {.domid = (uint16_t)domid, .nr_vcpus = 1},
		.former = 1,
		.limit = EVP_DOMID_ANY,
		.fifo = 1};
	struct evp_claims m = {.count = 2, .last = 1};
	size_t len = offsetof(struct evp_claims, claim[2]);
	int fd = raw();

	m.claim[0] = (struct evp_claim){
		.port = first, .domid = 3, .kind = EVTCHNSTAT_unbound};
	m.claim[1] = m.claim[0];
	m.claim[1].port = second;
	CHECK(evp_control_hello(fd, NULL) == 0);
	evp_hdr_init(&r.who.hdr, EVP_REATTACH, sizeof(r), 0);
	CHECK(evp_send_packet(fd, &r, sizeof(r), NULL, 0, 0) == 0);
	evp_hdr_init(&m.hdr, EVP_CLAIM, len, 0);
	CHECK(evp_send_packet(fd, &m, len, NULL, 0, 0) == 0);
	CHECK(says_closed(fd, second));
	return fd;
}

/* Of 20 ports none has a higher number. */
static void claim_high_numbers(void)
{
	(void)close(claim_two(1, 20, 21));
	(void)close(claim_two(2, 1, EVTCHN_FIFO_NR_CHANNELS - 1));
}

static void eat_ports_in_other_ways(void)
{
	uint32_t domid = 1;
	int i, fd = open_session(1, &domid);

	for (i = 0; i < 19; i++)
		CHECK(evp_control_port(fd, EVP_PORT_ALLOC, 3, 0, "", NULL) ==
		      0);
	(void)claim_two(2, 5, 9);
	CHECK(evp_control_port(fd, EVP_PORT_ALLOC, 3, 0, "", NULL) == -ENOSPC);
	CHECK(strstr(evp_error(), "no port left"));
}

/*
 * Domains are asked for and answers not read, 24 bytes each.  The kernel keeps
 * some hundred of them, the broker no more than 64 KiB for all of hers.
 */
static void eat_the_queue(void)
{
	struct evp_domains m = {.domid = 0};
	struct pollfd p = {.events = 0};
	int i, k;

	evp_hdr_init(&m.hdr, EVP_DOMAINS, sizeof(m), 1);
	for (i = 0; i < 4; i++) {
		p.fd = raw();
		CHECK(evp_control_hello(p.fd, NULL) == 0);
		for (k = 0; k < 4000; k++)
			(void)!send(p.fd, &m, sizeof(m), MSG_NOSIGNAL);
		CHECK(poll(&p, 1, -1) == 1 && p.revents & POLLHUP);
	}
}

/* 3 for each attachment, none for a pair, however many. */
static void talk_as_much_as_she_likes(void)
{
	struct evp_guest *g = attach(1), *peer[5];
	uint64_t count[5] = {0}, mine = 0;
	evtchn_port_t port;
	domid_t i;

	for (i = 0; i < 5; i++)
		peer[i] = attach(i + 2);
	for (i = 0; i < 5; i++) {
		port = open_unbound(g, i + 2, count_event, &mine);
		(void)open_bound(peer[i], 1, port, count_event, &count[i]);
		wait_count(peer[i], &count[i], 1);
		CHECK(evp_poll(g) >= 0);
		CHECK(goes_direct(g, port));
		wait_count(peer[i], &count[i], 2);
	}
}

/* Two descriptors come with each answer. */
static void eat_descriptors_unread(void)
{
	struct pollfd p = {.fd = raw_attached(4)};
	struct evp_take_over m;
	int i;

	evp_hdr_init(&m.hdr, EVP_TAKE_OVER, sizeof(m), 1);
	for (i = 0; i < 1000; i++)
		(void)!send(p.fd, &m, sizeof(m), MSG_NOSIGNAL);
	CHECK(poll(&p, 1, -1) == 1 && p.revents & POLLHUP);
}

static void eat_descriptors(void)
{
	struct evp_options o = {.domain = 1, .spin_ns = EVP_SPIN_DEFAULT};
	struct evp_guest *g = NULL;
	int i;

	for (i = 0; i < 100 && evp_attach(&g, &o) == 0; i++)
		;
	CHECK(i > 0 && i < 10);
}

static void limits_of_one_user_do_not_touch_another(void **state)
{
	(void)state;
	start_with("allow everybody domain any\n"
		   "limit user 60001 connections 10 domains 3 ports 20\n"
		   "limit user 60002 descriptors 20\n"
		   "limit user 60003 queue 65536 descriptors 20\n");
	assert_int_equal(as(ALICE, eat_connections), 0);
	assert_int_equal(as(ALICE, eat_domains), 0);
	assert_int_equal(as(ALICE, eat_ports), 0);
	assert_int_equal(as(ALICE, eat_ports_in_other_ways), 0);
	assert_int_equal(as(ALICE, claim_high_numbers), 0);
	assert_int_equal(as(EVE, eat_descriptors), 0);
	assert_int_equal(as(EVE, talk_as_much_as_she_likes), 0);
	assert_int_equal(as(BOB, eat_descriptors_unread), 0);
	assert_int_equal(as(EVE, eat_the_queue), 0);
	assert_true(may(1));
}

/* Ten are held; then nine, and the one that is made. */
static void exchange_one(int from, int to, void *arg)
{
	int i, fd[10];

	(void)arg;
	become(ALICE);
	for (i = 0; i < 10; i++) {
		CHECK(evp_control_connect(broker.path, &fd[i]) == 0);
		CHECK(evp_control_hello(fd[i], NULL) == 0);
	}
	say(to, 0);
	(void)hear(from);
	(void)close(fd[0]);
	CHECK(evp_control_connect(broker.path, &fd[0]) == 0);
	say(to, 0);
	CHECK(evp_control_hello(fd[0], NULL) == 0);
}

/* Ask for a connection through @session; the answer comes to what is returned. */
static int ask_adopt(int session)
{
	struct evp_adopt m;
	int pair[2];

	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	evp_hdr_init(&m.hdr, EVP_ADOPT, sizeof(m), 0);
	CHECK(!evp_send_packet(session, &m, sizeof(m), &pair[1], 1, 0));
	(void)close(pair[1]);
	return pair[0];
}

static int adopted(int from, struct evp_packet *p)
{
	int rc = evp_recv_packet(from, p, 0);

	return rc ? rc
		  : evp_check_answer(p, EVP_WELCOME,
				     sizeof(struct evp_welcome));
}

/* The same, all but one through that. */
static void exchange_adopted(int from, int to, void *arg)
{
	int i, late, too_many, fd[10];
	uint32_t domid;
	struct evp_packet p;

	(void)arg;
	become(ALICE);
	CHECK(evp_control_hold(broker.path, 1, "", &fd[0], &domid, NULL) == 0);
	for (i = 1; i < 10; i++)
		CHECK(evp_control_adopt(fd[0], &fd[i]) == 0);
	say(to, 0);
	(void)hear(from);
	(void)close(fd[9]);
	late = ask_adopt(fd[0]);
	too_many = ask_adopt(fd[0]);
	say(to, 0);
	CHECK(adopted(late, &p) == 0 && p.nr_fds == 1);
	CHECK(adopted(too_many, &p) == -EMFILE);
	CHECK(strstr(evp_error(), "has its 10 connections"));
	/* The session goes on. */
	(void)close(fd[8]);
	CHECK(evp_control_adopt(fd[0], &fd[8]) == 0);
}

/* The broker learns of both at once. */
static void exchange_while_it_is_stopped(child_fn exchange)
{
	struct child c;

	start_with("allow everybody domain any\n"
		   "limit user 60001 connections 10\n");
	c = start_child(exchange, NULL);
	(void)hear(c.from);
	await_quiet();
	CHECK(kill(broker.pid, SIGSTOP) == 0);
	CHECK(waitpid(broker.pid, NULL, WUNTRACED) == broker.pid);
	say(c.to, 0);
	(void)hear(c.from);
	CHECK(kill(broker.pid, SIGCONT) == 0);
	assert_int_equal(end_child(&c), 0);
}

static void whoever_closes_one_may_have_another(void **state)
{
	(void)state;
	exchange_while_it_is_stopped(exchange_one);
}

static void whoever_closes_one_may_have_another_adopted(void **state)
{
	(void)state;
	exchange_while_it_is_stopped(exchange_adopted);
}

/* All that two users may have, and a limit of a third one who connects. */
static void hold_connections(int from, int to, void *arg)
{
	int i, fd, rc = 0;

	become(*(const uid_t *)arg);
	for (i = 0; i < 4000 && !rc; i++) {
		rc = evp_control_connect(broker.path, &fd);
		if (!rc)
			rc = evp_control_hello(fd, NULL);
	}
	say(to, (uint64_t)i);
	(void)hear(from);
}

static void everybody_else_leaves_room_for_us(void **state)
{
	const uid_t uid[2] = {ALICE, BOB};
	struct child c[2];
	int i, fd;

	(void)state;
	start_with("allow everybody domain any\n"
		   "limit everybody connections 4000 descriptors 100000\n");
	for (i = 0; i < 2; i++) {
		c[i] = start_child(hold_connections,
				   (void *)(uintptr_t)&uid[i]);
		(void)hear(c[i].from);
	}
	for (i = 0; i < 20; i++) {
		fd = raw();
		assert_int_equal(evp_control_hello(fd, NULL), 0);
	}
	for (i = 0; i < 2; i++) {
		say(c[i].to, 0);
		assert_int_equal(end_child(&c[i]), 0);
	}
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(limits_of_one_user_do_not_touch_another),
		TEST(whoever_closes_one_may_have_another),
		TEST(whoever_closes_one_may_have_another_adopted),
		TEST(everybody_else_leaves_room_for_us),
	};
	const char *ci = getenv("CI");

	(void)argc;
	find_evtchnd(argv[0]);
	if (geteuid() != 0) {
		printf("1..1\n%s 1 - limits%s needs root\n",
		       ci && !strcmp(ci, "true") ? "not ok" : "ok",
		       ci && !strcmp(ci, "true") ? ":" : " # SKIP");
		return 0;
	}
	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
