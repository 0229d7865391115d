/* SPDX-License-Identifier: MIT */
/*
 * Sessions and the end of a broker.
 *
 * A broker that is killed hangs up, so before each question the socket is looked
 * at, which costs one poll(2).  If nobody is there any more, but another broker
 * is, the session begins again with that one: HELLO, RESERVE of the same domain,
 * and what its user has to tell (@tell).  The new connection takes the number of
 * the old one, because programs were given that number.
 *
 * A question that was under way when the broker died has failed: nobody knows
 * whether it was executed, so it is not asked again.  The one after it finds
 * the next broker.
 *
 * A broker may also hang up because it does not want us any more.  Then it is
 * still the same one, and we do not come back to it.
 */
#include "resume.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "control.h"
#include "session.h"

/* --- where it will be ------------------------------------------------------- */

/* With an inherited session only `evtchn run` knows. */
static void find_place(const struct evp_options *o, char *path)
{
	const char *session = getenv("EVTCHN_FD");
	const char *env = getenv("EVTCHN_SOCKET");
	char name[PATH_MAX] = "";

	if (o->socket)
		(void)evp_absolute_path(o->socket, path);
	else if (session && *session)
		(void)evp_absolute_path(env ? env : "", path);
	else if (!evp_default_socket(name, sizeof(name), false))
		(void)evp_absolute_path(name, path);
	else
		path[0] = 0;
}

int evp_session_open(struct evp_session *s, const struct evp_options *o)
{
	int rc;

	*s = (struct evp_session){.fd = -1};
	rc = evp_session_at(o, &s->fd, &s->domid, &s->broker);
	if (rc)
		return rc;
	find_place(o, s->path);
	evp_copy_name(s->name,
		      o->name ? o->name : program_invocation_short_name);
	return 0;
}

/* --- going there ------------------------------------------------------------ */

/* It threw us out itself. */
static bool is_unwanted(struct evp_session *s, uint64_t broker)
{
	if (broker != s->broker)
		return false;
	s->path[0] = 0;
	return true;
}

void evp_session_resume(struct evp_session *s)
{
	uint64_t broker = 0;
	uint32_t domid;
	int fd;

	if (!s->path[0] || !evp_is_hung_up(s->fd) ||
	    evp_control_hold(s->path, s->domid, s->name, &fd, &domid, &broker))
		return;
	if (!is_unwanted(s, broker) && dup3(fd, s->fd, O_CLOEXEC) >= 0) {
		s->broker = broker;
		if (s->tell)
			s->tell(s->ctx);
	}
	(void)close(fd);
}
