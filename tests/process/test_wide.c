/* SPDX-License-Identifier: MIT */
/*
 * Attachments with more ports than the 2-level ABI has: the broker's half, told
 * and asked by bare messages.  With whole programs: tests/scale/wide.c.
 */
#include "harness.h"

#include "hosts/process/port_lane.h"

#define MANY 9000

/* --- an attachment without a library -------------------------------------------- */

struct bare {
	int fd;
	uint32_t seq;
	struct evp_port_lane *lane;
	uint32_t nr_lanes, nr_connects, nr_given;
	struct evp_connect last;
	uint64_t lane_in[64];		    /* as they came */
	uint64_t slots[64][EVP_LANE_WORDS]; /* of CONNECTs, by lane */
};

static void note_slot(struct bare *b, const struct evp_connect *m)
{
	uint64_t *word, bit = 1ull << m->slot_in % 64;
	uint32_t i = 0;

	while (i < b->nr_lanes && b->lane_in[i] != m->lane_in)
		i++;
	CHECK(i < b->nr_lanes && m->slot_in < EVP_LANE_SLOTS);
	word = &b->slots[i][m->slot_in / 64];
	CHECK(!(*word & bit)); /* nobody else's */
	*word |= bit;
}

static void note(struct bare *b, struct evp_packet *p)
{
	const struct evp_lane_msg *lane = (const void *)p->u.bytes;
	const struct evp_connect *connect = (const void *)p->u.bytes;

	b->nr_given += p->u.hdr.type == EVP_GIVEN;
	if (p->u.hdr.type == EVP_LANE) {
		CHECK(b->nr_lanes < 64);
		b->lane_in[b->nr_lanes++] = lane->in;
	}
	if (p->u.hdr.type == EVP_CONNECT) {
		b->nr_connects++;
		b->last = *connect;
		note_slot(b, connect);
	}
	evp_packet_close_fds(p);
}

/* Read up to the answer. */
static int await_result(struct bare *b, void *arg, size_t len)
{
	struct evp_packet p;
	const struct evp_result *r = (const void *)p.u.bytes;

	for (;;) {
		CHECK(evp_recv_packet(b->fd, &p, 0) == 0);
		if (p.u.hdr.type == EVP_RESULT)
			break;
		note(b, &p);
	}
	CHECK(r->arg_len == len);
	memcpy(arg, r->arg, len);
	return r->rc;
}

static int ask(struct bare *b, uint32_t cmd, void *arg, size_t len)
{
	struct evp_hypercall m = {.nr = __HYPERVISOR_event_channel_op,
				  .cmd = cmd,
				  .arg_len = (uint32_t)len};
	size_t size = offsetof(struct evp_hypercall, arg) + len;

	memcpy(m.arg, arg, len);
	evp_hdr_init(&m.hdr, EVP_HYPERCALL, size, ++b->seq);
	CHECK(evp_send_packet(b->fd, &m, size, NULL, 0, 0) == 0);
	return await_result(b, arg, len);
}

/* What came in the meantime. */
static void read_news(struct bare *b)
{
	struct evp_packet p;

	while (!evp_recv_packet(b->fd, &p, MSG_DONTWAIT))
		note(b, &p);
}

static struct bare *bare_attach(uint16_t domid)
{
	struct evp_attach_req m = {.domid = domid, .nr_vcpus = 2};
	struct bare *b = calloc(1, sizeof(*b));
	struct evp_packet p;

	CHECK(b);
	b->fd = raw();
	CHECK(evp_control_hello(b->fd, NULL) == 0);
	evp_hdr_init(&m.hdr, EVP_ATTACH, sizeof(m), 1);
	CHECK(evp_ask(b->fd, &m, sizeof(m), &p, EVP_ATTACHED, 1) == 0);
	CHECK(p.nr_fds == 2 && evp_port_lane_map(p.fd[0], &b->lane) == 0);
	evp_packet_close_fds(&p);
	return b;
}

static void bare_detach(struct bare *b)
{
	evp_port_lane_unmap(b->lane);
	(void)close(b->fd);
	free(b);
}

static int init_control(struct bare *b, uint32_t vcpu, uint32_t offset)
{
	struct evtchn_init_control op = {.vcpu = vcpu, .offset = offset};
	int rc = ask(b, EVTCHNOP_init_control, &op, sizeof(op));

	CHECK(rc || op.link_bits == EVTCHN_FIFO_LINK_BITS);
	return rc;
}

static int bare_alloc(struct bare *b, domid_t remote, evtchn_port_t *port)
{
	struct evtchn_alloc_unbound op = {.dom = DOMID_SELF,
					  .remote_dom = remote};
	int rc = ask(b, EVTCHNOP_alloc_unbound, &op, sizeof(op));

	*port = op.port;
	return rc;
}

/* The ports up to @last, which are the lowest free ones. */
static void open_up_to(struct bare *b, domid_t remote, evtchn_port_t first,
		       evtchn_port_t last)
{
	evtchn_port_t port;

	for (; first <= last; first++)
		CHECK(bare_alloc(b, remote, &port) == 0 && port == first);
}

/* --- how many ------------------------------------------------------------------- */

static void init_control_is_checked_and_makes_room(void **state)
{
	struct bare *b = bare_attach(1);
	evtchn_port_t port;

	(void)state;
	assert_int_equal(init_control(b, 2, 0), -XEN_ENOENT);
	assert_int_equal(init_control(b, 0, 4), -XEN_EINVAL);
	assert_int_equal(init_control(b, 0, 4096), -XEN_EINVAL);
	open_up_to(b, 2, 1, 4095);
	assert_int_equal(bare_alloc(b, 2, &port), -XEN_ENOSPC);
	assert_int_equal(init_control(b, 1, 8), 0);
	open_up_to(b, 2, 4096, 5000);
	bare_detach(b);
}

/* Which ABI it is is not the domain's, but the attachment's. */
static void room_is_whose_port_it_will_be(void **state)
{
	struct bare *narrow = bare_attach(1), *wide = bare_attach(1);
	struct bare *control = bare_attach(0);
	struct evtchn_alloc_unbound op = {.dom = 1, .remote_dom = 0};
	struct evtchn_close closing = {.port = 17};
	evtchn_port_t port;

	(void)state;
	assert_int_equal(init_control(wide, 0, 0), 0);
	open_up_to(wide, 2, 1, 4200);
	assert_int_equal(bare_alloc(narrow, 2, &port), -XEN_ENOSPC);
	/* For the longest-attached, that is @narrow. */
	assert_int_equal(ask(control, EVTCHNOP_alloc_unbound, &op, sizeof(op)),
			 -XEN_ENOSPC);
	assert_int_equal(ask(wide, EVTCHNOP_close, &closing, sizeof(closing)),
			 0);
	assert_int_equal(bare_alloc(narrow, 2, &port), 0);
	assert_int_equal(port, 17);
	bare_detach(narrow);
	await_quiet();
	/* Now for @wide. */
	do {
		op.port = 0;
		assert_int_equal(
			ask(control, EVTCHNOP_alloc_unbound, &op, sizeof(op)),
			0);
	} while (op.port == 17);
	assert_int_equal(op.port, 4201);
	bare_detach(control);
	bare_detach(wide);
}

static void reset_ends_fifo(void **state)
{
	struct bare *b = bare_attach(1);
	struct evtchn_reset op = {.dom = DOMID_SELF};
	evtchn_port_t port;

	(void)state;
	assert_int_equal(init_control(b, 0, 0), 0);
	open_up_to(b, 2, 1, 4096);
	assert_int_equal(ask(b, EVTCHNOP_reset, &op, sizeof(op)), 0);
	open_up_to(b, 2, 1, 4095);
	assert_int_equal(bare_alloc(b, 2, &port), -XEN_ENOSPC);
	bare_detach(b);
}

/* --- the broker's lane ---------------------------------------------------------- */

static void events_of_high_ports_come_in_the_brokers_lane(void **state)
{
	struct bare *b = bare_attach(1);
	struct evtchn_bind_ipi ipi = {.vcpu = 0};
	struct evtchn_send op;

	(void)state;
	assert_int_equal(init_control(b, 0, 0), 0);
	open_up_to(b, 2, 1, 6000);
	assert_int_equal(ask(b, EVTCHNOP_bind_ipi, &ipi, sizeof(ipi)), 0);
	assert_int_equal(ipi.port, 6001);
	op.port = ipi.port;
	assert_int_equal(ask(b, EVTCHNOP_send, &op, sizeof(op)), 0);
	assert_true(
		evp_lane_take_slot(&b->lane->lane, EVP_SLOT_PORTS + 6001 / 64));
	assert_int_equal(evp_port_take_word(b->lane, 6001 / 64),
			 1ull << 6001 % 64);
	/* Closed with an event: the next one of that number has none. */
	assert_int_equal(ask(b, EVTCHNOP_send, &op, sizeof(op)), 0);
	assert_int_equal(ask(b, EVTCHNOP_close, &op, sizeof(op)), 0);
	assert_int_equal(evp_port_take_word(b->lane, 6001 / 64), 0);
	bare_detach(b);
}

/* --- several pairs -------------------------------------------------------------- */

/* When the slots of a pair are used up there is another, and only then. */
static void more_channels_than_slots_take_more_lanes(void **state)
{
	struct bare *a = bare_attach(1), *b = bare_attach(2);
	struct evtchn_bind_interdomain op = {.remote_dom = 1};
	uint32_t i, nr_lanes;

	(void)state;
	assert_int_equal(init_control(a, 0, 0), 0);
	assert_int_equal(init_control(b, 0, 0), 0);
	open_up_to(a, 2, 1, MANY);
	for (i = 1; i <= MANY; i++) {
		op.remote_port = i;
		CHECK(ask(b, EVTCHNOP_bind_interdomain, &op, sizeof(op)) == 0);
		CHECK(op.local_port == i && b->nr_connects == i);
		CHECK(b->last.port == i && b->last.peer == i);
		read_news(a);
		nr_lanes = (i + EVP_LANE_SLOTS - 1) / EVP_LANE_SLOTS;
		CHECK(b->nr_lanes == nr_lanes);
	}
	while (a->nr_connects < MANY)
		read_news(a);
	assert_int_equal(a->nr_lanes, b->nr_lanes);
	bare_detach(b);
	bare_detach(a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(init_control_is_checked_and_makes_room),
		TEST(room_is_whose_port_it_will_be),
		TEST(reset_ends_fifo),
		TEST(events_of_high_ports_come_in_the_brokers_lane),
		TEST(more_channels_than_slots_take_more_lanes),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
