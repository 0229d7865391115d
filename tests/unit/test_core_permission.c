/* SPDX-License-Identifier: MIT */
/*
 * evc_host_permit() on the path of a send: asked for domains with check_send,
 * and for no others.
 */
#include "tests/lib/fake_host.h"

static struct evc_domain *d1, *d2;
static evtchn_port_t p1, p2;

static void start(bool check_send)
{
	fake_start(false);
	d1 = fake_add(&(struct fake_options){
		.domid = 1, .width = EVC_WIDTH_64, .check_send = check_send});
	d2 = fake_domain(2);
	fake_connect(d2, d1, &p2, &p1);
	fake_forget();
	fake_clear_upcall(&d2->vcpu[0]);
}

static void refused_send_posts_nothing(void **unused)
{
	(void)unused;
	start(true);
	fake.refuse = true;
	assert_int_equal(evc_send(d1, p1), -XEN_EPERM);
	assert_false(fake_pending(d2, p2));
	assert_int_equal(fake_kicks(), 0);
	/* The other direction is nobody's business: d2 has no check_send. */
	fake_clear_pending(d1, p1);
	assert_int_equal(evc_send(d2, p2), 0);
	assert_true(fake_pending(d1, p1));
	fake_end();
}

static void permitted_send_posts(void **unused)
{
	(void)unused;
	start(true);
	assert_int_equal(evc_send(d1, p1), 0);
	assert_true(fake_pending(d2, p2));
	fake_end();
}

static void send_without_check_is_not_asked_about(void **unused)
{
	(void)unused;
	start(false);
	fake.refuse = true;
	assert_int_equal(evc_send(d1, p1), 0);
	assert_true(fake_pending(d2, p2));
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_send_posts_nothing),
		cmocka_unit_test(permitted_send_posts),
		cmocka_unit_test(send_without_check_is_not_asked_about),
	};

	return cmocka_run_group_tests_name("core permission", tests, NULL,
					   NULL);
}
