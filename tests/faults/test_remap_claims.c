/* SPDX-License-Identifier: MIT */
/*
 * The broker is killed and another one started in its place: that one knows what
 * is mapped, from those who may have it, and from nobody else.
 */
#include "remap.h"

/* --- in use ----------------------------------------------------------------------- */

static int share_known(struct evp_grants *h)
{
	uint32_t ref;
	uint8_t *p;

	return try_share(h, 2, 1, KNOWN, NULL, &ref, &p);
}

static void mapped_grant_is_in_use(void **state)
{
	struct pair p = open_pair();

	(void)state;
	restart_broker();
	back_again(&p);
	await_told(p.two, p.broker);
	assert_int_equal(evp_grant_unshare(p.one, p.mine, 1), 0);
	assert_int_equal(share_known(p.one), -EBUSY);
	p.seen[OFFSET] = 2;
	assert_int_equal(evp_grant_unmap(p.two, p.seen, 1), 0);
	assert_int_equal(share_known(p.one), 0);
	close_pair(&p);
}

/* Many pages, of two domains and of several regions, in one call. */
static void large_mapping_is_told(void **state)
{
	enum {
		LARGE = 300
	};
	struct evp_grants *one = grants(1), *two = grants(2), *four = grants(4);
	static uint32_t refs[LARGE];
	static struct evp_grant_ref r[LARGE + 2];
	struct evp_share s = {.domid = 2,
			      .count = LARGE,
			      .writable = 1,
			      .at = EVP_GRANT_ANYWHERE};
	uint64_t old = one->s.broker;
	uint8_t *known, *other;
	void *p;
	uint32_t i;

	(void)state;
	CHECK(evp_grant_share(one, &s, refs, &p) == 0);
	CHECK(try_share(one, 2, 1, KNOWN, NULL, &r[0].ref, &known) == 0);
	CHECK(try_share(four, 2, 1, KNOWN, NULL, &r[1].ref, &other) == 0);
	r[0].domid = 1;
	r[1].domid = 4;
	for (i = 0; i < LARGE; i++)
		r[2 + i] = (struct evp_grant_ref){1, refs[LARGE - 1 - i]};
	CHECK(evp_grant_map(two, r, LARGE + 2, RW, NULL, &p) == 0);
	restart_broker();
	await_told(two, old);
	CHECK(evp_grant_unshare(one, known, 1) == 0);
	CHECK(evp_grant_unshare(four, other, 1) == 0);
	assert_int_equal(share_known(one), -EBUSY);
	assert_int_equal(share_known(four), -EBUSY);
	assert_int_equal(evp_grant_unmap(two, p, LARGE + 2), 0);
	assert_int_equal(share_known(one), 0);
	assert_int_equal(share_known(four), 0);
	evp_grants_close(one);
	evp_grants_close(two);
	evp_grants_close(four);
}

/* Who still looks at a page and has not said so keeps it. */
static void page_of_before_is_not_used_again(void **state)
{
	struct evp_grants *one = grants(1), *two = grants(2);
	uint64_t old = one->s.broker;
	uint32_t ref[3];
	uint8_t *mine, *seen;

	(void)state;
	(void)share_page(one, 2, 1, &ref[0]);
	mine = share_page(one, 2, 1, &ref[1]);
	seen = map_page(two, 1, ref[1]);
	mine[0] = 17;
	CHECK(pthread_mutex_lock(&two->lock) == 0);
	restart_broker();
	await_told(one, old);
	CHECK(evp_grant_unshare(one, mine, 1) == 0);
	assert_ptr_not_equal(share_page(one, 2, 1, &ref[2]), mine);
	assert_int_equal(seen[0], 17);
	CHECK(pthread_mutex_unlock(&two->lock) == 0);
	evp_grants_close(one);
	evp_grants_close(two);
}

/* --- who says what is not so -------------------------------------------------------- */

static int try_claim(int fd, struct evp_grant_map m, uint32_t *map)
{
	size_t len = offsetof(struct evp_grant_map, ref) +
		     m.count * sizeof(m.ref[0]);
	struct evp_packet p;
	const struct evp_grant_mapped *a = (const void *)p.u.bytes;
	int rc;

	evp_hdr_init(&m.hdr, EVP_GRANT_MAP, len, 5);
	rc = evp_ask(fd, &m, len, &p, EVP_GRANT_MAPPED,
		     offsetof(struct evp_grant_mapped, page));
	if (rc)
		return rc;
	*map = a->map;
	rc = a->status;
	evp_packet_close_fds(&p);
	return rc;
}

/* What domain 2 has, as it says it itself. */
static struct evp_grant_map claim_of(struct pair *p, evtchn_port_t port)
{
	const struct evp_area *a = *evp_area_find(p->two, p->seen);

	return (struct evp_grant_map){
		.file = a->seen[0].file,
		.page = a->seen[0].page,
		.domid = 1,
		.flags = EVP_GRANT_WRITABLE,
		.count = 1,
		.ref = {p->ref},
		.notify = {.what = EVP_NOTIFY_BYTE | EVP_NOTIFY_EVENT,
			   .offset = OFFSET,
			   .port = port}};
}

static void others_get_nothing(void **state)
{
	struct pair p = open_pair();
	struct evp_guest *g = attach(3);
	evtchn_port_t port = alloc(g, DOMID_SELF, 1);
	struct evp_grant_map m = claim_of(&p, port);
	uint32_t domid, map;
	int fd;

	(void)state;
	CHECK(pthread_mutex_lock(&p.one->lock) == 0);
	restart_broker();
	await_status(g, port, EVTCHNSTAT_unbound);
	back_again(&p);
	fd = open_session(3, &domid);
	assert_int_equal(try_claim(fd, m, &map), GNTST_bad_gntref);
	CHECK(pthread_mutex_unlock(&p.one->lock) == 0);
	await_told(p.one, p.broker);
	await_told(p.two, p.broker);
	assert_int_equal(try_claim(fd, m, &map), GNTST_permission_denied);
	/* Nor is he told what is there. */
	m.file++;
	assert_int_equal(try_claim(fd, m, &map), GNTST_permission_denied);
	(void)close(fd);
	evp_detach(g);
	await_quiet();
	CHECK(evp_poll(p.g) >= 0);
	assert_int_equal(said, 0);
	assert_int_equal(p.mine[OFFSET], 1);
	assert_int_equal(evp_grant_unmap(p.two, p.seen, 1), 0);
	expect_notice(&p);
	close_pair(&p);
}

static void claim_is_for_one_page(void **state)
{
	struct pair p = open_pair();
	struct evp_grant_map m = claim_of(&p, p.peer), bad;
	uint32_t domid, map;
	int fd = open_session(2, &domid);

	(void)state;
	bad = m;
	bad.file ^= 1;
	assert_int_equal(try_claim(fd, bad, &map), GNTST_bad_gntref);
	bad = m;
	bad.page ^= 1;
	assert_int_equal(try_claim(fd, bad, &map), GNTST_bad_gntref);
	(void)close(fd);
	await_quiet();
	assert_int_equal(p.mine[OFFSET], 1);
	fd = open_session(2, &domid);
	assert_int_equal(try_claim(fd, m, &map), GNTST_okay);
	(void)close(fd);
	while (((volatile uint8_t *)p.mine)[OFFSET])
		(void)sched_yield();
	fd = open_session(2, &domid);
	m.notify.what = 0;
	m.ref[m.count++] = p.ref;
	assert_int_equal(try_claim(fd, m, &map), -ECONNRESET);
	(void)close(fd);
	close_pair(&p);
}

/* The number is another page's by now: that one has nothing to do with it. */
static void another_page_is_left_alone(void **state)
{
	struct pair p = open_pair();
	struct evp_grants *h;
	uint32_t ref;
	uint8_t *other;

	(void)state;
	CHECK(pthread_mutex_lock(&p.one->lock) == 0);
	CHECK(pthread_mutex_lock(&p.two->lock) == 0);
	restart_broker();
	back_again(&p);
	h = grants(1);
	CHECK(try_share(h, 2, 1, KNOWN, NULL, &ref, &other) == 0);
	other[OFFSET] = 1;
	CHECK(pthread_mutex_unlock(&p.one->lock) == 0);
	CHECK(pthread_mutex_unlock(&p.two->lock) == 0);
	await_refused(p.two, p.broker);
	assert_int_equal(evp_grant_unmap(p.two, p.seen, 1), 0);
	assert_int_equal(p.mine[OFFSET], 0);
	evp_grants_close(p.two);
	evp_grants_close(p.one); /* which still wants its number */
	p.one = p.two = NULL;
	await_quiet();
	CHECK(evp_poll(p.g) >= 0);
	assert_int_equal(said, 0);
	assert_int_equal(other[OFFSET], 1);
	/* Nobody uses it. */
	CHECK(evp_grant_unshare(h, other, 1) == 0);
	assert_int_equal(share_known(h), 0);
	evp_grants_close(h);
	close_pair(&p);
}

/* The same of several pages, where the broker is not told which they were. */
static void other_pages_are_not_in_use(void **state)
{
	struct evp_grants *one = grants(1), *two = grants(2), *h;
	struct evp_grant_ref r[2] = {{.domid = 1}, {.domid = 1}};
	uint64_t old = one->s.broker;
	uint32_t ref;
	uint8_t *page;
	void *p;

	(void)state;
	CHECK(try_share(one, 2, 1, KNOWN, NULL, &r[0].ref, &page) == 0);
	CHECK(try_share(one, 2, 1, KNOWN + 1, NULL, &r[1].ref, &page) == 0);
	CHECK(evp_grant_map(two, r, 2, RW, NULL, &p) == 0);
	CHECK(pthread_mutex_lock(&one->lock) == 0);
	CHECK(pthread_mutex_lock(&two->lock) == 0);
	restart_broker();
	h = grants(1);
	CHECK(try_share(h, 2, 1, KNOWN + 1, NULL, &ref, &page) == 0);
	CHECK(try_share(h, 2, 1, KNOWN, NULL, &ref, &page) == 0);
	CHECK(pthread_mutex_unlock(&two->lock) == 0);
	await_refused(two, old);
	CHECK(pthread_mutex_lock(&two->lock) == 0);
	CHECK(evp_grant_unshare(h, page, 1) == 0);
	assert_int_equal(share_known(h), 0);
	CHECK(pthread_mutex_unlock(&two->lock) == 0);
	CHECK(pthread_mutex_unlock(&one->lock) == 0);
	evp_grants_close(one);
	evp_grants_close(two);
	evp_grants_close(h);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(mapped_grant_is_in_use),
		TEST(large_mapping_is_told),
		TEST(page_of_before_is_not_used_again),
		TEST(others_get_nothing),
		TEST(claim_is_for_one_page),
		TEST(another_page_is_left_alone),
		TEST(other_pages_are_not_in_use),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("remap_claims", tests, NULL, NULL);
}
