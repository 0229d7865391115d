/* SPDX-License-Identifier: MIT */
/* The broker's socket, and when it is given up: listen.c. */
#ifndef EVTCHND_LISTEN_H
#define EVTCHND_LISTEN_H

#include "broker.h"

/* Bind @b->path.  Returns 0, or -errno after saying on stderr why not. */
int evd_listen(struct evd_broker *b);

/* Who we are, for those who find the path taken. */
void evd_write_pid(struct evd_broker *b, pid_t pid);

/* Stop listening; the path is free. */
void evd_unlisten(struct evd_broker *b);

/*
 * Nobody is connected: stop listening, unless somebody is about to connect.
 * True: the broker is over.
 */
bool evd_retire(struct evd_broker *b);

#endif /* EVTCHND_LISTEN_H */
