/* SPDX-License-Identifier: MIT */
/*
 * Several attachments in one domain: one port space, every port somebody's own.
 *
 * Most tests play all parts in one process, which makes them exact: nobody runs
 * but the broker while the test does not ask somebody to.
 */
#include <sys/resource.h>

#include "harness.h"

#define MAX_ATTACHMENTS 1024 /* of one domain */

/* --- helpers -------------------------------------------------------------------- */

static int op(struct evp_guest *g, unsigned int cmd, void *arg)
{
	return evg_plat_hypercall(evp_evg(g), __HYPERVISOR_event_channel_op,
				  cmd, arg);
}

static struct evp_domain_entry domain_entry(uint32_t domid)
{
	struct evp_domain_entry e;
	int fd = raw_greeted();

	e = ask_domain(fd, domid);
	(void)close(fd);
	return e;
}

/*
 * The broker has taken away whoever has left after at most 16 messages of one
 * peer.
 */
static void let_leave(int keep)
{
	int i;

	for (i = 0; i < 20; i++)
		(void)ask_domain(keep, 1);
}

/* --- one port space --------------------------------------------------------------- */

static void ports_lowest_free_of_the_domain_whoever_opens_them(void **state)
{
	struct evp_guest *a = attach(1), *b = attach(1);
	evtchn_port_t port;

	(void)state;
	assert_int_equal(alloc(a, DOMID_SELF, 2), 1);
	assert_int_equal(alloc(b, DOMID_SELF, 2), 2);
	assert_int_equal(evg_bind_ipi(evp_evg(a), 0, &port), 0);
	assert_int_equal(port, 3);
	assert_int_equal(alloc(b, 1, 2), 4);
	assert_int_equal(evg_close(evp_evg(b), 2), 0);
	assert_int_equal(alloc(a, DOMID_SELF, 2), 2);
	/* It is a's now, as much as it was b's. */
	assert_int_equal(evg_close(evp_evg(b), 2), -XEN_ENOTCONN);
	assert_int_equal(evg_close(evp_evg(a), 2), 0);
	evp_detach(a);
	evp_detach(b);
}

static void events_arrive_at_the_owner_and_nowhere_else(void **state)
{
	struct evp_guest *a = attach(1), *b = attach(1), *peer = attach(2);
	uint64_t of_a = 0, of_b = 0, ignored = 0;
	evtchn_port_t pa = open_unbound(a, 2, count_event, &of_a);
	evtchn_port_t pb = open_unbound(b, 2, count_event, &of_b);
	evtchn_port_t ra = open_bound(peer, 1, pa, count_event, &ignored);
	evtchn_port_t rb = open_bound(peer, 1, pb, count_event, &ignored);

	(void)state;
	wait_count(peer, &ignored, 2);
	(void)evp_poll(a);
	(void)evp_poll(b);
	assert_true(goes_direct(peer, ra));
	assert_int_equal(evp_poll(b), 0);
	assert_int_equal(evp_poll(a), 1);
	assert_true(goes_direct(peer, rb));
	assert_int_equal(evp_poll(a), 0);
	assert_int_equal(evp_poll(b), 1);
	assert_int_equal(of_a, 1);
	assert_int_equal(of_b, 1);
	/* And back, each over a lane of its own. */
	ignored = 0;
	assert_true(goes_direct(a, pa));
	wait_count(peer, &ignored, 1);
	assert_true(goes_direct(b, pb));
	wait_count(peer, &ignored, 2);
	evp_detach(a);
	evp_detach(b);
	evp_detach(peer);
}

static void virq_goes_to_who_bound_it_a_second_binding_is_refused(void **state)
{
	struct evp_guest *a = attach(0), *b = attach(0);
	uint64_t count = 0;
	evtchn_port_t port, other;

	(void)state;
	assert_int_equal(evg_bind_virq(evp_evg(b), VIRQ_DOM_EXC, 0, &port), 0);
	assert_int_equal(evg_bind_virq(evp_evg(a), VIRQ_DOM_EXC, 0, &other),
			 -XEN_EEXIST);
	assert_int_equal(
		evg_bind_handler(evp_evg(b), port, 0, count_event, &count), 0);
	evp_detach(attach(7));
	wait_count(b, &count, 1);
	assert_int_equal(evp_poll(a), 0);
	evp_detach(a);
	evp_detach(b);
}

/* --- ownership ---------------------------------------------------------------------- */

static void foreign_port_every_operation_refused_owner_unharmed(void **state)
{
	struct evp_guest *a = attach(1), *b = attach(1), *peer = attach(2);
	uint64_t count = 0, ignored = 0;
	evtchn_port_t port = open_unbound(a, 2, count_event, &count);
	evtchn_port_t remote = open_bound(peer, 1, port, count_event, &ignored);
	struct evtchn_bind_vcpu move = {.port = port};
	struct evtchn_set_priority priority = {.port = port};
	struct evtchn_unmask unmask = {.port = port};

	(void)state;
	wait_count(peer, &ignored, 1);
	(void)evp_poll(peer);
	(void)evp_poll(a);
	assert_int_equal(evg_close(evp_evg(b), port), -XEN_ENOTCONN);
	assert_int_equal(evg_notify(evp_evg(b), port), -XEN_ENOTCONN);
	assert_int_equal(op(b, EVTCHNOP_unmask, &unmask), -XEN_ENOTCONN);
	assert_int_equal(op(b, EVTCHNOP_bind_vcpu, &move), -XEN_ENOTCONN);
	assert_int_equal(op(b, EVTCHNOP_set_priority, &priority),
			 -XEN_ENOTCONN);
	assert_int_equal(evg_poll(evp_evg(b), &port, 1, 1), -XEN_ENOTCONN);
	assert_true(evp_broker_is_there(b));
	/* Looking is free. */
	assert_int_equal(status_of(b, port), EVTCHNSTAT_interdomain);
	assert_int_equal(evp_poll(peer), 0);
	assert_true(goes_direct(peer, remote));
	wait_count(a, &count, 1);
	assert_true(goes_direct(a, port));
	wait_count(peer, &ignored, 2);
	evp_detach(a);
	evp_detach(b);
	evp_detach(peer);
}

/* Past the client library: everything it can say to the broker about ports. */
static void hostile_attachment_same_domain_cannot_touch_others(void **state)
{
	static const struct {
		uint32_t cmd, len;
	} ops[] = {{EVTCHNOP_close, 4},
		   {EVTCHNOP_send, 4},
		   {EVTCHNOP_unmask, 4},
		   {EVTCHNOP_bind_vcpu, 8},
		   {EVTCHNOP_set_priority, 8}};
	struct evp_guest *a = attach(1), *peer = attach(2);
	uint64_t count = 0, ignored = 0;
	evtchn_port_t port = open_unbound(a, 2, count_event, &count);
	evtchn_port_t remote = open_bound(peer, 1, port, count_event, &ignored);
	struct evp_link_msg ack = {.link = 0};
	unsigned char arg[8];
	uint32_t p;
	size_t i;
	int rc, fd = raw_attached(1);

	(void)state;
	wait_count(peer, &ignored, 1);
	(void)evp_poll(peer);
	(void)evp_poll(a);
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		for (p = 0; p < 4200; p++) {
			memset(arg, 0, sizeof(arg));
			memcpy(arg, &p, sizeof(p));
			rc = raw_op(fd, ops[i].cmd, arg, ops[i].len);
			if (p == port)
				assert_int_equal(rc, -XEN_ENOTCONN);
		}
	}
	assert_int_equal(evp_poll(peer), 0);
	assert_int_equal(evp_poll(a), 0);
	assert_int_equal(status_of(a, port), EVTCHNSTAT_interdomain);
	/* Nor answer in somebody else's name. */
	for (p = 1; p < 20; p++) {
		ack.link = p;
		evp_hdr_init(&ack.hdr, p % 2 ? EVP_ACK : EVP_CLEAN, sizeof(ack),
			     0);
		CHECK(!evp_send_packet(fd, &ack, sizeof(ack), NULL, 0, 0));
		expect_end(fd);
		fd = raw_attached(1);
	}
	(void)close(fd);
	assert_true(goes_direct(peer, remote));
	wait_count(a, &count, 1);
	assert_true(goes_direct(a, port));
	wait_count(peer, &ignored, 2);
	evp_detach(a);
	evp_detach(peer);
}

/* A port that a control domain made belongs to the longest-attached. */
static void port_made_by_another_domain_is_the_oldest_attachments(void **state)
{
	struct evp_guest *dom0 = attach(0), *a, *b, *peer = attach(2);
	uint32_t domid;
	int session = open_session(5, &domid);
	uint64_t count = 0, ignored = 0;
	evtchn_port_t early = alloc(dom0, 5, 2), late, remote;

	(void)state;
	remote = open_bound(peer, 5, early, count_event, &ignored);
	assert_int_equal(evg_notify(evp_evg(peer), remote), 0);
	a = attach(5);
	b = attach(5);
	late = alloc(dom0, 5, 2);
	assert_int_equal(evg_close(evp_evg(b), early), -XEN_ENOTCONN);
	assert_int_equal(evg_close(evp_evg(b), late), -XEN_ENOTCONN);
	assert_int_equal(
		evg_bind_handler(evp_evg(a), early, 0, count_event, &count), 0);
	wait_count(a, &count, 1); /* sent before anybody was there */
	assert_int_equal(evp_poll(b), 0);
	/* Its ports go with it; a session keeps the domain, not the ports. */
	evp_detach(a);
	await_status(peer, remote, EVTCHNSTAT_unbound);
	await_status(b, late, EVTCHNSTAT_closed);
	assert_int_equal(alloc(dom0, 5, 2), early);
	assert_int_equal(evg_close(evp_evg(b), early), 0);
	evp_detach(b);
	evp_detach(dom0);
	evp_detach(peer);
	(void)close(session);
}

/* --- inside a domain ------------------------------------------------------------------ */

static void loopback_between_two_attachments_both_ways_direct(void **state)
{
	struct evp_guest *a = attach(1), *b = attach(1);
	uint64_t of_a = 0, of_b = 0, i;
	evtchn_port_t pa = open_unbound(a, 1, count_event, &of_a);
	evtchn_port_t pb = open_bound(b, DOMID_SELF, pa, count_event, &of_b);

	(void)state;
	wait_count(b, &of_b, 1);
	(void)evp_poll(a);
	for (i = 1; i <= 1000; i++) {
		assert_true(goes_direct(a, pa));
		wait_count(b, &of_b, 1 + i);
		assert_true(goes_direct(b, pb));
		wait_count(a, &of_a, i);
	}
	assert_int_equal(of_b, 1001);
	assert_int_equal(evg_close(evp_evg(b), pb), 0);
	assert_int_equal(status_of(a, pa), EVTCHNSTAT_unbound);
	evp_detach(a);
	evp_detach(b);
}

static void loopback_between_two_processes_5000_round_trips(void **state)
{
	struct rally rally = {.spin_ns = 0, .rounds = 5000, .domid = 1};
	struct evp_guest *g = attach_spin(1, 0);
	struct child c = start_child(answer, &rally);
	uint64_t i, count = 0;
	evtchn_port_t port = open_unbound(g, 1, count_event, &count);

	(void)state;
	say(c.to, port);
	(void)hear(c.from);
	for (i = 1; i <= rally.rounds; i++) {
		assert_int_equal(evg_notify(evp_evg(g), port), 0);
		wait_count(g, &count, i);
	}
	say(c.to, 0);
	assert_int_equal(end_child(&c), 0);
	assert_int_equal(count, rally.rounds);
	evp_detach(g);
}

/* --- death ------------------------------------------------------------------------------ */

#define NR_MORTAL 100

static void open_ports_and_wait(int from, int to, void *arg)
{
	struct evp_guest *g = attach(1);
	int i;

	(void)arg;
	for (i = 0; i < NR_MORTAL; i++)
		say(to, alloc(g, DOMID_SELF, 2));
	(void)hear(from);
}

static void killed_attachment_its_ports_closed_the_others_go_on(void **state)
{
	struct evp_guest *a = attach(1), *peer = attach(2);
	uint64_t count = 0, ignored = 0;
	evtchn_port_t port = open_unbound(a, 2, count_event, &count);
	evtchn_port_t remote = open_bound(peer, 1, port, count_event, &ignored);
	evtchn_port_t mortal[NR_MORTAL], to_mortal[NR_MORTAL];
	struct child c = start_child(open_ports_and_wait, NULL);
	int i, round;

	(void)state;
	for (i = 0; i < NR_MORTAL; i++) {
		mortal[i] = (evtchn_port_t)hear(c.from);
		assert_int_equal(mortal[i], i + 2);
		assert_int_equal(evg_bind_interdomain(evp_evg(peer), 1,
						      mortal[i], &to_mortal[i]),
				 0);
	}
	assert_int_equal(alloc(a, DOMID_SELF, 2), NR_MORTAL + 2);
	wait_count(peer, &ignored, 1);
	assert_int_equal(kill(c.pid, SIGKILL), 0);
	assert_int_equal(end_child(&c), 128 + SIGKILL);
	for (i = 0; i < NR_MORTAL; i++) {
		await_status(peer, to_mortal[i], EVTCHNSTAT_unbound);
		await_status(a, mortal[i], EVTCHNSTAT_closed);
	}
	assert_int_equal(domain_entry(1).nr_ports, 2);
	assert_int_equal(domain_entry(1).nr_attached, 1);
	/* Two numbers come back to life, the others' channel never died. */
	assert_int_equal(alloc(a, DOMID_SELF, 2), 2);
	count = ignored = 0;
	for (round = 1; round <= 100; round++) {
		assert_true(goes_direct(peer, remote));
		wait_count(a, &count, (uint64_t)round);
		assert_true(goes_direct(a, port));
		wait_count(peer, &ignored, (uint64_t)round);
	}
	evp_detach(a);
	evp_detach(peer);
}

/* Until its ports are closed a dead attachment's are nobody else's. */
static void open_all_ports_and_wait(int from, int to, void *arg)
{
	struct evp_guest *g = attach(1);
	evtchn_port_t port, last = 0;

	(void)arg;
	while (!evg_alloc_unbound(evp_evg(g), DOMID_SELF, 2, &port))
		last = port;
	say(to, last);
	(void)hear(from);
}

static void ports_of_a_dead_attachment_are_not_for_others(void **state)
{
	struct evp_guest *a = attach(1);
	struct child c = start_child(open_all_ports_and_wait, NULL);
	evtchn_port_t last = (evtchn_port_t)hear(c.from);
	int rc;

	(void)state;
	assert_int_equal(last, 4095);
	assert_int_equal(kill(c.pid, SIGKILL), 0);
	do {
		rc = evg_notify(evp_evg(a), last);
	} while (rc == -XEN_ENOTCONN);
	assert_int_equal(rc, -XEN_EINVAL);
	assert_int_equal(end_child(&c), 128 + SIGKILL);
	evp_detach(a);
}

/* Comings and goings beside one who stays leave nothing behind. */
static void
churn_of_300_attachments_leaks_no_port_and_no_descriptor(void **state)
{
	struct evp_guest *a = attach(1), *peer = attach(2), *b;
	uint64_t ignored = 0;
	evtchn_port_t port = open_unbound(a, 2, count_event, &ignored), p;
	int before, i, keep = raw();

	(void)state;
	assert_int_equal(evp_control_hello(keep, NULL), 0);
	(void)open_bound(peer, 1, port, count_event, &ignored);
	let_leave(keep);
	before = nr_fds();
	for (i = 0; i < 300; i++) {
		b = attach(1);
		p = alloc(b, DOMID_SELF, 2);
		assert_int_equal(p, 2);
		assert_int_equal(evg_bind_interdomain(evp_evg(peer), 1, p, &p),
				 0);
		evp_detach(b);
		await_status(peer, p, EVTCHNSTAT_unbound);
		assert_int_equal(evg_close(evp_evg(peer), p), 0);
	}
	let_leave(keep);
	await_nr_fds(before);
	assert_int_equal(ask_domain(keep, 1).nr_attached, 1);
	assert_int_equal(ask_domain(keep, 1).nr_ports, 1);
	(void)close(keep);
	evp_detach(a);
	evp_detach(peer);
}

static void domain_lives_while_an_attachment_or_a_session_holds_it(void **state)
{
	struct evp_guest *dom0 = attach(0), *a = attach(1), *b = attach(1);
	uint32_t domid;
	int session;
	uint64_t ends = 0;
	evtchn_port_t virq;

	(void)state;
	assert_int_equal(evg_bind_virq(evp_evg(dom0), VIRQ_DOM_EXC, 0, &virq),
			 0);
	assert_int_equal(
		evg_bind_handler(evp_evg(dom0), virq, 0, count_event, &ends),
		0);
	evp_detach(a);
	session = open_session(1, &domid);
	evp_detach(b);
	while (domain_entry(1).nr_attached)
		;
	assert_int_equal(alloc(dom0, 1, 0), 1);
	(void)evp_poll(dom0);
	assert_int_equal(ends, 0);
	(void)close(session);
	wait_count(dom0, &ends, 1);
	evp_detach(dom0);
}

/* --- many ----------------------------------------------------------------------------------- */

#define NR_MANY 200

static void attachments_200_in_one_domain_all_channels_signalled(void **state)
{
	static struct evp_guest *g[NR_MANY];
	static evtchn_port_t port[NR_MANY], remote[NR_MANY];
	static uint64_t count[NR_MANY], back[NR_MANY];
	struct evp_guest *hub = attach_spin(2, 0);
	unsigned int i, k, round;

	(void)state;
	for (i = 0; i < NR_MANY; i++) {
		g[i] = attach_spin(1, 0);
		port[i] = open_unbound(g[i], 2, count_event, &count[i]);
		assert_int_equal(port[i], i + 1);
		remote[i] = open_bound(hub, 1, port[i], count_event, &back[i]);
	}
	assert_int_equal(domain_entry(1).nr_attached, NR_MANY);
	assert_int_equal(domain_entry(1).nr_ports, NR_MANY);
	for (i = 0; i < NR_MANY; i++) {
		wait_count(hub, &back[i], 1);
		(void)evp_poll(g[i]);
	}
	for (round = 1; round <= 5; round++) {
		for (i = 0; i < NR_MANY; i++) {
			k = (i * 37 + round) % NR_MANY;
			assert_true(goes_direct(hub, remote[k]));
			assert_true(goes_direct(g[k], port[k]));
		}
		for (i = 0; i < NR_MANY; i++) {
			wait_count(g[i], &count[i], round);
			wait_count(hub, &back[i], 1 + round);
		}
	}
	for (i = 0; i < NR_MANY; i++) {
		assert_int_equal(count[i], 5);
		assert_int_equal(back[i], 6);
		evp_detach(g[i]);
	}
	for (i = 0; i < NR_MANY; i++)
		await_status(hub, remote[i], EVTCHNSTAT_unbound);
	evp_detach(hub);
}

static void attachment_1025_of_a_domain_refused_others_served(void **state)
{
	static int fd[MAX_ATTACHMENTS];
	struct evp_options o = {.domain = 1, .spin_ns = EVP_SPIN_DEFAULT};
	struct evp_guest *g, *other;
	struct rlimit r;
	int i;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
	r.rlim_cur = r.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &r), 0);
	if (r.rlim_max < 6 * MAX_ATTACHMENTS)
		skip();
	for (i = 0; i < MAX_ATTACHMENTS; i++)
		fd[i] = raw_attached(1);
	assert_int_equal(evp_attach(&g, &o), -EBUSY);
	assert_non_null(strstr(evp_error(), "1024"));
	other = attach(2);
	assert_int_equal(alloc(other, DOMID_SELF, 1), 1);
	(void)close(fd[0]);
	while (evp_attach(&g, &o) == -EBUSY)
		;
	assert_int_equal(evp_domid(g), 1);
	for (i = 1; i < MAX_ATTACHMENTS; i++)
		(void)close(fd[i]);
	evp_detach(g);
	evp_detach(other);
}

/* --- one process --------------------------------------------------------------------------- */

struct who {
	struct evg_guest *seen, *inner;
	struct evp_guest *poll;
};

/* In a handler: whose is it, also after another one's handler has run? */
static void look_around(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct who *w = ctx;

	(void)v;
	(void)port;
	w->seen = evg_plat_this_guest();
	if (!w->poll)
		return;
	CHECK(evp_poll(w->poll) == 1);
	w->inner = evg_plat_this_guest();
}

static void handles_of_a_library_do_not_take_their_users_place(void **state)
{
	struct evp_guest *user = attach(1), *handle = attach(1);
	struct who outer = {.poll = handle}, inner = {.poll = NULL};
	evtchn_port_t pu, ph;

	(void)state;
	assert_ptr_equal(evg_plat_this_guest(), evp_evg(user));
	assert_int_equal(evg_bind_ipi(evp_evg(user), 0, &pu), 0);
	assert_int_equal(evg_bind_ipi(evp_evg(handle), 0, &ph), 0);
	assert_int_equal(
		evg_bind_handler(evp_evg(user), pu, 0, look_around, &outer), 0);
	assert_int_equal(
		evg_bind_handler(evp_evg(handle), ph, 0, look_around, &inner),
		0);
	assert_int_equal(evg_notify(evp_evg(user), pu), 0);
	assert_int_equal(evg_notify(evp_evg(handle), ph), 0);
	assert_int_equal(evp_poll(user), 1);
	assert_ptr_equal(inner.seen, evp_evg(handle));
	assert_ptr_equal(outer.seen, evp_evg(user));
	assert_ptr_equal(outer.inner, evp_evg(user));
	assert_ptr_equal(evg_plat_this_guest(), evp_evg(user));
	evp_detach(handle);
	assert_ptr_equal(evg_plat_this_guest(), evp_evg(user));
	evp_detach(user);
	assert_null(evg_plat_this_guest());
}

/* --- listing --------------------------------------------------------------------------------- */

static void listing_names_the_owner_of_each_port(void **state)
{
	static struct evp_port_entry e[EVP_PORTS_PER_PAGE];
	struct evp_options o = {.domain = 1, .spin_ns = 0, .name = "xenstored"};
	struct evp_guest *dom0 = attach(0), *a, *b;
	uint32_t domid = 0, port = 0, id;
	int session = open_session(9, &id), fd = raw();

	(void)state;
	assert_int_equal(evp_attach(&a, &o), 0);
	o.name = "backend";
	assert_int_equal(evp_attach(&b, &o), 0);
	(void)alloc(a, DOMID_SELF, 2);
	(void)alloc(b, DOMID_SELF, 2);
	(void)alloc(dom0, 9, 2);
	assert_int_equal(evp_control_hello(fd, NULL), 0);
	assert_int_equal(
		evp_control_list(fd, &domid, &port, e, EVP_PORTS_PER_PAGE), 3);
	assert_string_equal(e[0].name, "xenstored");
	assert_string_equal(e[1].name, "backend");
	assert_int_equal(e[0].pid, getpid());
	assert_int_equal(e[1].pid, getpid());
	assert_int_equal(e[2].domid, 9);
	assert_int_equal(e[2].pid, 0);
	assert_string_equal(e[2].name, "");
	(void)close(fd);
	(void)close(session);
	evp_detach(a);
	evp_detach(b);
	evp_detach(dom0);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(ports_lowest_free_of_the_domain_whoever_opens_them),
		TEST(events_arrive_at_the_owner_and_nowhere_else),
		TEST(virq_goes_to_who_bound_it_a_second_binding_is_refused),
		TEST(foreign_port_every_operation_refused_owner_unharmed),
		TEST(hostile_attachment_same_domain_cannot_touch_others),
		TEST(port_made_by_another_domain_is_the_oldest_attachments),
		TEST(loopback_between_two_attachments_both_ways_direct),
		TEST(loopback_between_two_processes_5000_round_trips),
		TEST(killed_attachment_its_ports_closed_the_others_go_on),
		TEST(ports_of_a_dead_attachment_are_not_for_others),
		TEST(churn_of_300_attachments_leaks_no_port_and_no_descriptor),
		TEST(domain_lives_while_an_attachment_or_a_session_holds_it),
		TEST(attachments_200_in_one_domain_all_channels_signalled),
		TEST(attachment_1025_of_a_domain_refused_others_served),
		TEST(handles_of_a_library_do_not_take_their_users_place),
		TEST(listing_names_the_owner_of_each_port),
	};

	(void)argc;
	find_evtchnd(argv[0]);
	return cmocka_run_group_tests_name("attachments", tests, NULL, NULL);
}
