/* SPDX-License-Identifier: MIT */
/*
 * Which broker to talk to: the path of its socket.
 *
 * The path is made absolute, because the program that `evtchn run` starts, and
 * the broker itself, may live in another directory.  What is wrong with it is
 * found here: connect(2) calls a plain file "connection refused", as if a
 * broker had just left.
 */
#include <errno.h>
#include <sys/stat.h>

#include <evp/evp.h>

#include "hosts/process/control.h"
#include "cli.h"
#include "commands.h"
#include "socket.h"

static bool is_something_else(const char *path)
{
	struct stat st;

	return !stat(path, &st) && !S_ISSOCK(st.st_mode);
}

int socket_path(const char *command, const char *given,
		char path[SOCKET_PATH_MAX])
{
	char fallback[SOCKET_PATH_MAX];

	if (!given && evp_default_socket(fallback, sizeof(fallback), true)) {
		cli_error(command, "%s", evp_error());
		return EXIT_MISUSE;
	}
	if (!given)
		given = fallback;
	if (!*given) {
		cli_error(command, "the socket has an empty name; leave "
				   "--socket out for the default");
		return EXIT_MISUSE;
	}
	if (!evp_absolute_path(given, path)) {
		cli_error(command,
			  "the socket's path '%s' is too long: at most %zu "
			  "bytes, counted from /",
			  given, SOCKET_PATH_MAX - 1);
		return EXIT_MISUSE;
	}
	if (is_something_else(path)) {
		cli_error(command,
			  "'%s' is not a socket; name another with --socket",
			  path);
		return EXIT_MISUSE;
	}

	return 0;
}

bool socket_open(const char *command, const char *path, int *fd,
		 uint32_t *broker_pid)
{
	int rc = evp_control_open(path, fd, broker_pid);

	if (rc == -ENOENT || rc == -ECONNREFUSED)
		cli_error(command, "no broker at '%s'; 'evtchn run' starts one",
			  path);
	else if (rc)
		cli_error(command, "%s", evp_error());

	return !rc;
}
