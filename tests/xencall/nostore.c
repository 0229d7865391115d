/* SPDX-License-Identifier: MIT */
/*
 * A store that knows nothing: answers every request with ENOENT.
 *
 * libxl wants a store to talk to before it lists domains, and asks it for their
 * names.  nostore PATH: prints "ready", ends with its standard input.
 */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ERROR	    16
#define MAX_CLIENTS 8

struct message {
	uint32_t type, request, transaction, length;
};

static int take(int fd, void *bytes, size_t n)
{
	return recv(fd, bytes, n, MSG_WAITALL) == (ssize_t)n ? 0 : -1;
}

/* One request and its answer. */
static int serve(int fd)
{
	static const char no[] = "ENOENT";
	char request[4096];
	struct message m;

	if (take(fd, &m, sizeof(m)) || m.length > sizeof(request) ||
	    take(fd, request, m.length))
		return -1;
	m.type = ERROR;
	m.length = sizeof(no);
	return send(fd, &m, sizeof(m), MSG_NOSIGNAL) < 0 ||
			       send(fd, no, sizeof(no), MSG_NOSIGNAL) < 0
		       ? -1
		       : 0;
}

static int turn(struct pollfd *p, int n)
{
	int i;

	for (i = 2; i < n; i++) {
		if (p[i].revents && serve(p[i].fd)) {
			close(p[i].fd);
			p[i].fd = -1;
		}
	}
	if (!p[1].revents || n == MAX_CLIENTS)
		return n;
	p[n].fd = accept(p[1].fd, NULL, NULL);
	p[n].events = POLLIN;
	return n + 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct pollfd p[MAX_CLIENTS] = {{0, POLLIN, 0}, {-1, POLLIN, 0}};
	int n = 2;

	if (argc != 2)
		return 2;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", argv[1]);
	p[1].fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(p[1].fd, (struct sockaddr *)&un, sizeof(un)) ||
	    listen(p[1].fd, 4)) {
		perror(argv[1]);
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	while (poll(p, (nfds_t)n, -1) > 0 && !p[0].revents)
		n = turn(p, n);
	return 0;
}
