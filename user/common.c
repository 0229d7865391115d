/* SPDX-License-Identifier: MIT */
/* Errors, from Xen's numbers to those of this system. */
#include "common.h"

#include <errno.h>

#include <abi/errno.h>

/* Xen's numbers are not those of every system this runs on. */
static const int errno_of[] = {
	[XEN_EPERM] = EPERM,	 [XEN_ENOENT] = ENOENT,
	[XEN_ESRCH] = ESRCH,	 [XEN_EINTR] = EINTR,
	[XEN_EIO] = EIO,	 [XEN_ENXIO] = ENXIO,
	[XEN_E2BIG] = E2BIG,	 [XEN_EBADF] = EBADF,
	[XEN_EAGAIN] = EAGAIN,	 [XEN_ENOMEM] = ENOMEM,
	[XEN_EACCES] = EACCES,	 [XEN_EFAULT] = EFAULT,
	[XEN_EBUSY] = EBUSY,	 [XEN_EEXIST] = EEXIST,
	[XEN_ENODEV] = ENODEV,	 [XEN_EINVAL] = EINVAL,
	[XEN_ENOSPC] = ENOSPC,	 [XEN_ERANGE] = ERANGE,
	[XEN_ENOSYS] = ENOSYS,	 [XEN_EOPNOTSUPP] = EOPNOTSUPP,
	[XEN_ENOBUFS] = ENOBUFS, [XEN_ENOTCONN] = ENOTCONN,
};

#define NR_ERRORS (int)(sizeof(errno_of) / sizeof(errno_of[0]))

int evu_result(int rc)
{
	if (rc >= 0)
		return rc;
	return -rc < NR_ERRORS && errno_of[-rc] ? -errno_of[-rc] : -EIO;
}
