/* SPDX-License-Identifier: MIT */
/*
 * Saving a domain: core/image.h has the format, restore.c the way back.
 *
 * What is one moment.  The domain's lock is held throughout, so the set of
 * open ports, the VIRQ and PIRQ slots and connections within the domain are
 * those of one moment.  The end of a connection to another domain may change
 * meanwhile (the peer binds, or closes); each record is read under its
 * channel's lock, and no two of them depend on each other.
 *
 * Events.  The domain is paused, its peers are not.  What they send goes to
 * the guest's memory, and is in no image.  What goes to the core's own memory
 * is the tail of a queue, and "parked" (deliver_fifo.c).  A tail that is
 * younger in guest memory than in the image is followed by restore; a port
 * parked since is pending after restore because it was connected.
 *
 * Reading order: evc_save, put_ports, then the checks.
 */
#include <evc/snapshot.h>

#include <evc/evc.h>

#include "channel.h"
#include "image.h"
#include "locking.h"
#include "port_table.h"

#define MAX_VCPUS 8192

uint32_t evc_image_crc(const uint8_t *p, uint32_t len)
{
	uint32_t crc = UINT32_MAX, i, bit;

	for (i = 0; i < len; i++) {
		crc ^= p[i];
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0xedb88320u & (0 - (crc & 1)));
	}
	return ~crc;
}

/* --- writing --------------------------------------------------------------- */

/* Locks: domain.lock held. */
static void measure(struct evc_domain *d, struct evc_image *im)
{
	im->fifo = evc_fifo_is_used(d);
	im->width = evb_ptr_load_acquire(&d->words) == &d->layout[EVC_WIDTH_64]
			    ? EVC_WIDTH_64
			    : EVC_WIDTH_32;
	im->domid = d->domid;
	im->generation = d->generation;
	im->nr_vcpus = d->nr_vcpus;
	im->nr_valid = evb_u32_load_relaxed(&d->ports.nr_valid);
	im->nr_pages = 0;
	im->nr_ports = d->ports.nr_open;
	evc_fifo_measure_locked(d, im);
}

static void put_header(const struct evc_image *im)
{
	uint8_t *p = im->byte;

	image_put32(p, IMAGE_MAGIC);
	image_put16(p + 4, EVC_SNAPSHOT_VERSION);
	p[6] = im->fifo;
	p[7] = im->width;
	image_put32(p + 8, image_length(im));
	image_put16(p + 12, im->domid);
	image_put16(p + 14, 0);
	image_put32(p + 16, im->nr_vcpus);
	image_put32(p + 20, im->nr_valid);
	image_put32(p + 24, im->nr_ports);
	image_put32(p + 28, im->nr_pages);
	image_put32(p + 32, im->generation);
	image_put32(p + 36, 0);
}

/* Locks: domain.lock held. */
static void put_vcpus(struct evc_domain *d, const struct evc_image *im)
{
	uint32_t i;

	for (i = 0; i < im->nr_vcpus; i++)
		image_put32(image_vcpu(im, i), d->vcpu[i].info_registered
						       ? IMAGE_INFO_REGISTERED
						       : 0);
}

/* The state, and what belongs to it.  Locks: the channel's. */
static void describe(const struct evc_channel *ch, struct evc_image_port *r)
{
	switch (ch->state) {
	case EVC_ST_UNBOUND:
		r->state = EVTCHNSTAT_unbound;
		r->domid = ch->u.remote_domid;
		r->detail = ch->u.remote_generation;
		break;
	case EVC_ST_INTERDOMAIN:
		r->state = EVTCHNSTAT_interdomain;
		r->domid = ch->u.peer->domain->domid;
		r->number = ch->u.peer->port;
		r->detail = ch->u.peer->domain->generation;
		break;
	case EVC_ST_PIRQ:
		r->state = EVTCHNSTAT_pirq;
		r->number = ch->u.pirq;
		r->detail = ch->u.pirq_flags;
		break;
	case EVC_ST_VIRQ:
		r->state = EVTCHNSTAT_virq;
		r->number = ch->u.virq;
		break;
	case EVC_ST_IPI:
		r->state = EVTCHNSTAT_ipi;
		break;
	case EVC_ST_FREE:
	case EVC_ST_RESERVED:
		r->state = EVTCHNSTAT_closed;
		break;
	}
}

/*
 * Parked counts only while the page is not there: after that it is a post on
 * its way, or what Xen 4.17 forgets to forget.
 */
static bool is_parked(const struct evc_channel *ch, const struct evc_image *im)
{
	return im->fifo && ch->port / EVC_FIFO_PAGE_PORTS >= im->nr_pages &&
	       evb_u8_load(&ch->parked);
}

/* Locks: the channel's. */
static uint8_t flags_of(const struct evc_channel *ch,
			const struct evc_image *im)
{
	return (uint8_t)((is_parked(ch, im) ? IMAGE_PARKED : 0) |
			 (ch->fixed ? IMAGE_FIXED : 0) |
			 (ch->notice ? IMAGE_NOTICE : 0) |
			 (ch->held == EVC_HELD_EVENT ? IMAGE_HELD : 0));
}

/* The flags a port in this state may have. */
static uint8_t flags_allowed(const struct evc_image_port *r)
{
	if (r->consumer)
		return 0;
	if (r->state == EVTCHNSTAT_interdomain)
		return IMAGE_FLAGS;
	if (r->state == EVTCHNSTAT_unbound)
		return IMAGE_FLAGS & ~IMAGE_HELD;
	return IMAGE_PARKED;
}

static void put_port(uint8_t *p, const struct evc_image_port *r)
{
	image_put32(p, r->port);
	p[4] = r->state;
	p[5] = r->flags;
	p[6] = r->priority;
	p[7] = r->consumer;
	image_put32(p + 8, r->vcpu);
	image_put16(p + 12, r->domid);
	image_put16(p + 14, r->unused);
	image_put32(p + 16, r->number);
	image_put32(p + 20, r->detail);
}

/* Locks: domain.lock held, so that exactly nr_open channels are not free. */
static void put_ports(struct evc_domain *d, const struct evc_image *im)
{
	struct evc_image_port r;
	struct evc_channel *ch;
	uint32_t port, i = 0;

	for (port = 1; port < im->nr_valid && i < im->nr_ports; port++) {
		ch = evc_port_lookup(d, port);
		r = (struct evc_image_port){.port = port};
		lock_channel(ch);
		describe(ch, &r);
		r.priority = evb_u8_load_relaxed(&ch->priority);
		r.consumer = ch->consumer;
		/* 4.17 parks what a guest wrote at a port it does not own. */
		r.flags = flags_of(ch, im) & flags_allowed(&r);
		r.vcpu = evc_notified(ch)->id;
		unlock_channel(ch);
		if (r.state != EVTCHNSTAT_closed)
			put_port(image_port(im, i++), &r);
	}
}

size_t evc_save_size(struct evc_domain *d)
{
	struct evc_image im = {0};

	lock_domain(d);
	measure(d, &im);
	unlock_domain(d);

	return image_length(&im);
}

/* Locks: domain.lock held. */
static int check_savable(struct evc_domain *d)
{
	if (!evb_u8_load(&d->paused) || evb_u8_load(&d->dying))
		return -XEN_EINVAL;
	return d->reset_next ? -XEN_EBUSY : 0;
}

int evc_save(struct evc_domain *d, void *buf, size_t size, size_t *len)
{
	struct evc_image im = {.byte = buf};
	uint32_t length = 0;
	int rc;

	lock_domain(d);
	rc = check_savable(d);
	if (!rc) {
		measure(d, &im);
		length = image_length(&im);
		rc = size < length ? -XEN_ENOBUFS : 0;
	}
	if (!rc) {
		put_header(&im);
		put_vcpus(d, &im);
		if (im.fifo)
			evc_fifo_save_locked(d, &im);
		put_ports(d, &im);
	}
	unlock_domain(d);
	if (rc)
		return rc;
	length -= IMAGE_CRC;
	image_put32(im.byte + length, evc_image_crc(im.byte, length));
	*len = length + IMAGE_CRC;

	return 0;
}

/* --- checking -------------------------------------------------------------- */

struct evc_image_port evc_image_read_port(const struct evc_image *im,
					  uint32_t i)
{
	const uint8_t *p = image_port(im, i);

	return (struct evc_image_port){
		.port = image_get32(p),
		.state = p[4],
		.flags = p[5],
		.priority = p[6],
		.consumer = p[7],
		.vcpu = image_get32(p + 8),
		.domid = image_get16(p + 12),
		.unused = image_get16(p + 14),
		.number = image_get32(p + 16),
		.detail = image_get32(p + 20),
	};
}

/* The header's numbers, so that no sum of them overflows. */
static bool has_bad_header(const struct evc_image *im)
{
	return im->byte[6] > 1 || im->width > EVC_WIDTH_64 ||
	       im->domid >= DOMID_FIRST_RESERVED ||
	       image_get16(im->byte + 14) || image_get32(im->byte + 36) ||
	       im->nr_vcpus == 0 || im->nr_vcpus > MAX_VCPUS ||
	       im->nr_valid == 0 || im->nr_valid > EVTCHN_FIFO_NR_CHANNELS ||
	       im->nr_valid % EVC_BUCKET_PORTS ||
	       im->nr_ports >= im->nr_valid ||
	       im->nr_pages > (im->fifo ? EVC_FIFO_MAX_PAGES : 0);
}

static bool has_bad_vcpu(const struct evc_image *im)
{
	uint32_t i;

	for (i = 0; i < im->nr_vcpus; i++) {
		if (image_get32(image_vcpu(im, i)) & ~IMAGE_INFO_REGISTERED)
			return true;
	}
	return false;
}

/* The record of @port, which ascending ones are searched for; or nr_ports. */
static uint32_t find_port(const struct evc_image *im, evtchn_port_t port)
{
	uint32_t low = 0, high = im->nr_ports;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (image_get32(image_port(im, mid)) < port)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < im->nr_ports && image_get32(image_port(im, low)) == port)
		return low;
	return im->nr_ports;
}

/* A connection within the domain is in the image twice, once from each end. */
static bool has_bad_peer(const struct evc_image *im,
			 const struct evc_image_port *r)
{
	struct evc_image_port peer;
	uint32_t i;

	if (r->domid >= DOMID_FIRST_RESERVED || r->number == 0 ||
	    r->number >= EVTCHN_FIFO_NR_CHANNELS)
		return true;
	if (r->domid != im->domid)
		return false;
	if (r->detail != im->generation)
		return true;
	i = find_port(im, r->number);
	if (i == im->nr_ports || r->number == r->port)
		return true;
	peer = evc_image_read_port(im, i);
	return peer.state != EVTCHNSTAT_interdomain ||
	       peer.domid != im->domid || peer.number != r->port;
}

/* What belongs to the state; what does not is zero. */
static bool has_bad_state(const struct evc_image *im,
			  const struct evc_image_port *r)
{
	switch (r->state) {
	case EVTCHNSTAT_unbound:
		return r->number;
	case EVTCHNSTAT_interdomain:
		return has_bad_peer(im, r);
	case EVTCHNSTAT_pirq:
		return r->domid || r->consumer;
	case EVTCHNSTAT_virq:
		return r->number >= NR_VIRQS || r->domid || r->detail ||
		       r->consumer;
	case EVTCHNSTAT_ipi:
		return r->number || r->domid || r->detail || r->consumer;
	default: /* a number, not a state */
		return true;
	}
}

static bool has_bad_flags(const struct evc_image *im,
			  const struct evc_image_port *r)
{
	if (r->flags & ~flags_allowed(r))
		return true;
	return r->flags & IMAGE_PARKED &&
	       (!im->fifo || r->port / EVC_FIFO_PAGE_PORTS < im->nr_pages);
}

static bool has_bad_port(const struct evc_image *im)
{
	struct evc_image_port r;
	evtchn_port_t last = 0;
	uint32_t i;

	for (i = 0; i < im->nr_ports; i++) {
		r = evc_image_read_port(im, i);
		if (r.port <= last || r.port >= im->nr_valid ||
		    r.vcpu >= im->nr_vcpus ||
		    r.priority > EVTCHN_FIFO_PRIORITY_MIN || r.unused ||
		    r.consumer > EVC_NR_CONSUMERS || has_bad_flags(im, &r) ||
		    has_bad_state(im, &r))
			return true;
		last = r.port;
	}
	return false;
}

int evc_image_open(struct evc_image *im, const void *buf, size_t len)
{
	uint32_t sum_at;

	/* Nothing is written to an image that is being read. */
	*im = (struct evc_image){.byte = (uint8_t *)(uintptr_t)buf};
	if (len < IMAGE_HEADER + IMAGE_CRC || len > UINT32_MAX ||
	    image_get32(im->byte) != IMAGE_MAGIC)
		return -XEN_EINVAL;
	if (image_get16(im->byte + 4) != EVC_SNAPSHOT_VERSION)
		return -XEN_EOPNOTSUPP;
	sum_at = (uint32_t)len - IMAGE_CRC;
	if (image_get32(im->byte + 8) != len ||
	    image_get32(im->byte + sum_at) != evc_image_crc(im->byte, sum_at))
		return -XEN_EINVAL;
	im->fifo = im->byte[6];
	im->width = im->byte[7];
	im->domid = image_get16(im->byte + 12);
	im->nr_vcpus = image_get32(im->byte + 16);
	im->nr_valid = image_get32(im->byte + 20);
	im->nr_ports = image_get32(im->byte + 24);
	im->nr_pages = image_get32(im->byte + 28);
	im->generation = image_get32(im->byte + 32);
	if (has_bad_header(im) || image_length(im) != len || has_bad_vcpu(im) ||
	    has_bad_port(im))
		return -XEN_EINVAL;
	return im->fifo ? evc_fifo_check(im) : 0;
}
