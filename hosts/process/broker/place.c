/* SPDX-License-Identifier: MIT */
/*
 * An attachment is told where to come back to, when this broker is killed, and as
 * whom: all that reattach.c then asks of it.
 */
#include <string.h>

#include "broker.h"

void evd_tell_place(struct evd_att *a)
{
	const struct evd_broker *b = a->conn->broker;
	struct evp_place m = {.broker = b->id,
			      .limit = a->is_limited ? a->limit
						     : EVP_DOMID_ANY};

	/* Where our successor will be. */
	(void)evp_absolute_path(b->path, m.path);
	memcpy(m.name, a->name, sizeof(m.name));
	evp_hdr_init(&m.hdr, EVP_PLACE, sizeof(m), 0);
	evd_send(a->conn, &m, sizeof(m), NULL, 0);
}
