/* SPDX-License-Identifier: MIT */
/* Interrupt lines as a command makes them: by a connection of its own. */
#ifndef TESTS_PROCESS_LINES_H
#define TESTS_PROCESS_LINES_H

#include <abi/physdev.h>

#include "harness.h"

static inline int add_line(uint32_t line, int desc, uint32_t domid)
{
	int fd = raw_greeted();
	int rc = evp_control_line(fd, line, desc, domid);

	(void)close(fd);
	return rc;
}

static inline int permit_line(uint32_t line, uint32_t domid, bool again)
{
	int fd = raw_greeted();
	int rc = evp_control_permit(fd, line, domid, again);

	(void)close(fd);
	return rc;
}

static inline int eoi(struct evp_guest *g, uint32_t line)
{
	struct physdev_eoi op = {.irq = line};

	return evg_plat_hypercall(evp_evg(g), __HYPERVISOR_physdev_op,
				  PHYSDEVOP_eoi, &op);
}

#endif /* TESTS_PROCESS_LINES_H */
