/* SPDX-License-Identifier: MIT */
/* Start the broker when there is none. */
#ifndef EVTCHN_BROKER_H
#define EVTCHN_BROKER_H

#include <limits.h>
#include <stdbool.h>

/*
 * Take the lock that goes with @socket, so that nobody else starts a broker
 * meanwhile.  Returns a descriptor, to be closed when the broker has answered;
 * or -1, with a message printed.
 */
int broker_lock(const char *command, const char *socket);

/*
 * Start evtchnd on @socket and wait until it listens.  The caller holds the
 * lock and found nobody listening.  0; or -1, with a message printed.
 */
int broker_start(const char *command, const char *socket);

/*
 * The path of program @name (short): it lies beside evtchn; when it does not,
 * @path is @name, and PATH decides.
 */
void broker_find_beside(const char *name, char path[PATH_MAX]);

/*
 * The broker on @socket ("": none to look for) is gone: was it killed, or is there
 * another one already, rather than having ended in order?
 */
bool broker_was_killed(const char *socket);

#endif /* EVTCHN_BROKER_H */
