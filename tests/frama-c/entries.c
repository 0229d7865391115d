/* SPDX-License-Identifier: MIT */
/*
 * Where an analysis starts: one function for each call of the core.  It makes
 * any state there may be (world.c) and does the call, once, with any arguments.
 * scripts/check-frama-c runs each function whose name begins with "entry_".
 */
#include "world.h"

/* --- hypercalls ---------------------------------------------------------- */

#define HYPERCALL(op)                                                        \
	void entry_##op(void)                                                \
	{                                                                    \
		make_world(LENT);                                            \
		(void)evc_hypercall(any_vcpu(), EVTCHNOP_##op, anything_64); \
		check_world(LENT);                                           \
	}
HYPERCALL(bind_interdomain)
HYPERCALL(close)
HYPERCALL(send)
HYPERCALL(status)
HYPERCALL(alloc_unbound)
HYPERCALL(unmask)
HYPERCALL(reset)
HYPERCALL(expand_array)
HYPERCALL(set_priority)
HYPERCALL(reset_cont)

/*
 * The word at @at is a number, of @n things that exist.  The analyser looks at
 * the two cases one after the other, so it knows behind a check which it is.
 */
static void hypercall_of(uint32_t cmd, uint32_t at, uint32_t n)
{
	uint32_t exists = BETWEEN(0, 1);

	make_world(LENT);
	/*@ split exists; */
	next_word_at = at;
	next_word = NUMBER(exists, n);
	word_is_next = true;
	(void)evc_hypercall(any_vcpu(), cmd, anything_64);
	check_world(LENT);
}

#define HYPERCALL_OF(op, member, n)                                    \
	void entry_##op(void)                                          \
	{                                                              \
		hypercall_of(EVTCHNOP_##op,                            \
			     offsetof(struct evtchn_##op, member), n); \
	}
HYPERCALL_OF(bind_virq, vcpu, NR_VCPUS)
HYPERCALL_OF(bind_pirq, pirq, NR_LINES)
HYPERCALL_OF(bind_ipi, vcpu, NR_VCPUS)
HYPERCALL_OF(bind_vcpu, vcpu, NR_VCPUS)
HYPERCALL_OF(init_control, vcpu, NR_VCPUS)

void entry_no_such_hypercall(void)
{
	make_world(LENT);
	(void)evc_hypercall(any_vcpu(),
			    BETWEEN(EVTCHNOP_reset_cont + 1, UINT32_MAX),
			    anything_64);
	check_world(LENT);
}

/* What follows is evc_hypercall(), so one that exists, and the others. */
void entry_hypercall_compat(void)
{
	make_world(LENT);
	word_is_next = true;
	next_word = EVTCHNOP_unmask;
	(void)evc_hypercall_compat(any_vcpu(), anything_64);
	word_is_next = true;
	next_word = BETWEEN(EVTCHNOP_unmask + 1, UINT32_MAX);
	(void)evc_hypercall_compat(any_vcpu(), anything_64);
	check_world(LENT);
}

void entry_poll(void)
{
	uint64_t timeout;

	make_world(LENT);
	(void)evc_poll(any_vcpu(), anything_64, &timeout);
	check_world(LENT);
}

void entry_poll_32(void)
{
	uint64_t timeout;

	make_world(LENT);
	(void)evc_poll_32(any_vcpu(), anything_64, &timeout);
	(void)evc_poll_is_over(any_vcpu());
	evc_poll_end(any_vcpu());
	check_world(LENT);
}

void entry_register_info(void)
{
	make_world(LENT);
	(void)evc_vcpu_register_info(
		any_vcpu(), PICK(pages) + 8 * BETWEEN(0, (PAGE - 64) / 8));
	check_world(LENT);
}

/* --- events, and ends the hypervisor owns -------------------------------- */

void entry_virq_raise(void)
{
	make_world(LENT);
	evc_virq_raise(any_vcpu(), anything);
	evc_virq_raise_domain(PICK(domains), anything);
	evc_virq_raise_global(PICK(machines), anything);
	check_world(LENT);
}

void entry_virq_set_handler(void)
{
	make_world(LENT);
	(void)evc_virq_set_handler(PICK(domains), anything);
	evc_machine_set_hwdom(PICK(machines), PICK(domains_or_none));
	check_world(LENT);
}

void entry_pirq_raise(void)
{
	make_world(LENT);
	evc_pirq_raise(PICK(domains), anything);
	check_world(LENT);
}

void entry_consumer_alloc(void)
{
	uint32_t exists = BETWEEN(0, 1);
	evtchn_port_t port;

	make_world(LENT | ROOM);
	/*@ split exists; */
	(void)evc_consumer_alloc(PICK(domains), NUMBER(exists, NR_VCPUS),
				 (domid_t)anything,
				 anything ? PICK(callbacks) : NULL, &port);
	(void)evc_consumer_register(PICK(machines),
				    anything ? PICK(callbacks) : NULL);
	check_world(LENT);
}

void entry_consumer_free(void)
{
	make_world(LENT);
	(void)evc_consumer_free(PICK(domains), anything);
	check_world(LENT);
}

void entry_consumer_notify(void)
{
	make_world(LENT);
	evc_consumer_notify(PICK(domains), anything);
	check_world(LENT);
}

/* --- what a host calls ----------------------------------------------------- */

void entry_domain_destroy(void)
{
	make_world(LENT);
	(void)evc_domain_destroy(PICK(domains));
	check_world(LENT);
}

void entry_domain_set(void)
{
	make_world(LENT);
	evc_domain_set_paused(PICK(domains), anything);
	evc_domain_set_target(PICK(domains), PICK(domains_or_none));
	evc_domain_set_width(PICK(domains),
			     anything ? EVC_WIDTH_32 : EVC_WIDTH_64);
	check_world(LENT);
}

void entry_watch_peer(void)
{
	make_world(LENT);
	(void)evc_watch_peer(PICK(domains), anything, anything);
	check_world(LENT);
}

void entry_counters(void)
{
	struct evc_domain_counters domain;
	struct evc_counters channel;

	make_world(LENT);
	(void)evc_channel_counters(PICK(domains), anything, &channel);
	evc_domain_counters(PICK(domains), &domain);
	check_world(LENT);
}

void entry_limit_refill(void)
{
	make_world(LENT);
	(void)evc_limit_set(PICK(domains), anything);
	(void)evc_limit_refill(PICK(domains));
	check_world(LENT);
}

/* Delivery by itself, for a host that keeps a page of its own. */
void entry_deliver_bare(void)
{
	struct evc_words w;
	evb_u32 *info;

	make_world(0);
	evc_words_init(&w, PICK(pages), anything ? EVC_WIDTH_32 : EVC_WIDTH_64);
	info = (evb_u32 *)(void *)(PICK(pages) +
				   8 * BETWEEN(0, (PAGE - 64) / 8));
	(void)evc_2l_post(&w, info, anything);
	(void)evc_2l_unmask(&w, info, anything);
	check_world(0);
}

/* --- a domain that was lent nothing for FIFO and limits ------------------- */

void entry_poor_send(void)
{
	make_world(0);
	(void)evc_send(PICK(domains), anything);
	(void)evc_unmask(PICK(domains), anything);
	check_world(0);
}

void entry_poor_close(void)
{
	make_world(0);
	(void)evc_close(PICK(domains), anything);
	(void)evc_domain_destroy(PICK(domains));
	check_world(0);
}

void entry_poor_host_calls(void)
{
	struct evtchn_init_control c;
	struct evc_domain_counters n;
	evtchn_port_t port;

	make_world(0);
	Frama_C_make_unknown((char *)&c, sizeof(c));
	(void)evc_init_control(PICK(domains), &c);
	(void)evc_expand_array(PICK(domains), anything_64);
	(void)evc_bind_ipi(PICK(domains), BETWEEN(0, NR_VCPUS - 1), &port);
	(void)evc_set_priority(PICK(domains), anything, anything);
	evc_domain_counters(PICK(domains), &n);
	(void)evc_limit_set(PICK(domains), anything);
	(void)evc_limit_refill(PICK(domains));
	(void)evc_save_size(PICK(domains));
	check_world(0);
}

/* --- a port whose bucket is not there yet ----------------------------------- */

/*
 * One domain, so that the analyser sees the bucket come: nobody else touches
 * a port table while its domain's lock is held.
 */
void entry_new_bucket(void)
{
	evtchn_port_t port;

	make_world(LENT | FREE);
	(void)evc_bind_ipi(domains[0], BETWEEN(0, NR_VCPUS - 1), &port);
}
