/* SPDX-License-Identifier: MIT */
/*
 * The spinlock when it is held: base/lock.h is compiled here with a
 * test-and-set before which another CPU can act.
 */
#include <base/atomic.h>

static void (*other_cpu)(void);

static bool step_test_and_set_bit(evb_u32 *map, uint32_t nr)
{
	void (*act)(void) = other_cpu;

	other_cpu = NULL;
	if (act)
		act();
	return evb_test_and_set_bit(map, nr);
}

#define evb_test_and_set_bit step_test_and_set_bit
#include <base/lock.h>
#undef evb_test_and_set_bit

#include "tests/lib/fake_host.h"

static struct evb_lock lock;
static unsigned int turns;

/* CPU B has it, gives it back, and then CPU C is faster than we are. */
static void c_is_faster(void)
{
	evb_u32_store(&lock.held, 1);
}

static void give_back(void)
{
	turns++;
	assert_int_equal(evb_u32_load(&lock.held), 1);
	evb_unlock(&lock);
	if (turns == 1)
		other_cpu = c_is_faster;
}

static void lock_that_is_free_is_taken_without_waiting(void **unused)
{
	(void)unused;
	turns = 0;
	evb_lock(&lock, give_back);
	assert_int_equal(evb_u32_load(&lock.held), 1);
	assert_int_equal(turns, 0);
	evb_unlock(&lock);
	assert_int_equal(evb_u32_load(&lock.held), 0);
}

static void lock_taken_by_a_third_cpu_is_waited_for_again(void **unused)
{
	(void)unused;
	turns = 0;
	evb_u32_store(&lock.held, 1);
	evb_lock(&lock, give_back);
	assert_int_equal(turns, 2);
	assert_null(other_cpu);
	assert_int_equal(evb_u32_load(&lock.held), 1);
	evb_unlock(&lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock_that_is_free_is_taken_without_waiting),
		cmocka_unit_test(lock_taken_by_a_third_cpu_is_waited_for_again),
	};

	return cmocka_run_group_tests_name("core lock", tests, NULL, NULL);
}
