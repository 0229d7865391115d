#!/bin/sh
# SPDX-License-Identifier: MIT
# What holds for 2-level guests holds for FIFO ones: programs of this folder once
# more, with every guest switched over as it attaches; the vCPUs, and the tests
# of FIFO itself, under ThreadSanitizer, too.
# Usage: fifo.sh BUILD.  Prints TAP.
set -u
build=${1:-build}
n=0
failed=0
TSAN_OPTIONS=halt_on_error=1:exitcode=66
EVTCHND=$build/san/bin/evtchnd
export TSAN_OPTIONS EVTCHND

verdict() { # NAME PROGRAM [ARGUMENT]
	name=$1
	shift
	n=$((n + 1))
	if out=$("$@" 2>&1); then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		echo "$out" | sed 's/^/# /'
		failed=1
	fi
}

for t in async events takeover vcpus; do
	verdict "test_$t, all guests FIFO" "$build/test/fifo/test_$t"
done
verdict "test_vcpus, all guests FIFO, ThreadSanitizer" \
	"$build/tsan/bin/process/fifo_vcpus" tsan
verdict "test_fifo, ThreadSanitizer" "$build/tsan/bin/process/test_fifo"
echo "1..$n"
[ "$failed" = 0 ]
