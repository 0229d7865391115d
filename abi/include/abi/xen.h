/* SPDX-License-Identifier: MIT */
/*
 * Core of the Xen ABI: hypercall numbers, domain ids, virtual interrupts and
 * the memory a domain shares with its hypervisor.
 *
 * Three layouts of the shared memory exist:
 *   struct shared_info      x86, 64-bit guest (4096 two-level ports)
 *   struct shared_info_32   x86, 32-bit guest (1024 two-level ports)
 *   struct shared_info_arm  Arm, 32- and 64-bit guests (4096 ports)
 * All of them are guest memory: the guest may write any byte at any time, so
 * the hypervisor must treat every value it reads here as hostile.
 */
#ifndef ABI_XEN_H
#define ABI_XEN_H

#include <stdint.h>
#include <abi/types.h>

/* --- Hypercall numbers -------------------------------------------------- */

#define __HYPERVISOR_set_trap_table    0
#define __HYPERVISOR_mmu_update	       1
#define __HYPERVISOR_set_callbacks     4
#define __HYPERVISOR_memory_op	       12
#define __HYPERVISOR_update_va_mapping 14
#define __HYPERVISOR_set_timer_op      15
/* One pointer to struct evtchn_op; commands up to EVTCHNOP_unmask only. */
#define __HYPERVISOR_event_channel_op_compat 16
#define __HYPERVISOR_xen_version	     17
#define __HYPERVISOR_console_io		     18
#define __HYPERVISOR_grant_table_op	     20
#define __HYPERVISOR_vm_assist		     21
#define __HYPERVISOR_iret		     23
#define __HYPERVISOR_vcpu_op		     24
#define __HYPERVISOR_mmuext_op		     26
#define __HYPERVISOR_sched_op		     29
#define __HYPERVISOR_callback_op	     30
/* (command, pointer to that command's structure), see event_channel.h. */
#define __HYPERVISOR_event_channel_op 32
#define __HYPERVISOR_physdev_op	      33
#define __HYPERVISOR_hvm_op	      34

/* console_io commands: (command, count, buffer). */
#define CONSOLEIO_write 0
#define CONSOLEIO_read	1

/* vm_assist commands and types: (command, type). */
#define VMASST_CMD_enable  0
#define VMASST_CMD_disable 1
/* Keep the guest kernel's IOPL in the RFLAGS image of an upcall frame. */
#define VMASST_TYPE_architectural_iopl 4

/* --- Domain ids --------------------------------------------------------- */

typedef uint16_t domid_t;

/* Ids from here on name no ordinary domain. */
#define DOMID_FIRST_RESERVED 0x7FF0U
/* The calling domain. */
#define DOMID_SELF 0x7FF0U
/* Owner of I/O memory. */
#define DOMID_IO 0x7FF1U
/* The hypervisor itself. */
#define DOMID_XEN 0x7FF2U
/* Owner of copy-on-write pages. */
#define DOMID_COW 0x7FF3U
/* No domain. */
#define DOMID_INVALID 0x7FF4U
/* Any domain; Xen knows it since 2026. */
#define DOMID_ANY 0x7FF5U
/* Owner of idle vCPUs. */
#define DOMID_IDLE 0x7FFFU
/* Bits of a valid id. */
#define DOMID_MASK 0x7FFFU

/* --- Virtual interrupts ------------------------------------------------- */

/*
 * V: one binding per vCPU.  D: one per domain.  G: one per domain, and only
 * the domain registered as its handler may bind it.
 */
#define VIRQ_TIMER	0  /* V  timer expired */
#define VIRQ_DEBUG	1  /* V  please dump your state */
#define VIRQ_CONSOLE	2  /* G  emergency console has input */
#define VIRQ_DOM_EXC	3  /* G  some domain shut down or died */
#define VIRQ_TBUF	4  /* G  trace buffer wants draining */
#define VIRQ_DEBUGGER	6  /* G  a domain stopped for its debugger */
#define VIRQ_XENOPROF	7  /* V  profiling sample (gone in Xen 4.22) */
#define VIRQ_CON_RING	8  /* G  hypervisor console ring has output */
#define VIRQ_PCPU_STATE 9  /* G  a physical CPU came or went */
#define VIRQ_MEM_EVENT	10 /* G  unused */
#define VIRQ_ARGO	11 /* D  Argo message */
#define VIRQ_ENOMEM	12 /* G  hypervisor is low on memory */
#define VIRQ_XENPMU	13 /* V  performance counter */
#define VIRQ_ARCH_0	16 /* G  x86: machine check */
#define VIRQ_ARCH_1	17
#define VIRQ_ARCH_2	18
#define VIRQ_ARCH_3	19
#define VIRQ_ARCH_4	20
#define VIRQ_ARCH_5	21
#define VIRQ_ARCH_6	22
#define VIRQ_ARCH_7	23
#define NR_VIRQS	24

/* --- Shared memory: parts common to all layouts ------------------------- */

/* vCPUs whose vcpu_info lives in shared_info; others must register one. */
#define XEN_LEGACY_MAX_VCPUS	 32
#define ABI_ARM_LEGACY_MAX_VCPUS 1

/* vcpu_time_info.flags */
#define XEN_PVCLOCK_TSC_STABLE_BIT (1 << 0) /* vCPUs agree on the time */
#define XEN_PVCLOCK_GUEST_STOPPED  (1 << 1) /* hypervisor paused the guest */

/*
 * Clock of one vCPU.  Written by the hypervisor, read by that vCPU.
 *
 * The reader takes @version, copies the rest, takes @version again, and
 * retries if it was odd or changed.
 *
 *   ns = system_time + (((tsc - tsc_timestamp) << tsc_shift)
 *                       * tsc_to_system_mul >> 32)
 *
 * where a negative tsc_shift shifts right.
 */
struct vcpu_time_info {
	uint32_t version;
	uint32_t pad0;
	abi_u64 tsc_timestamp;	    /* TSC at the last update */
	abi_u64 system_time;	    /* ns since boot at the last update */
	uint32_t tsc_to_system_mul; /* ns per TSC tick, 32.32 fraction */
	int8_t tsc_shift;
	uint8_t flags; /* XEN_PVCLOCK_* */
	uint8_t pad1[2];
};

/* --- Shared memory: x86, 64-bit guest ----------------------------------- */

struct arch_vcpu_info {
	abi_u64 cr2; /* PV: fault address; hypervisor writes */
	abi_u64 pad;
};

/*
 * Event state of one vCPU: 64 bytes.
 *
 * @evtchn_upcall_pending: the hypervisor writes 1 when the vCPU has something
 *	to collect; the guest writes 0 before it looks.
 * @evtchn_upcall_mask: PV only.  Non-zero holds upcalls off; the guest writes
 *	it, the hypervisor writes 1 when it enters the upcall handler.
 * @evtchn_pending_sel: two-level ports.  Bit n says that word n of
 *	evtchn_pending is worth reading; the hypervisor sets, the guest
 *	exchanges with 0.
 */
struct vcpu_info {
	uint8_t evtchn_upcall_pending;
	uint8_t evtchn_upcall_mask;
	abi_u64 evtchn_pending_sel;
	struct arch_vcpu_info arch;
	struct vcpu_time_info time;
};

/* PV memory management; written by the guest unless noted. */
struct arch_shared_info {
	abi_u64 max_pfn; /* highest page of the physical-to-machine table */
	abi_u64 pfn_to_mfn_frame_list_list;
	abi_u64 nmi_reason; /* hypervisor writes */
	abi_u64 p2m_cr3;
	abi_u64 p2m_vaddr;
	abi_u64 p2m_generation;
};

/*
 * One page per domain.
 *
 * Port p owns bit p % 64 of word p / 64 of two maps.
 * @evtchn_pending: hypervisor sets, guest clears.
 * @evtchn_mask: guest sets and clears; EVTCHNOP_unmask clears too.  A masked
 *	port becomes pending but does not touch the selector or the upcall.
 * @wc_version: wall clock, written by the hypervisor under the same protocol
 *	as vcpu_time_info.version.  Seconds (low, high word) and nanoseconds
 *	since 1970 at system time 0.
 */
struct shared_info {
	struct vcpu_info vcpu_info[XEN_LEGACY_MAX_VCPUS];
	abi_u64 evtchn_pending[64];
	abi_u64 evtchn_mask[64];
	uint32_t wc_version;
	uint32_t wc_sec;
	uint32_t wc_nsec;
	uint32_t wc_sec_hi;
	struct arch_shared_info arch;
};

/* --- Shared memory: x86, 32-bit guest ----------------------------------- */

struct vcpu_time_info_32 {
	uint32_t version;
	uint32_t pad0;
	abi_u64_a4 tsc_timestamp;
	abi_u64_a4 system_time;
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags;
	uint8_t pad1[2];
};

struct arch_vcpu_info_32 {
	uint32_t cr2;
	uint32_t pad[5];
};

/* As struct vcpu_info, also 64 bytes, with a 32-bit selector. */
struct vcpu_info_32 {
	uint8_t evtchn_upcall_pending;
	uint8_t evtchn_upcall_mask;
	uint32_t evtchn_pending_sel;
	struct arch_vcpu_info_32 arch;
	struct vcpu_time_info_32 time;
};

struct arch_shared_info_32 {
	uint32_t max_pfn;
	uint32_t pfn_to_mfn_frame_list_list;
	uint32_t nmi_reason;
	uint32_t p2m_cr3;
	uint32_t p2m_vaddr;
	uint32_t p2m_generation;
	uint32_t wc_sec_hi; /* came too late for its place next to wc_sec */
};

/* As struct shared_info; port p is bit p % 32 of word p / 32. */
struct shared_info_32 {
	struct vcpu_info_32 vcpu_info[XEN_LEGACY_MAX_VCPUS];
	uint32_t evtchn_pending[32];
	uint32_t evtchn_mask[32];
	uint32_t wc_version;
	uint32_t wc_sec;
	uint32_t wc_nsec;
	struct arch_shared_info_32 arch;
};

/* --- Shared memory: Arm, any guest -------------------------------------- */

/* No upcall mask (interrupts are masked in the CPU), no arch part: 48 bytes. */
struct vcpu_info_arm {
	uint8_t evtchn_upcall_pending;
	uint8_t pad0;
	abi_u64 evtchn_pending_sel;
	struct vcpu_time_info time;
};

/* As struct shared_info, with room for vCPU 0 only. */
struct shared_info_arm {
	struct vcpu_info_arm vcpu_info[ABI_ARM_LEGACY_MAX_VCPUS];
	abi_u64 evtchn_pending[64];
	abi_u64 evtchn_mask[64];
	uint32_t wc_version;
	uint32_t wc_sec;
	uint32_t wc_nsec;
	uint32_t wc_sec_hi;
};

#endif /* ABI_XEN_H */
