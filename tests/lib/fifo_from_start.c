/* SPDX-License-Identifier: MIT */
/*
 * Linked with a program (--wrap), so that all its guests are FIFO guests from the
 * start: what holds for 2-level event channels holds for them as well.
 */
#include <stdlib.h>

#include <evg/fifo.h>
#include <evp/evp.h>

int __real_evp_attach(struct evp_guest **g, const struct evp_options *o);
int __wrap_evp_attach(struct evp_guest **g, const struct evp_options *o);
int __real_evp_take_over(struct evp_guest **g, int fd);
int __wrap_evp_take_over(struct evp_guest **g, int fd);

static int start(struct evp_guest *g, int rc)
{
	if (!rc && evg_fifo_start(evp_evg(g)))
		abort();
	return rc;
}

int __wrap_evp_attach(struct evp_guest **g, const struct evp_options *o)
{
	int rc = __real_evp_attach(g, o);

	return start(*g, rc);
}

int __wrap_evp_take_over(struct evp_guest **g, int fd)
{
	int rc = __real_evp_take_over(g, fd);

	return start(*g, rc);
}
