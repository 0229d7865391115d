/* SPDX-License-Identifier: MIT */
/*
 * VIRQs on request: what a hypervisor's console does with its debug keys, and
 * its toolstack with XEN_DOMCTL_set_virq_handler.
 *
 * Like there, it is not for guests: whoever may be domain 0 may do it, from a
 * connection that is not bound to one domain, as the command line's.  Who holds a
 * domain, or came in through a session, may if that is domain 0.
 *
 * The core raises; here we only choose where, and count who will hear it: it
 * drops, without a word, what nobody has bound.
 */
#include <errno.h>
#include <stdio.h>

#include "broker.h"
#include "state.h"

bool evd_may_control(const struct evd_conn *c)
{
	if (c->att && c->att->is_limited)
		return false;
	if (c->dom)
		return evb_u8_load(&c->dom->core.privileged);
	return c->only_domid == EVP_DOMID_ANY ? evd_policy_domain(c, 0)
					      : c->only_domid == 0;
}

bool evd_virq_is_of_vcpu(uint32_t virq)
{
	switch (virq) {
	case VIRQ_TIMER:
	case VIRQ_DEBUG:
	case VIRQ_XENOPROF:
	case VIRQ_XENPMU:
		return true;
	default: /* a number, not a state */
		return false;
	}
}

static bool is_global(uint32_t virq)
{
	return !evd_virq_is_of_vcpu(virq) && virq != VIRQ_ARGO;
}

static uint32_t is_bound(const struct evc_vcpu *v, uint32_t virq)
{
	return evb_u32_load(&v->virq_port[virq]) != 0;
}

/* Each of the core's calls acts on VIRQs of its own class only. */
static uint32_t raise_in(struct evd_dom *d, uint32_t virq)
{
	uint32_t i, n = 0;

	/* How many there are differs from attachment to attachment. */
	for (i = 0; i < EVP_VCPUS_MAX; i++) {
		n += is_bound(&d->vcpu[i], virq);
		evc_virq_raise(&d->vcpu[i], virq);
	}
	evc_virq_raise_domain(&d->core, virq);
	return n;
}

static uint32_t raise_global(struct evd_broker *b, uint32_t virq)
{
	const struct evc_machine *m = &b->machine;
	const struct evc_domain *d =
		evb_ptr_load_acquire(&m->virq_handler[virq]);

	if (!d)
		d = evb_ptr_load_acquire(&m->hwdom);
	evc_virq_raise_global(&b->machine, virq);
	return d ? is_bound(&d->vcpu[0], virq) : 0;
}

static uint32_t raise_in_all(struct evd_broker *b, uint32_t virq)
{
	struct evd_dom *d;
	uint32_t n = 0;

	for (d = b->doms; d; d = d->next)
		n += raise_in(d, virq);
	return n;
}

static void answer(struct evd_conn *c, const struct evp_virq *m, uint32_t n)
{
	struct evp_virq_done a = {.nr_raised = n};

	evp_hdr_init(&a.hdr, EVP_VIRQ_DONE, sizeof(a), m->hdr.seq);
	evd_send(c, &a, sizeof(a), NULL, 0);
}

static void refuse(struct evd_conn *c, const struct evp_virq *m, int rc,
		   const char *why)
{
	char text[EVP_TEXT_MAX];

	(void)snprintf(text, sizeof(text), "VIRQ %u: %s", m->virq, why);
	evd_refuse(c, m->hdr.seq, rc, text);
}

static void raise(struct evd_conn *c, const struct evp_virq *m,
		  struct evd_dom *d)
{
	if (is_global(m->virq) && m->domid != EVP_DOMID_ANY)
		refuse(c, m, -EINVAL,
		       "goes to the domain it is delegated to: name none");
	else if (is_global(m->virq))
		answer(c, m, raise_global(c->broker, m->virq));
	else if (d)
		answer(c, m, raise_in(d, m->virq));
	else
		answer(c, m, raise_in_all(c->broker, m->virq));
}

static void delegate(struct evd_conn *c, const struct evp_virq *m,
		     struct evd_dom *d)
{
	switch (d ? evc_virq_set_handler(&d->core, m->virq) : -XEN_EINVAL) {
	case 0:
		evd_state_delegated(d, m->virq);
		answer(c, m, 0);
		break;
	case -XEN_EBUSY:
		refuse(c, m, -EBUSY,
		       "the domain that handles it has it bound; it must close "
		       "that port first");
		break;
	default: /* a number, not a state */
		refuse(c, m, -EINVAL,
		       d ? "is not global, or the domain is ending"
			 : "name the domain that shall handle it");
		break;
	}
}

void evd_virq(struct evd_conn *c, const struct evp_virq *m)
{
	struct evd_dom *d = evd_dom_find(c->broker, m->domid);

	if (m->op != EVP_VIRQ_RAISE && m->op != EVP_VIRQ_DELEGATE)
		evd_doom(c, "bad VIRQ");
	else if (!evd_may_control(c))
		refuse(c, m, -EPERM, "this session is for one domain only");
	else if (m->virq >= NR_VIRQS)
		refuse(c, m, -EINVAL, "there are those from 0 to 23");
	else if (!d && m->domid != EVP_DOMID_ANY)
		refuse(c, m, -ESRCH, "there is no such domain");
	else if (m->op == EVP_VIRQ_RAISE)
		raise(c, m, d);
	else
		delegate(c, m, d);
}
