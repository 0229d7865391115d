/* SPDX-License-Identifier: MIT */
/* What must be true of the core's own memory between two calls: check.c. */
#ifndef FUZZ_CHECK_H
#define FUZZ_CHECK_H

#include <evc/evc.h>

void check_machine(const struct evc_machine *m);
void check_domain(const struct evc_domain *d);

/* After evc_domain_destroy(): as check_domain(), and nothing is left. */
void check_destroyed(const struct evc_domain *d);

/* The domain reads and writes FIFO pages. */
bool check_is_fifo(const struct evc_domain *d);

#endif /* FUZZ_CHECK_H */
