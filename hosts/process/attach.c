/* SPDX-License-Identifier: MIT */
/*
 * Becoming a domain, and leaving.
 *
 * Attaching yields two descriptors from the broker: the page of its lane, and
 * the bell of that.  What bells ring is an epoll instance of our own.  The control
 * socket is added to it with 0 as its data; no lane has that number.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"
#include "session.h"

#define SPIN_NS 50000

_Static_assert(EVP_MAX_VCPUS == EVP_VCPUS_MAX, "what the broker takes");
_Static_assert(EVP_MAX_VCPUS == XEN_LEGACY_MAX_VCPUS, "all have a vcpu_info");

/* --- entry ------------------------------------------------------------------ */

/* Where a guest is entered unless it registers another place. */
static void enter(void)
{
	(void)evg_upcall(evp_in_upcall()->evg);
}

/* --- options ---------------------------------------------------------------- */

static int default_spin(int64_t *ns)
{
	cpu_set_t cpus;
	long us = SPIN_NS / 1000;
	int rc;

	/* Spinning on the only CPU keeps the sender off it. */
	if (!sched_getaffinity(0, sizeof(cpus), &cpus) && CPU_COUNT(&cpus) < 2)
		us = 0;
	rc = evp_env_number("EVTCHN_SPIN_US", 1000000, &us);
	*ns = us * INT64_C(1000);
	return rc;
}

int evp_guest_spin(struct evp_guest *g, const struct evp_options *o)
{
	if (o->spin_ns == EVP_SPIN_DEFAULT)
		return default_spin(&g->spin_ns);
	g->spin_ns = o->spin_ns;
	return o->spin_ns >= 0 ? 0 : evp_fail(-EINVAL, "bad spin_ns");
}

/* --- attaching -------------------------------------------------------------- */

static int ask_attach(int fd, uint32_t domid, const char *name,
		      uint32_t nr_vcpus, struct evp_packet *p)
{
	struct evp_attach_req m = {.domid = (uint16_t)domid,
				   .nr_vcpus = nr_vcpus};
	int rc;

	evp_hdr_init(&m.hdr, EVP_ATTACH, sizeof(m), 2);
	evp_copy_name(m.name, name);
	rc = evp_ask(fd, &m, sizeof(m), p, EVP_ATTACHED,
		     sizeof(struct evp_attached));
	if (!rc && p->nr_fds != 2)
		rc = evp_fail(-EMFILE, "no descriptors came from the broker");
	return rc;
}

/* --- putting it together ---------------------------------------------------- */

static int take_lane(struct evp_guest *g, struct evp_packet *p, uint64_t id)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 0};
	struct evp_lane *l = evp_lane_new();
	struct evp_port_lane *page;
	int rc;

	if (!l)
		return -ENOMEM;
	l->in_id = id;
	/* Any slot may be used: the broker is trusted. */
	l->words = UINT64_MAX;
	memset(l->known, 0xff, sizeof(l->known));
	l->by_port = true;
	rc = evp_port_lane_map(p->fd[0], &page);
	if (!rc) {
		l->in = &page->lane;
		rc = evp_lane_add(g, l);
	}
	if (rc) {
		evp_lane_free(l);
		return rc;
	}
	g->broker = l;
	l->bell = p->fd[1];
	p->nr_fds = 1; /* the page is mapped */
	g->epoll = evp_above_streams(epoll_create1(EPOLL_CLOEXEC));
	if (g->epoll < 0)
		return -errno;
	rc = evp_lane_open(g, l);
	if (rc)
		return rc;
	if (epoll_ctl(g->epoll, EPOLL_CTL_ADD, g->control, &ev))
		return -errno;
	return 0;
}

static int lend_vcpus(struct evp_guest *g)
{
	uint32_t i;

	g->vcpu = calloc(g->nr_vcpus, sizeof(*g->vcpu));
	g->evg_vcpu = calloc(g->nr_vcpus, sizeof(*g->evg_vcpu));
	if (!g->vcpu || !g->evg_vcpu)
		return -ENOMEM;
	for (i = 0; i < g->nr_vcpus; i++) {
		struct evp_vcpu *v = &g->vcpu[i];

		v->guest = g;
		v->evg = &g->evg_vcpu[i];
		v->bell = -1;
		evp_timers_init(v);
		evb_ptr_store(&v->info, &g->shared->vcpu_info[i]);
	}
	return 0;
}

static int lend_memory(struct evp_guest *g)
{
	void *page = mmap(NULL, EVP_PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -ENOMEM;
	g->shared = page;
	evc_words_init(&g->words, page, EVC_WIDTH_64);
	g->nr_2l = g->words.nr_ports;
	g->counts = evp_counts_new(&g->counts_fd);
	g->evg_irq = calloc(EVP_NR_IRQS, sizeof(*g->evg_irq));
	if (!g->counts || !g->evg_irq)
		return -ENOMEM;
	return lend_vcpus(g);
}

static int init_guest(struct evp_guest *g)
{
	struct evg_config c = {.shared_info = g->shared,
			       .layout = EVG_LAYOUT_X86_64,
			       .vcpu = g->evg_vcpu,
			       .nr_vcpus = g->nr_vcpus,
			       .irq = g->evg_irq,
			       .nr_irqs = EVP_NR_IRQS,
			       .budget = EVTCHN_2L_NR_CHANNELS_64,
			       .host = g};
	int rc = evp_lend(g, &c);

	if (!rc)
		rc = evg_init(&g->evg, &c);

	/* In place, before anybody but this thread comes in. */
	g->callback = enter;
	return rc;
}

/* PLACE follows; without it nobody would know where to go one day. */
static int hear_place(struct evp_guest *g)
{
	struct evp_packet p;
	int rc = evp_recv_packet(g->control, &p, 0);

	if (rc)
		return rc;
	evp_on_news(g, &p);
	return 0;
}

/* A broker that is gone again is somebody else's discovery. */
void evp_lend_counts(struct evp_guest *g)
{
	struct evp_counts_msg m;

	if (g->counts_fd < 0)
		return;
	evp_hdr_init(&m.hdr, EVP_COUNTS, sizeof(m), 0);
	(void)evp_send_packet(g->control, &m, sizeof(m), &g->counts_fd, 1, 0);
}

int evp_guest_settle(struct evp_guest *g, struct evp_packet *p, uint32_t domid,
		     uint64_t lane)
{
	int rc = lend_memory(g);

	if (!rc)
		rc = take_lane(g, p, lane);
	if (!rc)
		rc = init_guest(g);
	if (!rc)
		rc = hear_place(g);
	g->domid = (domid_t)domid;
	if (!rc)
		evp_lend_counts(g);
	return rc ? evp_fail(rc, "cannot set up the guest")
		  : evp_trace_open(g, domid);
}

/* --- several threads -------------------------------------------------------- */

static int find_guard(struct evp_guest *g, const struct evp_options *o)
{
	int rc = o->upcall_signal ? evp_signal_prepare(o->upcall_signal) : 0;

	g->nr_vcpus = o->nr_vcpus ? o->nr_vcpus : 1;
	g->signal = o->upcall_signal;
	g->guarded = g->signal || g->nr_vcpus > 1;
	if (g->nr_vcpus > EVP_MAX_VCPUS)
		rc = evp_fail(-EINVAL, "nr_vcpus is %u: choose 1 to %u",
			      g->nr_vcpus, EVP_MAX_VCPUS);
	return rc;
}

/* The calling thread is vCPU 0, and somebody listens for those that do not. */
static int start_guard(struct evp_guest *g)
{
	int rc = g->guarded ? evp_listener_start(g) : 0;

	if (rc)
		return evp_fail(rc, "cannot start the listener");
	return g->guarded ? evp_vcpu_enter(g, 0) : 0;
}

static int attach(struct evp_guest *g, const struct evp_options *o,
		  uint32_t domid)
{
	const char *name = o->name ? o->name : program_invocation_short_name;
	struct evp_packet p = {.nr_fds = 0};
	const struct evp_attached *m = (const void *)p.u.bytes;
	int rc = evp_connect(o->socket, &g->control);

	if (rc)
		return rc;
	rc = ask_attach(g->control, domid, name, g->nr_vcpus, &p);
	if (!rc)
		rc = evp_guest_settle(g, &p, m->domid, m->lane);
	evp_packet_close_fds(&p);
	return rc ? rc : start_guard(g);
}

struct evp_guest *evp_guest_new(void)
{
	struct evp_guest *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->chan = evp_new_pages(EVP_NR_PORTS * sizeof(*g->chan));
	if (!g->chan) {
		free(g);
		return NULL;
	}
	g->reopen_at = EVP_NO_DEADLINE;
	g->control = g->epoll = g->nudge = g->timer = g->timerfd = -1;
	g->counts_fd = -1;
	g->nr_vcpus = 1;
	return g;
}

int evp_attach(struct evp_guest **out, const struct evp_options *o)
{
	static const struct evp_options defaults = {
		.domain = EVP_DOMAIN_ENV, .spin_ns = EVP_SPIN_DEFAULT};
	struct evp_guest *g = evp_guest_new();
	uint32_t domid;
	int rc;

	if (!g)
		return evp_fail(-ENOMEM, "no memory");
	if (!o)
		o = &defaults;
	rc = evp_find_domain(o, &domid);
	if (!rc)
		rc = evp_guest_spin(g, o);
	if (!rc)
		rc = find_guard(g, o);
	if (!rc)
		rc = attach(g, o, domid);
	if (rc) {
		evp_detach(g);
		return rc;
	}
	evp_adopt_current(g);
	*out = g;
	return 0;
}

static void close_bells(struct evp_guest *g)
{
	uint32_t i;

	for (i = 0; g->vcpu && i < g->nr_vcpus; i++) {
		if (g->vcpu[i].bell >= 0)
			(void)close(g->vcpu[i].bell);
	}
	if (g->nudge >= 0)
		(void)close(g->nudge);
	if (g->timerfd >= 0)
		(void)close(g->timerfd);
}

void evp_abandon(struct evp_guest *g)
{
	if (!g)
		return;
	evp_vcpus_forget(g);
	evp_forget_current(g);
	if (g->control >= 0)
		(void)close(g->control);
	if (g->epoll >= 0)
		(void)close(g->epoll);
	if (g->timer >= 0)
		(void)close(g->timer);
	close_bells(g);
	if (g->counts_fd >= 0)
		(void)close(g->counts_fd);
	evp_counts_free(g->counts);
	evp_trace_close(g);
	evp_lanes_free(g);
	evp_fifo_free(g);
	evp_lent_free(g);
	if (g->shared)
		(void)munmap(g->shared, EVP_PAGE_SIZE);
	free(g->vcpu);
	free(g->evg_vcpu);
	free(g->evg_irq);
	(void)munmap(g->chan, EVP_NR_PORTS * sizeof(*g->chan));
	free(g);
}

/* Closing the socket says it all; the broker does the rest. */
void evp_detach(struct evp_guest *g)
{
	if (g)
		evp_listener_stop(g);
	if (g)
		evp_leave_all(g);
	evp_abandon(g);
}

/* --- looking in ------------------------------------------------------------- */

struct evg_guest *evp_evg(struct evp_guest *g)
{
	return &g->evg;
}

domid_t evp_domid(const struct evp_guest *g)
{
	return g->domid;
}

struct shared_info *evp_shared_info(struct evp_guest *g)
{
	return g->shared;
}

bool evp_broker_is_there(const struct evp_guest *const_g)
{
	struct evp_guest *g = (struct evp_guest *)(uintptr_t)const_g;
	bool there;

	evp_begin(); /* in a plain guest there is nothing to keep off */
	evp_guest_lock(g);
	there = g->control >= 0 && !g->joining;
	evp_guest_unlock(g);
	evp_end();
	return there;
}

/* --- counts ----------------------------------------------------------------- */

static void add(struct evp_stats *s, const struct evp_port_counts *n)
{
	/* Relaxed: our own, or torn by nobody. */
	uint64_t rang = evb_u64_load_relaxed(&n->sent[EVP_RANG]);

	s->sent_lane += evb_u64_load_relaxed(&n->sent[EVP_SET]) + rang;
	s->sent_merged += evb_u64_load_relaxed(&n->sent[EVP_MERGED]);
	s->rings += rang;
	s->events += evb_u64_load_relaxed(&n->events);
}

void evp_get_stats(const struct evp_guest *g, struct evp_stats *s)
{
	const struct evp_counts *c = g->counts;
	uint32_t port;

	/* Relaxed: as above */
	*s = (struct evp_stats){
		.sent_local = evb_u64_load_relaxed(&c->sent_local),
		.sent_broker = evb_u64_load_relaxed(&c->sent_broker),
		.discarded = evb_u64_load_relaxed(&c->discarded),
		.timer = evb_u64_load_relaxed(&c->timer),
		.storms = evb_u64_load_relaxed(&c->storms),
		.upcalls = evb_u64_load_relaxed(&c->upcalls),
		.sleeps = evb_u64_load_relaxed(&c->sleeps),
		.hypercalls = evb_u64_load_relaxed(&c->hypercalls),
	};
	add(s, &c->closed);
	for (port = 0; port < evp_end_port(g); port++)
		add(s, &c->port[port]);
	s->sent_lane -= s->sent_local + s->sent_broker;
}
