#!/bin/sh
# SPDX-License-Identifier: MIT
#
# trace.sh [BUILD]: evtchn trace draws what happened; prints TAP.
#
# Alice and dom0 send in turns, so it is known which arrows there have to be:
# each ends before the next one of the same side begins.

set -u

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

PATH=$bin:$PATH
rounds=300

# The two of them, by themselves.
cat >"$dir/pair" <<'END'
set -e
mkfifo "$1/said"
evtchn run --domain 1 -- alice_domU -n "$2" >"$1/said" &
exec 3<"$1/said"
read -r line <&3
evtchn run --domain 0 -- alice_dom0 -n "$2" 1 1
cat <&3
wait $!
rm "$1/said"
END

cat >"$dir/check.py" <<'END'
import json, sys
doc = json.load(open(sys.argv[1]))
rounds, whole = int(sys.argv[2]), sys.argv[3] == "whole"
events = doc["traceEvents"]
slices = [e for e in events if e["ph"] == "X"]
tracks = {(e["pid"], e["tid"]) for e in events
	  if e["ph"] == "M" and e["name"] == "thread_name"}
domains = {e["pid"]: e["args"]["name"] for e in events
	   if e["name"] == "process_name"}
assert domains == {0: "domain 0", 1: "domain 1"}, domains
for e in slices:
	assert (e["pid"], e["tid"]) in tracks, e
	assert e["ts"] >= 0 and e["dur"] >= 0, e

def count(pid, *names):
	return sum(e["pid"] == pid and e["name"] in names for e in slices)

def encloses(f, name):
	# Sums of decimal fractions differ from the decimal fraction of sums.
	return any(e["name"].startswith(name) and
		   (e["pid"], e["tid"]) == (f["pid"], f["tid"]) and
		   e["ts"] <= f["ts"] <= e["ts"] + e["dur"] + 0.002
		   for e in slices)

first = [next(e for e in slices if e["pid"] == pid) for pid in (0, 1)]
both = max(e["ts"] + e["dur"] for e in first)
start = {e["id"]: e for e in events if e["ph"] == "s"}
end = {e["id"]: e for e in events if e["ph"] == "f"}
assert len(start) == sum(e["ph"] == "s" for e in events)
assert len(end) == sum(e["ph"] == "f" for e in events)
assert start.keys() == end.keys()
for pid in 0, 1:
	arrows = sorted(((start[i], end[i]) for i in start
			 if start[i]["pid"] == pid), key=lambda a: a[0]["ts"])
	before = 0
	for s, f in arrows:
		assert f["pid"] == 1 - pid
		assert before <= s["ts"] <= f["ts"], (before, s, f)
		assert encloses(s, "send") and encloses(f, "upcall"), (s, f)
		before = f["ts"]
	by_lane = count(pid, "send", "send and ring")
	if whole:
		# The demonstration's event, and the rounds.
		assert by_lane + count(pid, "send by broker") == rounds + 1
		assert len(arrows) == by_lane > rounds / 2, len(arrows)
		assert count(pid, "event", "event from broker") >= rounds + 1
		assert count(pid, "upcall") >= rounds + 1
	else:
		# Of what both still have; one may be cut off at each end.
		late = sum(e["pid"] == pid and e["name"].startswith("send") and
			   e["ts"] >= both for e in slices)
		assert late > 5 and late - 2 <= len(arrows) <= by_lane, late
if whole:
	ops = [e["args"]["op"] for e in slices if e["name"] == "hypercall"
	       and "op" in e["args"]]
	assert "alloc_unbound" in ops and "bind_interdomain" in ops, ops
	assert doc["otherData"] == {"lost": 0, "damaged": 0}
else:
	assert doc["otherData"]["lost"] > 0
	assert len(slices) == 2 * 100, len(slices)
END

# check NAME FILE ROUNDS whole|part
check()
{
	command -v python3 >/dev/null || {
		skip "$1" "no python3"
		return
	}
	python3 "$dir/check.py" "$2" "$3" "$4" >"$out" 2>"$err"
	report $? "$1"
}

# --- Alice and dom0 ------------------------------------------------------------

run evtchn trace --output "$dir/pair.json" -- sh "$dir/pair" "$dir" $rounds
[ "$status" -eq 0 ] && [ ! -s "$err" ] && grep -q "round trips" "$out"
report $? "two domains of a script: traced"
check "two domains: tracks, slices, an arrow for each send" \
	"$dir/pair.json" $rounds whole

EVTCHN_SPIN_US=0 run evtchn trace -o "$dir/pair.json" -- \
	sh "$dir/pair" "$dir" $rounds
[ "$status" -eq 0 ] && grep -q '"sleep"' "$dir/pair.json" &&
	grep -q '"send and ring"' "$dir/pair.json"
report $? "who does not look sleeps, and is rung"
check "asleep in between: an arrow for each send" "$dir/pair.json" \
	$rounds whole

EVTCHN_TRACE_EVENTS=100 run evtchn trace -o "$dir/pair.json" -- \
	sh "$dir/pair" "$dir" $rounds
[ "$status" -eq 0 ] && [ "$(grep -c "were overwritten" "$err")" -eq 2 ]
report $? "a full ring: it is said that records are missing"
check "a full ring: the arrows of what is left" "$dir/pair.json" \
	$rounds part

# --- Recorded by hand ------------------------------------------------------------

mkdir "$dir/rec"
mkfifo "$dir/said"
EVTCHN_TRACE=$dir/rec "$bin/evtchn" run --domain 2 -- sh -c \
	'echo $$; exec alice_domU' >"$dir/said" 2>/dev/null &
runner=$!
exec 3<"$dir/said"
read -r pid <&3
read -r _ <&3
kill -KILL "$pid"
wait $runner
exec 3<&-
run evtchn trace --merge "$dir/rec"
[ "$status" -eq 0 ] && grep -q '"alloc_unbound"' "$out" &&
	grep -q "alice_domU ($pid) vCPU 0" "$out"
report $? "what a killed program did is there"
json "what a killed program did is one JSON document" \
	"len(doc['traceEvents']) > 3" '.traceEvents | length > 3'
run evtchn trace --merge "$dir/rec" -o "$dir/merged"
[ "$status" -eq 0 ] && [ ! -s "$out" ] && [ -s "$dir/merged" ]
report $? "--merge --output"

run evtchn trace -o "$dir/seven" -d 3 -- sh -c 'exit 7'
[ "$status" -eq 7 ] && grep -q "nothing was recorded" "$err"
report $? "the program's exit status"
run evtchn trace -o "$dir/none" -- true
[ "$status" -eq 1 ] && one_error_line "nothing was recorded"
report $? "a program that is no domain"
EVTCHN_TRACE=$dir/missing run evtchn run --domain 4 -- alice_domU
[ "$status" -eq 1 ] && grep -q "EVTCHN_TRACE: no file in $dir/missing" "$err"
report $? "a directory that is not there"
EVTCHN_TRACE=$dir/rec EVTCHN_TRACE_EVENTS=many run evtchn run -d 4 -- alice_domU
[ "$status" -eq 1 ] && grep -q "EVTCHN_TRACE_EVENTS=many" "$err"
report $? "a number of records that is none"

# --- Damaged -----------------------------------------------------------------------

good=$(echo "$dir"/rec/2-"$pid"-*.evtrace)
mkdir "$dir/bad"
bad=$dir/bad/x.evtrace

# poke OFFSET BYTES: $bad is $good, but for these.
poke()
{
	cp "$good" "$bad"
	# shellcheck disable=SC2059
	printf "$2" | dd of="$bad" bs=1 seek="$1" conv=notrunc 2>/dev/null
}

# left_out NAME: one record less than before, and it is said.
left_out()
{
	run evtchn trace --merge "$dir/bad"
	[ "$status" -eq 0 ] && grep -q "1 records are not whole" "$err" &&
		grep -q '"damaged": 1}' "$out"
	report $? "$1"
}

cp "$good" "$bad"
truncate -s 100000 "$bad"
refused 1 "a truncated file" "was it truncated?" evtchn trace --merge "$dir/bad"
truncate -s 10 "$bad"
refused 1 "hardly a file" "$bad: is too short" evtchn trace --merge "$dir/bad"
poke 0 'x'
refused 1 "no trace at all" "is no trace" evtchn trace --merge "$dir/bad"
poke 16 '\0\0\0\0\0\0\0\0'
refused 1 "a ring of nothing" "makes no sense" evtchn trace --merge "$dir/bad"
poke 16 '\377\377\377\377\377\377\377\377'
refused 1 "a ring of everything" "makes no sense" \
	evtchn trace --merge "$dir/bad"
poke 16 '\377'
refused 1 "a ring of more than there is" "was it truncated?" \
	evtchn trace --merge "$dir/bad"
poke 4126 '\377'
left_out "a record of no kind"
poke 4126 '\0'
left_out "a record that was not begun"
poke 4127 '\7'
left_out "a record of a vCPU that is not there"
poke 4096 '\377\377\377\377\377\377\377\377'
left_out "a record of a time that never comes"
poke 4120 '\0'
left_out "a record that was not completed"
# A send, an upcall, sleep, a hypercall: beside the highest bits of the port.
for kind in 20 240 260 300; do
	poke 4104 '\377\377\377\377\377\377\377\377'
	# shellcheck disable=SC2059
	printf "\\$kind" | dd of="$bad" bs=1 seek=4126 conv=notrunc 2>/dev/null
	run evtchn trace --merge "$dir/bad"
	json "what was not over, of kind $kind (octal)" \
		"doc['traceEvents'][3]['args'].get('unfinished')" \
		'.traceEvents[3].args.unfinished'
done
poke 24 '\377\377\377\377\377\377\377\377'
run evtchn trace --merge "$dir/bad"
[ "$status" -eq 0 ] && grep -q "were overwritten" "$err" &&
	grep -q "records are not whole" "$err"
report $? "more records than fit into the universe"
json "and still a document" "doc['traceEvents']" '.traceEvents'
rm "$bad"
mkfifo "$bad"
refused 1 "a pipe" "is no file" evtchn trace --merge "$dir/bad"
rm "$bad"
refused 1 "an empty directory" "nothing was recorded" \
	evtchn trace --merge "$dir/bad"
refused 1 "no directory" "$dir/none-there" \
	evtchn trace --merge "$dir/none-there"

# --- Misuse --------------------------------------------------------------------------

misuse "no program" "Give a program" evtchn trace
misuse "no output" "--output FILE" evtchn trace -- true
misuse "two things at once" "without a program" evtchn trace -m "$dir" -- true
misuse "no domain" "'x' is not a domain" evtchn trace -o /dev/null -d x -- true
misuse "unknown option" "--frob" evtchn trace --frob
refused 1 "an output that cannot be written" "$dir/no/file" \
	evtchn trace -o "$dir/no/file" -- true
run evtchn trace --merge "$dir/rec" -o /dev/full
[ "$status" -eq 1 ] && [ -s "$err" ]
report $? "a full disk"

# --- evtchn bench --------------------------------------------------------------------

run evtchn bench --json
[ "$status" -eq 0 ] && [ ! -s "$err" ]
report $? "bench --json: status 0, and no progress without a terminal"
json "bench --json: each row has two times" \
	"{'notify', 'sleeping'} <= {r['what'] for r in doc['rows']} and
	all(r['evtchn_ns'] > 0 and r['eventfd_ns'] > 0 and r['ratio'] > 0 and
	r['runs'] >= 3 for r in doc['rows']) and doc['processors'] > 0" \
	'[.rows[] | .evtchn_ns > 0 and .eventfd_ns > 0] | all'
TERM=xterm run script -qec "$bin/evtchn bench" /dev/null
[ "$status" -eq 0 ] && grep -q "round trip, both sleeping: 3 of 9" "$out" &&
	grep -q "^round trip, both sleeping  *[1-9]" "$out"
report $? "bench on a terminal: how far it is, then a table"
TMPDIR=$dir/missing run evtchn bench
[ "$status" -eq 1 ] && one_error_line "cannot make a directory in $dir/missing"
report $? "bench: nowhere to put a socket"
misuse "bench: a stray argument" "'stray'" evtchn bench stray
misuse "bench: unknown option" "--frob" evtchn bench --frob

finish
