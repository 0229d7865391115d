/* SPDX-License-Identifier: MIT */
/*
 * What an enemy can do with the descriptors of a lane: with the rope of its
 * victim's bell, with its own bells, and with its own epoll instance.  Nobody may
 * have to wait for it, and who has closed his port must not be woken.
 *
 * Where somebody might wait for ever, the test's alarm finds it.
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "harness.h"

#include "hosts/process/guest.h"

#define NR_RINGS 2000

static struct evp_lane *lane_to(struct evp_guest *g, domid_t domid)
{
	uint32_t i;

	for (i = 0; i < g->nr_lanes; i++) {
		if (g->lane[i]->out && g->lane[i]->peer_domid == domid)
			return g->lane[i];
	}
	return NULL;
}

/* As one that goes to sleep: nothing has rung, and the lanes are armed. */
static void lie_down(struct evp_guest *g)
{
	do {
		(void)evp_poll(g);
	} while (evp_arm(g));
	CHECK(evp_poll(g) == 0);
	CHECK(!evp_arm(g));
}

static bool is_rung(const struct evp_guest *g)
{
	struct pollfd p = {.fd = evp_fd(g), .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

struct channel {
	struct evp_guest *victim, *enemy;
	evtchn_port_t port, far; /* the victim's, the enemy's */
	uint64_t count, ignored;
};

static void connect_again(struct channel *c)
{
	c->port = open_unbound(c->victim, 66, count_event, &c->count);
	c->far = open_bound(c->enemy, 1, c->port, count_event, &c->ignored);
	settle(c->victim, c->enemy);
	c->count = 0;
}

static void open_channel(struct channel *c)
{
	*c = (struct channel){.victim = attach(1), .enemy = attach(66)};
	connect_again(c);
}

static void close_channel(const struct channel *c)
{
	evp_detach(c->victim);
	evp_detach(c->enemy);
}

/* --- the victim has closed --------------------------------------------------------- */

/* Everything the enemy can write, and the rope. */
static void ring(const struct evp_lane *l)
{
	uint32_t i;

	for (i = 0; i < EVP_LANE_WORDS; i++)
		(void)evb_u64_xchg(&l->out->pending[i], UINT64_MAX);
	(void)evb_u64_xchg(&l->out->selector, UINT64_MAX);
	evp_kick(l->rope);
}

static void whoever_has_closed_is_not_woken(void **state)
{
	struct evp_lane *l;
	struct channel c;
	uint64_t sleeps;
	int i;

	(void)state;
	open_channel(&c);
	l = lane_to(c.enemy, 1);
	lie_down(c.victim);
	evp_kick(l->rope);
	assert_true(is_rung(c.victim)); /* that it would be seen */

	CHECK(evg_close(evp_evg(c.victim), c.port) == 0);
	settle(c.victim, c.enemy);
	lie_down(c.victim);
	for (i = 0; i < NR_RINGS; i++)
		ring(l);
	assert_false(is_rung(c.victim));
	assert_false(evp_arm(c.victim)); /* nor does it find anything */
	sleeps = evb_u64_load(&c.victim->counts->sleeps);
	assert_int_equal(evp_wait(c.victim, 20000000), 0);
	assert_int_equal(evb_u64_load(&c.victim->counts->sleeps), sleeps + 1);

	/* A new channel in the same lane is like any other. */
	connect_again(&c);
	assert_ptr_equal(lane_to(c.enemy, 1), l);
	lie_down(c.victim);
	send_event(c.enemy, c.far);
	assert_true(is_rung(c.victim));
	c.count = 0;
	assert_true(evp_poll(c.victim) > 0 && c.count == 1);
	close_channel(&c);
}

static void one_of_two_channels_closed_leaves_the_other(void **state)
{
	evtchn_port_t port, far;
	struct channel c;
	uint64_t count = 0;

	(void)state;
	open_channel(&c);
	port = open_unbound(c.victim, 66, count_event, &count);
	far = open_bound(c.enemy, 1, port, count_event, &c.ignored);
	settle(c.victim, c.enemy);
	CHECK(evg_close(evp_evg(c.victim), c.port) == 0);
	settle(c.victim, c.enemy);
	count = 0;
	lie_down(c.victim);
	assert_true(goes_direct(c.enemy, far));
	assert_true(is_rung(c.victim));
	assert_true(evp_poll(c.victim) > 0 && count == 1);
	close_channel(&c);
}

/* --- what its descriptors allow ------------------------------------------------------ */

/* Nothing can be put in, and no flag matters. */
static void spoil(int fd)
{
	const uint64_t most = UINT64_MAX - 1;
	char byte = 0;

	(void)fcntl(fd, F_SETFL, 0);
	CHECK(send(fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == -1);
	CHECK(errno == EPIPE);
	CHECK(evp_send_packet(fd, &byte, 1, &fd, 1, MSG_DONTWAIT) ==
	      -ECONNRESET);
	CHECK(write(fd, &most, sizeof(most)) == -1);
	CHECK(recv(fd, &byte, 1, MSG_DONTWAIT) == 0);
	(void)shutdown(fd, SHUT_RDWR);
}

static void nobody_waits_for_whoever_spoils_his_bells(void **state)
{
	struct evp_lane *out, *in;
	struct channel c;
	unsigned int i;

	(void)state;
	open_channel(&c);
	out = lane_to(c.victim, 66);
	in = lane_to(c.enemy, 1);
	spoil(in->rope);
	spoil(in->bell);
	spoil(c.enemy->broker->bell);
	for (i = 0; i < NR_RINGS; i++) {
		/* The enemy seems to sleep: each event rings. */
		(void)evb_u64_xchg(&out->out->pending[0], 0);
		(void)evb_u64_xchg(&out->out->selector, 0);
		evb_u32_store(&out->out->armed, 1);
		send_event(c.victim, c.port);
		assert_int_equal(evb_u32_load(&out->out->armed), 0);
		/* So do the broker's. */
		(void)evb_u64_xchg(&c.enemy->broker->in->selector, 0);
		evb_u32_store(&c.enemy->broker->in->armed, 1);
		(void)evg_close(evp_evg(c.victim),
				alloc(c.victim, DOMID_SELF, 66));
	}
	/* And none of it keeps it from hearing. */
	lie_down(c.enemy);
	send_event(c.victim, c.port);
	assert_true(is_rung(c.enemy));
	close_channel(&c);
}

static void a_bell_whose_other_end_is_closed_rings_nothing(void **state)
{
	struct channel c;
	struct evp_lane *l;

	(void)state;
	open_channel(&c);
	l = lane_to(c.enemy, 1);
	CHECK(dup2(open("/dev/null", O_RDWR | O_CLOEXEC), l->bell) >= 0);
	send_event(c.victim, c.port);
	evb_u32_store(&l->in->armed, 1);
	send_event(c.victim, c.port);
	close_channel(&c);
}

/* --- an epoll instance that is locked ------------------------------------------------ */

/* Memory that stays away: who copies there waits, in the kernel. */
static void *absent_page(int *uffd)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register r = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	void *p = mmap(NULL, EVP_PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (*uffd < 0)
		return NULL;
	r.range.start = (uintptr_t)p;
	r.range.len = EVP_PAGE_SIZE;
	CHECK(p != MAP_FAILED && !ioctl(*uffd, UFFDIO_API, &api) &&
	      !ioctl(*uffd, UFFDIO_REGISTER, &r));
	return p;
}

struct trap {
	struct evp_guest *g;
	void *page;
};

static void *lock_epoll(void *arg)
{
	const struct trap *t = arg;

	(void)epoll_wait(t->g->epoll, t->page, 1, -1);
	return NULL;
}

#define NR_OFFERED 4

/* Says 1 when its instance is locked, 0 when that cannot be had here. */
static void attack_with_epoll(int from, int to, void *arg)
{
	struct trap t = {.g = attach(66)};
	struct pollfd p = {.events = POLLIN};
	evtchn_port_t port[NR_OFFERED];
	uint64_t ignored = 0;
	pthread_t thread;
	int i;

	(void)arg;
	for (i = 0; i < NR_OFFERED; i++)
		port[i] = open_unbound(t.g, (domid_t)(1 + i), count_event,
				       &ignored);
	t.page = absent_page(&p.fd);
	say(to, t.page != NULL);
	if (!t.page)
		return;
	CHECK(pthread_create(&thread, NULL, lock_epoll, &t) == 0);
	/* Something has to be copied: news. */
	for (i = 0; i < NR_OFFERED; i++)
		say(to, port[i]);
	CHECK(poll(&p, 1, -1) == 1); /* the fault: the lock is held */
	say(to, 1);
	(void)hear(from);
	_exit(0); /* with the thread as it is */
}

static void a_locked_epoll_instance_stops_nobody_else(void **state)
{
	struct child c = start_child(attack_with_epoll, NULL);
	struct evp_guest *g[NR_OFFERED];
	const char *ci = getenv("CI");
	evtchn_port_t port[NR_OFFERED];
	uint64_t count = 0;
	int i;

	(void)state;
	if (!hear(c.from)) {
		printf("# no userfaultfd for faults of the kernel here\n");
		assert_false(ci && !strcmp(ci, "true"));
		(void)end_child(&c);
		skip();
	}
	for (i = 0; i < NR_OFFERED; i++)
		port[i] = (evtchn_port_t)hear(c.from);
	g[0] = attach(1);
	port[0] = open_bound(g[0], 66, port[0], count_event, &count);
	assert_int_equal(hear(c.from), 1);
	/* Lanes to it, closed again, and everything else a broker does. */
	for (i = 1; i < NR_OFFERED; i++) {
		g[i] = attach(1 + i);
		port[i] = open_bound(g[i], 66, port[i], count_event, &count);
	}
	for (i = 0; i < NR_OFFERED; i++) {
		send_event(g[i], port[i]);
		(void)evp_poll(g[i]);
		assert_true(goes_direct(g[i], port[i]));
		assert_int_equal(evg_close(evp_evg(g[i]), port[i]), 0);
		evp_detach(g[i]);
	}
	assert_int_equal(kill(c.pid, SIGKILL), 0);
	assert_int_equal(end_child(&c), 128 + SIGKILL);
	g[0] = attach(66);
	(void)alloc(g[0], DOMID_SELF, 1);
	evp_detach(g[0]);
}

/* --- one that does not read ------------------------------------------------------------ */

#define NR_PEERS 40
#define NR_LANES 15 /* 62 descriptors, as there were 2 with ATTACHED */

/* Read until there have been @want lanes; or, want 0: what is there. */
static unsigned int read_lanes(int fd, unsigned int want)
{
	struct evp_packet p;
	unsigned int n = 0;
	int rc;

	do {
		rc = evp_recv_packet(fd, &p, want ? 0 : MSG_DONTWAIT);
		if (rc)
			break;
		n += p.u.hdr.type == EVP_LANE && p.nr_fds == 4;
		evp_packet_close_fds(&p);
	} while (!want || n < want);
	return n;
}

static void whoever_does_not_read_gets_few_descriptors(void **state)
{
	struct evp_guest *peer[NR_PEERS];
	uint64_t count = 0;
	evtchn_port_t port;
	int i, before, fd = raw_attached(66);
	unsigned int n;

	(void)state;
	for (i = 0; i < NR_PEERS; i++) {
		peer[i] = attach(i + 1);
		raw_ask_port(fd, (domid_t)(i + 1));
	}
	(void)status_of(peer[0], 1);
	await_quiet();
	before = nr_fds();
	for (i = 0; i < NR_PEERS; i++) {
		port = (evtchn_port_t)(i + 1);
		port = open_bound(peer[i], 66, port, count_event, &count);
		wait_count(peer[i], &count, (uint64_t)i + 1);
	}
	await_quiet();
	/* Of none of the lanes anything stays with the broker. */
	assert_int_equal(nr_fds(), before);
	n = read_lanes(fd, 0);
	assert_true(n > 0 && n <= NR_LANES);
	/* It has read, so it gets the others, though nobody sends. */
	assert_int_equal(read_lanes(fd, NR_PEERS - n), NR_PEERS - n);
	for (i = 0; i < NR_PEERS; i++)
		evp_detach(peer[i]);
	(void)close(fd);
}

/* News a socket takes of which nothing is read. */
static uint32_t room_for_news(void)
{
	struct evp_given m = {.hdr = {0}};
	uint32_t n = 0;
	int fd[2];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) == 0);
	while (!evp_send_packet(fd[0], &m, sizeof(m), NULL, 0, MSG_DONTWAIT))
		n++;
	(void)close(fd[0]);
	(void)close(fd[1]);
	return n;
}

/* Nobody sends, so nobody but the broker can think of it again. */
static void connect_amid_news(struct evp_guest *control, uint32_t nr_news)
{
	struct evp_guest *g = attach(1), *h = attach(2);
	evtchn_port_t bound, port = alloc(g, DOMID_SELF, 2);

	while (nr_news--)
		(void)alloc(control, 1, 2);
	assert_int_equal(evg_bind_interdomain(evp_evg(h), 1, port, &bound), 0);
	while (g->nr_lanes < 2 || h->nr_lanes < 2) {
		assert_true(evp_wait(g, 1000000) >= 0);
		assert_true(evp_wait(h, 1000000) >= 0);
	}
	evp_detach(g);
	evp_detach(h);
}

/* With just that room left it would be refused a lane, and nothing would wait. */
static void whoever_reads_late_gets_his_lane(void **state)
{
	struct evp_guest *control = attach(0);
	uint32_t n = room_for_news(), i;

	(void)state;
	for (i = n - 2; i <= n + 2; i++)
		connect_amid_news(control, i);
	evp_detach(control);
}

static void bells_ring(void **state)
{
	(void)state;
	assert_int_equal(evp_bell_check(), 0);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bells_ring),
		TEST(whoever_has_closed_is_not_woken),
		TEST(one_of_two_channels_closed_leaves_the_other),
		TEST(nobody_waits_for_whoever_spoils_his_bells),
		TEST(a_bell_whose_other_end_is_closed_rings_nothing),
		TEST(a_locked_epoll_instance_stops_nobody_else),
		TEST(whoever_does_not_read_gets_few_descriptors),
		TEST(whoever_reads_late_gets_his_lane),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("bells", tests, NULL, NULL);
}
