/* SPDX-License-Identifier: MIT */
/*
 * Grants: pages that one domain shares with another one.
 *
 * The sharing domain gets a number for each page, a grant reference, and tells
 * the other one, by whatever means they have; that one maps the page by domain
 * and number.  The broker keeps the books: who may map what, read or write, and
 * what happens when one of them dies.
 *
 *   domain 1                                  domain 0
 *   evp_grant_share(h, &s, &ref, &page)
 *   ... ref ...                               r.domid = 1; r.ref = ref
 *                                             evp_grant_map(h, &r, 1, ..., &p)
 *   both read and write the same page
 *
 * A handle is a connection of its own to the broker: what was shared or mapped
 * with it ends with it, also when the process dies.  A notification says what
 * is to happen then: a byte of the page is cleared, and an event is sent on a
 * port of the domain, which may be any handle's and stays open for that long.
 *
 * What libxengnttab (xengnttab.h) offers is made of this.  Here is more: a page
 * at a known number, and mapping by frame number for control domains.
 *
 * Common to all functions:
 *
 *   Returns  0 or -errno; evp_error() has a line about it.  Results are written
 *            only with 0.
 *   Context  one thread at a time for one handle.  After fork() the child may
 *            only call evp_grants_close().
 */
#ifndef EVP_GRANT_H
#define EVP_GRANT_H

#include <stddef.h>
#include <stdint.h>

#include <evp/evp.h>

struct evp_grants;

#define EVP_GRANT_ANYWHERE UINT32_MAX
#define EVP_NO_NOTIFY	   UINT32_MAX

/*
 * What to do when the page is unmapped, unshared, or its user dies.
 * @offset  of the byte in the page that becomes 0, or EVP_NO_NOTIFY
 * @port    of this domain, for an event, or EVP_NO_NOTIFY
 */
struct evp_notify {
	uint32_t offset;
	uint32_t port;
};

struct evp_grant_ref {
	uint32_t domid; /* who shares it */
	uint32_t ref;
};

/*
 * evp_grants_open - a handle for sharing and for mapping.
 *
 * @o  as for evp_attach(): socket, domain and name count.  Without a domain in
 *     the options and the environment: the one that this process is in already,
 *     if it is in one.  NULL: everything by default.
 * Errors as of evp_attach().
 */
int evp_grants_open(struct evp_grants **h, const struct evp_options *o);

/*
 * Unshares and unmaps everything for the others.  In this process the pages
 * that were not unshared and unmapped before stay readable.  NULL is fine.
 */
void evp_grants_close(struct evp_grants *h);

/* The connection: not for reading; gone when the broker is. */
int evp_grants_fd(const struct evp_grants *h);
domid_t evp_grants_domid(const struct evp_grants *h);

/*
 * evp_grant_share - make pages and share them.
 *
 * @domid     who may map them; DOMID_SELF: this domain
 * @count     pages
 * @writable  may they be written there?
 * @at        0 to 7, of one page: its number, for what has a known one
 *            (GNTTAB_RESERVED_XENSTORE); else EVP_GRANT_ANYWHERE
 * @notify    of one page, or NULL
 * @ref       gets @count numbers
 * @addr      gets the address; the pages are zero
 *   -EINVAL  bad count, place, offset, or no such port
 *   -EBUSY   the number @at is in use, or was and is still mapped
 *   -ENOSPC  the domain has its 65536 grants
 *   -EMFILE  the broker or the domain has no descriptor left for it; or this
 *            process has none
 *   -ECONNRESET  the broker is gone
 * Bound: one message for each 256 pages, and one.
 */
struct evp_share {
	uint32_t domid;
	uint32_t count;
	int writable;
	uint32_t at;
	const struct evp_notify *notify;
};

int evp_grant_share(struct evp_grants *h, const struct evp_share *s,
		    uint32_t *ref, void **addr);

/*
 * evp_grant_unshare - end what share() began; @addr and @count as they were.
 *
 * The numbers can be used again when nobody has their pages mapped any more.
 * Who has keeps them as they are.
 *   -EINVAL  nothing was shared there, or not so much
 *   -ECONNRESET  the broker is gone.  Here it has ended all the same, and the next
 *            broker gives its notification.
 */
int evp_grant_unshare(struct evp_grants *h, void *addr, uint32_t count);

/*
 * evp_grant_map - map pages of others, one after the other.
 *
 * @prot    PROT_READ, PROT_WRITE
 * @notify  of one page, or NULL.  A byte to clear needs PROT_WRITE.
 *   -ESRCH   no such domain
 *   -ENOENT  it has no such grant
 *   -EACCES  not for this domain, or only for reading
 *   -ENOSPC  the limit of this handle is reached
 *   -EINVAL, -EMFILE, -ECONNRESET, -ENOMEM
 * Either all are mapped or none.
 * Bound: one message for each 256 pages or for each domain or memory they are
 *        from, whichever are more.
 */
int evp_grant_map(struct evp_grants *h, const struct evp_grant_ref *r,
		  uint32_t count, int prot, const struct evp_notify *notify,
		  void **addr);

/*
 * The same by frame number, for control domains: of every page that @domid
 * shares, whoever with.  evp_grant_frame() is the frame number of a grant.
 */
int evp_frame_map(struct evp_grants *h, uint32_t domid, const uint64_t *frame,
		  uint32_t count, int prot, void **addr);
uint64_t evp_grant_frame(uint32_t ref);

/*
 * evp_grant_unmap - @addr and @count as they were.
 *   -EINVAL  nothing was mapped there, or not so much
 *   -ECONNRESET  as of evp_grant_unshare()
 */
int evp_grant_unmap(struct evp_grants *h, void *addr, uint32_t count);

/* At most @count pages mapped.  -EINVAL: more than 65536, or fewer than are. */
int evp_grants_limit(struct evp_grants *h, uint32_t count);

/*
 * evp_grant_read, evp_grant_write - copy, without mapping.
 *
 * @offset + @len  within the page
 * Returns a GNTST_... (abi/grant_table.h): bad_copy_arg: not within the page;
 * bad_virt_addr: @buf cannot be accessed; bad_domain, bad_gntref,
 * permission_denied, general_error: the broker is gone, ...
 */
int evp_grant_read(struct evp_grants *h, const struct evp_grant_ref *r,
		   uint32_t offset, void *buf, size_t len);
int evp_grant_write(struct evp_grants *h, const struct evp_grant_ref *r,
		    uint32_t offset, const void *buf, size_t len);

#endif /* EVP_GRANT_H */
