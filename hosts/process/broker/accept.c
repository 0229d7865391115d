/* SPDX-License-Identifier: MIT */
/*
 * Who connects: let in, or told why not.
 *
 * Whoever closes a connection and then makes another one has one, not two: he is
 * accepted in one turn, and let in at the end of the next one.  What ended before
 * he came has been heard of by then, and is not counted, unless he left more unread
 * in it than one turn reads (share.c).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker.h"

bool evd_has_room(const struct evd_broker *b, uid_t uid, char *text)
{
	uint32_t room = b->max_conns;

	if (!evd_is_privileged(uid))
		room -= room / EVD_RESERVE;
	if (b->nr_conns >= room)
		(void)snprintf(text, EVP_TEXT_MAX,
			       "this broker has no connection left");
	else if (!evd_may_have(b, uid, EVD_CONNECTIONS, 1) ||
		 !evd_may_have(b, uid, EVD_DESCRIPTORS, 1))
		(void)snprintf(
			text, EVP_TEXT_MAX,
			"uid %lu has its %lu connections: close one, or "
			"have the policy's limit raised",
			(unsigned long)uid,
			(unsigned long)evd_limit(b, uid, EVD_CONNECTIONS));
	else
		return true;
	return false;
}

void evd_refuse_socket(int fd, uint32_t seq, int rc, const char *text)
{
	struct evp_refused m = {.rc = rc};

	evp_hdr_init(&m.hdr, EVP_REFUSED, sizeof(m), seq);
	(void)snprintf(m.text, sizeof(m.text), "%s", text);
	(void)evp_send_packet(fd, &m, sizeof(m), NULL, 0, MSG_DONTWAIT);
}

static void refuse_and_close(int fd, uid_t uid, int rc, const char *text)
{
	evd_refuse_socket(fd, 0, rc, text);
	evd_bury_socket(fd, uid);
}

static void admit(struct evd_broker *b, int fd)
{
	char text[EVP_TEXT_MAX];
	pid_t pid;
	uid_t uid;

	if (!evd_conn_peer(fd, &pid, &uid) || !evd_policy_admits(b, fd)) {
		evd_log(NULL, "pid %ld uid %lu refused: %s", (long)pid,
			(unsigned long)uid,
			b->policy ? "not in the policy" : "not our user");
		refuse_and_close(fd, uid, -EACCES,
				 b->policy ? "the broker's policy has no rule "
					     "for this user"
					   : "this broker serves the user who "
					     "started it only");
	} else if (!evd_has_room(b, uid, text)) {
		evd_log(NULL, "pid %ld uid %lu refused: %s", (long)pid,
			(unsigned long)uid, text);
		refuse_and_close(fd, uid, -EMFILE, text);
	} else {
		(void)evd_conn_new(b, fd, uid);
	}
}

void evd_admit(struct evd_broker *b, uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		admit(b, b->arrived[i]);
	b->nr_arrived -= nr;
	memmove(b->arrived, b->arrived + nr,
		b->nr_arrived * sizeof(b->arrived[0]));
}

int evd_accept(struct evd_broker *b)
{
	int fd, rc = 0;

	while (b->nr_arrived < EVD_ACCEPTS_IN_TURN && !rc) {
		fd = accept4(b->listener, NULL, NULL,
			     SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			rc = -errno;
		else
			b->arrived[b->nr_arrived++] = fd;
	}
	if (!rc || rc == -EAGAIN || rc == -EINTR || rc == -ECONNABORTED)
		return 0;
	evd_log(NULL, "cannot accept: %s", strerror(-rc));
	return rc;
}
