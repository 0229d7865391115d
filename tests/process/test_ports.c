/* SPDX-License-Identifier: MIT */
/*
 * Ports that are the domain's own: events wait in the broker, leave it once,
 * and nobody in the wrong state or domain gets at them.
 */
#include "harness.h"

#define SOON INT64_C(0) /* a deadline that is over: what is there, no waiting */

static int session(uint32_t want)
{
	uint32_t domid;
	int fd = open_session(want, &domid);

	CHECK(domid == want);
	return fd;
}

static uint32_t make(int fd, uint32_t remote, const char *name)
{
	struct evp_port_entry e;

	CHECK(evp_control_port(fd, EVP_PORT_ALLOC, remote, 0, name, &e) == 0);
	CHECK(e.kept && e.pid == 0 && e.status == EVTCHNSTAT_unbound);
	CHECK(strcmp(e.name, name ? name : "") == 0);
	return e.port;
}

static uint32_t bind_to(int fd, uint32_t remote, uint32_t port)
{
	struct evp_port_entry e;

	CHECK(evp_control_port(fd, EVP_PORT_BIND, remote, port, NULL, &e) == 0);
	CHECK(e.peer_domid == remote && e.peer == port);
	return e.port;
}

static int do_port(int fd, enum evp_port_op op, uint32_t domid, uint32_t port)
{
	return evp_control_port(fd, op, domid, port, NULL, NULL);
}

static const char no_name[EVP_NAME_MAX];

static void send_port(int fd, uint16_t op, const char *name)
{
	struct evp_port_req m = {.op = op};

	memcpy(m.name, name, sizeof(m.name));
	evp_hdr_init(&m.hdr, EVP_PORT, sizeof(m), 1);
	CHECK(evp_send_packet(fd, &m, sizeof(m), NULL, 0, 0) == 0);
}

/* --- events ---------------------------------------------------------------------- */

static void event_stays_until_it_is_waited_for(void **state)
{
	int a = session(1), b = session(2);
	uint32_t pa = make(a, 2, NULL), pb = bind_to(b, 1, pa);

	(void)state;
	/* A connection starts with one for who made it. */
	assert_int_equal(evp_control_wait(b, pb, SOON), 1);
	assert_int_equal(evp_control_wait(a, pa, SOON), 0);
	assert_int_equal(do_port(b, EVP_PORT_SEND, 2, pb), 0);
	assert_int_equal(do_port(b, EVP_PORT_SEND, 2, pb), 0);
	/* The sender's end goes; the session that made the port, too. */
	assert_int_equal(do_port(b, EVP_PORT_CLOSE, 2, pb), 0);
	(void)close(b);
	b = session(1);
	(void)close(a);
	assert_int_equal(evp_control_wait(b, pa, SOON), 1);
	assert_int_equal(evp_control_wait(b, pa, SOON), 0);
	(void)close(b);
}

/* A program at the other end: its lane-less sends arrive, and ours at it. */
static void program_at_the_other_end(void **state)
{
	int a = session(1);
	uint32_t pa = make(a, 2, NULL);
	uint64_t count = 0;
	struct evp_guest *g = attach(2);
	evtchn_port_t port = open_bound(g, 1, pa, count_event, &count);

	(void)state;
	wait_count(g, &count, 1);
	assert_false(goes_direct(g, port));
	assert_int_equal(evp_control_wait(a, pa, SOON), 1);
	assert_int_equal(do_port(a, EVP_PORT_SEND, 1, pa), 0);
	wait_count(g, &count, 2);
	evp_detach(g);
	(void)close(a);
}

static void send_wait(int fd, uint32_t port, uint32_t seq)
{
	struct evp_wait_req m = {.port = port};

	evp_hdr_init(&m.hdr, EVP_WAIT, sizeof(m), seq);
	CHECK(evp_send_packet(fd, &m, sizeof(m), NULL, 0, 0) == 0);
	/* Only after that it is known to wait. */
	CHECK(do_port(fd, EVP_PORT_FIND, 1, port) == 0);
}

static int32_t waited(int fd, uint32_t seq)
{
	struct evp_packet p;
	const struct evp_waited *r = (const void *)p.u.bytes;

	CHECK(evp_answer(fd, &p, EVP_WAITED, sizeof(*r)) == 0);
	CHECK(r->hdr.seq == seq);
	return r->rc;
}

static void each_event_ends_the_longest_wait(void **state)
{
	int a = session(1), b = session(2), w[3], i;
	uint32_t pa = make(a, 2, NULL), pb = bind_to(b, 1, pa);

	(void)state;
	for (i = 0; i < 3; i++)
		send_wait(w[i] = session(1), pa, 10 + (uint32_t)i);
	/* The second gives up. */
	send_port(w[1], EVP_PORT_CANCEL, no_name);
	assert_int_equal(waited(w[1], 11), -ECANCELED);
	for (i = 0; i < 3; i += 2) {
		assert_int_equal(do_port(b, EVP_PORT_SEND, 2, pb), 0);
		assert_int_equal(waited(w[i], 10 + (uint32_t)i), 0);
		assert_int_equal(evp_control_wait(a, pa, SOON), 0);
	}
	for (i = 0; i < 3; i++)
		(void)close(w[i]);
	(void)close(b);
	(void)close(a);
}

/* Its socket is closed, but the broker has not heard of that. */
static void dead_waiter_takes_no_event(void **state)
{
	struct evp_wait_req m = {.pad = 0};
	int a = session(1), b = session(2), w, i;
	uint32_t pa = make(a, 2, NULL), pb = bind_to(b, 1, pa);

	(void)state;
	m.port = pa;
	evp_hdr_init(&m.hdr, EVP_WAIT, sizeof(m), 1);
	for (i = 0; i < 50; i++) {
		w = session(1);
		assert_int_equal(evp_send_packet(w, &m, sizeof(m), NULL, 0, 0),
				 0);
		if (i & 1) /* the broker has read it */
			assert_int_equal(do_port(w, EVP_PORT_FIND, 1, pa), 0);
		(void)close(w);
		assert_int_equal(do_port(b, EVP_PORT_SEND, 2, pb), 0);
		assert_int_equal(evp_control_wait(a, pa, INT64_MAX), 1);
	}
	(void)close(b);
	(void)close(a);
}

static void who_waits_hears_of_the_closing(void **state)
{
	int a = session(1), w = session(1);
	uint32_t port = make(a, 2, "door");

	(void)state;
	send_wait(w, port, 77);
	assert_int_equal(do_port(a, EVP_PORT_CLOSE, 1, port), 0);
	assert_int_equal(waited(w, 77), -EIDRM);
	assert_int_equal(evp_control_wait(w, port, SOON), -ENOENT);
	(void)close(w);
	(void)close(a);
}

/* --- whose ----------------------------------------------------------------------- */

static void attachment_cannot_use_it_nor_sessions_an_attachments(void **state)
{
	int a = session(1);
	uint32_t pa = make(a, 1, "door");
	struct evp_guest *g = attach(1);
	evtchn_port_t pg = alloc(g, DOMID_SELF, 2);

	(void)state;
	assert_int_equal(evg_close(evp_evg(g), pa), -XEN_ENOTCONN);
	assert_int_equal(evg_notify(evp_evg(g), pa), -XEN_ENOTCONN);
	assert_int_equal(do_port(a, EVP_PORT_CLOSE, 1, pg), -EBUSY);
	assert_int_equal(do_port(a, EVP_PORT_SEND, 1, pg), -EBUSY);
	assert_int_equal(evp_control_wait(a, pg, SOON), -EBUSY);
	assert_int_equal(do_port(a, EVP_PORT_FIND, 1, pg), 0);
	assert_int_equal(status_of(g, pa), EVTCHNSTAT_unbound);
	/* Another attachment, which is the first again, does not get it. */
	evp_detach(g);
	g = attach(1);
	assert_int_equal(evg_close(evp_evg(g), pa), -XEN_ENOTCONN);
	evp_detach(g);
	assert_int_equal(do_port(a, EVP_PORT_CLOSE, 1, pa), 0);
	(void)close(a);
}

/* Made by domain 0, nobody there: it is whose that comes first. */
static void port_made_from_outside_becomes_the_sessions(void **state)
{
	struct evp_guest *g = attach(0);
	int a = session(1);
	evtchn_port_t pa = alloc(g, 1, 0), p0 = 0;

	(void)state;
	assert_int_equal(evg_bind_interdomain(evp_evg(g), 1, pa, &p0), 0);
	assert_int_equal(evg_notify(evp_evg(g), p0), 0);
	assert_int_equal(evp_control_wait(a, pa, SOON), 1);
	evp_detach(g);
	(void)close(a);
}

static void names(void **state)
{
	int a = session(1), b = session(2);
	uint32_t door = make(a, 2, "door");
	struct evp_port_entry e;

	(void)state;
	assert_int_equal(
		evp_control_port(a, EVP_PORT_ALLOC, 2, 0, "door", NULL),
		-EEXIST);
	assert_int_equal(make(b, 1, "door"), 1); /* another domain's */
	assert_int_equal(evp_control_port(b, EVP_PORT_FIND, 1, 0, "door", &e),
			 0);
	assert_int_equal(e.port, door);
	assert_int_equal(evp_control_port(b, EVP_PORT_FIND, 1, 0, "doo", NULL),
			 -ENOENT);
	assert_int_equal(evp_control_port(b, EVP_PORT_FIND, 1, 0, "", NULL),
			 -ENOENT);
	assert_int_equal(
		evp_control_port(b, EVP_PORT_NOTIFY, 1, 0, "door", NULL), 0);
	assert_int_equal(evp_control_wait(a, door, SOON), 1);
	/* Nothing of it is left: the port can be bound by another. */
	assert_int_equal(bind_to(b, 1, door), 2);
	/* Connected, to a port of this domain's own: sent on that. */
	assert_int_equal(do_port(b, EVP_PORT_NOTIFY, 1, door), 0);
	assert_int_equal(evp_control_wait(a, door, SOON), 1);
	assert_int_equal(do_port(b, EVP_PORT_NOTIFY, 1, door), 0);
	assert_int_equal(do_port(b, EVP_PORT_CLOSE, 2, 2), 0);
	assert_int_equal(evp_control_wait(a, door, SOON), 1);
	(void)close(b);
	(void)close(a);
}

static void notify_beside_a_program(void **state)
{
	int a = session(1), b = session(2), c = session(3);
	uint32_t door = make(a, 2, "door");
	uint64_t count = 0;
	struct evp_guest *g = attach(2);

	(void)state;
	(void)open_bound(g, 1, door, count_event, &count);
	assert_int_equal(do_port(b, EVP_PORT_NOTIFY, 1, door), -EBUSY);
	assert_int_equal(do_port(c, EVP_PORT_NOTIFY, 1, door), -EBUSY);
	evp_detach(g);
	while (do_port(b, EVP_PORT_NOTIFY, 1, door) == -EBUSY)
		;
	assert_int_equal(evp_control_wait(a, door, SOON), 1);
	assert_int_equal(do_port(c, EVP_PORT_NOTIFY, 1, door), -EINVAL);
	(void)close(c);
	(void)close(b);
	(void)close(a);
}

/* --- hostile --------------------------------------------------------------------- */

static void wrong_messages_end_the_connection(void **state)
{
	static const char full[EVP_NAME_MAX] =
		"0123456789012345678901234567890";
	char endless[EVP_NAME_MAX], steering[EVP_NAME_MAX] = "\033[2J";
	struct evp_wait_req w = {.port = 1};
	int fd;

	(void)state;
	memset(endless, 'x', sizeof(endless));
	send_port(fd = session(1), 0, full);
	expect_end(fd);
	send_port(fd = session(1), EVP_PORT_TOOK + 1, full);
	expect_end(fd);
	send_port(fd = session(1), EVP_PORT_ALLOC, endless);
	expect_end(fd);
	send_port(fd = session(1), EVP_PORT_ALLOC, steering);
	expect_end(fd);
	/* Nobody has a domain yet, or is an attachment. */
	fd = raw_greeted();
	send_port(fd, EVP_PORT_ALLOC, full);
	expect_end(fd);
	send_port(fd = raw_attached(1), EVP_PORT_ALLOC, full);
	expect_end(fd);
	/* Two waits at a time. */
	fd = session(1);
	w.port = make(fd, 1, NULL);
	evp_hdr_init(&w.hdr, EVP_WAIT, sizeof(w), 1);
	CHECK(evp_send_packet(fd, &w, sizeof(w), NULL, 0, 0) == 0);
	CHECK(evp_send_packet(fd, &w, sizeof(w), NULL, 0, 0) == 0);
	expect_end(fd);
}

static void all_ports_and_no_more(void **state)
{
	bool all = getenv("EVC_LONG") != NULL;
	uint32_t end = all ? EVTCHN_FIFO_NR_CHANNELS : 5000;
	int fd = session(1);
	uint32_t i;

	(void)state;
	/* Nobody's memory has to have room for them. */
	for (i = 1; i < end; i++)
		assert_int_equal(make(fd, 2, NULL), i);
	if (all)
		assert_int_equal(do_port(fd, EVP_PORT_ALLOC, 2, 0), -ENOSPC);
	assert_int_equal(do_port(fd, EVP_PORT_CLOSE, 1, 4000), 0);
	assert_int_equal(make(fd, 2, "last"), 4000);
	(void)close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			event_stays_until_it_is_waited_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(program_at_the_other_end,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			each_event_ends_the_longest_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(dead_waiter_takes_no_event,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_waits_hears_of_the_closing,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			attachment_cannot_use_it_nor_sessions_an_attachments,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			port_made_from_outside_becomes_the_sessions, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(notify_beside_a_program, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			wrong_messages_end_the_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_ports_and_no_more, set_up,
						tear_down),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
