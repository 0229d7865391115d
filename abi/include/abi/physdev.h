/* SPDX-License-Identifier: MIT */
/*
 * The physdev_op hypercall, as far as it serves PIRQ event channels (x86).
 * (command, pointer to the structure); fields are IN unless marked OUT.
 */
#ifndef ABI_PHYSDEV_H
#define ABI_PHYSDEV_H

#include <stdint.h>
#include <abi/types.h>
#include <abi/xen.h>

/* Legacy, no argument: end every PIRQ whose port the guest has unmasked. */
#define PHYSDEVOP_IRQ_UNMASK_NOTIFY 4
/* Does this PIRQ need PHYSDEVOP_eoi?  struct physdev_irq_status_query. */
#define PHYSDEVOP_irq_status_query 5
/* End of interrupt: struct physdev_eoi. */
#define PHYSDEVOP_eoi 12
/* Get and give back a PIRQ: struct physdev_map_pirq, physdev_unmap_pirq. */
#define PHYSDEVOP_map_pirq   13
#define PHYSDEVOP_unmap_pirq 14
/*
 * Share a bitmap page that says which PIRQs need PHYSDEVOP_eoi: struct
 * physdev_pirq_eoi_gmfn.  With v1, PHYSDEVOP_eoi also unmasks the port.
 */
#define PHYSDEVOP_pirq_eoi_gmfn_v1 17
#define PHYSDEVOP_pirq_eoi_gmfn_v2 28
/* Find an unused PIRQ number: struct physdev_get_free_pirq. */
#define PHYSDEVOP_get_free_pirq 23

struct physdev_eoi {
	uint32_t irq; /* PIRQ */
};

/* physdev_irq_status_query.flags */
#define _XENIRQSTAT_needs_eoi 0
#define XENIRQSTAT_needs_eoi  (1U << _XENIRQSTAT_needs_eoi)
#define _XENIRQSTAT_shared    1
#define XENIRQSTAT_shared     (1U << _XENIRQSTAT_shared)

struct physdev_irq_status_query {
	uint32_t irq;	/* PIRQ */
	uint32_t flags; /* OUT: XENIRQSTAT_* */
};

struct physdev_pirq_eoi_gmfn {
	abi_u64 gmfn; /* frame number of the page; bit n is PIRQ n */
};

/* The same for a 32-bit guest. */
struct physdev_pirq_eoi_gmfn_32 {
	uint32_t gmfn;
};

/* physdev_map_pirq.type, physdev_get_free_pirq.type */
#define MAP_PIRQ_TYPE_MSI	0x0
#define MAP_PIRQ_TYPE_GSI	0x1
#define MAP_PIRQ_TYPE_UNKNOWN	0x2
#define MAP_PIRQ_TYPE_MSI_SEG	0x3
#define MAP_PIRQ_TYPE_MULTI_MSI 0x4

struct physdev_map_pirq {
	domid_t domid;
	int32_t type;	    /* MAP_PIRQ_TYPE_* */
	int32_t index;	    /* GSI or machine IRQ */
	int32_t pirq;	    /* IN: wanted, or -1; OUT: assigned */
	int32_t bus;	    /* MSI: bus, segment in bits 31:16 for MSI_SEG */
	int32_t devfn;	    /* MSI: device << 3 | function */
	int32_t entry_nr;   /* MSI-X entry; MULTI_MSI: IN, OUT vector count */
	abi_u64 table_base; /* MSI-X table address, 0 for MSI */
};

/* The same for a 32-bit guest. */
struct physdev_map_pirq_32 {
	domid_t domid;
	int32_t type;
	int32_t index;
	int32_t pirq;
	int32_t bus;
	int32_t devfn;
	int32_t entry_nr;
	abi_u64_a4 table_base;
};

struct physdev_unmap_pirq {
	domid_t domid;
	int32_t pirq;
};

struct physdev_get_free_pirq {
	int32_t type;  /* MAP_PIRQ_TYPE_* */
	uint32_t pirq; /* OUT */
};

#endif /* ABI_PHYSDEV_H */
