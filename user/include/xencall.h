/* SPDX-License-Identifier: MIT */
/*
 * libxencall: hypercalls of programs.
 *
 * The names, types and meanings are those of Xen's library of this name, so a
 * program compiled against either header runs with either library.  Here the
 * process host answers: event_channel_op, and what tools ask to list domains
 * (docs/drop-in.md).  Everything else is ENOSYS.
 *
 * A handle acts for the domain of the process that opened it: the one `evtchn
 * run` gave it, else $EVTCHN_DOMAIN, else the one it is in already, else a new
 * one.  It holds that domain and owns no ports; what it opens there belongs to
 * the longest-attached handle of libxenevtchn.
 *
 * Common to all functions:
 *
 *   Returns  -1 (or NULL) and errno when they fail; hypercalls with Xen's
 *            error.
 *   Context  any thread; with XENCALL_OPENFLAG_NON_REENTRANT one at a time.
 *            After fork() the child may only call xencall_close().
 */
#ifndef XENCALL_H
#define XENCALL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xencall_handle xencall_handle;

struct xentoollog_logger; /* NULL: what is said goes to stderr */

/* The caller sees to it that only one thread uses the handle at a time. */
#define XENCALL_OPENFLAG_NON_REENTRANT (1U << 0)

/*
 * xencall_open - a handle.  Why there is none is logged.
 *   EINVAL                @open_flags has a flag that is not defined
 *   ENOENT, ECONNREFUSED  no broker
 *   EACCES                the broker serves another user
 *   ENOMEM, EMFILE
 */
xencall_handle *xencall_open(struct xentoollog_logger *logger,
			     unsigned int open_flags);

/* xencall_close - NULL is accepted.  Returns 0. */
int xencall_close(xencall_handle *xcall);

/* xencall_fd - a descriptor that stands for the handle; never readable. */
int xencall_fd(xencall_handle *xcall);

/*
 * xencall0 .. xencall5 - hypercall number @op.
 *
 * Returns what the hypercall does: 0, a number, or -1 and errno:
 *   ENOSYS    is not answered here
 *   EFAULT    a pointer among the arguments leads nowhere
 *   EACCES    domctl, sysctl: made for another version of Xen than 4.17
 *   EPERM     domctl, sysctl: not domain 0
 *   ENOTTY    the program has given up its privileges
 *   ENOTCONN  the broker is gone
 */
int xencall0(xencall_handle *xcall, unsigned int op);
int xencall1(xencall_handle *xcall, unsigned int op, uint64_t arg1);
int xencall2(xencall_handle *xcall, unsigned int op, uint64_t arg1,
	     uint64_t arg2);
int xencall3(xencall_handle *xcall, unsigned int op, uint64_t arg1,
	     uint64_t arg2, uint64_t arg3);
int xencall4(xencall_handle *xcall, unsigned int op, uint64_t arg1,
	     uint64_t arg2, uint64_t arg3, uint64_t arg4);
int xencall5(xencall_handle *xcall, unsigned int op, uint64_t arg1,
	     uint64_t arg2, uint64_t arg3, uint64_t arg4, uint64_t arg5);

/* xencall2L - of which the result is more than an int. */
long xencall2L(xencall_handle *xcall, unsigned int op, uint64_t arg1,
	       uint64_t arg2);

/*
 * xencall_alloc_buffer_pages - @nr_pages of zeroed memory, on a page's start.
 * xencall_alloc_buffer - at least @size bytes of it.
 *   ENOMEM  also when @nr_pages or @size is 0
 * Free with the function of the pair; NULL is accepted.
 */
void *xencall_alloc_buffer_pages(xencall_handle *xcall, size_t nr_pages);
void xencall_free_buffer_pages(xencall_handle *xcall, void *p, size_t nr_pages);
void *xencall_alloc_buffer(xencall_handle *xcall, size_t size);
void xencall_free_buffer(xencall_handle *xcall, void *p);

/* xencall_buffers_never_fault - 1: no hypercall fails because of a buffer. */
int xencall_buffers_never_fault(xencall_handle *xcall);

#ifdef __cplusplus
}
#endif

#endif /* XENCALL_H */
