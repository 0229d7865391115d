/* SPDX-License-Identifier: MIT */
/*
 * From bytes to numbers that are worth trying.  A fuzzer that had to find a
 * port number among four thousand million would not get far; one that could
 * not say 0xffffffff would not find much.
 */
#include "fuzz.h"

#include <abi/event_channel.h>
#include <abi/xen.h>

#define NR(a) (sizeof(a) / sizeof((a)[0]))

uint32_t tape_number(struct tape *t)
{
	static const uint32_t limits[] = {
		UINT32_MAX, 0x80000000, INT32_MAX, 0x7ff0, 255,	   256,
		1022,	    1023,	1024,	   1025,   1279,   1280,
		4095,	    4096,	65535,	   65536,  131071, 131072,
	};
	uint8_t b = tape_u8(t);

	if (b < 192)
		return b;
	if (b < 192 + NR(limits))
		return limits[b - 192];
	return tape_u32(t);
}

uint16_t tape_domid(struct tape *t)
{
	static const uint16_t special[] = {
		DOMID_IO,   DOMID_XEN, DOMID_COW, DOMID_INVALID, DOMID_ANY,
		DOMID_IDLE, 0x7fef,    0xffff,	  0x8000,
	};
	uint8_t b = tape_u8(t);

	if (b < 128)
		return b % 4;
	if (b < 192)
		return DOMID_SELF;
	if (b < 192 + NR(special))
		return special[b - 192];
	return tape_u16(t);
}

static uint64_t tape_frame(struct tape *t)
{
	uint8_t b = tape_u8(t);

	if (b < 224)
		return b % 8;
	return b < 240 ? tape_number(t) : tape_u64(t);
}

static uint32_t tape_offset(struct tape *t)
{
	uint8_t b = tape_u8(t);

	if (b < 128)
		return b * 8u;
	return b < 192 ? 4096 - (b - 128u) * 4 : tape_number(t);
}

void tape_fields(struct tape *t, const char *fields, void *to)
{
	uint8_t *at = to;
	uint64_t value;
	size_t size;

	for (; *fields; fields++) {
		value = 0;
		size = 1;
		if (*fields == 'w') {
			value = tape_number(t);
			size = 4;
		} else if (*fields == 'h') {
			value = tape_domid(t);
			size = 2;
		} else if (*fields == 'q') {
			value = tape_frame(t);
			size = 8;
		} else if (*fields == 'o') {
			value = tape_offset(t);
			size = 4;
		}
		memcpy(at, &value, size); /* little-endian */
		at += size;
	}
}

const char *fuzz_op_fields(uint32_t cmd)
{
	static const char *const fields[FUZZ_NR_OPS] = {
		[EVTCHNOP_bind_interdomain] = "h..w....",
		[EVTCHNOP_bind_virq] = "ww....",
		[EVTCHNOP_bind_pirq] = "ww....",
		[EVTCHNOP_close] = "w",
		[EVTCHNOP_send] = "w",
		[EVTCHNOP_status] = "h..w................",
		[EVTCHNOP_alloc_unbound] = "hh....",
		[EVTCHNOP_bind_ipi] = "w....",
		[EVTCHNOP_bind_vcpu] = "ww",
		[EVTCHNOP_unmask] = "w",
		[EVTCHNOP_reset] = "h",
		[EVTCHNOP_init_control] = "qow........",
		[EVTCHNOP_expand_array] = "q",
		[EVTCHNOP_set_priority] = "ww",
		[EVTCHNOP_reset_cont] = "h",
	};

	return cmd < FUZZ_NR_OPS ? fields[cmd] : "";
}
