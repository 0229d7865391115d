/* SPDX-License-Identifier: MIT */
/*
 * Emits the table.  The includer has included the headers under test, defined
 * ABI_LAYOUT, and defined W(tag), its tag for a structure of that layout.
 */
#include <stddef.h>
#include <stdint.h>
#include "table.h"

#define ITEM(label, number) {label, TABLE_ITEM, 0, (uint64_t)(number)},

#define GROUP(header)		     {#header, TABLE_GROUP, 0, 0},
#define CONST(name)		     ITEM(#name, name)
#define CONST_NEW(name)		     ITEM(#name, name)
#define CONST_AS(name, ours, theirs) ITEM(#name, PICK(ours, theirs))

#define STRUCT_AS(label, tag) ITEM("struct " label " size", sizeof(struct tag))
#define MEMBER_AS(label, tag, member)               \
	ITEM("struct " label "." #member " offset", \
	     offsetof(struct tag, member))          \
	ITEM("struct " label "." #member " size",   \
	     sizeof(((struct tag *)0)->member))

#define STRUCT(tag)	      STRUCT_AS(#tag, tag)
#define STRUCT_W(tag)	      STRUCT_AS(#tag, W(tag))
#define MEMBER(tag, member)   MEMBER_AS(#tag, tag, member)
#define MEMBER_W(tag, member) MEMBER_AS(#tag, W(tag), member)
#define ALIGN_AS(label, tag) \
	ITEM("struct " label " alignment", _Alignof(struct tag))
#define ALIGN_W(tag) ALIGN_AS(#tag, W(tag))

/* clang-format off */
const struct table_entry abi_table[]
	__attribute__((section(".abi_table"), used)) = {
#include "items.def"
};
/* clang-format on */
