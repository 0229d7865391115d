#!/bin/bash
# Explore schedules: the explorer itself (litmus), all models, some of them also
# by brute force, and every mutant of mutants/, which a model has to catch.  Usage: run.sh BUILD_DIR [MUTANT...]
# Prints TAP.  EVC_LONG=1 adds the models that take minutes.
#
# A mutant is a sed script, applied to a copy of the file its head names:
#   # file: the file that is changed; a mutant that changes nothing fails
#   # with: sources to compile, if that is a header
#   # model: NAME MEMORY: what has to catch it
#   # not: NAME MEMORY: what must not, to show what kind of rule it is
#   # litmus: the litmus tests have to catch it
set -u
cd "$(dirname "$0")/../.." || exit 1
il=${1:-build}/interleave
shift
n=0 failed=0
brute="send-close:SC virq-close:TSO 2l-send-mask:SC"
[ -n "${EVC_LONG:-}" ] && brute="$brute bind-close:SC close-close-ends:SC"

report() { # ok|"not ok", text
	n=$((n + 1))
	echo "$1 $n - $2"
	[ "$1" = ok ] || failed=1
}

# part PROGRAM ARGUMENT...: its TAP, renumbered.
part() {
	local line rc
	while IFS= read -r line; do
		case $line in
		ok\ *) report ok "${line#* - }" ;;
		not\ ok\ *) report "not ok" "${line#* - }" ;;
		\#*) echo "$line" ;;
		esac
	done < <("$il/$1" "${@:2}" 2>"$il/$1.err"; echo $? >"$il/$1.rc")
	rc=$(cat "$il/$1.rc")
	[ "$rc" = 0 ] && return
	head -60 "$il/$1.err" | sed 's/^#*/#/'
	report "not ok" "$* ended with status $rc"
}

head_of() { sed -n "s/^# $2: *//p" "$1"; }

# build NAME: the program with the changed file; says why it cannot.
build_mutant() {
	local script=tests/interleave/mutants/$1.sed dir=$il/mutants/$1
	local file with src objs report goal=models
	file=$(head_of "$script" file)
	with=$(head_of "$script" with)
	rm -rf "$dir"
	mkdir -p "$dir/$(dirname "$file")"
	sed -E -f "$script" "$file" >"$dir/$file" || return 1
	if cmp -s "$file" "$dir/$file"; then
		echo "# $script changes nothing in $file"
		return 1
	fi
	[ -n "$(head_of "$script" litmus)" ] && goal=litmus
	objs=$(cat "$il/$goal.objs")
	for src in ${with:-$file}; do
		mkdir -p "$dir/$(dirname "$src")"
		[ -e "$dir/$src" ] || cp "$src" "$dir/$src"
		report=-fsanitize=thread
		case $src in tests/interleave/world.c) report= ;; esac
		REPORT=$report "$il/cc" -iquote "$dir" -iquote "$(dirname "$src")" \
			-c "$dir/$src" -o "$dir/${src%.c}.o" || return 1
		objs=${objs/"$il/obj/${src%.c}.o"/"$dir/${src%.c}.o"}
	done
	# shellcheck disable=SC2086
	${CC:-cc} $objs -o "$dir/run"
}

# catches NAME MODEL MEMORY: 0 caught, 1 not, 2 something else
catches() {
	timeout 60 "$il/mutants/$1/run" "${@:2}" \
		>"$il/mutants/$1/out" 2>"$il/mutants/$1/err"
	case $? in
	0) return 1 ;;
	1) return 0 ;;
	*) tail -3 "$il/mutants/$1/err" | sed 's/^/# /'; return 2 ;;
	esac
}

mutant() {
	local script=tests/interleave/mutants/$1.sed model not rule
	model=$(head_of "$script" model)
	not=$(head_of "$script" not)
	rule=$(sed -n '1s/^# //p' "$script")
	if ! build_mutant "$1"; then
		report "not ok" "mutant $1 cannot be built"
		return
	fi
	# shellcheck disable=SC2086
	if ! catches "$1" $model; then
		report "not ok" "mutant $1 is not caught (${model:-litmus}): $rule"
		return
	fi
	# shellcheck disable=SC2086
	if [ -n "$not" ] && ! { catches "$1" $not; [ $? = 1 ]; }; then
		report "not ok" "mutant $1 is caught by $not, too"
		return
	fi
	report ok "mutant $1 is caught by ${model:-litmus}${not:+, not by $not}: $rule"
}

if [ $# = 0 ]; then
	part litmus
	# Some models have more schedules than anybody can wait for.
	part models --limit 1000000
	for model in $brute; do
		part models --brute "${model%:*}" "${model#*:}"
	done
	set --
	for m in tests/interleave/mutants/*.sed; do
		set -- "$@" "$(basename "$m" .sed)"
	done
fi
for m; do
	mutant "$m"
done
echo "1..$n"
exit $failed
