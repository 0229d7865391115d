/* SPDX-License-Identifier: MIT */
/*
 * Old bugs of guests, against the guest library.  docs/regressions.md has the
 * list, and says which of them the unit tests of the library cover.
 */
#include "tests/unit/test_guest_platform.h"

/*
 * Linux commit b0097adeec27: only the first word of a vCPU's map of its ports
 * was filled in; an event of a port above 63 had its selector bit taken and
 * stayed pending for ever.
 */
static void port_of_every_word_fires_before_it_was_ever_moved(void **state)
{
	const evtchn_port_t port[] = {1, 63, 64, 127, 128, 2047, 4032, 4095};
	unsigned int i;

	(void)state;
	for (i = 0; i < 8; i++) {
		open_port(port[i]);
		bind_recorder(port[i]);
		post(port[i]);
		assert_int_equal(upcall(0), 1);
		assert_int_equal(seen.port[i], port[i]);
		assert_false(evg_is_pending(&guest, port[i]));
	}
	assert_int_equal(seen.n, 8);
}

/* The same for an event that was there before the guest was. */
static void event_from_before_the_boot_is_handled_in_every_word(void **state)
{
	const evtchn_port_t port[] = {2, 65, 4000};
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		open_port(port[i]);
		(void)evb_test_and_set_bit(guest.pending, port[i]);
		select_word(0, word_of(port[i]));
	}
	start_guest();
	assert_int_equal(upcall(0), 0); /* all masked */
	for (i = 0; i < 3; i++) {
		bind_recorder(port[i]);
		(void)upcall(0);
	}
	ASSERT_SEEN(2, 65, 4000);
}

static void close_the_other(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	record(v, port, ctx);
	assert_int_equal(evg_close(&guest, 1), 0);
	/* An upcall in the middle of it all. */
	assert_int_equal(evg_upcall(v), 0);
	assert_int_equal(evg_close(&guest, port), 0);
}

/*
 * XSA-441 (CVE-2023-34324): the lock around the event loop was taken again by
 * who closed a port from inside of it, and stood still.
 */
static void close_from_inside_of_the_loop_ends(void **state)
{
	(void)state;
	open_ports(3);
	bind_recorder(1);
	bind_recorder(3);
	assert_int_equal(evg_bind_handler(&guest, 2, EVG_VCPU_KEEP,
					  close_the_other, NULL),
			 0);
	post(2);
	post(3);
	post(1);
	(void)upcall(0);
	/* 1 came before 2 in the scan; 3 after. */
	ASSERT_SEEN(1, 2, 3);
	assert_int_equal(xen.port[1].status, EVTCHNSTAT_closed);
	assert_int_equal(xen.port[2].status, EVTCHNSTAT_closed);
}

static unsigned int nr_hits;

/* Sends to itself without end. */
static void storm(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	(void)v;
	(void)ctx;
	nr_hits++;
	post(port);
}

/*
 * XSA-332 (CVE-2020-27673) and XSA-391 (CVE-2021-28711 to 28713): one who sends
 * without end kept the receiver in its loop.  The loop ends, and a quiet port
 * has its turn in it.
 */
static void storm_ends_and_a_quiet_port_has_its_turn(void **state)
{
	evtchn_port_t port;

	(void)state;
	open_ports(5);
	nr_hits = 0;
	for (port = 1; port <= 4; port++)
		assert_int_equal(evg_bind_handler(&guest, port, EVG_VCPU_KEEP,
						  storm, NULL),
				 0);
	bind_recorder(5);
	for (port = 1; port <= 5; port++)
		post(port);
	assert_int_equal(upcall(0), guest.budget);
	assert_int_equal(seen.n, 1);
	assert_int_equal(nr_hits, guest.budget - 1);
	/* Nothing is lost by it. */
	assert_true(evg_upcall_is_pending(&vcpu[0]));
	post(5);
	(void)upcall(0);
	assert_int_equal(seen.n, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(port_of_every_word_fires_before_it_was_ever_moved),
		TEST(event_from_before_the_boot_is_handled_in_every_word),
		TEST(close_from_inside_of_the_loop_ends),
		TEST(storm_ends_and_a_quiet_port_has_its_turn),
	};

	return cmocka_run_group_tests_name("regress guest", tests, NULL, NULL);
}
