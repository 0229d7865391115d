/* SPDX-License-Identifier: MIT */
/*
 * Reading traces.  A file is read, not mapped: somebody may shorten it.  What
 * its head says is compared with its size before anything is done with it, and
 * a record that is not of this lap, or of no kind we know, is only counted.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "tracing.h"

/* Whose trace: for messages. */
struct source {
	const char *command, *dir, *name;
	int fd;
};

#define MAX_NS (UINT64_C(1) << 62) /* sums of two do not overflow */

static bool refuse(const struct source *s, const char *why)
{
	cli_error(s->command, "%s/%s: %s", s->dir, s->name, why);

	return false;
}

static bool read_all(int fd, void *to, size_t size, uint64_t from)
{
	char *p = to;

	while (size) {
		ssize_t n = pread(fd, p, size, (off_t)from);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		size -= (size_t)n;
		from += (size_t)n;
	}

	return true;
}

/* --- One file ------------------------------------------------------------- */

static bool check_head(const struct source *s, const struct evp_trace_head *h)
{
	struct stat st;

	if (h->magic != EVP_TRACE_MAGIC || h->record_size != 32)
		return refuse(s, "is no trace of this version of evtchn");
	if (!h->capacity || h->capacity > EVP_TRACE_MAX || !h->nr_vcpus ||
	    h->nr_vcpus > TRACING_VCPUS || h->domid > CLI_MAX_DOMID)
		return refuse(s, "its head makes no sense; it is damaged");
	if (fstat(s->fd, &st) ||
	    (uint64_t)st.st_size !=
		    EVP_TRACE_START +
			    h->capacity * sizeof(struct evp_trace_record)) {
		cli_error(s->command,
			  "%s/%s: has %lld bytes, a trace of %llu records has "
			  "%llu; was it truncated?",
			  s->dir, s->name, (long long)st.st_size,
			  (unsigned long long)h->capacity,
			  (unsigned long long)(EVP_TRACE_START +
					       h->capacity * 32));
		return false;
	}

	return true;
}

static bool is_good(const struct evp_trace_head *h,
		    const struct evp_trace_record *r, uint64_t at)
{
	return evb_u32_load_relaxed(&r->lap) ==
		       (uint32_t)(at / h->capacity) + 1 &&
	       r->kind > EVP_TRACE_NONE && r->kind < EVP_TRACE_KINDS &&
	       (r->vcpu < h->nr_vcpus || r->vcpu == EVP_TRACE_NO_VCPU) &&
	       r->ns < MAX_NS &&
	       (r->ns_long < MAX_NS || r->ns_long == EVP_TRACE_UNFINISHED);
}

static void take(struct tracing *t, const struct evp_trace_record *r)
{
	struct traced_file *f = &t->file[t->nr_files];

	/* All that was overwritten was over when the first one left was. */
	if (f->lost && !f->whole)
		f->whole = r->ns + (r->ns_long < MAX_NS ? r->ns_long : 0);
	t->event[t->nr_events++] = (struct traced_event){
		.ns = r->ns,
		.ns_long = r->ns_long,
		.link = r->link,
		.from = TRACING_NONE,
		.to = TRACING_NONE,
		.file = (uint32_t)t->nr_files,
		.port = r->port,
		.kind = r->kind,
		.vcpu = r->vcpu,
	};
}

static bool make_room(const struct source *s, struct tracing *t, uint64_t nr)
{
	void *more = realloc(t->event, (t->nr_events + nr) * sizeof(*t->event));

	if (!more && t->nr_events + nr)
		return refuse(s, "no memory for so many records");
	t->event = more;

	return true;
}

static bool take_records(const struct source *s, struct tracing *t,
			 const struct evp_trace_head *h,
			 const struct evp_trace_record *ring)
{
	uint64_t next = evb_u64_load_relaxed(&h->next);
	uint64_t nr = next < h->capacity ? next : h->capacity;
	struct traced_file *f = &t->file[t->nr_files];

	f->lost = next - nr;
	if (!make_room(s, t, nr))
		return false;
	for (uint64_t at = f->lost; at != next; at++) {
		const struct evp_trace_record *r = &ring[at % h->capacity];

		if (is_good(h, r, at))
			take(t, r);
		else
			f->damaged++;
	}

	return true;
}

static void note_file(struct tracing *t, const struct evp_trace_head *h)
{
	struct traced_file *f = &t->file[t->nr_files];

	*f = (struct traced_file){
		.domid = h->domid, .pid = h->pid, .nr_vcpus = h->nr_vcpus};
	memcpy(f->program, h->program, sizeof(f->program));
	f->program[sizeof(f->program) - 1] = '\0';
}

static bool read_records(const struct source *s, struct tracing *t,
			 const struct evp_trace_head *h)
{
	size_t size = h->capacity * sizeof(struct evp_trace_record);
	struct evp_trace_record *ring = malloc(size);
	bool ok;

	if (!ring)
		return refuse(s, "no memory for so many records");
	ok = read_all(s->fd, ring, size, EVP_TRACE_START) ||
	     refuse(s, "cannot be read");
	ok = ok && take_records(s, t, h, ring);
	free(ring);

	return ok;
}

static bool read_file(const struct source *s, struct tracing *t)
{
	struct evp_trace_head h;
	struct stat st;

	if (fstat(s->fd, &st) || !S_ISREG(st.st_mode))
		return refuse(s, "is no file");
	if (!read_all(s->fd, &h, sizeof(h), 0))
		return refuse(s, "is too short for a trace; was it truncated?");
	if (!check_head(s, &h))
		return false;
	note_file(t, &h);
	if (!read_records(s, t, &h))
		return false;
	t->nr_files++;

	return true;
}

/* --- All of them ---------------------------------------------------------- */

static bool is_trace(const char *name)
{
	size_t length = strlen(name), suffix = strlen(EVP_TRACE_SUFFIX);

	return length > suffix &&
	       !strcmp(name + length - suffix, EVP_TRACE_SUFFIX);
}

static bool read_named(const char *command, const char *dir, int dirfd,
		       const char *name, struct tracing *t)
{
	struct source s = {command, dir, name, -1};
	bool ok;

	if (t->nr_files == TRACING_MAX_FILES)
		return refuse(&s, "is one trace too many, at most 1024 go "
				  "together");
	/* Not waiting: it may be a pipe. */
	s.fd = openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (s.fd < 0)
		return refuse(&s, strerror(errno));
	ok = read_file(&s, t);
	close(s.fd);

	return ok;
}

static void say_losses(const char *command, const struct tracing *t)
{
	for (size_t i = 0; i < t->nr_files; i++) {
		const struct traced_file *f = &t->file[i];

		if (f->lost)
			cli_error(command,
				  "%s (process %u): the oldest %llu records "
				  "were overwritten; EVTCHN_TRACE_EVENTS=N "
				  "keeps more",
				  f->program, f->pid,
				  (unsigned long long)f->lost);
		if (f->damaged)
			cli_error(command,
				  "%s (process %u): %llu records are not "
				  "whole, and left out",
				  f->program, f->pid,
				  (unsigned long long)f->damaged);
	}
}

/* Sends first, so that what is sent and taken at once is in this order. */
static int compare(const void *a, const void *b)
{
	const struct traced_event *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;

	return (x->file > y->file) - (x->file < y->file);
}

static int keep_traces(const struct dirent *d)
{
	return is_trace(d->d_name);
}

bool tracing_read(const char *command, const char *dir, struct tracing *t)
{
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **names = NULL;
	int nr = dirfd < 0 ? -1 : scandir(dir, &names, keep_traces, alphasort);
	bool ok = nr > 0;

	t->file = calloc(TRACING_MAX_FILES, sizeof(*t->file));
	if (nr < 0)
		cli_error(command, "%s: %s", dir, strerror(errno));
	else if (!nr)
		cli_error(command,
			  "nothing was recorded in %s: no program that had it "
			  "as EVTCHN_TRACE became a domain",
			  dir);
	for (int i = 0; i < nr; i++) {
		ok = ok && t->file &&
		     read_named(command, dir, dirfd, names[i]->d_name, t);
		free(names[i]);
	}
	free(names);
	if (dirfd >= 0)
		close(dirfd);
	if (!ok)
		return false;
	if (t->nr_events)
		qsort(t->event, t->nr_events, sizeof(*t->event), compare);
	say_losses(command, t);

	return true;
}

void tracing_free(struct tracing *t)
{
	free(t->file);
	free(t->event);
}
