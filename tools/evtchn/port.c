/* SPDX-License-Identifier: MIT */
/*
 * What the commands about ports share.
 *
 * A command lives for a moment and a port must not end with it.  So the ports
 * of these commands are the domain's own (hosts/process/broker/kept.c): the
 * domain must be held by somebody who lasts, `evtchn run` or the command itself
 * while a program runs.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <evp/evp.h>

#include "child.h"
#include "cli.h"
#include "commands.h"
#include "hold.h"
#include "port.h"

#define MAX_COUNT 1000000000u

/* --- The command line ----------------------------------------------------- */

static bool take_domid(const char *command, int *domid)
{
	uint16_t number;

	if (!cli_domid(command, optarg, &number))
		return false;
	*domid = number;

	return true;
}

static bool take_name(const char *command, struct port_request *r)
{
	uint32_t port;

	r->name = optarg;
	if (!port_parse_ref(command, optarg, &port))
		return false;
	if (port)
		cli_error(command,
			  "'%s' cannot be a name: begin it with a letter",
			  optarg);

	return !port;
}

/* False, with a message printed: not a good argument. */
static bool take_option(const char *command, int c, struct port_request *r)
{
	switch (c) {
	case 'd':
		return take_domid(command, &r->domid);
	case 'f':
	case 't':
		return take_domid(command, &r->remote);
	case 'n':
		return take_name(command, r);
	case 'c':
		return cli_number(command, "a count", optarg, MAX_COUNT,
				  &r->count);
	case 'T':
		return cli_duration(command, optarg, &r->timeout);
	case 'p':
		r->port_file = optarg;
		return true;
	case 's':
		r->socket = optarg;
		return true;
	default: /* 'j': the commands have no other letter */
		r->json = true;
		return true;
	}
}

int port_parse(const struct port_syntax *x, int argc, char **argv,
	       struct port_request *r)
{
	int c;

	*r = (struct port_request){.domid = -1, .remote = -1, .timeout = -1};
	opterr = 0;
	while ((c = getopt_long(argc, argv, x->letters, x->options, NULL)) >=
	       0) {
		if (c == 'h')
			return x->help();
		if (c == '?' || c == ':')
			return cli_bad_option(x->command, x->options, c, argv);
		if (!take_option(x->command, c, r))
			return EXIT_MISUSE;
	}
	r->arg = argv + optind;

	return -1;
}

bool port_parse_ref(const char *command, const char *text, uint32_t *port)
{
	size_t length = 0;

	*port = 0;
	if (*text >= '0' && *text <= '9')
		return cli_number(command, "a port", text, UINT32_MAX, port);
	while (text[length] > ' ' && text[length] <= '~')
		length++;
	if (length && !text[length] && length < EVP_NAME_MAX)
		return true;
	cli_error(command,
		  "'%s' is not a port: give its number, or a name of 1 to %d "
		  "letters, digits or punctuation marks",
		  text, EVP_NAME_MAX - 1);

	return false;
}

int port_parse_only(const char *command, const struct port_request *r,
		    uint32_t *port)
{
	if (!r->arg[0])
		cli_error(command, "which port?  Give its number or name");
	else if (r->arg[1])
		cli_error(command,
			  "'%s' is one argument too many; give one port",
			  r->arg[1]);
	else if (port_parse_ref(command, r->arg[0], port))
		return -1;

	return EXIT_MISUSE;
}

/* --- Telling -------------------------------------------------------------- */

/* Written beside and moved there: a reader finds all of it or nothing. */
static bool write_port_file(const char *path, uint32_t port)
{
	char temporary[PATH_MAX];
	FILE *f;
	bool ok;

	if (snprintf(temporary, sizeof(temporary), "%s.%d", path,
		     (int)getpid()) >= (int)sizeof(temporary)) {
		errno = ENAMETOOLONG;
		return false;
	}
	f = fopen(temporary, "we");
	if (!f)
		return false;
	ok = fprintf(f, "%u\n", port) > 0;
	ok &= !fclose(f);
	ok = ok && !rename(temporary, path);
	if (!ok)
		(void)unlink(temporary);

	return ok;
}

bool port_tell(const char *command, const struct port_request *r,
	       const struct evp_port_entry *e)
{
	if (r->port_file && !write_port_file(r->port_file, e->port)) {
		cli_error(command, "cannot write '%s': %s; the port is closed",
			  r->port_file, strerror(errno));
		return false;
	}
	if (r->json)
		printf("{\"domain\": %u, \"port\": %u}\n", e->domid, e->port);
	else
		printf("%u\n", e->port);

	return cli_flush(command);
}

/* --- Holding -------------------------------------------------------------- */

struct holding {
	const char *command;
	struct session *s;
};

static int hold_again(void *ctx)
{
	const struct holding *h = ctx;

	return session_again(h->command, h->s);
}

/* Run the program; domain and port are there as long as it runs. */
static int run_held(const char *command, struct session *s, char **program)
{
	struct holding ctx = {command, s};
	bool theirs = session_is_others(s->socket);
	struct hold h = {.again = hold_again,
			 .ctx = &ctx,
			 .socket = theirs ? "" : s->socket,
			 .fd = s->fd};
	const struct child_watch w = {.signal = SIGIO,
				      .begin = hold_begin,
				      .happen = hold_look,
				      .ctx = &h};
	int status = child_run(command, program, &w);

	s->fd = h.fd;

	return status;
}

static int run(const char *command, struct session *s, char **program,
	       const struct evp_port_entry *e)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", e->port);
	if (setenv("EVTCHN_PORT", text, 1)) {
		cli_error(command, "cannot prepare the program: %s",
			  strerror(errno));
		return EXIT_NOTHING;
	}
	if (!session_announce(command, s->socket, s->fd, s->domid))
		return EXIT_NOTHING;

	return run_held(command, s, program);
}

int port_give(const char *command, struct session *s,
	      const struct port_request *r, char **program,
	      const struct evp_port_entry *e)
{
	int status = EXIT_NOTHING;

	if (program[0])
		status = run(command, s, program, e);
	else if (port_tell(command, r, e))
		return 0;
	/* It may be gone, with the broker or by the program's hand. */
	if (s->fd >= 0)
		(void)evp_control_port(s->fd, EVP_PORT_CLOSE, s->domid, e->port,
				       NULL, NULL);

	return status;
}
