/* SPDX-License-Identifier: MIT */
/*
 * evtchn replay: does the core do what real Xen did?
 *
 * Each file is a recording of the real hypervisor (tests/replay/FORMAT.md).
 * Its operations are made on a simulated machine, and every result, every
 * change of shared memory and every port is compared.
 *
 * This file knows options, files and how a verdict is printed; trace.h says
 * where the rest is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "trace.h"

#define COMMAND	      "replay"
#define CONTEXT_LINES 3
#define WIDTH	      160

enum verdict {
	PASSED,
	FAILED,
	SKIPPED,
	UNREADABLE,
};

struct options {
	bool json;
	unsigned int max_diffs;
};

static const char help[] =
	"Usage: evtchn replay [--max-diffs N] [--json] FILE...\n"
	"Compare the core with recordings of a real Xen 4.17.\n"
	"\n"
	"Every operation of a recording is made on a simulated machine; every\n"
	"result, every change of shared memory and every port is compared. "
	"For\n"
	"each file one line is printed (ok, FAIL or skip); a failure shows "
	"the\n"
	"first differences with the lines before them.\n"
	"\n"
	"  --max-diffs N  stop a file after N differences, 1..1000 (default "
	"5)\n"
	"  --json         print one JSON object per file instead\n"
	"  --help         print this text\n"
	"\n"
	"Exit status: 0 no difference; 1 a difference; 2 the command line is\n"
	"wrong, or a file is missing, unreadable or not a recording.\n"
	"\n"
	"Examples:\n"
	"  evtchn replay build/replay/h04_send.txt\n"
	"  evtchn replay --max-diffs 1 build/replay/*.txt\n"
	"  evtchn replay --json build/replay/*.txt | jq .result\n"
	"\n"
	"The recordings are in tests/replay/traces.tar.xz; "
	"tests/replay/run.sh\n"
	"unpacks them into build/replay. The format: tests/replay/FORMAT.md.\n";

/* --- text ------------------------------------------------------------------ */

/* A line, cut to fit a screen. */
static void print_line(char mark, size_t number, struct field line)
{
	bool cut = line.len > WIDTH;

	printf("%c %7zu  %.*s%s\n", mark, number, (int)(cut ? WIDTH : line.len),
	       line.s, cut ? "..." : "");
}

static void print_difference(const struct replay *r, const struct difference *d)
{
	const struct trace *t = r->trace;
	size_t from = d->line > CONTEXT_LINES ? d->line - CONTEXT_LINES : 1;

	printf("%s:%zu: real Xen and the core differ\n", t->name, d->line);
	for (; from < d->line; from++)
		print_line(' ', from, t->line[from - 1]);
	print_line('>', d->line, t->line[d->line - 1]);
	printf("    expected  %s\n", d->expected);
	printf("    got       %s\n", d->got);
}

static void print_text(const struct replay *r, const char *name,
		       enum verdict verdict)
{
	unsigned int i;

	switch (verdict) {
	case PASSED:
		printf("ok %s ops=%u\n", name, r->nr_ops);
		break;
	case FAILED:
		for (i = 0; i < r->nr_diffs; i++)
			print_difference(r, &r->diff[i]);
		printf("FAIL %s differences=%u%s\n", name, r->nr_diffs,
		       r->nr_diffs == r->max_diffs ? " (stopped)" : "");
		break;
	case SKIPPED:
		printf("skip %s: needs FIFO event channels (the %u ops before "
		       "agree)\n",
		       name, r->nr_ops);
		break;
	case UNREADABLE:
		break;
	}
}

/* --- JSON ------------------------------------------------------------------ */

static void json_string(const char *s, size_t len)
{
	size_t i;

	putchar('"');
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ' || c > '~')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void json_member(const char *key, const char *value)
{
	printf(",\"%s\":", key);
	json_string(value, strlen(value));
}

static void json_differences(const struct replay *r)
{
	unsigned int i;

	printf(",\"differences\":[");
	for (i = 0; i < r->nr_diffs; i++) {
		const struct difference *d = &r->diff[i];
		struct field line = r->trace->line[d->line - 1];

		printf("%s{\"line\":%zu,\"text\":", i ? "," : "", d->line);
		json_string(line.s, line.len);
		json_member("expected", d->expected);
		json_member("got", d->got);
		putchar('}');
	}
	putchar(']');
}

static void print_json(const struct replay *r, const char *name,
		       enum verdict verdict)
{
	static const char *const words[] = {
		[PASSED] = "ok",
		[FAILED] = "differs",
		[SKIPPED] = "skipped",
		[UNREADABLE] = "unreadable",
	};

	printf("{\"file\":");
	json_string(name, strlen(name));
	json_member("result", words[verdict]);
	printf(",\"ops\":%u", r->nr_ops);
	if (verdict == SKIPPED)
		json_member("needs", "FIFO event channels");
	if (verdict == UNREADABLE) {
		printf(",\"line\":%zu", r->error_line);
		json_member("error", r->error);
	}
	json_differences(r);
	puts("}");
}

/* --- files ----------------------------------------------------------------- */

/* Replay @t.  Without FIFO as far as that goes. */
static enum verdict judge(struct replay *r, const struct trace *t)
{
	size_t stop = world_has_fifo() ? 0 : trace_first_fifo(t);
	enum verdict verdict;

	if (world_init(r, t) || replay_run(r, stop))
		verdict = UNREADABLE;
	else if (r->nr_diffs)
		verdict = FAILED;
	else
		verdict = stop ? SKIPPED : PASSED;
	world_fini(r);

	return verdict;
}

static void print_error(const struct replay *r, const char *name)
{
	if (r->error_line)
		cli_error(COMMAND, "%s:%zu: %s; see tests/replay/FORMAT.md",
			  name, r->error_line, r->error);
	else
		cli_error(COMMAND, "%s: %s; give the name of a recording", name,
			  r->error);
}

static enum verdict replay_file(struct replay *r, const char *name,
				const struct options *o)
{
	struct trace t;
	enum verdict verdict = UNREADABLE;

	if (!trace_load(&t, name, r->error, sizeof(r->error), &r->error_line))
		verdict = judge(r, &t);
	if (verdict == UNREADABLE)
		print_error(r, name);
	if (o->json)
		print_json(r, name, verdict);
	else
		print_text(r, name, verdict);
	trace_free(&t);

	return verdict;
}

/* In memory of its own: a world is some megabytes. */
static enum verdict replay_one(const char *name, const struct options *o)
{
	struct replay *r = calloc(1, sizeof(*r));
	enum verdict verdict = UNREADABLE;

	if (r)
		r->diff = calloc(o->max_diffs, sizeof(*r->diff));
	if (r && r->diff) {
		r->max_diffs = o->max_diffs;
		verdict = replay_file(r, name, o);
	} else {
		cli_error(COMMAND, "%s: out of memory", name);
	}
	if (r)
		free(r->diff);
	free(r);

	return verdict;
}

static int replay_all(char **names, const struct options *o)
{
	unsigned int count[] = {0, 0, 0, 0};

	for (; *names; names++)
		count[replay_one(*names, o)]++;
	if (!o->json) {
		printf("%u passed, %u failed, %u skipped", count[PASSED],
		       count[FAILED], count[SKIPPED]);
		if (count[UNREADABLE])
			printf(", %u unreadable", count[UNREADABLE]);
		putchar('\n');
	}
	if (!cli_flush(COMMAND) || count[UNREADABLE])
		return EXIT_MISUSE;
	return count[FAILED] ? EXIT_NOTHING : 0;
}

static bool read_max_diffs(const char *text, unsigned int *max)
{
	struct field f = {text, strlen(text)};
	uint64_t n;

	if (!field_number(f, MAX_DIFFS, &n) || !n) {
		cli_error(COMMAND, "--max-diffs '%s': must be 1..%d", text,
			  MAX_DIFFS);
		return false;
	}
	*max = (unsigned int)n;
	return true;
}

int cmd_replay(int argc, char **argv)
{
	static const struct option options[] = {
		{"max-diffs", required_argument, NULL, 'm'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct options o = {.max_diffs = 5};
	int c;

	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":m:jh", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return cli_flush(COMMAND) ? 0 : EXIT_NOTHING;
		}
		if (c == 'j')
			o.json = true;
		else if (c != 'm')
			return cli_bad_option(COMMAND, options, c, argv);
		else if (!read_max_diffs(optarg, &o.max_diffs))
			return EXIT_MISUSE;
	}
	if (optind == argc) {
		cli_error(COMMAND, "no file is given; try 'evtchn replay "
				   "--help'");
		return EXIT_MISUSE;
	}
	return replay_all(argv + optind, &o);
}
