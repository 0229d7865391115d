/* SPDX-License-Identifier: MIT */
/*
 * A bare connection to the broker: packets with descriptors, and the few
 * questions that need no domain.  Blocking; one question at a time.
 *
 * Reading order: packets, connecting, questions.
 */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <evp/evp.h>

/* --- errors ---------------------------------------------------------------- */

static _Thread_local char error_text[256];

const char *evp_error(void)
{
	return error_text;
}

int evp_fail(int rc, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(error_text, sizeof(error_text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(error_text) && rc < 0)
		(void)snprintf(error_text + n, sizeof(error_text) - (size_t)n,
			       " (%s)", strerror(-rc));
	return rc;
}

/* --- packets --------------------------------------------------------------- */

void evp_hdr_init(struct evp_hdr *h, enum evp_type type, size_t len,
		  uint32_t seq)
{
	h->magic = EVP_MAGIC;
	h->version = EVP_VERSION;
	h->type = (uint16_t)type;
	h->len = (uint32_t)len;
	h->seq = seq;
}

/* As many as the kernel lets through: what it kept back it would close. */
#define RECEIVED_FDS_MAX 253

#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif

union fd_space {
	char bytes[CMSG_SPACE(EVP_FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

/* With room for what SO_PASSCRED and SO_PASSPIDFD add. */
union received_space {
	char bytes[CMSG_SPACE(RECEIVED_FDS_MAX * sizeof(int)) +
		   CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static void close_plainly(int fd)
{
	(void)close(fd);
}

void (*evp_close_foreign)(int fd) = close_plainly;

int evp_send_packet(int sock, const void *msg, size_t len, const int *fd,
		    unsigned int nr_fds, int flags)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)msg, .iov_len = len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	union fd_space space;
	ssize_t n;

	if (nr_fds) {
		memset(&space, 0, sizeof(space));
		m.msg_control = &space;
		m.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		space.align.cmsg_level = SOL_SOCKET;
		space.align.cmsg_type = SCM_RIGHTS;
		space.align.cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		memcpy(CMSG_DATA(&space.align), fd, nr_fds * sizeof(int));
	}
	do {
		n = sendmsg(sock, &m, flags | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EPIPE ? -ECONNRESET : -errno;
	return 0;
}

int evp_above_streams(int fd)
{
	int lifted;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	lifted = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	(void)close(fd);
	return lifted;
}

/*
 * Every descriptor in @c is ours now; what is too much is closed at once.
 * False: something was.
 */
static bool take_fds(struct cmsghdr *c, struct evp_packet *p)
{
	size_t i, n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	bool all = true;
	int fd;

	for (i = 0; i < n; i++) {
		memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
		fd = evp_above_streams(fd);
		if (p->nr_fds < EVP_FDS_MAX) {
			p->fd[p->nr_fds++] = fd;
		} else {
			evp_close_foreign(fd);
			all = false;
		}
	}
	return all;
}

/*
 * A socket that came by ADOPT has the options its peer gave it, so the kernel
 * may add credentials, or a pidfd.  False: there is something nobody wants.
 */
static bool take_control(struct msghdr *m, struct evp_packet *p)
{
	struct cmsghdr *c;
	bool wanted = true;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		bool rights = c->cmsg_level == SOL_SOCKET &&
			      c->cmsg_type == SCM_RIGHTS;

		if (rights ||
		    (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_PIDFD))
			wanted &= take_fds(c, p);
		wanted &= rights;
	}
	return wanted;
}

void evp_packet_close_fds(struct evp_packet *p)
{
	while (p->nr_fds)
		evp_close_foreign(p->fd[--p->nr_fds]);
}

static bool is_well_formed(const struct evp_packet *p, int msg_flags)
{
	return !(msg_flags & (MSG_TRUNC | MSG_CTRUNC)) &&
	       p->len >= sizeof(p->u.hdr) && p->u.hdr.magic == EVP_MAGIC &&
	       p->u.hdr.len == p->len;
}

/*
 * When the other end closed without having read everything, the kernel first
 * reports a reset, once, and then hands out what it had sent before.
 */
static ssize_t receive_raw(int sock, struct msghdr *m, int flags)
{
	bool again = true;
	ssize_t n;

	do {
		n = recvmsg(sock, m, flags | MSG_CMSG_CLOEXEC);
		if (n < 0 && errno == ECONNRESET && again)
			again = false;
		else if (n >= 0 || errno != EINTR)
			return n;
	} while (true);
}

int evp_recv_packet(int sock, struct evp_packet *p, int flags)
{
	struct iovec iov = {.iov_base = p->u.bytes, .iov_len = EVP_MSG_MAX};
	union received_space space;
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &space,
			   .msg_controllen = sizeof(space)};
	bool wanted;
	ssize_t n;

	p->nr_fds = 0;
	n = receive_raw(sock, &m, flags);
	if (n < 0)
		return -errno;
	wanted = take_control(&m, p);
	p->len = (size_t)n;
	if (n == 0) {
		evp_packet_close_fds(p);
		return -ECONNRESET;
	}
	if (!wanted || !is_well_formed(p, m.msg_flags)) {
		evp_packet_close_fds(p);
		return -EPROTO;
	}
	return 0;
}

/* --- connecting ------------------------------------------------------------ */

int evp_control_connect(const char *path, int *fd)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int s, rc;

	if (strlen(path) >= sizeof(un.sun_path))
		return evp_fail(-ENAMETOOLONG, "socket path '%s' is too long",
				path);
	strcpy(un.sun_path, path);
	s = evp_above_streams(
		socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
	if (s < 0)
		return evp_fail(-errno, "cannot make a socket");
	if (connect(s, (const struct sockaddr *)&un, sizeof(un))) {
		rc = -errno;
		(void)close(s);
		if (rc == -EACCES)
			return evp_fail(rc,
					"you may not connect to %s: whoever "
					"runs this broker has to allow it, "
					"with evtchnd --policy and --mode",
					path);
		return evp_fail(rc,
				"no broker at %s: start evtchnd, or use "
				"`evtchn run`",
				path);
	}
	*fd = s;
	return 0;
}

bool evp_is_seqpacket(int fd)
{
	int domain = 0, type = 0;
	socklen_t len = sizeof(int);

	return !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) &&
	       domain == AF_UNIX &&
	       !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) &&
	       type == SOCK_SEQPACKET;
}

bool evp_is_hung_up(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR);
}

/* The answer must be a @type, and no shorter than @len. */
int evp_check_answer(const struct evp_packet *p, enum evp_type type, size_t len)
{
	const struct evp_refused *no = (const void *)p->u.bytes;

	if (p->u.hdr.type == EVP_REFUSED && p->len == sizeof(*no))
		return evp_fail(no->rc < 0 ? no->rc : -EPROTO, "%.*s",
				EVP_TEXT_MAX, no->text);
	if (p->u.hdr.version != EVP_VERSION || p->u.hdr.type != type ||
	    p->len < len)
		return evp_fail(-EPROTO, "the other end is no evtchnd of this "
					 "version");
	return 0;
}

int evp_answer(int fd, struct evp_packet *p, enum evp_type type, size_t len)
{
	int rc = evp_recv_packet(fd, p, 0);

	if (rc == -EPROTO)
		return evp_fail(rc, "the other end is no evtchnd");
	if (rc)
		return evp_fail(rc, "the broker closed the connection");
	rc = evp_check_answer(p, type, len);
	if (rc || (type != EVP_ATTACHED && type != EVP_GRANT_MAPPED &&
		   type != EVP_COUNTS_ARE))
		evp_packet_close_fds(p);
	return rc;
}

int evp_ask(int fd, const void *msg, size_t len, struct evp_packet *p,
	    enum evp_type type, size_t min_len)
{
	return evp_ask_with(fd, msg, len, -1, p, type, min_len);
}

int evp_ask_with(int fd, const void *msg, size_t len, int with,
		 struct evp_packet *p, enum evp_type type, size_t min_len)
{
	int rc = evp_send_packet(fd, msg, len, &with, with >= 0, 0);

	/* A refusal may be waiting: look, even when the broker hung up. */
	if (rc && rc != -ECONNRESET)
		return evp_fail(rc, "cannot talk to the broker");
	return evp_answer(fd, p, type, min_len);
}

/* --- questions ------------------------------------------------------------- */

int evp_control_hello(int fd, uint32_t *broker_pid)
{
	struct evp_hello m;
	struct evp_packet p;
	const struct evp_welcome *w = (const void *)p.u.bytes;
	int rc;

	evp_hdr_init(&m.hdr, EVP_HELLO, sizeof(m), 1);
	rc = evp_ask(fd, &m, sizeof(m), &p, EVP_WELCOME, sizeof(*w));
	if (!rc && broker_pid)
		*broker_pid = w->pid;
	return rc;
}

int evp_control_open(const char *path, int *fd, uint32_t *broker_pid)
{
	int rc = evp_control_connect(path, fd);

	if (rc)
		return rc;
	rc = evp_control_hello(*fd, broker_pid);
	if (rc)
		(void)close(*fd);
	return rc;
}

bool evp_is_name(const char *name)
{
	size_t i;

	for (i = 0; i < EVP_NAME_MAX && name[i]; i++) {
		if (name[i] < ' ' || name[i] > '~')
			return false;
	}
	return i < EVP_NAME_MAX;
}

void evp_copy_name(char *to, const char *name)
{
	size_t n = strlen(name);

	if (n > EVP_NAME_MAX - 1)
		n = EVP_NAME_MAX - 1;
	memset(to, 0, EVP_NAME_MAX);
	memcpy(to, name, n);
}

int evp_control_reserve(int fd, uint32_t want, const char *name,
			uint32_t *domid)
{
	return evp_control_reserve_at(fd, want, name, domid, NULL);
}

int evp_control_reserve_at(int fd, uint32_t want, const char *name,
			   uint32_t *domid, uint64_t *broker)
{
	struct evp_reserve m = {.domid = (uint16_t)want};
	struct evp_packet p;
	const struct evp_reserved *r = (const void *)p.u.bytes;
	int rc;

	if (want > EVP_DOMID_ANY)
		return evp_fail(-EINVAL, "there is no domain %u", want);
	evp_hdr_init(&m.hdr, EVP_RESERVE, sizeof(m), 2);
	evp_copy_name(m.name, name);
	rc = evp_ask(fd, &m, sizeof(m), &p, EVP_RESERVED, sizeof(*r));
	if (rc)
		return rc;
	*domid = r->domid;
	if (broker)
		*broker = r->broker;
	return 0;
}

int evp_control_hold(const char *path, uint32_t want, const char *name, int *fd,
		     uint32_t *domid, uint64_t *broker)
{
	int rc = evp_control_open(path, fd, NULL);

	if (rc)
		return rc;
	rc = evp_control_reserve_at(*fd, want, name, domid, broker);
	if (rc)
		(void)close(*fd);
	return rc;
}

/* The WELCOME of an ADOPT comes with the connection. */
static int receive_adopted(int from, int *fd)
{
	struct evp_packet p;
	int rc = evp_recv_packet(from, &p, 0);

	if (rc)
		return evp_fail(rc, "the broker closed the connection");
	rc = evp_check_answer(&p, EVP_WELCOME, sizeof(struct evp_welcome));
	if (!rc && p.nr_fds != 1)
		rc = evp_fail(-EMFILE, "no descriptor came from the broker");
	if (!rc)
		*fd = p.fd[--p.nr_fds];
	evp_packet_close_fds(&p);
	return rc;
}

int evp_control_adopt(int session, int *fd)
{
	struct evp_adopt m;
	int pair[2];
	int rc;

	if (!evp_is_seqpacket(session))
		return evp_fail(-EINVAL,
				"descriptor %d (EVTCHN_FD) is no "
				"session of `evtchn run`",
				session);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return evp_fail(-errno, "cannot make a socket");
	pair[0] = evp_above_streams(pair[0]);
	if (pair[0] < 0) {
		(void)close(pair[1]);
		return evp_fail(-EMFILE, "cannot make a socket");
	}
	evp_hdr_init(&m.hdr, EVP_ADOPT, sizeof(m), 0);
	rc = evp_send_packet(session, &m, sizeof(m), &pair[1], 1, 0);
	(void)close(pair[1]);
	if (rc)
		rc = evp_fail(rc, "the broker is gone");
	else
		rc = receive_adopted(pair[0], fd);
	(void)close(pair[0]);
	return rc;
}

int evp_take_entries(const struct evp_packet *p, const void *entries,
		     uint32_t count, void *to, size_t max, size_t size)
{
	size_t fixed = (size_t)((const unsigned char *)entries - p->u.bytes);

	if (count > max || p->len != fixed + count * size)
		return evp_fail(-EPROTO, "bad answer from the broker");
	memcpy(to, entries, count * size);
	return (int)count;
}

int evp_control_domains(int fd, uint32_t *cursor, struct evp_domain_entry *e,
			size_t max)
{
	struct evp_domains m = {.domid = *cursor};
	struct evp_packet p;
	const struct evp_domain_page *r = (const void *)p.u.bytes;
	int rc;

	evp_hdr_init(&m.hdr, EVP_DOMAINS, sizeof(m), 3);
	rc = evp_ask(fd, &m, sizeof(m), &p, EVP_DOMAIN_PAGE,
		     offsetof(struct evp_domain_page, entry));
	if (!rc)
		rc = evp_take_entries(&p, r->entry, r->count, e, max,
				      sizeof(*e));
	if (rc >= 0)
		*cursor = r->next;
	return rc;
}

int evp_control_list(int fd, uint32_t *domid, uint32_t *port,
		     struct evp_port_entry *e, size_t max)
{
	struct evp_list m = {.domid = *domid, .port = *port};
	struct evp_packet p;
	const struct evp_list_page *r = (const void *)p.u.bytes;
	int rc;

	evp_hdr_init(&m.hdr, EVP_LIST, sizeof(m), 4);
	rc = evp_ask(fd, &m, sizeof(m), &p, EVP_LIST_PAGE,
		     offsetof(struct evp_list_page, entry));
	if (!rc)
		rc = evp_take_entries(&p, r->entry, r->count, e, max,
				      sizeof(*e));
	if (rc >= 0) {
		*domid = r->next_domid;
		*port = r->next_port;
	}
	return rc;
}

int evp_control_counts(int fd, uint32_t domid, uint32_t index,
		       struct evp_counts_are *who, int *counts)
{
	struct evp_ask_counts m = {.domid = domid, .index = index};
	struct evp_packet p;
	int rc;

	evp_hdr_init(&m.hdr, EVP_ASK_COUNTS, sizeof(m), 7);
	rc = evp_ask(fd, &m, sizeof(m), &p, EVP_COUNTS_ARE, sizeof(*who));
	if (rc)
		return rc;
	memcpy(who, p.u.bytes, sizeof(*who));
	*counts = -1;
	if (p.nr_fds == 1) {
		*counts = p.fd[0];
		p.nr_fds = 0;
	}
	evp_packet_close_fds(&p);
	return 0;
}
