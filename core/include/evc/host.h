/* SPDX-License-Identifier: MIT */
/*
 * What a host must provide: the whole list of symbols the core leaves
 * undefined, besides memcpy, memset and memcmp (which compilers call even in
 * freestanding code).  hosts/template/ has each of them with an empty body.
 *
 * Rules for every hook: it does not call back into the core, it does not
 * sleep, and it takes no lock that is held anywhere around a call of the
 * core.  Some are called with core locks held; they say so.
 *
 * Rule for every call of the core: on one CPU (or thread) calls do not nest.
 * An interrupt handler that raises events must not be able to interrupt a
 * call of the core on the same CPU; a hypervisor runs the core with its
 * interrupts off.
 */
#ifndef EVC_HOST_H
#define EVC_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <evc/storage.h>

/*
 * Copy @len bytes from, or to, the memory of the guest that runs on @v.
 * @addr is what the guest passed: any value at all.
 * Returns 0, or -XEN_EFAULT when a byte of the range cannot be accessed.
 * Locks: none held.
 */
int evc_host_copy_in(struct evc_vcpu *v, void *dst, uint64_t addr, size_t len);
int evc_host_copy_out(struct evc_vcpu *v, uint64_t addr, const void *src,
		      size_t len);

/*
 * The domain with this id, or NULL.  A domain is found from before its first
 * use until evc_domain_destroy() has returned 0 (and longer, if the host
 * likes: it is then a zombie, whose ports are all closed).
 * Locks: none held.
 */
struct evc_domain *evc_host_find_domain(struct evc_machine *m, domid_t domid);

enum evc_permission {
	EVC_PERM_ALLOC_UNBOUND,
	EVC_PERM_BIND_INTERDOMAIN,
	EVC_PERM_SEND, /* only for domains with check_send */
	EVC_PERM_STATUS,
	EVC_PERM_RESET,
};

/*
 * May @caller do @what to @target?  Returns 0 or -XEN_EPERM.  A host without
 * a policy of its own returns evc_default_policy() (evc.h).
 * Locks: none held, but the channel's of the caller for EVC_PERM_SEND.
 */
int evc_host_permit(const struct evc_domain *caller,
		    const struct evc_domain *target, enum evc_permission what);

/*
 * @v has a deliverable event it did not have before: if it is blocked, make
 * it runnable; if it runs on another CPU, make it look (an interrupt); if it
 * is the one running here, nothing is needed.
 * Locks: domain and channel locks may be held.  Bound: short, it is on the send
 * path.
 * Order: the vCPU must see every write made before this call once it runs
 * (MO-BLOCK: before blocking, it must mark itself blocked, then look at
 * evtchn_upcall_pending once more).
 */
void evc_host_kick(struct evc_vcpu *v);

/*
 * @v waits in SCHEDOP_poll and its wait is over: make it runnable.
 * Locks and order: as evc_host_kick().
 */
void evc_host_wake(struct evc_vcpu *v);

/* Would an upcall be taken by @v if it returned to the guest now? */
bool evc_host_upcall_enabled(struct evc_vcpu *v);

/*
 * Memory for ports @index * 64 and up of @d: 64 zeroed channels, aligned to
 * 64 bytes, lent until the domain is gone; or NULL, then the operation fails
 * with -XEN_ENOMEM and nothing has changed.
 * Locks: @d's lock is held.
 */
struct evc_channel *evc_host_bucket(struct evc_domain *d, uint32_t index);

/* Should a long operation stop here and be continued?  Locks: none held. */
bool evc_host_should_yield(void);

/* A turn of a spin loop: a pause instruction, or a yield.  Any locks. */
void evc_host_relax(void);

/*
 * PIRQs.  permit: may @d use this line (checked before anything is changed)?
 * 0 or -XEN_EPERM.  bind: connect the line to the guest; 0, -XEN_EINVAL (not
 * mapped), -XEN_EBUSY (used, or not shareable), -XEN_ENOMEM.  The port is there
 * when evc_bind_pirq() returns: a line that fires before must be held back, or
 * evc_pirq_raise() called again then; the same with evc_restore(), which may
 * also unbind a line again.  unbind: the port is being closed.  move: the port
 * is now delivered to @vcpu.
 * Locks: @d's lock is held, for unbind also the channel's; for move the
 * channel's, and @d's when a domain is restored.
 */
int evc_host_pirq_permit(struct evc_domain *d, uint32_t pirq);
int evc_host_pirq_bind(struct evc_domain *d, uint32_t pirq, uint32_t flags);
void evc_host_pirq_unbind(struct evc_domain *d, uint32_t pirq);
void evc_host_pirq_move(struct evc_domain *d, uint32_t pirq, uint32_t vcpu);

/*
 * FIFO only.  Map one frame of the guest's own memory, writable, until it is
 * unmapped; NULL when @gfn (any value) is not such a frame.
 * Locks: @d's lock is held.
 */
void *evc_host_map_frame(struct evc_domain *d, uint64_t gfn);
void evc_host_unmap_frame(struct evc_domain *d, void *page);

#endif /* EVC_HOST_H */
