#!/bin/sh
# SPDX-License-Identifier: MIT
# An IPI to a vCPU that is awake makes no system call, on either side.
# Usage: syscalls_ipi.sh BUILD.  Prints TAP.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/syscalls.sh
. tests/lib/syscalls.sh

trace_busy test_vcpus
few "$sent" "100000 IPIs, fewer than $limit system calls of the sender"
few "$other" \
	"and fewer than $limit of the vCPU that is awake, and of the listener"
finish
