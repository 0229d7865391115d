/* SPDX-License-Identifier: MIT */
/* Strings in JSON documents on stdout. */
#ifndef EVTCHN_JSON_H
#define EVTCHN_JSON_H

#include <stddef.h>

/* At most @max bytes of @text, quoted; valid whatever they are. */
void json_string(const char *text, size_t max);

#endif /* EVTCHN_JSON_H */
