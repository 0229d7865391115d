/* SPDX-License-Identifier: MIT */
/*
 * Nobody can disturb the others, whatever he sends to the broker, or does not
 * read from it.
 */
#include <poll.h>

#include "harness.h"

/*
 * Each answer brings a descriptor.  Who does not read them does not get so many
 * that the broker has none left for others.
 */
static void descriptors_that_nobody_takes(void **state)
{
	struct evp_ask_counts m = {.domid = 1, .index = 0};
	struct evp_guest *g = attach(1);
	struct pollfd p = {.events = 0};
	int before, i;

	(void)state;
	evp_hdr_init(&m.hdr, EVP_ASK_COUNTS, sizeof(m), 7);
	p.fd = raw();
	assert_int_equal(evp_control_hello(p.fd, NULL), 0);
	before = nr_fds();
	for (i = 0; i < 3000; i++)
		(void)!send(p.fd, &m, sizeof(m), MSG_NOSIGNAL);
	assert_int_equal(poll(&p, 1, -1), 1);
	assert_true(p.revents & POLLHUP);
	(void)close(p.fd);
	await_nr_fds(before - 1);
	evp_detach(g);
}

/* --- hostile peers --------------------------------------------------------------- */

static void lane_page_cannot_be_shrunk_or_grown(void **state)
{
	struct evp_attach_req m = {.domid = 1, .nr_vcpus = 1};
	struct evp_packet p;
	int fd = raw();

	(void)state;
	assert_int_equal(evp_control_hello(fd, NULL), 0);
	evp_hdr_init(&m.hdr, EVP_ATTACH, sizeof(m), 1);
	assert_int_equal(evp_ask(fd, &m, sizeof(m), &p, EVP_ATTACHED, 1), 0);
	assert_int_equal(p.nr_fds, 2);
	assert_int_equal(ftruncate(p.fd[0], 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(p.fd[0], 1 << 20), -1);
	evp_packet_close_fds(&p);
	(void)close(fd);
}

static void send_header(int fd, uint32_t magic, uint16_t version, uint16_t type,
			uint32_t len, size_t really)
{
	unsigned char buf[2 * EVP_MSG_MAX] = {0};
	struct evp_hdr h = {
		.magic = magic, .version = version, .type = type, .len = len};

	memcpy(buf, &h, sizeof(h));
	(void)send(fd, buf, really, MSG_NOSIGNAL);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void send_noise(int fd, uint32_t *seed)
{
	unsigned char buf[EVP_MSG_MAX];
	size_t i, len = next_random(seed) % sizeof(buf) + 1;
	struct evp_hdr h = {.magic = EVP_MAGIC,
			    .version = EVP_VERSION,
			    .type = (uint16_t)(next_random(seed) % 75),
			    .len = (uint32_t)len};

	for (i = 0; i < len; i++)
		buf[i] = (unsigned char)next_random(seed);
	/* Half of them get past the first check. */
	if (len >= sizeof(h) && next_random(seed) & 1)
		memcpy(buf, &h, sizeof(h));
	(void)send(fd, buf, len, MSG_NOSIGNAL);
}

static void attack_sizes_and_types(void)
{
	const uint16_t v = EVP_VERSION;
	uint16_t type;
	int fd;

	fd = raw();
	send_header(fd, 0xdead, v, EVP_HELLO, 16, 16);
	expect_end(fd);
	fd = raw();
	send_header(fd, EVP_MAGIC, v + 1, EVP_HELLO, 16, 16);
	expect_end(fd);
	fd = raw();
	send_header(fd, EVP_MAGIC, v, EVP_HELLO, 16, 7);
	expect_end(fd);
	fd = raw();
	send_header(fd, EVP_MAGIC, v, EVP_HELLO, 16, 17);
	expect_end(fd);
	fd = raw();
	send_header(fd, EVP_MAGIC, v, EVP_HELLO, 17, 17);
	expect_end(fd);
	fd = raw();
	send_header(fd, EVP_MAGIC, v, EVP_HELLO, 8000, 8000);
	expect_end(fd);
	/* Wrong moment, and types that do not exist. */
	for (type = 0; type < 80; type++) {
		if (type == EVP_HELLO)
			continue;
		fd = raw();
		send_header(fd, EVP_MAGIC, v, type, 16, 16);
		expect_end(fd);
		fd = raw_greeted();
		send_header(fd, EVP_MAGIC, v, type, 24, 24);
		if (type != EVP_LIST && type != EVP_DOMAINS &&
		    type != EVP_PERMIT)
			expect_end(fd);
		else
			(void)close(fd);
	}
	/* Closed at once, and after half of a conversation. */
	(void)close(raw());
	fd = raw();
	send_header(fd, EVP_MAGIC, v, EVP_HELLO, 16, 16);
	(void)close(fd);
}

static void attack_attached(void)
{
	struct evp_hypercall h = {.nr = __HYPERVISOR_event_channel_op};
	struct evp_link_msg ack = {.link = 1};
	size_t fixed = offsetof(struct evp_hypercall, arg);
	struct evp_packet p;
	uint32_t cmd, len;
	int fd = raw_attached(50);

	/* Every operation, with every length: answered, never more. */
	for (cmd = 0; cmd < 20; cmd++) {
		for (len = 0; len <= EVP_ARG_MAX; len++) {
			h.cmd = cmd;
			h.arg_len = len;
			memset(h.arg, (int)(cmd * 7 + len), sizeof(h.arg));
			evp_hdr_init(&h.hdr, EVP_HYPERCALL, fixed + len, len);
			CHECK(!evp_send_packet(fd, &h, fixed + len, NULL, 0,
					       0));
			do {
				CHECK(!evp_recv_packet(fd, &p, 0));
				evp_packet_close_fds(&p);
			} while (p.u.hdr.type != EVP_RESULT);
		}
	}
	h.arg_len = 0xffffffff;
	evp_hdr_init(&h.hdr, EVP_HYPERCALL, fixed, 1);
	CHECK(!evp_send_packet(fd, &h, fixed, NULL, 0, 0));
	expect_end(fd);
	/* An answer nobody asked for; a descriptor nobody asked for. */
	fd = raw_attached(51);
	evp_hdr_init(&ack.hdr, EVP_ACK, sizeof(ack), 0);
	CHECK(!evp_send_packet(fd, &ack, sizeof(ack), NULL, 0, 0));
	expect_end(fd);
	fd = raw_attached(52);
	h.arg_len = 0;
	CHECK(!evp_send_packet(fd, &h, fixed, &fd, 1, 0));
	expect_end(fd);
	/* Adopting without being a session; a file as a connection. */
	fd = raw_greeted();
	evp_hdr_init(&h.hdr, EVP_ADOPT, sizeof(struct evp_adopt), 0);
	CHECK(!evp_send_packet(fd, &h, sizeof(struct evp_adopt), &fd, 1, 0));
	expect_end(fd);
	fd = open_session(53, &cmd);
	CHECK(!evp_send_packet(fd, &h, sizeof(struct evp_adopt),
			       &(int){STDERR_FILENO}, 1, 0));
	expect_end(fd);
}

static void attack_at_random(void)
{
	uint32_t seed = 12345;
	int i, k, fd;

	for (i = 0; i < 400; i++) {
		fd = i % 3 ? raw() : raw_attached((uint16_t)(60 + i));
		for (k = 0; k < 5; k++)
			send_noise(fd, &seed);
		(void)close(fd);
	}
}

/* A great many questions, no answer read: the queue is bounded. */
static void attack_by_not_reading(void)
{
	struct evp_list m = {.domid = 0};
	int i, rc = 0, fd = raw_greeted();

	evp_hdr_init(&m.hdr, EVP_LIST, sizeof(m), 1);
	for (i = 0; i < 1000000 && !rc; i++)
		rc = evp_send_packet(fd, &m, sizeof(m), NULL, 0, 0);
	CHECK(rc == -ECONNRESET);
	(void)close(fd);
}

static void be_hostile(int from, int to, void *arg)
{
	(void)from;
	(void)arg;
	attack_sizes_and_types();
	attack_attached();
	attack_by_not_reading();
	attack_at_random();
	say(to, 0);
}

static void answer_for_ever(int from, int to, void *arg)
{
	struct evp_guest *g = attach(2);
	uint64_t count = 0;
	evtchn_port_t port = open_bound(g, 1, (evtchn_port_t)hear(from),
					count_event, &count);
	evb_u32 *stop = arg;
	uint64_t seen;

	wait_count(g, &count, 1);
	say(to, 0);
	while (!evb_u32_load(stop)) {
		seen = count;
		wait_count(g, &count, seen + 1);
		CHECK(evg_notify(evp_evg(g), port) == 0);
	}
	evp_detach(g);
}

static void hostile_connections_closed_while_two_others_go_on(void **state)
{
	evb_u32 *stop = share(sizeof(*stop));
	struct evp_guest *g = attach_spin(1, 0);
	struct child peer = start_child(answer_for_ever, stop), enemy;
	uint64_t i, count = 0;
	evtchn_port_t port = open_unbound(g, 2, count_event, &count), other;
	struct pollfd p;

	(void)state;
	say(peer.to, port);
	(void)hear(peer.from);
	enemy = start_child(be_hostile, NULL);
	p = (struct pollfd){.fd = enemy.from, .events = POLLIN};
	for (i = 1; poll(&p, 1, 0) == 0; i++) {
		assert_int_equal(evg_notify(evp_evg(g), port), 0);
		wait_count(g, &count, i);
		/* And the broker serves us all the while. */
		assert_int_equal(
			evg_alloc_unbound(evp_evg(g), DOMID_SELF, 2, &other),
			0);
		assert_int_equal(evg_close(evp_evg(g), other), 0);
	}
	assert_int_equal(end_child(&enemy), 0);
	assert_true(i > 100);
	(void)evb_u32_xchg(stop, 1);
	assert_int_equal(evg_notify(evp_evg(g), port), 0);
	assert_int_equal(end_child(&peer), 0);
	evp_detach(g);
}

/* A peer that answers no news costs its channels the short way, no more. */
static void
peer_that_reads_nothing_others_can_still_bind_and_close(void **state)
{
	struct evp_guest *deaf = attach(2), *g = attach(1);
	uint64_t count = 0, ignored = 0;
	evtchn_port_t remote = open_unbound(deaf, 1, count_event, &count);
	evtchn_port_t port;
	struct evp_stats st;
	int i;

	(void)state;
	for (i = 0; i < 2000; i++) {
		port = open_bound(g, 2, remote, count_event, &ignored);
		assert_int_equal(evg_notify(evp_evg(g), port), 0);
		assert_int_equal(evg_close(evp_evg(g), port), 0);
	}
	evp_get_stats(g, &st);
	assert_true(st.sent_broker > 1000);
	/* It wakes up, and all is as if it had listened. */
	wait_count(deaf, &count, 1);
	(void)evp_poll(deaf);
	port = open_bound(g, 2, remote, count_event, &ignored);
	count = 0;
	assert_int_equal(evg_notify(evp_evg(g), port), 0);
	wait_count(deaf, &count, 1);
	evp_get_stats(g, &st);
	i = (int)st.sent_broker;
	assert_int_equal(evg_notify(evp_evg(g), port), 0);
	wait_count(deaf, &count, 2);
	evp_get_stats(g, &st);
	assert_int_equal(st.sent_broker, i);
	evp_detach(g);
	evp_detach(deaf);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(lane_page_cannot_be_shrunk_or_grown),
		TEST(hostile_connections_closed_while_two_others_go_on),
		TEST(peer_that_reads_nothing_others_can_still_bind_and_close),
		TEST(descriptors_that_nobody_takes),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
