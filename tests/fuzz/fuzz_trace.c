/* SPDX-License-Identifier: MIT */
/*
 * evtchn replay: recordings that are anything.  The input is a whole file if
 * it begins like one, else the middle of one, so that the fuzzer need not
 * invent the first and the last line.
 *
 * What must hold: it is refused with a line that exists, or replayed; the
 * differences found are of lines that exist; nothing is left behind.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "tools/evtchn/trace.h"

#define FIRST	  "# xen-evtchn-oracle 1\n"
#define LAST	  "end ops=0\n"
#define MAX_FOUND 4

static void write_all(int fd, const void *bytes, size_t len)
{
	FUZZ_CHECK(write(fd, bytes, len) == (ssize_t)len);
}

/* A file of this process, and a name it can be opened by. */
static int make_file(const uint8_t *data, size_t size, char *name, size_t room)
{
	int fd = memfd_create("recording", 0);
	bool whole = size && (data[0] == '#' || data[0] == '!');

	FUZZ_CHECK(fd >= 0);
	(void)snprintf(name, room, "/proc/self/fd/%d", fd);
	if (!whole)
		write_all(fd, FIRST, strlen(FIRST));
	write_all(fd, data, size);
	if (!whole) {
		write_all(fd, "\n", 1);
		write_all(fd, LAST, strlen(LAST));
	}
	return fd;
}

static void replay(const struct trace *t)
{
	struct difference found[MAX_FOUND];
	struct replay *r = calloc(1, sizeof(*r));
	unsigned int i;

	FUZZ_CHECK(r);
	r->diff = found;
	r->max_diffs = MAX_FOUND;
	(void)trace_first_fifo(t);
	if (world_init(r, t) || replay_run(r, 0))
		FUZZ_CHECK(r->error_line && r->error[0]);
	FUZZ_CHECK(r->error_line <= t->nr_lines);
	FUZZ_CHECK(r->nr_diffs <= MAX_FOUND);
	for (i = 0; i < r->nr_diffs; i++)
		FUZZ_CHECK(found[i].line && found[i].line <= t->nr_lines);
	world_fini(r);
	free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[64], error[MAX_TEXT] = "";
	int fd = make_file(data, size, name, sizeof(name));
	struct trace t;
	size_t line;

	if (trace_load(&t, name, error, sizeof(error), &line))
		FUZZ_CHECK(error[0]);
	else
		replay(&t);
	trace_free(&t);
	(void)close(fd);
	return 0;
}
