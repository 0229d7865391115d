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
 * Not here: the calls on the control interface (xc_evtchn_alloc_unbound(),
 * _status(), _reset()), which take the handle of xc_interface_open().
 */
#ifndef XENCTRL_2010_H
#define XENCTRL_2010_H

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

#ifdef __cplusplus
}
#endif

#endif /* XENCTRL_2010_H */
