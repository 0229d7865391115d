/* SPDX-License-Identifier: MIT */
/*
 * Ports that change hands among the attachments of a domain, or are closed by
 * one that does not own them, while somebody sends who has not heard of it.
 *
 * All parts are played in one process, which makes the moments exact.
 */
#include "harness.h"

/* --- replacement ------------------------------------------------------------------------ */

static void close_port(struct evp_guest *g, evtchn_port_t port)
{
	assert_int_equal(evg_close(evp_evg(g), port), 0);
}

static void leave(struct evp_guest *g, evtchn_port_t port)
{
	(void)port;
	evp_detach(g);
}

static void close_and_leave(struct evp_guest *g, evtchn_port_t port)
{
	int fd = raw_greeted();

	close_port(g, port);
	evp_detach(g);
	while (ask_domain(fd, 1).nr_attached > 1)
		; /* until the broker knows */
	(void)close(fd);
}

static void lose_all_ports(struct evp_guest *g, evtchn_port_t port)
{
	struct evp_guest *other = attach(1);

	(void)g;
	(void)port;
	assert_int_equal(evg_reset(evp_evg(other)), 0);
	evp_detach(other);
}

/*
 * The old back end goes in some way, a new one binds in its place, and the
 * front end sends before it has heard of any of it.  The new one must get it,
 * whether the old one, if it lives, looks at its lane before or after the front
 * end reads the news.
 */
static void replace(void (*go)(struct evp_guest *g, evtchn_port_t port),
		    bool old_first)
{
	struct evp_guest *front = attach(2), *old = attach(1), *new = attach(1);
	uint64_t count = 0, heard = 0, ignored = 0, i;
	evtchn_port_t port = open_unbound(front, 1, count_event, &ignored), p;
	evtchn_port_t past = open_bound(old, 2, port, count_event, &heard);
	bool stays = go != leave && go != close_and_leave;

	(void)evp_poll(front);
	(void)evp_poll(old);
	heard = 0;
	go(old, past);
	do {
		i = (uint64_t)evg_bind_interdomain(evp_evg(new), 2, port, &p);
	} while (i); /* the broker learns of a death when it gets round to it */
	assert_int_equal(
		evg_bind_handler(evp_evg(new), p, 0, count_event, &count), 0);
	(void)evp_poll(new);
	count = 0;
	assert_true(goes_direct(front, port)); /* to the old one */
	for (i = 0; i < 3; i++) {
		if (stays && (old_first || i))
			(void)evp_poll(old);
		(void)evp_poll(front);
		(void)status_of(front, port);
	}
	wait_count(new, &count, 1);
	assert_true(goes_direct(front, port));
	wait_count(new, &count, 2);
	assert_int_equal(count, 2);
	assert_int_equal(heard, 0);
	if (stays)
		evp_detach(old);
	evp_detach(new);
	evp_detach(front);
}

static void new_back_end_hears_what_was_sent_to_one_that_closed(void **state)
{
	(void)state;
	replace(close_port, true);
	replace(close_port, false);
}

static void new_back_end_hears_what_was_sent_to_one_that_died(void **state)
{
	(void)state;
	replace(leave, false);
	replace(close_and_leave, false);
}

static void new_back_end_hears_what_was_sent_to_one_that_was_reset(void **state)
{
	(void)state;
	replace(lose_all_ports, true);
	replace(lose_all_ports, false);
}

/* The front end's port is closed and opened for somebody else meanwhile. */
static void event_not_taken_is_not_sent_to_a_port_opened_since(void **state)
{
	struct evp_guest *front = attach(2), *old = attach(1),
			 *third = attach(3);
	uint64_t count = 0, ignored = 0;
	evtchn_port_t port = open_unbound(front, 1, count_event, &ignored);
	evtchn_port_t past = open_bound(old, 2, port, count_event, &ignored);
	int i;

	(void)state;
	(void)evp_poll(front);
	close_port(old, past);
	assert_true(goes_direct(front, port));
	(void)evp_poll(old); /* has it now, and will say so */
	close_port(front, port);
	assert_int_equal(open_unbound(front, 3, count_event, &ignored), port);
	(void)open_bound(third, 2, port, count_event, &count);
	wait_count(third, &count, 1); /* the bind's own */
	for (i = 0; i < 3; i++) {
		(void)evp_poll(old);
		(void)evp_poll(front);
		(void)status_of(old, past);
		(void)status_of(third, 1);
		(void)evp_poll(third);
	}
	assert_int_equal(count, 1);
	evp_detach(old);
	evp_detach(third);
	evp_detach(front);
}

/* --- reset ------------------------------------------------------------------------------- */

static void reset_by_one_closes_the_ports_of_all(void **state)
{
	struct evp_guest *a = attach(1), *b = attach(1), *peer = attach(2);
	evtchn_port_t remote, i;

	(void)state;
	for (i = 1; i <= 300; i++)
		assert_int_equal(alloc(i % 2 ? a : b, DOMID_SELF, 2), i);
	assert_int_equal(evg_bind_interdomain(evp_evg(peer), 1, 2, &remote), 0);
	assert_int_equal(evg_reset(evp_evg(a)), 0);
	for (i = 1; i <= 300; i++)
		assert_int_equal(status_of(b, i), EVTCHNSTAT_closed);
	assert_int_equal(status_of(peer, remote), EVTCHNSTAT_unbound);
	assert_int_equal(evg_notify(evp_evg(b), 2), -XEN_EINVAL);
	assert_int_equal(alloc(b, DOMID_SELF, 2), 1);
	evp_detach(a);
	evp_detach(b);
	evp_detach(peer);
}

#define RESETS 4500 /* more than a lane has slots */

/*
 * b's port is closed by a's reset, and b, which has not heard of it, sends.
 * The event must not arrive at what is connected next, and the slots must come
 * back.
 */
static void send_after_an_unheard_reset_reaches_no_other_port(void **state)
{
	struct evp_guest *a = attach(1), *b = attach(1), *peer = attach(2);
	uint64_t count = 0, before = 0;
	evtchn_port_t pb, remote, next, fresh;
	int i;

	(void)state;
	for (i = 0; i < RESETS; i++) {
		before = 0;
		remote = open_unbound(peer, 1, count_event, &before);
		assert_int_equal(
			evg_bind_interdomain(evp_evg(b), 2, remote, &pb), 0);
		(void)evp_poll(peer);
		assert_int_equal(before, 0);
		assert_int_equal(evg_reset(evp_evg(a)), 0);
		/* The peer answers, and the broker has the answer. */
		assert_int_equal(status_of(peer, remote), EVTCHNSTAT_unbound);
		assert_int_equal(status_of(peer, remote), EVTCHNSTAT_unbound);
		assert_true(goes_direct(b, pb));
		(void)evp_poll(peer);
		count = 0;
		next = open_unbound(peer, 1, count_event, &count);
		assert_int_equal(
			evg_bind_interdomain(evp_evg(b), 2, next, &fresh), 0);
		assert_int_equal(fresh, pb);
		(void)evp_poll(peer);
		assert_int_equal(count, 0);
		assert_true(goes_direct(b, fresh));
		wait_count(peer, &count, 1);
		assert_int_equal(evg_close(evp_evg(b), fresh), 0);
		assert_int_equal(evg_close(evp_evg(peer), next), 0);
		assert_int_equal(evg_close(evp_evg(peer), remote), 0);
	}
	evp_detach(a);
	evp_detach(b);
	evp_detach(peer);
}

#define NR_REOPENED 100

/*
 * Closed by a's reset, opened again for b by a control domain, and an event
 * sent there, before b has heard of any of it: the event stays.  It comes from
 * the broker, because b leaves too much unanswered to get a link.
 */
static void event_for_a_port_reopened_unheard_is_kept(void **state)
{
	struct evp_guest *b = attach(1), *a = attach(1), *dom0 = attach(0);
	evtchn_port_t port, remote;
	int i;

	(void)state;
	for (i = 0; i < NR_REOPENED; i++)
		assert_int_equal(evg_bind_interdomain(evp_evg(dom0), 1,
						      alloc(b, DOMID_SELF, 0),
						      &remote),
				 0);
	(void)evp_poll(b);
	assert_int_equal(evg_reset(evp_evg(a)), 0);
	assert_int_equal(status_of(dom0, remote), EVTCHNSTAT_unbound);
	for (i = 1; i <= NR_REOPENED; i++) {
		port = alloc(dom0, 1, 0);
		assert_int_equal(port, i);
		/* One in the word of the lane's news bit, one in another. */
		if (i != 7 && i != NR_REOPENED)
			continue;
		assert_int_equal(
			evg_bind_interdomain(evp_evg(dom0), 1, port, &remote),
			0);
		assert_false(goes_direct(dom0, remote));
	}
	(void)evp_poll(b);
	assert_true(evg_is_pending(evp_evg(b), 7));
	assert_true(evg_is_pending(evp_evg(b), NR_REOPENED));
	evp_detach(a);
	evp_detach(b);
	evp_detach(dom0);
}

/* An event that waits in the broker's lane goes with its port. */
static void event_of_a_port_closed_unheard_is_not_its_successors(void **state)
{
	struct evp_guest *a = attach(0), *b = attach(0);
	static struct evp_domain_entry e[EVP_DOMAINS_PER_PAGE];
	evtchn_port_t virq;
	uint32_t cursor;
	int n, fd = raw();

	(void)state;
	assert_int_equal(evg_bind_virq(evp_evg(b), VIRQ_DOM_EXC, 0, &virq), 0);
	evp_detach(attach(7));
	assert_int_equal(evp_control_hello(fd, NULL), 0);
	do { /* until domain 7 has ended, which raises the VIRQ */
		cursor = 0;
		n = evp_control_domains(fd, &cursor, e, EVP_DOMAINS_PER_PAGE);
	} while (n > 1);
	assert_int_equal(evg_reset(evp_evg(a)), 0);
	assert_int_equal(alloc(b, DOMID_SELF, 2), virq);
	(void)evp_poll(b);
	assert_false(evg_is_pending(evp_evg(b), virq));
	(void)close(fd);
	evp_detach(a);
	evp_detach(b);
}

/* Nobody goes on with the reset of one who has died, but the broker. */
static void reset_begun_by_one_who_dies_is_finished(void **state)
{
	struct evtchn_reset reset = {.dom = DOMID_SELF};
	struct evp_guest *a = attach(1);
	evtchn_port_t port, last = 0;
	int fd = raw_attached(1);

	(void)state;
	while (!evg_alloc_unbound(evp_evg(a), DOMID_SELF, 2, &port))
		last = port;
	raw_ask(fd, EVTCHNOP_reset, &reset, sizeof(reset));
	(void)close(fd);
	await_status(a, last, EVTCHNSTAT_closed);
	assert_int_equal(evg_reset(evp_evg(a)), 0);
	assert_int_equal(alloc(a, DOMID_SELF, 2), 1);
	evp_detach(a);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(new_back_end_hears_what_was_sent_to_one_that_closed),
		TEST(new_back_end_hears_what_was_sent_to_one_that_died),
		TEST(new_back_end_hears_what_was_sent_to_one_that_was_reset),
		TEST(event_not_taken_is_not_sent_to_a_port_opened_since),
		TEST(reset_by_one_closes_the_ports_of_all),
		TEST(send_after_an_unheard_reset_reaches_no_other_port),
		TEST(event_for_a_port_reopened_unheard_is_kept),
		TEST(event_of_a_port_closed_unheard_is_not_its_successors),
		TEST(reset_begun_by_one_who_dies_is_finished),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("replacing", tests, NULL, NULL);
}
