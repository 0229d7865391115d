#!/bin/sh
# SPDX-License-Identifier: MIT
#
# alice.sh [-n ROUNDS] BUILD: the demonstration of every Xen tutorial.
#
# Two processes play two domains.  domU opens a port and prints its number; the
# number is carried to dom0 by hand (here: by this script), which is how the
# tutorials do it; dom0 binds to it and events go back and forth.  To do it
# yourself, in two terminals:
#
#   build/bin/evtchn run --domain 1 -- build/bin/alice_domU
#   build/bin/evtchn run --domain 0 -- build/bin/alice_dom0 1 PORT
#
# The exit status is 0 when both sides saw every event they expected.

set -u

fail()
{
	echo "alice.sh: $1" >&2
	exit "${2:-1}"
}

rounds=10000
while getopts n: option; do
	case $option in
	n) rounds=$OPTARG ;;
	*) fail "usage: alice.sh [-n ROUNDS] BUILD" 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -eq 1 ] || fail "usage: alice.sh [-n ROUNDS] BUILD" 2
bin=$1/bin
for program in evtchn evtchnd alice_domU alice_dom0; do
	[ -x "$bin/$program" ] || fail "no $bin/$program; run 'make' first" 2
done

# A broker of our own, in a directory of our own: whatever else runs on this
# machine is not disturbed.  The broker leaves when its last domain has left.
dir=$(mktemp -d) || exit 1
domU=
cleanup()
{
	if [ -n "$domU" ]; then
		kill "$domU" 2>/dev/null
		wait "$domU" 2>/dev/null
	fi
	# The broker leaves by itself when it has no domain left; it holds this
	# lock as long as it lives.
	[ -e "$dir/evtchnd.pid" ] && flock -w 5 "$dir/evtchnd.pid" true
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
EVTCHN_SOCKET=$dir/evtchnd
export EVTCHN_SOCKET

# domU's output comes through a pipe; its first line tells the port.
mkfifo "$dir/output" || exit 1
"$bin/evtchn" run --domain 1 --name alice-domU -- \
	"$bin/alice_domU" -n "$rounds" >"$dir/output" &
domU=$!
exec 3<"$dir/output"
IFS= read -r line <&3 || fail "domU ended before it had a port"
printf '%s\n' "$line"
port=${line#*port }
port=${port%%[!0-9]*}
[ -n "$port" ] || fail "domU's first line names no port"
cat <&3 &
printer=$!

"$bin/evtchn" run --domain 0 --name dom0 -- \
	"$bin/alice_dom0" -n "$rounds" 1 "$port" ||
	fail "dom0 failed with status $?"
wait "$domU"
status=$?
domU=
wait "$printer"
[ "$status" -eq 0 ] || fail "domU failed with status $status"
