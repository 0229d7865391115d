/* SPDX-License-Identifier: MIT */
/*
 * libxenforeignmemory, as far as it makes sense without Xen: domain 0 maps pages
 * of others by frame number.
 *
 * A process's memory is nobody else's to look at.  What has a frame number is
 * what its domain shares, with whomever: evp/grant.h.  The connection is made
 * when something is mapped, since libxenctrl opens a handle that most programs
 * never use.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#pragma GCC visibility push(default)
#include <xenforeignmemory.h>
#pragma GCC visibility pop

#include <evp/grant.h>

#include "common.h"

struct xenforeignmemory_handle {
	struct evu_active active; /* first: a callback gets its address */
	struct evp_grants *g;	  /* NULL: nothing was mapped yet */
	pthread_mutex_t lock;
	int limited_to; /* domain, or -1 */
};

static int limit(struct evu_active *a, uint16_t domid)
{
	((struct xenforeignmemory_handle *)a)->limited_to = domid;
	return 0;
}

xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *logger,
					       unsigned int open_flags)
{
	struct xenforeignmemory_handle *h = calloc(1, sizeof(*h));
	int rc;

	(void)logger;
	(void)open_flags;
	if (!h)
		return NULL;
	rc = pthread_mutex_init(&h->lock, NULL);
	if (rc) {
		free(h);
		errno = rc;
		return NULL;
	}
	h->limited_to = -1;
	evu_activate(&h->active, limit);
	return h;
}

int xenforeignmemory_close(xenforeignmemory_handle *fmem)
{
	if (!fmem)
		return 0;
	evu_deactivate(&fmem->active);
	evp_grants_close(fmem->g);
	free(fmem);
	return 0;
}

int xenforeignmemory_restrict(xenforeignmemory_handle *fmem, domid_t domid)
{
	fmem->limited_to = domid;
	return 0;
}

/* --- mapping ----------------------------------------------------------------- */

static int map(xenforeignmemory_handle *h, uint32_t dom, int prot, size_t pages,
	       const xen_pfn_t *arr, void **addr)
{
	uint64_t *frame;
	size_t i;
	int rc = h->g ? 0 : evp_grants_open(&h->g, NULL);

	if (rc)
		return rc;
	frame = malloc(pages * sizeof(*frame));
	if (!frame)
		return -ENOMEM;
	for (i = 0; i < pages; i++)
		frame[i] = arr[i];
	rc = evp_frame_map(h->g, dom, frame, (uint32_t)pages, prot, addr);
	free(frame);
	if (rc == -EACCES && evp_grants_domid(h->g))
		return -EPERM; /* only domain 0 may */
	return rc == -ENOENT ? -EINVAL : rc;
}

void *xenforeignmemory_map2(xenforeignmemory_handle *fmem, uint32_t dom,
			    void *addr, int prot, int flags, size_t pages,
			    const xen_pfn_t arr[], int err[])
{
	void *at = NULL;
	size_t i;
	int rc = -EINVAL;

	(void)addr; /* a hint */
	if (flags & MAP_FIXED)
		rc = -EOPNOTSUPP;
	else if (fmem->limited_to >= 0 && (uint32_t)fmem->limited_to != dom)
		rc = -EPERM;
	else if (pages && pages <= UINT16_MAX) {
		(void)pthread_mutex_lock(&fmem->lock);
		rc = map(fmem, dom, prot, pages, arr, &at);
		(void)pthread_mutex_unlock(&fmem->lock);
	}
	if (rc) {
		errno = -rc;
		return NULL;
	}
	for (i = 0; err && i < pages; i++)
		err[i] = 0;
	return at;
}

void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t dom,
			   int prot, size_t pages, const xen_pfn_t arr[],
			   int err[])
{
	return xenforeignmemory_map2(fmem, dom, NULL, prot, 0, pages, arr, err);
}

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr,
			   size_t pages)
{
	int rc = -EINVAL;

	(void)pthread_mutex_lock(&fmem->lock);
	if (fmem->g && pages <= UINT16_MAX)
		rc = evp_grant_unmap(fmem->g, addr, (uint32_t)pages);
	(void)pthread_mutex_unlock(&fmem->lock);
	return evu_errno(rc);
}

/* --- resources of a hypervisor: there are none ---------------------------------- */

static int no_resource(void)
{
	errno = EOPNOTSUPP;
	return -1;
}

xenforeignmemory_resource_handle *
xenforeignmemory_map_resource(xenforeignmemory_handle *fmem, domid_t domid,
			      unsigned int type, unsigned int id,
			      unsigned long frame, unsigned long nr_frames,
			      void **paddr, int prot, int flags)
{
	(void)fmem;
	(void)domid;
	(void)type;
	(void)id;
	(void)frame;
	(void)nr_frames;
	(void)paddr;
	(void)prot;
	(void)flags;
	(void)no_resource();
	return NULL;
}

int xenforeignmemory_unmap_resource(xenforeignmemory_handle *fmem,
				    xenforeignmemory_resource_handle *fres)
{
	(void)fmem;
	(void)fres;
	return no_resource();
}

int xenforeignmemory_resource_size(xenforeignmemory_handle *fmem, domid_t domid,
				   unsigned int type, unsigned int id,
				   size_t *size)
{
	(void)fmem;
	(void)domid;
	(void)type;
	(void)id;
	(void)size;
	return no_resource();
}
