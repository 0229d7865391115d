/* SPDX-License-Identifier: MIT */
/*
 * The FIFO half of the hypervisor in test_guest_platform.h: it queues as SPEC
 * 3.2 says, one step after the other.  Words and control blocks are the test's.
 */
#ifndef TEST_FIFO_PLATFORM_H
#define TEST_FIFO_PLATFORM_H

#include "test_guest_platform.h"

#include <evg/fifo.h>

#ifndef PENDING /* collect_fifo.c may be here already */
#define BIT(n)	((uint32_t)1 << (n))
#define PENDING BIT(EVTCHN_FIFO_PENDING)
#define MASKED	BIT(EVTCHN_FIFO_MASKED)
#define LINKED	BIT(EVTCHN_FIFO_LINKED)
#define BUSY	BIT(EVTCHN_FIFO_BUSY)
#endif

#define NR_PAGES 3
#define NR_PORTS (NR_PAGES * EVG_FIFO_PAGE_PORTS - 100)
#define FRAME	 0x500 /* of page 0 of the array */

static struct {
	bool is_fifo;
	uint32_t nr_pages;
	uint32_t tail[NR_VCPUS][EVTCHN_FIFO_MAX_QUEUES];
	bool has_control[NR_VCPUS];
	uint8_t priority[EVTCHN_2L_NR_CHANNELS_64];
	bool noted[EVTCHN_2L_NR_CHANNELS_64];
} hv;

static _Alignas(4096) evb_u32 array[NR_PAGES][EVG_FIFO_PAGE_PORTS];
static _Alignas(4096) union {
	struct evtchn_fifo_control_block block;
	uint8_t room[128];
} controls[NR_VCPUS];
static struct evg_lent lent_control[NR_VCPUS], lent_page[NR_PAGES];
static struct evg_fifo fifo;

static inline evb_u32 *word(evtchn_port_t port)
{
	return &array[port / EVG_FIFO_PAGE_PORTS][port % EVG_FIFO_PAGE_PORTS];
}

static inline bool has_word(evtchn_port_t port)
{
	return port / EVG_FIFO_PAGE_PORTS < hv.nr_pages;
}

static inline void link_word(evtchn_port_t port)
{
	uint32_t id = xen.port[port].vcpu, prio = hv.priority[port];
	struct evtchn_fifo_control_block *c = &controls[id].block;
	uint32_t tail = hv.tail[id][prio];

	assert_true(hv.has_control[id]);
	if (evb_u32_load(word(port)) & (MASKED | LINKED))
		return;
	(void)evb_u32_or(word(port), LINKED);
	hv.tail[id][prio] = port;
	if (tail && tail != port && evb_u32_load(word(tail)) & LINKED) {
		(void)evb_u32_or(word(tail), port);
		return;
	}
	c->head[prio] = port;
	if (!(evb_u32_or((evb_u32 *)&c->ready, BIT(prio)) & BIT(prio)))
		set_flag(id, 1);
}

static inline void send(evtchn_port_t port)
{
	if (!hv.is_fifo) {
		post(port);
	} else if (!has_word(port)) {
		hv.noted[port] = true;
	} else {
		(void)evb_u32_or(word(port), PENDING);
		link_word(port);
	}
}

static inline int do_init_control(struct evtchn_init_control *op)
{
	evtchn_port_t port;

	if (op->vcpu >= NR_VCPUS)
		return -XEN_ENOENT;
	if (hv.has_control[op->vcpu])
		return -XEN_EINVAL;
	/* Known to the guest before the first event can come. */
	assert_ptr_equal(evb_ptr_load(&vcpu[op->vcpu].queues.control),
			 &controls[op->vcpu]);
	hv.has_control[op->vcpu] = true;
	op->link_bits = EVTCHN_FIFO_LINK_BITS;
	for (port = 0; !hv.is_fifo && port < xen.valid; port++) {
		hv.noted[port] = evb_test_bit(guest.pending, port);
		hv.priority[port] = EVTCHN_FIFO_PRIORITY_DEFAULT;
	}
	hv.is_fifo = true;
	return 0;
}

static inline int do_expand_array(const struct evtchn_expand_array *op)
{
	uint32_t first = hv.nr_pages * EVG_FIFO_PAGE_PORTS, i;

	if (!hv.is_fifo)
		return -XEN_EOPNOTSUPP;
	assert_int_equal(op->array_gfn, FRAME + hv.nr_pages);
	assert_ptr_equal(evb_ptr_load(&fifo.array[hv.nr_pages]), word(first));
	for (i = 0; i < EVG_FIFO_PAGE_PORTS; i++)
		assert_int_equal(evb_u32_load(word(first + i)), MASKED);
	hv.nr_pages++;
	for (i = first; i < first + EVG_FIFO_PAGE_PORTS; i++) {
		if (hv.noted[i])
			send(i);
		hv.noted[i] = false;
	}
	return 0;
}

static inline int do_set_priority(const struct evtchn_set_priority *op)
{
	if (!hv.is_fifo)
		return -XEN_ENOSYS;
	if (!xen.port[op->port].status)
		return -XEN_EACCES;
	if (op->priority > EVTCHN_FIFO_PRIORITY_MIN)
		return -XEN_EINVAL;
	hv.priority[op->port] = (uint8_t)op->priority;
	return 0;
}

static inline int do_unmask_fifo(evtchn_port_t port)
{
	if (has_word(port) && evb_u32_and(word(port), ~MASKED) & PENDING)
		link_word(port);
	return 0;
}

static inline int do_close_fifo(evtchn_port_t port)
{
	hv.noted[port] = false;
	if (has_word(port))
		(void)evb_u32_and(word(port), ~PENDING);
	return do_close(port);
}

static inline int do_bind_interdomain_fifo(struct evtchn_bind_interdomain *op)
{
	int rc = do_open(&op->local_port, EVTCHNSTAT_interdomain, 0, 0);

	hv.priority[op->local_port] = EVTCHN_FIFO_PRIORITY_DEFAULT;
	send(op->local_port);
	return rc;
}

static int fifo_op(unsigned int cmd, void *arg);

/* What is not FIFO's own is the platform's. */
static inline int other_op(unsigned int cmd, void *arg)
{
	int rc;

	xen.op = NULL;
	rc = event_channel_op(cmd, arg);
	xen.op = fifo_op;
	return rc;
}

static int fifo_op(unsigned int cmd, void *arg)
{
	switch (cmd) {
	case EVTCHNOP_init_control:
		return do_init_control(arg);
	case EVTCHNOP_expand_array:
		return do_expand_array(arg);
	case EVTCHNOP_set_priority:
		return do_set_priority(arg);
	case EVTCHNOP_reset:
		memset(&hv, 0, sizeof(hv));
		memset(xen.port, 0, sizeof(xen.port));
		return 0;
	}
	if (hv.is_fifo && cmd == EVTCHNOP_unmask)
		return do_unmask_fifo(*(evtchn_port_t *)arg);
	if (hv.is_fifo && cmd == EVTCHNOP_close)
		return do_close_fifo(*(evtchn_port_t *)arg);
	if (hv.is_fifo && cmd == EVTCHNOP_bind_interdomain)
		return do_bind_interdomain_fifo(arg);
	return other_op(cmd, arg);
}

/* --- setup --------------------------------------------------------------- */

static inline void lend(void)
{
	uint32_t i;

	memset(&fifo, 0xa5, sizeof(fifo)); /* lent memory is not zero */
	memset(array, 0xa5, sizeof(array));
	memset(controls, 0xa5, sizeof(controls));
	for (i = 0; i < NR_VCPUS; i++)
		lent_control[i] = (struct evg_lent){&controls[i], 7};
	for (i = 0; i < NR_PAGES; i++)
		lent_page[i] = (struct evg_lent){array[i], FRAME + i};
	fifo.control = lent_control;
	fifo.page = lent_page;
	fifo.nr_pages = NR_PAGES;
}

/* A guest that is still 2-level. */
static inline int setup_2l(void **state)
{
	(void)setup_seen(state);
	memset(&hv, 0, sizeof(hv));
	lend();
	xen.op = fifo_op;
	xen.valid = NR_PORTS;
	config.nr_ports = NR_PORTS;
	config.fifo = &fifo;
	start_guest();
	return 0;
}

/* A FIFO guest with no port open and no page. */
static inline int setup_fifo(void **state)
{
	(void)setup_2l(state);
	assert_int_equal(evg_fifo_start(&guest), 0);
	assert_true(evg_is_fifo(&guest));
	xen.nr_calls = 0;
	return 0;
}

#define TEST_2L(name)	cmocka_unit_test_setup(name, setup_2l)
#define TEST_FIFO(name) cmocka_unit_test_setup(name, setup_fifo)

static inline void set_priority(evtchn_port_t port, uint32_t priority)
{
	assert_int_equal(evg_set_priority(&guest, port, priority), 0);
}

static inline void assert_word(evtchn_port_t port, uint32_t expected)
{
	assert_int_equal(evb_u32_load(word(port)), expected);
}

#endif /* TEST_FIFO_PLATFORM_H */
