# SPDX-License-Identifier: MIT
# The evtchn command; replay has a list of its own.
EVTCHN_SRCS := \
	tools/evtchn/main.c \
	tools/evtchn/cli.c \
	tools/evtchn/socket.c \
	tools/evtchn/session.c \
	tools/evtchn/resume.c \
	tools/evtchn/port.c \
	tools/evtchn/alloc.c \
	tools/evtchn/bind.c \
	tools/evtchn/notify.c \
	tools/evtchn/wait.c \
	tools/evtchn/close.c \
	tools/evtchn/run.c \
	tools/evtchn/broker.c \
	tools/evtchn/child.c \
	tools/evtchn/hold.c \
	tools/evtchn/xen.c \
	tools/evtchn/ls.c \
	tools/evtchn/lines.c \
	tools/evtchn/virq.c \
	tools/evtchn/listing.c \
	tools/evtchn/json.c \
	tools/evtchn/sample.c \
	tools/evtchn/sample_print.c \
	tools/evtchn/stat.c \
	tools/evtchn/top.c \
	tools/evtchn/graph.c \
	tools/evtchn/bench.c \
	tools/evtchn/scratch.c \
	tools/evtchn/tracing.c \
	tools/evtchn/tracing_read.c \
	tools/evtchn/tracing_pair.c \
	tools/evtchn/tracing_print.c \
	tools/evtchn/listing_print.c

include tools/evtchn/replay.mk
