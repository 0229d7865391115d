/* SPDX-License-Identifier: MIT */
/*
 * evtchn alloc - make a port that another domain may bind.
 *
 * The port is the domain's, not the command's: it stays until it is closed or
 * the domain ends.
 */
#include <unistd.h>

#include <evp/evp.h>

#include "cli.h"
#include "commands.h"
#include "port.h"

static const char command[] = "alloc";

static int print_help(void)
{
	puts("Usage: evtchn alloc --from N [OPTION]... [-- PROGRAM "
	     "[ARGUMENT]...]\n"
	     "\n"
	     "Make a port that domain N may bind and notify, and print its\n"
	     "number.  It belongs to the domain and stays until 'evtchn "
	     "close'\n"
	     "or the domain's end, with the events that come meanwhile: wait\n"
	     "for them with 'evtchn wait'.  With PROGRAM, the port is there "
	     "as\n"
	     "long as PROGRAM runs, which finds its number in EVTCHN_PORT.\n"
	     "\n"
	     "Options:\n"
	     "  -f, --from N          who may bind it\n"
	     "  -d, --domain N        whose port it is; without it, that of "
	     "the\n"
	     "                        'evtchn run' this is started in\n"
	     "  -n, --name NAME       a name, to be used like the number\n"
	     "  -p, --port-file FILE  write the number to FILE, too\n"
	     "  -j, --json            print a JSON document\n"
	     "  -s, --socket PATH     the broker's socket\n"
	     "  -h, --help            this text\n"
	     "\n"
	     "Exit status: 0, or PROGRAM's; 1 if it failed; 2 if the command\n"
	     "line is wrong.\n"
	     "\n"
	     "Examples:\n"
	     "  evtchn run --domain 0 -- evtchn alloc --from 1 --name door\n"
	     "  evtchn alloc --domain 0 --from 1 -- sh -c 'echo "
	     "$EVTCHN_PORT'");

	return cli_flush(command) ? 0 : EXIT_NOTHING;
}

static const struct option options[] = {
	{"from", required_argument, NULL, 'f'},
	{"domain", required_argument, NULL, 'd'},
	{"name", required_argument, NULL, 'n'},
	{"port-file", required_argument, NULL, 'p'},
	{"json", no_argument, NULL, 'j'},
	{"socket", required_argument, NULL, 's'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const struct port_syntax syntax = {command, "+:f:d:n:p:js:h", options,
					  print_help};

static int alloc(struct session *s, const struct port_request *r)
{
	struct evp_port_entry e;

	if (evp_control_port(s->fd, EVP_PORT_ALLOC, (uint32_t)r->remote, 0,
			     r->name, &e)) {
		cli_error(command, "%s", evp_error());
		return EXIT_NOTHING;
	}

	return port_give(command, s, r, r->arg, &e);
}

int cmd_alloc(int argc, char **argv)
{
	struct port_request r;
	struct session s;
	int status = port_parse(&syntax, argc, argv, &r);

	if (status < 0 && r.remote < 0) {
		cli_error(command, "for whom?  Give --from N, the domain that "
				   "may bind the port");
		status = EXIT_MISUSE;
	}
	if (status < 0)
		status =
			session_open(command, r.socket, r.domid, !r.arg[0], &s);
	if (status >= 0)
		return status;
	status = alloc(&s, &r);
	close(s.fd);

	return status;
}
