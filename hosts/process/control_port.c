/* SPDX-License-Identifier: MIT */
/*
 * Ports of a domain that belong to none of its programs: the questions.
 *
 * Giving up waiting needs care: the answer may be on its way, and the event is
 * ours then.  So CANCEL is sent, and the answer, which comes in any case, is
 * read.
 */
#include <errno.h>
#include <poll.h>

#include <evp/evp.h>

#include "clock.h"
#include "control.h"

#define NS_PER_MS INT64_C(1000000)

static void init(struct evp_port_req *m, enum evp_port_op op, uint32_t domid,
		 uint32_t port, const char *name)
{
	*m = (struct evp_port_req){
		.op = (uint16_t)op, .domid = (uint16_t)domid, .port = port};
	evp_copy_name(m->name, name ? name : "");
	evp_hdr_init(&m->hdr, EVP_PORT, sizeof(*m), 5);
}

int evp_control_port(int fd, enum evp_port_op op, uint32_t domid, uint32_t port,
		     const char *name, struct evp_port_entry *e)
{
	struct evp_port_req m;
	struct evp_packet p;
	const struct evp_port_is *r = (const void *)p.u.bytes;
	int rc;

	init(&m, op, domid, port, name);
	rc = evp_ask(fd, &m, sizeof(m), &p, EVP_PORT_IS, sizeof(*r));
	if (!rc && e)
		*e = r->entry;
	return rc;
}

/* --- waiting ---------------------------------------------------------------- */

/* How long poll(2) is to wait: in the last millisecond not at all too short. */
static int ms_until(int64_t deadline)
{
	int64_t left;

	if (deadline == INT64_MAX)
		return -1;
	left = deadline - evp_now();
	if (left <= 0)
		return 0;
	left = (left + NS_PER_MS - 1) / NS_PER_MS;
	return left < INT32_MAX ? (int)left : INT32_MAX;
}

/* True: there is something to read, or never will be. */
static bool is_answered(int fd, int64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int ms;

	do {
		ms = ms_until(deadline);
		if (poll(&p, 1, ms) > 0)
			return true;
	} while (ms);
	return false;
}

static int tell(int fd, enum evp_port_op op)
{
	struct evp_port_req m;

	init(&m, op, 0, 0, NULL);
	return evp_send_packet(fd, &m, sizeof(m), NULL, 0, 0);
}

int evp_control_wait(int fd, uint32_t port, int64_t deadline)
{
	struct evp_wait_req m = {.port = port};
	struct evp_packet p;
	const struct evp_waited *r = (const void *)p.u.bytes;
	int rc;

	evp_hdr_init(&m.hdr, EVP_WAIT, sizeof(m), 6);
	rc = evp_send_packet(fd, &m, sizeof(m), NULL, 0, 0);
	if (!rc && !is_answered(fd, deadline))
		rc = tell(fd, EVP_PORT_CANCEL);
	if (rc && rc != -ECONNRESET)
		return evp_fail(rc, "cannot talk to the broker");
	rc = evp_answer(fd, &p, EVP_WAITED, sizeof(*r));
	if (rc)
		return rc;
	if (r->rc == -ECANCELED)
		return 0;
	if (r->rc)
		return evp_fail(r->rc, "port %u was closed", port);
	/* A broker that is gone by now has it written down: once more. */
	(void)tell(fd, EVP_PORT_TOOK);
	return 1;
}
