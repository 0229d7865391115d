/* SPDX-License-Identifier: MIT */
/* What the next broker has to know if this one is killed: SOCKET.state. */
#ifndef EVTCHND_STATE_H
#define EVTCHND_STATE_H

#include "broker.h"

enum evd_record_type {
	EVD_RECORD_FREE, /* all of it is 0 */
	EVD_RECORD_PORT, /* of a domain's own */
	EVD_RECORD_VIRQ, /* delegated: @port is its number */
};

/* One of the file. */
struct evd_record {
	uint64_t sum;	/* of what follows */
	uint8_t type;	/* enum evd_record_type */
	uint8_t kind;	/* EVTCHNSTAT_* */
	uint8_t parked; /* an event waits */
	uint8_t pad;
	uint16_t domid;
	uint16_t peer_domid; /* who may bind, or the peer's */
	uint32_t port;
	uint32_t number; /* the peer's port, the VIRQ */
	uint32_t uid;	 /* whose domain */
	uint32_t pid;	 /* of the peer's process; 0: not known */
	char name[EVP_NAME_MAX];
};

_Static_assert(sizeof(struct evd_record) == 64, "its format");

struct evd_file;

/*
 * Begin: what the one before left is read, if it can be trusted.  Without a file
 * the broker lives as well.  And end, in order: nothing is left behind.
 */
void evd_state_open(struct evd_broker *b);
void evd_state_end(struct evd_broker *b);

/*
 * Write @r in slot @slot, 0: a free one.  Returns the slot; 0: there is none.
 * And free one; 0 is fine.
 */
uint32_t evd_state_save(struct evd_broker *b, uint32_t slot,
			struct evd_record *r);
void evd_state_drop(struct evd_broker *b, uint32_t slot);

/* @virq is @d's to handle from now on. */
void evd_state_delegated(struct evd_dom *d, uint32_t virq);

/* It is again, and slot @slot says so.  @d ends: nothing is its any more. */
void evd_state_virq_is(struct evd_dom *d, uint32_t virq, uint32_t slot);
void evd_state_forget(struct evd_dom *d);

/* --- recall.c --------------------------------------------------------------- */

/*
 * The records the one before left, of this number; -EINVAL: not possible.  They
 * are @b's from now on.  And throw them away.
 */
int evd_recall_begin(struct evd_broker *b, const struct evd_record *r,
		     uint32_t nr);
void evd_recall_end(struct evd_broker *b);

/* @d was made: it has again what it had. */
void evd_recall(struct evd_dom *d);

/* Somebody may come who holds @d, though nobody does now. */
bool evd_recall_spares(const struct evd_dom *d);

/* Whose domain has not come by now?  Returns ms until the next look, or -1. */
int evd_recall_look(struct evd_broker *b);

/* --- reattach.c ------------------------------------------------------------- */

/*
 * Open a port of @d's own as @m claims; NULL: not possible.  Of one domain, with
 * ascending ports, and then the end of these.  When it is kept: what it waits
 * for, and whether an event waits in it.
 */
struct evd_port *evd_reclaim(struct evd_dom *d, const struct evp_claim *m);
void evd_reclaim_over(struct evd_dom *d);
void evd_reclaimed(struct evd_port *p, const struct evp_claim *m, bool parked);

#endif /* EVTCHND_STATE_H */
