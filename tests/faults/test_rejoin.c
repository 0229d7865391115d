/* SPDX-License-Identifier: MIT */
/*
 * The broker is killed and another one started in its place: everybody comes
 * back, with the ports he had.
 */
#include <poll.h>

#include <abi/xen.h>

#include "pair.h"

#include "hosts/process/guest.h"
#include "hosts/process/session.h"

/* Any hypercall will do to be taken back. */
static void await_broker(struct evp_guest *g)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = 1};

	CHECK(evg_status(evp_evg(g), &st) == 0);
	CHECK(evp_broker_is_there(g));
}

static struct evtchn_status full_status(struct evp_guest *g, evtchn_port_t port)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = port};

	CHECK(evg_status(evp_evg(g), &st) == 0);
	return st;
}

/* --- two domains in this process ------------------------------------------- */

/* Both ways, and by the lane: no broker is asked. */
static void expect_connected(struct pair *p)
{
	uint64_t here, there;

	/* Whatever came with the reconnection. */
	(void)evp_poll(p->front);
	(void)evp_poll(p->back);
	here = p->events;
	there = p->back_events;
	assert_true(goes_direct(p->back, p->back_port));
	wait_count(p->front, &p->events, here + 1);
	assert_true(goes_direct(p->front, p->port));
	wait_count(p->back, &p->back_events, there + 1);
}

static void expect_linked(struct pair *p)
{
	struct evtchn_status st = full_status(p->front, p->port);

	assert_int_equal(st.status, EVTCHNSTAT_interdomain);
	assert_int_equal(st.u.interdomain.dom, evp_domid(p->back));
	assert_int_equal(st.u.interdomain.port, p->back_port);
	st = full_status(p->back, p->back_port);
	assert_int_equal(st.status, EVTCHNSTAT_interdomain);
	assert_int_equal(st.u.interdomain.dom, evp_domid(p->front));
	assert_int_equal(st.u.interdomain.port, p->port);
	/* The old lanes are gone: one from the broker, one from the other. */
	(void)evp_poll(p->front);
	(void)evp_poll(p->back);
	(void)evp_poll(p->front);
	assert_int_equal(p->front->nr_lanes, 2);
	assert_int_equal(p->back->nr_lanes, 2);
	assert_false(p->front->tend);
	expect_connected(p);
}

static void rejoin_pair(struct pair *p)
{
	await_broker(p->front);
	await_broker(p->back);
	expect_linked(p);
}

static void connected_ports_come_back(void **state)
{
	struct pair p;

	(void)state;
	join_pair(&p);
	restart_broker();
	expect_connected(&p); /* nobody has noticed yet */
	rejoin_pair(&p);
	disconnect_pair(&p);
}

static void and_again_and_again(void **state)
{
	struct pair p;
	int i;

	(void)state;
	join_pair(&p);
	for (i = 0; i < 5; i++) {
		restart_broker();
		rejoin_pair(&p);
	}
	disconnect_pair(&p);
}

static void two_restarts_at_once(void **state)
{
	struct pair p;

	(void)state;
	join_pair(&p);
	restart_broker();
	await_broker(p.front);
	restart_broker();
	expect_connected(&p);
	rejoin_pair(&p);
	disconnect_pair(&p);
}

static void closing_works_afterwards(void **state)
{
	struct pair p;

	(void)state;
	join_pair(&p);
	restart_broker();
	rejoin_pair(&p);
	assert_int_equal(evg_close(evp_evg(p.back), p.back_port), 0);
	await_status(p.front, p.port, EVTCHNSTAT_unbound);
	/* And the same ports once more. */
	bind_back(&p);
	expect_linked(&p);
	disconnect_pair(&p);
}

/* What is sent while there is no broker, and on the way to the next one. */
static void no_event_is_lost_on_the_way(void **state)
{
	uint64_t before;
	struct pair p;

	(void)state;
	join_pair(&p);
	kill_broker();
	assert_int_equal(evg_notify(evp_evg(p.back), p.back_port), 0);
	start_broker(&broker);
	await_broker(p.back);
	wait_count(p.front, &p.events, 1);
	await_broker(p.front);
	(void)evp_poll(p.front);
	before = p.events;
	/* The back end has not read its CONNECT yet. */
	assert_int_equal(evg_notify(evp_evg(p.back), p.back_port), 0);
	wait_count(p.front, &p.events, before + 1);
	(void)evp_poll(p.back);
	assert_int_equal(evg_notify(evp_evg(p.back), p.back_port), 0);
	wait_count(p.front, &p.events, before + 2);
	expect_linked(&p);
	disconnect_pair(&p);
}

/* A hypercall finds the broker, and all is as it was. */
static void hypercall_finds_the_next_broker(void **state)
{
	evtchn_port_t other = 0;
	struct pair p;

	(void)state;
	join_pair(&p);
	kill_broker();
	assert_int_equal(
		evg_alloc_unbound(evp_evg(p.front), DOMID_SELF, 2, &other),
		-XEN_ENOTCONN);
	assert_false(evp_broker_is_there(p.front));
	start_broker(&broker);
	assert_int_equal(
		evg_alloc_unbound(evp_evg(p.front), DOMID_SELF, 2, &other), 0);
	assert_int_equal(other, p.port + 1);
	rejoin_pair(&p);
	disconnect_pair(&p);
}

/* --- all kinds of ports ------------------------------------------------------ */

#define MAX_PORTS 800

struct listing {
	struct evp_port_entry port[MAX_PORTS];
	size_t nr;
};

/* Through a connection of its own, which is not in it. */
static void list(struct listing *l)
{
	static struct evp_port_entry page[EVP_PORTS_PER_PAGE];
	uint32_t domid = 0, port = 0;
	int i, n, fd = raw();

	l->nr = 0;
	CHECK(evp_control_hello(fd, NULL) == 0);
	while (domid != UINT32_MAX) {
		n = evp_control_list(fd, &domid, &port, page,
				     EVP_PORTS_PER_PAGE);
		CHECK(n >= 0 && l->nr + (size_t)n <= MAX_PORTS);
		for (i = 0; i < n; i++)
			l->port[l->nr++] = page[i];
	}
	(void)close(fd);
}

static void expect_same(const struct listing *x, const struct listing *y)
{
	assert_int_equal(x->nr, y->nr);
	assert_memory_equal(x->port, y->port, x->nr * sizeof(x->port[0]));
}

static void every_kind_of_port_comes_back(void **state)
{
	static struct listing before, after;
	struct evp_guest *g[3] = {attach(0), attach(0), attach(5)};
	evtchn_port_t port, other;
	uint64_t count = 0;
	int i;

	(void)state;
	/* Two attachments of domain 0 take turns, and leave holes. */
	for (i = 0; i < 40; i++)
		(void)alloc(g[i % 2], DOMID_SELF, (domid_t)(i % 7));
	assert_int_equal(evg_close(evp_evg(g[0]), 7), 0);
	assert_int_equal(evg_close(evp_evg(g[1]), 2), 0);
	assert_int_equal(evg_bind_ipi(evp_evg(g[1]), 0, &port), 0);
	assert_int_equal(port, 2);
	assert_int_equal(evg_bind_virq(evp_evg(g[0]), VIRQ_DOM_EXC, 0, &port),
			 0);
	assert_int_equal(evg_bind_virq(evp_evg(g[2]), VIRQ_DEBUG, 0, &port), 0);
	/* To itself, to its domain's other attachment, to another domain. */
	port = open_unbound(g[1], 0, count_event, &count);
	other = open_bound(g[1], 0, port, count_event, &count);
	assert_true(other > port);
	port = open_unbound(g[1], 0, count_event, &count);
	(void)open_bound(g[0], 0, port, count_event, &count);
	port = open_unbound(g[0], 5, count_event, &count);
	(void)open_bound(g[2], 0, port, count_event, &count);
	for (i = 0; i < 300; i++) {
		port = alloc(g[2], DOMID_SELF, 0);
		assert_int_equal(evg_bind_interdomain(evp_evg(g[i % 2]), 5,
						      port, &other),
				 0);
	}
	/* One that domain 0 makes in another domain is that one's. */
	port = alloc(g[0], 5, 0);

	list(&before);
	restart_broker();
	for (i = 0; i < 3; i++)
		await_broker(g[i]);
	list(&after);
	expect_same(&before, &after);
	restart_broker();
	for (i = 2; i >= 0; i--)
		await_broker(g[i]);
	list(&after);
	expect_same(&before, &after);
	/* And it is the one it was given to that owns it. */
	assert_int_equal(evg_close(evp_evg(g[2]), port), 0);
	for (i = 0; i < 3; i++)
		evp_detach(g[i]);
}

static void virq_comes_back_with_an_event(void **state)
{
	struct evp_guest *g = attach(0), *other;
	uint64_t count = 0;
	evtchn_port_t port = 0;

	(void)state;
	assert_int_equal(evg_bind_virq(evp_evg(g), VIRQ_DOM_EXC, 0, &port), 0);
	assert_int_equal(evg_bind_handler(evp_evg(g), port, EVG_VCPU_KEEP,
					  count_event, &count),
			 0);
	restart_broker();
	await_broker(g);
	/* Somebody may have died meanwhile. */
	wait_count(g, &count, 1);
	assert_int_equal(count, 1);
	other = attach(9);
	evp_detach(other);
	wait_count(g, &count, 2);
	evp_detach(g);
}

static void local_channels_work_throughout(void **state)
{
	struct evp_guest *g = attach(1);
	uint64_t in = 0, out = 0;
	evtchn_port_t port = open_unbound(g, 1, count_event, &in);
	evtchn_port_t other = open_bound(g, 1, port, count_event, &out);

	(void)state;
	wait_count(g, &out, 1);
	kill_broker();
	assert_int_equal(evg_notify(evp_evg(g), other), 0);
	wait_count(g, &in, 1);
	start_broker(&broker);
	await_broker(g);
	(void)evp_poll(g);
	in = out = 0;
	assert_true(goes_direct(g, other));
	wait_count(g, &in, 1);
	assert_true(goes_direct(g, port));
	wait_count(g, &out, 1);
	assert_int_equal(evg_close(evp_evg(g), other), 0);
	assert_int_equal(status_of(g, port), EVTCHNSTAT_unbound);
	evp_detach(g);
}

/* --- a peer that does not come ------------------------------------------------ */

static void bind_and_stay(int from, int to, void *arg)
{
	struct evp_guest *g = attach(2);
	uint64_t count = 0;
	evtchn_port_t port = open_bound(g, 1, (evtchn_port_t)hear(from),
					count_event, &count);

	(void)arg;
	say(to, port);
	/* Blocked elsewhere: it does not hear of any broker. */
	while (hear(from)) {
		CHECK(evg_notify(evp_evg(g), port) == 0);
		say(to, 0);
	}
	/* Now it does. */
	await_broker(g);
	say(to, 0);
	(void)hear(from);
}

struct absent {
	struct child c;
	struct evp_guest *g;
	evtchn_port_t port;
	uint64_t count;
};

static void begin_absent(struct absent *a, bool watched)
{
	*a = (struct absent){.c = start_child(bind_and_stay, NULL),
			     .g = attach(1)};
	a->port = open_unbound(a->g, 2, count_event, &a->count);
	say(a->c.to, a->port);
	(void)hear(a->c.from);
	if (watched)
		CHECK(evp_watch_peer(a->g, a->port, true) == 0);
	(void)evp_poll(a->g);
}

static void end_absent(struct absent *a)
{
	(void)kill(a->c.pid, SIGKILL);
	assert_int_equal(end_child(&a->c), 128 + SIGKILL);
	evp_detach(a->g);
}

static void peer_that_is_late_is_connected_all_the_while(void **state)
{
	struct absent a;
	uint64_t i;

	(void)state;
	begin_absent(&a, true);
	restart_broker();
	await_broker(a.g);
	for (i = 1; i <= 3; i++) {
		say(a.c.to, 1);
		(void)hear(a.c.from);
		wait_count(a.g, &a.count, i);
		assert_int_equal(status_of(a.g, a.port), EVTCHNSTAT_unbound);
		assert_true(goes_direct(a.g, a.port));
	}
	assert_int_equal(a.count, 3);
	say(a.c.to, 0);
	(void)hear(a.c.from);
	assert_int_equal(status_of(a.g, a.port), EVTCHNSTAT_interdomain);
	wait_count(a.g, &a.count, 4); /* connected again */
	(void)kill(a.c.pid, SIGKILL);
	wait_count(a.g, &a.count, 5); /* the notice is in force */
	assert_int_equal(status_of(a.g, a.port), EVTCHNSTAT_unbound);
	end_absent(&a);
}

static void peer_that_died_meanwhile_is_an_event_if_watched(void **state)
{
	struct absent a;

	(void)state;
	begin_absent(&a, true);
	kill_broker();
	(void)kill(a.c.pid, SIGKILL);
	start_broker(&broker);
	await_broker(a.g);
	wait_count(a.g, &a.count, 1);
	assert_int_equal(status_of(a.g, a.port), EVTCHNSTAT_unbound);
	/* Its lane is gone: the event came when it was known to be dead. */
	(void)evp_poll(a.g);
	assert_int_equal(a.g->nr_lanes, 1);
	assert_false(goes_direct(a.g, a.port));
	end_absent(&a);
}

static void peer_that_dies_before_it_comes_is_an_event_if_watched(void **state)
{
	struct absent a;

	(void)state;
	begin_absent(&a, true);
	restart_broker();
	await_broker(a.g);
	(void)kill(a.c.pid, SIGKILL);
	wait_count(a.g, &a.count, 1);
	(void)evp_poll(a.g);
	assert_int_equal(a.g->nr_lanes, 1);
	end_absent(&a);
}

/* What the broker had posted is there after its death, and its page's. */
static void last_event_of_a_dead_broker_is_taken(void **state)
{
	struct evp_guest *witness = attach(0);
	struct evtchn_status st = {.dom = 1};
	struct pair p;

	(void)state;
	join_pair(&p);
	assert_int_equal(evp_watch_peer(p.front, p.port, true), 0);
	st.port = p.port;
	evp_detach(p.back);
	do {
		assert_int_equal(evg_status(evp_evg(witness), &st), 0);
	} while (st.status != EVTCHNSTAT_unbound);
	restart_broker();
	await_broker(p.front);
	wait_count(p.front, &p.events, 1);
	evp_detach(p.front);
	evp_detach(witness);
}

/* Without a broker to say so. */
static void peer_that_detached_meanwhile_says_so_in_its_lane(void **state)
{
	struct pair p;

	(void)state;
	join_pair(&p);
	assert_int_equal(evp_watch_peer(p.front, p.port, true), 0);
	kill_broker();
	assert_int_equal(
		evg_alloc_unbound(evp_evg(p.back), DOMID_SELF, 1, &p.back_port),
		-XEN_ENOTCONN);
	assert_int_equal(evg_alloc_unbound(evp_evg(p.front), DOMID_SELF, 1,
					   &p.back_port),
			 -XEN_ENOTCONN);
	evp_detach(p.back);
	wait_count(p.front, &p.events, 1);
	assert_int_equal(p.front->nr_lanes, 1);
	start_broker(&broker);
	await_broker(p.front);
	assert_int_equal(status_of(p.front, p.port), EVTCHNSTAT_unbound);
	assert_int_equal(p.events, 1);
	evp_detach(p.front);
}

/* Its domain may bind another port: whoever was connected before is out. */
static void port_of_an_absent_peer_can_be_bound(void **state)
{
	struct evp_guest *other;
	struct absent a;
	uint64_t count = 0;

	(void)state;
	begin_absent(&a, false);
	restart_broker();
	await_broker(a.g);
	other = attach(2);
	(void)open_bound(other, 1, a.port, count_event, &count);
	wait_count(other, &count, 1);
	/* The late one finds its port unbound. */
	say(a.c.to, 0);
	(void)hear(a.c.from);
	assert_int_equal(status_of(a.g, a.port), EVTCHNSTAT_interdomain);
	(void)evp_poll(a.g);
	assert_int_equal(evg_notify(evp_evg(a.g), a.port), 0);
	wait_count(other, &count, 2);
	evp_detach(other);
	end_absent(&a);
}

/* --- who is asleep ------------------------------------------------------------ */

static void sleep_until_event(int from, int to, void *arg)
{
	bool own_loop = arg;
	struct evp_guest *g = attach_spin(2, 0);
	struct pollfd fd = {.fd = evp_fd(g), .events = POLLIN};
	uint64_t count = 0;
	evtchn_port_t port = open_unbound(g, 1, count_event, &count);

	say(to, port);
	while (!count && !own_loop)
		CHECK(evp_wait(g, EVP_FOREVER) >= 0);
	while (!count) {
		CHECK(evp_poll(g) >= 0);
		if (!count && !evp_arm(g))
			CHECK(poll(&fd, 1, -1) == 1);
	}
	say(to, 0);
	(void)hear(from);
	evp_detach(g);
}

/* Nothing but the child's own waiting brings it back. */
static void wake(bool own_loop)
{
	struct child c = start_child(sleep_until_event, (void *)own_loop);
	evtchn_port_t port = (evtchn_port_t)hear(c.from), mine = 0;
	struct evp_guest *g;
	int rc;

	restart_broker();
	g = attach(1);
	do {
		rc = evg_bind_interdomain(evp_evg(g), 2, port, &mine);
	} while (rc == -XEN_ESRCH || rc == -XEN_EINVAL);
	assert_int_equal(rc, 0);
	assert_int_equal(evg_notify(evp_evg(g), mine), 0);
	assert_int_equal(hear(c.from), 0);
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	evp_detach(g);
}

/*
 * A broker that takes the connection and does not answer yet, because a thousand
 * others are before us, must not be kept from it.
 */
static void who_waits_for_the_answer_sleeps(void **state)
{
	const int64_t wait = 300000000;
	struct evp_guest *g = attach(1);
	struct evp_stats before, after;
	int64_t until;

	(void)state;
	(void)alloc(g, DOMID_SELF, 2);
	restart_broker();
	assert_int_equal(kill(broker.pid, SIGSTOP), 0);
	while (!g->joining)
		CHECK(evp_wait(g, wait) >= 0);
	evp_get_stats(g, &before);
	until = evp_now() + wait;
	while (evp_now() < until)
		CHECK(evp_wait(g, wait) >= 0);
	evp_get_stats(g, &after);
	assert_int_equal(kill(broker.pid, SIGCONT), 0);
	assert_in_range(after.sleeps - before.sleeps, 1, 10);
	await_broker(g);
	evp_detach(g);
}

static void who_sleeps_comes_back(void **state)
{
	(void)state;
	wake(false);
}

static void who_polls_the_descriptor_comes_back(void **state)
{
	(void)state;
	wake(true);
}

/* --- more than ports ---------------------------------------------------------- */

static void vcpus_come_back(void **state)
{
	struct evp_options o = {
		.domain = 1, .spin_ns = EVP_SPIN_DEFAULT, .nr_vcpus = 3};
	struct evp_guest *g = NULL;
	evtchn_port_t ipi = 0, moved;

	(void)state;
	assert_int_equal(evp_attach(&g, &o), 0);
	assert_int_equal(evg_bind_ipi(evp_evg(g), 2, &ipi), 0);
	moved = alloc(g, DOMID_SELF, 2);
	assert_int_equal(evg_bind_vcpu(evp_evg(g), moved, 1), 0);
	restart_broker();
	await_broker(g);
	assert_int_equal(full_status(g, ipi).vcpu, 2);
	assert_int_equal(full_status(g, ipi).status, EVTCHNSTAT_ipi);
	assert_int_equal(full_status(g, moved).vcpu, 1);
	evp_detach(g);
}

static void restriction_stays(void **state)
{
	struct evp_guest *g = attach(1);
	evtchn_port_t port = 0;
	int i;

	(void)state;
	(void)alloc(g, DOMID_SELF, 2);
	assert_int_equal(evp_restrict(g, 2), 0);
	for (i = 0; i < 2; i++) {
		restart_broker();
		await_broker(g);
		assert_int_equal(
			evg_alloc_unbound(evp_evg(g), DOMID_SELF, 3, &port),
			-XEN_EACCES);
		assert_int_equal(status_of(g, 1), EVTCHNSTAT_unbound);
	}
	assert_int_equal(evp_watch_peer(g, 1, true), 0);
	evp_detach(g);
}

/* As exec() would have it: a new guest on the old connection. */
static void taken_over_attachment_comes_back(void **state)
{
	struct evp_guest *g;
	struct pair p;
	int fd;

	(void)state;
	join_pair(&p);
	fd = evp_inherit(p.front);
	assert_true(fd >= 0);
	fd = dup(fd);
	evp_abandon(p.front);
	assert_int_equal(evp_take_over(&g, fd), 0);
	p.front = g;
	assert_int_equal(evg_bind_handler(evp_evg(g), p.port, EVG_VCPU_KEEP,
					  count_event, &p.events),
			 0);
	(void)alloc(g, DOMID_SELF, 3);
	restart_broker();
	rejoin_pair(&p);
	assert_int_equal(status_of(g, p.port + 1), EVTCHNSTAT_unbound);
	disconnect_pair(&p);
}

/* A bind whose answer never came is not claimed: its caller was told so. */
static void unfinished_bind_is_undone(void **state)
{
	struct pair p;

	(void)state;
	join_pair(&p);
	kill_broker();
	p.back->chan[p.back_port].unreturned = true;
	start_broker(&broker);
	await_broker(p.back);
	await_broker(p.front);
	assert_int_equal(status_of(p.back, p.back_port), EVTCHNSTAT_closed);
	assert_int_equal(status_of(p.front, p.port), EVTCHNSTAT_unbound);
	/* It can be tried again. */
	assert_int_equal(
		evg_bind_interdomain(evp_evg(p.back), 1, p.port, &p.back_port),
		0);
	expect_linked(&p);
	disconnect_pair(&p);
}

/* What `evtchn run` tells its program leads to the next broker, too. */
static void dead_session_leads_to_the_next_broker(void **state)
{
	struct evp_options o = {.domain = EVP_DOMAIN_ENV,
				.spin_ns = EVP_SPIN_DEFAULT};
	struct evp_guest *g[2] = {NULL, NULL};
	uint32_t domid;
	char text[16];
	int fd = open_session(6, &domid);

	(void)state;
	(void)snprintf(text, sizeof(text), "%d", fd);
	(void)setenv("EVTCHN_FD", text, 1);
	assert_int_equal(evp_attach(&g[0], &o), 0);
	restart_broker();
	/* By the session alone, nobody knows where to go. */
	assert_int_equal(evp_attach(&g[1], &o), -ECONNRESET);
	(void)setenv("EVTCHN_DOMAIN", "6", 1);
	assert_int_equal(evp_attach(&g[1], &o), 0);
	assert_int_equal(evp_domid(g[1]), 6);
	await_broker(g[1]);
	(void)alloc(g[0], DOMID_SELF, 1);
	assert_int_equal(evp_domid(g[0]), 6);
	evp_detach(g[0]);
	evp_detach(g[1]);
	(void)close(fd);
}

/* --- a broker that throws somebody out ----------------------------------------- */

static void who_was_thrown_out_does_not_come_back(void **state)
{
	struct evp_guest *g = attach(1);
	struct evp_watch m = {.port = 1, .on = 7};
	evtchn_port_t port = alloc(g, DOMID_SELF, 2);

	(void)state;
	evp_hdr_init(&m.hdr, EVP_WATCH, sizeof(m), 0);
	assert_int_equal(evp_send_packet(g->control, &m, sizeof(m), NULL, 0, 0),
			 0);
	/* What it has it may close. */
	assert_int_equal(evg_close(evp_evg(g), port), 0);
	assert_int_equal(evg_close(evp_evg(g), port), -XEN_ENOTCONN);
	assert_false(evp_broker_is_there(g));
	assert_int_equal(evp_wait(g, EVP_FOREVER), -ECONNRESET);
	evp_detach(g);
}

/*
 * Before the domain is back, somebody makes a port in it, by the number that one
 * of its own had: the old one is lost, and both sides know the new one.
 */
static void port_made_meanwhile_is_known(void **state)
{
	struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = 3};
	struct evp_guest *g = attach(1);
	uint64_t events = 0;
	uint32_t domid;
	int fd, rc;

	(void)state;
	assert_int_equal(open_unbound(g, 2, count_event, &events), 1);
	restart_broker();
	fd = open_session(1, &domid);
	assert_int_equal(evp_session_hypercall(
				 fd, __HYPERVISOR_event_channel_op,
				 EVTCHNOP_alloc_unbound, &op, sizeof(op), &rc),
			 0);
	assert_int_equal(rc, 0);
	assert_int_equal(op.port, 1);
	await_broker(g);
	while (!g->chan[1].open || g->chan[1].domid != 3) {
		CHECK(full_status(g, 1).u.unbound.dom == 3);
		(void)sched_yield();
	}
	assert_int_equal(g->chan[1].kind, EVTCHNSTAT_unbound);
	(void)close(fd);
	evp_detach(g);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(connected_ports_come_back),
		TEST(and_again_and_again),
		TEST(two_restarts_at_once),
		TEST(closing_works_afterwards),
		TEST(no_event_is_lost_on_the_way),
		TEST(hypercall_finds_the_next_broker),
		TEST(every_kind_of_port_comes_back),
		TEST(virq_comes_back_with_an_event),
		TEST(local_channels_work_throughout),
		TEST(peer_that_is_late_is_connected_all_the_while),
		TEST(peer_that_died_meanwhile_is_an_event_if_watched),
		TEST(peer_that_dies_before_it_comes_is_an_event_if_watched),
		TEST(last_event_of_a_dead_broker_is_taken),
		TEST(peer_that_detached_meanwhile_says_so_in_its_lane),
		TEST(port_of_an_absent_peer_can_be_bound),
		TEST(who_waits_for_the_answer_sleeps),
		TEST(who_sleeps_comes_back),
		TEST(who_polls_the_descriptor_comes_back),
		TEST(vcpus_come_back),
		TEST(restriction_stays),
		TEST(taken_over_attachment_comes_back),
		TEST(unfinished_bind_is_undone),
		TEST(dead_session_leads_to_the_next_broker),
		TEST(who_was_thrown_out_does_not_come_back),
		TEST(port_made_meanwhile_is_known),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("rejoin", tests, NULL, NULL);
}
