/* SPDX-License-Identifier: MIT */
/* What the tests of grants share. */
#ifndef TESTS_GNTTAB_GRANTS_H
#define TESTS_GNTTAB_GRANTS_H

#include "tests/process/harness.h"

#include <abi/grant_table.h>
#include <evp/grant.h>

#include "hosts/process/proto_grant.h"

#define PAGE 4096
#define RW   (PROT_READ | PROT_WRITE)

static inline struct evp_grants *grants(int domain)
{
	struct evp_options o = {.domain = domain};
	struct evp_grants *h = NULL;

	CHECK(evp_grants_open(&h, &o) == 0);
	CHECK(evp_grants_domid(h) == domain);
	return h;
}

static inline int try_share(struct evp_grants *h, uint32_t domid, int writable,
			    uint32_t at, const struct evp_notify *n,
			    uint32_t *ref, uint8_t **addr)
{
	struct evp_share s = {.domid = domid,
			      .count = 1,
			      .writable = writable,
			      .at = at,
			      .notify = n};
	void *p = NULL;
	int rc = evp_grant_share(h, &s, ref, &p);

	*addr = p;
	return rc;
}

static inline uint8_t *share_page(struct evp_grants *h, uint32_t domid,
				  int writable, uint32_t *ref)
{
	uint8_t *p;

	CHECK(try_share(h, domid, writable, EVP_GRANT_ANYWHERE, NULL, ref,
			&p) == 0);
	return p;
}

static inline int try_map(struct evp_grants *h, uint32_t domid, uint32_t ref,
			  int prot, uint8_t **addr)
{
	struct evp_grant_ref r = {domid, ref};
	void *p = NULL;
	int rc = evp_grant_map(h, &r, 1, prot, NULL, &p);

	*addr = p;
	return rc;
}

static inline uint8_t *map_page(struct evp_grants *h, uint32_t domid,
				uint32_t ref)
{
	uint8_t *p;

	CHECK(try_map(h, domid, ref, RW, &p) == 0);
	return p;
}

#endif /* TESTS_GNTTAB_GRANTS_H */
