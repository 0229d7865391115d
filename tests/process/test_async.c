/* SPDX-License-Identifier: MIT */
/*
 * Upcalls by signal: a vCPU that computes, and calls nothing, has its handlers
 * run; with upcalls masked it has not, and nothing is lost.
 *
 * "Computes" is a loop that looks at a volatile variable its handlers write.
 */
#include <pthread.h>
#include <poll.h>

#include "harness.h"

#define SIGNAL SIGUSR1

/* What handlers write and an interrupted loop reads. */
struct seen {
	volatile uint64_t count;
	volatile uint32_t depth, deepest; /* handlers in handlers */
	struct evp_guest *answer_on;
};

/* Counts, notes whether it is in another one, and answers if asked to. */
static void see(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct seen *s = ctx;

	(void)v;
	s->depth++;
	if (s->depth > s->deepest)
		s->deepest = s->depth;
	s->count++;
	if (s->answer_on)
		CHECK(evg_notify(evp_evg(s->answer_on), port) == 0);
	s->depth--;
}

static struct evp_guest *attach_async(int domain)
{
	struct evp_options o = {.domain = domain,
				.spin_ns = EVP_SPIN_DEFAULT,
				.upcall_signal = SIGNAL};
	struct evp_guest *g = NULL;

	CHECK(evp_attach(&g, &o) == 0);
	return g;
}

static void compute_until(const struct seen *s, uint64_t count)
{
	while (s->count < count)
		;
}

static volatile uint8_t *upcall_flag(struct evp_guest *g)
{
	return &evp_shared_info(g)->vcpu_info[0].evtchn_upcall_pending;
}

static volatile uint8_t *upcall_mask(struct evp_guest *g)
{
	return &evp_shared_info(g)->vcpu_info[0].evtchn_upcall_mask;
}

/* --- a peer: sends what it is told to ------------------------------------------ */

struct ball {
	uint64_t rounds; /* sent one by one, each answered */
	uint64_t more;	 /* sent when told to, not answered */
};

static void play(int from, int to, void *arg)
{
	const struct ball *b = arg;
	struct evp_guest *g = attach(2);
	uint64_t i, count = 0;
	evtchn_port_t port = open_bound(g, 1, (evtchn_port_t)hear(from),
					count_event, &count);

	wait_count(g, &count, 1); /* the bind's own */
	say(to, 0);
	for (i = 1; i <= b->rounds; i++) {
		CHECK(evg_notify(evp_evg(g), port) == 0);
		wait_count(g, &count, 1 + i);
	}
	for (i = 0; i < b->more; i++) {
		(void)hear(from);
		CHECK(evg_notify(evp_evg(g), port) == 0);
		say(to, i);
	}
	(void)hear(from);
	CHECK(count >= 1 + b->rounds);
	evp_detach(g);
}

static void computing_vcpu_takes_every_event(void **state)
{
	struct ball b = {.rounds = 2000};
	struct evp_guest *g = attach_async(1);
	struct seen s = {.answer_on = g};
	evtchn_port_t port = open_unbound(g, 2, see, (void *)&s);
	struct child c = start_child(play, &b);
	struct evp_stats before, after;

	(void)state;
	evp_get_stats(g, &before);
	say(c.to, port);
	(void)hear(c.from);
	compute_until(&s, b.rounds);
	evp_get_stats(g, &after);
	/* An upcall takes what comes while it runs; none asked the broker. */
	assert_int_equal(s.count, b.rounds);
	assert_true(after.upcalls > before.upcalls);
	assert_int_equal(after.hypercalls, before.hypercalls);
	assert_int_equal(s.deepest, 1);
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	evp_detach(g);
}

static void masked_vcpu_takes_none_unmasked_all(void **state)
{
	struct ball b = {.more = 200};
	struct evp_guest *g = attach_async(1);
	struct seen s = {.count = 0};
	evtchn_port_t port = open_unbound(g, 2, see, (void *)&s);
	struct child c = start_child(play, &b);
	unsigned long saved;
	uint64_t i;

	(void)state;
	say(c.to, port);
	(void)hear(c.from);
	for (i = 0; i < b.more; i++) {
		saved = evg_plat_upcalls_save(evp_evg(g));
		say(c.to, 0);
		while (!*upcall_flag(g))
			;
		/* It has arrived; whoever is interrupted now is not. */
		assert_int_equal(raise(SIGNAL), 0);
		assert_int_equal(s.count, i);
		assert_int_equal(evg_notify(evp_evg(g), port), 0);
		assert_int_equal(s.count, i);
		evg_plat_upcalls_restore(evp_evg(g), saved);
		assert_int_equal(s.count, i + 1);
		(void)hear(c.from);
	}
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	evp_detach(g);
}

/* As a PV guest does: the bare byte, then any hypercall. */
static void mask_written_by_hand_any_call_delivers(void **state)
{
	struct ball b = {.more = 2};
	struct evp_guest *g = attach_async(1);
	struct seen s = {.count = 0};
	evtchn_port_t port = open_unbound(g, 2, see, (void *)&s);
	struct child c = start_child(play, &b);

	(void)state;
	say(c.to, port);
	(void)hear(c.from);
	*upcall_mask(g) = 1;
	say(c.to, 0);
	while (!*upcall_flag(g))
		;
	*upcall_mask(g) = 0;
	assert_int_equal(s.count, 0);
	assert_int_equal(evg_yield(evp_evg(g)), 0);
	assert_int_equal(s.count, 1);
	(void)hear(c.from);
	/* And not masked: at once. */
	say(c.to, 0);
	compute_until(&s, 2);
	(void)hear(c.from);
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	evp_detach(g);
}

/* --- many events, random masks ---------------------------------------------------- */

#define NR_PORTS 8

/* Shared with the sender: per port, what was sent and what was handled. */
struct score {
	evb_u32 port[NR_PORTS];
	evb_u32 handled[NR_PORTS];
	evb_u32 done;
};

struct flood {
	struct score *score;
	uint32_t each;
};

struct lane_end {
	struct seen *seen;
	struct flood *flood;
	uint32_t i;
};

static void keep_score(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	const struct lane_end *e = ctx;

	see(v, port, e->seen);
	(void)evb_u32_add(&e->flood->score->handled[e->i], 1);
	CHECK(evg_notify(v->guest, port) == 0);
}

/* Each port's next event is sent when the one before was handled. */
static void flood_ports(int from, int to, void *arg)
{
	const struct flood *f = arg;
	struct evp_guest *g = attach(2);
	uint32_t i, sent[NR_PORTS] = {0}, first[NR_PORTS];
	evtchn_port_t port[NR_PORTS];
	uint64_t total = 0, answers = 0;

	(void)hear(from);
	for (i = 0; i < NR_PORTS; i++) {
		port[i] = open_bound(g, 1, evb_u32_load(&f->score->port[i]),
				     count_event, &answers);
		first[i] = evb_u32_load(&f->score->handled[i]);
	}
	say(to, 0);
	while (total < (uint64_t)f->each * NR_PORTS) {
		bool idle = true;

		for (i = 0; i < NR_PORTS; i++) {
			if (sent[i] == f->each ||
			    evb_u32_load(&f->score->handled[i]) !=
				    first[i] + sent[i])
				continue;
			sent[i]++;
			total++;
			idle = false;
			CHECK(evg_notify(evp_evg(g), port[i]) == 0);
		}
		if (idle)
			CHECK(evp_wait(g, EVP_FOREVER) >= 0);
	}
	say(to, total);
	(void)hear(from);
	evp_detach(g);
}

static uint32_t draw(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 16;
}

/* A turn of a program that is interrupted anywhere, in the library as well. */
static void bustle(struct evp_guest *g, evtchn_port_t own, uint32_t *seed)
{
	volatile uint32_t work = draw(seed) % 400;
	unsigned long saved;

	switch (draw(seed) % 6) {
	case 0:
		saved = evg_plat_upcalls_save(evp_evg(g));
		while (work)
			work--;
		evg_plat_upcalls_restore(evp_evg(g), saved);
		break;
	case 1:
		CHECK(evg_notify(evp_evg(g), own) == 0);
		break;
	case 2:
		CHECK(evp_poll(g) >= 0);
		break;
	case 3:
		CHECK(evg_mask(evp_evg(g), own) == 0);
		CHECK(evg_unmask(evp_evg(g), own) == 0);
		break;
	default:
		while (work)
			work--;
		break;
	}
}

static void random_masks_nothing_lost_handler_never_reentered(void **state)
{
	struct score *score = share(sizeof(*score));
	struct flood f = {.score = score,
			  .each = getenv("EVC_LONG") ? 125000 : 2500};
	struct child c = start_child(flood_ports, &f);
	struct evp_guest *g = attach_async(1);
	struct seen s = {.count = 0}, of_own = {.count = 0};
	struct lane_end end[NR_PORTS];
	uint32_t i, seed = 1;
	evtchn_port_t own;
	uint64_t want = 0;

	(void)state;
	assert_int_equal(evg_bind_ipi(evp_evg(g), 0, &own), 0);
	assert_int_equal(
		evg_bind_handler(evp_evg(g), own, 0, see, (void *)&of_own), 0);
	for (i = 0; i < NR_PORTS; i++) {
		end[i] = (struct lane_end){&s, &f, i};
		evb_u32_store(&score->port[i],
			      open_unbound(g, 2, keep_score, &end[i]));
	}
	say(c.to, 0);
	(void)hear(c.from);
	want = (uint64_t)f.each * NR_PORTS;
	while (s.count < want)
		bustle(g, own, &seed);
	assert_int_equal(s.count, want);
	assert_int_equal(s.deepest, 1);
	assert_int_equal(of_own.deepest, 1);
	assert_true(of_own.count > 0);
	assert_int_equal(hear(c.from), want);
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	evp_detach(g);
	(void)munmap(score, sizeof(*score));
}

/* --- handlers ----------------------------------------------------------------------- */

struct relay {
	struct seen *seen;
	evtchn_port_t other;
	uint64_t seen_inside; /* of the other, when we returned */
};

static struct seen first, second;

/* Sends to another port of its own, and looks whether that is handled inside. */
static void send_inside(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct relay *r = ctx;
	uint64_t before = second.count;

	see(v, port, &first);
	CHECK(evg_notify(v->guest, r->other) == 0);
	CHECK(raise(SIGNAL) == 0);
	r->seen_inside += second.count - before;
}

static void upcall_in_an_upcall_waits_for_its_end(void **state)
{
	struct ball b = {.more = 100};
	struct evp_guest *g = attach_async(1);
	struct relay r = {.other = 0};
	struct child c = start_child(play, &b);
	evtchn_port_t port;
	uint64_t i;

	(void)state;
	first = second = (struct seen){.count = 0};
	assert_int_equal(evg_bind_ipi(evp_evg(g), 0, &r.other), 0);
	assert_int_equal(
		evg_bind_handler(evp_evg(g), r.other, 0, see, (void *)&second),
		0);
	port = open_unbound(g, 2, send_inside, &r);
	say(c.to, port);
	(void)hear(c.from);
	for (i = 1; i <= b.more; i++) {
		say(c.to, 0);
		compute_until(&second, i);
		(void)hear(c.from);
	}
	assert_int_equal(first.count, b.more);
	assert_int_equal(second.count, b.more);
	assert_int_equal(r.seen_inside, 0);
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	evp_detach(g);
}

/* More than one safe point takes: 16 upcalls of 4096 events each. */
#define CHAIN 70000

/* A handler that sends to itself. */
static void chain(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct seen *s = ctx;

	see(v, port, s);
	if (s->count < CHAIN)
		CHECK(evg_notify(v->guest, port) == 0);
}

static void chain_of_own_events_goes_on_without_a_call(void **state)
{
	struct evp_guest *g = attach_async(1);
	struct seen s = {.count = 0};
	evtchn_port_t own;

	(void)state;
	assert_int_equal(evg_bind_ipi(evp_evg(g), 0, &own), 0);
	assert_int_equal(
		evg_bind_handler(evp_evg(g), own, 0, chain, (void *)&s), 0);
	assert_int_equal(evg_notify(evp_evg(g), own), 0);
	compute_until(&s, CHAIN);
	assert_int_equal(s.deepest, 1);
	evp_detach(g);
}

/* --- while computing: news, other guests ---------------------------------------------- */

/*
 * Come, send one event, go; again and again.  The first goes by lane; later there
 * is none at once if the other one had no time to read the news of the former.
 */
static void come_and_go(int from, int to, void *arg)
{
	const struct ball *b = arg;
	evtchn_port_t remote = (evtchn_port_t)hear(from);
	uint64_t i;

	for (i = 0; i < b->rounds; i++) {
		struct evp_guest *g = attach(2);
		uint64_t count = 0;
		evtchn_port_t port =
			open_bound(g, 1, remote, count_event, &count);

		CHECK(goes_direct(g, port) || i);
		wait_count(g, &count, 2); /* the bind's own, and the answer */
		evp_detach(g);
	}
	say(to, 0);
}

static void peers_come_and_go_while_it_computes(void **state)
{
	struct ball b = {.rounds = 50};
	struct evp_guest *g = attach_async(1);
	struct seen s = {.answer_on = g};
	evtchn_port_t port = open_unbound(g, 2, see, (void *)&s);
	struct child c = start_child(come_and_go, &b);

	(void)state;
	say(c.to, port);
	compute_until(&s, b.rounds);
	(void)hear(c.from);
	assert_int_equal(s.count, b.rounds);
	assert_int_equal(end_child(&c), 0);
	evp_detach(g);
}

struct pass {
	struct evp_guest *to;
	evtchn_port_t port;
};

static void pass_to_other_guest(struct evg_vcpu *v, evtchn_port_t port,
				void *ctx)
{
	const struct pass *p = ctx;

	(void)v;
	(void)port;
	CHECK(evg_notify(evp_evg(p->to), p->port) == 0);
}

static void handler_of_one_guest_uses_another_of_the_thread(void **state)
{
	struct evp_guest *a = attach_async(1), *b = attach_async(3);
	struct ball ball = {.more = 200};
	struct seen s = {.count = 0};
	struct pass p = {.to = b};
	evtchn_port_t port = open_unbound(a, 2, pass_to_other_guest, &p);
	struct child c = start_child(play, &ball);
	uint64_t i;

	(void)state;
	assert_int_equal(evg_bind_ipi(evp_evg(b), 0, &p.port), 0);
	assert_int_equal(
		evg_bind_handler(evp_evg(b), p.port, 0, see, (void *)&s), 0);
	say(c.to, port);
	(void)hear(c.from);
	for (i = 1; i <= ball.more; i++) {
		say(c.to, 0);
		while (s.count < i)
			CHECK(evp_poll(b) >= 0);
		(void)hear(c.from);
	}
	assert_int_equal(s.count, ball.more);
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	evp_detach(a);
	evp_detach(b);
}

/* --- system calls ------------------------------------------------------------------------ */

static int wake_pipe[2];

static void write_to_pipe(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	char byte = 1;

	see(v, port, ctx);
	CHECK(write(wake_pipe[1], &byte, 1) == 1);
}

static void blocking_read_goes_on_after_an_upcall(void **state)
{
	struct ball b = {.more = 100};
	struct evp_guest *g = attach_async(1);
	struct seen s = {.count = 0};
	evtchn_port_t port = open_unbound(g, 2, write_to_pipe, (void *)&s);
	struct child c = start_child(play, &b);
	uint64_t i;
	char byte;

	(void)state;
	assert_int_equal(pipe2(wake_pipe, O_CLOEXEC), 0);
	say(c.to, port);
	(void)hear(c.from);
	for (i = 1; i <= b.more; i++) {
		say(c.to, 0);
		assert_int_equal(read(wake_pipe[0], &byte, 1), 1);
		assert_int_equal(s.count, i);
		(void)hear(c.from);
	}
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	(void)close(wake_pipe[0]);
	(void)close(wake_pipe[1]);
	evp_detach(g);
}

static void nothing(int signal)
{
	(void)signal;
}

/* Signals the parent until it says that it has noticed. */
static void pester(int from, int to, void *arg)
{
	const int *signal = arg;
	pid_t parent = getppid();

	(void)to;
	(void)fcntl(from, F_SETFL, O_NONBLOCK);
	for (;;) {
		uint64_t what;

		if (read(from, &what, sizeof(what)) == sizeof(what))
			return;
		CHECK(kill(parent, *signal) == 0);
		(void)usleep(1000);
	}
}

static void wait_ends_by_other_signals_not_by_upcalls(void **state)
{
	struct ball b = {.rounds = 1000};
	struct evp_guest *g = attach_async(1);
	struct seen s = {.answer_on = g};
	evtchn_port_t port = open_unbound(g, 2, see, (void *)&s);
	struct child c = start_child(play, &b);
	struct sigaction sa = {.sa_handler = nothing};
	int upcall = SIGNAL, other = SIGUSR2;

	(void)state;
	say(c.to, port);
	(void)hear(c.from);
	while (s.count < b.rounds)
		assert_true(evp_wait(g, EVP_FOREVER) > 0);
	(void)evp_poll(g);
	assert_int_equal(evp_wait(g, 1000000), 0);
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);

	/* Asleep, it is rung instead; but one may come late. */
	c = start_child(pester, &upcall);
	assert_int_equal(evp_wait(g, 100000000), 0);
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);

	assert_int_equal(sigaction(SIGUSR2, &sa, NULL), 0);
	c = start_child(pester, &other);
	assert_int_equal(evp_wait(g, EVP_FOREVER), -EINTR);
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	(void)signal(SIGUSR2, SIG_DFL);
	evp_detach(g);
}

/* --- a loop of the program's own -------------------------------------------------------- */

static void own_loop_with_evp_fd_as_without_signals(void **state)
{
	struct ball b = {.rounds = 500};
	struct evp_guest *g = attach_async(1);
	struct seen s = {.answer_on = g};
	struct pollfd p = {.fd = evp_fd(g), .events = POLLIN};
	evtchn_port_t port = open_unbound(g, 2, see, (void *)&s);
	struct child c = start_child(play, &b);
	unsigned long saved = evg_plat_upcalls_save(evp_evg(g));

	(void)state;
	say(c.to, port);
	(void)hear(c.from);
	/* Masked, events only count; the descriptor tells of them. */
	while (s.count < b.rounds) {
		if (!evp_arm(g))
			while (poll(&p, 1, -1) != 1)
				assert_int_equal(errno, EINTR);
		assert_true(evp_poll(g) >= 0);
		evg_plat_upcalls_restore(evp_evg(g), 0);
		saved = evg_plat_upcalls_save(evp_evg(g));
	}
	evg_plat_upcalls_restore(evp_evg(g), saved);
	assert_int_equal(s.count, b.rounds);
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	evp_detach(g);
}

/* --- coming and going ------------------------------------------------------------------ */

static int own_fds(void)
{
	int n = 0;
	DIR *d = opendir("/proc/self/fd");

	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

static void options_refused_with_a_reason(void **state)
{
	static const int bad[] = {-1, SIGSEGV, SIGKILL, 34, 1000};
	struct evp_options o = {.domain = 1};
	struct evp_guest *g;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		o.upcall_signal = bad[i];
		assert_int_equal(evp_attach(&g, &o), -EINVAL);
		assert_non_null(strstr(evp_error(), "upcall_signal"));
	}
	(void)signal(SIGURG, nothing);
	o.upcall_signal = SIGURG;
	assert_int_equal(evp_attach(&g, &o), -EBUSY);
	assert_non_null(strstr(evp_error(), "handles signal"));
	(void)signal(SIGURG, SIG_DFL);
	assert_int_equal(evp_attach(&g, &o), 0);
	/* Ours already: fine. */
	evp_detach(g);
	assert_int_equal(evp_attach(&g, &o), 0);
	evp_detach(g);
}

static void attaching_and_leaving_leaks_nothing(void **state)
{
	int i, before;

	(void)state;
	evp_detach(attach_async(1));
	before = own_fds();
	for (i = 0; i < 100; i++)
		evp_detach(attach_async(1));
	assert_int_equal(own_fds(), before);
	/* A signal that comes afterwards is nobody's, and harmless. */
	assert_int_equal(raise(SIGNAL), 0);
}

static void forked_child_abandons_parent_goes_on(void **state)
{
	struct ball b = {.rounds = 100};
	struct evp_guest *g = attach_async(1);
	struct seen s = {.answer_on = g};
	evtchn_port_t port = open_unbound(g, 2, see, (void *)&s);
	pid_t pid = fork();
	struct child c;
	int status;

	(void)state;
	if (pid == 0) {
		evp_abandon(g);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	c = start_child(play, &b);
	say(c.to, port);
	(void)hear(c.from);
	compute_until(&s, b.rounds);
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	evp_detach(g);
}

static void *call_from_elsewhere(void *arg)
{
	struct evp_guest *g = arg;
	evtchn_port_t port = 0;

	CHECK(evp_poll(g) == -EPERM);
	CHECK(evp_wait(g, EVP_FOREVER) == -EPERM);
	CHECK(evg_alloc_unbound(evp_evg(g), DOMID_SELF, 2, &port) ==
	      -XEN_EPERM);
	CHECK(evp_vcpu_enter(g, 0) == -EBUSY);
	CHECK(evp_vcpu_enter(g, 1) == -EINVAL);
	return NULL;
}

/* The vCPU moves to another thread, which is then the one interrupted. */
static void *compute_elsewhere(void *arg)
{
	struct seen *s = arg;

	CHECK(evp_vcpu_enter(s->answer_on, 0) == 0);
	compute_until(s, 100);
	evp_vcpu_leave(s->answer_on);
	return NULL;
}

static void other_thread_refused_until_it_is_the_vcpu(void **state)
{
	struct ball b = {.rounds = 200};
	struct evp_guest *g = attach_async(1);
	struct seen s = {.answer_on = g};
	evtchn_port_t port = open_unbound(g, 2, see, (void *)&s);
	struct child c = start_child(play, &b);
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, call_from_elsewhere, g), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	evp_vcpu_leave(g);
	say(c.to, port);
	(void)hear(c.from);
	assert_int_equal(
		pthread_create(&t, NULL, compute_elsewhere, (void *)&s), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_true(s.count >= 100);
	assert_int_equal(evp_vcpu_enter(g, 0), 0);
	compute_until(&s, b.rounds);
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	evp_detach(g);
}

static void broker_killed_channels_work_on_then_nothing_can_come(void **state)
{
	struct ball b = {.rounds = 100};
	struct evp_guest *g = attach_async(1);
	struct seen s = {.answer_on = g};
	evtchn_port_t port = open_unbound(g, 2, see, (void *)&s);
	struct child c = start_child(play, &b);
	struct evp_guest *alone = attach_async(3);

	(void)state;
	say(c.to, port);
	(void)hear(c.from);
	compute_until(&s, 10);
	kill_broker();
	compute_until(&s, b.rounds);
	assert_int_equal(evp_wait(alone, EVP_FOREVER), -ECONNRESET);
	assert_false(evp_broker_is_there(alone));
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	evp_detach(alone);
	evp_detach(g);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(computing_vcpu_takes_every_event),
		TEST(masked_vcpu_takes_none_unmasked_all),
		TEST(mask_written_by_hand_any_call_delivers),
		TEST(random_masks_nothing_lost_handler_never_reentered),
		TEST(upcall_in_an_upcall_waits_for_its_end),
		TEST(chain_of_own_events_goes_on_without_a_call),
		TEST(peers_come_and_go_while_it_computes),
		TEST(handler_of_one_guest_uses_another_of_the_thread),
		TEST(blocking_read_goes_on_after_an_upcall),
		TEST(wait_ends_by_other_signals_not_by_upcalls),
		TEST(own_loop_with_evp_fd_as_without_signals),
		TEST(options_refused_with_a_reason),
		TEST(attaching_and_leaving_leaks_nothing),
		TEST(forked_child_abandons_parent_goes_on),
		TEST(other_thread_refused_until_it_is_the_vcpu),
		TEST(broker_killed_channels_work_on_then_nothing_can_come),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("async", tests, NULL, NULL);
}
