/* SPDX-License-Identifier: MIT */
/*
 * How much of the broker a user may have by sharing and mapping pages.
 */
#include "policy.h"

#include <abi/grant_table.h>

#include "tests/gnttab/grants.h"

/* A page with this has a region of its own. */
static const struct evp_notify clear_byte = {7, EVP_NO_NOTIFY};

static int share_region(struct evp_grants *h, uint32_t *ref)
{
	uint8_t *p;

	return try_share(h, 2, 1, EVP_GRANT_ANYWHERE, &clear_byte, ref, &p);
}

/* Until one is refused. */
static unsigned int share_all(struct evp_grants *h)
{
	unsigned int i = 0;
	uint32_t ref;

	while (i < 100 && !share_region(h, &ref))
		i++;
	return i;
}

/* A connection and 19 regions, or two connections and 18: hers, not each one's. */
static void eat_regions(void)
{
	struct evp_grants *h = grants(1), *other;
	uint32_t ref;

	CHECK(share_all(h) == 19);
	CHECK(strstr(evp_error(), "has its 20 descriptors: share more pages"));
	evp_grants_close(h);
	await_quiet();
	h = grants(1);
	other = grants(3);
	CHECK(share_all(h) == 18);
	CHECK(share_region(other, &ref) == -EMFILE);
}

static void eat_what_is_left(void)
{
	struct evp_grants *h = grants(1);

	CHECK(share_all(h) == 4);
}

/* Pages, whatever the handle. */
static void eat_mappings(void)
{
	struct evp_grants *h[2] = {grants(2), grants(2)};
	uint32_t ref[10], i;
	uint8_t *p, *q;

	for (i = 0; i < 10; i++)
		(void)share_page(h[0], 2, 1, &ref[i]);
	for (i = 0; i < 5; i++)
		(void)map_page(h[i % 2], 2, ref[i]);
	p = map_page(h[1], 2, ref[5]);
	CHECK(try_map(h[0], 2, ref[6], RW, &q) == -EDQUOT);
	CHECK(strstr(evp_error(), "has its 6 mappings: unmap some"));
	CHECK(evp_grant_unmap(h[1], p, 1) == 0);
	(void)map_page(h[0], 2, ref[6]);
	CHECK(try_map(h[0], 2, ref[7], RW, &q) == -EDQUOT);
}

/* Bytes to be cleared are pages the broker has mapped: an eighth for one user. */
static void eat_bytes(void)
{
	struct evp_grants *h = grants(2);
	struct evp_grant_ref r = {2, 0};
	unsigned int i = 0;
	void *p;

	(void)share_page(h, 2, 1, &r.ref);
	while (i < 5000 && !evp_grant_map(h, &r, 1, RW, &clear_byte, &p))
		i++;
	CHECK(i == 16384 / 8);
	CHECK(strstr(evp_error(), "no room for another mapping"));
	/* Without one, she may. */
	(void)map_page(h, 2, r.ref);
}

static void limits_of_grants(void **state)
{
	struct evp_grants *ours;
	unsigned int i;
	uint32_t ref;

	(void)state;
	start_with("allow everybody domain any\n"
		   "limit everybody descriptors 20\n"
		   "limit user 60002 mappings 6\n");
	assert_int_equal(as(ALICE, eat_regions), 0);
	assert_int_equal(as(BOB, eat_mappings), 0);
	assert_int_equal(as(EVE, eat_bytes), 0);
	/* All of it came back, and we have no limit. */
	ours = grants(9);
	for (i = 0; i < 30; i++)
		assert_int_equal(share_region(ours, &ref), 0);
	evp_grants_close(ours);
}

/* --- what outlives its owner ---------------------------------------------------- */

static void share_until_told(int from, int to, void *arg)
{
	struct evp_grants *h;
	uint32_t i, ref;

	(void)arg;
	become(ALICE);
	h = grants(1);
	for (i = 0; i < 15; i++) {
		CHECK(share_region(h, &ref) == 0);
		say(to, ref);
	}
	(void)hear(from);
}

static void mapped_regions_stay_charged(void **state)
{
	struct evp_grants *ours;
	struct child c;
	uint8_t *p[15];
	int i;

	(void)state;
	start_with("allow everybody domain any\n"
		   "limit everybody descriptors 20\n");
	c = start_child(share_until_told, NULL);
	ours = grants(2);
	for (i = 0; i < 15; i++)
		p[i] = map_page(ours, 1, (uint32_t)hear(c.from));
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	await_quiet();
	assert_int_equal(as(ALICE, eat_what_is_left), 0);
	for (i = 0; i < 15; i++)
		assert_int_equal(evp_grant_unmap(ours, p[i], 1), 0);
	assert_int_equal(as(ALICE, eat_regions), 0);
	evp_grants_close(ours);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(limits_of_grants),
		TEST(mapped_regions_stay_charged),
	};
	const char *ci = getenv("CI");

	(void)argc;
	find_evtchnd(argv[0]);
	if (geteuid() != 0) {
		printf("1..1\n%s 1 - limits of grants%s needs root\n",
		       ci && !strcmp(ci, "true") ? "not ok" : "ok",
		       ci && !strcmp(ci, "true") ? ":" : " # SKIP");
		return 0;
	}
	return cmocka_run_group_tests_name("limits of grants", tests, NULL,
					   NULL);
}
