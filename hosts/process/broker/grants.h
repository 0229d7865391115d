/* SPDX-License-Identifier: MIT */
/*
 * Grants in the broker: who may map which page.
 *
 *   grants.c   a domain's table: sharing and unsharing
 *   reshare.c  sharing again what was shared under a former broker
 *   mapping.c  using another domain's grants
 *   hold.c     what happens when a page is unmapped or unshared: a byte is
 *              cleared, an event is sent, on a port that is kept for it
 *
 * Who keeps whom alive:
 *
 *   region   a memfd; lives while a grant or a mapping refers to it
 *   table    of a domain; lives while the domain or a mapping of its grants does
 *   grant    an entry of a table.  Shared by a connection, until that unshares
 *            it or ends; then, while somebody has it mapped, the entry is
 *            *ended*: it keeps its number and its page, and nobody can map it
 *   mapping  of a connection, until that unmaps it or ends
 *
 * A mapping outlives the domain whose pages it shows; what it shows stays.
 */
#ifndef EVTCHND_GRANTS_H
#define EVTCHND_GRANTS_H

#include "../proto_grant.h"
#include "broker.h"

#define EVD_MAX_BYTES	 16384 /* pages mapped to clear a byte in: of 65530 */
#define EVD_REGION_SHARE 4 /* one domain has at most one in so many regions */
#define EVD_BYTE_SHARE	 8 /* and one user, not ours, of those pages */

/* A port that is not closed before an event was sent on it. */
struct evd_hold {
	uint32_t what;	 /* EVP_NOTIFY_..., 0: nothing to do */
	uint32_t offset; /* of the byte, in the page */
	uint8_t *page;	 /* mapped, where it is to be cleared */
	struct evd_dom *dom;
	evtchn_port_t port;
	uint32_t nr_closings; /* the port's, when it was taken */
};

struct evd_region {
	uint64_t id;
	struct evd_broker *broker;
	struct evd_table *table;
	struct evd_account *account;   /* who shares it */
	struct evd_region *next, **at; /* of the connection that shares it */
	int fd;
	uint64_t file; /* its inode's number */
	uint32_t nr_pages;
	uint32_t nr_shared; /* grants that can be mapped */
	uint32_t refs;	    /* and those, and mapped pages */
	domid_t domid;
	bool writable;
	uint8_t *byte; /* its only page, if it may have a byte to clear */
};

struct evd_grant {
	struct evd_region *region; /* NULL: free */
	struct evd_conn *conn;	   /* who shares it; NULL: ended */
	struct evd_hold *hold;	   /* for unsharing it */
	uint32_t page;
	uint32_t nr_maps;
	uint32_t next, prev; /* of the connection, or in the free list */
};

struct evd_table {
	struct evd_grant *grant;
	uint32_t nr; /* entries there are */
	uint32_t free;
	uint32_t nr_regions;
	uint32_t refs;
};

struct evd_mapping {
	struct evd_table *table;
	struct evd_region *region;
	struct evd_hold hold;
	uint8_t *byte; /* its page, if there is one to clear */
	uint32_t count;
	uint32_t ref[];
};

struct evd_number {
	struct evd_mapping *map; /* NULL: free */
	uint32_t next_free;
};

/* What a connection shares and maps. */
struct evd_grants {
	struct evd_region *regions;
	uint32_t shared;	/* the first grant, or EVP_GRANT_ANY */
	struct evd_number *map; /* mappings by number, from 1 up */
	uint32_t nr_map;	/* numbers there are */
	uint32_t free_map;	/* the first of the free ones, or 0 */
	uint32_t nr_pages;	/* mapped */
};

/* --- messages: grants.c, mapping.c ----------------------------------------------- */

void evd_grant_region(struct evd_conn *c, const struct evp_grant_region *m,
		      struct evp_packet *p);
void evd_grant_share(struct evd_conn *c, const struct evp_grant_share *m);
void evd_grant_reshare(struct evd_conn *c, const struct evp_grant_reshare *m,
		       size_t len);
void evd_grant_unshare(struct evd_conn *c, const struct evp_grant_unshare *m,
		       size_t len);
void evd_grant_map(struct evd_conn *c, const struct evp_grant_map *m,
		   size_t len);
void evd_grant_unmap(struct evd_conn *c, const struct evp_grant_unmap *m);

/* @c dies: unmap and unshare what it has, and tell those who asked for it. */
void evd_grants_end(struct evd_conn *c);

/* --- grant_table.c ------------------------------------------------------------- */

/* Made when first wanted, NULL: no memory; and it goes with its domain, or later. */
struct evd_table *evd_table_of(struct evd_dom *d);
void evd_table_put(struct evd_table *t);

/* A grant that may be mapped, or an ended one; NULL: none of this number. */
struct evd_grant *evd_grant(struct evd_table *t, uint32_t ref);

/* A free entry, or EVP_GRANT_ANY; entry @ref, if it is free: 0, -EBUSY, -ENOSPC. */
uint32_t evd_grant_take(struct evd_table *t);
int evd_grant_take_this(struct evd_table *t, uint32_t ref);

/* It is free again, unless it is shared or mapped.  And one mapping less of it. */
void evd_grant_release(struct evd_table *t, uint32_t ref);
void evd_grant_put(struct evd_table *t, uint32_t ref);

/* --- grants.c ---------------------------------------------------------------- */

/* The connection's; NULL: no memory. */
struct evd_grants *evd_grants_of(struct evd_conn *c);

/* Map a page for @a, to clear a byte later; NULL: no room. */
uint8_t *evd_region_map(struct evd_region *r, uint32_t page,
			struct evd_account *a);
void evd_region_unmap(struct evd_region *r, uint8_t *page,
		      struct evd_account *a);

void evd_region_put(struct evd_region *r, uint32_t refs);

/* For reshare.c: of @c's regions; sealed for good; without a grant it goes. */
struct evd_region *evd_region_find(const struct evd_conn *c, uint64_t id);
bool evd_region_is_sealed(const struct evd_region *r);
void evd_region_drop_unshared(struct evd_region *r);

/* Page @page becomes grant @ref of @c's domain.  0, -EBUSY, -ENOSPC, -EINVAL. */
int evd_grant_enter(struct evd_conn *c, struct evd_region *r, uint32_t page,
		    uint32_t ref, const struct evp_grant_notify *notify);
void evd_grant_undo(struct evd_conn *c, uint32_t ref);

/* --- mapping.c ---------------------------------------------------------------- */

void evd_unmap_all(struct evd_conn *c);

/* --- hold.c ------------------------------------------------------------------- */

/*
 * Take note of what is wanted.  0; -EINVAL: no such offset, or @c's domain has
 * no such port.  @page is where the byte is.
 */
int evd_hold_take(struct evd_conn *c, const struct evp_grant_notify *n,
		  uint8_t *page, struct evd_hold *h);

/* Do it, if @notify, and let the port go. */
void evd_hold_end(struct evd_hold *h, bool notify);

#endif /* EVTCHND_GRANTS_H */
