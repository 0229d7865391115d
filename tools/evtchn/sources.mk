# SPDX-License-Identifier: MIT
# The evtchn command; replay has a list of its own.
EVTCHN_SRCS := \
	tools/evtchn/main.c \
	tools/evtchn/cli.c \
	tools/evtchn/socket.c \
	tools/evtchn/run.c \
	tools/evtchn/broker.c \
	tools/evtchn/child.c \
	tools/evtchn/hold.c \
	tools/evtchn/xen.c \
	tools/evtchn/ls.c \
	tools/evtchn/lines.c \
	tools/evtchn/virq.c \
	tools/evtchn/listing.c \
	tools/evtchn/listing_print.c

include tools/evtchn/replay.mk
