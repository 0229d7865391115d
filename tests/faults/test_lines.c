/* SPDX-License-Identifier: MIT */
/*
 * The broker is killed and another one started in its place: interrupt lines are
 * made again, and whoever had bound them has them again, whoever comes first.
 */
#include <poll.h>
#include <sys/eventfd.h>

#include "tests/process/lines.h"

#define LINE 5

/* What the broker says, who is asked as others are. */
static struct evp_port_entry ask_port(uint32_t domid, evtchn_port_t port)
{
	struct evp_list m = {.domid = domid, .port = port};
	struct evp_port_entry e = {.status = EVTCHNSTAT_closed};
	struct evp_packet p;
	const struct evp_list_page *l = (const void *)p.u.bytes;
	int fd = raw_greeted();

	evp_hdr_init(&m.hdr, EVP_LIST, sizeof(m), 7);
	CHECK(evp_send_packet(fd, &m, sizeof(m), NULL, 0, 0) == 0);
	CHECK(evp_recv_packet(fd, &p, 0) == 0);
	CHECK(p.u.hdr.type == EVP_LIST_PAGE);
	if (l->count && l->entry[0].domid == domid && l->entry[0].port == port)
		e = l->entry[0];
	(void)close(fd);
	return e;
}

static void rejoin(struct evp_guest *g)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = 1};

	CHECK(evg_status(evp_evg(g), &st) == 0);
	CHECK(evp_broker_is_there(g));
}

/* --- a driver ---------------------------------------------------------------- */

/* The device is a pipe; each interrupt takes a byte, as a small FIFO would. */
struct driver {
	struct evp_guest *g;
	evtchn_port_t port;
	int in, out;
	uint64_t interrupts, bytes;
	bool lazy; /* does nothing about it */
};

static void handle(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct driver *d = ctx;
	uint8_t byte;

	(void)v;
	(void)port;
	d->interrupts++;
	if (d->lazy)
		return;
	if (read(d->in, &byte, 1) == 1) {
		CHECK(byte == (uint8_t)d->bytes);
		d->bytes++;
	}
	(void)eoi(d->g, LINE); /* without a broker it goes to nobody */
}

static void start_driver(struct driver *d, int domid)
{
	int ends[2];

	CHECK(!pipe2(ends, O_CLOEXEC | O_NONBLOCK));
	*d = (struct driver){.g = attach(domid), .in = ends[0], .out = ends[1]};
	CHECK(add_line(LINE, d->in, (uint32_t)domid) == 0);
	CHECK(evg_bind_pirq(evp_evg(d->g), LINE, 0, &d->port) == 0);
	CHECK(evg_bind_handler(evp_evg(d->g), d->port, EVG_VCPU_KEEP, handle,
			       d) == 0);
}

static void end_driver(struct driver *d)
{
	evp_detach(d->g);
	(void)close(d->in);
	(void)close(d->out);
}

static void feed(struct driver *d, unsigned int nr)
{
	static uint8_t next;
	uint8_t byte;

	if (!d->bytes && !d->interrupts)
		next = 0;
	while (nr--) {
		byte = next++;
		CHECK(write(d->out, &byte, 1) == 1);
	}
}

static void await_bytes(struct driver *d, uint64_t nr)
{
	while (d->bytes < nr)
		CHECK(evp_wait(d->g, EVP_FOREVER) >= 0);
}

static void assert_is_line(struct driver *d)
{
	struct evp_port_entry e = ask_port(evp_domid(d->g), d->port);

	assert_int_equal(e.status, EVTCHNSTAT_pirq);
	assert_int_equal(e.peer, LINE);
}

/* --- coming back ------------------------------------------------------------- */

/* Before, while there is no broker, and after; whoever comes first. */
static void bytes_go_on(bool line_first)
{
	struct driver d;
	unsigned int i;
	int rc;

	start_driver(&d, 1);
	for (i = 0; i < 4; i++) {
		feed(&d, 3);
		await_bytes(&d, i * 9 + 1);
		kill_broker();
		feed(&d, 3);
		CHECK(evp_poll(d.g) >= 0);
		start_broker(&broker);
		if (!line_first)
			rejoin(d.g);
		/* A domain has to be there, whose line it is. */
		while ((rc = add_line(LINE, d.in, 1)) == -ESRCH)
			CHECK(evp_wait(d.g, 1000000) >= 0);
		assert_int_equal(rc, 0);
		feed(&d, 3);
		await_bytes(&d, i * 9 + 9);
		assert_is_line(&d);
	}
	end_driver(&d);
}

static void line_that_comes_later_finds_its_driver(void **state)
{
	(void)state;
	bytes_go_on(false);
}

static void driver_that_comes_later_finds_its_line(void **state)
{
	struct driver d;
	uint32_t domid;
	int session;

	(void)state;
	bytes_go_on(true);
	/* For sure: the domain is held by somebody else first. */
	start_driver(&d, 1);
	feed(&d, 2);
	restart_broker();
	session = open_session(1, &domid);
	assert_int_equal(add_line(LINE, d.in, 1), 0);
	assert_int_equal(ask_port(1, d.port).status, EVTCHNSTAT_closed);
	rejoin(d.g);
	assert_is_line(&d);
	await_bytes(&d, 2);
	(void)close(session);
	end_driver(&d);
}

/* Raised by the broker that died, and ended with the one after it. */
static void interrupt_in_flight_is_not_lost(void **state)
{
	struct driver d;

	(void)state;
	start_driver(&d, 1);
	d.lazy = true;
	feed(&d, 3);
	while (!d.interrupts)
		CHECK(evp_wait(d.g, EVP_FOREVER) >= 0);
	restart_broker();
	d.lazy = false;
	rejoin(d.g);
	assert_int_equal(d.interrupts, 1);
	/* There is no line: its end is no mistake, and changes nothing. */
	assert_int_equal(eoi(d.g, LINE), 0);
	assert_int_equal(add_line(LINE, d.in, 1), 0);
	await_bytes(&d, 3);
	/* Neither is one without an interrupt. */
	assert_int_equal(eoi(d.g, LINE), 0);
	feed(&d, 1);
	await_bytes(&d, 4);
	end_driver(&d);
}

/* Raised, and nobody has looked at it yet. */
static void pending_interrupt_is_not_lost(void **state)
{
	struct driver d;
	int i;

	(void)state;
	start_driver(&d, 1);
	feed(&d, 1);
	/* It has looked when it has answered for more than one turn. */
	for (i = 0; i < 18; i++)
		(void)ask_port(1, d.port);
	restart_broker();
	rejoin(d.g);
	/* The event outlived the broker; nothing else will raise it. */
	await_bytes(&d, 1);
	end_driver(&d);
}

static void program_makes_its_line_again(void **state)
{
	struct driver d;

	(void)state;
	start_driver(&d, 0);
	feed(&d, 2);
	await_bytes(&d, 2);
	restart_broker();
	/* The first it asks: it is taken back, claims, and is answered. */
	assert_int_equal(evp_pirq_add(d.g, LINE, d.in, 0), 0);
	assert_is_line(&d);
	feed(&d, 2);
	await_bytes(&d, 4);
	kill_broker();
	assert_int_equal(evp_pirq_permit(d.g, LINE, 1), -ENOTCONN);
	end_driver(&d);
}

/* --- waiting ----------------------------------------------------------------- */

static void waiting_port_keeps_its_number(void **state)
{
	struct driver d;
	struct evp_guest *other;
	evtchn_port_t port = 0;

	(void)state;
	start_driver(&d, 1);
	restart_broker();
	rejoin(d.g);
	other = attach(1);
	assert_int_equal(ask_port(1, d.port).status, EVTCHNSTAT_unbound);
	assert_int_not_equal(alloc(other, DOMID_SELF, 2), d.port);
	assert_int_equal(evg_bind_interdomain(evp_evg(other), 1, d.port, &port),
			 -XEN_EINVAL);
	assert_int_equal(eoi(other, LINE), -XEN_ENOTCONN);
	assert_int_equal(evg_close(evp_evg(other), d.port), -XEN_ENOTCONN);
	assert_int_equal(add_line(LINE, d.in, 1), 0);
	assert_is_line(&d);
	assert_int_equal(evg_bind_pirq(evp_evg(other), LINE, 0, &port),
			 -XEN_EEXIST);
	feed(&d, 1);
	await_bytes(&d, 1);
	evp_detach(other);
	end_driver(&d);
}

/* By exec(): the new one hears of the port as what it will be, and claims it. */
static void replace_program(struct driver *d)
{
	int fd = dup(evp_inherit(d->g));

	CHECK(fd >= 0);
	evp_abandon(d->g);
	CHECK(evp_take_over(&d->g, fd) == 0);
	CHECK(evg_bind_handler(evp_evg(d->g), d->port, EVG_VCPU_KEEP, handle,
			       d) == 0);
}

static void replaced_program_still_waits(void **state)
{
	struct driver d;
	int i;

	(void)state;
	start_driver(&d, 1);
	for (i = 0; i < 2; i++) {
		replace_program(
			&d); /* while it is bound, then while it is not */
		restart_broker();
		rejoin(d.g);
	}
	assert_int_equal(ask_port(1, d.port).status, EVTCHNSTAT_unbound);
	assert_int_equal(add_line(LINE, d.in, 1), 0);
	assert_is_line(&d);
	feed(&d, 1);
	await_bytes(&d, 1);
	end_driver(&d);
}

static void closed_or_dead_it_waits_no_more(void **state)
{
	struct driver d;
	struct evp_guest *other;
	evtchn_port_t port = 0;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		start_driver(&d, 1);
		restart_broker();
		rejoin(d.g);
		other = attach(1);
		if (i == 0)
			CHECK(evg_close(evp_evg(d.g), d.port) == 0);
		else
			evp_detach(d.g);
		while (ask_port(1, d.port).status != EVTCHNSTAT_closed)
			;
		assert_int_equal(add_line(LINE, d.in, 1), 0);
		/* It is free for the next. */
		assert_int_equal(evg_bind_pirq(evp_evg(other), LINE, 0, &port),
				 0);
		if (i == 0)
			evp_detach(d.g);
		evp_detach(other);
		(void)close(d.in);
		(void)close(d.out);
		restart_broker();
	}
}

/* Made for domain 1, bound by domain 2, who was permitted. */
static void permit_may_come_before_the_line(void **state)
{
	struct evp_guest *owner = attach(1), *other;
	evtchn_port_t port = 0;
	struct driver d;

	(void)state;
	start_driver(&d, 2);
	restart_broker();
	rejoin(owner);
	rejoin(d.g);
	assert_int_equal(permit_line(LINE, 2, false), -ENOENT);
	assert_int_equal(permit_line(LINE, 2, true), 0);
	assert_int_equal(ask_port(2, d.port).status, EVTCHNSTAT_unbound);
	assert_int_equal(add_line(LINE, d.in, 1), 0);
	assert_is_line(&d);
	feed(&d, 1);
	await_bytes(&d, 1);
	/* The other way round: the line is there, and not yet for domain 2. */
	restart_broker();
	rejoin(owner);
	rejoin(d.g);
	assert_int_equal(add_line(LINE, d.in, 1), 0);
	other = attach(3);
	assert_int_equal(evg_bind_pirq(evp_evg(other), LINE, 0, &port),
			 -XEN_EPERM);
	assert_int_equal(ask_port(2, d.port).status, EVTCHNSTAT_unbound);
	assert_int_equal(permit_line(LINE, 2, true), 0);
	assert_is_line(&d);
	feed(&d, 1);
	await_bytes(&d, 2);
	evp_detach(owner);
	evp_detach(other);
	end_driver(&d);
}

/* After its time the port is closed, and so is what was permitted early. */
static void line_that_does_not_come_is_given_up(void **state)
{
	struct evp_guest *other;
	evtchn_port_t port = 0;
	struct driver d;

	(void)state;
	start_driver(&d, 1);
	restart_broker();
	rejoin(d.g);
	other = attach(2);
	assert_int_equal(permit_line(LINE, 2, true), 0);
	while (status_of(d.g, d.port) != EVTCHNSTAT_closed)
		(void)poll(NULL, 0, 20);
	/* Nothing of this is left for a line of that number. */
	assert_int_equal(permit_line(LINE, 2, true), -ENOENT);
	assert_int_equal(eoi(d.g, LINE), -XEN_EINVAL);
	assert_int_equal(add_line(LINE, d.in, 1), 0);
	assert_int_equal(evg_bind_pirq(evp_evg(other), LINE, 0, &port),
			 -XEN_EPERM);
	assert_int_equal(evg_bind_pirq(evp_evg(d.g), LINE, 0, &port), 0);
	evp_detach(other);
	end_driver(&d);
}

/* --- hostile ----------------------------------------------------------------- */

static struct evp_claim pirq(uint32_t port, uint32_t line)
{
	return (struct evp_claim){
		.port = port, .kind = EVTCHNSTAT_pirq, .number = line};
}

/* The port of each line once; others are closed at once. */
static void one_claim_for_a_line(void **state)
{
	struct evp_reattach r = {
		.who = {.domid = 1, .nr_vcpus = 1, .name = "back"},
		.former = 1,
		.limit = EVP_DOMID_ANY,
	};
	struct evp_claims m = {.count = 4, .last = 1};
	size_t len =
		offsetof(struct evp_claims, claim) + 4 * sizeof(m.claim[0]);
	int fd = raw_greeted(), event = eventfd(1, EFD_NONBLOCK);

	(void)state;
	m.claim[0] = pirq(3, LINE);
	m.claim[1] = pirq(4, LINE);
	m.claim[2] = pirq(5, EVP_NR_LINES);
	m.claim[3] = pirq(6, LINE + 1);
	m.claim[3].vcpu = UINT32_MAX;
	evp_hdr_init(&r.who.hdr, EVP_REATTACH, sizeof(r), 3);
	CHECK(evp_send_packet(fd, &r, sizeof(r), NULL, 0, 0) == 0);
	evp_hdr_init(&m.hdr, EVP_CLAIM, len, 0);
	CHECK(evp_send_packet(fd, &m, len, NULL, 0, 0) == 0);
	while (ask_port(1, 6).status != EVTCHNSTAT_unbound)
		;
	assert_int_equal(ask_port(1, 3).status, EVTCHNSTAT_unbound);
	assert_int_equal(ask_port(1, 4).status, EVTCHNSTAT_closed);
	assert_int_equal(ask_port(1, 5).status, EVTCHNSTAT_closed);
	assert_int_equal(add_line(LINE + 1, event, 1), 0);
	assert_int_equal(ask_port(1, 6).status, EVTCHNSTAT_pirq);
	assert_int_equal(ask_port(1, 3).status, EVTCHNSTAT_unbound);
	(void)close(fd);
	(void)close(event);
}

static void send_line(enum evp_type type, uint32_t again)
{
	struct evp_line m = {.line = LINE, .domid = 1, .again = again};
	int event = eventfd(0, 0), fd = raw_greeted();

	evp_hdr_init(&m.hdr, type, sizeof(m), 1);
	CHECK(evp_send_packet(fd, &m, sizeof(m), &event, type == EVP_LINE, 0) ==
	      0);
	expect_end(fd);
	(void)close(event);
}

static void malformed_ends_the_connection(void **state)
{
	struct evp_guest *g = attach(1);

	(void)state;
	send_line(EVP_LINE, 1);
	send_line(EVP_PERMIT, 2);
	assert_true(evp_broker_is_there(g));
	evp_detach(g);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(line_that_comes_later_finds_its_driver),
		TEST(driver_that_comes_later_finds_its_line),
		TEST(interrupt_in_flight_is_not_lost),
		TEST(pending_interrupt_is_not_lost),
		TEST(program_makes_its_line_again),
		TEST(waiting_port_keeps_its_number),
		TEST(replaced_program_still_waits),
		TEST(closed_or_dead_it_waits_no_more),
		TEST(permit_may_come_before_the_line),
		TEST(line_that_does_not_come_is_given_up),
		TEST(one_claim_for_a_line),
		TEST(malformed_ends_the_connection),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
