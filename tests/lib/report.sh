# shellcheck shell=sh
# SPDX-License-Identifier: MIT
#
# TAP, for shell scripts; sourced.  What is checked writes to "$dir/log".

# shellcheck disable=SC2154 # who includes this has $dir
number=0
failures=0

# The lines that say why.
telling()
{
	grep -m 7 -E 'not ok|FAILED|ERROR|LINE  |runtime error|^# |WARNING: Thread|  #0 |SUMMARY: ' \
		"$dir/log"
}

# said STATUS: below a failure.  What says why comes first: whoever runs many
# tests shows a few lines of each.  A script may define it anew.
said()
{
	echo "# exit status $1"
	{
		telling || tail -n 7 "$dir/log"
		echo "--- its end:"
		tail -n 30 "$dir/log"
	} | sed 's/^# //; s/^/# /'
}

# report STATUS NAME: one TAP line.
report()
{
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - $2"
	else
		failures=$((failures + 1))
		echo "not ok $number - $2"
		said "$1"
	fi
}

# skip NAME WHY: what is missing is a failure where everything must be there.
skip()
{
	number=$((number + 1))
	if [ "${CI:-}" = true ]; then
		failures=$((failures + 1))
		echo "not ok $number - $1: $2"
	else
		echo "ok $number - $1 # SKIP $2"
	fi
}

# check NAME COMMAND...
check()
{
	name=$1
	shift
	("$@") >"$dir/log" 2>&1
	report $? "$name"
}

finish()
{
	echo "1..$number"
	exit $((failures > 0))
}
