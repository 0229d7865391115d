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
	EVD_MAPPINGS,	 /* pages of others, by grants */
	EVD_NR_RESOURCES,
};

extern const char *const evd_resource_name[EVD_NR_RESOURCES];

struct evd_account;
struct evd_broker;
struct evd_conn;
struct evd_dom;
struct evd_view;

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

/* --- policy.c --------------------------------------------------------------- */

/* Root, and the user we run as. */
bool evd_is_privileged(uid_t uid);

/* How much @uid may have; UINT64_MAX: as much as there is. */
uint64_t evd_limit(const struct evd_broker *b, uid_t uid,
		   enum evd_resource what);

/* Is the peer of this socket served at all? */
bool evd_policy_admits(const struct evd_broker *b, int fd);

/* May @c be domain @domid?  And the lowest it may be that nobody is, or ANY. */
bool evd_policy_domain(const struct evd_conn *c, uint32_t domid);
uint32_t evd_policy_free_domid(const struct evd_conn *c);

/* What may @c see?  This one? */
void evd_policy_look(const struct evd_conn *c, struct evd_view *v);
bool evd_policy_sees(const struct evd_view *v, const struct evd_dom *d);

/* Read the file again; a bad one changes nothing. */
void evd_policy_reload(struct evd_broker *b);

/* --- account.c -------------------------------------------------------------- */

/* One more connection, and one less.  NULL: no memory. */
struct evd_account *evd_account_get(struct evd_broker *b, uid_t uid);
void evd_account_put(struct evd_broker *b, struct evd_account *a);

/* @d is @a's from now on; and is gone. */
void evd_account_add(struct evd_account *a, struct evd_dom *d);
void evd_account_remove(struct evd_dom *d);

/* One more region of grants, with its descriptor, and one less. */
void evd_account_add_region(struct evd_account *a);
void evd_account_remove_region(struct evd_broker *b, struct evd_account *a);

/* May @uid have @more of it? */
bool evd_may_have(const struct evd_broker *b, uid_t uid, enum evd_resource what,
		  uint64_t more);

#endif /* EVTCHND_POLICY_H */
