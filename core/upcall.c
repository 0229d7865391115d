/* SPDX-License-Identifier: MIT */
/*
 * Upcalls: the last rung.  evtchn_upcall_pending tells a vCPU that one of its
 * selector bits is set; the host is kicked only when the flag was clear.
 *
 * evc_vcpu_register_info() is here because it moves the flag.
 */
#include <evc/evc.h>

#include "locking.h"
#include "send.h"

/* SEND 6/9 - from send.c evc_post_locked(); next evc_host_kick() */
void evc_upcall_raise(struct evc_vcpu *v)
{
	/* evtchn_upcall_pending is the first byte of vcpu_info, in both widths */
	evb_u8 *flag = evb_ptr_load(&v->info);

	/* MO-UPCALL: selector is set; pairs with upcall.c evg_upcall_take() */
	if (evb_u8_xchg(flag, 1))
		return;
	/* MO-BLOCK: the flag is set; the host looks at it after blocking */
	evc_host_kick(v);
}

void evc_upcall_rescan(struct evc_vcpu *v)
{
	const struct evc_words *w = evb_ptr_load_acquire(&v->domain->words);
	evb_u32 *info = evb_ptr_load(&v->info);
	uint32_t i;

	for (i = 0; i < w->nr_ports >> w->port_shift; i += 32)
		evb_u32_store(&info[w->sel_word + i / 32], UINT32_MAX);
	evc_upcall_raise(v);
}

/*
 * A sender may have read the old place just before it changes and set its
 * selector bit there.  Its pending bit was set before it read the place, so
 * setting every selector bit in the new one, after the change, finds it.
 */
int evc_vcpu_register_info(struct evc_vcpu *v, void *info)
{
	struct evc_domain *d = v->domain;
	evb_u32 *old = evb_ptr_load_acquire(&v->info);
	evb_u32 *new = info;
	uint32_t i;
	int rc = 0;

	if (!info || (uintptr_t)info % 8)
		return -XEN_EINVAL;

	lock_domain(d);
	if (v->info_registered) {
		rc = d->machine->xen_4_17 ? -XEN_EINVAL : -XEN_EBUSY;
		goto unlock;
	}
	for (i = 0; i < sizeof(struct vcpu_info) / sizeof(*new); i++)
		evb_u32_store_relaxed(&new[i], evb_u32_load_relaxed(&old[i]));
	v->info_registered = true;
	/* MO-SEL: the new place, then the bits in it */
	evb_ptr_store(&v->info, info);
	evc_upcall_rescan(v);
unlock:
	unlock_domain(d);

	return rc;
}
