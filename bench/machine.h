/* SPDX-License-Identifier: MIT */
/* The machine the core is measured on.  See machine.c. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <evc/evc.h>

#define BENCH_BUCKETS 2048 /* 131,072 ports */

extern struct evc_domain bench_domain;

void bench_die(const char *what);

/* A domain with @fifo or 2-level event channels and no port in use. */
void bench_start(bool fifo);

/* The guest's half: its words, as it would leave them between two events. */
void bench_forget(evtchn_port_t port); /* event taken, nothing pending */
void bench_take(evtchn_port_t port); /* the event only, as another CPU would */
void bench_set_mask(evtchn_port_t port, bool on);

#endif /* BENCH_MACHINE_H */
