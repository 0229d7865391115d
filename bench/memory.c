/* SPDX-License-Identifier: MIT */
/*
 * What an attachment and a connected channel take, in memory: two attachments
 * in this process, channels between them, and what the kernel says of this
 * process and of the broker before and after.
 *
 * Printed is the proportional set size (Pss of /proc/PID/smaps_rollup): private
 * memory, and of memory shared by two processes half for each.  Channels of
 * this process count twice here, since both ends are in it.
 *
 * Needs a broker: run it under `evtchn run`, as bench/run.sh does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <evg/evg.h>
#include <evp/evp.h>

#define NR_ATTACHMENTS 100
#define NR_CHANNELS    2000

static void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s; %s\n", what, strerror(errno),
		evp_error());
	exit(1);
}

static long pss_kb(long pid)
{
	char path[64], line[128];
	long kb = -1;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%ld/smaps_rollup", pid);
	f = fopen(path, "re");
	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "Pss:", 4))
			kb = strtol(line + 4, NULL, 10);
	}
	(void)fclose(f);
	return kb;
}

/* The broker is whoever listens at the socket. */
static long broker_pid(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (void *)&a, sizeof(a)) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		die(path);
	(void)close(fd);
	return cred.pid;
}

static struct evp_guest *attach(int domain)
{
	struct evp_options o = {.socket = getenv("EVTCHN_SOCKET"),
				.domain = domain};
	struct evp_guest *g;

	if (evp_attach(&g, &o))
		die("attach");
	return g;
}

static void connect_one(struct evp_guest *a, struct evp_guest *b)
{
	evtchn_port_t port, bound;

	if (evg_alloc_unbound(evp_evg(a), DOMID_SELF, evp_domid(b), &port) ||
	    evg_bind_interdomain(evp_evg(b), evp_domid(a), port, &bound))
		die("connect");
	(void)evp_poll(a);
	(void)evp_poll(b);
}

static void row(const char *what, long n, const long *from, const long *to)
{
	printf("memory   %-22s %7ld bytes in the process, %5ld in evtchnd\n",
	       what, (to[0] - from[0]) * 1024 / n,
	       (to[1] - from[1]) * 1024 / n);
}

static void measure(long *kb, long broker)
{
	kb[0] = pss_kb(getpid());
	kb[1] = pss_kb(broker);
}

int main(void)
{
	static struct evp_guest *g[NR_ATTACHMENTS];
	const char *path = getenv("EVTCHN_SOCKET");
	long broker, kb[3][2];
	int i;

	if (!path) {
		fprintf(stderr, "bench: no broker: use make bench\n");
		return 2;
	}
	broker = broker_pid(path);
	evp_detach(attach(101)); /* what is needed once */
	measure(kb[0], broker);
	for (i = 0; i < NR_ATTACHMENTS; i++)
		g[i] = attach(101 + i);
	measure(kb[1], broker);
	for (i = 0; i < NR_CHANNELS; i++)
		connect_one(g[0], g[1]);
	measure(kb[2], broker);
	row("an attachment", NR_ATTACHMENTS, kb[0], kb[1]);
	row("a channel, both ends", NR_CHANNELS, kb[1], kb[2]);
	for (i = 0; i < NR_ATTACHMENTS; i++)
		evp_detach(g[i]);
	return 0;
}
