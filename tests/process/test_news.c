/* SPDX-License-Identifier: MIT */
/*
 * News comes over the socket, and a bit in the broker's lane says so.  The two
 * are not one step, and the lane may be one of many: neither may cost an event.
 *
 * conn.c is included, so that something can happen between its two steps.
 */
#include <sys/epoll.h>

#include "harness.h"

#include <abi/xen.h>

#include "hosts/process/broker/broker.h"
#include "hosts/process/guest.h"

static void (*after_sending)(void);

static int send_packet_hooked(int sock, const void *msg, size_t len,
			      const int *fd, unsigned int nr_fds, int flags)
{
	int rc = evp_send_packet(sock, msg, len, fd, nr_fds, flags);

	if (!rc && after_sending)
		after_sending();
	return rc;
}

#define evp_send_packet send_packet_hooked
#include "hosts/process/broker/conn.c"
#undef evp_send_packet

/* What conn.c needs of the other files. */
void evd_log(const struct evd_conn *c, const char *fmt, ...)
{
	(void)c;
	(void)fmt;
}

void evd_adopt_abandon(struct evd_conn *c)
{
	(void)c;
}

void evd_hypercall_abandon(struct evd_conn *c)
{
	(void)c;
}

void evd_grants_end(struct evd_conn *c)
{
	(void)c;
}

void evd_detach(struct evd_conn *c)
{
	(void)c;
}

void evd_dom_release(struct evd_conn *c)
{
	(void)c;
}

struct evd_account *evd_account_get(struct evd_broker *b, uid_t uid)
{
	(void)b;
	(void)uid;
	return NULL;
}

void evd_account_put(struct evd_broker *b, struct evd_account *a)
{
	(void)b;
	(void)a;
}

void evd_bury(int fd, uid_t uid)
{
	(void)uid;
	(void)close(fd);
}

void evd_bury_socket(int fd, uid_t uid)
{
	(void)uid;
	(void)close(fd);
}

bool evd_may_have(const struct evd_broker *b, uid_t uid, enum evd_resource what,
		  uint64_t more)
{
	(void)b;
	(void)uid;
	(void)what;
	(void)more;
	return true;
}

int64_t evd_now_ms(void)
{
	return 0;
}

/* --- the message, then the bit ---------------------------------------------- */

static struct evp_port_lane *page;
static int receiver;

/* The socket woke him: he reads, finds nothing else, and sleeps again. */
static void read_and_sleep(void)
{
	struct evp_packet p;

	CHECK(evp_recv_packet(receiver, &p, MSG_DONTWAIT) == 0);
	evp_lane_arm(&page->lane);
	CHECK(evp_lane_is_empty(&page->lane));
}

static void event_after_news_read_at_once_still_rings(void **state)
{
	struct epoll_event ev;
	struct evp_bell bell;
	struct evp_port_msg m = {.port = 1};
	struct evd_broker b = {.epoll = -1};
	struct evd_att att = {.rope = -1};
	struct evd_conn c = {.broker = &b, .att = &att};
	int memfd, pair[2], epoll = epoll_create1(0);

	(void)state;
	c.out_tail = &c.out;
	assert_int_equal(evp_port_lane_create(&memfd, &page), 0);
	assert_int_equal(evp_bell_make(&bell), 0);
	assert_int_equal(evp_bell_hear(epoll, bell.bell, 1), 0);
	assert_int_equal(epoll_wait(epoll, &ev, 1, 0), 1);
	att.rope = bell.rope;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	c.fd = pair[0];
	receiver = pair[1];
	att.lane = page;
	evp_hdr_init(&m.hdr, EVP_CLOSED, sizeof(m), 0);

	after_sending = read_and_sleep;
	evd_send(&c, &m, sizeof(m), NULL, 0);
	after_sending = NULL;
	(void)evp_port_send(page, att.rope, 7); /* as evd_post() does */
	assert_int_equal(epoll_wait(epoll, &ev, 1, 0), 1);

	evp_port_lane_unmap(page);
	(void)close(memfd);
	(void)close(pair[0]);
	(void)close(pair[1]);
	(void)close(epoll);
	evp_bell_close(&bell);
}

/* --- many lanes --------------------------------------------------------------- */

#define NR_PEERS 40
#define PATIENCE (INT64_C(20) * 1000000000)

static void arm_quiet(struct evp_guest *g)
{
	while (evp_arm(g))
		(void)evp_poll(g);
}

static struct evp_lane *last_lane(struct evp_guest *g)
{
	return g->lane[g->nr_lanes - 1];
}

static void news_in_a_cold_lane_of_many_blocks_no_later_event(void **state)
{
	struct evp_guest *g = attach(0), *peer[NR_PEERS];
	evtchn_port_t port[NR_PEERS], virq;
	uint64_t count = 0, ends = 0, ignored = 0;
	uint32_t i, last = 0;

	(void)state;
	assert_int_equal(evg_bind_virq(evp_evg(g), VIRQ_DOM_EXC, 0, &virq), 0);
	assert_int_equal(evg_bind_handler(evp_evg(g), virq, EVG_VCPU_KEEP,
					  count_event, &ends),
			 0);
	for (i = 0; i < NR_PEERS; i++) {
		port[i] =
			open_unbound(g, (domid_t)(i + 1), count_event, &count);
		peer[i] = attach((int)i + 1);
		port[i] =
			open_bound(peer[i], 0, port[i], count_event, &ignored);
		assert_int_equal(evg_notify(evp_evg(peer[i]), port[i]), 0);
	}
	wait_count(g, &count, NR_PEERS);
	arm_quiet(g);

	/* Nobody has rung, and the broker's is the first. */
	(void)evp_poll(g);
	arm_quiet(g);
	evp_on_ring(g, g->broker->in_id);
	arm_quiet(g);
	assert_ptr_equal(g->lane[0], g->broker);
	/* Who is in the last lane sends: the broker's goes to its place. */
	for (i = 0; i < NR_PEERS; i++) {
		if (evp_domid(peer[i]) == last_lane(g)->peer_domid)
			last = i;
	}
	assert_int_equal(evg_notify(evp_evg(peer[last]), port[last]), 0);
	assert_int_equal(evp_poll(g), 1);
	assert_ptr_equal(last_lane(g), g->broker);

	/* News: the socket wakes us. */
	arm_quiet(g);
	i = last ? 0 : 1;
	assert_int_equal(evg_close(evp_evg(peer[i]), port[i]), 0);
	(void)evp_poll(g);

	/* An event from the broker, which takes no lane below 32 away. */
	for (i = 0; i < NR_PEERS; i++) {
		if (g->lane[EVP_SCAN_LANES + 2]->peer_domid == i + 1)
			last = i;
	}
	evp_detach(peer[last]);
	while (!ends)
		assert_int_not_equal(evp_wait(g, PATIENCE), 0);

	for (i = 0; i < NR_PEERS; i++) {
		if (i != last)
			evp_detach(peer[i]);
	}
	evp_detach(g);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(event_after_news_read_at_once_still_rings),
		TEST(news_in_a_cold_lane_of_many_blocks_no_later_event),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("news", tests, NULL, NULL);
}
