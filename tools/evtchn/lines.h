/* SPDX-License-Identifier: MIT */
/* The interrupt lines of a domain: evtchn run --pirq. */
#ifndef EVTCHN_LINES_H
#define EVTCHN_LINES_H

#include <stdbool.h>
#include <stdint.h>

#define LINES_MAX 16

struct lines {
	struct {
		uint32_t pirq;
		const char *path; /* NULL: the line is there already */
		int fd;		  /* of the path, when it was opened */
	} line[LINES_MAX];
	unsigned int count;
};

/* Take one argument, N or N=PATH.  False, with a message printed. */
bool lines_take(const char *command, struct lines *l, const char *argument);

/*
 * Open the devices and have the broker at @socket make lines of them, for a
 * domain that is held.  False, with a message printed.
 */
bool lines_make(const char *command, struct lines *l, const char *socket,
		uint32_t domid);

/* The same for the broker after that one. */
bool lines_again(const char *command, const struct lines *l, const char *socket,
		 uint32_t domid);

#endif /* EVTCHN_LINES_H */
