/* SPDX-License-Identifier: MIT */
/*
 * evtchn trace - run a program, and show who notified whom, and when.
 *
 * The attachments record, each into a file of its own (hosts/process/trace.c),
 * because EVTCHN_TRACE names a directory; this command makes one, runs the
 * program, and makes one document of what is there afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "cli.h"
#include "commands.h"
#include "scratch.h"
#include "tracing.h"

static const char command[] = "trace";

struct request {
	const char *merge;  /* NULL: there is a program */
	const char *output; /* NULL: stdout */
	char *domain;	    /* NULL: not as a domain */
	char **program;
};

static int print_help(void)
{
	puts("Usage: evtchn trace --output FILE [OPTION]... [--] PROGRAM "
	     "[ARGUMENT]...\n"
	     "       evtchn trace --merge DIR [--output FILE]\n"
	     "\n"
	     "Run PROGRAM, record what it and all it starts do with event\n"
	     "channels, and write that as a trace for ui.perfetto.dev or\n"
	     "chrome://tracing: a track for each vCPU, with sends, events,\n"
	     "upcalls, hypercalls and sleep, and an arrow from each send to "
	     "the\n"
	     "upcall that handles it.\n"
	     "\n"
	     "Options:\n"
	     "  -o, --output FILE  where to write the trace\n"
	     "  -d, --domain N     run PROGRAM as 'evtchn run --domain N' "
	     "does\n"
	     "  -m, --merge DIR    no program: the trace of what was recorded "
	     "in DIR\n"
	     "  -h, --help         this text\n"
	     "\n"
	     "Environment:\n"
	     "  EVTCHN_TRACE         a directory: whatever becomes a domain "
	     "records\n"
	     "                       there, also what is killed; for --merge\n"
	     "  EVTCHN_TRACE_EVENTS  how many records are kept of each "
	     "attachment,\n"
	     "                       the newest (65536, of 32 bytes)\n"
	     "  TMPDIR               where to record meanwhile, /tmp\n"
	     "\n"
	     "A send that meets one that was not taken yet has no arrow of "
	     "its\n"
	     "own; nor has one through the broker.\n"
	     "\n"
	     "Exit status: PROGRAM's, as with run; 1 if nothing was recorded,\n"
	     "or a record is damaged; 2 if the command line is wrong.\n"
	     "\n"
	     "Examples:\n"
	     "  evtchn trace --output timer.json --domain 1 -- ./timer\n"
	     "  evtchn trace -o alice.json -- examples/alice.sh -n 9 build\n"
	     "  EVTCHN_TRACE=/tmp/dir evtchn run --domain 1 -- ./alice_domU\n"
	     "  evtchn trace --merge /tmp/dir >trace.json");

	return cli_flush(command) ? 0 : EXIT_NOTHING;
}

static const struct option options[] = {
	{"output", required_argument, NULL, 'o'},
	{"domain", required_argument, NULL, 'd'},
	{"merge", required_argument, NULL, 'm'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int check(const struct request *r)
{
	if (r->merge && (r->program[0] || r->domain))
		cli_error(command, "--merge DIR goes without a program");
	else if (!r->merge && !r->program[0])
		cli_error(command, "what is to be traced?  Give a program, or "
				   "--merge DIR");
	else if (!r->merge && !r->output)
		cli_error(command, "where to?  Give --output FILE; stdout is "
				   "the program's");
	else
		return -1;

	return EXIT_MISUSE;
}

/* -1 when the request is complete, else the exit status to leave with. */
static int parse(int argc, char **argv, struct request *r)
{
	uint16_t domid;
	int c;

	while ((c = getopt_long(argc, argv, "+:o:d:m:h", options, NULL)) >= 0) {
		if (c == 'o')
			r->output = optarg;
		else if (c == 'm')
			r->merge = optarg;
		else if (c == 'd')
			r->domain = optarg;
		else if (c == 'h')
			return print_help();
		else
			return cli_bad_option(command, options, c, argv);
	}
	if (r->domain && !cli_domid(command, r->domain, &domid))
		return EXIT_MISUSE;
	r->program = argv + optind;

	return check(r);
}

/* --- The document --------------------------------------------------------- */

/* Everything is printed on stdout: from now on that is @path. */
static bool redirect(const char *path)
{
	if (!path || freopen(path, "w", stdout))
		return true;
	cli_error(command, "%s: %s", path, strerror(errno));

	return false;
}

static bool merge(const char *dir, const char *output)
{
	struct tracing t = {0};
	bool ok = tracing_read(command, dir, &t) && tracing_pair(command, &t) &&
		  redirect(output);

	if (ok) {
		tracing_print(&t);
		ok = cli_flush(command);
	}
	tracing_free(&t);

	return ok;
}

/* --- The program ---------------------------------------------------------- */

/* As `evtchn run` does, in this process. */
static int run_as_domain(const struct request *r)
{
	static char run[] = "run", domain[] = "--domain", dashes[] = "--";
	size_t nr = 0;
	char **argv;
	int status;

	while (r->program[nr])
		nr++;
	argv = calloc(nr + 5, sizeof(*argv));
	if (!argv) {
		cli_error(command, "no memory");
		return EXIT_NOTHING;
	}
	argv[0] = run;
	argv[1] = domain;
	argv[2] = r->domain;
	argv[3] = dashes;
	memcpy(argv + 4, r->program, nr * sizeof(*argv));
	optind = 0; /* getopt starts again */
	status = cmd_run((int)nr + 4, argv);
	free(argv);

	return status;
}

/* Before the program has run for an hour. */
static bool can_write(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);

	if (fd < 0 && errno != ENXIO) {
		cli_error(command, "%s: %s", path, strerror(errno));
		return false;
	}
	if (fd >= 0)
		close(fd);

	return true;
}

static int run(const struct request *r)
{
	char dir[PATH_MAX - 64]; /* and the names in it */
	int status;

	if (!can_write(r->output) || !scratch_make(command, dir, sizeof(dir)))
		return EXIT_NOTHING;
	if (setenv("EVTCHN_TRACE", dir, 1)) {
		cli_error(command, "no memory");
		return EXIT_NOTHING;
	}
	status = r->domain ? run_as_domain(r)
			   : child_run(command, r->program, NULL);
	if (!merge(dir, r->output) && !status)
		status = EXIT_NOTHING;
	scratch_remove(command, dir);

	return status;
}

int cmd_trace(int argc, char **argv)
{
	struct request r = {0};
	int status;

	opterr = 0;
	status = parse(argc, argv, &r);
	if (status >= 0)
		return status;
	if (r.merge)
		return merge(r.merge, r.output) ? 0 : EXIT_NOTHING;

	return run(&r);
}
