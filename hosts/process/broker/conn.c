/* SPDX-License-Identifier: MIT */
/*
 * Connections: who may have one, sending without ever waiting, closing.
 *
 * A peer that does not read its messages gets them queued, up to a bound; then
 * it is closed.  What a peer can make the broker queue for *another* one is
 * bounded far below that: see EVD_MAX_AWAITED in link.c.
 */
#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker.h"
#include "grants.h"

#define MAX_BYTES (32 * 1024)

bool evd_conn_peer(int fd, pid_t *pid, uid_t *uid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	*pid = 0;
	*uid = (uid_t)-1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return false;
	*pid = cred.pid;
	*uid = cred.uid;
	return true;
}

static void watch(struct evd_conn *c, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = c};

	if (c->watched == events)
		return;
	if (epoll_ctl(c->broker->epoll,
		      c->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &ev))
		evd_doom(c, "cannot be watched");
	c->watched = events;
}

struct evd_conn *evd_conn_new(struct evd_broker *b, int fd, uid_t payer)
{
	struct evd_conn *c = calloc(1, sizeof(*c));

	if (c)
		c->account = evd_account_get(b, payer);
	if (!c || !c->account) {
		free(c);
		evd_bury_socket(fd, payer);
		return NULL;
	}
	c->account->nr_fds++;
	c->broker = b;
	c->fd = fd;
	c->only_domid = EVP_DOMID_ANY;
	c->id = ++b->last_id;
	c->out_tail = &c->out;
	(void)evd_conn_peer(fd, &c->pid, &c->uid);
	c->next = b->conns;
	c->at = &b->conns;
	if (c->next)
		c->next->at = &c->next;
	b->conns = c;
	b->nr_conns++;
	b->was_used = true;
	watch(c, EPOLLIN);
	return c;
}

/* --- sending ---------------------------------------------------------------- */

/* The peer has them, and may have them in an epoll instance: bury.c. */
static void close_fds(const struct evd_conn *c, const int *fd,
		      unsigned int nr_fds)
{
	while (nr_fds)
		evd_bury(fd[--nr_fds], c->account->uid);
}

/*
 * After a message: an awake receiver need not look at its socket in vain.  The
 * socket wakes a sleeping one, and it may have read the message and gone to
 * sleep again before we come here, so the bell is needed as well.
 */
static void tell(struct evd_conn *c)
{
	if (c->att)
		(void)evp_lane_send(&c->att->lane->lane, c->att->rope,
				    EVP_SLOT_NEWS);
}

static uint32_t above_sure(uint32_t nr_fds)
{
	return nr_fds > EVD_SURE_UNREAD ? nr_fds - EVD_SURE_UNREAD : 0;
}

static void set_unread(struct evd_conn *c, uint32_t nr_fds)
{
	c->broker->nr_unread += above_sure(nr_fds) - above_sure(c->nr_unread);
	c->nr_unread = nr_fds;
}

/* Of what it has not read; about 600 for a small message. */
static int bytes_unread(const struct evd_conn *c)
{
	int left = 0;

	return ioctl(c->fd, SIOCOUTQ, &left) ? INT_MAX : left;
}

bool evd_has_read(const struct evd_conn *c)
{
	return !c->out && !bytes_unread(c);
}

/* A full socket refuses what is offered, though nothing waits here. */
static bool takes_more(const struct evd_conn *c)
{
	socklen_t len = sizeof(int);
	int size = 0;

	return !getsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &size, &len) &&
	       bytes_unread(c) < size;
}

/* Who has read little has not read many descriptors, whatever we count. */
bool evd_may_get(struct evd_conn *c, unsigned int nr_fds)
{
	return !c->doomed && !c->nr_waiting &&
	       (c->nr_unread + nr_fds <= 2 * EVD_MAX_UNREAD ||
		bytes_unread(c) <= MAX_BYTES);
}

bool evd_may_offer(struct evd_conn *c, unsigned int nr_fds)
{
	const struct evd_broker *b = c->broker;
	uint32_t n = c->nr_unread + nr_fds;

	if (c->doomed || c->out)
		return false;
	if (n > EVD_SURE_UNREAD && evd_has_read(c)) {
		set_unread(c, 0);
		n = nr_fds;
	}
	return n <= EVD_MAX_UNREAD && takes_more(c) &&
	       b->nr_unread + above_sure(n) - above_sure(c->nr_unread) <=
		       b->max_unread;
}

/*
 * Not the peer's fault: as many descriptors as our user may have are on their
 * way, to whomever and by whichever of his processes, or memory is short.
 */
static bool is_for_later(int rc)
{
	return rc == -ETOOMANYREFS || rc == -ENOBUFS || rc == -ENOMEM;
}

static void set_later(struct evd_conn *c, bool later)
{
	if (c->is_later != later)
		c->broker->nr_later += later ? 1u : UINT32_MAX;
	c->is_later = later;
}

/*
 * Returns an error when it can be sent later: -EAGAIN, the peer has to read
 * first; the others: in a while, nobody will tell when.
 */
static int send_now(struct evd_conn *c, const void *msg, size_t len,
		    const int *fd, unsigned int nr_fds)
{
	int rc = evp_send_packet(c->fd, msg, len, fd, nr_fds, MSG_DONTWAIT);

	set_later(c, is_for_later(rc));
	if (rc == -EAGAIN || c->is_later)
		return rc;
	close_fds(c, fd, nr_fds);
	if (rc)
		evd_doom(c, rc == -ECONNRESET ? NULL : strerror(-rc));
	else
		tell(c);
	return 0;
}

/* Who has many ports may have to hear of each of them. */
static size_t queue_limit(const struct evd_conn *c)
{
	size_t nr_ports = c->att ? c->dom->core.ports.nr_open : 0;

	return EVD_MAX_QUEUE + nr_ports * EVD_QUEUE_PER_PORT;
}

/* A socket that has room would say so for ever. */
static void watch_out(struct evd_conn *c)
{
	watch(c, c->is_later ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

static void queue(struct evd_conn *c, const void *msg, size_t len,
		  const int *fd, unsigned int nr_fds)
{
	struct evd_out *o = NULL;

	if (c->out_bytes + len <= queue_limit(c) &&
	    evd_may_have(c->broker, c->account->uid, EVD_QUEUE, len) &&
	    (!nr_fds ||
	     evd_may_have(c->broker, c->account->uid, EVD_DESCRIPTORS, nr_fds)))
		o = malloc(sizeof(*o) + len);
	if (!o) {
		close_fds(c, fd, nr_fds);
		evd_doom(c, "does not read its messages");
		return;
	}
	o->next = NULL;
	o->len = len;
	o->nr_fds = nr_fds;
	if (nr_fds)
		memcpy(o->fd, fd, nr_fds * sizeof(*fd));
	memcpy(o->bytes, msg, len);
	*c->out_tail = o;
	c->out_tail = &o->next;
	c->out_bytes += len;
	c->nr_waiting += nr_fds;
	c->account->queued += len;
	c->account->nr_fds += nr_fds;
	watch_out(c);
}

void evd_send(struct evd_conn *c, const void *msg, size_t len, const int *fd,
	      unsigned int nr_fds)
{
	set_unread(c, c->nr_unread + nr_fds);
	if (c->doomed)
		close_fds(c, fd, nr_fds);
	else if (c->out || send_now(c, msg, len, fd, nr_fds))
		queue(c, msg, len, fd, nr_fds);
}

int evd_offer(struct evd_conn *c, const void *msg, size_t len, const int *fd,
	      unsigned int nr_fds)
{
	int rc = -EAGAIN;

	if (evd_may_offer(c, nr_fds))
		rc = evp_send_packet(c->fd, msg, len, fd, nr_fds, MSG_DONTWAIT);
	close_fds(c, fd, nr_fds);
	if (rc)
		return rc;
	set_unread(c, c->nr_unread + nr_fds);
	tell(c);
	return 0;
}

static void pop(struct evd_conn *c)
{
	struct evd_out *o = c->out;

	c->out = o->next;
	if (!c->out)
		c->out_tail = &c->out;
	c->out_bytes -= o->len;
	c->nr_waiting -= o->nr_fds;
	c->account->queued -= o->len;
	c->account->nr_fds -= o->nr_fds;
	free(o);
}

void evd_conn_flush(struct evd_conn *c)
{
	struct evd_out *o;

	while (!c->doomed && (o = c->out)) {
		if (send_now(c, o->bytes, o->len, o->fd, o->nr_fds)) {
			watch_out(c);
			return;
		}
		pop(c);
	}
	if (!c->doomed)
		watch(c, EPOLLIN);
}

int evd_conns_later(struct evd_broker *b)
{
	struct evd_conn *c;
	int64_t now;

	if (!b->nr_later)
		return -1;
	now = evd_now_ms();
	if (now >= b->later_at) {
		for (c = b->conns; c; c = c->next) {
			if (c->is_later)
				evd_conn_flush(c);
		}
		b->later_at = now + EVD_LATER_MS;
	}
	return (int)(b->later_at - now);
}

void evd_refuse(struct evd_conn *c, uint32_t seq, int rc, const char *text)
{
	struct evp_refused m = {.rc = rc};

	evp_hdr_init(&m.hdr, EVP_REFUSED, sizeof(m), seq);
	(void)snprintf(m.text, sizeof(m.text), "%s", text);
	evd_send(c, &m, sizeof(m), NULL, 0);
}

/* --- closing ---------------------------------------------------------------- */

void evd_doom(struct evd_conn *c, const char *why)
{
	if (c->doomed)
		return;
	c->doomed = true;
	c->next_doomed = c->broker->doomed;
	c->broker->doomed = c;
	if (why)
		evd_log(c, "connection closed: %s", why);
	else if (c->broker->verbose)
		evd_log(c, "left");
}

static void destroy(struct evd_conn *c)
{
	set_later(c, false);
	evd_hypercall_abandon(c);
	evd_adopt_abandon(c);
	evd_grants_end(c);
	evd_detach(c);
	evd_dom_release(c);
	while (c->out) {
		close_fds(c, c->out->fd, c->out->nr_fds);
		pop(c);
	}
	/* An adopted socket may be open elsewhere and would stay watched. */
	(void)epoll_ctl(c->broker->epoll, EPOLL_CTL_DEL, c->fd, NULL);
	evd_bury_socket(c->fd, c->account->uid);
	set_unread(c, 0);
	c->account->nr_fds--;
	evd_account_put(c->broker, c->account);
	c->broker->nr_conns--;
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	free(c);
}

void evd_conns_reap(struct evd_broker *b)
{
	struct evd_conn *c;

	/* The end of one may doom others. */
	while ((c = b->doomed)) {
		b->doomed = c->next_doomed;
		destroy(c);
	}
}
