#!/bin/bash
# The core against the reference model, and the model against cores with a
# mistake in them (tests/model/mutants).  Usage: run.sh BUILD_DIR.  Prints TAP.
set -u
cd "$(dirname "$0")/../.."
build=${1:-build}
dir=$build/test/model
out=$dir/mutants
model=$dir/model
mkdir -p "$out"
n=0
failed=0

report() { # ok|"not ok", text
	n=$((n + 1))
	echo "$1 $n - $2"
	[ "$1" = ok ] || failed=1
}

# expect TEXT STATUS COMMAND...: the command ends with that status.
expect() {
	local text=$1 status=$2 log=$out/log rc
	shift 2
	"$@" >"$log" 2>&1
	rc=$?
	if [ "$rc" = "$status" ]; then
		report ok "$text"
	else
		report "not ok" "$text: exit status $rc, not $status"
		tail -60 "$log" | sed 's/^/# /'
	fi
}

# --- random operations

ops=200000
length=4000
[ -n "${EVC_LONG:-}" ] && ops=10000000
expect "$ops random operations: the core does what the model does, and every result is reached" \
	0 "$model" --ops "$ops" --length "$length" --coverage
if [ -n "${EVC_LONG:-}" ]; then
	for seed in 1000000 2000000 3000000; do
		expect "1000000 operations in runs of 50000, seed $seed" \
			0 "$model" --ops 1000000 --length 50000 --seed "$seed"
	done
fi

# --- the program itself

"$model" --print --ops 3000 --length 3000 --seed 7 >"$out/printed"
expect "a printed sequence can be read back" 0 "$model" --replay "$out/printed"
expect "help" 0 "$model" --help
expect "an unknown option is wrong usage" 2 "$model" --no-such-option
echo "send dom=1 port=" >"$out/bad"
expect "a line that is no operation is wrong usage" 2 "$model" --replay "$out/bad"

# --- cores with a mistake

core=" $(cat "$dir/core.list") "
last=$model

# mutant FILE SED PROGRAM: link PROGRAM with a core whose FILE was edited.
mutant() {
	local file=$1 sed=$2 to=$3 objs=() c
	sed -e "$sed" "core/$file" >"$to.c" || return 1
	if cmp -s "core/$file" "$to.c"; then
		echo "the sed program changes nothing in core/$file"
		return 1
	fi
	for c in $core; do
		[ "$c" = "core/$file" ] || objs+=("$build/obj/${c%.c}.o")
	done
	${CC:-cc} -std=c11 -O1 -w -Iabi/include -Ibase/include -Icore/include \
		-Icore -c "$to.c" -o "$to.o" &&
		${CC:-cc} "$dir/plain.o" "${objs[@]}" "$to.o" -o "$to"
}

# The same without a mistake, so that what is found is the mistake.
if mutant channel.c '1i /* no mistake */' "$out/none" >"$out/log" 2>&1; then
	expect "nothing is found in a core without one" 0 "$out/none" --ops 100000
else
	report "not ok" "a core without a mistake cannot be built"
fi
while IFS='|' read -r name file sed; do
	case $name in '#'* | '') continue ;; esac
	name=${name% } file=${file# } file=${file% } sed=${sed# }
	prog=$out/$(echo "$name" | tr -cs 'A-Za-z0-9\n' _)
	if [[ $core != *" core/$file "* ]] || { [[ $name == *linked* ]] &&
		[[ $core != *" core/fifo.c "* ]]; }; then
		report ok "found: $name # SKIP built without FIFO"
	elif ! mutant "$file" "$sed" "$prog" >"$out/log" 2>&1; then
		report "not ok" "found: $name: cannot be built"
		sed 's/^/# /' "$out/log"
	else
		"$prog" --ops 200000 --no-shrink >"$out/log" 2>&1
		rc=$?
		at=$(sed -n 's/^again: //p' "$out/log")
		[ "$rc" = 1 ] && [ -n "$at" ] &&
			report ok "found: $name ($at)" ||
			report "not ok" "found: $name: exit status $rc"
		[ "$name" = "2-level: a closed port stays pending" ] && last=$prog
	fi
done <tests/model/mutants

# --- what a failure leaves behind

"$last" --ops 200000 >"$out/failure" 2>&1
sed -n '/^xen_4_17/,/^after operation\|^result\|^memory\|^what\|^status\|^out/p' \
	"$out/failure" | grep -E '^(xen_4_17|[a-z_0-9]+ dom=)' >"$out/small"
lines=$(wc -l <"$out/small")
if [ "$lines" -ge 2 ] && [ "$lines" -le 20 ]; then
	report ok "a failure is made small: $((lines - 1)) operations"
else
	report "not ok" "a failure is made small: $((lines - 1)) operations"
	sed 's/^/# /' "$out/failure"
fi
expect "and fails again from its list" 1 "$last" --replay "$out/small"
expect "which the right core does not" 0 "$model" --replay "$out/small"
again=$(sed -n 's/^again: //p' "$out/failure")
# shellcheck disable=SC2086
expect "the command line it names fails, too" 1 "$last" --no-shrink ${again:---ops 0}

echo "1..$n"
exit $failed
