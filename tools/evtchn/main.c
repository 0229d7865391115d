/* SPDX-License-Identifier: MIT */
/*
 * evtchn - the command line of Xen event channels without Xen.
 *
 * This file knows the commands by name only: to add one, write cmd_NAME() in
 * a file of its own, declare it in commands.h and add a row to the table.
 * "evtchn help NAME" calls the command with --help, so a command's help has
 * one home, next to the options it describes.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"

#define EVTCHN_VERSION "0.1.0"

static int cmd_help(int argc, char **argv);

static const struct command {
	const char *name;
	int (*function)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{"run", cmd_run, "run a program as a domain"},
	{"ls", cmd_ls, "list domains and their ports"},
	{"stat", cmd_stat, "count events"},
	{"top", cmd_top, "watch the busiest ports"},
	{"graph", cmd_graph, "draw who is connected to whom"},
	{"trace", cmd_trace, "record who notified whom, and when"},
	{"bench", cmd_bench, "measure what an event costs here"},
	{"alloc", cmd_alloc, "make a port that another domain may bind"},
	{"bind", cmd_bind, "connect to a port of another domain"},
	{"notify", cmd_notify, "send an event"},
	{"wait", cmd_wait, "wait for an event"},
	{"close", cmd_close, "close a port"},
	{"debug-key", cmd_debug_key, "raise a virtual interrupt"},
	{"delegate", cmd_delegate, "say which domain handles a global one"},
	{"replay", cmd_replay, "compare with recordings of real Xen"},
	{"help", cmd_help, "explain a command"},
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* --- Help ----------------------------------------------------------------- */

static void print_usage(FILE *out)
{
	fputs("Usage: evtchn COMMAND [OPTION]... [ARGUMENT]...\n"
	      "\n"
	      "Xen event channels between Linux processes: each process plays\n"
	      "a domain, the broker evtchnd plays the hypervisor.\n"
	      "\n"
	      "Commands:\n",
	      out);
	for (size_t i = 0; i < NR_COMMANDS; i++)
		fprintf(out, "  %-9s %s\n", commands[i].name,
			commands[i].summary);
	fputs("\n"
	      "Options:\n"
	      "  -h, --help     this text; 'evtchn help COMMAND' for a "
	      "command\n"
	      "  -V, --version  the version\n"
	      "\n"
	      "Environment:\n"
	      "  EVTCHN_SOCKET  the broker's socket, unless --socket names it\n"
	      "\n"
	      "Exit status: 0 success, 1 it failed or nothing is there, 2 the\n"
	      "command line is wrong; 'run' ends as its program does.\n"
	      "\n"
	      "Examples:\n"
	      "  evtchn run --domain 1 --name alice -- ./alice_domU\n"
	      "  evtchn ls\n"
	      "  evtchn help run\n",
	      out);
}

static int print_help(void)
{
	print_usage(stdout);

	return cli_flush(NULL) ? 0 : EXIT_NOTHING;
}

static int print_version(void)
{
	puts("evtchn " EVTCHN_VERSION);

	return cli_flush(NULL) ? 0 : EXIT_NOTHING;
}

/* --- Finding a command ---------------------------------------------------- */

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < NR_COMMANDS; i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}

	return NULL;
}

#define MAX_WORD 16u

static size_t lowest(size_t a, size_t b, size_t c)
{
	size_t low = a < b ? a : b;

	return low < c ? low : c;
}

/*
 * How many letters to insert, delete or replace to turn @a into @b: the
 * classic table, of which one row is kept.  row[j] is the distance from the
 * letters of @a so far to the first j letters of @b.
 */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[MAX_WORD + 1], b_length = strlen(b);

	if (strlen(a) > MAX_WORD || b_length > MAX_WORD)
		return MAX_WORD;
	for (size_t j = 0; j <= b_length; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < b_length; j++) {
			size_t above = row[j + 1];

			row[j + 1] = lowest(above + 1, row[j] + 1,
					    diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}

	return row[b_length];
}

static const char *closest_command(const char *name)
{
	size_t best = MAX_WORD + 1, distance;
	const char *closest = NULL;

	for (size_t i = 0; i < NR_COMMANDS; i++) {
		distance = edit_distance(name, commands[i].name);
		if (distance < best) {
			best = distance;
			closest = commands[i].name;
		}
	}

	return closest;
}

static int unknown_command(const char *name)
{
	if (name[0] == '-')
		cli_error(NULL, "unknown option '%s'; see 'evtchn --help'",
			  name);
	else
		cli_error(NULL,
			  "'%s' is not a command; the closest is '%s', "
			  "'evtchn --help' lists all",
			  name, closest_command(name));

	return EXIT_MISUSE;
}

/* --- Commands ------------------------------------------------------------- */

static int help_on_help(void)
{
	puts("Usage: evtchn help [COMMAND]\n"
	     "\n"
	     "Explain COMMAND, or list all commands.\n"
	     "\n"
	     "Example:\n"
	     "  evtchn help run");

	return cli_flush("help") ? 0 : EXIT_NOTHING;
}

static int cmd_help(int argc, char **argv)
{
	char option[] = "--help";
	char *help_argv[] = {NULL, option, NULL};
	const struct command *command;

	if (argc < 2)
		return print_help();
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help"))
		return help_on_help();
	if (argc > 2) {
		cli_error("help", "one command at a time: '%s' is too much",
			  argv[2]);
		return EXIT_MISUSE;
	}
	command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	help_argv[0] = argv[1];

	return command->function(2, help_argv);
}

static bool is_option(const char *arg, const char *brief, const char *full)
{
	return !strcmp(arg, brief) || !strcmp(arg, full);
}

/*
 * Started with standard streams closed, the next descriptors opened would
 * take their numbers.  A stream opened for reading only fails to print, as a
 * closed one does.
 */
static void occupy_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	const struct command *command;

	occupy_standard_streams();
	if (argc < 2) {
		cli_error(NULL, "no command given; 'evtchn --help' lists them");
		return EXIT_MISUSE;
	}
	if (is_option(argv[1], "-h", "--help"))
		return print_help();
	if (is_option(argv[1], "-V", "--version"))
		return print_version();
	command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);

	return command->function(argc - 1, argv + 1);
}
