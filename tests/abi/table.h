/* SPDX-License-Identifier: MIT */
/*
 * The table that ours.c and theirs.c build from items.def.
 *
 * It is all constant data in a section of its own, so that run.sh can cut it
 * out of an object file that cannot be run here (-m32, Arm).  Entries carry
 * their names; compare.c therefore knows nothing of items.def.
 */
#ifndef ABI_TABLE_H
#define ABI_TABLE_H

#include <stdint.h>

/* Value of a CONST_NEW that the headers do not have. */
#define TABLE_ABSENT UINT64_C(0xab5e47ab5e47ab5e)

/* Kind of an entry. */
#define TABLE_GROUP 0
#define TABLE_ITEM  1

struct table_entry {
	char name[88];
	uint32_t kind;
	uint32_t zero;
	uint64_t value;
};

#endif /* ABI_TABLE_H */
