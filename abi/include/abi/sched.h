/* SPDX-License-Identifier: MIT */
/* The sched_op hypercall: yield, block, poll and shut down. */
#ifndef ABI_SCHED_H
#define ABI_SCHED_H

#include <stdint.h>
#include <abi/types.h>
#include <abi/xen.h>

/* Give up the processor, stay runnable.  No argument. */
#define SCHEDOP_yield 0
/* Enable upcalls and sleep until one is deliverable.  No argument. */
#define SCHEDOP_block 1
/* Stop this domain: struct sched_shutdown. */
#define SCHEDOP_shutdown 2
/* Sleep until one of a set of ports is pending: struct sched_poll. */
#define SCHEDOP_poll 3
/* Stop another domain: struct sched_remote_shutdown. */
#define SCHEDOP_remote_shutdown 4
/* Record a reason without stopping: struct sched_shutdown. */
#define SCHEDOP_shutdown_code 5
/* Arm, feed or disarm a watchdog: struct sched_watchdog. */
#define SCHEDOP_watchdog 6

/* Why a domain stopped. */
#define SHUTDOWN_poweroff   0
#define SHUTDOWN_reboot	    1
#define SHUTDOWN_suspend    2
#define SHUTDOWN_crash	    3
#define SHUTDOWN_watchdog   4
#define SHUTDOWN_soft_reset 5
#define SHUTDOWN_MAX	    5

struct sched_shutdown {
	uint32_t reason; /* SHUTDOWN_* */
};

/*
 * SCHEDOP_poll.  All fields IN.  Returns 0 for an event, for the timeout and
 * for any other wake-up alike; nothing is consumed, and masked ports wake too.
 */
struct sched_poll {
	abi_u64 ports;	   /* guest address of evtchn_port_t[nr_ports] */
	uint32_t nr_ports; /* at most 128 */
	abi_u64 timeout;   /* absolute system time in ns; 0 is never */
};

/* The same for a 32-bit x86 guest. */
struct sched_poll_32 {
	uint32_t ports;
	uint32_t nr_ports;
	abi_u64_a4 timeout;
};

struct sched_remote_shutdown {
	domid_t domain_id;
	uint32_t reason; /* SHUTDOWN_* */
};

struct sched_watchdog {
	uint32_t id;	  /* 0: arm a new one, its id is returned */
	uint32_t timeout; /* seconds from now; 0 disarms */
};

#endif /* ABI_SCHED_H */
