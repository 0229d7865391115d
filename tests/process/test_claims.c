/* SPDX-License-Identifier: MIT */
/*
 * What comes back is believed what it could have opened itself, and nothing more,
 * whatever it claims, how often, and in which order.
 */
#include "harness.h"

static struct evp_reattach returning(uint16_t domid)
{
	return (struct evp_reattach){
		.who = {.domid = domid, .nr_vcpus = 1, .name = "back"},
		.former = 1,
		.limit = EVP_DOMID_ANY,
	};
}

static void reattach_as(int fd, struct evp_reattach *m)
{
	evp_hdr_init(&m->who.hdr, EVP_REATTACH, sizeof(*m), 3);
	CHECK(evp_send_packet(fd, m, sizeof(*m), NULL, 0, 0) == 0);
}

/* One that has still to claim. */
static int returned(uint16_t domid)
{
	struct evp_reattach m = returning(domid);
	int fd = raw_greeted();

	reattach_as(fd, &m);
	return fd;
}

static void claim(int fd, const struct evp_claim *claim, uint32_t count,
		  uint32_t last)
{
	struct evp_claims m = {.count = count, .last = last};
	size_t len =
		offsetof(struct evp_claims, claim) + count * sizeof(*claim);

	memcpy(m.claim, claim, count * sizeof(*claim));
	evp_hdr_init(&m.hdr, EVP_CLAIM, len, 0);
	CHECK(evp_send_packet(fd, &m, len, NULL, 0, 0) == 0);
}

static struct evp_claim unbound(uint16_t port)
{
	return (struct evp_claim){
		.port = port, .domid = 2, .kind = EVTCHNSTAT_unbound};
}

/* Everything it is told until it has an answer to a question of its own. */
static unsigned int count_news(int fd, uint16_t type)
{
	struct evp_packet p;
	unsigned int n = 0;

	raw_ask(fd, UINT32_MAX, "", 0);
	do {
		CHECK(evp_recv_packet(fd, &p, 0) == 0);
		evp_packet_close_fds(&p);
		n += p.u.hdr.type == type;
	} while (p.u.hdr.type != EVP_RESULT);
	return n;
}

/* --- REATTACH --------------------------------------------------------------- */

static void malformed_reattach_ends_the_connection(void **state)
{
	struct evp_reattach m;
	int i, fd;

	(void)state;
	for (i = 0; i < 6; i++) {
		m = returning(1);
		if (i == 0)
			m.who.domid = DOMID_SELF;
		else if (i == 1)
			m.who.domid = DOMID_FIRST_RESERVED;
		else if (i == 2)
			m.who.nr_vcpus = 0;
		else if (i == 3)
			m.who.nr_vcpus = EVP_VCPUS_MAX + 1;
		else if (i == 4)
			memset(m.who.name, 'x', sizeof(m.who.name));
		else
			m.who.name[0] = '\n';
		fd = raw_greeted();
		reattach_as(fd, &m);
		expect_end(fd);
	}
	/* With a descriptor, too short, twice, too early. */
	m = returning(1);
	evp_hdr_init(&m.who.hdr, EVP_REATTACH, sizeof(m), 3);
	fd = raw_greeted();
	CHECK(evp_send_packet(fd, &m, sizeof(m), &fd, 1, 0) == 0);
	expect_end(fd);
	fd = raw_greeted();
	evp_hdr_init(&m.who.hdr, EVP_REATTACH, sizeof(m.who), 3);
	CHECK(evp_send_packet(fd, &m, sizeof(m.who), NULL, 0, 0) == 0);
	expect_end(fd);
	fd = returned(1);
	m = returning(1);
	reattach_as(fd, &m);
	expect_end(fd);
	fd = raw();
	reattach_as(fd, &m);
	expect_end(fd);
}

/* Who was thrown out by this broker does not come back by claiming. */
static void reattach_to_the_same_broker_is_refused(void **state)
{
	struct evp_reattach m = returning(1);
	struct evp_attach_req a = {.domid = 2, .nr_vcpus = 1};
	const struct evp_place *place;
	struct evp_packet p;
	int fd = raw_greeted();

	(void)state;
	evp_hdr_init(&a.hdr, EVP_ATTACH, sizeof(a), 1);
	CHECK(evp_send_packet(fd, &a, sizeof(a), NULL, 0, 0) == 0);
	do {
		CHECK(evp_recv_packet(fd, &p, 0) == 0);
		evp_packet_close_fds(&p);
	} while (p.u.hdr.type != EVP_PLACE);
	place = (const void *)p.u.bytes;
	m.former = place->broker;
	(void)close(fd);
	fd = raw_greeted();
	reattach_as(fd, &m);
	CHECK(evp_recv_packet(fd, &p, 0) == 0);
	assert_int_equal(p.u.hdr.type, EVP_REFUSED);
	expect_end(fd);
}

/* --- CLAIM ------------------------------------------------------------------ */

static void spoil(struct evp_claims *m, int how)
{
	if (how == 0)
		m->claim[0].port = 0;
	else if (how == 1)
		m->claim[1].port = m->claim[0].port; /* twice */
	else if (how == 2)
		m->claim[1].port = m->claim[0].port - 1; /* descending */
	else if (how == 3)
		m->claim[1].port = UINT32_MAX;
	else if (how == 4)
		m->claim[1].port = EVTCHN_FIFO_NR_CHANNELS;
	else if (how == 5)
		m->claim[0].kind = EVTCHNSTAT_ipi + 1;
	else if (how == 6)
		m->claim[0].watched = 2;
	else if (how == 7)
		m->last = 2;
	else if (how == 8)
		m->count = 1; /* of two that are sent */
	else if (how == 9)
		m->count = EVP_CLAIMS_PER_PAGE + 1;
	else
		m->count = UINT32_MAX;
}

static void malformed_claim_ends_the_connection(void **state)
{
	struct evp_guest *witness = attach(3);
	size_t len = offsetof(struct evp_claims, claim[2]);
	struct evp_claims m;
	int how, fd;

	(void)state;
	for (how = 0; how <= 10; how++) {
		m = (struct evp_claims){.count = 2, .last = 1};
		m.claim[0] = unbound(5);
		m.claim[1] = unbound(6);
		spoil(&m, how);
		fd = returned(1);
		evp_hdr_init(&m.hdr, EVP_CLAIM, len, 0);
		CHECK(evp_send_packet(fd, &m, len, NULL, 0, 0) == 0);
		expect_end(fd);
	}
	/* Nothing of it was opened; and the others are there. */
	await_quiet();
	(void)alloc(witness, DOMID_SELF, 2);
	evp_detach(witness);
}

static void claim_at_the_wrong_moment_ends_the_connection(void **state)
{
	const struct evp_claim one = unbound(5);
	int fd;

	(void)state;
	/* Who never was away; before REATTACH; after the last one. */
	fd = raw_attached(1);
	claim(fd, &one, 1, 1);
	expect_end(fd);
	fd = raw_greeted();
	claim(fd, &one, 1, 1);
	expect_end(fd);
	fd = returned(1);
	claim(fd, &one, 1, 1);
	claim(fd, &one, 0, 1);
	expect_end(fd);
	/* A question before the last one. */
	fd = returned(1);
	claim(fd, &one, 1, 0);
	CHECK(evp_send_packet(
		      fd,
		      &(struct evp_take_over){
			      .hdr = {EVP_MAGIC, EVP_VERSION, EVP_TAKE_OVER,
				      sizeof(struct evp_take_over), 1}},
		      sizeof(struct evp_take_over), NULL, 0, 0) == 0);
	expect_end(fd);
}

/* As many pages as a domain can fill, not more. */
static void endless_claims_end_the_connection(void **state)
{
	struct evp_claims m = {.count = 0};
	size_t len = offsetof(struct evp_claims, claim);
	int i, rc = 0, fd = returned(1);

	(void)state;
	evp_hdr_init(&m.hdr, EVP_CLAIM, len, 0);
	for (i = 0; i < 10 * EVP_CLAIM_PAGES && !rc; i++)
		rc = evp_send_packet(fd, &m, len, NULL, 0, 0);
	expect_end(fd);
}

/* In a later page, and by another attachment: whoever was first has it. */
static void port_claimed_twice_is_the_first_ones(void **state)
{
	const struct evp_claim some[] = {unbound(5), unbound(9)};
	int fd[2] = {returned(1), returned(1)};

	(void)state;
	claim(fd[0], some, 2, 0);
	claim(fd[0], some, 2, 0);
	claim(fd[0], some, 1, 1);
	assert_int_equal(count_news(fd[0], EVP_CLOSED), 3);
	claim(fd[1], some, 2, 1);
	assert_int_equal(count_news(fd[1], EVP_CLOSED), 2);
	assert_int_equal(nr_ports_of(1), 2);
	(void)close(fd[0]);
	(void)close(fd[1]);
}

/* Pages need not ascend: each is for itself. */
static void pages_in_any_order(void **state)
{
	const struct evp_claim high = unbound(900), low = unbound(3);
	int fd = returned(1);

	(void)state;
	claim(fd, &high, 1, 0);
	claim(fd, &low, 1, 1);
	assert_int_equal(count_news(fd, EVP_CLOSED), 0);
	assert_int_equal(nr_ports_of(1), 2);
	(void)close(fd);
}

/*
 * Not one's own: VIRQs of domain 0, vCPUs and VIRQs that there are not, a line, a
 * peer that does not exist.
 */
static void claims_of_what_one_may_not_have(void **state)
{
	struct evp_claim some[4];
	unsigned int i;
	int fd = returned(1);

	(void)state;
	for (i = 0; i < 4; i++)
		some[i] = unbound((uint16_t)(i + 1));
	some[0].kind = EVTCHNSTAT_virq;
	some[0].number = NR_VIRQS;
	some[1].kind = EVTCHNSTAT_ipi;
	some[1].vcpu = EVP_VCPUS_MAX;
	some[2].kind = EVTCHNSTAT_pirq;
	some[2].number = EVP_NR_LINES;
	some[3].kind = EVTCHNSTAT_interdomain;
	some[3].domid = DOMID_INVALID;
	claim(fd, some, 4, 1);
	assert_int_equal(count_news(fd, EVP_CLOSED), 3);
	assert_int_equal(nr_ports_of(1), 1); /* unbound, for nobody */
	(void)close(fd);
}

/* A peer that does not agree is not connected: its port stays what it is. */
static void one_cannot_claim_somebody_elses_end(void **state)
{
	struct evp_guest *g = attach(2), *other = attach(3);
	uint64_t events = 0;
	evtchn_port_t port = open_unbound(g, 3, count_event, &events);
	struct evp_claim end = {.port = 7,
				.domid = 2,
				.kind = EVTCHNSTAT_interdomain,
				.number = port};
	int fd = returned(1);

	(void)state;
	claim(fd, &end, 1, 1);
	/* It is there, and is not the peer: nobody else will come. */
	assert_int_equal(count_news(fd, EVP_PEER_LOST), 1);
	assert_int_equal(status_of(g, port), EVTCHNSTAT_unbound);
	(void)open_bound(other, 2, port, count_event, &events);
	assert_int_equal(status_of(g, port), EVTCHNSTAT_interdomain);
	(void)close(fd);
	evp_detach(other);
	evp_detach(g);
}

/* Two claim the same end: one of them gets it, the other keeps a port. */
static void two_claim_one_peer(void **state)
{
	struct evp_claim end = {.port = 7,
				.domid = 2,
				.kind = EVTCHNSTAT_interdomain,
				.number = 4,
				.pid = (uint32_t)getpid()};
	struct evp_claim mate = {.port = 4,
				 .domid = 1,
				 .kind = EVTCHNSTAT_interdomain,
				 .number = 7,
				 .pid = (uint32_t)getpid()};
	int fd[3] = {returned(1), returned(1), returned(2)};

	(void)state;
	claim(fd[0], &end, 1, 1);
	assert_int_equal(count_news(fd[0], EVP_CLOSED), 0);
	end.port = 8;
	claim(fd[1], &end, 1, 1);
	assert_int_equal(count_news(fd[1], EVP_CLOSED), 0);
	claim(fd[2], &mate, 1, 1);
	assert_int_equal(count_news(fd[2], EVP_CONNECT), 1);
	assert_int_equal(count_news(fd[0], EVP_CONNECT), 1);
	assert_int_equal(count_news(fd[1], EVP_CONNECT), 0);
	for (int i = 0; i < 3; i++)
		(void)close(fd[i]);
}

/* Both have to say the same of each other. */
static void ends_that_do_not_agree_are_not_connected(void **state)
{
	struct evp_claim end = {.port = 7,
				.domid = 2,
				.kind = EVTCHNSTAT_interdomain,
				.number = 4,
				.pid = (uint32_t)getpid()};
	struct evp_claim mate = {.port = 5,
				 .domid = 1,
				 .kind = EVTCHNSTAT_interdomain,
				 .number = 7,
				 .pid = (uint32_t)getpid()};
	int fd[2] = {returned(1), returned(2)};

	(void)state;
	claim(fd[0], &end, 1, 1);
	assert_int_equal(count_news(fd[0], EVP_CLOSED), 0);
	claim(fd[1], &mate, 1, 1);
	assert_int_equal(count_news(fd[1], EVP_CONNECT), 0);
	assert_int_equal(count_news(fd[0], EVP_CONNECT), 0);
	(void)close(fd[0]);
	(void)close(fd[1]);
}

/* It says it was restricted, and is: nothing but its domain from then on. */
static void limit_that_is_claimed_holds(void **state)
{
	const struct evp_claim one = unbound(5);
	struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = 2};
	struct evp_reattach m = returning(1);
	int fd = raw_greeted();

	(void)state;
	m.limit = 2;
	reattach_as(fd, &m);
	claim(fd, &one, 1, 1);
	assert_int_equal(raw_op(fd, EVTCHNOP_alloc_unbound, &op, sizeof(op)),
			 -XEN_EACCES);
	(void)close(fd);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(malformed_reattach_ends_the_connection),
		TEST(reattach_to_the_same_broker_is_refused),
		TEST(malformed_claim_ends_the_connection),
		TEST(claim_at_the_wrong_moment_ends_the_connection),
		TEST(endless_claims_end_the_connection),
		TEST(port_claimed_twice_is_the_first_ones),
		TEST(pages_in_any_order),
		TEST(claims_of_what_one_may_not_have),
		TEST(one_cannot_claim_somebody_elses_end),
		TEST(two_claim_one_peer),
		TEST(ends_that_do_not_agree_are_not_connected),
		TEST(limit_that_is_claimed_holds),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("claims", tests, NULL, NULL);
}
