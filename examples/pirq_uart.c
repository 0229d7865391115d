/* SPDX-License-Identifier: MIT */
/*
 * pirq_uart - a driver for a serial port, in the domain that has its interrupt.
 *
 * In Xen a device's interrupt belongs to the hypervisor.  It gives the line, by
 * its number, to the domain that may have it, and that turns it into an event:
 * EVTCHNOP_bind_pirq.  Here a line is a descriptor that is readable while the
 * device wants attention, and a terminal stands for the serial port:
 *
 *   evtchn run --domain 2 --pirq 4=/dev/pts/7 -- pirq_uart 4 /dev/pts/7
 *
 * makes line 4 of it, and lets domain 2 bind that; the broker watches it, and
 * does not read it.  The driver gets at the device by itself.
 *
 * A serial port's line is level-triggered: asserted as long as there is something
 * to read.  When it fires, the hypervisor masks it and sends the event; when the
 * driver has done what it could it says so, PHYSDEVOP_eoi.  If it left something,
 * the line is asserted still, and it fires again.  This driver has a reason to
 * leave something: like a 16550's handler, it takes what fits a FIFO, 4 bytes
 * here, and lets others run.
 *
 * Read main() first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <abi/physdev.h>
#include <evg/evg.h>
#include <evp/evp.h>

#include "alice.h"

#define FIFO_BYTES 4
#define MAX_PIRQ   255ul

struct uart {
	struct evp_guest *g;
	uint32_t pirq;
	int fd;
	unsigned long wanted; /* bytes */
	unsigned long bytes, interrupts;
	bool hung_up;
};

/* --- The device ----------------------------------------------------------- */

/* Each byte as it comes, and no echo.  A pipe is so anyway. */
static void make_raw(int fd)
{
	struct termios t;

	if (tcgetattr(fd, &t))
		return;
	cfmakeraw(&t);
	tcsetattr(fd, TCSANOW, &t);
}

static int open_device(struct uart *u, const char *path)
{
	u->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (u->fd < 0) {
		fprintf(stderr, "pirq_uart: '%s': %s\n", path, strerror(errno));
		return 1;
	}
	make_raw(u->fd);

	return 0;
}

static void drain_fifo(struct uart *u)
{
	char text[FIFO_BYTES];
	ssize_t n = read(u->fd, text, sizeof(text));

	if (n > 0) {
		fwrite(text, 1, (size_t)n, stdout);
		fflush(stdout);
		u->bytes += (unsigned long)n;
	} else if (n == 0 || errno != EAGAIN) {
		u->hung_up = true;
	}
}

/* --- The interrupt -------------------------------------------------------- */

static int end_of_interrupt(struct uart *u)
{
	struct physdev_eoi eoi = {.irq = u->pirq};

	return evg_plat_hypercall(evp_evg(u->g), __HYPERVISOR_physdev_op,
				  PHYSDEVOP_eoi, &eoi);
}

/*
 * First the device, then the end of interrupt: the other way round the line
 * would still be asserted, and fire once more for nothing.
 */
static void handle(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct uart *u = ctx;

	(void)v;
	(void)port;
	u->interrupts++;
	drain_fifo(u);
	if (end_of_interrupt(u))
		fprintf(stderr, "pirq_uart: the line is not ours any more\n");
}

static const char *reason(int rc)
{
	switch (rc) {
	case -XEN_EPERM:
		return "not permitted: evtchn run --pirq N=DEVICE";
	case -XEN_EINVAL:
		return "there is no such line: evtchn run --pirq N=DEVICE";
	case -XEN_EBUSY:
		return "another domain has it";
	default: /* a number, not a state */
		return "see abi/errno.h";
	}
}

static int bind_line(struct uart *u)
{
	struct evg_guest *g = evp_evg(u->g);
	evtchn_port_t port;
	int rc = evg_bind_pirq(g, u->pirq, 0, &port);

	if (rc) {
		fprintf(stderr, "pirq_uart: line %u: error %d: %s\n", u->pirq,
			-rc, reason(rc));
		return 1;
	}
	fprintf(stderr, "[uart] line %u is port %u of domain %u\n", u->pirq,
		port, evp_domid(u->g));
	/* What is there already is printed by the handler, at once. */
	rc = evg_bind_handler(g, port, EVG_VCPU_KEEP, handle, u);
	if (rc)
		fprintf(stderr, "pirq_uart: line %u: error %d\n", u->pirq, -rc);

	return rc != 0;
}

/* --- The driver ----------------------------------------------------------- */

static int serve(struct uart *u)
{
	while (u->bytes < u->wanted && !u->hung_up) {
		int rc = evp_wait(u->g, EVP_FOREVER);

		if (rc < 0 && rc != -EINTR) {
			fprintf(stderr, "pirq_uart: %s\n", evp_error());
			return 1;
		}
	}
	fprintf(stderr, "[uart] %lu bytes, %lu interrupts%s\n", u->bytes,
		u->interrupts, u->hung_up ? ", hung up" : "");

	return 0;
}

static const char help[] =
	"Usage: pirq_uart [-n BYTES] PIRQ DEVICE\n"
	"\n"
	"Print what arrives at DEVICE, a terminal or a pipe, whose interrupt "
	"is\n"
	"line PIRQ, until it hangs up, or BYTES have come.\n"
	"\n"
	"Exit status: 0 fine, 1 something failed, 2 wrong arguments.\n"
	"\n"
	"Example:\n"
	"  evtchn run --domain 2 --pirq 4=/dev/pts/7 -- pirq_uart 4 /dev/pts/7";

int main(int argc, char **argv)
{
	struct arguments a = {"pirq_uart", help, .rounds = MAX_ROUNDS,
			      .nr_rest = 2};
	struct uart u = {.wanted = 0};
	int status;

	parse_arguments(&a, argc, argv);
	u.pirq = (uint32_t)parse_number(&a, a.rest[0], MAX_PIRQ);
	u.wanted = a.rounds;
	if (evp_attach(&u.g, NULL)) {
		fprintf(stderr, "pirq_uart: %s\n", evp_error());
		return 1;
	}
	status = open_device(&u, a.rest[1]) || bind_line(&u) || serve(&u);
	evp_detach(u.g); /* closes the port: the line is free */

	return status;
}
