/* SPDX-License-Identifier: MIT */
/*
 * The twelve functions of libxenevtchn.
 *
 * Each finds its backend through the handle, and turns the -errno that comes
 * back into -1 and errno.  The choice of a backend, made when a handle is
 * opened, is the rest of this file:
 *
 *   1. EVTCHN_DEVICE is set: that device, or, if it is empty, the process host;
 *   2. started by `evtchn run` (EVTCHN_FD is set): the process host, because
 *      that is what the user asked for;
 *   3. /dev/xen/evtchn, if it can be opened; else the process host.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handle.h"

#define DEVICE "/dev/xen/evtchn"

/* --- opening and closing ---------------------------------------------------- */

static int limit_again(struct evu_active *a, domid_t domid);

static xenevtchn_handle *opened(int rc, xenevtchn_handle *h)
{
	if (rc) {
		errno = -rc;
		return NULL;
	}
	h->limited_to = -1;
	evu_activate(&h->active, limit_again);
	return h;
}

static bool is_no_broker(int rc)
{
	return rc == -ENOENT || rc == -ECONNREFUSED;
}

static int open_any(xenevtchn_handle **h, bool keep)
{
	const char *path = secure_getenv("EVTCHN_DEVICE");
	const char *session = secure_getenv("EVTCHN_FD");
	int rc, why;

	if (path)
		return *path ? evu_device_open(h, path, keep)
			     : evu_process_open(h, keep);
	if (session && *session)
		return evu_process_open(h, keep);
	why = evu_device_open(h, DEVICE, keep);
	if (!why)
		return 0;
	rc = evu_process_open(h, keep);
	/* Neither: a device that is there, but not for us, tells more. */
	return is_no_broker(rc) ? why : rc;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger,
				 unsigned int flags)
{
	xenevtchn_handle *h = NULL;
	int rc = -EINVAL;

	(void)logger;
	if (!(flags & ~(unsigned int)XENEVTCHN_NO_CLOEXEC))
		rc = open_any(&h, flags & XENEVTCHN_NO_CLOEXEC);
	return opened(rc, h);
}

xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd,
				   unsigned int flags)
{
	xenevtchn_handle *h = NULL;
	struct stat st;
	int rc;

	(void)logger;
	if (flags)
		rc = -EINVAL;
	else if (fstat(fd, &st))
		rc = -errno;
	else if (S_ISCHR(st.st_mode))
		rc = evu_device_adopt(&h, fd);
	else
		rc = evu_process_adopt(&h, fd);
	return opened(rc, h);
}

int xenevtchn_close(xenevtchn_handle *xce)
{
	if (!xce)
		return 0;
	evu_deactivate(&xce->active);
	return evu_errno(xce->ops->close(xce));
}

/* --- restricting ------------------------------------------------------------ */

int xenevtchn_restrict(xenevtchn_handle *xce, domid_t domid)
{
	int rc = xce->ops->limit(xce, domid);

	if (!rc)
		xce->limited_to = domid;
	return evu_errno(rc);
}

/* libxentoolcore may ask twice, with the same domain. */
static int limit_again(struct evu_active *a, domid_t domid)
{
	xenevtchn_handle *h = (xenevtchn_handle *)a;

	return h->limited_to == domid ? 0 : xenevtchn_restrict(h, domid);
}

/* --- the rest --------------------------------------------------------------- */

int xenevtchn_fd(xenevtchn_handle *xce)
{
	return evu_errno(xce->ops->fd(xce));
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
	return evu_errno(xce->ops->notify(xce, port));
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *xce,
						      uint32_t domid)
{
	return evu_errno(xce->ops->bind_unbound(xce, domid));
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce,
						     uint32_t domid,
						     evtchn_port_t remote_port)
{
	return evu_errno(xce->ops->bind_interdomain(xce, domid, remote_port));
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce,
					      unsigned int virq)
{
	return evu_errno(xce->ops->bind_virq(xce, virq));
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
	return evu_errno(xce->ops->unbind(xce, port));
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
	return evu_errno(xce->ops->pending(xce));
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
	return evu_errno(xce->ops->unmask(xce, port));
}
