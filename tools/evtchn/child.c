/* SPDX-License-Identifier: MIT */
/*
 * Run a program and end as it ends.
 *
 * Signals are not handled but waited for: they are blocked before the program
 * is started, and sigwaitinfo() takes them one by one.  So there is no handler
 * and no race between "has it ended?" and going to sleep.
 *
 * Ctrl-C needs thought.  The terminal sends SIGINT to every process of the
 * foreground group, so the program has it already and must not get it twice;
 * a SIGINT that somebody sent with kill(1) came to us alone and is passed on.
 * si_code tells one from the other.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "cli.h"

static const int forwarded[] = {SIGHUP,	 SIGINT,  SIGQUIT,  SIGTERM,
				SIGUSR1, SIGUSR2, SIGWINCH, SIGALRM};

/* The signals to wait for.  Those the caller has ignored (nohup) stay so. */
static void fill_wait_set(sigset_t *set, const struct child_watch *w)
{
	struct sigaction old;

	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	if (w)
		sigaddset(set, w->signal);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(*forwarded); i++) {
		if (!sigaction(forwarded[i], NULL, &old) &&
		    old.sa_handler != SIG_IGN)
			sigaddset(set, forwarded[i]);
	}
}

/* Is there such a file in any directory of PATH that we can look into? */
static bool is_in_path(const char *name)
{
	const char *dir = getenv("PATH");
	char path[PATH_MAX];

	while (dir && *dir) {
		size_t len = strcspn(dir, ":");

		snprintf(path, sizeof(path), "%.*s/%s", (int)len, dir, name);
		if (!access(path, F_OK))
			return true;
		dir += len + (dir[len] == ':');
	}

	return false;
}

/* In the new process: become the program.  Does not return. */
static void exec_program(const char *command, char **argv,
			 const sigset_t *old_mask)
{
	sigprocmask(SIG_SETMASK, old_mask, NULL);
	execvp(argv[0], argv);
	/* A directory of PATH that we may not enter says EACCES, too. */
	if (errno == EACCES && !strchr(argv[0], '/') && !is_in_path(argv[0]))
		errno = ENOENT;
	if (errno == ENOENT) {
		cli_error(command,
			  "cannot run '%s': not found; give its path, or a "
			  "name that is in PATH",
			  argv[0]);
		_exit(CHILD_NOT_FOUND);
	}
	cli_error(command, "cannot run '%s': %s; is it an executable program?",
		  argv[0], strerror(errno));
	_exit(CHILD_CANNOT_RUN);
}

/*
 * Collect what has ended; the broker may be among it when we started it.
 * True when it was @pid, with its wait status.
 */
static bool reap(pid_t pid, int *status)
{
	pid_t ended;
	int s;

	while ((ended = waitpid(-1, &s, WNOHANG)) > 0) {
		if (ended == pid) {
			*status = s;
			return true;
		}
	}

	return false;
}

static int wait_for(pid_t pid, const sigset_t *set, const struct child_watch *w)
{
	siginfo_t info;
	int status;

	for (;;) {
		int sig = sigwaitinfo(set, &info);

		if (sig < 0)
			continue; /* interrupted by being stopped */
		if (sig == SIGCHLD && reap(pid, &status))
			return status;
		if (w && sig == w->signal)
			w->happen(w->ctx);
		else if (sig != SIGCHLD && info.si_code <= 0)
			kill(pid, sig);
	}
}

int child_run(const char *command, char **argv, const struct child_watch *w)
{
	sigset_t set, old;
	int status;
	pid_t pid;

	/* An inherited "ignore" would make the kernel swallow its status. */
	signal(SIGCHLD, SIG_DFL);
	fill_wait_set(&set, w);
	sigprocmask(SIG_BLOCK, &set, &old);

	pid = fork();
	if (pid == 0)
		exec_program(command, argv, &old);
	if (pid < 0) {
		cli_error(command, "cannot start a process for '%s': %s",
			  argv[0], strerror(errno));
		return CHILD_CANNOT_RUN;
	}
	if (w)
		w->begin(w->ctx);
	status = wait_for(pid, &set, w);

	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}
