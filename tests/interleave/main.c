/* SPDX-License-Identifier: MIT */
/*
 * Explore models of the real code and say so in TAP.
 *
 *   interleave                      all models, SC, TSO and PSO
 *   interleave NAME [MEMORY]        one of them
 *   interleave --limit N ...        give up after N schedules each
 *   interleave --show NAME MEMORY   print every schedule to stderr
 *   interleave --brute NAME MEMORY  also without reduction: as many different
 *                                   final states?
 *
 * Exit status: 0 nothing found, 1 a property is violated, 2 usage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/interleave/models.h"
#include "tests/interleave/world.h"

static const char *const memories[] = {"SC", "TSO", "PSO"};
static const struct x_model *const lists[] = {
	models_2l,   models_bind,	models_guest,
	models_fifo, models_guest_fifo, models_extra,
	models_lane, models_port_lane,	models_doze,
};

static const char *only, *only_memory;
static unsigned long limit;
static bool brute;
static int tests, failed;

static double seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void compare(const struct x_model *m, enum x_memory memory,
		    unsigned long states)
{
	struct x_result r = x_explore(m, memory, X_BRUTE, limit, true);

	tests++;
	failed += r.failed || r.cut || r.states != states;
	printf("%s %d - %s, %s: all %lu orders of all steps end in the same"
	       " %lu states as the reduced search (%lu)\n",
	       r.failed || r.cut || r.states != states ? "not ok" : "ok", tests,
	       m->name, memories[memory], r.schedules, r.states, states);
}

static void explore(const struct x_model *m, enum x_memory memory)
{
	double start = seconds();
	struct x_result r = x_explore(m, memory, X_REDUCED, limit, brute);

	tests++;
	failed += r.failed;
	printf("%s %d - %s, %s: %s%lu schedules, up to %u steps\n",
	       r.failed ? "not ok" : "ok", tests, m->name, memories[memory],
	       r.cut ? "only the first " : "all ", r.schedules, r.longest);
	printf("# %lu more were cut short as redundant; %.1f s\n", r.redundant,
	       seconds() - start);
	(void)fflush(stdout);
	if (brute)
		compare(m, memory, r.states);
}

static bool is_wanted(const struct x_model *m, enum x_memory memory)
{
	if (m->never >> memory & 1 ||
	    (only_memory && strcmp(only_memory, memories[memory])))
		return false;
	if (only)
		return !strcmp(only, m->name);
	return !(m->lengthy >> memory & 1) || getenv("EVC_LONG");
}

static void explore_list(const struct x_model *m)
{
	enum x_memory memory;

	for (; m->name; m++) {
		for (memory = X_SC; memory <= X_PSO; memory++) {
			if (is_wanted(m, memory))
				explore(m, memory);
		}
	}
}

int main(int argc, char **argv)
{
	size_t i;

	for (; argc > 1 && argv[1][0] == '-'; argc--, argv++) {
		if (argc > 2 && !strcmp(argv[1], "--limit")) {
			limit = strtoul(argv[2], NULL, 10);
			argc--;
			argv++;
		} else if (!strcmp(argv[1], "--show")) {
			x_show = true;
		} else if (!strcmp(argv[1], "--brute")) {
			brute = true;
		} else {
			return 2;
		}
	}
	only = argc > 1 ? argv[1] : NULL;
	only_memory = argc > 2 ? argv[2] : NULL;
	x_arena = (unsigned char *)&world;
	x_arena_size = sizeof(world);
	for (i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		explore_list(lists[i]);
	printf("1..%d\n", tests);
	if (!tests)
		return 2;
	return failed != 0;
}
