/* SPDX-License-Identifier: MIT */
/* A directory for as long as a command runs. */
#ifndef EVTCHN_SCRATCH_H
#define EVTCHN_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

/* In TMPDIR or /tmp.  False, with a message printed: it failed. */
bool scratch_make(const char *command, char *dir, size_t size);

/* With all that is in it. */
void scratch_remove(const char *command, const char *dir);

#endif /* EVTCHN_SCRATCH_H */
