/* SPDX-License-Identifier: MIT */
/*
 * The part of Xen's grant-table ABI that programs on top of a library see:
 * reserved references, the status of an operation, the direction of a copy.
 */
#ifndef ABI_GRANT_TABLE_H
#define ABI_GRANT_TABLE_H

/* A header of Xen itself has them, too. */
#ifndef GNTTAB_NR_RESERVED_ENTRIES
/* References with a meaning of their own; others are for free use. */
#define GNTTAB_NR_RESERVED_ENTRIES 8
#define GNTTAB_RESERVED_CONSOLE	   0
#define GNTTAB_RESERVED_XENSTORE   1
#endif

#ifndef GNTCOPY_source_gref
#define _GNTCOPY_source_gref (0)
#define GNTCOPY_source_gref  (1 << _GNTCOPY_source_gref)
#define _GNTCOPY_dest_gref   (1)
#define GNTCOPY_dest_gref    (1 << _GNTCOPY_dest_gref)
#endif

#ifndef GNTST_okay
#define GNTST_okay		(0)
#define GNTST_general_error	(-1)
#define GNTST_bad_domain	(-2)
#define GNTST_bad_gntref	(-3)
#define GNTST_bad_handle	(-4)
#define GNTST_bad_virt_addr	(-5)
#define GNTST_bad_dev_addr	(-6)
#define GNTST_no_device_space	(-7)
#define GNTST_permission_denied (-8)
#define GNTST_bad_page		(-9)
#define GNTST_bad_copy_arg	(-10)
#define GNTST_address_too_big	(-11)
#define GNTST_eagain		(-12)
#define GNTST_no_space		(-13)
#endif

#endif /* ABI_GRANT_TABLE_H */
