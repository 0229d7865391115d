/* SPDX-License-Identifier: MIT */
/*
 * Random operations on the core and on a reference model, compared after each.
 *
 * A run is a sequence of some thousand operations from a seed.  It is drawn
 * with the model alone, then replayed on both in a process of its own; the
 * next run has the next seed, and another version of Xen to be.  A run that
 * fails is made small and printed.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/model/random.h"
#include "tests/model/replay.h"

#define MOST_OPS   (1u << 20)
#define RUN_LENGTH 4000

static struct model model;
static struct op ops[MOST_OPS];

/* How often each kind had each result. */
#define CODES 128
static uint64_t seen[OP_KINDS][CODES];

static struct options {
	uint64_t seed;
	uint64_t nr;
	uint32_t length;
	bool coverage;
	bool print;
	bool no_shrink;
	const char *replay;
} options = {.seed = 1, .nr = 200000, .length = RUN_LENGTH};

static const char help[] =
	"Usage: model [OPTION]...\n"
	"Compare the core with a reference model under random operations.\n"
	"\n"
	"  --seed N       first seed (default 1); odd ones are Xen 4.17\n"
	"  --ops N        operations in all (default 200000)\n"
	"  --length N     operations per run, each run has its own seed\n"
	"                 (default 4000)\n"
	"  --coverage     print which results every operation had, and fail "
	"if\n"
	"                 one is missing that it should have\n"
	"  --print        print the operations instead of performing them\n"
	"  --no-shrink    do not make a sequence that fails small\n"
	"  --replay FILE  perform the operations in FILE, as printed\n"
	"  --help         this text\n"
	"\n"
	"Examples:\n"
	"  model --ops 10000000 --seed 100     a long run\n"
	"  model --seed 17 --ops 1234          what an earlier failure named\n"
	"  model --replay failure.txt          the sequence it printed\n"
	"\n"
	"Exit status: 0 the same, 1 a difference, a crash or a result that "
	"was\n"
	"not reached, 2 wrong usage.\n";

/* --- drawing --------------------------------------------------------------------- */

static void count(const struct op *o, int rc)
{
	if (rc == MODEL_BLOCK)
		rc = -(CODES - 1);
	if (rc <= 0 && rc > -CODES)
		seen[o->kind][-rc]++;
}

/* The first @nr operations of the run with this seed. */
static struct sequence draw_run(uint64_t seed, uint32_t nr)
{
	struct sequence s = {seed % 2, nr, ops};
	struct random r = random_start(seed);
	struct op_result result;
	uint32_t i;

	model_start(&model, s.xen_4_17);
	for (i = 0; i < nr; i++) {
		ops[i] = random_op(&r, &model, i);
		result = op_perform(&model, false, &ops[i]);
		count(&ops[i], result.rc[0]);
	}
	return s;
}

/* --- telling ----------------------------------------------------------------------- */

static void print_sequence(const struct sequence *s)
{
	uint32_t i;

	printf("xen_4_17 %d\n", s->xen_4_17);
	for (i = 0; i < s->nr; i++)
		op_print(stdout, &s->op[i]);
}

/*
 * The sequence differs, or crashes, at operation @at: say how, and how to see
 * it again.
 */
static void report(struct sequence *s, uint64_t seed, uint32_t at,
		   enum verdict v)
{
	printf("%s\n", v == CRASHED ? "the core crashed, or did not end"
				    : "model and core differ");
	s->nr = at + 1;
	if (!options.replay)
		printf("again: --seed %llu --ops %u", (unsigned long long)seed,
		       s->nr);
	if (!options.replay && s->nr > RUN_LENGTH)
		printf(" --length %u", s->nr);
	printf("\n");
	if (!options.no_shrink) {
		shrink(s, stdout);
		print_sequence(s);
	}
	(void)replay(s, NULL, stdout);
}

static void progress(uint64_t done)
{
	static time_t last;
	time_t now = time(NULL);

	if (!last)
		last = now;
	if (now - last < 2)
		return;
	last = now;
	fprintf(stderr, "%llu of %llu operations\n", (unsigned long long)done,
		(unsigned long long)options.nr);
}

/* --- coverage ------------------------------------------------------------------------ */

static uint64_t times_seen(uint32_t kind, const char *code, size_t len)
{
	const char *name;
	uint32_t i;

	for (i = 0; i < CODES; i++) {
		name = op_code_name(i == CODES - 1 ? MODEL_BLOCK : -(int)i);
		if (name && strlen(name) == len && !memcmp(name, code, len))
			return seen[kind][i];
	}
	return 0;
}

static void print_row(uint32_t kind)
{
	const char *name;
	uint32_t i;

	printf("%-17s", op_kinds[kind].name);
	for (i = 0; i < CODES; i++) {
		name = op_code_name(i == CODES - 1 ? MODEL_BLOCK : -(int)i);
		if (name && seen[kind][i])
			printf(" %s:%llu", name,
			       (unsigned long long)seen[kind][i]);
	}
	printf("\n");
}

/* Number of results that operations should have had and did not. */
static uint32_t print_coverage(void)
{
	uint32_t kind, missing = 0;
	const char *code;
	size_t len;

	for (kind = 0; kind < OP_KINDS; kind++) {
		print_row(kind);
		for (code = op_kinds[kind].codes; *code; code += len) {
			code += strspn(code, " ");
			len = strcspn(code, " ");
			if (times_seen(kind, code, len))
				continue;
			printf("not reached: %s %.*s\n", op_kinds[kind].name,
			       (int)len, code);
			missing++;
		}
	}
	return missing;
}

/* --- running ----------------------------------------------------------------------------- */

static int run_random(void)
{
	uint64_t done = 0, seed = options.seed;
	struct sequence s;
	enum verdict v;
	uint32_t nr, at;

	while (done < options.nr) {
		nr = options.length;
		if (nr > options.nr - done)
			nr = (uint32_t)(options.nr - done);
		s = draw_run(seed, nr);
		if (options.print) {
			print_sequence(&s);
		} else {
			v = replay(&s, &at, NULL);
			if (v != SAME) {
				report(&s, seed, at, v);
				return 1;
			}
		}
		done += nr;
		seed++;
		progress(done);
	}
	if (options.coverage && print_coverage())
		return 1;
	if (!options.print)
		printf("%llu operations, the same\n", (unsigned long long)done);
	return 0;
}

/* Returns false after having said what is wrong. */
static bool read_sequence(const char *path, struct sequence *s)
{
	char line[256];
	FILE *f = fopen(path, "r");
	uint32_t at = 0;

	*s = (struct sequence){.op = ops};
	if (!f) {
		perror(path);
		return false;
	}
	while (fgets(line, sizeof(line), f)) {
		at++;
		if (!strncmp(line, "xen_4_17 ", 9)) {
			s->xen_4_17 = line[9] == '1';
		} else if (line[0] == '#' || line[0] == '\n') {
			continue;
		} else if (s->nr == MOST_OPS || !op_parse(line, &ops[s->nr])) {
			fprintf(stderr, "%s:%u: not an operation\n", path, at);
			fclose(f);
			return false;
		} else {
			s->nr++;
		}
	}
	fclose(f);
	return true;
}

static int run_file(void)
{
	struct sequence s;
	enum verdict v;
	uint32_t at;

	if (!read_sequence(options.replay, &s))
		return 2;
	v = replay(&s, &at, NULL);
	if (v != SAME) {
		report(&s, 0, at, v);
		return 1;
	}
	printf("%u operations, the same\n", s.nr);
	return 0;
}

static bool parse_number(const char *text, uint64_t most, uint64_t *to)
{
	char *end;

	*to = strtoull(text, &end, 0);
	return *text && !*end && *to <= most;
}

static bool parse_option(int c)
{
	uint64_t n;

	switch (c) {
	case 's':
		return parse_number(optarg, UINT64_MAX, &options.seed);
	case 'n':
		return parse_number(optarg, UINT64_MAX, &options.nr);
	case 'l':
		if (!parse_number(optarg, MOST_OPS, &n) || !n)
			return false;
		options.length = (uint32_t)n;
		return true;
	case 'c':
		return options.coverage = true;
	case 'p':
		return options.print = true;
	case 'k':
		return options.no_shrink = true;
	case 'r':
		options.replay = optarg;
		return true;
	case 'h':
		fputs(help, stdout);
		exit(0);
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"seed", 1, NULL, 's'},	  {"ops", 1, NULL, 'n'},
		{"length", 1, NULL, 'l'}, {"coverage", 0, NULL, 'c'},
		{"print", 0, NULL, 'p'},  {"no-shrink", 0, NULL, 'k'},
		{"replay", 1, NULL, 'r'}, {"help", 0, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (!parse_option(c)) {
			fputs(help, stderr);
			return 2;
		}
	}
	if (optind != argc) {
		fputs(help, stderr);
		return 2;
	}
	return options.replay ? run_file() : run_random();
}
