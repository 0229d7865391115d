/* SPDX-License-Identifier: MIT */
/* Which broker to talk to. */
#ifndef EVTCHN_SOCKET_H
#define EVTCHN_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#define SOCKET_PATH_MAX sizeof(((struct sockaddr_un *)0)->sun_path)

/*
 * The absolute path of the broker's socket: @given (--socket), or, when that
 * is NULL, evp_default_socket().  There need be nothing at that path yet.
 * 0; or EXIT_MISUSE, with a message printed, when it cannot be a socket's.
 */
int socket_path(const char *command, const char *given,
		char path[SOCKET_PATH_MAX]);

/*
 * evp_control_open(): the broker at @path, which is not started.  @broker_pid may
 * be NULL.  False, with a message printed: it failed.
 */
bool socket_open(const char *command, const char *path, int *fd,
		 uint32_t *broker_pid);

#endif /* EVTCHN_SOCKET_H */
