/* SPDX-License-Identifier: MIT */
/*
 * Which hypercalls are answered, and by whom: the broker, about ports; this
 * library, about the version.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>

#include <abi/event_channel.h>

#include "call.h"
#include "../hosts/process/session.h"
#include "xenctl.h"

/* --- event_channel_op ------------------------------------------------------- */

/* The size of a command's structure; 0: there is no such command. */
static const uint8_t sizes[] = {
	[EVTCHNOP_bind_interdomain] = sizeof(struct evtchn_bind_interdomain),
	[EVTCHNOP_bind_virq] = sizeof(struct evtchn_bind_virq),
	[EVTCHNOP_bind_pirq] = sizeof(struct evtchn_bind_pirq),
	[EVTCHNOP_close] = sizeof(struct evtchn_close),
	[EVTCHNOP_send] = sizeof(struct evtchn_send),
	[EVTCHNOP_status] = sizeof(struct evtchn_status),
	[EVTCHNOP_alloc_unbound] = sizeof(struct evtchn_alloc_unbound),
	[EVTCHNOP_bind_ipi] = sizeof(struct evtchn_bind_ipi),
	[EVTCHNOP_bind_vcpu] = sizeof(struct evtchn_bind_vcpu),
	[EVTCHNOP_unmask] = sizeof(struct evtchn_unmask),
	[EVTCHNOP_reset] = sizeof(struct evtchn_reset),
	[EVTCHNOP_set_priority] = sizeof(struct evtchn_set_priority),
};

/* The broker is gone: for a program that is an end without a reason. */
static int lost(int rc)
{
	return rc == -ECONNRESET || rc == -EPROTO ? -ENOTCONN : rc;
}

static int event_channel_op(struct xencall_handle *h, uint64_t cmd,
			    uint64_t arg)
{
	unsigned char bytes[EVP_ARG_MAX];
	size_t size = cmd < sizeof(sizes) ? sizes[cmd] : 0;
	int rc, err;

	if (!size)
		return -ENOSYS;
	err = evu_copy_in(bytes, arg, size);
	if (err)
		return err;
	evp_session_resume(&h->s);
	err = evp_session_hypercall(h->s.fd, __HYPERVISOR_event_channel_op,
				    (uint32_t)cmd, bytes, size, &rc);
	if (err)
		return lost(err);
	/* What has happened has, even if nobody learns of it. */
	if (rc >= 0)
		err = evu_copy_out(arg, bytes, size);
	return err ? err : evu_result(rc);
}

/*
 * What Xen's headers make of it for a program that does not say for which
 * version it is made: the command first, its structure after it.
 */
static int event_channel_op_compat(struct xencall_handle *h, uint64_t arg)
{
	uint32_t cmd;
	int rc = evu_copy_in(&cmd, arg, sizeof(cmd));

	if (rc)
		return rc;
	if (cmd > EVTCHNOP_unmask)
		return -ENOSYS;
	return event_channel_op(h, cmd, arg + offsetof(struct evtchn_op, u));
}

/* --- xen_version ------------------------------------------------------------ */

/* Whose interface this is, and that it is not the hypervisor itself. */
#define VERSION (4 << 16 | 17)
#define EXTRA	"-evtchn"

/* What is written where the argument points. */
static const struct {
	uint16_t size; /* 0: no such command */
	const char *text;
} texts[] = {
	[CTL_VERSION_EXTRA] = {CTL_EXTRA_LEN, EXTRA},
	[CTL_VERSION_COMPILE_INFO] = {CTL_COMPILE_INFO_LEN, ""},
	[CTL_VERSION_CAPABILITIES] = {CTL_CAPABILITIES_LEN, ""},
	[CTL_VERSION_CHANGESET] = {CTL_CHANGESET_LEN, ""},
	[CTL_VERSION_PLATFORM] = {CTL_PLATFORM_LEN, ""},
	[CTL_VERSION_GUEST_HANDLE] = {CTL_HANDLE_LEN, ""},
	[CTL_VERSION_COMMANDLINE] = {CTL_COMMANDLINE_LEN, ""},
};

#define NR_TEXTS (sizeof(texts) / sizeof(texts[0]))

static int xen_version(uint64_t cmd, uint64_t arg)
{
	char text[CTL_CAPABILITIES_LEN] = "";

	if (cmd == CTL_VERSION_NUMBER)
		return VERSION;
	if (cmd == CTL_VERSION_PAGESIZE)
		return 4096;
	if (cmd >= NR_TEXTS || !texts[cmd].size)
		return -ENOSYS;
	memcpy(text, texts[cmd].text, strlen(texts[cmd].text));
	return evu_copy_out(arg, text, texts[cmd].size);
}

/* --- all -------------------------------------------------------------------- */

int evu_call_do(struct xencall_handle *h, const struct evu_call *c)
{
	switch (c->op) {
	case __HYPERVISOR_event_channel_op:
		return event_channel_op(h, c->arg[0], c->arg[1]);
	case __HYPERVISOR_event_channel_op_compat:
		return event_channel_op_compat(h, c->arg[0]);
	case __HYPERVISOR_xen_version:
		return xen_version(c->arg[0], c->arg[1]);
	case CTL_HYPERVISOR_DOMCTL:
		return lost(evu_call_domctl(h, c->arg[0]));
	case CTL_HYPERVISOR_SYSCTL:
		return lost(evu_call_sysctl(h, c->arg[0]));
	default: /* a number, not a state */
		return -ENOSYS;
	}
}
