/* SPDX-License-Identifier: MIT */
/*
 * Inside a handle for grants.
 *
 *   grant.c       sharing, mapping, and the list of both
 *   grant_copy.c  copying without mapping
 */
#ifndef HOSTS_PROCESS_GRANT_H
#define HOSTS_PROCESS_GRANT_H

#include <evp/grant.h>

#include "control.h"
#include "proto_grant.h"

#define EVP_AREA_BUCKETS 1024

/* Pages that were shared or mapped in one call. */
struct evp_area {
	struct evp_area *next;
	void *addr;
	uint32_t count; /* pages */
	bool is_shared;
	uint32_t nr;   /* of what follows */
	uint32_t id[]; /* shared: a reference for each page; mapped: numbers */
};

struct evp_grants {
	int fd;
	domid_t domid;
	uint32_t limit, nr_mapped;
	struct evp_area *area[EVP_AREA_BUCKETS];
};

/*
 * One GRANT_MAP: as many of @count references as the broker takes at once.  0
 * with @a, and, if its status is GNTST_okay, the region @fd; or -errno.
 */
int evp_grant_ask(struct evp_grants *h, const struct evp_grant_ref *r,
		  uint32_t count, uint32_t flags,
		  const struct evp_notify *notify, struct evp_grant_mapped *a,
		  int *fd);

#endif /* HOSTS_PROCESS_GRANT_H */
