/* SPDX-License-Identifier: MIT */
/*
 * A fuzz target without a fuzzer: runs it once for every file named, and for
 * every file in every directory named, in alphabetical order.  For compilers
 * that have no libFuzzer, and to look at one input in a debugger.
 */
#include "fuzz.h"

#include <dirent.h>

#define LARGEST (1 << 20)

static unsigned int nr_files;

static int run_file(const char *name)
{
	uint8_t *data = malloc(LARGEST), *exact;
	FILE *f = fopen(name, "rb");
	size_t size;

	if (!data || !f) {
		perror(name);
		return 1;
	}
	size = fread(data, 1, LARGEST, f);
	(void)fclose(f);
	/* Of exactly this size, so that a read beyond it is seen. */
	exact = malloc(size ? size : 1);
	if (!exact)
		return 1;
	memcpy(exact, data, size);
	free(data);
	fprintf(stderr, "%s\n", name);
	(void)LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	nr_files++;
	return 0;
}

static int is_input(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int run(const char *name)
{
	struct dirent **e;
	char *path;
	int i, rc = 0, n = scandir(name, &e, is_input, alphasort);

	if (n < 0)
		return run_file(name);
	for (i = 0; i < n; i++) {
		if (asprintf(&path, "%s/%s", name, e[i]->d_name) < 0)
			return 1;
		rc |= run_file(path);
		free(path);
		free(e[i]);
	}
	free(e);
	return rc;
}

int main(int argc, char **argv)
{
	int i, rc = 0;

	for (i = 1; i < argc; i++)
		rc |= run(argv[i]);
	printf("%u files\n", nr_files);
	return rc || !nr_files;
}
