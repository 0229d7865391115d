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
 * Reading order: sending, memory, unmask, the rest, dispatch; ask.c.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <abi/callback.h>
#include <abi/vcpu.h>

#include "guest.h"

#define LOWEST_ADDRESS 4096

/* --- whose thread is this? -------------------------------------------------- */

static _Thread_local struct evp_vcpu *in_upcall;
static _Thread_local struct evp_guest *of_thread;
static evb_ptr of_process;

struct evp_guest *evp_current(void)
{
	if (in_upcall)
		return in_upcall->guest;
	return of_thread ? of_thread : evb_ptr_load_acquire(&of_process);
}

struct evp_vcpu *evp_enter(struct evp_vcpu *v)
{
	struct evp_vcpu *before = in_upcall;

	in_upcall = v;
	return before;
}

struct evp_vcpu *evp_in_upcall(void)
{
	return in_upcall;
}

/* The first stays: a library may attach for itself, behind its user's back. */
void evp_adopt_current(struct evp_guest *g)
{
	if (!of_thread)
		of_thread = g;
	if (!evb_ptr_load_acquire(&of_process))
		evb_ptr_store_release(&of_process, g);
}

void evp_thread_forget(const struct evp_guest *g)
{
	if (of_thread == g)
		of_thread = NULL;
}

void evp_forget_current(const struct evp_guest *g)
{
	if (in_upcall &&
	    in_upcall->guest == g) /* in a child, forked by a handler */
		in_upcall = NULL;
	evp_thread_forget(g);
	if (evb_ptr_load_acquire(&of_process) == g)
		evb_ptr_store_release(&of_process, NULL);
}

struct evg_vcpu *evg_plat_this_vcpu(struct evg_guest *evg)
{
	struct evp_guest *g = evg->host;
	struct evp_vcpu *v = evp_this(g);

	return &g->evg_vcpu[v ? v->evg->id : 0];
}

struct evg_guest *evg_plat_this_guest(void)
{
	struct evp_guest *g = evp_current();

	return g ? &g->evg : NULL;
}

/* --- sending ---------------------------------------------------------------- */

static enum evp_sent send_by_lane(struct evp_guest *g, evtchn_port_t port)
{
	const struct evp_chan *ch = &g->chan[port];
	enum evp_sent sent =
		evp_lane_send(ch->lane->out, ch->lane->rope, ch->slot_out);

	evp_note(g, &g->counts->port[port].sent[sent]);
	return sent;
}

__attribute__((noinline, cold)) static bool send_traced(struct evp_guest *g,
							evtchn_port_t port)
{
	evtchn_port_t peer = g->chan[port].peer;
	enum evp_way way = g->chan[port].way;
	uint64_t mark;

	if (way == EVP_BY_BROKER)
		return false;
	mark = evp_trace_send(g, port);
	if (way == EVP_BY_LANE) {
		evp_trace_sent(g, mark, send_by_lane(g, port));
		return true;
	}
	evp_note(g, &g->counts->sent_local);
	evp_note(g, &g->counts->port[port].sent[EVP_SET]);
	evp_arrive(g, EVP_TRACE_TAKE_LOCAL, peer);
	evp_trace_stop(g, mark, EVP_TRACE_SEND_LOCAL);
	return true;
}

/* False: only the broker can. */
static bool send_here(struct evp_guest *g, evtchn_port_t port)
{
	if (g->trace)
		return send_traced(g, port);
	switch (g->chan[port].way) {
	case EVP_BY_LANE:
		(void)send_by_lane(g, port);
		return true;
	case EVP_HERE:
		evp_note(g, &g->counts->sent_local);
		evp_note(g, &g->counts->port[port].sent[EVP_SET]);
		evp_post(g, g->chan[port].peer);
		return true;
	case EVP_BY_BROKER:
		break;
	}
	return false;
}

/*
 * Of a guarded guest: the channel stays what it is meanwhile.  Out of line, as
 * is the rest of what a plain guest's send over a lane does not need.
 */
__attribute__((noinline)) static bool send_guarded(struct evp_vcpu *v,
						   evtchn_port_t port)
{
	bool sent;

	evp_mutex_lock(&v->chans);
	sent = send_here(v->guest, port);
	evp_mutex_unlock(&v->chans);
	return sent;
}

/* Perhaps the news that it is connected is just waiting to be read. */
static int send_by_broker(struct evp_vcpu *v, evtchn_port_t port)
{
	struct evtchn_send op = {.port = port};
	struct evp_guest *g = v->guest;
	uint64_t mark;
	int rc;

	evp_collect_broker(g);
	if (g->news)
		evp_read_news(g);
	if (send_here(g, port))
		return 0;
	evp_note(g, &g->counts->sent_broker);
	evp_note(g, &g->counts->port[port].sent[EVP_SET]);
	mark = evp_trace_begin(g, EVP_TRACE_SEND_BROKER, port, 0);
	rc = evp_ask_broker(g, EVTCHNOP_send, &op, sizeof(op));
	evp_trace_end(g, mark, EVP_TRACE_SEND_BROKER);
	return rc == EVP_RC_NO_BROKER && send_here(g, port) ? 0 : rc;
}

__attribute__((noinline)) static int send_slowly(struct evp_vcpu *v,
						 evtchn_port_t port)
{
	struct evtchn_send op = {.port = port};
	struct evp_guest *g = v->guest;
	int rc;

	evp_guest_lock(g);
	rc = port < EVP_NR_PORTS
		     ? send_by_broker(v, port)
		     : evp_ask_broker(g, EVTCHNOP_send, &op, sizeof(op));
	evp_guest_unlock(g);
	return rc;
}

static int op_send(struct evp_vcpu *v, const void *arg)
{
	struct evp_guest *g = v->guest;
	struct evtchn_send op;

	if ((uintptr_t)arg < LOWEST_ADDRESS)
		return -XEN_EFAULT;
	memcpy(&op, arg, sizeof(op));
	if (op.port < EVP_NR_PORTS &&
	    (g->guarded ? send_guarded(v, op.port) : send_here(g, op.port)))
		return 0;
	return send_slowly(v, op.port);
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

/* --- unmask ----------------------------------------------------------------- */

static int op_unmask(struct evp_guest *g, const void *arg)
{
	evtchn_port_t port;
	int rc;

	if (evp_copy_in(&port, arg, sizeof(port)))
		return -XEN_EFAULT;
	evp_guest_lock(g);
	if (evp_is_open(g, port, &rc))
		evp_unmask(g, port);
	evp_guest_unlock(g);
	return rc;
}

/* --- operations the broker does --------------------------------------------- */

struct op {
	uint8_t size;
	bool copy_back;
	uint8_t opens; /* offset of the port that is open afterwards, or 0 */
	uint8_t vcpu;  /* offset of the vCPU it notifies then, or NO_VCPU */
};

#define NO_VCPU	      UINT8_MAX /* 0, as of every new port */
#define PORT_OF(name) offsetof(struct evtchn_##name, port)
#define VCPU_OF(name) offsetof(struct evtchn_##name, vcpu)

static const struct op ops[] = {
	[EVTCHNOP_bind_interdomain] =
		{sizeof(struct evtchn_bind_interdomain), true,
		 offsetof(struct evtchn_bind_interdomain, local_port), NO_VCPU},
	[EVTCHNOP_bind_virq] = {sizeof(struct evtchn_bind_virq), true,
				PORT_OF(bind_virq), VCPU_OF(bind_virq)},
	[EVTCHNOP_bind_pirq] = {sizeof(struct evtchn_bind_pirq), true,
				PORT_OF(bind_pirq), NO_VCPU},
	[EVTCHNOP_close] = {sizeof(struct evtchn_close), false, 0, 0},
	[EVTCHNOP_send] = {sizeof(struct evtchn_send), false, 0, 0},
	[EVTCHNOP_status] = {sizeof(struct evtchn_status), true, 0, 0},
	/* May be another domain's: then looked up when it is used. */
	[EVTCHNOP_alloc_unbound] = {sizeof(struct evtchn_alloc_unbound), true,
				    0, 0},
	[EVTCHNOP_bind_ipi] = {sizeof(struct evtchn_bind_ipi), true,
			       PORT_OF(bind_ipi), VCPU_OF(bind_ipi)},
	/* It is not the op that opens the port, but it is open. */
	[EVTCHNOP_bind_vcpu] = {sizeof(struct evtchn_bind_vcpu), false, 0,
				VCPU_OF(bind_vcpu)},
	[EVTCHNOP_unmask] = {sizeof(struct evtchn_unmask), false, 0, 0},
	[EVTCHNOP_reset] = {sizeof(struct evtchn_reset), false, 0, 0},
	[EVTCHNOP_reset_cont] = {sizeof(struct evtchn_reset), false, 0, 0},
};

#define NR_OPS (sizeof(ops) / sizeof(ops[0]))

static void note_kind(struct evp_guest *g, evtchn_port_t port,
		      struct evp_chan what)
{
	struct evp_chan *ch = &g->chan[port];

	evp_hear_of(g, port);
	ch->unreturned = false;
	/* News, read since the answer came, knows better. */
	if (ch->kind)
		return;
	ch->kind = what.kind;
	ch->domid = what.domid == DOMID_SELF ? g->domid : what.domid;
	ch->number = what.number;
}

union op_arg {
	struct evtchn_alloc_unbound alloc;
	struct evtchn_bind_interdomain bind;
	struct evtchn_bind_virq virq;
	struct evtchn_bind_pirq pirq;
	unsigned char bytes[EVP_ARG_MAX];
};

/* What it takes to claim the port again: see rejoin.c. */
static struct evp_chan describe(unsigned int cmd, const union op_arg *a)
{
	switch (cmd) {
	case EVTCHNOP_alloc_unbound:
		return (struct evp_chan){.kind = EVTCHNSTAT_unbound,
					 .domid = a->alloc.remote_dom};
	case EVTCHNOP_bind_interdomain:
		return (struct evp_chan){.kind = EVTCHNSTAT_interdomain,
					 .domid = a->bind.remote_dom,
					 .number = a->bind.remote_port};
	case EVTCHNOP_bind_virq:
		return (struct evp_chan){.kind = EVTCHNSTAT_virq,
					 .number = a->virq.virq};
	case EVTCHNOP_bind_pirq:
		return (struct evp_chan){.kind = EVTCHNSTAT_pirq,
					 .number = a->pirq.pirq};
	case EVTCHNOP_bind_ipi:
		return (struct evp_chan){.kind = EVTCHNSTAT_ipi};
	default: /* a number, not a state: opens nothing */
		return (struct evp_chan){.kind = EVTCHNSTAT_closed};
	}
}

static void note_opened(struct evp_guest *g, unsigned int cmd,
			const unsigned char *bytes)
{
	const struct op *op = &ops[cmd];
	union op_arg a;
	evtchn_port_t port;
	uint32_t vcpu = 0;

	if (!op->opens)
		return;
	memcpy(&a, bytes, sizeof(a));
	memcpy(&port, bytes + op->opens, sizeof(port));
	if (op->vcpu != NO_VCPU)
		memcpy(&vcpu, bytes + op->vcpu, sizeof(vcpu));
	if (port >= EVP_NR_PORTS || vcpu >= g->nr_vcpus)
		return;
	evp_chans_lock(g);
	g->chan[port].open = true;
	note_kind(g, port, describe(cmd, &a));
	/* Whatever was posted before is masked, as every new port is. */
	evb_u32_store(&g->chan[port].vcpu, vcpu);
	evp_chans_unlock(g);
}

/* A port of ours, or of another domain, who is told by GIVEN. */
static void note_allocated(struct evp_guest *g, const unsigned char *bytes)
{
	union op_arg a;

	memcpy(&a, bytes, sizeof(a));
	if ((a.alloc.dom == DOMID_SELF || a.alloc.dom == g->domid) &&
	    a.alloc.port < EVP_NR_PORTS)
		note_kind(g, a.alloc.port,
			  describe(EVTCHNOP_alloc_unbound, &a));
}

/*
 * A sender may have read the old one just before, and announce its event there:
 * that vCPU passes it on (guest/bind.c).
 */
static void note_moved(struct evp_guest *g, const unsigned char *arg)
{
	struct evtchn_bind_vcpu op;

	memcpy(&op, arg, sizeof(op));
	if (op.port < EVP_NR_PORTS && op.vcpu < g->nr_vcpus)
		evb_u32_store(&g->chan[op.port].vcpu, op.vcpu);
}

static int ask_and_note(struct evp_guest *g, unsigned int cmd, void *buf)
{
	const struct op *op = &ops[cmd];
	int rc;

	evp_guest_lock(g);
	rc = evp_ask_broker(g, cmd, buf, op->size);
	if (rc == EVP_RC_NO_BROKER && cmd == EVTCHNOP_close && g->control < 0)
		rc = evp_close_alone(g, buf);
	if (!rc && cmd == EVTCHNOP_bind_virq)
		evp_timers_bound(g, buf);
	if (!rc && cmd == EVTCHNOP_bind_vcpu)
		note_moved(g, buf);
	else if (!rc)
		note_opened(g, cmd, buf);
	if (!rc && cmd == EVTCHNOP_alloc_unbound)
		note_allocated(g, buf);
	if (!rc && cmd == EVTCHNOP_reset)
		evp_note_reset(g, buf);
	evp_guest_unlock(g);
	return rc;
}

__attribute__((noinline)) static int op_by_broker(struct evp_guest *g,
						  unsigned int cmd, void *arg)
{
	unsigned char buf[EVP_ARG_MAX];
	const struct op *op;
	int rc;

	if (cmd >= NR_OPS)
		return -XEN_ENOSYS;
	op = &ops[cmd];
	if (evp_copy_in(buf, arg, op->size))
		return -XEN_EFAULT;
	rc = ask_and_note(g, cmd, buf);
	if (rc)
		return rc;
	return op->copy_back ? evp_copy_out(arg, buf, op->size) : 0;
}

static int event_channel_op(struct evp_vcpu *v, unsigned int cmd, void *arg)
{
	switch (cmd) {
	case EVTCHNOP_send:
		return op_send(v, arg);
	case EVTCHNOP_unmask:
		return op_unmask(v->guest, arg);
	case EVTCHNOP_init_control:
		return evp_init_control(v->guest, arg);
	case EVTCHNOP_expand_array:
		return evp_expand_array(v->guest, arg);
	case EVTCHNOP_set_priority:
		return evp_set_priority(v->guest, arg);
	default: /* a number, not a state */
		return op_by_broker(v->guest, cmd, arg);
	}
}

static int event_channel_op_compat(struct evp_vcpu *v, void *arg)
{
	uint32_t cmd;

	if (evp_copy_in(&cmd, arg, sizeof(cmd)))
		return -XEN_EFAULT;
	if (cmd > EVTCHNOP_unmask)
		return -XEN_ENOSYS;
	return event_channel_op(v, cmd,
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

/*
 * Nobody posts meanwhile, so nothing is left in the old place; and there is one
 * spurious upcall, as the ABI promises.
 */
static void move_info(struct evp_vcpu *v, struct vcpu_info *info)
{
	evp_chans_lock(v->guest);
	memcpy(info, evb_ptr_load_acquire(&v->info), sizeof(*info));
	/* MO-SEL: the new place, then the bits in it */
	evb_ptr_store(&v->info, info);
	info->evtchn_pending_sel = UINT64_MAX;
	(void)evb_u8_xchg(evp_upcall_flag(v), 1);
	v->info_registered = true;
	evp_chans_unlock(v->guest);
}

/* A frame number is an address of this process without its last 12 bits. */
static int register_info(struct evp_vcpu *v, const void *arg)
{
	struct vcpu_register_vcpu_info op;
	struct vcpu_info *info;

	if (evp_copy_in(&op, arg, sizeof(op)))
		return -XEN_EFAULT;
	if (op.offset > EVP_PAGE_SIZE - sizeof(*info) || op.offset % 8)
		return -XEN_EINVAL;
	if (v->info_registered)
		return -XEN_EBUSY;
	info = (struct vcpu_info *)(uintptr_t)(op.mfn << 12 | op.offset);
	if (evp_copy_out(info, evb_ptr_load_acquire(&v->info), sizeof(*info)))
		return -XEN_EINVAL;
	evp_guest_lock(v->guest);
	move_info(v, info);
	evp_guest_unlock(v->guest);
	return 0;
}

static int vcpu_op(struct evp_vcpu *v, unsigned int cmd, const void *arg)
{
	if (cmd == VCPUOP_register_vcpu_info)
		return register_info(v, arg);
	return evp_timer_op(v, cmd, arg);
}

/* Inlined twice, for the plain guest's sake. */
__attribute__((always_inline)) static inline int
trap(struct evp_vcpu *v, unsigned int nr, unsigned int cmd, void *arg)
{
	switch (nr) {
	case __HYPERVISOR_event_channel_op:
		return event_channel_op(v, cmd, arg);
	case __HYPERVISOR_event_channel_op_compat:
		return event_channel_op_compat(v, arg);
	case __HYPERVISOR_sched_op:
		return evp_sched_op(v, cmd, arg);
	case __HYPERVISOR_vcpu_op:
		return vcpu_op(v, cmd, arg);
	case __HYPERVISOR_physdev_op:
		return evp_physdev_op(v->guest, cmd, arg);
	case __HYPERVISOR_callback_op:
		return callback_op(v->guest, cmd, arg);
	default: /* a number, not a state */
		return -XEN_ENOSYS;
	}
}

/* Kept out of line: it would cost registers in every plain guest's trap. */
__attribute__((noinline)) static int
trap_guarded(struct evp_guest *g, unsigned int nr, unsigned int cmd, void *arg)
{
	struct evp_vcpu *v = evp_this(g);
	int rc;

	if (!v)
		return -XEN_EPERM;
	evp_begin();
	rc = trap(v, nr, cmd, arg);
	evp_end();
	return rc;
}

/* SEND 2/9 - from guest/hypercalls.c evg_notify(); next lane.c evp_lane_send(), or core/hypercall.c in the broker */
int evg_plat_hypercall(struct evg_guest *evg, unsigned int nr, unsigned int cmd,
		       void *arg)
{
	struct evp_guest *g = evg->host;

	if (g->guarded)
		return trap_guarded(g, nr, cmd, arg);
	return trap(&g->vcpu[0], nr, cmd, arg);
}
