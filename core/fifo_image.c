/* SPDX-License-Identifier: MIT */
/*
 * Saving and restoring what is special to FIFO event channels.
 *
 * Of a queue the image has the tail only.  Two facts make that enough.
 *
 *   - A tail that is not LINKED belongs to an empty queue and is as good as
 *     none: it is saved as 0.  So every tail in an image is in its queue, a port
 *     is the tail of at most one, and fifo_last follows from the tails (for
 *     all other ports any queue will do, deliver_fifo.c).
 *   - The guest is paused.  Between save and restore a queue can only have
 *     grown, by what peers sent to the old hypervisor; the guest's own words
 *     lead from the saved tail, or from the head if there was none, to the
 *     last one.
 *
 * The words are the guest's, so the way along them is bounded, every port on
 * it is checked, and where it ends matters to that guest alone.
 */
#include <evc/evc.h>

#include "fifo.h"
#include "image.h"
#include "locking.h"
#include "port_table.h"

#define PAGE_SIZE 4096
#define LINKED	  ((uint32_t)1 << EVTCHN_FIFO_LINKED)

bool evc_fifo_is_used(const struct evc_domain *d)
{
	return evc_deliver_of(d) == &evc_deliver_fifo;
}

/* The word of any port at all, or NULL. */
static evb_u32 *word_of(const struct evc_domain *d, evtchn_port_t port)
{
	evb_u32 *page;

	if (!port || port >= evb_u32_load_relaxed(&d->ports.nr_valid))
		return NULL;
	page = evb_ptr_load(&d->fifo->array[port / EVC_FIFO_PAGE_PORTS]);
	return page ? page + port % EVC_FIFO_PAGE_PORTS : NULL;
}

static bool is_linked(const struct evc_domain *d, evtchn_port_t port)
{
	const evb_u32 *word = word_of(d, port);

	return word && evb_u32_load(word) & LINKED;
}

/* --- saving ---------------------------------------------------------------- */

void evc_fifo_measure_locked(const struct evc_domain *d, struct evc_image *im)
{
	if (im->fifo)
		im->nr_pages = d->fifo->nr_pages;
}

/* With the queue's lock its tail cannot go to another queue meanwhile. */
static uint32_t save_tail(struct evc_domain *d, struct evc_fifo_queue *q)
{
	uint32_t tail;

	evb_lock(&q->lock, evc_host_relax);
	tail = is_linked(d, q->tail) ? q->tail : 0;
	evb_unlock(&q->lock);

	return tail;
}

static void save_vcpu(struct evc_domain *d, struct evc_fifo_vcpu *fv,
		      uint8_t *p)
{
	uintptr_t control = (uintptr_t)evb_ptr_load_acquire(&fv->control);
	uint32_t prio;

	image_put64(p, control ? fv->control_gfn : 0);
	image_put32(p + 8, control % PAGE_SIZE);
	image_put32(p + 12, control ? IMAGE_HAS_CONTROL : 0);
	for (prio = 0; prio < EVTCHN_FIFO_MAX_QUEUES; prio++)
		image_put32(p + 16 + prio * 4,
			    control ? save_tail(d, &fv->queue[prio]) : 0);
}

void evc_fifo_save_locked(struct evc_domain *d, const struct evc_image *im)
{
	uint32_t i;

	for (i = 0; i < im->nr_vcpus; i++)
		save_vcpu(d, &d->fifo->vcpu[i], image_fifo_vcpu(im, i));
	for (i = 0; i < im->nr_pages; i++)
		image_put64(image_fifo_page(im, i), d->fifo->array_gfn[i]);
}

/* --- checking -------------------------------------------------------------- */

static bool has_control(const uint8_t *p)
{
	return image_get32(p + 12) & IMAGE_HAS_CONTROL;
}

/* As init_control would; without a block everything is zero. */
static bool has_bad_control(const uint8_t *p)
{
	uint32_t offset = image_get32(p + 8);

	if (image_get32(p + 12) & ~IMAGE_HAS_CONTROL)
		return true;
	if (!has_control(p))
		return offset || image_get64(p);
	return offset & 7 ||
	       offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block);
}

static bool has_bad_tail(const struct evc_image *im, const uint8_t *p)
{
	uint32_t prio, tail;

	for (prio = 0; prio < EVTCHN_FIFO_MAX_QUEUES; prio++) {
		tail = image_get32(p + 16 + prio * 4);
		if (tail && (!has_control(p) || tail >= im->nr_valid ||
			     tail / EVC_FIFO_PAGE_PORTS >= im->nr_pages))
			return true;
	}
	return false;
}

int evc_fifo_check(const struct evc_image *im)
{
	bool any = false;
	uint32_t i;

	for (i = 0; i < im->nr_vcpus; i++) {
		const uint8_t *p = image_fifo_vcpu(im, i);

		if (has_bad_control(p) || has_bad_tail(im, p))
			return -XEN_EINVAL;
		any |= has_control(p);
	}
	/* The first block is what makes it a FIFO domain. */
	return any ? 0 : -XEN_EINVAL;
}

/* --- restoring ------------------------------------------------------------- */

static int map_control(struct evc_domain *d, struct evc_fifo_vcpu *fv,
		       const uint8_t *p)
{
	unsigned char *page;

	if (!has_control(p))
		return 0;
	fv->control_gfn = image_get64(p);
	page = evc_host_map_frame(d, fv->control_gfn);
	if (!page)
		return -XEN_EINVAL;
	evb_ptr_store_release(&fv->control, page + image_get32(p + 8));
	return 0;
}

static int map_page(struct evc_domain *d, uint64_t gfn)
{
	struct evc_fifo *f = d->fifo;
	void *page = evc_host_map_frame(d, gfn);

	if (!page)
		return -XEN_EINVAL;
	f->array_gfn[f->nr_pages] = gfn;
	evb_ptr_store(&f->array[f->nr_pages++], page);
	return 0;
}

static void set_tails(struct evc_domain *d, const struct evc_image *im)
{
	uint32_t i, prio, tail;

	for (i = 0; i < im->nr_vcpus; i++) {
		for (prio = 0; prio < EVTCHN_FIFO_MAX_QUEUES; prio++) {
			tail = image_get32(image_fifo_vcpu(im, i) + 16 +
					   prio * 4);
			d->fifo->vcpu[i].queue[prio].tail = tail;
			if (tail)
				evb_u32_store_relaxed(
					&evc_port_lookup(d, tail)->fifo_last,
					i * EVTCHN_FIFO_MAX_QUEUES + prio);
		}
	}
}

/* Of two queues with one tail the port remembers the later one only. */
static int check_tails(struct evc_domain *d, const struct evc_image *im)
{
	const struct evc_channel *ch;
	uint32_t id, tail;

	for (id = 0; id < im->nr_vcpus * EVTCHN_FIFO_MAX_QUEUES; id++) {
		tail = d->fifo->vcpu[id / EVTCHN_FIFO_MAX_QUEUES]
			       .queue[id % EVTCHN_FIFO_MAX_QUEUES]
			       .tail;
		ch = tail ? evc_port_lookup(d, tail) : NULL;
		if (ch && evb_u32_load_relaxed(&ch->fifo_last) != id)
			return -XEN_EINVAL;
	}
	return 0;
}

int evc_fifo_prepare_locked(struct evc_domain *d, const struct evc_image *im)
{
	uint32_t i;
	int rc = 0;

	if (!im->fifo)
		return 0;
	if (!d->fifo)
		return -XEN_EOPNOTSUPP;
	for (i = 0; i < im->nr_vcpus && !rc; i++)
		rc = map_control(d, &d->fifo->vcpu[i], image_fifo_vcpu(im, i));
	for (i = 0; i < im->nr_pages && !rc; i++)
		rc = map_page(d, image_get64(image_fifo_page(im, i)));
	if (!rc) {
		set_tails(d, im);
		rc = check_tails(d, im);
	}
	if (rc)
		evc_fifo_unmap_locked(d);
	return rc;
}

/*
 * Where the queue ends now.  @left: steps left, for all queues of the domain
 * together; a port is in one queue, so a well-behaved guest does not use them
 * up.
 */
static uint32_t last_of(const struct evc_domain *d, uint32_t port,
			uint32_t *left)
{
	uint32_t next;

	if (!is_linked(d, port))
		return 0;
	while (*left) {
		next = evb_u32_load(word_of(d, port)) & EVTCHN_FIFO_LINK_MASK;
		if (!is_linked(d, next))
			break;
		port = next;
		--*left;
	}
	return port;
}

static void follow_queue(struct evc_domain *d, uint32_t id, uint32_t *left)
{
	struct evc_fifo_vcpu *fv = &d->fifo->vcpu[id / EVTCHN_FIFO_MAX_QUEUES];
	uint32_t prio = id % EVTCHN_FIFO_MAX_QUEUES;
	struct evc_fifo_queue *q = &fv->queue[prio];
	struct evtchn_fifo_control_block *control =
		evb_ptr_load_acquire(&fv->control);
	uint32_t from = q->tail;

	if (!control)
		return;
	/* It was empty; READY says that it has been filled since. */
	if (!from && evb_test_bit((evb_u32 *)(void *)&control->ready, prio))
		from = evb_u32_load((evb_u32 *)(void *)&control->head[prio]);
	q->tail = last_of(d, from, left);
	if (q->tail)
		evb_u32_store_relaxed(&evc_port_lookup(d, q->tail)->fifo_last,
				      id);
}

void evc_fifo_enter_locked(struct evc_domain *d, const struct evc_image *im)
{
	uint32_t left = im->nr_valid;
	uint32_t id;

	if (!im->fifo)
		return;
	for (id = 0; id < im->nr_vcpus * EVTCHN_FIFO_MAX_QUEUES; id++)
		follow_queue(d, id, &left);
	evc_deliver_set(d, &evc_deliver_fifo);
}
