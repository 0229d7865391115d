#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh [BUILD]: the command line, as a user types it; prints TAP.
#
# Everything here is a program run with arguments and judged by its exit
# status and by what it printed.  Nothing waits for time to pass: programs that
# must be alive at the same moment are held by fifos, and what happens "soon"
# is polled for, with a deadline that only a failure reaches.
#
# Environment: CI (true: a missing JSON reader is a failure, not a skip).

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

for program in evtchn evtchnd alice_domU alice_dom0; do
	[ -x "$bin/$program" ] && continue
	echo "1..1"
	echo "not ok 1 - there is no $bin/$program; run make"
	exit 1
done

# --- Help ------------------------------------------------------------------

helps()
{
	run "$@"
	[ "$status" -eq 0 ] && [ ! -s "$err" ] && grep -q Example "$out"
	report $? "$(basename "$1") $2 ${3-}: help with an example"
}

helps "$bin/evtchn" --help
helps "$bin/evtchn" -h
helps "$bin/evtchn" help
for command in run ls stat top graph alloc bind notify wait close debug-key delegate replay help; do
	helps "$bin/evtchn" help $command
	helps "$bin/evtchn" $command --help
	evtchn --help
	grep -q "^  $command " "$out"
	report $? "evtchn --help lists $command"
done
helps "$bin/evtchnd" --help
helps "$bin/alice_domU" --help
helps "$bin/alice_dom0" --help

evtchn --version
[ "$status" -eq 0 ] && grep -q -x 'evtchn [0-9.]*' "$out"
report $? "evtchn --version: one line"

if [ -c /dev/full ]; then
	timeout 150 "$bin/evtchn" --help >/dev/full 2>"$err"
	status=$?
	: >"$out"
	[ $status -eq 1 ] && one_error_line "incomplete"
	report $? "evtchn --help into a full disk: says so, status 1"
fi

# --- Misuse ----------------------------------------------------------------

misuse "no command" "no command" "$bin/evtchn"
misuse "unknown command: the closest is named" "'run'" "$bin/evtchn" rnu
misuse "unknown option" "--frobnicate" "$bin/evtchn" --frobnicate
misuse "help on an unknown command" "'replay'" "$bin/evtchn" help reply
misuse "help on two commands" "'ls'" "$bin/evtchn" help run ls
misuse "a line break in an argument does not break the line" "'a?b'" \
	"$bin/evtchn" "a
b"

misuse "run without a program" "no program" "$bin/evtchn" run
misuse "run: -- and nothing" "no program" "$bin/evtchn" run --
misuse "run: unknown option" "--frob" "$bin/evtchn" run --frob -- true
misuse "run: unknown letter" "'-z'" "$bin/evtchn" run --name a -z -- true
for option in --domain --name --socket; do
	misuse "run: $option without an argument" "missing after '$option'" \
		"$bin/evtchn" run $option
done
for domain in 32752 -1 one '' 1x 99999999999999999999 ' 1' +1; do
	misuse "run: domain '$domain'" "'$domain' is not a domain" \
		"$bin/evtchn" run --domain "$domain" -- true
done
misuse "ls: a stray argument" "'stray'" "$bin/evtchn" ls stray
misuse "ls: domain out of range" "'32752' is not a domain" \
	"$bin/evtchn" ls --domain 32752
misuse "ls: unknown option" "--all" "$bin/evtchn" ls --all
misuse "ls: an argument too much" "'--json' takes no argument" \
	"$bin/evtchn" ls --json=yes

misuse "replay without a file" "evtchn replay: " "$bin/evtchn" replay
evtchn replay "$dir/nothing"
: >"$out" # its summary counts the file as unreadable
[ "$status" -eq 2 ] && one_error_line "$dir/nothing"
report $? "replay: unreadable file"
misuse "replay: unknown option" "--frob" "$bin/evtchn" replay --frob

long=$dir/$(printf '%0120d' 0)
echo "a file" >"$dir/file"
for command in "run -- true" ls; do
	verb=${command%% *}
	# shellcheck disable=SC2086
	misuse "$verb: socket path too long" "at most" \
		"$bin/evtchn" "$verb" --socket "$long" ${command#"$verb"}
	# shellcheck disable=SC2086
	misuse "$verb: not a socket" "$dir/file" \
		"$bin/evtchn" "$verb" --socket "$dir/file" ${command#"$verb"}
	# shellcheck disable=SC2086
	misuse "$verb: empty socket path" "socket" \
		"$bin/evtchn" "$verb" --socket "" ${command#"$verb"}
done
[ "$(cat "$dir/file")" = "a file" ]
report $? "what is not a socket is left alone"
refused 1 "run: no such directory for the socket" "$dir/no/sock" \
	"$bin/evtchn" run --socket "$dir/no/sock" -- true

misuse "evtchnd: unknown option" "--frob" "$bin/evtchnd" --frob
misuse "evtchnd: socket path too long" "at most" \
	"$bin/evtchnd" --foreground --socket "$long"
misuse "evtchnd: not a socket" "$dir/file" \
	"$bin/evtchnd" --foreground --socket "$dir/file"
misuse "evtchnd: a stray argument" "stray" "$bin/evtchnd" --foreground stray

for program in alice_domU alice_dom0; do
	misuse "$program: unknown option" "--frob" "$bin/$program" --frob
	misuse "$program: -n not a number" "'x'" "$bin/$program" -n x 1 1
	misuse "$program: -n without an argument" "-n" "$bin/$program" -n
done
misuse "alice_dom0: no domain and port" "missing" "$bin/alice_dom0"
misuse "alice_dom0: no port" "missing" "$bin/alice_dom0" 1
misuse "alice_domU: a stray argument" "'1'" "$bin/alice_domU" 1
misuse "alice.sh: no build directory" "usage" "$root/examples/alice.sh"
misuse "alice.sh: nothing built there" "make" "$root/examples/alice.sh" "$dir"

# --- No broker -------------------------------------------------------------

refused 1 "ls without a broker: says so, status 1" "no broker" "$bin/evtchn" ls
refused 1 "ls --json without a broker: no JSON" "no broker" \
	"$bin/evtchn" ls --json
refused 1 "alice_domU without a broker" "$socket" "$bin/alice_domU"
[ ! -e "$socket" ]
report $? "none of this started a broker"

# A copy of evtchn with no evtchnd beside it or in PATH: the reason is shown.
mkdir "$dir/lonely"
cp "$bin/evtchn" "$dir/lonely/evtchn"
refused 1 "run: no evtchnd to start" "cannot run evtchnd" \
	env PATH="$dir" "$dir/lonely/evtchn" run -- true

# --- What run ends with ----------------------------------------------------

exits 0 "run: status 0" "$bin/evtchn" run -- true
exits 42 "run: the program's own status" "$bin/evtchn" run -- sh -c 'exit 42'
exits 143 "run: 128 + the signal that killed it" \
	"$bin/evtchn" run -- sh -c 'kill -TERM $$'
exits 137 "run: killed for good" "$bin/evtchn" run -- sh -c 'kill -KILL $$'
refused 127 "run: no such program" "'no-such-program'" \
	"$bin/evtchn" run -- no-such-program
refused 126 "run: not executable" "$dir/file" \
	"$bin/evtchn" run -- "$dir/file"
exits 3 "run: options after the program are the program's" \
	"$bin/evtchn" run sh -c 'exit 3'

# A signal sent to run alone reaches the program, which decides.  The program
# names run's pid and then waits; run gets the signal.
mkfifo "$dir/pid"
"$bin/evtchn" run -- sh -c '
	sleep 100 &
	sleeper=$!
	trap "kill $sleeper; exit 9" USR1
	echo $PPID >"$1"
	wait' sh "$dir/pid" >"$out" 2>"$err" &
pid=$!
parent=$(timeout 100 head -n 1 "$dir/pid")
[ "$parent" = $pid ]
report $? "run is the parent of its program"
kill -USR1 $pid
wait $pid
status=$?
[ $status -eq 9 ]
report $? "run passes a signal on"

# shellcheck disable=SC2016
run "$bin/evtchn" run --domain 7 -- sh -c 'echo "$EVTCHN_SOCKET"'
[ "$status" -eq 0 ] && [ "$(cat "$out")" = "$socket" ]
report $? "run tells its program the socket"
(
	unset EVTCHN_SOCKET
	cd "$dir" || exit 1
	# shellcheck disable=SC2016
	run "$bin/evtchn" run --socket sock -- \
		sh -c 'cd /; echo "$EVTCHN_SOCKET"'
	[ "$status" -eq 0 ] && [ "$(cat "$out")" = "$socket" ]
)
report $? "run makes a relative socket path absolute"

# The broker must not hold a pipe of the command that started it: cat ends
# when the last writer has closed it.  A domain that holds no pipe, and is
# started from within, keeps that broker alive meanwhile.
gone "$socket"
report $? "the broker leaves after the last domain"
mkfifo "$dir/up" "$dir/gate"
cat >"$dir/holder" <<'END'
"$1" run --domain 9 -- sh -c 'echo up >"$1/up"; read -r _ <"$1/gate"' \
	sh "$2" >/dev/null 2>&1 </dev/null 9>&- &
read -r _ <"$2/up"
END
timeout 60 sh -c '"$1" run -- sh "$2/holder" "$1" "$2" 2>&1 9>&1 | cat' \
	sh "$bin/evtchn" "$dir" >"$out" 2>"$err"
status=$?
[ $status -eq 0 ] && [ "$(brokers "$socket")" -eq 1 ]
report $? "a pipe of run ends with run, though its broker goes on"
refused 2 "evtchnd: the socket is in use" "$socket" \
	"$bin/evtchnd" --foreground --socket "$socket"
# shellcheck disable=SC2016
"$bin/evtchn" run --domain 9 --name other -- \
	sh -c 'echo "$EVTCHN_DOMAIN"; exec "$1" ls' sh "$bin/evtchn" \
	>"$out" 2>"$err"
status=$?
[ $status -eq 0 ] && [ ! -s "$err" ] && [ "$(head -n 1 "$out")" = 9 ] &&
	[ "$(grep -c '^9 *sh ' "$out")" -eq 1 ] && ! grep -q other "$out"
report $? "run: a domain that is there is joined, and keeps its name"
timeout 100 sh -c 'echo go >"$1"' sh "$dir/gate"
gone "$socket"
report $? "the broker leaves after the last domain, again"

# --- Ten at once -----------------------------------------------------------

# Each says which domain it is and waits at the gate, so that all ten are
# alive when the brokers are counted.
mkfifo "$dir/arrived" "$dir/gate10"
exec 3<>"$dir/arrived" 4<>"$dir/gate10"
runs=
for i in 1 2 3 4 5 6 7 8 9 10; do
	# shellcheck disable=SC2016
	"$bin/evtchn" run -- sh -c \
		'echo "$EVTCHN_DOMAIN" >&3; read -r _ <&4' >>"$out" 2>&1 &
	runs="$runs $!"
done
held="$held $runs"
timeout 100 head -n 10 <&3 >"$dir/domains"
[ "$(sort -n "$dir/domains" | tr '\n' ' ')" = "1 2 3 4 5 6 7 8 9 10 " ]
report $? "ten at once: ten domains, the lowest free ones, from 1"
[ "$(brokers "$socket")" -eq 1 ]
report $? "ten at once: one broker"
# shellcheck disable=SC2034
for i in 1 2 3 4 5 6 7 8 9 10; do
	echo go >&4
done
sum=0
for pid in $runs; do
	wait "$pid" || sum=$((sum + 1))
done
[ $sum -eq 0 ]
report $? "ten at once: all succeed"
exec 3<&- 4<&-
gone "$socket"
report $? "ten at once: the broker leaves"

# --- ls --------------------------------------------------------------------

# A name that JSON has to escape, and an open port that nobody binds.
odd='a "b" \c'
mkfifo "$dir/domU"
"$bin/evtchn" run --domain 3 --name "$odd" -- "$bin/alice_domU" \
	-n 100000000 >"$dir/domU" 2>/dev/null &
domU=$!
held="$held $domU"
exec 3<"$dir/domU"
read -r line <&3
port=${line#*port }
port=${port%% *}
"$bin/evtchn" run --domain 12 -- "$bin/evtchn" ls >"$out" 2>"$err"
status=$?
[ $status -eq 0 ] && [ ! -s "$err" ] &&
	tr -s ' ' <"$out" | head -n 1 |
	grep -q -x 'DOM NAME PORT STATE PEER/SOURCE VCPU PID PROGRAM' &&
	tr -s ' ' <"$out" | grep -F "3 $odd $port unbound 0:- 0 " |
	grep -q -x '.* 0 [1-9][0-9]* alice_domU' &&
	tr -s ' ' <"$out" | grep -q -x -F "12 evtchn - - - - - -" &&
	[ "$(wc -l <"$out")" -eq 3 ]
report $? "ls: a line for each port, and for a domain without"
grep -q "$(printf '\033')" "$out"
[ $? -eq 1 ]
report $? "ls: no colours into a file"
evtchn ls --domain 3
[ "$status" -eq 0 ] && [ "$(wc -l <"$out")" -eq 2 ] && grep -q '^3 ' "$out"
report $? "ls --domain: only that one"
refused 1 "ls --domain: no such domain" "no domain 4" \
	"$bin/evtchn" ls --domain 4

# A second program as the same domain, at the same time.
mkfifo "$dir/domU3"
"$bin/evtchn" run --domain 3 -- "$bin/alice_domU" -n 100000000 \
	>"$dir/domU3" 2>/dev/null &
second=$!
held="$held $second"
exec 5<"$dir/domU3"
read -r line <&5
evtchn ls --domain 3
[ "$status" -eq 0 ] && [ "$(wc -l <"$out")" -eq 3 ] &&
	[ "$(tr -s ' ' <"$out" | sed -n 's/^3 .* 0:- 0 \([0-9]*\) alice_domU$/\1/p' |
		sort -u | wc -l)" -eq 2 ]
report $? "run: two programs as one domain, a port each"
kill -TERM $second
wait $second
alone()
{
	"$bin/evtchn" ls --domain 3 >"$out" 2>"$err"
	[ "$(wc -l <"$out")" -eq 2 ]
}
soon alone
report $? "run: one of two ends, its port with it, the other stays"
exec 5<&-

evtchn ls --json
[ "$status" -eq 0 ] && [ ! -s "$err" ]
report $? "ls --json: status 0"
json "ls --json: valid, with the name as it was given" \
	"[d['name'] for d in doc['domains']] == ['a \"b\" \\\\c']" \
	'[.domains[].name] == ["a \"b\" \\c"]'
json "ls --json: the port" \
	"doc['domains'][0]['ports'] == [{'port': $port, 'state': 'unbound',
	'vcpu': 0, 'peer_domain': 0, 'pid': doc['domains'][0]['pid'],
	'program': 'alice_domU'}]" \
	".domains[0].ports == [{\"port\": $port, \"state\": \"unbound\",
	\"vcpu\": 0, \"peer_domain\": 0, \"pid\": .domains[0].pid,
	\"program\": \"alice_domU\"}]"
"$bin/evtchn" ls --json >/dev/full 2>"$err"
status=$?
: >"$out"
[ $status -eq 1 ] && one_error_line "incomplete"
report $? "ls --json into a full disk: says so, status 1"

# --- Alice: what must be seen when events are lost -------------------------

# Two pairs at the same time, since each takes the patience of a survivor.
# First pair: dom0 is killed while events go back and forth; ls sees them.
"$bin/evtchn" run --domain 0 --name dom0 -- "$bin/alice_dom0" -n 100000000 \
	3 "$port" >"$dir/dom0.out" 2>"$dir/dom0.err" &
dom0=$!
held="$held $dom0"
connected()
{
	"$bin/evtchn" ls 2>"$err" | tr -s ' ' >"$out"
	grep -q "^0 dom0 [0-9]* interdomain 3:$port 0 [0-9]* alice_dom0\$" \
		"$out" &&
		grep -q -F "3 $odd $port interdomain 0:" "$out"
}
status=unknown
soon connected
report $? "ls: both ends of a connection in use"

# Second pair, with a broker of its own: dom0 wants more than domU gives.
mkfifo "$dir/domU2"
EVTCHN_SOCKET=$dir/sock2 "$bin/evtchn" run -- "$bin/alice_domU" -n 10 \
	>"$dir/domU2" 2>"$err" &
domU2=$!
held="$held $domU2"
exec 4<"$dir/domU2"
read -r line <&4
port2=${line#*port }
port2=${port2%% *}
EVTCHN_SOCKET=$dir/sock2 "$bin/evtchn" run --domain 0 -- \
	"$bin/alice_dom0" -n 20 1 "$port2" >"$dir/dom0b.out" \
	2>"$dir/dom0b.err" &
dom0b=$!
held="$held $dom0b"

kill -TERM $dom0
wait $dom0
status=$?
[ $status -eq 143 ]
report $? "alice: dom0 is killed in the middle"

wait $dom0b
status=$?
cp "$dir/dom0b.out" "$out"
cp "$dir/dom0b.err" "$err"
[ $status -eq 1 ] &&
	grep -q '^\[dom0\] LOST: event 12 was not answered' "$err" &&
	! grep -q 'round trips' "$out"
report $? "alice_dom0: an event that nobody answers is a failure"
cat <&4 >"$out"
wait $domU2
status=$?
[ $status -eq 0 ] && grep -q 'handler called 11 times, 11 events sent' "$out"
report $? "alice_domU: got all of its own"

cat <&3 >"$out"
wait $domU
status=$?
[ $status -eq 1 ] && grep -q 'handler called' "$out"
report $? "alice_domU: events that do not come are a failure"
exec 3<&- 4<&-
gone "$socket" && gone "$dir/sock2"
report $? "alice: no broker is left"

refused 1 "alice_dom0: nobody is there" "no such domain" \
	"$bin/evtchn" run --domain 0 -- "$bin/alice_dom0" 1 1
refused 1 "alice_dom0: not in domain 0 itself" "no such port" \
	"$bin/evtchn" run --domain 0 -- "$bin/alice_dom0" 0 1

# --- Alice: the demonstration ----------------------------------------------

# says PATTERN...: each is a line of $out.
says()
{
	for pattern in "$@"; do
		grep -q -x -e "$pattern" "$out" && continue
		echo "no line is: $pattern" >>"$err"
		return 1
	done
}

# alice NAME BUILD: runs alice.sh with its temporary files where we can look.
mkdir "$dir/tmp"
alice()
{
	TMPDIR=$dir/tmp timeout 60 "$root/examples/alice.sh" "$@" \
		>"$out" 2>"$err" </dev/null
	status=$?
}
nothing_left()
{
	[ -z "$(ls "$dir/tmp")" ] &&
		[ -z "$(ours)" ]
}

alice "$build"
us='[0-9]*\.[0-9]'
[ "$status" -eq 0 ] && [ ! -s "$err" ] && says \
	'\[domU 1\] port [0-9]* waits for dom0; bound to irq [0-9]*' \
	'\[dom0\] port [0-9]* is connected to port [0-9]* of domain 1;.*' \
	'\[dom0\] domain 1 answered' \
	"10000 round trips: median $us us, p99 $us us, max $us us (min $us)" \
	'\[dom0\] .* called 10002 times (1 by the bind), 10001 events sent' \
	'\[domU 1\] .* called 10001 times, 10001 events sent'
report $? "alice.sh: both sides say what they did, and the counts agree"
soon nothing_left
report $? "alice.sh: leaves neither files nor processes"

# The same with one side replaced by a program that fails.
mkdir -p "$dir/fake/bin"
for side in alice_domU alice_dom0; do
	for program in evtchn evtchnd alice_domU alice_dom0; do
		ln -sf "$bin/$program" "$dir/fake/bin/$program"
	done
	rm "$dir/fake/bin/$side"
	printf '#!/bin/sh\nexit 7\n' >"$dir/fake/bin/$side"
	chmod +x "$dir/fake/bin/$side"
	alice -n 10 "$dir/fake"
	[ "$status" -ne 0 ] && grep -q "^alice.sh: ${side#alice_} " "$err"
	report $? "alice.sh: fails when $side does"
	soon nothing_left
	report $? "alice.sh: leaves nothing when $side fails"
done

finish
