/* SPDX-License-Identifier: MIT */
/*
 * Reading a policy file.  One rule a line, words between blanks, # begins a
 * comment:
 *
 *   allow WHO domain LIST     LIST: numbers and ranges, with commas; or "any"
 *   allow WHO list            may see the domains and ports of all users
 *   limit WHO RESOURCE N ...  WHO here: a user, or everybody
 *   WHO                       user NAME | group NAME | everybody
 *
 * A file that others could write, or that has one mistake, is refused as a
 * whole: half of a policy is another policy.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <abi/xen.h>

#include "policy.h"

#define MAX_LINE 512
#define BLANKS	 " \t\r\n"

/* Where we are, and where complaints go. */
struct reader {
	struct evd_policy *policy;
	const char *path;
	unsigned int line;
	char *at; /* the words not read yet */
	char *error;
	size_t size;
};

__attribute__((format(printf, 2, 3))) static bool
complain(const struct reader *r, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (r->line)
		(void)snprintf(r->error, r->size, "%s:%u: %s", r->path, r->line,
			       text);
	else
		(void)snprintf(r->error, r->size, "%s: %s", r->path, text);
	return false;
}

static const char *next_word(struct reader *r)
{
	char *word = strtok_r(r->at, BLANKS, &r->at);

	return word ? word : "";
}

static bool is_word(const char *word, const char *other)
{
	return strcmp(word, other) == 0;
}

static bool to_number(const char *text, uint64_t max, uint64_t *n)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*n = strtoull(text, &end, 10);
	return !errno && !*end && *n <= max;
}

/* --- who -------------------------------------------------------------------- */

/* (uid_t)-1 and (gid_t)-1 are nobody's. */
static bool find_user(struct reader *r, const char *name, uint32_t *id)
{
	const struct passwd *pw = getpwnam(name);
	uint64_t n = 0;

	if (!pw && !to_number(name, UINT32_MAX - 1, &n))
		return complain(r,
				"no user '%s': give the name or the number "
				"of one",
				name);
	*id = pw ? pw->pw_uid : (uint32_t)n;
	return true;
}

static bool find_group(struct reader *r, const char *name, uint32_t *id)
{
	const struct group *gr = getgrnam(name);
	uint64_t n = 0;

	if (!gr && !to_number(name, UINT32_MAX - 1, &n))
		return complain(r,
				"no group '%s': give the name or the number "
				"of one",
				name);
	*id = gr ? gr->gr_gid : (uint32_t)n;
	return true;
}

static bool read_who(struct reader *r, enum evd_who *who, uint32_t *id)
{
	const char *kind = next_word(r);

	*id = 0;
	if (is_word(kind, "everybody")) {
		*who = EVD_EVERYBODY;
		return true;
	}
	*who = is_word(kind, "group") ? EVD_GROUP : EVD_USER;
	if (*who == EVD_GROUP)
		return find_group(r, next_word(r), id);
	if (is_word(kind, "user"))
		return find_user(r, next_word(r), id);
	return complain(r,
			"'%s' is nobody: say 'user NAME', 'group NAME' or "
			"'everybody'",
			kind);
}

/* --- allow ------------------------------------------------------------------ */

static bool add_rule(struct reader *r, struct evd_rule rule)
{
	struct evd_policy *p = r->policy;

	if (p->nr_rules == EVD_MAX_RULES)
		return complain(r, "more than %d rules: use groups",
				EVD_MAX_RULES);
	p->rule[p->nr_rules++] = rule;
	return true;
}

/* N, N-M or any. */
static bool read_range(struct reader *r, char *text, struct evd_rule *rule)
{
	uint64_t first = 1, last = DOMID_FIRST_RESERVED - 1;
	char *dash = strchr(text, '-');
	bool good = is_word(text, "any");

	if (!good) {
		if (dash)
			*dash = '\0';
		good = to_number(text, last, &first) &&
		       to_number(dash ? dash + 1 : text, last, &last) &&
		       first <= last;
		if (dash)
			*dash = '-';
	}
	if (!good)
		return complain(r,
				"'%s' is no domain: give 0 to %u, a range "
				"as 1-9, or any",
				text, DOMID_FIRST_RESERVED - 1);
	if (first == 0 && last)
		return complain(r,
				"'%s' has domain 0 in it, which controls all "
				"others: name it by itself, as 0,1-%u",
				text, (unsigned int)last);
	rule->first = (uint32_t)first;
	rule->last = (uint32_t)last;
	return true;
}

static bool read_domains(struct reader *r, struct evd_rule rule)
{
	char *list, *text;

	/* strtok_r() gives what is in the line: ours to cut up. */
	list = strtok_r(r->at, BLANKS, &r->at);
	if (!list)
		return complain(r, "no domain: give numbers as 1-9,12, or any");
	while ((text = strtok_r(list, ",", &list))) {
		if (!read_range(r, text, &rule) || !add_rule(r, rule))
			return false;
	}
	return true;
}

static bool read_allow(struct reader *r)
{
	struct evd_rule rule = {.list = false};
	const char *what;

	if (!read_who(r, &rule.who, &rule.id))
		return false;
	what = next_word(r);
	if (is_word(what, "domain"))
		return read_domains(r, rule);
	if (!is_word(what, "list"))
		return complain(r,
				"'%s' cannot be allowed: say 'domain 1-9' or "
				"'list'",
				what);
	rule.list = true;
	return add_rule(r, rule);
}

/* --- limit ------------------------------------------------------------------ */

const char *const evd_resource_name[EVD_NR_RESOURCES] = {
	[EVD_CONNECTIONS] = "connections",
	[EVD_DOMAINS] = "domains",
	[EVD_PORTS] = "ports",
	[EVD_QUEUE] = "queue",
	[EVD_DESCRIPTORS] = "descriptors",
	[EVD_MAPPINGS] = "mappings",
};

static bool set_limit(struct reader *r, enum evd_who who, uid_t uid,
		      unsigned int what, uint64_t n)
{
	struct evd_policy *p = r->policy;

	if (who == EVD_EVERYBODY) {
		p->limit[what] = n;
		return true;
	}
	if (p->nr_exceptions == EVD_MAX_EXCEPTION)
		return complain(r,
				"more than %d limits of users: use 'limit "
				"everybody'",
				EVD_MAX_EXCEPTION);
	p->exception[p->nr_exceptions++] = (struct evd_exception){
		.uid = uid, .what = (enum evd_resource)what, .limit = n};
	return true;
}

static bool read_one_limit(struct reader *r, const char *name, enum evd_who who,
			   uid_t uid)
{
	unsigned int what = 0;
	const char *text;
	uint64_t n;

	while (what < EVD_NR_RESOURCES &&
	       !is_word(name, evd_resource_name[what]))
		what++;
	if (what == EVD_NR_RESOURCES)
		return complain(r,
				"'%s' has no limit: connections, domains, "
				"ports, queue, descriptors and mappings have",
				name);
	text = next_word(r);
	if (!to_number(text, UINT32_MAX, &n))
		return complain(r, "'%s' is no limit of %s: give a number",
				text, name);
	return set_limit(r, who, uid, what, n);
}

static bool read_limit(struct reader *r)
{
	enum evd_who who;
	const char *name;
	uint32_t id;

	if (!read_who(r, &who, &id))
		return false;
	if (who == EVD_GROUP)
		return complain(r, "a group has no limits: give them to a "
				   "user, or to everybody");
	name = next_word(r);
	if (!*name)
		return complain(r, "no limit: say which and how much, as "
				   "'connections 16'");
	for (; *name; name = next_word(r)) {
		if (!read_one_limit(r, name, who, id))
			return false;
	}
	return true;
}

/* --- the file --------------------------------------------------------------- */

static bool read_line(struct reader *r, char *line)
{
	const char *verb;
	bool good;

	line[strcspn(line, "#\n")] = '\0';
	r->at = line;
	verb = next_word(r);
	if (!*verb)
		return true;
	if (is_word(verb, "allow"))
		good = read_allow(r);
	else if (is_word(verb, "limit"))
		good = read_limit(r);
	else
		return complain(r, "'%s' is no rule: begin with allow or limit",
				verb);
	verb = good ? next_word(r) : "";
	if (*verb)
		return complain(r, "'%s' is too much: one rule a line", verb);
	return good;
}

static bool read_lines(struct reader *r, FILE *f)
{
	char line[MAX_LINE];

	while (fgets(line, sizeof(line), f)) {
		r->line++;
		if (strlen(line) == sizeof(line) - 1)
			return complain(r,
					"longer than %d bytes: use several "
					"lines",
					MAX_LINE - 2);
		if (!read_line(r, line))
			return false;
	}
	r->line = 0;
	return !ferror(f) || complain(r, "%s", strerror(errno));
}

/* Who can write the file decides who the broker serves. */
static bool check_owner(const struct reader *r, int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return complain(r, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return complain(r, "is no file: name one with --policy");
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return complain(r,
				"belongs to uid %lu: make it root's or yours "
				"with chown",
				(unsigned long)st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return complain(r, "others can write it: chmod go-w it");
	return true;
}

bool evd_policy_read(struct evd_policy *p, const char *path, char *error,
		     size_t size)
{
	struct reader r = {
		.policy = p, .path = path, .error = error, .size = size};
	/* Not to wait for the writer of a FIFO. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	FILE *f;
	bool good;

	evd_policy_init(p);
	if (fd < 0)
		return complain(&r,
				"cannot be read: %s: name another with "
				"--policy",
				strerror(errno));
	f = check_owner(&r, fd) ? fdopen(fd, "r") : NULL;
	if (!f) {
		(void)close(fd);
		return false;
	}
	good = read_lines(&r, f);
	(void)fclose(f);
	return good;
}
