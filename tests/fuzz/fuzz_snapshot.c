/* SPDX-License-Identifier: MIT */
/*
 * Saved domains: some steps of ops.c bring three domains into some state; one
 * of them is saved, destroyed, made anew and restored, from the image or from
 * what the input made of it (with a checksum that fits, or any bytes at all).
 *
 * What must hold: saving changes nothing; the image that was saved is restored
 * and, saved again, says the same of every port; what is refused has changed
 * nothing a guest can see; afterwards the core's invariants hold, whatever was
 * restored (check.c).
 */
#include <evc/snapshot.h>

#include "check.h"
#include "core/image.h"
#include "ops.h"

#define MAX_OPS	  48
#define MAX_IMAGE (64 * 1024)

static uint8_t image[MAX_IMAGE], again[MAX_IMAGE];

/* What the host knows of a domain, and tells the core once more. */
struct host_part {
	uint32_t handled; /* a bit per global VIRQ */
	bool is_hwdom;
	uint64_t info[WORLD_VCPUS]; /* places; 0: none registered */
};

static void remember(const struct world_domain *w, struct host_part *h)
{
	const struct evc_machine *m = &world.machine;
	uint32_t i;

	*h = (struct host_part){.is_hwdom = evb_ptr_load(&m->hwdom) == &w->evc};
	for (i = 0; i < NR_VIRQS; i++)
		h->handled |=
			(uint32_t)(evb_ptr_load(&m->virq_handler[i]) == &w->evc)
			<< i;
	for (i = 0; i < w->evc.nr_vcpus; i++) {
		if (w->vcpu[i].info_registered)
			h->info[i] = (uintptr_t)evb_ptr_load(&w->vcpu[i].info);
	}
}

static void tell_again(struct world_domain *w, const struct host_part *h)
{
	struct world_page *p = &w->page[WORLD_INFO];
	uint32_t i;

	evc_domain_set_paused(&w->evc, true);
	if (h->is_hwdom)
		evc_machine_set_hwdom(&world.machine, &w->evc);
	for (i = 0; i < NR_VIRQS; i++) {
		if (h->handled >> i & 1)
			(void)evc_virq_set_handler(&w->evc, i);
	}
	for (i = 0; i < w->evc.nr_vcpus; i++) {
		if (!h->info[i])
			continue;
		world_allow(p, (uint32_t)(h->info[i] - (uintptr_t)p->mem), 64);
		FUZZ_CHECK(!evc_vcpu_register_info(&w->vcpu[i],
						   (void *)h->info[i]));
	}
	/* The frames an image may name. */
	for (i = 0; i < WORLD_FRAMES; i++)
		world_allow(&w->page[i], 0, 4096);
}

/* --- spoiling an image --------------------------------------------------- */

static void fix_checksum(uint8_t *bytes, size_t len)
{
	if (len < IMAGE_HEADER + IMAGE_CRC)
		return;
	image_put32(bytes + 8, (uint32_t)len);
	image_put32(bytes + len - IMAGE_CRC,
		    evc_image_crc(bytes, (uint32_t)len - IMAGE_CRC));
}

/* Returns the length; true in @spoilt: it is not what was saved. */
static size_t spoil(struct tape *t, size_t len, bool *spoilt)
{
	uint8_t how = tape_u8(t), n = how % 8, b;
	size_t at;

	*spoilt = n != 0;
	while (n--) {
		b = tape_u8(t);
		at = tape_u16(t) % len;
		if (b < 64) /* a record later or earlier */
			at = len - 1 - at % 64;
		if (b & 1)
			image[at] = tape_u8(t);
		else
			image[at] ^= (uint8_t)(1u << (b / 2 & 7));
	}
	if (how >= 224 && *spoilt)
		len = tape_u16(t) % (len + 1);
	if (how & 8)
		fix_checksum(image, len);
	return len;
}

/* --- comparing ----------------------------------------------------------- */

/*
 * Two images of one domain.  The ports are the same, in the same states: the
 * peers were left alone by the destruction and wait.  Frames, tails and parked
 * events are not compared: the guest's memory was not brought back.
 */
static void compare(size_t len)
{
	uint32_t at, nr_ports = image_get32(image + 24);

	FUZZ_CHECK(!memcmp(image, again, 20)); /* up to the ports that exist */
	FUZZ_CHECK(!memcmp(image + 24, again + 24, IMAGE_HEADER - 24));
	for (at = (uint32_t)len - IMAGE_CRC - nr_ports * IMAGE_PORT;
	     at < len - IMAGE_CRC; at += IMAGE_PORT) {
		FUZZ_CHECK(!memcmp(image + at, again + at, 5));
		FUZZ_CHECK(!memcmp(image + at + 6, again + at + 6, 18));
	}
}

static void save_again(struct world_domain *w, size_t len)
{
	size_t size = 0;

	FUZZ_CHECK(evc_save_size(&w->evc) <= sizeof(again));
	FUZZ_CHECK(!evc_save(&w->evc, again, sizeof(again), &size));
	FUZZ_CHECK(size == len);
	compare(len);
}

/* --- one input ----------------------------------------------------------- */

/* False: in a state that cannot be saved. */
static bool save(struct world_domain *w, size_t *len)
{
	uint64_t before;
	size_t size;
	int rc;

	evc_domain_set_paused(&w->evc, true);
	size = evc_save_size(&w->evc);
	before = world_digest();
	FUZZ_CHECK(size <= sizeof(image));
	rc = evc_save(&w->evc, image, sizeof(image), len);
	FUZZ_CHECK(before == world_digest());
	if (rc) {
		FUZZ_CHECK(rc == (evb_u8_load(&w->evc.dying) ? -XEN_EINVAL
							     : -XEN_EBUSY));
		FUZZ_CHECK(rc == -XEN_EINVAL || w->evc.reset_next);
		return false;
	}
	FUZZ_CHECK(*len == size);
	/* One byte too few is refused. */
	FUZZ_CHECK(evc_save(&w->evc, again, size - 1, len) == -XEN_ENOBUFS);
	*len = size;
	return true;
}

static void restore(struct tape *t, struct world_domain *w)
{
	struct host_part host;
	uint64_t before;
	bool spoilt;
	size_t len;
	int rc;

	world.say = (struct world_answers){.no_memory = false};
	if (!save(w, &len))
		return;
	remember(w, &host);
	FUZZ_CHECK(world_destroy(w) == 0);
	tell_again(w, &host);
	len = spoil(t, len, &spoilt);
	before = world_digest();
	rc = evc_restore(&w->evc, image, len);
	world_check();
	FUZZ_CHECK(rc <= 0 && rc > -4096);
	if (rc)
		FUZZ_CHECK(before == world_digest());
	if (!spoilt) {
		FUZZ_CHECK(rc == 0);
		save_again(w, len);
	}
	/* Not twice. */
	if (!rc && w->evc.ports.nr_open)
		FUZZ_CHECK(evc_restore(&w->evc, image, len) == -XEN_EBUSY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tape t = {data, size};
	struct world_domain *w;
	unsigned int i, n;

	world_start(tape_u8(&t));
	w = &world.d[tape_u8(&t) % WORLD_DOMAINS];
	n = tape_u8(&t) % MAX_OPS;
	for (i = 0; i < n && t.left; i++)
		(void)ops_next(&t);
	restore(&t, w);
	for (i = 0; i < MAX_OPS && t.left; i++) {
		(void)ops_next(&t);
		world_check();
	}
	world_check_pages();
	world_end();
	return 0;
}
