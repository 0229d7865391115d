# SPDX-License-Identifier: MIT
# `evtchn replay`.  Needs cli.c, the simulator and the core.
REPLAY_SRCS := \
	tools/evtchn/replay.c \
	tools/evtchn/trace_parse.c \
	tools/evtchn/trace_ops.c \
	tools/evtchn/trace_world.c \
	tools/evtchn/trace_memory.c \
	tools/evtchn/trace_ctl.c \
	tools/evtchn/trace_run.c
