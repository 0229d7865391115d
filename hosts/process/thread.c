/* SPDX-License-Identifier: MIT */
/*
 * A new thread begins with the signal mask of who made it.  So all signals are
 * blocked before it is made, and not by the thread itself: one that came in
 * between would find it with the program's mask.
 */
#include "thread.h"

#include <signal.h>

int evp_thread_start(pthread_t *thread, void *(*run)(void *), void *arg)
{
	sigset_t all, before;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(thread, NULL, run, arg);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -rc;
}
