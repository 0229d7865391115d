/* SPDX-License-Identifier: MIT */
/*
 * store_dom0 - what xenstored expects of domain 0's kernel and toolstack.
 *
 * On Xen, the kernel of domain 0 opens a port for the store before any program
 * runs, and tells its number in /proc/xen/xsd_port; and the toolstack, when it
 * has built a domain, introduces it to the store.  Here
 *
 *   store_dom0 kernel               is that kernel: it holds the port until it is
 *                                   ended.  To be run as
 *                                   evtchn run --xen --domain 0 -- store_dom0 kernel
 *   store_dom0 introduce DOMID PORT is that toolstack: the domain's page is its
 *                                   grant 1, PORT is waiting for domain 0.  It
 *                                   asks the store at $XENSTORED_PATH
 *
 * docs/clients.md has the whole picture; store_domU.c is the guest.
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

#include "store_ring.h"

/* --- the kernel -------------------------------------------------------------- */

static int write_number(const char *path, unsigned int number)
{
	FILE *f = fopen(path, "w");

	if (f && fprintf(f, "%u", number) > 0 && !fclose(f))
		return 0;
	fprintf(stderr,
		"store_dom0: %s: %s: run this with `evtchn run --xen "
		"--domain 0`\n",
		path, strerror(errno));
	return 1;
}

static int be_kernel(void)
{
	evtchn_port_t port;
	struct evp_guest *g;

	if (evp_attach(&g, NULL)) {
		fprintf(stderr, "store_dom0: %s\n", evp_error());
		return 1;
	}
	/* xenstored runs in domain 0, too. */
	if (evg_alloc_unbound(evp_evg(g), DOMID_SELF, DOMID_SELF, &port)) {
		fprintf(stderr, "store_dom0: no port left\n");
		return 1;
	}
	if (write_number("/proc/xen/xsd_port", port))
		return 1;
	printf("port %u\n", port);
	(void)fflush(stdout);
	for (;;)
		(void)pause();
}

/* --- the toolstack ----------------------------------------------------------- */

static int connect_store(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	const char *path = getenv("XENSTORED_PATH");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!path)
		path = "/run/xenstored/socket";
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (fd >= 0 && !connect(fd, (const void *)&un, sizeof(un)))
		return fd;
	fprintf(stderr, "store_dom0: no store at %s: %s\n", path,
		strerror(errno));
	return -1;
}

static int introduce(const char *domid, const char *port)
{
	struct store_message m = {.hdr.type = STORE_INTRODUCE};
	int fd = connect_store();
	int n;

	if (fd < 0)
		return 1;
	/* Three texts, each with its NUL; the frame number is not used. */
	n = snprintf(m.payload, sizeof(m.payload), "%s%c0%c%s", domid, 0, 0,
		     port);
	m.hdr.len = (uint32_t)n + 1;
	if (send(fd, &m, sizeof(m.hdr) + m.hdr.len, MSG_NOSIGNAL) < 0 ||
	    recv(fd, &m.hdr, sizeof(m.hdr), MSG_WAITALL) != sizeof(m.hdr) ||
	    m.hdr.len >= sizeof(m.payload) ||
	    recv(fd, m.payload, m.hdr.len, MSG_WAITALL) != (ssize_t)m.hdr.len) {
		fprintf(stderr, "store_dom0: the store hung up\n");
		return 1;
	}
	if (m.hdr.type != STORE_ERROR)
		return 0;
	m.payload[m.hdr.len] = 0;
	fprintf(stderr, "store_dom0: domain %s, port %s: %s\n", domid, port,
		m.payload);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "kernel"))
		return be_kernel();
	if (argc == 4 && !strcmp(argv[1], "introduce"))
		return introduce(argv[2], argv[3]);
	fprintf(stderr, "Usage: store_dom0 kernel\n"
			"       store_dom0 introduce DOMID PORT\n");
	return 2;
}
