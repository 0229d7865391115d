/* SPDX-License-Identifier: MIT */
/* Ports that are the domain's own (kept.c), and counts to be shown (counts.c). */
#ifndef EVTCHND_KEPT_H
#define EVTCHND_KEPT_H

#include "broker.h"

/* --- kept.c ----------------------------------------------------------------- */

/* PORT and WAIT. */
void evd_on_port(struct evd_conn *c, const struct evp_port_req *m);
void evd_on_wait(struct evd_conn *c, const struct evp_wait_req *m);

/* The name of a port of the domain's own, perhaps "". */
const char *evd_kept_name(const struct evd_kept *k);

/* @p->parked became true: who waits for it gets it. */
void evd_kept_post(struct evd_port *p);

/* @p is free again: it is not the domain's own any more. */
void evd_kept_closed(struct evd_port *p);

/* A port that was @name's before; slot @slot says so.  False: no memory. */
bool evd_kept_again(struct evd_port *p, const char *name, uint32_t slot);

/* @p has changed: write it down, if it is the domain's own. */
void evd_kept_note(struct evd_port *p);

/* @c goes on, so it has read what it was given. */
void evd_kept_took(struct evd_conn *c);

/* @c dies: it waits for nothing. */
void evd_kept_forget(struct evd_conn *c);

/* --- counts.c --------------------------------------------------------------- */

/* COUNTS: @fd is taken over.  And ASK_COUNTS. */
void evd_on_counts(struct evd_conn *c, int fd);
void evd_on_ask_counts(struct evd_conn *c, const struct evp_ask_counts *m);

/* The counts of a port of the domain's own, or NULL: no memory for them. */
struct evp_port_counts *evd_counts_of(struct evd_port *p);

/* @p is free again: it counts from 0. */
void evd_counts_closed(struct evd_port *p);
void evd_counts_free(struct evd_dom *d);

/* --- listing.c -------------------------------------------------------------- */

void evd_list_domains(struct evd_conn *c, const struct evp_domains *m);
void evd_list_ports(struct evd_conn *c, const struct evp_list *m);

/* One open port of @d, as `evtchn ls` shows it.  False: it is not open. */
bool evd_list_port(struct evd_dom *d, evtchn_port_t port,
		   struct evp_port_entry *e);

#endif /* EVTCHND_KEPT_H */
