/* SPDX-License-Identifier: MIT */
/* The table according to the public headers of Xen (package libxen-dev). */
#include <stdint.h>
#define __XEN_INTERFACE_VERSION__ 0x00040d00
#include <xen/xen.h>

/* A few names are visible to Xen only; xen.h itself must not notice. */
#define __XEN__ 1
#include <xen/errno.h>
#include <xen/event_channel.h>
#undef __XEN__

#include <xen/callback.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/hvm/params.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#if defined(__i386__) || defined(__x86_64__)
#include <xen/arch-x86/cpuid.h>
#endif
#include "layout.h"
#include "table.h"

#define PICK(ours, theirs) theirs
#define W(tag)		   tag

/* Newer than some headers we are compared with: see CONST_NEW. */
#ifndef DOMID_ANY
#define DOMID_ANY TABLE_ABSENT
#endif

#include "emit.h"
