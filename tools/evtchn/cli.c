/* SPDX-License-Identifier: MIT */
/*
 * What all commands of evtchn share.
 *
 * The rules: an error is one line on stderr that names the command, the thing
 * and the remedy; status 2 means that the command line was wrong.  A message
 * quotes what the user typed, so it may contain anything: characters that
 * would end the line or steer the terminal are shown as '?'.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"

static void make_printable(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == '\177')
			*text = '?';
	}
}

void cli_error(const char *command, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	make_printable(text);

	/* One call, so that lines of concurrent commands stay whole. */
	fprintf(stderr, "evtchn%s%s: %s\n", command ? " " : "",
		command ? command : "", text);
}

/* The long name of the option that optopt says is at fault, or NULL. */
static const char *known_option(const struct option *options)
{
	for (; options->name; options++) {
		if (options->val == optopt)
			return options->name;
	}

	return NULL;
}

/*
 * getopt_long leaves in optopt: 0 for an unknown long option; the letter of an
 * unknown short one; the letter, also of a long one, when the option is known
 * but lacks an argument, or has one it does not take.
 */
int cli_bad_option(const char *command, const struct option *options, int c,
		   char **argv)
{
	const char *name = known_option(options);

	if (name && c == ':')
		cli_error(command,
			  "an argument is missing after '--%s'; see 'evtchn %s "
			  "--help'",
			  name, command);
	else if (name)
		cli_error(command,
			  "'--%s' takes no argument; see 'evtchn %s --help'",
			  name, command);
	else if (optopt)
		cli_error(command,
			  "unknown option '-%c'; see 'evtchn %s --help'",
			  optopt, command);
	else
		cli_error(command,
			  "unknown option '%s'; see 'evtchn %s --help'",
			  argv[optind - 1], command);

	return EXIT_MISUSE;
}

bool cli_no_more(const char *command, const char *argument)
{
	if (argument)
		cli_error(command, "'%s' is one argument too many", argument);

	return !argument;
}

bool cli_digits(const char *text, uint32_t max, uint32_t *number,
		const char **end)
{
	unsigned long value;
	char *rest;

	errno = 0;
	value = strtoul(text, &rest, 10);
	*end = rest;
	*number = (uint32_t)value;

	/* strtoul would take blanks and signs. */
	return *text >= '0' && *text <= '9' && !errno && value <= max;
}

bool cli_domid(const char *command, const char *text, uint16_t *domid)
{
	const char *end;
	uint32_t value;

	if (!cli_digits(text, CLI_MAX_DOMID, &value, &end) || *end) {
		cli_error(command,
			  "'%s' is not a domain: give a number from 0 to %u",
			  text, CLI_MAX_DOMID);
		return false;
	}
	*domid = (uint16_t)value;

	return true;
}

bool cli_number(const char *command, const char *what, const char *text,
		uint32_t max, uint32_t *number)
{
	const char *end;

	if (!cli_digits(text, max, number, &end) || *end || !*number) {
		cli_error(command, "'%s' is not %s: give a number from 1 to %u",
			  text, what, max);
		return false;
	}

	return true;
}

static const struct {
	const char *name;
	double ns;
} units[] = {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"m", 60e9}, {"h", 3600e9}};

#define LONGEST 1e17 /* ns: three years */

bool cli_duration(const char *command, const char *text, int64_t *ns)
{
	double value;
	char *end;
	size_t i;

	value = strtod(text, &end);
	/* strtod would take blanks, signs, "inf" and hexadecimal numbers. */
	for (i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strspn(text, "0123456789.") == (size_t)(end - text) &&
		    end != text && !strcmp(end, units[i].name) &&
		    value * units[i].ns <= LONGEST) {
			*ns = (int64_t)(value * units[i].ns);
			return true;
		}
	}
	cli_error(command,
		  "'%s' is not a time: give a number with ms, s, m or h, "
		  "as in 5s or 0.2s",
		  text);

	return false;
}

bool cli_flush(const char *command)
{
	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return true;
	cli_error(command, "the output is incomplete: %s", strerror(errno));

	return false;
}

bool cli_has_colour(FILE *stream)
{
	const char *no_colour = getenv("NO_COLOR");

	return isatty(fileno(stream)) && !(no_colour && *no_colour);
}
