/* SPDX-License-Identifier: MIT */
/*
 * The backend without Xen: the process host.
 *
 * Each handle is an attachment of its own to the domain (evp/evp.h), with its
 * own ports and its own memory.  One handler serves all ports of a handle:
 * it masks the port, as Linux's device does, and puts it into a queue, where
 * pending() finds it.  What comes while a port is masked stays pending in the
 * guest library and is delivered, as one event, when it is unmasked.
 *
 * Better than the device: a port that is closed leaves the queue, so nobody is
 * told of an event of a port that is somebody else's by now; and a port is in
 * the queue at most once, so the queue cannot overflow.
 *
 * A handle starts as a 2-level guest, and switches to FIFO event channels when the
 * domain has no port left that it could have: that costs those with few ports
 * nothing, and the order of the queue is that of the events either way.
 *
 * Reading order: events, ports, opening.
 */
#include "process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <evg/fifo.h>
#include <evp/evp.h>

#include "common.h"

static struct evg_guest *guest(const struct evu_process *p)
{
	return evp_evg(p->g);
}

/* --- events ----------------------------------------------------------------- */

static void on_event(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct evu_process *p = ctx;

	(void)v;
	(void)evg_mask(guest(p), port);
	p->port[port] = EVU_QUEUED;
	p->queue[p->tail++ % EVU_NR_PORTS] = port;
}

/* What waited meanwhile is delivered, that is queued, inside evg_unmask(). */
static void enable(struct evu_process *p, evtchn_port_t port)
{
	p->port[port] = EVU_ENABLED;
	(void)evg_unmask(guest(p), port);
}

/* Whoever is alone with it always has the first place: one page is used. */
static void rewind_queue(struct evu_process *p)
{
	if (p->head == p->tail)
		p->head = p->tail = 0;
}

int evu_take_port(struct evu_process *p)
{
	evtchn_port_t port = p->queue[p->head++ % EVU_NR_PORTS];

	rewind_queue(p);
	if (p->port[port] == EVU_QUEUED_ENABLED)
		enable(p, port);
	else
		p->port[port] = EVU_TAKEN;
	return (int)port;
}

/* Take a port out of the queue, wherever it is. */
static void forget_event(struct evu_process *p, evtchn_port_t port)
{
	uint32_t from, to = p->head;

	for (from = p->head; from != p->tail; from++) {
		if (p->queue[from % EVU_NR_PORTS] != port)
			p->queue[to++ % EVU_NR_PORTS] =
				p->queue[from % EVU_NR_PORTS];
	}
	p->tail = to;
	rewind_queue(p);
}

/* --- ports ------------------------------------------------------------------ */

static bool is_ours(const struct evu_process *p, evtchn_port_t port)
{
	return port < EVU_NR_PORTS && p->port[port] != EVU_NOT_OURS;
}

/*
 * The number is one of ours already: somebody closed that port from outside
 * (libxencall).  It keeps its handler, and starts enabled as any other.
 */
static int adopt_again(struct evu_process *p, evtchn_port_t port)
{
	if (p->port[port] == EVU_TAKEN)
		enable(p, port);
	return (int)port;
}

/*
 * EVTCHN_NOTICE=1: the end of a peer is an event, which Xen does not have.  A
 * program has to be ready for an event without a reason anyway, since a bind
 * alone makes a port pending; so this breaks none that keeps to the rules.
 */
static void watch_peer(struct evu_process *p, int port)
{
	const char *text = secure_getenv("EVTCHN_NOTICE");

	if (port >= 0 && text && !strcmp(text, "1"))
		(void)evp_watch_peer(p->g, (evtchn_port_t)port, true);
}

/* A port was opened, or not: give it to the handle. */
static int adopt(struct evu_process *p, int rc, evtchn_port_t port)
{
	if (rc)
		return evu_result(rc);
	if (port >= EVU_NR_PORTS)
		return -ENOSPC;
	if (is_ours(p, port))
		return adopt_again(p, port);
	/* Before the handler, which may run at once. */
	p->port[port] = EVU_ENABLED;
	rc = evg_bind_handler(guest(p), port, EVG_VCPU_KEEP, on_event, p);
	if (rc) {
		p->port[port] = EVU_NOT_OURS;
		(void)evg_close(guest(p), port);
		return evu_result(rc);
	}
	return (int)port;
}

/* Ports of the ABI in use. */
static uint32_t nr_ports(const struct evu_process *p)
{
	return evg_is_fifo(guest(p)) ? EVU_NR_PORTS : EVTCHN_2L_NR_CHANNELS_64;
}

/* No port is left that a 2-level guest can have?  True: try again. */
static bool make_room(const struct evu_process *p, int rc)
{
	return rc == -XEN_ENOSPC && !evg_is_fifo(guest(p)) &&
	       !evg_fifo_start(guest(p));
}

static int bind_unbound(struct xenevtchn_handle *h, uint32_t domid)
{
	struct evu_process *p = evu_process_of(h);
	evtchn_port_t port = 0;
	int rc;

	if (domid > UINT16_MAX)
		return -ESRCH;
	evu_enter(p);
	do
		rc = evg_alloc_unbound(guest(p), DOMID_SELF, (domid_t)domid,
				       &port);
	while (make_room(p, rc));
	rc = adopt(p, rc, port);
	watch_peer(p, rc);
	evu_leave(p);
	return rc;
}

static int bind_interdomain(struct xenevtchn_handle *h, uint32_t domid,
			    evtchn_port_t remote)
{
	struct evu_process *p = evu_process_of(h);
	evtchn_port_t port = 0;
	int rc;

	if (domid > UINT16_MAX)
		return -ESRCH;
	evu_enter(p);
	do
		rc = evg_bind_interdomain(guest(p), (domid_t)domid, remote,
					  &port);
	while (make_room(p, rc));
	rc = adopt(p, rc, port);
	watch_peer(p, rc);
	evu_leave(p);
	return rc;
}

static int bind_virq(struct xenevtchn_handle *h, uint32_t virq)
{
	struct evu_process *p = evu_process_of(h);
	evtchn_port_t port = 0;
	int rc;

	evu_enter(p);
	do
		rc = evg_bind_virq(guest(p), virq, 0, &port);
	while (make_room(p, rc));
	rc = adopt(p, rc, port);
	evu_leave(p);
	return rc;
}

static int unbind(struct xenevtchn_handle *h, evtchn_port_t port)
{
	struct evu_process *p = evu_process_of(h);
	int rc = -ENOTCONN;

	evu_enter(p);
	if (port >= nr_ports(p)) {
		rc = -EINVAL;
	} else if (is_ours(p, port)) {
		p->port[port] = EVU_NOT_OURS;
		forget_event(p, port);
		rc = evu_result(evg_close(guest(p), port));
	}
	evu_leave(p);
	return rc;
}

/* As on Linux, only a port that is not ours is an error. */
static int notify(struct xenevtchn_handle *h, evtchn_port_t port)
{
	struct evu_process *p = evu_process_of(h);
	int rc = -ENOTCONN;

	evu_enter(p);
	if (is_ours(p, port)) {
		(void)evg_notify(guest(p), port);
		rc = 0;
	}
	evu_leave(p);
	return rc;
}

static int unmask(struct xenevtchn_handle *h, evtchn_port_t port)
{
	struct evu_process *p = evu_process_of(h);

	if (port >= EVU_NR_PORTS)
		return 0;
	evu_enter(p);
	switch ((enum evu_port)p->port[port]) {
	case EVU_TAKEN:
		enable(p, port);
		break;
	case EVU_QUEUED:
		p->port[port] = EVU_QUEUED_ENABLED;
		break;
	case EVU_NOT_OURS:
	case EVU_ENABLED:
	case EVU_QUEUED_ENABLED:
		break;
	}
	evu_leave(p);
	return 0;
}

static int limit(struct xenevtchn_handle *h, domid_t domid)
{
	struct evu_process *p = evu_process_of(h);
	int rc;

	evu_enter(p);
	rc = evp_restrict(p->g, domid);
	evu_leave(p);
	return rc;
}

/* --- opening and closing ---------------------------------------------------- */

/* The domain this process was given when nobody had said which, or -1. */
static int own_domain = EVP_DOMAIN_ENV;
static pthread_mutex_t own_domain_lock = PTHREAD_MUTEX_INITIALIZER;

static bool is_set(const char *name)
{
	const char *text = getenv(name);

	return text && *text;
}

static void note_domain(const struct evu_process *p)
{
	(void)pthread_mutex_lock(&own_domain_lock);
	own_domain = evp_domid(p->g);
	(void)pthread_mutex_unlock(&own_domain_lock);
}

/* All handles of a process are in one domain. */
static int attach(struct evu_process *p)
{
	bool told = is_set("EVTCHN_FD") || is_set("EVTCHN_DOMAIN");
	struct evp_options o = {.domain = EVP_DOMAIN_ENV,
				.spin_ns = EVP_SPIN_DEFAULT};
	int rc;

	if (told)
		return evp_attach(&p->g, &o);
	(void)pthread_mutex_lock(&own_domain_lock);
	o.domain = own_domain;
	rc = evp_attach(&p->g, &o);
	if (!rc)
		own_domain = evp_domid(p->g);
	(void)pthread_mutex_unlock(&own_domain_lock);
	return rc;
}

static void release(struct evu_process *p)
{
	(void)pthread_mutex_destroy(&p->lock);
	(void)munmap(p, sizeof(*p));
}

/* A child has a copy of everything, but not the collector. */
static int close_process(struct xenevtchn_handle *h)
{
	struct evu_process *p = evu_process_of(h);

	if (p->pid != getpid()) {
		evu_wait_abandon(p);
		evp_abandon(p->g);
		/* The lock may be held for ever. */
		(void)munmap(p, sizeof(*p));
		return 0;
	}
	evu_wait_end(p);
	evp_detach(p->g);
	release(p);
	return 0;
}

static const struct evu_ops ops = {
	.close = close_process,
	.fd = evu_process_fd,
	.limit = limit,
	.notify = notify,
	.bind_unbound = bind_unbound,
	.bind_interdomain = bind_interdomain,
	.bind_virq = bind_virq,
	.unbind = unbind,
	.pending = evu_process_pending,
	.unmask = unmask,
};

static struct evu_process *make(void)
{
	/* Mostly for ports that never are: these pages are never used. */
	struct evu_process *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	p->h.ops = &ops;
	p->pid = getpid();
	p->fd = p->kick = p->record = -1;
	if (!pthread_mutex_init(&p->lock, NULL))
		return p;
	(void)munmap(p, sizeof(*p));
	return NULL;
}

/* Let the descriptors survive exec(), and leave word which they are. */
static int keep_open(struct evu_process *p)
{
	int control = evp_inherit(p->g);

	p->control = control;
	p->record = control < 0 ? control : evu_record_new(p->fd, control);
	return p->record < 0 ? p->record : 0;
}

int evu_process_open(struct xenevtchn_handle **h, bool keep)
{
	struct evu_process *p = make();
	int rc;

	if (!p)
		return -ENOMEM;
	rc = attach(p);
	if (!rc)
		rc = evu_wait_init(p, keep);
	if (!rc && keep)
		rc = keep_open(p);
	if (rc) {
		evu_wait_abandon(p);
		evp_detach(p->g);
		release(p);
		return rc;
	}
	*h = &p->h;
	return 0;
}

/* Each has an event pending, so each is in the queue afterwards. */
static int adopt_ports(struct evu_process *p)
{
	bool many = evp_next_port(p->g, EVTCHN_2L_NR_CHANNELS_64) >= 0;
	int port = evp_next_port(p->g, 1);
	int rc = 0;

	evu_enter(p);
	if (many)
		rc = evu_result(evg_fifo_start(guest(p)));
	for (; port >= 0 && rc >= 0;
	     port = evp_next_port(p->g, (uint32_t)port + 1))
		rc = adopt(p, 0, (evtchn_port_t)port);
	evu_leave(p);
	return rc < 0 ? rc : 0;
}

/*
 * What the program was left is not touched before nothing can fail any more; it
 * may poll the descriptor without asking for it, so somebody has to collect.
 */
int evu_process_adopt(struct xenevtchn_handle **h, int fd)
{
	int control = -1, record = evu_record_find(fd, &control);
	struct evu_process *p;
	int rc;

	if (record < 0)
		return record;
	p = make();
	if (!p)
		return -ENOMEM;
	p->fd = fd;
	rc = evu_wait_inherit(p);
	if (!rc)
		rc = evp_take_over(&p->g, control);
	if (rc) {
		p->fd = -1;
		evu_wait_abandon(p);
		release(p);
		return rc;
	}
	p->record = record;
	p->control = control;
	note_domain(p);
	rc = adopt_ports(p);
	if (!rc)
		rc = evu_process_fd(&p->h);
	if (rc < 0) {
		(void)close_process(&p->h);
		return rc;
	}
	*h = &p->h;
	return 0;
}
