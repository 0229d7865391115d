/* SPDX-License-Identifier: MIT */
/*
 * Going on in another program, and with fewer rights.
 *
 * exec() leaves of a guest only the connection to the broker, if that was kept
 * open.  It is enough: the broker knows which ports there are and to what they
 * are connected, and sends that again (broker/takeover.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "guest.h"

int evp_inherit(struct evp_guest *g)
{
	if (g->guarded)
		return evp_fail(-EOPNOTSUPP, "only a guest of one thread can "
					     "survive exec()");
	if (g->control < 0)
		return evp_fail(-ENOTCONN, "the broker is gone");
	if (!g->inherited && fcntl(g->control, F_SETFD, 0))
		return evp_fail(-errno, "cannot keep the connection open");
	g->inherited = true;
	return g->control;
}

/*
 * Until the answer comes: what was meant for the program before this one.  With
 * that may be a question's answer that it did not wait for, so not any will do.
 */
static int await(int fd, uint32_t seq, struct evp_packet *p)
{
	const struct evp_refused *no = (const void *)p->u.bytes;
	int rc;

	for (;;) {
		rc = evp_recv_packet(fd, p, 0);
		if (rc)
			return evp_fail(rc == -ECONNRESET ? -ENOTCONN : rc,
					"the broker did not answer");
		if (p->u.hdr.seq == seq && p->u.hdr.type == EVP_REFUSED &&
		    p->len == sizeof(*no))
			return evp_fail(no->rc < 0 ? no->rc : -EPROTO, "%.*s",
					EVP_TEXT_MAX, no->text);
		if (p->u.hdr.seq == seq && p->u.hdr.type == EVP_TAKEN_OVER &&
		    p->len == sizeof(struct evp_taken_over))
			return 0;
		evp_packet_close_fds(p);
	}
}

static int ask(int fd, struct evp_packet *p)
{
	/* Other than that of an earlier one, whose program did not live long. */
	uint32_t seq = (uint32_t)evp_now();
	struct evp_take_over m;
	int rc;

	evp_hdr_init(&m.hdr, EVP_TAKE_OVER, sizeof(m), seq);
	rc = evp_send_packet(fd, &m, sizeof(m), NULL, 0, 0);
	/* A refusal may be waiting: look, even when the broker hung up. */
	if (rc && rc != -ECONNRESET)
		return evp_fail(-ENOTCONN, "descriptor %d leads to no broker",
				fd);
	rc = await(fd, seq, p);
	if (!rc && p->nr_fds != 2) {
		evp_packet_close_fds(p);
		rc = evp_fail(-EMFILE, "no descriptors came from the broker");
	}
	return rc;
}

/* Until all ports are known: they are what the broker tells of first. */
static int hear_of_ports(struct evp_guest *g, uint32_t nr_ports)
{
	struct evp_packet p;
	int rc;

	while (nr_ports) {
		rc = evp_recv_packet(g->control, &p, 0);
		if (rc)
			return evp_fail(-ENOTCONN, "the broker is gone");
		nr_ports -= p.u.hdr.type == EVP_GIVEN;
		evp_on_news(g, &p);
	}
	return 0;
}

static int take_over(struct evp_guest *g, int fd)
{
	struct evp_packet p = {.nr_fds = 0};
	const struct evp_taken_over *m = (const void *)p.u.bytes;
	int rc = ask(fd, &p);

	if (rc)
		return rc;
	g->control = fd;
	g->inherited = true;
	rc = evp_guest_settle(g, &p, m->domid, m->lane);
	evp_packet_close_fds(&p);
	return rc ? rc : hear_of_ports(g, m->nr_ports);
}

int evp_take_over(struct evp_guest **out, int fd)
{
	static const struct evp_options defaults = {
		.domain = EVP_DOMAIN_ENV, .spin_ns = EVP_SPIN_DEFAULT};
	struct evp_guest *g = evp_guest_new();
	int rc;

	if (!g)
		return evp_fail(-ENOMEM, "no memory");
	rc = evp_guest_spin(g, &defaults);
	if (!rc)
		rc = take_over(g, fd);
	if (rc) {
		g->control = -1;
		evp_detach(g);
		return rc;
	}
	evp_adopt_current(g);
	*out = g;
	return 0;
}

int evp_next_port(const struct evp_guest *g, uint32_t from)
{
	for (; from < evp_end_port(g); from++) {
		if (g->chan[from].open)
			return (int)from;
	}
	return -1;
}

static int ask_restrict(struct evp_guest *g, domid_t domid)
{
	struct evp_restrict m = {.domid = domid};
	int rc;

	evp_begin();
	evp_guest_lock(g);
	evp_hdr_init(&m.hdr, EVP_RESTRICT, sizeof(m), ++g->seq);
	rc = evp_ask_result(g, &m.hdr, NULL, 0);
	if (!rc)
		g->limit = domid;
	evp_guest_unlock(g);
	evp_end();
	return rc;
}

int evp_restrict(struct evp_guest *g, domid_t domid)
{
	switch (ask_restrict(g, domid)) {
	case 0:
		return 0;
	case -XEN_EACCES:
		return evp_fail(-EACCES, "it is restricted already");
	case -XEN_EINVAL:
		return evp_fail(-EINVAL, "%u is no domain to be restricted to",
				domid);
	default: /* a number, not a state */
		return evp_fail(-ENOTCONN, "the broker is gone");
	}
}
