/* SPDX-License-Identifier: MIT */
/*
 * An attachment whose program is replaced, and one that gives up its rights.
 *
 * exec() is played: the old guest's memory and descriptors are dropped without a
 * word, but for the connection to the broker.  So all moments are exact; real
 * programs do it in tests/user/test_fdopen.c.
 */
#include "harness.h"

#define NR_PORTS 16

/* What a program that is replaced leaves behind. */
static int leave_connection(struct evp_guest *g)
{
	int fd = evp_inherit(g), copy;

	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == 0);
	copy = dup(fd);
	CHECK(copy >= 0);
	evp_abandon(g);
	return copy;
}

static struct evp_guest *take_over(int fd)
{
	struct evp_guest *g = NULL;

	CHECK(evp_take_over(&g, fd) == 0);
	return g;
}

static struct evp_guest *replace_program(struct evp_guest *g)
{
	return take_over(leave_connection(g));
}

static void listen_to(struct evp_guest *g, evtchn_port_t port, uint64_t *count)
{
	CHECK(evg_bind_handler(evp_evg(g), port, EVG_VCPU_KEEP, count_event,
			       count) == 0);
}

/* --- all ports ----------------------------------------------------------------------- */

struct ports {
	evtchn_port_t unbound, here, there, ipi, virq, bound;
};

static struct ports open_all(struct evp_guest *g, evtchn_port_t peer)
{
	struct evg_guest *evg = evp_evg(g);
	struct ports p = {.unbound = alloc(g, DOMID_SELF, 7),
			  .here = alloc(g, DOMID_SELF, DOMID_SELF)};

	CHECK(!evg_bind_interdomain(evg, DOMID_SELF, p.here, &p.there));
	CHECK(!evg_bind_ipi(evg, 0, &p.ipi));
	CHECK(!evg_bind_virq(evg, VIRQ_DEBUG, 0, &p.virq));
	CHECK(!evg_bind_interdomain(evg, 2, peer, &p.bound));
	return p;
}

static void check_status(struct evp_guest *g, const struct ports *p)
{
	assert_int_equal(status_of(g, p->unbound), EVTCHNSTAT_unbound);
	assert_int_equal(status_of(g, p->here), EVTCHNSTAT_interdomain);
	assert_int_equal(status_of(g, p->there), EVTCHNSTAT_interdomain);
	assert_int_equal(status_of(g, p->ipi), EVTCHNSTAT_ipi);
	assert_int_equal(status_of(g, p->virq), EVTCHNSTAT_virq);
	assert_int_equal(status_of(g, p->bound), EVTCHNSTAT_interdomain);
}

static void every_port_goes_on_and_has_one_event(void **state)
{
	uint64_t count[NR_PORTS] = {0}, heard = 0;
	struct evp_guest *peer = attach(2), *other = attach(1), *g = attach(1);
	evtchn_port_t far = open_unbound(peer, 1, count_event, &heard);
	evtchn_port_t foreign = alloc(other, DOMID_SELF, 5);
	struct ports p = open_all(g, far);
	int port, nr = 0;

	(void)state;
	g = replace_program(g);
	assert_int_equal(evp_domid(g), 1);
	check_status(g, &p);
	for (port = evp_next_port(g, 0); port >= 0;
	     port = evp_next_port(g, (uint32_t)port + 1)) {
		assert_int_not_equal(port, foreign);
		listen_to(g, (evtchn_port_t)port, &count[port]);
		nr++;
	}
	assert_int_equal(nr, 6);
	settle(g, peer);
	for (port = 1; port < NR_PORTS; port++)
		assert_int_equal(count[port],
				 evp_next_port(g, (uint32_t)port) == port);
	/* Each works as before, the connected ones without the broker. */
	heard = 0;
	assert_true(goes_direct(g, p.there));
	assert_true(goes_direct(g, p.ipi));
	assert_true(goes_direct(g, p.bound));
	assert_true(goes_direct(peer, far));
	settle(g, peer);
	assert_int_equal(heard, 1);
	assert_int_equal(count[p.here], 2);
	assert_int_equal(count[p.ipi], 2);
	assert_int_equal(count[p.bound], 2);
	assert_int_equal(count[p.there] + count[p.virq] + count[p.unbound], 3);
	assert_int_equal(evg_close(evp_evg(g), p.bound), 0);
	assert_int_equal(status_of(peer, far), EVTCHNSTAT_unbound);
	assert_int_equal(evg_close(evp_evg(g), foreign), -XEN_ENOTCONN);
	evp_detach(g);
	evp_detach(other);
	evp_detach(peer);
}

/* --- nothing is lost ------------------------------------------------------------------- */

/* One channel between domain 1, who is replaced, and domain 2. */
struct channel {
	struct evp_guest *g, *peer;
	evtchn_port_t port, far;
	uint64_t count, heard;
};

static void open_channel(struct channel *c)
{
	c->count = c->heard = 0;
	c->peer = attach(2);
	c->g = attach(1);
	c->far = open_unbound(c->peer, 1, count_event, &c->heard);
	c->port = open_bound(c->g, 2, c->far, count_event, &c->count);
	settle(c->g, c->peer);
	c->count = c->heard = 0;
}

static void close_channel(struct channel *c)
{
	evp_detach(c->g);
	evp_detach(c->peer);
}

/* The event that a port has after the replacement is out of the way. */
static void take_first(struct channel *c)
{
	listen_to(c->g, c->port, &c->count);
	wait_count(c->g, &c->count, 1);
	c->count = 0;
}

static void event_in_the_old_lane_arrives_later(void **state)
{
	struct channel c;

	(void)state;
	open_channel(&c);
	c.g = replace_program(c.g);
	take_first(&c);
	/* The peer has not heard yet. */
	assert_true(goes_direct(c.peer, c.far));
	(void)evp_poll(c.g);
	assert_int_equal(c.count, 0);
	settle(c.peer, c.g);
	assert_int_equal(c.count, 1);
	close_channel(&c);
}

static void event_of_the_old_program_arrives(void **state)
{
	struct channel c;

	(void)state;
	open_channel(&c);
	assert_true(goes_direct(c.g, c.port));
	c.g = replace_program(c.g);
	settle(c.g, c.peer);
	assert_int_equal(c.heard, 1);
	close_channel(&c);
}

/* Sent, collected, replaced, again and again: a lost event ends the rally. */
static void rally_with_a_replacement_in_every_round(void **state)
{
	struct channel c;
	int i;

	(void)state;
	open_channel(&c);
	for (i = 0; i < 300; i++) {
		send_event(c.peer, c.far);
		if (i % 3 == 1)
			(void)evp_poll(c.g);
		if (i % 2)
			(void)evp_poll(c.peer);
		c.count = c.heard = 0;
		c.g = replace_program(c.g);
		listen_to(c.g, c.port, &c.count);
		wait_count(c.g, &c.count, 1);
		send_event(c.g, c.port);
		wait_count(c.peer, &c.heard, 1);
	}
	close_channel(&c);
}

/*
 * Domain 2 replaces its back end while domain 1, who has not heard of it, sends
 * to the old one, and is replaced itself.
 */
static void event_for_a_new_back_end_arrives(void **state)
{
	struct channel c;
	struct evp_guest *new = attach(2);
	uint64_t count = 0;
	evtchn_port_t own, far;

	(void)state;
	open_channel(&c);
	own = open_unbound(c.g, 2, count_event, &c.count);
	far = open_bound(c.peer, 1, own, count_event, &c.heard);
	settle(c.g, c.peer);
	assert_int_equal(evg_close(evp_evg(c.peer), far), 0);
	far = open_bound(new, 1, own, count_event, &count);
	(void)evp_poll(new);
	count = 0;
	assert_true(goes_direct(c.g, own)); /* to the old one */
	c.g = replace_program(c.g);
	wait_count(new, &count, 1);
	evp_detach(new);
	close_channel(&c);
}

/* The other way round: the old back end has taken the event, and is replaced. */
static void event_a_closed_port_took_is_handed_on(void **state)
{
	struct channel c;
	struct evp_guest *new = attach(1);
	uint64_t count = 0;

	(void)state;
	open_channel(&c);
	assert_int_equal(evg_close(evp_evg(c.g), c.port), 0);
	(void)open_bound(new, 2, c.far, count_event, &count);
	wait_count(new, &count, 1);
	count = 0;
	assert_true(goes_direct(c.peer, c.far));
	(void)evp_poll(c.g); /* remembers it, for when it is asked */
	c.g = replace_program(c.g);
	wait_count(new, &count, 1);
	evp_detach(new);
	close_channel(&c);
}

/* --- the connection ---------------------------------------------------------------------- */

static void what_was_meant_for_the_old_program_is_thrown_away(void **state)
{
	struct evp_hypercall h = {.nr = __HYPERVISOR_event_channel_op,
				  .cmd = EVTCHNOP_status,
				  .arg_len = sizeof(struct evtchn_status)};
	size_t len = offsetof(struct evp_hypercall, arg) + h.arg_len;
	struct evp_take_over again;
	struct channel c;
	int fd;

	(void)state;
	open_channel(&c);
	/* News, an answer, and an answer to the very same question. */
	assert_int_equal(evg_close(evp_evg(c.peer), c.far), 0);
	fd = leave_connection(c.g);
	evp_hdr_init(&h.hdr, EVP_HYPERCALL, len, 1);
	assert_int_equal(evp_send_packet(fd, &h, len, NULL, 0, 0), 0);
	evp_hdr_init(&again.hdr, EVP_TAKE_OVER, sizeof(again), 1);
	assert_int_equal(evp_send_packet(fd, &again, sizeof(again), NULL, 0, 0),
			 0);
	c.g = take_over(fd);
	take_first(&c);
	assert_int_equal(status_of(c.g, c.port), EVTCHNSTAT_unbound);
	/* The lane it was given last is the one the broker uses. */
	c.far = open_unbound(c.peer, 1, count_event, &c.heard);
	(void)open_bound(c.g, 2, c.far, count_event, &c.count);
	wait_count(c.g, &c.count, 1);
	close_channel(&c);
}

/* Nobody reads what 2000 replacements have to tell the peer. */
static void peer_that_does_not_read_is_not_flooded(void **state)
{
	struct evp_take_over m;
	struct evp_packet p;
	struct channel c;
	int i, fd, before;

	(void)state;
	open_channel(&c);
	fd = leave_connection(c.g);
	before = nr_fds();
	for (i = 0; i < 2000; i++) {
		evp_hdr_init(&m.hdr, EVP_TAKE_OVER, sizeof(m), 1);
		CHECK(!evp_send_packet(fd, &m, sizeof(m), NULL, 0, 0));
		do {
			CHECK(!evp_recv_packet(fd, &p, 0));
			evp_packet_close_fds(&p);
		} while (p.u.hdr.type != EVP_TAKEN_OVER);
	}
	/* Nothing of a lane stays with the broker. */
	await_nr_fds(before);
	c.g = take_over(fd);
	take_first(&c);
	settle(c.peer, c.g);
	c.count = 0;
	send_event(c.peer, c.far);
	wait_count(c.g, &c.count, 1);
	/* The link comes as soon as the broker finds that it has read. */
	while (!goes_direct(c.peer, c.far))
		settle(c.g, c.peer);
	while (nr_fds() > before)
		settle(c.peer, c.g);
	close_channel(&c);
}

static void without_a_broker_the_descriptor_stays(void **state)
{
	struct evp_guest *g = attach(1);
	int fd, pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	(void)close(pair[1]);
	assert_int_equal(evp_take_over(&g, pair[0]), -ENOTCONN);
	assert_int_equal(fcntl(pair[0], F_GETFD), 0);
	(void)close(pair[0]);
	assert_int_equal(evp_take_over(&g, -1), -ENOTCONN);
	fd = leave_connection(g);
	kill_broker();
	g = NULL;
	assert_int_equal(evp_take_over(&g, fd), -ENOTCONN);
	assert_null(g);
	assert_int_equal(close(fd), 0);
}

/* --- fewer rights --------------------------------------------------------------------------- */

/* As the broker answers, past the library. */
#define HYPERCALL(fd, name, ...)                                          \
	raw_op(fd, EVTCHNOP_##name, &(struct evtchn_##name){__VA_ARGS__}, \
	       sizeof(struct evtchn_##name))

static int restrict_raw(int fd, domid_t domid)
{
	struct evp_restrict m = {.domid = domid};

	evp_hdr_init(&m.hdr, EVP_RESTRICT, sizeof(m), 1);
	CHECK(!evp_send_packet(fd, &m, sizeof(m), NULL, 0, 0));
	return raw_result(fd, NULL, 0);
}

static void expect_restricted(int fd, evtchn_port_t own)
{
	assert_int_equal(HYPERCALL(fd, alloc_unbound, DOMID_SELF, 2, 0),
			 -XEN_EACCES);
	assert_int_equal(HYPERCALL(fd, bind_interdomain, 3, 1, 0), -XEN_EACCES);
	assert_int_equal(HYPERCALL(fd, bind_interdomain, 1, 1, 0), -XEN_EACCES);
	assert_int_equal(HYPERCALL(fd, bind_virq, VIRQ_DEBUG, 0, 0),
			 -XEN_EACCES);
	assert_int_equal(HYPERCALL(fd, bind_ipi, 0, 0), -XEN_EACCES);
	assert_int_equal(HYPERCALL(fd, bind_pirq, 1, 0, 0), -XEN_EACCES);
	assert_int_equal(HYPERCALL(fd, reset, DOMID_SELF), -XEN_EACCES);
	assert_int_equal(HYPERCALL(fd, status, .dom = 2, .port = 1),
			 -XEN_EACCES);
	assert_int_equal(HYPERCALL(fd, status, .dom = DOMID_SELF, .port = own),
			 0);
	assert_int_equal(HYPERCALL(fd, send, own), 0);
	assert_int_equal(restrict_raw(fd, 2), -XEN_EACCES);
}

static void rights_given_up_are_the_brokers_to_refuse(void **state)
{
	uint64_t count = 0;
	struct evp_guest *peer = attach(2), *third = attach(3), *g = attach(1);
	evtchn_port_t far = open_unbound(peer, 1, count_event, &count);
	evtchn_port_t elsewhere = open_unbound(third, 1, count_event, &count);
	evtchn_port_t own = alloc(g, DOMID_SELF, 2);
	int fd;

	(void)state;
	assert_int_equal(elsewhere, 1);
	assert_int_equal(evp_restrict(g, 0), -EINVAL);
	assert_int_equal(evp_restrict(g, DOMID_FIRST_RESERVED), -EINVAL);
	assert_int_equal(evp_restrict(g, 2), 0);
	assert_int_equal(evp_restrict(g, 2), -EACCES);
	fd = leave_connection(g);
	expect_restricted(fd, own);
	assert_int_equal(HYPERCALL(fd, bind_interdomain, 2, far, 0), 0);
	/* A new program has no more rights than the old one. */
	g = take_over(fd);
	assert_int_equal(evp_restrict(g, 2), -EACCES);
	fd = leave_connection(g);
	expect_restricted(fd, own);
	assert_int_equal(HYPERCALL(fd, close, own), 0);
	(void)close(fd);
	evp_detach(third);
	evp_detach(peer);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(every_port_goes_on_and_has_one_event),
		TEST(event_in_the_old_lane_arrives_later),
		TEST(event_of_the_old_program_arrives),
		TEST(rally_with_a_replacement_in_every_round),
		TEST(event_for_a_new_back_end_arrives),
		TEST(event_a_closed_port_took_is_handed_on),
		TEST(what_was_meant_for_the_old_program_is_thrown_away),
		TEST(peer_that_does_not_read_is_not_flooded),
		TEST(without_a_broker_the_descriptor_stays),
		TEST(rights_given_up_are_the_brokers_to_refuse),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
