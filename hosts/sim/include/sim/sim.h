/* SPDX-License-Identifier: MIT */
/*
 * The simulator: a machine with any number of domains and vCPUs in one
 * process and one thread.  Nothing happens unless the caller says so, and the
 * same calls give the same results, bit for bit.
 *
 *   sim_machine_init()                 a machine
 *   sim_domain_create()                domains, with a step function each
 *   sim_step(), sim_run_vcpu()         let guests run
 *   sim_call()                         run some code as a guest, now
 *   sim_hypercall()                    or make a hypercall for one
 *   evc_virq_raise(), sim_raise_line() events from outside
 *   sim_advance()                      time, in ns of the machine's own clock
 *
 * Guests.  A vCPU has no stack and no registers: when it is its turn, the
 * domain's step function is called, does a little, and returns.  Upcalls are
 * taken before the step and at the end of every hypercall in it.  A hypercall
 * that would deschedule the vCPU (block, poll) changes the vCPU's state and
 * returns 0 at once; the step function should then return, too.  If it makes
 * another hypercall instead, the vCPU counts as woken for no reason, which
 * every guest must bear with.
 *
 * Memory.  By default a domain can reach the ranges given to sim_map() and
 * nothing else, so hostile addresses are harmless.  A domain that is "flat"
 * reaches all of this process: for guests that are C code here and pass
 * pointers to their own variables.
 *
 * Functions return 0 or -errno; hypercalls return 0 or -XEN_E...
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <evc/evc.h>

struct evg_guest;
struct evg_vcpu;
struct sim_domain;
struct sim_machine;

enum sim_state {
	SIM_DOWN,     /* never runs */
	SIM_RUNNABLE, /* waits for its turn */
	SIM_RUNNING,
	SIM_BLOCKED, /* SCHEDOP_block: until kicked */
	SIM_POLLING, /* SCHEDOP_poll: until woken, kicked or timed out */
};

struct sim_vcpu {
	struct evc_vcpu *evc;
	struct sim_domain *domain;
	enum sim_state state;
	uint64_t poll_until; /* 0: for ever */
	uint64_t timer;	     /* when VIRQ_TIMER is due; 0: never */
	unsigned int nr_kicks;
	unsigned int nr_upcalls;
	struct evg_vcpu *guest; /* for evg_plat_this_vcpu() */
};

/* A guest enters its kernel here; as on real hardware, with no argument. */
typedef void (*sim_entry)(void);

/* A line of a domain.  See sim_map_pirq(). */
struct sim_pirq {
	bool mapped;
	bool bound;
	bool shareable;
};

struct sim_range {
	struct sim_range *next;
	uint64_t addr;
	size_t len;
	unsigned char *mem;
	bool readonly;
	bool owned;
};

struct sim_domain {
	struct evc_domain evc;
	struct sim_machine *machine;
	struct sim_domain *next;
	struct sim_vcpu *vcpu;
	struct sim_pirq *pirq;
	struct sim_range *ranges;
	bool flat;
	bool found; /* evc_host_find_domain() returns it */
	bool gone;  /* destroyed; the memory stays until the machine goes */
	sim_entry event;
	sim_entry failsafe;
	void (*step)(struct sim_vcpu *v);
	void *guest_data;	 /* the step function's own */
	struct evg_guest *guest; /* for evg_plat_this_guest() */
	unsigned int bucket_failures;
};

struct sim_machine {
	struct evc_machine evc;
	struct sim_domain *domains; /* in order of creation */
	uint64_t now;
	uint32_t turn; /* whose turn it is: index over all vCPUs */
	/* Called, if set, when a reset is preempted, before it goes on. */
	void (*preempted)(struct sim_machine *m);
	void *user; /* the caller's own */
};

/*
 * @width       layout of shared_info
 * @max_port    as struct evc_domain_config; EVC_NO_LIMIT
 * @nr_buckets  room for so many times 64 ports; 0 means as many as there are
 * @flat        see above
 * @step        called when a vCPU has its turn; NULL: the vCPUs stay down
 */
struct sim_domain_config {
	domid_t domid;
	uint32_t nr_vcpus;
	enum evc_width width;
	uint32_t max_port;
	uint32_t nr_buckets;
	uint32_t nr_pirqs;
	bool privileged;
	bool check_send;
	bool flat;
	void (*step)(struct sim_vcpu *v);
	void *guest_data;
};

/* --- machine.c ------------------------------------------------------------- */

/* @xen_4_17 as in evc_machine_init(). */
void sim_machine_init(struct sim_machine *m, bool xen_4_17);

/* Free all domains.  No guest of the machine may be running. */
void sim_machine_fini(struct sim_machine *m);

/*
 * Create a domain; all its vCPUs are runnable, or down without a step
 * function.
 *   -EINVAL  a number is outside its range
 *   -EEXIST  the domid is in use
 *   -ENOMEM
 */
int sim_domain_create(struct sim_machine *m, const struct sim_domain_config *c,
		      struct sim_domain **d);

/*
 * Destroy a domain: its ports are closed, its vCPUs go down, it is no longer
 * found.  @zombie: it is, as if somebody still mapped a page of it.
 */
void sim_domain_destroy(struct sim_domain *d, bool zombie);

/* The domain that evc_host_find_domain() finds, or NULL. */
struct sim_domain *sim_domain_find(struct sim_machine *m, domid_t domid);

/*
 * Let the guest addresses @addr .. @addr + @len - 1 be memory.  @mem NULL:
 * zeroed memory is allocated, aligned to a page.  Ranges should not overlap;
 * the latest wins.  An access must lie inside one of them.
 *   -EINVAL  @len is 0, or the range ends beyond the last address
 *   -ENOMEM
 */
int sim_map(struct sim_domain *d, uint64_t addr, void *mem, size_t len,
	    bool readonly);

/*
 * What the guest has at @addr, or NULL when it cannot access all of @len bytes
 * (for writing).  @addr, @len: any values.
 */
void *sim_at(struct sim_domain *d, uint64_t addr, size_t len, bool write);

/*
 * Let the domain bind a physical line.  The numbers of a line are the same in
 * all domains; those that share one must all say BIND_PIRQ__WILL_SHARE.
 *   -EINVAL  not below nr_pirqs
 */
int sim_map_pirq(struct sim_domain *d, uint32_t pirq);

/* The line fired: every domain that has it bound gets an event. */
void sim_raise_line(struct sim_machine *m, uint32_t pirq);

/* --- hooks.c --------------------------------------------------------------- */

/* The next @n requests of @d for memory for ports fail. */
void sim_fail_buckets(struct sim_domain *d, unsigned int n);

/*
 * Let every @n-th look at evc_host_should_yield() say yes; 0: never (at
 * first).  For the whole process: the hook is not told a machine.
 */
void sim_yield_every(unsigned int n);

/* --- schedule.c ------------------------------------------------------------ */

/*
 * Let a runnable vCPU run: take upcalls, call the step function once.  False:
 * it is not runnable.  May be called from a guest, for another vCPU.
 */
bool sim_run_vcpu(struct sim_vcpu *v);

/* Run the next runnable vCPU, round robin.  False: there is none. */
bool sim_step(struct sim_machine *m);

/*
 * Step until nothing is runnable.  False: still something after @max steps.
 */
bool sim_settle(struct sim_machine *m, unsigned int max);

/* Run @fn as guest code on @v, whatever the vCPU's state; upcalls first. */
void sim_call(struct sim_vcpu *v, void (*fn)(void *arg), void *arg);

/* Take what upcalls are pending, on a vCPU that is running. */
void sim_take_upcalls(struct sim_vcpu *v);

/* Start a vCPU that is down; stop one. */
void sim_vcpu_up(struct sim_vcpu *v);
void sim_vcpu_down(struct sim_vcpu *v);

/* The wait of @v, if it is in one, is over: take it out of the poll set. */
void sim_end_wait(struct sim_vcpu *v);

/* Move the clock; polls time out and timers fire, by time, then in order. */
void sim_advance(struct sim_machine *m, uint64_t ns);

/* The vCPU whose guest code is running now, or NULL. */
struct sim_vcpu *sim_current(void);

/* --- guest_trap.c ---------------------------------------------------------- */

/*
 * Make a hypercall for @v.  Known are: event_channel_op and its old form (16:
 * @cmd is not looked at), sched_op yield, block and poll, callback_op register
 * and unregister, set_timer_op (@arg is the time), and of vcpu_op
 * register_vcpu_info and the one-shot timer, for the calling vCPU.
 * Frame numbers are guest addresses divided by 4096.
 * Returns what a guest gets, -XEN_ENOSYS for everything else.
 */
int sim_hypercall(struct sim_vcpu *v, unsigned int nr, unsigned int cmd,
		  uint64_t arg);

/* VCPUOP_register_vcpu_info with a guest address. */
int sim_register_vcpu_info(struct sim_vcpu *v, uint64_t addr);

/* Say which objects of the guest library a domain, or a vCPU, is for it. */
void sim_set_guest(struct sim_domain *d, struct evg_guest *guest);
void sim_set_guest_vcpu(struct sim_vcpu *v, struct evg_vcpu *guest);

#endif /* SIM_SIM_H */
