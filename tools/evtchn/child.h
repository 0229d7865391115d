/* SPDX-License-Identifier: MIT */
/* Run a program and end as it ends. */
#ifndef EVTCHN_CHILD_H
#define EVTCHN_CHILD_H

#define CHILD_CANNOT_RUN 126 /* as env(1): found, but not executable */
#define CHILD_NOT_FOUND	 127 /* as env(1) */

/*
 * What else to do meanwhile, NULL for nothing: @begin is called when @signal
 * cannot be missed any more, @happen each time it has come.
 */
struct child_watch {
	int signal;
	void (*begin)(void *ctx);
	void (*happen)(void *ctx);
	void *ctx;
};

/*
 * Run argv[0], found through PATH, with the environment and the descriptors of
 * the caller; pass on the signals the caller gets.  Returns when it has ended:
 * its exit status, 128 + the signal that killed it, or one of the above with a
 * message printed.
 */
int child_run(const char *command, char **argv, const struct child_watch *w);

#endif /* EVTCHN_CHILD_H */
