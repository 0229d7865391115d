/* SPDX-License-Identifier: MIT */
/* The machine of the analysis, see world.c. */
#ifndef FRAMA_C_WORLD_H
#define FRAMA_C_WORLD_H

#include <abi/sched.h>
#include <evc/evc.h>
#include <evc/snapshot.h>
#include <evc/static.h>

#define NR_VCPUS   2
#define NR_BUCKETS 2
#define NR_LINES   4
#define NR_PORTS   (NR_BUCKETS * EVC_BUCKET_PORTS)
#define PAGE	   4096

/* Each read gives another value. */
extern volatile uint32_t anything;
extern volatile uint64_t anything_64;

/*
 * One of the entries of a table, and the analyser does not know which: so that
 * there is one state with a set of addresses in it, not one for each address.
 */
#define PICK(table)                             \
	((table)[Frama_C_unsigned_int_interval( \
		0, sizeof(table) / sizeof((table)[0]) - 1)])
#define BETWEEN(min, max) Frama_C_unsigned_int_interval(min, max)

extern struct evc_machine *const machines[2];
extern struct evc_domain *const domains[2];
extern struct evc_domain *const domains_or_none[3];
extern unsigned char *const pages[2];
extern evc_consumer_fn const callbacks[2];

/* The world as it was lent, for evc_domain_init(). */
extern struct evc_channel *const buckets[2];

struct evc_vcpu *any_vcpu(void);

/* What a state may be; a set. */
enum {
	LENT = 1, /* the domains were lent memory for FIFO and limits */
	FREE = 2, /* the second bucket does not exist yet, see free_world() */
	ROOM = 4, /* the table of callbacks may have room */
};

/* Any state the invariants allow (README.md). */
void make_world(unsigned int what);

/*
 * Is it in such a state still?  With this at the end of an entry, what one call
 * leaves behind is what the next may find: any sequence of calls is covered.
 */
void check_world(unsigned int what);

/*
 * One word of the next structure evc_host_copy_in() reads, all others being
 * anything.  An entry that splits on it (an operation's number, a vCPU) gets
 * two analyses, each of which knows on which side of a check the word is.
 */
extern uint32_t next_word, next_word_at;
extern bool word_is_next;

extern bool all_are_found; /* evc_host_find_domain() never says NULL */

/* The number of one of @n things, or, not @exists, of none of them. */
#define NUMBER(exists, n) \
	((exists) ? BETWEEN(0, (n)-1) : BETWEEN(n, UINT32_MAX))

#endif /* FRAMA_C_WORLD_H */
