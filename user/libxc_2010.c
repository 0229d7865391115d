/* SPDX-License-Identifier: MIT */
/*
 * libxc's event-channel calls of 2010, on today's library.
 *
 * Then a handle was the descriptor of the device.  So it is here: a table
 * leads from a descriptor to the handle it belongs to.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(default)
#include <xenctrl_2010.h>
#pragma GCC visibility pop

#define NR_HANDLES 64 /* more than a program of that time opened */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static xenevtchn_handle *handle[NR_HANDLES];
static int fd_of[NR_HANDLES];

/* What @fd stands for, or NULL and EBADF. */
static xenevtchn_handle *find(int fd)
{
	xenevtchn_handle *h = NULL;
	size_t i;

	(void)pthread_mutex_lock(&lock);
	for (i = 0; i < NR_HANDLES && !h; i++) {
		if (fd_of[i] == fd)
			h = handle[i];
	}
	(void)pthread_mutex_unlock(&lock);
	if (!h)
		errno = EBADF;
	return h;
}

/* Put @to in the place of @from.  False: there is no such place. */
static bool replace(xenevtchn_handle *from, xenevtchn_handle *to, int fd)
{
	size_t i;

	(void)pthread_mutex_lock(&lock);
	for (i = 0; i < NR_HANDLES && handle[i] != from; i++)
		continue;
	if (i < NR_HANDLES) {
		handle[i] = to;
		fd_of[i] = fd;
	}
	(void)pthread_mutex_unlock(&lock);
	return i < NR_HANDLES;
}

int xc_evtchn_open(void)
{
	xenevtchn_handle *h = xenevtchn_open(NULL, 0);
	int fd = h ? xenevtchn_fd(h) : -1;

	if (fd >= 0 && !replace(NULL, h, fd)) {
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
	(void)replace(h, NULL, -1);
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
