/* SPDX-License-Identifier: MIT */
/*
 * Reaching the broker as a library does: by the environment, or by options.
 */
#ifndef EVP_SESSION_H
#define EVP_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include <abi/xen.h>
#include <evp/evp.h>

#include "proto.h"

/* Which domain the options and $EVTCHN_DOMAIN say; EVP_DOMID_ANY: none. */
int evp_find_domain(const struct evp_options *o, uint32_t *domid);

/* Connect, through $EVTCHN_FD, or to a path; in state QUERY. */
int evp_connect(const char *socket, int *fd);

/* A number from the environment; *@out stays when there is none. */
int evp_env_number(const char *name, long max, long *out);

/*
 * A connection that holds a domain (state SESSION): that of the environment or
 * the options; else the one this process is in already; else a new one.
 */
int evp_session(const struct evp_options *o, int *fd, domid_t *domid);

/* The same, and which broker that was. */
int evp_session_at(const struct evp_options *o, int *fd, domid_t *domid,
		   uint64_t *broker);

/*
 * A hypercall in the name of a session, with a structure of @len bytes, at most
 * EVP_ARG_MAX, which it may change.  @rc: what it returned.
 */
int evp_session_hypercall(int fd, uint32_t nr, uint32_t cmd, void *arg,
			  size_t len, int *rc);

/*
 * A page of domains, as evp_control_domains().  @e has room for @max, which is 1
 * to EVP_DOMINFOS_PER_PAGE.  Returns how many were filled in.
 *   -EPERM  this session's domain is not privileged
 */
int evp_session_dominfo(int fd, uint32_t *cursor, struct evp_dominfo_entry *e,
			uint32_t max);

#endif /* EVP_SESSION_H */
