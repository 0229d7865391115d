/* SPDX-License-Identifier: MIT */
/*
 * The public functions of libxencall: handles, hypercalls, buffers.
 *
 * A handle is a session with the broker.  A buffer is ordinary memory, since the
 * one who reads it is this library.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <evp/evp.h>

#include "call.h"

#define PAGE 4096u

/* --- opening and closing ---------------------------------------------------- */

#define XTL_ERROR 8

/* Of libxentoollog, which whoever has a logger uses. */
extern void xtl_log(struct xentoollog_logger *logger, int level, int errnoval,
		    const char *context, const char *format, ...)
	__attribute__((weak));

static void complain(struct xentoollog_logger *logger)
{
	if (logger && xtl_log)
		xtl_log(logger, XTL_ERROR, -1, "xencall", "%s", evp_error());
	else
		fprintf(stderr, "xencall: error: %s\n", evp_error());
}

/*
 * xentoolcore_restrict_all(): nothing can be asked any more.  The descriptor
 * stays, so that whoever asked for its number finds it taken.
 */
static int limit(struct evu_active *a, uint16_t domid)
{
	struct xencall_handle *h = (struct xencall_handle *)a;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int rc = null < 0 ? -1 : dup3(null, h->s.fd, O_CLOEXEC);

	(void)domid;
	if (null >= 0)
		(void)close(null);
	if (rc < 0)
		return -1;
	h->limited = true;
	return 0;
}

static int start(struct xencall_handle *h, struct xentoollog_logger *logger)
{
	const struct evp_options o = {.domain = EVP_DOMAIN_ENV};
	int rc = -pthread_mutex_init(&h->lock, NULL);

	if (rc)
		return rc;
	rc = evp_session_open(&h->s, &o);
	if (rc) {
		complain(logger);
		(void)pthread_mutex_destroy(&h->lock);
		return rc;
	}
	evu_activate(&h->active, limit);
	return 0;
}

xencall_handle *xencall_open(struct xentoollog_logger *logger,
			     unsigned int open_flags)
{
	struct xencall_handle *h;
	int rc;

	if (open_flags & ~XENCALL_OPENFLAG_NON_REENTRANT) {
		errno = EINVAL;
		return NULL;
	}
	h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->reentrant = !(open_flags & XENCALL_OPENFLAG_NON_REENTRANT);
	rc = start(h, logger);
	if (rc) {
		free(h);
		errno = -rc;
		return NULL;
	}
	return h;
}

/* The lock is not touched: in a child after fork() it may be held for ever. */
int xencall_close(xencall_handle *xcall)
{
	if (!xcall)
		return 0;
	evu_deactivate(&xcall->active);
	(void)close(xcall->s.fd);
	free(xcall);
	return 0;
}

int xencall_fd(xencall_handle *xcall)
{
	return xcall->s.fd;
}

/* --- hypercalls ------------------------------------------------------------- */

static int call(struct xencall_handle *h, const struct evu_call *c)
{
	int rc = -ENOTTY;

	if (h->reentrant)
		(void)pthread_mutex_lock(&h->lock);
	if (!h->limited)
		rc = evu_call_do(h, c);
	if (h->reentrant)
		(void)pthread_mutex_unlock(&h->lock);
	return evu_errno(rc);
}

int xencall0(xencall_handle *xcall, unsigned int op)
{
	return call(xcall, &(struct evu_call){.op = op});
}

int xencall1(xencall_handle *xcall, unsigned int op, uint64_t arg1)
{
	return call(xcall, &(struct evu_call){.op = op, .arg = {arg1}});
}

int xencall2(xencall_handle *xcall, unsigned int op, uint64_t arg1,
	     uint64_t arg2)
{
	return call(xcall, &(struct evu_call){.op = op, .arg = {arg1, arg2}});
}

int xencall3(xencall_handle *xcall, unsigned int op, uint64_t arg1,
	     uint64_t arg2, uint64_t arg3)
{
	return call(xcall,
		    &(struct evu_call){.op = op, .arg = {arg1, arg2, arg3}});
}

int xencall4(xencall_handle *xcall, unsigned int op, uint64_t arg1,
	     uint64_t arg2, uint64_t arg3, uint64_t arg4)
{
	return call(xcall, &(struct evu_call){.op = op,
					      .arg = {arg1, arg2, arg3, arg4}});
}

int xencall5(xencall_handle *xcall, unsigned int op, uint64_t arg1,
	     uint64_t arg2, uint64_t arg3, uint64_t arg4, uint64_t arg5)
{
	return call(xcall,
		    &(struct evu_call){.op = op,
				       .arg = {arg1, arg2, arg3, arg4, arg5}});
}

long xencall2L(xencall_handle *xcall, unsigned int op, uint64_t arg1,
	       uint64_t arg2)
{
	return xencall2(xcall, op, arg1, arg2);
}

/* --- buffers ---------------------------------------------------------------- */

void *xencall_alloc_buffer_pages(xencall_handle *xcall, size_t nr_pages)
{
	void *p = NULL;

	(void)xcall;
	if (nr_pages && nr_pages <= SIZE_MAX / 2 / PAGE)
		p = aligned_alloc(PAGE, nr_pages * PAGE);
	if (p)
		memset(p, 0, nr_pages * PAGE);
	else
		errno = ENOMEM;
	return p;
}

void xencall_free_buffer_pages(xencall_handle *xcall, void *p, size_t nr_pages)
{
	(void)xcall;
	(void)nr_pages;
	free(p);
}

void *xencall_alloc_buffer(xencall_handle *xcall, size_t size)
{
	return xencall_alloc_buffer_pages(xcall, size / PAGE + !!(size % PAGE));
}

void xencall_free_buffer(xencall_handle *xcall, void *p)
{
	xencall_free_buffer_pages(xcall, p, 0);
}

int xencall_buffers_never_fault(xencall_handle *xcall)
{
	(void)xcall;
	return 1;
}
