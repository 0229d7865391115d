/* SPDX-License-Identifier: MIT */
/*
 * Copying to and from grants.
 *
 * The broker says, for each copy anew, whether it is allowed, and hands out the
 * region; reading and writing that as a file needs no mapping, and finds out
 * whether the caller's memory is good.
 */
#include <errno.h>
#include <unistd.h>

#include <abi/grant_table.h>

#include "grant.h"
#include "lane.h"

static int status_of(ssize_t n, size_t len)
{
	if (n >= 0 && (size_t)n == len)
		return GNTST_okay;
	return n >= 0 || errno == EFAULT ? GNTST_bad_virt_addr
					 : GNTST_general_error;
}

/* The region of @r, and where in it the bytes are; or a GNTST_... */
static int begin(struct evp_grants *h, const struct evp_grant_ref *r,
		 uint32_t offset, size_t len, uint32_t flags, int *fd,
		 off_t *at)
{
	const struct evp_how how = {.flags = flags | EVP_GRANT_COPY};
	struct evp_grant_mapped a;
	int rc;

	if (offset > EVP_PAGE_SIZE || len > EVP_PAGE_SIZE - offset)
		return GNTST_bad_copy_arg;
	evp_grants_enter(h);
	rc = evp_grant_ask(h, r, 1, &how, &a, fd);
	evp_grants_leave(h);
	if (rc)
		return GNTST_general_error;
	if (!a.status)
		*at = (off_t)a.page[0] * EVP_PAGE_SIZE + offset;
	return a.status;
}

int evp_grant_read(struct evp_grants *h, const struct evp_grant_ref *r,
		   uint32_t offset, void *buf, size_t len)
{
	off_t at;
	int fd, status = begin(h, r, offset, len, 0, &fd, &at);

	if (status)
		return status;
	status = status_of(pread(fd, buf, len, at), len);
	(void)close(fd);
	return status;
}

int evp_grant_write(struct evp_grants *h, const struct evp_grant_ref *r,
		    uint32_t offset, const void *buf, size_t len)
{
	off_t at;
	int fd, status;

	status = begin(h, r, offset, len, EVP_GRANT_WRITABLE, &fd, &at);
	if (status)
		return status;
	status = status_of(pwrite(fd, buf, len, at), len);
	(void)close(fd);
	return status;
}
