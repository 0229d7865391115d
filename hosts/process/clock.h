/* SPDX-License-Identifier: MIT */
/* The clock of deadlines, timers and patience. */
#ifndef EVP_CLOCK_H
#define EVP_CLOCK_H

#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC, ns. */
static inline int64_t evp_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

#endif /* EVP_CLOCK_H */
