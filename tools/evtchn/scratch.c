/* SPDX-License-Identifier: MIT */
/* A directory for as long as a command runs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "child.h"
#include "cli.h"
#include "scratch.h"

bool scratch_make(const char *command, char *dir, size_t size)
{
	const char *tmp = getenv("TMPDIR");
	int n;

	if (!tmp || !*tmp)
		tmp = "/tmp";
	n = snprintf(dir, size, "%s/evtchn-XXXXXX", tmp);
	if (n < 0 || (size_t)n >= size)
		errno = ENAMETOOLONG;
	else if (mkdtemp(dir))
		return true;
	cli_error(command, "cannot make a directory in %s: %s", tmp,
		  strerror(errno));

	return false;
}

/* What is in it has names, and perhaps folders, that are not ours to choose. */
void scratch_remove(const char *command, const char *dir)
{
	static char rm[] = "rm", options[] = "-rf", dashes[] = "--";
	char *path = strdup(dir);
	char *argv[] = {rm, options, dashes, path, NULL};

	if (path)
		(void)child_run(command, argv, NULL);
	free(path);
}
