/* SPDX-License-Identifier: MIT */
/*
 * The bell: how a sleeping receiver is woken by one who may be its enemy.
 *
 * A bell is a pair of connected sockets, shut down in both directions before
 * anybody gets one, so nothing can ever be sent: no byte, no descriptor.  The
 * sender has one end, the receiver the other, in its epoll instance.  To ring is
 * to shut the sender's end down once more: the kernel tells the other end each
 * time, which is an edge, and nothing is to be read.  It is safe because
 *
 *   - ringing never waits: there is no counter and no buffer to be filled, no
 *     O_NONBLOCK to be cleared (the ends are two open files), and no mutex that
 *     the other side could hold while the kernel copies into memory of its own
 *     (as a pipe's is);
 *   - closing never waits: nothing is in it that had to be thrown away, and
 *     nobody else had our end in an epoll instance of his;
 *   - the receiver takes its end out, or closes it, and is rung no more.
 */
#include "lane.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* SEND 7/9 - the receiver sleeps: ring its bell; next guest/upcall.c evg_upcall() */
void evp_kick(int rope)
{
	/* Fails only when the program closed our descriptor behind our back. */
	(void)shutdown(rope, SHUT_WR);
}

int evp_bell_make(struct evp_bell *b)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd))
		return -errno;
	*b = (struct evp_bell){.rope = fd[0], .bell = fd[1]};
	/* Of one end: that is both directions, for both. */
	if (!shutdown(b->rope, SHUT_RDWR))
		return 0;
	evp_bell_close(b);
	return -EIO;
}

void evp_bell_close(struct evp_bell *b)
{
	if (b->rope >= 0)
		(void)close(b->rope);
	if (b->bell >= 0)
		(void)close(b->bell);
	b->rope = b->bell = -1;
}

int evp_bell_hear(int epoll, int bell, uint64_t lane)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u64 = lane};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, bell, &ev) ? -errno : 0;
}

void evp_bell_ignore(int epoll, int bell)
{
	(void)epoll_ctl(epoll, EPOLL_CTL_DEL, bell, NULL);
}

/* The first edge is that of being put in, of each ring comes one more. */
static bool rings(int epoll, const struct evp_bell *b)
{
	struct epoll_event ev;
	int i, n = epoll_wait(epoll, &ev, 1, 0);

	for (i = 0; i < 2 && n == 1; i++) {
		if (epoll_wait(epoll, &ev, 1, 0) != 0)
			return false;
		evp_kick(b->rope);
		n = epoll_wait(epoll, &ev, 1, 0);
	}
	return n == 1;
}

int evp_bell_check(void)
{
	struct evp_bell b = {.rope = -1, .bell = -1};
	int rc, epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0)
		return -errno;
	rc = evp_bell_make(&b);
	if (!rc)
		rc = evp_bell_hear(epoll, b.bell, 1);
	if (!rc && !rings(epoll, &b))
		rc = -ENOSYS;
	evp_bell_close(&b);
	(void)close(epoll);
	return rc;
}
