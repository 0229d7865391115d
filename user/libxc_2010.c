/* SPDX-License-Identifier: MIT */
/*
 * libxc's event-channel calls of 2010, on today's library.
 *
 * Then a handle was the descriptor of the device.  So it is here: a table
 * leads from a descriptor to the handle it belongs to.  The calls on the control
 * interface are in libxc_2010_ctl.c.
 */
#include <errno.h>
#include <stddef.h>

#pragma GCC visibility push(default)
#include <xenctrl_2010.h>
#pragma GCC visibility pop

#include "fd_table.h"

static struct evu_fd_table table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static xenevtchn_handle *find(int fd)
{
	return evu_fd_find(&table, fd);
}

int xc_evtchn_open(void)
{
	xenevtchn_handle *h = xenevtchn_open(NULL, 0);
	int fd = h ? xenevtchn_fd(h) : -1;

	if (fd >= 0 && !evu_fd_replace(&table, NULL, h, fd)) {
		errno = EMFILE;
		fd = -1;
	}
	if (fd < 0) {
		int why = errno;

		(void)xenevtchn_close(h);
		errno = why;
	}
	return fd;
}

int xc_evtchn_close(int xce_handle)
{
	xenevtchn_handle *h = find(xce_handle);

	if (!h)
		return -1;
	(void)evu_fd_replace(&table, h, NULL, -1);
	return xenevtchn_close(h);
}

int xc_evtchn_fd(int xce_handle)
{
	return xce_handle;
}

int xc_evtchn_notify(int xce_handle, evtchn_port_t port)
{
	xenevtchn_handle *h = find(xce_handle);

	return h ? xenevtchn_notify(h, port) : -1;
}

evtchn_port_or_error_t xc_evtchn_bind_unbound_port(int xce_handle, int domid)
{
	xenevtchn_handle *h = find(xce_handle);

	return h ? xenevtchn_bind_unbound_port(h, (uint32_t)domid) : -1;
}

evtchn_port_or_error_t xc_evtchn_bind_interdomain(int xce_handle, int domid,
						  evtchn_port_t remote_port)
{
	xenevtchn_handle *h = find(xce_handle);

	return h ? xenevtchn_bind_interdomain(h, (uint32_t)domid, remote_port)
		 : -1;
}

evtchn_port_or_error_t xc_evtchn_bind_virq(int xce_handle, unsigned int virq)
{
	xenevtchn_handle *h = find(xce_handle);

	return h ? xenevtchn_bind_virq(h, virq) : -1;
}

int xc_evtchn_unbind(int xce_handle, evtchn_port_t port)
{
	xenevtchn_handle *h = find(xce_handle);

	return h ? xenevtchn_unbind(h, port) : -1;
}

evtchn_port_or_error_t xc_evtchn_pending(int xce_handle)
{
	xenevtchn_handle *h = find(xce_handle);

	return h ? xenevtchn_pending(h) : -1;
}

int xc_evtchn_unmask(int xce_handle, evtchn_port_t port)
{
	xenevtchn_handle *h = find(xce_handle);

	return h ? xenevtchn_unmask(h, port) : -1;
}
