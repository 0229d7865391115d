/* SPDX-License-Identifier: MIT */
/*
 * What every fuzz target starts from: an input is a tape of bytes, read from
 * its beginning.  After its end it reads as zeros, so that every prefix of an
 * input is an input, and short ones mean something.
 *
 * A target is one function, LLVMFuzzerTestOneInput(), as libFuzzer wants it;
 * replay_main.c calls the same function for files.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says what is wrong and ends the process; both engines keep the input. */
#define FUZZ_CHECK(what)                                                 \
	do {                                                             \
		if (!(what)) {                                           \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, \
				__LINE__, #what);                        \
			abort();                                         \
		}                                                        \
	} while (0)

struct tape {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t tape_u8(struct tape *t)
{
	if (!t->left)
		return 0;
	t->left--;
	return *t->at++;
}

static inline uint16_t tape_u16(struct tape *t)
{
	uint16_t low = tape_u8(t);

	return (uint16_t)(low | tape_u8(t) << 8);
}

static inline uint32_t tape_u32(struct tape *t)
{
	uint32_t low = tape_u16(t);

	return low | (uint32_t)tape_u16(t) << 16;
}

static inline uint64_t tape_u64(struct tape *t)
{
	uint64_t low = tape_u32(t);

	return low | (uint64_t)tape_u32(t) << 32;
}

/*
 * A number of one byte: mostly small ones, which name ports, vCPUs and lines
 * that exist, and sometimes one that is next to a limit, or any at all.
 */
uint32_t tape_number(struct tape *t);
uint16_t tape_domid(struct tape *t);

/*
 * Fill a structure by its fields: w a number, h a domid, q a guest frame
 * number, o an offset in a page, . a byte of padding.
 */
void tape_fields(struct tape *t, const char *fields, void *to);

/* The fields of the structure of an event-channel operation, or "". */
const char *fuzz_op_fields(uint32_t cmd);

#define FUZZ_NR_OPS 15

/* Defined by targets whose core or guest library is built with step.h. */
void fuzz_step(void);

#endif /* FUZZ_H */
