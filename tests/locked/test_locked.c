/* SPDX-License-Identifier: MIT */
/*
 * How many locked operations a send takes: the promise of the data plane is one
 * more than the bits it has to set.  The core is compiled with count_locked.h
 * in front.  In comments: what the real Xen 4.17 takes for the same.
 */
#include <string.h>

#include "tests/lib/fake_host.h"

unsigned int nr_locked;

#define CONTROL 0 /* guest frames */
#define ARRAY	1

static struct evc_domain *a, *b;
static evtchn_port_t pa, pb;

static uint32_t *word(void)
{
	return (uint32_t *)(void *)fake.frame[ARRAY] + pb;
}

static void start(bool fifo)
{
	struct evtchn_init_control c = {.control_gfn = CONTROL};

	fake_start(false);
	a = fake_domain(1);
	b = fake_add(&(struct fake_options){
		.domid = 2, .width = EVC_WIDTH_64, .fifo = true});
	if (fifo) {
		assert_int_equal(evc_init_control(b, &c), 0);
		assert_int_equal(evc_expand_array(b, ARRAY), 0);
	}
	fake_connect(a, b, &pa, &pb);
}

/* The guest took everything. */
static void forget(void)
{
	if (fake.frame)
		memset(fake.frame[ARRAY], 0, 4096);
	if (fake.frame)
		memset(fake.frame[CONTROL], 0, 4);
	fake_clear_pending(b, pb);
	fake_clear_upcall(&b->vcpu[0]);
}

static unsigned int locked_of_send(void)
{
	nr_locked = 0;
	assert_int_equal(evc_send(a, pa), 0);
	return nr_locked;
}

static void two_level_send_takes_one_more_than_the_bits_set(void **state)
{
	(void)state;
	start(false);
	forget();
	assert_int_equal(locked_of_send(), 4); /* fresh; Xen 6 */
	assert_int_equal(locked_of_send(), 2); /* pending; Xen 3 */
	fake_clear_pending(b, pb);
	assert_int_equal(locked_of_send(), 3); /* selector is set; Xen 4 */
	fake_set_mask(b, pb, true);
	fake_clear_pending(b, pb);
	assert_int_equal(locked_of_send(), 2); /* masked; Xen 3 */
	fake_end();
}

static void fifo_send_takes_fewer_than_xen(void **state)
{
	(void)state;
	start(true);
	(void)evc_send(a, pa);
	forget();
	assert_int_equal(locked_of_send(), 6); /* fresh; Xen 8 */
	assert_int_equal(locked_of_send(), 2); /* pending, linked; Xen 5 */
	*word() |= 1u << EVTCHN_FIFO_MASKED;
	assert_int_equal(locked_of_send(), 2); /* the same, masked; Xen 4 */
	forget();
	*word() |= 1u << EVTCHN_FIFO_MASKED;
	assert_int_equal(locked_of_send(), 2); /* masked; Xen 4 */
	fake_end();
}

static void send_to_nobody_takes_its_own_lock_only(void **state)
{
	(void)state;
	start(false);
	assert_int_equal(evc_close(b, pb), 0);
	assert_int_equal(locked_of_send(), 1); /* unbound; Xen 2 */
	nr_locked = 0;
	assert_int_equal(evc_send(a, 63), -XEN_EINVAL);
	assert_int_equal(nr_locked, 1); /* closed; Xen 2 */
	assert_int_equal(evc_send(a, 64), -XEN_EINVAL);
	assert_int_equal(nr_locked, 1); /* beyond range: none; Xen 0 */
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			two_level_send_takes_one_more_than_the_bits_set),
		cmocka_unit_test(fifo_send_takes_fewer_than_xen),
		cmocka_unit_test(send_to_nobody_takes_its_own_lock_only),
	};

	return cmocka_run_group_tests_name("locked", tests, NULL, NULL);
}
