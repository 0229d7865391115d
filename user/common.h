/* SPDX-License-Identifier: MIT */
/* What the libraries have in common. */
#ifndef USER_COMMON_H
#define USER_COMMON_H

#include <errno.h>
#include <stdint.h>

/*
 * How libxentoolcore knows a handle; the layout is its ABI.  It calls back
 * when the program gives up its privileges (xentoolcore_restrict_all()).
 */
struct evu_active {
	int (*limit)(struct evu_active *a, uint16_t domid);
	void *next;
	void **previous;
};

/* Only there if the program uses libxentoolcore, too. */
extern void xentoolcore__register_active_handle(struct evu_active *a)
	__attribute__((weak));
extern void xentoolcore__deregister_active_handle(struct evu_active *a)
	__attribute__((weak));

static inline void evu_activate(struct evu_active *a,
				int (*limit)(struct evu_active *a,
					     uint16_t domid))
{
	a->limit = limit;
	if (xentoolcore__register_active_handle)
		xentoolcore__register_active_handle(a);
}

static inline void evu_deactivate(struct evu_active *a)
{
	if (xentoolcore__deregister_active_handle)
		xentoolcore__deregister_active_handle(a);
}

/* How the libraries' functions fail: -errno becomes -1, and errno. */
static inline int evu_errno(int rc)
{
	if (rc >= 0)
		return rc;
	errno = -rc;
	return -1;
}

/* From a hypercall's result to what it is (0, a count) or -errno. */
int evu_result(int rc);

#endif /* USER_COMMON_H */
