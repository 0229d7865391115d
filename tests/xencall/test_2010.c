/* SPDX-License-Identifier: MIT */
/*
 * The calls of 2010 on the control interface, beside those on a handle for
 * events.
 */
#include <xenctrl_2010.h>

#include "tests/process/harness.h"

#define FAILS(call, error)                      \
	do {                                    \
		errno = 0;                      \
		assert_int_equal(call, -1);     \
		assert_int_equal(errno, error); \
	} while (0)

static int status_2010(int xc, domid_t dom, int port, xc_evtchn_status_t *st)
{
	memset(st, 0, sizeof(*st));
	st->dom = dom;
	st->port = (evtchn_port_t)port;
	return xc_evtchn_status(xc, st);
}

static void dom0_opens_a_port_for_two_others(void **state)
{
	xc_evtchn_status_t st;
	int xc, xce, mine, port;
	uint32_t domid;
	int one = open_session(1, &domid);

	(void)state;
	assert_int_equal(setenv("EVTCHN_DOMAIN", "0", 1), 0);
	assert_int_equal(setenv("EVTCHN_DEVICE", "", 1), 0);
	xc = xc_interface_open();
	xce = xc_evtchn_open();
	assert_true(xc >= 0 && xce >= 0);
	port = xc_evtchn_alloc_unbound(xc, 1, 0);
	assert_int_equal(port, 1);
	assert_int_equal(status_2010(xc, 1, port, &st), 0);
	assert_int_equal(st.status, EVTCHNSTAT_unbound);
	assert_int_equal(st.u.unbound.dom, 0);
	mine = xc_evtchn_bind_interdomain(xce, 1, (evtchn_port_t)port);
	assert_true(mine > 0);
	assert_int_equal(status_2010(xc, 1, port, &st), 0);
	assert_int_equal(st.status, EVTCHNSTAT_interdomain);
	assert_int_equal(st.u.interdomain.port, mine);
	/* Reset: of one's own domain; the other's only when it is paused. */
	FAILS(xc_evtchn_reset(xc, 1), EINVAL);
	assert_int_equal(xc_evtchn_reset(xc, 0), 0);
	assert_int_equal(status_2010(xc, 0, mine, &st), 0);
	assert_int_equal(st.status, EVTCHNSTAT_closed);
	assert_int_equal(xc_evtchn_close(xce), 0);
	assert_int_equal(xc_interface_close(xc), 0);
	(void)close(one);
}

/* The two kinds of handles are not each other's. */
static void handles_are_told_apart(void **state)
{
	xc_evtchn_status_t st;
	int xc, xce, again;

	(void)state;
	assert_int_equal(setenv("EVTCHN_DOMAIN", "1", 1), 0);
	assert_int_equal(setenv("EVTCHN_DEVICE", "", 1), 0);
	xc = xc_interface_open();
	xce = xc_evtchn_open();
	assert_true(xc >= 0 && xce >= 0 && xc != xce);
	FAILS(status_2010(xce, 1, 1, &st), EBADF);
	FAILS(xc_evtchn_alloc_unbound(xce, 1, 0), EBADF);
	FAILS(xc_evtchn_reset(-1, 1), EBADF);
	FAILS(xc_evtchn_pending(xc), EBADF);
	FAILS(xc_evtchn_close(xc), EBADF);
	FAILS(xc_interface_close(xce), EBADF);
	FAILS(xc_evtchn_alloc_unbound(xc, 0, 1), ESRCH);
	FAILS(status_2010(xc, 0, 1, &st), ESRCH);
	assert_int_equal(xc_interface_close(xc), 0);
	FAILS(xc_interface_close(xc), EBADF);
	again = xc_interface_open();
	assert_int_equal(xc_evtchn_alloc_unbound(again, DOMID_SELF, 0), 1);
	assert_int_equal(xc_interface_close(again), 0);
	assert_int_equal(xc_evtchn_close(xce), 0);
}

#define ROOM 64

static void no_more_handles_than_there_is_room_for(void **state)
{
	int xc[ROOM];
	size_t i;

	(void)state;
	assert_int_equal(setenv("EVTCHN_DOMAIN", "1", 1), 0);
	for (i = 0; i < ROOM; i++) {
		xc[i] = xc_interface_open();
		assert_true(xc[i] >= 0);
	}
	FAILS(xc_interface_open(), EMFILE);
	for (i = 0; i < ROOM; i++)
		assert_int_equal(xc_interface_close(xc[i]), 0);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(dom0_opens_a_port_for_two_others),
		TEST(handles_are_told_apart),
		TEST(no_more_handles_than_there_is_room_for),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("2010", tests, NULL, NULL);
}
