/* SPDX-License-Identifier: MIT */
/*
 * The broker is killed and another one started in its place: that one does what
 * was to be done when a mapping ends.
 */
#include <sys/eventfd.h>

#include "remap.h"

/* Domain 1 hears of it. */
static void unmap_and_close(struct pair *p)
{
	assert_int_equal(evp_grant_unmap(p->two, p->seen, 1), 0);
	expect_notice(p);
	close_pair(p);
}

/* --- it ends under the next broker ------------------------------------------- */

static void unmapping_is_noticed(void **state)
{
	struct pair p = open_pair();
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		restart_broker();
		back_again(&p); /* the port is wanted for it */
		await_told(p.two, p.broker);
		p.broker = p.two->s.broker;
	}
	assert_int_equal(p.mine[OFFSET], 1);
	unmap_and_close(&p);
}

/* Before the granter is back it cannot be said. */
static void mapper_may_be_first(void **state)
{
	struct pair p = open_pair();

	(void)state;
	CHECK(pthread_mutex_lock(&p.one->lock) == 0);
	restart_broker();
	back_again(&p);
	await_refused(p.two, p.broker);
	CHECK(pthread_mutex_unlock(&p.one->lock) == 0);
	await_told(p.two, p.broker);
	unmap_and_close(&p);
}

static void mapper_may_be_last(void **state)
{
	struct pair p = open_pair();

	(void)state;
	CHECK(pthread_mutex_lock(&p.two->lock) == 0);
	restart_broker();
	await_told(p.one, p.broker);
	back_again(&p);
	CHECK(pthread_mutex_unlock(&p.two->lock) == 0);
	await_told(p.two, p.broker);
	unmap_and_close(&p);
}

/* Before its keeper has come to it: that one ends here without looking. */
static void closing_is_noticed(void **state)
{
	struct pair p = open_pair();

	(void)state;
	CHECK(eventfd_write(p.two->stop, 1) == 0);
	restart_broker();
	await_told(p.one, p.broker);
	back_again(&p);
	evp_grants_close(p.two);
	p.two = NULL;
	expect_notice(&p);
	close_pair(&p);
}

/* Who has it mapped goes on with the next one, as if this one had been killed. */
static void end_of_broker_is_no_unmapping(void **state)
{
	struct pair p = open_pair();
	int status;

	(void)state;
	catch_up(p.g, p.port);
	CHECK(!kill(broker.pid, SIGTERM));
	CHECK(waitpid(broker.pid, &status, 0) == broker.pid && !status);
	CHECK(evp_poll(p.g) >= 0);
	assert_int_equal(said, 0);
	assert_int_equal(p.mine[OFFSET], 1);
	start_broker(&broker);
	back_again(&p);
	await_told(p.two, p.broker);
	unmap_and_close(&p);
}

static void map_and_wait(int from, int to, void *arg)
{
	const struct pair *p = arg;
	struct evp_grants *h = grants(2);
	struct evp_guest *g = attach(2);
	evtchn_port_t port = open_bound(g, 1, p->port, count_event, &ignored);

	(void)map_notified(h, p->ref, port);
	say(to, 0);
	(void)hear(from);
	await_status(g, port, EVTCHNSTAT_interdomain);
	await_told(h, p->broker);
	say(to, 0);
	(void)hear(from);
}

static void death_is_noticed(void **state)
{
	struct pair p = {.one = grants(1), .g = attach(1)};
	struct child c;

	(void)state;
	p.port = open_unbound(p.g, 2, count_event, &said);
	p.mine = share_page(p.one, 2, 1, &p.ref);
	p.mine[OFFSET] = 1;
	p.broker = p.one->s.broker;
	c = start_child(map_and_wait, &p);
	(void)hear(c.from);
	restart_broker();
	CHECK(status_of(p.g, p.port));
	say(c.to, 0);
	(void)hear(c.from);
	catch_up(p.g, p.port);
	assert_int_equal(p.mine[OFFSET], 1);
	(void)kill(c.pid, SIGKILL);
	wait_count(p.g, &said, 1);
	assert_int_equal(p.mine[OFFSET], 0);
	assert_int_equal(end_child(&c), 128 + SIGKILL);
	evp_grants_close(p.one);
	evp_detach(p.g);
}

/* --- while there is no broker ------------------------------------------------------ */

/* The byte at once, the event as soon as somebody can send it. */
static void unmapping_meanwhile_is_noticed(void **state)
{
	struct pair p = open_pair();

	(void)state;
	CHECK(pthread_mutex_lock(&p.one->lock) == 0);
	kill_broker();
	assert_int_not_equal(evp_grant_unmap(p.two, p.seen, 1), 0);
	assert_int_equal(p.mine[OFFSET], 0);
	start_broker(&broker);
	back_again(&p);
	/* The granter begins anew; that byte is his now. */
	p.mine[OFFSET] = 1;
	await_refused(p.two, p.broker);
	assert_int_equal(said, 0);
	CHECK(pthread_mutex_unlock(&p.one->lock) == 0);
	wait_count(p.g, &said, 1);
	await_told(p.two, p.broker);
	assert_int_equal(p.mine[OFFSET], 1);
	assert_null(p.two->gone);
	close_pair(&p);
}

/* A broker is there, but not the granter. */
static void unmapping_before_it_was_told_is_noticed(void **state)
{
	struct pair p = open_pair();

	(void)state;
	CHECK(pthread_mutex_lock(&p.one->lock) == 0);
	restart_broker();
	back_again(&p);
	await_refused(p.two, p.broker);
	assert_int_equal(evp_grant_unmap(p.two, p.seen, 1), 0);
	assert_int_equal(p.mine[OFFSET], 0);
	CHECK(pthread_mutex_unlock(&p.one->lock) == 0);
	expect_notice(&p);
	close_pair(&p);
}

static void unsharing_meanwhile_is_noticed(void **state)
{
	struct pair p = open_pair();
	const struct evp_notify n = {OFFSET, p.peer};
	struct evp_grants *h = grants(2);
	uint32_t ref;
	uint8_t *his, *seen;

	(void)state;
	CHECK(try_share(h, 1, 1, EVP_GRANT_ANYWHERE, &n, &ref, &his) == 0);
	seen = map_page(p.one, 2, ref);
	his[OFFSET] = 1;
	kill_broker();
	assert_int_not_equal(evp_grant_unshare(h, his, 1), 0);
	assert_int_equal(seen[OFFSET], 0);
	CHECK(pthread_mutex_lock(&h->lock) == 0);
	start_broker(&broker);
	back_again(&p);
	assert_int_equal(said, 0);
	CHECK(pthread_mutex_unlock(&h->lock) == 0);
	wait_count(p.g, &said, 1);
	await_told(h, p.broker);
	evp_grants_close(h);
	close_pair(&p);
}

/* The granter does not come back: it is tried for a while, no longer. */
static void what_cannot_be_told_is_forgotten(void **state)
{
	struct pair p = open_pair();
	uint8_t *late = map_notified(p.two, p.ref, p.peer);

	(void)state;
	kill_broker();
	evp_grants_close(p.one);
	start_broker(&broker);
	await_refused(p.two, p.broker);
	p.seen[OFFSET] = 1;
	assert_int_equal(evp_grant_unmap(p.two, p.seen, 1), 0);
	assert_non_null(p.two->gone);
	/* Not to wait for all of them. */
	CHECK(pthread_mutex_lock(&p.two->lock) == 0);
	p.two->tries = 2;
	CHECK(pthread_mutex_unlock(&p.two->lock) == 0);
	await_told(p.two, p.broker);
	assert_null(p.two->gone);
	late[OFFSET] = 1;
	assert_int_equal(evp_grant_unmap(p.two, late, 1), 0);
	assert_int_equal(p.mine[OFFSET], 0);
	assert_null(p.two->gone);
	p.one = NULL;
	close_pair(&p);
}

static bool is_told(struct evp_grants *h, uint64_t old, const void *addr)
{
	bool is;

	CHECK(pthread_mutex_lock(&h->lock) == 0);
	is = h->s.broker != old && !(*evp_area_find(h, addr))->is_unsaid;
	CHECK(pthread_mutex_unlock(&h->lock) == 0);
	return is;
}

/* So many are refused in vain that one try does not get through them. */
static void the_refused_hold_up_nobody(void **state)
{
	enum {
		MANY = 1024,
		FEW = 8
	};
	struct evp_grants *one = grants(1), *two = grants(2), *four = grants(4);
	struct evp_share s = {.domid = 2,
			      .count = MANY,
			      .writable = 1,
			      .at = EVP_GRANT_ANYWHERE};
	static uint32_t refs[MANY];
	uint64_t old = one->s.broker;
	uint8_t *mine[FEW];
	uint32_t i, ref;
	void *all;

	(void)state;
	CHECK(evp_grant_share(four, &s, refs, &all) == 0);
	for (i = 0; i < MANY; i++) {
		(void)map_page(two, 4, refs[i]);
		if (i % (MANY / FEW))
			continue;
		(void)share_page(one, 2, 1, &ref);
		mine[i / (MANY / FEW)] = map_page(two, 1, ref);
	}
	kill_broker();
	evp_grants_close(four);
	start_broker(&broker);
	await_told(one, old);
	for (i = 0; i < FEW; i++) {
		while (!is_told(two, old, mine[i]))
			(void)sched_yield();
	}
	evp_grants_close(one);
	evp_grants_close(two);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(unmapping_is_noticed),
		TEST(mapper_may_be_first),
		TEST(mapper_may_be_last),
		TEST(closing_is_noticed),
		TEST(end_of_broker_is_no_unmapping),
		TEST(death_is_noticed),
		TEST(unmapping_meanwhile_is_noticed),
		TEST(unmapping_before_it_was_told_is_noticed),
		TEST(unsharing_meanwhile_is_noticed),
		TEST(what_cannot_be_told_is_forgotten),
		TEST(the_refused_hold_up_nobody),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("remap", tests, NULL, NULL);
}
