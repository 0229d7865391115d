#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh BUILD: processes that die, and what becomes of the others.  Prints TAP.

set -u

build=$(realpath "${1:-build}")
cd "$(dirname "$0")/../.." || exit 1
dir=$(mktemp -d) || exit 1
export EVTCHN_SOCKET="$dir/sock"
unset EVTCHN_FD EVTCHN_DOMAIN EVTCHN_DEVICE EVTCHN_NOTICE
number=0
broker=

cleanup()
{
	[ -n "$broker" ] && kill "$broker" 2>/dev/null && wait "$broker"
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

# check NAME COMMAND...: one TAP line; what it says about itself, "# ...", too.
check()
{
	name=$1
	shift
	number=$((number + 1))
	if ("$@") >"$dir/log" 2>&1; then
		grep '^#' "$dir/log"
		echo "ok $number - $name"
	else
		echo "not ok $number - $name"
		tail -n 40 "$dir/log" | sed 's/^/# /'
	fi
}

start_broker()
{
	mkfifo "$dir/ready" || exit 1
	"$build/bin/evtchnd" --ready-fd 4 4>"$dir/ready" &
	broker=$!
	head -c 1 "$dir/ready" >/dev/null
	rm "$dir/ready"
}

stop_broker()
{
	kill "$broker" && wait "$broker"
	status=$?
	broker=
	return $status
}

cmocka=$(ls tests/faults/test_*.c)
echo "1..$(($(echo "$cmocka" | wc -l) + 2))"

for t in $cmocka; do
	t=$(basename "$t" .c)
	check "$t" env CMOCKA_MESSAGE_OUTPUT=TAP timeout 300 \
		"$build/test/faults/$t"
done

start_broker
check "a killed peer is an event within 10 ms" timeout 60 \
	"$build/test/faults/latency" "$EVTCHN_SOCKET"
stop_broker

# A minute is what it takes to meet most of what can happen at a bad moment.
seconds=${FAULT_SECONDS:-60}
seed=${FAULT_SEED:-$(date +%s)}
check "$seconds s of kills and stops under load (FAULT_SEED=$seed)" \
	timeout $((seconds * 4 + 120)) "$build/test/faults/storm" \
	"$build/san/bin/evtchnd" "$dir/storm" "$seconds" "$seed"
