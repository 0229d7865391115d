/* SPDX-License-Identifier: MIT */
/*
 * The event-channel calls of libxc as they were up to Xen 4.0, when a handle
 * was an int.  A program of that time is compiled with this header in place
 * of <xenctrl.h> and linked with -lxenctrl-2010; new programs use
 * <xenevtchn.h>.
 *
 * The handle is the descriptor, which can be polled, as it always was.  All
 * return -1 and errno when they fail; the errors are those of <xenevtchn.h>,
 * and EBADF for what is no handle.
 *
 * The last five are on the control interface, with a handle of its own; their
 * errors are the hypercall's, see <xencall.h>.  Of libxc's other calls on it none
 * is here.
 */
#ifndef XENCTRL_2010_H
#define XENCTRL_2010_H

#include <abi/event_channel.h>
#include <xenevtchn.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int evtchn_port_or_error_t;

int xc_evtchn_open(void);
int xc_evtchn_close(int xce_handle);
int xc_evtchn_fd(int xce_handle);
int xc_evtchn_notify(int xce_handle, evtchn_port_t port);
evtchn_port_or_error_t xc_evtchn_bind_unbound_port(int xce_handle, int domid);
evtchn_port_or_error_t xc_evtchn_bind_interdomain(int xce_handle, int domid,
						  evtchn_port_t remote_port);
evtchn_port_or_error_t xc_evtchn_bind_virq(int xce_handle, unsigned int virq);
int xc_evtchn_unbind(int xce_handle, evtchn_port_t port);
evtchn_port_or_error_t xc_evtchn_pending(int xce_handle);
int xc_evtchn_unmask(int xce_handle, evtchn_port_t port);

typedef struct evtchn_status xc_evtchn_status_t;

int xc_interface_open(void);
int xc_interface_close(int xc_handle);

/* Open a port of @dom for @remote_dom.  EPERM: another's, and not dom0. */
evtchn_port_or_error_t xc_evtchn_alloc_unbound(int xc_handle, uint32_t dom,
					       uint32_t remote_dom);

/* Close all ports of @dom, which must be the caller's own, or paused. */
int xc_evtchn_reset(int xc_handle, uint32_t dom);

/* Fill in the rest of @status, whose dom and port say what is asked about. */
int xc_evtchn_status(int xc_handle, xc_evtchn_status_t *status);

#ifdef __cplusplus
}
#endif

#endif /* XENCTRL_2010_H */
