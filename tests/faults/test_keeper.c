/* SPDX-License-Identifier: MIT */
/*
 * The thread that tells the next broker what there is, at the moments that are
 * bad for it.  It is held up where it goes to sleep: its poll(2) is ours.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>

#include "remap.h"

static pthread_mutex_t door = PTHREAD_MUTEX_INITIALIZER;

/* A keeper looks at two descriptors; nobody else in this program does. */
int poll(struct pollfd *fds, nfds_t nr, int ms)
{
	struct timespec ts = {.tv_sec = ms / 1000,
			      .tv_nsec = ms % 1000 * 1000000};

	if (nr == 2) {
		(void)pthread_mutex_lock(&door);
		(void)pthread_mutex_unlock(&door);
	}
	return (int)syscall(SYS_ppoll, fds, nr, ms < 0 ? NULL : &ts, NULL, 0);
}

/* The program's own call found the next broker, before the keeper slept. */
static void who_comes_first_wakes_it(void **state)
{
	struct evp_grants *one = grants(1), *two = grants(2);
	struct evp_grant_ref r = {.domid = 1};
	uint64_t old = one->s.broker;
	uint8_t *seen, byte;

	(void)state;
	(void)share_page(one, 2, 1, &r.ref);
	CHECK(pthread_mutex_lock(&door) == 0);
	seen = map_page(two, 1, r.ref);
	CHECK(pthread_mutex_lock(&one->lock) == 0);
	restart_broker();
	assert_int_not_equal(evp_grant_read(two, &r, 0, &byte, 1), 0);
	assert_int_not_equal(two->s.broker, old);
	assert_int_not_equal(two->tries, 0);
	CHECK(pthread_mutex_unlock(&one->lock) == 0);
	CHECK(pthread_mutex_unlock(&door) == 0);
	await_told(two, old);
	assert_false((*evp_area_find(two, seen))->is_unsaid);
	evp_grants_close(one);
	evp_grants_close(two);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(who_comes_first_wakes_it),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
