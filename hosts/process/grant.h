/* SPDX-License-Identifier: MIT */
/*
 * Inside a handle for grants.
 *
 *   grant.c        the handle, and what was shared and mapped with it
 *   grant_share.c  sharing
 *   grant_map.c    mapping
 *   grant_copy.c   copying without mapping
 *   grant_again.c  the next broker
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

/* Pages that were shared or mapped in one call. */
struct evp_area {
	struct evp_area *next;
	void *addr;
	struct evp_slab *slab; /* or NULL: a region of its own */
	uint32_t count;	       /* pages */
	bool is_shared;
	bool is_unsaid; /* the next broker does not know of it yet */
	/* Of a region of its own. */
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
	int stop;	/* ends it; -1: there is none */
	pid_t pid;	/* whose it is */
	uint32_t tries; /* for what is unsaid */
	uint32_t limit, nr_mapped;
	struct evp_slab *slabs;
	struct evp_area *area[EVP_AREA_BUCKETS];
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

/* From now on it is told what was shared; not any more. */
void evp_keeper_start(struct evp_grants *h);
void evp_keeper_stop(struct evp_grants *h);

/* --- grant_map.c ------------------------------------------------------------- */

/*
 * One GRANT_MAP: as many of @count references as the broker takes at once.  0
 * with @a, and, if its status is GNTST_okay, the region @fd; or -errno.
 */
int evp_grant_ask(struct evp_grants *h, const struct evp_grant_ref *r,
		  uint32_t count, uint32_t flags,
		  const struct evp_notify *notify, struct evp_grant_mapped *a,
		  int *fd);

#endif /* HOSTS_PROCESS_GRANT_H */
