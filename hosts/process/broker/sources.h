/* SPDX-License-Identifier: MIT */
/*
 * Events that no domain sends: VIRQs on request, interrupt lines, the console.
 */
#ifndef EVTCHND_SOURCES_H
#define EVTCHND_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "../proto.h"

struct evd_broker;
struct evd_conn;
struct evd_dom;
struct evd_port;

#define EVD_MAX_LINES	 64 /* descriptors; each keeps its number */
#define EVD_LINES_OF_DOM 32 /* of these, made for one domain */

/* A physical interrupt line; its number is its place in the table. */
struct evd_line {
	struct evd_dom *owner; /* NULL: there is no such line */
	struct evd_dom *guest; /* who has bound it */
	int fd;
	bool in_flight; /* raised, and not ended: not watched */
};

/* --- virq.c ----------------------------------------------------------------- */

/* May @c act on the machine, not only on a domain of its own? */
bool evd_may_control(const struct evd_conn *c);

/* Is it one of a vCPU's, of which each may have its own? */
bool evd_virq_is_of_vcpu(uint32_t virq);

void evd_virq(struct evd_conn *c, const struct evp_virq *m);

/* --- pirq.c ----------------------------------------------------------------- */

void evd_line(struct evd_conn *c, const struct evp_line *m, int fd);
void evd_permit(struct evd_conn *c, const struct evp_line *m);

/* @irq of @d, if it waits for its line: the port; or 0.  pirq_again.c has these. */
evtchn_port_t evd_line_wanted(const struct evd_dom *d, uint32_t irq);

/*
 * Open the port of a PIRQ as @d had it with a former broker; without its line, or
 * the permission, a port that nobody can bind takes its place for a while.
 * -XEN_E...
 */
int evd_line_claim(struct evd_dom *d, const struct evp_claim *m,
		   evtchn_port_t *port);

/* A port that waits for its line is told of as the PIRQ it will be. */
void evd_line_describe(struct evd_dom *d, struct evp_claim *what);

/* @p is closed: it does not wait for a line any more. */
void evd_line_unwant(struct evd_port *p);

/* Somebody may bind @line now: who waited for it does. */
void evd_line_came(struct evd_broker *b, uint32_t line);

/* May PERMIT still come before the line?  Then it is good for a while. */
bool evd_line_may_come(struct evd_broker *b);

/* Who has waited long enough?  Returns ms until the next look, or -1. */
int evd_lines_look(struct evd_broker *b);

/* Was it a line that epoll told of?  Then it is raised. */
bool evd_line_event(struct evd_broker *b, void *data);

/* @d ends: so do the lines that were made for it. */
void evd_lines_forget(struct evd_dom *d);

/* The physdev_op hypercall; @r holds the argument and takes the answer. */
int evd_physdev(struct evd_conn *c, uint32_t cmd, struct evp_result *r);

/* --- console.c -------------------------------------------------------------- */

/*
 * Open what VIRQ_CONSOLE tells of; "-": standard input.  0, or -errno after
 * saying on stderr why not.
 */
int evd_console_open(struct evd_broker *b, const char *path);

/* Start watching it; and what then comes. */
int evd_console_watch(struct evd_broker *b);
bool evd_console_event(struct evd_broker *b, const void *data);

#endif /* EVTCHND_SOURCES_H */
