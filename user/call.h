/* SPDX-License-Identifier: MIT */
/*
 * Inside libxencall.
 *
 *   xencall.c      the public functions, handles, buffers
 *   call_memory.c  what pointers among the arguments lead to
 *   call_ops.c     which hypercalls there are; event_channel_op, xen_version
 *   call_ctl.c     domctl and sysctl: what a control domain asks
 */
#ifndef USER_CALL_H
#define USER_CALL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* What is declared there is exported, and nothing else. */
#pragma GCC visibility push(default)
#include <xencall.h>
#pragma GCC visibility pop

#include <abi/xen.h>

#include "../hosts/process/resume.h"
#include "common.h"

struct xencall_handle {
	struct evu_active active; /* first: a callback gets its address */
	pthread_mutex_t lock;	  /* one question at a time */
	bool reentrant;		  /* use it */
	bool limited;		  /* privileges were given up */
	struct evp_session s;
};

/* Arguments of a hypercall; those it does not have are 0. */
struct evu_call {
	unsigned int op;
	uint64_t arg[5];
};

/* Copy what an argument points to.  0 or -EFAULT. */
int evu_copy_in(void *to, uint64_t from, size_t len);
int evu_copy_out(uint64_t to, const void *from, size_t len);

/* All with the lock held; they return a result >= 0 or -errno. */
int evu_call_do(struct xencall_handle *h, const struct evu_call *c);
int evu_call_domctl(struct xencall_handle *h, uint64_t arg);
int evu_call_sysctl(struct xencall_handle *h, uint64_t arg);

#endif /* USER_CALL_H */
