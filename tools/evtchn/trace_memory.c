/* SPDX-License-Identifier: MIT */
/*
 * The guests' shared memory: what a recording says about it, and comparing.
 *
 * A token names a place: p5 is a bit of a page, v0.sel a word.  "mem" tokens
 * are written to the real page and to its shadow, "~" tokens to the shadow
 * only.  When a step is over, page and shadow must be the same in every byte:
 * so a change the recording does not have is found as surely as one that did
 * not happen.  After a difference the shadow takes over what is there, and the
 * replay goes on.
 *
 * FIFO pages are compared while the domain uses them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "trace.h"

#define NR_INFOS  XEN_LEGACY_MAX_VCPUS
#define INFO_SIZE ((uint32_t)sizeof(struct vcpu_info))
#define HEADS	  ((uint32_t)offsetof(struct evtchn_fifo_control_block, head))

/* A bit (size 0) or a little-endian number of some bytes, in a page. */
struct place {
	unsigned int page;
	uint32_t offset;
	uint32_t size;
	uint32_t bit;
};

/* --- layout ---------------------------------------------------------------- */

struct layout {
	uint32_t pending, mask, nr_ports;
	uint32_t sel, sel_size; /* in a vcpu_info */
};

static const struct layout layouts[] = {
	[EVC_WIDTH_32] =
		{
			offsetof(struct shared_info_32, evtchn_pending),
			offsetof(struct shared_info_32, evtchn_mask),
			EVTCHN_2L_NR_CHANNELS_32,
			offsetof(struct vcpu_info_32, evtchn_pending_sel),
			4,
		},
	[EVC_WIDTH_64] =
		{
			offsetof(struct shared_info, evtchn_pending),
			offsetof(struct shared_info, evtchn_mask),
			EVTCHN_2L_NR_CHANNELS_64,
			offsetof(struct vcpu_info, evtchn_pending_sel),
			8,
		},
};

/* --- from a token to a place ----------------------------------------------- */

static bool bit_place(const struct layout *l, uint32_t base, struct field name,
		      struct place *p)
{
	uint64_t n;

	if (!field_number(name, l->nr_ports - 1, &n))
		return false;
	*p = (struct place){
		.page = PAGE_SHARED,
		.offset = base + (uint32_t)n / 8,
		.bit = (uint32_t)n % 8,
	};
	return true;
}

/* "K.rest": the vCPU; @name is left with the rest. */
static bool take_vcpu(const struct replay_domain *d, struct field *name,
		      uint32_t *vcpu)
{
	struct field number;
	uint64_t n;

	if (!field_split(name, &number, ".") || !field_skip(name, ".") ||
	    !field_number(number, d->sim->evc.nr_vcpus - 1, &n))
		return false;
	*vcpu = (uint32_t)n;
	return true;
}

static bool info_place(const struct replay_domain *d, struct field name,
		       struct place *p)
{
	const struct layout *l = &layouts[d->width];
	uint32_t vcpu;

	if (!take_vcpu(d, &name, &vcpu))
		return false;
	if (!d->info_registered[vcpu] && vcpu >= NR_INFOS)
		return false;
	*p = (struct place){
		.page = d->info_registered[vcpu] ? PAGE_INFO : PAGE_SHARED,
		.offset = vcpu * INFO_SIZE,
		.size = 1,
	};
	if (field_is(name, "up"))
		return true;
	p->offset += l->sel;
	p->size = l->sel_size;
	return field_is(name, "sel");
}

static bool word_place(const struct replay_domain *d, struct field name,
		       struct place *p)
{
	uint64_t n;

	if (!d->nr_array || !field_number(name, d->nr_array * 1024u - 1, &n))
		return false;
	*p = (struct place){
		.page = PAGE_POOL + d->array[n / 1024],
		.offset = (uint32_t)n % 1024 * 4,
		.size = 4,
	};
	return true;
}

static bool control_place(const struct replay_domain *d, struct field name,
			  struct place *p)
{
	const struct control *c;
	uint32_t vcpu;
	uint64_t q;

	if (!take_vcpu(d, &name, &vcpu))
		return false;
	c = &d->control[vcpu];
	*p = (struct place){
		.page = PAGE_POOL + c->page,
		.offset = c->offset,
		.size = 4,
	};
	if (field_is(name, "ready"))
		return c->used;
	if (!field_skip(&name, "h") ||
	    !field_number(name, EVTCHN_FIFO_MAX_QUEUES - 1, &q))
		return false;
	p->offset += HEADS + (uint32_t)q * 4;
	return c->used;
}

static bool find_place(const struct replay_domain *d, struct field name,
		       struct place *p)
{
	const struct layout *l = &layouts[d->width];

	if (field_skip(&name, "p"))
		return bit_place(l, l->pending, name, p);
	if (field_skip(&name, "m"))
		return bit_place(l, l->mask, name, p);
	if (field_skip(&name, "v"))
		return info_place(d, name, p);
	if (field_skip(&name, "w"))
		return word_place(d, name, p);
	if (field_skip(&name, "c"))
		return control_place(d, name, p);
	return false;
}

/* --- reading and writing a place ------------------------------------------- */

static uint64_t get(const unsigned char *page, const struct place *p)
{
	uint64_t value = 0;

	if (!p->size)
		return page[p->offset] >> p->bit & 1;
	memcpy(&value, page + p->offset, p->size);
	return value;
}

static void set(unsigned char *page, const struct place *p, uint64_t value)
{
	if (p->size)
		memcpy(page + p->offset, &value, p->size);
	else if (value)
		page[p->offset] |= (unsigned char)(1u << p->bit);
	else
		page[p->offset] &= (unsigned char)~(1u << p->bit);
}

static uint64_t largest(const struct place *p)
{
	return p->size ? UINT64_MAX >> (64 - 8 * p->size) : 1;
}

/* --- lines ----------------------------------------------------------------- */

static int read_token(struct replay *r, const struct replay_domain *d,
		      struct field token, struct place *p, uint64_t *value)
{
	struct field rest = token, name;

	if (!field_split(&rest, &name, "=") || !field_skip(&rest, "=") ||
	    !find_place(d, name, p))
		return replay_fail(r,
				   "'%.*s' names nothing that this domain "
				   "has now",
				   (int)token.len, token.s);
	if (!field_number(rest, largest(p), value))
		return replay_fail(r, "'%.*s': not a value for it",
				   (int)token.len, token.s);
	return 0;
}

int memory_mem(struct replay *r, struct field rest)
{
	struct replay_domain *d;
	struct field f;
	struct place p;
	uint64_t value;

	field_next(&rest, &f);
	if (world_alive(r, f, &d))
		return -EINVAL;
	while (field_next(&rest, &f)) {
		if (read_token(r, d, f, &p, &value))
			return -EINVAL;
		set(d->page[p.page].mem, &p, value);
		set(d->page[p.page].shadow, &p, value);
	}
	return 0;
}

int memory_expect(struct replay *r, struct field rest)
{
	struct replay_domain *d;
	struct field f;
	struct place p;
	uint64_t value;

	if (!r->step_line)
		return replay_fail(r, "a '~' line must follow an op or a ctl");
	field_next(&rest, &f);
	if (world_alive(r, f, &d))
		return -EINVAL;
	if (!d->observed)
		return replay_fail(r, "%.*s is not observed", (int)f.len, f.s);
	d->memory_line = r->line;
	while (field_next(&rest, &f)) {
		if (read_token(r, d, f, &p, &value))
			return -EINVAL;
		if (get(d->page[p.page].shadow, &p) == value)
			snprintf(d->idle, sizeof(d->idle), "%.*s", (int)f.len,
				 f.s);
		set(d->page[p.page].shadow, &p, value);
	}
	return 0;
}

/* --- from a place to a token ----------------------------------------------- */

/* The place that @offset of a page belongs to; false: none with a name. */
static bool name_info(const struct replay_domain *d, unsigned int page,
		      uint32_t offset, struct place *p, char *name, size_t size)
{
	const struct layout *l = &layouts[d->width];
	uint32_t vcpu = offset / INFO_SIZE, in = offset % INFO_SIZE;

	*p = (struct place){page, offset - in, 1, 0};
	snprintf(name, size, "v%u.up", vcpu);
	if (in == 0)
		return true;
	p->offset += l->sel;
	p->size = l->sel_size;
	snprintf(name, size, "v%u.sel", vcpu);
	return in >= l->sel && in < l->sel + l->sel_size;
}

static bool name_bit(const struct replay_domain *d, uint32_t offset,
		     uint32_t bit, struct place *p, char *name, size_t size)
{
	const struct layout *l = &layouts[d->width];
	uint32_t bytes = l->nr_ports / 8;

	*p = (struct place){PAGE_SHARED, offset, 0, bit};
	if (offset >= l->pending && offset < l->pending + bytes) {
		snprintf(name, size, "p%u", (offset - l->pending) * 8 + bit);
		return true;
	}
	if (offset >= l->mask && offset < l->mask + bytes) {
		snprintf(name, size, "m%u", (offset - l->mask) * 8 + bit);
		return true;
	}
	return false;
}

static bool name_control(const struct replay_domain *d, unsigned int pool,
			 uint32_t offset, char *name, size_t size)
{
	uint32_t i, in;

	for (i = 0; i < d->sim->evc.nr_vcpus; i++) {
		const struct control *c = &d->control[i];

		in = (offset & ~3u) - c->offset;
		if (!c->used || c->page != pool || offset < c->offset ||
		    in >= sizeof(struct evtchn_fifo_control_block))
			continue;
		if (in == 0)
			snprintf(name, size, "c%u.ready", i);
		else
			snprintf(name, size, "c%u.h%d", i, (int)in / 4 - 2);
		return true;
	}
	return false;
}

static bool name_pool(const struct replay_domain *d, unsigned int pool,
		      uint32_t offset, struct place *p, char *name, size_t size)
{
	unsigned int i;

	*p = (struct place){PAGE_POOL + pool, offset & ~3u, 4, 0};
	if (name_control(d, pool, offset, name, size))
		return true;
	for (i = 0; i < d->nr_array; i++) {
		if (d->array[i] != pool)
			continue;
		snprintf(name, size, "w%u", i * 1024 + offset / 4);
		return true;
	}
	return false;
}

static void name_place(const struct replay_domain *d, unsigned int page,
		       uint32_t offset, uint32_t bit, struct place *p,
		       char *name, size_t size)
{
	bool found;

	if (page < PAGE_POOL + NR_POOL)
		found = name_pool(d, page - PAGE_POOL, offset, p, name, size);
	else if (page == PAGE_INFO || offset < NR_INFOS * INFO_SIZE)
		found = name_info(d, page, offset, p, name, size);
	else
		found = name_bit(d, offset, bit, p, name, size);
	if (found)
		return;
	*p = (struct place){page, offset, 1, 0};
	snprintf(name, size, "byte %u of page %u", offset, page);
}

/* --- comparing ------------------------------------------------------------- */

static void report(struct replay *r, struct replay_domain *d, unsigned int page,
		   uint32_t offset)
{
	const struct page *pg = &d->page[page];
	unsigned int differ = pg->mem[offset] ^ pg->shadow[offset];
	char name[64], expected[MAX_TEXT], got[MAX_TEXT];
	const char *format = "d%d %s=0x%" PRIx64 "%s";
	int id = (int)(d - r->domain);
	struct place p;

	name_place(d, page, offset, (uint32_t)__builtin_ctz(differ), &p, name,
		   sizeof(name));
	if (!p.size)
		format = "d%d %s=%" PRIu64 "%s";
	snprintf(expected, sizeof(expected), format, id, name,
		 get(pg->shadow, &p), d->memory_line ? "" : " (no change)");
	snprintf(got, sizeof(got), format, id, name, get(pg->mem, &p), "");
	replay_differs(r, d->memory_line ? d->memory_line : r->step_line,
		       expected, got);
}

/* The first byte that differs, or 4096. */
static uint32_t first_difference(const struct page *p)
{
	uint32_t i;

	if (!memcmp(p->mem, p->shadow, sizeof(p->shadow)))
		return sizeof(p->shadow);
	for (i = 0; p->mem[i] == p->shadow[i]; i++)
		;
	return i;
}

static bool is_pool_used(const struct replay_domain *d, unsigned int pool)
{
	unsigned int i;

	for (i = 0; i < d->nr_array; i++) {
		if (d->array[i] == pool)
			return true;
	}
	for (i = 0; i < d->sim->evc.nr_vcpus; i++) {
		if (d->control[i].used && d->control[i].page == pool)
			return true;
	}
	return false;
}

/* Which pages are looked at?  Pool pages not in use are the guest's own. */
static bool is_watched(const struct replay_domain *d, unsigned int page)
{
	if (page >= PAGE_POOL + NR_POOL)
		return true;
	return d->fifo && is_pool_used(d, page - PAGE_POOL);
}

static bool compare_domain(struct replay *r, struct replay_domain *d)
{
	bool same = true;
	unsigned int i;

	for (i = 0; i < NR_PAGES; i++) {
		uint32_t at;

		if (!is_watched(d, i))
			continue;
		at = first_difference(&d->page[i]);
		if (at == sizeof(d->page[i].shadow))
			continue;
		if (same)
			report(r, d, i, at);
		same = false;
		memcpy(d->page[i].shadow, d->page[i].mem,
		       sizeof(d->page[i].shadow));
	}
	return same;
}

void memory_compare(struct replay *r)
{
	unsigned int i;

	for (i = 0; i < MAX_DOMAINS; i++) {
		struct replay_domain *d = &r->domain[i];

		if (!d->sim || !d->observed || d->sim->gone)
			continue;
		if (compare_domain(r, d) && d->idle[0])
			replay_differs(r, d->memory_line, d->idle,
				       "the same, but it was so before");
		d->memory_line = 0;
		d->idle[0] = '\0';
	}
}
