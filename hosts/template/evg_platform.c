/* SPDX-License-Identifier: MIT */
/*
 * A guest OS's half of a port: copy this file and fill in the bodies.
 *
 * The contract of each hook stands in evg/platform.h.  A guest also has to
 * enter evg_upcall() from the callback it registered with the hypervisor.
 */
#include <abi/errno.h>
#include <evg/evg.h>
#include <evg/platform.h>

int evg_plat_hypercall(struct evg_guest *g, unsigned int nr, unsigned int cmd,
		       void *arg)
{
	/* x86-64 PV: rax = nr, rdi = cmd, rsi = arg, syscall.  HVM: vmcall. */
	(void)g, (void)nr, (void)cmd, (void)arg;
	return -XEN_ENOSYS;
}

struct evg_vcpu *evg_plat_this_vcpu(struct evg_guest *g)
{
	/* Per-CPU data. */
	(void)g;
	return NULL;
}

struct evg_guest *evg_plat_this_guest(void)
{
	/* The address of the one static structure of a kernel. */
	return NULL;
}

unsigned long evg_plat_upcalls_save(struct evg_guest *g)
{
	/* PV: read evtchn_upcall_mask and set it to 1.  HVM: pushf; cli. */
	(void)g;
	return 0;
}

void evg_plat_upcalls_restore(struct evg_guest *g, unsigned long saved)
{
	/* PV: write it back; if it is 0 now, look at the flag. */
	(void)g, (void)saved;
}

void evg_plat_relax(void)
{
}
