/* SPDX-License-Identifier: MIT */
/* Runs litmus.c: which outcome is possible where, and brute force agrees. */
#include <stdio.h>
#include <string.h>

#include "tests/interleave/litmus.h"

enum outcome {
	NEVER,
	POSSIBLE,
	RACE, /* the explorer itself complains */
};

static const struct {
	const char *name;
	enum outcome in[3]; /* SC, TSO, PSO */
} expected[] = {
	{"store-buffering", {NEVER, POSSIBLE, POSSIBLE}},
	{"store-buffering-fenced", {NEVER, NEVER, NEVER}},
	{"message-passing", {NEVER, NEVER, POSSIBLE}},
	{"message-passing-release", {NEVER, NEVER, NEVER}},
	{"forwarding", {NEVER, POSSIBLE, POSSIBLE}},
	{"readers-disagree", {NEVER, NEVER, NEVER}},
	{"add", {NEVER, NEVER, NEVER}},
	{"add-badly", {POSSIBLE, POSSIBLE, POSSIBLE}},
	{"plain-behind-flag", {NEVER, NEVER, NEVER}},
	{"plain-race", {RACE, RACE, RACE}},
	{"lock", {NEVER, NEVER, NEVER}},
	{"lock-broken", {POSSIBLE, POSSIBLE, POSSIBLE}},
};

static const char *const memories[] = {"SC", "TSO", "PSO"};
static int tests, failed;

static void report(bool ok, const char *name, enum x_memory memory,
		   const char *what, unsigned long schedules)
{
	tests++;
	failed += !ok;
	printf("%s %d - litmus %s, %s: %s (%lu schedules)\n",
	       ok ? "ok" : "not ok", tests, name, memories[memory], what,
	       schedules);
}

static enum outcome expect(const char *name, enum x_memory memory)
{
	size_t i;

	for (i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		if (!strcmp(expected[i].name, name))
			return expected[i].in[memory];
	}
	return RACE;
}

static void try(const struct x_model *m, enum x_memory memory)
{
	static const char *const what[] = {
		[NEVER] = "never happens",
		[POSSIBLE] = "is possible",
		[RACE] = "is reported as a race",
	};
	enum outcome want = expect(m->name, memory), got;
	struct x_result r, brute;

	if (want == RACE)
		fprintf(stderr, "# the next complaint is wanted\n");
	r = x_explore(m, memory, X_REDUCED, 0, true);
	got = r.failed ? RACE : litmus_reached() ? POSSIBLE : NEVER;
	report(got == want, m->name, memory, what[want], r.schedules);
	if (r.failed)
		return;
	brute = x_explore(m, memory, X_BRUTE, 300000, true);
	if (!brute.cut)
		report(r.states == brute.states, m->name, memory,
		       "brute force ends in as many states", brute.schedules);
}

int main(void)
{
	const struct x_model *m;
	enum x_memory memory;

	x_arena = (unsigned char *)&litmus;
	x_arena_size = sizeof(litmus);
	for (m = litmus_models; m->name; m++) {
		for (memory = X_SC; memory <= X_PSO; memory++)
			try(m, memory);
	}
	printf("1..%d\n", tests);
	return failed != 0;
}
