#!/bin/sh
# SPDX-License-Identifier: MIT
# test_vcpus under ThreadSanitizer: the vCPUs of a guest, and its listener,
# share its memory without a data race.  The broker is the one without.
# Usage: tsan.sh BUILD.  Prints TAP.
set -u
build=${1:-build}
EVTCHND=$build/san/bin/evtchnd
TSAN_OPTIONS=halt_on_error=1:exitcode=66
export EVTCHND TSAN_OPTIONS
exec "$build/tsan/bin/process/test_vcpus" tsan
