/* SPDX-License-Identifier: MIT */
/*
 * An attachment that gave up its rights, as /dev/xen/evtchn's
 * IOCTL_EVTCHN_RESTRICT_DOMID lets one do: a program that is about to listen to
 * somebody it does not trust keeps its open ports and may bind to ports of one
 * domain, nothing more.  It cannot undo that, because the limit is kept here and
 * not in its memory.
 *
 * What is allowed is listed; everything else is refused.
 */
#include <string.h>

#include "broker.h"

int evd_restrict(struct evd_att *a, domid_t domid)
{
	if (domid == 0 || domid >= DOMID_FIRST_RESERVED)
		return -XEN_EINVAL;
	if (a->is_limited)
		return -XEN_EACCES;
	a->is_limited = true;
	a->limit = domid;
	return 0;
}

/* An argument that is too short is all zero behind its end. */
static domid_t domain_of(uint32_t cmd, const struct evp_result *r)
{
	struct evtchn_bind_interdomain bind;
	struct evtchn_status status;

	_Static_assert(sizeof(status) <= sizeof(r->arg), "copied whole");
	_Static_assert(sizeof(bind) <= sizeof(r->arg), "copied whole");
	memcpy(&bind, r->arg, sizeof(bind));
	memcpy(&status, r->arg, sizeof(status));
	return cmd == EVTCHNOP_status ? status.dom : bind.remote_dom;
}

bool evd_is_off_limits(const struct evd_att *a, uint32_t cmd,
		       const struct evp_result *r)
{
	if (!a || !a->is_limited)
		return false;
	switch (cmd) {
	case EVTCHNOP_close:
	case EVTCHNOP_send:
	case EVTCHNOP_unmask:
	case EVTCHNOP_bind_vcpu:
		return false; /* its own ports only: hypercall.c */
	case EVTCHNOP_status:
		return domain_of(cmd, r) != DOMID_SELF;
	case EVTCHNOP_bind_interdomain:
		return domain_of(cmd, r) != a->limit;
	default: /* a number, not a state */
		return true;
	}
}
