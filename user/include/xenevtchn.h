/* SPDX-License-Identifier: MIT */
/*
 * libxenevtchn: event channels for programs.
 *
 * The names, types and meanings are those of Xen's library of this name, so a
 * program compiled against either header runs with either library.  Behind
 * the calls is the real /dev/xen/evtchn or the process host; docs/drop-in.md
 * says which, and what differs.
 *
 * A loop looks like this:
 *
 *   poll() xenevtchn_fd()            if there is more to wait for
 *   port = xenevtchn_pending()       the port is masked now
 *   xenevtchn_unmask(port)           further events come again
 *   look for work, do all of it
 *
 * Common to all functions:
 *
 *   Returns  -1 (or NULL) and errno when they fail.
 *   Context  any thread; one at a time in xenevtchn_pending().  After fork()
 *            the child may only call xenevtchn_close().
 */
#ifndef XENEVTCHN_H
#define XENEVTCHN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint32_t evtchn_port_t;
typedef uint16_t domid_t;

/* A port (they fit in 31 bits), or -1 and errno. */
typedef int xenevtchn_port_or_error_t;

typedef struct xenevtchn_handle xenevtchn_handle;

struct xentoollog_logger; /* accepted everywhere; nothing is ever logged */

/* The descriptor is to stay open across exec(). */
#define XENEVTCHN_NO_CLOEXEC (1 << 0)

/*
 * xenevtchn_open - a handle, which owns the ports that are bound with it.
 *   EINVAL  @flags is neither 0 nor XENEVTCHN_NO_CLOEXEC
 *   EBUSY   process host: the domain has its 1024 attachments
 *   others  of the device, or of evp_attach() (evp/evp.h)
 */
xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger,
				 unsigned int flags);

/*
 * xenevtchn_fdopen - a handle from a descriptor that was inherited: its ports
 * are still bound.  On the process host: those that were masked are not any
 * more, and an event is reported for each, as they may have had one.
 *   EINVAL    @flags is not 0, or @fd is neither a device nor what
 *             xenevtchn_fd() was, under the same number, before exec()
 *   ENOTCONN  process host: the broker is gone
 *   others    as xenevtchn_open(); then @fd is as it was
 */
xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd,
				   unsigned int flags);

/* Closes the handle's ports, too.  NULL is fine. */
int xenevtchn_close(xenevtchn_handle *xce);

/*
 * A descriptor for poll() and select(): readable while xenevtchn_pending()
 * would not block.  Not to be read.  With O_NONBLOCK set on it, pending fails
 * with EAGAIN instead of blocking.
 */
int xenevtchn_fd(xenevtchn_handle *xce);

/*
 * From now on this handle can be connected to @domid only.
 *   EINVAL  0 or no domain id       EACCES  restricted already
 */
int xenevtchn_restrict(xenevtchn_handle *xce, domid_t domid);

/*
 * Send an event.  0 also when nobody is at the other end.
 *   ENOTCONN  not a port of this handle
 */
int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port);

/* A port that @domid may connect to. */
xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *xce,
						      uint32_t domid);

/* A port connected to @remote_port of @domid; it is pending at once. */
xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce,
						     uint32_t domid,
						     evtchn_port_t remote_port);

/* A port for a virtual interrupt. */
xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce,
					      unsigned int virq);

/*
 * Close a port.
 *   EINVAL  too large a number      ENOTCONN  not a port of this handle
 */
int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port);

/* Wait for an event.  Its port stays masked until it is unmasked. */
xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce);

/* Let further events come.  0 also for a port that is not ours. */
int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port);

#ifdef __cplusplus
}
#endif

#endif /* XENEVTCHN_H */
