/* SPDX-License-Identifier: MIT */
/*
 * Who may be which domain: other users' processes against a broker with a
 * policy file, and without one.
 *
 * Another user is a child that gave up being root, so the tests need root.
 */
#include <grp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "harness.h"

#define ALICE 60001
#define BOB   60002
#define EVE   60003
#define BUILD 60010 /* a group */

static char policy_path[128];

static void write_policy(const char *text)
{
	int fd = open(policy_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0 &&
	      write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	(void)close(fd);
}

/* A broker with these rules, where others can reach it. */
static void start_with(const char *text)
{
	(void)snprintf(policy_path, sizeof(policy_path), "%s/policy",
		       broker.dir);
	if (text)
		write_policy(text);
	CHECK(chmod(broker.dir, 0755) == 0);
	broker_args[0] = text ? "--policy" : "--verbose";
	broker_args[1] = text ? policy_path : NULL;
	start_broker(&broker);
}

static int make_dir(void **state)
{
	(void)state;
	(void)snprintf(broker.dir, sizeof(broker.dir), "/tmp/evp-test-XXXXXX");
	if (!mkdtemp(broker.dir))
		return -1;
	(void)snprintf(broker.path, sizeof(broker.path), "%s/sock", broker.dir);
	(void)unsetenv("EVTCHN_FD");
	(void)unsetenv("EVTCHN_DOMAIN");
	(void)setenv("EVTCHN_SOCKET", broker.path, 1);
	(void)alarm(TIME_LIMIT);
	return 0;
}

/* --- other users --------------------------------------------------------------- */

static void become(uid_t uid)
{
	gid_t group = BUILD;

	CHECK(setgroups(uid == BOB, &group) == 0);
	CHECK(setresgid((gid_t)uid, (gid_t)uid, (gid_t)uid) == 0);
	CHECK(setresuid(uid, uid, uid) == 0);
}

struct job {
	uid_t uid;
	void (*fn)(void);
};

static void do_job(int from, int to, void *arg)
{
	const struct job *job = arg;

	(void)from;
	(void)to;
	become(job->uid);
	job->fn();
}

/*
 * Run @fn as @uid, to the end.  Its exit status, when the broker has seen that end
 * and taken back what the user had.
 */
static int as(uid_t uid, void (*fn)(void))
{
	struct job job = {uid, fn};
	struct child c = start_child(do_job, &job);
	int status = end_child(&c);

	await_quiet();
	return status;
}

/* 0, or the error of becoming that domain. */
static int try_domain(uint32_t want, uint32_t *domid)
{
	int fd, rc = evp_control_connect(broker.path, &fd);

	if (!rc)
		rc = evp_control_hello(fd, NULL);
	if (!rc)
		rc = evp_control_reserve(fd, want, "x", domid);
	return rc; /* the connection is kept */
}

static bool may(uint32_t want)
{
	uint32_t domid = 0;
	int rc = try_domain(want, &domid);

	CHECK(rc == 0 || rc == -EACCES);
	CHECK(rc || domid == want);
	return rc == 0;
}

/* --- which domains ---------------------------------------------------------------- */

static void alice_by_range(void)
{
	uint32_t domid;

	CHECK(may(1) && may(9) && may(12));
	CHECK(!may(0) && !may(10) && !may(13));
	CHECK(strstr(evp_error(), "may not be domain 13"));
	/* Any: the lowest of hers. */
	CHECK(try_domain(EVP_DOMID_ANY, &domid) == 0 && domid == 2);
}

static void bob_by_group_any_but_not_0(void)
{
	uint32_t domid;

	CHECK(may(1) && may(32751) && !may(0));
	CHECK(try_domain(EVP_DOMID_ANY, &domid) == 0 && domid == 2);
}

static void nobody_is_served(void)
{
	uint32_t domid;

	CHECK(try_domain(5, &domid) == -EACCES);
	CHECK(strstr(evp_error(), "no rule for this user"));
}

static void domains_allowed_by_user_group_and_not_dom0_by_chance(void **state)
{
	(void)state;
	start_with("# who\n"
		   "allow user 60001 domain 1-9,12\n"
		   "\n"
		   "allow group 60010 domain any # but not 0\n");
	assert_int_equal(as(ALICE, alice_by_range), 0);
	assert_int_equal(as(BOB, bob_by_group_any_but_not_0), 0);
	assert_int_equal(as(EVE, nobody_is_served), 0);
	/* Ours, as always. */
	assert_true(may(0) && may(10));
}

static void attach_as_0(void)
{
	struct evp_guest *g = attach(0);
	struct evtchn_status st = {.dom = 7, .port = 1};

	/* What only a control domain may ask. */
	CHECK(evg_status(evp_evg(g), &st) == 0);
	evp_detach(g);
}

static void attach_as_7(void)
{
	evp_detach(attach(7));
}

static void attach_as_8_refused(void)
{
	struct evp_options o = {.domain = 8, .spin_ns = EVP_SPIN_DEFAULT};
	struct evp_guest *g = NULL;

	CHECK(evp_attach(&g, &o) == -EACCES && !g);
}

static void domain_0_by_its_own_rule_also_beside_root(void **state)
{
	uint32_t domid;

	(void)state;
	start_with("allow user 60001 domain 0,7\n"
		   "allow user 60002 domain 1-9\n");
	(void)open_session(0, &domid);
	(void)open_session(7, &domid);
	(void)open_session(8, &domid);
	assert_int_equal(as(ALICE, attach_as_0), 0);
	assert_int_equal(as(ALICE, attach_as_7), 0);
	assert_int_equal(as(ALICE, attach_as_8_refused), 0);
	/* A range is no permission to join what another one made. */
	assert_int_equal(as(BOB, attach_as_8_refused), 0);
}

static void without_a_policy_nobody_else(void **state)
{
	struct stat st;

	(void)state;
	start_with(NULL);
	assert_int_equal(stat(broker.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* Even where the mode would let them. */
	assert_int_equal(chmod(broker.path, 0666), 0);
	assert_int_equal(as(ALICE, attach_as_8_refused), 0);
	assert_true(may(0));
}

/* --- handed down -------------------------------------------------------------------- */

static int session_fd;

static void use_session(void)
{
	struct evp_domain_entry e[EVP_DOMAINS_PER_PAGE];
	struct evp_options o = {.domain = 6, .spin_ns = EVP_SPIN_DEFAULT};
	struct evp_guest *g;
	char text[16];
	uint32_t cursor = 0;
	int fd;

	/* The socket's path is closed to her; the session is open. */
	CHECK(evp_control_connect(broker.path, &fd) == -EACCES);
	(void)snprintf(text, sizeof(text), "%d", session_fd);
	(void)setenv("EVTCHN_FD", text, 1);
	g = attach(EVP_DOMAIN_ENV);
	CHECK(evp_domid(g) == 5);
	CHECK(alloc(g, DOMID_SELF, 6) == 1);
	CHECK(evp_attach(&g, &o) == -EACCES);
	/* Of the others she sees nothing. */
	CHECK(evp_control_adopt(session_fd, &fd) == 0);
	CHECK(evp_control_domains(fd, &cursor, e, EVP_DOMAINS_PER_PAGE) == 1);
	CHECK(e[0].domid == 5);
}

static void session_handed_down_is_permission_for_its_domain_only(void **state)
{
	uint32_t domid;

	(void)state;
	start_with(NULL);
	(void)open_session(6, &domid);
	session_fd = open_session(5, &domid);
	assert_int_equal(as(EVE, use_session), 0);
}

/* --- limits ---------------------------------------------------------------------------- */

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

/* Two ports of a former broker; room is for one. */
static void claim_two(uint32_t domid)
{
	struct evp_reattach r = {
		.who = {.domid = (uint16_t)domid, .nr_vcpus = 1},
		.former = 1,
		.limit = EVP_DOMID_ANY};
	struct evp_claims m = {.count = 2, .last = 1};
	size_t len = offsetof(struct evp_claims, claim[2]);
	int fd = raw(), epoll = epoll_create1(0);

	m.claim[0] = (struct evp_claim){
		.port = 5, .domid = 3, .kind = EVTCHNSTAT_unbound};
	m.claim[1] = m.claim[0];
	m.claim[1].port = 9;
	CHECK(evp_control_hello(fd, NULL) == 0);
	evp_hdr_init(&r.who.hdr, EVP_REATTACH, sizeof(r), 0);
	CHECK(evp_send_packet(fd, &r, sizeof(r), &epoll, 1, 0) == 0);
	evp_hdr_init(&m.hdr, EVP_CLAIM, len, 0);
	CHECK(evp_send_packet(fd, &m, len, NULL, 0, 0) == 0);
	CHECK(says_closed(fd, 9));
}

static void eat_ports_in_other_ways(void)
{
	uint32_t domid = 1;
	int i, fd = open_session(1, &domid);

	for (i = 0; i < 19; i++)
		CHECK(evp_control_port(fd, EVP_PORT_ALLOC, 3, 0, "", NULL) ==
		      0);
	claim_two(2);
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

/* 4 for each attachment, 2 for each pair: the third goes by the broker. */
static void eat_descriptors_by_talking(void)
{
	struct evp_guest *g = attach(1), *peer[3];
	uint64_t count[3] = {0}, mine = 0;
	evtchn_port_t port;
	domid_t i;

	for (i = 0; i < 3; i++)
		peer[i] = attach(i + 2);
	for (i = 0; i < 3; i++) {
		port = open_unbound(g, i + 2, count_event, &mine);
		(void)open_bound(peer[i], 1, port, count_event, &count[i]);
		wait_count(peer[i], &count[i], 1);
		CHECK(evp_poll(g) >= 0);
		CHECK(goes_direct(g, port) == (i < 2));
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
	assert_int_equal(as(EVE, eat_descriptors), 0);
	assert_int_equal(as(EVE, eat_descriptors_by_talking), 0);
	assert_int_equal(as(BOB, eat_descriptors_unread), 0);
	assert_int_equal(as(EVE, eat_the_queue), 0);
	assert_true(may(1));
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

/* --- what is seen ------------------------------------------------------------------------ */

static uint32_t seen[8];
static int nr_seen;

static void look(void)
{
	static struct evp_domain_entry e[EVP_DOMAINS_PER_PAGE];
	static struct evp_port_entry port[EVP_PORTS_PER_PAGE];
	uint32_t cursor = 0, next = 0, domid;
	int i, n, fd = raw();

	/* A domain of one's own, with a port. */
	CHECK(evp_control_hello(fd, NULL) == 0);
	CHECK(alloc(attach(getuid() == BOB ? 3 : 2), DOMID_SELF, 1) == 1);
	nr_seen = evp_control_domains(fd, &cursor, e, EVP_DOMAINS_PER_PAGE);
	for (i = 0; i < nr_seen && i < 8; i++)
		seen[i] = e[i].domid;
	/* The same of ports: each domain here has one. */
	domid = 0;
	n = evp_control_list(fd, &domid, &next, port, EVP_PORTS_PER_PAGE);
	CHECK(n == nr_seen && domid == UINT32_MAX);
	for (i = 0; i < n; i++)
		CHECK(port[i].domid == seen[i]);
}

static void alice_sees_hers_and_what_she_may_join(void)
{
	look();
	CHECK(nr_seen == 2 && seen[0] == 2 && seen[1] == 7);
}

static void bob_sees_his(void)
{
	struct evp_counts_are who;
	uint32_t domid;
	int fd, counts;

	look();
	CHECK(nr_seen == 1 && seen[0] == 3);
	/* Not by asking for one either, but for those that are for him. */
	fd = open_session(3, &domid);
	CHECK(evp_control_port(fd, EVP_PORT_FIND, 5, 1, "", NULL) == -ENOENT);
	CHECK(evp_control_port(fd, EVP_PORT_FIND, 7, 1, "", NULL) == 0);
	CHECK(evp_control_counts(fd, 5, 0, &who, &counts) == -ENOENT);
	CHECK(evp_control_counts(fd, 3, 0, &who, &counts) == 0);
}

static void eve_sees_all(void)
{
	look();
	CHECK(nr_seen == 3 && seen[0] == 2 && seen[1] == 5 && seen[2] == 7);
}

static void listing_shows_each_what_is_his(void **state)
{
	struct evp_guest *five, *seven;

	(void)state;
	start_with("allow user 60001 domain 1-9,7\n"
		   "allow group 60010 domain any\n"
		   "allow user 60003 domain any\n"
		   "allow user 60003 list\n");
	five = attach(5);
	seven = attach(7);
	(void)alloc(five, DOMID_SELF, 1);
	(void)alloc(seven, DOMID_SELF, 3);
	assert_int_equal(as(ALICE, alice_sees_hers_and_what_she_may_join), 0);
	assert_int_equal(as(BOB, bob_sees_his), 0);
	/* The domains of those who left end when the broker gets there. */
	while (evp_poll(five),
	       ask_domain(open_session(2, &(uint32_t){0}), 2).nr_ports)
		;
	evp_detach(five);
	evp_detach(seven);
}

static void listing_of_all_needs_a_rule(void **state)
{
	struct evp_guest *five, *seven;

	(void)state;
	start_with("allow user 60003 domain any\n"
		   "allow user 60003 list\n");
	five = attach(5);
	seven = attach(7);
	(void)alloc(five, DOMID_SELF, 1);
	(void)alloc(seven, DOMID_SELF, 1);
	assert_int_equal(as(EVE, eve_sees_all), 0);
	evp_detach(five);
	evp_detach(seven);
}

/* --- another policy --------------------------------------------------------------------- */

/* Asks again and again: the broker reads the file when it gets there. */
static void hold_and_wait_for_the_end(int from, int to, void *arg)
{
	struct evp_guest *g;

	(void)from;
	(void)arg;
	become(ALICE);
	g = attach(3);
	say(to, 0);
	while (evp_broker_is_there(g))
		CHECK(evp_wait(g, EVP_FOREVER) >= 0 || !evp_broker_is_there(g));
	CHECK(!may(3));
	say(to, 0);
}

static void await_bob(void)
{
	uint32_t domid;

	while (try_domain(4, &domid))
		;
}

static void reload_takes_effect_and_a_bad_file_does_not(void **state)
{
	struct child c;

	(void)state;
	start_with("allow user 60001 domain 1-9\n");
	c = start_child(hold_and_wait_for_the_end, NULL);
	(void)hear(c.from);
	/* What is wrong changes nothing. */
	write_policy("allow user 60002 domain 1-9\nallow user 60001\n");
	assert_int_equal(kill(broker.pid, SIGHUP), 0);
	assert_int_equal(as(BOB, nobody_is_served), 0);
	write_policy("allow user 60002 domain 1-9\n");
	assert_int_equal(kill(broker.pid, SIGHUP), 0);
	assert_int_equal(as(BOB, await_bob), 0);
	(void)hear(c.from);
	assert_int_equal(end_child(&c), 0);
	assert_int_equal(as(ALICE, nobody_is_served), 0);
}

/* --- all -------------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(domains_allowed_by_user_group_and_not_dom0_by_chance),
		TEST(domain_0_by_its_own_rule_also_beside_root),
		TEST(without_a_policy_nobody_else),
		TEST(session_handed_down_is_permission_for_its_domain_only),
		TEST(limits_of_one_user_do_not_touch_another),
		TEST(everybody_else_leaves_room_for_us),
		TEST(listing_shows_each_what_is_his),
		TEST(listing_of_all_needs_a_rule),
		TEST(reload_takes_effect_and_a_bad_file_does_not),
	};
	const char *ci = getenv("CI");

	(void)argc;
	find_evtchnd(argv[0]);
	if (geteuid() != 0) {
		printf("1..1\n%s 1 - policy%s needs root\n",
		       ci && !strcmp(ci, "true") ? "not ok" : "ok",
		       ci && !strcmp(ci, "true") ? ":" : " # SKIP");
		return 0;
	}
	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
