#!/bin/sh
# SPDX-License-Identifier: MIT
# An IPI to a vCPU that is awake makes no system call, on either side: trace
# both, and count what lies between the two marks (getppid) of the sender.
# Usage: syscalls_ipi.sh BUILD.  Prints TAP.
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
	"$build/test/process/test_vcpus" busy >"$dir/out"
rc=$?
awk '/getppid/ { marks++; if (marks == 1) sender = $1; next }
	marks == 1 { if ($1 == sender) sent++; else other++; print > "/dev/stderr" }
	END { print marks + 0, sent + 0, other + 0 }' \
	"$dir/trace" >"$dir/count" 2>"$dir/between"
read -r marks sent other <"$dir/count"
sed 's/^/# /' "$dir/out"
echo "# between the marks: $sent system calls of the sender, $other of the others"
report() { # text, condition
	n=$((n + 1))
	if [ "$2" = 1 ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		sed 's/^/# /' "$dir/between" | sort -k2 | uniq -c | sort -rn | head
		failed=1
	fi
}
n=0
failed=0
[ "$rc" = 0 ] && [ "$marks" = 2 ] && good=1 || good=0
report "the program ran to its end under strace" $good
[ "$sent" -lt $limit ] && good=1 || good=0
report "100000 IPIs, fewer than $limit system calls of the sender" $good
[ "$other" -lt $limit ] && good=1 || good=0
report "and fewer than $limit of the vCPU that is awake, and of the listener" $good
exit $failed
