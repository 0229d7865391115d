/* SPDX-License-Identifier: MIT */
/*
 * Becoming a domain, and leaving.
 *
 * Attaching yields two descriptors from the broker: the epoll instance that
 * peers' bells ring, and the page of the broker's lane.  The control socket is
 * added to the instance with 0 as its data; no lane has that number.
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

/* --- entry ------------------------------------------------------------------ */

/* Where a guest is entered unless it registers another place. */
static void enter(void)
{
	(void)evg_upcall(&evp_current()->vcpu);
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

static int find_spin(const struct evp_options *o, int64_t *ns)
{
	if (o->spin_ns == EVP_SPIN_DEFAULT)
		return default_spin(ns);
	*ns = o->spin_ns;
	return o->spin_ns >= 0 ? 0 : evp_fail(-EINVAL, "bad spin_ns");
}

/* --- attaching -------------------------------------------------------------- */

static int ask_attach(int fd, uint32_t domid, const char *name,
		      struct evp_packet *p)
{
	struct evp_attach_req m = {.domid = (uint16_t)domid, .nr_vcpus = 1};
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

static int take_lane(struct evp_guest *g, struct evp_packet *p)
{
	const struct evp_attached *m = (const void *)p->u.bytes;
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 0};
	struct evp_lane *l = calloc(1, sizeof(*l));
	int rc;

	if (!l)
		return -ENOMEM;
	l->bell = -1;
	l->in_id = m->lane;
	rc = evp_lane_map(p->fd[1], &l->in);
	if (!rc)
		rc = evp_lane_add(g, l);
	if (rc) {
		evp_lane_free(l);
		return rc;
	}
	g->broker = l;
	g->domid = (domid_t)m->domid;
	g->epoll = p->fd[0];
	p->fd[0] = p->fd[1];
	p->nr_fds = 1; /* the page is mapped */
	if (epoll_ctl(g->epoll, EPOLL_CTL_ADD, g->control, &ev))
		return -errno;
	return 0;
}

static int lend_memory(struct evp_guest *g)
{
	void *page = mmap(NULL, EVP_PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -ENOMEM;
	g->shared = page;
	g->info = page;
	evc_words_init(&g->words, page, EVC_WIDTH_64);
	g->evg_port = calloc(EVP_NR_PORTS, sizeof(*g->evg_port));
	g->evg_irq = calloc(EVP_NR_IRQS, sizeof(*g->evg_irq));
	return g->evg_port && g->evg_irq ? 0 : -ENOMEM;
}

static int init_guest(struct evp_guest *g)
{
	struct evg_config c = {.shared_info = g->shared,
			       .layout = EVG_LAYOUT_X86_64,
			       .port = g->evg_port,
			       .nr_ports = EVP_NR_PORTS,
			       .vcpu = &g->vcpu,
			       .nr_vcpus = 1,
			       .irq = g->evg_irq,
			       .nr_irqs = EVP_NR_IRQS,
			       .host = g};
	int rc = evg_init(&g->evg, &c);

	if (!rc)
		rc = evg_set_callbacks(&g->evg, (uintptr_t)enter, 0);
	return rc;
}

static int attach(struct evp_guest *g, const struct evp_options *o,
		  uint32_t domid)
{
	const char *name = o->name ? o->name : program_invocation_short_name;
	struct evp_packet p = {.nr_fds = 0};
	int rc = lend_memory(g);

	if (!rc)
		rc = evp_connect(o->socket, &g->control);
	if (rc)
		return rc;
	rc = ask_attach(g->control, domid, name, &p);
	if (!rc) {
		rc = take_lane(g, &p);
		if (rc)
			(void)evp_fail(rc, "cannot set up the guest");
	}
	evp_packet_close_fds(&p);
	return rc ? rc : init_guest(g);
}

int evp_attach(struct evp_guest **out, const struct evp_options *o)
{
	static const struct evp_options defaults = {
		.domain = EVP_DOMAIN_ENV, .spin_ns = EVP_SPIN_DEFAULT};
	struct evp_guest *g = calloc(1, sizeof(*g));
	uint32_t domid;
	int rc;

	if (!g)
		return evp_fail(-ENOMEM, "no memory");
	g->control = g->epoll = -1;
	if (!o)
		o = &defaults;
	rc = evp_find_domain(o, &domid);
	if (!rc)
		rc = find_spin(o, &g->spin_ns);
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

void evp_abandon(struct evp_guest *g)
{
	uint32_t i;

	if (!g)
		return;
	evp_forget_current(g);
	if (g->control >= 0)
		(void)close(g->control);
	if (g->epoll >= 0)
		(void)close(g->epoll);
	for (i = 0; i < g->nr_lanes; i++)
		evp_lane_free(g->lane[i]);
	if (g->shared)
		(void)munmap(g->shared, EVP_PAGE_SIZE);
	free(g->lane);
	free(g->evg_port);
	free(g->evg_irq);
	free(g);
}

/* Closing the socket says it all; the broker does the rest. */
void evp_detach(struct evp_guest *g)
{
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

bool evp_broker_is_there(const struct evp_guest *g)
{
	return g->control >= 0;
}

void evp_get_stats(const struct evp_guest *g, struct evp_stats *s)
{
	*s = g->stats;
}
