/* SPDX-License-Identifier: MIT */
/* Questions to the broker about event sources; control.h explains them. */
#include "control.h"

#include <errno.h>

static int ask_virq(int fd, enum evp_virq_op op, uint32_t virq, uint32_t domid)
{
	struct evp_virq m = {.op = op, .virq = virq, .domid = domid};
	struct evp_packet p;
	const struct evp_virq_done *a = (const void *)p.u.bytes;
	int rc;

	evp_hdr_init(&m.hdr, EVP_VIRQ, sizeof(m), 5);
	rc = evp_ask(fd, &m, sizeof(m), &p, EVP_VIRQ_DONE, sizeof(*a));
	if (rc)
		return rc;
	return a->nr_raised <= INT32_MAX ? (int)a->nr_raised : INT32_MAX;
}

int evp_control_raise(int fd, uint32_t virq, uint32_t domid)
{
	return ask_virq(fd, EVP_VIRQ_RAISE, virq, domid);
}

int evp_control_delegate(int fd, uint32_t virq, uint32_t domid)
{
	return ask_virq(fd, EVP_VIRQ_DELEGATE, virq, domid);
}

static int ask_line(int fd, enum evp_type type, uint32_t line, int desc,
		    uint32_t domid, bool again)
{
	struct evp_line m = {.line = line, .domid = domid, .again = again};
	struct evp_packet p;

	evp_hdr_init(&m.hdr, type, sizeof(m), 6);
	return evp_ask_with(fd, &m, sizeof(m), desc, &p, EVP_LINE_DONE,
			    sizeof(struct evp_line_done));
}

int evp_control_line(int fd, uint32_t line, int desc, uint32_t domid)
{
	if (desc < 0)
		return evp_fail(-EBADF, "%d is no descriptor", desc);
	return ask_line(fd, EVP_LINE, line, desc, domid, false);
}

int evp_control_permit(int fd, uint32_t line, uint32_t domid, bool again)
{
	return ask_line(fd, EVP_PERMIT, line, -1, domid, again);
}
