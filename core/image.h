/* SPDX-License-Identifier: MIT */
/*
 * The format of a saved domain, shared by the files that write, check and read
 * it.  docs/snapshot.md has the table.  All integers are little-endian bytes,
 * written and read one by one: no structure of the core is the format.
 *
 *   header            IMAGE_HEADER
 *   vCPUs             nr_vcpus * IMAGE_VCPU
 *   FIFO only: per vCPU  nr_vcpus * IMAGE_FIFO_VCPU
 *   FIFO only: pages  nr_pages * IMAGE_FIFO_PAGE
 *   ports             nr_ports * IMAGE_PORT, ascending
 *   checksum          IMAGE_CRC
 */
#ifndef CORE_IMAGE_H
#define CORE_IMAGE_H

#include <evc/storage.h>

#define IMAGE_MAGIC	0x53435645u /* "EVCS" */
#define IMAGE_HEADER	40u
#define IMAGE_VCPU	4u
#define IMAGE_FIFO_VCPU 80u
#define IMAGE_FIFO_PAGE 8u
#define IMAGE_PORT	24u
#define IMAGE_CRC	4u

/* Of a vCPU. */
#define IMAGE_INFO_REGISTERED 1u
/* Of a vCPU's FIFO part. */
#define IMAGE_HAS_CONTROL 1u
/* Of a port. */
#define IMAGE_PARKED 1u
#define IMAGE_FIXED  2u
#define IMAGE_NOTICE 4u
#define IMAGE_HELD   8u
#define IMAGE_FLAGS  15u

/* What the header says, and where the parts are. */
struct evc_image {
	uint8_t *byte;
	bool fifo;
	uint8_t width; /* enum evc_width */
	domid_t domid;
	uint32_t generation;
	uint32_t nr_vcpus;
	uint32_t nr_valid; /* ports that exist */
	uint32_t nr_pages; /* FIFO */
	uint32_t nr_ports; /* records: open ports */
};

/* One record.  @state is an EVTCHNSTAT_*, which is fixed for ever. */
struct evc_image_port {
	evtchn_port_t port;
	uint8_t state;
	uint8_t flags;
	uint8_t priority;
	uint8_t consumer;
	uint32_t vcpu;
	domid_t domid;	 /* who may bind, or the peer's */
	uint16_t unused; /* 0 */
	uint32_t number; /* peer's port, VIRQ or PIRQ */
	uint32_t detail; /* peer's generation, or the flags of a PIRQ */
};

static inline void image_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void image_put32(uint8_t *p, uint32_t v)
{
	image_put16(p, (uint16_t)v);
	image_put16(p + 2, (uint16_t)(v >> 16));
}

static inline void image_put64(uint8_t *p, uint64_t v)
{
	image_put32(p, (uint32_t)v);
	image_put32(p + 4, (uint32_t)(v >> 32));
}

static inline uint16_t image_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t image_get32(const uint8_t *p)
{
	return image_get16(p) | (uint32_t)image_get16(p + 2) << 16;
}

static inline uint64_t image_get64(const uint8_t *p)
{
	return image_get32(p) | (uint64_t)image_get32(p + 4) << 32;
}

/* Where the parts are: offsets, of an image that may not exist yet. */
static inline uint32_t image_at_fifo(const struct evc_image *im)
{
	return IMAGE_HEADER + im->nr_vcpus * IMAGE_VCPU;
}

static inline uint32_t image_at_pages(const struct evc_image *im)
{
	return image_at_fifo(im) +
	       (im->fifo ? im->nr_vcpus * IMAGE_FIFO_VCPU : 0);
}

static inline uint32_t image_at_ports(const struct evc_image *im)
{
	return image_at_pages(im) + im->nr_pages * IMAGE_FIFO_PAGE;
}

static inline uint32_t image_length(const struct evc_image *im)
{
	return image_at_ports(im) + im->nr_ports * IMAGE_PORT + IMAGE_CRC;
}

static inline uint8_t *image_vcpu(const struct evc_image *im, uint32_t vcpu)
{
	return im->byte + IMAGE_HEADER + vcpu * IMAGE_VCPU;
}

static inline uint8_t *image_fifo_vcpu(const struct evc_image *im,
				       uint32_t vcpu)
{
	return im->byte + image_at_fifo(im) + vcpu * IMAGE_FIFO_VCPU;
}

static inline uint8_t *image_fifo_page(const struct evc_image *im,
				       uint32_t page)
{
	return im->byte + image_at_pages(im) + page * IMAGE_FIFO_PAGE;
}

static inline uint8_t *image_port(const struct evc_image *im, uint32_t i)
{
	return im->byte + image_at_ports(im) + i * IMAGE_PORT;
}

/* CRC-32 as in Ethernet, bit by bit: speed does not matter, a table would. */
uint32_t evc_image_crc(const uint8_t *p, uint32_t len);

struct evc_image_port evc_image_read_port(const struct evc_image *im,
					  uint32_t i);

/*
 * Read the header of @len bytes and check everything that can be checked
 * without a domain.   -XEN_EINVAL; another version: -XEN_EOPNOTSUPP
 */
int evc_image_open(struct evc_image *im, const void *buf, size_t len);

/* --- the FIFO parts: fifo_image.c or fifo_none.c --------------------------- */

/* Does @d use FIFO event channels?  Locks: domain.lock held. */
bool evc_fifo_is_used(const struct evc_domain *d);

/* Fill im->nr_pages; write the parts.  Locks: domain.lock held. */
void evc_fifo_measure_locked(const struct evc_domain *d, struct evc_image *im);
void evc_fifo_save_locked(struct evc_domain *d, const struct evc_image *im);

/* Of evc_image_open(). */
int evc_fifo_check(const struct evc_image *im);

/*
 * Map the frames and set the tails, while @d still is a 2-level domain.  An
 * error leaves nothing behind.   -XEN_EINVAL: a frame was refused, or one port
 * is the tail of two queues; -XEN_EOPNOTSUPP: no memory for FIFO
 * Locks: domain.lock held.
 */
int evc_fifo_prepare_locked(struct evc_domain *d, const struct evc_image *im);

/* Switch over.  Locks: domain.lock held. */
void evc_fifo_enter_locked(struct evc_domain *d, const struct evc_image *im);

#endif /* CORE_IMAGE_H */
