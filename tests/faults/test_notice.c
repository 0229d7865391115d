/* SPDX-License-Identifier: MIT */
/*
 * The end of a peer as an event, for those who asked: however the peer ends,
 * for one peer after the other, and for nobody else.
 */
#include <poll.h>

#include "pair.h"

/* --- how a peer may end ---------------------------------------------------- */

static void connect_watched(struct pair *p)
{
	connect_pair(p);
	assert_int_equal(evp_watch_peer(p->front, p->port, true), 0);
}

static void wait_notice(struct pair *p, uint64_t want)
{
	wait_count(p->front, &p->events, want);
	assert_int_equal(p->events, want);
	assert_int_equal(status_of(p->front, p->port), EVTCHNSTAT_unbound);
}

static void peer_that_closes_is_an_event(void **state)
{
	struct pair p;

	(void)state;
	connect_watched(&p);
	assert_int_equal(evg_close(evp_evg(p.back), p.back_port), 0);
	wait_notice(&p, 1);
	disconnect_pair(&p);
}

static void peer_that_leaves_is_an_event(void **state)
{
	struct pair p;

	(void)state;
	connect_watched(&p);
	evp_detach(p.back);
	wait_notice(&p, 1);
	evp_detach(p.front);
}

static void peer_that_resets_is_an_event(void **state)
{
	struct evtchn_reset op = {.dom = DOMID_SELF};
	struct pair p;

	(void)state;
	connect_watched(&p);
	assert_int_equal(evg_plat_hypercall(evp_evg(p.back),
					    __HYPERVISOR_event_channel_op,
					    EVTCHNOP_reset, &op),
			 0);
	wait_notice(&p, 1);
	disconnect_pair(&p);
}

/* Binds, says so, and waits for its end. */
static void be_bound(int from, int to, void *arg)
{
	struct evp_guest *g = attach(2);
	uint64_t count = 0;

	(void)arg;
	(void)open_bound(g, 1, (evtchn_port_t)hear(from), count_event, &count);
	say(to, 0);
	(void)hear(from);
}

static void peer_that_is_killed_is_an_event(void **state)
{
	struct child c = start_child(be_bound, NULL);
	struct evp_guest *g = attach(1);
	uint64_t count = 0;
	evtchn_port_t port = open_unbound(g, 2, count_event, &count);

	(void)state;
	say(c.to, port);
	(void)hear(c.from);
	assert_int_equal(evp_watch_peer(g, port, true), 0);
	(void)kill(c.pid, SIGKILL);
	wait_count(g, &count, 1);
	assert_int_equal(count, 1);
	assert_int_equal(status_of(g, port), EVTCHNSTAT_unbound);
	assert_int_equal(end_child(&c), 128 + SIGKILL);
	evp_detach(g);
}

/* What a program sees that has a loop of its own. */
static void notice_makes_the_descriptor_readable(void **state)
{
	struct pollfd fd = {.events = POLLIN};
	struct pair p;

	(void)state;
	connect_watched(&p);
	fd.fd = evp_fd(p.front);
	evp_detach(p.back);
	do {
		(void)evp_poll(p.front);
	} while (evp_arm(p.front) || (!p.events && poll(&fd, 1, -1) == 1));
	assert_int_equal(fd.revents & ~POLLIN, 0);
	wait_notice(&p, 1);
	evp_detach(p.front);
}

/* --- who is told, and how long --------------------------------------------- */

static void close_unheard(struct pair *p, uint64_t events)
{
	assert_int_equal(evg_close(evp_evg(p->back), p->back_port), 0);
	await_status(p->front, p->port, EVTCHNSTAT_unbound);
	(void)evp_poll(p->front);
	assert_int_equal(p->events, events);
}

static void who_did_not_ask_is_not_told(void **state)
{
	struct pair p;

	(void)state;
	connect_pair(&p);
	close_unheard(&p, 0);
	disconnect_pair(&p);
}

static void notice_holds_for_the_next_peer_until_it_is_off(void **state)
{
	struct pair p;

	(void)state;
	connect_watched(&p);
	assert_int_equal(evg_close(evp_evg(p.back), p.back_port), 0);
	wait_notice(&p, 1);
	bind_back(&p);
	assert_int_equal(evg_close(evp_evg(p.back), p.back_port), 0);
	wait_notice(&p, 2);
	bind_back(&p);
	assert_int_equal(evp_watch_peer(p.front, p.port, false), 0);
	close_unheard(&p, 2);
	disconnect_pair(&p);
}

/* A port number that is used again starts without. */
static void new_port_is_not_watched(void **state)
{
	evtchn_port_t old;
	struct pair p;

	(void)state;
	connect_pair(&p);
	old = p.port;
	assert_int_equal(evp_watch_peer(p.front, p.port, true), 0);
	assert_int_equal(evg_close(evp_evg(p.front), p.port), 0);
	p.port = open_unbound(p.front, 2, count_event, &p.events);
	assert_int_equal(p.port, old);
	bind_back(&p);
	close_unheard(&p, 0);
	disconnect_pair(&p);
}

static void what_the_dead_had_sent_arrives_as_well(void **state)
{
	struct pair p;

	(void)state;
	connect_watched(&p);
	assert_int_equal(evg_notify(evp_evg(p.back), p.back_port), 0);
	wait_count(p.front, &p.events, 1);
	assert_int_equal(evg_notify(evp_evg(p.back), p.back_port), 0);
	evp_detach(p.back);
	/* Both may be one event. */
	wait_count(p.front, &p.events, 2);
	await_status(p.front, p.port, EVTCHNSTAT_unbound);
	(void)evp_poll(p.front);
	assert_in_range(p.events, 2, 3);
	evp_detach(p.front);
}

/* --- errors ---------------------------------------------------------------- */

static void only_its_owner_watches_a_port(void **state)
{
	struct evp_guest *other;
	struct pair p;

	(void)state;
	connect_pair(&p);
	other = attach(1);
	assert_int_equal(evp_watch_peer(other, p.port, true), -XEN_ENOTCONN);
	close_unheard(&p, 0);
	evp_detach(other);
	disconnect_pair(&p);
}

static void port_without_a_peer_cannot_be_watched(void **state)
{
	struct evp_guest *g = attach(1);
	evtchn_port_t ipi = 0;

	(void)state;
	assert_int_equal(evg_bind_ipi(evp_evg(g), 0, &ipi), 0);
	assert_int_equal(evp_watch_peer(g, ipi, true), -XEN_EINVAL);
	assert_int_equal(evp_watch_peer(g, 0, true), -XEN_EINVAL);
	assert_int_equal(evp_watch_peer(g, 50, true), -XEN_EINVAL);
	assert_int_equal(evp_watch_peer(g, UINT32_MAX, true), -XEN_EINVAL);
	evp_detach(g);
}

static void without_a_broker_nobody_watches(void **state)
{
	struct pair p;

	(void)state;
	connect_pair(&p);
	kill_broker();
	assert_int_equal(evp_watch_peer(p.front, p.port, true), -XEN_ENOTCONN);
	disconnect_pair(&p);
}

static void bad_watch_ends_the_connection(void **state)
{
	struct evp_watch m = {.port = 1, .on = 2};
	uint32_t domid;
	int fd = raw_attached(1);

	(void)state;
	evp_hdr_init(&m.hdr, EVP_WATCH, sizeof(m), 7);
	assert_int_equal(evp_send_packet(fd, &m, sizeof(m), NULL, 0, 0), 0);
	expect_end(fd);
	/* A session owns no ports. */
	m.on = 1;
	fd = open_session(1, &domid);
	assert_int_equal(evp_send_packet(fd, &m, sizeof(m), NULL, 0, 0), 0);
	expect_end(fd);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(peer_that_closes_is_an_event),
		TEST(peer_that_leaves_is_an_event),
		TEST(peer_that_resets_is_an_event),
		TEST(peer_that_is_killed_is_an_event),
		TEST(notice_makes_the_descriptor_readable),
		TEST(who_did_not_ask_is_not_told),
		TEST(notice_holds_for_the_next_peer_until_it_is_off),
		TEST(new_port_is_not_watched),
		TEST(what_the_dead_had_sent_arrives_as_well),
		TEST(only_its_owner_watches_a_port),
		TEST(port_without_a_peer_cannot_be_watched),
		TEST(without_a_broker_nobody_watches),
		TEST(bad_watch_ends_the_connection),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("notice", tests, NULL, NULL);
}
