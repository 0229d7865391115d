/* SPDX-License-Identifier: MIT */
/*
 * Event channels as interrupts, with the names and conventions Linux drivers
 * know.  The names are static inline here and do nothing but call evg_irq_*();
 * the library itself defines none of them, so a kernel that owns some of the
 * names uses evg_irq_*() directly and leaves this header out of that file.
 *
 * An irq is a number of the guest's table (config.irq, irq_base) that stands
 * for a port.  The guest is evg_plat_this_guest().
 *
 * Returns  an irq (0 or more), 0, or -XEN_E...
 * Context  as evg.h: any vCPU, also from a handler.
 * Locks    takes the guest's lock for some tens of instructions; finding a
 *          free irq is O(nr_irqs).
 *
 * SPEC 6.5
 */
#ifndef EVG_IRQ_H
#define EVG_IRQ_H

#include <evg/evg.h>

typedef int irqreturn_t;
typedef evg_irq_handler irq_handler_t;

enum {
	IRQ_NONE = 0,	 /* it was not for me */
	IRQ_HANDLED = 1, /* done */
};

/* --- the functions --------------------------------------------------------- */

/*
 * evg_irq_bind_port - the irq of a port; a new one, or the one it has.
 *
 * An irq counts how often it was bound: as many unbinds free it.
 *   -XEN_ENOMEM  the port table, or the irq table, has no room
 */
int evg_irq_bind_port(evtchn_port_t port);

/*
 * evg_irq_request - give an irq its handler and enable it.
 *
 * @flags, @name  kept for the guest (struct evg_irq), not looked at
 *   -XEN_EINVAL  no such irq, or no handler
 *   -XEN_EBUSY   it has one
 */
int evg_irq_request(int irq, evg_irq_handler handler, unsigned long flags,
		    const char *name, void *dev_id);

/*
 * evg_irq_free - take the handler away; evg_unbind_handler() has the rules.
 *
 *   -XEN_EINVAL  no such irq
 *   -XEN_ENOENT  @dev_id is not its handler's
 */
int evg_irq_free(int irq, void *dev_id);

/*
 * evg_irq_bind_handler - evg_irq_bind_port() and evg_irq_request().
 *
 * If the request fails the port is unbound again, *and closed* if nobody else
 * bound it: as Linux does.  If there was no irq for it, it stays open.
 */
int evg_irq_bind_handler(evtchn_port_t port, evg_irq_handler handler,
			 unsigned long flags, const char *name, void *dev_id);

/*
 * Connect to a port of another domain, then as evg_irq_bind_handler(); a
 * failure leaves nothing open.  Errors: also evg_bind_interdomain().
 */
int evg_irq_bind_interdomain(domid_t remote_dom, evtchn_port_t remote_port,
			     evg_irq_handler handler, unsigned long flags,
			     const char *name, void *dev_id);

/*
 * evg_irq_bind_virq - bind a VIRQ, then as evg_irq_bind_handler().
 *
 * If the VIRQ is bound already, our ports are searched for it.  One that is
 * bound to vCPU @vcpu is taken over.
 *   -XEN_EEXIST  a VIRQ that is not per vCPU is bound to another vCPU
 *   -XEN_ENOENT  it is nowhere to be found
 *   others       evg_bind_virq()
 * Bound: nr_ports hypercalls for the search.
 */
int evg_irq_bind_virq(uint32_t virq, uint32_t vcpu, evg_irq_handler handler,
		      unsigned long flags, const char *name, void *dev_id);

/* Open an IPI port to @vcpu, then as evg_irq_bind_handler(). */
int evg_irq_bind_ipi(uint32_t vcpu, evg_irq_handler handler,
		     unsigned long flags, const char *name, void *dev_id);

/*
 * evg_irq_unbind - free the handler, drop one reference; with the last one the
 * irq is gone, and then the port is closed, in that order.
 *
 * Without effect on an irq that is not bound.
 */
void evg_irq_unbind(int irq, void *dev_id);

/*
 * evg_irq_disable, evg_irq_enable - hold events back; calls nest.
 *
 * @wait  until the handler does not run on another vCPU
 *   -XEN_EINVAL  no such irq; or enabled more often than disabled
 * An irq that was disabled before evg_irq_request() stays so.
 */
int evg_irq_disable(int irq, bool wait);
int evg_irq_enable(int irq);

/* Send through the irq's port; silently nothing if there is none. */
void evg_irq_notify(int irq);

/* As evg_set_priority() of fifo.h; -XEN_EINVAL also for no such irq. */
int evg_irq_set_priority(int irq, uint32_t priority);

/* The irq of a port, or -1. */
int evg_irq_of_port(evtchn_port_t port);

/* The port of an irq, or 0. */
evtchn_port_t evg_irq_port(int irq);

/* Times the handler was called, and times it said IRQ_NONE; 0: no such irq. */
uint32_t evg_irq_count(int irq);
uint32_t evg_irq_spurious(int irq);

/* --- as Linux calls them --------------------------------------------------- */

static inline int bind_evtchn_to_irq(evtchn_port_t port)
{
	return evg_irq_bind_port(port);
}

static inline int request_irq(unsigned int irq, irq_handler_t handler,
			      unsigned long flags, const char *name,
			      void *dev_id)
{
	return evg_irq_request((int)irq, handler, flags, name, dev_id);
}

static inline void free_irq(unsigned int irq, void *dev_id)
{
	(void)evg_irq_free((int)irq, dev_id);
}

static inline int bind_evtchn_to_irqhandler(evtchn_port_t port,
					    irq_handler_t handler,
					    unsigned long flags,
					    const char *name, void *dev_id)
{
	return evg_irq_bind_handler(port, handler, flags, name, dev_id);
}

static inline int bind_interdomain_evtchn_to_irqhandler(
	unsigned int remote_domain, evtchn_port_t remote_port,
	irq_handler_t handler, unsigned long flags, const char *name,
	void *dev_id)
{
	return evg_irq_bind_interdomain((domid_t)remote_domain, remote_port,
					handler, flags, name, dev_id);
}

static inline int bind_virq_to_irqhandler(unsigned int virq, unsigned int cpu,
					  irq_handler_t handler,
					  unsigned long flags, const char *name,
					  void *dev_id)
{
	return evg_irq_bind_virq(virq, cpu, handler, flags, name, dev_id);
}

/* @ipi is the kernel's own name for it; the library does not need it. */
static inline int bind_ipi_to_irqhandler(unsigned int ipi, unsigned int cpu,
					 irq_handler_t handler,
					 unsigned long flags, const char *name,
					 void *dev_id)
{
	(void)ipi;
	return evg_irq_bind_ipi(cpu, handler, flags, name, dev_id);
}

static inline void unbind_from_irqhandler(unsigned int irq, void *dev_id)
{
	evg_irq_unbind((int)irq, dev_id);
}

static inline void notify_remote_via_irq(int irq)
{
	evg_irq_notify(irq);
}

static inline void notify_remote_via_evtchn(evtchn_port_t port)
{
	(void)evg_notify(evg_plat_this_guest(), port);
}

static inline int xen_set_irq_priority(unsigned int irq, unsigned int priority)
{
	return evg_irq_set_priority((int)irq, priority);
}

static inline int irq_from_evtchn(evtchn_port_t port)
{
	return evg_irq_of_port(port);
}

static inline evtchn_port_t evtchn_from_irq(unsigned int irq)
{
	return evg_irq_port((int)irq);
}

/* Not from the irq's handler in Linux; here it does not wait for itself. */
static inline void disable_irq(unsigned int irq)
{
	(void)evg_irq_disable((int)irq, true);
}

static inline void disable_irq_nosync(unsigned int irq)
{
	(void)evg_irq_disable((int)irq, false);
}

static inline void enable_irq(unsigned int irq)
{
	(void)evg_irq_enable((int)irq);
}

#endif /* EVG_IRQ_H */
