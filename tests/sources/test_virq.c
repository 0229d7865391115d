/* SPDX-License-Identifier: MIT */
/*
 * VIRQs raised on request, and delegated: where they arrive, who may ask, and
 * what is said when nobody hears them.
 */
#include "tests/process/harness.h"

static evtchn_port_t bind_virq(struct evp_guest *g, uint32_t virq,
			       uint64_t *count)
{
	evtchn_port_t port = 0;

	CHECK(evg_bind_virq(evp_evg(g), virq, 0, &port) == 0);
	CHECK(evg_bind_handler(evp_evg(g), port, EVG_VCPU_KEEP, count_event,
			       count) == 0);
	return port;
}

/* The event is in the broker's lane before the answer is sent. */
static int raise_virq(uint32_t virq, uint32_t domid)
{
	int rc, fd = raw_greeted();

	rc = evp_control_raise(fd, virq, domid);
	(void)close(fd);
	return rc;
}

static int delegate(uint32_t virq, uint32_t domid)
{
	int rc, fd = raw_greeted();

	rc = evp_control_delegate(fd, virq, domid);
	(void)close(fd);
	return rc;
}

static void per_domain_goes_to_one_or_to_all(void **state)
{
	struct evp_guest *g[3];
	uint64_t count[3] = {0};
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		g[i] = attach(i + 1);
	(void)bind_virq(g[0], VIRQ_DEBUG, &count[0]);
	(void)bind_virq(g[1], VIRQ_DEBUG, &count[1]);
	(void)bind_virq(g[2], VIRQ_ARGO, &count[2]);
	assert_int_equal(raise_virq(VIRQ_DEBUG, 2), 1);
	for (i = 0; i < 3; i++)
		(void)evp_poll(g[i]);
	assert_int_equal(count[0], 0);
	assert_int_equal(count[1], 1);
	assert_int_equal(raise_virq(VIRQ_DEBUG, EVP_DOMID_ANY), 2);
	for (i = 0; i < 3; i++)
		(void)evp_poll(g[i]);
	assert_int_equal(count[0], 1);
	assert_int_equal(count[1], 2);
	assert_int_equal(count[2], 0);
	assert_int_equal(raise_virq(VIRQ_ARGO, 3), 1);
	(void)evp_poll(g[2]);
	assert_int_equal(count[2], 1);
	for (i = 0; i < 3; i++)
		evp_detach(g[i]);
}

static void unheard_or_unknown_is_said(void **state)
{
	struct evp_guest *g = attach(1);
	uint64_t count = 0;
	evtchn_port_t port;

	(void)state;
	assert_int_equal(raise_virq(VIRQ_DEBUG, EVP_DOMID_ANY), 0);
	assert_int_equal(raise_virq(VIRQ_ENOMEM, EVP_DOMID_ANY), 0);
	assert_int_equal(raise_virq(VIRQ_DEBUG, 7), -ESRCH);
	assert_non_null(strstr(evp_error(), "no such domain"));
	assert_int_equal(raise_virq(24, EVP_DOMID_ANY), -EINVAL);
	assert_int_equal(raise_virq(UINT32_MAX, EVP_DOMID_ANY), -EINVAL);
	assert_int_equal(raise_virq(VIRQ_ENOMEM, 1), -EINVAL);
	assert_non_null(strstr(evp_error(), "delegated"));
	/* Not latched: who binds later hears nothing of it; nor who closed. */
	port = bind_virq(g, VIRQ_DEBUG, &count);
	(void)evp_poll(g);
	assert_int_equal(count, 0);
	assert_int_equal(evg_close(evp_evg(g), port), 0);
	assert_int_equal(raise_virq(VIRQ_DEBUG, 1), 0);
	evp_detach(g);
}

static void global_goes_where_it_is_delegated(void **state)
{
	struct evp_guest *g[2] = {attach(0), attach(3)};
	evtchn_port_t port = 0;
	uint64_t count[2] = {0};

	(void)state;
	port = bind_virq(g[0], VIRQ_ENOMEM, &count[0]);
	assert_int_equal(evg_bind_virq(evp_evg(g[1]), VIRQ_ENOMEM, 0, &port),
			 -XEN_EBUSY);
	assert_int_equal(raise_virq(VIRQ_ENOMEM, EVP_DOMID_ANY), 1);
	(void)evp_poll(g[0]);
	assert_int_equal(count[0], 1);
	/* Not while it is bound, not one that is not global, not to nobody. */
	assert_int_equal(delegate(VIRQ_ENOMEM, 3), -EBUSY);
	assert_non_null(strstr(evp_error(), "close that port"));
	assert_int_equal(delegate(VIRQ_DEBUG, 3), -EINVAL);
	assert_int_equal(delegate(VIRQ_ENOMEM, 9), -ESRCH);
	assert_int_equal(delegate(VIRQ_ENOMEM, EVP_DOMID_ANY), -EINVAL);
	assert_int_equal(evg_close(evp_evg(g[0]), port), 0);
	assert_int_equal(delegate(VIRQ_ENOMEM, 3), 0);
	(void)bind_virq(g[1], VIRQ_ENOMEM, &count[1]);
	assert_int_equal(raise_virq(VIRQ_ENOMEM, EVP_DOMID_ANY), 1);
	(void)evp_poll(g[1]);
	assert_int_equal(count[1], 1);
	/* With its handler gone it is domain 0's again. */
	evp_detach(g[1]);
	while (evg_bind_virq(evp_evg(g[0]), VIRQ_ENOMEM, 0, &port) ==
	       -XEN_EBUSY)
		;
	assert_int_equal(raise_virq(VIRQ_ENOMEM, EVP_DOMID_ANY), 1);
	evp_detach(g[0]);
}

static void ordinary_domain_may_not_ask(void **state)
{
	struct evp_guest *g = attach(1);
	uint64_t count = 0;
	uint32_t domid;
	int session, adopted, fd;

	(void)state;
	(void)bind_virq(g, VIRQ_DEBUG, &count);
	session = open_session(5, &domid);
	assert_int_equal(evp_control_raise(session, VIRQ_DEBUG, 1), -EPERM);
	assert_int_equal(evp_control_delegate(session, VIRQ_ENOMEM, 1), -EPERM);
	assert_int_equal(evp_control_adopt(session, &adopted), 0);
	assert_int_equal(evp_control_raise(adopted, VIRQ_DEBUG, 1), -EPERM);
	(void)evp_poll(g);
	assert_int_equal(count, 0);
	/* Domain 0 may, by both. */
	fd = open_session(0, &domid);
	assert_int_equal(evp_control_raise(fd, VIRQ_DEBUG, 1), 1);
	(void)close(adopted);
	assert_int_equal(evp_control_adopt(fd, &adopted), 0);
	assert_int_equal(evp_control_raise(adopted, VIRQ_DEBUG, 1), 1);
	(void)evp_poll(g);
	assert_int_equal(count, 1);
	(void)close(adopted);
	(void)close(session);
	(void)close(fd);
	evp_detach(g);
}

static void send_virq(int fd, uint32_t op, size_t len)
{
	struct evp_virq m[2] = {{.op = op, .virq = VIRQ_DEBUG, .domid = 1}};

	evp_hdr_init(&m[0].hdr, EVP_VIRQ, len, 1);
	CHECK(evp_send_packet(fd, m, len, NULL, 0, 0) == 0);
}

static void malformed_ends_the_connection_only(void **state)
{
	struct evp_guest *g = attach(1);
	int fd;

	(void)state;
	fd = raw_greeted();
	send_virq(fd, 2, sizeof(struct evp_virq));
	expect_end(fd);
	fd = raw_greeted();
	send_virq(fd, 0, sizeof(struct evp_virq) - 4);
	expect_end(fd);
	fd = raw();
	send_virq(fd, 0, sizeof(struct evp_virq));
	expect_end(fd);
	fd = raw_attached(2);
	send_virq(fd, 0, sizeof(struct evp_virq));
	expect_end(fd);
	assert_int_equal(raise_virq(VIRQ_DEBUG, 1), 0);
	evp_detach(g);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(per_domain_goes_to_one_or_to_all),
		TEST(unheard_or_unknown_is_said),
		TEST(global_goes_where_it_is_delegated),
		TEST(ordinary_domain_may_not_ask),
		TEST(malformed_ends_the_connection_only),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
