/* SPDX-License-Identifier: MIT */
/* What a program written for Xen finds around it. */
#ifndef EVTCHN_XEN_H
#define EVTCHN_XEN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Prepare the environment of a program that is run as @domid of the broker at
 * @socket, another user's if it is @theirs: our libraries in the place of Xen's,
 * and Xen's files in a directory.  False, with a message printed, when it cannot
 * be done.
 */
bool xen_prepare(const char *command, const char *socket, bool theirs,
		 uint32_t domid);

#endif /* EVTCHN_XEN_H */
