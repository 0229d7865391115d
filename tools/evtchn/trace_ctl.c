/* SPDX-License-Identifier: MIT */
/*
 * What happened from outside the event-channel interface while a recording
 * was made: the toolstack destroyed a domain, a timer fired, ...
 *
 * One table row per kind.  A handler gets what follows the words in the table
 * and writes the result that the recording has behind the arrow.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "trace.h"

struct result {
	char text[MAX_TEXT];
};

static void set_result(struct result *res, int rc)
{
	char number[16];

	snprintf(res->text, sizeof(res->text), "rc=%s",
		 errno_name(rc, number, sizeof(number)));
}

/* "key=N": the next field. */
static int take_number(struct replay *r, struct field *rest, const char *key,
		       uint64_t max, uint64_t *value)
{
	struct field f;

	if (!field_next(rest, &f) || !field_skip(&f, key) ||
	    !field_number(f, max, value))
		return replay_fail(r,
				   "'%s' with a number up to %llu is missing",
				   key, (unsigned long long)max);
	return 0;
}

static int take_alive(struct replay *r, struct field *rest,
		      struct replay_domain **d)
{
	struct field f;

	if (!field_next(rest, &f))
		return replay_fail(r, "a domain is missing");
	return world_alive(r, f, d);
}

static int take_vcpu(struct replay *r, struct field *rest,
		     struct replay_domain *d, struct sim_vcpu **v)
{
	uint64_t n;

	if (take_number(r, rest, "vcpu=", d->sim->evc.nr_vcpus - 1, &n))
		return -EINVAL;
	*v = &d->sim->vcpu[n];
	return 0;
}

/* --- the toolstack --------------------------------------------------------- */

static int destroy(struct replay *r, struct field rest, struct result *res)
{
	struct replay_domain *d;

	(void)res;
	if (take_alive(r, &rest, &d))
		return -EINVAL;
	sim_domain_destroy(d->sim, rest.len > 0);
	d->polling = false;
	return 0;
}

static int set_paused(struct replay *r, struct field rest, bool paused)
{
	struct replay_domain *d;

	if (take_alive(r, &rest, &d))
		return -EINVAL;
	evc_domain_set_paused(&d->sim->evc, paused);
	return 0;
}

static int pause_it(struct replay *r, struct field rest, struct result *res)
{
	(void)res;
	return set_paused(r, rest, true);
}

static int unpause(struct replay *r, struct field rest, struct result *res)
{
	(void)res;
	return set_paused(r, rest, false);
}

static int set_target(struct replay *r, struct field rest, struct result *res)
{
	struct replay_domain *d, *target;
	struct field f;

	if (take_alive(r, &rest, &d))
		return -EINVAL;
	if (!field_next(&rest, &f) || !field_skip(&f, "target="))
		return replay_fail(r, "'target=' is missing");
	if (world_alive(r, f, &target))
		return -EINVAL;
	evc_domain_set_target(&d->sim->evc, &target->sim->evc);
	set_result(res, 0);
	return 0;
}

static int map_pirq(struct replay *r, struct field rest, struct result *res)
{
	struct replay_domain *d;
	uint64_t gsi;

	if (take_alive(r, &rest, &d) ||
	    take_number(r, &rest, "gsi=", UINT32_MAX, &gsi))
		return -EINVAL;
	if (sim_map_pirq(d->sim, (uint32_t)gsi))
		return replay_fail(r, "the domain has no such line");
	snprintf(res->text, sizeof(res->text), "rc=0 pirq=%u", (uint32_t)gsi);
	return 0;
}

/* --- events ---------------------------------------------------------------- */

static int timer(struct replay *r, struct field rest, struct result *res)
{
	struct replay_domain *d;
	struct sim_vcpu *v;

	if (take_alive(r, &rest, &d) || take_vcpu(r, &rest, d, &v))
		return -EINVAL;
	evc_virq_raise(v->evc, VIRQ_TIMER);
	set_result(res, 0);
	return 0;
}

static void raise_everywhere(struct replay *r, uint32_t virq)
{
	struct sim_domain *d;
	uint32_t i;

	for (d = r->machine.domains; d; d = d->next) {
		for (i = 0; i < d->evc.nr_vcpus; i++)
			evc_virq_raise(&d->evc.vcpu[i], virq);
	}
}

static int virq(struct replay *r, struct field rest, struct result *res)
{
	uint64_t n;

	(void)res;
	if (take_number(r, &rest, "virq=", NR_VIRQS - 1, &n))
		return -EINVAL;
	raise_everywhere(r, (uint32_t)n);
	return 0;
}

static int raise_global(struct replay *r, struct field rest, struct result *res)
{
	uint64_t n;

	(void)res;
	if (take_number(r, &rest, "virq=", NR_VIRQS - 1, &n))
		return -EINVAL;
	evc_virq_raise_global(&r->machine.evc, (uint32_t)n);
	return 0;
}

static int set_virq_handler(struct replay *r, struct field rest,
			    struct result *res)
{
	struct replay_domain *d;
	uint64_t n;

	if (take_alive(r, &rest, &d) ||
	    take_number(r, &rest, "virq=", UINT32_MAX, &n))
		return -EINVAL;
	set_result(res, evc_virq_set_handler(&d->sim->evc, (uint32_t)n));
	return 0;
}

/* --- the guest ------------------------------------------------------------- */

static int register_info(struct replay *r, struct field rest,
			 struct result *res)
{
	unsigned char old[sizeof(struct vcpu_info)];
	struct replay_domain *d;
	struct sim_vcpu *v;
	uint32_t id;
	int rc;

	if (take_alive(r, &rest, &d) || take_vcpu(r, &rest, d, &v))
		return -EINVAL;
	id = v->evc->id;
	memcpy(old, evb_ptr_load_acquire(&v->evc->info), sizeof(old));
	rc = sim_register_vcpu_info(v, world_info_addr(id));
	if (!rc) {
		/* The new place begins as a copy; "~" says what is changed. */
		memcpy(d->page[PAGE_INFO].shadow + id * sizeof(old), old,
		       sizeof(old));
		d->info_registered[id] = true;
	}
	set_result(res, rc);
	return 0;
}

static int latch32(struct replay *r, struct field rest, struct result *res)
{
	struct replay_domain *d;

	if (take_alive(r, &rest, &d))
		return -EINVAL;
	evc_domain_set_width(&d->sim->evc, EVC_WIDTH_32);
	d->width = EVC_WIDTH_32;
	set_result(res, 0);
	return 0;
}

/* --- ports the hypervisor owns --------------------------------------------- */

static void consume(struct evc_vcpu *v, evtchn_port_t port)
{
	(void)v;
	(void)port;
}

/* One port for each vCPU and, if wanted, one for the ring they share. */
static int create_ioreq(struct replay *r, struct field rest, struct result *res)
{
	struct replay_domain *d;
	struct field f;
	domid_t emulator;
	uint64_t ring;
	uint32_t i, nr;
	int rc = 0;

	if (take_alive(r, &rest, &d))
		return -EINVAL;
	if (!field_next(&rest, &f) || !field_skip(&f, "emulator="))
		return replay_fail(r, "'emulator=' is missing");
	if (world_domid(r, f, &emulator) ||
	    take_number(r, &rest, "bufioreq=", 1, &ring))
		return -EINVAL;
	if (d->nr_consumers)
		return replay_fail(r, "there is an ioreq server already");
	nr = d->sim->evc.nr_vcpus;
	for (i = 0; !rc && i < nr + ring; i++) {
		rc = evc_consumer_alloc(&d->sim->evc, i < nr ? i : 0, emulator,
					consume, &d->consumer[i]);
		d->nr_consumers += !rc;
	}
	set_result(res, rc);
	return 0;
}

static int destroy_ioreq(struct replay *r, struct field rest,
			 struct result *res)
{
	struct replay_domain *d;
	int rc = 0;

	if (take_alive(r, &rest, &d))
		return -EINVAL;
	while (d->nr_consumers && !rc)
		rc = evc_consumer_free(&d->sim->evc,
				       d->consumer[--d->nr_consumers]);
	set_result(res, rc);
	return 0;
}

/* --- a "ctl" line ---------------------------------------------------------- */

static const struct {
	const char *words;
	int (*handle)(struct replay *r, struct field rest, struct result *res);
} kinds[] = {
	{"destroy ", destroy},
	{"pause ", pause_it},
	{"unpause ", unpause},
	{"timer ", timer},
	{"virq ", virq},
	{"raise global ", raise_global},
	{"set_virq_handler ", set_virq_handler},
	{"map_pirq ", map_pirq},
	{"register_vcpu_info ", register_info},
	{"latch32 ", latch32},
	{"set_target ", set_target},
	{"create_ioreq_server ", create_ioreq},
	{"destroy_ioreq_server ", destroy_ioreq},
};

int ctl_line(struct replay *r, struct field rest)
{
	struct field left, expected, after;
	struct result res = {""};
	size_t i;

	field_arrow(rest, &left, &expected);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		after = left;
		if (!field_skip(&after, kinds[i].words))
			continue;
		if (kinds[i].handle(r, after, &res))
			return -EINVAL;
		replay_check(r, expected, res.text);
		return 0;
	}
	return replay_fail(r, "unknown ctl '%.*s'", (int)left.len, left.s);
}
