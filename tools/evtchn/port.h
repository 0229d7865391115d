/* SPDX-License-Identifier: MIT */
/* What the commands about ports share: alloc, bind, notify, wait, close. */
#ifndef EVTCHN_PORT_H
#define EVTCHN_PORT_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "hosts/process/control.h"
#include "session.h"

/* The command line of any of them. */
struct port_request {
	const char *socket; /* NULL: not given; so with the others */
	int domid;	    /* -1 */
	int remote;	    /* --from, --to; -1 */
	const char *name;
	const char *port_file;
	int64_t timeout; /* ns; -1 */
	uint32_t count;	 /* 0 */
	bool json;
	char **arg; /* what is not an option */
};

struct port_syntax {
	const char *command;
	const char *letters; /* for getopt_long() */
	const struct option *options;
	int (*help)(void);
};

/* -1 with @r filled in, else the exit status to leave with. */
int port_parse(const struct port_syntax *x, int argc, char **argv,
	       struct port_request *r);

/*
 * A port on the command line: a number, or a name, which begins with no digit.
 * @port is 0 if it is a name.  False, with a message printed: neither.
 */
bool port_parse_ref(const char *command, const char *text, uint32_t *port);

/* For a command whose only argument is a port.  -1, or the exit status. */
int port_parse_only(const char *command, const struct port_request *r,
		    uint32_t *port);

/*
 * Tell the number of a new port: on stdout and in r->port_file, if there is
 * one.  The file is there at once and complete.  False, with a message printed.
 */
bool port_tell(const char *command, const struct port_request *r,
	       const struct evp_port_entry *e);

/*
 * A new port: tell its number; or, unless program[0] is NULL, run a program that
 * holds domain and port, which ends with it, and gets the port's number in
 * EVTCHN_PORT.  Returns the exit status; the port stays only if it was told.
 */
int port_give(const char *command, struct session *s,
	      const struct port_request *r, char **program,
	      const struct evp_port_entry *e);

#endif /* EVTCHN_PORT_H */
