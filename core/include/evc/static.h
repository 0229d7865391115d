/* SPDX-License-Identifier: MIT */
/*
 * Static event channels: connections that are declared in a table, made
 * before the guests run, and never made or unmade by them.
 *
 * For systems whose communication is fixed by design, and that allocate
 * nothing at run time: every bucket is lent in advance, every port has the
 * number the table says.  A guest sends, masks, polls, asks for the status and
 * moves such a port to another vCPU as with any other; it cannot close it
 * (-XEN_EINVAL), and a reset spares it, so that one guest's mistake does not
 * cut off the other.  Ports a guest opens itself get the lowest free numbers
 * around them.
 */
#ifndef EVC_STATIC_H
#define EVC_STATIC_H

#include <evc/storage.h>

struct evc_static_end {
	domid_t domid;
	evtchn_port_t port; /* not 0 */
	uint32_t vcpu;	    /* that is notified */
};

struct evc_static_channel {
	struct evc_static_end a, b;
};

/*
 * evc_static_connect - make the connections of a table.
 *
 * The whole table is checked before anything is changed.  An end that is there
 * already, from an earlier call, is used as it is: when a domain was destroyed
 * and initialised anew, the same table once more connects it again.  Its end is
 * then pending from the start, in case something was sent meanwhile; in a
 * table that is new, no port is.
 *
 * @table, @n  the rows; constant memory will do, it is not kept
 *   -XEN_ESRCH   no such domain
 *   -XEN_EINVAL  port 0; an end named twice; a domain that is being destroyed
 *   -XEN_ENOENT  no such vCPU
 *   -XEN_ENOSPC  a port beyond what the domain was lent, or may have
 *   -XEN_ENOMEM  a bucket that was not lent in advance (evc_host_bucket() is
 *                not asked)
 *   -XEN_EBUSY   the port is used for something else, or the guest has it in a
 *                FIFO queue
 * After an error nothing has changed, except that a port table may have grown.
 *
 * Context: the domains named are initialised and found by
 *          evc_host_find_domain(); nobody else opens ports in them during the
 *          call (they do not run yet), or it may stop half way, -XEN_EBUSY.
 * Bound:   O(n * n) comparisons of port numbers, and O(64) for each bucket of
 *          ports that comes to exist.
 */
int evc_static_connect(struct evc_machine *m,
		       const struct evc_static_channel *table, uint32_t n);

#endif /* EVC_STATIC_H */
