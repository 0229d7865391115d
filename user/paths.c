/* SPDX-License-Identifier: MIT */
/*
 * libevtchn-paths.so, preloaded by `evtchn run --xen`: Xen's files, without Xen.
 *
 * A kernel without Xen has no /proc/xen, and nobody can make one.  So opening
 * or looking at
 *
 *   /proc/xen/NAME
 *   /dev/xen/privcmd, gntdev, gntalloc, hypercall
 *
 * goes to NAME in the directory $EVTCHN_XEN_DIR instead.  Everything else,
 * /dev/xen/evtchn too, is left as it is, and without that variable everything
 * is.  A file there is an ordinary one: an ioctl on it fails with ENOTTY, which
 * Xen's libraries that only probe for a device take well.
 *
 * The functions are those Xen's programs and libraries import, of both widths of
 * off_t, with the checked variants that _FORTIFY_SOURCE makes of them.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- which paths ------------------------------------------------------------ */

static const char *after(const char *path, const char *start)
{
	size_t n = strlen(start);

	return strncmp(path, start, n) ? NULL : path + n;
}

static bool is_device(const char *name)
{
	return !strcmp(name, "privcmd") || !strcmp(name, "gntdev") ||
	       !strcmp(name, "gntalloc") || !strcmp(name, "hypercall");
}

/* The name of one of Xen's files, or NULL. */
static const char *xen_name(const char *path)
{
	const char *name = after(path, "/proc/xen/");

	if (name && !strchr(name, '/'))
		return name;
	name = after(path, "/dev/xen/");
	return name && is_device(name) ? name : NULL;
}

/* Where @path leads; @room is used if it is elsewhere. */
static const char *lead(const char *path, char room[PATH_MAX])
{
	const char *name = path ? xen_name(path) : NULL;
	const char *dir = name ? getenv("EVTCHN_XEN_DIR") : NULL;
	int n;

	if (!dir || !*dir)
		return path;
	n = snprintf(room, PATH_MAX, "%s/%s", dir, name);
	return n < PATH_MAX ? room : path;
}

/* --- what is in front of libc ----------------------------------------------- */

/* What follows is exported. */
#pragma GCC visibility push(default)

/* A program sees these prototypes in libc's headers, if at all. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __xstat(int version, const char *path, struct stat *st);
int __xstat64(int version, const char *path, struct stat64 *st);

/*
 * Call libc's function of this name.  It is looked up each time: nothing to
 * initialise, and files are not opened often.
 */
#define CALL(type, name, params, ...)                     \
	do {                                              \
		type(*next) params;                       \
		*(void **)&next = dlsym(RTLD_NEXT, name); \
		if (next)                                 \
			return next(__VA_ARGS__);         \
		errno = ENOSYS;                           \
	} while (0)

/* The third argument of open, which is there only if a file may be made. */
#define MODE(flags, last)                              \
	__extension__({                                \
		mode_t mode_ = 0;                      \
		va_list ap_;                           \
                                                       \
		va_start(ap_, last);                   \
		if ((flags) & (O_CREAT | __O_TMPFILE)) \
			mode_ = va_arg(ap_, mode_t);   \
		va_end(ap_);                           \
		mode_;                                 \
	})

#define OPEN(name)                                                           \
	int name(const char *path, int flags, ...)                           \
	{                                                                    \
		mode_t mode = MODE(flags, flags);                            \
		char room[PATH_MAX];                                         \
                                                                             \
		CALL(int, #name, (const char *, int, ...), lead(path, room), \
		     flags, mode);                                           \
		return -1;                                                   \
	}
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                 \
	int name(int dir, const char *path, int flags, ...)          \
	{                                                            \
		mode_t mode = MODE(flags, flags);                    \
		char room[PATH_MAX];                                 \
                                                                     \
		CALL(int, #name, (int, const char *, int, ...), dir, \
		     lead(path, room), flags, mode);                 \
		return -1;                                           \
	}
OPENAT(openat)
OPENAT(openat64)

#define OPEN_2(name)                                                    \
	int name(const char *path, int flags)                           \
	{                                                               \
		char room[PATH_MAX];                                    \
                                                                        \
		CALL(int, #name, (const char *, int), lead(path, room), \
		     flags);                                            \
		return -1;                                              \
	}
OPEN_2(__open_2)
OPEN_2(__open64_2)

#define FOPEN(name)                                               \
	FILE *name(const char *path, const char *mode)            \
	{                                                         \
		char room[PATH_MAX];                              \
                                                                  \
		CALL(FILE *, #name, (const char *, const char *), \
		     lead(path, room), mode);                     \
		return NULL;                                      \
	}
FOPEN(fopen)
FOPEN(fopen64)

int access(const char *path, int mode)
{
	char room[PATH_MAX];

	CALL(int, "access", (const char *, int), lead(path, room), mode);
	return -1;
}

int faccessat(int dir, const char *path, int mode, int flags)
{
	char room[PATH_MAX];

	CALL(int, "faccessat", (int, const char *, int, int), dir,
	     lead(path, room), mode, flags);
	return -1;
}

#define STAT(name, kind)                                        \
	int name(const char *path, struct kind *st)             \
	{                                                       \
		char room[PATH_MAX];                            \
                                                                \
		CALL(int, #name, (const char *, struct kind *), \
		     lead(path, room), st);                     \
		return -1;                                      \
	}
STAT(stat, stat)
STAT(lstat, stat)
STAT(stat64, stat64)
STAT(lstat64, stat64)

#define FSTATAT(name, kind)                                                    \
	int name(int dir, const char *path, struct kind *st, int flags)        \
	{                                                                      \
		char room[PATH_MAX];                                           \
                                                                               \
		CALL(int, #name, (int, const char *, struct kind *, int), dir, \
		     lead(path, room), st, flags);                             \
		return -1;                                                     \
	}
FSTATAT(fstatat, stat)
FSTATAT(fstatat64, stat64)

int statx(int dir, const char *restrict path, int flags, unsigned int mask,
	  struct statx *restrict st)
{
	char room[PATH_MAX];

	CALL(int, "statx",
	     (int, const char *, int, unsigned int, struct statx *), dir,
	     lead(path, room), flags, mask, st);
	return -1;
}

/* Of programs that were built with an older libc. */
#define XSTAT(name, kind)                                                     \
	int name(int version, const char *path, struct kind *st)              \
	{                                                                     \
		char room[PATH_MAX];                                          \
                                                                              \
		CALL(int, #name, (int, const char *, struct kind *), version, \
		     lead(path, room), st);                                   \
		return -1;                                                    \
	}
XSTAT(__xstat, stat)
XSTAT(__xstat64, stat64)
