#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh BUILD: event sources of the process host: VIRQs from outside, timers,
# interrupt lines.  Prints TAP.
#
# The cmocka programs of this folder with their sanitizers, then the commands
# as a user types them.

. "$(dirname "$0")/../lib/tap.sh"

bin=$build/bin
started=

at_end()
{
	# shellcheck disable=SC2086
	[ -z "$started" ] || kill $started 2>/dev/null
	wait
}

check_programs

# --- evtchn debug-key, evtchn delegate ---------------------------------------

evtchn()
{
	timeout 120 "$bin/evtchn" "$@"
}

# says STATUS WORDS COMMAND...: one line with WORDS, and that status.
says()
{
	expected=$1 words=$2
	shift 2
	"$@" >"$dir/said" 2>&1
	status=$?
	echo "status $status:"
	cat "$dir/said"
	[ "$status" -eq "$expected" ] && [ "$(wc -l <"$dir/said")" -eq 1 ] &&
		grep -qF -e "$words" "$dir/said"
}

check "debug-key: without a broker it says so" \
	says 1 "no broker at" evtchn debug-key
check "debug-key: not a virtual interrupt" \
	says 2 "'24' is no virtual interrupt" evtchn debug-key 24
check "debug-key: one argument too many" \
	says 2 "'2' is one argument too many" evtchn debug-key 1 2
check "debug-key: not a domain" says 2 "not a domain" evtchn debug-key -d x
check "delegate: arguments are missing" \
	says 2 "a VIRQ and a domain" evtchn delegate console
check "delegate: not a virtual interrupt" \
	says 2 "no virtual interrupt" evtchn delegate consol 1

# A domain that stays until its input ends.
mkfifo "$dir/hold"
evtchn run --domain 3 -- cat "$dir/hold" &
started="$started $!"
exec 3>"$dir/hold"
check "debug-key: nobody has bound it" \
	says 1 "nobody has bound VIRQ_DEBUG" evtchn debug-key
check "debug-key: no such domain" \
	says 1 "no such domain" evtchn debug-key --domain 4
check "debug-key: a global one and a domain" \
	says 1 "name none" evtchn debug-key --domain 3 enomem
check "delegate: one that is not global" \
	says 1 "is not global" evtchn delegate VIRQ_TIMER 3
delegate_quietly()
{
	[ -z "$(evtchn delegate 12 3 2>&1)" ]
}
check "delegate: by number, silently" delegate_quietly

exec 3>&-
wait "$!"
started=

# --- the examples, as built for users ----------------------------------------

two_clocks()
{
	evtchn run -- "$bin/timer" -n 20 && evtchn run -- "$bin/timer" --help &&
		! evtchn run -- "$bin/timer" -n 0
}
check "timer: wall clock and virtual time part" two_clocks

# A pipe as the line: it hangs up when the writer has gone.
uart_on_pipe()
{
	mkfifo "$dir/uart" || return 1
	evtchn run --domain 2 --pirq 4="$dir/uart" -- \
		"$bin/pirq_uart" -n 10 4 "$dir/uart" >"$dir/bytes" &
	pid=$!
	printf '0123456789' >"$dir/uart"
	wait "$pid" && [ "$(cat "$dir/bytes")" = 0123456789 ]
}
check "pirq_uart: a pipe as its line" uart_on_pipe
uart_forbidden()
{
	says 1 "not permitted" evtchn run --domain 2 -- \
		"$bin/pirq_uart" 4 "$dir/uart"
}
check "pirq_uart: not without permission" uart_forbidden

check "evtchnd --console: a file is no console" \
	says 2 "name a terminal or a pipe" \
	timeout 120 "$bin/evtchnd" --foreground --console "$here/run.sh"
check "run --pirq: not a line" \
	says 2 "'x=/dev/tty' is no interrupt line" \
	evtchn run --pirq x=/dev/tty -- true
check "run --pirq: a line without a device" \
	says 2 "'4=' is no interrupt line" evtchn run --pirq 4= -- true
check "run --pirq: a line that is not there" \
	says 1 "no such line" evtchn run --domain 5 --pirq 9 -- true

finish
