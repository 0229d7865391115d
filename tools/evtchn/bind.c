/* SPDX-License-Identifier: MIT */
/* evtchn bind - connect to a port of another domain, and stay connected. */
#include <unistd.h>

#include <evp/evp.h>

#include "cli.h"
#include "commands.h"
#include "port.h"

static const char command[] = "bind";

static int print_help(void)
{
	puts("Usage: evtchn bind --to N [OPTION]... PORT [-- PROGRAM "
	     "[ARGUMENT]...]\n"
	     "\n"
	     "Connect a new port to PORT of domain N, a number or a name, and\n"
	     "print the new one's number.  It belongs to the domain and stays\n"
	     "until 'evtchn close' or the domain's end.  With PROGRAM, it is\n"
	     "there as long as PROGRAM runs, which finds its number in\n"
	     "EVTCHN_PORT.  As on Xen, a new connection starts with an event "
	     "on\n"
	     "the new port: the first 'evtchn wait' is over at once.\n"
	     "\n"
	     "Options:\n"
	     "  -t, --to N            whose PORT is\n"
	     "  -d, --domain N        whose the new port is; without it, that "
	     "of\n"
	     "                        the 'evtchn run' this is started in\n"
	     "  -n, --name NAME       a name for the new port\n"
	     "  -p, --port-file FILE  write the number to FILE, too\n"
	     "  -j, --json            print a JSON document\n"
	     "  -s, --socket PATH     the broker's socket\n"
	     "  -h, --help            this text\n"
	     "\n"
	     "Exit status: 0, or PROGRAM's; 1 if it failed; 2 if the command\n"
	     "line is wrong.\n"
	     "\n"
	     "Example:\n"
	     "  evtchn run --domain 1 -- evtchn bind --to 0 door");

	return cli_flush(command) ? 0 : EXIT_NOTHING;
}

static const struct option options[] = {
	{"to", required_argument, NULL, 't'},
	{"domain", required_argument, NULL, 'd'},
	{"name", required_argument, NULL, 'n'},
	{"port-file", required_argument, NULL, 'p'},
	{"json", no_argument, NULL, 'j'},
	{"socket", required_argument, NULL, 's'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const struct port_syntax syntax = {command, ":t:d:n:p:js:h", options,
					  print_help};

static int bind_port(struct session *s, const struct port_request *r,
		     uint32_t port)
{
	struct evp_port_entry e = {.port = port};
	char **program = r->arg + 1;
	uint32_t remote = (uint32_t)r->remote;
	int rc = 0;

	if (!port)
		rc = evp_control_port(s->fd, EVP_PORT_FIND, remote, 0,
				      r->arg[0], &e);
	if (!rc)
		rc = evp_control_port(s->fd, EVP_PORT_BIND, remote, e.port,
				      r->name, &e);
	if (rc) {
		cli_error(command, "%s", evp_error());
		return EXIT_NOTHING;
	}

	return port_give(command, s, r, program, &e);
}

static int check(const struct port_request *r, uint32_t *port)
{
	if (r->remote < 0)
		cli_error(command, "to whom?  Give --to N, the domain whose "
				   "port it is");
	else if (!r->arg[0])
		cli_error(command, "to which port?  Give its number or name");
	else if (port_parse_ref(command, r->arg[0], port))
		return -1;

	return EXIT_MISUSE;
}

int cmd_bind(int argc, char **argv)
{
	struct port_request r;
	struct session s;
	uint32_t port;
	int status = port_parse(&syntax, argc, argv, &r);

	if (status < 0)
		status = check(&r, &port);
	if (status < 0)
		status =
			session_open(command, r.socket, r.domid, !r.arg[1], &s);
	if (status >= 0)
		return status;
	status = bind_port(&s, &r, port);
	close(s.fd);

	return status;
}
