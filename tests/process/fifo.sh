#!/bin/sh
# SPDX-License-Identifier: MIT
# What holds for 2-level guests holds for FIFO ones: programs of this folder once
# more, with every guest switched over as it attaches; the vCPUs, and the tests
# of FIFO itself, under ThreadSanitizer, too.
# Usage: fifo.sh BUILD.  Prints TAP.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

export TSAN_OPTIONS=halt_on_error=1:exitcode=66
export EVTCHND="$build/san/bin/evtchnd"

for t in async events takeover vcpus; do
	check "test_$t, all guests FIFO" "$build/test/fifo/test_$t"
done
check "test_vcpus, all guests FIFO, ThreadSanitizer" \
	"$build/tsan/bin/process/fifo_vcpus" tsan
check "test_fifo, ThreadSanitizer" "$build/tsan/bin/process/test_fifo"
finish
