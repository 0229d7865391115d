/* SPDX-License-Identifier: MIT */
/*
 * FIFO event channels in an attached process: the hypercalls answer as Xen's,
 * priorities and the order of events hold, and nothing is lost on the way from
 * 2-level to FIFO and back, whoever sends meanwhile.
 */
#include <pthread.h>

#include <evg/fifo.h>

#include "harness.h"

#include "hosts/process/guest.h"

#define PAGE	4096
#define CONTROL sizeof(struct evtchn_fifo_control_block)
#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED	(1u << EVTCHN_FIFO_MASKED)
#define LINKED	(1u << EVTCHN_FIFO_LINKED)

/* --- bare hypercalls ---------------------------------------------------------- */

static int call(struct evp_guest *g, unsigned int cmd, void *arg)
{
	return evg_plat_hypercall(evp_evg(g), __HYPERVISOR_event_channel_op,
				  cmd, arg);
}

static uint64_t frame_of(const void *page)
{
	return (uintptr_t)page >> 12;
}

static int init_control(struct evp_guest *g, uint64_t frame, uint32_t offset,
			uint32_t vcpu)
{
	struct evtchn_init_control op = {.control_gfn = frame,
					 .offset = offset,
					 .vcpu = vcpu,
					 .link_bits = 0xff};
	int rc = call(g, EVTCHNOP_init_control, &op);

	/* OUT only with success. */
	CHECK(op.link_bits == (rc ? 0xff : EVTCHN_FIFO_LINK_BITS));
	return rc;
}

static int expand_array(struct evp_guest *g, uint64_t frame)
{
	struct evtchn_expand_array op = {.array_gfn = frame};

	return call(g, EVTCHNOP_expand_array, &op);
}

static int set_priority(struct evp_guest *g, evtchn_port_t port,
			uint32_t priority)
{
	struct evtchn_set_priority op = {.port = port, .priority = priority};

	return call(g, EVTCHNOP_set_priority, &op);
}

static int unmask(struct evp_guest *g, evtchn_port_t port)
{
	struct evtchn_unmask op = {.port = port};

	return call(g, EVTCHNOP_unmask, &op);
}

/* Pages that nobody else uses. */
static void *pages(size_t n, int prot)
{
	void *p =
		mmap(NULL, n * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void *page(void)
{
	return pages(1, PROT_READ | PROT_WRITE);
}

/*
 * Where no page is, nor will be: what the kernel chooses a place for, which may
 * be for another thread and at any time, comes far above.
 */
static void *nothing(void)
{
	void *p = (void *)(uintptr_t)(16 << 20);

	CHECK(mmap(p, PAGE, PROT_READ, /* refused if there were one */
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		   0) == p);
	CHECK(!munmap(p, PAGE));
	return p;
}

static struct evp_guest *attach_vcpus(int domain, uint32_t n)
{
	struct evp_options o = {
		.domain = domain, .spin_ns = EVP_SPIN_DEFAULT, .nr_vcpus = n};
	struct evp_guest *g = NULL;

	CHECK(evp_attach(&g, &o) == 0);
	return g;
}

static struct evp_guest *attach_fifo(int domain)
{
	struct evp_guest *g = attach(domain);

	CHECK(evg_fifo_start(evp_evg(g)) == 0);
	return g;
}

/* --- results -------------------------------------------------------------------- */

static void init_control_answers_as_xen(void **state)
{
	struct evp_guest *g = attach_vcpus(1, 2);
	unsigned char *mem = page();
	uint64_t frame = frame_of(mem), constant, gone;

	(void)state;
	constant = frame_of(pages(1, PROT_READ));
	gone = frame_of(nothing());
	assert_int_equal(call(g, EVTCHNOP_init_control, NULL), -XEN_EFAULT);
	assert_int_equal(init_control(g, frame, 0, 2), -XEN_ENOENT);
	/* The vCPU is looked at first, then the place, then the frame. */
	assert_int_equal(init_control(g, 0, 4, 2), -XEN_ENOENT);
	assert_int_equal(init_control(g, frame, 4, 0), -XEN_EINVAL);
	assert_int_equal(init_control(g, frame, PAGE - CONTROL + 8, 0),
			 -XEN_EINVAL);
	assert_int_equal(init_control(g, frame, UINT32_MAX - 7, 0),
			 -XEN_EINVAL);
	assert_int_equal(init_control(g, 0, 0, 0), -XEN_EINVAL);
	assert_int_equal(init_control(g, constant, 0, 0), -XEN_EINVAL);
	assert_int_equal(init_control(g, gone, 0, 0), -XEN_EINVAL);
	assert_int_equal(init_control(g, UINT64_MAX, 0, 0), -XEN_EINVAL);
	assert_int_equal(init_control(g, frame | 1ull << 52, 0, 0),
			 -XEN_EINVAL);
	assert_int_equal(init_control(g, 1ull << 51, 0, 0), -XEN_EINVAL);
	/* After all that it is 2-level still. */
	assert_int_equal(expand_array(g, frame), -XEN_EOPNOTSUPP);
	memset(mem, 0x5a, PAGE);
	assert_int_equal(init_control(g, frame, PAGE - CONTROL, 0), 0);
	assert_int_equal(mem[0], 0x5a); /* nothing was written */
	assert_int_equal(mem[PAGE - 1], 0x5a);
	assert_int_equal(init_control(g, frame, 0, 0), -XEN_EINVAL);
	/* Two control blocks may share a page. */
	assert_int_equal(init_control(g, frame, 0, 1), 0);
	assert_int_equal(init_control(g, frame, 0, 1), -XEN_EINVAL);
	evp_detach(g);
}

static void expand_array_answers_as_xen(void **state)
{
	struct evp_guest *g = attach(1);
	uint64_t constant = frame_of(pages(1, PROT_READ));
	unsigned char *mem = pages(129, PROT_READ | PROT_WRITE);
	int i;

	(void)state;
	assert_int_equal(call(g, EVTCHNOP_expand_array, NULL), -XEN_EFAULT);
	/* Not FIFO: looked at before the frame. */
	assert_int_equal(expand_array(g, 0), -XEN_EOPNOTSUPP);
	assert_int_equal(init_control(g, frame_of(page()), 0, 0), 0);
	assert_int_equal(expand_array(g, 0), -XEN_EINVAL);
	assert_int_equal(expand_array(g, constant), -XEN_EINVAL);
	assert_int_equal(expand_array(g, UINT64_MAX), -XEN_EINVAL);
	memset(mem, 0x5a, PAGE);
	for (i = 0; i < EVG_FIFO_MAX_PAGES; i++)
		assert_int_equal(expand_array(g, frame_of(mem) + (uint64_t)i),
				 0);
	assert_int_equal(mem[0], 0x5a);
	assert_int_equal(expand_array(g, frame_of(mem) + 128), -XEN_ENOSPC);
	assert_int_equal(expand_array(g, 0), -XEN_ENOSPC);
	evp_detach(g);
}

static void set_priority_answers_as_xen(void **state)
{
	struct evp_guest *g = attach(1), *other = attach(1);
	evtchn_port_t port = alloc(g, DOMID_SELF, 2);
	evtchn_port_t foreign = alloc(other, DOMID_SELF, 2);

	(void)state;
	assert_int_equal(call(g, EVTCHNOP_set_priority, NULL), -XEN_EFAULT);
	/* 2-level: only whether there can be such a port is looked at. */
	assert_int_equal(set_priority(g, port, 0), -XEN_ENOSYS);
	assert_int_equal(set_priority(g, port, 16), -XEN_ENOSYS);
	assert_int_equal(set_priority(g, 0, 0), -XEN_ENOSYS);
	assert_int_equal(set_priority(g, foreign + 1, 0), -XEN_ENOSYS);
	assert_int_equal(set_priority(g, foreign, 0), -XEN_ENOTCONN);
	assert_int_equal(set_priority(g, EVTCHN_FIFO_NR_CHANNELS, 0),
			 -XEN_EINVAL);
	assert_int_equal(set_priority(g, UINT32_MAX, 0), -XEN_EINVAL);
	assert_int_equal(init_control(g, frame_of(page()), 0, 0), 0);
	assert_int_equal(set_priority(g, port, 0), 0);
	assert_int_equal(set_priority(g, port, 15), 0);
	assert_int_equal(set_priority(g, port, 16), -XEN_EINVAL);
	assert_int_equal(set_priority(g, port, UINT32_MAX), -XEN_EINVAL);
	/* Not open comes before the priority. */
	assert_int_equal(set_priority(g, 0, 16), -XEN_EACCES);
	assert_int_equal(set_priority(g, foreign + 1, 16), -XEN_EACCES);
	assert_int_equal(set_priority(g, foreign, 0), -XEN_ENOTCONN);
	assert_int_equal(set_priority(g, EVTCHN_FIFO_NR_CHANNELS, 0),
			 -XEN_EINVAL);
	assert_int_equal(set_priority(g, UINT32_MAX, 0), -XEN_EINVAL);
	evp_detach(other);
	evp_detach(g);
}

/* --- order ------------------------------------------------------------------------- */

#define MANY 64

struct order {
	evtchn_port_t port[4096]; /* as they were handled */
	uint32_t nr;
};

static void note_order(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct order *o = ctx;

	(void)v;
	o->port[o->nr++] = port;
}

/* A loopback end to send on, the other one's events are noted. */
static evtchn_port_t open_loop(struct evp_guest *g, evtchn_port_t *to,
			       struct order *o)
{
	evtchn_port_t from = alloc(g, DOMID_SELF, DOMID_SELF);

	CHECK(!evg_bind_interdomain(evp_evg(g), DOMID_SELF, from, to));
	CHECK(!evg_bind_handler(evp_evg(g), *to, EVG_VCPU_KEEP, note_order, o));
	return from;
}

/* Those of the highest priority first, and of each in order of arrival. */
static void events_come_by_priority_then_in_order(void **state)
{
	static struct order o;
	struct evp_guest *g = attach_fifo(1);
	evtchn_port_t from[MANY], to[MANY];
	uint32_t i, prio, at = 0;

	(void)state;
	for (i = 0; i < MANY; i++)
		from[i] = open_loop(g, &to[i], &o);
	(void)evp_poll(g);
	o.nr = 0;
	for (i = 0; i < MANY; i++)
		assert_int_equal(evg_set_priority(evp_evg(g), to[i], i % 16),
				 0);
	for (i = MANY; i-- > 0;)
		assert_int_equal(evg_notify(evp_evg(g), from[i]), 0);
	assert_true(evp_poll(g) >= MANY);
	assert_int_equal(o.nr, MANY);
	for (prio = 0; prio < 16; prio++) {
		for (i = MANY; i-- > 0;) {
			if (i % 16 == prio)
				assert_int_equal(o.port[at++], to[i]);
		}
	}
	evp_detach(g);
}

#define LOOPS 2600 /* 5,200 ports: more than the 2-level ABI has */

/* Whatever their numbers, and how many of them. */
static void queue_order_is_arrival_order_of_many(void **state)
{
	static struct order o;
	static evtchn_port_t from[LOOPS], to[LOOPS];
	struct evp_guest *g = attach_fifo(1);
	uint32_t i, k;

	(void)state;
	for (i = 0; i < LOOPS; i++)
		from[i] = open_loop(g, &to[i], &o);
	assert_true(to[LOOPS - 1] >= EVTCHN_2L_NR_CHANNELS_64);
	while (evp_poll(g) > 0)
		;
	o.nr = 0;
	/* 7 and LOOPS have no common divisor: each once, in another order. */
	for (i = 0, k = 3; i < LOOPS; i++, k = (k + 7) % LOOPS)
		assert_int_equal(evg_notify(evp_evg(g), from[k]), 0);
	while (o.nr < LOOPS)
		assert_true(evp_poll(g) > 0);
	for (i = 0, k = 3; i < LOOPS; i++, k = (k + 7) % LOOPS)
		assert_int_equal(o.port[i], to[k]);
	evp_detach(g);
}

/* A port that is closed and opened again has the default priority. */
static void priority_ends_with_the_port(void **state)
{
	static struct order o;
	struct evp_guest *g = attach_fifo(1);
	evtchn_port_t from[2], to[2], again;

	(void)state;
	from[0] = open_loop(g, &to[0], &o);
	assert_int_equal(evg_set_priority(evp_evg(g), to[0], 0), 0);
	assert_int_equal(evg_close(evp_evg(g), to[0]), 0);
	assert_int_equal(evg_close(evp_evg(g), from[0]), 0);
	from[1] = open_loop(g, &to[1], &o);
	again = open_loop(g, &to[0], &o);
	assert_int_equal(evg_close(evp_evg(g), to[1]), 0);
	assert_int_equal(evg_close(evp_evg(g), from[1]), 0);
	from[1] = open_loop(g, &to[1], &o);
	assert_true(to[1] < to[0]); /* the number of the preferred one */
	while (evp_poll(g) > 0)
		;
	o.nr = 0;
	assert_int_equal(evg_notify(evp_evg(g), again), 0);
	assert_int_equal(evg_notify(evp_evg(g), from[1]), 0);
	while (evp_poll(g) > 0)
		;
	assert_int_equal(o.nr, 2);
	assert_int_equal(o.port[0], to[0]);
	assert_int_equal(o.port[1], to[1]);
	evp_detach(g);
}

/* --- the switch, step by step -------------------------------------------------------- */

/* A guest's words, looked at without the guest library. */
struct words {
	struct evtchn_fifo_control_block *control;
	uint32_t *word;
};

static struct words give_words(struct evp_guest *g, uint32_t fill)
{
	struct words w = {page(), page()};
	uint32_t i;

	for (i = 0; i < EVG_FIFO_PAGE_PORTS; i++)
		w.word[i] = fill;
	CHECK(init_control(g, frame_of(w.control), 0, 0) == 0);
	return w;
}

/* Two domains in this process, and channels from one to the other. */
struct pair {
	struct evp_guest *g, *peer;
	evtchn_port_t port[8], far[8];
};

static void open_pair(struct pair *p, uint32_t n)
{
	uint32_t i;

	p->g = attach(1);
	p->peer = attach(2);
	for (i = 0; i < n; i++) {
		p->port[i] = alloc(p->g, DOMID_SELF, 2);
		CHECK(!evg_bind_interdomain(evp_evg(p->peer), 1, p->port[i],
					    &p->far[i]));
	}
	(void)evp_poll(p->g);
}

static void send_to(struct pair *p, uint32_t i)
{
	CHECK(evg_notify(evp_evg(p->peer), p->far[i]) == 0);
	(void)evp_poll(p->g);
}

static void close_pair(struct pair *p)
{
	evp_detach(p->peer);
	evp_detach(p->g);
}

static uint32_t *bitmap(struct evp_guest *g)
{
	return (uint32_t *)(void *)evp_shared_info(g)->evtchn_pending;
}

static void events_before_amid_and_after_the_switch(void **state)
{
	struct pair p;
	struct words w;
	uint32_t was;

	(void)state;
	open_pair(&p, 6);
	send_to(&p, 0);
	send_to(&p, 4); /* it is closed before its page comes */
	was = bitmap(p.g)[0];
	assert_true(was & 1u << p.port[0]);
	w = give_words(p.g, 0);
	w.word[p.port[3]] = MASKED;
	/* What is pending is carried over, and the bitmap left alone. */
	assert_int_equal(bitmap(p.g)[0], was);
	send_to(&p, 1);
	send_to(&p, 3);
	send_to(&p, 5); /* this one, too */
	assert_int_equal(bitmap(p.g)[0], was);
	assert_int_equal(w.control->ready, 0);
	assert_int_equal(evg_close(evp_evg(p.g), p.port[4]), 0);
	assert_int_equal(evg_close(evp_evg(p.g), p.port[5]), 0);
	assert_int_equal(expand_array(p.g, frame_of(w.word)), 0);
	assert_int_equal(w.control->ready, 1u << 7);
	assert_int_equal(w.control->head[7], p.port[0]);
	assert_int_equal(w.word[p.port[0]], PENDING | LINKED | p.port[1]);
	assert_int_equal(w.word[p.port[1]], PENDING | LINKED);
	assert_int_equal(w.word[p.port[2]], 0);
	assert_int_equal(w.word[p.port[3]], PENDING | MASKED);
	assert_int_equal(w.word[p.port[4]], 0);
	assert_int_equal(w.word[p.port[5]], 0);
	send_to(&p, 2);
	assert_int_equal(w.word[p.port[1]], PENDING | LINKED | p.port[2]);
	assert_int_equal(w.word[p.port[2]], PENDING | LINKED);
	assert_int_equal(unmask(p.g, p.port[3]), 0);
	assert_int_equal(w.word[p.port[2]], PENDING | LINKED | p.port[3]);
	assert_int_equal(w.word[p.port[3]], PENDING | LINKED);
	assert_int_equal(bitmap(p.g)[0], was);
	/* A close takes the event, and leaves the place in the queue. */
	assert_int_equal(evg_close(evp_evg(p.g), p.port[1]), 0);
	assert_int_equal(w.word[p.port[1]] & ~MASKED, LINKED | p.port[2]);
	close_pair(&p);
}

/* Of a port without page, and of a vCPU without control block. */
static void unmask_and_poll_without_a_page(void **state)
{
	struct pair p;
	struct words w;

	(void)state;
	open_pair(&p, 2);
	w = give_words(p.g, 0);
	send_to(&p, 0);
	assert_int_equal(unmask(p.g, p.port[0]), 0);
	assert_int_equal(unmask(p.g, p.port[1]), 0);
	/* Its event cannot be seen yet: the timeout, which is over. */
	assert_int_equal(evg_poll(evp_evg(p.g), &p.port[0], 1, 1), 0);
	assert_int_equal(expand_array(p.g, frame_of(w.word)), 0);
	assert_int_equal(w.word[p.port[0]], PENDING | LINKED);
	assert_int_equal(w.word[p.port[1]], 0);
	/* Now it is seen, masked and without an upcall; for ever, if not. */
	w.word[p.port[0]] |= MASKED;
	evp_shared_info(p.g)->vcpu_info[0].evtchn_upcall_pending = 0;
	assert_int_equal(evg_poll(evp_evg(p.g), &p.port[0], 1, 0), 0);
	close_pair(&p);
}

static int bind_vcpu(struct evp_guest *g, evtchn_port_t port, uint32_t vcpu)
{
	struct evtchn_bind_vcpu op = {.port = port, .vcpu = vcpu};

	return call(g, EVTCHNOP_bind_vcpu, &op);
}

/* What is queued stays where it is; what comes next goes to the new place. */
static void queued_event_stays_as_port_moves(void **state)
{
	struct evtchn_fifo_control_block *second = page();
	struct evp_guest *g = attach_vcpus(1, 2);
	evtchn_port_t from = alloc(g, DOMID_SELF, DOMID_SELF), to;
	struct words w = give_words(g, 0);

	(void)state;
	assert_int_equal(init_control(g, frame_of(second), 0, 1), 0);
	assert_int_equal(expand_array(g, frame_of(w.word)), 0);
	assert_int_equal(
		evg_bind_interdomain(evp_evg(g), DOMID_SELF, from, &to), 0);
	/* The first event of a connection. */
	w.word[to] &= ~MASKED;
	assert_int_equal(unmask(g, to), 0);
	assert_int_equal(w.word[to], PENDING | LINKED);
	assert_int_equal(w.control->head[7], to);
	assert_int_equal(bind_vcpu(g, to, 1), 0);
	assert_int_equal(set_priority(g, to, 2), 0);
	assert_int_equal(evg_notify(evp_evg(g), from), 0);
	assert_int_equal(second->ready, 0);
	/* vCPU 0 takes it out. */
	w.control->ready = 0;
	w.word[to] = 0;
	assert_int_equal(evg_notify(evp_evg(g), from), 0);
	assert_int_equal(w.control->ready, 0);
	assert_int_equal(second->ready, 1u << 2);
	assert_int_equal(second->head[2], to);
	assert_int_equal(w.word[to], PENDING | LINKED);
	assert_int_equal(evp_shared_info(g)->vcpu_info[1].evtchn_upcall_pending,
			 1);
	evp_detach(g);
}

/* --- the switch, while somebody sends --------------------------------------------------- */

#define NR_CHANS 24

struct stream {
	evb_u64 sent[NR_CHANS]; /* counted up, then an event is sent */
	evb_u32 stop;
};

static void stream_events(int from, int to, void *arg)
{
	struct evp_guest *g = attach(2);
	struct stream *s = arg;
	evtchn_port_t port[NR_CHANS];
	uint32_t i;

	for (i = 0; i < NR_CHANS; i++)
		CHECK(!evg_bind_interdomain(
			evp_evg(g), 1, (evtchn_port_t)hear(from), &port[i]));
	say(to, 0);
	while (!evb_u32_load(&s->stop)) {
		for (i = 0; i < NR_CHANS; i++) {
			(void)evb_u64_add(&s->sent[i], 1);
			CHECK(evg_notify(evp_evg(g), port[i]) == 0);
		}
	}
	say(to, 0);
	(void)hear(from);
	evp_detach(g);
}

struct listener {
	struct stream *s;
	uint64_t seen[NR_CHANS]; /* what had been sent when it was handled */
	evtchn_port_t port[NR_CHANS];
	uint64_t nr;
};

static void note_sent(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct listener *l = ctx;
	uint32_t i;

	(void)v;
	for (i = 0; i < NR_CHANS; i++) {
		if (l->port[i] == port)
			l->seen[i] = evb_u64_load(&l->s->sent[i]);
	}
	l->nr++;
}

static void hear_some(struct evp_guest *g, struct listener *l)
{
	wait_count(g, &l->nr, l->nr + 2 * NR_CHANS);
}

static struct child start_stream(struct evp_guest *g, struct listener *l)
{
	struct child c = start_child(stream_events, l->s);
	uint32_t i;

	for (i = 0; i < NR_CHANS; i++) {
		l->port[i] = open_unbound(g, 2, note_sent, l);
		say(c.to, l->port[i]);
	}
	(void)hear(c.from);
	return c;
}

static bool saw_all(const struct listener *l)
{
	uint32_t i;

	for (i = 0; i < NR_CHANS; i++) {
		if (l->seen[i] != evb_u64_load(&l->s->sent[i]))
			return false;
	}
	return true;
}

/*
 * The last event of each channel comes: nothing more is sent, so a lost one would
 * be waited for until the alarm.  It need not be there yet: a stream may look
 * like a storm, and then its lane is shut for a millisecond.
 */
static void end_stream(struct evp_guest *g, struct listener *l, struct child *c)
{
	evb_u32_store(&l->s->stop, 1);
	(void)hear(c->from);
	while (!saw_all(l))
		CHECK(evp_wait(g, EVP_FOREVER) >= 0);
	say(c->to, 0);
	assert_int_equal(end_child(c), 0);
}

static void switch_amid_a_stream_loses_nothing(void **state)
{
	struct listener l = {.s = share(sizeof(*l.s))};
	struct evp_guest *g = attach(1);
	struct child c = start_stream(g, &l);

	(void)state;
	hear_some(g, &l);
	/* One stays masked over the switch. */
	assert_int_equal(evg_mask(evp_evg(g), l.port[3]), 0);
	assert_int_equal(evg_fifo_start(evp_evg(g)), 0);
	hear_some(g, &l);
	assert_int_equal(evg_unmask(evp_evg(g), l.port[3]), 0);
	hear_some(g, &l);
	end_stream(g, &l, &c);
	evp_detach(g);
}

/* The same while upcalls come by signal. */
static void switch_while_signals_bring_events(void **state)
{
	struct listener l = {.s = share(sizeof(*l.s))};
	struct evp_options o = {
		.domain = 1, .spin_ns = 0, .upcall_signal = SIGUSR1};
	struct evp_guest *g;
	struct child c;

	(void)state;
	assert_int_equal(evp_attach(&g, &o), 0);
	c = start_stream(g, &l);
	hear_some(g, &l);
	assert_int_equal(evg_fifo_start(evp_evg(g)), 0);
	hear_some(g, &l);
	end_stream(g, &l, &c);
	evp_detach(g);
}

/* --- back --------------------------------------------------------------------------------- */

static void reset_returns_to_2_level(void **state)
{
	struct words w = {page(), page()};
	struct evp_guest *g = attach(1);
	evtchn_port_t port;
	uint64_t count = 0;

	(void)state;
	w = give_words(g, MASKED);
	/* Somebody else's reset changes nothing. */
	assert_int_equal(expand_array(g, frame_of(w.word)), 0);
	assert_int_equal(
		call(g, EVTCHNOP_reset, &(struct evtchn_reset){.dom = 77}),
		-XEN_ESRCH);
	assert_int_equal(expand_array(g, 0), -XEN_EINVAL);
	port = alloc(g, DOMID_SELF, DOMID_SELF);
	assert_int_equal(set_priority(g, port, 0), 0);
	assert_int_equal(evg_reset(evp_evg(g)), 0);
	assert_int_equal(expand_array(g, 0), -XEN_EOPNOTSUPP);
	/* The pages are the program's again. */
	assert_int_equal(munmap(w.control, PAGE) | munmap(w.word, PAGE), 0);
	assert_int_equal(evg_bind_ipi(evp_evg(g), 0, &port), 0);
	assert_int_equal(set_priority(g, port, 0), -XEN_ENOSYS);
	assert_int_equal(evg_bind_handler(evp_evg(g), port, EVG_VCPU_KEEP,
					  count_event, &count),
			 0);
	assert_int_equal(evg_notify(evp_evg(g), port), 0);
	assert_true(bitmap(g)[0] & 1u << port);
	assert_int_equal(evp_poll(g), 1);
	assert_int_equal(count, 1);
	/* And there once more, by the guest library this time. */
	assert_int_equal(evg_fifo_start(evp_evg(g)), 0);
	assert_int_equal(evg_notify(evp_evg(g), port), 0);
	assert_int_equal(evp_poll(g), 1);
	assert_int_equal(count, 2);
	assert_int_equal(evg_reset(evp_evg(g)), 0);
	assert_false(evg_is_fifo(evp_evg(g)));
	evp_detach(g);
}

/* What waited for its page does not come back another time. */
static void reset_forgets_what_was_parked(void **state)
{
	struct pair p;
	struct words w;

	(void)state;
	open_pair(&p, 1);
	bitmap(p.g)[10] = 1; /* of a free port, by the guest itself */
	w = give_words(p.g, 0);
	bitmap(p.g)[10] = 0;
	send_to(&p, 0);
	assert_int_equal(evg_reset(evp_evg(p.g)), 0);
	w = give_words(p.g, 0);
	assert_int_equal(expand_array(p.g, frame_of(w.word)), 0);
	assert_int_equal(w.word[p.port[0]], 0);
	assert_int_equal(w.word[320], 0);
	assert_int_equal(w.control->ready, 0);
	close_pair(&p);
}

/* --- programs and brokers that are replaced ------------------------------------------------ */

#define NR_OPEN 4200

static struct evp_guest *replace_program(struct evp_guest *g)
{
	int fd = evp_inherit(g), copy;

	CHECK(fd >= 0);
	copy = dup(fd);
	CHECK(copy >= 0);
	evp_abandon(g);
	CHECK(evp_take_over(&g, copy) == 0);
	return g;
}

/* Those a 2-level guest has no bit for wait until it is one no more. */
static void every_port_has_its_event_after_exec(void **state)
{
	static uint64_t count[NR_OPEN + 1];
	struct evp_guest *g = attach_fifo(1);
	struct evtchn_alloc_unbound more = {.dom = DOMID_SELF, .remote_dom = 2};
	uint32_t i;

	(void)state;
	memset(count, 0, sizeof(count));
	for (i = 1; i <= NR_OPEN; i++)
		assert_int_equal(alloc(g, DOMID_SELF, 2), i);
	g = replace_program(g);
	assert_int_equal(call(g, EVTCHNOP_alloc_unbound, &more), -XEN_ENOSPC);
	for (i = 1; i < EVTCHN_2L_NR_CHANNELS_64; i++)
		assert_int_equal(evg_bind_handler(evp_evg(g), i, EVG_VCPU_KEEP,
						  count_event, &count[i]),
				 0);
	while (evp_poll(g) > 0)
		;
	for (i = 1; i < EVTCHN_2L_NR_CHANNELS_64; i++)
		assert_int_equal(count[i], 1);
	assert_int_equal(evg_fifo_start(evp_evg(g)), 0);
	for (; i <= NR_OPEN; i++)
		assert_int_equal(evg_bind_handler(evp_evg(g), i, EVG_VCPU_KEEP,
						  count_event, &count[i]),
				 0);
	while (evp_poll(g) > 0)
		;
	for (i = 1; i <= NR_OPEN; i++)
		assert_int_equal(count[i], 1);
	assert_int_equal(alloc(g, DOMID_SELF, 2), i);
	evp_detach(g);
}

/* A broker that comes before it switches gives them back all the same. */
static void every_port_comes_back_after_exec(void **state)
{
	struct evp_guest *g = attach_fifo(1);
	evtchn_port_t port = EVTCHN_2L_NR_CHANNELS_64 - 1;
	uint32_t i;

	(void)state;
	for (i = 1; i <= NR_OPEN; i++)
		assert_int_equal(alloc(g, DOMID_SELF, 2), i);
	g = replace_program(g);
	kill_broker();
	start_broker(&broker);
	/* Free again, so that it is given out. */
	assert_int_equal(evg_close(evp_evg(g), port), 0);
	assert_int_equal(alloc(g, DOMID_SELF, 2), port);
	assert_int_equal(evg_fifo_start(evp_evg(g)), 0);
	assert_int_equal(alloc(g, DOMID_SELF, 2), NR_OPEN + 1);
	evp_detach(g);
}

/* The next broker gives it as many ports as the one before. */
static void broker_that_comes_next_knows(void **state)
{
	struct evp_guest *g = attach_fifo(1);
	uint32_t i;

	(void)state;
	for (i = 1; i < EVTCHN_2L_NR_CHANNELS_64; i++)
		assert_int_equal(alloc(g, DOMID_SELF, 2), i);
	kill_broker();
	start_broker(&broker);
	assert_int_equal(alloc(g, DOMID_SELF, 2), i);
	assert_int_equal(set_priority(g, i, 3), 0);
	evp_detach(g);
}

/* --- those who break the rules -------------------------------------------------------------- */

/* It takes back what it has given, and its own event finds nothing there. */
static void take_page_away(int from, int to, void *arg)
{
	struct evp_guest *g = attach(1);
	evtchn_port_t port;
	struct words w = give_words(g, 0);

	(void)from;
	(void)to;
	(void)arg;
	CHECK(expand_array(g, frame_of(w.word)) == 0);
	CHECK(evg_bind_ipi(evp_evg(g), 0, &port) == 0);
	CHECK(!munmap(w.word, PAGE));
	(void)signal(SIGSEGV, SIG_DFL);
	(void)evg_notify(evp_evg(g), port);
}

static void page_that_is_taken_away_harms_who_did_it(void **state)
{
	struct evp_guest *g = attach(2);
	struct child c = start_child(take_page_away, NULL);
	uint64_t count = 0;
	evtchn_port_t port;

	(void)state;
	assert_int_equal(end_child(&c), 128 + SIGSEGV);
	assert_int_equal(evg_bind_ipi(evp_evg(g), 0, &port), 0);
	assert_int_equal(evg_bind_handler(evp_evg(g), port, EVG_VCPU_KEEP,
					  count_event, &count),
			 0);
	assert_int_equal(evg_notify(evp_evg(g), port), 0);
	wait_count(g, &count, 1);
	evp_detach(g);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(init_control_answers_as_xen),
		TEST(expand_array_answers_as_xen),
		TEST(set_priority_answers_as_xen),
		TEST(events_come_by_priority_then_in_order),
		TEST(queue_order_is_arrival_order_of_many),
		TEST(priority_ends_with_the_port),
		TEST(events_before_amid_and_after_the_switch),
		TEST(unmask_and_poll_without_a_page),
		TEST(queued_event_stays_as_port_moves),
		TEST(switch_amid_a_stream_loses_nothing),
		TEST(switch_while_signals_bring_events),
		TEST(reset_returns_to_2_level),
		TEST(reset_forgets_what_was_parked),
		TEST(every_port_has_its_event_after_exec),
		TEST(every_port_comes_back_after_exec),
		TEST(broker_that_comes_next_knows),
		TEST(page_that_is_taken_away_harms_who_did_it),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
