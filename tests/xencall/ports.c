/* SPDX-License-Identifier: MIT */
/*
 * A domain with a port of each kind, made with Debian's headers and libraries.
 *
 * Handles of libxenevtchn open and own all but the IPI, which libxencall opens
 * from outside.  Then libxencall sends and closes, and the handle has to see
 * it.  Prints "ready" and stays until its standard input ends.  "ports restrict":
 * gives up its privileges instead, and has to have none.
 */
/* With neither a version nor this, Xen's headers mean another hypercall. */
#define __XEN_TOOLS__

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xencall.h>
#include <xenevtchn.h>
#include <xentoolcore.h>

#include <xen/xen.h>

#include <xen/event_channel.h>

#define CHECK(what)                                                           \
	do {                                                                  \
		if (!(what)) {                                                \
			fprintf(stderr, "line %d: %s: %s\n", __LINE__, #what, \
				strerror(errno));                             \
			exit(1);                                              \
		}                                                             \
	} while (0)

static xencall_handle *call;

static int event_channel_op(int cmd, void *arg, size_t size)
{
	void *p = xencall_alloc_buffer(call, size);
	int rc;

	CHECK(p);
	memcpy(p, arg, size);
	rc = xencall2(call, __HYPERVISOR_event_channel_op, (uint64_t)cmd,
		      (uintptr_t)p);
	memcpy(arg, p, size);
	xencall_free_buffer(call, p);
	return rc;
}

static int status(evtchn_port_t port)
{
	evtchn_status_t st = {.dom = DOMID_SELF, .port = port};

	CHECK(!event_channel_op(EVTCHNOP_status, &st, sizeof(st)));
	return (int)st.status;
}

/* As a program does it that does not say for which version it is made. */
static void ask_as_of_old(evtchn_port_t port)
{
	evtchn_op_t *op = xencall_alloc_buffer(call, sizeof(*op));

	CHECK(op);
	op->cmd = EVTCHNOP_status;
	op->u.status.dom = DOMID_SELF;
	op->u.status.port = port;
	CHECK(!xencall1(call, __HYPERVISOR_event_channel_op_compat,
			(uintptr_t)op));
	CHECK(op->u.status.status == EVTCHNSTAT_ipi);
	xencall_free_buffer(call, op);
}

/* What is sent from outside arrives, on the port the handle owns. */
static void send_from_outside(xenevtchn_handle *h, int from, int to)
{
	evtchn_send_t send = {.port = (evtchn_port_t)from};

	CHECK(!event_channel_op(EVTCHNOP_send, &send, sizeof(send)));
	CHECK(xenevtchn_pending(h) == to);
	CHECK(!xenevtchn_unmask(h, (evtchn_port_t)to));
}

/* Closed from outside: gone, and the other end is unbound. */
static void close_from_outside(xenevtchn_handle *h, int port, int peer)
{
	evtchn_close_t op = {.port = (evtchn_port_t)port};

	CHECK(!event_channel_op(EVTCHNOP_close, &op, sizeof(op)));
	CHECK(status((evtchn_port_t)port) == EVTCHNSTAT_closed);
	CHECK(status((evtchn_port_t)peer) == EVTCHNSTAT_unbound);
	CHECK(event_channel_op(EVTCHNOP_close, &op, sizeof(op)) == -1 &&
	      errno == EINVAL);
	/* Its number is free for the next, which starts with an event. */
	CHECK(xenevtchn_bind_interdomain(h, 0, (evtchn_port_t)peer) == port);
	CHECK(xenevtchn_pending(h) == port);
}

static int give_up(void)
{
	evtchn_status_t st = {.dom = DOMID_SELF, .port = 1};

	CHECK(status(1) == EVTCHNSTAT_closed);
	CHECK(!xentoolcore_restrict_all(1));
	CHECK(event_channel_op(EVTCHNOP_status, &st, sizeof(st)) == -1 &&
	      errno == ENOTTY);
	CHECK(!xentoolcore_restrict_all(1));
	return xencall_close(call);
}

static void open_ports(xenevtchn_handle *h)
{
	evtchn_bind_ipi_t ipi = {.vcpu = 0};
	int a, b;

	CHECK(h);
	CHECK(xenevtchn_bind_unbound_port(h, 7) > 0);
	a = xenevtchn_bind_unbound_port(h, 0);
	b = xenevtchn_bind_interdomain(h, 0, (evtchn_port_t)a);
	CHECK(a > 0 && b > 0);
	CHECK(xenevtchn_pending(h) == b);
	CHECK(!xenevtchn_unmask(h, (evtchn_port_t)b));
	CHECK(xenevtchn_bind_virq(h, VIRQ_DEBUG) > 0);
	CHECK(!event_channel_op(EVTCHNOP_bind_ipi, &ipi, sizeof(ipi)));
	CHECK(status(ipi.port) == EVTCHNSTAT_ipi);
	ask_as_of_old(ipi.port);
	send_from_outside(h, a, b);
	send_from_outside(h, b, a);
	close_from_outside(h, b, a);
	close_from_outside(h, b, a); /* now it is masked */
	CHECK(!xenevtchn_unmask(h, (evtchn_port_t)b));
	send_from_outside(h, a, b);
}

int main(int argc, char **argv)
{
	xenevtchn_handle *h;
	char byte;

	call = xencall_open(NULL, 0);
	CHECK(call);
	if (argc == 2 && !strcmp(argv[1], "restrict"))
		return give_up();
	h = xenevtchn_open(NULL, 0);
	open_ports(h);
	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	xencall_close(call);
	return xenevtchn_close(h);
}
