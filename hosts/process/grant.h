/* SPDX-License-Identifier: MIT */
/*
 * Inside a handle for grants.
 *
 *   grant.c        the handle, and what was shared and mapped with it
 *   grant_share.c  sharing
 *   grant_map.c    mapping
 *   grant_copy.c   copying without mapping
 *   grant_again.c  the next broker
 *   grant_remap.c  what it is told of mappings
 *   grant_gone.c   what was unmapped before it was told
 */
#ifndef HOSTS_PROCESS_GRANT_H
#define HOSTS_PROCESS_GRANT_H

#include <pthread.h>
#include <sys/types.h>

#include <evp/grant.h>

#include "control.h"
#include "lane.h"
#include "proto_grant.h"
#include "resume.h"

#define EVP_AREA_BUCKETS 1024
#define EVP_SLAB_PAGES	 64
#define EVP_GRANT_SEQ	 5 /* of every question: one at a time */

/* Single pages of one region. */
struct evp_slab {
	struct evp_slab *next;
	uint8_t *base;
	uint64_t region; /* 0: the broker does not know it */
	int memfd;
	uint32_t domid;
	bool writable;
	uint64_t used;	/* is shared */
	uint64_t spent; /* was, and is still mapped by the other domain */
	uint64_t lost;	/* the program has unmapped it by itself */
};

/* What was mapped: it is mapped again only if it is still this. */
struct evp_seen {
	struct evp_grant_ref ref;
	uint64_t file; /* inode of the region */
	uint32_t page;
};

/* Pages that were shared or mapped in one call. */
struct evp_area {
	struct evp_area *next;
	void *addr;
	struct evp_slab *slab; /* or NULL: a region of its own */
	uint32_t count;	       /* pages */
	bool is_shared;
	bool is_unsaid;	       /* the next broker does not know of it yet */
	bool is_old;	       /* it was shared or mapped under a former one */
	uint32_t flags;	       /* mapped: of GRANT_MAP */
	struct evp_seen *seen; /* mapped: each page */
	/* Mapped, or of a region of its own. */
	bool writable, has_notify;
	int memfd;
	uint32_t domid;
	struct evp_notify notify;
	uint32_t nr;   /* of what follows */
	uint32_t id[]; /* shared: a reference for each page; mapped: numbers */
};

struct evp_grants {
	struct evp_session s;
	pthread_mutex_t lock; /* against the keeper (grant_again.c) */
	pthread_t keeper;
	int stop;	/* wakes or ends it; -1: there is none */
	pid_t pid;	/* whose it is */
	uint32_t tries; /* for what is unsaid */
	uint32_t limit, nr_mapped;
	struct evp_slab *slabs;
	uint32_t next; /* of these: where saying it goes on */
	struct evp_area *area[EVP_AREA_BUCKETS];
	struct evp_area *gone; /* unmapped here, and not yet told */
};

static inline size_t evp_pages(uint32_t count)
{
	return (size_t)count * EVP_PAGE_SIZE;
}

/* --- grant.c ----------------------------------------------------------------- */

/* Where the area at @addr hangs; a place with NULL: there is none. */
struct evp_area **evp_area_find(struct evp_grants *h, const void *addr);

/* NULL: no memory. */
struct evp_area *evp_area_new(uint32_t count, bool is_shared);
void evp_area_free(struct evp_area *a);
void evp_area_insert(struct evp_grants *h, struct evp_area *a, void *addr);

/* --- grant_share.c ----------------------------------------------------------- */

/* End an area that was taken out.  @addr: of its memory; NULL: that is gone. */
int evp_area_unshare(struct evp_grants *h, struct evp_area *a, void *addr);

/* The broker is to forget the grants of @a. */
int evp_unshare_numbers(struct evp_grants *h, struct evp_area *a);

/* The records only. */
void evp_slabs_free(struct evp_grants *h);

void evp_fill_notify(struct evp_grant_notify *to, const struct evp_notify *n);

/* Hand a region in. */
int evp_region_say(struct evp_grants *h, const struct evp_share *s,
		   uint32_t nr_pages, int memfd, uint64_t *region);

/* --- grant_again.c ----------------------------------------------------------- */

/* Around each question, with the lock: the broker may be another one. */
void evp_grants_enter(struct evp_grants *h);
void evp_grants_leave(struct evp_grants *h);

/* Another broker has just taken us. */
void evp_grants_again(void *ctx);

/* Tell the broker of one of them.  False: it refuses, or is gone. */
bool evp_area_say(struct evp_grants *h, struct evp_area *a);

/* From now on it is told what there is; not any more, after a last attempt. */
void evp_keeper_start(struct evp_grants *h);
void evp_keeper_stop(struct evp_grants *h);

/* --- grant_map.c ------------------------------------------------------------- */

struct evp_how {
	uint32_t flags;
	const struct evp_notify *notify; /* or NULL */
	const struct evp_seen *only;	 /* of one page: what it has to be */
};

/*
 * One GRANT_MAP: as many of @count references as the broker takes at once.  0
 * with @a, and, if its status is GNTST_okay, the region @fd; or -errno.
 */
int evp_grant_ask(struct evp_grants *h, const struct evp_grant_ref *r,
		  uint32_t count, const struct evp_how *how,
		  struct evp_grant_mapped *a, int *fd);

/* The broker is to forget the mappings of @a. */
int evp_unmap_numbers(struct evp_grants *h, struct evp_area *a);

/* --- grant_remap.c ----------------------------------------------------------- */

/* Remember what the pages from @from on are. */
int evp_area_see(struct evp_area *a, uint32_t from,
		 const struct evp_grant_ref *r,
		 const struct evp_grant_mapped *m, int fd);

/* All of it, or nothing. */
bool evp_area_remap(struct evp_grants *h, struct evp_area *a);

/* --- grant_gone.c ------------------------------------------------------------ */

/* Before @addr is unmapped: clear the byte, if no broker will. */
void evp_area_part(struct evp_grants *h, struct evp_area *a, void *addr);

/* It was unmapped; @rc is what the broker said.  Free it, or keep it to tell. */
void evp_area_end(struct evp_grants *h, struct evp_area *a, int rc);

/* Tell what is to be told.  True: nothing is left. */
bool evp_gone_say(struct evp_grants *h);
void evp_gone_drop(struct evp_grants *h);

#endif /* HOSTS_PROCESS_GRANT_H */
