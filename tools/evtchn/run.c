/* SPDX-License-Identifier: MIT */
/*
 * evtchn run - run a program as a domain.
 *
 *   1. connect to the broker, or start one (broker.c),
 *   2. reserve a domain: it exists from now on, if it did not before,
 *   3. start the program (child.c) with the reserved connection inherited, and
 *      three variables that tell evp_attach() about it,
 *   4. wait for the program and end as it did.
 *
 * The domain exists as long as a process has the connection open: this one,
 * until the program has ended, and what the program leaves running.  Others may
 * run programs as the same domain meanwhile: each has its own ports.
 */
#include <getopt.h>
#include <signal.h>
#include <string.h>

#include "hosts/process/proto.h"
#include "child.h"
#include "cli.h"
#include "commands.h"
#include "hold.h"
#include "lines.h"
#include "session.h"
#include "xen.h"

static const char command[] = "run";

struct request {
	char socket[SOCKET_PATH_MAX];
	char name[EVP_NAME_MAX];
	uint32_t domid; /* or EVP_DOMID_ANY */
	bool xen;	/* a program written for Xen */
	struct lines lines;
	char **program;
};

/* --- The command line ---------------------------------------------------- */

static int print_help(void)
{
	puts("Usage: evtchn run [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
	     "\n"
	     "Run PROGRAM as a domain.  The broker evtchnd is started if none\n"
	     "is there; it ends after the last domain has ended.\n"
	     "\n"
	     "Options:\n"
	     "  -d, --domain N     be domain N, 0 to 32751, also when others "
	     "are\n"
	     "                     already; without it, the lowest free one\n"
	     "                     from 1 (so never dom0)\n"
	     "  -n, --name NAME    the name of the domain, if it is a new "
	     "one;\n"
	     "                     without it, the program's name\n"
	     "  -p, --pirq N=PATH  let it bind PIRQ N, 0 to 255, which is the "
	     "device,\n"
	     "                     terminal or pipe PATH until the domain "
	     "ends;\n"
	     "                     --pirq N: the one that is there; up to 16 "
	     "times\n"
	     "  -s, --socket PATH  the broker's socket\n"
	     "  -x, --xen          PROGRAM was made for Xen: give it our "
	     "libraries\n"
	     "                     and files in the place of Xen's\n"
	     "  -h, --help         this text\n"
	     "\n"
	     "With --xen, LD_LIBRARY_PATH finds the drop-in libraries first, "
	     "and\n"
	     "LD_PRELOAD has libevtchn-paths.so: what PROGRAM opens as "
	     "/proc/xen/NAME\n"
	     "or /dev/xen/privcmd is a file in EVTCHN_XEN_DIR, which is "
	     "SOCKET.xen/N\n"
	     "for domain N.  A program with the set-user-id bit, or without "
	     "shared\n"
	     "libraries, does not see them.\n"
	     "\n"
	     "PROGRAM gets EVTCHN_SOCKET, EVTCHN_DOMAIN and EVTCHN_FD (the\n"
	     "reserved connection), and every signal that run gets.\n"
	     "\n"
	     "Exit status: PROGRAM's; 128 + N if signal N killed it; 127 if\n"
	     "it is not found, 126 if it cannot be run; 1 if there is no\n"
	     "broker or it has no room; 2 if the command line is wrong.\n"
	     "\n"
	     "Examples:\n"
	     "  evtchn run --domain 1 --name alice -- ./alice_domU\n"
	     "  evtchn run --domain 0 -- ./alice_dom0 1 1\n"
	     "  evtchn run --xen --domain 0 -- "
	     "/usr/lib/xen-4.17/bin/lsevtchn 1");

	return cli_flush(command) ? 0 : EXIT_NOTHING;
}

static const struct option options[] = {
	{"domain", required_argument, NULL, 'd'},
	{"name", required_argument, NULL, 'n'},
	{"pirq", required_argument, NULL, 'p'},
	{"socket", required_argument, NULL, 's'},
	{"xen", no_argument, NULL, 'x'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* What the broker takes as a name: 1 to EVP_NAME_MAX - 1 printable letters. */
static bool is_good_name(const char *text)
{
	size_t length = 0;

	while (text[length] >= ' ' && text[length] <= '~')
		length++;

	return !text[length] && length && length < EVP_NAME_MAX;
}

static bool take_name(struct request *r, const char *text)
{
	if (!is_good_name(text)) {
		cli_error(command,
			  "'%s' cannot be a name: give 1 to %d letters, "
			  "digits, blanks or punctuation marks",
			  text, EVP_NAME_MAX - 1);
		return false;
	}
	memcpy(r->name, text, strlen(text) + 1);

	return true;
}

/* The name of a domain that got none: the last part of its program's. */
static void name_after_program(struct request *r)
{
	const char *slash = strrchr(r->program[0], '/');

	snprintf(r->name, sizeof(r->name), "%s",
		 slash ? slash + 1 : r->program[0]);
	if (!is_good_name(r->name))
		memcpy(r->name, "domain", sizeof("domain"));
}

/* -1 when the request is complete, else the exit status to leave with. */
static int parse(int argc, char **argv, struct request *r)
{
	const char *socket = NULL;
	uint16_t domid;
	int c;

	while ((c = getopt_long(argc, argv, "+:d:n:p:s:xh", options, NULL)) >=
	       0) {
		switch (c) {
		case 'd':
			if (!cli_domid(command, optarg, &domid))
				return EXIT_MISUSE;
			r->domid = domid;
			break;
		case 'n':
			if (!take_name(r, optarg))
				return EXIT_MISUSE;
			break;
		case 'p':
			if (!lines_take(command, &r->lines, optarg))
				return EXIT_MISUSE;
			break;
		case 's':
			socket = optarg;
			break;
		case 'x':
			r->xen = true;
			break;
		case 'h':
			return print_help();
		default:
			return cli_bad_option(command, options, c, argv);
		}
	}
	r->program = argv + optind;
	if (!r->program[0]) {
		cli_error(command, "no program given; as in 'evtchn run -- "
				   "./alice_domU'");
		return EXIT_MISUSE;
	}
	if (!r->name[0])
		name_after_program(r);

	return socket_path(command, socket, r->socket) ? EXIT_MISUSE : -1;
}

/* --- The domain ---------------------------------------------------------- */

/* The broker was killed: the domain is to be held by another one. */
static int hold_again(void *ctx)
{
	struct request *r = ctx;
	uint32_t domid;
	int fd;

	if (!session_reserve(command, r->socket, r->domid, r->name, &fd,
			     &domid))
		return -1;
	/* Without a line the domain goes on, as with one that ended. */
	(void)lines_again(command, &r->lines, r->socket, domid);

	return fd;
}

/* Run the program; another user's broker is not ours to replace. */
static int run(struct request *r, int fd, bool theirs)
{
	struct hold h = {.again = hold_again,
			 .ctx = r,
			 .socket = theirs ? "" : r->socket,
			 .fd = fd};
	const struct child_watch w = {.signal = SIGIO,
				      .begin = hold_begin,
				      .happen = hold_look,
				      .ctx = &h};

	return child_run(command, r->program, &w);
}

int cmd_run(int argc, char **argv)
{
	struct request r = {.domid = EVP_DOMID_ANY};
	uint32_t domid;
	bool ok, theirs;
	int status, fd;

	opterr = 0;
	status = parse(argc, argv, &r);
	if (status >= 0)
		return status;

	theirs = session_is_others(r.socket);
	ok = session_reserve(command, r.socket, r.domid, r.name, &fd, &domid);
	if (ok && r.xen)
		ok = xen_prepare(command, r.socket, theirs, domid);
	ok = ok && lines_make(command, &r.lines, r.socket, domid);
	if (!ok || !session_announce(command, r.socket, fd, domid))
		return EXIT_NOTHING;

	r.domid = domid;

	return run(&r, fd, theirs);
}
