/* SPDX-License-Identifier: MIT */
/*
 * evtchn run --xen: what an unmodified Xen program needs.
 *
 *   LD_LIBRARY_PATH  starts with the directory of the drop-in libraries
 *   LD_PRELOAD       libevtchn-paths.so, which finds Xen's files in
 *   EVTCHN_XEN_DIR   SOCKET.xen/N, for domain N:
 *     privcmd        empty: libraries that open it and ask nothing are content
 *     capabilities   "control_d" in domain 0, else empty
 *     xsd_kva        the page a store daemon shares with its own kernel
 *     xsd_port       not made here: whoever plays dom0's kernel for the store
 *                    writes the number of the port it opened
 *
 * With another user's broker the directory is not beside its socket, but in
 * XDG_RUNTIME_DIR or /tmp.  Programs of one domain share it.  A new broker knows no port of
 * the old one's, so xsd_port goes then; which broker it is for is in the file
 * "broker".
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "xen.h"

#define PATHS	 "libevtchn-paths.so"
#define PAGE	 4096
#define TEXT_MAX 64

/* --- the libraries ---------------------------------------------------------- */

/* Replace what follows the last but one '/' of @path by @tail. */
static bool beside(const char *path, const char *tail, char to[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	int n;

	while (slash && slash > path && slash[-1] != '/')
		slash--;
	if (!slash || slash == path)
		return false;
	n = snprintf(to, PATH_MAX, "%.*s%s", (int)(slash - path), path, tail);

	return n < PATH_MAX;
}

static bool has_libraries(const char *dir)
{
	char file[PATH_MAX];

	return snprintf(file, sizeof(file), "%s/%s", dir, PATHS) <
		       (int)sizeof(file) &&
	       !access(file, R_OK);
}

/* PREFIX/lib/evtchn where it is installed, build/lib where it was built. */
static bool find_libraries(const char *command, char dir[PATH_MAX])
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n > 0) {
		exe[n] = '\0';
		if (beside(exe, "lib/evtchn", dir) && has_libraries(dir))
			return true;
		if (beside(exe, "lib", dir) && has_libraries(dir))
			return true;
	}
	cli_error(command, "the libraries are missing: " PATHS " is neither in "
			   "../lib/evtchn nor in ../lib beside evtchn; try "
			   "'make install'");

	return false;
}

/* Put @value in front of a list in the environment. */
static bool prepend(const char *name, const char *value)
{
	const char *old = getenv(name);
	size_t size;
	char *list;
	bool ok;

	if (!old || !*old)
		return !setenv(name, value, 1);
	size = strlen(value) + strlen(old) + 2;
	list = malloc(size);
	if (!list)
		return false;
	snprintf(list, size, "%s:%s", value, old);
	ok = !setenv(name, list, 1);
	free(list);

	return ok;
}

static bool use_libraries(const char *command)
{
	char dir[PATH_MAX], file[2 * PATH_MAX];

	if (!find_libraries(command, dir))
		return false;
	snprintf(file, sizeof(file), "%s/%s", dir, PATHS);
	if (prepend("LD_LIBRARY_PATH", dir) && prepend("LD_PRELOAD", file))
		return true;
	cli_error(command, "cannot prepare the program: %s", strerror(errno));

	return false;
}

/* --- the files -------------------------------------------------------------- */

/* Ours alone, as the socket it lies beside. */
static bool make_directory(const char *path)
{
	struct stat st;

	if (mkdir(path, 0700) && errno != EEXIST)
		return false;
	if (lstat(path, &st))
		return false;
	if (S_ISDIR(st.st_mode) && st.st_uid == geteuid())
		return true;
	errno = EEXIST;

	return false;
}

/* Give a file these contents, and as many zeros as are missing to @size. */
static bool put(int dir, const char *name, const char *text, size_t size)
{
	size_t length = strlen(text);
	int fd = openat(dir, name,
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			0600);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, length) == (ssize_t)length &&
	     (size <= length || !ftruncate(fd, (off_t)size));
	close(fd);

	return ok;
}

static void get(int dir, const char *name, char text[TEXT_MAX])
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, text, TEXT_MAX - 1);

	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/* Which broker listens at @socket: each one makes a file of its own. */
static void identify(const char *socket, char text[TEXT_MAX])
{
	struct stat st = {0};

	(void)stat(socket, &st);
	snprintf(text, TEXT_MAX, "%llu %lld.%09ld\n",
		 (unsigned long long)st.st_ino, (long long)st.st_ctim.tv_sec,
		 st.st_ctim.tv_nsec);
}

static bool fill(int dir, const char *socket, uint32_t domid)
{
	char is[TEXT_MAX], was[TEXT_MAX];

	identify(socket, is);
	get(dir, "broker", was);
	if (!strcmp(is, was))
		return true;
	if (unlinkat(dir, "xsd_port", 0) && errno != ENOENT)
		return false;

	return put(dir, "privcmd", "", 0) && put(dir, "xsd_kva", "", PAGE) &&
	       put(dir, "capabilities", domid == 0 ? "control_d\n" : "", 0) &&
	       put(dir, "broker", is, 0);
}

/* Others may be making the same files. */
static bool make_files(const char *path, const char *socket, uint32_t domid)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = dir >= 0 && !flock(dir, LOCK_EX) && fill(dir, socket, domid);

	if (dir >= 0)
		close(dir);

	return ok;
}

/* Where all domains' directories are: ours alone, whosever the broker is. */
static void choose_place(const char *socket, bool theirs, char path[PATH_MAX])
{
	const char *run = getenv("XDG_RUNTIME_DIR");

	if (!theirs)
		snprintf(path, PATH_MAX, "%s.xen", socket);
	else if (run && *run == '/')
		snprintf(path, PATH_MAX, "%s/evtchn.xen", run);
	else
		snprintf(path, PATH_MAX, "/tmp/evtchn-%lu.xen",
			 (unsigned long)geteuid());
}

bool xen_prepare(const char *command, const char *socket, bool theirs,
		 uint32_t domid)
{
	char all[PATH_MAX], one[PATH_MAX + TEXT_MAX];

	if (!use_libraries(command))
		return false;
	choose_place(socket, theirs, all);
	snprintf(one, sizeof(one), "%s/%u", all, domid);
	if (make_directory(all) && make_directory(one) &&
	    make_files(one, socket, domid) && !setenv("EVTCHN_XEN_DIR", one, 1))
		return true;
	cli_error(command,
		  "cannot make Xen's files in '%s': %s; name a socket in a "
		  "directory of yours with --socket",
		  one, strerror(errno));

	return false;
}
