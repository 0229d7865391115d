/* SPDX-License-Identifier: MIT */
/*
 * What a guest OS must provide: the whole list of symbols the guest library
 * leaves undefined, besides memcpy, memset and memcmp.
 *
 * Rules for every hook: it does not call back into the library, except where
 * said, and does not sleep.
 */
#ifndef EVG_PLATFORM_H
#define EVG_PLATFORM_H

#include <stdint.h>

struct evg_guest;
struct evg_vcpu;

/*
 * Make a hypercall with two arguments, on the calling vCPU.
 *
 * @nr   __HYPERVISOR_event_channel_op, _sched_op, _vcpu_op, _callback_op, ...
 * @cmd  the operation
 * @arg  its structure, in guest memory; the hypervisor may write to it
 * __HYPERVISOR_vcpu_op takes a vCPU between the two: pass the calling one's id.
 * Returns what the hypervisor returned: 0 or more, or -XEN_E...
 */
int evg_plat_hypercall(struct evg_guest *g, unsigned int nr, unsigned int cmd,
		       void *arg);

/* The vCPU this code runs on. */
struct evg_vcpu *evg_plat_this_vcpu(struct evg_guest *g);

/* The guest this code runs in; for irq.h, whose calls do not name it. */
struct evg_guest *evg_plat_this_guest(void);

/*
 * Keep upcalls off this vCPU, and undo it.  save returns what restore needs;
 * calls nest.  restore takes an upcall that came in between, so it may run
 * handlers.
 */
unsigned long evg_plat_upcalls_save(struct evg_guest *g);
void evg_plat_upcalls_restore(struct evg_guest *g, unsigned long saved);

/* A turn of a spin loop: a pause instruction, or a yield. */
void evg_plat_relax(void);

#endif /* EVG_PLATFORM_H */
