/* SPDX-License-Identifier: MIT */
/* What all commands share: messages, and arguments that are numbers. */
#ifndef EVTCHN_CLI_H
#define EVTCHN_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* The largest number a domain may have: those from 0x7FF0 up have a meaning. */
#define CLI_MAX_DOMID 32751u

/*
 * Print "evtchn COMMAND: MESSAGE" on stderr, in one line whatever the
 * arguments contain.  @command NULL: "evtchn: MESSAGE".
 */
void cli_error(const char *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Explain why getopt_long returned '?' or ':'.  The option string has a ':' in
 * front, opterr is 0, and @options names every letter.  Returns EXIT_MISUSE.
 */
int cli_bad_option(const char *command, const struct option *options, int c,
		   char **argv);

/* @argument is NULL, as no more are wanted.  False, with a message printed. */
bool cli_no_more(const char *command, const char *argument);

/*
 * Parse a decimal number up to @max, without blanks and signs.  @end: what comes
 * after it.  False, without a message: there is none, or it is larger.
 */
bool cli_digits(const char *text, uint32_t max, uint32_t *number,
		const char **end);

/*
 * Parse a domain number, 0..CLI_MAX_DOMID, decimal.  False, with a message
 * printed, when @text is none.
 */
bool cli_domid(const char *command, const char *text, uint16_t *domid);

/*
 * Parse a time: a decimal number with ms, s, m or h; without, seconds.  False,
 * with a message printed, when @text is none.
 */
bool cli_duration(const char *command, const char *text, int64_t *ns);

/* Parse a number from 1 to @max; @what it is: "a port".  Likewise. */
bool cli_number(const char *command, const char *what, const char *text,
		uint32_t max, uint32_t *number);

/*
 * Flush stdout.  False, with a message printed, when not all of it could be
 * written.
 */
bool cli_flush(const char *command);

/* May @stream show colours: a terminal, and NO_COLOR is not set? */
bool cli_has_colour(FILE *stream);

#endif /* EVTCHN_CLI_H */
