/* SPDX-License-Identifier: MIT */
/*
 * evtchn bench - what an event costs on this machine, beside eventfd.
 *
 * The measuring is done by a program of its own, evtchn-bench (bench/quick.c),
 * because it is a guest of the process host and this command is not; with a
 * broker of its own, so that nobody is disturbed and nobody disturbs.
 */
#include <limits.h>
#include <string.h>

#include "broker.h"
#include "cli.h"
#include "commands.h"
#include "scratch.h"
#include "socket.h"

static const char command[] = "bench";

static int print_help(void)
{
	puts("Usage: evtchn bench [OPTION]...\n"
	     "\n"
	     "Measure on this machine, in a few seconds, what event\n"
	     "channels between two processes cost, beside an eventfd: one\n"
	     "notification to a receiver that is awake, a round trip with "
	     "both\n"
	     "sides looking all the time, and one with both sides asleep in\n"
	     "between.  Nanoseconds, medians of runs in pairs.\n"
	     "\n"
	     "Options:\n"
	     "  -j, --json  JSON\n"
	     "  -h, --help  this text\n"
	     "\n"
	     "Exit status: 0; 1 if it failed; 2 if the command line is wrong.\n"
	     "\n"
	     "Examples:\n"
	     "  evtchn bench\n"
	     "  evtchn bench --json");

	return cli_flush(command) ? 0 : EXIT_NOTHING;
}

static const struct option options[] = {
	{"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* -1 when the request is complete, else the exit status to leave with. */
static int parse(int argc, char **argv, bool *json)
{
	int c;

	while ((c = getopt_long(argc, argv, ":jh", options, NULL)) >= 0) {
		if (c == 'j')
			*json = true;
		else if (c == 'h')
			return print_help();
		else
			return cli_bad_option(command, options, c, argv);
	}

	return cli_no_more(command, argv[optind]) ? -1 : EXIT_MISUSE;
}

/* `evtchn run` on @socket; the domains of the measurement are other ones. */
static int run_program(char *socket, bool json)
{
	static char run[] = "run", s[] = "--socket", d[] = "--domain",
		    domid[] = "100", dashes[] = "--", with_json[] = "--json";
	char program[PATH_MAX];
	char *argv[] = {run,   s,      socket,	d,
			domid, dashes, program, json ? with_json : NULL,
			NULL};

	broker_find_beside("evtchn-bench", program);
	optind = 0; /* getopt starts again */

	return cmd_run(json ? 8 : 7, argv);
}

int cmd_bench(int argc, char **argv)
{
	/* The name of a socket is short. */
	char dir[SOCKET_PATH_MAX - 8], socket[SOCKET_PATH_MAX];
	bool json = false;
	int status;

	opterr = 0;
	status = parse(argc, argv, &json);
	if (status >= 0)
		return status;
	if (!scratch_make(command, dir, sizeof(dir)))
		return EXIT_NOTHING;
	snprintf(socket, sizeof(socket), "%s/sock", dir);
	status = run_program(socket, json);
	scratch_remove(command, dir);

	return status;
}
