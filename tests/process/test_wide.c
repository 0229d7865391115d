/* SPDX-License-Identifier: MIT */
/*
 * Attachments with more ports than the 2-level ABI has: the broker's half, told
 * and asked by bare messages.  With whole programs: tests/scale/wide.c.
 */
#include <evg/fifo.h>

#include "harness.h"

#include "hosts/process/guest.h"

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
	struct evp_port_entry e;
	evtchn_port_t port;
	uint32_t domid;
	int session;

	(void)state;
	assert_int_equal(init_control(wide, 0, 0), 0);
	open_up_to(wide, 2, 1, 4200);
	assert_int_equal(bare_alloc(narrow, 2, &port), -XEN_ENOSPC);
	/* For nobody. */
	session = open_session(1, &domid);
	assert_int_equal(
		evp_control_port(session, EVP_PORT_ALLOC, 2, 0, NULL, &e), 0);
	assert_int_equal(e.port, 4201);
	assert_int_equal(
		evp_control_port(session, EVP_PORT_CLOSE, 1, 4201, NULL, NULL),
		0);
	(void)close(session);
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

/* --- claims that do not fit into a socket --------------------------------------- */

/* In the place of a broker: whoever comes back is not read from. */
static int accept_as_broker(struct evp_guest *g)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd, l = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", broker.path);
	(void)unlink(broker.path);
	CHECK(bind(l, (const struct sockaddr *)&a, sizeof(a)) == 0);
	CHECK(listen(l, 1) == 0);
	do {
		CHECK(evp_poll(g) >= 0);
		fd = accept(l, NULL, NULL);
	} while (fd < 0);
	(void)close(l);
	return fd;
}

static void disconnect(int fd, uint64_t link, uint32_t port)
{
	struct evp_port_msg m = {.link = link, .port = port};

	evp_hdr_init(&m.hdr, EVP_DISCONNECT, sizeof(m), 0);
	CHECK(evp_send_packet(fd, &m, sizeof(m), NULL, 0, 0) == 0);
}

struct heard {
	uint32_t nr_claims, nr_acks;
	bool last;
};

static void hear_one(struct heard *h, struct evp_packet *p)
{
	const struct evp_claims *c = (const void *)p->u.bytes;
	const struct evp_link_msg *a = (const void *)p->u.bytes;
	uint32_t i;

	for (i = 0; p->u.hdr.type == EVP_CLAIM && i < c->count; i++)
		CHECK(c->claim[i].port == ++h->nr_claims);
	if (p->u.hdr.type == EVP_CLAIM) {
		CHECK(!h->last);
		h->last = c->last;
	}
	if (p->u.hdr.type == EVP_ACK)
		CHECK(a->link == 77 + h->nr_acks++);
	evp_packet_close_fds(p);
}

static void answers_wait_as_claims_do_and_in_order(void **state)
{
	struct evp_guest *g = attach(1);
	struct heard h = {.last = false};
	struct evp_packet p;
	uint32_t i;
	int fd;

	(void)state;
	CHECK(evg_fifo_start(evp_evg(g)) == 0);
	for (i = 1; i <= 20000; i++)
		CHECK(alloc(g, DOMID_SELF, 2) == i);
	kill_broker();
	while (evp_broker_is_there(g))
		CHECK(evp_wait(g, 1000000) >= 0);
	fd = accept_as_broker(g);
	while (!g->claim_from)
		CHECK(evp_poll(g) >= 0);
	disconnect(fd, 77, 1);
	disconnect(fd, 78, 2);
	while (!g->owes)
		CHECK(evp_poll(g) >= 0);
	/* Nothing of all that made it wait. */
	while (!h.last || h.nr_acks < 2) {
		if (!evp_recv_packet(fd, &p, MSG_DONTWAIT))
			hear_one(&h, &p);
		CHECK(evp_poll(g) >= 0);
	}
	assert_int_equal(h.nr_claims, 20000);
	assert_int_equal(h.nr_acks, 2);
	assert_int_equal(g->claim_from, 0);
	(void)close(fd);
	evp_detach(g);
}

/* One that comes back, with port 1, which was connected to the other's port 1. */
static struct bare *come_back(uint16_t domid, bool last)
{
	struct evp_reattach m = {.who = {.domid = domid, .nr_vcpus = 1},
				 .former = 1,
				 .limit = EVP_DOMID_ANY};
	struct evp_claims c = {
		.count = 1,
		.last = last,
		.claim = {{.port = 1,
			   .domid = (uint16_t)(3 - domid),
			   .kind = EVTCHNSTAT_interdomain,
			   .number = 1}},
	};
	size_t len = offsetof(struct evp_claims, claim) + sizeof(c.claim[0]);
	struct bare *b = calloc(1, sizeof(*b));
	struct evp_packet p;

	CHECK(b);
	b->fd = raw();
	CHECK(evp_control_hello(b->fd, NULL) == 0);
	evp_hdr_init(&m.who.hdr, EVP_REATTACH, sizeof(m), 1);
	CHECK(evp_ask(b->fd, &m, sizeof(m), &p, EVP_REATTACHED, 1) == 0);
	evp_packet_close_fds(&p);
	evp_hdr_init(&c.hdr, EVP_CLAIM, len, 0);
	CHECK(evp_send_packet(b->fd, &c, len, NULL, 0, 0) == 0);
	return b;
}

/* The peer closes what was claimed, before all is. */
static void news_is_answered_between_claims(void **state)
{
	struct bare *a = come_back(1, false), *b = come_back(2, true);
	struct evp_claims c = {.last = 1};
	struct evtchn_close closing = {.port = 1};
	struct evtchn_status st = {.dom = DOMID_SELF, .port = 1};
	struct evp_link_msg ack = {.link = 0};
	struct evp_packet p;

	(void)state;
	assert_int_equal(ask(b, EVTCHNOP_close, &closing, sizeof(closing)), 0);
	assert_int_equal(b->nr_connects, 1);
	do {
		assert_int_equal(evp_recv_packet(a->fd, &p, 0), 0);
		note(a, &p);
	} while (p.u.hdr.type != EVP_DISCONNECT);
	ack.link = a->last.link;
	evp_hdr_init(&ack.hdr, EVP_ACK, sizeof(ack), 0);
	assert_int_equal(evp_send_packet(a->fd, &ack, sizeof(ack), NULL, 0, 0),
			 0);
	evp_hdr_init(&c.hdr, EVP_CLAIM, offsetof(struct evp_claims, claim), 0);
	assert_int_equal(evp_send_packet(a->fd, &c, c.hdr.len, NULL, 0, 0), 0);
	assert_int_equal(ask(a, EVTCHNOP_status, &st, sizeof(st)), 0);
	assert_int_equal(st.status, EVTCHNSTAT_unbound);
	(void)close(a->fd);
	(void)close(b->fd);
	free(a);
	free(b);
}

/* --- the slots of a lane ----------------------------------------------------------- */

static void slots_in_use_are_found_in_turn(void **state)
{
	static const uint32_t used[] = {0,    1,    63,	  64,	127,
					1000, 4031, 4032, 4095, EVP_LANE_SLOTS};
	struct evp_lane *l = evp_lane_new();
	uint32_t slot = 0, n = sizeof(used) / sizeof(used[0]), i;

	(void)state;
	CHECK(l);
	assert_int_equal(evp_lane_next_slot(l, 0), EVP_LANE_SLOTS);
	for (i = n - 1; i-- > 0;)
		evp_lane_name_slot(l, used[i], 7);
	for (i = 0; i < n; i++, slot++) {
		slot = evp_lane_next_slot(l, slot);
		assert_int_equal(slot, used[i]);
	}
	assert_int_equal(evp_lane_next_slot(l, slot), EVP_LANE_SLOTS);
	evp_lane_name_slot(l, 4095, EVP_SLOT_UNKNOWN);
	assert_int_equal(evp_lane_next_slot(l, 4033), EVP_LANE_SLOTS);
	evp_lane_free(l);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_in_use_are_found_in_turn),
		TEST(init_control_is_checked_and_makes_room),
		TEST(room_is_whose_port_it_will_be),
		TEST(reset_ends_fifo),
		TEST(events_of_high_ports_come_in_the_brokers_lane),
		TEST(more_channels_than_slots_take_more_lanes),
		TEST(answers_wait_as_claims_do_and_in_order),
		TEST(news_is_answered_between_claims),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
