/* SPDX-License-Identifier: MIT */
/*
 * evtchnd: options, and starting up.  broker.h is the way in to the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include <evp/evp.h>

#include "broker.h"
#include "listen.h"
#include "state.h"

#define EXIT_USAGE 2

#ifndef EVTCHN_VERSION
#define EVTCHN_VERSION "0.1"
#endif

static const char help[] =
	"Usage: evtchnd [options]\n"
	"The broker of the process host: makes Linux processes domains of each "
	"other's\nevent channels.  `evtchn run` starts one when it needs it.\n"
	"\n"
	"  --socket PATH   listen here (default: $EVTCHN_SOCKET, else\n"
	"                  $XDG_RUNTIME_DIR/evtchnd.sock, else\n"
	"                  /tmp/evtchn-UID/evtchnd.sock)\n"
	"  --policy FILE   serve other users, too, by the rules of FILE; "
	"SIGHUP\n"
	"                  reads it again (docs/process-host.md has the "
	"format)\n"
	"  --mode OCTAL    the socket's permissions (default: 600; with "
	"--policy\n"
	"                  666: who may connect is the directory's and the "
	"rules'\n"
	"                  business)\n"
	"  --foreground    do not go to the background\n"
	"  --ready-fd N    stay in the foreground; write a byte to descriptor "
	"N\n"
	"                  and close it when connections are accepted\n"
	"  --console PATH  raise VIRQ_CONSOLE when this terminal or pipe has "
	"input;\n"
	"                  -: standard input\n"
	"  --exit-idle     leave when the last connection has gone\n"
	"  --verbose       say on stderr who leaves; keep stderr\n"
	"  --version       print the version\n"
	"  --help          print this\n"
	"\n"
	"Examples:\n"
	"  evtchnd                               for all programs of this "
	"user\n"
	"  evtchnd --socket /run/evtchn/sock --policy /etc/evtchn.policy\n"
	"  evtchnd --foreground --verbose --socket /tmp/x.sock\n"
	"  EVTCHN_SOCKET=/tmp/x.sock EVTCHN_DOMAIN=1 program\n";

struct options {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	const char *socket, *policy, *console;
	long ready_fd, mode;
	bool foreground, exit_idle, verbose;
};

static int complain(const char *what, const char *arg)
{
	fprintf(stderr, "evtchnd: %s%s: see evtchnd --help\n", what, arg);
	return -EINVAL;
}

static int parse_fd(const char *arg, long *fd)
{
	char *end;

	errno = 0;
	*fd = strtol(arg, &end, 10);
	if (errno || *end || end == arg || *fd < 0 || *fd > INT32_MAX ||
	    fcntl((int)*fd, F_GETFD) < 0)
		return complain("--ready-fd wants an open descriptor, not ",
				arg);
	return 0;
}

static int parse_mode(const char *arg, long *mode)
{
	char *end;

	*mode = strtol(arg, &end, 8);
	if (*end || end == arg || *mode < 0 || *mode > 0777)
		return complain("--mode wants permissions as 660, not ", arg);
	return 0;
}

static const struct option flags[] = {
	{"socket", required_argument, NULL, 's'},
	{"policy", required_argument, NULL, 'p'},
	{"mode", required_argument, NULL, 'm'},
	{"ready-fd", required_argument, NULL, 'r'},
	{"console", required_argument, NULL, 'c'},
	{"exit-idle", no_argument, NULL, 'i'},
	{"foreground", no_argument, NULL, 'f'},
	{"verbose", no_argument, NULL, 'v'},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* 1: printed what was asked for. */
static int take_flag(int c, char **argv, struct options *o)
{
	switch (c) {
	case 's':
		o->socket = optarg;
		return 0;
	case 'p':
		o->policy = optarg;
		return 0;
	case 'm':
		return parse_mode(optarg, &o->mode);
	case 'r':
		return parse_fd(optarg, &o->ready_fd);
	case 'c':
		o->console = optarg;
		return 0;
	case 'i':
		o->exit_idle = true;
		return 0;
	case 'f':
		o->foreground = true;
		return 0;
	case 'v':
		o->verbose = true;
		return 0;
	case 'V':
		puts("evtchnd " EVTCHN_VERSION);
		return 1;
	case 'h':
		fputs(help, stdout);
		return 1;
	case ':':
		return complain("no value for ", argv[optind - 1]);
	default: /* a number, not a state */
		return complain("unknown option ", argv[optind - 1]);
	}
}

static int parse(int argc, char **argv, struct options *o)
{
	int c, rc = 0;

	opterr = 0;
	while (!rc && (c = getopt_long(argc, argv, ":", flags, NULL)) != -1)
		rc = take_flag(c, argv, o);
	if (!rc && optind < argc)
		rc = complain("unexpected argument ", argv[optind]);
	return rc;
}

static int find_path(struct options *o)
{
	int rc;

	if (o->socket)
		return 0;
	rc = evp_default_socket(o->path, sizeof(o->path), true);
	if (rc)
		fprintf(stderr, "evtchnd: %s\n", evp_error());
	o->socket = o->path;
	return rc;
}

static uint32_t at_most(rlim_t n, uint32_t max)
{
	return n < max ? (uint32_t)n : max;
}

/*
 * Descriptors decide how many connections there can be, and how many regions:
 * an eighth of them is for these, and what connections cannot use.
 */
static void set_limits(struct evd_broker *b)
{
	struct rlimit r = {.rlim_cur = 0};
	rlim_t left, regions;

	if (!getrlimit(RLIMIT_NOFILE, &r)) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
		(void)getrlimit(RLIMIT_NOFILE, &r);
	}
	left = r.rlim_cur > EVD_FDS_RESERVED ? r.rlim_cur - EVD_FDS_RESERVED
					     : 0;
	regions = left / 8;
	b->max_conns =
		at_most((left - regions) / EVD_FDS_PER_CONN, EVD_MAX_CONNS);
	if (!b->max_conns)
		b->max_conns = 1;
	else
		left -= b->max_conns * EVD_FDS_PER_CONN;
	b->max_regions = at_most(left, EVD_MAX_REGIONS);
	/* With what is sure it is less than the kernel lets us have in flight. */
	b->max_unread = at_most(r.rlim_cur / 8, UINT32_MAX);
}

/* The socket is open: whoever started us may go on. */
static int go_to_background(struct evd_broker *b)
{
	pid_t pid = fork();
	int null;

	if (pid < 0)
		return -errno;
	if (pid) {
		evd_write_pid(b, pid);
		_exit(EXIT_SUCCESS);
	}
	(void)setsid();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		if (!b->verbose)
			(void)dup2(null, STDERR_FILENO);
	}
	return 0;
}

static int announce(struct evd_broker *b, const struct options *o)
{
	if (!o->foreground && o->ready_fd < 0)
		return go_to_background(b);
	evd_write_pid(b, getpid());
	if (o->ready_fd >= 0) {
		(void)!write((int)o->ready_fd, "", 1);
		(void)close((int)o->ready_fd);
	}
	return 0;
}

/* Nothing we open is to be taken for a standard stream. */
static int open_streams(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -errno;
	(void)close(fd);
	return 0;
}

static int find_policy(struct evd_broker *b, const struct options *o)
{
	char error[512];

	b->mode = o->policy ? 0666 : 0600;
	if (o->mode >= 0)
		b->mode = (mode_t)o->mode;
	if (!o->policy)
		return 0;
	/* Made absolute: it is read again when we live in the background. */
	b->policy_path = realpath(o->policy, NULL);
	b->policy = malloc(sizeof(*b->policy));
	if (!b->policy ||
	    !evd_policy_read(b->policy,
			     b->policy_path ? b->policy_path : o->policy, error,
			     sizeof(error))) {
		fprintf(stderr, "evtchnd: %s\n",
			b->policy ? error : "no memory");
		return -EINVAL;
	}
	return 0;
}

/* Better now than when somebody sleeps for ever. */
static int find_bells(void)
{
	int rc = evp_bell_check();

	if (rc)
		fprintf(stderr,
			"evtchnd: cannot wake anybody on this kernel: %s: take "
			"a Linux where a second shutdown(2) of a socket "
			"wakes its peer\n",
			strerror(-rc));
	return rc;
}

int main(int argc, char **argv)
{
	static struct evd_broker b = {.listener = -1, .lock = -1};
	struct options o = {.ready_fd = -1, .mode = -1};
	int rc = parse(argc, argv, &o);

	if (rc)
		return rc > 0 ? EXIT_SUCCESS : EXIT_USAGE;
	if (open_streams())
		return EXIT_FAILURE;
	(void)signal(SIGPIPE, SIG_IGN); /* stderr may be a pipe nobody reads */
	if (find_path(&o))
		return EXIT_USAGE;
	b.path = o.socket;
	b.exit_idle = o.exit_idle;
	b.verbose = o.verbose;
	if (find_policy(&b, &o))
		return EXIT_USAGE;
	if (find_bells())
		return EXIT_FAILURE;
	set_limits(&b);
	evc_machine_init(&b.machine, false, &b);
	evd_number_broker(&b);
	if (o.console && evd_console_open(&b, o.console))
		return EXIT_USAGE;
	evd_hold_signals(&b);
	if (evd_listen(&b))
		return EXIT_USAGE;
	evd_state_open(&b);
	if (announce(&b, &o))
		return EXIT_FAILURE;
	return evd_run(&b) ? EXIT_FAILURE : EXIT_SUCCESS;
}
