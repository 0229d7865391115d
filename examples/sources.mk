# SPDX-License-Identifier: MIT
# One program a file: build/bin/alice_domU from examples/alice_domU.c, ...
EXAMPLES := alice_domU alice_dom0 notify_dom0_2010 notify_dom0_bare introspect \
	pirq_uart store_dom0 store_domU timer
EXAMPLE_SRCS := $(EXAMPLES:%=examples/%.c)
