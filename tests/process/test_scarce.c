/* SPDX-License-Identifier: MIT */
/*
 * A broker without descriptors for a lane, or whom somebody's socket refuses one
 * (tests/lib/scarce_broker.c): the lanes come when there is room, nobody has to
 * send for it, and trying costs less and less.
 */
#include <sys/stat.h>
#include <time.h>

#include "harness.h"

#include "hosts/process/guest.h"

/* Looks are 10 ms apart, then 20, 40...: from the second failure to the eighth. */
#define SLOWLY_NS INT64_C(600000000)

struct stage {
	struct evp_guest *x, *y;
	evtchn_port_t port, far;
	uint64_t count, ignored;
};

static void name_file(char *name, size_t size, const char *suffix)
{
	(void)snprintf(name, size, "%s.%s", broker.path, suffix);
}

static void be_scarce(const char *what)
{
	char name[128];
	FILE *f;

	name_file(name, sizeof(name), "scarce");
	f = fopen(name, "we");
	CHECK(f && fputs(what, f) >= 0 && fclose(f) == 0);
}

static void be_so_no_more(void)
{
	char name[128];

	name_file(name, sizeof(name), "scarce");
	CHECK(unlink(name) == 0);
}

/* As often as the broker has failed. */
static long failures(void)
{
	struct stat st;
	char name[128];

	name_file(name, sizeof(name), "failed");
	return stat(name, &st) ? 0 : (long)st.st_size;
}

static void await_failures(long n)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	while (failures() < n)
		(void)nanosleep(&moment, NULL);
}

static void connect_scarcely(struct stage *s, const char *what)
{
	*s = (struct stage){.x = attach(1), .y = attach(2)};
	be_scarce(what);
	s->port = open_unbound(s->x, 2, count_event, &s->count);
	s->far = open_bound(s->y, 1, s->port, count_event, &s->ignored);
	await_failures(1);
}

/* Nobody sends; both read what they are told. */
static void await_lanes(struct stage *s)
{
	while (!s->x->chan[s->port].lane || !s->y->chan[s->far].lane ||
	       s->x->nr_lanes != 2 || s->y->nr_lanes != 2) {
		(void)status_of(s->x, s->port);
		(void)status_of(s->y, s->far);
	}
	s->count = 0;
	assert_true(goes_direct(s->y, s->far));
	assert_true(goes_direct(s->x, s->port));
	wait_count(s->x, &s->count, 1);
	evp_detach(s->x);
	evp_detach(s->y);
}

static void who_was_told_of_no_lane_gets_one_later(void **state)
{
	struct stage s;

	(void)state;
	connect_scarcely(&s, "t");
	await_failures(3);
	be_so_no_more();
	await_lanes(&s);
}

static void trying_in_vain_is_done_less_and_less(void **state)
{
	struct stage s;
	int64_t from;

	(void)state;
	connect_scarcely(&s, "m");
	await_failures(2);
	from = evp_now();
	await_failures(8);
	assert_true(evp_now() - from >= SLOWLY_NS);
	be_so_no_more();
	await_lanes(&s);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(who_was_told_of_no_lane_gets_one_later),
		TEST(trying_in_vain_is_done_less_and_less),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	CHECK(strlen(evtchnd_path) + 8 < sizeof(evtchnd_path));
	strcat(evtchnd_path, "_scarce");
	return cmocka_run_group_tests_name("scarce", tests, NULL, NULL);
}
