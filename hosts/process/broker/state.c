/* SPDX-License-Identifier: MIT */
/*
 * SOCKET.state: what nobody but the broker knows.
 *
 * Attachments come back and say what they had.  Ports of a domain's own, with
 * the events that wait in them, and delegated VIRQs are known to no process, so
 * they are written down: one record of fixed size each, written anew whenever it
 * changes, before whoever caused that is answered.  What was written is in the
 * kernel's page cache, so kill -9 of the broker loses nothing of it; a crash of
 * the machine may, but then there are no sockets and no domains either.
 *
 * pwrite(2) rather than a mapping: who truncates a mapped file kills us.
 *
 * The file is trusted if nobody but our user can have written it, and believed
 * as a whole or not at all (recall.c).  A broker that ends in order removes it.
 *
 * Reading order: slots, the file, VIRQs.
 */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_RECORDS 16384
#define NAME_LEN    (sizeof(((struct sockaddr_un *)0)->sun_path) + 8)

struct header {
	char magic[8];
	uint32_t version;
	uint32_t size; /* of a record */
	uint32_t pad[12];
};

static const struct header header = {
	.magic = "evtchnd",
	.version = 1,
	.size = sizeof(struct evd_record),
};

_Static_assert(sizeof(header) == sizeof(struct evd_record), "slot 0");

struct evd_file {
	int fd;
	bool is_full;
	uint64_t used[MAX_RECORDS / 64];
	uint32_t virq_slot[NR_VIRQS]; /* delegated to ... */
	domid_t virq_domid[NR_VIRQS];
	uint32_t first_free; /* no slot below it is free */
};

/* --- slots ------------------------------------------------------------------ */

/* FNV-1a: against damage, not against people. */
static uint64_t sum_of(const struct evd_record *r)
{
	const unsigned char *byte = (const unsigned char *)&r->type;
	size_t i, n = sizeof(*r) - offsetof(struct evd_record, type);
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (i = 0; i < n; i++)
		h = (h ^ byte[i]) * UINT64_C(0x100000001b3);
	return h;
}

static bool write_slot(struct evd_file *s, uint32_t slot,
		       const struct evd_record *r)
{
	return pwrite(s->fd, r, sizeof(*r), (off_t)(slot * sizeof(*r))) ==
	       sizeof(*r);
}

static bool is_used(const struct evd_file *s, uint32_t slot)
{
	return s->used[slot / 64] & 1ull << slot % 64;
}

static uint32_t take_slot(struct evd_file *s)
{
	uint32_t slot = s->first_free;

	while (slot < MAX_RECORDS && is_used(s, slot))
		slot++;
	if (slot == MAX_RECORDS)
		return 0;
	s->used[slot / 64] |= 1ull << slot % 64;
	s->first_free = slot + 1;
	return slot;
}

static void complain_full(struct evd_file *s)
{
	if (!s->is_full)
		evd_log(NULL, "the state file has no room: not all ports of "
			      "domains' own outlive this broker");
	s->is_full = true;
}

uint32_t evd_state_save(struct evd_broker *b, uint32_t slot,
			struct evd_record *r)
{
	struct evd_file *s = b->state;
	uint32_t at = slot;

	if (!s)
		return 0;
	if (!at)
		at = take_slot(s);
	r->sum = sum_of(r);
	if (at && write_slot(s, at, r))
		return at;
	complain_full(s);
	evd_state_drop(b, at);
	return 0;
}

void evd_state_drop(struct evd_broker *b, uint32_t slot)
{
	const struct evd_record none = {.type = EVD_RECORD_FREE};
	struct evd_file *s = b->state;

	if (!s || !slot)
		return;
	(void)write_slot(s, slot, &none);
	s->used[slot / 64] &= ~(1ull << slot % 64);
	if (slot < s->first_free)
		s->first_free = slot;
}

/* --- the file --------------------------------------------------------------- */

static void name_file(const struct evd_broker *b, char *name)
{
	(void)snprintf(name, NAME_LEN, "%s.state", b->path);
}

/* Why its content cannot be ours; NULL: it can. */
static const char *look_at(int fd, struct stat *st)
{
	if (fstat(fd, st))
		return strerror(errno);
	if (!S_ISREG(st->st_mode))
		return "it is no file";
	if (st->st_uid != geteuid())
		return "it belongs to another user";
	if (st->st_nlink != 1 || st->st_mode & 077)
		return "others can write or read it";
	return NULL;
}

static int open_file(const struct evd_broker *b, struct stat *st)
{
	char name[NAME_LEN];
	const char *why = NULL;
	int fd;

	name_file(b, name);
	fd = open(name,
		  O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK |
			  O_NOCTTY,
		  0600);
	why = fd < 0 ? strerror(errno) : look_at(fd, st);
	if (!why)
		return fd;
	evd_log(NULL,
		"%s: %s: ports of domains' own will not outlive this broker; "
		"remove it",
		name, why);
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

/* All records that are there; NULL: none, or they are damaged. */
static struct evd_record *read_records(int fd, size_t size, uint32_t *nr)
{
	struct evd_record *r = NULL;
	uint32_t i;

	*nr = (uint32_t)(size / sizeof(*r));
	if (size % sizeof(*r) || !size || *nr > MAX_RECORDS)
		return NULL;
	r = malloc(size);
	if (!r || pread(fd, r, size, 0) != (ssize_t)size ||
	    memcmp(r, &header, sizeof(header)) != 0) {
		free(r);
		return NULL;
	}
	for (i = 1; i < *nr; i++) {
		if (r[i].type != EVD_RECORD_FREE ? r[i].sum != sum_of(&r[i])
						 : r[i].sum != 0) {
			free(r);
			return NULL;
		}
	}
	return r;
}

/* What is recalled keeps its slot. */
static void keep_slots(struct evd_file *s, const struct evd_record *r,
		       uint32_t nr)
{
	uint32_t slot;

	for (slot = 1; slot < nr; slot++) {
		if (r[slot].type != EVD_RECORD_FREE)
			s->used[slot / 64] |= 1ull << slot % 64;
	}
}

static void read_file(struct evd_broker *b, size_t size)
{
	struct evd_file *s = b->state;
	struct evd_record *r;
	char name[NAME_LEN];
	uint32_t nr;

	if (!size)
		return;
	r = read_records(s->fd, size, &nr);
	if (r && !evd_recall_begin(b, r + 1, nr - 1)) {
		keep_slots(s, r, nr);
	} else {
		name_file(b, name);
		evd_log(NULL,
			"%s is damaged: ports of domains' own and delegated "
			"VIRQs are forgotten",
			name);
		(void)!ftruncate(s->fd, 0);
	}
	free(r);
}

void evd_state_open(struct evd_broker *b)
{
	struct evd_file *s = calloc(1, sizeof(*s));
	struct stat st;

	if (!s)
		return;
	s->fd = open_file(b, &st);
	if (s->fd < 0) {
		free(s);
		return;
	}
	s->used[0] = 1; /* the header */
	s->first_free = 1;
	b->state = s;
	read_file(b, st.st_size < INT32_MAX ? (size_t)st.st_size : INT32_MAX);
	(void)!pwrite(s->fd, &header, sizeof(header), 0);
}

void evd_state_end(struct evd_broker *b)
{
	struct evd_file *s = b->state;
	char name[NAME_LEN];

	evd_recall_end(b);
	if (!s)
		return;
	name_file(b, name);
	(void)unlink(name);
	(void)close(s->fd);
	b->state = NULL;
	free(s);
}

/* --- VIRQs ------------------------------------------------------------------ */

void evd_state_delegated(struct evd_dom *d, uint32_t virq)
{
	struct evd_record r = {.type = EVD_RECORD_VIRQ,
			       .domid = d->core.domid,
			       .port = virq,
			       .uid = d->account->uid};
	struct evd_broker *b = d->broker;
	struct evd_file *s = b->state;

	if (!s)
		return;
	s->virq_slot[virq] = evd_state_save(b, s->virq_slot[virq], &r);
	s->virq_domid[virq] = d->core.domid;
}

void evd_state_virq_is(struct evd_dom *d, uint32_t virq, uint32_t slot)
{
	struct evd_file *s = d->broker->state;

	evd_state_drop(d->broker, s->virq_slot[virq]);
	s->virq_slot[virq] = slot;
	s->virq_domid[virq] = d->core.domid;
}

void evd_state_forget(struct evd_dom *d)
{
	struct evd_file *s = d->broker->state;
	uint32_t virq;

	for (virq = 0; s && virq < NR_VIRQS; virq++) {
		if (!s->virq_slot[virq] || s->virq_domid[virq] != d->core.domid)
			continue;
		evd_state_drop(d->broker, s->virq_slot[virq]);
		s->virq_slot[virq] = 0;
	}
}
