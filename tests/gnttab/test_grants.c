/* SPDX-License-Identifier: MIT */
/*
 * Grants between processes: who sees which page, who may not, and what is left
 * when something is unshared, unmapped, or its process killed.
 */
#include "tests/process/harness.h"

#include <abi/grant_table.h>
#include <evp/grant.h>

#include "hosts/process/proto_grant.h"

#define PAGE 4096

static struct evp_grants *grants(int domain)
{
	struct evp_options o = {.domain = domain};
	struct evp_grants *h = NULL;

	CHECK(evp_grants_open(&h, &o) == 0);
	CHECK(evp_grants_domid(h) == domain);
	return h;
}

static uint8_t *share_one(struct evp_grants *h, uint32_t domid, int writable,
			  const struct evp_notify *n, uint32_t *ref)
{
	struct evp_share s = {.domid = domid,
			      .count = 1,
			      .writable = writable,
			      .at = EVP_GRANT_ANYWHERE,
			      .notify = n};
	void *addr = NULL;

	CHECK(evp_grant_share(h, &s, ref, &addr) == 0);
	return addr;
}

static inline int try_map(struct evp_grants *h, uint32_t domid, uint32_t ref,
			  int prot, uint8_t **addr)
{
	struct evp_grant_ref r = {domid, ref};
	void *p = NULL;
	int rc = evp_grant_map(h, &r, 1, prot, NULL, &p);

	*addr = p;
	return rc;
}

static inline uint8_t *map_one(struct evp_grants *h, uint32_t domid,
			       uint32_t ref)
{
	uint8_t *p;

	CHECK(try_map(h, domid, ref, PROT_READ | PROT_WRITE, &p) == 0);
	return p;
}

/* --- sharing and mapping ------------------------------------------------------- */

/* Maps what domain 1 shares; writes what it found, plus one, into each. */
static void use_pages(int from, int to, void *arg)
{
	struct evp_grants *h = grants(2);
	uint32_t i, n = (uint32_t)hear(from);
	struct evp_grant_ref *r = calloc(n, sizeof(*r));
	void *p;
	uint8_t *at;

	(void)arg;
	for (i = 0; i < n; i++)
		r[i] = (struct evp_grant_ref){1, (uint32_t)hear(from)};
	CHECK(evp_grant_map(h, r, n, PROT_READ | PROT_WRITE, NULL, &p) == 0);
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
	void *p;
	uint8_t *page, *other;

	(void)state;
	other = share_one(h, 2, 1, NULL, &ref[0]);
	CHECK(evp_grant_share(h, &s, ref + 1, &p) == 0);
	page = p;
	other[0] = 99;
	for (i = 1; i < N; i++)
		page[(i - 1) * PAGE + i] = (uint8_t)i;
	say(c.to, N);
	/* The second region first, to change between them. */
	for (i = 0; i < N; i++)
		say(c.to, ref[i]);
	(void)hear(c.from);
	CHECK(other[0] == 100);
	for (i = 1; i < N; i++) {
		CHECK(ref[i] >= GNTTAB_NR_RESERVED_ENTRIES);
		CHECK(page[(i - 1) * PAGE + i] == (uint8_t)(i + 1));
	}
	say(c.to, 0);
	CHECK(end_child(&c) == 0);
	CHECK(evp_grant_unshare(h, other, 1) == 0);
	CHECK(evp_grant_unshare(h, p, N - 1) == 0);
	evp_grants_close(h);
}

/* --- notification --------------------------------------------------------------- */

struct user {
	bool closes_port; /* before it dies */
	bool is_killed;
};

/* Domain 2: maps with a notification on its own port, and goes somehow. */
static void use_and_go(int from, int to, void *arg)
{
	const struct user *u = arg;
	struct evp_grants *h = grants(2);
	struct evp_guest *g = attach(2);
	uint64_t count = 0;
	struct evp_grant_ref r = {1, (uint32_t)hear(from)};
	evtchn_port_t port = open_bound(g, 1, (evtchn_port_t)hear(from),
					count_event, &count);
	struct evp_notify n = {7, port};
	void *p;

	CHECK(evp_grant_map(h, &r, 1, PROT_READ | PROT_WRITE, &n, &p) == 0);
	((uint8_t *)p)[7] = 1;
	say(to, port);
	(void)hear(from);
	if (u->closes_port)
		CHECK(evg_close(evp_evg(g), port) == 0);
	say(to, 0);
	(void)hear(from);
	if (u->is_killed)
		(void)raise(SIGKILL);
	CHECK(evp_grant_unmap(h, p, 1) == 0);
	evp_detach(g);
	evp_grants_close(h);
}

static void check_notify(const struct user *u)
{
	struct evp_grants *h = grants(1);
	struct evp_guest *g = attach(1);
	uint64_t count = 0;
	evtchn_port_t port = open_unbound(g, 2, count_event, &count);
	struct child c = start_child(use_and_go, (void *)(uintptr_t)u);
	uint32_t ref;
	uint8_t *p = share_one(h, 2, 1, NULL, &ref);

	say(c.to, ref);
	say(c.to, port);
	(void)hear(c.from);
	(void)evp_poll(g);
	say(c.to, 0);
	(void)hear(c.from);
	(void)evp_poll(g);
	/* Nothing was said while it is mapped, and the port lives. */
	CHECK(count == 0 && p[7] == 1);
	CHECK(status_of(g, port) == EVTCHNSTAT_interdomain);
	say(c.to, 0);
	wait_count(g, &count, 1);
	CHECK(p[7] == 0);
	CHECK(end_child(&c) == (u->is_killed ? 128 + SIGKILL : 0));
	await_status(g, port, EVTCHNSTAT_unbound);
	CHECK(count == 1);
	evp_detach(g);
	evp_grants_close(h);
}

static void unmapping_notifies(void **state)
{
	struct user u = {.closes_port = false};

	(void)state;
	check_notify(&u);
	u.closes_port = true;
	check_notify(&u);
}

static void a_killed_user_notifies(void **state)
{
	struct user u = {.is_killed = true};

	(void)state;
	check_notify(&u);
	u.closes_port = true;
	check_notify(&u);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pages_are_shared, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(unmapping_notifies, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_killed_user_notifies, set_up,
						tear_down),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
