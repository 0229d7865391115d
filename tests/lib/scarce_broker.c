/* SPDX-License-Identifier: MIT */
/*
 * A broker that, as long as there is a file SOCKET.scarce, can make no lanes, or
 * cannot tell the second side of a pair of its own.  What the file begins with
 * says which of them: 'm' or 't'.  Each time is one byte more in SOCKET.failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "hosts/process/broker/broker.h"

int __real_evp_lane_create(int *memfd, struct evp_lane_page **p);
int __wrap_evp_lane_create(int *memfd, struct evp_lane_page **p);
int __real_evd_offer(struct evd_conn *c, const void *msg, size_t len,
		     const int *fd, unsigned int nr_fds);
int __wrap_evd_offer(struct evd_conn *c, const void *msg, size_t len,
		     const int *fd, unsigned int nr_fds);

static int open_file(const char *suffix, int flags)
{
	char name[256];

	(void)snprintf(name, sizeof(name), "%s.%s", getenv("EVTCHN_SOCKET"),
		       suffix);
	return open(name, flags | O_CLOEXEC, 0600);
}

static bool is_scarce(char what)
{
	char byte = 0;
	int fd = open_file("scarce", O_RDONLY);

	if (fd < 0)
		return false;
	if (read(fd, &byte, 1) != 1)
		byte = 0;
	(void)close(fd);
	if (byte != what)
		return false;
	fd = open_file("failed", O_WRONLY | O_CREAT | O_APPEND);
	if (fd < 0 || write(fd, &byte, 1) != 1)
		abort();
	(void)close(fd);
	return true;
}

int __wrap_evp_lane_create(int *memfd, struct evp_lane_page **p)
{
	return is_scarce('m') ? -EMFILE : __real_evp_lane_create(memfd, p);
}

/* Who was told of a lane first, and who is told second? */
int __wrap_evd_offer(struct evd_conn *c, const void *msg, size_t len,
		     const int *fd, unsigned int nr_fds)
{
	static bool second;
	bool fails = second && is_scarce('t');

	second = !second;
	if (!fails)
		return __real_evd_offer(c, msg, len, fd, nr_fds);
	while (nr_fds)
		(void)close(fd[--nr_fds]);
	return -EAGAIN;
}
