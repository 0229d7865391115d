/* SPDX-License-Identifier: MIT */
/*
 * What happens when a page is unmapped or unshared, or its process is killed:
 * the byte, then the event, exactly once, whatever was closed before.
 */
#include "grants.h"

#define OFFSET 7

static const struct evp_notify nothing = {EVP_NO_NOTIFY, EVP_NO_NOTIFY};

/* --- the one who goes ----------------------------------------------------------- */

enum way {
	ENDS_PAGE,   /* unmaps or unshares it */
	ENDS_HANDLE, /* closes what it was mapped or shared with */
	IS_KILLED,
};

struct goer {
	enum way way;
	bool shares;	     /* rather than maps */
	bool read_only;	     /* for who maps; with @shares */
	bool closes_port;    /* before it goes */
	bool leaves;	     /* detaches before it goes */
	bool attaches_first; /* so that its channel's descriptors are lower */
};

static uint8_t *use(struct evp_grants *h, const struct goer *u, int from,
		    int to, evtchn_port_t port)
{
	struct evp_notify n = {OFFSET, port};
	struct evp_grant_ref r = {.domid = 1};
	uint8_t *p;
	void *q;

	if (u->shares) {
		CHECK(try_share(h, 1, !u->read_only, EVP_GRANT_ANYWHERE, &n,
				&r.ref, &p) == 0);
		p[OFFSET] = 1;
		say(to, r.ref);
		return p;
	}
	r.ref = (uint32_t)hear(from);
	CHECK(evp_grant_map(h, &r, 1, RW, &n, &q) == 0);
	p = q;
	p[OFFSET] = 1;
	say(to, 0);
	return p;
}

static void go(const struct goer *u, struct evp_grants *h, void *p)
{
	switch (u->way) {
	case IS_KILLED:
		(void)raise(SIGKILL);
		break;
	case ENDS_PAGE:
		CHECK((u->shares ? evp_grant_unshare(h, p, 1)
				 : evp_grant_unmap(h, p, 1)) == 0);
		break;
	case ENDS_HANDLE:
		break;
	}
	evp_grants_close(h);
}

/* Domain 2: uses a page with a notification on a port of its own, and goes. */
static void use_and_go(int from, int to, void *arg)
{
	const struct goer *u = arg;
	struct evp_grants *h = u->attaches_first ? NULL : grants(2);
	struct evp_guest *g = attach(2);
	uint64_t count = 0;
	evtchn_port_t port = open_bound(g, 1, (evtchn_port_t)hear(from),
					count_event, &count);
	uint8_t *p;

	if (!h)
		h = grants(2);
	p = use(h, u, from, to, port);
	(void)hear(from);
	if (u->closes_port) {
		CHECK(evg_close(evp_evg(g), port) == 0);
		CHECK(evg_notify(evp_evg(g), port) != 0);
		/* Its number is not for others yet. */
		CHECK(alloc(g, DOMID_SELF, 1) != port);
	}
	if (u->leaves)
		evp_detach(g);
	say(to, 0);
	(void)hear(from);
	go(u, h, p);
	if (!u->leaves)
		evp_detach(g);
}

/* --- the one who is told -------------------------------------------------------- */

static uint8_t *meet(struct evp_grants *h, const struct goer *u,
		     const struct child *c)
{
	uint32_t ref;
	uint8_t *p;

	if (u->shares) {
		CHECK(try_map(h, 2, (uint32_t)hear(c->from),
			      u->read_only ? PROT_READ : RW, &p) == 0);
		return p;
	}
	p = share_page(h, 2, 1, &ref);
	say(c->to, ref);
	(void)hear(c->from);
	return p;
}

static void check_goer(struct goer u)
{
	struct evp_grants *h = grants(1);
	struct evp_guest *g = attach(1);
	uint64_t count = 0;
	evtchn_port_t port = open_unbound(g, 2, count_event, &count);
	struct child c = start_child(use_and_go, &u);
	uint8_t *p;

	say(c.to, port);
	p = meet(h, &u, &c);
	say(c.to, 0);
	(void)hear(c.from);
	/* Whatever it has closed: nothing is said yet, the port is there. */
	CHECK(status_of(g, port) == EVTCHNSTAT_interdomain);
	CHECK(evp_poll(g) >= 0);
	CHECK(count == 0 && p[OFFSET] == 1);
	CHECK(evg_notify(evp_evg(g), port) == 0);
	say(c.to, 0);
	wait_count(g, &count, 1);
	CHECK(p[OFFSET] == 0);
	CHECK(end_child(&c) == (u.way == IS_KILLED ? 128 + SIGKILL : 0));
	await_status(g, port, EVTCHNSTAT_unbound);
	CHECK(evp_poll(g) >= 0);
	CHECK(count == 1);
	evp_detach(g);
	evp_grants_close(h);
}

/* Every way to go, with everything that may have been closed before. */
static void everyone_who_goes_is_noticed(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 3 * 32; i++) {
		struct goer u = {.way = (enum way)(i / 32),
				 .shares = i & 1,
				 .read_only = i & 1 && i & 2,
				 .closes_port = i & 4,
				 .leaves = i & 8,
				 .attaches_first = i & 16};

		if (i & 2 && !u.shares)
			continue;
		check_goer(u);
	}
}

/* --- only one of the two ----------------------------------------------------------- */

static void byte_or_event(void **state)
{
	struct evp_grants *h = grants(1), *h2 = grants(2);
	struct evp_guest *g = attach(1), *g2 = attach(2);
	uint64_t count = 0, other = 0;
	evtchn_port_t port = open_unbound(g, 2, count_event, &count);
	evtchn_port_t mine = open_bound(g2, 1, port, count_event, &other);
	struct evp_notify n = nothing;
	struct evp_grant_ref r = {.domid = 1};
	uint8_t *p = share_page(h, 2, 1, &r.ref);
	void *q;

	(void)state;
	p[PAGE - 1] = p[0] = 1;
	n.offset = PAGE - 1;
	CHECK(evp_grant_map(h2, &r, 1, RW, &n, &q) == 0);
	CHECK(evp_grant_unmap(h2, q, 1) == 0);
	CHECK(p[PAGE - 1] == 0 && p[0] == 1);
	CHECK(evp_poll(g) >= 0 && count == 0);
	n = nothing;
	n.port = mine;
	CHECK(evp_grant_map(h2, &r, 1, PROT_READ, &n, &q) == 0);
	CHECK(evp_grant_unmap(h2, q, 1) == 0);
	wait_count(g, &count, 1);
	CHECK(p[0] == 1);
	evp_detach(g);
	evp_detach(g2);
	evp_grants_close(h);
	evp_grants_close(h2);
}

static void what_cannot_be_notified(void **state)
{
	struct evp_grants *h = grants(1), *h2 = grants(2);
	struct evp_guest *g = attach(1);
	struct evp_grant_ref r[2] = {{.domid = 1}, {.domid = 1}};
	struct evp_notify n = {PAGE, EVP_NO_NOTIFY};
	evtchn_port_t port = alloc(g, DOMID_SELF, 2);
	uint32_t again, ref;
	void *q;
	uint8_t *p;

	(void)state;
	(void)share_page(h, 2, 1, &r[0].ref);
	(void)share_page(h, 2, 1, &r[1].ref);
	CHECK(evp_grant_map(h2, r, 1, RW, &n, &q) == -EINVAL);
	n.offset = 0; /* cannot be cleared by one who may not write */
	CHECK(evp_grant_map(h2, r, 1, PROT_READ, &n, &q) == -EINVAL);
	CHECK(evp_grant_map(h2, r, 2, RW, &n, &q) == -EINVAL);
	n = (struct evp_notify){EVP_NO_NOTIFY, port}; /* domain 1's */
	CHECK(evp_grant_map(h2, r, 1, RW, &n, &q) == -EINVAL);
	n.port = 4095;
	CHECK(evp_grant_map(h2, r, 1, RW, &n, &q) == -EINVAL);
	n.port = 1u << 20;
	CHECK(evp_grant_map(h2, r, 1, RW, &n, &q) == -EINVAL);
	CHECK(try_share(h, 2, 1, EVP_GRANT_ANYWHERE, &n, &again, &p) ==
	      -EINVAL);
	/* None of them left anything behind. */
	(void)share_page(h, 2, 1, &ref);
	CHECK(ref == again || ref == r[1].ref + 1);
	evp_detach(g);
	evp_grants_close(h);
	evp_grants_close(h2);
}

/* --- a held port --------------------------------------------------------------------- */

/* The port is closed by a reset, and its number somebody else's. */
static void a_reset_ends_a_hold(void **state)
{
	struct evtchn_reset reset = {.dom = DOMID_SELF};
	struct evp_grants *h = grants(1);
	struct evp_guest *g = attach(1), *g2 = attach(2);
	uint64_t count = 0;
	evtchn_port_t port = alloc(g, DOMID_SELF, 2), other;
	struct evp_notify n = {0, port};
	uint32_t ref;
	uint8_t *p;

	(void)state;
	CHECK(try_share(h, 2, 1, EVP_GRANT_ANYWHERE, &n, &ref, &p) == 0);
	CHECK(evg_close(evp_evg(g), port) == 0);
	CHECK(evg_plat_hypercall(evp_evg(g), __HYPERVISOR_event_channel_op,
				 EVTCHNOP_reset, &reset) == 0);
	CHECK(alloc(g, DOMID_SELF, 2) == port);
	other = open_bound(g2, 1, port, count_event, &count);
	wait_count(g2, &count, 1); /* the bind's own */
	CHECK(evp_grant_unshare(h, p, 1) == 0);
	/* What the broker sent would be there by now. */
	CHECK(status_of(g2, other) == EVTCHNSTAT_interdomain);
	CHECK(evp_poll(g2) >= 0 && count == 1);
	CHECK(evg_notify(evp_evg(g), port) == 0);
	wait_count(g2, &count, 2);
	CHECK(status_of(g2, other) == EVTCHNSTAT_interdomain);
	CHECK(evp_poll(g2) >= 0 && count == 2);
	evp_detach(g);
	evp_detach(g2);
	evp_grants_close(h);
}

/* Two pages, one port: the second event comes as well. */
static void a_port_is_held_for_each_page(void **state)
{
	struct evp_grants *h = grants(2);
	struct evp_guest *g = attach(1), *g2 = attach(2);
	uint64_t count = 0, other = 0;
	evtchn_port_t port = open_unbound(g, 2, count_event, &count);
	evtchn_port_t mine = open_bound(g2, 1, port, count_event, &other);
	struct evp_notify n = {EVP_NO_NOTIFY, mine};
	uint8_t *p[2];
	uint32_t ref;

	(void)state;
	CHECK(try_share(h, 1, 1, EVP_GRANT_ANYWHERE, &n, &ref, &p[0]) == 0);
	CHECK(try_share(h, 1, 1, EVP_GRANT_ANYWHERE, &n, &ref, &p[1]) == 0);
	CHECK(evg_close(evp_evg(g2), mine) == 0);
	CHECK(evp_grant_unshare(h, p[0], 1) == 0);
	wait_count(g, &count, 1);
	CHECK(status_of(g, port) == EVTCHNSTAT_interdomain);
	CHECK(evp_grant_unshare(h, p[1], 1) == 0);
	wait_count(g, &count, 2);
	await_status(g, port, EVTCHNSTAT_unbound);
	CHECK(alloc(g2, DOMID_SELF, 1) == mine);
	evp_detach(g);
	evp_detach(g2);
	evp_grants_close(h);
}

/* A port that its peer closes while it is held is nobody's to be told. */
static void the_peer_may_go_first(void **state)
{
	struct evp_grants *h = grants(2);
	struct evp_guest *g = attach(1), *g2 = attach(2);
	uint64_t count = 0, other = 0;
	evtchn_port_t port = open_unbound(g, 2, count_event, &count);
	evtchn_port_t mine = open_bound(g2, 1, port, count_event, &other);
	struct evp_notify n = {0, mine};
	uint32_t ref;
	uint8_t *p;

	(void)state;
	CHECK(try_share(h, 1, 1, EVP_GRANT_ANYWHERE, &n, &ref, &p) == 0);
	*p = 1;
	CHECK(evg_close(evp_evg(g2), mine) == 0);
	CHECK(evg_close(evp_evg(g), port) == 0);
	CHECK(evp_grant_unshare(h, p, 1) == 0);
	CHECK(alloc(g2, DOMID_SELF, 1) == mine);
	CHECK(evp_poll(g) >= 0 && count == 0);
	evp_detach(g);
	evp_detach(g2);
	evp_grants_close(h);
}

/* One that no program owns, closed by the command line: by its name it is gone. */
static void a_port_from_outside_is_held(void **state)
{
	struct evp_grants *h = grants(2);
	struct evp_guest *g = attach(1);
	uint64_t count = 0;
	evtchn_port_t port = open_unbound(g, 2, count_event, &count);
	struct evp_notify n = {0, 0};
	struct evp_port_entry e;
	uint32_t ref, domid;
	int fd = open_session(2, &domid);
	uint8_t *p;

	(void)state;
	CHECK(evp_control_port(fd, EVP_PORT_BIND, 1, port, "bell", &e) == 0);
	n.port = e.port;
	CHECK(try_share(h, 1, 1, EVP_GRANT_ANYWHERE, &n, &ref, &p) == 0);
	CHECK(evp_control_port(fd, EVP_PORT_CLOSE, 0, 0, "bell", &e) == 0);
	CHECK(evp_control_port(fd, EVP_PORT_FIND, 2, 0, "bell", &e) == -ENOENT);
	CHECK(status_of(g, port) == EVTCHNSTAT_interdomain);
	CHECK(evp_grant_unshare(h, p, 1) == 0);
	wait_count(g, &count, 1);
	await_status(g, port, EVTCHNSTAT_unbound);
	(void)close(fd);
	evp_detach(g);
	evp_grants_close(h);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(everyone_who_goes_is_noticed), TEST(byte_or_event),
		TEST(what_cannot_be_notified),	    TEST(a_reset_ends_a_hold),
		TEST(a_port_is_held_for_each_page), TEST(the_peer_may_go_first),
		TEST(a_port_from_outside_is_held),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
