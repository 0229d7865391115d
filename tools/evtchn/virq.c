/* SPDX-License-Identifier: MIT */
/*
 * evtchn debug-key, evtchn delegate - virtual interrupts, from outside.
 *
 * Xen's console has debug keys: 'q' raises VIRQ_DEBUG in every domain, so that
 * each prints what it is doing.  And its toolstack says which domain handles
 * the VIRQs that exist once per machine.  Both change nothing else: no broker is
 * started, no domain is taken.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <abi/xen.h>
#include <evp/evp.h>

#include "hosts/process/control.h"
#include "cli.h"
#include "commands.h"
#include "socket.h"

struct request {
	const char *command;
	char socket[SOCKET_PATH_MAX];
	uint32_t virq;
	uint32_t domid; /* or EVP_DOMID_ANY */
};

/* --- names ----------------------------------------------------------------- */

static const char *const names[NR_VIRQS] = {
	[VIRQ_TIMER] = "TIMER",
	[VIRQ_DEBUG] = "DEBUG",
	[VIRQ_CONSOLE] = "CONSOLE",
	[VIRQ_DOM_EXC] = "DOM_EXC",
	[VIRQ_TBUF] = "TBUF",
	[VIRQ_DEBUGGER] = "DEBUGGER",
	[VIRQ_XENOPROF] = "XENOPROF",
	[VIRQ_CON_RING] = "CON_RING",
	[VIRQ_PCPU_STATE] = "PCPU_STATE",
	[VIRQ_MEM_EVENT] = "MEM_EVENT",
	[VIRQ_ARGO] = "ARGO",
	[VIRQ_ENOMEM] = "ENOMEM",
	[VIRQ_XENPMU] = "XENPMU",
};

static bool find_name(const char *text, uint32_t *virq)
{
	if (!strncasecmp(text, "VIRQ_", 5))
		text += 5;
	for (*virq = 0; *virq < NR_VIRQS; ++*virq) {
		if (names[*virq] && !strcasecmp(text, names[*virq]))
			return true;
	}
	return false;
}

static bool take_virq(struct request *r, const char *text)
{
	const char *end;

	if (find_name(text, &r->virq))
		return true;
	if (!cli_digits(text, NR_VIRQS - 1, &r->virq, &end) || *end) {
		cli_error(r->command,
			  "'%s' is no virtual interrupt: give a number from 0 "
			  "to %d, or a name like 'debug' or 'VIRQ_ENOMEM'",
			  text, NR_VIRQS - 1);
		return false;
	}

	return true;
}

/* As a user would say it; valid until the next call. */
static const char *name_of(uint32_t virq)
{
	static char text[24];

	if (names[virq])
		snprintf(text, sizeof(text), "VIRQ_%s", names[virq]);
	else
		snprintf(text, sizeof(text), "VIRQ %u", virq);

	return text;
}

/* --- the command lines ------------------------------------------------------ */

static int print_raise_help(void)
{
	puts("Usage: evtchn debug-key [OPTION]... [VIRQ]\n"
	     "\n"
	     "Raise VIRQ_DEBUG in every domain, as Xen's debug key 'q' does; "
	     "or\n"
	     "another VIRQ, by its name or number.  One that is global goes to "
	     "the\n"
	     "domain that handles it: domain 0, unless it was delegated.\n"
	     "\n"
	     "Options:\n"
	     "  -d, --domain N     only in domain N\n"
	     "  -s, --socket PATH  the broker's socket\n"
	     "  -h, --help         this text\n"
	     "\n"
	     "Exit status: 0; 1 if nobody has bound it, if there is no broker "
	     "or no\n"
	     "domain N; 2 if the command line is wrong.\n"
	     "\n"
	     "Examples:\n"
	     "  evtchn debug-key\n"
	     "  evtchn debug-key enomem");

	return cli_flush("debug-key") ? 0 : EXIT_NOTHING;
}

static int print_delegate_help(void)
{
	puts("Usage: evtchn delegate [OPTION]... VIRQ DOMAIN\n"
	     "\n"
	     "Have a global VIRQ, given by its name or number, handled by "
	     "DOMAIN\n"
	     "until that ends; then it is domain 0's again.  Whoever handles "
	     "it now\n"
	     "must not have it bound.\n"
	     "\n"
	     "Options:\n"
	     "  -s, --socket PATH  the broker's socket\n"
	     "  -h, --help         this text\n"
	     "\n"
	     "Exit status: 0; 1 if it is bound or not global, if there is no "
	     "broker\n"
	     "or no such domain; 2 if the command line is wrong.\n"
	     "\n"
	     "Example:\n"
	     "  evtchn delegate console 3");

	return cli_flush("delegate") ? 0 : EXIT_NOTHING;
}

static const struct option raise_options[] = {
	{"domain", required_argument, NULL, 'd'},
	{"socket", required_argument, NULL, 's'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const struct option delegate_options[] = {
	{"socket", required_argument, NULL, 's'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static bool take_domain(struct request *r, const char *text)
{
	uint16_t domid;

	if (!cli_domid(r->command, text, &domid))
		return false;
	r->domid = domid;

	return true;
}

static int too_much(const struct request *r, const char *arg)
{
	cli_error(r->command,
		  "'%s' is one argument too many; see 'evtchn %s "
		  "--help'",
		  arg, r->command);
	return EXIT_MISUSE;
}

/* -1 when the request is complete, else the exit status to leave with. */
static int parse_raise(int argc, char **argv, struct request *r)
{
	const char *socket = NULL;
	int c;

	while ((c = getopt_long(argc, argv, ":d:s:h", raise_options, NULL)) >=
	       0) {
		if (c == 'h')
			return print_raise_help();
		if (c == 's')
			socket = optarg;
		else if (c != 'd')
			return cli_bad_option(r->command, raise_options, c,
					      argv);
		else if (!take_domain(r, optarg))
			return EXIT_MISUSE;
	}
	if (argv[optind] && !take_virq(r, argv[optind]))
		return EXIT_MISUSE;
	if (argv[optind] && argv[optind + 1])
		return too_much(r, argv[optind + 1]);

	return socket_path(r->command, socket, r->socket) ? EXIT_MISUSE : -1;
}

static int parse_delegate(int argc, char **argv, struct request *r)
{
	const char *socket = NULL;
	int c;

	while ((c = getopt_long(argc, argv, ":s:h", delegate_options, NULL)) >=
	       0) {
		if (c == 'h')
			return print_delegate_help();
		if (c != 's')
			return cli_bad_option(r->command, delegate_options, c,
					      argv);
		socket = optarg;
	}
	if (argc - optind < 2) {
		cli_error(r->command, "a VIRQ and a domain are needed, as in "
				      "'evtchn delegate console 3'");
		return EXIT_MISUSE;
	}
	if (argc - optind > 2)
		return too_much(r, argv[optind + 2]);
	if (!take_virq(r, argv[optind]) || !take_domain(r, argv[optind + 1]))
		return EXIT_MISUSE;

	return socket_path(r->command, socket, r->socket) ? EXIT_MISUSE : -1;
}

/* --- doing it --------------------------------------------------------------- */

/* 0 or more: the answer of @ask; -errno with a message printed. */
static int ask(const struct request *r,
	       int (*question)(int fd, uint32_t virq, uint32_t domid))
{
	int fd, rc;

	if (!socket_open(r->command, r->socket, &fd, NULL))
		return -ENOTCONN;
	rc = question(fd, r->virq, r->domid);
	close(fd);
	if (rc < 0)
		cli_error(r->command, "%s", evp_error());

	return rc;
}

int cmd_debug_key(int argc, char **argv)
{
	struct request r = {.command = "debug-key",
			    .virq = VIRQ_DEBUG,
			    .domid = EVP_DOMID_ANY};
	int status, n;

	opterr = 0;
	status = parse_raise(argc, argv, &r);
	if (status >= 0)
		return status;
	n = ask(&r, evp_control_raise);
	if (n < 0)
		return EXIT_NOTHING;
	if (n == 0) {
		cli_error(r.command, "nobody has bound %s", name_of(r.virq));
		return EXIT_NOTHING;
	}
	printf("%s raised on %d port%s\n", name_of(r.virq), n,
	       n == 1 ? "" : "s");

	return cli_flush(r.command) ? 0 : EXIT_NOTHING;
}

int cmd_delegate(int argc, char **argv)
{
	struct request r = {.command = "delegate"};
	int status;

	opterr = 0;
	status = parse_delegate(argc, argv, &r);
	if (status >= 0)
		return status;

	return ask(&r, evp_control_delegate) ? EXIT_NOTHING : 0;
}
