# SPDX-License-Identifier: MIT
# The simulator: many domains in one process.  Needs the core and a libc.
SIM_SRCS := \
	hosts/sim/machine.c \
	hosts/sim/hooks.c \
	hosts/sim/schedule.c \
	hosts/sim/guest_trap.c
