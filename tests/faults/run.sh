#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh BUILD: processes that die, and what becomes of the others.  Prints TAP.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

unset EVTCHN_NOTICE
broker=

at_end()
{
	[ -n "$broker" ] && kill "$broker" 2>/dev/null && wait "$broker"
}

# measured NAME COMMAND...: what it says about itself, "# ...", is shown, too.
measured()
{
	check "$@"
	grep '^#' "$dir/log"
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

for t in ${FAULTS_ONLY-tests/faults/test_*.c}; do
	t=$(basename "$t" .c)
	check "$t" env CMOCKA_MESSAGE_OUTPUT=TAP timeout 400 \
		"$build/test/faults/$t"
done

start_broker
measured "a killed peer is an event within 10 ms" timeout 120 \
	"$build/test/faults/latency" "$EVTCHN_SOCKET"
stop_broker

# --- evtchn run --------------------------------------------------------------

# soon COMMAND...: true before a deadline that only a failure reaches.
soon()
{
	for _ in $(seq 500); do
		"$@" && return 0
		sleep 0.02
	done
	echo "never: $*"
	return 1
}

holds() # DOMAIN: the broker has it
{
	"$build/bin/evtchn" ls 2>&1 | grep -q "^ *$1 "
}

replaced() # PID: another one serves the path
{
	pid=$(cat "$EVTCHN_SOCKET.pid" 2>/dev/null) && [ -n "$pid" ] &&
		[ "$pid" != "$1" ]
}

run_replaces_a_killed_broker()
{
	mkfifo "$dir/one" "$dir/two" || return 1
	"$build/bin/evtchn" run --domain 6 -- sh -c "read x <$dir/one" &
	first=$!
	"$build/bin/evtchn" run --domain 7 -- sh -c "read x <$dir/two" &
	second=$!
	soon holds 6 && soon holds 7 || return 1
	old=$(cat "$EVTCHN_SOCKET.pid")
	kill -9 "$old" || return 1
	soon replaced "$old" && soon holds 6 && soon holds 7 || return 1
	echo x >"$dir/one" && echo x >"$dir/two"
	wait $first && wait $second || return 1
	# Nobody is left, so the new one leaves by itself.
	rm "$dir/one" "$dir/two"
	soon test ! -e "$EVTCHN_SOCKET"
}

run_leaves_a_broker_alone_that_was_asked_to_end()
{
	mkfifo "$dir/one" || return 1
	"$build/bin/evtchn" run --domain 6 -- sh -c "read x <$dir/one" &
	first=$!
	soon holds 6 || return 1
	kill "$(cat "$EVTCHN_SOCKET.pid")" || return 1
	soon test ! -e "$EVTCHN_SOCKET" || return 1
	echo x >"$dir/one"
	wait $first || return 1
	rm "$dir/one"
	[ ! -e "$EVTCHN_SOCKET" ]
}

# pid_of_broker: of the one that serves the path now
pid_of_broker()
{
	cat "$EVTCHN_SOCKET.pid"
}

kept() # NAME: there is a port of that name
{
	"$build/bin/evtchn" ls --json 2>&1 | grep -q "\"name\": \"$1\"}"
}

say() # FIFO: whoever reads it goes on; it may be nobody
{
	timeout 20 sh -c "echo x >'$dir/$1'"
}

# Whoever waits goes on with the next broker, and so does the event.
waits_go_on()
{
	mkfifo "$dir/one" "$dir/two" || return 1
	timeout 60 "$build/bin/evtchn" run --domain 6 -- sh -c "
		'$build/bin/evtchn' alloc --from 7 --name door &&
		'$build/bin/evtchn' alloc --from 7 --name gate && read x <$dir/one &&
		'$build/bin/evtchn' wait --timeout 30s door && read x <$dir/two &&
		'$build/bin/evtchn' wait --timeout 30s gate" &
	first=$!
	soon kept gate || return 1
	say one || return 1
	old=$(pid_of_broker)
	kill -9 "$old" || return 1
	# An event while somebody waits for it, one for later, and the end again.
	timeout 30 "$build/bin/evtchn" notify --domain 7 --to 6 --timeout 20s door &&
		timeout 30 "$build/bin/evtchn" notify --domain 7 --to 6 gate ||
		return 1
	soon replaced "$old" || return 1
	kill -9 "$(pid_of_broker)" || return 1
	say two || return 1
	wait $first || return 1
	rm "$dir/one" "$dir/two"
	soon test ! -e "$EVTCHN_SOCKET" && [ ! -e "$EVTCHN_SOCKET.state" ]
}

# The command itself holds the domain, and closes the port in the end.
alloc_holds_on()
{
	mkfifo "$dir/one" || return 1
	timeout 60 "$build/bin/evtchn" alloc --domain 6 --from 7 --name door -- \
		sh -c "read x <$dir/one" &
	first=$!
	soon kept door || return 1
	old=$(pid_of_broker)
	kill -9 "$old" || return 1
	soon replaced "$old" && soon kept door || return 1
	timeout 30 "$build/bin/evtchn" notify --domain 7 --to 6 door || return 1
	say one || return 1
	wait $first || return 1
	rm "$dir/one"
	soon test ! -e "$EVTCHN_SOCKET"
}

came() # NUMBER: so many bytes have
{
	[ "$(wc -c <"$dir/bytes")" -ge "$1" ]
}

# Whoever made the line, and whoever was permitted it, say so again.
lines_go_on()
{
	mkfifo "$dir/uart" "$dir/one" || return 1
	exec 5<>"$dir/uart"
	timeout 120 "$build/bin/evtchn" run --domain 6 --pirq 4="$dir/uart" \
		-- sh -c "read x <$dir/one" &
	first=$!
	soon holds 6 || return 1
	timeout 120 "$build/bin/evtchn" run --domain 7 --pirq 4 -- \
		"$build/bin/pirq_uart" -n 90 4 "$dir/uart" \
		>"$dir/bytes" 5>&- &
	second=$!
	printf 0123456789 >&5
	soon came 1 || return 1
	rm "$dir/uart" # it is the device that counts, not its name
	for n in 2 4 6; do
		old=$(pid_of_broker)
		printf 0123456789 >&5
		kill -9 "$old" || return 1
		printf 0123456789 >&5
		soon replaced "$old" && soon came $((n * 10 + 10)) || return 1
	done
	printf 01234567890123456789 >&5
	wait $second || return 1
	exec 5>&-
	say one && wait $first || return 1
	rm "$dir/one"
	[ "$(cat "$dir/bytes")" = "$(printf '0123456789%.0s' $(seq 9))" ]
}

check "lines and their drivers go on with the next broker" lines_go_on
check "evtchn wait and its port go on with the next broker" waits_go_on
check "evtchn alloc -- PROGRAM holds its port across brokers" alloc_holds_on
check "evtchn run replaces a broker that was killed, once for all" \
	run_replaces_a_killed_broker
check "evtchn run lets a broker go that was asked to" \
	run_leaves_a_broker_alone_that_was_asked_to_end

# A minute is what it takes to meet most of what can happen at a bad moment.
seconds=${FAULT_SECONDS:-60}
seed=${FAULT_SEED:-$(date +%s)}
measured "$seconds s of kills and stops under load (FAULT_SEED=$seed)" \
	timeout $((seconds * 4 + 120)) "$build/test/faults/storm" \
	"$build/san/bin/evtchnd" "$dir/storm" "$seconds" "$seed"
finish
