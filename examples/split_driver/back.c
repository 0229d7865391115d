/* SPDX-License-Identifier: MIT */
/*
 * The back end: a disk in memory, for the front end in domain 1.
 *
 * Sleeps in poll() on two descriptors, as back ends do: events of the front end
 * and of the store.  The ring is the guest's memory, so nothing in it is
 * believed: an index or a sector out of range is refused, and what was checked
 * is not read again.
 *
 *   evtchn run --xen --domain 0 -- ./back
 */
#include <poll.h>
#include <stdbool.h>
#include <sys/mman.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "disk.h"

struct back {
	struct xs_handle *xs;
	xenevtchn_handle *xce;
	xengnttab_handle *xgt;
	struct ring *ring;
	char (*data)[SECTOR]; /* one for each slot */
	evtchn_port_t port;
	uint32_t done; /* the ring's, which the guest could change */
	unsigned long events;
};

static char disk[NR_SECTORS][SECTOR];

static int32_t serve(const struct slot *s, char *data)
{
	if (s->sector >= NR_SECTORS)
		return -1;
	if (s->op == DISK_READ)
		memcpy(data, disk[s->sector], SECTOR);
	else if (s->op == DISK_WRITE)
		memcpy(disk[s->sector], data, SECTOR);
	else
		return -1;
	return 0;
}

/* All there is; one event for all of it. */
static void serve_ring(struct back *b)
{
	uint32_t at, asked = disk_get(&b->ring->asked);
	struct slot s;

	if (asked - b->done > NR_SLOTS)
		errx(1, "the front end asks for %u at once", asked - b->done);
	for (; b->done != asked; b->done++) {
		at = b->done % NR_SLOTS;
		memcpy(&s, &b->ring->slot[at], sizeof(s));
		s.status = serve(&s, b->data[at]);
		memcpy(&b->ring->slot[at], &s, sizeof(s));
	}
	disk_put(&b->ring->done, b->done);
	if (xenevtchn_notify(b->xce, b->port))
		err(1, "notify");
}

static void on_event(struct back *b)
{
	if (xenevtchn_pending(b->xce) < 0)
		err(1, "pending");
	/* First let the next event in, then look: so none is overlooked. */
	if (xenevtchn_unmask(b->xce, b->port))
		err(1, "unmask");
	b->events++;
	serve_ring(b);
}

static void *map(struct back *b, const char *key)
{
	long ref = store_read(b->xs, FRONT, key);
	void *page;

	if (ref < 0)
		errx(1, "the front end wrote no %s", key);
	page = xengnttab_map_grant_ref(b->xgt, DISK_GUEST, (uint32_t)ref,
				       PROT_READ | PROT_WRITE);
	if (!page)
		err(1, "cannot map %s %ld", key, ref);
	return page;
}

static void connect_front(struct back *b)
{
	long port;
	int rc;

	store_watch(b->xs, FRONT);
	store_await(b->xs, FRONT, STATE_INITIALISED);
	b->ring = map(b, "ring-ref");
	b->data = map(b, "data-ref");
	port = store_read(b->xs, FRONT, "event-channel");
	rc = xenevtchn_bind_interdomain(b->xce, DISK_GUEST, (uint32_t)port);
	if (rc < 0)
		err(1, "cannot bind to port %ld", port);
	b->port = (evtchn_port_t)rc;
	store_write(b->xs, BACK, "state", STATE_CONNECTED);
}

/* False: the front end said good-bye. */
static bool turn(struct back *b)
{
	struct pollfd p[] = {{.fd = xenevtchn_fd(b->xce), .events = POLLIN},
			     {.fd = xs_fileno(b->xs), .events = POLLIN}};

	if (poll(p, 2, -1) < 0)
		err(1, "poll");
	if (p[0].revents)
		on_event(b);
	if (p[1].revents)
		store_take_event(b->xs);
	return store_read(b->xs, FRONT, "state") != STATE_CLOSED;
}

int main(void)
{
	struct back b = {.xs = xs_open(0),
			 .xce = xenevtchn_open(NULL, 0),
			 .xgt = xengnttab_open(NULL, 0)};

	if (!b.xs || !b.xce || !b.xgt)
		err(1, "cannot open the store, events or grants");
	connect_front(&b);
	while (turn(&b))
		;
	printf("back end: %u requests in %lu events\n", b.done, b.events);
	(void)xengnttab_unmap(b.xgt, b.ring, 1);
	(void)xengnttab_unmap(b.xgt, b.data, 1);
	(void)xenevtchn_close(b.xce);
	(void)xengnttab_close(b.xgt);
	xs_close(b.xs);
	return 0;
}
