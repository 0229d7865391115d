/* SPDX-License-Identifier: MIT */
/*
 * A core without FIFO event channels: the operations answer as a Xen that was
 * built without them.  Linked instead of the FIFO files, never beside them.
 */
#include <evc/evc.h>

#include "fifo.h"
#include "image.h"

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

void evc_fifo_unmap_locked(struct evc_domain *d)
{
	(void)d;
}

bool evc_fifo_is_used(const struct evc_domain *d)
{
	(void)d;
	return false;
}

void evc_fifo_measure_locked(const struct evc_domain *d, struct evc_image *im)
{
	(void)d;
	(void)im;
}

void evc_fifo_save_locked(struct evc_domain *d, const struct evc_image *im)
{
	(void)d;
	(void)im;
}

int evc_fifo_check(const struct evc_image *im)
{
	(void)im;
	return -XEN_EOPNOTSUPP;
}

int evc_fifo_prepare_locked(struct evc_domain *d, const struct evc_image *im)
{
	(void)d;
	(void)im;
	return 0;
}

void evc_fifo_enter_locked(struct evc_domain *d, const struct evc_image *im)
{
	(void)d;
	(void)im;
}
