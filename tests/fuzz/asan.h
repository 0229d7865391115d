/* SPDX-License-Identifier: MIT */
/* Telling AddressSanitizer which memory is not to be touched, if it is there. */
#ifndef FUZZ_ASAN_H
#define FUZZ_ASAN_H

#include <sanitizer/asan_interface.h>

/* For the guest, who may touch his memory at any time. */
#define NO_ASAN __attribute__((no_sanitize("address")))

#endif /* FUZZ_ASAN_H */
