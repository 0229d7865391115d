#!/bin/bash
# SPDX-License-Identifier: MIT
# The recordings of real Xen against the core, and replay against recordings
# that are wrong or no recordings at all.  Prints TAP.
# Usage: tests/replay/run.sh [BUILD_DIR]
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${1:-build}
evtchn=$build/bin/evtchn
# Hostile files are given to the build with sanitizers, if there is one.
hostile=$build/san/bin/evtchn
[ -x "$hostile" ] || hostile=$evtchn
traces=$build/replay
work=$build/replay-broken
failed=0 n=0

# verdict CONDITION-STATUS DESCRIPTION [WHY...]: one TAP line.
verdict() {
	local status=$1 what=$2
	n=$((n + 1))
	shift 2
	if [ "$status" = 0 ]; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		failed=1
		[ $# = 0 ] || printf '%s\n' "$@" | head -20 | sed 's/^/# /'
	fi
}

if [ ! -x "$evtchn" ]; then
	echo "1..1"
	echo "not ok 1 - $evtchn is missing: run make first"
	exit 1
fi
rm -rf "$traces" "$work"
mkdir -p "$traces" "$work"
if ! tar -xJf tests/replay/traces.tar.xz -C "$traces"; then
	echo "1..1"
	echo "not ok 1 - cannot unpack tests/replay/traces.tar.xz (apt-get install xz-utils)"
	exit 1
fi

# --- the recordings ------------------------------------------------------------

for file in "$traces"/*.txt; do
	name=$(basename "$file" .txt)
	out=$("$evtchn" replay "$file" 2>&1)
	rc=$?
	case $rc:$out in
	0:skip*) verdict 0 "$name # SKIP $(sed -n 's/^skip [^:]*: //p' <<<"$out")" ;;
	0:ok*) verdict 0 "$name" ;;
	*) verdict 1 "$name (exit status $rc)" "$out" ;;
	esac
done

# --- recordings that were changed: the difference must be seen -------------------

# differs DESCRIPTION LINE...: $work/t.txt differs in exactly these lines.
differs() {
	local what=$1 out rc lines
	shift
	out=$("$evtchn" replay --max-diffs 20 "$work/t.txt" 2>&1)
	rc=$?
	lines=$(sed -n 's/^[^ ]*t\.txt:\([0-9]*\): real Xen.*/\1/p' <<<"$out" |
		sort -nu | tr '\n' ' ')
	[ "$rc" = 1 ] && [ "$lines" = "$* " ]
	verdict $? "$what" "lines expected: $*, got: $lines(exit status $rc)" "$out"
}

# line FILE PATTERN: the number of the first line that matches.
line() {
	grep -nm1 -e "$2" "$traces/$1" | cut -d: -f1
}

# alter FILE LINE SED-COMMAND: into $work/t.txt
alter() {
	sed "$2$3" "$traces/$1" >"$work/t.txt"
}

h=h04_send.txt
l=$(line $h '^op .*rc=-EINVAL$')
alter $h "$l" 's/-EINVAL/-EPERM/'
differs "a result that is not Xen's is found" "$l"

l=$(line $h '^op .*bind_ipi.* port=')
alter $h "$l" 's/ port=.*/ port=999/'
differs "an output that is not Xen's is found" "$l"

l=$(line $h '^~ .* p[0-9]')
alter $h "$l" 's/ p[0-9]*=/ p40=/'
differs "a change of another bit is found" "$l"

l=$(line $h '^~ .*sel=')
alter $h "$l" 's/sel=0x.*/sel=0x8/'
differs "a change to another value is found" "$l"

l=$(line $h '^~ ')
alter $h "$l" d
differs "a change that Xen did not make is found" "$((l - 1))"

l=$(line $h '^op .*rc=-EINVAL$')
alter $h "$l" 'a ~ d1 m7=1'
differs "a change that only Xen made is found" "$((l + 1))"

h=h01_alloc_unbound.txt
l=$(line $h '^sweep d1 .* 1=')
alter $h "$l" 's/ 1=[^ ]*/ 1=E\/v3/'
differs "a port in another state is found" "$l"

l=$(line $h '^sweep d1 ')
alter $h "$l" 's/valid=64/valid=128/'
differs "a port table of another size is found" "$l"

h=h04_send.txt
l=$(line $h '^end ')
alter $h "$l" 's/=.*/=1/'
differs "another number of operations is found" "$l"

h=h25_poll.txt
l=$(line $h '^still-blocked')
alter $h "$l" 's/.*/woken d1 rc=0/'
differs "a poll that should have ended is found" "$l"

l=$(line $h '^woken')
alter $h "$l" d
differs "a poll that should not have ended is found" "$((l - 2))"

h=h19_virq_delivery.txt
l=$(line $h '^ctl set_virq_handler .*EINVAL')
alter $h "$l" 's/-EINVAL/0/'
differs "another result of a ctl line is found" "$l"

# --- files that are no recordings -------------------------------------------------

# refused DESCRIPTION PATTERN FILE: exit status 2 and one line on stderr.
refused() {
	local out rc
	out=$("$hostile" replay "$3" 2>&1 >/dev/null)
	rc=$?
	[ "$rc" = 2 ] && [ "$(wc -l <<<"$out")" = 1 ] && grep -q -e "$2" <<<"$out"
	verdict $? "$1" "exit status $rc, expected 2 and '$2'" "$out"
}

h=$traces/h04_send.txt
head -n 20 "$h" >"$work/cut"
refused "a file that was cut off is refused" "cut:20: cut off" "$work/cut"
{ head -n 20 "$h"; echo "op d1 se"; tail -n 1 "$h"; } >"$work/line"
refused "a line that was cut off is refused" "line:21: an op line" "$work/line"
{ head -n 8 "$h"; echo "op d1 sned port=1 -> rc=0"; tail -n 1 "$h"; } >"$work/op"
refused "an unknown operation is refused" "op:9: unknown operation 'sned'" "$work/op"
{ head -n 8 "$h"; echo "mem d1 p4096=1"; tail -n 1 "$h"; } >"$work/bit"
refused "a bit that does not exist is refused" "bit:9: 'p4096=1'" "$work/bit"
{ head -n 8 "$h"; echo "op d7 send port=1 -> rc=0"; tail -n 1 "$h"; } >"$work/dom"
refused "an undeclared domain is refused" "dom:9: no 'dom' line" "$work/dom"
echo "some other text" >"$work/garbage"
refused "another text is refused" "garbage:1: not a recording" "$work/garbage"
head -c 5000 "$evtchn" >"$work/binary"
refused "a binary file is refused" "binary:[0-9]*: not text" "$work/binary"
: >"$work/empty"
refused "an empty file is refused" "empty:1: not a recording" "$work/empty"
refused "a directory is refused" "cannot read it" "$work"
refused "a missing file is refused" "cannot read it" "$work/missing"

out=$("$evtchn" replay 2>&1)
[ $? = 2 ] && [ "$(wc -l <<<"$out")" = 1 ]
verdict $? "no file is a misuse" "$out"
out=$("$evtchn" replay --max-diffs 0 "$h" 2>&1)
[ $? = 2 ] && [ "$(wc -l <<<"$out")" = 1 ]
verdict $? "--max-diffs 0 is a misuse" "$out"

# Lines, fields and characters of every short recording in disorder: whatever
# comes of it, it is not a crash.
mkdir "$work/mutants"
for file in "$traces"/h*.txt; do
	[ "$(wc -l <"$file")" -lt 500 ] || continue
	for seed in 1 2; do
		awk -v seed="$seed" '
		BEGIN { srand(seed * 1000 + length(FILENAME)) }
		FNR == 1 || /^end/ { print; next }
		{
			dice = int(rand() * 60)
			if (dice == 0) next
			if (dice == 1) print
			if (dice == 2) $(1 + int(rand() * NF)) = "4294967295"
			if (dice == 3) $(1 + int(rand() * NF)) = ""
			if (dice == 4) $0 = substr($0, 1, int(rand() * length($0)))
			if (dice == 5) sub(/[0-9]+/, int(rand() * 5000))
			if (dice == 6) { held = $0; next }
			print
			if (held != "" && dice < 30) { print held; held = "" }
		}' "$file" >"$work/mutants/$seed-$(basename "$file")"
	done
done
for file in "$work/mutants/2-"*; do
	# Go on behind what makes no sense, by leaving it out.
	for _ in 1 2 3 4 5 6; do
		bad=$("$hostile" replay "$file" 2>&1 >/dev/null |
			sed -n 's/^.*\.txt:\([0-9]*\): .*/\1/p')
		[ -n "$bad" ] || break
		sed -i "${bad}d" "$file"
	done
done
"$hostile" replay --json "$work"/mutants/* >"$work/json" 2>"$work/err"
rc=$?
[ "$rc" = 1 ] || [ "$rc" = 2 ] && ! grep -q -e 'runtime error' -e Sanitizer "$work/err"
verdict $? "mutated recordings end in a verdict" "exit status $rc" "$(tail -20 "$work/err")"
ls "$work"/mutants/* | wc -l | grep -qx "$(wc -l <"$work/json")"
verdict $? "--json prints one object for each file"

echo "1..$n"
exit $failed
