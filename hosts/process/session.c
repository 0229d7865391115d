/* SPDX-License-Identifier: MIT */
/*
 * Which broker, and which domain: what options and environment say, and a
 * connection made of it.  Attaching (attach.c) goes on from there; a session
 * holds a domain without being one, and may ask in its name.  Nothing but
 * answers comes on a session, as it has no ports whose news it could get.
 */
#include "session.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"

/* --- options ---------------------------------------------------------------- */

static int number(const char *what, const char *text, long max, long *out)
{
	char *end;

	errno = 0;
	*out = strtol(text, &end, 10);
	if (errno || end == text || *end || *out < 0 || *out > max)
		return evp_fail(-EINVAL, "%s=%s is no number from 0 to %ld",
				what, text, max);
	return 0;
}

int evp_env_number(const char *name, long max, long *out)
{
	const char *text = getenv(name);

	return text && *text ? number(name, text, max, out) : 0;
}

int evp_find_domain(const struct evp_options *o, uint32_t *domid)
{
	long n = EVP_DOMID_ANY;
	int rc = 0;

	if (o->domain == EVP_DOMAIN_ENV)
		rc = evp_env_number("EVTCHN_DOMAIN", DOMID_FIRST_RESERVED - 1,
				    &n);
	else if (o->domain >= 0 && o->domain < (int)DOMID_FIRST_RESERVED)
		n = o->domain;
	else
		rc = evp_fail(-EINVAL, "%d is no domain id", o->domain);
	*domid = (uint32_t)n;
	return rc;
}

/* --- connecting ------------------------------------------------------------- */

/* The session's broker was killed: `evtchn run` says where another one is. */
static int connect_successor(int *fd, int rc)
{
	const char *path = getenv("EVTCHN_SOCKET");
	const char *domain = getenv("EVTCHN_DOMAIN");

	if (rc != -ECONNRESET || !path || !*path || !domain || !*domain)
		return rc;
	return evp_control_open(path, fd, NULL);
}

static int connect_default(int *fd)
{
	char path[PATH_MAX];
	const char *env = getenv("EVTCHN_FD");
	long session = -1;
	int rc = evp_env_number("EVTCHN_FD", INT_MAX, &session);

	if (rc)
		return rc;
	if (env && *env) {
		rc = evp_control_adopt((int)session, fd);
		return rc ? connect_successor(fd, rc) : 0;
	}
	rc = evp_default_socket(path, sizeof(path), false);
	return rc ? rc : evp_control_open(path, fd, NULL);
}

int evp_connect(const char *socket, int *fd)
{
	return socket ? evp_control_open(socket, fd, NULL)
		      : connect_default(fd);
}

/* --- sessions --------------------------------------------------------------- */

/* The domain that this process has made by attaching or by a session before. */
static int find_own(int fd, uint32_t *domid)
{
	struct evp_domain_entry e[EVP_DOMAINS_PER_PAGE];
	uint32_t cursor = 0;
	int i, n = 0;

	while (n >= 0 && cursor != UINT32_MAX) {
		n = evp_control_domains(fd, &cursor, e, EVP_DOMAINS_PER_PAGE);
		for (i = 0; i < n; i++) {
			if (e[i].pid == (uint32_t)getpid()) {
				*domid = e[i].domid;
				return 0;
			}
		}
	}
	return n < 0 ? n : 0;
}

int evp_session(const struct evp_options *o, int *fd, domid_t *domid)
{
	uint64_t broker;

	return evp_session_at(o, fd, domid, &broker);
}

int evp_session_at(const struct evp_options *o, int *fd, domid_t *domid,
		   uint64_t *broker)
{
	const char *name = o->name ? o->name : program_invocation_short_name;
	const char *session = getenv("EVTCHN_FD");
	bool told = !o->socket && session && *session;
	uint32_t want;
	int rc = evp_find_domain(o, &want);

	if (!rc)
		rc = evp_connect(o->socket, fd);
	if (rc)
		return rc;
	if (want == EVP_DOMID_ANY && !told)
		rc = find_own(*fd, &want);
	if (!rc)
		rc = evp_control_reserve_at(*fd, want, name, &want, broker);
	if (rc)
		(void)close(*fd);
	else
		*domid = (domid_t)want;
	return rc;
}

/* --- asking ----------------------------------------------------------------- */

int evp_session_hypercall(int fd, uint32_t nr, uint32_t cmd, void *arg,
			  size_t len, int *rc)
{
	struct evp_hypercall m = {
		.nr = nr, .cmd = cmd, .arg_len = (uint32_t)len};
	const size_t fixed = offsetof(struct evp_result, arg);
	struct evp_packet p;
	const struct evp_result *r = (const void *)p.u.bytes;
	int err;

	if (len > sizeof(m.arg))
		return evp_fail(-EINVAL, "an argument of %zu bytes", len);
	memcpy(m.arg, arg, len);
	evp_hdr_init(&m.hdr, EVP_HYPERCALL,
		     offsetof(struct evp_hypercall, arg) + len, 5);
	err = evp_ask(fd, &m, m.hdr.len, &p, EVP_RESULT, fixed + len);
	if (err)
		return err;
	memcpy(arg, r->arg, len);
	*rc = r->rc;
	return 0;
}

int evp_session_dominfo(int fd, uint32_t *cursor, struct evp_dominfo_entry *e,
			uint32_t max)
{
	struct evp_dominfo m = {.domid = *cursor, .max = max};
	struct evp_packet p;
	const struct evp_dominfo_page *r = (const void *)p.u.bytes;
	int rc;

	evp_hdr_init(&m.hdr, EVP_DOMINFO, sizeof(m), 6);
	rc = evp_ask(fd, &m, sizeof(m), &p, EVP_DOMINFO_PAGE,
		     offsetof(struct evp_dominfo_page, entry));
	if (!rc)
		rc = evp_take_entries(&p, r->entry, r->count, e, max,
				      sizeof(*e));
	if (rc >= 0)
		*cursor = r->next;
	return rc;
}
