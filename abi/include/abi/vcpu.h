/* SPDX-License-Identifier: MIT */
/* The vcpu_op hypercall: (command, vcpu, pointer to the structure). */
#ifndef ABI_VCPU_H
#define ABI_VCPU_H

#include <stdint.h>
#include <abi/types.h>

/* Set the initial registers of a vCPU that is not up. */
#define VCPUOP_initialise 0
/* Start it, stop it, ask (returns 1 if up). */
#define VCPUOP_up			     1
#define VCPUOP_down			     2
#define VCPUOP_is_up			     3
#define VCPUOP_get_runstate_info	     4
#define VCPUOP_register_runstate_memory_area 5
/* VIRQ_TIMER every so often: struct vcpu_set_periodic_timer. */
#define VCPUOP_set_periodic_timer  6
#define VCPUOP_stop_periodic_timer 7
/* VIRQ_TIMER once, calling vCPU only: struct vcpu_set_singleshot_timer. */
#define VCPUOP_set_singleshot_timer  8
#define VCPUOP_stop_singleshot_timer 9
/* Move vcpu_info out of shared_info: struct vcpu_register_vcpu_info. */
#define VCPUOP_register_vcpu_info	      10
#define VCPUOP_send_nmi			      11
#define VCPUOP_get_physid		      12
#define VCPUOP_register_vcpu_time_memory_area 13

struct vcpu_set_periodic_timer {
	abi_u64 period_ns;
};

/* vcpu_set_singleshot_timer.flags: a time in the past was meant to fail. */
#define _VCPU_SSHOTTMR_future 0
#define VCPU_SSHOTTMR_future  (1U << _VCPU_SSHOTTMR_future)

struct vcpu_set_singleshot_timer {
	abi_u64 timeout_abs_ns; /* system time */
	uint32_t flags;		/* VCPU_SSHOTTMR_* */
};

/* The same for a 32-bit x86 guest. */
struct vcpu_set_singleshot_timer_32 {
	abi_u64_a4 timeout_abs_ns;
	uint32_t flags;
};

/*
 * Where the hypervisor shall keep struct vcpu_info of a vCPU from now on: the
 * whole structure inside one page, once per vCPU.  What was pending stays
 * pending, and the guest sees at least one spurious upcall.
 */
struct vcpu_register_vcpu_info {
	abi_u64 mfn;	 /* frame number of the page (gfn for HVM) */
	uint32_t offset; /* bytes into the page */
	uint32_t rsvd;
};

#endif /* ABI_VCPU_H */
