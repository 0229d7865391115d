/* SPDX-License-Identifier: MIT */
/*
 * notify_dom0_2010 - an application in a guest notifies dom0, with the calls
 * of libxc as they were in 2010 (Xen 4.0).
 *
 * It answers the question that people sent to the mailing lists then:
 *
 * 1. How does an application notify dom0?
 *    Both sides open a handle.  The guest opens a port for domain 0 and tells
 *    dom0 its number (here: you do; usually through xenstore); dom0 connects a
 *    port of its own to it.  Only these two can use the channel, in both
 *    directions.  From then on one call, xc_evtchn_notify(), is the event.
 *
 * 2. When is the event seen?
 *    At once, if somebody waits in xc_evtchn_pending() or polls the handle;
 *    else when he next looks: it is a bit that stays set, so it is not lost.
 *    But it is a bit and no counter: events that come before it is taken are
 *    one event, and after xc_evtchn_pending() the port is masked until
 *    xc_evtchn_unmask(): then what came meanwhile is reported.  So unmask
 *    first, then do all the work there is.  An event sent before dom0 has
 *    connected is dropped; for that reason dom0's port is pending once when
 *    it connects: "look whether there is work already".
 *
 * 3. How little does the guest need?
 *    The port, and one call; see notify_dom0_bare.c, which needs no library
 *    of Xen.  In a Linux guest it is an ioctl on /dev/xen/evtchn (raw_notify()
 *    below), which is all that the library does.
 *
 * The same program runs on Xen and on the process host:
 *
 *   evtchn run --domain 1 -- notify_dom0_2010 send
 *   evtchn run --domain 0 -- notify_dom0_2010 receive 1 PORT
 *
 * Read send_events() and receive_events() side by side.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <xenctrl_2010.h>

/* Say what failed, with errno, and that it did. */
static int failed(const char *what)
{
	perror(what);

	return 1;
}

/* Wait for an event.  Unmask before the work, so that nothing is missed. */
static int take_event(int xce, int port)
{
	int got = xc_evtchn_pending(xce);

	if (got < 0)
		return failed("xc_evtchn_pending");
	if (xc_evtchn_unmask(xce, (evtchn_port_t)got) < 0)
		return failed("xc_evtchn_unmask");

	return got != port;
}

/* Without any library: what xc_evtchn_notify() is, if @xce is the device. */
static int raw_notify(int xce, evtchn_port_t port)
{
	return ioctl(xce, _IOC(_IOC_NONE, 'E', 4, sizeof(port)), &port);
}

static int is_device(int xce)
{
	struct stat st;

	return !fstat(xce, &st) && S_ISCHR(st.st_mode);
}

/* --- In the guest -------------------------------------------------------- */

static int send_events(int xce)
{
	int port = xc_evtchn_bind_unbound_port(xce, 0);

	if (port < 0)
		return failed("xc_evtchn_bind_unbound_port");
	printf("[domU] port %d waits for domain 0\n", port);
	if (take_event(xce, port)) /* dom0 says that it is there */
		return 1;
	printf("[domU] 1. how: dom0 has connected; now one call\n");
	if (is_device(xce) ? raw_notify(xce, (evtchn_port_t)port)
			   : xc_evtchn_notify(xce, (evtchn_port_t)port))
		return failed("notify");
	printf("[domU] 3. how little: that was %s\n",
	       is_device(xce) ? "an ioctl on /dev/xen/evtchn, no library"
			      : "xc_evtchn_notify(), nothing else");
	if (take_event(xce, port))
		return 1;
	printf("[domU] dom0 answered\n");

	return 0;
}

/* --- In dom0 ------------------------------------------------------------- */

static int receive_events(int xce, int domain, evtchn_port_t remote)
{
	int port = xc_evtchn_bind_interdomain(xce, domain, remote);

	if (port < 0)
		return failed("xc_evtchn_bind_interdomain");
	if (take_event(xce, port)) /* by connecting */
		return 1;
	printf("[dom0] port %d is connected to port %u of domain %d\n", port,
	       remote, domain);
	if (xc_evtchn_notify(xce, (evtchn_port_t)port)) /* "I am there" */
		return failed("xc_evtchn_notify");
	if (take_event(xce, port))
		return 1;
	printf("[dom0] 2. when: xc_evtchn_pending() has returned %d; events "
	       "from now on are kept for the next one\n",
	       port);
	if (xc_evtchn_notify(xce, (evtchn_port_t)port))
		return failed("xc_evtchn_notify");

	return 0;
}

/* --- The command line ---------------------------------------------------- */

static const char help[] =
	"Usage: notify_dom0_2010 send\n"
	"       notify_dom0_2010 receive DOMAIN PORT\n"
	"\n"
	"send, in a guest: open a port, print its number, notify dom0.\n"
	"receive, in dom0: connect to it, wait for the event, answer.\n"
	"\n"
	"Exit status: 0 the event was seen, 1 something failed, 2 wrong\n"
	"arguments.\n"
	"\n"
	"Example:\n"
	"  evtchn run --domain 1 -- notify_dom0_2010 send\n"
	"  evtchn run --domain 0 -- notify_dom0_2010 receive 1 1\n";

static int misuse(void)
{
	fprintf(stderr, "notify_dom0_2010: wrong arguments; see --help\n");

	return 2;
}

int main(int argc, char **argv)
{
	int sends = argc == 2 && !strcmp(argv[1], "send");
	int receives = argc == 4 && !strcmp(argv[1], "receive");
	int xce, status;

	if (argc == 2 && !strcmp(argv[1], "--help"))
		return fputs(help, stdout) < 0;
	if (!sends && !receives)
		return misuse();
	setvbuf(stdout, NULL, _IOLBF, 0);
	xce = xc_evtchn_open();
	if (xce < 0)
		return failed("xc_evtchn_open");
	if (sends)
		status = send_events(xce);
	else
		status = receive_events(xce, atoi(argv[2]),
					(evtchn_port_t)atoi(argv[3]));
	(void)xc_evtchn_close(xce); /* closes the port, too */

	return status;
}
