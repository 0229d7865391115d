/* SPDX-License-Identifier: MIT */
/*
 * What the two backends of libxenevtchn have in common: a handle begins with
 * the table of what its backend does.
 *
 *   xenevtchn.c  the public functions, the choice of a backend
 *   device.c     Xen: /dev/xen/evtchn
 *   process.c    the process host
 */
#ifndef USER_HANDLE_H
#define USER_HANDLE_H

#include <stdbool.h>

/* What is declared there is exported, and nothing else. */
#pragma GCC visibility push(default)
#include <xenevtchn.h>
#pragma GCC visibility pop

#include "common.h"

/* All return 0 (or a port, a descriptor) or -errno. */
struct evu_ops {
	int (*close)(struct xenevtchn_handle *h); /* frees it in any case */
	int (*fd)(struct xenevtchn_handle *h);
	int (*limit)(struct xenevtchn_handle *h, domid_t domid);
	int (*notify)(struct xenevtchn_handle *h, evtchn_port_t port);
	int (*bind_unbound)(struct xenevtchn_handle *h, uint32_t domid);
	int (*bind_interdomain)(struct xenevtchn_handle *h, uint32_t domid,
				evtchn_port_t port);
	int (*bind_virq)(struct xenevtchn_handle *h, uint32_t virq);
	int (*unbind)(struct xenevtchn_handle *h, evtchn_port_t port);
	int (*pending)(struct xenevtchn_handle *h);
	int (*unmask)(struct xenevtchn_handle *h, evtchn_port_t port);
};

struct xenevtchn_handle {
	struct evu_active active; /* first: a callback gets its address */
	const struct evu_ops *ops;
	int limited_to; /* domain, or -1 */
};

/* 0 or -errno.  @keep: the descriptor stays open across exec(). */
int evu_device_open(struct xenevtchn_handle **h, const char *path, bool keep);
int evu_device_adopt(struct xenevtchn_handle **h, int fd);
int evu_process_open(struct xenevtchn_handle **h, bool keep);

/* @fd: what the program before exec() knew as xenevtchn_fd().  */
int evu_process_adopt(struct xenevtchn_handle **h, int fd);

#endif /* USER_HANDLE_H */
