/* SPDX-License-Identifier: MIT */
/*
 * evtchn notify - send an event.
 *
 * With --to, the broker binds, sends and closes in one step, so several
 * notifies of one domain do not see each other's connection.  A port that is
 * not there yet, or in use, is waited for by asking again: nothing is sent
 * before there is somebody to have it.
 */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include <evp/evp.h>

#include "hosts/process/clock.h"
#include "cli.h"
#include "commands.h"
#include "port.h"

static const char command[] = "notify";

#define PATIENCE_NS INT64_C(5000000000)
#define PAUSE_NS    10000000

static int print_help(void)
{
	puts("Usage: evtchn notify [OPTION]... PORT\n"
	     "\n"
	     "Send an event.  With --to, PORT is one of domain N, which must "
	     "be\n"
	     "for this domain to bind: a connection is made for the moment.\n"
	     "Without, PORT is one of this domain's own: see 'evtchn bind'.\n"
	     "PORT is a number or a name.  Events that nobody has waited for\n"
	     "yet merge into one.\n"
	     "\n"
	     "Options:\n"
	     "  -t, --to N          whose PORT is\n"
	     "  -d, --domain N      who sends; without it, the domain of the\n"
	     "                      'evtchn run' this is started in\n"
	     "  -T, --timeout TIME  with --to: how long to try while there is "
	     "no\n"
	     "                      such port or it is connected; 5s\n"
	     "  -j, --json          print a JSON document\n"
	     "  -s, --socket PATH   the broker's socket\n"
	     "  -h, --help          this text\n"
	     "\n"
	     "Exit status: 0 if the event was sent; 1 if it failed; 2 if the\n"
	     "command line is wrong.\n"
	     "\n"
	     "Examples:\n"
	     "  evtchn notify --domain 1 --to 0 door\n"
	     "  evtchn run --domain 1 -- evtchn notify --to 0 3");

	return cli_flush(command) ? 0 : EXIT_NOTHING;
}

static const struct option options[] = {
	{"to", required_argument, NULL, 't'},
	{"domain", required_argument, NULL, 'd'},
	{"timeout", required_argument, NULL, 'T'},
	{"json", no_argument, NULL, 'j'},
	{"socket", required_argument, NULL, 's'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const struct port_syntax syntax = {command, ":t:d:T:js:h", options,
					  print_help};

/* Not there yet, or in use: that may change. */
static bool is_worth_another(int rc)
{
	return rc == -ENOENT || rc == -EBUSY;
}

static int notify(const struct session *s, const struct port_request *r,
		  uint32_t port, struct evp_port_entry *e)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	int64_t end = evp_now() + (r->timeout < 0 ? PATIENCE_NS : r->timeout);
	int rc;

	if (r->remote < 0)
		return evp_control_port(s->fd, EVP_PORT_SEND, s->domid, port,
					r->arg[0], e);
	for (;;) {
		rc = evp_control_port(s->fd, EVP_PORT_NOTIFY,
				      (uint32_t)r->remote, port, r->arg[0], e);
		if (!is_worth_another(rc) || evp_now() >= end)
			return rc;
		nanosleep(&pause, NULL);
	}
}

static int report(const struct port_request *r, const struct evp_port_entry *e)
{
	if (r->json)
		printf("{\"domain\": %u, \"port\": %u}\n", e->domid, e->port);

	return cli_flush(command) ? 0 : EXIT_NOTHING;
}

int cmd_notify(int argc, char **argv)
{
	struct evp_port_entry e;
	struct port_request r;
	struct session s;
	uint32_t port;
	int status = port_parse(&syntax, argc, argv, &r);

	if (status < 0)
		status = port_parse_only(command, &r, &port);
	if (status < 0)
		status = session_open(command, r.socket, r.domid, r.remote < 0,
				      &s);
	if (status >= 0)
		return status;
	if (notify(&s, &r, port, &e)) {
		cli_error(command, "%s", evp_error());
		status = EXIT_NOTHING;
	} else {
		status = report(&r, &e);
	}
	close(s.fd);

	return status;
}
