/* SPDX-License-Identifier: MIT */
/*
 * The table according to our headers.
 *
 * ABI_TEST_BREAK builds a mutant: exactly one item is wrong, and run.sh
 * demands that exactly this item is reported.
 */
#include <abi/callback.h>
#include <abi/errno.h>
#include <abi/event_channel.h>
#include <abi/grant_table.h>
#include <abi/hvm.h>
#include <abi/physdev.h>
#include <abi/sched.h>
#include <abi/start_info.h>
#include <abi/vcpu.h>
#include <abi/xen.h>
#include "layout.h"

#define PICK(ours, theirs) ours

#if ABI_LAYOUT == ABI_LAYOUT_64
#define W(tag) tag
#elif ABI_LAYOUT == ABI_LAYOUT_32
#define W(tag) tag##_32
#else
/* Arm has a shared_info of its own and otherwise the 64-bit structures. */
#define W(tag)			      tag##_arm
#define vcpu_time_info_arm	      vcpu_time_info
#define sched_poll_arm		      sched_poll
#define vcpu_set_singleshot_timer_arm vcpu_set_singleshot_timer
#define physdev_pirq_eoi_gmfn_arm     physdev_pirq_eoi_gmfn
#define physdev_map_pirq_arm	      physdev_map_pirq
#endif

#if ABI_TEST_BREAK == 1
/* A wrong constant. */
#undef EVTCHNOP_send
#define EVTCHNOP_send 40
#elif ABI_TEST_BREAK == 2
/* A wrong offset: vcpu at 0. */
struct broken_bind_vcpu {
	union {
		evtchn_port_t port;
		uint32_t vcpu;
	};
	uint32_t pad;
};
#define evtchn_bind_vcpu broken_bind_vcpu
#elif ABI_TEST_BREAK == 3
/* A wrong structure size. */
struct broken_reset {
	domid_t dom;
	uint16_t pad;
};
#define evtchn_reset broken_reset
#elif ABI_TEST_BREAK == 4
/* A wrong member size. */
struct broken_unmask {
	uint16_t port;
	uint16_t port_high;
};
#define evtchn_unmask broken_unmask
#endif

#include "emit.h"
