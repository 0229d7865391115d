#!/bin/sh
# Speed, as ratios to what one would use instead.  Usage: run.sh BUILD_DIR
# docs/performance.md says how the figures of the real Xen were obtained.
# Instructions repeat from run to run; times on a shared machine do not, so
# times are medians of paired runs.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

echo "core: one operation, called directly ($build/bench/core)"
"$build/bench/core" | while read -r name ns; do
	instructions="-"
	case $name in
	send-*) inside=evc_send xen=$(echo "$name" | sed 's/.*pending/88/; s/.*masked/133/; s/.*fresh/184/') ;;
	*) inside=do_bind_close xen=310 ;;
	esac
	if command -v valgrind >/dev/null; then
		instructions=$(valgrind --tool=callgrind --toggle-collect=$inside \
			--callgrind-out-file=/dev/null "$build/bench/core" "$name" 1000 \
			2>&1 | awk '/Collected/ {print $NF / 1000}')
	fi
	printf '  %-14s %6s ns   %5s instructions   (the real Xen 4.17: %s)\n' \
		"$name" "$ns" "$instructions" "$xen"
done
command -v valgrind >/dev/null ||
	echo "  (no valgrind: instructions not counted; apt-get install valgrind)"

echo "process host: one process notifies another ($build/bench/notify)"
"$build/bin/evtchn" run --socket "$dir/sock" --domain 100 -- \
	"$build/bench/notify" | sed 's/^/  /'
