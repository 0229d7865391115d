/* SPDX-License-Identifier: MIT */
/*
 * The functions of libxengnttab, on the process host's grants (evp/grant.h).
 *
 * Xen's two kinds of handles are one here: a connection that can share and map.
 * What is added is a lock, since programs use a handle from several threads, and
 * the errors of Linux's devices: whatever is wrong with a reference is EINVAL.
 *
 * Reading order: handles, mapping, copying, dma-bufs, sharing.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#pragma GCC visibility push(default)
#include <xengnttab.h>
#pragma GCC visibility pop

#include <evp/grant.h>

#include "common.h"

#define DEVICE "/dev/xen/gntdev"
#define PAGE   4096u

struct xengntdev_handle {
	struct evu_active active; /* first: a callback gets its address */
	struct evp_grants *g;
	pthread_mutex_t lock;
	bool is_restricted;
};

/* --- handles ----------------------------------------------------------------- */

/* No grant device can be restricted to a domain, so nothing is left to it. */
static int restrict_handle(struct evu_active *a, uint16_t domid)
{
	(void)domid;
	((struct xengntdev_handle *)a)->is_restricted = true;
	return 0;
}

/* Xen's own library serves the real device; this one does not. */
static bool is_on_xen(void)
{
	const char *path = secure_getenv("EVTCHN_DEVICE");
	const char *session = secure_getenv("EVTCHN_FD");

	if (path)
		return *path;
	return !(session && *session) && !access(DEVICE, R_OK | W_OK);
}

static int open_handle(struct xengntdev_handle *h)
{
	int rc = -pthread_mutex_init(&h->lock, NULL);

	if (rc)
		return rc;
	rc = evp_grants_open(&h->g, NULL);
	if (rc) {
		fprintf(stderr, "xengnttab: %s\n", evp_error());
		(void)pthread_mutex_destroy(&h->lock);
	}
	return rc;
}

static struct xengntdev_handle *new_handle(void)
{
	struct xengntdev_handle *h;
	int rc;

	if (is_on_xen()) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	rc = open_handle(h);
	if (rc) {
		free(h);
		errno = -rc;
		return NULL;
	}
	evu_activate(&h->active, restrict_handle);
	return h;
}

/* In a child after fork() as well, where the lock may be held for ever. */
static int close_handle(struct xengntdev_handle *h)
{
	if (!h)
		return 0;
	evu_deactivate(&h->active);
	evp_grants_close(h->g);
	free(h);
	return 0;
}

/* 0 with the lock held, or -errno: what the device's ioctls would say. */
static int enter(struct xengntdev_handle *h)
{
	(void)pthread_mutex_lock(&h->lock);
	if (!h->is_restricted)
		return 0;
	(void)pthread_mutex_unlock(&h->lock);
	return -ENOTTY;
}

static void leave(struct xengntdev_handle *h)
{
	(void)pthread_mutex_unlock(&h->lock);
}

static void *address(int rc, void *addr)
{
	return evu_errno(rc) ? NULL : addr;
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger,
				 unsigned int open_flags)
{
	(void)logger;
	(void)open_flags;
	return new_handle();
}

int xengnttab_close(xengnttab_handle *xgt)
{
	return close_handle(xgt);
}

int xengnttab_fd(xengnttab_handle *xgt)
{
	return evp_grants_fd(xgt->g);
}

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants)
{
	int rc = enter(xgt);

	if (rc)
		return evu_errno(rc);
	rc = evp_grants_limit(xgt->g, nr_grants);
	leave(xgt);
	return evu_errno(rc);
}

/* --- mapping ----------------------------------------------------------------- */

static int map_error(int rc)
{
	switch (rc) {
	case -ESRCH:
	case -ENOENT:
	case -EACCES:
		return -EINVAL;
	case -ENOSPC:
		return -ENOMEM;
	default: /* a number, not a state */
		return rc;
	}
}

static void *map(xengnttab_handle *xgt, const struct evp_grant_ref *r,
		 uint32_t count, int prot, const struct evp_notify *n)
{
	void *addr = NULL;
	int rc = enter(xgt);

	if (rc)
		return address(rc, NULL);
	rc = evp_grant_map(xgt->g, r, count, prot, n, &addr);
	leave(xgt);
	return address(map_error(rc), addr);
}

/* domids[i * step]: one for each, or one for all. */
static void *map_many(xengnttab_handle *xgt, uint32_t count,
		      const uint32_t *domids, uint32_t step,
		      const uint32_t *refs, int prot)
{
	struct evp_grant_ref *r;
	void *addr;
	uint32_t i;

	/* The limit of a handle is far below what could overflow here. */
	if (!count || count > UINT16_MAX + 1u)
		return address(-EINVAL, NULL);
	r = calloc(count, sizeof(*r));
	if (!r)
		return NULL;
	for (i = 0; i < count; i++)
		r[i] = (struct evp_grant_ref){domids[i * step], refs[i]};
	addr = map(xgt, r, count, prot, NULL);
	free(r);
	return addr;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid,
			      uint32_t ref, int prot)
{
	struct evp_grant_ref r = {domid, ref};

	return map(xgt, &r, 1, prot, NULL);
}

void *xengnttab_map_grant_refs(xengnttab_handle *xgt, uint32_t count,
			       uint32_t *domids, uint32_t *refs, int prot)
{
	return map_many(xgt, count, domids, 1, refs, prot);
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *xgt, uint32_t count,
				      uint32_t domid, uint32_t *refs, int prot)
{
	return map_many(xgt, count, &domid, 0, refs, prot);
}

static bool wants_notify(uint32_t offset, evtchn_port_t port)
{
	return offset != EVP_NO_NOTIFY || port != EVP_NO_NOTIFY;
}

void *xengnttab_map_grant_ref_notify(xengnttab_handle *xgt, uint32_t domid,
				     uint32_t ref, int prot,
				     uint32_t notify_offset,
				     evtchn_port_t notify_port)
{
	struct evp_notify n = {notify_offset, notify_port};
	struct evp_grant_ref r = {domid, ref};

	return map(xgt, &r, 1, prot,
		   wants_notify(notify_offset, notify_port) ? &n : NULL);
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start_address, uint32_t count)
{
	int rc;

	/* Also when it is restricted: this only gives up. */
	(void)pthread_mutex_lock(&xgt->lock);
	rc = evp_grant_unmap(xgt->g, start_address, count);
	leave(xgt);
	return evu_errno(rc);
}

/* --- copying ----------------------------------------------------------------- */

static int read_from(xengnttab_handle *xgt, const union xengnttab_copy_ptr *p,
		     void *buf, size_t len)
{
	struct evp_grant_ref r = {p->foreign.domid, p->foreign.ref};

	return evp_grant_read(xgt->g, &r, p->foreign.offset, buf, len);
}

static int write_to(xengnttab_handle *xgt, const union xengnttab_copy_ptr *p,
		    const void *buf, size_t len)
{
	struct evp_grant_ref r = {p->foreign.domid, p->foreign.ref};

	return evp_grant_write(xgt->g, &r, p->foreign.offset, buf, len);
}

static int copy(xengnttab_handle *xgt, xengnttab_grant_copy_segment_t *s)
{
	unsigned char between[PAGE];
	int status;

	if (!(s->flags & GNTCOPY_source_gref))
		return write_to(xgt, &s->dest, s->source.virt, s->len);
	if (!(s->flags & GNTCOPY_dest_gref))
		return read_from(xgt, &s->source, s->dest.virt, s->len);
	status = read_from(xgt, &s->source, between, s->len);
	return status ? status : write_to(xgt, &s->dest, between, s->len);
}

static bool is_on_page(const union xengnttab_copy_ptr *p, uint16_t len)
{
	return (uint32_t)p->foreign.offset + len <= PAGE;
}

/* What Linux refuses for the whole call. */
static bool is_segment(const xengnttab_grant_copy_segment_t *s)
{
	const unsigned int both = GNTCOPY_source_gref | GNTCOPY_dest_gref;

	return s->flags & both &&
	       (!(s->flags & GNTCOPY_source_gref) ||
		is_on_page(&s->source, s->len)) &&
	       (!(s->flags & GNTCOPY_dest_gref) ||
		is_on_page(&s->dest, s->len));
}

static int copy_all(xengnttab_handle *xgt, uint32_t count,
		    xengnttab_grant_copy_segment_t *segs)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (!is_segment(&segs[i]))
			return -EINVAL;
		segs[i].status = (int16_t)copy(xgt, &segs[i]);
		if (segs[i].status == GNTST_bad_virt_addr)
			return -EFAULT;
	}
	return 0;
}

int xengnttab_grant_copy(xengnttab_handle *xgt, uint32_t count,
			 xengnttab_grant_copy_segment_t *segs)
{
	int rc = enter(xgt);

	if (rc)
		return evu_errno(rc);
	rc = copy_all(xgt, count, segs);
	leave(xgt);
	return evu_errno(rc);
}

/* --- dma-bufs: there is no device that could use one -------------------------- */

int xengnttab_dmabuf_exp_from_refs(xengnttab_handle *xgt, uint32_t domid,
				   uint32_t flags, uint32_t count,
				   const uint32_t *refs, uint32_t *fd)
{
	(void)xgt;
	(void)domid;
	(void)flags;
	(void)count;
	(void)refs;
	(void)fd;
	return evu_errno(-ENOSYS);
}

int xengnttab_dmabuf_exp_wait_released(xengnttab_handle *xgt, uint32_t fd,
				       uint32_t wait_to_ms)
{
	(void)xgt;
	(void)fd;
	(void)wait_to_ms;
	return evu_errno(-ENOSYS);
}

int xengnttab_dmabuf_imp_to_refs(xengnttab_handle *xgt, uint32_t domid,
				 uint32_t fd, uint32_t count, uint32_t *refs)
{
	(void)xgt;
	(void)domid;
	(void)fd;
	(void)count;
	(void)refs;
	return evu_errno(-ENOSYS);
}

int xengnttab_dmabuf_imp_release(xengnttab_handle *xgt, uint32_t fd)
{
	(void)xgt;
	(void)fd;
	return evu_errno(-ENOSYS);
}

/* --- sharing ----------------------------------------------------------------- */

xengntshr_handle *xengntshr_open(struct xentoollog_logger *logger,
				 unsigned int open_flags)
{
	(void)logger;
	(void)open_flags;
	return new_handle();
}

int xengntshr_close(xengntshr_handle *xgs)
{
	return close_handle(xgs);
}

int xengntshr_fd(xengntshr_handle *xgs)
{
	return evp_grants_fd(xgs->g);
}

static void *share(xengntshr_handle *xgs, const struct evp_share *s,
		   uint32_t *refs)
{
	void *addr = NULL;
	int rc = enter(xgs);

	if (rc)
		return address(rc, NULL);
	rc = evp_grant_share(xgs->g, s, refs, &addr);
	leave(xgs);
	return address(rc, addr);
}

void *xengntshr_share_pages(xengntshr_handle *xgs, uint32_t domid, int count,
			    uint32_t *refs, int writable)
{
	struct evp_share s = {.domid = domid,
			      .count = count > 0 ? (uint32_t)count : 0,
			      .writable = writable,
			      .at = EVP_GRANT_ANYWHERE};

	return share(xgs, &s, refs);
}

void *xengntshr_share_page_notify(xengntshr_handle *xgs, uint32_t domid,
				  uint32_t *ref, int writable,
				  uint32_t notify_offset,
				  evtchn_port_t notify_port)
{
	struct evp_notify n = {notify_offset, notify_port};
	struct evp_share s = {.domid = domid,
			      .count = 1,
			      .writable = writable,
			      .at = EVP_GRANT_ANYWHERE};

	if (wants_notify(notify_offset, notify_port))
		s.notify = &n;
	return share(xgs, &s, ref);
}

int xengntshr_unshare(xengntshr_handle *xgs, void *start_address,
		      uint32_t count)
{
	int rc;

	(void)pthread_mutex_lock(&xgs->lock);
	rc = evp_grant_unshare(xgs->g, start_address, count);
	leave(xgs);
	return evu_errno(rc);
}
