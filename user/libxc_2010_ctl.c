/* SPDX-License-Identifier: MIT */
/*
 * libxc's event-channel calls of 2010 on the control interface, on libxencall.
 * Its handle, too, was a descriptor then.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)
#include <xenctrl_2010.h>
#pragma GCC visibility pop

#include <xencall.h>

#include "fd_table.h"

static struct evu_fd_table table = {.lock = PTHREAD_MUTEX_INITIALIZER};

int xc_interface_open(void)
{
	xencall_handle *h = xencall_open(NULL, 0);
	int fd = h ? xencall_fd(h) : -1;

	if (fd >= 0 && !evu_fd_replace(&table, NULL, h, fd)) {
		(void)xencall_close(h);
		errno = EMFILE;
		fd = -1;
	}
	return fd;
}

int xc_interface_close(int xc_handle)
{
	xencall_handle *h = evu_fd_find(&table, xc_handle);

	if (!h)
		return -1;
	(void)evu_fd_replace(&table, h, NULL, -1);
	return xencall_close(h);
}

static int event_channel_op(int xc_handle, unsigned int cmd, void *arg)
{
	xencall_handle *h = evu_fd_find(&table, xc_handle);

	return h ? xencall2(h, __HYPERVISOR_event_channel_op, cmd,
			    (uintptr_t)arg)
		 : -1;
}

evtchn_port_or_error_t xc_evtchn_alloc_unbound(int xc_handle, uint32_t dom,
					       uint32_t remote_dom)
{
	struct evtchn_alloc_unbound op = {.dom = (domid_t)dom,
					  .remote_dom = (domid_t)remote_dom};
	int rc = event_channel_op(xc_handle, EVTCHNOP_alloc_unbound, &op);

	return rc ? rc : (evtchn_port_or_error_t)op.port;
}

int xc_evtchn_reset(int xc_handle, uint32_t dom)
{
	struct evtchn_reset op = {.dom = (domid_t)dom};

	return event_channel_op(xc_handle, EVTCHNOP_reset, &op);
}

int xc_evtchn_status(int xc_handle, xc_evtchn_status_t *status)
{
	return event_channel_op(xc_handle, EVTCHNOP_status, status);
}
