/* SPDX-License-Identifier: MIT */
/* evtchn close - close a port that alloc, bind or wait made. */
#include <unistd.h>

#include <evp/evp.h>

#include "cli.h"
#include "commands.h"
#include "port.h"

static const char command[] = "close";

static int print_help(void)
{
	puts("Usage: evtchn close [OPTION]... PORT\n"
	     "\n"
	     "Close PORT, a number or a name, of this domain: one that "
	     "belongs\n"
	     "to the domain, not to a program of it.  Whoever waits for it is\n"
	     "told; an event on it is forgotten.\n"
	     "\n"
	     "Options:\n"
	     "  -d, --domain N     whose PORT is; without it, that of the\n"
	     "                     'evtchn run' this is started in\n"
	     "  -s, --socket PATH  the broker's socket\n"
	     "  -h, --help         this text\n"
	     "\n"
	     "Exit status: 0; 1 if it failed; 2 if the command line is "
	     "wrong.\n"
	     "\n"
	     "Example:\n"
	     "  evtchn close --domain 0 door");

	return cli_flush(command) ? 0 : EXIT_NOTHING;
}

static const struct option options[] = {
	{"domain", required_argument, NULL, 'd'},
	{"socket", required_argument, NULL, 's'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const struct port_syntax syntax = {command, ":d:s:h", options,
					  print_help};

int cmd_close(int argc, char **argv)
{
	struct port_request r;
	struct session s;
	uint32_t port;
	int status = port_parse(&syntax, argc, argv, &r);

	if (status < 0)
		status = port_parse_only(command, &r, &port);
	if (status < 0)
		status = session_open(command, r.socket, r.domid, true, &s);
	if (status >= 0)
		return status;
	status = 0;
	if (evp_control_port(s.fd, EVP_PORT_CLOSE, s.domid, port, r.arg[0],
			     NULL)) {
		cli_error(command, "%s", evp_error());
		status = EXIT_NOTHING;
	}
	close(s.fd);

	return status;
}
