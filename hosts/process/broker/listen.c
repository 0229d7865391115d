/* SPDX-License-Identifier: MIT */
/*
 * The socket's path: taking it, and leaving it.
 *
 * PATH.pid is locked by the live broker, as long as it lives.  Who has the lock
 * may take away a socket that a dead one left.  PATH.lock is locked by whoever
 * is about to start a broker or to connect to one, until his HELLO is
 * answered; a broker leaves only with this lock in its hand, so it does not
 * vanish in front of somebody who has just found it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "listen.h"
#include "state.h"

#define DYING_MS     2000
#define PATH_MAX_LEN (sizeof(((struct sockaddr_un *)0)->sun_path) + 8)

__attribute__((format(printf, 2, 3))) static int complain(int rc,
							  const char *fmt, ...);

static int complain(int rc, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "evtchnd: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return rc;
}

/* --- the lock --------------------------------------------------------------- */

static int open_lock(const char *path, const char *suffix, char *name)
{
	(void)snprintf(name, PATH_MAX_LEN, "%s%s", path, suffix);
	return open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static long read_pid(int fd)
{
	char text[16] = "";
	long pid = 0;

	if (pread(fd, text, sizeof(text) - 1, 0) > 0)
		(void)sscanf(text, "%ld", &pid);
	return pid;
}

void evd_write_pid(struct evd_broker *b, pid_t pid)
{
	(void)!ftruncate(b->lock, 0);
	(void)dprintf(b->lock, "%ld\n", (long)pid);
}

/* A broker that leaves removes the file: is it still the one we locked? */
static bool is_current(int fd, const char *name)
{
	struct stat a, b;

	return !fstat(fd, &a) && !lstat(name, &b) && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

/* EAGAIN: more want to connect than it has taken so far. */
static bool is_served(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
			0);
	bool served;

	if (fd < 0)
		return false;
	strcpy(un.sun_path, path);
	served = !connect(fd, (const struct sockaddr *)&un, sizeof(un)) ||
		 errno == EAGAIN;
	(void)close(fd);
	return served;
}

/*
 * A broker that was killed hangs up, listens no more, and only then its lock is
 * released: whoever saw the first may be here before the last.
 */
static int lock_soon(int fd, const char *path)
{
	const struct timespec nap = {.tv_nsec = 10000000};
	int rc, left = DYING_MS / 10;

	while ((rc = flock(fd, LOCK_EX | LOCK_NB)) && left-- &&
	       !is_served(path))
		(void)nanosleep(&nap, NULL);
	return rc;
}

static int take_lock(struct evd_broker *b)
{
	char name[PATH_MAX_LEN];
	int fd = open_lock(b->path, ".pid", name);

	if (fd < 0)
		return complain(-errno,
				"cannot create %s: %s: make the directory "
				"writable, or choose another --socket",
				name, strerror(errno));
	if (lock_soon(fd, b->path) || !is_current(fd, name)) {
		long pid = read_pid(fd);

		(void)close(fd);
		return complain(-EBUSY,
				"a broker (pid %ld) serves %s already: use "
				"it, or choose another --socket",
				pid, b->path);
	}
	b->lock = fd;
	return 0;
}

/* --- the path --------------------------------------------------------------- */

static int check_length(const char *path)
{
	struct sockaddr_un un;

	if (!*path)
		return complain(-EINVAL, "the socket path is empty: name a "
					 "file with --socket");
	if (strlen(path) < sizeof(un.sun_path))
		return 0;
	return complain(-ENAMETOOLONG,
			"socket path is %zu bytes long, at most %zu are "
			"possible: choose another --socket",
			strlen(path), sizeof(un.sun_path) - 1);
}

static int check_kind(const char *path)
{
	struct stat st;

	if (lstat(path, &st) || S_ISSOCK(st.st_mode))
		return 0;
	return complain(-EEXIST,
			"%s exists and is no socket: remove it, or choose "
			"another --socket",
			path);
}

/* We hold the lock, so no broker of ours listens: take a left socket away. */
static int take_over(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		return 0;
	if (is_served(path))
		return complain(-EADDRINUSE,
				"somebody else listens on %s: choose another "
				"--socket",
				path);
	if (unlink(path))
		return complain(-errno, "cannot remove the old socket %s: %s",
				path, strerror(errno));
	return 0;
}

static int bind_path(struct evd_broker *b)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	mode_t old;
	int rc;

	strcpy(un.sun_path, b->path);
	b->listener = socket(AF_UNIX,
			     SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (b->listener < 0)
		return complain(-errno, "no socket: %s", strerror(errno));
	/* Who may connect is told why he is not served: SO_PEERCRED. */
	old = umask(0777 & ~b->mode);
	rc = bind(b->listener, (const struct sockaddr *)&un, sizeof(un));
	(void)umask(old);
	if (rc || listen(b->listener, SOMAXCONN))
		return complain(-errno, "cannot listen on %s: %s", b->path,
				strerror(errno));
	return 0;
}

int evd_listen(struct evd_broker *b)
{
	int rc = check_length(b->path);

	if (!rc)
		rc = check_kind(b->path);
	if (!rc)
		rc = take_lock(b);
	if (!rc)
		rc = take_over(b->path);
	return rc ? rc : bind_path(b);
}

/* --- leaving ---------------------------------------------------------------- */

void evd_unlisten(struct evd_broker *b)
{
	char name[PATH_MAX_LEN];

	if (b->listener < 0)
		return;
	evd_state_end(b);
	(void)snprintf(name, sizeof(name), "%s.pid", b->path);
	(void)unlink(b->path);
	(void)unlink(name);
	(void)close(b->listener);
	b->listener = -1;
}

bool evd_retire(struct evd_broker *b)
{
	char name[PATH_MAX_LEN];
	int fd = open_lock(b->path, ".lock", name);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB)) {
		(void)close(fd);
		return false; /* somebody is coming */
	}
	(void)evd_accept(b);
	evd_admit(b, b->nr_arrived);
	b->is_over = b->nr_conns == 0;
	if (b->is_over) /* the lock is kept until there is no process */
		evd_unlisten(b);
	else if (fd >= 0)
		(void)close(fd);
	return b->is_over;
}
