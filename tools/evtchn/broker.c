/* SPDX-License-Identifier: MIT */
/*
 * Start the broker when there is none.
 *
 * Ten commands started at once must end up with one broker.  So whoever wants
 * to connect takes an flock on SOCKET.lock first, and keeps it until the
 * broker has answered: either a broker was there, or this process starts the
 * one that will be.  The lock goes with its holder, however that dies.
 *
 * A broker that is about to exit because it is idle takes the same lock, so it
 * cannot leave between our connect and our first question.
 *
 * The broker outlives the command that started it.  It must therefore keep
 * nothing of it: not the terminal, not a pipe somebody reads to its end, not
 * the working directory.  What it has to say goes to SOCKET.log.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker.h"
#include "cli.h"

#define READY_FD	 3
#define READY_TIMEOUT_MS 10000
#define LOCK_PATIENCE_S	 3

/* --- The lock ------------------------------------------------------------- */

static void interrupt(int sig)
{
	(void)sig; /* it is enough that flock() returns */
}

/*
 * Others hold it for a moment while they connect.  If it takes longer, say
 * what we are waiting for; somebody may have been stopped while holding it.
 */
static int take_lock(const char *command, int fd, const char *path)
{
	const struct sigaction on_alarm = {.sa_handler = interrupt};
	struct sigaction old;
	int rc;

	sigaction(SIGALRM, &on_alarm, &old);
	alarm(LOCK_PATIENCE_S);
	while ((rc = flock(fd, LOCK_EX)) && errno == EINTR)
		cli_error(command,
			  "waiting for '%s': another evtchn holds it; see "
			  "who with: fuser '%s'",
			  path, path);
	alarm(0);
	sigaction(SIGALRM, &old, NULL);

	return rc;
}

int broker_lock(const char *command, const char *socket)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s.lock", socket);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		cli_error(command,
			  "cannot open the lock '%s': %s; name a socket in a "
			  "directory of yours with --socket",
			  path, strerror(errno));
		return -1;
	}
	if (take_lock(command, fd, path)) {
		cli_error(command, "cannot lock '%s': %s", path,
			  strerror(errno));
		close(fd);
		return -1;
	}

	return fd;
}

/* --- Becoming the broker -------------------------------------------------- */

void broker_find_beside(const char *name, char path[PATH_MAX])
{
	size_t size = strlen(name) + 1;
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *slash;

	if (length > 0) {
		path[length] = '\0';
		slash = strrchr(path, '/');
		if (slash && (size_t)(slash - path) + size < PATH_MAX) {
			memcpy(slash + 1, name, size);
			if (!access(path, X_OK))
				return;
		}
	}
	memcpy(path, name, size);
}

/* Standard input, output and error: nothing, nothing, the log. */
static void replace_streams(const char *log)
{
	int null = open("/dev/null", O_RDWR);
	int err = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);

	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(err >= 0 ? err : null, STDERR_FILENO);
}

/* In the new process.  Does not return; the parent sees @ready close. */
static void exec_broker(const char *socket, const char *log, int ready)
{
	char path[PATH_MAX];
	sigset_t none;

	broker_find_beside("evtchnd", path);
	setsid();
	replace_streams(log);
	if (chdir("/"))
		_exit(1);
	/* Whatever the shell left open in us stays out of the broker. */
	if (ready == READY_FD)
		fcntl(ready, F_SETFD, 0);
	else
		dup2(ready, READY_FD);
	closefrom(READY_FD + 1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);

	execlp(path, path, "--socket", socket, "--exit-idle", "--ready-fd", "3",
	       (char *)NULL);
	dprintf(STDERR_FILENO,
		"cannot run evtchnd: %s; it belongs beside evtchn or in PATH\n",
		strerror(errno));
	_exit(127);
}

/* --- Waiting for it ------------------------------------------------------- */

/* True when the broker wrote its ready byte; false when it closed the pipe. */
static bool wait_ready(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char byte;
	int rc;

	do
		rc = poll(&p, 1, READY_TIMEOUT_MS);
	while (rc < 0 && errno == EINTR);

	return rc > 0 && read(fd, &byte, 1) == 1;
}

/* The last line of a file, or "". */
static void last_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");

	line[0] = '\0';
	if (!f)
		return;
	while (fgets(line, (int)size, f))
		line[strcspn(line, "\n")] = '\0';
	fclose(f);
}

static void report_failure(const char *command, const char *log)
{
	char line[512];

	last_line(log, line, sizeof(line));
	if (line[0])
		cli_error(command, "the broker did not start: %s", line);
	else
		cli_error(command,
			  "the broker did not start, and left no "
			  "reason in '%s'",
			  log);
}

int broker_start(const char *command, const char *socket)
{
	char log[PATH_MAX];
	bool is_ready;
	int ready[2];
	pid_t pid;

	snprintf(log, sizeof(log), "%s.log", socket);
	if (pipe2(ready, O_CLOEXEC)) {
		cli_error(command, "cannot start the broker: %s",
			  strerror(errno));
		return -1;
	}
	pid = fork();
	if (pid == 0)
		exec_broker(socket, log, ready[1]);
	close(ready[1]);
	is_ready = pid > 0 && wait_ready(ready[0]);
	close(ready[0]);
	if (is_ready)
		return 0;
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	report_failure(command, log);

	return -1;
}

/*
 * One that ends in order removes SOCKET.pid.  Not so the socket: whoever takes a
 * dead one's place removes that for a moment.
 */
bool broker_was_killed(const char *socket)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s.pid", socket);

	return *socket && !lstat(path, &st);
}
