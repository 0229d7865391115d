/* SPDX-License-Identifier: MIT */
/*
 * libxenforeignmemory: a control domain looks at the memory of others.
 *
 * The names, types and meanings are those of Xen's library of this name, so a
 * program compiled against either header runs with either library.  Behind the
 * calls of this one is the process host, where the memory that has a frame
 * number is what a domain shares, with whomever; docs/drop-in.md says more.
 *
 * Common to all functions:
 *
 *   Returns  -1 (or NULL) and errno when they fail.
 *   Context  any thread.  After fork() the child may only close.
 */
#ifndef XENFOREIGNMEMORY_H
#define XENFOREIGNMEMORY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef __XEN_PUBLIC_XEN_H__
typedef uint16_t domid_t;
typedef unsigned long xen_pfn_t;
#endif

/* Of this library only: the frame of the page that has this grant reference. */
#define XENFOREIGNMEMORY_FRAME_OF_GRANT(ref) ((xen_pfn_t)0x100000 + (ref))

typedef struct xenforeignmemory_handle xenforeignmemory_handle;
typedef struct xenforeignmemory_resource_handle
	xenforeignmemory_resource_handle;

struct xentoollog_logger; /* accepted; nothing is ever logged */

/* A handle; the broker is asked when something is mapped. */
xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *logger,
					       unsigned int open_flags);
int xenforeignmemory_close(xenforeignmemory_handle *fmem);

/*
 * Map frames of domain @dom one after the other; all or none.  @err, unless
 * NULL, gets 0 for each.  @addr is not used, and @flags without MAP_FIXED.
 *   EPERM   not domain 0, or restricted to another domain
 *   EINVAL  a frame that is not there, or no frames
 *   EACCES  to be written, but shared for reading only
 *   ESRCH   no such domain
 *   others  of evp_attach() (evp/evp.h)
 */
void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t dom,
			   int prot, size_t pages, const xen_pfn_t arr[],
			   int err[]);
void *xenforeignmemory_map2(xenforeignmemory_handle *fmem, uint32_t dom,
			    void *addr, int prot, int flags, size_t pages,
			    const xen_pfn_t arr[], int err[]);

/* What one call mapped, whole.  EINVAL: not mapped. */
int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr,
			   size_t pages);

/* From now on only @domid's.  Kept by the library. */
int xenforeignmemory_restrict(xenforeignmemory_handle *fmem, domid_t domid);

/* A hypervisor's resources.  EOPNOTSUPP: there are none. */
xenforeignmemory_resource_handle *
xenforeignmemory_map_resource(xenforeignmemory_handle *fmem, domid_t domid,
			      unsigned int type, unsigned int id,
			      unsigned long frame, unsigned long nr_frames,
			      void **paddr, int prot, int flags);
int xenforeignmemory_unmap_resource(xenforeignmemory_handle *fmem,
				    xenforeignmemory_resource_handle *fres);
int xenforeignmemory_resource_size(xenforeignmemory_handle *fmem, domid_t domid,
				   unsigned int type, unsigned int id,
				   size_t *size);

#ifdef __cplusplus
}
#endif

#endif /* XENFOREIGNMEMORY_H */
