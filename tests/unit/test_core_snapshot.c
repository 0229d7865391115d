/* SPDX-License-Identifier: MIT */
/*
 * Save and restore (docs/snapshot.md): every state and both ABIs there and
 * back, in any order; damaged and lying images refused with nothing changed;
 * hooks that fail; events that are sent while the image is on its way.
 *
 * A restored domain is compared by saving it once more: the same bytes.  That
 * the bytes say what they should is held by the_format_is_frozen.  Offsets are
 * written out here, not taken from the core's header.
 */
#include "tests/lib/fake_host.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <evc/snapshot.h>

#define BIT(n)	(1u << (n))
#define PENDING BIT(EVTCHN_FIFO_PENDING)
#define LINKED	BIT(EVTCHN_FIFO_LINKED)

#define HEADER	   40
#define VCPU	   4
#define FIFO_VCPU  80
#define FIFO_PAGE  8
#define PORT	   24
#define IMAGE_SIZE 65536

struct image {
	uint8_t byte[IMAGE_SIZE];
	size_t len;
	uint8_t page[4096]; /* the guest's memory travels beside it */
};

static struct image image1, image2, again;
static struct evc_domain *d1, *d2;
static bool fifo;

static const struct fake_options *options(domid_t domid)
{
	static struct fake_options o;

	o = (struct fake_options){
		.domid = domid,
		.nr_vcpus = 3,
		.nr_buckets = 64,
		.width = EVC_WIDTH_64,
		.fifo = fifo && domid == 1,
		.generation = domid == 1 ? 9 : 4,
		.limit = domid == 1,
	};
	return &o;
}

static void add(struct evc_domain **d, domid_t domid)
{
	*d = fake_add(options(domid));
	evc_domain_set_paused(*d, true);
	if (domid == 1)
		evc_machine_set_hwdom(&fake.machine, *d);
}

#ifdef EVC_TEST_NO_FIFO
#define HAVE_FIFO false
#else
#define HAVE_FIFO true
#endif

static void start(bool use_fifo)
{
	if (use_fifo && !HAVE_FIFO)
		skip();
	fifo = use_fifo;
	fake_start(false);
	fake.pirq_permitted = 0xff;
	add(&d1, 1);
	add(&d2, 2);
}

static struct evtchn_fifo_control_block *control(uint32_t vcpu)
{
	return (void *)(fake.frame[0] + vcpu * 128);
}

static uint32_t *word(evtchn_port_t port)
{
	return (uint32_t *)(void *)fake.frame[1 + port / 1024] + port % 1024;
}

/* d1 becomes a FIFO domain: blocks for vCPUs 0 and 1, @pages pages. */
static void enter_fifo(uint32_t pages)
{
	struct evtchn_init_control c = {.control_gfn = 0};
	uint32_t i;

	for (i = 0; i < 2; i++) {
		c.vcpu = i;
		c.offset = i * 128;
		assert_int_equal(evc_init_control(d1, &c), 0);
	}
	for (i = 0; i < pages; i++)
		assert_int_equal(evc_expand_array(d1, 1 + i), 0);
}

/* --- there and back ---------------------------------------------------------- */

static void save(struct evc_domain *d, struct image *im)
{
	assert_true(evc_save_size(d) <= IMAGE_SIZE);
	assert_int_equal(evc_save(d, im->byte, evc_save_size(d), &im->len), 0);
	assert_int_equal(im->len, evc_save_size(d));
	memcpy(im->page, d->shared_info, 4096);
}

/* The hypervisor of old is gone, and with it what it knew of the domain. */
static void drop(struct evc_domain **d)
{
	if (fifo && *d == d1)
		fake.mapped = 0;
	fake_remove(*d);
	*d = NULL;
}

/* A new domain, with the guest's memory as it was. */
static void bring(struct evc_domain **d, domid_t domid, const struct image *im)
{
	add(d, domid);
	memcpy((*d)->shared_info, im->page, 4096);
}

static void restore(struct evc_domain **d, domid_t domid,
		    const struct image *im)
{
	bring(d, domid, im);
	assert_int_equal(evc_restore(*d, im->byte, im->len), 0);
}

static void assert_same_image(struct evc_domain *d, const struct image *im)
{
	save(d, &again);
	assert_int_equal(again.len, im->len);
	assert_memory_equal(again.byte, im->byte, im->len);
}

static uint32_t calls;
static evtchn_port_t called;

static void consume(struct evc_vcpu *v, evtchn_port_t port)
{
	(void)v;
	calls++;
	called = port;
}

/* One port of d1 for every state, and what d2 has at the other end. */
static struct {
	evtchn_port_t unbound, loop_a, loop_b, timer, console, line, ipi, owned,
		owned_free, here;
	evtchn_port_t there, owned_there;
} p;

static void open_every_state(void)
{
	evtchn_port_t hole;

	p.unbound = fake_unbound(d1, d2);
	assert_int_equal(evc_bind_ipi(d1, 0, &hole), 0);
	fake_connect(d1, d1, &p.loop_a, &p.loop_b);
	assert_int_equal(evc_bind_virq(d1, VIRQ_TIMER, 1, &p.timer), 0);
	assert_int_equal(evc_bind_virq(d1, VIRQ_CONSOLE, 0, &p.console), 0);
	assert_int_equal(evc_bind_vcpu(d1, p.console, 2), 0);
	assert_int_equal(evc_bind_pirq(d1, 5, 1, &p.line), 0);
	assert_int_equal(evc_bind_vcpu(d1, p.line, 1), 0);
	assert_int_equal(evc_bind_ipi(d1, 2, &p.ipi), 0);
	assert_int_equal(evc_consumer_alloc(d1, 1, 2, consume, &p.owned), 0);
	assert_int_equal(evc_bind_interdomain(d2, 1, p.owned, &p.owned_there),
			 0);
	assert_int_equal(
		evc_consumer_alloc(d1, 0, DOMID_SELF, consume, &p.owned_free),
		0);
	fake_connect(d2, d1, &p.there, &p.here);
	assert_int_equal(evc_bind_vcpu(d1, p.here, 1), 0);
	assert_int_equal(evc_close(d1, hole), 0);
	if (fifo)
		assert_int_equal(evc_set_priority(d1, p.here, 3), 0);
}

static void assert_every_state(void)
{
	evtchn_port_t hole;

	assert_int_equal(fake_status(d1, p.unbound).u.unbound.dom, 2);
	assert_int_equal(fake_status(d1, p.loop_a).u.interdomain.port,
			 p.loop_b);
	assert_int_equal(fake_status(d1, p.loop_b).u.interdomain.port,
			 p.loop_a);
	assert_int_equal(fake_status(d1, p.timer).u.virq, VIRQ_TIMER);
	assert_int_equal(fake_status(d1, p.timer).vcpu, 1);
	assert_int_equal(fake_status(d1, p.console).u.virq, VIRQ_CONSOLE);
	assert_int_equal(fake_status(d1, p.console).vcpu, 2);
	assert_int_equal(fake_status(d1, p.line).u.pirq, 5);
	assert_int_equal(fake_status(d1, p.line).vcpu, 1);
	fake_assert_status(d1, p.ipi, EVTCHNSTAT_ipi);
	assert_int_equal(fake_status(d1, p.ipi).vcpu, 2);
	assert_int_equal(fake_status(d1, p.owned_free).u.unbound.dom,
			 DOMID_SELF);
	assert_int_equal(fake_status(d1, p.here).u.interdomain.dom, 2);
	assert_int_equal(fake_status(d1, p.here).vcpu, 1);
	assert_int_equal(fake_status(d2, p.there).u.interdomain.port, p.here);
	assert_int_equal(d1->ports.nr_open, 10);
	assert_int_equal(d1->ports.nr_consumer, 2);
	assert_int_equal(evc_bind_ipi(d1, 0, &hole), 0);
	assert_int_equal(hole, 2); /* lowest free, as before */
}

static bool is_pending(evtchn_port_t port)
{
	return fifo ? *word(port) & PENDING : fake_pending(d1, port);
}

static void clear_pending(evtchn_port_t port)
{
	if (fifo)
		*word(port) &= ~PENDING;
	else
		fake_clear_pending(d1, port);
}

static void assert_delivery(void)
{
	clear_pending(p.here);
	clear_pending(p.loop_a);
	fake_clear_pending(d2, p.there);
	assert_int_equal(evc_send(d2, p.there), 0);
	assert_true(is_pending(p.here));
	assert_int_equal(evc_send(d1, p.here), 0);
	assert_true(fake_pending(d2, p.there));
	assert_int_equal(evc_send(d1, p.loop_b), 0);
	assert_true(is_pending(p.loop_a));
	evc_virq_raise(&d1->vcpu[1], VIRQ_TIMER);
	assert_true(is_pending(p.timer));
	evc_virq_raise_global(&fake.machine, VIRQ_CONSOLE);
	/* vCPU 2 has no control block: a FIFO domain drops it. */
	assert_int_equal(is_pending(p.console), !fifo);
	evc_pirq_raise(d1, 5);
	assert_true(is_pending(p.line));
	calls = 0;
	assert_int_equal(evc_send(d2, p.owned_there), 0);
	assert_int_equal(calls, 1);
	assert_int_equal(called, p.owned);
	/* What was bound once is bound: */
	assert_int_equal(evc_bind_virq(d1, VIRQ_TIMER, 1, &called),
			 -XEN_EEXIST);
	assert_int_equal(evc_bind_pirq(d1, 5, 0, &called), -XEN_EEXIST);
}

static void both_come_back(bool use_fifo, bool first_1)
{
	start(use_fifo);
	if (fifo)
		enter_fifo(1);
	open_every_state();
	save(d1, &image1);
	save(d2, &image2);
	drop(&d1);
	drop(&d2);
	fake_forget();
	if (first_1) {
		restore(&d1, 1, &image1);
		assert_int_equal(fake_status(d1, p.here).u.unbound.dom, 2);
	}
	restore(&d2, 2, &image2);
	if (!first_1) {
		assert_int_equal(fake_status(d2, p.there).u.unbound.dom, 1);
		restore(&d1, 1, &image1);
	}
	assert_same_image(d1, &image1);
	assert_same_image(d2, &image2);
	assert_int_equal(evb_u32_load(&fake.pirq_binds), 1);
	assert_int_equal(evb_u32_load(&fake.pirq_moves), 1);
	assert_every_state();
	assert_delivery();
	assert_int_equal(evc_domain_destroy(d1), 0);
	assert_int_equal(fake.mapped, 0);
	assert_int_equal(evb_u32_load(&fake.pirq_unbinds), 1);
	fake_end();
}

static void two_level_comes_back_in_both_orders(void **unused)
{
	(void)unused;
	both_come_back(false, true);
	both_come_back(false, false);
}

static void fifo_comes_back_in_both_orders(void **unused)
{
	(void)unused;
	both_come_back(true, true);
	both_come_back(true, false);
}

/* The machine goes on and d1 alone is replaced: d2's ends wait meanwhile. */
static void one_comes_back_to_a_living_peer(void **unused)
{
	(void)unused;
	start(false);
	open_every_state();
	save(d1, &image1);
	assert_int_equal(evc_domain_destroy(d1), 0);
	drop(&d1);
	assert_int_equal(fake_status(d2, p.there).u.unbound.dom, 1);
	calls = 0;
	restore(&d1, 1, &image1);
	assert_int_equal(calls, 1); /* the owned end was connected again */
	assert_int_equal(called, p.owned);
	assert_same_image(d1, &image1);
	assert_every_state();
	assert_delivery();
	fake_end();
}

/* The peer is gone, took its port for something else, or waits for others. */
static void peer_that_is_not_there_leaves_it_unbound(void **unused)
{
	evtchn_port_t port;
	int how;

	(void)unused;
	for (how = 0; how < 5; how++) {
		start(false);
		fake_connect(d2, d1, &p.there, &p.here);
		save(d1, &image1);
		assert_int_equal(evc_domain_destroy(d1), 0);
		drop(&d1);
		if (how == 1 || how == 2)
			assert_int_equal(evc_close(d2, p.there), 0);
		if (how == 2)
			assert_int_equal(evc_bind_ipi(d2, 0, &port), 0);
		if (how == 3) {
			assert_int_equal(evc_close(d2, p.there), 0);
			assert_int_equal(fake_unbound(d2, d2), p.there);
		}
		if (how == 4)
			fake.refuse = true;
		if (how == 0)
			drop(&d2);
		restore(&d1, 1, &image1);
		fake_assert_status(d1, p.here, EVTCHNSTAT_unbound);
		assert_int_equal(fake_status(d1, p.here).u.unbound.dom, 2);
		assert_int_equal(evc_send(d1, p.here), 0);
		fake.refuse = false;
		if (how) /* as after a close: the peer may come back */
			assert_int_equal(
				evc_bind_interdomain(d2, 1, p.here, &port), 0);
		fake_end();
	}
}

/* --- events on their way ----------------------------------------------------- */

static void events_sent_meanwhile_are_not_lost(void **unused)
{
	int when;

	(void)unused;
	for (when = 0; when < 4; when++) {
		start(false);
		fake_connect(d2, d1, &p.there, &p.here);
		fake_clear_pending(d1, p.here);
		fake_clear_upcall(&d1->vcpu[0]);
		if (when == 0) /* paused, before */
			assert_int_equal(evc_send(d2, p.there), 0);
		save(d1, &image1);
		if (when == 1) { /* after, before the memory is copied */
			assert_int_equal(evc_send(d2, p.there), 0);
			memcpy(image1.page, d1->shared_info, 4096);
		}
		if (when == 2) { /* while it is: pending, no selector bit */
			image1.page[2048 + p.here / 8] |=
				(uint8_t)(1 << p.here % 8);
		}
		assert_int_equal(evc_domain_destroy(d1), 0);
		drop(&d1);
		if (when == 3) /* nobody is there */
			assert_int_equal(evc_send(d2, p.there), 0);
		restore(&d1, 1, &image1);
		assert_true(fake_pending(d1, p.here));
		assert_true(fake_selector(&d1->vcpu[0]) & 1);
		assert_true(fake_upcall(&d1->vcpu[0]));
		fake_end();
	}
}

static unsigned int drain(uint32_t vcpu, uint32_t prio, evtchn_port_t *ports)
{
	uint32_t port = control(vcpu)->head[prio];
	unsigned int n = 0;

	if (!(control(vcpu)->ready & BIT(prio)))
		return 0;
	control(vcpu)->ready &= ~BIT(prio);
	while (port && n < 16) {
		uint32_t w = *word(port);

		*word(port) = 0;
		if (w & PENDING)
			ports[n++] = port;
		port = w & EVTCHN_FIFO_LINK_MASK;
	}
	return n;
}

/* A queue with @before linked ports, @after more while the image is on its way,
 * and one after that: all are found, in order. */
static void queue_goes_on(uint32_t before, uint32_t after)
{
	evtchn_port_t port[8], got[16];
	uint32_t i;

	start(true);
	enter_fifo(1);
	for (i = 0; i < 8; i++)
		assert_int_equal(evc_bind_ipi(d1, 1, &port[i]), 0);
	/* Something was there and has been taken. */
	assert_int_equal(evc_send(d1, port[7]), 0);
	assert_int_equal(drain(1, 7, got), 1);
	for (i = 0; i < before; i++)
		assert_int_equal(evc_send(d1, port[i]), 0);
	save(d1, &image1);
	for (; i < before + after; i++)
		assert_int_equal(evc_send(d1, port[i]), 0);
	drop(&d1);
	restore(&d1, 1, &image1);
	assert_int_equal(evc_send(d1, port[i]), 0);
	assert_int_equal(drain(1, 7, got), before + after + 1);
	assert_memory_equal(got, port, (before + after + 1) * sizeof(*got));
	/* Moved to another queue: nothing is appended to it where it was. */
	assert_int_equal(evc_set_priority(d1, port[i], 2), 0);
	assert_int_equal(evc_send(d1, port[i]), 0);
	assert_int_equal(evc_send(d1, port[7]), 0);
	assert_int_equal(drain(1, 7, got), 1);
	assert_int_equal(got[0], port[7]);
	assert_int_equal(drain(1, 2, got), 1);
	assert_int_equal(got[0], port[i]);
	fake_end();
}

/* The end of a queue, found by restore, is consumed and queued elsewhere. */
static void restored_tail_can_move(uint32_t before, uint32_t after)
{
	evtchn_port_t port[8], got[16];
	uint32_t i, last = before + after - 1;

	start(true);
	enter_fifo(1);
	for (i = 0; i < 8; i++)
		assert_int_equal(evc_bind_ipi(d1, 1, &port[i]), 0);
	for (i = 0; i < before; i++)
		assert_int_equal(evc_send(d1, port[i]), 0);
	save(d1, &image1);
	for (; i < before + after; i++)
		assert_int_equal(evc_send(d1, port[i]), 0);
	drop(&d1);
	restore(&d1, 1, &image1);
	assert_int_equal(drain(1, 7, got), before + after);
	assert_int_equal(evc_set_priority(d1, port[last], 2), 0);
	assert_int_equal(evc_send(d1, port[last]), 0);
	assert_int_equal(evc_send(d1, port[7]), 0);
	assert_int_equal(drain(1, 7, got), 1);
	assert_int_equal(got[0], port[7]);
	assert_int_equal(drain(1, 2, got), 1);
	assert_int_equal(got[0], port[last]);
	fake_end();
}

static void fifo_tails_can_move(void **unused)
{
	(void)unused;
	restored_tail_can_move(0, 1);
	restored_tail_can_move(0, 3);
	restored_tail_can_move(1, 0);
	restored_tail_can_move(3, 0);
	restored_tail_can_move(2, 2);
}

/* The guest was stopped while it walked along a queue: READY is clear. */
static void half_consumed_queue_goes_on(void **unused)
{
	evtchn_port_t port[4];
	uint32_t i;

	(void)unused;
	start(true);
	enter_fifo(1);
	for (i = 0; i < 4; i++)
		assert_int_equal(evc_bind_ipi(d1, 1, &port[i]), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(evc_send(d1, port[i]), 0);
	control(1)->ready = 0;
	*word(port[0]) = 0;
	save(d1, &image1);
	drop(&d1);
	restore(&d1, 1, &image1);
	assert_int_equal(evc_send(d1, port[3]), 0);
	assert_int_equal(*word(port[2]) & EVTCHN_FIFO_LINK_MASK, port[3]);
	assert_int_equal(control(1)->ready, 0);
	fake_end();
}

static void fifo_queues_go_on(void **unused)
{
	uint32_t before, after;

	(void)unused;
	for (before = 0; before < 4; before++) {
		for (after = 0; after < 4; after++)
			queue_goes_on(before, after);
	}
}

static void parked_events_are_posted_by_the_page(void **unused)
{
	evtchn_port_t port, other, got[16];

	(void)unused;
	start(true);
	enter_fifo(0);
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	assert_int_equal(evc_bind_ipi(d1, 0, &other), 0);
	assert_int_equal(evc_send(d1, port), 0);
	save(d1, &image1);
	drop(&d1);
	restore(&d1, 1, &image1);
	assert_same_image(d1, &image1);
	assert_int_equal(evc_expand_array(d1, 1), 0);
	assert_int_equal(drain(0, 7, got), 1);
	assert_int_equal(got[0], port);
	fake_end();
}

/* Xen 4.17 forgets to forget (SPEC 11, L1); that is not carried over. */
static void stale_note_of_4_17_is_not_kept(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start(true);
	fake.machine.xen_4_17 = true;
	enter_fifo(0);
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	assert_int_equal(evc_send(d1, port), 0);
	assert_int_equal(evc_expand_array(d1, 1), 0);
	save(d1, &image1);
	assert_int_equal(image1.byte[image1.len - 4 - PORT + 5], 0);
	drop(&d1);
	restore(&d1, 1, &image1);
	fake_end();
}

/* 4.17 also notes what a guest wrote at a port the hypervisor owns. */
static void note_at_an_owned_port_is_not_kept(void **unused)
{
	struct shared_info *page;
	evtchn_port_t port;

	(void)unused;
	start(true);
	fake.machine.xen_4_17 = true;
	assert_int_equal(evc_consumer_alloc(d1, 0, 2, consume, &port), 0);
	page = d1->shared_info;
	page->evtchn_pending[port / 64] |= 1ull << port % 64;
	enter_fifo(0);
	save(d1, &image1);
	drop(&d1);
	restore(&d1, 1, &image1);
	fake_end();
}

/* What the guest wrote matters to the guest only; restore comes back. */
static void hostile_words_lead_nowhere(void **unused)
{
	static const uint32_t links[] = {1, 2, 3, 63, 64, 1023, 1024, 131071};
	evtchn_port_t port[3];
	uint32_t i;

	(void)unused;
	for (i = 0; i < sizeof(links) / sizeof(*links); i++) {
		start(true);
		enter_fifo(1);
		assert_int_equal(evc_bind_ipi(d1, 0, &port[0]), 0);
		assert_int_equal(evc_bind_ipi(d1, 0, &port[1]), 0);
		assert_int_equal(evc_bind_ipi(d1, 0, &port[2]), 0);
		assert_int_equal(evc_send(d1, port[0]), 0);
		save(d1, &image1);
		*word(port[0]) |= links[i];
		*word(port[1]) = LINKED | links[i];
		*word(1023) = LINKED | links[i];
		control(1)->ready = UINT32_MAX;
		control(1)->head[4] = links[i];
		control(1)->head[5] = UINT32_MAX;
		drop(&d1);
		restore(&d1, 1, &image1);
		assert_int_equal(evc_send(d1, port[2]), 0);
		assert_true(*word(port[2]) & LINKED);
		fake_end();
	}
}

/* The guest asked to be told when its peer goes; it went meanwhile. */
static void notice_of_a_peer_that_is_gone(void **unused)
{
	int how;

	(void)unused;
	for (how = 0; how < 3; how++) {
		start(false);
		fake_connect(d2, d1, &p.there, &p.here);
		fake_clear_pending(d1, p.here);
		assert_int_equal(evc_watch_peer(d1, p.here, how > 0), 0);
		save(d1, &image1);
		if (how == 2)
			save(d2, &image2);
		assert_int_equal(evc_domain_destroy(d1), 0);
		drop(&d1);
		drop(&d2);
		restore(&d1, 1, &image1);
		assert_int_equal(fake_pending(d1, p.here), how > 0);
		fake_clear_pending(d1, p.here);
		if (how == 2) { /* and from now on */
			restore(&d2, 2, &image2);
			fake_clear_pending(d1, p.here);
			assert_int_equal(evc_close(d2, p.there), 0);
			assert_true(fake_pending(d1, p.here));
		}
		fake_end();
	}
}

/* An event of d1's waits for d1's next period when d1 is saved. */
static void held_event_goes_out(void **unused)
{
	int first_1;

	(void)unused;
	for (first_1 = 0; first_1 < 2; first_1++) {
		start(false);
		fake_connect(d2, d1, &p.there, &p.here);
		assert_int_equal(evc_limit_set(d1, 1), 0);
		assert_int_equal(evc_send(d1, p.here), 0);
		fake_clear_pending(d2, p.there);
		assert_int_equal(evc_send(d1, p.here), 0);
		assert_false(fake_pending(d2, p.there));
		save(d1, &image1);
		save(d2, &image2);
		drop(&d1);
		drop(&d2);
		if (first_1)
			restore(&d1, 1, &image1);
		restore(&d2, 2, &image2);
		if (!first_1)
			restore(&d1, 1, &image1);
		assert_true(fake_pending(d2, p.there));
		fake_end();
	}
}

/* In any order: what the other sent after the memory was saved is not lost. */
static void both_ends_are_told_whoever_comes_first(void **unused)
{
	int first_1;

	(void)unused;
	for (first_1 = 0; first_1 < 2; first_1++) {
		start(false);
		fake_connect(d2, d1, &p.there, &p.here);
		assert_int_equal(
			evc_consumer_alloc(d1, 0, 2, consume, &p.owned), 0);
		assert_int_equal(
			evc_bind_interdomain(d2, 1, p.owned, &p.owned_there),
			0);
		save(d1, &image1);
		save(d2, &image2);
		drop(&d1);
		drop(&d2);
		calls = 0;
		if (first_1)
			restore(&d1, 1, &image1);
		restore(&d2, 2, &image2);
		if (!first_1)
			restore(&d1, 1, &image1);
		assert_true(fake_pending(d1, p.here));
		assert_true(fake_pending(d2, p.there));
		assert_true(fake_pending(d2, p.owned_there));
		assert_int_equal(calls, 1);
		fake_end();
	}
}

/* Another domain with the peer's id is not the peer. */
static void recycled_domid_is_not_the_peer(void **unused)
{
	struct fake_options o;
	evtchn_port_t port;

	(void)unused;
	start(false);
	fake_connect(d2, d1, &p.there, &p.here);
	save(d1, &image1);
	drop(&d1);
	drop(&d2);
	o = *options(2);
	o.generation = 5;
	d2 = fake_add(&o);
	add(&d1, 1);
	assert_int_equal(fake_unbound(d2, d1), p.there);
	drop(&d1);
	restore(&d1, 1, &image1);
	fake_assert_status(d1, p.here, EVTCHNSTAT_unbound);
	assert_int_equal(evc_bind_interdomain(d2, 1, p.here, &port),
			 -XEN_EINVAL);
	fake_end();
}

static void width_comes_back(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start(false);
	evc_domain_set_width(d1, EVC_WIDTH_32);
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	save(d1, &image1);
	drop(&d1);
	restore(&d1, 1, &image1);
	assert_ptr_equal(evb_ptr_load_acquire(&d1->words),
			 &d1->layout[EVC_WIDTH_32]);
	fake_end();
}

/* One operation on a table, chosen by @r; most succeed. */
static void random_step(uint32_t r)
{
	uint32_t vcpu = (r >> 20) % 3, number = r >> 8 & 63;
	evtchn_port_t a = 0, b;

	switch (r >> 28) {
	case 0:
	case 1:
	case 2:
		fake_connect(d1, d2, &a, &b);
		break;
	case 3:
	case 4:
	case 5:
		fake_connect(d2, d1, &b, &a);
		break;
	case 6:
		fake_connect(d1, d1, &a, &b);
		break;
	case 7:
		a = fake_unbound(d1, d2);
		break;
	case 8:
		(void)evc_bind_virq(d1, number % 24, vcpu, &a);
		break;
	case 9:
		(void)evc_bind_pirq(d1, number % 8, 0, &a);
		break;
	case 10:
		(void)evc_consumer_alloc(d1, vcpu, 2, consume, &a);
		break;
	case 11:
		(void)evc_bind_ipi(d1, vcpu, &a);
		break;
	case 12:
		(void)evc_close(d1, number);
		break;
	case 13:
		(void)evc_close(d2, number);
		break;
	case 14:
		(void)evc_bind_vcpu(d1, number, vcpu);
		break;
	case 15:
		(void)evc_set_priority(d1, number, (r >> 16) % 16);
		(void)evc_send(d1, number);
		break;
	}
}

/* Many random tables, saved and restored without a difference. */
static void random_tables_come_back(void **unused)
{
	uint32_t rounds = getenv("EVC_LONG") ? 20000 : 400, seed = 1, n;
	bool first_1;

	(void)unused;
	while (rounds--) {
		start(HAVE_FIFO && rounds & 1);
		if (fifo)
			enter_fifo(rounds >> 1 & 1);
		for (n = rounds % 90; n; n--) {
			seed = seed * 1664525 + 1013904223;
			random_step(seed);
		}
		save(d1, &image1);
		save(d2, &image2);
		drop(&d1);
		drop(&d2);
		first_1 = seed >> 31;
		if (first_1)
			restore(&d1, 1, &image1);
		restore(&d2, 2, &image2);
		if (!first_1)
			restore(&d1, 1, &image1);
		assert_same_image(d2, &image2);
		/* Both are told of what they may have missed: in its queues. */
		if (!fifo)
			assert_same_image(d1, &image1);
		fake_end();
	}
}

/* --- the bytes --------------------------------------------------------------- */

static void the_format_is_frozen(void **unused)
{
	static const uint8_t expected[] = {
		/* header: magic, version, 2-level, 64 bits, length */
		'E', 'V', 'C', 'S', 1, 0, 0, 1, 176, 0, 0, 0,
		/* domid, 0, vCPUs, ports that exist, open ones, pages */
		1, 0, 0, 0, 3, 0, 0, 0, 64, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0,
		/* generation, 0 */
		9, 0, 0, 0, 0, 0, 0, 0,
		/* vCPUs */
		0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
		/* port 1: unbound for domain 2, bearer 4; wants to know */
		1, 0, 0, 0, 1, 4, 7, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 4,
		0, 0, 0,
		/* port 2: VIRQ 1 on vCPU 1 */
		2, 0, 0, 0, 4, 0, 7, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
		0, 0, 0,
		/* port 3: PIRQ 5 on vCPU 2, shareable */
		3, 0, 0, 0, 3, 0, 7, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1,
		0, 0, 0,
		/* port 5: connected to port 2 of domain 2, bearer 4 */
		5, 0, 0, 0, 2, 0, 7, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 4,
		0, 0, 0,
		/* port 6: owned, first callback, unbound for domain 2 */
		6, 0, 0, 0, 1, 0, 7, 1, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 4,
		0, 0, 0,
		/* CRC-32, by another program */
		0x5e, 0x55, 0x4c, 0xc7};
	static _Alignas(8) uint8_t info[64];
	evtchn_port_t port, hole, there;

	(void)unused;
	start(false);
	assert_int_equal(evc_vcpu_register_info(&d1->vcpu[1], info), 0);
	assert_int_equal(evc_watch_peer(d1, fake_unbound(d1, d2), true), 0);
	assert_int_equal(evc_bind_virq(d1, VIRQ_DEBUG, 1, &port), 0);
	assert_int_equal(evc_bind_pirq(d1, 5, 1, &port), 0);
	assert_int_equal(evc_bind_vcpu(d1, port, 2), 0);
	assert_int_equal(evc_bind_ipi(d1, 0, &hole), 0);
	(void)fake_unbound(d2, d1);
	fake_connect(d2, d1, &there, &port);
	assert_int_equal(evc_consumer_alloc(d1, 1, 2, consume, &port), 0);
	assert_int_equal(evc_close(d1, hole), 0);
	save(d1, &image1);
	assert_int_equal(image1.len, sizeof(expected));
	assert_memory_equal(image1.byte, expected, sizeof(expected));
	/* A saved domain is not changed, and can be saved again. */
	assert_same_image(d1, &image1);
	fake_end();
}

static void save_errors(void **unused)
{
	evtchn_port_t port;
	size_t len = 77, size;

	(void)unused;
	start(false);
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	size = evc_save_size(d1);
	assert_int_equal(size, HEADER + 3 * VCPU + PORT + 4);
	assert_int_equal(evc_save(d1, image1.byte, size - 1, &len),
			 -XEN_ENOBUFS);
	assert_int_equal(evc_save(d1, image1.byte, 0, &len), -XEN_ENOBUFS);
	memset(image1.byte, 0x5a, IMAGE_SIZE);
	evc_domain_set_paused(d1, false);
	assert_int_equal(evc_save(d1, image1.byte, size, &len), -XEN_EINVAL);
	evc_domain_set_paused(d1, true);
	/* A reset that took a break. */
	while (fake_nr_valid(d1) == 64)
		assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	fake.yield = true;
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), -XEN_ERESTART);
	assert_int_equal(evc_save(d1, image1.byte, IMAGE_SIZE, &len),
			 -XEN_EBUSY);
	fake.yield = false;
	assert_int_equal(evc_reset(d1, DOMID_SELF, true), 0);
	assert_int_equal(evc_domain_destroy(d1), 0);
	assert_int_equal(evc_save(d1, image1.byte, IMAGE_SIZE, &len),
			 -XEN_EINVAL);
	assert_int_equal(len, 77);
	assert_int_equal(image1.byte[0], 0x5a);
	fake_end();
}

/* --- damaged images ---------------------------------------------------------- */

static struct {
	struct evc_domain domain;
	struct evc_vcpu vcpu[3];
	struct evc_channel port[64];
	struct evc_fifo fifo;
	struct evc_fifo_vcpu fifo_vcpu[3];
	evb_u32 pirq[FAKE_PIRQS];
	uint64_t map[EVC_MAP_WORDS(64)];
	uint8_t page[4096];
} shadow;

/* With @check: the domain is bit for bit what it was. */
static void look_at(struct evc_domain *d, bool check)
{
	struct {
		void *copy;
		const void *real;
		size_t size;
	} part[] = {
		{&shadow.domain, d, sizeof(*d)},
		{shadow.vcpu, d->vcpu, sizeof(shadow.vcpu)},
		{shadow.port, d->ports.bucket[0], sizeof(shadow.port)},
		{shadow.pirq, d->pirq_port, sizeof(shadow.pirq)},
		{shadow.map, d->ports.map[0], sizeof(shadow.map)},
		{shadow.page, d->shared_info, sizeof(shadow.page)},
		{&shadow.fifo, d->fifo, d->fifo ? sizeof(shadow.fifo) : 0},
		{shadow.fifo_vcpu, d->fifo ? d->fifo->vcpu : NULL,
		 d->fifo ? sizeof(shadow.fifo_vcpu) : 0},
	};
	uint32_t i;

	for (i = 0; i < sizeof(part) / sizeof(*part); i++) {
		if (!part[i].size)
			continue;
		if (check)
			assert_memory_equal(part[i].copy, part[i].real,
					    part[i].size);
		else
			memcpy(part[i].copy, part[i].real, part[i].size);
	}
}

static void every_damage_is_refused(bool use_fifo)
{
	uint32_t i, v;
	int rc;

	start(use_fifo);
	if (fifo)
		enter_fifo(1);
	open_every_state();
	if (fifo)
		assert_int_equal(evc_send(d1, p.ipi - 5), 0);
	save(d1, &image1);
	drop(&d1);
	drop(&d2);
	add(&d2, 2);
	bring(&d1, 1, &image1);
	look_at(d1, false);
	/* A buffer of its own size each: reading too far is noticed. */
	for (i = 0; i < image1.len; i++) {
		uint8_t *cut = malloc(i ? i : 1);

		assert_non_null(cut);
		memcpy(cut, image1.byte, i);
		assert_int_equal(evc_restore(d1, cut, i), -XEN_EINVAL);
		free(cut);
	}
	assert_int_equal(evc_restore(d1, image1.byte, image1.len + 1),
			 -XEN_EINVAL);
	look_at(d1, true);
	for (i = 0; i < image1.len; i++) {
		for (v = 1; v < 256; v++) {
			image1.byte[i] ^= (uint8_t)v;
			rc = evc_restore(d1, image1.byte, image1.len);
			image1.byte[i] ^= (uint8_t)v;
			/* Bytes 4 and 5 are the version. */
			assert_int_equal(rc, i / 2 == 2 ? -XEN_EOPNOTSUPP
							: -XEN_EINVAL);
		}
		look_at(d1, true);
	}
	assert_int_equal(evc_restore(d1, image1.byte, image1.len), 0);
	fake_end();
}

static void every_damaged_byte_is_refused(void **unused)
{
	(void)unused;
	every_damage_is_refused(false);
}

static void every_damaged_byte_is_refused_fifo(void **unused)
{
	(void)unused;
	every_damage_is_refused(true);
}

/* --- images that lie --------------------------------------------------------- */

static void put(struct image *im, size_t at, uint64_t value, uint32_t size)
{
	uint32_t i;

	for (i = 0; i < size; i++)
		im->byte[at + i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get(const struct image *im, size_t at)
{
	uint32_t i, v = 0;

	for (i = 0; i < 4; i++)
		v |= (uint32_t)im->byte[at + i] << 8 * i;
	return v;
}

/* A good checksum, with a table, unlike the core's. */
static void seal(struct image *im)
{
	uint32_t table[256], i, bit, crc = UINT32_MAX;

	for (i = 0; i < 256; i++) {
		table[i] = i;
		for (bit = 0; bit < 8; bit++)
			table[i] = table[i] & 1 ? table[i] >> 1 ^ 0xedb88320u
						: table[i] >> 1;
	}
	for (i = 0; i < im->len - 4; i++)
		crc = table[(crc ^ im->byte[i]) & 255] ^ crc >> 8;
	put(im, im->len - 4, ~crc, 4);
}

static void sign(struct image *im)
{
	put(im, 8, im->len, 4);
	seal(im);
}

/* Where the record of @port is. */
static uint32_t at_port(const struct image *im, evtchn_port_t port)
{
	uint32_t at = (uint32_t)im->len - 4 - get(im, 24) * PORT;

	while (get(im, at) != port) {
		at += PORT;
		assert_true(at < im->len - 4);
	}
	return at;
}

#define RECORD(port) at_port(&image1, port)
#define FIFO_AT(v)   (HEADER + 3 * VCPU + (v)*FIFO_VCPU)

/* image1 with one field changed and a good checksum, on a fresh d1. */
static void expect_rc(const char *what, size_t at, uint32_t value,
		      uint32_t size, int expected)
{
	uint32_t before = fake_nr_valid(d1);
	int rc;

	again = image1;
	put(&again, at, value, size);
	sign(&again);
	fake_forget();
	look_at(d1, false);
	rc = evc_restore(d1, again.byte, again.len);
	if (rc != expected)
		fail_msg("%s: %d instead of %d", what, rc, expected);
	assert_int_equal(d1->ports.nr_open, 0);
	assert_int_equal(fake.mapped, 0);
	assert_int_equal(evb_u32_load(&fake.pirq_binds),
			 evb_u32_load(&fake.pirq_unbinds));
	assert_int_equal(fake_nr_valid(d1), before);
	assert_memory_equal(shadow.vcpu, d1->vcpu, sizeof(shadow.vcpu));
	assert_memory_equal(shadow.pirq, d1->pirq_port, sizeof(shadow.pirq));
	assert_memory_equal(shadow.map, d1->ports.map[0], sizeof(shadow.map));
	assert_memory_equal(shadow.page, d1->shared_info, 4096);
	assert_memory_equal(&shadow.domain.deliver, &d1->deliver,
			    sizeof(d1->deliver));
}

#define EXPECT(at, value, size, rc) \
	expect_rc(#at " = " #value, at, value, size, rc)
#define REFUSE(at, value, size) EXPECT(at, value, size, -XEN_EINVAL)

static void start_lying(bool use_fifo)
{
	start(use_fifo);
	if (fifo)
		enter_fifo(1);
	open_every_state();
	save(d1, &image1);
	save(d2, &image2);
	drop(&d1);
	drop(&d2);
	restore(&d2, 2, &image2);
	bring(&d1, 1, &image1);
}

static void lies_in_the_header_are_refused(void **unused)
{
	(void)unused;
	start_lying(false);
	REFUSE(0, 0x53435646, 4);
	EXPECT(4, 0, 2, -XEN_EOPNOTSUPP);
	EXPECT(4, 2, 2, -XEN_EOPNOTSUPP);
	REFUSE(6, 2, 1);
	REFUSE(6, 1, 1); /* FIFO, but without its parts */
	REFUSE(7, 2, 1);
	REFUSE(12, 2, 2);
	REFUSE(12, 0x7ff0, 2);
	REFUSE(14, 1, 2);
	REFUSE(16, 0, 4);
	REFUSE(16, 2, 4);
	REFUSE(16, 8193, 4);
	REFUSE(16, UINT32_MAX, 4);
	REFUSE(20, 0, 4);
	REFUSE(20, 63, 4);
	REFUSE(20, 131072 + 64, 4);
	EXPECT(20, 65 * 64, 4, -XEN_ENOSPC);
	REFUSE(24, 9, 4);
	REFUSE(24, 11, 4);
	REFUSE(24, 64, 4);
	REFUSE(24, UINT32_MAX / 24 + 1, 4);
	REFUSE(28, 1, 4);
	again = image1;
	put(&again, 8, image1.len + 1, 4);
	seal(&again);
	assert_int_equal(evc_restore(d1, again.byte, again.len), -XEN_EINVAL);
	REFUSE(32, 8, 4); /* another bearer of the domid */
	REFUSE(36, 1, 4);
	REFUSE(HEADER, 2, 4);
	REFUSE(HEADER, 1, 4); /* vCPU 0 has not registered here */
	assert_int_equal(evc_restore(d1, image1.byte, image1.len), 0);
	fake_end();
}

static void lies_about_ports_are_refused(void **unused)
{
	(void)unused;
	start_lying(false);
	REFUSE(RECORD(p.unbound), 0, 4);
	REFUSE(RECORD(p.unbound), p.loop_a, 4);
	REFUSE(RECORD(p.timer), p.loop_b, 4); /* twice, descending */
	REFUSE(RECORD(p.here), 64, 4);
	REFUSE(RECORD(p.unbound) + 4, 0, 1);
	REFUSE(RECORD(p.unbound) + 4, 6, 1);
	REFUSE(RECORD(p.unbound) + 5, 8, 1); /* held back, for nobody */
	REFUSE(RECORD(p.here) + 5, 16, 1);
	REFUSE(RECORD(p.unbound) + 5, 1, 1); /* parked, 2-level */
	REFUSE(RECORD(p.owned) + 5, 2, 1);   /* static and owned */
	REFUSE(RECORD(p.owned) + 5, 4, 1);
	REFUSE(RECORD(p.owned) + 5, 8, 1);
	REFUSE(RECORD(p.timer) + 5, 2, 1);
	REFUSE(RECORD(p.line) + 5, 2, 1);
	REFUSE(RECORD(p.ipi) + 5, 2, 1);
	REFUSE(RECORD(p.unbound) + 6, 16, 1);
	REFUSE(RECORD(p.unbound) + 7, 2, 1); /* a callback nobody registered */
	REFUSE(RECORD(p.unbound) + 7, 8, 1);
	REFUSE(RECORD(p.unbound) + 8, 3, 4);
	REFUSE(RECORD(p.unbound) + 14, 1, 2);
	REFUSE(RECORD(p.unbound) + 16, 1, 4);
	REFUSE(RECORD(p.here) + 12, 0x7ff0, 2);
	REFUSE(RECORD(p.here) + 16, 0, 4);
	REFUSE(RECORD(p.here) + 16, 131072, 4);
	/* Within the domain: no such peer, itself, another's, other state. */
	REFUSE(RECORD(p.here) + 12, 1, 2);
	REFUSE(RECORD(p.loop_a) + 16, 63, 4);
	REFUSE(RECORD(p.loop_a) + 20, 8, 4);
	REFUSE(RECORD(p.loop_a) + 16, p.loop_a, 4);
	REFUSE(RECORD(p.loop_a) + 16, p.here, 4);
	REFUSE(RECORD(p.loop_a) + 16, p.timer, 4);
	REFUSE(RECORD(p.loop_a) + 4, 1, 1);
	REFUSE(RECORD(p.timer) + 16, 24, 4);
	REFUSE(RECORD(p.timer) + 7, 1, 1);
	REFUSE(RECORD(p.timer) + 12, 1, 2);
	REFUSE(RECORD(p.timer) + 20, 1, 4);
	REFUSE(RECORD(p.timer) + 16, VIRQ_CONSOLE, 4); /* bound twice */
	REFUSE(RECORD(p.line) + 16, FAKE_PIRQS, 4);
	REFUSE(RECORD(p.line) + 7, 1, 1);
	REFUSE(RECORD(p.line) + 12, 1, 2);
	REFUSE(RECORD(p.ipi) + 7, 1, 1);
	REFUSE(RECORD(p.ipi) + 12, 1, 2);
	REFUSE(RECORD(p.ipi) + 16, 1, 4);
	REFUSE(RECORD(p.ipi) + 20, 1, 4);
	assert_int_equal(evc_restore(d1, image1.byte, image1.len), 0);
	fake_end();
}

/* Connections within the domain that do not fit each other. */
static void lies_about_loops_are_refused(void **unused)
{
	evtchn_port_t a, b;

	(void)unused;
	start(false);
	fake_connect(d1, d1, &p.loop_a, &p.loop_b);
	fake_connect(d1, d1, &a, &b);
	fake_connect(d2, d1, &p.there, &p.here);
	save(d1, &image1);
	drop(&d1);
	drop(&d2);
	add(&d2, 2);
	bring(&d1, 1, &image1);
	REFUSE(RECORD(p.loop_a) + 16, a, 4); /* a's peer is b */
	/* One end only, and it says it is its own peer. */
	put(&image1, RECORD(p.here) + 16, p.here, 4);
	put(&image1, RECORD(p.here) + 20, 9, 4);
	REFUSE(RECORD(p.here) + 12, 1, 2);
	fake_end();
}

static void lies_about_queues_are_refused(void **unused)
{
	(void)unused;
	start_lying(true);
	/* Another frame count than there are bytes, then bad frames. */
	REFUSE(28, 129, 4);
	REFUSE(28, 2, 4);
	REFUSE(FIFO_AT(3), FAKE_FRAMES, 4); /* the array page */
	REFUSE(FIFO_AT(3) + 4, 1, 4);
	REFUSE(FIFO_AT(0), FAKE_FRAMES, 4);
	REFUSE(FIFO_AT(0) + 8, 4, 4);
	REFUSE(FIFO_AT(0) + 8, 4096 - 64, 4);
	REFUSE(FIFO_AT(0) + 12, 3, 4);
	REFUSE(FIFO_AT(2), 1, 4); /* no block there */
	REFUSE(FIFO_AT(2) + 8, 8, 4);
	REFUSE(FIFO_AT(2) + 16, 1, 4);
	REFUSE(FIFO_AT(1) + 16, 64, 4);
	REFUSE(FIFO_AT(1) + 16, UINT32_MAX, 4);
	REFUSE(RECORD(p.unbound) + 5, 1, 1); /* parked, but there is a page */
	/* One port at the end of two queues. */
	put(&image1, FIFO_AT(0) + 16, p.here, 4);
	REFUSE(FIFO_AT(1) + 16 + 15 * 4, p.here, 4);
	put(&image1, FIFO_AT(0) + 16, 0, 4);
	sign(&image1);
	assert_int_equal(evc_restore(d1, image1.byte, image1.len), 0);
	assert_every_state();
	fake_end();
}

/* Nobody has a control block, or none of the pages has the tail. */
static void fifo_images_without_parts_are_refused(void **unused)
{
	(void)unused;
	start(true);
	enter_fifo(0);
	save(d1, &image1);
	drop(&d1);
	bring(&d1, 1, &image1);
	REFUSE(FIFO_AT(0) + 16, 1, 4);
	put(&image1, FIFO_AT(1), 0, 4);
	put(&image1, FIFO_AT(1) + 8, 0, 8);
	REFUSE(FIFO_AT(0) + 12, 0, 4);
	fake_end();
}

/* --- domains that do not fit ------------------------------------------------- */

static void expect_no_fit(struct evc_domain **d, const struct fake_options *o,
			  int expected)
{
	if (*d)
		drop(d);
	*d = fake_add(o);
	evc_domain_set_paused(*d, true);
	evc_machine_set_hwdom(&fake.machine, *d);
	assert_int_equal(evc_restore(*d, image1.byte, image1.len), expected);
	assert_int_equal((*d)->ports.nr_open, 0);
	assert_int_equal(fake.mapped, 0);
}

static void domain_must_fit(void **unused)
{
	static _Alignas(8) uint8_t info[64];
	struct fake_options o;
	evtchn_port_t port;

	(void)unused;
	start_lying(true);
	o = *options(1);
	o.nr_vcpus = 2;
	expect_no_fit(&d1, &o, -XEN_EINVAL);
	o.nr_vcpus = 3;
	o.generation = 8;
	expect_no_fit(&d1, &o, -XEN_EINVAL);
	o.generation = 9;
	o.fifo = false;
	expect_no_fit(&d1, &o, -XEN_EOPNOTSUPP);
	o.fifo = true;
	o.max_port = p.here - 1;
	expect_no_fit(&d1, &o, -XEN_ENOSPC);
	/* In use, with a block already, unpaused, registered, dying. */
	drop(&d1);
	add(&d1, 1);
	assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	assert_int_equal(evc_restore(d1, image1.byte, image1.len), -XEN_EBUSY);
	assert_int_equal(evc_close(d1, port), 0);
	enter_fifo(0);
	assert_int_equal(evc_restore(d1, image1.byte, image1.len), -XEN_EBUSY);
	assert_int_equal(evc_reset(d1, DOMID_SELF, false), 0);
	evc_domain_set_paused(d1, false);
	assert_int_equal(evc_restore(d1, image1.byte, image1.len), -XEN_EINVAL);
	evc_domain_set_paused(d1, true);
	assert_int_equal(evc_vcpu_register_info(&d1->vcpu[2], info), 0);
	assert_int_equal(evc_restore(d1, image1.byte, image1.len), -XEN_EINVAL);
	drop(&d1);
	add(&d1, 1);
	/* The VIRQ's handler is another domain. */
	evc_machine_set_hwdom(&fake.machine, d2);
	assert_int_equal(evc_restore(d1, image1.byte, image1.len), -XEN_EBUSY);
	assert_int_equal(fake.mapped, 0);
	evc_machine_set_hwdom(&fake.machine, d1);
	assert_int_equal(evc_restore(d1, image1.byte, image1.len), 0);
	assert_every_state();
	assert_int_equal(evc_domain_destroy(d1), 0);
	assert_int_equal(evc_restore(d1, image1.byte, image1.len), -XEN_EINVAL);
	fake_end();
}

/* A port the ABI has no bit for. */
static void port_beyond_the_abi_is_refused(void **unused)
{
	struct fake_options o;
	evtchn_port_t port;
	uint32_t i;

	(void)unused;
	start(false);
	for (i = 0; i < 1024; i++)
		assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	save(d1, &image1);
	assert_int_equal(image1.byte[7], EVC_WIDTH_64);
	o = *options(1);
	drop(&d1);
	image1.byte[7] = EVC_WIDTH_32;
	sign(&image1);
	expect_no_fit(&d1, &o, -XEN_ENOSPC);
	image1.byte[7] = EVC_WIDTH_64;
	sign(&image1);
	o.nr_buckets = 16;
	expect_no_fit(&d1, &o, -XEN_ENOSPC);
	o.nr_buckets = 17;
	drop(&d1);
	d1 = fake_add(&o);
	evc_domain_set_paused(d1, true);
	assert_int_equal(evc_restore(d1, image1.byte, image1.len), 0);
	fake_end();
}

/* More vCPUs than saved is fine. */
static void more_vcpus_are_fine(void **unused)
{
	struct fake_options o;

	(void)unused;
	start_lying(true);
	o = *options(1);
	o.nr_vcpus = 4;
	drop(&d1);
	d1 = fake_add(&o);
	evc_domain_set_paused(d1, true);
	evc_machine_set_hwdom(&fake.machine, d1);
	memcpy(d1->shared_info, image1.page, 4096);
	assert_int_equal(evc_restore(d1, image1.byte, image1.len), 0);
	assert_every_state();
	assert_delivery();
	fake_end();
}

/* --- hooks that fail --------------------------------------------------------- */

static void failing_hooks_leave_nothing_behind(void **unused)
{
	evtchn_port_t port;

	(void)unused;
	start(true);
	enter_fifo(1);
	assert_int_equal(evc_bind_pirq(d1, 1, 0, &port), 0);
	open_every_state();
	while (fake_nr_valid(d1) == 64)
		assert_int_equal(evc_bind_ipi(d1, 0, &port), 0);
	save(d1, &image1);
	save(d2, &image2);
	drop(&d1);
	drop(&d2);
	restore(&d2, 2, &image2);
	bring(&d1, 1, &image1);
	fake_forget();
	fake.no_memory = true;
	assert_int_equal(evc_restore(d1, image1.byte, image1.len), -XEN_ENOMEM);
	fake.no_memory = false;
	fake.pirq_bind_rc = -XEN_EBUSY;
	assert_int_equal(evc_restore(d1, image1.byte, image1.len), -XEN_EBUSY);
	assert_int_equal(evb_u32_load(&fake.pirq_unbinds), 0);
	fake.pirq_bind_rc = 0;
	fake_forget();
	fake.pirq_permitted = 1u << 1; /* the second line is refused */
	assert_int_equal(evc_restore(d1, image1.byte, image1.len), -XEN_EPERM);
	assert_int_equal(evb_u32_load(&fake.pirq_binds), 1);
	assert_int_equal(evb_u32_load(&fake.pirq_unbinds), 1);
	fake.pirq_permitted = 0xff;
	/* A frame is refused after both lines and one block are there. */
	again = image1;
	put(&again, FIFO_AT(1), FAKE_FRAMES, 4);
	sign(&again);
	fake_forget();
	assert_int_equal(evc_restore(d1, again.byte, again.len), -XEN_EINVAL);
	assert_int_equal(evb_u32_load(&fake.pirq_binds), 2);
	assert_int_equal(evb_u32_load(&fake.pirq_unbinds), 2);
	assert_int_equal(fake.mapped, 0);
	assert_int_equal(d1->ports.nr_open, 0);
	/* Nothing of the four is left: */
	assert_int_equal(evc_restore(d1, image1.byte, image1.len), 0);
	assert_same_image(d1, &image1);
	fake_end();
}

static void callbacks_are_numbered_by_registering(void **unused)
{
	(void)unused;
	start(false);
	open_every_state();
	save(d1, &image1);
	save(d2, &image2);
	fake_end();
	start(false); /* a new machine: it has seen no callback yet */
	assert_int_equal(evc_restore(d1, image1.byte, image1.len), -XEN_EINVAL);
	assert_int_equal(evc_consumer_register(&fake.machine, NULL),
			 -XEN_EINVAL);
	assert_int_equal(evc_consumer_register(&fake.machine, consume), 0);
	assert_int_equal(evc_restore(d1, image1.byte, image1.len), 0);
	assert_int_equal(evc_restore(d2, image2.byte, image2.len), 0);
	assert_every_state();
	assert_delivery();
	fake_end();
}

/* --- on real threads --------------------------------------------------------- */

static void *restore_one(void *arg)
{
	struct evc_domain *d = arg;
	const struct image *im = d == d1 ? &image1 : &image2;

	return evc_restore(d, im->byte, im->len) ? arg : NULL;
}

/* Two domains at once: each pair is connected, by whoever sees both. */
static void both_come_back_at_once(void **unused)
{
	uint32_t rounds = getenv("EVC_LONG") ? 5000 : 200, i;
	evtchn_port_t port[2][20];
	pthread_t other;
	void *failed;

	(void)unused;
	while (rounds--) {
		start(false);
		for (i = 0; i < 10; i++) {
			fake_connect(d1, d2, &port[0][i], &port[1][i]);
			fake_connect(d2, d1, &port[1][i + 10],
				     &port[0][i + 10]);
		}
		save(d1, &image1);
		save(d2, &image2);
		drop(&d1);
		drop(&d2);
		bring(&d1, 1, &image1);
		bring(&d2, 2, &image2);
		fake.threads = true;
		assert_int_equal(pthread_create(&other, NULL, restore_one, d2),
				 0);
		assert_null(restore_one(d1));
		assert_int_equal(pthread_join(other, &failed), 0);
		fake.threads = false;
		assert_null(failed);
		assert_same_image(d1, &image1);
		assert_same_image(d2, &image2);
		fake_end();
	}
}

static evb_u32 enough;

/* What a peer may do to connections of a domain that is being saved. */
static void *disturb(void *unused)
{
	evtchn_port_t there[8] = {0};
	uint32_t i;

	(void)unused;
	while (!evb_u32_load(&enough)) {
		for (i = 0; i < 8; i++)
			(void)evc_bind_interdomain(d2, 1, 1 + i, &there[i]);
		for (i = 0; i < 8; i++)
			(void)evc_send(d2, there[i]);
		for (i = 0; i < 8; i++)
			(void)evc_close(d2, there[i]);
	}
	return NULL;
}

/* Every image is one restore takes; FIFO queues grow meanwhile. */
static void saved_under_busy_peers(bool use_fifo)
{
	uint32_t rounds = getenv("EVC_LONG") ? 20000 : 500, i;
	uint32_t seen[3] = {0}; /* by state */
	pthread_t other;

	start(use_fifo);
	if (fifo)
		enter_fifo(1);
	for (i = 0; i < 8; i++)
		(void)fake_unbound(d1, d2);
	fake.threads = true;
	evb_u32_store(&enough, 0);
	assert_int_equal(pthread_create(&other, NULL, disturb, NULL), 0);
	while (rounds--) {
		assert_int_equal(
			evc_save(d1, image1.byte, IMAGE_SIZE, &image1.len), 0);
		assert_int_equal(get(&image1, 24), 8);
		for (i = 1; i <= 8; i++)
			seen[image1.byte[RECORD(i) + 4]]++;
	}
	evb_u32_store(&enough, 1);
	assert_int_equal(pthread_join(other, NULL), 0);
	fake.threads = false;
	assert_int_equal(seen[EVTCHNSTAT_closed], 0);
	/* The last one, of some moment in the middle, is good. */
	memcpy(image1.page, d1->shared_info, 4096);
	assert_int_equal(evc_domain_destroy(d1), 0);
	drop(&d1);
	restore(&d1, 1, &image1);
	assert_int_equal(d1->ports.nr_open, 8);
	fake_end();
}

static void peers_may_go_on_while_it_is_saved(void **unused)
{
	(void)unused;
	saved_under_busy_peers(false);
}

static void peers_may_go_on_while_it_is_saved_fifo(void **unused)
{
	(void)unused;
	saved_under_busy_peers(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_level_comes_back_in_both_orders),
		cmocka_unit_test(fifo_comes_back_in_both_orders),
		cmocka_unit_test(one_comes_back_to_a_living_peer),
		cmocka_unit_test(peer_that_is_not_there_leaves_it_unbound),
		cmocka_unit_test(events_sent_meanwhile_are_not_lost),
		cmocka_unit_test(fifo_queues_go_on),
		cmocka_unit_test(fifo_tails_can_move),
		cmocka_unit_test(half_consumed_queue_goes_on),
		cmocka_unit_test(parked_events_are_posted_by_the_page),
		cmocka_unit_test(stale_note_of_4_17_is_not_kept),
		cmocka_unit_test(note_at_an_owned_port_is_not_kept),
		cmocka_unit_test(both_ends_are_told_whoever_comes_first),
		cmocka_unit_test(hostile_words_lead_nowhere),
		cmocka_unit_test(notice_of_a_peer_that_is_gone),
		cmocka_unit_test(held_event_goes_out),
		cmocka_unit_test(recycled_domid_is_not_the_peer),
		cmocka_unit_test(width_comes_back),
		cmocka_unit_test(random_tables_come_back),
		cmocka_unit_test(the_format_is_frozen),
		cmocka_unit_test(save_errors),
		cmocka_unit_test(every_damaged_byte_is_refused),
		cmocka_unit_test(every_damaged_byte_is_refused_fifo),
		cmocka_unit_test(lies_in_the_header_are_refused),
		cmocka_unit_test(lies_about_ports_are_refused),
		cmocka_unit_test(lies_about_loops_are_refused),
		cmocka_unit_test(lies_about_queues_are_refused),
		cmocka_unit_test(fifo_images_without_parts_are_refused),
		cmocka_unit_test(domain_must_fit),
		cmocka_unit_test(port_beyond_the_abi_is_refused),
		cmocka_unit_test(more_vcpus_are_fine),
		cmocka_unit_test(failing_hooks_leave_nothing_behind),
		cmocka_unit_test(callbacks_are_numbered_by_registering),
		cmocka_unit_test(both_come_back_at_once),
		cmocka_unit_test(peers_may_go_on_while_it_is_saved),
		cmocka_unit_test(peers_may_go_on_while_it_is_saved_fifo),
	};

	return cmocka_run_group_tests_name("core_snapshot", tests, NULL, NULL);
}
