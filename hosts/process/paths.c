/* SPDX-License-Identifier: MIT */
/*
 * Where the broker's socket is: when nobody says so, and from another directory.
 *
 * Programs, the command line and the broker agree on it by calling the same
 * function.  The directory in /tmp is checked each time: whoever owns it
 * decides who the broker is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <evp/evp.h>

#include "control.h"

static int put(char *path, size_t size, const char *dir, const char *file)
{
	struct sockaddr_un un;
	int n = snprintf(path, size, "%s%s", dir, file);

	if (n < 0 || (size_t)n >= size || (size_t)n >= sizeof(un.sun_path))
		return evp_fail(-ENAMETOOLONG,
				"socket path '%s%s' is too long: at most %zu "
				"bytes; set EVTCHN_SOCKET to a shorter one",
				dir, file, sizeof(un.sun_path) - 1);
	return 0;
}

static int check_dir(const char *dir)
{
	struct stat st;

	if (lstat(dir, &st))
		return evp_fail(-errno, "cannot look at directory %s", dir);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_mode & (S_IRWXG | S_IRWXO))
		return evp_fail(-EPERM,
				"%s is not a directory of yours with mode "
				"0700: remove it or set EVTCHN_SOCKET",
				dir);
	return 0;
}

static int private_dir(char *dir, size_t size, bool create)
{
	struct stat st;

	(void)snprintf(dir, size, "/tmp/evtchn-%lu", (unsigned long)geteuid());
	if (create && mkdir(dir, 0700) && errno != EEXIST)
		return evp_fail(-errno, "cannot make directory %s", dir);
	if (!create && lstat(dir, &st) && errno == ENOENT)
		return 0; /* then there is no broker, which connect() says */
	return check_dir(dir);
}

int evp_default_socket(char *path, size_t size, bool create)
{
	const char *env = getenv("EVTCHN_SOCKET");
	char dir[64];
	int rc;

	if (env && *env)
		return put(path, size, env, "");
	env = getenv("XDG_RUNTIME_DIR");
	if (env && *env == '/')
		return put(path, size, env, "/evtchnd.sock");
	rc = private_dir(dir, sizeof(dir), create);
	return rc ? rc : put(path, size, dir, "/evtchnd.sock");
}

bool evp_absolute_path(const char *name, char path[EVP_PATH_MAX])
{
	char cwd[EVP_PATH_MAX] = "";
	int n;

	path[0] = 0;
	if (!*name || (*name != '/' && !getcwd(cwd, sizeof(cwd))))
		return false;
	n = snprintf(path, EVP_PATH_MAX, "%s%s%s", cwd, *cwd ? "/" : "", name);
	if (n >= EVP_PATH_MAX)
		path[0] = 0;
	return path[0];
}
