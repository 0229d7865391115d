/* SPDX-License-Identifier: MIT */
/*
 * Grants, with peers that keep no rule: bad memory, bad numbers, answers left
 * unread, and deaths at any moment.  Nobody else notices, and nothing is left.
 */
#include <poll.h>

#include "grants.h"

/* --- what ends the connection ----------------------------------------------------- */

static int session(void)
{
	uint32_t domid;

	return open_session(5, &domid);
}

static void send_message(int fd, void *msg, enum evp_type type, size_t len,
			 int with)
{
	evp_hdr_init(msg, type, len, 1);
	CHECK(evp_send_packet(fd, msg, len, &with, with >= 0, 0) == 0);
}

static int memory(size_t size, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	CHECK(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	CHECK(fcntl(fd, F_ADD_SEALS, seals) == 0);
	return fd;
}

#define GOOD (F_SEAL_SHRINK | F_SEAL_GROW)

static void refuses_memory(int memfd, uint32_t nr_pages, uint16_t flags)
{
	struct evp_grant_region m = {.nr_pages = nr_pages, .flags = flags};
	int fd = session();

	send_message(fd, &m, EVP_GRANT_REGION, sizeof(m), memfd);
	if (memfd >= 0)
		(void)close(memfd);
	expect_end(fd);
}

static void bad_memory_is_refused(void **state)
{
	int pipe_fd[2];

	(void)state;
	refuses_memory(memory(PAGE, 0), 1, 0);
	refuses_memory(memory(PAGE, F_SEAL_GROW), 1, 0);
	refuses_memory(memory(PAGE, F_SEAL_SHRINK), 1, 0);
	refuses_memory(memory(PAGE, GOOD), 2, 0);
	refuses_memory(memory(2 * PAGE, GOOD), 1, 0);
	refuses_memory(memory(PAGE - 1, GOOD), 1, 0);
	refuses_memory(memory(0, GOOD), 0, 0);
	refuses_memory(memory(PAGE, GOOD), 1, 0x8000);
	refuses_memory(memory((EVP_REGION_PAGES + 1ul) * PAGE, GOOD),
		       EVP_REGION_PAGES + 1, 0);
	refuses_memory(open("/dev/null", O_RDWR | O_CLOEXEC), 1, 0);
	refuses_memory(open("/proc/self/exe", O_PATH | O_CLOEXEC), 1, 0);
	CHECK(pipe2(pipe_fd, O_CLOEXEC) == 0);
	refuses_memory(pipe_fd[1], 1, 0);
	(void)close(pipe_fd[0]);
	refuses_memory(-1, 1, 0);
}

/* What its owner adds when the broker has it. */
static int late_seals = F_SEAL_SEAL | F_SEAL_FUTURE_WRITE;

/* A region of @n pages. */
static uint64_t region(int fd, uint32_t n, uint16_t flags)
{
	struct evp_grant_region m = {.nr_pages = n, .domid = 6, .flags = flags};
	struct evp_packet p;
	int memfd = memory(n * (size_t)PAGE, GOOD);

	evp_hdr_init(&m.hdr, EVP_GRANT_REGION, sizeof(m), 1);
	CHECK(evp_ask_with(fd, &m, sizeof(m), memfd, &p, EVP_GRANT_REGION_IS,
			   sizeof(struct evp_grant_region_is)) == 0);
	CHECK(fcntl(memfd, F_ADD_SEALS, late_seals) == 0);
	(void)close(memfd);
	return ((struct evp_grant_region_is *)p.u.bytes)->region;
}

static void refuses_share(uint32_t page, uint32_t count, uint32_t at,
			  uint32_t what, uint64_t other)
{
	int fd = session();
	struct evp_grant_share m = {.region = region(fd, 3, 0) + other,
				    .page = page,
				    .count = count,
				    .at = at,
				    .notify.what = what};

	send_message(fd, &m, EVP_GRANT_SHARE, sizeof(m), -1);
	expect_end(fd);
}

static void bad_shares_are_refused(void **state)
{
	(void)state;
	refuses_share(0, 1, EVP_GRANT_ANY, 0, 1);
	refuses_share(0, 0, EVP_GRANT_ANY, 0, 0);
	refuses_share(0, 4, EVP_GRANT_ANY, 0, 0);
	refuses_share(3, 1, EVP_GRANT_ANY, 0, 0);
	refuses_share(UINT32_MAX, 2, EVP_GRANT_ANY, 0, 0);
	refuses_share(1, UINT32_MAX, EVP_GRANT_ANY, 0, 0);
	refuses_share(0, EVP_GRANTS_PER_MSG + 1, EVP_GRANT_ANY, 0, 0);
	refuses_share(0, 1, EVP_GRANT_RESERVED, 0, 0);
	refuses_share(0, 2, 1, 0, 0);
	refuses_share(0, 2, EVP_GRANT_ANY, EVP_NOTIFY_EVENT, 0);
	late_seals = F_SEAL_SEAL; /* and not what makes it read-only */
	refuses_share(0, 1, EVP_GRANT_ANY, 0, 0);
	late_seals = F_SEAL_FUTURE_WRITE;
	refuses_share(0, 1, EVP_GRANT_ANY, 0, 0);
	late_seals |= F_SEAL_SEAL;
	/* No byte was asked for when it could still be written. */
	refuses_share(0, 1, EVP_GRANT_ANY, EVP_NOTIFY_BYTE, 0);
}

static void refuses_map(uint32_t count, size_t sent, uint16_t flags,
			uint32_t what)
{
	struct evp_grant_map m = {.domid = 6,
				  .count = count,
				  .flags = flags,
				  .notify.what = what};
	int fd = session();

	send_message(fd, &m, EVP_GRANT_MAP,
		     offsetof(struct evp_grant_map, ref) + sent * 4, -1);
	expect_end(fd);
}

static void refuses_end(enum evp_type type, uint32_t number, bool mine)
{
	struct evp_grant_unmap unmap = {.map = number};
	struct evp_grant_unshare unshare = {.count = 1, .ref = {number}};
	int fd = session();

	if (mine)
		(void)region(fd, 1, 0);
	if (type == EVP_GRANT_UNMAP)
		send_message(fd, &unmap, type, sizeof(unmap), -1);
	else
		send_message(fd, &unshare, type,
			     offsetof(struct evp_grant_unshare, ref) + 4, -1);
	expect_end(fd);
}

static void bad_numbers_are_refused(void **state)
{
	struct evp_grants *h = grants(5), *h6 = grants(6);
	uint32_t ref;

	(void)state;
	refuses_map(0, 0, 0, 0);
	refuses_map(2, 1, 0, 0);
	refuses_map(1, 2, 0, 0);
	refuses_map(UINT32_MAX, 3, 0, 0);
	refuses_map(1, 1, 0x100, 0);
	refuses_map(2, 2, 0, EVP_NOTIFY_EVENT);
	refuses_map(1, 1, EVP_GRANT_COPY, EVP_NOTIFY_EVENT);
	refuses_end(EVP_GRANT_UNMAP, 0, false);
	refuses_end(EVP_GRANT_UNMAP, 1, false);
	refuses_end(EVP_GRANT_UNMAP, UINT32_MAX, true);
	refuses_end(EVP_GRANT_UNSHARE, 8, false);
	refuses_end(EVP_GRANT_UNSHARE, UINT32_MAX, true);
	/* Of the same domain, but not of this connection. */
	*share_page(h, 6, 1, &ref) = 1;
	refuses_end(EVP_GRANT_UNSHARE, ref, true);
	CHECK(*map_page(h6, 5, ref) == 1);
	evp_grants_close(h);
	evp_grants_close(h6);
}

static void wrong_moments_are_refused(void **state)
{
	struct evp_grant_unmap m[2] = {{.map = 1}};
	int fd;

	(void)state;
	fd = raw();
	send_message(fd, m, EVP_GRANT_UNMAP, sizeof(m[0]), -1);
	expect_end(fd);
	fd = raw_greeted();
	send_message(fd, m, EVP_GRANT_UNMAP, sizeof(m[0]), -1);
	expect_end(fd);
	fd = raw_attached(5);
	send_message(fd, m, EVP_GRANT_UNMAP, sizeof(m[0]), -1);
	expect_end(fd);
	fd = session();
	send_message(fd, m, EVP_GRANT_UNMAP, sizeof(m[0]) + 4, -1);
	expect_end(fd);
}

/* Each answer has a descriptor: who does not read gets one, and then no more. */
static void who_does_not_read_maps_once(void **state)
{
	struct evp_grants *h = grants(6);
	struct evp_grant_map m = {
		.domid = 6, .count = 1, .flags = EVP_GRANT_COPY};
	size_t len = offsetof(struct evp_grant_map, ref) + 4;
	struct evp_packet p;
	int fd = session();
	struct pollfd pfd = {.fd = fd, .events = POLLIN}, gone = {.fd = fd};

	(void)state;
	(void)share_page(h, 5, 1, &m.ref[0]);
	send_message(fd, &m, EVP_GRANT_MAP, len, -1);
	CHECK(poll(&pfd, 1, -1) == 1);
	send_message(fd, &m, EVP_GRANT_MAP, len, -1);
	CHECK(poll(&gone, 1, -1) == 1 && gone.revents & POLLHUP);
	CHECK(evp_recv_packet(fd, &p, 0) == 0 && p.nr_fds == 1);
	evp_packet_close_fds(&p);
	expect_end(fd);
	evp_grants_close(h);
}

/* Adopted through a session: that domain's grants, and no other's. */
static void a_session_is_for_its_domain(void **state)
{
	struct evp_options o = {.domain = EVP_DOMAIN_ENV};
	struct evp_grants *h = NULL;
	uint32_t domid;
	int fd = open_session(7, &domid);
	char text[16];

	(void)state;
	(void)snprintf(text, sizeof(text), "%d", fd);
	CHECK(setenv("EVTCHN_FD", text, 1) == 0);
	CHECK(evp_grants_open(&h, &o) == 0);
	CHECK(evp_grants_domid(h) == 7);
	evp_grants_close(h);
	o.domain = 8;
	CHECK(evp_grants_open(&h, &o) == -EACCES);
	o.domain = 7;
	CHECK(evp_grants_open(&h, &o) == 0);
	evp_grants_close(h);
	CHECK(unsetenv("EVTCHN_FD") == 0);
	/* Nobody said which: the one this process is in. */
	CHECK(evp_grants_open(&h, NULL) == 0);
	CHECK(evp_grants_domid(h) == 7);
	evp_grants_close(h);
	(void)close(fd);
	CHECK(evp_grants_open(&h, NULL) == 0);
	CHECK(evp_grants_domid(h) == 1);
	evp_grants_close(h);
}

/* --- deaths ------------------------------------------------------------------------ */

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16;
}

#define NR_PAGES 16

struct player {
	struct evp_grants *h;
	struct evp_guest *g;
	uint32_t me, seed;
	uint8_t *shared[NR_PAGES], *mapped[NR_PAGES];
};

static void share_or_not(struct player *p, uint32_t i)
{
	struct evp_notify n = {0, next_random(&p->seed) % 6};
	uint32_t ref;

	if (p->shared[i]) {
		CHECK(evp_grant_unshare(p->h, p->shared[i], 1) == 0);
		p->shared[i] = NULL;
		return;
	}
	(void)try_share(p->h, p->me % 3 + 1, next_random(&p->seed) & 1,
			EVP_GRANT_ANYWHERE,
			next_random(&p->seed) & 1 ? &n : NULL, &ref,
			&p->shared[i]);
	if (p->shared[i])
		*p->shared[i] = 1;
}

static void map_or_not(struct player *p, uint32_t i)
{
	struct evp_notify n = {0, next_random(&p->seed) % 6};
	struct evp_grant_ref r = {next_random(&p->seed) % 3 + 1,
				  next_random(&p->seed) % 24 + 8};
	void *q = NULL;

	if (p->mapped[i]) {
		CHECK(evp_grant_unmap(p->h, p->mapped[i], 1) == 0);
		p->mapped[i] = NULL;
		return;
	}
	(void)evp_grant_map(p->h, &r, 1, next_random(&p->seed) & 1 ? RW : 1,
			    next_random(&p->seed) & 1 ? &n : NULL, &q);
	p->mapped[i] = q;
}

static void port_or_not(struct player *p)
{
	evtchn_port_t port = next_random(&p->seed) % 6;

	switch (next_random(&p->seed) % 3) {
	case 0:
		(void)evg_alloc_unbound(evp_evg(p->g), DOMID_SELF,
					(domid_t)(p->me % 3 + 1), &port);
		break;
	case 1:
		(void)evg_bind_interdomain(evp_evg(p->g),
					   (domid_t)((p->me + 1) % 3 + 1), port,
					   &port);
		break;
	default: /* a number, not a state */
		(void)evg_close(evp_evg(p->g), port);
		break;
	}
	CHECK(evp_poll(p->g) >= 0);
}

/* Anything, until it is killed. */
static void play(int from, int to, void *arg)
{
	struct player p = {.me = (uint32_t)(uintptr_t)arg % 3 + 1,
			   .seed = (uint32_t)(uintptr_t)arg};
	uint32_t steps;

	if (p.seed & 1)
		p.g = attach((int)p.me);
	p.h = grants((int)p.me);
	if (!p.g)
		p.g = attach((int)p.me);
	(void)from;
	/* How far it gets is decided here, so that what happens can be again. */
	for (steps = next_random(&p.seed) % 300; steps; steps--) {
		uint32_t i = next_random(&p.seed) % NR_PAGES;

		if (steps & 1)
			share_or_not(&p, i);
		else
			map_or_not(&p, i);
		if (next_random(&p.seed) % 4 == 0)
			port_or_not(&p);
	}
	say(to, 0);
	(void)raise(SIGKILL);
}

static void deaths_leave_nothing(void **state)
{
	enum {
		PLAYERS = 6,
		ROUNDS = 20
	};
	struct child c[PLAYERS];
	int fd = raw(), before;
	uint32_t i, round;

	(void)state;
	CHECK(evp_control_hello(fd, NULL) == 0);
	before = nr_fds();
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < PLAYERS; i++)
			c[i] = start_child(
				play, (void *)(uintptr_t)(round * PLAYERS + i));
		for (i = 0; i < PLAYERS; i++) {
			(void)hear(c[i].from);
			CHECK(end_child(&c[i]) == 128 + SIGKILL);
		}
	}
	while (nr_fds() > before) {
		struct evp_domain_entry e[EVP_DOMAINS_PER_PAGE];
		uint32_t cursor = 0;

		CHECK(evp_control_domains(fd, &cursor, e,
					  EVP_DOMAINS_PER_PAGE) >= 0);
	}
	CHECK(nr_fds() == before);
	(void)close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(bad_memory_is_refused),
		TEST(bad_shares_are_refused),
		TEST(bad_numbers_are_refused),
		TEST(wrong_moments_are_refused),
		TEST(who_does_not_read_maps_once),
		TEST(a_session_is_for_its_domain),
		TEST(deaths_leave_nothing),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
