#!/bin/sh
# SPDX-License-Identifier: MIT
# A busy sender with an awake receiver makes no system call per event: trace
# both, and count what lies between the two marks (getppid) of the sender.
# Usage: syscalls.sh BUILD.  Prints TAP.
set -u
build=${1:-build}
limit=20

if ! command -v strace >/dev/null || ! strace -o /dev/null true 2>/dev/null; then
	[ "${CI:-}" = true ] && echo "1..1" && echo "not ok 1 - no strace here" && exit 1
	echo "1..0 # SKIP strace is not installed, or not allowed here"
	exit 0
fi
dir=$(mktemp -d) || exit 1
broker=
trap 'kill $broker 2>/dev/null; rm -rf "$dir"' EXIT
EVTCHN_SOCKET=$dir/sock
export EVTCHN_SOCKET
mkfifo "$dir/ready"
"$build/san/bin/evtchnd" --ready-fd 3 3>"$dir/ready" &
broker=$!
head -c1 "$dir/ready" >/dev/null

echo 1..3
ASAN_OPTIONS=detect_leaks=0 strace -f -o "$dir/trace" \
	"$build/test/process/test_events" busy >"$dir/out"
rc=$?
# Lines are "pid call"; the sender is the one that calls getppid.
awk '/getppid/ { marks++; if (marks == 1) sender = $1; next }
	marks == 1 { if ($1 == sender) sent++; else other++; print > "/dev/stderr" }
	END { print marks + 0, sent + 0, other + 0 }' \
	"$dir/trace" >"$dir/count" 2>"$dir/between"
read -r marks sent other <"$dir/count"
sed 's/^/# /' "$dir/out"
echo "# between the marks: $sent system calls of the sender, $other of the receiver"

verdict=ok
[ "$rc" = 0 ] && [ "$marks" = 2 ] || verdict="not ok"
echo "$verdict 1 - the program ran to its end under strace"
verdict=ok
[ "$marks" = 2 ] && [ "$sent" -lt $limit ] || verdict="not ok"
echo "$verdict 2 - 100000 sends, fewer than $limit system calls of the sender"
verdict=ok
[ "$marks" = 2 ] && [ "$other" -lt $limit ] || verdict="not ok"
echo "$verdict 3 - and fewer than $limit of the awake receiver"
[ "$verdict" = ok ] || head -20 "$dir/between" | sed 's/^/# /'
