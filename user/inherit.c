/* SPDX-License-Identifier: MIT */
/*
 * What exec() leaves of a handle that was opened with XENEVTCHN_NO_CLOEXEC.
 *
 * The program tells its successor one number, that of the descriptor it polls.
 * Two more survive: the connection to the broker, which is all that is needed to
 * go on (evp/evp.h, evp_take_over()), and a record that says which belong
 * together: a small sealed memfd, recognised by its seals, size and first word.
 * It is found by looking at all descriptors from the lowest up, because there
 * need be no /proc.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <evp/evp.h>

#include "process.h"

#define MAGIC UINT64_C(0x31646e6168637645) /* "Evchand1" */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

struct record {
	uint64_t magic;
	int32_t fd;
	int32_t control;
};

/* A descriptor of this kind has no file type, other than a pipe or a file. */
static bool is_anonymous(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && !(st.st_mode & S_IFMT);
}

/* Above the standard streams, which a program may do without. */
static int memfd(void)
{
	int low =
		memfd_create("evtchn-handle", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int fd, rc;

	if (low < 0)
		return -errno;
	fd = fcntl(low, F_DUPFD, STDERR_FILENO + 1);
	rc = -errno;
	(void)close(low);
	return fd < 0 ? rc : fd;
}

int evu_record_new(int fd, int control)
{
	const struct record r = {MAGIC, fd, control};
	int record = memfd();

	if (record < 0)
		return record;
	if (write(record, &r, sizeof(r)) == sizeof(r) &&
	    !fcntl(record, F_ADD_SEALS, SEALS))
		return record;
	(void)close(record);
	return -EIO;
}

void evu_record_renew(struct evu_process *p)
{
	int control = p->record < 0 ? -1 : evp_inherit(p->g);
	int record;

	if (control < 0 || control == p->control)
		return;
	record = evu_record_new(p->fd, control);
	if (record < 0)
		return;
	(void)close(p->record);
	p->record = record;
	p->control = control;
}

static bool read_record(int fd, struct record *r)
{
	int seals = fcntl(fd, F_GET_SEALS); /* fails for anything else */
	struct stat st;

	return seals >= 0 && (seals & SEALS) == SEALS && !fstat(fd, &st) &&
	       st.st_size == sizeof(*r) &&
	       pread(fd, r, sizeof(*r), 0) == sizeof(*r) && r->magic == MAGIC;
}

int evu_record_find(int fd, int *control)
{
	struct rlimit limit;
	struct record r;
	int i;

	if (!is_anonymous(fd) || getrlimit(RLIMIT_NOFILE, &limit))
		return -EINVAL;
	for (i = 0; (rlim_t)i < limit.rlim_cur && i < INT32_MAX; i++) {
		if (read_record(i, &r) && r.fd == fd) {
			*control = r.control;
			return i;
		}
	}
	return -EINVAL;
}
