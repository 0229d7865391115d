/* SPDX-License-Identifier: MIT */
/*
 * A guest with FIFO event channels, as the ABI tells guests to behave, for one
 * thread or several: every access to shared memory is atomic.
 *
 * Frame 0 holds the control blocks, 128 bytes apart; frame 1 + n the words of
 * ports n * 1024 and up.
 */
#ifndef REGRESS_FIFO_GUEST_H
#define REGRESS_FIFO_GUEST_H

#include "tests/lib/fake_host.h"

#include <string.h>

#include <base/bits.h>

#define BIT(n)	((uint32_t)1 << (n))
#define PENDING BIT(EVTCHN_FIFO_PENDING)
#define MASKED	BIT(EVTCHN_FIFO_MASKED)
#define LINKED	BIT(EVTCHN_FIFO_LINKED)
#define BUSY	BIT(EVTCHN_FIFO_BUSY)
#define LINK	((uint32_t)EVTCHN_FIFO_LINK_MASK)

#define FIFO_VCPUS 3

static struct evc_domain *d1, *d2;

static inline evb_u32 *control(uint32_t vcpu)
{
	return (evb_u32 *)(void *)(fake.frame[0] + vcpu * 128);
}

static inline evb_u32 *ready_word(uint32_t vcpu)
{
	return control(vcpu);
}

static inline uint32_t head_of(uint32_t vcpu, uint32_t prio)
{
	return evb_u32_load(control(vcpu) + 2 + prio);
}

static inline evb_u32 *word(evtchn_port_t port)
{
	return (evb_u32 *)(void *)fake.frame[1 + port / 1024] + port % 1024;
}

static inline uint32_t word_now(evtchn_port_t port)
{
	return evb_u32_load(word(port));
}

static inline int init_control(uint32_t vcpu)
{
	struct evtchn_init_control c = {
		.control_gfn = 0, .offset = vcpu * 128, .vcpu = vcpu};

	return evc_init_control(d1, &c);
}

static inline void start_2l(void)
{
	fake_start(false);
	d1 = fake_add(&(struct fake_options){.domid = 1,
					     .width = EVC_WIDTH_64,
					     .nr_vcpus = FIFO_VCPUS,
					     .nr_buckets = 2048,
					     .fifo = true});
	d2 = fake_domain(2);
}

/* Every vCPU has a control block, ports 0..1023 a page. */
static inline void start_fifo(void)
{
	uint32_t i;

	start_2l();
	for (i = 0; i < FIFO_VCPUS; i++)
		assert_int_equal(init_control(i), 0);
	assert_int_equal(evc_expand_array(d1, 1), 0);
}

/* What a guest keeps of its queues, per vCPU. */
struct fifo_view {
	uint32_t ready, head[EVTCHN_FIFO_MAX_QUEUES];
};

static struct fifo_view views[FIFO_VCPUS];

static inline uint32_t fifo_ready(uint32_t vcpu)
{
	views[vcpu].ready |= evb_u32_xchg(ready_word(vcpu), 0);
	return views[vcpu].ready;
}

/*
 * Take one port out of the queues of @vcpu, the highest priority first.
 * Returns the port, its event taken, or 0 for one without an event to handle.
 * Only while fifo_ready() says so.
 */
static inline evtchn_port_t fifo_take(uint32_t vcpu)
{
	struct fifo_view *v = &views[vcpu];
	uint32_t prio = evb_lowest_bit(v->ready);
	evtchn_port_t port = v->head[prio];
	uint32_t old;

	if (!port)
		port = head_of(vcpu, prio);
	old = evb_u32_and(word(port), ~(LINKED | LINK));
	v->head[prio] = old & LINK;
	if (!v->head[prio])
		v->ready &= ~BIT(prio);
	if (!(old & PENDING) || old & MASKED)
		return 0;
	return evb_u32_and(word(port), ~PENDING) & PENDING ? port : 0;
}

/* Empty the queues of @vcpu into @ports; returns how many events there were. */
static inline unsigned int fifo_drain(uint32_t vcpu, evtchn_port_t *ports,
				      unsigned int max)
{
	unsigned int n = 0;
	evtchn_port_t port;

	while (fifo_ready(vcpu)) {
		port = fifo_take(vcpu);
		if (port && n < max)
			ports[n++] = port;
	}
	return n;
}

static inline evtchn_port_t ipi(uint32_t vcpu)
{
	evtchn_port_t port = 0;

	assert_int_equal(evc_bind_ipi(d1, vcpu, &port), 0);
	return port;
}

/* A port of d1 that d2 sends to, and that can be moved. */
static inline evtchn_port_t from_d2(evtchn_port_t *far)
{
	evtchn_port_t port;

	fake_connect(d1, d2, &port, far);
	return port;
}

static inline void forget_views(void)
{
	memset(views, 0, sizeof(views));
}

#endif /* REGRESS_FIFO_GUEST_H */
