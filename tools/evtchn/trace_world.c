/* SPDX-License-Identifier: MIT */
/*
 * The domains a recording plays in, as the recorder had them: which exist,
 * with what memory, who is paused, and the names of domains and pages.
 *
 * dN has the domid N.  A domid that a recording gives as a number names nobody.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "trace.h"

#define POOL_FRAME 0x10u
#define INFO_FRAME 0x20u
#define PT_FRAME   0x200u /* cannot be mapped writable: WORLD_READONLY */
/* Found out on the machine that was recorded. */
#define NR_PIRQS 56u

_Static_assert(PT_FRAME == WORLD_READONLY / 4096, "one read-only page");

int world_init(struct replay *r, const struct trace *t)
{
	r->trace = t;
	sim_machine_init(&r->machine, true);
	return 0;
}

void world_fini(struct replay *r)
{
	sim_machine_fini(&r->machine);
}

bool world_has_fifo(void)
{
	struct sim_domain_config c = {.nr_vcpus = 1, .max_port = EVC_NO_LIMIT};
	struct evtchn_init_control control = {.vcpu = UINT32_MAX};
	struct sim_machine m;
	struct sim_domain *d;
	bool has = false;

	/* Without FIFO nobody looks whether there is such a vCPU. */
	sim_machine_init(&m, true);
	if (!sim_domain_create(&m, &c, &d))
		has = evc_init_control(&d->evc, &control) != -XEN_EOPNOTSUPP;
	sim_machine_fini(&m);

	return has;
}

/* --- names ----------------------------------------------------------------- */

int world_domain(struct replay *r, struct field f, struct replay_domain **d)
{
	struct field name = f;
	uint64_t n;

	if (!field_skip(&name, "d") || !field_number(name, MAX_DOMAINS - 1, &n))
		return replay_fail(r, "'%.*s' is not a domain's name (d0..d%d)",
				   (int)f.len, f.s, MAX_DOMAINS - 1);
	*d = &r->domain[n];
	if (!(*d)->sim)
		return replay_fail(r, "no 'dom' line declares %.*s", (int)f.len,
				   f.s);
	return 0;
}

int world_alive(struct replay *r, struct field f, struct replay_domain **d)
{
	int rc = world_domain(r, f, d);

	if (!rc && (*d)->sim->gone)
		rc = replay_fail(r, "%.*s was destroyed before", (int)f.len,
				 f.s);
	return rc;
}

static const struct {
	domid_t domid;
	const char *name;
} special[] = {
	{DOMID_SELF, "SELF"}, {DOMID_IO, "IO"},		  {DOMID_XEN, "XEN"},
	{DOMID_COW, "COW"},   {DOMID_INVALID, "INVALID"}, {DOMID_IDLE, "IDLE"},
};

#define NR_SPECIAL (sizeof(special) / sizeof(special[0]))

int world_domid(struct replay *r, struct field f, domid_t *domid)
{
	struct replay_domain *d;
	struct field number = f;
	uint64_t n;
	size_t i;

	for (i = 0; i < NR_SPECIAL; i++) {
		if (field_is(f, special[i].name)) {
			*domid = special[i].domid;
			return 0;
		}
	}
	if (field_skip(&number, "#") && field_number(number, UINT16_MAX, &n)) {
		*domid = (domid_t)n;
		return 0;
	}
	if (world_domain(r, f, &d))
		return -EINVAL;
	*domid = (domid_t)(d - r->domain);
	return 0;
}

const char *world_domid_name(const struct replay *r, domid_t domid,
			     char *buffer, size_t size)
{
	size_t i;

	for (i = 0; i < NR_SPECIAL; i++) {
		if (special[i].domid == domid)
			return special[i].name;
	}
	if (domid < MAX_DOMAINS && r->domain[domid].sim)
		snprintf(buffer, size, "d%u", domid);
	else
		snprintf(buffer, size, "#%u", domid);
	return buffer;
}

static const struct {
	uint64_t frame;
	const char *name;
} frames[] = {
	{PT_FRAME, "PT"},
	{UINT64_MAX, "BAD"},
	{WORLD_UNMAPPED / 4096, "FOREIGN"},
	{0, "MFN0"},
	{POOL_FRAME + NR_POOL - 1, "OWN"},
};

int world_frame(struct replay *r, struct field f, uint64_t *frame)
{
	struct field number = f;
	uint64_t n;
	size_t i;

	for (i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		if (field_is(f, frames[i].name)) {
			*frame = frames[i].frame;
			return 0;
		}
	}
	if (!field_skip(&number, "P") || !field_number(number, NR_POOL - 1, &n))
		return replay_fail(r,
				   "'%.*s' is not a page (P0..P%d, PT, BAD, "
				   "FOREIGN, MFN0, OWN)",
				   (int)f.len, f.s, NR_POOL - 1);
	*frame = POOL_FRAME + n;
	return 0;
}

int world_pool_page(uint64_t frame)
{
	if (frame < POOL_FRAME || frame >= POOL_FRAME + NR_POOL)
		return -1;
	return (int)(frame - POOL_FRAME);
}

uint64_t world_info_addr(uint32_t vcpu)
{
	return INFO_FRAME * 4096 + vcpu * sizeof(struct vcpu_info);
}

bool world_is_reserved(const struct replay_domain *d, uint32_t port)
{
	return port < 2048 && d->reserved[port / 64] >> port % 64 & 1;
}

/* --- a domain's memory ----------------------------------------------------- */

static int map_memory(struct replay *r, struct replay_domain *d)
{
	struct sim_domain *s = d->sim;
	int rc, i;

	rc = sim_map(s, POOL_FRAME * 4096, NULL, NR_POOL * 4096, false);
	if (!rc)
		rc = sim_map(s, INFO_FRAME * 4096, NULL, 4096, false);
	if (!rc)
		rc = sim_map(s, WORLD_ARG, NULL, WORLD_ARG_SIZE, false);
	if (!rc)
		rc = sim_map(s, WORLD_READONLY, NULL, 4096, true);
	if (rc)
		return replay_fail(r, "out of memory");

	for (i = 0; i < NR_POOL; i++)
		d->page[PAGE_POOL + i].mem = sim_at(
			s, (POOL_FRAME + (unsigned int)i) * 4096, 4096, true);
	d->page[PAGE_INFO].mem = sim_at(s, INFO_FRAME * 4096, 4096, true);
	d->page[PAGE_SHARED].mem = s->evc.shared_info;
	return 0;
}

/* No guest of a recording ever takes an upcall. */
static void mask_upcalls(struct replay_domain *d)
{
	struct page *p = &d->page[PAGE_SHARED];
	uint32_t i;

	for (i = 0; i < d->sim->evc.nr_vcpus; i++) {
		unsigned char *info =
			evb_ptr_load_acquire(&d->sim->evc.vcpu[i].info);

		info[offsetof(struct vcpu_info, evtchn_upcall_mask)] = 1;
	}
	memcpy(p->shadow, p->mem, sizeof(p->shadow));
}

/* --- a "dom" line ---------------------------------------------------------- */

/* "key=value", as numbers or as text. */
struct dom_line {
	struct field kind, reserved, virqs;
	uint64_t vcpus, maxport, observe, valid;
};

static bool read_number(struct field value, uint64_t max, uint64_t *number)
{
	if (field_is(value, "none")) {
		*number = EVC_NO_LIMIT;
		return true;
	}
	return field_number(value, max, number);
}

/* False: an unknown key, or a value outside its range. */
static bool read_pair(struct field f, struct dom_line *l)
{
	if (field_skip(&f, "kind="))
		l->kind = f;
	else if (field_skip(&f, "reserved="))
		l->reserved = f;
	else if (field_skip(&f, "virqs="))
		l->virqs = f;
	else if (field_skip(&f, "vcpus="))
		return field_number(f, MAX_VCPUS, &l->vcpus) && l->vcpus;
	else if (field_skip(&f, "maxport="))
		return read_number(f, INT32_MAX, &l->maxport);
	else if (field_skip(&f, "observe="))
		return field_number(f, 1, &l->observe);
	else if (field_skip(&f, "valid="))
		return field_number(f, 2048, &l->valid) && l->valid % 64 == 0;
	else
		return field_is(f, "abi=2l");
	return true;
}

static bool is_kind(struct field f)
{
	return field_is(f, "hwdom") || field_is(f, "pv64") ||
	       field_is(f, "hvm") || field_is(f, "pvh32");
}

static int create(struct replay *r, struct replay_domain *d,
		  const struct dom_line *l)
{
	bool privileged = field_is(l->kind, "hwdom");
	struct sim_domain_config c = {
		.domid = (domid_t)(d - r->domain),
		.nr_vcpus = (uint32_t)l->vcpus,
		.width = EVC_WIDTH_64,
		.max_port = (uint32_t)l->maxport,
		.nr_pirqs = NR_PIRQS,
		.privileged = privileged,
	};

	if (sim_domain_create(&r->machine, &c, &d->sim))
		return replay_fail(r, "cannot create the domain");
	d->width = EVC_WIDTH_64;
	d->observed = l->observe;
	if (privileged)
		evc_machine_set_hwdom(&r->machine.evc, &d->sim->evc);
	else
		evc_domain_set_paused(&d->sim->evc, true);
	if (map_memory(r, d))
		return -EINVAL;
	mask_upcalls(d);
	return 0;
}

/* "1-16,18": into the bitmap.  False: something else. */
static bool read_reserved(struct field list, struct replay_domain *d)
{
	struct field range, first, last;
	uint64_t a, b;

	while (field_split(&list, &range, ",")) {
		if (!field_split(&range, &first, "-") ||
		    !field_number(first, 2047, &a))
			return false;
		b = a;
		if (field_split(&range, &last, "-") &&
		    !field_number(last, 2047, &b))
			return false;
		for (; a <= b; a++)
			d->reserved[a / 64] |= 1ull << a % 64;
	}
	return true;
}

/* Take @port, which is the lowest free one; with a VIRQ if one is left. */
static bool take_port(struct replay_domain *d, uint32_t port,
		      struct field *virqs)
{
	struct evc_domain *e = &d->sim->evc;
	evtchn_port_t got = 0;
	struct field f;
	uint64_t virq;
	int rc;

	if (world_is_reserved(d, port) && field_split(virqs, &f, ","))
		rc = field_number(f, UINT32_MAX, &virq)
			     ? evc_bind_virq(e, (uint32_t)virq, 0, &got)
			     : -EINVAL;
	else
		rc = evc_alloc_unbound(e, DOMID_SELF, DOMID_INVALID, &got);
	return !rc && got == port;
}

/*
 * Bring a domain to its state at the start: some ports in use, and a port
 * table that has grown, which happens when a port in its last bucket is taken.
 */
static int take_ports(struct replay *r, struct replay_domain *d,
		      const struct dom_line *l)
{
	struct field virqs = l->virqs, left;
	uint32_t last = (uint32_t)l->valid - 64;
	uint32_t port;

	for (port = last + 1; port < 2048; port++) {
		if (world_is_reserved(d, port))
			last = port;
	}
	for (port = 1; port <= last; port++) {
		if (!take_port(d, port, &virqs))
			return replay_fail(r, "cannot set up port %u", port);
	}
	if (field_split(&virqs, &left, ","))
		return replay_fail(r, "more virqs than reserved ports");
	for (port = 1; port <= last; port++) {
		if (!world_is_reserved(d, port))
			(void)evc_close(&d->sim->evc, port);
	}
	return 0;
}

static int read_dom(struct replay *r, struct field rest, struct dom_line *l)
{
	struct field f;

	while (field_next(&rest, &f)) {
		if (!read_pair(f, l))
			return replay_fail(r,
					   "'%.*s' means nothing in a 'dom' "
					   "line",
					   (int)f.len, f.s);
	}
	if (!is_kind(l->kind))
		return replay_fail(r,
				   "kind= must be hwdom, pv64, hvm or pvh32");
	return 0;
}

int world_dom(struct replay *r, struct field rest)
{
	struct dom_line l = {.vcpus = 1, .maxport = EVC_NO_LIMIT, .valid = 64};
	struct replay_domain *d;
	struct field name, number;
	uint64_t n;

	if (!field_next(&rest, &name))
		return replay_fail(r, "a 'dom' line needs a name");
	number = name;
	if (!field_skip(&number, "d") ||
	    !field_number(number, MAX_DOMAINS - 1, &n))
		return replay_fail(r, "'%.*s' is not a domain's name (d0..d%d)",
				   (int)name.len, name.s, MAX_DOMAINS - 1);
	d = &r->domain[n];
	if (d->sim)
		return replay_fail(r, "%.*s is declared twice", (int)name.len,
				   name.s);
	if (read_dom(r, rest, &l) || create(r, d, &l))
		return -EINVAL;
	if (!read_reserved(l.reserved, d))
		return replay_fail(r, "reserved= must be like 1-16,18");
	return take_ports(r, d, &l);
}
