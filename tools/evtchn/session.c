/* SPDX-License-Identifier: MIT */
/*
 * Holding a domain.
 *
 * Inside `evtchn run` the domain is there, and a connection of one's own comes
 * through the inherited one.  Outside, the broker is asked for it by number; a
 * new domain then lasts as long as the command.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <evp/evp.h>

#include "hosts/process/control.h"
#include "broker.h"
#include "cli.h"
#include "commands.h"
#include "session.h"

/* --- By number ------------------------------------------------------------ */

bool session_is_nobody(int rc)
{
	return rc == -ENOENT || rc == -ECONNREFUSED || rc == -ECONNRESET ||
	       rc == -EPIPE;
}

/* The lock is held: see broker.c. */
static bool reserve_locked(const char *command, const char *socket,
			   uint32_t want, const char *name, int *fd,
			   uint32_t *domid)
{
	int rc = evp_control_hold(socket, want, name, fd, domid, NULL);

	if (session_is_nobody(rc)) {
		if (broker_start(command, socket))
			return false;
		rc = evp_control_hold(socket, want, name, fd, domid, NULL);
	}
	if (rc)
		cli_error(command, "%s", evp_error());

	return !rc;
}

/* Another user's broker: we could not start it, so there is no race. */
bool session_is_others(const char *socket)
{
	struct stat st;

	return !stat(socket, &st) && S_ISSOCK(st.st_mode) &&
	       st.st_uid != geteuid();
}

static bool reserve_there(const char *command, const char *socket,
			  uint32_t want, const char *name, int *fd,
			  uint32_t *domid)
{
	int rc = evp_control_hold(socket, want, name, fd, domid, NULL);

	if (rc)
		cli_error(command, "%s", evp_error());

	return !rc;
}

bool session_reserve(const char *command, const char *socket, uint32_t want,
		     const char *name, int *fd, uint32_t *domid)
{
	int lock = -1;
	bool ok;

	if (session_is_others(socket)) {
		ok = reserve_there(command, socket, want, name, fd, domid);
	} else {
		lock = broker_lock(command, socket);
		ok = lock >= 0 &&
		     reserve_locked(command, socket, want, name, fd, domid);
	}
	if (lock >= 0)
		close(lock);

	return ok;
}

bool session_announce(const char *command, const char *socket, int fd,
		      uint32_t domid)
{
	char text[16];
	bool ok;

	ok = !setenv("EVTCHN_SOCKET", socket, 1);
	snprintf(text, sizeof(text), "%u", domid);
	ok = ok && !setenv("EVTCHN_DOMAIN", text, 1);
	snprintf(text, sizeof(text), "%d", fd);
	ok = ok && !setenv("EVTCHN_FD", text, 1);
	/* The program inherits the connection. */
	ok = ok && !fcntl(fd, F_SETFD, 0);
	if (!ok)
		cli_error(command, "cannot prepare the program: %s",
			  strerror(errno));

	return ok;
}

/* --- The domain of a command ---------------------------------------------- */

/* The session this command was started in: its descriptor, or -1. */
static int inherited(void)
{
	const char *text = getenv("EVTCHN_FD");
	char *end;
	long fd;

	if (!text || !*text)
		return -1;
	fd = strtol(text, &end, 10);

	/* What is no number is no session either, and will be called so. */
	return *end || fd < 0 || fd > INT_MAX ? INT_MAX : (int)fd;
}

/* The number of the domain; -1, with a message printed: unknown. */
static int choose(const char *command, int domid)
{
	const char *text = getenv("EVTCHN_DOMAIN");
	uint16_t number;

	if (domid >= 0)
		return domid;
	if (text && *text)
		return cli_domid(command, text, &number) ? number : -1;
	cli_error(command, "which domain?  Give --domain N, or start this in "
			   "'evtchn run'");

	return -1;
}

/* The session's broker was killed: `evtchn run` starts another one. */
static int open_successor(const char *command, int domid, struct session *s)
{
	domid = choose(command, domid);
	if (domid < 0)
		return EXIT_NOTHING;
	s->domid = (uint32_t)domid;
	s->fd = session_again(command, s);

	return s->fd < 0 ? EXIT_NOTHING : -1;
}

static int open_inherited(const char *command, int session, int domid,
			  struct session *s)
{
	uint32_t want = domid < 0 ? EVP_DOMID_ANY : (uint32_t)domid;
	int rc = evp_control_adopt(session, &s->fd);

	if (!rc) {
		rc = evp_control_reserve(s->fd, want, "", &s->domid);
		if (rc)
			close(s->fd);
	}
	if (rc == -ECONNRESET)
		return open_successor(command, domid, s);
	if (rc)
		cli_error(command, "%s", evp_error());

	return rc ? EXIT_NOTHING : -1;
}

/* Is the domain there already?  Who holds it will go on holding it. */
static bool is_held(const char *socket, uint32_t domid)
{
	struct evp_domain_entry e[EVP_DOMAINS_PER_PAGE];
	uint32_t cursor = domid;
	int fd, n;

	if (evp_control_open(socket, &fd, NULL))
		return false;
	n = evp_control_domains(fd, &cursor, e, EVP_DOMAINS_PER_PAGE);
	close(fd);

	return n > 0 && e[0].domid == domid;
}

int session_open(const char *command, const char *socket, int domid,
		 bool lasting, struct session *s)
{
	int session = socket ? -1 : inherited();

	if (socket_path(command, socket, s->socket))
		return EXIT_MISUSE;
	s->inherited = session >= 0;
	if (session >= 0)
		return open_inherited(command, session, domid, s);
	domid = choose(command, domid);
	if (domid < 0)
		return EXIT_MISUSE;
	if (lasting && !is_held(s->socket, (uint32_t)domid)) {
		cli_error(command,
			  "domain %d would end with this command; start it in "
			  "'evtchn run --domain %d', or give a program",
			  domid, domid);
		return EXIT_NOTHING;
	}
	if (!session_reserve(command, s->socket, (uint32_t)domid, command,
			     &s->fd, &s->domid))
		return EXIT_NOTHING;

	return -1;
}
