/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls of an attached process.
 *
 * Sending over a connected channel, local channels, unmasking and waiting are
 * done here, in this process's own memory and lanes; everything else is a
 * message to the broker, whose core checks it and decides.  What is done here
 * answers as the core would: a port this process does not know of is looked up
 * there first.
 *
 * An address from outside is read and written in a way that a bad one gives
 * -XEN_EFAULT and no signal.  Sending is the exception, for its speed: only an
 * address in the first page is refused, any other must be valid.
 *
 * Reading order: sending, memory, the broker, unmask, the rest, dispatch.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <abi/callback.h>
#include <abi/vcpu.h>

#include "guest.h"

#define LOWEST_ADDRESS 4096

/* --- whose thread is this? -------------------------------------------------- */

static _Thread_local struct evp_guest *in_upcall;
static _Thread_local struct evp_guest *of_thread;
static evb_ptr of_process;

struct evp_guest *evp_current(void)
{
	if (in_upcall)
		return in_upcall;
	return of_thread ? of_thread : evb_ptr_load_acquire(&of_process);
}

struct evp_guest *evp_enter(struct evp_guest *g)
{
	struct evp_guest *before = in_upcall;

	in_upcall = g;
	return before;
}

/* The first stays: a library may attach for itself, behind its user's back. */
void evp_adopt_current(struct evp_guest *g)
{
	if (!of_thread)
		of_thread = g;
	if (!evb_ptr_load_acquire(&of_process))
		evb_ptr_store_release(&of_process, g);
}

void evp_forget_current(const struct evp_guest *g)
{
	if (in_upcall == g) /* in a child, forked by a handler */
		in_upcall = NULL;
	if (of_thread == g)
		of_thread = NULL;
	if (evb_ptr_load_acquire(&of_process) == g)
		evb_ptr_store_release(&of_process, NULL);
}

struct evg_vcpu *evg_plat_this_vcpu(struct evg_guest *evg)
{
	struct evp_guest *g = evg->host;

	return &g->vcpu;
}

struct evg_guest *evg_plat_this_guest(void)
{
	struct evp_guest *g = evp_current();

	return g ? &g->evg : NULL;
}

void evg_plat_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* --- sending ---------------------------------------------------------------- */

static void send_by_lane(struct evp_guest *g, const struct evp_chan *ch)
{
	switch (evp_lane_send(ch->lane->out, ch->lane->bell, ch->slot_out)) {
	case EVP_MERGED:
		g->stats.sent_merged++;
		return;
	case EVP_RANG:
		g->stats.rings++;
		break;
	case EVP_SET:
		break;
	}
	g->stats.sent_lane++;
}

/* False: only the broker can. */
static bool send_here(struct evp_guest *g, const struct evp_chan *ch)
{
	switch (ch->way) {
	case EVP_BY_LANE:
		send_by_lane(g, ch);
		return true;
	case EVP_HERE:
		g->stats.sent_local++;
		evp_post(g, ch->peer);
		return true;
	case EVP_BY_BROKER:
		break;
	}
	return false;
}

/* Perhaps the news that it is connected is just waiting to be read. */
static int send_by_broker(struct evp_guest *g, evtchn_port_t port)
{
	struct evtchn_send op = {.port = port};
	const struct evp_chan *ch = &g->chan[port];
	int rc;

	evp_collect_broker(g);
	if (g->news)
		evp_read_news(g);
	if (send_here(g, ch))
		return 0;
	g->stats.sent_broker++;
	rc = evp_ask_broker(g, EVTCHNOP_send, &op, sizeof(op));
	return rc == EVP_RC_NO_BROKER && send_here(g, ch) ? 0 : rc;
}

static int op_send(struct evp_guest *g, const void *arg)
{
	struct evtchn_send op;

	if ((uintptr_t)arg < LOWEST_ADDRESS)
		return -XEN_EFAULT;
	memcpy(&op, arg, sizeof(op));
	if (op.port >= EVP_NR_PORTS)
		return evp_ask_broker(g, EVTCHNOP_send, &op, sizeof(op));
	if (send_here(g, &g->chan[op.port]))
		return 0;
	return send_by_broker(g, op.port);
}

/* --- memory ----------------------------------------------------------------- */

typedef ssize_t copy_fn(pid_t pid, const struct iovec *local,
			unsigned long nr_local, const struct iovec *remote,
			unsigned long nr_remote, unsigned long flags);

/* The kernel copies, because it can fail. */
static int copy(copy_fn *fn, void *own, uintptr_t other, size_t len)
{
	struct iovec local = {.iov_base = own, .iov_len = len};
	struct iovec remote = {.iov_base = (void *)other, .iov_len = len};
	ssize_t n;

	if (other < LOWEST_ADDRESS)
		return -XEN_EFAULT;
	n = fn(getpid(), &local, 1, &remote, 1, 0);
	if (n == (ssize_t)len)
		return 0;
	/* Some containers forbid the call: then trust the address. */
	return n < 0 && errno != EFAULT ? 1 : -XEN_EFAULT;
}

int evp_copy_in(void *dst, const void *src, size_t len)
{
	int rc = len ? copy(process_vm_readv, dst, (uintptr_t)src, len) : 0;

	if (rc > 0)
		memcpy(dst, src, len);
	return rc < 0 ? rc : 0;
}

int evp_copy_out(void *dst, const void *src, size_t len)
{
	void *own = (void *)(uintptr_t)src; /* process_vm_writev() reads it */
	int rc = len ? copy(process_vm_writev, own, (uintptr_t)dst, len) : 0;

	if (rc > 0)
		memcpy(dst, src, len);
	return rc < 0 ? rc : 0;
}

/* --- the broker ------------------------------------------------------------- */

/* Read until the answer comes; what comes before it is news. */
static int await(struct evp_guest *g, struct evp_packet *p, size_t len)
{
	const struct evp_result *r = (const void *)p->u.bytes;
	int rc;

	for (;;) {
		rc = evp_recv_packet(g->control, p, 0);
		if (rc)
			return rc;
		if (p->u.hdr.type != EVP_RESULT) {
			evp_on_news(g, p);
			if (g->control < 0)
				return -ECONNRESET;
			continue;
		}
		evp_packet_close_fds(p);
		if (p->len != offsetof(struct evp_result, arg) + len ||
		    r->arg_len != len || r->hdr.seq != g->seq)
			return -EPROTO;
		return 0;
	}
}

int evp_ask_broker(struct evp_guest *g, uint32_t cmd, void *arg, size_t len)
{
	struct evp_hypercall m = {.nr = __HYPERVISOR_event_channel_op,
				  .cmd = cmd,
				  .arg_len = (uint32_t)len};
	size_t total = offsetof(struct evp_hypercall, arg) + len;
	struct evp_packet p;
	const struct evp_result *r = (const void *)p.u.bytes;

	if (g->control < 0)
		return EVP_RC_NO_BROKER;
	if (len)
		memcpy(m.arg, arg, len);
	evp_hdr_init(&m.hdr, EVP_HYPERCALL, total, ++g->seq);
	g->stats.hypercalls++;
	if (evp_send_packet(g->control, &m, total, NULL, 0, 0) ||
	    await(g, &p, len)) {
		evp_read_news(g);
		evp_lose_broker(g);
		return EVP_RC_NO_BROKER;
	}
	if (len)
		memcpy(arg, r->arg, len);
	/* A connection's first event is pending when binding returns. */
	evp_collect_broker(g);
	return r->rc;
}

bool evp_is_open(struct evp_guest *g, evtchn_port_t port, int *rc)
{
	struct evtchn_status st = {.dom = DOMID_SELF, .port = port};

	*rc = 0;
	if (port < EVP_NR_PORTS && g->chan[port].open)
		return true;
	*rc = evp_ask_broker(g, EVTCHNOP_status, &st, sizeof(st));
	if (*rc || st.status == EVTCHNSTAT_closed || port >= EVP_NR_PORTS)
		return false;
	/* It is the domain's; the broker says whether it is ours. */
	*rc = evp_ask_broker(g, EVTCHNOP_unmask, &port, sizeof(port));
	if (*rc)
		return false;
	g->chan[port].open = true;
	return true;
}

/* --- unmask ----------------------------------------------------------------- */

static int op_unmask(struct evp_guest *g, const void *arg)
{
	evtchn_port_t port;
	int rc;

	if (evp_copy_in(&port, arg, sizeof(port)))
		return -XEN_EFAULT;
	if (!evp_is_open(g, port, &rc))
		return rc;
	/* MO-UPCALL: as in evp_post() */
	if (evc_2l_unmask(&g->words, g->info, port) & EVC_RAISE)
		(void)evb_u8_xchg((evb_u8 *)g->info, 1);
	return 0;
}

/* --- operations the broker does --------------------------------------------- */

struct op {
	uint8_t size;
	bool copy_back;
	uint8_t opens; /* offset of the port that is open afterwards, or 0 */
};

#define PORT_OF(name) offsetof(struct evtchn_##name, port)

static const struct op ops[] = {
	[EVTCHNOP_bind_interdomain] = {sizeof(struct evtchn_bind_interdomain),
				       true,
				       offsetof(struct evtchn_bind_interdomain,
						local_port)},
	[EVTCHNOP_bind_virq] = {sizeof(struct evtchn_bind_virq), true,
				PORT_OF(bind_virq)},
	[EVTCHNOP_bind_pirq] = {sizeof(struct evtchn_bind_pirq), true,
				PORT_OF(bind_pirq)},
	[EVTCHNOP_close] = {sizeof(struct evtchn_close), false, 0},
	[EVTCHNOP_send] = {sizeof(struct evtchn_send), false, 0},
	[EVTCHNOP_status] = {sizeof(struct evtchn_status), true, 0},
	/* May be another domain's: then looked up when it is used. */
	[EVTCHNOP_alloc_unbound] = {sizeof(struct evtchn_alloc_unbound), true,
				    0},
	[EVTCHNOP_bind_ipi] = {sizeof(struct evtchn_bind_ipi), true,
			       PORT_OF(bind_ipi)},
	[EVTCHNOP_bind_vcpu] = {sizeof(struct evtchn_bind_vcpu), false, 0},
	[EVTCHNOP_unmask] = {sizeof(struct evtchn_unmask), false, 0},
	[EVTCHNOP_reset] = {sizeof(struct evtchn_reset), false, 0},
	[EVTCHNOP_init_control] = {sizeof(struct evtchn_init_control), true, 0},
	[EVTCHNOP_expand_array] = {sizeof(struct evtchn_expand_array), false,
				   0},
	[EVTCHNOP_set_priority] = {sizeof(struct evtchn_set_priority), false,
				   0},
	[EVTCHNOP_reset_cont] = {sizeof(struct evtchn_reset), false, 0},
};

#define NR_OPS (sizeof(ops) / sizeof(ops[0]))

static void note_opened(struct evp_guest *g, const struct op *op,
			const unsigned char *arg)
{
	evtchn_port_t port;

	if (!op->opens)
		return;
	memcpy(&port, arg + op->opens, sizeof(port));
	if (port < EVP_NR_PORTS)
		g->chan[port].open = true;
}

static int op_by_broker(struct evp_guest *g, unsigned int cmd, void *arg)
{
	unsigned char buf[EVP_ARG_MAX];
	const struct op *op;
	int rc;

	if (cmd >= NR_OPS)
		return -XEN_ENOSYS;
	op = &ops[cmd];
	if (evp_copy_in(buf, arg, op->size))
		return -XEN_EFAULT;
	rc = evp_ask_broker(g, cmd, buf, op->size);
	if (rc)
		return rc;
	note_opened(g, op, buf);
	return op->copy_back ? evp_copy_out(arg, buf, op->size) : 0;
}

static int event_channel_op(struct evp_guest *g, unsigned int cmd, void *arg)
{
	switch (cmd) {
	case EVTCHNOP_send:
		return op_send(g, arg);
	case EVTCHNOP_unmask:
		return op_unmask(g, arg);
	default: /* a number, not a state */
		return op_by_broker(g, cmd, arg);
	}
}

static int event_channel_op_compat(struct evp_guest *g, void *arg)
{
	uint32_t cmd;

	if (evp_copy_in(&cmd, arg, sizeof(cmd)))
		return -XEN_EFAULT;
	if (cmd > EVTCHNOP_unmask)
		return -XEN_ENOSYS;
	return event_channel_op(g, cmd,
				(char *)arg + offsetof(struct evtchn_op, u));
}

/* --- other hypercalls ------------------------------------------------------- */

/* An entry point is a function void (*)(void) of this process. */
static int callback_op(struct evp_guest *g, unsigned int cmd, const void *arg)
{
	struct callback_register op;

	if (cmd != CALLBACKOP_register)
		return -XEN_ENOSYS;
	if (evp_copy_in(&op, arg, sizeof(op)))
		return -XEN_EFAULT;
	if (op.type == CALLBACKTYPE_event)
		g->callback = (void (*)(void))(uintptr_t)op.address;
	return op.type == CALLBACKTYPE_event || op.type == CALLBACKTYPE_failsafe
		       ? 0
		       : -XEN_EINVAL;
}

/* A frame number is an address of this process without its last 12 bits. */
static int register_info(struct evp_guest *g, const void *arg)
{
	struct vcpu_register_vcpu_info op;
	struct vcpu_info *info;

	if (evp_copy_in(&op, arg, sizeof(op)))
		return -XEN_EFAULT;
	if (op.offset > EVP_PAGE_SIZE - sizeof(*info) || op.offset % 8)
		return -XEN_EINVAL;
	if (g->info_registered)
		return -XEN_EBUSY;
	info = (struct vcpu_info *)(uintptr_t)(op.mfn << 12 | op.offset);
	if (evp_copy_out(info, g->info, sizeof(*info)))
		return -XEN_EINVAL;
	g->info = (evb_u32 *)(void *)info;
	g->info_registered = true;
	/* One spurious upcall, as the ABI promises. */
	info->evtchn_pending_sel = UINT64_MAX;
	(void)evb_u8_xchg((evb_u8 *)g->info, 1);
	return 0;
}

static int vcpu_op(struct evp_guest *g, unsigned int cmd, const void *arg)
{
	if (cmd != VCPUOP_register_vcpu_info)
		return -XEN_ENOSYS;
	return register_info(g, arg);
}

/* SEND 2/9 - from guest/hypercalls.c evg_notify(); next lane.c evp_lane_send(), or core/hypercall.c in the broker */
int evg_plat_hypercall(struct evg_guest *evg, unsigned int nr, unsigned int cmd,
		       void *arg)
{
	struct evp_guest *g = evg->host;

	switch (nr) {
	case __HYPERVISOR_event_channel_op:
		return event_channel_op(g, cmd, arg);
	case __HYPERVISOR_event_channel_op_compat:
		return event_channel_op_compat(g, arg);
	case __HYPERVISOR_sched_op:
		return evp_sched_op(g, cmd, arg);
	case __HYPERVISOR_vcpu_op:
		return vcpu_op(g, cmd, arg);
	case __HYPERVISOR_callback_op:
		return callback_op(g, cmd, arg);
	default: /* a number, not a state */
		return -XEN_ENOSYS;
	}
}
