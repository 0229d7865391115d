/* SPDX-License-Identifier: MIT */
/*
 * A core without FIFO event channels: the operations answer as a Xen that was
 * built without them.  Linked instead of the FIFO files, never beside them.
 */
#include <evc/evc.h>

#include "fifo.h"

int evc_init_control(struct evc_domain *d, struct evtchn_init_control *c)
{
	(void)d;
	(void)c;
	return -XEN_EOPNOTSUPP;
}

int evc_expand_array(struct evc_domain *d, uint64_t array_gfn)
{
	(void)d;
	(void)array_gfn;
	return -XEN_EOPNOTSUPP;
}

void evc_fifo_leave_locked(struct evc_domain *d)
{
	(void)d;
}
