#!/bin/bash
# The regression tests: every program, then the programs with threads under
# ThreadSanitizer, then the table of docs/regressions.md.  Prints TAP.
# Usage: run.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.."
build=$1
log=$(mktemp -d) || exit 1
trap 'rm -rf "$log"' EXIT
n=0 failed=0
limit=200
[ -n "${EVC_LONG:-}" ] && limit=3000

# verdict STATUS NAME: one line.
verdict() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		failed=1
	fi
}

# One program: a line for each of its tests, and one if it ended badly.
program() {
	local name=$1 out=$log/$1.tap rc plan line
	CMOCKA_MESSAGE_OUTPUT=TAP timeout "$limit" "$build/test/regress/$name" \
		>"$out" 2>"$out.err" </dev/null
	rc=$?
	while read -r line; do
		case $line in
		"ok "*) verdict 0 "$name: ${line#ok * - }" ;;
		"not ok "*) verdict 1 "$name: ${line#not ok * - }" ;;
		"#"*) echo "$line" ;;
		esac
	done <"$out"
	plan=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$out")
	if [ "${plan:-0}" = 0 ] ||
		[ "$plan" != "$(grep -cE '^(not )?ok ' "$out")" ] ||
		{ [ "$rc" != 0 ] && ! grep -q '^not ok' "$out"; }; then
		verdict 1 "$name: ran to its end (exit status $rc)"
		head -40 "$out.err" | sed 's/^/# /'
	fi
}

# Address space layouts of newer kernels are too much for older libtsan.
tsan_run() {
	timeout "$limit" "$@" >"$log/tsan" 2>&1 </dev/null
}

tsan() {
	local name rc
	name=$(basename "$1")
	tsan_run "$1"
	rc=$?
	if grep -q 'ThreadSanitizer: unexpected memory mapping' "$log/tsan"; then
		tsan_run setarch "$(uname -m)" -R "$1"
		rc=$?
	fi
	grep -q 'WARNING: ThreadSanitizer' "$log/tsan" && rc=1
	verdict $rc "tsan: $name: no data race"
	[ $rc = 0 ] || head -60 "$log/tsan" | sed 's/^/# /'
}

# The programs are what the tree has, not what an older build left behind.
for t in tests/regress/test_*.c; do
	t=$(basename "$t" .c)
	case $t in
	test_regress_fifo*) [ -e "$build/flavour-fifo-none" ] && continue ;;
	esac
	program "$t"
	case $t in
	*_threads) tsan "$build/tsan/bin/regress/$t" ;;
	esac
done
for t in threads rounds race; do
	tsan "$build/tsan/bin/unit/test_core_$t"
done
cat "$log"/*.tap >"$log/all"
flavour=
[ -e "$build/flavour-fifo-none" ] && flavour=none
FIFO=$flavour tests/regress/check-table "$log/all" >"$log/table"
while read -r line; do
	case $line in
	"ok "*) verdict 0 "${line#ok }" ;;
	"not ok "*) verdict 1 "${line#not ok }" ;;
	*) echo "$line" ;;
	esac
done <"$log/table"
echo "1..$n"
exit $failed
