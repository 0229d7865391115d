/* SPDX-License-Identifier: MIT */
/* Counters of an attachment: the memory they are in. */
#include "counts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define SIZE  sizeof(struct evp_counts)

static int make_fd(void)
{
	int fd = memfd_create("evtchn-counts", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (!ftruncate(fd, SIZE) && !fcntl(fd, F_ADD_SEALS, SEALS))
		return fd;
	(void)close(fd);
	return -1;
}

/* The same memory, for reading only; -1 without /proc. */
static int reopen(int fd)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

struct evp_counts *evp_counts_new(int *fd)
{
	int shared = make_fd();
	int flags = shared < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	void *m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags, shared, 0);

	*fd = -1;
	if (m != MAP_FAILED && shared >= 0)
		*fd = reopen(shared);
	if (shared >= 0)
		(void)close(shared);
	return m == MAP_FAILED ? NULL : m;
}

void evp_counts_free(struct evp_counts *c)
{
	if (c)
		(void)munmap(c, SIZE);
}

int evp_counts_check(int fd)
{
	/* Seals first: only memory has them, and is asked without waiting. */
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) ||
	    st.st_size != (off_t)SIZE)
		return -EPROTO;
	return 0;
}

const struct evp_counts *evp_counts_map(int fd)
{
	void *m;

	if (evp_counts_check(fd))
		return NULL;
	m = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	return m == MAP_FAILED ? NULL : m;
}

void evp_counts_unmap(const struct evp_counts *c)
{
	if (c)
		(void)munmap((void *)(uintptr_t)c, SIZE);
}

static void move(evb_u64 *to, evb_u64 *from)
{
	/* Relaxed: as in evp_count() */
	evb_u64_store_relaxed(to, evb_u64_load_relaxed(to) +
					  evb_u64_load_relaxed(from));
	evb_u64_store_relaxed(from, 0);
}

void evp_counts_close(struct evp_counts *c, uint32_t port)
{
	struct evp_port_counts *p = &c->port[port];

	unsigned int i;

	for (i = 0; i < 3; i++)
		move(&c->closed.sent[i], &p->sent[i]);
	move(&c->closed.events, &p->events);
}
