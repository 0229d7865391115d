#!/bin/sh
# SPDX-License-Identifier: MIT
# test_vcpus under ThreadSanitizer: the vCPUs of a guest, and its listener,
# share its memory without a data race.  The broker is the one without.
# Usage: tsan.sh BUILD.  Prints TAP.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

export TSAN_OPTIONS=halt_on_error=1:exitcode=66
export EVTCHND="$build/san/bin/evtchnd"

# What says why comes last: that is what is shown of stderr.
at_end()
{
	cat "$dir/log" >&2
	telling >&2
}

"$build/tsan/bin/process/test_vcpus" tsan 2>"$dir/log"
