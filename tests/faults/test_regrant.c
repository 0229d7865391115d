/* SPDX-License-Identifier: MIT */
/*
 * The broker is killed and another one started in its place: what was shared can
 * be mapped again, by the same numbers.
 */
#include <sys/mman.h>

#include <evp/grant.h>

#include "tests/process/harness.h"

#include "hosts/process/proto_grant.h"

static struct evp_grants *open_grants(int domain)
{
	const struct evp_options o = {.domain = domain};
	struct evp_grants *h = NULL;

	CHECK(evp_grants_open(&h, &o) == 0);
	return h;
}

static volatile uint8_t *share_pages(struct evp_grants *h, struct evp_share s,
				     uint32_t *ref)
{
	void *addr = NULL;

	s.domid = 2;
	CHECK(evp_grant_share(h, &s, ref, &addr) == 0);
	return addr;
}

/* The keeper does it in its own time; nobody calls the sharing handle. */
static volatile uint8_t *map_soon(struct evp_grants *h, uint32_t ref, int prot)
{
	const struct evp_grant_ref r = {.domid = 1, .ref = ref};
	void *addr = NULL;

	while (evp_grant_map(h, &r, 1, prot, NULL, &addr))
		(void)sched_yield();
	return addr;
}

#define PLAIN .at = EVP_GRANT_ANYWHERE, .writable = 1

static void shared_page_is_shared_again(void **state)
{
	struct evp_grants *one = open_grants(1), *two = open_grants(2);
	volatile uint8_t *mine, *before, *after;
	uint32_t ref = 0;

	(void)state;
	mine = share_pages(one, (struct evp_share){PLAIN, .count = 1}, &ref);
	before = map_soon(two, ref, PROT_READ | PROT_WRITE);
	mine[5] = 17;
	restart_broker();
	/* What is mapped works on, without anybody. */
	assert_int_equal(before[5], 17);
	before[6] = 18;
	after = map_soon(two, ref, PROT_READ | PROT_WRITE);
	assert_ptr_not_equal(before, after);
	assert_int_equal(after[5], 17);
	after[7] = 19;
	assert_int_equal(mine[6], 18);
	assert_int_equal(mine[7], 19);
	/* Of the former broker, and of this one. */
	assert_int_equal(evp_grant_unmap(two, (void *)(uintptr_t)before, 1), 0);
	assert_int_equal(evp_grant_unmap(two, (void *)(uintptr_t)after, 1), 0);
	assert_int_equal(evp_grant_unshare(one, (void *)(uintptr_t)mine, 1), 0);
	evp_grants_close(one);
	evp_grants_close(two);
}

/* Slabs, regions of their own, known places; and holes among them. */
static void all_kinds_keep_their_numbers(void **state)
{
	enum {
		SINGLE = 70,
		LARGE = 600
	};
	static uint32_t ref[SINGLE], large[LARGE], console, other;
	struct evp_grants *one = open_grants(1), *two = open_grants(2);
	volatile uint8_t *page[SINGLE], *pages, *known, *seen;
	uint32_t i;

	(void)state;
	for (i = 0; i < SINGLE; i++)
		page[i] = share_pages(
			one, (struct evp_share){PLAIN, .count = 1}, &ref[i]);
	pages = share_pages(one, (struct evp_share){PLAIN, .count = LARGE},
			    large);
	known = share_pages(
		one, (struct evp_share){.count = 1, .writable = 0, .at = 3},
		&console);
	assert_int_equal(console, 3);
	for (i = 0; i < SINGLE; i += 3)
		assert_int_equal(
			evp_grant_unshare(one, (void *)(uintptr_t)page[i], 1),
			0);
	restart_broker();
	for (i = 0; i < SINGLE; i++) {
		if (i % 3 == 0)
			continue;
		seen = map_soon(two, ref[i], PROT_READ);
		page[i][0] = (uint8_t)i;
		assert_int_equal(seen[0], i);
	}
	for (i = 0; i < LARGE; i += 37) {
		seen = map_soon(two, large[i], PROT_READ | PROT_WRITE);
		pages[(size_t)i * 4096] = (uint8_t)(i + 1);
		assert_int_equal(seen[0], (uint8_t)(i + 1));
	}
	seen = map_soon(two, 3, PROT_READ);
	known[9] = 9;
	assert_int_equal(seen[9], 9);
	/* The holes are free, and the first of them is next. */
	(void)share_pages(one, (struct evp_share){PLAIN, .count = 1}, &other);
	for (i = 0; i < SINGLE; i++)
		assert_true(i % 3 == 0 || ref[i] != other);
	evp_grants_close(one);
	evp_grants_close(two);
}

static void what_was_unshared_is_not_shared_again(void **state)
{
	struct evp_grants *one = open_grants(1), *two = open_grants(2);
	struct evp_grant_ref r = {.domid = 1};
	uint32_t gone = 0, there = 0;
	volatile uint8_t *mine;
	void *addr;

	(void)state;
	mine = share_pages(one, (struct evp_share){PLAIN, .count = 2},
			   (uint32_t[2]){0});
	CHECK(evp_grant_unshare(one, (void *)(uintptr_t)mine, 2) == 0);
	mine = share_pages(one, (struct evp_share){PLAIN, .count = 1}, &gone);
	(void)share_pages(one, (struct evp_share){PLAIN, .count = 1}, &there);
	kill_broker();
	/* Without a broker it is an error, but it is not shared any more. */
	assert_int_not_equal(evp_grant_unshare(one, (void *)(uintptr_t)mine, 1),
			     0);
	start_broker(&broker);
	(void)map_soon(two, there, PROT_READ);
	r.ref = gone;
	assert_int_equal(evp_grant_map(two, &r, 1, PROT_READ, NULL, &addr),
			 -ENOENT);
	evp_grants_close(one);
	evp_grants_close(two);
}

/* A notification needs a port, and that comes back by another connection. */
static void notification_is_asked_for_again(void **state)
{
	struct evp_grants *one = open_grants(1), *two = open_grants(2);
	struct evp_guest *g = attach(1), *back = attach(2);
	uint64_t count = 0, there = 0;
	evtchn_port_t port = open_unbound(g, 2, count_event, &count);
	evtchn_port_t peer = open_bound(back, 1, port, count_event, &there);
	const struct evp_notify n = {.offset = 7, .port = port};
	volatile uint8_t *mine, *seen;
	uint32_t ref = 0;

	(void)state;
	wait_count(back, &there, 1);
	mine = share_pages(
		one, (struct evp_share){PLAIN, .count = 1, .notify = &n}, &ref);
	mine[7] = 1;
	restart_broker();
	CHECK(status_of(g, port) && status_of(back, peer));
	seen = map_soon(two, ref, PROT_READ);
	(void)evp_poll(back);
	there = 0;
	assert_int_equal(evp_grant_unshare(one, (void *)(uintptr_t)mine, 1), 0);
	assert_int_equal(seen[7], 0);
	wait_count(back, &there, 1);
	evp_grants_close(one);
	evp_grants_close(two);
	evp_detach(g);
	evp_detach(back);
}

/* Of a page for reading only as well, as nothing is to be written there. */
static void event_alone_is_asked_for_again(void **state)
{
	struct evp_grants *one = open_grants(1), *two = open_grants(2);
	struct evp_guest *g = attach(1), *back = attach(2);
	uint64_t count = 0, there = 0;
	evtchn_port_t port = open_unbound(g, 2, count_event, &count);
	evtchn_port_t peer = open_bound(back, 1, port, count_event, &there);
	const struct evp_notify n = {.offset = EVP_NO_NOTIFY, .port = port};
	const struct evp_share s = {
		.at = EVP_GRANT_ANYWHERE, .count = 1, .notify = &n};
	volatile uint8_t *mine;
	uint32_t ref = 0;

	(void)state;
	wait_count(back, &there, 1);
	mine = share_pages(one, s, &ref);
	restart_broker();
	CHECK(status_of(g, port) && status_of(back, peer));
	(void)map_soon(two, ref, PROT_READ);
	await_status(back, peer, EVTCHNSTAT_interdomain);
	await_quiet();
	CHECK(evp_poll(back) >= 0);
	there = 0;
	assert_int_equal(evp_grant_unshare(one, (void *)(uintptr_t)mine, 1), 0);
	wait_count(back, &there, 1);
	evp_grants_close(one);
	evp_grants_close(two);
	evp_detach(g);
	evp_detach(back);
}

/* --- who lies about what it had -------------------------------------------------- */

static int grant_session(void)
{
	uint32_t domid;

	return open_session(1, &domid);
}

/* A region of two pages, for writing, as a library makes it; its number. */
static uint64_t hand_in(int fd)
{
	struct evp_grant_region m = {
		.nr_pages = 2, .domid = 2, .flags = EVP_GRANT_WRITABLE};
	int memfd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct evp_packet p;
	const struct evp_grant_region_is *a = (const void *)p.u.bytes;

	CHECK(memfd >= 0 && !ftruncate(memfd, 8192) &&
	      !fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	evp_hdr_init(&m.hdr, EVP_GRANT_REGION, sizeof(m), 5);
	CHECK(!evp_ask_with(fd, &m, sizeof(m), memfd, &p, EVP_GRANT_REGION_IS,
			    sizeof(*a)));
	CHECK(!fcntl(memfd, F_ADD_SEALS, F_SEAL_SEAL));
	(void)close(memfd);
	return a->region;
}

static int say_reshare(int fd, struct evp_grant_reshare m, size_t nr)
{
	size_t len =
		offsetof(struct evp_grant_reshare, ref) + nr * sizeof(m.ref[0]);
	struct evp_packet p;

	evp_hdr_init(&m.hdr, EVP_GRANT_RESHARE, len, 5);
	return evp_ask(fd, &m, len, &p, EVP_GRANT_DONE, 1);
}

static void impossible_claims_end_the_connection(void **state)
{
	const struct evp_grant_reshare bad[] = {
		{.count = 0},
		{.count = 3, .ref = {20, 21, 22}},
		{.count = 1, .page = 2, .ref = {20}},
		{.count = 1, .page = UINT32_MAX, .ref = {20}},
		{.count = 1, .ref = {EVP_GRANTS_MAX}},
		{.count = 2, .ref = {20, UINT32_MAX}},
		{.count = 2, .ref = {20, 21}, .notify = {.what = 2}},
		{.count = 1, .ref = {20}, .notify = {.what = 1}},
		{.count = EVP_GRANTS_PER_MSG + 1},
	};
	struct evp_grant_reshare m;
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fd = grant_session();
		m = bad[i];
		m.region = hand_in(fd);
		assert_int_equal(say_reshare(fd, m, m.count % 257),
				 -ECONNRESET);
		(void)close(fd);
	}
	/* Another one's region, and a length that is none. */
	fd = grant_session();
	m = (struct evp_grant_reshare){.count = 1, .ref = {20}};
	assert_int_equal(say_reshare(fd, m, 1), -ECONNRESET);
	(void)close(fd);
	fd = grant_session();
	m.region = hand_in(fd);
	assert_int_equal(say_reshare(fd, m, 2), -ECONNRESET);
	(void)close(fd);
}

static void taken_number_is_refused_as_a_whole(void **state)
{
	struct evp_grant_reshare m = {.count = 2, .ref = {300, 301}};
	int one = grant_session(), two = grant_session();

	(void)state;
	m.region = hand_in(one);
	assert_int_equal(say_reshare(one, m, 2), 0);
	m.region = hand_in(two);
	m.ref[0] = 299;
	assert_int_equal(say_reshare(two, m, 2), -EBUSY);
	/* Nothing of it was shared, and the region has gone. */
	assert_int_equal(say_reshare(two, m, 2), -ECONNRESET);
	(void)close(two);
	two = grant_session();
	m.region = hand_in(two);
	m.ref[1] = 299; /* twice in one message */
	assert_int_equal(say_reshare(two, m, 2), -EBUSY);
	m.region = hand_in(two);
	m.ref[1] = 302;
	assert_int_equal(say_reshare(two, m, 2), 0);
	(void)close(one);
	(void)close(two);
}

/* Whatever was asked for by its number, the free ones stay a list. */
static void other_numbers_are_given_afterwards(void **state)
{
	struct evp_grant_reshare m = {.count = 2};
	struct evp_grants *h = open_grants(1);
	uint32_t ref[200], i, j;
	int fd = grant_session();

	(void)state;
	for (i = 0; i < 20; i++) {
		m.region = hand_in(fd);
		m.ref[0] = 8 + i * 7;
		m.ref[1] = 200 - i;
		assert_int_equal(say_reshare(fd, m, 2), 0);
	}
	(void)share_pages(h, (struct evp_share){PLAIN, .count = 200}, ref);
	for (i = 0; i < 200; i++) {
		for (j = 0; j < i; j++)
			assert_int_not_equal(ref[i], ref[j]);
		assert_true(ref[i] < 181 || ref[i] > 200);
		assert_true(ref[i] % 7 != 1 || ref[i] > 8 + 19 * 7);
	}
	(void)close(fd);
	evp_grants_close(h);
}

static void and_with_the_one_after_that(void **state)
{
	struct evp_grants *one = open_grants(1), *two = open_grants(2);
	volatile uint8_t *mine, *seen;
	uint32_t ref = 0;
	int i;

	(void)state;
	mine = share_pages(one, (struct evp_share){PLAIN, .count = 1}, &ref);
	for (i = 1; i <= 3; i++) {
		restart_broker();
		seen = map_soon(two, ref, PROT_READ);
		mine[0] = (uint8_t)i;
		assert_int_equal(seen[0], i);
	}
	evp_grants_close(one);
	evp_grants_close(two);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(shared_page_is_shared_again),
		TEST(all_kinds_keep_their_numbers),
		TEST(what_was_unshared_is_not_shared_again),
		TEST(notification_is_asked_for_again),
		TEST(event_alone_is_asked_for_again),
		TEST(impossible_claims_end_the_connection),
		TEST(taken_number_is_refused_as_a_whole),
		TEST(other_numbers_are_given_afterwards),
		TEST(and_with_the_one_after_that),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("regrant", tests, NULL, NULL);
}
