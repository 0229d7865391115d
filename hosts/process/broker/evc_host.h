/* SPDX-License-Identifier: MIT */
/* Where the core finds a hypercall's argument.  See evc_host.c. */
#ifndef EVTCHND_EVC_HOST_H
#define EVTCHND_EVC_HOST_H

#define EVD_ARG_ADDR UINT64_C(0x1000)

#endif /* EVTCHND_EVC_HOST_H */
