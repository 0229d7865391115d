/* SPDX-License-Identifier: MIT */
/*
 * A command that lasts goes on with the next broker.
 *
 * Who came in by number starts that broker himself, if nobody has done so yet.
 * Inside `evtchn run` that is run's business, which holds the domain: then this
 * waits for it, for a while.  Nobody comes after a broker that was asked to end.
 */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include <evp/evp.h>

#include "hosts/process/clock.h"
#include "hosts/process/control.h"
#include "broker.h"
#include "cli.h"
#include "commands.h"
#include "session.h"

#define PATIENCE_NS INT64_C(10000000000)
#define FIRST_NS    INT64_C(10000000)
#define LAST_NS	    INT64_C(320000000)

/* A socket that is replaced is away for a moment, too. */
static int await(const char *command, const struct session *s)
{
	int64_t nap = FIRST_NS, end = evp_now() + PATIENCE_NS;
	uint32_t domid;
	int fd, rc;

	for (;;) {
		rc = evp_control_hold(s->socket, s->domid, command, &fd, &domid,
				      NULL);
		if (!session_is_nobody(rc) || evp_now() >= end)
			break;
		nanosleep(&(struct timespec){.tv_nsec = nap}, NULL);
		nap = nap < LAST_NS ? 2 * nap : LAST_NS;
	}
	if (rc)
		cli_error(command, "%s", evp_error());

	return rc ? -1 : fd;
}

int session_again(const char *command, const struct session *s)
{
	uint32_t domid;
	int fd;

	if (!broker_was_killed(s->socket)) {
		cli_error(command, "the broker has ended");
		return -1;
	}
	if (s->inherited)
		return await(command, s);

	return session_reserve(command, s->socket, s->domid, command, &fd,
			       &domid)
		       ? fd
		       : -1;
}

bool session_resume(const char *command, struct session *s)
{
	int fd = session_again(command, s);

	if (fd < 0)
		return false;
	close(s->fd);
	s->fd = fd;

	return true;
}
