/* SPDX-License-Identifier: MIT */
/*
 * libxengnttab: sharing pages with other domains, and using theirs.
 *
 * The names, types and meanings are those of Xen's library of this name, so a
 * program compiled against either header runs with either library.  Behind the
 * calls of this one is the process host; docs/drop-in.md says what differs.
 *
 * Two interfaces: xengntshr_... makes pages and grants them to a domain, which
 * yields a reference for each; xengnttab_... maps them, by domain and reference.
 *
 * Notification (the calls with _notify, of one page): when the page is unmapped
 * or unshared, or the process dies, the byte at @notify_offset becomes 0, and an
 * event is sent on @notify_port; -1: not wanted.  So a peer can see that the
 * other end is gone, even when it was killed.  The port may be closed before.
 *
 * Common to all functions:
 *
 *   Returns  -1 (or NULL) and errno when they fail.
 *   Context  any thread.  After fork() the child may only call ..._close().
 */
#ifndef XENGNTTAB_H
#define XENGNTTAB_H

#include <stdint.h>

#include <abi/grant_table.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef XENEVTCHN_H
typedef uint32_t evtchn_port_t;
typedef uint16_t domid_t;
#endif

typedef struct xengntdev_handle xengnttab_handle;
typedef struct xengntdev_handle xengntshr_handle;

struct xentoollog_logger; /* accepted; what goes wrong in open is on stderr */

/* --- using pages of others ------------------------------------------------- */

/*
 * xengnttab_open - a handle, which owns what is mapped with it.
 * @open_flags  0
 *   ENOENT, ECONNREFUSED  no broker    EOPNOTSUPP  this is a real Xen
 *   others                of evp_attach() (evp/evp.h)
 */
xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger,
				 unsigned int open_flags);

/* Ends all its mappings for the other domains.  NULL is fine. */
int xengnttab_close(xengnttab_handle *xgt);

/* The descriptor behind it; nothing to read or to poll. */
int xengnttab_fd(xengnttab_handle *xgt);

/*
 * Map pages: one; @count of several domains; @count of one domain; one with a
 * notification.  Several come to consecutive addresses.  @prot: PROT_READ, and
 * PROT_WRITE if the grant allows it.
 *   EINVAL  no such domain or reference, not for us, read-only, count 0; no such
 *           port; a byte to clear without PROT_WRITE
 *   ENOMEM  the handle's limit, or memory
 */
void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid,
			      uint32_t ref, int prot);
void *xengnttab_map_grant_refs(xengnttab_handle *xgt, uint32_t count,
			       uint32_t *domids, uint32_t *refs, int prot);
void *xengnttab_map_domain_grant_refs(xengnttab_handle *xgt, uint32_t count,
				      uint32_t domid, uint32_t *refs, int prot);
void *xengnttab_map_grant_ref_notify(xengnttab_handle *xgt, uint32_t domid,
				     uint32_t ref, int prot,
				     uint32_t notify_offset,
				     evtchn_port_t notify_port);

/* What one call mapped, whole.  EINVAL: not mapped, or another @count. */
int xengnttab_unmap(xengnttab_handle *xgt, void *start_address, uint32_t count);

/* How many pages may be mapped; 65536 unless set.  EINVAL: more than that. */
int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants);

struct xengnttab_grant_copy_segment {
	union xengnttab_copy_ptr {
		void *virt;
		struct {
			uint32_t ref;
			uint16_t offset;
			uint16_t domid;
		} foreign;
	} source, dest;
	uint16_t len;
	uint16_t flags; /* GNTCOPY_source_gref, GNTCOPY_dest_gref */
	int16_t status; /* GNTST_... */
};

typedef struct xengnttab_grant_copy_segment xengnttab_grant_copy_segment_t;

/*
 * Copy between memory and pages of others, or between two such.  0 says that
 * each segment's status was set.
 *   EINVAL  a segment between no grants, or beyond the end of a page
 *   EFAULT  a @virt that cannot be accessed
 */
int xengnttab_grant_copy(xengnttab_handle *xgt, uint32_t count,
			 xengnttab_grant_copy_segment_t *segs);

/* dma-bufs.  ENOSYS: there is no device that could use them. */
#define GNTDEV_DMA_FLAG_WC	 (1 << 0)
#define GNTDEV_DMA_FLAG_COHERENT (1 << 1)

int xengnttab_dmabuf_exp_from_refs(xengnttab_handle *xgt, uint32_t domid,
				   uint32_t flags, uint32_t count,
				   const uint32_t *refs, uint32_t *fd);
int xengnttab_dmabuf_exp_wait_released(xengnttab_handle *xgt, uint32_t fd,
				       uint32_t wait_to_ms);
int xengnttab_dmabuf_imp_to_refs(xengnttab_handle *xgt, uint32_t domid,
				 uint32_t fd, uint32_t count, uint32_t *refs);
int xengnttab_dmabuf_imp_release(xengnttab_handle *xgt, uint32_t fd);

/* --- sharing one's own ----------------------------------------------------- */

/* As xengnttab_open(), _close() and _fd(). */
xengntshr_handle *xengntshr_open(struct xentoollog_logger *logger,
				 unsigned int open_flags);
int xengntshr_close(xengntshr_handle *xgs);
int xengntshr_fd(xengntshr_handle *xgs);

/*
 * New pages, zeroed, that @domid may map.  @refs: gets a reference for each.
 *   EINVAL  no count or too large a one, no such port
 *   ENOSPC  the domain has its 65536 grants
 *   EMFILE  too many pieces of shared memory: share more pages at once
 */
void *xengntshr_share_pages(xengntshr_handle *xgs, uint32_t domid, int count,
			    uint32_t *refs, int writable);
void *xengntshr_share_page_notify(xengntshr_handle *xgs, uint32_t domid,
				  uint32_t *ref, int writable,
				  uint32_t notify_offset,
				  evtchn_port_t notify_port);

/*
 * What one call shared, whole.  Who has a page mapped keeps it; its reference
 * is used again when nobody has.  EINVAL: not shared, or another @count.
 */
int xengntshr_unshare(xengntshr_handle *xgs, void *start_address,
		      uint32_t count);

#ifdef __cplusplus
}
#endif

#endif /* XENGNTTAB_H */
