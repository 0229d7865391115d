#!/bin/sh
# SPDX-License-Identifier: MIT
# A busy sender with an awake receiver makes no system call per event.
# Usage: syscalls.sh BUILD.  Prints TAP.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/syscalls.sh
. tests/lib/syscalls.sh

trace_busy test_events
few "$sent" "100000 sends, fewer than $limit system calls of the sender"
few "$other" "and fewer than $limit of the awake receiver"
finish
