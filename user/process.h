/* SPDX-License-Identifier: MIT */
/*
 * Inside the process-host backend.
 *
 *   process.c  ports: binding, sending, what an event does to one
 *   wait.c     waiting: the queue's descriptor, the collector, pending()
 *   inherit.c  what exec() leaves of a handle
 */
#ifndef USER_PROCESS_H
#define USER_PROCESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <abi/event_channel.h>

#include "handle.h"

struct evp_guest;

#define EVU_NR_PORTS EVTCHN_FIFO_NR_CHANNELS

/* A port of this handle.  All but ENABLED are masked in the guest library. */
enum evu_port {
	EVU_NOT_OURS,
	EVU_ENABLED,
	EVU_QUEUED,	    /* had an event, nobody has taken it */
	EVU_QUEUED_ENABLED, /* and was unmasked already: ENABLED when taken */
	EVU_TAKEN,	    /* by pending(): masked until unmask() */
};

/* Everything under @lock but what never changes. */
struct evu_process {
	struct xenevtchn_handle h; /* first: a handle is one of these */
	struct evp_guest *g;
	pid_t pid; /* who opened it: a child only closes */
	pthread_mutex_t lock;
	/* Ports that had an event, each at most once, so it is never full. */
	evtchn_port_t queue[EVU_NR_PORTS];
	uint32_t head, tail;	    /* free-running */
	uint8_t port[EVU_NR_PORTS]; /* enum evu_port */
	/* wait.c */
	int fd;		/* eventfd, readable: the queue is not empty */
	int record;	/* inherit.c, or -1 */
	int control;	/* what is written there */
	bool shown;	/* it is readable */
	bool collected; /* there is a collector */
	bool stop;
	pthread_t collector;
	bool asleep; /* pending() is, without a collector */
	int kick;    /* eventfd: wakes either of them */
	bool kicked; /* it is readable */
};

static inline struct evu_process *evu_process_of(struct xenevtchn_handle *h)
{
	return (struct evu_process *)h;
}

static inline bool evu_queue_is_empty(const struct evu_process *p)
{
	return p->head == p->tail;
}

/* --- process.c -------------------------------------------------------------- */

/* The oldest port of the queue, which must not be empty.  Lock held. */
int evu_take_port(struct evu_process *p);

/* --- wait.c ----------------------------------------------------------------- */

/* 0 or -errno.  The second when @p->fd is there already, in any state. */
int evu_wait_init(struct evu_process *p, bool keep);
int evu_wait_inherit(struct evu_process *p);

/* In a child after fork(): only the descriptors. */
void evu_wait_abandon(struct evu_process *p);
void evu_wait_end(struct evu_process *p);

/*
 * Around everything that touches the guest or the queue.  leave() sees to it
 * that the descriptor shows what the queue is, and that the collector hears
 * of what it has to collect.
 */
void evu_enter(struct evu_process *p);
void evu_leave(struct evu_process *p);

/* A descriptor was asked for, or an event: the ops of these names. */
int evu_process_fd(struct xenevtchn_handle *h);
int evu_process_pending(struct xenevtchn_handle *h);

/* --- inherit.c -------------------------------------------------------------- */

/*
 * Leave a record for the program after exec(): @fd and @control are one handle's.
 * Returns a descriptor that is not closed by exec(), or -errno.
 */
int evu_record_new(int fd, int control);

/* The connection may be another one by now.  Lock held. */
void evu_record_renew(struct evu_process *p);

/* Find the one about @fd: its descriptor, or -EINVAL. */
int evu_record_find(int fd, int *control);

#endif /* USER_PROCESS_H */
