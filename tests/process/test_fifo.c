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
	gone = frame_of(page());
	CHECK(!munmap((void *)(uintptr_t)(gone << 12), PAGE));
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

/* The lowest comes last of all, however many ports there are. */
static void queue_order_is_arrival_order_of_many(void **state)
{
	static struct order o;
	struct evp_guest *g = attach_fifo(1);
	static evtchn_port_t from[1500], to[1500];
	uint32_t i, k;

	(void)state;
	for (i = 0; i < 1500; i++)
		from[i] = open_loop(g, &to[i], &o);
	(void)evp_poll(g);
	o.nr = 0;
	/* 7 and 1500 have no common divisor: each once, in another order. */
	for (i = 0, k = 3; i < 1500; i++, k = (k + 7) % 1500)
		assert_int_equal(evg_notify(evp_evg(g), from[k]), 0);
	while (o.nr < 1500)
		assert_true(evp_poll(g) > 0);
	for (i = 0, k = 3; i < 1500; i++, k = (k + 7) % 1500)
		assert_int_equal(o.port[i], to[k]);
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
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
