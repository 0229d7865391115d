/* SPDX-License-Identifier: MIT */
/*
 * Who may be which domain: other users' processes against a broker with a
 * policy file, and without one.
 *
 * Another user is a child that gave up being root, so the tests need root.
 */
#include "policy.h"

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

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(domains_allowed_by_user_group_and_not_dom0_by_chance),
		TEST(domain_0_by_its_own_rule_also_beside_root),
		TEST(without_a_policy_nobody_else),
		TEST(session_handed_down_is_permission_for_its_domain_only),
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
