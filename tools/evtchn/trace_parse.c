/* SPDX-License-Identifier: MIT */
/*
 * A file into lines, a line into fields, a field into a number.
 *
 * Before anything is replayed the file as a whole must look like a recording:
 * text, the right first line, and a last line "end ops=N", so that a file that
 * was cut off is not taken for one that ends early and agrees.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "trace.h"

#define MAX_FILE (256u << 20)
#define MAGIC	 "# xen-evtchn-oracle 1"

/* --- fields ---------------------------------------------------------------- */

bool field_split(struct field *rest, struct field *f, const char *separators)
{
	while (rest->len && strchr(separators, *rest->s)) {
		rest->s++;
		rest->len--;
	}
	f->s = rest->s;
	f->len = 0;
	while (rest->len && !strchr(separators, *rest->s)) {
		rest->s++;
		rest->len--;
		f->len++;
	}
	return f->len > 0;
}

bool field_next(struct field *rest, struct field *f)
{
	return field_split(rest, f, " ");
}

bool field_is(struct field f, const char *text)
{
	return f.len == strlen(text) && !memcmp(f.s, text, f.len);
}

bool field_skip(struct field *f, const char *prefix)
{
	size_t len = strlen(prefix);

	if (f->len < len || memcmp(f->s, prefix, len))
		return false;
	f->s += len;
	f->len -= len;
	return true;
}

/* The value of a digit, or 16. */
static unsigned int digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	return 16;
}

bool field_number(struct field f, uint64_t max, uint64_t *value)
{
	unsigned int base = field_skip(&f, "0x") ? 16 : 10;
	uint64_t n = 0;
	size_t i;

	if (!f.len)
		return false;
	for (i = 0; i < f.len; i++) {
		unsigned int one = digit(f.s[i]);

		if (one >= base || n > (UINT64_MAX - one) / base)
			return false;
		n = n * base + one;
	}
	*value = n;
	return n <= max;
}

bool field_arrow(struct field f, struct field *left, struct field *right)
{
	const char *at = memmem(f.s, f.len, " -> ", 4);

	*left = f;
	*right = (struct field){f.s + f.len, 0};
	if (!at)
		return false;
	left->len = (size_t)(at - f.s);
	right->s = at + 4;
	right->len = f.len - left->len - 4;
	return true;
}

static const struct {
	int number;
	const char *name;
} errnos[] = {
	{XEN_EPERM, "-EPERM"},	     {XEN_ENOENT, "-ENOENT"},
	{XEN_ESRCH, "-ESRCH"},	     {XEN_EAGAIN, "-EAGAIN"},
	{XEN_ENOMEM, "-ENOMEM"},     {XEN_EACCES, "-EACCES"},
	{XEN_EFAULT, "-EFAULT"},     {XEN_EBUSY, "-EBUSY"},
	{XEN_EEXIST, "-EEXIST"},     {XEN_EINVAL, "-EINVAL"},
	{XEN_ENOSPC, "-ENOSPC"},     {XEN_ENOSYS, "-ENOSYS"},
	{XEN_ERESTART, "-ERESTART"}, {XEN_EOPNOTSUPP, "-EOPNOTSUPP"},
	{XEN_ENOBUFS, "-ENOBUFS"},
};

const char *errno_name(int rc, char *buffer, size_t size)
{
	size_t i;

	for (i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++) {
		if (rc == -errnos[i].number)
			return errnos[i].name;
	}
	snprintf(buffer, size, "%d", rc);
	return buffer;
}

/* --- files ----------------------------------------------------------------- */

/* Returns the text, of *@size bytes, or NULL with errno set. */
static char *read_all(FILE *f, size_t *size)
{
	size_t room = 1 << 16, len = 0, n;
	char *text = malloc(room), *more;

	while (text) {
		n = fread(text + len, 1, room - len, f);
		len += n;
		if (len < room)
			break;
		errno = EFBIG;
		room *= 2;
		more = room <= MAX_FILE ? realloc(text, room) : NULL;
		if (!more)
			free(text);
		text = more;
	}
	if (text && ferror(f)) {
		free(text);
		text = NULL;
	}
	*size = len;
	return text;
}

static char *read_file(const char *name, size_t *size)
{
	FILE *f = fopen(name, "rb");
	struct stat st;
	char *text;
	int saved;

	if (!f)
		return NULL;
	errno = EISDIR;
	if (fstat(fileno(f), &st) || S_ISDIR(st.st_mode))
		text = NULL;
	else
		text = read_all(f, size);
	saved = errno;
	fclose(f);
	errno = saved;
	return text;
}

static size_t count_lines(const char *text, size_t size)
{
	size_t i, nr = 0;

	for (i = 0; i < size; i++)
		nr += text[i] == '\n';
	return nr + (size && text[size - 1] != '\n');
}

static int cut_lines(struct trace *t, size_t size)
{
	const char *s = t->text, *end = t->text + size;

	t->nr_lines = 0;
	t->line = calloc(count_lines(s, size) + 1, sizeof(*t->line));
	if (!t->line)
		return -ENOMEM;
	while (s < end) {
		const char *nl = memchr(s, '\n', (size_t)(end - s));
		const char *stop = nl ? nl : end;

		t->line[t->nr_lines++] = (struct field){s, (size_t)(stop - s)};
		s = stop + 1;
	}
	return 0;
}

/* The number of the first line with a byte that is no printable ASCII, or 0. */
static size_t find_binary(const struct trace *t)
{
	size_t i, k;

	for (i = 0; i < t->nr_lines; i++) {
		for (k = 0; k < t->line[i].len; k++) {
			unsigned char c = (unsigned char)t->line[i].s[k];

			if (c < ' ' || c > '~')
				return i + 1;
		}
	}
	return 0;
}

/* Returns what is wrong with the file as a whole, or NULL. */
static const char *check_frame(const struct trace *t, size_t *line)
{
	struct field last;

	*line = find_binary(t);
	if (*line)
		return "not text; a recording is printable ASCII";
	*line = 1;
	if (!t->nr_lines || !field_is(t->line[0], MAGIC))
		return "not a recording: the first line is not '" MAGIC "'";
	last = t->line[t->nr_lines - 1];
	*line = t->nr_lines;
	if (!field_skip(&last, "end ops="))
		return "cut off: the last line is not 'end ops=N'; get the "
		       "whole file";
	*line = 0;
	return NULL;
}

int trace_load(struct trace *t, const char *name, char *error, size_t size,
	       size_t *line)
{
	const char *what;
	size_t len = 0;

	*line = 0;
	*t = (struct trace){.name = name};
	t->text = read_file(name, &len);
	if (!t->text || cut_lines(t, len)) {
		snprintf(error, size, "cannot read it: %s", strerror(errno));
		trace_free(t);
		return -EIO;
	}
	what = check_frame(t, line);
	if (what) {
		snprintf(error, size, "%s", what);
		trace_free(t);
		return -EINVAL;
	}
	return 0;
}

void trace_free(struct trace *t)
{
	free(t->line);
	free(t->text);
	*t = (struct trace){0};
}

/*
 * expand_array fails alike with and without FIFO in a 2-level domain; so does
 * everything whose argument cannot be read.
 */
static bool needs_fifo(struct field line)
{
	struct field left, result, word[4] = {0};
	size_t i;

	field_arrow(line, &left, &result);
	for (i = 0; i < 4 && field_next(&left, &word[i]); i++)
		;
	if (!field_is(word[0], "op"))
		return false;
	if (field_is(word[2], "raw"))
		return field_is(word[3], "cmd=11");
	if (field_is(word[2], "init_control"))
		return true;
	return field_is(word[2], "expand_array") &&
	       !field_is(result, "rc=-EOPNOTSUPP");
}

size_t trace_first_fifo(const struct trace *t)
{
	size_t i;

	for (i = 0; i < t->nr_lines; i++) {
		if (needs_fifo(t->line[i]))
			return i + 1;
	}
	return 0;
}
