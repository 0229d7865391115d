/* SPDX-License-Identifier: MIT */
/*
 * Domains: made when first wanted, ended when no connection holds them.
 *
 * Ending takes time with many ports, so it is work that loop.c does in steps
 * between the messages of others.  Whoever wants the domid meanwhile does the
 * rest of the work first: nobody is told to come back later.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "broker.h"
#include "grants.h"
#include "kept.h"
#include "state.h"

struct evd_dom *evd_dom_find(const struct evd_broker *b, uint32_t domid)
{
	return domid < DOMID_FIRST_RESERVED ? b->dom[domid] : NULL;
}

struct evd_dom *evd_dom_from(struct evd_broker *b, uint32_t domid)
{
	while (domid < DOMID_FIRST_RESERVED && !b->dom[domid])
		domid++;
	return evd_dom_find(b, domid);
}

/* evc_host.c puts them there. */
static struct evd_port *ports_behind(const struct evc_channel *bucket)
{
	return (struct evd_port *)(uintptr_t)(bucket + EVC_BUCKET_PORTS);
}

struct evd_port *evd_port(struct evd_dom *d, evtchn_port_t port)
{
	const struct evc_channel *bucket;

	if (port >= EVD_NR_PORTS)
		return NULL;
	bucket = d->bucket[port / EVC_BUCKET_PORTS];
	return bucket ? ports_behind(bucket) + port % EVC_BUCKET_PORTS : NULL;
}

/* --- making ----------------------------------------------------------------- */

static void free_dom(struct evd_dom *d)
{
	uint32_t i;

	/* Ports exist from 0 up. */
	for (i = 0; i < EVD_NR_BUCKETS && d->bucket[i]; i++)
		free(d->bucket[i]);
	evd_table_put(d->grants);
	evd_counts_free(d);
	free(d->page);
	(void)munmap(d, sizeof(*d));
}

static int init_core(struct evd_dom *d, uint32_t domid)
{
	struct evc_domain_config c = {
		.machine = &d->broker->machine,
		.domid = (domid_t)domid,
		.width = EVC_WIDTH_64,
		.shared_info = d->page,
		.vcpu = d->vcpu,
		.nr_vcpus = EVP_VCPUS_MAX,
		.bucket = d->bucket,
		.nr_buckets = EVD_NR_BUCKETS,
		.map = d->map,
		.pirq_port = d->pirq_port,
		.nr_pirqs = EVP_NR_LINES,
		.max_port = EVC_NO_LIMIT,
		.privileged = domid == 0,
		.deliver = &evd_deliver,
		.host = d,
	};

	return evc_domain_init(&d->core, &c);
}

static int make(struct evd_broker *b, uint32_t domid, const char *name,
		struct evd_dom **out)
{
	struct evd_dom *d = mmap(NULL, sizeof(*d), PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (d == MAP_FAILED)
		return -ENOMEM;
	d->broker = b;
	/* The core wants a page; delivery goes elsewhere. */
	d->page = aligned_alloc(EVP_PAGE_SIZE, EVP_PAGE_SIZE);
	if (d->page)
		memset(d->page, 0, EVP_PAGE_SIZE);
	if (!d->page || init_core(d, domid)) {
		free_dom(d);
		return -ENOMEM;
	}
	memcpy(d->name, name, sizeof(d->name));
	evd_make_handle(d);
	d->atts_tail = &d->atts;
	d->next = b->doms;
	b->doms = d;
	b->dom[domid] = d;
	b->nr_doms++;
	if (domid == 0)
		evc_machine_set_hwdom(&b->machine, &d->core);
	*out = d;
	return 0;
}

/* Is there room for another domain of @c's user? */
static int check_room(const struct evd_conn *c)
{
	uid_t uid = c->account->uid;
	uint32_t room = EVD_MAX_DOMAINS;

	if (!evd_is_privileged(uid))
		room -= EVD_MAX_DOMAINS / EVD_RESERVE;
	if (c->broker->nr_doms >= room)
		return -ENOSPC;
	return evd_may_have(c->broker, uid, EVD_DOMAINS, 1) ? 0 : -EDQUOT;
}

static int make_for(struct evd_conn *c, uint32_t domid, const char *name,
		    struct evd_dom **d)
{
	int rc = check_room(c);

	if (!rc)
		rc = make(c->broker, domid, name, d);
	if (rc)
		return rc;
	evd_account_add(c->account, *d);
	evd_recall(*d);
	return 0;
}

int evd_dom_get(struct evd_conn *c, uint32_t want, const char *name,
		struct evd_dom **d)
{
	struct evd_broker *b = c->broker;
	struct evd_dom *old;

	if (want == EVP_DOMID_ANY) {
		want = evd_policy_free_domid(c);
		if (want == EVP_DOMID_ANY)
			return -ENOSPC;
	}
	if (want >= DOMID_FIRST_RESERVED)
		return -EINVAL;
	if (!evd_policy_domain(c, want))
		return -EACCES;
	old = evd_dom_find(b, want);
	if (old && old->work != EVD_IDLE) {
		evd_dom_finish(old);
		old = evd_dom_find(b, want);
	}
	if (old) {
		*d = old;
		return 0;
	}
	return make_for(c, want, name, d);
}

/* --- holding and ending ----------------------------------------------------- */

void evd_dom_hold(struct evd_dom *d, struct evd_conn *c)
{
	c->dom = d;
	d->nr_holders++;
	if (!d->pid)
		d->pid = c->pid;
}

void evd_dom_unheld(struct evd_dom *d)
{
	if (!d->nr_holders && !evd_recall_spares(d))
		evd_dom_begin(d, EVD_DESTROY);
}

void evd_dom_release(struct evd_conn *c)
{
	struct evd_dom *d = c->dom;
	const struct evd_conn *other = c->broker->conns;

	if (!d)
		return;
	evd_kept_forget(c);
	c->dom = NULL;
	if (--d->nr_holders == 0) {
		d->pid = 0;
		evd_dom_unheld(d);
		return;
	}
	while (other->dom != d)
		other = other->next;
	d->pid = other->pid;
}

static void take_away(struct evd_dom *d)
{
	struct evd_broker *b = d->broker;
	struct evd_dom **at = &b->doms;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	b->dom[d->core.domid] = NULL;
	b->nr_doms--;
	evd_lines_forget(d);
	evd_account_remove(d);
	evd_state_forget(d);
	free_dom(d);
	evc_virq_raise_global(&b->machine, VIRQ_DOM_EXC);
}

/* --- work that takes long ---------------------------------------------------- */

void evd_dom_begin(struct evd_dom *d, enum evd_work work)
{
	if (d->work == EVD_IDLE) {
		d->next_busy = d->broker->busy;
		d->broker->busy = d;
	}
	if (d->work != EVD_DESTROY)
		d->work = work;
}

static void remove_busy(struct evd_dom *d)
{
	struct evd_dom **at = &d->broker->busy;

	while (*at != d)
		at = &(*at)->next_busy;
	*at = d->next_busy;
}

static bool clear_step(struct evd_dom *d)
{
	if (!d->reset_left)
		return evd_close_orphans(d);
	/* Anything else: somebody went on with it, to the end. */
	d->reset_left = evc_reset(&d->core, DOMID_SELF, true) == -XEN_ERESTART;
	return true;
}

/* True: there is more to do. */
static bool step(struct evd_dom *d)
{
	bool more = false;

	switch (d->work) {
	case EVD_IDLE:
		return false;
	case EVD_CLEAR:
		more = clear_step(d);
		break;
	case EVD_DESTROY:
		more = evc_domain_destroy(&d->core) == -XEN_ERESTART;
		break;
	}
	evd_links_sync(d->broker);
	if (more)
		return true;
	remove_busy(d);
	if (d->work == EVD_DESTROY)
		take_away(d);
	else
		d->work = EVD_IDLE;
	return false;
}

void evd_dom_finish(struct evd_dom *d)
{
	/* A step closes 64 ports; the last one may free @d. */
	while (step(d))
		;
}

bool evd_doms_step(struct evd_broker *b)
{
	struct evd_dom *d, *next;
	bool more = false;

	for (d = b->busy; d; d = next) {
		next = d->next_busy;
		more |= step(d);
	}
	return more;
}
