/* SPDX-License-Identifier: MIT */
/*
 * The arguments of hypercalls, in the program's memory.
 *
 * A pointer that leads nowhere is EFAULT and not the end of the program, as it
 * is for the hypervisor: the kernel is asked to copy.  Where that call is
 * forbidden (seccomp) we copy ourselves.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "call.h"

/* Did the kernel do it?  -ENOSYS: it does not do that for us at all. */
static int done(ssize_t n, size_t len)
{
	if (n == (ssize_t)len)
		return 0;
	return n < 0 && (errno == ENOSYS || errno == EPERM) ? -ENOSYS : -EFAULT;
}

int evu_copy_in(void *to, uint64_t from, size_t len)
{
	struct iovec here = {to, len}, there = {(void *)(uintptr_t)from, len};
	int rc = done(process_vm_readv(getpid(), &here, 1, &there, 1, 0), len);

	if (rc != -ENOSYS)
		return rc;
	memcpy(to, there.iov_base, len);
	return 0;
}

int evu_copy_out(uint64_t to, const void *from, size_t len)
{
	struct iovec here = {(void *)(uintptr_t)from, len};
	struct iovec there = {(void *)(uintptr_t)to, len};
	int rc = done(process_vm_writev(getpid(), &here, 1, &there, 1, 0), len);

	if (rc != -ENOSYS)
		return rc;
	memcpy(there.iov_base, from, len);
	return 0;
}
