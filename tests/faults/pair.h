/* SPDX-License-Identifier: MIT */
/* Two domains of one process, and the channel between them. */
#ifndef TESTS_FAULTS_PAIR_H
#define TESTS_FAULTS_PAIR_H

#include "tests/process/harness.h"

struct pair {
	struct evp_guest *front, *back;
	evtchn_port_t port, back_port;
	uint64_t events, back_events;
};

static inline void bind_back(struct pair *p)
{
	p->back_port =
		open_bound(p->back, 1, p->port, count_event, &p->back_events);
}

static inline void connect_pair(struct pair *p)
{
	*p = (struct pair){.front = attach(1), .back = attach(2)};
	p->port = open_unbound(p->front, 2, count_event, &p->events);
	bind_back(p);
}

/* And the back end has had the event that comes with the bind. */
static inline void join_pair(struct pair *p)
{
	connect_pair(p);
	wait_count(p->back, &p->back_events, 1);
}

static inline void disconnect_pair(struct pair *p)
{
	evp_detach(p->front);
	evp_detach(p->back);
}

#endif /* TESTS_FAULTS_PAIR_H */
