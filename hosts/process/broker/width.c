/* SPDX-License-Identifier: MIT */
/*
 * How many ports an attachment can have.
 *
 * A program that switches to FIFO event channels has room for 131,072, any other
 * for 4,096: its shared_info has no more bits.  It is the attachment that
 * switches, in its own memory, so a domain may have both kinds; what is opened
 * for one has to have a number it can use.  The process does all the work, and
 * tells us with the same hypercall (hosts/process/fifo.c).
 */
#include <string.h>

#include "width.h"

#define PAGE_SIZE 4096

void evd_be_2l(struct evd_att *a)
{
	a->nr_ports = EVTCHN_2L_NR_CHANNELS_64;
}

void evd_be_fifo(struct evd_att *a)
{
	a->nr_ports = EVTCHN_FIFO_NR_CHANNELS;
}

uint32_t evd_room_for_ports(const struct evd_dom *d)
{
	const struct evd_broker *b = d->broker;
	const struct evd_att *a = b->caller;

	if (b->any_number)
		return EVD_NR_PORTS;
	if (!a || a->dom != d)
		a = evd_first_att(d);
	return a ? a->nr_ports : EVD_NR_PORTS;
}

int evd_init_control(struct evd_att *a, struct evp_result *r)
{
	struct evtchn_init_control op;

	if (r->arg_len < sizeof(op))
		return -XEN_EFAULT;
	memcpy(&op, r->arg, sizeof(op));
	if (op.vcpu >= a->nr_vcpus)
		return -XEN_ENOENT;
	if (op.offset % 8 ||
	    op.offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block))
		return -XEN_EINVAL;
	op.link_bits = EVTCHN_FIFO_LINK_BITS;
	memcpy(r->arg, &op, sizeof(op));
	evd_be_fifo(a);
	return 0;
}
