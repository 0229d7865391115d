/* SPDX-License-Identifier: MIT */
/*
 * Save and restore: the event channels of a domain as a string of bytes.
 *
 * For a hypervisor that is replaced while its guests live on, and for guests
 * that are moved or put to sleep without knowing.  docs/snapshot.md has the
 * format byte by byte, the rules, and the order of steps for a host.
 *
 * The image holds what the core keeps for itself: which ports exist and are
 * open, in which state, with which peer; for FIFO event channels also which
 * frames the guest gave, the tails of its queues, and events that wait for an
 * array page.  It does not hold what is in the guest's own memory: pending
 * and mask bits, selectors, upcall flags, event words, control blocks.  They
 * travel with that memory.
 */
#ifndef EVC_SNAPSHOT_H
#define EVC_SNAPSHOT_H

#include <stddef.h>

#include <evc/storage.h>

#define EVC_SNAPSHOT_VERSION 1

/*
 * Bytes evc_save() needs now.  For a paused domain the answer stays right
 * until somebody else opens a port in it.
 */
size_t evc_save_size(struct evc_domain *d);

/*
 * evc_save - write the image of a domain.
 *
 * @d is paused (evc_domain_set_paused) and none of its vCPUs runs; other
 * domains may go on, sending to @d included.  A connection is saved as it is
 * at one moment; two connections perhaps at two moments.
 *
 * @buf, @size  where to
 * @len         out: the length of the image
 *   -XEN_EINVAL   @d is not paused, or is being destroyed
 *   -XEN_EBUSY    a reset of @d is in progress: finish it first
 *   -XEN_ENOBUFS  @size is too small
 * @buf has undefined contents after an error.  @d is not changed in any case.
 * Locks: @d's; those of its channels and queues, one at a time.
 * Bound: O(existing ports + vCPUs), with @d's lock held.
 */
int evc_save(struct evc_domain *d, void *buf, size_t size, size_t *len);

/*
 * evc_restore - put a saved domain into one that was just initialised.
 *
 * @d has the domid of the image, at least as many vCPUs, no open port, and is
 * paused.  Before: the same vCPUs have registered their vcpu_info, the guest's
 * memory is back, global VIRQs have their handlers, and callbacks of
 * hypervisor-owned ends are registered in the order of old
 * (evc_consumer_register).
 *
 * All of the image is checked before anything is changed.  A connection comes
 * back when the peer's port is there and waits for @d; else the port waits for
 * the peer, as after a close on the other side, until the peer is restored or
 * binds.  A port that was connected to another domain is pending once it is
 * connected again, in case something was sent meanwhile.
 *
 *   -XEN_EINVAL      no image, damaged or contradictory; for another domid, or
 *                    for more vCPUs; a line (PIRQ) or callback that does not
 *                    exist; vcpu_info registered here and not there; a frame
 *                    that evc_host_map_frame() refused; @d is not paused, or
 *                    is being destroyed
 *   -XEN_EOPNOTSUPP  another version; or FIFO, and @d has no memory for it
 *   -XEN_EBUSY       @d is in use; or a global VIRQ has another handler (not
 *                    in 4.17)
 *   -XEN_ENOSPC      a port beyond what @d was lent, or may have
 *   -XEN_ENOMEM      evc_host_bucket() had no memory
 *   others           as evc_host_pirq_permit() and evc_host_pirq_bind()
 * After an error @d is as it was, except that its port table may have grown.
 * The checksum finds accidents; it does not tell who wrote the image.  The
 * image must not change meanwhile: copy one that others can write.
 *
 * Context: any; nobody else restores @d at the same time.  May kick vCPUs of
 *          @d, and calls the callback of a reconnected hypervisor-owned end
 *          once, without a lock.
 * Locks:   @d's; those of channels, one or two at a time.
 * Bound:   O(length of the image + existing ports), mostly with @d's lock held.
 */
int evc_restore(struct evc_domain *d, const void *buf, size_t len);

/*
 * evc_consumer_register - give a callback its number before it is used.
 *
 * An image names callbacks by the order in which a machine first saw them.
 * Whoever restores such ends calls this for each, in that order.
 *   -XEN_EINVAL   @fn is NULL
 *   -XEN_ENOBUFS  seven other callbacks are in use already
 */
int evc_consumer_register(struct evc_machine *m, evc_consumer_fn fn);

#endif /* EVC_SNAPSHOT_H */
