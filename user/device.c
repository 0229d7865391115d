/* SPDX-License-Identifier: MIT */
/*
 * The backend on Xen: Linux's event-channel device.
 *
 * Its ioctls bind, close and send; reading yields ports that had an event, 4
 * bytes each, and masks them; writing ports unmasks them.  The kernel keeps
 * the books, so there is nothing to remember here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "handle.h"

/* The request numbers carry a size but no direction. */
#define REQUEST(nr, type) _IOC(_IOC_NONE, 'E', nr, sizeof(type))

struct bind_interdomain {
	uint32_t remote_domain, remote_port;
};

struct restrict_domid {
	domid_t domid;
};

#define BIND_VIRQ	  REQUEST(0, uint32_t)
#define BIND_INTERDOMAIN  REQUEST(1, struct bind_interdomain)
#define BIND_UNBOUND_PORT REQUEST(2, uint32_t)
#define UNBIND		  REQUEST(3, uint32_t)
#define NOTIFY		  REQUEST(4, uint32_t)
#define RESTRICT_DOMID	  REQUEST(6, struct restrict_domid)

struct device {
	struct xenevtchn_handle h;
	int fd;
};

static int fd_of(struct xenevtchn_handle *h)
{
	return ((struct device *)h)->fd;
}

static int request(struct xenevtchn_handle *h, unsigned long nr, void *arg)
{
	int rc = ioctl(fd_of(h), nr, arg);

	return rc < 0 ? -errno : rc;
}

static int limit(struct xenevtchn_handle *h, domid_t domid)
{
	struct restrict_domid r = {.domid = domid};

	return request(h, RESTRICT_DOMID, &r);
}

static int notify(struct xenevtchn_handle *h, evtchn_port_t port)
{
	return request(h, NOTIFY, &port);
}

static int bind_unbound(struct xenevtchn_handle *h, uint32_t domid)
{
	return request(h, BIND_UNBOUND_PORT, &domid);
}

static int bind_interdomain(struct xenevtchn_handle *h, uint32_t domid,
			    evtchn_port_t port)
{
	struct bind_interdomain b = {domid, port};

	return request(h, BIND_INTERDOMAIN, &b);
}

static int bind_virq(struct xenevtchn_handle *h, uint32_t virq)
{
	return request(h, BIND_VIRQ, &virq);
}

static int unbind(struct xenevtchn_handle *h, evtchn_port_t port)
{
	return request(h, UNBIND, &port);
}

/* The device moves whole ports, so a short one means it is no such device. */
static int moved(ssize_t n)
{
	if (n < 0)
		return -errno;
	return n == sizeof(evtchn_port_t) ? 0 : -EIO;
}

static int pending(struct xenevtchn_handle *h)
{
	evtchn_port_t port;
	int rc = moved(read(fd_of(h), &port, sizeof(port)));

	return rc ? rc : (int)port;
}

static int unmask(struct xenevtchn_handle *h, evtchn_port_t port)
{
	return moved(write(fd_of(h), &port, sizeof(port)));
}

static int close_device(struct xenevtchn_handle *h)
{
	int fd = fd_of(h);

	free(h);
	return close(fd) ? -errno : 0;
}

static const struct evu_ops ops = {
	.close = close_device,
	.fd = fd_of,
	.limit = limit,
	.notify = notify,
	.bind_unbound = bind_unbound,
	.bind_interdomain = bind_interdomain,
	.bind_virq = bind_virq,
	.unbind = unbind,
	.pending = pending,
	.unmask = unmask,
};

int evu_device_adopt(struct xenevtchn_handle **h, int fd)
{
	struct device *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->h.ops = &ops;
	d->fd = fd;
	*h = &d->h;
	return 0;
}

int evu_device_open(struct xenevtchn_handle **h, const char *path, bool keep)
{
	int rc, fd = open(path, keep ? O_RDWR : O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	rc = evu_device_adopt(h, fd);
	if (rc)
		(void)close(fd);
	return rc;
}
