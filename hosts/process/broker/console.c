/* SPDX-License-Identifier: MIT */
/*
 * VIRQ_CONSOLE: there is input on the machine's console.
 *
 * The console is a terminal, or a pipe, that `evtchnd --console` names.  The
 * broker does not read it: the domain that handles the VIRQ (domain 0, unless it
 * was delegated) opens it itself.  Being a VIRQ it has no end of interrupt, so
 * it is raised once for each arrival of input: EPOLLET says exactly that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "broker.h"

static int watch(int epoll, struct evd_broker *b)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET,
				 .data.ptr = &b->console};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, b->console, &ev) ? -errno : 0;
}

/* A file is always readable: epoll does not take it. */
static int try_watch(struct evd_broker *b)
{
	int rc, epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0)
		return -errno;
	rc = watch(epoll, b);
	(void)close(epoll);
	return rc;
}

int evd_console_open(struct evd_broker *b, const char *path)
{
	int rc;

	b->console = strcmp(path, "-")
			     ? open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY |
						  O_CLOEXEC)
			     : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	rc = b->console < 0 ? -errno : try_watch(b);
	if (rc)
		fprintf(stderr,
			"evtchnd: --console: '%s' cannot be watched: %s; name "
			"a terminal or a pipe\n",
			path, strerror(-rc));
	b->has_console = !rc;
	return rc;
}

int evd_console_watch(struct evd_broker *b)
{
	return b->has_console ? watch(b->epoll, b) : 0;
}

bool evd_console_event(struct evd_broker *b, const void *data)
{
	if (data != &b->console)
		return false;
	evc_virq_raise_global(&b->machine, VIRQ_CONSOLE);
	return true;
}
