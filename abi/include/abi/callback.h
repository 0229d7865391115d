/* SPDX-License-Identifier: MIT */
/*
 * The callback_op hypercall: where a PV guest takes its upcalls (x86).
 * (command, pointer to the structure); all fields IN.
 */
#ifndef ABI_CALLBACK_H
#define ABI_CALLBACK_H

#include <stdint.h>
#include <abi/types.h>

#define CALLBACKOP_register   0 /* struct callback_register */
#define CALLBACKOP_unregister 1 /* struct callback_unregister */

/* Events are pending. */
#define CALLBACKTYPE_event 0
/* A segment could not be loaded on the way back to the guest. */
#define CALLBACKTYPE_failsafe  1
#define CALLBACKTYPE_syscall   2 /* x86-64 */
#define CALLBACKTYPE_nmi       4
#define CALLBACKTYPE_sysenter  5
#define CALLBACKTYPE_syscall32 7 /* x86-64 */

/* callback_register.flags: set evtchn_upcall_mask before entering. */
#define _CALLBACKF_mask_events 0
#define CALLBACKF_mask_events  (1U << _CALLBACKF_mask_events)

struct callback_register {
	uint16_t type;	 /* CALLBACKTYPE_* */
	uint16_t flags;	 /* CALLBACKF_* */
	abi_u64 address; /* virtual address of the entry point */
};

/* The same for a 32-bit guest. */
struct callback_register_32 {
	uint16_t type;
	uint16_t flags;
	struct {
		uint32_t cs;
		uint32_t eip;
	} address;
};

struct callback_unregister {
	uint16_t type; /* CALLBACKTYPE_* */
	uint16_t _unused;
};

#endif /* ABI_CALLBACK_H */
