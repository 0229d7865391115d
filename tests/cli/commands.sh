#!/bin/sh
# SPDX-License-Identifier: MIT
#
# commands.sh [BUILD]: scripts that talk to each other by events; prints TAP.
#
# Two domains here are two shell scripts.  A wait that must not be over yet is
# not given time to be: the event it waits for is sent only afterwards, and
# what was taken is counted.

set -u

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

PATH=$bin:$PATH

# script NAME WANT DOMAIN [PROGRAM]: $4, a shell program run as the domain,
# prints exactly WANT and no error, and its status is 0.
script()
{
	printf '%s' "$2" >"$dir/want"
	run "$bin/evtchn" run --domain "$3" -- sh -ec "$4"
	[ "$status" -eq 0 ] && [ ! -s "$err" ] && cmp -s "$dir/want" "$out"
	report $? "$1"
}

# --- One line each ----------------------------------------------------------

# The wait comes first or second, as the scheduler likes.
timeout 30 evtchn notify --domain 1 --to 0 door >"$out" 2>"$err" &
notifier=$!
run evtchn wait --domain 0 --from 1 --name door
[ "$status" -eq 0 ] && [ "$(cat "$out")" = 1 ] && wait $notifier
report $? "one line each: notify in domain 1, wait in domain 0"

timeout 30 sh -c 'evtchn wait --domain 0 --from 1 && echo "somebody is here"' \
	>"$out" 2>"$err" &
waiter=$!
run_notify()
{
	timeout 30 evtchn notify --domain 1 --to 0 1
}
run_notify && wait $waiter
status=$?
[ $status -eq 0 ] && [ "$(tr '\n' ' ' <"$out")" = "1 somebody is here " ]
report $? "one line each: by the number of the port"

# A hundred times, both started at once: whoever is first, both end.
lost=0
for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	timeout 30 evtchn wait --domain 0 --from 1 --name "r$round" \
		>/dev/null 2>>"$err" &
	waiter=$!
	timeout 30 evtchn notify --domain 1 --to 0 "r$round" 2>>"$err" ||
		lost=$((lost + 1))
	wait $waiter || lost=$((lost + 1))
done
status=$lost
[ $lost -eq 0 ]
report $? "one line each: twenty times, none lost"

# --- No event is lost --------------------------------------------------------

script "the notify comes first: the wait is over at once" "1
" 0 'evtchn alloc --from 0 --name door
evtchn notify --to 0 door
evtchn wait door'

script "events before the wait are one event" "1
{\"domain\": 0, \"port\": 1, \"events\": 1, \"timeout\": true}
" 0 'evtchn alloc --from 0 --name door
evtchn notify --to 0 door
evtchn notify --to 0 door
evtchn wait --count 2 --timeout 0 --json door || [ $? -eq 124 ]'

script "an event between two waits" "1
first
second
" 0 'evtchn alloc --from 0 --name door
evtchn notify --to 0 door
evtchn wait door && echo first
evtchn notify --to 0 door
evtchn wait door && echo second'

# The consumer acknowledges each event, so there are exactly as many waits as
# notifies; one lost event and both sides wait for ever.
mkdir "$dir/counted"
script "fifty events, each waited for by a command of its own" "done
" 0 'evtchn alloc --from 0 --name ping >/dev/null
evtchn alloc --from 0 --name pong >/dev/null
(
	i=0
	while [ $i -lt 50 ]; do
		evtchn wait --timeout 20s ping
		evtchn notify --to 0 pong
		i=$((i + 1))
	done
) &
i=0
while [ $i -lt 50 ]; do
	evtchn notify --to 0 ping
	evtchn wait --timeout 20s pong
	i=$((i + 1))
done
wait $!
echo done'

# A wait that gives up at the very moment of the event: it has the event, or
# the next one has.
script "a wait whose time is over takes none with it" "none lost
" 0 'evtchn alloc --from 0 --name door >/dev/null
i=0
while [ $i -lt 25 ]; do
	evtchn wait --timeout 0.00${i}s door &
	evtchn notify --to 0 door
	wait $! || evtchn wait --timeout 20s door
	i=$((i + 1))
done
echo none lost'

# Two waiters, one killed: the other has the event.
script "a killed wait takes none with it" "still here
" 0 'evtchn alloc --from 0 --name door >/dev/null
i=0
while [ $i -lt 10 ]; do
	evtchn wait door &
	kill -KILL $!
	wait $! 2>/dev/null || :
	evtchn notify --to 0 door
	evtchn wait --timeout 20s door
	i=$((i + 1))
done
echo still here'

script "several notifies of one domain at once" "10
" 0 'evtchn alloc --from 0 --name door >/dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do
	evtchn notify --to 0 door &
	all="${all:-} $!"
done
n=0
for pid in $all; do
	wait $pid && n=$((n + 1))
done
evtchn wait door
echo $n'

# --- alloc, bind, close ------------------------------------------------------

# shellcheck disable=SC2016
script "a connection between two scripts' ports" "1
2
ab
" 0 'evtchn alloc --from 0 --name left
evtchn bind --to 0 left --name right
evtchn wait right
evtchn notify right && evtchn wait left && printf a
evtchn notify 1 && evtchn wait 2 && echo b'

# shellcheck disable=SC2016
script "alloc: with a program, the port is there as long as it runs" "1
woken
1
" 0 'evtchn alloc --from 0 -- sh -ec "
	echo \$EVTCHN_PORT
	evtchn notify --to 0 \$EVTCHN_PORT
	evtchn wait \$EVTCHN_PORT && echo woken"
evtchn alloc --from 0'

run evtchn alloc --domain 4 --from 0 -- sh -c 'evtchn ls --json; exit 9'
[ "$status" -eq 9 ] && [ ! -s "$err" ]
report $? "alloc: the program's exit status, outside of a session, too"
json "ls --json: the domain's own port" \
	"doc['domains'][0]['ports'] == [{'port': 1, 'state': 'unbound',
	'vcpu': 0, 'peer_domain': 0, 'kept': True, 'name': ''}]" \
	'.domains[0].ports == [{"port": 1, "state": "unbound", "vcpu": 0,
	"peer_domain": 0, "kept": true, "name": ""}]'

# shellcheck disable=SC2016
script "bind: with a program" "1
2 bound
2
" 0 'evtchn alloc --from 0
evtchn bind --to 0 1 -- sh -c "echo \$EVTCHN_PORT bound"
evtchn bind --to 0 1'

script "close: the port is gone, and its name free" "1
1
" 0 'evtchn alloc --from 0 --name door
evtchn close door
evtchn alloc --from 0 --name door
evtchn close 1'

script "close: who waits is told" "1
over
" 0 'evtchn alloc --from 0
{ evtchn wait 1 2>/dev/null || [ $? -eq 1 ]; } &
until evtchn close 1 2>/dev/null; do :; done
wait $! && echo over'

script "wait --from: without a name, the port is closed at the end" "1
2
" 0 'evtchn alloc --from 0
evtchn wait --from 0 --timeout 0 || [ $? -eq 124 ]
[ $(evtchn ls | wc -l) -eq 2 ]'

script "wait --from: with a name, it is used again" "1
1
" 0 'evtchn wait --from 0 --name door --timeout 0 || [ $? -eq 124 ]
evtchn notify --to 0 door
evtchn wait --from 0 --name door'

# shellcheck disable=SC2016
script "wait --port-file: the number is there before the event" "1
1
" 0 'evtchn wait --from 0 --port-file '"$dir"'/number &
until [ -s '"$dir"'/number ]; do :; done
cat '"$dir"'/number
evtchn notify --to 0 $(cat '"$dir"'/number)
wait $!'

# A port of a program (alice waits for dom0 on it) is not the scripts' to use;
# one of theirs is not given to a program that comes later.
script "a program's port is refused, and the scripts' port is not taken" "1
mine
" 0 'evtchn alloc --from 0
mkfifo '"$dir"'/said
alice_domU -n 1 >'"$dir"'/said &
exec 3<'"$dir"'/said
read -r line <&3
evtchn ls | grep -q "^0 .* 1 unbound  *0:- .* - -$"
port=$(evtchn ls | sed -n "s/^0 .* \([0-9]*\) unbound .*alice_domU$/\1/p")
evtchn wait $port 2>'"$dir"'/refused && exit 1
grep -q "belongs to process" '"$dir"'/refused
evtchn close $port 2>/dev/null && exit 1
evtchn notify --to 0 1
evtchn wait 1 && echo mine
kill $!'

# --- Refusals ----------------------------------------------------------------

script "what is there already, or not there" "1
1 1 1 1 124
" 0 'evtchn alloc --from 1 --name door
exec 2>/dev/null
status() { "$@" || printf "%s " $?; }
status evtchn alloc --from 1 --name door
status evtchn wait window
status evtchn notify --timeout 0 --to 0 door
status evtchn notify --timeout 0 --to 9 3
status evtchn wait --timeout 10ms door | tr -d " "
echo'

refused 1 "notify: nothing there in time" "'door'" \
	evtchn notify --domain 1 --to 1 --timeout 20ms door
refused 1 "alloc: a domain that would not last" "would end with this" \
	evtchn alloc --domain 0 --from 1
refused 1 "wait: a domain that is not there" "would end with this" \
	evtchn wait --domain 0 3
refused 1 "a session is for its domain" "another domain" \
	evtchn run --domain 0 -- evtchn alloc --domain 1 --from 0
misuse "no domain" "--domain N" evtchn wait --from 1
misuse "alloc: for nobody" "--from" evtchn alloc --domain 0
misuse "bind: to nobody" "--to" evtchn bind --domain 0 3
misuse "bind: to no port" "which port" evtchn bind --domain 0 --to 1
misuse "notify: no port" "which port" evtchn notify --domain 0
misuse "notify: two ports" "'5'" evtchn notify --domain 0 4 5
misuse "close: no port" "which port" evtchn close --domain 0
misuse "wait: no port" "--from N" evtchn wait --domain 0
misuse "wait: a port and a new one" "'5'" evtchn wait --domain 0 --from 1 5
misuse "wait: a name for an old port" "--from N" \
	evtchn wait --domain 0 --name door 5
for time in 5x -1 '' s 1e3 inf 0x5 99999999999h; do
	misuse "wait: time '$time'" "'$time' is not a time" \
		evtchn wait --domain 0 --timeout "$time" 5
done
for port in 0 3x 4294967296 "two words" ''; do
	misuse "wait: port '$port'" "'$port' is not a port" \
		evtchn wait --domain 0 "$port"
done
misuse "wait: count 0" "'0' is not a count" evtchn wait --domain 0 --count 0 5
misuse "a name that looks like a number" "'9lives'" \
	evtchn alloc --domain 0 --from 1 --name 9lives

run evtchn alloc --domain 0 --from 1 --port-file "$dir/no/file" -- true
[ "$status" -eq 0 ]
report $? "alloc: a program needs no file"
refused 1 "alloc: a file that cannot be written" "$dir/no/file" \
	evtchn run --domain 0 -- \
	evtchn alloc --from 1 --port-file "$dir/no/file"

# --- stat, top, graph ----------------------------------------------------------

run evtchn run --domain 3 -- sh -ec 'evtchn alloc --from 3 --name door >/dev/null
evtchn notify --to 3 door
evtchn notify --to 3 door
evtchn wait door
evtchn notify --to 3 door
evtchn stat --json'
[ "$status" -eq 0 ] && [ ! -s "$err" ]
report $? "stat --json: status 0"
json "stat --json: two of three sends came before the wait" \
	"doc == {'seconds': 0, 'domains': [{'domain': 3, 'name': 'sh',
	'sent': 3, 'merged': 0, 'rings': 0, 'events': 2, 'hypercalls': 0,
	'upcalls': 0, 'sleeps': 0, 'storms': 0, 'ports': [{'port': 1, 'name': 'door',
	'sent': 0, 'merged': 0, 'rings': 0, 'events': 2}]}]}" \
	'.domains[0].events == 2 and .domains[0].sent == 3'

# Alice and dom0 for good; what one sends the other one gets.
mkfifo "$dir/alice"
"$bin/evtchn" run --domain 1 -- "$bin/alice_domU" -n 100000000 \
	>"$dir/alice" 2>/dev/null &
alice=$!
exec 3<"$dir/alice"
read -r line <&3
"$bin/evtchn" run --domain 0 -- "$bin/alice_dom0" -n 100000000 1 1 \
	>/dev/null 2>&1 &
dom0=$!
held="$held $alice $dom0"
busy()
{
	evtchn stat >"$out" 2>"$err" &&
		[ "$(awk '$2 == 1 && $3 > 1000 && $6 > 1000' "$out" |
			wc -l)" -eq 2 ]
}
soon busy
status=$?
[ $status -eq 0 ] && [ ! -s "$err" ]
report $? "stat: two domains that send to each other"
run evtchn stat --interval 500ms --count 2 --json
[ "$status" -eq 0 ] && [ ! -s "$err" ] && mv "$out" "$dir/both" &&
	python3 -c "import json, sys
d = json.JSONDecoder()
text = sys.stdin.read()
docs = []
while text.strip():
	doc, end = d.raw_decode(text.lstrip())
	docs.append(doc)
	text = text.lstrip()[end:]
assert len(docs) == 2
for doc in docs:
	assert 0.5 <= doc['seconds'] < 20
ports = [[x['ports'][0] for x in doc['domains']] for doc in docs]
# Somebody may not have run in one of them.  And one event is under way, and the
# counts of two are read one by one.
assert 0 < sum(a['sent'] for a, b in ports) < 1e9
assert 0 < sum(b['events'] for a, b in ports) < 1e9" <"$dir/both" 2>"$err"
report $? "stat --interval --json: what happened in each"
run evtchn stat --interval 50ms --count 3
[ "$status" -eq 0 ] && [ "$(grep -c SENT/s "$out")" -eq 3 ]
report $? "stat --interval: per second, as often as asked for"

# As if a peer had flooded Alice: whose counts these are writes them.
python3 - "$bin" >"$out" 2>"$err" <<'EOF'
import glob, os, struct, sys

program = os.path.realpath(sys.argv[1] + "/alice_domU")
for pid in glob.glob("/proc/[0-9]*"):
    try:
        if os.readlink(pid + "/exe") != program:
            continue
        fds = glob.glob(pid + "/fd/*")
    except OSError:
        continue
    for fd in fds:
        if "memfd:evtchn-counts" in os.readlink(fd):
            with open(fd, "r+b", buffering=0) as f:
                f.seek(7 * 8)
                f.write(struct.pack("=Q", 4711))
            print("written")
EOF
grep -q written "$out" && run evtchn stat && [ "$status" -eq 0 ] &&
	awk '$9 == "STORMS" { head = 1 }
	$2 == "all" && $1 == 1 && $9 == 4711 { one = 1 }
	$2 == "all" && $1 == 0 && $9 == 0 { other = 1 }
	END { exit !(head && one && other) }' "$out"
report $? "stat: what a peer's storms cost whom"
run evtchn stat --json
json "stat --json: the same" \
	"[d['storms'] for d in doc['domains']] == [0, 4711]" \
	'[.domains[].storms] == [0, 4711]'

run evtchn top --interval 50ms
[ "$status" -eq 0 ] && [ "$(grep -c SENT/s "$out")" -eq 1 ] &&
	grep -q "no terminal" "$err" && ! grep -q "$(printf '\033')" "$out"
report $? "top without a terminal: one interval, and says so"
# On a terminal, for as long as it takes until q; script(1) makes one.
mkfifo "$dir/keys"
{
	TERM=xterm timeout 30 script -qec "$bin/evtchn top --interval 20ms" \
		/dev/null <"$dir/keys" >"$out" 2>"$err"
	echo $? >"$dir/top-status"
} &
top=$!
exec 4>"$dir/keys"
screens()
{
	[ "$(grep -c "$(printf '\033\[H')" "$out")" -ge 3 ]
}
soon screens
shown=$?
printf q >&4
wait $top
exec 4>&-
status=$(cat "$dir/top-status")
[ "$status" -eq 0 ] && [ $shown -eq 0 ] && grep -q alice_domU "$out"
report $? "top on a terminal: screen after screen, q ends it"

run evtchn graph
[ "$status" -eq 0 ] && [ ! -s "$err" ] && grep -q -x '  p0_1 -- p1_1;' "$out" &&
	grep -q 'p1_1 \[label="1 alice_domU"\];' "$out"
report $? "graph: two ports, an edge"
if command -v dot >/dev/null; then
	dot -Tsvg "$out" >"$dir/svg" 2>"$err" && [ ! -s "$err" ] &&
		[ "$(grep -c '<g id="clust' "$dir/svg")" -eq 2 ] &&
		[ "$(grep -c '<g id="edge' "$dir/svg")" -eq 1 ]
	report $? "graph: Graphviz draws it"
else
	skip "graph: Graphviz draws it" "no dot (graphviz)"
fi
exec 3<&-
kill $alice $dom0
wait $alice $dom0

# A name that would end the quotes, and steer Graphviz.
run evtchn run --domain 2 --name 'a" \n [' -- sh -c \
	'evtchn alloc --from 1 >/dev/null; evtchn graph'
[ "$status" -eq 0 ] && grep -q -F 'label="2 a\" \\n ["' "$out" &&
	{ ! command -v dot >/dev/null || dot -Tdot "$out" >/dev/null; }
report $? "graph: an odd name"

for command in stat top graph; do
	refused 1 "$command: no broker" "no broker" \
		evtchn $command --socket "$dir/none"
	misuse "$command: a stray argument" "'stray'" evtchn $command stray
	misuse "$command: unknown option" "--frob" evtchn $command --frob
done
misuse "stat: a count without an interval" "--interval" evtchn stat --count 3
misuse "stat: no interval" "too short" evtchn stat --interval 0

finish
