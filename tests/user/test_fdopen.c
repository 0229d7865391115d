/* SPDX-License-Identifier: MIT */
/*
 * xenevtchn_fdopen() after a real exec().
 *
 * This program runs itself again: as `test_fdopen SCENE FD ...` it is the
 * program that comes after exec(), which does its part of the scene and says by
 * its exit status whether all was as it should be.  It goes by what it is told
 * on its command line only.
 */
#include <poll.h>

#include <xenevtchn.h>

#include "tests/process/harness.h"

#define NR_GENERATIONS 60
#define NR_ARGS	       8

static char self[4096];

/* --- exec --------------------------------------------------------------------------- */

/* Scene and numbers of the program that comes. */
static void become(const char *scene, int n, const int *number)
{
	static char text[NR_ARGS][16];
	char *argv[NR_ARGS + 3] = {self, (char *)(uintptr_t)scene};
	int i;

	CHECK(n <= NR_ARGS);
	for (i = 0; i < n; i++) {
		(void)snprintf(text[i], sizeof(text[i]), "%d", number[i]);
		argv[2 + i] = text[i];
	}
	CHECK(execv(self, argv) == 0);
}

static xenevtchn_handle *open_kept(const char *domain)
{
	xenevtchn_handle *h;

	CHECK(setenv("EVTCHN_DOMAIN", domain, 1) == 0);
	CHECK(setenv("EVTCHN_DEVICE", "", 1) == 0);
	h = xenevtchn_open(NULL, XENEVTCHN_NO_CLOEXEC);
	CHECK(h);
	return h;
}

static xenevtchn_handle *go_on(int fd)
{
	xenevtchn_handle *h = xenevtchn_fdopen(NULL, fd, 0);

	CHECK(h && xenevtchn_fd(h) == fd);
	return h;
}

/* POLLIN alone, for ever: xenstored would not take anything else. */
static void await_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLPRI};

	CHECK(poll(&p, 1, -1) == 1);
	CHECK(p.revents == POLLIN);
}

static int take(xenevtchn_handle *h)
{
	int port;

	await_readable(xenevtchn_fd(h));
	port = xenevtchn_pending(h);
	CHECK(port > 0 && !xenevtchn_unmask(h, (evtchn_port_t)port));
	return port;
}

static int nr_open_fds(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* --- every state a port may be in ------------------------------------------------------ */

enum {
	PLAIN,
	QUEUED,
	TAKEN,
	TAKEN_AND_MORE,
	VIRQ,
	NR_KINDS
};

/* Ports to ourselves; what is returned hears what is sent on @out. */
static int open_loop(xenevtchn_handle *h, int *out)
{
	int in = xenevtchn_bind_unbound_port(h, DOMID_SELF);

	CHECK(in > 0);
	*out = xenevtchn_bind_interdomain(h, DOMID_SELF, (evtchn_port_t)in);
	CHECK(*out > 0 && take(h) == *out);
	return in;
}

static void states_first(int from, int to, void *arg)
{
	xenevtchn_handle *h = open_kept("1");
	int number[1 + NR_KINDS], out[NR_KINDS], i;

	(void)from;
	(void)to;
	(void)arg;
	for (i = 0; i < VIRQ; i++)
		number[1 + i] = open_loop(h, &out[i]);
	number[1 + VIRQ] = xenevtchn_bind_virq(h, 1);
	CHECK(number[1 + VIRQ] > 0);
	for (i = TAKEN; i <= TAKEN_AND_MORE; i++) {
		CHECK(!xenevtchn_notify(h, (evtchn_port_t)out[i]));
		await_readable(xenevtchn_fd(h));
		CHECK(xenevtchn_pending(h) == number[1 + i]);
	}
	CHECK(!xenevtchn_notify(h, (evtchn_port_t)out[TAKEN_AND_MORE]));
	CHECK(!xenevtchn_notify(h, (evtchn_port_t)out[QUEUED]));
	await_readable(xenevtchn_fd(h));
	number[0] = xenevtchn_fd(h);
	become("states", 1 + NR_KINDS, number);
}

/* All of them are reported, and each once until there is a new event. */
static int states_second(const int *number)
{
	xenevtchn_handle *h = xenevtchn_fdopen(NULL, number[0], 0);
	const int *in = &number[1];
	bool seen[64] = {false};
	int i, port, out;

	/* It may be polled by who has never asked for it. */
	CHECK(h);
	await_readable(number[0]);
	CHECK(xenevtchn_fd(h) == number[0]);
	/* The loops have two ends. */
	for (i = 0; i < 2 * VIRQ + 1; i++) {
		port = take(h);
		CHECK(port < 64 && !seen[port]);
		seen[port] = true;
	}
	for (i = 0; i < NR_KINDS; i++)
		CHECK(seen[in[i]]);
	/* The handle is whole: it binds, is told of that, sends, closes. */
	CHECK(xenevtchn_bind_virq(h, 1) == -1 && errno == EEXIST);
	CHECK(!xenevtchn_unbind(h, (evtchn_port_t)in[VIRQ]));
	CHECK(xenevtchn_bind_virq(h, 1) == in[VIRQ]);
	port = open_loop(h, &out);
	CHECK(!xenevtchn_notify(h, (evtchn_port_t)out) && take(h) == port);
	CHECK(!xenevtchn_close(h));
	return 0;
}

static void port_in_every_state_is_reported_after_exec(void **state)
{
	struct child c = start_child(states_first, NULL);

	(void)state;
	assert_int_equal(end_child(&c), 0);
}

/* --- a conversation that goes on --------------------------------------------------------- */

/* Who saw a number it has not answered yet answers: events only wake. */
struct table {
	uint32_t asked, answered;
};

struct players {
	struct table *t;
	int memfd;
	evtchn_port_t port;
};

static uint32_t look(const uint32_t *where)
{
	return __atomic_load_n(where, __ATOMIC_ACQUIRE);
}

static void put(uint32_t *where, uint32_t what)
{
	__atomic_store_n(where, what, __ATOMIC_RELEASE);
}

static struct table *map_table(int memfd)
{
	void *p = mmap(NULL, sizeof(struct table), PROT_READ | PROT_WRITE,
		       MAP_SHARED, memfd, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/*
 * Each answers one question and is replaced: at once, with the next event come
 * but not taken, or by one that comes between question and answer.
 */
static int talk_second(const int *number)
{
	int fd = number[0], port = number[1], memfd = number[2];
	int generation = number[3], fds = number[4];
	const int next[] = {fd, port, memfd, generation + 1, nr_open_fds()};
	xenevtchn_handle *h = go_on(fd);
	struct table *t = map_table(memfd);
	uint32_t asked;

	/* Each leaves to the next what it was left. */
	CHECK(!generation || next[4] == fds);
	do {
		CHECK(take(h) == port);
		asked = look(&t->asked);
	} while (asked == look(&t->answered));
	if (generation % 3 != 2) {
		put(&t->answered, asked);
		CHECK(!xenevtchn_notify(h, (evtchn_port_t)port));
	}
	if (generation % 3 == 1)
		await_readable(fd);
	if (generation < NR_GENERATIONS)
		become("talk", 5, next);
	return xenevtchn_close(h);
}

static void talk_first(int from, int to, void *arg)
{
	struct players *p = arg;
	xenevtchn_handle *h = open_kept("1");
	int port = xenevtchn_bind_interdomain(h, 2, p->port);
	const int number[] = {xenevtchn_fd(h), port, p->memfd, 0, 0};

	(void)from;
	(void)to;
	CHECK(port > 0);
	become("talk", 5, number);
}

static void ask_and_wait(xenevtchn_handle *h, struct table *t, int port,
			 uint32_t question)
{
	put(&t->asked, question);
	assert_int_equal(xenevtchn_notify(h, (evtchn_port_t)port), 0);
	while (look(&t->answered) != question) {
		assert_int_equal(xenevtchn_pending(h), port);
		assert_int_equal(xenevtchn_unmask(h, (evtchn_port_t)port), 0);
	}
}

/* A question that is lost, or an answer, is never made up for. */
static void no_event_is_lost_in_sixty_generations(void **state)
{
	struct players p = {.memfd = memfd_create("table", 0)};
	xenevtchn_handle *h = open_kept("2");
	struct child c;
	uint32_t i;
	int port;

	(void)state;
	assert_int_equal(ftruncate(p.memfd, sizeof(struct table)), 0);
	p.t = map_table(p.memfd);
	port = xenevtchn_bind_unbound_port(h, 1);
	assert_true(port > 0);
	p.port = (evtchn_port_t)port;
	c = start_child(talk_first, &p);
	/* Every third leaves the answer to the next; there is one more. */
	for (i = 1; i <= NR_GENERATIONS - NR_GENERATIONS / 3 + 1; i++)
		ask_and_wait(h, p.t, port, i);
	assert_int_equal(end_child(&c), 0);
	assert_int_equal(xenevtchn_close(h), 0);
	(void)close(p.memfd);
}

/* --- not ours ------------------------------------------------------------------------------- */

static void descriptor_of_something_else_is_refused(void **state)
{
	xenevtchn_handle *h = open_kept("1");
	int other = dup(xenevtchn_fd(h)), pair[2];

	(void)state;
	assert_int_equal(pipe(pair), 0);
	errno = 0;
	assert_null(xenevtchn_fdopen(NULL, pair[0], 0));
	assert_int_equal(errno, EINVAL);
	/* The number is the name. */
	errno = 0;
	assert_null(xenevtchn_fdopen(NULL, other, 0));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(xenevtchn_close(h), 0);
	errno = 0;
	assert_null(xenevtchn_fdopen(NULL, other, 0));
	assert_int_equal(errno, EINVAL);
	(void)close(other);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static void orphan_first(int from, int to, void *arg)
{
	xenevtchn_handle *h = open_kept("1");
	int number = xenevtchn_fd(h);

	(void)arg;
	say(to, 0);
	(void)hear(from);
	become("orphan", 1, &number);
}

/* The handle is left as it is, for another try. */
static int orphan_second(const int *number)
{
	int before = nr_open_fds(), i;

	for (i = 0; i < 2; i++) {
		errno = 0;
		CHECK(!xenevtchn_fdopen(NULL, number[0], 0));
		CHECK(errno == ENOTCONN);
	}
	CHECK(nr_open_fds() == before);
	return 0;
}

static void broker_gone_meanwhile_is_an_error(void **state)
{
	struct child c = start_child(orphan_first, NULL);

	(void)state;
	(void)hear(c.from);
	kill_broker();
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
}

static void rejoined_first(int from, int to, void *arg)
{
	xenevtchn_handle *h = open_kept("1");
	int number[3] = {0, xenevtchn_bind_unbound_port(h, 2), -1};

	(void)arg;
	CHECK(number[1] > 0);
	say(to, 0);
	(void)hear(from);
	while (number[2] < 0) { /* until the new broker has us */
		number[2] = xenevtchn_bind_unbound_port(h, 2);
		CHECK(number[2] > 0 || errno == ENOTCONN);
	}
	number[0] = xenevtchn_fd(h);
	become("rejoined", 3, number);
}

static int rejoined_second(const int *number)
{
	xenevtchn_handle *h = go_on(number[0]);
	int first = take(h), second = take(h);

	CHECK(first + second == number[1] + number[2] && first != second);
	return xenevtchn_close(h);
}

static void broker_started_anew_knows_the_handle(void **state)
{
	struct child c = start_child(rejoined_first, NULL);

	(void)state;
	(void)hear(c.from);
	restart_broker();
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
}

/* --- rights ---------------------------------------------------------------------------------- */

static void limited_first(int from, int to, void *arg)
{
	xenevtchn_handle *h = open_kept("1");
	int number[2] = {xenevtchn_fd(h), xenevtchn_bind_unbound_port(h, 2)};

	(void)from;
	(void)to;
	(void)arg;
	CHECK(!xenevtchn_restrict(h, 2));
	become("limited", 2, number);
}

static int limited_second(const int *number)
{
	xenevtchn_handle *h = go_on(number[0]);

	CHECK(take(h) == number[1]);
	CHECK(xenevtchn_bind_unbound_port(h, 2) == -1 && errno == EACCES);
	CHECK(xenevtchn_bind_virq(h, 1) == -1 && errno == EACCES);
	CHECK(xenevtchn_bind_interdomain(h, 3, 1) == -1 && errno == EACCES);
	CHECK(xenevtchn_bind_interdomain(h, 2, 1) == -1 && errno == ESRCH);
	CHECK(xenevtchn_restrict(h, 2) == -1 && errno == EACCES);
	CHECK(!xenevtchn_notify(h, (evtchn_port_t)number[1]));
	CHECK(!xenevtchn_unbind(h, (evtchn_port_t)number[1]));
	return xenevtchn_close(h);
}

static void restricted_handle_stays_so(void **state)
{
	struct child c = start_child(limited_first, NULL);

	(void)state;
	assert_int_equal(end_child(&c), 0);
}

/* --- both programs ----------------------------------------------------------------------------- */

static int play(char **argv)
{
	static const struct {
		const char *name;
		int (*play)(const int *number);
	} scenes[] = {{"states", states_second},
		      {"talk", talk_second},
		      {"orphan", orphan_second},
		      {"rejoined", rejoined_second},
		      {"limited", limited_second}};
	int number[NR_ARGS] = {0}, n;
	size_t i;

	for (n = 0; n < NR_ARGS && argv[2 + n]; n++)
		number[n] = atoi(argv[2 + n]);
	for (i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		if (!strcmp(scenes[i].name, argv[1]))
			return scenes[i].play(number);
	}
	return 2;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(port_in_every_state_is_reported_after_exec),
		TEST(no_event_is_lost_in_sixty_generations),
		TEST(descriptor_of_something_else_is_refused),
		TEST(broker_gone_meanwhile_is_an_error),
		TEST(broker_started_anew_knows_the_handle),
		TEST(restricted_handle_stays_so),
	};

	if (!realpath("/proc/self/exe", self))
		return 1;
	if (argc > 1)
		return play(argv);
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
