/* SPDX-License-Identifier: MIT */
/*
 * The hypercalls, one function each: fill the structure, make the call, hand
 * out the result.  What the library has to remember about a port is told to
 * bind.c: after it was opened, before it is closed.
 *
 * To find an operation, grep its name: evg_notify -> EVTCHNOP_send -> op_send.
 */
#include <evg/fifo.h>

#include <abi/callback.h>
#include <abi/hvm.h>
#include <abi/sched.h>
#include <abi/vcpu.h>

#include "bind.h"

static int event_channel_op(struct evg_guest *g, unsigned int cmd, void *arg)
{
	return evg_plat_hypercall(g, __HYPERVISOR_event_channel_op, cmd, arg);
}

/*
 * x86-32 has layouts of its own where a structure holds an address.  A 64-bit
 * program that plays a 32-bit guest has 64-bit addresses.
 */
static bool has_32bit_addresses(const struct evg_guest *g)
{
	return g->layout == EVG_LAYOUT_X86_32 && sizeof(void *) == 4;
}

/* --- ports ----------------------------------------------------------------- */

int evg_alloc_unbound(struct evg_guest *g, domid_t dom, domid_t remote_dom,
		      evtchn_port_t *port)
{
	struct evtchn_alloc_unbound op = {.dom = dom, .remote_dom = remote_dom};
	int rc = event_channel_op(g, EVTCHNOP_alloc_unbound, &op);

	if (!rc && dom == DOMID_SELF)
		rc = evg_port_opened(g, op.port, EVG_NO_VIRQ, 0);
	if (!rc)
		*port = op.port;
	return rc;
}

int evg_bind_interdomain(struct evg_guest *g, domid_t remote_dom,
			 evtchn_port_t remote_port, evtchn_port_t *port)
{
	struct evtchn_bind_interdomain op = {
		.remote_dom = remote_dom,
		.remote_port = remote_port,
	};
	int rc = event_channel_op(g, EVTCHNOP_bind_interdomain, &op);

	if (!rc)
		rc = evg_port_opened(g, op.local_port, EVG_NO_VIRQ, 0);
	if (!rc)
		*port = op.local_port;
	return rc;
}

int evg_bind_virq(struct evg_guest *g, uint32_t virq, uint32_t vcpu,
		  evtchn_port_t *port)
{
	struct evtchn_bind_virq op = {.virq = virq, .vcpu = vcpu};
	int rc;

	if (!evg_has_vcpu(g, vcpu))
		return -XEN_ENOENT;
	rc = event_channel_op(g, EVTCHNOP_bind_virq, &op);
	if (!rc)
		rc = evg_port_opened(g, op.port, virq, vcpu);
	if (!rc)
		*port = op.port;
	return rc;
}

int evg_bind_pirq(struct evg_guest *g, uint32_t pirq, uint32_t flags,
		  evtchn_port_t *port)
{
	struct evtchn_bind_pirq op = {.pirq = pirq, .flags = flags};
	int rc = event_channel_op(g, EVTCHNOP_bind_pirq, &op);

	if (!rc)
		rc = evg_port_opened(g, op.port, EVG_NO_VIRQ, 0);
	if (!rc)
		*port = op.port;
	return rc;
}

int evg_bind_ipi(struct evg_guest *g, uint32_t vcpu, evtchn_port_t *port)
{
	struct evtchn_bind_ipi op = {.vcpu = vcpu};
	int rc;

	if (!evg_has_vcpu(g, vcpu))
		return -XEN_ENOENT;
	rc = event_channel_op(g, EVTCHNOP_bind_ipi, &op);
	if (!rc)
		rc = evg_port_opened(g, op.port, EVG_NO_VIRQ, vcpu);
	if (!rc)
		*port = op.port;
	return rc;
}

int evg_call_close(struct evg_guest *g, evtchn_port_t port)
{
	struct evtchn_close op = {.port = port};

	return event_channel_op(g, EVTCHNOP_close, &op);
}

int evg_close(struct evg_guest *g, evtchn_port_t port)
{
	int rc = evg_port_forget(g, port);

	return rc ? rc : evg_call_close(g, port);
}

/* SEND 1/9 - next evg_plat_hypercall(), the host's trap */
int evg_notify(struct evg_guest *g, evtchn_port_t port)
{
	struct evtchn_send op = {.port = port};

	/* MO-PENDING: the payload is written; the hypervisor posts after it */
	return event_channel_op(g, EVTCHNOP_send, &op);
}

int evg_status(struct evg_guest *g, struct evtchn_status *st)
{
	return event_channel_op(g, EVTCHNOP_status, st);
}

int evg_call_bind_vcpu(struct evg_guest *g, evtchn_port_t port, uint32_t vcpu)
{
	struct evtchn_bind_vcpu op = {.port = port, .vcpu = vcpu};

	return event_channel_op(g, EVTCHNOP_bind_vcpu, &op);
}

int evg_call_unmask(struct evg_guest *g, evtchn_port_t port)
{
	struct evtchn_unmask op = {.port = port};

	return event_channel_op(g, EVTCHNOP_unmask, &op);
}

/* --- FIFO ------------------------------------------------------------------ */

int evg_call_init_control(struct evg_guest *g, uint32_t vcpu, uint64_t frame,
			  uint32_t offset)
{
	struct evtchn_init_control op = {
		.control_gfn = frame,
		.offset = offset,
		.vcpu = vcpu,
	};

	return event_channel_op(g, EVTCHNOP_init_control, &op);
}

int evg_call_expand_array(struct evg_guest *g, uint64_t frame)
{
	struct evtchn_expand_array op = {.array_gfn = frame};

	return event_channel_op(g, EVTCHNOP_expand_array, &op);
}

int evg_set_priority(struct evg_guest *g, evtchn_port_t port, uint32_t priority)
{
	struct evtchn_set_priority op = {.port = port, .priority = priority};

	return event_channel_op(g, EVTCHNOP_set_priority, &op);
}

/* --- upcalls --------------------------------------------------------------- */

static int register_callback(struct evg_guest *g, uint16_t type,
			     uint64_t address)
{
	struct callback_register op = {.type = type, .address = address};
	struct callback_register_32 op_32 = {
		.type = type,
		.address = {.cs = (uint32_t)(address >> 32),
			    .eip = (uint32_t)address},
	};
	void *arg = &op;

	if (has_32bit_addresses(g))
		arg = &op_32;
	return evg_plat_hypercall(g, __HYPERVISOR_callback_op,
				  CALLBACKOP_register, arg);
}

int evg_set_callbacks(struct evg_guest *g, uint64_t event, uint64_t failsafe)
{
	int rc = 0;

	if (failsafe)
		rc = register_callback(g, CALLBACKTYPE_failsafe, failsafe);
	return rc ? rc : register_callback(g, CALLBACKTYPE_event, event);
}

int evg_set_upcall_vector(struct evg_vcpu *v, uint8_t vector)
{
	struct xen_hvm_evtchn_upcall_vector op = {
		.vcpu = v->id,
		.vector = vector,
	};

	return evg_plat_hypercall(v->guest, __HYPERVISOR_hvm_op,
				  HVMOP_set_evtchn_upcall_vector, &op);
}

int evg_set_callback_via(struct evg_guest *g, uint64_t via)
{
	struct xen_hvm_param op = {
		.domid = DOMID_SELF,
		.index = HVM_PARAM_CALLBACK_IRQ,
		.value = via,
	};

	return evg_plat_hypercall(g, __HYPERVISOR_hvm_op, HVMOP_set_param, &op);
}

int evg_get_param(struct evg_guest *g, uint32_t index, uint64_t *value)
{
	struct xen_hvm_param op = {.domid = DOMID_SELF, .index = index};
	int rc = evg_plat_hypercall(g, __HYPERVISOR_hvm_op, HVMOP_get_param,
				    &op);

	if (!rc)
		*value = op.value;
	return rc;
}

int evg_register_vcpu_info(struct evg_vcpu *v, void *info, uint64_t frame)
{
	struct evg_guest *g = v->guest;
	struct vcpu_register_vcpu_info op = {
		.mfn = frame,
		.offset = (uintptr_t)info & 4095,
	};
	unsigned long saved;
	int rc;

	if (!info || (uintptr_t)info % 8)
		return -XEN_EINVAL;

	/* An upcall between the two would look in the old place. */
	saved = evg_plat_upcalls_save(g);
	rc = evg_plat_hypercall(g, __HYPERVISOR_vcpu_op,
				VCPUOP_register_vcpu_info, &op);
	if (!rc)
		evb_ptr_store_release(&v->info, info);
	evg_plat_upcalls_restore(g, saved);

	return rc;
}

/* --- waiting and time ------------------------------------------------------ */

int evg_poll(struct evg_guest *g, const evtchn_port_t *ports, uint32_t nr,
	     uint64_t timeout)
{
	struct sched_poll op = {
		.ports = (uintptr_t)ports,
		.nr_ports = nr,
		.timeout = timeout,
	};
	struct sched_poll_32 op_32 = {
		.ports = (uint32_t)(uintptr_t)ports,
		.nr_ports = nr,
		.timeout = timeout,
	};
	void *arg = &op;

	if (has_32bit_addresses(g))
		arg = &op_32;
	return evg_plat_hypercall(g, __HYPERVISOR_sched_op, SCHEDOP_poll, arg);
}

int evg_block(struct evg_guest *g)
{
	return evg_plat_hypercall(g, __HYPERVISOR_sched_op, SCHEDOP_block,
				  NULL);
}

int evg_yield(struct evg_guest *g)
{
	return evg_plat_hypercall(g, __HYPERVISOR_sched_op, SCHEDOP_yield,
				  NULL);
}

int evg_set_timer(struct evg_guest *g, uint64_t when)
{
	struct vcpu_set_singleshot_timer op = {.timeout_abs_ns = when};
	struct vcpu_set_singleshot_timer_32 op_32 = {.timeout_abs_ns = when};
	void *arg = &op;

	if (has_32bit_addresses(g))
		arg = &op_32;
	return evg_plat_hypercall(g, __HYPERVISOR_vcpu_op,
				  VCPUOP_set_singleshot_timer, arg);
}

int evg_stop_timer(struct evg_guest *g)
{
	return evg_plat_hypercall(g, __HYPERVISOR_vcpu_op,
				  VCPUOP_stop_singleshot_timer, NULL);
}
