/* SPDX-License-Identifier: MIT */
/*
 * Interrupt numbers for ports, on top of bind.c: the Linux-like layer.
 *
 * An irq is an entry of the guest's table.  Its port says whether it is taken,
 * its references how often it was bound; the port's entry names it in turn.
 * Both directions change under the guest's lock; that orders the relaxed loads,
 * and who asks without it gets an answer that may be old when it arrives.
 *
 * An entry whose last reference went is not given away before its handler has
 * been unbound: until then @references is 0 and @port is not.
 */
#include <evg/fifo.h>
#include <evg/irq.h>

#include "bind.h"

static unsigned long lock_irqs(struct evg_guest *g)
{
	unsigned long saved = evg_plat_upcalls_save(g);

	evb_lock(&g->lock, evg_plat_relax);
	return saved;
}

static void unlock_irqs(struct evg_guest *g, unsigned long saved)
{
	evb_unlock(&g->lock);
	evg_plat_upcalls_restore(g, saved);
}

static int number_of(const struct evg_guest *g, const struct evg_irq *q)
{
	return g->irq_base + (int)(q - g->irq);
}

/* The entry of a bound irq, or NULL.  Locks: irqs. */
static struct evg_irq *entry_of(struct evg_guest *g, int irq)
{
	if (irq < g->irq_base || (uint32_t)(irq - g->irq_base) >= g->nr_irqs)
		return NULL;
	return &g->irq[irq - g->irq_base];
}

static struct evg_irq *find_locked(struct evg_guest *g, int irq)
{
	struct evg_irq *q = entry_of(g, irq);

	return q && q->references ? q : NULL;
}

static evtchn_port_t port_of(const struct evg_irq *q)
{
	return evb_u32_load_relaxed(&q->port);
}

/* --- ports and irqs -------------------------------------------------------- */

/* All but the port, which others read without the lock.  Locks: irqs. */
static void clear_entry(struct evg_irq *q)
{
	q->references = 0;
	q->depth = 0;
	q->handler = NULL;
	q->dev_id = NULL;
	q->name = NULL;
	q->flags = 0;
	evb_u32_store_relaxed(&q->count, 0);
	evb_u32_store_relaxed(&q->spurious, 0);
}

/* A free entry for @port, or NULL.  Locks: irqs. */
static struct evg_irq *take_locked(struct evg_guest *g, evtchn_port_t port)
{
	uint32_t i;

	for (i = 0; i < g->nr_irqs; i++) {
		if (port_of(&g->irq[i]))
			continue;
		clear_entry(&g->irq[i]);
		evb_u32_store_relaxed(&g->irq[i].port, port);
		evb_u32_store_relaxed(&g->port[port].irq, i + 1);
		return &g->irq[i];
	}
	return NULL;
}

static struct evg_irq *of_port_locked(struct evg_guest *g, evtchn_port_t port)
{
	uint32_t index = evb_u32_load_relaxed(&g->port[port].irq);

	return index ? &g->irq[index - 1] : NULL;
}

int evg_irq_bind_port(evtchn_port_t port)
{
	struct evg_guest *g = evg_plat_this_guest();
	struct evg_irq *q;
	unsigned long saved;
	int irq = -XEN_ENOMEM;

	if (!port || port >= g->nr_ports)
		return -XEN_ENOMEM;

	saved = lock_irqs(g);
	q = of_port_locked(g, port);
	if (!q)
		q = take_locked(g, port);
	if (q) {
		q->references++;
		irq = number_of(g, q);
	}
	unlock_irqs(g, saved);

	return irq;
}

/*
 * Drop a reference.  With the last one: nobody finds the irq or the port any
 * more, then the handler goes, then the entry is free, then the port; its
 * number may be in use again before the hypercall returns.
 */
static void drop(struct evg_guest *g, int irq)
{
	unsigned long saved = lock_irqs(g);
	struct evg_irq *q = find_locked(g, irq);
	evtchn_port_t port = 0;

	if (q && !--q->references) {
		port = port_of(q);
		evb_u32_store_relaxed(&g->port[port].irq, 0);
	}
	unlock_irqs(g, saved);
	if (!port)
		return;

	(void)evg_unbind_handler(g, port);
	evb_u32_store_release(&q->port, 0);
	(void)evg_close(g, port);
}

int evg_irq_of_port(evtchn_port_t port)
{
	struct evg_guest *g = evg_plat_this_guest();
	uint32_t index;

	if (port >= g->nr_ports)
		return -1;
	index = evb_u32_load_relaxed(&g->port[port].irq);
	return index ? g->irq_base + (int)index - 1 : -1;
}

/* On the path of a send, so without the lock. */
evtchn_port_t evg_irq_port(int irq)
{
	struct evg_guest *g = evg_plat_this_guest();
	struct evg_irq *q = entry_of(g, irq);

	return q ? port_of(q) : 0;
}

/* --- handlers -------------------------------------------------------------- */

/* From bind.c evg_deliver().  The handler may unbind its own irq. */
static void handle(struct evg_vcpu *v, evtchn_port_t port, void *ctx)
{
	struct evg_irq *q = ctx;

	(void)evb_u32_add(&q->count, 1);
	if (q->handler(number_of(v->guest, q), q->dev_id) == IRQ_NONE &&
	    port_of(q) == port)
		(void)evb_u32_add(&q->spurious, 1);
}

/* Note who wants the irq.  Locks: irqs. */
static int claim_locked(struct evg_irq *q, evg_irq_handler handler,
			unsigned long flags, const char *name, void *dev_id)
{
	if (!q || !handler)
		return -XEN_EINVAL;
	if (q->handler)
		return -XEN_EBUSY;
	q->handler = handler;
	q->flags = flags;
	q->name = name;
	q->dev_id = dev_id;
	return 0;
}

int evg_irq_request(int irq, evg_irq_handler handler, unsigned long flags,
		    const char *name, void *dev_id)
{
	struct evg_guest *g = evg_plat_this_guest();
	unsigned long saved = lock_irqs(g);
	struct evg_irq *q = find_locked(g, irq);
	int rc = claim_locked(q, handler, flags, name, dev_id);

	if (!rc) {
		rc = evg_bind_handler(g, port_of(q), EVG_VCPU_KEEP, handle, q);
		if (rc)
			q->handler = NULL;
	}
	unlock_irqs(g, saved);

	return rc;
}

int evg_irq_free(int irq, void *dev_id)
{
	struct evg_guest *g = evg_plat_this_guest();
	unsigned long saved = lock_irqs(g);
	struct evg_irq *q = find_locked(g, irq);
	evtchn_port_t port = q ? port_of(q) : 0;
	int rc = q ? 0 : -XEN_EINVAL;

	if (q && (!q->handler || q->dev_id != dev_id))
		rc = -XEN_ENOENT;
	unlock_irqs(g, saved);
	if (rc)
		return rc;

	(void)evg_unbind_handler(g, port); /* waits, so without the lock */
	saved = lock_irqs(g);
	q->handler = NULL;
	q->depth = 0;
	unlock_irqs(g, saved);

	return 0;
}

void evg_irq_unbind(int irq, void *dev_id)
{
	(void)evg_irq_free(irq, dev_id);
	drop(evg_plat_this_guest(), irq);
}

/* --- holding back, sending, counting --------------------------------------- */

int evg_irq_disable(int irq, bool wait)
{
	struct evg_guest *g = evg_plat_this_guest();
	unsigned long saved = lock_irqs(g);
	struct evg_irq *q = find_locked(g, irq);
	evtchn_port_t port = q ? port_of(q) : 0;

	if (q && q->depth++ == 0)
		(void)evg_mask(g, port);
	unlock_irqs(g, saved);
	if (!port)
		return -XEN_EINVAL;

	return wait ? evg_wait_handler(g, port) : 0;
}

int evg_irq_enable(int irq)
{
	struct evg_guest *g = evg_plat_this_guest();
	unsigned long saved = lock_irqs(g);
	struct evg_irq *q = find_locked(g, irq);
	int rc = -XEN_EINVAL;

	if (q && q->depth) {
		q->depth--;
		/* Without a handler it stays masked until there is one. */
		rc = q->depth ? 0 : evg_allow(g, port_of(q));
	}
	unlock_irqs(g, saved);

	return rc;
}

void evg_irq_notify(int irq)
{
	evtchn_port_t port = evg_irq_port(irq);

	if (port)
		(void)evg_notify(evg_plat_this_guest(), port);
}

int evg_irq_set_priority(int irq, uint32_t priority)
{
	evtchn_port_t port = evg_irq_port(irq);

	if (!port)
		return -XEN_EINVAL;
	return evg_set_priority(evg_plat_this_guest(), port, priority);
}

uint32_t evg_irq_count(int irq)
{
	struct evg_guest *g = evg_plat_this_guest();
	unsigned long saved = lock_irqs(g);
	struct evg_irq *q = find_locked(g, irq);
	uint32_t n = q ? evb_u32_load_relaxed(&q->count) : 0;

	unlock_irqs(g, saved);
	return n;
}

uint32_t evg_irq_spurious(int irq)
{
	struct evg_guest *g = evg_plat_this_guest();
	unsigned long saved = lock_irqs(g);
	struct evg_irq *q = find_locked(g, irq);
	uint32_t n = q ? evb_u32_load_relaxed(&q->spurious) : 0;

	unlock_irqs(g, saved);
	return n;
}

/* --- bind and request in one ----------------------------------------------- */

static int request_or_drop(int irq, evg_irq_handler handler,
			   unsigned long flags, const char *name, void *dev_id)
{
	int rc = evg_irq_request(irq, handler, flags, name, dev_id);

	if (rc)
		drop(evg_plat_this_guest(), irq);
	return rc ? rc : irq;
}

int evg_irq_bind_handler(evtchn_port_t port, evg_irq_handler handler,
			 unsigned long flags, const char *name, void *dev_id)
{
	int irq = evg_irq_bind_port(port);

	if (irq < 0)
		return irq;
	return request_or_drop(irq, handler, flags, name, dev_id);
}

/* The same for a port that was opened for this and that nobody else closes. */
static int bind_new(evtchn_port_t port, evg_irq_handler handler,
		    unsigned long flags, const char *name, void *dev_id)
{
	int irq = evg_irq_bind_port(port);

	if (irq < 0) {
		(void)evg_close(evg_plat_this_guest(), port);
		return irq;
	}
	return request_or_drop(irq, handler, flags, name, dev_id);
}

int evg_irq_bind_interdomain(domid_t remote_dom, evtchn_port_t remote_port,
			     evg_irq_handler handler, unsigned long flags,
			     const char *name, void *dev_id)
{
	evtchn_port_t port;
	int rc = evg_bind_interdomain(evg_plat_this_guest(), remote_dom,
				      remote_port, &port);

	return rc ? rc : bind_new(port, handler, flags, name, dev_id);
}

int evg_irq_bind_ipi(uint32_t vcpu, evg_irq_handler handler,
		     unsigned long flags, const char *name, void *dev_id)
{
	evtchn_port_t port;
	int rc = evg_bind_ipi(evg_plat_this_guest(), vcpu, &port);

	return rc ? rc : bind_new(port, handler, flags, name, dev_id);
}

/* --- VIRQs ----------------------------------------------------------------- */

static bool is_per_vcpu(uint32_t virq)
{
	return virq == VIRQ_TIMER || virq == VIRQ_DEBUG ||
	       virq == VIRQ_XENOPROF || virq == VIRQ_XENPMU;
}

static int find_virq(struct evg_guest *g, uint32_t virq, uint32_t vcpu,
		     evtchn_port_t *port)
{
	struct evtchn_status st = {.dom = DOMID_SELF};

	for (*port = 1; *port < g->nr_ports; ++*port) {
		st.port = *port;
		if (evg_status(g, &st))
			break; /* the hypervisor's port table ends here */
		if (st.status != EVTCHNSTAT_virq || st.u.virq != virq)
			continue;
		if (st.vcpu == vcpu)
			return 0;
		if (!is_per_vcpu(virq))
			return -XEN_EEXIST;
	}
	return -XEN_ENOENT;
}

int evg_irq_bind_virq(uint32_t virq, uint32_t vcpu, evg_irq_handler handler,
		      unsigned long flags, const char *name, void *dev_id)
{
	struct evg_guest *g = evg_plat_this_guest();
	evtchn_port_t port;
	int rc = evg_bind_virq(g, virq, vcpu, &port);

	if (!rc)
		return bind_new(port, handler, flags, name, dev_id);
	if (rc != -XEN_EEXIST)
		return rc;
	rc = find_virq(g, virq, vcpu, &port);
	if (rc)
		return rc;
	/* It may be from before evg_init(), which knows of no bindings. */
	evg_port_adopt(g, port, virq, vcpu);
	return evg_irq_bind_handler(port, handler, flags, name, dev_id);
}
