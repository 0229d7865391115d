/* SPDX-License-Identifier: MIT */
/*
 * The part of the alice programs that has nothing to do with event channels:
 * their command lines.
 */
#ifndef EXAMPLES_ALICE_H
#define EXAMPLES_ALICE_H

#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* How long to wait for an event that must come. */
#define PATIENCE_NS (INT64_C(5) * 1000 * 1000 * 1000)

#define MAX_ROUNDS 100000000ul
#define MAX_DOMID  32751ul
#define MAX_PORT   131071ul

/* What a program is, and what it was told. */
struct arguments {
	const char *program;
	const char *help;
	unsigned long rounds;
	char **rest; /* the arguments that are no options ... */
	int nr_rest; /* ... exactly so many */
};

static inline void leave_misuse(const struct arguments *a, const char *what,
				const char *argument)
{
	fprintf(stderr, "%s: %s '%s'; see --help\n", a->program, what,
		argument);
	exit(2);
}

static inline unsigned long parse_number(const struct arguments *a,
					 const char *text, unsigned long max)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value > max)
		leave_misuse(a, "not a number, or too large:", text);

	return value;
}

static inline void parse_arguments(struct arguments *a, int argc, char **argv)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":n:h", options, NULL)) >= 0) {
		if (c == 'h') {
			puts(a->help);
			exit(0);
		}
		if (c != 'n')
			leave_misuse(a, "wrong option", argv[optind - 1]);
		a->rounds = parse_number(a, optarg, MAX_ROUNDS);
		if (!a->rounds)
			leave_misuse(a, "too few rounds:", optarg);
	}
	a->rest = argv + optind;
	if (argc - optind > a->nr_rest)
		leave_misuse(a, "one argument too many:", a->rest[a->nr_rest]);
	if (argc - optind < a->nr_rest)
		leave_misuse(a, "arguments are missing after",
			     argv[optind - 1]);
}

#endif /* EXAMPLES_ALICE_H */
