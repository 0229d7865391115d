/* SPDX-License-Identifier: MIT */
/* A connection that holds a domain: what `run` and the port commands start with. */
#ifndef EVTCHN_SESSION_H
#define EVTCHN_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "socket.h"

struct session {
	char socket[SOCKET_PATH_MAX];
	int fd;
	uint32_t domid;
	bool inherited; /* of an `evtchn run`, which starts brokers */
};

/*
 * Reserve domain @want (or EVP_DOMID_ANY) at the broker on @socket, which is
 * started if none is there.  False, with a message printed: it failed.
 */
bool session_reserve(const char *command, const char *socket, uint32_t want,
		     const char *name, int *fd, uint32_t *domid);

/* An error that says: nobody listens, or whoever did has just left. */
bool session_is_nobody(int rc);

/* Is it another user's broker that is there? */
bool session_is_others(const char *socket);

/*
 * Tell the programs this process starts, by their environment, which domain
 * they are; they inherit @fd.  False, with a message printed: it failed.
 */
bool session_announce(const char *command, const char *socket, int fd,
		      uint32_t domid);

/*
 * Hold the domain a command is about: that of the session it was started in
 * (EVTCHN_FD), unless @socket was given; else @domid, and without it (-1) that
 * of EVTCHN_DOMAIN.
 * @lasting  somebody else must hold the domain already
 * Returns -1, or the exit status to leave with, a message printed.
 */
int session_open(const char *command, const char *socket, int domid,
		 bool lasting, struct session *s);

/*
 * The broker was killed: hold the domain at the next one (resume.c).  The first
 * returns a descriptor or -1, the second puts it in the place of @s's.  With a
 * message printed: there is none, or it does not let us.
 */
int session_again(const char *command, const struct session *s);
bool session_resume(const char *command, struct session *s);

#endif /* EVTCHN_SESSION_H */
