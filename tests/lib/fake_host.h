/* SPDX-License-Identifier: MIT */
/*
 * The smallest host a unit test of the core can stand on: a few domains with
 * lent memory, hooks that record what the core asked for, and switches that
 * make them fail.
 */
#ifndef FAKE_HOST_H
#define FAKE_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <abi/sched.h>
#include <evc/evc.h>

#define FAKE_DOMAINS 4
#define FAKE_PIRQS   8
#define FAKE_FRAMES  8

struct fake {
	struct evc_machine machine;
	struct evc_domain *domain[FAKE_DOMAINS]; /* by domid */
	/* What the hooks were asked, since fake_forget(): see fake_kicks() ... */
	evb_u32 kicks, wakes;
	evb_ptr last_kick, last_wake;
	evb_u32 pirq_binds, pirq_unbinds, pirq_moves;
	/* What they answer. */
	bool no_memory;	     /* evc_host_bucket() has none */
	bool yield;	     /* evc_host_should_yield() */
	bool upcall_enabled; /* evc_host_upcall_enabled() */
	bool refuse;	     /* evc_host_permit() says EPERM */
	int pirq_bind_rc;
	uint32_t pirq_permitted; /* bit per line */
	uint64_t readonly;	 /* this guest address cannot be written */
	uint32_t wide_ports;	 /* of fake_wide; 0: 131072 */
	bool (*busy)(evtchn_port_t port); /* of fake_wide; NULL: none is */
	/* Called by evc_host_should_yield(), to race with a long operation. */
	void (*meanwhile)(struct fake *f);
	/*
	 * Called by evc_host_relax(), which otherwise fails the test: a test
	 * that holds a core lock gives it back here, and so plays the other
	 * CPU that had it.
	 */
	void (*relax)(struct fake *f);
	bool in_relax; /* set meanwhile: the first CPU's locks are held */
	/* FIFO: guest frames 0 .. FAKE_FRAMES - 1, and how many are mapped. */
	unsigned char (*frame)[4096];
	unsigned int mapped;
	/* Real threads: relax yields, hooks do not check who holds what. */
	bool threads;
};

extern struct fake fake;

struct fake_options {
	domid_t domid;
	uint32_t nr_vcpus;   /* 0: 2 */
	uint32_t nr_buckets; /* 0: 64 */
	uint32_t max_port;   /* 0: no limit */
	enum evc_width width;
	bool check_send;
	const struct evc_deliver *deliver;
	bool fifo;  /* lend memory for FIFO event channels */
	bool limit; /* lend memory for a storm limit */
	uint32_t generation;
};

/* A 2-level page without words: many ports, priorities, and busy ones. */
extern const struct evc_deliver fake_wide;

/* A new machine, no domains.  Domain 0, once added, is privileged. */
void fake_start(bool xen_4_17);
struct evc_domain *fake_add(const struct fake_options *o);
/* The memory and the numbers fake_add() would use, to spoil some of them. */
struct evc_domain_config fake_config(const struct fake_options *o);
void fake_free_config(const struct evc_domain_config *c);
/* As fake_add(), for a configuration of one's own. */
struct evc_domain *fake_add_config(const struct evc_domain_config *c);
/* 64-bit, two vCPUs, no limits. */
struct evc_domain *fake_domain(domid_t domid);
void fake_remove(struct evc_domain *d); /* gives the memory back */
void fake_end(void);
void fake_forget(void); /* zero the records */

static inline uint32_t fake_kicks(void)
{
	return evb_u32_load(&fake.kicks);
}

static inline uint32_t fake_wakes(void)
{
	return evb_u32_load(&fake.wakes);
}

static inline struct evc_vcpu *fake_last_kick(void)
{
	return evb_ptr_load_acquire(&fake.last_kick);
}

static inline struct evc_vcpu *fake_last_wake(void)
{
	return evb_ptr_load_acquire(&fake.last_wake);
}

/* The guest's view of its shared memory. */
bool fake_pending(struct evc_domain *d, evtchn_port_t port);
bool fake_masked(struct evc_domain *d, evtchn_port_t port);
void fake_set_mask(struct evc_domain *d, evtchn_port_t port, bool on);
void fake_clear_pending(struct evc_domain *d, evtchn_port_t port);
uint64_t fake_selector(struct evc_vcpu *v);
bool fake_upcall(struct evc_vcpu *v);
void fake_clear_upcall(struct evc_vcpu *v); /* selector and flag */

/* evc_status(), as a control domain would ask: the state and its details. */
struct evtchn_status fake_status(struct evc_domain *d, evtchn_port_t port);
void fake_assert_status(struct evc_domain *d, evtchn_port_t port,
			uint32_t status);

/* How many ports of @d exist: the first port status refuses. */
uint32_t fake_nr_valid(struct evc_domain *d);

/* An unbound port of @d for @remote; a connected pair. */
evtchn_port_t fake_unbound(struct evc_domain *d, struct evc_domain *remote);
void fake_connect(struct evc_domain *a, struct evc_domain *b,
		  evtchn_port_t *port_a, evtchn_port_t *port_b);

#endif /* FAKE_HOST_H */
