/* SPDX-License-Identifier: MIT */
/* Values of ABI_LAYOUT, which the command line sets: whose layout is asked. */
#ifndef ABI_LAYOUT_H
#define ABI_LAYOUT_H

#define ABI_LAYOUT_64  64  /* 64-bit x86 guest */
#define ABI_LAYOUT_32  32  /* 32-bit x86 guest */
#define ABI_LAYOUT_ARM 164 /* Arm guest, either width */

#endif /* ABI_LAYOUT_H */
