#!/bin/bash
# SPDX-License-Identifier: MIT
# The broker's command line: what is refused and how it is said; taking over a
# dead broker's socket; leaving when idle.
# Usage: evtchnd.sh BUILD.  Prints TAP.
set -u
build=${1:-build}
evtchnd=$build/san/bin/evtchnd
dir=$(mktemp -d) || exit 1
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$dir"' EXIT
unset EVTCHN_SOCKET XDG_RUNTIME_DIR

# shellcheck source=tests/lib/report.sh
. "$(dirname "$0")/../lib/report.sh"

said() {
	sed 's/^/# /' "$dir/err"
}

# refused TEXT PATTERN ARGS...: exit status 2, one line on stderr, with PATTERN.
refused() {
	local text=$1 pattern=$2 rc
	shift 2
	timeout -k 5 60 "$evtchnd" "$@" 2>"$dir/err" >"$dir/out"
	rc=$?
	[ $rc = 2 ] && [ "$(wc -l <"$dir/err")" = 1 ] &&
		[ ! -s "$dir/out" ] && grep -q "$pattern" "$dir/err"
	report $? "$text"
}

# start ARGS...: in the background; returns when it listens.
start() {
	mkfifo "$dir/ready"
	"$evtchnd" --ready-fd 3 "$@" 3>"$dir/ready" 2>"$dir/err" &
	pid=$!
	head -c1 "$dir/ready" >/dev/null
	rm "$dir/ready"
}

refused unknown_option_named "unknown option --frob" --frob
refused missing_value_named "no value for --socket" --socket
refused extra_argument_named "unexpected argument x" x
refused ready_fd_not_open_named "not 77" --ready-fd 77
refused path_too_long_says_how_long "200 bytes long, at most 107" \
	--socket "$(printf '/%0199d' 0)"
refused path_empty_refused "socket path is empty" --socket ""
echo hello >"$dir/file"
refused path_no_socket_named "$dir/file exists and is no socket" \
	--socket "$dir/file"
grep -q hello "$dir/file"
report $? path_no_socket_left_as_it_was
refused directory_missing_named "cannot create $dir/no/sock.pid" \
	--socket "$dir/no/sock"

# policy TEXT PATTERN LINE: a file with LINE in it, after two good ones.
policy() {
	printf '# rules\nallow everybody domain 1-9\n%s\n' "$3" >"$dir/policy"
	refused "$1" "$dir/policy:3: $2" --socket "$dir/sock" \
		--policy "$dir/policy"
}
umask 022
policy policy_verb_named "'permit' is no rule: begin with allow or limit" \
	"permit user 0 domain 1"
policy policy_user_named "no user 'nosuchuser': give" \
	"allow user nosuchuser domain 1"
policy policy_group_named "no group 'nosuchgroup': give" \
	"allow group nosuchgroup domain 1"
policy policy_who_named "'alice' is nobody: say" "allow alice domain 1"
policy policy_domain_too_large "'32752' is no domain: give 0 to 32751" \
	"allow user 0 domain 1,32752"
policy policy_range_backwards "'9-1' is no domain" "allow user 0 domain 9-1"
policy policy_domain_missing "no domain: give" "allow user 0 domain"
policy policy_dom0_in_a_range "'0-9' has domain 0 in it" \
	"allow user 0 domain 0-9"
policy policy_too_much "'2' is too much: one rule" "allow user 0 domain 1 2"
policy policy_resource_named "'cpu' has no limit" "limit user 0 cpu 1"
policy policy_limit_named "'-1' is no limit of ports" \
	"limit everybody domains 3 ports -1"
policy policy_group_limit "a group has no limits" "limit group 0 ports 1"
policy policy_limit_missing "no limit: say which" "limit everybody"
policy policy_line_too_long "longer than 510 bytes" "$(printf '#%0600d' 0)"
refused policy_missing_named "$dir/nofile: cannot be read: No such file" \
	--socket "$dir/sock" --policy "$dir/nofile"
refused policy_directory_named "$dir: is no file" --socket "$dir/sock" \
	--policy "$dir"
echo >"$dir/policy"
chmod 664 "$dir/policy"
refused policy_writable_by_others_refused "others can write it: chmod" \
	--socket "$dir/sock" --policy "$dir/policy"
if [ "$(id -u)" = 0 ]; then
	chmod 644 "$dir/policy"
	chown 65534 "$dir/policy"
	refused policy_of_another_user_refused "belongs to uid 65534: make" \
		--socket "$dir/sock" --policy "$dir/policy"
else
	skip policy_of_another_user_refused "needs root"
fi
rm -f "$dir/policy"
refused mode_named "permissions as 660, not 0999" --mode 0999

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	mkdir -m 755 "$dir/ro"
	chmod 755 "$dir"
	cp "$evtchnd" "$dir/evtchnd" && chmod 755 "$dir/evtchnd"
	ASAN_OPTIONS=detect_leaks=0 setpriv --reuid=65534 --clear-groups \
		"$dir/evtchnd" --socket "$dir/ro/sock" 2>"$dir/err"
	[ $? = 2 ] && grep -q "Permission denied: make the directory" "$dir/err"
	report $? directory_not_writable_named
else
	skip directory_not_writable_named "needs root"
fi

"$evtchnd" --help >"$dir/out" 2>"$dir/err" && grep -q "^Examples:" "$dir/out"
report $? help_has_examples
"$evtchnd" --version >"$dir/out" 2>"$dir/err" && grep -q "^evtchnd [0-9]" "$dir/out"
report $? version_printed

start --socket "$dir/sock"
refused live_broker_found_by_pid "a broker (pid $pid) serves $dir/sock" \
	--socket "$dir/sock"
kill -9 $pid
wait $pid 2>/dev/null
[ -S "$dir/sock" ]
report $? killed_broker_leaves_its_socket
start --socket "$dir/sock"
kill -0 $pid 2>"$dir/err"
report $? stale_socket_taken_over
kill $pid
wait $pid
rc=$?
[ $rc = 0 ] && [ ! -e "$dir/sock" ] && [ ! -e "$dir/sock.pid" ]
report $? terminated_broker_cleans_up

# Somebody else's socket is not taken away.
if command -v python3 >/dev/null; then
	mkfifo "$dir/bound"
	python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(sys.argv[1]); s.listen(5)
open(sys.argv[2], "w").write("x")
s.accept()[0].recv(1); s.accept()' "$dir/foreign" "$dir/bound" &
	other=$!
	cat "$dir/bound" >/dev/null
	refused foreign_listener_left_alone "somebody else listens on" \
		--socket "$dir/foreign"
	kill $other
	rm -f "$dir/foreign.pid"

	# Nor waited for, when more want to connect than it takes.
	full() { # NAME WHAT-IS-SAID LOCK
		python3 -c '
import fcntl, signal, socket, sys
new = lambda: socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s, waiting = new(), []
s.bind(sys.argv[1]); s.listen(0)
if sys.argv[3]:
    lock = open(sys.argv[1] + ".pid", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
try:
    while True:
        waiting.append(new())
        waiting[-1].setblocking(False)
        waiting[-1].connect(sys.argv[1])
except BlockingIOError:
    open(sys.argv[2], "w").write("x")
signal.pause()' "$dir/full$3" "$dir/bound" "$3" &
		other=$!
		cat "$dir/bound" >/dev/null
		refused "$1" "$2" --socket "$dir/full$3"
		kill $other
		rm -f "$dir/full$3"*
	}
	full foreign_listener_with_a_full_queue_left_alone \
		"somebody else listens on" ""
	full broker_with_a_full_queue_left_alone "serves .* already" locked
else
	for name in foreign_listener_left_alone \
		foreign_listener_with_a_full_queue_left_alone \
		broker_with_a_full_queue_left_alone; do
		skip "$name" "needs python3"
	done
fi

# --exit-idle: the program below attaches and leaves, the broker with it.
start --socket "$dir/sock" --exit-idle
EVTCHN_SOCKET=$dir/sock "$build/test/process/test_events" busy >"$dir/out"
timeout 100 tail --pid=$pid -f /dev/null
report $? exit_idle_leaves_after_the_last_connection
[ ! -e "$dir/sock" ]
report $? exit_idle_removes_the_socket

# While somebody holds PATH.lock it stays: he is about to connect.
start --socket "$dir/sock" --exit-idle
exec 9>"$dir/sock.lock"
flock 9
EVTCHN_SOCKET=$dir/sock "$build/test/process/test_events" busy >"$dir/out" 9>&-
EVTCHN_SOCKET=$dir/sock "$build/test/process/test_events" busy >"$dir/out" 9>&-
rc=$?
[ $rc = 0 ] && kill -0 $pid
report $? exit_idle_waits_for_who_holds_the_lock
exec 9>&-
EVTCHN_SOCKET=$dir/sock "$build/test/process/test_events" busy >"$dir/out"
timeout 100 tail --pid=$pid -f /dev/null
report $? exit_idle_leaves_when_the_lock_is_free

# In the background: returns when it listens.
"$evtchnd" --socket "$dir/sock" 2>"$dir/err"
rc=$?
pid=$(cat "$dir/sock.pid")
EVTCHN_SOCKET=$dir/sock "$build/test/process/test_events" busy >"$dir/out" &&
	[ $rc = 0 ] && kill "$pid"
report $? background_usable_when_the_command_returns

# The default directory.
mkdir -m 700 "$dir/run"
XDG_RUNTIME_DIR=$dir/run start
[ -S "$dir/run/evtchnd.sock" ]
report $? default_path_in_runtime_directory
kill $pid

# A program without standard output: what it prints must not end in the socket
# it talks to the broker through.
bin=$(cd "$build/san/bin" && pwd)
export EVTCHN_SOCKET=$dir/closed
start --socket "$EVTCHN_SOCKET"
EVTCHN_DOMAIN=1 "$bin/alice_domU" -n 5 >&- 2>"$dir/domU.err" &
domU=$!
export bin
timeout 60 sh -c 'until "$bin/evtchn" ls | grep -q unbound; do :; done' 2>"$dir/err" &&
	EVTCHN_DOMAIN=0 "$bin/alice_dom0" -n 5 1 1 >"$dir/out" 2>"$dir/err"
rc=$?
[ $rc = 0 ] || kill $domU
wait $domU && [ $rc = 0 ]
report $? program_without_standard_output_works
kill $pid && wait $pid 2>/dev/null

finish
