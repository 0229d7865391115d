/* SPDX-License-Identifier: MIT */
/*
 * The interrupt lines of a domain: evtchn run --pirq.
 *
 * A connection that holds a domain speaks for that domain only, so the lines
 * are made by another one, that holds none.  They last as long as the domain:
 * it may close.  With the next broker they are made again.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <evp/evp.h>

#include "hosts/process/control.h"
#include "cli.h"
#include "lines.h"

bool lines_take(const char *command, struct lines *l, const char *argument)
{
	uint32_t pirq;
	const char *end;

	if (!cli_digits(argument, EVP_NR_LINES - 1, &pirq, &end) ||
	    (*end && *end != '=') || (*end == '=' && !end[1])) {
		cli_error(command,
			  "'%s' is no interrupt line: give N=PATH, or N, with "
			  "N from 0 to %d",
			  argument, EVP_NR_LINES - 1);
		return false;
	}
	if (l->count == LINES_MAX) {
		cli_error(command, "more than %d times --pirq", LINES_MAX);
		return false;
	}
	l->line[l->count].pirq = pirq;
	l->line[l->count++].path = *end ? end + 1 : NULL;

	return true;
}

/*
 * Only to be watched: no terminal becomes ours, nothing is waited for.  They stay
 * open, so that the next broker gets the same devices, whatever the paths are then,
 * and none of them is closed by the end of this one.
 */
static bool open_devices(const char *command, struct lines *l)
{
	for (unsigned int i = 0; i < l->count; i++) {
		const char *path = l->line[i].path;

		if (!path)
			continue;
		l->line[i].fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY |
						   O_CLOEXEC);
		if (l->line[i].fd < 0) {
			cli_error(command, "--pirq: cannot open '%s': %s", path,
				  strerror(errno));
			return false;
		}
	}

	return true;
}

static bool make(const char *command, int fd, const struct lines *l,
		 unsigned int i, uint32_t domid, bool again)
{
	const char *path = l->line[i].path;
	uint32_t pirq = l->line[i].pirq;
	int rc = path ? evp_control_line(fd, pirq, l->line[i].fd, domid)
		      : evp_control_permit(fd, pirq, domid, again);

	if (rc)
		cli_error(command, "--pirq %u%s%s: %s", pirq, path ? "=" : "",
			  path ? path : "", evp_error());

	return !rc;
}

/* One that cannot come back keeps none of the others away. */
static bool make_all(const char *command, int fd, const struct lines *l,
		     uint32_t domid, bool again)
{
	bool ok = true;

	for (unsigned int i = 0; (ok || again) && i < l->count; i++)
		ok &= make(command, fd, l, i, domid, again);

	return ok;
}

static bool tell(const char *command, const struct lines *l, const char *socket,
		 uint32_t domid, bool again)
{
	bool ok;
	int fd;

	if (!l->count)
		return true;
	if (evp_control_open(socket, &fd, NULL)) {
		cli_error(command, "%s", evp_error());
		return false;
	}
	ok = make_all(command, fd, l, domid, again);
	close(fd);

	return ok;
}

bool lines_make(const char *command, struct lines *l, const char *socket,
		uint32_t domid)
{
	return open_devices(command, l) &&
	       tell(command, l, socket, domid, false);
}

bool lines_again(const char *command, const struct lines *l, const char *socket,
		 uint32_t domid)
{
	return tell(command, l, socket, domid, true);
}
