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

bench/core.sh "$build"
if command -v gnuplot >/dev/null; then
	gnuplot -c bench/plots.gp "$build/bench" "$build/bench"
	echo "plots: $build/bench/{ports,collect,threads}.svg"
else
	echo "  (no gnuplot: nothing drawn; apt-get install gnuplot-nox)"
fi

echo "process host: one process notifies another ($build/bench/notify)"
"$build/bin/evtchn" run --socket "$dir/sock" --domain 100 -- \
	"$build/bench/notify" | sed 's/^/  /'
"$build/bin/evtchn" run --socket "$dir/sock" --domain 100 -- \
	"$build/bench/memory" | sed 's/^/  /'
echo "process host: a round trip beside a malicious process ($build/bench/malicious)"
"$build/bin/evtchn" run --socket "$dir/sock" --domain 100 -- \
	"$build/bench/malicious" | sed 's/^/  /'
echo "process host: upcalls by signal, and IPIs between vCPUs ($build/bench/upcall)"
"$build/bin/evtchn" run --socket "$dir/sock" --domain 100 -- \
	"$build/bench/upcall" | sed 's/^/  /'

echo "libxenvchan, rings of 64 KiB, between two processes (bench/vchan.sh)"
bench/vchan.sh "$build" | sed 's/^/  /'
