/* SPDX-License-Identifier: MIT */
/*
 * The front end: writes every sector of the back end's disk, reads them all
 * again, and compares.  Requests go in as long as there are slots, with one
 * event for all of them.
 *
 *   XENSTORED_PATH=... evtchn run --xen --domain 1 -- ./front
 */
#include <stdbool.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "disk.h"

struct front {
	struct xs_handle *xs;
	xenevtchn_handle *xce;
	xengntshr_handle *xgs;
	struct ring *ring;
	char (*data)[SECTOR];
	uint32_t ref[2];
	evtchn_port_t port;
	uint32_t heard; /* answers taken */
	unsigned long events;
};

static void *share(struct front *f, uint32_t *ref)
{
	void *page = xengntshr_share_pages(f->xgs, DISK_DOMAIN, 1, ref, 1);

	if (!page)
		err(1, "cannot share a page");
	return page;
}

static void connect_back(struct front *f)
{
	int rc = xenevtchn_bind_unbound_port(f->xce, DISK_DOMAIN);

	if (rc < 0)
		err(1, "cannot open a port");
	f->port = (evtchn_port_t)rc;
	f->ring = share(f, &f->ref[0]);
	f->data = share(f, &f->ref[1]);
	store_write(f->xs, FRONT, "ring-ref", f->ref[0]);
	store_write(f->xs, FRONT, "data-ref", f->ref[1]);
	store_write(f->xs, FRONT, "event-channel", f->port);
	store_write(f->xs, FRONT, "state", STATE_INITIALISED);
	store_watch(f->xs, BACK);
	store_await(f->xs, BACK, STATE_CONNECTED);
}

/* --- requests ---------------------------------------------------------------- */

/* What belongs in a sector. */
static void fill(char *data, uint32_t sector)
{
	uint32_t i;

	for (i = 0; i < SECTOR; i++)
		data[i] = (char)(sector * 31 + i * 7 + sector / 8);
}

static void ask(struct front *f, uint32_t op, uint32_t sector)
{
	uint32_t at = f->ring->asked % NR_SLOTS;

	f->ring->slot[at] =
		(struct slot){.id = sector, .op = op, .sector = sector};
	if (op == DISK_WRITE)
		fill(f->data[at], sector);
	else
		memset(f->data[at], 0, SECTOR);
	disk_put(&f->ring->asked, f->ring->asked + 1);
}

static void check(const struct slot *s, const char *data)
{
	char expected[SECTOR];

	fill(expected, s->sector);
	if (s->id != s->sector || s->status)
		errx(1, "sector %u: status %d", s->sector, s->status);
	if (s->op == DISK_READ && memcmp(data, expected, SECTOR))
		errx(1, "sector %u has wrong bytes", s->sector);
}

static void take_answers(struct front *f)
{
	uint32_t done = disk_get(&f->ring->done);

	for (; f->heard != done; f->heard++)
		check(&f->ring->slot[f->heard % NR_SLOTS],
		      f->data[f->heard % NR_SLOTS]);
}

static void wait_event(struct front *f)
{
	int port = xenevtchn_pending(f->xce);

	if (port < 0 || xenevtchn_unmask(f->xce, (evtchn_port_t)port))
		err(1, "no event");
	f->events++;
}

static void run(struct front *f, uint32_t op)
{
	uint32_t sector = 0;
	bool asked;

	while (sector < NR_SECTORS || f->heard != f->ring->asked) {
		asked = false;
		while (sector < NR_SECTORS &&
		       f->ring->asked - f->heard < NR_SLOTS) {
			ask(f, op, sector++);
			asked = true;
		}
		if (asked && xenevtchn_notify(f->xce, f->port))
			err(1, "notify");
		wait_event(f);
		take_answers(f);
	}
}

int main(void)
{
	struct front f = {.xs = xs_open(0),
			  .xce = xenevtchn_open(NULL, 0),
			  .xgs = xengntshr_open(NULL, 0)};

	if (!f.xs || !f.xce || !f.xgs)
		err(1, "cannot open the store, events or grants");
	connect_back(&f);
	run(&f, DISK_WRITE);
	run(&f, DISK_READ);
	store_write(f.xs, FRONT, "state", STATE_CLOSED);
	printf("front end: port %u, %u requests answered in %lu events\n",
	       f.port, f.heard, f.events);
	(void)xenevtchn_close(f.xce);
	(void)xengntshr_unshare(f.xgs, f.ring, 1);
	(void)xengntshr_unshare(f.xgs, f.data, 1);
	(void)xengntshr_close(f.xgs);
	xs_close(f.xs);
	return 0;
}
