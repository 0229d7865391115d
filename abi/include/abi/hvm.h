/* SPDX-License-Identifier: MIT */
/*
 * What an HVM guest needs to find the hypervisor's features and to say how it
 * wants to be interrupted.
 */
#ifndef ABI_HVM_H
#define ABI_HVM_H

#include <stdint.h>
#include <abi/types.h>
#include <abi/xen.h>

/* --- hvm_op ------------------------------------------------------------- */

#define HVMOP_set_param 0 /* struct xen_hvm_param */
#define HVMOP_get_param 1 /* struct xen_hvm_param */
/* struct xen_hvm_evtchn_upcall_vector */
#define HVMOP_set_evtchn_upcall_vector 23

/* All fields IN, except that get_param writes @value. */
struct xen_hvm_param {
	domid_t domid; /* DOMID_SELF for the caller */
	uint16_t pad;
	uint32_t index; /* HVM_PARAM_* */
	abi_u64 value;
};

/* Upcall of @vcpu is an edge on @vector of its local APIC. */
struct xen_hvm_evtchn_upcall_vector {
	uint32_t vcpu;
	uint8_t vector; /* 0x10..0xff */
};

/* --- Parameters --------------------------------------------------------- */

/* How upcalls arrive without a per-vCPU vector; ABI_CALLBACK_VIA_*. */
#define HVM_PARAM_CALLBACK_IRQ 0
/* Bootstrap channels: ring page and local port, set by the toolstack. */
#define HVM_PARAM_STORE_PFN	 1
#define HVM_PARAM_STORE_EVTCHN	 2
#define HVM_PARAM_CONSOLE_PFN	 17
#define HVM_PARAM_CONSOLE_EVTCHN 18

/* Bits 63:56 of HVM_PARAM_CALLBACK_IRQ. */
#define HVM_PARAM_CALLBACK_IRQ_TYPE_MASK UINT64_C(0xFF00000000000000)
#define HVM_PARAM_CALLBACK_TYPE_GSI	 0 /* a line, vCPU 0 only */
#define HVM_PARAM_CALLBACK_TYPE_PCI_INTX 1 /* a line, vCPU 0 only */
#define HVM_PARAM_CALLBACK_TYPE_VECTOR	 2 /* x86: a vector, any vCPU */
#define HVM_PARAM_CALLBACK_TYPE_PPI	 2 /* Arm: a private interrupt */

#define ABI_CALLBACK_TYPE_SHIFT 56
#define ABI_CALLBACK_VIA(type, data) \
	((uint64_t)(type) << ABI_CALLBACK_TYPE_SHIFT | (uint64_t)(data))
/* The value 0, so also GSI 0: no upcalls. */
#define ABI_CALLBACK_VIA_NONE UINT64_C(0)
#define ABI_CALLBACK_VIA_GSI(gsi) \
	ABI_CALLBACK_VIA(HVM_PARAM_CALLBACK_TYPE_GSI, gsi)
/* @devfn is device << 3 | function; @pin 0..3 is INTA..INTD. */
#define ABI_CALLBACK_VIA_INTX(segment, bus, devfn, pin)                      \
	ABI_CALLBACK_VIA(HVM_PARAM_CALLBACK_TYPE_PCI_INTX,                   \
			 (uint64_t)(segment) << 32 | (uint64_t)(bus) << 16 | \
				 (uint64_t)(devfn) << 8 | (uint64_t)(pin))
#define ABI_CALLBACK_VIA_VECTOR(vector) \
	ABI_CALLBACK_VIA(HVM_PARAM_CALLBACK_TYPE_VECTOR, vector)

/* --- Features ----------------------------------------------------------- */

/* xen_version command: struct xen_feature_info. */
#define XENVER_get_features 6

struct xen_feature_info {
	uint32_t submap_idx; /* 32 features each; 0 is the only one today */
	uint32_t submap;     /* OUT: bit n is XENFEAT number n */
};

#define XENFEAT_writable_page_tables	0
#define XENFEAT_auto_translated_physmap 2
/* HVM_PARAM_CALLBACK_TYPE_VECTOR works. */
#define XENFEAT_hvm_callback_vector 8
/* vcpu_time_info may be used by an HVM guest. */
#define XENFEAT_hvm_safe_pvclock 9
/* Interrupts of emulated and passed-through devices can be bound as PIRQs. */
#define XENFEAT_hvm_pirqs 10
#define XENFEAT_dom0	  11

/* First of Xen's CPUID leaves; moved up in steps of 0x100 under Viridian. */
#define XEN_CPUID_FIRST_LEAF	0x40000000
#define XEN_CPUID_SIGNATURE_EBX 0x566e6558 /* "XenV" */
#define XEN_CPUID_SIGNATURE_ECX 0x65584d4d /* "MMXe" */
#define XEN_CPUID_SIGNATURE_EDX 0x4d4d566e /* "nVMM" */
/* EAX of leaf first + 4: per-vCPU upcall vectors go together with PIRQs. */
#define XEN_HVM_CPUID_UPCALL_VECTOR (1U << 6)

#endif /* ABI_HVM_H */
