/* SPDX-License-Identifier: MIT */
/*
 * Physical interrupt lines, seen from a process: making one of a descriptor, and
 * ending an interrupt.  The lines themselves are the broker's (broker/pirq.c);
 * their events come as all events do.
 */
#include <errno.h>
#include <fcntl.h>

#include <abi/physdev.h>

#include "guest.h"

/* --- questions -------------------------------------------------------------- */

/* Read until the answer comes; what comes before it is news. */
static int await(struct evp_guest *g, struct evp_packet *p)
{
	int rc;

	for (;;) {
		rc = evp_recv_packet(g->control, p, 0);
		if (rc || p->u.hdr.seq == g->seq)
			return rc;
		evp_on_news(g, p);
		if (g->control < 0)
			return -ECONNRESET;
	}
}

/* @fd: -1: none goes along.  Locks: guest. */
static int ask_locked(struct evp_guest *g, enum evp_type type, uint32_t line,
		      int fd, domid_t domid)
{
	struct evp_line m = {.line = line, .domid = domid};
	struct evp_packet p;

	evp_hdr_init(&m.hdr, type, sizeof(m), ++g->seq);
	if (!evp_say_question(g, &m.hdr, fd < 0 ? NULL : &fd))
		return evp_fail(-ENOTCONN, "the broker is gone");
	if (await(g, &p)) {
		evp_read_news(g);
		evp_lose_broker(g);
		return evp_fail(-ENOTCONN, "the broker is gone");
	}
	evp_packet_close_fds(&p);
	return evp_check_answer(&p, EVP_LINE_DONE,
				sizeof(struct evp_line_done));
}

static int ask(struct evp_guest *g, enum evp_type type, uint32_t line, int fd,
	       domid_t domid)
{
	int rc;

	evp_begin(); /* in a plain guest there is nothing to keep off */
	evp_guest_lock(g);
	rc = ask_locked(g, type, line, fd, domid);
	evp_guest_unlock(g);
	evp_end();
	return rc;
}

int evp_pirq_add(struct evp_guest *g, uint32_t pirq, int fd, domid_t domid)
{
	if (fcntl(fd, F_GETFD) < 0)
		return evp_fail(-EBADF, "%d is no descriptor", fd);
	return ask(g, EVP_LINE, pirq, fd, domid);
}

int evp_pirq_permit(struct evp_guest *g, uint32_t pirq, domid_t domid)
{
	return ask(g, EVP_PERMIT, pirq, -1, domid);
}

/* --- the hypercall ---------------------------------------------------------- */

static int by_broker(struct evp_guest *g, unsigned int cmd, void *arg,
		     size_t len, bool copy_back)
{
	unsigned char buf[EVP_ARG_MAX];
	int rc;

	if (evp_copy_in(buf, arg, len))
		return -XEN_EFAULT;
	evp_guest_lock(g);
	rc = evp_ask_hypercall(g, __HYPERVISOR_physdev_op, cmd, buf, len);
	evp_guest_unlock(g);
	return rc || !copy_back ? rc : evp_copy_out(arg, buf, len);
}

int evp_physdev_op(struct evp_guest *g, unsigned int cmd, void *arg)
{
	switch (cmd) {
	case PHYSDEVOP_eoi:
		return by_broker(g, cmd, arg, sizeof(struct physdev_eoi),
				 false);
	case PHYSDEVOP_irq_status_query:
		return by_broker(g, cmd, arg,
				 sizeof(struct physdev_irq_status_query), true);
	default: /* a number, not a state */
		return -XEN_ENOSYS;
	}
}
