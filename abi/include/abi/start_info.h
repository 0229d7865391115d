/* SPDX-License-Identifier: MIT */
/*
 * What a PV guest (x86-64) finds at boot: RSI holds the virtual address of
 * this structure.  The toolstack, or Xen for dom0, writes it; the guest reads.
 */
#ifndef ABI_START_INFO_H
#define ABI_START_INFO_H

#include <stdint.h>
#include <abi/types.h>

/* start_info.flags */
#define SIF_PRIVILEGED	    (1 << 0)	/* may make privileged hypercalls */
#define SIF_INITDOMAIN	    (1 << 1)	/* is the first domain */
#define SIF_MULTIBOOT_MOD   (1 << 2)	/* mod_start is a multiboot package */
#define SIF_MOD_START_PFN   (1 << 3)	/* mod_start is a frame number */
#define SIF_VIRT_P2M_4TOOLS (1 << 4)	/* tools understand arch.p2m_vaddr */
#define SIF_PM_MASK	    (0xFF << 8) /* power management options of Xen */

/* Bytes of cmd_line with its final NUL. */
#define MAX_GUEST_CMDLINE 1024

struct start_info {
	char magic[32];	     /* "xen-<version>-<platform>" */
	abi_u64 nr_pages;    /* memory of this domain */
	abi_u64 shared_info; /* machine address of struct shared_info */
	uint32_t flags;	     /* SIF_* */
	/* The bootstrap channels: two ports are open before the guest runs. */
	abi_u64 store_mfn; /* machine frame of the xenstore ring */
	uint32_t store_evtchn;
	union {
		struct {
			abi_u64 mfn; /* machine frame of the console ring */
			uint32_t evtchn;
		} domU;
		struct {
			uint32_t info_off; /* VGA information, from here */
			uint32_t info_size;
		} dom0;
	} console;
	/* Valid on a fresh boot only, not after resume, from here on. */
	abi_u64 pt_base; /* virtual address of the page tables */
	abi_u64 nr_pt_frames;
	abi_u64 mfn_list;  /* virtual address of the p2m list */
	abi_u64 mod_start; /* virtual address or frame number, see flags */
	abi_u64 mod_len;   /* bytes; 0 is no module */
	char cmd_line[MAX_GUEST_CMDLINE];
	abi_u64 first_p2m_pfn; /* frames of the p2m list, if not mapped */
	abi_u64 nr_p2m_frames;
};

#endif /* ABI_START_INFO_H */
