/* SPDX-License-Identifier: MIT */
/*
 * Grants between processes: who sees which page, who may not, and what is left
 * when something is unshared or unmapped, or its domain has gone.
 */
#include <sys/resource.h>

#include "grants.h"

/* --- sharing and mapping ------------------------------------------------------- */

/* Maps what domain 1 shares; adds one to a byte of each page. */
static void use_pages(int from, int to, void *arg)
{
	struct evp_grants *h = grants(2);
	uint32_t i, n = (uint32_t)hear(from);
	struct evp_grant_ref *r = calloc(n, sizeof(*r));
	uint8_t *at;
	void *p;

	(void)arg;
	for (i = 0; i < n; i++)
		r[i] = (struct evp_grant_ref){1, (uint32_t)hear(from)};
	CHECK(evp_grant_map(h, r, n, RW, NULL, &p) == 0);
	for (i = 0, at = p; i < n; i++, at += PAGE)
		at[i % PAGE]++;
	say(to, 0);
	(void)hear(from);
	CHECK(evp_grant_unmap(h, p, n) == 0);
	evp_grants_close(h);
	free(r);
}

static void pages_are_shared(void **state)
{
	enum {
		N = 600
	}; /* more than fit into a message */
	struct evp_grants *h = grants(1);
	struct evp_share s = {.domid = 2,
			      .count = N - 1,
			      .writable = 1,
			      .at = EVP_GRANT_ANYWHERE};
	struct child c = start_child(use_pages, NULL);
	uint32_t ref[N], i;
	uint8_t *page, *other;
	void *p;

	(void)state;
	other = share_page(h, 2, 1, &ref[N - 1]);
	CHECK(evp_grant_share(h, &s, ref, &p) == 0);
	page = p;
	for (i = 0; i < N - 1; i++)
		page[i * PAGE + i] = (uint8_t)i;
	other[N - 1] = 99;
	say(c.to, N);
	/* Neither in order nor from one region only. */
	for (i = 0; i < N; i++)
		say(c.to, ref[i]);
	(void)hear(c.from);
	for (i = 0; i < N - 1; i++) {
		CHECK(ref[i] >= GNTTAB_NR_RESERVED_ENTRIES);
		CHECK(page[i * PAGE + i] == (uint8_t)(i + 1));
	}
	CHECK(other[N - 1] == 100);
	say(c.to, 0);
	CHECK(end_child(&c) == 0);
	CHECK(evp_grant_unshare(h, other, 1) == 0);
	CHECK(evp_grant_unshare(h, p, N - 1) == 0);
	evp_grants_close(h);
}

/* Two pages that are not neighbours, and one twice, in the order asked for. */
static void order_is_the_callers(void **state)
{
	struct evp_grants *h = grants(1), *h2 = grants(2);
	struct evp_share s = {.domid = 2, .count = 3, .at = EVP_GRANT_ANYWHERE};
	struct evp_grant_ref r[4];
	uint32_t ref[3], i;
	uint8_t *page, *see;
	void *p, *q;

	(void)state;
	CHECK(evp_grant_share(h, &s, ref, &p) == 0);
	page = p;
	for (i = 0; i < 3; i++)
		page[i * PAGE] = (uint8_t)(10 + i);
	for (i = 0; i < 4; i++)
		r[i] = (struct evp_grant_ref){1, ref[(2 * i + 2) % 3]};
	CHECK(evp_grant_map(h2, r, 4, PROT_READ, NULL, &q) == 0);
	see = q;
	CHECK(see[0] == 12 && see[PAGE] == 11 && see[2 * PAGE] == 10 &&
	      see[3 * PAGE] == 12);
	CHECK(evp_grant_unmap(h2, q, 3) == -EINVAL);
	CHECK(evp_grant_unmap(h2, see + PAGE, 1) == -EINVAL);
	CHECK(evp_grant_unshare(h2, q, 4) == -EINVAL);
	CHECK(evp_grant_unmap(h, p, 3) == -EINVAL);
	CHECK(evp_grant_unshare(h, p, 2) == -EINVAL);
	CHECK(evp_grant_unmap(h2, q, 4) == 0);
	CHECK(evp_grant_unmap(h2, q, 4) == -EINVAL);
	CHECK(evp_grant_unshare(h, p, 3) == 0);
	evp_grants_close(h);
	evp_grants_close(h2);
}

/* --- permission ------------------------------------------------------------------ */

static void only_who_may_maps(void **state)
{
	struct evp_grants *h = grants(1), *h2 = grants(2), *h3 = grants(3);
	uint32_t ref, own;
	uint8_t *p, *q;

	(void)state;
	p = share_page(h, 2, 1, &ref);
	CHECK(try_map(h3, 1, ref, PROT_READ, &q) == -EACCES);
	CHECK(try_map(h, 1, ref, PROT_READ, &q) == -EACCES);
	CHECK(try_map(h2, 9, ref, PROT_READ, &q) == -ESRCH);
	CHECK(try_map(h2, 1u << 16 | 1, ref, PROT_READ, &q) == -ESRCH);
	CHECK(try_map(h2, 1, ref + 1, PROT_READ, &q) == -ENOENT);
	CHECK(try_map(h2, 1, UINT32_MAX, PROT_READ, &q) == -ENOENT);
	CHECK(try_map(h2, 1, 0, PROT_READ, &q) == -ENOENT);
	CHECK(try_map(h2, 3, 8, PROT_READ, &q) == -ENOENT);
	CHECK(try_map(h2, 1, ref, PROT_READ, &q) == 0);
	*p = 5;
	CHECK(*q == 5);
	/* With itself, by either name. */
	p = share_page(h, DOMID_SELF, 1, &own);
	*map_page(h, 1, own) = 6;
	CHECK(*p == 6 && *map_page(h, DOMID_SELF, own) == 6);
	CHECK(try_map(h2, 1, own, PROT_READ, &q) == -EACCES);
	evp_grants_close(h);
	evp_grants_close(h2);
	evp_grants_close(h3);
}

static bool can_be_written(int fd)
{
	char name[32];
	void *p = mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0);
	int again;
	bool can = p != MAP_FAILED || pwrite(fd, "x", 1, 0) == 1 ||
		   !fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			      PAGE) ||
		   !ftruncate(fd, 0);

	/* By its own name it could be opened anew, by the same user. */
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	again = open(name, O_RDWR | O_CLOEXEC);
	if (again >= 0) {
		p = mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, again, 0);
		can |= p != MAP_FAILED || pwrite(again, "x", 1, 0) == 1;
		(void)close(again);
	}
	return can;
}

static void read_only_is_read_only(void **state)
{
	struct evp_grants *h = grants(1), *h2 = grants(2);
	struct evp_grant_map m = {.domid = 1, .count = 1};
	size_t len = offsetof(struct evp_grant_map, ref) + sizeof(m.ref[0]);
	struct evp_packet a;
	uint32_t ref;
	uint8_t *p, *q;

	(void)state;
	p = share_page(h, 2, 0, &ref);
	CHECK(try_map(h2, 1, ref, RW, &q) == -EACCES);
	CHECK(try_map(h2, 1, ref, PROT_READ, &q) == 0);
	/* Its owner still can; and nobody else, however he tries. */
	*p = 7;
	CHECK(*q == 7);
	CHECK(mprotect(q, PAGE, RW) == -1);
	m.ref[0] = ref;
	evp_hdr_init(&m.hdr, EVP_GRANT_MAP, len, 1);
	CHECK(evp_ask(evp_grants_fd(h2), &m, len, &a, EVP_GRANT_MAPPED, 1) ==
	      0);
	CHECK(a.nr_fds == 1);
	CHECK(!can_be_written(a.fd[0]));
	CHECK(*p == 7 && *q == 7);
	evp_packet_close_fds(&a);
	evp_grants_close(h);
	evp_grants_close(h2);
}

/* --- unsharing while mapped ------------------------------------------------------- */

/* @keep: with another page of its slab, which is used on. */
static void unshare_mapped(bool keep)
{
	struct evp_grants *h = grants(1), *h2 = grants(2);
	uint32_t ref, next, again;
	uint8_t *p, *q, *x;

	if (keep)
		(void)share_page(h, 2, 1, &ref);
	p = share_page(h, 2, 1, &ref);
	p[9] = 42;
	q = map_page(h2, 1, ref);
	CHECK(evp_grant_unshare(h, p, 1) == 0);
	CHECK(q[9] == 42);
	CHECK(try_map(h2, 1, ref, PROT_READ, &x) == -ENOENT);
	/* Neither its number nor its memory goes to another page. */
	p = share_page(h, 2, 1, &next);
	CHECK(next != ref);
	p[9] = 43;
	CHECK(q[9] == 42);
	CHECK(evp_grant_unmap(h2, q, 1) == 0);
	(void)share_page(h, 2, 1, &again);
	CHECK(again == ref);
	evp_grants_close(h);
	evp_grants_close(h2);
}

static void a_mapped_page_outlives_unsharing(void **state)
{
	(void)state;
	unshare_mapped(false);
	unshare_mapped(true);
}

/* Where the next memory is to be, whoever asks for some. */
static void *next_place;

void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd,
		  off_t off);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd,
		  off_t off);

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd,
		  off_t off)
{
	if (!addr) {
		addr = next_place;
		next_place = NULL;
	}
	return __real_mmap(addr, len, prot, flags, fd, off);
}

/* A program may end a page by munmap(), and something else be there then. */
static void a_page_unmapped_by_the_program(void **state)
{
	struct evp_grants *h = grants(1);
	uint32_t ref, kept, again;
	uint8_t *keep = share_page(h, 1, 1, &kept);
	uint8_t *gone = share_page(h, 1, 1, &ref), *p, *other;

	(void)state;
	*keep = 33;
	CHECK(munmap(gone, PAGE) == 0);
	next_place = gone;
	p = map_page(h, 1, kept);
	CHECK(p == gone);
	CHECK(try_map(h, 1, ref, PROT_READ, &gone) == -ENOENT);
	other = share_page(h, 1, 1, &again);
	CHECK(again == ref);
	/* With the slab goes what is left of it, and that is not. */
	CHECK(evp_grant_unshare(h, other, 1) == 0);
	CHECK(evp_grant_unshare(h, keep, 1) == 0);
	CHECK(*p == 33);
	/* The same with a mapping: it is over when its place is used again. */
	(void)share_page(h, 1, 1, &again);
	CHECK(munmap(p, PAGE) == 0);
	next_place = p;
	CHECK(map_page(h, 1, again) == p);
	CHECK(evp_grant_unmap(h, p, 1) == 0);
	CHECK(evp_grant_unmap(h, p, 1) == -EINVAL);
	CHECK(again != kept);
	(void)share_page(h, 1, 1, &again);
	CHECK(again == kept);
	evp_grants_close(h);
}

static void a_used_page_is_zero_again(void **state)
{
	struct evp_grants *h = grants(1);
	uint32_t ref, i;
	uint8_t *p, *keep = share_page(h, 2, 1, &ref);

	(void)state;
	p = share_page(h, 2, 1, &ref);
	memset(p, 0xaa, PAGE);
	CHECK(evp_grant_unshare(h, p, 1) == 0);
	for (i = 0; i < 70; i++)
		CHECK(!*share_page(h, 2, 1, &ref));
	*keep = 1;
	evp_grants_close(h);
}

/* What it shared, and its number, are somebody else's then. */
static void pages_outlive_their_domain(void **state)
{
	struct evp_grants *h = grants(1), *h2 = grants(2);
	uint32_t ref, other;
	uint8_t *p, *q, *x;
	int fd = raw_greeted();

	(void)state;
	p = share_page(h, 2, 1, &ref);
	*p = 11;
	q = map_page(h2, 1, ref);
	evp_grants_close(h);
	while (try_map(h2, 1, ref, PROT_READ, &x) != -ESRCH)
		CHECK(x == NULL || evp_grant_unmap(h2, x, 1) == 0);
	CHECK(*q == 11);
	h = grants(1);
	p = share_page(h, 2, 1, &other);
	*p = 12;
	CHECK(other == ref && *q == 11);
	CHECK(*map_page(h2, 1, ref) == 12);
	CHECK(evp_grant_unmap(h2, q, 1) == 0);
	evp_grants_close(h);
	evp_grants_close(h2);
	(void)close(fd);
}

/* --- known numbers ----------------------------------------------------------------- */

static void a_page_at_a_known_number(void **state)
{
	struct evp_grants *h = grants(1), *h2 = grants(2);
	int before = nr_fds();
	uint32_t ref;
	uint8_t *p, *q, *x;

	(void)state;
	CHECK(try_share(h, 2, 1, GNTTAB_RESERVED_XENSTORE, NULL, &ref, &p) ==
	      0);
	CHECK(ref == GNTTAB_RESERVED_XENSTORE);
	CHECK(try_share(h, 2, 1, ref, NULL, &ref, &x) == -EBUSY);
	CHECK(try_share(h, 2, 1, 8, NULL, &ref, &x) == -EINVAL);
	q = map_page(h2, 1, ref);
	*p = 3;
	CHECK(*q == 3);
	CHECK(evp_grant_unshare(h, p, 1) == 0);
	CHECK(try_share(h, 2, 1, ref, NULL, &ref, &x) == -EBUSY);
	CHECK(try_share(h, 2, 1, ref, NULL, &ref, &x) == -EBUSY);
	CHECK(evp_grant_unmap(h2, q, 1) == 0);
	/* What was refused left no memory with the broker. */
	while (nr_fds() > before)
		CHECK(try_map(h2, 1, 8, PROT_READ, &x) == -ENOENT);
	CHECK(try_share(h, 2, 1, ref, NULL, &ref, &p) == 0);
	CHECK(*map_page(h2, 1, ref) == 0);
	evp_grants_close(h);
	evp_grants_close(h2);
}

/* --- copying ------------------------------------------------------------------------ */

static void copying_needs_no_mapping(void **state)
{
	struct evp_grants *h = grants(1), *h2 = grants(2);
	struct evp_grant_ref r = {1, 0}, ro = {1, 0};
	char buf[PAGE] = "to be written";
	uint8_t *p, *q;

	(void)state;
	p = share_page(h, 2, 1, &r.ref);
	q = share_page(h, 2, 0, &ro.ref);
	CHECK(evp_grant_write(h2, &r, 100, buf, 14) == GNTST_okay);
	CHECK(!strcmp((char *)p + 100, "to be written"));
	memset(q, 0x5a, PAGE);
	CHECK(evp_grant_read(h2, &ro, 0, buf, PAGE) == GNTST_okay);
	CHECK(!memcmp(buf, q, PAGE));
	CHECK(evp_grant_write(h2, &ro, 0, buf, 1) == GNTST_permission_denied);
	CHECK(evp_grant_read(h, &r, 0, buf, 1) == GNTST_permission_denied);
	CHECK(evp_grant_read(h2, &r, 1, buf, PAGE) == GNTST_bad_copy_arg);
	CHECK(evp_grant_read(h2, &r, 0, NULL, 8) == GNTST_bad_virt_addr);
	r.ref += 100;
	CHECK(evp_grant_read(h2, &r, 0, buf, 1) == GNTST_bad_gntref);
	r.domid = 77;
	CHECK(evp_grant_read(h2, &r, 0, buf, 1) == GNTST_bad_domain);
	/* No copy counts as a mapping. */
	CHECK(evp_grant_unshare(h, q, 1) == 0);
	(void)share_page(h, 2, 0, &r.ref);
	CHECK(r.ref == ro.ref);
	evp_grants_close(h);
	evp_grants_close(h2);
}

/* --- frames -------------------------------------------------------------------------- */

static void domain_0_maps_by_frame(void **state)
{
	struct evp_grants *h = grants(1), *h2 = grants(2), *h0 = grants(0);
	uint64_t frame[2];
	uint32_t ref[2];
	uint8_t *p[2], *see;
	void *q;

	(void)state;
	p[0] = share_page(h, 2, 1, &ref[0]);
	p[1] = share_page(h, 2, 0, &ref[1]);
	frame[0] = evp_grant_frame(ref[1]);
	frame[1] = evp_grant_frame(ref[0]);
	CHECK(evp_frame_map(h2, 1, frame, 2, PROT_READ, &q) == -EACCES);
	CHECK(evp_frame_map(h0, 1, frame, 2, PROT_READ, &q) == 0);
	*p[1] = 21;
	p[0][5] = 22;
	see = q;
	CHECK(see[0] == 21 && see[PAGE + 5] == 22);
	frame[1] = ref[0]; /* no frame number */
	CHECK(evp_frame_map(h0, 1, frame, 2, PROT_READ, &q) == -ENOENT);
	CHECK(evp_frame_map(h0, 1, frame, 1, RW, &q) == -EACCES);
	evp_grants_close(h);
	evp_grants_close(h2);
	evp_grants_close(h0);
}

/* --- bounds --------------------------------------------------------------------------- */

static void limits_hold(void **state)
{
	struct evp_grants *h = grants(1), *h2 = grants(2);
	struct evp_share s = {.domid = 2, .count = 5, .at = EVP_GRANT_ANYWHERE};
	struct evp_grant_ref r[5];
	uint32_t ref[5], i, again;
	void *p, *q;
	uint8_t *x;

	(void)state;
	CHECK(evp_grant_share(h, &s, ref, &p) == 0);
	for (i = 0; i < 5; i++)
		r[i] = (struct evp_grant_ref){1, ref[i]};
	CHECK(evp_grants_limit(h2, 4) == 0);
	CHECK(evp_grant_map(h2, r, 5, PROT_READ, NULL, &q) == -ENOSPC);
	CHECK(evp_grants_limit(h2, 5) == 0);
	CHECK(evp_grant_map(h2, r, 5, PROT_READ, NULL, &q) == 0);
	CHECK(try_map(h2, 1, ref[0], PROT_READ, &x) == -ENOSPC);
	CHECK(evp_grants_limit(h2, 4) == -EINVAL);
	CHECK(evp_grant_unmap(h2, q, 5) == 0);
	/* One bad, none mapped: the others can be ended and used again. */
	r[4].ref = 4000;
	CHECK(evp_grant_map(h2, r, 5, PROT_READ, NULL, &q) == -ENOENT);
	CHECK(evp_grant_unshare(h, p, 5) == 0);
	again = ref[4];
	CHECK(evp_grant_share(h, &s, ref, &p) == 0);
	for (i = 0; i < 5; i++)
		CHECK(ref[i] <= again);
	s.count = EVP_GRANTS_MAX;
	CHECK(evp_grant_share(h, &s, ref, &p) == -ENOSPC);
	s.count++;
	CHECK(evp_grant_share(h, &s, ref, &p) == -EINVAL);
	s.count = 5;
	CHECK(evp_grant_share(h, &s, ref, &p) == 0);
	evp_grants_close(h);
	evp_grants_close(h2);
}

static uint32_t share_many(struct evp_grants *h, uint32_t count)
{
	static uint32_t ref[EVP_GRANTS_MAX];
	struct evp_share s = {
		.domid = 2, .count = count, .at = EVP_GRANT_ANYWHERE};
	void *p;

	CHECK(evp_grant_share(h, &s, ref, &p) == 0);
	return ref[count - 1];
}

/* All that one domain can share: few descriptors, all given back. */
static void a_full_table(void **state)
{
	const uint32_t all = EVP_GRANTS_MAX - EVP_GRANT_RESERVED, single = 1000;
	struct evp_grants *h = grants(1), *h2 = grants(2);
	uint32_t i, ref;
	int before = nr_fds();
	uint8_t *p;

	(void)state;
	for (i = 0; i < single; i++)
		(void)share_page(h, 2, 1, &ref);
	CHECK(nr_fds() - before <= (int)single / 64 + 1);
	CHECK(share_many(h, all - single) == EVP_GRANTS_MAX - 1);
	CHECK(try_share(h, 2, 1, EVP_GRANT_ANYWHERE, NULL, &ref, &p) ==
	      -ENOSPC);
	CHECK(nr_fds() - before <= (int)single / 64 + 2);
	CHECK(try_map(h2, 1, EVP_GRANTS_MAX - 1, PROT_READ, &p) == 0);
	CHECK(evp_grant_unmap(h2, p, 1) == 0);
	evp_grants_close(h);
	while (nr_fds() >= before)
		CHECK(try_map(h2, 1, 8, PROT_READ, &p) != 0 ||
		      evp_grant_unmap(h2, p, 1) == 0);
	evp_grants_close(h2);
}

/* Memory by memory: some are refused, and nobody else is disturbed. */
static void descriptors_are_shared_out(void **state)
{
	struct evp_grants *h = grants(1), *h2 = grants(2);
	struct evp_share s = {.domid = 2, .count = 2, .at = EVP_GRANT_ANYWHERE};
	uint32_t ref[2];
	void *p = NULL, *last = NULL;
	int rc;

	(void)state;
	while (!(rc = evp_grant_share(h, &s, ref, &p)))
		last = p;
	CHECK(rc == -EMFILE && strstr(evp_error(), "no descriptor left"));
	CHECK(evp_grant_share(h2, &s, ref, &p) == 0);
	CHECK(evp_grant_unshare(h, last, 2) == 0);
	CHECK(evp_grant_share(h, &s, ref, &p) == 0);
	CHECK(evp_grant_share(h, &s, ref, &p) == -EMFILE);
	evp_grants_close(h);
	evp_grants_close(h2);
}

static void few_descriptors(void)
{
	struct rlimit r = {256, 256};

	CHECK(setrlimit(RLIMIT_NOFILE, &r) == 0);
}

static int set_up_few(void **state)
{
	prepare_broker = few_descriptors;
	return set_up(state);
}

static int tear_down_few(void **state)
{
	prepare_broker = NULL;
	return tear_down(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(pages_are_shared),
		TEST(order_is_the_callers),
		TEST(only_who_may_maps),
		TEST(read_only_is_read_only),
		TEST(a_mapped_page_outlives_unsharing),
		TEST(a_page_unmapped_by_the_program),
		TEST(a_used_page_is_zero_again),
		TEST(pages_outlive_their_domain),
		TEST(a_page_at_a_known_number),
		TEST(copying_needs_no_mapping),
		TEST(domain_0_maps_by_frame),
		TEST(limits_hold),
		TEST(a_full_table),
		cmocka_unit_test_setup_teardown(descriptors_are_shared_out,
						set_up_few, tear_down_few),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
