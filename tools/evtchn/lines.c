/* SPDX-License-Identifier: MIT */
/*
 * The interrupt lines of a domain: evtchn run --pirq.
 *
 * A connection that holds a domain speaks for that domain only, so the lines
 * are made by another one, that holds none.  They last as long as the domain:
 * it may close.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <evp/evp.h>

#include "hosts/process/control.h"
#include "cli.h"
#include "lines.h"

bool lines_take(const char *command, struct lines *l, const char *argument)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(argument, &end, 10);
	if (*argument < '0' || *argument > '9' || errno ||
	    value >= EVP_NR_LINES || (*end && *end != '=') ||
	    (*end == '=' && !end[1])) {
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
	l->line[l->count].pirq = (uint32_t)value;
	l->line[l->count++].path = *end ? end + 1 : NULL;

	return true;
}

/* Only to be watched: no terminal becomes ours, nothing is waited for. */
static int open_device(const char *command, const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		cli_error(command, "--pirq: cannot open '%s': %s", path,
			  strerror(errno));

	return fd;
}

static bool make(const char *command, int fd, uint32_t pirq, const char *path,
		 uint32_t domid)
{
	int rc, device;

	if (!path) {
		rc = evp_control_permit(fd, pirq, domid);
	} else {
		device = open_device(command, path);
		if (device < 0)
			return false;
		rc = evp_control_line(fd, pirq, device, domid);
		close(device);
	}
	if (rc)
		cli_error(command, "--pirq %u%s%s: %s", pirq, path ? "=" : "",
			  path ? path : "", evp_error());

	return !rc;
}

bool lines_make(const char *command, const struct lines *l, const char *socket,
		uint32_t domid)
{
	bool ok = true;
	int fd;

	if (!l->count)
		return true;
	if (evp_control_connect(socket, &fd)) {
		cli_error(command, "%s", evp_error());
		return false;
	}
	if (evp_control_hello(fd, NULL)) {
		cli_error(command, "%s", evp_error());
		ok = false;
	}
	for (unsigned int i = 0; ok && i < l->count; i++)
		ok = make(command, fd, l->line[i].pirq, l->line[i].path, domid);
	close(fd);

	return ok;
}
