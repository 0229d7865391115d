/* SPDX-License-Identifier: MIT */
/*
 * From lent memory to a guest without channels, and back to that.
 *
 * Masking everything comes first, and no pending bit is touched: a port the
 * toolstack opened before the guest ran keeps its event until there is a
 * handler for it.
 */
#include <evg/fifo.h>

#include "bind.h"
#include "collect.h"

static int check_config(const struct evg_config *c)
{
	if (!c->shared_info || (uintptr_t)c->shared_info % 8)
		return -XEN_EINVAL;
	if (!c->port || !c->nr_ports || !c->vcpu || !c->nr_vcpus)
		return -XEN_EINVAL;
	if ((unsigned int)c->layout > EVG_LAYOUT_ARM)
		return -XEN_EINVAL;
	if (c->nr_irqs && !c->irq)
		return -XEN_EINVAL;
	if (c->fifo && c->nr_ports > EVTCHN_FIFO_NR_CHANNELS)
		return -XEN_EINVAL;
	if (c->irq_base < 0 || c->nr_irqs > (uint32_t)(INT32_MAX - c->irq_base))
		return -XEN_EINVAL;
	return 0;
}

static void init_vcpus(struct evg_guest *g)
{
	uint32_t i;

	for (i = 0; i < g->nr_vcpus; i++) {
		g->vcpu[i] = (struct evg_vcpu){
			.guest = g,
			.id = i,
		};
		evb_ptr_store_release(&g->vcpu[i].info, evg_2l_info(g, i));
	}
}

static void forget_irqs(struct evg_guest *g)
{
	uint32_t i;

	for (i = 0; i < g->nr_irqs; i++)
		g->irq[i] = (struct evg_irq){.references = 0};
}

static void forget_all(struct evg_guest *g)
{
	uint32_t i;

	for (i = 0; i < g->nr_lent; i++)
		evg_port_reset(g, i);
	forget_irqs(g);
}

/* As evg_port_reset() of each, for a table that is zero and fresh vCPUs. */
static void give_all_to_first(struct evg_guest *g)
{
	uint32_t i;

	for (i = 1; i < g->nr_lent && i < EVG_NR_WORDS * 32; i++)
		(void)evb_test_and_set_bit(g->vcpu[0].own, i);
}

static void init_ports(struct evg_guest *g, bool are_zero)
{
	uint32_t i;

	if (are_zero) {
		give_all_to_first(g);
		return;
	}
	for (i = 0; i < g->nr_lent; i++)
		g->port[i] = (struct evg_port){.masked = false};
	for (i = 0; i < g->nr_lent; i++)
		evg_port_reset(g, i);
}

int evg_init(struct evg_guest *g, const struct evg_config *c)
{
	uint32_t limit;
	int rc = check_config(c);

	if (rc)
		return rc;

	*g = (struct evg_guest){
		.hvm = c->hvm,
		.port = c->port,
		.irq = c->irq,
		.vcpu = c->vcpu,
		.nr_lent = c->nr_ports,
		.fifo = c->fifo,
		.nr_irqs = c->nr_irqs,
		.nr_vcpus = c->nr_vcpus,
		.budget = c->budget ? c->budget : c->nr_ports,
		.irq_base = c->irq_base,
		.host = c->host,
	};
	limit = evg_2l_init(g, c->shared_info, c->layout);
	if (c->nr_ports > limit && !c->fifo)
		return -XEN_EINVAL;
	g->nr_ports_2l = c->nr_ports < limit ? c->nr_ports : limit;
	g->nr_ports = g->nr_ports_2l;
	evg_2l_mask_all(g);
	init_vcpus(g);
	if (g->fifo)
		evg_fifo_init(g);
	init_ports(g, c->ports_are_zero);
	forget_irqs(g);

	return 0;
}

int evg_reset(struct evg_guest *g)
{
	struct evtchn_reset op = {.dom = DOMID_SELF};
	int rc;

	evg_2l_mask_all(g);
	if (evg_is_fifo(g))
		evg_fifo_mask_all(g);
	rc = evg_plat_hypercall(g, __HYPERVISOR_event_channel_op,
				EVTCHNOP_reset, &op);
	if (rc)
		return rc;
	if (evg_is_fifo(g))
		evg_fifo_leave(g);
	forget_all(g);

	return 0;
}
