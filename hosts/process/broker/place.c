/* SPDX-License-Identifier: MIT */
/*
 * An attachment is told where to come back to, when this broker is killed, and as
 * whom: all that reattach.c then asks of it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker.h"

/* Where our successor will be; "" if that is too long. */
static void name_place(const struct evd_broker *b, char *path)
{
	char cwd[EVP_PATH_MAX] = "";
	int n;

	if (b->path[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return;
	n = snprintf(path, EVP_PATH_MAX, "%s%s%s", cwd, cwd[0] ? "/" : "",
		     b->path);
	if (n >= EVP_PATH_MAX)
		path[0] = 0;
}

void evd_tell_place(struct evd_att *a)
{
	const struct evd_broker *b = a->conn->broker;
	struct evp_place m = {.broker = b->id,
			      .limit = a->is_limited ? a->limit
						     : EVP_DOMID_ANY};

	name_place(b, m.path);
	memcpy(m.name, a->name, sizeof(m.name));
	evp_hdr_init(&m.hdr, EVP_PLACE, sizeof(m), 0);
	evd_send(a->conn, &m, sizeof(m), NULL, 0);
}
