/* SPDX-License-Identifier: MIT */
/* What the files of the model share: ports, and who owns what. */
#ifndef MODEL_PRIVATE_H
#define MODEL_PRIVATE_H

#include "tests/model/model.h"

/* NULL: it does not exist. */
struct model_port *model_lookup(struct model_domain *d, uint32_t port);
/* Open, and not the hypervisor's. */
bool model_is_usable(const struct model_port *p);

/*
 * The lowest free port.  It stays free: open it when nothing can fail any
 * more.  May add a bucket.
 */
int model_find_free(struct model *m, struct model_domain *d, uint32_t *port);
struct model_port *model_open(struct model_domain *d, uint32_t port,
			      enum model_state state, uint32_t vcpu);
/* From here on @p waits for domain @d, if it is @generation. */
void model_reserve(struct model_port *p, uint32_t d, uint32_t generation);
/* The generation of the domain @d means by @id, 0: none. */
uint32_t model_generation_of(struct model *m, const struct model_domain *d,
			     uint32_t id);

bool model_is_per_vcpu(uint32_t virq);
bool model_is_global(uint32_t virq);
uint32_t model_handler_of(const struct model *m, uint32_t virq);

uint32_t model_port_limit(const struct model_domain *d);

/* Is a port open, of the guest or (@owned_too) at all? */
bool model_has_open(const struct model_domain *d, bool owned_too);
/* Close what is open in 64 ports.  Returns where to go on, 0: it is done. */
uint32_t model_close_some(struct model *m, struct model_domain *d,
			  uint32_t from, bool owned_too);
/* Post to @to, counted as sent from @from of @own. */
void model_post_from(struct model *m, struct model_domain *own, uint32_t from,
		     struct model_domain *d, uint32_t to);
/* An event of @p goes nowhere. */
void model_drop(struct model_port *p);
/* Send from a connected port. */
void model_send_to_peer(struct model *m, struct model_domain *d, uint32_t port);
/* Must an event from this port wait? */
bool model_limit_holds(struct model_domain *d, uint32_t port);
/* The connection ends: so does the event that waits. */
void model_limit_forget(struct model_port *p);

/* Back to 2-level. */
void model_leave_fifo(struct model *m, struct model_domain *d);

#endif /* MODEL_PRIVATE_H */
