/* SPDX-License-Identifier: MIT */
/*
 * The part of Xen's control interface that lists domains, as Xen 4.17 has it.
 *
 * Unlike the rest of the ABI it changes with each release: whoever asks says for
 * which version he was made, and is refused by any other.
 * tests/xencall/layout.c compares sizes, offsets and numbers with Xen's headers.
 */
#ifndef USER_XENCTL_H
#define USER_XENCTL_H

#include <stdint.h>

#include <abi/types.h>
#include <abi/xen.h>

#define CTL_HYPERVISOR_SYSCTL 35
#define CTL_HYPERVISOR_DOMCTL 36

#define CTL_DOMCTL_VERSION	 0x15
#define CTL_DOMCTL_GETDOMAININFO 5

#define CTL_SYSCTL_VERSION	     0x15
#define CTL_SYSCTL_PHYSINFO	     3
#define CTL_SYSCTL_GETDOMAININFOLIST 6

/* struct ctl_domain.flags */
#define CTL_DYING   (1u << 0)
#define CTL_BLOCKED (1u << 4)
#define CTL_RUNNING (1u << 5)

#if defined(__x86_64__) || defined(__i386__)
#define CTL_ARCH_WORDS 2
#else
#define CTL_ARCH_WORDS 3
#endif

/* One domain. */
struct ctl_domain {
	domid_t domid;
	uint16_t pad1;
	uint32_t flags;
	abi_u64 pages;
	abi_u64 max_pages;
	abi_u64 claimed_pages;
	abi_u64 shared_pages;
	abi_u64 paged_pages;
	abi_u64 shared_info_frame;
	abi_u64 cpu_ns;
	uint32_t nr_vcpus; /* online */
	uint32_t last_vcpu;
	uint32_t security_id;
	uint8_t handle[16];
	uint32_t cpu_pool;
	uint8_t address_bits;
	uint8_t pad2[7];
	uint32_t arch[CTL_ARCH_WORDS];
};

/* domctl: about one domain; the argument of hypercall 36. */
struct ctl_domctl {
	uint32_t cmd;
	uint32_t version;
	domid_t domid;
	uint16_t pad[3];
	union {
		struct ctl_domain info;
		uint8_t room[128];
	} u;
};

struct ctl_list {
	domid_t first;
	uint32_t max;
	abi_u64 buffer; /* address of @max struct ctl_domain */
	uint32_t count; /* OUT */
};

struct ctl_machine {
	uint32_t threads_per_core;
	uint32_t cores_per_socket;
	uint32_t nr_cpus;
	uint32_t last_cpu;
	uint32_t nr_nodes;
	uint32_t last_node;
	uint32_t cpu_khz;
	uint32_t capabilities;
	uint32_t arch_capabilities;
	uint32_t pad;
	abi_u64 total_pages;
	abi_u64 free_pages;
	abi_u64 scrub_pages;
	abi_u64 claimed_pages;
	abi_u64 last_frame;
	uint32_t hw_cap[8];
};

/* sysctl: about the machine; the argument of hypercall 35. */
struct ctl_sysctl {
	uint32_t cmd;
	uint32_t version;
	union {
		struct ctl_list list;
		struct ctl_machine machine;
		abi_u64 align;
		uint8_t room[128];
	} u;
};

/* xen_version: which number asks for what. */
#define CTL_VERSION_NUMBER	 0
#define CTL_VERSION_EXTRA	 1
#define CTL_VERSION_COMPILE_INFO 2
#define CTL_VERSION_CAPABILITIES 3
#define CTL_VERSION_CHANGESET	 4
#define CTL_VERSION_PLATFORM	 5
#define CTL_VERSION_PAGESIZE	 7
#define CTL_VERSION_GUEST_HANDLE 8
#define CTL_VERSION_COMMANDLINE	 9

#define CTL_EXTRA_LEN	     16
#define CTL_COMPILE_INFO_LEN 144
#define CTL_CAPABILITIES_LEN 1024
#define CTL_CHANGESET_LEN    64
#define CTL_PLATFORM_LEN     sizeof(abi_u64)
#define CTL_HANDLE_LEN	     16
#define CTL_COMMANDLINE_LEN  1024

#endif /* USER_XENCTL_H */
