/* SPDX-License-Identifier: MIT */
/* Hold a domain, also when the broker that has it is killed. */
#ifndef EVTCHN_HOLD_H
#define EVTCHN_HOLD_H

#include <stdbool.h>

struct hold {
	/* Connect anew, which may mean to start a broker: a descriptor, or -1. */
	int (*again)(void *ctx);
	void *ctx;
	const char *socket;
	int fd; /* the session */
};

/* The session hung up, or something came: SIGIO, from now on. */
void hold_begin(void *hold);
void hold_look(void *hold);

#endif /* EVTCHN_HOLD_H */
