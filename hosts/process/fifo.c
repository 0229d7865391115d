/* SPDX-License-Identifier: MIT */
/*
 * FIFO event channels: the three hypercalls, and the way back.
 *
 * They are done here, since the words are this process's memory; the broker is
 * told once that this attachment has room for EVTCHN_FIFO_NR_CHANNELS ports now.
 * One that does not know FIFO event channels goes on giving out the ports it has,
 * and those have priorities all the same.
 *
 * A frame number is an address of this process without its last 12 bits.  The
 * kernel is asked whether it can be written to, in a way that leaves what is
 * there alone: another vCPU may be using the page already.  A program that takes
 * memory away later which it has given ends by a fault of its own, as one does
 * that passes a wild pointer.
 *
 * 2-level to FIFO: what is pending in the bitmaps is parked, and posted when the
 * array page of the port comes; mask bits are not carried over.  Nobody posts
 * meanwhile.  FIFO to 2-level: by EVTCHNOP_reset, when every port has been
 * closed.
 *
 * Reading order: memory, init_control, expand_array, set_priority, leaving.
 */
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <base/bits.h>

#include "fifo.h"

/* --- memory ----------------------------------------------------------------- */

static void set_up_vcpus(struct evp_fifo *f)
{
	uint32_t i;

	for (i = 0; i < EVP_MAX_VCPUS; i++) {
		f->vcpu[i].id = i;
		f->vcpu[i].fifo = &f->queues[i];
	}
}

static struct evp_fifo *new_fifo(void)
{
	struct evp_fifo *f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				  -1, 0);

	if (f == MAP_FAILED)
		return NULL;
	f->domain.machine = &f->machine;
	f->domain.fifo = &f->fifo;
	f->fifo.vcpu = f->queues;
	set_up_vcpus(f);
	return f;
}

void evp_fifo_free(struct evp_guest *g)
{
	struct evp_fifo *f = evp_fifo_of(g);

	evb_ptr_store_release(&g->fifo, NULL);
	if (f)
		(void)munmap(f, sizeof(*f));
}

/* The channels of one page. */
static void set_up_page(struct evp_fifo *f, uint32_t page)
{
	uint32_t port = page * EVC_FIFO_PAGE_PORTS;
	uint32_t end = port + EVC_FIFO_PAGE_PORTS;

	if (f->chan[port].domain)
		return;
	for (; port < end; port++) {
		struct evc_channel *ch = &f->chan[port];

		ch->port = port;
		ch->domain = &f->domain;
		evb_u8_store_relaxed(&ch->priority,
				     EVTCHN_FIFO_PRIORITY_DEFAULT);
	}
}

/* Nothing is added to the first word, by the kernel, which can fail at it. */
static bool is_writable(unsigned char *page)
{
	static const uint32_t nobody;

	return syscall(SYS_futex, &nobody, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG,
		       0, 0L, page,
		       FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0)) >= 0 ||
	       errno != EFAULT;
}

/* NULL: no memory of ours, or not to be written to. */
static unsigned char *page_of(uint64_t frame)
{
	unsigned char *page;

	if (!frame || frame > UINTPTR_MAX >> 12)
		return NULL;
	page = (unsigned char *)(uintptr_t)(frame << 12);
	return is_writable(page) ? page : NULL;
}

/* --- init_control ----------------------------------------------------------- */

static int check_control(const struct evp_guest *g,
			 const struct evtchn_init_control *c)
{
	if (c->vcpu >= g->nr_vcpus)
		return -XEN_ENOENT;
	if (c->offset >
		    EVP_PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) ||
	    c->offset & 7)
		return -XEN_EINVAL;
	return 0;
}

static void switch_to_fifo(struct evp_guest *g, struct evp_fifo *f)
{
	uint32_t i;

	evb_ptr_store_release(&g->fifo, f);
	g->nr_2l = 0;
	for (i = 0; i < g->words.nr_ports / 32; i++)
		(void)evb_u32_or(&g->parked[i],
				 evb_u32_load(&g->words.pending[i]));
}

/* Locks: guest, all chans. */
static int give_control(struct evp_guest *g,
			const struct evtchn_init_control *c)
{
	struct evp_fifo *f = evp_fifo_of(g);
	unsigned char *page;

	if (f && evb_ptr_load_acquire(&f->queues[c->vcpu].control))
		return -XEN_EINVAL;
	page = page_of(c->control_gfn);
	if (!page)
		return -XEN_EINVAL;
	if (!f)
		f = new_fifo();
	if (!f)
		return -XEN_ENOMEM;
	evb_ptr_store_release(&f->queues[c->vcpu].control, page + c->offset);
	if (!evp_fifo_of(g))
		switch_to_fifo(g, f);
	return 0;
}

static int init_control(struct evp_guest *g, struct evtchn_init_control *c)
{
	struct evtchn_init_control note = *c;
	bool was_fifo = evp_fifo_of(g);
	int rc;

	evp_chans_lock(g);
	rc = give_control(g, c);
	evp_chans_unlock(g);
	/* Whatever it answers: we are. */
	if (!rc && !was_fifo)
		(void)evp_ask_broker(g, EVTCHNOP_init_control, &note,
				     sizeof(note));
	return rc;
}

int evp_init_control(struct evp_guest *g, void *arg)
{
	struct evtchn_init_control c;
	int rc;

	if (evp_copy_in(&c, arg, sizeof(c)))
		return -XEN_EFAULT;
	rc = check_control(g, &c);
	if (rc)
		return rc;
	evp_guest_lock(g);
	rc = init_control(g, &c);
	evp_guest_unlock(g);
	c.link_bits = EVTCHN_FIFO_LINK_BITS;
	return rc ? rc : evp_copy_out(arg, &c, sizeof(c));
}

/* --- expand_array ----------------------------------------------------------- */

/* What waited for it. */
static void post_parked(struct evp_guest *g, uint32_t page)
{
	uint32_t word = page * (EVC_FIFO_PAGE_PORTS / 32);
	uint32_t end = word + EVC_FIFO_PAGE_PORTS / 32;
	uint64_t bits;

	for (; word < end; word++) {
		bits = evb_u32_xchg(&g->parked[word], 0);
		for (; bits; bits = evb_without_lowest_bit(bits))
			evp_post(g, word * 32 + evb_lowest_bit(bits));
	}
}

/* Locks: guest, all chans. */
static int give_page(struct evp_guest *g, uint64_t frame)
{
	struct evp_fifo *f = evp_fifo_of(g);
	unsigned char *page;

	if (!f)
		return -XEN_EOPNOTSUPP;
	if (f->fifo.nr_pages == EVC_FIFO_MAX_PAGES)
		return -XEN_ENOSPC;
	page = page_of(frame);
	if (!page)
		return -XEN_EINVAL;
	set_up_page(f, f->fifo.nr_pages);
	evb_ptr_store_release(&f->fifo.array[f->fifo.nr_pages], page);
	post_parked(g, f->fifo.nr_pages++);
	return 0;
}

int evp_expand_array(struct evp_guest *g, const void *arg)
{
	struct evtchn_expand_array op;
	int rc;

	if (evp_copy_in(&op, arg, sizeof(op)))
		return -XEN_EFAULT;
	evp_guest_lock(g);
	evp_chans_lock(g);
	rc = give_page(g, op.array_gfn);
	evp_chans_unlock(g);
	evp_guest_unlock(g);
	return rc;
}

/* --- set_priority ----------------------------------------------------------- */

/* The page of the port may be missing still. */
static void prefer(struct evp_guest *g, const struct evtchn_set_priority *op)
{
	struct evp_fifo *f = evp_fifo_of(g);

	evp_chans_lock(g);
	set_up_page(f, op->port / EVC_FIFO_PAGE_PORTS);
	evb_u8_store_relaxed(&f->chan[op->port].priority,
			     (uint8_t)op->priority);
	evp_chans_unlock(g);
}

static int set_priority(struct evp_guest *g,
			const struct evtchn_set_priority *op)
{
	int rc;
	bool open = evp_is_open(g, op->port, &rc);

	if (!evp_fifo_of(g))
		return rc ? rc : -XEN_ENOSYS;
	if (!open)
		return rc ? rc : -XEN_EACCES;
	if (op->priority > EVTCHN_FIFO_PRIORITY_MIN)
		return -XEN_EINVAL;
	prefer(g, op);
	return 0;
}

int evp_set_priority(struct evp_guest *g, const void *arg)
{
	struct evtchn_set_priority op;
	int rc;

	if (evp_copy_in(&op, arg, sizeof(op)))
		return -XEN_EFAULT;
	evp_guest_lock(g);
	rc = set_priority(g, &op);
	evp_guest_unlock(g);
	return rc;
}

/* --- leaving ---------------------------------------------------------------- */

static void leave(struct evp_guest *g)
{
	uint32_t i;

	evp_chans_lock(g);
	g->nr_2l = g->words.nr_ports;
	for (i = 0; i < EVTCHN_FIFO_NR_CHANNELS / 32; i++)
		(void)evb_u32_xchg(&g->parked[i], 0);
	evp_fifo_free(g);
	evp_chans_unlock(g);
}

void evp_note_reset(struct evp_guest *g, const void *arg)
{
	struct evtchn_reset op;

	memcpy(&op, arg, sizeof(op));
	if (evp_fifo_of(g) && (op.dom == DOMID_SELF || op.dom == g->domid))
		leave(g);
}
