/* SPDX-License-Identifier: MIT */
/* What a program written for Xen finds around it. */
#ifndef EVTCHN_XEN_H
#define EVTCHN_XEN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Prepare the environment of a program that is run as @domid of the broker at
 * @socket: our libraries in the place of Xen's, and Xen's files in a directory.
 * To be called while SOCKET.lock is held.  False, with a message printed, when
 * it cannot be done.
 */
bool xen_prepare(const char *command, const char *socket, uint32_t domid);

#endif /* EVTCHN_XEN_H */
