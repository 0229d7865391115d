/* SPDX-License-Identifier: MIT */
/*
 * Who may use the broker, as which domains, and how much of it.
 *
 * Root and the broker's own user always may.  Others only by the rules of a
 * file (docs/process-host.md has its format), and never by chance as domain 0:
 * "any" does not include it.
 *
 *   policy_file.c  from a file to rules, with a line for every mistake
 *   policy.c       what the rules say about a peer
 *   account.c      what a user has of the broker
 */
#ifndef EVTCHND_POLICY_H
#define EVTCHND_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define EVD_MAX_RULES	  256
#define EVD_MAX_EXCEPTION 64 /* users with limits of their own */

enum evd_resource {
	EVD_CONNECTIONS,
	EVD_DOMAINS,
	EVD_PORTS,
	EVD_QUEUE,	 /* bytes waiting to be read */
	EVD_DESCRIPTORS, /* of the broker, held for the user */
	EVD_NR_RESOURCES,
};

extern const char *const evd_resource_name[EVD_NR_RESOURCES];

enum evd_who {
	EVD_USER,
	EVD_GROUP,
	EVD_EVERYBODY
};

/* Who is allowed the domains from @first to @last, or to list everything. */
struct evd_rule {
	enum evd_who who;
	uint32_t id; /* uid or gid */
	bool list;
	uint32_t first, last;
};

struct evd_exception {
	uid_t uid;
	enum evd_resource what;
	uint64_t limit;
};

struct evd_policy {
	struct evd_rule rule[EVD_MAX_RULES];
	size_t nr_rules;
	struct evd_exception exception[EVD_MAX_EXCEPTION];
	size_t nr_exceptions;
	uint64_t limit[EVD_NR_RESOURCES]; /* of everybody else */
};

/* No rules, and the limits that hold unless a file says otherwise. */
void evd_policy_init(struct evd_policy *p);

/*
 * Read @path into *@p.  False: there is a mistake, and @error has one line,
 * with file and line number and what to do; *@p is then of no use.
 */
bool evd_policy_read(struct evd_policy *p, const char *path, char *error,
		     size_t size);

#endif /* EVTCHND_POLICY_H */
