/* SPDX-License-Identifier: MIT */
/* evtchn stat - what the ports have counted, once or again and again. */
#include <getopt.h>
#include <stdint.h>
#include <time.h>

#include "cli.h"
#include "commands.h"
#include "sample.h"
#include "socket.h"

static const char command[] = "stat";

struct request {
	char socket[SOCKET_PATH_MAX];
	int64_t interval; /* ns; 0: totals, once */
	uint32_t count;	  /* 0: for ever */
	bool json;
};

static int print_help(void)
{
	puts("Usage: evtchn stat [OPTION]...\n"
	     "\n"
	     "Count events: totals since the ports were opened, or, with\n"
	     "--interval, what happened in each interval, per second.\n"
	     "\n"
	     "Options:\n"
	     "  -i, --interval TIME  again and again: 1s, 200ms\n"
	     "  -c, --count N        with --interval: N times\n"
	     "  -j, --json           JSON, a document each time; counts, not\n"
	     "                       per second\n"
	     "  -s, --socket PATH    the broker's socket\n"
	     "  -h, --help           this text\n"
	     "\n"
	     "SENT are all sends; of these, MERGED met one that was not taken\n"
	     "yet, RINGS had to wake the receiver.  EVENTS is how often the "
	     "port\n"
	     "became pending.  HYPERC are questions to the broker, SLEEPS how\n"
	     "often a program of the domain went to sleep, STORMS how often "
	     "one\n"
	     "shut out, for a moment, a peer that rang in vain: where it is "
	     "not\n"
	     "0, some domain floods this one.  A domain's line (PORT all) has\n"
	     "its closed ports, too.\n"
	     "\n"
	     "Exit status: 0; 1 if there is no broker; 2 if the command line\n"
	     "is wrong.\n"
	     "\n"
	     "Examples:\n"
	     "  evtchn stat\n"
	     "  evtchn stat --interval 1s --json");

	return cli_flush(command) ? 0 : EXIT_NOTHING;
}

static const struct option options[] = {
	{"interval", required_argument, NULL, 'i'},
	{"count", required_argument, NULL, 'c'},
	{"json", no_argument, NULL, 'j'},
	{"socket", required_argument, NULL, 's'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static bool take_interval(struct request *r)
{
	if (!cli_duration(command, optarg, &r->interval))
		return false;
	if (!r->interval)
		cli_error(command, "'%s' is too short an interval", optarg);

	return r->interval;
}

/* -1 when the request is complete, else the exit status to leave with. */
static int parse(int argc, char **argv, struct request *r)
{
	const char *socket = NULL;
	bool ok = true;
	int c;

	while ((c = getopt_long(argc, argv, ":i:c:js:h", options, NULL)) >= 0) {
		if (c == 'i')
			ok = take_interval(r);
		else if (c == 'c')
			ok = cli_number(command, "a count", optarg, UINT32_MAX,
					&r->count);
		else if (c == 'j')
			r->json = true;
		else if (c == 's')
			socket = optarg;
		else if (c == 'h')
			return print_help();
		else
			return cli_bad_option(command, options, c, argv);
		if (!ok)
			return EXIT_MISUSE;
	}
	if (!cli_no_more(command, argv[optind]))
		return EXIT_MISUSE;
	if (r->count && !r->interval) {
		cli_error(command, "--count N goes with --interval TIME");
		return EXIT_MISUSE;
	}

	return socket_path(command, socket, r->socket) ? EXIT_MISUSE : -1;
}

static bool print(const struct request *r, const struct sample *s)
{
	if (r->json)
		sample_print_json(s);
	else
		sample_print_table(s, cli_has_colour(stdout), false, SIZE_MAX);

	return cli_flush(command);
}

static bool print_once(const struct request *r)
{
	struct sample s;
	bool ok = sample_take(command, r->socket, &s) && print(r, &s);

	sample_free(&s);

	return ok;
}

/* What happened since @last, which is replaced. */
static bool print_since(const struct request *r, struct sample *last)
{
	struct sample difference;
	bool ok;

	if (!sample_step(command, r->socket, last, &difference))
		return false;
	ok = print(r, &difference);
	sample_free_sums(&difference);

	return ok;
}

static bool repeat(const struct request *r)
{
	const struct timespec pause = {.tv_sec = r->interval / 1000000000,
				       .tv_nsec = r->interval % 1000000000};
	struct sample last;
	bool ok = sample_take(command, r->socket, &last);

	for (uint32_t i = 0; ok && (!r->count || i < r->count); i++) {
		nanosleep(&pause, NULL);
		ok = print_since(r, &last);
	}
	sample_free(&last);

	return ok;
}

int cmd_stat(int argc, char **argv)
{
	struct request r = {0};
	int status;
	bool ok;

	opterr = 0;
	status = parse(argc, argv, &r);
	if (status >= 0)
		return status;
	ok = r.interval ? repeat(&r) : print_once(&r);

	return ok ? 0 : EXIT_NOTHING;
}
