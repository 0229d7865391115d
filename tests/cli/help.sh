#!/bin/bash
# SPDX-License-Identifier: MIT
#
# help.sh [BUILD]: what the commands say about themselves is true: examples run,
# manual pages and completion have all of it.  Prints TAP.

set -u

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

PATH=$bin:$PATH
commands=$("$bin/evtchn" --help |
	sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
cd "$bin" || exit 1 # the examples name ./alice_domU

# tool NAME: is there such a program?  Under CI there has to be.
tool()
{
	command -v "$1" >/dev/null && return 0
	skip "what $1 is for" "no $1"
	return 1
}

# --- Manual pages --------------------------------------------------------------

(cd "$root" && scripts/man "$build") >"$out" 2>"$err"
status=$?
report $status "manual pages are made"
if tool groff; then
	for page in "$build"/man/*; do
		groff -man -ww -Tutf8 "$page" 2>"$err" >"$out"
		[ ! -s "$err" ] && grep -q '^.SH EXAMPLES' "$page"
		report $? "$(basename "$page"): nothing to complain about"
	done
fi
# Every option of the help is in the page, at the start of a line.
for command in $commands; do
	page=$build/man/evtchn-$command.1
	missing=$("$bin/evtchn" "$command" --help | grep -o -e '^  *-.*' |
		sed 's/  *[^ -].*//' | grep -o -e '--[a-z][a-z-]*' |
		while read -r option; do
			grep -q -F -e "${option//-/\\-}" "$page" || echo "$option"
		done)
	echo "$missing" >"$out"
	[ -s "$page" ] && [ -z "$missing" ]
	report $? "evtchn-$command.1: all options"
done

# --- Completion ------------------------------------------------------------------

# bash_completes WORD...: what follows the last one, one word a line.
bash_completes()
{
	bash -c '. "$1/completions/evtchn.bash"
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_evtchn evtchn
		printf "%s\n" "${COMPREPLY[@]}"' bash "$root" "$@"
}

for command in $commands; do
	bash_completes evtchn "" 2>"$err" | grep -q -x -e "$command"
	report $? "bash: evtchn $command"
	bash_completes evtchn "$command" -- 2>>"$err" >"$out"
	[ "$command" = help ] || grep -q -x -e --help "$out"
	report $? "bash: evtchn $command --help"
done
[ "$(bash_completes evtchn wai)" = wait ] &&
	[ "$(bash_completes evtchn wait --ti)" = --timeout ] &&
	[ "$(bash_completes evtchn help not)" = notify ] &&
	[ -z "$(bash_completes evtchn wait do)" ]
report $? "bash: what was begun is completed"
if tool zsh; then
	zsh -n "$root/completions/_evtchn" 2>"$err"
	report $? "zsh: the file is correct"
	# shellcheck disable=SC2016
	zsh -fc '. "$1/completions/_evtchn"
		_evtchn_commands evtchn; _evtchn_options evtchn wait' \
		zsh "$root" >"$out" 2>"$err"
	missing=0
	for command in $commands; do
		grep -q "^$command:." "$out" || missing=$((missing + 1))
	done
	[ $missing -eq 0 ] && [ ! -s "$err" ] && grep -q -x -e --timeout "$out"
	report $? "zsh: all commands, and options"
fi

# --- The first example of each ------------------------------------------------------

# first COMMAND: the example, as the user would type it.
first()
{
	"$bin/evtchn" "$1" --help | sed -n '/^Examples\{0,1\}:/{n;s/^  //p;q}'
}

# A world with a domain 0 that has a door for domain 1.
mkfifo "$dir/ready" "$dir/over"
open_door()
{
	evtchn_run "$dir/world" --domain 0 -- sh -c '
		evtchn alloc --from 1 --name door >/dev/null
		echo ready >"$1/ready"; read -r _ <"$1/over"' sh "$dir" &
	world=$!
	read -r _ <"$dir/ready"
}
evtchn_run()
{
	log=$1
	shift
	timeout 60 "$bin/evtchn" run "$@" >"$log" 2>&1 </dev/null
}
close_door()
{
	echo over >"$dir/over"
	wait $world
}

for command in ls stat top graph bind notify close bench help; do
	open_door
	example=$(first $command)
	run sh -c "$example"
	[ "$status" -eq 0 ] && [ -n "$example" ]
	report $? "$command: $example"
	close_door
done
example=$(first alloc)
run sh -c "$example"
[ "$status" -eq 0 ] && [ "$(cat "$out")" = 1 ]
report $? "alloc: $example"
example=$(first wait)
timeout 30 sh -c "$(first notify)" &
run sh -c "$example"
[ "$status" -eq 0 ] && grep -q "at the door" "$out" && wait $!
report $? "wait: $example"
example=$(first trace)
run sh -c "$example"
[ "$status" -eq 0 ] && [ -s timer.json ]
report $? "trace: $example"
rm -f timer.json
# The two of run belong together: alice, and dom0 which answers.
"$bin/evtchn" run --help >"$dir/run"
second=$(sed -n '/^Examples:/{n;n;s/^  //p;q}' "$dir/run")
: >"$dir/first"
timeout 60 sh -c "$(first run)" >"$dir/first" 2>&1 &
soon grep -q "port 1 " "$dir/first"
run sh -c "$second"
[ "$status" -eq 0 ] && wait $!
report $? "run: $(first run); $second"

finish
