/* SPDX-License-Identifier: MIT */
/*
 * A split driver: what its two halves agree on.
 *
 * The front end, in a guest, has requests; the back end, in domain 0, has the
 * disk.  They share two pages, which the front end grants: a ring of slots, and
 * the data of each slot.  An event says "look at the ring".  Where the pages and
 * the port are, they tell each other through the store:
 *
 *   /local/domain/1/device/vdisk/0/      written by the front end
 *        ring-ref, data-ref              grant references
 *        event-channel                   the port that waits for the back end
 *        state                           3 initialised, 6 closed
 *   /local/domain/0/backend/vdisk/1/0/   written by the back end
 *        state                           4 connected
 *
 * These programs are written against Xen's libraries, and know nothing of this
 * project: they run on Xen as they are.
 */
#ifndef SPLIT_DRIVER_DISK_H
#define SPLIT_DRIVER_DISK_H

#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenstore.h>

#define FRONT "/local/domain/1/device/vdisk/0"
#define BACK  "/local/domain/0/backend/vdisk/1/0"

#define STATE_INITIALISED 3
#define STATE_CONNECTED	  4
#define STATE_CLOSED	  6

#define NR_SLOTS    16
#define SECTOR	    256 /* bytes; NR_SLOTS of them are the data page */
#define NR_SECTORS  512
#define DISK_DOMAIN 0
#define DISK_GUEST  1

enum {
	DISK_READ,
	DISK_WRITE
};

struct slot {
	uint32_t id; /* of the request, comes back */
	uint32_t op;
	uint32_t sector;
	int32_t status; /* of the answer: 0 or -1 */
};

/*
 * Slots @done .. @asked - 1 are the back end's, the others the front end's.  An
 * index is written after what it speaks of, and read before it.
 */
struct ring {
	uint32_t asked; /* written by the front end */
	uint32_t done;	/* written by the back end */
	struct slot slot[NR_SLOTS];
};

static inline uint32_t disk_get(const uint32_t *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static inline void disk_put(uint32_t *index, uint32_t value)
{
	__atomic_store_n(index, value, __ATOMIC_RELEASE);
}

/* --- the store --------------------------------------------------------------- */

static inline void store_write(struct xs_handle *xs, const char *dir,
			       const char *key, unsigned int value)
{
	char path[128], text[16];
	int n = snprintf(text, sizeof(text), "%u", value);

	(void)snprintf(path, sizeof(path), "%s/%s", dir, key);
	if (!xs_write(xs, XBT_NULL, path, text, (unsigned int)n))
		err(1, "cannot write %s", path);
}

/* -1: not there. */
static inline long store_read(struct xs_handle *xs, const char *dir,
			      const char *key)
{
	char path[128];
	unsigned int len;
	char *text;
	long value = -1;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, key);
	text = xs_read(xs, XBT_NULL, path, &len);
	if (text)
		value = strtol(text, NULL, 10);
	free(text);
	return value;
}

/* Watch the other half's directory; the first event comes at once. */
static inline void store_watch(struct xs_handle *xs, const char *dir)
{
	if (!xs_watch(xs, dir, "other half"))
		err(1, "cannot watch %s", dir);
}

static inline void store_take_event(struct xs_handle *xs)
{
	unsigned int n;

	free(xs_read_watch(xs, &n));
}

static inline void store_await(struct xs_handle *xs, const char *dir,
			       long state)
{
	while (store_read(xs, dir, "state") != state)
		store_take_event(xs);
}

#endif /* SPLIT_DRIVER_DISK_H */
