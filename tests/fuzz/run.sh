#!/bin/bash
# SPDX-License-Identifier: MIT
# Fuzzing as a test: every file of the corpus once, then a fixed number of
# new inputs from a fixed seed.  Prints TAP.
# Usage: tests/fuzz/run.sh [BUILD_DIR]
#        tests/fuzz/run.sh --fuzz SECONDS BUILD_DIR [TARGET]   (make fuzz)
# Without clang and its fuzzer runtime the corpus is run with $CC.
# EVC_LONG=1: twenty times as many new inputs, and the corpus with $CC as well.
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=
[ "${1:-}" = --fuzz ] && seconds=$2 && shift 2
top=${1:-build}
only=${2:-}
targets=(hypercall shared broker guest trace)
[ -f core/snapshot.c ] && targets+=(snapshot)
# How many new inputs make check tries: a few seconds of each target.
declare -A runs=([hypercall]=6000 [shared]=6000 [broker]=3000 [guest]=9000
	[trace]=3000 [snapshot]=3000)
declare -A longest=([trace]=6000)
sanitize="-fsanitize=address,undefined -fno-sanitize-recover=all"
n=0 failed=0

ok() {
	n=$((n + 1))
	echo "ok $n - $*"
}

not_ok() { # LOG TEXT...
	local log=$1
	shift
	n=$((n + 1)) failed=1
	echo "not ok $n - $*"
	grep -vE '^(#|INFO)|NEW|REDUCE|Uses:' "$log" | head -30 | sed 's/^/# /'
}

# build DIR ENGINE CC SANITIZE
build() {
	mkdir -p "$1"
	make -s -j"$(nproc)" BUILD="$1" ENGINE="$2" CC="$3" CFLAGS="-O1 -g" \
		SANITIZE="$4" fuzz-programs >"$1/make.log" 2>&1
}

has_libfuzzer() {
	echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n);
	int LLVMFuzzerTestOneInput(const char *d, unsigned long n)
	{ return n && d[0] == 1; }' |
		clang -fsanitize=fuzzer,address -x c - -o /dev/null 2>/dev/null
}

corpus() {
	echo "tests/fuzz/corpus/$1"
}

options() {
	echo "-timeout=20 -rss_limit_mb=2048 -max_len=${longest[$1]:-500}
		-artifact_prefix=$build/failed-$1-"
	[ -f "tests/fuzz/dict/$1.dict" ] &&
		echo "-dict=tests/fuzz/dict/$1.dict"
}

# The engine of choice, and where it builds.
if has_libfuzzer; then
	engine=libfuzzer build=$top/fuzz cc=clang
	sanitize="$sanitize -fsanitize=fuzzer-no-link"
else
	engine=files build=$top/fuzz-files cc=${CC:-cc}
fi
if ! build "$build" "$engine" "$cc" "$sanitize"; then
	tail -20 "$build/make.log" >&2
	echo "1..1"
	echo "not ok 1 - the fuzz targets do not build, see $build/make.log"
	exit 1
fi

# --- make fuzz ------------------------------------------------------------------

# New inputs are kept in BUILD_DIR/fuzz/found; what matters of them goes to the
# corpus with  build/fuzz/fuzz/TARGET -merge=1 tests/fuzz/corpus/TARGET FOUND.
fuzz_one() {
	local found=$build/found/$1

	mkdir -p "$found"
	echo "# $1: $seconds s; new inputs in $found"
	# shellcheck disable=SC2046
	timeout -k 5 $((seconds + 60)) "$build/fuzz/$1" $(options "$1") \
		-max_total_time="$seconds" "$found" "$(corpus "$1")" \
		>"$build/$1.log" 2>&1
	case $? in
	0) ok "$1: $(grep '^Done' "$build/$1.log")" ;;
	*) not_ok "$build/$1.log" "$1; the input is $build/failed-$1-*" ;;
	esac
}

if [ -n "$seconds" ]; then
	if [ "$engine" != libfuzzer ]; then
		echo "fuzz: clang's libFuzzer is missing (apt-get install clang libclang-rt-dev)" >&2
		exit 1
	fi
	for t in "${targets[@]}"; do
		[ -z "$only" ] || [ "$only" = "$t" ] && fuzz_one "$t"
	done
	echo "1..$n"
	exit $failed
fi

# --- make check -----------------------------------------------------------------

replay() { # PROGRAMS TARGET TEXT
	local log=$build/replay-$2.log files
	files=$(find "$(corpus "$2")" -type f | wc -l)
	if [ "$files" -gt 0 ] &&
		find "$(corpus "$2")" -type f -print0 | sort -z |
		timeout -k 5 100 xargs -0 "$1/$2" >"$log" 2>&1; then
		ok "$2: the $files inputs of the corpus$3"
	else
		not_ok "$log" "$2: the $files inputs of the corpus$3"
	fi
}

# The inputs depend on the seed and the corpus only.
new_inputs() {
	local log=$build/$1.log count=${runs[$1]} new=$build/new/$1

	rm -rf "$new" # where libFuzzer keeps what it finds
	mkdir -p "$new"
	[ "${EVC_LONG:-}" = 1 ] && count=$((count * 20))
	# shellcheck disable=SC2046
	if timeout -k 5 600 "$build/fuzz/$1" $(options "$1") -seed=1 \
		-runs="$count" "$new" "$(corpus "$1")" >"$log" 2>&1; then
		ok "$1: $count new inputs"
	else
		not_ok "$log" "$1: $count new inputs; $build/failed-$1-*"
	fi
}

for t in "${targets[@]}"; do
	replay "$build/fuzz" "$t" ", built by $cc"
	if [ "$engine" = libfuzzer ]; then
		new_inputs "$t"
	else
		n=$((n + 1))
		echo "ok $n - $t: new inputs # SKIP clang's libFuzzer is missing"
	fi
done
if [ "${EVC_LONG:-}" = 1 ] && [ "$engine" = libfuzzer ]; then
	if build "$top/fuzz-files" files "${CC:-cc}" \
		"-fsanitize=address,undefined -fno-sanitize-recover=all"; then
		for t in "${targets[@]}"; do
			replay "$top/fuzz-files/fuzz" "$t" ", built by ${CC:-cc}"
		done
	else
		not_ok "$top/fuzz-files/make.log" "targets built by ${CC:-cc}"
	fi
fi
echo "1..$n"
exit $failed
