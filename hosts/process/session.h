/* SPDX-License-Identifier: MIT */
/*
 * Reaching the broker as a library does: by the environment, or by options.
 */
#ifndef EVP_SESSION_H
#define EVP_SESSION_H

#include <stdint.h>

#include <abi/xen.h>
#include <evp/evp.h>

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

#endif /* EVP_SESSION_H */
