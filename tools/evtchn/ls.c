/* SPDX-License-Identifier: MIT */
/*
 * evtchn ls - list domains and their ports.
 *
 * Asking changes nothing: no broker is started, no domain is taken.
 */
#include <getopt.h>

#include "cli.h"
#include "commands.h"
#include "listing.h"
#include "socket.h"

static const char command[] = "ls";

struct request {
	char socket[SOCKET_PATH_MAX];
	bool json;
	bool one_domain;
	uint16_t domid;
};

/* --- The command line ---------------------------------------------------- */

static int print_help(void)
{
	puts("Usage: evtchn ls [OPTION]...\n"
	     "\n"
	     "List the domains and their open ports.\n"
	     "\n"
	     "Options:\n"
	     "  -d, --domain N     only domain N\n"
	     "  -j, --json         for programs: one JSON document\n"
	     "  -s, --socket PATH  the broker's socket\n"
	     "  -h, --help         this text\n"
	     "\n"
	     "PEER/SOURCE is the other end as DOMAIN:PORT; DOMAIN:- when that\n"
	     "domain has not bound yet; the number of a virq or pirq.  PID "
	     "and\n"
	     "PROGRAM are the process whose port it is: a domain can have "
	     "many.\n"
	     "A port that is the domain's own ('evtchn alloc') has no PID, "
	     "and\n"
	     "its name, if any, as PROGRAM.\n"
	     "A domain without ports has a line of dashes.\n"
	     "\n"
	     "Exit status: 0; 1 if there is no broker or no domain N, with a\n"
	     "message and no output; 2 if the command line is wrong.\n"
	     "\n"
	     "Examples:\n"
	     "  evtchn ls\n"
	     "  evtchn ls --json | jq '.domains[].name'");

	return cli_flush(command) ? 0 : EXIT_NOTHING;
}

static const struct option options[] = {
	{"domain", required_argument, NULL, 'd'},
	{"json", no_argument, NULL, 'j'},
	{"socket", required_argument, NULL, 's'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* -1 when the request is complete, else the exit status to leave with. */
static int parse(int argc, char **argv, struct request *r)
{
	const char *socket = NULL;
	int c;

	while ((c = getopt_long(argc, argv, ":d:js:h", options, NULL)) >= 0) {
		switch (c) {
		case 'd':
			if (!cli_domid(command, optarg, &r->domid))
				return EXIT_MISUSE;
			r->one_domain = true;
			break;
		case 'j':
			r->json = true;
			break;
		case 's':
			socket = optarg;
			break;
		case 'h':
			return print_help();
		default:
			return cli_bad_option(command, options, c, argv);
		}
	}
	if (argv[optind]) {
		cli_error(command,
			  "'%s' is one argument too many; for one domain say "
			  "--domain N",
			  argv[optind]);
		return EXIT_MISUSE;
	}

	return socket_path(command, socket, r->socket) ? EXIT_MISUSE : -1;
}

/* --- The listing --------------------------------------------------------- */

static bool print(const struct request *r, struct listing *l)
{
	if (r->one_domain && !listing_select(l, r->domid)) {
		cli_error(command,
			  "there is no domain %u; 'evtchn ls' shows all",
			  r->domid);
		return false;
	}
	if (r->json)
		listing_print_json(l);
	else
		listing_print_table(l, cli_has_colour(stdout));

	return cli_flush(command);
}

int cmd_ls(int argc, char **argv)
{
	struct request r = {0};
	struct listing l = {0};
	int status;
	bool ok;

	opterr = 0;
	status = parse(argc, argv, &r);
	if (status >= 0)
		return status;

	ok = listing_get(command, r.socket, &l) && print(&r, &l);
	listing_free(&l);

	return ok ? 0 : EXIT_NOTHING;
}
