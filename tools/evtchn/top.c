/* SPDX-License-Identifier: MIT */
/*
 * evtchn top - watch the busiest ports.
 *
 * A screen is drawn over the one before: cursor home, each line cleared to its
 * end, the rest of the screen cleared.  The terminal is put back as it was
 * found, whatever ends this: q, a signal, an error.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "hosts/process/control.h"
#include "cli.h"
#include "commands.h"
#include "sample.h"
#include "socket.h"

static const char command[] = "top";

#define DEFAULT_NS INT64_C(1000000000)

struct request {
	char socket[SOCKET_PATH_MAX];
	int64_t interval;
};

static int print_help(void)
{
	puts("Usage: evtchn top [OPTION]...\n"
	     "\n"
	     "Watch the busiest domains and ports; see 'evtchn stat --help' "
	     "for\n"
	     "the columns.  q quits.  If standard output is no terminal, "
	     "print\n"
	     "one interval and say so.\n"
	     "\n"
	     "Options:\n"
	     "  -i, --interval TIME  between two screens; 1s\n"
	     "  -s, --socket PATH    the broker's socket\n"
	     "  -h, --help           this text\n"
	     "\n"
	     "Exit status: 0; 1 if there is no broker; 2 if the command line\n"
	     "is wrong.\n"
	     "\n"
	     "Example:\n"
	     "  evtchn top --interval 500ms");

	return cli_flush(command) ? 0 : EXIT_NOTHING;
}

static const struct option options[] = {
	{"interval", required_argument, NULL, 'i'},
	{"socket", required_argument, NULL, 's'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* -1 when the request is complete, else the exit status to leave with. */
static int parse(int argc, char **argv, struct request *r)
{
	const char *socket = NULL;
	int c;

	while ((c = getopt_long(argc, argv, ":i:s:h", options, NULL)) >= 0) {
		if (c == 'i' && !cli_duration(command, optarg, &r->interval))
			return EXIT_MISUSE;
		if (c == 's')
			socket = optarg;
		if (c == 'h')
			return print_help();
		if (c == '?' || c == ':')
			return cli_bad_option(command, options, c, argv);
	}
	if (!cli_no_more(command, argv[optind]))
		return EXIT_MISUSE;

	return socket_path(command, socket, r->socket) ? EXIT_MISUSE : -1;
}

/* --- The terminal --------------------------------------------------------- */

static volatile sig_atomic_t is_over;
static struct termios before;
static bool is_raw;

static void on_signal(int sig)
{
	(void)sig;
	is_over = 1;
}

/* Keys come one by one and are not shown; without a terminal there are none. */
static void take_terminal(void)
{
	const struct sigaction quit = {.sa_handler = on_signal};
	struct termios raw;

	sigaction(SIGINT, &quit, NULL);
	sigaction(SIGTERM, &quit, NULL);
	if (tcgetattr(STDIN_FILENO, &before))
		return;
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	is_raw = !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static void give_terminal_back(void)
{
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static size_t nr_lines(void)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) || w.ws_row < 3)
		return 24;

	return w.ws_row;
}

/* Wait for an interval, or for a key.  False: it is over. */
static bool pause_for(int64_t ns)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	int rc = poll(&p, is_raw, (int)(ns / 1000000));
	char key = 0;

	if (rc > 0 && read(STDIN_FILENO, &key, 1) <= 0)
		return false;

	return key != 'q' && !is_over;
}

/* --- Screens -------------------------------------------------------------- */

static bool show(const struct sample *s, bool screen)
{
	if (screen)
		fputs("\033[H\033[J", stdout);
	sample_print_table(s, screen, true, screen ? nr_lines() - 2 : SIZE_MAX);

	return cli_flush(command);
}

static bool next_screen(const struct request *r, struct sample *last,
			bool screen)
{
	struct sample difference;
	bool ok;

	if (!sample_step(command, r->socket, last, &difference))
		return false;
	ok = show(&difference, screen);
	sample_free_sums(&difference);

	return ok;
}

/* One was killed, and has left its socket: the next one may come soon. */
static bool is_between_brokers(const char *socket)
{
	int fd, rc = evp_control_connect(socket, &fd);

	if (!rc)
		close(fd);

	return rc == -ECONNREFUSED;
}

static bool watch(const struct request *r, bool screen)
{
	struct sample last;
	bool ok = sample_take(command, r->socket, &last);
	bool more = ok;

	while (more && pause_for(r->interval)) {
		if (screen && is_between_brokers(r->socket))
			continue;
		ok = next_screen(r, &last, screen);
		more = ok && screen;
	}
	sample_free(&last);

	return ok;
}

int cmd_top(int argc, char **argv)
{
	struct request r = {.interval = DEFAULT_NS};
	bool screen = isatty(STDOUT_FILENO);
	int status;
	bool ok;

	opterr = 0;
	status = parse(argc, argv, &r);
	if (status >= 0)
		return status;
	if (screen)
		take_terminal();
	ok = watch(&r, screen);
	if (ok && !screen)
		cli_error(command, "standard output is no terminal: one "
				   "interval only; see 'evtchn stat'");
	give_terminal_back();

	return ok ? 0 : EXIT_NOTHING;
}
