/* SPDX-License-Identifier: MIT */
/*
 * How one talks to a xenstored: messages, and the page a guest has for them.
 * Xen's public io/xs_wire.h, in the parts that are needed here.
 */
#ifndef EXAMPLES_STORE_RING_H
#define EXAMPLES_STORE_RING_H

#include <stdint.h>

#include <base/atomic.h>

#define STORE_PAYLOAD_MAX 4096
#define STORE_RING_SIZE	  1024
#define STORE_GRANT	  1 /* the reference at which a guest's page is found */

enum store_type {
	STORE_INTRODUCE = 8,
	STORE_WATCH_EVENT = 15,
	STORE_ERROR = 16,
};

struct store_hdr {
	uint32_t type;
	uint32_t request; /* comes back in the answer */
	uint32_t transaction;
	uint32_t len; /* of what follows */
};

struct store_message {
	struct store_hdr hdr;
	char payload[STORE_PAYLOAD_MAX];
};

/* Indices run freely; who produces writes prod, who consumes cons. */
struct store_page {
	char req[STORE_RING_SIZE];
	char rsp[STORE_RING_SIZE];
	evb_u32 req_cons, req_prod;
	evb_u32 rsp_cons, rsp_prod;
	uint32_t features, connection, error;
};

#endif /* EXAMPLES_STORE_RING_H */
