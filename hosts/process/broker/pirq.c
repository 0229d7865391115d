/* SPDX-License-Identifier: MIT */
/*
 * Physical interrupt lines: descriptors that are asserted while they are
 * readable, and the port each of them is bound to.
 *
 * A line is what a hypervisor's interrupt controller is to a PIRQ:
 *
 *   bound --readable--> raised, in flight --PHYSDEVOP_eoi--> watched again
 *
 * It is watched, in the broker's own epoll instance, with EPOLLONESHOT, so that
 * between the event and the end of interrupt nothing is heard of it; a line that
 * is still asserted then is raised at once.  A line that nobody has bound is not
 * watched at all.  One domain at a time binds a line: whoever wants a device
 * shared makes two lines of it.
 *
 * Descriptors come from outside.  We never read, write or close anything but our
 * copy.  But to watch one calls its poll function, in our name, and there are
 * some that wait for their maker, keep alive what should end, or take as long as
 * he likes.  So only kinds whose function is the kernel's own are let in.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <abi/physdev.h>

#include "broker.h"

static struct evd_broker *broker_of(struct evc_domain *d)
{
	return ((struct evd_dom *)d->host)->broker;
}

/* --- watching --------------------------------------------------------------- */

static int watch(struct evd_broker *b, struct evd_line *l, int op)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLONESHOT,
				 .data.ptr = l};

	return epoll_ctl(b->epoll, op, l->fd, &ev) ? -errno : 0;
}

static void ignore(struct evd_broker *b, struct evd_line *l)
{
	(void)epoll_ctl(b->epoll, EPOLL_CTL_DEL, l->fd, NULL);
}

bool evd_line_event(struct evd_broker *b, void *data)
{
	struct evd_line *l = data;

	if ((uintptr_t)l < (uintptr_t)b->line ||
	    (uintptr_t)l >= (uintptr_t)(b->line + EVP_NR_LINES))
		return false;
	/* What was bound when this event came may not be any more. */
	if (l->guest && !l->in_flight) {
		l->in_flight = true;
		evc_pirq_raise(&l->guest->core, (uint32_t)(l - b->line));
	}
	return true;
}

static void end_interrupt(struct evd_broker *b, struct evd_line *l)
{
	if (l->in_flight && watch(b, l, EPOLL_CTL_MOD))
		evd_log(NULL, "line %ld: %s", (long)(l - b->line),
			strerror(errno));
	l->in_flight = false;
}

/* --- the core's hooks ------------------------------------------------------- */

int evc_host_pirq_permit(struct evc_domain *d, uint32_t pirq)
{
	const struct evd_dom *dom = d->host;

	if (evb_u8_load(&d->privileged) ||
	    dom->may_bind[pirq / 64] & 1ull << pirq % 64)
		return 0;
	return -XEN_EPERM;
}

/* We come back to epoll when the port is there: nothing fires too early. */
int evc_host_pirq_bind(struct evc_domain *d, uint32_t pirq, uint32_t flags)
{
	struct evd_broker *b = broker_of(d);
	struct evd_line *l = &b->line[pirq];

	(void)flags; /* it may be willing to share: nobody else is */
	if (!l->owner)
		return -XEN_EINVAL;
	if (l->guest)
		return -XEN_EBUSY;
	if (watch(b, l, EPOLL_CTL_ADD))
		return -XEN_ENOMEM;
	l->guest = d->host;
	l->in_flight = false;
	return 0;
}

void evc_host_pirq_unbind(struct evc_domain *d, uint32_t pirq)
{
	struct evd_broker *b = broker_of(d);
	struct evd_line *l = &b->line[pirq];

	/* The line may have ended, and another one have its number. */
	if (l->guest != d->host)
		return;
	ignore(b, l);
	l->guest = NULL;
	l->in_flight = false;
}

void evc_host_pirq_move(struct evc_domain *d, uint32_t pirq, uint32_t vcpu)
{
	(void)d;
	(void)pirq;
	(void)vcpu;
}

/* --- physdev_op ------------------------------------------------------------- */

/* 0 if @irq is bound, by the caller if it is an attachment. */
static int check_bound(const struct evd_conn *c, uint32_t irq)
{
	evtchn_port_t port;

	if (irq >= EVP_NR_LINES)
		return -XEN_EINVAL;
	port = evb_u32_load(&c->dom->pirq_port[irq]);
	if (!port) /* an end of what a former broker raised, perhaps */
		port = evd_line_wanted(c->dom, irq);
	if (!port)
		return -XEN_EINVAL;
	return c->att && !evd_may_use(c->att, port) ? -XEN_ENOTCONN : 0;
}

static int eoi(struct evd_conn *c, const struct evp_result *r)
{
	struct physdev_eoi op;
	struct evd_line *l;
	int rc;

	if (r->arg_len < sizeof(op))
		return -XEN_EFAULT;
	memcpy(&op, r->arg, sizeof(op));
	rc = check_bound(c, op.irq);
	if (rc)
		return rc;
	l = &c->broker->line[op.irq];
	if (l->guest == c->dom)
		end_interrupt(c->broker, l);
	return 0;
}

static int status(struct evd_conn *c, struct evp_result *r)
{
	struct physdev_irq_status_query op;
	int rc;

	if (r->arg_len < sizeof(op))
		return -XEN_EFAULT;
	memcpy(&op, r->arg, sizeof(op));
	rc = check_bound(c, op.irq);
	if (rc)
		return rc;
	op.flags = XENIRQSTAT_needs_eoi;
	memcpy(r->arg, &op, sizeof(op));
	return 0;
}

int evd_physdev(struct evd_conn *c, uint32_t cmd, struct evp_result *r)
{
	switch (cmd) {
	case PHYSDEVOP_eoi:
		return eoi(c, r);
	case PHYSDEVOP_irq_status_query:
		return status(c, r);
	default: /* a number, not a state */
		return -XEN_ENOSYS;
	}
}

/* --- what may be a line ----------------------------------------------------- */

/* Pollable things without a name in a file system, by what they are. */
static bool is_known(int fd)
{
	static const char *const known[] = {"anon_inode:[eventfd]",
					    "anon_inode:[timerfd]",
					    "anon_inode:inotify"};
	char path[32], is[32];
	ssize_t n;
	size_t i;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, is, sizeof(is) - 1);
	if (n < 0)
		return false;
	is[n] = '\0';
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!strcmp(is, known[i]))
			return true;
	}
	return false;
}

/* A Unix socket can hold descriptors, even its own other end: for ever. */
static bool is_internet(int fd)
{
	int domain = AF_UNIX;
	socklen_t len = sizeof(domain);

	return !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) &&
	       domain != AF_UNIX;
}

static bool is_harmless(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return false;
	if (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode))
		return true;
	return S_ISSOCK(st.st_mode) ? is_internet(fd) : is_known(fd);
}

/* --- making and ending ------------------------------------------------------ */

static void refuse(struct evd_conn *c, const struct evp_line *m, int rc,
		   const char *why)
{
	char text[EVP_TEXT_MAX];

	(void)snprintf(text, sizeof(text), "line %u: %s", m->line, why);
	evd_refuse(c, m->hdr.seq, rc, text);
}

static void answer(struct evd_conn *c, const struct evp_line *m)
{
	struct evp_line_done a;

	evp_hdr_init(&a.hdr, EVP_LINE_DONE, sizeof(a), m->hdr.seq);
	evd_send(c, &a, sizeof(a), NULL, 0);
}

/* The domain it is about; NULL: refused. */
static struct evd_dom *check(struct evd_conn *c, const struct evp_line *m)
{
	struct evd_dom *d = evd_dom_find(c->broker, m->domid);

	if (!evd_may_control(c))
		refuse(c, m, -EPERM, "this session is for one domain only");
	else if (m->line >= EVP_NR_LINES)
		refuse(c, m, -EINVAL, "there are those from 0 to 255");
	else if (!d || d->work == EVD_DESTROY)
		refuse(c, m, -ESRCH, "there is no such domain");
	else
		return d;
	return NULL;
}

static bool has_room(const struct evd_broker *b, const struct evd_dom *d)
{
	uint32_t i, n = 0;

	for (i = 0; i < EVP_NR_LINES; i++)
		n += b->line[i].owner == d;
	return b->nr_lines < EVD_MAX_LINES && n < EVD_LINES_OF_DOM;
}

static void permit(struct evd_dom *d, uint32_t line)
{
	d->may_bind[line / 64] |= 1ull << line % 64;
}

/* Can it be watched?  0, or -errno; it is not afterwards. */
static int try_watch(struct evd_broker *b, struct evd_line *l)
{
	int rc = watch(b, l, EPOLL_CTL_ADD);

	if (!rc)
		ignore(b, l);
	return rc;
}

static int open_line(struct evd_broker *b, struct evd_line *l, int fd,
		     struct evd_dom *d)
{
	int rc;

	l->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (l->fd < 0)
		return -errno;
	rc = try_watch(b, l);
	if (rc) {
		evd_bury(l->fd, d->account->uid);
		return rc;
	}
	l->owner = d;
	l->guest = NULL;
	l->in_flight = false;
	b->nr_lines++;
	return 0;
}

void evd_line(struct evd_conn *c, const struct evp_line *m, int fd)
{
	struct evd_dom *d = check(c, m);
	struct evd_broker *b = c->broker;
	int rc;

	if (!d)
		return;
	if (m->again)
		evd_doom(c, "bad LINE");
	else if (b->line[m->line].owner)
		refuse(c, m, -EEXIST, "is another descriptor already");
	else if (!has_room(b, d))
		refuse(c, m, -ENOSPC, "there are too many lines");
	else if (!is_harmless(fd))
		refuse(c, m, -EINVAL,
		       "only a device, pipe, eventfd, timerfd, inotify or "
		       "network socket can be one");
	else if ((rc = open_line(b, &b->line[m->line], fd, d)))
		refuse(c, m, rc, "this descriptor cannot be waited for");
	else {
		permit(d, m->line);
		evd_line_came(b, m->line);
		answer(c, m);
	}
}

void evd_permit(struct evd_conn *c, const struct evp_line *m)
{
	struct evd_dom *d = check(c, m);

	if (!d)
		return;
	if (m->again > 1) {
		evd_doom(c, "bad PERMIT");
		return;
	}
	if (!c->broker->line[m->line].owner &&
	    !(m->again && evd_line_may_come(c->broker))) {
		refuse(c, m, -ENOENT, "there is no such line");
		return;
	}
	permit(d, m->line);
	evd_line_came(c->broker, m->line);
	answer(c, m);
}

/* Whoever has it bound keeps a port on which nothing comes any more. */
static void close_line(struct evd_broker *b, struct evd_line *l)
{
	uint32_t line = (uint32_t)(l - b->line);
	struct evd_dom *d;

	if (l->guest)
		ignore(b, l);
	/* A network socket may linger. */
	evd_bury(l->fd, l->owner->account->uid);
	*l = (struct evd_line){.owner = NULL};
	b->nr_lines--;
	for (d = b->doms; d; d = d->next)
		d->may_bind[line / 64] &= ~(1ull << line % 64);
}

void evd_lines_forget(struct evd_dom *d)
{
	uint32_t i;

	for (i = 0; i < EVP_NR_LINES; i++) {
		if (d->broker->line[i].owner == d)
			close_line(d->broker, &d->broker->line[i]);
	}
}
