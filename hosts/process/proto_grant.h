/* SPDX-License-Identifier: MIT */
/*
 * Grants: the messages with which a domain shares pages with another one.
 *
 * A page lives in a *region*: a memfd, sealed against shrinking and growing,
 * that the sharing process made and mapped.  It hands the region to the broker
 * (GRANT_REGION), which maps it, too, if it may have to write there, and
 * keeps it; then the process seals it once more (SEAL, and FUTURE_WRITE without
 * WRITABLE: nobody can map it for writing any more, but who has done so already
 * keeps that).  Only then pages of it can become grants (GRANT_SHARE): numbers in
 * the domain's grant table that one other domain may use.
 *
 * Whoever may use a grant gets, with GRANT_MAPPED, the region's descriptor.  So
 * all grants of a region are for one domain and of one kind (read or write):
 * the descriptor gives nothing that the grants do not.
 *
 * Sharing and mapping belong to the connection: with its end, all it shares is
 * unshared and all it mapped is unmapped, and the notifications that were asked
 * for are given.  All of this is for sessions (proto.h): a connection that holds
 * a domain, besides the attachments.
 */
#ifndef EVP_PROTO_GRANT_H
#define EVP_PROTO_GRANT_H

#include "proto.h"

/* Grant references below are never handed out: for pages at a known place. */
#define EVP_GRANT_RESERVED 8
#define EVP_GRANT_ANY	   UINT32_MAX
#define EVP_GRANTS_MAX	   65536 /* of one domain, and mapped by one handle */
#define EVP_GRANTS_PER_MSG 256
#define EVP_REGION_PAGES   65536

/* The frame number a grant's page has for who maps by number: base + grant. */
#define EVP_GRANT_GFN 0x100000u

/* What happens when a page is unmapped, unshared, or its user dies. */
enum evp_notify_what {
	EVP_NOTIFY_BYTE = 1,  /* the byte at @offset of the page becomes 0 */
	EVP_NOTIFY_EVENT = 2, /* an event is sent on @port of the same domain */
};

struct evp_grant_notify {
	uint32_t what;
	uint32_t offset; /* in the page */
	uint32_t port;
};

/* GRANT_REGION, GRANT_MAP */
#define EVP_GRANT_WRITABLE 1u
/* GRANT_MAP: the descriptor is enough, do not count it as a mapping. */
#define EVP_GRANT_COPY 2u
/* GRANT_MAP, of a control domain: the numbers are frames, whoever they are for. */
#define EVP_GRANT_FOREIGN 4u
/* GRANT_REGION: its single page may have a NOTIFY_BYTE. */
#define EVP_GRANT_NOTIFIES 8u

/* --- questions ------------------------------------------------------------- */

/*
 * A region of @nr_pages, to be shared with @domid.  With its last grant the
 * broker forgets it.
 */
struct evp_grant_region {
	struct evp_hdr hdr;
	uint32_t nr_pages;
	uint16_t domid;
	uint16_t flags; /* WRITABLE, NOTIFIES */
};

/*
 * Pages @page to @page + @count - 1 of a region become grants.  @at: which
 * number the (only) one gets, below EVP_GRANT_RESERVED, or EVP_GRANT_ANY.
 * Only one page can have a notification.
 */
struct evp_grant_share {
	struct evp_hdr hdr;
	uint64_t region;
	uint32_t page;
	uint32_t count;
	uint32_t at;
	struct evp_grant_notify notify;
};

/*
 * As it was with a broker that ended: pages @page on of a region become the
 * grants that are named, all or none of them.  Only one can have a notification.
 */
struct evp_grant_reshare {
	struct evp_hdr hdr;
	uint64_t region;
	uint32_t page;
	uint32_t count;
	struct evp_grant_notify notify;
	uint32_t ref[EVP_GRANTS_PER_MSG];
};

/* @count of the references are sent; they are grants of this connection. */
struct evp_grant_unshare {
	struct evp_hdr hdr;
	uint32_t count;
	uint32_t ref[EVP_GRANTS_PER_MSG];
};

/*
 * As many of the references as lie in one region, from the first one on.  Those
 * of one message are of one domain.  Who had the page with a broker that ended
 * asks for it with @file and @page: nothing happens if it is another page by now,
 * so no notification of his comes to that.
 */
struct evp_grant_map {
	struct evp_hdr hdr;
	uint64_t file; /* its region's inode, @count is 1; or 0 */
	struct evp_grant_notify notify; /* @count is 1 */
	uint32_t page;			/* in the region; with @file */
	uint16_t domid;
	uint16_t flags; /* WRITABLE: to write as well, COPY, FOREIGN */
	uint32_t count;
	uint32_t ref[EVP_GRANTS_PER_MSG];
};

struct evp_grant_unmap {
	struct evp_hdr hdr;
	uint32_t map;
	uint32_t pad;
};

/* --- answers --------------------------------------------------------------- */

struct evp_grant_region_is {
	struct evp_hdr hdr;
	uint64_t region;
};

struct evp_grant_shared {
	struct evp_hdr hdr;
	uint32_t count;
	uint32_t pad;
	uint32_t ref[EVP_GRANTS_PER_MSG];
};

/* @nr_busy of the pages unshared are still mapped by the other domain. */
struct evp_grant_done {
	struct evp_hdr hdr;
	uint32_t nr_busy;
	uint32_t pad;
};

/*
 * @status is GNTST_okay, and with the region's descriptor come the pages of the
 * first @count references; or the first one's GNTST_..., and nothing else.
 */
struct evp_grant_mapped {
	struct evp_hdr hdr;
	int32_t status;
	uint32_t map; /* for GRANT_UNMAP; 0: it was for a copy */
	uint32_t count;
	uint32_t pad;
	uint32_t page[EVP_GRANTS_PER_MSG];
};

_Static_assert(sizeof(struct evp_grant_reshare) <= EVP_MSG_MAX, "fits");
_Static_assert(sizeof(struct evp_grant_map) <= EVP_MSG_MAX, "fits");
_Static_assert(sizeof(struct evp_grant_mapped) <= EVP_MSG_MAX, "fits");

#endif /* EVP_PROTO_GRANT_H */
