/* SPDX-License-Identifier: MIT */
/*
 * evtchn wait - wait for an event.
 *
 * The event stays in the broker until this command takes it.  So it does not
 * matter whether it came before or after the command was started, and when the
 * command is interrupted, or its time is over, none is lost.  The port outlives
 * a broker that is killed, so this goes on with the next one.
 */
#include <errno.h>
#include <unistd.h>

#include <abi/event_channel.h>
#include <evp/evp.h>

#include "hosts/process/clock.h"
#include "cli.h"
#include "commands.h"
#include "port.h"

static const char command[] = "wait";

static int print_help(void)
{
	puts("Usage: evtchn wait [OPTION]... PORT\n"
	     "       evtchn wait [OPTION]... --from N [--name NAME]\n"
	     "\n"
	     "Wait for an event on PORT, a number or a name, of this domain,\n"
	     "made by 'evtchn alloc' or 'bind'.  An event that has come\n"
	     "already ends the wait at once, so none is lost between two\n"
	     "waits; events that came before somebody waited merge into one.\n"
	     "\n"
	     "With --from, make a port that domain N may bind, and print its\n"
	     "number first.  With a name, the port is used again if it is "
	     "there\n"
	     "and stays when the wait is over; without, it is closed then.\n"
	     "\n"
	     "Options:\n"
	     "  -f, --from N          who may bind the port\n"
	     "  -n, --name NAME       the port's name\n"
	     "  -p, --port-file FILE  write the new port's number to FILE, "
	     "too\n"
	     "  -d, --domain N        who waits; without it, the domain of "
	     "the\n"
	     "                        'evtchn run' this is started in\n"
	     "  -c, --count N         wait for N events\n"
	     "  -T, --timeout TIME    give up after TIME: 5s, 200ms, 1m\n"
	     "  -j, --json            print JSON: a line about the new port, "
	     "and\n"
	     "                        a line at the end\n"
	     "  -s, --socket PATH     the broker's socket\n"
	     "  -h, --help            this text\n"
	     "\n"
	     "Exit status: 0 when the events have come; 124 if the time was\n"
	     "over before; 1 if it failed; 2 if the command line is wrong.\n"
	     "\n"
	     "Examples:\n"
	     "  evtchn wait --domain 0 --from 1 --name door && echo 'at the "
	     "door'\n"
	     "  evtchn run --domain 0 -- evtchn wait --timeout 5s door");

	return cli_flush(command) ? 0 : EXIT_NOTHING;
}

static const struct option options[] = {
	{"from", required_argument, NULL, 'f'},
	{"name", required_argument, NULL, 'n'},
	{"port-file", required_argument, NULL, 'p'},
	{"domain", required_argument, NULL, 'd'},
	{"count", required_argument, NULL, 'c'},
	{"timeout", required_argument, NULL, 'T'},
	{"json", no_argument, NULL, 'j'},
	{"socket", required_argument, NULL, 's'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const struct port_syntax syntax = {command, ":f:n:p:d:c:T:js:h", options,
					  print_help};

static int fail(void)
{
	cli_error(command, "%s", evp_error());

	return EXIT_NOTHING;
}

/* --- Which port ----------------------------------------------------------- */

/* A port with the name is there: is it what was asked for? */
static int check_named(const struct port_request *r,
		       const struct evp_port_entry *e)
{
	if (e->peer_domid == r->remote && (e->status == EVTCHNSTAT_unbound ||
					   e->status == EVTCHNSTAT_interdomain))
		return -1;
	cli_error(command,
		  "'%s' is a port for another domain; 'evtchn ls' shows it",
		  r->name);

	return EXIT_NOTHING;
}

/* Another command may make or close the port meanwhile: look again. */
static int make_port(const struct session *s, const struct port_request *r,
		     struct evp_port_entry *e)
{
	uint32_t remote = (uint32_t)r->remote;
	int rc;

	do {
		if (r->name && !evp_control_port(s->fd, EVP_PORT_FIND, s->domid,
						 0, r->name, e))
			return check_named(r, e);
		rc = evp_control_port(s->fd, EVP_PORT_ALLOC, remote, 0, r->name,
				      e);
	} while (rc == -EEXIST);

	return rc ? fail() : -1;
}

/* One that is there, whichever broker has it. */
static int find_port(struct session *s, const struct port_request *r,
		     uint32_t port, struct evp_port_entry *e)
{
	int rc;

	do
		rc = evp_control_port(s->fd, EVP_PORT_FIND, s->domid, port,
				      r->arg[0], e);
	while (rc == -ECONNRESET && session_resume(command, s));

	return rc ? fail() : -1;
}

static int get_port(struct session *s, const struct port_request *r,
		    uint32_t port, struct evp_port_entry *e)
{
	int status;

	if (r->remote < 0)
		return find_port(s, r, port, e);
	status = make_port(s, r, e);
	if (status < 0 && !port_tell(command, r, e))
		status = EXIT_NOTHING;

	return status;
}

/* --- Waiting -------------------------------------------------------------- */

static int64_t deadline_of(const struct port_request *r)
{
	return r->timeout < 0 ? INT64_MAX : evp_now() + r->timeout;
}

/* One event, as evp_control_wait(), whichever broker has it. */
static int wait_one(struct session *s, uint32_t port, int64_t deadline)
{
	int rc;

	do
		rc = evp_control_wait(s->fd, port, deadline);
	while (rc == -ECONNRESET && session_resume(command, s));

	return rc;
}

static int wait_events(struct session *s, const struct port_request *r,
		       const struct evp_port_entry *e)
{
	uint32_t want = r->count ? r->count : 1, got = 0;
	int64_t deadline = deadline_of(r);
	int rc;

	do {
		rc = wait_one(s, e->port, deadline);
		got += rc > 0;
	} while (rc > 0 && got < want);
	if (r->json)
		printf("{\"domain\": %u, \"port\": %u, \"events\": %u, "
		       "\"timeout\": %s}\n",
		       e->domid, e->port, got, rc ? "false" : "true");
	if (!cli_flush(command))
		return EXIT_NOTHING;
	if (rc < 0)
		return fail();

	return rc ? 0 : EXIT_TIME;
}

/* --- The command ---------------------------------------------------------- */

static int check(const struct port_request *r, uint32_t *port)
{
	if (r->remote < 0 && (r->name || r->port_file))
		cli_error(command, "--name and --port-file are for a new port: "
				   "give --from N, too");
	else if (r->remote < 0 && !r->arg[0])
		cli_error(command, "which port?  Give its number or name, or "
				   "--from N for a new one");
	else if (r->arg[0] && (r->remote >= 0 || r->arg[1]))
		cli_error(command, "'%s' is one argument too many",
			  r->arg[r->remote < 0]);
	else if (r->remote >= 0 || port_parse_ref(command, r->arg[0], port))
		return -1;

	return EXIT_MISUSE;
}

int cmd_wait(int argc, char **argv)
{
	struct evp_port_entry e = {0};
	struct port_request r;
	struct session s;
	uint32_t port = 0;
	int status = port_parse(&syntax, argc, argv, &r);

	if (status < 0)
		status = check(&r, &port);
	if (status < 0)
		status = session_open(command, r.socket, r.domid, r.remote < 0,
				      &s);
	if (status >= 0)
		return status;
	status = get_port(&s, &r, port, &e);
	if (status < 0)
		status = wait_events(&s, &r, &e);
	/* Nobody else knows of it, but who is connected to it now. */
	if (r.remote >= 0 && !r.name)
		(void)evp_control_port(s.fd, EVP_PORT_CLOSE, s.domid, e.port,
				       NULL, NULL);
	close(s.fd);

	return status;
}
