/* SPDX-License-Identifier: MIT */
/* Start the broker when there is none. */
#ifndef EVTCHN_BROKER_H
#define EVTCHN_BROKER_H

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

#endif /* EVTCHN_BROKER_H */
