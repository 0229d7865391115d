# shellcheck shell=sh
# SPDX-License-Identifier: MIT
#
# What the tests of the command line share; sourced with $1, the build
# directory.  Nothing here waits for time to pass.

set -u

build=${1:-build}
build=$(cd "$build" && pwd) || exit 1
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=$build/bin

dir=$(mktemp -d) || exit 1
out=$dir/stdout
err=$dir/stderr
socket=$dir/sock
export EVTCHN_SOCKET="$socket"
held=
. "$root/tests/lib/report.sh"

# ours: the processes whose command line names our directory.
ours()
{
	for process in /proc/[0-9]*; do
		tr '\0' ' ' <"$process/cmdline" | grep -q -F "$dir/" &&
			echo "${process#/proc/}"
	done 2>/dev/null
}

# Runs at the end, also after a failure: what then is left is stopped.
cleanup()
{
	# shellcheck disable=SC2046,SC2086
	kill $held $(ours) 2>/dev/null
	wait
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

# --- Helpers ---------------------------------------------------------------

# What was printed, below a failure.
said()
{
	echo "# exit status ${status:-unknown}"
	sed 's/^/# stderr: /' "$err"
	sed 's/^/# stdout: /' "$out"
}

# run COMMAND...: sets status and fills $out and $err.
run()
{
	timeout 30 "$@" >"$out" 2>"$err" </dev/null
	status=$?
}

# one_error_line WORDS: nothing on stdout, one line with WORDS on stderr.
one_error_line()
{
	[ ! -s "$out" ] && [ "$(wc -l <"$err")" -eq 1 ] &&
		grep -q -F -e "$1" "$err"
}

# refused STATUS NAME WORDS COMMAND...
refused()
{
	expected=$1 name=$2 words=$3
	shift 3
	run "$@"
	[ "$status" -eq "$expected" ] && one_error_line "$words"
	report $? "$name"
}

# misuse NAME WORDS COMMAND...: the command line is wrong.
misuse()
{
	refused 2 "$@"
}

# exits STATUS NAME COMMAND...: with this status, silently.
exits()
{
	expected=$1 name=$2
	shift 2
	run "$@"
	[ "$status" -eq "$expected" ] && [ ! -s "$err" ]
	report $? "$name"
}

# gone SOCKET: wait for its broker, which holds a lock as long as it lives.
gone()
{
	flock -w 60 "$1.pid" true && no_broker "$1"
}

# soon COMMAND...: true as soon as COMMAND is, false after a minute at least.
soon()
{
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 3000 ] || return 1
		sleep 0.02
	done
}

# brokers SOCKET: how many brokers serve it.
brokers()
{
	count=0
	for file in /proc/[0-9]*/cmdline; do
		case $(tr '\0' ' ' <"$file" 2>/dev/null) in
		*"evtchnd --socket $1 "*) count=$((count + 1)) ;;
		esac
	done 2>/dev/null
	echo $count
}

no_broker()
{
	[ "$(brokers "$1")" -eq 0 ]
}

evtchn()
{
	run "$bin/evtchn" "$@"
}

# json NAME PYTHON JQ: $out is one JSON document for which this is true.
json()
{
	if command -v python3 >/dev/null; then
		python3 -c "import json, sys
doc = json.load(sys.stdin)
sys.exit(not ($2))" <"$out" 2>"$err"
		report $? "$1"
	elif command -v jq >/dev/null; then
		[ "$(jq -s length "$out")" = 1 ] &&
			jq -e "$3" "$out" >/dev/null 2>"$err"
		report $? "$1"
	else
		skip "$1" "neither python3 nor jq"
	fi
}
